#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# The --container options on the node. What srun makes of them is in other
# files; mounts are in mounts.bats.

# shellcheck disable=SC2154  # output and stderr are bats's
# shellcheck disable=SC2016  # the task's shell expands it
load lib

setup_file() {
    local dir=$BATS_FILE_TMPDIR/entry
    mkdir -p "$dir"
    cc -static -O1 -o "$dir/probe" "$BATS_TEST_DIRNAME/probe.c"
    image berth/entry-env "$dir" 'ENTRYPOINT ["/probe"]'
    cp -p "$PLUGSTACK_CONF" "$RESTORE"
    { cgroups; echo none; } >"$BATS_FILE_TMPDIR/cgroups"
    usual_policy
}

@test "--container-entrypoint puts the image's entry point in front of the command" {
    run -7 as_user srun -Q --container=berth/entry-env --container-entrypoint exit 7
    # Without it, and in an image that has none, nothing changes.
    run -127 as_user srun -Q --container=berth/entry-env exit 7
    run -127 as_user srun -Q --container=berth/entry-env --no-container-entrypoint exit 7
    equal "$(as_user srun --container=debian --container-entrypoint echo x)" x
    nothing_left
}

@test "--container-workdir says where tasks start" {
    equal "$(as_user srun --container=debian --container-workdir=/usr/share pwd)" /usr/share
    run --separate-stderr as_user srun --container=debian --container-workdir=/absent pwd
    ((status == 125))
    contains "$stderr" /absent
    nothing_left
}

@test "a working directory in /proc, /sys or /dev is refused (threat 34)" {
    local dir
    for dir in /proc /proc/self/fd/7 /proc/self/root /sys/fs /dev/fd /../x relative '/a/../proc'; do
        run --separate-stderr as_user srun --container=debian --container-workdir="$dir" pwd
        refused "--container-workdir"
        # The node says it, too, to a client that does not.
        run --separate-stderr bypassing env SLURM_SPANK__SLURM_SPANK_OPTION_berth_container_image=debian \
            SLURM_SPANK__SLURM_SPANK_OPTION_berth_container_workdir="$dir" srun -Q pwd
        refused "--container-workdir" "node n"
    done
    nothing_left
}

@test "--container-env: the job's value wins over the image's" {
    equal "$(as_user env FROM_IMAGE=no srun --container=berth/env /probe env | sed -n s/^FROM_IMAGE=//p)" yes
    equal "$(as_user env FROM_IMAGE=no srun --container=berth/env --container-env=FROM_IMAGE,NONE /probe env | sed -n s/^FROM_IMAGE=//p)" no
    equal "$(as_user srun --container=berth/env --container-env=FROM_IMAGE /probe env | sed -n s/^FROM_IMAGE=//p)" yes
    nothing_left
}

@test "options that the policy does not let users have are refused by name" {
    conf <<<'options = {"image", "workdir"}
home = allowed
mounts_allowed = {"/srv/**"}'
    as_user srun --container=debian --container-workdir=/usr true
    local option
    for option in --container-mounts=/srv:/srv --container-env=A --container-mount-home \
        --container-entrypoint --container-network=host; do
        run --separate-stderr as_user srun --container=debian "$option" true
        refused "${option%%=*}"
    done
    nothing_left
}
