#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# Containers with a name, and steps that join others in theirs.

# shellcheck disable=SC2016  # the job's shell, or a task's, expands it
load lib
load kept

@test "a container with a name is made once, and joined by whoever names it while it is there" {
    conf <<<'writable = allowed'
    run --separate-stderr in_job '
        named() { srun -Q -n1 --mem=100 --overlap --container-name="$@"; }
        named x --container=debian --container-writable sh -c "echo \$(readlink /proc/self/ns/pid); id -u >/tmp/in"
        named x sh -c "readlink /proc/self/ns/pid; cat /tmp/in; set -- /proc/[0-9]*; echo \$#"
        named x:exec --container=debian readlink /proc/self/ns/pid
        PYXIS_CONTAINER_NAME=x srun -Q -n1 --mem=100 --overlap readlink /proc/self/ns/pid
        named y --container=debian readlink /proc/self/ns/pid
        srun -Q -n1 --mem=100 --overlap --container=debian readlink /proc/self/ns/pid'
    equal "$stderr" ""
    equal "$(sed -n 2p <<<"$output") $(sed -n 5p <<<"$output") $(sed -n 6p <<<"$output")" \
        "$(for i in 1 2 3; do sed -n 1p <<<"$output"; done | xargs)"
    equal "$(sed -n 3p <<<"$output")" "$(id -u berth1)"
    equal "$(sed -n 4p <<<"$output")" 2
    # Another name's, and a step's without one, are others.
    equal "$(grep pid: <<<"$output" | sort -u | wc -l)" 3
    nothing_left
}

@test "steps that join at the same time are all shown the job's cgroups" {
    run --separate-stderr in_job '
        join() { srun -Q -n1 --mem=100 --overlap --container-name=x "$@"; }
        join --container=debian true
        for i in 1 2 3 4 5 6; do
            for k in 1 2 3 4; do
                join echo ok &
            done
            wait
        done'
    equal "$stderr" ""
    equal "$(grep -c ok <<<"$output")" 24
    nothing_left
}

@test "what was written in a container with a name is there for the next step" {
    conf <<<'writable = allowed'
    run --separate-stderr in_job '
        srun -Q -n1 --container=debian --container-writable --container-name=env sh -c "echo kept >/var/tmp/x; mkdir -p /tmp/y"
        srun -Q -n1 --container-name=env sh -c "cat /var/tmp/x; ls -d /tmp/y"'
    equal "$output" $'kept\n/tmp/y'
    nothing_left
}

@test "a job can have so many containers with names on a node, and have no more wait (threat 127)" {
    run --separate-stderr in_job '
        named() { srun -Q -n1 --mem=100 --overlap --container-name="$@"; }
        for i in {1..16}; do named x$i --container=debian true; done
        named x17 --container=debian echo made
        named x16 echo there
        where; where'
    contains "$stderr" "this job has 16 containers with names"
    equal "$(sed -n 1p <<<"$output")" there
    # Those of steps that follow have none to come to.
    equal "$(grep pid: <<<"$output" | sort -u | wc -l)" 2
    nothing_left
}

@test "a step waits for a container with a name as long as that takes, or it lasts itself" {
    start_job 'in_one --container-name=x true; echo ready $SLURM_JOB_ID; go a
        join() { srun -Q -n1 --mem=100 --overlap --container-name=x "$@"; }
        join echo joined & go b; join echo other; echo ended; wait'
    # The long form for longer than a container may take to come up.
    local keeper dir=$STATE/n1/$JOB lasts=${BERTH_LONG:+65}
    keeper=$(keeper)
    kill -STOP "$keeper"
    go a
    poll "$SOON" test -e "$dir.1"
    go b
    poll "$SOON" test -e "$dir.2"
    scancel "$JOB.2"
    poll "$SOON" test ! -e "$dir.2" || fail "it does not hear its end"
    poll "$SOON" said 2
    ! poll "${lasts:-2}" said 3 || fail "it has what nobody gives it"
    kill -CONT "$keeper"
    await_step
    equal "$(tail -n 2 "$OUT")" $'ended\njoined'
    nothing_left
}

