// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The verbs about images, and rm: what nodes say of them (user/ask.h), as
// tables.

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/ask.h"
#include "user/containers.h"
#include "user/layers.h"
#include "user/slurm.h"
#include "user/table.h"
#include "user/verbs.h"

enum { OPT_FORMAT = 256, OPT_JOB, OPT_JSON, OPT_ROOT, OPT_SLURM };

// What is asked, and what has been answered so far.
struct asking {
    struct ask ask;
    struct table_style style;
    bool quiet;
    const char *file;  // --input, --output
    const char *about; // an image's name, or NULL: all
    struct table table;
    struct layers layers;
};

static int no_memory(struct berth_err *err)
{
    return err_set(err, BERTH_ENOMEM, "out of memory");
}

static const char *text_of(const json_t *line, const char *key)
{
    const char *text = json_string_value(json_object_get(line, key));

    return text ? text : "";
}

// --- words ------------------------------------------------------------------

// LETTERS are those that the verb takes, of f (format and JSON), i, j, o, q, r
// (root).
static int take_options(int argc, char **argv, const char *letters,
                        struct asking *a, const char *usage,
                        struct berth_err *err)
{
    static const struct option known[] = {
        {"format", required_argument, NULL, OPT_FORMAT},
        {"input", required_argument, NULL, 'i'},
        {"job", required_argument, NULL, OPT_JOB},
        {"json", no_argument, NULL, OPT_JSON},
        {"nodes", required_argument, NULL, 'w'},
        {"output", required_argument, NULL, 'o'},
        {"quiet", no_argument, NULL, 'q'},
        {"root", no_argument, NULL, OPT_ROOT},
        {"slurm", required_argument, NULL, OPT_SLURM},
        {0}};
    struct slurm_step job;
    int c;

    while ((c = getopt_long(argc, argv, "+:i:o:qw:", known, NULL)) != -1) {
        if (c == 'w')
            a->ask.nodes = optarg;
        else if (c == OPT_SLURM || (c == OPT_ROOT && strchr(letters, 'r'))) {
            if (strv_add(&a->ask.words,
                         c == OPT_SLURM ? optarg : "--container-root") < 0)
                return no_memory(err);
        } else if (c == OPT_JSON && strchr(letters, 'f'))
            a->style.json = true;
        else if (c == OPT_FORMAT && strchr(letters, 'f'))
            a->style.format = optarg;
        else if (c == OPT_JOB && strchr(letters, 'j')) {
            if (slurm_step_parse(optarg, &job, err) < 0)
                return -1;
            a->ask.job = job.job;
        } else if ((c == 'i' || c == 'o') && strchr(letters, c))
            a->file = optarg;
        else if (c == 'q' && strchr(letters, 'q'))
            a->quiet = true;
        else
            return err_set(err, BERTH_EINVAL, "write berth %s", usage);
    }
    return 0;
}

static void clear(struct asking *a)
{
    strv_clear(&a->ask.words);
    table_clear(&a->table);
    layers_clear(&a->layers);
}

// The same question about another thing.
static int about(struct asking *a, const char *option, const char *value,
                 struct berth_err *err)
{
    return strv_addf(&a->ask.words, "%s%s", option, value) < 0 ? no_memory(err)
                                                               : 0;
}

static void forget_last(struct asking *a)
{
    free(a->ask.words.v[--a->ask.words.n]);
    a->ask.words.v[a->ask.words.n] = NULL;
}

static int finish(struct asking *a, bool failed, struct berth_err *err)
{
    return table_print(&a->table, &a->style, err) < 0 ? -1
           : failed                                   ? VERB_FAILED
                                                      : 0;
}

// --- images -----------------------------------------------------------------

enum { NAME = 0, DIGEST, ID, SIZE, PRIVATE, NODES, CELLS };

static const char *const columns[] = {"NAME",    "DIGEST", "ID", "SIZE",
                                      "PRIVATE", "NODES",  NULL};

