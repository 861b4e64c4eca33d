#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# Memory, cores and devices: a task in a container sits where a bare one does.

load lib

# placed SRUN'S WORDS: the host's view of the cgroups of a step's program.
placed() {
    local pid
    start_step "$@" sh -c 'echo ready $SLURM_JOB_ID; exec sleep 4711'
    poll "$SOON" sleeps 4711
    pid=$(sleepers 4711)
    sed -E 's/(uid_|job_|step_)[0-9]+/\1N/g; s/^[0-9]+://' "/proc/$pid/cgroup" | sort
    scancel "$JOB"
    await_step
}

@test "a task is in the cgroups of its Slurm task, seen from the host (threat 50)" {
    local bare got
    bare=$(placed -w n1)
    got=$(placed -w n1 --container=debian)
    equal "$got" "$bare"
    contains "$got" job_N
}

# Where both versions are mounted, Slurm uses the first: so that a task has a
# place in the second as well, slurmd is put where Slurm would put a task.
@test "with cgroup v2 a task is in the leaf of its Slurm task" {
    local root slurmd before='' leaf bare got
    root=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts)
    [[ $root ]] || skip_without "cgroup v2"
    if [[ $root != /sys/fs/cgroup ]]; then
        leaf=$root/berth-bats/system.slice/slurmstepd.scope/job_1/step_0/user/task_0
        slurmd=$("$QUICKSTART" status | sed -n 's/^n1: runs, pid //p')
        before=$(sed -n 's/^0:://p' "/proc/$slurmd/cgroup")
        mkdir -p "$leaf"
        echo "$slurmd" >"$leaf/cgroup.procs"
    fi
    bare=$(placed -w n1)
    got=$(placed -w n1 --container=debian)
    if [[ $before ]]; then
        # A slurmstepd may be about to end there.
        poll "$SOON" left_by "$leaf" "$root$before" || fail "in $leaf: $(cat "$leaf/cgroup.procs")"
        find "$root/berth-bats" -depth -type d -exec rmdir {} +
    fi
    equal "$got" "$bare"
    grep -q '^:/.*/job_N/step_N/user/task_0$' <<<"$got" || fail "it is in $got"
    nothing_left
}
left_by() {
    local pid
    while read -r pid; do
        echo "$pid" >"$2/cgroup.procs" || true
    done <"$1/cgroup.procs"
    [[ -z $(cat "$1/cgroup.procs") ]]
}

@test "each of several tasks is in its own task's cgroups" {
    local bare got
    script='sed "s/^/$SLURM_PROCID:/; s/job_[0-9]*/J/; s/step_[0-9]*/S/" /proc/self/cgroup | sort'
    bare=$(as_user srun -w n1 -n4 sh -c "$script" | sort)
    got=$(as_user srun -w n1 -n4 --container=debian sh -c "$script" | sort)
    # The container may have a view of its own of the hierarchy's root.
    equal "$(grep -o 'task_[0-9]*' <<<"$got" | sort | uniq -c)" \
        "$(grep -o 'task_[0-9]*' <<<"$bare" | sort | uniq -c)"
}

@test "children of a task, and what it leaves in the background, are in its cgroups (threat 51)" {
    local pid
    start_step --container=debian sh -c 'setsid sleep 4712 & echo ready $SLURM_JOB_ID; exec sleep 1000'
    poll "$SOON" sleeps 4712
    pid=$(sleepers 4712)
    contains "$(cat "/proc/$pid/cgroup")" "job_$JOB/step_0"
    scancel "$JOB"
    await_step
    poll "$SOON" no_sleeper 4712
    nothing_left
}

@test "a task that exceeds --mem is killed and Slurm says so, as bare" {
    hog() {
        as_user srun --mem=50M "$@" perl -e '$x = "x" x 300_000_000; print "survived\n"' 2>&1 |
            sed -E 's/^\[[-0-9T:.]+\] //; s/(StepId=|STEP |job )[0-9]+/\1N/g; s/n[12]/n/g' | grep -v 'queued\|has been' | sort
        echo "${PIPESTATUS[0]}"
    }
    prints_alike --container=debian hog
    lacks "$BARE" survived
    contains "${BARE,,}" 'out of memory'
    nothing_left
}

@test "memory that several tasks use counts together" {
    run as_user srun -n4 -N1 --mem=100M --container=debian perl -e '$x = "x" x 90_000_000; sleep 20; print "survived\n"'
    ((status != 0)) || fail "four times 90 MB fit into 100"
    nothing_left
}

@test "sstat sees the memory of a task" {
    start_step --mem=400M --acctg-freq=task=1 --container=debian \
        perl -e '$| = 1; $x = "x" x 150_000_000; print "ready $ENV{SLURM_JOB_ID}\n"; sleep 1000'
    seen() {
        local rss
        rss=$(sstat -anP --noconvert -o MaxRSS -j "$JOB.0" | head -n 1)
        ((${rss%%[!0-9]*} > 100000000))
    }
    poll $SOON seen || fail "$(sstat -aP --noconvert -j "$JOB.0")"
    scancel "$JOB"
    await_step
}

@test "cores are those of the task as bare" {
    local both
    grep -q '^cpuset' /proc/cgroups || skip_without cpusets
    # A step's cores are free when slurmctld has heard of its end.
    both=$(allocation 'for o in "" --container=debian; do
            while squeue -hsj "$SLURM_JOB_ID" -o %i | grep -q "[.][0-9]"; do sleep 0.1; done
            srun -N1 -n2 -w n1 --exact --cpus-per-task=1 --cpu-bind=cores $o \
                sh -c "grep Cpus_allowed_list /proc/self/status | sed s/^/\$SLURM_PROCID:/; nproc" | sort
            echo ----
        done 2>&1' | grep -v '^srun: ')
    equal "$(awk '/^----/ { n++; next } n == 1' <<<"$both")" "$(awk '/^----/ { n++; next } n < 1' <<<"$both")"
    contains "$both" Cpus_allowed_list
}

@test "a device that is not the job's can't be opened (threat 52)" {
    run in_container sh -c 'ls /dev/nvidia* /dev/kvm /dev/fuse /dev/mem /dev/sd* /dev/vd* 2>/dev/null; true'
    equal "$output" ""
    run in_container sh -c 'mknod /tmp/dev c 1 1'
    ((status != 0)) || fail "a user makes devices"
}

@test "fork bombs are bounded by what Slurm allows (threat 53)" {
    # The user's own limit holds in the container.
    run as_user bash -c 'ulimit -u 200; srun --propagate=NPROC --container=debian bash -c "
        ulimit -u; for i in {1..300}; do sleep 9 & done; kill %1"' 2>&1
    contains "$output" 200
    contains "${output,,}" resource
    nothing_left
}

@test "nice, and the task's priority are as bare" {
    local script='nice; cat /proc/self/oom_score_adj'
    equal "$(in_container sh -c "$script")" "$(as_user srun sh -c "$script")"
}
