#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# berth-prolog and berth-epilog: they remove what belongs to berth, and only
# that. Most leftovers here are made as a crash would have left them.

load lib

EPILOG=$PREFIX/sbin/berth-epilog
PROLOG=$PREFIX/sbin/berth-prolog
NONCE=0123456789abcdef0123456789abcdef

teardown() {
    local id
    for id in $(api GET '/containers/json?all=1' | grep -o '"Id":"[0-9a-f]*"' | cut -d'"' -f4); do
        api DELETE "/containers/$id?force=1&v=1" >/dev/null
    done
    [[ -z ${FAKE-} ]] || kill "$FAKE" 2>/dev/null || true
    pkill -u berth1 -fx 'sleep 9929' || true
    awk -v s="$STATE/" 'index($5, s) == 1 { print $5 }' /proc/self/mountinfo | xargs -r umount
    find "$STATE" -mindepth 2 -maxdepth 2 -name '99*.*' -exec rm -rf --one-file-system {} +
    tidy
}

# container NAME [LABEL ...]: an idle one, as somebody makes it at the engine.
container() {
    local name=$1 labels=''
    shift
    for label in "$@"; do
        labels+=${labels:+,}\"${label%%=*}\":\"${label#*=}\"
    done
    api POST "/containers/create?name=$name" \
        -d "{\"Image\":\"docker.io/berth/probe:latest\",\"Cmd\":[\"/probe\",\"hello\"],\"Labels\":{$labels}}" |
        grep -q '"Id"' || fail "no container $name"
}
exists() { containers | grep -qxF "$1"; }

# leftover JOB.STEP [NODE [NONCE]]: what a crash leaves of a step: the
# directory, a mount, the record and the container.
leftover() {
    local name=$1 node=${2:-n1} nonce=${3:-$NONCE}
    local dir=$STATE/$node/$name
    install -d -m 711 "$STATE" "$STATE/$node" "$dir"
    mkdir "$dir/workdir"
    mount --bind "$HOME1" "$dir/workdir"
    printf '{"engine":"%s","container":"berth-%s-%s","nonce":"%s"}' \
        "${DOCKER_HOST#unix://}" "$name" "$nonce" "$nonce" >"$dir/record"
    touch "$dir/created"
    container "berth-$name-$nonce" "berth.nonce=$nonce" "berth.job=${name%.*}" "berth.step=$name"
}
left() { [[ -e $STATE/${2:-n1}/$1 ]] && exists "berth-$1-${3:-$NONCE}" && grep -q " $STATE/${2:-n1}/$1/" /proc/self/mountinfo; }
gone_whole() {
    [[ ! -e $STATE/${2:-n1}/$1 ]] && ! exists "berth-$1-${3:-$NONCE}" &&
        ! grep -q " $STATE/${2:-n1}/$1/" /proc/self/mountinfo
}

# as_slurmd JOB PROGRAM ...: with the environment that slurmd gives.
as_slurmd() {
    local job=$1
    shift
    env -i SLURM_JOB_ID="$job" SLURMD_NODENAME=n1 SLURM_CLUSTER_NAME=berth \
        SLURM_JOB_PARTITION=main SLURM_CONF="$SLURM_CONF" "$@"
}

# hold_creates: berth's calls go to the engine by way of somebody who keeps a
# request that is to make a container, in HELD, until HELD.go is there; the
# engine's answer is in HELD.answer. Who asked may have gone by then.
hold_creates() {
    local socket=$BATS_TEST_TMPDIR/holds
    HELD=$BATS_TEST_TMPDIR/held
    perl -MIO::Socket::UNIX -MIO::Select -e '
        my ($at, $to, $held) = @ARGV;
        sub keep {
            my ($name, $data) = @_;
            open my $f, ">", "$held.new" or die;
            print $f $data;
            close $f;
            rename "$held.new", $name;
        }
        $SIG{CHLD} = $SIG{PIPE} = "IGNORE";
        my $s = IO::Socket::UNIX->new(Local => $at, Listen => 64) or die;
        while (my $c = $s->accept) {
            next if fork;
            close $s;
            my $e = IO::Socket::UNIX->new(Peer => $to) or exit;
            while (my @ready = IO::Select->new($c, $e)->can_read) {
                for my $from (@ready) {
                    sysread $from, my $data, 65536 or exit;
                    my $create = $from == $c && $data =~ m{^POST \S*/containers/create};
                    while ($create && !-e "$held.go") {
                        keep $held, $data;
                        select undef, undef, undef, 0.05;
                        sysread $c, $data, 65536, length $data if IO::Select->new($c)->can_read(0);
                    }
                    syswrite $from == $c ? $e : $c, $data;
                    next unless $create;
                    sysread $e, $data, 65536;
                    keep "$held.answer", $data;
                    syswrite $c, $data;
                }
            }
            exit;
        }' "$socket" "${DOCKER_HOST#unix://}" "$HELD" </dev/null 3>&- 4>&- &
    FAKE=$!
    poll "$SOON" test -S "$socket"
    policy allow=debian "engine=unix://$socket"
}

