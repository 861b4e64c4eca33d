// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Files whose text root acts on: berth.conf, a seccomp profile. Nobody but
// root may be able to change them, or what their path leads to.
#ifndef BERTH_TRUSTED_H
#define BERTH_TRUSTED_H

#include <stddef.h>
#include <sys/types.h>

#include "logic/err.h"

// Reads the file PATH, which is absolute. It must be a regular file of
// BERTH_CONF_MAX bytes at most and no symbolic link. The file, and each
// directory on the way to it, also by way of symbolic links, must be root's
// and not writable by group or others; a sticky bit excuses nothing. 0 and
// TEXT (the caller frees it; LEN bytes and a NUL), or -1 with ERR set to a
// sentence for the administrator: BERTH_ENOTFOUND if it does not exist.
int trusted_read(const char *path, char **text, size_t *len,
                 struct berth_err *err);

// The same for tests: as though the directory TOP were "/", and OWNER root.
int trusted_read_below(int top, uid_t owner, const char *path, char **text,
                       size_t *len, struct berth_err *err);

#endif
