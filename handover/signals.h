// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Signal masks and dispositions as the kernel has them: 64 bits, bit N-1
// for signal N. The C library's own functions leave out signals 32 and 33,
// which it uses itself, and a program must find those as well as they were.
#ifndef BERTH_SIGNALS_H
#define BERTH_SIGNALS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SIGNALS_MAX = 64 };

static const uint64_t SIGNALS_ALL = ~(uint64_t)0;

static inline uint64_t signals_bit(int n)
{
    return (uint64_t)1 << (n - 1);
}

// Sets the mask; returns the one before.
static inline uint64_t signals_block(uint64_t mask)
{
    uint64_t old = 0;

    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, &old, sizeof(mask));
    return old;
}

// The kernel's struct sigaction, of which only the first word is looked at
// or not zero; the rest differs between architectures.
struct signals_action {
    void (*handler)(int);
    unsigned long rest[15];
};

// Which signals are ignored.
static inline uint64_t signals_ignored(void)
{
    uint64_t ignored = 0;

    for (int n = 1; n <= SIGNALS_MAX; n++) {
        struct signals_action act = {0};

        if (syscall(SYS_rt_sigaction, n, NULL, &act, sizeof(ignored)) == 0 &&
            act.handler == SIG_IGN)
            ignored |= signals_bit(n);
    }
    return ignored;
}

// Ignores signal N, or gives it its default. Pending ones go either way if
// they are ignored.
static inline void signals_set(int n, bool ignore)
{
    struct signals_action act = {.handler = ignore ? SIG_IGN : SIG_DFL};

    syscall(SYS_rt_sigaction, n, &act, NULL, sizeof(uint64_t));
}

// A descriptor from which the signals of MASK are read, which are blocked.
static inline int signals_fd(uint64_t mask)
{
    return (int)syscall(SYS_signalfd4, -1, &mask, sizeof(mask),
                        02000000 | 04000); // SFD_CLOEXEC | SFD_NONBLOCK
}

#endif
