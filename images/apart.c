// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// One packet is a line, or a struct apart_end.

#include "images/apart.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "node/child.h"

enum {
    LINE_SIZE = 1024,
    KEEP_MAX = 8,
    EXIT_MS = 2000, // from its last word to its end
};

struct packet {
    enum { PACKET_LINE = 1, PACKET_END = 2 } type;
    union {
        char line[LINE_SIZE];
        struct apart_end end;
    } u;
};

// So that what is opened later is none of the standard descriptors.
static int fill_standard(void)
{
    int fd;

    do {
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    } while (fd >= 0 && fd < 2);
    if (fd > 2)
        close(fd);
    return fd < 0 ? -1 : 0;
}

pid_t apart_begin(int *keep, size_t n, int *link, struct berth_err *err)
{
    int pair[2], all[KEEP_MAX + 1];

    if (n > KEEP_MAX ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return err_set(err, BERTH_ESYS, "fetching an image: %m");
    pid_t parent = getpid(), pid = fork();
    if (pid < 0)
        err_set(err, BERTH_ESYS, "fetching an image: fork: %m");
    close(pair[pid == 0 ? 0 : 1]);
    *link = pair[pid == 0 ? 1 : 0];
    if (pid < 0)
        close(*link);
    if (pid != 0)
        return pid;
    memcpy(all, keep, n * sizeof(*keep));
    all[n] = *link;
    // It may outlive its parent, whatever ends that.
    if (child_begin(parent, all, n + 1) < 0 || prctl(PR_SET_PDEATHSIG, 0) < 0 ||
        fill_standard() < 0)
        _exit(1);
    setsid();
    signal(SIGPIPE, SIG_IGN);
    return 0;
}

bool apart_is_alone(int *link)
{
    static const struct itimerspec often = {
        .it_interval = {.tv_nsec = WATCH_MS * 1000000L},
        .it_value = {.tv_nsec = WATCH_MS * 1000000L},
    };
    static bool alone;
    uint64_t ticks;

    if (alone) {
        if (read(*link, &ticks, sizeof(ticks)) < 0) {
            // It was not for the timer that somebody asks.
        }
        return true;
    }
    // Nothing is ever sent here.
    if (poll(&(struct pollfd){.fd = *link, .events = POLLIN}, 1, 0) < 1)
        return false;
    alone = true;
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (timer < 0 || timerfd_settime(timer, 0, &often, NULL) < 0 ||
        dup3(timer, *link, O_CLOEXEC) < 0)
        _exit(1);
    close(timer);
    return true;
}

static void send_packet(int link, const struct packet *packet, int flags)
{
    if (send(link, packet, sizeof(*packet), MSG_NOSIGNAL | flags) < 0) {
        // Nobody is there, or has room: then it is not heard.
    }
}

void apart_say(int link, const char *line)
{
    struct packet packet = {.type = PACKET_LINE};

    strncpy(packet.u.line, line, sizeof(packet.u.line) - 1);
    send_packet(link, &packet, MSG_DONTWAIT);
}

void apart_exit(int link, const struct apart_end *end)
{
    struct packet packet = {.type = PACKET_END};

    packet.u.end = *end;
    send_packet(link, &packet, 0);
    _exit(0);
}

int apart_wait(pid_t pid, int link, const struct watch *watch,
               void (*say)(void *arg, const char *line), void *arg,
               struct apart_end *out, struct berth_err *err)
{
    struct packet packet;
    int rc = -1;

    for (;;) {
        int n = watch_wait(watch, link, WATCH_MS);
        if (n < 0) {
            err_set(err, BERTH_EENDED, "nobody waits for it");
            break;
        }
        if (n == 0)
            continue;
        if (recv(link, &packet, sizeof(packet), MSG_DONTWAIT) !=
            (ssize_t)sizeof(packet)) {
            err_set(err, BERTH_ESYS,
                    "the process that fetches the image was killed: try again");
            break;
        }
        if (packet.type == PACKET_END) {
            *out = packet.u.end;
            rc = 0;
            break;
        }
        if (say)
            say(arg, packet.u.line);
    }
    close(link);
    if (rc == 0 || err->code != BERTH_EENDED)
        child_wait(pid, EXIT_MS);
    return rc;
}
