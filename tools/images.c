// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// berth-images: the administrator's tool for the images that berth brings to a
// node: which there are, fetching one beforehand, keeping one, making room. As
// root. berth-epilog calls it after a job, to make room (gc --quiet).

#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "engine/clock.h"
#include "images/gc.h"
#include "images/record.h"
#include "images/stock.h"
#include "logic/imgref.h"
#include "logic/policy.h"
#include "tools/images_check.h"
#include "tools/images_list.h"
#include "tools/images_pull.h"
#include "tools/read_policy.h"

enum {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    GC_SECONDS = 600, // the longest that making room goes on
    // Digits by which somebody may name an image.
    PREFIX_MIN = 6,
};

struct words {
    const char *command;
    const char *node, *nodes, *conf, *plugstack;
    enum images_form form;
    bool dry_run, quiet, root;
    size_t n; // names
    char **names;
};

static const char usage[] = "usage: berth-images list [--json]\n"
                            "       berth-images pull [--root] NAME ...\n"
                            "       berth-images pin NAME ...\n"
                            "       berth-images unpin NAME ...\n"
                            "       berth-images remove NAME ...\n"
                            "       berth-images gc [--dry-run]\n"
                            "       berth-images check [--nodes=LIST]\n"
                            "See berth-images(8).\n";

static bool quiet;

