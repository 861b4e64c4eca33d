#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# Who a task is, what it may do and what it sees of the node.

load lib

@test "user, group and supplementary groups are as bare, also by name" {
    equal "$(in_container id)" "$(as_user srun id)"
    equal "$(as_other srun --container=debian id)" "$(as_other srun id)"
}

@test "whoami and id -un print the user's name" {
    equal "$(in_container sh -c 'whoami; id -un')" $'berth1\nberth1'
}

@test "the image's own users and groups are still there" {
    run as_user srun --container=berth/passwd /probe show /etc/passwd
    contains "$output" 'shipmate:x:4242:4242:Of the image:/nowhere:/bin/false'
    contains "$output" 'berth1:x:'
    run as_user srun --container=berth/passwd /probe show /etc/group
    contains "$output" 'shipmates:x:4242:'
    contains "$output" 'berthgrp1:'
    run in_container getent passwd root www-data nobody
    equal "$status" 0
    equal "${#lines[@]}" 3
}

@test "an image without /etc gets the user's entries" {
    run as_user srun --container=berth/probe /probe show /etc/passwd
    equal "$status" 0
    contains "$output" 'berth1:x:'
}

@test "an image whose /etc/passwd leads elsewhere shows nothing of the node (threat 10)" {
    run as_user srun --container=berth/symlink /probe show /etc/passwd
    lacks "$output" 'root:$'
    lacks "$output" 'root:*'
    run as_user srun --container=berth/symlink /probe show /etc/group
    lacks "$output" PATH=
    nothing_left
}

@test "an image whose /run is a link gets no mount over its /etc (threat 23)" {
    run as_user srun --container=berth/runlink /probe hello
    # Run or refuse, but not on the host, and leave nothing.
    [[ $output == hello || -z $output ]]
    [[ ! -e /etc/berth ]]
    nothing_left
}

@test "no capability, no new privileges, seccomp (threats 27, 30, 33)" {
    run in_container grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status
    equal "$output" "CapInh:	0000000000000000
CapPrm:	0000000000000000
CapEff:	0000000000000000
CapBnd:	0000000000000000
CapAmb:	0000000000000000
NoNewPrivs:	1
Seccomp:	2"
}

@test "a setuid program and one with capabilities in the image gain nothing (threat 27)" {
    local ids
    ids="$(id -u berth1) $(id -u berth1) $(id -g berth1) $(id -g berth1)"
    equal "$(as_user srun --container=berth/setuid /setuid ids)" "$ids"
    equal "$(as_user srun --container=berth/setuid /probe stat /setuid)" "106755 0 0"
    run as_user srun --container=berth/setuid /capable show /proc/self/status
    contains "$output" "CapEff:	0000000000000000"
}

@test "USER, ENTRYPOINT, HEALTHCHECK and WORKDIR of an image count for nothing (threats 28, 34, 45)" {
    local uid
    uid=$(id -u berth1)
    run as_user srun --container=berth/entrypoint /probe ids
    equal "$status" 0
    contains "$output" "$uid $uid"
    run as_user srun --container=berth/image-workdir /probe cwd
    equal "$status" 0
    equal "$output" "$HOME1"
    start_step --container=debian sh -c "$(waiter)"
    run api GET "/containers/$(step_container)/json"
    contains "$output" '"WorkingDir":"/"'
    scancel "$JOB"
}

@test "a container's own pid, mount, and IPC namespaces (threats 31, 54)" {
    local ns inside
    inside=$(in_container sh -c 'for n in pid mnt ipc; do readlink /proc/self/ns/$n; done; echo $$; ls /dev/shm')
    for ns in pid mnt ipc; do
        lacks "$inside" "$(readlink /proc/self/ns/$ns)"
    done
    run in_container sh -c 'ls -d /proc/[0-9]* | wc -l'
    ((output < 8)) || fail "a container sees the node's processes"
}

