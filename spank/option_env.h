// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Gets the options from srun, sbatch and salloc to slurmstepd. Slurm itself
// sends those that were written on srun's command line, and no others: a
// batch step has but its environment, and of that --export=NONE and
// --export-file leave what is SLURM's. So they travel there, in the variables
// that Slurm has for a job's SPANK options.
#ifndef BERTH_OPTION_ENV_H
#define BERTH_OPTION_ENV_H

#include <stdbool.h>

#include <slurm/spank.h>

#include "logic/err.h"
#include "logic/options.h"
#include "logic/policy.h"
#include "protocol/compare.h"

// srun, sbatch, salloc: the user. Takes out of the environment what a
// surrounding job was given, and notes it in OUT: it is not what this
// command asks for. What is malformed is dropped.
void option_env_forget(struct options *out);

// srun, sbatch, salloc: the user. Sends OPTIONS along. 0, or -1 when memory
// is out.
int option_env_send(spank_t sp, const struct options *options);

// srun: the user. Sends along what tells this host's policy from others
// (logic/policy.h). 0, or -1 when memory is out.
int option_env_send_policy(const char *fingerprint);

// slurmstepd: root. Takes that out of the step's environment. False: none has
// come.
bool option_env_receive_policy(spank_t sp, char out[POLICY_FINGERPRINT]);

// srun, and slurmstepd: likewise, where srun hears which images the nodes have
// (protocol/compare.h).
int option_env_send_compare(const char *where);
bool option_env_receive_compare(spank_t sp, char out[COMPARE_WHERE_MAX]);

// slurmstepd: root. Adds to OPTIONS what has come with the step, and takes it
// out of the step's environment. 0, or -1 with ERR set if any of it is
// malformed.
int option_env_receive(spank_t sp, struct options *options,
                       struct berth_err *err);

#endif
