#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# What goes into a task and comes out of it: as for a bare one.

# shellcheck disable=SC2154  # stderr is bats's
load lib

# same COMMAND: it prints and ends alike, bare and in a container.
same() {
    local bare
    run --separate-stderr as_user srun "$@"
    bare=$status/$output/$stderr
    run --separate-stderr in_container "$@"
    equal "$(scrub "$status/$output/$stderr")" "$(scrub "$bare")"
}
scrub() {
    sed -E 's/(StepId=|job )[0-9]+/\1N/; s/error: n[0-9]+:/error: nN:/
        /queued and waiting|has been allocated/d' <<<"$1"
}

@test "stdout and stderr come out apart" {
    run --separate-stderr in_container sh -c 'echo to stdout; echo to stderr >&2'
    equal "$status" 0
    equal "$output" "to stdout"
    equal "$stderr" "to stderr"
}

@test "100 MB go through cat unchanged" {
    local data=$BATS_TEST_TMPDIR/data wanted got
    head -c 100000000 /dev/urandom >"$data"
    wanted=$(sha256sum <"$data")
    # From a pipe, into a pipe.
    got=$(cat "$data" | "$QUICKSTART" run -- srun --container=debian cat | sha256sum)
    equal "$got" "$wanted"
}

@test "output goes into the files that Slurm is told of" {
    run as_user srun -n2 -N1 --output=out-%t.txt --error=err-%t.txt --container=debian \
        sh -c 'echo "out $SLURM_PROCID"; echo "err $SLURM_PROCID" >&2'
    equal "$status" 0
    equal "$(cat "$HOME1"/out-{0,1}.txt "$HOME1"/err-{0,1}.txt)" $'out 0\nout 1\nerr 0\nerr 1'
    equal "$(stat -c %U "$HOME1/out-0.txt")" berth1
    rm "$HOME1"/{out,err}-{0,1}.txt
}

@test "input ends when it ends, and is for the first task only as with a bare step" {
    local bare got script='printf "%s:%s\n" "$SLURM_PROCID" "$(cat)"'
    bare=$(echo word | as_user srun -n2 -N1 --input=0 sh -c "$script" | sort)
    got=$(echo word | as_user srun -n2 -N1 --input=0 --container=debian sh -c "$script" | sort)
    equal "$got" "$bare"
    contains "$got" "0:word"
}

@test "a closed reader ends the writer" {
    run timeout 60 bash -c '"$QUICKSTART" run -- srun --container=debian \
        sh -c "yes | head -n 3"'
    equal "$status" 0
    equal "$output" $'y\ny\ny'
}

# Every code of each of 256 tasks, as srun reports it task by task.
exit_codes() {
    local base
    for base in 0 32 64 96 128 160 192 224; do
        echo "srun -n32 -N2 -K0 -W0 $1 $2 rank $base 2>&1"
    done >"$HOME1/codes.sh"
    as_user salloc -Q -N2 -n32 bash codes.sh |
        sed -n 's/^srun: error: n[12]: tasks\? \([0-9,-]*\): //p' | sort | uniq -c
    rm "$HOME1/codes.sh"
}

@test "exit codes 0 to 255 reach Slurm, as bare" {
    local bare got code
    install -m 755 "$BATS_SUITE_TMPDIR/probe/probe" "$HOME1/probe"
    bare=$(exit_codes '' ./probe)
    got=$(exit_codes --container=berth/probe /probe)
    equal "$got" "$bare"
    for code in {1..255}; do
        grep -qE "Exited with exit code $code\$" <<<"$got" || fail "no exit code $code: $got"
    done
    run as_user srun --container=berth/probe /probe exit 0
    equal "$status" 0
    run as_user srun --container=berth/probe /probe exit 255
    equal "$status" 255
}

@test "death by SIGTERM is reported as bare" { same sh -c 'kill -TERM $$'; }
@test "death by SIGKILL is reported as bare" { same sh -c 'kill -KILL $$'; }
@test "death by SIGSEGV is reported as bare" { same sh -c 'kill -SEGV $$'; }

@test "scontrol tells of a batch script's death by a signal as bare" {
    local bare got jobs
    printf '#!/bin/sh\nkill -SEGV $$\n' >"$HOME1/dies.sh"
    jobs=$(as_user sbatch --parsable --output=/dev/null dies.sh)
    run as_user sbatch --wait --parsable --container=debian --output=/dev/null dies.sh
    poll $SOON job_is "$jobs" FAILED
    bare=$(job_says "$jobs" ExitCode)
    got=$(job_says "${lines[0]}" ExitCode)
    equal "$got" "$bare"
    equal "$got" 0:11
    rm "$HOME1/dies.sh"
}

@test "an argument with spaces, newlines, no or non-ASCII characters arrives whole" {
    # Of much output at once bare Slurm itself loses the end now and then.
    same bash -c 'for a; do ((${#a} < 1000)) || a=$(md5sum <<<"$a"); printf "<%q>\n" "$a"; done' arg0 'a  b' $'two\nlines' '' 'ünï→' '*' \
        '$HOME' '"' "'" '\' $'\t' -- --container=x "$(printf '%0100000d' 0)"
}

