// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// What berth-prolog and berth-epilog share: the facts that slurmd tells
// them, and how they behave as its children.
#ifndef BERTH_PROLOG_EPILOG_H
#define BERTH_PROLOG_EPILOG_H

#include <stdbool.h>
#include <stdint.h>

#include "logic/err.h"

// The job that slurmd runs this program for. Only variables that slurmd
// itself sets are read: never SPANK_*, which is the user's. False: slurmd
// did not start this program.
struct job_env {
    uint32_t job;
    char node[65];
    char cluster[128];
    char partition[128];
    char gpus[4096];
    char slurm_conf[4096]; // or empty
};
bool job_env_read(struct job_env *out);

// Sets this process up: bounds its time (after BERTH_SWEEP_MS it says so
// and exits with STATUS), closes what it inherited, trusts no environment
// from here on.
void set_up(const char *name, int status);

// One line to standard error and to syslog.
void complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

// Starts PROGRAM, nicer by NICENESS, and does not wait for it: in a session of
// its own, as slurmd kills the process group of a hook that has ended, and with
// none of its descriptors, which slurmd may read to their end. Complains where
// it cannot be started.
void start_apart(const char *program, char *const argv[], char *const env[],
                 int niceness);

// Starts "berth-epilog --sweep" for NODE so: what it looks for is other jobs',
// and may take its time.
void sweep_apart(const char *node);

// Says whether there is a record of a container on NODE that its engine may yet
// make (node/store.h): the next sweep looks for it.
bool any_unanswered(const char *node);

#endif
