// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: paths that a user chose. They are resolved with that user's rights
// only; root sees descriptors, and what the kernel says of them.

#include "stepd/mount_source.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/mount.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "logic/limits.h"
#include "logic/procfs.h"
#include "logic/strv.h"
#include "protocol/passing.h"
#include "stepd/mountapi.h"

// A question to the child, and its answer.
struct question {
    bool itself;
    mode_t make;
    char path[PATH_MAX];
};

struct answer {
    int error; // errno; 0: the descriptor is with it
    mode_t type;
    uid_t owner;
    dev_t dev;
    ino_t ino;
    off_t size;
    struct timespec changed;
};

static void send_answer(int sock, struct answer answer, int fd)
{
    passing_send(sock, &answer, sizeof(answer), &fd, fd >= 0, 0);
}

static void receive_answer(int sock, struct mount_source *source)
{
    struct answer answer = {.error = EPROTO};

    if (passing_receive(sock, &answer, sizeof(answer), &source->fd, 1, 0) !=
            (ssize_t)sizeof(answer) ||
        (answer.error == 0) != (source->fd >= 0))
        answer.error = EPROTO;
    if (answer.error != 0 && source->fd >= 0) {
        close(source->fd);
        source->fd = -1;
    }
    source->error = answer.error;
    source->type = answer.type & S_IFMT;
    source->owner = answer.owner;
    source->dev = answer.dev;
    source->ino = answer.ino;
    source->size = answer.size;
    source->changed = answer.changed;
}

// The child, for good: nothing of root's is left to it, least of all the
// connection to the engine. What a source is, only the user may be able to
// ask.
static _Noreturn void answer_as(pid_t parent, const struct child_user *user,
                                mount_opener_fn *open, int sock)
{
    static struct question question;
    int keep[] = {0};

    if (dup2(sock, 0) < 0 || child_begin(parent, keep, 1) < 0 ||
        child_become(parent, user) < 0)
        _exit(1);
    while (recv(0, &question, sizeof(question), 0) ==
           (ssize_t)sizeof(question)) {
        struct answer answer = {0};
        struct stat st;
        struct mount_source source = {.path = question.path,
                                      .itself = question.itself,
                                      .make = question.make};
        int fd = open(&source);

        if (fd < 0 || fstat(fd, &st) < 0) {
            answer.error = errno;
        } else {
            answer.type = st.st_mode & S_IFMT;
            answer.owner = st.st_uid;
            answer.dev = st.st_dev;
            answer.ino = st.st_ino;
            answer.size = st.st_size;
            answer.changed = st.st_ctim;
        }
        send_answer(0, answer, answer.error ? -1 : fd);
        if (fd >= 0)
            close(fd);
    }
    _exit(0);
}

int mount_opener_start(const struct child_user *user, mount_opener_fn *open,
                       struct mount_opener *out, struct berth_err *err)
{
    pid_t parent = getpid();
    int pair[2];

    *out = (struct mount_opener){-1, -1};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return err_set(err, BERTH_ESYS, "socketpair: %m");
    out->sock = pair[0];
    out->pid = fork();
    if (out->pid == 0)
        answer_as(parent, user, open, pair[1]);
    close(pair[1]);
    return out->pid < 0 ? err_set(err, BERTH_ESYS, "fork: %m") : 0;
}

int mount_opener_ask(const struct mount_opener *opener, unsigned seconds,
                     struct mount_source *source, struct berth_err *err)
{
    struct pollfd p = {.fd = opener->sock, .events = POLLIN};
    struct question question = {.itself = source->itself, .make = source->make};

    source->fd = -1;
    source->error = ENAMETOOLONG;
    if (strlen(source->path) >= sizeof(question.path))
        return 0;
    strcpy(question.path, source->path);
    if (send(opener->sock, &question, sizeof(question), MSG_NOSIGNAL) < 0)
        return err_set(err, BERTH_ESYS, "asking for %s: %m", source->path);
    if (poll(&p, 1, (int)seconds * 1000) <= 0)
        return err_set(err, BERTH_ETIMEOUT,
                       "%s did not open within %u seconds: its file server "
                       "may not answer",
                       source->path, seconds);
    receive_answer(opener->sock, source);
    return 0;
}

