// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// What is mounted into a container besides its image: the mounts of the
// decision, berth-init and the socket where it connects, and the files for
// the user's lines of passwd and group. As root.
#ifndef BERTH_SUPPLY_H
#define BERTH_SUPPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "logic/err.h"
#include "logic/limits.h"
#include "logic/request.h"
#include "logic/step.h"
#include "stepd/mount_copies.h"
#include "stepd/admission.h"
#include "node/store.h"

// berth-init, in the directory of the step.
#define SUPPLY_INIT "init"

struct supply {
    const struct store_step *store; // borrowed
    size_t n;
    struct request_mount mounts[BERTH_MOUNTS_MAX]; // for the request
    char *paths[BERTH_MOUNTS_MAX];                 // their sources
    struct attach attach; // what is laid over those that the decision has
    int listener;         // where berth-init connects
};

// Stages in STORE what the container of STEP gets by RULING, whose decision
// allows it. 0; or -1 with ERR set to a sentence for the user. supply_clear in
// either case.
int supply_stage(const struct step *step, const struct ruling *ruling,
                 const struct store_step *store, struct supply *out,
                 struct berth_err *err);

// Says whether TARGET is where one of these is, or in what one of them
// brings.
bool supply_holds(const struct supply *supply, const char *target);

void supply_clear(struct supply *supply);

#endif
