// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Whose image it is decides who may have it. What has the name in the engine is
// the administrator's, and free. What berth has fetched has a record, and what
// credentials were needed for is had by those only to whom the registry would
// give it: that is asked once a job. All else is fetched.

#include "images/get.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "engine/clock.h"
#include "images/apart.h"
#include "images/credentials.h"
#include "images/fetcher.h"
#include "images/gc.h"
#include "images/load.h"
#include "images/record.h"
#include "logic/limits.h"
#include "logic/pull.h"

// The first line comes after so long.
enum { FIRST_MS = 2000 };

struct get {
    const struct images_order *order;
    char name[IMGREF_TEXT_MAX];
    int dir;            // of the records
    struct watch watch; // the order's, and lines for the user
    long long start_ms, end_ms, next_ms;
    const char *doing; // "fetching"
    uint64_t came, total;
    // In the process that fetches:
    bool apart;
    struct record_lock *name_lock; // that others may wait for
    struct machine {
        struct utsname uname;
        struct manifest_platform platform;
    } machine;
    // Once it is looked for: who fetches, and with what.
    bool has_account;
    uid_t uid;
    gid_t gid;
    struct credentials credentials;
};

// --- lines for the user ------------------------------------------------------

static unsigned seconds_of(const struct get *g)
{
    return (unsigned)((clock_ms() - g->start_ms + 500) / 1000);
}

// In the process that fetches it goes the way over the one that waits.
static void say(struct get *g)
{
    char line[IMGREF_TEXT_MAX + 128], size[64] = "";

    if (g->total)
        snprintf(size, sizeof(size), "%llu of %llu MB, ",
                 (unsigned long long)(g->came / 1000000),
                 (unsigned long long)(g->total / 1000000));
    snprintf(line, sizeof(line), "%s %s: %s%u s", g->doing, g->name, size,
             seconds_of(g));
    if (g->apart)
        apart_say(g->watch.fd, line);
    else
        g->order->say(g->order->arg, line);
}

// Whatever is waited for, the user hears of it, and its end ends it; unless
// others wait for the same.
static bool go_on(void *arg)
{
    struct get *g = arg;

    if (g->apart && apart_is_alone(&g->watch.fd))
        return record_lock_is_awaited(g->name_lock);
    if (g->order->say && clock_ms() >= g->next_ms) {
        g->next_ms = clock_ms() + g->order->round_ms;
        say(g);
    }
    return g->apart || g->order->watch->go_on(g->order->watch->arg);
}

static void on_progress(void *arg, uint64_t came, uint64_t total)
{
    struct get *g = arg;
    uint64_t before = g->came;

    g->came = came;
    g->total = total;
    g->doing = total && came == total ? "unpacking" : "fetching";
    if (g->name_lock && came / 1000000 != before / 1000000)
        record_lock_note(g->name_lock, came, total);
    if (g->order->say && clock_ms() >= g->next_ms)
        go_on(g);
}

static void on_waiting(void *arg, uint64_t came, uint64_t total)
{
    struct get *g = arg;

    g->doing = "waiting for another step, which fetches";
    g->came = came;
    g->total = total;
}

static enum rule_pull pull_of(const struct images_order *order)
{
    return order->unfetched ? RULE_PULL_NEVER : order->rules->pull;
}

// Why that is never.
static const char *why_never(const struct images_order *order)
{
    return order->unfetched
               ? "no rule of the policy lets it be run, only its mode"
               : "the policy has it so (pull)";
}

// --- asking the registry -----------------------------------------------------

static int explain(const struct get *g, const struct fetch_failed *why,
                   struct berth_err *err)
{
    const struct credentials *credentials = &g->credentials;
    const struct rules *rules = g->order->rules;
    const struct pull_facts facts = {
        .image = g->name,
        .node = g->order->node,
        .registry = g->order->ref->domain,
        .credentials = credentials->from,
        .had_credentials = credentials->fd >= 0,
        .helper = credentials->helper.name[0] ? credentials->helper.name : NULL,
        .asked = credentials->asked,
        .seconds = seconds_of(g),
        .packed_max = rules->pull_max,
        .unpacked_max = rules->pull_max_unpacked,
    };

