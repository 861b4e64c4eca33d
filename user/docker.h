// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// docker run's words, turned into a command of Slurm's: what means the same
// there becomes that, what holds of every container of berth's is taken
// without a word, and what has no meaning is an error which says why.
#ifndef BERTH_DOCKER_H
#define BERTH_DOCKER_H

#include <stdbool.h>
#include <sys/types.h>

#include "logic/err.h"
#include "logic/strv.h"

// Who asks, and where.
struct docker_who {
    uid_t uid;
    gid_t gid;
    const char *name; // or NULL
    const char *cwd;  // absolute
};

struct docker_run {
    struct strv argv; // srun's or, for --detach, sbatch's
    struct strv env;  // NAME=VALUE, for its environment
    bool show;        // --dry-run: only say it
};

// Turns the ARGC words ARGV, those behind "run", into OUT, which the caller
// clears in either case. 0, or -1 with ERR set: BERTH_EINVAL, BERTH_ENOMEM, or
// BERTH_ENOTFOUND for a file of --env-file, which is read.
int docker_run_parse(int argc, char **argv, const struct docker_who *who,
                     struct docker_run *out, struct berth_err *err);
void docker_run_clear(struct docker_run *run);

// Prints the options that are taken, a line for each.
void docker_run_help(void);

// Writes the words ARGV as a shell would need them, to be freed, or NULL.
char *docker_quote(const struct strv *argv);

#endif
