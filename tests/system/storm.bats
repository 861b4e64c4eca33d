#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# Random signals to random processes of random steps, at random times: what is
# of berth's ends with its job all the same, and nobody else notices. Rounds
# until the time is over: BERTH_STORM_SECONDS for this file, else a minute, or
# ten in the long form. A round's seed decides on its steps, its signals and
# their times. A failure says which: BERTH_STORM_SEED begins with that one.

# shellcheck disable=SC2154  # stderr is bats's
# shellcheck disable=SC2016  # the task's shell expands it
load lib

SEED=${BERTH_STORM_SEED:-$((SRANDOM % 1000000 * 1000))}
LASTS=${BERTH_LONG:+600}
LASTS=$((${BERTH_STORM_SECONDS:-${LASTS:-60}} / 2)) # for each test

# How long a job may go on after it was cancelled: Slurm gives it KillWait,
# 5 seconds, and the epilog gives berth-stepd 20.
ENDS=40

setup_file() {
    STORM=$BATS_FILE_TMPDIR/storm
    cc -std=gnu11 -D_GNU_SOURCE -O1 -o "$STORM" "$BATS_TEST_DIRNAME/storm.c"
    export STORM
    cp -p "$PLUGSTACK_CONF" "$RESTORE"
    { cgroups; echo none; } >"$BATS_FILE_TMPDIR/cgroups"
    usual_policy
}

teardown() {
    calm
    tidy
}

# chance N: sets DRAWN to one of 0 ... N-1, as the seed will have it. Not to be
# called in a subshell, where what follows would not know of it.
chance() { DRAWN=$((RANDOM % $1)); }

# aside COMMAND: as berth1, beside us.
aside() {
    as_user "$@" </dev/null >/dev/null 2>&1 3>&- 4>&- &
}

IN=--container=debian
KINDS=(short long four wide tree pty batch bare array several)
# Whatever comes of such a step.
begin() {
    case $1 in
    short) aside srun $IN true ;;
    long) aside srun $IN sleep 300 ;;
    four) aside srun -n4 $IN sh -c 'sleep 0.$SLURM_PROCID' ;;
    wide) aside srun -N2 -n4 $IN sleep 300 ;;
    tree) aside srun $IN sh -c 'sleep 301 & setsid sleep 301 & sleep 301' ;;
    pty) aside script -qec "srun --pty $IN sh -c 'echo hello; exec sleep 300'" /dev/null ;;
    batch) aside sbatch -o /dev/null $IN --wrap 'sleep 1; setsid sleep 300' ;;
    bare) aside sbatch -o /dev/null --wrap "srun $IN sleep 1; srun $IN sleep 300" ;;
    array) aside sbatch -o /dev/null --array=1-4 $IN --wrap 'sleep 300' ;;
    several) aside sbatch -o /dev/null -n4 \
        --wrap "for i in 1 2 3 4; do srun -n1 --exact --mem=50 $IN sleep \$i & done; wait" ;;
    esac
}

# beside SECONDS: a step of the other user's, of which all is known.
beside() {
    local out
    out=$(mktemp -p "$ROUND" other.XXX)
    (
        timeout -k 1 90 "$QUICKSTART" run --user=berth2 -- srun -Q -n2 $IN \
            sh -c "sleep $1; echo well" </dev/null >"$out" 2>&1 3>&- 4>&-
        echo "exit $?" >>"$out"
    ) 2>/dev/null 3>&- 4>&- &
    OTHERS+=($!)
}

# Prints "PID STATE NAME" for each process of the users.
processes() {
    cat /proc/[0-9]*/status 2>/dev/null |
        awk -v a="$(id -u berth1)" -v b="$(id -u berth2)" '
            $1 == "Name:" { name = $2 }
            $1 == "State:" { state = $2 }
            $1 == "Pid:" { pid = $2 }
            $1 == "Uid:" && ($2 == a || $2 == b) && state != "Z" { print pid, state, name }'
}
no_processes() { [[ -z $(processes) ]]; }

# end_clients USER: what he sees his steps by, which is where he is, and
# nothing of a step's.
end_clients() {
    find /proc -maxdepth 2 -path '/proc/[0-9]*/exe' -user "$1" \
        \( -lname '*/srun' -o -lname '*/sbatch' -o -lname '*/script' \) 2>/dev/null |
        cut -d/ -f3 | xargs -r kill -KILL 2>/dev/null || true
}

# Slurm's own and the engine's, which nobody ends while they are stopped.
continue_theirs() {
    sed -n 's/.*: STOP to \([0-9]*\) \(slurmstepd\|containerd-shim\|runc\|crun\|conmon\).*/\1/p' \
        "$ROUND/signals" | xargs -r kill -CONT 2>/dev/null || true
}

# What a slurmstepd that was killed leaves of Slurm's: cgroups, and in them
# processes that have seen no container.
clear_orphans() {
    local dir pid
    left_cgroups | grep '/job_' | while read -r dir; do
        find "$dir" -name cgroup.procs -exec cat {} + 2>/dev/null
    done | sort -u | while read -r pid; do
        [[ $(readlink "/proc/$pid/ns/pid") != "$(readlink /proc/self/ns/pid)" ||
            $(readlink "/proc/$pid/exe") == */berth-* ]] || kill -KILL "$pid"
    done 2>/dev/null || true
    left_cgroups | grep '/job_' | while read -r dir; do
        find "$dir" -depth -type d -exec rmdir {} +
    done 2>/dev/null || true
}

# A berth-stepd that was stopped before it had a directory has nothing at all.
# It ends when it goes on, and nobody but root can have stopped it.
continue_early() {
    local pid name
    for pid in $(pids berth-stepd); do
        name=$(tr '\0' '\n' <"/proc/$pid/cmdline" | sed -n 2p)
        [[ -z $name || -n $(find "$STATE" -mindepth 2 -maxdepth 2 -name "$name") ]] || kill -CONT "$pid"
    done 2>/dev/null || true
}

