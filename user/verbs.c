// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The verbs that become one command of Slurm's.

#include "user/verbs.h"

#include <getopt.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "logic/strv.h"
#include "user/containers.h"
#include "user/docker.h"
#include "user/slurm.h"

static int become(struct strv *argv)
{
    int status = slurm_become((const char *const *)argv->v);

    strv_clear(argv);
    return status;
}

static int no_memory(struct berth_err *err)
{
    return err_set(err, BERTH_ENOMEM, "out of memory");
}

static int wrong_words(const char *usage, struct berth_err *err)
{
    return err_set(err, BERTH_EINVAL, "write berth %s", usage);
}

int verb_run(int argc, char **argv, struct berth_err *err)
{
    char cwd[PATH_MAX];
    const struct passwd *pw = getpwuid(getuid());
    struct docker_who who = {getuid(), getgid(), pw ? pw->pw_name : NULL, cwd};
    struct docker_run run;
    int rc = -1;

    if (!getcwd(cwd, sizeof(cwd)))
        return err_set(err, BERTH_ESYS, "the working directory: %m");
    if (docker_run_parse(argc - 1, argv + 1, &who, &run, err) < 0)
        goto out;
    if (run.show) {
        char *text = docker_quote(&run.argv);
        char *env = docker_quote(&run.env);
        rc = text && env ? 0 : no_memory(err);
        if (rc == 0)
            printf("%s%s%s%s\n", *env ? "env " : "", env, *env ? " " : "",
                   text);
        free(text);
        free(env);
        goto out;
    }
    for (size_t i = 0; i < run.env.n; i++)
        if (putenv(run.env.v[i]) != 0) {
            no_memory(err);
            goto out;
        }
    // What was put into the environment stays this process's.
    return become(&run.argv);
out:
    docker_run_clear(&run);
    return rc;
}

int verb_exec(int argc, char **argv, struct berth_err *err)
{
    static const char usage[] = "exec [-it] [-w DIRECTORY] [-e NAME=VALUE] "
                                "[--node=NODE] JOB[.STEP] COMMAND";
    static const struct option known[] = {
        {"env", required_argument, NULL, 'e'},
        {"interactive", no_argument, NULL, 'i'},
        {"node", required_argument, NULL, 'N'},
        {"tty", no_argument, NULL, 't'},
        {"workdir", required_argument, NULL, 'w'},
        {0}};
    const char *node = NULL, *workdir = NULL;
    struct slurm_step step;
    struct strv names = {0}, cmd = {0};
    bool tty = false;
    int c, rc = -1;

    while ((c = getopt_long(argc, argv, "+:e:itw:", known, NULL)) != -1) {
        size_t len = optarg ? strcspn(optarg, "=") : 0;
        if (c == 'e' && len > 0) {
            if (optarg[len] && putenv(optarg) != 0)
                goto memory;
            if (strv_addf(&names, "--container-env=%.*s", (int)len, optarg) < 0)
                goto memory;
        } else if (c == 'N')
            node = optarg;
        else if (c == 't')
            tty = true;
        else if (c == 'w')
            workdir = optarg;
        else if (c != 'i') {
            wrong_words(usage, err);
            goto out;
        }
    }
    if (argc - optind < 2) {
        wrong_words(usage, err);
        goto out;
    }
    if (slurm_step_parse(argv[optind], &step, err) < 0)
        goto out;
    if (strv_addf(&cmd, "srun") < 0 ||
        strv_addf(&cmd, "--jobid=%u", step.job) < 0 ||
        strv_add(&cmd, "--overlap") < 0 || strv_add(&cmd, "--nodes=1") < 0 ||
        strv_add(&cmd, "--ntasks=1") < 0 || strv_add(&cmd, "--mem=0") < 0 ||
        (node && strv_addf(&cmd, "--nodelist=%s", node) < 0) ||
        (tty && strv_add(&cmd, "--pty") < 0) ||
        strv_addf(&cmd, "--container-join=%s", step.text) < 0 ||
        (workdir && strv_addf(&cmd, "--container-workdir=%s", workdir) < 0))
        goto memory;
    for (size_t i = 0; i < names.n; i++)
        if (strv_add(&cmd, names.v[i]) < 0)
            goto memory;
    for (int i = optind + 1; i < argc; i++)
        if (strv_add(&cmd, argv[i]) < 0)
            goto memory;
    strv_clear(&names);
    return become(&cmd);
memory:
    no_memory(err);
out:
    strv_clear(&names);
    strv_clear(&cmd);
    return rc;
}

int verb_attach(int argc, char **argv, struct berth_err *err)
{
    struct slurm_step step;

    if (argc != 2)
        return wrong_words("attach JOB.STEP", err);
    if (slurm_step_parse(argv[1], &step, err) < 0)
        return -1;
    if (!step.step)
        return err_set(err, BERTH_EINVAL,
                       "%s is a whole job: name one of its steps, such as %s.0",
                       argv[1], argv[1]);
    return slurm_become((const char *const[]){"sattach", step.text, NULL});
}

static int take_output(void *arg, char *text, struct berth_err *err)
{
    char **path = arg, *key, *value;

    while ((value = slurm_field(&text, &key)))
        if (strcmp(key, "StdOut") == 0 && !*path && !(*path = strdup(value)))
            return no_memory(err);
    return 0;
}

