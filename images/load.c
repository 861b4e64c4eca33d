// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include "images/load.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "engine/clock.h"

// Where the archive has a blob.
#define BLOBS "blobs/sha256/"

// What of the archive comes next.
enum stage {
    STAGE_CONFIG = 0,
    STAGE_LAYER = 1,
    STAGE_WHOLE = 2, // who brings it has said so
    STAGE_LIST = 3,
    STAGE_END = 4,
    STAGE_DONE = 5,
};

static const char zeroes[2 * TAR_BLOCK];

static int fail(struct load *l, enum fetch_code code, const char *text)
{
    l->why = (struct fetch_failed){.code = code};
    snprintf(l->why.text, sizeof(l->why.text), "%s", text);
    return -1;
}

static int fail_digest(struct load *l, const char *what)
{
    char text[128];

    snprintf(text, sizeof(text),
             "the registry sends another %s than it has said (its digest "
             "differs): tell whoever runs that",
             what);
    return fail(l, FETCH_CODE_OWN, text);
}

static int fail_frame(struct load *l)
{
    return fail(l, FETCH_CODE_OWN,
                "the program that brings it has ended, or says what it should "
                "not: try again, or tell your administrator");
}

struct load *load_begin(int link, const struct watch *watch, long long end_ms)
{
    struct load *l = calloc(1, sizeof(*l));

    if (!l)
        return NULL;
    l->link = link;
    l->watch = watch;
    l->end_ms = end_ms;
    l->unpacked_max = UINT64_MAX;
    return l;
}

void load_end(struct load *load)
{
    int saved = errno;

    if (!load)
        return;
    manifest_clear(&load->manifest);
    manifest_config_clear(&load->config);
    digest_drop(load->sum);
    free(load->config_text);
    free(load->list);
    free(load);
    errno = saved;
}

static void tell_progress(struct load *l)
{
    if (l->progress)
        l->progress(l->arg, l->came, l->total);
}

// --- what is told before the layers ------------------------------------------

// Waits for a frame of TYPE. 0, or -1.
static int await(struct load *l, enum fetch_type type)
{
    for (;;) {
        int ms = l->end_ms - clock_ms() > WATCH_MS ? WATCH_MS : 1;
        if (clock_ms() >= l->end_ms)
            return fail(l, FETCH_CODE_LATE, "");
        int n = watch_wait(l->watch, l->link, ms);
        tell_progress(l);
        if (n < 0)
            return fail(l, FETCH_CODE_ENDED, "");
        if (n == 0)
            continue;
        if (fetch_recv(l->link, &l->frame, MSG_DONTWAIT) != 1)
            return fail_frame(l);
        if (l->frame.type == FETCH_PROGRESS)
            continue;
        if (l->frame.type == FETCH_FAILED) {
            l->why = l->frame.u.failed;
            return -1;
        }
        return l->frame.type == type ? 0 : fail_frame(l);
    }
}

// A document of MAX bytes at most. *TEXT is the caller's to free in any case.
static int read_document(struct load *l, enum fetch_type type, size_t max,
                         char **text, size_t *len)
{
    size_t room = 0;

    *text = NULL;
    *len = 0;
    for (;;) {
        if (await(l, type) < 0)
            return -1;
        size_t n = l->frame.bytes;
        if (n == 0)
            return *text ? 0 : fail_frame(l);
        if (n > max - *len)
            return fail_frame(l);
        if (*len + n > room) {
            room = 2 * (*len + n);
            char *more = realloc(*text, room);
            if (!more)
                return fail(l, FETCH_CODE_OWN, FETCH_NO_MEMORY);
            *text = more;
        }
        memcpy(*text + *len, l->frame.u.data, n);
        *len += n;
    }
}

static int check_digest(struct load *l, const char *text, size_t len,
                        const char *digest, const char *what)
{
    char have[MANIFEST_DIGEST];

    if (digest_of(text, len, have) < 0)
        return fail(l, FETCH_CODE_OWN, FETCH_NO_MEMORY);
    return strcmp(have, digest) == 0 ? 0 : fail_digest(l, what);
}

