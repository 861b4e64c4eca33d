// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The resource limits that a container is given.
#ifndef BERTH_ULIMITS_H
#define BERTH_ULIMITS_H

#include <stddef.h>

#include "logic/err.h"
#include "logic/request.h"
#include "logic/rlimits.h"
#include "logic/rules.h"
#include "logic/strv.h"

// Lets this process have N descriptors, as far as it may.
void ulimits_raise_files(size_t n);

// The limits with which this process was started: those of berth-stepd are
// slurmd's and bound those of every task, whose own come with them
// (protocol/wire.h). Returns their number.
size_t ulimits_choose(struct request_ulimit out[RLIMITS]);

// Puts the administrator's RULES in the place of those of the same names in OUT
// (COUNT, of ulimits_choose), and appends to OVERLAY that each task is to have
// them as well. 0, or -1 with ERR set: memory is out.
int ulimits_override(const struct rule_list *rules, struct request_ulimit *out,
                     size_t count, struct strv *changes, struct berth_err *err);

#endif
