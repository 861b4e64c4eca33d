// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Sending and receiving on the links. The peer of berth-stepd on a task
// link is a process of the user, so nothing that arrives is believed before
// it has been checked here; what does not check is an error, never guessed.
#include "protocol/wire.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

// What each type carries.
static const struct {
    bool text;
    size_t bytes; // unless it is text
    int fds_min;
    int fds_max;
} shapes[] = {
    [WIRE_NOTE] = {true, 0, 0, 0},
    [WIRE_REFUSE] = {true, 0, 0, 0},
    [WIRE_ACCEPT] = {false, 0, 2, 2},
    [WIRE_HELLO] = {false, 0, 0, 0},
    [WIRE_FORK] = {false, 0, 1, 1},
    [WIRE_BORN] = {false, 0, 0, 0},
    [WIRE_RUN] = {false, sizeof(struct wire_run), 4, WIRE_FDS_MAX},
    [WIRE_SIGNAL] = {false, 0, 0, 0},
    [WIRE_DONE] = {false, 0, 0, 0},
    [WIRE_CLEAR] = {false, 0, 1, 1},
    [WIRE_CLEARED] = {false, 0, 0, 0},
    [WIRE_TELL] = {true, 0, 0, 0},
    [WIRE_ANSWER] = {false, 0, 0, 1},
    [WIRE_LEAVE] = {false, 0, 0, 0},
};

// Room for one message's descriptors and the sender's credentials.
union control {
    struct cmsghdr align;
    char room[CMSG_SPACE(sizeof(int) * WIRE_FDS_MAX) +
              CMSG_SPACE(sizeof(struct ucred))];
};

int wire_send(int fd, enum wire_type type, int32_t value, const void *data,
              size_t len, const int *fds, int nfds, int flags)
{
    struct wire_msg msg = {WIRE_MAGIC, type, value, 0};
    struct iovec iov[2] = {{&msg, sizeof(msg)}};
    struct msghdr hdr = {.msg_iov = iov, .msg_iovlen = 2};
    union control control;
    ssize_t n;

    if (shapes[type].text && len > WIRE_TEXT_MAX)
        len = WIRE_TEXT_MAX;
    msg.bytes = (uint32_t)len;
    iov[1].iov_base = (void *)(uintptr_t)data;
    iov[1].iov_len = len;
    if (nfds > 0) {
        struct cmsghdr *c;

        memset(&control, 0, sizeof(control));
        hdr.msg_control = &control;
        hdr.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)nfds);
        c = CMSG_FIRSTHDR(&hdr);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)nfds);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * (size_t)nfds);
    }
    do
        n = sendmsg(fd, &hdr, flags | MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -1 : 0;
}

// Takes descriptors and credentials out of HDR. All of them: what the
// caller has no use for must be closed, too. Returns how many of those
// there were.
static size_t take_control(struct msghdr *hdr, struct wire_in *in)
{
    size_t surplus = 0;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(hdr); c; c = CMSG_NXTHDR(hdr, c)) {
        if (c->cmsg_level != SOL_SOCKET)
            continue;
        if (c->cmsg_type == SCM_RIGHTS) {
            size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

            for (size_t i = 0; i < n; i++) {
                int fd;

                memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
                if (in->nfds < WIRE_FDS_MAX) {
                    in->fds[in->nfds++] = fd;
                } else {
                    close(fd);
                    surplus++;
                }
            }
        } else if (c->cmsg_type == SCM_CREDENTIALS) {
            struct ucred cred;

            memcpy(&cred, CMSG_DATA(c), sizeof(cred));
            in->pid = cred.pid;
            in->uid = cred.uid;
            in->gid = cred.gid;
        }
    }
    return surplus;
}

