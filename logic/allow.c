// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The name comes from a user. Nothing here asks an engine: which image it
// leads to, berth-stepd finds out.

#include "logic/allow.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "logic/deny.h"

enum {
    TAIL_MAX = 160,  // what a denial says after its list
    IMAGE_MAX = 256, // and of the image
    NEAR_MAX = 2,    // wrong characters in a typing error
};

static const struct rule *find_rule(const struct rule_list *list,
                                    const struct imgref *ref)
{
    for (size_t i = 0; i < list->n; i++)
        if (imgpat_match(list->v[i]->image, ref))
            return list->v[i];
    return NULL;
}

// One registry has one name, however it is written: in small letters, and
// without the port that is https's own.
static void one_name(const char *domain,
                     char out[sizeof((struct imgref){0}.domain)])
{
    size_t n = 0;

    for (; domain[n]; n++)
        out[n] = (char)tolower((unsigned char)domain[n]);
    out[n] = 0;
    if (n > 4 && strcmp(out + n - 4, ":443") == 0)
        out[n - 4] = 0;
}

// A tag that is denied can't be had by its digest either, and which digest
// that is nobody knows here: any may be it, whatever tag is beside it, but for
// one that ALLOWED names itself.
static const struct rule *find_deny(const struct rule_list *deny,
                                    const struct imgref *ref,
                                    const struct rule *allowed)
{
    bool any = *ref->digest && !(allowed && *allowed->image->digest);
    char domain[sizeof(ref->domain)];
    struct imgref plain = *ref;

    one_name(ref->domain, plain.domain);
    for (size_t i = 0; i < deny->n; i++) {
        struct imgpat pattern = *deny->v[i]->image;
        one_name(pattern.domain, domain);
        pattern.domain = domain;
        if (imgpat_match(&pattern, &plain))
            return deny->v[i];
        if (any && !*pattern.digest) {
            pattern.tag = "";
            if (imgpat_match(&pattern, &plain))
                return deny->v[i];
        }
    }
    return NULL;
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
        const struct imgpat *parts = allow->v[i]->image;
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
        deny_append(buf, size,
                    "leave the digest out, since the list allows this "
                    "image by its tag only");
        return;
    }
    const struct rule *near = nearest(&rules->allow, ref);
    if (near && deny_append(buf, size, "did you mean %s?", near->text))
        return;
    deny_append(buf, size, "choose one of these or ask your administrator");
}

static void explain(const struct rules *rules, const struct imgref *ref,
                    char *buf, size_t size)
{
    const struct rule_list *allow = &rules->allow;
    char name[IMGREF_TEXT_MAX], image[IMAGE_MAX], list[DENY_LIST_MAX];

    imgref_format(ref, name);
    err_quote(name, image, sizeof(image));
    *buf = 0;
    if (allow->n == 0) {
        deny_append(buf, size,
                    "image %s is not allowed: %s allows no image on this node, "
                    "ask your administrator for an allow= there",
                    image, rules->allow_where);
        return;
    }
    deny_append(buf, size, "image %s is not allowed by %s", image,
                rules->allow_where);
    if (!deny_append(buf, size - TAIL_MAX, ", which allows %s",
                     deny_list(allow, NULL, list)))
        deny_append(buf, size, ", which allows %zu patterns", allow->n);
    deny_append(buf, size, ": ");
    advise(rules, ref, buf, size);
}

// An archive is the user's own, whatever is in it, and has no name that a
// pattern could be about.
static int allow_archive(struct decision *out, const struct subject *subject,
                         const char *text)
{
    const struct rules *rules = out->rules;
    const char *dot = strrchr(text, '.');
    char quoted[ERR_QUOTE_MAX], at[DENY_WHERE_MAX];

    err_quote(text, quoted, sizeof(quoted));
    if (dot && (strcmp(dot, ".sqsh") == 0 || strcmp(dot, ".sif") == 0))
        return deny_malformed(
            out,
            "%s is an image of %s's, which no container engine reads: build "
            "it as an image of Docker's, and push it to a registry or save it "
            "by docker save",
            quoted, dot[2] == 'q' ? "enroot" : "Apptainer");
    if (text[0] != '/' && !subject->cwd)
        return deny_malformed(
            out,
            "%s is no whole path, and nobody knows from where it is "
            "meant: write it with a / in front",
            quoted);
    // What ".." and links lead to, the kernel says when the user opens it.
    if ((text[0] == '/' ? asprintf(&out->archive, "%s", text)
                        : asprintf(&out->archive, "%s/%s", subject->cwd,
                                   text + (text[1] == '/' ? 2 : 0))) < 0) {
        out->archive = NULL;
        return deny_memory(out);
    }
    out->rule = &rules->archives_rule;
    if (rules->archives)
        return 0;
    return deny_always(
        out,
        "%s cannot be run: %s lets nobody bring an image as a file "
        "(archives): take one from a registry, or ask your administrator",
        quoted, deny_where(&rules->archives_rule, at));
}

static bool is_archive(const char *text)
{
    return text && (text[0] == '/' || strncmp(text, "./", 2) == 0 ||
                    strncmp(text, "../", 3) == 0);
}

// Of those that a step of the user's has saved. What he may write in a
// container he may have in one: that the policy lets him save is enough.
static int allow_mine(struct decision *out, const char *text)
{
    const struct rules *rules = out->rules;
    char at[DENY_WHERE_MAX], name[IMGREF_TEXT_MAX];
    struct berth_err err;

    if (imgref_parse(text, &out->image, &err) < 0)
        return deny_malformed(out, "%s", err.text);
    if (out->image.digest[0])
        return deny_malformed(out,
                              "%s: an image of your own has no digest to be "
                              "named by: leave it out",
                              text);
    out->mine = true;
    out->rule = &rules->save_rule;
    if (rules->save)
        return 0;
    decision_image_name(out, name);
    return deny_always(
        out,
        "%s cannot be run: %s lets nobody save an image of his own (save): "
        "take one from a registry, which is docker.io/%s if you meant "
        "Docker's, or ask your administrator",
        name, deny_where(&rules->save_rule, at), name);
}

int allow_image(struct decision *out, const struct subject *subject,
                const char *text)
{
    const struct rules *rules = out->rules;
    char image[IMGREF_TEXT_MAX], why[sizeof(out->reason)], at[DENY_WHERE_MAX];
    struct berth_err err;

    if (is_archive(text))
        return allow_archive(out, subject, text);
    if (text && strncmp(text, ALLOW_MINE, strlen(ALLOW_MINE)) == 0)
        return allow_mine(out, text);
    if (imgref_parse(text, &out->image, &err) < 0)
        return deny_malformed(out, "%s", err.text);
    imgref_format(&out->image, image);
    err_scrub(image);
    // Others' images that berth has fetched are there in the engine by such
    // names, and "**" matches any.
    if (!strcmp(out->image.domain, IMGREF_OWN_DOMAIN))
        return deny_malformed(
            out,
            "image %s: names that begin with " IMGREF_OWN_DOMAIN
            " are berth's own: write the name by which you "
            "know the image",
            image);
    out->rule = find_rule(&rules->allow, &out->image);
    const struct rule *deny = find_deny(&rules->deny, &out->image, out->rule);
    out->unfetched = deny || !out->rule;
    if (deny)
        out->rule = deny;
    if (deny)
        return deny_unless_permissive(
            out,
            "image %s is denied by %s (%s): choose another or ask "
            "your administrator",
            image, deny_where(deny, at), deny->text);
    if (out->rule)
        return 0;
    explain(rules, &out->image, why, sizeof(why));
    return deny_unless_permissive(out, "%s", why);
}
