// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// A program that has a user's credentials (docker-credential-NAME): which one
// is his, by his own file, and which ones there may be the administrator's. It
// runs as the user, where the processes of his step are if somebody puts it
// there, in a pid namespace that ends with its answer, and with nothing of
// root's.
#ifndef BERTH_HELPER_H
#define BERTH_HELPER_H

#include <sys/types.h>

#include "engine/watch.h"
#include "logic/auth.h"
#include "logic/err.h"
#include "node/child.h"

struct helper_order {
    const char *path;   // of the program
    const char *server; // what it is asked for
    const char *home;
    const struct child_user *user;
    unsigned seconds;          // it may take at most
    const struct watch *watch; // as long as somebody waits
    // Puts a process of root's that will be the user's where those of his step
    // are. NULL: there is no such place.
    int (*confine)(void *arg, pid_t pid, struct berth_err *err);
    void *arg;
};

// 1 and OUT; 0: it has none, or took too long; or -1 with ERR set: BERTH_EENDED
// if nobody waits any more.
int helper_ask(const struct helper_order *order, struct auth *out,
               struct berth_err *err);

#endif
