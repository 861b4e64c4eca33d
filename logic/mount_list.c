// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Two that want the same place, or one within the other, are settled here;
// what the sources are on the node is judged by berth-stepd.

#include "logic/mount_list.h"

#include <stdlib.h>
#include <string.h>

#include "logic/deny.h"
#include "logic/limits.h"
#include "logic/mount_rules.h"
#include "logic/mount_syntax.h"
#include "logic/path.h"
#include "logic/variables.h"

// Why a mount is there. The lower one wins a place that two want, but for
// what the user asks where the administrator decides.
enum cause {
    BY_ALWAYS = 0,
    BY_USER = 1,
    BY_HOME = 2,
    BY_WORKDIR = 3,
    BY_DEFAULT = 4,
};

// A decision's mounts while they are collected.
struct mount_list {
    struct decision *out;
    const struct options *options;
    const struct subject *subject;
    enum cause causes[BERTH_MOUNTS_MAX];
    struct mounts wanted;
};

static const char *what(const struct decision_mount *mount)
{
    return mount->source ? mount->source : "a tmpfs";
}

static struct decision_mount *mount_at(const struct mount_list *m,
                                       const char *target)
{
    for (size_t i = 0; i < m->out->nmounts; i++)
        if (!strcmp(m->out->mounts[i].target, target))
            return &m->out->mounts[i];
    return NULL;
}

static enum cause cause_of(const struct mount_list *m,
                           const struct decision_mount *mount)
{
    return m->causes[mount - m->out->mounts];
}

static void drop_mount(struct mount_list *m, size_t i)
{
    size_t rest = --m->out->nmounts - i;

    decision_mount_clear(&m->out->mounts[i]);
    memmove(&m->out->mounts[i], &m->out->mounts[i + 1],
            rest * sizeof(*m->out->mounts));
    memmove(&m->causes[i], &m->causes[i + 1], rest * sizeof(*m->causes));
}

// Adds MOUNT, whose strings it takes, also where it fails.
static int add_mount(struct mount_list *m, enum cause cause,
                     struct decision_mount *mount)
{
    size_t n = m->out->nmounts;

    if (n == BERTH_MOUNTS_MAX) {
        decision_mount_clear(mount);
        return deny_malformed(m->out,
                              "more than %d mounts: leave some out of "
                              "--container-mounts",
                              BERTH_MOUNTS_MAX);
    }
    m->causes[n] = cause;
    m->out->mounts[m->out->nmounts++] = *mount;
    return 0;
}

// Adds a mount of PATH at the same path.
static int add_path(struct mount_list *m, enum cause cause, const char *path,
                    bool optional, const struct rule *rule)
{
    struct decision_mount mount = {.source = strdup(path),
                                   .target = strdup(path),
                                   .optional = optional,
                                   .rule = rule};

    if (mount.source && mount.target)
        return add_mount(m, cause, &mount);
    decision_mount_clear(&mount);
    return deny_memory(m->out);
}

static bool is_declined(const struct mount_list *m, const char *target)
{
    for (size_t i = 0; i < m->wanted.ndeclined; i++)
        if (!strcmp(m->wanted.declined[i], target))
            return true;
    return false;
}

// Adds what RULE of the administrator's says.
static int add_rule(struct mount_list *m, enum cause cause,
                    const struct rule *rule)
{
    const struct mount *written = rule->mount;
    struct decision_mount mount = {.rule = rule,
                                   .optional = cause == BY_DEFAULT,
                                   .recursive = written->recursive};
    struct berth_err err;
    char at[DENY_WHERE_MAX];

    mount.readonly = written->source && written->flag != MOUNT_RW;
    const char *target = written->target ? written->target : written->source;
    bool ok = (!written->source || (mount.source = variables_to_path(
                                        written->source, m->subject, &err))) &&
              (mount.target = variables_to_path(target, m->subject, &err));
    if (ok && !mount_target_ok(mount.target)) {
        ok = false;
        err_set(&err, BERTH_EINVAL, "nothing can be mounted at %s",
                mount.target);
    }
    if (!ok) {
        decision_mount_clear(&mount);
        return cause == BY_DEFAULT && err.code != BERTH_ENOMEM
                   ? 0
                   : deny_always(
                         m->out,
                         "the mount %s of %s cannot be had: %s: ask your "
                         "administrator",
                         rule->text, deny_where(rule, at), err.text);
    }
    struct decision_mount *other = mount_at(m, mount.target);
    if ((other && cause_of(m, other) != cause) ||
        (cause == BY_DEFAULT && is_declined(m, mount.target))) {
        // the user has declined it, or it is there
        decision_mount_clear(&mount);
        return 0;
    }
    if (other) // the later of two rules
        drop_mount(m, (size_t)(other - m->out->mounts));
    return add_mount(m, cause, &mount);
}

