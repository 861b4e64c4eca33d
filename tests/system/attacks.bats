#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# What users and images could try against the policy and the mounts. Other
# files have those on the rest: `grep threat tests`.

# shellcheck disable=SC2154  # output and stderr are bats's
# shellcheck disable=SC2016  # the task's shell expands it
load lib

setup_file() {
    local dir=$BATS_FILE_TMPDIR/hostile
    mkdir -p "$dir"/{bin,etc}
    cc -static -O1 -o "$dir/probe" "$BATS_TEST_DIRNAME/probe.c"
    cp "$dir/probe" "$dir/bin/su"
    chmod 6755 "$dir/bin/su"
    image berth/hostile "$dir" \
        'ENV NVIDIA_VISIBLE_DEVICES=all LD_PRELOAD=/evil.so SLURM_JOB_ID=1 BERTH_STEP=/x HOME=/root DOCKER_HOST=unix:///x' \
        'LABEL berth.nonce=00000000000000000000000000000000' 'LABEL berth.uid=0' \
        'VOLUME /tmp' 'VOLUME /data' 'USER 0:0' 'WORKDIR /proc/self/fd/7' \
        'HEALTHCHECK --interval=1s CMD /probe touch /tmp/healthy' \
        'ENTRYPOINT ["/bin/su", "exit", "66"]' 'EXPOSE 22'
    cp -p "$PLUGSTACK_CONF" "$RESTORE"
    { cgroups; echo none; } >"$BATS_FILE_TMPDIR/cgroups"
    usual_policy
}

# bypassing_options OPTION=VALUE COMMAND: as a client would that checks nothing.
bypassing_options() {
    local option=$1
    shift
    bypassing env "SLURM_SPANK__SLURM_SPANK_OPTION_berth_container_$option" \
        srun --container=debian "$@"
}

teardown() {
    ! mountpoint -q /srv/berth-test/a/sub || umount /srv/berth-test/a/sub
    [[ ! -d $HOME1/race ]] || touch "$HOME1/race/stop"
    [[ -z ${FUSE-} ]] || kill "$FUSE" 2>/dev/null || true
    umount -l "$HOME1/fuse" 2>/dev/null || true
    ! mountpoint -q "$STATE" || umount -l "$STATE"
    rm -rf /srv/berth-test "$HOME1"/{x:*,fuse,pmix-base,pmix-other,stopper}
    poll "$SOON" rm -rf "$HOME1/race"
    tidy
}

@test "a source that is exchanged 2,000 times while it is opened is itself or refused (threat 16)" {
    local top=$BATS_TEST_DIRNAME/../.. race=$BATS_TEST_TMPDIR/race dir=/srv/berth-test
    cc -std=gnu11 -D_GNU_SOURCE -O1 -I"$top" -o "$race" "$BATS_TEST_DIRNAME/race.c" \
        "$top"/node/child.c "$top"/protocol/passing.c "$top"/stepd/{mountapi,mount_source}.c \
        "$top"/logic/{err,procfs,strv,utf8}.c
    install -d "$dir" "$dir/outside"
    install -d -o berth1 "$dir/in" "$dir/in/source"
    run -0 "$race" "$dir/in" "$(id -u berth1)" 2000
    echo "# $output" >&3
    # It was a race: neither of them always won.
    [[ $output =~ ^accepted\ ([0-9]+)\ refused\ ([0-9]+)$ ]]
    ((BASH_REMATCH[1] + BASH_REMATCH[2] == 2000 && BASH_REMATCH[1] > 0 && BASH_REMATCH[2] > 0))
}

@test "steps whose mounts are exchanged under way see no other directory (threats 16, 20)" {
    install -d -o berth1 "$HOME1/race" "$HOME1/race/source"
    echo itself >"$HOME1/race/source/file"
    conf <<<"mounts_allowed = {\"$HOME1/race/**:rw\"}"
    as_user sh -c 'cd race; until [ -e stop ]; do mv source aside; ln -s /etc source; rm source; mv aside source; done' \
        </dev/null >/dev/null 2>&1 3>&- 4>&- &
    local swapper=$! round
    for round in {1..20}; do
        run --separate-stderr as_user srun -Q --container=debian --container-mounts=race/source:/mnt \
            sh -c '[ "$(cat /mnt/file)" = itself ] && echo itself; ls /mnt'
        ((status != 0)) || equal "$output" $'itself\nfile'
        lacks "$output" passwd
    done
    touch "$HOME1/race/stop"
    poll "$SOON" gone "$swapper"
    [[ $round == 20 ]]
    nothing_left
}

@test "a working directory called /x:/etc:rw is a directory, and nothing else (threat 18)" {
    as_user mkdir -p "$HOME1/x:/etc:rw"
    run --separate-stderr as_user srun --chdir="$HOME1/x:/etc:rw" --container=debian \
        sh -c 'pwd; grep -c " / / ro" /proc/self/mountinfo; touch /etc/x 2>&1'
    contains "$output" "$HOME1/x:/etc:rw"$'\n1\n'
    contains "$output" "cannot touch"
    nothing_left
}

