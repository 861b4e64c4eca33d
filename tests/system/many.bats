#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# Steps over many nodes, each a slurmd of this machine's, with one engine and one
# registry, whose requests are counted.
#
# bats file_tags=alone

# shellcheck disable=SC2154  # status, output, stderr are bats's
load lib

NODES=${BERTH_LONG:+50}
NODES=${NODES:-5}

# cluster NODES: as quickstart up --nodes=NODES, but for all that runs besides.
cluster() {
    # shellcheck disable=SC2016  # the other shell expands these
    bash -euc 'HERE=$(dirname "$QUICKSTART")
        for part in settings process outside images engines registry slurm; do
            . "$HERE/tests/sandbox/$part.bash"
        done
        for node in $(nodes) slurmctld; do stop "$node"; done
        for node in $(nodes); do
            ((${node#n} <= $1)) || rm -rf "$STATE"/{spool,tmp,var/lib/berth}/"$node"
        done
        echo "$1" >"$RUN/nodes"
        slurm_conf "$1" >"$ETC/slurm.conf"
        since=$EPOCHSECONDS
        start_slurmctld
        for node in $(nodes); do start_node "$node"; done
        for node in $(nodes); do must_start "$node" 120 node_is_new "$node" "$since"; done
        ' cluster "$1" 3>&- 4>&-
}

setup_file() {
    cp -p "$PLUGSTACK_CONF" "$RESTORE"
    cluster "$NODES"
    { cgroups; echo none; } >"$BATS_FILE_TMPDIR/cgroups"
    start_front
}
teardown_file() {
    end_front
    cluster 2
    restore_policy
}
setup() {
    policy "allow=${FRONT}0/**" "$ENGINE"
    : >"$FRONT_LOG"
}
teardown() {
    tidy
    forget
}

@test "a step over many nodes asks for each blob once a node, and the next one for nothing" {
    local image=${FRONT}0/plain/bats/many-$BERTH_ENGINE:1 root=$BATS_TEST_TMPDIR/root
    mkdir "$root"
    cc -static -O1 -o "$root/probe" "$BATS_TEST_DIRNAME/probe.c"
    date >"$root/of-this-test"
    push "${image#*/plain/}" "$root" >/dev/null
    run --separate-stderr as_user srun -Q -N "$NODES" --mem=20 --container="$image" /probe hello
    equal "$status" 0
    equal "$(sort <<<"$output" | uniq -c | xargs)" "$NODES hello"
    # The configuration is one.
    equal "$(asked "/bats/many.* blobs")" $((2 * NODES))
    # What the name leads to, and what opens it.
    equal "$(asked "/bats/many.* manifests")" $((2 * NODES))
    : >"$FRONT_LOG"
    run --separate-stderr as_user srun -Q -N "$NODES" --mem=20 --container="$image" /probe hello
    equal "$(sort <<<"$output" | uniq -c | xargs)" "$NODES hello"
    equal "$(asked GET)" 0
    nothing_left 60
}
