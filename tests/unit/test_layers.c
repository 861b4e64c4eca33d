// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "user/layers.h"

// IDS are letters, each a layer; its size is the letter's number.
static void add(struct layers *layers, const char *name, const char *ids)
{
    json_t *list = json_array();
    struct berth_err err = {0};

    for (; *ids; ids++)
        json_array_append_new(list, json_pack("{s:o, s:i}", "id",
                                              json_sprintf("%c", *ids), "size",
                                              *ids - 'a' + 1));
    if (layers_add(layers, name, list, &err) < 0)
        fail_msg("%s", err.text);
    json_decref(list);
}

// The rows as "DRAWN ID COUNT SIZE IMAGES ON;".
static void check(struct layers *layers, const char *want)
{
    struct berth_err err = {0};
    struct table table = {0};
    char text[1024] = "";
    size_t n = 0;

    if (layers_table(layers, &table, &err) < 0)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < table.cells.n; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s%s",
                              i % 5 ? " " : table.drawn.v[i / 5],
                              table.cells.v[i], i % 5 == 4 ? ";" : "");
    assert_string_equal(text, want);
    table_clear(&table);
    layers_clear(layers);
}

static void nothing_is_an_empty_tree(void **state)
{
    struct layers layers = {0};

    (void)state;
    check(&layers, "");
}

static void what_one_image_is_made_of_is_one_row(void **state)
{
    struct layers layers = {0};

    (void)state;
    add(&layers, "one", "abc");
    add(&layers, "same", "abc");
    add(&layers, "one", "abc"); // from another node
    check(&layers, "c 3 6 one, same ;");
}

static void what_images_share_is_above_what_they_do_not(void **state)
{
    struct layers layers = {0};

    (void)state;
    add(&layers, "top", "abcd");
    add(&layers, "base", "ab");
    add(&layers, "other", "abe");
    add(&layers, "alone", "f");
    check(&layers, "b 2 3 base ;├─d 2 7 top b;└─e 1 5 other b;f 1 6 alone ;");
}

static void a_branch_may_be_nobodys_image(void **state)
{
    struct layers layers = {0};

    (void)state;
    add(&layers, "x", "abc");
    add(&layers, "y", "abde");
    add(&layers, "z", "abdf");
    check(&layers, "b 2 3  ;├─c 1 3 x b;└─d 1 4  b;  ├─e 1 5 y d;"
                   "  └─f 1 6 z d;");
}

static void a_size_that_nobody_knows_is_none(void **state)
{
    struct layers layers = {0};
    struct berth_err err = {0};
    json_t *list = json_pack("[{s:s, s:n}]", "id", "a", "size");

    (void)state;
    assert_int_equal(layers_add(&layers, "x", list, &err), 0);
    json_decref(list);
    check(&layers, "a 1  x ;");
}

static void an_image_without_layers_is_nowhere(void **state)
{
    struct layers layers = {0};

    (void)state;
    add(&layers, "scratch", "");
    add(&layers, "x", "a");
    check(&layers, "a 1 1 x ;");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_an_empty_tree),
        cmocka_unit_test(what_one_image_is_made_of_is_one_row),
        cmocka_unit_test(what_images_share_is_above_what_they_do_not),
        cmocka_unit_test(a_branch_may_be_nobodys_image),
        cmocka_unit_test(a_size_that_nobody_knows_is_none),
        cmocka_unit_test(an_image_without_layers_is_nowhere),
    };

    return cmocka_run_group_tests_name("layers", tests, NULL, NULL);
}
