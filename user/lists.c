// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The verbs that list: what Slurm's commands write, as tables.

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/containers.h"
#include "user/slurm.h"
#include "user/table.h"
#include "user/tres.h"
#include "user/verbs.h"

enum { OPT_JSON = 256, OPT_FORMAT, OPT_FREE, OPT_USED, OPT_GPU_FREE };

// A list as it is made, and which of Slurm's lines go into it.
struct listing {
    struct table table;
    struct table_style style;
    struct strv unknown; // the rows of those steps of this job of which Slurm
                         // knows no image
    bool all, with_free, with_used, usage, quiet, nodes, containers;
};

static int no_memory(struct berth_err *err)
{
    return err_set(err, BERTH_ENOMEM, "out of memory");
}

// --json and --format, and those that LETTERS are for: a, c, l and q
// themselves, f and u (--free and --used), g (--gpu-free).
static int take_options(int argc, char **argv, const char *letters,
                        struct listing *l, const char *usage,
                        struct berth_err *err)
{
    static const struct option known[] = {
        {"all", no_argument, NULL, 'a'},
        {"containers", no_argument, NULL, 'c'},
        {"format", required_argument, NULL, OPT_FORMAT},
        {"free", no_argument, NULL, OPT_FREE},
        {"gpu-free", no_argument, NULL, OPT_GPU_FREE},
        {"gpu-used", no_argument, NULL, OPT_USED},
        {"gpu-used-mine", no_argument, NULL, OPT_USED},
        {"json", no_argument, NULL, OPT_JSON},
        {"long", no_argument, NULL, 'l'},
        {"quiet", no_argument, NULL, 'q'},
        {"used", no_argument, NULL, OPT_USED},
        {0}};
    int c;

    while ((c = getopt_long(argc, argv, "+:aclq", known, NULL)) != -1) {
        if (c == OPT_JSON)
            l->style.json = true;
        else if (c == OPT_FORMAT)
            l->style.format = optarg;
        else if (c == 'a' && strchr(letters, 'a'))
            l->all = true;
        else if (c == 'c' && strchr(letters, 'c'))
            l->containers = true;
        else if (c == 'l' && strchr(letters, 'l'))
            l->usage = true;
        else if (c == 'q' && strchr(letters, 'q'))
            l->quiet = true;
        else if (c == OPT_GPU_FREE && strchr(letters, 'g'))
            l->nodes = l->with_free = true;
        else if (c == OPT_FREE && strchr(letters, 'f'))
            l->with_free = true;
        else if (c == OPT_USED && strchr(letters, 'u'))
            l->with_used = true;
        else
            return err_set(err, BERTH_EINVAL, "write berth %s", usage);
    }
    return 0;
}

static int finish(struct listing *l, int rc, struct berth_err *err)
{
    if (rc == 0)
        rc = table_print(&l->table, &l->style, err);
    table_clear(&l->table);
    strv_clear(&l->unknown);
    return rc;
}

static int add_cells(const struct listing *l, struct strv *out,
                     const char *const *cells, struct berth_err *err)
{
    for (size_t i = 0; l->table.columns[i]; i++)
        if (strv_add(out, cells[i] ? cells[i] : "") < 0)
            return no_memory(err);
    return 0;
}

static int add_row(struct listing *l, const char *const *cells,
                   struct berth_err *err)
{
    return add_cells(l, &l->table.cells, cells, err);
}

// The number behind gres/gpu= in what Slurm calls TRES, in TEXT, or "".
static const char *gpus_of(const char *tres, char text[16])
{
    const char *at = tres ? strstr(tres, "gres/gpu=") : NULL;

    text[0] = 0;
    if (at)
        snprintf(text, 16, "%.*s", (int)strspn(at + 9, "0123456789"), at + 9);
    return text;
}

// What squeue is asked of a step, each with a bar behind it but the last. A
// name can be anything, and lines as well: it is the last, and its user's own.
enum {
    SHOWN_STEP,
    SHOWN_NODES,
    SHOWN_SINCE,
    SHOWN_TASKS,
    SHOWN_PER_STEP,
    SHOWN_PER_NODE,
    SHOWN_PER_TASK,
    SHOWN_PER_SOCKET,
    SHOWN_IMAGE,
    SHOWN_NAME,
    SHOWN
};

#define SHOWN_FORMAT                                                           \
    "StepID:|,Nodes:|,StartTime:|,NumTasks:|,tres-per-step:|,"                 \
    "tres-per-node:|,tres-per-task:|,tres-per-socket:|,Container:|,StepName:0"

