# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# Debian's packages, berth built from the checkout, and the images' roots.
# shellcheck shell=bash

PACKAGES=(
    slurmctld slurmd slurm-client slurm-wlm-basic-plugins libslurm-dev munge
    docker.io containerd runc apparmor podman crun conmon
    skopeo docker-registry openssl perl-base python3
    debootstrap debian-archive-keyring curl ca-certificates util-linux
    build-essential gcc libc6-dev make autoconf automake libtool pkg-config
    libcurl4-openssl-dev libjansson-dev libhwloc-dev
    libssl-dev zlib1g-dev libzstd-dev libarchive-dev
    libcmocka-dev clang clang-format codespell file gcovr git mandoc shellcheck
    mpich libmpich-dev openmpi-bin libopenmpi-dev libpmix-dev
    bats debhelper lintian rpm xz-utils zstd iproute2 tmux xauth xvfb x11-utils
    slurmdbd mariadb-server-core nftables zsh
)

remove_policy() {
    ! grep -qx '# quickstart' /usr/sbin/policy-rc.d 2>/dev/null ||
        rm /usr/sbin/policy-rc.d
}

install_packages() {
    local missing policy=/usr/sbin/policy-rc.d
    # shellcheck disable=SC2016  # dpkg-query expands these
    mapfile -t missing < <(printf '%s\n' "${PACKAGES[@]}" | grep -vxFf <(
        dpkg-query -W -f '${db:Status-Abbrev}${Package}\n' "${PACKAGES[@]}" \
            2>/dev/null | sed -n 's/^ii *//p'
    ))
    remove_policy
    ((${#missing[@]})) || return 0
    say "installing ${#missing[@]} packages"
    # The packages' own daemons are not to be started.
    if [[ ! -e $policy ]]; then
        trap remove_policy EXIT
        printf '#!/bin/sh\n# quickstart\nexit 101\n' >"$policy"
        chmod 0755 "$policy"
    fi
    logged dpkg dpkg --configure -a
    logged apt-update apt-get -o Acquire::Retries=3 update
    logged apt-install DEBIAN_FRONTEND=noninteractive \
        apt-get -o Acquire::Retries=3 install -y --no-install-recommends "${missing[@]}"
    remove_policy
    trap - EXIT
}

# Build in a copy, so that the checkout gets no file of root's. tar keeps the
# times, so make sees what has changed.
build() {
    local git=(git -c 'safe.directory=*' -C "$HERE")
    [[ -e $HERE/configure.ac ]] || { say "nothing to build yet"; return 0; }
    # A compiler that is killed may leave half a file.
    [[ ! -e $STATE/build/.unfinished ]] || rm -rf "$STATE/build"
    install -d "$STATE/build" "$STATE/src"
    if "${git[@]}" rev-parse >/dev/null 2>&1; then
        "${git[@]}" ls-files -co --exclude-standard -z
    else
        (cd "$HERE" && find . -type f -print0)
    fi | (cd "$HERE" && tar --null -T - --ignore-failed-read -cf - 2>/dev/null) |
        tar -C "$STATE/src" --no-same-owner -xf -
    cd "$STATE/build" || return
    if [[ ! -e Makefile ]]; then
        say "building"
        [[ ! -e ../src/autogen.sh ]] || logged autogen "$WORK" ../src/autogen.sh
        logged configure "$WORK" ../src/configure --prefix="$PREFIX" \
            --sysconfdir="$PREFIX/etc" --localstatedir="$STATE/var" \
            --with-slurm-plugindir="$PREFIX/lib/slurm"
    fi
    touch .unfinished
    logged make "$WORK" make -j"$(nproc)" all
    logged install "$WORK" make install
    rm .unfinished
    cd "$HERE" || return
}

# debian_tar NAME [PACKAGES]: makes STATE/images/NAME.tar, unless it is there: a
# minimal Debian, with the packages PACKAGES (separated by commas) in it.
debian_tar() {
    local tar=$STATE/images/$1.tar root=$STATE/images/root mirror suite
    [[ ! -e $tar ]] || return 0
    say "making the root of a $1 image (debootstrap)"
    # shellcheck disable=SC2016  # apt-get expands these
    read -r mirror suite < <(apt-get indextargets \
        --format '$(ORIGIN) $(COMPONENT) $(REPO_URI) $(CODENAME)' \
        'Identifier: Packages' |
        awk '$1 == "Debian" && $2 == "main" { print $3, $4; exit }') ||
        { mirror='' suite=bookworm; } # debootstrap knows where that is
    unmount_below "$root"
    rm -rf --one-file-system "$root"
    install -d "$root"
    logged debootstrap "$WORK" debootstrap --variant=minbase \
        ${2:+--include="$2"} "$suite" "$root" ${mirror:+"$mirror"}
    rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
    tar -C "$root" --numeric-owner -cf "$tar.new" .
    rm -rf --one-file-system "$root"
    mv "$tar.new" "$tar"
}

# import NAME [INSTRUCTION ...] <TAR
import() {
    local repo=$1 tag=latest change reply args=()
    shift
    if [[ ${repo##*/} == *:* ]]; then
        tag=${repo##*:}
        repo=${repo%:*}
    fi
    # Docker's short names; Podman would put localhost/ before them.
    [[ $repo == */* ]] || repo=library/$repo
    [[ ${repo%%/*} == *[.:]* || $repo == localhost/* ]] || repo=docker.io/$repo
    for change in "$@"; do
        # Podman's images are OCI's, which have no health checks.
        [[ $(engine) != podman || $change != HEALTHCHECK* ]] || continue
        args+=(--url-query "changes=$change")
    done
    reply=$(curl -sS --unix-socket "$(engine_socket)" -X POST -T - \
        -H 'Content-Type: application/x-tar' \
        --url-query fromSrc=- --url-query "repo=$repo" --url-query "tag=$tag" \
        "${args[@]}" http://engine/images/create)
    [[ $reply == *'"status"'* && $reply != *'"error"'* ]] ||
        die "the engine does not import $repo: $reply"
    # Podman leaves what it was sent.
    rm -f "$STATE"/podman/tmp/api_load.tar*
}