    return pull_explain(why, &facts, err);
}

// The name that leads to DIGEST (empty: whatever it leads to now).
static void name_at(const struct get *g, const char *digest,
                    char out[IMGREF_TEXT_MAX])
{
    struct imgref ref = *g->order->ref;

    if (*digest) {
        ref.tag[0] = 0;
        snprintf(ref.digest, sizeof(ref.digest), "%s", digest);
    }
    imgref_format(&ref, out);
}

// Finds the account that fetches, and the user's credentials. They are asked
// for by the process that is the step's, not by the one that fetches.
static int find_account(struct get *g, struct berth_err *err)
{
    const struct images_order *o = g->order;
    struct credentials_order order = {
        .user = o->user,
        .home = o->home,
        .rules = o->rules,
        .ref = o->ref,
        .watch = &g->watch,
        .confine = o->confine,
        .arg = o->arg,
    };

    if (g->has_account)
        return 0;
    if (fetcher_account(o->rules->fetch_user, o->user->uid, &g->uid, &g->gid,
                        err) < 0)
        return -1;
    order.owner = g->uid;
    if (credentials_find(&order, &g->credentials, err) < 0)
        return -1;
    g->has_account = true;
    return 0;
}

// Which hosts are asked without a proxy, with commas between them. 0, or -1
// with ERR set.
static int list_direct(const struct rule_list *list, char *buf, size_t size,
                       struct berth_err *err)
{
    size_t used = 0;

    *buf = 0;
    for (size_t i = 0; i < list->n; i++) {
        int n = snprintf(buf + used, size - used, "%s%s", i ? "," : "",
                         list->v[i]->text);
        if (n < 0 || (size_t)n >= size - used)
            return err_set(err, BERTH_ETOOBIG,
                           "fetch_no_proxy has more than %zu characters: ask "
                           "your administrator to shorten it",
                           size);
        used += (size_t)n;
    }
    return 0;
}

struct asking {
    struct fetcher fetcher;
    struct load *load;
};

static void asking_end(struct asking *asking)
{
    fetcher_end(&asking->fetcher);
    load_end(asking->load);
    *asking = (struct asking){.load = NULL};
}

// Starts a fetch of what is at DIGEST, and reads what comes before the layers;
// or, if not ALL, the digest alone. 0, or -1 with ERR set; asking_end in either
// case.
static int asking_begin(struct get *g, const char *digest, bool all,
                        struct asking *asking, struct berth_err *err)
{
    const struct images_order *o = g->order;
    char name[IMGREF_TEXT_MAX], direct[1024];

    *asking = (struct asking){.load = NULL};
    name_at(g, digest, name);
    g->doing = all ? "fetching" : "asking the registry for";
    if (find_account(g, err) < 0 ||
        list_direct(&o->rules->fetch_no_proxy, direct, sizeof(direct), err) < 0)
        return -1;
    const struct fetcher_order order = {
        .name = name,
        .proxy = o->rules->fetch_proxy,
        .no_proxy = direct,
        .check = !all,
        .auth = g->credentials.fd,
        .tries = o->rules->pull_tries,
        .packed_max = o->rules->pull_max,
        .unpacked_max = o->rules->pull_max_unpacked,
    };
    if (fetcher_start(&order, g->uid, g->gid, &asking->fetcher, err) < 0)
        return -1;
    asking->load = load_begin(asking->fetcher.link, &g->watch, g->end_ms);
    if (!asking->load)
        return err_set(err, BERTH_ENOMEM, "out of memory");
    asking->load->unpacked_max = o->rules->pull_max_unpacked;
    asking->load->progress = on_progress;
    asking->load->arg = g;
    const char *want = *digest ? digest : o->ref->digest;
    return load_read(asking->load, all, want, &g->machine.platform) == 0
               ? 0
               : explain(g, &asking->load->why, err);
}

