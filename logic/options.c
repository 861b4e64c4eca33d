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
     "run in IMAGE, as --container does; or help, none",
     "BERTH_CONTAINER_IMAGE", CHOICE_UNSAID},
    {"container-mounts", "mounts", "SRC:DST[:ro|rw],...",
     "mount SRC of the node, or tmpfs, at DST", "BERTH_CONTAINER_MOUNTS",
     CHOICE_UNSAID},
    {"container-workdir", "workdir", "PATH",
     "start in the directory PATH of the container", "BERTH_CONTAINER_WORKDIR",
     CHOICE_UNSAID},
    {"container-env", "env", "NAME,...",
     "take NAME from the job, not from the image", "BERTH_CONTAINER_ENV",
     CHOICE_UNSAID},
    {"container-mount-home", "mount-home", NULL, "mount your home directory",
     "BERTH_CONTAINER_MOUNT_HOME", CHOICE_YES},
    {"no-container-mount-home", "mount-home", NULL,
     "leave your home directory out", NULL, CHOICE_NO},
    {"container-writable", "writable", NULL,
     "let the container write where the image lets you",
     "BERTH_CONTAINER_WRITABLE", CHOICE_YES},
    {"container-readonly", "writable", NULL, "keep the image's files read-only",
     "BERTH_CONTAINER_READONLY", CHOICE_NO},
    {"container-root", "root", NULL,
     "be root over the image's files in the container", "BERTH_CONTAINER_ROOT",
     CHOICE_YES},
    {"container-remap-root", "root", NULL, "the same as --container-root",
     "BERTH_CONTAINER_REMAP_ROOT", CHOICE_YES},
    {"no-container-remap-root", "root", NULL,
     "be in the container who you are outside", NULL, CHOICE_NO},
    {"container-entrypoint", "entrypoint", NULL,
     "run the command by the image's entry point", "BERTH_CONTAINER_ENTRYPOINT",
     CHOICE_YES},
    {"no-container-entrypoint", "entrypoint", NULL,
     "run the command without the entry point", NULL, CHOICE_NO},
    {"container-network", "network", "NAME",
     "use the network NAME, such as host or none", "BERTH_CONTAINER_NETWORK",
     CHOICE_UNSAID},
    {"container-slurm", "slurm", NULL,
     "make Slurm's commands work in the container", "BERTH_CONTAINER_SLURM",
     CHOICE_YES},
    {"no-container-slurm", "slurm", NULL, "leave Slurm's commands out", NULL,
     CHOICE_NO},
    {"container-reuse", "reuse", NULL,
     "take the container of an earlier step of the job",
     "BERTH_CONTAINER_REUSE", CHOICE_YES},
    {"no-container-reuse", "reuse", NULL, "have a container of the step's own",
     NULL, CHOICE_NO},
    {"container-name", "name", "NAME[:create|:exec|:no_exec]",
     "make the container NAME of the job, or join it", "BERTH_CONTAINER_NAME",
     CHOICE_UNSAID},
    {"container-join", "join", "JOB[.STEP]",
     "join the container of a step that runs", "BERTH_CONTAINER_JOIN",
     CHOICE_UNSAID},
    {"container-do", "do", "WHAT", "run nothing, but do WHAT: see berth(8)",
     NULL, CHOICE_UNSAID},
    {"container-save", "save", "FILE|image:NAME[:TAG][:replace][:always]",
     "save what the step has written, with its image", "BERTH_CONTAINER_SAVE",
     CHOICE_UNSAID},
    {NULL, NULL, NULL, NULL, NULL, CHOICE_UNSAID},
};

const struct option_other option_others[] = {
    {"container-unshare", "NAMESPACES",
     "PIDs, IPC and mounts are each container's own: leave it out, and for a "
     "network of its own give --container-network=none"},
    {"container-entrypoint-log", NULL, NULL},
    {NULL, NULL, NULL},
};

// Where each option's value is kept, in the table's order.
static const size_t slots[] = {
    offsetof(struct options, image),      offsetof(struct options, mounts),
    offsetof(struct options, workdir),    offsetof(struct options, env),
    offsetof(struct options, mount_home), offsetof(struct options, mount_home),
    offsetof(struct options, writable),   offsetof(struct options, writable),
    offsetof(struct options, root),       offsetof(struct options, root),
    offsetof(struct options, root),       offsetof(struct options, entrypoint),
    offsetof(struct options, entrypoint), offsetof(struct options, network),
    offsetof(struct options, slurm),      offsetof(struct options, slurm),
    offsetof(struct options, reuse),      offsetof(struct options, reuse),
    offsetof(struct options, name),       offsetof(struct options, join),
    offsetof(struct options, errand),     offsetof(struct options, save),
};

enum { OPTIONS = sizeof(slots) / sizeof(*slots) };
_Static_assert(OPTIONS + 1 == sizeof(option_table) / sizeof(*option_table),
               "each option has its slot");

