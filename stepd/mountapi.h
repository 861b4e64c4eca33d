// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The kernel's calls on mounts that are descriptors (open_tree(2), fsopen(2),
// mount_setattr(2), move_mount(2), openat2(2)), for which not every C library
// has functions. As root, in whichever mount namespace the caller is. Each
// returns -1 with errno set where the kernel refuses; descriptors are
// close-on-exec and the caller's.
#ifndef BERTH_MOUNTAPI_H
#define BERTH_MOUNTAPI_H

#include <stddef.h>
#include <stdint.h>

// Opens PATH, seen from the directory DIR. FLAGS are open(2)'s, RESOLVE
// openat2(2)'s (RESOLVE_*).
int mountapi_open(int dir, const char *path, int flags, uint64_t resolve);

// A copy of the mount at PATH below DIR, or of what DIR is where that is empty,
// to which no path leads. FLAGS: AT_RECURSIVE, AT_SYMLINK_NOFOLLOW, or 0.
int mountapi_clone(int dir, const char *path, unsigned flags);

// Gives the mount FD the attributes ATTRS (MOUNT_ATTR_*) beside those that it
// has. PROPAGATION is mount(2)'s (MS_PRIVATE), or 0: as it is.
int mountapi_set(int fd, uint64_t attrs, uint64_t propagation);

// Has the IDs of the mount FD, a copy that is nowhere yet, shown as the user
// namespace NS maps them. EINVAL: its file system cannot. Linux 5.12.
int mountapi_idmap(int fd, int ns);

// Mounts TREE at NAME in DIR, or onto DIR itself where that is empty.
int mountapi_move(int tree, int dir, const char *name);

// A new file system of TYPE with the N OPTIONS (name and value), mounted with
// ATTRS, to which no path leads.
int mountapi_new(const char *type, const char *const options[][2], size_t n,
                 unsigned attrs);

#endif
