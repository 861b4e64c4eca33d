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
#include "logic/strv.h"

struct mount_copy {
    char *target;
    int tree; // the copy (stepd/mount_source.h)
    bool is_dir;
    bool own;      // nothing of the user's or the node's is in it: it is made
                   // here, and has no map
    bool steps;    // it is this step's alone, in whose container others may be
    bool nested;   // its target is in another one's, or the engine's, or it is
                   // the step's: its place is there, or made there as the user
    char name[16]; // of the empty directory or file, unless it is nested
    dev_t dev;     // of that
    ino_t ino;
};

// Those that are the step's: PMIx's directories.
struct mount_steps {
    size_t n;
    struct mount_copy v[2];
};

struct mount_copies {
    size_t n;
    struct mount_copy v[BERTH_MOUNTS_MAX]; // those that hold others first
    bool no_home;       // the home is not there, whatever the decision says
    char left_out[512]; // what the node has mounted within them and they lack,
                        // for a sentence; or empty
    struct strv made_from; // of each of them what it is a copy of, as text
    const struct rule_list *targets; // the rules'
    int map; // by which the IDs of each are shown (stepd/idmap.h), or -1
};

#define MOUNT_COPIES_NONE                                                      \
    {                                                                          \
        .map = -1                                                              \
    }

// Stages the mounts of DECISION for SUBJECT, and what Slurm itself has for the
// tasks of STEP: its copy of the batch script, PMIx's directories, and what
// opens the job's X11 display: what that is in the tasks' own mount namespace
// THEIRS, or (-1) in this process's. Makes the empty ones in the directory DIR;
// -1: only looks what they would be copies of, but for those that are the
// step's, which it has OUT hold.
// NEVER: see mount_source_judge. 0; or -1 with ERR set to a sentence for the
// user. mount_copies_clear in either case.
int mount_copies_make(const struct decision *decision,
                      const struct subject *subject, const struct step *step,
                      const char *const *never, int theirs, int dir,
                      struct mount_copies *out, struct berth_err *err);

// Says whether one of MOUNTS is at TARGET itself.
bool mount_copies_covers(const struct mount_copies *mounts, const char *target);

// Says whether TARGET is in a directory that one of MOUNTS brings: nothing
// can be mounted there before the container runs.
bool mount_copies_holds(const struct mount_copies *mounts, const char *target);

// Moves those that are the step's to OUT.
void mount_copies_part(struct mount_copies *mounts, struct mount_steps *out);

void mount_copies_clear(struct mount_copies *mounts); // keeps errno
void mount_steps_clear(struct mount_steps *mounts);   // likewise

#endif
