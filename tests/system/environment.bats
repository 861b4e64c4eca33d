#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# The environment of a task is a container's: what the node's says of the node
# stays there.

# shellcheck disable=SC2154  # output and stderr are bats's
# shellcheck disable=SC2016  # the task's shell expands it
load lib

setup_file() {
    local dir=$BATS_FILE_TMPDIR/small
    mkdir -p "$dir"
    cc -static -O1 -o "$dir/probe" "$BATS_TEST_DIRNAME/probe.c"
    image berth/threads "$dir" 'ENV OMP_NUM_THREADS=1' 'ENV NCCL_DEBUG=WARN' 'ENV HF_HOME=/hf'
    cp -p "$PLUGSTACK_CONF" "$RESTORE"
    { cgroups; echo none; } >"$BATS_FILE_TMPDIR/cgroups"
    usual_policy
}
teardown_file() { restore_policy; }
teardown() { tidy; }

# inside IMAGE NAME SRUN'S WORDS: prints the variable as a task has it.
inside() {
    local img=$1 name=$2
    shift 2
    as_user "$@" --container="$img" /probe env | sed -n "s/^$name=//p"
}

@test "functions that the node's shell exports stay outside, unless they are asked for" {
    local with='which() { /usr/bin/which --tty-only "$@"; }; export -f which; srun --container=debian'
    equal "$(as_user bash -c "$with bash -c 'which ls'")" /usr/bin/ls
    equal "$(as_user bash -c "f() { echo mine; }; export -f f; srun --container=debian --container-env='BASH_FUNC_*' bash -c f")" mine
    equal "$(as_user bash -c "f() { echo mine; }; export -f f; srun --container=debian --container-env=BASH_FUNC_f%% bash -c f")" mine
    nothing_left
}

@test "the job's number of threads wins over the image's, and any by a glob or a rule" {
    local job=(env OMP_NUM_THREADS=8 NCCL_DEBUG=INFO HF_HOME=/mine srun)
    equal "$(inside berth/threads OMP_NUM_THREADS "${job[@]}")" 8
    equal "$(inside berth/threads OMP_NUM_THREADS srun)" 1
    equal "$(inside berth/threads NCCL_DEBUG "${job[@]}")" WARN
    equal "$(inside berth/threads NCCL_DEBUG "${job[@]}" '--container-env=NCCL_*,HF_*')" INFO
    equal "$(inside berth/threads HF_HOME "${job[@]}" '--container-env=NCCL_*,HF_*')" /mine
    conf <<'END'
env_job = {"NCCL_*"}
env_ask += {"MINE_*"}
END
    equal "$(inside berth/threads OMP_NUM_THREADS "${job[@]}")" 1
    equal "$(inside berth/threads NCCL_DEBUG "${job[@]}")" INFO
    equal "$(inside berth/threads MINE_A env MINE_A=1 srun)" ''
    equal "$(inside berth/threads MINE_A env MINE_A=1 srun '--container-env=MINE_*')" 1
    nothing_left
}

@test "what names a place of the node's that the container lacks stays outside" {
    local names='echo "${TMPDIR-none} $SHELL ${LD_PRELOAD-none} ${LANG-none}"'
    mkdir -p /tmp/berth-job
    chmod 1777 /tmp/berth-job
    cp /bin/sh /tmp/berth-job/shell
    cc -shared -x c -o /tmp/berth-job/x.so /dev/null
    run as_user env TMPDIR=/tmp/berth-job SHELL=/tmp/berth-job/shell LD_PRELOAD=/tmp/berth-job/x.so \
        LANG=en_US.UTF-8 srun -Q --container=debian sh -c "mktemp >/dev/null && $names"
    equal "$output" "none /bin/sh none none"
    run as_user env TMPDIR=/tmp SHELL=/bin/bash LANG=C.UTF-8 srun -Q --container=debian sh -c "$names"
    equal "$output" "/tmp /bin/bash none C.UTF-8"
    run as_user env LANG=en_US.UTF-8 LC_ALL=en_US.UTF-8 srun -Q --container=debian perl -e 1
    equal "$status/$output" 0/
    rm -r /tmp/berth-job
    nothing_left
}

