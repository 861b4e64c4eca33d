// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Images go again that berth has brought: those that nobody has used for the
// longest time, as far as others need the room, or one that an administrator
// names. Only by the name of berth's own, so that an image which has another
// one stays, and never by force. All as root.
#ifndef BERTH_GC_H
#define BERTH_GC_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/engine.h"
#include "images/stock.h"
#include "logic/err.h"
#include "logic/rules.h"

// What an engine has by berth's own names.
struct gc_there {
    size_t n;
    struct engine_found *v;
};

// Asks the engine, whose socket is at PATH, and writes the sizes of its images
// to STOCK: 0 is one that is not there any more. 0 and OUT, for free(); or -1
// with ERR set.
int gc_measure(struct engine *engine, const char *path, struct stock *stock,
               struct gc_there *out, struct berth_err *err);

// Removes IMAGE and its records. An image that is not there any more is no
// error. 0; or -1 with ERR set, and all of it is there: BERTH_EBUSY, a
// container has it, a step starts from it, or it was used or brought anew since
// the stock was read.
int gc_remove(const char *state, struct engine *engine,
              const struct stock_image *image, struct berth_err *err);

// Removes the image ID from ENGINE, whose socket is at PATH, if no node has a
// record of it, nor anybody who brings it or starts from it: it is what is left
// of a fetch that failed, or of a record that went. What does not go by this is
// found by gc_run.
void gc_remove_stray(const char *state, struct engine *engine, const char *path,
                     const char *id);

struct gc {
    const char *state;
    struct rule_size max, free; // policy_images
    bool dry_run;
    long long end_ms; // by clock_ms: nothing is begun after it
    // Called for each image that went (WHY is NULL), or could not.
    void (*told)(void *arg, const struct stock_image *image, const char *why);
    void *arg;
};

// Removes images of STOCK (of ENGINE, whose socket is at PATH; all others are
// passed over) until there is room, and what is left in the engine of a fetch
// that was killed. 0; or -1 with ERR set: nobody knows whether there is room.
int gc_run(const struct gc *gc, struct engine *engine, const char *path,
           struct stock *stock, struct berth_err *err);

#endif
