// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// How long a decision takes by a policy of 10,000 allowed patterns and 1,000
// sections, for a user whom several of these are about. Prints microseconds
// of CPU time, as nothing here waits, a line for each time:
//
//     policy-read N    berth.conf's text to a policy, and its sections laid
//                      over each other for the user
//     decision-allow N the rules for the user, and an image that only the
//                      last of the patterns allows, with three mounts
//     decision-deny N  and one that none allows, and the nearest one to it

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "logic/decide.h"
#include "logic/policy.h"

enum { PATTERNS = 10000, SECTIONS = 1000, ROUNDS = 51, READS = 15 };

static long long now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void die(const char *why)
{
    fprintf(stderr, "decision: %s\n", why);
    exit(1);
}

// Every third pattern has globs.
static char *make_policy(size_t *len)
{
    static const char *const kinds[] = {"user", "group", "partition", "uid"};
    char *text = NULL;
    FILE *out = open_memstream(&text, len);

    if (!out)
        die("out of memory");
    fputs("# made up\nallow = {\n", out);
    for (int i = 0; i < PATTERNS; i++)
        fprintf(out, "    \"registry.example.org/team%d/app%d%s,\n", i / 100, i,
                i % 3 ? ":1.0\"" : "/*\"");
    fputs("}\nmounts_allowed = {\"/scratch/%u/**:rw\", \"/data/*\"}\n", out);
    for (int i = 0; i < SECTIONS; i++)
        fprintf(out, "%s \"%s%d\" {\n    allow += {\"section%d/*\"}\n}\n",
                kinds[i % 4], i % 4 == 3 ? "" : kinds[i % 4], i, i);
    if (fclose(out) != 0)
        die("out of memory");
    return text;
}

static void print(const char *name, long long nanoseconds)
{
    printf("%s %lld.%lld\n", name, nanoseconds / 1000,
           nanoseconds % 1000 / 100);
}

static const gid_t gids[] = {7001, 7005, 7009};
static const char *const groups[] = {"group1", "group501", "group997"};
static const struct subject subject = {.uid = 500003,
                                       .gid = 7001,
                                       .gids = gids,
                                       .ngids = 3,
                                       .user = "user900",
                                       .group = "group1",
                                       .groups = groups,
                                       .home = "/home/user900",
                                       .partition = "partition2",
                                       .job = 1,
                                       .cwd = "/home/user900/work"};

static struct policy *read_policy(const char *text, size_t len)
{
    struct berth_err err;
    struct rules rules;
    long long start = now();
    struct policy *policy =
        policy_parse(0, NULL, NULL, "berth.conf", text, len, &err);

    if (!policy || policy_rules(policy, &subject, &rules, &err) < 0)
        die(err.text);
    print("policy-read", now() - start);
    rules_clear(&rules);
    return policy;
}

static long long judge(const struct policy *policy, const char *image,
                       enum verdict verdict)
{
    struct options options = {
        .image = (char *)image,
        .mounts = (char *)"/scratch/user900/a:/a:ro,/data/x,/scratch/user900/b",
    };
    struct decision decision;
    struct berth_err err;
    struct rules rules;
    long long start = now();

    if (policy_rules(policy, &subject, &rules, &err) < 0)
        die(err.text);
    decide(&rules, &options, &subject, &decision);
    long long took = now() - start;
    if (decision.verdict != verdict)
        die(decision.reason[0] ? decision.reason : "allowed");
    decision_clear(&decision);
    rules_clear(&rules);
    return took;
}

int main(void)
{
    struct policy *policy = NULL;
    size_t len;
    char *text = make_policy(&len);

    for (int i = 0; i < READS; i++) {
        policy_free(policy);
        policy = read_policy(text, len);
    }
    for (int i = 0; i < ROUNDS; i++) {
        print("decision-allow", judge(policy, "section900/x", VERDICT_ALLOW));
        print("decision-deny",
              judge(policy, "registry.example.org/team5/app523:1.9x",
                    VERDICT_DENY));
    }
    policy_free(policy);
    free(text);
    return 0;
}
