// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The resource limits that a container is given.
#ifndef BERTH_ULIMITS_H
#define BERTH_ULIMITS_H

#include <stddef.h>

#include "core/request.h"

enum { ULIMITS_MAX = 15 }; // those that an engine knows

// The limits of this process, which in berth-stepd are slurmd's and bound
// those of every task: the tasks' own come with them (handover/wire.h).
// Returns their number.
size_t ulimits_choose(struct request_ulimit out[ULIMITS_MAX]);

#endif
