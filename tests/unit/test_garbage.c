// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Which image goes, and when one must (threat 87).

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "logic/garbage.h"

#define COUNT(table) (sizeof(table) / sizeof(*(table)))
#define G (1ULL << 30)

enum { NOW = 1000000, OLD = NOW - GARBAGE_YOUNG };

static void what_has_no_bound_is_never_short(void **state)
{
    static const struct garbage_room rooms[] = {
        {.disk = 100 * G, .disk_free = 0, .taken = 100 * G},
        {.disk = 0, .free = {0, 50}, .max = {0, 50}, .taken = 100 * G},
        // The disk is not known, and so not whether that much is free.
        {.disk = 0, .free = {50 * G, 0}},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rooms); i++)
        if (garbage_is_short(&rooms[i]))
            fail_msg("case %zu", i);
}

static void bounds_are_bytes_or_a_part_of_the_disk(void **state)
{
    static const struct {
        struct garbage_room room;
        bool is_short;
    } cases[] = {
        {{.max = {10 * G, 0}, .taken = 10 * G}, false},
        {{.max = {10 * G, 0}, .taken = 10 * G + 1}, true},
        {{.max = {0, 30}, .disk = 100 * G, .taken = 29 * G}, false},
        {{.max = {0, 30}, .disk = 100 * G, .taken = 31 * G}, true},
        {{.free = {10 * G, 0}, .disk = 100 * G, .disk_free = 10 * G}, false},
        {{.free = {10 * G, 0}, .disk = 100 * G, .disk_free = 9 * G}, true},
        {{.free = {0, 10}, .disk = 100 * G, .disk_free = 11 * G}, false},
        {{.free = {0, 10}, .disk = 100 * G, .disk_free = 9 * G}, true},
        {{.free = {0, 100}, .disk = UINT64_MAX, .disk_free = 0}, true},
        {{.max = {0, 100}, .disk = UINT64_MAX, .taken = 1}, false},
        // Either is enough.
        {{.max = {10 * G, 0},
          .free = {0, 10},
          .disk = 100 * G,
          .disk_free = 50 * G,
          .taken = 11 * G},
         true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        if (garbage_is_short(&cases[i].room) != cases[i].is_short)
            fail_msg("case %zu", i);
}

static void who_was_not_used_for_the_longest_time_goes_first(void **state)
{
    struct garbage_image images[] = {
        {.used = OLD - 2},  {.used = OLD - 9, .pinned = true},
        {.used = OLD - 3},  {.used = OLD + 1},
        {.used = NOW + 50}, {.used = OLD},
    };
    static const size_t order[] = {2, 0, 5};

    (void)state;
    for (size_t i = 0; i < COUNT(order); i++) {
        struct garbage_image *next = garbage_next(images, COUNT(images), NOW);
        assert_ptr_equal(next, &images[order[i]]);
        next->seen = true;
    }
    assert_null(garbage_next(images, COUNT(images), NOW));
    assert_null(garbage_next(images, 0, NOW));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_has_no_bound_is_never_short),
        cmocka_unit_test(bounds_are_bytes_or_a_part_of_the_disk),
        cmocka_unit_test(who_was_not_used_for_the_longest_time_goes_first),
    };

    return cmocka_run_group_tests_name("garbage", tests, NULL, NULL);
}
