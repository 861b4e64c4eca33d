// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: the decision, whose paths are the user's, and the administrator's
// files, which say what nobody gets.

#include "stepd/mounts.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "protocol/wire.h"
#include "stepd/listen.h"
#include "stepd/mount_source.h"

// What no container gets, whatever a user or an administrator asks for:
// the node's own, and where an image has its programs. Those that this node
// does not have are passed over.
static const char *const never[] = {
    "/",
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/proc",
    "/root",
    "/run",
    "/sbin",
    "/sys",
    "/usr",
    "/var/lib/containerd",
    "/var/lib/containers",
    "/var/lib/docker",
    "/var/lib/munge",
    "/var/log",
    "/var/run",
    "/var/spool/slurm",
    "/var/spool/slurmctld",
    "/var/spool/slurmd",
    BERTH_LIBEXECDIR,
    BERTH_STATEDIR,
    NULL,
};

// Adds a mount whose source is NAME in the store's directory.
static int add_mount(struct step_mounts *s, const char *name,
                     const char *target, bool readonly, struct berth_err *err)
{
    char *path = NULL;

    if (s->n == BERTH_MOUNTS_MAX ||
        asprintf(&path, "%s/%s", s->store->path, name) < 0)
        return err_set(err, BERTH_EINVAL,
                       "a container can have %d mounts: ask for fewer",
                       BERTH_MOUNTS_MAX);
    s->paths[s->n] = path;
    s->binds[s->n++] = (struct request_mount){path, target, readonly};
    return 0;
}

static int bind_own(struct step_mounts *s, int fd, const char *name,
                    const char *target, struct berth_err *err)
{
    return mount_bind(fd, s->store->dir, name, true, err) < 0
               ? -1
               : add_mount(s, name, target, true, err);
}

// The mounts that the decision has, made in the directory DIR, or only looked
// at.
static int copy_decided(struct step_mounts *s, const struct step *step,
                        const struct admission *admission, int theirs, int dir,
                        struct berth_err *err)
{
    const struct strv *words = &step->words;
    bool given;
    // Where the engine's socket and the administrator's files are no
    // container looks, either.
    const char *files[] = {
        policy_engine(admission->policy),
        policy_root_engine(admission->policy),
        step->conf,
        policy_conf_path(words->n, (const char *const *)words->v, &given),
    };
    enum { FILES = sizeof(files) / sizeof(*files) };
    const char *all[sizeof(never) / sizeof(*never) + FILES];
    char *dirs[FILES] = {0};
    size_t n = 0;
    int rc = -1;

    for (; never[n]; n++)
        all[n] = never[n];
    for (size_t i = 0; i < FILES; i++) {
        const char *slash = files[i] ? strrchr(files[i], '/') : NULL;
        if (!slash || slash == files[i])
            continue;
        if (!(dirs[i] = strndup(files[i], (size_t)(slash - files[i])))) {
            err_set(err, BERTH_ENOMEM, "memory is out");
            goto out;
        }
        all[n++] = dirs[i];
    }
    all[n] = NULL;
    rc = mount_copies_make(&admission->decision, &admission->subject, step, all,
                           theirs, dir, &s->copies, err);
out:
    for (size_t i = 0; i < FILES; i++)
        free(dirs[i]);
    return rc;
}

static int bind_decided(struct step_mounts *s, const struct step *step,
                        const struct admission *admission, int theirs,
                        struct berth_err *err)
{
    int rc = copy_decided(s, step, admission, theirs, s->store->dir, err);

    // Writable, as nobody sees them: what an image's symbolic links lead the
    // engine to make there is to fail in mountns_prepare, which can say why.
    for (size_t i = 0; rc == 0 && i < s->copies.n; i++)
        if (!s->copies.v[i].nested)
            rc = add_mount(s, s->copies.v[i].name, s->copies.v[i].target, false,
                           err);
    return rc;
}

// What can be read can be dumped by whoever runs it: then berth-init could be
// traced, and the container's root entered, from its exec until it has said
// that it cannot. fs.suid_dumpable is what the kernel makes of a program that
// cannot be read, and of a process that has changed its user.
static int check_hidden(const char *path, const struct stat *st,
                        const char *node, struct berth_err *err)
{
    int fd = open("/proc/sys/fs/suid_dumpable", O_RDONLY | O_CLOEXEC);
    char value = 0;
    bool told = fd >= 0 && read(fd, &value, 1) == 1;

    if (fd >= 0)
        close(fd);
    if (!told || (value != '0' && value != '2'))
        return err_set(err, BERTH_ESYS,
                       "the sysctl fs.suid_dumpable of node %s is not 0 or 2, "
                       "which lets users into what their containers keep from "
                       "them: ask your administrator to set it so",
                       node);
    if (st->st_mode & (S_IRGRP | S_IROTH))
        return err_set(err, BERTH_ESYS,
                       "%s on node %s can be read by others than root, which "
                       "lets users into what their containers keep from them: "
                       "ask your administrator for chmod 0711",
                       path, node);
    return 0;
}