static char **text_of(struct options *options, size_t i)
{
    return (char **)((char *)options + slots[i]);
}

static enum choice *choice_of(struct options *options, size_t i)
{
    return (enum choice *)((char *)options + slots[i]);
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
               : err_set(err, BERTH_ENOMEM, "memory is out");
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
        *choice_of(options, i) = info->choice;
        return 0;
    }
    err_quote(name, quoted, sizeof(quoted));
    return err_set(err, BERTH_EINVAL,
                   "--%s is no option of berth's: srun --help has them",
                   quoted);
}

// Says whether the option I is another name of the one before it.
static bool is_another_name(size_t i)
{
    return i > 0 && slots[i] == slots[i - 1] &&
           option_table[i].choice == option_table[i - 1].choice;
}

int options_each(const struct options *options,
                 int (*tell)(void *arg, const char *name, const char *value),
                 void *arg)
{
    struct options *o = (struct options *)options; // only read
    int rc = 0;

    for (size_t i = 0; i < OPTIONS && rc == 0; i++) {
        if (!option_table[i].arg) {
            if (*choice_of(o, i) == option_table[i].choice &&
                !is_another_name(i))
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

// What is saved is one step's: those that it starts have not the same to save.
static int tell_variable(void *arg, const char *name, const char *value)
{
    const struct variables *variables = arg;
    const struct option_info *o = option_table, *info;

    if (strcmp(name, "container-save") == 0)
        return 0;
    while (strcmp(o->name, name) != 0)
        o++;
    if (o->arg && !o->env)
        return 0;
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

bool options_want(const struct options *options)
{
    return !options_none(options) && (options->image || options->name ||
                                      options->join || options->errand);
}

bool options_name(const struct options *options, char name[OPTIONS_NAME_MAX],
                  enum name_mode *mode)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    static const char *const modes[] = {"", ":create", ":exec", ":no_exec"};
    const char *text = options->name;

    if (!text)
        return false;
    size_t len = strspn(text, letters);
    if (len == 0 || len >= OPTIONS_NAME_MAX || strchr("_.-", text[0]))
        return false;
    for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++)
        if (strcmp(text + len, modes[i]) == 0) {
            memcpy(name, text, len);
            name[len] = 0;
            *mode = (enum name_mode)i;
            return true;
        }
    return false;
}

// Digits and nothing else.
static bool read_number(const char *text, uint32_t *out)
{
    size_t len = strspn(text, "0123456789");
    unsigned long long n = len > 0 && len <= 10 ? strtoull(text, NULL, 10) : 0;

    *out = (uint32_t)n;
    return len > 0 && len <= 10 && !text[len] && n < 0xfffffff0U &&
           (text[0] != '0' || len == 1);
}

bool options_join(const struct options *options, uint32_t *job, uint32_t *step,
                  bool *has_step)
{
    char text[32];

    if (!options->join || strlen(options->join) >= sizeof(text))
        return false;
    strcpy(text, options->join);
    char *dot = strchr(text, '.');
    if (dot)
        *dot = 0;
    *has_step = dot;
    *step = 0;
    return read_number(text, job) && (!dot || read_number(dot + 1, step));
}

static const char *const errands[] = {
    [ERRAND_LIST] = "list", [ERRAND_LAYERS] = "layers",
    [ERRAND_PULL] = "pull", [ERRAND_REMOVE] = "remove",
    [ERRAND_END] = "end",   [ERRAND_CONTAINERS] = "containers",
};

bool options_errand(const struct options *options, enum errand *out)
{
    *out = ERRAND_NONE;
    for (size_t i = 1;
         options->errand && i < sizeof(errands) / sizeof(*errands); i++)
        if (strcmp(options->errand, errands[i]) == 0)
            *out = (enum errand)i;
    return !options->errand || *out != ERRAND_NONE;
}

const char *options_errand_word(enum errand errand)
{
    return errand == ERRAND_NONE ? "" : errands[errand];
}

// Takes WORD away from the end of the target, and notes that it was there.
static bool cut(struct option_save *save, const char *word, bool *there)
{
    size_t n = strlen(word);

    if (save->len < n || strncmp(save->target + save->len - n, word, n) != 0)
        return false;
    save->len -= n;
    *there = true;
    return true;
}

bool options_save(const struct options *options, struct option_save *out)
{
    static const char image[] = "image:";
    const char *text = options->save;

    if (!text)
        return false;
    *out =
        (struct option_save){.image = strncmp(text, image, strlen(image)) == 0};
    out->target = out->image ? text + strlen(image) : text;
    out->len = strlen(out->target);
    while (cut(out, ":replace", &out->replace) ||
           cut(out, ":always", &out->always))
        ;
    return out->len > 0 && (out->image || out->target[out->len - 1] != '/');
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

    if (options_want(options) || options_each(options, first_name, &name) == 0)
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
