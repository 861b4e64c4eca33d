// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// What libarchive, which others use, makes of the heads of members.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <archive.h>
#include <archive_entry.h>
#include <stdlib.h>
#include <string.h>

#include "logic/tar.h"

static char long_name[TAR_TEXT_MAX], long_link[TAR_TEXT_MAX];
static char head[TAR_HEAD_MAX];

static struct archive *read_head(const struct tar_entry *entry,
                                 struct archive_entry **out)
{
    struct archive *a = archive_read_new();

    size_t n = tar_head(entry, head);
    assert_true(n % TAR_BLOCK == 0 && n <= sizeof(head));
    archive_read_support_format_tar(a);
    assert_int_equal(archive_read_open_memory(a, head, n), ARCHIVE_OK);
    assert_int_equal(archive_read_next_header(a, out), ARCHIVE_OK);
    return a;
}

static void each_field_is_read_as_it_was_written(void **state)
{
    const struct tar_entry cases[] = {
        {.name = "a", .type = '0', .mode = 04751},
        {.name = "d/", .type = '5', .mode = 01777, .uid = 1001, .gid = 2002},
        {.name = "s", .link = "../x y", .type = '2', .mode = 0777},
        {.name = "h", .link = "a", .type = '1', .mode = 0644},
        {.name = "f", .type = '6', .mode = 0600},
        {.name = long_name, .type = '0', .mode = 0644, .size = 5},
        {.name = long_name, .link = long_link, .type = '2', .mode = 0777},
        {.name = "big", .type = '0', .size = UINT64_C(1) << 33},
        {.name = "bigger", .type = '0', .size = UINT64_C(1) << 50},
        {.name = "ids", .type = '0', .uid = 2097152, .gid = 4294967294},
        {.name = "old", .type = '0', .mtime = -86400},
        {.name = "new", .type = '0', .mtime = INT64_C(1) << 35},
    };

    (void)state;
    memset(long_name, 'n', sizeof(long_name) - 1);
    memset(long_link, 'l', sizeof(long_link) - 1);
    long_name[200] = '/';
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const struct tar_entry *e = &cases[i];
        struct archive_entry *got;
        struct archive *a = read_head(e, &got);
        assert_string_equal(archive_entry_pathname(got), e->name);
        if (e->type == '2')
            assert_string_equal(archive_entry_symlink(got), e->link);
        if (e->type == '1')
            assert_string_equal(archive_entry_hardlink(got), e->link);
        assert_int_equal(archive_entry_perm(got), e->mode);
        assert_int_equal(archive_entry_uid(got), e->uid);
        assert_int_equal(archive_entry_gid(got), e->gid);
        assert_int_equal(archive_entry_size(got), e->size);
        assert_int_equal(archive_entry_mtime(got), e->mtime);
        archive_read_free(a);
    }
}

static void a_name_of_each_length_is_whole(void **state)
{
    static char name[400];

    (void)state;
    for (size_t n = 1; n < sizeof(name); n++) {
        const struct tar_entry e = {.name = name, .type = '0'};
        struct archive_entry *got;
        name[n - 1] = 'x';
        struct archive *a = read_head(&e, &got);
        assert_string_equal(archive_entry_pathname(got), name);
        archive_read_free(a);
    }
}

static void capabilities_are_an_attribute(void **state)
{
    static const char value[] = "\1\0\0\2\0\40\0\0\0\0\0\0\0\0\0\0\0\0\0";
    const struct tar_entry e = {.name = "ping",
                                .type = '0',
                                .mode = 0755,
                                .capability = value,
                                .ncapability = 20};
    struct archive_entry *got;
    struct archive *a = read_head(&e, &got);
    const char *name;
    const void *have;
    size_t len;

    (void)state;
    assert_int_equal(archive_entry_xattr_reset(got), 1);
    assert_int_equal(archive_entry_xattr_next(got, &name, &have, &len), 0);
    assert_string_equal(name, "security.capability");
    assert_int_equal(len, 20);
    assert_memory_equal(have, value, 20);
    archive_read_free(a);
}

static void padding_goes_to_the_next_block(void **state)
{
    (void)state;
    assert_int_equal(tar_padding(0), 0);
    assert_int_equal(tar_padding(1), 511);
    assert_int_equal(tar_padding(512), 0);
    assert_int_equal(tar_padding((UINT64_C(1) << 40) + 513), 511);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_field_is_read_as_it_was_written),
        cmocka_unit_test(a_name_of_each_length_is_whole),
        cmocka_unit_test(capabilities_are_an_attribute),
        cmocka_unit_test(padding_goes_to_the_next_block),
    };

    setenv("CMOCKA_MESSAGE_OUTPUT", "TAP", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
