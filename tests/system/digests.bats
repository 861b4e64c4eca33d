#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# A name that leads to one image on one node, and to another on the next.

# shellcheck disable=SC2154  # status, output, stderr are bats's
load lib

setup_file() {
    cp -p "$PLUGSTACK_CONF" "$RESTORE"
    { cgroups; echo none; } >"$BATS_FILE_TMPDIR/cgroups"
    mkdir "$BATS_FILE_TMPDIR/root"
    cc -static -O1 -o "$BATS_FILE_TMPDIR/root/probe" "$BATS_TEST_DIRNAME/probe.c"
    start_front
}
teardown_file() {
    end_front
    restore_policy
}
setup() {
    forget
    policy allow=debian 'allow=berth/**' "allow=${REGISTRY%:*}:*/**" "$ENGINE"
    IMAGE=$REGISTRY/digests-$BATS_TEST_NUMBER-$BERTH_ENGINE
}
teardown() {
    tidy
    forget
}


# move TEXT: has the tag 1 lead to another image, in which TEXT is.
move() {
    echo "$1" >"$BATS_FILE_TMPDIR/root/text"
    push "${IMAGE#*/}:1" "$BATS_FILE_TMPDIR/root" >/dev/null
}
# What the tag leads to now.
digest() { "$LIBEXEC/berth-fetch" --resolve "$IMAGE:1"; }

# requests: how many there were of this test's image.
requests() { grep -v ^end "$FRONT_LOG" | grep -c "/${IMAGE#*/}" || true; }

# apart: n1 has what the tag led to before it has moved, n2 what since then.
apart() {
    move before
    as_user srun -Q -w n1 --container="$IMAGE:1" /probe exit 0
    BEFORE=$(digest)
    move after
    as_user srun -Q -w n2 --container="$IMAGE:1" /probe exit 0
    AFTER=$(digest)
    [[ $BEFORE != "$AFTER" ]]
}

# texts SRUN'S WORDS: what a task on each node has.
texts() { run --separate-stderr as_user srun "$@" /probe show /text; }

@test "a step over nodes that have two images by one name says so, once, and how to have one" {
    local digest
    apart
    texts -Q -N2 --ntasks-per-node=3 --container="$IMAGE:1"
    equal "$status" 0
    equal "$(sort -u <<<"$output")" $'after\nbefore'
    one_sentence "$stderr"
    contains "$stderr" "srun: error: berth: $IMAGE:1 is not the same on all nodes of this step"
    contains "$stderr" ' on node n1'
    contains "$stderr" ' on node n2'
    contains "$stderr" 'berth-images check'
    # As it says.
    digest=$(grep -o "$IMAGE@sha256:[0-9a-f]*" <<<"$stderr")
    [[ $digest == "$IMAGE@$BEFORE" || $digest == "$IMAGE@$AFTER" ]]
    texts -N2 -n2 --container="$digest"
    equal "$status" 0
    equal "$(sort -u <<<"$output" | wc -l)" 1
    lacks "$stderr" 'not the same'
    nothing_left
}

@test "nodes that have the same image are not spoken of, nor who asks for a digest" {
    move same
    as_user srun -Q -w n1 --container="$IMAGE:1" /probe exit 0
    as_user srun -Q -w n2 --container="$IMAGE:1" /probe exit 0
    texts -Q -N2 --ntasks-per-node=3 --container="$IMAGE:1"
    equal "$status/$stderr/$(sort -u <<<"$output")" 0//same
    # What srun sends along for it is not the tasks'.
    run as_user srun -Q -N2 --container=debian sh -c 'env | grep -i spank || true'
    equal "$output" ''
    nothing_left
}

@test "what the administrator has put into the engine is compared as well" {
    local name=berth/digests dir=$BATS_FILE_TMPDIR/root
    conf <<<'reuse = "default"'
    echo before >"$dir/text"
    image "$name" "$dir" >/dev/null
    OUT=$BATS_TEST_TMPDIR/out ERR=$BATS_TEST_TMPDIR/err
    # n1 keeps its container, and n2 makes one when the name has moved.
    as_user salloc -Q -N2 -n2 --mem=2000 bash -c "
        srun -Q -N1 -n1 -w n1 --container=$name /probe show /text
        until [ -e go.out ]; do sleep 0.05; done
        srun -N2 -n2 --container=$name /probe show /text" \
        </dev/null >"$OUT" 2>"$ERR" 3>&- 4>&- &
    SRUN=$!
    poll 30 grep -qx before "$OUT" || fail "no step came up: $(cat "$OUT" "$ERR")"
    echo after >"$dir/text"
    image "$name" "$dir" >/dev/null
    touch "$HOME1/go.out"
    await_step 30
    equal "$STATUS" 0
    equal "$(sort "$OUT")" $'after\nbefore\nbefore'
    contains "$(<"$ERR")" "$name:latest is not the same on all nodes of this step"
    equal "$(grep -c berth: "$ERR")" 1
    nothing_left
}

