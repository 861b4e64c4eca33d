# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# Makes the images that the tests need, most of one static program, once in a
# sandbox.
# shellcheck shell=bash

setup_suite() {
    local dir=$BATS_SUITE_TMPDIR here root made
    here=$(dirname "${BASH_SOURCE[0]}")
    mkfifo "$dir/silent"
    root=$dir/probe
    mkdir -p "$root"
    cc -static -O1 -o "$root/probe" "$here/probe.c"
    # The engine's socket goes with the sandbox.
    made=$(dirname "${DOCKER_HOST#unix://}")/test-images
    if ! cksum "$here"/{setup_suite.bash,probe.c} | cmp -s - "$made"; then
        rm -f "$made"
        make_images
        cksum "$here"/{setup_suite.bash,probe.c} >"$made"
    fi
}

# Images are told apart by who made them, as well as by their names.
make_images() {
    image() { "$QUICKSTART" image "$@"; }
    # No shell, no libc, no /etc.
    image berth/probe "$root"
    image berth/env "$root" 'ENV NVIDIA_VISIBLE_DEVICES=all' \
        'ENV SLURM_JOB_ID=999' 'ENV FROM_IMAGE=yes' 'ENV HOME=/image'
    image berth/volume "$root" 'VOLUME /data'
    image berth/badvolume "$root" 'VOLUME /proc/data'
    image berth/image-workdir "$root" 'WORKDIR /proc/self/fd/7'
    image berth/entrypoint "$root" 'ENTRYPOINT ["/probe", "exit", "77"]' \
        'HEALTHCHECK --interval=1s CMD /probe touch /tmp/healthy' 'USER 0:0'
    image berth/labels "$root" 'LABEL berth.nonce=00000000000000000000000000000000' \
        'LABEL berth.job=1' 'LABEL berth.step=1.0' 'LABEL berth.uid=0'

    # With files that an image should not have.
    cp -a "$root" "$dir/passwd"
    mkdir "$dir/passwd/etc"
    echo 'shipmate:x:4242:4242:Of the image:/nowhere:/bin/false' >"$dir/passwd/etc/passwd"
    echo 'shipmates:x:4242:' >"$dir/passwd/etc/group"
    image berth/passwd "$dir/passwd"
    cp -a "$root" "$dir/symlink"
    mkdir "$dir/symlink/etc"
    ln -s /../../../../../../etc/shadow "$dir/symlink/etc/passwd"
    ln -s /proc/1/environ "$dir/symlink/etc/group"
    image berth/symlink "$dir/symlink"
    cp -a "$root" "$dir/runlink"
    ln -s /etc "$dir/runlink/run"
    mkdir "$dir/runlink/etc"
    image berth/runlink "$dir/runlink"
    cp -a "$root" "$dir/setuid"
    cp "$dir/setuid/probe" "$dir/setuid/setuid"
    chmod 6755 "$dir/setuid/setuid"
    cp "$dir/setuid/probe" "$dir/setuid/capable"
    ! command -v setcap >/dev/null || setcap cap_sys_admin+ep "$dir/setuid/capable"
    image berth/setuid "$dir/setuid"
}
