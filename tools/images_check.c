// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: lines that berth-images prints on the nodes, as root there.

#include "tools/images_check.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "logic/imgref.h"
#include "logic/manifest.h"
#include "tools/bare.h"

// What a node has.
struct seen {
    char node[65];
    char digest[MANIFEST_DIGEST];
    char id[MANIFEST_DIGEST];
    char name[IMGREF_TEXT_MAX];
};

struct list {
    size_t n;
    struct seen *v;
};

static int add(struct list *list, const char *line, struct berth_err *err)
{
    struct seen seen;

    // The widths are those of struct seen.
    _Static_assert(IMGREF_TEXT_MAX > 780 && MANIFEST_DIGEST == 72, "they fit");
    if (sscanf(line, "%64s %71s %71s %780s", seen.node, seen.digest, seen.id,
               seen.name) != 4 ||
        !manifest_is_digest(seen.digest) || !manifest_is_digest(seen.id))
        return err_set(err, BERTH_EINVAL,
                       "a node says \"%.80s\", which is nothing that "
                       "berth-images prints: is it of the same version there?",
                       line);
    struct seen *more = reallocarray(list->v, list->n + 1, sizeof(*more));
    if (!more)
        return err_set(err, BERTH_ENOMEM, "out of memory");
    list->v = more;
    list->v[list->n++] = seen;
    return 0;
}

// The child.
static _Noreturn void run_srun(const char *nodes, int out)
{
    static const char program[] = BERTH_SBINDIR "/berth-images";
    const char *argv[12];
    size_t n = 0;

    argv[n++] = "srun";
    argv[n++] = "--quiet";
    argv[n++] = "--ntasks-per-node=1";
    argv[n++] = "--mem=0";
    argv[n++] = "--job-name=berth-images";
    if (nodes) {
        argv[n++] = "--nodelist";
        argv[n++] = nodes;
    }
    argv[n++] = program;
    argv[n++] = "list";
    argv[n++] = "--lines";
    argv[n] = NULL;
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0)
        _exit(126);
    bare_environment();
    execvp(argv[0], (char *const *)argv);
    fprintf(stderr, "berth-images: srun: %m\n");
    _exit(127);
}

static int ask(const char *nodes, struct list *list, struct berth_err *err)
{
    int pair[2], status = -1, rc = 0;
    char *line = NULL;
    size_t cap = 0;

    if (pipe2(pair, O_CLOEXEC) < 0)
        return err_set(err, BERTH_ESYS, "pipe: %m");
    pid_t pid = fork();
    if (pid == 0)
        run_srun(nodes, pair[1]);
    close(pair[1]);
    FILE *f = fdopen(pair[0], "r");
    for (ssize_t n; f && rc == 0 && (n = getline(&line, &cap, f)) > 0;) {
        line[strcspn(line, "\n")] = 0;
        rc = add(list, line, err);
    }
    free(line);
    if (f)
        fclose(f);
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return err_set(err, BERTH_ESYS, "fork: %m");
    return rc < 0 || status == 0
               ? rc
               : err_set(
                     err, BERTH_ESYS,
                     "not all nodes have answered: what srun says is above");
}

static int by_name(const void *a, const void *b)
{
    const struct seen *left = a, *right = b;
    int order = strcmp(left->name, right->name);

    if (!order)
        order = strcmp(left->digest, right->digest);
    return order ? order : strcmp(left->node, right->node);
}

// How many from FIRST on have the same name; with DIGEST, and the same digest.
static size_t same(const struct list *list, size_t first, bool digest)
{
    size_t n = 1;

    while (first + n < list->n &&
           strcmp(list->v[first].name, list->v[first + n].name) == 0 &&
           (!digest ||
            strcmp(list->v[first].digest, list->v[first + n].digest) == 0))
        n++;
    return n;
}

static json_t *nodes_json(const struct list *list, size_t first, size_t n)
{
    json_t *nodes = json_array();

    for (size_t i = first; i < first + n; i++)
        json_array_append_new(nodes, json_string(list->v[i].node));
    return nodes;
}

static void print_nodes(const struct list *list, size_t first, size_t n,
                        FILE *out)
{
    fprintf(out, "    %s  ", list->v[first].digest);
    for (size_t i = first; i < first + n; i++)
        fprintf(out, "%s%s", i > first ? "," : "", list->v[i].node);
    fputc('\n', out);
}

// One name, of the N from FIRST on. Returns whether it is one image.
static bool tell(const struct list *list, size_t first, size_t n,
                 json_t *report, FILE *out)
{
    bool one = same(list, first, true) == n;
    json_t *digests = json_object();

    if (!one && !report)
        fprintf(out, "%s is not the same on all nodes:\n", list->v[first].name);
    for (size_t i = first, part; i < first + n; i += part) {
        part = same(list, i, true);
        json_object_set_new(digests, list->v[i].digest,
                            nodes_json(list, i, part));
        if (!one && !report)
            print_nodes(list, i, part, out);
    }
    if (report)
        json_array_append_new(report, json_pack("{s:s, s:b, s:O}", "name",
                                                list->v[first].name, "same",
                                                one, "digests", digests));
    json_decref(digests);
    return one;
}

int images_check(const char *nodes, bool json, FILE *out, struct berth_err *err)
{
    json_t *report = json ? json_array() : NULL;
    struct list list = {0};
    int rc = ask(nodes, &list, err);

    if (rc == 0 && list.n > 0)
        qsort(list.v, list.n, sizeof(*list.v), by_name);
    for (size_t i = 0, n; rc >= 0 && i < list.n; i += n) {
        n = same(&list, i, false);
        if (!tell(&list, i, n, report, out))
            rc = 1;
    }
    if (rc >= 0 && report) {
        json_dumpf(report, out, JSON_INDENT(2) | JSON_ENSURE_ASCII);
        fputc('\n', out);
    }
    json_decref(report);
    free(list.v);
    return rc;
}
