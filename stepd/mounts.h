// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// What is mounted into a container besides its image: the mounts of the
// decision, berth-init and the socket where it connects, and the files for
// the user's lines of passwd and group. As root.
#ifndef BERTH_MOUNTS_H
#define BERTH_MOUNTS_H

#include <stdbool.h>
#include <stddef.h>

#include "logic/err.h"
#include "logic/limits.h"
#include "logic/request.h"
#include "logic/step.h"
#include "node/store.h"
#include "stepd/admission.h"
#include "stepd/mount_copies.h"

// berth-init, in the directory of the step.
#define SUPPLY_INIT "init"

struct step_mounts {
    const struct store_step *store; // borrowed
    size_t n;
    struct request_mount binds[BERTH_MOUNTS_MAX]; // for the request
    char *paths[BERTH_MOUNTS_MAX];                // their sources
    struct mount_copies copies; // what is laid over those that the decision has
    int listener;               // where berth-init connects
};

#define STEP_MOUNTS_NONE                                                       \
    {                                                                          \
        .copies = MOUNT_COPIES_NONE, .listener = -1                            \
    }

// Stages in STORE what the container of STEP gets by RULING, whose decision
// allows it, as the tasks see that in the mount namespace THEIRS (-1: as this
// process does). 0; or -1 with ERR set to a sentence for the user.
// step_mounts_clear in either case.
int step_mounts_make(const struct step *step, const struct admission *admission,
                     int theirs, const struct store_step *store,
                     struct step_mounts *out, struct berth_err *err);

// Only looks what the mounts of the decision would be copies of, and makes
// nothing: OUT->copies has that. Else as step_mounts_make.
int step_mounts_look(const struct step *step, const struct admission *admission,
                     int theirs, struct step_mounts *out,
                     struct berth_err *err);

// Says whether TARGET is where one of these is, or in what one of them
// brings.
bool step_mounts_holds(const struct step_mounts *mounts, const char *target);

void step_mounts_clear(struct step_mounts *mounts);

#endif
