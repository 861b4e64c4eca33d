// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: patterns of the administrator's, and the node's /dev.

#include "stepd/devices.h"

#include <glob.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "logic/gpu.h"
#include "logic/limits.h"

static bool is_device(const char *path)
{
    struct stat st;

    return gpu_path_ok(path) && lstat(path, &st) == 0 &&
           (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode));
}

int devices_find(const struct rule_list *patterns, const struct gpus *gpus,
                 struct request *request, struct strv *out,
                 struct berth_err *err)
{
    for (size_t i = 0; i < patterns->n; i++) {
        glob_t found;
        int rc = glob(patterns->v[i]->text, 0, NULL, &found);
        if (rc == GLOB_NOMATCH)
            continue;
        if (rc != 0)
            return err_set(err, BERTH_ESYS, "the devices %s cannot be listed",
                           patterns->v[i]->text);
        for (size_t k = 0; rc == 0 && k < found.gl_pathc; k++) {
            const char *path = found.gl_pathv[k];
            if (!is_device(path) || strv_has(out, path) ||
                (gpus && gpus_have_file(gpus, path)))
                continue;
            if (out->n == BERTH_DEVICES_MAX || strv_add(out, path) < 0)
                rc = err_set(err, BERTH_EINVAL,
                             "%s matches more than %d devices: tell your "
                             "administrator",
                             patterns->v[i]->text, BERTH_DEVICES_MAX);
        }
        globfree(&found);
        if (rc < 0)
            return -1;
    }
    request->devices = (const char *const *)out->v;
    request->ndevices = out->n;
    return 0;
}
