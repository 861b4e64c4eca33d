// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: files that only root can write, and what a process of root's sends.

#include "stepd/share.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "node/keep.h"
#include "protocol/passing.h"

// A file beside KEEP_MADE: what a task's environment needs of the image.
#define IMAGE "image"

// How long a keeper may take: one that is just clearing its container of the
// step before, on a busy node, does not take longer, or something is wrong with
// that.
enum { ANSWER_MS = 2000 };

// The answer, with those descriptors that MASK has a bit for.
struct answer {
    uint32_t given; // 0: no
    int32_t pid;    // of berth-init
    uint32_t mask;
};

enum { FDS = 7 + MOUNTNS_DIRS };
_Static_assert((int)FDS <= (int)PASSING_MAX, "one packet has them all");

// Where each descriptor is kept.
static void list_fds(struct container *c, int *out[FDS])
{
    int n = 0;

    out[n++] = &c->control;
    out[n++] = &c->init.pidfd;
    out[n++] = &c->init.proc;
    out[n++] = &c->mountns.ns;
    out[n++] = &c->mountns.sysfs;
    out[n++] = &c->mountns.dev;
    out[n++] = &c->mountns.map;
    for (int i = 0; i < MOUNTNS_DIRS; i++)
        out[n++] = &c->mountns.dirs[i];
}

int share_send(int conn, const struct container *container)
{
    struct container c = {.control = -1};
    struct answer answer = {0};
    int *at[FDS], fds[FDS], n = 0;

    if (container) {
        c = *container;
        answer.given = 1;
        answer.pid = c.init.pid;
        list_fds(&c, at);
        for (int i = 0; i < FDS; i++)
            if (*at[i] >= 0) {
                answer.mask |= 1U << i;
                fds[n++] = *at[i];
            }
    }
    return passing_send(conn, &answer, sizeof(answer), fds, (size_t)n,
                        MSG_DONTWAIT);
}

// Receives it. 1: OUT has it; 0: it cannot be had.
static int receive(int conn, struct container *out)
{
    struct answer answer = {0};
    int *at[FDS], fds[FDS];
    int k = 0, n = 0;

    ssize_t got = passing_receive(conn, &answer, sizeof(answer), fds, FDS,
                                  MSG_DONTWAIT);
    while (n < FDS && fds[n] >= 0)
        n++;
    list_fds(out, at);
    if (got == (ssize_t)sizeof(answer) && answer.given) {
        for (int i = 0; i < FDS && k < n; i++)
            if (answer.mask & 1U << i)
                *at[i] = fds[k++];
        out->init.pid = answer.pid;
    }
    bool whole = answer.given && k == n && out->control >= 0 &&
                 out->mountns.ns >= 0 && out->mountns.dev >= 0 &&
                 process_lives(&out->init);
    while (k < n)
        close(fds[k++]);
    return whole;
}

static int add(struct strv *out, const char *word, char *const *texts, size_t n)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = strv_addf(out, "%s=%s", word, texts[i]);
    return rc;
}

static int image_to_text(const struct engine_image *image, struct strv *out)
{
    return strv_addf(out, "id=%s", image->id) < 0 ||
                   strv_addf(out, "digest=%s", image->digest) < 0 ||
                   add(out, "env", image->env, image->nenv) < 0 ||
                   add(out, "entry", image->entry, image->nentry) < 0 ||
                   add(out, "cmd", image->cmd, image->ncmd) < 0 ||
                   (image->workdir &&
                    strv_addf(out, "workdir=%s", image->workdir) < 0)
               ? -1
               : 0;
}

int share_note(const struct store_step *store, const struct strv *made_from,
               const struct container *container,
               const struct engine_image *image, struct berth_err *err)
{
    struct strv text = {0};
    int rc = image_to_text(image, &text);

    if (rc == 0 && container->cdi)
        rc = strv_add(&text, "cdi=yes");
    if (rc < 0)
        err_set(err, BERTH_ENOMEM, "memory is out");

    if (rc == 0)
        rc = store_strings_write(store->dir, IMAGE, &text, err);
    if (rc == 0)
        rc = store_strings_write(store->dir, KEEP_MADE, made_from, err);
    strv_clear(&text);
    return rc;
}

static int append(char ***list, size_t *n, const char *text)
{
    char *copy = strdup(text), **more = NULL;

    if (copy)
        more = reallocarray(*list, *n + 1, sizeof(**list));
    if (!more) {
        free(copy);
        return -1;
    }
    *list = more;
    more[(*n)++] = copy;
    return 0;
}

