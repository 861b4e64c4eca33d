// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The decision: rules, a user's options and facts in; a verdict, its reason
// and what the container is to be out. Pure: the same code runs in
// berth-stepd, in srun, sbatch and salloc, and in berth-policy(1). What it
// can't know (what a path leads to, what an image has, which image is whose),
// berth-stepd judges later, by the patterns that are given along.
#ifndef BERTH_DECIDE_H
#define BERTH_DECIDE_H

#include <stdbool.h>

#include "logic/decision.h"
#include "logic/err.h"
#include "logic/options.h"
#include "logic/rules.h"

// Decides on OPTIONS. OUT is always valid afterwards, and anything but
// VERDICT_ALLOW in it is a denial; so is running out of memory. RULES may be
// NULL: a denial without a reason.
void decide(const struct rules *rules, const struct options *options,
            const struct subject *subject, struct decision *out);

// Says whether SUBJECT can have a container at all: 0, or -1 with ERR set.
int decide_who(const struct rules *rules, const struct subject *subject,
               struct berth_err *err);

// Says whether REAL, to which the source of MOUNT led, is one that the rules
// allow: it matches one of the patterns, or is in WITHIN, to which that of
// MOUNT led (or NULL), or MOUNT has neither.
bool decide_source_ok(const struct decision_mount *mount, const char *real,
                      const char *within);

// Says in the reason of OUT, a denial, that its unnamed source is a symbolic
// link, or is behind one, and leads to REAL.
void decide_tell_link(struct decision *out, const struct subject *subject,
                      const char *real);

// Says whether what is mounted within REAL, to which the source of MOUNT led,
// comes along with it.
bool decide_recurses(const struct decision *decision,
                     const struct decision_mount *mount, const char *real);

#endif
