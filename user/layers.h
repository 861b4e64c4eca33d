// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Images by their layers: those that begin alike share them, which makes a
// tree.
#ifndef BERTH_LAYERS_H
#define BERTH_LAYERS_H

#include <jansson.h>
#include <stddef.h>

#include "logic/err.h"
#include "user/table.h"

// Zeroed, it is empty.
struct layers {
    size_t n;
    struct layers_image {
        char *name;
        json_t *layers;
    } * images;
};

// Adds an image, unless it is there; LAYERS, which is borrowed, are objects
// with an ID and a size, the lowest first. 0, or -1 with ERR set.
int layers_add(struct layers *layers, const char *name, json_t *list,
               struct berth_err *err);

// Fills in TABLE: a row for the layers that the same images have, below those
// that they lie on. 0, or -1
// with ERR set.
int layers_table(struct layers *layers, struct table *table,
                 struct berth_err *err);

void layers_clear(struct layers *layers);

#endif
