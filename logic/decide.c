// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The options come from a user, and whatever is not understood in them, or
// not allowed by the rules, is a denial.

#include "logic/decide.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "logic/allow.h"
#include "logic/deny.h"
#include "logic/glob.h"
#include "logic/mount_list.h"
#include "logic/mount_syntax.h"
#include "logic/path.h"
#include "logic/variables.h"

#define NAME_CHARACTERS                                                        \
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"

// --- who asks, and for what --------------------------------------------------

static bool is_user(const struct subject *subject, const char *text)
{
    char number[16];

    snprintf(number, sizeof(number), "%u", subject->uid);
    return !strcmp(text, number) ||
           (subject->user && !strcmp(text, subject->user));
}

static int decide_identity(struct decision *out, const struct subject *subject)
{
    const struct rules *rules = out->rules;
    char at[DENY_WHERE_MAX];

    if (subject->uid < rules->min_uid)
        return deny_always(
            out,
            "a job of uid %u can have no container: %s wants %u at "
            "least (min_uid): submit it as another user",
            subject->uid, deny_where(&rules->min_uid_rule, at), rules->min_uid);
    if (subject->gid < rules->min_gid)
        return deny_always(
            out,
            "a job of gid %u can have no container: %s wants %u at least "
            "(min_gid): submit it with another group (--gid, newgrp)",
            subject->gid, deny_where(&rules->min_gid_rule, at), rules->min_gid);
    for (size_t i = 0; i < rules->deny_users.n; i++)
        if (is_user(subject, rules->deny_users.v[i]->text))
            return deny_always(out,
                               "user %s can have no container, by %s "
                               "(deny_users): ask your administrator",
                               rules->deny_users.v[i]->text,
                               deny_where(rules->deny_users.v[i], at));
    return 0;
}

int decide_who(const struct rules *rules, const struct subject *subject,
               struct berth_err *err)
{
    struct decision out = {.rules = rules};

    if (decide_identity(&out, subject) == 0)
        return 0;
    return err_set(err, out.code, "%s", out.reason);
}

static bool has(const struct rule_list *list, const char *text)
{
    for (size_t i = 0; i < list->n; i++)
        if (!strcmp(list->v[i]->text, text))
            return true;
    return false;
}

static int check_option(void *arg, const char *name, const char *value)
{
    struct decision *out = arg;
    const struct rule_list *allowed = &out->rules->options;
    const struct option_info *info = option_table;
    char at[DENY_WHERE_MAX], words[DENY_LIST_MAX];

    (void)value;
    while (strcmp(info->name, name) != 0)
        info++;
    if (has(allowed, info->key))
        return 0;
    if (allowed->n == 0)
        return deny_unless_permissive(
            out,
            "--%s cannot be used here: %s allows no option "
            "(options): leave it out or ask your administrator",
            name, out->rules->file);
    return deny_unless_permissive(
        out,
        "--%s cannot be used here: %s allows only %s (options): "
        "leave it out or ask your administrator",
        name, deny_where(allowed->v[0], at), deny_list(allowed, words));
}

static bool group_is_denied(const struct rules *rules,
                            const struct subject *subject, size_t i)
{
    char number[16];

    snprintf(number, sizeof(number), "%u", subject->gids[i]);
    return has(&rules->deny_groups, number) ||
           (subject->groups && subject->groups[i] &&
            has(&rules->deny_groups, subject->groups[i]));
}

static int decide_groups(struct decision *out, const struct subject *subject)
{
    out->gids = calloc(subject->ngids + 1, sizeof(*out->gids));
    if (!out->gids)
        return deny_memory(out);
    for (size_t i = 0; i < subject->ngids; i++)
        if (!group_is_denied(out->rules, subject, i))
            out->gids[out->ngids++] = subject->gids[i];
    return 0;
}

// --- where tasks start -------------------------------------------------------

