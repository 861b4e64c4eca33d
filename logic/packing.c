// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include "logic/packing.h"

#include <stdbool.h>
#include <string.h>

static bool starts(const struct packing_head *head, const char *magic, size_t n)
{
    return head->n >= n && memcmp(head->bytes, magic, n) == 0;
}

enum packing packing_add(struct packing_head *head, const void *data,
                         size_t len)
{
    size_t n = PACKING_HEAD - head->n;

    if (n > len)
        n = len;
    memcpy(head->bytes + head->n, data, n);
    head->n += n;
    if (starts(head, "\x1f\x8b", 2))
        return PACKING_GZIP;
    // A frame of zstd, or one that is passed over in front of it.
    if (starts(head, "\x28\xb5\x2f\xfd", 4) ||
        ((head->bytes[0] & 0xf0) == 0x50 && head->n >= 4 &&
         memcmp(head->bytes + 1, "\x2a\x4d\x18", 3) == 0))
        return PACKING_ZSTD;
    if (starts(head, "BZh", 3) || starts(head, "\xfd\x37\x7a\x58\x5a\x00", 6))
        return PACKING_OTHER;
    return PACKING_NONE;
}
