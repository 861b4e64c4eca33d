// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: the kernel's word on this process.

#include "stepd/ulimits.h"

#include <stdbool.h>
#include <stdio.h>
#include <sys/resource.h>

#include "logic/changes.h"

// What there was of descriptors before ulimits_raise_files.
static struct rlimit files;
static bool raised;

void ulimits_raise_files(size_t n)
{
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r) < 0 || r.rlim_cur >= n)
        return;
    files = r;
    raised = true;
    r.rlim_cur = n;
    if (r.rlim_max < n)
        r.rlim_max = n;
    if (setrlimit(RLIMIT_NOFILE, &r) == 0)
        return;
    r = files;
    r.rlim_cur = r.rlim_max;
    setrlimit(RLIMIT_NOFILE, &r);
}

static bool started_with(int resource, struct rlimit *out)
{
    if (resource != RLIMIT_NOFILE || !raised)
        return getrlimit(resource, out) == 0;
    *out = files;
    return true;
}

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

size_t ulimits_choose(struct request_ulimit out[RLIMITS])
{
    struct rlimit r;
    size_t n = 0;

    for (size_t i = 0; i < RLIMITS; i++)
        if (started_with(rlimit_names[i].resource, &r))
            out[n++] = (struct request_ulimit){
                rlimit_names[i].name,
                engine_limit(rlimit_names[i].resource, r.rlim_cur),
                engine_limit(rlimit_names[i].resource, r.rlim_max),
            };
    return n;
}

static rlim_t task_limit(int64_t value)
{
    return value < 0 ? RLIM_INFINITY : (rlim_t)value;
}

int ulimits_override(const struct rule_list *rules, struct request_ulimit *out,
                     size_t count, struct strv *changes, struct berth_err *err)
{
    for (size_t i = 0; i < rules->n; i++) {
        const struct rule_ulimit *limit = rules->v[i]->ulimit;
        const char *name = limit->which->name;
        for (size_t k = 0; k < count; k++)
            if (out[k].name == name)
                out[k] =
                    (struct request_ulimit){name, limit->soft, limit->hard};
        if (strv_addf(changes, "%c%d=%llu:%llu", WIRE_LIMIT,
                      limit->which->resource,
                      (unsigned long long)task_limit(limit->soft),
                      (unsigned long long)task_limit(limit->hard)) < 0)
            return err_set(err, BERTH_ENOMEM, "memory is out");
    }
    return 0;
}
