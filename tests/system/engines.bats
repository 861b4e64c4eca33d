#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# Docker as sites configure it: another store of images, another runtime, users
# mapped to others, an API that has given up its older versions.

# shellcheck disable=SC2154  # status is bats's
load lib

teardown_file() {
    [[ $BERTH_ENGINE != docker ]] || restart
    ! getent passwd dockremap >/dev/null || userdel dockremap
    ! getent group dockremap >/dev/null || groupdel dockremap
    restore_policy
}

# restart [NAME=VALUE ...]: the engine, as tests/sandbox/engines.bash has these.
restart() { env "$@" "$QUICKSTART" restart engine 3>&- 4>&-; }

needs_docker() { [[ $BERTH_ENGINE == docker ]] || skip_without "Docker, with Podman in its place"; }

# What holds with each of these.
works() {
    local before
    before=$(wc -l <"$ENGINE_LOG")
    alike -w n1 sh -c 'id; pwd; umask; ulimit -a'
    run as_user srun -Q -w n1 --container=debian sh -c \
        'grep -E "^(CapEff|NoNewPrivs|Seccomp):" /proc/self/status; cat /proc/self/uid_map
         touch inside-inside; stat -c %U inside-inside 2>/dev/null'
    equal "$status" 0
    contains "$output" $'CapEff:\t0000000000000000'
    contains "$output" $'NoNewPrivs:\t1'
    contains "$output" $'Seccomp:\t2'
    [[ $output =~ \ +0\ +0\ +4294967295 ]] || fail "users are others' in it"
    equal "$(stat -c %U "$HOME1/inside-inside")" berth1
    conf <<<'writable = allowed'
    run as_user srun -Q -w n1 --container=debian --container-writable awk '$2 == "/" { print $4 }' /proc/mounts
    contains "$output" rw
    contains "$output" nodev
    run --separate-stderr as_user srun -w n1 --container=fedora true
    refused fedora
    run as_user srun -Q -w n1 --container=debian sh -c 'exit 9'
    equal "$status" 9
    # The last step's may be at work yet.
    poll "$SOON" no_traces
    start_step -w n1 --container=debian sh -c "$(waiter)"
    kill -KILL "$(pids berth-stepd)"
    await_step
    start_step -N2 --container=debian sh -c "$(waiter)"
    kill -KILL "$SRUN"
    nothing_left
    # An administrator reads what is at that level (trap 18).
    equal "$(engine_errors $((before + 1)))" ""
}

@test "Docker with crun for its runtime" {
    needs_docker
    restart BERTH_DOCKER_KEYS='"default-runtime": "crun", "runtimes": {"crun": {"path": "/usr/bin/crun"}}'
    works
}

@test "Docker that maps users to others (threat 35)" {
    needs_docker
    restart BERTH_DOCKER_KEYS='"userns-remap": "default"'
    import_debian
    works
    # It is one for who is root inside as well.
    ROOT_ENGINE=$DOCKER_HOST
    ROOT_IDS=$(mapped_ids)
    root_conf
    equal "$(as_user srun -Q --container=debian --container-root sh -c 'id -u; chown 7 /etc/motd; stat -c %u /etc/motd')" $'0\n7'
    equal "$(in_container id -u)" "$(id -u berth1)"
    rm -rf "$STATE"/*/ids
    nothing_left
}

@test "Docker with containerd's store of images" {
    needs_docker
    # An older one says nothing, and goes on with its own.
    restart BERTH_DOCKER_FEATURE='"containerd-snapshotter": true'
    api GET /info | grep -q io.containerd.snapshotter ||
        skip_without "a Docker that has it (24)"
    import_debian
    works
}

@test "Docker whose API has given up its older versions" {
    local floor
    needs_docker
    floor=$(curl -s --unix-socket "${DOCKER_HOST#unix://}" http://engine/version |
        grep -o '"ApiVersion":"[^"]*"' | head -n 1 | cut -d'"' -f4)
    # As Docker 29 has it, and the newest that there is.
    restart BERTH_DOCKER_FLOOR=1.44
    curl -s --unix-socket "${DOCKER_HOST#unix://}" http://engine/version |
        grep -q '"MinAPIVersion":"1.44"' || skip_without "a Docker that can (25)"
    works
    restart BERTH_DOCKER_FLOOR="$floor"
    works
}
