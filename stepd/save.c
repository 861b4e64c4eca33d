// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: a container's files, and what a program that is the user says.

#include "stepd/save.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "engine/clock.h"
#include "engine/engine.h"
#include "engine/watch.h"
#include "images/fetcher.h"
#include "images/load.h"
#include "images/saved.h"
#include "node/child.h"
#include "node/digest.h"
#include "protocol/fetch.h"
#include "protocol/passing.h"
#include "stepd/layer.h"

enum { FIRST_MS = 2000, ROUND_MS = 5000 };

// --- what the user wants -----------------------------------------------------

// FILE, with the node's name in the place of each %N.
static char *name_node(const char *file, const char *node)
{
    char *out = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&out, &len);

    if (!f)
        return NULL;
    for (const char *p = file; *p; p++)
        if (p[0] == '%' && p[1] == 'N') {
            fputs(node, f);
            p++;
        } else {
            fputc(*p, f);
        }
    return fclose(f) == 0 ? out : NULL;
}

// THEIRS: in which mount namespace a file is, or -1.
static struct fetcher_order order_for(const struct save_wish *wish,
                                      const struct child_user *user, int theirs,
                                      enum fetcher_save save)
{
    return (struct fetcher_order){
        .name = wish->target,
        .owner = user,
        .theirs = save == FETCHER_LOAD ? -1 : theirs,
        .save = save,
        .replace = wish->replace,
        .auth = -1,
        .packed_max = wish->unpacked_max + wish->max,
        .unpacked_max = wish->unpacked_max + wish->max,
    };
}

static int fail_file(const struct save_wish *wish, const char *node,
                     const char *why, struct berth_err *err)
{
    char quoted[ERR_QUOTE_MAX];

    err_quote(wish->target, quoted, sizeof(quoted));
    return err_set(err, BERTH_EINVAL,
                   "the container cannot be saved to %s on node %s: %s", quoted,
                   node, why);
}

// What the program that writes the file says at its end, within MS. NULL: it
// is well; else why it is not.
static const char *hear_verdict(int link, int ms, struct fetch_frame *in)
{
    struct pollfd p = {.fd = link, .events = POLLIN};

    if (poll(&p, 1, ms) <= 0)
        return "its file server does not answer in time, or the program that "
               "writes it was stopped";
    int got = fetch_recv(link, in, MSG_DONTWAIT);
    // It has left without all that was sent: what it said is there still.
    if (got < 0 && errno == ECONNRESET)
        got = fetch_recv(link, in, MSG_DONTWAIT);
    if (got != 1)
        return "the program that writes it has ended: it may have been killed";
    return in->type == FETCH_DONE     ? NULL
           : in->type == FETCH_FAILED ? in->u.failed.text
                                      : "berth-save says what it should not";
}

static int check_file(const struct step *step, const struct save_wish *wish,
                      int theirs, struct berth_err *err)
{
    static struct fetch_frame in;
    const struct child_user user = {step->uid, step->gid, step->gids,
                                    step->ngids};
    const struct fetcher_order order =
        order_for(wish, &user, theirs, FETCHER_CHECK);
    struct fetcher fetcher = {0};

    if (fetcher_start(&order, 0, 0, &fetcher, err) < 0)
        return -1;
    const char *why = hear_verdict(fetcher.link, (int)wish->wait * 1000, &in);
    int rc = why ? fail_file(wish, step->node, why, err) : 0;
    fetcher_end(&fetcher);
    return rc;
}

int save_prepare(const struct step *step, const struct decision *decision,
                 const char *engine, int theirs, struct save_wish *out,
                 struct berth_err *err)
{
    const struct rules *rules = decision->rules;

    *out = (struct save_wish){
        .image = decision->save_image,
        .replace = decision->save_replace,
        .always = decision->save_always,
        .range = decision->range,
        .max = rules->save_max,
        .total = rules->save_total,
        .unpacked_max = rules->pull_max_unpacked,
        .seconds = rules->pull_seconds,
        .wait = rules->probe_seconds,
    };
    if (!decision->save)
        return 0;
    if (!out->image && step->nnodes > 1 && !strstr(decision->save, "%N"))
        return err_set(err, BERTH_EINVAL,
                       "--container-save: this step has a container on each of "
                       "%u nodes, and one file cannot be all of them: write "
                       "%%N into its name, which is each node's, or save one "
                       "node's (srun -N1)",
                       step->nnodes);
    out->target = out->image ? strdup(decision->save)
                             : name_node(decision->save, step->node);
    if (!out->target)
        return err_set(err, BERTH_ENOMEM, "memory is out");
    if (!out->image)
        return check_file(step, out, theirs, err);
    const struct saved saved = {
        .state = BERTH_STATEDIR,
        .node = step->node,
        .engine = engine,
        .uid = step->uid,
        .name = out->target,
        .replace = out->replace,
        .total = out->total,
    };
    return saved_check(&saved, err);
}

