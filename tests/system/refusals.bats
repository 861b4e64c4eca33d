#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# What is refused: with one sentence of berth's and a non-zero exit, while
# the nodes stay idle and nothing is left (threat 12).

load lib

# What a refusal takes away is put back, however the test ends.
teardown() {
    local name
    for name in berth-init berth-task berth-stepd; do
        [[ ! -e $LIBEXEC/$name.away ]] || mv "$LIBEXEC/$name.away" "$LIBEXEC/$name"
    done
    [[ -z ${FAKE-} ]] || kill "$FAKE" 2>/dev/null || true
    tidy
}

# fake_engine CODE: listens at a socket, FAKE_SOCKET, and does CODE, in Perl,
# with each connection, $c.
fake_engine() {
    FAKE_SOCKET=$BATS_TEST_TMPDIR/fake.sock
    perl -MIO::Socket::UNIX -e '
        $SIG{PIPE} = "IGNORE";
        my $s = IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 9) or die;
        my @kept;
        while (my $c = $s->accept) {
            push @kept, $c;
            sysread $c, my $request, 65536;
            eval $ARGV[1];
        }' "$FAKE_SOCKET" "$1" </dev/null >/dev/null 2>&1 3>&- &
    FAKE=$!
    poll "$SOON" test -S "$FAKE_SOCKET"
    policy allow=debian "engine=unix://$FAKE_SOCKET"
}

# The node refuses this on its own, in one sentence with these words.
node_refuses() {
    run --separate-stderr bypassing srun --container="$IMAGE" sh -c 'echo ran'
    refused "$@"
    all_idle || poll "$SOON" all_idle || fail "$(sinfo -hN -o '%N %T %E')"
}

@test "an image that is not allowed is refused by the node itself (threat 2)" {
    IMAGE=fedora node_refuses docker.io/library/fedora "$PLUGSTACK_CONF" debian
    # With SLURM_CONTAINER set by hand, and with the plugin's own variable.
    run --separate-stderr as_user env SLURM_CONF="$(bypass_conf)" SLURM_CONTAINER=fedora srun sh -c 'echo ran'
    refused fedora
    run --separate-stderr as_user env SLURM_CONF="$(bypass_conf)" \
        _SLURM_SPANK_OPTION_berth_container_image=fedora SLURM_SPANK__SLURM_SPANK_OPTION_berth_container_image=fedora \
        srun sh -c 'echo ran'
    # Either nobody asked for a container, or the node refuses.
    [[ $output == ran || $stderr == *fedora* ]]
    nothing_left
}

@test "a batch job that is not allowed ends with the sentence, and drains and requeues nothing (threats 2, 12)" {
    local job
    printf '#!/bin/sh\n#SBATCH --output=refused.out\necho ran\n' >"$HOME1/job.sh"
    run bypassing sbatch --wait --parsable --container=fedora job.sh
    ((status != 0))
    job=${lines[0]}
    contains "$(cat "$HOME1/refused.out")" "image docker.io/library/fedora:latest is not allowed"
    one_sentence "$(cat "$HOME1/refused.out")"
    equal "$(job_says "$job" JobState)" FAILED
    equal "$(job_says "$job" Restarts)" 0
    rm "$HOME1"/{job.sh,refused.out}
    nothing_left
}

@test "several tasks on two nodes are refused with one sentence from each node" {
    run --separate-stderr bypassing srun -N2 -n8 --ntasks-per-node=4 --container=fedora sh -c 'echo ran'
    ((status != 0))
    equal "$output" ""
    equal "$(grep -c 'berth: ' <<<"$stderr")" 2
    nothing_left
}

@test "a refusal by a node names the node" {
    conf <<<'pull = never'
    run --separate-stderr bypassing srun -w n1 --container=fedora true
    refused "berth: node n1: "
    run --separate-stderr as_user srun -w n1 --container=debian:absent true
    refused "of node n1 does not have it"
    lacks "$stderr" "node n1: "
    nothing_left
}

@test "an image that Podman has without a registry is named as it has it" {
    [[ $BERTH_ENGINE == podman ]] || skip_without "an engine that has such names"
    image localhost/team/only "$BATS_FILE_TMPDIR"
    policy 'allow=team/**' "$ENGINE"
    run --separate-stderr as_user srun --container=team/only true
    refused "has it as localhost/team/only:latest: write that"
    nothing_left
}

@test "an image that is allowed and not on the node is refused where none is fetched" {
    conf <<<'pull = never'
    IMAGE=debian:absent node_refuses docker.io/library/debian:absent "does not have it"
    run --separate-stderr as_user srun --container=debian:absent true
    refused docker.io/library/debian:absent
    nothing_left
}

