// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// What a bare process of a user's can try on his containers from the node.
//
//   gap NODE STOP   until the file STOP is there, for each process of his that
//                   is in a pid namespace of its own or about to be: opens the
//                   device node NODE of its image, and its memory. "won" and
//                   exit status 1 if one opens.
//   heir PID        takes the connection of the process PID to berth-stepd
//   over,
//                   and says "have"; then, what came on it: "type N" or "end".
//   again PID       (root) has a process of this program's with that number,
//                   which was another's; says "again" when it does, and waits.
//   stop NAME       stops the first process of his that is called NAME, is
//                   process 1 of its pid namespace, and sleeps.
//   otherwise       (set-user-ID) has the directory ELSEWHERE at /tmp in a
//   mount
//                   namespace of its own, and becomes ELSEWHERE_PROGRAM there.

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "protocol/wire.h"

#ifndef ELSEWHERE
#define ELSEWHERE "/nowhere"
#define ELSEWHERE_PROGRAM "/nowhere"
#endif

static bool read_file(const char *pid, const char *name, char *text, size_t n)
{
    char path[300];

    snprintf(path, sizeof(path), "/proc/%s/%s", pid, name);
    int fd = open(path, O_RDONLY);
    ssize_t got = fd < 0 ? -1 : read(fd, text, n - 1);
    if (fd >= 0)
        close(fd);
    text[got > 0 ? got : 0] = 0;
    return got > 0;
}

// Calls TRY for each process of this user's, until that says true.
static bool each(bool (*try)(const char *pid, const char *name, bool inner))
{
    DIR *dir = opendir("/proc");
    struct dirent *d;
    bool done = false;

    while (!done && (d = readdir(dir))) {
        char name[32], status[4096], want[64];
        if (atoi(d->d_name) < 2 || atoi(d->d_name) == getpid() ||
            !read_file(d->d_name, "comm", name, sizeof(name)) ||
            !read_file(d->d_name, "status", status, sizeof(status)))
            continue;
        snprintf(want, sizeof(want), "\nUid:\t%d\t", (int)getuid());
        char *ns = strstr(status, "\nNSpid:");
        char *end = ns ? strchr(ns + 1, '\n') : NULL;
        if (!end || !strstr(status, want))
            continue;
        *end = 0;
        name[strcspn(name, "\n")] = 0;
        done = try(d->d_name, name, strcmp(end - 2, "\t1") == 0);
    }
    closedir(dir);
    return done;
}

static const char *node, *wanted;

// The runtime's process has the user's ID while it waits to become berth-init.
static bool try_gap(const char *pid, const char *name, bool inner)
{
    char root[300], memory[300];

    if (!inner || (strncmp(name, "runc:", 5) != 0 && strcmp(name, "crun") != 0))
        return false;
    snprintf(root, sizeof(root), "/proc/%s/root%s", pid, node);
    snprintf(memory, sizeof(memory), "/proc/%s/mem", pid);
    for (int i = 0; i < 2000000; i++) {
        int fd = open(i % 2 ? memory : root, i % 2 ? O_RDWR : O_RDONLY);
        if (fd >= 0)
            return true;
        if (errno == ENOENT || errno == ESRCH)
            break;
    }
    return false;
}

// Once it sleeps: it has said that it is there then, and waits for tasks.
static bool try_stop(const char *pid, const char *name, bool inner)
{
    char status[256];

    return inner && strcmp(name, wanted) == 0 &&
           read_file(pid, "status", status, sizeof(status)) &&
           strstr(status, "State:\tS") && kill(atoi(pid), SIGSTOP) == 0;
}

// A process's connection, or -1 where it has none yet.
static int connection(int process)
{
    for (int fd = 3; fd < 64; fd++) {
        struct sockaddr_storage peer;
        socklen_t size = sizeof(int), n = sizeof(peer);
        int type, conn = (int)syscall(SYS_pidfd_getfd, process, fd, 0);

        if (conn < 0)
            continue;
        if (getsockopt(conn, SOL_SOCKET, SO_TYPE, &type, &size) == 0 &&
            type == SOCK_SEQPACKET &&
            getpeername(conn, (struct sockaddr *)&peer, &n) == 0)
            return conn;
        close(conn);
    }
    return -1;
}

static int heir(int pid)
{
    int process = (int)syscall(SYS_pidfd_open, pid, 0);
    int conn = connection(process);
    struct wire_msg msg;

    for (int i = 0; conn < 0 && i < 300; i++) {
        usleep(100000);
        conn = connection(process);
    }
    if (conn < 0)
        return 2;
    printf("have\n");
    fflush(stdout);
    if (recv(conn, &msg, sizeof(msg), 0) == sizeof(msg))
        printf("type %u\n", msg.type);
    else
        printf("end\n");
    return 0;
}

static int again(int pid)
{
    char text[16];
    int n = snprintf(text, sizeof(text), "%d", pid - 1);

    for (int i = 0; i < 1000; i++) {
        int fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY);
        if (fd < 0 || write(fd, text, (size_t)n) != n)
            return 2;
        close(fd);
        pid_t child = fork();
        if (child == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            pause();
            _exit(0);
        }
        if (child == pid) {
            printf("again\n");
            fflush(stdout);
            return pause();
        }
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    return 1;
}

int main(int argc, char **argv)
{
    const char *what = argc > 2 ? argv[1] : "";

    if (strcmp(what, "gap") == 0 && argc == 4) {
        node = argv[2];
        while (access(argv[3], F_OK) < 0)
            if (each(try_gap)) {
                printf("won\n");
                return 1;
            } else {
                usleep(200); // the runtime waits longer than that
            }
        return 0;
    }
    if (strcmp(what, "heir") == 0)
        return heir(atoi(argv[2]));
    if (strcmp(what, "again") == 0)
        return again(atoi(argv[2]));
    if (strcmp(what, "stop") == 0) {
        wanted = argv[2];
        while (!each(try_stop))
            ;
        return 0;
    }
    if (argc > 0 && unshare(CLONE_NEWNS) == 0 &&
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
        mount(ELSEWHERE, "/tmp", NULL, MS_BIND, NULL) == 0 &&
        setresuid(getuid(), getuid(), getuid()) == 0)
        execv(ELSEWHERE_PROGRAM, argv);
    return 3;
}
