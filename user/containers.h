// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Containers as the nodes of a job know them (user/ask.h): also those that wait
// for a step, of which Slurm knows nothing.
#ifndef BERTH_USER_CONTAINERS_H
#define BERTH_USER_CONTAINERS_H

#include <stdbool.h>
#include <stdint.h>

#include "logic/err.h"
#include "logic/strv.h"
#include "user/ask.h"
#include "user/table.h"

// Prints those of the jobs in ARGV, or of all of one's own that run. Returns
// the exit status, or -1 with ERR set.
int containers_list(int argc, char **argv, const struct table_style *style,
                    struct berth_err *err);

// Has the nodes of JOB say in which images its steps STEPS ("7.1") are: as many
// IMAGES, "" for none. FAILED as ask_nodes has it. 0, or -1 with ERR set.
int containers_images(uint32_t job, const struct strv *steps,
                      struct strv *images, bool *failed, struct berth_err *err);

// Says whether TEXT is JOB.STEP, with a number for each.
bool containers_is_step(const char *text);

// Ends the container WHAT, in which no step is: JOB.STEP, or a name in JOB (0:
// that which this is in), on the nodes of ASK. FAILED as ask_nodes has it, and
// where there is none, which is said: that keeps no other from being ended. 0,
// or -1 with ERR set.
int containers_end(struct ask *ask, uint32_t job, const char *what,
                   bool *failed, struct berth_err *err);

#endif
