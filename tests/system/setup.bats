#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# berth-setup: on configurations of all kinds, which Slurm itself then reads,
# and on the cluster's own.

# shellcheck disable=SC2154  # status, output, stderr are bats's
load lib

SETUP=$PREFIX/sbin/berth-setup
HOOKS="Prolog=$PREFIX/sbin/berth-prolog
Epilog=$PREFIX/sbin/berth-epilog"

setup() {
    DIR=$BATS_TEST_TMPDIR/etc
    mkdir "$DIR" "$DIR/plugstack.conf.d"
    printf 'ClusterName=c\nSlurmctldHost=h\n' >"$DIR/slurm.conf"
    echo "include $DIR/plugstack.conf.d/*.conf" >"$DIR/plugstack.conf"
    cp -a "$DIR" "$DIR.was"
}
set_up() { SLURM_CONF=$DIR/slurm.conf "$SETUP" "$@"; }
# Later lines of Slurm's own take the place of earlier ones, or do not.
takes_lines() { sort -CV <<<24.05$'\n'"$(slurmd -V | grep -o '[0-9][0-9.]*')"; }
unchanged() {
    diff -r "$DIR.was" "$DIR" >&2 || fail "something has changed"
    equal "$(stat -c '%n %a %U %G' "$DIR"/*.conf)" "$(cd "$DIR.was" && stat -c "$DIR/%n %a %U %G" ./*.conf | sed 's,/\./,/,')"
}
# as_it_was: what is there now is what undo is to bring back.
as_it_was() { rm -r "$DIR.was"; cp -a "$DIR" "$DIR.was"; }
undone() {
    set_up --undo >&2
    unchanged
    equal "$(set_up --undo)" ''
}
teardown() {
    [[ ! -e /run/slurm/conf/slurm.conf || -L /run/slurm/conf ]] || rm -r /run/slurm
    [[ ! -e $BATS_TEST_TMPDIR/slurm.conf ]] || {
        cp -p "$BATS_TEST_TMPDIR/slurm.conf" "$SLURM_CONF"
        scontrol reconfigure
    }
    tidy
}
# refuses WORDS COMMAND ...: with one sentence, and without a change.
refuses() {
    local words=$1
    shift
    run --separate-stderr "$@"
    equal "$status" 1
    equal "$(grep -c . <<<"$stderr")/$output" 1/
    contains "$stderr" "$words"
    unchanged
}

@test "berth is set up by three lines and a file, once, and that is taken back to the byte" {
    local once
    run set_up --dry-run allow=debian
    equal "$status" 0
    contains "$output" "would be done: $DIR/plugstack.conf.d/berth.conf: added \"required $PLUGIN allow=debian\""
    contains "$output" "would be done: $DIR/slurm.conf: added \"Prolog=$PREFIX/sbin/berth-prolog\""
    unchanged

    run set_up allow=debian
    equal "$status" 0
    contains "$output" "$DIR/plugstack.conf.d/berth.conf: added"
    contains "$output" 'scontrol reconfigure'
    equal "$(grep -v '^#' "$DIR/plugstack.conf.d/berth.conf")" "required $PLUGIN allow=debian"
    equal "$(tail -n +3 "$DIR/slurm.conf" | grep -v '^#')" "$HOOKS"$'\nPrologFlags=Alloc'
    equal "$(SLURM_CONF=$DIR/slurm.conf "$PREFIX/bin/berth-policy" list --user=berth1 | grep -o 'docker.io/library/debian\|debian' | head -n 1)" debian
    once=$(cat "$DIR"/*.conf "$DIR"/*/*.conf)
    run set_up
    equal "$status" 0
    lacks "$output" added
    contains "$output" "plugstack.conf.d/berth.conf line 3 loads spank_berth.so"
    equal "$(cat "$DIR"/*.conf "$DIR"/*/*.conf)" "$once"
    run set_up --undo --dry-run
    contains "$output" "would be done: $DIR/slurm.conf: took \"PrologFlags=Alloc\" back"
    equal "$(cat "$DIR"/*.conf "$DIR"/*/*.conf)" "$once"
    undone
}