@test "an srun without the plugin has nothing compared, and the step runs" {
    apart
    run --separate-stderr bypassing srun -Q -N2 -n2 --container="$IMAGE:1" /probe show /text
    equal "$status/$stderr" 0/
    equal "$(sort <<<"$output")" $'after\nbefore'
    nothing_left
}

@test "with resolve = submit a tag is one image on all nodes, and who submits asks for it" {
    conf <<<'resolve = "submit"'
    apart
    texts -N2 -n2 --container="$IMAGE:1"
    equal "$status/$(sort -u <<<"$output")" 0/after
    lacks "$stderr" 'not the same'
    start_step -N2 -n2 --container="$IMAGE:1" /probe wait
    contains "$(squeue -h -j "$JOB" -O Container:300)" "$IMAGE:1@$AFTER"
    scancel "$JOB"
    await_step
    # A job that waits has been told as well.
    JOB=$(as_user sbatch --parsable --hold -N2 --container="$IMAGE:1" --wrap=true)
    contains "$(squeue -h -j "$JOB" -O Container:300)" "$IMAGE:1@$AFTER"
    scancel "$JOB"
    nothing_left
}

@test "nodes that have the digest ask nobody for it, nor do the steps of a job that is there" {
    local image=${FRONT}0/plain/${IMAGE#*/} before
    conf <<<'resolve = "submit"'
    move first
    as_user srun -Q -w n1 --container="$image:1" /probe exit 0
    as_user srun -Q -w n2 --container="$image:1" /probe exit 0
    before=$(requests)
    as_user srun -Q -N1 --container="$image:1" /probe exit 0
    equal "$(requests)" "$before"
    # srun's is the only one.
    texts -Q -N2 -n4 --container="$image:1"
    equal "$status/$stderr/$(sort -u <<<"$output")" 0//first
    equal "$(($(requests) - before))" 1
    before=$(requests)
    run allocation "srun -Q --container=$image:1 -n2 /probe show /text; srun -Q -N2 --container=$image:1 /probe show /text"
    equal "$status/$(sort -u <<<"$output")" 0/first
    equal "$(requests)" "$before"
    nothing_left
}

@test "a digest is an image of the name in front of it, and no other's (threat 134)" {
    local digest
    move private
    run --separate-stderr as_user srun -Q -w n1 --container="$IMAGE:1" /probe show /text
    equal "$status$output" 0private
    # By which Podman finds it, whatever is in front.
    digest=$(api GET "/images/berth.local/image:$(fetched)/json" |
        grep -o 'berth.local/image@sha256:[0-9a-f]*' | sed 's/.*@//' | head -n 1)
    conf <<<'pull = never'
    run --separate-stderr bypassing srun -Q -w n1 --container="debian@${digest:-$(digest)}" /probe show /text
    refused "does not have it"
    nothing_left
}

@test "a registry that cannot be asked costs a line, and no step" {
    conf <<<'resolve = "submit"'
    run --separate-stderr as_user srun -N2 -n2 --container=debian true
    equal "$status" 0
    contains "$stderr" "what docker.io/library/debian:latest is could not be asked here, so each node goes by what it has"
    equal "$(grep -c berth: <<<"$stderr")" 1
    nothing_left
}

@test "many nodes at once ask a registry for each blob once a node" {
    local image=${FRONT}0/plain/${IMAGE#*/}:1 many=${BERTH_LONG:+50} i pids=()
    many=${many:-6}
    move many
    for ((i = 1; i <= many; i++)); do
        "$PREFIX/sbin/berth-images" pull --node="many$i" "$image" \
            >"$BATS_TEST_TMPDIR/$i" 2>&1 3>&- 4>&- &
        pids+=($!)
    done
    for i in "${pids[@]}"; do
        wait "$i" || fail "$(cat "$BATS_TEST_TMPDIR"/*)"
    done
    rm -rf "$STATE"/many*
    # The configuration is one.
    equal "$(grep -v ^end "$FRONT_LOG" | grep -c "/${IMAGE#*/}/.* blobs$")" $((2 * many))
    # berth-images asks what the tag leads to; then what leads to the manifest,
    # and what opens it.
    (($(grep -v ^end "$FRONT_LOG" | grep -c "/${IMAGE#*/}/.* manifests$") <= 3 * many))
    nothing_left
}
