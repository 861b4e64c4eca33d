// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: facts of slurmstepd's, which are root's, and where this program has
// its C library.

#include "stepd/mount_slurm.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "logic/policy.h"
#include "protocol/inside_paths.h"

// What a container gets: PATH, or the directory that holds it.
struct wanted {
    const char *path;
    bool parent;
    bool optional;
    const char *target; // NULL: where it is on the node
};

static bool add(struct mount_slurm *w, const struct wanted *wanted)
{
    char *source = w->v[w->n].source;

    if (!wanted->path || strlen(wanted->path) >= PATH_MAX)
        return false;
    strcpy(source, wanted->path);
    char *slash = strrchr(source, '/');
    if (wanted->parent && slash && slash != source)
        *slash = 0;
    w->v[w->n].target = wanted->target ? wanted->target : source;
    w->v[w->n].optional = wanted->optional;
    for (size_t i = 0; i < w->n; i++)
        if (strcmp(w->v[i].target, w->v[w->n].target) == 0)
            return true; // it is there
    w->n++;
    return true;
}

int mount_slurm_find(const struct step *step, struct mount_slurm *out,
                     struct berth_err *err)
{
    const struct step_slurm *slurm = &step->slurm;
    const char *const *words = (const char *const *)step->words.v;
    void *function = dlsym(RTLD_DEFAULT, "getenv");
    Dl_info libc = {0};

    if (function)
        dladdr(function, &libc);
    const struct wanted wanted[MOUNT_SLURM_MAX] = {
        {libc.dli_fname, true, false, INSIDE_SLURM_LIBRARIES},
        {slurm->commands, false, false, INSIDE_SLURM_COMMANDS},
        {BERTH_LIBEXECDIR "/slurm", false, false, INSIDE_SLURM_BIN},
        {slurm->plugins, false, false, NULL},
        {slurm->berth, false, false, NULL},
        {slurm->munge, false, false, NULL},
        {slurm->conf, true, false, NULL},
        {step->conf ? step->conf : slurm->conf, true, false, NULL},
        {policy_conf_path(step->words.n, words, NULL), true, true, NULL},
    };

    out->n = 0;
    if (!slurm->munge)
        return err_set(err, BERTH_EINVAL,
                       "Slurm's commands cannot be had in a container on node "
                       "%s, whose Slurm does not use munge: leave "
                       "--container-slurm out, or give --no-container-slurm",
                       step->node);
    for (size_t i = 0; i < MOUNT_SLURM_MAX; i++)
        if (!add(out, &wanted[i]))
            return err_set(err, BERTH_ESYS,
                           "Slurm's commands cannot be had in a container on "
                           "node %s, which does not say where it has Slurm: "
                           "give --no-container-slurm, or tell your "
                           "administrator",
                           step->node);
    return 0;
}
