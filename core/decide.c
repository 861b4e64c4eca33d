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

enum {
    SHOWN_MAX = 8,  // patterns that a denial lists
    TAIL_MAX = 160, // what a denial says after its list
};

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

static const struct rule *find_rule(const struct rule_list *list,
                                    const struct imgref *ref)
{
    for (size_t i = 0; i < list->n; i++)
        if (imgpat_match(list->v[i]->pattern, ref))
            return list->v[i];
    return NULL;
}

// What the user can do. A digest behind an allowed tag is worth a hint of
// its own, since the list then seems to allow the image.
static const char *advice(const struct rules *rules, const struct imgref *ref)
{
    struct imgref tagged = *ref;

    tagged.digest[0] = 0;
    if (*ref->digest && *ref->tag && find_rule(&rules->allow, &tagged))
        return "leave the digest out, since the list allows this image by "
               "its tag only";
    return "choose one of these or ask your administrator";
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
    append(buf, size, ": %s", advice(rules, ref));
}

static int decide_image(const struct rules *rules,
                        const struct options *options, struct decision *out)
{
    struct berth_err err;
    char image[IMGREF_TEXT_MAX];

    if (imgref_parse(options->image, &out->image, &err) < 0) {
        out->code = err.code;
        snprintf(out->reason, sizeof(out->reason), "%s", err.text);
        return -1;
    }
    out->code = BERTH_EDENIED;
    imgref_format(&out->image, image);
    const struct rule *deny = find_rule(&rules->deny, &out->image);
    if (deny) {
        out->rule = deny;
        snprintf(out->reason,
                 sizeof(out->reason),
                 "image %s is denied by %s line %d (%s): choose another or "
                 "ask your administrator",
                 image,
                 deny->file,
                 deny->line,
                 deny->text);
        return -1;
    }
    out->rule = find_rule(&rules->allow, &out->image);
    if (!out->rule) {
        explain(rules, &out->image, out->reason, sizeof(out->reason));
        return -1;
    }
    return 0;
}

void decide(const struct rules *rules, const struct options *options,
            const struct subject *subject, struct decision *out)
{
    (void)subject;
    *out = (struct decision){.code = BERTH_EDENIED, .rules = rules};
    if (!rules || decide_image(rules, options, out) < 0)
        return;
    out->code = BERTH_OK;
    out->verdict = VERDICT_ALLOW;
}

void decision_clear(struct decision *decision)
{
    int saved = errno;

    for (size_t i = 0; i < decision->nmounts; i++) {
        free(decision->mounts[i].source);
        free(decision->mounts[i].target);
        free(decision->mounts[i].pattern);
    }
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