// Says whether PATH is in the container what it is on the node, or has a mount
// of its own.
static bool is_there(const struct decision *out, const char *path, bool own)
{
    const struct decision_mount *last = NULL;

    for (size_t i = 0; i < out->nmounts; i++)
        if (path_is_within(path, out->mounts[i].target))
            last = &out->mounts[i]; // sorted: the innermost comes last
    return last && last->source &&
           (!strcmp(last->source, last->target) ||
            (own && !strcmp(last->target, path)));
}

static int decide_workdir(struct decision *out, const struct options *options,
                          const struct subject *subject)
{
    const char *home = subject->home;
    struct berth_err err;

    // A shell's completion writes a slash at the end.
    if (options->workdir &&
        (options->workdir[0] != '/' ||
         !(out->workdir = path_normalise("", options->workdir, false, &err)) ||
         (strcmp(out->workdir, "/") != 0 && !mount_target_ok(out->workdir)))) {
        char shown[DENY_PATH_MAX];
        err_quote(options->workdir, shown, sizeof(shown));
        return deny_malformed(
            out,
            "--container-workdir=%s: tasks can start in an absolute path "
            "without \"..\", and not in /proc, /sys, /dev or /run/berth",
            shown);
    }
    const char *start = NULL;
    if (!out->workdir && subject->cwd && is_there(out, subject->cwd, false))
        start = subject->cwd;
    out->anywhere = !out->workdir && !start;
    if (!out->workdir)
        out->workdir = strdup(start ? start : "/");
    out->home =
        strdup(home && is_there(out, home, true) ? home : DECIDE_NO_HOME);
    return out->workdir && out->home ? 0 : deny_memory(out);
}

// --- environment -------------------------------------------------------------

static int check_env(struct decision *out, const char *name)
{
    const struct rule_list *deny = &out->rules->env_deny;
    char shown[ERR_QUOTE_MAX], at[DENY_WHERE_MAX];

    err_quote(name, shown, sizeof(shown));
    if (!*name || strpbrk(name, "=? []"))
        return deny_malformed(
            out,
            "--container-env takes names of variables, in which * stands "
            "for any characters, with a comma between two, and \"%s\" is "
            "none: write NAME and give it its value with export",
            shown);
    for (size_t i = 0; i < deny->n; i++)
        if (glob_match(deny->v[i]->text, name, ""))
            return deny_unless_permissive(
                out,
                "--container-env cannot name %s, which %s keeps out "
                "of containers (env_deny): leave it out",
                shown, deny_where(deny->v[i], at));
    return 0;
}

// The names and the array that points to them are one block.
static int decide_env(struct decision *out, const struct options *options)
{
    size_t count = 1;

    if (!options->env)
        return 0;
    for (const char *p = options->env; *p; p++)
        count += *p == ',';
    size_t size = strlen(options->env) + 1;
    out->env = malloc(count * sizeof(*out->env) + size);
    if (!out->env)
        return deny_memory(out);
    char *rest = memcpy(out->env + count, options->env, size), *name;
    while ((name = strsep(&rest, ","))) {
        out->env[out->nenv++] = name;
        if (check_env(out, name) < 0)
            return -1;
    }
    return 0;
}

static int decide_env_set(struct decision *out, const struct subject *subject)
{
    const struct rule_list *set = &out->rules->env_set;
    struct berth_err err;
    char at[DENY_WHERE_MAX];

    out->env_set = calloc(set->n + 1, sizeof(*out->env_set));
    if (!out->env_set)
        return deny_memory(out);
    for (size_t i = 0; i < set->n; i++) {
        char *text = variables_to_text(set->v[i]->text, subject, &err);
        if (!text)
            return deny_always(out,
                               "the variable %s of %s cannot be set (env_set): "
                               "%s: ask your administrator",
                               set->v[i]->text, deny_where(set->v[i], at),
                               err.text);
        out->env_set[out->nenv_set++] = text;
    }
    return 0;
}

// --- root file system, network, Slurm ----------------------------------------

