#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# What goes wrong with a fetch: registries that misbehave (front.py), users who
# do, and steps that end. Each fault is one sentence, and nothing is left.

# shellcheck disable=SC2154  # status, output, stderr are bats's
load lib

# An image of one program, and one of 20 MB more.
setup_file() {
    local dir=$BATS_FILE_TMPDIR/root
    cp -p "$PLUGSTACK_CONF" "$RESTORE"
    { cgroups; echo none; } >"$BATS_FILE_TMPDIR/cgroups"
    forget
    mkdir "$dir"
    cc -static -O1 -o "$dir/probe" "$BATS_TEST_DIRNAME/probe.c"
    push bats/probe:1 "$dir" >/dev/null
    # Of which no layer is anybody else's.
    echo secret >"$dir/secret"
    push --private bats/secret:1 "$dir" >/dev/null
    rm "$dir/secret"
    # Of two layers, of which the front takes the lower one for a configuration.
    head -c 20M /dev/urandom >"$dir/big"
    tar -C "$dir" -cf "$dir.tar" .
    date >"$dir/small"
    tar -C "$dir" -cf "$dir.small.tar" small
    skopeo copy -q --insecure-policy --dest-tls-verify=false \
        "tarball:$dir.small.tar:$dir.tar" "docker://$REGISTRY/bats/big:1"
    start_front
}
teardown_file() {
    end_front
    restore_policy
}
setup() {
    local i words=()
    for i in 0 1 2 3 4 5 6 7 8 9; do words+=("allow=$FRONT$i/**"); done
    policy allow=debian 'allow=berth/**' "allow=$REGISTRY/**" \
        "allow=$PRIVATE_REGISTRY/**" 'allow=no.such.invalid/**' \
        "allow=${FRONT%3}40/**" "${words[@]}" "$ENGINE"
    : >"$FRONT_LOG"
    shut_gate
}
teardown() {
    [[ -z ${CACHE_PID-} ]] || kill "$CACHE_PID" || true
    [[ -z ${SILENT-} ]] || kill "$SILENT" || true
    [[ -z ${SMALL-} ]] || umount -l "$SMALL" || true
    rm -rf "$HOME1/.docker" "$HOME2/.docker" "${CACHE_CONF-}" "${CACHE_CERTS-}"
    tidy
    forget
}

# What there is of images in the engine that berth has brought, or begun to.
brought() { api GET '/images/json?filters=%7B%22reference%22%3A%5B%22berth.local/image%22%5D%7D'; }

# steps: has a step of one job try each line of standard input, which is a
# reference, all at once. The Nth leaves status, output and standard error in
# TRIED/N, TRIED/N.out and TRIED/N.err.
TRIED=$HOME1/tried-inside
steps() {
    rm -rf "$TRIED"
    # shellcheck disable=SC2016  # the user's shell expands these
    as_user salloc -Q -w n1 -n16 --mem=3000 bash -c '
        n=0
        mkdir "$1"
        while read -r ref; do
            n=$((n + 1))
            {
                srun -Q --overlap --mem=0 -n1 --container="$ref" /probe hello \
                    >"$1/$n.out" 2>"$1/$n.err" </dev/null
                echo $? >"$1/$n"
            } &
        done
        wait' bash "$TRIED"
}

# faults: for each line "REFERENCE|WORDS[|WORDS]" of standard input, a step with
# it ends with 125 and with one sentence that has the words in it.
faults() {
    local table=$BATS_TEST_TMPDIR/table n=0 words
    cat >"$table"
    cut -d'|' -f1 "$table" | steps
    while IFS='|' read -ra words; do
        n=$((n + 1))
        status=$(<"$TRIED/$n")
        output=$(<"$TRIED/$n.out")
        # What was said on the way is no part of it.
        stderr=$(grep -vE '^berth: (fetching|waiting|unpacking|asking) ' "$TRIED/$n.err")
        refused "${words[0]}" "${words[@]:1}"
        equal "$status" 125
    done <"$table"
    equal "$(brought)" '[]'
    nothing_left 30
}

