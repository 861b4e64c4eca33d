// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// What the plugin (in slurmstepd) and berth-stepd say to each other, on a
// SOCK_SEQPACKET pair between processes of root, one packet each:
//
//   plugin -> stepd: the facts, "key=value" (logic/step.h), then "begin";
//                    later "task" from each task's own process, while it is
//                    root's still, with two descriptors: a pidfd of it (its
//                    number may be another in a namespace of the job's), and
//                    the mount namespace in which Slurm has put it;
//                    "gone" for each task that has ended, before srun hears
//                    of it; closing: the step is over
//   stepd -> plugin: "ready=PATH", the socket for the step's tasks (the
//                    container is then still on its way), or
//                    "failed=SENTENCE"; later perhaps
//                    "ended=SENTENCE": the container did, before the step,
//                    and the tasks in it; "left" after the last "gone": the
//                    next step finds the container free, for which slurmstepd
//                    waits, so that srun ends no sooner
//
// berth-stepd has the link as its standard input.
#ifndef BERTH_PLUGIN_H
#define BERTH_PLUGIN_H

#define LINK_BEGIN "begin"
#define LINK_TASK "task"
enum { LINK_TASK_FDS = 2 };
#define LINK_GONE "gone"
#define LINK_READY "ready="
#define LINK_FAILED "failed="
#define LINK_ENDED "ended="
#define LINK_LEFT "left"

#endif
