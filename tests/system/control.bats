#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# What Slurm does to a step while it runs, and what it makes of its end: as
# with a bare one.

# shellcheck disable=SC2154  # status is bats's
load lib

# A program that says which signals it gets, and its child, which says so too.
signalled_program() {
    cat >"$HOME1/signals.sh" <<'END'
use strict;
use warnings;
$| = 1;
# The child first: its parent is asked to be ready only when it is.
pipe my $up, my $child_up;
my $who = fork ? 'program' : 'child';
my @names = split ' ', $ENV{SIGNALS};
for my $name (@names) {
    $SIG{$name} = sub { syswrite STDOUT, "$who got $_[0]\n" };
}
if ($who eq 'child') {
    close $up;
    close $child_up;
} else {
    close $child_up;
    sysread $up, my $end, 1;
    syswrite STDOUT, "ready $ENV{SLURM_JOB_ID}\n";
}
select undef, undef, undef, 0.2 while getppid != 1 || $who eq 'program';
END
}
# All but those that stop, kill, or that a child's end sends.
ALL='HUP INT QUIT ILL TRAP ABRT BUS FPE USR1 SEGV USR2 PIPE ALRM TERM STKFLT CONT URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS TSTP TTIN TTOU'

each_signal() {
    local name
    SIGNALS=$ALL start_step "$@" perl signals.sh
    for name in $ALL; do
        scancel -s "$(kill -l "$name")" "$JOB"
        # Two at a time come in any order, and one may overtake the other.
        poll 2 grep -q "got $name" "$OUT" || true
    done
    poll "$SOON" settled
    scancel -s KILL "$JOB"
    await_step
    grep got "$OUT" | sort
    scrub_end <"$ERR"
}
# What is still to come would have come.
settled() { cp "$OUT" "$OUT.before"; sleep 0.5; cmp -s "$OUT" "$OUT.before"; }
# On a busy machine srun may not wait for the node's word on how a task ended, and
# the node may say twice that the step was cancelled. Slurm 26.05 says when, too.
# What the node tells of several tasks at once it tells one by one if they end a
# tenth of a second apart. A signal may come when a process has just ended.
scrub_end() {
    perl -pe 's/^(.*) tasks ([0-9,-]+):(.*\n)/join "", map "$1 task $_:$3",
        map { m,(\d+)-(\d+), ? ($1 .. $2) : $_ } split ",", $2/e' | sed -E 's/^srun: error: Timed out waiting for job step to complete$/srun: error: n: task 0: Killed/
        s/[0-9]{4}-[0-9-]*T[0-9:.]*/TIME/g; s/(JOB|STEP|StepId=|job) ?[0-9]+/\1N/; s/n[12]/n/g
        /queued and waiting|has been allocated|failed signal [0-9]* pid .* No such process/d' | sort -u
}

@test "every signal that Slurm sends reaches the program, once, as bare" {
    local bare
    signalled_program
    bare=$(each_signal)
    equal "$(each_signal --container=debian)" "$bare"
    (($(grep -c '^program got' <<<"$bare") >= 20)) || fail "few signals: $bare"
    rm "$HOME1/signals.sh"
    nothing_left
}

# batch_signals OPTION: what a batch script and its child get by scancel's ways.
batch_signals() {
    printf '#!/bin/sh\nSIGNALS="USR1 USR2 HUP" exec perl signals.sh\n' >"$HOME1/job.sh"
    JOB=$(as_user sbatch --parsable --output=job.out "$@" job.sh)
    poll "$SOON" grep -q ready "$HOME1/job.out"
    scancel -s HUP "$JOB"
    scancel --batch -s USR1 "$JOB"
    poll "$SOON" grep -q USR1 "$HOME1/job.out"
    scancel --full -s USR2 "$JOB"
    poll "$SOON" grep -q 'child got USR2' "$HOME1/job.out"
    poll "$SOON" grep -q 'program got USR2' "$HOME1/job.out"
    # Whatever HUP, which went the same way before, has done is done.
    scancel "$JOB"
    poll "$SOON" job_is "$JOB" CANCELLED
    grep got "$HOME1/job.out" | sort
    rm "$HOME1"/job.{sh,out}
}

@test "scancel --batch is for the script, --full for its process group, as bare" {
    local bare
    signalled_program
    bare=$(batch_signals)
    equal "$(batch_signals --container=debian)" "$bare"
    equal "$bare" $'child got USR2\nprogram got USR1\nprogram got USR2'
    rm "$HOME1/signals.sh"
    nothing_left
}

@test "scontrol suspend stops every process of the container, and resume lets all go on" {
    start_step --container=debian bash -c "$(counting_program)"
    poll "$SOON" all_count
    scontrol suspend "$JOB"
    poll "$SOON" job_is "$JOB" SUSPENDED
    poll "$SOON" none_counts || fail "something goes on"
    sleep 1
    none_counts || fail "something went on again"
    scontrol resume "$JOB"
    poll "$SOON" all_count || fail "not all go on"
    scancel "$JOB"
    await_step
    rm "$HOME1"/{daemon,child,program}.out
    nothing_left
}