// Whether NAME is what was asked about: with its tag or without.
static bool is_about(const struct asking *a, const char *name)
{
    size_t len = a->about ? strlen(a->about) : 0;

    return !a->about ||
           (strncmp(name, a->about, len) == 0 &&
            (!name[len] || (name[len] == ':' && !strchr(name + len, '/'))));
}

// The row of what LINE says, if another node has said it, or NULL.
static char **find_row(const struct asking *a, char *const *cells)
{
    for (size_t i = 0; i + CELLS <= a->table.cells.n; i += CELLS) {
        char **row = a->table.cells.v + i;
        bool same = true;
        for (int k = 0; k < NODES; k++)
            same &= strcmp(row[k], cells[k]) == 0;
        if (same)
            return row;
    }
    return NULL;
}

static int take_image(void *arg, const json_t *line, struct berth_err *err)
{
    struct asking *a = arg;
    char size[32];
    char *cells[CELLS] = {
        (char *)ask_short_name(text_of(line, "name")),
        (char *)text_of(line, "digest"),
        (char *)text_of(line, "id"),
        size,
        (char *)(json_is_true(json_object_get(line, "private")) ? "yes" : "no"),
        (char *)text_of(line, "node")};

    if (!is_about(a, cells[NAME]))
        return 0;
    snprintf(size, sizeof(size), "%lld",
             (long long)json_integer_value(json_object_get(line, "size")));
    char **row = find_row(a, cells), *nodes = NULL;
    if (row) {
        if (asprintf(&nodes, "%s,%s", row[NODES], cells[NODES]) < 0)
            return no_memory(err);
        free(row[NODES]);
        row[NODES] = nodes;
        return 0;
    }
    for (int i = 0; i < CELLS; i++)
        if (strv_add(&a->table.cells, cells[i]) < 0)
            return no_memory(err);
    return 0;
}

static int by_name(const void *left, const void *right)
{
    char *const *a = left, *const *b = right;
    int order = strcmp(a[NAME], b[NAME]);

    return order ? order : strcmp(a[NODES], b[NODES]);
}

static int take_list(void *arg, char *text, struct berth_err *err)
{
    char **out = arg;

    if (!*out && !(*out = strdup(text)))
        return no_memory(err);
    return 0;
}

// Writes nodes as Slurm does: n[1-100].
static int fold_nodes(struct asking *a, struct berth_err *err)
{
    for (size_t i = NODES; i < a->table.cells.n; i += CELLS) {
        char *list = NULL;
        if (!strchr(a->table.cells.v[i], ','))
            continue;
        if (slurm_lines((const char *const[]){"scontrol", "show",
                                              "hostlistsorted",
                                              a->table.cells.v[i], NULL},
                        take_list, &list, err) < 0)
            return -1;
        if (!list)
            continue;
        free(a->table.cells.v[i]);
        a->table.cells.v[i] = list;
    }
    return 0;
}

int verb_images(int argc, char **argv, struct berth_err *err)
{
    static const char usage[] =
        "images [-q] [-w NODES] [--json|--format=...] [NAME]";
    struct asking a = {.ask = {.errand = "list", .quick = true},
                       .table = {.columns = columns}};
    bool failed = false;
    int rc = take_options(argc, argv, "fq", &a, usage, err);

    if (rc == 0 && argc - optind > 1)
        rc = err_set(err, BERTH_EINVAL, "write berth %s", usage);
    a.about = rc == 0 && optind < argc ? ask_short_name(argv[optind]) : NULL;
    if (rc == 0)
        rc = ask_nodes(&a.ask, take_image, &a, &failed, err);
    if (rc == 0 && a.table.cells.n > 0)
        qsort(a.table.cells.v, a.table.cells.n / CELLS,
              CELLS * sizeof(*a.table.cells.v), by_name);
    if (rc == 0)
        rc = fold_nodes(&a, err);
    if (a.quiet)
        a.style.format = "ID";
    if (rc == 0)
        rc = finish(&a, failed, err);
    clear(&a);
    return rc;
}

// --- what is brought --------------------------------------------------------