static int image_from_text(const struct strv *text, struct engine_image *out,
                           bool *cdi)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < text->n; i++) {
        char *word = text->v[i], *value = strchr(word, '=');
        if (!value)
            return -1;
        *value++ = 0;
        if (strcmp(word, "id") == 0)
            snprintf(out->id, sizeof(out->id), "%s", value);
        else if (strcmp(word, "digest") == 0)
            snprintf(out->digest, sizeof(out->digest), "%s", value);
        else if (strcmp(word, "env") == 0)
            rc = append(&out->env, &out->nenv, value);
        else if (strcmp(word, "entry") == 0)
            rc = append(&out->entry, &out->nentry, value);
        else if (strcmp(word, "cmd") == 0)
            rc = append(&out->cmd, &out->ncmd, value);
        else if (strcmp(word, "workdir") == 0)
            rc = (out->workdir = strdup(value)) ? 0 : -1;
        else if (strcmp(word, "cdi") == 0)
            *cdi = true;
    }
    return rc == 0 && out->id[0] ? 0 : -1;
}

struct search {
    const struct step *step;
    const struct strv *made_from; // NULL: any
    const struct watch *watch;
    struct container *out;
    struct engine_image *image;
};

static bool same(const struct strv *a, const struct strv *b)
{
    bool is = a->n == b->n;

    for (size_t i = 0; is && i < a->n; i++)
        is = strcmp(a->v[i], b->v[i]) == 0;
    return is;
}

// 1: had; 0: not; -1: nobody waits for it. What OUT has of the step's own stays.
static int ask(struct search *s, int dir, const char *name, enum keep_verb verb,
               int ms)
{
    struct container got = CONTAINER_NONE;
    struct strv text = {0};
    int conn = keep_ask(BERTH_STATEDIR, s->step->node, name, verb);
    int rc = conn < 0 ? 0 : watch_wait(s->watch, conn, ms);

    if (rc > 0)
        rc = receive(conn, &got);
    if (rc > 0 && (store_strings_read(dir, IMAGE, &text) < 0 ||
                   image_from_text(&text, s->image, &got.cdi) < 0)) {
        engine_image_clear(s->image);
        rc = 0;
    }
    strv_clear(&text);
    if (rc > 0) {
        s->out->control = got.control;
        s->out->init = got.init;
        s->out->mountns = got.mountns;
        s->out->cdi = got.cdi;
        s->out->keeper = conn;
        snprintf(s->out->host, sizeof(s->out->host), "%s", name);
        return 1;
    }
    container_close(&got);
    if (conn >= 0)
        close(conn);
    return rc;
}

static int look(void *arg, const char *name, uint32_t job, uint32_t step)
{
    struct search *s = arg;
    struct strv made_from = {0};
    int rc = 0;

    if (job != s->step->job || step == s->step->step)
        return 0;
    int dir = store_step_dir(BERTH_STATEDIR, s->step->node, name);
    if (dir >= 0 && !s->made_from)
        rc = faccessat(dir, KEEP_MADE, F_OK, 0) == 0;
    else if (dir >= 0 && store_strings_read(dir, KEEP_MADE, &made_from) == 0 &&
             same(&made_from, s->made_from))
        rc = ask(s, dir, name, KEEP_TAKE, ANSWER_MS);
    strv_clear(&made_from);
    if (dir >= 0)
        close(dir);
    return rc;
}

bool share_any(const struct step *step)
{
    struct search s = {.step = step};

    return store_each_step(BERTH_STATEDIR, step->node, look, &s, NULL) == 1;
}

int share_join(const struct step *step, const char *host, enum keep_verb verb,
               const struct watch *watch, struct container *out,
               struct engine_image *image)
{
    struct search s = {step, NULL, watch, out, image};
    int dir = store_step_dir(BERTH_STATEDIR, step->node, host);
    bool waits = verb == KEEP_NAME || verb == KEEP_JOIN;
    int rc = dir < 0 ? 0 : ask(&s, dir, host, verb, waits ? INT_MAX : ANSWER_MS);

    if (dir >= 0)
        close(dir);
    return rc;
}

int share_take(const struct step *step, const struct strv *made_from,
               const struct watch *watch, struct container *out,
               struct engine_image *image)
{
    struct search s = {step, made_from, watch, out, image};

    return store_each_step(BERTH_STATEDIR, step->node, look, &s, NULL);
}
