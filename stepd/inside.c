// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: files of an image, hostile: they are copied, never parsed.

#include "stepd/inside.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/limits.h"

static int write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0)
            return -1;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

// Appends the image's file PATH, as it is below TREE, to FD. An image may
// have none; one that is too large, or no file, is left out.
static int append_file(int tree, const char *path, int fd)
{
    struct open_how how = {
        .flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
        .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
    };
    struct stat st;
    char buf[4096];
    ssize_t n;

    int from = (int)syscall(SYS_openat2, tree, path, &how, sizeof(how));
    if (from < 0)
        return 0;
    if (fstat(from, &st) < 0 || !S_ISREG(st.st_mode) ||
        st.st_size > BERTH_PASSWD_MAX)
        return 0;
    off_t left = st.st_size;
    while (left > 0 && (n = read(from, buf, sizeof(buf))) > 0) {
        if (write_all(fd, buf, (size_t)n) < 0)
            return -1;
        left -= n;
    }
    return 0;
}

// An image can have symbolic links on the way to a mount: resolved as the
// engine does, within the root.
static int seal_mount(const struct request_mount *m)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC,
                           .resolve = RESOLVE_IN_ROOT |
                                      RESOLVE_NO_MAGICLINKS};
    struct mount_attr attr = {
        .attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
                    (m->readonly ? MOUNT_ATTR_RDONLY : 0),
    };
    int fd = (int)syscall(SYS_openat2, AT_FDCWD, m->target, &how, sizeof(how));

    return fd < 0 ? -1
                  : (int)syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH,
                                 &attr, sizeof(attr));
}

// A device node that an image brings is worth nothing: the tasks are in
// Slurm's cgroups, where the engine's list of devices does not hold. /dev is
// a mount of its own.
static int seal_root(void)
{
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_NODEV};

    return (int)syscall(SYS_mount_setattr, AT_FDCWD, "/", 0, &attr,
                        sizeof(attr));
}

// The child. Nothing of libc that could load or look up anything is called
// from here on: "/" is the image's.
static _Noreturn void prepare(int ns, const struct request *request,
                              int passwd, int group)
{
    if (setns(ns, CLONE_NEWNS) < 0 || seal_root() < 0)
        _exit(1);
    for (size_t i = 0; i < request->nmounts; i++)
        if (seal_mount(&request->mounts[i]) < 0)
            _exit(1);
    int tree = (int)syscall(SYS_open_tree, AT_FDCWD, "/",
                            OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (tree < 0 || append_file(tree, "etc/passwd", passwd) < 0 ||
        append_file(tree, "etc/group", group) < 0)
        _exit(1);
    _exit(0);
}

int inside_prepare(pid_t pid, const struct request *request,
                   const struct identity *identity, int dir,
                   struct berth_err *err)
{
    int flags = O_WRONLY | O_NOFOLLOW | O_CLOEXEC, status = -1, rc = -1;
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)pid);
    int ns = open(path, O_RDONLY | O_CLOEXEC);
    int passwd = openat(dir, "passwd", flags);
    int group = openat(dir, "group", flags);
    if (ns < 0 || passwd < 0 || group < 0 ||
        write_all(passwd, identity->passwd, strlen(identity->passwd)) < 0 ||
        write_all(group, identity->group, strlen(identity->group)) < 0) {
        err_set(err, BERTH_ESYS, "writing passwd and group: %m");
        goto out;
    }
    pid_t child = fork();
    if (child == 0)
        prepare(ns, request, passwd, group);
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
        err_set(err, BERTH_ESYS,
                "the container cannot be prepared from within");
        goto out;
    }
    rc = 0;
out:
    if (ns >= 0)
        close(ns);
    if (passwd >= 0)
        close(passwd);
    if (group >= 0)
        close(group);
    return rc;
}
