// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include "node/keep.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

// By a descriptor of the directory, as the whole path may be too long for a
// socket's.
static int connect_in(int dir)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};

    snprintf(addr.sun_path, sizeof(addr.sun_path),
             "/proc/self/fd/%d/" KEEP_SOCKET, dir);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    // What listens has room for many: if not, it is not waited for.
    if (fd >= 0 && (fcntl(fd, F_SETFL, O_NONBLOCK) < 0 ||
                    connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

int keep_ask(const char *state, const char *node, const char *name,
             enum keep_verb verb)
{
    char path[4096], byte = (char)verb;

    if ((size_t)snprintf(path, sizeof(path), "%s/%s/%s", state, node, name) >=
        sizeof(path))
        return -1;
    int dir = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int fd = dir < 0 ? -1 : connect_in(dir);
    if (dir >= 0)
        close(dir);
    if (fd >= 0 && send(fd, &byte, 1, MSG_NOSIGNAL) != 1) {
        close(fd);
        fd = -1;
    }
    return fd;
}

enum keep_state keep_look(const char *state, const char *node, const char *name,
                          int ms)
{
    int fd = keep_ask(state, node, name, KEEP_LOOK);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    char said = KEEP_GONE;

    if (fd < 0 || poll(&p, 1, ms) != 1 ||
        recv(fd, &said, 1, MSG_DONTWAIT) != 1 ||
        (said != KEEP_WAITS && said != KEEP_RUNS))
        said = KEEP_GONE;
    if (fd >= 0)
        close(fd);
    return (enum keep_state)said;
}

void keep_end(const char *state, const char *node, const char *name)
{
    int fd = keep_ask(state, node, name, KEEP_END);

    if (fd >= 0)
        close(fd);
}
