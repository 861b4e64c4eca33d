// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: a tree of files in which the user has made what he liked. No task of
// his runs in it, but he may have handed a descriptor of it to a process
// outside: so it may change under this.

#include "stepd/layer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <search.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "logic/procfs.h"
#include "logic/tar.h"
#include "stepd/mountapi.h"

#define WHITEOUT ".wh."
#define OPAQUE ".wh..wh..opq"

enum {
    ENTRIES_MAX = 16 * 1024 * 1024,
    DEPTH_MAX = 512,
    HELD_MAX = 256 * 1024 * 1024, // memory for names, in all
    NAME_COST = 64,               // of one, besides its text
};

struct walk {
    const struct layer *layer;
    int (*put)(void *arg, const void *data, size_t len, struct berth_err *err);
    void *arg;
    struct berth_err *err;
    uint64_t bytes;
    size_t entries, held;
    void *links; // files with several names, by their numbers (tsearch)
    char path[TAR_TEXT_MAX - 1]; // where it is; the root's is empty
    size_t written; // as much of it has been written, of the directories
    char room[64 * 1024];
};

// A file that has several names, and the first of them.
struct name {
    dev_t dev;
    ino_t ino;
    char *text;
};

static int fail_at(struct walk *w, const char *path, const char *what)
{
    char quoted[ERR_QUOTE_MAX];

    err_quote(path, quoted, sizeof(quoted));
    return err_set(w->err, BERTH_EINVAL, "/%s of the container %s", quoted,
                   what);
}

static int fail(struct walk *w, const char *what)
{
    return fail_at(w, w->path, what);
}

static int fail_errno(struct walk *w)
{
    char what[128];

    snprintf(what, sizeof(what), "cannot be read: %s", strerror(errno));
    fail(w, what);
    w->err->code = BERTH_ESYS;
    return -1;
}

// --- looking it up -----------------------------------------------------------

static int open_below(int dir, const char *path, int flags)
{
    return mountapi_open(
        dir, *path ? path : ".", flags | O_NOFOLLOW | O_CLOEXEC,
        RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
}

// What FD, which need not be open to be read, has as the attribute NAME. Its
// length, or -1.
static ssize_t attribute(int fd, const char *name, void *buf, size_t size)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return getxattr(path, name, buf, size);
}

// Whether the directory of the overlay's at FD shows nothing of what is below
// it by its name: it is new, or was something else, or had another name.
static bool is_opaque(int fd)
{
    char value[8];

    return (attribute(fd, "trusted.overlay.opaque", value, sizeof(value)) ==
                1 &&
            value[0] == 'y') ||
           attribute(fd, "trusted.overlay.redirect", NULL, 0) > 0;
}

// Whether the directory of the overlay's at FD was one of the image's, of which
// something has changed.
static bool is_copy(int fd)
{
    return attribute(fd, "trusted.overlay.origin", NULL, 0) >= 0;
}

static bool is_mount(const struct walk *w)
{
    const struct strv *mounts = &w->layer->mounts;

    for (size_t i = 0; i < mounts->n; i++)
        if (strcmp(mounts->v[i], w->path) == 0)
            return true;
    return false;
}

// Whether something is mounted below: then it may have been made for that.
static bool has_mounts(const struct walk *w)
{
    const struct strv *mounts = &w->layer->mounts;
    size_t len = strlen(w->path);

    for (size_t i = 0; i < mounts->n; i++)
        if (strncmp(mounts->v[i], w->path, len) == 0 &&
            mounts->v[i][len] == '/')
            return true;
    return false;
}

// --- writing it --------------------------------------------------------------

static int put(struct walk *w, const void *data, size_t len)
{
    w->bytes += len;
    if (w->bytes > w->layer->max)
        return err_set(w->err, BERTH_ETOOBIG,
                       "more was written in the container than may be saved");
    return w->put(w->arg, data, len, w->err);
}

// Takes the node out of what is said of the file NAME: its owner, and its
// capabilities, of which there are as many bytes as E says.
static int take_inside(struct walk *w, const struct stat *st,
                       unsigned char capability[ROOT_CAPABILITY_MAX],
                       struct tar_entry *e)
{
    const struct root_range *range = &w->layer->range;
    uint32_t uid, gid;
    char what[160];

