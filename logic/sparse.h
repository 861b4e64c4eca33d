// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// What the sparse files of a tar may have in all: a tar has their holes as
// numbers only, and engines write them out. Pure. Input: the bytes of a layer,
// of anybody's making.
//
// The tar is not parsed, so that there is no way of reading it in which this
// would overlook one: each block is looked at as if it were a header, and all
// of it for the words that a header's records say it with. So what is in a tar
// within the tar counts as well: it may be too much, and never too little.
#ifndef BERTH_SPARSE_H
#define BERTH_SPARSE_H

#include <stddef.h>
#include <stdint.h>

enum { SPARSE_BLOCK = 512 };

// Zeroed: nothing has come yet.
struct sparse {
    uint64_t bytes; // that they may have, so far
    size_t used;    // of the block
    unsigned char block[SPARSE_BLOCK];
    unsigned matched;  // of the words
    const char *words; // after those that all have, or NULL: not known yet
    uint64_t number;   // that stands behind them, so far
};

// Takes in LEN bytes more.
void sparse_add(struct sparse *sparse, const void *data, size_t len);

#endif
