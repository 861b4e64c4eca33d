// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The options come from a user, and whatever is not understood in them, or
// not allowed by the rules, is a denial.

#include "logic/decide.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "logic/allow.h"
#include "logic/deny.h"
#include "logic/glob.h"
#include "logic/mount_list.h"
#include "logic/mount_rules.h"
#include "logic/mount_syntax.h"
#include "logic/path.h"
#include "logic/variables.h"

#define NAME_CHARACTERS                                                        \
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"

// Of the ID of an image, or of a name of one's own; and how much of an ID
// tells images apart.
#define IMAGE_CHARACTERS NAME_CHARACTERS "/:"
enum { OWN_IMAGE_MIN = 4 };

// --- who asks, and for what --------------------------------------------------

static bool is_user(const struct subject *subject, const char *text)
{
    char number[16];

    snprintf(number, sizeof(number), "%u", subject->uid);
    return !strcmp(text, number) ||
           (subject->user && !strcmp(text, subject->user));
}

static int decide_identity(struct decision *out, const struct subject *subject)
{
    const struct rules *rules = out->rules;
    char at[DENY_WHERE_MAX];

    if (subject->uid < rules->min_uid)
        return deny_always(
            out,
            "a job of uid %u can have no container: %s wants %u at "
            "least (min_uid): submit it as another user",
            subject->uid, deny_where(&rules->min_uid_rule, at), rules->min_uid);
    if (subject->gid < rules->min_gid)
        return deny_always(
            out,
            "a job of gid %u can have no container: %s wants %u at least "
            "(min_gid): submit it with another group (--gid, newgrp)",
            subject->gid, deny_where(&rules->min_gid_rule, at), rules->min_gid);
    for (size_t i = 0; i < rules->deny_users.n; i++)
        if (is_user(subject, rules->deny_users.v[i]->text))
            return deny_always(out,
                               "user %s can have no container, by %s "
                               "(deny_users): ask your administrator",
                               rules->deny_users.v[i]->text,
                               deny_where(rules->deny_users.v[i], at));
    return 0;
}

int decide_who(const struct rules *rules, const struct subject *subject,
               struct berth_err *err)
{
    struct decision out = {.rules = rules};

    if (decide_identity(&out, subject) == 0)
        return 0;
    return err_set(err, out.code, "%s", out.reason);
}

static bool has(const struct rule_list *list, const char *text)
{
    for (size_t i = 0; i < list->n; i++)
        if (!strcmp(list->v[i]->text, text))
            return true;
    return false;
}

static int check_option(void *arg, const char *name, const char *value)
{
    struct decision *out = arg;
    const struct rule_list *allowed = &out->rules->options;
    const struct option_info *info = option_table;
    char at[DENY_WHERE_MAX], words[DENY_LIST_MAX];

    (void)value;
    while (strcmp(info->name, name) != 0)
        info++;
    if (has(allowed, info->key))
        return 0;
    if (allowed->n == 0)
        return deny_unless_permissive(
            out,
            "--%s cannot be used here: %s allows no option "
            "(options): leave it out or ask your administrator",
            name, out->rules->file);
    return deny_unless_permissive(
        out,
        "--%s cannot be used here: %s allows only %s (options): "
        "leave it out or ask your administrator",
        name, deny_where(allowed->v[0], at), deny_list(allowed, NULL, words));
}

static bool group_is_denied(const struct rules *rules,
                            const struct subject *subject, size_t i)
{
    char number[16];

    snprintf(number, sizeof(number), "%u", subject->gids[i]);
    return has(&rules->deny_groups, number) ||
           (subject->groups && subject->groups[i] &&
            has(&rules->deny_groups, subject->groups[i]));
}

static int decide_groups(struct decision *out, const struct subject *subject)
{
    out->gids = calloc(subject->ngids + 1, sizeof(*out->gids));
    if (!out->gids)
        return deny_memory(out);
    for (size_t i = 0; i < subject->ngids; i++)
        if (!group_is_denied(out->rules, subject, i))
            out->gids[out->ngids++] = subject->gids[i];
    return 0;
}

// --- where tasks start -------------------------------------------------------

