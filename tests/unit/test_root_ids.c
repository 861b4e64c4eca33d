// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Which IDs of a node a container's are, and that they are nobody else's
// (threats 107, 108).

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "logic/root_ids.h"
#include "stepd/claim.h"

#define N(a) (sizeof(a) / sizeof(*(a)))

static void what_root_ids_says_is_read(void **state)
{
    static const struct {
        const char *text;
        struct root_ids ids; // count 0: it is refused
    } rows[] = {
        {"2000000:65536", {2000000, 65536, 0, NULL}},
        {"65536:65536", {65536, 65536, 0, NULL}},
        {"2000000:65536:1000000000", {2000000, 65536, 1000000000, NULL}},
        {"4294901759:65536", {4294901759, 65536, 0, NULL}},
        {"100000:65536:dockremap", {100000, 65536, 0, "dockremap"}},
        {"100000:65536:_x-1.y", {100000, 65536, 0, "_x-1.y"}},
        {"100000:65535:dockremap", {0}},
        {"100000:65536:1dockremap", {0}},
        {"100000:65536:-dockremap", {0}},
        {"100000:65536:dock remap", {0}},
        {"100000:65536:dock:remap", {0}},
        {"100000:65536::dockremap", {0}},
        {"100000:dockremap", {0}},
        {"dockremap", {0}},
        {"4294901760:65536", {0}}, // the last would be no ID
        {"65535:65536", {0}},
        {"2000000:65535", {0}},
        {"2000000:0", {0}},
        {"0:65536", {0}},
        {"", {0}},
        {"2000000", {0}},
        {"2000000:", {0}},
        {"2000000:65536:", {0}},
        {"2000000:65536:1:1", {0}},
        {"2000000:65536 ", {0}},
        {" 2000000:65536", {0}},
        {"-2000000:65536", {0}},
        {"02000000:65536", {0}},
        {"0x200000:65536", {0}},
        {"4294967295:65536", {0}},
        {"99999999999:65536", {0}},
        {"2000000:65536:4294967295", {0}},
    };

    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        const struct root_ids *want = &rows[i].ids;
        struct root_ids ids = {0};
        if (root_ids_parse(rows[i].text, &ids) != (want->count > 0) ||
            ids.base != want->base || ids.count != want->count ||
            ids.first != want->first ||
            strcmp(ids.account ? ids.account : "",
                   want->account ? want->account : "") != 0)
            fail_msg("\"%s\": %u:%u:%u", rows[i].text, ids.base, ids.count,
                     ids.first);
    }
}

static void each_user_has_a_range_of_his_own(void **state)
{
    static const struct root_ids ids = {2000000, 65536, 0, NULL};
    struct root_range last = {0}, range;

    (void)state;
    for (uid_t uid = 0; uid < 5000; uid++) {
        assert_int_equal(root_ids_place(&ids, uid, &range, NULL), 0);
        assert_int_equal(range.count, 65536);
        assert_int_equal(range.start, 2000000 + uid * 65536);
        if (uid > 0)
            assert_false(root_range_meets(&range, last.start, last.count));
        last = range;
    }
}

static void who_has_no_range_is_told(void **state)
{
    static const struct {
        struct root_ids ids;
        uid_t uid;
        int64_t start; // -1: there is none
    } rows[] = {
        {{2000000, 65536, 0, NULL}, 65504, 2000000 + INT64_C(65504) * 65536},
        {{2000000, 65536, 0, NULL}, 65505, -1}, // it would be past the last ID
        {{2000000, 65536, 0, NULL}, 1999999, -1},
        {{2000000, 65536, 0, NULL}, 2000000, -1}, // among the ranges himself
        {{2000000, 65536, 1000, NULL}, 999, -1},
        {{2000000, 65536, 1000, NULL}, 1000, 2000000},
        {{2000000000, 65536, 1000000000, NULL}, 1000000002, 2000131072},
        {{2000000000, 65536, 1000000000, NULL}, 2000000000, -1},
        {{2000000000, 65536, 1000000000, NULL}, 4294967294, -1},
    };

    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        struct root_range range = {7, 7};
        struct berth_err err = {0};
        int rc = root_ids_place(&rows[i].ids, rows[i].uid, &range, &err);
        if (rc != (rows[i].start < 0 ? -1 : 0) ||
            range.start != (rows[i].start < 0 ? 7 : rows[i].start))
            fail_msg("row %zu: %d, %u", i, rc, range.start);
        if (rc < 0)
            assert_int_equal(err.code, BERTH_EDENIED);
    }
}

