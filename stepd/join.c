// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: files that only root can write, in which are the words of the job's
// own user.

#include "stepd/join.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "logic/gpu.h"
#include "logic/limits.h"
#include "node/keep.h"

// How often to look whether another step of the job still holds its record.
enum { LOCK_STEP_MS = 10 };

static int read_file(const struct step *step, const char *dir, const char *file,
                     struct strv *out)
{
    int fd = store_step_dir(BERTH_STATEDIR, step->node, dir);
    int rc = fd < 0 ? -1 : store_strings_read(fd, file, out);

    if (fd >= 0)
        close(fd);
    return rc;
}

int join_run(const struct step *step, char run[STORE_NONCE_MAX])
{
    struct store_job job;

    if (store_job_read(BERTH_STATEDIR, step->node, step->job, &job, NULL) < 0 ||
        !job.run[0])
        return -1;
    memcpy(run, job.run, STORE_NONCE_MAX);
    return 0;
}

int join_lock(const struct step *step, const struct watch *watch)
{
    char path[4096];

    snprintf(path, sizeof(path), "%s/%s/%u.job", BERTH_STATEDIR, step->node,
             step->job);
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    while (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0)
        if (errno != EWOULDBLOCK || watch_wait(watch, -1, LOCK_STEP_MS) < 0) {
            close(fd);
            fd = -1;
        }
    return fd;
}

struct search {
    const struct step *step;
    const char *run;
    const char *name; // or NULL
    bool named;       // only those that have one
    char (*host)[STEP_NAME_MAX];
    size_t found;
};

// What a step before this one was killed with is no container. (Who has the
// lock takes the kernel some 10 ms to say: its list of locks waits for RCU.)
static bool is_alive(const struct step *step, const char *name)
{
    int conn = keep_ask(BERTH_STATEDIR, step->node, name, KEEP_LOOK);

    if (conn < 0)
        return errno == EAGAIN; // many are asking
    close(conn);
    return true;
}

static int look(void *arg, const char *name, uint32_t job, uint32_t step)
{
    struct search *s = arg;
    struct strv asked = {0};

    if (job != s->step->job || step == s->step->step ||
        read_file(s->step, name, JOIN_ASKED, &asked) < 0)
        return 0;
    const char *run = strv_behind(&asked, "run="),
               *is = strv_behind(&asked, "name=");
    if (run && strcmp(run, s->run) == 0 &&
        (!s->name || (is && strcmp(is, s->name) == 0)) && (!s->named || is) &&
        is_alive(s->step, name)) {
        snprintf(*s->host, sizeof(*s->host), "%s", name);
        s->found++;
    }
    strv_clear(&asked);
    return s->found == BERTH_KEPT_MAX;
}

// By the step's number: it may itself be in another's.
static void look_at(struct search *s, uint32_t number)
{
    struct strv in = {0};
    char name[STEP_NAME_MAX];
    uint32_t job, step;

    step_name(s->step->job, number, name);
    const char *host = read_file(s->step, name, KEEP_IN, &in) == 0 && in.n > 0
                           ? in.v[0]
                           : name;
    if (step_name_parse(host, &job, &step))
        look(s, host, job, step);
    strv_clear(&in);
}

static int set_option(struct options *options, char *text,
                      struct berth_err *err)
{
    char *value = strchr(text, '=');

    if (value)
        *value++ = 0;
    return options_set(options, text, value, err);
}

// What shapes a container, as options: the rest is each task's own.
static bool shapes(const char *name)
{
    static const char *const own[] = {
        "container-workdir",       "container-env",   "container-entrypoint",
        "no-container-entrypoint", "container-reuse", "no-container-reuse",
        "container-name",          "container-join",  "container-do",
        "container-save"};

    for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
        if (strcmp(name, own[i]) == 0)
            return false;
    return true;
}

struct merge {
    const struct options *makers;
    struct options *out;
    char *differs; // the option in which they do: its name, of a fixed size
    bool same;
    const char *name, *value;
};

static int compare_one(void *arg, const char *name, const char *value)
{
    struct merge *m = arg;

    if (strcmp(name, m->name) == 0 && (!value || strcmp(value, m->value) == 0))
        m->same = true;
    return 0;
}

// An option of the step's that joins: its own, or one that must be as it was.
static int take_own(void *arg, const char *name, const char *value)
{
    struct merge *m = arg;

    if (!shapes(name))
        return options_set(m->out, name, value, NULL);
    m->same = false;
    m->name = name;
    m->value = value;
    options_each(m->makers, compare_one, m);
    if (m->same || m->differs[0])
        return 0;
    snprintf(m->differs, 64, "--%s", name);
    return 0;
}

static int take_makers(void *arg, const char *name, const char *value)
{
    struct merge *m = arg;

    // That is why it can be written to.
    if (strcmp(name, "container-save") == 0)
        return options_set(m->out, "container-writable", NULL, NULL);
    return shapes(name) ? options_set(m->out, name, value, NULL) : 0;
}

