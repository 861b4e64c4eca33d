#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# Slurm's configless mode: slurmctld hands slurm.conf and plugstack.conf out.
# n2's slurmd keeps them in its spool directory, to which /run/slurm/conf leads;
# so do clients on its host. Clients elsewhere have them in their memory.

# shellcheck disable=SC2154  # status, stderr are bats's
load lib

ETC=${SLURM_CONF%/*}
SERVER=127.0.0.1:$(sed -n 's/^SlurmctldPort=//p' "$SLURM_CONF")
# Slurm knows these alone, before it has a configuration.
MUNGE=/run/munge/munge.socket.2
CONF=/run/slurm/conf

free() { [[ ! -e /etc/slurm/slurm.conf && ! -e /run/slurm ]] && [[ ! -e $MUNGE || -L $MUNGE ]]; }

# What is in all files' setup_file, and a controller and a node of this kind.
setup_file() {
    cp -p "$PLUGSTACK_CONF" "$RESTORE"
    { cgroups; echo none; } >"$BATS_FILE_TMPDIR/cgroups"
    usual_policy
    free || return 0
    install -d "${MUNGE%/*}"
    ln -sf "$(sed -n 's/^AuthInfo=socket=//p' "$SLURM_CONF")" "$MUNGE"
    cp -p "$SLURM_CONF" "$BATS_FILE_TMPDIR"
    sed -i '/^PlugStackConfig=/d; s/^LaunchParameters=/SlurmctldParameters=enable_configless\n&/' "$SLURM_CONF"
    "$QUICKSTART" restart slurmctld 3>&- 4>&-
    SERVER=$SERVER bash -euc 'for part in settings process slurm; do
            . "$(dirname "$QUICKSTART")/tests/sandbox/$part.bash"
        done
        stop n2
        since=$EPOCHSECONDS
        spawn n2 env -u SLURM_CONF slurmd -D -N n2 --conf-server "$SERVER"
        must_start n2 60 node_is_new n2 "$since"' 3>&- 4>&-
    touch "$BATS_FILE_TMPDIR/up"
}
teardown_file() {
    restore_policy
    [[ -e $BATS_FILE_TMPDIR/up ]] || return 0
    cp -p "$BATS_FILE_TMPDIR/${SLURM_CONF##*/}" "$SLURM_CONF"
    for daemon in slurmctld n2; do
        "$QUICKSTART" restart "$daemon" 3>&- 4>&-
    done
    rm -rf /run/slurm "$MUNGE"
    rmdir "${MUNGE%/*}" 2>/dev/null || true
}
setup() { [[ -e $BATS_FILE_TMPDIR/up ]] || skip_without 'places that are free for this: it has a Slurm'; }

# here COMMAND: on n2's host. elsewhere COMMAND: on one that has nothing.
here() { as_user env -u SLURM_CONF "$@"; }
elsewhere() {
    local rc=0
    mv /run/slurm /run/slurm.away
    as_user env -u SLURM_CONF SLURM_CONF_SERVER="$SERVER" "$@" || rc=$?
    mv /run/slurm.away /run/slurm
    return $rc
}

@test "a node without a configuration of its own runs steps and batch scripts in containers" {
    local where
    for where in here elsewhere; do
        run --separate-stderr "$where" srun -Q -w n2 --container=debian sh -c 'test -e /run/berth/init && echo inside'
        equal "$status/$output" 0/inside
    done
    printf '#!/bin/sh\n#SBATCH --container=debian\ntest -e /run/berth/init && echo inside\n' >"$HOME1/job.sh"
    here sbatch -Q --wait -w n2 --output=job.out "$HOME1/job.sh"
    equal "$(cat "$HOME1/job.out")" inside
    nothing_left
}

@test "a refusal names the file that Slurm has put there, and berth-policy finds it" {
    run --separate-stderr here srun -w n2 --container=fedora true
    refused "$CONF/plugstack.conf line 1, which allows debian"
    run here "$PREFIX/bin/berth-policy" check --user=berth1 fedora
    contains "$output" "$CONF/plugstack.conf line 1"
    # Where there is no file, there is still the policy.
    run --separate-stderr elsewhere srun -w n2 --container=fedora true
    refused "not allowed by plugstack.conf, which allows debian"
    # The node itself, asked by a client without the plugin.
    run --separate-stderr bypassing srun -w n2 --container=fedora true
    refused "conf-cache/plugstack.conf line 1, which allows debian"
    nothing_left
}

@test "Slurm's commands work in a container on a node without a configuration of its own" {
    conf <<<'slurm = allowed'
    run here srun -Q -w n2 --container=debian --container-slurm sh -c 'scontrol ping; srun -Q --overlap echo nested'
    contains "$output" "is UP"
    contains "$output" nested
    rm "$BERTH_CONF"
    nothing_left
}

@test "an edit holds when Slurm has handed it out" {
    policy allow=berth/probe "$ENGINE"
    run --separate-stderr here srun -Q -w n2 --container=debian echo ran
    equal "$status/$output" 0/ran
    scontrol reconfigure
    poll "$SOON" grep -q allow=berth/probe "$CONF/plugstack.conf"
    run --separate-stderr here srun -w n2 --container=debian echo ran
    refused "which allows berth/probe"
    usual_policy
    scontrol reconfigure
    poll "$SOON" grep -q allow=debian "$CONF/plugstack.conf"
    nothing_left
}
