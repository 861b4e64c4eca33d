#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# What a user hears of a program that the container has not, or cannot run.

# shellcheck disable=SC2154  # output and stderr are bats's
load lib

setup_file() {
    local dir=$BATS_FILE_TMPDIR/small
    mkdir -p "$dir"/{tool,bin,tmp}
    cc -static -O1 -o "$dir/probe" "$BATS_TEST_DIRNAME/probe.c"
    cp "$dir/probe" "$dir/tool/prog"
    image berth/small "$dir"
    image berth/wrapped "$dir" 'ENTRYPOINT ["/probe"]'
    mkdir "$dir/app"
    printf '#!/probe show\n' >"$dir/app/start"
    chmod 755 "$dir/app/start"
    image berth/relative "$dir" 'WORKDIR /app' 'ENTRYPOINT ["./start"]'
    image berth/nowhere "$dir" 'WORKDIR /gone'
    image berth/broken "$dir" 'ENTRYPOINT ["/gone"]'
    image berth/own "$dir" 'ENTRYPOINT ["/probe", "show"]' 'CMD ["/app/start"]'
    image berth/cmd "$dir" 'WORKDIR /app' 'CMD ["./start"]'
    cp -p "$PLUGSTACK_CONF" "$RESTORE"
    { cgroups; echo none; } >"$BATS_FILE_TMPDIR/cgroups"
    usual_policy
}
teardown_file() { restore_policy; }
teardown() { tidy; }

# ends STATUS WORDS IMAGE PROGRAM ...: so it does, with one sentence.
ends() {
    local status_wanted=$1 words=$2 img=$3
    shift 3
    run "-$status_wanted" --separate-stderr as_user srun -Q --container="$img" "$@"
    one_sentence "$stderr"
    contains "$stderr" "$words"
}

@test "a batch script whose interpreter the image lacks names that, and not Slurm's spool" {
    printf '#!/bin/bash\necho hi\n' >"$HOME1/s.sh"
    run_batch -o s.out --container=berth/small s.sh
    equal "$(grep berth: "$HOME1/s.out")" "berth: /bin/bash, which the first line of the batch script names, is not in the container: name one that is there, or take another image"
    nothing_left
}

@test "a program for another processor, one without its loader and one that is damaged are told apart" {
    local dir=$HOME1/kinds
    mkdir -p "$dir"
    cp /bin/true "$dir/dynamic"
    cp "$BATS_FILE_TMPDIR/small/probe" "$dir/other"
    # e_machine of S/390.
    printf '\x16\x00' | dd of="$dir/other" bs=1 seek=18 conv=notrunc status=none
    head -c 100 /bin/true >"$dir/cut"
    chmod 755 "$dir"/*
    chown -R berth1: "$dir"
    ends 126 "kinds/other is a program for s390x, and this node is $(uname -m)" berth/small kinds/other
    ends 127 'kinds/dynamic needs /lib' berth/small kinds/dynamic
    ends 126 'kinds/cut can' berth/small kinds/cut
    rm -r "$dir"
    nothing_left
}

@test "a program that is on the node only is told as that, with the node's name" {
    local node
    node=$(sinfo -hN -o %N | head -n 1)
    cp "$BATS_FILE_TMPDIR/small/probe" /tmp/berth-prog
    ends 127 "it is on node $node, of which a container has only what is mounted" \
        berth/small -w "$node" /tmp/berth-prog hello
    contains "$stderr" "whose /tmp is its own and not the image's"
    ends 127 "/mount is on node $node" berth/small -w "$node" mount
    rm /tmp/berth-prog
    nothing_left
}

@test "a program that an entry point would bring, or that is the entry point, is told as that" {
    ends 127 "--container-entrypoint runs that" berth/wrapped python
    ends 127 "/gone: there is no such program in the container: it is the image's ENTRYPOINT" \
        berth/broken --container-entrypoint hello
    ends 127 "there with --container-slurm" berth/small squeue
    ends 127 "it is a function of the node's shells" berth/small module load gcc
    nothing_left
}

@test "an empty command is the image's own: its ENTRYPOINT and CMD, as an engine runs them" {
    local start
    start=$(cat "$BATS_FILE_TMPDIR/small/app/start")
    equal "$(as_user srun --container=berth/own '')" "$start"
    equal "$(as_user srun -N2 --container=berth/cmd '' | sort -u)" "$start"
    # Arguments take CMD's place.
    # Also in the container of an earlier step.
    equal "$(as_user salloc -Q -n1 bash -c 'for i in 1 2; do srun -Q --container=berth/cmd ""; srun -Q --container=berth/own ""; done')" \
        "$(printf '%s\n' "$start" "$start" "$start" "$start")"
    contains "$(as_user srun --container=berth/own '' /proc/self/status)" Pid:
    contains "$(as_user srun --container=berth/cmd '' /probe show /proc/self/status)" Pid:
    equal "$(as_user srun --container=berth/own --no-container-entrypoint '')" "$start"
    ends 125 "the command is empty, and the image has no ENTRYPOINT and no CMD" berth/small ''
    # srun wants one, and says no more than that.
    run -1 --separate-stderr as_user srun --container=berth/own -n2 --mem=100
    equal "${stderr_lines[0]}" "srun: error: berth: name the command that is to run in the container, or write \"\" for the image's own, its ENTRYPOINT and CMD"
    equal "${stderr_lines[1]}" "srun: fatal: No command given to execute."
    for start in --help -V --test-only; do
        run --separate-stderr as_user srun --container=berth/own "$start"
        lacks "$stderr" ENTRYPOINT
    done
    nothing_left
}

@test "a relative ENTRYPOINT is found from the image's WORKDIR" {
    contains "$(as_user srun --container=berth/relative --container-entrypoint x)" '/probe show'
    nothing_left
}

@test "where the job's directory is not inside, tasks start in the image's WORKDIR, or in /" {
    conf <<<'workdir = allowed'
    contains "$(as_user srun --container=berth/relative /probe show /proc/self/environ | tr '\0' '\n')" PWD=/app
    equal "$(as_user srun --container=berth/relative ./start)" "$(cat "$BATS_FILE_TMPDIR/small/app/start")"
    as_user srun --container=berth/nowhere ./probe hello
    as_user srun --container=berth/relative --container-workdir=/ ./probe hello
    nothing_left
}
