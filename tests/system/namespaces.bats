#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# Clusters whose jobs have namespaces of their own, in each way that this
# release of Slurm knows: the tasks alone are in them, or slurmstepd as well.

# shellcheck disable=SC2154  # status is bats's
load lib

ETC=${SLURM_CONF%/*}
# Slurm wants it neither in /tmp nor in /dev/shm.
PRIVATE=${HOME1%/home/*}/private

setup_file() {
    cp -p "$PLUGSTACK_CONF" "$RESTORE"
    { cgroups; echo none; } >"$BATS_FILE_TMPDIR/cgroups"
    usual_policy
    cp -p "$SLURM_CONF" "$BATS_FILE_TMPDIR"
}
teardown_file() {
    cp -p "$BATS_FILE_TMPDIR/${SLURM_CONF##*/}" "$SLURM_CONF"
    rm -f "$ETC"/{job_container.conf,namespace.yaml}
    restart_slurm
    forget_namespaces
    restore_policy
}
# Slurm 22.05 leaves what it has mounted there.
forget_namespaces() {
    umount -l "$PRIVATE"/*/* "$PRIVATE"/* "$PRIVATE" 2>/dev/null || true
    rm -rf --one-file-system "$PRIVATE"
}
restart_slurm() {
    local daemon
    for daemon in slurmctld $(sinfo -hN -o %N | sort -u); do
        "$QUICKSTART" restart "$daemon" 3>&- 4>&-
    done
}

# cluster PLUGIN [KEY=VALUE ...]: one that gives its jobs namespaces by PLUGIN,
# tmpfs or linux, with these lines in its configuration.
cluster() {
    local key=JobContainerType=job_container/
    ! slurm_has 25.11 || key=NamespaceType=namespace/
    cp -p "$BATS_FILE_TMPDIR/${SLURM_CONF##*/}" "$SLURM_CONF"
    sed -i 's/^PrologFlags=.*/PrologFlags=Alloc,Contain/' "$SLURM_CONF"
    echo "$key$1" >>"$SLURM_CONF"
    if [[ $1 == linux ]]; then
        {
            printf 'defaults:\n  auto_base_path: true\n  base_path: "%s"\n' "$PRIVATE"
            ((${#@} == 1)) || printf '  %s\n' "${@:2}"
        } >"$ETC/namespace.yaml"
    else
        printf '%s\n' AutoBasePath=true "BasePath=$PRIVATE" "${@:2}" \
            >"$ETC/job_container.conf"
    fi
    restart_slurm
}

# Whether slurmstepd is in another mount namespace than slurmd: the node's.
stepd_is_apart() {
    local pid
    pid=$(pgrep -f "^slurmstepd: \[$JOB.0\]")
    ! [[ /proc/$pid/ns/mnt -ef /proc/self/ns/mnt ]]
}

# What holds on each of these clusters.
works() {
    local bare
    conf <<<$'mounts_allowed = {"/tmp/**:rw", "%h:rw"}\nsave = yes\narchives = yes'
    install -d -m 777 /tmp/berth-bats
    echo "the node's" >/tmp/berth-bats/file
    # The job's own files, by /tmp, as the working directory, and by name.
    run as_user salloc -Q -w n1 -n2 bash -c '
        srun -Q -n1 sh -c "mkdir /tmp/berth-bats; echo bare >/tmp/berth-bats/file"
        srun -Q -n1 --container=debian sh -c "cat /tmp/berth-bats/file; echo in >/tmp/inside"
        srun -Q -n1 cat /tmp/inside
        srun -Q -n1 --chdir=/tmp/berth-bats --container=debian cat file
        srun -Q -n1 --container=debian --container-mounts=/tmp/berth-bats:/mnt cat /mnt/file
        srun -Q -n2 --container=debian sh -c "echo \$SLURM_PROCID" | sort
        srun -Q -n1 --container=debian --container-save=/tmp/berth-bats/saved.tar true 2>/dev/null
        srun -Q -n1 ls /tmp/berth-bats'
    equal "$(ls -A /tmp/berth-bats)" file
    rm -r /tmp/berth-bats
    equal "$status" 0
    equal "$output" $'bare\nin\nbare\nbare\n0\n1\nfile\nsaved.tar'
    # What is the node's alone is none.
    touch /tmp/berth-bats-node
    run --separate-stderr as_user srun -w n1 --container=debian \
        --container-mounts=/tmp/berth-bats-node:/mnt true
    rm /tmp/berth-bats-node
    refused "there is no /tmp/berth-bats-node"
    # Who and where, exit statuses, signals.
    alike -w n1 -n2 sh -c 'id; pwd; ulimit -a'
    run as_user srun -Q -w n1 --container=debian sh -c 'exit 7'
    equal "$status" 7
    start_step -w n1 --container=debian sh -c "$(waiter 'trap "echo term; exit 3" TERM')"
    scancel "$JOB"
    await_step
    cat >"$HOME1/job.sh" <<'END'
#!/bin/sh
#SBATCH --container=debian --output=job.out
echo batch >/tmp/batch
test "$(id -un)" = berth1 && cat /tmp/batch
END
    run_batch job.sh
    equal "$(cat "$HOME1/job.out")" batch
    # A terminal, wherever slurmstepd has made it.
    run as_user script -qec 'srun -Q --pty --container=debian sh -c "tty; readlink /proc/self/fd/0; test -t 0"' /dev/null
    equal "$status" 0
    # What a berth-stepd has left that was killed goes with the step.
    start_step -w n1 --container=debian sh -c "$(waiter)"
    # The last step's may be at work yet.
    kill_stepds
    await_step
    nothing_left
}

@test "namespace/tmpfs: the tasks are in a mount namespace of the job's (threat 113)" {
    cluster tmpfs
    works
}

@test "namespace/tmpfs with Shared: likewise" {
    slurm_has 23.02 || skip_without "a Slurm that has it (23.02)"
    cluster tmpfs Shared=true
    works
}

@test "namespace/tmpfs with EntireStepInNS: slurmstepd is in it as well" {
    slurm_has 24.11 || skip_without "a Slurm that has it (24.11)"
    cluster tmpfs EntireStepInNS=true
    start_step -w n1 --container=debian sh -c "$(waiter)"
    stepd_is_apart
    scancel "$JOB"
    await_step
    works
    cluster tmpfs EntireStepInNS=true Shared=true
    works
}

@test "namespace/linux: likewise" {
    slurm_has 25.11 || skip_without "a Slurm that has it (25.11)"
    cluster linux
    start_step -w n1 --container=debian sh -c "$(waiter)"
    stepd_is_apart
    scancel "$JOB"
    await_step
    works
    cluster linux 'shared: true'
    works
}

@test "namespace/linux with a pid namespace: processes have other numbers there" {
    slurm_has 25.11 || skip_without "a Slurm that has it (25.11)"
    cluster linux 'clone_ns_flags: [ "CLONE_NEWPID" ]'
    works
}

@test "namespace/linux with a user namespace: root there is not the node's" {
    slurm_has 25.11 || skip_without "a Slurm that has it (25.11)"
    cluster linux 'clone_ns_flags: [ "CLONE_NEWUSER" ]'
    works
    cluster linux 'clone_ns_flags: [ "CLONE_NEWPID", "CLONE_NEWUSER" ]'
    works
}

# connect TO: says whether that can be connected to.
CONNECT='import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.connect(sys.argv[1])
s.settimeout(10)
print("closed" if s.recv(1) == b"" else "heard")'

@test "berth-starter takes words from root alone, and ends with slurmd (threat 112)" {
    local socket pid
    cluster tmpfs
    pid=$(pgrep -fo "slurmd -D -N n1 ")
    socket=$STATE/.starter.$pid
    [[ -S $socket ]] || fail "it does not listen at $socket"
    equal "$(stat -c '%a %u' "$socket")" '600 0'
    # The socket's mode keeps others out; without it, the kernel's word does,
    # which knows no root of another user namespace's making.
    run as_user /usr/bin/python3 -c "$CONNECT" "$socket"
    contains "$output" PermissionError
    chmod 666 "$socket"
    run as_user /usr/bin/python3 -c "$CONNECT" "$socket"
    equal "$output" closed
    run as_user unshare -r /usr/bin/python3 -c "$CONNECT" "$socket"
    equal "$output" closed
    chmod 600 "$socket"
    # Who says nothing keeps nobody waiting.
    /usr/bin/python3 -c "$CONNECT" "$socket" >/dev/null 3>&- 4>&- &
    equal "$(as_user srun -Q -w n1 --container=debian echo ran)" ran
    wait "$!"
    # A step goes on without slurmd, which another replaces.
    start_step -w n1 --container=debian sh -c "$(waiter)"
    kill -KILL "$pid"
    poll "$SOON" test ! -e "$socket"
    "$QUICKSTART" restart n1 3>&- 4>&-
    equal "$(as_user srun -Q --jobid="$JOB" --overlap -w n1 --container=debian echo ran)" ran
    scancel "$JOB"
    await_step
    # What one that was killed has left, the next one removes.
    pid=$(pgrep -fo "slurmd -D -N n1 ")
    kill -KILL "$(pgrep -f "^berth-starter .*\.$pid$")"
    run --separate-stderr as_user srun -w n1 --container=debian true
    refused "n1" "restart slurmd"
    "$QUICKSTART" restart n1 3>&- 4>&-
    poll "$SOON" test ! -e "$STATE/.starter.$pid"
    equal "$(as_user srun -Q -w n1 --container=debian echo ran)" ran
    nothing_left
    # What is in memory alone is not there yet when slurmd starts.
    mv "$STATE" "$STATE.was"
    "$QUICKSTART" restart n1 3>&- 4>&-
    poll "$SOON" test -e "$STATE"
    equal "$(stat -c '%U %a' "$STATE")" "root 711"
    equal "$(as_user srun -Q -w n1 --container=debian echo ran)" ran
    nothing_left
    rm -r "$STATE"
    mv "$STATE.was" "$STATE"
}
