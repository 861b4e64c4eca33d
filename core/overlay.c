// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include "core/overlay.h"

#include <stdbool.h>
#include <string.h>

// Names that an image cannot set for a task; a '*' at the end stands for
// any rest.
static const char *const not_the_images[] = {
    "BERTH_*",
    "CUDA_VISIBLE_DEVICES",
    "GPU_DEVICE_ORDINAL",
    "HIP_VISIBLE_DEVICES",
    "HOME",
    "HOSTNAME",
    "NVIDIA_*",
    "OMPI_*",
    "PMIX*",
    "PMI_*",
    "PWD",
    "ROCR_VISIBLE_DEVICES",
    "SLURM*",
    "TMPDIR",
    "USER",
    "ZE_AFFINITY_MASK",
};

static bool is_the_images(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof(not_the_images) / sizeof(char *); i++) {
        const char *pattern = not_the_images[i];
        size_t n = strlen(pattern);
        if (pattern[n - 1] == '*' ? len >= n - 1 &&
                                        memcmp(name, pattern, n - 1) == 0
                                  : len == n && memcmp(name, pattern, n) == 0)
            return false;
    }
    return true;
}

int overlay_add(char *const *env, size_t n, struct strv *out,
                struct berth_err *err)
{
    for (size_t i = 0; i < n; i++) {
        const char *eq = strchr(env[i], '=');
        if (eq && eq != env[i] && is_the_images(env[i], (size_t)(eq - env[i])) &&
            strv_add(out, env[i]) < 0)
            return err_set(err, BERTH_ENOMEM, "memory is out");
    }
    return 0;
}

int overlay_build(char *const *image_env,
                  size_t nimage_env,
                  const char *home,
                  struct strv *out,
                  struct berth_err *err)
{
    bool path = false;

    for (size_t i = 0; i < nimage_env; i++)
        path |= strncmp(image_env[i], "PATH=", 5) == 0;
    if (overlay_add(image_env, nimage_env, out, err) < 0)
        return -1;
    if ((!path && strv_add(out, "PATH=" OVERLAY_PATH) < 0) ||
        strv_addf(out, "HOME=%s", home) < 0)
        return err_set(err, BERTH_ENOMEM, "memory is out");
    return 0;
}