@test "two users' and two steps' /dev/shm and /tmp are apart (threat 54)" {
    start_step --container=debian sh -c "$(waiter 'touch /dev/shm/mine /tmp/mine /var/tmp/mine')"
    run as_other srun -w "$(job_says "$JOB" NodeList)" --container=debian \
        find /dev/shm /tmp /var/tmp -name mine
    equal "$status" 0
    equal "$output" ""
    scancel "$JOB"
}

@test "the root of a container is read-only, /tmp is writable and bounded (threat 53)" {
    run in_container sh -c 'touch /tmp/a /var/tmp/a && ! touch /a /etc/a /usr/a 2>/dev/null && echo yes'
    equal "$output" yes
    run in_container sh -c 'df --output=target,size /tmp /var/tmp /run /dev/shm'
    local target size
    while read -r target size; do
        [[ $target == Mounted ]] || ((size > 0 && size <= $(awk '/MemTotal/ { print $2 }' /proc/meminfo))) ||
            fail "$target has $size"
    done < <(awk 'NR > 1' <<<"$output")
}

@test "the working directory is the submit directory, and what is written there is the user's" {
    run as_user srun --container=debian sh -c 'pwd; echo text >from-inside; mkdir made-inside'
    equal "$output" "$HOME1"
    equal "$(stat -c '%U %G %a' "$HOME1/from-inside")" "berth1 berth1 644"
    equal "$(stat -c '%U %G' "$HOME1/made-inside")" "berth1 berth1"
    equal "$(cat "$HOME1/from-inside")" text
    rm -r "$HOME1/from-inside" "$HOME1/made-inside"
}

