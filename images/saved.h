// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Images of a user's own on a node, which his steps have saved: "my/NAME:TAG".
// The record says whose it is; in the engine it has a name of berth's own, as
// all that berth brings there. Another user's of the same name is another one.
#ifndef BERTH_IMAGES_SAVED_H
#define BERTH_IMAGES_SAVED_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/engine.h"
#include "images/get.h"
#include "images/load.h"
#include "images/record.h"
#include "logic/err.h"

// As images_get, for ORDER's user's own image NAME; ORDER's ref does not count.
int images_get_saved(const struct images_order *order, const char *name,
                     struct engine *engine, struct images_got *out,
                     struct berth_err *err);

// Writes what NAME, an image of UID's own, stands for now to ID. Says whether
// there is a record of it, for the engine whose socket is at ENGINE.
bool images_saved_id(const char *state, const char *node, const char *engine,
                     uid_t uid, const char *name, char id[MANIFEST_DIGEST]);

struct saved {
    const char *state, *node; // STATE/NODE is the node's directory
    const char *engine;       // the path of its socket
    uid_t uid;                // whose it is
    const char *name;
    bool replace;   // the one of that name
    uint64_t size;  // of what was written
    uint64_t total; // that all of them may have
};

// Says whether it could be kept, as far as its name goes. 0, or -1 with ERR
// set.
int saved_check(const struct saved *saved, struct berth_err *err);

// Keeps what comes by LOAD, of which nothing has been read; it must have the
// configuration ID. Its lowest layers, NHAVE of them, the engine has: they are
// what that says. 0, or -1 with ERR set.
int saved_keep(const struct saved *saved, struct load *load,
               struct engine *engine, size_t nhave, const char *id,
               struct berth_err *err);

#endif