@test "a step that waits for its job's record hears its own end, and an errand takes no part in that" {
    start_job 'echo ready $SLURM_JOB_ID; go a; in_one --container-name=x true; echo ended; go b'
    local holder
    flock "$STATE/n1/$JOB.job" sleep 60 3>&- 4>&- &
    holder=$!
    run as_user timeout 20 srun -Q --jobid="$JOB" -n1 --mem=100 --overlap --container=debian --container-name=x \
        --container-do=pull true
    equal "$status" 0
    go a
    poll "$SOON" test -e "$STATE/n1/$JOB.1"
    scancel "$JOB.1"
    poll "$SOON" test ! -e "$STATE/n1/$JOB.1" || fail "it does not hear its end"
    kill "$holder"
    go b
    await_step
    nothing_left
}

@test "steps that begin at once with a new name are in one container" {
    run --separate-stderr in_job '
        for i in 1 2 3 4; do
            srun -Q -n1 --mem=100 --overlap --container=debian --container-name=x sh -c "
                : >/tmp/\$SLURM_STEP_ID; readlink /proc/self/ns/pid
                until [ \$(ls /tmp | wc -l) = 4 ]; do sleep 0.1; done
                ls /proc | grep -c ^[0-9] >/dev/null" &
        done
        wait'
    equal "$stderr" ""
    equal "$(grep -c pid: <<<"$output") $(sort -u <<<"$output" | wc -l)" "4 1"
    nothing_left
}

@test "steps in one container have their own cgroups, process groups and ends" {
    start_job 'srun -Q -n1 --mem=100 --overlap --container=debian --container-name=x sh -c "echo ready $SLURM_JOB_ID; exec sleep 5555" &
        go a; srun -Q -n1 --mem=100 --overlap --container-name=x sh -c "
            sed -n s,.*/step_,,p /proc/self/cgroup | sort -u; sleep 0.5; kill -KILL 0"
        echo "ended $?"; go b; scancel $SLURM_JOB_ID.0; wait'
    go a
    poll "$SOON" grep -q '^ended' "$OUT" || fail "$(cat "$OUT" "$ERR")"
    contains "$(cat "$OUT")" "1/task_0"
    contains "$(cat "$OUT")" "ended 137"
    # The first goes on.
    [[ -n $(sleepers 5555) ]] || fail "the first step's task ended"
    go b
    await_step
    poll "$SOON" no_sleeper 5555
    nothing_left
}

@test "what a container with a name can't be any more is refused by name" {
    conf <<<'mounts_allowed = "/srv"
networks = {"host", "none"}'
    run in_job '
        named() { srun -Q -n1 --mem=100 --overlap --container-name="$@" true 2>&1 | grep berth:; }
        named x:exec; named x
        named x --container=debian
        named x --container=berth/mpi; named x --container-mounts=/srv:/mnt
        named x --container-network=none; named x:create --container=debian
        named x/y --container=debian
        srun -Q -n1 --mem=100 --overlap --container-name=x sh -c ": >a.out; until [ -e b.out ]; do sleep 0.1; done" &
        until [ -e a.out ]; do sleep 0.1; done
        named x:no_exec; : >b.out; wait; named x:no_exec; named x:exec; cd /tmp; named x:exec'
    contains "$output" "there is no container x of this job on node n1"
    contains "$output" "there is no container x of this job here to join"
    contains "$output" "--container-image is not what the container was made with"
    contains "$output" "--container-mounts is not what the container was made with"
    contains "$output" "--container-network is not what the container was made with"
    contains "$output" "leave :create out to join it"
    contains "$output" "a name has up to 63 letters"
    contains "$output" "leave :no_exec out"
    equal "$(grep -c berth: <<<"$output")" 8
    nothing_left
}

