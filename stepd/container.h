// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The container of a step: decided on, made, audited.
#ifndef BERTH_CONTAINER_H
#define BERTH_CONTAINER_H

#include <sys/types.h>

#include "engine/watch.h"
#include "logic/err.h"
#include "logic/step.h"
#include "logic/strv.h"
#include "node/audit_log.h"
#include "node/store.h"
#include "stepd/cgroup.h"
#include "stepd/gpus.h"
#include "stepd/mountns.h"
#include "stepd/process.h"

struct container {
    struct process init; // berth-init
    int control;         // link to it: closing it ends the container
    struct mountns mountns;
    struct strv changes; // of the tasks' environment (protocol/wire.h)
    uint64_t pids_limit; // stepd/cgroup.h
    char warning[1024];  // for the user, or empty
    char advice[512];    // likewise
    struct gpus gpus;    // that are in it
};

// Decides by the administrator's files whether STEP may have its container,
// and makes, starts and audits it. What it makes on the node is in STORE and
// on record there, also when it fails. JOURNAL learns what was decided.
// Blocks as long as the engine does, or until WATCH says that the step is over
// (BERTH_EENDED). Returns 0 and OUT, or -1 with ERR set to a sentence for the
// user.
int container_create(const struct step *step, const struct cgroups *cgroups,
                     const struct store_step *store, struct audit_log *log,
                     const struct watch *watch, struct container *out,
                     struct berth_err *err);

// Ends the container: berth-init sees its link close. STORE knows how to
// remove what is left.
void container_close(struct container *container);

#endif
