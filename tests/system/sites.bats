#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# A cluster that is configured otherwise: private directories for each job
# (job_container/tmpfs), an extern step, preemption by partition.

# shellcheck disable=SC2154  # status is bats's
load lib

ETC=${SLURM_CONF%/*}
# Slurm wants it neither in /tmp nor in /dev/shm.
PRIVATE=${HOME1%/home/*}/private

# What is in all files' setup_file, and a configuration of our own.
setup_file() {
    cp -p "$PLUGSTACK_CONF" "$RESTORE"
    { cgroups; echo none; } >"$BATS_FILE_TMPDIR/cgroups"
    usual_policy
    cp -p "$SLURM_CONF" "$BATS_FILE_TMPDIR"
    sed -i 's/^PrologFlags=.*/PrologFlags=Alloc,Contain,X11/
        s/ CPUs=16 / CPUs=16 Sockets=1 CoresPerSocket=8 ThreadsPerCore=2 /' "$SLURM_CONF"
    cat >>"$SLURM_CONF" <<END
JobContainerType=job_container/tmpfs
TaskProlog=$ETC/task-prolog
PreemptType=preempt/partition_prio
PreemptMode=SUSPEND,GANG
SchedulerTimeSlice=5
PartitionName=urgent Nodes=ALL MaxTime=INFINITE PriorityTier=10
PartitionName=requeued Nodes=ALL MaxTime=INFINITE PreemptMode=REQUEUE
PartitionName=cancelled Nodes=ALL MaxTime=INFINITE PreemptMode=CANCEL
PartitionName=suspended Nodes=ALL MaxTime=INFINITE PreemptMode=SUSPEND
END
    printf "AutoBasePath=true\nBasePath=%s\n" "$PRIVATE" >"$ETC/job_container.conf"
    cat >"$ETC/task-prolog" <<'END'
#!/bin/sh
echo "export TASK_PROLOG=$SLURM_PROCID"
mkdir -p "/tmp/of-$SLURM_PROCID"
echo "export TMPDIR=/tmp/of-$SLURM_PROCID"
echo "unset TO_UNSET"
[ -z "$TO_PRINT" ] || echo "print $TO_PRINT $SLURM_PROCID"
END
    chmod 755 "$ETC/task-prolog"
    restart_slurm
}
teardown_file() {
    cp -p "$BATS_FILE_TMPDIR/${SLURM_CONF##*/}" "$SLURM_CONF"
    rm -f "$ETC"/{job_container.conf,task-prolog}
    restart_slurm
    umount -l "$PRIVATE"/*/* "$PRIVATE"/* "$PRIVATE" 2>/dev/null || true
    rm -rf --one-file-system "$PRIVATE"
    unmap_ids
    restore_policy
}
teardown() {
    [[ -z ${X_SERVER-} ]] || kill "$X_SERVER"
    tidy
}
restart_slurm() {
    local daemon
    for daemon in slurmctld $(sinfo -hN -o %N | sort -u); do
        "$QUICKSTART" restart "$daemon" 3>&- 4>&-
    done
}

@test "/tmp and /dev/shm are the job's own, and the node's are out of reach (threat 14)" {
    local dir
    echo "the node's" >/tmp/berth-bats
    echo "the node's" >/dev/shm/berth-bats
    run as_user salloc -Q -w n1 -n2 bash -c '
        srun -Q -n1 sh -c "echo bare >/tmp/bare; echo bare >/dev/shm/bare"
        srun -Q -n1 --container=debian sh -c "cat /tmp/bare /dev/shm/bare; echo inside >/tmp/inside"
        srun -Q -n1 cat /tmp/inside
        srun -Q -n2 --container=debian sh -c "ls /tmp /dev/shm"'
    rm /tmp/berth-bats /dev/shm/berth-bats
    equal "$status" 0
    equal "$(sed -n 1,3p <<<"$output")" $'bare\nbare\ninside'
    lacks "$output" berth-bats
    # Another job's are others.
    run as_user srun -Q -w n1 --container=debian sh -c 'ls /tmp /dev/shm'
    lacks "$output" bare
    for dir in /tmp /dev/shm; do
        run as_user srun -Q --container=debian awk -v d="$dir" '$2 == d { print $4 }' /proc/mounts
        contains "${lines[-1]}" nosuid
        contains "${lines[-1]}" nodev
    done
    # Also over what the user has mounted there.
    for dir in /tmp /var/tmp; do
        as_user srun -Q --container=debian --container-mounts="$HOME1:$dir" true
    done
    nothing_left
}

@test "a working directory in the job's /tmp is that, and not the node's of the same name (threat 14)" {
    install -d -m 777 /tmp/berth-bats-dir
    touch /tmp/berth-bats-dir/the-nodes
    run as_user salloc -Q -w n1 -n2 bash -c '
        srun -Q -n1 sh -c "mkdir /tmp/berth-bats-dir; touch /tmp/berth-bats-dir/the-jobs"
        cd /tmp/berth-bats-dir
        srun -Q --container=debian sh -c "pwd; ls"'
    rm -r /tmp/berth-bats-dir
    contains "$output" $'/tmp/berth-bats-dir\nthe-jobs'
    lacks "$output" the-nodes
    nothing_left
}

@test "who is root inside shares the job's /tmp as the user that he is outside (threat 108)" {
    map_ids
    root_conf
    run -0 as_user salloc -Q -n1 bash -c '
        srun -Q -n1 sh -c "echo bare >/tmp/bare; chmod 600 /tmp/bare"
        srun -Q -n1 --container=debian --container-root sh -c "
            cat /tmp/bare; stat -c %u /tmp/bare; for d in /tmp /dev/shm; do
            echo x >\$d/of-root; chown 7 \$d/of-root 2>/dev/null; done; :"
        srun -Q -n1 stat -c "%U %n" /tmp/of-root /dev/shm/of-root'
    equal "$output" "bare
0
berth1 /tmp/of-root
berth1 /dev/shm/of-root"
    nothing_left
}

@test "a batch script in a container shares the job's /tmp with the job's steps" {
    cat >"$HOME1/job.sh" <<'END'
#!/bin/sh
#SBATCH --container=debian --output=job.out
echo batch >/tmp/batch
while ! test -e /tmp/step; do sleep 0.1; done
END
    JOB=$(as_user sbatch --parsable job.sh)
    poll "$SOON" job_is "$JOB" RUNNING
    run as_user srun -Q --jobid="$JOB" --overlap --container=debian \
        sh -c 'while ! test -e /tmp/batch; do sleep 0.1; done; cat /tmp/batch; touch /tmp/step'
    equal "$output" batch
    poll "$SOON" job_is "$JOB" COMPLETED
    nothing_left
}

@test "what TaskProlog exports, unsets and prints is as bare, TMPDIR included" {
    local bare script='echo "$SLURM_PROCID $TASK_PROLOG $TMPDIR"'
    bare=$(as_user srun -Q -n3 -N1 sh -c "$script" | sort)
    equal "$(as_user srun -Q -n3 -N1 --container=debian sh -c "$script" | sort)" "$bare"
    equal "${bare##*$'\n'}" '2 2 /tmp/of-2'
    export TO_UNSET=here TO_PRINT='the prolog of'
    alike -n2 -N1 sh -c 'echo "$SLURM_PROCID ${TO_UNSET-unset}"'
    unset TO_UNSET TO_PRINT
    equal "$(sort <<<"$BARE")" $'0 unset\n1 unset\nthe prolog of 0\nthe prolog of 1'
    # slurmstepd makes the first task's.
    run as_user srun -Q --container=debian sh -c 'touch "$TMPDIR/file" && echo usable'
    equal "$output" usable
}

@test "with hyperthreads, CPUs are those of --cpu-bind and --hint as bare" {
    local both
    both=$(as_user salloc -Q -w n1 -n16 --mem=1000 bash -c '
        show="echo \"\$SLURM_PROCID \$(grep Cpus_allowed_list /proc/self/status) \$(env | grep -E ^SLURM_CPU_BIND | sort | xargs)\""
        for o in "" --container=debian; do
            # The machine may have no more than one core of two threads.
            for words in -n2\ --cpu-bind={threads,cores,sockets,rank} -n2\ --hint=multithread \
                -n1\ --{hint=nomultithread,threads-per-core=1,ntasks-per-core=1}; do
                echo "$words"
                srun -Q $words $o sh -c "$show" 2>&1 | sort
            done
            echo ----
        done')
    equal "$(awk '/^----/ { n++; next } n == 1' <<<"$both")" "$(awk '/^----/ { n++; next } n < 1' <<<"$both")"
    (($(grep -c Cpus_allowed <<<"$both") == 26)) || fail "$both"
    contains "$both" SLURM_CPU_BIND_TYPE=
    nothing_left
}

# x_server: starts an X server, which wants a cookie. Sets X_SERVER (its pid)
# and DISPLAY.
x_server() {
    local auth=$BATS_TEST_TMPDIR/xauth cookie=00112233445566778899aabbccddeeff
    xauth -q -f "$auth" add :0 . "$cookie" 2>/dev/null
    Xvfb -displayfd 5 -auth "$auth" -nolisten tcp -screen 0 64x64x24 \
        5>"$BATS_TEST_TMPDIR/display" >/dev/null 2>&1 3>&- 4>&- &
    X_SERVER=$!
    poll "$SOON" grep -q . "$BATS_TEST_TMPDIR/display" || fail "no X server came up"
    export DISPLAY
    DISPLAY=:$(cat "$BATS_TEST_TMPDIR/display")
    as_user xauth -q add "$DISPLAY" . "$cookie" 2>/dev/null
}

# An image with a real client of X's, which is the node's own.
x_image() {
    local root=$BATS_TEST_TMPDIR/x11 file
    mkdir "$root"
    for file in /usr/bin/xdpyinfo $(ldd /usr/bin/xdpyinfo | grep -o '/[^ ]*'); do
        install -D "$file" "$root/$file"
    done
    image berth/x11 "$root"
}

# display SRUN'S WORDS: what a step sees of its display.
display() {
    as_user srun -Q "$@" /usr/bin/xdpyinfo 2>&1 |
        sed 's/localhost:[0-9.]*/localhost:N/; /^  visual:/,$d'
}

