// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: the kernel's word on this process.

#include "stepd/ulimits.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "core/overlay.h"

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

static int task_limit(int resource, const struct request_ulimit *limit,
                      struct strv *overlay)
{
    rlim_t soft = limit->soft < 0 ? RLIM_INFINITY : (rlim_t)limit->soft;
    rlim_t hard = limit->hard < 0 ? RLIM_INFINITY : (rlim_t)limit->hard;

    return strv_addf(overlay, "%c%d=%llu:%llu", WIRE_LIMIT, resource,
                     (unsigned long long)soft, (unsigned long long)hard);
}

int ulimits_override(const struct request_ulimit *limits, size_t n,
                     struct request_ulimit *out, size_t count,
                     struct strv *overlay, struct berth_err *err)
{
    for (size_t i = 0; i < n; i++) {
        bool found = false;
        for (size_t k = 0; k < count; k++)
            if (strcmp(limits[i].name, out[k].name) == 0) {
                out[k] = limits[i];
                found = true;
            }
        for (size_t k = 0; found && k < ULIMITS_MAX; k++)
            if (strcmp(limits[i].name, known[k].name) == 0 &&
                task_limit(known[k].resource, &limits[i], overlay) < 0)
                return err_set(err, BERTH_ENOMEM, "memory is out");
        if (!found)
            return err_set(err, BERTH_EINVAL,
                           "ulimits: there is no limit \"%s\": tell your "
                           "administrator",
                           limits[i].name);
    }
    return 0;
}