// The GPUs of a step, by what it has asked for, or "". How many sockets it has
// on how many nodes squeue does not say: one, at least.
static int gpus_of_step(char *const s[SHOWN], char text[16],
                        struct berth_err *err)
{
    unsigned n = tres_count_gpus(s[SHOWN_PER_STEP]) +
                 tres_count_gpus(s[SHOWN_PER_TASK]) *
                     (unsigned)strtoul(s[SHOWN_TASKS], NULL, 10) +
                 tres_count_gpus(s[SHOWN_PER_SOCKET]),
             each = tres_count_gpus(s[SHOWN_PER_NODE]);
    struct strv nodes = {0};
    int rc = each ? slurm_node_names(s[SHOWN_NODES], &nodes, err) : 0;

    n += each * (unsigned)nodes.n;
    text[0] = 0;
    if (n > 0)
        snprintf(text, 16, "%u", n);
    strv_clear(&nodes);
    return rc;
}

// Of STEP, as squeue names it, the number that it has in the job that this is
// in; or NULL: it is none of that job's, or has no number, as a batch script.
static const char *number_here(const char *step)
{
    const char *job = getenv("SLURM_JOB_ID"),
               *array = getenv("SLURM_ARRAY_JOB_ID"),
               *task = getenv("SLURM_ARRAY_TASK_ID");
    char name[64];

    if (!job)
        return NULL;
    if (array && task)
        snprintf(name, sizeof(name), "%s_%s.", array, task);
    else
        snprintf(name, sizeof(name), "%s.", job);
    return containers_is_step(step) && strncmp(step, name, strlen(name)) == 0
               ? step + strlen(name)
               : NULL;
}

// One line of squeue's. The rest of a name that has lines is none.
static int take_step(void *arg, char *text, struct berth_err *err)
{
    struct listing *l = arg;
    char *s[SHOWN], gpus[16];

    for (size_t i = 0; i < SHOWN; i++)
        if (!(s[i] = i == SHOWN_NAME ? text : strsep(&text, "|")))
            return 0;
    bool known = strcmp(s[SHOWN_IMAGE], "(null)") != 0;
    if (!known && !number_here(s[SHOWN_STEP]))
        return 0;
    if (gpus_of_step(s, gpus, err) < 0)
        return -1;
    if (l->with_used && !*gpus)
        return 0;
    return add_cells(l, known ? &l->table.cells : &l->unknown,
                     (const char *const[]){s[SHOWN_STEP], s[SHOWN_IMAGE],
                                           s[SHOWN_NODES], s[SHOWN_NAME], gpus,
                                           s[SHOWN_SINCE], NULL, NULL},
                     err);
}

enum { STEP = 0, IMAGE = 1, TASKS = 6, MEMORY = 7, LONG = 8 };

// A step that has joined a container need not name its image, and Slurm then
// knows none. The nodes do: they are asked in the job that this is in, and in
// no other, where that would be a step more for each.
static int find_images(struct listing *l, bool *failed, struct berth_err *err)
{
    const char *job = getenv("SLURM_JOB_ID");
    struct strv steps = {0}, images = {0};
    size_t columns = 0;
    int rc = 0;

    while (l->table.columns[columns])
        columns++;
    for (size_t i = 0; rc == 0 && i < l->unknown.n; i += columns)
        rc = strv_addf(&steps, "%s.%s", job,
                       number_here(l->unknown.v[i + STEP]));
    if (rc < 0)
        no_memory(err);
    else if (steps.n > 0)
        rc = containers_images((uint32_t)strtoul(job, NULL, 10), &steps,
                               &images, failed, err);
    for (size_t i = 0; rc == 0 && i < images.n; i++) {
        char **row = l->unknown.v + i * columns;
        if (!images.v[i][0])
            continue;
        free(row[IMAGE]);
        row[IMAGE] = images.v[i];
        images.v[i] = NULL;
        rc = add_row(l, (const char *const *)row, err);
    }
    strv_clear(&steps);
    strv_clear(&images);
    return rc;
}