// Says whether PATH is in the container what it is on the node, or has a mount
// of its own.
static bool is_there(const struct decision *out, const char *path, bool own)
{
    const struct decision_mount *last = NULL;

    for (size_t i = 0; i < out->nmounts; i++)
        if (path_is_within(path, out->mounts[i].target))
            last = &out->mounts[i]; // sorted: the innermost comes last
    return last && last->source &&
           (!strcmp(last->source, last->target) ||
            (own && !strcmp(last->target, path)));
}

static int decide_workdir(struct decision *out, const struct options *options,
                          const struct subject *subject)
{
    const char *home = subject->home;
    struct berth_err err;

    // A shell's completion writes a slash at the end.
    if (options->workdir &&
        (options->workdir[0] != '/' ||
         !(out->workdir = path_normalise("", options->workdir, false, &err)) ||
         (strcmp(out->workdir, "/") != 0 && !mount_target_ok(out->workdir)))) {
        char shown[DENY_PATH_MAX];
        err_quote(options->workdir, shown, sizeof(shown));
        return deny_malformed(
            out,
            "--container-workdir=%s: tasks can start in an absolute path "
            "without \"..\", and not in /proc, /sys, /dev or /run/berth",
            shown);
    }
    const char *start = NULL, *own = subject->start;
    if (!out->workdir && own && is_there(out, own, false))
        start = own;
    else if (!out->workdir && subject->cwd &&
             is_there(out, subject->cwd, false))
        start = subject->cwd;
    out->anywhere = !out->workdir && !start;
    if (!out->workdir)
        out->workdir = strdup(start ? start : "/");
    out->home =
        strdup(home && is_there(out, home, true) ? home : DECIDE_NO_HOME);
    return out->workdir && out->home ? 0 : deny_memory(out);
}

// --- environment -------------------------------------------------------------

static int check_env(struct decision *out, const char *name)
{
    const struct rule_list *deny = &out->rules->env_deny;
    char shown[ERR_QUOTE_MAX], at[DENY_WHERE_MAX];

    err_quote(name, shown, sizeof(shown));
    if (!*name || strpbrk(name, "=? []"))
        return deny_malformed(
            out,
            "--container-env takes names of variables, in which * stands "
            "for any characters, with a comma between two, and \"%s\" is "
            "none: write NAME and give it its value with export",
            shown);
    for (size_t i = 0; i < deny->n; i++)
        if (glob_match(deny->v[i]->text, name, ""))
            return deny_unless_permissive(
                out,
                "--container-env cannot name %s, which %s keeps out "
                "of containers (env_deny): leave it out",
                shown, deny_where(deny->v[i], at));
    return 0;
}

// The names and the array that points to them are one block.
static int decide_env(struct decision *out, const struct options *options)
{
    size_t count = 1;

    if (!options->env)
        return 0;
    for (const char *p = options->env; *p; p++)
        count += *p == ',';
    size_t size = strlen(options->env) + 1;
    out->env = malloc(count * sizeof(*out->env) + size);
    if (!out->env)
        return deny_memory(out);
    char *rest = memcpy(out->env + count, options->env, size), *name;
    while ((name = strsep(&rest, ","))) {
        out->env[out->nenv++] = name;
        if (check_env(out, name) < 0)
            return -1;
    }
    return 0;
}

static int decide_env_set(struct decision *out, const struct subject *subject)
{
    const struct rule_list *set = &out->rules->env_set;
    struct berth_err err;
    char at[DENY_WHERE_MAX];

    out->env_set = calloc(set->n + 1, sizeof(*out->env_set));
    if (!out->env_set)
        return deny_memory(out);
    for (size_t i = 0; i < set->n; i++) {
        char *text = variables_to_text(set->v[i]->text, subject, &err);
        if (!text)
            return deny_always(out,
                               "the variable %s of %s cannot be set (env_set): "
                               "%s: ask your administrator",
                               set->v[i]->text, deny_where(set->v[i], at),
                               err.text);
        out->env_set[out->nenv_set++] = text;
    }
    return 0;
}

// --- root file system, network, Slurm ----------------------------------------