# log_in USER HOST NAME:PASSWORD
log_in() {
    local home=$HOME1
    [[ $1 == berth1 ]] || home=$HOME2
    install -d -o "$1" -m 700 "$home/.docker"
    printf '{"auths":{"%s":{"auth":"%s"}}}\n' "$2" "$(printf %s "$3" | base64)" \
        >"$home/.docker/config.json"
    chown "$1" "$home/.docker/config.json"
}
# _berth's processes.
fetchers() { pgrep -u _berth || true; }
no_fetcher() { [[ -z $(fetchers) ]]; }
fetching() { [[ -n $(fetchers) ]]; }

@test "what a registry answers instead of a manifest is one sentence each" {
    printf 'pull_tries = 2\npull_parallel = 16\n' | conf
    faults <<END
$REGISTRY/bats/nothing:1|no such|check the name
$REGISTRY/bats/probe:2|no such tag|check the name
${FRONT}0/manifest-status-404/bats/probe:1|no such tag
${FRONT}0/manifest-status-401/bats/probe:1|wants credentials|.docker/config.json|docker login
${FRONT}0/manifest-status-403/bats/probe:1|credentials
${FRONT}0/manifest-status-429/bats/probe:1|limits how much is fetched|tried 2 times|mirror
${FRONT}0/manifest-status-500/bats/probe:1|a fault of its own|try later
${FRONT}8/plain/bats/probe:1|a fault of its own|try later
${FRONT}0/manifest-page/bats/probe:1|is no registry|log in to the network
${FRONT}6/plain/bats/probe:1|is no registry|log in to the network
${FRONT}1/plain/bats/probe:1|certificate that the node does not trust|/etc/containers/certs.d
${FRONT}2/plain/bats/probe:1|wants credentials|docker login
${FRONT%3}40/bats/probe:1|connection refused
no.such.invalid/bats/probe:1|finds no way to no.such.invalid
END
}

@test "what a registry sends instead of blobs is one sentence each" {
    printf 'pull_tries = 2\npull_parallel = 16\n' | conf
    faults <<END
${FRONT}0/layer-cut/bats/probe:1|broke off|try later
${FRONT}0/layer-short/bats/probe:1|other bytes than it has said
${FRONT}0/layer-wrong/bats/probe:1|than it has said (its digest differs)
${FRONT}0/config-wrong/bats/probe:1|other bytes than it has said
${FRONT}0/layer-long/bats/probe:1|more of it than it has said
${FRONT}0/layer-status-404/bats/probe:1|lacks a part of it|pushed it
${FRONT}0/layer-status-500/bats/probe:1|a fault of its own
${FRONT}0/layer-to-itself/bats/probe:1|redirects
${FRONT}0/layer-page/bats/probe:1|than it has said
${FRONT}0/made-noconfig/x:1|lacks a part of it
END
}

@test "what is no image, or not for this machine, is refused before any layer" {
    conf <<<'pull_parallel = 16'
    faults <<END
${FRONT}0/made-noarch/x:1|none for linux/|but for linux/s390x, linux/riscv64
${FRONT}0/made-foreign/x:1|linux/s390x
${FRONT}0/made-helm/x:1|no container image|helm
${FRONT}0/made-attestation/x:1|none for linux/
${FRONT}0/made-oversize/x:1|larger than|pull_max
${FRONT}0/made-many/x:1|600 layers
${FRONT}0/made-huge/x:1|larger
${FRONT}0/made-notjson/x:1|malformed
${FRONT}0/made-twice/x:1|malformed
${FRONT}0/made-bigconfig/x:1|too large
${FRONT}0/made-negative/x:1|malformed
${FRONT}0/made-elsewhere/x:1|no container image
END
    # Of a layer, no byte was sent.
    equal "$(grep -c '^end 0 GET .*/blobs/.* 200 [0-9]\{5\}$' "$FRONT_LOG")" 0
}