@test "an image in which everything is hostile runs as any other (threats 26, 27, 28, 34, 43, 45, 59)" {
    run as_user srun --container=berth/hostile /probe env
    contains "$output" "SLURM_JOB_ID="
    lacks "$output" $'\nSLURM_JOB_ID=1\n'
    contains "$output" NVIDIA_VISIBLE_DEVICES=void
    lacks "$output" HOME=/root
    lacks "$output" BERTH_STEP
    equal "$(as_user srun --container=berth/hostile /bin/su ids)" \
        "$(id -u berth1) $(id -u berth1) $(id -g berth1) $(id -g berth1)"
    local before
    before=$(volumes)
    as_user srun --container=berth/hostile /probe exit 0
    equal "$(volumes)" "$before"
    # Its entry point, where a user wants it, has no more rights than he.
    run -66 as_user srun -Q --container=berth/hostile --container-entrypoint /probe exit 0
    nothing_left
}

@test "identity and place come from Slurm, not from the environment (threats 5, 6, 15)" {
    equal "$(as_user env SLURM_JOB_UID=0 SLURM_JOB_USER=root USER=root HOME=/root PWD=/etc SLURM_SUBMIT_DIR=/etc \
        SLURM_JOB_PARTITION=x srun --container=debian sh -c 'id -u; pwd')" \
        "$(id -u berth1)
$HOME1"
    nothing_left
}

@test "options by which Slurm's own client is bypassed meet the node (threat 2)" {
    local option reason
    while read -r option reason; do
        run --separate-stderr bypassing_options "$option" echo ran </dev/null
        refused "$reason" || fail "$option"
    done <<'END'
mounts=/etc:/mnt allows no mounts
network=bridge berth's default allows only host
writable= --container-writable cannot be had
workdir=/proc and not in /proc, /sys, /dev
mounts=/srv:/etc can put nothing at /etc
END
    nothing_left
}

@test "words of a user's reach the log as text (threats 55, 67)" {
    local log=$BATS_TEST_TMPDIR/audit
    run --separate-stderr bypassing srun --container=$'debian\n{"verdict":"allow"}' true
    refused "control character"
    run --separate-stderr bypassing_options mounts=$'/srv\x1b[2J:/mnt' true
    refused "control character"
    lacks "$stderr" $'\x1b'
    conf <<<"audit_log = \"$log\""
    run --separate-stderr bypassing_options mounts=$'/srv/\u202e"}{"verdict:/mnt' true
    refused "allows no mounts"
    # One line, of what can be printed, in which the words are quoted.
    equal "$(wc -l <"$log")" 1
    contains "$(cat "$log")" '"verdict":"deny"'
    contains "$(cat "$log")" '/srv/???\"}{\"verdict' # and what turns text round is not shown
    equal "$(LC_ALL=C grep '[^ -~]' "$log" || true)" ""
    nothing_left
}

@test "a node that cannot load the plugin runs nothing on the host (threat 3)" {
    mv "$PLUGIN" "$PLUGIN.away"
    run --separate-stderr bypassing srun -w n1 --container=debian echo ran
    mv "$PLUGIN.away" "$PLUGIN"
    scontrol update nodename=n1 state=resume 2>/dev/null || true
    # srun itself still exits with 0.
    contains "$stderr" "launch failed"
    equal "$output" ""
    poll "$SOON" all_idle
    equal "$(in_container echo ran)" ran
    nothing_left
}

@test "a bundle's path behind --container is refused, not ignored as Slurm alone does (threat 4)" {
    local o
    install -d -o berth1 "$HOME1/bundle-inside"
    for o in "$HOME1/bundle-inside" /; do
        run --separate-stderr bypassing srun --container="$o" echo ran
        refused "$o"
    done
    nothing_left
}

@test "a source that is not there is not made (threat 19)" {
    conf <<<"mounts_allowed = {\"$HOME1/**:rw\"}"
    run --separate-stderr as_user srun --container=debian --container-mounts="$HOME1/absent-inside:/mnt" true
    refused "$HOME1/absent-inside"
    [[ ! -e $HOME1/absent-inside ]]
    nothing_left
}

@test "what is mounted within a source stays outside, writable or not (threats 21, 24)" {
    local dir=/srv/berth-test
    install -d -o berth1 "$dir" "$dir/a" "$dir/a/sub"
    mount -t tmpfs -o mode=1777 berth-test "$dir/a/sub"
    touch "$dir/a/sub/outside"
    conf <<<"mounts_allowed = {\"$dir/**:rw\"}"
    run --separate-stderr as_user srun --container=debian --container-mounts="$dir/a:/mnt:ro" \
        sh -c 'ls /mnt/sub; touch /mnt/sub/x 2>&1; exit 0'
    poll "$SOON" umount "$dir/a/sub"
    lacks "$output" outside
    contains "$output" "Read-only file system"
    nothing_left
}

@test "a container has a network of its own where the policy says so, without the node's sockets (threat 32)" {
    conf <<<'networks = {"none"}'
    equal "$(in_container sh -c 'grep -c " @" /proc/net/unix')" 0
    run --separate-stderr bypassing_options network=host true
    refused host
    nothing_left
}

@test "another image under an allowed name is not the one that is pinned (threat 40)" {
    local digest
    digest=sha256:$(printf '%064d' 7)
    policy "allow=berth/hostile@$digest" "$ENGINE"
    run --separate-stderr bypassing srun --container=berth/hostile /probe exit 0
    refused "berth/hostile@$digest"
    conf <<<'pull = never'
    run --separate-stderr bypassing srun --container="berth/hostile@$digest" /probe exit 0
    refused "does not have it"
    nothing_left
}

