// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// What was written in a container, as one layer of an image: a tar archive, in
// which what was deleted stands as OCI's image specification has it. Read from
// the overlay that is the container's root, by the kernel's word on it. As
// root: the user's names are looked up in it one by one, without links, and
// nothing is opened but directories and files. Where the container has IDs of
// its own, the image gets these.
#ifndef BERTH_LAYER_H
#define BERTH_LAYER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "logic/err.h"
#include "logic/root_ids.h"
#include "logic/strv.h"
#include "stepd/process.h"

struct layer {
    int upper;               // what was written, as the overlay keeps it
    int root;                // the whole, without what is mounted in it
    struct strv mounts;      // where something is: "run/berth"
    struct root_range range; // the container's IDs
    uid_t uid;               // whose container it is, if it has the node's
    uint64_t max;            // bytes that it may have
};

// Opens that of the container whose first process is INIT, its mount namespace
// NS, and its IDs those of RANGE, which is compared. TOLD is where its engine
// says that it keeps what is written, or empty: it counts where the kernel's
// word is not a whole path. In a process that has no threads. 0, or -1 with ERR
// set; layer_close in either case.
int layer_open(const struct process *init, int ns, const char *told,
               const struct root_range *range, struct layer *out,
               struct berth_err *err);

// Hands it to PUT, part by part, which returns 0, or -1 with ERR set. Of the
// same files it is the same. 0, or -1 with ERR set: BERTH_ETOOBIG, it has more
// than its max.
int layer_write(const struct layer *layer,
                int (*put)(void *arg, const void *data, size_t len,
                           struct berth_err *err),
                void *arg, struct berth_err *err);

void layer_close(struct layer *layer);

#endif
