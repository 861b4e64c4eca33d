// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The files of the node as a job's tasks see them: Slurm can give a job a mount
// namespace of its own (job_container/tmpfs, namespace/linux), and what a user
// calls /tmp/x is what it is there. This process enters that namespace for as
// long as it opens and copies sources, and mounts nothing in it.
#ifndef BERTH_VIEW_H
#define BERTH_VIEW_H

#include <stdbool.h>

#include "logic/err.h"

struct view {
    int self; // this process's directory in /proc, where it is at home: in a
              // job's namespace another /proc can be mounted, or none
    int home; // its own mount namespace; -1: it has not left it
};

#define VIEW_NONE ((struct view){-1, -1})

// Says whether the mount namespace NS, or -1, is another than this process's.
bool view_differs(int ns);

// As root: enters the mount namespace THEIRS, if that differs. 0, or -1 with
// ERR set. view_leave in either case.
int view_enter(int theirs, struct view *out, struct berth_err *err);

// Comes home, or ends the process: elsewhere it must not go on.
void view_leave(struct view *view); // keeps errno

#endif
