// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The formats are GNU tar's ("Storing Sparse Files" in its manual): a header of
// the type 'S' has the size in it; in records of pax(1) it stands behind
// GNU.sparse.size= or GNU.sparse.realsize=.

#include "logic/sparse.h"

#include <stdbool.h>
#include <string.h>

// Fields of a header: where, and how long.
enum {
    AT_SUM = 148,
    LEN_SUM = 8,
    AT_TYPE = 156,
    AT_SIZE = 483,
    LEN_SIZE = 12,
};

static const char common[] = "GNU.sparse.",
                  size[] = "size=", real_size[] = "realsize=";

// No disk has so much, and sums of it do not overflow.
#define MOST (UINT64_C(1) << 60)

static void count(struct sparse *s, uint64_t bytes)
{
    s->bytes += bytes < MOST ? bytes : MOST;
    s->bytes = s->bytes < MOST ? s->bytes : MOST;
}

// --- headers -----------------------------------------------------------------

// A number: octal digits, or binary, which the first bit says.
static uint64_t number(const unsigned char *at, size_t len)
{
    bool binary = *at & 0x80;
    uint64_t value = 0;

    for (size_t i = 0; i < len; i++) {
        if (value >> 55)
            return UINT64_MAX;
        if (binary)
            value = value << 8 | (i == 0 ? at[i] & 0x7f : at[i]);
        else if (at[i] >= '0' && at[i] <= '7')
            value = value << 3 | (uint64_t)(at[i] - '0');
    }
    return value;
}

static bool is_blank(unsigned char c)
{
    return c == 0 || c == ' ' || (c >= '\t' && c <= '\r');
}

// A sum, as whoever reads a tar takes one: blanks, octal digits, and a blank or
// the end. Without a look at that, one block of some 500 MB of compressed data
// is a header by chance.
static bool read_sum(const unsigned char *field, int64_t *out)
{
    size_t i = 0;

    *out = 0;
    while (i < LEN_SUM && is_blank(field[i]))
        i++;
    for (; i < LEN_SUM && field[i] >= '0' && field[i] <= '7'; i++)
        *out = *out << 3 | (field[i] - '0');
    return i == LEN_SUM || is_blank(field[i]);
}

// The sum is of the bytes as they are, or by old programs as signed ones.
static bool has_sum(const unsigned char *block)
{
    int64_t plain = 0, with_sign = 0, said;

    for (size_t i = 0; i < SPARSE_BLOCK; i++) {
        bool own = i >= AT_SUM && i < AT_SUM + LEN_SUM;
        plain += own ? ' ' : block[i];
        with_sign += own ? ' ' : (signed char)block[i];
    }
    return read_sum(block + AT_SUM, &said) &&
           (said == plain || said == with_sign);
}

static void look_at_block(struct sparse *s, const unsigned char *block)
{
    if (block[AT_TYPE] == 'S' && has_sum(block))
        count(s, number(block + AT_SIZE, LEN_SIZE));
}

static void look_at_blocks(struct sparse *s, const unsigned char *data,
                           size_t len)
{
    while (len > 0) {
        size_t n = SPARSE_BLOCK - s->used;
        if (n > len)
            n = len;
        if (n == SPARSE_BLOCK) {
            look_at_block(s, data);
        } else {
            memcpy(s->block + s->used, data, n);
            s->used += n;
            if (s->used == SPARSE_BLOCK) {
                look_at_block(s, s->block);
                s->used = 0;
            }
        }
        data += n;
        len -= n;
    }
}

// --- records -----------------------------------------------------------------

static void begin_words(struct sparse *s, char c)
{
    // Their first letter is in them once.
    s->matched = c == common[0];
    s->words = NULL;
    s->number = 0;
}

// A letter after some that fit.
static void look_at_letter(struct sparse *s, char c)
{
    const unsigned ncommon = sizeof(common) - 1;

    if (s->matched < ncommon) {
        if (c == common[s->matched])
            s->matched++;
        else
            begin_words(s, c);
        return;
    }
    if (!s->words)
        s->words = c == size[0] ? size : real_size;
    size_t at = s->matched - ncommon;
    if (at < strlen(s->words)) {
        if (c == s->words[at])
            s->matched++;
        else
            begin_words(s, c);
    } else if (c >= '0' && c <= '9') {
        s->number = s->number >= MOST / 10
                        ? MOST
                        : 10 * s->number + (uint64_t)(c - '0');
    } else if (c != '+') {
        count(s, s->number);
        begin_words(s, c);
    }
}

static void look_for_words(struct sparse *s, const char *data, size_t len)
{
    const char *end = data + len;

    while (data < end) {
        if (s->matched == 0) {
            data = memchr(data, common[0], (size_t)(end - data));
            if (!data)
                return;
            begin_words(s, *data++);
        } else {
            look_at_letter(s, *data++);
        }
    }
}

void sparse_add(struct sparse *sparse, const void *data, size_t len)
{
    look_at_blocks(sparse, data, len);
    look_for_words(sparse, data, len);
}
