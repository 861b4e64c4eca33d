// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: directories that only root can write. They are checked all the same.

#include "node/state_dir.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int state_dir_make(const char *path, struct berth_err *err)
{
    char parent[PATH_MAX];
    struct stat st;

    if ((size_t)snprintf(parent, sizeof(parent), "%s", path) >= sizeof(parent))
        return err_set(err, BERTH_EINVAL, "a name is too long");
    for (char *p = strchr(parent + 1, '/'); p; p = strchr(p + 1, '/')) {
        *p = 0;
        if (mkdir(parent, 0755) < 0 && errno != EEXIST)
            return err_set(err, BERTH_ESYS, "%s cannot be made: %m", parent);
        *p = '/';
    }
    if (mkdir(path, 0711) < 0 && errno != EEXIST)
        return err_set(err, BERTH_ESYS, "%s cannot be made: %m", path);
    if (lstat(path, &st) < 0)
        return err_set(err, BERTH_ESYS, "%s: %m", path);
    if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() ||
        (st.st_mode & (S_IWGRP | S_IWOTH)))
        return err_set(err, BERTH_ESYS,
                       "%s is not a directory that only root can write: "
                       "remove it",
                       path);
    return 0;
}
