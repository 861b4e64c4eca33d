// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: the kernel's word on processes of any user's.

#include "stepd/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_pidfd_open // Linux 5.3, the same number everywhere
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_send_signal // Linux 5.1
#define SYS_pidfd_send_signal 424
#endif

pid_t process_number(int pidfd)
{
    char path[64], line[256];
    long pid = -1;

    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof(line), f))
        if (strncmp(line, "Pid:", 4) == 0)
            pid = strtol(line + 4, NULL, 10);
    if (f)
        fclose(f);
    return pid > 0 ? (pid_t)pid : -1;
}

// The directory is opened by number, between two moments at which PIDFD says
// that the process has it.
int process_hold(pid_t pid, int pidfd, struct process *out)
{
    struct process p = {.pid = pid, .pidfd = pidfd, .proc = -1};
    char path[32];

    if (p.pidfd < 0)
        p.pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    snprintf(path, sizeof(path), "/proc/%d", (int)pid);
    if (p.pidfd >= 0 &&
        (p.proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC)) >= 0 &&
        process_lives(&p)) {
        *out = p;
        return 0;
    }
    process_close(&p);
    errno = ESRCH;
    return -1;
}

bool process_lives(const struct process *process)
{
    struct pollfd p = {.fd = process->pidfd, .events = POLLIN};

    return process->pidfd >= 0 && poll(&p, 1, 0) == 0;
}

void process_kill(const struct process *process)
{
    syscall(SYS_pidfd_send_signal, process->pidfd, SIGKILL, NULL, 0);
}

int process_open(const struct process *process, const char *what, int flags)
{
    return openat(process->proc, what, flags | O_CLOEXEC);
}

static bool same_namespace(const struct process *a, int dir, const char *path)
{
    struct stat one, other;

    return fstatat(a->proc, "ns/pid", &one, 0) == 0 &&
           fstatat(dir, path, &other, 0) == 0 && one.st_dev == other.st_dev &&
           one.st_ino == other.st_ino;
}

// "NSpid:\t4711\t1": its number in each namespace, its own the last. Behind
// the line of its groups, which can be long.
bool process_is_first(const struct process *process)
{
    char *line = NULL;
    bool first = false;
    size_t cap = 0;

    int fd = process_open(process, "status", O_RDONLY);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
    if (!f) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    while (!first && getline(&line, &cap, f) > 0) {
        const char *last = strrchr(line, '\t');
        first = strncmp(line, "NSpid:", 6) == 0 && strcmp(last, "\t1\n") == 0;
    }
    free(line);
    fclose(f);
    return first && !same_namespace(process, AT_FDCWD, "/proc/self/ns/pid");
}

bool process_is_within(const struct process *process,
                       const struct process *first)
{
    return same_namespace(process, first->proc, "ns/pid");
}

void process_close(struct process *process)
{
    int saved = errno;

    if (process->pidfd >= 0)
        close(process->pidfd);
    if (process->proc >= 0)
        close(process->proc);
    process->pidfd = process->proc = -1;
    errno = saved;
}
