// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: a name that the administrator wrote.

#include "logic/rlimits.h"

#include <stddef.h>
#include <string.h>
#include <sys/resource.h>

const struct rlimit_name rlimit_names[RLIMITS] = {
    {RLIMIT_CORE, "core"},         {RLIMIT_CPU, "cpu"},
    {RLIMIT_DATA, "data"},         {RLIMIT_FSIZE, "fsize"},
    {RLIMIT_LOCKS, "locks"},       {RLIMIT_MEMLOCK, "memlock"},
    {RLIMIT_MSGQUEUE, "msgqueue"}, {RLIMIT_NICE, "nice"},
    {RLIMIT_NOFILE, "nofile"},     {RLIMIT_NPROC, "nproc"},
    {RLIMIT_RSS, "rss"},           {RLIMIT_RTPRIO, "rtprio"},
    {RLIMIT_RTTIME, "rttime"},     {RLIMIT_SIGPENDING, "sigpending"},
    {RLIMIT_STACK, "stack"},
};

const struct rlimit_name *rlimit_find(const char *name)
{
    for (size_t i = 0; i < RLIMITS; i++)
        if (!strcmp(rlimit_names[i].name, name))
            return &rlimit_names[i];
    return NULL;
}
