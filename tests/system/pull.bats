#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# Images that come to a node by themselves: from a registry, by way of one that
# misbehaves as it is told (front.py), which also counts what it is asked.

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
    # A number of its own for each test's images.
    NAME=pull-$BATS_TEST_NUMBER-$BERTH_ENGINE
}
teardown() {
    shut_gate
    rm -f /etc/containers/registries.conf.d/berth-quickstart-mirror.conf
    rm -rf "$HOME1/.docker" "$HOME2/.docker"
    tidy
    forget
}

# make [--private] NAME [BYTES]: an image that can be run, with so much in it.
make() {
    local root=$BATS_TEST_TMPDIR/root how=()
    [[ $1 != --private ]] || { how=("$1"); shift; }
    rm -rf "$root"
    cp -r "$BATS_FILE_TMPDIR/root" "$root"
    head -c "${2:-100000}" /dev/urandom >"$root/data"
    push "${how[@]}" "$1" "$root" >/dev/null
}

nothing_fetched() { equal "$(fetched)" ""; }
records() { find "$STATE" -path '*/images/*.json' | wc -l; }

# requests: how many there were in this test. asked counts those of the file.
requests() { grep -v ^end "$FRONT_LOG" | grep -c "/$NAME/\|/$NAME" || true; }
# Of which one is the configuration, which each fetch wants.
blobs() { grep -v ^end "$FRONT_LOG" | grep -c "$NAME.* blobs$" || true; }
manifests() { grep -v ^end "$FRONT_LOG" | grep -c "$NAME.* manifests$" || true; }

login() { # USER'S HOME, REGISTRY, NAME:PASSWORD
    local home=$1
    install -d -o "$(stat -c %u "$home")" "$home/.docker"
    printf '{"auths":{"%s":{"auth":"%s"}}}\n' "$2" "$(printf %s "$3" | base64)" \
        >"$home/.docker/config.json"
    chown "$(stat -c %u "$home")" "$home/.docker/config.json"
}

@test "the first step fetches once a node, and the next not at all" {
    local image=${FRONT}0/plain/$NAME:1 before
    make "$NAME:1"
    run --separate-stderr as_user srun -Q -N2 -n8 --container="$image" /probe exit 0
    equal "$status" 0
    equal "$(grep -c "berth: fetched $image" <<<"$stderr")" 1
    equal "$(records)" 2
    (($(blobs) >= 3 && $(blobs) <= 4)) || fail "$(blobs) blobs"
    # What leads to the manifest, and what opens it.
    (($(manifests) <= 4))
    before=$(requests)
    run --separate-stderr as_user srun -Q -N2 -n8 --container="$image" /probe exit 0
    equal "$status$stderr" 0
    equal "$(requests)" "$before"
    nothing_left
}

@test "of twenty steps at once of one image one fetches" {
    local image=${FRONT}0/plain/$NAME:1
    make "$NAME:1" 5000000
    as_user salloc -Q -w n1 -n16 --mem=3000 bash -c '
        for i in {1..20}; do
            srun -Q --overlap --mem=0 -n1 --container='"$image"' /probe exit 0 &
            pids="$pids $!"
        done
        for p in $pids; do wait $p || exit 1; done'
    equal "$(blobs)" 2
    equal "$(manifests)" 2
    nothing_left
}

@test "no more images are fetched at a time than pull_parallel says, and one less for one user" {
    local i before='' now
    conf <<<'pull_parallel = 3'
    for i in {1..4}; do make "$NAME-$i:1"; done
    as_user salloc -Q -w n1 -n16 --mem=3000 bash -c '
        for i in {1..4}; do
            srun -Q --overlap --mem=0 -n1 --container='"${FRONT}0/layer-gate/$NAME"'-$i:1 /probe exit 0 &
            pids="$pids $!"
        done
        for p in $pids; do wait $p || exit 1; done' 3>&- 4>&- &
    # Two of them with a process that fetches.
    poll 60 eval '(($(pids berth-stepd | wc -l) == 6 && $(blobs) == 4))' || fail "$(programs) $(<"$FRONT_LOG")"
    equal "$(pids berth-fetch | wc -l)" 2
    open_gate
    while [[ -d /proc/$! ]]; do
        # One may end, and the next begin, while /proc is read: those are at a
        # time that were there when it was read before as well.
        now=$(pids berth-fetch)
        (($(comm -12 <(sort <<<"$before") <(sort <<<"$now") | grep -c .) <= 2)) ||
            fail "$(programs)"
        before=$now
        sleep 0.05
    done
    wait $!
    equal "$(blobs)" 8
    nothing_left
}

