// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: berth's own records.

#include "prolog-epilog/sweep.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "engine/clock.h"
#include "logic/err.h"
#include "logic/limits.h"
#include "node/keep.h"
#include "node/removal.h"
#include "node/store.h"
#include "prolog-epilog/common.h"

// How long those berth-stepds whose job is over may go on cleaning up, all
// together.
enum { GRACE_MS = 20000, POLL_MS = 20 };

// Before BERTH_SWEEP_MS, so that there is time to say what is left.
enum { SWEEP_MS = BERTH_SWEEP_MS - 5000 };

// Opens the step once its berth-stepd has let go of it. One that takes too
// long is killed.
static int open_when_over(const struct sweep *sweep, const char *node,
                          const char *name, struct store_step *out,
                          struct berth_err *err)
{
    long long end = sweep->end - SWEEP_MS + GRACE_MS;
    bool killed = false;

    for (;;) {
        if (store_step_open(BERTH_STATEDIR, node, name, out, err) == 0)
            return 0;
        if (err->code != BERTH_ETIMEOUT)
            return -1;
        if (clock_ms() >= end) {
            if (killed)
                return -1;
            store_step_kill(BERTH_STATEDIR, node, name);
            killed = true;
            end = clock_ms() + 1000;
        }
        clock_sleep(POLL_MS);
    }
}

static void remove_step(struct sweep *sweep, const char *node, const char *name)
{
    struct store_step step = {.dir = -1};
    struct berth_err err = {0};
    int rc = sweep->wait && !sweep->dry_run
                 ? open_when_over(sweep, node, name, &step, &err)
                 : store_step_open(BERTH_STATEDIR, node, name, &step, &err);

    // Gone by itself, or alive and none of this sweep's business.
    if (rc < 0 && (err.code == BERTH_ENOTFOUND ||
                   (err.code == BERTH_ETIMEOUT && !sweep->wait)))
        return;
    if (sweep->dry_run && (rc == 0 || err.code == BERTH_ETIMEOUT)) {
        printf(rc == 0
                   ? "would remove what is left of step %s on node %s\n"
                   : "would wait for step %s on node %s to end, kill it if it "
                     "does not, and remove what is left of it\n",
               name, node);
        store_step_close(&step);
        return;
    }
    long left = (long)(sweep->end - clock_ms());
    if (rc == 0 && left <= 0)
        rc = err_set(&err, BERTH_ETIMEOUT, "out of time");
    else if (rc == 0)
        rc = removal_run(&step, left, &err);
    if (rc < 0)
        store_step_close(&step);
    if (rc == 0) {
        printf("removed what was left of step %s on node %s\n", name, node);
        syslog(LOG_NOTICE, "removed what was left of step %s on node %s", name,
               node);
    } else {
        sweep->left++;
        complain("what is left of step %s on node %s cannot be removed: %s",
                 name, node, err.text);
    }
}

struct visit {
    struct sweep *sweep;
    const char *node;
};

static bool is_meant(const struct sweep *sweep, const char *name, uint32_t job)
{
    return (sweep->job == 0 || sweep->job == job) &&
           (!sweep->step || strcmp(sweep->step, name) == 0);
}

static int visit_step(void *arg, const char *name, uint32_t job, uint32_t step)
{
    struct visit *v = arg;

    (void)step;
    if (is_meant(v->sweep, name, job))
        remove_step(v->sweep, v->node, name);
    return 0;
}

// What is kept for another step is not waited for in vain. All at once, as each
// removes its own.
static int end_kept(void *arg, const char *name, uint32_t job, uint32_t step)
{
    const struct visit *v = arg;

    (void)step;
    if (is_meant(v->sweep, name, job))
        keep_end(BERTH_STATEDIR, v->node, name);
    return 0;
}

// What the engine has not made in all that time it makes no more.
static int visit_unanswered(void *arg, const struct store_record *record,
                            bool old)
{
    const struct visit *v = arg;
    struct berth_err err = {0};

    if (v->sweep->dry_run) {
        printf("would remove the container %s on node %s, if its engine, which "
               "has been asked for it and has not answered, has made it\n",
               record->container, v->node);
        return 0;
    }
    long left = (long)(v->sweep->end - clock_ms());
    int rc = left > 0 ? removal_container(record, 0, left, &err)
                      : err_set(&err, BERTH_ETIMEOUT, "out of time");
    if (rc < 0) {
        v->sweep->left++;
        complain("what the engine %s may have made for node %s after its step "
                 "was over cannot be looked for: %s; if that engine is gone for "
                 "good, remove %s/%s/unanswered/%s",
                 record->engine, v->node, err.text, BERTH_STATEDIR, v->node,
                 record->nonce);
    }
    if (rc > 0) {
        printf("removed the container %s on node %s, whose step is over\n",
               record->container, v->node);
        syslog(LOG_NOTICE,
               "removed the container %s on node %s, whose step is over",
               record->container, v->node);
    }
    if (rc > 0 || (rc == 0 && old))
        store_unanswered_remove(BERTH_STATEDIR, v->node, record);
    return 0;
}

static void sweep_node(struct sweep *sweep, const char *node)
{
    struct visit v = {sweep, node};
    struct berth_err err = {0};

    if (sweep->wait && !sweep->dry_run)
        store_each_step(BERTH_STATEDIR, node, end_kept, &v, &err);
    if (store_each_step(BERTH_STATEDIR, node, visit_step, &v, &err) < 0) {
        sweep->left++;
        complain("%s", err.text);
    }
    if (!sweep->job && !sweep->step)
        store_each_unanswered(BERTH_STATEDIR, node, visit_unanswered, &v);
}

void sweep(struct sweep *sweep)
{
    sweep->end = clock_ms() + SWEEP_MS;
    if (sweep->node) {
        sweep_node(sweep, sweep->node);
        return;
    }
    DIR *d = opendir(BERTH_STATEDIR);
    for (struct dirent *e; d && (e = readdir(d));)
        if (e->d_name[0] != '.')
            sweep_node(sweep, e->d_name);
    if (d)
        closedir(d);
}
