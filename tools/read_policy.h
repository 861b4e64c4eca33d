// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The policy of this host, for the administrator's tools: by the files that a
// node reads, or by others that the caller names.
#ifndef BERTH_READ_POLICY_H
#define BERTH_READ_POLICY_H

#include <stdbool.h>

#include "logic/err.h"
#include "logic/policy.h"

// Reads the plugin's words that PLUGSTACK (NULL: Slurm's own) has, and CONF,
// with the caller's rights, or (NULL) the berth.conf that these lead to, as the
// node does. 0 and OUT; or -1 with ERR set: what is there is in error, or, with
// UNREAD set, it could not be read.
int read_policy(const char *plugstack, const char *conf, struct policy **out,
                bool *unread, struct berth_err *err);

#endif
