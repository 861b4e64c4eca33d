// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include "protocol/passing.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
    struct cmsghdr align;
    char room[CMSG_SPACE(PASSING_MAX * sizeof(int))];
};

int passing_send(int sock, const void *data, size_t len, const int *fds,
                 size_t n, int flags)
{
    struct iovec iov = {(void *)data, len};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    union control control = {0};
    ssize_t sent;

    if (n > PASSING_MAX) {
        errno = EINVAL;
        return -1;
    }
    if (n > 0) {
        msg.msg_control = &control;
        msg.msg_controllen = CMSG_SPACE(n * sizeof(*fds));
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(n * sizeof(*fds));
        memcpy(CMSG_DATA(c), fds, n * sizeof(*fds));
    }
    do
        sent = sendmsg(sock, &msg, flags | MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)len ? 0 : -1;
}

// Says whether there were no more than MAX.
static bool take(struct msghdr *msg, int *fds, size_t max)
{
    size_t n = 0;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t came = (c->cmsg_len - CMSG_LEN(0)) / sizeof(*fds);
        for (size_t i = 0; i < came; i++, n++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
            if (n < max)
                fds[n] = fd;
            else
                close(fd);
        }
    }
    // Those that found no room in CONTROL the kernel has closed.
    return n <= max && !(msg->msg_flags & MSG_CTRUNC);
}

ssize_t passing_receive(int sock, void *data, size_t size, int *fds, size_t max,
                        int flags)
{
    struct iovec iov = {data, size};
    union control control;
    struct msghdr msg;
    ssize_t n;

    for (size_t i = 0; i < max; i++)
        fds[i] = -1;
    do {
        msg = (struct msghdr){.msg_iov = &iov,
                              .msg_iovlen = 1,
                              .msg_control = &control,
                              .msg_controllen = sizeof(control)};
        n = recvmsg(sock, &msg, flags | MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n < 0 || take(&msg, fds, max))
        return n;
    for (size_t i = 0; i < max; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
        fds[i] = -1;
    }
    errno = EPROTO;
    return -1;
}
