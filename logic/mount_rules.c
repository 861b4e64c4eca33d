// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Both sides are text here: what a source leads to on the node, berth-stepd
// judges later, by the patterns that are given along.

#include "logic/mount_rules.h"

#include <stdlib.h>
#include <string.h>

#include "logic/deny.h"
#include "logic/variables.h"

enum { PATTERNS_MAX = 1024 }; // of mounts_allowed, for one mount

// What the rules say of one mount that a user wants.
struct verdict_on_mount {
    const struct rule *read;   // the first that lets him read it there
    const struct rule *write;  // and write
    const struct rule *target; // that would, at another target
    size_t npatterns;
    char *patterns[PATTERNS_MAX];
    bool writes[PATTERNS_MAX]; // the pattern's rule says rw
};

static int judge_by(const struct rule *rule, const struct mount *wanted,
                    const struct subject *subject, struct verdict_on_mount *v,
                    struct berth_err *err)
{
    const struct mount *written = rule->mount;
    char *source = NULL, *target = NULL;
    int rc = 0;

    if (!(source = variables_to_path(written->source, subject, err)) ||
        (written->target &&
         !(target = variables_to_path(written->target, subject, err)))) {
        rc = err->code == BERTH_ENOMEM ? -1 : 0; // it matches nothing
        goto out;
    }
    bool matches = mount_source_matches(source, wanted->source);
    if (target && strcmp(target, wanted->target) != 0) {
        if (matches && !v->target)
            v->target = rule;
        goto out;
    }
    if (matches && !v->read)
        v->read = rule;
    if (matches && written->flag == MOUNT_RW && !v->write)
        v->write = rule;
    if (v->npatterns < PATTERNS_MAX) {
        v->writes[v->npatterns] = written->flag == MOUNT_RW;
        v->patterns[v->npatterns++] = source;
        source = NULL;
    }
out:
    free(source);
    free(target);
    return rc;
}

// Moves the patterns that count to MOUNT.
static int take_patterns(struct verdict_on_mount *v,
                         struct decision_mount *mount)
{
    mount->patterns = calloc(v->npatterns + 1, sizeof(*mount->patterns));
    if (!mount->patterns)
        return -1;
    for (size_t i = 0; i < v->npatterns; i++)
        if (mount->readonly || v->writes[i]) {
            mount->patterns[mount->npatterns++] = v->patterns[i];
            v->patterns[i] = NULL;
        }
    return 0;
}

static int deny_mount(struct decision *out, const struct subject *subject,
                      const struct mount *wanted,
                      const struct verdict_on_mount *v)
{
    const struct rule_list *allowed = &out->rules->mounts_allowed;
    char source[DENY_PATH_MAX], at[DENY_WHERE_MAX], list[DENY_LIST_MAX];
    char rule[DENY_RULE_MAX];

    err_quote(wanted->source, source, sizeof(source));
    if (v->read)
        return deny_unless_permissive(
            out,
            "%s can only be had read-only, by %s (%s): ask for it with :ro",
            source, deny_where(v->read, at), deny_rule(v->read, subject, rule));
    if (v->target)
        return deny_unless_permissive(
            out, "%s can only be mounted where %s says (%s): name that place",
            source, deny_where(v->target, at),
            deny_rule(v->target, subject, rule));
    if (allowed->n == 0)
        return deny_unless_permissive(
            out,
            "%s cannot be mounted: %s allows no mounts (mounts_allowed of "
            "berth.conf): leave it out or ask your administrator",
            source, out->rules->file);
    if (deny_unless_permissive(
            out,
            "%s cannot be mounted: %s allows only %s (mounts_allowed): "
            "choose one of these or ask your administrator",
            source, deny_where(allowed->v[0], at),
            deny_list(allowed, subject, list)) == 0)
        return 0;
    out->unnamed = strdup(wanted->source);
    return -1;
}

int mount_rules_judge(struct decision *out, const struct subject *subject,
                      const struct mount *wanted, struct decision_mount *mount)
{
    const struct rule_list *allowed = &out->rules->mounts_allowed;
    struct verdict_on_mount v = {0};
    struct berth_err err;
    int rc = 0;

    for (size_t i = 0; i < allowed->n && rc == 0; i++)
        rc = judge_by(allowed->v[i], wanted, subject, &v, &err);
    if (rc < 0) {
        rc = deny_malformed(out, "%s", err.text);
        goto out;
    }
    // In a directory of his own a rule only says what he gets unasked.
    bool writes = v.write || (mount->within && !v.read);
    mount->rule = wanted->flag != MOUNT_RO && writes ? v.write : v.read;
    mount->readonly =
        wanted->flag == MOUNT_RO || (wanted->flag == MOUNT_UNSAID && !writes);
    if (!mount->within &&
        (!mount->rule || (wanted->flag == MOUNT_RW && !writes)))
        rc = deny_mount(out, subject, wanted, &v);
    else if (take_patterns(&v, mount) < 0)
        rc = deny_memory(out);
out:
    for (size_t i = 0; i < v.npatterns; i++)
        free(v.patterns[i]);
    return rc;
}

bool mount_rules_name(const struct rules *rules, const struct subject *subject,
                      const char *path)
{
    const struct rule_list *allowed = &rules->mounts_allowed;
    struct berth_err err;
    bool named = false;

    for (size_t i = 0; i < allowed->n && !named; i++) {
        char *source =
            variables_to_path(allowed->v[i]->mount->source, subject, &err);
        named = source && mount_source_matches(source, path);
        free(source);
    }
    return named;
}

int mount_rules_recurse(struct decision *out, const struct subject *subject)
{
    const struct rule_list *allowed = &out->rules->mounts_allowed;
    struct berth_err err;

    out->recursive = calloc(allowed->n + 1, sizeof(*out->recursive));
    if (!out->recursive)
        return deny_memory(out);
    for (size_t i = 0; i < allowed->n; i++) {
        const struct mount *written = allowed->v[i]->mount;
        char *source = written->recursive
                           ? variables_to_path(written->source, subject, &err)
                           : NULL;
        if (source)
            out->recursive[out->nrecursive++] = source;
        else if (written->recursive && err.code == BERTH_ENOMEM)
            return deny_memory(out);
    }
    return 0;
}
