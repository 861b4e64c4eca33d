// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: /proc, whose paths Slurm, the engine and the site choose; nothing of a
// user's or an image's.

#include "stepd/cgroup_view.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "logic/procfs.h"
#include "node/child.h"
#include "stepd/mount_source.h"
#include "stepd/mountapi.h"

enum { CHILD_MS = 10000, VIEWS = 32 };

// Of one hierarchy.
struct view {
    char name[64];        // of its directory
    int top;              // a copy of it, whole
    char place[PATH_MAX]; // what is to be seen in it: absolute, or ""
    int tree;             // a copy of that, or -1
};

struct views {
    struct view v[VIEWS];
    size_t n;
    bool one; // the node has version 2 alone
};

// Copies PATH of the hierarchy at DIR: a mount that is nowhere yet, or -1.
static int copy_tree(const char *dir, const char *path)
{
    char name[2 * PATH_MAX];
    struct berth_err why;

    if ((size_t)snprintf(name, sizeof(name), "%s%s", dir, path) >= sizeof(name))
        return -1;
    int fd = open(name, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int tree = fd < 0 ? -1 : mount_clone(fd, true, &why);
    if (fd >= 0)
        close(fd);
    return tree;
}

// The name of the directory of the hierarchy of CONTROLLERS.
static const char *name_of(const char *controllers)
{
    if (strncmp(controllers, "name=", 5) == 0)
        controllers += 5;
    return *controllers ? controllers : "unified";
}

// What TASK, whose container's own is INIT, sees of the hierarchy at DIR: its
// job's cgroup, or its container's, where it is in that; else the top only.
static int choose(const char *dir, const struct cgroup_line *task,
                  const struct cgroup_line *init, struct view *out)
{
    const char *name = name_of(task->controllers);
    size_t n = cgroup_job_length(task);

    if (n == 0 && strcmp(task->path, init->path) == 0 && task->path[1])
        n = strlen(task->path);
    out->top = out->tree = -1;
    if ((size_t)snprintf(out->name, sizeof(out->name), "%s", name) >=
            sizeof(out->name) ||
        (size_t)snprintf(out->place, sizeof(out->place), "%.*s", (int)n,
                         task->path) >= sizeof(out->place))
        return -1;
    // Before the other: of several mounts of a controller programs take the
    // one that the kernel lists first.
    out->top = copy_tree(dir, "");
    if (n > 0)
        out->tree = copy_tree(dir, out->place);
    return out->top < 0 || (n > 0 && out->tree < 0) ? -1 : 0;
}

static int collect(const struct cgroups *cgroups, const struct process *init,
                   const struct process *task, struct views *out)
{
    int rc = 0;

    out->one = cgroup_is_one(cgroups);
    for (size_t i = 0; rc == 0 && i < cgroups->n && i < VIEWS; i++) {
        const char *controllers = cgroups->hierarchy[i].controllers;
        struct cgroup_line its, inits;
        char *a = cgroup_read_line(task, controllers, &its);
        char *b = cgroup_read_line(init, controllers, &inits);
        rc = a && b ? choose(cgroups->hierarchy[i].dir, &its, &inits,
                             &out->v[out->n++])
                    : -1;
        free(a);
        free(b);
    }
    return rc;
}

static int new_tmpfs(void)
{
    static const char *const options[][2] = {{"source", "tmpfs"},
                                             {"mode", "0755"},
                                             {"size", "64k"},
                                             {"nr_inodes", "1k"}};

    return mountapi_new("tmpfs", options, sizeof(options) / sizeof(*options),
                        MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
                            MOUNT_ATTR_NOEXEC);
}

// Mounts TREE at NAME in DIR. A descriptor of its directory, or -1.
static int put(int tree, int dir, const char *name)
{
    return mountapi_move(tree, dir, name) < 0
               ? -1
               : openat(dir, name,
                        O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

// Mounts TREE at PATH below DIR, in a tmpfs of this file's, where it makes the
// directories. PATH begins with a slash, or is empty.
static int put_below(int tree, int dir, const char *path)
{
    char name[NAME_MAX + 1];
    int at = dup(dir);

    while (at >= 0 && *path) {
        size_t n = strcspn(++path, "/");
        if (n == 0 || n > NAME_MAX)
            break;
        memcpy(name, path, n);
        name[n] = 0;
        path += n;
        int next = mkdirat(at, name, 0755) < 0 && errno != EEXIST
                       ? -1
                       : openat(at, name,
                                O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        close(at);
        at = next;
    }
    int rc = at < 0 || *path ? -1 : mountapi_move(tree, at, "");
    if (at >= 0)
        close(at);
    return rc;
}

// "cpu,cpuacct" goes by the names of both as well.
static int make_links(int dir, const char *name)
{
    char one[64];

    for (const char *p = name; strchr(name, ',') && *p;) {
        size_t n = strcspn(p, ",");
        snprintf(one, sizeof(one), "%.*s", (int)n, p);
        if (symlinkat(name, dir, one) < 0)
            return -1;
        p += n + (p[n] == ',');
    }
    return 0;
}

// Mounts V at NAME in DIR. All that is below its top is covered, but the way
// to what is to be seen.
static int lay_one(const struct view *v, int dir, const char *name)
{
    const struct dirent *entry;
    int rc = 0;

    int top = put(v->top, dir, name);
    DIR *d = top < 0 ? NULL : fdopendir(top);
    if (!d)
        return -1;
    while (rc == 0 && (entry = readdir(d))) {
        size_t n = strlen(entry->d_name);
        if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
            continue;
        int cover = put(new_tmpfs(), top, entry->d_name);
        if (cover < 0) { // it may have gone
            rc = faccessat(top, entry->d_name, F_OK, 0) == 0 ? -1 : 0;
            continue;
        }
        if (v->tree >= 0 && strncmp(v->place + 1, entry->d_name, n) == 0 &&
            (v->place[n + 1] == '/' || !v->place[n + 1]))
            rc = put_below(v->tree, cover, v->place + n + 1);
        if (rc == 0)
            rc = mountapi_set(cover, MOUNT_ATTR_RDONLY, 0);
        close(cover);
    }
    closedir(d);
    return rc;
}

static int lay_each(const struct views *views, int sysfs)
{
    int dir = put(new_tmpfs(), sysfs, "cgroup"), rc = dir < 0 ? -1 : 0;

    for (size_t i = 0; rc == 0 && i < views->n; i++) {
        const struct view *v = &views->v[i];
        if (mkdirat(dir, v->name, 0755) < 0 || make_links(dir, v->name) < 0)
            return -1;
        rc = lay_one(v, dir, v->name);
    }
    return rc < 0 ? -1 : mountapi_set(dir, MOUNT_ATTR_RDONLY, 0);
}

// The child, of which the same holds as of those of stepd/mountns.c.
static int lay(const struct views *views, const struct mountns *ns)
{
    if (setns(ns->ns, CLONE_NEWNS) < 0 || fchdir(ns->sysfs) < 0)
        return -1;
    while (umount2("cgroup", MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
        ;
    return views->one ? lay_one(&views->v[0], ns->sysfs, "cgroup")
                      : lay_each(views, ns->sysfs);
}

// Where in the container, below /sys/fs, PATH of hierarchy I is to be seen.
static void find_place(const struct cgroups *cgroups, size_t i,
                       const char *path, char *out, size_t size)
{
    bool one = cgroup_is_one(cgroups);

    snprintf(out, size, "cgroup%s%s%s", one ? "" : "/",
             one ? "" : name_of(cgroups->hierarchy[i].controllers), path);
}

// Says whether it is to be seen there: 1, or 0; -1: one of the two is missing.
static int is_shown(const struct cgroups *cgroups, size_t i, const char *path,
                    const struct mountns *ns)
{
    char here[2 * PATH_MAX], there[2 * PATH_MAX];
    struct stat a, b;

    snprintf(here, sizeof(here), "%s%s", cgroups->hierarchy[i].dir, path);
    find_place(cgroups, i, path, there, sizeof(there));
    if (stat(here, &a) < 0 || fstatat(ns->sysfs, there, &b, 0) < 0)
        return -1;
    return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

// Cuts PATH to that of PROCESS's job in the hierarchy of CONTROLLERS. False:
// it is in none there.
static bool find_job(const struct process *process, const char *controllers,
                     char path[PATH_MAX])
{
    struct cgroup_line c;
    char *line = cgroup_read_line(process, controllers, &c);
    size_t n = line ? cgroup_job_length(&c) : 0;

    snprintf(path, PATH_MAX, "%.*s", (int)n, n > 0 ? c.path : "");
    free(line);
    return n > 0 && n < PATH_MAX;
}

bool cgroup_view_holds(const struct cgroups *cgroups, const struct mountns *ns,
                       const struct process *task)
{
    char path[PATH_MAX];
    bool holds = true;

    for (size_t i = 0; holds && ns->sysfs >= 0 && i < cgroups->n; i++)
        if (find_job(task, cgroups->hierarchy[i].controllers, path))
            holds = is_shown(cgroups, i, path, ns) == 1;
    return holds;
}

// What takes the place of what is to be seen no more.
struct renewal {
    char place[2 * PATH_MAX]; // below /sys/fs
    int tree;
};

// The child.
static int renew(const struct renewal *renewals, size_t n,
                 const struct mountns *ns)
{
    int rc = 0;

    if (setns(ns->ns, CLONE_NEWNS) < 0 || fchdir(ns->sysfs) < 0)
        return -1;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        umount2(renewals[i].place, MNT_DETACH | UMOUNT_NOFOLLOW);
        rc = mountapi_move(renewals[i].tree, ns->sysfs, renewals[i].place);
    }
    return rc;
}

pid_t cgroup_view_renew(const struct cgroups *cgroups, const struct mountns *ns,
                        const struct process *like)
{
    struct renewal *renewals = calloc(VIEWS, sizeof(*renewals));
    int keep[VIEWS + 2];
    pid_t parent = getpid(), child = 0;
    char path[PATH_MAX];
    size_t n = 0;

    for (size_t i = 0;
         renewals && ns->sysfs >= 0 && i < cgroups->n && n < VIEWS; i++) {
        struct renewal *r = &renewals[n];
        if (!find_job(like, cgroups->hierarchy[i].controllers, path) ||
            is_shown(cgroups, i, path, ns) != 0)
            continue;
        find_place(cgroups, i, path, r->place, sizeof(r->place));
        r->tree = copy_tree(cgroups->hierarchy[i].dir, path);
        if (r->tree >= 0)
            keep[n++] = r->tree;
    }
    size_t nkeep = n;
    keep[nkeep++] = ns->ns;
    keep[nkeep++] = ns->sysfs;
    if (n > 0 && (child = fork()) == 0)
        _exit(child_begin(parent, keep, nkeep) < 0 ||
              renew(renewals, n, ns) < 0);
    for (size_t i = 0; i < n; i++)
        close(renewals[i].tree);
    free(renewals);
    return child > 0 ? child : 0;
}

void cgroup_view_await(pid_t child)
{
    if (child > 0)
        child_wait(child, CHILD_MS);
}

int cgroup_view_lay(const struct cgroups *cgroups, const struct mountns *ns,
                    const struct process *init, const struct process *task,
                    struct berth_err *err)
{
    struct views *views = calloc(1, sizeof(*views));
    int keep[2 * VIEWS + 2], rc = -1;
    pid_t parent = getpid();
    size_t n = 0;

    if (!views)
        return err_set(err, BERTH_ENOMEM, "memory is out");
    if (ns->sysfs < 0) { // nobody looks for them there
        rc = 0;
    } else if (collect(cgroups, init, task, views) == 0) {
        for (size_t i = 0; i < views->n; i++) {
            keep[n++] = views->v[i].top;
            keep[n++] = views->v[i].tree;
        }
        keep[n++] = ns->ns;
        keep[n++] = ns->sysfs;
        pid_t child = fork();
        if (child == 0)
            _exit(child_begin(parent, keep, n) < 0 || lay(views, ns) < 0);
        rc = child >= 0 && child_wait(child, CHILD_MS) ? 0 : -1;
    }
    for (size_t i = 0; i < views->n; i++) {
        if (views->v[i].top >= 0)
            close(views->v[i].top);
        if (views->v[i].tree >= 0)
            close(views->v[i].tree);
    }
    free(views);
    return rc == 0 ? 0
                   : err_set(err, BERTH_ESYS,
                             "the container cannot be shown the job's cgroups: "
                             "tell your administrator");
}
