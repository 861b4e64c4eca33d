// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: the decision on a step's words, and what the node has.

#include "stepd/errand.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/clock.h"
#include "images/view.h"
#include "node/keep.h"
#include "node/store.h"
#include "stepd/container.h"
#include "stepd/share.h"
#include "stepd/waiting.h"

enum {
    // Some thousand images, with all their layers.
    ANSWER_MAX = 4 * 1024 * 1024,
    // Until a container is gone that was told to go.
    END_MS = 15000,
    END_STEP_MS = 50,
};

static int pulled(const struct errand_order *o, FILE *out,
                  struct berth_err *err)
{
    const struct images_got *got = o->got;
    char name[IMGREF_TEXT_MAX];

    decision_image_name(&o->admission->decision, name);
    json_t *line = json_pack("{s:s, s:s, s:s, s:s, s:b}", "node", o->step->node,
                             "name", name, "id", got->image.id, "digest",
                             got->digest, "fetched", got->fetched);
    int rc = line && json_dumpf(line, out, JSON_COMPACT) == 0 &&
                     fputc('\n', out) != EOF
                 ? 0
                 : err_set(err, BERTH_ENOMEM, "out of memory");
    json_decref(line);
    audit_log_did(o->log, "pulled");
    return rc;
}

// Waits until nothing of the container is left.
static int await_end(const struct errand_order *o, struct berth_err *err)
{
    const char *host = o->join->host, *node = o->step->node;
    long long end = clock_ms() + END_MS;

    while (store_step_holder(BERTH_STATEDIR, node, host) > 0) {
        if (!o->watch->go_on(o->watch->arg))
            return err_set(err, BERTH_EENDED, "nobody waits for it");
        if (clock_ms() > end)
            return err_set(err, BERTH_ETIMEOUT,
                           "the container of step %s was told to end on node "
                           "%s, and takes its time: look again",
                           host, node);
        clock_sleep(END_STEP_MS);
    }
    return 0;
}

// It is taken as a step takes it, so that none gets it meanwhile. Where it is
// not, which of a job's nodes have it nobody knows before, nothing is said.
static int end(const struct errand_order *o, FILE *out, struct berth_err *err)
{
    const struct join *join = o->join;
    struct container taken = CONTAINER_NONE;
    struct engine_image image = {0};

    if (!join->host[0])
        return 0;
    int rc =
        share_join(o->step, join->host, KEEP_TAKE, o->watch, &taken, &image);
    engine_image_clear(&image);
    if (rc < 0)
        return err_set(err, BERTH_EENDED, "nobody waits for it");
    if (rc == 0)
        return err_set(err, BERTH_EINVAL,
                       "a step is in the container of step %s on node %s: end "
                       "that first (berth stop), or wait for it",
                       join->host, o->step->node);
    keep_end(BERTH_STATEDIR, o->step->node, join->host);
    container_close(&taken);
    if (await_end(o, err) < 0)
        return -1;
    audit_log_note(o->log, "of", join->host);
    audit_log_did(o->log, "ended");
    return fprintf(out, "{\"node\":\"%s\",\"step\":\"%s\"}\n", o->step->node,
                   join->host) < 0
               ? err_set(err, BERTH_ENOMEM, "out of memory")
               : 0;
}

static struct images_view view_of(const struct errand_order *o)
{
    const struct admission *a = o->admission;

    return (struct images_view){
        .state = BERTH_STATEDIR,
        .node = o->step->node,
        .path = policy_engine(a->policy),
        .watch = o->watch,
        .rules = &a->rules,
        .subject = &a->subject,
    };
}

// In the engine for who is root, where that is another, a user can have saved
// images as well. False: it is none.
static bool turn_to_root(const struct errand_order *o, struct images_view *v)
{
    const char *root = policy_root_engine(o->admission->policy);

    if (strcmp(root, v->path) == 0)
        return false;
    v->path = root;
    v->own = true;
    return true;
}

// What one of the engines has is told also where the other is not there.
static int list(const struct errand_order *o, bool layers, FILE *out,
                struct berth_err *missing, struct berth_err *err)
{
    struct images_view v = view_of(o);

    int rc = images_view_list(&v, layers, out, err);
    if (!turn_to_root(o, &v))
        return rc;
    int other = images_view_list(&v, layers, out, missing);
    if (rc < 0 && other == 0)
        *missing = *err;
    return rc < 0 && other < 0 ? -1 : 0;
}

static int remove_image(const struct errand_order *o, FILE *out,
                        struct berth_err *err)
{
    struct images_view v = view_of(o);
    const char *name = o->step->options.image;

    int rc = images_view_remove(&v, name, out, err);
    if (rc < 0 && err->code == BERTH_ENOTFOUND && turn_to_root(o, &v))
        rc = images_view_remove(&v, name, out, err);
    if (rc == 0)
        audit_log_did(o->log, "removed");
    return rc;
}

static int run(const struct errand_order *o, FILE *out,
               struct berth_err *missing, struct berth_err *err)
{
    enum errand errand = o->admission->decision.errand;

    switch (errand) {
    case ERRAND_LIST:
    case ERRAND_LAYERS:
        return list(o, errand == ERRAND_LAYERS, out, missing, err);
    case ERRAND_PULL:
        return pulled(o, out, err);
    case ERRAND_REMOVE:
        return remove_image(o, out, err);
    case ERRAND_END:
        return end(o, out, err);
    case ERRAND_CONTAINERS:
        return waiting_list(o->step, out, err);
    case ERRAND_NONE:
        break;
    }
    return err_set(err, BERTH_EINVAL, "nothing is to be done");
}

// Nobody changes it behind the reader's back, who is the user.
static int seal(const char *text, size_t len, struct berth_err *err)
{
    int fd = memfd_create("berth-answer", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0 || write(fd, text, len) != (ssize_t)len ||
        fcntl(fd, F_ADD_SEALS,
              F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0) {
        err_set(err, BERTH_ESYS, "preparing the answer: %m");
        if (fd >= 0)
            close(fd);
        return -1;
    }
    return fd;
}

int errand_run(const struct errand_order *order, struct berth_err *missing,
               struct berth_err *err)
{
    char *text = NULL;
    size_t len = 0;
    int fd = -1;

    FILE *out = open_memstream(&text, &len);
    if (!out) {
        err_set(err, BERTH_ENOMEM, "out of memory");
        return -1;
    }
    int rc = run(order, out, missing, err);
    if (fclose(out) != 0 && rc == 0)
        rc = err_set(err, BERTH_ENOMEM, "out of memory");
    if (rc == 0 && len > ANSWER_MAX)
        rc = err_set(err, BERTH_ETOOBIG,
                     "node %s has more images than fit into one answer: tell "
                     "your administrator",
                     order->step->node);
    if (rc == 0)
        fd = seal(text, len, err);
    free(text);
    return fd;
}
