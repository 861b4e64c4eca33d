// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// What has to be done within a container's mount namespace, before any task
// runs there: by a child that enters it as root, makes a few system calls
// on descriptors, and runs nothing of the image.
#ifndef BERTH_INSIDE_H
#define BERTH_INSIDE_H

#include <sys/types.h>

#include "core/err.h"
#include "core/request.h"
#include "stepd/identity.h"

// In the container whose first process is PID: gives its root nodev, and
// each mount of REQUEST nosuid and nodev (an engine that makes a mount
// read-only forgets them), and read-only where asked; and writes IDENTITY's
// lines, with the image's own behind them, to the files "passwd" and "group"
// of the directory DIR, which are mounted over the image's. 0, or -1 with
// ERR set.
int inside_prepare(pid_t pid, const struct request *request,
                   const struct identity *identity, int dir,
                   struct berth_err *err);

#endif
