// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Looks at a container as the kernel shows it, for the check after the start
// (stepd/verify.h). What it sees it judges not.
#ifndef BERTH_OBSERVE_H
#define BERTH_OBSERVE_H

#include "logic/err.h"
#include "logic/request.h"
#include "stepd/mount_copies.h"
#include "stepd/process.h"
#include "stepd/verify.h"

// Fills OUT with what there is of the container whose first process is INIT
// and whose root is open on ROOT, at the places that REQUEST names; ATTACH
// has been laid over some of them. What is not there is zeroed in OUT. 0, or
// -1 with ERR set: the process itself cannot be looked at. observe_clear in
// either case. As root, in the init pid namespace.
int observe(const struct request *request, const struct mount_copies *copies,
            const struct process *init, int root, struct seen *out,
            struct berth_err *err);

// Reads the kernel's table of the mounts that INIT has, a new string for the
// caller. 0, or -1 with ERR set. No file system is asked.
int observe_mounts(const struct process *init, char **out,
                   struct berth_err *err);

// The kernel's number of the mount in which FD is. 0, or -1 with ERR set.
int observe_mount_id(int fd, uint64_t *out, struct berth_err *err);

void observe_clear(struct seen *seen); // keeps errno

#endif
