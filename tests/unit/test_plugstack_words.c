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
#include "logic/policy.h"

#define COUNT(table) (sizeof(table) / sizeof(*(table)))
#define FILE_NAME "/etc/slurm/plugstack.conf"
#define X64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define A50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct policy_source source = {FILE_NAME, 3, false};

static const struct {
    const char *word, *reason;
} refused[] = {
    {NULL, "\"\" is no word that berth knows"},
    {"", "\"\" is no word that berth knows"},
    {"debian", "\"debian\" is no word that berth knows"},
    {"=", "is no word that berth knows"},
    {"allow", "is no word that berth knows: write allow=IMAGE"},
    {"Allow=debian", "\"Allow=debian\" is no word that berth knows"},
    {"allow:debian", "is no word that berth knows"},
    {" allow=debian", "is no word that berth knows"},
    {"alow=debian", "is no word that berth knows"},
    {"allowed=debian", "is no word that berth knows"},
    {"deny=debian", "is no word that berth knows"},
    {"engine", "is no word that berth knows"},
    {"ENGINE=unix:///run/docker.sock", "is no word that berth knows"},
    {"allow=", "\"allow=\": it names no image: write allow=IMAGE"},
    {"allow==debian", "has '=' in its name"},
    {"allow=Debian", "\"allow=Debian\": the image pattern \"Debian\" has "
                     "uppercase letters: write \"debian\""},
    {"allow=debian,alpine", "give each image a word of its own"},
    {"allow=debian\r", "\"allow=debian?\": the image pattern \"debian?\" has "
                       "a control character (byte 0x0d)"},
    {"allow=/etc", "looks like the path"},
    {"allow=nvcr.io/nv**", "has \"**\" beside other characters"},
    {"allow=\"debian\"", "has '\"' in its name"},
    {"engine=", "write unix:///ABSOLUTE/PATH"},
    {"engine=u", "write unix:///ABSOLUTE/PATH"},
    {"engine=unix://", "write unix:///ABSOLUTE/PATH"},
    {"engine=unix:/run/docker.sock", "write unix:///ABSOLUTE/PATH"},
    {"engine=unix://run/docker.sock", "write unix:///ABSOLUTE/PATH"},
    {"engine=/run/docker.sock", "write unix:///ABSOLUTE/PATH"},
    {"engine=UNIX:///run/docker.sock", "write unix:///ABSOLUTE/PATH"},
    {"engine=tcp://127.0.0.1:2375", "a Unix socket of this node only"},
    {"engine=http://localhost", "a Unix socket of this node only"},
    {"engine=unix:///", "ends with '/'"},
    {"engine=unix:///run/", "ends with '/'"},
    {"engine=unix:///run/x\r", "has a space, a control character"},
    {"engine=unix:///run/x y", "has a space, a control character"},
    {"engine=unix:///run/\xff", "is not valid UTF-8"},
    // 108 bytes.
    {"engine=unix:///" A50 A50 "aaaaaaa", "the path has 108 bytes"},
};

static void refuses_words_that_it_does_not_understand(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(refused); i++) {
        const char *argv[] = {"allow=debian", refused[i].word};
        struct berth_err err = {0};
        errno = ENOTTY;
        if (policy_parse(2, argv, &source, NULL, NULL, 0, &err))
            fail_msg("\"%s\" was not refused", refused[i].word);
        if (err.code != BERTH_EINVAL || !strstr(err.text, refused[i].reason) ||
            strstr(err.text, FILE_NAME " line 3: \"") != err.text)
            fail_msg("\"%s\": %s", refused[i].word, err.text);
        assert_null(policy_parse(2, argv, &source, NULL, NULL, 0, NULL));
    }
}

static void refuses_a_second_engine(void **state)
{
    const char *argv[] = {"engine=unix:///a", "engine=unix:///a"};
    struct berth_err err = {0};

    (void)state;
    assert_null(policy_parse(2, argv, &source, NULL, NULL, 0, &err));
    assert_non_null(strstr(err.text, "a second engine"));
}

static void refuses_more_patterns_than_a_site_has(void **state)
{
    static const char *argv[BERTH_ALLOW_MAX + 1];
    struct berth_err err = {0};

    (void)state;
    for (size_t i = 0; i < COUNT(argv); i++)
        argv[i] = "allow=debian";
    assert_null(policy_parse(COUNT(argv), argv, &source, NULL, NULL, 0, &err));
    assert_non_null(strstr(err.text, "more than 1024 images"));
    struct policy *policy =
        policy_parse(BERTH_ALLOW_MAX, argv, &source, NULL, NULL, 0, &err);
    assert_non_null(policy);
    policy_free(policy);
}