// Not on trial either: what a container is to be confined by is no matter of a
// mode. A default gives way to what the user asks for.
static int decide_root(struct decision *out, const struct options *options,
                       const struct subject *subject)
{
    const struct rules *rules = out->rules;
    bool asked = options->root == CHOICE_YES;
    bool bars = options->writable == CHOICE_NO || options->slurm == CHOICE_YES;
    char at[DENY_WHERE_MAX];
    struct berth_err err;

    if (asked && rules->root == RULE_LEAVE_NEVER)
        return deny_always(out,
                           "--container-root cannot be had, by %s (root): "
                           "leave it out, and take an image that has what you "
                           "need, or install below your home",
                           deny_where(&rules->root_rule, at));
    if (asked && bars)
        return deny_malformed(
            out, "--container-root %s: leave one of them out",
            options->slurm == CHOICE_YES
                ? "and --container-slurm cannot be had together, since Slurm "
                  "would not know who asks"
                : "is for changing the image's files, and "
                  "--container-readonly keeps them as they are");
    out->root = asked || (options->root == CHOICE_UNSAID && !bars &&
                          rules->root == RULE_LEAVE_DEFAULT);
    if (!out->root)
        return 0;
    if (!rules->root_ids)
        return deny_always(out,
                           "--container-root cannot be had: %s has no "
                           "root_ids: ask your administrator",
                           rules->file);
    return root_ids_place(rules->root_ids, subject->uid, &out->range, &err) == 0
               ? 0
               : deny_always(out, "%s", err.text);
}

static int decide_writable(struct decision *out, const struct options *options,
                           const struct subject *subject)
{
    const struct rules *rules = out->rules;
    char at[DENY_WHERE_MAX];

    // What is saved has to be written, for which its own key is enough. A
    // container that is joined is what it was made as.
    out->writable = out->root || options->writable == CHOICE_YES ||
                    (options->writable == CHOICE_UNSAID &&
                     (rules->writable == RULE_LEAVE_DEFAULT ||
                      (options->save && !subject->start)));
    out->entrypoint = options->entrypoint == CHOICE_YES;
    if (options->save && !out->writable)
        return deny_malformed(
            out, subject->start
                     ? "--container-save: the container that this step joins "
                       "is read-only, and has nothing to be saved: have it "
                       "made with --container-writable"
                     : "--container-save and --container-readonly exclude "
                       "each other: leave one of them out");
    if (!out->writable || out->root || options->save ||
        rules->writable != RULE_LEAVE_NEVER)
        return 0;
    return deny_unless_permissive(
        out,
        "--container-writable cannot be had, by %s (writable): "
        "leave it out, and write to /tmp or to a mount",
        deny_where(&rules->writable_rule, at));
}

static int check_network(struct decision *out, const char *name)
{
    const struct rule_list *networks = &out->rules->networks;
    char shown[ERR_QUOTE_MAX], at[DENY_WHERE_MAX], list[DENY_LIST_MAX];

    err_quote(name, shown, sizeof(shown));
    if (name[strspn(name, NAME_CHARACTERS)] || strchr("_.-", name[0]))
        return deny_malformed(out,
                              "--container-network=%s is no name of a network: "
                              "write host, none, or one of the engine's",
                              shown);
    if (has(networks, name))
        return 0;
    if (networks->n == 0)
        return deny_unless_permissive(
            out,
            "--container-network=%s cannot be had: %s allows no network "
            "(networks): leave it out",
            shown, out->rules->file);
    return deny_unless_permissive(
        out,
        "--container-network=%s cannot be had: %s allows only %s "
        "(networks): choose one of these or ask your administrator",
        shown, deny_where(networks->v[0], at), deny_list(networks, NULL, list));
}

