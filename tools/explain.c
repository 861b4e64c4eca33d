// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: a log, some of it users' words. Syslog's takes lines from anybody.

#include "tools/explain.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "logic/step.h"

// --- the log -----------------------------------------------------------------

// STEP is NULL: all of the job's.
static bool parse_what(const char *what, char name[STEP_NAME_MAX],
                       uint32_t *job, const char **step)
{
    bool whole = !strchr(what, '.');
    char text[STEP_NAME_MAX];
    uint32_t number;
    int n = snprintf(text, sizeof(text), "%s%s", what, whole ? ".0" : "");

    if (n < 0 || (size_t)n >= sizeof(text) ||
        !step_name_parse(text, job, &number))
        return false;
    step_name(*job, number, name);
    *step = whole ? NULL : strchr(name, '.') + 1;
    return true;
}

// What was done in place of a container.
static bool is_done(const char *event)
{
    return !strcmp(event, "pulled") || !strcmp(event, "removed") ||
           !strcmp(event, "ended");
}

static bool is_event(const char *event)
{
    return !strcmp(event, "allow") || !strcmp(event, "deny") ||
           !strcmp(event, "start") || !strcmp(event, "end") ||
           !strcmp(event, "gone") || is_done(event);
}

// A file of berth's own has the objects alone, and syslog's have a time and a
// name in front. Returns NULL for all that is not about it.
static json_t *parse_line(const char *text, uint32_t job, const char *step)
{
    const char *name = strstr(text, "berth-stepd"), *time, *event, *of;
    json_int_t number;

    if (*text != '{')
        text = name ? strchr(name, '{') : NULL;
    json_t *line = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (line &&
        json_unpack(line, "{s:s, s:s, s:s, s:I}", "time", &time, "event",
                    &event, "step", &of, "job", &number) == 0 &&
        is_event(event) && number == job && (!step || !strcmp(of, step)))
        return line;
    json_decref(line);
    return NULL;
}

json_t *explain_read(FILE *log, const char *what, struct berth_err *err)
{
    json_t *lines = json_array(), *line;
    char name[STEP_NAME_MAX], *text = NULL;
    const char *step = NULL;
    uint32_t job = 0;
    size_t cap = 0;
    int rc = 0;

    if (!parse_what(what, name, &job, &step))
        rc = err_set(err, BERTH_EINVAL,
                     "\"%s\" is no job's number, nor that of a step, such as "
                     "12, 12.0 or 12.batch",
                     what);
    while (rc == 0 && getline(&text, &cap, log) >= 0)
        if ((line = parse_line(text, job, step)) &&
            json_array_append_new(lines, line) < 0)
            rc = err_set(err, BERTH_ENOMEM, "memory is out");
    if (rc == 0 && ferror(log))
        rc = err_set(err, BERTH_ESYS, "the log cannot be read: %m");
    free(text);
    if (rc == 0)
        return json_pack("{s:o}", "lines", lines);
    json_decref(lines);
    return NULL;
}

// --- the sentences -----------------------------------------------------------

// A string of LINE, or NULL.
static const char *get(const json_t *line, const char *key)
{
    return json_string_value(json_object_get(line, key));
}

static bool is(const json_t *line, const char *key, const char *text)
{
    const char *value = get(line, key);

    return value && !strcmp(value, text);
}