@test "an image that one user may run is not another's, though the node has it (threat 41)" {
    conf <<<'deny = {"berth/hostile"}
user "berth1" { deny = {} }'
    as_user srun --container=berth/hostile /probe exit 0
    run --separate-stderr as_other srun --container=berth/hostile /probe exit 0
    refused berth/hostile "$BERTH_CONF line 1"
    nothing_left
}

@test "nobody but a step's own tasks gets into its container (threat 63)" {
    local socket who
    start_step --container=debian sh -c "$(waiter)"
    socket=$(find "$STATE"/n*/"$JOB.0" -name task -type s)
    [[ -S $socket ]]
    for who in as_user as_other; do
        run --separate-stderr "$who" env BERTH_STEP="$socket" "$LIBEXEC/berth-task" /bin/echo ran
        [[ $status != 0 && -z $output ]] || fail "$who got in"
    done
    scancel "$JOB"
    await_step
    nothing_left
}

@test "Slurm's configuration and munge are not in a container, and cannot be asked for (threat 69)" {
    local munge=${DOCKER_HOST#unix://} path
    munge=${munge%/*}/munge.sock
    conf <<<'mounts_allowed = {"/**:rw"}'
    for path in "$SLURM_CONF" "$munge"; do
        [[ -e $path ]]
        equal "$(in_container sh -c 'test -e "$0" || echo absent' "$path")" absent
        run --separate-stderr as_user srun --container=debian --container-mounts="$path:/tmp/x" true
        refused "$path"
    done
    lacks "$(in_container env)" SLURM_CONF=
    nothing_left
}

# --- what an image says of itself ---------------------------------------------

# loaded NAME CONFIG [ANNOTATIONS]: puts an image of the probe alone into the
# engine, made by hand, since no builder makes such ones. CONFIG and
# ANNOTATIONS are members of JSON objects; Docker's format has no annotations.
loaded() {
    local dir=$BATS_TEST_TMPDIR/loaded diff config arch
    rm -rf "$dir"
    install -d "$dir/root" "$dir/blobs/sha256"
    cp "$BATS_FILE_TMPDIR/hostile/probe" "$dir/root"
    tar -C "$dir/root" -cf "$dir/layer.tar" probe
    case $(uname -m) in x86_64) arch=amd64 ;; aarch64) arch=arm64 ;; *) arch=$(uname -m) ;; esac
    diff=$(sha256sum <"$dir/layer.tar") diff=${diff%% *}
    printf '{"architecture":"%s","os":"linux","config":{%s},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
        "$arch" "$2" "$diff" >"$dir/config.json"
    if [[ $BERTH_ENGINE == docker ]]; then
        echo "[{\"Config\":\"config.json\",\"RepoTags\":[\"$1:latest\"],\"Layers\":[\"layer.tar\"]}]" >"$dir/manifest.json"
        tar -C "$dir" -cf "$dir/image.tar" manifest.json config.json layer.tar
    else
        cp "$dir/layer.tar" "$dir/blobs/sha256/$diff"
        config=$(blob "$dir" "$dir/config.json" config)
        printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":%s,"layers":[%s],"annotations":{%s}}' \
            "$config" "$(blob "$dir" "$dir/layer.tar" layer)" "${3-}" >"$dir/manifest.json"
        printf '{"schemaVersion":2,"manifests":[%s]}' \
            "$(blob "$dir" "$dir/manifest.json" manifest "docker.io/$1:latest")" >"$dir/index.json"
        echo '{"imageLayoutVersion":"1.0.0"}' >"$dir/oci-layout"
        tar -C "$dir" -cf "$dir/image.tar" oci-layout index.json blobs
    fi
    run api POST /images/load -H 'Content-Type: application/x-tar' -T "$dir/image.tar"
    contains "$output" "$1:latest"
}

# blob DIR FILE KIND [NAME]: makes FILE a blob of DIR and prints what leads to it.
blob() {
    local sum type=application/vnd.oci.image.$3.v1
    sum=$(sha256sum <"$2") sum=${sum%% *}
    cp "$2" "$1/blobs/sha256/$sum"
    [[ $3 == layer ]] && type+=.tar || type+=+json
    printf '{"mediaType":"%s","digest":"sha256:%s","size":%s%s}' "$type" "$sum" "$(stat -c %s "$2")" \
        "${4:+,\"annotations\":{\"org.opencontainers.image.ref.name\":\"$4\"\}}"
}

# Prints COUNT times the letter x.
xs() { head -c "$1" /dev/zero | tr '\0' x; }

@test "an image whose annotations a runtime could obey has no container made of it (threat 72)" {
    [[ $BERTH_ENGINE == podman ]] || skip_without "an engine that reads annotations"
    local a allows
    allows=$(printf '\6\0\0\0\0\0\xff\x7f' | base64)
    for a in run.oci.seccomp_bpf_data="$allows" run.oci.hooks.stdout="$BATS_TEST_TMPDIR/made" \
        run.oci.keep_original_groups=1 run.oci.handler=wasm module.wasm.image/variant=compat \
        org.systemd.property.CollectMode="'inactive'" io.podman.annotations.label=disable \
        cdi.k8s.io/x=nvidia.com/gpu=all org.opencontainers.imagex=1 x=1; do
        loaded berth/annotated '' "\"${a%%=*}\":\"${a#*=}\",\"org.opencontainers.image.title\":\"a\""
        run --separate-stderr as_user srun --container=berth/annotated /probe hello
        refused "annotation ${a%%=*}" berth/annotated
        [[ ! -e $BATS_TEST_TMPDIR/made ]]
    done
    loaded berth/annotated '' '"org.opencontainers.image.base.name":"docker.io/library/debian:latest",
        "com.docker.official-images.bashbrew.arch":"amd64"'
    equal "$(as_user srun --container=berth/annotated /probe hello)" hello
    nothing_left
}

@test "no way leads to a user namespace, unless the administrator's profile has one (threat 30)" {
    local denied='clone: Operation not permitted
clone3: Function not implemented
setns: Operation not permitted
unshare: Operation not permitted'
    equal "$(as_user srun --container=berth/hostile /probe users)" "$denied"
    conf <<<"seccomp = \"$PREFIX/etc/slurm/attacks.json\""
    echo '{"defaultAction":"SCMP_ACT_ALLOW"}' >"$PREFIX/etc/slurm/attacks.json"
    run as_user srun --container=berth/hostile /probe users
    rm "$PREFIX/etc/slurm/attacks.json"
    contains "$output" "unshare: yes"
    nothing_left
}

@test "an image that says more of itself than anybody reads is refused; below that all is removed (threat 74)" {
    loaded berth/wordy "\"Labels\":{\"a\":\"$(xs 2000000)\"}"
    run --separate-stderr as_user srun --container=berth/wordy /probe hello
    refused berth/wordy "1024 KiB" labels
    loaded berth/wordy "\"Labels\":{\"a\":\"$(xs 400000)\"}"
    equal "$(as_user srun --container=berth/wordy /probe hello)" hello
    nothing_left
}

@test "an environment that no program can be given is called that, before there is a container" {
    loaded berth/large "\"Env\":[\"SMALL=1\",\"LARGE=$(xs 200000)\"]"
    run --separate-stderr as_user srun --container=berth/large /probe hello
    refused "environment is too large" LARGE "131071"
    nothing_left
}

@test "a volume's path is cleaned as engines do it; one that leads up is refused (threat 26)" {
    local path
    loaded berth/volumes '"Volumes":{"/data/":{},"//a/./b//":{},"/data":{}}'
    run as_user srun --container=berth/volumes /probe show /proc/self/mountinfo
    contains "$output" " /data rw,nosuid,nodev"
    contains "$output" " /a/b rw,nosuid,nodev"
    for path in /a/../etc /.. / /. data //proc/ /./dev/shm/; do
        loaded berth/volumes "\"Volumes\":{\"$path\":{}}"
        run --separate-stderr as_user srun --container=berth/volumes /probe hello
        refused "volume" || fail "$path"
    done
    nothing_left
}

@test "words of an image's turn nothing round on a terminal (threat 67)" {
    loaded berth/turned '"Entrypoint":["/a\u202eb\u200bc\u009bd"]'
    run -127 --separate-stderr as_user srun --container=berth/turned --container-entrypoint hello
    contains "$stderr" '/a???b???c??d'
    nothing_left
}

# --- file systems, directories and records of a user's ------------------------

# fuse MODE: the user's file system at ~/fuse (fuse.c). Sets FUSE and ASKED, the
# questions that others than the user have asked it.
fuse() {
    [[ -c /dev/fuse ]] || skip_without "/dev/fuse"
    cc -O1 -o "$BATS_TEST_TMPDIR/fuse" "$BATS_TEST_DIRNAME/fuse.c"
    install -d -o berth1 "$HOME1/fuse"
    ASKED=$BATS_TEST_TMPDIR/asked
    "$BATS_TEST_TMPDIR/fuse" "$HOME1/fuse" "$(id -u berth1)" "$1" \
        </dev/null >"$ASKED" 2>&1 3>&- 4>&- &
    FUSE=$!
    poll "$SOON" grep -q " $HOME1/fuse " /proc/self/mounts
    conf <<<'mounts_allowed = {"%h/**:rw"}
probe_seconds = 3'
}

# The sweep by hand finds nothing, and says nothing.
swept() {
    run "$PREFIX/sbin/berth-epilog" --sweep
    ((status == 0)) && [[ -z $output ]]
}

@test "root asks a user's file system nothing, in which a mount has its place (threat 75)" {
    local start=$SECONDS
    fuse user
    run --separate-stderr as_user timeout 40 srun --chdir="$HOME1/fuse" --container=debian \
        --container-mounts="$HOME1/fuse/sub" sh -c 'grep -q " $PWD/sub " /proc/self/mountinfo && echo laid'
    equal "$(<"$ASKED")" ""
    equal "$output" laid
    nothing_left
    ((SECONDS - start < 20))
    swept
    # Nor one at /tmp, where a task gets the job's own and its terminal.
    run timeout 40 script -qec "'$QUICKSTART' run --user=berth1 -- srun --pty --container=debian \
        --container-mounts=$HOME1/fuse:/tmp sh -c 'test -c /dev/console && ls /tmp/hello'" /dev/null
    equal "$(<"$ASKED")" ""
    contains "$output" /tmp/hello
    # Nor for what a task has as its standard input, which could be a terminal.
    printf '#!/bin/sh\ncat\n' >"$HOME1/batch.sh"
    run_batch --chdir="$HOME1" --container=debian --input="$HOME1/fuse/hello" --output=batch.out "$HOME1/batch.sh"
    equal "$(<"$ASKED")" ""
    # Before that comes a warning that the mount itself is not in the container.
    equal "$(tail -n 1 "$HOME1/batch.out")" "hello from FUSE"
    kill "$FUSE"
    umount -l "$HOME1/fuse"
    nothing_left
}

@test "a file server that goes while a container comes up costs a step, and no more (threat 75)" {
    local start=$SECONDS hung
    fuse once
    run --separate-stderr as_user timeout 40 srun --chdir="$HOME1/fuse" --container=debian \
        --container-mounts="$HOME1/fuse/sub" echo ran
    refused "$HOME1/fuse/sub did not open within 3 seconds"
    # What asked it as the user waits for it in the kernel, and holds nothing.
    left() { traces | grep -v '^process [0-9]* berth-stepd$' || true; }
    clean() { [[ -z $(left) ]] && no_records && all_idle; }
    poll "$SOON" clean || fail "left: $(left)"
    ((SECONDS - start < 25))
    swept
    hung=$(pids berth-stepd)
    [[ -n $hung ]]
    equal "$(sed -n 's/^Uid:\t\([0-9]*\).*/\1/p' "/proc/$hung/status")" "$(id -u berth1)"
    equal "$(find "/proc/$hung/fd" -type l -printf '%f %l\n' | grep -v -e '^0 socket:' -e " $HOME1/fuse\$")" ""
    equal "$(in_container echo ran)" ran
    kill "$FUSE"
    umount -l "$HOME1/fuse"
    nothing_left
}

@test "who stops each berth-stepd that he may leaves none, and waits for his own steps only (threat 78)" {
    local stopper round start lasts=${BERTH_LONG:+45}
    conf <<<'mounts_allowed = {"%h/**:rw"}
probe_seconds = 2'
    install -d -o berth1 "$HOME1/stopper"
    cc -O2 -o "$HOME1/stopper/stopper" "$BATS_TEST_DIRNAME/stopper.c"
    as_user timeout 100 stopper/stopper "${lasts:-20}" </dev/null >"$BATS_TEST_TMPDIR/stopped" 2>&1 3>&- 4>&- &
    stopper=$!
    for round in {1..12}; do
        start=$SECONDS
        run --separate-stderr as_user timeout 60 srun -Q --chdir="$HOME1/stopper" --container=debian \
            --container-mounts="$HOME1/stopper:/mnt" echo ran
        [[ $output == ran ]] || refused "did not open within 2 seconds"
        ((SECONDS - start < 15)) || fail "step $round took $((SECONDS - start)) seconds"
        ! gone "$stopper" || break
    done
    scancel -Q -n bats
    poll 60 gone "$stopper"
    echo "# stopped $(<"$BATS_TEST_TMPDIR/stopped") in $round steps" >&3
    nothing_left
    swept
}

@test "what a step leaves where the next one's PMIx directories are to be leads them nowhere (threat 123)" {
    needs_pmix
    local out
    run as_user salloc -Q -w n1 bash -c '
        # The numbers of the next steps, in the place where a container has them.
        srun -Q --mpi=pmix --container=debian sh -c "
            dir=\$(dirname \$PMIX_SERVER_TMPDIR); cd \$dir
            ln -s /etc pmix.$SLURM_JOB_ID.1; ln -s /proc/self pmix.$SLURM_JOB_ID.2; : >pmix.$SLURM_JOB_ID.3
            mkdir own; ln -s \$dir/own pmix.$SLURM_JOB_ID.4; ln -s /run/berth pmix.$SLURM_JOB_ID.5
            ln -s /etc $0/spmix_appdir_$(id -u)_$SLURM_JOB_ID.7"
        for i in 1 2 3 4 5 6 7; do
            srun -Q --mpi=pmix --container=debian sh -c "
                id -un; [ \$(stat -c %m \$PMIX_SERVER_TMPDIR/) = \$(realpath \$PMIX_SERVER_TMPDIR) ] &&
                    echo has \$PMIX_SERVER_TMPDIR/"
        done
        srun -Q --mpi=none --container=debian grep pmix /proc/self/mountinfo' "${PLUGSTACK_CONF%/etc/*}/tmp/n1" 2>&1
    out=$(grep -v '^srun:' <<<"$output")
    contains "$(sed -n 1p <<<"$out")" "leads to /etc in this container, where nothing can be mounted"
    contains "$(sed -n 2p <<<"$out")" "this container has no "
    contains "$(sed -n 3p <<<"$out")" "this container has no "
    equal "$(sed -n 4p <<<"$out")" berth1
    contains "$(sed -n 5p <<<"$out")" ".4/"
    contains "$(sed -n 6p <<<"$out")" "leads to /run/berth"
    equal "$(sed -n 7p <<<"$out")" berth1
    # The one that was refused for its second leaves nothing of the first.
    contains "$(sed -n 9p <<<"$out")" ".7 leads to /etc"
    equal "$(tail -n +10 <<<"$out")" ""
    nothing_left
}

@test "PMIx's directory is itself, or it is not mounted, whatever it is exchanged for (threat 76)" {
    needs_pmix
    local base=$HOME1/pmix-base other=$HOME1/pmix-other swapper round
    conf <<<'home = never'
    for round in {1..4}; do
        rm -rf "$base" "$other"
        install -d -o berth1 "$base" "$other"
        echo secret >"$other/file"
        as_user timeout 20 bash -c 'until compgen -G "$0/spmix_appdir_*" >/dev/null; do :; done
            dir=$(echo "$0"/spmix_appdir_*); mv "$dir" "$0/away"; ln -s "$1" "$dir"' "$base" "$other" \
            </dev/null >/dev/null 2>&1 3>&- 4>&- &
        swapper=$!
        run --separate-stderr as_user env SLURM_PMIX_TMPDIR="$base" timeout 40 srun -Q -w n1 --chdir=/ --mpi=pmix \
            --container=debian sh -c 'for d in "$0"/*; do cat "$d/file"; echo >"$d/new"; done 2>/dev/null; echo ran' "$base"
        [[ ! -e $other/new ]] || fail "written to"
        lacks "$output" secret
        [[ $output == ran ]] || refused "$base/spmix_appdir_"
        poll "$SOON" gone "$swapper"
    done
    nothing_left
}

@test "a job whose record could not be written has none of the rules for partitions, and no container (threat 77)" {
    local partition job
    partition=$(sinfo -ho %R | head -n 1)
    conf <<<"partition \"$partition\" { allow = {\"berth/hostile\"} }"
    mount -t tmpfs -o size=64k,mode=711 berth-test "$STATE"
    mkdir -m 711 "$STATE/n1"
    dd if=/dev/zero of="$STATE/full" bs=4k 2>/dev/null || true
    as_user salloc -Q -J bats -w n1 --no-shell
    job=$(squeue -hn bats -o %i)
    as_user srun -Q --jobid="$job" true
    rm "$STATE/full"
    run --separate-stderr bypassing srun -Q --jobid="$job" --container=debian echo ran
    refused "partition" "n1"
    equal "$(find "$STATE/n1" -name '*.tmp')" ""
    # Nor does a mode help that one of the sections has not.
    conf <<<"mode = warn
partition \"$partition\" { mode = enforce }"
    run --separate-stderr bypassing srun -Q --jobid="$job" --container=berth/hostile echo ran
    refused "partition" "n1"
    conf <<<"mode = warn
partition \"$partition\" { allow = {\"berth/hostile\"} }"
    run --separate-stderr bypassing srun -Q --jobid="$job" --container=debian echo ran
    equal "$output" ran
    contains "$stderr" "berth: warning: "
    scancel "$job"
    poll "$SOON" no_jobs
    poll "$SOON" all_idle
    poll "$SOON" umount "$STATE"
    nothing_left
}

# --- what users can do to the runtime, and to the engine's answers -----------

@test "who stops the runtime's process holds up no epilog and no other user, and nothing of it is left (threat 73)" {
    local start job
    stop_runtime as_user
    as_user srun -w n1 --container=debian true </dev/null >/dev/null 2>&1 3>&- 4>&- &
    SRUN=$!
    runtime_stopped
    job=$(squeue -hn bats -o %i)
    start=$SECONDS
    scancel "$job"
    poll "$SOON" all_idle || fail "the epilog lasts"
    # The engine would be waited for 20 seconds.
    ((SECONDS - start <= 15)) || fail "the epilog took $((SECONDS - start)) s"
    wait "$SRUN" || true
    start=$SECONDS
    as_other srun -w n1 true
    ((SECONDS - start <= 15)) || fail "another user waited for $((SECONDS - start)) s"
    poll "$SOON" gone "$STOPPED" || fail "$(grep -E 'Name|State' "/proc/$STOPPED/status") is left"
    nothing_left
}

@test "a berth-stepd that is killed while the runtime is stopped: its container goes all the same (threat 73)" {
    local start
    stop_runtime as_user
    as_user srun -w n1 --container=debian true </dev/null >/dev/null 2>&1 3>&- 4>&- &
    SRUN=$!
    runtime_stopped
    kill_stepds
    start=$SECONDS
    scancel -n bats
    nothing_left 20
    ((SECONDS - start <= 15)) || fail "it took $((SECONDS - start)) s"
    wait "$SRUN" || true
    gone "$STOPPED" || fail "it is left"
}

@test "a process that dies in the moment in which crun starts its container holds up no engine (threat 73)" {
    [[ $BERTH_ENGINE == podman ]] || skip_without "a Podman"
    local begins=$BATS_TEST_TMPDIR/begins pid dir fifo
    # crun looks whether the process lives, reads this, and then opens a FIFO
    # that the process reads from, or nobody any more: it waits for ever, and
    # Podman for crun, with a lock that whoever lists containers waits for.
    hold_starts "$begins"
    perl -MPOSIX=mkfifo -e '
        $fifo = "/run/crun/fifo";
        mkfifo $fifo, 0600 or die;
        select undef, undef, undef, 0.001 until ($dir) =
            grep { -e "$_/exec.fifo" && -s "$_/status" } glob "/run/crun/*";
        rename "$dir/config.json", "$dir/config" or die;
        rename $fifo, "$dir/config.json" or die;
        local (@ARGV, $/) = "$dir/status";
        print <> =~ /"pid" *: *(\d+)/, " $dir\n"' </dev/null >"$begins" 3>&- 4>&- &
    as_user srun -w n1 --container=debian true </dev/null >/dev/null 2>&1 3>&- 4>&- &
    SRUN=$!
    poll "$SOON" test -s "$begins" || fail "no container came up"
    read -r pid dir <"$begins"
    exec {fifo}>"$dir/config.json"
    as_user kill -KILL "$pid"
    poll "$SOON" gone "$pid"
    mv "$dir/config" "$dir/config.json"
    cat "$dir/config.json" >&"$fifo"
    exec {fifo}>&-
    STOPPED=$(pgrep -fx ".*crun start ${dir##*/}")
    poll "$SOON" grep -q wait_for_partner "/proc/$STOPPED/wchan" || fail "crun waits for nobody"
    scancel -n bats
    nothing_left 20
    gone "$STOPPED" || fail "crun waits still"
    wait "$SRUN" || true
}

@test "what a prolog cannot remove of others holds up no job (threat 73)" {
    local start dir=$STATE/n1/9931.0 fake
    perl -MIO::Socket::UNIX -e '
        my $s = IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 9) or die;
        my @kept;
        push @kept, $_ while $_ = $s->accept;' "$BATS_TEST_TMPDIR/hangs" </dev/null >/dev/null 2>&1 3>&- 4>&- &
    fake=$!
    poll "$SOON" test -S "$BATS_TEST_TMPDIR/hangs"
    install -d -m 711 "$STATE/n1" "$dir"
    printf '{"engine":"%s","container":"berth-x","nonce":"%032d"}' "$BATS_TEST_TMPDIR/hangs" 0 >"$dir/record"
    start=$SECONDS
    as_user srun -w n1 true
    as_other srun -w n1 true
    as_user srun -w n1 --container=debian true
    kill "$fake"
    start=$((SECONDS - start))
    rm -r "$dir"
    ((start <= 15)) || fail "three jobs took $start s"
}

@test "a container that the engine describes in more than 4 MiB is removed (threat 74)" {
    local dir=$STATE/n1/9932.0 nonce id
    nonce=$(printf '%032d' 9)
    {
        printf '{"Image":"docker.io/berth/hostile:latest","Cmd":["/probe","hello"],"Labels":{"berth.nonce":"%s","x":"' "$nonce"
        head -c 5000000 /dev/zero | tr '\0' x
        printf '"}}'
    } >"$BATS_TEST_TMPDIR/request"
    id=$(api POST "/containers/create?name=berth-9932.0-$nonce" -d @"$BATS_TEST_TMPDIR/request" |
        sed -n 's/.*"Id":"\([0-9a-f]*\)".*/\1/p')
    [[ ${#id} == 64 ]] || fail "no container"
    install -d -m 711 "$STATE/n1" "$dir"
    printf '{"engine":"%s","container":"berth-9932.0-%s","nonce":"%s"}' \
        "${DOCKER_HOST#unix://}" "$nonce" "$nonce" >"$dir/record"
    printf %s "$id" >"$dir/created"
    run "$PREFIX/sbin/berth-epilog" --sweep
    api DELETE "/containers/$id?force=1" >"$BATS_TEST_TMPDIR/reply"
    rm -rf "$dir"
    equal "$status" 0
    contains "$(<"$BATS_TEST_TMPDIR/reply")" "o such container"
}

@test "more tasks than a socket holds packets, and a slow start: each task runs (threat 79)" {
    # 277 fit into a socket's buffer, and the 278th may wait for 20 seconds.
    local count=${BERTH_TASKS:-300}
    wrap_runtime "sleep 24; touch $BATS_TEST_TMPDIR/slow"
    # Slurm takes as long for bare tasks where the machine is busy.
    run -0 --separate-stderr timeout 300 "$QUICKSTART" run --user=berth1 -- \
        srun -Q -w n1 -n "$count" -O --mem=3000 --container=debian echo ran
    unwrap_runtime
    equal "$(uniq -c <<<"$output" | sed 's/^ *//')" "$count ran"
    [[ -e $BATS_TEST_TMPDIR/slow ]]
    nothing_left 60
}

# outside: builds outside.c where a user can run it.
outside() {
    OUTSIDE=$HOME1/outside-inside/outside
    install -d "${OUTSIDE%/*}"
    cc -std=gnu11 -D_GNU_SOURCE -O1 -static -I"$BATS_TEST_DIRNAME/../.." "$@" \
        -o "$OUTSIDE" "$BATS_TEST_DIRNAME/outside.c"
}

@test "berth-init cannot be entered from outside between its exec and the seal (threat 70)" {
    local stop=$HOME1/stop-inside round racer racers=() rounds=${BERTH_LONG:+20}
    : "${rounds:=8}"
    outside
    # A device node of the image that a bare process could open: /dev/zero's.
    mkdir -p "$BATS_TEST_TMPDIR/evil"
    cp "$BATS_FILE_TMPDIR/hostile/probe" "$BATS_TEST_TMPDIR/evil"
    mknod -m 666 "$BATS_TEST_TMPDIR/evil/evil" c 1 5 || skip_without mknod
    image berth/evil "$BATS_TEST_TMPDIR/evil"
    for racer in $(seq "$(nproc)"); do
        as_user "$OUTSIDE" gap /evil "$stop" >>"$BATS_TEST_TMPDIR/gap" </dev/null 3>&- 4>&- &
        racers+=($!)
    done
    for ((round = 0; round < rounds; round++)); do
        as_user srun -Q -w n1 --container=berth/evil /probe exit 0
    done
    touch "$stop"
    for racer in "${racers[@]}"; do
        poll "$SOON" gone "$racer"
    done
    rm "$stop"
    equal "$(cat "$BATS_TEST_TMPDIR/gap")" ""
    ((round == rounds))
    nothing_left
}

@test "a berth-init that others can read is refused, and so is fs.suid_dumpable = 1 (threat 70)" {
    local mode
    [[ $(stat -c %a "$LIBEXEC/berth-init") == 711 && $(stat -c %a "$LIBEXEC/berth-task") == 711 ]]
    for mode in 755 751 715; do
        chmod "$mode" "$LIBEXEC/berth-init"
        run --separate-stderr in_container echo ran
        chmod 711 "$LIBEXEC/berth-init"
        refused "$LIBEXEC/berth-init" "chmod 0711"
    done
    echo 1 >"$BATS_TEST_TMPDIR/one"
    mount --bind "$BATS_TEST_TMPDIR/one" /proc/sys/fs/suid_dumpable
    run --separate-stderr in_container echo ran
    poll "$SOON" umount /proc/sys/fs/suid_dumpable
    refused fs.suid_dumpable
    equal "$(in_container echo ran)" ran
    nothing_left
}

@test "a task's connection is nobody's when the task has ended, though its number is another's (threat 71)" {
    local stepd task heir next out=$BATS_TEST_TMPDIR/heir
    [[ -w /proc/sys/kernel/ns_last_pid ]] || skip_without CONFIG_CHECKPOINT_RESTORE
    outside
    # Two things that are beyond the user make the attack one of a moment: that
    # berth-task can be opened, and that berth-stepd takes its time.
    chmod 755 "$LIBEXEC/berth-task"
    hold_starts "$BATS_TEST_TMPDIR/go"
    as_user srun -w n1 -n2 -O --container=debian sleep 1000 </dev/null >/dev/null 2>&1 3>&- 4>&- &
    poll "$SOON" has_socket
    stepd=$(pids berth-stepd | sort -n | head -n 1) # and not a child of its
    kill -STOP "$stepd"
    echo go >"$BATS_TEST_TMPDIR/go"
    poll "$SOON" two_tasks
    chmod 711 "$LIBEXEC/berth-task"
    # Of the first the number is that of the tasks' process group as well.
    task=$(pids berth-task | sort -n | tail -n 1)
    sleep 0.5
    as_user "$OUTSIDE" heir "$task" >"$out" </dev/null 3>&- 4>&- &
    heir=$!
    poll "$SOON" grep -q have "$out"
    kill -KILL "$task"
    poll "$SOON" vanished "$task"
    "$OUTSIDE" again "$task" >"$out.again" </dev/null 3>&- 4>&- &
    next=$!
    poll "$SOON" grep -q again "$out.again"
    kill -CONT "$stepd"
    poll "$SOON" gone "$heir"
    kill "$next"
    equal "$(cat "$out")" $'have\nend'
    scancel -n bats
    nothing_left
}
has_socket() { [[ -n $(find "$STATE/n1" -name task -type s) ]]; }
two_tasks() { [[ $(pids berth-task | wc -l) == 2 ]]; }
vanished() { [[ ! -e /proc/$1 ]]; }

@test "the job's own /tmp is what Slurm has made, and not what a task is shown (threat 14)" {
    local dir=$HOME1/outside-inside
    outside -DELSEWHERE="\"$dir/mine\"" -DELSEWHERE_PROGRAM="\"$LIBEXEC/berth-task.real\""
    install -d "$dir/mine"
    touch "$dir/mine/of-another-place"
    # Where berth-task is, a set-user-ID program of the site that enters a
    # namespace of its own and goes on as the user: he cannot have one there.
    mv "$LIBEXEC/berth-task" "$LIBEXEC/berth-task.real"
    install -m 4711 "$OUTSIDE" "$LIBEXEC/berth-task"
    run --separate-stderr in_container ls /tmp
    mv "$LIBEXEC/berth-task.real" "$LIBEXEC/berth-task"
    ((status == 0)) || fail "it did not run"
    equal "$output" ""
    nothing_left
}

@test "a container that is stopped costs its step some seconds, and not some for each task (threat 73)" {
    local start=$SECONDS
    outside
    as_user "$OUTSIDE" stop init </dev/null >/dev/null 2>&1 3>&- 4>&- &
    run --separate-stderr as_user srun -w n1 -n64 -O --mem=3000 --container=debian echo ran
    # Some tasks may have been quicker than that.
    ((status != 0)) && contains "$stderr" "does not answer"
    ((SECONDS - start < 60)) || fail "it took $((SECONDS - start)) seconds"
    nothing_left 60
}

@test "many steps during reinstalls run, all of them" {
    local build=${PREFIX%/*}/build i out=$BATS_TEST_TMPDIR/ran steps=${BERTH_LONG:+40}
    : "${steps:=16}"
    [[ -e $build/Makefile ]] || skip_without 'the build that is installed'
    (
        for ((i = 0; i < steps / 4; i++)); do
            make -s -C "$build" install || echo "install failed"
        done
        touch "$BATS_TEST_TMPDIR/installed"
    ) >"$BATS_TEST_TMPDIR/make" 2>&1 </dev/null 3>&- 4>&- &
    for ((i = 0; i < steps; i++)); do
        as_user srun -Q --container=debian echo ran >>"$out" 2>&1 || echo "srun: $?" >>"$out"
    done
    poll 120 test -e "$BATS_TEST_TMPDIR/installed"
    lacks "$(cat "$BATS_TEST_TMPDIR/make")" "install failed"
    equal "$(sort "$out" | uniq -c | xargs)" "$steps ran"
    nothing_left
}
