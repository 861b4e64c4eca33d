// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: paths that users and others write, and names that image authors chose.

#include "logic/path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "logic/limits.h"
#include "logic/utf8.h"

bool path_is_within(const char *path, const char *dir)
{
    size_t n = strlen(dir);

    if (n == 1)
        return true; // "/"
    return !strncmp(path, dir, n) && (!path[n] || path[n] == '/');
}

bool path_is_dots(const char *component, size_t len)
{
    return (len == 1 && component[0] == '.') ||
           (len == 2 && component[0] == '.' && component[1] == '.');
}

bool path_is_normal(const char *path)
{
    if (path[0] != '/')
        return false;
    for (const char *p = path; path[1] && *p; p++) {
        size_t n = *p == '/' ? strcspn(p + 1, "/") : 1;
        if (n == 0 || (*p == '/' && path_is_dots(p + 1, n)))
            return false;
    }
    return true;
}

bool path_is_text(const char *s)
{
    for (const char *p = s; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            return false;
    return utf8_valid(s);
}

char *path_normalise(const char *base, const char *path, bool up,
                     struct berth_err *err)
{
    char *joined = NULL;

    if (*path != '/' && !base) {
        err_set(err, BERTH_EINVAL,
                "it is not absolute, and the working directory is unknown: "
                "write an absolute path");
        return NULL;
    }
    if (asprintf(&joined, "%s/%s", *path == '/' ? "" : base, path) < 0) {
        err_set(err, BERTH_ENOMEM, "memory is out");
        return NULL;
    }
    char *out = joined;
    for (const char *p = joined; *p;) {
        p += strspn(p, "/");
        size_t n = strcspn(p, "/");
        if (n == 2 && path_is_dots(p, n) && up) {
            while (out > joined && *--out != '/')
                ;
        } else if (n == 2 && path_is_dots(p, n)) {
            err_set(err, BERTH_EINVAL,
                    "it has \"..\" in it: write the path "
                    "without");
            free(joined);
            return NULL;
        } else if (n > 0 && !path_is_dots(p, n)) {
            *out++ = '/';
            memmove(out, p, n);
            out += n;
        }
        p += n;
    }
    if (out == joined)
        *out++ = '/';
    *out = 0;
    if (strlen(joined) < BERTH_PATH_MAX)
        return joined;
    err_set(err, BERTH_EINVAL,
            "it is longer than a path can be: use a shorter one");
    free(joined);
    return NULL;
}
