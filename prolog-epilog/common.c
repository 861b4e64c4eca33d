// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: the environment that slurmd builds; berth's own records.

#include "prolog-epilog/common.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "core/limits.h"
#include "core/step.h"
#include "stepd/store.h"

// How long a berth-stepd whose job is over may go on cleaning up.
enum { GRACE_MS = 20000, POLL_MS = 20 };

static int status_when_late;

static void late(int sig)
{
    static const char text[] =
        "berth: out of time; what is left will be removed by the next "
        "prolog, or by berth-epilog --sweep\n";

    (void)sig;
    ssize_t n = write(STDERR_FILENO, text, sizeof(text) - 1);
    (void)n;
    _exit(status_when_late);
}

void set_up(const char *name, int status)
{
    struct sigaction act = {.sa_handler = late};
    sigset_t none;

    umask(022);
    syscall(SYS_close_range, 3, ~0U, 0);
    if (chdir("/") < 0)
        exit(status);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    status_when_late = status;
    sigaction(SIGALRM, &act, NULL);
    alarm(BERTH_SWEEP_MS / 1000);
    clearenv();
    openlog(name, LOG_PID, LOG_DAEMON);
}

void complain(const char *fmt, ...)
{
    char text[2048];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    err_scrub(text);
    fprintf(stderr, "berth: %s\n", text);
    syslog(LOG_ERR, "%s", text);
}

// Copies the variable NAME; an unset one is empty.
static bool copy_env(const char *name, char *buf, size_t size)
{
    const char *value = getenv(name);

    return (size_t)snprintf(buf, size, "%s", value ? value : "") < size;
}

bool job_env_read(struct job_env *out)
{
    char job[16], name[32];
    uint32_t step;

    *out = (struct job_env){0};
    if (!copy_env("SLURM_JOB_ID", job, sizeof(job)) || !job[0] ||
        !copy_env("SLURMD_NODENAME", out->node, sizeof(out->node)) ||
        !out->node[0] || strchr(out->node, '/') || out->node[0] == '.' ||
        !copy_env("SLURM_CLUSTER_NAME", out->cluster, sizeof(out->cluster)) ||
        !copy_env("SLURM_JOB_PARTITION", out->partition,
                  sizeof(out->partition)) ||
        !copy_env("SLURM_JOB_GPUS", out->gpus, sizeof(out->gpus)) ||
        !copy_env("SLURM_CONF", out->slurm_conf, sizeof(out->slurm_conf)))
        return false;
    snprintf(name, sizeof(name), "%s.0", job);
    return step_name_parse(name, &out->job, &step);
}

static long long now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void sleep_ms(int ms)
{
    struct timespec t = {ms / 1000, (ms % 1000) * 1000000L};

    nanosleep(&t, NULL);
}

// Opens the step once its berth-stepd has let go of it. One that takes too
// long is killed.
static int open_when_over(const char *node, const char *name,
                          struct store_step *out, struct berth_err *err)
{
    long long end = now_ms() + GRACE_MS;
    bool killed = false;

    for (;;) {
        if (store_step_open(BERTH_STATEDIR, node, name, out, err) == 0)
            return 0;
        if (err->code != BERTH_ETIMEOUT)
            return -1;
        if (now_ms() >= end) {
            if (killed)
                return -1;
            pid_t pid = store_step_holder(BERTH_STATEDIR, node, name);
            if (pid > 1)
                kill(pid, SIGKILL);
            killed = true;
            end = now_ms() + 1000;
        }
        sleep_ms(POLL_MS);
    }
}

static void remove_step(struct sweep *sweep, const char *node,
                        const char *name)
{
    struct store_step step;
    struct berth_err err = {0};
    int rc = sweep->wait ? open_when_over(node, name, &step, &err)
                         : store_step_open(BERTH_STATEDIR, node, name, &step,
                                           &err);

    // Gone by itself, or alive and none of this sweep's business.
    if (rc < 0 && (err.code == BERTH_ENOTFOUND ||
                   (err.code == BERTH_ETIMEOUT && !sweep->wait)))
        return;
    sweep->found++;
    if (rc == 0 && sweep->dry_run) {
        printf("would remove what is left of step %s on node %s\n", name,
               node);
        store_step_close(&step);
        return;
    }
    if (rc == 0 && (rc = store_step_remove(&step, &err)) < 0)
        store_step_close(&step);
    if (rc == 0) {
        printf("removed what was left of step %s on node %s\n", name, node);
        syslog(LOG_NOTICE, "removed what was left of step %s on node %s",
               name, node);
    } else {
        sweep->left++;
        complain("what is left of step %s on node %s cannot be removed: %s",
                 name, node, err.text);
    }
}

struct visit {
    struct sweep *sweep;
    const char *node;
};

static int visit_step(void *arg, const char *name, uint32_t job,
                      uint32_t step)
{
    struct visit *v = arg;

    (void)step;
    if ((v->sweep->job == 0 || v->sweep->job == job) &&
        (!v->sweep->step || strcmp(v->sweep->step, name) == 0))
        remove_step(v->sweep, v->node, name);
    return 0;
}

static void sweep_node(struct sweep *sweep, const char *node)
{
    struct visit v = {sweep, node};
    struct berth_err err = {0};

    if (store_each_step(BERTH_STATEDIR, node, visit_step, &v, &err) < 0) {
        sweep->left++;
        complain("%s", err.text);
    }
}

void sweep(struct sweep *sweep)
{
    if (sweep->node) {
        sweep_node(sweep, sweep->node);
        return;
    }
    DIR *d = opendir(BERTH_STATEDIR);
    for (struct dirent *e; d && (e = readdir(d));)
        if (e->d_name[0] != '.')
            sweep_node(sweep, e->d_name);
    if (d)
        closedir(d);
}