// Docker has the node's network for no user namespace.
static int check_root_network(struct decision *out,
                              const struct options *options)
{
    const struct rules *rules = out->rules;
    const char *other = NULL;

    if (!out->root || !rules->root_ids->account ||
        strcmp(out->network, "host") != 0)
        return 0;
    for (size_t i = 0; !other && i < rules->networks.n; i++)
        if (strcmp(rules->networks.v[i]->text, "host") != 0)
            other = rules->networks.v[i]->text;
    return deny_always(
        out,
        "--container-root cannot be had with the node's network, since Docker "
        "maps its IDs (root_ids of %s): %s, or %s%s",
        rules->file,
        options->root == CHOICE_YES ? "leave it out"
                                    : "say --no-container-remap-root",
        other ? "add --container-network="
              : "ask your administrator for another network, such as none "
                "(networks)",
        other ? other : "");
}

static int decide_network(struct decision *out, const struct options *options)
{
    const struct rule_list *networks = &out->rules->networks;
    const char *name = options->network;

    out->network = name              ? name
                   : networks->n > 0 ? networks->v[0]->text
                                     : "none";
    if ((name && check_network(out, name) < 0) ||
        check_root_network(out, options) < 0)
        return -1;
    if (strcmp(out->network, "host") != 0 && strcmp(out->network, "none") != 0)
        out->publish = out->rules->publish;
    return 0;
}

// With these a task can leave its container, as its user: no mode makes a
// trial of it. They speak to daemons over the node's network.
static int decide_slurm(struct decision *out, const struct options *options)
{
    const struct rules *rules = out->rules;
    bool asked = options->slurm == CHOICE_YES;
    char at[DENY_WHERE_MAX];

    if (asked && rules->slurm == RULE_LEAVE_NEVER)
        return deny_always(out,
                           "--container-slurm cannot be had, by %s (slurm): "
                           "leave it out or ask your administrator",
                           deny_where(&rules->slurm_rule, at));
    if (asked && strcmp(out->network, "host") != 0)
        return deny_malformed(out,
                              "--container-slurm needs the node's network, "
                              "and this container's is %s: add "
                              "--container-network=host, or leave it out",
                              out->network);
    out->slurm = asked || (options->slurm == CHOICE_UNSAID && !out->root &&
                           rules->slurm == RULE_LEAVE_DEFAULT &&
                           !strcmp(out->network, "host"));
    return 0;
}

static int decide_reuse(struct decision *out, const struct options *options)
{
    const struct rules *rules = out->rules;
    bool never = rules->reuse == RULE_LEAVE_NEVER;
    bool asked = options->reuse == CHOICE_YES;
    char at[DENY_WHERE_MAX];

    out->named = options->name && !never;
    out->reuse = !never && !options->name && !options->join &&
                 (asked || (options->reuse == CHOICE_UNSAID &&
                            rules->reuse == RULE_LEAVE_DEFAULT));
    if (never && options->name)
        return deny_always(out,
                           "--container-name cannot be had, by %s (reuse): "
                           "leave it out, and give each step its "
                           "--container=IMAGE",
                           deny_where(&rules->reuse_rule, at));
    if (!never || !asked)
        return 0;
    return deny_unless_permissive(
        out,
        "--container-reuse cannot be had, by %s (reuse): leave it out, and "
        "each step has a new container",
        deny_where(&rules->reuse_rule, at));
}

// The name that the user's own image is to have, as he asks for it.
static char *own_name(const struct option_save *save, struct berth_err *err)
{
    char *text = NULL, *name = NULL;
    struct imgref ref;

    if (asprintf(&text, ALLOW_MINE "%.*s", (int)save->len, save->target) < 0) {
        err_set(err, BERTH_ENOMEM, "memory is out");
        return NULL;
    }
    if (imgref_parse(text, &ref, err) == 0 && !ref.digest[0] &&
        asprintf(&name, "%s:%s", ref.path, ref.tag) < 0) {
        name = NULL;
        err_set(err, BERTH_ENOMEM, "memory is out");
    }
    free(text);
    return name;
}

static bool ends_in(const struct option_save *save, const char *text)
{
    size_t len = strlen(text);

    return save->len >= len &&
           strncmp(save->target + save->len - len, text, len) == 0;
}

