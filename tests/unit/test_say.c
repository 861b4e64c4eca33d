// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <unistd.h>

#include "handover/say.h"

// Such as the words of an image's entry point.
static void what_is_said_speaks_to_no_terminal(void **state)
{
    char text[128];
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    say(ends[1], "a\033[2J\xc2\x9b"
                 "b\n\xe2\x80\xae"
                 "c\xc3\xa9");
    ssize_t n = read(ends[0], text, sizeof(text) - 1);
    assert_true(n > 0);
    text[n] = 0;
    assert_string_equal(text, "berth: a?[2J??b\n???c\xc3\xa9\n");
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_said_speaks_to_no_terminal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
