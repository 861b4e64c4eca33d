// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: an engine's word on its images, the node's records, and a user's words
// for an image of his own.

#include "images/view.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/engine.h"
#include "images/gc.h"
#include "images/record.h"
#include "images/stock.h"
#include "logic/allow.h"

enum {
    ID_SHOWN = 12, // hex digits that tell images apart, for people
    ID_MIN = 6,    // as many may stand for an ID
};

struct viewing {
    const struct images_view *view;
    struct engine *engine;
    bool layers;
    FILE *out;
    struct engine_named *there;
    size_t nthere;
    struct berth_err *err;
    int rc;
};

// --- whose ------------------------------------------------------------------

// What names of USER's own begin with, in records and as he writes them.
static size_t own_prefix(uid_t uid, char *out, size_t size)
{
    return (size_t)snprintf(out, size, IMGREF_OWN_DOMAIN "/u%u/", uid);
}

static bool is_own(const struct images_view *view, const struct record *record)
{
    char prefix[64];
    size_t len = own_prefix(view->subject->uid, prefix, sizeof(prefix));

    return record->uid == view->subject->uid &&
           strncmp(record->name, prefix, len) == 0;
}

static bool is_any_own(const char *name)
{
    static const char domain[] = IMGREF_OWN_DOMAIN "/";

    return strncmp(name, domain, strlen(domain)) == 0;
}

// Writes what the user calls the image of RECORD, which is his own: of an ID in
// it, the digits that people read. What he has saved is "my/NAME" there as
// well.
static void own_name(const struct images_view *view,
                     const struct record *record, char *out, size_t size)
{
    char prefix[64];
    size_t len = own_prefix(view->subject->uid, prefix, sizeof(prefix));
    const char *name = record->name + len, *tag = strrchr(name, ':');

    if (strncmp(name, "my/", 3) == 0)
        name += 3;
    if (tag && strcmp(tag + 1, record->id + strlen("sha256:")) == 0)
        snprintf(out, size, "my/%.*s%.*s", (int)(tag + 1 - name), name,
                 ID_SHOWN, tag + 1);
    else
        snprintf(out, size, "my/%s", name);
}

// Says whether the policy lets the user run NAME, whatever brought it.
static bool may_run(const struct images_view *view, const char *name)
{
    struct decision decision = {.code = BERTH_EDENIED, .rules = view->rules};

    bool may =
        !is_any_own(name) && allow_image(&decision, view->subject, name) == 0;
    decision_clear(&decision);
    return may;
}

// --- lines ------------------------------------------------------------------

// The layers with their sizes, or without, where the engine does not say which
// step made which.
static json_t *layers_of(const struct viewing *v, const char *id)
{
    struct engine_image image = {0};
    struct berth_err ignored;
    uint64_t *sizes = NULL;
    size_t n = 0;
    json_t *list = json_array();

    if (engine_image_inspect(v->engine, id, &image, &ignored) == 0)
        engine_image_sizes(v->engine, id, &sizes, &n, &ignored);
    for (size_t i = 0; i < image.nlayers; i++)
        json_array_append_new(
            list, json_pack("{s:s, s:o}", "id", image.layers[i], "size",
                            sizes && n == image.nlayers
                                ? json_integer((json_int_t)sizes[i])
                                : json_null()));
    free(sizes);
    engine_image_clear(&image);
    return list;
}

static void print(struct viewing *v, json_t *line)
{
    if (!line || json_dumpf(line, v->out, JSON_COMPACT) < 0 ||
        fputc('\n', v->out) == EOF)
        v->rc = err_set(v->err, BERTH_ENOMEM, "out of memory");
    json_decref(line);
}

static void say(struct viewing *v, const char *name, const char *id,
                const char *digest, uint64_t size, bool private)
{
    json_t *line =
        json_pack("{s:s, s:s, s:s, s:s, s:I, s:b}", "node", v->view->node,
                  "name", name, "id", id, "digest", digest, "size",
                  (json_int_t)size, "private", private);

    if (line && v->layers)
        json_object_set_new(line, "layers", layers_of(v, id));
    print(v, line);
}

// Of the digests that the engine knows, the one by which the registry of NAME
// knows it, or "".
static const char *digest_of(const struct engine_named *image, const char *name)
{
    struct imgref ref, with;

    if (imgref_parse(name, &ref, NULL) < 0)
        return "";
    for (size_t i = 0; i < image->ndigests; i++)
        if (imgref_parse(image->digests[i], &with, NULL) == 0 &&
            strcmp(ref.domain, with.domain) == 0 &&
            strcmp(ref.path, with.path) == 0 && with.digest[0])
            return strrchr(image->digests[i], '@') + 1;
    return "";
}

// The administrator's: all that have a name in the engine that is none of
// berth's.
static void list_named(struct viewing *v)
{
    char name[IMGREF_TEXT_MAX];
    struct imgref ref;

    for (size_t i = 0; v->rc == 0 && i < v->nthere; i++)
        for (size_t k = 0; v->rc == 0 && k < v->there[i].nnames; k++) {
            const struct engine_named *image = &v->there[i];
            if (!may_run(v->view, image->names[k]) ||
                imgref_parse(image->names[k], &ref, NULL) < 0)
                continue;
            imgref_format(&ref, name);
            say(v, name, image->id, digest_of(image, image->names[k]),
                image->size, false);
        }
}

static const struct engine_named *find(const struct viewing *v, const char *id)
{
    for (size_t i = 0; i < v->nthere; i++)
        if (strcmp(v->there[i].id, id) == 0)
            return &v->there[i];
    return NULL;
}

