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
        for i in {1..30}; do
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

# manifest REGISTRY NAME:TAG [CURL'S OPTIONS]: asks for it; prints the status.
manifest() {
    curl -sS --max-time 10 -o "$BATS_TEST_TMPDIR/manifest" -w '%{http_code}\n' \
        -H 'Accept: application/vnd.oci.image.manifest.v1+json' "${@:3}" \
        "$1/v2/${2%:*}/manifests/${2##*:}"
}

@test "what is pushed is in the registry, and the sandbox's policy allows it" {
    local dir=$BATS_TEST_TMPDIR/root
    mkdir "$dir"
    echo "berth-bats" >"$dir/file"
    equal "$("$QUICKSTART" push bats/pushed:1 "$dir")" "$REGISTRY/bats/pushed:1"
    equal "$(manifest "http://$REGISTRY" bats/pushed:1)" 200
    contains "$(<"$BATS_TEST_TMPDIR/manifest")" '"layers"'
    tar -C "$dir" -cf "$dir.tar" .
    equal "$("$QUICKSTART" push bats/pushed "$dir.tar")" "$REGISTRY/bats/pushed:latest"
    equal "$(manifest "http://$REGISTRY" bats/pushed:latest)" 200
    cp -p "$RESTORE" "$PLUGSTACK_CONF"
    run as_user "$PREFIX/bin/berth-policy" check "$REGISTRY/bats/pushed:1"
    equal "$status" 0
}

@test "the private registry wants a name and a password, and a client that trusts it" {
    local dir=$BATS_TEST_TMPDIR/root trust
    mkdir "$dir"
    echo "berth-bats" >"$dir/file"
    equal "$("$QUICKSTART" push --private bats/private "$dir")" \
        "$PRIVATE_REGISTRY/bats/private:latest"
    trust=(--cacert "/etc/containers/certs.d/$PRIVATE_REGISTRY/ca.crt")
    equal "$(manifest "https://$PRIVATE_REGISTRY" bats/private:latest "${trust[@]}")" 401
    equal "$(manifest "https://$PRIVATE_REGISTRY" bats/private:latest "${trust[@]}" \
        -u berth1:berth2)" 401
    equal "$(manifest "https://$PRIVATE_REGISTRY" bats/private:latest "${trust[@]}" \
        -u berth2:berth2)" 200
    run -60 manifest "https://$PRIVATE_REGISTRY" bats/private:latest
}

@test "the registry's address goes again, where the sandbox has brought it" {
    run unshare --net bash -c "$(sandbox settings.bash outside.bash)"'
        ip link set lo up
        STATE=$0
        note_before
        make_registry_address; has_registry_address && echo made
        remove_registry_address; has_registry_address || echo gone
        ip addr add "$REGISTRY_ADDRESS/32" dev lo
        note_before
        make_registry_address
        remove_registry_address; has_registry_address && echo kept' "$BATS_TEST_TMPDIR"
    equal "$output" $'made\ngone\nkept'
}
