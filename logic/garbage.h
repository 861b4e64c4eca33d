// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Which of the images that berth has fetched goes next, so that the others and
// the engine have room. Pure.
#ifndef BERTH_GARBAGE_H
#define BERTH_GARBAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "logic/rules.h"

enum {
    // Seconds after its last use that an image stays: the step that wanted it
    // may not have a container yet.
    GARBAGE_YOUNG = 600,
};

struct garbage_image {
    uint64_t size; // unpacked
    int64_t used;  // when last, in seconds
    bool pinned;
    bool seen; // it was tried: it is gone, or somebody has it
};

struct garbage_room {
    struct rule_size max, free; // policy_images
    uint64_t disk, disk_free;   // bytes of the engine's
    uint64_t taken;             // by the images
};

// Whether one of the images should go. A percentage of a disk whose size is
// unknown (0) is no bound.
bool garbage_is_short(const struct garbage_room *room);

// The one of the N that goes next: not pinned, not seen, unused the longest. At
// NOW one that was used lately stays, or that was used in the future. NULL:
// none can go.
struct garbage_image *garbage_next(struct garbage_image *images, size_t n,
                                   int64_t now);

#endif