// The administrator's image of the same name is what a step gets.
static bool is_hidden(const struct viewing *v, const char *name)
{
    char whole[IMGREF_TEXT_MAX];
    struct imgref ref;

    for (size_t i = 0; i < v->nthere; i++)
        for (size_t k = 0; k < v->there[i].nnames; k++) {
            if (imgref_parse(v->there[i].names[k], &ref, NULL) < 0)
                continue;
            imgref_format(&ref, whole);
            if (strcmp(whole, name) == 0)
                return true;
        }
    return false;
}

static bool list_record(void *arg, const struct record *record)
{
    struct viewing *v = arg;
    const struct images_view *view = v->view;
    const struct engine_named *image = find(v, record->id);
    char name[IMGREF_TEXT_MAX];

    if (!image || strcmp(record->engine, view->path) != 0 ||
        (record->private && record->uid != view->subject->uid))
        return true;
    if (is_own(view, record))
        own_name(view, record, name, sizeof(name));
    else if (view->own || !may_run(view, record->name) || is_hidden(v, record->name))
        return true;
    else
        snprintf(name, sizeof(name), "%s", record->name);
    say(v, name, record->id, record->digest, image->size, record->private);
    return v->rc == 0;
}

int images_view_list(const struct images_view *view, bool layers, FILE *out,
                     struct berth_err *err)
{
    struct viewing v = {.view = view, .layers = layers, .out = out, .err = err};
    int dir = -1;

    v.engine = engine_open(view->path, view->watch, err);
    if (!v.engine ||
        engine_image_names(v.engine, &v.there, &v.nthere, err) < 0) {
        v.rc = -1;
        goto out;
    }
    if (!view->own)
        list_named(&v);
    if (v.rc == 0 && (dir = record_open(view->state, view->node, err)) < 0)
        v.rc = -1;
    if (v.rc == 0)
        record_each(dir, list_record, &v);
out:
    if (dir >= 0)
        close(dir);
    engine_named_free(v.there, v.nthere);
    engine_close(v.engine);
    return v.rc;
}

// --- removal ----------------------------------------------------------------

static bool is_meant(const struct images_view *view,
                     const struct stock_entry *entry, const char *text)
{
    static const char sha[] = "sha256:", latest[] = ":latest";
    const char *id = entry->record.id + strlen(sha);
    char name[IMGREF_TEXT_MAX];

    if (strcmp(entry->node, view->node) != 0 ||
        strcmp(entry->record.engine, view->path) != 0 ||
        !is_own(view, &entry->record))
        return false;
    own_name(view, &entry->record, name, sizeof(name));
    size_t len = strlen(text);
    if (strncmp(name, text, len) == 0 &&
        (!name[len] || strcmp(name + len, latest) == 0))
        return true;
    if (strncmp(text, sha, strlen(sha)) == 0)
        text += strlen(sha);
    return strlen(text) >= ID_MIN && strncmp(text, id, strlen(text)) == 0;
}

// Removes what ENTRY says; and the image, if nobody else has it.
static int remove_entry(struct viewing *v, const struct stock_image *image,
                        const struct stock_entry *entry)
{
    const struct images_view *view = v->view;
    char name[IMGREF_TEXT_MAX];
    struct berth_err why = {0};

    own_name(view, &entry->record, name, sizeof(name));
    if (image->n == 1) {
        v->engine = engine_open(view->path, view->watch, &why);
        int rc =
            v->engine ? gc_remove(view->state, v->engine, image, &why) : -1;
        engine_close(v->engine);
        if (rc < 0)
            return err_set(v->err, why.code, "%s stays on node %s: %s", name,
                           view->node, why.text);
    } else {
        int dir = record_open(view->state, view->node, v->err);
        if (dir < 0)
            return -1;
        record_remove(dir, &entry->record);
        close(dir);
    }
    print(v, json_pack("{s:s, s:s, s:s}", "node", view->node, "name", name,
                       "id", entry->record.id));
    return v->rc;
}

// The one image that TEXT means. 1 and OUT, 0, or -1: several.
static int find_own(const struct images_view *view, const struct stock *stock,
                    const char *text, const struct stock_image **image,
                    const struct stock_entry **entry)
{
    int found = 0;

    for (size_t i = 0; i < stock->nimages; i++)
        for (size_t k = 0; k < stock->images[i].n; k++) {
            const struct stock_entry *e = &stock->images[i].entries[k];
            if (!is_meant(view, e, text))
                continue;
            if (found && *image != &stock->images[i])
                return -1;
            found = 1;
            *image = &stock->images[i];
            *entry = e;
        }
    return found;
}

int images_view_remove(const struct images_view *view, const char *text,
                       FILE *out, struct berth_err *err)
{
    struct viewing v = {.view = view, .out = out, .err = err};
    const struct stock_image *image = NULL;
    const struct stock_entry *entry = NULL;
    struct stock stock;

    if (stock_read(view->state, NULL, &stock, err) < 0)
        return -1;
    int found = find_own(view, &stock, text, &image, &entry);
    if (found > 0)
        v.rc = remove_entry(&v, image, entry);
    else if (found < 0)
        v.rc = err_set(err, BERTH_EINVAL,
                       "%s means several images on node %s: write more of it",
                       text, view->node);
    else
        v.rc = err_set(err, BERTH_ENOTFOUND,
                       "you have no image %s of your own on node %s: berth "
                       "images has those that are there, and what is yours "
                       "begins with my/",
                       text, view->node);
    stock_clear(&stock);
    return v.rc;
}
