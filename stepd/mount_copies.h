// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The mounts of a decision, as they come into a container: each source is
// opened as the user, judged, and copied; the engine gets an empty directory
// or file of berth's own to mount at the target, and when the container is
// there, the copy is laid over that (stepd/mountns.h). So the engine, and
// what it runs as root, never look at a path of a user's.
#ifndef BERTH_ATTACH_H
#define BERTH_ATTACH_H

#include <stdbool.h>
#include <stddef.h>

#include "logic/decide.h"
#include "logic/err.h"
#include "logic/limits.h"
#include "logic/step.h"

struct attach_entry {
    char *target;
    int tree;      // the copy (stepd/mount_source.h)
    bool is_dir;
    bool nested;   // its target is in another one's: that makes its place
    char name[16]; // of the empty directory or file, unless it is nested
};

struct attach {
    size_t n;
    struct attach_entry v[BERTH_MOUNTS_MAX]; // those that hold others first
    bool no_home; // the home is not there, whatever the decision says
};

// Stages the mounts of DECISION for SUBJECT, and what Slurm itself has for the
// tasks of STEP: its copy of the batch script, PMIx's directories, and what
// opens the job's X11 display. Makes the empty ones in the directory DIR.
// NEVER: see stage_judge. 0; or -1 with ERR set to a sentence for the user.
// attach_clear in either case.
int attach_stage(const struct decision *decision,
                 const struct subject *subject, const struct step *step,
                 const char *const *never, int dir, struct attach *out,
                 struct berth_err *err);

// Says whether one of MOUNTS is at TARGET itself.
bool attach_covers(const struct attach *mounts, const char *target);

// Says whether TARGET is in a directory that one of MOUNTS brings: nothing
// can be mounted there before the container runs.
bool attach_holds(const struct attach *mounts, const char *target);

void attach_clear(struct attach *mounts); // keeps errno

#endif