void mount_opener_end(struct mount_opener *opener)
{
    if (opener->sock >= 0)
        close(opener->sock);
    if (opener->pid > 0)
        child_end(opener->pid);
    *opener = (struct mount_opener){-1, -1};
}

static int open_source(const struct mount_source *source)
{
    int flags = O_PATH | O_CLOEXEC | (source->itself ? O_NOFOLLOW : 0);

    // An automount comes for whoever wants a directory, and else is empty.
    int fd = open(source->path, flags | O_DIRECTORY);
    return fd >= 0 || errno != ENOTDIR ? fd : open(source->path, flags);
}

int mount_source_open(const struct child_user *user, unsigned seconds,
                      struct mount_source *sources, size_t n,
                      struct berth_err *err)
{
    struct mount_opener opener;

    for (size_t i = 0; i < n; i++)
        sources[i].fd = -1;
    if (n == 0)
        return 0;
    int rc = mount_opener_start(user, open_source, &opener, err);
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = mount_opener_ask(&opener, seconds, &sources[i], err);
    mount_opener_end(&opener);
    if (rc < 0)
        mount_source_close(sources, n);
    return rc;
}

void mount_source_close(struct mount_source *sources, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (sources[i].fd >= 0)
            close(sources[i].fd);
        sources[i].fd = -1;
        free(sources[i].real);
        free(sources[i].mount);
        sources[i].real = sources[i].mount = NULL;
    }
}

int mount_source_explain(const struct child_user *user, const char *name,
                         const struct mount_source *source,
                         struct berth_err *err)
{
    bool denied = source->error == EACCES || source->error == EPERM;
    char number[16], path[ERR_QUOTE_MAX * 2];

    snprintf(number, sizeof(number), "%u", user->uid);
    err_quote(source->path, path, sizeof(path));
    if (source->error == ENOENT || source->error == ENOTDIR)
        return err_set(err, BERTH_ENOTFOUND,
                       "there is no %s on this node to be mounted", path);
    return err_set(err, denied ? BERTH_EDENIED : BERTH_ENOTFOUND,
                   "%s cannot be mounted, as user %s cannot open it: %s", path,
                   name ? name : number, strerror(source->error));
}

// Where something is: in this process's view, and in its file system.
struct where {
    char path[4096];
    char device[32];
    char inner[8192];
    char mount[256]; // the number of its mount, and that's flags
    bool automount;  // what is there comes for a process of the node's only
};

static bool at_or_under(const char *path, const char *dir)
{
    size_t n = strcmp(dir, "/") == 0 ? 0 : strlen(dir);

    return strncmp(path, dir, n) == 0 && (path[n] == 0 || path[n] == '/');
}

static bool overlap(const char *a, const char *b)
{
    return at_or_under(a, b) || at_or_under(b, a);
}

// The file NAME of the directory SELF, to be read.
static FILE *open_file(int self, const char *name)
{
    int fd = openat(self, name, O_RDONLY | O_CLOEXEC);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "r");

    if (fd >= 0 && !f)
        close(fd);
    return f;
}

// The number of the mount that FD is in, as text.
static bool mount_of(int self, int fd, char *id, size_t size)
{
    char path[64], line[256];
    bool found = false;

    snprintf(path, sizeof(path), "fdinfo/%d", fd);
    FILE *f = open_file(self, path);
    while (f && !found && fgets(line, sizeof(line), f))
        if (strncmp(line, "mnt_id:", 7) == 0) {
            char *number = line + 7 + strspn(line + 7, "\t ");
            number[strcspn(number, "\n")] = 0;
            found = (size_t)snprintf(id, size, "%s", number) < size;
        }
    if (f)
        fclose(f);
    return found;
}

