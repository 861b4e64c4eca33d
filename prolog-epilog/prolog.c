// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// berth-prolog: for slurm.conf's Prolog=, as root, before a job's first
// step on this node. Removes what a crash left behind, writes the job's
// record and, once per boot, has the table of GPUs made. Exits 0 also where
// something could not be done: a prolog that fails drains the node, and a
// job without a container has no use for that. A job with one then gets no
// GPU, or a refusal with the reason.

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "node/gpu_table.h"
#include "node/store.h"
#include "prolog-epilog/common.h"

static bool table_is_current(const struct job_env *env)
{
    static struct gpu_table now;
    char path[PATH_MAX];
    bool current = false;

    if (store_gpus_path(BERTH_STATEDIR, env->node, path, sizeof(path), NULL) <
            0 ||
        store_gpus_stamp(env->slurm_conf, &now, NULL) < 0)
        return false;
    struct gpu_table *table = gpu_table_read(path, NULL);
    if (table)
        current = strcmp(table->boot, now.boot) == 0 &&
                  strcmp(table->conf, now.conf) == 0;
    free(table);
    return current;
}

static pid_t parent_of(pid_t pid)
{
    char path[64], text[512];
    int parent = 0;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "re");
    size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
    text[n] = 0;
    if (f)
        fclose(f);
    const char *p = strrchr(text, ')');
    return p && sscanf(p, ") %*c %d", &parent) == 1 ? parent : 0;
}

// Finds the program of the slurmd that started this one, be it by way of a
// site's own prolog. One that an upgrade has replaced since is the new one: the
// libraries and plugins that the old would load are the new one's as well.
static bool find_slurmd(char *path, size_t size)
{
    static const char deleted[] = " (deleted)";
    const size_t len = sizeof(deleted) - 1;
    char link[64];

    for (pid_t pid = getppid(); pid > 1; pid = parent_of(pid)) {
        snprintf(link, sizeof(link), "/proc/%d/exe", (int)pid);
        ssize_t n = readlink(link, path, size - 1);
        path[n > 0 ? n : 0] = 0;
        if (n > (ssize_t)len && strcmp(path + n - len, deleted) == 0)
            path[(size_t)n - len] = 0;
        const char *slash = strrchr(path, '/');
        // Debian's is slurmd-wlm.
        if (slash && strncmp(slash, "/slurmd", 7) == 0)
            return true;
    }
    return false;
}

// Runs PROGRAM with the arguments ARGV and no environment. Returns what it
// exits with, or -1.
static int run(const char *program, char *const argv[])
{
    char *const none[] = {NULL};
    int status = -1;

    pid_t pid = fork();
    if (pid == 0) {
        execve(program, argv, none);
        _exit(127);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status)
               ? WEXITSTATUS(status)
               : -1;
}

// Says whether a step's berth-stepd is dead. What is odd is for berth-epilog
// to complain of.
static int is_left(void *arg, const char *name, uint32_t job, uint32_t step)
{
    const char *node = arg;
    struct store_step dir;
    struct berth_err err;

    (void)job;
    (void)step;
    if (store_step_open(BERTH_STATEDIR, node, name, &dir, &err) < 0)
        return err.code != BERTH_ENOTFOUND && err.code != BERTH_ETIMEOUT;
    store_step_close(&dir);
    return true;
}

static void sweep(const struct job_env *env)
{
    struct berth_err err;

    int rc = store_each_step(BERTH_STATEDIR, env->node, is_left,
                             (void *)env->node, &err);
    if (rc < 0)
        complain("%s", err.text);
    if (rc > 0 || any_unanswered(env->node))
        sweep_apart(env->node);
}

// Has berth-gpus ask that slurmd: no other knows for certain what a GRES
// index of this node stands for.
static void make_table(const struct job_env *env)
{
    static const char program[] = BERTH_SBINDIR "/berth-gpus";
    char node[80], conf[PATH_MAX + 16], slurmd[PATH_MAX + 16];
    static const char option[] = "--slurmd=";
    char *const argv[] = {
        (char *)"berth-gpus", (char *)"--write", node, conf, slurmd, NULL};

    snprintf(node, sizeof(node), "--node=%s", env->node);
    snprintf(conf, sizeof(conf), "--slurm-conf=%s", env->slurm_conf);
    strcpy(slurmd, option);
    if (!find_slurmd(slurmd + strlen(option), PATH_MAX) ||
        run(program, argv) != 0)
        complain("%s could not find out about the GPUs of node %s: steps in "
                 "containers get none",
                 program, env->node);
}

int main(int argc, char **argv)
{
    struct job_env env;
    struct store_job job = {0};
    struct berth_err err = {0};

    bool have_job = job_env_read(&env);
    set_up("berth-prolog", 0);
    if (argc != 1 || !have_job) {
        fprintf(stderr,
                "berth-prolog: this is for slurm.conf's Prolog=, and takes "
                "no arguments; to clean up by hand, use berth-epilog --sweep"
                "\n");
        return argc > 1 && strcmp(argv[1], "--help") == 0 ? 0 : 2;
    }
    sweep(&env);
    store_jobs_expire(BERTH_STATEDIR, env.node);
    job.job = env.job;
    snprintf(job.cluster, sizeof(job.cluster), "%s", env.cluster);
    snprintf(job.partition, sizeof(job.partition), "%s", env.partition);
    snprintf(job.gpus, sizeof(job.gpus), "%s", env.gpus);
    if (store_job_write(BERTH_STATEDIR, env.node, &job, &err) < 0)
        complain("%s", err.text);
    if (env.gpus[0] && !table_is_current(&env))
        make_table(&env);
    return 0;
}
