// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Slurm's commands, run as the user who runs berth, without a shell.
#ifndef BERTH_USER_SLURM_H
#define BERTH_USER_SLURM_H

#include <stdint.h>
#include <stdio.h>

#include "logic/err.h"
#include "logic/strv.h"

// JOB, JOB.STEP or JOB.batch, as Slurm's commands take it; of an array's task
// (12_3.0) by the number of the job that it is.
struct slurm_step {
    char text[64];
    uint32_t job;
    const char *step; // within text, behind the dot; or NULL
};

// 0 and OUT, or -1 with ERR set. Of an array's task it asks Slurm.
int slurm_step_parse(const char *text, struct slurm_step *out,
                     struct berth_err *err);

// Becomes the command ARGV (NULL at its end). Returns only if that fails, with
// the exit status that a shell would have, and what was wrong on stderr.
int slurm_become(const char *const *argv);

// Runs ARGV and calls LINE for each line that it writes (without the newline;
// LINE may change it). Its stderr is this process's. 0, or -1 with ERR set: it
// could not be run, failed, or LINE said so by returning -1 with ERR set.
int slurm_lines(const char *const *argv,
                int (*line)(void *arg, char *text, struct berth_err *err),
                void *arg, struct berth_err *err);

// Appends the names of NODES, such as "n[1-3]", to OUT. 0, or -1 with ERR set.
int slurm_node_names(const char *nodes, struct strv *out,
                     struct berth_err *err);

// Takes the next word KEY=VALUE out of TEXT, as scontrol -o writes them.
// Returns VALUE and sets KEY, or NULL at the end.
char *slurm_field(char **text, char **key);

#endif
