// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: of slurm.conf, which plugin gives jobs namespaces; slurmd's own
// environment, which is root's. Slurm's daemons have threads: between fork and
// exec only calls that are safe there.

#include <slurm/slurm_version.h>

#include "spank/start.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <slurm/slurm.h>
#include <slurm/spank.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "protocol/passing.h"
#include "protocol/starter.h"

#ifndef SYS_pidfd_open // Linux 5.3, the same number everywhere
#define SYS_pidfd_open 434
#endif

// How long a clean-up after a berth-stepd that died may take, and how long
// berth-starter, to take one connection after the other.
enum { SWEEP_MS = 30000, KILL_MS = 500, STARTER_S = 10 };

static const char starter_program[] = BERTH_LIBEXECDIR "/berth-starter";
static const char stepd_program[] = BERTH_LIBEXECDIR "/" STARTER_STEPD;
static const char epilog_program[] = BERTH_SBINDIR "/" STARTER_EPILOG;

// The first child: root again, and no descendant of slurmstepd, which kills
// those at the step's end. Replaces itself by PROGRAM, with LINK as its
// standard input.
static _Noreturn void become(const char *program, char *const argv[], int link,
                             bool detach)
{
    char *const env[] = {NULL};
    sigset_t none;

    if (setresuid(0, 0, 0) < 0 || setgroups(0, NULL) < 0 ||
        setresgid(0, 0, 0) < 0)
        _exit(1);
    if (detach) {
        pid_t pid = fork();
        if (pid != 0)
            _exit(pid < 0);
    }
    int null = open("/dev/null", O_RDWR);
    if (null < 0 || dup2(link >= 0 ? link : null, 0) < 0 || dup2(null, 1) < 0 ||
        dup2(null, 2) < 0)
        _exit(1);
    if (syscall(SYS_close_range, 3, ~0U, 0) < 0)
        _exit(1);
    for (int s = 1; s < NSIG; s++)
        signal(s, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execve(program, argv, env);
    _exit(1);
}

// Starts PROGRAM, and waits for the first child: 0, or -1.
static int spawn(const char *program, char *const argv[], int link, bool detach)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0)
        become(program, argv, link, detach);
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0 ? 0 : -1;
}

// Which of Slurm's plugins gives jobs namespaces, or NULL: none does.
static const char *namespace_plugin(void)
{
    const slurm_conf_t *conf = dlsym(RTLD_DEFAULT, "slurm_conf");
#if SLURM_VERSION_NUMBER >= SLURM_VERSION_NUM(25, 11, 0)
    const char *name = conf ? conf->namespace_plugin : NULL;
#else
    const char *name = conf ? conf->job_container_plugin : NULL;
#endif

    return name && *name && !strstr(name, "none") ? name : NULL;
}

// The starter has slurmd's pidfd for its standard input: so it ends when slurmd
// does, however that ends. It answers before its own first process ends.
void start_starter(void)
{
    char path[sizeof(STARTER_PATH) + 16];
    char *const argv[] = {(char *)"berth-starter", path, NULL};

    // A slurmd that has replaced itself has the last one's.
    unsetenv(STARTER_ENV);
    if (!namespace_plugin())
        return;
    snprintf(path, sizeof(path), STARTER_PATH "%d", (int)getpid());
    int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
    if (self < 0 || spawn(starter_program, argv, self, false) < 0)
        slurm_error("berth: %s cannot be started: no container will start on "
                    "this node in a job that has namespaces of its own",
                    starter_program);
    // Also where there is none: to start in a job's namespaces what needs the
    // node's would fail later, and less plainly.
    setenv(STARTER_ENV, path, 1);
    if (self >= 0)
        close(self);
}

bool start_is_apart(void)
{
    return getenv(STARTER_ENV) || namespace_plugin();
}

// Has berth-starter start the program of the N WORDS, with FD as its standard
// input. 0, or -1.
static int ask_starter(const char *path, const char *const words[], size_t n,
                       int fd)
{
    struct timeval t = {.tv_sec = STARTER_S};
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    char packet[STARTER_PACKET_MAX];
    size_t len = 0;

    for (size_t i = 0; i < n; i++) {
        size_t more = strlen(words[i]) + 1;
        if (more > sizeof(packet) - len)
            return -1;
        memcpy(packet + len, words[i], more);
        len += more;
    }
    if (strlen(path) >= sizeof(addr.sun_path))
        return -1;
    strcpy(addr.sun_path, path);
    int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (sock < 0)
        return -1;
    bool ok = setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t)) == 0 &&
              connect(sock, (struct sockaddr *)&addr, sizeof(addr)) == 0 &&
              passing_send(sock, packet, len, &fd, 1, 0) == 0;
    close(sock);
    return ok ? 0 : -1;
}

int start_stepd(const char *name, int link)
{
    char *const argv[] = {(char *)STARTER_STEPD, (char *)name, NULL};
    const char *starter = getenv(STARTER_ENV);

    return starter ? ask_starter(starter, (const char *const *)argv, 2, link)
                   : spawn(stepd_program, argv, link, true);
}

// What was started elsewhere holds the other end of this pair until it ends.
static void sweep_there(const char *starter, char *const argv[], size_t n)
{
    struct pollfd p = {.events = POLLIN};
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return;
    p.fd = pair[0];
    int rc = ask_starter(starter, (const char *const *)argv, n, pair[1]);
    close(pair[1]);
    if (rc == 0)
        poll(&p, 1, SWEEP_MS);
    close(pair[0]);
}

void start_sweep(const char *node, const char *name)
{
    char *const argv[] = {(char *)STARTER_EPILOG, (char *)"--node",
                          (char *)node,           (char *)"--step",
                          (char *)name,           NULL};
    const char *starter = getenv(STARTER_ENV);
    int status;

    if (starter) {
        sweep_there(starter, argv, sizeof(argv) / sizeof(*argv) - 1);
        return;
    }
    pid_t pid = fork();
    if (pid == 0)
        become(epilog_program, argv, -1, false);
    // One that hangs in the kernel is not waited for once it was killed.
    for (int ms = 0; pid > 0 && ms <= SWEEP_MS + KILL_MS &&
                     waitpid(pid, &status, WNOHANG) == 0;
         ms += 10) {
        struct timespec t = {.tv_nsec = 10 * 1000000L};
        if (ms == SWEEP_MS)
            kill(pid, SIGKILL);
        nanosleep(&t, NULL);
    }
}
