// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: /proc of a process of the user's that has run nothing but berth-init
// yet, and the root of its container, whose links an image has made:
// inside_open keeps within.

#include "stepd/observe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "stepd/inside.h"

// The text of /proc/PID/NAME, of which less than SIZE bytes are taken.
static int read_proc(pid_t pid, const char *name, char *out, size_t size)
{
    char path[64];
    ssize_t n = -1;

    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        n = read(fd, out, size - 1);
        int saved = errno;
        close(fd);
        errno = saved;
    }
    out[n > 0 ? n : 0] = 0;
    return n > 0 ? 0 : -1;
}

static int see_status(pid_t pid, struct seen *out, struct berth_err *err)
{
    // All is there: a status has some 60 lines, of which only "Groups:" is
    // long.
    static const size_t size = 1 << 20;

    out->status = malloc(size);
    if (!out->status)
        return err_set(err, BERTH_ENOMEM, "memory is out");
    if (read_proc(pid, "status", out->status, size) < 0)
        return err_set(err, BERTH_ESYS, "/proc/%d/status: %m", (int)pid);
    return 0;
}

static int see_namespaces(const char *dir, struct seen_ns *out,
                          struct berth_err *err)
{
    static const char *const names[SEEN_NS] = {
        [SEEN_MNT] = "mnt",
        [SEEN_PID] = "pid",
        [SEEN_IPC] = "ipc",
        [SEEN_NET] = "net",
    };
    char path[64];
    struct stat st;

    for (size_t i = 0; i < SEEN_NS; i++) {
        snprintf(path, sizeof(path), "%s/ns/%s", dir, names[i]);
        if (stat(path, &st) < 0)
            return err_set(err, BERTH_ESYS, "%s: %m", path);
        out[i] = (struct seen_ns){.dev = st.st_dev, .ino = st.st_ino};
    }
    return 0;
}

static void see_label(pid_t pid, const char *name, char *out, size_t size)
{
    read_proc(pid, name, out, size);
    out[strcspn(out, "\n")] = 0;
}

static void see_labels(pid_t pid, struct seen *out)
{
    see_label(pid, "attr/current", out->selinux, sizeof(out->selinux));
    see_label(pid, "attr/apparmor/current", out->apparmor,
              sizeof(out->apparmor));
    // Before Linux 5.1 security modules have no files of their own.
    if (!out->apparmor[0])
        memcpy(out->apparmor, out->selinux, sizeof(out->apparmor));
}

static struct seen_file see_file(int fd)
{
    struct statvfs vfs;
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0 || fstatvfs(fd, &vfs) < 0)
        return (struct seen_file){0};
    return (struct seen_file){
        .there = true,
        .dev = st.st_dev,
        .ino = st.st_ino,
        .flags = vfs.f_flag,
        .bytes = (uint64_t)vfs.f_blocks * vfs.f_frsize,
    };
}

// Closes FD.
static struct seen_file see_once(int fd)
{
    struct seen_file file = see_file(fd);

    if (fd >= 0)
        close(fd);
    return file;
}

static struct seen_file see_inside(int root, const char *path)
{
    return see_once(inside_open(root, path, O_PATH));
}

static int see_files(const struct request *request,
                     const struct attach *attach, int root, struct seen *out,
                     struct berth_err *err)
{
    out->mounts = calloc(request->nmounts + 1, sizeof(*out->mounts));
    out->tmpfs = calloc(request->ntmpfs + 1, sizeof(*out->tmpfs));
    if (!out->mounts || !out->tmpfs)
        return err_set(err, BERTH_ENOMEM, "memory is out");
    for (size_t i = 0; i < request->nmounts; i++) {
        const struct request_mount *m = &request->mounts[i];
        out->mounts[i].covered = attach_covers(attach, m->target);
        if (out->mounts[i].covered)
            continue;
        out->mounts[i].source = see_once(open(m->source, O_PATH | O_CLOEXEC));
        out->mounts[i].target = see_inside(root, m->target);
    }
    for (size_t i = 0; i < request->ntmpfs; i++)
        out->tmpfs[i] = see_inside(root, request->tmpfs[i].target);
    out->shm = see_inside(root, "/dev/shm");
    out->root = see_file(root);
    return 0;
}

int observe(const struct request *request, const struct attach *attach,
            pid_t pid, int root, struct seen *out, struct berth_err *err)
{
    char dir[32];

    *out = (struct seen){0};
    snprintf(dir, sizeof(dir), "/proc/%d", (int)pid);
    if (see_status(pid, out, err) < 0 ||
        see_namespaces(dir, out->ns, err) < 0 ||
        see_namespaces("/proc/self", out->node, err) < 0)
        return -1;
    see_labels(pid, out);
    return see_files(request, attach, root, out, err);
}

void observe_clear(struct seen *seen)
{
    int saved = errno;

    free(seen->status);
    free(seen->mounts);
    free(seen->tmpfs);
    *seen = (struct seen){0};
    errno = saved;
}
