// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// An image on its way into the engine: what comes from a program that is not
// root (protocol/fetch.h), compared with its digests, and the archive that root
// makes of it. Input: frames, in which anything may be. What goes to the engine
// is an archive of root's own: a configuration and layers that are what their
// digests say, under names of root's own, and one name for the image. The list
// of what is in it comes last, so that an engine which is cut off loads
// nothing.
#ifndef BERTH_LOAD_H
#define BERTH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/engine.h"
#include "engine/watch.h"
#include "logic/err.h"
#include "logic/manifest.h"
#include "logic/packing.h"
#include "logic/sparse.h"
#include "logic/tar.h"
#include "node/digest.h"
#include "protocol/fetch.h"

struct load {
    // Given by load_begin:
    int link; // of the program that brings it
    const struct watch *watch;
    long long end_ms; // by clock_ms: when it is given up
    // What comes unpacked has so many bytes in all at most, and is compared
    // with the configuration here. An engine that has a layer never looks at
    // the bytes that come for it.
    uint64_t unpacked_max;
    // All layers come so, as the program may be in the hands of whoever made
    // the image; else it counts those that it passes on as they are.
    bool all_unpacked;
    // Called with what has come of TOTAL bytes; TOTAL is 0 before that is
    // known.
    void (*progress)(void *arg, uint64_t came, uint64_t total);
    void *arg;

    struct fetch_failed why;      // after a call that returned -1; after
                                  // load_send's 0: FETCH_CODE_NONE
    char digest[MANIFEST_DIGEST]; // of what the name leads to
    struct manifest manifest;
    struct manifest_config config;
    uint64_t came, total; // of the layers that are wanted, as transferred
    uint64_t before;      // of which came before the one that comes

    // Of the archive, in the making:
    char *config_text;
    size_t config_len;
    char wanted[MANIFEST_LAYERS_MAX];
    size_t nhave; // so many of the lowest are there
    bool blank;   // and have a file in the archive all the same
    size_t stage, layer;
    unsigned step;          // within a stage
    struct fetch_layer now; // the layer that comes
    uint64_t left;          // of it
    struct packing_head packing;
    uint64_t plain;       // bytes of layers so far that came unpacked
    struct sparse sparse; // what their sparse files have beside these
    struct digest *sum;
    char *list; // manifest.json
    const char *part;
    size_t part_len;
    char head[TAR_HEAD_MAX];
    struct fetch_frame frame;
};

// Zeroes LOAD, but what is given.
struct load *load_begin(int link, const struct watch *watch, long long end_ms);
void load_end(struct load *load); // NULL is fine; keeps errno

// Reads what the name leads to, if ALL with manifest and configuration, which
// must be for the machine PLATFORM. Where DIGEST is not empty, that must be
// what the name leads to. 0, or -1 and LOAD's why.
int load_read(struct load *load, bool all, const char *digest,
              const struct manifest_platform *platform);

// Has the layers come, but for the NHAVE lowest, which the engine has, and
// loads the image as REPOSITORY:TAG. 0, or -1 and LOAD's why:
// FETCH_CODE_ENGINE, among others, where one of these has just gone.
int load_send(struct load *load, struct engine *engine, const char *repository,
              const char *tag, size_t nhave);

#endif
