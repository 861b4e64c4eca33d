#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# The plugin's hooks and what Slurm makes of them, which is another thing in
# each release: tests/matrix runs these with several.

# shellcheck disable=SC2154  # output, status and stderr are bats's
load lib

# policy_behind WORD REQUIRED: another plugin is before berth, which spoils what
# that finds (before.c); berth itself is `required` or `optional`.
policy_behind() {
    local before=/srv/berth-test/before.so
    install -d /srv/berth-test
    cc -shared -fPIC -O1 -o "$before" "$BATS_TEST_DIRNAME/before.c"
    printf 'required %s %s\n%s %s allow=debian allow=berth/** %s\n' \
        "$before" "$1" "$2" "$PLUGIN" "$ENGINE" >"$PLUGSTACK_CONF.new"
    mv "$PLUGSTACK_CONF.new" "$PLUGSTACK_CONF"
}

@test "what hooks return where they fail is a failure in this release of Slurm" {
    # A positive number is none in slurmstepd before 25.05 (trap 17).
    policy_behind failing required
    run --separate-stderr as_user srun -w n1 echo ran
    if slurm_has 25.05; then
        ((status != 0)) || fail "a positive number counts for nothing"
        equal "$output" ""
    else
        equal "$output" ran
    fi
    # In srun berth returns a negative one.
    policy_behind refusing required
    run --separate-stderr as_user srun -w n1 echo ran
    ((status != 0)) || fail "a negative number counts for nothing"
    equal "$output" ""
    usual_policy
    nothing_left
}

@test "a step of which the node's plugin cannot tell anything does not run on the host (threat 80)" {
    local word flag file=$HOME1/ran-inside
    printf '#!/bin/sh\ntouch %s\n' "$file" >"$HOME1/job.sh"
    echo "0-1 touch $file" >"$HOME1/multi"
    for word in nameless failing; do
        for flag in required optional; do
            # Slurm 25.05 fails the whole step for it.
            [[ $word == nameless ]] || ! slurm_has 25.05 || continue
            policy_behind "$word" "$flag"
            run --separate-stderr as_user srun -w n1 --container=debian touch "$file"
            [[ ! -e $file ]] || fail "$word, $flag: the program ran on the host"
            ((status == 125)) || fail "$word, $flag: srun is content"
            contains "$stderr" 'berth: this task cannot start in its container'
            run --separate-stderr as_user srun -w n1 -n2 --container=debian --multi-prog multi
            [[ $status == 125 && ! -e $file ]] ||
                fail "$word, $flag: a program of several ran on the host"
            run_batch -w n1 --container=debian --output=/dev/null job.sh
            [[ ! -e $file ]] || fail "$word, $flag: the script ran on the host"
            # No node is drained for it, and other steps run as before.
            equal "$(as_user srun -w n1 echo bare)" bare
        done
    done
    usual_policy
    nothing_left
}

@test "the plugin's hooks take a step without a container less than 1 ms" {
    local cost
    cc -O1 -rdynamic -o "$BATS_TEST_TMPDIR/hooks" "$BATS_TEST_DIRNAME/hooks.c" -ldl
    # The median of many processes that load it and call every hook.
    cost=$("$BATS_TEST_TMPDIR/hooks" "$PLUGIN" 101)
    echo "# $cost microseconds" >&3
    ((cost < 1000)) || fail "$cost microseconds"
}
