#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# --container-root: root inside, and nobody outside.

# shellcheck disable=SC2154  # output and stderr are bats's
# shellcheck disable=SC2016  # the task's shell expands it
load lib

setup_file() {
    cp -p "$PLUGSTACK_CONF" "$RESTORE"
    { cgroups; echo none; } >"$BATS_FILE_TMPDIR/cgroups"
    usual_policy
    cc -static -O1 -o "$BATS_FILE_TMPDIR/rooted" "$BATS_TEST_DIRNAME/rooted.c"
    map_ids
}

teardown_file() {
    unmap_ids
    restore_policy
}

setup() {
    UID1=$(id -u berth1)
    START=$(root_start "$UID1")
    START2=$(root_start "$(id -u berth2)")
    root_conf
}

teardown() {
    ! mountpoint -q /srv/berth-root/over || umount -l /srv/berth-root/over
    rm -rf /srv/berth-root "$HOME1"/{r,c,saved} "$STATE"/*/ids
    tidy
}

# Whether one engine is for all steps.
is_one() { [[ $ROOT_ENGINE == "$DOCKER_HOST" ]]; }
as_root() { as_user srun -Q --container=debian --container-root "$@"; }

# Whose FILE is on the node, and its mode.
whose() { stat -c '%u:%g %a' "$@"; }

# The owner and the mode of each device of the node, and of its number.
devices() { find /dev -xdev ! -type l -printf '%p %U %G %m %y\n' | grep -v '^/dev/\(pts\|shm\)' | sort; }

@test "who is root inside has the files there, and is nobody outside (threat 106)" {
    run -0 --separate-stderr as_root bash -ec '
        id -u; id -g; id -G; whoami
        tr -s " " </proc/self/uid_map; tr -s " " </proc/self/gid_map
        grep -E "^(CapInh|CapPrm|CapEff|CapAmb|NoNewPrivs|Seccomp):" /proc/self/status
        touch /etc/x; chown 7:9 /etc/x; chmod 4755 /etc/x; stat -c "%u:%g %a" /etc/x
        useradd -m lab; su lab -c "id -un; touch ~/y"; stat -c %U ~lab/y'
    equal "$output" "0
0
0
root
 0 $START 65536
 0 $START 65536
CapInh:	0000000000000000
CapPrm:	00000000800000db
CapEff:	00000000800000db
CapAmb:	0000000000000000
NoNewPrivs:	1
Seccomp:	2
7:9 4755
lab
lab"
    # The next one has the image's files as they were.
    run -0 as_root bash -c 'ls /etc/x 2>&1; id lab 2>&1; :'
    contains "$output" "No such file"
    contains "$output" "no such user"
    nothing_left
}

@test "the node sees a process of that ID alone, in the Slurm task's cgroups" {
    start_step -Q --container=debian --container-root bash -c "$(waiter 'su -s /bin/sh nobody -c "exec sleep 4242" & sleep 4243 & :')"
    local pid
    poll "$SOON" sleeps 4242
    poll "$SOON" sleeps 4243
    pid=$(sleepers 4243)
    equal "$(awk '/^Uid/ { print $2, $3, $4, $5 }' "/proc/$pid/status")" "$START $START $START $START"
    grep -q "job_$JOB" "/proc/$pid/cgroup"
    equal "$(awk '/^Uid/ { print $2 }' "/proc/$(sleepers 4242)/status")" "$((START + 65534))"
    # Signals reach the task, and nothing outlives it: not who became another.
    scancel "$JOB"
    await_step
    poll "$SOON" no_sleeper 4242 || fail "what became another user inside is left"
    poll "$SOON" no_sleeper 4243
    nothing_left
}

@test "what became another user inside ends with its task, and takes its signals (threat 110)" {
    run --separate-stderr as_root bash -c 'setpriv --reuid=7 --regid=7 --clear-groups sleep 4244 & exit 3'
    equal "$status" 3
    poll "$SOON" no_sleeper 4244 || fail "it is left"
    # The task itself has become another: what Slurm sends to it arrives.
    start_step -Q --container=debian --container-root setpriv --reuid=7 --regid=7 --clear-groups \
        bash -c 'trap "echo told; exit 5" USR1; echo ready $SLURM_JOB_ID; while :; do sleep 0.1; done'
    scancel -s USR1 "$JOB"
    await_step
    equal "$STATUS" 5
    contains "$(<"$OUT")" told
    nothing_left
}

@test "what root writes on a mount is the user's, and what is another's stays so (threat 108)" {
    local d=/srv/berth-root
    # A directory's size is what is in it, on some file systems.
    left() {
        find "$d" ! -user berth1 ! -name anybodys \( -type d -printf '%p %U:%G %m\n' -o -printf '%p %U:%G %m %s\n' \) | sort
    }
    install -d -o berth1 -g berth1 "$d" "$d/mine"
    install -m 755 "$BATS_FILE_TMPDIR/rooted" "$d/mine/rooted"
    install -d -m 1777 "$d/sticky"
    install -d -m 777 "$d/open"
    install -m 644 /dev/null "$d/open/roots"
    install -o berth2 -m 666 /dev/null "$d/open/anybodys"
    install -m 600 /dev/null "$d/mine/roots"
    install -o berth2 -m 600 /dev/null "$d/mine/others"
    install -o berth2 -m 644 /dev/null "$d/mine/others-open"
    install -o berth2 -m 644 /dev/null "$d/sticky/others"
    install -o berth1 -g berth1 -m 600 /dev/null "$d/mine/own"
    install -o berth1 -g root -m 660 /dev/null "$d/mine/of-roots-group"
    local before
    before=$(left)
    root_conf "mounts_allowed = {\"$d/**:rw\", \"$d:rw\"}"
    run -0 --separate-stderr as_root --container-mounts="$d:/d" bash -c '
        cd /d
        stat -c "%n %u:%g" mine mine/own mine/others mine/roots
        try() { "$@" 2>/dev/null && echo "yes: $*"; }
        try cat mine/others; try cat mine/roots
        try sh -c "echo x >mine/others-open"; try sh -c "echo x >open/roots"
        try chown 0 mine/others; try chown 0:0 mine/roots; try chown -R 0:0 .
        try chmod 777 mine/others; try chmod 4755 mine/roots
        try ln mine/others mine/link; try ln open/roots mine/link
        try mv -f sticky/others sticky/x; try rm sticky/others
        echo x >open/anybodys; touch sticky/new; echo x >mine/of-roots-group
        echo x >mine/new; cp /bin/true mine/suid; chmod 6755 mine/suid; mkfifo mine/fifo
        mkdir -m 2775 mine/setgid; touch mine/setgid/in
        try chown 7 mine/new; try chown :7 mine/new; try mknod mine/dev c 1 3
        try mine/rooted mine/new acl; :'
    equal "$output" "mine 0:0
mine/own 0:0
mine/others 65534:65534
mine/roots 65534:65534"
    equal "$(left)" "$before"
    equal "$(cd "$d/mine" && stat -c '%n %U:%G %a %F' ../sticky/new new suid fifo setgid setgid/in of-roots-group)" \
        "../sticky/new berth1:berth1 644 regular empty file
new berth1:berth1 644 regular file
suid berth1:berth1 6755 regular file
fifo berth1:berth1 644 fifo
setgid berth1:berth1 2775 directory
setgid/in berth1:berth1 644 regular empty file
of-roots-group berth1:berth1 660 regular file"
    equal "$(<"$d/open/anybodys")" x
    nothing_left
}

@test "what root inside gives a file for capabilities is nothing elsewhere (threat 122)" {
    local d=/srv/berth-root
    local shows='./show CapEff: /proc/self/status' none='CapEff:	0000000000000000'
    install -d -o berth1 -g berth1 "$d"
    install -m 755 "$BATS_FILE_TMPDIR/rooted" "$d/rooted"
    install -o berth1 -g berth1 -m 755 "$(type -P grep)" "$d/show"
    install -m 666 "$(type -P grep)" "$d/roots"
    install -o berth2 -m 666 "$(type -P grep)" "$d/others"
    root_conf "mounts_allowed = {\"$d:rw\"}"
    run -0 as_root --container-mounts="$d:/d" bash -c 'cd /d
        for file in show roots others; do ./rooted $file capability && echo $file; done
        setpriv --reuid=7 --regid=7 --clear-groups '"$shows"
    equal "$output" "show"$'\n'"$none"
    # It is noted with whose it is: of the root of that user's own namespaces.
    equal "$(/usr/bin/python3 -c '
import os, struct, sys
print(*["%x" % n for n in struct.unpack("<6I", os.getxattr(sys.argv[1], "security.capability"))])' "$d/show")" \
        "$(printf '3000001 ffffffff 0 0 0 %x' "$UID1")"
    equal "$(cd "$d" && as_user bash -c "cd $d; $shows")" "$none"
    equal "$(as_other bash -c "cd $d; $shows")" "$none"
    equal "$(as_user srun -Q --container=debian --container-mounts="$d:/d" bash -c "cd /d; $shows")" "$none"
    equal "$(as_other srun -Q --container=debian --container-root --container-mounts="$d:/d" \
        setpriv --reuid=7 --regid=7 --clear-groups bash -c "cd /d; $shows")" "$none"
    nothing_left
}

@test "none of what needs root on a node works for who is root inside (threat 110)" {
    cp "$BATS_FILE_TMPDIR/rooted" "$HOME1/r"
    local before can
    before=$(devices)
    can=$(in_container bash -c 'touch f; ./r f; rm f' | grep ': yes' || true)
    run -0 --separate-stderr as_root sh -c 'touch /root/f; ./r /root/f; cp ./r ./c'
    contains "$output" "mount: "
    equal "$(grep ': yes' <<<"$output" | grep -vxF "$can")" "file capability: yes"
    # Nor by a setuid copy, as another user.
    run -0 --separate-stderr as_root bash -c 'cp r /root/r; chmod 755 /root; chmod 4755 /root/r; touch /root/f
        setpriv --reuid=7 --regid=7 --clear-groups sh -c "grep CapEff /proc/self/status; /root/r /root/f"'
    contains "$output" "CapEff:	0000000000000000"
    equal "$(grep ': yes' <<<"$output" | grep -vxF "$can")" ""
    equal "$(devices)" "$before"
    nothing_left
}

@test "the node's devices are the node's before, while and after (threat 109)" {
    local before
    before=$(devices)
    start_step -Q --container=debian --container-root bash -c "$(waiter '
        for d in /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty /proc/self/fd/0; do
            chmod 600 $d; chown 0:0 $d; rm -f $d; done 2>/dev/null')"
    equal "$(devices)" "$before"
    local init fd
    for init in $(pids berth-init); do
        for fd in 0 1 2; do
            [[ ! -c /proc/$init/fd/$fd ]] || fail "process 1 holds $(readlink "/proc/$init/fd/$fd")"
        done
        # Those inside are berth's own.
        for fd in null zero full random urandom tty; do
            [[ ! "/proc/$init/root/dev/$fd" -ef "/dev/$fd" ]] || fail "/dev/$fd is the node's own"
            equal "$(whose "/proc/$init/root/dev/$fd")" "0:0 666"
        done
    done
    scancel "$JOB"
    await_step
    equal "$(devices)" "$before"
    nothing_left
}

@test "two users are root at once, and each has his own alone (threats 106, 107, 118)" {
    local other d=/srv/berth-root
    install -d -m 755 "$d"
    install -d -o berth1 -m 700 "$d/one" # its group is root's
    install -d -o berth2 -m 700 "$d/two"
    root_conf "mounts_allowed = {\"$d/**:rw\"}"
    start_step -Q --container=debian --container-root --container-mounts="$d/one:/d" bash -c "$(waiter 'touch /d/mine')"
    other=$(as_other srun -Q --container=debian --container-root --container-mounts="$d/two:/d" \
        bash -c 'tr -s " " </proc/self/uid_map; touch /d/mine; ls /proc | grep -c "^[0-9]"')
    contains "$other" " 0 $START2 65536"
    # No signal, of whatever ID, leaves a container.
    as_other srun -Q --container=debian --container-root bash -c 'kill -KILL -1; kill -KILL -- -1; :'
    sleeps 1000 || fail "the one's process is gone"
    equal "$(whose "$d/one/mine" | cut -d: -f1)" "$UID1"
    equal "$(whose "$d/two/mine" | cut -d: -f1)" "$(id -u berth2)"
    # The one's directory is closed to the other, mounted or not.
    run --separate-stderr as_other srun -Q --container=debian --container-root \
        --container-mounts="$d/one:/d" bash -c 'ls /d; touch /d/x; cat /d/mine; chmod 777 /d'
    equal "$(grep -c denied <<<"$stderr")" 3
    equal "$output" ""
    # An ID of a range on a file is nobody's: the one's as any other's, and the
    # other's own has no place there.
    install -o "$START" -m 600 /dev/null "$d/two/of-the-one"
    install -o "$START2" -m 666 /dev/null "$d/two/of-the-other"
    run as_other srun -Q --container=debian --container-root --container-mounts="$d/two:/d" \
        bash -c 'stat -c %u /d/of-*; cat /d/of-the-one; echo x >/d/of-the-other; chown 0 /d/of-*'
    contains "$output" $'65534\n65534\n'
    equal "$(grep -c 'denied\|not permitted\|too large' <<<"$output")" 4
    [[ ! -s $d/two/of-the-other ]]
    scancel "$JOB"
    await_step
    nothing_left
}

@test "IDs that somebody has, or has had, are nobody's to be root with (threat 107)" {
    echo "mallory:$((START + 65535)):1" >>/etc/subuid
    run --separate-stderr as_root true
    sed -i '/^mallory:/d' /etc/subuid
    refused "those of subuid(5) for mallory" "another root_ids"
    as_root -w n1 true
    if [[ $BERTH_ENGINE == docker ]]; then
        # They are all users', and were nobody's alone.
        equal "$(ls "$STATE/n1/ids")" "all.$START.65536"
        as_other srun -Q -w n1 --container=debian --container-root true
        mv "$STATE/n1/ids/all.$START.65536" "$STATE/n1/ids/4711.$((START + 65535)).65536"
        run --separate-stderr as_root -w n1 true
        refused "were user 4711's before" "another root_ids" "$STATE/n1/ids/4711.$((START + 65535)).65536"
        nothing_left
        return
    fi
    equal "$(ls "$STATE/n1/ids")" "$UID1.$START.65536"
    # The range of the one was the other's.
    { echo 'root = "allowed"'; echo "root_ids = \"$START:65536:$(id -u berth2)\""; } | conf
    run --separate-stderr as_other srun -Q -w n1 --container=debian --container-root true
    refused "were user $UID1's before" "another root_ids" "$STATE/n1/ids/$UID1.$START.65536"
    # Or all users'.
    mv "$STATE/n1/ids/$UID1.$START.65536" "$STATE/n1/ids/all.$START.65536"
    run --separate-stderr as_other srun -Q -w n1 --container=debian --container-root true
    refused "were all users' before" "$STATE/n1/ids/all.$START.65536"
    # A user who is in what ranges are for has none.
    { echo 'root = "allowed"'; echo 'root_ids = "65536:65536:100000"'; } | conf
    run --separate-stderr as_root true
    refused "there are no IDs for user $UID1"
    nothing_left
}

@test "who may not be root, or in another way at once, is told so" {
    local lines words sentence options
    while IFS='|' read -r lines words sentence; do
        read -ra options <<<"$words"
        printf '%b' "$lines" | conf
        run --separate-stderr as_user srun -Q --container=debian "${options[@]}" echo ran
        refused "$sentence" || fail "$lines: ${options[*]}"
        options=("${options[@]//-/_}")
        options=("${options[@]/#__/SLURM_SPANK__SLURM_SPANK_OPTION_berth_}")
        # By the node alone.
        run --separate-stderr bypassing \
            env "${options[@]/%/=}" \
            srun -Q --container=debian echo ran
        refused "$sentence" || fail "bypassing: $lines: ${options[*]}"
    done <<'END'
|--container-root|--container-root cannot be had
root = "never"\nmode = "warn"\n|--container-root|--container-root cannot be had
root = "allowed"\n|--container-root|has no root_ids
root = "allowed"\nroot_ids = "2000000:65536"\n|--container-root --container-readonly|leave one of them out
root = "allowed"\nslurm = "allowed"\nroot_ids = "2000000:65536"\n|--container-root --container-slurm|Slurm would not know who asks
END
    # And who need not be asks for nothing else.
    equal "$(as_user srun -Q --container=debian --no-container-remap-root id -u)" "$UID1"
    nothing_left
}

@test "root = default, and each name of the option, with its variable" {
    equal "$(as_user srun -Q --container=debian --container-remap-root id -u)" 0
    equal "$(as_user env BERTH_CONTAINER_ROOT=yes srun -Q --container=debian id -u)" 0
    equal "$(as_user env BERTH_CONTAINER_REMAP_ROOT=yes srun -Q --container=debian id -u)" 0
    equal "$(as_user env PYXIS_CONTAINER_REMAP_ROOT=1 srun -Q --container=debian id -u)" 0
    equal "$(as_user env PYXIS_CONTAINER_REMAP_ROOT=0 srun -Q --container=debian id -u)" "$UID1"
    ROOT=default root_conf
    equal "$(as_user srun -Q --container=debian id -u)" 0
    equal "$(as_user srun -Q --container=debian --no-container-remap-root id -u)" "$UID1"
    equal "$(as_user srun -Q --container=debian --container-readonly id -u)" "$UID1"
    nothing_left
}

@test "an engine of its own has the containers of who is root, and they are removed there" {
    local log=$BATS_TEST_TMPDIR/audit
    policy allow=debian engine=unix:///run/berth-none/none.sock
    root_conf "audit_log = \"$log\""
    equal "$(as_root id -u)" 0
    grep -q "\"root\":\"$START-$((START + 65535))\"" "$log"
    run --separate-stderr in_container true
    refused /run/berth-none/none.sock
    # Where it is, no container looks.
    root_conf 'mounts_allowed = {"/run/**"}'
    run --separate-stderr as_root --container-mounts="$(dirname "${ROOT_ENGINE#unix://}"):/mnt" true
    refused "which no container gets"
    nothing_left
}

@test "pull --root, load --root: the image is where it will be needed, as it is where root is the default" {
    local dir=$BATS_TEST_TMPDIR/root image=$REGISTRY/bats-rooted:1 other
    # Nothing of it is where nobody is root.
    others() { is_one || fetched; }
    there() { DOCKER_HOST=$ROOT_ENGINE fetched; }
    anew() { forget; DOCKER_HOST=$ROOT_ENGINE forget; }
    anew
    mkdir "$dir"
    cp "$BATS_FILE_TMPDIR/rooted" "$dir"
    push bats-rooted:1 "$dir" >/dev/null
    policy allow=debian "allow=${REGISTRY%:*}:*/**" "$ENGINE"
    run -0 as_user berth pull --root -w n1 "$image"
    equal "$(others)" ""
    [[ $(there) ]] || fail "it is not there"
    root_conf 'pull = never'
    run -127 --separate-stderr as_user srun -Q -w n1 --container="$image" --container-root /nosuch
    contains "$stderr" /nosuch
    lacks "$stderr" "does not have it"
    # Of another engine it is none.
    is_one || {
        run --separate-stderr as_user srun -Q -w n1 --container="$image" --no-container-remap-root /nosuch
        refused "does not have it"
    }
    anew
    ROOT=default root_conf
    run -0 as_user berth pull -w n1 "$image"
    equal "$(others)" ""
    [[ $(there) ]] || fail "it is not there"
    anew
    run -0 as_user berth pull -w n1 --slurm=--no-container-remap-root "$image"
    [[ $(fetched) ]] || fail "it is not there"
    anew
    run -0 "$PREFIX/sbin/berth-images" pull --root --node=n1 "$image"
    equal "$(others)" ""
    [[ $(there) ]] || fail "it is not there"
    # A file of one's own.
    anew
    root_conf 'archives = yes'
    install -d -o berth1 "$HOME1/saved"
    image berth/rooted "$dir"
    api GET /images/docker.io/berth/rooted:latest/get >"$HOME1/saved/rooted.tar"
    api DELETE /images/docker.io/berth/rooted:latest >/dev/null
    run -0 as_user berth load --root -w n1 "$HOME1/saved/rooted.tar"
    equal "$(others)" ""
    [[ $(there) ]] || fail "it is not there"
    # Who may not be root has no use for it.
    ROOT=never root_conf
    run --separate-stderr as_user berth pull --root -w n1 "$image"
    equal "$status" 1
    contains "$stderr" "--container-root cannot be had"
    anew
    nothing_left
}

