// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The sockets in a step's directory.
#ifndef BERTH_LISTEN_H
#define BERTH_LISTEN_H

#include <sys/types.h>

#include "logic/err.h"
#include "node/store.h"

// Listens (SOCK_SEQPACKET) at NAME in the directory of STORE; only OWNER
// and root can connect. Returns a descriptor, or -1 with ERR set.
int listen_at(const struct store_step *store, const char *name, uid_t owner,
              struct berth_err *err);

// How long a peer may be silent.
enum { LISTEN_MS = 10000 };

// Bounds what a silent peer of socket FD can cost: sends and receives on it
// fail after LISTEN_MS. 0, or -1.
int listen_timeout(int fd);

#endif
