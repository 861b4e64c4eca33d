// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The container of a step: decided on; taken over from an earlier step of its
// job, or made; audited.
#ifndef BERTH_CONTAINER_H
#define BERTH_CONTAINER_H

#include <stdbool.h>
#include <sys/types.h>

#include "engine/watch.h"
#include "logic/err.h"
#include "logic/step.h"
#include "logic/strv.h"
#include "node/audit_log.h"
#include "node/store.h"
#include "protocol/compare.h"
#include "stepd/cgroup.h"
#include "stepd/gpus.h"
#include "stepd/mountns.h"
#include "stepd/process.h"
#include "stepd/save.h"

#define CONTAINER_NONE                                                         \
    {                                                                          \
        .init = PROCESS_NONE, .control = -1, .keeper = -1, .answer = -1,       \
        .mountns = MOUNTNS_NONE                                                \
    }

struct container {
    struct process init; // berth-init
    int control; // link to it: whoever closes it last ends the container
    int keeper;  // to the berth-stepd that made it (stepd/share.h), or
                 // -1: this one has
    int answer;  // there is none, but what the step is told in its
                 // place (stepd/errand.h), or -1
    bool lacks;  // that is not all, as one of the warnings says
    char host[STEP_NAME_MAX]; // the step whose berth-stepd that is
    bool keeps;               // it may outlive its step, for another
    unsigned idle_s;          // for so long
    uid_t uid;                // of its processes, as the node sees them
    bool cdi;                 // its GPUs are CDI devices
    struct mountns mountns;
    struct mount_steps steps;         // what is this step's alone of it
    struct mountns_terminal terminal; // likewise
    struct strv changes;          // of the tasks' environment (protocol/wire.h)
    uint64_t pids_limit;          // stepd/cgroup.h
    struct strv warnings;         // for the user
    char fetched[1024];           // likewise, or empty: what was fetched for it
    char tells[COMPARE_LINE_MAX]; // of its image, for srun
                                  // (protocol/compare.h): NAME ID DIGEST; or
                                  // empty: there is nothing to tell
    struct gpus gpus;             // that are in it
    struct save_wish save;        // what the step wants saved of it
};

// What the user hears while his container is being made.
struct container_listener {
    void (*say)(void *arg, const char *line); // how far something is
    // Puts a process that will be the user's where the step's are.
    int (*confine)(void *arg, pid_t pid, struct berth_err *err);
    void *arg;
};

// Decides by the administrator's files whether STEP, whose tasks Slurm has put
// into the mount namespace THEIRS (-1: into none of their own), may have its
// container, and takes one over, or makes, starts and audits it; or does what
// it wants in place of one. What it makes on the node is in STORE and on record
// there, also when it fails. JOURNAL learns what was decided. Blocks as long as
// the engine does, and the fetch of an image, of which LISTENER hears, or until
// WATCH says that the step is over
// (BERTH_EENDED). Returns 0 and OUT, or -1 with ERR set to a sentence for the
// user.
int container_create(const struct step *step, int theirs,
                     const struct cgroups *cgroups,
                     const struct store_step *store, struct audit_log *log,
                     const struct watch *watch,
                     const struct container_listener *listener,
                     struct container *out, struct berth_err *err);

// Takes away again what is STEP's alone of the container, before others can
// take it. What cannot be taken away goes with it, and shows an empty directory
// until then.
void container_take_own(struct container *container, const struct step *step);

// Lets go of the container: berth-init sees its link close, unless others have
// it. STORE knows how to remove what is left.
void container_close(struct container *container);

#endif
