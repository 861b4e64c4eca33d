// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Internal to engine/: from the bytes of the engine's answers to structs.
// No I/O, so that these can be tested and fuzzed on a buffer. The bytes are
// not trusted: duplicate keys, wrong types, numbers out of range, strings
// that do not fit, invalid UTF-8 and anything behind the JSON are errors.
//
// All return 0, or -1 with ERR set (BERTH_EENGINE, BERTH_ENOMEM) to what is
// wrong with the answer, and OUT untouched.
#ifndef BERTH_ENGINE_PARSE_H
#define BERTH_ENGINE_PARSE_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/engine.h"
#include "logic/err.h"

// GET /images/NAME/json, or Podman's own /libpod/images/NAME/json
int parse_image(const char *body, size_t length, struct engine_image *out,
                struct berth_err *err);

// The same: the image's configuration, as engine_image_config has it.
int parse_config(const char *body, size_t length, json_t **out,
                 struct berth_err *err);

// GET /info: whether CDI is on (CDISpecDirs is not empty), and whether all of
// the N in NAMES are CDI devices that it lists.
int parse_cdi(const char *body, size_t length, const char *const *names,
              size_t n, bool *on, bool *all, struct berth_err *err);

// A list of objects as it comes, less what is in the objects of these: an
// image's labels are one, as long as its author likes, and nothing here reads
// them.
struct parse_flat {
    char *text; // of MAX bytes, of which LEN are there
    size_t len, max;
    unsigned depth, dropped; // brackets that are open; so many where one
                             // begins that is dropped, or 0
    bool string, escaped;
};

// Takes in LEN bytes more. Says whether there was room for what is left.
bool parse_flat_add(struct parse_flat *flat, const char *data, size_t len);

// GET /images/json; *FOUND is the caller's to free.
int parse_found(const char *body, size_t length, struct engine_found **found,
                size_t *n, struct berth_err *err);

// The same, for engine_named_free.
int parse_named(const char *body, size_t length, struct engine_named **list,
                size_t *n, struct berth_err *err);

// GET /images/NAME/history: the sizes that are not 0, the lowest layer's first.
// *SIZES is the caller's to free.
int parse_sizes(const char *body, size_t length, uint64_t **sizes, size_t *n,
                struct berth_err *err);

// GET /info: the directory in which the engine's data is.
int parse_root(const char *body, size_t length, char *out, size_t size,
               struct berth_err *err);

// POST /containers/create
int parse_created(const char *body, size_t length, char id[65],
                  struct berth_err *err);

// GET /containers/ID/json
int parse_container(const char *body, size_t length,
                    struct engine_container *out, struct berth_err *err);

// Any error: the message, fit for one line of a terminal, cut to SIZE - 1.
int parse_message(const char *body, size_t length, char *out, size_t size,
                  struct berth_err *err);

// The header Api-Version, "1.41": OUT is 41. Major versions other than 1 do
// not exist, and are errors.
int parse_version(const char *text, int *out, struct berth_err *err);

// GET /version: the oldest version of its API that the engine still speaks,
// as parse_version has it; 0: it does not say.
int parse_floor(const char *body, size_t length, int *out,
                struct berth_err *err);

// What the engine said while it loaded an image: OUT is the first error among
// that, scrubbed, or empty.
int parse_progress(const char *body, size_t length, char *out, size_t size,
                   struct berth_err *err);

#endif
