// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: the kernel's word on this process.

#include "stepd/ulimits.h"

#include <stdio.h>
#include <sys/resource.h>

// The kernel's bound on processes, or infinity where that is unknown.
static rlim_t max_processes(void)
{
    FILE *f = fopen("/proc/sys/kernel/pid_max", "re");
    unsigned long n = 0;

    if (f && fscanf(f, "%lu", &n) != 1)
        n = 0;
    if (f)
        fclose(f);
    return n ? n : RLIM_INFINITY;
}

// The engine's word for a limit: -1 is unlimited. Podman bounds itself by
// the number of pids, and can't give more where it lacks CAP_SYS_RESOURCE;
// more processes than that could not be had anyway.
static int64_t engine_limit(int resource, rlim_t value)
{
    if (resource == RLIMIT_NPROC && value > max_processes())
        value = max_processes();
    return value == RLIM_INFINITY ? -1 : (int64_t)value;
}

size_t ulimits_choose(struct request_ulimit out[ULIMITS_MAX])
{
    static const struct {
        int resource;
        const char *name;
    } known[ULIMITS_MAX] = {
        {RLIMIT_CORE, "core"},         {RLIMIT_CPU, "cpu"},
        {RLIMIT_DATA, "data"},         {RLIMIT_FSIZE, "fsize"},
        {RLIMIT_LOCKS, "locks"},       {RLIMIT_MEMLOCK, "memlock"},
        {RLIMIT_MSGQUEUE, "msgqueue"}, {RLIMIT_NICE, "nice"},
        {RLIMIT_NOFILE, "nofile"},     {RLIMIT_NPROC, "nproc"},
        {RLIMIT_RSS, "rss"},           {RLIMIT_RTPRIO, "rtprio"},
        {RLIMIT_RTTIME, "rttime"},     {RLIMIT_SIGPENDING, "sigpending"},
        {RLIMIT_STACK, "stack"},
    };
    struct rlimit r;
    size_t n = 0;

    for (size_t i = 0; i < ULIMITS_MAX; i++)
        if (getrlimit(known[i].resource, &r) == 0)
            out[n++] = (struct request_ulimit){
                known[i].name,
                engine_limit(known[i].resource, r.rlim_cur),
                engine_limit(known[i].resource, r.rlim_max),
            };
    return n;
}
