// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include "images/saved.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "images/gc.h"

// The name by which the record has it.
static void own_name(uid_t uid, const char *name, char out[IMGREF_TEXT_MAX])
{
    snprintf(out, IMGREF_TEXT_MAX, IMGREF_OWN_DOMAIN "/u%u/%s", (unsigned)uid,
             name);
}

// Holds what OWN leads to. Another step may have it lead elsewhere, and what it
// led to go, before that is held.
static int hold(const struct images_order *o, int dir, const char *own,
                struct record *out, struct berth_err *err)
{
    struct record now;

    for (;;) {
        if (!record_read(dir, o->engine, own, out))
            return err_set(err, BERTH_ENOTFOUND, "there is no record of it");
        if (images_hold(o, dir, out->id, err) < 0)
            return -1;
        if (record_read(dir, o->engine, own, &now) &&
            strcmp(now.id, out->id) == 0)
            return 0;
    }
}

int images_get_saved(const struct images_order *order, const char *name,
                     struct engine *engine, struct images_got *out,
                     struct berth_err *err)
{
    const struct images_order *o = order;
    char own[IMGREF_TEXT_MAX];
    struct record record;

    *out = (struct images_got){.digest = ""};
    own_name(o->user->uid, name, own);
    int dir = record_open(o->state, o->node, err);
    if (dir < 0)
        return -1;
    int rc = hold(o, dir, own, &record, err);
    if (rc == 0)
        rc = engine_image_inspect(engine, record.id, &out->image, err);
    if (rc == 0)
        record_use(dir, &record);
    else if (err->code == BERTH_ENOTFOUND)
        err_set(err, BERTH_ENOTFOUND,
                "you have no image %s on node %s: --container-save=image:%s "
                "makes one there, and room for others may have taken it; what "
                "is to last is saved as a file",
                name, o->node, name + strlen("my/"));
    close(dir);
    return rc;
}

bool images_saved_id(const char *state, const char *node, const char *engine,
                     uid_t uid, const char *name, char id[MANIFEST_DIGEST])
{
    char own[IMGREF_TEXT_MAX];
    struct record record;

    own_name(uid, name, own);
    int dir = record_open(state, node, NULL);
    bool is = dir >= 0 && record_read(dir, engine, own, &record);
    if (is)
        memcpy(id, record.id, MANIFEST_DIGEST);
    if (dir >= 0)
        close(dir);
    return is;
}

struct sum {
    const struct saved *saved;
    const char *own;            // that it is to be
    char mine[IMGREF_TEXT_MAX]; // what the names of all of his begin with
    uint64_t size;
};

static bool add(void *arg, const struct record *record)
{
    struct sum *s = arg;

    if (strncmp(record->name, s->mine, strlen(s->mine)) == 0 &&
        strcmp(record->engine, s->saved->engine) == 0 &&
        strcmp(record->name, s->own) != 0)
        s->size += record->size;
    return true;
}

static int refuse_name(const struct saved *saved, struct berth_err *err)
{
    return err_set(err, BERTH_EINVAL,
                   "you have an image %s on node %s already: choose another "
                   "name, or add :replace",
                   saved->name, saved->node);
}

// The user's are not to be more than they may, with this one.
static int check(int dir, const struct saved *saved, const char *own,
                 struct berth_err *err)
{
    struct sum sum = {.saved = saved, .own = own};
    struct record old;

    if (!saved->replace && record_read(dir, saved->engine, own, &old))
        return refuse_name(saved, err);
    own_name(saved->uid, "my/", sum.mine);
    record_each(dir, add, &sum);
    return sum.size + saved->size <= saved->total
               ? 0
               : err_set(err, BERTH_EDENIED,
                         "%s would be too much: with your other images on "
                         "node %s it is %llu MB, and a user's may be %llu "
                         "(save_total): save it as a file, or in the place of "
                         "another (:replace)",
                         saved->name, saved->node,
                         (unsigned long long)(sum.size + saved->size) / 1000000,
                         (unsigned long long)saved->total / 1000000);
}

