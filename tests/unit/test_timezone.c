// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "stepd/timezone.h"

// What is read of a file with these SIZE bytes; NULL: nothing.
static const char *zone(const char *bytes, size_t size)
{
    static char out[TIMEZONE_MAX];
    char path[] = "/tmp/berth-zone-XXXXXX";
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), size);
    close(fd);
    bool read = timezone_read(path, out);
    unlink(path);
    return read ? out : NULL;
}

#define ZONE(text) zone(text, sizeof(text) - 1)
#define CET "CET-1CEST,M3.5.0,M10.5.0/3"

static void the_last_line_is_the_rule(void **state)
{
    (void)state;
    assert_string_equal(ZONE("TZif2\0\0\0\0\n" CET "\n"), CET);
    assert_string_equal(ZONE("TZif3\0\n\n\n<+0530>-5:30\n"), "<+0530>-5:30");
}

static void what_is_no_rule_is_none(void **state)
{
    char large[1024];

    (void)state;
    assert_null(ZONE(""));
    assert_null(ZONE("TZif"));
    assert_null(ZONE("TZif2\nUTC0\n")); // as without TZ
    assert_null(ZONE("TZif2\n\n"));
    assert_null(ZONE("TZif2\n" CET));
    assert_null(ZONE("TZif\0\0\n" CET "\n")); // version 1
    assert_null(ZONE("ELF\n" CET "\n"));
    assert_null(ZONE("TZif2\nCET -1\n"));
    assert_null(ZONE("TZif2\nC\x1b[2J\n"));
    memset(large, 'A', sizeof(large));
    memcpy(large, "TZif2\n", 6);
    large[sizeof(large) - 1] = '\n';
    assert_null(zone(large, sizeof(large)));
    assert_false(timezone_read("/nowhere", large));
    assert_false(timezone_read("/dev/null", large));
    assert_false(timezone_read("/", large));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_line_is_the_rule),
        cmocka_unit_test(what_is_no_rule_is_none),
    };

    return cmocka_run_group_tests_name("timezone", tests, NULL, NULL);
}