// One line to standard error; or to syslog, where nobody reads that.
static int trouble(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static int trouble(const char *fmt, ...)
{
    char text[2048];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    err_scrub(text);
    if (quiet)
        syslog(LOG_DAEMON | LOG_WARNING, "%s", text);
    else
        fprintf(stderr, "berth-images: %s\n", text);
    return EXIT_FAILED;
}

// --- which image -------------------------------------------------------------

// Whether TEXT is a beginning of DIGEST, with or without "sha256:".
static bool is_digest(const char *text, const char *digest)
{
    static const char sha[] = "sha256:";
    size_t len;

    if (strncmp(text, sha, strlen(sha)) == 0)
        text += strlen(sha);
    len = strlen(text);
    return len >= PREFIX_MIN && strncmp(text, digest + strlen(sha), len) == 0;
}

static bool is_meant(const struct stock_entry *entry, const char *text,
                     const char *name)
{
    return strcmp(entry->record.name, name) == 0 ||
           is_digest(text, entry->record.id) ||
           is_digest(text, entry->record.digest);
}

// Calls DO_IT for each image of STOCK that has the name TEXT, or the ID or
// digest. EXIT_DONE, or EXIT_FAILED and that is said.
static int with_image(const struct stock *stock, const char *text,
                      int (*do_it)(void *arg, const struct stock_image *image,
                                   const char *name),
                      void *arg)
{
    char name[IMGREF_TEXT_MAX] = "";
    int rc = EXIT_DONE;
    struct imgref ref;
    size_t found = 0;

    if (imgref_parse(text, &ref, NULL) == 0)
        imgref_format(&ref, name);
    for (size_t i = 0; i < stock->nimages; i++)
        for (size_t k = 0; k < stock->images[i].n; k++)
            if (is_meant(&stock->images[i].entries[k], text, name)) {
                found++;
                if (do_it(arg, &stock->images[i], name) != EXIT_DONE)
                    rc = EXIT_FAILED;
                break;
            }
    return found ? rc
                 : trouble("berth has brought no image %s to this node: "
                           "`berth-images list` has those that there are",
                           text);
}

// The same for each name on the command line.
static int with_images(const struct words *words,
                       int (*do_it)(void *arg, const struct stock_image *image,
                                    const char *name),
                       void *arg)
{
    struct berth_err err = {0};
    struct stock stock;
    int rc = EXIT_DONE;

    if (stock_read(BERTH_STATEDIR, words->node, &stock, &err) < 0)
        return trouble("%s", err.text);
    for (size_t i = 0; i < words->n; i++)
        if (with_image(&stock, words->names[i], do_it, arg) != EXIT_DONE)
            rc = EXIT_FAILED;
    stock_clear(&stock);
    return rc;
}

// --- the commands ------------------------------------------------------------

// Sizes, as far as engines say them.
static void measure(struct stock *stock)
{
    const char *last = "";

    for (size_t i = 0; i < stock->nimages; i++) {
        struct berth_err err = {0};
        struct gc_there there = {0};
        const char *path = stock->images[i].engine;
        if (strcmp(last, path) == 0)
            continue;
        last = path;
        struct engine *engine = engine_open(path, NULL, &err);
        if (!engine || gc_measure(engine, path, stock, &there, &err) < 0)
            trouble("no sizes: %s", err.text);
        free(there.v);
        engine_close(engine);
    }
}

static int list(const struct words *words)
{
    struct berth_err err = {0};
    struct stock stock;

    const char *node = words->node;

    // What a step of images_check's asks.
    if (words->form == IMAGES_LINES && !node)
        node = getenv("SLURMD_NODENAME");
    if (stock_read(BERTH_STATEDIR, node, &stock, &err) < 0)
        return trouble("%s", err.text);
    if (words->form != IMAGES_LINES)
        measure(&stock);
    images_list(&stock, words->form, stdout);
    stock_clear(&stock);
    return EXIT_DONE;
}

static int pin_one(void *arg, const struct stock_image *image, const char *name)
{
    const struct words *words = arg;
    bool pinned = strcmp(words->command, "pin") == 0;
    int rc = EXIT_DONE;

    // Of an image that has several names, the one that was said; or all, where
    // that was a digest.
    for (size_t i = 0; i < image->n; i++) {
        const struct stock_entry *e = &image->entries[i];
        struct berth_err err = {0};
        if (*name && strcmp(e->record.name, name) != 0)
            continue;
        int dir = record_open(BERTH_STATEDIR, e->node, &err);
        if (dir < 0 || record_pin(dir, &e->record, pinned, &err) < 0)
            rc = trouble("%s: %s", e->record.name, err.text);
        if (dir >= 0)
            close(dir);
    }
    return rc;
}

static int remove_one(void *arg, const struct stock_image *image,
                      const char *name)
{
    const struct words *words = arg;
    struct berth_err err = {0};
    struct engine *engine = engine_open(image->engine, NULL, &err);
    int rc = EXIT_DONE;

    (void)name;
    if (!engine || gc_remove(BERTH_STATEDIR, engine, image, &err) < 0)
        rc = trouble("%s stays: %s", image->entries[0].record.name, err.text);
    else
        images_tell(image, "removed", NULL, words->form, stdout);
    engine_close(engine);
    return rc;
}

static void tell_gc(void *arg, const struct stock_image *image, const char *why)
{
    const struct words *words = arg;
    const char *word = why              ? "kept"
                       : words->dry_run ? "would be removed"
                                        : "removed";

    if (!words->quiet)
        images_tell(image, word, why, words->form, stdout);
    else if (!why)
        syslog(LOG_DAEMON | LOG_INFO, "removed the image %s, to make room",
               image->entries[0].record.name);
}

static int gc_with(const struct words *words, const struct policy *policy,
                   const char *path)
{
    struct gc gc = {
        .state = BERTH_STATEDIR,
        .dry_run = words->dry_run,
        .end_ms = clock_ms() + 1000LL * GC_SECONDS,
        .told = tell_gc,
        .arg = (void *)words,
    };
    struct berth_err err = {0};
    struct stock stock = {0};
    int rc = EXIT_DONE;

    policy_images(policy, &gc.max, &gc.free);
    struct engine *engine = engine_open(path, NULL, &err);
    if (!engine || stock_read(BERTH_STATEDIR, NULL, &stock, &err) < 0 ||
        gc_run(&gc, engine, path, &stock, &err) < 0)
        rc = trouble("%s", err.text);
    stock_clear(&stock);
    engine_close(engine);
    return rc;
}

// Steps whose users are root in them may have another engine.
static int gc_all(const struct words *words, const struct policy *policy)
{
    const char *path = policy_engine(policy),
               *roots = policy_root_engine(policy);
    int rc = gc_with(words, policy, path);

    if (strcmp(roots, path) == 0)
        return rc;
    int other = gc_with(words, policy, roots);
    return rc == EXIT_DONE ? other : rc;
}

// One at a time: after a job there is nothing to do where another is at it.
static int make_room(const struct words *words)
{
    struct policy *policy = NULL;
    struct berth_err err = {0};
    bool unread;

    int fd = open(BERTH_STATEDIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return trouble("%s: %m", BERTH_STATEDIR);
    if (flock(fd, LOCK_EX | (words->quiet ? LOCK_NB : 0)) < 0) {
        close(fd);
        return EXIT_DONE;
    }
    int rc =
        read_policy(words->plugstack, words->conf, &policy, &unread, &err) == 0
            ? gc_all(words, policy)
            : trouble("%s", err.text);
    policy_free(policy);
    close(fd);
    return rc;
}

static int pull(const struct words *words)
{
    struct policy *policy = NULL;
    struct berth_err err = {0};
    int rc = EXIT_DONE;
    bool unread;

    if (read_policy(words->plugstack, words->conf, &policy, &unread, &err) < 0)
        return trouble("%s", err.text);
    for (size_t i = 0; i < words->n; i++)
        if (images_pull(policy, words->root, words->node, words->names[i],
                        words->form, &err) < 0)
            rc = trouble("%s", err.text);
    policy_free(policy);
    return rc;
}

static int check(const struct words *words)
{
    struct berth_err err = {0};

    if (!words->nodes && !getenv("SLURM_JOB_ID"))
        return trouble("which nodes? Name them by --nodes=LIST, or call this "
                       "in an allocation");
    int rc =
        images_check(words->nodes, words->form == IMAGES_JSON, stdout, &err);
    return rc < 0 ? trouble("%s", err.text) : rc;
}

static int pin(const struct words *words)
{
    return with_images(words, pin_one, (void *)words);
}

static int remove_images(const struct words *words)
{
    return with_images(words, remove_one, (void *)words);
}

// --- the command line --------------------------------------------------------

static const struct {
    const char *name;
    bool takes_names;
    int (*run)(const struct words *words);
} commands[] = {
    {"check", false, check}, {"gc", false, make_room},
    {"list", false, list},   {"pin", true, pin},
    {"pull", true, pull},    {"remove", true, remove_images},
    {"unpin", true, pin},
};

enum {
    OPT_CONF = 256,
    OPT_PLUGSTACK,
    OPT_NODE,
    OPT_NODES,
    OPT_LINES,
    OPT_ROOT
};

static const struct option options[] = {
    {"conf", required_argument, NULL, OPT_CONF},
    {"dry-run", no_argument, NULL, 'n'},
    {"json", no_argument, NULL, 'j'},
    {"lines", no_argument, NULL, OPT_LINES},
    {"node", required_argument, NULL, OPT_NODE},
    {"nodes", required_argument, NULL, OPT_NODES},
    {"plugstack", required_argument, NULL, OPT_PLUGSTACK},
    {"quiet", no_argument, NULL, 'q'},
    {"root", no_argument, NULL, OPT_ROOT},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {0},
};

static bool read_words(int argc, char **argv, struct words *words)
{
    for (int c; (c = getopt_long(argc, argv, "nqhV", options, NULL)) != -1;) {
        switch (c) {
        case OPT_CONF:
            words->conf = optarg;
            break;
        case OPT_PLUGSTACK:
            words->plugstack = optarg;
            break;
        case OPT_NODE:
            words->node = optarg;
            break;
        case OPT_NODES:
            words->nodes = optarg;
            break;
        case OPT_LINES:
            words->form = IMAGES_LINES;
            break;
        case OPT_ROOT:
            words->root = true;
            break;
        case 'j':
            words->form = IMAGES_JSON;
            break;
        case 'n':
            words->dry_run = true;
            break;
        case 'q':
            words->quiet = true;
            break;
        case 'h':
            fputs(usage, stdout);
            exit(EXIT_DONE);
        case 'V':
            puts("berth-images " PACKAGE_VERSION);
            exit(EXIT_DONE);
        default:
            return false;
        }
    }
    if (optind == argc ||
        (words->node && (strchr(words->node, '/') || words->node[0] == '.')))
        return false;
    words->command = argv[optind];
    words->n = (size_t)(argc - optind - 1);
    words->names = argv + optind + 1;
    return true;
}

int main(int argc, char **argv)
{
    struct words words = {0};

    if (read_words(argc, argv, &words))
        for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
            if (strcmp(commands[i].name, words.command) == 0 &&
                commands[i].takes_names == (words.n > 0)) {
                umask(022);
                quiet = words.quiet;
                if (quiet)
                    openlog("berth-images", LOG_PID, LOG_DAEMON);
                int rc = commands[i].run(&words);
                return fflush(stdout) == 0 ? rc : trouble("cannot write: %m");
            }
    fputs(usage, stderr);
    return EXIT_USAGE;
}
