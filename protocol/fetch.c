// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include "protocol/fetch.h"

#include <errno.h>
#include <stddef.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum { HEAD = offsetof(struct fetch_frame, u) };

int fetch_send(int fd, enum fetch_type type, const void *data, size_t len)
{
    uint32_t head[] = {type, (uint32_t)len};
    struct iovec iov[] = {{head, sizeof(head)}, {(void *)data, len}};
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = len ? 2 : 1};
    ssize_t n;

    _Static_assert(sizeof(head) == HEAD, "the union follows at once");
    do {
        n = sendmsg(fd, &msg, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    return n == (ssize_t)(HEAD + len) ? 0 : -1;
}

int fetch_send_document(int fd, enum fetch_type type, const char *text,
                        size_t len)
{
    for (size_t n; len > 0; text += n, len -= n) {
        n = len < FETCH_DATA_MAX ? len : FETCH_DATA_MAX;
        if (fetch_send(fd, type, text, n) < 0)
            return -1;
    }
    return fetch_send(fd, type, NULL, 0);
}

// Whether IN has as many bytes as its type.
static bool is_whole(const struct fetch_frame *in)
{
    switch (in->type) {
    case FETCH_LAYER:
        return in->bytes == sizeof(in->u.layer);
    case FETCH_PROGRESS:
        return in->bytes == sizeof(in->u.progress);
    case FETCH_FAILED:
        return in->bytes == sizeof(in->u.failed) &&
               memchr(in->u.failed.text, 0, sizeof(in->u.failed.text));
    case FETCH_DONE:
        return in->bytes == 0;
    case FETCH_DATA:
        return in->bytes > 0;
    default:
        return in->type >= FETCH_INDEX && in->type <= FETCH_WANTED;
    }
}

int fetch_recv(int fd, struct fetch_frame *out, int flags)
{
    ssize_t n;

    do {
        n = recv(fd, out, sizeof(*out), flags | MSG_TRUNC);
    } while (n < 0 && errno == EINTR);
    if (n <= 0)
        return (int)n;
    if (n >= (ssize_t)HEAD && n <= (ssize_t)sizeof(*out) &&
        n == (ssize_t)(HEAD + out->bytes) && is_whole(out))
        return 1;
    errno = EPROTO;
    return -1;
}