@test "a bomb, and layers that are not what the image says of them (threats 97, 128)" {
    printf 'pull_max_unpacked = 50M\npull_parallel = 16\n' | conf
    faults <<END
${FRONT}0/made-bomb-150/x:1|larger than the 52 MB|unpacked
${FRONT}0/made-sparse-300/x:1|larger than the 52 MB|unpacked
${FRONT}0/made-paxsparse-300/x:1|larger than the 52 MB|unpacked
${FRONT}0/made-repacked-150/x:1|packed as no image's should be
${FRONT}0/made-passedover-150/x:1|larger than the 52 MB|unpacked
${FRONT}0/made-difflie/x:1|
${FRONT}0/made-notgz/x:1|
${FRONT}0/made-nottar/x:1|
END
}

@test "an image with more labels than anybody reads is in the engine no longer, and others are listed and go (threat 129)" {
    faults <<END
${FRONT}0/made-labelled-1100/x:1|labels|ask the image's author
END
    equal "$(find "$STATE" -path '*/images/*.json')" ''
    # As many as are read of one, and together more than of a list.
    for n in {0..9}; do echo "${FRONT}0/made-labelled-450/x$n:1"; done | steps
    equal "$(fetched | wc -l)" 10
    berth-images gc
    contains "$(as_user berth images -w n1)" made-labelled-450/x1:1
}

@test "a registry that is silent, or sends a byte a second, is given up in time" {
    printf 'pull_seconds = 3\npull_parallel = 9\n' | conf
    faults <<END
${FRONT}5/plain/bats/probe:1|longer than the 3 s|pull_seconds
${FRONT}0/manifest-silent/bats/probe:1|longer than the 3 s
${FRONT}0/config-silent/bats/probe:1|longer than the 3 s
${FRONT}0/layer-silent/bats/probe:1|longer than the 3 s
${FRONT}0/layer-rate-1/bats/probe:1|longer than the 3 s
END
}

@test "a fault that passes is not one" {
    local how n=0
    conf <<<'pull_parallel = 16'
    # The last two: of another host's, and for several architectures.
    for how in manifest-once-503 manifest-once-429 layer-once-503 layer-cutonce \
        layer-to-elsewhere made-list; do
        echo "${FRONT}0/$how/bats/probe:1"
    done | steps
    for ((n = 1; n <= 6; n++)); do
        equal "$(<"$TRIED/$n")$(<"$TRIED/$n.out")" 0hello
    done
}

@test "a layer that broke off is not slow while what came before is passed over" {
    local pace=${BERTH_LONG:+150000} # over a minute for it
    run --separate-stderr as_user srun -Q -w n1 --container="${FRONT}0/layer-resume-${pace:-9000000}/bats/big:1" /probe hello
    equal "$status$output" 0hello
    # A newer skopeo first asks for the rest alone, which the front has not.
    [[ $(asked 'layer-resume.* blobs') == [45] ]] || fail "$(grep layer-resume "$FRONT_LOG")"
    nothing_left
}

# blob FILE NAME: puts it into the registry, for the image NAME. Prints its
# digest and size as JSON has them.
blob() {
    local digest location
    digest=sha256:$(sha256sum <"$1" | cut -d' ' -f1)
    location=$(curl -sS -D- -o /dev/null -X POST "http://$REGISTRY/v2/$2/blobs/uploads/" |
        tr -d '\r' | sed -n 's/^[Ll]ocation: //p')
    curl -sSf -X PUT -H 'Content-Type: application/octet-stream' --data-binary "@$1" \
        "$location&digest=$digest" >&2
    printf '"digest":"%s","size":%s' "$digest" "$(stat -c %s "$1")"
}

