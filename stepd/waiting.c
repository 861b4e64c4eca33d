// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: files that only root can write, and the word of the berth-stepds that
// keep the containers.

#include "stepd/waiting.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "logic/strv.h"
#include "node/keep.h"
#include "node/store.h"
#include "stepd/join.h"

// How long a keeper may take.
enum { LOOK_MS = 500 };

struct listing {
    const struct step *step;
    char run[STORE_NONCE_MAX]; // of its job
    FILE *out;
    const char *host; // whose guests are looked for
    json_t *guests;
    bool failed;
};

static int add_guest(void *arg, const char *name, uint32_t job, uint32_t step)
{
    struct listing *l = arg;
    struct strv in = {0};

    (void)step;
    if (job != l->step->job)
        return 0;
    int dir = store_step_dir(BERTH_STATEDIR, l->step->node, name);
    if (dir >= 0 && store_strings_read(dir, KEEP_IN, &in) == 0 && in.n > 0 &&
        strcmp(in.v[0], l->host) == 0 &&
        store_step_holder(BERTH_STATEDIR, l->step->node, name) > 0)
        json_array_append_new(l->guests, json_string(name));
    strv_clear(&in);
    if (dir >= 0)
        close(dir);
    return 0;
}

static json_t *guests_of(struct listing *l, const char *host)
{
    l->host = host;
    l->guests = json_array();
    store_each_step(BERTH_STATEDIR, l->step->node, add_guest, l, NULL);
    return l->guests;
}

static void say(struct listing *l, const char *name, const struct strv *asked,
                const struct strv *made, const struct stat *st,
                enum keep_state state)
{
    const char *image = strv_behind(made, "image=");

    json_t *line = json_pack(
        "{s:s, s:s, s:s?, s:s, s:s, s:I, s:o}", "node", l->step->node, "step",
        name, "name", strv_behind(asked, "name="), "image", image ? image : "",
        "state", state == KEEP_RUNS ? "running" : "waiting", "since",
        (json_int_t)st->st_mtime, "steps", guests_of(l, name));
    if (!line || json_dumpf(line, l->out, JSON_COMPACT) < 0 ||
        fputc('\n', l->out) == EOF)
        l->failed = true;
    json_decref(line);
}

// Whether it is of this run of the job, as its berth-stepd has noted.
static bool is_of_run(const struct listing *l, const struct strv *asked)
{
    const char *run = strv_behind(asked, "run=");

    return run && strcmp(run, l->run) == 0;
}

// One that has not come up yet has no file that says what it was made from.
static int look(void *arg, const char *name, uint32_t job, uint32_t step)
{
    struct listing *l = arg;
    const char *node = l->step->node;
    struct strv asked = {0}, made = {0};
    enum keep_state state;
    struct stat st;

    (void)step;
    if (job != l->step->job)
        return 0;
    int dir = store_step_dir(BERTH_STATEDIR, node, name);
    if (dir >= 0 && store_strings_read(dir, JOIN_ASKED, &asked) == 0 &&
        is_of_run(l, &asked) &&
        store_strings_read(dir, KEEP_MADE, &made) == 0 &&
        fstatat(dir, KEEP_MADE, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        (state = keep_look(BERTH_STATEDIR, node, name, LOOK_MS)) != KEEP_GONE)
        say(l, name, &asked, &made, &st, state);
    strv_clear(&asked);
    strv_clear(&made);
    if (dir >= 0)
        close(dir);
    return 0;
}

int waiting_list(const struct step *step, FILE *out, struct berth_err *err)
{
    struct listing l = {.step = step, .out = out};

    // What the prolog has no record of outlives no step.
    if (join_run(step, l.run) < 0)
        return 0;
    if (store_each_step(BERTH_STATEDIR, step->node, look, &l, err) < 0)
        return -1;
    return l.failed ? err_set(err, BERTH_ENOMEM, "out of memory") : 0;
}
