// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// For User-mode Linux (tests/vm), which is given this by LD_PRELOAD.
//
// Its clock goes slower than the machine's, by the factor UML_SLOWER: what has
// a time limit in it is not late for what else the machine does.
//
// It keeps a process's vector registers in an area that is made for AVX, and
// the kernel below takes them all or none: on a CPU that has more (AVX-512,
// AMX) it ends with its first process. So what goes beyond its area is kept
// here, by the area's address.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { SLOTS = 1 << 16, TRIES = 64, SIZE = 16384 };

static struct slot {
    void *area;
    size_t len;
    char all[SIZE];
} * slots[SLOTS], first;

// The slot of AREA. Where there is none, a new one if MAKE, else NULL.
static struct slot *slot_of(void *area, int make)
{
    size_t at = (size_t)area / 64 * 0x9E3779B97F4A7C15UL >> 48;
    struct slot **s;

    for (int i = 0; i < TRIES; i++) {
        s = &slots[(at + (size_t)i) % SLOTS];
        if (*s && (*s)->area == area)
            return *s;
        if (!*s)
            break;
    }
    if (!make)
        return NULL;
    if (!*s && !(*s = malloc(sizeof(**s))))
        abort();
    (*s)->area = area;
    return *s;
}

static long get(long pid, struct iovec *into)
{
    // Not on the stack, of which there is a page.
    static char all[SIZE];
    struct iovec whole = {all, sizeof(all)};

    if (syscall(SYS_ptrace, PTRACE_GETREGSET, pid, NT_X86_XSTATE, &whole) < 0)
        return -1;
    struct slot *s = slot_of(into->iov_base, 1);
    s->len = whole.iov_len;
    memcpy(s->all, all, s->len);
    if (!first.len)
        memcpy(&first, s, sizeof(first));
    if (into->iov_len > s->len)
        into->iov_len = s->len;
    memcpy(into->iov_base, all, into->iov_len);
    return 0;
}

static long set(long pid, const struct iovec *from)
{
    static char all[SIZE];
    const struct slot *s = slot_of(from->iov_base, 0);

    // A copy, as of a process that has forked, has what is in its area.
    if (!s)
        s = &first;
    memcpy(all, s->all, s->len);
    memcpy(all, from->iov_base,
           from->iov_len < s->len ? from->iov_len : s->len);
    struct iovec whole = {all, s->len};
    return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, NT_X86_XSTATE, &whole);
}

long ptrace(enum __ptrace_request request, ...)
{
    va_list args;

    va_start(args, request);
    long pid = va_arg(args, pid_t);
    void *addr = va_arg(args, void *);
    void *data = va_arg(args, void *);
    va_end(args);
    if ((size_t)addr == NT_X86_XSTATE && request == PTRACE_GETREGSET)
        return get(pid, data);
    if ((size_t)addr == NT_X86_XSTATE && request == PTRACE_SETREGSET)
        return set(pid, data);
    if (request == PTRACE_PEEKTEXT || request == PTRACE_PEEKDATA ||
        request == PTRACE_PEEKUSER) {
        // The system call has the word where libc's has its return value.
        long word = -1;
        long rc = syscall(SYS_ptrace, request, pid, addr, &word);
        return rc < 0 ? rc : word;
    }
    return syscall(SYS_ptrace, request, pid, addr, data);
}

static long slower(void)
{
    static long factor;

    if (!factor) {
        const char *text = getenv("UML_SLOWER");
        factor = text ? atol(text) : 1;
        if (factor < 1)
            factor = 1;
    }
    return factor;
}

// T times TIMES, by BY.
static void scale(struct timespec *t, long times, long by)
{
    __int128 ns = ((__int128)t->tv_sec * 1000000000 + t->tv_nsec) * times / by;

    t->tv_sec = (time_t)(ns / 1000000000);
    t->tv_nsec = (long)(ns % 1000000000);
}

// The time since its start goes slower, not that before.
int clock_gettime(clockid_t clock, struct timespec *t)
{
    static struct timespec start[2];
    struct timespec *s = &start[clock != CLOCK_REALTIME];

    if (syscall(SYS_clock_gettime, clock, t) < 0)
        return -1;
    if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC)
        return 0;
    if (!s->tv_sec)
        *s = *t;
    struct timespec since = {t->tv_sec - s->tv_sec, t->tv_nsec - s->tv_nsec};
    scale(&since, 1, slower());
    t->tv_sec = s->tv_sec + since.tv_sec;
    t->tv_nsec = s->tv_nsec + since.tv_nsec;
    if (t->tv_nsec >= 1000000000 || t->tv_nsec < 0) {
        long carry = t->tv_nsec < 0 ? -1 : 1;
        t->tv_sec += carry;
        t->tv_nsec -= carry * 1000000000;
    }
    return 0;
}

int timer_settime(timer_t timer, int flags, const struct itimerspec *value,
                  struct itimerspec *old)
{
    struct itimerspec v = *value;

    scale(&v.it_value, slower(), 1);
    scale(&v.it_interval, slower(), 1);
    // libc has its own numbers of timers: its function, not the system call.
    static int (*next)(timer_t, int, const struct itimerspec *,
                       struct itimerspec *);
    if (!next)
        *(void **)&next = dlsym(RTLD_NEXT, "timer_settime");
    return next(timer, flags, &v, old);
}