@test "--dry-run says what --sweep would remove, and removes nothing" {
    leftover 9901.0
    run "$EPILOG" --sweep --dry-run
    equal "$status" 0
    contains "$output" "would remove what is left of step 9901.0 on node n1"
    left 9901.0 || fail "it is gone"
    run "$EPILOG" --sweep
    equal "$status" 0
    contains "$output" "removed what was left of step 9901.0 on node n1"
    gone_whole 9901.0 || fail "$(traces)"
    run "$EPILOG" --sweep
    equal "$status/$output" 0/
    [[ -e $HOME1/.profile || -d $HOME1 ]]
}

@test "--dry-run of a step or job that runs waits for nothing, and ends nothing" {
    local args start
    start_step -w n1 --container=debian sh -c "$(waiter)"
    for args in --step="$JOB.0" ''; do
        start=$SECONDS
        # shellcheck disable=SC2086  # nothing, or one
        run as_slurmd "$JOB" "$EPILOG" -n $args
        equal "$status" 0
        equal "$output" "would wait for step $JOB.0 on node n1 to end, kill it \
if it does not, and remove what is left of it"
        ((SECONDS - start < 10)) || fail "it took $((SECONDS - start)) s"
        ! gone "$SRUN" || fail "the step is gone"
        equal "$(berths | wc -l)" 1
    done
    scancel "$JOB"
    await_step
    nothing_left
}

@test "a sweep spares the steps that run" {
    start_step --container=debian sh -c "$(waiter)"
    leftover 9902.0
    run "$EPILOG" --sweep
    equal "$status" 0
    gone_whole 9902.0
    equal "$(berths | wc -l)" 1
    lacks "$output" "step $JOB.0 "
    gone "$SRUN" && fail "the step is gone"
    scancel "$JOB"
    await_step
    nothing_left
}

@test "the epilog removes its own job's steps and no other's: 99 is not 990 (threat 11)" {
    leftover 990.0 n1 "${NONCE/0/1}"
    leftover 9909.0 n1 "${NONCE/0/2}"
    leftover 990.4294967291 n1 "${NONCE/0/3}"
    leftover 990.0 n2 "${NONCE/0/4}"
    run as_slurmd 99 "$EPILOG"
    equal "$status" 0
    left 990.0 n1 "${NONCE/0/1}"
    run as_slurmd 990 "$EPILOG"
    equal "$status" 0
    gone_whole 990.0 n1 "${NONCE/0/1}" || fail "it is left"
    gone_whole 990.4294967291 n1 "${NONCE/0/3}"
    left 9909.0 n1 "${NONCE/0/2}" || fail "another job's is gone"
    left 990.0 n2 "${NONCE/0/4}" || fail "another node's is gone"
    "$EPILOG" --sweep
    [[ -z $(traces) ]]
}

@test "a container with berth's labels, and one with a look-alike name, survive (threats 59, 60)" {
    container berth-9903.0-ffffffffffffffffffffffffffffffff berth.nonce=ffffffffffffffffffffffffffffffff \
        berth.job=9903 berth.step=9903.0 berth.node=n1 berth.uid=0 berth.cluster=berth
    container "berth-9903.0-${NONCE}0" "berth.nonce=$NONCE" berth.step=9903.0
    container "${NONCE}" "berth.nonce=$NONCE"
    leftover 9903.0
    run as_slurmd 9903 "$EPILOG"
    run "$EPILOG" --sweep
    run as_slurmd 9903 "$PROLOG"
    as_slurmd 9903 "$EPILOG"
    gone_whole 9903.0
    exists berth-9903.0-ffffffffffffffffffffffffffffffff || fail "a container with labels is gone"
    exists "berth-9903.0-${NONCE}0" || fail "one with a similar name is gone"
    exists "$NONCE" || fail "one with a nonce's name is gone"
}

