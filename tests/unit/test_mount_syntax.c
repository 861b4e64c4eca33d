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

#include "logic/decide.h"
#include "logic/limits.h"
#include "logic/mount_syntax.h"
#include "logic/path.h"
#include "logic/variables.h"

#define COUNT(table) (sizeof(table) / sizeof(*(table)))
#define A50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A250 A50 A50 A50 A50 A50

static void refuses_mounts_that_users_cannot_mean(void **state)
{
    static const struct {
        const char *text, *sentence;
    } cases[] = {
        {"", "--container-mounts has an empty mount: write SRC[:DST][:ro|rw], "
             "with a comma between two"},
        {"/a,,/b", "--container-mounts has an empty mount: write "
                   "SRC[:DST][:ro|rw], with a comma between two"},
        {"/a,", "--container-mounts has an empty mount: write "
                "SRC[:DST][:ro|rw], with a comma between two"},
        {":", "--container-mounts=:: a path in it is empty: write "
              "SRC[:DST][:ro|rw]"},
        {"/a:", "--container-mounts=/a:: a path in it is empty: write "
                "SRC[:DST][:ro|rw]"},
        {":/b", "--container-mounts=:/b: a path in it is empty: write "
                "SRC[:DST][:ro|rw]"},
        {"/a::ro", "--container-mounts=/a::ro: a path in it is empty: write "
                   "SRC[:DST][:ro|rw]"},
        {"/a:/b:rx", "--container-mounts=/a:/b:rx: \"rx\" is no flag that "
                     "berth knows: write ro or rw"},
        {"/a:/b:RO", "--container-mounts=/a:/b:RO: \"RO\" is no flag that "
                     "berth knows: write ro or rw"},
        {"/a:/b:ro+dev", "--container-mounts=/a:/b:ro+dev: \"dev\" is no "
                         "flag that berth knows: write ro or rw"},
        {"/a:/b:ro:rw", "--container-mounts=/a:/b:ro:rw: it has more than two "
                        "':', and a path with one cannot be written: write "
                        "SRC[:DST][:ro|rw]"},
        {"/x:/etc:/y:rw", "--container-mounts=/x:/etc:/y:rw: it has more than "
                          "two ':', and a path with one cannot be written: "
                          "write SRC[:DST][:ro|rw]"},
        {"/a:b", "--container-mounts=/a:b: the place in the container, \"b\", "
                 "is not absolute: write SRC[:DST][:ro|rw]"},
        {"/a:./b:ro", "--container-mounts=/a:./b:ro: the place in the "
                      "container, \"./b\", is not absolute: write "
                      "SRC[:DST][:ro|rw]"},
        {"/a:/b:ro+nodev+rw",
         "--container-mounts=/a:/b:ro+nodev+rw: ro and rw exclude each other: "
         "write one of them"},
        {"~/x:/y", "--container-mounts=~/x:/y: ~ is not expanded here: write "
                   "the path, or $HOME where a shell reads it"},
        {"/a:~/y", "--container-mounts=/a:~/y: ~ is not expanded here: write "
                   "the path, or $HOME where a shell reads it"},
        {"$PWD:/y",
         "--container-mounts=$PWD:/y: variables are not expanded here, nor in "
         "#SBATCH lines: write the path, or \".\" for the working directory"},
        {"umount:x", "--container-mounts=umount:x: what is declined is written "
                     "umount:DST, and DST is absolute"},
        {"umount:/x/..", "--container-mounts=umount:/x/..: it has \"..\" in "
                         "it: write the path without"},
        {"/a:/b/..", "--container-mounts=/a:/b/..: it has \"..\" in it: write "
                     "the path without"},
        {"tmpfs", "--container-mounts=tmpfs: a tmpfs is written tmpfs:DST, "
                  "and a directory of that name ./tmpfs:DST"},
        {"tmpfs:/a:ro", "--container-mounts=tmpfs:/a:ro: a tmpfs is written "
                        "tmpfs:DST, and a directory of that name ./tmpfs:DST"},
        {"tmpfs:rw", "--container-mounts=tmpfs:rw: a tmpfs is written "
                     "tmpfs:DST, and a directory of that name ./tmpfs:DST"},
        {"/a,/b\n:x", "--container-mounts=/b?:x: the place in the container, "
                      "\"x\", is not absolute: write SRC[:DST][:ro|rw]"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct mounts mounts;
        struct berth_err err = {0};
        assert_int_equal(mounts_parse(cases[i].text, "/w", &mounts, &err), -1);
        assert_int_equal(err.code, BERTH_EINVAL);
        assert_string_equal(err.text, cases[i].sentence);
        assert_null(mounts.v);
        assert_int_equal(mounts.n, 0);
    }
}

static void refuses_what_is_relative_to_nothing(void **state)
{
    struct mounts mounts;
    struct berth_err err = {0};

    (void)state;
    assert_int_equal(mounts_parse("data", NULL, &mounts, &err), -1);
    assert_string_equal(err.text, "--container-mounts=data: it is not "
                                  "absolute, and the working directory is "
                                  "unknown: write an absolute path");
    assert_int_equal(mounts_parse("/data", NULL, &mounts, &err), 0);
    mounts_clear(&mounts);
}

static void refuses_too_many_and_too_long(void **state)
{
    static char text[2 * BERTH_MOUNTS_MAX + 3], path[BERTH_PATH_MAX + 1];
    struct mounts mounts;
    struct berth_err err;

    (void)state;
    for (int i = 0; i <= BERTH_MOUNTS_MAX; i++)
        strcat(text, i ? ",a" : "a");
    assert_int_equal(mounts_parse(text, "/", &mounts, &err), -1);
    assert_string_equal(err.text, "--container-mounts has more than 64 "
                                  "mounts: leave some out");
    assert_int_equal(mounts_parse(text + 2, "/", &mounts, &err), 0);
    assert_int_equal(mounts.n, 64);
    mounts_clear(&mounts);
    memset(path, 'a', BERTH_PATH_MAX);
    path[0] = '/';
    assert_int_equal(mounts_parse(path, "/", &mounts, &err), -1);
    assert_non_null(strstr(err.text, "it is longer than a path can be"));
    path[BERTH_PATH_MAX - 1] = 0;
    assert_int_equal(mounts_parse(path, "/", &mounts, &err), 0);
    mounts_clear(&mounts);
}

static void keeps_what_is_declined(void **state)
{
    struct mounts mounts;

    (void)state;
    assert_int_equal(
        mounts_parse("umount:/x/,/a,umount:/y//z", "/w", &mounts, NULL), 0);
    assert_int_equal(mounts.n, 1);
    assert_int_equal(mounts.ndeclined, 2);
    assert_string_equal(mounts.declined[0], "/x");
    assert_string_equal(mounts.declined[1], "/y/z");
    assert_false(mounts.none);
    mounts_clear(&mounts);
}

static void takes_mounts_apart(void **state)
{
    static const struct {
        const char *text, *source, *target;
        enum mount_flag flag;
    } cases[] = {
        {"/a", "/a", "/a", MOUNT_UNSAID},
        {"/a:/b", "/a", "/b", MOUNT_UNSAID},
        {"/a:/b:ro", "/a", "/b", MOUNT_RO},
        {"/a:/b:rw", "/a", "/b", MOUNT_RW},
        {"/a:ro", "/a", "/a", MOUNT_RO},
        {"/a:rw", "/a", "/a", MOUNT_RW},
        {"data", "/w/d/data", "/w/d/data", MOUNT_UNSAID},
        {"./data/:/b/", "/w/d/data", "/b", MOUNT_UNSAID},
        {".", "/w/d", "/w/d", MOUNT_UNSAID},
        {".:/b:ro", "/w/d", "/b", MOUNT_RO},
        {"//a//.//b/./", "/a/b", "/a/b", MOUNT_UNSAID},
        {"/", "/", "/", MOUNT_UNSAID},
        {"/...:/..b", "/...", "/..b", MOUNT_UNSAID},
        {"./tmpfs:/b", "/w/d/tmpfs", "/b", MOUNT_UNSAID},
        {"/tmpfs", "/tmpfs", "/tmpfs", MOUNT_UNSAID},
        {"tmpfs:/b/", NULL, "/b", MOUNT_UNSAID},
        {"/a b:/c d", "/a b", "/c d", MOUNT_UNSAID},
        {"./~:/b", "/w/d/~", "/b", MOUNT_UNSAID},
        {"./$x:/b", "/w/d/$x", "/b", MOUNT_UNSAID},
        {"../x:/b", "/w/x", "/b", MOUNT_UNSAID},
        {"..", "/w", "/w", MOUNT_UNSAID},
        {"../../../../x/", "/x", "/x", MOUNT_UNSAID},
        {"/a/../b/./../../..", "/", "/", MOUNT_UNSAID},
        {"/a/b/../c:/d", "/a/c", "/d", MOUNT_UNSAID},
        {"/a:/b:", "/a", "/b", MOUNT_UNSAID},
        {"/a:/b:nodev+ro+nosuid", "/a", "/b", MOUNT_RO},
        {"/a:/b:bind+x-create=auto", "/a", "/b", MOUNT_UNSAID},
        {"/a:nosuid+rw", "/a", "/a", MOUNT_RW},
        {"/a:rprivate", "/a", "/a", MOUNT_UNSAID},
        {"tmpfs:/b:rw", NULL, "/b", MOUNT_RW},
        {"%h", "/w/d/%h", "/w/d/%h", MOUNT_UNSAID},
        {"/ro:/rw:ro", "/ro", "/rw", MOUNT_RO},
        {"ro", "/w/d/ro", "/w/d/ro", MOUNT_UNSAID},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct mounts mounts;
        struct berth_err err = {0};
        if (mounts_parse(cases[i].text, "/w/d", &mounts, &err) < 0)
            fail_msg("%s", err.text);
        assert_int_equal(mounts.n, 1);
        if (cases[i].source)
            assert_string_equal(mounts.v[0].source, cases[i].source);
        else
            assert_null(mounts.v[0].source);
        assert_string_equal(mounts.v[0].target, cases[i].target);
        assert_int_equal(mounts.v[0].flag, cases[i].flag);
        errno = ENOTTY;
        mounts_clear(&mounts);
        assert_int_equal(errno, ENOTTY);
    }
}

static void refuses_rules_that_are_none(void **state)
{
    static const struct {
        const char *text;
        bool globs;
        const char *sentence;
    } cases[] = {
        {"", false, "a path in it is empty: write SRC[:DST][:ro|rw]"},
        {"a", false,
         "a is no absolute path without empty components, \".\" "
         "and \"..\", and below /: write SOURCE[:TARGET][:ro|rw]"},
        {"/", true,
         "/ is no absolute path without empty components, \".\" "
         "and \"..\", and below /: write SOURCE[:TARGET][:ro|rw]"},
        {"/a/", true,
         "/a/ is no absolute path without empty components, "
         "\".\" and \"..\", and below /: write "
         "SOURCE[:TARGET][:ro|rw]"},
        {"/a//b", true,
         "/a//b is no absolute path without empty components, "
         "\".\" and \"..\", and below /: write "
         "SOURCE[:TARGET][:ro|rw]"},
        {"/a/../b", true,
         "/a/../b is no absolute path without empty "
         "components, \".\" and \"..\", and below /: write "
         "SOURCE[:TARGET][:ro|rw]"},
        {"/a:b", true,
         "b is no absolute path without empty components, \".\" "
         "and \"..\", and below /: write "
         "SOURCE[:TARGET][:ro|rw]"},
        {"/a:/", true,
         "/ is no absolute path without empty components, \".\" "
         "and \"..\", and below /: write "
         "SOURCE[:TARGET][:ro|rw]"},
        {"%u/x", false,
         "%u/x is no absolute path without empty components, "
         "\".\" and \"..\", and below /: write "
         "SOURCE[:TARGET][:ro|rw]"},
        {"%hx", false,
         "%hx is no absolute path without empty components, "
         "\".\" and \"..\", and below /: write "
         "SOURCE[:TARGET][:ro|rw]"},
        {"/a:/b:wr", false,
         "\"wr\" is no flag that berth knows: write ro or "
         "rw"},
        {"/a/*", false,
         "a '*' stands only in sources of mounts_allowed: name "
         "one path"},
        {"/a:/b/*", true,
         "a '*' stands only in sources of mounts_allowed: "
         "name one path"},
        {"/a?", true, "patterns know * and ** only, and neither ? nor ["},
        {"/a[b]", true, "patterns know * and ** only, and neither ? nor ["},
        {"/a/b**", true,
         "** stands for whole components: write it between "
         "slashes"},
        {"/a/**b", true,
         "** stands for whole components: write it between "
         "slashes"},
        {"/a/***", true,
         "** stands for whole components: write it between "
         "slashes"},
        {"/%x", false,
         "%x is no variable that berth knows: %u is the user, "
         "%U his number, %g his group, %h his home, %j the job, "
         "and %% the sign itself"},
        {"/a%", false,
         "% is no variable that berth knows: %u is the user, %U "
         "his number, %g his group, %h his home, %j the job, "
         "and %% the sign itself"},
        {"/a/%h", true, "%h is a whole path: write it at the start"},
        {"%h/%%%h", true, "%h is a whole path: write it at the start"},
        {"/a:/%h", false, "%h is a whole path: write it at the start"},
        {"tmpfs:/a", true, "a tmpfs needs no rule"},
        {"tmpfs", false, "a tmpfs is written tmpfs:TARGET"},
        {"/" A250 "aaaaa", true, "a path in it has more than 255 bytes"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct berth_err err = {0};
        assert_null(mount_rule_parse(cases[i].text, cases[i].globs, &err));
        assert_int_equal(err.code, BERTH_EINVAL);
        assert_string_equal(err.text, cases[i].sentence);
    }
}

static void takes_rules_apart(void **state)
{
    static const struct {
        const char *text, *source, *target;
        enum mount_flag flag;
        bool recursive;
    } cases[] = {
        {"/a", "/a", NULL, MOUNT_UNSAID, false},
        {"/a:rw", "/a", NULL, MOUNT_RW, false},
        {"/a:recursive", "/a", NULL, MOUNT_UNSAID, true},
        {"/a:rw+recursive", "/a", NULL, MOUNT_RW, true},
        {"/a:/b:recursive+ro", "/a", "/b", MOUNT_RO, true},
        {"/a:/b:rbind", "/a", "/b", MOUNT_UNSAID, true},
        {"/a/**:/b:ro", "/a/**", "/b", MOUNT_RO, false},
        {"%h", "%h", NULL, MOUNT_UNSAID, false},
        {"%h/**:%h/x:rw", "%h/**", "%h/x", MOUNT_RW, false},
        {"/**", "/**", NULL, MOUNT_UNSAID, false},
        {"/a/*b*/c", "/a/*b*/c", NULL, MOUNT_UNSAID, false},
        {"/a/%%u", "/a/%%u", NULL, MOUNT_UNSAID, false},
        {"/a/%%h", "/a/%%h", NULL, MOUNT_UNSAID, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct berth_err err = {0};
        struct mount *mount = mount_rule_parse(cases[i].text, true, &err);
        if (!mount)
            fail_msg("%s: %s", cases[i].text, err.text);
        assert_string_equal(mount->source, cases[i].source);
        if (cases[i].target)
            assert_string_equal(mount->target, cases[i].target);
        else
            assert_null(mount->target);
        assert_int_equal(mount->flag, cases[i].flag);
        assert_int_equal(mount->recursive, cases[i].recursive);
        free(mount);
    }
}

static const struct subject alice = {.uid = 1001,
                                     .gid = 100,
                                     .user = "alice",
                                     .group = "users",
                                     .home = "/home/alice",
                                     .job = 12};

static void variables_have_no_value_that_leads_elsewhere(void **state)
{
    static const struct {
        struct subject subject;
        const char *text, *sentence;
    } cases[] = {
        {{.uid = 1},
         "/%u",
         "the user's name (%u) is unknown here, or cannot "
         "be part of it"},
        {{.user = ""},
         "/%u",
         "the user's name (%u) is unknown here, or "
         "cannot be part of it"},
        {{.user = ".."},
         "/%u",
         "the user's name (%u) is unknown here, or "
         "cannot be part of it"},
        {{.user = "."},
         "/%u",
         "the user's name (%u) is unknown here, or "
         "cannot be part of it"},
        {{.user = "a/b"},
         "/%u",
         "the user's name (%u) is unknown here, or "
         "cannot be part of it"},
        {{.user = "*"},
         "/%u",
         "the user's name (%u) is unknown here, or "
         "cannot be part of it"},
        {{.user = "a?"},
         "/%u",
         "the user's name (%u) is unknown here, or "
         "cannot be part of it"},
        {{.user = "a:b"},
         "/%u",
         "the user's name (%u) is unknown here, or "
         "cannot be part of it"},
        {{.user = "a\n"},
         "/%u",
         "the user's name (%u) is unknown here, or "
         "cannot be part of it"},
        {{.user = "a\xff"},
         "/%u",
         "the user's name (%u) is unknown here, or "
         "cannot be part of it"},
        {{.group = "["},
         "/%g",
         "the group's name (%g) is unknown here, or "
         "cannot be part of it"},
        {{.uid = 1},
         "/%g",
         "the group's name (%g) is unknown here, or cannot "
         "be part of it"},
        {{.uid = 1},
         "/%j",
         "the job's number (%j) is unknown here, or cannot "
         "be part of it"},
        {{.uid = 1},
         "%h",
         "the home directory (%h) is unknown here, or "
         "cannot be part of it"},
        {{.home = "/"},
         "%h",
         "the home directory (%h) is unknown here, or "
         "cannot be part of it"},
        {{.home = "home"},
         "%h",
         "the home directory (%h) is unknown here, or "
         "cannot be part of it"},
        {{.home = "/home/../etc"},
         "%h",
         "the home directory (%h) is unknown "
         "here, or cannot be part of it"},
        {{.home = "/home//a"},
         "%h",
         "the home directory (%h) is unknown "
         "here, or cannot be part of it"},
        {{.home = "/home/a/"},
         "%h",
         "the home directory (%h) is unknown "
         "here, or cannot be part of it"},
        {{.home = "/home/*"},
         "%h",
         "the home directory (%h) is unknown here, "
         "or cannot be part of it"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct berth_err err = {0};
        assert_null(variables_to_path(cases[i].text, &cases[i].subject, &err));
        assert_int_equal(err.code, BERTH_ENOTFOUND);
        assert_string_equal(err.text, cases[i].sentence);
    }
}

static void variables_have_their_values(void **state)
{
    static const struct subject odd = {.user = "a:*/b"};
    struct berth_err err;

    (void)state;
    char *text = variables_to_path("%h/%u/%U/%g/%j/%%u%%", &alice, &err);
    assert_string_equal(text, "/home/alice/alice/1001/users/12/%u%");
    free(text);
    text = variables_to_text("U=%u%%", &odd, &err);
    assert_string_equal(text, "U=a:*/b%");
    free(text);
    assert_null(variables_to_text("U=%g", &odd, &err));
    assert_int_equal(variables_check("100%%, %u%U%g%h%j", &err), 0);
    assert_int_equal(variables_check("%", &err), -1);
    assert_int_equal(variables_check("%%%", &err), -1);
    assert_int_equal(variables_check("%\xc3\xa4", &err), -1);
}

static void patterns_match_as_they_say(void **state)
{
    static const struct {
        const char *pattern, *path;
        bool matches;
    } cases[] = {
        {"/a", "/a", true},
        {"/a", "/ab", false},
        {"/a", "/a/b", false},
        {"/a/*", "/a/b", true},
        {"/a/*", "/a", false},
        {"/a/*", "/a/b/c", false},
        {"/a/**", "/a/b/c", true},
        {"/a/**", "/a", true},
        {"/a/**", "/ab", false},
        {"/a/**", "/b/a/c", false},
        {"/a/**/c", "/a/b/c", true},
        {"/a/**/c", "/a/c", false},
        {"/a/**/c", "/a/b/d/c", true},
        {"/**", "/", true},
        {"/**", "/x/y", true},
        {"/a*/b", "/axx/b", true},
        {"/a*/b", "/ax/x/b", false},
        {"/*/**", "/a", true},
        {"/*/**", "/", false},
        {"/a/-", "/a", false},
        {"/a/*/x", "/a/../x", true}, // paths are normalised before
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        if (mount_source_matches(cases[i].pattern, cases[i].path) !=
            cases[i].matches)
            fail_msg("%s %s", cases[i].pattern, cases[i].path);
}

static void some_places_are_not_to_be_had(void **state)
{
    static const char *const never[] = {
        "",     "a",       "/",     "//",       "/a/",        "/a//b",
        "/./a", "/a/.",    "/a/..", "/../a",    "/proc",      "/proc/1",
        "/sys", "/sys/fs", "/dev",  "/dev/shm", "/run/berth", "/run/berth/init",
        "/a\n", "/a\x7f",  "/a\xff"};
    static const char *const administrators[] = {
        "/bin",   "/boot",      "/etc",   "/etc/passwd", "/lib",
        "/lib/x", "/lib32",     "/lib64", "/libx32",     "/sbin",
        "/usr",   "/usr/local", "/run",   "/var",        "/var/spool"};
    static const char *const users[] = {
        "/procs",  "/devices",   "/a b",   "/library",     "/etcetera",
        "/home/x", "/var/lib/x", "/run/x", "/tmp",         "/opt",
        "/root",   "/usr2",      "/..a",   "/var/spool/x", "/\xc3\xa4"};

    (void)state;
    for (size_t i = 0; i < COUNT(never); i++)
        if (mount_target_ok(never[i]) || mount_target_is_free(NULL, never[i]))
            fail_msg("%s", never[i]);
    for (size_t i = 0; i < COUNT(administrators); i++)
        if (!mount_target_ok(administrators[i]) ||
            mount_target_is_free(NULL, administrators[i]))
            fail_msg("%s", administrators[i]);
    for (size_t i = 0; i < COUNT(users); i++)
        if (!mount_target_ok(users[i]) || !mount_target_is_free(NULL, users[i]))
            fail_msg("%s", users[i]);
}

static void what_the_administrator_opens_is_a_place_for_users(void **state)
{
    static const struct rule rules[] = {
        {.text = "/usr/local/**"}, {.text = "/etc/*"}, {.text = "/lib/x"},
        {.text = "/proc/**"},      {.text = "/run"},
    };
    static const struct rule *const list[] = {&rules[0], &rules[1], &rules[2],
                                              &rules[3], &rules[4]};
    static const struct rule_list targets = {COUNT(list), list};
    static const char *const closed[] = {
        "/usr",       "/usr/locals", "/usr/bin/x",
        "/etc",       "/etc/passwd", "/lib",
        "/etc/group", "/etc/a/b",    "/usr/local/../bin",
        "/lib/y",     "/proc/x",     "/run",
        "/run/berth"};
    static const char *const opened[] = {"/usr/local",     "/usr/local/a",
                                         "/usr/local/a/b", "/etc/a.conf",
                                         "/lib/x",         "/opt"};

    (void)state;
    for (size_t i = 0; i < COUNT(closed); i++)
        if (mount_target_is_free(&targets, closed[i]))
            fail_msg("%s", closed[i]);
    for (size_t i = 0; i < COUNT(opened); i++)
        if (!mount_target_is_free(&targets, opened[i]))
            fail_msg("%s", opened[i]);
}

static void only_what_is_directly_in_shm_is_there(void **state)
{
    static const char *const bad[] = {
        "",
        "/",
        "/dev",
        "/dev/shm",
        "/dev/shm/",
        "/dev/shm/.",
        "/dev/shm/..",
        "/dev/shm/a/b",
        "/dev/shm/a/",
        "/dev/shm//a",
        "/dev/shmem/a",
        "/dev/shm/a\nb",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        if (mount_target_is_in_shm(bad[i]))
            fail_msg("in /dev/shm: \"%s\"", bad[i]);
    assert_true(mount_target_is_in_shm("/dev/shm/spmix_appdir_1_2.0"));
    assert_true(mount_target_is_in_shm("/dev/shm/.Xauthority-a"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_is_directly_in_shm_is_there),
        cmocka_unit_test(what_the_administrator_opens_is_a_place_for_users),
        cmocka_unit_test(refuses_mounts_that_users_cannot_mean),
        cmocka_unit_test(refuses_what_is_relative_to_nothing),
        cmocka_unit_test(refuses_too_many_and_too_long),
        cmocka_unit_test(takes_mounts_apart),
        cmocka_unit_test(keeps_what_is_declined),
        cmocka_unit_test(refuses_rules_that_are_none),
        cmocka_unit_test(takes_rules_apart),
        cmocka_unit_test(variables_have_no_value_that_leads_elsewhere),
        cmocka_unit_test(variables_have_their_values),
        cmocka_unit_test(patterns_match_as_they_say),
        cmocka_unit_test(some_places_are_not_to_be_had),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
