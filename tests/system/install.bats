#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# What doc/install.md says of a prolog of the site's own, and of removal, as it is
# written. What `make install` and `make uninstall` do with files is in
# tests/unit/installed.

# shellcheck disable=SC2154  # status is bats's
load lib

ETC=${SLURM_CONF%/*}

# What is in all files' setup_file, and what this file changes.
setup_file() {
    cp -p "$PLUGSTACK_CONF" "$RESTORE"
    { cgroups; echo none; } >"$BATS_FILE_TMPDIR/cgroups"
    usual_policy
    cp -p "$SLURM_CONF" "$BATS_FILE_TMPDIR"
}
teardown() {
    [[ ! -e $PREFIX.away ]] || mv "$PREFIX.away" "$PREFIX"
    install -d -m 0711 "$STATE"
    cp -p "$BATS_FILE_TMPDIR/${SLURM_CONF##*/}" "$SLURM_CONF"
    rm -rf "$ETC"/{prolog,epilog}.d
    scontrol reconfigure
    scontrol update nodename="$(nodes | paste -sd,)" state=resume 2>/dev/null || true
    tidy
}
nodes() { sinfo -hN -o %N | sort -u; }

# What tells whether n1 has heard of another slurm.conf.
site_prolog_runs() { as_user srun -Q -w n1 true && [[ -s $BATS_TEST_TMPDIR/said ]]; }

@test "a site's own prolog and epilog run beside berth's, from a directory" {
    local which
    for which in prolog epilog; do
        install -d "$ETC/$which.d"
        ln -s "$PREFIX/sbin/berth-$which" "$ETC/$which.d/50-berth"
        printf '#!/bin/sh\necho %s >>%s\n' "$which" "$BATS_TEST_TMPDIR/said" >"$ETC/$which.d/10-site"
        chmod 755 "$ETC/$which.d/10-site"
    done
    sed -i "s,^Prolog=.*,Prolog=$ETC/prolog.d/*,; s,^Epilog=.*,Epilog=$ETC/epilog.d/*," "$SLURM_CONF"
    scontrol reconfigure
    poll "$SOON" site_prolog_runs || fail "the site's prolog does not run"
    nothing_left
    rm "$BATS_TEST_TMPDIR/said"
    start_step -w n1 --container=debian sh -c "$(waiter)"
    equal "$(cat "$BATS_TEST_TMPDIR/said")" prolog
    [[ -e $STATE/n1/$JOB.job ]] || fail "berth-prolog did not run"
    scancel "$JOB"
    await_step
    nothing_left
    equal "$(cat "$BATS_TEST_TMPDIR/said")" $'prolog\nepilog'
}

@test "berth goes from a cluster that is in use: nothing drains, every srun works, nothing is left" {
    start_step -w n1 --container=debian sh -c "echo ready \$SLURM_JOB_ID; while ! test -e $HOME1/go.out; do sleep 0.1; done; test -e /run/berth/init && echo inside"
    # The plugin's line: the next steps know no berth, and the one that runs
    # goes on where it is.
    : >"$PLUGSTACK_CONF"
    equal "$(as_user srun -Q -N2 echo ran)" $'ran\nran'
    run as_user srun -Q --container-image=debian true
    contains "$output" "unrecognized option"
    as_user touch "$HOME1/go.out"
    await_step
    equal "$STATUS" 0
    contains "$(cat "$OUT")" inside
    nothing_left
    equal "$("$PREFIX/sbin/berth-epilog" --sweep --dry-run 2>&1)" ''
    equal "$(programs)" ''

    # The prolog's and epilog's lines, then the files.
    sed -i '/^Prolog=/d; /^Epilog=/d' "$SLURM_CONF"
    scontrol reconfigure
    poll "$SOON" prologs_are 0 || fail "the prolog goes on"
    mv "$PREFIX" "$PREFIX.away"
    rm -rf "$STATE"

    equal "$(as_user srun -Q -N2 echo ran)" $'ran\nran'
    printf '#!/bin/sh\nsrun -Q -N2 echo from a batch script\n' >"$HOME1/job.sh"
    run_batch -N2 --output=job.out "$HOME1/job.sh"
    equal "$(cat "$HOME1/job.out")" $'from a batch script\nfrom a batch script'
    poll "$SOON" no_jobs
    poll "$SOON" all_idle || fail "nodes: $(sinfo -hN -o '%N %T %E')"
    poll "$SOON" no_cgroups || fail "cgroups left: $(left_cgroups)"
    [[ ! -e $STATE && ! -e $PREFIX ]] || fail "something came back"
    equal "$(berths)" ''
}
