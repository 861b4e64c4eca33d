// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// How a task starts in a container: its environment is the job's, except
// where the image has a value of its own, the user prefers the job's, or the
// administrator says otherwise. Worked out here as a list of changes that
// berth-task applies to what Slurm gave it (protocol/wire.h, "The changes").
#ifndef BERTH_CHANGES_H
#define BERTH_CHANGES_H

#include <stdbool.h>
#include <stdint.h>

#include "logic/err.h"
#include "logic/options.h"
#include "logic/rules.h"
#include "logic/strv.h"
#include "protocol/wire.h"

// Docker's own default, for images that set no PATH.
#define CHANGES_PATH                                                           \
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// All borrowed; what is zero is not there.
struct changes {
    const char *argv0;  // of the program, or "": see WIRE_ARGV0
    char *const *entry; // the image's entry point
    size_t nentry;
    bool run_entry;   // in front of the program
    char *const *cmd; // the image's
    size_t ncmd;
    bool own; // there is no program: the image's own command is run
    const char *cwd;
    const char *workdir; // the image's, or NULL: of a relative entry point
    bool in_workdir;     // tasks start there, and not in CWD
    const char *home;
    const char *slurm_conf; // where Slurm's commands are to work, else NULL
    const struct options *options; // the step's: there, the defaults of what
    const char *node_cwd;          // it starts, and where on the node
    const struct rule_list *env_deny, *env_pass, *env_ask, *env_job; // globs
    const struct rule_list *env_sets;                                // words
    bool has_ranks; // tasks are srun's, of JOB and STEP: else no word counts
    uint32_t job, step;
    char *const *image_env; // "NAME=VALUE"; what is none is left out
    size_t nimage_env;
    const char *const *env; // globs: the job's values, if it has any
    size_t nenv;
    char *const *env_set; // "NAME=VALUE": wins over all
    size_t nenv_set;
};

// Appends the changes to OUT. Variables that tell a task who and where it is
// in its job, or that drive a vendor's hooks, are never the image's: SLURM*,
// PMI*, PMIX*, OMPI_*, NVIDIA_*, CUDA_VISIBLE_DEVICES and their kin. These
// pass ENV_PASS, and those of GPUs are not to be had by ENV_SET either.
// Returns 0, or -1 with ERR set (BERTH_ENOMEM).
int changes_build(const struct changes *changes, struct strv *out,
                  struct berth_err *err);

// Appends to OUT those of the N assignments ENV that an image, or what the
// administrator adds to it, may make. 0, or -1 with ERR set (BERTH_ENOMEM).
int changes_add(char *const *env, size_t n, struct strv *out,
                struct berth_err *err);

// Says whether ASSIGNMENT ("NAME=VALUE", or a bare name) is of a variable
// that says which GPUs there are.
bool changes_is_of_gpus(const char *assignment);

// Appends one change more. 0, or -1 when memory is out.
int changes_change(struct strv *out, enum wire_change change, const char *text);

#endif
