// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// berth-prolog: for slurm.conf's Prolog=, as root, before a job's first
// step on this node. Removes what a crash left behind and writes the job's
// record. Exits 0 also where something could not be done: a prolog that
// fails drains the node, and a job without a container has no use for
// that. A job with one then gets no GPU, or a refusal with the reason.

#include <stdio.h>
#include <string.h>

#include "prolog-epilog/common.h"
#include "stepd/store.h"

int main(int argc, char **argv)
{
    struct job_env env;
    struct store_job job = {0};
    struct berth_err err = {0};
    struct sweep left = {0};

    bool have_job = job_env_read(&env);
    set_up("berth-prolog", 0);
    if (argc != 1 || !have_job) {
        fprintf(stderr,
                "berth-prolog: this is for slurm.conf's Prolog=, and takes "
                "no arguments; to clean up by hand, use berth-epilog --sweep"
                "\n");
        return argc > 1 && strcmp(argv[1], "--help") == 0 ? 0 : 2;
    }
    left.node = env.node;
    sweep(&left);
    store_jobs_expire(BERTH_STATEDIR, env.node);
    job.job = env.job;
    snprintf(job.cluster, sizeof(job.cluster), "%s", env.cluster);
    snprintf(job.partition, sizeof(job.partition), "%s", env.partition);
    snprintf(job.gpus, sizeof(job.gpus), "%s", env.gpus);
    if (store_job_write(BERTH_STATEDIR, env.node, &job, &err) < 0)
        complain("%s", err.text);
    return 0;
}
