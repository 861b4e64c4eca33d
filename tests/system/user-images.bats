#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# berth's verbs about images, and about containers that wait for steps: what a
# node says to whom, and what goes for whom.

# shellcheck disable=SC2154  # status, output and lines are bats's
# shellcheck disable=SC2016  # the job's shell expands it
load lib

berth() { as_user berth "$@"; }

setup_file() {
    cp -p "$PLUGSTACK_CONF" "$RESTORE"
    { cgroups; echo none; } >"$BATS_FILE_TMPDIR/cgroups"
    usual_policy
    local root=$BATS_FILE_TMPDIR/root
    mkdir -p "$root"
    cc -static -O1 -o "$root/probe" "$BATS_TEST_DIRNAME/probe.c"
    # Nobody has it yet but as a file.
    image berth/archived "$root"
    api GET /images/docker.io/berth/archived:latest/get >"$BATS_FILE_TMPDIR/archive.tar"
    api DELETE /images/docker.io/berth/archived:latest >/dev/null
}
setup() {
    forget
    policy allow=debian 'allow=berth/**' "allow=${REGISTRY%:*}:*/**" "$ENGINE"
    NAME=verbs-$BATS_TEST_NUMBER-$BERTH_ENGINE
}
teardown() {
    rm -rf "$HOME1"/{.docker,archive.tar} "$HOME2"/{.docker,archive.tar}
    tidy
    forget
}

# make [--private] NAME: an image in a registry.
make() {
    local how=()
    [[ $1 != --private ]] || { how=("$1"); shift; }
    push "${how[@]}" "$1" "$BATS_FILE_TMPDIR/root" >/dev/null
}
login() { # USER'S HOME, NAME:PASSWORD
    install -d -o "$(stat -c %u "$1")" "$1/.docker"
    printf '{"auths":{"%s":{"auth":"%s"}}}\n' "$PRIVATE_REGISTRY" "$(printf %s "$2" | base64)" \
        >"$1/.docker/config.json"
    chown "$(stat -c %u "$1")" "$1/.docker/config.json"
}
# past_client WHAT SRUN'S WORDS: --container-do, of which no client knows.
past_client() {
    bypassing env SLURM_SPANK__SLURM_SPANK_OPTION_berth_container_do="$1" srun -Q "${@:2}"
}
archive() { # USER'S HOME
    cp "$BATS_FILE_TMPDIR/archive.tar" "$1/archive.tar"
    chown "$(stat -c %u "$1")" "$1/archive.tar"
}
events() { grep -o '"event":"[a-z]*"' "$BATS_TEST_TMPDIR/audit" | cut -d'"' -f4 | sort | xargs; }
audited() {
    conf <<<"archives = yes
audit_log = \"$BATS_TEST_TMPDIR/audit\""
}

@test "images: what one may run of what is there, and on which nodes" {
    image berth/here "$BATS_FILE_TMPDIR/root"
    image elsewhere/other "$BATS_FILE_TMPDIR/root"
    run --separate-stderr berth images -w 'n[1-2]'
    equal "$status" 0
    contains "${lines[0]}" "NAME"
    contains "$output" "berth/here:latest"
    contains "$output" "debian:latest"
    lacks "$output" elsewhere
    run --separate-stderr berth images -w 'n[1-2]' --format=NAME,PRIVATE,NODES debian
    equal "$output" $'debian:latest\tno\tn[1-2]'
    run --separate-stderr berth images --json berth/here:latest
    contains "$output" '"name": "berth/here:latest"'
    [[ $output =~ '"size": '[1-9][0-9]*, ]] || fail "no size"
    # On one node, and in its job on the job's.
    run --separate-stderr berth images --format=NODES debian
    [[ $output == n[12] ]] || fail "nodes"
    run --separate-stderr as_user salloc -Q -N2 berth images --format=NODES debian
    equal "$output" 'n[1-2]'
    run --separate-stderr berth images -q debian
    [[ $output =~ ^sha256:[0-9a-f]{64}$ ]] || fail "no ID"
    # Who may run nothing is told so.
    policy "$ENGINE"
    run --separate-stderr berth images --json
    equal "$status$output" '0[]'
    policy allow=debian "$ENGINE"
    conf <<<'deny_users = {"berth1"}'
    run --separate-stderr berth images --json
    equal "$output" '[]'
    one_sentence "$stderr"
    api DELETE /images/docker.io/elsewhere/other:latest >/dev/null
    nothing_left
}

@test "images: of what another user's credentials have brought nothing is shown (threat 94)" {
    make "$NAME:1"
    make --private "$NAME:2"
    login "$HOME1" berth1:berth1
    run berth pull -w n1 "$REGISTRY/$NAME:1" "$PRIVATE_REGISTRY/$NAME:2"
    equal "$status" 0
    run --separate-stderr berth images -w n1 --format=NAME,PRIVATE
    contains "$output" "$REGISTRY/$NAME:1"$'\tno'
    contains "$output" "$PRIVATE_REGISTRY/$NAME:2"$'\tyes'
    run --separate-stderr as_other berth images -w n1 --format=NAME,PRIVATE
    contains "$output" "$REGISTRY/$NAME:1"$'\tno'
    lacks "$output" "$PRIVATE_REGISTRY"
    lacks "$(as_other berth tree -w n1)" "$PRIVATE_REGISTRY"
    nothing_left
}