# Prints what is wrong after a round.
judge() {
    local out start=$SECONDS
    wait "${OTHERS[@]}" 2>/dev/null || true
    poll "$ENDS" no_jobs || echo "jobs last: $(squeue -h)"
    echo "$((SECONDS - start))" >"$ROUND/took"
    [[ $1 == user ]] || continue_early
    # The epilog is over.
    poll "$SOON" no_traces || echo "left: $(traces)"
    [[ $1 == user ]] || clear_orphans
    poll "$SOON" no_processes || echo "processes: $(processes)"
    poll 3 no_cgroups || forgive_slurm
    poll "$SOON" no_cgroups || echo "cgroups left: $(left_cgroups)"
    poll "$SOON" no_records || echo "records left: $(find "$STATE" -name '*.job')"
    poll "$SOON" all_idle || echo "nodes: $(sinfo -hN -o '%N %T %E')"
    [[ ! -s $ROUND/astray ]] || cat "$ROUND/astray"
    if [[ $1 == user ]]; then
        for out in "$ROUND"/other.*; do
            # 26.05's srun tells of what comes for one that had its port before.
            sed -i -E '/Munge decode failed|authentication error|Security violation/d' "$out"
            [[ $(<"$out") == $'well\nwell\nexit 0' ]] ||
                echo "another user's step printed: $(<"$out")"
        done
    fi
    out=$(timeout -k 1 30 "$QUICKSTART" run --user=berth2 -- srun -Q -N2 -n2 $IN echo well 2>&1) || true
    [[ $out == $'well\nwell' ]] || echo "afterwards, another user's step printed: $out"
    poll "$SOON" no_jobs || echo "that step's job lasts: $(squeue -h)"
}

# What a failure left must not be in the next one's way.
calm() {
    scancel -Q -u berth1 2>/dev/null || true
    scancel -Q -u berth2 2>/dev/null || true
    processes | cut -d' ' -f1 | xargs -r kill -KILL 2>/dev/null || true
    [[ ! -d ${ROUND-} ]] || continue_theirs
    pids berth-stepd | xargs -r kill -CONT 2>/dev/null || true
    poll 60 no_jobs || true
    poll 5 no_traces || "$PREFIX/sbin/berth-epilog" --sweep >&2 || true
    clear_orphans
    { cgroups; echo none; } >"$BATS_FILE_TMPDIR/cgroups"
    scontrol update nodename=ALL state=resume 2>/dev/null || true
}

# storm_of user|root SEED: one round. Prints what is wrong.
storm_of() {
    local who=$1 kinds=() ms event when watch=
    ROUND=$(mktemp -d -p "$BATS_TEST_TMPDIR" round.XXX)
    RANDOM=$2 OTHERS=()
    chance 4000
    ms=$((DRAWN + 1000))
    chance "$ms"
    when=$DRAWN
    chance 4
    event=$DRAWN
    # Where root stops berth-stepd, what it is about to place is astray.
    if [[ $who == user ]]; then
        "$STORM" watch "$(id -u berth1)" "$STATE" >"$ROUND/astray" 2>&1 3>&- 4>&- &
        watch=$!
    fi
    "$STORM" "$who" "$([[ $who == user ]] && id -u berth1 || echo berth-quickstart)" "$2" "$ms" \
        >"$ROUND/signals" 2>&1 3>&- 4>&- &
    local storm=$!
    beside 3
    for _ in 1 2 3; do
        chance ${#KINDS[@]}
        kinds+=("${KINDS[DRAWN]}")
        begin "${KINDS[DRAWN]}"
        chance 300
        sleep "$(printf '0.%03d' "$DRAWN")"
    done
    beside 0.1
    sleep "$(printf '%d.%03d' $((when / 1000)) $((when % 1000)))"
    case $event in
    0) scancel -Q "$(squeue -hu berth1 -o %i | head -n 1)" ;;
    1) scancel -Q -u berth1 ;;
    esac >/dev/null 2>&1 || true
    wait "$storm" || true
    echo "steps: ${kinds[*]}; event $event after $when ms" >>"$ROUND/signals"
    scancel -Q -u berth1 || true
    end_clients berth1
    if [[ $who == root ]]; then
        continue_theirs
        scancel -Q -u berth2 || true
        end_clients berth2
    fi
    judge "$who" >"$ROUND/wrong"
    [[ -z $watch ]] || { kill "$watch"; wait "$watch" 2>/dev/null; } || true
    [[ ! -s $ROUND/wrong ]]
}

# rounds user|root
rounds() {
    local seed=$SEED failed=0 longest=0 rounds=0 end=$((SECONDS + LASTS))
    echo "# BERTH_STORM_SEED=$SEED" >&3
    while ((rounds == 0 || SECONDS < end)); do
        if ! storm_of "$1" "$seed"; then
            failed=$((failed + 1))
            # For the next round tells of this one as well.
            sed 's/^/# /' <(echo "BERTH_STORM_SEED=$seed:") "$ROUND/wrong" "$ROUND/signals" >&3
            calm >&3 2>&1
        fi
        (($(<"$ROUND/took") <= longest)) || longest=$(<"$ROUND/took")
        rounds=$((rounds + 1)) seed=$((seed + 1))
    done
    echo "# $rounds rounds, of which $failed failed; the longest end took $longest s" >&3
    ((failed == 0))
}

@test "no signal of a user's to what is his of a step leaves anything, or concerns another (threats 62, 73, 78)" {
    rounds user
}

@test "no signal of root's to what is in charge of a step leaves anything (threats 61, 62)" {
    rounds root
}
