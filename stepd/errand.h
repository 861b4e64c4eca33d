// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// What a step has done in place of a container (--container-do): it is told
// which images there are, or something is brought or goes. The policy has
// allowed it before.
#ifndef BERTH_ERRAND_H
#define BERTH_ERRAND_H

#include "engine/watch.h"
#include "images/get.h"
#include "logic/err.h"
#include "logic/step.h"
#include "node/audit_log.h"
#include "stepd/admission.h"
#include "stepd/join.h"

struct errand_order {
    const struct step *step;
    const struct admission *admission;
    const struct join *join;      // what is to end
    const struct images_got *got; // what was brought, if that was asked
    const struct watch *watch;
    struct audit_log *log;
};

// Does it. Returns a descriptor for the first task, of what that is to write:
// lines of JSON; or -1 with ERR set to a sentence for the user. MISSING says
// why that is not all, or is empty.
int errand_run(const struct errand_order *order, struct berth_err *missing,
               struct berth_err *err);

#endif
