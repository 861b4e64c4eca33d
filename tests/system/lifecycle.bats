#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# Every way in which a step can end early: the task ends, Slurm says so, and
# nothing is left.

load lib

# What a container's program is known by, from the host.
NAP=5150
napper() { echo "echo ready \$SLURM_JOB_ID; exec sleep $NAP"; }
naps() { [[ -n $(sleepers $NAP) ]]; }
no_naps() { no_sleeper $NAP; }

@test "scancel ends the tasks on both nodes" {
    start_step -N2 -n4 --ntasks-per-node=2 --container=debian sh -c "$(napper)"
    poll "$SOON" naps
    scancel "$JOB"
    await_step
    # As a bare step: by SIGTERM.
    equal "$STATUS" 143
    poll "$SOON" no_naps || fail "a task goes on"
    ends_as CANCELLED
    nothing_left
}

@test "scancel of a step ends that step and the job goes on" {
    run as_user salloc -Q bash -c 'srun --container=debian sleep 1000 2>/dev/null &
        for i in {1..100}; do
            sleep 0.1; sstat -anP -j "$SLURM_JOB_ID.0" >/dev/null 2>&1 && break
        done
        sleep 0.5; scancel "$SLURM_JOB_ID.0"; wait $!; echo "step $?"
        srun --container=debian echo next'
    contains "$output" "step "
    lacks "$output" "step 0"
    contains "$output" next
    nothing_left
}

has_jobs() { ! no_jobs; }

@test "scancel while the container is on its way leaves nothing" {
    local delay
    for delay in 0 0.01 0.02 0.04 0.06 0.08 0.1 0.15; do
        OUT=$(mktemp -p "$BATS_TEST_TMPDIR")
        "$QUICKSTART" run -- srun --container=debian sleep $NAP >"$OUT" 2>&1 3>&- &
        SRUN=$!
        poll "$SOON" has_jobs || fail "no job came up: $(cat "$OUT")"
        sleep "$delay"
        scancel -Q -n bats
        ERR=$OUT await_step
        # Or the next turn would take this job for its own.
        poll "$SOON" no_jobs
    done
    poll "$SOON" no_naps
    nothing_left
}

# signalled SRUN'S WORDS: what a task that is sent USR1 prints.
signalled() {
    start_step "$@" bash -c 'n=0; trap "n=\$((n + 1))" USR1
        echo ready $SLURM_JOB_ID
        while ((n == 0)); do sleep 0.1; done; sleep 0.5; echo "got $n"; exit 5'
    scancel -s USR1 "$JOB"
    await_step
    cat "$OUT" | grep -v ready
    echo "$STATUS"
}

@test "scancel -s USR1 reaches the task, once, as bare" {
    local bare
    bare=$(signalled)
    equal "$(signalled --container=debian)" "$bare"
    equal "$bare" $'got 1\n5'
    nothing_left
}

@test "scancel -s STOP and CONT stop a task and continue it" {
    start_step --container=debian bash -c 'echo ready $SLURM_JOB_ID; for ((i = 0; ; i++)); do echo $i; sleep 0.05; done'
    # Slurm may do it by a signal or by its cgroup.
    still() { cp "$OUT" "$OUT.before"; sleep 0.5; cmp -s "$OUT" "$OUT.before"; }
    moves() { ! still; }
    poll "$SOON" moves
    scancel -s STOP "$JOB"
    poll "$SOON" still || fail "it was not stopped"
    scancel -s CONT "$JOB"
    poll "$SOON" moves || fail "it was not continued"
    scancel "$JOB"
    await_step
    nothing_left
}

@test "a program that ignores SIGTERM is killed after KillWait" {
    start_step --container=debian bash -c 'trap "echo no" TERM; echo ready $SLURM_JOB_ID; while :; do sleep 0.2; done'
    scancel "$JOB"
    await_step
    contains "$(cat "$OUT")" no
    nothing_left
}

@test "a time limit ends the task, and Slurm calls it that" {
    start_step --time=1 --container=debian sh -c "$(napper)"
    scontrol update jobid="$JOB" EndTime=now+1 || true
    await_step 100
    contains "$(cat "$ERR")" "TIME LIMIT"
    ends_as TIMEOUT
    poll "$SOON" no_naps
    nothing_left
}

@test "srun killed by SIGKILL: the task ends, as bare" {
    local bare
    # Slurm notices by itself that nobody listens, and cancels the job.
    start_step sh -c "$(napper)"
    kill -KILL "$SRUN"
    poll "$SOON" gone "$SRUN"
    poll "$SOON" no_naps
    poll "$SOON" job_is "$JOB" CANCELLED
    bare=$(job_says "$JOB" ExitCode)
    start_step --container=debian sh -c "$(napper)"
    kill -KILL "$SRUN"
    poll "$SOON" no_naps || fail "the task goes on"
    poll "$SOON" job_is "$JOB" CANCELLED || fail "Slurm says $(job_says "$JOB" JobState)"
    equal "$(job_says "$JOB" ExitCode)" "$bare"
    nothing_left
}

@test "berth-task killed: its task ends, and Slurm says Killed (threat 62)" {
    start_step --container=debian sh -c "$(napper)"
    kill -KILL "$(pids berth-task)"
    await_step
    equal "$STATUS" 137
    contains "$(cat "$ERR")" Killed
    poll "$SOON" no_naps || fail "the task goes on"
    nothing_left
}