@test "what one user's credentials have brought is not had by its digests alone (threat 83)" {
    local dir=$BATS_TEST_TMPDIR trust=(--cacert "/etc/containers/certs.d/$PRIVATE_REGISTRY/ca.crt" -u berth1:berth1)
    local config kind=application/vnd.oci.image
    log_in berth1 "$PRIVATE_REGISTRY" berth1:berth1
    run --separate-stderr as_user srun -Q -w n1 --container="$PRIVATE_REGISTRY/bats/secret:1" /probe hello
    equal "$status$output" 0hello
    # Somebody who has seen the configuration makes an image of it, with a layer
    # of his own that nobody looks at, as the engine has the real one.
    curl -sSf "${trust[@]}" -H "Accept: $kind.manifest.v1+json" \
        "https://$PRIVATE_REGISTRY/v2/bats/secret/manifests/1" >"$dir/manifest"
    config=$(sed 's/.*"config":{[^}]*"digest":"\([^"]*\)".*/\1/' "$dir/manifest")
    curl -sSf "${trust[@]}" -o "$dir/config" "https://$PRIVATE_REGISTRY/v2/bats/secret/blobs/$config"
    tar -C /etc -czf "$dir/layer" hostname
    cat >"$dir/new" <<END
{"schemaVersion":2,"mediaType":"$kind.manifest.v1+json",
 "config":{"mediaType":"$kind.config.v1+json",$(blob "$dir/config" bats/stolen)},
 "layers":[{"mediaType":"$kind.layer.v1.tar+gzip",$(blob "$dir/layer" bats/stolen)}]}
END
    curl -sSf -X PUT -H "Content-Type: $kind.manifest.v1+json" --data-binary "@$dir/new" \
        "http://$REGISTRY/v2/bats/stolen/manifests/1"
    run --separate-stderr as_other srun -Q -w n1 --container="$REGISTRY/bats/stolen:1" /probe hello
    refused 'a layer of it is not what its configuration says'
    equal "$status" 125
}

@test "scancel ends a fetch in each of its phases, and nothing is left" {
    local how
    printf 'pull_parallel = 1\n' | conf
    for how in manifest-silent config-silent layer-silent layer-gate; do
        begin_fetch "${FRONT}0/$how/bats/big:1"
        poll "$SOON" asked_for "$how" || fail "nothing was asked for: $(<"$FRONT_LOG")"
        scancel "$JOB"
        poll "$SOON" no_fetcher || fail "$(pgrep -a -u _berth)"
        await_step
        nothing_left
    done
    # While another has the one turn, or fetches the same.
    begin_fetch "${FRONT}0/layer-gate/bats/big:1"
    FIRST=$JOB
    for how in layer-gate/bats/big:1 plain/bats/probe:1; do
        begin_fetch "${FRONT}0/$how"
        poll "$SOON" grep -q 'waiting for' "$ERR" || fail "$(<"$ERR")"
        scancel "$JOB"
        await_step
        fetching || fail "the first one's fetch has ended"
    done
    scancel "$FIRST"
    poll "$SOON" no_fetcher || fail "$(pgrep -a -u _berth)"
    nothing_left
    equal "$(brought)" '[]'
}
# What is asked for last in that phase.
asked_for() {
    case $1 in
    manifest-*) (($(asked "/$1/.* manifests") > 0)) ;;
    config-*) (($(asked "/$1/.* blobs") > 0)) ;;
    layer-*) (($(asked "/$1/.* blobs") == 3)) ;;
    esac
}
# begin_fetch REFERENCE: a step that is to fetch it. Sets SRUN, JOB, OUT and ERR.
begin_fetch() {
    OUT=$(mktemp -p "$BATS_TEST_TMPDIR")
    ERR=$OUT.err
    "$QUICKSTART" run --user=berth1 -- srun -v -w n1 --mem=50 --container="$1" /probe hello \
        </dev/null >"$OUT" 2>"$ERR" 3>&- 4>&- &
    SRUN=$!
    poll "$SOON" grep -q 'jobid [0-9]*:' "$ERR" || fail "$(<"$ERR")"
    JOB=$(sed -n 's/.*jobid \([0-9]*\):.*/\1/p' "$ERR" | head -n 1)
}

@test "an engine that falls silent between a step's questions and its fetch's is no fetch that took too long" {
    local socket=$BATS_TEST_TMPDIR/silent
    # It answers who connects first, and nobody else.
    perl -MIO::Socket::UNIX -MIO::Select -e '
        my $s = IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 9) or die;
        my $c = $s->accept;
        my $e = IO::Socket::UNIX->new(Peer => $ARGV[1]) or die;
        my $select = IO::Select->new($s, $c, $e);
        my @kept;
        while (my @ready = $select->can_read) {
            for my $from (@ready) {
                if ($from == $s) {
                    push @kept, scalar $s->accept;
                } elsif (sysread $from, my $data, 65536) {
                    syswrite $from == $c ? $e : $c, $data;
                } else {
                    $select->remove($from);
                }
            }
        }' "$socket" "${DOCKER_HOST#unix://}" </dev/null 3>&- 4>&- &
    SILENT=$!
    poll "$SOON" test -S "$socket"
    policy "allow=${FRONT}0/**" "engine=unix://$socket"
    run --separate-stderr as_user srun -Q -w n1 --container="${FRONT}0/plain/bats/probe:1" /probe hello
    refused "the container engine at $socket did not answer in time"
    lacks "$stderr" pull_seconds
    nothing_left
}

