// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Which images the nodes of a step have. This test is Slurm, and the nodes.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <slurm/slurm.h>

#include "protocol/compare.h"
#include "spank/compare.h"
#include "spank/option_env.h"

#define PUBLIC __attribute__((visibility("default")))
#define ID1 "sha256:1111111111111111111111111111111111111111111111111111111111"
#define ID2 "sha256:2222222222222222222222222222222222222222222222222222222222"
#define NAME "registry.example/app:1"

static char where[COMPARE_WHERE_MAX]; // that the nodes are told
static char said[4096];               // all of it
static uint16_t range[2];

PUBLIC slurm_conf_t slurm_conf;
PUBLIC void slurm_error(const char *format, ...);

void slurm_error(const char *format, ...)
{
    size_t used = strlen(said);
    va_list args;

    va_start(args, format);
    vsnprintf(said + used, sizeof(said) - used, format, args);
    va_end(args);
    strncat(said, "\n", sizeof(said) - strlen(said) - 1);
}

int option_env_send_compare(const char *text)
{
    snprintf(where, sizeof(where), "%s", text);
    return 0;
}

static const char *secret(void)
{
    return strchr(where, ' ') + 1;
}

static int connect_there(void)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)atoi(where)),
                               .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    return fd;
}

static void say_raw(const char *text)
{
    int fd = connect_there();

    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL),
                     (ssize_t)strlen(text));
    close(fd);
}

static void say(const char *rest)
{
    char line[COMPARE_LINE_MAX];

    snprintf(line, sizeof(line), "%s %s\n", secret(), rest);
    say_raw(line);
}

static struct compare *begin(uint32_t nnodes)
{
    struct compare *compare = compare_begin(nnodes);

    assert_non_null(compare);
    said[0] = 0;
    return compare;
}

static void nodes_that_differ_are_told_apart_once(void **state)
{
    struct compare *compare = begin(4);

    (void)state;
    say("n1 " NAME " " ID1 " -");
    say("n2 " NAME " " ID1 " -");
    say("n3 " NAME " " ID2 " registry.example/app@sha256:22");
    say("n4 " NAME " " ID2 " registry.example/app@sha256:22");
    compare_end(compare);
    assert_string_equal(
        said, "berth: " NAME " is not the same on all nodes of this "
              "step: it is the image sha256:111111111111 on node n1, and "
              "sha256:222222222222 on node n3: name it by its digest "
              "(registry.example/app@sha256:22 is that of node n3), or ask "
              "your administrator, who compares the nodes by berth-images "
              "check\n");
}

static void nodes_that_have_the_same_are_not_spoken_of(void **state)
{
    struct compare *compare = begin(1);

    (void)state;
    compare_add(compare, 1);
    say("n1 " NAME " " ID1 " -");
    say("n2 " NAME " " ID1 " registry.example/app@sha256:22");
    compare_end(compare);
    assert_string_equal(said, "");
    // Machines of two kinds.
    compare = begin(2);
    say("n1 " NAME " " ID1 " registry.example/app@sha256:22");
    say("n2 " NAME " " ID2 " registry.example/app@sha256:22");
    compare_end(compare);
    assert_string_equal(said, "");
    // One that never tells is not waited for.
    compare = begin(2);
    say("n1 " NAME " " ID1 " -");
    compare_end(compare);
    compare_end(begin(2));
    compare_end(NULL);
    assert_string_equal(said, "");
}

static void another_component_is_compared_as_well(void **state)
{
    struct compare *compare = begin(1);

    (void)state;
    compare_add(compare, 1);
    say("n1 " NAME " " ID1 " -");
    say("n2 " NAME " " ID2 " -");
    compare_end(compare);
    assert_non_null(strstr(said, "sha256:222222222222 on node n2"));
}

// (threat 93)
static void strangers_are_not_heard(void **state)
{
    static const char *const bad[] = {
        "",
        "\n",
        " ",
        "0123456789abcdef0123456789abcdef n9 " NAME " " ID2 " -\n",
        "n9 " NAME " " ID2 " -\n",
    };
    // With the secret.
    static const char *const malformed[] = {
        "",
        "n9",
        "n9 " NAME " " ID2,
        "n9  " NAME " " ID2 " -",
        "n9 " NAME " " ID2 " - more",
        "n9\033[31m " NAME " " ID2 " -",
        "n9 " NAME " " ID2 "\t -",
        "n\xc3\xa4 " NAME " " ID2 " -",
    };
    char line[COMPARE_LINE_MAX + 16];
    struct compare *compare = begin(2);

    (void)state;
    say("n1 " NAME " " ID1 " -");
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        say_raw(bad[i]);
    for (size_t i = 0; i < sizeof(malformed) / sizeof(*malformed); i++)
        say(malformed[i]);
    // A line without an end, and one that is too long.
    snprintf(line, sizeof(line), "%s n9 " NAME " " ID2 " -", secret());
    say_raw(line);
    int n = snprintf(line, sizeof(line), "%s n9 ", secret());
    memset(line + n, 'x', sizeof(line) - (size_t)n);
    line[sizeof(line) - 1] = 0;
    say_raw(line);
    assert_string_equal(said, "");
    say("n2 " NAME " " ID2 " -");
    compare_end(compare);
    assert_non_null(strstr(said, "on node n2"));
    assert_null(strstr(said, "n9"));
}

static void who_says_nothing_holds_up_neither_nodes_nor_the_end(void **state)
{
    struct compare *compare = begin(2);

    (void)state;
    int first = connect_there();
    say("n1 " NAME " " ID1 " -");
    say("n2 " NAME " " ID2 " -");
    close(first);
    compare_end(compare);
    assert_non_null(strstr(said, "on node n2"));
    compare = begin(2);
    int open = connect_there();
    compare_end(compare);
    close(open);
}

static void each_step_has_a_secret_of_its_own(void **state)
{
    struct compare *compare = begin(2);
    char before[COMPARE_WHERE_MAX];

    (void)state;
    strcpy(before, secret());
    assert_int_equal(strlen(before), COMPARE_SECRET);
    compare_end(compare);
    compare = begin(2);
    assert_string_not_equal(secret(), before);
    compare_end(compare);
}

static void it_listens_where_SrunPortRange_says(void **state)
{
    struct compare *compare[3];

    (void)state;
    range[0] = 61017;
    range[1] = 61018;
    slurm_conf.srun_port_range = range;
    for (int i = 0; i < 2; i++) {
        compare[i] = begin(2);
        assert_in_range(atoi(where), range[0], range[1]);
    }
    // There is no other: nobody compares.
    compare[2] = compare_begin(2);
    assert_null(compare[2]);
    for (int i = 0; i < 2; i++)
        compare_end(compare[i]);
    slurm_conf.srun_port_range = NULL;
}

int main(void)
{
#define TEST(f) cmocka_unit_test(f)
    const struct CMUnitTest tests[] = {
        TEST(nodes_that_differ_are_told_apart_once),
        TEST(nodes_that_have_the_same_are_not_spoken_of),
        TEST(another_component_is_compared_as_well),
        TEST(strangers_are_not_heard),
        TEST(who_says_nothing_holds_up_neither_nodes_nor_the_end),
        TEST(each_step_has_a_secret_of_its_own),
        TEST(it_listens_where_SrunPortRange_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
