// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "logic/pull.h"

#define COUNT(table) (sizeof(table) / sizeof(*(table)))

// As skopeo 1.9.3 has said them, but for those with another's name.
static const struct {
    const char *said;
    enum pull_cause cause;
} said[] = {
    {"Error parsing image name \"docker://h/a:b\": reading manifest b in h/a: "
     "manifest unknown: manifest unknown",
     PULL_NO_TAG},
    {"reading manifest 1 in h/a: name unknown: repository name not known to "
     "registry",
     PULL_NO_REPOSITORY},
    {"unable to retrieve auth token: invalid username/password: unauthorized: "
     "authentication required",
     PULL_UNAUTHORIZED},
    {"reading manifest 1 in h/a: unauthorized: authentication required",
     PULL_UNAUTHORIZED},
    {"Requesting bear token: invalid status code from registry 403 (Forbidden)",
     PULL_DENIED},
    {"errors:\ndenied: requested access to the resource is denied\n"
     "unauthorized: authentication required\n", // Docker Hub
     PULL_UNAUTHORIZED},
    {"reading manifest latest in h/a: toomanyrequests: You have reached your "
     "pull rate limit.",
     PULL_LIMITED},
    {"pinging container registry h: Get \"https://h/v2/\": x509: certificate "
     "signed by unknown authority",
     PULL_CERTIFICATE},
    {"pinging container registry h: Get \"https://h/v2/\": http: server gave "
     "HTTP response to HTTPS client",
     PULL_PLAIN},
    {"pinging container registry h: Get \"http://h/v2/\": dial tcp 1.2.3.4:5: "
     "connect: connection refused",
     PULL_REFUSED},
    {"pinging container registry h: Get \"https://h/v2/\": dial tcp: lookup h: "
     "no such host",
     PULL_NO_HOST},
    {"pinging container registry h: received unexpected HTTP status: 503 "
     "Service Unavailable",
     PULL_SERVER},
    {"reading manifest: invalid character '<' looking for beginning of value",
     PULL_PORTAL},
    {"reading blob sha256:aa: Get \"http://h/v2/\": unexpected EOF", PULL_CUT},
    {"read tcp 1.2.3.4:5->6.7.8.9:5: read: connection reset by peer", PULL_CUT},
    // Names that say something else.
    {"Error parsing image name \"docker://h/denied/certificate:1\": reading "
     "manifest unauthorized in h/denied/certificate: manifest unknown: "
     "manifest "
     "unknown",
     PULL_NO_TAG},
    {"pinging container registry h: Get \"https://h/toomanyrequests/\": dial "
     "tcp 1.2.3.4:5: i/o timeout",
     PULL_CUT},
    {"reading manifest denied in h/x509:/denied", PULL_UNKNOWN},
    // What mirrors say is not the last word.
    {"Error parsing image name \"docker://h/a:1\": (Mirrors also failed: "
     "[m:5000/a:1: reading manifest 1 in m:5000/a: manifest unknown: manifest "
     "unknown]): h/a:1: reading manifest 1 in h/a: unauthorized: "
     "authentication required",
     PULL_UNAUTHORIZED},
    {"Error parsing image name \"docker://h/a:1\": (Mirrors also failed: "
     "[m:5000/a:1: reading manifest 1 in m:5000/a: manifest unknown: manifest "
     "unknown]): h/a:1: pinging container registry h: Get \"https://h/v2/\": "
     "dial tcp: lookup h: no such host",
     PULL_NO_TAG},
    {"fetching blob: invalid status code from registry 404 (Not Found)",
     PULL_NO_BLOB},
    {"fetching blob: blob unknown", PULL_NO_BLOB},
    {"fetching blob: manifest unknown", PULL_NO_BLOB},
    {"fetching blob: unknown: not found", PULL_NO_BLOB},
    {"fetching blob: StatusCode: 404, \"<html>404</html>\"", PULL_NO_BLOB},
    {"fetching blob: StatusCode: 403, \"unknown\"", PULL_DENIED},
    {"reading manifest 1 in h/a: StatusCode: 401, \"\"", PULL_UNAUTHORIZED},
    {"reading manifest 1 in h/a: StatusCode: 404, \"\"", PULL_NO_TAG},
    {"exceeded maximum allowed size of 4194304 bytes", PULL_LONG},
    {"something new", PULL_UNKNOWN},
    {"", PULL_UNKNOWN},
};

static void skopeos_words_have_a_cause(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(said); i++)
        if (pull_cause(said[i].said) != said[i].cause)
            fail_msg("%s: %d", said[i].said, (int)pull_cause(said[i].said));
}

static void only_what_may_pass_is_tried_again(void **state)
{
    (void)state;
    assert_true(pull_is_passing(PULL_SERVER));
    assert_true(pull_is_passing(PULL_CUT));
    assert_false(pull_is_passing(PULL_NO_TAG));
    assert_false(pull_is_passing(PULL_UNAUTHORIZED));
    assert_false(pull_is_passing(PULL_CERTIFICATE));
    assert_false(pull_is_passing(PULL_UNKNOWN));
}

