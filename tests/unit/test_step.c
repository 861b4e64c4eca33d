// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "logic/limits.h"
#include "logic/step.h"

static int add(struct step *step, const char *packet)
{
    return step_add_fact(step, packet, strlen(packet), NULL);
}

static void malformed_facts_are_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "=1",
        "job",
        "job=",
        "job=-1",
        "job=+1",
        "job= 1",
        "job=1 ",
        "job=01",
        "job=0x1",
        "job=4294967296",
        "job=99999999999999999999",
        "uid=root",
        "gids=1,x",
        "gids=,1",
        "node=",
        "node=.",
        "node=../x",
        "node=a/b",
        "cwd=relative",
        "cwd=",
        "compare=",
        "compare=1",
        "compare=0 0123456789abcdef0123456789abcdef",
        "compare=65536 0123456789abcdef0123456789abcdef",
        "compare=6817 0123456789abcdef0123456789abcde",
        "compare=6817 0123456789abcdef0123456789abcdef0",
        "compare=6817 0123456789ABCDEF0123456789abcdef",
        "compare=6817 0123456789abcdef0123456789abcde\n",
        "compare=6817  0123456789abcdef0123456789abcdef",
        "pwd=",
        "pwd=x",
        "script=x",
        "conf=x",
        "pmix=",
        "pmix=pmix.1.0",
        "pmix=/",
        "pmix=/run/user/1000",
        "pmix=/spool/pmix.",
        "pmix=/spool/pmix.1.0/",
        "pmix=/spool/pmix.1.0/..",
        "pmix=/spool/pmix.1.0x",
        "pmixtmp=x",
        "pmixdir=",
        "pmixdir=x",
        "xauth=",
        "xauth=.Xauthority-abcdef",
        "xauth=/home/alice/.Xauthority",
        "xauth=/tmp/.Xauthority-abcdef/file",
        "xauth=tmp/.Xauthority-abcdef",
        "slurmconf=slurm.conf",
        "slurmmunge=",
        "slurmplugins=./plugins",
        "privileged=1",
        "averyveryverylongkey=1",
    };
    struct berth_err err;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct step step = {0};
        if (step_add_fact(&step, bad[i], strlen(bad[i]), &err) == 0)
            fail_msg("taken: \"%s\"", bad[i]);
        assert_int_equal(err.code, BERTH_EINVAL);
        step_clear(&step);
    }
}

static void a_nul_in_a_fact_is_refused(void **state)
{
    struct step step = {0};

    (void)state;
    assert_int_equal(step_add_fact(&step, "option=container=a\0b", 20, NULL),
                     -1);
    step_clear(&step);
}

