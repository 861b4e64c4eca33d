// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// By berth-fetch, in a process group of its own, so that nothing is left of it
// when it takes too long. Input: what that prints, which has a registry's words
// in it. What comes of it is a name like one that the user could have written
// himself, and the nodes treat it so.

#include "spank/resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    PATIENCE_MS = 5000,
    SAID_MAX = 512,
};

static const char program[] = BERTH_LIBEXECDIR "/berth-fetch";

static long long now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

// Starts it with OUT for all that it says. 0 and PID, or an errno.
static int start(const char *name, int out, pid_t *pid)
{
    char *const argv[] = {(char *)"berth-fetch", (char *)"--tries=1",
                          (char *)"--resolve", (char *)name, NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none, all;

    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attr);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, out, 1);
    posix_spawn_file_actions_adddup2(&files, out, 2);
    posix_spawnattr_setpgroup(&attr, 0);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &all);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP |
                                        POSIX_SPAWN_SETSIGMASK |
                                        POSIX_SPAWN_SETSIGDEF);
    int rc = posix_spawn(pid, program, &files, &attr, argv, environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attr);
    return rc;
}

// Reads what comes from FD until its end, as a string. False: that took too
// long.
static bool read_all(int fd, char said[SAID_MAX])
{
    long long end = now_ms() + PATIENCE_MS, left;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    size_t len = 0;
    char more[SAID_MAX];

    said[0] = 0;
    while ((left = end - now_ms()) > 0) {
        if (poll(&p, 1, (int)left) <= 0)
            continue;
        ssize_t n = read(fd, more, sizeof(more));
        if (n <= 0)
            return true;
        size_t room = SAID_MAX - 1 - len;
        size_t part = (size_t)n < room ? (size_t)n : room;
        memcpy(said + len, more, part);
        len += part;
        said[len] = 0;
    }
    return false;
}

static bool is_digest(const char *text)
{
    static const char prefix[] = "sha256:";
    const char *hex = text + strlen(prefix);

    return strlen(text) == RESOLVE_DIGEST - 1 &&
           strncmp(text, prefix, strlen(prefix)) == 0 &&
           strspn(hex, "0123456789abcdef") == strlen(hex);
}

int resolve_digest(const char *name, char out[RESOLVE_DIGEST],
                   struct berth_err *err)
{
    static const char prefix[] = "berth-fetch: ";
    char said[SAID_MAX];
    int pipe[2], status = 0;
    pid_t pid;

    if (pipe2(pipe, O_CLOEXEC) < 0)
        return err_set(err, BERTH_ESYS, "%m");
    int rc = start(name, pipe[1], &pid);
    close(pipe[1]);
    if (rc != 0) {
        close(pipe[0]);
        return err_set(err, BERTH_ESYS, "%s cannot be run: %s", program,
                       strerror(rc));
    }
    bool all = read_all(pipe[0], said);
    close(pipe[0]);
    kill(-pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    said[strcspn(said, "\n")] = 0;
    if (!all)
        return err_set(err, BERTH_ETIMEOUT,
                       "its registry has not answered within %d seconds",
                       PATIENCE_MS / 1000);
    if (is_digest(said)) {
        memcpy(out, said, RESOLVE_DIGEST);
        return 0;
    }
    const char *why = strncmp(said, prefix, strlen(prefix)) == 0
                          ? said + strlen(prefix)
                          : said;
    err_set(err, BERTH_ENOTFOUND, "%s", *why ? why : "berth-fetch was killed");
    err_scrub(err->text);
    return -1;
}