static struct pull_facts facts = {
    .image = "h.io/a/b:1",
    .node = "n7",
    .registry = "h.io",
    .credentials = "/home/x/.docker/config.json",
    .seconds = 12,
    .packed_max = 2000000,
    .unpacked_max = 9000000,
};

// Checks that a failure's sentence is one, and has WORDS in it.
static void sentence(uint32_t code, uint32_t number, const char *text,
                     const char *words)
{
    struct fetch_failed why = {.code = code, .number = number};
    struct berth_err err = {0};

    snprintf(why.text, sizeof(why.text), "%s", text);
    assert_int_equal(pull_explain(&why, &facts, &err), -1);
    assert_int_equal(err.code, BERTH_ENOTFOUND);
    assert_non_null(
        strstr(err.text, "h.io/a/b:1 cannot be fetched to node n7"));
    if (!strstr(err.text, words) || strchr(err.text, '\n') ||
        strchr(err.text, '\033') || strlen(err.text) > 900)
        fail_msg("%s", err.text);
}

static void each_failure_has_a_sentence_of_its_own(void **state)
{
    char texts[COUNT(said)][sizeof(((struct berth_err *)0)->text)];
    struct berth_err err;

    (void)state;
    facts.had_credentials = true;
    for (size_t i = 0; i < COUNT(said); i++) {
        struct fetch_failed why = {.code = FETCH_CODE_SAID};
        snprintf(why.text, sizeof(why.text), "%s", said[i].said);
        pull_explain(&why, &facts, &err);
        strcpy(texts[i], err.text);
        for (size_t k = 0; k < i; k++)
            if (said[i].cause != said[k].cause)
                assert_string_not_equal(texts[i], texts[k]);
    }
    facts.had_credentials = false;
    sentence(FETCH_CODE_SILENT, 30, "", "has not said a word for 30 s");
    sentence(FETCH_CODE_SLOW, 30, "", "less than a kilobyte a second");
    sentence(FETCH_CODE_LIMITED, 3, "", "tried 3 times in 12 s");
    sentence(FETCH_CODE_PACKED, 0, "", "2 MB");
    sentence(FETCH_CODE_LARGE, 0, "", "9 MB");
    sentence(FETCH_CODE_NO_SKOPEO, 0, "", "skopeo");
    sentence(FETCH_CODE_UNSIGNED, 0, "", "policy.json");
    sentence(FETCH_CODE_LATE, 0, "", "pull_seconds");
    sentence(FETCH_CODE_ENGINE, 0, "Docker: no space left on device", "disk");
    sentence(FETCH_CODE_OWN, 0, "it is a chart", ": it is a chart");
}

static void words_that_nobody_knows_are_quoted_and_scrubbed(void **state)
{
    char text[FETCH_TEXT_MAX];

    (void)state;
    sentence(FETCH_CODE_SAID, 0, "one\nline\033[31m more",
             "skopeo says \"one?line?[31m more\"");
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    sentence(FETCH_CODE_SAID, 0, text, "...\"");
}

static void a_proxy_that_fails_is_not_the_registry(void **state)
{
    (void)state;
    sentence(FETCH_CODE_SAID, 0,
             "pinging container registry h.io: Get \"https://h.io/v2/\": "
             "proxyconnect tcp: dial tcp 10.0.0.1:3128: connect: connection "
             "refused",
             "(fetch_proxy) does not answer");
}

static void who_wants_credentials_says_where_they_would_be(void **state)
{
    static const char text[] = "unauthorized: authentication required";

    (void)state;
    sentence(FETCH_CODE_SAID, 0, text,
             "h.io wants credentials for it, and /home/x/.docker/config.json "
             "has none: log in (docker login h.io");
    facts.had_credentials = true;
    sentence(FETCH_CODE_SAID, 0, text,
             "h.io refuses the credentials of /home/x/.docker/config.json");
    facts.had_credentials = false;
    facts.helper = "pass";
    sentence(FETCH_CODE_SAID, 0, text,
             "/home/x/.docker/config.json names docker-credential-pass for "
             "these, which the policy does not name (credential_helpers)");
    facts.asked = true;
    sentence(FETCH_CODE_SAID, 0, text,
             "docker-credential-pass, which /home/x/.docker/config.json names, "
             "had none or took too long");
    facts.asked = false;
    facts.helper = NULL;
}

static void what_nobody_waits_for_is_told_apart(void **state)
{
    const struct fetch_failed why = {.code = FETCH_CODE_ENDED};
    struct berth_err err;

    (void)state;
    assert_int_equal(pull_explain(&why, &facts, &err), -1);
    assert_int_equal(err.code, BERTH_EENDED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(skopeos_words_have_a_cause),
        cmocka_unit_test(only_what_may_pass_is_tried_again),
        cmocka_unit_test(each_failure_has_a_sentence_of_its_own),
        cmocka_unit_test(words_that_nobody_knows_are_quoted_and_scrubbed),
        cmocka_unit_test(a_proxy_that_fails_is_not_the_registry),
        cmocka_unit_test(who_wants_credentials_says_where_they_would_be),
        cmocka_unit_test(what_nobody_waits_for_is_told_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
