// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Gets a step into its container: in slurmstepd, starts berth-stepd, tells it
// about the step, and points the tasks at berth-task.
#ifndef BERTH_REMOTE_H
#define BERTH_REMOTE_H

#include <stdbool.h>
#include <sys/types.h>

#include <slurm/spank.h>

#include "logic/err.h"
#include "logic/options.h"

struct remote; // a step that wants a container

// Root. Starts berth-stepd, whose own start then runs beside Slurm's
// preparations of the step. ROOT: it asks for tasks that are root inside.
// Returns a new object for remote_end, or NULL (after an error message) if
// Slurm does not say what this step is: then the step must not run.
struct remote *remote_begin(spank_t sp, bool root);

// Real uid 0, effective uid the user's. Tells berth-stepd what the step
// wants: OPTIONS, or nothing that can be had, for the reason in BAD. The
// step's tasks will be berth-task from here on, whatever fails: they never
// run on the host, and the reason is said.
void remote_ask(struct remote *remote, spank_t sp,
                const struct options *options, const struct berth_err *bad,
                int argc, char **argv);

// srun, the user. What a step with ARGV is to send in place of one of its
// words, so that it can run in a container and nowhere else: a program's name
// leads nowhere until remote_begin puts it right, and before each program of
// `srun --multi-prog` stands berth-task. Returns that word's place, with TEXT
// a new string, or NULL when memory is out; or NULL: ARGV stays.
char **remote_wrap(int argc, char **argv, char **text);

// Root, in the task's own process, where Slurm has put that: tells berth-stepd
// of it.
void remote_task(struct remote *remote);

// Root. A task has ended: tells berth-stepd, and says so on the task's standard
// error if its container ended under it. With the last task it waits, for two
// seconds at most, until the next step can have the container.
void remote_task_end(struct remote *remote);

// In the task's own process, before it execs. 0, or -1 (after an error
// message) if this task would not become berth-task.
int remote_start_task(const struct remote *remote, spank_t sp);

// Root. The step is over: berth-stepd hears so, ends the container and
// cleans up. Slurm need not wait for that: the next step can start
// meanwhile, and the epilog does wait. What a berth-stepd that was killed
// has left is removed here. Frees REMOTE.
void remote_end(struct remote *remote);

#endif
