// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// berth-check: whether a node is as berth needs it, and whether nodes are
// alike. Runs with the rights of whoever runs it, and changes nothing.

#include <getopt.h>
#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/bare.h"
#include "tools/check.h"

enum {
    EXIT_GOOD = 0,
    EXIT_BAD = 1,
    EXIT_TROUBLE = 2,
    LIMIT_SECONDS = 30,
    TASKS_MAX = 65536
};

static const char *const states[] = {"ok", "warning", "bad", "unseen"};

static const char usage[] =
    "usage: berth-check [--json] [--quiet] [--limit=SECONDS] [--nodes=LIST]\n"
    "See berth-check(8).\n";

struct words {
    bool json, quiet;
    unsigned limit;
    const char *nodes;
};

static void too_late(int sig)
{
    static const char text[] =
        "berth-check: bad: this took longer than --limit lets it, and what "
        "did not answer is the engine or a program that was asked for its "
        "version\n";

    (void)sig;
    if (write(2, text, sizeof(text) - 1) < 0)
        _exit(EXIT_TROUBLE);
    _exit(EXIT_BAD);
}

static int trouble(const char *text)
{
    fprintf(stderr, "berth-check: %s\n", text);
    return EXIT_TROUBLE;
}

// --- one node ----------------------------------------------------------------

static int print_json(const struct check *c)
{
    char node[256] = "";
    const char *name = getenv("SLURMD_NODENAME");
    const char *tasks = getenv("SLURM_STEP_NUM_TASKS");
    json_t *lines = json_array();

    gethostname(node, sizeof(node) - 1);
    for (size_t i = 0; i < c->n; i++)
        json_array_append_new(lines, json_pack("{s:s, s:s, s:s}", "check",
                                               c->lines[i].name, "state",
                                               states[c->lines[i].state],
                                               "text", c->lines[i].text));
    json_t *all = json_pack("{s:s, s:i, s:o}", "node", name ? name : node,
                            "asked", tasks ? atoi(tasks) : 1, "lines", lines);
    char *text =
        all ? json_dumps(all, JSON_INDENT(1) | JSON_ENSURE_ASCII) : NULL;
    json_decref(all);
    if (!text)
        return trouble("memory is out");
    puts(text);
    free(text);
    return 0;
}

static int check_here(const struct words *words)
{
    static struct check c;
    int rc = EXIT_GOOD;

    signal(SIGALRM, too_late);
    alarm(words->limit);
    check_node(&c);
    alarm(0);
    for (size_t i = 0; i < c.n; i++)
        if (c.lines[i].state == CHECK_BAD)
            rc = EXIT_BAD;
    if (words->json)
        return print_json(&c) == 0 ? rc : EXIT_TROUBLE;
    for (size_t i = 0; i < c.n; i++)
        if (!words->quiet || c.lines[i].state == CHECK_BAD)
            printf("%-8s %-8s %s\n", states[c.lines[i].state], c.lines[i].name,
                   c.lines[i].text);
    return rc;
}

// --- several nodes -----------------------------------------------------------

