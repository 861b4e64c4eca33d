// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "user/tres.h"

static void gpus_are_counted_as_each_slurm_writes_them(void **state)
{
    static const struct {
        const char *tres;
        unsigned n;
    } cases[] = {
        {"gres:gpu", 1},
        {"gres:gpu:2", 2},
        {"gres:gpu:a100:2", 2},
        {"gres:gpu:a100", 1},
        {"cpu:4,gres:gpu:3", 3},
        {"gres/gpu:1", 1},
        {"gres/gpu:a100:12", 12},
        {"gres/gpu=2", 2},
        {"gres/gpu:a100=2", 2},
        {"cpu=10,gres/gpu:gtx=3,license/iop1=1", 3},
        {"gres/gpu:a100=2,gres/gpu:h100=1", 3},
        {"gpu:2", 2},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        if (tres_count_gpus(cases[i].tres) != cases[i].n)
            fail_msg("%s: %u", cases[i].tres, tres_count_gpus(cases[i].tres));
}

static void what_is_no_gpu_is_none(void **state)
{
    static const char *const cases[] = {
        NULL, "", "(null)", "cpu:2", "cpu=2", "gres:gpumem:4", "gres/shard=3",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        assert_int_equal(tres_count_gpus(cases[i]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gpus_are_counted_as_each_slurm_writes_them),
        cmocka_unit_test(what_is_no_gpu_is_none),
    };

    return cmocka_run_group_tests_name("tres", tests, NULL, NULL);
}