// Asks what the name leads to; or, where DIGEST is not empty, whether that is
// there for this user. 0 and OUT, or -1 with ERR set.
static int ask(struct get *g, const char *digest, char out[MANIFEST_DIGEST],
               struct berth_err *err)
{
    const struct images_order *o = g->order;
    struct asking asking;

    int rc = asking_begin(g, digest, false, &asking, err);
    if (rc == 0) {
        memcpy(out, asking.load->digest, MANIFEST_DIGEST);
        record_ask(g->dir, o->job, o->user->uid, g->name, out);
    }
    asking_end(&asking);
    return rc;
}

// What the name leads to, for this job. Once a job and node.
static int resolve(struct get *g, char out[MANIFEST_DIGEST],
                   struct berth_err *err)
{
    const struct images_order *o = g->order;

    return record_asked(g->dir, o->job, o->user->uid, g->name, out)
               ? 0
               : ask(g, "", out, err);
}

// --- what is there -----------------------------------------------------------

int images_hold(const struct images_order *order, int dir, const char *id,
                struct berth_err *err)
{
    struct images_held *held = order->held;

    images_let_go(held);
    if (!held)
        return 0;
    if (record_lock_shared(dir, "id", id, order->watch,
                           clock_ms() + 1000LL * order->rules->pull_seconds,
                           &held->lock, err) < 0)
        return err->code == BERTH_ETIMEOUT
                   ? err_set(err, BERTH_ETIMEOUT,
                             "it is being removed from node %s, and that takes "
                             "long: try again, or tell your administrator",
                             order->node)
                   : -1;
    held->dir = fcntl(dir, F_DUPFD_CLOEXEC, 0);
    if (held->dir >= 0)
        return 0;
    record_unlock(dir, &held->lock);
    return err_set(err, BERTH_ESYS, "opening the records of images: %m");
}

void images_let_go(struct images_held *held)
{
    if (!held || held->dir < 0)
        return;
    record_unlock(held->dir, &held->lock);
    close(held->dir);
    held->dir = -1;
}

// Whether the user may have what RECORD is about. 1; 0: it is to be fetched
// anew; or -1 with ERR set.
static int may_have(struct get *g, struct record *record, const char *digest,
                    struct berth_err *err)
{
    const struct images_order *o = g->order;
    char seen[MANIFEST_DIGEST];

    if (*digest)
        return strcmp(record->digest, digest) == 0;
    if (!record->private ||
        (record_asked(g->dir, o->job, o->user->uid, g->name, seen) &&
         strcmp(seen, record->digest) == 0))
        return 1;
    if (pull_of(o) == RULE_PULL_NEVER)
        return err_set(err, BERTH_ENOTFOUND,
                       "the image %s is on node %s, but another user's "
                       "credentials brought it, and its registry is not asked "
                       "whether you may have it, since %s: ask your "
                       "administrator",
                       g->name, o->node, why_never(o));
    if (ask(g, record->digest, seen, err) < 0)
        return -1;
    // Everybody can have it, as is known now.
    if (g->credentials.fd < 0) {
        record->private = false;
        record_write(g->dir, record, NULL);
    }
    return 1;
}

// The record of the name; or, where that has a digest, one of the same without
// it, or without its tag, that led to this digest.
static bool read_record(const struct get *g, struct record *out)
{
    const struct imgref *ref = g->order->ref;
    struct imgref other = *ref;
    char name[IMGREF_TEXT_MAX];

    if (record_read(g->dir, g->order->engine, g->name, out))
        return true;
    if (!ref->digest[0] || !ref->tag[0])
        return false;
    other.digest[0] = 0;
    imgref_format(&other, name);
    if (record_read(g->dir, g->order->engine, name, out) &&
        strcmp(out->digest, ref->digest) == 0)
        return true;
    name_at(g, ref->digest, name);
    return record_read(g->dir, g->order->engine, name, out);
}

