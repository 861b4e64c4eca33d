// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "logic/sparse.h"

// A block that is the header of a sparse file of GNU's, of as many bytes as
// SIZE (12 characters) says.
static void header(unsigned char block[SPARSE_BLOCK], const void *size)
{
    unsigned sum = 0;

    memset(block, 0, SPARSE_BLOCK);
    strcpy((char *)block, "file");
    block[156] = 'S';
    memcpy(block + 257, "ustar  ", 8);
    memcpy(block + 483, size, 12);
    memset(block + 148, ' ', 8);
    for (int i = 0; i < SPARSE_BLOCK; i++)
        sum += block[i];
    snprintf((char *)block + 148, 8, "%06o", sum);
}

// What is found in LEN bytes that come in parts of PART.
static uint64_t found(const void *data, size_t len, size_t part)
{
    struct sparse sparse = {.bytes = 0};

    for (size_t i = 0; i < len; i += part)
        sparse_add(&sparse, (const char *)data + i,
                   len - i < part ? len - i : part);
    return sparse.bytes;
}

// However it is cut into parts.
static void assert_found(const void *data, size_t len, uint64_t want)
{
    static const size_t parts[] = {1, 7, 511, 512, 513, 1024, 4096};

    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
        assert_int_equal(found(data, len, parts[i]), want);
}

static void a_header_says_it(void **state)
{
    static unsigned char tar[4][SPARSE_BLOCK];

    (void)state;
    header(tar[1], "00000001750");
    assert_found(tar, sizeof(tar), 1000);
    header(tar[3], "77777777777");
    assert_found(tar, sizeof(tar), 1000 + 077777777777ULL);
    header(tar[1], "\x80\0\0\0\0\0\x10\0\0\0\0\0");
    header(tar[3], "00000000000");
    assert_found(tar, sizeof(tar), UINT64_C(0x100000000000));
    header(tar[1], "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff");
    header(tar[3], "\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff");
    assert_found(tar, sizeof(tar), UINT64_C(1) << 60);
}

static void the_sum_may_be_of_signed_bytes(void **state)
{
    static unsigned char tar[SPARSE_BLOCK];
    unsigned sum = 0;

    (void)state;
    header(tar, "00000001750");
    tar[0] = 0xe4;
    memset(tar + 148, ' ', 8);
    for (int i = 0; i < SPARSE_BLOCK; i++)
        sum += (unsigned)(signed char)tar[i];
    snprintf((char *)tar + 148, 8, "%06o", sum);
    assert_found(tar, sizeof(tar), 1000);
}

static void what_is_no_such_header_says_nothing(void **state)
{
    static unsigned char tar[3][SPARSE_BLOCK];

    (void)state;
    header(tar[1], "00000001750");
    tar[1][156] = '0';
    assert_found(tar, sizeof(tar), 0);
    header(tar[1], "00000001750");
    tar[1][0] ^= 1;
    assert_found(tar, sizeof(tar), 0);
    // Elsewhere than where headers are.
    header(tar[1], "00000001750");
    memmove((char *)tar + 256, tar[1], SPARSE_BLOCK);
    memset((char *)tar + 256 + SPARSE_BLOCK, 0, 256);
    assert_found(tar, sizeof(tar), 0);
}

// Of random bytes one block in some millions has a sum that would fit, if what
// is no number were none.
static void compressed_data_say_nothing(void **state)
{
    static unsigned char tar[SPARSE_BLOCK];
    int sum = 0;

    (void)state;
    for (int i = 0; i < SPARSE_BLOCK; i++)
        tar[i] = (unsigned char)(i * 89 + i / 256 * 7);
    tar[156] = 'S';
    memcpy(tar + 148, "\x1f|,\xbfV\xfd\xbau", 8);
    memcpy(tar + 483,
           "\xad\xbb;\x11\xf0k\xb7.\xcd\x04"
           "e\xbc",
           12);
    // The signed sum is 0.
    for (int i = 0; i < SPARSE_BLOCK; i++)
        sum += i >= 148 && i < 156 ? ' ' : (signed char)tar[i];
    for (int i = 300; sum != 0; i++) {
        int change = sum > 100 ? -100 : sum < -100 ? 100 : -sum;
        int value = (signed char)tar[i] + change;
        if (value < -128 || value > 127)
            continue;
        tar[i] = (unsigned char)value;
        sum += change;
    }
    assert_found(tar, sizeof(tar), 0);
}

static void a_sum_is_written_in_several_ways(void **state)
{
    // Around its six digits.
    static const char *const forms[][2] = {{"", ""},    {"", " "},  {"0", ""},
                                           {"00", ""},  {" ", " "}, {"  ", ""},
                                           {"", " \t"}, {"\t", ""}};
    static unsigned char tar[SPARSE_BLOCK];
    char digits[8];

    (void)state;
    header(tar, "00000001750");
    memcpy(digits, tar + 148, sizeof(digits));
    for (size_t f = 0; f < sizeof(forms) / sizeof(*forms); f++) {
        size_t before = strlen(forms[f][0]);
        memset(tar + 148, 0, 8);
        memcpy(tar + 148, forms[f][0], before);
        memcpy(tar + 148 + before, digits, 6);
        memcpy(tar + 148 + before + 6, forms[f][1], strlen(forms[f][1]));
        assert_found(tar, sizeof(tar), 1000);
    }
}

static void records_say_it(void **state)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } cases[] = {
        {"23 GNU.sparse.size=100\n", 100},
        {"27 GNU.sparse.realsize=1234\n", 1234},
        {"GNU.sparse.size=7\nGNU.sparse.realsize=8\n", 15},
        {"GNU.sparse.size=+0000000000000000000000000000000042\n", 42},
        {"GNU.sparse.size=99999999999999999999999999\n", UINT64_C(1) << 60},
        {"GGNU.sparse.GNU.sparse.size=5\n", 5},
        {"GNU.sparse.rGNU.sparse.size=6\n", 6},
        {"GNU.sparse.size=1GNU.sparse.size=2\n", 3},
        {"GNU.sparse.major=1\nGNU.sparse.minor=0\n", 0},
        {"GNU.sparse.numblocks=12\nGNU.sparse.offset=3\n", 0},
        {"GNU.sparse.size=\n", 0},
        {"GNU.sparse.sizes=5\n", 0},
        {"size=5\nrealsize=5\n", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        assert_found(cases[i].text, strlen(cases[i].text), cases[i].bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_says_it),
        cmocka_unit_test(the_sum_may_be_of_signed_bytes),
        cmocka_unit_test(what_is_no_such_header_says_nothing),
        cmocka_unit_test(compressed_data_say_nothing),
        cmocka_unit_test(a_sum_is_written_in_several_ways),
        cmocka_unit_test(records_say_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
