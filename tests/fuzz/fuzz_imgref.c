// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: a pattern, a newline, a reference. What parses must be normal: it
// formats to a text that parses to itself, and matches itself as a pattern.
// Who is no pattern of another registry must not be let in by one.

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "logic/imgref.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition) ((condition) ? (void)0 : abort())

static void check_match(const struct imgpat *pat, const struct imgref *ref)
{
    if (!imgpat_match(pat, ref))
        return;
    MUST(strpbrk(pat->domain, "*") || !strcmp(pat->domain, ref->domain));
    MUST(!*pat->digest || !strcmp(pat->digest, ref->digest));
    MUST(!*pat->tag || *pat->digest || !*ref->digest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = calloc(1, size + 1);
    struct imgref ref = {0}, again = {0};
    struct berth_err err;

    MUST(text);
    if (size)
        memcpy(text, data, size);
    char *newline = strchr(text, '\n');
    char *name = newline ? newline + 1 : text;
    if (newline)
        *newline = 0;
    struct imgpat *pat = imgpat_parse(text, &err);
    if (imgref_parse(name, &ref, &err) == 0) {
        char whole[IMGREF_TEXT_MAX];
        imgref_format(&ref, whole);
        MUST(imgref_parse(whole, &again, &err) == 0);
        MUST(!memcmp(&ref, &again, sizeof(ref)));
        if (pat)
            check_match(pat, &ref);
        free(pat);
        MUST(pat = imgpat_parse(whole, &err));
        MUST(imgpat_match(pat, &ref));
    }
    free(pat);
    free(text);
    return 0;
}
