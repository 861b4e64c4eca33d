// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// What berth-task makes of its changes.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "handover/change.h"

enum { ROOM = 64 };

// Applies OVERLAY ('|' between its strings) to the environment ENV
// (likewise), and compares what comes out with WANT.
static void check(const char *env, const char *changes, const char *want)
{
    char in[4096], text[4096], out[4096] = "", *argv[ROOM], *vars[ROOM];
    struct wire_run run = {0};
    struct start start = {.argv = argv, .argc = 1, .env = vars, .run = &run};

    argv[0] = (char *)"berth-task";
    snprintf(in, sizeof(in), "%s", env);
    for (char *p = strtok(in, "|"); p; p = strtok(NULL, "|"))
        vars[start.envc++] = p;
    snprintf(text, sizeof(text), "%s", changes);
    size_t size = strlen(text) + 1;
    for (char *p = text; *p; p++)
        if (*p == '|')
            *p = '\0';
    assert_true(change_apply(&start, text, change_count(text, size)));
    for (size_t i = 0; i < start.envc; i++) {
        strcat(out, i ? "|" : "");
        strcat(out, start.env[i]);
    }
    assert_string_equal(out, want);
    assert_null(start.env[start.envc]);
    // What was made, and does not go with this process.
    for (size_t i = 0; i < start.envc; i++)
        if (!(vars[i] >= in && vars[i] < in + sizeof(in)) &&
            !(vars[i] >= text && vars[i] < text + sizeof(text)))
            free(vars[i]);
}

static void globs_match_whole_names(void **state)
{
    (void)state;
    check("A=1|AB=2|B=3", "-A", "AB=2|B=3");
    check("A=1|AB=2|B=3", "-A*", "B=3");
    check("A=1|AB=2|B=3", "-*B", "A=1");
    check("A=1|AB=2|B=3", "-*", "");
    check("A=1|AB=2|B=3", "-**", "");
    check("A=1|AB=2|B=3", "-", "A=1|AB=2|B=3");
    check("ABCBD=1|AD=2|ABC=3", "-A*B*D", "AD=2|ABC=3");
    check("SSH_AUTH_SOCK=1|SSH=2", "-SSH_*_*K", "SSH=2");
    // The value is not looked at, and a name may not have one.
    check("A=B|C", "-*B", "A=B|C");
    check("A=B|C", "-C", "A=B");
}

static void what_is_kept_is_what_one_of_the_globs_matches(void **state)
{
    (void)state;
    check("A=1|AB=2|B=3|C=4", "~A*=C", "A=1|AB=2|C=4");
    check("A=1|AB=2|B=3|C=4", "~X", "");
    check("A=1|AB=2|B=3|C=4", "~X=*", "A=1|AB=2|B=3|C=4");
}

static void what_is_asked_for_is_spared(void **state)
{
    (void)state;
    check("A=1|AB=2|AC=3|B=4", "-A*=B==AB", "AB=2");
    check("A=1|AB=2|AC=3|B=4", "-A*==*C=B|=D=5", "AC=3|B=4|D=5");
    check("BASH_FUNC_a%%=() {|BASH_FUNC_b%%=() {", "-BASH_FUNC_*==*_a%%",
          "BASH_FUNC_a%%=() {");
}

static void a_set_value_is_there_once_and_a_default_gives_way(void **state)
{
    (void)state;
    check("A=1|B=2|A=3", "=A=9", "A=9|B=2");
    check("B=2", "=A=9", "B=2|A=9");
    check("B=2", "=A=", "B=2|A=");
    check("A=1|B=2", "?A=9|?C=8", "A=1|B=2|C=8");
    check("AA=1", "?A=9", "AA=1|A=9");
    check("A=", "?A=9", "A=");
    check("A=1", "=A=x=y", "A=x=y");
}

static void one_value_of_a_variable_goes_and_no_other(void **state)
{
    (void)state;
    check("A=1|B=1|A=1", "^A=1", "B=1");
    check("A=11|AA=1|A=", "^A=1", "A=11|AA=1|A=");
    check("A=1", "^A=1|?A=2", "A=2");
    check("A=3", "^A=1|?A=2", "A=3");
}

static void a_copy_is_of_what_there_is(void **state)
{
    (void)state;
    check("A=1", "+B=A", "A=1|B=1");
    check("A=1|B=2", "+B=A", "A=1|B=1");
    check("A=1|B=2", "+B=C", "A=1|B=2");
    check("A=|AB=2", "+B=A", "A=|AB=2|B=");
    check("A=1|B=2", "-A|+B=A", "B=2");
    check("A=1", "+B=A|=C=3|+D=C", "A=1|B=1|C=3|D=3");
}

