// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// --container-save: what was written in a container, kept as a file of the
// user's or as an image of his own. A child does it, which is root and holds
// nothing of the step's: the file is written by a program that is the user
// (fetch/save.c), and an image is loaded as all others are (images/load.h).
// Whatever ends the child leaves nothing.
#ifndef BERTH_SAVE_H
#define BERTH_SAVE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "logic/decision.h"
#include "logic/err.h"
#include "logic/root_ids.h"
#include "logic/step.h"
#include "node/store.h"
#include "stepd/process.h"

// What the user wants saved. Zeroed: nothing.
struct save_wish {
    char *target; // the file, absolute; or the image's name; NULL: nothing
    bool image, replace, always;
    struct root_range range; // the container's IDs
    uint64_t max, total;     // save_max, save_total
    uint64_t unpacked_max;   // pull_max_unpacked
    unsigned seconds, wait;  // pull_seconds, probe_seconds
};

// Takes STEP's wish, as it was decided, and looks whether it can come true:
// better now than behind the step. ENGINE is the path of its socket; a file is
// one in the mount namespace THEIRS, or (-1) in this process's. 0, or -1 with ERR
// set. save_wish_clear in either case.
int save_prepare(const struct step *step, const struct decision *decision,
                 const char *engine, int theirs, struct save_wish *out,
                 struct berth_err *err);
void save_wish_clear(struct save_wish *wish);

// A save that goes on.
struct save {
    pid_t pid;  // 0: there is none
    int link;   // to be read
    int writer; // pidfd of berth-save, once there is one, or -1
    long long end_ms;
};

#define SAVE_NONE                                                              \
    {                                                                          \
        .link = -1, .writer = -1                                               \
    }

// Begins it, of the container that RECORD is about, whose first process is INIT
// and whose mount namespace NS. Nothing runs in it. THEIRS as in save_prepare. 0,
// or -1 with ERR set.
int save_begin(const struct step *step, const struct save_wish *wish,
               const struct store_record *record, const struct process *init,
               int ns, int theirs, struct save *out, struct berth_err *err);

enum save_said {
    SAVE_FAILED = -1,
    SAVE_NOTHING = 0,
    SAVE_PROGRESS = 1,
    SAVE_DONE = 2,
};

enum { SAVE_TEXT_MAX = 1024 };

// Hears of it. SAVE_FAILED: ERR is set. Else TEXT is a line for the user, but
// for SAVE_NOTHING.
enum save_said save_hear(struct save *save, char text[SAVE_TEXT_MAX],
                         struct berth_err *err);

// Ends it, whatever it is at.
void save_end(struct save *save);

#endif