// The working directory or the home, if SOURCE is in it and the user can have
// that: he can write to it anyway, so that no rule is needed for a mount of it
// at any place. Or NULL.
static const char *own_dir(const struct mount_list *m, const char *source)
{
    const struct rules *rules = m->out->rules;
    const char *cwd = m->subject->cwd, *home = m->subject->home;
    const struct {
        const char *name, *dir;
        enum rule_mount when;
    } own[] = {{cwd, cwd, rules->workdir},
               {home, home, rules->home},
               {m->subject->pwd, cwd, rules->workdir}};

    for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
        if (own[i].name && own[i].dir && own[i].when != RULE_MOUNT_NEVER &&
            strcmp(own[i].name, "/") != 0 && strcmp(own[i].dir, "/") != 0 &&
            path_is_within(source, own[i].name))
            return own[i].dir;
    return NULL;
}

static int deny_target(struct mount_list *m, const char *target)
{
    const struct rule_list *targets = &m->out->rules->targets;
    char shown[DENY_PATH_MAX], at[DENY_WHERE_MAX], list[DENY_LIST_MAX];

    err_quote(target, shown, sizeof(shown));
    if (!mount_target_ok(target) || mount_target_is_berths(target) ||
        targets->n == 0)
        return deny_malformed(m->out,
                              "--container-mounts can put nothing at %s in a "
                              "container: choose another place",
                              shown);
    return deny_malformed(
        m->out,
        "--container-mounts can put nothing at %s in a container: of the "
        "image's own directories, %s leaves only %s (targets): choose another "
        "place",
        shown, deny_where(targets->v[0], at), deny_list(targets, NULL, list));
}

// Fills MOUNT by what its source is.
static int judge_source(struct mount_list *m, const struct mount *wanted,
                        struct decision_mount *mount)
{
    if (!wanted->source)
        return 0;
    if (!strcmp(wanted->source, MOUNT_NULL)) {
        mount->readonly = true;
        return wanted->flag != MOUNT_RW
                   ? 0
                   : deny_malformed(m->out,
                                    "--container-mounts has " MOUNT_NULL
                                    ", which is an empty file there, with rw: "
                                    "leave that out");
    }
    const char *own = own_dir(m, wanted->source);
    if (own && !strcmp(own, wanted->source)) {
        mount->readonly = wanted->flag == MOUNT_RO;
        return 0;
    }
    mount->within = own;
    return mount_rules_judge(m->out, m->subject, wanted, mount);
}

static int add_wanted(struct mount_list *m, const struct mount *wanted)
{
    struct decision_mount mount = {0};
    char target[DENY_PATH_MAX];

    err_quote(wanted->target, target, sizeof(target));
    if (!mount_target_is_free(&m->out->rules->targets, wanted->target))
        return deny_target(m, wanted->target);
    const struct decision_mount *other = mount_at(m, wanted->target);
    if (other && wanted->source && other->source &&
        !strcmp(wanted->source, other->source) &&
        (wanted->flag == MOUNT_UNSAID ||
         (wanted->flag == MOUNT_RO) == other->readonly))
        return 0;
    if (other && cause_of(m, other) == BY_USER)
        return deny_malformed(
            m->out, "--container-mounts has two mounts at %s: leave one out",
            target);
    if (other) {
        char at[DENY_WHERE_MAX];
        return deny_malformed(
            m->out,
            "--container-mounts can put nothing at %s, where %s is mounted in "
            "every container, by %s: choose another place",
            target, what(other), deny_where(other->rule, at));
    }
    if (judge_source(m, wanted, &mount) < 0) {
        decision_mount_clear(&mount);
        return -1;
    }
    mount.source = wanted->source ? strdup(wanted->source) : NULL;
    mount.target = strdup(wanted->target);
    if (mount.target && (mount.source || !wanted->source))
        return add_mount(m, BY_USER, &mount);
    decision_mount_clear(&mount);
    return deny_memory(m->out);
}