static void the_first_host_of_a_list_is_a_default(void **state)
{
    static const char *const cases[][2] = {
        {"n1", "n1"},
        {"n1,n2", "n1"},
        {"n[1-3]", "n1"},
        {"n[08,10-12],x", "n08"},
        {"r[1-2]n[03-04]-ib", "r1n03-ib"},
        {"gpu-a-1,gpu-a-2", "gpu-a-1"},
        {"n[7]", "n7"},
        // None of Slurm's.
        {"n[1-3", "n1"},
        {"n[", "n"},
        {"[,", ""},
        {"", ""},
    };
    char env[128], want[256];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        snprintf(env, sizeof(env), "L=%s", cases[i][0]);
        snprintf(want, sizeof(want), "%s|A=%s", env, cases[i][1]);
        check(env, "1A=L", want);
    }
    check("L=n1|A=mine", "1A=L", "L=n1|A=mine");
    check("X=1", "1A=L", "X=1");
}

// What is run of ARGV ('|' between its words, berth-task's first) by CHANGES.
static void runs(const char *argv, const char *changes, const char *want)
{
    char in[256], text[256], out[512] = "", *words[ROOM], *env[ROOM];
    struct wire_run run = {0};
    struct start start = {.argv = words, .env = env, .run = &run};
    char *rest = in, *word;

    snprintf(in, sizeof(in), "%s", argv);
    while ((word = strsep(&rest, "|")))
        words[start.argc++] = word;
    snprintf(text, sizeof(text), "%s", changes);
    size_t size = strlen(text) + 1;
    for (char *p = text; *p; p++)
        if (*p == '|')
            *p = '\0';
    assert_true(change_apply(&start, text, change_count(text, size)));
    for (size_t i = 0; i < start.argc; i++) {
        strcat(out, i ? "|" : "");
        strcat(out, start.argv[i]);
    }
    assert_string_equal(out, want);
    assert_null(start.argv[start.argc]);
}

static void an_empty_program_stands_for_the_images_own(void **state)
{
    (void)state;
    runs("task|prog|a", "@entry", "entry|prog|a");
    runs("task|a", "0prog|@entry|@b", "entry|b|prog|a");
    runs("task|" WIRE_ONLY_HERE "./a|" WIRE_ONLY_HERE "b", "@entry",
         "entry|./a|" WIRE_ONLY_HERE "b");
    // In its place, and behind berth-task.
    runs("task", "@entry|@b|*|,cmd|,c", "entry|b|cmd|c");
    runs("task|", "@entry|@b|*|,cmd|,c", "entry|b|cmd|c");
    runs("task|x|y", "@entry|*|,cmd", "entry|x|y");
    runs("task||x|", "@entry|*|,cmd", "entry|x|");
    runs("task", "*|,cmd|,c|=A=1", "cmd|c");
    runs("task|", "*", "");
}

static void changes_are_made_in_their_order(void **state)
{
    (void)state;
    check("A=1", "-A|=A=2", "A=2");
    check("A=1", "=A=2|-A", "");
    check("A=1|B=1", "=A=2|~B|?A=3", "B=1|A=3");
}

static void no_glob_takes_exponential_time(void **state)
{
    static char name[4000], env[4096], changes[4096];
    struct timespec t;

    (void)state;
    memset(name, 'a', sizeof(name) - 1);
    snprintf(env, sizeof(env), "%s=1", name);
    strcpy(changes, "-");
    for (int i = 0; i < 1000; i++)
        strcat(changes, "*a");
    strcat(changes, "b");
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    time_t before = t.tv_sec;
    check(env, changes, env);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    assert_true(t.tv_sec - before < 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(globs_match_whole_names),
        cmocka_unit_test(what_is_kept_is_what_one_of_the_globs_matches),
        cmocka_unit_test(what_is_asked_for_is_spared),
        cmocka_unit_test(a_set_value_is_there_once_and_a_default_gives_way),
        cmocka_unit_test(one_value_of_a_variable_goes_and_no_other),
        cmocka_unit_test(a_copy_is_of_what_there_is),
        cmocka_unit_test(the_first_host_of_a_list_is_a_default),
        cmocka_unit_test(an_empty_program_stands_for_the_images_own),
        cmocka_unit_test(changes_are_made_in_their_order),
        cmocka_unit_test(no_glob_takes_exponential_time),
    };

    return cmocka_run_group_tests_name("change", tests, NULL, NULL);
}
