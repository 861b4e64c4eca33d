#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# What is left of a container that outlives its step, when anything is killed.

# shellcheck disable=SC2016  # the job's shell, or a task's, expands it
load lib
load kept

@test "the keeper killed between two steps: the next has a new container (threat 62)" { rounds keeper_between; }
keeper_between() {
    start_job 'where; echo ready $SLURM_JOB_ID; go a; where'
    poll "$SOON" one_program || fail "$(programs)"
    kill -KILL "$(keeper)"
    poll "$SOON" no_programs || fail "$(programs)"
    go a
    await_step
    [[ $(line 3) == pid:* && $(line 3) != "$(line 1)" ]] || fail "$(cat "$OUT" "$ERR")"
    nothing_left
}
no_programs() { [[ -z $(programs) ]]; }

@test "the keeper killed under a later step: the task ends with a sentence, and the job goes on (threat 62)" { rounds keeper_under; }
keeper_under() {
    start_job 'where; in_one sh -c "echo ready $SLURM_JOB_ID; exec sleep 5353"; echo "ended $?"; where'
    kill -KILL "$(pids berth-stepd | sort -n | head -n 1)"
    await_step
    poll "$SOON" no_sleeper 5353
    contains "$(cat "$OUT")" "ended 137"
    contains "$(cat "$ERR")" "what kept it"
    contains "$(tail -n 1 "$OUT")" pid:
    nothing_left
}

@test "a later step's berth-stepd killed: its task ends, and the container serves the next (threat 62)" { rounds guest_killed; }
guest_killed() {
    start_job 'where; in_one sh -c "setsid sleep 5353 & echo ready $SLURM_JOB_ID; exec sleep 5353"; echo "ended $?"; where'
    kill -KILL "$(pids berth-stepd | sort -n | tail -n 1)"
    await_step
    poll "$SOON" no_sleeper 5353
    contains "$(cat "$OUT")" "ended 137"
    equal "$(tail -n 1 "$OUT")" "$(line 1)"
    nothing_left
}

@test "a later step's berth-stepd killed that has PMIx: the next ones have the same container, and their own directories (threat 123)" { rounds guest_killed_pmix; }
guest_killed_pmix() {
    needs_pmix
    start_job 'where; in_one --mpi=pmix sh -c "echo ready $SLURM_JOB_ID; exec sleep 5353"; echo "ended $?"
        where --mpi=pmix; where; in_one --mpi=pmix sh -c "find \$(dirname \$PMIX_SERVER_TMPDIR) -path \"*/pmix.*/*\"; stat -c %m/ \$PMIX_SERVER_TMPDIR"'
    kill -KILL "$(pids berth-stepd | sort -n | tail -n 1)"
    await_step
    poll "$SOON" no_sleeper 5353
    contains "$(cat "$OUT")" "ended 137"
    equal "$(grep pid: "$OUT" | sort | uniq -c | awk '{ print $1 }')" 3
    # Of the killed one's an empty directory is left at most.
    contains "$(tail -n 1 "$OUT")" "/pmix.$JOB.4/"
    lacks "$(cat "$OUT")" "/pmix.$JOB.1/"
    nothing_left
}

@test "berth-init killed between steps and under one: the next step has a new container (threat 62)" { rounds init_killed; }
init_killed() {
    start_job 'where; where; echo ready $SLURM_JOB_ID; go a; where; in_one sh -c "echo ready 2; exec sleep 5353"; where'
    kill -KILL "$(pids berth-init)"
    poll "$SOON" no_programs || fail "$(programs)"
    go a
    poll "$SOON" said 5 || fail "$(cat "$OUT" "$ERR")"
    kill -KILL "$(pids berth-init)"
    await_step
    poll "$SOON" no_sleeper 5353
    equal "$(grep pid: "$OUT" | uniq | wc -l)" 3
    nothing_left
}

@test "the container removed by somebody at the engine while it is kept: the next step has a new one" {
    start_job 'where; echo ready $SLURM_JOB_ID; go a; where'
    api DELETE "/containers/$(step_container)?force=1"
    poll "$SOON" no_traces || fail "left: $(traces)"
    go a
    await_step
    [[ $(line 3) == pid:* && $(line 3) != "$(line 1)" ]] || fail "$(cat "$OUT" "$ERR")"
    nothing_left
}

