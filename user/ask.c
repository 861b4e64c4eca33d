// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: the lines that srun writes, of which a site's own may be some.

#include "user/ask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/slurm.h"

// What srun would do otherwise with the lines, and the tasks, of a step.
static const char *const others[] = {"SLURM_LABELIO",
                                     "SLURM_STDOUTMODE",
                                     "SLURM_STDINMODE",
                                     "SLURM_NTASKS",
                                     "SLURM_NPROCS",
                                     "SLURM_NNODES",
                                     "SLURM_CPUS_PER_TASK",
                                     "SLURM_GRES",
                                     "SLURM_DISTRIBUTION",
                                     "SLURM_MULTI_PROG",
                                     NULL};

// What makes a step of a job of what is to be a job.
static const char *const of_job[] = {"SLURM_JOB_ID", "SLURM_JOBID", NULL};

static void forget(const char *const *names)
{
    for (; *names; names++)
        unsetenv(*names);
}

static int no_memory(struct berth_err *err)
{
    return err_set(err, BERTH_ENOMEM, "out of memory");
}

static int take_count(void *arg, char *text, struct berth_err *err)
{
    size_t *n = arg;

    (void)err;
    *n = strtoul(text, NULL, 10);
    return 0;
}

// From outside of a job, srun takes one of its nodes unless it is told.
static int count_nodes(uint32_t job, size_t *n, struct berth_err *err)
{
    char number[16];

    snprintf(number, sizeof(number), "%u", job);
    int rc = slurm_lines(
        (const char *const[]){"squeue", "-h", "-j", number, "-o", "%D", NULL},
        take_count, n, err);
    if (*n < 1)
        *n = 1;
    return rc;
}

// How many nodes are asked, and whether in the job that this is in.
static int find_nodes(const struct ask *ask, size_t *n, bool *within,
                      struct berth_err *err)
{
    const char *list = getenv("SLURM_JOB_NODELIST");
    struct strv asked = {0}, has_job = {0};
    int rc = 0;

    *within = ask->job || (getenv("SLURM_JOB_ID") && list);
    *n = 1;
    if (ask->nodes && (rc = slurm_node_names(ask->nodes, &asked, err)) == 0)
        *n = asked.n;
    if (ask->job && !ask->nodes)
        rc = count_nodes(ask->job, n, err);
    if (rc == 0 && !ask->job && *within &&
        (rc = slurm_node_names(list, &has_job, err)) == 0) {
        for (size_t i = 0; i < asked.n; i++)
            *within &= strv_has(&has_job, asked.v[i]);
        if (!ask->nodes)
            *n = has_job.n;
    }
    strv_clear(&asked);
    strv_clear(&has_job);
    return rc;
}

static int build(const struct ask *ask, size_t n, bool within,
                 struct strv *argv)
{
    int rc = strv_add(argv, "srun");

    if (ask->job)
        rc |= strv_addf(argv, "--jobid=%u", ask->job);
    if (within)
        rc |= strv_add(argv, "--overlap");
    // A job of its own takes what every node has to spare.
    rc |= strv_addf(argv, "--mem=%s", within ? "0" : "64");
    if (!within && ask->quick)
        rc |= strv_add(argv, "--time=10");
    rc |= strv_addf(argv, "--nodes=%zu", n) |
          strv_addf(argv, "--ntasks=%zu", n) |
          strv_add(argv, "--ntasks-per-node=1") |
          strv_add(argv, "--cpus-per-task=1");
    if (ask->nodes)
        rc |= strv_addf(argv, "--nodelist=%s", ask->nodes);
    rc |= strv_add(argv, "--input=none") | strv_add(argv, "--mpi=none");
    for (size_t i = 0; i < ask->words.n; i++)
        rc |= strv_add(argv, ask->words.v[i]);
    // No node runs it: what it is called is the name of the job.
    rc |= strv_addf(argv, "--container-do=%s", ask->errand) |
          strv_add(argv, "berth");
    return rc < 0 ? -1 : 0;
}

struct answering {
    int (*line)(void *arg, const json_t *line, struct berth_err *err);
    void *arg;
};

static int take_line(void *arg, char *text, struct berth_err *err)
{
    const struct answering *a = arg;
    json_t *line = text[0] == '{' ? json_loads(text, 0, NULL) : NULL;
    int rc = line ? a->line(a->arg, line, err) : 0;

    json_decref(line);
    return rc;
}

int ask_nodes(const struct ask *ask,
              int (*line)(void *arg, const json_t *line, struct berth_err *err),
              void *arg, bool *failed, struct berth_err *err)
{
    struct answering answering = {line, arg};
    struct strv argv = {0};
    size_t n;
    bool within;

    *failed = false;
    if (find_nodes(ask, &n, &within, err) < 0)
        return -1;
    forget(others);
    if (!within)
        forget(of_job);
    if (build(ask, n, within, &argv) < 0) {
        strv_clear(&argv);
        return no_memory(err);
    }
    int rc =
        slurm_lines((const char *const *)argv.v, take_line, &answering, err);
    strv_clear(&argv);
    if (rc < 0 && err->code == BERTH_ESYS) {
        *failed = true;
        return 0;
    }
    return rc;
}

const char *ask_short_name(const char *name)
{
    static const char hub[] = "docker.io/", library[] = "library/";

    if (strncmp(name, hub, strlen(hub)) != 0)
        return name;
    name += strlen(hub);
    return strncmp(name, library, strlen(library)) == 0 ? name + strlen(library)
                                                        : name;
}
