# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# Rooms: places for several sandboxes side by side. A room has namespaces of
# its own (processes, mounts, network, IPC, host name, cgroups), a directory
# that is STATE within it, its own /run, /tmp, /srv, /dev and /etc, and what is
# built. It ends with its first process, and all that is in it with it: the
# kernel sees to that. A first process ends with who entered the room at last.
# shellcheck shell=bash
# shellcheck disable=SC2154  # settings.bash and quickstart have what this uses

ROOMS=$STATE/rooms
ROOM_CGROUP=berth-quickstart-room       # and "-NAME", below each hierarchy's root
COMMON=$STATE/check                     # is the same directory in every room

# make_room NAME: its directory and its cgroups. What is built is there already.
make_room() {
    local dir=$ROOMS/$1 root file what rooms=("$ROOMS"/*.home)
    install -d "$dir" "$dir.home" "$COMMON/images"
    # Thousands of files come and go in it: in memory, where that is large, up to
    # 0.8 GB for a room. Only newer kernels map a tmpfs's IDs: no homes.
    (($(sed -n 's/^MemAvailable: *\([0-9]*\) kB/\1/p' /proc/meminfo) < 6000000)) ||
        mount -t tmpfs -o mode=0755 room "$dir"
    install -d "$dir/state/"{images,check,home} "$dir/here"
    # Podman makes it, and each room has its own in its place.
    [[ -d /var/lib/containers ]] ||
        { touch "$ROOMS/made-containers"; install -d /var/lib/containers; }
    cp -a /etc "$dir/"
    # The kernel counts a user's processes in all rooms together.
    sed -i "s/^\([UG]ID_MIN\s\).*/\1$((20000 + 100 * ${#rooms[@]}))/" \
        "$dir/etc/login.defs"
    # Accounts of the system's end below the first user, unless this is said.
    printf 'SYS_%s_MAX 999\n' UID GID >>"$dir/etc/login.defs"
    cp -alu "$STATE"/images/*.tar "$COMMON/images/"
    ln -s "$COMMON"/images/*.tar "$dir/state/images/"
    for what in "$PREFIX" "$STATE"/{src,build}; do
        [[ ! -e $what ]] || cp -a "$what" "$dir/state/"
    done
    while read -r root; do
        install -d "$root/$ROOM_CGROUP-$1"
        if [[ $(stat -fc %T "$root") == cgroup2fs ]]; then
            # Beside version 1 it has what that has not, and crun wants none.
            [[ $root != /sys/fs/cgroup ]] || enable_controllers "$root"
            continue
        fi
        # Nobody can enter a set of no CPUs.
        for file in cpuset.cpus cpuset.mems; do
            [[ ! -e $root/$file ]] ||
                cat "$root/$file" >"$root/$ROOM_CGROUP-$1/$file"
        done
    done < <(cgroup_roots)
}

enable_controllers() {
    local controller controllers
    read -ra controllers <"$1/cgroup.controllers" || true
    for controller in "${controllers[@]}"; do
        echo "+$controller" >"$1/cgroup.subtree_control" || true
    done 2>/dev/null
}

# enter_room NAME COMMAND: becomes what waits for the room's first process,
# which runs COMMAND. Killed, it takes the room with it, and it is killed when
# the process ends that started it. The signals that a shell's background
# ignores are as usual again.
enter_room() {
    local name=$1 root
    shift
    while read -r root; do
        echo "$BASHPID" >"$root/$ROOM_CGROUP-$name/cgroup.procs"
    done < <(cgroup_roots)
    # Two steps: what is the cgroup namespace's root must be left before its
    # controllers can be had (version 2).
    exec env --default-signal=INT,QUIT setsid setpriv --pdeathsig KILL \
        unshare --cgroup bash "$HERE/tests/sandbox/enter" leave "$name" "$@"
}

# end_rooms: whatever is left of rooms, and of those of a run that was killed.
end_rooms() {
    local dirs pids
    mapfile -t dirs < <(cgroup_roots | while read -r root; do
        printf '%s\n' "$root/$ROOM_CGROUP"-*
    done)
    for _ in {1..100}; do
        mapfile -t pids < <(((${#dirs[@]} == 0)) ||
            find "${dirs[@]}" -name cgroup.procs -exec cat {} + 2>/dev/null | sort -un)
        ((${#pids[@]})) || break
        kill -KILL "${pids[@]}" 2>/dev/null || true
        sleep 0.05
    done
    # A cgroup is busy for a moment after its last process.
    ((${#dirs[@]} == 0)) || poll 5 remove_cgroups "${dirs[@]}" || true
    [[ ! -e $ROOMS/made-containers ]] || rmdir /var/lib/containers || true
    [[ ! -d $ROOMS ]] || unmount_below "$ROOMS"
    rm -rf --one-file-system "$ROOMS"
}
remove_cgroups() {
    local dir left=0
    for dir; do
        [[ ! -d $dir ]] || find "$dir" -depth -type d -exec rmdir {} + || left=1
    done
    return $left
}
