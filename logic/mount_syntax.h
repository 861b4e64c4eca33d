// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// How mounts are written: "SRC[:DST][:ro|rw],..." behind --container-mounts,
// by users, and "SOURCE[:TARGET][:ro|rw[+recursive]]" in berth.conf(5), with
// globs and variables, by the administrator. There is no way to write a ':' or ','
// that is part of a path.
#ifndef BERTH_MOUNT_SYNTAX_H
#define BERTH_MOUNT_SYNTAX_H

#include <stdbool.h>
#include <stddef.h>

#include "logic/err.h"

struct rule_list; // logic/rules.h

enum mount_flag { MOUNT_UNSAID = 0, MOUNT_RO = 1, MOUNT_RW = 2 };

// The strings are owned, or of a rule's.
struct mount {
    char *source; // NULL: a tmpfs
    char *target; // NULL, in a rule: not said
    enum mount_flag flag;
    bool recursive; // file systems that are mounted within it come along; of a
                    // user's word nothing depends
};

struct mounts {
    size_t n;
    struct mount *v;
    bool none; // "none" is among them: nothing that is there by default
    size_t ndeclined;
    char **declined; // targets: "umount:DST", not this one
};

// The source of an empty file that cannot be written to.
#define MOUNT_NULL "/dev/null"

// Parses what a user wrote. Sources that are not absolute are taken from
// CWD, which is absolute or NULL, and no target is the source's path;
// "tmpfs:DST" is a tmpfs, "none" declines the defaults, and "umount:DST" one of
// them. Paths come out absolute and normalised; ".." in a source goes up by
// its name, as with a shell's cd. Returns 0; or -1 with ERR set (BERTH_EINVAL)
// and OUT empty: an empty mount or path, an unknown flag, a target that is not
// absolute or has "..", what a shell would have expanded, more than
// BERTH_MOUNTS_MAX. Where a target can be is not judged here.
int mounts_parse(const char *text, const char *cwd, struct mounts *out,
                 struct berth_err *err);

void mounts_clear(struct mounts *mounts); // keeps errno

// Parses the administrator's TEXT, with variables in its paths, and with
// GLOBS also with "*" and "**" in its source. Returns a new mount, in one block
// with its strings, to be given to free; or NULL with ERR set (BERTH_EINVAL, or
// BERTH_ENOMEM).
struct mount *mount_rule_parse(const char *text, bool globs,
                               struct berth_err *err);

// Says whether PATH as a whole matches PATTERN, both absolute: "*" stands
// for anything within a component, "**" for one or more components, and at
// the end of the pattern also for none.
bool mount_source_matches(const char *pattern, const char *path);

// Says whether a mount can be at TARGET: an absolute path without empty, "."
// or ".." components, valid UTF-8 without control characters, not "/", not
// at or under /proc, /sys or /dev, not at or under the directory of berth's
// own files.
bool mount_target_ok(const char *target);

// Says whether berth has mounts of its own at TARGET or within: /run, /var,
// /var/spool, /etc/passwd, /etc/group.
bool mount_target_is_berths(const char *target);

// Says whether a user may choose it: mount_target_ok, not at or under /bin,
// /boot, /etc, /lib*, /sbin or /usr (threat 23), unless it is under one of them
// and matches one of TARGETS; and none of berth's own. TARGETS may be NULL.
bool mount_target_is_free(const struct rule_list *targets, const char *target);

// Says whether it is directly in /dev/shm, which is a file system of its own
// in a container as on the node: Slurm may make something for a job there, and
// nobody else has a mount in /dev.
bool mount_target_is_in_shm(const char *target);

#endif