int saved_check(const struct saved *saved, struct berth_err *err)
{
    char own[IMGREF_TEXT_MAX];

    own_name(saved->uid, saved->name, own);
    if (strlen(own) > 250)
        return err_set(err, BERTH_EINVAL,
                       "%s is too long: choose a shorter "
                       "name",
                       saved->name);
    int dir = record_open(saved->state, saved->node, err);
    if (dir < 0)
        return -1;
    int rc = check(dir, saved, own, err);
    close(dir);
    return rc;
}

static int explain(const struct load *load, struct berth_err *err)
{
    const struct fetch_failed *why = &load->why;

    if (why->code == FETCH_CODE_ENGINE &&
        strstr(why->text, "no space left on device"))
        return err_set(err, BERTH_EENGINE,
                       "the disk of its container engine is full: tell your "
                       "administrator");
    return err_set(err, BERTH_EENGINE, "%s",
                   why->code == FETCH_CODE_LATE ? "it took too long"
                   : why->code == FETCH_CODE_LARGE ||
                           why->code == FETCH_CODE_PACKED
                       ? "its image has grown too large: ask your "
                         "administrator (pull_max_unpacked)"
                       : why->text);
}

// OLD is the record in whose place it is, if there was one.
static int bring(int dir, const struct saved *saved, struct load *load,
                 struct engine *engine, size_t nhave, const char *own,
                 struct record *old, struct berth_err *err)
{
    const char *id = load->manifest.config.digest;
    struct engine_image image = {0};

    if (load_send(load, engine, RECORD_REPOSITORY, id + strlen("sha256:"),
                  nhave) < 0)
        return explain(load, err);
    if (engine_image_inspect(engine, id, &image, err) < 0)
        return -1;
    record_read(dir, saved->engine, own, old);
    struct record record = {
        .private = true,
        .pinned = old->pinned,
        .uid = saved->uid,
        .size = saved->size,
        .when = time(NULL),
    };
    snprintf(record.engine, sizeof(record.engine), "%s", saved->engine);
    memcpy(record.name, own, sizeof(record.name));
    memcpy(record.digest, load->digest, sizeof(record.digest));
    memcpy(record.id, image.id, sizeof(record.id));
    engine_image_clear(&image);
    if (record_write(dir, &record, err) < 0)
        return -1;
    record_use(dir, &record);
    return 0;
}

int saved_keep(const struct saved *saved, struct load *load,
               struct engine *engine, size_t nhave, const char *id,
               struct berth_err *err)
{
    struct record_lock mine = RECORD_NO_LOCK;
    struct record_lock lock = RECORD_NO_LOCK;
    struct manifest_platform platform;
    struct record old = {.id = ""};
    char own[IMGREF_TEXT_MAX], user[32];
    struct utsname machine;
    int rc = -1;

    uname(&machine);
    platform = manifest_platform(machine.machine);
    own_name(saved->uid, saved->name, own);
    snprintf(user, sizeof(user), "u%u", (unsigned)saved->uid);
    int dir = record_open(saved->state, saved->node, err);
    if (dir < 0)
        return -1;
    // Several steps of his may end at once.
    if (record_lock(dir, "save", user, load->watch, load->end_ms, NULL, NULL,
                    &mine, err) < 0) {
        if (err->code == BERTH_ETIMEOUT)
            err_set(err, BERTH_ETIMEOUT,
                    "another step of yours saved an image on node %s all the "
                    "time that this one may take (pull_seconds): try again",
                    saved->node);
        goto out;
    }
    if (check(dir, saved, own, err) < 0)
        goto out;
    if (load_read(load, true, "", &platform) < 0) {
        explain(load, err);
        goto out;
    }
    // Who brings it is the user: another's layers are not for him to name.
    if (strcmp(load->manifest.config.digest, id) != 0) {
        err_set(err, BERTH_EENGINE, "another image came back than was sent");
        goto out;
    }
    if (record_lock_shared(dir, "id", id, load->watch, load->end_ms, &lock,
                           err) == 0)
        rc = bring(dir, saved, load, engine, nhave, own, &old, err);
out:
    record_unlock(dir, &lock);
    if (rc < 0 && load->why.code == FETCH_CODE_NONE)
        gc_remove_stray(saved->state, engine, saved->engine, id);
    if (rc == 0 && old.id[0])
        gc_remove_stray(saved->state, engine, saved->engine, old.id);
    record_unlock(dir, &mine);
    close(dir);
    return rc;
}