static int decide_writable(struct decision *out, const struct options *options)
{
    const struct rules *rules = out->rules;
    char at[DENY_WHERE_MAX];

    out->writable = options->writable == CHOICE_YES ||
                    (options->writable == CHOICE_UNSAID &&
                     rules->writable == RULE_LEAVE_DEFAULT);
    out->entrypoint = options->entrypoint == CHOICE_YES;
    if (!out->writable || rules->writable != RULE_LEAVE_NEVER)
        return 0;
    return deny_unless_permissive(
        out,
        "--container-writable cannot be had, by %s (writable): "
        "leave it out, and write to /tmp or to a mount",
        deny_where(&rules->writable_rule, at));
}

static int check_network(struct decision *out, const char *name)
{
    const struct rule_list *networks = &out->rules->networks;
    char shown[ERR_QUOTE_MAX], at[DENY_WHERE_MAX], list[DENY_LIST_MAX];

    err_quote(name, shown, sizeof(shown));
    if (name[strspn(name, NAME_CHARACTERS)] || strchr("_.-", name[0]))
        return deny_malformed(out,
                              "--container-network=%s is no name of a network: "
                              "write host, none, or one of the engine's",
                              shown);
    if (has(networks, name))
        return 0;
    if (networks->n == 0)
        return deny_unless_permissive(
            out,
            "--container-network=%s cannot be had: %s allows no network "
            "(networks): leave it out",
            shown, out->rules->file);
    return deny_unless_permissive(
        out,
        "--container-network=%s cannot be had: %s allows only %s "
        "(networks): choose one of these or ask your administrator",
        shown, deny_where(networks->v[0], at), deny_list(networks, list));
}

static int decide_network(struct decision *out, const struct options *options)
{
    const struct rule_list *networks = &out->rules->networks;
    const char *name = options->network;

    out->network = name              ? name
                   : networks->n > 0 ? networks->v[0]->text
                                     : "none";
    if (name && check_network(out, name) < 0)
        return -1;
    if (strcmp(out->network, "host") != 0 && strcmp(out->network, "none") != 0)
        out->publish = out->rules->publish;
    return 0;
}

// With these a task can leave its container, as its user: no mode makes a
// trial of it. They speak to daemons over the node's network.
static int decide_slurm(struct decision *out, const struct options *options)
{
    const struct rules *rules = out->rules;
    bool asked = options->slurm == CHOICE_YES;
    char at[DENY_WHERE_MAX];

    if (asked && rules->slurm == RULE_LEAVE_NEVER)
        return deny_always(out,
                           "--container-slurm cannot be had, by %s (slurm): "
                           "leave it out or ask your administrator",
                           deny_where(&rules->slurm_rule, at));
    if (asked && strcmp(out->network, "host") != 0)
        return deny_malformed(out,
                              "--container-slurm needs the node's network, "
                              "and this container's is %s: add "
                              "--container-network=host, or leave it out",
                              out->network);
    out->slurm = asked || (options->slurm == CHOICE_UNSAID &&
                           rules->slurm == RULE_LEAVE_DEFAULT &&
                           !strcmp(out->network, "host"));
    return 0;
}

void decide(const struct rules *rules, const struct options *options,
            const struct subject *subject, struct decision *out)
{
    *out = (struct decision){.code = BERTH_EDENIED, .rules = rules};
    if (!rules || decide_identity(out, subject) < 0 ||
        options_each(options, check_option, out) < 0 ||
        allow_image(out, options->image) < 0 ||
        decide_groups(out, subject) < 0 ||
        mount_list_decide(out, options, subject) < 0 ||
        decide_workdir(out, options, subject) < 0 ||
        decide_env(out, options) < 0 || decide_env_set(out, subject) < 0 ||
        decide_writable(out, options) < 0 || decide_network(out, options) < 0 ||
        decide_slurm(out, options) < 0)
        return;
    out->code = BERTH_OK;
    out->verdict = VERDICT_ALLOW;
}

bool decide_source_ok(const struct decision_mount *mount, const char *real,
                      const char *within)
{
    if (within && path_is_within(real, within))
        return true;
    for (size_t i = 0; i < mount->npatterns; i++)
        if (mount_source_matches(mount->patterns[i], real))
            return true;
    return mount->npatterns == 0 && !mount->within;
}
