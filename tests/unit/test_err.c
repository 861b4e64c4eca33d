// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "logic/err.h"

#define COUNT(table) (sizeof(table) / sizeof(*(table)))

static void a_failure_is_minus_one_and_keeps_errno(void **state)
{
    struct berth_err err = {0};

    (void)state;
    errno = ENOSPC;
    assert_int_equal(err_set(&err, BERTH_EDENIED, "no %d", 7), -1);
    assert_int_equal(err.code, BERTH_EDENIED);
    assert_string_equal(err.text, "no 7");
    assert_int_equal(err_prefix(&err, "line %d", 3), -1);
    assert_int_equal(err.code, BERTH_EDENIED);
    assert_string_equal(err.text, "line 3: no 7");
    assert_int_equal(errno, ENOSPC);
}

static void nobody_has_to_listen(void **state)
{
    (void)state;
    assert_int_equal(err_set(NULL, BERTH_EINVAL, "x"), -1);
    assert_int_equal(err_prefix(NULL, "x"), -1);
}

static void long_sentences_are_cut(void **state)
{
    struct berth_err err;
    char text[2 * sizeof(err.text)];

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    err_set(&err, BERTH_EINVAL, "%s", text);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    err_prefix(&err, "%s", "front");
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    assert_int_equal(strncmp(err.text, "front: xxx", 10), 0);
    err_prefix(&err, "%s", text);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
}

static void scrubbing_leaves_nothing_that_moves_a_cursor(void **state)
{
    static const struct {
        const char *text, *clean;
    } cases[] = {
        {"", ""},
        {"plain", "plain"},
        {"caf\xc3\xa9", "caf\xc3\xa9"},
        {"a\nb\tc\rd", "a?b?c?d"},
        {"\033[2J", "?[2J"},
        {"\177", "?"},
        {"\xc2\x9b"
         "2J",
         "??2J"}, // CSI as a C1 control
        {"\xc2\xa0", "\xc2\xa0"},
        {"\xff\xfe", "??"},
        {"\xe2\x82", "??"},
        {"a\xe2\x82z", "a??z"},
    };
    char buf[32];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        strcpy(buf, cases[i].text);
        err_scrub(buf);
        assert_string_equal(buf, cases[i].clean);
    }
}

// What is not seen changes the order of what is, or makes two texts look the
// same: the order of writing, marks of no width, tags, ends of lines.
static void scrubbing_leaves_nothing_that_is_not_seen(void **state)
{
    static const char *const hidden[] = {
        "\xc2\xad",     "\xd8\x9c",         "\xe1\xa0\x8e",     "\xe2\x80\x8b",
        "\xe2\x80\x8d", "\xe2\x80\x8e",     "\xe2\x80\x8f",     "\xe2\x80\xa8",
        "\xe2\x80\xa9", "\xe2\x80\xaa",     "\xe2\x80\xae",     "\xe2\x81\xa0",
        "\xe2\x81\xa6", "\xe2\x81\xa9",     "\xe2\x81\xaf",     "\xef\xbb\xbf",
        "\xef\xbf\xb9", "\xf3\xa0\x80\x81", "\xf3\xa0\x81\xbf",
    };
    // Their neighbours are seen.
    static const char *const shown[] = {
        "\xc2\xac",     "\xc2\xae",     "\xd8\x9b",         "\xe2\x80\x90",
        "\xe2\x80\xa7", "\xe2\x80\xaf", "\xe2\x81\x9f",     "\xe2\x81\xb0",
        "\xef\xbb\xbc", "\xef\xbf\xbc", "\xf0\x9f\x9a\xa2",
    };
    char buf[32], want[32];

    (void)state;
    for (size_t i = 0; i < COUNT(hidden); i++) {
        snprintf(buf, sizeof(buf), "a%sb", hidden[i]);
        snprintf(want, sizeof(want), "a%.*sb", (int)strlen(hidden[i]), "????");
        err_scrub(buf);
        assert_string_equal(buf, want);
    }
    for (size_t i = 0; i < COUNT(shown); i++) {
        strcpy(buf, shown[i]);
        err_scrub(buf);
        assert_string_equal(buf, shown[i]);
    }
}

static void quotes_are_scrubbed_and_cut_between_characters(void **state)
{
    static const struct {
        const char *text, *quoted;
    } cases[] = {
        {NULL, ""},
        {"", ""},
        {"1234567", "1234567"},
        {"12345678", "1234..."},
        {"a\nb", "a?b"},
        {"12\xe2\x82\xac", "12\xe2\x82\xac"},
        {"12\xe2\x82\xac"
         "3456",
         "12..."},
        {"1\xe2\x82\xac"
         "3456",
         "1\xe2\x82\xac..."},
        {"\x80\x80\x80\x80\x80\x80\x80\x80", "..."},
        {"\xff\xff\xff\xff\xff\xff\xff\xff", "????..."},
    };
    char buf[8];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        err_quote(cases[i].text, buf, sizeof(buf));
        assert_string_equal(buf, cases[i].quoted);
    }
    char least[4];
    err_quote("12345678", least, sizeof(least));
    assert_string_equal(least, "...");
}

static void what_to_do_follows_from_the_code(void **state)
{
    static const struct {
        enum berth_errc code;
        const char *text, *want;
    } cases[] = {
        {BERTH_ESYS, "a", "a: tell your administrator"},
        {BERTH_EENGINE, "a", "a: tell your administrator"},
        {BERTH_ETIMEOUT, "a", "a; try again, or tell your administrator"},
        {BERTH_ENOMEM, "a", "a; try again, or tell your administrator"},
        {BERTH_EENGINE, "ask your administrator", "ask your administrator"},
        {BERTH_EDENIED, "a", "a"},
        {BERTH_EINVAL, "a", "a"},
        {BERTH_EENGINE, "", ""},
    };
    struct berth_err err;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        err_set(&err, cases[i].code, "%s", cases[i].text);
        err_advise(&err);
        assert_string_equal(err.text, cases[i].want);
    }
    // What to do stays, however long the rest is.
    err.code = BERTH_ESYS;
    memset(err.text, 'a', sizeof(err.text) - 1);
    err.text[sizeof(err.text) - 1] = 0;
    err_advise(&err);
    assert_non_null(strstr(err.text, "a: tell your administrator"));
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_to_do_follows_from_the_code),
        cmocka_unit_test(a_failure_is_minus_one_and_keeps_errno),
        cmocka_unit_test(nobody_has_to_listen),
        cmocka_unit_test(long_sentences_are_cut),
        cmocka_unit_test(scrubbing_leaves_nothing_that_moves_a_cursor),
        cmocka_unit_test(scrubbing_leaves_nothing_that_is_not_seen),
        cmocka_unit_test(quotes_are_scrubbed_and_cut_between_characters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
