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

#include "logic/err.h"

// The registry that is none: names of berth's own in the engine begin with it,
// and nobody can ask for one.
#define IMGREF_OWN_DOMAIN "berth.local"

struct imgref {
    char domain[256]; // "docker.io", "localhost:5000", "[::1]:5000"
    char path[256];   // "library/debian"; domain/path is at most 255 bytes
    char tag[129];    // "latest"; empty if there is a digest and no tag
    char digest[136]; // "sha256:..." or empty
};

// Parses S into OUT. An optional "docker://" in front is dropped, and
// "REGISTRY#IMAGE", as pyxis and enroot write it, is "REGISTRY/IMAGE".
// Refused, each with a sentence of its own: what the grammar does not allow,
// uppercase names, image IDs (64 hex digits, with or without "sha256:"),
// ports beyond 65535, paths and image files (OCI bundles and .sqsh are for
// other plugins, which the sentence says), control characters, invalid UTF-8,
// anything too long. NULL reads as empty.
// Returns 0, or -1 with ERR set (BERTH_EINVAL) and OUT untouched.
int imgref_parse(const char *s, struct imgref *out, struct berth_err *err);

enum { IMGREF_TEXT_MAX = 256 + 256 + 129 + 136 + 4 };

// Writes the whole reference, "domain/path[:tag][@digest]", to BUF.
void imgref_format(const struct imgref *ref, char buf[IMGREF_TEXT_MAX]);

// One pattern of an allowlist, in the same parts. Parsed and normalised as
// references are, and refused for the same reasons; besides,
//   - "*" stands for any run of bytes (none as well) within one component
//     of the path, within the tag, or within one label or the port of the
//     domain: "*.example.org/app" does not match "example.org.evil.io/app",
//     nor "*.example.org" a registry at another port than the default;
//   - "**" stands for one or more whole components of the path;
//   - no tag means any tag and any digest. A pattern with a tag does not
//     match a reference with a digest, whatever its tag: the engine goes by
//     the digest alone, so "debian:12@sha256:..." may be any Debian;
//   - a digest holds no glob, and matches that digest only.
// A pattern speaks of one registry, which is docker.io where it names none:
// "nvidia/**" and "**/x" are docker.io/nvidia/** and docker.io/**/x, "*" is
// every official image, "docker.io/**" all of Docker Hub. The one exception
// is "**" alone (with a tag or digest, if wanted): every image of every
// registry.
// In one block with its texts, as there can be thousands.
struct imgpat {
    const char *domain, *path, *tag, *digest; // as in struct imgref
    char text[];
};

// Parses S. Returns a new pattern, to be given to free, or NULL with ERR set
// (BERTH_EINVAL, or BERTH_ENOMEM).
struct imgpat *imgpat_parse(const char *s, struct berth_err *err);

// Says whether REF as a whole matches WANT. Without backtracking: the time is
// bounded by the length of WANT times that of REF.
bool imgpat_match(const struct imgpat *want, const struct imgref *ref);

#endif