// INDEX is what the name leads to: reads the manifest that it has for PLATFORM,
// if it isn't that itself.
static int read_manifest(struct load *l, const char *index, size_t len,
                         const struct manifest_platform *platform)
{
    char digest[MANIFEST_DIGEST], *other = NULL;
    const char *text = index;
    struct berth_err err;
    bool several;
    int rc = -1;

    if (manifest_is_index(index, len, &several, &err) < 0 ||
        (several && manifest_choose(index, len, platform, digest, &err) < 0))
        return fail(l, FETCH_CODE_OWN, err.text);
    if (several) {
        if (read_document(l, FETCH_MANIFEST, MANIFEST_MAX, &other, &len) < 0 ||
            check_digest(l, other, len, digest, "manifest") < 0)
            goto out;
        text = other;
    }
    rc = manifest_parse(text, len, &l->manifest, &err);
    if (rc < 0)
        fail(l, FETCH_CODE_OWN, err.text);
out:
    free(other);
    return rc;
}

int load_read(struct load *load, bool all, const char *digest,
              const struct manifest_platform *platform)
{
    struct load *l = load;
    struct berth_err err;
    char *index = NULL;
    size_t len;
    int rc = -1;

    if (read_document(l, FETCH_INDEX, MANIFEST_MAX, &index, &len) < 0)
        goto out;
    if (digest_of(index, len, l->digest) < 0) {
        fail(l, FETCH_CODE_OWN, FETCH_NO_MEMORY);
        goto out;
    }
    if (*digest && strcmp(digest, l->digest) != 0) {
        fail_digest(l, "manifest");
        goto out;
    }
    if (!all) {
        rc = await(l, FETCH_DONE);
        goto out;
    }
    if (read_manifest(l, index, len, platform) < 0 ||
        read_document(l, FETCH_CONFIG, MANIFEST_CONFIG_MAX, &l->config_text,
                      &l->config_len) < 0 ||
        check_digest(l, l->config_text, l->config_len,
                     l->manifest.config.digest, "configuration") < 0)
        goto out;
    rc = manifest_config_parse(l->config_text, l->config_len, &l->manifest,
                               platform, &l->config, &err);
    if (rc < 0)
        fail(l, FETCH_CODE_OWN, err.text);
out:
    free(index);
    return rc;
}

// --- the archive -------------------------------------------------------------

static void write_head(struct load *l, const char *name, uint64_t size)
{
    const struct tar_entry entry = {
        .name = name, .type = '0', .mode = 0444, .size = size};

    l->part = l->head;
    l->part_len = tar_head(&entry, l->head);
}

static void write_padding(struct load *l, uint64_t size)
{
    l->part = zeroes;
    l->part_len = tar_padding(size);
}

static void blob_name(const char *digest, char out[96])
{
    snprintf(out, 96, BLOBS "%s", digest + strlen("sha256:"));
}

// manifest.json
static char *make_list(const struct load *l, const char *repository,
                       const char *tag)
{
    json_t *layers = json_array();
    char name[96];

    for (size_t i = 0; i < l->manifest.nlayers; i++) {
        blob_name(l->manifest.layers[i].digest, name);
        json_array_append_new(layers, json_string(name));
    }
    blob_name(l->manifest.config.digest, name);
    json_t *list =
        json_pack("[{s:s, s:[o], s:o}]", "Config", name, "RepoTags",
                  json_sprintf("%s:%s", repository, tag), "Layers", layers);
    char *text = list ? json_dumps(list, JSON_COMPACT) : NULL;
    json_decref(list);
    return text;
}

// Which layers are to come: those above the lowest, which are there, each once.
// Two that have the same blob are one only where the configuration says so as
// well: of what does not come nobody knows whether it is what that means.
static void choose_layers(struct load *l)
{
    const struct manifest_blob *layers = l->manifest.layers;

    l->total = 0;
    for (size_t i = 0; i < l->manifest.nlayers; i++) {
        l->wanted[i] = i >= l->nhave;
        for (size_t k = 0; k < i && l->wanted[i]; k++)
            if (l->wanted[k] && !strcmp(layers[k].digest, layers[i].digest) &&
                !strcmp(l->config.layers[k], l->config.layers[i]))
                l->wanted[i] = 0;
        if (l->wanted[i])
            l->total += layers[i].size;
    }
}