// Starts berth-check --json on each node of LIST, by srun, on the host.
// Returns what it writes, or NULL.
static FILE *start_srun(const char *list, pid_t *pid)
{
    char nodes[4096];
    int pair[2];

    if (snprintf(nodes, sizeof(nodes), "--nodelist=%s", list) >=
            (int)sizeof(nodes) ||
        pipe(pair) < 0)
        return NULL;
    *pid = fork();
    if (*pid == 0) {
        dup2(pair[1], 1);
        close(pair[0]);
        close(pair[1]);
        bare_environment();
        execlp("srun", "srun", "--label", "--ntasks-per-node=1", nodes,
               BERTH_SBINDIR "/berth-check", "--json", (char *)NULL);
        fprintf(stderr, "berth-check: srun: %m\n");
        _exit(127);
    }
    close(pair[1]);
    if (*pid > 0)
        return fdopen(pair[0], "r");
    close(pair[0]);
    return NULL;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

// Says whether REPORT has LINE, word for word.
static bool has_line(const json_t *report, const json_t *line)
{
    const json_t *other;
    size_t i;

    json_array_foreach (json_object_get(report, "lines"), i, other)
        if (json_equal(line, other))
            return true;
    return false;
}

// A line that not all nodes have, or that is bad, once, and who has it.
static void print_line(const json_t *reports, size_t first, const json_t *line)
{
    size_t n = json_array_size(reports), have = 0;

    for (size_t i = 0; i < n; i++) {
        bool has = has_line(json_array_get(reports, i), line);
        if (has && i < first)
            return; // it was said there
        have += has;
    }
    bool bad = strcmp(text_of(line, "state"), "bad") == 0;
    if (have == n && !bad)
        return;
    printf("%-8s %-8s %s\n         %-8s ", text_of(line, "state"),
           text_of(line, "check"), text_of(line, "text"), "on");
    for (size_t i = 0, said = 0; i < n; i++)
        if (has_line(json_array_get(reports, i), line))
            printf("%s%s", said++ ? "," : "",
                   text_of(json_array_get(reports, i), "node"));
    putchar('\n');
}

// Reads what the tasks write, of which each line has the task's number in
// front: srun mixes the lines of several.
static void read_reports(FILE *f, json_t *reports)
{
    struct text {
        char *v;
        size_t len;
    } *texts = calloc(TASKS_MAX, sizeof(*texts));
    char *line = NULL, *behind;
    size_t cap = 0;
    ssize_t len;

    while (texts && (len = getline(&line, &cap, f)) > 0) {
        unsigned long task = strtoul(line, &behind, 10);
        if (behind == line || *behind != ':' || task >= TASKS_MAX)
            continue;
        size_t n = (size_t)(line + len - ++behind);
        char *more = realloc(texts[task].v, texts[task].len + n);
        if (!more)
            break;
        memcpy(more + texts[task].len, behind, n);
        texts[task].v = more;
        texts[task].len += n;
    }
    for (size_t i = 0; texts && i < TASKS_MAX; i++) {
        json_t *report =
            texts[i].v ? json_loadb(texts[i].v, texts[i].len, 0, NULL) : NULL;
        if (report)
            json_array_append_new(reports, report);
        free(texts[i].v);
    }
    free(texts);
    free(line);
}

// Whether there is a report of each node that was asked, by what those say that
// there are. Where one has said nothing, its task's exit status can be that of
// a node on which something is bad.
static bool have_all(const json_t *reports)
{
    json_int_t n = (json_int_t)json_array_size(reports);
    const json_t *report;
    size_t i;

    json_array_foreach (reports, i, report)
        if (json_integer_value(json_object_get(report, "asked")) > n)
            return false;
    return true;
}

static int compare_nodes(const struct words *words)
{
    json_t *reports = json_array();
    pid_t pid = -1;
    int status = 0, rc = EXIT_GOOD;

    FILE *f = start_srun(words->nodes, &pid);
    if (!f)
        return trouble("srun could not be started");
    read_reports(f, reports);
    fclose(f);
    waitpid(pid, &status, 0);
    size_t n = json_array_size(reports);
    if (n == 0) {
        json_decref(reports);
        return trouble("no node has answered");
    }
    if (words->json)
        json_dumpf(reports, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
    for (size_t i = 0; i < n; i++) {
        const json_t *line;
        size_t k;
        json_array_foreach (
            json_object_get(json_array_get(reports, i), "lines"), k, line) {
            if (strcmp(text_of(line, "state"), "bad") == 0)
                rc = EXIT_BAD;
            if (!words->json)
                print_line(reports, i, line);
        }
    }
    if (!words->json)
        printf("%zu nodes have answered\n", n);
    else
        putchar('\n');
    // What is bad on a node is its task's exit status, and so srun's.
    bool all =
        have_all(reports) && WIFEXITED(status) && WEXITSTATUS(status) == rc;
    json_decref(reports);
    return all ? rc
               : trouble("not all nodes have answered: what srun says is "
                         "above");
}

int main(int argc, char **argv)
{
    static const struct option known[] = {
        {"help", no_argument, NULL, 'h'},
        {"json", no_argument, NULL, 'j'},
        {"limit", required_argument, NULL, 'l'},
        {"nodes", required_argument, NULL, 'n'},
        {"quiet", no_argument, NULL, 'q'},
        {0}};
    struct words words = {.limit = LIMIT_SECONDS};
    int c;

    while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (c == 'j') {
            words.json = true;
        } else if (c == 'q') {
            words.quiet = true;
        } else if (c == 'n') {
            words.nodes = optarg;
        } else if (c == 'l') {
            words.limit = (unsigned)strtoul(optarg, NULL, 10);
            if (words.limit == 0 || words.limit > 3600)
                return trouble(
                    "--limit is a number of seconds: from 1 to 3600");
        } else {
            fputs(usage, c == 'h' ? stdout : stderr);
            return c == 'h' ? EXIT_GOOD : EXIT_TROUBLE;
        }
    }
    if (optind < argc) {
        fputs(usage, stderr);
        return EXIT_TROUBLE;
    }
    return words.nodes ? compare_nodes(&words) : check_here(&words);
}
