// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "logic/plugstack.h"

#define COUNT(table) (sizeof(table) / sizeof(*(table)))
#define PLUGIN "spank_berth.so"

// Big: not on the stack of each test.
static struct plugstack_line line;

static struct plugstack start(const char *text)
{
    struct plugstack stack = {.text = text, .len = strlen(text)};

    return stack;
}

static void passes_over_what_slurm_ignores(void **state)
{
    static const char *const texts[] = {
        "",
        "\n\n \t \n",
        "# required spank_berth.so allow=debian",
        "   # required spank_berth.so",
        "required",
        "required # spank_berth.so",
        "include",
        "include   ",
        "Required spank_berth.so",
        "require spank_berth.so",
        "spank_berth.so allow=debian",
        "required=spank_berth.so",
        "required other.so spank_berth.so",
        "required spank_berth.so.1",
        "required my_spank_berth.so",
        "required spank_berth.so/",
        "required /spank_berth.so/other.so",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct plugstack stack = start(texts[i]);
        if (plugstack_next(&stack, PLUGIN, &line))
            fail_msg("\"%s\" was found", texts[i]);
    }
}

static void finds_the_plugin_its_line_and_its_words(void **state)
{
    static const char text[] =
        "# site\n"
        "optional other.so a=b\n"
        "\n"
        " \trequired\t/usr/lib/slurm/spank_berth.so  allow=debian\t"
        "allow=alpine:3.* # allow=fedora\n"
        "include plugstack.conf.d/*.conf\n"
        "optional spank_berth.so";
    static const char *const words[] = {"allow=debian", "allow=alpine:3.*"};
    struct plugstack stack = start(text);

    (void)state;
    assert_true(plugstack_next(&stack, PLUGIN, &line));
    assert_int_equal(line.kind, PLUGSTACK_PLUGIN);
    assert_int_equal(line.number, 4);
    assert_false(line.cut);
    assert_string_equal(line.path, "/usr/lib/slurm/spank_berth.so");
    assert_true(plugstack_same_words(&line, 2, words));
    assert_false(plugstack_same_words(&line, 1, words));
    assert_false(plugstack_same_words(&line, 0, NULL));

    assert_true(plugstack_next(&stack, PLUGIN, &line));
    assert_int_equal(line.kind, PLUGSTACK_INCLUDE);
    assert_int_equal(line.number, 5);
    assert_string_equal(line.path, "plugstack.conf.d/*.conf");

    assert_true(plugstack_next(&stack, PLUGIN, &line));
    assert_int_equal(line.kind, PLUGSTACK_PLUGIN);
    assert_int_equal(line.number, 6);
    assert_int_equal(line.argc, 0);
    assert_true(plugstack_same_words(&line, 0, NULL));
    assert_false(plugstack_next(&stack, PLUGIN, &line));
    assert_false(plugstack_next(&stack, PLUGIN, &line));
}

static void words_differ_by_their_bytes(void **state)
{
    static const char *const words[] = {"allow=Debian"};
    struct plugstack stack = start("required spank_berth.so allow=debian");

    (void)state;
    assert_true(plugstack_next(&stack, PLUGIN, &line));
    assert_false(plugstack_same_words(&line, 1, words));
}

static void a_comment_starts_within_a_word(void **state)
{
    static const char *const words[] = {"allow=nvcr.io"};
    struct plugstack stack =
        start("required spank_berth.so allow=nvcr.io#nvidia/x allow=y");

    (void)state;
    assert_true(plugstack_next(&stack, PLUGIN, &line));
    assert_true(plugstack_same_words(&line, 1, words));
}

static void a_carriage_return_is_part_of_the_word(void **state)
{
    static const char *const words[] = {"allow=debian\r"};
    struct plugstack stack = start("required spank_berth.so allow=debian\r\n");

    (void)state;
    assert_true(plugstack_next(&stack, PLUGIN, &line));
    assert_true(plugstack_same_words(&line, 1, words));
}

static void a_nul_byte_ends_the_line_as_it_does_for_slurm(void **state)
{
    static const char text[] = "required spank_berth.so a\0b c\n"
                               "required spank_berth.so d\n";
    struct plugstack stack = {.text = text, .len = sizeof(text) - 1};

    (void)state;
    assert_true(plugstack_next(&stack, PLUGIN, &line));
    assert_int_equal(line.argc, 1);
    assert_true(plugstack_next(&stack, PLUGIN, &line));
    assert_int_equal(line.number, 2);
    assert_string_equal(line.argv[0], "d");
}

// A line of LEN bytes without its newline, then one that is found.
static struct plugstack long_line(char *buf, size_t len, const char *head)
{
    memset(buf, 'x', len);
    memcpy(buf, head, strlen(head));
    strcpy(buf + len, "\nrequired spank_berth.so last");
    return start(buf);
}

