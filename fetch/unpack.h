// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// What a layer is when it is unpacked: how large, its digest, and for zstd,
// which not all engines read, the bytes. Input: bytes of a registry.
#ifndef BERTH_UNPACK_H
#define BERTH_UNPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "logic/manifest.h"

struct unpack;

// For a layer that begins with the LEN bytes of HEAD. NULL: memory is out.
struct unpack *unpack_begin(const void *head, size_t len);
void unpack_end(struct unpack *unpack); // NULL is fine

// Whether it is packed by zstd.
bool unpack_is_zstd(const struct unpack *unpack);
// Whether it is packed at all.
bool unpack_is_plain(const struct unpack *unpack);

enum unpack_end {
    UNPACK_MALFORMED = -1, // WHY says it
    UNPACK_TOO_MUCH = -2,
    UNPACK_NO_ROOM = -3, // likewise
};

// The next LEN bytes of it. What they are unpacked is counted, with the holes
// of sparse files, up to MAX in all, and where OUT is not -1 written there. 0,
// or what of enum unpack_end came in between.
int unpack_add(struct unpack *unpack, const void *data, size_t len, int out,
               uint64_t max, const char **why);

uint64_t unpack_size(const struct unpack *unpack); // so far
// Likewise, with what its sparse files have beside that: what counts.
uint64_t unpack_takes(const struct unpack *unpack);

// Writes the digest of all that was unpacked to DIGEST. Nothing can be added
// any more.
void unpack_digest(struct unpack *unpack, char digest[MANIFEST_DIGEST]);

// Whether it may end here.
bool unpack_is_whole(const struct unpack *unpack);

#endif