@test "the node's /dev/shm has files of the user's, and of nobody else (threat 108)" {
    root_conf 'shm = node'
    as_root bash -c 'touch /dev/shm/berth-bats; chown 7 /dev/shm/berth-bats 2>/dev/null; :'
    equal "$(stat -c %U /dev/shm/berth-bats)" berth1
    rm /dev/shm/berth-bats
    nothing_left
}

@test "a file system without a map is refused by name" {
    local d=/srv/berth-root
    install -d "$d"/{over,low,up,work}
    chmod 777 "$d/up"
    mount -t overlay -o "lowerdir=$d/low,upperdir=$d/up,workdir=$d/work" overlay "$d/over"
    root_conf "mounts_allowed = {\"$d/**:rw\"}"
    as_user srun -Q --container=debian --container-mounts="$d/over:/d" touch /d/x
    run --separate-stderr as_root --container-mounts="$d/over:/d" true
    refused "$d/over cannot be had by who is root in a container" "name another, or leave it out"
    nothing_left
}

@test "a container with a name is root's or not, for all of its steps (threat 111)" {
    run -0 --separate-stderr as_user salloc -Q -n1 bash -c '
        srun -Q --container=debian --container-name=a --container-root sh -c "touch /etc/x; setpriv --reuid=7 --regid=7 --clear-groups sleep 4245 &"
        srun -Q --container-name=a sh -c "id -u; ls /etc/x; ls /proc | grep -c ^[0-9]*$"
        srun -Q --container-name=a --no-container-remap-root true
        srun -Q --container=debian sh -c "id -u; ls /etc/x"
        srun -Q --container=debian --container-name=b true
        srun -Q --container-name=b --container-root true; true'
    contains "$output" $'0\n/etc/x\n'
    contains "$output" "$UID1"
    contains "$stderr" "--no-container-remap-root is not what the container was made with"
    contains "$stderr" "--container-root is not what the container was made with"
    contains "$stderr" "cannot access '/etc/x'"
    poll "$SOON" no_sleeper 4245 || fail "another user's process outlives its step"
    nothing_left
}

