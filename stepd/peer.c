// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: the kernel's word on processes of any user who can connect.

#include "stepd/peer.h"

#include <sys/socket.h>
#include <unistd.h>

int peer_accept(int listener, struct peer *out)
{
    struct ucred who;
    socklen_t size = sizeof(who);

    int conn = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (conn < 0)
        return -1;
    if (getsockopt(conn, SOL_SOCKET, SO_PEERCRED, &who, &size) < 0) {
        close(conn);
        return -1;
    }
    *out = (struct peer){conn, who.pid, who.uid};
    return 0;
}
