// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The values come from users and are only bounded and checked to be text
// here.

#include "logic/options.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "logic/limits.h"
#include "logic/utf8.h"

const struct option_info option_table[] = {
    {"container-image", "image", "IMAGE",
     "run in a container of IMAGE, as with --container",
     "BERTH_CONTAINER_IMAGE"},
    {"container-mounts", "mounts", "SRC:DST[:ro|rw],...",
     "mount SRC of the node at DST in the container", "BERTH_CONTAINER_MOUNTS"},
    {"container-workdir", "workdir", "PATH",
     "start in the directory PATH of the container", "BERTH_CONTAINER_WORKDIR"},
    {"container-env", "env", "NAME,...",
     "take NAME from the job, not from the image", "BERTH_CONTAINER_ENV"},
    {"container-mount-home", "mount-home", NULL, "mount your home directory",
     "BERTH_CONTAINER_MOUNT_HOME"},
    {"no-container-mount-home", "mount-home", NULL,
     "leave your home directory out", NULL},
    {"container-writable", "writable", NULL,
     "let the container write to the image's files",
     "BERTH_CONTAINER_WRITABLE"},
    {"container-readonly", "writable", NULL, "keep the image's files read-only",
     "BERTH_CONTAINER_READONLY"},
    {"container-entrypoint", "entrypoint", NULL,
     "run the command by the image's entry point",
     "BERTH_CONTAINER_ENTRYPOINT"},
    {"no-container-entrypoint", "entrypoint", NULL,
     "run the command without the entry point", NULL},
    {"container-network", "network", "NAME",
     "use the network NAME, such as host or none", "BERTH_CONTAINER_NETWORK"},
    {"container-slurm", "slurm", NULL,
     "make Slurm's commands work in the container", "BERTH_CONTAINER_SLURM"},
    {"no-container-slurm", "slurm", NULL, "leave Slurm's commands out", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

const struct option_other option_others[] = {
    {"container-name", "NAME",
     "a container ends with its step, and none is kept for a name: leave it "
     "out, and give each step its --container=IMAGE"},
    {"container-save", "PATH",
     "a container's changes go with its step: leave it out, and have your "
     "administrator add an image that has what you need"},
    {"container-remap-root", NULL,
     "you are in a container who you are outside: leave it out, and take an "
     "image that has the packages, or install below your home"},
    {"no-container-remap-root", NULL, NULL},
    {"container-unshare", "NAMESPACES",
     "PIDs, IPC and mounts are each container's own: leave it out, and for a "
     "network of its own give --container-network=none"},
    {"container-entrypoint-log", NULL, NULL},
    {NULL, NULL, NULL},
};

// Where each option's value is kept, in the table's order.
static const struct slot {
    size_t at;
    enum choice choice; // of an option without an argument
} slots[] = {
    {offsetof(struct options, image), CHOICE_UNSAID},
    {offsetof(struct options, mounts), CHOICE_UNSAID},
    {offsetof(struct options, workdir), CHOICE_UNSAID},
    {offsetof(struct options, env), CHOICE_UNSAID},
    {offsetof(struct options, mount_home), CHOICE_YES},
    {offsetof(struct options, mount_home), CHOICE_NO},
    {offsetof(struct options, writable), CHOICE_YES},
    {offsetof(struct options, writable), CHOICE_NO},
    {offsetof(struct options, entrypoint), CHOICE_YES},
    {offsetof(struct options, entrypoint), CHOICE_NO},
    {offsetof(struct options, network), CHOICE_UNSAID},
    {offsetof(struct options, slurm), CHOICE_YES},
    {offsetof(struct options, slurm), CHOICE_NO},
};

enum { OPTIONS = sizeof(slots) / sizeof(*slots) };
_Static_assert(OPTIONS + 1 == sizeof(option_table) / sizeof(*option_table),
               "each option has its slot");

static char **text_of(struct options *options, size_t i)
{
    return (char **)((char *)options + slots[i].at);
}

static enum choice *choice_of(struct options *options, size_t i)
{
    return (enum choice *)((char *)options + slots[i].at);
}

static bool is_text(const char *s)
{
    for (const char *p = s; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            return false;
    return utf8_valid(s);
}

// Says whether the items of VALUE stand in LIST already, one after the other.
static bool has_items(const char *list, const char *value)
{
    size_t len = strlen(value);

    for (const char *at = list; (at = strstr(at, value)); at++)
        if ((at == list || at[-1] == ',') && (!at[len] || at[len] == ','))
            return true;
    return false;
}

// Makes KEPT what it is to be when VALUE is given as well.
static int add_text(char **kept, bool adds_up, const char *value)
{
    char *now = NULL;

    if (!*kept || !adds_up)
        now = strdup(value);
    else if (has_items(*kept, value))
        return 0;
    else if (asprintf(&now, "%s,%s", *kept, value) < 0)
        now = NULL;
    if (!now)
        return -1;
    free(*kept);
    *kept = now;
    return 0;
}

// NAME is what the user wrote.
static int set_text(char **kept, const struct option_info *info,
                    const char *name, const char *value, struct berth_err *err)
{
    bool is_image = !strcmp(info->key, "image");
    bool adds_up = !strcmp(info->key, "mounts") || !strcmp(info->key, "env");
    size_t max = is_image ? BERTH_IMAGE_MAX : BERTH_OPTION_MAX;
    char quoted[ERR_QUOTE_MAX];

    if (!value || !*value)
        return err_set(err, BERTH_EINVAL, "--%s is empty: write --%s=%s", name,
                       name, info->arg);
    size_t len = strlen(value) + (adds_up && *kept ? strlen(*kept) + 1 : 0);
    if (len >= max)
        return err_set(err, BERTH_EINVAL,
                       "--%s has %zu bytes and can have %zu: make it shorter",
                       name, len, max - 1);
    err_quote(value, quoted, sizeof(quoted));
    if (!is_text(value))
        return err_set(err, BERTH_EINVAL,
                       "--%s=%s has a control character or is not valid "
                       "UTF-8: write it without",
                       name, quoted);
    return add_text(kept, adds_up, value) == 0
               ? 0
               : err_set(err, BERTH_ENOMEM, "out of memory");
}

int options_set(struct options *options, const char *name, const char *value,
                struct berth_err *err)
{
    // Slurm's own name for it, since 21.08.
    const char *known = strcmp(name, "container") ? name : option_table[0].name;
    char quoted[ERR_QUOTE_MAX];

    for (size_t i = 0; i < OPTIONS; i++) {
        const struct option_info *info = &option_table[i];
        if (strcmp(info->name, known) != 0)
            continue;
        if (info->arg)
            return set_text(text_of(options, i), info, name, value, err);
        *choice_of(options, i) = slots[i].choice;
        return 0;
    }
    err_quote(name, quoted, sizeof(quoted));
    return err_set(err, BERTH_EINVAL,
                   "--%s is no option of berth's: srun --help has them",
                   quoted);
}

int options_each(const struct options *options,
                 int (*tell)(void *arg, const char *name, const char *value),
                 void *arg)
{
    struct options *o = (struct options *)options; // only read
    int rc = 0;

    for (size_t i = 0; i < OPTIONS && rc == 0; i++) {
        if (!option_table[i].arg) {
            if (*choice_of(o, i) == slots[i].choice)
                rc = tell(arg, option_table[i].name, NULL);
        } else if (*text_of(o, i)) {
            rc = tell(arg, option_table[i].name, *text_of(o, i));
        }
    }
    return rc;
}

struct variables {
    int (*tell)(void *arg, const char *variable, const char *value);
    void *arg;
};

static int tell_variable(void *arg, const char *name, const char *value)
{
    const struct variables *variables = arg;
    const struct option_info *o = option_table, *info;

    while (strcmp(o->name, name) != 0)
        o++;
    for (info = o; !info->env; info--) // the option that this one denies
        ;
    return variables->tell(variables->arg, info->env,
                           value       ? value
                           : info == o ? "yes"
                                       : "no");
}

int options_each_variable(const struct options *options,
                          int (*tell)(void *arg, const char *variable,
                                      const char *value),
                          void *arg)
{
    struct variables variables = {tell, arg};

    return options_each(options, tell_variable, &variables);
}

bool options_none(const struct options *options)
{
    return options->image && strcmp(options->image, "none") == 0;
}

static int first_name(void *arg, const char *name, const char *value)
{
    (void)value;
    *(const char **)arg = name;
    return strcmp(name, option_table[0].name) != 0;
}

int options_check(const struct options *options, struct berth_err *err)
{
    const char *name;

    if ((options->image && !options_none(options)) ||
        options_each(options, first_name, &name) == 0)
        return 0;
    return err_set(err, BERTH_EINVAL,
                   "--%s is given without an image: give --container=IMAGE "
                   "as well, or leave it out",
                   name);
}

void options_clear(struct options *options)
{
    int saved = errno;

    for (size_t i = 0; i < OPTIONS; i++)
        if (option_table[i].arg)
            free(*text_of(options, i));
    *options = (struct options){0};
    errno = saved;
}
