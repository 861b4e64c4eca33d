// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "core/image.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_annotations_that_nobody_obeys_are_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