// A Docker has one for all of them (threat 118).
static void an_accounts_range_is_all_users(void **state)
{
    static const struct root_ids ids = {100000, 65536, 0, "dockremap"};
    static const struct {
        uid_t uid;
        bool has;
    } rows[] = {
        {0, true},       {1001, true},   {99999, true},
        {100000, false}, // he would be root of all
        {165535, false}, {165536, true}, {4000000000, true},
    };

    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        struct root_range range = {7, 7};
        int rc = root_ids_place(&ids, rows[i].uid, &range, NULL);
        if (rc != (rows[i].has ? 0 : -1) ||
            range.start != (rows[i].has ? 100000 : 7))
            fail_msg("%u: %d, %u", rows[i].uid, rc, range.start);
    }
}

// By what an engine says of itself; what it does is compared after each start
// (threat 120).
static void an_engine_suits_or_not_and_why(void **state)
{
    static const struct root_ids each = {2000000, 65536, 0, NULL};
    static const struct root_ids all = {100000, 65536, 0, "dockremap"};
    static const struct {
        const struct root_ids *ids;
        bool podman;
        const char *dir;
        const char *why; // NULL: it does
    } rows[] = {
        {&each, true, "", NULL},
        {&all, true, "", "a map of IDs for each user"},
        {&each, false, "/var/lib/docker", "no map of IDs"},
        {&all, false, "/var/lib/docker", "no map of IDs"},
        {&all, false, "", "no map of IDs"},
        {&all, false, "/var/lib/docker/100000.100000", NULL},
        {&all, false, "/100000.100000/docker", "no map of IDs"},
        {&all, false, "/var/lib/docker/100000.100000x", "no map of IDs"},
        {&each, false, "/var/lib/docker/100000.100000", "needs its account"},
        {&all, false, "/x/231072.100000", "at 231072 for users and at 100000"},
        {&all, false, "/x/100000.231072", "at 100000 for users and at 231072"},
    };
    char why[ROOT_IDS_WHY_MAX];

    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        why[0] = 0;
        if (root_ids_suit(rows[i].ids, rows[i].podman, rows[i].dir, why) !=
                !rows[i].why ||
            !strstr(why, rows[i].why ? rows[i].why : ""))
            fail_msg("row %zu: %s", i, why);
    }
}

static void ranges_meet_where_they_share_an_id(void **state)
{
    static const struct root_range range = {100, 10};

    (void)state;
    assert_false(root_range_meets(&range, 99, 1));
    assert_true(root_range_meets(&range, 100, 1));
    assert_true(root_range_meets(&range, 109, 1));
    assert_false(root_range_meets(&range, 110, 1));
    assert_true(root_range_meets(&range, 90, 11));
    assert_true(root_range_meets(&range, 0, 1000));
    assert_true(root_range_meets(&range, 0, UINT64_MAX / 2));
    assert_false(root_range_meets(&range, 105, 0));
}

// What ID is shown as by the map TEXT, or -1. (threat 108)
static int64_t shown(const char *text, uint64_t id)
{
    unsigned long long disk, to, count;
    int64_t found = -1;
    int used;

    for (; sscanf(text, "%llu %llu %llu\n%n", &disk, &to, &count, &used) == 3;
         text += used)
        if (id >= disk && id < disk + count) {
            assert_int_equal(found, -1);
            found = (int64_t)(to + id - disk);
        }
    assert_string_equal(text, "");
    return found;
}

static void a_mounts_map_has_the_users_ids_and_all_others(void **state)
{
    static const struct root_range range = {2000000, 65536};
    static const struct root_pair pairs[] = {
        {1001, 2000000}, {5000, 2005000}, {5001, 2005001}, {44, 2000044}};
    static const struct {
        uint64_t id;
        int64_t shown;
    } rows[] = {
        {0, 0},
        {1, 1},
        {44, 2000044},
        {1000, 1000},
        {1001, 2000000},
        {1002, 1002},
        {5000, 2005000},
        {5001, 2005001},
        {5002, 5002},
        {65534, 65534},
        {1999999, 1999999},
        {2000000, -1},
        {2000001, -1},
        {2065535, -1},
        {2065536, 2065536},
        {4294967294, 4294967294},
        {4294967295, -1},
    };
    char text[ROOT_MAP_MAX];

    (void)state;
    root_map_text(&range, pairs, N(pairs), text);
    for (size_t i = 0; i < N(rows); i++)
        if (shown(text, rows[i].id) != rows[i].shown)
            fail_msg("%llu: %lld", (unsigned long long)rows[i].id,
                     (long long)shown(text, rows[i].id));
    // At the ends.
    root_map_text(&(struct root_range){4294901759, 65536},
                  (struct root_pair[]){{0, 4294901759}}, 1, text);
    assert_int_equal(shown(text, 0), 4294901759);
    assert_int_equal(shown(text, 4294901758), 4294901758);
    assert_int_equal(shown(text, 4294967294), -1);
}

