// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// What has to be done within a container's mount namespace, before any task
// runs there: by a child that enters it as root, makes a few system calls
// on descriptors, and runs nothing of the image.
#ifndef BERTH_INSIDE_H
#define BERTH_INSIDE_H

#include <stdbool.h>

#include "core/err.h"
#include "core/request.h"
#include "stepd/attach.h"
#include "stepd/identity.h"
#include "stepd/peer.h"

// Opens PATH as a container sees it whose root is open on ROOT: an image's
// symbolic links are followed as its engine does, and stay within. FLAGS as
// for open(2). A descriptor, or -1 with errno set.
int inside_open(int root, const char *path, int flags);

// In the container whose first process is PID: gives its root nodev, and
// each mount of REQUEST nosuid and nodev (an engine that makes a mount
// read-only forgets them), and read-only where asked; lays MOUNTS over their
// places, if a symbolic link leads none, nor a tmpfs, to where a mount may not
// be; and writes IDENTITY's lines, with the image's own behind them, to
// the files "passwd" and "group" of the directory DIR, which are mounted over
// the image's. 0, or -1 with ERR set.
int inside_prepare(pid_t pid, const struct request *request,
                   const struct attach *mounts,
                   const struct identity *identity, int dir,
                   struct berth_err *err);

// Gives that container what the Slurm task TASK has of the node beyond the
// step's mounts: as /dev/console the terminal that is its standard input, if
// it is its user's; and, where Slurm has put the task into a mount namespace
// of the job's (job_container/tmpfs), the job's own /tmp, /var/tmp and
// /dev/shm. DONE says whether an earlier task of the step
// has brought the directories, and receives whether they are there. 0, or -1
// with ERR set.
int inside_attach(pid_t pid, const struct peer *task, bool *done,
                  struct berth_err *err);

#endif
