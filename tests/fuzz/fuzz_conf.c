// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: the text of a berth.conf. An error is one sentence that names the
// file; what is understood makes rules for whoever asks, and a decision; and
// the next file is parsed as though there had been none before.

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "logic/decide.h"
#include "logic/mount_syntax.h"
#include "logic/policy.h"
#include "logic/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition) ((condition) ? (void)0 : abort())

static bool is_sentence(const char *text)
{
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            return false;
    return utf8_valid(text);
}

static void judge(const struct policy *policy, const struct subject *subject)
{
    static const struct options options[] = {
        {.image = (char *)"debian", .mounts = (char *)"/data/x,y:/y:rw"},
        {.image = (char *)"evil.io/x:1",
         .mount_home = CHOICE_YES,
         .writable = CHOICE_YES,
         .env = (char *)"A,B",
         .network = (char *)"none",
         .workdir = (char *)"/w"},
    };
    struct decision decision;
    struct rules rules;

    MUST(policy_rules(policy, subject, &rules, NULL) == 0);
    for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++) {
        decide(&rules, &options[i], subject, &decision);
        MUST((decision.verdict == VERDICT_ALLOW) == !*decision.reason);
        MUST((decision.verdict == VERDICT_ALLOW) ==
             (decision.code == BERTH_OK));
        MUST(is_sentence(decision.reason) && is_sentence(decision.warning));
        MUST(decision.verdict != VERDICT_ALLOW || decision.rule ||
             *decision.warning);
        for (size_t j = 0; j < decision.nmounts; j++)
            MUST(mount_target_ok(decision.mounts[j].target));
        decision_clear(&decision);
    }
    rules_clear(&rules);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const gid_t gids[] = {100, 7};
    static const char *const groups[] = {"users", "chem"};
    static const struct subject alice = {.uid = 1001,
                                         .gid = 100,
                                         .gids = gids,
                                         .ngids = 2,
                                         .user = "alice",
                                         .group = "users",
                                         .groups = groups,
                                         .home = "/home/alice",
                                         .partition = "gpu",
                                         .job = 1,
                                         .cwd = "/home/alice/work"};
    static const struct subject unknown = {.uid = 7, .gid = 7, .cwd = "/"};
    static const char good[] = "# c\nuser \"a\" { allow += {\"b\"} }\n";
    struct berth_err err = {0};
    struct policy *policy =
        policy_parse(0, NULL, NULL, "b.conf", (const char *)data, size, &err);

    if (policy) {
        judge(policy, &alice);
        judge(policy, &unknown);
    } else {
        MUST(err.code == BERTH_EINVAL && is_sentence(err.text));
        MUST(!strncmp(err.text, "b.conf", 6));
    }
    policy_free(policy);
    policy = policy_parse(0, NULL, NULL, "b.conf", good, strlen(good), &err);
    MUST(policy);
    policy_free(policy);
    return 0;
}
