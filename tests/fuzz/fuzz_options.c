// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: options, one a line, "NAME" or "NAME=VALUE". What is taken can be
// told and taken again; a decision on it mounts nothing where nothing may
// be, and only what a rule lets a user have; and no sentence has a control
// character in it.

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "logic/decide.h"
#include "logic/mount_syntax.h"
#include "logic/policy.h"
#include "logic/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition) ((condition) ? (void)0 : abort())

static const char conf[] =
    "allow = {\"**\"}\n"
    "mounts_allowed = {\"/scratch/%u/**:rw\", \"/data/*:/d\"}\n"
    "mounts_always = {\"/opt/site\"}\n"
    "mounts_default = {\"/opt/more:/more\"}\n"
    "networks = {host, none, mpi}\n"
    "writable = allowed\n";

static const struct subject alice = {.uid = 1001,
                                     .gid = 100,
                                     .user = "alice",
                                     .group = "users",
                                     .home = "/home/alice",
                                     .job = 1,
                                     .cwd = "/home/alice/work"};

static bool is_sentence(const char *text)
{
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            return false;
    return utf8_valid(text);
}

static int set(void *arg, const char *name, const char *value)
{
    return options_set(arg, name, value, NULL);
}

static void check_mount(const struct decision_mount *mount,
                        const struct rule_list *targets)
{
    MUST(mount_target_ok(mount->target));
    if (!mount->source) // a tmpfs
        MUST(mount_target_is_free(targets, mount->target));
    else if (mount->within)
        MUST((mount->within == alice.home || mount->within == alice.cwd) &&
             decide_source_ok(mount, mount->source, mount->within) &&
             mount_target_is_free(targets, mount->target));
    else if (mount->npatterns > 0)
        MUST(
            decide_source_ok(mount, mount->source, NULL) &&
            mount_target_is_free(targets, mount->target) &&
            (mount->readonly || !strncmp(mount->source, "/scratch/alice", 14)));
    else
        MUST((!strcmp(mount->source, MOUNT_NULL) && mount->readonly) ||
             !strcmp(mount->source, "/opt/site") ||
             !strcmp(mount->source, "/opt/more") ||
             !strcmp(mount->source, alice.home) ||
             !strcmp(mount->source, alice.cwd));
}

static void judge(const struct options *options)
{
    static struct policy *policy;
    struct decision decision;
    struct rules rules;

    if (!policy)
        policy =
            policy_parse(0, NULL, NULL, "b.conf", conf, strlen(conf), NULL);
    MUST(policy && policy_rules(policy, &alice, &rules, NULL) == 0);
    decide(&rules, options, &alice, &decision);
    MUST((decision.verdict == VERDICT_ALLOW) == !*decision.reason);
    MUST(is_sentence(decision.reason) && !*decision.warning);
    for (size_t i = 0;
         decision.verdict == VERDICT_ALLOW && i < decision.nmounts; i++)
        check_mount(&decision.mounts[i], &rules.targets);
    MUST(decision.verdict != VERDICT_ALLOW || decision.workdir[0] == '/');
    decision_clear(&decision);
    rules_clear(&rules);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct options options = {0}, again = {0};
    struct berth_err err = {0};
    char *text = strndup((const char *)data, size), *rest = text, *line;

    while ((line = strsep(&rest, "\n"))) {
        char *eq = strchr(line, '=');
        if (eq)
            *eq++ = 0;
        if (options_set(&options, line, eq, &err) < 0)
            MUST(err.code == BERTH_EINVAL && is_sentence(err.text));
    }
    MUST(options_each(&options, set, &again) == 0);
    MUST(options.mount_home == again.mount_home &&
         options.writable == again.writable &&
         options.entrypoint == again.entrypoint &&
         !options.mounts == !again.mounts &&
         (!options.mounts || !strcmp(options.mounts, again.mounts)));
    judge(&again);
    options_clear(&options);
    options_clear(&again);
    free(text);
    return 0;
}