@test "each half can be had alone" {
    set_up --plugin
    equal "$(cat "$DIR/slurm.conf")" "$(cat "$DIR.was/slurm.conf")"
    undone
    set_up --hooks
    [[ ! -e $DIR/plugstack.conf.d/berth.conf ]]
    undone
    set_up
    set_up --undo --plugin
    [[ ! -e $DIR/plugstack.conf.d/berth.conf ]]
    contains "$(cat "$DIR/slurm.conf")" "Prolog=$PREFIX/sbin/berth-prolog"
    undone
}

@test "the line goes where this host's plugstack.conf has it read" {
    local at
    # Appended to what is there already and loads nothing.
    printf '# required spank_berth.so' >"$DIR/plugstack.conf.d/berth.conf"
    set_up --plugin
    equal "$(tail -n 1 "$DIR/plugstack.conf.d/berth.conf")" "required $PLUGIN"
    set_up --undo
    equal "$(cat "$DIR/plugstack.conf.d/berth.conf")" '# required spank_berth.so'
    rm "$DIR/plugstack.conf.d/berth.conf"
    # What slurmctld hands out is plugstack.conf alone.
    echo 'SlurmctldParameters=enable_configless' >>"$DIR/slurm.conf"
    as_it_was
    set_up --plugin
    equal "$(tail -n 1 "$DIR/plugstack.conf")" "required $PLUGIN"
    undone
    # No directory; one of other files; a name of the site's own.
    for at in '' "include $DIR/gone/*.conf" "include $DIR/plugstack.conf.d/site-*"; do
        sed -i '3,$d' "$DIR/slurm.conf"
        echo "PlugStackConfig=$DIR/stack" >>"$DIR/slurm.conf"
        echo "$at" >"$DIR/stack"
        as_it_was
        set_up --plugin
        equal "$(tail -n 1 "$DIR/stack")" "required $PLUGIN"
        undone
    done
    # None at all.
    rm "$DIR/stack"
    as_it_was
    set_up --plugin
    contains "$(cat "$DIR/stack")" "required $PLUGIN"
    undone
}

@test "a site's own prolog keeps its place" {
    printf '#!/bin/sh\n' >"$DIR/site"
    chmod 755 "$DIR/site"
    printf '%s\n' "prolog = $DIR/site # ours" 'PrologFlags="NoHold"' >>"$DIR/slurm.conf"
    as_it_was
    if takes_lines; then
        set_up --hooks
        contains "$(cat "$DIR/slurm.conf")" "prolog = $DIR/site # ours"
        contains "$(cat "$DIR/slurm.conf")" "Prolog=$PREFIX/sbin/berth-prolog"
    else
        refuses "$DIR/slurm.conf line 3 has Prolog=$DIR/site, and Slurm 2" set_up
        contains "$stderr" "put that program and a link to $PREFIX/sbin/berth-prolog into a directory"
        # As it says.
        mkdir "$DIR/prolog.d"
        mv "$DIR/site" "$DIR/prolog.d/10-site"
        sed -i "s,^prolog.*,Prolog=$DIR/prolog.d/*," "$DIR/slurm.conf"
        as_it_was
        run set_up --hooks
        contains "$output" "$DIR/prolog.d/50-berth: made a link to $PREFIX/sbin/berth-prolog"
        equal "$(readlink "$DIR/prolog.d/50-berth")" "$PREFIX/sbin/berth-prolog"
        lacks "$(cat "$DIR/slurm.conf")" "Prolog=$PREFIX"
    fi
    contains "$(cat "$DIR/slurm.conf")" "Epilog=$PREFIX/sbin/berth-epilog"
    contains "$(cat "$DIR/slurm.conf")" "PrologFlags=NoHold,Alloc"
    run set_up --hooks
    lacks "$output" added
    lacks "$output" made
    undone
}

