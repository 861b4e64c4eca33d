// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Whose files are root's in a container whose user is root in it: those of the
// user and of his groups, on whatever is mounted into it from the node. Others'
// are nobody's inside, and what he may do with them outside he may do there: no
// capability reaches them.
#ifndef BERTH_IDMAP_H
#define BERTH_IDMAP_H

#include "logic/decision.h"
#include "logic/err.h"

// Makes the map of DECISION for SUBJECT: a user namespace that has no process.
// The user himself and his group are root's there; his other groups, of those
// that DECISION carries, have their own numbers inside. A descriptor, or -1:
// with ERR set; or untouched, where DECISION has no range. As root.
int idmap_open(const struct decision *decision, const struct subject *subject,
               struct berth_err *err);

// Lays the map MAP over the mount TREE, a copy that is nowhere yet, of what is
// called NAME. MAP may be -1: then there is none. 0, or -1 with ERR set.
int idmap_mount(int map, int tree, const char *name, struct berth_err *err);

#endif