@test "a container that took the recorded name with another nonce survives (threats 59, 60)" {
    local dir=$STATE/n1/9904.0
    leftover 9904.0
    api DELETE "/containers/berth-9904.0-$NONCE?force=1"
    container "berth-9904.0-$NONCE" berth.nonce=ffffffffffffffffffffffffffffffff
    run "$EPILOG" --sweep
    equal "$status" 0
    exists "berth-9904.0-$NONCE" || fail "it was removed"
    [[ ! -e $dir ]]
}

@test "a record whose container was still being made: it is waited for and removed (threat 61)" {
    leftover 9905.0
    rm "$STATE/n1/9905.0/created"
    api DELETE "/containers/berth-9905.0-$NONCE?force=1"
    "$EPILOG" --sweep >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
    local sweep=$!
    # Half a second later the engine has got to it.
    sleep 0.5
    container "berth-9905.0-$NONCE" "berth.nonce=$NONCE"
    wait "$sweep"
    gone_whole 9905.0 || fail "left: $(traces) $(cat "$BATS_TEST_TMPDIR/out")"
}

@test "what the engine makes after its step, its job and its epilog are over goes with a later sweep (threat 61)" {
    local job source sources
    hold_creates
    in_container true >"$BATS_TEST_TMPDIR/out" 2>&1 </dev/null 3>&- 4>&- &
    poll "$SOON" test -s "$HELD" || fail "$(<"$BATS_TEST_TMPDIR/out")"
    job=$(squeue -hn bats -o %i)
    scancel "$job"
    # The epilog kills berth-stepd, which waits for the engine's answer.
    nothing_left 60
    # No sweep finds anything yet, none fails for it, and it is no secret.
    run "$EPILOG" --sweep
    equal "$status/$output" 0/
    run "$EPILOG" --sweep --dry-run
    contains "$output" "would remove the container berth-$job.0-"
    contains "$output" " on node n1, if its engine"
    # An engine that has begun has found each source. (One that begins only now
    # finds none, and makes nothing.)
    mapfile -t sources < <(grep -oiE '"source": ?"[^"]*"' "$HELD" | cut -d'"' -f4 | grep "^$STATE/")
    ((${#sources[@]})) || fail "the request has no sources: $(<"$HELD")"
    mkdir -p "${sources[@]}"
    touch "$HELD.go"
    poll "$SOON" test -s "$HELD.answer"
    contains "$(head -n 1 "$HELD.answer")" " 201 "
    rm -r "$STATE/n1/$job.0"
    equal "$(berths | sed 's/-[0-9a-f]*$//')" "berth-$job.0"
    usual_policy
    as_user srun -w n1 true
    none_late() { [[ -z $(berths) && -z $(late) ]]; }
    poll "$SOON" none_late || fail "left: $(berths) $(late)"
    nothing_left
}
# The records of containers that the engine may yet make.
late() { find "$STATE" -path '*/unanswered/*'; }

@test "what an engine has refused to make is not looked for (threat 61)" {
    hold_creates
    in_container true >"$BATS_TEST_TMPDIR/out" 2>&1 </dev/null 3>&- 4>&- &
    poll "$SOON" test -s "$HELD" || fail "$(<"$BATS_TEST_TMPDIR/out")"
    # It has to be the engine that says no: to a name that is taken.
    container "$(grep -oE 'berth-[0-9]+\.0-[0-9a-f]{32}' "$HELD" | head -n 1)" berth.nonce=another
    touch "$HELD.go"
    poll "$SOON" grep -q 'cannot create the container' "$BATS_TEST_TMPDIR/out" || fail "$(<"$BATS_TEST_TMPDIR/out")"
    poll "$SOON" no_jobs
    poll "$SOON" no_records
    equal "$(late)" ""
}

@test "a directory without a record, or with half of one, goes (threat 61)" {
    install -d -m 711 "$STATE/n1/9906.0" "$STATE/n1/9906.1"
    printf '{"engine":"/run' >"$STATE/n1/9906.1/record"
    run "$EPILOG" --sweep
    equal "$status" 0
    [[ ! -e $STATE/n1/9906.0 && ! -e $STATE/n1/9906.1 ]] || fail "$(find "$STATE")"
}

@test "a crashed node's leftovers go at the next prolog (threat 61)" {
    leftover 9907.0
    leftover 9907.1
    as_user srun -w n1 true
    # The job did not wait for that.
    poll "$SOON" gone_whole 9907.0 || fail "$(traces)"
    poll "$SOON" gone_whole 9907.1 || fail "$(traces)"
    nothing_left
}

@test "a prolog does not touch another node's, nor what the user mounted (threat 11)" {
    leftover 9908.0 n2
    as_user srun -w n1 true
    left 9908.0 n2 || fail "it is gone"
    [[ -d $HOME1 ]]
    "$EPILOG" --sweep --node=n2
    gone_whole 9908.0 n2
}

@test "the epilog works in any environment (threats 5, 13)" {
    local i=0
    while read -r -a words; do
        leftover "991$i.0"
        run "${words[@]}" SLURM_JOB_ID="991$i" SLURMD_NODENAME=n1 "$EPILOG"
        equal "$status" 0
        gone_whole "991$i.0" || fail "${words[*]}: $(traces)"
        i=$((i + 1))
    done <<END
env -i
env PATH=/nonexistent HOME=/nonexistent
env DOCKER_HOST=unix:///nonexistent SLURM_CONF=/nonexistent
env http_proxy=http://127.0.0.1:1 ALL_PROXY=http://127.0.0.1:1 NO_PROXY=
env LANG=tr_TR.UTF-8 LC_ALL=nonsense TMPDIR=/nonexistent
env SPANK_DOCKER_HOST=x SPANK_SLURM_JOB_ID=1 SLURM_JOB_GPUS=0,1,2,3
END
    leftover 9920.0
    SLURM_JOB_ID=9920 SLURMD_NODENAME=n1 "$EPILOG" <&- >&- 2>&- 3>&-
    gone_whole 9920.0 || fail "without descriptors: $(traces)"
    leftover 9921.0
    (ulimit -n 16; ulimit -c 0; as_slurmd 9921 "$EPILOG")
    gone_whole 9921.0 || fail "with few descriptors: $(traces)"
}

@test "what makes no sense in the environment removes nothing (threats 5, 6)" {
    local job
    leftover 9922.0
    for job in '' 0x26c2 9922x -9922 99220 '9922 ' '../n1/9922' 99999999999999999999; do
        run env -i SLURM_JOB_ID="$job" SLURMD_NODENAME=n1 "$EPILOG"
        left 9922.0 || fail "job \"$job\" removed it"
    done
    for node in '' n2 ../n1 . .. n1/ n1/9922.0; do
        run env -i SLURM_JOB_ID=9922 SLURMD_NODENAME="$node" "$EPILOG"
        left 9922.0 || fail "node \"$node\" removed it"
    done
    for args in '--step=9922' '--step=9922.' '--step=9922.0x' '--step=../n1/9922.0' '--sweep --step=9922.0' 'extra' '--node=../n1 --sweep'; do
        # shellcheck disable=SC2086  # words
        run "$EPILOG" $args
        ((status != 0)) || fail "$args is taken"
        left 9922.0 || fail "$args removed it"
    done
    "$EPILOG" --step=9922.0 --node=n1
    gone_whole 9922.0
}

@test "an engine that hangs holds the epilog for a bounded time, and the node is not drained" {
    local start=$SECONDS
    perl -MIO::Socket::UNIX -e '
        my $s = IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 9) or die;
        my @kept;
        push @kept, $_ while $_ = $s->accept;' "$BATS_TEST_TMPDIR/hangs" </dev/null >/dev/null 2>&1 3>&- &
    FAKE=$!
    poll "$SOON" test -S "$BATS_TEST_TMPDIR/hangs"
    leftover 9923.0
    sed -i "s,\"engine\":\"[^\"]*\",\"engine\":\"$BATS_TEST_TMPDIR/hangs\"," "$STATE/n1/9923.0/record"
    run as_slurmd 9923 "$EPILOG"
    equal "$status" 0
    ((SECONDS - start <= 50)) || fail "it took $((SECONDS - start)) s"
    [[ -e $STATE/n1/9923.0/record ]] || fail "what is left is not on record"
    # By hand the exit status tells.
    kill "$FAKE"
    run "$EPILOG" --sweep
    equal "$status" 1
    contains "$output" 9923.0
    sed -i "s,\"engine\":\"[^\"]*\",\"engine\":\"${DOCKER_HOST#unix://}\"," "$STATE/n1/9923.0/record"
    run "$EPILOG" --sweep
    equal "$status" 0
    gone_whole 9923.0
}

@test "the cgroups of a container go that the runtime left before berth-stepd had noted them" {
    local id root
    # As if both were killed while the container started.
    leftover 9927.0
    id=$(api GET "/containers/berth-9927.0-$NONCE/json" | grep -o '"Id":"[0-9a-f]*"' | head -n 1 | cut -d'"' -f4)
    [[ $id =~ ^[0-9a-f]{64}$ ]]
    echo -n "$id" >"$STATE/n1/9927.0/created"
    root=$(awk '$3 ~ /^cgroup2?$/ { print $2; exit }' /proc/self/mounts)
    mkdir -p "$root/berth-test/its-$id.scope/within"
    run "$EPILOG" --sweep
    equal "$status" 0
    gone_whole 9927.0
    # What is around it is not the container's.
    equal "$(find "$root/berth-test" -type d)" "$root/berth-test" || {
        find "$root/berth-test" -depth -type d -exec rmdir {} +
        fail "its cgroups are left"
    }
    rmdir "$root/berth-test"
}

@test "a sweep says of each step that it leaves something of it, also where there was no time for it" {
    local i start=$SECONDS
    perl -MIO::Socket::UNIX -e '
        my $s = IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 9) or die;
        my @kept;
        push @kept, $_ while $_ = $s->accept;' "$BATS_TEST_TMPDIR/hangs" </dev/null >/dev/null 2>&1 3>&- &
    FAKE=$!
    poll "$SOON" test -S "$BATS_TEST_TMPDIR/hangs"
    for i in 0 1 2; do
        install -d -m 711 "$STATE/n1" "$STATE/n1/9924.$i"
        printf '{"engine":"%s","container":"berth-x","nonce":"%s"}' \
            "$BATS_TEST_TMPDIR/hangs" "$NONCE" >"$STATE/n1/9924.$i/record"
    done
    run "$EPILOG" --sweep
    equal "$status" 1
    ((SECONDS - start <= 50)) || fail "it took $((SECONDS - start)) s"
    for i in 0 1 2; do
        contains "$output" "berth: what is left of step 9924.$i on node n1 cannot be removed: "
    done
}

@test "a lock that outlives who took it, in a child that hangs, protects nothing (threat 75)" {
    local holder
    leftover 9925.0
    leftover 9926.0
    # The process that has taken this one lives.
    flock "$STATE/n1/9925.0" sleep 1000 3>&- 4>&- &
    holder=$!
    # This one's taker has ended, and the sleep has inherited it.
    # shellcheck disable=SC2094  # nothing is written
    (
        flock 9
        exec sleep 1000
    ) 9<"$STATE/n1/9926.0" 3>&- 4>&- &
    FAKE=$!
    poll "$SOON" sh -c "! flock -n '$STATE/n1/9925.0' true && ! flock -n '$STATE/n1/9926.0' true"
    run "$EPILOG" --sweep
    equal "$status" 0
    equal "$output" "removed what was left of step 9926.0 on node n1"
    left 9925.0 || fail "one that is in use is gone"
    gone_whole 9926.0 || fail "$(traces)"
    pkill -P "$holder"
    wait "$holder" || true
    "$EPILOG" --sweep
}

@test "a user's lock of a directory with a step's path, in namespaces of his, protects nothing (threat 125)" {
    local holder
    leftover 9929.0
    # A child that hangs has inherited the step's own.
    # shellcheck disable=SC2094  # nothing is written
    (
        flock 9
        exec sleep 1000
    ) 9<"$STATE/n1/9929.0" 3>&- 4>&- &
    FAKE=$!
    # shellcheck disable=SC2016  # his shell's
    as_user unshare -rm sh -c 'mount -t tmpfs none "${1%/*/*/*}" && mkdir -p "$1" && exec flock "$1" sleep 9929' \
        sh "$STATE/n1/9929.0" 3>&- 4>&- &
    holder=$!
    his() { pgrep -u berth1 -fx "sleep 9929"; }
    poll "$SOON" his
    run "$EPILOG" --sweep
    equal "$status" 0
    equal "$output" "removed what was left of step 9929.0 on node n1"
    gone_whole 9929.0 || fail "$(traces)"
    his || fail "his process is gone"
    kill "$(his)"
    wait "$holder" || true
}

@test "several steps that nobody cleans up hold the epilog no longer than one, and the job's record goes" {
    local i start=$SECONDS
    as_slurmd 9928 "$PROLOG"
    [[ -e $STATE/n1/9928.job ]]
    for i in 0 1 2; do
        leftover "9928.$i"
        perl -e 'use Fcntl ":flock"; open F, "<", $ARGV[0] and flock F, LOCK_EX or die; sleep 1000' \
            "$STATE/n1/9928.$i" </dev/null 3>&- 4>&- &
        poll "$SOON" sh -c "! flock -n '$STATE/n1/9928.$i' true"
    done
    run as_slurmd 9928 "$EPILOG"
    equal "$status" 0
    for i in 0 1 2; do
        gone_whole "9928.$i" || fail "$(traces)"
    done
    [[ ! -e $STATE/n1/9928.job ]] || fail "the record is left"
    ((SECONDS - start < 35)) || fail "it took $((SECONDS - start)) s"
}

@test "room for images is made by what outlives the epilog, whose process group slurmd kills" {
    local i images=$PREFIX/sbin/berth-images
    install -d -m 711 "$STATE/n1" "$STATE/n1/images"
    : >"$BATS_TEST_TMPDIR/ran"
    mv "$images" "$images.was"
    printf '#!/bin/sh\necho "$*" >>%s\n' "$BATS_TEST_TMPDIR/ran" >"$images"
    chmod +x "$images"
    for i in {1..50}; do
        as_slurmd 9932 perl -e 'my $pid = fork;
            if (!$pid) { setpgrp; exec @ARGV }
            waitpid $pid, 0;
            kill KILL => -$pid' "$EPILOG" || break
    done
    all() { [[ $(grep -cx "gc --quiet" "$BATS_TEST_TMPDIR/ran") == 50 ]]; }
    poll "$SOON" all || true
    mv "$images.was" "$images"
    rmdir "$STATE/n1/images" 2>/dev/null || true
    all || fail "it ran $(wc -l <"$BATS_TEST_TMPDIR/ran") times of $i"
}

@test "the prolog records the job, root's only, and the epilog removes the record" {
    local record
    start_step -w n1 --container=debian sh -c "$(waiter)"
    record=$STATE/n1/$JOB.job
    equal "$(stat -c '%U %a' "$record")" "root 600"
    contains "$(cat "$record")" '"cluster":"berth"'
    contains "$(cat "$record")" '"partition":"main"'
    contains "$(cat "$record")" '"gpus":""'
    [[ ! -e $STATE/n2/$JOB.job ]]
    run as_user cat "$record"
    ((status != 0))
    scancel "$JOB"
    await_step
    poll $SOON no_records || fail "the record is left"
}

@test "a user's SLURM_JOB_GPUS and SPANK_* do not get into the record (threats 5, 6)" {
    local record
    export SLURM_JOB_GPUS=0,1,2,3 SPANK_SLURM_JOB_GPUS=0 SPANK_GPUS=1 SLURM_JOB_PARTITION=secret
    start_step -w n1 --container=debian sh -c "$(waiter)"
    unset SLURM_JOB_GPUS SPANK_SLURM_JOB_GPUS SPANK_GPUS SLURM_JOB_PARTITION
    record=$(cat "$STATE/n1/$JOB.job")
    contains "$record" '"gpus":""'
    contains "$record" '"partition":"main"'
    scancel "$JOB"
    await_step
}

@test "what berth keeps is root's, and users can't list or change it (threat 66)" {
    start_step -w n1 --container=debian sh -c "$(waiter)"
    for dir in "$STATE" "$STATE/n1" "$STATE/n1/$JOB.0"; do
        equal "$(stat -c '%U %a' "$dir")" "root 711"
        run as_user ls "$dir"
        ((status != 0)) || fail "$dir can be listed"
    done
    run as_user cat "$STATE/n1/$JOB.0/record"
    ((status != 0)) || fail "the record can be read"
    run as_other sh -c "ls '$STATE/n1/$JOB.0/workdir'"
    ((status != 0)) || fail "another user gets at the mounts"
    scancel "$JOB"
}

@test "a name of a container can't be guessed (threat 60)" {
    local names=()
    for _ in 1 2; do
        start_step --container=debian sh -c "$(waiter)"
        names+=("$(berths | sed 's/.*-//')")
        scancel "$JOB"
        await_step
        poll $SOON no_traces
    done
    [[ ${names[0]} =~ ^[0-9a-f]{32}$ && ${names[0]} != "${names[1]}" ]] || fail "${names[*]}"
}
