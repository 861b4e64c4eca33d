// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Nodes are asked by a step of Slurm's that runs nothing (--container-do), in
// the job that this is in, or one of its own: the node answers by the policy,
// as whoever asks.
#ifndef BERTH_ASK_H
#define BERTH_ASK_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "logic/err.h"
#include "logic/strv.h"

struct ask {
    const char *errand; // "list"
    const char *nodes;  // as Slurm writes them; NULL: the job's, or, without
                        // one, a node of Slurm's choice
    uint32_t job;       // whose, if not 0
    bool quick;         // minutes are more than it needs
    struct strv words;  // more options of srun's
};

// Asks, and calls LINE for each that the nodes answer. FAILED says whether a
// node, or Slurm, could not, which has been said on stderr. 0, or -1 with ERR
// set.
int ask_nodes(const struct ask *ask,
              int (*line)(void *arg, const json_t *line, struct berth_err *err),
              void *arg, bool *failed, struct berth_err *err);

// The NAME of an image that a node has said, as people write it: the end of it.
const char *ask_short_name(const char *name);

#endif
