// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// berth-epilog: for slurm.conf's Epilog=, as root, after a job's last step
// on this node, and for administrators. Removes what belongs to the job (or
// to the steps named by options) and only that. Started by slurmd it exits
// 0 in any case: an epilog that fails drains the node. By hand it exits 1
// where something is left.

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "logic/step.h"
#include "node/store.h"
#include "prolog-epilog/common.h"
#include "prolog-epilog/sweep.h"

static const char usage[] =
    "Usage: berth-epilog                 as slurm.conf's Epilog=: remove what\n"
    "                                    is left of the job that ends\n"
    "       berth-epilog --sweep         remove what dead steps have left\n"
    "       berth-epilog --step=JOB.STEP remove what is left of one step\n"
    "Options:\n"
    "  -n, --dry-run    only say what would be removed\n"
    "      --node=NAME  on this node only (Slurm's name of it)\n"
    "  -h, --help       show this and exit\n"
    "  -V, --version    show the version and exit\n";

enum { OPT_SWEEP = 256, OPT_STEP, OPT_NODE };

static const struct option options[] = {
    {"sweep", no_argument, NULL, OPT_SWEEP},
    {"step", required_argument, NULL, OPT_STEP},
    {"node", required_argument, NULL, OPT_NODE},
    {"dry-run", no_argument, NULL, 'n'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {0},
};

// Sees to the room that images have, where berth has brought any. Nobody waits
// for that, and whatever runs on the node comes first.
static void make_room(const struct job_env *env)
{
    static const char program[] = BERTH_SBINDIR "/berth-images";
    char path[sizeof(BERTH_STATEDIR) + sizeof(env->node) + 16];
    char conf[sizeof(env->slurm_conf) + 16];
    char *const argv[] = {(char *)"berth-images", (char *)"gc",
                          (char *)"--quiet", NULL};
    char *const with[] = {conf, NULL};

    snprintf(path, sizeof(path), "%s/%s/images", BERTH_STATEDIR, env->node);
    snprintf(conf, sizeof(conf), "SLURM_CONF=%s", env->slurm_conf);
    if (access(path, F_OK) == 0)
        start_apart(program, argv, *env->slurm_conf ? with : with + 1, 10);
}

static int after_job(bool dry_run)
{
    struct job_env env;
    struct sweep job = {.wait = true, .dry_run = dry_run};

    if (!job_env_read(&env)) {
        fprintf(stderr,
                "berth-epilog: there is no job in the environment: this is "
                "for slurm.conf's Epilog=; by hand, use --sweep\n");
        return 2;
    }
    set_up("berth-epilog", 0);
    job.node = env.node;
    job.job = env.job;
    sweep(&job);
    if (!dry_run) {
        store_job_remove(BERTH_STATEDIR, env.node, env.job);
        make_room(&env);
        if (any_unanswered(env.node))
            sweep_apart(env.node);
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct sweep by_hand = {0};
    bool sweep_all = false;
    uint32_t job, step;

    for (int c; (c = getopt_long(argc, argv, "nhV", options, NULL)) != -1;) {
        switch (c) {
        case OPT_SWEEP:
            sweep_all = true;
            break;
        case OPT_STEP:
            by_hand.step = optarg;
            by_hand.wait = true;
            break;
        case OPT_NODE:
            by_hand.node = optarg;
            break;
        case 'n':
            by_hand.dry_run = true;
            break;
        case 'h':
            fputs(usage, stdout);
            return 0;
        case 'V':
            puts("berth-epilog " PACKAGE_VERSION);
            return 0;
        default:
            fputs(usage, stderr);
            return 2;
        }
    }
    if (optind != argc || (sweep_all && by_hand.step) ||
        (by_hand.node && strchr(by_hand.node, '/')) ||
        (by_hand.step && !step_name_parse(by_hand.step, &job, &step))) {
        fputs(usage, stderr);
        return 2;
    }
    if (!sweep_all && !by_hand.step)
        return after_job(by_hand.dry_run);
    set_up("berth-epilog", 1);
    sweep(&by_hand);
    return by_hand.left ? 1 : 0;
}
