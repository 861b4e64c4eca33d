// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Who is at the other end of a connection, by the kernel's word, and whether
// that process still lives: only then is its pid still its own.
#ifndef BERTH_PEER_H
#define BERTH_PEER_H

#include <stdbool.h>
#include <sys/types.h>

struct peer {
    int conn;
    pid_t pid; // of the process that connected
    uid_t uid;
    int process; // a pidfd of it, or -1: before Linux 6.5 there is none
};

// Takes the next connection of the socket LISTENER. 0 and OUT, for
// peer_close; or -1.
int peer_accept(int listener, struct peer *out);

// Says whether the process still lives: what was read in /proc/PID before was
// its own then. Without a pidfd the end of the connection stands for its end,
// and a process that hands a descriptor of that to another outlives itself.
bool peer_lives(const struct peer *peer);

void peer_close(struct peer *peer);

// The same, but for the connection, which it returns.
int peer_take(struct peer *peer);

#endif
