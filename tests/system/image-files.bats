#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# What an image has where its container has a file system in memory.

# shellcheck disable=SC2154  # output and stderr are bats's
# shellcheck disable=SC2016  # the task's shell expands it
load lib

setup_file() {
    cp -p "$PLUGSTACK_CONF" "$RESTORE"
    { cgroups; echo none; } >"$BATS_FILE_TMPDIR/cgroups"
    usual_policy
    local root=$BATS_FILE_TMPDIR/root
    mkdir "$root"
    tar -C "$root" -xf "${PREFIX%/*}/images/debian.tar"
    mkdir -p "$root"/{opt/tool/db/deep,data,run/mine,tmp/tool,tmp/open,fast}
    echo reference | tee "$root"/opt/tool/db/{ref.txt,deep/ref.txt} >"$root/run/mine/file"
    printf '#!/bin/sh\necho runs\n' >"$root/tmp/tool/prog"
    chmod 755 "$root"/tmp{,/tool,/tool/prog}
    chmod 1777 "$root/tmp/open"
    ln -s /tmp/tool/prog "$root/usr/local/bin/prog"
    ln -sfn /run "$root/var/run"
    ln -s /etc/shadow "$root/tmp/link"
    ln -s tool "$root/tmp/berth"
    mkfifo "$root/data/fifo"
    mknod "$root/data/device" c 1 3
    chmod 666 "$root"/data/{fifo,device}
    cp "$root/usr/bin/id" "$root/data/setuid"
    chmod 4755 "$root/data/setuid"
    echo hidden >"$root/fast/hidden"
    truncate -s 8M "$root/data/large"
    image berth/full "$root" 'VOLUME /opt/tool/db /data /data/inner'
}

in_full() { as_user srun --container=berth/full "$@"; }

@test "what an image has below a VOLUME, /tmp and /run is there" {
    run in_full sh -c 'cat /opt/tool/db/ref.txt /opt/tool/db/deep/ref.txt /var/run/mine/file; prog'
    equal "$output" 'reference
reference
reference
runs'
}

@test "each of these places can be written to, whatever mode the image has there" {
    run in_full sh -c 'for d in /opt/tool/db /data /data/inner /tmp /tmp/open /var/tmp /run; do
        touch $d/new && mkdir $d/dir && mv $d/new $d/dir && echo $d $(stat -c %a $d); done'
    equal "$output" '/opt/tool/db 1777
/data 1777
/data/inner 1777
/tmp 1777
/tmp/open 1777
/var/tmp 1777
/run 1777'
    # The next step finds nothing of it.
    run in_full ls /data /data/inner
    lacks "$output" new
    lacks "$output" dir
}

@test "what an image has there is nobody's to change but its owner's (threat 53)" {
    run in_full sh -c 'for f in /opt/tool/db/ref.txt /tmp/tool/new; do echo x >$f; done
        rm -f /opt/tool/db/ref.txt; rm -rf /tmp/tool; cat /opt/tool/db/ref.txt /tmp/tool/prog'
    contains "$output" Permission
    contains "$output" reference
    contains "$output" 'echo runs'
}

@test "devices and set-user-ID programs that an image has there are worth nothing (threats 22, 27, 52)" {
    run in_full sh -c 'head -c1 /data/device; /data/setuid -u; grep " /data " /proc/self/mountinfo'
    contains "$output" 'Permission denied'
    contains "$output" "$(id -u berth1)"
    contains "$output" 'nosuid,nodev'
    lacks "$(awk '$5 == "/data" { print $6 }' <<<"$output")" ro
}

@test "the size of these places is bounded, and what an image has there costs nothing of it (threat 53)" {
    conf <<EOF
allow = {"berth/**"}
tmp_size = "2M"
EOF
    run in_full sh -c 'wc -c </data/large; head -c 1M /dev/zero >/data/a && echo fits
        head -c 4M /dev/zero >/data/b || echo full
        df -B1 --output=size /data /tmp /run | tail -n3'
    equal "$(grep -v 'write error\|No space' <<<"$output" | tr -d ' ')" '8388608
fits
full
2097152
2097152
2097152'
    nothing_left
}

@test "a mount within such a place is there, and the image's files around it" {
    install -d -o berth1 "$HOME1/image-files"
    echo mine >"$HOME1/image-files/file"
    conf <<EOF
allow = {"berth/**"}
mounts_allowed = {"$HOME1/**:rw"}
EOF
    run in_full --container-mounts="$HOME1/image-files:/tmp/a/b,$HOME1/image-files/file:/data/file,$HOME1/image-files:/run/mine/sub" \
        sh -c 'cat /tmp/a/b/file /data/file /run/mine/sub/file /run/mine/file; prog; ls /run/berth'
    rm -r "$HOME1/image-files"
    equal "$output" 'mine
mine
mine
reference
runs
control
init'
}

@test "a tmpfs that is asked for is empty, whatever the image has there" {
    run in_full --container-mounts=tmpfs:/fast sh -c 'ls -A /fast; touch /fast/new && echo yes'
    equal "$output" yes
}

@test "each of these places is one mount" {
    run in_full sh -c 'for d in /tmp /run /data /opt/tool/db; do findmnt -no TARGET $d; done'
    equal "$output" '/tmp
/run
/data
/opt/tool/db'
}

@test "what two of these places are by a link of the image's is there" {
    local root=$BATS_FILE_TMPDIR/root
    rmdir "$root/var/tmp"
    ln -s ../tmp "$root/var/tmp"
    image berth/linked "$root"
    run as_user srun --container=berth/linked sh -c '/var/tmp/tool/prog; echo x >/var/tmp/new; cat /tmp/new'
    equal "$output" $'runs\nx'
    nothing_left
}
