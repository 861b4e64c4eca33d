# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# The engine: a private dockerd with its containerd, or a private Podman.
# shellcheck shell=bash

engine() { cat "$RUN/engine" 2>/dev/null; }
engine_socket() { echo "$RUN/$(engine).sock"; }
engine_answers() {
    curl -sf --max-time 2 --unix-socket "$(engine_socket)" http://engine/_ping
}

start_engine() {
    "start_$(engine)"
    must_start engine 60 engine_answers
}

# A containerd of our own, since dockerd would use the system's if it runs.
start_docker() {
    cat >"$ETC/containerd.toml" <<END
version = 2
root = "$STATE/containerd"
state = "$RUN/containerd"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "$RUN/containerd.sock"
END
    # Docker 25 to 28.1 has CDI where it is asked to; before, this says nothing.
    # engines.bats asks for more, by BERTH_DOCKER_*.
    cat >"$ETC/docker.json" <<END
{"features": {"cdi": true${BERTH_DOCKER_FEATURE:+, $BERTH_DOCKER_FEATURE}},
 "live-restore": $LIVE_RESTORE,
 "insecure-registries": ["$REGISTRY"]${BERTH_DOCKER_KEYS:+, $BERTH_DOCKER_KEYS}}
END
    alive containerd || spawn containerd containerd -c "$ETC/containerd.toml"
    must_start containerd 60 test -S "$RUN/containerd.sock"
    spawn_docker engine docker
}

# spawn_docker DAEMON NAME
spawn_docker() {
    local cgroups=(--cgroup-parent /berth-quickstart --exec-opt native.cgroupdriver=cgroupfs)
    ! with_systemd || cgroups=(--cgroup-parent "$SLICE" --exec-opt native.cgroupdriver=systemd)
    # One that was killed has left it.
    rm -f "$RUN/$2.pid"
    spawn "$1" env ${BERTH_DOCKER_FLOOR:+DOCKER_MIN_API_VERSION="$BERTH_DOCKER_FLOOR"} \
        dockerd --config-file "$ETC/$2.json" \
        --host "unix://$RUN/$2.sock" --group root \
        --containerd "$RUN/containerd.sock" \
        --data-root "$STATE/$2" --exec-root "$RUN/$2" \
        --pidfile "$RUN/$2.pid" "${cgroups[@]}" --shutdown-timeout 2 \
        --bridge none --iptables=false --ip6tables=false --ip-forward=false \
        --ip-masq=false --userland-proxy=false
}

# start_other_docker NAME [KEYS]: one beside the other, for a test. Prints its socket.
start_other_docker() {
    echo "{${2-}}" >"$ETC/$1.json"
    spawn_docker "other-$1" "$1"
    must_start "other-$1" 60 curl -sf --unix-socket "$RUN/$1.sock" http://engine/_ping
    echo "$RUN/$1.sock"
}
stop_other_docker() {
    stop "other-$1"
    unmount_below "$STATE/$1"
    # Docker makes its directory a mount.
    ! mountpoint -q "$STATE/$1" || umount -n "$STATE/$1"
    rm -rf --one-file-system "${STATE:?}/$1" "${RUN:?}/$1" "$RUN/$1.sock" "$ETC/$1.json"
}

# One that maps users to others, for who is root inside (lib.bash).
# The account for that Docker makes itself.
start_mapping_docker() {
    getent passwd dockremap >/dev/null || : >"$RUN/dockremap"
    start_other_docker docker-mapping '"userns-remap": "default"'
}
stop_mapping_docker() {
    stop_other_docker docker-mapping
    [[ -e $RUN/dockremap ]] || return 0
    ! getent passwd dockremap >/dev/null || userdel dockremap
    ! getent group dockremap >/dev/null || groupdel dockremap
    rm "$RUN/dockremap"
}

PODMAN=(env HOME="$STATE/podman" TMPDIR="$STATE/podman/tmp" XDG_RUNTIME_DIR="$RUN/podman"
    CONTAINERS_CONF="$ETC/containers.conf"
    CONTAINERS_STORAGE_CONF="$ETC/storage.conf"
    CONTAINERS_REGISTRIES_CONF="$ETC/registries.conf" podman)

start_podman() {
    local controller controllers=() dir manager=cgroupfs
    ! with_systemd || manager=systemd
    cat >"$ETC/storage.conf" <<END
[storage]
driver = "overlay"
graphroot = "$STATE/podman/storage"
runroot = "$RUN/podman/storage"
END
    cat >"$ETC/containers.conf" <<END
[engine]
cgroup_manager = "$manager"
runtime = "crun"
events_logger = "file"
tmp_dir = "$RUN/podman/tmp"
static_dir = "$STATE/podman/libpod"
volume_path = "$STATE/podman/volumes"
[network]
network_config_dir = "$STATE/podman/networks"
END
    cat >"$ETC/registries.conf" <<END
unqualified-search-registries = ["docker.io"]
[[registry]]
location = "$REGISTRY"
insecure = true
END
    # Root inside is none of the node's, and Podman 5 has his mounts pass there.
    install -d -m 0711 "$RUN/podman" "$STATE/podman" "$STATE/podman/tmp"
    # Where both cgroup versions are mounted, crun wants no controller in v2:
    # mounting one as v1 takes it from there until it is unmounted.
    read -ra controllers 2>/dev/null </sys/fs/cgroup/unified/cgroup.controllers || true
    for controller in "${controllers[@]}"; do
        dir=$RUN/podman/cgroup-$controller
        install -d "$dir"
        mount -n -t cgroup -o "$controller" cgroup "$dir"
    done
    spawn engine "${PODMAN[@]}" system service --time=0 "unix://$RUN/podman.sock"
}

stop_engine() {
    local dir containers=("$STATE"/podman/storage/overlay-containers/*/)
    if ((${#containers[@]})); then
        timeout -k 1 20 "${PODMAN[@]}" rm -fa -t 0 >/dev/null 2>&1 || true
        for dir in "${containers[@]}"; do
            rm -rf "/run/crun/$(basename "$dir")"
        done
    fi
    [[ ! -e $RUN/dockremap ]] || stop_mapping_docker
    stop engine
    stop containerd
}
