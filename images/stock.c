// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: the nodes' records (images/record.h).

#include "images/stock.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "logic/limits.h"

// Records that are looked at: a node has tens.
enum { ENTRIES_MAX = 16384 };

struct reading {
    struct stock *stock;
    const char *node;
    bool failed;
};

static bool add(void *arg, const struct record *record)
{
    struct reading *r = arg;
    struct stock *s = r->stock;

    if (s->nentries == ENTRIES_MAX)
        return false;
    // Doubled whenever it is full.
    if ((s->nentries & (s->nentries - 1)) == 0) {
        size_t room = s->nentries ? 2 * s->nentries : 1;
        struct stock_entry *more =
            reallocarray(s->entries, room, sizeof(*more));
        if (!more) {
            r->failed = true;
            return false;
        }
        s->entries = more;
    }
    struct stock_entry *entry = &s->entries[s->nentries++];
    *entry = (struct stock_entry){.record = *record};
    snprintf(entry->node, sizeof(entry->node), "%s", r->node);
    return true;
}

// A node that has had no image has no directory for them.
static int read_node(const char *state, const char *node, struct stock *stock,
                     struct berth_err *err)
{
    struct reading r = {.stock = stock, .node = node};
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/%s/images", state, node);
    if (access(path, F_OK) < 0)
        return 0;
    int dir = record_open(state, node, err);
    if (dir < 0)
        return -1;
    record_each(dir, add, &r);
    close(dir);
    return r.failed ? err_set(err, BERTH_ENOMEM, "out of memory") : 0;
}

static int read_nodes(const char *state, struct stock *stock,
                      struct berth_err *err)
{
    DIR *d = opendir(state);
    int rc = 0;

    if (!d)
        return errno == ENOENT ? 0 : err_set(err, BERTH_ESYS, "%s: %m", state);
    for (struct dirent *e; rc == 0 && (e = readdir(d));)
        if (e->d_name[0] != '.' && strlen(e->d_name) < 65)
            rc = read_node(state, e->d_name, stock, err);
    closedir(d);
    return rc;
}

static int by_image(const void *a, const void *b)
{
    const struct stock_entry *left = a, *right = b;
    int order = strcmp(left->record.engine, right->record.engine);

    if (!order)
        order = strcmp(left->record.id, right->record.id);
    if (!order)
        order = strcmp(left->record.name, right->record.name);
    return order ? order : strcmp(left->node, right->node);
}

static void count(struct stock_image *image, const struct stock_entry *entry)
{
    const struct record *r = &entry->record;

    image->n++;
    image->uses += r->uses;
    image->garbage.pinned |= r->pinned;
    if (r->used > image->garbage.used)
        image->garbage.used = r->used;
}

static int sort(struct stock *stock, struct berth_err *err)
{
    struct stock_image *last = NULL;

    if (stock->nentries == 0)
        return 0;
    stock->images = calloc(stock->nentries, sizeof(*stock->images));
    if (!stock->images)
        return err_set(err, BERTH_ENOMEM, "out of memory");
    qsort(stock->entries, stock->nentries, sizeof(*stock->entries), by_image);
    for (size_t i = 0; i < stock->nentries; i++) {
        const struct stock_entry *entry = &stock->entries[i];
        if (!last || strcmp(last->id, entry->record.id) != 0 ||
            strcmp(last->engine, entry->record.engine) != 0) {
            last = &stock->images[stock->nimages++];
            snprintf(last->engine, sizeof(last->engine), "%s",
                     entry->record.engine);
            snprintf(last->id, sizeof(last->id), "%s", entry->record.id);
            last->entries = entry;
        }
        count(last, entry);
    }
    return 0;
}

int stock_read(const char *state, const char *node, struct stock *out,
               struct berth_err *err)
{
    struct stock stock = {0};

    if ((node ? read_node(state, node, &stock, err)
              : read_nodes(state, &stock, err)) < 0 ||
        sort(&stock, err) < 0) {
        stock_clear(&stock);
        return -1;
    }
    *out = stock;
    return 0;
}

void stock_clear(struct stock *stock)
{
    int saved = errno;

    free(stock->entries);
    free(stock->images);
    *stock = (struct stock){0};
    errno = saved;
}

void stock_name(const char *id, char *buf, size_t size)
{
    snprintf(buf, size, RECORD_REPOSITORY ":%s", id + strlen("sha256:"));
}
