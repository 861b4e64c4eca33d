// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include "user/containers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "user/slurm.h"
#include "user/verbs.h"

static int no_memory(struct berth_err *err)
{
    return err_set(err, BERTH_ENOMEM, "out of memory");
}

static const char *text_of(const json_t *line, const char *key)
{
    const char *text = json_string_value(json_object_get(line, key));

    return text ? text : "";
}

enum { CELLS = 7 }; // of a row

// --- the list ---------------------------------------------------------------

// As Slurm writes it.
static void write_time(const json_t *since, char out[32])
{
    time_t when = (time_t)json_integer_value(since);
    struct tm tm;

    if (!localtime_r(&when, &tm) ||
        strftime(out, 32, "%Y-%m-%dT%H:%M:%S", &tm) == 0)
        out[0] = 0;
}

// "7.1,7.2"
static char *join_steps(const json_t *steps)
{
    size_t size, i;
    char *text = NULL;
    json_t *step;
    FILE *f = open_memstream(&text, &size);

    if (!f)
        return NULL;
    json_array_foreach (steps, i, step)
        fprintf(f, "%s%s", i ? "," : "", json_string_value(step));
    if (fclose(f) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

static int take_container(void *arg, const json_t *line, struct berth_err *err)
{
    struct table *table = arg;
    char since[32], *steps = join_steps(json_object_get(line, "steps"));
    int rc = 0;

    write_time(json_object_get(line, "since"), since);
    const char *cells[CELLS] = {
        text_of(line, "step"),  ask_short_name(text_of(line, "image")),
        text_of(line, "node"),  text_of(line, "name"),
        text_of(line, "state"), since,
        steps ? steps : ""};
    for (size_t i = 0; rc == 0 && i < CELLS; i++)
        rc = strv_add(&table->cells, cells[i]);
    free(steps);
    return rc < 0 ? no_memory(err) : 0;
}

// By the numbers of the steps that made them.
static int by_step(const void *left, const void *right)
{
    const char *a = *(char *const *)left, *b = *(char *const *)right;

    return strverscmp(a, b);
}

static int take_job(void *arg, char *text, struct berth_err *err)
{
    return *text && strv_add(arg, text) < 0 ? no_memory(err) : 0;
}

int containers_list(int argc, char **argv, const struct table_style *style,
                    struct berth_err *err)
{
    static const char *const columns[] = {"STEP",  "IMAGE", "NODES",  "NAME",
                                          "STATE", "SINCE", "JOINED", NULL};
    // An array's tasks are jobs of their own.
    static const char *const squeue[] = {"squeue",  "--me", "-h", "-t",
                                         "running", "-o",   "%A", NULL};
    struct table table = {.columns = columns};
    struct strv jobs = {0};
    bool failed = false, one;
    int rc = 0;

    for (int i = 0; rc == 0 && i < argc; i++)
        rc = strv_add(&jobs, argv[i]) < 0 ? no_memory(err) : 0;
    if (argc == 0)
        rc = slurm_lines(squeue, take_job, &jobs, err);
    for (size_t i = 0; rc == 0 && i < jobs.n; i++) {
        struct ask ask = {.errand = "containers", .quick = true};
        struct slurm_step job;
        rc = slurm_step_parse(jobs.v[i], &job, err);
        ask.job = job.job;
        if (rc == 0)
            rc = ask_nodes(&ask, take_container, &table, &one, err);
        failed |= rc == 0 && one;
    }
    if (rc == 0 && table.cells.n > 0)
        qsort(table.cells.v, table.cells.n / CELLS,
              CELLS * sizeof(*table.cells.v), by_step);
    if (rc == 0)
        rc = table_print(&table, style, err);
    table_clear(&table);
    strv_clear(&jobs);
    return rc < 0 ? rc : failed ? VERB_FAILED : 0;
}

// --- images -----------------------------------------------------------------

struct search {
    const struct strv *steps;
    struct strv *images;
};

// Whether the step that LINE is about, or one that has joined it, is STEP.
static bool has_step(const json_t *line, const char *step)
{
    const json_t *joined = json_object_get(line, "steps"), *one;
    size_t i;

    if (strcmp(text_of(line, "step"), step) == 0)
        return true;
    json_array_foreach (joined, i, one)
        if (json_is_string(one) && strcmp(json_string_value(one), step) == 0)
            return true;
    return false;
}

static int take_image(void *arg, const json_t *line, struct berth_err *err)
{
    struct search *s = arg;

    for (size_t i = 0; i < s->steps->n; i++) {
        if (!has_step(line, s->steps->v[i]))
            continue;
        char *image = strdup(ask_short_name(text_of(line, "image")));
        if (!image)
            return no_memory(err);
        free(s->images->v[i]);
        s->images->v[i] = image;
    }
    return 0;
}

int containers_images(uint32_t job, const struct strv *steps,
                      struct strv *images, bool *failed, struct berth_err *err)
{
    struct ask ask = {.errand = "containers", .job = job, .quick = true};
    struct search search = {steps, images};

    for (size_t i = 0; i < steps->n; i++)
        if (strv_add(images, "") < 0)
            return no_memory(err);
    return ask_nodes(&ask, take_image, &search, failed, err);
}

// --- what is ended ----------------------------------------------------------

bool containers_is_step(const char *text)
{
    size_t len = strspn(text, "0123456789");

    if (len > 0 && text[len] == '_')
        len += 1 + strspn(text + len + 1, "0123456789");
    return len > 0 && text[len] == '.' && text[len + 1] &&
           strspn(text + len + 1, "0123456789") == strlen(text + len + 1);
}

static int take_ended(void *arg, const json_t *line, struct berth_err *err)
{
    size_t *gone = arg;

    ++*gone;
    printf("%s on %s\n", text_of(line, "step"), text_of(line, "node"));
    return fflush(stdout) == 0 ? 0 : err_set(err, BERTH_ESYS, "writing: %m");
}

static int end_one(struct ask *ask, uint32_t job, const char *what,
                   bool *failed, struct berth_err *err)
{
    bool is_step = containers_is_step(what);
    struct slurm_step step;
    size_t gone = 0;

    ask->errand = "end";
    ask->quick = true;
    ask->job = job;
    if (is_step) {
        if (slurm_step_parse(what, &step, err) < 0)
            return -1;
        ask->job = step.job;
    }
    const char *own = getenv("SLURM_JOB_ID");
    if (!ask->job && own)
        ask->job = (uint32_t)strtoul(own, NULL, 10);
    if (!ask->job)
        return err_set(err, BERTH_EINVAL,
                       "a container's name is one within its job: write berth "
                       "rm --job=JOB %s",
                       what);
    if (strv_addf(&ask->words, "%s%s",
                  is_step ? "--container-join=" : "--container-name=",
                  is_step ? step.text : what) < 0)
        return no_memory(err);
    int rc = ask_nodes(ask, take_ended, &gone, failed, err);
    free(ask->words.v[--ask->words.n]);
    ask->words.v[ask->words.n] = NULL;
    if (rc < 0 || gone > 0 || *failed)
        return rc;
    return err_set(err, BERTH_ENOTFOUND,
                   "job %u has no container %s that waits for a step", ask->job,
                   what);
}

int containers_end(struct ask *ask, uint32_t job, const char *what,
                   bool *failed, struct berth_err *err)
{
    int rc = end_one(ask, job, what, failed, err);

    if (rc == 0 || err->code != BERTH_ENOTFOUND)
        return rc;
    err_scrub(err->text);
    fprintf(stderr, "berth: %s\n", err->text);
    *failed = true;
    return 0;
}