    if (!root_range_inside(range, st->st_uid, &uid) ||
        !root_range_inside(range, st->st_gid, &gid)) {
        snprintf(what, sizeof(what),
                 "belongs to %u:%u of the node, which the container does not "
                 "know, and no image can have: remove it",
                 st->st_uid, st->st_gid);
        return fail_at(w, e->name, what);
    }
    e->uid = uid;
    e->gid = gid;
    return e->ncapability == 0 ||
                   root_range_capability(range, capability, &e->ncapability)
               ? 0
               : fail_at(w, e->name,
                         "has capabilities that are not its root's, and no "
                         "image can have: take them from it (setcap -r)");
}

static int put_head(struct walk *w, int fd, const struct stat *st,
                    const char *name, const char *link, char type)
{
    unsigned char capability[ROOT_CAPABILITY_MAX];
    char head[TAR_HEAD_MAX];
    struct tar_entry e = {
        .name = name,
        .link = link,
        .type = type,
        .mode = st->st_mode & 07777,
        .size = type == '0' ? (uint64_t)st->st_size : 0,
        .mtime = st->st_mtim.tv_sec,
    };

    // Of another name of a file as well: Docker gives the file its owner once
    // more, with which the kernel takes them away.
    if (type == '0' || type == '1') {
        ssize_t n = attribute(fd, "security.capability", capability,
                              sizeof(capability));
        e.capability = capability;
        e.ncapability = n > 0 ? (size_t)n : 0;
    }
    if (take_inside(w, st, capability, &e) < 0)
        return -1;
    if (++w->entries > ENTRIES_MAX)
        return err_set(w->err, BERTH_ETOOBIG,
                       "more files were written in the container than may be "
                       "saved");
    return put(w, head, tar_head(&e, head));
}

// The directories above the last component, or (ALL) down to it, as far as that
// has not been done.
static int put_parents(struct walk *w, bool all)
{
    size_t len = strlen(w->path);
    char name[sizeof(w->path) + 1];
    struct stat st;

    for (size_t i = w->written + (w->written > 0); i <= len; i++) {
        if (i == len ? !all : w->path[i] != '/')
            continue;
        if (i == 0)
            continue;
        memcpy(name, w->path, i);
        name[i] = 0;
        int fd = open_below(w->layer->root, name, O_PATH | O_DIRECTORY);
        if (fd < 0 || fstat(fd, &st) < 0) {
            if (fd >= 0)
                close(fd);
            return fail_errno(w);
        }
        strcpy(name + i, "/");
        int rc = put_head(w, fd, &st, name, NULL, '5');
        close(fd);
        if (rc < 0)
            return -1;
        w->written = i;
    }
    return 0;
}

// An empty file that says something of what is below: NAME in the directory
// that has the last component, or (BELOW) in that.
static int put_mark(struct walk *w, const char *mark, bool below)
{
    const uint32_t root = w->layer->range.start;
    const struct stat st = {.st_mode = S_IFREG, .st_uid = root, .st_gid = root};
    char name[TAR_TEXT_MAX + sizeof(OPAQUE)];
    const char *slash = strrchr(w->path, '/');
    int n;

    if (put_parents(w, below) < 0)
        return -1;
    if (below)
        n = snprintf(name, sizeof(name), "%s/%s", w->path, mark);
    else
        n = snprintf(name, sizeof(name), "%.*s%s%s",
                     slash ? (int)(slash + 1 - w->path) : 0, w->path, mark,
                     slash ? slash + 1 : w->path);
    return n >= TAR_TEXT_MAX ? fail(w, "has too long a name to be saved")
                             : put_head(w, -1, &st, name, NULL, '0');
}

// As many bytes as its head says, whatever becomes of it meanwhile: who has
// the digest of all sees that it has changed.
static int put_data(struct walk *w, int fd, uint64_t size)
{
    char path[64];
    uint64_t left = size;

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int file = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (file < 0)
        return fail_errno(w);
    while (left > 0) {
        size_t want = left < sizeof(w->room) ? (size_t)left : sizeof(w->room);
        ssize_t n = read(file, w->room, want);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            close(file);
            return n < 0 ? fail_errno(w) : fail(w, "changes while it is saved");
        }
        if (put(w, w->room, (size_t)n) < 0) {
            close(file);
            return -1;
        }
        left -= (uint64_t)n;
    }
    close(file);
    memset(w->room, 0, TAR_BLOCK);
    return put(w, w->room, tar_padding(size));
}