// The same, and holds its image: 1, 0 or -1 with ERR set. Until that is held
// another step may have the name lead elsewhere, and what it led to go.
static int hold_record(const struct get *g, struct record *out,
                       struct berth_err *err)
{
    struct record now;

    while (read_record(g, out)) {
        if (images_hold(g->order, g->dir, out->id, err) < 0)
            return -1;
        if (read_record(g, &now) && strcmp(now.id, out->id) == 0)
            return 1;
    }
    return 0;
}

// Looks for what berth has fetched; where DIGEST is not empty, for that. 1 and
// OUT; 0: it is not there; or -1 with ERR set.
static int find_fetched(struct get *g, struct engine *engine,
                        const char *digest, struct images_got *out,
                        struct berth_err *err)
{
    struct record record;

    int rc = hold_record(g, &record, err);
    if (rc > 0 && engine_image_inspect(engine, record.id, &out->image, err) < 0)
        rc = err->code == BERTH_ENOTFOUND ? 0 : -1;
    else if (rc > 0)
        rc = may_have(g, &record, digest, err);
    if (rc <= 0) {
        engine_image_clear(&out->image);
        images_let_go(g->order->held);
        return rc;
    }
    memcpy(out->digest, record.digest, sizeof(out->digest));
    record_use(g->dir, &record);
    return 1;
}

struct holding {
    const char *engine, *id;
    bool public;
};

static bool look(void *arg, const struct record *record)
{
    struct holding *h = arg;

    h->public |= !record->private && strcmp(record->engine, h->engine) == 0 &&
                 strcmp(record->id, h->id) == 0;
    return !h->public;
}

// Whether the image ID is one that a registry has given to who had no
// credentials. Who knows the digests of another one (the administrator's for
// others, or one that somebody's credentials have brought, whose record may be
// gone by now), and makes an image of his own of them, does not have it by
// that.
static bool is_public(const struct get *g, const char *id)
{
    struct holding h = {.engine = g->order->engine, .id = id};

    record_each(g->dir, look, &h);
    return h.public;
}

// How many of the lowest layers of CONFIG the image ID has, if it is there.
static size_t count_same(struct engine *engine, const char *id,
                         const struct manifest_config *config)
{
    struct engine_image image = {0};
    struct berth_err ignored;
    size_t n = 0;

    if (engine_image_inspect(engine, id, &image, &ignored) < 0)
        return 0;
    while (n < image.nlayers && n < config->nlayers &&
           strcmp(image.layers[n], config->layers[n]) == 0)
        n++;
    engine_image_clear(&image);
    return n;
}

struct counting {
    const struct get *get;
    struct engine *engine;
    const struct manifest_config *config;
    size_t looked, most;
};

static bool count_layers_of(void *arg, const struct record *record)
{
    struct counting *c = arg;

    if (!record->private && !strcmp(record->engine, c->get->order->engine)) {
        size_t n = count_same(c->engine, record->id, c->config);
        c->most = n > c->most ? n : c->most;
        c->looked++;
    }
    return c->most < c->config->nlayers && c->looked < BERTH_IMAGES_MAX;
}

// How many of the lowest layers of CONFIG are in public images that the engine
// has: these need not be fetched. What cannot be found out is.
static size_t count_layers(const struct get *g, struct engine *engine,
                           const struct manifest_config *config)
{
    struct counting c = {.get = g, .engine = engine, .config = config};

    record_each(g->dir, count_layers_of, &c);
    return c.most;
}

// --- fetching ----------------------------------------------------------------