// Says whether IN, of which N bytes came, is what its type should be.
static bool well_formed(const struct wire_in *in, size_t n)
{
    const struct wire_msg *msg = &in->msg;
    uint32_t type = msg->type;

    if (n < sizeof(*msg) || msg->magic != WIRE_MAGIC)
        return false;
    if (type < WIRE_NOTE || type > WIRE_LEAVE)
        return false;
    if (msg->bytes != n - sizeof(*msg))
        return false;
    if (in->nfds < shapes[type].fds_min || in->nfds > shapes[type].fds_max)
        return false;
    if (shapes[type].text)
        return msg->bytes <= WIRE_TEXT_MAX &&
               !memchr(in->u.text, '\0', msg->bytes);
    return msg->bytes == shapes[type].bytes;
}

int wire_recv(int fd, struct wire_in *in, int flags)
{
    struct iovec iov[2] = {
        {&in->msg, sizeof(in->msg)},
        {&in->u, sizeof(in->u)},
    };
    union control control;
    struct msghdr hdr = {
        .msg_iov = iov,
        .msg_iovlen = 2,
        .msg_control = &control,
        .msg_controllen = sizeof(control),
    };
    size_t surplus;
    ssize_t n;

    in->nfds = 0;
    in->pid = 0;
    in->uid = (uid_t)-1;
    in->gid = (gid_t)-1;
    // A peer that closes its end before it has read all that we sent leaves
    // ECONNRESET, once and before what it has sent, which is still there.
    do
        n = recvmsg(fd, &hdr, flags | MSG_CMSG_CLOEXEC);
    while (n < 0 && (errno == EINTR || errno == ECONNRESET));
    if (n < 0)
        return -1;
    surplus = take_control(&hdr, in);
    if (hdr.msg_flags & MSG_CTRUNC) {
        wire_close(in);
        errno = EMFILE;
        return -1;
    }
    if (n == 0) {
        wire_close(in);
        return 0;
    }
    if ((hdr.msg_flags & MSG_TRUNC) || surplus || !well_formed(in, (size_t)n)) {
        wire_close(in);
        errno = EPROTO;
        return -1;
    }
    if (shapes[in->msg.type].text)
        in->u.text[in->msg.bytes] = '\0';
    return 1;
}

void wire_close(struct wire_in *in)
{
    int saved = errno;

    for (int i = 0; i < in->nfds; i++)
        if (in->fds[i] >= 0)
            close(in->fds[i]);
    in->nfds = 0;
    errno = saved;
}

// glibc has close_range since 2.34, Linux since 5.9; an engine's seccomp
// profile may be older than either.
void wire_close_from(int first)
{
#ifdef SYS_close_range
    if (syscall(SYS_close_range, (unsigned)first, ~0U, 0) == 0)
        return;
#endif
    for (int fd = (int)sysconf(_SC_OPEN_MAX); --fd >= first;)
        close(fd);
}

bool wire_run_valid(const struct wire_run *run, int nfds)
{
    uint64_t strings = (uint64_t)run->argc + run->envc + 2;

    if (run->argc < 1 || run->size > WIRE_START_MAX || strings > run->size)
        return false;
    if (run->flags > (WIRE_RUN_TTY | WIRE_RUN_ROOT) || run->mask > 07777)
        return false;
    if (run->nkeep > WIRE_KEEP_MAX || (int)run->nkeep + 4 != nfds)
        return false;
    for (uint32_t i = 0; i < run->nkeep; i++)
        if (run->keep[i] < 3 || (i && run->keep[i] <= run->keep[i - 1]))
            return false;
    return true;
}

int wire_run_parse(const struct wire_run *run, char *data, char **vec,
                   const char **cwd, const char **hint)
{
    uint64_t strings = (uint64_t)run->argc + run->envc + 2;
    char *p = data;
    size_t left = run->size;

    for (uint64_t i = 0; i < strings; i++) {
        size_t len = strnlen(p, left);

        if (len == left)
            return -1;
        if (i == run->argc)
            *vec++ = NULL;
        if (i < strings - 2)
            *vec++ = p;
        else
            *(i < strings - 1 ? cwd : hint) = p;
        p += len + 1;
        left -= len + 1;
    }
    *vec = NULL;
    return left == 0 && **cwd == '/' ? 0 : -1;
}