void save_wish_clear(struct save_wish *wish)
{
    free(wish->target);
    *wish = (struct save_wish){.target = NULL};
}

// --- in the child ------------------------------------------------------------

struct work {
    const struct step *step;
    const struct save_wish *wish;
    const struct store_record *record;
    int report, theirs;
    long long start_ms, next_ms, end_ms;
    struct child_user user;
    struct engine *engine;
    char image[72]; // that the container is made of
    struct layer layer;
    uint64_t size; // of the layer
    struct digest *sum;
    char *config;
    size_t config_len;
    size_t nlayers; // of the image
    struct fetcher fetcher;
    uint64_t sent;
    size_t used; // of what is gathered for a frame
    char frame[FETCH_DATA_MAX];
};

static bool always(void *arg)
{
    (void)arg;
    return true;
}

static const struct watch no_watch = {.fd = -1, .go_on = always};

static void report(const struct work *w, char kind, const char *text)
{
    char packet[SAVE_TEXT_MAX + 1];
    int n = snprintf(packet, sizeof(packet), "%c%s", kind, text);

    send(w->report, packet,
         n < (int)sizeof(packet) ? (size_t)n : sizeof(packet) - 1,
         MSG_NOSIGNAL);
}

static void tell_progress(struct work *w, uint64_t bytes, const char *doing)
{
    char line[SAVE_TEXT_MAX];

    if (clock_ms() < w->next_ms)
        return;
    w->next_ms = clock_ms() + ROUND_MS;
    snprintf(line, sizeof(line), "%s %.800s: %llu MB, %lld s", doing,
             w->wish->target, (unsigned long long)(bytes / 1000000),
             (clock_ms() - w->start_ms) / 1000);
    report(w, 'p', line);
}

// The first time through: how much it is, and its digest.
static int count_part(void *arg, const void *data, size_t len,
                      struct berth_err *err)
{
    struct work *w = arg;

    (void)err;
    digest_add(w->sum, data, len);
    w->size += len;
    tell_progress(w, w->size, "looking for what was written, for");
    return 0;
}

static int explain_size(const struct work *w, struct berth_err *err)
{
    return err->code == BERTH_ETOOBIG
               ? err_set(err, BERTH_EDENIED,
                         "%s: at most %llu MB (save_max): delete what is not "
                         "needed, such as caches, or ask your administrator",
                         "more was written in the container than may be saved",
                         (unsigned long long)w->wish->max / 1000000)
               : -1;
}

// The image's own configuration, with one layer more: DIGEST.
static int make_config(struct work *w, json_t *config, const char *digest,
                       struct berth_err *err)
{
    json_t *layers =
        json_object_get(json_object_get(config, "rootfs"), "diff_ids");
    time_t now = time(NULL);
    struct tm tm;
    char when[32];

    w->nlayers = json_array_size(layers);
    strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
    if (json_array_append_new(layers, json_string(digest)) < 0 ||
        json_object_set_new(config, "created", json_string(when)) < 0 ||
        !(w->config = json_dumps(config, JSON_COMPACT)))
        return err_set(err, BERTH_ENOMEM, "memory is out");
    w->config_len = strlen(w->config);
    return 0;
}

// Finds out of what the container is made, and what it is to be.
static int look(struct work *w, const struct process *init, int ns,
                struct berth_err *err)
{
    struct engine_container container = {0};
    char digest[MANIFEST_DIGEST];
    json_t *config = NULL;
    int rc = -1;

    w->engine = engine_open(w->record->engine, NULL, err);
    if (!w->engine ||
        engine_container_inspect(w->engine, w->record->id, &container, err) < 0)
        return -1;
    memcpy(w->image, container.image, sizeof(w->image));
    if (engine_image_config(w->engine, w->image, &config, err) < 0 ||
        layer_open(init, ns, container.upper, &w->wish->range, &w->layer, err) <
            0)
        goto out;
    w->layer.uid = w->step->uid;
    w->layer.max = w->wish->max;
    w->sum = digest_begin();
    if (!w->sum) {
        err_set(err, BERTH_ENOMEM, "memory is out");
        goto out;
    }
    if (layer_write(&w->layer, count_part, w, err) < 0) {
        explain_size(w, err);
        goto out;
    }
    digest_end(w->sum, digest);
    w->sum = NULL;
    rc = make_config(w, config, digest, err);
out:
    engine_container_clear(&container);
    json_decref(config);
    return rc;
}

