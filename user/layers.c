// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include "user/layers.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// What is drawn in front of a row grows with the way down.
enum { DRAWN_MAX = 1024 };

static int no_memory(struct berth_err *err)
{
    return err_set(err, BERTH_ENOMEM, "out of memory");
}

static const char *id_of(const struct layers_image *image, size_t i)
{
    const char *id = json_string_value(
        json_object_get(json_array_get(image->layers, i), "id"));

    return id ? id : "";
}

int layers_add(struct layers *layers, const char *name, json_t *list,
               struct berth_err *err)
{
    for (size_t i = 0; i < layers->n; i++)
        if (strcmp(layers->images[i].name, name) == 0 &&
            json_equal(layers->images[i].layers, list))
            return 0;
    struct layers_image *more =
        reallocarray(layers->images, layers->n + 1, sizeof(*more));
    if (!more)
        return no_memory(err);
    layers->images = more;
    char *copy = strdup(name);
    if (!copy)
        return no_memory(err);
    more[layers->n++] = (struct layers_image){copy, json_incref(list)};
    return 0;
}

// What lies on the same comes together, and what is complete first.
static int compare(const void *left, const void *right)
{
    const struct layers_image *a = left, *b = right;
    size_t na = json_array_size(a->layers), nb = json_array_size(b->layers);

    for (size_t i = 0; i < na && i < nb; i++) {
        int order = strcmp(id_of(a, i), id_of(b, i));
        if (order)
            return order;
    }
    return na != nb ? (na > nb) - (na < nb) : strcmp(a->name, b->name);
}

struct drawing {
    struct layers *layers;
    struct table *table;
    struct berth_err *err;
};

// The images from FIRST on, before END, whose layer DEPTH is the same.
static size_t group(const struct layers *l, size_t first, size_t end,
                    size_t depth)
{
    size_t i = first + 1;

    while (i < end && strcmp(id_of(&l->images[i], depth),
                             id_of(&l->images[first], depth)) == 0)
        i++;
    return i;
}

// The names of those from FIRST on whose last layer this is.
static char *names(const struct layers *l, size_t first, size_t end,
                   size_t depth)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);

    for (size_t i = first; f && i < end; i++)
        if (json_array_size(l->images[i].layers) == depth + 1)
            fprintf(f, "%s%s", ftell(f) > 0 ? ", " : "", l->images[i].name);
    if (f && fclose(f) == 0)
        return text;
    free(text);
    return NULL;
}

// A row for the layers from BOTTOM to TOP of the images from FIRST to END.
static int add_row(const struct drawing *d, const char *drawn, size_t first,
                   size_t end, size_t bottom, size_t top)
{
    const struct layers_image *image = &d->layers->images[first];
    const char *below = bottom ? id_of(image, bottom - 1) : "";
    struct strv *cells = &d->table->cells;
    char *of = names(d->layers, first, end, top), number[32] = "";
    json_int_t sum = 0;
    bool known = true;

    for (size_t i = bottom; i <= top; i++) {
        const json_t *size =
            json_object_get(json_array_get(image->layers, i), "size");
        known &= json_is_integer(size);
        sum += json_integer_value(size);
    }
    if (known)
        snprintf(number, sizeof(number), "%lld", (long long)sum);
    int rc = of && strv_add(&d->table->drawn, drawn) == 0 &&
                     strv_add(cells, id_of(image, top)) == 0 &&
                     strv_addf(cells, "%zu", top - bottom + 1) == 0 &&
                     strv_add(cells, number) == 0 && strv_add(cells, of) == 0 &&
                     strv_add(cells, below) == 0
                 ? 0
                 : no_memory(d->err);
    free(of);
    return rc;
}

// The highest layer up to which the images from FIRST to END are alike, from
// DEPTH on, and none is complete before.
static size_t common(const struct layers *l, size_t first, size_t end,
                     size_t depth)
{
    while (json_array_size(l->images[first].layers) > depth + 1 &&
           group(l, first, end, depth + 1) == end)
        depth++;
    return depth;
}

// Draws what lies below DEPTH of the images from FIRST to END, which have all
// layers before it in common. DRAWN is in front of it.
static int draw(const struct drawing *d, const char *drawn, size_t first,
                size_t end, size_t depth)
{
    const struct layers *l = d->layers;
    char row[DRAWN_MAX], below[DRAWN_MAX];
    int rc = 0;

    while (first < end && json_array_size(l->images[first].layers) <= depth)
        first++;
    if (strlen(drawn) + 16 > sizeof(row))
        return err_set(d->err, BERTH_ETOOBIG, "the tree is too deep");
    for (size_t i = first, next; rc == 0 && i < end; i = next) {
        next = group(l, i, end, depth);
        size_t top = common(l, i, next, depth);
        bool last = next == end;
        snprintf(row, sizeof(row), "%s%s", drawn,
                 depth == 0 ? ""
                 : last     ? "└─"
                            : "├─");
        snprintf(below, sizeof(below), "%s%s", drawn,
                 depth == 0 ? ""
                 : last     ? "  "
                            : "│ ");
        rc = add_row(d, row, i, next, depth, top);
        if (rc == 0)
            rc = draw(d, below, i, next, top + 1);
    }
    return rc;
}

int layers_table(struct layers *layers, struct table *table,
                 struct berth_err *err)
{
    static const char *const columns[] = {"LAYER",  "LAYERS", "SIZE",
                                          "IMAGES", "ON",     NULL};
    const struct drawing d = {layers, table, err};

    table->columns = columns;
    table->for_people = 4;
    if (layers->n > 0)
        qsort(layers->images, layers->n, sizeof(*layers->images), compare);
    return draw(&d, "", 0, layers->n, 0);
}

void layers_clear(struct layers *layers)
{
    for (size_t i = 0; i < layers->n; i++) {
        free(layers->images[i].name);
        json_decref(layers->images[i].layers);
    }
    free(layers->images);
    *layers = (struct layers){0};
}
