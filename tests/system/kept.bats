#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# A container that outlives its step: what the next step of the job finds, and
# who never meets whom.

# shellcheck disable=SC2016  # the job's shell, or a task's, expands it
load lib
load kept

@test "steps that follow each other are in one container, and leave no process in it" {
    run --separate-stderr in_job '
        where
        in_one sh -c "setsid sleep 5252 & trap : TERM; (sleep 5252; :) & kill -STOP \$!"
        where; where -n3
        in_one sh -c "set -- /proc/[0-9]*; echo \$#"
        in_one --container-env=A sh -c "cd /tmp; echo \$A" '
    equal "$stderr" ""
    equal "$(head -n 5 <<<"$output" | sort -u | wc -l)" 1
    # berth-init and sh.
    equal "$(sed -n 6p <<<"$output")" 2
    poll "$SOON" no_sleeper 5252
    nothing_left
}

no_tasks() { [[ ! $(pids berth-task) ]]; }
@test "srun ends when the next step can have the container, however busy the node" {
    local guest
    start_job '
        where
        echo ready $SLURM_JOB_ID
        in_one sh -c "$where; echo inside; until [ -e a.out ]; do sleep 0.05; done"
        where
        go go'
    poll "$SOON" said 4
    guest=$(pids berth-stepd | sort -n | tail -n 1)
    kill -STOP "$guest"
    go a
    poll "$SOON" no_tasks
    sleep 0.5
    kill -CONT "$guest"
    poll "$SOON" said 5
    equal "$(line 3)" "$(line 1)"
    equal "$(line 5)" "$(line 1)"
    go go
    wait "$SRUN"
    nothing_left
}

@test "what a step leaves in /tmp, /dev/shm and IPC is there for the next, as bare" {
    run --separate-stderr in_job '
        in_one sh -c "echo one >/tmp/x; echo two >/dev/shm/y; echo three >/var/tmp/z"
        in_one cat /tmp/x /dev/shm/y /var/tmp/z'
    equal "$output" $'one\ntwo\nthree'
    # And none of it is another job's.
    equal "$(in_container sh -c 'ls /tmp /dev/shm /var/tmp | grep -c ".$"' || true)" 3
    nothing_left
}

