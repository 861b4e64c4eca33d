// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include "core/help.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/err.h"

enum { WIDTH = 79 };

static void print_list(FILE *f, const char *title,
                       const struct rule_list *list)
{
    if (list->n == 0)
        return;
    fprintf(f, "%s:\n", title);
    for (size_t i = 0; i < list->n; i++)
        fprintf(f, "    %s\n", list->v[i]->text);
}

// Prints WORDS, N of them, behind TITLE, in lines that are not too long.
static void print_words(FILE *f, const char *title, const char *const *words,
                        size_t n)
{
    size_t column = strlen(title) + 1;

    if (n == 0)
        return;
    fprintf(f, "%s:", title);
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(words[i]) + 2;
        if (column + len > WIDTH) {
            fprintf(f, "\n   ");
            column = 3;
        }
        fprintf(f, " %s%s", words[i], i + 1 < n ? "," : "\n");
        column += len;
    }
}

static void print_texts(FILE *f, const char *title,
                        const struct rule_list *list)
{
    const char **words = calloc(list->n + 1, sizeof(*words));

    for (size_t i = 0; words && i < list->n; i++)
        words[i] = list->v[i]->text;
    print_words(f, title, words, words ? list->n : 0);
    free(words);
}

static void print_images(FILE *f, const struct rules *rules)
{
    if (rules->allow.n == 0)
        fprintf(f, "You may run no image here: ask your administrator.\n");
    print_list(f, "Images that you may run (--container=IMAGE)",
               &rules->allow);
    print_list(f, "Images that you may not run, even so", &rules->deny);
}

static void print_mounts(FILE *f, const struct rules *rules)
{
    static const char *const home[] = {
        [RULE_MOUNT_NEVER] = "is not mounted",
        [RULE_MOUNT_ALLOWED] = "is mounted with --container-mount-home",
        [RULE_MOUNT_DEFAULT] = "is mounted without --no-container-mount-home",
        [RULE_MOUNT_ALWAYS] = "is mounted",
    };
    static const char *const workdir[] = {
        [RULE_MOUNT_NEVER] = "is not mounted",
        [RULE_MOUNT_ALLOWED] = "is mounted if --container-mounts has it",
        [RULE_MOUNT_DEFAULT] = "is mounted, unless --container-workdir is "
                               "outside of it",
        [RULE_MOUNT_ALWAYS] = "is mounted",
    };

    print_list(f,
               "Files that you may mount (--container-mounts="
               "SRC[:DST[:ro|rw]],...)",
               &rules->mounts_allowed);
    print_list(f, "Mounted unless you mount something else there",
               &rules->mounts_default);
    print_list(f, "Mounted in any case", &rules->mounts_always);
    fprintf(f, "Your home directory %s.\n", home[rules->home]);
    fprintf(f, "The working directory %s.\n", workdir[rules->workdir]);
}

static void print_rest(FILE *f, const struct rules *rules)
{
    static const char *const writable[] = {
        [RULE_WRITABLE_NEVER] = "are read-only",
        [RULE_WRITABLE_ALLOWED] = "are read-only without --container-writable",
        [RULE_WRITABLE_DEFAULT] = "can be written, and forget it at the end",
    };

    fprintf(f, "The image's own files %s.\n", writable[rules->writable]);
    print_texts(f, "Networks (--container-network=NAME), the first by default",
                &rules->networks);
}

char *help_make(const struct rules *rules, const struct subject *subject,
                const char *const *partitions, size_t n)
{
    char *text = NULL;
    size_t len = 0;

    (void)subject;
    FILE *f = open_memstream(&text, &len);
    if (!f)
        return NULL;
    print_images(f, rules);
    print_mounts(f, rules);
    print_rest(f, rules);
    print_words(f, "Other rules may hold in these partitions", partitions, n);
    if (rules->help_text)
        fprintf(f, "\n%s\n", rules->help_text);
    bool failed = ferror(f);
    if (fclose(f) != 0 || failed) {
        free(text);
        return NULL;
    }
    return text;
}
