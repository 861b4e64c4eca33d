// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: the kernel's table of mounts, in which places are of an engine's, an
// image's and a user's choice.

#include "stepd/verify_mapped.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "logic/path.h"
#include "logic/procfs.h"

static int differs(struct berth_err *err, const char *what, const char *target)
{
    char quote[ERR_QUOTE_MAX];

    err_quote(target, quote, sizeof(quote));
    return err_set(err, BERTH_EENGINE,
                   "the container that the engine started is not the one "
                   "that was asked for (%s %s)",
                   what, quote);
}

static bool is_one_of(const char *text, const char *const *words)
{
    for (size_t i = 0; words[i]; i++)
        if (strcmp(text, words[i]) == 0)
            return true;
    return false;
}

// With files of the kernel's alone, which looks at their owners itself; or made
// in the container's own user namespace. The node's /dev/null, with which
// engines mask files of /proc, is from its devtmpfs: in that it goes by its root.
static bool is_kernels(const struct mountinfo *m)
{
    static const char *const types[] = {"cgroup", "cgroup2", "devpts",
                                        "mqueue", "overlay", "proc",
                                        "sysfs",  "tmpfs",   NULL};

    return is_one_of(m->fstype, types) || path_is_within(m->target, "/sys") ||
           (strcmp(m->fstype, "devtmpfs") == 0 &&
            strcmp(m->root, "/null") == 0);
}

// What engines make for each container, and give to its root.
static bool is_engines(const struct mountinfo *m)
{
    static const char *const targets[] = {"/",
                                          "/etc/hostname",
                                          "/etc/hosts",
                                          "/etc/resolv.conf",
                                          "/run/.containerenv",
                                          "/run/secrets",
                                          NULL};

    return is_one_of(m->target, targets) || path_is_within(m->target, "/dev");
}

static bool is_own(const struct request *r, const struct mountinfo *m)
{
    for (size_t i = 0; i < r->nmounts; i++)
        if (r->mounts[i].readonly &&
            strcmp(r->mounts[i].target, m->target) == 0)
            return true;
    return false;
}

static bool has_flag(const struct mountinfo *m, const char *flag)
{
    size_t len = strlen(flag);

    for (const char *p = m->flags; *p;) {
        size_t n = strcspn(p, ",");
        if (n == len && memcmp(p, flag, n) == 0)
            return true;
        p += n + (p[n] == ',');
    }
    return false;
}

static bool is_mapped(const struct mountinfo *m)
{
    return has_flag(m, "idmapped");
}

// The libraries of a GPU's driver, by its CDI specification: files of the
// node's root, who is nobody in the container.
static bool is_drivers(const struct request *r, const struct mountinfo *m)
{
    return r->gpus_by == REQUEST_GPUS_CDI && has_flag(m, "ro") &&
           has_flag(m, "nosuid") && has_flag(m, "nodev");
}

// The one of COPIES that M is, or N.
static size_t find(const struct seen_copy *copies, size_t n,
                   const struct mountinfo *m)
{
    size_t i = 0;

    while (i < n && strtoull(m->id, NULL, 10) != copies[i].id)
        i++;
    return i;
}

int verify_mapped(const struct request *r, const struct seen_copy *copies,
                  size_t n, char *mountinfo, struct berth_err *err)
{
    bool *found = calloc(n + 1, sizeof(*found));
    struct mountinfo m;
    int rc = 0;

    if (!found)
        return err_set(err, BERTH_ENOMEM, "memory is out");
    for (char *line; rc == 0 && (line = strsep(&mountinfo, "\n"));) {
        if (!*line)
            continue;
        if (!mountinfo_parse(line, &m)) {
            rc = differs(err, "it has a strange mount", line);
            continue;
        }
        size_t i = find(copies, n, &m);
        found[i] = true;
        if (i < n ? copies[i].mapped && !is_mapped(&m)
                  : !is_kernels(&m) && !is_engines(&m) && !is_own(r, &m) &&
                        !is_drivers(r, &m) && !is_mapped(&m))
            rc = differs(err, "the IDs are the node's of its", m.target);
    }
    for (size_t i = 0; rc == 0 && i < n; i++)
        if (!found[i])
            rc = differs(err, "it lacks", copies[i].target);
    free(found);
    return rc;
}
