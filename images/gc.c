// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include "images/gc.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "engine/clock.h"

enum { NAME_MAX_OWN = sizeof(RECORD_REPOSITORY) + MANIFEST_DIGEST };

int gc_measure(struct engine *engine, const char *path, struct stock *stock,
               struct gc_there *out, struct berth_err *err)
{
    if (engine_image_find(engine, RECORD_REPOSITORY, &out->v, &out->n, err) < 0)
        return -1;
    for (size_t i = 0; i < stock->nimages; i++) {
        struct stock_image *image = &stock->images[i];
        for (size_t k = 0; strcmp(image->engine, path) == 0 && k < out->n; k++)
            if (strcmp(image->id, out->v[k].id) == 0)
                image->garbage.size = out->v[k].size;
    }
    return 0;
}

// Whether the record of ENTRY is as it was.
static bool is_unchanged(int dir, const struct stock_entry *entry)
{
    const struct record *old = &entry->record;
    struct record now;

    // One that went has nobody who counts on it.
    return !record_read(dir, old->engine, old->name, &now) ||
           (strcmp(now.id, old->id) == 0 && now.used == old->used &&
            now.uses == old->uses && now.pinned == old->pinned);
}

// 0, or -1 with ERR set.
static int check(const char *state, const struct stock_image *image,
                 struct berth_err *err)
{
    for (size_t i = 0; i < image->n; i++) {
        int dir = record_open(state, image->entries[i].node, err);
        if (dir < 0)
            return -1;
        bool same = is_unchanged(dir, &image->entries[i]);
        close(dir);
        if (!same)
            return err_set(err, BERTH_EBUSY, "it has just been used");
    }
    return 0;
}

// What has the name of one of its records now may be another's.
static void forget(const char *state, const struct stock_image *image)
{
    struct record now;

    for (size_t i = 0; i < image->n; i++) {
        const struct record *old = &image->entries[i].record;
        int dir = record_open(state, image->entries[i].node, NULL);
        if (dir < 0)
            continue;
        if (record_read(dir, old->engine, old->name, &now) &&
            strcmp(now.id, old->id) == 0)
            record_remove(dir, old);
        close(dir);
    }
}

// --- locks -------------------------------------------------------------------

static bool always(void *arg)
{
    (void)arg;
    return true;
}

// The locks of an image with those who bring it or start from it, one a node.
struct locks {
    size_t n;
    struct node_lock {
        int dir;
        struct record_lock lock;
    } * v;
};

// Whether one before the Ith of its records is on the same node.
static bool has_before(const struct stock_image *image, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (strcmp(image->entries[k].node, image->entries[i].node) == 0)
            return true;
    return false;
}

static void unlock(struct locks *locks)
{
    for (size_t i = 0; i < locks->n; i++) {
        record_unlock(locks->v[i].dir, &locks->v[i].lock);
        close(locks->v[i].dir);
    }
    free(locks->v);
    *locks = (struct locks){0};
}

// Adds that of the image ID on NODE. 0; or -1 with ERR set, and nothing is
// locked any more: nobody waits here.
static int add_lock(const char *state, const char *node, const char *id,
                    struct locks *locks, struct berth_err *err)
{
    static const struct watch watch = {.fd = -1, .go_on = always};
    struct node_lock *more =
        realloc(locks->v, (locks->n + 1) * sizeof(*locks->v));
    struct node_lock lock = {-1, RECORD_NO_LOCK};
    struct berth_err why = {0};

    if (more)
        locks->v = more;
    else
        err_set(&why, BERTH_ENOMEM, "out of memory");
    if (more && (lock.dir = record_open(state, node, &why)) >= 0 &&
        record_lock(lock.dir, "id", id, &watch, 0, NULL, NULL, &lock.lock,
                    &why) == 0) {
        locks->v[locks->n++] = lock;
        return 0;
    }
    if (lock.dir >= 0)
        close(lock.dir);
    unlock(locks);
    return err_set(err, why.code == BERTH_ETIMEOUT ? BERTH_EBUSY : why.code,
                   "%s",
                   why.code == BERTH_ETIMEOUT
                       ? "a step brings it, or starts from it, just now"
                       : why.text);
}

// Those of IMAGE on the nodes that have a record of it.
static int lock(const char *state, const struct stock_image *image,
                struct locks *out, struct berth_err *err)
{
    *out = (struct locks){0};
    for (size_t i = 0; i < image->n; i++)
        if (!has_before(image, i) &&
            add_lock(state, image->entries[i].node, image->id, out, err) < 0)
            return -1;
    return 0;
}

// Those of the image ID on all nodes that have had any.
static int lock_everywhere(const char *state, const char *id, struct locks *out)
{
    DIR *nodes = opendir(state);
    int rc = nodes ? 0 : -1;

    *out = (struct locks){0};
    for (struct dirent *n; rc == 0 && (n = readdir(nodes));) {
        char path[PATH_MAX];
        snprintf(path, sizeof(path), "%s/%s/images", state, n->d_name);
        if (n->d_name[0] != '.' && access(path, F_OK) == 0)
            rc = add_lock(state, n->d_name, id, out, NULL);
    }
    if (nodes)
        closedir(nodes);
    return rc;
}

int gc_remove(const char *state, struct engine *engine,
              const struct stock_image *image, struct berth_err *err)
{
    char name[NAME_MAX_OWN];
    struct berth_err why = {0};
    struct locks locks;

    if (lock(state, image, &locks, err) < 0)
        return -1;
    stock_name(image->id, name, sizeof(name));
    int rc = check(state, image, err);
    if (rc == 0 && engine_image_remove(engine, name, &why) < 0 &&
        why.code != BERTH_ENOTFOUND)
        rc = err_set(err, why.code, "%s", why.text);
    if (rc == 0)
        forget(state, image);
    unlock(&locks);
    return rc;
}

