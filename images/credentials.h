// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// A user's credentials for a registry: from his own files, which a child that
// is the user reads, from a program that these name, or else from the site's.
// They go to skopeo as a file in memory, and are in no argument, environment,
// log or core file.
#ifndef BERTH_CREDENTIALS_H
#define BERTH_CREDENTIALS_H

#include <sys/types.h>

#include "engine/watch.h"
#include "logic/auth.h"
#include "logic/err.h"
#include "logic/imgref.h"
#include "logic/rules.h"
#include "node/child.h"

struct credentials {
    int fd;         // of the file, sealed, or -1: there are none
    char from[512]; // the file that they are from, or would have been
    struct auth_helper helper; // that this names, or empty
    bool asked;                // that was, and had none
};

#define CREDENTIALS_NONE                                                       \
    {                                                                          \
        .fd = -1                                                               \
    }

struct credentials_order {
    const struct child_user *user;
    const char *home; // the user's, or NULL: unknown
    const struct rules *rules;
    const struct imgref *ref;
    uid_t owner; // who will read them
    const struct watch *watch;
    // As images/helper.h has it.
    int (*confine)(void *arg, pid_t pid, struct berth_err *err);
    void *arg;
};

// Looks for the user's, then for the site's. 0 and OUT, which has none if there
// are none; or -1 with ERR set.
int credentials_find(const struct credentials_order *order,
                     struct credentials *out, struct berth_err *err);
void credentials_clear(struct credentials *credentials);

#endif