static void a_map_is_no_longer_than_the_kernel_takes(void **state)
{
    static const struct root_range range = {4000000000, 65536};
    struct root_pair pairs[2000];
    char text[ROOT_MAP_MAX];
    size_t lines = 0;

    (void)state;
    for (uint32_t i = 0; i < N(pairs); i++)
        pairs[i] = (struct root_pair){3000000000 + 7 * i, 4000000000 + i};
    root_map_text(&range, pairs, N(pairs), text);
    for (const char *p = text; (p = strchr(p, '\n')); p++)
        lines++;
    assert_in_range(lines, 3, 340);
    assert_in_range(strlen(text), 1, 4095);
    assert_int_equal(shown(text, 3000000000), 4000000000);
    assert_int_equal(shown(text, 3000000000 + 7 * 1999), 3000000000 + 7 * 1999);
    assert_int_equal(shown(text, 4294967294), 4294967294);
}

// A directory in the place of /etc with one line in one of its files.
static void write_in(const char *dir, const char *name, const char *line)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    if (*line)
        fprintf(f, "%s\n", line);
    fclose(f);
}

static void put(const char *dir, const char *name, const char *line)
{
    static const char *const all[] = {"passwd", "group", "subuid", "subgid"};

    for (size_t i = 0; i < N(all); i++)
        write_in(dir, all[i], strcmp(all[i], name) == 0 ? line : "");
}

static void what_the_node_has_is_no_containers(void **state)
{
    static const struct root_range range = {3000000000, 65536};
    static const struct {
        const char *file, *line;
        const char *sentence; // NULL: it is fine
    } rows[] = {
        {"passwd", "eve:x:1001:1001::/:/bin/sh", NULL},
        {"passwd", "eve:x:2999999999:1001::/:/bin/sh", NULL},
        {"passwd", "eve:x:3000000000:1001::/:/bin/sh", "the user eve"},
        {"passwd", "eve:x:3000065535:1001::/:/bin/sh", "the user eve"},
        {"passwd", "eve:x:3000065536:1001::/:/bin/sh", NULL},
        {"group", "chem:x:3000000007:", "the group chem"},
        {"group", "chem:x:100:", NULL},
        {"subuid", "eve:2999999000:1000", NULL},
        {"subuid", "eve:2999999000:1001", "those of subuid(5) for eve"},
        {"subgid", "eve:100000:4000000000", "those of subgid(5) for eve"},
        {"subgid", "no line", NULL},
    };
    char dir[] = "/tmp/berth-ids-XXXXXX", path[256];

    (void)state;
    assert_non_null(mkdtemp(dir));
    for (size_t i = 0; i < N(rows); i++) {
        struct berth_err err = {0};
        put(dir, rows[i].file, rows[i].line);
        int rc = claim_check(dir, &range, NULL, &err);
        if (rc != (rows[i].sentence ? -1 : 0) ||
            (rows[i].sentence && !strstr(err.text, rows[i].sentence)))
            fail_msg("%s: %s", rows[i].line, err.text);
    }
    for (size_t i = 0; i < 4; i++) {
        static const char *const all[] = {"passwd", "group", "subuid",
                                          "subgid"};
        snprintf(path, sizeof(path), "%s/%s", dir, all[i]);
        unlink(path);
    }
    rmdir(dir);
}

