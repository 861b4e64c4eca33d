// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Whether the policy that berth-policy(1) reads is the one that holds on this
// host: who loads the plugin, who may use the engine, and whether those whom
// it names exist. With the caller's rights; nothing is changed.
#ifndef BERTH_INSTALLED_H
#define BERTH_INSTALLED_H

#include <stddef.h>

#include "logic/policy.h"
#include "logic/strv.h"
#include "node/plugstack_find.h"

struct installed {
    struct strv files;    // that were read, in their order
    struct strv problems; // a sentence each
    struct strv notes;    // what else was found
};

// Looks at the files that PLUGSTACK (NULL: Slurm's own) leads to, and at CONF,
// the policy's. ORIGIN is the line that loads the plugin, if there is one.
// POLICY is NULL if it is in error: then what it says is not looked at. 0, or
// -1 when memory is out.
int installed_look(const char *plugstack, const struct plugstack_origin *origin,
                   const char *conf, const struct policy *policy,
                   struct installed *out);

// The same, of the engine's socket at PATH alone.
int installed_engine(const char *path, struct installed *out);

void installed_clear(struct installed *installed);

#endif
