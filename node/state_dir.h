// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The directories in which berth keeps what it has on a node.
#ifndef BERTH_STATE_DIR_H
#define BERTH_STATE_DIR_H

#include "logic/err.h"

// Makes the directory PATH, root's own and 0711, unless it is there; on a node
// without disks even its parents may have to be made. 0, or -1 with ERR set:
// also where others can write to it. As root.
int state_dir_make(const char *path, struct berth_err *err);

#endif
