// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Devices that the administrator gives to containers, by the patterns of his
// device sets.
#ifndef BERTH_DEVICES_H
#define BERTH_DEVICES_H

#include "logic/err.h"
#include "logic/request.h"
#include "logic/rules.h"
#include "logic/strv.h"
#include "stepd/gpus.h"

// Finds the device files of this node that PATTERNS ("/dev/infiniband/\*")
// match, and asks for them in REQUEST, which borrows from OUT, but for those
// of GPUS, which are asked for by these, or NULL. A node that has none of them
// is fine. 0, or -1 with ERR set: there are too many. strv_clear(OUT) in either
// case.
int devices_find(const struct rule_list *patterns, const struct gpus *gpus,
                 struct request *request, struct strv *out,
                 struct berth_err *err);

#endif
