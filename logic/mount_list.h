// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Which mounts a container gets: the administrator's, the user's, his home
// and the working directory, each at a place of its own. Pure.
#ifndef BERTH_MOUNT_LIST_H
#define BERTH_MOUNT_LIST_H

#include "logic/decision.h"
#include "logic/options.h"

// Fills the mounts of OUT, in their order. Returns 0, or -1 with the denial
// in OUT.
int mount_list_decide(struct decision *out, const struct options *options,
                      const struct subject *subject);

#endif