static int take_pulled(void *arg, const json_t *line, struct berth_err *err)
{
    struct asking *a = arg;
    const char *cells[] = {text_of(line, "node"),
                           ask_short_name(text_of(line, "name")),
                           text_of(line, "digest"), text_of(line, "id")};

    for (size_t i = 0; i < sizeof(cells) / sizeof(*cells); i++)
        if (strv_add(&a->table.cells, cells[i]) < 0)
            return no_memory(err);
    return 0;
}

// A name that is another image on another node is worth a word.
static void compare(const struct asking *a)
{
    enum { ROW = 4, NAME_AT = 1, ID_AT = 3 };
    char *const *v = a->table.cells.v;

    for (size_t i = 0; i + ROW <= a->table.cells.n; i += ROW)
        for (size_t k = 0; k < i; k += ROW)
            if (strcmp(v[i + NAME_AT], v[k + NAME_AT]) == 0 &&
                strcmp(v[i + ID_AT], v[k + ID_AT]) != 0) {
                fprintf(stderr,
                        "berth: %s is not the same image on nodes %s and %s: "
                        "write NAME@DIGEST, which is\n",
                        v[i + NAME_AT], v[k], v[i]);
                return;
            }
}

// skopeo reads the credentials that docker login writes.
static int write_file(const char *name, const char *file, struct berth_err *err)
{
    char source[1100], target[4200];

    if (access(file, F_OK) == 0)
        return err_set(err, BERTH_EINVAL,
                       "%s is there already: name another file", file);
    if (strncmp(name, "docker://", 9) == 0)
        name += 9;
    if ((size_t)snprintf(source, sizeof(source), "docker://%s", name) >=
            sizeof(source) ||
        (size_t)snprintf(target, sizeof(target), "docker-archive:%s:%s", file,
                         name) >= sizeof(target) ||
        strchr(file, ':'))
        return err_set(err, BERTH_EINVAL,
                       "%s cannot be written: its name is too long, or has a "
                       "colon",
                       file);
    return slurm_become(
        (const char *const[]){"skopeo", "copy", source, target, NULL});
}

// The images in ARGV, brought to the nodes.
static int bring(int argc, char **argv, struct asking *a, struct berth_err *err)
{
    static const char *const cells[] = {"NODE", "NAME", "DIGEST", "ID", NULL};
    bool failed = false, one;
    int rc = 0;

    a->ask.errand = "pull";
    a->table.columns = cells;
    for (int i = 0; rc == 0 && i < argc; i++) {
        rc = about(a, "--container=", argv[i], err);
        if (rc == 0)
            rc = ask_nodes(&a->ask, take_pulled, a, &one, err);
        if (rc == 0)
            forget_last(a);
        failed |= rc < 0 || one;
    }
    if (rc == 0 && (a->table.cells.n > 0 || a->style.json))
        rc = finish(a, failed, err);
    else if (rc == 0)
        rc = failed ? VERB_FAILED : 0;
    compare(a);
    return rc;
}

int verb_pull(int argc, char **argv, struct berth_err *err)
{
    static const char usage[] =
        "pull [-w NODES] [--root] [--json|--format=...] NAME..., "
        "or berth pull -o FILE NAME";
    struct asking a = {0};
    int rc = take_options(argc, argv, "ofr", &a, usage, err);
    int names = argc - optind;

    if (rc == 0 && (names < 1 || (a.file && (names > 1 || a.ask.nodes))))
        rc = err_set(err, BERTH_EINVAL, "write berth %s", usage);
    if (rc == 0)
        rc = a.file ? write_file(argv[optind], a.file, err)
                    : bring(names, argv + optind, &a, err);
    clear(&a);
    return rc;
}

