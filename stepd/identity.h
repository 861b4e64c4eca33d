// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Who the user is inside the container: the image's own /etc/passwd and
// /etc/group, with the user and his groups in front.
#ifndef BERTH_IDENTITY_H
#define BERTH_IDENTITY_H

#include <sys/types.h>

#include "logic/err.h"
#include "logic/step.h"

struct identity {
    char *user; // as the node knows them: NULL if it does not
    char *home;
    char *primary; // group
    char **groups; // of the step's gids, each or NULL
    size_t ngroups;
    char *passwd; // lines for /etc/passwd, each with its newline
    char *group;
};

// Looks the user and the groups of STEP up on the node (NSS). An id without
// a name gets one made of its number. Of passwd there are no lines yet. 0, or
// -1 with ERR set.
int identity_lookup(const struct step *step, struct identity *out,
                    struct berth_err *err);

// Puts the line of STEP's user in front of passwd: what programs look up is to
// be there, so his home is HOME, and his shell one that every image has which
// has any. 0, or -1 with ERR set.
int identity_add_user(struct identity *identity, const struct step *step,
                      const char *home, struct berth_err *err);

// Adds those whom Slurm's own files name, root and SLURM_USER, as the node
// knows them: Slurm's commands want to. 0, or -1 with ERR set.
int identity_add_slurm(struct identity *identity, const char *slurm_user,
                       struct berth_err *err);

void identity_clear(struct identity *identity);

#endif
