#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# Steps within jobs: each has the image that it asks for itself.

# shellcheck disable=SC2154  # stderr is bats's
load lib

# A file that only the host has, in no image and no mount.
host_only() { echo "test -d '$PREFIX' && echo host || echo container"; }

@test "srun --container=other in a job that has one runs the other" {
    # What Slurm leaves in the environment of a job that has one.
    run as_user env SLURM_CONTAINER=debian salloc -Q env SLURM_CONTAINER=debian \
        srun --container=berth/probe /probe hello
    equal "$output" hello
    equal "$status" 0
    run as_user salloc -Q env SLURM_CONTAINER=berth/probe \
        srun --container=debian sed -n 's/^ID=//p' /etc/os-release
    equal "$output" debian
    run as_user salloc -Q srun --container-image=debian --container=berth/probe /probe hello
    equal "$output" hello
}

@test "srun without it in a job that has one runs on the host" {
    run as_user salloc -Q env SLURM_CONTAINER=debian srun sh -c "$(host_only)"
    equal "$output" host
    run as_user salloc -Q env SLURM_CONTAINER=debian srun --container=debian sh -c "$(host_only)"
    equal "$output" container
}

@test "two steps at a time have containers of their own" {
    run as_user salloc -Q -n2 bash -c "
        for i in 1 2; do
            srun -n1 --exact --container=debian sh -c 'readlink /proc/self/ns/pid; $MEET' - \$i 2 &
        done
        wait"
    equal "${#lines[@]}" 2
    [[ ${lines[0]} != "${lines[1]}" ]]
    rm "$HOME1"/met.{1,2}
    nothing_left
}

@test "SLURM_CONTAINER and its kin in a user's environment choose no image for a step (trap 2)" {
    run as_user env SLURM_CONTAINER=debian srun sh -c "$(host_only)"
    equal "$output" host
    run as_user env SLURM_CONTAINER=fedora srun --container=debian sh -c "$(host_only)"
    equal "$output" container
}

@test "SRUN_CONTAINER, SBATCH_CONTAINER and #SBATCH --container do what the option does" {
    cat >"$HOME1/job.sh" <<END
#!/bin/sh
#SBATCH --output=job.out
$(host_only)
END
    SBATCH_CONTAINER=debian run_batch job.sh
    equal "$(cat "$HOME1/job.out")" container
    run_batch job.sh
    equal "$(cat "$HOME1/job.out")" host
    run_batch --container=debian --export=NONE job.sh
    equal "$(cat "$HOME1/job.out")" container
    rm "$HOME1"/job.{sh,out}
}

@test "--container-image is the same as --container" {
    run as_user srun --container-image=debian sh -c "$(host_only)"
    equal "$output" container
    run as_user srun --container-image=debian --container=debian sh -c "$(host_only)"
    equal "$output" container
    # The last one holds.
    run as_user srun --container-image=berth/probe --container=debian sh -c "$(host_only)"
    equal "$output" container
    run as_user srun --container=debian --container-image=berth/probe /probe hello
    equal "$output" hello
    run as_user srun --help
    contains "$output" --container-image=IMAGE
}

@test "squeue and scontrol show the image" {
    start_step --container=debian sh -c "$(waiter)"
    contains "$(scontrol show step "$JOB.0")" Container=debian
    scancel "$JOB"
}

@test "a batch job with a container can be followed by steps of the same job on the host" {
    start_step --container=debian sh -c "$(waiter)"
    run as_user srun --jobid="$JOB" --overlap sh -c "$(host_only)"
    equal "$output" host
    run as_user srun --jobid="$JOB" --overlap --container=berth/probe /probe hello
    equal "$output" hello
    scancel "$JOB"
    await_step
    nothing_left
}

@test "each program of --multi-prog runs in the container, and never on the host (trap 4)" {
    cat >"$HOME1/multi" <<END
# a comment
0 sh -c '$(host_only | tr "'" '"')'
1-2 echo task %t of %o
END
    run --separate-stderr as_user srun -n3 -N1 -l --container=debian --multi-prog multi
    equal "$status" 0
    equal "$(sort <<<"$output")" "$(printf '0: container\n1: task 1 of 0\n2: task 2 of 1')"
    # A client without the plugin sends what the node can't rewrite.
    run --separate-stderr bypassing srun -n3 -N1 --container=debian --multi-prog multi
    if prepends; then
        equal "$status" 0
        equal "$(sort <<<"$output")" $'container\ntask 1 of 0\ntask 2 of 1'
    else
        ((status != 0)) || fail "this was not refused"
        lacks "$output" host
        lacks "$output" task
        contains "$stderr" multi-prog
    fi
    # As from Slurm 23.11 on, where Slurm puts berth-task in front of it.
    echo "* $LIBEXEC/berth-task /run/berth/is-not-loaded-on-this-node/sh -c '$(host_only | tr "'" '"')'" >"$HOME1/multi"
    equal "$(bypassing srun -Q -n1 --container=debian --multi-prog multi)" container
    rm "$HOME1/multi"
    nothing_left
}

@test "an array's tasks and a requeued job have containers of their own (threat 11)" {
    cat >"$HOME1/job.sh" <<'END'
#!/bin/sh
#SBATCH --container=debian
#SBATCH --output=array-%a.out
echo "$SLURM_ARRAY_TASK_ID $SLURM_RESTART_COUNT $(readlink /proc/self/ns/pid)"
END
    run as_user sbatch -Q --wait --array=1-3 job.sh
    equal "$status" 0
    equal "$(cat "$HOME1"/array-*.out | awk '{ print $1 }' | sort | xargs)" "1 2 3"
    rm "$HOME1"/array-*.out "$HOME1/job.sh"
    nothing_left
}

later_than() { (($(date +%s) > $1)); }

@test "a requeued job starts anew, and nothing of its first run is left (threat 11)" {
    local job second
    cat >"$HOME1/job.sh" <<'END'
#!/bin/sh
#SBATCH --container=debian --requeue
#SBATCH --output=requeue.out --open-mode=append
echo "run ${SLURM_RESTART_COUNT:-0}"
[ "${SLURM_RESTART_COUNT:-0}" != 0 ] || exec sleep 1000
END
    job=$(as_user sbatch --parsable job.sh)
    poll $SOON grep -q 'run 0' "$HOME1/requeue.out"
    scontrol requeue "$job"
    poll $SOON no_traces
    poll "$SOON" job_is "$job" PENDING
    # In the very second of the kill, slurmd takes the next launch of the job
    # for the one that was killed, and Slurm then calls the job failed.
    second=$(date +%s)
    poll "$SOON" later_than "$second"
    scontrol update jobid="$job" StartTime=now
    poll 30 grep -q 'run 1' "$HOME1/requeue.out"
    poll $SOON job_is "$job" COMPLETED
    rm "$HOME1"/{job.sh,requeue.out}
    nothing_left
}
