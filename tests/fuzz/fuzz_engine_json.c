// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: an answer of the engine, given to each parser. What is taken must
// be what its contract says; what is refused must come with a reason.

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/parse.h"
#include "logic/limits.h"
#include "logic/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition) ((condition) ? (void)0 : abort())

static void check_id(const char *id)
{
    MUST(strlen(id) == 64 && strspn(id, "0123456789abcdef") == 64);
}

static void check_image_id(const char *id)
{
    MUST(strncmp(id, "sha256:", 7) == 0);
    check_id(id + 7);
}

static void check_image(const char *body, size_t size)
{
    struct engine_image image = {0};
    struct berth_err err = {0};

    if (parse_image(body, size, &image, &err) < 0) {
        MUST(err.code != BERTH_OK && err.text[0] && utf8_valid(err.text));
        MUST(!image.id[0] && !image.env && !image.volumes);
        return;
    }
    check_image_id(image.id);
    MUST(image.nenv <= BERTH_LIST_MAX && image.nvolumes <= BERTH_LIST_MAX);
    for (size_t i = 0; i < image.nenv; i++)
        MUST(utf8_valid(image.env[i]));
    for (size_t i = 0; i < image.nvolumes; i++)
        MUST(utf8_valid(image.volumes[i]));
    engine_image_clear(&image);
}

static void check_container(const char *body, size_t size)
{
    struct engine_container c = {0};
    struct berth_err err = {0};
    const char *key;
    json_t *value;

    if (parse_container(body, size, &c, &err) < 0) {
        MUST(err.code != BERTH_OK && err.text[0] && utf8_valid(err.text));
        MUST(!c.id[0] && !c.mounts && !c.labels);
        return;
    }
    check_id(c.id);
    check_image_id(c.image);
    MUST(c.pid >= 0 && c.nmounts <= BERTH_LIST_MAX);
    for (size_t i = 0; i < c.nmounts; i++)
        MUST(utf8_valid(c.mounts[i].source) && c.mounts[i].destination);
    json_object_foreach (c.labels, key, value)
        MUST(json_is_string(value));
    engine_container_clear(&c);
}

static void check_message(const char *message)
{
    MUST(utf8_valid(message) && strlen(message) < 64);
    for (const char *p = message; *p; p++)
        MUST((unsigned char)*p >= 0x20 && *p != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *body = (const char *)data;
    struct berth_err err = {0};
    char id[65], message[64], root[64];
    size_t n;

    check_image(body, size);
    check_container(body, size);
    if (parse_created(body, size, id, &err) == 0)
        check_id(id);
    struct engine_found *found = NULL;
    if (parse_found(body, size, &found, &n, &err) == 0) {
        for (size_t i = 0; i < n; i++)
            check_image_id(found[i].id);
        free(found);
    }
    struct engine_named *named = NULL;
    if (parse_named(body, size, &named, &n, &err) == 0) {
        for (size_t i = 0; i < n; i++) {
            check_image_id(named[i].id);
            for (size_t k = 0; k < named[i].nnames; k++)
                MUST(utf8_valid(named[i].names[k]));
        }
        engine_named_free(named, n);
    }
    struct parse_flat flat = {.text = malloc(size + 1), .max = size};
    MUST(flat.text && parse_flat_add(&flat, body, size) && flat.len <= size);
    free(flat.text);
    uint64_t *sizes = NULL;
    if (parse_sizes(body, size, &sizes, &n, &err) == 0) {
        for (size_t i = 0; i < n; i++)
            MUST(sizes[i] > 0);
        free(sizes);
    }
    if (parse_root(body, size, root, sizeof(root), &err) == 0)
        MUST(root[0] == '/' && strlen(root) < sizeof(root));
    if (parse_progress(body, size, message, sizeof(message), &err) == 0)
        check_message(message);
    if (parse_message(body, size, message, sizeof(message), &err) == 0)
        check_message(message);
    return 0;
}
