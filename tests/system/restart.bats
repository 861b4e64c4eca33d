#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# The engine restarted in each phase of a step. Podman's containers never need
# it to run; Docker's outlive it where live-restore is on.

# shellcheck disable=SC2154  # output and stderr are bats's
# shellcheck disable=SC2016  # the task's shell expands it
load lib

teardown() {
    api GET /_ping >/dev/null 2>&1 || restart_engine
    tidy
}
# Without live-restore, as it was.
teardown_file() {
    restart_engine
    restore_policy
}

restart_engine() { "$QUICKSTART" restart engine "$@" 3>&- 4>&-; }
kill_engine() {
    local engine
    engine=$("$QUICKSTART" status | sed -n 's/^engine: runs, pid //p')
    kill -KILL "$engine"
    poll "$SOON" gone "$engine"
}

# step: starts one that goes on when there is the file go.out.
step() {
    rm -f "$HOME1/go.out"
    start_step -w n1 --container=debian sh -c \
        'echo ready $SLURM_JOB_ID; until [ -e go.out ]; do sleep 0.1; done; echo went on'
}
go_on() {
    touch "$HOME1/go.out"
    await_step
}
goes_on() {
    go_on
    equal "$STATUS" 0
    contains "$(cat "$OUT")" "went on"
    nothing_left
}

@test "restarted before a step: the step runs, and while the engine is down it is refused with a sentence" {
    kill_engine
    run --separate-stderr as_user srun --container=debian true
    refused "does not answer"
    restart_engine
    equal "$(in_container echo ran)" ran
    nothing_left
}

@test "restarted with live-restore in mid-step: the step goes on" {
    restart_engine --live-restore
    step
    restart_engine --live-restore
    goes_on
    # It need not be there when the step ends.
    step
    kill_engine
    touch "$HOME1/go.out"
    await_step
    restart_engine --live-restore
    equal "$STATUS" 0
    nothing_left 30
}

@test "restarted in mid-step without live-restore: the task ends with a sentence of berth's, or goes on" {
    restart_engine
    step
    restart_engine
    # Podman's containers never end with it.
    [[ $BERTH_ENGINE == docker ]] || {
        goes_on
        return
    }
    await_step
    ((STATUS != 0))
    contains "$(cat "$ERR")" "berth: the container has ended"
    nothing_left
}

@test "restarted while a container is made: the step ends with a sentence, and nothing is left" {
    OUT=$BATS_TEST_TMPDIR/out ERR=$BATS_TEST_TMPDIR/err
    # As on a busy node.
    stop_runtime
    as_user srun -w n1 --container=debian echo ran </dev/null >"$OUT" 2>"$ERR" 3>&- 4>&- &
    SRUN=$!
    runtime_stopped
    restart_engine
    kill -KILL "$STOPPED" 2>/dev/null || true
    poll 40 gone "$SRUN" || fail "srun lasts"
    contains "$(cat "$ERR")" "berth: "
    nothing_left 40
}

@test "down as a step ends, and back a little later: nothing is left" {
    step
    kill_engine
    scancel "$JOB"
    await_step
    sleep 2
    restart_engine
    nothing_left 30
}

@test "down while a dead step's epilog runs: what is left stays on record, and goes with the next job" {
    step
    # In this order: what has no berth-stepd any more is removed at once.
    kill_engine
    kill -KILL "$(pids berth-stepd)"
    await_step
    poll 60 all_idle
    [[ -e $STATE/n1/$JOB.0/record ]] || fail "there is no record: $(find "$STATE")"
    run "$PREFIX/sbin/berth-epilog" --sweep
    equal "$status" 1
    contains "$output" "what is left of step $JOB.0 on node n1 cannot be removed"
    restart_engine
    as_user srun -w n1 true
    nothing_left
}

@test "a step leaves no error in the engine's log" {
    # Podman without systemd has one for each container that has health checks
    # or not.
    [[ $BERTH_ENGINE == docker ]] || skip_without "a Docker"
    local from
    from=$(($(wc -l <"$ENGINE_LOG") + 1))
    for _ in 1 2 3 4 5; do
        as_user srun -N2 --container=debian true
    done
    nothing_left
    equal "$(engine_errors "$from")" ""
}