@test "processes of the user's that connect to a step's socket on and on hold up no container that is made" {
    local go=$HOME1/turns/go cpu rc=0 flooders=()
    install -d -o berth1 "${go%/*}"
    printf '#!/bin/sh\nuntil test -e %s; do sleep 0.1; done\n' "$go" >"${go%/*}/prolog"
    chmod 755 "${go%/*}/prolog"
    # None of them is a task of the step: that has not begun.
    SLURM_TASK_PROLOG=${go%/*}/prolog begin_fetch "${FRONT}0/layer-gate/bats/big:1"
    poll "$SOON" test -S "$STATE/n1/$JOB.0/task" || fail "$(<"$ERR")"
    # They are faster than berth-stepd, which has little of a CPU that they have.
    cpu=$(taskset -cp $$ | sed 's/.*: \([0-9]*\).*/\1/')
    taskset -cp "$cpu" "$(stepd "$JOB")" >/dev/null
    renice -n 10 "$(stepd "$JOB")" >/dev/null
    for _ in 1 2 3 4; do
        as_user taskset -c "$cpu" perl -MSocket -e '
            until (-e $ARGV[1]) {
                for (1..100) {
                    socket my $s, AF_UNIX, SOCK_SEQPACKET, 0;
                    connect $s, pack_sockaddr_un($ARGV[0]);
                }
            }' "$STATE/n1/$JOB.0/task" "$go" </dev/null 3>&- 4>&- &
        flooders+=($!)
    done
    poll "$SOON" asked_for layer-gate || fail "$(<"$FRONT_LOG")"
    # Until berth-stepd has something to say to the first task.
    fetched_for() { (($(ps -o etimes= -p "$(pgrep -f '^berth-fetch .*layer-gate')") > $1)); }
    poll "$SOON" fetched_for 4
    open_gate
    made() { [[ -n $(step_container) ]]; }
    poll $((3 * SOON)) made || rc=1
    # In any case they are to see it.
    touch "$go"
    poll "$SOON" none_of "${flooders[@]}"
    ((rc == 0)) || fail "no container was made: $(<"$ERR")"
    await_step
    equal "$STATUS" 0
    nothing_left
}

none_of() { ! ps -p "$(IFS=,; echo "$*")" >/dev/null; }

# within PID COMMAND: in the namespaces of a fetch, as its account.
within() {
    nsenter -t "$1" -m -p setpriv --reuid=_berth --regid="$(id -g _berth)" --clear-groups "${@:2}"
}
# What one fetch sees of processes.
seen_by() { within "$1" sh -c 'cat /proc/[0-9]*/cmdline | tr "\0" " "'; }
@test "a fetch sees no other's processes, which are the same account's (threat 133)" {
    begin_fetch "${FRONT}0/layer-gate/bats/big:1"
    FIRST=$JOB
    poll "$SOON" asked_for layer-gate || fail "$(<"$FRONT_LOG")"
    begin_fetch "${FRONT}0/manifest-silent/bats/probe:1"
    poll "$SOON" asked_for manifest-silent || fail "$(<"$FRONT_LOG")"
    output=$(seen_by "$(pgrep -f '^berth-fetch .*manifest-silent')")
    contains "$output" "experimental-image-proxy" manifest-silent
    lacks "$output" layer-gate
    lacks "$output" slurmctld
    scancel "$FIRST" "$JOB"
    poll "$SOON" no_fetcher || fail "$(pgrep -a -u _berth)"
    await_step
    nothing_left
}

@test "skopeo cannot trace berth-fetch, and so not speak to root in its place (threat 133)" {
    begin_fetch "${FRONT}0/layer-gate/bats/big:1"
    poll "$SOON" asked_for layer-gate || fail "$(<"$FRONT_LOG")"
    # Whom the kernel lets a process trace it shows its program as well.
    # shellcheck disable=SC2016  # within
    run within "$(pgrep -f '^berth-fetch .*layer-gate')" sh -c '
        for p in /proc/[0-9]*; do
            echo "$(cat "$p/comm"): $(readlink "$p/exe")"
        done'
    contains "$output" "skopeo: /"
    contains "$output" "berth-fetch: "
    lacks "$output" "berth-fetch: /"
    scancel "$JOB"
    poll "$SOON" no_fetcher || fail "$(pgrep -a -u _berth)"
    await_step
    nothing_left
}

# stepd JOB: the pid of the berth-stepd of its step.
stepd() {
    local pid
    for pid in $(pids berth-stepd); do
        [[ -z $(find "/proc/$pid/fd" -lname "*/$1.0" 2>/dev/null) ]] || echo "$pid"
    done
}
# Two steps of one image, of which the first fetches, and the second waits.
begin_two() {
    local image=${FRONT}0/layer-gate/bats/big:1
    begin_fetch "$image"
    FIRST=$JOB FIRST_SRUN=$SRUN
    poll "$SOON" asked_for layer-gate || fail "$(<"$FRONT_LOG")"
    begin_fetch "$image"
    poll "$SOON" grep -q 'waiting for another step' "$ERR" || fail "$(<"$ERR")"
}
# The first one's step is over, and nothing is left of it.
is_over() { gone "$FIRST_SRUN" && [[ ! -e $STATE/n1/$FIRST.0 ]]; }

@test "a fetch that others wait for goes on for them, and is not begun again" {
    local how
    for how in scancel kill; do
        begin_two
        case $how in
        scancel) scancel "$FIRST" ;;
        kill) kill -KILL "$(stepd "$FIRST")" ;;
        esac
        poll "$SOON" is_over || fail "$FIRST lasts: $(programs)"
        fetching || fail "the fetch has ended"
        open_gate
        await_step 60
        equal "$STATUS/$(<"$OUT")" 0/hello
        equal "$(asked 'layer-gate/.* blobs')" 3
        equal "$(asked 'layer-gate/.* manifests')" 2
        nothing_left
        forget
        : >"$FRONT_LOG"
        shut_gate
    done
    # Until nobody is left.
    begin_two
    scancel "$FIRST"
    poll "$SOON" is_over || fail "$FIRST lasts: $(programs)"
    fetching || fail "the fetch has ended"
    scancel "$JOB"
    poll "$SOON" no_fetcher || fail "$(pgrep -a -u _berth)"
    await_step
    nothing_left
    equal "$(brought)" '[]'
}

