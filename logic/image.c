// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: texts of the image's author.

#include "logic/image.h"

#include <string.h>

bool image_annotation_ok(const char *name)
{
    static const char *const harmless[] = {
        "org.opencontainers.image.",
        "com.docker.official-images.",
    };

    for (size_t i = 0; i < sizeof(harmless) / sizeof(*harmless); i++)
        if (strncmp(name, harmless[i], strlen(harmless[i])) == 0)
            return true;
    return false;
}

void image_volume_clean(char *path)
{
    char *out = path;

    if (*path != '/')
        return;
    for (const char *p = path; *p;) {
        p += strspn(p, "/");
        size_t n = strcspn(p, "/");
        if (n > 0 && !(n == 1 && *p == '.')) {
            *out++ = '/';
            memmove(out, p, n);
            out += n;
        }
        p += n;
    }
    if (out == path)
        out++; // "/"
    *out = 0;
}

// What the kernel allows all arguments and variables together: a quarter of
// the stack's limit, but ARG_MAX at least and three quarters of 8 MiB at most.
static size_t room(long long stack)
{
    const long long least = 128 * 1024, most = 6 * 1024 * 1024;
    long long bytes = stack < 0 || stack / 4 > most ? most : stack / 4;

    return (size_t)(bytes < least ? least : bytes);
}

int image_env_check(char *const *env, size_t n, size_t one_max, long long stack,
                    struct berth_err *err)
{
    const size_t engines = 4096; // what the engine and berth add
    size_t sum = engines, longest = 0, all = room(stack);
    const char *name = "";
    char quoted[ERR_QUOTE_MAX];

    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(env[i]);
        sum += len + 1 + sizeof(char *);
        if (len > longest) {
            longest = len;
            name = env[i];
        }
    }
    if (longest < one_max && sum <= all)
        return 0;
    err_quote(name, quoted, sizeof(quoted));
    quoted[strcspn(quoted, "=")] = 0;
    if (longest >= one_max)
        return err_set(err, BERTH_EINVAL,
                       "the image's environment is too large: %s has %zu "
                       "bytes, and no program can be given a variable of more "
                       "than %zu: ask the image's author to shorten it",
                       quoted, longest, one_max - 1);
    return err_set(err, BERTH_EINVAL,
                   "the image's environment is too large: it has %zu bytes, "
                   "most of them in %s, and the limit of the stack lets a "
                   "program be given %zu: ask the image's author to shorten "
                   "it, or your administrator for a larger limit",
                   sum, quoted, all);
}
