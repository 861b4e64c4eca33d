#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# GPUs: a step has in its container those that Slurm gave it, and no others.
# The sandbox's are two plain devices, which is all that Slurm, the engine and
# the kernel need to tell one from the other.

# shellcheck disable=SC2154  # stderr is bats's
load lib

GPUS=/dev/berth-quickstart

setup() {
    [[ -c $GPUS/gpu1 ]] || skip_without "the right to make device nodes"
}

# What a task prints of itself: the GPUs that are there, which of them open,
# and what its variables say.
# shellcheck disable=SC2016  # the task's shell expands it
LOOK='there=$(cd /dev/berth-quickstart 2>/dev/null && echo gpu*)
    for d in 0 1; do
        (: <"/dev/berth-quickstart/gpu$d") 2>/dev/null && opens="$opens$d"
    done
    echo "$SLURM_PROCID: there=$there opens=$opens cuda=$CUDA_VISIBLE_DEVICES" \
        "nvidia=$NVIDIA_VISIBLE_DEVICES"'

# Nothing is left but what the prolog knows of the GPUs.
nothing_of_step() {
    poll "$SOON" no_jobs
    rm -f "$STATE"/*/gpus.json "${PLUGSTACK_CONF%/*}"/berth-gpus.*
    nothing_left
}

# look SRUN'S WORDS
look() { as_user srun -Q --container=debian "$@" sh -c "$LOOK" | sort; }

@test "a step without GPUs has none" {
    equal "$(look)" "0: there= opens= cuda= nvidia=void"
    equal "$(look --gres=none)" "0: there= opens= cuda= nvidia=void"
}

@test "a step has as many GPUs as it was given" {
    equal "$(look --gres=gpu:2)" "0: there=gpu0 gpu1 opens=01 cuda=0,1 nvidia=void"
    run look --gres=gpu:1
    [[ $output =~ ^'0: there=gpu'[01]' opens='[01]' cuda=0 nvidia=void'$ ]] || fail "$output"
}

@test "a step has its GPUs where a set of devices has their files as well" {
    conf <<<'device_set "all" { files = {"/dev/berth-quickstart/*"} }
devices = {"all"}'
    equal "$(look --gres=gpu:2)" "0: there=gpu0 gpu1 opens=01 cuda=0,1 nvidia=void"
    run look --gres=gpu:1
    [[ $output =~ ^'0: there=gpu0 gpu1 opens='[01]' cuda=0 nvidia=void'$ ]] || fail "$output"
}

@test "two jobs with a GPU each have different ones, each only its own" {
    local first second
    start_step -w n1 --gres=gpu:1 --container=debian sh -c "$LOOK; $(waiter)"
    first=$(grep there= "$OUT")
    second=$(look -w n1 --gres=gpu:1)
    scancel "$JOB"
    await_step
    case $first in
    *'there=gpu0 opens=0 '*) contains "$second" 'there=gpu1 opens=1 ' ;;
    *'there=gpu1 opens=1 '*) contains "$second" 'there=gpu0 opens=0 ' ;;
    *) fail "$first" ;;
    esac
}

@test "each task opens its own GPU with --gpus-per-task" {
    local out
    out=$(look -N1 -n2 --gres=gpu:2 --gpus-per-task=1)
    equal "$(grep -o 'opens=[^ ]*' <<<"$out" | sort | tr '\n' ' ')" "opens=0 opens=1 "
    equal "$(grep -c 'cuda=0 ' <<<"$out")" 2
}

# A container's tasks have what bare ones have; but for one variable, and
# since the device files of all of the node's GPUs are there for bare ones.
@test "each task's GPU and variables are as bare, however tasks and GPUs are bound" {
    local bind bare
    # Slurm 22.05 has no --tres-per-task.
    local -a binds=("--gpu-bind=map_gpu:1,0" "--gpu-bind=mask_gpu:0x2,0x1" --gpu-bind=single:1
        --gpu-bind=per_task:1 --gpu-bind=none --gpu-bind=closest --gpus-per-task=1)
    ! srun --help | grep -q -- --tres-per-task || binds+=(--tres-per-task=gres/gpu:1)
    for bind in "${binds[@]}"; do
        bare=$(as_user srun -Q -N1 -n2 --gres=gpu:2 "$bind" sh -c "$LOOK" | sort |
            sed 's/there=.*opens/opens/; s/ nvidia=.*//')
        echo "$bind: $bare"
        equal "$(grep -c ' opens=' <<<"$bare")" 2
        equal "$(look -N1 -n2 --gres=gpu:2 "$bind" | sed 's/there=.*opens/opens/; s/ nvidia=.*//')" "$bare"
    done
}

