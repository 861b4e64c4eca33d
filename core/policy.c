// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The administrator's words are trusted to mean well, and not to be free of
// mistakes: whatever is not understood is an error, and an error allows
// nothing. The reference that is judged comes from a user.

#include "core/policy.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "core/utf8.h"

#define DEFAULT_ENGINE "/run/docker.sock"
#define DEFAULT_FILE "plugstack.conf"

enum {
    CDI_MAX = 128,
    ENGINE_MAX = 107, // sun_path of sockaddr_un(7), without its NUL
    SHOWN_MAX = 8,    // patterns that a denial lists
    WHERE_MAX = 240,  // "FILE line N", as sentences show it
    TAIL_MAX = 160,   // what a denial says after its list
};

struct rule {
    char *text; // as the administrator wrote it
    struct imgpat pattern;
};

struct policy {
    char where[WHERE_MAX];
    char *engine;
    char *cdi;
    size_t rule_count;
    struct rule *rules;
};

static void describe(const struct policy_origin *origin, char buf[WHERE_MAX])
{
    char file[WHERE_MAX - 24];

    err_quote(origin && origin->file ? origin->file : DEFAULT_FILE,
              file,
              sizeof(file));
    if (origin && origin->line > 0)
        snprintf(buf, WHERE_MAX, "%s line %d", file, origin->line);
    else
        snprintf(buf, WHERE_MAX, "%s", file);
}

static int no_memory(struct berth_err *err)
{
    return err_set(err, BERTH_ENOMEM, "out of memory");
}

static int
add_allow(struct policy *policy, const char *value, struct berth_err *err)
{
    struct rule rule = {0};

    if (!*value)
        return err_set(err,
                       BERTH_EINVAL,
                       "it names no image: write allow=IMAGE, such as "
                       "allow=debian");
    if (imgpat_parse(value, &rule.pattern, err) < 0)
        return -1;
    if (policy->rule_count >= BERTH_ALLOW_MAX)
        return err_set(err,
                       BERTH_EINVAL,
                       "more than %d images: use patterns, such as "
                       "allow=registry.example.org/team/**",
                       BERTH_ALLOW_MAX);
    struct rule *rules =
        realloc(policy->rules, (policy->rule_count + 1) * sizeof(*rules));
    if (!rules)
        return no_memory(err);
    policy->rules = rules;
    rule.text = strdup(value);
    if (!rule.text)
        return no_memory(err);
    rules[policy->rule_count++] = rule;
    return 0;
}

static bool is_clean(const char *s)
{
    if (!utf8_valid(s))
        return false;
    for (; *s; s++)
        if ((unsigned char)*s <= ' ' || *s == 0x7f)
            return false;
    return true;
}

static int
set_engine(struct policy *policy, const char *value, struct berth_err *err)
{
    static const char scheme[] = "unix://";
    const char *path = "";

    if (policy->engine)
        return err_set(err,
                       BERTH_EINVAL,
                       "a second engine: a node has one, leave one engine= "
                       "out");
    if (!strncmp(value, scheme, strlen(scheme)))
        path = value + strlen(scheme);
    if (*path != '/')
        return err_set(err,
                       BERTH_EINVAL,
                       "berth reaches the engine by a Unix socket of this "
                       "node only: write engine=unix:///ABSOLUTE/PATH, such "
                       "as engine=unix://" DEFAULT_ENGINE);
    if (strlen(path) > ENGINE_MAX)
        return err_set(err,
                       BERTH_EINVAL,
                       "the path has %zu bytes, and a Unix socket's can have "
                       "%d: use a shorter one",
                       strlen(path),
                       ENGINE_MAX);
    if (!is_clean(path))
        return err_set(err,
                       BERTH_EINVAL,
                       "the path has a space, a control character or is not "
                       "valid UTF-8: write it plainly");
    if (path[strlen(path) - 1] == '/')
        return err_set(err,
                       BERTH_EINVAL,
                       "the path ends with '/': name the socket, not its "
                       "directory");
    policy->engine = strdup(path);
    return policy->engine ? 0 : no_memory(err);
}

static int
set_cdi(struct policy *policy, const char *value, struct berth_err *err)
{
    static const char ok[] = "abcdefghijklmnopqrstuvwxyz"
                             "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

    if (policy->cdi)
        return err_set(err,
                       BERTH_EINVAL,
                       "a second cdi=: leave one out");
    size_t vendor = strspn(value, ok);
    size_t class = value[vendor] ? strspn(value + vendor + 1, ok) : 0;
    if (vendor == 0 || value[vendor] != '/' || class == 0 ||
        value[vendor + 1 + class] || strlen(value) > CDI_MAX)
        return err_set(err,
                       BERTH_EINVAL,
                       "a kind of CDI devices is VENDOR/CLASS: write "
                       "cdi=nvidia.com/gpu, or what the CDI specification of "
                       "this node has as its kind");
    policy->cdi = strdup(value);
    return policy->cdi ? 0 : no_memory(err);
}