@test "a directory named by --chdir is mounted, whatever its name (threat 18)" {
    local dir
    for dir in 'x:etc:rw' 'with space' 'ünï' "it's" 'back\slash' '%s%n' 'a,b=c' 'q"q'; do
        install -d -o berth1 "$HOME1/$dir"
        run --separate-stderr as_user srun --chdir="$HOME1/$dir" --container=debian sh -c 'pwd && touch here'
        if [[ $BERTH_ENGINE == podman && $dir == *[,\"]* ]]; then
            # Its API has no way to say so.
            refused "$HOME1/$dir" comma
        else
            equal "$output" "$HOME1/$dir"
            [[ -e $HOME1/$dir/here ]] || fail "nothing came to $dir"
        fi
        rm -r "${HOME1:?}/$dir"
    done
}

@test "a directory's name is never read as options of a mount (threats 18, 20)" {
    local dir seen
    for dir in x,src=/etc x,source=/root x,dst=/opt x,ro x,suid,dev x,bind-propagation=shared; do
        install -d -o berth1 "$HOME1/$dir"
        run --separate-stderr as_user srun --chdir="$HOME1/$dir" --container=debian \
            sh -c 'pwd; ls; touch here'
        seen=$output
        if [[ $BERTH_ENGINE == podman ]]; then
            refused "$HOME1/$dir" comma
        else
            equal "$seen" "$HOME1/$dir"
        fi
        rm -r "$HOME1"/x,*
    done
    nothing_left
}

@test "the working directory's mount is nosuid and nodev (threat 22)" {
    run in_container sh -c 'grep " $PWD " /proc/self/mountinfo'
    equal "$status" 0
    contains "$output" nosuid
    contains "$output" nodev
    install -m 6755 "$BATS_SUITE_TMPDIR/probe/probe" "$HOME1/rootly"
    run as_user srun --container=debian ./rootly ids
    equal "$output" "$(id -u berth1) $(id -u berth1) $(id -g berth1) $(id -g berth1)"
    rm "$HOME1/rootly"
}

@test "every mount of berth's in a container is nosuid and nodev (threat 22)" {
    local mounts
    mounts=$(in_container cat /proc/self/mountinfo)
    for target in /run/berth/init /run/berth/control /etc/passwd /etc/group "$HOME1" /tmp; do
        grep " $target " <<<"$mounts" | grep nosuid | grep -q nodev ||
            fail "$target: $(grep " $target " <<<"$mounts")"
    done
    for target in /run/berth/init /run/berth/control /etc/passwd /etc/group; do
        grep -q " $target ro,\| $target [a-z,]*\bro\b" <<<"$mounts" || fail "$target is writable: $mounts"
    done
}

@test "what is mounted below the working directory on the node does not come along (threat 21)" {
    install -d -o berth1 "$HOME1/below"
    mount -t tmpfs tmpfs "$HOME1/below"
    touch "$HOME1/below/secret"
    run in_container ls "$HOME1/below"
    poll "$SOON" umount "$HOME1/below"
    rmdir "$HOME1/below"
    lacks "$output" secret
}

@test "a working directory that turns into a link at the wrong moment leads nowhere (threat 16)" {
    local flip seen
    # Between a directory of the user's and one that nobody may have.
    install -d -o berth1 "$HOME1/flip" "$HOME1/flip/real"
    as_user sh -c "cd flip; touch go; mv real now
        while [ -e go ]; do
            mv now real; ln -s '$LIBEXEC' now; rm now; mv real now
        done" 2>/dev/null 3>&- &
    flip=$!
    run as_user salloc -Q -n8 bash -c 'for i in {1..40}; do
            while (($(jobs -rp | wc -l) >= 4)); do wait -n; done
            srun -n1 --exact --mem=10 --chdir="$HOME/flip/now" --container=debian \
                sh -c "pwd; ls" 2>&1 &
        done; wait'
    rm "$HOME1/flip/go"
    wait "$flip" || true
    rm -rf "$HOME1/flip"
    lacks "$output" berth-stepd$'\n'
    nothing_left
}

@test "a directory that the user can't enter is not mounted (threat 17)" {
    run --separate-stderr as_user srun --chdir="$HOME2" --container=debian sh -c 'pwd; ls'
    # Slurm itself goes to /tmp instead.
    [[ $output != "$HOME2"* ]] || fail "another user's home"
}

@test "the node's own directories are never mounted as working directory (threat 20)" {
    local dir
    for dir in /etc /etc/alternatives /usr/share /proc /sys /dev /run /var/run /boot /bin /var/log; do
        [[ -d $dir ]] || continue
        run --separate-stderr as_user srun --chdir="$dir" --container=debian pwd
        refused "which no container gets" || fail "$dir"
    done
    nothing_left
}

@test "the root directory as working directory is the container's own (threat 20)" {
    run as_user srun --chdir=/ --container=berth/probe /probe stat /etc/slurm
    [[ $output != 4* ]]
    run as_user srun --chdir=/ --container=debian sh -c 'pwd; cat /etc/os-release'
    equal "$status" 0
    equal "${lines[0]}" /
}

@test "no process of the job has a way to the engine (threats 9, 58)" {
    local pid socket=${DOCKER_HOST#unix://}
    start_step --container=debian sh -c "$(waiter)"
    for pid in $(pids berth-task) $(pids berth-init) $(grep -lz '^sleep' /proc/[0-9]*/cmdline | cut -d/ -f3); do
        # Connected sockets have their peer's path in ss only; count them.
        run bash -c "ls -l /proc/$pid/fd 2>/dev/null | grep -c socket"
        case $(readlink "/proc/$pid/exe") in
        */berth-task) ((output <= 2)) || fail "berth-task has $output sockets" ;;
        esac
    done
    run in_container sh -c "ls $socket /run/docker.sock /var/run/docker.sock 2>/dev/null; true"
    equal "$output" ""
    [[ $(stat -c '%U' "$socket") == root ]]
    (($(stat -c '%a' "$socket") % 10 == 0)) || fail "others may talk to the engine"
    scancel "$JOB"
}

@test "berth-stepd can't be traced or read by the user (threat 9)" {
    local pid
    start_step --container=debian sh -c "$(waiter)"
    pid=$(pids berth-stepd)
    [[ -n $pid ]]
    run as_user ls "/proc/$pid/fd"
    ((status != 0)) || fail "the user reads berth-stepd's descriptors"
    equal "$(stat -c %U "/proc/$pid/environ")" root
    equal "$(tr -d '\0' <"/proc/$pid/environ" | wc -c)" 0
    scancel "$JOB"
}

@test "a user's environment has no effect on berth-stepd (threats 6, 8)" {
    export LD_PRELOAD=/nonexistent.so DOCKER_HOST_SAVED=$DOCKER_HOST
    run --separate-stderr as_user env -u LD_PRELOAD DOCKER_HOST=unix:///nonexistent \
        HTTP_PROXY=http://127.0.0.1:1 http_proxy=http://127.0.0.1:1 ALL_PROXY=http://127.0.0.1:1 \
        SLURM_JOB_UID=0 SLURM_JOB_USER=root SLURM_JOB_GID=0 BERTH_STEP=/nonexistent \
        srun --container=debian id -u
    unset LD_PRELOAD DOCKER_HOST_SAVED
    equal "$status" 0
    equal "$output" "$(id -u berth1)"
}

@test "the image's environment comes first, and the job's wins (threat 43)" {
    run as_user env HOME_WANTED=1 srun --container=berth/env /probe env
    contains "$output" FROM_IMAGE=yes
    contains "$output" NVIDIA_VISIBLE_DEVICES=void
    lacks "$output" NVIDIA_VISIBLE_DEVICES=all
    lacks "$output" SLURM_JOB_ID=999
    equal "$(grep -c ^SLURM_JOB_ID= <<<"$output")" 1
    equal "$(grep ^HOME= <<<"$output")" "HOME=$HOME1"
}

@test "the engine is told NVIDIA_VISIBLE_DEVICES=void whatever the image says (threats 43, 48)" {
    start_step --container=debian sh -c "$(waiter)"
    run api GET "/containers/$(step_container)/json"
    contains "$output" '"NVIDIA_VISIBLE_DEVICES=void"'
    lacks "$output" NVIDIA_VISIBLE_DEVICES=all
    scancel "$JOB"
}

@test "secrets of the user's environment are not shown by the engine (threat 68)" {
    export TOKEN_OF_MINE=swordfish
    start_step --container=debian sh -c "$(waiter)"
    unset TOKEN_OF_MINE
    run api GET "/containers/$(step_container)/json"
    contains "$output" '"Id"'
    lacks "$output" swordfish
    scancel "$JOB"
}

@test "a VOLUME of an image makes no volume of the engine's (threat 26)" {
    local before
    before=$(volumes)
    run as_user srun --container=berth/volume /probe touch /data/file
    equal "$status" 0
    equal "$(volumes)" "$before"
    run --separate-stderr as_user srun --container=berth/badvolume /probe hello
    refused volume
    equal "$(volumes)" "$before"
    nothing_left
}

@test "an image's labels are not taken for berth's (threats 45, 59)" {
    run as_user srun --container=berth/labels /probe hello
    equal "$output" hello
    nothing_left
}

@test "a container is made of an image ID, not of a name (threat 39)" {
    start_step --container=debian sh -c "$(waiter)"
    run api GET "/containers/$(step_container)/json"
    [[ $output =~ \"Image\":\"(sha256:)?[0-9a-f]{64}\" ]] || fail "no ID"
    lacks "$output" '"Image":"debian'
    scancel "$JOB"
}

@test "the request asks for nothing that weakens a container (threats 31, 33, 36)" {
    start_step --container=debian sh -c "$(waiter)"
    run api GET "/containers/$(step_container)/json"
    contains "$output" '"Privileged":false'
    contains "$output" '"PublishAllPorts":false'
    lacks "$output" unconfined
    lacks "$output" '"PidMode":"host"'
    lacks "$output" '"IpcMode":"host"'
    contains "$output" no-new-privileges
    scancel "$JOB"
    run in_container sh -c 'head -c1 /proc/kcore || head -c1 /proc/sysrq-trigger' 2>/dev/null
    ((status != 0)) || fail "the kernel's memory is there"
    run in_container sh -c 'echo x >/proc/sys/kernel/hostname || ls /sys/firmware | grep .'
    ((status != 0)) || fail "the kernel's settings are there"
}
