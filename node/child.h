// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Children of berth's programs of root, which do what may take for ever (a file
// server that does not answer) or may be stopped (a process of the user's).
// None outlives its parent, but one that hangs in the kernel, and that holds
// nothing: no lock of a step's, no link, no connection to the engine.
#ifndef BERTH_CHILD_H
#define BERTH_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct child_user {
    uid_t uid;
    gid_t gid;
    const gid_t *gids; // supplementary
    size_t ngids;
};

// In a child that PARENT has just forked: has it killed when PARENT ends, and
// closes all but the N descriptors KEEP, of which some may be -1. Sorts KEEP.
// 0, or -1.
int child_begin(pid_t parent, int *keep, size_t n);

// In such a child: becomes USER for good. It can be stopped by other processes
// of his from then on, but is still killed when PARENT ends. 0, or -1.
int child_become(pid_t parent, const struct child_user *user);

// Waits MS at most until the child PID ends. True: it has, and exited with 0.
// Else it is killed.
bool child_wait(pid_t pid, int ms);

// Kills the child PID, stopped or not, and buries it unless it hangs in the
// kernel.
void child_end(pid_t pid);

#endif
