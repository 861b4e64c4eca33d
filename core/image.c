// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: texts of the image's author.

#include "core/image.h"

#include <string.h>

bool image_annotation_ok(const char *name)
{
    static const char *const harmless[] = {
        "org.opencontainers.image.",
        "com.docker.official-images.",
    };

    for (size_t i = 0; i < sizeof(harmless) / sizeof(*harmless); i++)
        if (strncmp(name, harmless[i], strlen(harmless[i])) == 0)
            return true;
    return false;
}