# Where the engine keeps what is loaded until all of it is there.
half_loaded() { find "${STATE%/var/*}/$BERTH_ENGINE/tmp" -mindepth 1 2>/dev/null | sort; }

@test "a berth-stepd that is killed while the engine loads leaves no image, and the next step has it" {
    local before
    before=$(half_loaded)
    begin_fetch "${FRONT}0/layer-gate/bats/big:1"
    poll "$SOON" asked_for layer-gate
    # The engine has the lower one by now, where it keeps what it is sent.
    poll "$SOON" eval '[[ $(half_loaded) != "$before" ]]' ||
        fail "nothing has come"
    kill_stepds
    poll "$SOON" no_fetcher || fail "$(pgrep -a -u _berth)"
    await_step 60
    nothing_left 60
    equal "$(brought)" '[]'
    poll "$SOON" eval '[[ $(half_loaded) == "$before" ]]' || equal "$(half_loaded)" "$before"
    run --separate-stderr as_user srun -Q -w n1 --container="${FRONT}0/plain/bats/big:1" /probe hello
    equal "$status$output" 0hello
}

@test "a token comes from where the registry says, for the credentials of this registry alone" {
    local image
    for image in "${FRONT}9/plain/bats/probe:1" "${FRONT}3/plain/bats/probe:1"; do
        run --separate-stderr as_user srun -Q -w n1 --container="$image" /probe hello
        equal "$status$output" 0hello
        nothing_left
        forget
    done
    # Asked at the other host, by nobody.
    (($(asked 7 GET /token) > 0)) || fail "$(<"$FRONT_LOG")"
    equal "$(asked 7 GET '/token.* berth')" 0
    log_in berth1 "${FRONT}9" berth1:berth1
    run --separate-stderr as_user srun -Q -w n1 --container="${FRONT}3/plain/bats/probe:1" /probe hello
    equal "$status$output" 0hello
    equal "$(asked 'GET /token.* berth')" 0
    nothing_left
    forget
    log_in berth1 "${FRONT}3" berth1:berth1
    run --separate-stderr as_user srun -Q -w n1 --container="${FRONT}3/plain/bats/probe:1" /probe hello
    equal "$status$output" 0hello
    (($(asked 7 GET '/token.* berth1:berth1') > 0)) || fail "$(<"$FRONT_LOG")"
    # Elsewhere the token is all that is shown.
    equal "$(asked '/v2/.* berth1:')" 0
}

