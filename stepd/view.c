// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: a mount namespace that Slurm has made, as a process of root's has told
// of it. Where it belongs to a user namespace of the job's, its root directory
// and what is mounted are still root's doing.

#include "stepd/view.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

static const char own[] = "/proc/self/ns/mnt";

bool view_differs(int ns)
{
    struct stat here, there;

    return ns >= 0 &&
           !(stat(own, &here) == 0 && fstat(ns, &there) == 0 &&
             here.st_dev == there.st_dev && here.st_ino == there.st_ino);
}

int view_enter(int theirs, struct view *out, struct berth_err *err)
{
    bool differs = view_differs(theirs);

    *out = VIEW_NONE;
    out->self = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (out->self < 0)
        return err_set(err, BERTH_ESYS, "/proc/self: %m");
    if (!differs)
        return 0;
    int home = open(own, O_RDONLY | O_CLOEXEC);
    if (home >= 0 && setns(theirs, CLONE_NEWNS) == 0) {
        out->home = home;
        return 0;
    }
    err_set(err, BERTH_ESYS, "entering the mount namespace of the job: %m");
    if (home >= 0)
        close(home);
    return -1;
}

void view_leave(struct view *view)
{
    int saved = errno;

    if (view->home >= 0) {
        if (setns(view->home, CLONE_NEWNS) < 0)
            _exit(1);
        close(view->home);
    }
    if (view->self >= 0)
        close(view->self);
    *view = VIEW_NONE;
    errno = saved;
}
