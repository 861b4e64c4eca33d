// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The facts of a step, the administrator's files, and what they lead to:
// where logic/decide.h gets what it decides on.
#ifndef BERTH_ADMISSION_H
#define BERTH_ADMISSION_H

#include <stdbool.h>

#include "logic/decide.h"
#include "logic/err.h"
#include "logic/policy.h"
#include "logic/step.h"
#include "node/audit_log.h"
#include "node/store.h"
#include "stepd/identity.h"

// Zeroed, it is none. What it has points into itself: it stays where it is.
struct admission {
    struct store_job allocation; // what the prolog told of the job
    bool allocated;              // it did
    struct identity identity;
    struct policy *policy;
    struct rules rules;
    struct subject subject;
    struct decision decision; // allows, if there is one
    char advice[512];         // for the user, whatever is decided, or empty
};

// Looks STEP's user up, reads berth.conf as root, and decides. JOURNAL learns
// what was decided. 0; or -1 with ERR set to a sentence for the user: it is
// denied, or the administrator's words are in error. admission_clear in either
// case.
int admission_make(const struct step *step, struct audit_log *log,
                   struct admission *out, struct berth_err *err);

void admission_clear(struct admission *admission); // keeps errno

#endif
