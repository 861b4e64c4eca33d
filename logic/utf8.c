// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include "logic/utf8.h"

#include <string.h>

size_t utf8_char(const char *s)
{
    const unsigned char *p = (const unsigned char *)s;
    size_t n;
    unsigned char low = 0x80, high = 0xbf; // bounds of the second byte

    if (p[0] == 0)
        return 0;
    if (p[0] < 0x80)
        return 1;
    if (p[0] >= 0xc2 && p[0] <= 0xdf)
        n = 2;
    else if (p[0] >= 0xe0 && p[0] <= 0xef)
        n = 3;
    else if (p[0] >= 0xf0 && p[0] <= 0xf4)
        n = 4;
    else
        return 0;
    if (p[0] == 0xe0)
        low = 0xa0; // overlong
    if (p[0] == 0xed)
        high = 0x9f; // surrogates
    if (p[0] == 0xf0)
        low = 0x90; // overlong
    if (p[0] == 0xf4)
        high = 0x8f; // above U+10FFFF
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++)
        if (p[i] < 0x80 || p[i] > 0xbf)
            return 0;
    return n;
}

bool utf8_valid(const char *s)
{
    while (*s) {
        size_t n = (unsigned char)*s < 0x80 ? 1 : utf8_char(s);
        if (n == 0)
            return false;
        s += n;
    }
    return true;
}

// C1 controls move a terminal's cursor as C0's do. The rest isn't seen: it
// turns the order of what is (U+202A and its like), ends lines, or is there
// so that two texts look the same (marks of no width, tags).
static bool is_hidden(unsigned c)
{
    static const struct {
        unsigned first, last;
    } ranges[] = {
        {0x01, 0x1f},     {0x7f, 0x9f},       {0xad, 0xad},
        {0x61c, 0x61c},   {0x180e, 0x180e},   {0x200b, 0x200f},
        {0x2028, 0x202e}, {0x2060, 0x206f},   {0xfeff, 0xfeff},
        {0xfff9, 0xfffb}, {0xe0000, 0xe0fff},
    };

    for (size_t i = 0; i < sizeof(ranges) / sizeof(*ranges); i++)
        if (c >= ranges[i].first && c <= ranges[i].last)
            return true;
    return false;
}

void utf8_scrub(char *text)
{
    for (char *p = text; *p;) {
        size_t n = utf8_char(p);
        // The first byte has 7, 5, 4 or 3 bits of the number, all others 6.
        unsigned c = (unsigned char)*p & (n < 2 ? 0x7fu : 0x7fu >> n);

        for (size_t i = 1; i < n; i++)
            c = c << 6 | ((unsigned char)p[i] & 0x3fu);
        if (n == 0 || is_hidden(c))
            memset(p, '?', n ? n : 1);
        p += n ? n : 1;
    }
}
