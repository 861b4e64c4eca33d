// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: the administrator's text, which is checked; and values of the node's
// user database, which are not trusted to be plain.

#include "logic/variables.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "logic/path.h"
#include "logic/utf8.h"

int variables_check(const char *text, struct berth_err *err)
{
    for (const char *p = text; (p = strchr(p, '%')); p += 2)
        if (!p[1] || !strchr("uUghj%", p[1]))
            return err_set(err, BERTH_EINVAL,
                           "%%%.*s is no variable that "
                           "berth knows: %%u is the "
                           "user, %%U his number, %%g his "
                           "group, %%h his home, %%j the "
                           "job, and %%%% the sign itself",
                           p[1] ? (int)utf8_char(p + 1) : 0, p + 1);
    return 0;
}

// The value of %LETTER, or NULL. NUMBER is room for one.
static const char *value_of(char letter, const struct subject *subject,
                            char number[16])
{
    switch (letter) {
    case 'u':
        return subject->user;
    case 'U':
        snprintf(number, 16, "%u", subject->uid);
        return number;
    case 'g':
        return subject->group;
    case 'h':
        return subject->home;
    case 'j':
        snprintf(number, 16, "%u", subject->job);
        return subject->job ? number : NULL;
    case '%':
        return "%";
    default:
        return NULL;
    }
}

static bool fits_path(char letter, const char *value)
{
    if (letter == '%')
        return true;
    if (strpbrk(value, ":*?["))
        return false;
    if (letter == 'h')
        return path_is_normal(value) && value[1];
    return !strchr(value, '/') && !path_is_dots(value, strlen(value));
}

static char *replace(const char *text, const struct subject *subject, bool path,
                     struct berth_err *err)
{
    static const struct {
        char letter;
        const char *what;
    } names[] = {
        {'u', "the user's name"},  {'U', "the uid"},
        {'g', "the group's name"}, {'h', "the home directory"},
        {'j', "the job's number"},
    };
    char *buf = NULL, number[16];
    size_t size;
    FILE *out = open_memstream(&buf, &size);

    if (!out) {
        err_set(err, BERTH_ENOMEM, "memory is out");
        return NULL;
    }
    for (const char *p = text; *p; p++) {
        if (*p != '%') {
            fputc(*p, out);
            continue;
        }
        const char *value = value_of(*++p, subject, number);
        if (!value || !*value || !path_is_text(value) ||
            (path && !fits_path(*p, value))) {
            const char *what = "the value";
            for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
                if (names[i].letter == *p)
                    what = names[i].what;
            err_set(err, BERTH_ENOTFOUND,
                    "%s (%%%c) is unknown here, or "
                    "cannot be part of it",
                    what, *p);
            fclose(out);
            free(buf);
            return NULL;
        }
        fputs(value, out);
    }
    if (fclose(out) != 0) {
        err_set(err, BERTH_ENOMEM, "memory is out");
        free(buf);
        return NULL;
    }
    return buf;
}

char *variables_to_path(const char *text, const struct subject *subject,
                        struct berth_err *err)
{
    return replace(text, subject, true, err);
}

char *variables_to_text(const char *text, const struct subject *subject,
                        struct berth_err *err)
{
    return replace(text, subject, false, err);
}