// Has the image that ASKING has begun come into the engine, under berth's own
// name. With ALL no layer is left out.
static int bring(struct get *g, struct engine *engine, struct asking *asking,
                 bool all, struct images_got *out, struct berth_err *err)
{
    struct load *load = asking->load;
    const char *id = load->manifest.config.digest;
    const char *tag = id + strlen("sha256:");
    char own[IMGREF_TEXT_MAX];
    struct berth_err why;

    snprintf(own, sizeof(own), "%s:%s", RECORD_REPOSITORY, tag);
    // Another name has led to the same.
    if (is_public(g, id) &&
        engine_image_inspect(engine, id, &out->image, &why) == 0) {
        if (engine_image_tag(engine, id, RECORD_REPOSITORY, tag, err) == 0)
            return 0;
        engine_image_clear(&out->image);
        return -1;
    }
    size_t have = all ? 0 : count_layers(g, engine, &load->config);
    if (load_send(load, engine, RECORD_REPOSITORY, tag, have) < 0)
        return explain(g, &load->why, err);
    if (engine_image_inspect(engine, own, &out->image, err) < 0)
        return err_prefix(err, "the image %s", g->name);
    if (strcmp(out->image.id, id) == 0)
        return 0;
    engine_image_clear(&out->image);
    return err_set(err, BERTH_EENGINE,
                   "%s made another image of %s than was fetched: tell your "
                   "administrator",
                   engine_name(engine), g->name);
}

// ERR is why a lock could not be had. What an engine does not answer in time is
// something else.
static int fail_lock(const struct get *g, struct berth_err *err)
{
    const struct fetch_failed why = {.code = FETCH_CODE_LATE};

    return err->code == BERTH_ETIMEOUT ? explain(g, &why, err) : -1;
}

static int fetch_once(struct get *g, struct engine *engine, const char *digest,
                      bool all, struct images_got *out, bool *again,
                      struct berth_err *err)
{
    const struct images_order *o = g->order;
    struct record_lock id = RECORD_NO_LOCK;
    struct asking asking;
    int rc = -1;

    if (asking_begin(g, digest, true, &asking, err) < 0)
        goto out;
    // Others wait for the name meanwhile: nothing of this user's is waited for.
    if (record_lock_shared(g->dir, "id", asking.load->manifest.config.digest,
                           &g->watch, g->end_ms, &id, err) < 0) {
        fail_lock(g, err);
        goto out;
    }
    rc = bring(g, engine, &asking, all, out, err);
    *again = rc < 0 && asking.load->why.code == FETCH_CODE_ENGINE;
    if (rc < 0)
        goto out;
    struct record old = {.pinned = false};
    record_read(g->dir, o->engine, g->name, &old);
    struct record record = {
        .private = g->credentials.fd >= 0,
        .pinned = old.pinned,
        .uid = o->user->uid,
        .size = asking.load->manifest.size,
        .when = time(NULL),
    };
    snprintf(record.engine, sizeof(record.engine), "%s", o->engine);
    memcpy(record.name, g->name, sizeof(record.name));
    memcpy(record.digest, asking.load->digest, sizeof(record.digest));
    memcpy(record.id, out->image.id, sizeof(record.id));
    rc = record_write(g->dir, &record, err);
    if (rc < 0) {
        engine_image_clear(&out->image);
        goto out;
    }
    record_use(g->dir, &record);
    memcpy(out->digest, record.digest, sizeof(out->digest));
    out->bytes = asking.load->total;
out:
    record_unlock(g->dir, &id);
    // The engine has it, and says too much of it, or nothing.
    if (rc < 0 && asking.load && asking.load->why.code == FETCH_CODE_NONE)
        gc_remove_stray(o->state, engine, o->engine,
                        asking.load->manifest.config.digest);
    asking_end(&asking);
    return rc;
}

// In its turn.
static int fetch_in_turn(struct get *g, struct engine *engine,
                         const char *digest, struct images_got *out,
                         struct berth_err *err)
{
    struct record_lock turn = RECORD_NO_LOCK;
    bool again = false;

    g->doing = "waiting for its turn:";
    g->came = g->total = 0;
    if (record_lock_one(g->dir, "all", g->order->rules->pull_parallel,
                        &g->watch, g->end_ms, &turn, err) < 0)
        return fail_lock(g, err);
    int rc = fetch_once(g, engine, digest, false, out, &again, err);
    // A layer that was there may have been removed meanwhile.
    if (rc < 0 && again)
        rc = fetch_once(g, engine, digest, true, out, &again, err);
    record_unlock(g->dir, &turn);
    return rc;
}