// What a user declines must be there by default, or he has mistaken its name.
static int check_declined(struct mount_list *m, const char *target)
{
    const struct rules *rules = m->out->rules;
    const struct decision_mount *other = mount_at(m, target);
    char shown[DENY_PATH_MAX], at[DENY_WHERE_MAX];
    struct berth_err err;

    err_quote(target, shown, sizeof(shown));
    if (other)
        return deny_malformed(
            m->out,
            "--container-mounts=umount:%s cannot be had, as it is mounted in "
            "every container, by %s: leave it out",
            shown, deny_where(other->rule, at));
    for (size_t i = 0; i < rules->mounts_default.n; i++) {
        const struct mount *mount = rules->mounts_default.v[i]->mount;
        char *path = variables_to_path(
            mount->target ? mount->target : mount->source, m->subject, &err);
        bool same = path && !strcmp(path, target);
        free(path);
        if (same)
            return 0;
    }
    if (rules->home == RULE_MOUNT_DEFAULT && m->subject->home &&
        !strcmp(target, m->subject->home))
        return 0;
    return deny_malformed(m->out,
                          "--container-mounts=umount:%s: nothing is mounted "
                          "there by default: leave it out",
                          shown);
}

static int add_users(struct mount_list *m)
{
    struct berth_err err;
    int rc = 0;

    if (!m->options->mounts)
        return 0;
    if (mounts_parse(m->options->mounts, m->subject->cwd, &m->wanted, &err) < 0)
        return deny_malformed(m->out, "%s", err.text);
    for (size_t i = 0; i < m->wanted.ndeclined && rc == 0; i++)
        rc = check_declined(m, m->wanted.declined[i]);
    for (size_t i = 0; i < m->wanted.n && rc == 0; i++)
        rc = add_wanted(m, &m->wanted.v[i]);
    return rc;
}

static int add_home(struct mount_list *m)
{
    const struct rules *rules = m->out->rules;
    const char *home = m->subject->home;
    bool asked = m->options->mount_home == CHOICE_YES;
    char at[DENY_WHERE_MAX];

    if (asked && rules->home == RULE_MOUNT_NEVER &&
        deny_unless_permissive(
            m->out,
            "--container-mount-home cannot be had, by %s (home): leave it "
            "out or ask your administrator",
            deny_where(&rules->home_rule, at)) < 0)
        return -1;
    if (!asked && rules->home != RULE_MOUNT_ALWAYS &&
        (rules->home != RULE_MOUNT_DEFAULT ||
         m->options->mount_home == CHOICE_NO || (home && is_declined(m, home))))
        return 0;
    if (!home || !mount_target_is_free(NULL, home))
        return !asked && rules->home == RULE_MOUNT_DEFAULT
                   ? 0
                   : deny_malformed(
                         m->out, "your home directory cannot be had in a "
                                 "container: the node knows none that can be "
                                 "mounted, ask your administrator");
    return mount_at(m, home)
               ? 0
               : add_path(m, BY_HOME, home,
                          !asked && rules->home == RULE_MOUNT_DEFAULT,
                          rules->home_rule.file ? &rules->home_rule : NULL);
}

// The working directory is there by the user's name for it as well, unless
// something else is.
static int add_pwd(struct mount_list *m)
{
    const char *cwd = m->subject->cwd, *pwd = m->subject->pwd;
    const struct decision_mount *there = cwd ? mount_at(m, cwd) : NULL;

    if (!pwd || !there || !there->source || strcmp(there->source, cwd) != 0 ||
        !mount_target_is_free(NULL, pwd))
        return 0;
    for (size_t i = 0; i < m->out->nmounts; i++) {
        const struct decision_mount *other = &m->out->mounts[i];
        if (path_is_within(pwd, other->target) ||
            (path_is_within(other->target, pwd) && m->causes[i] != BY_USER))
            return 0;
    }
    bool readonly = there->readonly;
    if (add_path(m, BY_WORKDIR, pwd, false, there->rule) < 0)
        return -1;
    struct decision_mount *added = &m->out->mounts[m->out->nmounts - 1];
    added->alias = true;
    added->readonly = readonly;
    for (size_t i = 0; i < m->out->nmounts; i++)
        m->out->mounts[i].nested |=
            !m->out->mounts[i].source &&
            path_is_within(m->out->mounts[i].target, added->target);
    return 0;
}