static int by_number(const void *a, const void *b)
{
    const struct name *x = a, *y = b;

    if (x->dev != y->dev)
        return x->dev < y->dev ? -1 : 1;
    return x->ino < y->ino ? -1 : x->ino > y->ino;
}

static void free_name(void *name)
{
    free(((struct name *)name)->text);
    free(name);
}

// Accounts for NAME, which is to be held.
static int hold(struct walk *w, const char *name)
{
    w->held += strlen(name) + NAME_COST;
    return w->held <= HELD_MAX
               ? 0
               : fail(w, "is among more files than can be saved at once");
}

// The name by which the file was written before. NULL and W's error; or NULL:
// it was not, and is noted.
static const char *earlier_name(struct walk *w, const struct stat *st,
                                bool *failed)
{
    struct name **found = NULL;

    *failed = hold(w, w->path) < 0;
    if (*failed)
        return NULL;
    struct name *mine = calloc(1, sizeof(*mine));
    char *text = mine ? strdup(w->path) : NULL;
    if (text) {
        *mine = (struct name){st->st_dev, st->st_ino, text};
        found = tsearch(mine, &w->links, by_number);
    }
    *failed = !found;
    if (found && *found == mine)
        return NULL;
    w->held -= strlen(w->path) + NAME_COST;
    free(text);
    free(mine);
    if (*failed)
        err_set(w->err, BERTH_ENOMEM, "memory is out");
    return found ? (*found)->text : NULL;
}

static int put_file(struct walk *w, int fd, const struct stat *st)
{
    bool failed = false;
    const char *earlier =
        st->st_nlink > 1 ? earlier_name(w, st, &failed) : NULL;

    if (failed)
        return -1;
    if (earlier)
        return put_head(w, fd, st, w->path, earlier, '1');
    return put_head(w, fd, st, w->path, NULL, '0') < 0
               ? -1
               : put_data(w, fd, (uint64_t)st->st_size);
}

static int put_link(struct walk *w, int fd, const struct stat *st)
{
    char link[TAR_TEXT_MAX];
    ssize_t n = readlinkat(fd, "", link, sizeof(link));

    if (n < 0)
        return fail_errno(w);
    if (n >= (ssize_t)sizeof(link))
        return fail(w, "leads to too long a name to be saved");
    link[n] = 0;
    // Podman makes that, where an image has none.
    if (strcmp(w->path, "etc/mtab") == 0 && strcmp(link, "/proc/mounts") == 0)
        return 0;
    return put_parents(w, false) < 0 ? -1
                                     : put_head(w, fd, st, w->path, link, '2');
}

// --- going through it --------------------------------------------------------

static int walk_directory(struct walk *w, bool whole, unsigned depth);

// Whether the directory may be there for nothing but what is mounted below.
// What is the user's is not; but root's is the engine's as well, unless the
// image has it.
static bool may_be_made(const struct walk *w, int upper, const struct stat *st)
{
    if (!has_mounts(w))
        return false;
    return w->layer->range.count ? !is_copy(upper)
                                 : st->st_uid != w->layer->uid;
}

// The directory at FD, of which UPPER is what the overlay has of it (WHOLE: it
// has none, or all). One that may have been made for what is mounted below is
// written with something else in it alone.
static int visit_directory(struct walk *w, int upper, const struct stat *st,
                           bool whole, unsigned depth)
{
    bool opaque = !whole && is_opaque(upper);

    if (!may_be_made(w, upper, st) && put_parents(w, true) < 0)
        return -1;
    if (opaque && !has_mounts(w) && put_mark(w, OPAQUE, true) < 0)
        return -1;
    return walk_directory(w, whole || opaque, depth + 1);
}

// What has the path now; UPPER is what the overlay has of it, or -1.
static int visit_there(struct walk *w, int upper, bool whole, unsigned depth)
{
    struct stat st;
    int rc = 0;

    int fd = open_below(w->layer->root, w->path, O_PATH);
    if (fd < 0 || fstat(fd, &st) < 0)
        rc = fail_errno(w);
    else if (S_ISDIR(st.st_mode))
        rc = visit_directory(w, upper, &st, whole, depth);
    else if (S_ISREG(st.st_mode))
        rc = put_parents(w, false) < 0 ? -1 : put_file(w, fd, &st);
    else if (S_ISLNK(st.st_mode))
        rc = put_link(w, fd, &st);
    else if (S_ISFIFO(st.st_mode))
        rc = put_parents(w, false) < 0
                 ? -1
                 : put_head(w, fd, &st, w->path, NULL, '6');
    // Sockets and devices are of no use in an image.
    if (fd >= 0)
        close(fd);
    return rc;
}

