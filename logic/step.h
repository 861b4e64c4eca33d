// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The facts of a job step on one node, as the plugin gathers them in
// slurmstepd and hands them to berth-stepd: one packet each, "key=value".
// The sender is root, the values of option, cwd, pwd and argv0 are the user's.
// An option of his is "option=NAME=VALUE", or "option=NAME" where it takes no
// value, in the words of logic/options.h. Where the plugin has found one that
// cannot be meant, "wrong=SENTENCE" says so in their place.
#ifndef BERTH_STEP_H
#define BERTH_STEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "logic/err.h"
#include "logic/options.h"
#include "logic/strv.h"

// Slurm's names for the steps that have no number (slurm.h).
#define STEP_EXTERN 0xfffffffcU
#define STEP_BATCH 0xfffffffbU
#define STEP_INTERACTIVE 0xfffffffaU

// Where the node has Slurm (spank/slurm_paths.h): absolute paths, or NULL.
struct step_slurm {
    char *conf;     // slurm.conf
    char *plugins;  // directory of Slurm's plugins
    char *berth;    // directory of the SPANK plugin
    char *commands; // directory of srun
    char *munge;    // socket; NULL: Slurm has no munge
    char *user;     // SlurmUser: a name
};

struct step {
    uint64_t told; // a bit for each fact
    uint32_t job;
    uint32_t step;
    uid_t uid;
    gid_t gid;
    size_t ngids;
    gid_t *gids;            // supplementary
    uint32_t ntasks;        // on this node
    uint32_t apart;         // 1: Slurm may have put them into a mount
                            // namespace of the job's
    uint32_t nnodes;        // of the step, or 0: it isn't known
    uint32_t nodeid;        // which of them this is: from 0
    char *node;             // Slurm's name of it: [A-Za-z0-9._-]+
    struct options options; // as the user wrote them
    char *wrong;  // why one of them cannot be meant, or NULL: then the
                  // step is to be refused
    char *cwd;    // absolute
    char *pwd;    // what the environment calls it, or NULL: absolute
    char *argv0;  // of the program, or empty: see protocol/wire.h
    uint32_t own; // 1: the program is empty: the image's own command is meant
    char *script; // absolute path of the batch script, or NULL
    char *gpus;   // SLURM_STEP_GPUS; of a batch step SLURM_JOB_GPUS; or
                  // NULL. The user's word: stepd/gpus.h
    char *shared; // "shard" or "mps": it has shares of GPUs; or NULL
    // In which directories PMIx's of the job's steps lie, absolute: its
    // server's, by root's word, and its clients', which the user may have
    // chosen. Empty: this Slurm has no PMIx.
    struct strv pmix_dirs;
    // Of a step with --mpi=pmix, or NULL; both absolute, and made by Slurm:
    char *pmix;    // what its server shares with the tasks: root's word,
                   // ".../pmix.JOB.STEP" below SlurmdSpoolDir
    char *pmixtmp; // for the tasks' own files: the user may have chosen
                   // where, and it may not be there
    char *xauth;   // what opens the job's X11 display, or NULL: absolute,
                   // ".../.Xauthority-XXXXXX"
    struct step_slurm slurm;
    struct strv words;  // behind the plugin in plugstack.conf
    char *conf;         // where these words stand, or NULL
    uint32_t conf_line; // or 0
    char *others;       // of a step over several nodes: the fingerprint of
                        // the policy of srun's host; or NULL. The user's word
    char *compare;      // likewise: where srun hears which image each node has
                        // (protocol/compare.h); or NULL. The user's word
    uint32_t conf_cut;  // 1: longer than Slurm reads (logic/plugstack.h)
    const char *start;  // no fact: where it starts, if CWD is another step's
                        // whose container it joins (stepd/join.h); borrowed
};

// Adds the fact in PACKET, LEN bytes without a NUL. An unknown key, a value
// out of range, a fact told twice (but for gids, option, word and pmixdir, of
// which there may be several), or a NUL within: -1, ERR set.
int step_add_fact(struct step *step, const char *packet, size_t len,
                  struct berth_err *err);

// Says whether all that berth-stepd needs has been told: 0, or -1, ERR set.
int step_check(const struct step *step, struct berth_err *err);

void step_clear(struct step *step);

enum { STEP_NAME_MAX = 32 };

// Writes "JOB.STEP" as Slurm writes it ("12.0", "12.batch").
void step_name(uint32_t job, uint32_t step, char buf[STEP_NAME_MAX]);

// Reads such a name, and nothing else: no sign, no leading zero, no space.
bool step_name_parse(const char *s, uint32_t *job, uint32_t *step);

#endif