// What a fetch takes with it to the process that does it.
struct fetching {
    struct record_lock name, turn; // the name's; one of this user's own turns
};

static void run_apart(struct get *g, int link, struct fetching *locks,
                      const char *digest) __attribute__((noreturn));

static void run_apart(struct get *g, int link, struct fetching *locks,
                      const char *digest)
{
    struct apart_end end = {.rc = -1};
    struct images_got got = {.digest = ""};

    g->apart = true;
    g->name_lock = &locks->name;
    g->watch.fd = link;
    struct engine *engine = engine_open(g->order->engine, &g->watch, &end.err);
    if (engine)
        end.rc = fetch_in_turn(g, engine, digest, &got, &end.err);
    if (end.rc == 0) {
        memcpy(end.id, got.image.id, sizeof(end.id));
        memcpy(end.digest, got.digest, sizeof(end.digest));
        end.bytes = got.bytes;
    }
    record_unlock(g->dir, &locks->name);
    record_unlock(g->dir, &locks->turn);
    apart_exit(g->watch.fd, &end);
}

// Has another process fetch it, which gets LOCKS.
static int fetch_apart(struct get *g, struct engine *engine,
                       struct fetching *locks, const char *digest,
                       struct images_got *out, struct berth_err *err)
{
    const struct images_order *o = g->order;
    int keep[] = {g->dir, locks->name.fd, locks->turn.fd, -1}, link;
    struct apart_end end;

    keep[3] = g->credentials.fd;
    pid_t pid = apart_begin(keep, sizeof(keep) / sizeof(*keep), &link, err);
    if (pid == 0)
        run_apart(g, link, locks, digest);
    if (pid < 0)
        return -1;
    record_lock_pass(&locks->name);
    record_lock_pass(&locks->turn);
    if (apart_wait(pid, link, o->watch, o->say, o->arg, &end, err) < 0)
        return -1;
    if (end.rc < 0) {
        *err = end.err;
        return -1;
    }
    if (images_hold(o, g->dir, end.id, err) < 0 ||
        engine_image_inspect(engine, end.id, &out->image, err) < 0)
        return -1;
    record_ask(g->dir, o->job, o->user->uid, g->name, end.digest);
    memcpy(out->digest, end.digest, sizeof(out->digest));
    out->fetched = true;
    out->bytes = end.bytes;
    return 0;
}

// Has the lock of the name, unless somebody else has just fetched it: 1 and
// OUT; 0: it is to be fetched; or -1.
static int begin(struct get *g, struct engine *engine, const char *digest,
                 struct record_lock *name, struct images_got *out,
                 struct berth_err *err)
{
    if (record_lock(g->dir, "name", g->name, &g->watch, g->end_ms, on_waiting,
                    g, name, err) < 0)
        return fail_lock(g, err);
    return find_fetched(g, engine, digest, out, err);
}

// One of the turns that this user may have, which are not all.
static int take_turn(struct get *g, long long end_ms, struct record_lock *out,
                     struct berth_err *err)
{
    unsigned n = g->order->rules->pull_parallel;
    char whose[16];

    snprintf(whose, sizeof(whose), "u%u", (unsigned)g->order->user->uid);
    return record_lock_one(g->dir, whose, n > 1 ? n - 1 : 1, &g->watch, end_ms,
                           out, err);
}

// Fetches it, unless somebody else does, or just has.
static int fetch(struct get *g, struct engine *engine, const char *digest,
                 struct images_got *out, struct berth_err *err)
{
    struct fetching locks = {RECORD_NO_LOCK, RECORD_NO_LOCK};

