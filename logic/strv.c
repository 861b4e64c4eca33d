// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include "logic/strv.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int strv_addf(struct strv *list, const char *fmt, ...)
{
    va_list ap;
    char *s = NULL;

    va_start(ap, fmt);
    int n = vasprintf(&s, fmt, ap);
    va_end(ap);
    if (n < 0)
        return -1;
    char **v = reallocarray(list->v, list->n + 2, sizeof(*v));
    if (!v) {
        free(s);
        return -1;
    }
    list->v = v;
    v[list->n++] = s;
    v[list->n] = NULL;
    return 0;
}

int strv_add(struct strv *list, const char *s)
{
    return strv_addf(list, "%s", s);
}

bool strv_has(const struct strv *list, const char *s)
{
    for (size_t i = 0; i < list->n; i++)
        if (strcmp(list->v[i], s) == 0)
            return true;
    return false;
}

const char *strv_behind(const struct strv *list, const char *word)
{
    size_t len = strlen(word);

    for (size_t i = 0; i < list->n; i++)
        if (strncmp(list->v[i], word, len) == 0)
            return list->v[i] + len;
    return NULL;
}

void strv_clear(struct strv *list)
{
    int saved = errno;

    for (size_t i = 0; i < list->n; i++)
        free(list->v[i]);
    free(list->v);
    *list = (struct strv){0};
    errno = saved;
}
