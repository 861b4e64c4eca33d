#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# What many steps leave, and what a step without a container costs.

# bats file_tags=alone

load lib

# Counts of what the sandbox's daemons hold, and of what is on the machine.
counts() {
    local pid name
    for name in slurmctld n1 n2; do
        pid=$("$QUICKSTART" status | sed -n "s/^$name: runs, pid //p")
        echo "descriptors of $name: $(ls "/proc/$pid/fd" | wc -l)"
    done
    pid=$("$QUICKSTART" status | sed -n 's/^engine: runs, pid //p')
    # The engine keeps some connections and pipes about for a while.
    echo "descriptors of the engine, in hundreds: $(($(ls "/proc/$pid/fd" | wc -l) / 100))"
    echo "mounts: $(awk -v s="${STATE%%/var/*/var/*}" 'index($5, s) == 1' /proc/self/mountinfo | wc -l)"
    echo "mounts below /var and /run: $(grep -c -E ' /(var|run)/' /proc/self/mountinfo)"
    echo "cgroups: $(cgroups | wc -l)"
    echo "directories: $(find "$STATE" ! -name images | wc -l)"
    echo "processes: $(find /proc -maxdepth 2 -path '/proc/[0-9]*/exe' \( -lname "$PREFIX/*" -o -lname /run/berth/init \
        -o -lname '*/slurmstepd' -o -lname '*/conmon' -o -lname '*/containerd-shim*' \) 2>/dev/null | wc -l)"
    echo "containers: $(containers | wc -l)"
    echo "volumes: $(volumes | wc -l)"
    echo "spool: $(find "$(scontrol show config | sed -n 's/^StateSaveLocation *= //p')/../spool" -name '*.sock' -o -name 'n[12]_*' 2>/dev/null | wc -l)"
    echo "semaphores and shared memory: $(ls /dev/shm | wc -l)"
}

# A daemon may have a connection open just now.
steady_counts() {
    local last now same=0
    last=$(counts)
    while ((same < 3)); do
        sleep 0.3
        now=$(counts)
        if [[ $now == "$last" ]]; then same=$((same + 1)); else same=0; fi
        last=$now
    done
    echo "$last"
}
# The same counts as before, soon.
same_counts() { [[ $(counts) == "$1" ]]; }

# 240 steps show a descriptor that is lost in each, or a file; `tests/run --long`
# makes it 2,000.
@test "many steps end as they should, and leave as many descriptors, processes, mounts, cgroups and directories as before (threat 62)" {
    local before steps=${BERTH_LONG:+2000}
    : "${steps:=240}"
    echo "# $steps steps" >&3
    # What the first steps bring about once and for all is no leak.
    allocation 'for i in 1 2 3 4; do srun -N2 -n2 --container=debian true; done'
    nothing_left
    before=$(steady_counts)
    # On two nodes; one in five fails, is refused, or is killed at its work.
    cat >"$HOME1/many.sh" <<'END'
step() { srun -N1 -n1 -r $((i / 4 % 2)) --exact --mem=50 --container="$@" 2>&1; echo "$kind ends with $?"; }
steps() {
    local i kind
    for ((i = $1; i < STEPS; i += 4)); do
        case $((i / 4 % 20)) in
        7) kind='exit 3' step debian sh -c 'exit 3' ;;
        11) kind=missing step debian nonexistent ;;
        13) kind=killed step debian sh -c 'kill -9 $$' ;;
        17) kind=refused step debian:absent true ;;
        *) kind=good step debian true ;;
        esac
    done
}
for s in 0 1 2 3; do steps $s & done
wait
END
    run as_user env STEPS=$steps salloc -Q -N2 -n32 --mem=3000 bash many.sh
    rm "$HOME1/many.sh"
    equal "$(grep 'ends with' <<<"$output" | sort | uniq -c | sed 's/^ *//')" \
        "$((steps / 20)) exit 3 ends with 3
$((steps / 20 * 16)) good ends with 0
$((steps / 20)) killed ends with 137
$((steps / 20)) missing ends with 127
$((steps / 20)) refused ends with 125"
    nothing_left
    poll 30 same_counts "$before" || equal "$(counts)" "$before"
}

@test "50 steps of one job at once, each with a container, and none fails or leaves anything" {
    local before
    allocation 'for i in 1 2; do srun -N2 -n2 --container=debian true; done'
    nothing_left
    before=$(steady_counts)
    # Each waits for all others.
    mkdir "$HOME1/probe"
    chown berth1: "$HOME1/probe"
    cat >"$HOME1/many.sh" <<'END'
for i in {1..50}; do
    srun -N1 -n1 -r $((i % 2)) --overlap --mem=50 --container=debian sh -c '
        : >"probe/$0"
        for try in $(seq 150); do
            set -- probe/*
            [ $# -lt 50 ] || { echo "all are here"; exit 0; }
            sleep 1
        done' $i &
done
wait
END
    run --separate-stderr as_user salloc -Q -N2 -n32 --mem=3000 bash many.sh
    rm -r "$HOME1/many.sh" "$HOME1/probe"
    [[ $(grep -c 'all are here' <<<"$output") == 50 ]] || fail "too few steps ran"
    lacks "$stderr" error
    nothing_left
    poll 30 same_counts "$before" || equal "$(counts)" "$before"
}

@test "a step without a container starts no process of berth's and makes no file" {
    local marker=$BATS_TEST_TMPDIR/marker
    touch "$marker"
    start_step sh -c "$(waiter)"
    equal "$(programs)" ""
    equal "$(berths)" ""
    run find "$STATE" -newer "$marker" -mindepth 2 ! -name '*.job'
    equal "$output" ""
    # slurmstepd holds no link to anything of berth's but the plugin itself.
    scancel "$JOB"
    await_step
    equal "$(as_user srun env | grep -c '^BERTH_STEP')" 0
}