// Of a Docker's own account, but of nobody who could be in it (threat 119).
static void an_account_has_its_range_and_no_other(void **state)
{
    static const struct root_range range = {100000, 65536};
    static const struct {
        const char *passwd, *subuid, *subgid;
        const char *sentence; // NULL: it is fine
    } rows[] = {
        {"a:x:104:109::/:/bin/false", "a:100000:65536", "a:100000:65536", NULL},
        {"a:x:999:999::/:/bin/false", "", "", NULL},
        {"a:x:1000:999::/:/bin/sh", "", "", "a, whose IDs you would be root"},
        {"b:x:104:109::/:/bin/false", "", "", "is no system account"},
        {"a:x:1000:1000::/:/bin/sh\na:x:104:109::/:/bin/false", "", "",
         "is no system account"},
        {"aa:x:104:109::/:/bin/false", "", "", "is no system account"},
        {"a:x:104:109::/:/bin/false", "a:100000:65537", "", "subuid(5) for a"},
        {"a:x:104:109::/:/bin/false", "a:99999:65536", "", "subuid(5) for a"},
        {"a:x:104:109::/:/bin/false", "a:100000:65536\neve:100000:65536", "",
         "subuid(5) for eve"},
        {"a:x:104:109::/:/bin/false", "104:100000:65536", "",
         "subuid(5) for 104"},
        {"a:x:104:109::/:/bin/false", "a:100000:65536", "eve:165535:1",
         "subgid(5) for eve"},
        {"a:x:104:109::/:/bin/false\neve:x:100007:100::/:/bin/sh", "", "",
         "the user eve"},
    };
    static const char *const all[] = {"passwd", "subuid", "subgid"};
    char dir[] = "/tmp/berth-ids-XXXXXX", path[256];

    (void)state;
    assert_non_null(mkdtemp(dir));
    for (size_t i = 0; i < N(rows); i++) {
        struct berth_err err = {0};
        write_in(dir, "passwd", rows[i].passwd);
        write_in(dir, "subuid", rows[i].subuid);
        write_in(dir, "subgid", rows[i].subgid);
        int rc = claim_check(dir, &range, "a", &err);
        if (rc != (rows[i].sentence ? -1 : 0) ||
            (rows[i].sentence && !strstr(err.text, rows[i].sentence)))
            fail_msg("row %zu: %s", i, err.text);
    }
    for (size_t i = 0; i < N(all); i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, all[i]);
        unlink(path);
    }
    rmdir(dir);
}

static void what_cannot_be_read_is_not_taken_for_empty(void **state)
{
    static const struct root_range range = {3000000000, 65536};
    static const char *const all[] = {"passwd", "group", "subuid", "subgid"};
    char dir[] = "/tmp/berth-ids-XXXXXX", path[256];
    struct berth_err err = {0};

    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(claim_check(dir, &range, NULL, &err), 0); // there is none
    for (size_t i = 0; i < N(all); i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, all[i]);
        assert_return_code(symlink(all[i], path), errno); // to itself
        assert_int_equal(claim_check(dir, &range, NULL, &err), -1);
        assert_non_null(strstr(err.text, all[i]));
        unlink(path);
    }
    rmdir(dir);
}