static const struct {
    const char *key; // with its '='
    int (*set)(struct policy *policy, const char *value, struct berth_err *err);
} keys[] = {
    {"allow=", add_allow},
    {"cdi=", set_cdi},
    {"engine=", set_engine},
};

static int
add_word(struct policy *policy, const char *word, struct berth_err *err)
{
    char quoted[ERR_QUOTE_MAX];

    err_quote(word, quoted, sizeof(quoted));
    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
        size_t len = strlen(keys[i].key);
        if (!word || strncmp(word, keys[i].key, len) != 0)
            continue;
        if (keys[i].set(policy, word + len, err) == 0)
            return 0;
        return err_prefix(err, "%s: \"%s\"", policy->where, quoted);
    }
    return err_set(err,
                   BERTH_EINVAL,
                   "%s: \"%s\" is no word that berth knows: write "
                   "allow=IMAGE, engine=unix:///PATH or cdi=VENDOR/CLASS",
                   policy->where,
                   quoted);
}

struct policy *policy_parse(size_t argc,
                            const char *const *argv,
                            const struct policy_origin *origin,
                            struct berth_err *err)
{
    struct policy *policy = calloc(1, sizeof(*policy));

    if (!policy) {
        no_memory(err);
        return NULL;
    }
    describe(origin, policy->where);
    if (origin && origin->cut) {
        err_set(err,
                BERTH_EINVAL,
                "%s: the line is longer than the 4095 bytes that Slurm reads "
                "of it: make it shorter, or no container can be had here",
                policy->where);
        policy_free(policy);
        return NULL;
    }
    for (size_t i = 0; i < argc; i++) {
        if (add_word(policy, argv[i], err) < 0) {
            policy_free(policy);
            return NULL;
        }
    }
    return policy;
}

void policy_free(struct policy *policy)
{
    int saved = errno;

    if (policy) {
        for (size_t i = 0; i < policy->rule_count; i++)
            free(policy->rules[i].text);
        free(policy->rules);
        free(policy->engine);
    free(policy->cdi);
        free(policy);
    }
    errno = saved;
}

const char *policy_engine(const struct policy *policy)
{
    return policy->engine ? policy->engine : DEFAULT_ENGINE;
}

const char *policy_cdi(const struct policy *policy)
{
    return policy->cdi;
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

static const struct rule *find_rule(const struct policy *policy,
                                    const struct imgref *ref)
{
    for (size_t i = 0; i < policy->rule_count; i++)
        if (imgpat_match(&policy->rules[i].pattern, ref))
            return &policy->rules[i];
    return NULL;
}

// What the user can do. A digest behind an allowed tag is worth a hint of
// its own, since the list then seems to allow the image.
static const char *advice(const struct policy *policy, const struct imgref *ref)
{
    struct imgref tagged = *ref;

    tagged.digest[0] = 0;
    if (*ref->digest && *ref->tag && find_rule(policy, &tagged))
        return "leave the digest out, since the list allows this image by "
               "its tag only";
    return "choose one of these or ask your administrator";
}

static void explain(const struct policy *policy,
                    const struct imgref *ref,
                    char *buf,
                    size_t size)
{
    char image[IMGREF_TEXT_MAX];
    size_t shown = 0;

    imgref_format(ref, image);
    err_scrub(image);
    *buf = 0;
    if (policy->rule_count == 0) {
        append(buf,
               size,
               "image %s is not allowed: %s allows no image on this node, "
               "ask your administrator for an allow= there",
               image,
               policy->where);
        return;
    }
    append(buf,
           size,
           "image %s is not allowed by %s, which allows",
           image,
           policy->where);
    for (; shown < policy->rule_count && shown < SHOWN_MAX; shown++)
        if (!append(buf,
                    size - TAIL_MAX,
                    "%s %s",
                    shown ? "," : "",
                    policy->rules[shown].text))
            break;
    if (shown < policy->rule_count)
        append(buf,
               size,
               shown ? " and %zu more" : " %zu patterns",
               policy->rule_count - shown);
    append(buf, size, ": %s", advice(policy, ref));
}

void policy_check_image(const struct policy *policy,
                        const struct imgref *ref,
                        struct policy_decision *out)
{
    memset(out, 0, sizeof(*out));
    out->verdict = POLICY_DENY;

    if (!policy)
        return;
    const struct rule *rule = find_rule(policy, ref);
    if (!rule) {
        explain(policy, ref, out->reason, sizeof(out->reason));
        return;
    }
    snprintf(out->rule, sizeof(out->rule), "%s", rule->text);
    out->verdict = POLICY_ALLOW;
}
