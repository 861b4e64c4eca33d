// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The only program of the test images: what a test wants to know from
// within a container that has nothing else in it.

#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

extern char **environ;

static int fail(const char *what)
{
    fprintf(stderr, "probe: %s: %s\n", what, strerror(errno));
    return 9;
}

static int show(const char *path)
{
    char buf[65536];
    ssize_t n;
    int fd = open(path, O_RDONLY);

    if (fd < 0)
        return fail(path);
    while ((n = read(fd, buf, sizeof(buf))) > 0)
        if (write(1, buf, (size_t)n) != n)
            return fail("stdout");
    return n < 0 ? fail(path) : 0;
}

// Writes BYTES zeros to PATH.
static int fill(const char *path, long long bytes)
{
    static char buf[1 << 20];
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

    if (fd < 0)
        return fail(path);
    for (; bytes > 0; bytes -= sizeof(buf))
        if (write(fd, buf, sizeof(buf)) != (ssize_t)sizeof(buf))
            return fail(path);
    return 0;
}

// One line for each way to a user namespace: what the kernel says to it, or
// "yes".
static int users(void)
{
    static struct clone_args args = {.flags = CLONE_NEWUSER};
    static const char *const ways[] = {"clone", "clone3", "setns", "unshare"};

    for (int i = 0; i < 4; i++) {
        long rc;
        errno = 0;
        if (i == 0)
            rc = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
        else if (i == 1)
            rc = syscall(SYS_clone3, &args, sizeof(args));
        else if (i == 2)
            rc = setns(open("/proc/self/ns/user", O_RDONLY), 0);
        else
            rc = unshare(CLONE_NEWUSER);
        if (rc == 0 && i < 2)
            _exit(0); // the process that it has made
        printf("%s: %s\n", ways[i], rc < 0 ? strerror(errno) : "yes");
        fflush(stdout);
    }
    return 0;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    const char *arg = argc > 2 ? argv[2] : "";

    if (strcmp(what, "env") == 0) {
        for (char **e = environ; *e; e++)
            puts(*e);
        return 0;
    }
    if (strcmp(what, "show") == 0)
        return show(arg);
    if (strcmp(what, "exit") == 0)
        return atoi(arg);
    if (strcmp(what, "rank") == 0) // rank BASE: exits with BASE + its rank
        return atoi(arg) + atoi(getenv("SLURM_PROCID"));
    if (strcmp(what, "ids") == 0) {
        printf("%u %u %u %u\n", getuid(), geteuid(), getgid(), getegid());
        return 0;
    }
    if (strcmp(what, "cwd") == 0) {
        char buf[4096];
        if (!getcwd(buf, sizeof(buf)))
            return fail("getcwd");
        puts(buf);
        return 0;
    }
    if (strcmp(what, "stat") == 0) {
        struct stat st;
        if (lstat(arg, &st) < 0)
            return fail(arg);
        printf("%o %u %u\n", st.st_mode, st.st_uid, st.st_gid);
        return 0;
    }
    if (strcmp(what, "touch") == 0)
        return fill(arg, 0);
    if (strcmp(what, "fill") == 0)
        return fill(arg, atoll(argc > 3 ? argv[3] : ""));
    if (strcmp(what, "users") == 0)
        return users();
    if (strcmp(what, "hello") == 0) {
        puts("hello");
        return 0;
    }
    if (strcmp(what, "wait") == 0) {
        printf("ready %s\n", getenv("SLURM_JOB_ID"));
        fflush(stdout);
        pause();
    }
    fprintf(stderr, "probe: what?\n");
    return 2;
}
