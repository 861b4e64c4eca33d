// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// One part of an SELinux label "user:role:type:level", as berth.conf(5) and
// engines write it: "type:container_t".
#ifndef BERTH_SELINUX_H
#define BERTH_SELINUX_H

// Returns the value in TEXT, and in PART which one it is: 0 for the user, to 3
// for the level. NULL where TEXT is no part of a label.
const char *selinux_value(const char *text, unsigned *part);

#endif
