// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: what a registry says of an image, read as each thing that it can be.
// What is taken has digests that are digests, and bounds.

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "logic/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition) ((condition) ? (void)0 : abort())

static const struct manifest_platform here = {"linux", "amd64"};

static void check_config(const char *text, size_t size, size_t nlayers)
{
    const struct manifest manifest = {.nlayers = nlayers};
    struct manifest_config config = {0};
    struct berth_err err = {0};

    if (manifest_config_parse(text, size, &manifest, &here, &config, &err) <
        0) {
        MUST(err.text[0] && !config.layers);
        return;
    }
    MUST(config.nlayers == nlayers);
    for (size_t i = 0; i < nlayers; i++)
        MUST(manifest_is_digest(config.layers[i]));
    manifest_config_clear(&config);
}

static void check_manifest(const char *text, size_t size)
{
    struct manifest m = {0};
    struct berth_err err = {0};
    uint64_t sum = 0;

    if (manifest_parse(text, size, &m, &err) < 0) {
        MUST(err.text[0] && !m.layers);
        return;
    }
    MUST(m.nlayers > 0 && m.nlayers <= MANIFEST_LAYERS_MAX);
    MUST(manifest_is_digest(m.config.digest));
    for (size_t i = 0; i < m.nlayers; i++) {
        MUST(manifest_is_digest(m.layers[i].digest));
        sum += m.layers[i].size;
    }
    MUST(sum == m.size);
    manifest_clear(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    char digest[MANIFEST_DIGEST];
    struct berth_err err = {0};
    bool index;

    if (manifest_is_index(text, size, &index, &err) < 0)
        MUST(err.text[0]);
    if (manifest_choose(text, size, &here, digest, &err) == 0)
        MUST(manifest_is_digest(digest));
    check_manifest(text, size);
    check_config(text, size, 1);
    check_config(text, size, 2);
    return 0;
}
