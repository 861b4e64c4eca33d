// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include "core/utf8.h"

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
        size_t n = utf8_char(s);
        if (n == 0)
            return false;
        s += n;
    }
    return true;
}