    // The user's own files may keep him waiting, and nobody else.
    if (find_account(g, err) < 0)
        return -1;
    int rc = begin(g, engine, digest, &locks.name, out, err);
    if (rc == 0 && take_turn(g, 0, &locks.turn, err) < 0) {
        // Who waits for his own turn keeps nobody from this image meanwhile.
        record_unlock(g->dir, &locks.name);
        g->doing = "waiting for its turn:";
        g->came = g->total = 0;
        rc = take_turn(g, g->end_ms, &locks.turn, err) < 0
                 ? fail_lock(g, err)
                 : begin(g, engine, digest, &locks.name, out, err);
    }
    if (rc == 0)
        rc = fetch_apart(g, engine, &locks, digest, out, err);
    record_unlock(g->dir, &locks.name);
    record_unlock(g->dir, &locks.turn);
    return rc < 0 ? -1 : 0;
}

// --- all of it ---------------------------------------------------------------

// Whether the engine's IMAGE is what DIGEST says, by its own word.
static bool has_digest(const struct engine_image *image, const char *digest)
{
    const char *at = strrchr(image->digest, '@');

    return at && strcmp(at + 1, digest) == 0;
}

static int get(struct get *g, struct engine *engine, bool named,
               struct images_got *out, struct berth_err *err)
{
    char digest[MANIFEST_DIGEST] = "";

    // What a digest leads to is always the same.
    if (pull_of(g->order) == RULE_PULL_ALWAYS && !g->order->ref->digest[0]) {
        if (resolve(g, digest, err) < 0)
            return -1;
        memcpy(out->digest, digest, sizeof(digest));
        if (named && has_digest(&out->image, digest))
            return 0;
        engine_image_clear(&out->image);
    }
    int rc = find_fetched(g, engine, digest, out, err);
    if (rc != 0)
        return rc < 0 ? -1 : 0;
    if (pull_of(g->order) == RULE_PULL_NEVER)
        return err_set(err, BERTH_ENOTFOUND,
                       "the image %s may be run, but the container engine of "
                       "node %s does not have it, and it is not fetched, since "
                       "%s: ask your administrator",
                       g->name, g->order->node, why_never(g->order));
    return fetch(g, engine, digest, out, err);
}

// Whether the engine has IMAGE by the name REF. Podman 4.3, as others may,
// finds an image by a digest whatever repository stands in front of that.
static bool has_name(const struct engine_image *image, const struct imgref *ref)
{
    struct berth_err ignored;
    struct imgref its;

    for (size_t i = 0; *ref->digest && i < image->ndigests; i++)
        if (imgref_parse(image->digests[i], &its, &ignored) == 0 &&
            !strcmp(its.domain, ref->domain) && !strcmp(its.path, ref->path) &&
            !strcmp(its.digest, ref->digest))
            return true;
    return !*ref->digest;
}

int images_get(const struct images_order *order, struct engine *engine,
               struct images_got *out, struct berth_err *err)
{
    struct get g = {
        .order = order,
        .watch = {.fd = order->watch->fd, .go_on = go_on, .arg = &g},
        .start_ms = clock_ms(),
        .doing = "fetching",
        .credentials = CREDENTIALS_NONE,
    };
    const struct rules *rules = order->rules;

    *out = (struct images_got){.digest = ""};
    imgref_format(order->ref, g.name);
    // What the engine has by this name is the administrator's.
    bool named = engine_image_inspect(engine, g.name, &out->image, err) == 0;
    if (!named && err->code != BERTH_ENOTFOUND)
        return -1;
    if (named && !has_name(&out->image, order->ref)) {
        engine_image_clear(&out->image);
        named = false;
    }
    if (named && (pull_of(order) != RULE_PULL_ALWAYS || order->ref->digest[0]))
        return 0;
    g.next_ms = g.start_ms + FIRST_MS;
    g.end_ms = g.start_ms + 1000LL * rules->pull_seconds;
    uname(&g.machine.uname);
    g.machine.platform = manifest_platform(g.machine.uname.machine);
    g.dir = record_open(order->state, order->node, err);
    int rc = g.dir < 0 ? -1 : get(&g, engine, named, out, err);
    if (rc < 0)
        engine_image_clear(&out->image);
    out->seconds = seconds_of(&g);
    credentials_clear(&g.credentials);
    if (g.dir >= 0)
        close(g.dir);
    return rc;
}
