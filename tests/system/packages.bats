#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# The packages of berth, from `make deb` and `make rpm`. Debian's are installed
# over the sandbox's host, on layers that go afterwards, with the sandbox's
# cluster for theirs; there, one test builds upon the other. RPMs are installed in
# a root of their own, and run nothing of Slurm's.

# shellcheck disable=SC2154  # status, output, stderr are bats's
load lib

QUICKSTART_STATE=${SLURM_CONF%/etc/*}
HERE=${QUICKSTART%/*}
ETC=${SLURM_CONF%/*}
BUILT=$QUICKSTART_STATE/check/deb
LAYERS=$BATS_FILE_TMPDIR/layers
PLACES=(/usr /etc /var/lib /var/cache)
export DEBIAN_FRONTEND=noninteractive

# From here on, berth is the packages'.
PREFIX=/usr
PATH=/usr/sbin:/usr/bin:/sbin:/bin
LIBEXEC=/usr/libexec/berth
STATE=/var/lib/berth

new() { echo "$BUILT"/src/deb/berth{,-client}_*.deb; }
old() { echo "$BUILT"/old-berth{,-client}.deb; }
# What is unpacked first is what the other needs.
install_debs() { dpkg -i "$@" >"$BATS_TEST_TMPDIR/dpkg" 2>&1 3>&- 4>&- || fail "$(tail -n 20 "$BATS_TEST_TMPDIR/dpkg")"; }
version_is() { equal "$(dpkg-query -W -f '${Version} ' berth berth-client)" "$1 $1 "; }

# What is mounted below /var/lib is the sandbox's, and stays visible.
lay() {
    local place at
    install -d "$LAYERS"
    mount -t tmpfs layers "$LAYERS"
    for place in "${PLACES[@]}"; do
        install -d "$LAYERS$place"/{upper,work}
        while read -r at; do
            install -d "$LAYERS/kept$at"
            mount --rbind "$at" "$LAYERS/kept$at"
        done < <(below "$place")
        mount -t overlay -o "lowerdir=$place,upperdir=$LAYERS$place/upper,workdir=$LAYERS$place/work" layers "$place"
        if [[ -d $LAYERS/kept$place ]]; then
            (cd "$LAYERS/kept" && find ".$place" -mindepth 1 -maxdepth 1) | while read -r at; do
                mount --rbind "$LAYERS/kept/$at" "/$at"
            done
        fi
    done
    # Nobody looks for a manual page in them.
    rm -f /var/lib/man-db/auto-update
}
# below PLACE: the places in it where something is mounted.
below() { awk -v p="$1/" 'index($5, p) == 1 && $5 !~ p ".*/" { print $5 }' /proc/self/mountinfo | sort -u; }

setup_file() {
    "$HERE/tests/sandbox/make-packages" "$BUILT" 3>&- 4>&-
    mountpoint -q "$QUICKSTART_STATE" || return 0
    lay
    cp -p "$PLUGSTACK_CONF" "$RESTORE"
    cp -p "$SLURM_CONF" "$BATS_FILE_TMPDIR/slurm.conf"
    { cgroups; echo none; } >"$BATS_FILE_TMPDIR/cgroups"
    sed -i '/^Prolog/d; /^Epilog/d' "$SLURM_CONF"
    : >"$PLUGSTACK_CONF"
    cp -p "$SLURM_CONF" "$BATS_FILE_TMPDIR/bare.conf"
    scontrol reconfigure
}
teardown_file() {
    local place
    [[ -e $BATS_FILE_TMPDIR/slurm.conf ]] || return 0
    restore_policy
    cp -p "$BATS_FILE_TMPDIR/slurm.conf" "$SLURM_CONF"
    for place in "${PLACES[@]}" "$LAYERS"; do
        umount -Rl "$place"
    done
    scontrol reconfigure
    scontrol update nodename="$(sinfo -hN -o %N | sort -u | paste -sd,)" state=resume 2>/dev/null || true
}
need_room() { mountpoint -q "$QUICKSTART_STATE" || skip_without 'a room for the sandbox, in which packages can be installed'; }
teardown() {
    scancel -Q -n bats 2>/dev/null || true
    poll 30 no_jobs || true
    rm -rf "$HOME1"/*.out
}

bare_works() { equal "$(as_user srun -Q -N2 echo ran)" $'ran\nran'; }
container_works() { equal "$(as_user srun -Q -N2 --container=debian sh -c 'test -e /run/berth/init && echo inside')" $'inside\ninside'; }
# Before the prolog's program goes: a node that would run it is drained.
none_runs_prolog() { poll "$SOON" prologs_are 0 || fail "the prolog goes on"; }

@test "the packages are built, and lintian has nothing to say" {
    run lintian --allow-root --fail-on error,warning "$BUILT"/src/deb/*.changes
    equal "$status/$(grep -v '^running with root' <<<"$output" || true)" 0/
}

@test "a package is for one release of Slurm, and says so" {
    local release depends
    release=$(slurmd -V | grep -o '[0-9]*\.[0-9]*' | head -n 1)
    depends=$(dpkg-deb -f "$BUILT"/src/deb/berth-client_*.deb Depends)
    contains "$depends" "slurm-wlm-basic-plugins (>= $release), slurm-wlm-basic-plugins (<< ${release%.*}."
    contains "$(dpkg-deb -f "$BUILT"/src/deb/berth-client_*.deb Version)" "+slurm$release"
    # What the loader needs is there, all of it.
    for deb in $(new); do
        depends+=" $(dpkg-deb -f "$deb" Depends)"
    done
    for lib in libcurl libhwloc libjansson; do
        contains "$depends" "$lib"
    done
}

# The paths that a package has, without what is the package format's own.
paths() { sed -E '/\.build-id|\/(doc|licenses|lintian)(\/|$)/d; s/\.gz$//; s,^\.,,; s,zsh/vendor-completions,zsh/site-functions,; s,/usr/lib(64|/[^/]*-linux-gnu)/slurm(-wlm)?/,PLUGINDIR/,; /\/$/d' | sort; }
deb_paths() { dpkg-deb --fsys-tarfile "$1" | tar -t | paths; }
rpm_paths() { rpm -qpl "$1" 2>/dev/null | while read -r path; do [[ $path == "$STATE" || $path == "$LIBEXEC" || $path == "$LIBEXEC/slurm" ]] || echo "$path"; done | paths; }

@test "RPMs have what Debian's packages have, need the same, and are removed with the same care" {
    local rpms root=$BATS_TEST_TMPDIR/root name release
    rpms=$(echo "$BUILT"/src/rpm/RPMS/*/*.rpm)
    release=$(slurmd -V | grep -o '[0-9]*\.[0-9]*' | head -n 1)
    for name in berth berth-client; do
        equal "$(rpm_paths "$BUILT"/src/rpm/RPMS/*/"$name"-0*.rpm)" "$(deb_paths "$BUILT"/src/deb/"${name}"_*.deb)"
    done
    contains "$(rpm -qp --requires "$BUILT"/src/rpm/RPMS/*/berth-client-0*.rpm 2>/dev/null)" "slurm >= $release"$'\n'"slurm < ${release%.*}."
    contains "$(rpm -qp --requires "$BUILT"/src/rpm/RPMS/*/berth-0*.rpm 2>/dev/null)" libcurl
    contains "$rpms" ".slurm$release."

    mkdir "$root"
    tar -C "$root" -xf "$QUICKSTART_STATE/images/debian.tar"
    cp "$BUILT"/src/rpm/RPMS/*/*.rpm "$root"
    rpm --root "$root" -i --nodeps "$root"/*.rpm
    rm "$root"/*.rpm
    equal "$(rpm --root "$root" -V --nodeps berth berth-client berth-doc 2>/dev/null)" ''
    contains "$(cat "$root/etc/passwd")" '_berth:x:'
    equal "$(stat -c %a "$root$LIBEXEC"/berth-{init,task} "$root$STATE" "$root/etc/slurm/berth.conf")" $'711\n711\n711\n644'

    printf 'ClusterName=c\n' >"$root/etc/slurm/slurm.conf"
    env -u SLURM_CONF chroot "$root" berth-setup allow=debian
    contains "$(cat "$root/etc/slurm/plugstack.conf")" 'required /usr/lib64/slurm/spank_berth.so allow=debian'
    run env -u SLURM_CONF rpm --root "$root" -e --nodeps berth
    ((status != 0))
    contains "$output" "berth: Slurm's configuration names berth-prolog or berth-epilog"
    run env -u SLURM_CONF rpm --root "$root" -e --nodeps berth-client
    ((status != 0))
    contains "$output" "berth-client: Slurm's configuration loads spank_berth.so"
    env -u SLURM_CONF chroot "$root" berth-setup --undo
    # With those for debuggers that newer releases of rpm make.
    rpm --root "$root" -qa 'berth*' 2>/dev/null | xargs env -u SLURM_CONF rpm --root "$root" -e --nodeps
    equal "$(find "$root" -xdev -name '*berth*' ! -path '*/var/lib/rpm/*')" ''
}

@test "installed, berth changes nothing until it is set up" {
    need_room
    local before
    before=$(find "$ETC" -type f -exec cksum {} +)
    # shellcheck disable=SC2046  # several words
    install_debs $(old)
    version_is 0.0.1-1
    equal "$(find "$ETC" -type f -exec cksum {} +)" "$before"
    bare_works
    run as_user srun -Q --container-image=debian true
    contains "$output" "unrecognized option"
    equal "$(stat -c '%U %a' "$LIBEXEC"/berth-{init,task} "$STATE" /etc/slurm/berth.conf)" $'root 711\nroot 711\nroot 711\nroot 644'
    contains "$(getent passwd _berth)" ':/nonexistent:/usr/sbin/nologin'
    equal "$(find /lib/systemd /etc/init.d -newer "$BATS_FILE_TMPDIR/bare.conf" -name '*berth*')" ''

    berth-setup allow=debian "$ENGINE"
    scontrol reconfigure
    container_works
    poll "$SOON" prologs_are 2 || fail "berth-prolog does not run on both nodes"
    equal "$(grep -v '^#' "$PLUGSTACK_CONF")" "required spank_berth.so allow=debian $ENGINE"
    nothing_left
}

@test "upgrade and downgrade: what runs goes on, what starts meanwhile runs" {
    need_room
    local debs steps=() pid i failed=0
    start_step -w n1 --container=debian sh -c "echo ready \$SLURM_JOB_ID; while ! test -e $HOME1/go.out; do sleep 0.1; done; test -e /run/berth/init && exit 3"
    for ((i = 0; i < 4; i++)); do
        (
            for ((j = 0; j < 8; j++)); do
                as_user srun -Q --mem=10 --container=debian sh -c 'test -e /run/berth/init && echo inside' || echo "failed: $?"
            done
        ) >"$BATS_TEST_TMPDIR/steps.$i" 2>&1 3>&- 4>&- &
        steps+=($!)
    done
    for debs in "$(new)" "$(old)" "$(new)"; do
        # shellcheck disable=SC2086  # several words
        install_debs $debs
    done
    for pid in "${steps[@]}"; do
        wait "$pid" || failed=1
    done
    equal "$failed/$(sort "$BATS_TEST_TMPDIR"/steps.* | uniq -c | sed 's/^ *//')" '0/32 inside'
    version_is "$(dpkg-deb -f "$BUILT"/src/deb/berth_*.deb Version)"
    as_user touch "$HOME1/go.out"
    await_step
    equal "$STATUS" 3
    container_works
    nothing_left
}

