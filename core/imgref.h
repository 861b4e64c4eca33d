// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Image references, as the distribution project's reference grammar and
// Docker's familiar names define them, taken apart into components and
// normalised: "debian" is docker.io/library/debian:latest. Input is
// whatever a user typed.
#ifndef BERTH_IMGREF_H
#define BERTH_IMGREF_H

#include <stdbool.h>

#include "core/err.h"

struct imgref {
    char domain[256]; // "docker.io", "localhost:5000", "[::1]:5000"
    char path[256];   // "library/debian"; domain/path is at most 255 bytes
    char tag[129];    // "latest"; empty if there is a digest and no tag
    char digest[136]; // "sha256:..." or empty
};

// Parses S into OUT. An optional "docker://" in front is dropped. Refused,
// each with a sentence of its own: what the grammar does not allow,
// uppercase names, identifiers of 64 hex digits, absolute and relative
// paths (they are OCI bundles or .sqsh files for other plugins; the
// sentence says so), control characters, invalid UTF-8, anything too long.
// Returns 0, or -1 with ERR set (BERTH_EINVAL) and OUT untouched.
int imgref_parse(const char *s, struct imgref *out, struct berth_err *err);

enum { IMGREF_TEXT_MAX = 256 + 256 + 129 + 136 + 4 };

// Writes the whole reference, "domain/path[:tag][@digest]", to BUF.
void imgref_format(const struct imgref *ref, char buf[IMGREF_TEXT_MAX]);

// One pattern of an allowlist: a reference whose name and tag may hold
// globs. "*" matches within a component (any run of bytes without '/'),
// "**" as a whole component matches any number (at least one) of components.
// Normalised as references are, except that a missing tag means any tag.
struct imgpat {
    char domain[256];
    char path[256];
    char tag[129];    // glob; empty: any tag, and any digest
    char digest[136]; // whole, no glob; empty: any
};

// Parses S into OUT. Returns 0, or -1 with ERR set (BERTH_EINVAL).
int imgpat_parse(const char *s, struct imgpat *out, struct berth_err *err);

// Says whether REF as a whole matches PAT. Linear in the lengths of both.
// A pattern with a tag does not match a reference by digest alone, a
// pattern with a digest matches that digest only.
bool imgpat_match(const struct imgpat *pat, const struct imgref *ref);

#endif
