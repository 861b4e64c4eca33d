// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Where this node has other file systems mounted within a directory: the copy
// of a mount (stepd/mount_source.h) has none of them.
#ifndef BERTH_MOUNT_NESTED_H
#define BERTH_MOUNT_NESTED_H

#include "logic/err.h"
#include "logic/strv.h"

// Appends to OUT each place below DIR, absolute and without symbolic links,
// where something is mounted in the mount namespace that this process is in,
// whose directory in /proc is open on SELF, once. 0, or -1 with ERR set.
int mount_nested_find(int self, const char *dir, struct strv *out,
                      struct berth_err *err);

#endif