@test "what is there already, and written by hand, is left alone and named" {
    echo "$HOOKS" >>"$DIR/slurm.conf"
    echo 'PrologFlags=X11' >>"$DIR/slurm.conf"
    echo "optional $PLUGIN allow=alpine" >>"$DIR/plugstack.conf"
    as_it_was
    run set_up
    equal "$status" 0
    contains "$output" "$DIR/plugstack.conf line 2 loads spank_berth.so"
    contains "$output" "$DIR/slurm.conf line 3 has Prolog=$PREFIX/sbin/berth-prolog"
    unchanged
    refuses "$DIR/plugstack.conf line 2 loads spank_berth.so already: edit that line" set_up allow=debian
    refuses "$DIR/slurm.conf line 3 has Prolog=$PREFIX/sbin/berth-prolog, which berth-setup did not write" set_up --undo
    refuses "$DIR/plugstack.conf line 2 loads spank_berth.so, and berth-setup did not write it" set_up --undo --plugin
    # Whichever line of several it is.
    echo 'Prolog=/bin/true' >>"$DIR/slurm.conf"
    as_it_was
    refuses "$DIR/slurm.conf line 3 has Prolog=$PREFIX/sbin/berth-prolog, which berth-setup did not write" set_up --undo
}

@test "what is not understood is refused, and nothing is changed" {
    local line
    refuses 'alow=debian' set_up alow=debian
    refuses 'has no space and no #' set_up 'allow=debian#1'
    refuses 'cannot be opened' set_up conf=/nowhere/berth.conf
    refuses 'longer than Slurm reads' set_up "$(printf 'allow=%04095d' 1)"
    refuses 'No such file or directory: name Slurm' env SLURM_CONF=/nowhere/slurm.conf "$SETUP"
    for line in "KillWait=5 Prolog=/site" "Prolog=/site KillWait=5" 'Prolog=/a\' $'KillWait=5 \\\nProlog=/a' 'Prolog=' 'Prolog="/a b" c'; do
        printf 'ClusterName=c\nSlurmctldHost=h\n%s\n' "$line" >"$DIR/slurm.conf"
        as_it_was
        refuses 'says more than Prolog=VALUE: write that on a line of its own' set_up --hooks
    done
    printf 'ClusterName=c\nInclude gone.conf\n' >"$DIR/slurm.conf"
    as_it_was
    refuses "$DIR/slurm.conf line 2 includes what cannot be read" set_up
    printf 'ClusterName=c\n\0' >"$DIR/slurm.conf"
    as_it_was
    refuses 'is no text file' set_up
}

@test "a line that was edited since is not taken back" {
    set_up allow=debian
    sed -i 's/^PrologFlags=.*/&,Contain/' "$DIR/slurm.conf"
    as_it_was
    refuses "$DIR/slurm.conf line 8 is not what berth-setup wrote there, \"PrologFlags=Alloc,Contain\"" set_up --undo
    # The plugin's words are edited by everybody.
    sed -i 's/,Contain//' "$DIR/slurm.conf"
    sed -i 's/allow=debian/& allow=alpine/' "$DIR/plugstack.conf.d/berth.conf"
    run set_up --undo
    contains "$output" "took \"required $PLUGIN allow=debian allow=alpine\" back"
    equal "$(cat "$DIR/slurm.conf")" $'ClusterName=c\nSlurmctldHost=h'
}

@test "files that are included or linked are edited where they are, and keep owner and mode" {
    mkdir "$DIR/shared"
    mv "$DIR/slurm.conf" "$DIR/shared/slurm.conf"
    ln -s shared/slurm.conf "$DIR/slurm.conf"
    printf 'Include nodes.conf' >>"$DIR/slurm.conf"
    echo 'PrologFlags=Serial' >"$DIR/nodes.conf"
    chown berth1: "$DIR/nodes.conf"
    chmod 640 "$DIR/nodes.conf"
    as_it_was
    set_up
    [[ -L $DIR/slurm.conf ]]
    contains "$(cat "$DIR/shared/slurm.conf")" "Prolog=$PREFIX/sbin/berth-prolog"
    equal "$(tail -n 1 "$DIR/nodes.conf")" 'PrologFlags=Serial,Alloc'
    equal "$(stat -c '%U %a' "$DIR/nodes.conf")" 'berth1 640'
    set_up --undo
    equal "$(cat "$DIR/nodes.conf")" 'PrologFlags=Serial'
    equal "$(stat -c '%U %a' "$DIR/nodes.conf")" 'berth1 640'
    equal "$(cat "$DIR/shared/slurm.conf")" "$(cat "$DIR.was/shared/slurm.conf")"
}