@test "a name that is not allowed is asked nobody for (threat 47)" {
    policy allow=debian "$ENGINE"
    run --separate-stderr bypassing srun --container="${FRONT}0/plain/$NAME:1" true
    refused "is not allowed"
    equal "$(requests)" 0
    conf <<<"deny = {\"${FRONT}0/**\"}"
    policy "allow=${FRONT}0/**" "$ENGINE"
    run --separate-stderr bypassing srun --container="${FRONT}0/plain/$NAME:1" true
    refused "is denied"
    equal "$(requests)" 0
    # A mode lets it run where the node has it, and no more.
    local mode
    for mode in warn audit; do
        conf <<<"mode = $mode"
        policy allow=debian "$ENGINE"
        run --separate-stderr bypassing srun --container="${FRONT}0/plain/$NAME:1" true
        refused "may be run, but the container engine of node" "only its mode"
    done
    equal "$(requests)" 0
    nothing_left
}

@test "nobody can ask for what is there by a name of berth's own (threat 84)" {
    local tag
    make "$NAME:1"
    as_user srun -Q -w n1 --container="$REGISTRY/$NAME:1" /probe exit 0
    tag=$(fetched)
    policy 'allow=**' "$ENGINE"
    run --separate-stderr bypassing srun -w n1 --container="berth.local/image:$tag" /probe exit 0
    refused "names that begin with berth.local are berth's own"
    nothing_left
}

@test "the first task hears how far the fetch is, and how long it took" {
    make "$NAME:1" 1200000
    run --separate-stderr as_user srun -w n1 -n2 --container="${FRONT}0/layer-rate-300000/$NAME:1" /probe exit 0
    equal "$status" 0
    # Once, and every five seconds from there.
    grep -x "berth: fetching ${FRONT}0/layer-rate-300000/$NAME:1: [01] of 1 MB, [2-6] s" <<<"$stderr"
    equal "$(grep -c '^berth: fetching .*, [2-6] s$' <<<"$stderr")" 1
    equal "$(grep -c '^berth: fetched .*: 1\.[2-9] MB in [0-9]* s$' <<<"$stderr")" 1
    nothing_left
}

@test "on a terminal one line of it takes the place of the other" {
    local seen
    make "$NAME:1" 1200000
    seen=$(script -qec "$QUICKSTART run -- srun -Q -w n1 --pty --container=${FRONT}0/layer-rate-300000/$NAME:1 /probe exit 0" /dev/null </dev/null)
    grep -q $' of 1 MB, [0-9]* s\r\e\[Kberth: fetched ' <<<"$seen" || fail "$seen"
    nothing_left
}

@test "of several nodes the first one tells of the fetch, and less often" {
    make "$NAME:1" 2600000
    run --separate-stderr as_user srun -Q -N2 -n4 --container="${FRONT}0/layer-rate-300000/$NAME:1" /probe exit 0
    equal "$status" 0
    equal "$(grep -c '^berth: fetching' <<<"$stderr")" 1
    equal "$(grep -c '^berth: fetched' <<<"$stderr")" 1
    nothing_left
}

# A fetch that lasts: SRUN and JOB, as start_step has them.
start_fetch() {
    OUT=$(mktemp -p "$BATS_TEST_TMPDIR")
    ERR=$OUT.err
    "$QUICKSTART" run --user=berth1 -- srun -w n1 --container="$1" /probe exit 0 \
        </dev/null >"$OUT" 2>"$ERR" 3>&- 4>&- &
    SRUN=$!
    poll "$SOON" layer_comes || fail "no fetch: $(cat "$ERR")"
    JOB=$(squeue -hn bats -o %i)
}

