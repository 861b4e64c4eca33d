// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Packets with descriptors (unix(7), SCM_RIGHTS), between processes of which
// neither is a task's: for those see protocol/wire.h.
#ifndef BERTH_PASSING_H
#define BERTH_PASSING_H

#include <stddef.h>
#include <sys/types.h>

enum { PASSING_MAX = 16 }; // descriptors with one packet

// Sends the LEN bytes of DATA, at least one, with the N descriptors FDS. FLAGS
// are sendmsg's; there is never a SIGPIPE. 0; or -1 with errno.
int passing_send(int sock, const void *data, size_t len, const int *fds,
                 size_t n, int flags);

// Receives at most SIZE bytes into DATA, and as many as MAX descriptors (up to
// PASSING_MAX) into FDS, close-on-exec and the caller's; where fewer came, the
// others are -1. FLAGS are recvmsg's. The packet's length (with MSG_TRUNC, also
// of one that is longer than SIZE), 0 at the end, or -1 with errno: EPROTO
// where there were more descriptors. All have been closed then.
ssize_t passing_receive(int sock, void *data, size_t size, int *fds, size_t max,
                        int flags);

#endif
