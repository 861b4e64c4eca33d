// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Who the user is inside: lines of passwd and group, from a node's user
// database that this test is (it has the C library's functions instead).

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "stepd/identity.h"

static struct passwd users[] = {
    {.pw_name = (char *)"root",
     .pw_uid = 0,
     .pw_gid = 0,
     .pw_dir = (char *)"/root"},
    {.pw_name = (char *)"slurm",
     .pw_uid = 64030,
     .pw_gid = 64030,
     .pw_dir = (char *)""},
    {.pw_name = (char *)"alice",
     .pw_uid = 1001,
     .pw_gid = 100,
     .pw_dir = (char *)"/home/alice"},
    // Names and homes that would make a line of their own.
    {.pw_name = (char *)"eve\nroot2::0:0",
     .pw_uid = 1002,
     .pw_dir = (char *)"/:0"},
    {.pw_name = (char *)"", .pw_uid = 1003, .pw_dir = (char *)""},
};

static struct group groups[] = {
    {.gr_name = (char *)"users", .gr_gid = 100},
    {.gr_name = (char *)"chem", .gr_gid = 2001},
    {.gr_name = (char *)"a:x:0:eve", .gr_gid = 2002},
};

int getpwuid_r(uid_t uid, struct passwd *pw, char *buf, size_t size,
               struct passwd **found)
{
    (void)buf;
    (void)size;
    *found = NULL;
    for (size_t i = 0; i < sizeof(users) / sizeof(*users); i++)
        if (users[i].pw_uid == uid) {
            *pw = users[i];
            *found = pw;
        }
    return 0;
}

int getpwnam_r(const char *name, struct passwd *pw, char *buf, size_t size,
               struct passwd **found)
{
    (void)buf;
    (void)size;
    *found = NULL;
    for (size_t i = 0; i < sizeof(users) / sizeof(*users); i++)
        if (strcmp(users[i].pw_name, name) == 0) {
            *pw = users[i];
            *found = pw;
        }
    return 0;
}

int getgrgid_r(gid_t gid, struct group *gr, char *buf, size_t size,
               struct group **found)
{
    (void)buf;
    (void)size;
    *found = NULL;
    for (size_t i = 0; i < sizeof(groups) / sizeof(*groups); i++)
        if (groups[i].gr_gid == gid) {
            *gr = groups[i];
            *found = gr;
        }
    return 0;
}

static void lines_are(uid_t uid, gid_t gid, const char *passwd,
                      const char *group)
{
    gid_t gids[] = {100, 2001, 2002, 2003};
    struct step step = {.uid = uid, .gid = gid, .gids = gids, .ngids = 4};
    struct identity identity;
    struct berth_err err = {0};

    assert_int_equal(identity_lookup(&step, &identity, &err), 0);
    assert_string_equal(identity.passwd, "");
    assert_int_equal(identity_add_user(&identity, &step,
                                       identity.home ? identity.home : "/tmp",
                                       &err),
                     0);
    assert_string_equal(identity.passwd, passwd);
    assert_string_equal(identity.group, group);
    assert_int_equal(identity.ngroups, 4);
    identity_clear(&identity);
    assert_null(identity.passwd);
}

static void user_and_groups_have_lines(void **state)
{
    (void)state;
    lines_are(1001, 100, "alice:x:1001:100::/home/alice:/bin/sh\n",
              "users:x:100:\nchem:x:2001:alice\ngroup2002:x:2002:alice\n"
              "group2003:x:2003:alice\n");
}

static void an_id_without_a_name_gets_one(void **state)
{
    (void)state;
    lines_are(4711, 9, "user4711:x:4711:9::/tmp:/bin/sh\n",
              "group9:x:9:\nusers:x:100:user4711\nchem:x:2001:user4711\n"
              "group2002:x:2002:user4711\ngroup2003:x:2003:user4711\n");
    lines_are(1003, 100, "user1003:x:1003:100::/tmp:/bin/sh\n",
              "users:x:100:\nchem:x:2001:user1003\n"
              "group2002:x:2002:user1003\ngroup2003:x:2003:user1003\n");
}

static void nobodys_name_makes_a_line_of_its_own(void **state)
{
    (void)state;
    lines_are(1002, 2002, "user1002:x:1002:2002::/tmp:/bin/sh\n",
              "group2002:x:2002:\nusers:x:100:user1002\n"
              "chem:x:2001:user1002\ngroup2003:x:2003:user1002\n");
}

static void names_are_known_as_the_node_knows_them(void **state)
{
    gid_t gids[] = {2001, 100, 2003};
    struct step step = {.uid = 1001, .gid = 100, .gids = gids, .ngids = 3};
    struct identity identity;
    struct berth_err err = {0};

    (void)state;
    assert_int_equal(identity_lookup(&step, &identity, &err), 0);
    assert_string_equal(identity.user, "alice");
    assert_string_equal(identity.home, "/home/alice");
    assert_string_equal(identity.primary, "users");
    assert_string_equal(identity.groups[0], "chem");
    assert_string_equal(identity.groups[1], "users");
    assert_null(identity.groups[2]);
    identity_clear(&identity);
    step.uid = 4711;
    assert_int_equal(identity_lookup(&step, &identity, &err), 0);
    assert_null(identity.user);
    assert_null(identity.home);
    identity_clear(&identity);
}

static void slurms_own_users_come_behind(void **state)
{
    struct step step = {.uid = 1001, .gid = 100};
    struct identity identity;
    struct berth_err err = {0};

    (void)state;
    assert_int_equal(identity_lookup(&step, &identity, &err), 0);
    assert_int_equal(identity_add_slurm(&identity, "slurm", &err), 0);
    assert_int_equal(identity_add_user(&identity, &step, "/home/alice", &err),
                     0);
    assert_string_equal(identity.passwd,
                        "alice:x:1001:100::/home/alice:/bin/sh\n"
                        "root:x:0:0::/root:/bin/sh\n"
                        "slurm:x:64030:64030::/:/bin/sh\n");
    identity_clear(&identity);
    // Unknown or unsaid, there is none.
    assert_int_equal(identity_lookup(&step, &identity, &err), 0);
    assert_int_equal(identity_add_slurm(&identity, "nobody", &err), 0);
    assert_int_equal(identity_add_slurm(&identity, NULL, &err), 0);
    assert_string_equal(identity.passwd, "root:x:0:0::/root:/bin/sh\n"
                                         "root:x:0:0::/root:/bin/sh\n");
    identity_clear(&identity);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(user_and_groups_have_lines),
        cmocka_unit_test(an_id_without_a_name_gets_one),
        cmocka_unit_test(nobodys_name_makes_a_line_of_its_own),
        cmocka_unit_test(names_are_known_as_the_node_knows_them),
        cmocka_unit_test(slurms_own_users_come_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