// One line of "sacct -P": the steps that have ended, or run.
static int take_ended(void *arg, char *text, struct berth_err *err)
{
    struct listing *l = arg;
    char *cells[8] = {0}, gpus[16];
    size_t n = 0;

    while (n < 7 && (cells[n] = strsep(&text, "|")))
        n++;
    if (n < 7 || !cells[1][0] || !strchr(cells[0], '.') ||
        (l->with_used && !*gpus_of(cells[4], gpus)))
        return 0;
    return add_row(l,
                   (const char *const[]){cells[0], cells[1], cells[2], cells[3],
                                         gpus_of(cells[4], gpus), cells[5],
                                         cells[6]},
                   err);
}

static int take_stat(void *arg, char *text, struct berth_err *err)
{
    struct listing *l = arg;
    const char *cells[8] = {0};
    char *cell;
    size_t n = 0;

    while (n < 7 && (cell = strsep(&text, "|")))
        cells[n++] = cell;
    return n < 7 ? 0 : add_row(l, cells, err);
}

int verb_stats(int argc, char **argv, struct berth_err *err)
{
    static const char *const columns[] = {
        "STEP", "TASKS", "AVECPU", "MAXRSS", "AVERSS", "READ", "WRITTEN", NULL};
    struct listing l = {.table = {.columns = columns}};
    static const char usage[] = "stats [--json|--format=...] JOB[.STEP]";
    struct slurm_step step;

    if (take_options(argc, argv, "", &l, usage, err) < 0)
        return -1;
    if (argc - optind != 1)
        return err_set(err, BERTH_EINVAL, "write berth %s", usage);
    if (slurm_step_parse(argv[optind], &step, err) < 0)
        return -1;
    const char *const sstat[] = {
        "sstat",
        "-naP",
        "--format=JobID,NTasks,AveCPU,MaxRSS,AveRSS,MaxDiskRead,MaxDiskWrite",
        "-j",
        step.text,
        NULL};
    return finish(&l, slurm_lines(sstat, take_stat, &l, err), err);
}

// How many GPUs are in GRES, such as "gpu:a100:2(S:0),gpu:1,shard:4".
static unsigned count_gpus(const char *gres)
{
    unsigned sum = 0;

    for (const char *p = gres ? gres : ""; *p;) {
        // Commas within parentheses part no items.
        const char *count = NULL;
        size_t len = 0;
        for (; p[len] && p[len] != ','; len++)
            if (p[len] == '(') {
                while (p[len + 1] && p[len] != ')')
                    len++;
            } else if (p[len] == ':') {
                count = p + len + 1;
            }
        if (strncmp(p, "gpu", 3) == 0 && (p[3] == ':' || p[3] == '('))
            sum += count ? (unsigned)strtoul(count, NULL, 10) : 1;
        p += len + (p[len] == ',');
    }
    return sum;
}

// One line of "scontrol -do show node".
static int take_node(void *arg, char *text, struct berth_err *err)
{
    const char *node = NULL, *state = NULL;
    unsigned have = 0, used = 0;
    struct listing *l = arg;
    char *key, *value, numbers[3][16];

    while ((value = slurm_field(&text, &key)))
        if (strcmp(key, "NodeName") == 0)
            node = value;
        else if (strcmp(key, "State") == 0)
            state = value;
        else if (strcmp(key, "Gres") == 0)
            have = count_gpus(value);
        else if (strcmp(key, "GresUsed") == 0)
            used = count_gpus(value);
    if (!node || have == 0 || (l->with_free && used >= have) ||
        (l->with_used && used == 0))
        return 0;
    snprintf(numbers[0], sizeof(numbers[0]), "%u", have);
    snprintf(numbers[1], sizeof(numbers[1]), "%u", used);
    snprintf(numbers[2], sizeof(numbers[2]), "%u",
             have > used ? have - used : 0);
    return add_row(
        l,
        (const char *const[]){node, numbers[0], numbers[1], numbers[2], state},
        err);
}

static int list_gpus(struct listing *l, struct berth_err *err)
{
    static const char *const columns[] = {"NODE", "GPUS",  "USED",
                                          "FREE", "STATE", NULL};
    static const char *const scontrol[] = {"scontrol", "-do", "show", "node",
                                           NULL};

    l->table.columns = columns;
    return finish(l, slurm_lines(scontrol, take_node, l, err), err);
}

// "123" or "123K", as Slurm writes bytes.
static double bytes_of(const char *text)
{
    static const char units[] = "KMGTP";
    char *end;
    double n = strtod(text, &end);

    for (const char *u = *end ? strchr(units, *end) : NULL; u && u >= units;
         u--)
        n *= 1024;
    return n;
}

