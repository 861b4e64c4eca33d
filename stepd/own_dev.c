// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include "stepd/own_dev.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "stepd/mountapi.h"

#define DIR_NAME "devices"

static const struct {
    const char *name;
    unsigned major_number, minor_number;
} devices[OWN_DEVS] = {
    {"full", 1, 7}, {"null", 1, 3},    {"random", 1, 8},
    {"tty", 5, 0},  {"urandom", 1, 9}, {"zero", 1, 5},
};

static int make_one(int dir, size_t i)
{
    const char *name = devices[i].name;
    int tree = -1;

    if (mknodat(dir, name, S_IFCHR | 0666,
                makedev(devices[i].major_number, devices[i].minor_number)) ==
            0 &&
        fchmodat(dir, name, 0666, 0) == 0)
        tree = mountapi_clone(dir, name, AT_SYMLINK_NOFOLLOW);
    if (tree >= 0 && mountapi_set(tree, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
                                  MS_PRIVATE) < 0) {
        close(tree);
        tree = -1;
    }
    return tree;
}

int own_dev_make(int dir, int trees[OWN_DEVS], struct berth_err *err)
{
    int at = -1, rc = -1;
    char path[64];

    for (size_t i = 0; i < OWN_DEVS; i++)
        trees[i] = -1;
    snprintf(path, sizeof(path), "/proc/self/fd/%d/" DIR_NAME, dir);
    if (mkdirat(dir, DIR_NAME, 0700) == 0 &&
        mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NOEXEC,
              "mode=0700,size=64k,nr_inodes=1k") == 0)
        at = openat(dir, DIR_NAME,
                    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    for (size_t i = 0; at >= 0 && i < OWN_DEVS; i++) {
        trees[i] = make_one(at, i);
        if (trees[i] < 0)
            break;
        rc = i == OWN_DEVS - 1 ? 0 : -1;
    }
    if (rc < 0)
        err_set(err, BERTH_ESYS, "making the container's devices: %m");
    if (at >= 0)
        close(at);
    return rc;
}

int own_dev_lay(const int trees[OWN_DEVS])
{
    char path[32];

    for (size_t i = 0; i < OWN_DEVS; i++) {
        snprintf(path, sizeof(path), "/dev/%s", devices[i].name);
        // What the kernel holds on to is laid over.
        umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW);
        int place = mountapi_open(AT_FDCWD, path, O_PATH | O_NOFOLLOW,
                                  RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);
        int rc = place < 0 ? -1 : mountapi_move(trees[i], place, "");
        if (place >= 0)
            close(place);
        if (rc < 0)
            return -1;
    }
    return 0;
}

bool own_dev_is(const char *path)
{
    static const char dev[] = "/dev/";

    for (size_t i = 0; i < OWN_DEVS; i++)
        if (strncmp(path, dev, strlen(dev)) == 0 &&
            strcmp(path + strlen(dev), devices[i].name) == 0)
            return true;
    return false;
}

void own_dev_close(int trees[OWN_DEVS])
{
    int saved = errno;

    for (size_t i = 0; i < OWN_DEVS; i++) {
        if (trees[i] >= 0)
            close(trees[i]);
        trees[i] = -1;
    }
    errno = saved;
}