// Which file or image it is to be: the words alone. Whether that can be, is
// seen where it is to be.
static int decide_save(struct decision *out, const struct options *options,
                       const struct subject *subject)
{
    const struct rules *rules = out->rules;
    char shown[ERR_QUOTE_MAX], at[DENY_WHERE_MAX];
    struct option_save save;
    struct berth_err err = {0};

    if (!options->save)
        return 0;
    const char *cwd = subject->start ? subject->start : subject->cwd;
    err_quote(options->save, shown, sizeof(shown));
    if (!options_save(options, &save))
        return deny_malformed(out,
                              "--container-save=%s: write the name of a file, "
                              "or image:NAME[:TAG]",
                              shown);
    if (!save.image && (ends_in(&save, ".sqsh") || ends_in(&save, ".sif")))
        return deny_malformed(out,
                              "--container-save=%s: what is saved is an "
                              "archive of Docker's, and that is the name of "
                              "an image of enroot's or Apptainer's: call it "
                              ".tar",
                              shown);
    out->save_image = save.image;
    out->save_replace = save.replace;
    out->save_always = save.always;
    if (save.image)
        out->save = own_name(&save, &err);
    else if (save.target[0] != '/' && !cwd)
        return deny_malformed(out,
                              "--container-save=%s is no whole path, and "
                              "nobody knows from where it is meant: write it "
                              "with a / in front",
                              shown);
    else if ((save.target[0] == '/'
                  ? asprintf(&out->save, "%.*s", (int)save.len, save.target)
                  : asprintf(&out->save, "%s/%.*s", cwd, (int)save.len,
                             save.target)) < 0)
        out->save = NULL;
    if (!out->save && save.image && err.code != BERTH_ENOMEM)
        return deny_malformed(out,
                              "--container-save=%s: an image's name has small "
                              "letters, digits and \"_.-\", and perhaps a tag "
                              "behind a colon",
                              shown);
    if (!out->save)
        return deny_memory(out);
    if (rules->save)
        return 0;
    return deny_always(
        out,
        "--container-save cannot be had: %s lets nobody save a container "
        "(save): leave it out or ask your administrator",
        deny_where(&rules->save_rule, at));
}

// Whose container it is to be: the words alone.
static int decide_whose(struct decision *out, const struct options *options,
                        const struct subject *subject)
{
    char name[OPTIONS_NAME_MAX], shown[ERR_QUOTE_MAX];
    enum name_mode mode = NAME_ANY;
    uint32_t job, step;
    bool has_step;

    if (options->name && options->join)
        return deny_malformed(out, "--container-name and --container-join "
                                   "each name a container: give one of them");
    if (options->name && !options_name(options, name, &mode)) {
        err_quote(options->name, shown, sizeof(shown));
        return deny_malformed(out,
                              "--container-name=%s: a name has up to %d "
                              "letters, digits and \"_.-\", and :create, "
                              ":exec or :no_exec behind it, if anything",
                              shown, OPTIONS_NAME_MAX - 1);
    }
    if (options->join && !options_join(options, &job, &step, &has_step)) {
        err_quote(options->join, shown, sizeof(shown));
        return deny_malformed(out,
                              "--container-join=%s: write the number of a "
                              "job, or JOB.STEP",
                              shown);
    }
    // Outside of the job, srun's host knows of none.
    if (options->join && subject->job && subject->job != UINT32_MAX &&
        job != subject->job)
        return deny_malformed(out,
                              "--container-join=%u: a step joins steps of its "
                              "own job, and this one is of job %u: start it "
                              "with --jobid=%u --overlap",
                              job, subject->job, job);
    if (out->errand == ERRAND_END)
        return options->name || options->join
                   ? 0
                   : deny_malformed(out, "--container-do=end names no "
                                         "container: give --container-name or "
                                         "--container-join as well");
    if (!options->image && options->name)
        return deny_malformed(out,
                              "there is no container %s of this job here to "
                              "join: give --container=IMAGE as well, which "
                              "makes it",
                              name);
    return options->image || !options->join
               ? 0
               : deny_malformed(out,
                                "--container-join=%s: no step of this job runs "
                                "in a container here, or not that one",
                                options->join);
}

