# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# What lies outside of RUN and STATE: it is noted by `up`, removed by `down`.
# shellcheck shell=bash

# Prints the cgroups that are the sandbox's own, whether they exist or not.
own_cgroups() {
    local root id
    while read -r root; do
        printf '%s\n' "$root"/{slurm_n[0-9]*,berth-quickstart,"$SLICE"} \
            "$root"/system.slice/n[0-9]*_slurmstepd.scope
        for id in "$STATE"/podman/storage/overlay-containers/*/; do
            printf '%s\n' "$root/libpod_parent/libpod-$(basename "$id")" \
                "$root/machine.slice/libpod-$(basename "$id").scope"
        done
    done < <(cgroup_roots)
}
cgroup_roots() { awk '$3 ~ /^cgroup2?$/ { print $2 }' /proc/self/mounts; }

# Prints what the sandbox may have made but others may use, so that it goes
# only when nothing is in it: what the engines hard-code, and common parents.
shared() {
    local root
    printf '%s\n' "$GPUS"/gpu{0,1} "$GPUS"
    printf '%s\n' "$CONTAINERS_ETC"/registries.conf.d/berth-quickstart*.conf \
        "$CONTAINERS_ETC/certs.d/$PRIVATE_REGISTRY"{/ca.crt,} "$CONTAINERS_ETC/certs.d"
    printf '%s\n' /etc/docker/key.json /etc/docker \
        /run/containerd/s/* /run/containerd/s /run/containerd /run/docker/plugins /run/docker \
        /run/crun/.cache/seccomp/* /run/crun/.cache{/seccomp,} /run/crun \
        /var/lib/containers/cache/blob-info-cache-* \
        /var/lib/containers/cache /var/lib/containers
    while read -r root; do
        printf '%s\n' "$root"/libpod_parent{/conmon,} "$root"/system.slice
    done < <(cgroup_roots)
}

# Prints those of the paths on stdin that exist, but did not before `up`.
new() {
    local path
    while read -r path; do
        [[ ! -e $path ]] || echo "$path"
    done | grep -vxFf "$STATE/before" || true
}
our_cgroups() { [[ ! -e $STATE/before ]] || own_cgroups | new; }

# Prints the processes in cgroups of ours whose paths match a pattern.
cgroup_pids() {
    our_cgroups | grep -E "$1" | while read -r dir; do
        find "$dir" -name cgroup.procs -exec cat {} + 2>/dev/null || true
    done | sort -un
}

note_before() {
    local path name
    : >"$STATE/before.new"
    { own_cgroups; shared; } | while read -r path; do
        [[ ! -e $path ]] || echo "$path"
    done >>"$STATE/before.new"
    for name in "${OWN_GROUPS[@]}"; do
        ! getent group "$name" >/dev/null || echo "group $name"
    done >>"$STATE/before.new"
    ! has_registry_address || echo "address $REGISTRY_ADDRESS" >>"$STATE/before.new"
    ! getent passwd "$FETCH_USER" >/dev/null || echo "user $FETCH_USER" >>"$STATE/before.new"
    mv "$STATE/before.new" "$STATE/before"
}

remove_outside() {
    local path
    [[ -e $STATE/before ]] || return 0
    remove_registry_address
    while read -r path; do
        find "$path" -depth -type d -exec rmdir {} + || true
    done < <(our_cgroups)
    while read -r path; do
        if [[ -d $path ]]; then
            rmdir "$path" 2>/dev/null || true
        elif ! grep -qF " $path" /proc/net/unix; then
            rm -f "$path"
        fi
    done < <(shared | new)
}

# What each node has as its two GPUs: any device will do that Slurm itself can
# be denied. /dev/full and /dev/random are these as well. Where none can be
# made, the cluster has no GPUs.
make_gpus() {
    install -d "$GPUS"
    [[ -c $GPUS/gpu0 ]] || mknod -m 0666 "$GPUS/gpu0" c 1 7 2>/dev/null || true
    [[ -c $GPUS/gpu1 ]] || mknod -m 0666 "$GPUS/gpu1" c 1 8 2>/dev/null || true
}
have_gpus() { [[ -c $GPUS/gpu1 ]]; }

our_user() {
    [[ $(getent passwd "$1" | cut -d: -f6) == "$STATE/home/$1" ]]
}

make_users() {
    local user name
    install -d -m 0755 "$STATE/home"
    for name in "${OWN_GROUPS[@]}"; do
        groupadd -f "$name"
    done
    for user in "${USERS[@]}"; do
        ! getent passwd "$user" >/dev/null ||
            die "this machine has a user $user already, of another origin"
        logged useradd useradd --create-home --home-dir "$STATE/home/$user" \
            --shell /bin/bash --gid "$user" \
            -K SUB_UID_COUNT=0 -K SUB_GID_COUNT=0 "$user"
        chmod 0700 "$STATE/home/$user"
    done
    getent passwd "$FETCH_USER" >/dev/null ||
        logged useradd useradd --system --no-create-home --home-dir /nonexistent \
            --shell /usr/sbin/nologin -K SUB_UID_COUNT=0 -K SUB_GID_COUNT=0 "$FETCH_USER"
    # The first user is in both groups, the second in the second only.
    usermod -aG berthgrp1,berthgrp2 berth1
    usermod -aG berthgrp2 berth2
}

remove_users() {
    local name
    for name in "${USERS[@]}"; do
        ! our_user "$name" || userdel -f "$name" 2>/dev/null
    done
    [[ ! -e $STATE/before ]] || grep -qx "user $FETCH_USER" "$STATE/before" ||
        userdel -f "$FETCH_USER" 2>/dev/null || true
    for name in "${OWN_GROUPS[@]}"; do
        [[ ! -e $STATE/before ]] || grep -qx "group $name" "$STATE/before" ||
            groupdel "$name" 2>/dev/null || true
    done
}

# A room's interface has the registry's address. Else it is the loopback's, until
# `down`.
has_registry_address() { ip -4 -o addr show "$@" | grep -q " $REGISTRY_ADDRESS/"; }
make_registry_address() {
    has_registry_address || ip addr add "$REGISTRY_ADDRESS/32" dev lo ||
        die "this machine can't have the registry's address, $REGISTRY_ADDRESS"
}
remove_registry_address() {
    ! has_registry_address dev lo ||
        grep -qx "address $REGISTRY_ADDRESS" "$STATE/before" ||
        ip addr del "$REGISTRY_ADDRESS/32" dev lo || true
}