// One line; WHEN is empty below the first of a time.
static void say(FILE *to, const char *when, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void say(FILE *to, const char *when, const char *fmt, ...)
{
    char text[8192], time[32];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    snprintf(time, sizeof(time), "%s", when);
    err_scrub(text);
    err_scrub(time);
    fprintf(to, "  %-24s  %s\n", time, text);
}

static void say_asked(const json_t *line, FILE *to)
{
    const char *user = get(line, "user"), *image = get(line, "image");
    const char *name = get(line, "name");
    const json_t *uid = json_object_get(line, "uid");
    const char *errand = get(line, "do");

    if (errand)
        say(to, get(line, "time"), "%s (uid %lld) asked to %s %s%s.",
            user ? user : "A user", (long long)json_integer_value(uid),
            is(line, "do", "layers") || is(line, "do", "containers") ? "list"
                                                                     : errand,
            is(line, "do", "end")                                ? "a container"
            : is(line, "do", "containers")                       ? "containers"
            : is(line, "do", "pull") || is(line, "do", "remove") ? "the image "
                                                                 : "images",
            image && !is(line, "do", "end") ? image : "");
    else
        say(to, get(line, "time"),
            "%s (uid %lld) asked for the image \"%s\"%s%s.",
            user ? user : "A user", (long long)json_integer_value(uid),
            image ? image : "?", name ? ", which is " : "", name ? name : "");
}

// After the sentence of the decision.
static void say_why(const json_t *line, FILE *to)
{
    const char *rule = get(line, "rule"), *file = get(line, "file");
    const char *id = get(line, "id"), *digest = get(line, "digest");
    long long number =
        (long long)json_integer_value(json_object_get(line, "line"));

    if (rule && file && number)
        say(to, "", "The pattern \"%s\" decided on the image: %s line %lld.",
            rule, file, number);
    else if (rule)
        say(to, "", "The pattern \"%s\" decided on the image%s%s.", rule,
            file ? ": " : "", file ? file : "");
    if (id)
        say(to, "", "The node has the image with the ID %s%s%s.", id,
            digest ? ", digest " : "", digest ? digest : "");
}

static void say_end(const json_t *line, const char *when, FILE *to)
{
    const json_t *seconds = json_object_get(line, "seconds");
    const char *reason = get(line, "reason");
    char after[48] = "";

    if (json_is_number(seconds))
        snprintf(after, sizeof(after), " after %.3f seconds",
                 json_number_value(seconds));
    if (is(line, "exit", "step"))
        say(to, when, "The step was over%s, and %s.", after,
            is(line, "container", "kept")
                ? "its container stayed for a later one"
            : get(line, "container") ? "left that container"
                                     : "its container went");
    else if (is(line, "exit", "container"))
        say(to, when, "The container ended by itself%s.", after);
    else if (is(line, "exit", "killed"))
        say(to, when,
            "What was left of it was removed: its berth-stepd was "
            "killed, or the node went down.");
    else if (get(line, "do"))
        say(to, when, "It failed: %s.", reason ? reason : "no reason is given");
    else
        say(to, when, "The container could not be made: %s.",
            reason ? reason : "no reason is given");
}

// Of a container that had served other steps.
static void say_gone(const json_t *line, const char *when, FILE *to)
{
    say(to, when, "The container, which had served other steps, %s.",
        is(line, "exit", "job")         ? "went with the job"
        : is(line, "exit", "idle")      ? "went, as no step came for it"
        : is(line, "exit", "container") ? "ended by itself"
                                        : "was removed, as what kept it had "
                                          "been killed, or the node went down");
}

static void say_start(const json_t *line, const char *when, FILE *to)
{
    const char *of = get(line, "of"), *name = get(line, "container_name");

    if (is(line, "container", "reused"))
        say(to, when, "It took over the container of step %s.", of ? of : "?");
    else if (is(line, "container", "joined"))
        say(to, when, "It joined the container %s%sof step %s.",
            name ? name : "", name ? " " : "", of ? of : "?");
    else
        say(to, when, "The container%s%s was up, and tasks could begin.",
            name ? " " : "", name ? name : "");
}

// Another node had another image by the same name, in the same step.
static void say_others(const json_t *lines, const json_t *line, FILE *to)
{
    const char *id = get(line, "id"), *name = get(line, "name");
    const char *digest = get(line, "digest");
    const json_t *other;
    size_t i;

    json_array_foreach (lines, i, other) {
        if (!id || !name || !is(line, "event", "allow") ||
            !is(other, "event", "allow") || !is(other, "name", name) ||
            !get(other, "id") || is(other, "id", id) || !get(other, "node") ||
            (digest && is(other, "digest", digest)) ||
            !json_equal(json_object_get(line, "step"),
                        json_object_get(other, "step")))
            continue;
        say(to, "", "That is another image than node %s had by the same name.",
            get(other, "node"));
        return;
    }
}

static void say_done(const json_t *line, const char *when, FILE *to)
{
    const char *of = get(line, "of");

    if (is(line, "event", "ended"))
        say(to, when, "The container of step %s was ended.", of ? of : "?");
    else
        say(to, when, "The image was %s.",
            is(line, "event", "removed") ? "removed" : "there");
}

static void say_saved(const json_t *line, FILE *to)
{
    const char *saved = get(line, "saved"), *why = get(line, "not_saved");

    if (saved)
        say(to, "", "It was saved as %s.", saved);
    else if (why)
        say(to, "", "It was to be saved, and was not: %s.", why);
}

static void say_line(const json_t *lines, const json_t *line, bool first,
                     FILE *to)
{
    const char *when = get(line, "time"), *warning = get(line, "warning");
    const char *reason = get(line, "reason");
    bool decision = is(line, "event", "allow") || is(line, "event", "deny");

    if (first) {
        say_asked(line, to);
        when = "";
    }
    if (is(line, "event", "deny"))
        say(to, when, "It was refused: %s.",
            reason ? reason : "no reason is given");
    else if (is(line, "event", "allow") && warning)
        say(to, when, "\"mode\" let it pass, against the rules: %s.", warning);
    else if (is(line, "event", "allow"))
        say(to, when, "It was allowed.");
    if (decision || first)
        say_why(line, to);
    say_others(lines, line, to);
    if (is(line, "event", "start"))
        say_start(line, when, to);
    else if (is(line, "event", "end"))
        say_end(line, when, to);
    else if (is(line, "event", "gone"))
        say_gone(line, when, to);
    else if (is_done(get(line, "event")))
        say_done(line, when, to);
    if (is(line, "event", "end"))
        say_saved(line, to);
}

static void say_heading(const json_t *line, FILE *to)
{
    const char *node = get(line, "node"), *cluster = get(line, "cluster");
    const char *partition = get(line, "partition");
    char text[1024];

    snprintf(text, sizeof(text), "Step %lld.%s on node %s%s%s%s%s:",
             (long long)json_integer_value(json_object_get(line, "job")),
             get(line, "step"), node ? node : "?",
             cluster ? " of cluster " : "", cluster ? cluster : "",
             partition ? ", in partition " : "", partition ? partition : "");
    err_scrub(text);
    fprintf(to, "%s\n", text);
}

// Whether OTHER is of the same step on the same node.
static bool is_same(const json_t *line, const json_t *other)
{
    return json_equal(json_object_get(line, "step"),
                      json_object_get(other, "step")) &&
           json_equal(json_object_get(line, "node"),
                      json_object_get(other, "node"));
}

// All of the run of a step that the line at FROM begins: a job that is queued
// again has more than one of the same name.
static void say_run(const json_t *lines, size_t from, bool *said, FILE *to)
{
    const json_t *first = json_array_get(lines, from);
    bool over = false;

    say_heading(first, to);
    for (size_t i = from; i < json_array_size(lines); i++) {
        const json_t *line = json_array_get(lines, i);
        if (said[i] || !is_same(first, line))
            continue;
        if (i > from &&
            (is(line, "event", "allow") || is(line, "event", "deny")))
            break;
        // What it has left for others goes later.
        if (over && !is(line, "event", "gone"))
            break;
        say_line(lines, line, i == from, to);
        said[i] = true;
        over |= is(line, "event", "deny") || is(line, "event", "end") ||
                is(line, "event", "gone") || is_done(get(line, "event"));
    }
    if (!over)
        say(to, "",
            "There is no word of its end: it goes on, or the line is lost.");
}

void explain_print(const json_t *report, FILE *to)
{
    const json_t *lines = json_object_get(report, "lines");
    size_t n = json_array_size(lines);
    bool *said = calloc(n + 1, sizeof(*said));

    for (size_t i = 0; said && i < n; i++)
        if (!said[i])
            say_run(lines, i, said, to);
    free(said);
}