@test "HOME is the user's home where that is mounted, and never a project's directory" {
    mkdir -p "$HOME1/project"
    chown berth1: "$HOME1/project"
    local show='[ "$HOME" = "$(getent passwd "$(id -u)" | cut -d: -f6)" ] || echo "passwd differs:"
        echo $HOME; touch ~/x && rm ~/x'
    equal "$(as_user srun --container=debian sh -c "$show")" "$HOME1"
    equal "$(as_user srun --chdir="$HOME1/project" --container=debian sh -c "$show")" /tmp
    conf <<<'home = allowed'
    equal "$(as_user srun --chdir="$HOME1/project" --container=debian --container-mount-home sh -c "$show")" "$HOME1"
    conf <<<"mounts_default = {\"${HOME1%/*}:${HOME1%/*}:rw\"}"
    equal "$(as_user srun --chdir="$HOME1/project" --container=debian sh -c "$show")" "$HOME1"
    rmdir "$HOME1/project"
    nothing_left
}

@test "a task's clock is in the node's time zone, unless the job or the image says otherwise" {
    local zone=$BATS_FILE_TMPDIR/zone
    # So that the machine's own does not matter.
    printf 'TZif2\0\0\0\0\nAAA-7BBB,M3.5.0,M10.5.0\n' >"$zone"
    [[ -e /etc/localtime ]] || skip_without /etc/localtime
    mount --bind "$zone" /etc/localtime
    run as_user srun --container=debian date -d 2026-07-01T12:00Z +%H%Z
    poll "$SOON" umount /etc/localtime
    equal "$output" 20BBB
    equal "$(as_user env TZ=XXX+3 srun --container=debian date -d 2026-07-01T12:00Z +%H%Z)" 09XXX
    nothing_left
}

@test "env_sets: torch's ranks are those of Slurm's tasks, and where they meet the user may have said" {
    local show='echo $RANK $LOCAL_RANK $WORLD_SIZE $MASTER_ADDR $MASTER_PORT $SLURM_JOB_ID'
    torch() { as_user env "$1" srun -Q -N2 -n4 --ntasks-per-node=2 --container=debian sh -c "$show" | sort; }
    equal "$(torch RANK=7 | cut -d' ' -f1 | sort -u)" 7
    conf <<<'env_sets = {"torch"}'
    run torch RANK=7
    local id=${output##* }
    local at="4 n1 $((20000 + id * 67 % 10000)) $id"
    equal "$output" "0 0 $at
1 1 $at
2 0 $at
3 1 $at"
    run torch MASTER_PORT=29500
    equal "$(cut -d' ' -f5 <<<"$output" | sort -u)" 29500
    # Steps are apart, and a batch script has no rank.
    as_user tee job.sh >/dev/null <<<"#!/bin/sh
#SBATCH -Q --container=debian -n2 --container-slurm
echo batch \$RANK \$MASTER_ADDR
srun -Q -n1 sh -c 'echo \$RANK \$WORLD_SIZE \$MASTER_PORT'
srun -Q -n2 sh -c 'echo \$RANK \$WORLD_SIZE \$MASTER_PORT'
exit 0"
    conf <<<$'env_sets = {"torch"}\nslurm = allowed'
    as_user sbatch -W -o torch.out job.sh >/dev/null
    run cat "$HOME1/torch.out"
    equal "${lines[0]}" batch
    equal "$(cut -d' ' -f1,2 <<<"$output" | sort)" $'0 1\n0 2\n1 2\nbatch'
    equal "$(cut -s -d' ' -f3 <<<"$output" | sort -u | wc -l)" 2
    nothing_left
}