// Whether an engine would unpack the layer that comes further than those have
// who count it. They pass on what is packed by gzip alone, and nothing that is
// so twice.
static bool is_packed_otherwise(struct load *l, const char *data, size_t len)
{
    enum packing packing = packing_add(&l->packing, data, len);

    return packing != PACKING_NONE &&
           (l->now.unpacked || packing != PACKING_GZIP);
}

static int take_layer(struct load *l)
{
    char name[96];

    if (l->sum || l->frame.u.layer.n != l->layer ||
        l->frame.u.layer.size > UINT64_C(1) << 50)
        return fail_frame(l);
    l->now = l->frame.u.layer;
    // What is passed on as it is has the size that the manifest says.
    if (!l->now.unpacked && l->now.size != l->manifest.layers[l->layer].size)
        return fail_frame(l);
    if (!l->now.unpacked && l->all_unpacked)
        return fail_frame(l);
    if (l->now.unpacked) {
        if (l->now.size > l->unpacked_max - l->plain)
            return fail(l, FETCH_CODE_LARGE, "");
        l->plain += l->now.size;
    }
    l->left = l->now.size;
    l->packing = (struct packing_head){.n = 0};
    l->sparse = (struct sparse){.bytes = l->sparse.bytes};
    l->sum = digest_begin();
    if (!l->sum)
        return fail(l, FETCH_CODE_OWN, FETCH_NO_MEMORY);
    blob_name(l->manifest.layers[l->layer].digest, name);
    write_head(l, name, l->now.size);
    return 0;
}

static int take_data(struct load *l)
{
    size_t n = l->frame.bytes;

    if (!l->sum || n > l->left)
        return fail_frame(l);
    if (is_packed_otherwise(l, l->frame.u.data, n))
        return fail(l, FETCH_CODE_OWN, PACKING_WRONG);
    if (l->now.unpacked) {
        sparse_add(&l->sparse, l->frame.u.data, n);
        if (l->sparse.bytes > l->unpacked_max - l->plain)
            return fail(l, FETCH_CODE_LARGE, "");
    }
    digest_add(l->sum, l->frame.u.data, n);
    l->left -= n;
    if (!l->now.unpacked)
        l->came = l->before + (l->now.size - l->left);
    l->part = l->frame.u.data;
    l->part_len = n;
    return 0;
}

// All of it has come.
static int close_layer(struct load *l)
{
    char have[MANIFEST_DIGEST];
    const char *want = l->now.unpacked ? l->config.layers[l->layer]
                                       : l->manifest.layers[l->layer].digest;

    digest_end(l->sum, have);
    l->sum = NULL;
    if (strcmp(have, want) != 0)
        return fail_digest(l, "layer");
    l->before += l->manifest.layers[l->layer].size;
    l->came = l->before;
    write_padding(l, l->now.size);
    l->layer++;
    return 0;
}

// So much has come to whoever unpacks the next layer, or he says so: it may be
// all that he ever says, and the time and the watch are looked at in between.
static int take_progress(struct load *l)
{
    uint64_t most = l->manifest.layers[l->layer].size,
             came = l->frame.u.progress;

    if (!l->sum)
        l->came = l->before + (came < most ? came : most);
    return HTTP_LATER;
}

// Takes in what is there of a layer. 0; -1; or HTTP_LATER: nothing is.
static int hear_layer(struct load *l)
{
    int n = fetch_recv(l->link, &l->frame, MSG_DONTWAIT);

    if (n < 0 && errno == EAGAIN)
        return HTTP_LATER;
    if (n != 1)
        return fail_frame(l);
    switch (l->frame.type) {
    case FETCH_LAYER:
        return take_layer(l);
    case FETCH_DATA:
        return take_data(l);
    case FETCH_PROGRESS:
        return take_progress(l);
    case FETCH_FAILED:
        l->why = l->frame.u.failed;
        return -1;
    default:
        return fail_frame(l);
    }
}