static int visit(struct walk *w, bool whole, unsigned depth)
{
    struct stat st;

    if (is_mount(w))
        return 0;
    if (whole)
        return visit_there(w, -1, true, depth);
    int upper = open_below(w->layer->upper, w->path, O_PATH);
    if (upper < 0 || fstat(upper, &st) < 0) {
        if (upper >= 0)
            close(upper);
        return fail_errno(w);
    }
    int rc = S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0)
                 ? put_mark(w, WHITEOUT, false)
                 : visit_there(w, upper, false, depth);
    close(upper);
    return rc;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

// The names in the directory, sorted.
static int list_names(struct walk *w, bool whole, struct strv *out)
{
    const struct layer *l = w->layer;
    int fd = open_below(whole ? l->root : l->upper, w->path,
                        O_RDONLY | O_DIRECTORY | O_NONBLOCK);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    int rc = 0;

    if (!d) {
        if (fd >= 0)
            close(fd);
        return fail_errno(w);
    }
    errno = 0;
    for (struct dirent *e; rc == 0 && (e = readdir(d)); errno = 0)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            rc = hold(w, e->d_name) < 0 ? -1 : strv_add(out, e->d_name);
    if (rc == 0 && errno)
        rc = fail_errno(w);
    closedir(d);
    if (out->n > 0)
        qsort(out->v, out->n, sizeof(*out->v), by_text);
    return rc;
}

// WHOLE: all that is there was written, or has another name now. Else what the
// overlay has of it.
static int walk_directory(struct walk *w, bool whole, unsigned depth)
{
    size_t len = strlen(w->path), held = w->held;
    struct strv names = {0};
    int rc = depth > DEPTH_MAX ? fail(w, "lies too deep to be saved")
                               : list_names(w, whole, &names);
    held = w->held - held;

    for (size_t i = 0; rc == 0 && i < names.n; i++) {
        const char *name = names.v[i];
        if (len + 1 + strlen(name) >= sizeof(w->path)) {
            rc = fail(w, "has too long a name in it to be saved");
            break;
        }
        sprintf(w->path + len, "%s%s", len ? "/" : "", name);
        rc = strncmp(name, WHITEOUT, strlen(WHITEOUT)) == 0
                 ? fail(w, "has a name that no image can have: give it another")
                 : visit(w, whole, depth);
        w->path[len] = 0;
        if (w->written > len)
            w->written = len;
    }
    strv_clear(&names);
    w->held -= held;
    return rc;
}

int layer_write(const struct layer *layer,
                int (*put_part)(void *arg, const void *data, size_t len,
                                struct berth_err *err),
                void *arg, struct berth_err *err)
{
    static const char end[2 * TAR_BLOCK];
    struct walk *w = calloc(1, sizeof(*w));

    if (!w)
        return err_set(err, BERTH_ENOMEM, "memory is out");
    w->layer = layer;
    w->put = put_part;
    w->arg = arg;
    w->err = err;
    int rc = walk_directory(w, false, 0);
    if (rc == 0)
        rc = put(w, end, sizeof(end));
    tdestroy(w->links, free_name);
    free(w);
    return rc;
}

// --- opening it --------------------------------------------------------------

// The directory of an overlay's options, as it was mounted.
static bool find_upper(const char *options, char *out, size_t size)
{
    static const char key[] = "upperdir=";
    const char *at = options;

    while (at && strncmp(at, key, strlen(key)) != 0) {
        at = strchr(at, ',');
        at += at != NULL;
    }
    if (!at)
        return false;
    at += strlen(key);
    size_t len = strcspn(at, ",");
    if (len >= size)
        return false;
    memcpy(out, at, len);
    out[len] = 0;
    return true;
}

// An image of seventy layers and more makes the overlay's options longer than
// the page that mount(2) takes. Then engines name them as seen from where they
// keep all of them: "ID/diff". TOLD is the engine's word for the whole, and
// must end so. Says whether UPPER is whole then.
static bool make_whole(char *upper, size_t size, const char *told)
{
    size_t len = strlen(upper), whole = strlen(told);

    if (*upper == '/')
        return true;
    if (len == 0 || *told != '/' || whole <= len || whole >= size ||
        told[whole - len - 1] != '/' || strcmp(told + whole - len, upper) != 0)
        return false;
    memcpy(upper, told, whole + 1);
    return true;
}

