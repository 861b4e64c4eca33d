// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// An image brought to a node before anybody asks for it: `berth-images pull`.
#ifndef BERTH_IMAGES_PULL_H
#define BERTH_IMAGES_PULL_H

#include <stdbool.h>

#include "logic/err.h"
#include "logic/policy.h"
#include "tools/images_list.h"

// Brings what NAME leads to now, with root's credentials or the site's, to NODE
// (NULL: this machine, by Slurm's name), into the engine of POLICY, or that for
// who is root in a container. Says what comes of it on standard
// output, and how far it is on standard error. 0, or -1 with ERR set.
int images_pull(const struct policy *policy, bool root_engine, const char *node,
                const char *name, enum images_form form, struct berth_err *err);

#endif