// Makes of the step what the one who made the container was, as far as that
// shapes it.
static int inherit(const struct step *step, struct join *out,
                   struct berth_err *err)
{
    struct options makers = {0}, merged = {0};
    struct strv asked = {0};
    char differs[64] = "";
    struct merge m = {.makers = &makers, .out = &merged, .differs = differs};
    int rc = read_file(step, out->host, JOIN_ASKED, &asked) < 0
                 ? err_set(err, BERTH_ENOTFOUND,
                           "the container that this step was to join has just "
                           "ended on node %s",
                           step->node)
                 : 0;
    const char *cwd = strv_behind(&asked, "cwd="),
               *pwd = strv_behind(&asked, "pwd=");

    for (size_t i = 0; rc == 0 && i < asked.n; i++)
        if (strncmp(asked.v[i], "option=", 7) == 0)
            rc = set_option(&makers, asked.v[i] + 7, err);
    if (rc == 0 && (options_each(&makers, take_makers, &m) != 0 ||
                    options_each(&step->options, take_own, &m) != 0))
        rc = err_set(err, BERTH_ENOMEM, "memory is out");
    if (rc == 0 && differs[0])
        rc = err_set(err, BERTH_EINVAL,
                     "%s is not what the container was made with that this "
                     "step joins on node %s (step %s made it), and cannot be "
                     "changed any more: leave it out, or have another "
                     "container",
                     differs, step->node, out->host);
    if (rc == 0) {
        out->step = *step;
        out->step.options = merged;
        merged = (struct options){0};
        out->step.start = step->cwd;
        out->step.cwd = strdup(cwd ? cwd : step->cwd);
        out->step.pwd = pwd ? strdup(pwd) : NULL;
        if (!out->step.cwd || (pwd && !out->step.pwd))
            rc = err_set(err, BERTH_ENOMEM, "memory is out");
    }
    options_clear(&merged);
    options_clear(&makers);
    strv_clear(&asked);
    return rc;
}

static int find_name(const struct step *step, const struct watch *watch,
                     enum name_mode mode, struct search *s, struct join *out,
                     struct berth_err *err)
{
    out->exclusive = mode == NAME_NO_EXEC;
    // Of two steps that want a name, the second waits until the first has noted
    // that it makes it. What is done in place of a container makes none.
    if (!step->options.errand)
        out->lock = join_lock(step, watch);
    if (!watch->go_on(watch->arg))
        return err_set(err, BERTH_EENDED, "nobody waits for it");
    store_each_step(BERTH_STATEDIR, step->node, look, s, NULL);
    if (s->found > 0 && out->lock >= 0) {
        close(out->lock);
        out->lock = -1;
    }
    if (s->found > 0 && mode == NAME_CREATE)
        return err_set(err, BERTH_EINVAL,
                       "there is a container %s of this job on node %s "
                       "already: leave :create out to join it, or choose "
                       "another name",
                       out->name, step->node);
    if (s->found == 0 && mode == NAME_EXEC)
        return err_set(err, BERTH_ENOTFOUND,
                       "there is no container %s of this job on node %s: leave "
                       ":exec out, and give --container=IMAGE, which makes it",
                       out->name, step->node);
    return 0;
}

static int find_step(const struct step *step, bool has_step, uint32_t number,
                     struct search *s, struct berth_err *err)
{
    if (has_step)
        look_at(s, number);
    else
        store_each_step(BERTH_STATEDIR, step->node, look, s, NULL);
    if (s->found == 1)
        return 0;
    return s->found > 1
               ? err_set(err, BERTH_EINVAL,
                         "--container-join=%s: several steps of this job have "
                         "containers on node %s: write JOB.STEP",
                         step->options.join, step->node)
               : err_set(err, BERTH_ENOTFOUND,
                         "--container-join=%s: there is no such container of "
                         "this job on node %s: squeue --steps has the steps "
                         "that run",
                         step->options.join, step->node);
}

int join_find(const struct step *step, const struct watch *watch,
              struct join *out, struct berth_err *err)
{
    char run[STORE_NONCE_MAX];
    struct search s = {.step = step, .run = run, .host = &out->host};
    enum name_mode mode = NAME_ANY;
    uint32_t job, number;
    bool has_step = false;

    *out = (struct join)JOIN_NONE;
    out->by_name = options_name(&step->options, out->name, &mode);
    bool by_step = options_join(&step->options, &job, &number, &has_step);
    // What is malformed, or another job's, the decision refuses.
    if (out->by_name == by_step || (by_step && job != step->job))
        return 0;
    if (join_run(step, run) < 0)
        return err_set(err, BERTH_ENOTFOUND,
                       "node %s has no record of job %u, without which no step "
                       "can join another's container: ask your administrator "
                       "to set berth-prolog up as slurm.conf's Prolog",
                       step->node, step->job);
    s.name = out->by_name ? out->name : NULL;
    int rc = out->by_name ? find_name(step, watch, mode, &s, out, err)
                          : find_step(step, has_step, number, &s, err);
    // What is to end, and is not on this node, is on another, or has ended.
    if (rc < 0 && step->options.errand && err->code == BERTH_ENOTFOUND)
        rc = 0;
    if (rc == 0 && s.found > 0)
        rc = inherit(step, out, err);
    return rc;
}

