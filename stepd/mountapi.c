// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include "stepd/mountapi.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

static void close_keeping_errno(int fd)
{
    int saved = errno;

    close(fd);
    errno = saved;
}

int mountapi_open(int dir, const char *path, int flags, uint64_t resolve)
{
    struct open_how how = {.flags = (uint64_t)flags | O_CLOEXEC,
                           .resolve = resolve};

    return (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
}

int mountapi_clone(int dir, const char *path, unsigned flags)
{
    return (int)syscall(SYS_open_tree, dir, path,
                        OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags |
                            (path[0] ? 0U : AT_EMPTY_PATH));
}

int mountapi_set(int fd, uint64_t attrs, uint64_t propagation)
{
    struct mount_attr attr = {.attr_set = attrs, .propagation = propagation};

    return (int)syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &attr,
                        sizeof(attr));
}

int mountapi_idmap(int fd, int ns)
{
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP,
                              .userns_fd = (uint64_t)ns};

    return (int)syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &attr,
                        sizeof(attr));
}

int mountapi_move(int tree, int dir, const char *name)
{
    return (int)syscall(SYS_move_mount, tree, "", dir, name,
                        MOVE_MOUNT_F_EMPTY_PATH |
                            (name[0] ? 0 : MOVE_MOUNT_T_EMPTY_PATH));
}

int mountapi_new(const char *type, const char *const options[][2], size_t n,
                 unsigned attrs)
{
    int tree = -1;
    long rc = 0;

    int fs = (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
    if (fs < 0)
        return -1;
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, options[i][0],
                     options[i][1], 0);
    if (rc == 0)
        rc = syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
    if (rc == 0)
        tree = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, attrs);
    close_keeping_errno(fs);
    return tree;
}
