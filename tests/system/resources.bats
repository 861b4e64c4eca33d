#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# How much memory and how many CPUs a program believes to have.

# shellcheck disable=SC2154  # output and stderr are bats's
# shellcheck disable=SC2016  # the task's shell expands it
load lib

# What a task reads of its own cgroups where /proc/self/cgroup says that they
# are, and of those of its step and job above.
OWN='while IFS=: read -r _ controllers path; do
    dir=/sys/fs/cgroup/${controllers#name=}
    while case $path in */job_*) ;; *) false ;; esac; do
        for file in memory.limit_in_bytes memory.max cpuset.cpus cpuset.mems cpu.max devices.list; do
            [ ! -r $dir$path/$file ] || echo $controllers ${path##*/job_} $file $(head -n1 $dir$path/$file)
        done
        [ ! -r $dir$path/memory.stat ] || echo $(grep -w hierarchical_memory_limit $dir$path/memory.stat)
        path=${path%/*}
    done
done </proc/self/cgroup | sed -E "s,^([^ ]* |)$SLURM_JOB_ID([ /]),\1N\2,; s,/step_$SLURM_STEP_ID,/step_N,"'

@test "a task reads its own cgroups where /proc/self/cgroup says, as bare" {
    alike -n1 -w n1 --mem=400 sh -c "$OWN"
    contains "$BARE" "$((400 << 20))"
}

@test "each of several tasks, and a batch script, reads its own" {
    local script=$HOME1/resources.sh
    alike -n2 -w n1 --mem=300 sh -c "$OWN"
    contains "$BARE" "$((300 << 20))"
    printf '#!/bin/sh\n%s\n' "$OWN" >"$script"
    run_batch -w n1 --mem=200 -o "$HOME1/resources.out" --container=debian "$script"
    output=$(cat "$HOME1/resources.out")
    rm -f "$HOME1"/resources.*
    contains "$output" "$((200 << 20))"
}

@test "/proc/self/cgroup says what it says bare" {
    run as_user srun -Q -w n1 cat /proc/self/cgroup
    local bare
    bare=$(sed -E 's/job_[0-9]+/job_N/' <<<"$output")
    run as_user srun -Q -w n1 --container=debian cat /proc/self/cgroup
    equal "$(sed -E 's/job_[0-9]+/job_N/' <<<"$output")" "$bare"
}

@test "nothing of others' cgroups is shown, and nothing can be written (threat 31)" {
    local other
    start_step -w n1 sh -c 'echo ready $SLURM_JOB_ID; exec sleep 4712'
    other=$JOB
    run as_user srun -Q -w n1 --overlap --container=debian sh -c '
        [ -e /sys/fs/cgroup/cgroup.procs ] && depth=2 || depth=3
        find /sys/fs/cgroup -mindepth $depth -name cgroup.procs ! -path "*/job_$SLURM_JOB_ID/*"
        find /sys/fs/cgroup -writable ! -type l
        for f in $(find /sys/fs/cgroup -name cgroup.procs); do echo 0 >$f; done 2>/dev/null && echo written
        for d in $(find /sys/fs/cgroup -type d); do mkdir $d/x 2>/dev/null && echo made in $d; done
        find /sys/fs/cgroup -name "job_$SLURM_JOB_ID" | grep -q . && echo own'
    scancel "$other"
    equal "$output" own
    nothing_left
}

@test "nproc counts CPUs as bare" {
    alike -n1 -w n1 -c1 nproc
    alike -n1 -w n1 -c2 nproc
}

# runtime NAME FILE ...: an image of the node's FILES, and the libraries that
# they need.
runtime() {
    local root=$BATS_TEST_TMPDIR/root file
    mkdir "$root"
    tar -C "$root" -xf "${PREFIX%/*}/images/debian.tar"
    for file in "${@:2}"; do
        install -d "$root${file%/*}"
        # Some of a JDK's files lead to nowhere.
        cp -rL "$file" "$root$file" 2>/dev/null || true
    done
    while read -r file; do
        [[ -e $root$file ]] || install -D "$file" "$root$file"
    done < <(find "${@:2}" -type f \( -perm /111 -o -name '*.so*' \) -exec ldd {} + 2>/dev/null |
        awk '$2 == "=>" && $3 ~ "^/" { print $3 }' | sort -u)
    image "berth/$1" "$root"
    rm -rf "$root"
}

# as_bare IMAGE COMMAND: says the same with 400 MiB and one CPU.
as_bare() {
    run as_user srun -Q -w n1 -n1 -c1 --mem=400 sh -c "$2"
    local bare=$status/$output
    run as_user srun -Q -w n1 -n1 -c1 --mem=400 --container="berth/$1" sh -c "$2"
    equal "$status/$output" "$bare"
    equal "$status" 0
}

@test "a JVM gives itself a heap as bare" {
    local java
    java=$(readlink -f "$(command -v java)") || skip_without java
    runtime java "${java%/bin/*}"/{bin,lib,conf}
    as_bare java "$java -XX:+PrintFlagsFinal -version 2>/dev/null |
        grep -E ' (MaxHeapSize|ParallelGCThreads|CICompilerCount|UseSerialGC) '"
    local heap
    heap=$(awk '$2 == "MaxHeapSize" { print $4 }' <<<"$output")
    ((heap > 0 && heap < 400 << 20)) || fail "its heap has $heap bytes"
}

@test "Node knows its memory and CPUs as bare" {
    local node
    node=$(readlink -f "$(command -v node)") || skip_without node
    runtime node "$node"
    as_bare node "NODE_EXTRA_CA_CERTS= $node -p '[process.constrainedMemory(),
        v8.getHeapStatistics().heap_size_limit, os.availableParallelism()].join()'"
}

@test "Python knows its memory and CPUs as bare" {
    local python
    python=$(readlink -f /usr/bin/python3) || skip_without python3
    runtime python "$python" /usr/lib/python3*
    as_bare python "$python -c '
import os
print(len(os.sched_getaffinity(0)), os.cpu_count())
for line in open(\"/proc/self/cgroup\"):
    _, name, path = line.strip().split(\":\", 2)
    if name in (\"memory\", \"\") and \"/job_\" in path:
        dir = \"/sys/fs/cgroup/\" + name + path
        print(os.listdir(dir), [l for l in open(dir + \"/memory.stat\") if \"limit\" in l])'"
}
