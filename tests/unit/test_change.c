// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// What berth-task makes of its changes.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
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
        cmocka_unit_test(changes_are_made_in_their_order),
        cmocka_unit_test(no_glob_takes_exponential_time),
    };

    return cmocka_run_group_tests_name("change", tests, NULL, NULL);
}
