// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// What is on this node, as far as one user may run it: images of the
// administrator's and those that came from registries, where the policy allows
// their names; of what credentials or archives brought, his own alone.
#ifndef BERTH_IMAGES_VIEW_H
#define BERTH_IMAGES_VIEW_H

#include <stdbool.h>
#include <stdio.h>

#include "engine/watch.h"
#include "logic/decision.h"
#include "logic/err.h"
#include "logic/rules.h"

struct images_view {
    const char *state, *node;  // STATE/NODE is the node's directory
    const char *path;          // of the engine's socket
    const struct watch *watch; // as long as somebody waits
    const struct rules *rules;
    const struct subject *subject;
    bool own; // the user's own images alone
};

// Writes a line of JSON for each image: node, name, id, digest, size and
// private; and, if LAYERS, the layers with their sizes, the lowest first. 0, or
// -1 with ERR set.
int images_view_list(const struct images_view *view, bool layers, FILE *out,
                     struct berth_err *err);

// Removes the user's own image TEXT (the beginning of its ID, or its name as
// the list has it) from the node, unless others have the same: then from what
// is his. Writes a line of JSON for each name: node, name, id. 0, or -1 with
// ERR set: BERTH_ENOTFOUND, he has no such image; BERTH_EBUSY, a container has
// it.
int images_view_remove(const struct images_view *view, const char *text,
                       FILE *out, struct berth_err *err);

#endif
