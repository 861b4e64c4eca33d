#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# The words in plugstack.conf: what they allow, from when on, and what
# happens if they are wrong.

load lib

# allowed IMAGE / denied IMAGE: by the client, and by the node on its own.
# An image that is not there counts as allowed: then it is looked for.
allowed() {
    run --separate-stderr try bypassing srun --container="$1" true
    lacks "$stderr" "not allowed"
    run --separate-stderr try as_user srun --container="$1" true
    lacks "$stderr" "not allowed"
}
try() { "$@" || return 1; }
denied() {
    run --separate-stderr bypassing srun --container="$1" true
    refused "not allowed" "$1" "$PLUGSTACK_CONF line 1"
    run --separate-stderr as_user srun --container="$1" true
    refused "not allowed" "$1" "$PLUGSTACK_CONF line 1"
}

@test "an edit holds from the next step, within one job, without a restart" {
    local dir=$HOME1/turns
    install -d -o berth1 "$dir"
    as_user salloc -Q bash -c 'for i in 1 2 3; do
            while [ ! -e turns/$i ]; do sleep 0.05; done
            srun --container=berth/probe /probe hello >turns/out$i 2>&1; touch turns/done$i
        done' 3>&- &
    policy allow=debian "$ENGINE"; touch "$dir/1"; poll "$SOON" test -e "$dir/done1"
    usual_policy; touch "$dir/2"; poll "$SOON" test -e "$dir/done2"
    policy "$ENGINE"; touch "$dir/3"; poll "$SOON" test -e "$dir/done3"
    wait $!
    contains "$(cat "$dir/out1")" "not allowed"
    equal "$(cat "$dir/out2")" hello
    contains "$(cat "$dir/out3")" "allows no image"
    rm -r "$dir"
}

@test "nothing is allowed that no word allows (threats 37, 47)" {
    policy allow=debian "$ENGINE"
    denied fedora
    denied library/debian2
    denied evil.example.org/library/debian
    denied evil.example.org:5000/debian
    denied localhost/debian
    denied docker.io/other/debian
    policy "$ENGINE"
    denied debian
}

@test "a name without a tag allows every tag, one with a tag those that match" {
    policy allow=debian "$ENGINE"
    allowed debian
    allowed debian:absent
    allowed docker.io/library/debian
    allowed index.docker.io/library/debian:latest
    policy allow=debian:1.\* "$ENGINE"
    allowed debian:1.2
    denied debian
    denied debian:2.1
}

@test "stars match within a part of the name, two of them any number of parts (threat 38)" {
    policy 'allow=registry.example.org/team/*' 'allow=berth/**' "$ENGINE"
    allowed registry.example.org/team/app
    denied registry.example.org/team/app/more
    denied registry.example.org/teams/app
    allowed berth/probe
    allowed berth/a/b/c
    denied docker.io/berthx/a
}

@test "a pattern of many stars takes no time (threat 38)" {
    local start=$SECONDS
    policy "allow=$(printf 'a*%.0s' {1..40})b" "$ENGINE"
    denied "$(printf 'a%.0s' {1..120})"
    ((SECONDS - start < 10))
}

@test "an allowed tag does not allow a digest of somebody else's choice (threat 37)" {
    local digest
    digest=sha256:$(printf '0%.0s' {1..64})
    policy allow=debian:latest "$ENGINE"
    denied "debian@$digest"
    denied "debian:latest@$digest"
    policy "allow=debian@$digest" "$ENGINE"
    allowed "debian@$digest"
    denied debian
}

