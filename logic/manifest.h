// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// What a registry says of an image: an index (one image for several
// platforms), a manifest (its configuration and its layers), a configuration.
// Docker's formats (schema 2) and OCI's. Pure. Input: bytes from a registry or
// from an archive, which anybody may have made.
//
// Those that return int return 0, or -1 with ERR set to a clause that says what
// is wrong with "it", the image: BERTH_EINVAL; BERTH_ENOTFOUND, there is none
// for the platform; or BERTH_ENOMEM.
#ifndef BERTH_MANIFEST_H
#define BERTH_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "logic/err.h"

enum {
    MANIFEST_DIGEST = 72, // "sha256:", 64 hex digits and a NUL
    // An index or a manifest: registries take no more.
    MANIFEST_MAX = 4 * 1024 * 1024,
    // A configuration, with its history and labels.
    MANIFEST_CONFIG_MAX = 8 * 1024 * 1024,
    // Docker has no more than 128 layers in an image.
    MANIFEST_LAYERS_MAX = 512,
};

// A kind of machine, in the words of images: "linux", "arm64".
struct manifest_platform {
    const char *os, *arch;
};

// That of a machine that the kernel calls MACHINE (uname -m).
struct manifest_platform manifest_platform(const char *machine);

struct manifest_blob {
    char digest[MANIFEST_DIGEST];
    uint64_t size; // of a layer as it is transferred, compressed
};

struct manifest {
    struct manifest_blob config;
    size_t nlayers;
    struct manifest_blob *layers; // the lowest first
    uint64_t size;                // of all layers
};

struct manifest_config {
    size_t nlayers;
    char (*layers)[MANIFEST_DIGEST]; // each layer's digest, unpacked
};

// Whether TEXT is an index, in OUT, or else a manifest.
int manifest_is_index(const char *text, size_t len, bool *out,
                      struct berth_err *err);

// Of the index TEXT: the digest of the manifest for PLATFORM.
int manifest_choose(const char *text, size_t len,
                    const struct manifest_platform *platform,
                    char digest[MANIFEST_DIGEST], struct berth_err *err);

// The manifest TEXT. OUT is for manifest_clear.
int manifest_parse(const char *text, size_t len, struct manifest *out,
                   struct berth_err *err);
void manifest_clear(struct manifest *manifest); // keeps errno

// The configuration TEXT of MANIFEST, which must be for PLATFORM. OUT is for
// manifest_config_clear.
int manifest_config_parse(const char *text, size_t len,
                          const struct manifest *manifest,
                          const struct manifest_platform *platform,
                          struct manifest_config *out, struct berth_err *err);
void manifest_config_clear(struct manifest_config *config); // keeps errno

// Whether TEXT is such a digest.
bool manifest_is_digest(const char *text);

#endif
