// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The pattern is run as a nondeterministic automaton: at each byte of the
// text, the set of places in the pattern that the text so far can have led
// to. Hence no pattern, however many stars it has, takes exponential time.

#include "logic/glob.h"

#include <stddef.h>
#include <string.h>

// Adds place AT to SET, and the places that follow it without reading a
// byte: a single star may stand for nothing.
static void add(bool *set, const char *pattern, size_t at)
{
    set[at] = true;
    while (pattern[at] == '*' && pattern[at + 1] != '*') {
        at++;
        set[at] = true;
    }
}

// The places of NOW that survive the byte C, in NEXT. Says whether any does.
static bool step(const char *pattern, size_t len, const bool *now, char c,
                 const char *stop, bool *next)
{
    bool any = false;

    memset(next, 0, (len + 1) * sizeof(*next));
    for (size_t i = 0; i < len; i++) {
        if (!now[i])
            continue;
        if (pattern[i] == '*' && pattern[i + 1] == '*') {
            next[i] = true;
            add(next, pattern, i + 2);
        } else if (pattern[i] == '*') {
            if (strchr(stop, c))
                continue;
            add(next, pattern, i);
        } else {
            if (pattern[i] != c)
                continue;
            add(next, pattern, i + 1);
        }
        any = true;
    }
    return any;
}

bool glob_match(const char *pattern, const char *text, const char *stop)
{
    bool sets[2][GLOB_MAX] = {{false}};
    size_t len = strnlen(pattern, GLOB_MAX);
    int now = 0;

    if (len == GLOB_MAX)
        return false;
    if (!memchr(pattern, '*', len))
        return strcmp(pattern, text) == 0;
    add(sets[now], pattern, 0);
    for (; *text; text++, now = !now)
        if (!step(pattern, len, sets[now], *text, stop, sets[!now]))
            return false;
    return sets[now][len];
}
