// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The mounts of a decision, as they come into a container: each source is
// opened as the user, judged, and copied; the engine gets an empty directory
// or file of berth's own to mount at the target, and when the container is
// there, the copy is laid over that (stepd/mountns.h). So the engine, and
// what it runs as root, never look at a path of a user's.
#ifndef BERTH_MOUNT_COPIES_H
#define BERTH_MOUNT_COPIES_H

#include <stdbool.h>
#include <stddef.h>

#include "logic/decision.h"
#include "logic/err.h"
#include "logic/limits.h"
#include "logic/step.h"

struct mount_copy {
    char *target;
    int tree; // the copy (stepd/mount_source.h)
    bool is_dir;
    bool nested;   // its target is in another one's: its place is there, or
                   // made there as the user
    char name[16]; // of the empty directory or file, unless it is nested
    dev_t dev;     // of that
    ino_t ino;
};

struct mount_copies {
    size_t n;
    struct mount_copy v[BERTH_MOUNTS_MAX]; // those that hold others first
    bool no_home; // the home is not there, whatever the decision says
    const struct rule_list *targets; // the rules'
};

// Stages the mounts of DECISION for SUBJECT, and what Slurm itself has for the
// tasks of STEP: its copy of the batch script, PMIx's directories, and what
// opens the job's X11 display. Makes the empty ones in the directory DIR.
// NEVER: see mount_source_judge. 0; or -1 with ERR set to a sentence for the
// user. mount_copies_clear in either case.
int mount_copies_make(const struct decision *decision,
                      const struct subject *subject, const struct step *step,
                      const char *const *never, int dir,
                      struct mount_copies *out, struct berth_err *err);

// Says whether one of MOUNTS is at TARGET itself.
bool mount_copies_covers(const struct mount_copies *mounts, const char *target);

// Says whether TARGET is in a directory that one of MOUNTS brings: nothing
// can be mounted there before the container runs.
bool mount_copies_holds(const struct mount_copies *mounts, const char *target);

void mount_copies_clear(struct mount_copies *mounts); // keeps errno

#endif
