// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The create request in Podman's own words, since 4.0. Podman's interface for
// Docker's clients has no way to name a CDI device before 5.5, none to say
// which IDs a user namespace has, and 4.3's passes CgroupnsMode over, which
// with cgroup version 2 alone is private then; that is all that this is for. It
// is no second request: it says the one of logic/request.h again, and fails
// where it lacks the words.
#ifndef BERTH_LIBPOD_H
#define BERTH_LIBPOD_H

#include <jansson.h>

#include "logic/err.h"
#include "logic/root_ids.h"

// Says BODY, which request_build made, as the body of
// POST /libpod/containers/create for the container NAME. ROOT is the
// request's. Returns a new string for free(), or NULL with ERR set:
// BERTH_EINVAL for a key or a value that has no translation here.
char *libpod_request(const json_t *body, const char *name,
                     const struct root_range *root, struct berth_err *err);

#endif
