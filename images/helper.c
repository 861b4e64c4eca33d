// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: what a program says that may do whatever the user's files tell it. The
// process that reads it is his as well, but cannot be traced: so that root
// reads no JSON of the user's, but a struct auth, which it looks through.

#include "images/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    ANSWER_MAX = 3 * AUTH_TEXT_MAX,
    FILES = 256,
    FILE_SIZE = 16 * 1024 * 1024, // some keep what they were told
    GONE_MS = 2000,
};

// --- in the process that is the user
// ------------------------------------------

static void limit(int what, rlim_t value)
{
    const struct rlimit r = {value, value};

    if (setrlimit(what, &r) < 0)
        _exit(1);
}

static void become_program(const struct helper_order *order, int in, int out)
    __attribute__((noreturn));

static void become_program(const struct helper_order *order, int in, int out)
{
    char home[4200];
    const char *const env[] = {"PATH=/usr/local/bin:/usr/bin:/bin", home, NULL};
    const char *const argv[] = {strrchr(order->path, '/') + 1, "get", NULL};
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    sigset_t none;

    sigemptyset(&none);
    signal(SIGPIPE, SIG_DFL);
    snprintf(home, sizeof(home), "HOME=%s", order->home);
    null = fcntl(null, F_DUPFD, 16);
    in = fcntl(in, F_DUPFD, 16);
    out = fcntl(out, F_DUPFD, 16);
    if (sigprocmask(SIG_SETMASK, &none, NULL) == 0 && dup2(in, 0) == 0 &&
        dup2(out, 1) == 1 && dup2(null, 2) == 2 &&
        syscall(SYS_close_range, 3U, ~0U, 0) == 0)
        execve(order->path, (char *const *)argv, (char *const *)env);
    _exit(127);
}

// Reads all that comes, if that is no more than SIZE. Its length, or -1.
static ssize_t read_all(int fd, char *buf, size_t size)
{
    size_t used = 0;
    ssize_t n;

    do {
        n = read(fd, buf + used, size - used);
        used += n > 0 ? (size_t)n : 0;
    } while ((n > 0 && used < size) || (n < 0 && errno == EINTR));
    return n == 0 ? (ssize_t)used : -1;
}

static bool ask(const struct helper_order *order, struct auth *out)
{
    static char answer[ANSWER_MAX];
    int in[2], back[2], status;
    size_t len = strlen(order->server);

    if (pipe2(in, O_CLOEXEC) < 0 || pipe2(back, O_CLOEXEC) < 0)
        return false;
    pid_t pid = fork();
    if (pid == 0)
        become_program(order, in[0], back[1]);
    close(in[0]);
    close(back[1]);
    bool ok = pid > 0 && write(in[1], order->server, len) == (ssize_t)len;
    close(in[1]);
    ssize_t n = ok ? read_all(back[0], answer, sizeof(answer)) : -1;
    return n >= 0 && waitpid(pid, &status, 0) == pid && status == 0 &&
           auth_read_answer(answer, (size_t)n, out);
}

// The first of its namespace: all others there end with it.
static void run(const struct helper_order *order, int gate, int result)
    __attribute__((noreturn));

static void run(const struct helper_order *order, int gate, int result)
{
    static struct auth auth;
    int keep[] = {gate, result};
    char byte;

    // Seen from here, whoever started it has no number.
    if (child_begin(0, keep, 2) < 0 || read(gate, &byte, 1) != 1 ||
        setsid() < 0 || chdir("/") < 0 || child_become(0, order->user) < 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        _exit(1);
    umask(077);
    signal(SIGPIPE, SIG_IGN);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_NOFILE, FILES);
    limit(RLIMIT_FSIZE, FILE_SIZE);
    limit(RLIMIT_CPU, order->seconds);
    if (!ask(order, &auth))
        _exit(1);
    _exit(write(result, &auth, sizeof(auth)) == (ssize_t)sizeof(auth) ? 0 : 1);
}

// --- as root
// -------------------------------------------------------------------

// Waits for its end. 1: it has given something; 0: nothing; or -1 with ERR set.
static int await(const struct helper_order *order, pid_t pid, int pidfd,
                 int gate, struct berth_err *err)
{
    struct pollfd p = {.fd = pidfd, .events = POLLIN};
    int status = -1, rc = 0;

    if (order->confine && order->confine(order->arg, pid, err) < 0)
        rc = -1;
    else if (write(gate, "", 1) == 1 &&
             watch_wait(order->watch, pidfd, (int)order->seconds * 1000) < 0)
        rc = err_set(err, BERTH_EENDED, "nobody waits for it");
    if (poll(&p, 1, 0) < 1) {
        syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
        poll(&p, 1, GONE_MS);
        waitpid(pid, NULL, WNOHANG);
        return rc;
    }
    return waitpid(pid, &status, WNOHANG) == pid && status == 0 && rc == 0 ? 1
                                                                           : rc;
}

int helper_ask(const struct helper_order *order, struct auth *out,
               struct berth_err *err)
{
    int gate[2], result[2], pidfd = -1, rc;
    struct clone_args args = {
        .flags = CLONE_NEWPID | CLONE_PIDFD,
        .pidfd = (uintptr_t)&pidfd,
        .exit_signal = SIGCHLD,
    };

    if (pipe2(gate, O_CLOEXEC) < 0)
        return err_set(err, BERTH_ESYS, "asking for credentials: %m");
    if (pipe2(result, O_CLOEXEC) < 0) {
        close(gate[0]);
        close(gate[1]);
        return err_set(err, BERTH_ESYS, "asking for credentials: %m");
    }
    // So that all of it fits, and nobody has to read while it writes.
    fcntl(result[1], F_SETPIPE_SZ, (int)sizeof(*out) + 4096);
    pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
    if (pid == 0)
        run(order, gate[0], result[1]);
    close(gate[0]);
    close(result[1]);
    if (pid < 0) {
        rc = err_set(err, BERTH_ESYS, "asking for credentials: clone3: %m");
    } else {
        rc = await(order, pid, pidfd, gate[1], err);
        fcntl(result[0], F_SETFL, O_NONBLOCK);
        if (rc > 0)
            rc = read(result[0], out, sizeof(*out)) == (ssize_t)sizeof(*out) &&
                 auth_is_sane(out);
        close(pidfd);
    }
    close(gate[1]);
    close(result[0]);
    return rc;
}
