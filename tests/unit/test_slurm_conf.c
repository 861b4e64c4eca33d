// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Which lines of Slurm's configuration call a program: in a directory of this
// test's own. Any user can run it.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tools/slurm_conf.h"

static char dir[] = "/tmp/berth-conf-XXXXXX", program[PATH_MAX];
static struct conf_files files;
static struct conf_line line;
static struct berth_err err;

static int make(void **unused)
{
    (void)unused;
    memcpy(dir + sizeof(dir) - 7, "XXXXXX", 6);
    files = (struct conf_files){0};
    line = (struct conf_line){0};
    return mkdtemp(dir) && chdir(dir) == 0 ? 0 : -1;
}

static int take_down(void **unused)
{
    char command[PATH_MAX];

    (void)unused;
    conf_clear(&files);
    snprintf(command, sizeof(command), "cd / && rm -rf '%s'", dir);
    return system(command);
}

static void put(const char *name, const char *text)
{
    FILE *f = fopen(name, "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

// Opens the slurm.conf TEXT. There is a berth-prolog to be called.
static void open_conf(const char *text)
{
    char path[PATH_MAX];

    put("berth-prolog", "");
    snprintf(program, sizeof(program), "%s/berth-prolog", dir);
    put("slurm.conf", text);
    snprintf(path, sizeof(path), "%s/slurm.conf", dir);
    assert_int_equal(conf_open_slurm(&files, path, &err), 0);
}

static int hook(bool takes_lines)
{
    return conf_find_hook(&files, "Prolog", program, takes_lines, &line, &err);
}

static void each_line_with_a_key_is_found_in_its_turn(void **unused)
{
    static const struct {
        int number;
        const char *value;
    } want[] = {{1, "/a"}, {4, "/b c"}, {1, "/d"}};

    (void)unused;
    put("more.conf", "PROLOG=/d\n");
    open_conf("Prolog=/a # Prolog=/x\nPrologFlags=Alloc\ninclude more.conf\n"
              "prolog = \"/b c\"\n");
    for (size_t i = 0; i < sizeof(want) / sizeof(*want); i++) {
        assert_int_equal(conf_next(&files, "Prolog", &line, &err), 1);
        assert_int_equal(line.number, want[i].number);
        assert_string_equal(line.value, want[i].value);
    }
    assert_int_equal(conf_next(&files, "Prolog", &line, &err), 0);
    assert_int_equal(conf_find(&files, "Prolog", &line, &err), 0);
    assert_string_equal(line.value, "/d");
    assert_int_equal(conf_find(&files, "Epilog", &line, &err), 0);
    assert_int_equal(line.number, 0);
}

static void
a_line_that_is_not_the_last_calls_where_slurm_takes_several(void **u)
{
    char text[PATH_MAX * 2];

    (void)u;
    snprintf(text, sizeof(text),
             "Prolog=/bin/true\nProlog=%s/berth-prolog\nProlog=/bin/false\n",
             dir);
    open_conf(text);
    assert_int_equal(hook(true), 1);
    assert_int_equal(line.number, 2);
    assert_int_equal(hook(false), 0);
    assert_int_equal(line.number, 3);
}

static void a_link_and_a_script_call_what_they_lead_to(void **unused)
{
    (void)unused;
    open_conf("");
    put("10-site", "#!/bin/sh\n");
    assert_int_equal(symlink(program, "50-berth"), 0);
    assert_true(conf_calls("[0-9]*", program));
    assert_int_equal(unlink("50-berth"), 0);
    assert_false(conf_calls("[0-9]*", program));
    put("10-site", "#!/bin/sh\nexec /usr/sbin/berth-prolog\n");
    assert_true(conf_calls("[0-9]*", program));
    put("10-site", "berth-prolog");
    assert_false(conf_calls("[0-9]*", program));
}

static void a_line_that_says_more_is_an_error(void **unused)
{
    (void)unused;
    open_conf("Epilog=/a Prolog=/b\n");
    assert_int_equal(hook(true), -1);
    assert_non_null(strstr(err.text, "line 1 says more than Prolog=VALUE"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make, take_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_line_with_a_key_is_found_in_its_turn),
        TEST(a_line_that_is_not_the_last_calls_where_slurm_takes_several),
        TEST(a_link_and_a_script_call_what_they_lead_to),
        TEST(a_line_that_says_more_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
