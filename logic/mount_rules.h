// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Which mounts the rules let a user have (mounts_allowed). Pure.
#ifndef BERTH_MOUNT_RULES_H
#define BERTH_MOUNT_RULES_H

#include "logic/decision.h"
#include "logic/mount_syntax.h"

// What the rules of OUT say of WANTED, which has a source: into MOUNT go the
// rule that lets him have it, whether it is read-only, and the patterns that
// its real source must match. If MOUNT is within a directory of the user's, no
// rule is needed for its name. Returns 0, or -1 with the denial in OUT; what
// is in MOUNT is the caller's to free in both cases.
int mount_rules_judge(struct decision *out, const struct subject *subject,
                      const struct mount *wanted, struct decision_mount *mount);

// Says whether a rule names PATH as a source.
bool mount_rules_name(const struct rules *rules, const struct subject *subject,
                      const char *path);

// Notes in OUT which rules say that what is mounted within a source comes
// along. They count for the place that a source led to, whatever it was called:
// also for the working directory and the home, which need no rule. 0, or -1
// with the denial in OUT.
int mount_rules_recurse(struct decision *out, const struct subject *subject);

#endif
