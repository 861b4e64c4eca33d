// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: a reference, a newline, a plugstack.conf. The whole way from the
// file's text to a decision: a denial says why, a permission by which rule.

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "logic/decide.h"
#include "logic/plugstack.h"
#include "logic/policy.h"
#include "logic/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition) ((condition) ? (void)0 : abort())

static void judge(const struct plugstack_line *line, char *image)
{
    struct policy_source source = {"/etc/slurm/plugstack.conf", line->number,
                                   line->cut};
    struct options options = {.image = image};
    struct subject subject = {.uid = 1000, .gid = 1000};
    struct decision decision;
    struct berth_err err = {0};
    struct rules rules;
    struct policy *policy =
        policy_parse(line->argc, line->argv, &source, NULL, NULL, 0, &err);

    MUST(policy || (err.code == BERTH_EINVAL && utf8_valid(err.text)));
    if (policy) {
        MUST(policy_rules(policy, &subject, &rules, &err) == 0);
        decide(&rules, &options, &subject, &decision);
        MUST((decision.verdict == VERDICT_ALLOW) == !!decision.rule);
        MUST((decision.verdict == VERDICT_ALLOW) == !*decision.reason);
        MUST(utf8_valid(decision.reason));
        decision_clear(&decision);
        rules_clear(&rules);
    }
    policy_free(policy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct plugstack_line line;
    char image[600] = "", value[64];
    const uint8_t *newline = size ? memchr(data, '\n', size) : NULL;
    size_t len = newline ? (size_t)(newline - data) : 0;

    if (!newline || len >= sizeof(image))
        return 0;
    memcpy(image, data, len);
    struct plugstack stack = {.text = (const char *)newline + 1,
                              .len = size - len - 1};
    plugstack_from_slurm_conf(stack.text, stack.len, value, sizeof(value));
    while (plugstack_next(&stack, "spank_berth.so", &line))
        if (line.kind == PLUGSTACK_PLUGIN)
            judge(&line, image);
    return 0;
}