static void errors_without_an_origin_name_plugstack_conf(void **state)
{
    static const struct {
        struct policy_source source;
        const char *start;
    } cases[] = {
        {{NULL, 0, false}, "plugstack.conf: \"x\""},
        {{NULL, 7, false}, "plugstack.conf line 7: \"x\""},
        {{"/a", 0, false}, "/a: \"x\""},
        {{"/a\nb", -1, false}, "/a?b: \"x\""},
    };
    const char *argv[] = {"x"};
    struct berth_err err;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_null(
            policy_parse(1, argv, &cases[i].source, NULL, NULL, 0, &err));
        assert_ptr_equal(strstr(err.text, cases[i].start), err.text);
    }
    assert_null(policy_parse(1, argv, NULL, NULL, NULL, 0, &err));
    assert_ptr_equal(strstr(err.text, cases[0].start), err.text);
}

// Parses words and decides on IMAGE. The decision's strings are copied to
// OUT, which thus outlives the policy.
static struct {
    enum verdict verdict;
    char rule[1024];
    char reason[1024];
} seen;

static void judge_from(const struct policy_source *from, size_t argc,
                       const char *const *argv, const char *image)
{
    struct subject subject = {.uid = 1000, .gid = 1000};
    struct options options = {.image = (char *)image};
    struct berth_err err = {0};
    struct decision decision;
    struct rules rules;
    struct policy *policy = policy_parse(argc, argv, from, NULL, NULL, 0, &err);

    if (!policy || policy_rules(policy, &subject, &rules, &err) < 0)
        fail_msg("%s", err.text);
    memset(&decision, 0x5a, sizeof(decision));
    decide(&rules, &options, &subject, &decision);
    seen.verdict = decision.verdict;
    strcpy(seen.rule, decision.rule ? decision.rule->text : "");
    strcpy(seen.reason, decision.reason);
    decision_clear(&decision);
    rules_clear(&rules);
    policy_free(policy);
}

static void judge(size_t argc, const char *const *argv, const char *image)
{
    judge_from(&source, argc, argv, image);
}

static void allows_nothing_by_default(void **state)
{
    (void)state;
    judge(0, NULL, "debian");
    assert_int_equal(seen.verdict, VERDICT_DENY);
    assert_string_equal(seen.rule, "");
    assert_string_equal(
        seen.reason,
        "image docker.io/library/debian:latest is not allowed: " FILE_NAME
        " line 3 allows no image on this node, ask your administrator for an "
        "allow= there");
}

static void denies_without_rules(void **state)
{
    struct subject subject = {.uid = 1000, .gid = 1000};
    struct options options = {.image = (char *)"debian"};
    struct decision decision = {.verdict = VERDICT_ALLOW};

    (void)state;
    decide(NULL, &options, &subject, &decision);
    assert_int_equal(decision.verdict, VERDICT_DENY);
    assert_string_equal(decision.reason, "");
}

static void a_denial_names_image_file_line_and_patterns(void **state)
{
    static const char *const argv[] = {
        "allow=debian", "engine=unix:///run/docker.sock",
        "allow=docker.io/library/alpine:3.*", "allow=nvcr.io/nvidia/**"};
    (void)state;
    judge(4, argv, "fedora");
    assert_int_equal(seen.verdict, VERDICT_DENY);
    assert_string_equal(seen.rule, "");
    assert_string_equal(
        seen.reason,
        "image docker.io/library/fedora:latest is not allowed by " FILE_NAME
        " line 3, which allows debian, docker.io/library/alpine:3.*, "
        "nvcr.io/nvidia/**: choose one of these or ask your administrator");
}

static void a_denial_lists_the_first_eight_patterns(void **state)
{
    static const char *const argv[] = {
        "allow=a", "allow=b", "allow=c", "allow=d", "allow=e",
        "allow=f", "allow=g", "allow=h", "allow=i", "allow=j"};
    (void)state;
    judge(10, argv, "z");
    assert_non_null(strstr(seen.reason,
                           "allows a, b, c, d, e, f, g, h and 2 more: choose"));
    judge(8, argv, "z");
    assert_non_null(strstr(seen.reason, "allows a, b, c, d, e, f, g, h:"));
}

static void the_longest_denial_is_still_a_whole_sentence(void **state)
{
    static const char *const argv[] = {
        "allow=reg.io/" A50 A50 A50 A50 ":" A50 A50,
        "allow=reg.io/" A50 A50 A50 A50 "/*:" A50 A50};
    char file[5000];
    struct policy_source far = {file, 2147483647, false};
    static const char image[] =
        "reg.io/" A50 A50 A50 A50 ":" A50 A50 "@sha512:" X64 X64;

    (void)state;
    memset(file, '/', sizeof(file) - 1);
    file[sizeof(file) - 1] = 0;
    judge_from(&far, 2, argv, image);
    assert_int_equal(seen.verdict, VERDICT_DENY);
    assert_non_null(strstr(seen.reason, ": leave the digest out"));
    assert_non_null(strstr(seen.reason, "by its tag only"));
}

