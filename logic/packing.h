// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// How a layer is packed, by its first bytes, as engines tell it: these unpack
// whatever begins so, and what they were told of it does not count. Pure.
// Input: bytes of anybody's making.
#ifndef BERTH_PACKING_H
#define BERTH_PACKING_H

#include <stddef.h>

enum packing {
    PACKING_NONE = 0,
    PACKING_GZIP = 1,
    PACKING_ZSTD = 2,
    PACKING_OTHER = 3, // what no image's format has
};

enum { PACKING_HEAD = 6 }; // so many bytes tell

// Zeroed: nothing has come yet.
struct packing_head {
    size_t n;
    unsigned char bytes[PACKING_HEAD];
};

// The next LEN bytes: what it is, by all that have come.
enum packing packing_add(struct packing_head *head, const void *data,
                         size_t len);

// What is said of one that is packed otherwise than it may be.
#define PACKING_WRONG                                                          \
    "a layer of it is packed as no image's should be: ask its author to push " \
    "it anew"

#endif
