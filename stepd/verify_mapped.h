// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The check after the start, where a container has IDs of its own: the mounts.
#ifndef BERTH_VERIFY_MAPPED_H
#define BERTH_VERIFY_MAPPED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "logic/err.h"
#include "logic/request.h"

// A mount that berth has laid over one of the engine's.
struct seen_copy {
    uint64_t id; // the kernel's number of it
    const char *target;
    bool mapped; // its IDs are to be
};

// Compares MOUNTINFO (changed), the kernel's table of a container's mounts,
// with what is to be there: each of the N COPIES, mapped; and besides the root,
// what the engine makes itself and berth's own files by REQUEST nothing that is
// neither a file system of the kernel's nor mapped. 0, or -1 with ERR set to
// the first difference (BERTH_EENGINE).
int verify_mapped(const struct request *request, const struct seen_copy *copies,
                  size_t n, char *mountinfo, struct berth_err *err);

#endif