// Takes in MOUNT, in which W->path is.
static bool place_in(struct where *w, const struct mountinfo *mount)
{
    const char *rest = w->path;

    if (!at_or_under(w->path, mount->target))
        return false;
    if (strcmp(mount->target, "/") != 0)
        rest += strlen(mount->target);
    if (strcmp(rest, "/") == 0)
        rest = "";
    w->automount = strcmp(mount->fstype, "autofs") == 0;
    bool top = strcmp(mount->root, "/") == 0;
    return (size_t)snprintf(w->inner, sizeof(w->inner), "%s%s",
                            top && *rest ? "" : mount->root,
                            rest) < sizeof(w->inner) &&
           (size_t)snprintf(w->device, sizeof(w->device), "%s", mount->device) <
               sizeof(w->device) &&
           (size_t)snprintf(w->mount, sizeof(w->mount), "%s %s", mount->id,
                            mount->flags) < sizeof(w->mount);
}

// The kernel's table of mounts, read once for all that is looked up in it.
struct table {
    int self; // this process's directory in /proc
    struct strv lines;
    struct mountinfo *v; // of each, or what has no ID
};

static void table_clear(struct table *t)
{
    strv_clear(&t->lines);
    free(t->v);
    t->v = NULL;
}

static void table_read(struct table *t)
{
    char *line = NULL;
    size_t cap = 0;

    table_clear(t);
    FILE *f = open_file(t->self, "mountinfo");
    while (f && getline(&line, &cap, f) > 0 && strv_add(&t->lines, line) == 0)
        ;
    free(line);
    if (f)
        fclose(f);
    t->v = calloc(t->lines.n + 1, sizeof(*t->v));
    for (size_t i = 0; t->v && i < t->lines.n; i++)
        if (!mountinfo_parse(t->lines.v[i], &t->v[i]))
            t->v[i].id = NULL;
}

static const struct mountinfo *table_find(const struct table *t, const char *id)
{
    for (size_t i = 0; t->v && i < t->lines.n; i++)
        if (t->v[i].id && strcmp(t->v[i].id, id) == 0)
            return &t->v[i];
    return NULL;
}

// Finds out where FD is open. False: nobody can tell, as where its mount has
// gone. What is not in the table may have come since that was read.
static bool locate(int fd, struct table *t, struct where *w)
{
    char link[64], id[32];

    snprintf(link, sizeof(link), "fd/%d", fd);
    ssize_t n = readlinkat(t->self, link, w->path, sizeof(w->path) - 1);
    if (n <= 0 || n == (ssize_t)sizeof(w->path) - 1)
        return false;
    w->path[n] = 0;
    if (w->path[0] != '/' || !mount_of(t->self, fd, id, sizeof(id)))
        return false;
    const struct mountinfo *mount = table_find(t, id);
    if (!mount) {
        table_read(t);
        mount = table_find(t, id);
    }
    return mount && place_in(w, mount);
}

// Everything is below "/": only "/" itself is meant there.
static bool meets(const struct where *what, const struct where *never)
{
    bool same_fs = strcmp(what->device, never->device) == 0;

    if (strcmp(never->path, "/") == 0)
        return strcmp(what->path, "/") == 0 ||
               (same_fs && strcmp(what->inner, never->inner) == 0);
    return overlap(what->path, never->path) ||
           (same_fs && overlap(what->inner, never->inner));
}

static int forbid(const struct mount_source *source, const char *never,
                  struct berth_err *err)
{
    if (strcmp(source->path, source->real) != 0)
        return err_set(err, BERTH_EDENIED,
                       "%s leads to %s, which cannot be mounted into a "
                       "container, because it is, holds or lies in %s, which "
                       "no container gets",
                       source->path, source->real, never);
    return err_set(err, BERTH_EDENIED,
                   "%s cannot be mounted into a container, because it is, "
                   "holds or lies in %s, which no container gets",
                   source->path, never);
}

static int judge(struct mount_source *source, const char *const *never,
                 const struct where *nevers, struct table *table,
                 struct berth_err *err)
{
    struct where what;

    if (source->type != S_IFDIR && source->type != S_IFREG)
        return err_set(err, BERTH_EDENIED,
                       "%s is neither a directory nor a file, and cannot be "
                       "mounted into a container",
                       source->path);
    if (!locate(source->fd, table, &what) ||
        !(source->real = strdup(what.path)) ||
        !(source->mount = strdup(what.mount)))
        return err_set(err, BERTH_EDENIED,
                       "%s cannot be mounted into a container, because it is "
                       "no longer there: try again",
                       source->path);
    if (what.automount)
        return err_set(err, BERTH_EDENIED,
                       "%s is where the node's automounts come, which a "
                       "container would wait for in vain: name a directory "
                       "below it",
                       source->path);
    for (size_t i = 0; never[i]; i++)
        if (nevers[i].path[0] && meets(&what, &nevers[i]) &&
            !(source->spare && strcmp(never[i], source->spare) == 0))
            return forbid(source, never[i], err);
    return 0;
}