layer_comes() { (($(blobs) >= 2)); }

@test "scancel ends a fetch at once, and nothing is left of it" {
    make "$NAME:1" 3000000
    start_fetch "${FRONT}0/layer-gate/$NAME:1"
    scancel "$JOB"
    await_step
    # By SIGTERM, and not by SIGKILL after KillWait.
    equal "$STATUS" 143
    poll "$SOON" no_fetch || fail "left: $(pids berth-fetch)"
    nothing_left
    nothing_fetched
    equal "$(records)" 0
}
no_fetch() { [[ -z $(pids berth-fetch) && -z $(pgrep -u _berth) ]]; }

@test "scancel ends the wait for a registry that is silent, and for one's turn" {
    local first
    make "$NAME:1" 3000000
    conf <<<'pull_parallel = 1'
    start_fetch "${FRONT}0/layer-gate/$NAME:1"
    first=$SRUN/$JOB
    as_user sbatch -Q -w n1 -o /dev/null --wrap "srun --container=${FRONT}0/plain/$NAME:1 /probe exit 0"
    poll "$SOON" two_stepds || fail "no second step"
    scancel "$(squeue -hn bats -o %i | grep -vx "$JOB")"
    poll "$SOON" one_stepd || fail "it waits: $(programs)"
    SRUN=${first%/*} JOB=${first#*/}
    scancel "$JOB"
    await_step
    nothing_left
    "$QUICKSTART" run --user=berth1 -- srun -w n1 --container="${FRONT}5/plain/$NAME:1" /probe exit 0 \
        </dev/null >/dev/null 2>&1 3>&- 4>&- &
    SRUN=$!
    poll "$SOON" is_fetching || fail "no fetch: $(programs)"
    scancel -n bats
    await_step
    poll "$SOON" no_fetch || fail "left: $(pids berth-fetch)"
    nothing_left
    nothing_fetched
}
# The first one with a process that fetches.
two_stepds() { (($(pids berth-stepd | wc -l) == 3)); }
one_stepd() { (($(pids berth-stepd | wc -l) == 2)); }
is_fetching() { [[ $(pids berth-fetch) ]]; }

@test "the time limit ends a fetch" {
    make "$NAME:1" 3000000
    conf <<<'pull_seconds = 3'
    run --separate-stderr as_user srun -w n1 --container="${FRONT}0/layer-gate/$NAME:1" /probe exit 0
    equal "$status" 125
    contains "$stderr" "it took longer than the 3 s that a fetch may take (pull_seconds)"
    poll "$SOON" no_fetch
    nothing_left
    nothing_fetched
}

@test "a berth-stepd that is killed in the middle of a fetch leaves nothing" {
    make "$NAME:1" 3000000
    start_fetch "${FRONT}0/layer-gate/$NAME:1"
    kill -KILL "$(pids berth-stepd | sort -n | head -n 1)"
    poll "$SOON" no_fetch || fail "left: $(pids berth-fetch)"
    await_step
    ((STATUS != 0))
    nothing_left
    nothing_fetched
    # The lock was nobody's.
    as_user srun -Q -w n1 --container="$REGISTRY/$NAME:1" /probe exit 0
    nothing_left
}

@test "a berth-stepd that is killed while the engine unpacks leaves nothing that is in the way" {
    local root=$BATS_TEST_TMPDIR/large
    cp -r "$BATS_FILE_TMPDIR/root" "$root"
    head -c 300M /dev/zero >"$root/zeros"
    push "$NAME:1" "$root" >/dev/null
    as_user srun -Q -w n1 --container="$REGISTRY/$NAME:1" /probe exit 0 >/dev/null 2>&1 3>&- 4>&- &
    SRUN=$!
    poll "$SOON" is_fetching
    # That is over soon: to be looked for often.
    poll 60 eval no_fetch
    # Children of it die with it.
    kill -KILL "$(pids berth-stepd | sort -n | head -n 1)"
    OUT=/dev/null ERR=/dev/null
    await_step
    nothing_left
    as_user srun -Q -w n1 --container="$REGISTRY/$NAME:1" /probe exit 0
    equal "$(fetched | wc -l)" 1
    equal "$(records)" 1
    nothing_left
}