@test "an engine's socket that others can write to is named" {
    local socket=$BATS_TEST_TMPDIR/socket
    ln -s "${DOCKER_HOST#unix://}" "$socket"
    lacks "$(set_up --dry-run "engine=unix://$socket")" 'to do: the engine'
    chmod 666 "$socket"
    run set_up --dry-run "engine=unix://$socket"
    chmod 600 "$socket"
    equal "$status" 0
    contains "$output" "to do: the engine's socket $socket is not root's alone"
    contains "$(set_up --dry-run engine=unix:///nowhere.sock)" "to do: the engine's socket /nowhere.sock: No such file"
}

@test "what slurmctld hands out is not changed where it lies" {
    local conf=/run/slurm/conf
    [[ ! -e /etc/slurm/slurm.conf && ! -e /run/slurm ]] || skip_without 'places that are free for this: it has a Slurm'
    mkdir /run/slurm
    cp -a "$DIR" "$conf"
    sed -i "s,$DIR,$conf,g" "$conf/plugstack.conf"
    run env -u SLURM_CONF "$SETUP" --undo
    equal "$status/$output" 0/
    run env -u SLURM_CONF "$SETUP"
    equal "$status" 1
    contains "$output" "has its configuration from slurmctld ($conf/slurm.conf): run berth-setup on slurmctld's host"
    SLURM_CONF=$conf/slurm.conf "$SETUP" >&2
    run env -u SLURM_CONF "$SETUP" --undo --plugin
    equal "$status" 1
    contains "$output" "has its configuration from slurmctld"
    run env -u SLURM_CONF "$SETUP" --dry-run
    equal "$status" 0
    rm -r /run/slurm
}

@test "a cluster without berth has it after berth-setup, and is as before after --undo" {
    cp -p "$SLURM_CONF" "$BATS_TEST_TMPDIR/slurm.conf"
    sed -i '/^Prolog/d; /^Epilog/d' "$SLURM_CONF"
    : >"$PLUGSTACK_CONF"
    cp "$SLURM_CONF" "$PLUGSTACK_CONF" "$DIR"
    scontrol reconfigure
    poll "$SOON" prologs_are 0 || fail "the prolog goes on"
    find "$STATE" -name '*.job' -delete
    run as_user srun -Q --container-image=debian true
    contains "$output" "unrecognized option"

    "$SETUP" allow=debian "$ENGINE"
    scontrol reconfigure
    equal "$(in_container sh -c 'test -e /run/berth/init && echo inside')" inside
    poll "$SOON" prologs_are 2 || fail "the prolog does not run on both nodes"
    start_step -w n1 --container=debian sh -c "$(waiter)"
    [[ -e $STATE/n1/$JOB.job ]] || fail "berth-prolog did not run"
    scancel "$JOB"
    await_step
    nothing_left

    "$SETUP" --undo
    scontrol reconfigure
    poll "$SOON" prologs_are 0 || fail "the prolog goes on"
    cmp "$SLURM_CONF" "$DIR/slurm.conf"
    cmp "$PLUGSTACK_CONF" "$DIR/plugstack.conf"
    equal "$(as_user srun -Q -N2 echo ran)" $'ran\nran'
    # A job that ran meanwhile had a prolog, and no epilog.
    find "$STATE" -name '*.job' -delete
    cp -p "$BATS_TEST_TMPDIR/slurm.conf" "$SLURM_CONF"
    scontrol reconfigure
    usual_policy
    poll "$SOON" prologs_are 2 || fail "the prolog does not run on both nodes"
    nothing_left
}
