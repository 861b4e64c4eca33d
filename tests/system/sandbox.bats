#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# The sandbox itself, on machines that lack something.

# shellcheck disable=SC2154  # status is bats's
load lib

SANDBOX=$(dirname "$QUICKSTART")/tests/sandbox

# sandbox PART ...: the shell's words that bring these in. RUN, STATE and ETC
# are quickstart's there.
sandbox() {
    echo 'set -u; HERE=$(dirname "$QUICKSTART")'
    printf '. %q\n' "${@/#/$SANDBOX/}"
}

@test "down waits for no process that has ended, where nobody reaps it" {
    local zombie
    # Its parent, which is not the sandbox's, never asks.
    (as_zombie; exec sleep 1000) 3>&- 4>&- &
    PARENT=$!
    poll "$SOON" zombie_of "$PARENT" || fail "no zombie"
    zombie=$(zombie_of "$PARENT")
    run bash -c "$(sandbox settings.bash process.bash outside.bash); our_pids"
    equal "$status" 0
    contains "$output" "$("$QUICKSTART" status | sed -n 's/^n1: runs, pid //p')"
    lacks $'\n'"$output"$'\n' $'\n'"$zombie"$'\n'
    kill "$PARENT"
}
# Leaves the shell a child that ends when that is a shell no more.
as_zombie() { setpriv --reuid=berth1 --regid=berth1 --clear-groups sleep 1 & }
zombie_of() { ps --ppid "$1" -o pid=,stat=,user= | awk '$2 ~ /^Z/ && $3 == "berth1" { print $1; f = 1 } END { exit !f }'; }

@test "a machine with no interface but the loopback has a controller that answers" {
    local dir=$BATS_TEST_TMPDIR
    run timeout 60 unshare --net bash -c "$(sandbox settings.bash outside.bash slurm.bash)"'
        ip link set lo up
        slurm_conf 2 | sed "s,^\(StateSaveLocation\|SlurmctldPidFile\)=.*,\1=$0/\1," >"$0/slurm.conf"
        cp "$ETC"/{cgroup,gres,plugstack}.conf "$0"
        export SLURM_CONF=$0/slurm.conf
        mkdir "$0/StateSaveLocation"
        slurmctld -D >"$0/log" 2>&1 &
        for i in 1 2 3 4 5; do
            timeout 5 scontrol ping | grep UP && break
            sleep 1
        done
        kill -KILL $!' "$dir"
    contains "$output" "is UP"
}

@test "an image that was imported leaves no copy of itself" {
    local dir=$BATS_TEST_TMPDIR/root
    mkdir "$dir"
    touch "$BATS_TEST_TMPDIR/before"
    echo "berth-bats $RANDOM $RANDOM" >"$dir/file"
    image berth/copied "$dir"
    equal "$(find /var/tmp /tmp "${STATE%/var/*}/podman/tmp" -maxdepth 1 -newer "$BATS_TEST_TMPDIR/before" \
        -name 'api_load*' -exec grep -laF "$(<"$dir/file")" {} + 2>/dev/null)" ''
    api DELETE /images/berth/copied >/dev/null
}
