// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// berth-setup: has Slurm load the plugin and call the prolog and the epilog,
// by lines in its configuration, or takes these lines back. Run by hand, with
// the rights of whoever runs it. Input: the files of Slurm's configuration,
// which are the administrator's. All is decided before anything is written;
// what is not understood is refused with one sentence.

#include <errno.h>
#include <fnmatch.h>
#include <getopt.h>
#include <glob.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "logic/plugstack.h"
#include "logic/policy.h"
#include "logic/strv.h"
#include "node/trusted.h"
#include "tools/installed.h"
#include "tools/slurm_conf.h"

#define PLUGIN "spank_berth.so"
#define LINK_NAME "50-berth"
#define PODMAN "/run/podman/podman.sock"

enum { EXIT_REFUSED = 1, EXIT_USAGE = 2 };

static const char usage[] =
    "usage: berth-setup [--dry-run] [--plugin | --hooks] [WORD ...]\n"
    "       berth-setup [--dry-run] [--plugin | --hooks] --undo\n"
    "See berth-setup(8).\n";

// A program that slurmd is to call.
static const struct hook {
    const char *key, *program;
} hooks[] = {
    {"Prolog", BERTH_SBINDIR "/berth-prolog"},
    {"Epilog", BERTH_SBINDIR "/berth-epilog"},
};
enum { HOOKS = sizeof(hooks) / sizeof(*hooks) };

static struct {
    bool dry_run, undo, plugin, hooks;
    bool handed_out;         // by slurmctld, and not to be changed here
    struct conf_files slurm; // slurm.conf, and what it includes
    struct conf_files stack; // plugstack.conf, and what it includes
    struct strv links;       // symbolic links to be made
    const char *targets[HOOKS];
    struct strv unlinks; // and to be removed
    struct strv done;    // what is done, a line each
    struct strv notes;   // what else there is to say
    struct berth_err err;
} setup;

// --- what is said ------------------------------------------------------------

