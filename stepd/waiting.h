// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The containers that a job has on the node: those that steps are in, and those
// that wait for one.
#ifndef BERTH_WAITING_H
#define BERTH_WAITING_H

#include <stdio.h>

#include "logic/err.h"
#include "logic/step.h"

// Writes a line of JSON for each container of STEP's job: node, step (that made
// it), name (or null), image, state ("running" or "waiting"), since (seconds
// since 1970) and steps (that are in another's). 0, or -1 with ERR set.
int waiting_list(const struct step *step, FILE *out, struct berth_err *err);

#endif
