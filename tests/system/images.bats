#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# The images that berth has brought: berth-images, and how they go again.

# shellcheck disable=SC2154  # status, output, stderr are bats's
load lib

# Three images of 20 MB, and what a step needs in each.
setup_file() {
    local dir=$BATS_FILE_TMPDIR/root name
    cp -p "$PLUGSTACK_CONF" "$RESTORE"
    { cgroups; echo none; } >"$BATS_FILE_TMPDIR/cgroups"
    mkdir "$dir"
    cc -static -O1 -o "$dir/probe" "$BATS_TEST_DIRNAME/probe.c"
    for name in a b c; do
        head -c 20M /dev/urandom >"$dir/$name"
        push "bats/$name:1" "$dir" >/dev/null
        rm "$dir/$name"
    done
}
setup() { fetching; }
teardown() {
    tidy
    forget
}

fetching() { policy allow=debian 'allow=berth/**' "allow=$REGISTRY/**" "$ENGINE"; }

# use LETTER ...: a step with each of these images.
use() {
    local name
    for name; do
        as_user srun -Q -w n1 --container="$REGISTRY/bats/$name:1" /probe exit 0
    done
    # Nor is an epilog at it any more.
    poll "$SOON" all_idle
    poll "$SOON" no_traces
    poll "$SOON" no_collection
}
# aged LETTER HOURS: it was last used so long ago.
aged() { touch -d "$2 hours ago" "$(record "$1")"; }
record() { grep -lF "/bats/$1:1\"" "$STATE"/n1/images/*.json; }
# there LETTER: the engine has it.
there() {
    local id
    id=$(listed "$1" id) && [[ $id ]] &&
        api GET "/images/berth.local/image:${id#sha256:}/json" | grep -q '"Id"'
}
# listed LETTER KEY: as berth-images has it.
listed() {
    berth-images list --json | python3 -c '
import json, sys
for i in json.load(sys.stdin):
    if i["name"].endswith("/bats/%s:1" % sys.argv[1]):
        print(i[sys.argv[2]])' "$1" "$2"
}

@test "an image that was brought is listed, with who uses it and how often" {
    use a a
    run berth-images list
    equal "$status" 0
    contains "$output" "$REGISTRY/bats/a:1"
    contains "$output" berth1
    lacks "$output" debian
    equal "$(listed a uses)" 2
    equal "$(listed a user)" berth1
    equal "$(listed a private)" False
    (($(listed a size) > 20000000 && $(listed a transferred) > 20000000))
    there a
}

@test "images_max lets those go that were not used for the longest time" {
    use a b c
    aged a 3
    aged b 2
    aged c 1
    conf <<<'images_max = 70M'
    equal "$(berth-images gc)" ''
    there a
    conf <<<'images_max = 50M'
    equal "$(berth-images gc --dry-run)" "would be removed $REGISTRY/bats/a:1"
    there a
    equal "$(berth-images gc)" "removed $REGISTRY/bats/a:1"
    equal "$(listed a id)" ''
    there b
    there c
    # And it can be had again.
    use a
    there a
}

@test "a pinned image stays, and one that was used just now" {
    use a b c
    aged a 3
    aged b 2
    berth-images pin "$REGISTRY/bats/a:1"
    equal "$(listed a pinned)" True
    conf <<<'images_max = 1K'
    equal "$(berth-images gc)" "removed $REGISTRY/bats/b:1"
    there a
    there c
    berth-images unpin "$REGISTRY/bats/a:1"
    equal "$(berth-images gc)" "removed $REGISTRY/bats/a:1"
}

@test "a pin leaves its image's last use and its uses as they are" {
    local used
    use a a
    aged a 3
    used=$(listed a used)
    berth-images pin "$(listed a digest)"
    equal "$(listed a used)" "$used"
    equal "$(listed a uses)" 2
}

@test "an image that a container has stays (threat 87)" {
    use a
    start_step -w n1 --container="$REGISTRY/bats/a:1" /probe wait
    aged a 3
    conf <<<'images_max = 1K'
    run berth-images gc
    equal "$status" 0
    contains "$output" "kept $REGISTRY/bats/a:1: "
    run berth-images remove "$REGISTRY/bats/a:1"
    equal "$status" 1
    contains "$output" "$REGISTRY/bats/a:1 stays: "
    there a
    scancel "$JOB"
    await_step
    nothing_left
    # The job's epilog may have done it, or be about to.
    poll "$SOON" no_collection
    run berth-images remove "$REGISTRY/bats/a:1"
    equal "$(listed a id)" ''
}

@test "what the administrator has put into the engine is never removed (threat 87)" {
    local id
    use a
    id=$(listed a id)
    # Also where it is the same image, by another name.
    api POST "/images/berth.local/image:${id#sha256:}/tag?repo=docker.io/berth/mine&tag=1"
    aged a 3
    conf <<<'images_max = 1K'
    equal "$(berth-images gc)" "removed $REGISTRY/bats/a:1"
    contains "$(api GET /images/docker.io/berth/mine:1/json)" "${id#sha256:}"
    contains "$(api GET /images/docker.io/library/debian:latest/json)" '"Id"'
    api DELETE /images/docker.io/berth/mine:1
}

@test "the epilog makes room in the background" {
    use a
    aged a 3
    conf <<<'images_max = 1K'
    as_user srun -Q -w n1 true
    poll "$SOON" gone_from_engine "$REGISTRY/bats/a:1" || fail "$(berth-images list)"
}
gone_from_engine() { ! berth-images list | grep -qF "$1 "; }

@test "an image whose fetch was killed goes, and not while it is on its way again" {
    local id lock
    use a
    id=$(api GET /images/docker.io/library/debian:latest/json |
        sed -n 's/.*"Id":"\(sha256:\)\?\([0-9a-f]*\)".*/\2/p')
    api POST "/images/docker.io/library/debian:latest/tag?repo=berth.local/image&tag=$id"
    lock=$STATE/n1/images/sha256:$id.id.lock
    exec 8>"$lock"
    flock 8
    berth-images gc
    contains "$(api GET "/images/berth.local/image:$id/json")" '"Id"'
    exec 8>&-
    rm "$lock"
    berth-images gc
    lacks "$(api GET "/images/berth.local/image:$id/json")" '"Id"'
    contains "$(api GET /images/docker.io/library/debian:latest/json)" '"Id"'
    there a
}

