#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# The audit log: who asked for what, and what became of it.

load lib

# Every line that berth-stepd writes to syslog, in the file SYSLOG. A machine
# that has a daemon of its own there has systemd's, and its journal tells.
setup() {
    SYSLOG=$BATS_TEST_TMPDIR/syslog
    SINCE=$(date '+%F %T')
    [[ -e /dev/log ]] || listen
}

listen() {
    : >"$SYSLOG"
    perl -MIO::Socket::UNIX -MSocket -e '
        my $s = IO::Socket::UNIX->new(Local => "/dev/log", Type => SOCK_DGRAM) or die;
        chmod 0666, "/dev/log";
        $| = 1;
        while (defined $s->recv(my $line, 65536)) { print "$line\n" }' \
        >>"$SYSLOG" </dev/null 2>&1 3>&- &
    LISTENER=$!
    poll "$SOON" test -S /dev/log
}

teardown() {
    if [[ -n ${LISTENER-} ]]; then
        kill -CONT "$LISTENER" || true
        kill "$LISTENER" || true
        rm -f /dev/log
    fi
    tidy
}

# The syslog's lines of the audit log, without what syslog puts in front.
syslogged() {
    if [[ -n ${LISTENER-} ]]; then
        sed -n 's/^<[0-9]*>.* berth-stepd\[[0-9]*\]: {/{/p' "$SYSLOG"
    else
        journalctl -t berth-stepd -o cat --since "$SINCE" | grep '^{' || true
    fi
}