static void a_fact_told_twice_is_refused(void **state)
{
    static const struct {
        const char *first, *second;
    } rows[] = {
        {"job=1", "job=2"},
        {"step=0", "step=1"},
        {"uid=1000", "uid=0"},
        {"uid=0", "uid=1000"},
        {"gid=0", "gid=0"},
        {"ntasks=1", "ntasks=2"},
        {"node=a", "node=b"},
        {"wrong=a", "wrong=b"},
        {"cwd=/a", "cwd=/b"},
        {"pwd=/a", "pwd=/b"},
        {"argv0=", "argv0=a"},
        {"script=/a", "script=/b"},
        {"gpus=", "gpus=0"},
        {"shared=mps", "shared=mps"},
        {"pmix=/pmix.1.0", "pmix=/pmix.1.1"},
        {"pmixtmp=/a", "pmixtmp=/b"},
        {"xauth=/.Xauthority-a", "xauth=/.Xauthority-b"},
        {"slurmconf=/a", "slurmconf=/b"},
        {"slurmplugins=/a", "slurmplugins=/b"},
        {"slurmberth=/a", "slurmberth=/b"},
        {"slurmcommands=/a", "slurmcommands=/b"},
        {"slurmmunge=/a", "slurmmunge=/b"},
        {"slurmuser=a", "slurmuser=b"},
        {"conf=/a", "conf=/b"},
        {"line=0", "line=1"},
        {"cut=0", "cut=1"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct step step = {0};
        assert_int_equal(add(&step, rows[i].first), 0);
        if (add(&step, rows[i].second) == 0)
            fail_msg("taken: \"%s\" after \"%s\"", rows[i].second,
                     rows[i].first);
        step_clear(&step);
    }
}

static void a_second_telling_changes_nothing(void **state)
{
    struct step step = {0};

    (void)state;
    assert_int_equal(add(&step, "cwd=/a"), 0);
    assert_int_equal(add(&step, "cwd=/b"), -1);
    assert_string_equal(step.cwd, "/a");
    assert_int_equal(add(&step, "uid=1000"), 0);
    assert_int_equal(add(&step, "uid=0"), -1);
    assert_int_equal(step.uid, 1000);
    step_clear(&step);
}

static void options_are_what_the_user_wrote(void **state)
{
    struct step step = {0};

    (void)state;
    assert_int_equal(add(&step, "option=container-image=a"), 0);
    assert_int_equal(add(&step, "option=container-mounts=/a=b:/c"), 0);
    assert_int_equal(add(&step, "option=container-writable"), 0);
    assert_string_equal(step.options.image, "a");
    assert_string_equal(step.options.mounts, "/a=b:/c");
    assert_int_equal(step.options.writable, CHOICE_YES);
    assert_null(step.wrong);
    step_clear(&step);
}

static void an_option_that_is_wrong_is_kept_as_a_sentence(void **state)
{
    static const char *const bad[] = {
        "option=container=",
        "option=container-mounts",
        "option=container-nonsense=x",
        "option=",
        "option==",
        "option=container=\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct step step = {0};

        assert_int_equal(add(&step, "option=container-writable"), 0);
        assert_int_equal(add(&step, bad[i]), 0);
        assert_non_null(step.wrong);
        // The first is the one that is told.
        char *first = step.wrong;
        assert_int_equal(add(&step, "option=container-readonly"), 0);
        assert_ptr_equal(step.wrong, first);
        step_clear(&step);
    }
}

static void slurms_directories_of_pmix_are_known_by_their_name(void **state)
{
    static const char *const good[] = {
        "/var/spool/slurmd/pmix.12.0",
        "/var/spool/slurmd/n1/pmix.12.-6",
        "/pmix.4294967295.1",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        struct step step = {0};
        char packet[64] = "pmix=";
        strcat(packet, good[i]);
        assert_int_equal(add(&step, packet), 0);
        assert_string_equal(step.pmix, good[i]);
        step_clear(&step);
    }
}

static void groups_and_words_are_bounded(void **state)
{
    struct step step = {0};
    int n = 0;

    (void)state;
    while (n <= BERTH_ALLOW_MAX && add(&step, "word=allow=x") == 0)
        n++;
    assert_int_equal(n, BERTH_ALLOW_MAX);
    n = 0;
    while (n <= BERTH_GROUPS_MAX && add(&step, "gids=7") == 0)
        n++;
    assert_int_equal(n, BERTH_GROUPS_MAX);
    step_clear(&step);
}

static void a_step_that_lacks_a_fact_is_refused(void **state)
{
    static const char *const facts[] = {
        "job=12",   "step=0",      "uid=1000",
        "gid=100",  "gids=100,27", "gids=44",
        "ntasks=2", "node=n1",     "option=container=a",
        "cwd=/",    "argv0=",
    };
    static const char needed[] =
        "job step uid gid ntasks node option cwd argv0";
    enum { N = sizeof(facts) / sizeof(*facts) };

    (void)state;
    for (size_t without = 0; without <= N; without++) {
        struct step step = {0};
        bool must = false;
        for (size_t i = 0; i < N; i++) {
            char key[16] = "";
            if (i != without) {
                assert_int_equal(add(&step, facts[i]), 0);
                continue;
            }
            memcpy(key, facts[i], strcspn(facts[i], "="));
            must = strstr(needed, key) != NULL;
        }
        assert_int_equal(step_check(&step, NULL), must ? -1 : 0);
        if (without == N) {
            assert_int_equal(step.job, 12);
            assert_int_equal(step.uid, 1000);
            assert_int_equal(step.ngids, 3);
            assert_int_equal(step.gids[2], 44);
            assert_string_equal(step.argv0, "");
            assert_null(step.script);
        }
        step_clear(&step);
    }
}

static void names_of_steps_read_back(void **state)
{
    static const struct {
        uint32_t job, step;
        const char *name;
    } rows[] = {
        {1, 0, "1.0"},
        {4294967295U, 4294967040U, "4294967295.4294967040"},
        {7, STEP_BATCH, "7.batch"},
        {7, STEP_EXTERN, "7.extern"},
        {7, STEP_INTERACTIVE, "7.interactive"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char name[STEP_NAME_MAX];
        uint32_t job, step;
        step_name(rows[i].job, rows[i].step, name);
        assert_string_equal(name, rows[i].name);
        assert_true(step_name_parse(name, &job, &step));
        assert_int_equal(job, rows[i].job);
        assert_int_equal(step, rows[i].step);
    }
}

static void other_names_are_no_steps(void **state)
{
    static const char *const bad[] = {
        "",      "1",    "1.",      ".0",    "01.0",     "1.00",
        "1.-1",  "1.0 ", " 1.0",    "1.job", "a.0",      "1.0x",
        "1.0.0", "..",   "1.Batch", "-1.0",  "1.batch ", "4294967296.0",
    };
    uint32_t job, step;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        if (step_name_parse(bad[i], &job, &step))
            fail_msg("taken for a step: \"%s\"", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(malformed_facts_are_refused),
        cmocka_unit_test(a_nul_in_a_fact_is_refused),
        cmocka_unit_test(a_fact_told_twice_is_refused),
        cmocka_unit_test(a_second_telling_changes_nothing),
        cmocka_unit_test(options_are_what_the_user_wrote),
        cmocka_unit_test(an_option_that_is_wrong_is_kept_as_a_sentence),
        cmocka_unit_test(slurms_directories_of_pmix_are_known_by_their_name),
        cmocka_unit_test(groups_and_words_are_bounded),
        cmocka_unit_test(a_step_that_lacks_a_fact_is_refused),
        cmocka_unit_test(names_of_steps_read_back),
        cmocka_unit_test(other_names_are_no_steps),
    };

    return cmocka_run_group_tests_name("step", tests, NULL, NULL);
}
