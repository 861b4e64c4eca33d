// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Who connected, by the kernel's word. The process may have ended since, and
// another may have its connection, or its number: it is known by its number
// only while a process that is held (stepd/process.h) has that.
#ifndef BERTH_PEER_H
#define BERTH_PEER_H

#include <sys/types.h>

struct peer {
    int conn;
    pid_t pid; // of the process that connected
    uid_t uid;
};

// Takes the next connection of the socket LISTENER. 0 and OUT, whose
// connection is the caller's to close; or -1.
int peer_accept(int listener, struct peer *out);

#endif
