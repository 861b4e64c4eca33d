// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include "engine/watch.h"

#include <poll.h>

#include "engine/clock.h"

int watch_wait(const struct watch *watch, int fd, int ms)
{
    struct pollfd p[] = {
        {.fd = fd, .events = POLLIN},
        {.fd = watch->fd, .events = POLLIN},
    };
    long long end = clock_ms() + ms, left;

    while ((left = end - clock_ms()) > 0) {
        int n = poll(p, 2, left < WATCH_MS ? (int)left : WATCH_MS);
        if ((n == 0 || p[1].revents) && !watch->go_on(watch->arg))
            return -1;
        if (n > 0 && p[0].revents)
            return 1;
    }
    return 0;
}
