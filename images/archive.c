// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include "images/archive.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "engine/clock.h"
#include "images/fetcher.h"
#include "images/gc.h"
#include "images/load.h"
#include "images/record.h"

static int say(const struct images_order *o, const char *path, const char *what,
               struct berth_err *err)
{
    char quoted[ERR_QUOTE_MAX];

    err_quote(path, quoted, sizeof(quoted));
    return err_set(err, BERTH_ENOTFOUND,
                   "the archive %s cannot be run on node %s: %s", quoted,
                   o->node, what);
}

static int explain(const struct images_order *o, const char *path,
                   const struct fetch_failed *why, struct berth_err *err)
{
    const struct rules *rules = o->rules;
    char text[ERR_QUOTE_MAX + 160];

    switch (why->code) {
    case FETCH_CODE_ENDED:
        return err_set(err, BERTH_EENDED, "nobody waits for it");
    case FETCH_CODE_LATE:
        snprintf(text, sizeof(text),
                 "it took longer than the %u s that it may take "
                 "(pull_seconds): make it smaller, or ask your administrator",
                 rules->pull_seconds);
        return say(o, path, text, err);
    case FETCH_CODE_PACKED:
    case FETCH_CODE_LARGE:
        snprintf(text, sizeof(text),
                 "it has more than the %llu MB%s that an image may have "
                 "(pull_max): make it smaller, or ask your administrator",
                 (unsigned long long)(why->code == FETCH_CODE_PACKED
                                          ? rules->pull_max
                                          : rules->pull_max_unpacked) /
                     1000000,
                 why->code == FETCH_CODE_PACKED ? "" : ", unpacked,");
        return say(o, path, text, err);
    case FETCH_CODE_ENGINE:
        if (strstr(why->text, "no space left on device"))
            return say(o, path,
                       "the disk of its container engine is full: tell your "
                       "administrator",
                       err);
        // fallthrough
    default:
        return say(o, path, why->text, err);
    }
}

// The name by which the record has what USER brought with the configuration ID.
static void own_name(uid_t user, const char *id, char *out, size_t size)
{
    snprintf(out, size, IMGREF_OWN_DOMAIN "/u%u/archive:%s", user,
             id + strlen("sha256:"));
}

static int bring(const struct images_order *o, const char *path, int dir,
                 struct load *load, struct engine *engine,
                 struct images_got *out, struct berth_err *err)
{
    const char *id = load->manifest.config.digest;
    struct record record;
    char name[IMGREF_TEXT_MAX];
    struct berth_err ignored;

    own_name(o->user->uid, id, name, sizeof(name));
    if (record_read(dir, o->engine, name, &record) &&
        engine_image_inspect(engine, record.id, &out->image, &ignored) == 0) {
        record_use(dir, &record);
        return 0;
    }
    if (load_send(load, engine, RECORD_REPOSITORY, id + strlen("sha256:"), 0) <
        0)
        return explain(o, path, &load->why, err);
    if (engine_image_inspect(engine, id, &out->image, err) < 0)
        return -1;
    record = (struct record){
        .private = true,
        .uid = o->user->uid,
        .size = load->manifest.size,
        .when = time(NULL),
    };
    snprintf(record.engine, sizeof(record.engine), "%s", o->engine);
    memcpy(record.name, name, sizeof(record.name));
    memcpy(record.digest, load->digest, sizeof(record.digest));
    memcpy(record.id, out->image.id, sizeof(record.id));
    if (record_write(dir, &record, err) < 0) {
        engine_image_clear(&out->image);
        return -1;
    }
    record_use(dir, &record);
    out->fetched = true;
    out->bytes = load->total;
    return 0;
}

int images_get_archive(const struct images_order *order, const char *path,
                       struct engine *engine, struct images_got *out,
                       struct berth_err *err)
{
    const struct images_order *o = order;
    long long start = clock_ms();
    struct record_locks locks = RECORD_NO_LOCKS;
    const struct fetcher_order fetch = {
        .name = path,
        .owner = o->user,
        .theirs = o->theirs,
        .auth = -1,
        .packed_max = o->rules->pull_max,
        .unpacked_max = o->rules->pull_max_unpacked,
    };
    struct fetcher fetcher = {0};
    struct load *load = NULL;
    struct utsname machine;
    int rc = -1;

    *out = (struct images_got){.digest = ""};
    uname(&machine);
    const struct manifest_platform platform =
        manifest_platform(machine.machine);
    long long end = start + 1000LL * o->rules->pull_seconds;
    int dir = record_open(o->state, o->node, err);
    if (dir < 0)
        return -1;
    if (fetcher_start(&fetch, 0, 0, &fetcher, err) < 0)
        goto out;
    load = load_begin(fetcher.link, o->watch, end);
    if (!load) {
        err_set(err, BERTH_ENOMEM, "out of memory");
        goto out;
    }
    load->unpacked_max = o->rules->pull_max_unpacked;
    load->all_unpacked = true;
    if (load_read(load, true, "", &platform) < 0) {
        explain(o, path, &load->why, err);
        goto out;
    }
    if (record_lock_image(dir, load->manifest.config.digest, o->user->uid,
                          o->watch, end, &locks, err) == 0)
        rc = bring(o, path, dir, load, engine, out, err);
    else if (err->code == BERTH_ETIMEOUT)
        explain(o, path, &(struct fetch_failed){.code = FETCH_CODE_LATE}, err);
    if (rc == 0 && images_hold(o, dir, out->image.id, err) < 0) {
        engine_image_clear(&out->image);
        rc = -1;
    }
out:
    record_unlock_both(dir, &locks);
    if (rc < 0 && load && load->why.code == FETCH_CODE_NONE)
        gc_remove_stray(o->state, engine, o->engine,
                        load->manifest.config.digest);
    fetcher_end(&fetcher);
    load_end(load);
    close(dir);
    out->seconds = (unsigned)((clock_ms() - start + 500) / 1000);
    return rc;
}