@test "a tmpfs within a mount is root's as well, and nothing of it stays" {
    local d=/srv/berth-root
    install -d -o berth1 "$d"
    root_conf "mounts_allowed = {\"$d:rw\"}"
    run -0 --separate-stderr as_root --container-mounts="$d:/d,tmpfs:/d/fast" sh -c '
        echo x >/d/fast/x; chown 7:9 /d/fast/x; stat -c "%u:%g" /d/fast/x; stat -f -c %T /d/fast'
    equal "$output" $'7:9\ntmpfs'
    equal "$(find "$d" -printf '%P %u,')" " berth1,fast berth1,"
    nothing_left
}

@test "where root has /dev/console lead is not looked at from outside (threat 126)" {
    # The node has that file as well, in another file system than /dev.
    run -0 --separate-stderr as_user salloc -Q -n1 bash -c '
        srun -Q --container=debian --container-root --container-name=a sh -c "touch /etc/x; ln -s /etc/hostname /dev/console"
        srun -Q --container-name=a sh -c "ls /etc/x; readlink /dev/console"; true'
    equal "$output" $'/etc/x\n/etc/hostname'
    nothing_left
}

# root_ids IDS [LINE ...]: the policy has these, whatever the engine's are.
root_ids() { ROOT_IDS=$1 root_conf "${@:2}"; }

