// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: the kernel's word on processes of any user who can connect.

#include "stepd/peer.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SO_PEERPIDFD // Linux 6.5
#define SO_PEERPIDFD 77
#endif

int peer_accept(int listener, struct peer *out)
{
    struct peer peer = {.process = -1};
    struct ucred who;
    socklen_t size = sizeof(who), fdsize = sizeof(peer.process);

    peer.conn = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (peer.conn < 0)
        return -1;
    if (getsockopt(peer.conn, SOL_SOCKET, SO_PEERCRED, &who, &size) < 0 ||
        (getsockopt(peer.conn, SOL_SOCKET, SO_PEERPIDFD, &peer.process,
                    &fdsize) < 0 &&
         errno != ENOPROTOOPT)) {
        peer_close(&peer);
        return -1;
    }
    peer.pid = who.pid;
    peer.uid = who.uid;
    *out = peer;
    return 0;
}

bool peer_lives(const struct peer *peer)
{
    struct pollfd p[] = {
        {.fd = peer->conn}, // its end is always told
        {.fd = peer->process, .events = POLLIN}, // -1 is passed over
    };

    return poll(p, 2, 0) == 0;
}

int peer_take(struct peer *peer)
{
    int conn = peer->conn;

    peer->conn = -1;
    peer_close(peer);
    return conn;
}

void peer_close(struct peer *peer)
{
    if (peer->process >= 0)
        close(peer->process);
    if (peer->conn >= 0)
        close(peer->conn);
    peer->conn = peer->process = -1;
}
