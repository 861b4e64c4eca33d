// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Whose job berth-policy(1) speaks of: somebody whom this machine knows
// (NSS), or whom the options describe.
#ifndef BERTH_WHO_H
#define BERTH_WHO_H

#include "logic/decision.h"
#include "logic/err.h"
#include "logic/strv.h"

// What was written on the command line; NULL where nothing was.
struct who_words {
    const char *user;   // --user=NAME
    const char *uid;    // --uid=NUMBER: nothing is looked up
    const char *gid;    // --gid=NUMBER[=NAME]
    const char *groups; // --groups=NUMBER[=NAME][,...]
    const char *home;   // --home=DIR
};

// Owns what SUBJECT borrows.
struct who {
    struct subject subject; // without partition, job and cwd
    struct strv texts;
    gid_t *gids;
    const char **groups;
};

// With nothing written, OUT is the caller. 0, or -1 with ERR set:
// BERTH_ENOTFOUND if there is no such user, BERTH_EINVAL, BERTH_ENOMEM.
int who_find(const struct who_words *words, struct who *out,
             struct berth_err *err);

void who_clear(struct who *who);

#endif