// An image of one's own goes by its ID, or by the name that the list has.
static int decide_own(struct decision *out, const char *image)
{
    char shown[ERR_QUOTE_MAX];

    if (strspn(image, IMAGE_CHARACTERS) == strlen(image) &&
        strlen(image) >= OWN_IMAGE_MIN)
        return 0;
    err_quote(image, shown, sizeof(shown));
    return deny_malformed(out,
                          "%s is no image of your own: write its ID or its "
                          "name, as berth images has them",
                          shown);
}

// What is done in place of a container.
static int decide_errand(struct decision *out, const struct options *options,
                         const struct subject *subject)
{
    char shown[ERR_QUOTE_MAX];

    if (!options_errand(options, &out->errand)) {
        err_quote(options->errand, shown, sizeof(shown));
        return deny_malformed(out,
                              "--container-do=%s is none of what a step can "
                              "do: write list, layers, pull, remove, end "
                              "or containers",
                              shown);
    }
    bool image = out->errand == ERRAND_PULL || out->errand == ERRAND_REMOVE;
    if (image && !options->image)
        return deny_malformed(out,
                              "--container-do=%s names no image: give "
                              "--container=IMAGE as well",
                              options->errand);
    switch (out->errand) {
    case ERRAND_PULL:
        // Who is root may have another engine.
        return allow_image(out, subject, options->image) < 0
                   ? -1
                   : decide_root(out, options, subject);
    case ERRAND_REMOVE:
        return decide_own(out, options->image);
    case ERRAND_END:
        return decide_whose(out, options, subject);
    case ERRAND_LIST:
    case ERRAND_LAYERS:
    case ERRAND_CONTAINERS:
    case ERRAND_NONE:
        break;
    }
    return 0;
}

static int decide_container(struct decision *out, const struct options *options,
                            const struct subject *subject)
{
    return decide_whose(out, options, subject) < 0 ||
                   allow_image(out, subject, options->image) < 0 ||
                   decide_groups(out, subject) < 0 ||
                   mount_list_decide(out, options, subject) < 0 ||
                   decide_workdir(out, options, subject) < 0 ||
                   decide_env(out, options) < 0 ||
                   decide_env_set(out, subject) < 0 ||
                   decide_root(out, options, subject) < 0 ||
                   decide_writable(out, options, subject) < 0 ||
                   decide_network(out, options) < 0 ||
                   decide_slurm(out, options) < 0 ||
                   decide_reuse(out, options) < 0 ||
                   decide_save(out, options, subject) < 0
               ? -1
               : 0;
}

void decide(const struct rules *rules, const struct options *options,
            const struct subject *subject, struct decision *out)
{
    *out = (struct decision){.code = BERTH_EDENIED, .rules = rules};
    if (!rules || decide_identity(out, subject) < 0 ||
        options_each(options, check_option, out) < 0 ||
        decide_errand(out, options, subject) < 0 ||
        (out->errand == ERRAND_NONE &&
         decide_container(out, options, subject) < 0))
        return;
    out->code = BERTH_OK;
    out->verdict = VERDICT_ALLOW;
}

bool decide_source_ok(const struct decision_mount *mount, const char *real,
                      const char *within)
{
    if (within && path_is_within(real, within))
        return true;
    for (size_t i = 0; i < mount->npatterns; i++)
        if (mount_source_matches(mount->patterns[i], real))
            return true;
    return mount->npatterns == 0 && !mount->within;
}

void decide_tell_link(struct decision *out, const struct subject *subject,
                      const char *real)
{
    char name[DENY_PATH_MAX], place[DENY_PATH_MAX];

    if (!out->unnamed || !strcmp(out->unnamed, real))
        return;
    err_quote(out->unnamed, name, sizeof(name));
    err_quote(real, place, sizeof(place));
    if (mount_rules_name(out->rules, subject, real))
        deny_always(out,
                    "%s cannot be mounted by that name, which no rule has "
                    "(mounts_allowed): it leads to %s, write that",
                    name, place);
    else
        deny_append(out->reason, sizeof(out->reason), "; %s leads to %s", name,
                    place);
}

bool decide_recurses(const struct decision *decision,
                     const struct decision_mount *mount, const char *real)
{
    for (size_t i = 0; i < decision->nrecursive; i++)
        if (mount_source_matches(decision->recursive[i], real))
            return true;
    return mount->recursive;
}