@test "a disk that is full in the middle of a load has nothing half on it, and one sentence is said" {
    SMALL=${STATE%/var/*}/$BERTH_ENGINE/tmp
    mount -t tmpfs -o size=8M,mode=1777 tmpfs "$SMALL"
    run --separate-stderr as_user srun -Q -w n1 --container="${FRONT}0/plain/bats/big:1" /probe hello
    stderr=$(grep -vE '^berth: (fetching|waiting|unpacking|asking) ' <<<"$stderr")
    refused "the disk of its container engine is full"
    equal "$(find "$STATE" -path '*/images/*.json')" ''
    poll "$SOON" eval '[[ -z $(half_loaded) ]]' || fail "left: $(half_loaded)"
    nothing_left
    # Podman has what was cut off open until its memory is collected, and to
    # list images it writes there as well.
    umount -l "$SMALL"
    SMALL=
    equal "$(brought)" '[]'
    run --separate-stderr as_user srun -Q -w n1 --container="${FRONT}0/plain/bats/big:1" /probe hello
    equal "$status$output" 0hello
}

@test "nobody but the account that fetches has a connection to a registry" {
    local uid lines
    uid=$(id -u _berth)
    begin_fetch "${FRONT}0/layer-gate/bats/big:1"
    poll "$SOON" asked_for layer-gate
    lines=$(ss -Htne state established dst "${FRONT%:*}" | grep -E ":(2682|2683)[0-9] " |
        awk '$4 ~ /:(2682[01]|2683[0-9])$/' | grep -v "^.*uid:$uid ")
    # Those of the front to the registry behind it are its own.
    equal "$(grep -v ':26820 ' <<<"$lines")" ''
    open_gate
    await_step 60
    equal "$(<"$OUT")" hello
}

@test "a user's fetches that hang leave others a turn, and the image that they seem to bring (threat 132)" {
    local other=${FRONT}0/plain/bats/probe:1
    printf 'pull_parallel = 2\npull_seconds = 300\n' | conf
    begin_fetch "${FRONT}0/layer-gate/bats/big:1"
    poll "$SOON" asked_for layer-gate || fail "$(<"$FRONT_LOG")"
    FIRST=$JOB
    begin_fetch "$other"
    poll "$SOON" grep -q 'waiting for' "$ERR" || fail "$(<"$ERR")"
    # The same image by another name, and another image.
    for image in "${FRONT}0/plain/bats/big:1" "$other"; do
        run --separate-stderr as_other srun -Q -w n1 --mem=50 --container="$image" /probe hello
        equal "$status$output" 0hello
        equal "$(squeue -hj "$FIRST" -o %t)" R
    done
    scancel "$FIRST"
    await_step 60
    poll "$SOON" no_fetcher || fail "$(pgrep -a -u _berth)"
    nothing_left
}

# page WORD: the block of doc/admin.md that has it, between its lines of ```.
page() {
    awk -v word="$1" '/^```/ { if (inside && index(block, word)) printf "%s", block
                              inside = !inside; block = ""; next }
                      inside { block = block $0 "\n" }' "${QUICKSTART%/*}/doc/admin.md"
}

@test "a cache as doc/admin.md has it asks the registry once, whoever fetches how often" {
    local dir=$BATS_TEST_TMPDIR cache=${REGISTRY%:*}:26850 etc=${SLURM_CONF%/*} before
    CACHE_CONF=/etc/containers/registries.conf.d/berth-quickstart-cache.conf
    CACHE_CERTS=/etc/containers/certs.d/$cache
    page remoteurl: | sed "s,/var/lib/docker-registry,$dir/cache,; s,0.0.0.0:5000,$cache,
        s,/etc/docker/registry/cache,$etc/registry,g; s,https://registry-1.docker.io,http://${FRONT}0," >"$dir/cache.yml"
    page 'registry.mirror' | sed "s,docker.io,hub.example,; s,cache.cluster:5000,$cache," >"$CACHE_CONF"
    install -D -m 644 "$etc/registry.crt" "$CACHE_CERTS/ca.crt"
    docker-registry serve "$dir/cache.yml" >"$dir/log" 2>&1 3>&- 4>&- &
    CACHE_PID=$!
    poll "$SOON" curl -sf --cacert "$etc/registry.crt" "https://$cache/v2/" || fail "$(tail -n 3 "$dir/log")"
    policy 'allow=hub.example/**' "$ENGINE"
    run --separate-stderr as_user srun -Q -w n1 --container=hub.example/plain/bats/big:1 /probe hello
    equal "$status$output" 0hello
    contains "$(berth-images list)" hub.example/plain/bats/big:1
    poll "$SOON" eval '[[ $(find "$dir/cache" -name data -size +10M) ]]' || fail "nothing is stored"
    before=$(asked 'GET /v2/plain/bats/big/blobs')
    ((before > 0)) || fail "the cache asked nobody"
    poll "$SOON" no_traces
    forget
    run --separate-stderr as_user srun -Q -w n2 --container=hub.example/plain/bats/big:1 /probe hello
    equal "$status$output" 0hello
    equal "$(asked 'GET /v2/plain/bats/big/blobs')" "$before"
    # What the cache has not, and the registry neither.
    run --separate-stderr as_user srun -Q -w n1 --container=hub.example/plain/bats/big:2 /probe hello
    refused 'no such tag'
}

# Whether berth-archive is stopped with what it brings begun, and not done. From
# one call to the next it gets a little further.
stopped_bringing() {
    pkill -STOP -x berth-archive || return 1
    # One that has ended is not stopped.
    [[ $(ps -o state= -C berth-archive) != T ]] ||
        ! compgen -G "$STATE/n1/images/*.id.lock" >/dev/null || return 0
    pkill -CONT -x berth-archive
    sleep 0.002
    pkill -STOP -x berth-archive
    return 1
}
@test "who stops the process that reads his archive of an image keeps nobody from fetching it (threat 132)" {
    local image=${FRONT}0/plain/bats/big:1 reader user
    printf 'archives = yes\npull_seconds = 60\n' | conf
    run --separate-stderr as_user srun -Q -w n1 --container="$image" /probe hello
    equal "$status$output" 0hello
    nothing_left
    api GET "/images/berth.local/image:$(fetched)/get" | xz -0 >"$HOME1/big.tar.xz"
    forget
    as_user srun -Q -w n1 --mem=50 --container="$HOME1/big.tar.xz" true </dev/null >/dev/null 2>&1 3>&- 4>&- &
    SRUN=$!
    poll "$SOON" stopped_bringing || fail "nothing brings it"
    reader=$(pgrep -x berth-archive)
    # His own step has the name, for which the other's waits.
    for user in as_user as_other; do
        run --separate-stderr "$user" srun -Q -w n1 --mem=50 --container="$image" /probe hello
        equal "$status$output" 0hello
    done
    equal "$(ps -o state= -p "$reader")" T
    rm "$HOME1/big.tar.xz"
    scancel -n bats
    poll "$SOON" gone "$SRUN"
    nothing_left
}