// Why what was sent was not taken.
static int explain_link(const struct work *w, struct berth_err *err)
{
    static struct fetch_frame in;
    const char *why = hear_verdict(w->fetcher.link, 1000, &in);

    return fail_file(w->wish, w->step->node,
                     why ? why : "berth-save says what it should not", err);
}

static int send_frame(struct work *w, struct berth_err *err)
{
    size_t n = w->used;

    w->used = 0;
    if (n == 0)
        return 0;
    w->sent += n;
    tell_progress(w, w->sent, "saving to");
    return fetch_send(w->fetcher.link, FETCH_DATA, w->frame, n) == 0
               ? 0
               : explain_link(w, err);
}

static int send_part(void *arg, const void *data, size_t len,
                     struct berth_err *err)
{
    struct work *w = arg;
    const char *p = data;

    while (len > 0) {
        size_t n = sizeof(w->frame) - w->used;
        if (n > len)
            n = len;
        memcpy(w->frame + w->used, p, n);
        w->used += n;
        p += n;
        len -= n;
        if (w->used == sizeof(w->frame) && send_frame(w, err) < 0)
            return -1;
    }
    return 0;
}

struct taking {
    struct work *work;
    struct berth_err err;
};

static int take_base(void *arg, const char *data, size_t len)
{
    struct taking *t = arg;

    return send_part(t->work, data, len, &t->err) == 0 ? 0 : HTTP_GIVEN_UP;
}

// The engine's archive of the image below.
static int send_base(struct work *w, struct berth_err *err)
{
    struct taking t = {.work = w};
    const struct http_download download = {.take = take_base, .arg = &t};

    if (engine_image_save(w->engine, w->image, &download,
                          w->end_ms - clock_ms(), err) == 0)
        return send_frame(w, err);
    if (t.err.text[0])
        *err = t.err;
    return -1;
}

static int send_layer(struct work *w, struct berth_err *err)
{
    const struct fetch_layer told = {
        .n = (uint32_t)w->nlayers, .size = w->size, .unpacked = 1};

    if (fetch_send(w->fetcher.link, FETCH_LAYER, &told, sizeof(told)) < 0)
        return explain_link(w, err);
    return layer_write(&w->layer, send_part, w, err) < 0 ||
                   send_frame(w, err) < 0
               ? -1
               : 0;
}

// Hands the program all that is to be in the archive; of the image's layers
// nothing, if not BASE.
static int feed(struct work *w, enum fetcher_save save, bool base,
                struct berth_err *err)
{
    const struct fetcher_order order =
        order_for(w->wish, &w->user, w->theirs, save);

    if (fetcher_start(&order, 0, 0, &w->fetcher, err) < 0)
        return -1;
    // Its user can stop it: then it hears nothing of this process's end.
    if (passing_send(w->report, "w", 1, &w->fetcher.pidfd, 1, 0) < 0)
        return err_set(err, BERTH_ESYS, "telling of berth-save: %m");
    if (fetch_send_document(w->fetcher.link, FETCH_CONFIG, w->config,
                            w->config_len) < 0)
        return explain_link(w, err);
    if (base && send_base(w, err) < 0)
        return -1;
    if (fetch_send(w->fetcher.link, FETCH_DONE, NULL, 0) < 0)
        return explain_link(w, err);
    if (send_layer(w, err) < 0)
        return -1;
    return fetch_send(w->fetcher.link, FETCH_DONE, NULL, 0) < 0
               ? explain_link(w, err)
               : 0;
}

static int save_file(struct work *w, struct berth_err *err)
{
    static struct fetch_frame in;

    if (feed(w, FETCHER_FILE, true, err) < 0)
        return -1;
    long long left = w->end_ms - clock_ms();
    const char *why =
        hear_verdict(w->fetcher.link, left > 0 ? (int)left : 0, &in);
    return why ? fail_file(w->wish, w->step->node, why, err) : 0;
}

static void on_progress(void *arg, uint64_t came, uint64_t total)
{
    struct work *w = arg;

    (void)total;
    tell_progress(w, came, "loading");
}

// Docker needs no file of the layers that it has.
static int save_image(struct work *w, const char *id, struct berth_err *err)
{
    bool base = engine_is_podman(w->engine);
    const struct saved saved = {
        .state = BERTH_STATEDIR,
        .node = w->step->node,
        .engine = w->record->engine,
        .uid = w->step->uid,
        .name = w->wish->target,
        .replace = w->wish->replace,
        .size = w->size,
        .total = w->wish->total,
    };

    if (saved_check(&saved, err) < 0 || feed(w, FETCHER_LOAD, base, err) < 0)
        return -1;
    struct load *load = load_begin(w->fetcher.link, &no_watch, w->end_ms);
    if (!load)
        return err_set(err, BERTH_ENOMEM, "memory is out");
    load->unpacked_max = w->wish->unpacked_max + w->wish->max;
    load->all_unpacked = true;
    load->progress = on_progress;
    load->arg = w;
    int rc =
        saved_keep(&saved, load, w->engine, base ? 0 : w->nlayers, id, err);
    load_end(load);
    return rc;
}

