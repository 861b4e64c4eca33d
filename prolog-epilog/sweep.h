// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Sweeping: what dead steps have left goes.
#ifndef BERTH_SWEEP_H
#define BERTH_SWEEP_H

#include <stdbool.h>
#include <stdint.h>

// Which steps are to go.
struct sweep {
    const char *node; // one, or NULL: all
    uint32_t job;     // or 0: of any job
    const char *step; // "JOB.STEP", or NULL
    bool wait;        // for a berth-stepd that is still at it; one that
                      // does not come to an end is killed
    bool dry_run;     // only say what would be removed, and what waited for
    long long end;    // set by sweep
    int left;         // result: how many could not be removed
};

// Removes the steps whose berth-stepd is dead (or, with WAIT, all): their
// containers, mounts and directories. Says on standard output what it
// removed and, on standard error and to syslog, what it could not. As root.
void sweep(struct sweep *sweep);

#endif
