// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// What a step has on a node, removed: by its berth-stepd at its end, and for
// one that was killed by berth-epilog.
#ifndef BERTH_REMOVAL_H
#define BERTH_REMOVAL_H

#include "logic/err.h"
#include "node/store.h"

// Writes the end of a step whose berth-stepd was killed to the audit log
// (node/audit_log.h). Kills what is in the cgroups of the container of the
// record, and removes it: that with the recorded ID, or, where none was
// recorded, that with the recorded name if it carries the record's nonce. Then
// what its engine left of its cgroups, the staged mounts, then the directory,
// and closes STEP. The engine has MS milliseconds for it. The record of a
// container that the engine may yet make is kept (store_record_keep). 0; or -1
// with ERR set, what is left still on record, and STEP open for another try. As
// root.
int removal_run(struct store_step *step, long ms, struct berth_err *err);

// Removes the container of RECORD alone, for which the engine has MS
// milliseconds. 1: it is gone; 0: the engine has had none by that name, WAIT_MS
// long; or -1 with ERR set. As root.
int removal_container(const struct store_record *record, int wait_ms, long ms,
                      struct berth_err *err);

#endif