int verb_load(int argc, char **argv, struct berth_err *err)
{
    static const char usage[] =
        "load [-w NODES] [--root] [--json|--format=...] FILE";
    struct asking a = {0};
    char *path = NULL;
    int rc = take_options(argc, argv, "fir", &a, usage, err);
    const char *file = a.file ? a.file : argc > optind ? argv[optind] : "";

    if (rc == 0 && argc - optind != !a.file)
        rc = err_set(err, BERTH_EINVAL, "write berth %s", usage);
    // What has no slash would be an image's name.
    if (rc == 0 &&
        asprintf(&path, "%s%s", strchr(file, '/') ? "" : "./", file) < 0) {
        path = NULL;
        rc = no_memory(err);
    }
    if (rc == 0 && access(path, R_OK) < 0)
        rc = err_set(err, BERTH_ENOTFOUND, "%s: %s", path, strerror(errno));
    if (rc == 0)
        rc = bring(1, &path, &a, err);
    free(path);
    clear(&a);
    return rc;
}

// --- what goes --------------------------------------------------------------

static int take_removed(void *arg, const json_t *line, struct berth_err *err)
{
    size_t *gone = arg;

    ++*gone;
    printf("%s on %s\n", text_of(line, "name"), text_of(line, "node"));
    return fflush(stdout) == 0 ? 0 : err_set(err, BERTH_ESYS, "writing: %m");
}

int verb_rmi(int argc, char **argv, struct berth_err *err)
{
    static const char usage[] = "rmi [-w NODES] NAME|ID...";
    struct asking a = {.ask = {.errand = "remove", .quick = true}};
    bool failed = false, one;
    size_t gone = 0;
    int rc = take_options(argc, argv, "", &a, usage, err);

    if (rc == 0 && optind == argc)
        rc = err_set(err, BERTH_EINVAL, "write berth %s", usage);
    for (int i = optind; rc == 0 && i < argc; i++) {
        rc = about(&a, "--container=", argv[i], err);
        if (rc == 0)
            rc = ask_nodes(&a.ask, take_removed, &gone, &one, err);
        if (rc == 0)
            forget_last(&a);
        failed |= rc < 0 || one;
    }
    clear(&a);
    return rc < 0 ? rc : failed ? VERB_FAILED : 0;
}

int verb_rm(int argc, char **argv, struct berth_err *err)
{
    static const char usage[] =
        "rm [--job=JOB] [-w NODES] NAME|JOB.STEP...: a container that waits "
        "for steps (berth stop ends what runs)";
    struct asking a = {.quiet = false};
    bool failed = false;
    int rc = take_options(argc, argv, "j", &a, usage, err);
    uint32_t job = a.ask.job;

    if (rc == 0 && optind == argc)
        rc = err_set(err, BERTH_EINVAL, "write berth %s", usage);
    for (int i = optind; rc == 0 && i < argc; i++) {
        bool one = false;
        rc = containers_end(&a.ask, job, argv[i], &one, err);
        failed |= one;
    }
    clear(&a);
    return rc < 0 ? rc : failed ? VERB_FAILED : 0;
}

// --- what images are made of ------------------------------------------------

static int take_layers(void *arg, const json_t *line, struct berth_err *err)
{
    struct asking *a = arg;
    const char *name = ask_short_name(text_of(line, "name"));

    return is_about(a, name) ? layers_add(&a->layers, name,
                                          json_object_get(line, "layers"), err)
                             : 0;
}

int verb_tree(int argc, char **argv, struct berth_err *err)
{
    static const char usage[] = "tree [-w NODES] [--json|--format=...] [NAME]";
    struct asking a = {.ask = {.errand = "layers", .quick = true}};
    bool failed = false;
    int rc = take_options(argc, argv, "f", &a, usage, err);

    if (rc == 0 && argc - optind > 1)
        rc = err_set(err, BERTH_EINVAL, "write berth %s", usage);
    a.about = rc == 0 && optind < argc ? ask_short_name(argv[optind]) : NULL;
    if (rc == 0)
        rc = ask_nodes(&a.ask, take_layers, &a, &failed, err);
    if (rc == 0)
        rc = layers_table(&a.layers, &a.table, err);
    if (rc == 0)
        rc = finish(&a, failed, err);
    clear(&a);
    return rc;
}
