// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: lists of indices, some of them from a user, and paths.

#include "logic/gpu.h"

#include <stdio.h>
#include <string.h>

bool gpu_read_number(const char **p, unsigned limit, unsigned *out)
{
    size_t digits = strspn(*p, "0123456789");
    unsigned n = 0;

    if (digits == 0 || digits > 7)
        return false;
    for (size_t i = 0; i < digits; i++)
        n = n * 10 + (unsigned)((*p)[i] - '0');
    if (n >= limit)
        return false;
    *p += digits;
    *out = n;
    return true;
}

int gpu_list_parse(const char *list, struct gpu_set *out, struct berth_err *err)
{
    struct gpu_set set = {0};
    unsigned first, last;

    for (const char *p = list; *list;) {
        if (!gpu_read_number(&p, GPU_MAX, &first))
            goto malformed;
        last = first;
        if (*p == '-') {
            p++;
            if (!gpu_read_number(&p, GPU_MAX, &last) || last < first)
                goto malformed;
        }
        for (unsigned i = first; i <= last; i++) {
            if (set.has[i])
                goto malformed;
            set.has[i] = true;
            set.n++;
        }
        if (*p == 0)
            break;
        if (*p++ != ',')
            goto malformed;
    }
    *out = set;
    return 0;
malformed:;
    char quote[ERR_QUOTE_MAX];
    err_quote(list, quote, sizeof(quote));
    return err_set(err, BERTH_EINVAL, "\"%s\" is no list of indices below %d",
                   quote, GPU_MAX);
}

void gpu_set_intersect(const struct gpu_set *a, const struct gpu_set *b,
                       struct gpu_set *out)
{
    struct gpu_set set = {0};

    for (unsigned i = 0; i < GPU_MAX; i++) {
        set.has[i] = a->has[i] && b->has[i];
        set.n += set.has[i];
    }
    *out = set;
}

// Reads the next range of a list of CPUs. False at its end, or where it is
// no such list.
static bool next_range(const char **p, unsigned *first, unsigned *last)
{
    static const unsigned limit = 1 << 20;

    if (!gpu_read_number(p, limit, first))
        return false;
    *last = *first;
    if (**p == '-') {
        (*p)++;
        if (!gpu_read_number(p, limit, last))
            return false;
    }
    if (**p == ',')
        (*p)++;
    return true;
}

static bool overlap(const char *a, const char *b)
{
    unsigned first, last, from, to;

    while (next_range(&a, &first, &last))
        for (const char *p = b; next_range(&p, &from, &to);)
            if (first <= to && from <= last)
                return true;
    return false;
}

bool gpu_set_is_far(const struct gpu_set *set, const struct gpu_table *table,
                    const char *node, const char *cpus, char *buf, size_t size)
{
    for (size_t i = 0; i < table->n; i++) {
        const struct gpu *gpu = &table->gpus[i];
        if (!set->has[i] || !gpu->cores[0] || gpu->numa < 0 || !cpus[0] ||
            overlap(gpu->cores, cpus))
            continue;
        snprintf(buf, size,
                 "GPU %zu of node %s is near the CPUs %s (NUMA node %d), and "
                 "this step has the CPUs %s, which are slower with it: ask "
                 "Slurm for CPUs near the GPUs, with "
                 "--gres-flags=enforce-binding",
                 i, node, gpu->cores, gpu->numa, cpus);
        return true;
    }
    return false;
}

bool gpu_capability_ok(const char *word)
{
    static const char *const known[] = {"compat32", "compute", "display",
                                        "graphics", "ngx",     "utility",
                                        "video"};

    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        if (strcmp(word, known[i]) == 0)
            return true;
    return false;
}

bool gpu_path_ok(const char *path)
{
    if (strncmp(path, "/dev/", 5) != 0 || strlen(path) >= GPU_PATH_MAX)
        return false;
    for (const char *p = path; *p; p++) {
        if ((unsigned char)*p <= 0x20 || (unsigned char)*p >= 0x7f)
            return false;
        if (*p == '/' && (p[1] == 0 || p[1] == '/' || p[1] == '.'))
            return false;
    }
    return true;
}

int gpu_path_number(const char *path, const char *prefix)
{
    size_t n = strlen(prefix);
    unsigned number;

    if (strncmp(path, prefix, n) != 0)
        return -1;
    const char *p = path + n;
    return gpu_read_number(&p, 1 << 20, &number) && *p == 0 ? (int)number : -1;
}