// Whoever brings it says that it is whole. 0; -1; or HTTP_LATER.
static int hear_done(struct load *l)
{
    int n = fetch_recv(l->link, &l->frame, MSG_DONTWAIT);

    if (n < 0 && errno == EAGAIN)
        return HTTP_LATER;
    if (n != 1)
        return fail_frame(l);
    switch (l->frame.type) {
    case FETCH_PROGRESS:
        return HTTP_LATER;
    case FETCH_DONE:
        l->stage++;
        return 0;
    case FETCH_FAILED:
        l->why = l->frame.u.failed;
        return -1;
    default:
        return fail_frame(l);
    }
}

// A member of the archive that is in memory: its head, then it, then padding.
static void next_of(struct load *l, const char *name, const char *text,
                    size_t len, unsigned *step)
{
    switch ((*step)++) {
    case 0:
        write_head(l, name, len);
        break;
    case 1:
        l->part = text;
        l->part_len = len;
        break;
    default:
        write_padding(l, len);
        l->stage++;
        *step = 0;
    }
}

// A layer that does not come. Podman looks whether the archive has a file for
// each, and never into those of layers that it has: an empty one does.
static void pass_over(struct load *l)
{
    char name[96];

    if (l->blank && l->layer < l->nhave) {
        blob_name(l->manifest.layers[l->layer].digest, name);
        write_head(l, name, 0);
    }
    l->layer++;
}

// Has the next part of the archive in L->part, which may be empty. 0; -1; or
// HTTP_LATER.
static int next_part(struct load *l)
{
    char name[96];

    switch ((enum stage)l->stage) {
    case STAGE_CONFIG:
        blob_name(l->manifest.config.digest, name);
        next_of(l, name, l->config_text, l->config_len, &l->step);
        return 0;
    case STAGE_LAYER:
        if (l->sum && l->left == 0)
            return close_layer(l);
        if (l->layer == l->manifest.nlayers)
            l->stage++;
        else if (!l->sum && !l->wanted[l->layer])
            pass_over(l);
        else
            return hear_layer(l);
        return 0;
    case STAGE_WHOLE:
        return hear_done(l);
    case STAGE_LIST:
        next_of(l, "manifest.json", l->list, strlen(l->list), &l->step);
        return 0;
    case STAGE_END:
        l->part = zeroes;
        l->part_len = sizeof(zeroes);
        l->stage++;
        return 0;
    default:
        return 0;
    }
}

static ssize_t read_archive(void *arg, char *buf, size_t size)
{
    struct load *l = arg;
    size_t used = 0;

    tell_progress(l);
    while (used < size && !(l->part_len == 0 && l->stage == STAGE_DONE)) {
        if (l->part_len == 0) {
            int rc = next_part(l);
            if (rc == HTTP_LATER)
                return used ? (ssize_t)used : HTTP_LATER;
            if (rc < 0)
                return HTTP_GIVEN_UP;
            continue;
        }
        size_t n = l->part_len < size - used ? l->part_len : size - used;
        memcpy(buf + used, l->part, n);
        l->part += n;
        l->part_len -= n;
        used += n;
    }
    return (ssize_t)used;
}

int load_send(struct load *load, struct engine *engine, const char *repository,
              const char *tag, size_t nhave)
{
    struct load *l = load;
    const struct http_upload upload = {
        .fd = l->link, .read = read_archive, .arg = l};
    struct berth_err err = {0};
    long long left = l->end_ms - clock_ms();

    l->nhave = nhave;
    l->blank = engine_is_podman(engine);
    choose_layers(l);
    l->list = make_list(l, repository, tag);
    if (!l->list)
        return fail(l, FETCH_CODE_OWN, FETCH_NO_MEMORY);
    if (fetch_send(l->link, FETCH_WANTED, l->wanted, l->manifest.nlayers) < 0)
        return fail_frame(l);
    l->why = (struct fetch_failed){.code = FETCH_CODE_NONE};
    if (left > 0 && engine_image_load(engine, &upload, left, &err) == 0)
        return 0;
    // What ended it is known here, unless it was the engine.
    if (l->why.code != FETCH_CODE_NONE)
        return -1;
    if (left <= 0 || err.code == BERTH_ETIMEOUT)
        return fail(l, FETCH_CODE_LATE, "");
    return err.code == BERTH_EENDED ? fail(l, FETCH_CODE_ENDED, "")
                                    : fail(l, FETCH_CODE_ENGINE, err.text);
}
