// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// A list of strings that owns them.
#ifndef BERTH_STRV_H
#define BERTH_STRV_H

#include <stdbool.h>
#include <stddef.h>

struct strv {
    char **v; // N strings and a NULL; NULL while empty
    size_t n;
};

// Appends a string made as printf would. Returns 0, or -1 when memory is
// out, with the list as it was.
int strv_addf(struct strv *list, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
int strv_add(struct strv *list, const char *s);

// Says whether S is in LIST.
bool strv_has(const struct strv *list, const char *s);

// The text behind WORD, such as "name=", in the first string that begins with
// it, or NULL.
const char *strv_behind(const struct strv *list, const char *word);

// Frees all; LIST is empty afterwards. Keeps errno.
void strv_clear(struct strv *list);

#endif
