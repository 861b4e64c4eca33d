// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// What a decision is about, and what it is: who asks, and what the container is
// to be or why there is none. logic/decide.h makes it.
#ifndef BERTH_DECISION_H
#define BERTH_DECISION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "logic/err.h"
#include "logic/imgref.h"
#include "logic/options.h"
#include "logic/root_ids.h"
#include "logic/rules.h"

// Who asks, and from where. Borrowed.
struct subject {
    uid_t uid;
    gid_t gid;
    const gid_t *gids; // supplementary
    size_t ngids;
    const char *user;          // his name, or NULL where it is unknown
    const char *group;         // of gid, or NULL
    const char *const *groups; // of gids, each or NULL
    const char *home;          // or NULL
    const char *partition;     // from the prolog's record; NULL: unknown
    uint32_t job;
    const char *cwd;   // absolute: the job's working directory, or NULL
    const char *start; // that of a step that joins another's container, which
                       // has the mounts that CWD led to; or NULL
    const char *pwd;   // what the user calls it, where he came by a symbolic
                       // link; or NULL. Not known to be true
};

// HOME, where the user's home is not in the container. Not the working
// directory: what programs keep in a home would land in a project.
#define DECIDE_NO_HOME "/tmp"

enum verdict { VERDICT_DENY = 0, VERDICT_ALLOW = 1 };

struct decision_mount {
    char *source; // absolute; NULL: a tmpfs
    char *target; // absolute, and mount_target_ok
    bool readonly;
    bool optional;  // if there is no such source, it is passed over
    bool alias;     // if it isn't the working directory, it is passed over
    bool recursive; // what is mounted within it comes along, by its rule
    bool nested;    // a tmpfs in what another mount brings, where no engine can
                    // make one
    // Patterns: what the source leads to must match one of them as well
    // (decide_source_ok). None: the administrator chose the source, or it is
    // the working directory or the home.
    size_t npatterns;
    char **patterns;
    // The working directory or the home, in which the source lies by its name:
    // what it leads to may be there as well. Or NULL.
    const char *within;
    const struct rule *rule; // by which it is there, or NULL
};

// Owned: decision_clear. Borrows from RULES and OPTIONS.
struct decision {
    enum verdict verdict;
    enum berth_errc code;    // of a denial: BERTH_EDENIED, BERTH_EINVAL
    char reason[1024];       // of a denial: one sentence for the user
    char *unnamed;           // of a denial: a source that no rule names, or
                             // NULL (decide_tell_link)
    char warning[1024];      // rules.mode is not "enforce": what would have
                             // been the reason; else empty
    const struct rule *rule; // that decided on the image; NULL: none did
    const struct rules *rules;
    enum errand errand; // not NONE: what follows is about no container,
                        // and there but for the image
    struct imgref image;
    bool unfetched; // no rule lets the image be run, but for the mode: its
                    // registry is not asked for it
    char *archive;  // the image is this file or directory of the user's:
                    // absolute; or NULL
    bool mine;      // the image is the user's own of that name (my/NAME)
    // In the order in which they are to be made: what lies within another
    // comes behind it, and its mount point is there, or is root's to make.
    // One of them may be where a container has a tmpfs otherwise (/tmp). The
    // working directory and the home are among them.
    size_t nmounts;
    struct decision_mount *mounts;
    // Patterns of mounts_allowed: what is mounted within a directory that
    // matches one of them comes along as well (decide_recurses).
    size_t nrecursive;
    char **recursive;
    char *workdir; // where the tasks start: absolute
    bool anywhere; // that is /, as nobody has said where: the image may
    char *home;    // HOME inside: the home if mounted, else DECIDE_NO_HOME
    size_t nenv;
    const char **env; // globs: names whose values are the job's
    size_t nenv_set;
    char **env_set; // "NAME=VALUE"
    bool writable;
    bool root;               // tasks are root in it; then it is writable
    struct root_range range; // and these are its IDs
    bool entrypoint; // the image's own entry point runs before the command
    bool slurm;      // Slurm's commands work in it
    bool reuse;      // it may be an earlier step's, and a later one's
    bool named;      // it is the job's, by a name
    // What is written in it is saved at the step's end: as this file, absolute
    // (%N is the node), or as the user's own image "my/NAME:TAG"; or NULL.
    char *save;
    bool save_image, save_replace, save_always;
    const char *network;
    struct rule_list publish; // the rules'
    size_t ngids;
    gid_t *gids; // supplementary groups that are carried
};

// Frees what is in MOUNT.
void decision_mount_clear(struct decision_mount *mount);

void decision_clear(struct decision *decision); // keeps errno

// Who the tasks are on the node. In a container of their own IDs that is
// somebody who is nobody else.
uid_t decision_uid(const struct decision *decision,
                   const struct subject *subject);
gid_t decision_gid(const struct decision *decision,
                   const struct subject *subject);

// Writes what the image is called, for people: its name, or the archive.
void decision_image_name(const struct decision *decision,
                         char name[IMGREF_TEXT_MAX]);

#endif