@test "a path, which is an archive of the user's, is refused where nobody may bring one" {
    run --separate-stderr as_user srun --container=/tmp true
    refused /tmp archives
    IMAGE=/tmp node_refuses /tmp archives
    IMAGE=/etc/shadow node_refuses archives
    IMAGE=./here node_refuses archives
    nothing_left
}

# Prints what no image is called, one a line.
malformed() {
    local hex digest64 long
    hex=0123456789abcdef
    digest64=$hex$hex$hex$hex
    long=$(printf 'a%.0s' {1..300})
    cat <<END
UPPER
Debian
debian:
debian:-tag
debian:.tag
debian:ta g
debian:tag:tag
debian:$long
debian@
debian@sha256
debian@sha256:
debian@sha256:abc
debian@sha256:${digest64}0
debian@sha256:${digest64^^}
debian@md5:$digest64
debian@sha256:$digest64@sha256:$digest64
debian@@sha256:$digest64
$digest64
sha256:$digest64
/debian
//debian
debian/
a//b
a/b/
./debian
../debian
~/debian
.
..
-debian
_debian
debian-
debian_
debian.
deb..ian
deb___ian
deb._ian
a/.b
a/-b
https://debian
ssh://host/debian
oci:debian:x
docker-archive://x.tar
image.sqsh
/images/image.sqsh
image.sif
debian,alpine
debian;id
debian id
debian|id
debian&id
\$(id)
\`id\`
debian*
**
debian?x=1
debian#x
debian%2f
debian\\n
'debian'
"debian"
host:port/debian
host:99999/debian
host:0/debian
:5000/debian
example..org/debian
-example.org/debian
example.org-/debian
[::1/debian
[]:5000/debian
user@example.org/debian
user:pw@example.org/debian
$long
$long/$long
dëbian
debian​
деbian
debian:täg
END
    printf 'deb\tian\n'
    printf 'deb\x01ian\n'
    printf 'deb\x7fian\n'
    printf 'deb\xffian\n'
    printf 'deb\xc0\xafian\n'
    printf 'debian\r\n'
    printf 'debian\x1b[31m\n'
}

# The last step was refused for its image's name, or for bytes that no text has.
refused_name() {
    refused
    [[ $stderr == *"image reference"* || $stderr == *"control character"* ||
        $stderr == *"bring an image as a file"* || $stderr == *"no container engine reads"* ]] ||
        fail "for what?"
}

@test "at least fifty malformed references are refused by srun with a sentence each (threats 37, 55, 56)" {
    local n=0 text
    while IFS= read -r text; do
        run --separate-stderr as_user srun --container="$text" sh -c 'echo ran'
        refused_name || fail "$text"
        [[ $stderr != *[$'\x01'$'\x1b'$'\x7f'$'\r']* ]] || fail "control characters come through: $text"
        n=$((n + 1))
    done < <(malformed)
    ((n >= 50)) || fail "only $n"
    run --separate-stderr as_user srun --container-image=$'two\nlines' sh -c 'echo ran'
    refused "control character"
}

@test "the node refuses each of them too, on its own (threats 2, 37, 55, 56)" {
    local dir=$HOME1/bad text n=0 rc
    bypass_conf >/dev/null
    install -d -o berth1 "$dir"
    while IFS= read -r text; do
        n=$((n + 1))
        printf '%s' "$text" >"$dir/$n.ref"
    done < <(malformed)
    # Several at a time.
    run bypassing salloc -Q -N2 -n16 bash -c 'for n in $(seq '"$n"'); do
            while (($(jobs -rp | wc -l) >= 6)); do wait -n; done
            { srun -N1 -n1 --exact --mem=10 --container="$(cat bad/$n.ref)" sh -c "echo ran" \
                >bad/$n.out 2>bad/$n.err; echo $? >bad/$n.rc; } &
        done; wait'
    for ((; n > 0; n--)); do
        text=$(cat "$dir/$n.ref")
        rc=$(cat "$dir/$n.rc")
        status=$rc output=$(cat "$dir/$n.out") stderr=$(cat "$dir/$n.err") refused_name ||
            fail "$text: $(cat "$dir/$n.err")"
        equal "$rc" 125
    done
    rm -r "$dir"
    nothing_left
}

@test "an option of the plugin's that can't be kept never runs on the host (threat 1)" {
    local long
    long=$(printf 'a%.0s' {1..5000})
    run --separate-stderr as_user srun --container-image="$long" sh -c 'echo ran'
    refused "has 5000 bytes"
    run --separate-stderr as_user srun --container-image=a --container-image=b sh -c 'echo ran'
    # The last one holds.
    refused "docker.io/library/b:latest is not allowed"
    IMAGE=$long node_refuses
    nothing_left
}

@test "a missing command ends with 127 and one that can't be executed with 126" {
    run -127 --separate-stderr in_container nonexistent
    equal "$status" 127
    refused nonexistent
    run -127 --separate-stderr in_container /nonexistent/program
    equal "$status" 127
    refused /nonexistent/program
    run --separate-stderr in_container /etc/passwd
    equal "$status" 126
    refused /etc/passwd
    run --separate-stderr in_container /etc
    equal "$status" 126
    refused /etc
    nothing_left
}

@test "the engine is down: its socket is missing" {
    policy allow=debian engine=unix:///run/no-such-engine.sock
    IMAGE=debian node_refuses /run/no-such-engine.sock
    nothing_left
}

@test "the engine is down: nobody listens at its socket" {
    fake_engine '1'
    kill "$FAKE"
    wait "$FAKE" || true
    IMAGE=debian node_refuses "$FAKE_SOCKET"
    nothing_left
}

@test "the engine itself is down" {
    local engine
    engine=$("$QUICKSTART" status | sed -n 's/^engine: runs, pid //p')
    kill -KILL "$engine"
    poll "$SOON" gone "$engine"
    IMAGE=debian node_refuses "${DOCKER_HOST#unix://}"
    run as_user srun echo bare
    "$QUICKSTART" restart engine
    equal "$output" bare
    equal "$(in_container echo works)" works
    nothing_left
}

@test "the engine hangs: the step ends within half a minute, and Slurm goes on (threat 57)" {
    local start=$SECONDS
    fake_engine '1'
    IMAGE=debian node_refuses "$FAKE_SOCKET"
    ((SECONDS - start <= 40)) || fail "it took $((SECONDS - start)) s"
    nothing_left
}

@test "the engine answers garbage (threat 57)" {
    fake_engine 'print $c "no HTTP at all \x01\xff\n" x 100; close $c'
    IMAGE=debian node_refuses
    kill "$FAKE"; rm "$FAKE_SOCKET"
    fake_engine 'print $c "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{\"Id\": [[["; close $c'
    IMAGE=debian node_refuses
    kill "$FAKE"; rm "$FAKE_SOCKET"
    fake_engine 'print $c "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n", "[" x 10_000_000; close $c'
    IMAGE=debian node_refuses
    kill "$FAKE"; rm "$FAKE_SOCKET"
    fake_engine 'print $c "HTTP/1.1 500 Internal\r\nContent-Length: 24\r\n\r\n{\"message\":\"a\\u001b[31m\"}"; close $c'
    IMAGE=debian node_refuses
    [[ $stderr != *$'\x1b'* ]]
    kill "$FAKE"; rm "$FAKE_SOCKET"
    fake_engine 'close $c'
    IMAGE=debian node_refuses
    nothing_left
}

@test "berth-init, berth-task or berth-stepd is not installed" {
    local name
    for name in berth-init berth-task berth-stepd; do
        mv "$LIBEXEC/$name" "$LIBEXEC/$name.away"
        run --separate-stderr in_container sh -c 'echo ran'
        mv "$LIBEXEC/$name.away" "$LIBEXEC/$name"
        ((status != 0)) || fail "$name"
        equal "$output" ""
        contains "$stderr" "$LIBEXEC/$name is missing"
        # Slurm adds a line of its own where berth-task can't be executed.
        stderr=$(grep -v 'execve()' <<<"$stderr")
        refused "$name"
    done
    # A bare step is none the worse for it.
    mv "$LIBEXEC/berth-stepd" "$LIBEXEC/berth-stepd.away"
    run as_user srun echo bare
    mv "$LIBEXEC/berth-stepd.away" "$LIBEXEC/berth-stepd"
    equal "$output" bare
    nothing_left
}

@test "berth-init can't be executed" {
    chmod -x "$LIBEXEC/berth-init"
    run --separate-stderr in_container sh -c 'echo ran'
    chmod +x "$LIBEXEC/berth-init"
    refused berth-init
    nothing_left
}

@test "a policy error on the node is the step's end only, also where the client's is fine" {
    policy allow=debian allow=// "$ENGINE"
    IMAGE=debian node_refuses "$PLUGSTACK_CONF line 1" allow=//
    nothing_left
}

@test "a working directory that can't be had is refused with the reason" {
    run --separate-stderr as_user srun --chdir=/etc --container=debian sh -c 'echo ran'
    refused /etc
    nothing_left
}

@test "refusals by the hundred drain no node (threat 12)" {
    bypass_conf >/dev/null
    run bypassing salloc -Q -N2 -n16 bash -c 'for n in {1..100}; do
            while (($(jobs -rp | wc -l) >= 6)); do wait -n; done
            srun -N1 -n1 --exact --mem=10 --container=fedora sh -c "echo ran" 2>&1 &
        done; wait'
    equal "$(grep -c 'is not allowed' <<<"$output")" 100
    lacks "$output" ran
    nothing_left
}
