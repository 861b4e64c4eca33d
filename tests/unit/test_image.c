// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "logic/image.h"

#define COUNT(table) (sizeof(table) / sizeof(*(table)))

static void only_annotations_that_nobody_obeys_are_taken(void **state)
{
    static const char *const obeyed[] = {
        "",
        "run.oci.seccomp_bpf_data",
        "run.oci.hooks.stdout",
        "org.criu.config",
        "org.systemd.property.Slice",
        "module.wasm.image/variant",
        "io.podman.annotations.label",
        "io.kubernetes.cri.container-type",
        "cdi.k8s.io/gpus",
        "krun.variant",
        "org.opencontainers.image",
        "org.opencontainers.imagex.title",
        "org.opencontainers.runtime.x",
        "Org.Opencontainers.Image.Title",
        " org.opencontainers.image.title",
        "com.docker.official-imagesx",
        "unknown",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(obeyed); i++)
        assert_false(image_annotation_ok(obeyed[i]));
    assert_true(image_annotation_ok("org.opencontainers.image.base.digest"));
    assert_true(
        image_annotation_ok("com.docker.official-images.bashbrew.arch"));
}

static void volumes_are_cleaned_as_engines_do(void **state)
{
    static const struct {
        const char *path, *clean;
    } cases[] = {
        {"/data", "/data"},
        {"/data/", "/data"},
        {"//data//x/", "/data/x"},
        {"/./data/./.", "/data"},
        {"/.data/..x/x.", "/.data/..x/x."},
        {"/", "/"},
        {"//", "/"},
        {"/./", "/"},
        // These are refused as they are.
        {"", ""},
        {"data/", "data/"},
        {"./data", "./data"},
        {"/a/../etc/", "/a/../etc"},
        {"/..", "/.."},
    };
    char path[32];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        strcpy(path, cases[i].path);
        image_volume_clean(path);
        assert_string_equal(path, cases[i].clean);
    }
}

static void an_environment_that_no_program_can_be_given_is_refused(void **state)
{
    enum { ARG = 131072, N = 20 };
    static char text[ARG + 1];
    char *env[N];
    struct berth_err err = {0};

    (void)state;
    assert_int_equal(image_env_check(NULL, 0, ARG, 0, NULL), 0);

    // One that is as long as can be, and one byte more.
    memset(text, 'x', ARG);
    memcpy(text, "LARGE=", 6);
    env[0] = (char *)(uintptr_t) "A=b";
    env[1] = text;
    text[ARG - 1] = 0;
    assert_int_equal(image_env_check(env, 2, ARG, -1, NULL), 0);
    text[ARG - 1] = 'x';
    assert_int_equal(image_env_check(env, 2, ARG, -1, &err), -1);
    assert_int_equal(err.code, BERTH_EINVAL);
    assert_non_null(strstr(err.text, "LARGE has 131072 bytes"));
    assert_non_null(strstr(err.text, "131071"));

    // All together: a quarter of the stack, within bounds.
    text[100000] = 0;
    for (size_t i = 0; i < N; i++)
        env[i] = text;
    assert_int_equal(image_env_check(env, N, ARG, 8 << 20, NULL), 0);
    assert_int_equal(image_env_check(env, N, ARG, 4 << 20, &err), -1);
    assert_non_null(strstr(err.text, "lets a program be given 1048576"));
    assert_int_equal(image_env_check(env, 1, ARG, 0, NULL), 0);
    assert_int_equal(image_env_check(env, 2, ARG, 0, NULL), -1);
    char *many[70];
    for (size_t i = 0; i < COUNT(many); i++)
        many[i] = text;
    assert_int_equal(image_env_check(many, 60, ARG, -1, NULL), 0);
    assert_int_equal(image_env_check(many, 70, ARG, -1, &err), -1);
    assert_non_null(strstr(err.text, "6291456"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_annotations_that_nobody_obeys_are_taken),
        cmocka_unit_test(volumes_are_cleaned_as_engines_do),
        cmocka_unit_test(
            an_environment_that_no_program_can_be_given_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
