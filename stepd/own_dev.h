// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The standard device nodes of a container with a user namespace of its own.
// A runtime cannot make nodes there and binds the node's, whose owner and mode
// it may then change for all of the node (trap 24). These are berth's own, and
// root's, who is nobody in that namespace.
#ifndef BERTH_OWN_DEV_H
#define BERTH_OWN_DEV_H

#include <stdbool.h>
#include <stddef.h>

#include "logic/err.h"

enum { OWN_DEVS = 6 };

// Makes them in the directory DIR, and a mount of each in TREES, which is
// nowhere yet. 0; or -1 with ERR set. own_dev_close in either case.
int own_dev_make(int dir, int trees[OWN_DEVS], struct berth_err *err);

// In a child that is in a container's mount namespace while only the engine's
// mounts are there: puts them into the places of the engine's. 0, or -1.
int own_dev_lay(const int trees[OWN_DEVS]);

// Says whether PATH ("/dev/null") is one of them.
bool own_dev_is(const char *path);

void own_dev_close(int trees[OWN_DEVS]); // keeps errno

#endif
