// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// What others may need as well is done by a process of its own: it can go on
// for these where the step is over that it was started for. It is root's, and
// holds nothing of that step's.
#ifndef BERTH_APART_H
#define BERTH_APART_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "engine/watch.h"
#include "logic/err.h"
#include "logic/manifest.h"

// How it ended: plain data.
struct apart_end {
    int rc; // 0, or -1 with ERR
    struct berth_err err;
    char id[MANIFEST_DIGEST];     // of the image
    char digest[MANIFEST_DIGEST]; // of what the name leads to
    uint64_t bytes;
};

// Forks. Returns the process; 0: this is it, where all descriptors are closed
// but the N of KEEP; or -1 with ERR set. *LINK goes to the other of the two.
pid_t apart_begin(int *keep, size_t n, int *link, struct berth_err *err);

// --- there -------------------------------------------------------------------

// Whether the one who started it has gone. Then *LINK becomes a descriptor that
// can be read five times a second, for a watch that waits for it.
bool apart_is_alone(int *link);
void apart_say(int link, const char *line);
void apart_exit(int link, const struct apart_end *end)
    __attribute__((noreturn));

// --- here --------------------------------------------------------------------

// Waits for its end. SAY (may be NULL) is called with each line. 0 and OUT; or
// -1 with ERR set: it was killed; or BERTH_EENDED: WATCH says so.
int apart_wait(pid_t pid, int link, const struct watch *watch,
               void (*say)(void *arg, const char *line), void *arg,
               struct apart_end *out, struct berth_err *err);

#endif
