// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/overlay.h"

static void check(char *const *image, size_t n, const char *const *want)
{
    struct strv out = {0};
    size_t i = 0;

    assert_int_equal(overlay_build(image, n, "/home/x", &out, NULL), 0);
    for (; want[i]; i++) {
        assert_true(i < out.n);
        assert_string_equal(out.v[i], want[i]);
    }
    assert_int_equal(out.n, i);
    strv_clear(&out);
}

static void an_image_can_not_say_who_and_where_a_task_is(void **state)
{
    char *image[] = {
        (char *)"SLURM_JOB_ID=999",
        (char *)"SLURMD_NODENAME=x",
        (char *)"PMI_RANK=9",
        (char *)"PMIX_RANK=9",
        (char *)"OMPI_COMM_WORLD_RANK=9",
        (char *)"NVIDIA_VISIBLE_DEVICES=all",
        (char *)"CUDA_VISIBLE_DEVICES=0,1",
        (char *)"ROCR_VISIBLE_DEVICES=0",
        (char *)"ZE_AFFINITY_MASK=0",
        (char *)"GPU_DEVICE_ORDINAL=0",
        (char *)"BERTH_STEP=/x",
        (char *)"HOME=/root",
        (char *)"HOSTNAME=x",
        (char *)"USER=root",
        (char *)"TMPDIR=/x",
        (char *)"PWD=/x",
    };
    const char *const want[] = {"PATH=" OVERLAY_PATH, "HOME=/home/x", NULL};

    (void)state;
    check(image, sizeof(image) / sizeof(*image), want);
}

static void entries_that_are_no_assignment_are_left_out(void **state)
{
    char *image[] = {(char *)"", (char *)"A", (char *)"=x"};
    const char *const want[] = {"PATH=" OVERLAY_PATH, "HOME=/home/x", NULL};

    (void)state;
    check(image, 3, want);
}

static void the_images_own_values_win(void **state)
{
    char *image[] = {(char *)"PATH=/opt/bin", (char *)"LANG=C.UTF-8",
                     (char *)"EMPTY=", (char *)"HOMELY=1",
                     (char *)"MPATH=/man"};
    const char *const want[] = {"PATH=/opt/bin", "LANG=C.UTF-8", "EMPTY=",
                                "HOMELY=1",      "MPATH=/man",
                                "HOME=/home/x",  NULL};

    (void)state;
    check(image, 5, want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_image_can_not_say_who_and_where_a_task_is),
        cmocka_unit_test(entries_that_are_no_assignment_are_left_out),
        cmocka_unit_test(the_images_own_values_win),
    };

    return cmocka_run_group_tests_name("overlay", tests, NULL, NULL);
}
