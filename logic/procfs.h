// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Lines of /proc/PID/cgroup (cgroups(7)) and /proc/PID/mountinfo
// (proc(5)), taken apart. The kernel writes both, but users choose parts of
// the paths in them.
#ifndef BERTH_PROCFS_H
#define BERTH_PROCFS_H

#include <stdbool.h>
#include <stddef.h>

// "4:memory:/slurm/uid_1/job_2" or, for cgroup v2, "0::/path".
struct cgroup_line {
    const char *controllers; // "memory", "cpu,cpuacct", "name=systemd", ""
    const char *path;        // absolute, within the hierarchy
};

// Cuts LINE up in place (OUT borrows from it). False if it is no such line.
bool cgroup_line_parse(char *line, struct cgroup_line *out);

// How many bytes of TASK's path, where a task of Slurm's is, name the cgroup
// that has what the tasks of its step have, and no more. In version 2 that is
// "user" below the step's. 0: the path is none of a step's.
size_t cgroup_step_length(const struct cgroup_line *task);

// How many bytes of that path name the cgroup of the job. 0: as above.
size_t cgroup_job_length(const struct cgroup_line *task);

// Says whether PATH is, or is in, a cgroup of the engine's container ID (its
// 64 hex digits): ".../ID" or ".../docker-ID.scope" by Docker, "libpod-ID" and
// the like by Podman, but not where that has its own process for it.
bool cgroup_is_of(const char *path, const char *id);

struct mountinfo {
    const char *id;     // of the mount
    const char *parent; // of the mount on which it is
    const char *device; // of the file system: "MAJOR:MINOR"
    const char *root;   // of the mount, within its file system
    const char *target; // the mount point
    const char *flags;  // of the mount: "ro,nosuid"
    const char *fstype;
    const char *options; // of the file system: for cgroup v1 its controllers
};

// Cuts LINE up in place and undoes the kernel's octal escapes.
bool mountinfo_parse(char *line, struct mountinfo *out);

// Says whether the file system options of a cgroup mount name all of
// CONTROLLERS ("cpu,cpuacct"; for cgroup v2, empty, see fstype).
bool mountinfo_has_controllers(const struct mountinfo *mount,
                               const char *controllers);

#endif
