# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# Roots of Debian's releases, with all that a sandbox in them needs that has no
# network. Each is made once; what runs with it changes nothing of it.
# shellcheck shell=bash
# shellcheck disable=SC2034  # matrix and vm use them
# shellcheck disable=SC2153,SC2154  # settings.bash and images.bash have these

ROOTS=${BERTH_MATRIX:-/var/cache/berth-matrix}
LOGS=$ROOTS/log
# What Slurm's own build needs, where it is built from source.
SLURM_NEEDS=(libmunge-dev libdbus-1-dev libbpf-dev zlib1g-dev bzip2)

# chrooted ROOT COMMAND: as root of it, with the machine's network, and the
# checkout at /mnt.
chrooted() {
    # shellcheck disable=SC2016  # the inner shell expands it
    unshare --mount --propagation private --pid --fork --kill-child bash -euc '
        root=$1 here=$2
        shift 2
        mount -t proc proc "$root/proc"
        mount --rbind /dev "$root/dev"
        mount --bind "$here" "$root/mnt"
        exec chroot "$root" env -i TERM=dumb HOME=/root LC_ALL=C.UTF-8 \
            PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"' - "$1" "$HERE" "${@:2}"
}

# Within a root: what a sandbox in it needs that has no network.
furnish() {
    install -d "$LOG" "$STATE/images"
    install_packages
    logged apt-install-slurm DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends "${SLURM_NEEDS[@]}"
    debian_tar debian
    debian_tar mpi mpich,openmpi-bin
    apt-get clean
}

# once NAME WHAT COMMAND: makes that directory of ROOTS, unless it is there and
# made of WHAT. Many can use one, and one makes it.
once() {
    (
        flock 9
        [[ $(cat "$ROOTS/$1/made" 2>/dev/null) != "$2" ]] || return 0
        "${@:3}"
        echo "$2" >"$ROOTS/$1/made"
    ) 9>"$ROOTS/$1.lock"
}

# make_root SUITE: unless it is there. Where packages are missing that are new
# in the list, these are added.
make_root() { once "$1" "${PACKAGES[*]} ${SLURM_NEEDS[*]}" make_root_anew "$1"; }
make_root_anew() {
    local root=$ROOTS/$1/root
    if [[ ! -e $root ]]; then
        say "making a root of Debian $1 in $root: this takes minutes"
        rm -rf --one-file-system "$root.new"
        install -d "$root.new"
        LOG=$LOGS logged "$1.debootstrap" debootstrap --variant=minbase "$1" "$root.new"
        cp --remove-destination /etc/resolv.conf "$root.new/etc/resolv.conf"
        # debootstrap takes a mirror that is some weeks old, too.
        echo 'Acquire::Check-Valid-Until "false";' >"$root.new/etc/apt/apt.conf.d/99matrix"
        mv "$root.new" "$root"
    fi
    say "furnishing $root"
    chrooted "$root" /mnt/tests/matrix --furnish >"$LOGS/$1.make.log" 2>&1 || {
        tail -n 25 "$LOGS/$1.make.log" >&2
        die "the root of Debian $1 cannot be furnished"
    }
}

# in_root ENGINE UP'S WORDS -- TESTS/RUN'S WORDS: where a root is /, brings a
# sandbox up and runs tests in it. What runs is told to the table.
in_root() {
    local engine=$1 version words=()
    shift
    while [[ $1 != -- ]]; do
        words+=("$1")
        shift
    done
    lock
    "$HERE/quickstart" up --engine="$engine" "${words[@]}" || return
    version=$(curl -s --unix-socket "$RUN/$engine.sock" http://engine/version |
        grep -o '"Version":"[^"]*"' | head -n 1 | cut -d'"' -f4)
    echo "# with Slurm $(slurmd -V | sed 's/.* //'), $engine ${version%%+*}"
    "$HERE/tests/run" "${@:2}"
}

# table_line NAME LOG: of what in_root printed there, in which the files are
# called WHAT.
table_line() {
    local counted with
    with=$(sed -n 's/^# with Slurm //p' "$2")
    counted=$(grep -E '^[0-9]+ passed, ' "$2" | tail -n 1 | tr -dc '0-9,' | tr , ' ') || true
    # shellcheck disable=SC2086  # three words
    if [[ $counted ]]; then
        printf '| %s | %s | %s | %d | %d | %d | %s |\n' "$1" "${with/, / | }" \
            "$WHAT" $counted "$(date -u +%F)"
        sed -n 's/^not ok/    failed:/p' "$2" >&2
    else
        printf '| %s | %s | it did not run, see %s | | | | %s |\n' "$1" \
            "${with:- |}" "$2" "$(date -u +%F)"
        tail -n 25 "$2" >&2
    fi
}

# print_table LINES: fails unless all have run, and nothing failed.
print_table() {
    cat <<END

| Debian | Slurm | engine | files | passed | failed | skipped | date |
|---|---|---|---|---|---|---|---|
$1
END
    ! grep -qvE '\| [1-9][0-9]* \| 0 \| [0-9]+ \| [-0-9]+ \|$' <<<"$1"
}