@test "the reason names the image, the file and what is allowed, at submission" {
    run --separate-stderr as_user srun --container=fedora true
    refused docker.io/library/fedora "$PLUGSTACK_CONF" debian 'berth/**'
    printf '#!/bin/sh\ntrue\n' >"$HOME1/job.sh"
    run --separate-stderr as_user sbatch --container=fedora job.sh
    refused docker.io/library/fedora "$PLUGSTACK_CONF" debian 'berth/**'
    run --separate-stderr as_user salloc --container=fedora true
    refused docker.io/library/fedora "$PLUGSTACK_CONF" debian 'berth/**'
    printf '#!/bin/sh\n#SBATCH --container=fedora\ntrue\n' >"$HOME1/job.sh"
    run --separate-stderr as_user sbatch job.sh
    refused docker.io/library/fedora "$PLUGSTACK_CONF" debian 'berth/**'
    rm "$HOME1/job.sh"
}

# broken WORD ...: a policy with this mistake, in its second line, refuses
# containers by file, line and word, and leaves bare steps alone.
broken() {
    printf '# a comment\nrequired %s %s\n' "$PLUGIN" "$*" >"$PLUGSTACK_CONF.new"
    mv "$PLUGSTACK_CONF.new" "$PLUGSTACK_CONF"
    run --separate-stderr as_user srun --container=debian true
    refused "$PLUGSTACK_CONF line 2" "$BAD"
    run --separate-stderr bypassing srun --container=debian true
    refused "$PLUGSTACK_CONF line 2" "$BAD"
    run --separate-stderr as_user srun echo bare
    equal "$output/$stderr" bare/
}

@test "an unknown key names file, line and word, and refuses containers only" {
    BAD=alow=debian broken allow=debian alow=debian "$ENGINE"
    BAD=nonsense broken nonsense allow=debian "$ENGINE"
    nothing_left
}

@test "a malformed pattern names file, line and word, and refuses containers only" {
    local word
    for word in allow= allow=UPPER allow=/tmp/x 'allow=a//b' 'allow=debian:' 'allow=debian@sha256:12' \
        'allow=a,b' 'allow=https://debian' 'allow=**/..'; do
        BAD=$word broken allow=debian "$word" "$ENGINE"
    done
    nothing_left
}

@test "a wrong engine address names file, line and word (threat 8)" {
    local word
    for word in engine=tcp://127.0.0.1:2375 engine=unix://relative engine=/run/docker.sock engine= engine=unix:///run/; do
        BAD=$word broken allow=debian "$word"
    done
    BAD=$ENGINE broken allow=debian "$ENGINE" "$ENGINE"
    nothing_left
}

@test "the engine's address may be any Unix socket" {
    local link=$BATS_TEST_TMPDIR/some.sock
    chmod 755 "$BATS_TEST_TMPDIR"
    ln -s "${DOCKER_HOST#unix://}" "$link"
    policy allow=debian "engine=unix://$link"
    equal "$(in_container echo works)" works
    nothing_left
}

@test "the plugin's line may be in an included file, and is found there" {
    local dir=${PLUGSTACK_CONF%/*}/plugstack.d
    install -d "$dir"
    echo "include $dir/*.conf" >"$PLUGSTACK_CONF.new"
    mv "$PLUGSTACK_CONF.new" "$PLUGSTACK_CONF"
    printf '\n\nrequired %s allow=debian %s\n' "$PLUGIN" "$ENGINE" >"$dir/berth.conf"
    run --separate-stderr as_user srun --container=fedora true
    local said=$stderr
    equal "$(in_container echo works)" works
    rm -r "$dir"
    contains "$said" "$dir/berth.conf line 3"
}

@test "hundreds of words, and a line that is too long" {
    local i words=()
    for i in {1..60}; do
        words+=("allow=registry.example.org/team$i/*")
    done
    policy "${words[@]}" allow=debian "$ENGINE"
    equal "$(in_container echo works)" works
    # Slurm cuts a line of 4096 bytes, which would make another policy of it.
    for i in {61..140}; do
        words+=("allow=registry.example.org/team$i/*")
    done
    policy allow=debian "$ENGINE" "${words[@]}"
    run --separate-stderr as_user srun --container=debian true
    # Slurm itself complains of the rest, which it takes for another line.
    stderr=$(grep -v 'error: spank: ' <<<"$stderr")
    refused "$PLUGSTACK_CONF line 1" "longer than"
}
