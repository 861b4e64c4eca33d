// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Steps that are in one container at the same time: by the name that its job
// has for it (--container-name), or because one joins another's
// (--container-join). What shapes a container is that step's who made it: a
// step that joins it says the same of that, or nothing.
#ifndef BERTH_JOIN_H
#define BERTH_JOIN_H

#include "engine/watch.h"
#include "logic/err.h"
#include "logic/options.h"
#include "logic/step.h"
#include "node/store.h"
#include "stepd/container.h"

// A file in the directory of the step that made a container: what it was made
// for, as texts "WORD=...".
#define JOIN_ASKED "asked"

struct join {
    bool by_name;
    bool exclusive; // not while another step is in it
    char name[OPTIONS_NAME_MAX];
    char host[STEP_NAME_MAX]; // the step whose berth-stepd keeps it; empty:
                              // there is none, and this step makes its own
    struct step step; // this one, as it would have to be to make that: options
                      // and working directory are owned, all else borrowed
    int lock;         // of the job's names, or -1
};

#define JOIN_NONE                                                              \
    {                                                                          \
        .lock = -1                                                             \
    }

// Reads which run of STEP's job this is: one that was requeued is another job.
// 0, or -1: there is no record of it.
int join_run(const struct step *step, char run[STORE_NONCE_MAX]);

// Holds the record of STEP's job, for what only one of its steps on the node is
// to do at a time, and which does not take long. A descriptor to be closed, or
// -1: there is none, or WATCH says that nobody waits for it.
int join_lock(const struct step *step, const struct watch *watch);

// Looks for what STEP asks to be in; it need not ask for anything. Until
// join_note or join_clear nobody else makes a container for the name. 0; or -1
// with ERR set to a sentence for the user (BERTH_EENDED: WATCH says so).
// join_clear in either case.
int join_find(const struct step *step, const struct watch *watch,
              struct join *out, struct berth_err *err);

// How many containers the job of STEP has on the node beside its own, those that
// are being made included: those with names if NAMED, or all. It counts no
// further than BERTH_KEPT_MAX.
size_t join_count(const struct step *step, bool named);

// Notes in STORE what the container of STEP is made for, so that others find
// it from now on. 0, or -1 with ERR set.
int join_note(struct join *join, const struct store_step *store,
              const struct step *step, struct berth_err *err);

// Takes the note back: there will be no container.
void join_forget(const struct store_step *store);

// Says whether what MADE_FROM has is what the container that is joined was made
// from (HOST's), as far as STEP cannot do without. 0; or -1 with ERR set.
int join_compare(const struct join *join, const struct strv *made_from,
                 const char *gpus, struct berth_err *err);

void join_clear(struct join *join); // keeps errno

#endif
