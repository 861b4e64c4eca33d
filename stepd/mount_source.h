// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Mount sources: opened as the user, judged by what they are, and copied as
// mounts that no path leads to. Nothing here looks into a user's file system
// as root, which may not be allowed to (NFS with root_squash, FUSE), or wait
// for ever. A rename or a symbolic link comes too late for what is open.
#ifndef BERTH_MOUNT_SOURCE_H
#define BERTH_MOUNT_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "logic/err.h"
#include "node/child.h"

struct mount_source {
    const char *path;  // absolute
    bool trusted;      // root named it: not judged
    bool itself;       // a symbolic link is what it is, and leads nowhere
    const char *spare; // one of the NEVER paths in which it may be, or NULL
    mode_t make;       // S_IFDIR, S_IFREG: what is made where there is
                       // nothing; 0: nothing is
    int fd;            // out: open on it (O_PATH), or -1
    int error;         // out: errno where it is not
    mode_t type;       // out: S_IFDIR, S_IFREG, ...
    uid_t owner;       // out
    dev_t dev;         // out
    ino_t ino;         // out
    off_t size;        // out
    struct timespec changed; // out: its content, owner or mode, last
    char *real;  // out of mount_source_judge: the path that it led to,
    char *mount; // and the number and flags of the mount that it is in
};

// Opens (O_PATH) what SOURCE's path, itself and make say. A descriptor, or -1
// with errno set.
typedef int mount_opener_fn(const struct mount_source *source);

// A child process that opens what it is told to, as a user.
struct mount_opener {
    pid_t pid;
    int sock;
};

// Starts one, by which OPEN is called with the rights of USER and no others.
// mount_opener_end in either case. 0, or -1 with ERR set.
int mount_opener_start(const struct child_user *user, mount_opener_fn *open,
                       struct mount_opener *out, struct berth_err *err);

// Has it open SOURCE: 0, and that has its fd or its error; or -1 with ERR set
// (BERTH_ETIMEOUT: there was no answer within SECONDS).
int mount_opener_ask(const struct mount_opener *opener, unsigned seconds,
                     struct mount_source *source, struct berth_err *err);

void mount_opener_end(struct mount_opener *opener);

// Opens the N SOURCES with the rights of USER and no others, in one child
// process. A file server that does not answer costs SECONDS and an error,
// not the node. 0, and each source has its fd or its error; or -1 with ERR
// set (BERTH_ETIMEOUT: one does not answer) and nothing open.
int mount_source_open(const struct child_user *user, unsigned seconds,
                      struct mount_source *sources, size_t n,
                      struct berth_err *err);

void mount_source_close(struct mount_source *sources, size_t n); // all of them

// Says in ERR why SOURCE, which has an error, could not be opened as USER, who
// is called NAME (or NULL): returns -1 (BERTH_EDENIED: he may not,
// BERTH_ENOTFOUND).
int mount_source_explain(const struct child_user *user, const char *name,
                         const struct mount_source *source,
                         struct berth_err *err);

// Says whether those of the N SOURCES that are open may be given to a
// container, in the mount namespace that this process is in, whose directory
// in /proc is open on SELF: each a directory or a regular file, and neither one
// of the NEVER paths (a NULL at the end), nor within or above one, by the
// kernel's table of mounts: by path, and by file system and place in it. 0; or
// -1 with ERR set (BERTH_EDENIED), and WHICH if it is about one of them.
int mount_source_judge(int self, struct mount_source *sources, size_t n,
                       const char *const *never, size_t *which,
                       struct berth_err *err);

// Says whether what FD is open on is a directory that Slurm has made for the
// user UID within one of its own: it is the user's, and lies where he cannot
// change what its name stands for. PATH is its name. 0, or -1 with ERR set
// (BERTH_EDENIED).
int mount_source_judge_made(int fd, const char *path, uid_t uid,
                            struct berth_err *err);

// Copies the mount of what FD is open on, without what is mounted within it:
// nosuid, nodev, private, and read-only if READONLY. Returns a descriptor of
// the mount, which is nowhere yet, or -1 with ERR set. As root. Linux 5.12
// (mount_setattr).
int mount_clone(int fd, bool readonly, struct berth_err *err);

// Makes NAME in the directory DIR, empty, as a file or as a directory in
// memory: an image's symbolic links can lead an engine to make something in
// it, which then goes with it. 0, or -1 with ERR set.
int mount_point_make(int dir, const char *name, bool is_dir,
                     struct berth_err *err);

// Makes NAME in the directory DIR: what FD is open on, a file or directory of
// root's own. 0, or -1 with ERR set.
int mount_bind(int fd, int dir, const char *name, bool readonly,
               struct berth_err *err);

#endif
