// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "logic/help.h"
#include "logic/policy.h"

static const struct subject alice = {
    .uid = 1000,
    .gid = 100,
    .user = "alice",
    .group = "users",
    .home = "/home/alice",
};

// What help_make says to alice of a berth.conf.
static char *help(const char *conf, const char *const *partitions, size_t n)
{
    struct rules rules;
    struct berth_err err;

    struct policy *policy =
        policy_parse(0, NULL, NULL, "berth.conf", conf, strlen(conf), &err);
    if (!policy)
        fail_msg("%s", err.text);
    assert_int_equal(policy_rules(policy, &alice, &rules, &err), 0);
    char *text = help_make(&rules, &alice, partitions, n);
    assert_non_null(text);
    rules_clear(&rules);
    policy_free(policy);
    return text;
}

static void expect(const char *conf, const char *text)
{
    char *got = help(conf, NULL, 0);

    assert_string_equal(got, text);
    free(got);
}

static void a_user_who_may_run_nothing_hears_so(void **state)
{
    (void)state;
    expect("", "You may run no image here: ask your administrator.\n");
    expect("help_text = \"Ask at the harbour office.\"",
           "You may run no image here: ask your administrator.\n"
           "\n"
           "Ask at the harbour office.\n");
    expect("allow = {\"debian\"}\ndeny_users = {\"alice\"}",
           "user alice can have no container, by berth.conf line 2 "
           "(deny_users): ask your administrator.\n");
}

static void who_may_run_but_his_own_hears_so(void **state)
{
    static const char *const confs[] = {"archives = yes", "save = yes"};

    (void)state;
    for (size_t i = 0; i < sizeof(confs) / sizeof(*confs); i++) {
        char *got = help(confs[i], NULL, 0);
        if (strstr(got, "no image here") || !strstr(got, "Your home directory"))
            fail_msg("%s", got);
        free(got);
    }
}

static void a_short_policy_makes_a_short_help(void **state)
{
    (void)state;
    expect("allow = {\"debian\", \"debian\"}",
           "You may run (--container=IMAGE):\n"
           "    debian\n"
           "Your home directory is mounted with --container-mount-home.\n"
           "The working directory is mounted.\n"
           "The image's files are read-only.\n"
           "A job's steps share a container in turn, unless you say "
           "--no-container-reuse.\n");
}

static void each_part_has_its_lines(void **state)
{
    (void)state;
    expect("allow = {\"debian\", \"site/**\"}\n"
           "deny = {\"site/old\"}\n"
           "mounts_allowed = {\"/data/**\", \"/scratch/%u/**:/scratch:rw\"}\n"
           "mounts_default = {\"/opt/site:/opt:ro\"}\n"
           "mounts_always = {\"/spool/%j:/spool:rw\"}\n"
           "home = never\n"
           "workdir = allowed\n"
           "writable = allowed\n"
           "networks = {\"none\", \"host\"}\n"
           "root = allowed\n"
           "archives = yes\n"
           "slurm = allowed\n"
           "reuse = allowed\n"
           "save = yes\n"
           "options = {\"image\", \"mounts\", \"writable\", \"network\",\n"
           "    \"slurm\"}\n"
           "mode = warn\n",
           "You may run (--container=IMAGE):\n"
           "    debian\n"
           "    site/**\n"
           "But you may not run:\n"
           "    site/old\n"
           "You may run an image that is a file of yours "
           "(--container=FILE).\n"
           "You may mount (--container-mounts=SRC:DST[:ro|rw],...):\n"
           "    /data/**\n"
           "    /scratch/alice/**:/scratch (can be written)\n"
           "Mounted unless you mount something else there:\n"
           "    /opt/site:/opt\n"
           "Mounted in any case:\n"
           "    /spool/%j:/spool:rw\n"
           "Your home directory is not mounted.\n"
           "The working directory is mounted if --container-mounts has it.\n"
           "The image's files are read-only without --container-writable.\n"
           "You are root in a container, over the image's files, with "
           "--container-root.\n"
           "Slurm's commands work in a container with --container-slurm.\n"
           "A job's steps share a container in turn with "
           "--container-reuse.\n"
           "What a step has written can be saved, with its image "
           "(--container-save=FILE,\n"
           "or image:NAME, which is then --container=my/NAME on that node).\n"
           "Networks (--container-network=NAME; the first is the default):\n"
           "    none\n"
           "    host\n"
           "Options that cannot be used here: --container-workdir, "
           "--container-env,\n"
           "    --container-mount-home, --no-container-mount-home, "
           "--container-root,\n"
           "    --container-remap-root, --no-container-remap-root, "
           "--container-entrypoint,\n"
           "    --no-container-entrypoint, --container-reuse, "
           "--no-container-reuse,\n"
           "    --container-name, --container-join, --container-do, "
           "--container-save\n"
           "These rules are on trial: what they refuse gets a warning, and "
           "runs, an image\n"
           "where the node has it.\n");
}

static void partitions_with_other_rules_are_named(void **state)
{
    static const char *const partitions[] = {"gpu", "debug"};
    char *text = help("", partitions, 2);

    (void)state;
    assert_string_equal(text,
                        "You may run no image here: ask your administrator.\n"
                        "Other rules may hold in the partitions: gpu, "
                        "debug\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_user_who_may_run_nothing_hears_so),
        cmocka_unit_test(who_may_run_but_his_own_hears_so),
        cmocka_unit_test(a_short_policy_makes_a_short_help),
        cmocka_unit_test(each_part_has_its_lines),
        cmocka_unit_test(partitions_with_other_rules_are_named),
    };

    return cmocka_run_group_tests_name("help", tests, NULL, NULL);
}
