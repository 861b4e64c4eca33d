// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// srun, sbatch and salloc: what a command asks for, and an early answer to
// it. Convenience only: the node decides again from scratch.
#ifndef BERTH_CLIENT_H
#define BERTH_CLIENT_H

#include <stdbool.h>

#include <slurm/spank.h>

#include "logic/err.h"
#include "logic/options.h"

struct client {
    struct options surrounding; // what salloc was given, if this is its step
    bool wanted;                // this command asks for a container
    char *container; // of Slurm's own --container, when --container-image was
                     // read last; or NULL
    bool later;      // this is not the first part of a heterogeneous job
    char *first;     // the image of that, or NULL
    bool asked;      // what the tag leads to: for all components
    char *resolved;  // the image by its digest, or NULL
};

// The user, before Slurm reads its options. Forgets what a surrounding job
// was given. ARGV are the plugin's words. If the command line asks for what
// the user may run, and for nothing else, prints that and ends the program:
// Slurm would miss a program or a script in it.
void client_begin(struct client *client, int argc, char **argv);

// The user, as Slurm reads its options. Notes that the option NAME of berth's
// is read now.
void client_took(struct client *client, const char *name);

// The user, when Slurm has read its options. Takes GIVEN, the options that
// the plugin has seen, Slurm's own --container, and the defaults in the
// environment together, and sends the lot along. 0, or -1 with ERR set: it is
// refused. Called for each part of a heterogeneous job, whose options Slurm
// hands on from part to part: they hold for all. Its own --container it hands
// on to the tasks, but not to the next part, which must have the same.
int client_check(struct client *client, spank_t sp, const struct options *given,
                 int argc, char **argv, struct berth_err *err);

// srun, the user. TEXT, as Slurm's allocator makes it, which is to free it; or
// NULL: it cannot be had.
char *client_word(const char *text);

// srun, the user, before the step's launch. Has the copy that --bcast has made
// run in a container and nowhere else, as a program has that is named: since
// 23.02 srun puts the copy's name in that one's place only after this. 0, or
// -1: it cannot be.
int client_wrap_copy(void);

void client_clear(struct client *client); // keeps errno

#endif