static void who_had_an_id_before_is_remembered(void **state)
{
    static const struct {
        uid_t uid;
        struct root_range range;
        bool had;
    } rows[] = {
        {1001, {2000000, 65536}, true},
        {1001, {2000000, 65536}, true},
        {1002, {2065536, 65536}, true},
        {1003, {2000000, 65536}, false},
        {1003, {2131071, 65536}, false},
        {1003, {2131072, 65536}, true},
        {1001, {4000000, 65536}, true},  // he may have another one
        {1003, {2000000, 65536}, false}, // which does not free the first
        {1001, {2000000, 131072}, false},
        {CLAIM_ALL, {2000000, 65536}, false},
        {CLAIM_ALL, {100000, 65536}, true},
        {CLAIM_ALL, {100000, 65536}, true},
        {1001, {165535, 65536}, false}, // all have had that one
    };
    char dir[] = "/tmp/berth-ids-XXXXXX", command[128];
    struct stat st;

    (void)state;
    assert_non_null(mkdtemp(dir));
    for (size_t i = 0; i < N(rows); i++) {
        struct berth_err err = {0};
        int rc = claim_note(dir, rows[i].uid, &rows[i].range, &err);
        if (rc != (rows[i].had ? 0 : -1))
            fail_msg("row %zu: %s", i, err.text);
    }
    snprintf(command, sizeof(command), "%s/ids", dir);
    assert_int_equal(stat(command, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    assert_int_equal(system(command), 0);
}

// What is saved of a container (threats 114 and 116).
static void a_map_is_a_ranges_or_not(void **state)
{
    static const struct root_range range = {2000000, 65536};
    static const struct {
        const char *map;
        bool is;
    } rows[] = {
        {"         0    2000000      65536\n", true},
        {"0 2000000 65536", true},
        {"", false},
        {"0 2000000", false},
        {"1 2000000 65536\n", false},
        {"0 2000001 65536\n", false},
        {"0 2000000 65537\n", false},
        {"0 0 4294967295\n", false},
        {"0 2000000 65536\n65536 0 1\n", false},
    };

    (void)state;
    for (size_t i = 0; i < N(rows); i++)
        if (root_range_is(&range, rows[i].map) != rows[i].is)
            fail_msg("%s", rows[i].map);
}

static void an_id_inside_is_the_nodes_less_the_first(void **state)
{
    static const struct root_range range = {2000000, 65536}, none = {0, 0};
    static const struct {
        uint32_t id;
        int64_t inside; // -1: there is none
    } rows[] = {
        {2000000, 0},     {2000007, 7},
        {2065534, 65534}, {2065535, 65535},
        {1999999, -1},    {2065536, -1},
        {0, -1},          {1001, -1},
        {UINT32_MAX, -1}, {UINT32_MAX - 1, -1},
    };
    uint32_t inside;

    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        inside = 4711;
        bool is = root_range_inside(&range, rows[i].id, &inside);
        if (is != (rows[i].inside >= 0) ||
            inside != (is ? rows[i].inside : 4711))
            fail_msg("%u is %u", rows[i].id, inside);
        // Without a range there is nothing to be taken back.
        assert_true(root_range_inside(&none, rows[i].id, &inside));
        assert_int_equal(inside, rows[i].id);
    }
}

static void capabilities_are_any_roots_or_refused(void **state)
{
    // 2000000 is 0x1e8480.
    static const struct root_range range = {2000000, 65536}, none = {0, 0};
    static const struct {
        const char *cap;
        size_t len;
        const char *want; // NULL: refused
        size_t want_len;
    } rows[] = {
        {"\1\0\0\3PPPPIIIIppppiiii\x80\x84\x1e\0", 24,
         "\1\0\0\2PPPPIIIIppppiiii", 20},
        {"\0\0\0\2PPPPIIIIppppiiii", 20, "\0\0\0\2PPPPIIIIppppiiii", 20},
        // Of who is 7 inside, of the node's root, of a neighbour's.
        {"\1\0\0\3PPPPIIIIppppiiii\x87\x84\x1e\0", 24, NULL, 0},
        {"\1\0\0\3PPPPIIIIppppiiii\0\0\0\0", 24, NULL, 0},
        {"\1\0\0\3PPPPIIIIppppiiii\x80\x84\x1f\0", 24, NULL, 0},
        // Of no length, or of no kind, that the kernel has.
        {"\1\0\0\3PPPPIIIIppppiiii", 20, NULL, 0},
        {"\1\0\0\2PPPPIIIIppppiiii\x80\x84\x1e\0", 24, NULL, 0},
        {"\1\0\0\4PPPPIIIIppppiiii\x80\x84\x1e\0", 24, NULL, 0},
        {"\1\0\0\1PPPPIIII", 12, NULL, 0},
        {"\1\0\0", 3, NULL, 0},
    };

    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        unsigned char cap[ROOT_CAPABILITY_MAX] = {0};
        size_t len = rows[i].len;
        memcpy(cap, rows[i].cap, len);
        assert_true(root_range_capability(&none, cap, &len));
        assert_int_equal(len, rows[i].len);
        assert_memory_equal(cap, rows[i].cap, len);
        if (root_range_capability(&range, cap, &len) != !!rows[i].want)
            fail_msg("row %zu", i);
        if (!rows[i].want)
            continue;
        assert_int_equal(len, rows[i].want_len);
        assert_memory_equal(cap, rows[i].want, len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_root_ids_says_is_read),
        cmocka_unit_test(an_account_has_its_range_and_no_other),
        cmocka_unit_test(an_engine_suits_or_not_and_why),
        cmocka_unit_test(an_accounts_range_is_all_users),
        cmocka_unit_test(each_user_has_a_range_of_his_own),
        cmocka_unit_test(who_has_no_range_is_told),
        cmocka_unit_test(ranges_meet_where_they_share_an_id),
        cmocka_unit_test(a_mounts_map_has_the_users_ids_and_all_others),
        cmocka_unit_test(a_map_is_no_longer_than_the_kernel_takes),
        cmocka_unit_test(a_map_is_a_ranges_or_not),
        cmocka_unit_test(an_id_inside_is_the_nodes_less_the_first),
        cmocka_unit_test(capabilities_are_any_roots_or_refused),
        cmocka_unit_test(what_the_node_has_is_no_containers),
        cmocka_unit_test(what_cannot_be_read_is_not_taken_for_empty),
        cmocka_unit_test(who_had_an_id_before_is_remembered),
    };

    return cmocka_run_group_tests_name("root_ids", tests, NULL, NULL);
}