@test "a fetch is neither the user's to signal nor to look into (threat 85)" {
    local pid
    make "$NAME:1" 3000000
    start_fetch "${FRONT}0/layer-gate/$NAME:1"
    for pid in $(pids berth-fetch) $(pgrep -u _berth); do
        run -1 as_user kill -STOP "$pid"
        run -1 as_user cat "/proc/$pid/environ"
        run -1 as_user readlink "/proc/$pid/fd/0"
    done
    [[ $pid ]]
    scancel "$JOB"
    await_step
    nothing_left
}

@test "what one user's credentials have brought is not another's (threat 83)" {
    local image=$PRIVATE_REGISTRY/$NAME:1 digest
    make --private "$NAME:1"
    run --separate-stderr as_user srun -w n1 --container="$image" /probe exit 0
    refused "$PRIVATE_REGISTRY wants credentials for it" "$HOME1/.docker/config.json"
    login "$HOME1" "$PRIVATE_REGISTRY" berth1:wrong
    run --separate-stderr as_user srun -w n1 --container="$image" /probe exit 0
    refused "$PRIVATE_REGISTRY refuses the credentials of $HOME1/.docker/config.json"
    login "$HOME1" "$PRIVATE_REGISTRY" berth1:berth1
    as_user srun -Q -w n1 --container="$image" /probe exit 0
    run --separate-stderr as_other srun -w n1 --container="$image" /probe exit 0
    refused "$PRIVATE_REGISTRY wants credentials for it"
    # Nor by the digest that the tag has led to.
    digest=$(grep -ho 'sha256:[0-9a-f]*' "$STATE"/n1/images/*"$NAME"*.json | head -n 1)
    run --separate-stderr as_other srun -w n1 --container="$image@$digest" /probe exit 0
    refused "$PRIVATE_REGISTRY wants credentials for it"
    as_user srun -Q -w n1 --container="$image@$digest" /probe exit 0
    equal "$(records)" 1
    # Those of another registry are not offered.
    login "$HOME2" "${PRIVATE_REGISTRY%1}2" berth2:berth2
    run --separate-stderr as_other srun -w n1 --container="$image" /probe exit 0
    refused "$PRIVATE_REGISTRY wants credentials for it"
    login "$HOME2" "$PRIVATE_REGISTRY" berth2:berth2
    as_other srun -Q -w n1 --container="$image" /probe exit 0
    conf <<<'pull = never'
    run --separate-stderr as_other srun -w n1 --container="$image" /probe exit 0
    refused "another user's credentials brought it"
    nothing_left
}

@test "credentials are in no argument, environment or log (threat 42)" {
    local secret=berth1:berth1 base file image=${FRONT}2/layer-gate/$NAME:1
    base=$(printf %s "$secret" | base64)
    make "$NAME:1" 3000000
    login "$HOME1" "${FRONT}2" "$secret"
    start_fetch "$image"
    for file in /proc/[0-9]*/{cmdline,environ}; do
        ! grep -qsF -e "$secret" -e "$base" "$file" || fail "$file has it"
    done
    scancel "$JOB"
    await_step
    run grep -rF -e "$secret" -e "$base" "$STATE" "${SLURM_CONF%/etc/*}/log"
    equal "$status" 1
    nothing_left
}

@test "the site's credentials are for those of its section" {
    local image=$PRIVATE_REGISTRY/$NAME:1 file=${PREFIX%/*}/etc/auth.json
    make --private "$NAME:1"
    (umask 077; printf '{"auths":{"%s":{"auth":"%s"}}}' "$PRIVATE_REGISTRY" \
        "$(printf berth2:berth2 | base64)" >"$file")
    conf <<<"user \"berth1\" { registry_auth = \"$file\" }"
    as_user srun -Q -w n1 --container="$image" /probe exit 0
    run --separate-stderr as_other srun -w n1 --container="$image" /probe exit 0
    refused "$PRIVATE_REGISTRY wants credentials for it"
    chmod 0644 "$file"
    run --separate-stderr as_user srun -w n1 --container="$image-2" /probe exit 0
    refused "registry_auth: others than root can read $file"
    rm "$file"
    nothing_left
}

# helper LINES: what is asked for berth1's credentials does these.
helper() {
    HELPER=${PREFIX%/*}/etc/docker-credential-quickstart
    { echo '#!/bin/sh'; echo "$1"; } >"$HELPER"
    chmod 755 "$HELPER"
}

@test "a program that has a user's credentials is asked where the policy names it, as he (threat 98)" {
    local image=$PRIVATE_REGISTRY/$NAME:1 out=$HOME1/helper.out how answer
    make --private "$NAME:1"
    install -d -o berth1 "$HOME1/.docker"
    echo "{\"credHelpers\":{\"$PRIVATE_REGISTRY\":\"quickstart\"}}" >"$HOME1/.docker/config.json"
    answer='echo "{\"ServerURL\":\"x\",\"Username\":\"berth1\",\"Secret\":\"berth1\"}"'
    helper "{ cat; echo; id -u; id -G; env; cat /proc/self/cgroup; for f in 3 4 5 6 7 8; do
        ! readlink /proc/\$\$/fd/\$f || echo \$f is open; done; } >$out; $answer"
    run --separate-stderr as_user srun -w n1 --container="$image" /probe exit 0
    refused "names docker-credential-quickstart" "which the policy does not name (credential_helpers)"
    [[ ! -e $out ]]
    conf <<<"credential_helpers = {\"$HELPER\"}"
    as_user srun -Q -w n1 --container="$image" /probe exit 0
    equal "$(sed -n 1p "$out")" "$PRIVATE_REGISTRY"
    equal "$(sed -n 2p "$out")" "$(id -u berth1)"
    equal "$(grep '^[A-Z_]*=' "$out" | grep -v '^PWD=\|^_=\|^SHLVL=\|^OLDPWD=')" \
        "HOME=$HOME1"$'\n'PATH=/usr/local/bin:/usr/bin:/bin
    lacks "$(<"$out")" "is open"
    # In its step's cgroups, as a task is.
    equal "$(grep '^[0-9]*:' "$out" | sed 's/job_[0-9]*/job_N/')" \
        "$(as_user srun -Q -w n1 cat /proc/self/cgroup | sed 's/job_[0-9]*/job_N/')"
    rm "$out"
    nothing_left
    # What it leaves running, what lasts, fails, or never ends its answer.
    printf 'credential_helpers = {"%s"}\nprobe_seconds = 1\n' "$HELPER" | conf
    for how in "sleep 4711 & echo no" "sleep 4711" "$answer; exit 1" yes ":" \
        "(sleep 4711) >/dev/null & $answer >/dev/null"; do
        forget
        helper "$how"
        run --separate-stderr as_user srun -w n1 --container="$image" /probe exit 0
        refused "docker-credential-quickstart, which" "had none or took too long"
        poll "$SOON" no_sleeper 4711 || fail "left: $how"
    done
    # It is not waited for when the step is over.
    printf 'credential_helpers = {"%s"}\nprobe_seconds = 100\n' "$HELPER" | conf
    helper "sleep 4711"
    "$QUICKSTART" run --user=berth1 -- srun -w n1 --container="$image" /probe exit 0 \
        </dev/null >/dev/null 2>&1 3>&- 4>&- &
    SRUN=$! OUT=/dev/null ERR=/dev/null
    poll "$SOON" sleeps 4711 || fail "it was not asked"
    scancel -n bats
    await_step
    poll "$SOON" no_sleeper 4711
    rm "$HELPER"
    nothing_left
}

# proxy ADDRESS:PORT: one that opens tunnels, and writes where to into PROXIED.
proxy() {
    PROXIED=$BATS_TEST_TMPDIR/proxied
    : >"$PROXIED"
    /usr/bin/python3 - "${1%:*}" "${1#*:}" "$PROXIED" <<'END' 3>&- 4>&- &
import socket, sys, threading
def pump(a, b):
    while data := a.recv(65536):
        b.sendall(data)
    b.shutdown(socket.SHUT_WR)
def serve(client):
    word, where = client.recv(65536).decode().split()[:2]
    with open(sys.argv[3], "a") as log:
        log.write(f"{word} {where}\n")
    host, port = where.rsplit(":", 1)
    server = socket.create_connection((host, int(port)))
    client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    threading.Thread(target=pump, args=(server, client), daemon=True).start()
    pump(client, server)
listener = socket.create_server((sys.argv[1], int(sys.argv[2])))
print("ready", file=open(sys.argv[3], "w"))
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
END
    PROXY_PID=$!
    poll "$SOON" grep -qx ready "$PROXIED" || fail "no proxy"
    : >"$PROXIED"
}
end_proxy() {
    kill "$PROXY_PID"
    wait "$PROXY_PID" || true
}

@test "images come by way of the site's proxy, which may be on the node, but where it is not to be asked" {
    local image=$PRIVATE_REGISTRY/$NAME:1 at
    make --private "$NAME:1"
    login "$HOME1" "$PRIVATE_REGISTRY" berth1:berth1
    for at in "${REGISTRY%:*}:26861" 127.0.0.1:26862; do
        proxy "$at"
        conf <<<"fetch_proxy = \"http://$at\""
        as_user srun -Q -w n1 --container="$image" /probe exit 0
        equal "$(sort -u "$PROXIED")" "CONNECT $PRIVATE_REGISTRY"
        forget
        : >"$PROXIED"
        printf 'fetch_proxy = "http://%s"\nfetch_no_proxy = {"%s"}\n' "$at" "${REGISTRY%:*}" | conf
        as_user srun -Q -w n1 --container="$image" /probe exit 0
        equal "$(<"$PROXIED")" ''
        forget
        end_proxy
    done
    conf <<<"fetch_proxy = \"http://$at\""
    run --separate-stderr as_user srun -w n1 --container="$image" /probe exit 0
    refused "the proxy by way of which images are fetched (fetch_proxy) does not answer"
    nothing_left
}

@test "with pull = always a tag is asked once a job, and what it leads to is had" {
    local image=${FRONT}0/plain/$NAME:1 before first
    conf <<<'pull = always'
    make "$NAME:1"
    as_user srun -Q -w n1 --container="$image" /probe exit 0
    first=$(fetched)
    equal "$(wc -l <<<"$first")" 1
    make "$NAME:1"
    before=$(manifests)
    as_user salloc -Q -w n1 -n1 bash -c "
        for i in 1 2 3; do srun -Q --container=$image /probe exit 0 || exit; done"
    # The epilog may have removed the first, to which no name leads any more; while
    # it does, Podman may tell of no image at all.
    poll "$SOON" no_collection
    equal "$(fetched | grep -vxF "$first" | wc -l)" 1
    # What the tag leads to, and that opened by its digest, twice.
    equal "$(($(manifests) - before))" 3
    conf <<<'pull = missing'
    make "$NAME:1"
    before=$(manifests)
    as_user srun -Q -w n1 --container="$image" /probe exit 0
    equal "$(manifests)" "$before"
    nothing_left
}

@test "what is there under another name is not fetched again" {
    make "$NAME:1"
    skopeo copy -q --insecure-policy --src-tls-verify=false --dest-tls-verify=false \
        "docker://$REGISTRY/$NAME:1" "docker://$REGISTRY/$NAME-other:1"
    as_user srun -Q -w n1 --container="${FRONT}0/plain/$NAME:1" /probe exit 0
    equal "$(blobs)" 2
    as_user srun -Q -w n1 --container="${FRONT}0/plain/$NAME-other:1" /probe exit 0
    equal "$(blobs)" 3
    equal "$(fetched | wc -l)" 1
    nothing_left
}

@test "what nobody but the administrator has brought is not had by its digests (threat 41)" {
    make "$NAME:1"
    skopeo copy -q --insecure-policy --src-tls-verify=false --dest-tls-verify=false \
        "docker://$REGISTRY/$NAME:1" "docker://$REGISTRY/$NAME-other:1"
    api POST "/images/create?fromImage=$REGISTRY/$NAME&tag=1" >/dev/null
    as_user srun -Q -w n1 --container="${FRONT}0/plain/$NAME-other:1" /probe exit 0
    equal "$(blobs)" 2
    nothing_left
    api DELETE "/images/$REGISTRY/$NAME:1" >/dev/null
}

@test "a layer that the engine has is not fetched again" {
    local dir=$BATS_TEST_TMPDIR i
    tar -C "$BATS_FILE_TMPDIR/root" -cf "$dir/base.tar" .
    for i in 1 2; do
        mkdir "$dir/$i"
        head -c 200000 /dev/urandom >"$dir/$i/data$i"
        tar -C "$dir/$i" -cf "$dir/$i.tar" .
        skopeo copy -q --insecure-policy --dest-tls-verify=false \
            "tarball:$dir/base.tar:$dir/$i.tar" "docker://$REGISTRY/$NAME-$i:1"
    done
    as_user srun -Q -w n1 --container="${FRONT}0/plain/$NAME-1:1" /probe exit 0
    equal "$(blobs)" 3
    as_user srun -Q -w n1 --container="${FRONT}0/plain/$NAME-2:1" /probe exit 0
    equal "$(blobs)" 5
    # They are there, and so is the lower one: its program has run.
    as_user srun -Q -w n1 --container="${FRONT}0/plain/$NAME-2:1" /probe show /data2 >"$dir/read"
    cmp "$dir/read" "$dir/2/data2"
    nothing_left
}

# squeezed SIZE KIND IMAGE: fetches it where /var/tmp has so much room.
squeezed() {
    unshare -m bash -c 'set -e; mkdir -p "$3"; mount -t tmpfs -o size="$1" tmpfs "$3"
        mkdir -m 1777 "$3"/{lower,upper,work}
        if [[ $2 == memory ]]; then mount --bind "$3/upper" /var/tmp
        else mount -t overlay -o "lowerdir=$3/lower,upperdir=$3/upper,workdir=$3/work" overlay /var/tmp; fi
        berth-images pull --node=n1 "$4"' bash "$1" "$2" "$BATS_TEST_TMPDIR/room" "$3"
}

@test "layers come unpacked to the engine, or as they are where that has no room" {
    local dir=$BATS_TEST_TMPDIR image=${FRONT}0/plain/$NAME:1 had
    cp -r "$BATS_FILE_TMPDIR/root" "$dir/root"
    head -c 20M /dev/zero >"$dir/root/zeros"
    push "$NAME:1" "$dir/root" >/dev/null
    squeezed 8M memory "$image"
    equal "$(blobs)" 2
    as_user srun -Q -w n1 --container="$image" /probe exit 0
    forget
    # Of which that is known when it is full; not all kernels let an overlay have
    # files without a name.
    squeezed 8M disk "$image"
    had=$(blobs)
    ((had == 4 || had == 5)) || fail "$had blobs"
    as_user srun -Q -w n1 --container="$image" /probe exit 0
    nothing_left
}

@test "layers packed by zstd, and those of an index, come as others do" {
    make "$NAME:1"
    skopeo copy -q --insecure-policy --src-tls-verify=false --dest-tls-verify=false \
        --format oci --dest-compress-format zstd \
        "docker://$REGISTRY/$NAME:1" "docker://$REGISTRY/$NAME-zstd:1"
    as_user srun -Q -w n1 --container="${FRONT}0/plain/$NAME-zstd:1" /probe exit 0
    as_user srun -Q -w n1 --container="${FRONT}0/made-list/$NAME:1" /probe exit 0
    # The index, and the manifest that it leads to, each once.
    equal "$(asked "/made-list/$NAME/manifests/")" 2
    equal "$(asked "/made-list/$NAME/manifests/1 ")" 1
    nothing_left
}

@test "a digest is fetched as it is, and checked" {
    local digest image=${FRONT}0/plain/$NAME log=$BATS_TEST_TMPDIR/audit
    conf <<<"audit_log = \"$log\""
    make "$NAME:1"
    digest=$("$LIBEXEC/berth-fetch" --resolve "$REGISTRY/$NAME:1")
    as_user srun -Q -w n1 --container="$image@$digest" /probe exit 0
    as_user srun -Q -w n1 --container="$image:1@$digest" /probe exit 0
    run --separate-stderr as_user srun -w n1 --container="$image@sha256:$(printf '%064d' 7)" /probe exit 0
    refused "has no such tag or digest"
    as_user srun -Q -w n1 --container="$image:1" /probe exit 0
    equal "$(grep -c "\"digest\":\"$image@$digest\"" < <(grep '"event":"allow"' "$log"))" 3
    nothing_left
}

@test "an image that is too large is refused by the bound it breaks (threat 46)" {
    make "$NAME:1" 3000000
    conf <<<'pull_max = 2M'
    run --separate-stderr as_user srun -w n1 --container="${FRONT}0/plain/$NAME:1" /probe exit 0
    refused "larger than the 2 MB" "as it is transferred (pull_max)"
    equal "$(blobs)" 0
    conf <<<'pull_max_unpacked = 20M'
    run --separate-stderr as_user srun -w n1 --container="${FRONT}0/made-bomb-40/$NAME:1" /probe exit 0
    refused "larger than the 20 MB" "unpacked (pull_max_unpacked)"
    nothing_left
    nothing_fetched
}

@test "a mirror that registries.conf names is asked first, and then the registry itself" {
    local conf=/etc/containers/registries.conf.d/berth-quickstart-mirror.conf
    make "mirrored/$NAME:1"
    make "mirrored/$NAME-other:1"
    cat >"$conf" <<END
[[registry]]
location = "$REGISTRY/mirrored"
insecure = true
[[registry.mirror]]
location = "${FRONT}0/plain/mirrored"
insecure = true
END
    as_user srun -Q -w n1 --container="$REGISTRY/mirrored/$NAME:1" /probe exit 0
    equal "$(manifests)/$(blobs)" 2/2
    sed -i 's,0/plain/,0/manifest-status-404/,' "$conf"
    as_user srun -Q -w n1 --container="$REGISTRY/mirrored/$NAME-other:1" /probe exit 0
    nothing_left
}

@test "without the account or skopeo a sentence says what to make" {
    make "$NAME:1"
    conf <<<'fetch_user = no-such-account'
    run --separate-stderr as_user srun -w n1 --container="$REGISTRY/$NAME:1" /probe exit 0
    refused "the account no-such-account (fetch_user)" "useradd --system"
    conf <<<'fetch_user = root'
    run --separate-stderr as_user srun -w n1 --container="$REGISTRY/$NAME:1" /probe exit 0
    refused "which is root's"
    conf <<<'fetch_user = berth1'
    run --separate-stderr as_user srun -w n1 --container="$REGISTRY/$NAME:1" /probe exit 0
    refused "which is the job's user"
    nothing_left
}

@test "a registry leads no fetch to the node itself, nor to link-local addresses (threat 86)" {
    make "$NAME:1"
    run --separate-stderr as_user srun -w n1 --container="${FRONT}4/plain/$NAME:1" /probe exit 0
    refused "leads to 169.254.169.254, and no fetch goes"
    run --separate-stderr as_user srun -w n1 --container="${FRONT}0/layer-to-link/$NAME:1" /probe exit 0
    refused "leads to 169.254.169.254, and no fetch goes"
    run --separate-stderr as_user srun -w n1 --container="${FRONT}0/layer-to-loopback/$NAME:1" /probe exit 0
    refused "leads to 127.0.0.1, and no fetch goes"
    equal "$(asked "7 GET")" 0
    policy 'allow=localhost:*/**' 'allow=127.0.0.1:*/**' "$ENGINE"
    run --separate-stderr as_user srun -w n1 --container="127.0.0.1:1/$NAME:1" /probe exit 0
    refused "nobody answers at 127.0.0.1:1 (connection refused)"
    nothing_left
    nothing_fetched
    policy "allow=${FRONT}0/**" "$ENGINE"
    as_user srun -Q -w n1 --container="${FRONT}0/layer-to-elsewhere/$NAME:1" /probe exit 0
    nothing_left
}