@test "what Slurm still uses is not removed, and the sentence says what to do" {
    need_room
    run dpkg -r berth
    ((status != 0))
    contains "$output" "berth: Slurm's configuration names berth-prolog or berth-epilog: run berth-setup --undo"
    run dpkg -r --force-depends berth-client
    ((status != 0))
    contains "$output" "berth-client: Slurm's configuration loads spank_berth.so: run berth-setup --undo"
    berth-setup --undo --hooks
    run dpkg -r berth
    ((status != 0))
    contains "$output" "berth: Slurm runs with berth's prolog or epilog yet: run scontrol reconfigure"
    # As it was.
    berth-setup --hooks
    scontrol reconfigure
    version_is "$(dpkg-deb -f "$BUILT"/src/deb/berth_*.deb Version)"
    container_works
    nothing_left
}

@test "removal and purge, with a step that runs: nothing drains, every srun works, nothing is left" {
    need_room
    local files
    start_step -w n1 --container=debian sh -c "echo ready \$SLURM_JOB_ID; while ! test -e $HOME1/go.out; do sleep 0.1; done; test -e /run/berth/init && exit 3"
    berth-setup --undo
    cmp "$SLURM_CONF" "$BATS_FILE_TMPDIR/bare.conf"
    scontrol reconfigure
    none_runs_prolog
    files=$(dpkg -L berth berth-client)
    dpkg -r berth berth-client
    bare_works
    # Its mounts lead to what is the user's.
    run dpkg -P berth
    equal "$status" 0
    contains "$output" 'a step has mounts below /var/lib/berth'
    [[ -d $HOME1 && -n $(find "$STATE" -name '*.0') ]]
    as_user touch "$HOME1/go.out"
    await_step
    equal "$STATUS" 3
    poll "$SOON" no_traces || fail "left: $(traces)"
    rm -rf "$STATE"
    printf '#!/bin/sh\nsrun -Q -N2 echo from a batch script\n' >"$HOME1/job.out"
    run_batch -N2 --output=said.out "$HOME1/job.out"
    equal "$(cat "$HOME1/said.out")" $'from a batch script\nfrom a batch script'
    nothing_left

    dpkg -P berth-client
    run dpkg-query -W berth berth-client
    # On the layers is what has changed; what was there before is a device there.
    equal "$(find "$LAYERS"/{usr,etc,var/*}/upper -name '*berth*' ! -type c)" ''
    while read -r file; do
        [[ -d $file || ! -e $file ]] || fail "$file is left"
    done <<<"$files"
    run getent passwd _berth
    equal "$status" 2
}

@test "installed again and purged at once, nothing is left either" {
    need_room
    # shellcheck disable=SC2046  # several words
    install_debs $(new)
    berth-setup allow=debian "$ENGINE"
    scontrol reconfigure
    container_works
    nothing_left
    berth-setup --undo
    scontrol reconfigure
    none_runs_prolog
    dpkg -P berth berth-client
    [[ ! -e $STATE && ! -e /etc/slurm/berth.conf ]]
    bare_works
    poll "$SOON" all_idle || fail "nodes: $(sinfo -hN -o '%N %T %E')"
}
