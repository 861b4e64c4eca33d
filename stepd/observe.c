// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: /proc of a process of the user's that has run nothing but berth-init
// yet, and the root of its container, whose links an image has made:
// mountns_open keeps within.

#include "stepd/observe.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "stepd/mountns.h"

// The text of NAME in PROCESS's directory, of which less than SIZE bytes are
// taken.
static int read_proc(const struct process *process, const char *name, char *out,
                     size_t size)
{
    ssize_t n = -1;

    int fd = process_open(process, name, O_RDONLY);
    if (fd >= 0) {
        n = read(fd, out, size - 1);
        int saved = errno;
        close(fd);
        errno = saved;
    }
    out[n > 0 ? n : 0] = 0;
    return n > 0 ? 0 : -1;
}

static int see_status(const struct process *init, struct seen *out,
                      struct berth_err *err)
{
    // All is there: a status has some 60 lines, of which only "Groups:" is
    // long.
    static const size_t size = 1 << 20;

    out->status = malloc(size);
    if (!out->status)
        return err_set(err, BERTH_ENOMEM, "memory is out");
    if (read_proc(init, "status", out->status, size) < 0)
        return err_set(err, BERTH_ESYS, "reading the container's state: %m");
    return 0;
}

// Those of the process whose directory in /proc is open on PROC.
static int see_namespaces(int proc, struct seen_ns *out, struct berth_err *err)
{
    static const char *const names[SEEN_NS] = {
        [SEEN_MNT] = "mnt", [SEEN_PID] = "pid",   [SEEN_IPC] = "ipc",
        [SEEN_NET] = "net", [SEEN_USER] = "user",
    };
    char path[64];
    struct stat st;

    for (size_t i = 0; i < SEEN_NS; i++) {
        snprintf(path, sizeof(path), "ns/%s", names[i]);
        if (fstatat(proc, path, &st, 0) < 0)
            return err_set(err, BERTH_ESYS, "looking at a process's %s: %m",
                           path);
        out[i] = (struct seen_ns){.dev = st.st_dev, .ino = st.st_ino};
    }
    return 0;
}

static int see_ids(const struct process *init, struct seen *out,
                   struct berth_err *err)
{
    static const char *const streams[] = {"fd/0", "fd/1", "fd/2"};
    struct stat st;

    if (read_proc(init, "uid_map", out->uid_map, sizeof(out->uid_map)) < 0 ||
        read_proc(init, "gid_map", out->gid_map, sizeof(out->gid_map)) < 0)
        return err_set(err, BERTH_ESYS, "reading the container's IDs: %m");
    // What a process has open is looked at without a path.
    for (size_t i = 0; i < sizeof(streams) / sizeof(*streams); i++)
        if (fstatat(init->proc, streams[i], &st, 0) < 0)
            return err_set(err, BERTH_ESYS,
                           "reading the container's streams: "
                           "%m");
        else
            out->node_stream |= S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode);
    return 0;
}

static void see_label(const struct process *init, const char *name, char *out,
                      size_t size)
{
    read_proc(init, name, out, size);
    out[strcspn(out, "\n")] = 0;
}

static void see_labels(const struct process *init, struct seen *out)
{
    see_label(init, "attr/current", out->selinux, sizeof(out->selinux));
    see_label(init, "attr/apparmor/current", out->apparmor,
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
    return see_once(mountns_open(root, path, O_PATH));
}

static int see_files(const struct request *request,
                     const struct mount_copies *copies, int root,
                     struct seen *out, struct berth_err *err)
{
    out->mounts = calloc(request->nmounts + 1, sizeof(*out->mounts));
    out->tmpfs = calloc(request->ntmpfs + 1, sizeof(*out->tmpfs));
    if (!out->mounts || !out->tmpfs)
        return err_set(err, BERTH_ENOMEM, "memory is out");
    for (size_t i = 0; i < request->nmounts; i++) {
        const struct request_mount *m = &request->mounts[i];
        out->mounts[i].covered = mount_copies_covers(copies, m->target);
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

int observe(const struct request *request, const struct mount_copies *copies,
            const struct process *init, int root, struct seen *out,
            struct berth_err *err)
{
    *out = (struct seen){0};
    int self = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int rc = see_status(init, out, err) < 0 ||
                     see_namespaces(init->proc, out->ns, err) < 0 ||
                     (request->root.count && see_ids(init, out, err) < 0) ||
                     see_namespaces(self, out->node, err) < 0
                 ? -1
                 : 0;

    if (self >= 0)
        close(self);
    if (rc < 0)
        return -1;
    see_labels(init, out);
    return see_files(request, copies, root, out, err);
}

int observe_mounts(const struct process *init, char **out,
                   struct berth_err *err)
{
    char *line = NULL;
    size_t size = 0, cap = 0;

    *out = NULL;
    int fd = process_open(init, "mountinfo", O_RDONLY);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
    FILE *to = f ? open_memstream(out, &size) : NULL;
    while (to && getline(&line, &cap, f) > 0)
        fputs(line, to);
    free(line);
    if (f)
        fclose(f);
    else if (fd >= 0)
        close(fd);
    return to && fclose(to) == 0 && size > 0
               ? 0
               : err_set(err, BERTH_ESYS, "reading the container's mounts: %m");
}

int observe_mount_id(int fd, uint64_t *out, struct berth_err *err)
{
    char path[64], line[256];
    bool found = false;

    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
    FILE *f = fopen(path, "re");
    while (f && !found && fgets(line, sizeof(line), f))
        found = sscanf(line, "mnt_id: %" SCNu64, out) == 1;
    if (f)
        fclose(f);
    return found ? 0 : err_set(err, BERTH_ESYS, "%s cannot be read", path);
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
