// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: the directories of an image, hostile: of each is asked whether there
// is one and whether it is empty, and no link in it is followed.

#include "stepd/underlay.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "logic/limits.h"
#include "logic/procfs.h"
#include "logic/strv.h"
#include "stepd/mount_source.h"
#include "stepd/mountapi.h"
#include "stepd/mountns.h"

// Mounts within one tmpfs: the request's, and a few of the engine's own.
enum { WITHIN_MAX = BERTH_MOUNTS_MAX + 64 };

// In a tmpfs that nobody but this child sees any more when it is ready.
#define ROOM ".berth"

struct within {
    char *path; // absolute
    int tree;   // a copy
    bool is_dir;
};

struct place {
    char path[PATH_MAX]; // of the tmpfs; no part of it is a link
    int tmpfs;
    int room; // ROOM there
    struct within within[WITHIN_MAX];
    size_t n;
};

// Opens PATH, below DIR in the same mount, without following any link.
static int open_plain(int dir, const char *path, int flags)
{
    return mountapi_open(dir, path, flags | O_DIRECTORY,
                         RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
                             RESOLVE_NO_XDEV);
}

// Says whether DIR, which is closed, has anything in it.
static bool has_entries(int dir)
{
    const struct dirent *entry;
    bool found = false;

    DIR *d = fdopendir(dir);
    while (d && !found && (entry = readdir(d)))
        found =
            strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    if (d)
        closedir(d);
    else
        close(dir);
    return found;
}

static int add_within(struct place *p, const char *path)
{
    struct within *w = &p->within[p->n];
    struct stat st;

    if (p->n == WITHIN_MAX)
        return -1;
    *w = (struct within){.path = strdup(path)};
    w->tree = mountapi_clone(AT_FDCWD, path, AT_RECURSIVE);
    if (!w->path || w->tree < 0 || fstat(w->tree, &st) < 0)
        return -1;
    w->is_dir = S_ISDIR(st.st_mode);
    p->n++;
    return 0;
}

// Copies what is mounted within the tmpfs.
static int copy_within(struct place *p, int self)
{
    char id[32], *line = NULL;
    struct mountinfo mount;
    struct statx st;
    size_t cap = 0;
    int rc = 0;

    if (statx(p->tmpfs, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) < 0)
        return -1;
    snprintf(id, sizeof(id), "%" PRIu64, (uint64_t)st.stx_mnt_id);
    int fd = openat(self, "../mountinfo", O_RDONLY | O_CLOEXEC);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
    if (!f)
        return -1;
    while (rc == 0 && getline(&line, &cap, f) > 0)
        if (mountinfo_parse(line, &mount) && strcmp(mount.parent, id) == 0)
            rc = add_within(p, mount.target);
    free(line);
    fclose(f);
    return rc;
}

// Makes the place of W, which is below the tmpfs, in UPPER. Nobody else has
// made anything there: no name in it is a link.
static int make_point(const struct place *p, const struct within *w, int upper)
{
    const char *rest = w->path + strlen(p->path) + 1;
    int dir = dup(upper), rc = -1;
    char name[NAME_MAX + 1];

    for (size_t n; dir >= 0; rest += n + 1) {
        n = strcspn(rest, "/");
        if (n == 0 || n > NAME_MAX)
            break;
        memcpy(name, rest, n);
        name[n] = 0;
        bool last = !rest[n];
        if ((last && !w->is_dir ? mknodat(dir, name, S_IFREG | 0600, 0)
                                : mkdirat(dir, name, 0755)) < 0 &&
            errno != EEXIST)
            break;
        if (last) {
            rc = 0;
            break;
        }
        int next = open_plain(dir, name, O_PATH);
        close(dir);
        dir = next;
    }
    if (dir >= 0)
        close(dir);
    return rc;
}

// Puts into the room the directories of an overlay: "lower", a mount of what
// the image has at the tmpfs's path, "upper" and "work".
static int furnish(struct place *p, int root)
{
    int upper = -1, dir = -1, rc = -1;
    struct berth_err why;

    int copy = mount_clone(root, true, &why);
    if (copy < 0 || mkdirat(p->tmpfs, ROOM, 0700) < 0 ||
        (p->room = open_plain(p->tmpfs, ROOM, O_RDONLY)) < 0 ||
        mkdirat(p->room, "image", 0700) < 0 ||
        mkdirat(p->room, "lower", 0700) < 0 ||
        mkdirat(p->room, "upper", 0700) < 0 ||
        mkdirat(p->room, "work", 0700) < 0 ||
        mountapi_move(copy, p->room, "image") < 0)
        goto out;
    if ((dir = open_plain(copy, p->path + 1, O_PATH)) < 0)
        goto out;
    close(copy);
    if ((copy = mount_clone(dir, true, &why)) < 0 ||
        mountapi_move(copy, p->room, "lower") < 0)
        goto out;
    upper = open_plain(p->room, "upper", O_RDONLY);
    if (upper < 0 || fchmod(upper, 01777) < 0)
        goto out;
    rc = 0;
    for (size_t i = 0; rc == 0 && i < p->n; i++)
        rc = make_point(p, &p->within[i], upper);
out:
    if (copy >= 0)
        close(copy);
    if (dir >= 0)
        close(dir);
    if (upper >= 0)
        close(upper);
    return rc;
}

