// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// What an image says of itself, judged before there is a container of it.
#ifndef BERTH_IMAGE_H
#define BERTH_IMAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "logic/err.h"

// Says whether NAME is an annotation that no runtime and no hook obeys, so
// that an engine may hand it to them: org.opencontainers.image.* (texts for
// people; OCI's image specification) and com.docker.official-images.* (from
// what Docker's official images were built). SECURITY.md has those that are
// obeyed; the list of what is not is the one that can be kept true.
bool image_annotation_ok(const char *name);

// Makes the path of a VOLUME one of single slashes, without "." and without
// a slash at the end, in place, as engines do. ".." stays: it leads elsewhere
// than it seems where there are symbolic links, and no target has it
// (logic/mount_syntax.h).
void image_volume_clean(char *path);

// Says whether a program can be started with the N strings of ENV where none
// may have ONE_MAX bytes with its NUL or more than that, and the limit of the
// stack is STACK (-1: none), with some room for what an engine adds: execve(2)
// counts both. 0, or -1 with ERR set (BERTH_EINVAL) to a sentence that names
// the largest.
int image_env_check(char *const *env, size_t n, size_t one_max, long long stack,
                    struct berth_err *err);

#endif