static void tells_of_lines_that_slurm_cuts(void **state)
{
    static char buf[3 * PLUGSTACK_LINE_MAX];
    static const char head[] = "required spank_berth.so allow=";
    struct plugstack stack;

    (void)state;
    for (size_t len = 4093; len <= 4095; len++) {
        stack = long_line(buf, len, head);
        assert_true(plugstack_next(&stack, PLUGIN, &line));
        assert_false(line.cut);
        assert_int_equal(strlen(line.argv[0]) + strlen(head) - 6, len);
        assert_true(plugstack_next(&stack, PLUGIN, &line));
        assert_int_equal(line.number, 2);
        assert_string_equal(line.argv[0], "last");
    }
    stack = long_line(buf, 4096, head);
    assert_true(plugstack_next(&stack, PLUGIN, &line));
    assert_true(line.cut);
    assert_true(plugstack_next(&stack, PLUGIN, &line));
    assert_int_equal(line.number, 2);

    // A comment may be as long as it likes.
    stack = long_line(buf, 4096, "required spank_berth.so allow=debian #");
    assert_true(plugstack_next(&stack, PLUGIN, &line));
    assert_false(line.cut);

    // The file may end there as well.
    stack = long_line(buf, 4095, head);
    stack.len = 4095;
    assert_true(plugstack_next(&stack, PLUGIN, &line));
    assert_false(line.cut);
    assert_false(plugstack_next(&stack, PLUGIN, &line));
}

static void holds_as_many_words_as_a_line_can(void **state)
{
    static char buf[PLUGSTACK_LINE_MAX];
    struct plugstack stack;

    (void)state;
    memset(buf, ' ', sizeof(buf) - 1);
    memcpy(buf, "include x", 9);
    for (size_t i = 10; i < sizeof(buf) - 1; i += 2)
        buf[i] = 'w';
    stack = start(buf);
    assert_true(plugstack_next(&stack, PLUGIN, &line));
    assert_int_equal(line.argc, (sizeof(buf) - 1 - 10 + 1) / 2);
    assert_true(line.argc <= PLUGSTACK_WORDS_MAX);
}

static void finds_plugstack_config_in_slurm_conf(void **state)
{
    static const struct {
        const char *text, *value;
    } cases[] = {
        {"", NULL},
        {"ClusterName=x\nSlurmUser=slurm\n", NULL},
        {"#PlugStackConfig=/a", NULL},
        {"ClusterName=x # PlugStackConfig=/a", NULL},
        {"MyPlugStackConfig=/a", NULL},
        {"PlugStackConfigs=/a", NULL},
        {"PlugStackConfig", NULL},
        {"PlugStackConfig=", NULL},
        {"PlugStackConfig=\n/a", NULL},
        {"X=\"PlugStackConfig=/a\"", NULL},
        {"PlugStackConfig=/a", "/a"},
        {"plugstackconfig=/a\r\n", "/a"},
        {"PLUGSTACKCONFIG = /a # b\n", "/a"},
        {" \tClusterName=x PlugStackConfig=/a SlurmUser=y", "/a"},
        {"PlugStackConfig=\"/a b\" X=y", "/a b"},
        {"PlugStackConfig=/a\nPlugStackConfig=/b\n", "/b"},
        {"NodeName=n[1-2] CPUs=2 State=UNKNOWN\nPlugStackConfig=/a=b", "/a=b"},
    };
    char buf[16];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *text = cases[i].text;
        bool found =
            plugstack_from_slurm_conf(text, strlen(text), buf, sizeof(buf));
        if (found != !!cases[i].value)
            fail_msg("\"%s\"", text);
        if (found)
            assert_string_equal(buf, cases[i].value);
    }
    static const char nul[] = "\0 \0=\nPlugStackConfig=/a";
    assert_true(
        plugstack_from_slurm_conf(nul, sizeof(nul) - 1, buf, sizeof(buf)));
    assert_false(plugstack_from_slurm_conf("PlugStackConfig=/a", 18, buf, 2));
    assert_true(plugstack_from_slurm_conf("PlugStackConfig=/a", 18, buf, 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passes_over_what_slurm_ignores),
        cmocka_unit_test(finds_the_plugin_its_line_and_its_words),
        cmocka_unit_test(words_differ_by_their_bytes),
        cmocka_unit_test(a_comment_starts_within_a_word),
        cmocka_unit_test(a_carriage_return_is_part_of_the_word),
        cmocka_unit_test(a_nul_byte_ends_the_line_as_it_does_for_slurm),
        cmocka_unit_test(tells_of_lines_that_slurm_cuts),
        cmocka_unit_test(holds_as_many_words_as_a_line_can),
        cmocka_unit_test(finds_plugstack_config_in_slurm_conf),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
