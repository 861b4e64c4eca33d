// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// What an image has at a place where its container has a tmpfs (/tmp, /run, a
// VOLUME). Engines hide it, or copy it, without a bound; here the kernel shows
// it through an overlay, which takes the tmpfs's place: below are the image's
// files, and above is that tmpfs, with its size. Nothing is copied until a task
// writes, and root reads none of the image's files.
#ifndef BERTH_UNDERLAY_H
#define BERTH_UNDERLAY_H

#include "logic/err.h"
#include "logic/request.h"

// In a child that is in a container's mount namespace (stepd/mountns.h) while
// only the engine's mounts are there: makes each tmpfs of REQUEST one in which
// everybody can write, and shows what the image has there, but for those that
// are to be empty. What is mounted within stays. SELF is open on the child's
// /proc/self/fd of the node. 0, or -1 with ERR set.
int underlay(int self, const struct request *request, struct berth_err *err);

#endif
