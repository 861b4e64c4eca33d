// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// What berth keeps on a node: STATE/NODE/JOB.STEP, one directory for each
// step, which holds all that the step has outside its container: sockets,
// staged mounts, small files, and the record by which the container is
// found and known as berth's own, written before the container is made.
// STATE survives a reboot, so what a crash left behind can be found.
// Beside them JOB.job, what the prolog knows of the job, and unanswered/, the
// records of steps that are over whose containers the engine may yet make.
//
// The directory's lock (flock) is held as long as its berth-stepd lives.
// All as root; every directory here is root's, and only the steps' own are
// open to others (to pass, not to list).
#ifndef BERTH_STORE_H
#define BERTH_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "logic/err.h"
#include "logic/gpu.h"
#include "logic/step.h"
#include "logic/strv.h"

struct store_step {
    char path[4096]; // STATE/NODE/JOB.STEP
    int dir;         // open, and locked
};

// The label that says to which record a container belongs, and that no
// image can know beforehand.
#define STORE_NONCE_LABEL "berth.nonce"

enum { STORE_NONCE_MAX = 33 };

struct store_record {
    char engine[108];            // the path of the engine's socket
    char container[128];         // its name
    char nonce[STORE_NONCE_MAX]; // 128 random bits, in hex
    char id[65];   // the container's, once the engine has said it, or empty
    bool answered; // the engine has: without an ID it has made none
};

// What the prolog knows of a job on this node, from the environment that
// slurmd builds for it: the only trusted source of the allocation.
struct store_job {
    uint32_t job;
    char boot[64];             // out: the kernel's boot id when it was written
    char run[STORE_NONCE_MAX]; // out: random: a job that is requeued has
                               // another one. Empty: of an older berth
    char cluster[128];
    char partition[128];
    char gpus[4096]; // SLURM_JOB_GPUS: GRES indices, "0,2-3", or empty
};

// The kernel's name for the time since the machine was started.
void store_boot_id(char *buf, size_t size);

// Writes JOB's record, in the place of one that a former run of the job
// left. 0, or -1 with ERR set, and nothing of it is there.
int store_job_write(const char *state, const char *node,
                    const struct store_job *job, struct berth_err *err);

// 0 and OUT, or -1: BERTH_ENOTFOUND if the prolog wrote none.
int store_job_read(const char *state, const char *node, uint32_t job,
                   struct store_job *out, struct berth_err *err);

// Removes what the jobs of NODE have left that ran when it last went down:
// no epilog did it. As root.
void store_jobs_expire(const char *state, const char *node);

// Removes the record, and what a write that was cut short has left of it;
// that there is none is fine.
void store_job_remove(const char *state, const char *node, uint32_t job);

// Writes the path of NODE's table of GPUs (node/gpu_table.h) to PATH, and makes
// its directory. 0, or -1 with ERR set. As root.
int store_gpus_path(const char *state, const char *node, char *path,
                    size_t size, struct berth_err *err);

// Notes in TABLE of what it is made: this boot, and slurm.conf and gres.conf
// as they are now. 0, or -1 with ERR set: there is no SLURM_CONF.
int store_gpus_stamp(const char *slurm_conf, struct gpu_table *table,
                     struct berth_err *err);

// Makes the directory of STEP under STATE, and locks it. A directory that a
// dead berth-stepd left there is removed first, by REMOVE, which is
// removal_run (node/removal.h). OUT is for that as well, or for
// store_step_close. 0, or -1 with ERR set.
int store_step_create(const char *state, const struct step *step,
                      int (*remove)(struct store_step *step,
                                    struct berth_err *err),
                      struct store_step *out, struct berth_err *err);

// Opens and locks the existing directory STATE/NODE/NAME. BERTH_ETIMEOUT:
// its berth-stepd is alive, or another program of berth's is at it.
// BERTH_ENOTFOUND: there is none. A lock that outlives who took it, as another
// process has inherited it, is none: then OUT is open without one.
int store_step_open(const char *state, const char *node, const char *name,
                    struct store_step *out, struct berth_err *err);

// Opens that directory (O_PATH), whoever has its lock. A descriptor, or -1.
int store_step_dir(const char *state, const char *node, const char *name);

// The process of root's that has taken the lock of STATE/NODE/NAME and has it
// still, by the kernel's word, or 0.
pid_t store_step_holder(const char *state, const char *node, const char *name);

// Kills it.
void store_step_kill(const char *state, const char *node, const char *name);

// Writes STRINGS to the new file NAME in the directory DIR, for root alone: all
// of them or, where it fails, nothing. 0, or -1 with ERR set.
int store_strings_write(int dir, const char *name, const struct strv *strings,
                        struct berth_err *err);

// Reads them again, and appends them to OUT. 0, or -1: there is no such file.
int store_strings_read(int dir, const char *name, struct strv *out);

// Lets go of the directory and leaves it as it is.
void store_step_close(struct store_step *step);

// Makes a record with a fresh nonce and a name that holds it, and writes it.
int store_record_write(const struct store_step *step, const char *engine,
                       struct store_record *out, struct berth_err *err);

// Notes that the engine has made the container, and calls it ID; or "", that it
// has made none. Without that note, one that cannot be found may still be on its
// way.
int store_record_answered(const struct store_step *step, const char *id,
                          struct berth_err *err);

// Reads the record, with the ID if that was noted: 0; or -1: BERTH_ENOTFOUND
// if none was written.
int store_record_read(const struct store_step *step, struct store_record *out,
                      struct berth_err *err);

// Keeps the record RECORD of STEP beyond the step's directory, for
// store_each_unanswered: the engine has been asked for the container, and has
// not answered. 0, or -1 with ERR set, and it is where it was.
int store_record_keep(const struct store_step *step,
                      const struct store_record *record, struct berth_err *err);

// Calls VISIT for each record of NODE that was kept so. OLD: it is older than
// any engine's answer can be. Stops where VISIT returns non-zero, and returns
// that; else 0.
int store_each_unanswered(const char *state, const char *node,
                          int (*visit)(void *arg,
                                       const struct store_record *record,
                                       bool old),
                          void *arg);

// Removes that record.
void store_unanswered_remove(const char *state, const char *node,
                             const struct store_record *record);

// The file in a step's directory that lists the directories of the
// container's own cgroups, one a line.
#define STORE_CGROUPS "cgroups"

// Calls VISIT for each step's directory of NODE. Stops where VISIT returns
// non-zero, and returns that. No such node: 0.
int store_each_step(const char *state, const char *node,
                    int (*visit)(void *arg, const char *name, uint32_t job,
                                 uint32_t step),
                    void *arg, struct berth_err *err);

#endif
