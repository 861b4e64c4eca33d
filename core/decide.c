// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The options come from a user, and whatever is not understood in them, or
// not allowed by the rules, is a denial.

#include "core/decide.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/glob.h"
#include "core/limits.h"
#include "core/mounts.h"

enum {
    SHOWN_MAX = 8,       // values that a denial lists
    TAIL_MAX = 160,      // what a denial says after its list
    WHERE_MAX = 256,     // "FILE line N"
    LIST_MAX = 512,      // "a, b and 3 more"
    ERR_PATH_MAX = 200,  // of a path that is shown
    PATTERNS_MAX = 1024, // of mounts_allowed, for one mount
    NEAR_MAX = 2,        // wrong characters in a typing error
};

#define NAME_CHARACTERS                                                      \
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"

// --- how to say no -----------------------------------------------------------

static int refuse(struct decision *out, enum berth_errc code, const char *fmt,
                  va_list ap) __attribute__((format(printf, 3, 0)));

static int refuse(struct decision *out, enum berth_errc code, const char *fmt,
                  va_list ap)
{
    out->code = code;
    vsnprintf(out->reason, sizeof(out->reason), fmt, ap);
    return -1;
}

// What nobody can allow, or what is not understood. Returns -1.
static int malformed(struct decision *out, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static int malformed(struct decision *out, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    refuse(out, BERTH_EINVAL, fmt, ap);
    va_end(ap);
    return -1;
}

// What the administrator does not allow, whatever the mode. Returns -1.
static int refused(struct decision *out, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static int refused(struct decision *out, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    refuse(out, BERTH_EDENIED, fmt, ap);
    va_end(ap);
    return -1;
}

// What is in none of the administrator's lists. Returns -1; or 0 where the
// mode lets it pass, and the first reason is noted as a warning.
static int denied(struct decision *out, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static int denied(struct decision *out, const char *fmt, ...)
{
    va_list ap;
    int rc = 0;

    va_start(ap, fmt);
    if (out->rules->mode == RULE_MODE_ENFORCE)
        rc = refuse(out, BERTH_EDENIED, fmt, ap);
    else if (!out->warning[0])
        vsnprintf(out->warning, sizeof(out->warning), fmt, ap);
    va_end(ap);
    return rc;
}

static int no_memory(struct decision *out)
{
    malformed(out, "out of memory");
    out->code = BERTH_ENOMEM;
    return -1;
}

// Writes where RULE stands.
static const char *where(const struct rule *rule, char buf[WHERE_MAX])
{
    if (!rule || !rule->file)
        snprintf(buf, WHERE_MAX, "berth's default");
    else if (rule->line > 0)
        snprintf(buf, WHERE_MAX, "%s line %d", rule->file, rule->line);
    else
        snprintf(buf, WHERE_MAX, "%s", rule->file);
    return buf;
}

// Appends to BUF of SIZE bytes what fits whole; says whether it did.
static bool append(char *buf, size_t size, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static bool append(char *buf, size_t size, const char *fmt, ...)
{
    size_t len = strlen(buf);
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(buf + len, size - len, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= size - len) {
        buf[len] = 0;
        return false;
    }
    return true;
}

// Writes the first few of LIST, and how many more there are.
static const char *enumerate(const struct rule_list *list, char buf[LIST_MAX])
{
    size_t shown = 0;

    *buf = 0;
    while (shown < list->n && shown < SHOWN_MAX &&
           append(buf, LIST_MAX - 32, "%s%s", shown ? ", " : "",
                  list->v[shown]->text))
        shown++;
    if (shown < list->n)
        append(buf, LIST_MAX, shown ? " and %zu more" : "%zu values",
               list->n - shown);
    return buf;
}

// --- the image ---------------------------------------------------------------

static const struct rule *find_rule(const struct rule_list *list,
                                    const struct imgref *ref)
{
    for (size_t i = 0; i < list->n; i++)
        if (imgpat_match(list->v[i]->pattern, ref))
            return list->v[i];
    return NULL;
}

// A tag that is denied can't be had by its digest either, and which digest
// that is nobody knows here: any may be it, whatever tag is beside it, but for
// one that ALLOWED names itself.
static const struct rule *find_deny(const struct rule_list *deny,
                                    const struct imgref *ref,
                                    const struct rule *allowed)
{
    const struct rule *found = find_rule(deny, ref);

    if (found || !*ref->digest ||
        (allowed && *allowed->pattern->parts.digest))
        return found;
    for (size_t i = 0; i < deny->n && !found; i++) {
        struct imgpat open = *deny->v[i]->pattern;
        open.parts.tag[0] = 0;
        if (!*open.parts.digest && imgpat_match(&open, ref))
            found = deny->v[i];
    }
    return found;
}

// The number of characters to insert, leave out or change until A is B;
// MOST + 1 where it is more than MOST.
static unsigned distance(const char *a, const char *b, unsigned most)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    if (!*a && !*b)
        return 0;
    if (most == 0)
        return 1;
    unsigned least = most;
    if (*a && *b)
        least = distance(a + 1, b + 1, most - 1);
    if (*a && least > 0) {
        unsigned n = distance(a + 1, b, most - 1);
        least = n < least ? n : least;
    }
    if (*b && least > 0) {
        unsigned n = distance(a, b + 1, most - 1);
        least = n < least ? n : least;
    }
    return least + 1;
}

// The allowed image that REF is nearest to, if that can be a typing error:
// no more than a character in three.
static const struct rule *nearest(const struct rule_list *allow,
                                  const struct imgref *ref)
{
    const struct rule *found = NULL;
    unsigned least = NEAR_MAX + 1;
    size_t name = strlen(ref->path);

    if (!strncmp(ref->path, "library/", 8))
        name -= 8;
    if (ref->digest[0])
        return NULL; // nobody types one
    for (size_t i = 0; i < allow->n; i++) {
        const struct imgref *parts = &allow->v[i]->pattern->parts;
        if (parts->digest[0] || strchr(allow->v[i]->text, '*'))
            continue;
        unsigned n = distance(ref->path, parts->path, NEAR_MAX);
        if (n <= NEAR_MAX)
            n += distance(ref->domain, parts->domain, NEAR_MAX);
        if (n <= NEAR_MAX && parts->tag[0])
            n += distance(ref->tag, parts->tag, NEAR_MAX);
        if (n > 0 && n < least && 3 * n <= name) {
            least = n;
            found = allow->v[i];
        }
    }
    return found;
}

// What the user can do. A digest behind an allowed tag is worth a hint of
// its own, since the list then seems to allow the image.
static void advise(const struct rules *rules, const struct imgref *ref,
                   char *buf, size_t size)
{
    struct imgref tagged = *ref;

    tagged.digest[0] = 0;
    if (*ref->digest && *ref->tag && find_rule(&rules->allow, &tagged)) {
        append(buf, size, "leave the digest out, since the list allows this "
                          "image by its tag only");
        return;
    }
    const struct rule *near = nearest(&rules->allow, ref);
    if (near && append(buf, size, "did you mean %s?", near->text))
        return;
    append(buf, size, "choose one of these or ask your administrator");
}

static void explain(const struct rules *rules, const struct imgref *ref,
                    char *buf, size_t size)
{
    const struct rule_list *allow = &rules->allow;
    char image[IMGREF_TEXT_MAX];
    size_t shown = 0;

    imgref_format(ref, image);
    err_scrub(image);
    *buf = 0;
    if (allow->n == 0) {
        append(buf,
               size,
               "image %s is not allowed: %s allows no image on this node, "
               "ask your administrator for an allow= there",
               image,
               rules->allow_where);
        return;
    }
    append(buf,
           size,
           "image %s is not allowed by %s, which allows",
           image,
           rules->allow_where);
    for (; shown < allow->n && shown < SHOWN_MAX; shown++)
        if (!append(buf,
                    size - TAIL_MAX,
                    "%s %s",
                    shown ? "," : "",
                    allow->v[shown]->text))
            break;
    if (shown < allow->n)
        append(buf,
               size,
               shown ? " and %zu more" : " %zu patterns",
               allow->n - shown);
    append(buf, size, ": ");
    advise(rules, ref, buf, size);
}

static int decide_image(struct decision *out, const struct options *options)
{
    const struct rules *rules = out->rules;
    char image[IMGREF_TEXT_MAX], why[sizeof(out->reason)], at[WHERE_MAX];
    struct berth_err err;

    if (imgref_parse(options->image, &out->image, &err) < 0)
        return malformed(out, "%s", err.text);
    imgref_format(&out->image, image);
    err_scrub(image);
    out->rule = find_rule(&rules->allow, &out->image);
    const struct rule *deny = find_deny(&rules->deny, &out->image, out->rule);
    if (deny)
        out->rule = deny;
    if (deny)
        return denied(out,
                      "image %s is denied by %s (%s): choose another or ask "
                      "your administrator",
                      image,
                      where(deny, at),
                      deny->text);
    if (out->rule)
        return 0;
    explain(rules, &out->image, why, sizeof(why));
    return denied(out, "%s", why);
}

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
    char at[WHERE_MAX];

    if (subject->uid < rules->min_uid)
        return refused(out,
                       "a job of uid %u can have no container: %s wants %u at "
                       "least (min_uid): submit it as another user",
                       subject->uid,
                       where(&rules->min_uid_rule, at),
                       rules->min_uid);
    if (subject->gid < rules->min_gid)
        return refused(out,
                       "a job of gid %u can have no container: %s wants %u at "
                       "least (min_gid): submit it with another group (--gid, "
                       "newgrp)",
                       subject->gid,
                       where(&rules->min_gid_rule, at),
                       rules->min_gid);
    for (size_t i = 0; i < rules->deny_users.n; i++)
        if (is_user(subject, rules->deny_users.v[i]->text))
            return refused(out,
                           "user %s can have no container, by %s "
                           "(deny_users): ask your administrator",
                           rules->deny_users.v[i]->text,
                           where(rules->deny_users.v[i], at));
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
    char at[WHERE_MAX], words[LIST_MAX];

    (void)value;
    while (strcmp(info->name, name) != 0)
        info++;
    if (has(allowed, info->key))
        return 0;
    if (allowed->n == 0)
        return denied(out,
                      "--%s cannot be used here: %s allows no option "
                      "(options): leave it out or ask your administrator",
                      name,
                      out->rules->file);
    return denied(out,
                  "--%s cannot be used here: %s allows only %s (options): "
                  "leave it out or ask your administrator",
                  name,
                  where(allowed->v[0], at),
                  enumerate(allowed, words));
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
        return no_memory(out);
    for (size_t i = 0; i < subject->ngids; i++)
        if (!group_is_denied(out->rules, subject, i))
            out->gids[out->ngids++] = subject->gids[i];
    return 0;
}

// --- mounts ------------------------------------------------------------------

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
struct mounting {
    struct decision *out;
    const struct options *options;
    const struct subject *subject;
    enum cause causes[BERTH_MOUNTS_MAX];
    bool declined; // the user wants nothing of mounts_default
};

static const char *what(const struct decision_mount *mount)
{
    return mount->source ? mount->source : "a tmpfs";
}

static struct decision_mount *mount_at(const struct mounting *m,
                                       const char *target)
{
    for (size_t i = 0; i < m->out->nmounts; i++)
        if (!strcmp(m->out->mounts[i].target, target))
            return &m->out->mounts[i];
    return NULL;
}

static enum cause cause_of(const struct mounting *m,
                           const struct decision_mount *mount)
{
    return m->causes[mount - m->out->mounts];
}

static void clear_mount(struct decision_mount *mount)
{
    free(mount->source);
    free(mount->target);
    for (size_t i = 0; i < mount->npatterns; i++)
        free(mount->patterns[i]);
    free(mount->patterns);
    *mount = (struct decision_mount){0};
}

static void drop_mount(struct mounting *m, size_t i)
{
    size_t rest = --m->out->nmounts - i;

    clear_mount(&m->out->mounts[i]);
    memmove(&m->out->mounts[i], &m->out->mounts[i + 1],
            rest * sizeof(*m->out->mounts));
    memmove(&m->causes[i], &m->causes[i + 1], rest * sizeof(*m->causes));
}

// Adds MOUNT, whose strings it takes, also where it fails.
static int add_mount(struct mounting *m, enum cause cause,
                     struct decision_mount *mount)
{
    size_t n = m->out->nmounts;

    if (n == BERTH_MOUNTS_MAX) {
        clear_mount(mount);
        return malformed(m->out,
                         "more than %d mounts: leave some out of "
                         "--container-mounts",
                         BERTH_MOUNTS_MAX);
    }
    m->causes[n] = cause;
    m->out->mounts[m->out->nmounts++] = *mount;
    return 0;
}

// Adds a mount of PATH at the same path.
static int add_path(struct mounting *m, enum cause cause, const char *path,
                    bool optional, const struct rule *rule)
{
    struct decision_mount mount = {strdup(path), strdup(path), false,
                                   optional, 0, NULL, rule};

    if (mount.source && mount.target)
        return add_mount(m, cause, &mount);
    clear_mount(&mount);
    return no_memory(m->out);
}

// Adds what RULE of the administrator's says.
static int add_rule(struct mounting *m, enum cause cause,
                    const struct rule *rule)
{
    struct mount written = {0};
    struct decision_mount mount = {.rule = rule,
                                   .optional = cause == BY_DEFAULT};
    struct berth_err err;
    char at[WHERE_MAX];

    if (mount_rule_parse(rule->text, false, &written, &err) < 0)
        return malformed(m->out, "%s: %s", where(rule, at), err.text);
    mount.readonly = written.source && written.flag != MOUNT_RW;
    const char *target = written.target ? written.target : written.source;
    bool ok = (!written.source ||
               (mount.source = variables_to_path(written.source, m->subject,
                                                 &err))) &&
              (mount.target = variables_to_path(target, m->subject, &err));
    mount_clear(&written);
    if (ok && !mount_target_ok(mount.target)) {
        ok = false;
        err_set(&err, BERTH_EINVAL, "nothing can be mounted at %s",
                mount.target);
    }
    if (!ok) {
        clear_mount(&mount);
        return cause == BY_DEFAULT && err.code != BERTH_ENOMEM
                   ? 0
                   : refused(m->out,
                             "the mount %s of %s cannot be had: %s: ask your "
                             "administrator",
                             rule->text,
                             where(rule, at),
                             err.text);
    }
    struct decision_mount *other = mount_at(m, mount.target);
    if (other && cause_of(m, other) != cause) {
        clear_mount(&mount); // the user has declined it, or it is there
        return 0;
    }
    if (other) // the later of two rules
        drop_mount(m, (size_t)(other - m->out->mounts));
    return add_mount(m, cause, &mount);
}

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
                    const struct subject *subject,
                    struct verdict_on_mount *v, struct berth_err *err)
{
    struct mount written = {0};
    char *source = NULL, *target = NULL;
    int rc = 0;

    if (mount_rule_parse(rule->text, true, &written, err) < 0)
        return -1;
    if (!(source = variables_to_path(written.source, subject, err)) ||
        (written.target &&
         !(target = variables_to_path(written.target, subject, err)))) {
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
    if (matches && written.flag == MOUNT_RW && !v->write)
        v->write = rule;
    if (v->npatterns < PATTERNS_MAX) {
        v->writes[v->npatterns] = written.flag == MOUNT_RW;
        v->patterns[v->npatterns++] = source;
        source = NULL;
    }
out:
    free(source);
    free(target);
    mount_clear(&written);
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

static int deny_mount(struct mounting *m, const struct mount *wanted,
                      const struct verdict_on_mount *v)
{
    const struct rule_list *allowed = &m->out->rules->mounts_allowed;
    char source[ERR_PATH_MAX], at[WHERE_MAX], list[LIST_MAX];

    err_quote(wanted->source, source, sizeof(source));
    if (v->read)
        return denied(m->out,
                      "%s can only be had read-only, by %s (%s): ask for it "
                      "with :ro",
                      source,
                      where(v->read, at),
                      v->read->text);
    if (v->target)
        return denied(m->out,
                      "%s can only be mounted where %s says (%s): name that "
                      "place",
                      source,
                      where(v->target, at),
                      v->target->text);
    if (allowed->n == 0)
        return denied(m->out,
                      "%s cannot be mounted: %s allows no mounts "
                      "(mounts_allowed): leave it out or ask your "
                      "administrator",
                      source,
                      m->out->rules->file);
    return denied(m->out,
                  "%s cannot be mounted: %s allows only %s (mounts_allowed): "
                  "choose one of these or ask your administrator",
                  source,
                  where(allowed->v[0], at),
                  enumerate(allowed, list));
}

// What the rules say of WANTED, in MOUNT.
static int judge_mount(struct mounting *m, const struct mount *wanted,
                       struct decision_mount *mount)
{
    const struct rule_list *allowed = &m->out->rules->mounts_allowed;
    struct verdict_on_mount v = {0};
    struct berth_err err;
    int rc = 0;

    for (size_t i = 0; i < allowed->n && rc == 0; i++)
        rc = judge_by(allowed->v[i], wanted, m->subject, &v, &err);
    if (rc < 0) {
        rc = malformed(m->out, "%s", err.text);
        goto out;
    }
    mount->rule = wanted->flag != MOUNT_RO && v.write ? v.write : v.read;
    mount->readonly = wanted->flag == MOUNT_RO ||
                      (wanted->flag == MOUNT_UNSAID && !v.write);
    if (!mount->rule || (wanted->flag == MOUNT_RW && !v.write))
        rc = deny_mount(m, wanted, &v);
    else if (take_patterns(&v, mount) < 0)
        rc = no_memory(m->out);
out:
    for (size_t i = 0; i < v.npatterns; i++)
        free(v.patterns[i]);
    return rc;
}

static bool is_cwd(const struct mounting *m, const struct mount *wanted)
{
    const char *cwd = m->subject->cwd;

    return m->out->rules->workdir != RULE_MOUNT_NEVER && cwd &&
           wanted->source && !strcmp(wanted->source, cwd) && !strcmp(wanted->target, cwd);
}

static int add_wanted(struct mounting *m, const struct mount *wanted)
{
    struct decision_mount mount = {0};
    char target[ERR_PATH_MAX];

    err_quote(wanted->target, target, sizeof(target));
    if (!mount_target_is_free(wanted->target))
        return malformed(m->out,
                         "--container-mounts can put nothing at %s in a "
                         "container: choose another place",
                         target);
    const struct decision_mount *other = mount_at(m, wanted->target);
    if (other && cause_of(m, other) == BY_USER)
        return malformed(m->out,
                         "--container-mounts has two mounts at %s: leave one "
                         "out",
                         target);
    if (other) {
        char at[WHERE_MAX];
        if (wanted->source && other->source &&
            !strcmp(wanted->source, other->source) &&
            (wanted->flag == MOUNT_UNSAID ||
             (wanted->flag == MOUNT_RO) == other->readonly))
            return 0;
        return malformed(m->out,
                         "--container-mounts can put nothing at %s, where %s "
                         "is mounted in every container, by %s: choose "
                         "another place",
                         target,
                         what(other),
                         where(other->rule, at));
    }
    if (!wanted->source)
        mount.readonly = false;
    else if (is_cwd(m, wanted))
        mount.readonly = wanted->flag == MOUNT_RO;
    else if (judge_mount(m, wanted, &mount) < 0)
        return -1;
    mount.source = wanted->source ? strdup(wanted->source) : NULL;
    mount.target = strdup(wanted->target);
    if (mount.target && (mount.source || !wanted->source))
        return add_mount(m, BY_USER, &mount);
    clear_mount(&mount);
    return no_memory(m->out);
}

static int add_users(struct mounting *m)
{
    struct mounts wanted;
    struct berth_err err;
    int rc = 0;

    if (!m->options->mounts)
        return 0;
    if (mounts_parse(m->options->mounts, m->subject->cwd, &wanted, &err) < 0)
        return malformed(m->out, "%s", err.text);
    m->declined = wanted.none;
    for (size_t i = 0; i < wanted.n && rc == 0; i++)
        rc = add_wanted(m, &wanted.v[i]);
    mounts_clear(&wanted);
    return rc;
}

static int add_home(struct mounting *m)
{
    const struct rules *rules = m->out->rules;
    const char *home = m->subject->home;
    bool asked = m->options->mount_home == CHOICE_YES;
    char at[WHERE_MAX];

    if (asked && rules->home == RULE_MOUNT_NEVER &&
        denied(m->out,
               "--container-mount-home cannot be had, by %s (home): leave it "
               "out or ask your administrator",
               where(&rules->home_rule, at)) < 0)
        return -1;
    if (!asked && rules->home != RULE_MOUNT_ALWAYS &&
        (rules->home != RULE_MOUNT_DEFAULT ||
         m->options->mount_home == CHOICE_NO))
        return 0;
    if (!home || !mount_target_is_free(home))
        return !asked && rules->home == RULE_MOUNT_DEFAULT
                   ? 0
                   : malformed(m->out,
                               "your home directory cannot be had in a "
                               "container: the node knows none that can be "
                               "mounted, ask your administrator");
    return mount_at(m, home)
               ? 0
               : add_path(m, BY_HOME, home,
                          !asked && rules->home == RULE_MOUNT_DEFAULT,
                          rules->home_rule.file ? &rules->home_rule : NULL);
}

static int add_cwd(struct mounting *m)
{
    const struct rules *rules = m->out->rules;
    const char *cwd = m->subject->cwd, *start = m->options->workdir;

    if (!cwd || !strcmp(cwd, "/") || rules->workdir < RULE_MOUNT_DEFAULT ||
        (rules->workdir == RULE_MOUNT_DEFAULT && start &&
         !path_is_within(start, cwd)))
        return 0;
    if (!mount_target_ok(cwd))
        return malformed(m->out,
                         "the working directory cannot be had in a container: "
                         "%s is a place which no container gets; start from "
                         "another directory, or name one with --chdir",
                         cwd);
    const struct decision_mount *other = mount_at(m, cwd);
    if (!other)
        return add_path(m, BY_WORKDIR, cwd, false,
                        rules->workdir_rule.file ? &rules->workdir_rule
                                                 : NULL);
    if (cause_of(m, other) != BY_USER ||
        rules->workdir != RULE_MOUNT_ALWAYS ||
        (other->source && !strcmp(other->source, cwd)))
        return 0;
    return malformed(m->out,
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

// For a mount within another one the engine makes its place there, as root.
// That is not done in what a user chose, nor for him in what he did not.
static int check_nesting(struct mounting *m)
{
    for (size_t i = 0; i < m->out->nmounts; i++)
        for (size_t j = 0; j < m->out->nmounts; j++) {
            struct decision_mount *inner = &m->out->mounts[i];
            struct decision_mount *outer = &m->out->mounts[j];
            char a[ERR_PATH_MAX], b[ERR_PATH_MAX];
            if (i == j || !outer->source ||
                !path_is_within(inner->target, outer->target) ||
                is_in_place(inner, outer))
                continue;
            bool set = m->causes[i] == BY_ALWAYS || m->causes[i] == BY_DEFAULT;
            if (set &&
                (m->causes[j] == BY_ALWAYS || m->causes[j] == BY_DEFAULT))
                continue;
            if (m->causes[i] == BY_DEFAULT || m->causes[j] == BY_DEFAULT) {
                drop_mount(m, m->causes[i] == BY_DEFAULT ? i : j);
                return check_nesting(m);
            }
            err_quote(inner->target, a, sizeof(a));
            err_quote(outer->target, b, sizeof(b));
            return malformed(m->out,
                             "there can be no mount at %s, which is within "
                             "the mount at %s: choose another place for one "
                             "of them",
                             a,
                             b);
        }
    return 0;
}

static int by_target(const void *a, const void *b)
{
    const struct decision_mount *left = a, *right = b;

    return strcmp(left->target, right->target);
}

static int decide_mounts(struct decision *out, const struct options *options,
                         const struct subject *subject)
{
    const struct rules *rules = out->rules;
    struct mounting m = {.out = out, .options = options, .subject = subject};
    int rc = 0;

    out->mounts = calloc(BERTH_MOUNTS_MAX, sizeof(*out->mounts));
    if (!out->mounts)
        return no_memory(out);
    for (size_t i = 0; i < rules->mounts_always.n && rc == 0; i++)
        rc = add_rule(&m, BY_ALWAYS, rules->mounts_always.v[i]);
    if (rc < 0 || add_users(&m) < 0 || add_home(&m) < 0 || add_cwd(&m) < 0)
        return -1;
    for (size_t i = 0; !m.declined && i < rules->mounts_default.n && rc == 0;
         i++)
        rc = add_rule(&m, BY_DEFAULT, rules->mounts_default.v[i]);
    if (rc < 0 || check_nesting(&m) < 0)
        return -1;
    qsort(out->mounts, out->nmounts, sizeof(*out->mounts), by_target);
    return 0;
}

bool decide_source_ok(const struct decision_mount *mount, const char *real)
{
    for (size_t i = 0; i < mount->npatterns; i++)
        if (mount_source_matches(mount->patterns[i], real))
            return true;
    return mount->npatterns == 0;
}

// --- where tasks start -------------------------------------------------------

// Says whether PATH is in the container what it is on the node.
static bool is_there(const struct decision *out, const char *path)
{
    const struct decision_mount *last = NULL;

    for (size_t i = 0; i < out->nmounts; i++)
        if (path_is_within(path, out->mounts[i].target))
            last = &out->mounts[i]; // sorted: the innermost comes last
    return last && last->source && !strcmp(last->source, last->target);
}

static int decide_workdir(struct decision *out, const struct options *options,
                          const struct subject *subject)
{
    const char *start = options->workdir, *home = NULL;

    if (start && strcmp(start, "/") != 0 && !mount_target_ok(start)) {
        char shown[ERR_PATH_MAX];
        err_quote(start, shown, sizeof(shown));
        return malformed(out,
                         "--container-workdir=%s: tasks can start in an "
                         "absolute path without empty components, \".\" and "
                         "\"..\", and not in /proc, /sys, /dev or /run/berth",
                         shown);
    }
    if (!start)
        start = subject->cwd && is_there(out, subject->cwd) ? subject->cwd
                                                            : "/";
    for (size_t i = 0; i < out->nmounts && subject->home; i++)
        if (out->mounts[i].source &&
            !strcmp(out->mounts[i].target, subject->home))
            home = subject->home;
    out->workdir = strdup(start);
    out->home = strdup(home ? home : start);
    return out->workdir && out->home ? 0 : no_memory(out);
}

// --- environment -------------------------------------------------------------

static int check_env(struct decision *out, const char *name)
{
    const struct rule_list *deny = &out->rules->env_deny;
    char shown[ERR_QUOTE_MAX], at[WHERE_MAX];

    err_quote(name, shown, sizeof(shown));
    if (!*name || strchr(name, '='))
        return malformed(out,
                         "--container-env takes names of variables, with a "
                         "comma between two, and \"%s\" is none: write NAME "
                         "and give it its value with export",
                         shown);
    for (size_t i = 0; i < deny->n; i++)
        if (glob_match(deny->v[i]->text, name, ""))
            return denied(out,
                          "--container-env cannot name %s, which %s keeps out "
                          "of containers (env_deny): leave it out",
                          shown,
                          where(deny->v[i], at));
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
        return no_memory(out);
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
    char at[WHERE_MAX];

    out->env_set = calloc(set->n + 1, sizeof(*out->env_set));
    if (!out->env_set)
        return no_memory(out);
    for (size_t i = 0; i < set->n; i++) {
        char *text = variables_to_text(set->v[i]->text, subject, &err);
        if (!text)
            return refused(out,
                           "the variable %s of %s cannot be set (env_set): "
                           "%s: ask your administrator",
                           set->v[i]->text,
                           where(set->v[i], at),
                           err.text);
        out->env_set[out->nenv_set++] = text;
    }
    return 0;
}

// --- root file system, network -----------------------------------------------

static int decide_writable(struct decision *out, const struct options *options)
{
    const struct rules *rules = out->rules;
    char at[WHERE_MAX];

    out->writable = options->writable == CHOICE_YES ||
                    (options->writable == CHOICE_UNSAID &&
                     rules->writable == RULE_WRITABLE_DEFAULT);
    out->entrypoint = options->entrypoint == CHOICE_YES;
    if (!out->writable || rules->writable != RULE_WRITABLE_NEVER)
        return 0;
    return denied(out,
                  "--container-writable cannot be had, by %s (writable): "
                  "leave it out, and write to /tmp or to a mount",
                  where(&rules->writable_rule, at));
}

static int decide_network(struct decision *out, const struct options *options)
{
    const struct rule_list *networks = &out->rules->networks;
    const struct rule_list *publish = &out->rules->publish;
    const char *name = options->network;
    char shown[ERR_QUOTE_MAX], at[WHERE_MAX], list[LIST_MAX];

    err_quote(name, shown, sizeof(shown));
    if (name && (name[strspn(name, NAME_CHARACTERS)] ||
                 strchr("_.-", name[0])))
        return malformed(out,
                         "--container-network=%s is no name of a network: "
                         "write host, none, or one of the engine's",
                         shown);
    out->network = name            ? name
                   : networks->n > 0 ? networks->v[0]->text
                                     : "none";
    if (name && networks->n == 0 &&
        denied(out,
               "--container-network=%s cannot be had: %s allows no network "
               "(networks): leave it out",
               shown,
               out->rules->file) < 0)
        return -1;
    if (name && networks->n > 0 && !has(networks, name) &&
        denied(out,
               "--container-network=%s cannot be had: %s allows only %s "
               "(networks): choose one of these or ask your administrator",
               shown,
               where(networks->v[0], at),
               enumerate(networks, list)) < 0)
        return -1;
    if (!strcmp(out->network, "host") || !strcmp(out->network, "none"))
        return 0;
    out->publish = calloc(publish->n + 1, sizeof(*out->publish));
    for (size_t i = 0; out->publish && i < publish->n; i++) {
        out->publish[i] = strdup(publish->v[i]->text);
        if (!out->publish[i])
            return no_memory(out);
        out->npublish++;
    }
    return out->publish ? 0 : no_memory(out);
}

void decide(const struct rules *rules, const struct options *options,
            const struct subject *subject, struct decision *out)
{
    *out = (struct decision){.code = BERTH_EDENIED, .rules = rules};
    if (!rules || decide_identity(out, subject) < 0 ||
        options_each(options, check_option, out) < 0 ||
        decide_image(out, options) < 0 ||
        decide_groups(out, subject) < 0 ||
        decide_mounts(out, options, subject) < 0 ||
        decide_workdir(out, options, subject) < 0 ||
        decide_env(out, options) < 0 || decide_env_set(out, subject) < 0 ||
        decide_writable(out, options) < 0 || decide_network(out, options) < 0)
        return;
    out->code = BERTH_OK;
    out->verdict = VERDICT_ALLOW;
}

void decision_clear(struct decision *decision)
{
    int saved = errno;

    for (size_t i = 0; i < decision->nmounts; i++)
        clear_mount(&decision->mounts[i]);
    free(decision->mounts);
    free(decision->workdir);
    free(decision->home);
    free((void *)decision->env);
    for (size_t i = 0; i < decision->nenv_set; i++)
        free(decision->env_set[i]);
    free(decision->env_set);
    for (size_t i = 0; i < decision->npublish; i++)
        free(decision->publish[i]);
    free(decision->publish);
    free(decision->gids);
    *decision = (struct decision){0};
    errno = saved;
}
