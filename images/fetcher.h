// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// berth-fetch as a process: under the account that fetches (or berth-archive
// and berth-save, under the job's user), with nothing of root's or of the
// user's but what it is given, in a pid namespace of its own, so that all of
// its processes end with it. It ends with whoever started it; berth-save, which
// has something to take away, has two seconds for that. In /proc berth-fetch sees
// what is in that namespace, and nothing else.
#ifndef BERTH_FETCHER_H
#define BERTH_FETCHER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "logic/err.h"
#include "node/child.h"

struct fetcher {
    pid_t pid; // 0: there is none
    int pidfd;
    int link;   // protocol/fetch.h
    bool saves; // it hears the link's end, and has something to take away
};

// What is done for a user with an archive of his.
enum fetcher_save {
    FETCHER_READS = 0, // it is read, by berth-archive
    FETCHER_CHECK = 1, // looked whether it could be written, by berth-save
    FETCHER_FILE = 2,  // written
    FETCHER_LOAD = 3,  // written to a file without a name, and read
};

struct fetcher_order {
    // Of the image, as imgref_format writes it; or, of an archive of the user
    // who is given, the path: then it is berth-archive, as that user.
    const char *name;
    const struct child_user *owner; // that user, or NULL
    int theirs; // with an owner: the mount namespace that the path is in; 0 or
                // less: this process's
    enum fetcher_save save;
    bool replace; // what has that path
    bool check;   // no more than what the name leads to
    int auth;     // a descriptor of an authfile for skopeo, or -1
    const char *proxy, *no_proxy; // as skopeo has them; NULL: none
    unsigned tries;
    uint64_t packed_max, unpacked_max;
};

// Finds the account NAME; it is neither root nor the job's user USER. 0, or -1
// with ERR set to a sentence for the administrator.
int fetcher_account(const char *name, uid_t user, uid_t *uid, gid_t *gid,
                    struct berth_err *err);

// UID and GID are the account's, and do not count where ORDER has an owner. 0
// and OUT, or -1 with ERR set.
int fetcher_start(const struct fetcher_order *order, uid_t uid, gid_t gid,
                  struct fetcher *out, struct berth_err *err);

// Ends it, and all that it has started.
void fetcher_end(struct fetcher *fetcher);

// Ends the berth-save that PIDFD is of, whose link nobody holds any more, and
// closes PIDFD. For whoever has not started it.
void fetcher_end_save(int pidfd);

#endif
