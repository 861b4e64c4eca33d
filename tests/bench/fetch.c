// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Brings an image to an engine as a step does that lacks it, and prints the
// microseconds that this took, and the image's ID.
//
//   fetch SOCKET STATE NAME     STATE/bench is there, and root's

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "engine/engine.h"
#include "images/get.h"
#include "logic/keys.h"

static bool always(void *arg)
{
    (void)arg;
    return true;
}

static long long now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

int main(int argc, char **argv)
{
    static const struct watch watch = {.fd = -1, .go_on = always};
    const struct child_user root = {.uid = 0, .gid = 0};
    struct images_got got;
    struct berth_err err;
    struct rules rules;
    struct imgref ref;

    if (argc != 4) {
        fprintf(stderr, "usage: fetch SOCKET STATE NAME\n");
        return 2;
    }
    keys_default(&rules);
    const struct images_order order = {
        .state = argv[2],
        .node = "bench",
        .ref = &ref,
        .rules = &rules,
        .user = &root,
        .home = "/root",
        .engine = argv[1],
        .watch = &watch,
    };
    struct engine *engine = engine_open(argv[1], NULL, &err);
    long long start = now_us();
    int rc = engine && imgref_parse(argv[3], &ref, &err) == 0
                 ? images_get(&order, engine, &got, &err)
                 : -1;
    if (rc < 0)
        fprintf(stderr, "fetch: %s\n", err.text);
    else
        printf("%lld %s\n", now_us() - start, got.image.id);
    if (rc == 0)
        engine_image_clear(&got.image);
    engine_close(engine);
    return rc < 0;
}
