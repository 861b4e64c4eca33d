// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// What a user asks for: the --container options of srun, sbatch and salloc,
// in the words that he used. One table serves the plugin, berth-stepd and
// berth-policy. Pure: what the words mean, logic/decide.h says.
#ifndef BERTH_OPTIONS_H
#define BERTH_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "logic/err.h"

enum choice { CHOICE_UNSAID = 0, CHOICE_NO = 1, CHOICE_YES = 2 };

// Zeroed, it asks for nothing. The strings are owned, or NULL.
struct options {
    char *image;            // --container=, --container-image=
    char *mounts;           // --container-mounts=
    char *workdir;          // --container-workdir=
    char *env;              // --container-env=
    char *network;          // --container-network=
    enum choice mount_home; // --[no-]container-mount-home
    enum choice writable;   // --container-writable, --container-readonly
    enum choice entrypoint; // --[no-]container-entrypoint
    enum choice slurm;      // --[no-]container-slurm
};

struct option_info {
    const char *name; // "container-mounts", as after the two dashes
    const char *key;  // "mounts": the key "options" of berth.conf(5)
    const char *arg;  // "SRC:DST[:ro|rw],...", or NULL if it takes none
    const char *help; // the line of `srun --help`
    const char *env;  // "BERTH_CONTAINER_MOUNTS"; where ARG is NULL, it says
                      // yes or no. NULL: that of the option above says it
};

// The options, in the order of `srun --help`; the last has no name.
extern const struct option_info option_table[];

// Options of pyxis's that berth has no use for: there to say what to do
// instead, where srun would say "unrecognized option". The last has no name.
struct option_other {
    const char *name;
    const char *arg;    // as in option_info
    const char *advice; // NULL: it asks for what there is without
};
extern const struct option_other option_others[];

// Notes the option NAME, with VALUE if it takes one (else NULL is fine).
// "container" is another name of "container-image". Given again, mounts and
// names of variables add up, and of all else the last one holds, as with
// Slurm's own options.
// 0; or -1 with ERR set (BERTH_EINVAL): no such option, an empty value, one
// that is too long or not valid UTF-8 or has control characters.
int options_set(struct options *options, const char *name, const char *value,
                struct berth_err *err);

// Calls TELL with the name and the value (NULL where it takes none) of each
// option that was noted: enough to make the same OPTIONS by options_set.
// Stops where TELL returns non-zero, and returns that, else 0.
int options_each(const struct options *options,
                 int (*tell)(void *arg, const char *name, const char *value),
                 void *arg);

// Calls TELL with each variable, and its value, by which OPTIONS are the
// defaults of what is started in that environment. Returns what options_each
// would.
int options_each_variable(const struct options *options,
                          int (*tell)(void *arg, const char *variable,
                                      const char *value),
                          void *arg);

// Says whether OPTIONS ask for no container, and say so: --container=none.
bool options_none(const struct options *options);

// An option that is given without an image is a mistake: -1, with ERR set
// (BERTH_EINVAL). 0 otherwise, also if there is none at all.
int options_check(const struct options *options, struct berth_err *err);

void options_clear(struct options *options); // keeps errno

#endif
