// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include "logic/garbage.h"

// 0: there is none.
static uint64_t bound(const struct rule_size *size, uint64_t whole)
{
    return size->percent ? whole / 100 * size->percent : size->bytes;
}

bool garbage_is_short(const struct garbage_room *room)
{
    uint64_t max = bound(&room->max, room->disk);
    uint64_t free = bound(&room->free, room->disk);

    return (max && room->taken > max) ||
           (free && room->disk && room->disk_free < free);
}

struct garbage_image *garbage_next(struct garbage_image *images, size_t n,
                                   int64_t now)
{
    struct garbage_image *oldest = NULL;

    for (size_t i = 0; i < n; i++) {
        struct garbage_image *image = &images[i];
        if (!image->pinned && !image->seen &&
            image->used <= now - GARBAGE_YOUNG &&
            (!oldest || image->used < oldest->used))
            oldest = image;
    }
    return oldest;
}