// One line of "sstat": of a step that is in the list.
static int take_usage(void *arg, char *text, struct berth_err *err)
{
    struct listing *l = arg;
    const char *step = strsep(&text, "|"), *tasks = strsep(&text, "|"),
               *each = strsep(&text, "|");

    for (size_t i = 0; each && i + LONG <= l->table.cells.n; i += LONG) {
        char **row = l->table.cells.v + i, *memory = NULL, *copy = NULL;
        if (strcmp(row[STEP], step) != 0)
            continue;
        if (!(copy = strdup(tasks)) ||
            asprintf(&memory, "%.0f", bytes_of(each) * atoi(tasks)) < 0) {
            free(copy);
            return no_memory(err);
        }
        free(row[TASKS]);
        free(row[MEMORY]);
        row[TASKS] = copy;
        row[MEMORY] = memory;
    }
    return 0;
}

// What the steps in the list use, as far as Slurm knows.
static int add_usage(struct listing *l, struct berth_err *err)
{
    char *steps = NULL;
    size_t size;
    FILE *f = open_memstream(&steps, &size);
    int rc = 0;

    for (size_t i = 0; f && i < l->table.cells.n; i += LONG)
        fprintf(f, "%s%s", i ? "," : "", l->table.cells.v[i]);
    if (!f || fclose(f) != 0)
        return no_memory(err);
    if (*steps)
        rc = slurm_lines((const char *const[]){"sstat", "-nP", "--noconvert",
                                               "--format=JobID,NTasks,AveRSS",
                                               "-j", steps, NULL},
                         take_usage, l, err);
    free(steps);
    return rc;
}

// For a list that is quiet, the first column alone.
static const char *format_of(const struct listing *l)
{
    return l->quiet ? "STEP" : l->style.format;
}

int verb_ps(int argc, char **argv, struct berth_err *err)
{
    static const char *const running[] = {"STEP", "IMAGE", "NODES", "NAME",
                                          "GPUS", "SINCE", NULL};
    static const char *const all[] = {"STEP", "IMAGE", "NODES", "NAME",
                                      "GPUS", "SINCE", "STATE", NULL};
    static const char *const usage[] = {"STEP",  "IMAGE",  "NODES",
                                        "NAME",  "GPUS",   "SINCE",
                                        "TASKS", "MEMORY", NULL};
    // The user's own steps, and of no other a word: what "scontrol show step"
    // writes of those is theirs to forge.
    static const char *const squeue[] = {"squeue", "--me",       "-hs",
                                         "-O",     SHOWN_FORMAT, NULL};
    static const char *const sacct[] = {
        "sacct", "-nP",
        "--format=JobID,Container,NodeList,JobName,AllocTRES,Start,State",
        NULL};
    static const char words[] =
        "ps [-a|-l] [-q] [--gpu-used|--gpu-free] [--json|--format=...], "
        "or berth ps -c [-q] [--json|--format=...] [JOB...]";
    struct listing l = {0};
    bool failed = false;

    if (take_options(argc, argv, "aclqug", &l, words, err) < 0)
        return -1;
    if (l.containers &&
        (l.all || l.usage || l.nodes || l.with_free || l.with_used))
        return err_set(err, BERTH_EINVAL, "write berth %s", words);
    if (l.containers) {
        l.style.format = format_of(&l);
        return containers_list(argc - optind, argv + optind, &l.style, err);
    }
    if (argc > optind || (l.all && l.usage) || (l.with_free && l.with_used))
        return err_set(err, BERTH_EINVAL, "write berth %s", words);
    if (l.nodes)
        return list_gpus(&l, err);
    l.table.columns = l.all ? all : l.usage ? usage : running;
    int rc = slurm_lines(l.all ? sacct : squeue, l.all ? take_ended : take_step,
                         &l, err);
    if (rc == 0)
        rc = find_images(&l, &failed, err);
    if (rc == 0 && l.usage)
        rc = add_usage(&l, err);
    l.style.format = format_of(&l);
    rc = finish(&l, rc, err);
    return rc < 0 ? rc : failed ? VERB_FAILED : 0;
}

int verb_gpus(int argc, char **argv, struct berth_err *err)
{
    static const char words[] = "gpus [--free|--used] [--json|--format=...]";
    struct listing l = {0};

    if (take_options(argc, argv, "fu", &l, words, err) < 0)
        return -1;
    return argc > optind ? err_set(err, BERTH_EINVAL, "write berth %s", words)
                         : list_gpus(&l, err);
}