@test "one of several berth-tasks killed: the others go on" {
    local task
    start_step -n3 -N1 -K0 --container=debian bash -c 'echo ready $SLURM_JOB_ID; while test ! -e probe; do sleep 0.1; done; echo "finished $SLURM_PROCID"'
    poll "$SOON" ready 3
    task=$(pids berth-task | head -n 1)
    kill -KILL "$task"
    poll "$SOON" gone "$task"
    sleep 1
    as_user touch probe
    await_step
    equal "$(grep -c finished "$OUT")" 2
    contains "$(cat "$ERR")" Killed
    nothing_left
}

@test "berth-stepd killed: the task ends, Slurm says Killed, nothing is left (threat 62)" {
    start_step --container=debian sh -c "$(napper)"
    kill -KILL "$(pids berth-stepd)"
    await_step
    equal "$STATUS" 137
    contains "$(cat "$ERR")" Killed
    poll "$SOON" no_naps || fail "the task goes on"
    nothing_left
}

@test "berth-stepd killed on one of two nodes: the tasks of that node end" {
    start_step -N2 -n2 -K1 --container=debian sh -c "$(napper)"
    poll "$SOON" ready 2
    kill -KILL "$(pids berth-stepd | head -n 1)"
    await_step
    ((STATUS != 0))
    poll "$SOON" no_naps
    nothing_left
}

@test "berth-init killed: the task ends and Slurm says Killed" {
    local init
    start_step --container=debian sh -c "$(napper)"
    for init in $(pids berth-init); do
        kill -KILL "$init" 2>/dev/null || true
    done
    await_step
    equal "$STATUS" 137
    poll "$SOON" no_naps
    nothing_left
}

@test "the container removed by somebody at the engine: the task ends and Slurm says Killed" {
    start_step --container=debian sh -c "$(napper)"
    api DELETE "/containers/$(step_container)?force=1"
    await_step
    equal "$STATUS" 137
    poll "$SOON" no_naps
    nothing_left
}

@test "slurmstepd killed: the task ends and nothing is left (threat 62)" {
    start_step --container=debian sh -c "$(napper)"
    kill -KILL "$(pgrep -f "^slurmstepd: \[$JOB.0\]")"
    poll $SOON no_naps || fail "the task goes on"
    poll $SOON no_traces || fail "left: $(traces)"
    # Slurm itself does not hear of it: a bare step's srun waits as well.
    scancel "$JOB"
    await_step 30
    ends_as CANCELLED
    forgive_cgroups
    nothing_left 30
}

@test "slurmstepd and berth-stepd killed together leave what the epilog removes (threats 61, 62)" {
    start_step --container=debian sh -c "$(napper)"
    kill -KILL "$(pgrep -f "^slurmstepd: \[$JOB.0\]")" "$(pids berth-stepd)"
    poll $SOON no_naps || fail "the task goes on"
    scancel "$JOB"
    await_step 30
    ends_as CANCELLED
    poll "$SOON" no_traces || fail "left: $(traces)"
    forgive_cgroups
    nothing_left 30
}

@test "the engine restarted in mid-step: the step ends or goes on, and Slurm tells the truth" {
    start_step --container=debian sh -c "echo ready \$SLURM_JOB_ID; sleep $NAP; echo over"
    "$QUICKSTART" restart engine
    if [[ $BERTH_ENGINE == docker ]]; then
        # It ends its containers when it stops.
        await_step
        equal "$STATUS" 137
        poll "$SOON" no_naps
    else
        # Podman's service is none of a container's ancestors.
        naps || fail "the task ended"
        kill "$(sleepers $NAP)"
        await_step
        contains "$(cat "$OUT")" over
    fi
    nothing_left 30
    equal "$(in_container echo works)" works
}

@test "the engine killed in mid-step, and back only after the step: nothing is left then" {
    local engine
    start_step --container=debian sh -c "$(napper)"
    engine=$("$QUICKSTART" status | sed -n 's/^engine: runs, pid //p')
    kill -KILL "$engine"
    scancel "$JOB"
    await_step 60
    poll "$SOON" no_naps || fail "the task goes on"
    "$QUICKSTART" restart engine
    # The step's own clean-up, the epilog, or the next prolog sees to it.
    poll 60 no_jobs
    no_traces || as_user srun -N2 true
    nothing_left 30
}

@test "slurmd restarted in mid-step: the step goes on and ends well" {
    start_step -w n1 --container=debian sh -c "echo ready \$SLURM_JOB_ID; sleep 3; echo over"
    "$QUICKSTART" restart n1
    await_step 30
    equal "$STATUS" 0
    contains "$(cat "$OUT")" over
    nothing_left
}

@test "a task that leaves processes behind: they end with the step" {
    run as_user srun --container=debian sh -c "setsid sleep $NAP >/dev/null 2>&1 & echo started"
    equal "$output" started
    poll "$SOON" no_naps
    nothing_left
}

@test "a node that crashed: its step's leftovers go at the next prolog (threat 61)" {
    local node
    start_step -w n1 --container=debian sh -c "$(napper)"
    # As a power failure does: nobody has time to clean up. A fresh slurmd then
    # tells Slurm that the job is gone.
    node=$("$QUICKSTART" status | sed -n 's/^n1: runs, pid //p')
    kill -KILL "$node" "$(pgrep -f "^slurmstepd: \[$JOB.0\]")" "$(pids berth-stepd)" "$(pids berth-task)"
    poll "$SOON" no_naps || fail "the task goes on"
    [[ -n $(traces) ]] || fail "there is nothing to clean up"
    kill -KILL "$SRUN" 2>/dev/null || true
    "$QUICKSTART" restart n1
    scancel -Q "$JOB" || true
    poll 30 no_jobs
    poll 30 all_idle
    forgive_cgroups
    as_user srun -w n1 true
    nothing_left 30
}