static void __attribute__((noreturn, format(printf, 1, 2)))
refuse(const char *fmt, ...)
{
    va_list ap;

    fputs("berth-setup: ", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    exit(EXIT_REFUSED);
}

static void must(bool done)
{
    if (!done)
        refuse("%s", setup.err.text[0] ? setup.err.text : "memory is out");
}

#define say(...) must(strv_addf(&setup.done, __VA_ARGS__) == 0)
#define note(...) must(strv_addf(&setup.notes, __VA_ARGS__) == 0)

// --- where Slurm's configuration is ------------------------------------------

// Writes NAME to BUF, or its path beside FILE if it is not absolute.
static void beside(const char *file, const char *name, char *buf, size_t size)
{
    const char *slash = strrchr(file, '/');

    if (*name == '/' || !slash)
        snprintf(buf, size, "%s", name);
    else
        snprintf(buf, size, "%.*s/%s", (int)(slash - file), file, name);
}

static struct conf_line find(const char *key)
{
    struct conf_line line;

    must(conf_find(&setup.slurm, key, &line, &setup.err) == 0);
    return line;
}

// The next line of TEXT that loads the plugin, or includes other files. AT is
// zeroed at first. Borrowed until the next call; NULL at the end.
static const struct plugstack_line *next_line(const char *text,
                                              struct plugstack *at)
{
    static struct plugstack_line line; // it is large

    at->text = text;
    at->len = strlen(text);
    return plugstack_next(at, PLUGIN, &line) ? &line : NULL;
}

static void open_stack(const char *path)
{
    const struct plugstack_line *line;
    char pattern[4096 * 2];
    glob_t g;

    must(conf_open(&setup.stack, path, &setup.err));
    // It grows meanwhile; each file is there once, so this ends.
    for (size_t i = 0; i < setup.stack.n; i++) {
        struct plugstack at = {0};
        while ((line = next_line(setup.stack.v[i]->text, &at))) {
            beside(setup.stack.v[i]->name, line->path, pattern,
                   sizeof(pattern));
            if (line->kind != PLUGSTACK_INCLUDE ||
                glob(pattern, 0, NULL, &g) != 0)
                continue;
            for (size_t j = 0; j < g.gl_pathc; j++)
                must(conf_open(&setup.stack, g.gl_pathv[j], &setup.err));
            globfree(&g);
        }
    }
}

// Opens slurm.conf, plugstack.conf and what they include. False: there is none
// on this host, and nothing to be taken back.
static bool open_slurm(void)
{
    static const char handed_out[] = "/run/slurm/conf/slurm.conf";
    const char *path = getenv("SLURM_CONF");
    char plugstack[4096 * 2];

    if (!path)
        path = "/etc/slurm/slurm.conf";
    if (access(path, F_OK) < 0) {
        int saved = errno;
        setup.handed_out = access(handed_out, F_OK) == 0;
        if (setup.handed_out)
            path = handed_out;
        else if (setup.undo)
            return false;
        else
            refuse("%s: %s: name Slurm's configuration by SLURM_CONF", path,
                   strerror(saved));
    }
    must(conf_open_slurm(&setup.slurm, path, &setup.err) == 0);
    struct conf_line line = find("PlugStackConfig");
    beside(path, line.number ? line.value : "plugstack.conf", plugstack,
           sizeof(plugstack));
    open_stack(plugstack);
    return true;
}

// --- the plugin's line -------------------------------------------------------

// The file for the line: berth.conf in a directory of which plugstack.conf
// includes all such files, or plugstack.conf itself. That alone is it where
// slurmctld hands it out, without what it includes.
static struct conf_file *line_file(void)
{
    struct conf_file *top = setup.stack.v[0];
    struct conf_line parameters = find("SlurmctldParameters");
    const struct plugstack_line *line;
    struct plugstack at = {0};
    char path[4096 * 2];

    if (parameters.number && strcasestr(parameters.value, "enable_configless"))
        return top;
    while ((line = next_line(top->text, &at))) {
        beside(top->name, line->path, path, sizeof(path));
        char *slash = strrchr(path, '/');
        if (line->kind != PLUGSTACK_INCLUDE || !slash ||
            fnmatch(slash + 1, "berth.conf", 0) != 0)
            continue;
        *slash = 0;
        if (access(path, F_OK) < 0)
            continue;
        strcpy(slash, "/berth.conf");
        struct conf_file *file = conf_open(&setup.stack, path, &setup.err);
        must(file);
        return file;
    }
    return top;
}

// Slurm looks for a bare name in its own directory of plugins.
static const char *plugin_name(void)
{
    static const char path[] = BERTH_PLUGINDIR "/" PLUGIN;
    struct conf_line line = find("PluginDir");

    if (access(path, F_OK) < 0)
        refuse("%s: %s: install berth first", path, strerror(errno));
    bool own = line.number
                   ? strstr(line.value, BERTH_PLUGINDIR) != NULL
                   : access(BERTH_PLUGINDIR "/task_cgroup.so", F_OK) == 0;
    return own ? PLUGIN : path;
}

// Adds an engine= where none is given and Podman's is the one that is here.
static void choose_engine(struct strv *words)
{
    for (size_t i = 0; i < words->n; i++)
        if (!strncmp(words->v[i], "engine=", strlen("engine=")))
            return;
    if (access("/run/docker.sock", F_OK) < 0 && access(PODMAN, F_OK) == 0)
        must(strv_add(words, "engine=unix://" PODMAN) == 0);
}

// Reads the policy of these words as a node would, and refuses what that would
// refuse. What is wrong with the engine's socket hinders nothing.
static void look_at_policy(size_t n, const char *const *words)
{
    struct installed here = {0};
    char *text = NULL;
    size_t len = 0;
    bool given;
    const char *conf = policy_conf_path(n, words, &given);

    if (trusted_read(conf, &text, &len, &setup.err) < 0)
        must(setup.err.code == BERTH_ENOTFOUND && !given);
    struct policy *policy =
        policy_parse(n, words, NULL, conf, text, len, &setup.err);
    must(policy);
    if (setup.hooks)
        must(installed_engine(policy_engine(policy), &here) == 0);
    for (size_t i = 0; i < here.problems.n; i++)
        note("to do: %s", here.problems.v[i]);
    installed_clear(&here);
    policy_free(policy);
    free(text);
}

// Says whether the plugin is loaded as it is.
static bool is_loaded(const struct strv *words)
{
    const struct plugstack_line *line;

    for (size_t i = 0; i < setup.stack.n; i++) {
        const struct conf_file *file = setup.stack.v[i];
        struct plugstack at = {0};
        while ((line = next_line(file->text, &at))) {
            if (line->kind != PLUGSTACK_PLUGIN)
                continue;
            if (words->n > 0)
                refuse("%s line %d loads " PLUGIN " already: edit that line, "
                       "or take it back first, with --undo",
                       file->path, line->number);
            note("%s line %d loads " PLUGIN, file->path, line->number);
            look_at_policy(line->argc, line->argv);
            return true;
        }
    }
    return false;
}

static void add_plugin(struct strv *words)
{
    char line[PLUGSTACK_LINE_MAX];

    if (is_loaded(words))
        return;
    choose_engine(words);
    int n = snprintf(line, sizeof(line), "required %s", plugin_name());
    for (size_t i = 0; i < words->n && n < (int)sizeof(line); i++) {
        if (words->v[i][strcspn(words->v[i], " \t\n#")])
            refuse("\"%s\": a word of the plugin's line has no space and no #",
                   words->v[i]);
        n += snprintf(line + n, sizeof(line) - n, " %s", words->v[i]);
    }
    // With its newline; more than that Slurm does not read.
    if (n >= (int)sizeof(line) - 1)
        refuse("the plugin's line is longer than Slurm reads: write patterns "
               "into berth.conf");
    look_at_policy(words->n, (const char *const *)words->v);
    struct conf_file *file = line_file();
    must(conf_add(file, line) == 0);
    say("%s: added \"%s\"", file->path, line);
}

// --- prolog and epilog -------------------------------------------------------

// The path of the link in the directory of which LINE calls all files. False:
// it names no directory's files, or not all.
static bool link_path(const struct conf_line *line, char *buf, size_t size)
{
    const char *slash = strrchr(line->value, '/');

    if (!slash || strpbrk(line->value, "*?[") < slash ||
        fnmatch(slash + 1, LINK_NAME, FNM_PERIOD) != 0)
        return false;
    snprintf(buf, size, "%.*s/" LINK_NAME, (int)(slash - line->value),
             line->value);
    return true;
}

// Beside another program, where Slurm takes one line.
static void add_link(const struct hook *hook, const struct conf_line *line)
{
    char path[4096 * 2];

    if (!link_path(line, path, sizeof(path)))
        refuse("%s line %d has %s=%s, and Slurm %d.%02d takes one such line: "
               "put that program and a link to %s into a directory on each "
               "node, and write %s=DIRECTORY/* in its place",
               line->file->path, line->number, hook->key, line->value,
               SLURM_VERSION_MAJOR(SLURM_VERSION_NUMBER),
               SLURM_VERSION_MINOR(SLURM_VERSION_NUMBER), hook->program,
               hook->key);
    setup.targets[setup.links.n] = hook->program;
    must(strv_add(&setup.links, path) == 0);
    say("%s: made a link to %s", path, hook->program);
}

static void add_line(const char *line)
{
    struct conf_file *file = setup.slurm.v[0];

    must(conf_add(file, line) == 0);
    say("%s: added \"%s\"", file->path, line);
}

static void add_hook(const struct hook *hook)
{
    struct conf_line line;
    char text[4096];

    if (access(hook->program, X_OK) < 0)
        refuse("%s: %s: install berth on this node first", hook->program,
               strerror(errno));
    int called = conf_find_hook(&setup.slurm, hook->key, hook->program,
                                CONF_TAKES_LINES, &line, &setup.err);
    must(called >= 0);
    if (called) {
        note("%s line %d has %s=%s", line.file->path, line.number, hook->key,
             line.value);
    } else if (line.number && !CONF_TAKES_LINES) {
        add_link(hook, &line);
    } else {
        snprintf(text, sizeof(text), "%s=%s", hook->key, hook->program);
        add_line(text);
    }
}

// A job's record is to be there before its first step.
static void add_flag(void)
{
    static const char *const enough[] = {"Alloc", "Contain", "X11"};
    struct conf_line line = find("PrologFlags");
    char text[4096 * 2];

    if (!line.number) {
        add_line("PrologFlags=Alloc");
        return;
    }
    for (size_t i = 0; i < sizeof(enough) / sizeof(*enough); i++)
        if (strcasestr(line.value, enough[i]))
            return;
    snprintf(text, sizeof(text), "PrologFlags=%s,Alloc", line.value);
    must(conf_replace(line.file, line.number, text) == 0);
    say("%s line %d: made \"%s\"", line.file->path, line.number + 1, text);
}

static void add_hooks(void)
{
    size_t before = setup.done.n;

    for (size_t i = 0; i < HOOKS; i++)
        add_hook(&hooks[i]);
    add_flag();
    if (setup.done.n > before)
        note("to do: the same for every node, then \"scontrol reconfigure\"");
}

// --- back --------------------------------------------------------------------

static bool known_plugin(const char *line, const char *old)
{
    struct plugstack at = {0};
    const struct plugstack_line *is = next_line(line, &at);

    return !old && is && is->kind == PLUGSTACK_PLUGIN;
}

static bool known_hook(const char *line, const char *old)
{
    static const char key[] = "PrologFlags=", flag[] = ",Alloc";
    char text[4096];

    for (size_t i = 0; i < HOOKS; i++) {
        snprintf(text, sizeof(text), "%s=%s", hooks[i].key, hooks[i].program);
        if (!old && !strcmp(line, text))
            return true;
    }
    if (!old)
        return !strcmp(line, "PrologFlags=Alloc");
    // What was there, and one word more.
    size_t len = strlen(line);
    if (strncmp(line, key, sizeof(key) - 1) != 0 ||
        len < sizeof(key) + sizeof(flag) ||
        strcmp(line + len - sizeof(flag) + 1, flag) != 0)
        return false;
    snprintf(text, sizeof(text), "%.*s", (int)(len - sizeof(flag) + 1), line);
    return strstr(old, text + sizeof(key) - 1) != NULL;
}

static void undo_in(struct conf_file *file, conf_known *known)
{
    char line[4096];
    int rc;

    while ((rc = conf_undo(file, known, line, &setup.err)) > 0)
        say("%s: took \"%s\" back", file->path, line);
    must(rc == 0);
}

static bool undo_link(const struct hook *hook, const struct conf_line *line)
{
    char path[4096 * 2], target[4096];

    if (!link_path(line, path, sizeof(path)))
        return false;
    ssize_t n = readlink(path, target, sizeof(target) - 1);
    target[n > 0 ? n : 0] = 0;
    if (strcmp(target, hook->program) != 0)
        return false;
    if (strv_has(&setup.unlinks, path))
        return true;
    must(strv_add(&setup.unlinks, path) == 0);
    say("%s: removed", path);
    return true;
}

// What somebody else wrote is his to change, on whatever line.
static void undo_lines(const struct hook *hook)
{
    struct conf_line line = {0};
    int rc;

    while ((rc = conf_next(&setup.slurm, hook->key, &line, &setup.err)) > 0)
        if (!undo_link(hook, &line) && conf_calls(line.value, hook->program))
            refuse("%s line %d has %s=%s, which berth-setup did not write: "
                   "take berth out of it by hand",
                   line.file->path, line.number, hook->key, line.value);
    must(rc == 0);
}

static void undo_hooks(void)
{
    for (size_t i = 0; i < setup.slurm.n; i++)
        undo_in(setup.slurm.v[i], known_hook);
    for (size_t i = 0; i < HOOKS; i++)
        undo_lines(&hooks[i]);
    if (setup.done.n > 0)
        note("to do: the same for every node, then \"scontrol reconfigure\", "
             "and only then remove berth");
}

static void undo_plugin(void)
{
    const struct plugstack_line *line;

    for (size_t i = 0; i < setup.stack.n; i++) {
        struct conf_file *file = setup.stack.v[i];
        struct plugstack at = {0};
        undo_in(file, known_plugin);
        while ((line = next_line(file->text, &at)))
            if (line->kind == PLUGSTACK_PLUGIN)
                refuse("%s line %d loads " PLUGIN ", and berth-setup did not "
                       "write it: take it out by hand",
                       file->path, line->number);
    }
}

// --- doing it ----------------------------------------------------------------

static void write_files(const struct conf_files *files)
{
    for (size_t i = 0; i < files->n; i++)
        must(conf_write(files->v[i], &setup.err) == 0);
}

// No step is to start in a container that no epilog would clean up after.
static void apply(void)
{
    if (setup.undo)
        write_files(&setup.stack);
    for (size_t i = 0; i < setup.unlinks.n; i++)
        if (unlink(setup.unlinks.v[i]) < 0)
            refuse("%s: %s", setup.unlinks.v[i], strerror(errno));
    for (size_t i = 0; i < setup.links.n; i++)
        if (symlink(setup.targets[i], setup.links.v[i]) < 0)
            refuse("%s: %s", setup.links.v[i], strerror(errno));
    write_files(&setup.slurm);
    if (!setup.undo)
        write_files(&setup.stack);
}

static void print(void)
{
    for (size_t i = 0; i < setup.done.n; i++)
        printf("%s%s\n", setup.dry_run ? "would be done: " : "",
               setup.done.v[i]);
    for (size_t i = 0; i < setup.notes.n; i++)
        puts(setup.notes.v[i]);
}

static void read_words(int argc, char **argv, struct strv *words)
{
    static const struct option all[] = {
        {"dry-run", no_argument, NULL, 'n'},
        {"help", no_argument, NULL, 'h'},
        {"hooks", no_argument, NULL, 'k'},
        {"plugin", no_argument, NULL, 'p'},
        {"undo", no_argument, NULL, 'u'},
        {"version", no_argument, NULL, 'V'},
        {NULL, 0, NULL, 0},
    };
    int c;

    while ((c = getopt_long(argc, argv, "nhV", all, NULL)) != -1) {
        if (c == 'h' || c == 'V') {
            fputs(c == 'h' ? usage : "berth-setup " PACKAGE_VERSION "\n",
                  stdout);
            exit(0);
        }
        if (c == '?')
            exit(EXIT_USAGE);
        setup.dry_run = setup.dry_run || c == 'n';
        setup.hooks = setup.hooks || c == 'k';
        setup.plugin = setup.plugin || c == 'p';
        setup.undo = setup.undo || c == 'u';
    }
    for (; optind < argc; optind++)
        must(strv_add(words, argv[optind]) == 0);
    if (!setup.hooks && !setup.plugin) {
        setup.plugin = true;
        // A host that only submits jobs calls neither.
        setup.hooks = setup.undo || access(hooks[0].program, F_OK) == 0;
    }
    if (words->n > 0 && (setup.undo || !setup.plugin)) {
        fputs(usage, stderr);
        exit(EXIT_USAGE);
    }
}

int main(int argc, char **argv)
{
    struct strv words = {0};

    read_words(argc, argv, &words);
    if (!open_slurm())
        return 0;
    if (setup.undo && setup.hooks)
        undo_hooks();
    if (setup.undo && setup.plugin)
        undo_plugin();
    if (!setup.undo && setup.plugin)
        add_plugin(&words);
    if (!setup.undo && setup.hooks)
        add_hooks();
    if (setup.handed_out && setup.done.n > 0)
        refuse("this host has its configuration from slurmctld (%s): run "
               "berth-setup on slurmctld's host, where it is written",
               setup.slurm.v[0]->path);
    if (!setup.dry_run)
        apply();
    print();
    strv_clear(&setup.done);
    strv_clear(&setup.notes);
    strv_clear(&setup.links);
    strv_clear(&setup.unlinks);
    strv_clear(&words);
    conf_clear(&setup.slurm);
    conf_clear(&setup.stack);
    return fflush(stdout) == 0 ? 0 : EXIT_REFUSED;
}
