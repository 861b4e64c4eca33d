// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include "node/child.h"

#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// How long a child that was killed may take to be gone.
enum { GONE_MS = 200 };

static int die_with(pid_t parent)
{
    // It may have ended before the first of these.
    return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent ? 0
                                                                        : -1;
}

static int by_number(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

int child_begin(pid_t parent, int *keep, size_t n)
{
    unsigned from = 0;

    qsort(keep, n, sizeof(*keep), by_number);
    for (size_t i = 0; i < n; i++) {
        if (keep[i] < 0 || (unsigned)keep[i] < from)
            continue;
        if ((unsigned)keep[i] > from &&
            syscall(SYS_close_range, from, (unsigned)keep[i] - 1, 0) < 0)
            return -1;
        from = (unsigned)keep[i] + 1;
    }
    return syscall(SYS_close_range, from, ~0U, 0) < 0 ? -1 : die_with(parent);
}

int child_become(pid_t parent, const struct child_user *user)
{
    uid_t uid = user->uid;

    // The kernel forgets both who is to be killed with whom and that nobody may
    // trace whom when the effective ID changes, and lets the user send signals
    // and trace when the others do.
    return setgroups(user->ngids, user->gids) < 0 ||
                   setresgid(user->gid, user->gid, user->gid) < 0 ||
                   setresuid((uid_t)-1, uid, (uid_t)-1) < 0 ||
                   die_with(parent) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0 ||
                   setresuid(uid, uid, uid) < 0
               ? -1
               : 0;
}

// Says whether PID ended within MS, and how.
static bool bury(pid_t pid, int ms, int *status)
{
    struct pollfd p = {.fd = (int)syscall(SYS_pidfd_open, pid, 0),
                       .events = POLLIN};

    if (p.fd >= 0) {
        poll(&p, 1, ms);
        close(p.fd);
    }
    return waitpid(pid, status, WNOHANG) == pid;
}

bool child_wait(pid_t pid, int ms)
{
    int status;

    if (bury(pid, ms, &status))
        return status == 0;
    child_end(pid);
    return false;
}

void child_end(pid_t pid)
{
    int status;

    kill(pid, SIGKILL);
    bury(pid, GONE_MS, &status);
}