# entries KEY ...: of each line on stdin, which must be a JSON object and
# printable ASCII, the values; "-" if there is none.
entries() {
    perl -MJSON::PP -e '
        while (<STDIN>) {
            chomp;
            /^[\x20-\x7e]+$/ or die "not printable: $_\n";
            my $entry = JSON::PP->new->decode($_);
            print join("|", map { $entry->{$_} // "-" } @ARGV), "\n";
        }' "$@"
}

# logged COUNT: so many lines have come.
logged() { (($(syslogged | wc -l) >= $1)); }

# all_told: what berth had to say has come. What a berth-stepd says whose step is
# at work was there before that.
all_told() {
    poll "$SOON" none_ends || fail "programs: $(programs)"
    local mark=$BATS_TEST_NUMBER-$RANDOM
    logger -t berth-bats "$mark"
    poll "$SOON" has_come "$mark" || fail "the syslog lacks $mark"
}
none_ends() { [[ -z $(pids berth-stepd) || -n $(pids berth-init) ]]; }
has_come() {
    if [[ -n ${LISTENER-} ]]; then
        grep -q "$1" "$SYSLOG"
    else
        journalctl -t berth-bats -o cat --since "$SINCE" | grep -q "$1"
    fi
}

# await_lines COUNT: waits for so many, and no more, and prints them.
await_lines() {
    poll "$SOON" logged "$1" || fail "$1 lines wanted: $(syslogged)"
    all_told
    equal "$(syslogged | wc -l)" "$1"
    syslogged
}

@test "a step has three lines, with all that is known of it" {
    local lines id
    id=$(as_user srun --container=debian sh -c 'echo $SLURM_JOB_ID')
    lines=$(await_lines 3)
    equal "$(entries event verdict exit <<<"$lines")" \
        $'allow|allow|-\nstart|allow|-\nend|allow|step'
    equal "$(entries job step node uid user cluster partition image name <<<"$lines" | sort -u)" \
        "$id|0|n1|$(id -u berth1)|berth1|berth|main|debian|docker.io/library/debian:latest"
    # The image's ID is the one that the engine has.
    equal "$(entries id <<<"$lines" | sort -u)" "$(api GET /images/debian/json |
        perl -MJSON::PP -0ne 'print decode_json($_)->{Id} =~ s/^(sha256:)?/sha256:/r')"
    entries seconds <<<"${lines##*$'\n'}" | grep -qE '^[0-9]+(\.[0-9]+)?$'
    entries time <<<"$lines" |
        while read -r time; do
            (($(date +%s) - $(date -d "$time" +%s) < 60))
        done
}

@test "each node of a step has its own lines, and a batch script as well" {
    local lines
    as_user srun -N2 -n4 --container=debian true
    lines=$(await_lines 6)
    equal "$(entries node event <<<"$lines" | sort)" \
        $'n1|allow\nn1|end\nn1|start\nn2|allow\nn2|end\nn2|start'
    printf '#!/bin/sh\necho ran\n' >"$HOME1/audit.sh"
    as_user sbatch --wait -o /dev/null --container=debian audit.sh
    lines=$(await_lines 9)
    equal "$(entries step event <<<"$lines" | tail -n 3)" \
        $'batch|allow\nbatch|start\nbatch|end'
}

@test "a refused step has one line, with the sentence that the user sees" {
    local lines
    run --separate-stderr bypassing srun --container=fedora true
    refused fedora
    lines=$(await_lines 1)
    equal "$(entries event verdict image name id <<<"$lines")" \
        "deny|deny|fedora|docker.io/library/fedora:latest|-"
    contains "$stderr" "berth: node n1: $(entries reason <<<"$lines")"
    # Nor is a malformed name, or a policy in error, passed over.
    run --separate-stderr bypassing srun --container=/tmp/image true
    refused /tmp/image
    policy alow=debian "$ENGINE"
    run --separate-stderr bypassing srun --container=debian true
    refused alow=debian
    lines=$(await_lines 3)
    equal "$(entries event image <<<"$lines" | tail -n 2)" $'deny|/tmp/image\ndeny|debian'
    contains "$lines" alow=debian
}

@test "a container that cannot be made has a line that says why" {
    run --separate-stderr as_user srun --container=berth/nowhere true
    refused berth/nowhere
    equal "$(await_lines 1 | entries event verdict exit reason)" \
        "end|-|failed|$(sed -n 's/.*berth: //p' <<<"$stderr")"
}

@test "a step that is killed has its end, as has one whose container ends by itself" {
    local lines
    start_step --container=debian sh -c "$(waiter)"
    equal "$(await_lines 2 | entries event)" $'allow\nstart'
    scancel -s KILL "$JOB"
    await_step
    lines=$(await_lines 3)
    equal "$(entries job event exit <<<"${lines##*$'\n'}")" "$JOB|end|step"

    poll "$SOON" no_traces
    start_step --container=debian sh -c "$(waiter)"
    kill -KILL "$(pids berth-init)"
    await_step
    lines=$(await_lines 6)
    equal "$(entries job event exit <<<"${lines##*$'\n'}")" "$JOB|end|container"
    nothing_left
}

@test "a step whose berth-stepd is killed has its end, from whoever removes what it left" {
    local lines
    start_step --container=debian sh -c "$(waiter)"
    kill -KILL "$(pids berth-stepd)"
    await_step
    lines=$(await_lines 3)
    equal "$(entries job event verdict exit user <<<"${lines##*$'\n'}")" "$JOB|end|allow|killed|berth1"

    # With slurmstepd, it is the epilog.
    poll "$SOON" no_traces
    start_step --container=debian sh -c "$(waiter)"
    kill -KILL "$(pgrep -f "^slurmstepd: \[$JOB.0\]")" "$(pids berth-stepd)"
    scancel "$JOB"
    await_step 30
    lines=$(await_lines 6)
    equal "$(entries job event verdict exit user <<<"${lines##*$'\n'}")" "$JOB|end|allow|killed|berth1"
    forgive_cgroups
    nothing_left 30
}

@test "what a user writes makes no line of its own, nor any character a terminal minds (threat 67)" {
    local name lines
    for name in $'debian\n{"event":"allow","verdict":"allow"}' $'a\r\e[2J\e]0;x\a' \
        'a","verdict":"allow' $'a\x7fb\xc2\x9b31m' $'a\xff\xfe' $'\xe2\x80\xae'; do
        : >"$SYSLOG"
        SINCE=$(date '+%F %T')
        run --separate-stderr bypassing env SLURM_CONTAINER="$name" srun true
        refused
        [[ -n ${LISTENER-} ]] || sleep 1
        lines=$(await_lines 1)
        equal "$(entries event verdict <<<"$lines")" "deny|deny"
        # What the sentence shows of it is safe as well.
        equal "$(grep '[[:cntrl:]]' <<<"$lines" || true)" ""
    done
    nothing_left
}

@test "no value of the environment is in the log" {
    as_user env SECRET=hunter2 srun --container=debian true
    await_lines 3 >/dev/null
    if [[ -n ${LISTENER-} ]]; then
        lacks "$(cat "$SYSLOG")" hunter2
    else
        lacks "$(syslogged)" hunter2
    fi
}

# audit_log VALUE [KEY = VALUE]: the policy from now on.
audit_log() {
    local conf=${PLUGSTACK_CONF%/*}/berth-audit.conf
    printf 'allow = {"debian"}\naudit_log = "%s"\n%s\n' "$1" "${2-}" >"$conf"
    policy "conf=$conf" "$ENGINE"
}

ended() { grep -q '"event":"end"' "$1"; }

@test "a file has the lines instead, is root's alone, and can be rotated" {
    local log=$BATS_TEST_TMPDIR/audit
    audit_log "$log"
    as_user srun --container=debian true
    poll "$SOON" ended "$log" || true
    equal "$(entries event <"$log")" $'allow\nstart\nend'
    equal "$(entries rule file line <"$log" | sort -u)" \
        "debian|${PLUGSTACK_CONF%/*}/berth-audit.conf|1"
    equal "$(stat -c '%a %U' "$log")" '600 root'
    mv "$log" "$log.1"
    run --separate-stderr bypassing srun --container=fedora true
    equal "$(entries event name <"$log")" "deny|docker.io/library/fedora:latest"
    equal "$(wc -l <"$log.1")" 3
    [[ -z $(syslogged) ]] || fail "syslog has lines: $(syslogged)"
    nothing_left
}

@test "a file that cannot be written fails no step, and syslog has the lines" {
    local log
    ln -s /etc/passwd "$BATS_TEST_TMPDIR/link"
    mkfifo "$BATS_TEST_TMPDIR/fifo"
    for log in /nonexistent/audit /dev/full "$BATS_TEST_TMPDIR"/{link,fifo,}; do
        [[ -z ${LISTENER-} ]] || : >"$SYSLOG"
        SINCE=$(date '+%F %T')
        audit_log "$log"
        run --separate-stderr as_user srun --container=debian echo ran
        equal "$status/$output/$stderr" 0/ran/
        [[ -n ${LISTENER-} ]] || sleep 1
        equal "$(await_lines 3 | entries event)" $'allow\nstart\nend'
        [[ -z ${LISTENER-} ]] || contains "$(cat "$SYSLOG")" "audit log $log cannot be written"
    done
    [[ $(tail -n 1 /etc/passwd) != *'"event"'* ]]
    nothing_left
}

@test "nothing is written where nothing is wanted, and mode = audit tells the log alone" {
    local lines
    audit_log none
    as_user srun --container=debian true
    all_told
    [[ -z $(syslogged) ]] || fail "syslog has lines: $(syslogged)"
    audit_log syslog 'mode = audit'
    run --separate-stderr as_user srun --container=berth/probe /probe exit 3
    equal "$status" 3
    lacks "$stderr" berth:
    lines=$(await_lines 3)
    equal "$(entries event verdict <<<"$lines")" $'allow|allow\nstart|allow\nend|allow'
    contains "$(entries warning <<<"$lines" | head -n 1)" "image docker.io/berth/probe:latest is not allowed"
    nothing_left
}

@test "berth-policy explain tells what became of a step, and of a refused one" {
    local log=$BATS_TEST_TMPDIR/audit tool=$PREFIX/bin/berth-policy id
    audit_log "$log"
    as_user srun --container=debian true
    poll "$SOON" ended "$log" || fail "the log: $(cat "$log")"
    run --separate-stderr bypassing srun --container=fedora true
    refused fedora
    id=$(entries job <"$log" | head -n 1)
    run "$tool" explain --log="$log" "$id.0"
    equal "$status" 0
    matches() { grep -qE -- "$1" <<<"$output" || fail "no $1 in $output"; }
    matches "^Step $id\.0 on node n1 of cluster berth, in partition main:$"
    matches '  berth1 \(uid [0-9]*\) asked for the image "debian", which is docker.io/library/debian:latest\.$'
    matches '  The pattern "debian" decided on the image: .*/berth-audit.conf line 1\.$'
    matches '  The node has the image with the ID sha256:[0-9a-f]{64}'
    matches '  The container was up, and tasks could begin\.$'
    matches '  The step was over after [0-9.]* seconds, and its container stayed for a later one\.$'
    equal "$(wc -l <<<"$output")" 7
    # As berth.conf has the log, and all of the job.
    id=$(entries job <"$log" | tail -n 1)
    run "$tool" explain "$id"
    equal "$status" 0
    matches '  It was refused: image docker.io/library/fedora:latest is not allowed by '
    equal "$(wc -l <<<"$output")" 3
    run "$tool" explain $((id + 1000))
    equal "$status" 1
    # Nor is there anything for who may not read it.
    run as_user "$tool" explain "$id"
    equal "$status" 2
    nothing_left
}

# What berth-stepd tells where log_level is debug.
debugged() {
    if [[ -n ${LISTENER-} ]]; then
        sed -n 's/^<31>.* berth-stepd\[[0-9]*\]: \(debug: \)/\1/p' "$SYSLOG"
    else
        journalctl -t berth-stepd -p debug..debug -o cat --since "$SINCE" | grep '^debug: ' || true
    fi
}

# phases: those of the lines on stdin.
phases() { sed -n 's/^debug: step [0-9]*\.0: \([^:]*\): [0-9]* ms, [0-9]* ms since the start$/\1/p'; }

@test "log_level = debug tells each phase and each call of the engine, and no values" {
    local told
    audit_log syslog 'user "berth1" { log_level = debug }'
    as_user env SECRET=hunter2 srun --container=debian true
    await_lines 3 >/dev/null
    poll "$SOON" eval 'phases <<<"$(debugged)" | grep -qx removed' || true
    told=$(debugged)
    equal "$(phases <<<"$told")" "$(printf '%s\n' 'facts received' 'on record' decided \
        'image found' 'mounts opened' 'request built' created started "berth-init's hello" \
        'prepared from within' verified 'mounts laid' up 'a task started' cleared \
        'the step is over' removed)"
    # The engine's: the line of each phase comes behind those of its calls.
    local call='^debug: step [0-9]*\.0: engine: \(GET\|POST\|DELETE\) /[^ ]*: [0-9]*, [0-9]* ms$'
    grep "$call" <<<"$told" | grep -q 'POST .*/containers/create[^ ]*: 201'
    grep "$call" <<<"$told" | grep -q 'GET .*debian.*/json: 200'
    grep "$call" <<<"$told" | grep -q 'DELETE .*/containers/.*: 20[04]'
    # These are all the lines.
    equal "$(grep -c 'engine:' <<<"$told")" "$(grep -c "$call" <<<"$told")"
    equal "$(wc -l <<<"$told")" $((17 + $(grep -c "$call" <<<"$told")))
    lacks "$told" hunter2
    lacks "$told" '{'

    # Of a refused step, and of nobody else's.
    run --separate-stderr bypassing srun --container=fedora true
    refused fedora
    await_lines 4 >/dev/null
    equal "$(debugged | tail -n +$(($(wc -l <<<"$told") + 1)) | grep -o 'decided[^:]*')" 'decided (failed)'
    told=$(debugged)
    audit_log syslog 'user "root" { log_level = debug }'
    as_user srun --container=debian true
    await_lines 7 >/dev/null
    equal "$(debugged)" "$told"
    nothing_left
}

three_steps() {
    for _ in 1 2 3; do
        timeout 60 "$QUICKSTART" run -- srun --container=debian true
    done
}

@test "no syslog daemon, or one that hangs, holds no step up" {
    [[ -n ${LISTENER-} ]] || skip_without "a /dev/log that a test may take away"
    local began usual hung gone
    audit_log syslog 'log_level = debug'
    as_user srun --container=debian true
    began=${EPOCHREALTIME/./}
    three_steps
    usual=$((${EPOCHREALTIME/./} - began))
    # It stops reading, and its queue is full.
    kill -STOP "$LISTENER"
    perl -MIO::Socket::UNIX -MSocket -e '
        my $s = IO::Socket::UNIX->new(Peer => "/dev/log", Type => SOCK_DGRAM) or die;
        $s->blocking(0);
        1 while defined $s->send("full")'
    began=${EPOCHREALTIME/./}
    three_steps
    hung=$((${EPOCHREALTIME/./} - began))
    # Nor one that is refused, which has a line of its own.
    run --separate-stderr bypassing srun --container=fedora true
    refused fedora
    poll "$SOON" none_ends || fail "programs: $(programs)"
    kill -CONT "$LISTENER"
    kill "$LISTENER"
    rm /dev/log
    LISTENER=
    began=${EPOCHREALTIME/./}
    three_steps
    gone=$((${EPOCHREALTIME/./} - began))
    echo "# three steps: $((usual / 1000)) ms; with a daemon that hangs" \
        "$((hung / 1000)); without $((gone / 1000))" >&3
    # A machine may be busy, but who waits for such a daemon waits for good.
    ((hung < usual + 30000000 && gone < usual + 30000000)) ||
        fail "usual $usual, hung $hung, gone $gone microseconds"
    nothing_left
}