@test "IDs that are not the engine's are refused, by what differs (threats 107, 119, 120)" {
    local begin=${ROOT_IDS%%:*}
    if [[ $BERTH_ENGINE == podman ]]; then
        root_ids 100000:65536:daemon 'networks = {"none"}'
        run --separate-stderr as_root true
        refused "a map of IDs for each user" "a Docker with userns-remap"
        return
    fi
    local ids sentence
    while IFS='|' read -r ids sentence; do
        root_ids "$ids"
        run --separate-stderr as_root true
        refused "$sentence" || fail "$ids"
    done <<END
2000000:65536|one map of IDs for all users: root_ids of berth.conf needs its account
$((begin + 65536)):65536:dockremap|begins at $begin for users and at $begin for groups
$begin:65537:dockremap|those of subuid(5) for dockremap
$begin:65536:daemon|those of subuid(5) for dockremap
$begin:65536:berth1|berth1, whose IDs you would be root in a container with, is no system account
$begin:65536:berth-none|berth-none, whose IDs you would be root in a container with, is no system account
END
    # One that has no map.
    ROOT_ENGINE=$DOCKER_HOST root_conf
    run --separate-stderr as_root true
    refused "which has no map of IDs: it needs userns-remap"
    nothing_left
}

@test "a Docker that only seems to map IDs runs nothing of the user's (threat 120)" {
    [[ $BERTH_ENGINE == docker ]] || skip_without "a Docker"
    local ROOT_ENGINE
    ROOT_ENGINE=unix://$(sandbox start_other_docker "$START.$START")
    root_conf
    DOCKER_HOST=$ROOT_ENGINE import_debian
    run --separate-stderr as_root -w n1 touch ran-inside
    poll "$SOON" no_traces || fail "left: $(traces)"
    sandbox stop_other_docker "$START.$START"
    refused "is not the one that was asked for (its user)"
    [[ ! -e $HOME1/ran-inside ]]
}

@test "a Docker that maps IDs has not the node's network, and says what has" {
    [[ $BERTH_ENGINE == docker ]] || skip_without "a Docker"
    run --separate-stderr as_root --container-network=host true
    refused "with the node's network" "leave it out, or add --container-network=none"
    sed -i 's/^networks .*/networks = {"host"}/' "$BERTH_CONF"
    run --separate-stderr as_root true
    refused "ask your administrator for another network, such as none (networks)"
    # Who is not root has it.
    equal "$(as_user srun -Q --container=debian readlink /proc/self/ns/net)" "$(readlink /proc/self/ns/net)"
    nothing_left
}