static int add_cwd(struct mount_list *m)
{
    const struct rules *rules = m->out->rules;
    const char *cwd = m->subject->cwd, *start = m->options->workdir;

    if (!cwd || !strcmp(cwd, "/") || rules->workdir < RULE_MOUNT_DEFAULT ||
        (rules->workdir == RULE_MOUNT_DEFAULT && start &&
         !path_is_within(start, cwd) &&
         !(m->subject->pwd && path_is_within(start, m->subject->pwd))))
        return 0;
    if (!path_is_text(cwd)) {
        char shown[DENY_PATH_MAX];
        err_quote(cwd, shown, sizeof(shown));
        return deny_malformed(
            m->out,
            "the working directory cannot be had in a container: its name, %s, "
            "has a control character or is not valid UTF-8; start from "
            "another directory, or name one with --chdir",
            shown);
    }
    if (!mount_target_ok(cwd))
        return deny_malformed(
            m->out,
            "the working directory cannot be had in a container: "
            "%s is a place which no container gets; start from "
            "another directory, or name one with --chdir",
            cwd);
    const struct decision_mount *other = mount_at(m, cwd);
    if (!other)
        return add_path(m, BY_WORKDIR, cwd, false,
                        rules->workdir_rule.file ? &rules->workdir_rule : NULL);
    if (cause_of(m, other) != BY_USER || rules->workdir != RULE_MOUNT_ALWAYS ||
        (other->source && !strcmp(other->source, cwd)))
        return 0;
    return deny_malformed(m->out,
                          "--container-mounts can put nothing at %s, since the "
                          "working directory is mounted there: choose another "
                          "place",
                          cwd);
}

// Says whether INNER is within OUTER at the very place where it is anyway.
static bool is_in_place(const struct decision_mount *inner,
                        const struct decision_mount *outer)
{
    return inner->source && path_is_within(inner->source, outer->source) &&
           !strcmp(inner->source + strlen(outer->source),
                   inner->target + strlen(outer->target));
}

// The place of a mount within another one is looked up, and made, as the user.
// That does for what he chose, and for his own directories in that, and not
// for what an administrator counts on.
static bool may_nest(enum cause inner, enum cause outer)
{
    bool set = inner == BY_ALWAYS || inner == BY_DEFAULT;

    return inner == BY_USER || (!set && outer == BY_USER) ||
           (set && (outer == BY_ALWAYS || outer == BY_DEFAULT));
}

static int check_nesting(struct mount_list *m)
{
    for (size_t i = 0; i < m->out->nmounts; i++)
        for (size_t j = 0; j < m->out->nmounts; j++) {
            struct decision_mount *inner = &m->out->mounts[i];
            struct decision_mount *outer = &m->out->mounts[j];
            char a[DENY_PATH_MAX], b[DENY_PATH_MAX], at[DENY_WHERE_MAX];
            if (i == j || !outer->source ||
                !path_is_within(inner->target, outer->target))
                continue;
            inner->nested = !inner->source;
            if (is_in_place(inner, outer) ||
                may_nest(m->causes[i], m->causes[j]))
                continue;
            if (m->causes[i] == BY_DEFAULT || m->causes[j] == BY_DEFAULT) {
                drop_mount(m, m->causes[i] == BY_DEFAULT ? i : j);
                return check_nesting(m);
            }
            err_quote(inner->target, a, sizeof(a));
            err_quote(outer->target, b, sizeof(b));
            return deny_malformed(
                m->out,
                "there can be no mount at %s, as %s lies there, which every "
                "container has by %s, and whoever owns the directory around a "
                "mount could take that away: choose another place",
                b, a, deny_where(inner->rule, at));
        }
    return 0;
}

static int by_target(const void *a, const void *b)
{
    const struct decision_mount *left = a, *right = b;

    return strcmp(left->target, right->target);
}

static int collect(struct mount_list *m)
{
    const struct rules *rules = m->out->rules;
    int rc = 0;

    for (size_t i = 0; i < rules->mounts_always.n && rc == 0; i++)
        rc = add_rule(m, BY_ALWAYS, rules->mounts_always.v[i]);
    if (rc < 0 || add_users(m) < 0 || add_home(m) < 0 || add_cwd(m) < 0)
        return -1;
    for (size_t i = 0;
         !m->wanted.none && i < rules->mounts_default.n && rc == 0; i++)
        rc = add_rule(m, BY_DEFAULT, rules->mounts_default.v[i]);
    return rc < 0 || check_nesting(m) < 0 || add_pwd(m) < 0
               ? -1
               : mount_rules_recurse(m->out, m->subject);
}

int mount_list_decide(struct decision *out, const struct options *options,
                      const struct subject *subject)
{
    struct mount_list m = {.out = out, .options = options, .subject = subject};

    out->mounts = calloc(BERTH_MOUNTS_MAX, sizeof(*out->mounts));
    if (!out->mounts)
        return deny_memory(out);
    int rc = collect(&m);
    mounts_clear(&m.wanted);
    if (rc == 0)
        qsort(out->mounts, out->nmounts, sizeof(*out->mounts), by_target);
    return rc;
}
