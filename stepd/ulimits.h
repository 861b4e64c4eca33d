// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The resource limits that a container is given.
#ifndef BERTH_ULIMITS_H
#define BERTH_ULIMITS_H

#include <stddef.h>

#include "core/err.h"
#include "core/request.h"
#include "core/strv.h"

enum { ULIMITS_MAX = 15 }; // those that an engine knows

// The limits of this process, which in berth-stepd are slurmd's and bound
// those of every task: the tasks' own come with them (handover/wire.h).
// Returns their number.
size_t ulimits_choose(struct request_ulimit out[ULIMITS_MAX]);

// Puts the administrator's LIMITS (N) in the place of those of the same names
// in OUT (COUNT), and appends to OVERLAY that each task is to have them as
// well. 0, or -1 with ERR set: there is no limit of such a name.
int ulimits_override(const struct request_ulimit *limits, size_t n,
                     struct request_ulimit *out, size_t count,
                     struct strv *overlay, struct berth_err *err);

#endif
