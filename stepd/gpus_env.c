// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: the environment that the engine gave a container's first process, part
// of which is the image's.

#include "stepd/gpus_env.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "logic/changes.h"
#include "logic/limits.h"

static bool is_among(const char *text, char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(text, list[i]) == 0)
            return true;
    return false;
}

// Docker and Podman set these by themselves.
static bool is_engines(const char *variable)
{
    static const char *const known[] = {
        "HOME=", "HOSTNAME=", "PATH=", "TERM=", "container="};

    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        if (strncmp(variable, known[i], strlen(known[i])) == 0)
            return true;
    return false;
}

// logic/request.c empties what an image has of these.
static bool is_emptied(const char *variable)
{
    return strncmp(variable, "LD_", 3) == 0 &&
           variable[strlen(variable) - 1] == '=';
}

int gpus_inherit(int proc, char *const *image_env, size_t nimage_env,
                 struct strv *changes, struct berth_err *err)
{
    static const size_t size = BERTH_REQUEST_MAX;
    struct strv env = {0};
    int rc = -1;

    char *text = calloc(1, size);
    int fd = openat(proc, "environ", O_RDONLY | O_CLOEXEC);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
    size_t n = text && f ? fread(text, 1, size - 1, f) : 0;
    if (n == 0) {
        err_set(err, BERTH_ESYS, "reading the container's environment: %m");
        goto out;
    }
    for (size_t i = 0; i < n; i += strlen(text + i) + 1)
        if (text[i] && !is_among(text + i, image_env, nimage_env) &&
            !is_engines(text + i) && !is_emptied(text + i) &&
            strv_add(&env, text + i) < 0) {
            err_set(err, BERTH_ENOMEM, "memory is out");
            goto out;
        }
    rc = changes_add(env.v, env.n, changes, err);
out:
    if (f)
        fclose(f);
    else if (fd >= 0)
        close(fd);
    free(text);
    strv_clear(&env);
    return rc;
}

int gpus_changes(const struct gpus *gpus, struct strv *changes,
                 struct berth_err *err)
{
    static const char *const slurms[] = {
        "CUDA_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL", "HIP_VISIBLE_DEVICES",
        "ROCR_VISIBLE_DEVICES", "SLURM_STEP_GPUS",    "ZE_AFFINITY_MASK",
    };
    char uuids[GPU_MAX * sizeof(((struct gpu *)NULL)->uuid)] = "";
    const struct gpu *gpu;
    size_t used = 0;
    int rc = 0;

    for (size_t i = 0;
         gpus->set.n == 0 && rc == 0 && i < sizeof(slurms) / sizeof(*slurms);
         i++)
        rc = changes_change(changes, WIRE_DROP, slurms[i]);
    for (unsigned i = 0; (gpu = gpus_next(gpus, &i));)
        if (gpu->uuid[0])
            used += (size_t)snprintf(uuids + used, sizeof(uuids) - used,
                                     used ? ",%s" : "%s", gpu->uuid);
    if (rc == 0)
        rc = strv_addf(changes, "%cNVIDIA_VISIBLE_DEVICES=%s", WIRE_SET,
                       used ? uuids : "void");
    return rc < 0 ? err_set(err, BERTH_ENOMEM, "memory is out") : 0;
}
