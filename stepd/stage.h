// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Mount sources: opened as the user, judged by what they are, and bound
// where only root can change them. The engine gets these paths only, and so
// can't be led elsewhere by a rename or a symbolic link.
#ifndef BERTH_STAGE_H
#define BERTH_STAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "core/err.h"

struct stage_user {
    uid_t uid;
    gid_t gid;
    const gid_t *gids; // supplementary
    size_t ngids;
};

// Opens PATH (O_PATH) with the rights of USER and no others, in a child
// process: a file server that does not answer costs BERTH_PROBE_MS and an
// error, not the node. Returns a descriptor, or -1 with ERR set:
// BERTH_EDENIED (the user may not), BERTH_ENOTFOUND, BERTH_ETIMEOUT.
int stage_open(const struct stage_user *user, const char *path,
               struct berth_err *err);

// Says whether what FD is open on may be given to a container: a directory
// or a regular file, and neither one of the NEVER paths (a NULL at the
// end), nor within or above one, by device and inode. PATH is what the user
// calls it. 0, or -1 with ERR set (BERTH_EDENIED).
int stage_judge(int fd, const char *path, const char *const *never,
                struct berth_err *err);

// Binds what FD is open on, without what is mounted within it, to NAME in
// the directory DIR: nosuid, nodev, private, and read-only if READONLY.
// Makes NAME, as a directory or a file as FD is. 0, or -1 with ERR set.
// As root. Linux 5.12 (mount_setattr).
int stage_bind(int fd, int dir, const char *name, bool readonly,
               struct berth_err *err);

#endif