@test "X11 forwarding reaches into a container, as bare" {
    local words
    x_server
    x_image
    for words in '--x11' '--x11 --container-network=host' '--x11=first'; do
        prints_alike "--container=berth/x11 ${words#"${words%% *}"}" display "${words%% *}"
        contains "$BARE" $'name of display:    localhost:N\nversion'
        contains "$BARE" '64x64 pixels'
    done
    # Asked for by salloc, for all its steps; each node has a display. With 26.05
    # two nodes on one host can be in each other's way, bare as well.
    local nodes=2
    ! slurm_has 26.05 || nodes=1
    run as_user salloc -Q --x11 -N"$nodes" bash -c '
        srun -Q /usr/bin/xdpyinfo; srun -Q --container=berth/x11 /usr/bin/xdpyinfo; srun -Q /usr/bin/xdpyinfo'
    equal "$(grep -c 'name of display:    localhost:' <<<"$output")" $((3 * nodes))
    equal "$(grep 'name of display' <<<"$output" | sort -u | wc -l)" $nodes
    # The cookie cannot be changed, and is the only file that comes along.
    run as_user srun -Q --x11 --container=debian sh -c 'ls -lA "$XAUTHORITY" "${XAUTHORITY%/*}"; : >>"$XAUTHORITY"'
    contains "$output" Read-only
    equal "$(grep -c Xauthority <<<"$output")" 3
    # Elsewhere there is no display.
    conf <<<'networks = {"host", "none"}'
    run --separate-stderr as_user srun --x11 --container=berth/x11 --container-network=none /usr/bin/xdpyinfo
    refused --x11 "network none"
    rm "$BERTH_CONF"
    rm "$HOME1/.Xauthority"
    nothing_left
}