// --- what no record is about -------------------------------------------------

static bool is_known(const struct stock *stock, const char *path,
                     const char *id)
{
    for (size_t i = 0; i < stock->nimages; i++)
        if (!strcmp(stock->images[i].id, id) &&
            !strcmp(stock->images[i].engine, path))
            return true;
    return false;
}

// Whoever brings one has its lock until there is the record.
void gc_remove_stray(const char *state, struct engine *engine, const char *path,
                     const char *id)
{
    char name[NAME_MAX_OWN];
    struct stock stock = {0};
    struct locks locks;

    if (lock_everywhere(state, id, &locks) < 0)
        return;
    stock_name(id, name, sizeof(name));
    if (stock_read(state, NULL, &stock, NULL) == 0 &&
        !is_known(&stock, path, id))
        engine_image_remove(engine, name, NULL);
    stock_clear(&stock);
    unlock(&locks);
}

// Images of THERE that have no record, on any node.
static void remove_strays(const struct gc *gc, struct engine *engine,
                          const char *path, const struct stock *stock,
                          const struct gc_there *there)
{
    for (size_t i = 0; i < there->n && clock_ms() < gc->end_ms; i++)
        if (!is_known(stock, path, there->v[i].id))
            gc_remove_stray(gc->state, engine, path, there->v[i].id);
}

// Records of what is not there any more.
static void remove_records(const struct gc *gc, const char *path,
                           const struct stock *stock)
{
    for (size_t i = 0; i < stock->nimages; i++) {
        const struct stock_image *image = &stock->images[i];
        struct locks locks;
        if (strcmp(image->engine, path) != 0 || image->garbage.size > 0 ||
            lock(gc->state, image, &locks, NULL) < 0)
            continue;
        if (check(gc->state, image, NULL) == 0)
            forget(gc->state, image);
        unlock(&locks);
    }
}

// --- room --------------------------------------------------------------------

static uint64_t room_of(const char *root, uint64_t *whole)
{
    struct statvfs s;

    *whole = 0;
    if (statvfs(root, &s) < 0)
        return 0;
    *whole = (uint64_t)s.f_blocks * s.f_frsize;
    return (uint64_t)s.f_bavail * s.f_frsize;
}

// ROOT: where the engine has its images.
static int find_room(struct engine *engine, char *root, size_t size,
                     struct garbage_room *room, struct berth_err *err)
{
    if (engine_root(engine, root, size, err) < 0)
        return -1;
    room->disk_free = room_of(root, &room->disk);
    if (!room->disk)
        return err_set(err, BERTH_ESYS,
                       "%s, where the engine says that its images are: %m",
                       root);
    return 0;
}

static void try_one(const struct gc *gc, struct engine *engine,
                    const struct stock_image *image, const char *root,
                    struct garbage_room *room)
{
    struct berth_err why = {0};

    if (gc->dry_run)
        room->disk_free += image->garbage.size;
    else if (gc_remove(gc->state, engine, image, &why) < 0) {
        gc->told(gc->arg, image, why.text);
        return;
    } else
        room->disk_free = room_of(root, &room->disk);
    room->taken -= image->garbage.size;
    gc->told(gc->arg, image, NULL);
}

// The images of STOCK that the engine at PATH has, in OUT, and what these take.
static size_t collect(const char *path, struct stock *stock,
                      struct stock_image **out, struct garbage_room *room)
{
    size_t n = 0;

    for (size_t i = 0; i < stock->nimages; i++) {
        struct stock_image *image = &stock->images[i];
        if (strcmp(image->engine, path) != 0 || image->garbage.size == 0)
            continue;
        room->taken += image->garbage.size;
        out[n++] = image;
    }
    return n;
}

static int make_room(const struct gc *gc, struct engine *engine,
                     const char *path, struct stock *stock,
                     struct berth_err *err)
{
    struct garbage_room room = {.max = gc->max, .free = gc->free};
    struct stock_image **images =
        calloc(stock->nimages + 1, sizeof(struct stock_image *));
    struct garbage_image *list = calloc(stock->nimages + 1, sizeof(*list));
    struct garbage_image *next;
    char root[PATH_MAX];
    int rc = -1;

    if (!list || !images) {
        err_set(err, BERTH_ENOMEM, "out of memory");
        goto out;
    }
    size_t n = collect(path, stock, images, &room);
    for (size_t i = 0; i < n; i++)
        list[i] = images[i]->garbage;
    // For Podman it is a long question: it runs some programs for the answer.
    if (n > 0 && find_room(engine, root, sizeof(root), &room, err) < 0)
        goto out;
    while (garbage_is_short(&room) && clock_ms() < gc->end_ms &&
           (next = garbage_next(list, n, time(NULL)))) {
        next->seen = true;
        try_one(gc, engine, images[next - list], root, &room);
    }
    rc = 0;
out:
    free(images);
    free(list);
    return rc;
}

int gc_run(const struct gc *gc, struct engine *engine, const char *path,
           struct stock *stock, struct berth_err *err)
{
    struct gc_there there = {0};

    if (gc_measure(engine, path, stock, &there, err) < 0)
        return -1;
    if (!gc->dry_run) {
        remove_strays(gc, engine, path, stock, &there);
        remove_records(gc, path, stock);
    }
    free(there.v);
    return make_room(gc, engine, path, stock, err);
}
