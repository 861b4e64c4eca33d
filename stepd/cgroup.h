// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Where a process belongs: cgroups, limits, priority, CPUs. As root.
#ifndef BERTH_CGROUP_H
#define BERTH_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "logic/err.h"
#include "logic/procfs.h"
#include "stepd/process.h"

// The cgroup hierarchies of this machine, found once.
struct cgroups {
    size_t n;
    struct {
        char *controllers; // as in /proc/PID/cgroup; "" for cgroup v2
        char *dir;         // where the hierarchy is mounted
    } hierarchy[32];
};

// 0, or -1 with ERR set. cgroup_clear in either case.
int cgroup_init(struct cgroups *cgroups, struct berth_err *err);
void cgroup_clear(struct cgroups *cgroups);

// Says whether the node has version 2 alone.
bool cgroup_is_one(const struct cgroups *cgroups);

// Takes this process out of the step's cgroups, which Slurm kills and
// removes at the step's end, into the root of each hierarchy. 0, or -1 with
// ERR set.
int cgroup_leave_step(const struct cgroups *cgroups, struct berth_err *err);

// PROCESS's line in the hierarchy of CONTROLLERS, taken apart in OUT, which
// borrows from what is returned: to be freed. NULL: there is none.
char *cgroup_read_line(const struct process *process, const char *controllers,
                       struct cgroup_line *out);

// Writes the directories of those cgroups of PROCESS that have WORD in their
// path to FD, one a line. Returns how many those are, or -1 with ERR set.
int cgroup_list(const struct cgroups *cgroups, const struct process *process,
                const char *word, int fd, struct berth_err *err);

// Reads which CPUs the Slurm step has of which TASK is a task, as the kernel
// lists them: "0-3,8". False: Slurm does not confine it to any.
bool cgroup_step_cpus(const struct cgroups *cgroups, const struct process *task,
                      char *cpus, size_t size);

// Has a child keep the kernel's lock on moves between cgroups ready: a move
// after a while without one waits some ten milliseconds for it, the engine's
// as well as ours; those soon after another don't. The child moves itself to
// where it is, again and again for some seconds. Returns its pid, to be
// killed and reaped by the caller, or -1 (nothing but time is lost).
pid_t cgroup_keep_warm(const struct cgroups *cgroups);

// Gives PROCESS what the Slurm task LIKE has: its cgroups in every hierarchy,
// nice value, scheduling policy, CPU affinity and OOM score adjustment. All
// are read from the kernel, none from the user. With a PIDS_LIMIT, all tasks
// of the step together have no more processes than that: with cgroup v1
// PROCESS then stays in the container's own cgroup of that controller, which
// must have the limit; with v2 the step's receives it. 0, and both have lived
// to the end of it; or -1 with ERR set: then PROCESS must not run anything.
int cgroup_join_like(const struct cgroups *cgroups,
                     const struct process *process, const struct process *like,
                     uint64_t pids_limit, struct berth_err *err);

#endif
