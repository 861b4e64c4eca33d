// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// What a wait is given up for, besides time.
#ifndef BERTH_WATCH_H
#define BERTH_WATCH_H

#include <stdbool.h>

// As long as a wait lasts, GO_ON is asked whenever FD can be read (-1: never),
// and where nothing happens every WATCH_MS. Where it says false the wait ends.
struct watch {
    int fd;
    bool (*go_on)(void *arg);
    void *arg;
};

enum { WATCH_MS = 200 };

// Waits until FD can be read, or is at its end. Returns 1; 0 after MS
// milliseconds; or -1: WATCH says so.
int watch_wait(const struct watch *watch, int fd, int ms);

#endif
