// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// berth save: a step of the job's that does nothing in its container with that
// name, and has it saved at its end.

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>

#include "logic/strv.h"
#include "user/slurm.h"
#include "user/verbs.h"

int verb_save(int argc, char **argv, struct berth_err *err)
{
    static const struct option known[] = {
        {"node", required_argument, NULL, 'N'},
        {"replace", no_argument, NULL, 'r'},
        {0}};
    const char *node = NULL, *replace = "";
    struct slurm_step step;
    struct strv cmd = {0};
    bool wrong = false;
    int c, rc = -1;

    while ((c = getopt_long(argc, argv, "+:", known, NULL)) != -1) {
        if (c == 'N')
            node = optarg;
        else if (c == 'r')
            replace = ":replace";
        else
            wrong = true;
    }
    if (wrong || argc - optind != 3)
        return err_set(err, BERTH_EINVAL,
                       "write berth save [--replace] [--node=NODE] JOB NAME "
                       "FILE, or image:NAME[:TAG] in FILE's place: the "
                       "container NAME of the job is saved (--container-name); "
                       "what has no name is saved by its own step "
                       "(--container-save)");
    char **word = argv + optind;
    if (slurm_step_parse(word[0], &step, err) < 0)
        return -1;
    if (strv_addf(&cmd, "srun") < 0 ||
        strv_addf(&cmd, "--jobid=%u", step.job) < 0 ||
        strv_add(&cmd, "--overlap") < 0 || strv_add(&cmd, "--nodes=1") < 0 ||
        strv_add(&cmd, "--ntasks=1") < 0 || strv_add(&cmd, "--mem=0") < 0 ||
        (node && strv_addf(&cmd, "--nodelist=%s", node) < 0) ||
        strv_addf(&cmd, "--container-name=%s:exec", word[1]) < 0 ||
        strv_addf(&cmd, "--container-save=%s%s", word[2], replace) < 0 ||
        strv_add(&cmd, "true") < 0)
        err_set(err, BERTH_ENOMEM, "out of memory");
    else
        rc = slurm_become((const char *const *)cmd.v);
    strv_clear(&cmd);
    return rc;
}