@test "an image that somebody removed from the engine is forgotten, and brought again" {
    local id
    use a
    id=$(listed a id)
    contains "$(api DELETE "/images/berth.local/image:${id#sha256:}")" Deleted
    berth-images gc
    equal "$(listed a id)" ''
    use a
    there a
}

@test "a pull brings what the name leads to now, and check tells nodes apart" {
    local dir=$BATS_FILE_TMPDIR/root
    cp "$dir/probe" "$dir/d"
    push bats/d:1 "$dir"
    # It may come before the node's first job.
    poll "$SOON" no_traces
    rm -rf "$STATE/n2"
    run berth-images pull --node=n1 "$REGISTRY/bats/d:1"
    equal "$status" 0
    contains "$output" "$REGISTRY/bats/d:1: "
    contains "$output" sha256:
    berth-images pull --node=n2 "$REGISTRY/bats/d:1"
    run berth-images check --nodes=n1,n2
    equal "$status" 0
    lacks "$output" bats/d:1
    echo other >"$dir/d"
    push bats/d:1 "$dir"
    berth-images pull --node=n2 "$REGISTRY/bats/d:1"
    run berth-images check --nodes=n1,n2
    equal "$status" 1
    contains "$output" "$REGISTRY/bats/d:1 is not the same on all nodes:"
    contains "$output" '  n1'
    contains "$output" '  n2'
    as_user srun -Q -w n2 --container="$REGISTRY/bats/d:1" /probe exit 0
    rm "$dir/d"
}

@test "what berth-images can't do it says" {
    run berth-images remove nothing/like:it
    equal "$status" 1
    contains "$output" 'berth has brought no image nothing/like:it to this node'
    run berth-images list extra
    equal "$status" 2
    run berth-images pull --node=n1 "$REGISTRY/bats/nothing:1"
    equal "$status" 1
    contains "$output" "$REGISTRY/bats/nothing:1"
    run as_user "$PREFIX/sbin/berth-images" list
    equal "$status" 1
}
