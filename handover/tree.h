// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The processes that come of a task.
#ifndef BERTH_TREE_H
#define BERTH_TREE_H

#include <sys/types.h>

// Kills the process ROOT, a child of ours that has not been waited for, and
// all that comes from it. The tree is stopped first, until it no longer
// grows, so that nothing escapes by forking. What can't be found (without a
// /proc, or re-parented earlier) goes when the container does.
void tree_kill(pid_t root);

// Sends SIG to the process group of PID, but not to PID itself.
void tree_signal_group(pid_t pid, int sig);

#endif