@test "a step joins another that runs, from outside of its job, and no other's" {
    start_job 'in_one --container-mount-home sh -c "touch /tmp/mine; echo ready $SLURM_JOB_ID; exec sleep 5656"'
    joined() { srun_into "$JOB" "$@"; }
    srun_into() { as_user srun -Q --jobid="$1" --overlap -n1 --mem=50 "${@:2}" 2>&1; }
    equal "$(joined --container-join="$JOB.0" sh -c 'ls /tmp; tr "\0" " " </proc/2/cmdline; echo; pwd' | head -n 1)" mine
    contains "$(joined --container-join="$JOB" sh -c 'tail -c +1 /proc/[0-9]*/cmdline | tr "\0" " "')" "sleep 5656"
    contains "$(joined --container-join="$JOB.7" true || true)" "there is no such container"
    contains "$(joined --container-join="$((JOB + 1))" true || true)" "joins steps of its own job"
    contains "$(joined --container-join="$JOB.0" --container-network=none true || true)" "--container-network is not"
    # And another user not at all.
    run "$QUICKSTART" run --user=berth2 -- srun -Q --jobid="$JOB" --overlap -n1 --container-join="$JOB.0" true
    ((status != 0))
    # What has joined goes with the step that runs, or before.
    [[ -n $(sleepers 5656) ]] || fail "the step ended"
    scancel "$JOB.0"
    await_step
    poll "$SOON" no_sleeper 5656
    nothing_left
}

@test "a step joins a batch script in its container" {
    local job dir=$HOME1
    job=$(as_user sbatch --parsable -w n1 -n2 --mem=1000 -o "$dir/a.out" --container=debian --wrap \
        'touch /tmp/mine; readlink /proc/self/ns/pid; exec sleep 5858')
    poll "$SOON" grep -q pid: "$dir/a.out" || fail "$(cat "$dir/a.out")"
    run --separate-stderr as_user srun -Q --jobid="$job" --overlap -n1 --mem=50 --container-join="$job" \
        sh -c 'readlink /proc/self/ns/pid; ls /tmp'
    scancel "$job"
    equal "$stderr" ""
    equal "$output" "$(head -n 1 "$dir/a.out")"$'\nmine'
    poll "$SOON" no_sleeper 5858
    rm "$dir/a.out"
    nothing_left
}

@test "a joining step's berth-stepd killed: its tasks end, and the other step goes on (threat 62)" {
    start_job 'in_one sh -c "echo ready $SLURM_JOB_ID; exec sleep 5656" &
        go a; srun -Q -n1 --mem=100 --overlap --container-join=$SLURM_JOB_ID.0 sh -c "echo ready 2; exec sleep 5757"
        echo "ended $?"; go b; scancel $SLURM_JOB_ID.0; wait'
    go a
    poll "$SOON" said 2 || fail "$(cat "$OUT" "$ERR")"
    kill -KILL "$(pids berth-stepd | sort -n | tail -n 1)"
    poll "$SOON" grep -q '^ended 137' "$OUT" || fail "$(cat "$OUT" "$ERR")"
    poll "$SOON" no_sleeper 5757
    [[ -n $(sleepers 5656) ]] || fail "the other step ended"
    go b
    await_step
    poll "$SOON" no_sleeper 5656
    nothing_left
}

@test "the audit log tells who joined whose container, and by what name" {
    local log=$BATS_TEST_TMPDIR/audit
    conf <<<"audit_log = \"$log\""
    in_job 'srun -Q -n1 --container=debian --container-name=x true; srun -Q -n1 --container-name=x true' >/dev/null
    nothing_left
    equal "$(grep -c '"container_name":"x"' "$log")" 7
    contains "$(sed -n 4p "$log")" '"container":"joined"'
    contains "$(tail -n 1 "$log")" '"event":"gone"'
}
