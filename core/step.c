// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include "core/step.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/limits.h"

// Reads the unsigned decimal number that S is as a whole.
static bool parse_u32(const char *s, size_t len, uint32_t *out)
{
    uint64_t n = 0;

    if (len == 0 || len > 10 || (s[0] == '0' && len > 1))
        return false;
    for (size_t i = 0; i < len; i++) {
        if (s[i] < '0' || s[i] > '9')
            return false;
        n = n * 10 + (uint64_t)(s[i] - '0');
    }
    if (n > UINT32_MAX)
        return false;
    *out = (uint32_t)n;
    return true;
}

static int set_number(uint32_t *field, const char *value)
{
    return parse_u32(value, strlen(value), field) ? 0 : -1;
}

static int set_text(char **field, const char *value)
{
    if (*field)
        return -1; // told twice
    *field = strdup(value);
    return *field ? 0 : -1;
}

static int set_path(char **field, const char *value)
{
    return value[0] == '/' ? set_text(field, value) : -1;
}

// Slurm calls it so, by numbers: no other directory passes for one.
static int set_pmix(char **field, const char *value)
{
    static const char prefix[] = "/pmix.";
    const char *name = strrchr(value, '/');

    if (!name || strncmp(name, prefix, strlen(prefix)) != 0)
        return -1;
    name += strlen(prefix);
    if (!*name || name[strspn(name, "0123456789-.")])
        return -1;
    return set_path(field, value);
}

// So Slurm calls it, and no other file of the user's passes for one.
static int set_xauth(char **field, const char *value)
{
    static const char prefix[] = "/.Xauthority-";
    const char *name = strrchr(value, '/');

    if (!name || strncmp(name, prefix, strlen(prefix)) != 0)
        return -1;
    return set_path(field, value);
}

// A node's name becomes the name of a directory.
static int set_node(char **field, const char *value)
{
    static const char ok[] = "abcdefghijklmnopqrstuvwxyz"
                             "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

    size_t len = strlen(value);
    if (len == 0 || len > 64 || value[0] == '.' || strspn(value, ok) != len)
        return -1;
    return set_text(field, value);
}

// "1000,27,44": may come in several packets.
static int add_gids(struct step *step, const char *value)
{
    while (*value) {
        size_t len = strcspn(value, ",");
        uint32_t gid;
        if (!parse_u32(value, len, &gid) || step->ngids >= BERTH_GROUPS_MAX)
            return -1;
        gid_t *gids =
            reallocarray(step->gids, step->ngids + 1, sizeof(*gids));
        if (!gids)
            return -1;
        step->gids = gids;
        gids[step->ngids++] = gid;
        value += len;
        if (*value == ',')
            value++;
    }
    return 0;
}

// What is wrong with an option is the user's mistake, and for him to read.
static int set_option(struct step *step, char *value)
{
    struct berth_err why = {0};
    char *eq = strchr(value, '=');

    if (eq)
        *eq++ = 0;
    if (options_set(&step->options, value, eq, &why) == 0 || step->wrong)
        return 0;
    step->wrong = strdup(why.text);
    return step->wrong && why.code == BERTH_EINVAL ? 0 : -1;
}

int step_add_fact(struct step *step, const char *packet, size_t len,
                  struct berth_err *err)
{
    char key[16] = "";
    int rc = -1;

    const char *eq = len <= BERTH_FACT_MAX ? memchr(packet, '=', len) : NULL;
    if (!eq || eq == packet || (size_t)(eq - packet) >= sizeof(key) ||
        memchr(packet, 0, len))
        return err_set(err, BERTH_EINVAL, "the plugin sent a malformed fact");
    memcpy(key, packet, (size_t)(eq - packet));
    char *value = strndup(eq + 1, len - (size_t)(eq + 1 - packet));
    if (!value)
        return err_set(err, BERTH_ENOMEM, "memory is out");

