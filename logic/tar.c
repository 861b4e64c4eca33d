// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include "logic/tar.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { NAME_AT = 0, LINK_AT = 157, TEXT = 100 };

size_t tar_padding(uint64_t size)
{
    return (size_t)(-size % TAR_BLOCK);
}

// WIDTH bytes at FIELD, of which the last is a NUL; or, where that is too
// narrow, GNU's way.
static void put_number(char *field, int width, int64_t value)
{
    if (value >= 0 && value < INT64_C(1) << (3 * (width - 1))) {
        snprintf(field, (size_t)width, "%0*" PRIo64, width - 1,
                 (uint64_t)value);
        return;
    }
    for (int i = width - 1; i > 0; i--) {
        field[i] = (char)value;
        value >>= 8;
    }
    field[0] = (char)(value < 0 ? 0xff : 0x80);
}

static void put_text(char *field, const char *text)
{
    size_t len = strlen(text);

    memcpy(field, text, len < TEXT ? len : TEXT);
}

static void put_block(char *h, const char *name, const char *link, char type,
                      const struct tar_entry *e, uint64_t size)
{
    unsigned sum = 0;

    memset(h, 0, TAR_BLOCK);
    put_text(h + NAME_AT, name);
    put_number(h + 100, 8, e->mode & 07777);
    put_number(h + 108, 8, (int64_t)e->uid);
    put_number(h + 116, 8, (int64_t)e->gid);
    put_number(h + 124, 12, (int64_t)size);
    put_number(h + 136, 12, e->mtime);
    h[156] = type;
    if (link)
        put_text(h + LINK_AT, link);
    memcpy(h + 257, "ustar\00000", 8);
    memset(h + 148, ' ', 8);
    for (int i = 0; i < TAR_BLOCK; i++)
        sum += (unsigned char)h[i];
    snprintf(h + 148, 8, "%06o", sum);
}

// A record of pax's, whose length counts itself.
static size_t put_record(char *out, const char *key, const void *value,
                         size_t len)
{
    size_t rest = 1 + strlen(key) + 1 + len + 1, digits = 1, n = 0;

    for (size_t most = 10; rest + digits >= most; most *= 10)
        digits++;
    n = (size_t)sprintf(out, "%zu %s=", rest + digits, key);
    memcpy(out + n, value, len);
    out[n + len] = '\n';
    return n + len + 1;
}

static size_t put_records(char *out, const struct tar_entry *e)
{
    size_t n = 0;

    if (strlen(e->name) > TEXT)
        n += put_record(out + n, "path", e->name, strlen(e->name));
    if (e->link && strlen(e->link) > TEXT)
        n += put_record(out + n, "linkpath", e->link, strlen(e->link));
    if (e->ncapability > 0)
        n += put_record(out + n, "SCHILY.xattr.security.capability",
                        e->capability, e->ncapability);
    return n;
}

size_t tar_head(const struct tar_entry *entry, char buf[TAR_HEAD_MAX])
{
    const struct tar_entry plain = {.mode = 0644};
    char *p = buf;

    size_t n = put_records(p + TAR_BLOCK, entry);
    if (n > 0) {
        put_block(p, "pax", NULL, 'x', &plain, n);
        p += TAR_BLOCK + n;
        memset(p, 0, tar_padding(n));
        p += tar_padding(n);
    }
    put_block(p, entry->name, entry->link, entry->type, entry, entry->size);
    return (size_t)(p - buf) + TAR_BLOCK;
}
