// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Credentials for registries, as "docker login" and "podman login" leave them
// in a file, and as skopeo is given them. Pure. Input: a file of a user's or of
// the administrator's.
#ifndef BERTH_AUTH_H
#define BERTH_AUTH_H

#include <stdbool.h>
#include <stddef.h>

#include "logic/imgref.h"

enum {
    AUTH_FILE_MAX = 1024 * 1024,
    AUTH_TEXT_MAX = 16 * 1024, // a token of a cloud's has some 3 KiB
};

// Plain data, as it goes through a pipe. Both are empty: there are none.
struct auth {
    char basic[AUTH_TEXT_MAX]; // base64 of "user:password", or empty
    char token[AUTH_TEXT_MAX]; // an identity token, or empty
};

enum auth_found {
    AUTH_NONE = 0,
    AUTH_FOUND = 1,
    AUTH_HELPER = 2, // a program would have to be asked for them
};

// The program that would have to be asked (docker-credential-NAME), and for
// which of the registries that it knows.
struct auth_helper {
    char name[64];
    char server[512];
};

// Looks in the LEN bytes of TEXT for what is closest to REF: of the entries for
// its registry, or for a path of it, the longest. OUT is set for AUTH_FOUND,
// HELPER for AUTH_HELPER.
enum auth_found auth_find(const char *text, size_t len,
                          const struct imgref *ref, struct auth *out,
                          struct auth_helper *helper);

// What such a program has answered, as its protocol has it. Whether there are
// credentials in it.
bool auth_read_answer(const char *text, size_t len, struct auth *out);

// Whether AUTH has nothing in it but what such an entry can have.
bool auth_is_sane(const struct auth *auth);

// The file for skopeo that has AUTH for REF's registry and nothing else: the
// caller frees it. NULL: memory is out.
char *auth_format(const struct auth *auth, const struct imgref *ref);

#endif
