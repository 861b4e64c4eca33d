// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "logic/limits.h"
#include "logic/options.h"

#define COUNT(table) (sizeof(table) / sizeof(*(table)))

static void refuses_values_that_nobody_can_mean(void **state)
{
    static const struct {
        const char *name, *value, *sentence;
    } cases[] = {
        {"container-mount", "/a:/a",
         "--container-mount is no option of berth's: srun --help has them"},
        {"", NULL, "-- is no option of berth's: srun --help has them"},
        {"\n", NULL, "--? is no option of berth's: srun --help has them"},
        {"container-image", NULL,
         "--container-image is empty: write --container-image=IMAGE"},
        {"container", "", "--container is empty: write --container=IMAGE"},
        {"container-mounts", "",
         "--container-mounts is empty: write "
         "--container-mounts=SRC:DST[:ro|rw],..."},
        {"container-workdir", "",
         "--container-workdir is empty: write "
         "--container-workdir=PATH"},
        {"container-env", NULL,
         "--container-env is empty: write --container-env=NAME,..."},
        {"container-network", "",
         "--container-network is empty: write "
         "--container-network=NAME"},
        {"container-workdir", "/a\nb",
         "--container-workdir=/a?b has a control character or is not valid "
         "UTF-8: write it without"},
        {"container-mounts", "/\x7f",
         "--container-mounts=/? has a control character or is not valid "
         "UTF-8: write it without"},
        {"container-env", "A\xff",
         "--container-env=A? has a control character or is not valid UTF-8: "
         "write it without"},
        {"container", "debian\x1b[2J",
         "--container=debian?[2J has a control character or is not "
         "valid UTF-8: write it without"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct options options = {0};
        struct berth_err err = {0};
        assert_int_equal(
            options_set(&options, cases[i].name, cases[i].value, &err), -1);
        assert_int_equal(err.code, BERTH_EINVAL);
        assert_string_equal(err.text, cases[i].sentence);
        assert_memory_equal(&options, &(struct options){0}, sizeof(options));
        assert_int_equal(
            options_set(&options, cases[i].name, cases[i].value, NULL), -1);
    }
}

static void refuses_values_that_are_too_long(void **state)
{
    static char text[BERTH_OPTION_MAX + 1];
    struct options options = {0};
    struct berth_err err;

    (void)state;
    memset(text, 'a', BERTH_OPTION_MAX);
    assert_int_equal(options_set(&options, "container-env", text, &err), -1);
    assert_string_equal(err.text, "--container-env has 16384 bytes and can "
                                  "have 16383: make it shorter");
    text[BERTH_OPTION_MAX - 1] = 0;
    assert_int_equal(options_set(&options, "container-env", text, &err), 0);
    text[BERTH_IMAGE_MAX] = 0;
    assert_int_equal(options_set(&options, "container", text, &err), -1);
    assert_string_equal(err.text, "--container has 1024 bytes and can "
                                  "have 1023: make it shorter");
    text[BERTH_IMAGE_MAX - 1] = 0;
    assert_int_equal(options_set(&options, "container", text, &err), 0);
    options_clear(&options);
}

static void what_is_given_again_adds_up_or_the_last_holds(void **state)
{
    static const struct {
        const char *name, *values[4], *holds;
    } cases[] = {
        {"container-image", {"a", "b"}, "b"},
        {"container", {"a", "b", "a"}, "a"},
        {"container-workdir", {"/a", "/b"}, "/b"},
        {"container-network", {"host", "none"}, "none"},
        {"container-mounts", {"/a", "/b:/c:ro,/d", "/a"}, "/a,/b:/c:ro,/d"},
        {"container-mounts", {"/a:/b,/c,/d", "/c", "/b"}, "/a:/b,/c,/d,/b"},
        {"container-mounts", {"/a,/b,/c", "/b,/c", "/a,/b"}, "/a,/b,/c"},
        {"container-env", {"AB", "A", "B", "A,B"}, "AB,A,B"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct options options = {0};
        for (size_t j = 0; j < 4 && cases[i].values[j]; j++)
            assert_int_equal(
                options_set(&options, cases[i].name, cases[i].values[j], NULL),
                0);
        const char *kept[] = {options.image, options.workdir, options.network,
                              options.mounts, options.env};
        for (size_t j = 0; j < COUNT(kept); j++)
            if (kept[j])
                assert_string_equal(kept[j], cases[i].holds);
        options_clear(&options);
    }
}

static void of_two_opposites_the_last_holds(void **state)
{
    struct options options = {0};

    (void)state;
    options_set(&options, "container-writable", NULL, NULL);
    options_set(&options, "container-readonly", NULL, NULL);
    assert_int_equal(options.writable, CHOICE_NO);
    options_set(&options, "no-container-mount-home", NULL, NULL);
    options_set(&options, "container-mount-home", NULL, NULL);
    assert_int_equal(options.mount_home, CHOICE_YES);
    options_clear(&options);
}

static void what_adds_up_can_get_too_long(void **state)
{
    static char text[BERTH_OPTION_MAX];
    struct options options = {0};
    struct berth_err err;

    (void)state;
    memset(text, 'a', BERTH_OPTION_MAX - 3);
    assert_int_equal(options_set(&options, "container-env", text, &err), 0);
    assert_int_equal(options_set(&options, "container-env", "bc", &err), -1);
    assert_string_equal(err.text, "--container-env has 16384 bytes and can "
                                  "have 16383: make it shorter");
    assert_string_equal(options.env, text);
    assert_int_equal(options_set(&options, "container-env", "b", &err), 0);
    options_clear(&options);
}

static int set(void *arg, const char *name, const char *value)
{
    return options_set(arg, name, value, NULL);
}

static int stop_at_second(void *arg, const char *name, const char *value)
{
    (void)name;
    (void)value;
    return ++*(int *)arg == 2 ? 7 : 0;
}

static void tells_what_makes_the_same_options_again(void **state)
{
    struct options options = {0}, copy = {0};
    int told = 0;

    (void)state;
    assert_int_equal(options_each(&options, set, &copy), 0);
    assert_memory_equal(&copy, &(struct options){0}, sizeof(copy));
    for (size_t i = 0; option_table[i].name; i++)
        if (i != 4 && i != 7 && i != 8 && i != 12) // opposites
            assert_int_equal(options_set(&options, option_table[i].name,
                                         option_table[i].name, NULL),
                             0);
    assert_int_equal(options.mount_home, CHOICE_NO);
    assert_int_equal(options.writable, CHOICE_YES);
    assert_int_equal(options.entrypoint, CHOICE_NO);
    assert_int_equal(options_each(&options, set, &copy), 0);
    assert_string_equal(copy.image, "container-image");
    assert_string_equal(copy.mounts, "container-mounts");
    assert_string_equal(copy.workdir, "container-workdir");
    assert_string_equal(copy.env, "container-env");
    assert_string_equal(copy.network, "container-network");
    assert_int_equal(copy.mount_home, CHOICE_NO);
    assert_int_equal(copy.writable, CHOICE_YES);
    assert_int_equal(copy.entrypoint, CHOICE_NO);
    assert_int_equal(copy.slurm, CHOICE_YES);
    assert_int_equal(options_each(&options, stop_at_second, &told), 7);
    assert_int_equal(told, 2);
    errno = ENOTTY;
    options_clear(&options);
    assert_int_equal(errno, ENOTTY);
    assert_memory_equal(&options, &(struct options){0}, sizeof(options));
    options_clear(&copy);
}

static void an_option_wants_an_image(void **state)
{
    struct options options = {0};
    struct berth_err err;

    (void)state;
    assert_int_equal(options_check(&options, &err), 0);
    for (size_t i = 1; option_table[i].name; i++) {
        const struct option_info *o = &option_table[i];
        assert_int_equal(options_set(&options, o->name, "/x", NULL), 0);
        assert_int_equal(options_check(&options, &err), -1);
        assert_int_equal(err.code, BERTH_EINVAL);
        assert_non_null(strstr(err.text, o->name));
        assert_int_equal(options_set(&options, "container", "a", NULL), 0);
        assert_int_equal(options_check(&options, &err), 0);
        options_clear(&options);
    }
}

// Of the 80 columns of srun's help, 50 are for this.
static void each_option_has_its_line_of_help(void **state)
{
    (void)state;
    for (const struct option_info *o = option_table; o->name; o++) {
        assert_non_null(strstr(o->name, "container"));
        assert_non_null(o->key);
        assert_in_range(strlen(o->help), 20, 50);
        assert_null(strpbrk(o->help, "\n\t"));
        if (o->env)
            assert_ptr_equal(strstr(o->env, "BERTH_CONTAINER_"), o->env);
        for (const struct option_info *p = option_table; p != o; p++)
            assert_string_not_equal(o->name, p->name);
    }
}

// (threat 81)
static void none_is_no_image(void **state)
{
    struct options options = {0};
    struct berth_err err;

    (void)state;
    assert_false(options_none(&options));
    options_set(&options, "container", "none", NULL);
    assert_true(options_none(&options));
    assert_int_equal(options_check(&options, &err), 0);
    options_set(&options, "container-readonly", NULL, NULL);
    assert_int_equal(options_check(&options, &err), -1);
    assert_non_null(strstr(err.text, "--container-readonly"));
    options_set(&options, "container", "library/none", NULL);
    assert_false(options_none(&options));
    assert_int_equal(options_check(&options, &err), 0);
    options_clear(&options);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_values_that_nobody_can_mean),
        cmocka_unit_test(refuses_values_that_are_too_long),
        cmocka_unit_test(what_is_given_again_adds_up_or_the_last_holds),
        cmocka_unit_test(of_two_opposites_the_last_holds),
        cmocka_unit_test(what_adds_up_can_get_too_long),
        cmocka_unit_test(tells_what_makes_the_same_options_again),
        cmocka_unit_test(an_option_wants_an_image),
        cmocka_unit_test(none_is_no_image),
        cmocka_unit_test(each_option_has_its_line_of_help),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
