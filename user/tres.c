// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: what squeue writes.

#include "user/tres.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

unsigned tres_count_gpus(const char *tres)
{
    unsigned sum = 0;

    for (const char *p = tres ? tres : ""; *p; p += strcspn(p, ",")) {
        p += *p == ',';
        size_t len = strcspn(p, ",");
        const char *name = strncmp(p, "gres", 4) == 0 && p[4] ? p + 5 : p;
        const char *count = p + len;
        if (strncmp(name, "gpu", 3) != 0 || !strchr(":=,", name[3]))
            continue;
        while (count > name && !strchr(":=", count[-1]))
            count--;
        // Behind the last colon may be a type.
        bool counted = count > name && isdigit((unsigned char)*count);
        sum += counted ? (unsigned)strtoul(count, NULL, 10) : 1;
    }
    return sum;
}
