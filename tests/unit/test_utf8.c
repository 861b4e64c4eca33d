// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "logic/utf8.h"

#define COUNT(table) (sizeof(table) / sizeof(*(table)))

static void refuses_what_rfc_3629_does_not_allow(void **state)
{
    static const char *const bad[] = {
        "\x80",             // a continuation alone
        "\xbf",             //
        "\xc0\x80",         // overlong NUL
        "\xc1\xbf",         // overlong
        "\xe0\x80\x80",     // overlong
        "\xe0\x9f\xbf",     // overlong
        "\xf0\x80\x80\x80", // overlong
        "\xf0\x8f\xbf\xbf", // overlong
        "\xed\xa0\x80",     // a surrogate
        "\xed\xbf\xbf",     // a surrogate
        "\xf4\x90\x80\x80", // U+110000
        "\xf5\x80\x80\x80", // beyond
        "\xfe",             //
        "\xff",             //
        "\xc3",             // ends early
        "\xe2\x82",         // ends early
        "\xf0\x9f\x90",     // ends early
        "\xc3(",            // no continuation
        "\xe2\x28\xa1",     // no continuation
        "\xe2\x82(",        // no continuation
        "\xf0\x9f\x90(",    // no continuation
    };

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_int_equal(utf8_char(bad[i]), 0);
        assert_false(utf8_valid(bad[i]));
    }
    assert_false(utf8_valid("fine until here\xff"));
}

static void knows_characters_of_each_length(void **state)
{
    static const struct {
        const char *text;
        size_t len;
    } good[] = {
        {"", 0},
        {"a", 1},
        {"\x7f", 1},
        {"\xc2\x80", 2},
        {"\xdf\xbf", 2},
        {"\xe0\xa0\x80", 3},
        {"\xed\x9f\xbf", 3},
        {"\xee\x80\x80", 3},
        {"\xef\xbf\xbf", 3},
        {"\xf0\x90\x80\x80", 4},
        {"\xf4\x8f\xbf\xbf", 4},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        assert_int_equal(utf8_char(good[i].text), good[i].len);
        assert_true(utf8_valid(good[i].text));
    }
    assert_true(utf8_valid("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\xb3z"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_rfc_3629_does_not_allow),
        cmocka_unit_test(knows_characters_of_each_length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