static int work(struct work *w, const struct process *init, int ns)
{
    char id[MANIFEST_DIGEST] = "", line[SAVE_TEXT_MAX];
    struct berth_err err = {0};

    int rc = look(w, init, ns, &err);
    if (rc == 0)
        rc = digest_of(w->config, w->config_len, id);
    if (rc == 0)
        rc = w->wish->image ? save_image(w, id, &err) : save_file(w, &err);
    if (rc == 0)
        snprintf(line, sizeof(line), "saved %.700s: %.1f MB in %lld s (%s)",
                 w->wish->target,
                 (double)(w->wish->image ? w->size : w->sent) / 1e6,
                 (clock_ms() - w->start_ms + 500) / 1000, id);
    else {
        err_advise(&err);
        snprintf(line, sizeof(line), "nothing was saved: %.900s", err.text);
    }
    report(w, rc == 0 ? 'd' : 'f', line);
    fetcher_end(&w->fetcher);
    return rc;
}

// --- from outside ------------------------------------------------------------

int save_begin(const struct step *step, const struct save_wish *wish,
               const struct store_record *record, const struct process *init,
               int ns, int theirs, struct save *out, struct berth_err *err)
{
    pid_t parent = getpid();
    int pair[2];

    *out = (struct save)SAVE_NONE;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return err_set(err, BERTH_ESYS, "nothing was saved: %m");
    long long now = clock_ms();
    pid_t pid = fork();
    if (pid == 0) {
        static struct work w;
        int keep[] = {pair[1], ns, init->pidfd, init->proc, theirs};
        w = (struct work){
            .step = step,
            .wish = wish,
            .record = record,
            .report = pair[1],
            .theirs = theirs,
            .start_ms = now,
            .next_ms = now + FIRST_MS,
            .end_ms = now + wish->seconds * 1000LL,
            .user = {step->uid, step->gid, step->gids, step->ngids},
            .layer = {.upper = -1, .root = -1},
        };
        _exit(child_begin(parent, keep, sizeof(keep) / sizeof(*keep)) == 0 &&
                      work(&w, init, ns) == 0
                  ? 0
                  : 1);
    }
    close(pair[1]);
    if (pid < 0) {
        err_set(err, BERTH_ESYS, "nothing was saved: fork: %m");
        close(pair[0]);
        return -1;
    }
    *out = (struct save){pid, pair[0], -1, now + wish->seconds * 1000LL};
    return 0;
}

// Receives what the child says, and who writes for it. As recv(2).
static ssize_t receive(struct save *save, char packet[SAVE_TEXT_MAX + 1])
{
    int fd = -1;
    ssize_t n = passing_receive(save->link, packet, SAVE_TEXT_MAX, &fd, 1,
                                MSG_DONTWAIT);

    if (fd >= 0 && save->writer >= 0)
        close(fd);
    else if (fd >= 0)
        save->writer = fd;
    return n;
}

enum save_said save_hear(struct save *save, char text[SAVE_TEXT_MAX],
                         struct berth_err *err)
{
    char packet[SAVE_TEXT_MAX + 1];
    ssize_t n = receive(save, packet);

    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        if (clock_ms() < save->end_ms)
            return SAVE_NOTHING;
        err_set(err, BERTH_ETIMEOUT,
                "nothing was saved: it took longer than it may "
                "(pull_seconds): write less, or ask your administrator");
        return SAVE_FAILED;
    }
    if (n <= 0) {
        err_set(err, BERTH_ESYS,
                "nothing was saved: the process that did it has ended: try "
                "again, or tell your administrator");
        return SAVE_FAILED;
    }
    packet[n] = 0;
    if (packet[0] == 'w')
        return SAVE_NOTHING;
    if (packet[0] == 'f') {
        err_set(err, BERTH_EINVAL, "%s", packet + 1);
        return SAVE_FAILED;
    }
    snprintf(text, SAVE_TEXT_MAX, "%s", packet + 1);
    return packet[0] == 'd' ? SAVE_DONE : SAVE_PROGRESS;
}

void save_end(struct save *save)
{
    char packet[SAVE_TEXT_MAX + 1];

    if (save->pid <= 0)
        return;
    child_end(save->pid);
    while (receive(save, packet) > 0)
        ;
    close(save->link);
    if (save->writer >= 0)
        fetcher_end_save(save->writer);
    *save = (struct save)SAVE_NONE;
}