@test "two steps of a job split its GPUs" {
    local out
    out=$(as_user salloc -Q -N1 -n2 --gres=gpu:2 bash -c "
        for i in 1 2; do
            srun -n1 --exact --gres=gpu:1 --container=debian sh -c '$LOOK; $MEET' - \$i 2 &
        done
        wait")
    equal "$(grep -o 'there=.*opens=[^ ]*' <<<"$out" | sort)" \
        $'there=gpu0 opens=0\nthere=gpu1 opens=1'
    rm "$HOME1"/met.{1,2}
}

@test "a batch script has the job's GPUs" {
    {
        printf '#!/bin/sh\n#SBATCH --gres=gpu:2 --container=debian --output=gpus.out\n'
        echo "$LOOK"
    } | as_user tee gpus.sh >/dev/null
    as_user sbatch --wait gpus.sh
    equal "$(cat "$HOME1/gpus.out")" "0: there=gpu0 gpu1 opens=01 cuda=0,1 nvidia=void"
}

@test "what the environment and the image say changes nothing (threats 5, 6, 43, 48)" {
    local spoof=(env "SLURM_JOB_GPUS=0,1" "SLURM_STEP_GPUS=0,1"
        "CUDA_VISIBLE_DEVICES=0,1" NVIDIA_VISIBLE_DEVICES=all
        "GPU_DEVICE_ORDINAL=0,1" "ROCR_VISIBLE_DEVICES=0,1" "ZE_AFFINITY_MASK=0,1"
        "SPANK_SLURM_JOB_GPUS=0,1" "SPANK_GPUS=0,1")
    image berth/greedy "$BATS_SUITE_TMPDIR/probe" 'ENV NVIDIA_VISIBLE_DEVICES=all' \
        'ENV SLURM_JOB_GPUS=0,1' 'ENV SLURM_STEP_GPUS=0,1' 'ENV CUDA_VISIBLE_DEVICES=0,1' \
        'ENV GPU_DEVICE_ORDINAL=0,1' 'ENV NVIDIA_DRIVER_CAPABILITIES=all' \
        'ENV NVIDIA_MIG_CONFIG_DEVICES=all' 'ENV LD_PRELOAD=/evil.so' 'ENV LD_AUDIT=/evil.so' \
        'ENV LD_LIBRARY_PATH=/of/image'
    equal "$(as_user "${spoof[@]}" srun -Q --container=debian sh -c "$LOOK")" \
        "0: there= opens= cuda= nvidia=void"
    run as_user "${spoof[@]}" srun -Q --gres=gpu:1 --container=debian sh -c "$LOOK"
    [[ $output =~ ^'0: there=gpu'[01]' opens='[01]' cuda=0 nvidia=void'$ ]] || fail "$output"
    run as_user "${spoof[@]}" srun -Q --container=berth/greedy /probe env
    equal "$status" 0
    contains "$output" NVIDIA_VISIBLE_DEVICES=void
    lacks "$output" CUDA_VISIBLE_DEVICES=
    lacks "$output" GPU_DEVICE_ORDINAL=
    lacks "$output" NVIDIA_MIG_CONFIG_DEVICES=
    run as_user "${spoof[@]}" srun -Q --gres=gpu:1 --container=berth/greedy /probe env
    contains "$output" NVIDIA_VISIBLE_DEVICES=void
    contains "$output" CUDA_VISIBLE_DEVICES=0
    lacks "$output" CUDA_VISIBLE_DEVICES=0,1
    # Nor by --container-env, which takes variables from the job.
    local names=SLURM_STEP_GPUS,CUDA_VISIBLE_DEVICES,NVIDIA_VISIBLE_DEVICES,GPU_DEVICE_ORDINAL
    equal "$(as_user "${spoof[@]}" srun -Q "--container-env=$names" --container=debian sh -c "$LOOK")" \
        "0: there= opens= cuda= nvidia=void"
    run as_user "${spoof[@]}" srun -Q --gres=gpu:1 "--container-env=$names" --container=debian \
        sh -c "$LOOK"
    [[ $output =~ ^'0: there=gpu'[01]' opens='[01]' cuda=0 nvidia=void'$ ]] || fail "$output"
    # A batch script has no list of its own: what the prolog noted counts.
    printf '#!/bin/sh\n#SBATCH --container=debian --output=gpus.out\n%s\n' "$LOOK" |
        as_user tee gpus.sh >/dev/null
    as_user "${spoof[@]}" sbatch --wait --gres=gpu:1 gpus.sh >/dev/null
    [[ $(cat "$HOME1/gpus.out") =~ ^'0: there=gpu'[01]' opens='[01]' ' ]] || fail "$(cat "$HOME1/gpus.out")"
    # A step in a job, by a longer list than the job has.
    [[ $(as_user salloc -Q -N1 --gres=gpu:1 "${spoof[@]}" srun --container=debian sh -c "$LOOK") =~ \
    ^'0: there=gpu'[01]' opens='[01]' ' ]] || fail "a step with a longer list"
    # A step without, in a job with GPUs.
    equal "$(as_user salloc -Q -N1 --gres=gpu:2 "${spoof[@]}" \
        srun --gres=none --container=debian sh -c "$LOOK")" \
        "0: there= opens= cuda= nvidia=void"
}

@test "what an image tells the loader reaches its tasks, and no vendor's hook (threat 43)" {
    # Where it has no such file, its tasks are spared the message.
    cp -a "$BATS_SUITE_TMPDIR/probe" "$BATS_TEST_TMPDIR/preload"
    touch "$BATS_TEST_TMPDIR/preload/evil.so"
    image berth/preload "$BATS_TEST_TMPDIR/preload" 'ENV LD_PRELOAD=/evil.so' \
        'ENV LD_LIBRARY_PATH=/of/image'
    run as_user srun -Q --gres=gpu:1 --container=berth/preload /probe env
    contains "$output" LD_PRELOAD=/evil.so
    contains "$output" LD_LIBRARY_PATH=/of/image
    # A hook acts on the environment of the container's first process: of the
    # next one.
    nothing_left
    mkfifo "$BATS_TEST_TMPDIR/in"
    as_user srun -Q --gres=gpu:1 --container=berth/preload /probe show /proc/self/fd/0 \
        <"$BATS_TEST_TMPDIR/in" 3>&- 4>&- &
    local step=$!
    exec 9>"$BATS_TEST_TMPDIR/in"
    poll "$SOON" first_process || fail "no container came up"
    output=$(tr '\0' '\n' <"/proc/$(pids berth-init)/environ")
    exec 9>&-
    wait "$step"
    contains "$output" LD_PRELOAD=
    lacks "$output" evil
    lacks "$output" of/image
}
first_process() { [[ $(pids berth-init) =~ ^[0-9]+$ ]]; }

@test "a device node that an image brings does not open (threat 52)" {
    cp -a "$BATS_SUITE_TMPDIR/probe" "$BATS_TEST_TMPDIR/node"
    mknod -m 0666 "$BATS_TEST_TMPDIR/node/gpu" c 1 7
    image berth/node "$BATS_TEST_TMPDIR/node"
    # With the GPU, so that it is not Slurm that forbids it.
    run as_user srun -Q --gres=gpu:2 --container=berth/node /probe show /gpu
    ((status != 0)) || fail "it can be read"
    contains "$output" "Permission denied"
}

@test "without the prolog's record: no GPU, and a sentence that says why" {
    # A step's own record is read when its container is made.
    cat >"$HOME1/gpus.sh" <<'END'
#!/bin/sh
#SBATCH --gres=gpu:1 --output=gpus.out
touch here
while [ -e here ]; do sleep 0.1; done
srun --container=debian true 2>&1
echo "status $?"
srun --gres=none --container=debian echo without 2>&1
END
    JOB=$(as_user sbatch --parsable -w n1 gpus.sh)
    poll "$SOON" test -e "$HOME1/here" || fail "the script does not begin"
    rm "$STATE/n1/$JOB.job" "$HOME1/here"
    poll "$SOON" grep -q without "$HOME1/gpus.out" || fail "$(cat "$HOME1/gpus.out")"
    contains "$(cat "$HOME1/gpus.out")" "has no record of this job's GPUs"
    contains "$(cat "$HOME1/gpus.out")" "status 125"
    equal "$(sinfo -hn n1 -o %T | grep -c drain)" 0
}

@test "a GPU that is gone is named" {
    look -w n1 --gres=gpu:1 >/dev/null
    mv "$GPUS/gpu1" "$GPUS/away"
    run --separate-stderr look -w n1 --gres=gpu:2
    mv "$GPUS/away" "$GPUS/gpu1"
    contains "$stderr" "GPU 1 of node"
    contains "$stderr" "$GPUS/gpu1 is no device"
    equal "$(look --gres=gpu:2)" "0: there=gpu0 gpu1 opens=01 cuda=0,1 nvidia=void"
}

@test "a GPU far from the step's CPUs is one warning, and no more than that" {
    grep -q '^cpuset' /proc/cgroups || skip_without cpusets
    local table=$STATE/n1/gpus.json
    look -w n1 --gres=gpu:1 >/dev/null
    sed -i 's/"numa":-1,"cores":""/"numa":1,"cores":"900-901"/g' "$table"
    run --separate-stderr look -w n1 -n2 --gres=gpu:2
    equal "$status" 0
    contains "$output" "1: there=gpu0 gpu1 opens=01 "
    one_sentence "$stderr"
    contains "$stderr" "berth: warning: GPU 0 of node n1 is near the CPUs 900-901 (NUMA node 1)"
    contains "$stderr" "enforce-binding"
    run --separate-stderr look -w n1
    equal "$stderr" ""
    sed -i 's/"900-901"/"0-901"/g' "$table"
    run --separate-stderr look -w n1 --gres=gpu:2
    equal "$stderr" ""
}

@test "berth-gpus shows the node's GPUs, and which job has each" {
    start_step -w n1 --gres=gpu:2 --container=debian sh -c "$(waiter)"
    run "$PREFIX/sbin/berth-gpus" --node=n1
    equal "$status" 0
    [[ ${lines[1]} =~ ^n1\ +0\ +$JOB\ +$GPUS/gpu0\  ]] || fail "no gpu0 of $JOB"
    [[ ${lines[2]} =~ ^n1\ +1\ +$JOB\ +$GPUS/gpu1\  ]] || fail "no gpu1 of $JOB"
    equal "${#lines[@]}" 3
    equal "$("$PREFIX/bin/berth-policy" gpus --node=n1)" "$output"
    scancel "$JOB"
    await_step
    poll "$SOON" no_records
    run "$PREFIX/sbin/berth-gpus" --node=n1
    [[ ${lines[1]} =~ ^n1\ +0\ +-\  ]] || fail "a job has gpu0"
}

@test "the prolog finds out about the GPUs once, and again after gres.conf changed" {
    local table=$STATE/n1/gpus.json before
    rm -f "$table"
    look -w n1 --gres=gpu:1 >/dev/null
    before=$(stat -c '%i %Y' "$table")
    look -w n1 --gres=gpu:1 >/dev/null
    equal "$(stat -c '%i %Y' "$table")" "$before"
    touch "${SLURM_CONF%/*}/gres.conf"
    look -w n1 --gres=gpu:1 >/dev/null
    [[ $(stat -c '%i %Y' "$table") != "$before" ]] || fail "it did not"
}

@test "the prolog asks the slurmd that there is now, where an upgrade has replaced the one that runs" {
    local dir=$BATS_TEST_TMPDIR table=$STATE/n1/gpus.json
    # Its parent stands in for the slurmd that runs.
    cp "$(command -v bash)" "$dir/slurmd"
    rm -f "$table"
    # shellcheck disable=SC2016  # the inner shell's
    run "$dir/slurmd" -c 'rm "$1/slurmd" && cp "$2" "$1/slurmd"
        env -i SLURM_JOB_ID=9931 SLURMD_NODENAME=n1 SLURM_CLUSTER_NAME=berth SLURM_JOB_GPUS=0 \
            SLURM_JOB_PARTITION=main SLURM_CONF="$SLURM_CONF" "$3"
        exit $?' sh "$dir" "$(readlink -f "$(command -v slurmd)")" "$PREFIX/sbin/berth-prolog"
    rm "$STATE/n1/9931.job"
    equal "$status/$output" 0/
    [[ -s $table ]] || fail "there is no table"
}

# cdi N=FILE...: a CDI specification of the test's own, in which device N is
# what FILE is, at the place of GPU N. (A hook that does not read what it is
# told fails now and then.) Docker has a specification's mounts below its own,
# so that one in /run would be hidden there.
cdi() {
    local device devices='' at=/opt/of-cdi
    [[ $BERTH_ENGINE == docker ]] || at=/run/of-cdi
    mkdir -p /run/cdi
    for device; do
        devices+=",
  {\"name\": \"${device%=*}\", \"containerEdits\": {
    \"env\": [\"OF_CDI_${device%=*}=of CDI\", \"NVIDIA_VISIBLE_DEVICES=all\"],
    \"deviceNodes\": [{\"path\": \"$GPUS/gpu${device%=*}\", \"hostPath\": \"${device#*=}\"}]}}"
    done
    cat >/run/cdi/berth-test.json <<END
{"cdiVersion": "0.5.0", "kind": "berth.example/gpu", "devices": [${devices#,}],
 "containerEdits": {
  "mounts": [{"hostPath": "/etc/os-release", "containerPath": "$at",
              "options": ["ro", "nosuid", "nodev", "bind"]}],
  "hooks": [{"hookName": "createRuntime", "path": "/bin/sh",
             "args": ["sh", "-c", "cat >$BATS_TEST_TMPDIR/hook"]}]}}
END
    policy allow=debian "$ENGINE" cdi=berth.example/gpu
}

# Docker before 25.
lacks_cdi() {
    [[ $BERTH_ENGINE == docker ]] &&
        ! curl -sS --unix-socket "${DOCKER_HOST#unix://}" http://engine/info | grep -q '"CDISpecDirs":\["'
}

@test "a GRES without a device file is a sentence, and no GPU" {
    local conf=$BATS_TEST_TMPDIR/conf table=$STATE/n1/gpus.json kept
    look -w n1 --gres=gpu:1 >/dev/null
    kept=$(sed 's/"gpus":.*//' "$table")
    cp -r "${SLURM_CONF%/*}" "$conf"
    sed -i 's/File=[^ ]*/Count=2/' "$conf/gres.conf"
    "$PREFIX/sbin/berth-gpus" --write --node=n1 --slurm-conf="$conf/slurm.conf" \
        --slurmd="$(command -v slurmd)"
    # slurmd itself does not count such a GPU.
    contains "$(cat "$table")" '"gpus":[]'
    echo "$kept\"gpus\":[]}" >"$table"
    run --separate-stderr look -w n1 --gres=gpu:1
    equal "$output" ""
    one_sentence "$stderr"
    contains "$stderr" "Slurm has no device file for GPU 0 of node n1"
}

# rules LINE...: berth.conf has these, beside what is always allowed.
rules() {
    local conf=${PLUGSTACK_CONF%/*}/berth-gpus.conf
    { echo 'allow = {debian}'; printf '%s\n' "$@"; } >"$conf"
    policy "$ENGINE" conf="$conf"
}

@test "the administrator's rules say which GPUs a container may have" {
    local conf=${PLUGSTACK_CONF%/*}/berth-gpus.conf
    rules 'gpus = no'
    run --separate-stderr look --gres=gpu:1
    equal "$output" ""
    one_sentence "$stderr"
    contains "$stderr" "GPUs cannot be had in a container, by $conf line 2"
    equal "$(look)" "0: there= opens= cuda= nvidia=void"
    # Of one user, by the same overrides as all else.
    rules 'gpus = no' 'user "berth1" {' 'gpus = yes' 'gpu_max = 1' '}'
    run look --gres=gpu:1
    [[ $output =~ ^'0: there=gpu'[01]' ' ]] || fail "$output"
    run --separate-stderr look -w n1 --gres=gpu:2
    one_sentence "$stderr"
    contains "$stderr" "no more than 1 of node n1's GPUs, and this step has 2"
    rules 'gpu_types = {a100, h100}'
    run --separate-stderr look -w n1 --gres=gpu:1
    contains "$stderr" "(type fake) cannot be had in a container: $conf line 2 allows a100, h100"
    rules 'gpu_types = {fake}' 'gpu_indices = {"0"}'
    run --separate-stderr look -w n1 --gres=gpu:2
    contains "$stderr" "GPU 1 of node n1 cannot be had in a container: $conf line 3"
    # A rule that only warns.
    rules 'gpus = no' 'mode = warn'
    run --separate-stderr look -w n1 --gres=gpu:2
    equal "$output" "0: there=gpu0 gpu1 opens=01 cuda=0,1 nvidia=void"
    contains "$stderr" "GPUs cannot be had in a container"
}

@test "a GPU that is asked for by CDI brings what its specification says" {
    local out
    cdi 0=$GPUS/gpu0 1=$GPUS/gpu1
    if lacks_cdi; then
        run --separate-stderr look --gres=gpu:1
        one_sentence "$stderr"
        contains "$stderr" "cannot give GPUs by CDI"
        return
    fi
    equal "$(look --gres=gpu:2)" "0: there=gpu0 gpu1 opens=01 cuda=0,1 nvidia=void"
    [[ -e $BATS_TEST_TMPDIR/hook ]] || fail "the hook did not run"
    out=$(as_user srun -Q --gres=gpu:2 --container=debian sh -c \
        'env | grep ^OF_CDI | sort; cmp /*/of-cdi /etc/os-release && echo mounted')
    equal "$out" $'OF_CDI_0=of CDI\nOF_CDI_1=of CDI\nmounted'
    # One GPU brings its own device and variable only, and none brings nothing.
    run look --gres=gpu:1
    [[ $output =~ ^'0: there=gpu'[01]' opens='[01]' cuda=0 nvidia=void'$ ]] || fail "$output"
    equal "$(as_user srun -Q --gres=gpu:1 --container=debian env | grep -c ^OF_CDI)" 1
    rm "$BATS_TEST_TMPDIR/hook"
    equal "$(look)" "0: there= opens= cuda= nvidia=void"
    [[ ! -e $BATS_TEST_TMPDIR/hook ]] || fail "the hook ran for a step without GPUs"
    nothing_of_step
}

# What the administrator can ask for has another word in Podman's own request.
@test "a GPU by CDI changes nothing else about a container, whatever the rules are" {
    local look conf=${PLUGSTACK_CONF%/*}/berth-gpus.conf
    look='grep -E "^(Uid|Gid|Groups|Cap.*|NoNewPrivs|Seccomp):" /proc/self/status
        umask; cat /proc/self/limits; hostname; pwd; id; ls /run /run/berth /sys/class/net
        ls /dev | grep -v berth-quickstart
        mkdir /tmp/d; chmod 0755 /tmp/d && echo may chmod
        sed "s/^[^ ]* //; s/\(lowerdir\|upperdir\|workdir\)=[^ ,]*,*//g; s/job_[0-9]*/job/; s/[0-9a-f]\{64\}/ID/" /proc/self/mounts |
            grep -v "/of-cdi " | sort
        env | grep -v -e ^SLURM -e ^OF_CDI -e VISIBLE -e ^GPU_ -e ^ZE_ | sort'
    cdi 0=$GPUS/gpu0 1=$GPUS/gpu1
    ! lacks_cdi || skip_without "a Docker with CDI"
    both_ways() {
        local without
        without=$(as_user srun -Q -w n1 --container=debian sh -c "$look" 2>&1)
        echo "$without"
        equal "$(as_user srun -Q -w n1 --gres=gpu:2 --container=debian sh -c "$look" 2>&1 |
            sed '/^of-cdi$/d')" "$without"
    }
    both_ways
    # No chmod, to know the profile by.
    echo '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["chmod", "fchmod",
        "fchmodat"], "action": "SCMP_ACT_ERRNO"}]}' >"${conf%.conf}.json"
    rules 'writable = default' 'tmp_size = "16M"' 'shm_size = "8M"' 'pids_limit = 500' \
        'networks = {none}' 'ulimits = {"nofile=100:200"}' "seccomp = \"${conf%.conf}.json\"" \
        'device_set "kmsg" { files = {"/dev/full", "/dev/kmsg"} }' 'devices = {"kmsg"}'
    policy "$ENGINE" conf="$conf" cdi=berth.example/gpu
    run both_ways
    equal "$status" 0
    contains "$output" "/ overlay rw,"
    lacks "$output" "may chmod"
    contains "$output" "size=16384k"
    contains "$output" kmsg
    [[ $output =~ Max\ open\ files\ +100\ +200\  ]] || fail "no limit"
}

@test "a CDI specification that names other devices than Slurm is found out" {
    cdi 0=$GPUS/gpu0 1=/dev/zero
    ! lacks_cdi || skip_without "a Docker with CDI"
    run --separate-stderr look --gres=gpu:2
    equal "$output" ""
    one_sentence "$stderr"
    contains "$stderr" "(it has a device $GPUS/gpu1)"
    # The GPU under another name as well.
    cdi 0=$GPUS/gpu0 1=$GPUS/gpu1
    sed -i "s|\"deviceNodes\": \[|&{\"path\": \"/dev/more\", \"hostPath\": \"$GPUS/gpu0\"}, |" \
        /run/cdi/berth-test.json
    run --separate-stderr look --gres=gpu:1
    equal "$output" ""
    contains "$stderr" "(it has a device /dev/more)"
    # Not at all.
    cdi 0=$GPUS/gpu0 1=$GPUS/gpu1
    sed -i 's|"deviceNodes": \[.*\]}}|"deviceNodes": []}}|' /run/cdi/berth-test.json
    run --separate-stderr look --gres=gpu:1
    equal "$output" ""
    contains "$stderr" "(it lacks a device, of those such as berth.example/gpu="
    nothing_of_step
}

@test "an engine that has no such CDI device is a sentence for the administrator" {
    policy allow=debian "$ENGINE" cdi=berth.example/none
    run --separate-stderr look --gres=gpu:1
    equal "$output" ""
    one_sentence "$stderr"
    if lacks_cdi; then
        contains "$stderr" "leave cdi= out"
    else
        contains "$stderr" "has no CDI device berth.example/none="
    fi
    nothing_of_step
    equal "$(look)" "0: there= opens= cuda= nvidia=void"
}

# Which these are to berth, by its table, and to the engine, by their names.
@test "NVIDIA's GPUs are asked for by CDI, if the engine has it" {
    local table=$STATE/n1/gpus.json
    cdi 0=$GPUS/gpu0 1=$GPUS/gpu1
    ! lacks_cdi || skip_without "a Docker with CDI"
    sed -i 's,berth.example/gpu,nvidia.com/gpu,; s/"name": "/&GPU-/g' /run/cdi/berth-test.json
    policy allow=debian "$ENGINE"
    look -w n1 --gres=gpu:1 >/dev/null
    sed -i 's/"vendor":0/"vendor":1/g
        s/\("index":\([01]\),[^}]*"uuid":"\)/\1GPU-\2/g' "$table"
    equal "$(look -w n1 --gres=gpu:2)" \
        "0: there=gpu0 gpu1 opens=01 cuda=0,1 nvidia=GPU-0,GPU-1"
    run look -w n1 --gres=gpu:1
    [[ $output =~ ^'0: there=gpu'([01])' opens='([01])' cuda=0 nvidia=GPU-'([01])$ ]] ||
        fail "$output"
    equal "${BASH_REMATCH[1]}${BASH_REMATCH[2]}" "${BASH_REMATCH[3]}${BASH_REMATCH[3]}"
    equal "$(look -w n1)" "0: there= opens= cuda= nvidia=void"
    nothing_of_step
}

@test "an engine without a driver for NVIDIA's GPUs is a sentence for the administrator" {
    local table=$STATE/n1/gpus.json
    look -w n1 --gres=gpu:1 >/dev/null
    sed -i 's/"vendor":0/"vendor":1/g; s/"uuid":""/"uuid":"GPU-0"/g' "$table"
    run --separate-stderr look -w n1 --gres=gpu:1
    equal "$output" ""
    one_sentence "$stderr"
    case $BERTH_ENGINE in
    docker)
        # Before 28.2, one with CDI does not say which devices it has.
        if lacks_cdi || [[ $(api GET /version | grep -o '"ApiVersion":"[^"]*') > '"ApiVersion":"1.49' ]]; then
            contains "$stderr" "install the NVIDIA Container Toolkit"
        else
            contains "$stderr" "has no CDI device nvidia.com/gpu=GPU-0"
        fi
        ;;
    podman) contains "$stderr" "has no CDI device nvidia.com/gpu=GPU-0" ;;
    esac
    nothing_of_step
}

teardown() {
    tidy
    # A test may have changed what is in there.
    rm -f "$STATE"/*/gpus.json "${PLUGSTACK_CONF%/*}"/berth-gpus.*
    [[ -e /run/cdi/berth-test.json ]] || return 0
    rm /run/cdi/berth-test.json
    rmdir --ignore-fail-on-non-empty /run/cdi
}
