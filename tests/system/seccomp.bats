#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# berth's own seccomp profile, for each system call beside the engine's. How it
# differs is in doc/seccomp.md.

load lib

# By numbers where the kernel's headers are older than the call: cachestat,
# fchmodat2, map_shadow_stack, futex_wake, futex_wait, futex_requeue; mseal, and
# the four of xattrat.
LET_THROUGH=(io_pgetevents pkey_alloc pkey_free pkey_mprotect process_vm_readv
    process_vm_writev futex_waitv cachestat fchmodat2 map_shadow_stack
    futex_wake futex_wait futex_requeue mseal setxattrat getxattrat listxattrat
    removexattrat {451..456} {462..466})
# Of what Docker lets through.
REFUSED=(io_uring_setup io_uring_enter io_uring_register 'socket(28)'
    name_to_handle_at vmsplice)

setup() {
    PROBE=$HOME1/seccomp-inside
    [[ $(uname -m) == x86_64 ]] || skip_without "an x86-64 CPU"
    install -d -o berth1 "$PROBE"
    gcc -O2 -static -o "$PROBE/probe" "$BATS_TEST_DIRNAME/seccomp.c"
}

# asked: what becomes of each call in a container, sorted.
asked() {
    as_user srun -Q --container=debian --container-mounts="$PROBE:/mnt:ro" \
        /mnt/probe | sort
}

# named: the native calls of such lines, as NAME or NAME(ARGUMENT).
named() {
    local call number argument name
    while read -r call _; do
        IFS=- read -r call number argument <<<"$call"
        [[ $call == x86_64 ]] && ((number < 1024)) || continue
        name=$(sed -n "s/^#define __NR_\([a-z0-9_]*\) $number$/\1/p" \
            /usr/include/x86_64-linux-gnu/asm/unistd_64.h)
        [[ $argument == 0 ]] || number+="($argument)" name+=${name:+"($argument)"}
        echo "${name:-$number}"
    done
}

# none_but WORDS: of the lines on standard input, none is anything else.
none_but() {
    local others
    others=$(grep -vxF -f <(printf '%s\n' "$@")) || return 0
    fail "these as well: $(tr '\n' ' ' <<<"$others")"
}

@test "seccomp = berth refuses what the engine's profile does, call by call (threat 105)" {
    local engine own call
    engine=$(asked)
    conf <<<'seccomp = berth'
    own=$(asked)
    contains "$engine" "x86_64-0-0 through"
    contains "$own" "x86_64-0-0 through"
    equal "$(wc -l <<<"$own")" "$(wc -l <<<"$engine")"
    join <(grep -v ' through$' <<<"$engine") <(grep ' through$' <<<"$own") | named |
        none_but "${LET_THROUGH[@]}"
    # Podman's lets through more than Docker's.
    [[ $BERTH_ENGINE == podman ]] ||
        join <(grep ' through$' <<<"$engine") <(grep -v ' through$' <<<"$own") | named |
        none_but "${REFUSED[@]}"
    # unshare, setns, clone with CLONE_NEWUSER and clone3.
    for call in 272-0 308-0 56-10000000 435-0; do
        contains "$own" "x86_64-$call refused"
    done
    nothing_left
}

@test "seccomp = berth lets no call of another architecture through (threat 105)" {
    local own
    conf <<<'seccomp = berth'
    own=$(asked)
    contains "$own" i386-20-0
    contains "$own" x86_64-1073741863-0     # x32's getpid
    equal "$(grep -E '^(i386|x86_64-1073)' <<<"$own" | grep -c ' through$')" 0
    nothing_left
}