@test "what only looks like the file for X11 is not mounted (threat 16)" {
    local tmp
    tmp=${HOME1%/home/*}/tmp/n1
    as_user touch secret
    as_user ln -s "$HOME1/secret" "$tmp/.Xauthority-link"
    as_user mkdir "$tmp/.Xauthority-dir"
    export XAUTHORITY
    for XAUTHORITY in "$tmp"/.Xauthority-{link,dir}; do
        run --separate-stderr as_user srun -Q -w n1 --container=debian echo ran
        refused "$XAUTHORITY"
    done
    for XAUTHORITY in "$HOME1/secret" "$tmp/../n1/.Xauthority-link" "$tmp/.Xauthority-dir/file"; do
        run as_user srun -Q -w n1 --chdir=/ --container=debian sh -c 'cat "$XAUTHORITY" || echo absent'
        contains "$output" absent
    done
    unset XAUTHORITY
    rm -r "$HOME1/secret" "$tmp"/.Xauthority-{link,dir}
    nothing_left
}

# preempted PARTITION STATE: what a job with a container prints and how Slurm
# calls it when a more urgent one wants its nodes.
preempted() {
    local urgent
    cat >"$HOME1/job.sh" <<END
#!/bin/sh
#SBATCH -N2 --exclusive --requeue --open-mode=append --output=preempted.out -p $1 $2
trap 'echo term' TERM
echo "run \${SLURM_RESTART_COUNT:-0}"
sleep 4730 & wait
sleep 1
END
    JOB=$(as_user sbatch --parsable job.sh)
    poll "$SOON" grep -q 'run 0' "$HOME1/preempted.out"
    poll "$SOON" sleeps 4730
    urgent=$(as_user sbatch --parsable -p urgent -N2 --exclusive --output=/dev/null --wrap 'sleep 1')
    poll 30 job_is "$urgent" COMPLETED
    poll "$SOON" no_sleeper 4730 || fail "it goes on"
    job_says "$JOB" JobState
    job_says "$JOB" Restarts
    scancel "$JOB"
    grep -v -e slurmstepd -e 'DUE TO PREEMPTION' "$HOME1/preempted.out"
    rm "$HOME1"/{preempted.out,job.sh}
}

@test "a preempted job is requeued or cancelled, as bare" {
    for partition in requeued cancelled; do
        prints_alike --container=debian preempted "$partition"
    done
    nothing_left
}

@test "a job that a more urgent one suspends stops with all its processes, and goes on after it, as bare" {
    local words urgent
    for words in '' --container=debian; do
        { echo '#!/bin/bash'; counting_program; } >"$HOME1/job.sh"
        # shellcheck disable=SC2086
        JOB=$(as_user sbatch --parsable -p suspended -N2 -n32 --mem=100 --output=job.out $words job.sh)
        poll "$SOON" grep -q ready "$HOME1/job.out"
        poll "$SOON" all_count
        urgent=$(as_user sbatch --parsable -p urgent -N2 -n32 --mem=100 --output=/dev/null --wrap 'sleep 1000')
        poll 30 job_is "$JOB" SUSPENDED || fail "Slurm calls it $(job_says "$JOB" JobState)"
        poll 30 job_is "$urgent" RUNNING
        poll "$SOON" none_counts || fail "something goes on"
        sleep 1
        none_counts || fail "something went on again"
        scancel "$urgent"
        poll 30 job_is "$JOB" RUNNING || fail "Slurm calls it $(job_says "$JOB" JobState)"
        poll "$SOON" all_count || fail "not all go on"
        scancel "$JOB"
        ends_as CANCELLED
        nothing_left
        rm "$HOME1"/{daemon,child,program}.out
    done
}