# How srun ends, and what it says.
ending() {
    timeout 60 "$QUICKSTART" run -- srun "$@" 2>&1 | scrub_end
    echo "${PIPESTATUS[0]}"
}
fails_early='if [ "$SLURM_PROCID" = 1 ]; then exit 3; fi; exec sleep 4740'

@test "--kill-on-bad-exit and --wait end the other tasks, as bare" {
    local words bare
    for words in --kill-on-bad-exit=1 "--kill-on-bad-exit=0 --wait=1"; do
        # shellcheck disable=SC2086
        bare=$(ending -n3 -N1 $words sh -c "$fails_early")
        # shellcheck disable=SC2086
        equal "$(ending -n3 -N1 $words --container=debian sh -c "$fails_early")" "$bare"
        lacks "$bare" $'\n124'
    done
    poll "$SOON" no_sleeper 4740
    nothing_left
}

# warned SIGNAL SCRIPT [OPTION]: submits it with that --signal.
warned() {
    printf '#!/bin/bash\n#SBATCH --time=2 --output=signal-%%j.out --signal=%s\n%s\n' "$1" "$2" >"$HOME1/job.sh"
    as_user sbatch --parsable "${@:3}" job.sh
}

@test "--signal sends its signal before the time limit, to the script or to its steps, as bare" {
    local waits="trap 'echo warned; exit 9' USR1; for i in {1..700}; do sleep 0.1; done"
    local jobs i
    # Slurm looks every 30 seconds, and is early by as many: after 10 to 40.
    mapfile -t jobs < <(warned B:USR1@80 "$waits"
        warned B:USR1@80 "$waits" --container=debian
        warned USR1@80 "srun bash -c \"$waits\""
        warned USR1@80 "srun --container=debian bash -c \"$waits\"")
    for i in 0 1 2 3; do
        poll 70 job_is "${jobs[i]}" FAILED || fail "job $i: $(job_says "${jobs[i]}" JobState)"
        equal "$(grep -c '^warned$' "$HOME1/signal-${jobs[i]}.out")" 1
        equal "$(scrub_end <"$HOME1/signal-${jobs[i]}.out")" "$(scrub_end <"$HOME1/signal-${jobs[i & 2]}.out")"
        equal "$(job_says "${jobs[i]}" ExitCode)" 9:0
    done
    rm "$HOME1"/signal-*.out "$HOME1/job.sh"
    nothing_left
}

@test "process groups and sessions of tasks are as bare" {
    # All tasks of a node are one group, which one of them leads: a signal to
    # it reaches each.
    cat >"$HOME1/groups.pl" <<'END'
use POSIX;
$| = 1;
my $me = $ENV{SLURM_PROCID};
$SIG{USR1} = sub { print "$me got it\n"; exit 0 };
printf "%s %s\n", getpgrp == $$ ? "leads" : "follows", getsid(0) == $$ ? "its own" : "another's";
my $here = "here-$ENV{SLURM_JOB_ID}";
open my $f, ">", "$here-$me";
select undef, undef, undef, 0.1 until -e "$here-0" && -e "$here-1" && -e "$here-2";
sub getsid { syscall 124, 0 }
if ($me == 1) { select undef, undef, undef, 0.5; kill USR1 => -getpgrp }
sleep 20;
END
    alike -n3 -N1 perl groups.pl
    equal "$(grep -c "^leads another's" <<<"$BARE")" 1
    equal "$(grep -c "^follows another's" <<<"$BARE")" 2
    equal "$(grep -c 'got it' <<<"$BARE")" 3
    rm "$HOME1"/{groups.pl,here-*}
    nothing_left
}

@test "daemons of a task, in sessions of their own, do not outlive the step" {
    run as_user srun --container=debian perl -MPOSIX -e '
        for (1, 2) { fork and next; setsid; fork and exit; chdir "/"; close STDOUT; close STDERR;
            exec "sleep", "4741" }
        print "started\n"'
    equal "$output" started
    poll "$SOON" no_sleeper 4741 || fail "a daemon lives on"
    nothing_left
}

@test "sattach shows what a step prints, as bare" {
    local bare got
    attached() {
        start_step -n2 -N1 "$@" sh -c 'echo ready $SLURM_JOB_ID
            while test ! -e attached; do echo tick; sleep 0.1; done; echo "task $SLURM_PROCID"; sleep 0.3'
        poll "$SOON" ready 2
        "$QUICKSTART" run -- timeout 60 sattach -l "$JOB.0" >"$OUT.attached" 2>&1 3>&- &
        poll "$SOON" grep -q '0: tick' "$OUT.attached"
        poll "$SOON" grep -q '1: tick' "$OUT.attached"
        as_user touch attached
        await_step
        wait $! || true
        rm "$HOME1/attached"
        grep task "$OUT.attached" | sort
    }
    bare=$(attached)
    got=$(attached --container=debian)
    equal "$got" "$bare"
    contains "$got" 'task 1'
    nothing_left
}