int verb_logs(int argc, char **argv, struct berth_err *err)
{
    static const struct option known[] = {{"follow", no_argument, NULL, 'f'},
                                          {0}};
    struct slurm_step step;
    bool follow = false;
    char *path = NULL;
    int c;

    while ((c = getopt_long(argc, argv, "+:f", known, NULL)) != -1) {
        if (c != 'f')
            return wrong_words("logs [-f] JOB", err);
        follow = true;
    }
    if (argc - optind != 1)
        return wrong_words("logs [-f] JOB", err);
    if (slurm_step_parse(argv[optind], &step, err) < 0)
        return -1;
    char job[16];
    snprintf(job, sizeof(job), "%u", step.job);
    if (slurm_lines(
            (const char *const[]){"scontrol", "-o", "show", "job", job, NULL},
            take_output, &path, err) < 0) {
        free(path);
        return -1;
    }
    if (!path)
        return err_set(err, BERTH_ENOTFOUND,
                       "job %u writes to no file: only a batch job does",
                       step.job);
    int status =
        slurm_become(follow ? (const char *const[]){"tail", "-n", "+1", "-f",
                                                    "--", path, NULL}
                            : (const char *const[]){"cat", "--", path, NULL});
    free(path);
    return status;
}

static int ignore(void *arg, char *text, struct berth_err *err)
{
    (void)arg;
    (void)text;
    (void)err;
    return 0;
}

// scancel, with SIGNAL or to end them. --full: the batch script as well, which
// scancel leaves alone otherwise; it goes with whole jobs only. FAILED: another
// could not be ended, and the status is to say so.
static int cancel(const char *usage, int argc, char **argv, const char *signal,
                  bool failed, struct berth_err *err)
{
    struct slurm_step step;
    struct strv cmd = {0};
    bool whole = true;

    if (argc < 1)
        return wrong_words(usage, err);
    for (int i = 0; i < argc; i++) {
        // Which task of an array is over, scancel says.
        if (slurm_step_parse(argv[i], &step, err) < 0 &&
            err->code != BERTH_ENOTFOUND)
            return -1;
        whole &= !strchr(argv[i], '.');
    }
    if (strv_add(&cmd, "scancel") < 0 ||
        (signal && strv_addf(&cmd, "--signal=%s", signal) < 0) ||
        (signal && whole && strv_add(&cmd, "--full") < 0))
        return no_memory(err);
    for (int i = 0; i < argc; i++)
        if (strv_add(&cmd, argv[i]) < 0)
            return no_memory(err);
    if (!failed)
        return become(&cmd);
    int rc = slurm_lines((const char *const *)cmd.v, ignore, NULL, err);
    strv_clear(&cmd);
    return rc < 0 ? rc : VERB_FAILED;
}

// A step by both of its names: that of an array's task (12_3.0), and that of
// the job which it is (14.0).
static int take_step(void *arg, char *text, struct berth_err *err)
{
    char step[65], job[17], *dot;

    if (sscanf(text, "%64s %16s", step, job) != 2 ||
        !(dot = strrchr(step, '.')))
        return 0;
    return strv_add(arg, step) < 0 || strv_addf(arg, "%s%s", job, dot) < 0
               ? no_memory(err)
               : 0;
}

// A step that is over may have left its container to the next: Slurm knows
// nothing of that, and its node ends it. The others are kept in ARGV. FAILED:
// one could not be ended.
static int stop_waiting(int *argc, char **argv, bool *failed,
                        struct berth_err *err)
{
    static const char *const squeue[] = {
        "squeue", "--me", "-hs", "-O", "stepid:64,jobid:16", NULL};
    struct strv running = {0};
    int rc = 0, kept = 0, steps = 0;

    for (int i = 0; i < *argc; i++)
        steps += containers_is_step(argv[i]);
    if (steps > 0)
        rc = slurm_lines(squeue, take_step, &running, err);
    for (int i = 0; rc == 0 && i < *argc; i++) {
        struct ask ask = {0};
        bool one = false;
        if (!containers_is_step(argv[i]) || strv_has(&running, argv[i])) {
            argv[kept++] = argv[i];
            continue;
        }
        rc = containers_end(&ask, 0, argv[i], &one, err);
        strv_clear(&ask.words);
        *failed |= one;
    }
    *argc = kept;
    strv_clear(&running);
    return rc;
}

int verb_stop(int argc, char **argv, struct berth_err *err)
{
    static const char usage[] = "stop JOB[.STEP]...";
    int left = argc - 1;
    bool failed = false;

    if (argc < 2)
        return wrong_words(usage, err);
    if (stop_waiting(&left, argv + 1, &failed, err) < 0)
        return -1;
    return left > 0 ? cancel(usage, left, argv + 1, NULL, failed, err)
           : failed ? VERB_FAILED
                    : 0;
}

int verb_kill(int argc, char **argv, struct berth_err *err)
{
    static const char usage[] = "kill [-s SIGNAL] JOB[.STEP]...";
    static const struct option known[] = {
        {"signal", required_argument, NULL, 's'}, {0}};
    const char *signal = "KILL";
    int c;

    while ((c = getopt_long(argc, argv, "+:s:", known, NULL)) != -1) {
        if (c != 's')
            return wrong_words(usage, err);
        signal = optarg;
    }
    return cancel(usage, argc - optind, argv + optind, signal, false, err);
}

int verb_pause(int argc, char **argv, struct berth_err *err)
{
    return cancel("pause JOB[.STEP]...", argc - 1, argv + 1, "STOP", false,
                  err);
}

int verb_unpause(int argc, char **argv, struct berth_err *err)
{
    return cancel("unpause JOB[.STEP]...", argc - 1, argv + 1, "CONT", false,
                  err);
}
