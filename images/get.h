// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// An image for somebody's job: the engine has it, or berth has fetched it
// before, or it is fetched now. Root's, and makes no connection itself but to
// the engine. The policy has allowed the name before any of this.
#ifndef BERTH_GET_H
#define BERTH_GET_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/engine.h"
#include "engine/watch.h"
#include "images/record.h"
#include "logic/err.h"
#include "logic/imgref.h"
#include "logic/manifest.h"
#include "logic/rules.h"
#include "node/child.h"

// An image that nobody removes until images_let_go: the engine does not know
// yet of the container that it is for.
struct images_held {
    int dir; // of the records, or -1: none is held
    struct record_lock lock;
};

#define IMAGES_NOT_HELD                                                        \
    {                                                                          \
        .dir = -1, .lock = RECORD_NO_LOCK                                      \
    }

struct images_order {
    const char *state, *node; // STATE/NODE is the node's directory
    uint32_t job;
    const struct imgref *ref;
    const struct rules *rules;     // pull and its kin
    bool unfetched;                // as with pull = never, as no rule has it
    const struct child_user *user; // whose job it is
    int theirs;                    // of an archive: the mount namespace that
                                   // its path is in, or -1: this process's
    const char *home;              // his, or NULL
    const char *engine;            // the path of its socket
    const struct watch *watch;     // as long as somebody waits
    struct images_held *held;      // what berth has brought, from when it is
                                   // found; NULL: nobody runs it
    // Called with lines for the user, such as how far a fetch is; ROUND_MS is
    // the time from one to the next. SAY may be NULL.
    void (*say)(void *arg, const char *line);
    // As images/helper.h has it.
    int (*confine)(void *arg, pid_t pid, struct berth_err *err);
    void *arg;
    int round_ms;
};

struct images_got {
    struct engine_image image;    // engine_image_clear
    char digest[MANIFEST_DIGEST]; // of what the name leads to, by the registry;
                                  // empty: it was not asked, now or earlier
    bool fetched;                 // now, of so many bytes in so many seconds
    uint64_t bytes;
    unsigned seconds;
};

// Holds the image ID, of which a record in DIR is, for ORDER, in the place of
// what that held before. 0, or -1 with ERR set.
int images_hold(const struct images_order *order, int dir, const char *id,
                struct berth_err *err);
void images_let_go(struct images_held *held); // NULL is fine

// 0 and OUT; or -1 with ERR set to a sentence for the user: BERTH_ENOTFOUND if
// the image cannot be had, BERTH_EENDED if nobody waits any more.
int images_get(const struct images_order *order, struct engine *engine,
               struct images_got *out, struct berth_err *err);

#endif