size_t join_count(const struct step *step, bool named)
{
    char run[STORE_NONCE_MAX], host[STEP_NAME_MAX];
    struct search s = {.step = step, .run = run, .named = named, .host = &host};

    if (join_run(step, run) == 0)
        store_each_step(BERTH_STATEDIR, step->node, look, &s, NULL);
    return s.found;
}

static int note_option(void *arg, const char *name, const char *value)
{
    return value ? strv_addf(arg, "option=%s=%s", name, value)
                 : strv_addf(arg, "option=%s", name);
}

int join_note(struct join *join, const struct store_step *store,
              const struct step *step, struct berth_err *err)
{
    char run[STORE_NONCE_MAX] = "";
    struct strv asked = {0};
    int rc = 0;

    join_run(step, run);
    if (strv_addf(&asked, "run=%s", run) < 0 ||
        (join->by_name && strv_addf(&asked, "name=%s", join->name) < 0) ||
        strv_addf(&asked, "cwd=%s", step->cwd) < 0 ||
        (step->pwd && strv_addf(&asked, "pwd=%s", step->pwd) < 0) ||
        options_each(&step->options, note_option, &asked) != 0)
        rc = err_set(err, BERTH_ENOMEM, "memory is out");
    if (rc == 0)
        rc = store_strings_write(store->dir, JOIN_ASKED, &asked, err);
    strv_clear(&asked);
    if (join->lock >= 0)
        close(join->lock);
    join->lock = -1;
    return rc;
}

void join_forget(const struct store_step *store)
{
    unlinkat(store->dir, JOIN_ASKED, 0);
}

// What is in one of them and not in the other, of those that begin with WORD.
static bool differ(const struct strv *a, const struct strv *b, const char *word)
{
    for (int turn = 0; turn < 2; turn++) {
        const struct strv *one = turn ? b : a, *other = turn ? a : b;
        for (size_t i = 0; i < one->n; i++)
            if (strncmp(one->v[i], word, strlen(word)) == 0 &&
                !strv_has(other, one->v[i]))
                return true;
    }
    return false;
}

static size_t count(const struct strv *texts, const char *word)
{
    size_t n = 0;

    for (size_t i = 0; i < texts->n; i++)
        n += strncmp(texts->v[i], word, strlen(word)) == 0;
    return n;
}

// A step with some of its job's GPUs can be where all of them are: its tasks'
// cgroups keep it to its own.
static bool gpus_fit(const struct strv *step, const struct strv *there,
                     const char *gpus)
{
    struct gpu_set job;

    if (!differ(step, there, "gpu="))
        return true;
    for (size_t i = 0; i < step->n; i++)
        if (strncmp(step->v[i], "gpu=", 4) == 0 && !strv_has(there, step->v[i]))
            return false;
    return gpu_list_parse(gpus, &job, NULL) == 0 &&
           count(there, "gpu=") == job.n;
}

int join_compare(const struct join *join, const struct strv *made_from,
                 const char *gpus, struct berth_err *err)
{
    const char *node = join->step.node;
    struct strv there = {0};
    const char *what = NULL;

    if (read_file(&join->step, join->host, KEEP_MADE, &there) < 0)
        what = "and it is not there any more: start the step again";
    else if (differ(made_from, &there, "run="))
        what = "and it is another run's of this job: choose another name";
    else if (differ(made_from, &there, "policy="))
        what = "and the policy has changed since: have another container";
    else if (!gpus_fit(made_from, &there, gpus))
        what = "and has other GPUs: ask Slurm for the same (--gres, --gpus), "
               "or have another container";
    else if (differ(made_from, &there, "mount="))
        what = "and what is mounted has been replaced since: have another "
               "container";
    else if (differ(made_from, &there, "request=") ||
             differ(made_from, &there, "image="))
        what = "and would be another one now: have another container";
    strv_clear(&there);
    return what ? err_set(err, BERTH_EINVAL,
                          "step %s has made the container that this step "
                          "joins on node %s, %s",
                          join->host, node, what)
                : 0;
}

void join_clear(struct join *join)
{
    int saved = errno;

    if (join->lock >= 0)
        close(join->lock);
    if (join->host[0] && join->step.cwd) {
        options_clear(&join->step.options);
        free(join->step.cwd);
        free(join->step.pwd);
    }
    *join = (struct join)JOIN_NONE;
    errno = saved;
}
