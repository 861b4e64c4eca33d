// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: the environment that slurmd builds.

#include "prolog-epilog/common.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "logic/limits.h"
#include "logic/step.h"
#include "node/store.h"

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

// The first child is waited for: when this program ends, the second is in its
// session already.
void start_apart(const char *program, char *const argv[], char *const env[],
                 int niceness)
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        if (setsid() < 0 || (pid = fork()) != 0)
            _exit(pid < 0);
        int null = open("/dev/null", O_RDWR);
        if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 ||
            dup2(null, 2) < 0)
            _exit(1);
        if (nice(niceness) < 0) {
            // Then it isn't.
        }
        execve(program, argv, env);
        syslog(LOG_ERR, "%s: %m", program);
        _exit(1);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        complain("%s cannot be started", program);
}

void sweep_apart(const char *node)
{
    static const char program[] = BERTH_SBINDIR "/berth-epilog";
    char option[80];
    char *const argv[] = {(char *)"berth-epilog", (char *)"--sweep", option,
                          NULL};
    char *const none[] = {NULL};

    snprintf(option, sizeof(option), "--node=%s", node);
    start_apart(program, argv, none, 0);
}

static int is_any(void *arg, const struct store_record *record, bool old)
{
    (void)arg;
    (void)record;
    (void)old;
    return true;
}

bool any_unanswered(const char *node)
{
    return store_each_unanswered(BERTH_STATEDIR, node, is_any, NULL) != 0;
}
