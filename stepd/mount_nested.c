// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: the kernel's table of mounts, which can have places of a user's
// choice (FUSE). No path of it is looked up here.

#include "stepd/mount_nested.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "logic/path.h"
#include "logic/procfs.h"

int mount_nested_find(int self, const char *dir, struct strv *out,
                      struct berth_err *err)
{
    struct mountinfo mount;
    char *line = NULL;
    size_t cap = 0;
    int rc = 0;

    int fd = openat(self, "mountinfo", O_RDONLY | O_CLOEXEC);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
    if (!f) {
        err_set(err, BERTH_ESYS, "/proc/self/mountinfo: %m");
        if (fd >= 0)
            close(fd);
        return -1;
    }
    // An automount and what it has brought are two mounts at one place.
    while (rc == 0 && getline(&line, &cap, f) > 0)
        if (mountinfo_parse(line, &mount) && strcmp(mount.target, dir) != 0 &&
            path_is_within(mount.target, dir) && !strv_has(out, mount.target))
            rc = strv_add(out, mount.target);
    free(line);
    fclose(f);
    return rc == 0 ? 0 : err_set(err, BERTH_ENOMEM, "memory is out");
}