@test "steps at the same time have a container each, which those that follow take" {
    run --separate-stderr in_job '
        meet() { in_one sh -c "$where; : >$1.out
            until [ -e a.out ] && [ -e b.out ]; do sleep 0.05; done"; }
        meet a & meet b & wait
        rm a.out b.out
        meet a & meet b & wait
        rm a.out b.out'
    equal "$(head -n 2 <<<"$output" | sort -u | wc -l)" 2
    equal "$(tail -n 2 <<<"$output" | sort)" "$(head -n 2 <<<"$output" | sort)"
    nothing_left
}

@test "a step that would get another container gets another" {
    conf <<<'mounts_allowed = {"'"$HOME1"'/**:rw"}
networks = {"host", "none"}
writable = allowed'
    run --separate-stderr in_job '
        mkdir -p a b sub
        here() { echo "$1 $(shift; where "$@")"; }
        here usual
        here again
        here mount --container-mounts=$HOME/a:/mnt/a
        here mount-again --container-mounts=$HOME/a:/mnt/a
        here mount-ro --container-mounts=$HOME/a:/mnt/a:ro
        mv a a.old; mkdir a
        here mount-replaced --container-mounts=$HOME/a:/mnt/a
        here network --container-network=none
        here home --container-mount-home
        here writable --container-writable
        here writable-again --container-writable
        here declined --no-container-reuse
        here pmi --mpi=pmi2
        here back
        rm -rf a a.old b sub'
    local -A at
    local what ns
    while read -r what ns; do at[$what]=$ns; done <<<"$output"
    equal "${#at[@]}" 13
    equal "${at[again]} ${at[back]} ${at[pmi]}" "${at[usual]} ${at[usual]} ${at[usual]}"
    equal "${at[mount-again]}" "${at[mount]}"
    # All others have their own.
    equal "$(printf '%s\n' "${at[@]}" | sort -u | wc -l)" 8
    nothing_left
}

@test "what is each task's own makes no other container" {
    conf <<<'seccomp = "berth"'
    run --separate-stderr in_job '
        echo "0 /bin/sh -c \"$where\"" >multi.out
        where
        (ulimit -S -n 200; ulimit -c 0; umask 077; where --propagate=ALL)
        where -c2 --nice=5; where --export=NONE --container-env=PATH
        where --container-workdir=/tmp; where --container-env=A; where --job-name=other
        where --unbuffered --label | sed "s/^0: //"
        where --cpu-bind=none --mem-bind=none --time=1
        where --container-entrypoint; where -n3 --mpi=none
        in_one --multi-prog multi.out; GREETING=x where
        rm multi.out'
    [[ $(sort -u <<<"$output" | wc -l) == 1 ]] || fail "$output $stderr"
    nothing_left
}

@test "steps of a batch script follow each other in one container, beside the script's own" {
    conf <<<'slurm = allowed'
    local step='srun -Q -n1 --mem=100 --overlap --container=debian' dir=$HOME1
    local where='echo $(readlink /proc/self/ns/pid) $(cut -d" " -f22 /proc/1/stat)'
    for words in "" "--container=debian --container-slurm"; do
        # shellcheck disable=SC2086  # several words
        as_user sbatch -Q -W -w n1 -n1 --mem=1000 -o "$dir/a.out" $words --wrap "
            $where
            for i in 1 2 3; do $step sh -c '$where'; done" || fail "$(cat "$dir/a.out")"
        output=$(cat "$dir/a.out")
        equal "$(wc -l <<<"$output")" 4
        equal "$(tail -n 3 <<<"$output" | sort -u | wc -l)" 1
        equal "$(sort -u <<<"$output" | wc -l)" 2
        nothing_left
    done
    rm "$dir/a.out"
}

@test "the policy is edited between two steps: the second obeys the new one" {
    start_job 'where; where; echo ready $SLURM_JOB_ID; go a; where; go b; where'
    conf <<<'tmp_size = 64M'
    go a
    poll "$SOON" said 4 || fail "$(cat "$OUT" "$ERR")"
    policy 'allow=berth/**' "$ENGINE"
    go b
    await_step 30
    equal "$(line 2)" "$(line 1)"
    [[ $(line 4) == pid:* && $(line 4) != "$(line 1)" ]] || fail "$(cat "$OUT")"
    contains "$(cat "$ERR")" "is not allowed"
    equal "$(wc -l <"$OUT")" 4
    nothing_left
}

@test "two jobs and two users never meet in one container" {
    start_job 'where; echo ready $SLURM_JOB_ID; go a; where'
    local other where='readlink /proc/self/ns/pid'
    # While the first lives, nobody else's has its number.
    other=$(as_user srun -Q -w n1 -n1 --mem=100 --container=debian $where)
    other+=" $(as_other srun -Q -w n1 -n1 --mem=100 --container=debian $where)"
    lacks "$other" "$(line 1 | cut -d' ' -f1)"
    go a
    await_step
    equal "$(line 3)" "$(line 1)"
    nothing_left
}

@test "a run of the same job that was requeued is another job" {
    start_job 'where; echo ready $SLURM_JOB_ID; go a; where'
    # As the prolog of the next run would leave it.
    sed -i 's/"run":"[0-9a-f]*"/"run":"0123456789abcdef0123456789abcdef"/' "$STATE/n1/$JOB.job"
    go a
    await_step
    [[ $(line 3) == pid:* && $(line 3) != "$(line 1)" ]] || fail "$(cat "$OUT")"
    nothing_left
}

@test "users and jobs at once, with containers of the same name, never meet (threat 90)" {
    local dir=$BATS_TEST_TMPDIR user k all pids=()
    for user in as_user as_other; do
        for k in 1 2; do
            "$user" salloc -Q -w n1 -n2 --mem=500 bash -c "$IN_JOB"'
                own="$where; : >/tmp/$SLURM_JOB_ID; ls /tmp | grep -v -x $SLURM_JOB_ID || :"
                for i in 1 2 3 4; do
                    in_one sh -c "$own"
                    in_one --container-name=x sh -c "$own"
                done' >"$dir/$user.$k" 2>&1 </dev/null 3>&- 4>&- &
            pids+=($!)
        done
    done
    wait "${pids[@]}"
    # A job has two, of which no other has one, nor what is in it.
    for k in "$dir"/as_*; do
        equal "$(grep -c pid: "$k") $(wc -l <"$k")" "8 8"
        equal "$(sort -u "$k" | wc -l)" 2
    done
    all=$(cat "$dir"/as_*)
    equal "$(sort -u <<<"$all" | wc -l)" 8
    nothing_left
}

@test "a job on two nodes that is requeued takes over nothing of its first run, on either (threat 90)" {
    local job second out=$HOME1/requeue.out node
    cat >"$HOME1/job.sh" <<'END'
#!/bin/sh
#SBATCH -N2 -n2 --mem=500 --requeue --output=requeue.out --open-mode=append
run=${SLURM_RESTART_COUNT:-0}
look='echo $(readlink /proc/self/ns/pid) $(cut -d" " -f22 /proc/1/stat)'
for words in "" "" --container-name=x:create --container-name=x:exec; do
    srun -Q --container=debian $words sh -c "echo run $run \$SLURMD_NODENAME ${words%:*} \$($look)"
done
echo "over $run"
[ "$run" != 0 ] || exec sleep 1000
END
    job=$(as_user sbatch --parsable job.sh)
    poll 60 grep -q 'over 0' "$out" || fail "$(cat "$out")"
    scontrol requeue "$job"
    poll 30 no_traces || fail "left: $(traces)"
    poll "$SOON" job_is "$job" PENDING
    # As in nesting.bats. And before Slurm 23.11, slurmd knows a run for a new one,
    # which has its Prolog, only if it looked at no credential for two seconds.
    second=$(date +%s)
    poll "$SOON" later_than $((second + 1))
    scontrol update jobid="$job" StartTime=now
    poll 60 grep -q 'over 1' "$out" || fail "$(cat "$out")"
    poll "$SOON" job_is "$job" COMPLETED
    # Two in each run on each node.
    for node in n1 n2; do
        output=$(grep " $node .*pid:" "$out")
        equal "$(wc -l <<<"$output") $(sort -u <<<"$output" | wc -l)" "8 4"
        equal "$(sed 's/.*pid:/pid:/' <<<"$output" | sort -u | wc -l)" 4
    done
    rm "$HOME1"/{job.sh,requeue.out}
    nothing_left
}
later_than() { (($(date +%s) > $1)); }

@test "the policy is edited: no step joins by name what the old one allowed" {
    conf <<<'writable = allowed'
    start_job 'named() { srun -Q -n1 --mem=100 --overlap --container-name=x "$@"; }
        named --container=debian --container-writable true; echo ready $SLURM_JOB_ID
        go a; named true; echo "ended $?"; go b; named true; echo "ended $?"'
    conf <<<$'writable = allowed\ntmp_size = 64M'
    go a
    poll "$SOON" grep -q '^ended' "$OUT" || fail "$(cat "$OUT" "$ERR")"
    contains "$(cat "$ERR")" "the policy has changed since"
    conf <<<'writable = never'
    go b
    await_step
    equal "$(grep -c '^ended 125' "$OUT")" 2
    contains "$(cat "$ERR")" "--container-writable cannot be had"
    nothing_left
}

@test "what is kept ends by itself where the job's record goes or says another run" {
    start_job 'where; echo ready $SLURM_JOB_ID; go a'
    rm "$STATE/n1/$JOB.job"
    poll 60 no_traces || fail "left: $(traces)"
    go a
    await_step
    nothing_left
}

@test "what no step comes for goes after reuse_idle" {
    conf <<<'reuse_idle = 2'
    start_job 'where; echo ready $SLURM_JOB_ID; go a; where'
    poll "$SOON" no_traces || fail "left: $(traces)"
    go a
    await_step
    [[ $(line 3) == pid:* && $(line 3) != "$(line 1)" ]] || fail "$(cat "$OUT")"
    nothing_left
}

@test "the administrator's limits hold in a step whose like was turned away by a container" {
    conf <<<'ulimits = {"nofile=4096:8192"}'
    run --separate-stderr in_job '
        meet() { in_one sh -c "ulimit -n; ulimit -Hn; : >$1.out
            until [ -e a.out ] && [ -e b.out ]; do sleep 0.05; done"; }
        meet a & until [ -e a.out ]; do sleep 0.05; done; meet b & wait
        rm a.out b.out'
    equal "$output" $'4096\n8192\n4096\n8192'
    nothing_left
}

@test "a guest's terminal goes with it, while others are in the container" {
    run --separate-stderr in_job '
        in_x() { srun -Q -n1 --mem=100 --overlap --container-name=x "$@"; }
        in_one --container-name=x sh -c "touch a.out; until [ -e b.out ]; do sleep 0.05; done" &
        until [ -e a.out ]; do sleep 0.05; done
        for i in 1 2; do
            script -qec "srun -Q -n1 --mem=100 --overlap --container-name=x --pty \
                grep -c console /proc/self/mountinfo" /dev/null
            for j in {1..50}; do ! in_x grep -q console /proc/self/mountinfo || continue; echo gone; break; done
        done
        touch b.out; wait; rm a.out b.out'
    output=${output//$'\r'/}
    equal "${output//'^@'/}" $'1\ngone\n1\ngone'
    nothing_left
}

@test "while slurmstepd waits for srun, berth-stepd has nothing to do" {
    local srun
    conf <<<'reuse_idle = 1'
    rm -f "$HOME1/a.out"
    start_step -Q -w n1 --container=debian sh -c 'echo ready $SLURM_JOB_ID; until [ -e a.out ]; do sleep 0.05; done'
    srun=$(pgrep -u berth1 -x srun)
    kill -STOP $srun
    KEEPER=$(keeper)
    go a
    ! poll 8 spins || { kill -CONT $srun; fail "it has run for $(ticks) ticks"; }
    # 26.05's ends its plugins before it waits.
    [[ -e /proc/$KEEPER ]] || slurm_has 26.05 || fail "it waits for nobody"
    kill -CONT $srun
    await_step
    nothing_left
}
ticks() { awk '{ print $14 + $15 }' "/proc/$KEEPER/stat"; }
spins() { (($(ticks) > 30)); }

@test "reuse = never keeps nothing, and reuse = allowed what is asked for" {
    conf <<<'reuse = never'
    run --separate-stderr in_job 'where; where'
    equal "$(sort -u <<<"$output" | wc -l)" 2
    run --separate-stderr in_container --container-reuse true
    refused "--container-reuse cannot be had"
    conf <<<'reuse = allowed'
    run --separate-stderr in_job 'where; where; where --container-reuse; where --container-reuse'
    equal "$(head -n 3 <<<"$output" | sort -u | wc -l)" 3
    equal "$(tail -n 2 <<<"$output" | sort -u | wc -l)" 1
    nothing_left
}

@test "the epilog ends what is kept before it is over" {
    # What lasts longer than the job is told by slurmd's own clock.
    as_user salloc -Q -N2 -n4 --mem=2000 bash -c 'srun -Q -n2 -N2 --container=debian true
        srun -Q -n2 -N2 --container=debian true'
    poll "$SOON" all_idle
    # But for a process that has nothing any more.
    equal "$(traces | grep -v '^process ')" ""
    nothing_left
}

# --- attacks -----------------------------------------------------------------

@test "no user reaches what is kept: neither its socket nor its files (threat 90)" {
    start_job 'where; echo ready $SLURM_JOB_ID; go a'
    local dir=$STATE/n1/$JOB.0 user
    equal "$(stat -c '%U %a' "$dir/keep")" "root 600"
    for user in as_user as_other; do
        run "$user" perl -MIO::Socket::UNIX -MSocket -e '
            print IO::Socket::UNIX->new(Peer => $ARGV[0], Type => SOCK_SEQPACKET) ? "in" : "out"' "$dir/keep"
        equal "$output" out
        run "$user" cat "$dir/made" "$dir/image"
        lacks "$output" debian
    done
    go a
    await_step
    nothing_left
}

@test "berth-init stopped by its user between two steps: a sentence within time, and nothing is left (threat 73)" {
    start_job 'where; where; echo ready $SLURM_JOB_ID; go a; where; where'
    as_user kill -STOP "$(pids berth-init)"
    go a
    await_step 40
    contains "$(cat "$ERR")" "does not answer"
    contains "$(tail -n 1 "$OUT")" pid:
    nothing_left
}

@test "a step that forks without end is cleared, and the next finds nothing of it (threat 91)" {
    run --separate-stderr in_job '
        where
        # Not so many that srun, which is the same user here, has none left.
        in_one timeout -s KILL 1 sh -c "f() { while :; do (setsid sh -c \"sleep 5454 & sleep 0.01\" &); sleep 0.01; done; }
            f & f & wait"
        # As long as that takes, a step has another container.
        while pgrep -u $UID -x "sh|sleep" >/dev/null; do :; done
        where; in_one sh -c "set -- /proc/[0-9]*; echo \$#"'
    equal "$(sed -n 2p <<<"$output")" "$(sed -n 1p <<<"$output")"
    # berth-init and sh.
    equal "$(sed -n 3p <<<"$output")" 2
    poll "$SOON" no_sleeper 5454
    nothing_left
}

# --- nothing is different ----------------------------------------------------

@test "what a later step sees is what the first one saw, and its cgroups as bare" {
    local look='id; pwd; umask; ulimit -a; env | grep -v -e SLURM -e SRUN | sort
        sed "s/^[0-9]* [0-9]* //; s/ - .*//" /proc/self/mountinfo | grep -v " /sys/fs/cgroup" | sort
        grep -c " /sys/fs/cgroup" /proc/self/mountinfo
        ls -l /proc/self/fd | wc -l; cat /proc/self/status | grep -e Cap -e NoNew -e Seccomp: -e Groups
        for c in memory cpuset pids; do
            d=$(sed -n "s,^[0-9]*:$c:,,p" /proc/self/cgroup)
            echo $c $(echo $d | sed "s/step_[0-9]*/step/")
            cat /sys/fs/cgroup/$c$d/memory.limit_in_bytes /sys/fs/cgroup/$c$d/cpuset.cpus 2>/dev/null
        done
        d=$(sed -n "s,^0::,,p" /proc/self/cgroup); ls /sys/fs/cgroup$d /sys/fs/cgroup/unified$d 2>/dev/null | wc -l'
    run --separate-stderr in_job "
        look() { in_one sh -c '$look' >\$1.out 2>&1; }
        look first; look second; srun -Q -n1 true; look third
        cmp first.out second.out && cmp first.out third.out && wc -l <first.out"
    [[ $output -gt 40 ]] || fail "$(diff "$HOME1"/first.out "$HOME1"/third.out) $output"
    nothing_left
}

@test "a terminal is each step's own, and none of an earlier step is left" {
    run --separate-stderr in_job '
        for i in 1 2 3; do
            script -qec "srun -Q -n1 --container=debian --pty sh -c \"tty
                echo on /dev/console >/dev/console; grep -c console /proc/self/mountinfo\"" /dev/null
        done
        in_one sh -c "grep -c console /proc/self/mountinfo; cat /dev/console" 2>&1'
    # What script makes of the end of its own input.
    output=${output//$'\r'/}
    output=${output//'^@'/}
    equal "$(head -n 9 <<<"$output")" "$(printf '/dev/console\non /dev/console\n1\n%.0s' 1 2 3)"
    equal "$(sed -n 10p <<<"$output")" 0
    contains "$output" "ermission denied"
    nothing_left
}

@test "another number of GPUs is another container" {
    [[ -c /dev/berth-quickstart/gpu1 ]] || skip_without "the right to make device nodes"
    GRES=--gres=gpu:2 run --separate-stderr in_job '
        where --gres=gpu:2; where --gres=none; where --gres=gpu:2; where --gres=none'
    equal "$(sed -n 3,4p <<<"$output")" "$(sed -n 1,2p <<<"$output")"
    equal "$(sort -u <<<"$output" | wc -l)" 2
    nothing_left
}

@test "the audit log tells what was taken over, and when it went" {
    local log=$BATS_TEST_TMPDIR/audit
    conf <<<"audit_log = \"$log\""
    in_job 'where; where; where' >/dev/null
    nothing_left
    equal "$(sed 's/.*"event":"\([a-z]*\)".*"step":"\([0-9]*\)".*/\1 \2/' "$log")" \
        $'allow 0\nstart 0\nend 0\nallow 1\nstart 1\nend 1\nallow 2\nstart 2\nend 2\ngone 0'
    equal "$(grep -c '"container":"reused"' "$log")" 6
    contains "$(tail -n 1 "$log")" '"exit":"job"'
    # Nothing of it where no step came.
    : >"$log"
    in_container true
    nothing_left
    lacks "$(cat "$log")" gone
}

# 60 steps show a descriptor or a mount that each leaves; `tests/run --long` makes
# it 10,000, or BERTH_STEPS.
@test "many steps in one container: no descriptor, memory or mount is added" {
    local steps=${BERTH_LONG:+10000}
    steps=${BERTH_STEPS:-${steps:-60}}
    local mpi=pmix
    has_pmix || mpi=none
    start_job "where; for i in \$(seq 10); do where; done; echo ready \$SLURM_JOB_ID; go a
        for i in \$(seq \$(($steps / 2))); do where; where --mpi=$mpi; done; echo over; go b"
    held() {
        local pid
        for pid in "$(keeper)" "$(pids berth-init)"; do
            ls "/proc/$pid/fd" | wc -l
            wc -l <"/proc/$pid/mountinfo"
        done
    }
    # Of files, the kernel maps more or less at a time.
    memory() { awk '/^RssAnon/ { print $2 }' "/proc/$(keeper)/status" "/proc/$(pids berth-init)/status"; }
    poll "$SOON" one_program || fail "$(programs)"
    local before used
    before=$(held)
    used=$(memory)
    go a
    poll $((steps / 2 + 60)) grep -q over "$OUT" || fail "$(cat "$ERR")"
    poll "$SOON" one_program || fail "$(programs)"
    equal "$(held)" "$before"
    paste <(echo "$used") <(memory) | awk '$2 >= $1 + 256 { exit 1 }' || fail "memory: $(memory), before: $used"
    equal "$(grep pid: "$OUT" | sort -u | wc -l)" 1
    go b
    await_step
    nothing_left
}