@test "pull: an image is there for the step that comes, and the policy decides" {
    audited
    make "$NAME:1"
    run --separate-stderr berth pull -w 'n[1-2]' "$REGISTRY/$NAME:1"
    equal "$status" 0
    contains "$stderr" "berth: fetched $REGISTRY/$NAME:1"
    equal "$(grep -c "sha256:\|[0-9a-f]\{12\}" <<<"$output")" 2
    equal "$(find "$STATE" -path '*/images/*.json' | wc -l)" 2
    equal "$(events)" "allow allow pulled pulled"
    run --separate-stderr as_user srun -Q -N2 --container="$REGISTRY/$NAME:1" /probe exit 0
    equal "$status$stderr" 0
    # Again, it is there.
    run --separate-stderr berth pull "$REGISTRY/$NAME:1"
    equal "$status" 0
    lacks "$stderr" fetched
    run --separate-stderr berth pull alpine
    equal "$status" 1
    contains "$stderr" "image docker.io/library/alpine:latest is not allowed"
    run --separate-stderr past_client pull --container=alpine true
    refused "image docker.io/library/alpine:latest is not allowed"
    run --separate-stderr berth pull "$REGISTRY/none/$NAME"
    equal "$status" 1
    one_sentence "$stderr"
    conf <<<'pull = never'
    run --separate-stderr berth pull "$REGISTRY/$NAME-2"
    equal "$status" 1
    one_sentence "$stderr"
    nothing_left
}

@test "load: an archive is on the node as its user's own, and goes by rmi (threat 95)" {
    local id
    audited
    archive "$HOME1"
    run --separate-stderr as_user sh -c 'cd && berth load -w n1 archive.tar'
    equal "$status" 0
    run --separate-stderr berth images -w n1 --format=NAME,ID,PRIVATE
    contains "$output" my/archive:
    contains "$output" yes
    id=$(sed -n 's/^my[^\t]*\tsha256:\([0-9a-f]*\).*/\1/p' <<<"$output")
    run --separate-stderr as_user sh -c 'srun -Q -w n1 --container="$HOME/archive.tar" /probe exit 3'
    equal "$status" 3
    # Nobody else sees it, or takes it away.
    lacks "$(as_other berth images -w n1)" my/
    run --separate-stderr as_other berth rmi -w n1 "$id"
    equal "$status" 1
    contains "$stderr" "you have no image"
    run --separate-stderr past_client remove -w n1 --container="berth.local/u0/archive:$id" true
    refused "you have no image"
    # Where two have the same, it goes with the second.
    archive "$HOME2"
    as_other sh -c 'cd && berth load -w n1 -i archive.tar' >/dev/null
    run --separate-stderr berth rmi -w n1 "my/archive:${id:0:12}"
    equal "$status" 0
    contains "$output" "my/archive:${id:0:12} on n1"
    lacks "$(berth images -w n1)" my/
    contains "$(as_other berth images -w n1)" my/
    contains "$(fetched)" "$id"
    run --separate-stderr as_other berth rmi -w n1 "${id:0:12}"
    equal "$status" 0
    equal "$(fetched)" ""
    contains "$(events)" removed
    # Images of the administrator's are nobody's own.
    run --separate-stderr berth rmi -w n1 debian
    equal "$status" 1
    contains "$stderr" "you have no image"
    nothing_left
}

@test "images, tree, rmi: of two engines one is not there: what the other has, and a sentence" {
    local none=unix:///run/berth-none/none.sock id
    audited
    archive "$HOME1"
    as_user sh -c 'cd && berth load -w n1 archive.tar' >/dev/null
    id=$(fetched)
    conf <<<"root_engine = \"$none\""
    run --separate-stderr berth images -w n1 --format=NAME
    equal "$status" 1
    contains "$output" debian:latest
    contains "$output" my/archive:
    contains "$stderr" "not all images of node n1 are here"
    contains "$stderr" "/run/berth-none/none.sock"
    run --separate-stderr berth tree -w n1 --json
    equal "$status" 1
    contains "$output" debian:latest
    run --separate-stderr past_client list -w n1 true
    equal "$status" 125
    one_sentence "$stderr"
    # The other one has his own alone, and these go without a word.
    policy allow=debian "engine=$none"
    conf <<<"root_engine = \"${ENGINE#engine=}\""
    run --separate-stderr berth images -w n1 --format=NAME
    equal "$status" 1
    [[ $output == my/archive:* ]] || fail "no name"
    contains "$stderr" "/run/berth-none/none.sock"
    run --separate-stderr berth rmi -w n1 "${id:0:12}"
    equal "$status" 0
    equal "$(fetched)" ""
    # None of them.
    conf <<<"root_engine = \"unix:///run/berth-none/other.sock\""
    run --separate-stderr past_client list -w n1 true
    refused "/run/berth-none/none.sock"
    run --separate-stderr berth rmi -w n1 "${id:0:12}"
    equal "$status" 1
    contains "$stderr" "you have no image"
    nothing_left
}