// The overlay of the working directory's "lower" and "upper": a mount that is
// nowhere yet, or -1. Nothing that files of the image say of themselves as
// parts of an overlay counts.
static int make_overlay(void)
{
    static const char *const options[][2] = {
        {"source", "overlay"},
        {"lowerdir", "lower"},
        {"upperdir", "upper"},
        {"workdir", "work"},
        {"redirect_dir", "nofollow"},
        {"metacopy", "off"},
        {"index", "off"},
        {"xino", "auto"},
    };

    return mountapi_new("overlay", options, sizeof(options) / sizeof(*options),
                        MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
}

// Puts the overlay TREE into the place of the tmpfs, which it has from now on
// to itself, and back into it what was mounted within.
static int replace(const struct place *p, int tree)
{
    int rc = 0;

    if (umount2(p->path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 ||
        mountapi_move(tree, AT_FDCWD, p->path) < 0)
        return -1;
    for (size_t i = 0; rc == 0 && i < p->n; i++)
        rc = mountapi_move(p->within[i].tree, AT_FDCWD, p->within[i].path);
    return rc;
}

static int show(struct place *p, int self, int root)
{
    int tree = -1, rc = -1;

    if (copy_within(p, self) == 0 && furnish(p, root) == 0 &&
        fchdir(p->room) == 0 && (tree = make_overlay()) >= 0)
        rc = replace(p, tree);
    int saved = errno;
    if (tree >= 0)
        close(tree);
    for (size_t i = 0; i < p->n; i++) {
        close(p->within[i].tree);
        free(p->within[i].path);
    }
    if (p->room >= 0)
        close(p->room);
    if (chdir("/") < 0)
        rc = -1;
    errno = saved;
    return rc;
}

static bool is_tmpfs(int fd)
{
    struct statfs fs;

    if (fstatfs(fd, &fs) < 0)
        return false;
    errno = EINVAL;
    return fs.f_type == TMPFS_MAGIC;
}

// IMAGE is a copy of the container's ROOT in which nothing is mounted. DONE:
// the places so far, of which a link of the image's can make two one.
static int lay_one(int self, int root, int image,
                   const struct request_tmpfs *tmpfs, struct strv *done)
{
    struct place p = {.room = -1};
    char name[16];
    int rc = -1;

    p.tmpfs = mountns_open(AT_FDCWD, tmpfs->target, O_PATH);
    snprintf(name, sizeof(name), "%d", p.tmpfs);
    ssize_t n =
        p.tmpfs < 0 ? -1 : readlinkat(self, name, p.path, sizeof(p.path) - 1);
    if (n > 1 && strv_has(done, p.path))
        rc = 0;
    else if (n > 1 && is_tmpfs(p.tmpfs) && strv_add(done, p.path) == 0 &&
             // runc gives it the mode that the image has there.
             fchmodat(self, name, 01777, 0) == 0) {
        int dir = tmpfs->empty ? -1 : open_plain(image, p.path + 1, O_RDONLY);
        rc = dir >= 0 && has_entries(dir) ? show(&p, self, root) : 0;
    }
    int saved = errno;
    if (p.tmpfs >= 0)
        close(p.tmpfs);
    errno = saved;
    return rc;
}

int underlay(int self, const struct request *request, struct berth_err *err)
{
    struct strv done = {0};
    struct berth_err why;
    int rc = -1;

    int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int image = root < 0 ? -1 : mount_clone(root, true, &why);
    for (size_t i = 0; i < request->ntmpfs; i++)
        if (image < 0 ||
            lay_one(self, root, image, &request->tmpfs[i], &done) < 0) {
            err_set(err, BERTH_ESYS,
                    "what the image has in %s cannot be shown in the "
                    "container: %m: tell your administrator",
                    request->tmpfs[i].target);
            goto out;
        }
    rc = 0;
out:
    strv_clear(&done);
    if (image >= 0)
        close(image);
    if (root >= 0)
        close(root);
    return rc;
}