@test "1 MB of environment arrives whole" {
    local i value bare got script
    # A string of the environment has 128 KiB at most.
    value=$(head -c 75000 /dev/urandom | base64 -w 0)
    for i in {0..9}; do
        export "BIG_$i=$i$value"
    done
    script='env | grep ^BIG_ | sort | sha256sum; env | grep ^BIG_ | wc -c'
    bare=$(as_user srun sh -c "$script")
    got=$(in_container sh -c "$script")
    unset "${!BIG_@}"
    equal "$got" "$bare"
    ((${got##*$'\n'} > 1000000)) || fail "only ${got##*$'\n'} bytes"
}

@test "a variable with newlines, an empty one and one that is no name arrive" {
    local script='tr "\0" "\n" </proc/self/environ | grep -A2 -e ^ODD -e ^1odd'
    export ODD_LINES=$'one\ntwo' ODD_EMPTY=
    equal "$(in_container sh -c "$script" | sort)" "$(as_user srun sh -c "$script" | sort)"
    unset ODD_LINES ODD_EMPTY
}

@test "a terminal is one in the container, has its size and delivers Ctrl-C" {
    run timeout 60 script -qec "stty rows 33 cols 77; '$QUICKSTART' run -- \
        srun --pty --container=debian bash -c 'test -t 0 && test -t 1 && stty size'" /dev/null
    contains "$output" "33 77"
    run timeout 60 script -qec "'$QUICKSTART' run -- srun --pty --container=debian \
        bash -c 'trap \"echo caught\" INT; kill -INT \$\$; ps -o tty= 2>/dev/null; \
        : </dev/tty && echo has a terminal'" /dev/null
    contains "$output" caught
    contains "$output" "has a terminal"
}

@test "umask, limits and ignored signals are the task's as bare" {
    # More processes than there are pids can't be had from every engine.
    local script='umask; ulimit -a | grep -v processes; grep -E "^Sig(Ign|Blk|Cgt)" /proc/self/status'
    equal "$(in_container bash -c "$script")" "$(as_user srun bash -c "$script")"
    script='umask; ulimit -a; ulimit -Ha | grep -v processes'
    limited() {
        as_user bash -c 'umask 027; ulimit -n 777 -u 999 -c 5 -s 4096 -f 123456; "$@"' - "$@"
    }
    equal "$(limited srun --container=debian bash -c "$script")" "$(limited srun bash -c "$script")"
}

@test "no descriptor is open in a task that a bare one has not" {
    local script='for f in /proc/self/fd/*; do echo "${f##*/}"; done'
    equal "$(in_container bash -c "$script")" "$(as_user srun bash -c "$script")"
}

@test "two nodes and four tasks: one container for each node, and ranks in their places" {
    local script='echo "$SLURM_PROCID $SLURM_LOCALID $SLURM_NODEID $SLURMD_NODENAME $(readlink /proc/self/ns/pid)"'
    local bare got
    bare=$(as_user srun -N2 -n4 --ntasks-per-node=2 bash -c "$script" | sort | cut -d' ' -f1-4)
    got=$(as_user srun -N2 -n4 --ntasks-per-node=2 --container=debian bash -c "$script" | sort)
    equal "$(cut -d' ' -f1-4 <<<"$got")" "$bare"
    equal "$(awk '{ print $4, $5 }' <<<"$got" | sort -u | wc -l)" 2
    equal "$(awk '{ print $5 }' <<<"$got" | sort -u | wc -l)" 2
}

@test "while it runs there is one container on each node" {
    start_step -N2 -n4 --ntasks-per-node=2 --container=debian sh -c "$(waiter)"
    poll "$SOON" ready 4
    equal "$(berths | wc -l)" 2
    equal "$(berths | grep -c "^berth-$JOB\.0-[0-9a-f]\{32\}$")" 2
    scancel "$JOB"
    await_step
    nothing_left
}

@test "the variables SLURM_* are as bare, but for the way to the controller" {
    local both
    both=$(allocation 'for o in "" --container=debian; do
            srun -N2 -n4 --cpus-per-task=2 $o sh -c "env | sed s/^/\$SLURM_PROCID:/"; echo ----
        done')
    vars() { grep -E '^[0-9]+:(SLURM|SRUN|CUDA|GPU|ROCR|TMPDIR)' | grep -vE \
        ':(SLURM_CONF|SLURM_CONTAINER|SLURM_TASK_PID|SLURM_STEP_?ID|SLURM_[A-Z_]*PORTS?|SRUN_CONTAINER)=' |
        sort; }
    equal "$(awk '/^----/ { n++ } n == 1' <<<"$both" | vars)" "$(awk '/^----/ { n++ } n < 1' <<<"$both" | vars)"
    contains "$both" SLURM_JOB_ID=
    equal "$(grep -c ':SLURM_CONF=' <<<"$both")" 4
    lacks "$both" BERTH_STEP
}

@test "a batch script and its steps run in containers" {
    cat >"$HOME1/job.sh" <<'END'
#!/bin/bash
#SBATCH --container=debian
#SBATCH --output=job.out
echo "$(id -un) $1 $$ $(pwd) $(sed -n 's/^ID=//p' /etc/os-release) $SLURM_CONTAINER"
exit 3
END
    run as_user sbatch --wait job.sh 'an argument'
    equal "$status" 3
    run cat "$HOME1/job.out"
    contains "$output" "berth1 an argument"
    contains "$output" "$HOME1 debian debian"
    rm "$HOME1"/job.{sh,out}
    nothing_left
}

@test "a static program runs in an image that has nothing else" {
    run as_user srun --container=berth/probe /probe hello
    equal "$status" 0
    equal "$output" hello
}
