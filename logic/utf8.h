// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// UTF-8 as RFC 3629 defines it: no overlong forms, no surrogates, nothing
// above U+10FFFF. Text from users passes here before it goes into JSON or
// onto a terminal.
#ifndef BERTH_UTF8_H
#define BERTH_UTF8_H

#include <stdbool.h>
#include <stddef.h>

// Returns the length in bytes (1 to 4) of the valid character that the
// NUL-terminated P starts with, or 0 if it starts with none.
size_t utf8_char(const char *p);

// Says whether the NUL-terminated S is valid UTF-8 throughout.
bool utf8_valid(const char *s);

// Makes S fit to be shown on a terminal or in a log, in place: each byte of a
// control character, of one that isn't seen (such as those that turn the
// order of writing) and of what is not valid UTF-8 becomes '?'.
void utf8_scrub(char *s);

#endif
