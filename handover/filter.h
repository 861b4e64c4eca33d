// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The seccomp filters of a container: what berth-init adds to the engine's,
// and what it can tell of that one.
#ifndef BERTH_FILTER_H
#define BERTH_FILTER_H

#include <stdbool.h>

// Says whether the filter that the engine has set refuses what those of both
// engines by default do: to add a key to the kernel's keyrings, which no
// namespace has of its own. The kernel says of a process only that it has a
// filter, and one that allows all is one.
bool filter_is_the_engines(void);

// Closes the ways to a user namespace for this process and all that it will
// start, on top of what the engine's filter refuses: within one, a task would
// have all capabilities, and with them the parts of the kernel that only root
// reaches elsewhere. Docker's own profile does the same, Podman's doesn't.
// Sets no-new-privileges. 0, or -1 and errno.
int filter_users(void);

#endif
