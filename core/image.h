// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// What an image says of itself, judged before there is a container of it.
#ifndef BERTH_IMAGE_H
#define BERTH_IMAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/err.h"

// Says whether NAME is an annotation that no runtime and no hook obeys, so
// that an engine may hand it to them: org.opencontainers.image.* (texts for
// people; OCI's image specification) and com.docker.official-images.* (from
// what Docker's official images were built). SECURITY.md has those that are
// obeyed; the list of what is not is the one that can be kept true.
bool image_annotation_ok(const char *name);

#endif
