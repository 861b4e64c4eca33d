// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// What a container is to be besides its mounts, as only the node and its
// engine can tell: memory file systems, limits, labels, GPUs and other
// devices, profiles. It completes the create request. As root.
#ifndef BERTH_REQUEST_NODE_H
#define BERTH_REQUEST_NODE_H

#include "engine/engine.h"
#include "logic/err.h"
#include "logic/request.h"
#include "logic/request_decided.h"
#include "logic/step.h"
#include "logic/strv.h"
#include "stepd/admission.h"
#include "stepd/gpus.h"
#include "stepd/mounts.h"
#include "stepd/ulimits.h"

struct request_node {
    // For what: the caller's, borrowed.
    const struct step *step;
    struct admission *admission; // may receive a warning
    const struct step_mounts *mounts;
    // For request_node_complete, which fills in what they say.
    struct engine *engine;
    const struct engine_image *image;
    const char *nonce; // of the record (node/store.h)
    // What is chosen.
    struct request_decided plan; // and its request, which points to the rest
    struct request_tmpfs *tmpfs;
    uint64_t tmpfs_bytes; // of each
    struct request_ulimit ulimits[RLIMITS];
    struct request_label labels[8];
    struct strv devices;
    char *seccomp;
    struct gpus gpus;
    const char *capabilities[16];               // of NVIDIA's driver
    char job[16], uid[16], name[STEP_NAME_MAX]; // in labels
};

// Chooses what depends on neither the engine nor the image, and appends to
// CHANGES (protocol/wire.h) which limits the tasks are to have. 0; or -1 with
// ERR set to a sentence for the user. request_node_clear in either case.
int request_node_choose(struct request_node *node, struct strv *changes,
                        struct berth_err *err);

// Appends to OUT all that a container is made from, as texts "WHAT=...": two
// steps for which they are the same get the same container, if a name stands
// for the same image. After request_node_choose, with mounts that have been
// looked at or made. 0, or -1 with ERR set.
int request_node_made_from(const struct request_node *node, struct strv *out,
                           struct berth_err *err);

// Completes the request. 0; or -1 with ERR set to a sentence for the user.
int request_node_complete(struct request_node *node, struct berth_err *err);

// Appends to CHANGES what the tasks are started with: the command, where, and
// the environment. 0, or -1 with ERR set.
int request_node_changes(const struct request_node *node, struct strv *changes,
                         struct berth_err *err);

// HOME inside: what the decision says, where that is there.
const char *request_node_home(const struct request_node *node);

void request_node_clear(struct request_node *node);

#endif