// A copy of what FROM is open on, in memory: the kernel mounts no file that
// has been removed or replaced, as an upgrade does it. Returns a descriptor of
// the copy, or -1.
static int copy_init(const struct step_mounts *s, int from)
{
    char path[64];
    ssize_t n = -1;

    // Where the state is, nothing may be executed.
    snprintf(path, sizeof(path), "/proc/self/fd/%d/program", s->store->dir);
    if (mkdir(path, 0700) < 0 ||
        mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV,
              "mode=0711,size=16m,nr_inodes=8") < 0)
        return -1;
    int dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int to = openat(dir, SUPPLY_INIT, O_WRONLY | O_CREAT | O_CLOEXEC, 0711);
    while (to >= 0 && (n = sendfile(to, from, NULL, 1 << 20)) > 0)
        ;
    // What is open for writing cannot be executed.
    int fd = to >= 0 && close(to) == 0 && n == 0
                 ? openat(dir, SUPPLY_INIT, O_PATH | O_CLOEXEC)
                 : -1;
    if (dir >= 0)
        close(dir);
    return fd;
}

// berth-init comes from where berth is installed, which root chose. What is
// opened is looked at, and copied.
static int bind_init(struct step_mounts *s, const char *node,
                     struct berth_err *err)
{
    static const char path[] = BERTH_LIBEXECDIR "/berth-init";
    struct stat st;
    int rc = -1;

    int copy = -1, fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
        !(st.st_mode & S_IXOTH))
        err_set(err, BERTH_ESYS,
                "%s is missing or cannot be run on node %s: ask your "
                "administrator to install berth there",
                path, node);
    else if (check_hidden(path, &st, node, err) == 0 &&
             (copy = copy_init(s, fd)) < 0)
        err_set(err, BERTH_ESYS, "copying %s on node %s: %m", path, node);
    else if (copy >= 0)
        rc = bind_own(s, copy, SUPPLY_INIT, WIRE_INIT_PATH, err);
    if (copy >= 0)
        close(copy);
    if (fd >= 0)
        close(fd);
    return rc;
}

// Makes an empty file for what is written after the start, and stages it:
// the mount carries nosuid and nodev, as every mount does.
static int bind_empty(struct step_mounts *s, const char *name,
                      const char *target, struct berth_err *err)
{
    char mount[32];
    int rc = -1;

    snprintf(mount, sizeof(mount), "%s.mount", name);
    int fd = openat(s->store->dir, name,
                    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 || fchmod(fd, 0644) < 0)
        err_set(err, BERTH_ESYS, "making %s: %m", name);
    else
        rc = bind_own(s, fd, mount, target, err);
    if (fd >= 0)
        close(fd);
    return rc;
}

static int bind_control(struct step_mounts *s, uid_t uid, struct berth_err *err)
{
    s->listener = listen_at(s->store, "control", uid, err);
    if (s->listener < 0)
        return -1;
    int fd = openat(s->store->dir, "control", O_PATH | O_NOFOLLOW | O_CLOEXEC);
    int rc = fd < 0 ? err_set(err, BERTH_ESYS, "control: %m")
                    : bind_own(s, fd, "control.mount", WIRE_CONTROL_PATH, err);
    if (fd >= 0)
        close(fd);
    return rc;
}

int step_mounts_make(const struct step *step, const struct admission *admission,
                     int theirs, const struct store_step *store,
                     struct step_mounts *out, struct berth_err *err)
{
    const struct decision *decision = &admission->decision;
    uid_t uid = decision_uid(decision, &admission->subject);

    *out = (struct step_mounts)STEP_MOUNTS_NONE;
    out->store = store;
    if (bind_init(out, step->node, err) < 0 ||
        bind_decided(out, step, admission, theirs, err) < 0 ||
        bind_control(out, uid, err) < 0)
        return -1;
    // Who is root is in the image's own files, and changes these.
    return !decision->root &&
                   (bind_empty(out, "passwd", "/etc/passwd", err) < 0 ||
                    bind_empty(out, "group", "/etc/group", err) < 0)
               ? -1
               : 0;
}

int step_mounts_look(const struct step *step, const struct admission *admission,
                     int theirs, struct step_mounts *out, struct berth_err *err)
{
    *out = (struct step_mounts)STEP_MOUNTS_NONE;
    return copy_decided(out, step, admission, theirs, -1, err);
}

bool step_mounts_holds(const struct step_mounts *mounts, const char *target)
{
    for (size_t i = 0; i < mounts->n; i++)
        if (strcmp(mounts->binds[i].target, target) == 0)
            return true;
    return mount_copies_holds(&mounts->copies, target);
}

void step_mounts_clear(struct step_mounts *mounts)
{
    if (mounts->listener >= 0)
        close(mounts->listener);
    mount_copies_clear(&mounts->copies);
    for (size_t i = 0; i < mounts->n; i++)
        free(mounts->paths[i]);
    *mounts = (struct step_mounts)STEP_MOUNTS_NONE;
}
