// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// What a container sees of cgroups: where /proc/self/cgroup says that a task
// is, below /sys/fs/cgroup, are the files of its Slurm job, as bare. By these
// programs learn how much memory and how many CPUs they have.
#ifndef BERTH_CGROUP_VIEW_H
#define BERTH_CGROUP_VIEW_H

#include <stdbool.h>
#include <sys/types.h>

#include "logic/err.h"
#include "stepd/cgroup.h"
#include "stepd/mountns.h"
#include "stepd/process.h"

// Puts a view of CGROUPS, read-only, into the place of what the engine has
// mounted at /sys/fs/cgroup in the container NS. Of each hierarchy it has the
// top, with the files that are there, since many programs make sense of no
// other mount; and where TASK is, a process in the container that has been put
// where its Slurm task is: its job's cgroup with all that is in it, or the
// container's own (INIT's). All other cgroups that there are now are covered.
// 0, or -1 with ERR set.
int cgroup_view_lay(const struct cgroups *cgroups, const struct mountns *ns,
                    const struct process *init, const struct process *task,
                    struct berth_err *err);

// Says whether that is so already: an earlier step's view holds as long as
// Slurm has not removed the job's cgroups with that step, and made new ones.
bool cgroup_view_holds(const struct cgroups *cgroups, const struct mountns *ns,
                       const struct process *task);

// Begins to make it so again, in a child, for a task that will be where the
// Slurm task LIKE is: what is to be seen of the job's cgroups is mounted anew,
// where those that were seen are gone. Returns the child's pid, for
// cgroup_view_await, or 0: there is nothing to be done, or it cannot be done so,
// which cgroup_view_holds tells.
pid_t cgroup_view_renew(const struct cgroups *cgroups, const struct mountns *ns,
                        const struct process *like);
void cgroup_view_await(pid_t child);

#endif
