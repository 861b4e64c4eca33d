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
        if (i != 4 && i != 7 && i != 10 && i != 11 && i != 15) // opposites
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
    assert_int_equal(copy.root, CHOICE_YES);
    assert_int_equal(options_each(&options, stop_at_second, &told), 7);
    assert_int_equal(told, 2);
    errno = ENOTTY;
    options_clear(&options);
    assert_int_equal(errno, ENOTTY);
    assert_memory_equal(&options, &(struct options){0}, sizeof(options));
    options_clear(&copy);
}

// Of two names of one option the first is told.
static bool is_root(const struct option_info *o)
{
    return strcmp(o->key, "root") == 0 && o->choice == CHOICE_YES;
}

static void two_names_of_an_option_are_told_as_one(void **state)
{
    static const char *const names[] = {"container-root",
                                        "container-remap-root"};
    struct options options = {0}, copy = {0};
    int told = 0;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(options_set(&options, names[i], NULL, NULL), 0);
        assert_int_equal(options.root, CHOICE_YES);
        assert_int_equal(options_each(&options, stop_at_second, &told), 0);
        assert_int_equal(told, 1);
        assert_int_equal(options_each(&options, set, &copy), 0);
        assert_int_equal(copy.root, CHOICE_YES);
        told = 0;
        options_clear(&options);
        options_clear(&copy);
    }
    options_set(&options, "container-root", NULL, NULL);
    options_set(&options, "no-container-remap-root", NULL, NULL);
    assert_int_equal(options.root, CHOICE_NO);
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
        // But where it says whose container it is to be.
        if (strcmp(o->key, "name") == 0 || strcmp(o->key, "join") == 0 ||
            strcmp(o->key, "do") == 0) {
            assert_int_equal(options_check(&options, &err), 0);
            assert_true(options_want(&options));
            options_clear(&options);
            continue;
        }
        assert_false(options_want(&options));
        assert_int_equal(options_check(&options, &err), -1);
        assert_int_equal(err.code, BERTH_EINVAL);
        assert_non_null(
            strstr(err.text, is_root(o) ? "--container-root " : o->name));
        assert_int_equal(options_set(&options, "container", "a", NULL), 0);
        assert_int_equal(options_check(&options, &err), 0);
        options_clear(&options);
    }
}

static void a_name_may_say_how_it_is_meant(void **state)
{
    static const struct {
        const char *text, *name;
        enum name_mode mode;
    } good[] = {
        {"a", "a", NAME_ANY},
        {"My_env-1.2:create", "My_env-1.2", NAME_CREATE},
        {"x:exec", "x", NAME_EXEC},
        {"x:no_exec", "x", NAME_NO_EXEC},
    };
    static const char *const bad[] = {
        "-a",
        ".",
        "a/b",
        "a:",
        "a:exec2",
        "a:exec:exec",
        "a b",
        ":exec",
        "a:auto",
        "\xc3\xa4",
        "0123456789012345678901234567890123456789012345678901234567890123"};
    char name[OPTIONS_NAME_MAX];
    enum name_mode mode;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        struct options options = {.name = (char *)good[i].text};
        assert_true(options_name(&options, name, &mode));
        assert_string_equal(name, good[i].name);
        assert_int_equal(mode, good[i].mode);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct options options = {.name = (char *)bad[i]};
        if (options_name(&options, name, &mode))
            fail_msg("taken: %s", bad[i]);
    }
}

static void a_step_to_join_is_a_job_or_one_of_its_steps(void **state)
{
    static const char *const bad[] = {
        "",    "a",        "12.", "12.a",   ".1",          "-1",
        "012", "12.batch", "1 ",  "12.1.1", "99999999999", "4294967290"};
    struct options options = {.join = (char *)"12"};
    uint32_t job, step;
    bool has_step;

    (void)state;
    assert_true(options_join(&options, &job, &step, &has_step));
    assert_int_equal(job, 12);
    assert_false(has_step);
    options.join = (char *)"12.0";
    assert_true(options_join(&options, &job, &step, &has_step));
    assert_true(has_step);
    assert_int_equal(step, 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        options.join = (char *)bad[i];
        if (options_join(&options, &job, &step, &has_step))
            fail_msg("taken: %s", bad[i]);
    }
}

static void what_is_done_in_place_of_a_container_has_a_word(void **state)
{
    static const char *const bad[] = {"",      "LIST",  "list ", "lis",
                                      "lists", "build", "none"};
    struct options options = {0};
    enum errand errand;

    (void)state;
    assert_true(options_errand(&options, &errand));
    assert_int_equal(errand, ERRAND_NONE);
    assert_string_equal(options_errand_word(ERRAND_NONE), "");
    for (int i = ERRAND_LIST; i <= ERRAND_END; i++) {
        options.errand = (char *)options_errand_word((enum errand)i);
        assert_true(options_errand(&options, &errand));
        assert_int_equal(errand, i);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        options.errand = (char *)bad[i];
        if (options_errand(&options, &errand) || errand != ERRAND_NONE)
            fail_msg("taken: %s", bad[i]);
    }
}

static int count(void *arg, const char *variable, const char *value)
{
    (void)variable;
    (void)value;
    ++*(int *)arg;
    return 0;
}

// Nobody wants it of every step that he starts.
static void what_is_done_is_no_default(void **state)
{
    struct options options = {.errand = (char *)"list"};
    int n = 0;

    (void)state;
    assert_int_equal(options_each_variable(&options, count, &n), 0);
    assert_int_equal(n, 0);
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
        cmocka_unit_test(two_names_of_an_option_are_told_as_one),
        cmocka_unit_test(an_option_wants_an_image),
        cmocka_unit_test(a_name_may_say_how_it_is_meant),
        cmocka_unit_test(a_step_to_join_is_a_job_or_one_of_its_steps),
        cmocka_unit_test(none_is_no_image),
        cmocka_unit_test(what_is_done_in_place_of_a_container_has_a_word),
        cmocka_unit_test(what_is_done_is_no_default),
        cmocka_unit_test(each_option_has_its_line_of_help),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
