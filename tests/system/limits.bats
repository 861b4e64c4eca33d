#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# Limits and placement: each test compares a bare step with one in a
# container.

# shellcheck disable=SC2153,SC2154  # status and stderr are bats's
load lib

@test "every limit, soft and hard, is as bare, and with --propagate too" {
    local script words
    # No engine gives more processes than there can be.
    script="awk -v most=$(cat /proc/sys/kernel/pid_max) '
        /^Max processes/ { for (i = 3; i < 5; i++) if (\$i == \"unlimited\" || \$i > most) \$i = most } { \$1 = \$1 } 1' /proc/self/limits"
    for words in --propagate=ALL --propagate=NONE --propagate=MEMLOCK,NOFILE; do
        alike "$words" sh -c "$script"
    done
    contains "$BARE" "Max locked memory"
    limited() {
        as_user bash -c 'ulimit -Sn 300; ulimit -Hn 400; ulimit -l 64; ulimit -Hc 7; ulimit -Sv 3000000; "$@"' - "$@"
    }
    equal "$(limited srun --container=debian sh -c "$script")" "$(limited srun sh -c "$script")"
    contains "$(limited srun --container=debian sh -c "$script")" 65536
}

@test "a memory-locking program gets as much as bare" {
    local script='my $n = 1 << 20; my $x = "x" x $n; print syscall(149, $x, $n) == 0 ? "locked" : "refused $!"'
    alike --propagate=ALL perl -e "$script"
    run as_user bash -c 'ulimit -l 64; srun -Q --container=debian perl -e "$1"' - "$script"
    contains "$output" refused
}

@test "CPUs are those of --cpu-bind in each of its forms" {
    local both
    (($(nproc --all) > 1)) || skip_without "a second CPU"
    # shellcheck disable=SC2016
    both=$(allocation '
        show="grep Cpus_allowed_list /proc/self/status | sed \"s/^/\$SLURM_PROCID /\""
        for o in "" --container=debian; do
            for bind in none rank map_cpu:1,0 mask_cpu:0x2,0x1 cores threads ldoms; do
                echo "$bind"
                srun -Q -N1 -n2 -w n1 --cpu-bind=$bind $o sh -c "$show" 2>&1 | sort
            done
            srun -Q -N1 -n2 -c2 -w n1 --hint=nomultithread $o sh -c "$show" 2>&1 | sort
            echo ----
        done')
    equal "$(awk '/^----/ { n++; next } n == 1' <<<"$both")" "$(awk '/^----/ { n++; next } n < 1' <<<"$both")"
    (($(grep -c Cpus_allowed <<<"$both") >= 16)) || fail "$both"
}

@test "memory is bound as --mem-bind says, or the step is refused with the reason" {
    local bare
    [[ -e /proc/self/numa_maps ]] || skip_without "a kernel that knows NUMA"
    bare=$(as_user srun -Q --mem-bind=map_mem:0 awk 'NR == 1 { print $2 }' /proc/self/numa_maps)
    equal "$bare" bind:0
    alike --mem-bind=none awk 'NR == 1 { print $2 }' /proc/self/numa_maps
    run --separate-stderr as_user srun --mem-bind=map_mem:0 --container=debian \
        awk 'NR == 1 { print $2 }' /proc/self/numa_maps
    if [[ $BERTH_ENGINE == podman ]]; then
        equal "$output" "$bare"
        equal "$status" 0
    else
        # Docker's own seccomp profile does not let a program do it.
        equal "$status" 125
        refused --mem-bind
    fi
    nothing_left
}

@test "each task's memory and CPU time are its own to Slurm" {
    local seen
    start_step -n2 -N1 --mem=400M --acctg-freq=task=1 --container=debian perl -e '
        $| = 1; $x = "x" x ($ENV{SLURM_PROCID} ? 10_000_000 : 120_000_000);
        my $end = time + 3; 1 while $ENV{SLURM_PROCID} && time < $end;
        print "ready $ENV{SLURM_JOB_ID}\n"; sleep 1000'
    poll "$SOON" ready 2
    # Task 0 has the memory, and task 1 the work.
    # shellcheck disable=SC2329
    told() {
        seen=$(sstat -anP --noconvert -o MaxRSSTask,MaxRSS,MinCPUTask -j "$JOB.0")
        [[ $seen == 0\|*\|0 && $(cut -d'|' -f2 <<<"$seen") -gt 100000000 ]]
    }
    poll "$SOON" told || fail "sstat says: $seen"
    scancel "$JOB"
    await_step
    nothing_left
}

@test "a core dump lands where a bare one does" {
    local script='ulimit -c unlimited; cd dumps; cp "$(command -v sh)" ./dumper; ./dumper -c "kill -SEGV \$\$"; echo "$?"'
    dumps() {
        as_user mkdir dumps
        # With the shell's own limit: Slurm has passed the submitter's on.
        as_user bash -c 'ulimit -c unlimited; srun -Q "$@"' - "$@" sh -c "$script" 2>/dev/null
        find "$HOME1/dumps" -name '*core*' -size +10k -printf '%u\n'
        rm -r "$HOME1/dumps"
    }
    [[ $(cat /proc/sys/kernel/core_pattern) != \|* ]] || skip_without "core files: its kernel pipes them to a program"
    equal "$(dumps --container=debian)" "$(dumps)"
    equal "$(dumps --container=debian)" $'139\nberth1'
}

@test "umask and nice are as bare" {
    local bare
    bare=$(as_user bash -c 'umask 037; nice -n 7 srun -Q sh -c "umask; nice; cat /proc/self/oom_score_adj"')
    equal "$(as_user bash -c 'umask 037; nice -n 7 srun -Q --container=debian sh -c "umask; nice; cat /proc/self/oom_score_adj"')" "$bare"
    contains "$bare" 0037
}