@test "slurmstepd killed under a later step: its task ends, and the job's end leaves nothing (threat 62)" { rounds slurmstepd_killed; }
slurmstepd_killed() {
    start_job 'where; in_one sh -c "echo ready $SLURM_JOB_ID; exec sleep 5353"'
    kill -KILL "$(pgrep -f "^slurmstepd: \[$JOB.1\]")"
    poll "$SOON" no_sleeper 5353 || fail "the task goes on"
    scancel "$JOB"
    await_step 30
    forgive_cgroups
    nothing_left 30
}

@test "everything of a job killed at once leaves what the epilog removes (threats 61, 62)" { rounds all_killed; }
all_killed() {
    start_job 'where; in_one sh -c "echo ready $SLURM_JOB_ID; exec sleep 5353"'
    # shellcheck disable=SC2046
    kill -KILL $(pids berth-stepd) $(pgrep -f "^slurmstepd: \[$JOB.1\]")
    poll "$SOON" no_sleeper 5353 || fail "the task goes on"
    scancel "$JOB"
    await_step 30
    forgive_cgroups
    nothing_left 30
}

@test "slurmd restarted while a container is kept: the next step takes it, and the job's end ends it" { rounds slurmd_restarted; }
slurmd_restarted() {
    start_job 'where; echo ready $SLURM_JOB_ID; go a; where'
    "$QUICKSTART" restart n1
    go a
    await_step 30
    equal "$(line 3)" "$(line 1)"
    nothing_left
}

@test "the engine restarted while a container is kept: the next step runs, and nothing is left" {
    rounds engine_restarted
    rounds engine_restarted --live-restore
}
engine_restarted() {
    "$QUICKSTART" restart engine "$@" 3>&- 4>&-
    start_job 'where; echo ready $SLURM_JOB_ID; go a; where; where'
    "$QUICKSTART" restart engine "$@" 3>&- 4>&-
    go a
    await_step 30
    contains "$(line 3)" pid:
    # Podman's containers, and Docker's with live-restore, do not end with it.
    if [[ $BERTH_ENGINE == docker && $# == 0 ]]; then
        [[ $(line 3) != "$(line 1)" ]] || fail "$(cat "$OUT" "$ERR")"
    else
        equal "$(line 3)" "$(line 1)"
    fi
    equal "$(line 4)" "$(line 3)"
    nothing_left 30
}

@test "the engine restarted under a later step: it ends with a sentence or goes on, and nothing is left" {
    rounds engine_under
    rounds engine_under --live-restore
}
engine_under() {
    "$QUICKSTART" restart engine "$@" 3>&- 4>&-
    start_job 'where; in_one sh -c "echo ready $SLURM_JOB_ID; until [ -e a.out ]; do sleep 0.1; done"
        echo "ended $?"; go b; where'
    "$QUICKSTART" restart engine "$@" 3>&- 4>&-
    go a
    go b
    await_step 30
    # Podman's containers, and Docker's with live-restore, do not end with it.
    if [[ $BERTH_ENGINE == docker && $# == 0 ]]; then
        contains "$(cat "$ERR")" "berth: the container has ended"
        [[ $(cat "$OUT") != *"ended 0"* ]] || fail "the task went on: $(cat "$OUT")"
    else
        contains "$(cat "$OUT")" "ended 0"
    fi
    contains "$(tail -n 1 "$OUT")" pid:
    nothing_left 30
}

@test "a node that crashed while a container was kept: what is left goes at the next prolog (threat 61)" { rounds node_crashed; }
node_crashed() {
    local node
    start_job 'where; echo ready $SLURM_JOB_ID; go a'
    poll "$SOON" one_program || fail "$(programs)"
    node=$("$QUICKSTART" status | sed -n 's/^n1: runs, pid //p')
    kill -KILL "$node" "$(keeper)"
    [[ -n $(traces) ]] || fail "there is nothing to clean up"
    kill -KILL "$SRUN" 2>/dev/null || true
    "$QUICKSTART" restart n1
    scancel -Q "$JOB" || true
    # salloc ends with the job, and its shell when it has waited for long.
    pkill -KILL -u berth1 -x bash || true
    poll 30 no_jobs
    poll 30 all_idle
    as_user srun -w n1 true
    nothing_left 30
}
