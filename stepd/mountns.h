// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// What has to be done within a container's mount namespace, before any task
// runs there: by children that enter it as root, make a few system calls
// on descriptors, and run nothing of the image. Once something of the user's
// is mounted there, root looks up no path in it (a file server of the user's
// need not answer), and each of these children has a deadline.
#ifndef BERTH_MOUNTNS_H
#define BERTH_MOUNTNS_H

#include <stdbool.h>

#include "logic/err.h"
#include "logic/request.h"
#include "node/child.h"
#include "stepd/identity.h"
#include "stepd/mount_copies.h"
#include "stepd/process.h"

// Opens PATH as a container sees it whose root is open on ROOT: an image's
// symbolic links are followed as its engine does, and stay within. FLAGS as
// for open(2). A descriptor, or -1 with errno set.
int mountns_open(int root, const char *path, int flags);

enum { MOUNTNS_DIRS = 3 };

// A container's mount namespace; and directories there, open (O_PATH) since
// before anything of the user's was mounted in it.
struct mountns {
    int ns;
    int sysfs;              // /sys/fs; -1: there is none
    int dev;                // a file system of the engine's own making
    int map;                // stepd/idmap.h, where it has IDs of its own; or -1
    int dirs[MOUNTNS_DIRS]; // where a job's own can be; -1: there is none
};

#define MOUNTNS_NONE ((struct mountns){-1, -1, -1, -1, {-1, -1, -1}})

// A terminal, as a mount at /dev/console is one. Zeroed: none.
struct mountns_terminal {
    dev_t dev;
    ino_t ino;
};

// In the container whose first process is INIT: gives its root nodev, and
// each mount of REQUEST that none of MOUNTS is to cover nosuid and nodev (an
// engine that makes a mount read-only forgets them), and read-only where
// asked; looks whether a symbolic link leads a tmpfs to where a mount may not
// be; with IDs of its own, gives it devices of berth's (stepd/own_dev.h), and
// else writes IDENTITY's lines, with the image's own behind them, to
// the files "passwd" and "group" of the directory DIR, which are mounted over
// the image's. 0 and OUT, or -1 with ERR set. mountns_clear in either case.
int mountns_prepare(const struct process *init, const struct request *request,
                    const struct mount_copies *mounts,
                    const struct identity *identity, int dir,
                    struct mountns *out, struct berth_err *err);

// Lays MOUNTS over their places there, if a symbolic link leads none to where
// a mount may not be. The places are looked up, and those within another of
// MOUNTS made where they are missing, by a child that is USER, within SECONDS
// each. 0, or -1 with ERR set.
int mountns_lay(const struct mountns *ns, const struct mount_copies *mounts,
                const struct child_user *user, unsigned seconds,
                struct berth_err *err);

// Takes MOUNTS away again, which mountns_lay has laid, and their places where
// these were made, as USER. 0, or -1: some stay until the container ends.
int mountns_take_away(const struct mountns *ns,
                      const struct mount_steps *mounts,
                      const struct child_user *user);

// Gives that container what the Slurm task TASK has of the node beyond the
// step's mounts: as /dev/console the terminal that is its standard input, if
// it is that of its user UID; and, where Slurm has put its tasks into the mount
// namespace THEIRS, another than this process's (job_container/tmpfs), the
// job's own /tmp, /var/tmp and /dev/shm. DONE says whether an earlier task of
// the step has brought the directories, and receives whether they are there.
// TERMINAL receives the terminal, if there is one. 0, or -1 with ERR set.
int mountns_add_task(const struct mountns *ns, const struct process *task,
                     uid_t uid, int theirs, bool *done,
                     struct mountns_terminal *terminal, struct berth_err *err);

// Takes away a terminal that mountns_add_task has brought, OWN, unless another
// step's is over it; NULL: whichever there are. 0, or -1.
int mountns_forget_task(const struct mountns *ns,
                        const struct mountns_terminal *own);

void mountns_clear(struct mountns *ns);

#endif
