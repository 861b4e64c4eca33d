// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: a rule of mounts_allowed, a newline, what is behind
// --container-mounts. Whatever is understood is absolute and normalised, and
// what the rule allows is within its source.

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "logic/decide.h"
#include "logic/limits.h"
#include "logic/mount_syntax.h"
#include "logic/variables.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition) ((condition) ? (void)0 : abort())

static bool is_normal(const char *path)
{
    size_t len = strlen(path);

    if (!strcmp(path, "/"))
        return true;
    return path[0] == '/' && len < BERTH_PATH_MAX && path[len - 1] != '/' &&
           !strstr(path, "//") && !strstr(path, "/./") &&
           !strstr(path, "/../") && strcmp(path + len - 2, "/.") != 0 &&
           (len < 3 || strcmp(path + len - 3, "/..") != 0);
}

static void match(const char *rule, const struct mounts *wanted)
{
    static const struct subject alice = {.uid = 1001,
                                         .gid = 100,
                                         .user = "alice",
                                         .group = "users",
                                         .home = "/home/alice",
                                         .job = 1};
    struct berth_err err = {0};
    struct mount *mount = mount_rule_parse(rule, true, &err);

    if (!mount) {
        MUST(err.code == BERTH_EINVAL && *err.text);
        return;
    }
    char *source = variables_to_path(mount->source, &alice, &err);
    MUST(source && is_normal(source));
    size_t plain = strcspn(source, "*");
    for (size_t i = 0; i < wanted->n; i++) {
        const char *path = wanted->v[i].source;
        if (path && mount_source_matches(source, path)) {
            // "/a/**" is also for "/a".
            MUST(!strncmp(source, path, plain) ||
                 (plain > 0 && strlen(path) == plain - 1 &&
                  !strncmp(source, path, plain - 1)) ||
                 !strcmp(path, "/"));
            MUST(source[plain] || !strcmp(source, path));
        }
    }
    free(source);
    free(mount);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *newline = size ? memchr(data, '\n', size) : NULL;
    struct berth_err err = {0};
    struct mounts mounts;

    if (!newline)
        return 0;
    char *rule = strndup((const char *)data, (size_t)(newline - data));
    char *text =
        strndup((const char *)newline + 1, size - (size_t)(newline - data) - 1);
    if (mounts_parse(text, "/w/d", &mounts, &err) < 0) {
        MUST(err.code == BERTH_EINVAL && *err.text && mounts.n == 0);
    } else {
        MUST(mounts.n + mounts.ndeclined + mounts.none > 0 &&
             mounts.n <= BERTH_MOUNTS_MAX);
        for (size_t i = 0; i < mounts.n; i++) {
            MUST(is_normal(mounts.v[i].target));
            MUST(!mounts.v[i].source || is_normal(mounts.v[i].source));
            MUST(!mount_target_is_free(NULL, mounts.v[i].target) ||
                 mount_target_ok(mounts.v[i].target));
        }
        match(rule, &mounts);
    }
    mounts_clear(&mounts);
    free(rule);
    free(text);
    return 0;
}
