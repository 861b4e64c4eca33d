// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The processes of a container, and those that its engine's runtime has for it
// while it starts: they have the user's uid, and the user can stop them. The
// engine then waits for them, with whatever it is asked about the container.
#ifndef BERTH_STRAYS_H
#define BERTH_STRAYS_H

#include <stddef.h>
#include <stdio.h>

// Kills each process that is in a cgroup of the container ID (logic/procfs.h).
// Returns how many there were that had not ended yet. As root.
size_t strays_kill(const char *id);

// Kills the runtime's process that tells the container ID to begin. It is
// root's, and ends at once, but where the container's first process has died in
// the very moment: then crun waits for that for ever, and Podman for crun, with
// whatever it is asked about the container, or about all of them. As root.
void strays_kill_start(const char *id);

// Writes the directories of the cgroups of the container ID, and of what the
// engine has beside it, to OUT, one a line, and those within others first. They
// are found by their names: there may be no process in them any more.
void strays_list_cgroups(const char *id, FILE *out);

#endif
