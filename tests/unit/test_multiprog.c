// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "logic/multiprog.h"

static void other_arguments_are_none(void **state)
{
    static const char *const others[] = {
        "",        "\n",    "# 0 a\n",    "0 a",  "0\n",    "0 \n",
        "hello\n", "a b\n", "0 a\nb c\n", "-c\n", "0x a\n", "0 a\n 1x b\n"};

    (void)state;
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
        if (multiprog_is(others[i]))
            fail_msg("taken for a configuration: \"%s\"", others[i]);
}

static void ranks_comments_and_continuations_are_known(void **state)
{
    (void)state;
    assert_true(multiprog_is("0 a\n"));
    assert_true(multiprog_is("# x\n\n 0-3,7\t./a b\n* hostname\n"));
    assert_true(multiprog_is("0 a \\\nand more\n1 b\n"));
}

static void each_program_is_wrapped_and_nothing_else(void **state)
{
    char *out =
        multiprog_wrap("# 0 x\n0-1\ta 'b c' %t \\\n  2 d\n\n* e", "/p", true);

    (void)state;
    assert_non_null(out);
    assert_string_equal(out, "# 0 x\n0-1\t/p a 'b c' %t \\\n  2 d\n\n* /p e");
    assert_true(multiprog_runs(out, "/p"));
    free(out);
    out = multiprog_wrap("0 a b\n1 ./c\n", "/p/", false);
    assert_non_null(out);
    assert_string_equal(out, "0 /p/a b\n1 /p/./c\n");
    free(out);
}

static void one_line_that_is_not_wrapped_counts(void **state)
{
    (void)state;
    assert_false(multiprog_runs("0 /p a\n1 b\n", "/p"));
    assert_false(multiprog_runs("0 /pa a\n", "/p"));
    assert_false(multiprog_runs("0 /p\n", "/p"));
    assert_true(multiprog_runs("0 /p a\n1 /p b\n", "/p"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(other_arguments_are_none),
        cmocka_unit_test(ranks_comments_and_continuations_are_known),
        cmocka_unit_test(each_program_is_wrapped_and_nothing_else),
        cmocka_unit_test(one_line_that_is_not_wrapped_counts),
    };

    return cmocka_run_group_tests_name("multiprog", tests, NULL, NULL);
}