static void a_digest_behind_an_allowed_tag_is_explained(void **state)
{
    static const char *const argv[] = {"allow=debian:12"};
    (void)state;
    judge(1, argv, "debian:12@sha256:" X64);
    assert_int_equal(seen.verdict, VERDICT_DENY);
    assert_non_null(strstr(seen.reason, "leave the digest out"));
    judge(1, argv, "debian:11@sha256:" X64);
    assert_null(strstr(seen.reason, "leave the digest out"));
    judge(1, argv, "debian@sha256:" X64);
    assert_null(strstr(seen.reason, "leave the digest out"));
}

static void names_the_first_rule_that_allows(void **state)
{
    static const char *const argv[] = {"allow=docker.io/library/alpine:3.*",
                                       "allow=debian", "allow=*"};
    (void)state;
    judge(3, argv, "debian");
    assert_int_equal(seen.verdict, VERDICT_ALLOW);
    assert_string_equal(seen.rule, "debian");
    assert_string_equal(seen.reason, "");
    judge(3, argv, "alpine:3.20");
    assert_string_equal(seen.rule, "docker.io/library/alpine:3.*");
    judge(3, argv, "alpine");
    assert_string_equal(seen.rule, "*");
}

static void the_engine_is_docker_s_unless_said_otherwise(void **state)
{
    // 107 bytes, as many as fit.
    static const char *const argv[] = {"engine=unix:///" A50 A50 "aaaaaa"};
    struct policy *policy = policy_parse(0, NULL, NULL, NULL, NULL, 0, NULL);

    (void)state;
    assert_non_null(policy);
    assert_string_equal(policy_engine(policy), "/run/docker.sock");
    policy_free(policy);
    policy = policy_parse(1, argv, NULL, NULL, NULL, 0, NULL);
    assert_non_null(policy);
    assert_string_equal(policy_engine(policy), "/" A50 A50 "aaaaaa");
    errno = ENOTTY;
    policy_free(policy);
    policy_free(NULL);
    assert_int_equal(errno, ENOTTY);
}

// What policies of other nodes are told apart by.
static void the_fingerprint_is_of_what_decides(void **state)
{
    static const struct {
        const char *words[3], *conf;
        bool same;
    } cases[] = {
        {{"allow=debian", "allow=a", NULL}, "pids_limit = 1\n", true},
        {{"allow=debian", "allow=a", "engine=unix:///x"},
         "pids_limit = 1\n",
         true},
        {{"allow=debian", "allow=a", "conf=/x"}, "pids_limit = 1\n", true},
        {{"allow=debian", "allow=b", NULL}, "pids_limit = 1\n", false},
        {{"allow=debian", NULL, NULL}, "pids_limit = 1\n", false},
        {{"allow=debian", "allow=a", "allow=a"}, "pids_limit = 1\n", false},
        {{"allow=debian", "allow=a", NULL}, "pids_limit = 2\n", false},
        {{"allow=debian", "allow=a", NULL}, "", false},
        {{"allow=debian", "allow=a", NULL}, NULL, false},
    };
    char first[POLICY_FINGERPRINT] = "";

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t argc = 0;
        while (argc < COUNT(cases[i].words) && cases[i].words[argc])
            argc++;
        struct policy *policy =
            policy_parse(argc, cases[i].words, NULL, "/x", cases[i].conf,
                         cases[i].conf ? strlen(cases[i].conf) : 0, NULL);
        assert_non_null(policy);
        if (i == 0)
            strcpy(first, policy_fingerprint(policy));
        assert_int_equal(strlen(first), POLICY_FINGERPRINT - 1);
        assert_int_equal(strcmp(policy_fingerprint(policy), first) == 0,
                         cases[i].same);
        policy_free(policy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_words_that_it_does_not_understand),
        cmocka_unit_test(refuses_a_second_engine),
        cmocka_unit_test(refuses_more_patterns_than_a_site_has),
        cmocka_unit_test(errors_without_an_origin_name_plugstack_conf),
        cmocka_unit_test(allows_nothing_by_default),
        cmocka_unit_test(denies_without_rules),
        cmocka_unit_test(a_denial_names_image_file_line_and_patterns),
        cmocka_unit_test(a_denial_lists_the_first_eight_patterns),
        cmocka_unit_test(the_longest_denial_is_still_a_whole_sentence),
        cmocka_unit_test(a_digest_behind_an_allowed_tag_is_explained),
        cmocka_unit_test(names_the_first_rule_that_allows),
        cmocka_unit_test(the_engine_is_docker_s_unless_said_otherwise),
        cmocka_unit_test(the_fingerprint_is_of_what_decides),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