@test "rmi: what a container has stays, and is said to" {
    audited
    archive "$HOME1"
    start_step -w n1 --container="$HOME1/archive.tar" /probe wait
    run --separate-stderr berth rmi -w n1 my/archive
    equal "$status" 1
    contains "$stderr" "you have no image"
    run --separate-stderr berth rmi -w n1 "$(fetched)"
    equal "$status" 1
    contains "$stderr" "stays on node n1"
    scancel "$JOB"
    await_step
    nothing_left
}

@test "tree: images that have layers in common are drawn on them" {
    mkdir -p "$BATS_TEST_TMPDIR/more"
    head -c 3000000 /dev/urandom >"$BATS_TEST_TMPDIR/more/data"
    run --separate-stderr berth tree
    contains "${lines[0]}" LAYERS
    contains "$output" "debian:latest"
    [[ $output =~ [0-9]+\.[0-9]\ MB ]] || fail "no size"
    run --separate-stderr berth tree --json debian
    contains "$output" '"images": "debian:latest"'
    nothing_left
}

@test "rm: a container that waits ends, one that a step is in does not, nor another's (threat 96)" {
    audited
    run --separate-stderr as_user salloc -Q -w n1 -n4 --mem=2000 bash -c '
        named() { srun -Q -n1 --mem=100 --overlap --container-name="$@"; }
        named x --container=debian touch /tmp/mark
        named x ls /tmp
        berth rm x
        named x --container=debian ls /tmp
        named x sh -c ": >a.out; until [ -e b.out ]; do sleep 0.1; done" &
        until [ -e a.out ]; do sleep 0.1; done
        berth rm x; echo "status $?"
        : >b.out; wait
        berth rm y; echo "status $?"
        berth rm $SLURM_JOB_ID.3; echo "status $?"'
    equal "${lines[0]}" mark
    contains "${lines[1]}" " on n1"
    equal "${lines[2]}" "status 1"
    equal "${lines[3]}" "status 1"
    contains "${lines[4]}" ".3 on n1"
    equal "${lines[5]}" "status 0"
    contains "$stderr" "a step is in the container"
    contains "$stderr" "has no container y that waits for a step"
    contains "$(events)" ended
    run --separate-stderr berth rm x
    equal "$status" 2
    contains "$stderr" "write berth rm --job=JOB x"
    nothing_left
}

@test "rm: from outside of the job, by its owner alone" {
    local job
    rm -f "$HOME1"/go.out
    OUT=$(mktemp -p "$BATS_TEST_TMPDIR")
    as_user salloc -Q -w n1 -n2 --mem=1000 bash -c '
        srun -Q -n1 --mem=100 --overlap --container=debian --container-name=x true
        echo "ready $SLURM_JOB_ID"; until [ -e go.out ]; do sleep 0.1; done' \
        </dev/null >"$OUT" 2>&1 3>&- 4>&- &
    SRUN=$!
    poll 30 grep -q '^ready ' "$OUT" || fail "$(cat "$OUT")"
    job=$(sed -n 's/^ready //p' "$OUT")
    run as_other berth rm --job="$job" x
    ((status != 0)) || fail "another user has ended it"
    [[ -n $(pids berth-init) ]] || fail "it is gone"
    run --separate-stderr berth rm --job="$job" x
    equal "$status" 0
    contains "$output" "$job.0 on n1"
    poll "$SOON" no_init || fail "it is still there"
    touch "$HOME1/go.out"
    await_step
    nothing_left
}
no_init() { [[ -z $(pids berth-init) ]]; }

@test "a step that runs nothing is no container, has as many answers as nodes, and its key in berth.conf" {
    run --separate-stderr as_user srun -Q -w n1 -n3 --container-do=list nosuch
    equal "$status$stderr" 0
    equal "$(grep -c '"debian\|/debian' <<<"$output")" 1
    # The environment's defaults are of no matter to it.
    run --separate-stderr as_user env BERTH_CONTAINER_IMAGE=nosuch BERTH_CONTAINER_MOUNTS=/root:/x \
        srun -Q -w n1 --container-do=list true
    equal "$status$stderr" 0
    run --separate-stderr as_user srun -Q --container-do=sing true
    refused "is none of what a step can do"
    run --separate-stderr past_client sing true
    refused "is none of what a step can do"
    run --separate-stderr as_user sbatch -Q -W -o /dev/null --container-do=list --wrap='touch ran.out'
    [[ ! -e $HOME1/ran.out ]] || fail "the script ran"
    conf <<<'options = {"image"}'
    run --separate-stderr berth images --json
    contains "$stderr" "--container-do cannot be used here"
    nothing_left
}
