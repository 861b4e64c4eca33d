// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// SHA-256, as images name their parts by: "sha256:" and 64 hex digits.
#ifndef BERTH_DIGEST_H
#define BERTH_DIGEST_H

#include <stddef.h>

#include "logic/manifest.h"

struct digest; // of what was added so far

// NULL: memory is out.
struct digest *digest_begin(void);
void digest_add(struct digest *digest, const void *data, size_t len);
// Writes it to OUT and frees DIGEST.
void digest_end(struct digest *digest, char out[MANIFEST_DIGEST]);
void digest_drop(struct digest *digest); // NULL is fine; keeps errno

// Writes that of the LEN bytes of DATA to OUT. 0, or -1: memory is out.
int digest_of(const void *data, size_t len, char out[MANIFEST_DIGEST]);

#endif