@test "packages go into the image, with users and set-user-ID files of their own" {
    local d=$HOME1/r
    as_user bash -ec 'mkdir -p r/p/{DEBIAN,usr/bin,srv/lab}; cd r
        printf "Package: lab\nVersion: 1\nArchitecture: all\nMaintainer: x <x@example.org>\nDescription: x\n" >p/DEBIAN/control
        printf "#!/bin/sh -e\nuseradd -r -d /srv/lab lab\ninstall -d -o lab -g lab /srv/lab/data\nchown lab /srv/lab\nchgrp lab /usr/bin/lab\nchmod 4755 /usr/bin/lab\n" >p/DEBIAN/postinst
        chmod 755 p/DEBIAN/postinst; echo "#!/bin/sh" >p/usr/bin/lab; chmod 755 p/usr/bin/lab
        dpkg-deb --root-owner-group -b p lab.deb >/dev/null; rm -r p
        apt-ftparchive packages . >Packages 2>/dev/null || { dpkg-deb -f lab.deb
            echo "Filename: ./lab.deb"; echo "Size: $(stat -c %s lab.deb)"
            echo "SHA256: $(sha256sum lab.deb | cut -d" " -f1)"; } >Packages'
    run -0 --separate-stderr as_root bash -ec '
        echo "deb [trusted=yes] file:$PWD/r ./" >/etc/apt/sources.list
        rm -rf /etc/apt/sources.list.d/*
        apt-get update >/dev/null
        apt-get install -y lab >/dev/null
        dpkg -V lab
        stat -c "%U %a %n" /srv/lab /srv/lab/data; stat -c "%U:%G %a" /usr/bin/lab
        apt-get purge -y lab >/dev/null; test ! -e /usr/bin/lab && echo gone'
    equal "$output" "lab 755 /srv/lab
lab 755 /srv/lab/data
root:lab 4755
gone"
    rm -rf "$d"
    nothing_left
}

@test "a batch script runs as root as well, and its output is the user's" {
    printf '#!/bin/bash\nid -u\ntouch c\n' >"$HOME1/job.sh"
    run_batch --container=debian --container-root -o "$HOME1/job.out" "$HOME1/job.sh"
    equal "$(head -n1 "$HOME1/job.out")" 0
    equal "$(whose "$HOME1/c" | cut -d: -f1)" "$UID1"
    equal "$(whose "$HOME1/job.out" | cut -d: -f1)" "$UID1"
    nothing_left
}

# --- as without root ---------------------------------------------------------

@test "setgid directories, foreign groups and chown -R on a mount end as bare (threat 108)" {
    local d=/srv/berth-root which group=berthgrp1
    root_conf "mounts_allowed = {\"$d/**:rw\"}"
    for which in bare inside; do
        install -d -m 755 "$d"
        install -d -o berth1 -g berth1 "$d/$which"
        # Of root's with a group of the user's, of a group that he is not in,
        # and his own.
        install -d -m 2775 -g "$group" "$d/$which/shared"
        install -d -o berth1 -g berth2 -m 2777 "$d/$which/foreign"
        install -d -o berth1 -g berth1 "$d/$which/mine" "$d/$which/mine/deep"
        install -o berth1 -g berth1 /dev/null "$d/$which/mine/own"
        install -o berth2 -g berth1 -m 664 /dev/null "$d/$which/mine/others"
        install -o berth2 -g "$group" -m 660 /dev/null "$d/$which/shared/of-group"
    done
    # IN_GROUP runs a command in the group, in which the user is outside.
    local changes='umask 022; exec 2>/dev/null
        cd foreign && touch f && mkdir d && touch d/f && cp /bin/true suid && chmod 6755 suid
        perl -MFcntl -e "sysopen F, q(setgid), O_CREAT|O_WRONLY, 02755"
        chgrp $OTHER ../mine/own && echo given; chmod g+s f d/f; chmod 2700 d
        cd ../mine && chgrp $GROUP own && echo taken
        chown -R 7:7 . && echo given; chown -R $OTHER . && echo given; chown 0:0 others && echo taken
        mkdir -m 2775 setgid; chgrp $GROUP setgid; touch setgid/f; mkdir setgid/d
        cd ../shared && $IN_GROUP sh -c "touch f; mkdir d; echo x >of-group; chmod 2755 f; chmod 2700 d; cat of-group"; echo end'
    result() { find "$d/$1" -printf '%P %u:%g %m\n' | sort; }
    local bare gid
    gid=$(getent group "$group" | cut -d: -f3)
    bare=$(as_user env "GROUP=$gid" "OTHER=$(id -u berth2)" IN_GROUP= srun -Q -D "$d/bare" sh -c "$changes" || true)
    run as_user env "GROUP=$gid" "OTHER=$(id -u berth2)" "IN_GROUP=setpriv --regid=$gid --clear-groups" \
        srun -Q -D /tmp --container=debian --container-root --container-mounts="$d/inside:/mnt" sh -c "cd /mnt; $changes"
    equal "$output" "$bare"
    equal "$output" $'taken\nx\nend'
    equal "$(result inside)" "$(result bare)"
    contains "$(result inside)" "mine/setgid/f berth1:$group 644"
    contains "$(result inside)" "foreign/f berth1:berth2 644"
    nothing_left
}

@test "who has become another user stays that, by su and its kin" {
    run --separate-stderr as_root bash -c '
        useradd -m -s /bin/bash lab; useradd -m eve
        su - lab -c "id -un; pwd; echo \$HOME"
        su lab -c "su -s /bin/sh eve -c id" </dev/null && echo back
        su lab -c "su -c id" </dev/null && echo back
        echo "lab:secret" | chpasswd && su lab -c "echo secret | su -c id root" && echo back
        runuser -u eve -- id -un; setpriv --reuid=lab --regid=lab --init-groups id -un
        su lab -c "setpriv --reuid=0 true" && echo back
        cp /bin/bash /usr/bin/rootsh; chmod 4755 /usr/bin/rootsh; su lab -c "rootsh -p -c \"id -u\"" | grep -x 0
        su eve -c "cat ~lab/.bashrc >/dev/null; touch ~lab/x; kill \$PPID; chown eve /etc/passwd" && echo back
        # Newer images have sg in a package of its own.
        type sg >/dev/null 2>&1 || sg() { setpriv --regid="$1" --clear-groups bash -c "$2"; }
        groupadd -U lab team; sg team "id -gn"; echo end'
    equal "$output" "lab
/home/lab
/home/lab
eve
lab
team
end"
    nothing_left
}

@test "ping has what it has without root: no raw socket, and the kernel's own kind as bare (threat 110)" {
    local sockets='for ([3, 1], [2, 1], [3, 255]) { print socket(S, 2, $_->[0], $_->[1]) ? "yes\n" : "$!\n" }'
    local bare
    bare=$(as_user srun -Q perl -e "$sockets")
    equal "$(as_root perl -e "$sockets")" "$bare"
    equal "$(head -n 1 <<<"$bare")" "Operation not permitted"
}

@test "a file with ping's capability runs, and brings nobody a raw socket (threat 121)" {
    type -P setcap >/dev/null || skip_without setcap
    as_user mkdir r
    # As the image's ping has it, to be gained at once, or at its own wish.
    local kinds='ep p eip'
    start_step -Q --container=debian --container-root bash -c '
        for k in '"$kinds"'; do cp /usr/bin/perl /srv/$k; chmod 4755 /srv/$k; done
        cp /usr/bin/perl /srv/other; sleep 4248 & echo ready $SLURM_JOB_ID
        until [ -e r/go ]; do sleep 0.1; done; kill %1
        for k in '"$kinds"'; do for id in 0 7; do
            echo "$k $id $(setpriv --reuid=$id --regid=$id --clear-groups /srv/$k -ne "
                BEGIN { print socket(S, 2, 3, 1) ? q(raw) : qq(\$!), q( ), socket(S, 17, 3, 0) ? q(packet) : qq(\$!), qq( \$> ) }
                print /(\S+)\n/ if /^Cap(Inh|Prm|Eff|Bnd|Amb)/; print q( )" /proc/self/status)"
        done; done | tr -s " "
        /srv/other -e 1 2>/dev/null; echo "other $?"'
    poll "$SOON" sleeps 4248
    (
        cd "/proc/$(sleepers 4248)/root/srv"
        for kind in $kinds; do setcap -n "$START" "cap_net_raw+$kind" "$kind"; done
        setcap -n "$START" cap_net_admin+ep other
    )
    touch "$HOME1/r/go"
    await_step
    local kind id none=0000000000000000 not='Operation not permitted'
    local roots=00000000800000db bounding=00000000800020fb
    local want=
    for kind in $kinds; do
        want+="$kind 0 $not $not 0 $none $roots $roots $bounding $none"$'\n'
        want+="$kind 7 $not $not 7 $none $none $none $bounding $none"$'\n'
    done
    # A file with another capability the kernel does not run.
    equal "$(grep -v '^ready' "$OUT" | sed 's/ *$//')" "${want}other 126"
    nothing_left
}

# --- to Slurm ----------------------------------------------------------------

@test "a core dump of root's lands where a bare one does, and is the user's" {
    local script='ulimit -c unlimited; cd r; cp "$(command -v sh)" ./dumper; ./dumper -c "kill -SEGV \$\$"; echo "$?"'
    [[ $(cat /proc/sys/kernel/core_pattern) != \|* ]] || skip_without "core files: its kernel pipes them to a program"
    dumps() {
        as_user mkdir r
        as_user bash -c 'ulimit -c unlimited; srun -Q "$@"' - "$@" sh -c "$script" 2>/dev/null
        find "$HOME1/r" -name '*core*' -size +10k -printf '%u %g %m\n'
        rm -r "$HOME1/r"
    }
    equal "$(dumps --container=debian --container-root)" $'139\nberth1 berth1 600'
    equal "$(dumps --container=debian --container-root)" "$(dumps)"
}

@test "the user's limit of processes is each ID's inside, and nobody raises it (threat 53)" {
    run as_user bash -c 'ulimit -u 100; srun -Q --propagate=NPROC --container=debian --container-root bash -c "
        ulimit -u; for i in {1..150}; do sleep 9 & done; kill %1
        ulimit -u 101 && echo raised
        setpriv --reuid=7 --regid=7 --clear-groups bash -c \"for i in {1..150}; do sleep 9 & done; kill %1\""' 2>&1
    contains "$output" $'100\n'
    equal "$(grep -c 'fork: .*[Rr]esource' <<<"$output" | awk '{ print ($1 >= 2) }')" 1
    lacks "$output" raised
    # What bounds all of them.
    root_conf 'pids_limit = 60'
    run as_root bash -c '
        for u in 7 8 9 10; do setpriv --reuid=$u --regid=7 --clear-groups bash -c "
            for i in {1..30}; do sleep 9 & done; kill %1"; done; ls /proc | grep -c "^[0-9]"' 2>&1
    contains "${output,,}" "resource temporarily"
    nothing_left
}

@test "sstat sees the memory of root's tasks, and of who they have become" {
    start_step -Q --mem=400M --acctg-freq=task=1 --container=debian --container-root \
        setpriv --reuid=7 --regid=7 --clear-groups \
        perl -e '$| = 1; $x = "x" x 150_000_000; print "ready $ENV{SLURM_JOB_ID}\n"; sleep 1000'
    seen() {
        local rss
        rss=$(sstat -anP --noconvert -o MaxRSS -j "$JOB.0" | head -n 1)
        ((${rss%%[!0-9]*} > 100000000))
    }
    poll $SOON seen || fail "$(sstat -aP --noconvert -j "$JOB.0")"
    scancel "$JOB"
    await_step
    # More than the job's is too much, as bare.
    run --separate-stderr as_root --mem=50M perl -e '$x = "x" x 300_000_000; print "survived\n"'
    ((status != 0)) || fail "it fits"
    lacks "$output" survived
    nothing_left
}

@test "suspend, STOP and CONT, and a time limit reach root's task and all of its processes" {
    start_step -Q --time=1 --container=debian --container-root bash -c "$(counting_program)"
    poll "$SOON" all_count
    scontrol suspend "$JOB"
    poll "$SOON" job_is "$JOB" SUSPENDED
    poll "$SOON" none_counts || fail "something goes on"
    scontrol resume "$JOB"
    poll "$SOON" all_count || fail "not all go on"
    scancel -s STOP "$JOB"
    poll "$SOON" none_counts || fail "something was not stopped"
    scancel -s CONT "$JOB"
    poll "$SOON" all_count || fail "not all continue"
    scontrol update jobid="$JOB" EndTime=now+1
    await_step 100
    ends_as TIMEOUT
    rm "$HOME1"/{daemon,child,program}.out
    nothing_left
}

# --- saving ------------------------------------------------------------------

# may_save [LINE ...]: who is root may save what he has made, in SAVED.
may_save() {
    SAVED=$HOME1/saved
    rm -rf "$SAVED"
    install -d -o berth1 -g berth1 "$SAVED"
    root_conf 'save = yes' 'archives = yes' "$@"
}

# Prints whose each file of the container is and what it is, but for what is
# mounted in it, and for a link of Docker's, which is root's on the node.
FILES='find / -xdev -printf "%p %U %G %m %y %l\n" 2>/dev/null | sort | awk "
    BEGIN { while ((getline line <\"/proc/self/mountinfo\") > 0) { split(line, f, \" \"); mounts[f[5]] = 1 } }
    !(\$1 in mounts) && \$1 != \"/etc/mtab\""'

# A package with a user, a directory of his and a setuid file: r/lab.deb.
lab_deb() {
    as_user bash -ec 'mkdir -p r/p/{DEBIAN,usr/bin,srv/lab}; cd r
        printf "Package: lab\nVersion: 1\nArchitecture: all\nMaintainer: x <x@example.org>\nDescription: x\n" >p/DEBIAN/control
        printf "#!/bin/sh -e\nuseradd -r -d /srv/lab lab\ninstall -d -o lab -g lab /srv/lab/data\nchown lab /srv/lab\nchgrp lab /usr/bin/lab\nchmod 4755 /usr/bin/lab\n" >p/DEBIAN/postinst
        echo "#!/bin/sh" >p/usr/bin/lab; chmod 755 p/DEBIAN/postinst p/usr/bin/lab
        (cd p && md5sum usr/bin/lab >DEBIAN/md5sums)
        dpkg-deb --root-owner-group -b p lab.deb >/dev/null; rm -r p'
}

# members FILE: of the layer that was saved last in it, "NAME UID GID CAPABILITY".
members() {
    local dir=$BATS_TEST_TMPDIR/members
    rm -rf "$dir"
    skopeo copy -q --insecure-policy "docker-archive:$1" "dir:$dir"
    /usr/bin/python3 - "$dir" <<'END'
import json, sys, tarfile
name = json.load(open(sys.argv[1] + "/manifest.json"))["layers"][-1]["digest"][7:]
for m in tarfile.open(sys.argv[1] + "/" + name):
    capability = m.pax_headers.get("SCHILY.xattr.security.capability", "")
    print(m.name, m.uid, m.gid, capability.encode("utf-8", "surrogateescape").hex())
END
}

@test "what root has installed is saved as an image has it, and runs without root and with (threat 114)" {
    may_save
    lab_deb
    run --separate-stderr as_root -w n1 --container-save="$SAVED/a.tar" bash -ec '
        dpkg -i r/lab.deb >/dev/null 2>&1
        useradd -m -u 4000 ann
        install -d -o ann -g lab -m 2770 /srv/shared
        install -o 65534 -g 65535 -m 640 /dev/null /srv/nobodys
        mkdir /opt/many
        for i in 1 7 42 999 1001 65535; do echo x >/opt/many/$i; chown $i:$((65535 - i)) /opt/many/$i; done
        cp /bin/true /opt/many/setuid; chown 7:9 /opt/many/setuid; chmod 6711 /opt/many/setuid
        ln /opt/many/7 /opt/many/hard; ln -s /nowhere /opt/many/link; chown -h 7:9 /opt/many/link
        mkfifo -m 620 /opt/many/fifo; chown ann /opt/many/fifo; mkdir -m 1777 /opt/sticky
        chown -R 42:7 /usr/share/keyrings; chmod 711 /var/lib /opt; chown 0:8 /var/spool; rm /etc/issue
        mv /etc/skel /opt/moved; mkdir -m 750 /etc/skel; touch /etc/skel/new; rm -r /usr/share/doc/bash
        '"$FILES"' >r/files; dpkg -V lab'
    equal "$status" 0
    equal "$output" ""
    contains "$stderr" "saved $SAVED/a.tar: "
    grep -q '^/srv/lab/data [1-9]' "$HOME1/r/files"
    grep -qx '/opt/many/setuid 7 9 6711 f ' "$HOME1/r/files"
    grep -qx '/var/lib 0 0 711 d ' "$HOME1/r/files"
    # As root again, on another node.
    run -0 --separate-stderr as_user srun -Q -w n2 --container="$SAVED/a.tar" --container-root bash -c '
        '"$FILES"' >r/again; dpkg -V lab; id -u ann; su ann -c "id -un; ls -d /srv/shared"'
    equal "$output" $'4000\nann\n/srv/shared'
    equal "$(<"$HOME1/r/again")" "$(<"$HOME1/r/files")"
    # As anybody: the files are the same, as far as they can be seen.
    run --separate-stderr as_user srun -Q -w n2 --container="$SAVED/a.tar" bash -c '
        '"$FILES"' >r/user; dpkg -V lab; dpkg -l lab | grep -c ^ii; lab && /opt/many/setuid && echo ran
        cat /srv/nobodys; id -u; grep CapEff /proc/self/status'
    equal "$output" "1
ran
$UID1
CapEff:	0000000000000000"
    contains "$stderr" "/srv/nobodys: Permission denied"
    equal "$(comm -13 "$HOME1/r/files" "$HOME1/r/user")" ""
    (($(wc -l <"$HOME1/r/user") > 3000)) || fail "only these: $(wc -l <"$HOME1/r/user")"
    # No number of the node's, and nothing of berth's or the engine's.
    run -0 members "$SAVED/a.tar"
    equal "$(awk '$2 > 65535 || $3 > 65535' <<<"$output")" ""
    contains "$output" "etc/.wh.issue 0 0"
    equal "$(grep -E '^((run|proc|sys|dev|tmp)(/| )|etc/(mtab|hosts|hostname|resolv.conf) )' <<<"$output")" ""
    nothing_left
}

@test "a container of root's with a name is saved by a later step, by berth save, and as an image" {
    may_save
    run --separate-stderr as_user salloc -Q -w n1 -n4 --mem=2000 bash -c "
        in_one() { srun -Q -n1 --mem=100 --overlap --container-name=x \"\$@\"; }
        in_one --container=debian --container-root sh -c 'touch /srv/first; chown 7:9 /srv/first'
        in_one --container-save=$SAVED/a.tar sh -c 'touch /srv/second; chown 42:0 /srv/second'
        in_one --no-container-remap-root --container-save=$SAVED/no.tar true
        cd $SAVED && berth save \$SLURM_JOB_ID x b.tar && berth save --replace \$SLURM_JOB_ID x image:rooted"
    equal "$status" 0
    contains "$stderr" "--no-container-remap-root is not what the container was made with"
    local image words
    for image in "$SAVED/a.tar" "$SAVED/b.tar" my/rooted; do
        for words in --container-root --no-container-remap-root; do
            # An image of the user's own is in one engine.
            [[ $image$words != my/*--no-* ]] || is_one || continue
            run -0 --separate-stderr as_user srun -Q -w n1 --container="$image" "$words" stat -c '%n %u:%g' /srv/first /srv/second
            equal "$output" $'/srv/first 7:9\n/srv/second 42:0'
        done
    done
    equal "$(ls -A "$SAVED")" $'a.tar\nb.tar'
    # A name that is taken is so before anything runs, with the engine of who is root.
    run --separate-stderr as_user srun -Q -w n1 --container=debian --container-root --container-save=image:rooted echo ran
    refused "you have an image"
    # And once more, in its own place.
    run -0 as_user srun -Q -w n1 --container=my/rooted --container-root --container-save=image:rooted:replace \
        sh -c 'chown 8 /srv/first; rm /srv/second'
    equal "$(as_user srun -Q -w n1 --container=my/rooted --container-root sh -c 'stat -c "%n %u:%g" /srv/*')" "/srv/first 8:9"
    nothing_left
}

@test "a VOLUME of an image makes no volume of the engine's for who is root either (threat 26)" {
    local before
    root_conf
    is_one || api GET /images/docker.io/berth/volume:latest/get |
        DOCKER_HOST=$ROOT_ENGINE api POST /images/load -H 'Content-Type: application/x-tar' -T - >/dev/null
    before=$(DOCKER_HOST=$ROOT_ENGINE volumes)
    # Docker's is in memory; Podman's is what the image has there, which is nothing.
    run -0 --separate-stderr as_user srun -Q --container=berth/volume --container-root /probe hello
    [[ $BERTH_ENGINE == podman ]] ||
        run -0 --separate-stderr as_user srun -Q --container=berth/volume --container-root /probe touch /data/file
    equal "$(DOCKER_HOST=$ROOT_ENGINE volumes)" "$before"
    nothing_left
}

@test "room is made in the engine of who is root as well" {
    may_save
    DOCKER_HOST=$ROOT_ENGINE forget
    run -0 as_root -w n1 --container-save=image:roomy touch /srv/first
    poll "$SOON" no_collection
    contains "$(as_user berth images -w n1)" my/roomy
    # One of the other engine's by the same name is another.
    run -0 as_user srun -Q -w n1 --no-container-remap-root --container=debian \
        --container-save="image:roomy$(! is_one || echo :replace)" true
    equal "$(grep -c my/roomy <<<"$(as_user berth images -w n1)")" "$(is_one && echo 1 || echo 2)"
    run -0 as_user berth rmi -w n1 my/roomy
    is_one || run -0 as_user berth rmi -w n1 my/roomy
    lacks "$(as_user berth images -w n1)" my/roomy
    run -0 as_root -w n1 --container-save=image:roomy touch /srv/first
    poll "$SOON" no_collection
    touch -d '3 hours ago' "$STATE"/n1/images/*roomy*.json
    root_conf 'save = yes' 'images_max = 1K'
    run -0 berth-images gc
    contains "$output" "removed berth.local/u$UID1/my/roomy:latest"
    equal "$(DOCKER_HOST=$ROOT_ENGINE fetched)" ''
    nothing_left
}

@test "an image without accounts, or /etc, is saved with what root writes and nothing else" {
    may_save
    local root=$BATS_TEST_TMPDIR/root name file
    for name in sh chown mkdir true; do
        install -D "$(type -P "$name")" "$root/bin/$name"
        ldd "$(type -P "$name")" | grep -o '/[^ ]*' | while read -r file; do
            [[ -e $root$file ]] || install -D "$file" "$root$file"
        done
    done
    image berth/bare "$root"
    is_one || tar -C "$root" --numeric-owner -c . | DOCKER_HOST=$ROOT_ENGINE import berth/bare
    run -0 as_user srun -Q -w n1 --container=berth/bare --container-root --container-save="$SAVED/a.tar" \
        sh -c 'echo x >/etc/group; mkdir /new; chown 7 /new'
    equal "$(members "$SAVED/a.tar")" "etc 0 0 
etc/group 0 0 
new 7 0 "
    run -0 as_user srun -Q -w n1 --container=berth/bare --container-root --container-save="$SAVED/b.tar" true
    equal "$(members "$SAVED/b.tar")" ""
    nothing_left
}

@test "what one user has saved as root is another's as any image is: no right of anybody's (threat 115)" {
    may_save
    run -0 as_root -w n1 --container-save="$SAVED/a.tar" bash -ec "
        install -d -o $UID1 -m 700 /srv/private; echo x >/srv/private/x; chown $UID1 /srv/private/x
        cp /usr/bin/id /srv/id; chmod 6755 /srv/id; cp /usr/bin/id /srv/as1; chown $UID1 /srv/as1; chmod 6755 /srv/as1"
    install -o berth2 "$SAVED/a.tar" "$HOME2/carried.tar"
    run -0 --separate-stderr as_other srun -Q -w n1 --container="$HOME2/carried.tar" --container-root bash -c '
        stat -c "%n %u:%g %a" /srv/* /srv/private/x; chown 7 /srv/private/x && stat -c %u /srv/private/x
        tr -s " " </proc/self/uid_map'
    equal "$output" "/srv/as1 $UID1:0 6755
/srv/id 0:0 6755
/srv/private $UID1:0 700
/srv/private/x $UID1:0 644
7
 0 $START2 65536"
    run --separate-stderr as_other srun -Q -w n1 --container="$HOME2/carried.tar" bash -c '
        /srv/id -u; /srv/as1 -u; ls /srv/private; cat /srv/private/x'
    equal "$output" "$(id -u berth2)
$(id -u berth2)"
    equal "$(grep -c denied <<<"$stderr")" 2
    rm "$HOME2/carried.tar"
    nothing_left
}

# outside COMMANDS: has the node's root do that in /srv of a container that is
# then saved. Sets STATUS.
outside() {
    start_step -Q -w n1 --container=debian --container-root --container-mounts="$SAVED:/mnt" --container-save="$SAVED/x.tar" \
        sh -c 'mkdir /srv/d; touch /srv/d/f; cp /bin/true /srv/true; sleep 4246 & echo ready $SLURM_JOB_ID
            until [ -e /mnt/go ]; do sleep 0.1; done'
    poll "$SOON" sleeps 4246
    (cd "/proc/$(sleepers 4246)/root/srv" && bash -ec "$1")
    touch "$SAVED/go"
    await_step 30
    rm "$SAVED/go"
}

@test "a file that is nobody's in the container is in no image, and nothing is saved (threat 116)" {
    may_save "mounts_allowed = {\"$HOME1/**:rw\"}"
    local what
    for what in "chown 0:0 d/f" "chown :0 d/f" "chown $((START + 65536)) d" "chown $UID1 true" \
        "chown $((START - 1)) true" "mkdir n; touch n/x"; do
        outside "$what"
        equal "$what: $STATUS" "$what: 125"
        contains "$(<"$ERR")" "of the node, which the container does not know, and no image can have: remove it"
        equal "$(ls -A "$SAVED")" ""
    done
    nothing_left
}

@test "capabilities of files are any root's in the image, or there is none (threat 116)" {
    may_save "mounts_allowed = {\"$HOME1/**:rw\"}"
    type -P setcap >/dev/null || skip_without setcap
    outside "setcap -n $((START + 7)) cap_net_raw+ep true"
    equal "$STATUS" 125
    contains "$(<"$ERR")" "/srv/true of the container has capabilities that are not its root's"
    equal "$(ls -A "$SAVED")" ""
    outside "setcap -n $START cap_net_raw+ep true; ln true d/hard"
    equal "$STATUS" 0
    # Version 2.
    local capability=0100000200200000000000000000000000000000
    equal "$(members "$SAVED/x.tar" | grep 'srv/[^ ]* [0-9 ]*[1-9]')" "srv/d/hard 0 0 $capability
srv/true 0 0 $capability"
    mv "$SAVED/x.tar" "$SAVED/y.tar"
    run -0 as_user srun -Q -w n1 --container="$SAVED/y.tar" --container-root --container-save="$SAVED/z.tar" \
        sh -c 'rm /srv/d/hard; mv /srv/true /srv/moved; chmod 711 /srv/moved'
    equal "$(members "$SAVED/z.tar" | grep moved)" "srv/moved 0 0 $capability"
    nothing_left
}

@test "a container of a range that its user has no more is not saved by another one's numbers (threat 116)" {
    may_save
    as_user salloc -Q -w n1 -n4 --mem=2000 bash -c "
        srun -Q -n1 --mem=100 --container=debian --container-root --container-name=x true && touch $SAVED/made
        until [ -e $SAVED/go ]; do sleep 0.1; done
        srun -Q -n1 --mem=100 --container-name=x --container-save=$SAVED/a.tar echo ran
        echo ended" >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- 4>&- &
    local pid=$!
    poll 30 test -e "$SAVED/made"
    root_ids "1000000000:${ROOT_IDS#*:}" 'save = yes'
    touch "$SAVED/go"
    wait "$pid" || true
    contains "$(<"$BATS_TEST_TMPDIR/out")" "the policy has changed since: have another container"
    lacks "$(<"$BATS_TEST_TMPDIR/out")" ran
    contains "$(<"$BATS_TEST_TMPDIR/out")" ended
    equal "$(ls -A "$SAVED")" $'go\nmade'
    nothing_left
}
