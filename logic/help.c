// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include "logic/help.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "logic/decide.h"
#include "logic/err.h"
#include "logic/mount_syntax.h"
#include "logic/options.h"
#include "logic/variables.h"

enum { WIDTH = 79 };

// Prints one of several words behind a text: within lines that are not too
// long. COLUMN is where the last one ended.
static void print_word(FILE *f, size_t *column, const char *word, bool last)
{
    size_t len = strlen(word) + 2;

    if (*column + len > WIDTH) {
        fprintf(f, "\n   ");
        *column = 3;
    }
    fprintf(f, " %s%s", word, last ? "\n" : ",");
    *column += len;
}

static void print_words(FILE *f, const char *title, const char *const *words,
                        size_t n)
{
    size_t column = strlen(title) + 1;

    if (n > 0)
        fprintf(f, "%s:", title);
    for (size_t i = 0; i < n; i++)
        print_word(f, &column, words[i], i + 1 == n);
}

// plugstack.conf and berth.conf may say the same.
static bool was_there(const struct rule_list *list, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (strcmp(list->v[k]->text, list->v[i]->text) == 0)
            return true;
    return false;
}

static void print_list(FILE *f, const char *title, const struct rule_list *list)
{
    if (list->n > 0)
        fprintf(f, "%s:\n", title);
    for (size_t i = 0; i < list->n; i++)
        if (!was_there(list, i))
            fprintf(f, "    %s\n", list->v[i]->text);
}

// Prints a rule's mount with the user's own paths in it, or as it is written
// where these are not known.
static void print_mount(FILE *f, const struct rule *rule,
                        const struct subject *subject)
{
    const struct mount *mount = rule->mount;
    char *source = NULL, *target = NULL;

    if (mount->source)
        source = variables_to_path(mount->source, subject, NULL);
    if (mount->target)
        target = variables_to_path(mount->target, subject, NULL);
    if (source && (target || !mount->target))
        fprintf(f, "    %s%s%s%s\n", source, target ? ":" : "",
                target ? target : "",
                mount->flag == MOUNT_RW ? " (can be written)" : "");
    else
        fprintf(f, "    %s\n", rule->text);
    free(source);
    free(target);
}

static void print_mount_list(FILE *f, const char *title,
                             const struct rule_list *list,
                             const struct subject *subject)
{
    if (list->n > 0)
        fprintf(f, "%s:\n", title);
    for (size_t i = 0; i < list->n; i++)
        print_mount(f, list->v[i], subject);
}

static void print_mounts(FILE *f, const struct rules *rules,
                         const struct subject *subject)
{
    static const char *const home[] = {
        [RULE_MOUNT_NEVER] = "is not mounted",
        [RULE_MOUNT_ALLOWED] = "is mounted with --container-mount-home",
        [RULE_MOUNT_DEFAULT] = ("is mounted, unless you say "
                                "--no-container-mount-home"),
        [RULE_MOUNT_ALWAYS] = "is mounted",
    };
    static const char *const workdir[] = {
        [RULE_MOUNT_NEVER] = "is not mounted",
        [RULE_MOUNT_ALLOWED] = "is mounted if --container-mounts has it",
        [RULE_MOUNT_DEFAULT] = ("is mounted, unless --container-workdir is "
                                "outside of it"),
        [RULE_MOUNT_ALWAYS] = "is mounted",
    };

    print_mount_list(f,
                     "You may mount (--container-mounts=SRC:DST[:ro|rw],...)",
                     &rules->mounts_allowed, subject);
    print_mount_list(f, "Mounted unless you mount something else there",
                     &rules->mounts_default, subject);
    print_mount_list(f, "Mounted in any case", &rules->mounts_always, subject);
    fprintf(f, "Your home directory %s.\n", home[rules->home]);
    fprintf(f, "The working directory %s.\n", workdir[rules->workdir]);
}

static bool may_use(const struct rules *rules, const char *key)
{
    for (size_t i = 0; i < rules->options.n; i++)
        if (strcmp(rules->options.v[i]->text, key) == 0)
            return true;
    return false;
}

static void print_options(FILE *f, const struct rules *rules)
{
    static const char *const writable[] = {
        [RULE_LEAVE_NEVER] = "are read-only",
        [RULE_LEAVE_ALLOWED] = "are read-only without --container-writable",
        [RULE_LEAVE_DEFAULT] = "can be written to, until the step ends",
    };
    const char *missing[32];
    char names[32][32];
    size_t n = 0;

    fprintf(f, "The image's files %s.\n", writable[rules->writable]);
    if (rules->root != RULE_LEAVE_NEVER)
        fprintf(f, "You are root in a container, over the image's files, %s.\n",
                rules->root == RULE_LEAVE_ALLOWED
                    ? "with --container-root"
                    : "unless you say --no-container-remap-root");
    if (rules->slurm != RULE_LEAVE_NEVER)
        fprintf(f, "Slurm's commands work in a container%s.\n",
                rules->slurm == RULE_LEAVE_ALLOWED ? " with --container-slurm"
                                                   : "");
    if (rules->reuse != RULE_LEAVE_NEVER)
        fprintf(f, "A job's steps %s.\n",
                rules->reuse == RULE_LEAVE_ALLOWED
                    ? "share a container in turn with --container-reuse"
                    : "share a container in turn, unless you say "
                      "--no-container-reuse");
    if (rules->save)
        fprintf(f, "What a step has written can be saved, with its image "
                   "(--container-save=FILE,\n"
                   "or image:NAME, which is then --container=my/NAME on that "
                   "node).\n");
    if (rules->networks.n > 1)
        print_list(f,
                   "Networks (--container-network=NAME; the first is the "
                   "default)",
                   &rules->networks);
    for (const struct option_info *o = option_table; o->name && n < 32; o++)
        if (!may_use(rules, o->key)) {
            snprintf(names[n], sizeof(names[n]), "--%s", o->name);
            missing[n] = names[n];
            n++;
        }
    print_words(f, "Options that cannot be used here", missing, n);
}

char *help_make(const struct rules *rules, const struct subject *subject,
                const char *const *partitions, size_t n)
{
    struct berth_err err;
    char *text = NULL;
    size_t len = 0;

    FILE *f = open_memstream(&text, &len);
    if (!f)
        return NULL;
    if (decide_who(rules, subject, &err) < 0) {
        fprintf(f, "%s.\n", err.text);
    } else if (rules->allow.n == 0 && !rules->archives && !rules->save) {
        fprintf(f, "You may run no image here: ask your administrator.\n");
    } else {
        print_list(f, "You may run (--container=IMAGE)", &rules->allow);
        print_list(f, "But you may not run", &rules->deny);
        if (rules->archives)
            fprintf(f, "You may run an image that is a file of yours "
                       "(--container=FILE).\n");
        print_mounts(f, rules, subject);
        print_options(f, rules);
        if (rules->mode == RULE_MODE_WARN)
            fprintf(f, "These rules are on trial: what they refuse gets a "
                       "warning, and runs, an image\n"
                       "where the node has it.\n");
    }
    print_words(f, "Other rules may hold in the partitions", partitions, n);
    if (rules->help_text)
        fprintf(f, "\n%s\n", rules->help_text);
    bool failed = ferror(f);
    if (fclose(f) != 0 || failed) {
        free(text);
        return NULL;
    }
    return text;
}
