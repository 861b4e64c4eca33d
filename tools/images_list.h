// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// What berth-images(8) shows of a node's images.
#ifndef BERTH_IMAGES_LIST_H
#define BERTH_IMAGES_LIST_H

#include <stdio.h>

#include "images/stock.h"

// How it is written down.
enum images_form {
    IMAGES_TABLE = 0, // for people
    IMAGES_JSON = 1,
    IMAGES_LINES = 2, // "NODE DIGEST ID NAME", for `berth-images check`
};

void images_list(const struct stock *stock, enum images_form form, FILE *out);

// What happened to an image: WORD, such as "removed", of each of its names. WHY
// may be NULL.
void images_tell(const struct stock_image *image, const char *word,
                 const char *why, enum images_form form, FILE *out);

#endif
