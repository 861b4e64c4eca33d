// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: a path that the administrator chose, and a file system in which
// others may have the right to write somewhere along it. Each component is
// opened on its own and judged by its descriptor, so nothing can change
// between the look and the use.

#include "node/trusted.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "logic/limits.h"

enum { LINKS_MAX = 40 }; // on one path: the kernel's own bound

struct walk {
    const char *path; // as the administrator wrote it
    int top;          // "/"
    uid_t owner;
    int links;
    char left[PATH_MAX]; // what remains to be walked
};

static int cannot(const struct walk *w, struct berth_err *err)
{
    return err_set(
        err, errno == ENOENT || errno == ENOTDIR ? BERTH_ENOTFOUND : BERTH_ESYS,
        "%s cannot be opened: %m", w->path);
}

// Judges what FD is open on, a directory or the file itself.
static int check_owner(const struct walk *w, int fd, struct berth_err *err)
{
    char link[64], real[PATH_MAX];
    struct stat st;

    if (fstat(fd, &st) < 0)
        return cannot(w, err);
    if (st.st_uid == w->owner && !(st.st_mode & (S_IWGRP | S_IWOTH)))
        return 0;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, real, sizeof(real) - 1);
    real[n > 0 ? n : 0] = 0;
    if (st.st_uid != w->owner)
        return err_set(err, BERTH_EDENIED,
                       "%s cannot be trusted, because %s belongs to user %u: "
                       "it must be root's, as every directory above it",
                       w->path, real, st.st_uid);
    return err_set(err, BERTH_EDENIED,
                   "%s cannot be trusted, because others than root may write "
                   "to %s (mode %03o): take that right away (chmod go-w)",
                   w->path, real, st.st_mode & 07777);
}

// Puts what the symbolic link FD, found in DIR, says in front of what
// remains. Returns the directory from which that leads on, or -1.
static int follow(struct walk *w, int dir, int fd, struct berth_err *err)
{
    char target[PATH_MAX], rest[PATH_MAX];

    ssize_t n = readlinkat(fd, "", target, sizeof(target) - 1);
    if (n < 0)
        return cannot(w, err);
    target[n] = 0;
    memcpy(rest, w->left, sizeof(rest));
    if (++w->links > LINKS_MAX ||
        (size_t)snprintf(w->left, sizeof(w->left), "%s/%s", target, rest) >=
            sizeof(w->left)) {
        errno = ELOOP;
        return cannot(w, err);
    }
    int from = fcntl(target[0] == '/' ? w->top : dir, F_DUPFD_CLOEXEC, 3);
    return from < 0 ? cannot(w, err) : from;
}

// Opens the next component of what remains, in DIR, as FLAGS say. Returns a
// descriptor that has been judged, or -1.
static int next(struct walk *w, int dir, const char *name, bool last,
                struct berth_err *err)
{
    struct stat st;
    int flags = O_NOFOLLOW | O_CLOEXEC |
                (last ? O_RDONLY | O_NONBLOCK | O_NOCTTY : O_PATH);
    int fd = openat(dir, name, flags), on = -1;

    if (fd < 0 && last && errno == ELOOP)
        return err_set(err, BERTH_EDENIED,
                       "%s cannot be trusted, because it is a symbolic link: "
                       "name the file itself",
                       w->path);
    if (fd < 0 || fstat(fd, &st) < 0) {
        cannot(w, err);
    } else if (S_ISLNK(st.st_mode)) {
        on = follow(w, dir, fd, err);
    } else if (!last && !S_ISDIR(st.st_mode)) {
        errno = ENOTDIR;
        cannot(w, err);
    } else if (check_owner(w, fd, err) == 0) {
        return fd;
    }
    if (fd >= 0)
        close(fd);
    return on;
}

// Returns the file's descriptor, or -1.
static int walk(struct walk *w, struct berth_err *err)
{
    char name[NAME_MAX + 1];

    int dir = fcntl(w->top, F_DUPFD_CLOEXEC, 3);
    if (dir < 0)
        return cannot(w, err);
    if (check_owner(w, dir, err) < 0) {
        close(dir);
        return -1;
    }
    for (bool last = false; !last;) {
        size_t skip = strspn(w->left, "/");
        size_t len = strcspn(w->left + skip, "/");
        if (len == 0 || len > NAME_MAX) {
            errno = len ? ENAMETOOLONG : EISDIR;
            close(dir);
            return cannot(w, err);
        }
        memcpy(name, w->left + skip, len);
        name[len] = 0;
        memmove(w->left, w->left + skip + len,
                strlen(w->left + skip + len) + 1);
        last = w->left[strspn(w->left, "/")] == 0;
        int on = next(w, dir, name, last, err);
        close(dir);
        if (on < 0)
            return -1;
        dir = on;
    }
    return dir;
}

static int read_all(const struct walk *w, int fd, char **text, size_t *len,
                    struct berth_err *err)
{
    struct stat st;
    size_t got = 0;

    if (fstat(fd, &st) < 0)
        return cannot(w, err);
    if (!S_ISREG(st.st_mode))
        return err_set(err, BERTH_EINVAL, "%s is not a file", w->path);
    // One byte more than may be there: a file may grow, or have no size.
    char *buf = malloc(BERTH_CONF_MAX + 2);
    if (!buf)
        return err_set(err, BERTH_ENOMEM, "memory is out");
    while (got <= BERTH_CONF_MAX) {
        ssize_t n = read(fd, buf + got, BERTH_CONF_MAX + 1 - got);
        if (n < 0) {
            free(buf);
            return cannot(w, err);
        }
        if (n == 0)
            break;
        got += (size_t)n;
    }
    if (got > BERTH_CONF_MAX) {
        free(buf);
        return err_set(err, BERTH_EINVAL, "%s is larger than %d KiB", w->path,
                       BERTH_CONF_MAX / 1024);
    }
    buf[got] = 0;
    *text = buf;
    *len = got;
    return 0;
}

int trusted_read_below(int top, uid_t owner, const char *path, char **text,
                       size_t *len, struct berth_err *err)
{
    struct walk w = {.path = path, .top = top, .owner = owner};

    if (path[0] != '/' ||
        (size_t)snprintf(w.left, sizeof(w.left), "%s", path) >= sizeof(w.left))
        return err_set(err, BERTH_EINVAL, "\"%s\" is not a path", path);
    int fd = walk(&w, err);
    if (fd < 0)
        return -1;
    int rc = read_all(&w, fd, text, len, err);
    close(fd);
    return rc;
}

int trusted_read(const char *path, char **text, size_t *len,
                 struct berth_err *err)
{
    int top = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (top < 0)
        return err_set(err, BERTH_ESYS, "/: %m");
    int rc = trusted_read_below(top, 0, path, text, len, err);
    close(top);
    return rc;
}