// Reads what is mounted in the container. UPPER is of the file system that is
// its root, of which TOLD is the engine's word.
static int read_mounts(const struct process *init, const char *told,
                       struct layer *out, char *upper, size_t size,
                       struct berth_err *err)
{
    int fd = process_open(init, "mountinfo", O_RDONLY);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
    char type[64] = "", *line = NULL;
    size_t cap = 0;
    int rc = 0;

    *upper = 0;
    if (!f) {
        if (fd >= 0)
            close(fd);
        return err_set(err, BERTH_ESYS, "the container has ended");
    }
    while (rc == 0 && getline(&line, &cap, f) > 0) {
        struct mountinfo m;
        line[strcspn(line, "\n")] = 0;
        if (!mountinfo_parse(line, &m))
            continue;
        if (strcmp(m.target, "/") != 0) {
            rc = strv_add(&out->mounts, m.target + 1);
            continue;
        }
        snprintf(type, sizeof(type), "%s", m.fstype);
        if (strcmp(type, "overlay") == 0 && !find_upper(m.options, upper, size))
            *upper = 0;
    }
    free(line);
    fclose(f);
    if (rc < 0)
        return err_set(err, BERTH_ENOMEM, "memory is out");
    if (!make_whole(upper, size, told))
        return err_set(err, BERTH_EENGINE,
                       "what was written in it cannot be told from its image, "
                       "as its engine keeps it in a file system of the kind "
                       "%s%s: ask your administrator for the storage driver "
                       "overlay2 (Docker) or overlay (Podman)",
                       type[0] ? type : "unknown",
                       *upper ? ", whose place is not known" : "");
    return 0;
}

// The container's root, without what is mounted in it: copied from within.
static int open_root(int ns)
{
    int here = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC), root = -1;

    if (here < 0)
        return -1;
    if (setns(ns, CLONE_NEWNS) == 0) {
        root = mountapi_clone(AT_FDCWD, "/", 0);
        if (setns(here, CLONE_NEWNS) < 0 && root >= 0) {
            close(root);
            root = -1;
        }
    }
    close(here);
    return root;
}

static bool map_is(const struct process *init, const char *name,
                   const struct root_range *range)
{
    int fd = process_open(init, name, O_RDONLY);
    char map[256];

    ssize_t n = fd < 0 ? -1 : read(fd, map, sizeof(map) - 1);
    if (fd >= 0)
        close(fd);
    map[n > 0 ? n : 0] = 0;
    return root_range_is(range, map);
}

// Whether the container has the IDs of RANGE, by the kernel's word on it: it
// may have been made under another policy.
static bool has_ids(const struct process *init, const struct root_range *range)
{
    struct stat its, own;

    if (range->count)
        return map_is(init, "uid_map", range) && map_is(init, "gid_map", range);
    return fstatat(init->proc, "ns/user", &its, 0) == 0 &&
           stat("/proc/self/ns/user", &own) == 0 && its.st_dev == own.st_dev &&
           its.st_ino == own.st_ino;
}

int layer_open(const struct process *init, int ns, const char *told,
               const struct root_range *range, struct layer *out,
               struct berth_err *err)
{
    char upper[4096];

    *out = (struct layer){
        .upper = -1, .root = -1, .range = *range, .max = UINT64_MAX};
    if (!has_ids(init, range))
        return err_set(err, BERTH_EINVAL,
                       "the container has other IDs than the policy has for "
                       "it now: save one that is made anew");
    if (read_mounts(init, told, out, upper, sizeof(upper), err) < 0)
        return -1;
    out->upper = open(upper, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (out->upper < 0)
        return err_set(err, BERTH_ESYS, "%s cannot be opened: %m", upper);
    out->root = open_root(ns);
    return out->root < 0 ? err_set(err, BERTH_ESYS,
                                   "the container's files cannot be opened: %m")
                         : 0;
}

void layer_close(struct layer *layer)
{
    if (layer->upper >= 0)
        close(layer->upper);
    if (layer->root >= 0)
        close(layer->root);
    strv_clear(&layer->mounts);
    *layer = (struct layer){.upper = -1, .root = -1};
}
