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
#include <stdint.h>

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
    enum choice root;       // --container-root, --[no-]container-remap-root
    enum choice entrypoint; // --[no-]container-entrypoint
    enum choice slurm;      // --[no-]container-slurm
    enum choice reuse;      // --[no-]container-reuse
    char *name;             // --container-name=
    char *join;             // --container-join=
    char *errand;           // --container-do=
    char *save;             // --container-save=
};

struct option_info {
    const char *name;   // "container-mounts", as after the two dashes
    const char *key;    // "mounts": the key "options" of berth.conf(5)
    const char *arg;    // "SRC:DST[:ro|rw],...", or NULL if it takes none
    const char *help;   // the line of `srun --help`
    const char *env;    // "BERTH_CONTAINER_MOUNTS"; where ARG is NULL, it says
                        // yes or no. NULL: that of the option above says it,
                        // or (with ARG) none does
    enum choice choice; // where ARG is NULL: what it says
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

// Says whether OPTIONS ask for a container, by an image or by one that is
// there, or for what is done in place of one.
bool options_want(const struct options *options);

enum { OPTIONS_NAME_MAX = 64 };

// How a step means a container's name, in pyxis's words.
enum name_mode {
    NAME_ANY = 0,     // joins it, or makes it
    NAME_CREATE = 1,  // makes it: it must not be there
    NAME_EXEC = 2,    // joins it: it must be there
    NAME_NO_EXEC = 3, // likewise ANY, but not while another step is in it
};

// Takes --container-name apart. False: there is none, or it is malformed.
bool options_name(const struct options *options, char name[OPTIONS_NAME_MAX],
                  enum name_mode *mode);

// Takes --container-join apart; HAS_STEP: it names one. False: as above.
bool options_join(const struct options *options, uint32_t *job, uint32_t *step,
                  bool *has_step);

// What a step does in place of running a command in a container.
enum errand {
    ERRAND_NONE = 0,
    ERRAND_LIST = 1,       // says which images its user may run here
    ERRAND_LAYERS = 2,     // likewise, and what they are made of
    ERRAND_PULL = 3,       // has the image brought to the node
    ERRAND_REMOVE = 4,     // removes an image of the user's own
    ERRAND_END = 5,        // ends a container that waits for steps
    ERRAND_CONTAINERS = 6, // says which containers the job has here
};

// Takes --container-do apart. False: it is malformed.
bool options_errand(const struct options *options, enum errand *out);
const char *options_errand_word(enum errand errand); // as the user writes it
struct option_save {
    bool image;         // of the user's own, by the name TARGET; else a file
    bool replace;       // what is there by that name
    bool always;        // also where a task has failed
    size_t len;         // of the target
    const char *target; // in the option's own text
};

// Takes --container-save apart. False: there is none, or it names nothing.
bool options_save(const struct options *options, struct option_save *out);

// An option that is given without an image is a mistake: -1, with ERR set
// (BERTH_EINVAL). 0 otherwise, also if there is none at all.
int options_check(const struct options *options, struct berth_err *err);

void options_clear(struct options *options); // keeps errno

#endif