    if (strcmp(key, "job") == 0)
        rc = set_number(&step->job, value);
    else if (strcmp(key, "step") == 0)
        rc = set_number(&step->step, value);
    else if (strcmp(key, "uid") == 0)
        rc = set_number(&step->uid, value);
    else if (strcmp(key, "gid") == 0)
        rc = set_number(&step->gid, value);
    else if (strcmp(key, "gids") == 0)
        rc = add_gids(step, value);
    else if (strcmp(key, "ntasks") == 0)
        rc = set_number(&step->ntasks, value);
    else if (strcmp(key, "node") == 0)
        rc = set_node(&step->node, value);
    else if (strcmp(key, "option") == 0)
        rc = set_option(step, value);
    else if (strcmp(key, "wrong") == 0)
        rc = set_text(&step->wrong, value);
    else if (strcmp(key, "cwd") == 0)
        rc = set_path(&step->cwd, value);
    else if (strcmp(key, "argv0") == 0)
        rc = set_text(&step->argv0, value);
    else if (strcmp(key, "script") == 0)
        rc = set_path(&step->script, value);
    else if (strcmp(key, "gpus") == 0)
        rc = set_text(&step->gpus, value);
    else if (strcmp(key, "shared") == 0)
        rc = set_text(&step->shared, value);
    else if (strcmp(key, "pmix") == 0)
        rc = set_pmix(&step->pmix, value);
    else if (strcmp(key, "pmixtmp") == 0)
        rc = set_path(&step->pmixtmp, value);
    else if (strcmp(key, "xauth") == 0)
        rc = set_xauth(&step->xauth, value);
    else if (strcmp(key, "slurmconf") == 0)
        rc = set_path(&step->slurm.conf, value);
    else if (strcmp(key, "slurmplugins") == 0)
        rc = set_path(&step->slurm.plugins, value);
    else if (strcmp(key, "slurmberth") == 0)
        rc = set_path(&step->slurm.berth, value);
    else if (strcmp(key, "slurmcommands") == 0)
        rc = set_path(&step->slurm.commands, value);
    else if (strcmp(key, "slurmmunge") == 0)
        rc = set_path(&step->slurm.munge, value);
    else if (strcmp(key, "slurmuser") == 0)
        rc = set_text(&step->slurm.user, value);
    else if (strcmp(key, "word") == 0 && step->words.n < BERTH_ALLOW_MAX)
        rc = strv_add(&step->words, value);
    else if (strcmp(key, "conf") == 0)
        rc = set_path(&step->conf, value);
    else if (strcmp(key, "line") == 0)
        rc = set_number(&step->conf_line, value);
    else if (strcmp(key, "cut") == 0)
        rc = set_number(&step->conf_cut, value);
    free(value);
    if (rc < 0)
        return err_set(err,
                       BERTH_EINVAL,
                       "the plugin sent a fact that berth-stepd cannot use "
                       "(%s)",
                       key);
    return 0;
}

int step_check(const struct step *step, struct berth_err *err)
{
    if (step->job == 0 || step->ntasks == 0 ||
        step->ntasks > BERTH_TASKS_MAX || !step->node || !step->cwd ||
        !step->argv0 || (!step->options.image && !step->wrong))
        return err_set(err,
                       BERTH_EINVAL,
                       "the plugin did not tell berth-stepd all that it "
                       "needs: is the plugin of the same version?");
    return 0;
}

void step_clear(struct step *step)
{
    free(step->gids);
    free(step->node);
    options_clear(&step->options);
    free(step->wrong);
    free(step->cwd);
    free(step->argv0);
    free(step->script);
    free(step->gpus);
    free(step->shared);
    free(step->pmix);
    free(step->pmixtmp);
    free(step->xauth);
    free(step->slurm.conf);
    free(step->slurm.plugins);
    free(step->slurm.berth);
    free(step->slurm.commands);
    free(step->slurm.munge);
    free(step->slurm.user);
    free(step->conf);
    strv_clear(&step->words);
    *step = (struct step){0};
}

static const struct {
    uint32_t number;
    const char *name;
} unnumbered[] = {
    {STEP_EXTERN, "extern"},
    {STEP_BATCH, "batch"},
    {STEP_INTERACTIVE, "interactive"},
};

void step_name(uint32_t job, uint32_t step, char buf[STEP_NAME_MAX])
{
    for (size_t i = 0; i < sizeof(unnumbered) / sizeof(*unnumbered); i++)
        if (step == unnumbered[i].number) {
            snprintf(buf, STEP_NAME_MAX, "%u.%s", job, unnumbered[i].name);
            return;
        }
    snprintf(buf, STEP_NAME_MAX, "%u.%u", job, step);
}

bool step_name_parse(const char *s, uint32_t *job, uint32_t *step)
{
    const char *dot = strchr(s, '.');
    uint32_t j, n;

    if (!dot || !parse_u32(s, (size_t)(dot - s), &j))
        return false;
    bool known = parse_u32(dot + 1, strlen(dot + 1), &n);
    for (size_t i = 0; i < sizeof(unnumbered) / sizeof(*unnumbered); i++)
        if (strcmp(dot + 1, unnumbered[i].name) == 0) {
            n = unnumbered[i].number;
            known = true;
        }
    if (!known)
        return false;
    *job = j;
    *step = n;
    return true;
}