// Those that this node does not have are passed over.
static int locate_never(const char *const *never, struct where *out,
                        struct table *table, struct berth_err *err)
{
    for (size_t i = 0; never[i]; i++) {
        int dir = open(never[i], O_PATH | O_CLOEXEC);
        if (dir < 0 && (errno == ENOENT || errno == ENOTDIR))
            continue;
        bool ok = dir >= 0 && locate(dir, table, &out[i]);
        if (dir >= 0)
            close(dir);
        if (!ok)
            return err_set(err, BERTH_ESYS,
                           "it cannot be told where %s is: tell your "
                           "administrator",
                           never[i]);
    }
    return 0;
}

int mount_source_judge(int self, struct mount_source *sources, size_t n,
                       const char *const *never, size_t *which,
                       struct berth_err *err)
{
    struct table table = {.self = self};
    size_t count = 0;

    while (never[count])
        count++;
    struct where *nevers = calloc(count + 1, sizeof(*nevers));
    if (!nevers)
        return err_set(err, BERTH_ENOMEM, "memory is out");
    int rc = locate_never(never, nevers, &table, err);
    for (size_t i = 0; rc == 0 && i < n; i++)
        if (sources[i].fd >= 0 && !sources[i].trusted) {
            *which = i;
            rc = judge(&sources[i], never, nevers, &table, err);
        }
    table_clear(&table);
    free(nevers);
    return rc;
}

int mount_source_judge_made(int fd, const char *path, uid_t uid,
                            struct berth_err *err)
{
    struct stat st, up;

    int parent = openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
    bool ok = parent >= 0 && fstat(fd, &st) == 0 && fstat(parent, &up) == 0 &&
              S_ISDIR(st.st_mode) && st.st_uid == uid && up.st_uid != uid &&
              !(up.st_mode & (S_IWGRP | S_IWOTH));
    if (parent >= 0)
        close(parent);
    return ok ? 0
              : err_set(err, BERTH_EDENIED,
                        "%s is not a directory that Slurm has made for user "
                        "%u: tell your administrator",
                        path, uid);
}

int mount_clone(int fd, bool readonly, struct berth_err *err)
{
    int tree = mountapi_clone(fd, "", 0);

    if (tree >= 0 && mountapi_set(tree,
                                  MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
                                      (readonly ? MOUNT_ATTR_RDONLY : 0),
                                  MS_PRIVATE) == 0)
        return tree;
    err_set(err, BERTH_ESYS, "preparing a mount: %m");
    if (tree >= 0)
        close(tree);
    return -1;
}

static int make(int dir, const char *name, bool is_dir, struct berth_err *err)
{
    if (is_dir ? mkdirat(dir, name, 0700) < 0
               : mknodat(dir, name, S_IFREG | 0600, 0) < 0)
        return err_set(err, BERTH_ESYS, "making %s: %m", name);
    return 0;
}

int mount_point_make(int dir, const char *name, bool is_dir,
                     struct berth_err *err)
{
    char path[64];

    if (make(dir, name, is_dir, err) < 0)
        return -1;
    snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dir, name);
    if (is_dir &&
        mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
              "mode=0711,size=64k,nr_inodes=1k") < 0)
        return err_set(err, BERTH_ESYS, "making %s: %m", name);
    return 0;
}

int mount_bind(int fd, int dir, const char *name, bool readonly,
               struct berth_err *err)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return err_set(err, BERTH_ESYS, "staging %s: %m", name);
    if (make(dir, name, S_ISDIR(st.st_mode), err) < 0)
        return -1;
    int tree = mount_clone(fd, readonly, err);
    if (tree < 0)
        return -1;
    int rc = mountapi_move(tree, dir, name);
    if (rc < 0)
        err_set(err, BERTH_ESYS, "staging %s: %m", name);
    close(tree);
    return rc;
}
