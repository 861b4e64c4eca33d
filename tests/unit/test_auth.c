// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "logic/auth.h"

#define COUNT(table) (sizeof(table) / sizeof(*(table)))

static struct auth auth;
static struct auth_helper helper;

static enum auth_found find(const char *text, const char *name)
{
    struct imgref ref;

    assert_int_equal(imgref_parse(name, &ref, NULL), 0);
    return auth_find(text, strlen(text), &ref, &auth, &helper);
}

static void the_longest_entry_counts(void **state)
{
    static const char text[] =
        "{\"auths\":{\"h.io\":{\"auth\":\"aG9zdA==\"},"
        "\"h.io/team\":{\"auth\":\"dGVhbQ==\"},"
        "\"h.io/team/app\":{\"auth\":\"YXBw\"},"
        "\"https://index.docker.io/v1/\":{\"auth\":\"aHVi\"}}}";
    static const struct {
        const char *name, *basic; // NULL: none
    } cases[] = {
        {"h.io/x", "aG9zdA=="},
        {"h.io/team/x", "dGVhbQ=="},
        {"h.io/team/app", "YXBw"},
        {"h.io/team/app/x:1", "YXBw"},
        {"h.io/team/application", "dGVhbQ=="},
        {"h.io/teams/x", "aG9zdA=="},
        {"h.io:5000/x", NULL},
        {"x.h.io/x", NULL},
        {"debian", "aHVi"},
        {"docker.io/team/app", "aHVi"},
        {"other.io/h.io/team", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        enum auth_found found = find(text, cases[i].name);
        assert_int_equal(found, cases[i].basic ? AUTH_FOUND : AUTH_NONE);
        assert_string_equal(auth.basic, cases[i].basic ? cases[i].basic : "");
    }
}

static void keys_are_written_in_several_ways(void **state)
{
    (void)state;
    assert_int_equal(
        find("{\"auths\":{\"http://h.io/v2/\":{\"auth\":\"YQ==\"}}}", "h.io/x"),
        AUTH_FOUND);
    assert_int_equal(
        find("{\"auths\":{\"https://h.io\":{\"identitytoken\":\"t\"}}}",
             "h.io/x"),
        AUTH_FOUND);
    assert_string_equal(auth.token, "t");
    assert_int_equal(
        find("{\"auths\":{\"docker.io\":{\"auth\":\"YQ==\"}}}", "debian"),
        AUTH_FOUND);
    // What is much too short to be anything.
    assert_int_equal(find("{\"auths\":{\"\":{\"auth\":\"YQ==\"}}}", "h.io/x"),
                     AUTH_NONE);
    assert_int_equal(
        find("{\"auths\":{\"https://\":{\"auth\":\"YQ==\"}}}", "h.io/x"),
        AUTH_NONE);
}

static void a_program_that_would_know_is_told_apart(void **state)
{
    (void)state;
    assert_int_equal(
        find("{\"credHelpers\":{\"h.io\":\"ecr-login\"}}", "h.io/x"),
        AUTH_HELPER);
    assert_int_equal(
        find("{\"auths\":{\"h.io\":{}},\"credsStore\":\"pass\"}", "h.io/x"),
        AUTH_HELPER);
    assert_string_equal(helper.name, "pass");
    assert_string_equal(helper.server, "h.io");
    // As it is written there, which is how the program knows it; and the
    // longest.
    assert_int_equal(
        find("{\"credHelpers\":{\"h.io/a\":\"b\",\"https://h.io/a/x/\":"
             "\"ecr-login\",\"h.io\":\"c\"}}",
             "h.io/a/x/y"),
        AUTH_HELPER);
    assert_string_equal(helper.name, "ecr-login");
    assert_string_equal(helper.server, "https://h.io/a/x/");
    // Names that are none.
    assert_int_equal(find("{\"credHelpers\":{\"h.io\":\"../x\"}}", "h.io/x"),
                     AUTH_NONE);
    assert_int_equal(find("{\"credHelpers\":{\"h.io\":\"\"}}", "h.io/x"),
                     AUTH_NONE);
    assert_int_equal(find("{\"credHelpers\":{\"h.io\":7}}", "h.io/x"),
                     AUTH_NONE);
    assert_int_equal(
        find("{\"credHelpers\":{\"h.io\":\"x\"},\"auths\":{\"h.io\":"
             "{\"auth\":\"YQ==\"}}}",
             "h.io/x"),
        AUTH_FOUND);
    assert_int_equal(find("{\"credsStore\":\"pass\"}", "h.io/x"), AUTH_NONE);
    assert_int_equal(find("{\"credHelpers\":{\"other.io\":\"x\"}}", "h.io/x"),
                     AUTH_NONE);
}

// (threat 98)
static void what_a_program_answers_is_read(void **state)
{
    static const struct {
        const char *text, *basic, *token; // NULL: nothing
    } cases[] = {
        {"{\"ServerURL\":\"h.io\",\"Username\":\"a\",\"Secret\":\"b\"}\n",
         "YTpi", ""},
        {"{\"Username\":\"ab\",\"Secret\":\"c\"}", "YWI6Yw==", ""},
        {"{\"Username\":\"ab\",\"Secret\":\"cd\"}", "YWI6Y2Q=", ""},
        {"{\"Username\":\"\u00e4\",\"Secret\":\"?>\"}", "w6Q6Pz4=", ""},
        {"{\"Username\":\"<token>\",\"Secret\":\"x.y\"}", "", "x.y"},
        {"{\"Username\":\"<token>\",\"Secret\":\"x y\"}", NULL, NULL},
        {"{\"Username\":\"a\",\"Secret\":\"\"}", NULL, NULL},
        {"{\"Username\":\"a\"}", NULL, NULL},
        {"{\"Username\":1,\"Secret\":\"b\"}", NULL, NULL},
        {"credentials not found in native keychain\n", NULL, NULL},
        {"", NULL, NULL},
    };
    static char large[3 * AUTH_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(
            auth_read_answer(cases[i].text, strlen(cases[i].text), &auth),
            cases[i].basic != NULL);
        if (cases[i].basic) {
            assert_string_equal(auth.basic, cases[i].basic);
            assert_string_equal(auth.token, cases[i].token);
        }
    }
    int n =
        snprintf(large, sizeof(large),
                 "{\"Username\":\"a\",\"Secret\":\"%0*d\"}", AUTH_TEXT_MAX, 0);
    assert_false(auth_read_answer(large, (size_t)n, &auth));
    n = snprintf(large, sizeof(large),
                 "{\"Username\":\"<token>\",\"Secret\":\"%0*d\"}",
                 AUTH_TEXT_MAX, 0);
    assert_false(auth_read_answer(large, (size_t)n, &auth));
}

static void what_is_no_such_file_has_none(void **state)
{
    static const char *const texts[] = {
        "",
        "[]",
        "{\"auths\":[]}",
        "{\"auths\":{\"h.io\":[]}}",
        "{\"auths\":{\"h.io\":{\"auth\":7}}}",
        "{\"auths\":{\"h.io\":{\"auth\":\"\"}}}",
        "{\"auths\":{\"h.io\":{\"auth\":\"YQ==\"}}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++)
        assert_int_equal(find(texts[i], "h.io/x"), AUTH_NONE);
}

static void only_what_an_entry_can_have_is_passed_on(void **state)
{
    (void)state;
    auth = (struct auth){.basic = "YQ=="};
    assert_true(auth_is_sane(&auth));
    auth = (struct auth){.token = "a.b-c_d"};
    assert_true(auth_is_sane(&auth));
    auth = (struct auth){.basic = ""};
    assert_false(auth_is_sane(&auth));
    auth = (struct auth){.basic = "a\"b"};
    assert_false(auth_is_sane(&auth));
    auth = (struct auth){.token = "a b"};
    assert_false(auth_is_sane(&auth));
    memset(&auth, 'a', sizeof(auth));
    assert_false(auth_is_sane(&auth));
}

static void skopeo_gets_one_entry_and_nothing_else(void **state)
{
    struct imgref ref;

    (void)state;
    imgref_parse("h.io:5000/team/app", &ref, NULL);
    auth = (struct auth){.basic = "YQ=="};
    char *text = auth_format(&auth, &ref);
    assert_string_equal(text,
                        "{\"auths\":{\"h.io:5000\":{\"auth\":\"YQ==\"}}}");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_longest_entry_counts),
        cmocka_unit_test(keys_are_written_in_several_ways),
        cmocka_unit_test(a_program_that_would_know_is_told_apart),
        cmocka_unit_test(what_a_program_answers_is_read),
        cmocka_unit_test(what_is_no_such_file_has_none),
        cmocka_unit_test(only_what_an_entry_can_have_is_passed_on),
        cmocka_unit_test(skopeo_gets_one_entry_and_nothing_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
