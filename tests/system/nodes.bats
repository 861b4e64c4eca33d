#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# Steps over several nodes of which one, n2, is not as the others: it has a
# configuration of its own, and in that its plugstack.conf is OTHER.

# shellcheck disable=SC2154  # status, stderr are bats's
load lib

ETC=${SLURM_CONF%/*}
OTHER=$ETC/other/plugstack.conf

# What is in all files' setup_file, and n2's slurmd.
setup_file() {
    cp -p "$PLUGSTACK_CONF" "$RESTORE"
    { cgroups; echo none; } >"$BATS_FILE_TMPDIR/cgroups"
    usual_policy
    install -d "$ETC/other"
    cp "$ETC"/{cgroup,gres,plugstack}.conf "$ETC/other"
    {
        sed "s,^PlugStackConfig=.*,PlugStackConfig=$OTHER," "$SLURM_CONF"
        echo "TaskProlog=$ETC/other/task-prolog"
    } >"$ETC/other/slurm.conf"
    echo '#!/bin/sh' >"$ETC/other/task-prolog"
    chmod 755 "$ETC/other/task-prolog"
    bash -euc 'for part in settings process slurm; do
            . "$(dirname "$QUICKSTART")/tests/sandbox/$part.bash"
        done
        stop n2
        since=$EPOCHSECONDS
        ETC=$ETC/other
        start_node n2
        must_start n2 60 node_is_new n2 "$since"' 3>&- 4>&-
}
teardown_file() {
    "$QUICKSTART" restart n2 3>&- 4>&-
    rm -rf "$ETC/other"
    restore_policy
}
setup() { cp "$PLUGSTACK_CONF" "$OTHER"; }

# both WORD ...: a step on each node says whether it is in a container.
both() {
    run --separate-stderr as_user srun -N2 "$@" sh -c 'test -e /run/berth/init && echo container || echo host'
}

@test "a node whose plugstack.conf lacks the plugin runs no step on the host, and says why (threat 3)" {
    local program
    both --container=debian
    equal "$output" $'container\ncontainer'
    : >"$OTHER"
    both --container=debian
    ((status != 0)) || fail "srun takes this for a success"
    equal "$output" container
    contains "$stderr" 'is-not-loaded-on-this-node/sh: No such file'
    contains "$stderr" 'n2: task 1: Exited with exit code'
    # However the program is named, and from an allocation.
    cp /usr/bin/hostname "$HOME1/here-inside"
    for program in /usr/bin/hostname ./here-inside; do
        run as_user srun -w n2 --container=debian "$program"
        ((status != 0)) || fail "srun takes this for a success"
        contains "$output" "is-not-loaded-on-this-node/$program: No such file"
    done
    run as_user srun -w n2 --container=debian --bcast="$HOME1/there-inside" ./here-inside
    ((status != 0)) || fail "srun takes this for a success"
    contains "$output" "is-not-loaded-on-this-node/$HOME1/there-inside: No such file"
    run as_user salloc -Q -w n2 --container=debian
    ((status != 0)) || fail "salloc takes this for a success"
    contains "$output" is-not-loaded-on-this-node
    # Whoever asks for no container needs no plugin.
    both
    equal "$output" $'host\nhost'
    poll "$SOON" all_idle
    nothing_left
}

@test "the TaskProlog of doc/install.md ends what srun cannot keep from the host of such a node (threat 3)" {
    local prolog=$ETC/other/task-prolog
    as_user tee job.sh >/dev/null <<<$'#!/bin/sh\necho ran\ntest -e /run/berth/init && echo inside'
    as_user tee multi >/dev/null <<<'* echo ran'
    batch() {
        as_user "${@:2}" sbatch -Q -W -w n2 -o batch.out $1 job.sh >/dev/null 2>&1 || true
        cat "$HOME1/batch.out"
    }
    sed -n '/^  #!\/bin\/sh/,/^  kill/s/^  //p' "${QUICKSTART%/*}/doc/install.md" >"$prolog"
    grep -q kill "$prolog"
    # Where the plugin is, nothing changes.
    equal "$(batch --container=debian)" $'ran\ninside'
    equal "$(as_user srun -w n2 --container=debian echo ran)" ran
    : >"$OTHER"
    equal "$(batch --container=debian)" ""
    contains "$(scontrol -o show jobs | grep 'Name=bats ' | tail -n 1)" " Comment=no berth on n2"
    equal "$(batch '' env BERTH_CONTAINER_IMAGE=debian)" ""
    for word in "--container=debian echo ran" "--container=debian --multi-prog multi"; do
        # shellcheck disable=SC2086
        run bypassing srun -w n2 $word
        ((status != 0))
        lacks "$output" ran
    done
    # Whoever asks for no container needs no plugin.
    equal "$(batch '')" ran
    equal "$(batch --container=none)" ran
    equal "$(as_user srun -w n2 echo ran)" ran
    echo '#!/bin/sh' >"$prolog"
    poll "$SOON" all_idle
    nothing_left
}

@test "what srun does to a program's name is seen nowhere, as bare" {
    local words
    cp /usr/bin/hostname "$HOME1/here-inside"
    for words in 'hostname' './here-inside' "--bcast=$HOME1/there-inside ./here-inside"; do
        # shellcheck disable=SC2086
        alike -N2 $words
    done
    start_step -w n1 --container=debian sh -c "$(waiter)"
    contains "$(scontrol -o show step "$JOB.0")" ' Name=sh '
    scancel "$JOB"
    await_step
    # Components share their words, or have their own.
    run --separate-stderr as_user srun -Q -n1 --container=debian hostname : -n1 hostname
    equal "$status/$stderr" 0/
    run --separate-stderr as_user salloc -Q -n1 : -n1 srun -Q --het-group=0,1 --container=debian hostname
    equal "$status/$stderr" 0/
    rm -f "$HOME1"/*-inside*
    nothing_left
}

@test "a node whose policy differs says so in a step over several, and once" {
    local words
    # Where the engine is need not be the same.
    sed -i "s,engine=unix://,&/," "$OTHER"
    run --separate-stderr as_user srun -Q -N2 --container=debian true
    equal "$status/$stderr" 0/
    for words in "allow=debian allow=alpine $ENGINE" "allow=** $ENGINE"; do
        echo "required $PLUGIN $words" >"$OTHER"
        run --separate-stderr as_user srun -Q -N2 -n4 --container=debian true
        equal "$status" 0
        one_sentence "$stderr"
        contains "$stderr" "warning: the policy of node n2 is not that of the host"
    done
    # One node is not at odds with others, and what it warns of is not refused.
    run --separate-stderr as_user srun -Q -w n2 --container=debian true
    equal "$status/$stderr" 0/
    # Nothing of it reaches the task, nor the steps that a task starts.
    run as_user srun -Q -w n1 --container=debian sh -c 'env | grep -i spank || true'
    equal "$output" ''
    nothing_left
}

@test "a node whose berth.conf differs says so as well" {
    cp "$PLUGSTACK_CONF" "$OTHER"
    sed -i "s,\$, conf=$ETC/other/berth.conf," "$OTHER"
    conf <<<'pids_limit = 100'
    echo 'pids_limit = 100' >"$ETC/other/berth.conf"
    run --separate-stderr as_user srun -Q -N2 --container=debian true
    equal "$status/$stderr" 0/
    echo 'pids_limit = 99' >"$ETC/other/berth.conf"
    run --separate-stderr as_user srun -Q -N2 --container=debian true
    equal "$status" 0
    one_sentence "$stderr"
    contains "$stderr" "policy of node n2"
    rm "$BERTH_CONF"
    nothing_left
}
