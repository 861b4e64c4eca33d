// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include "logic/step.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "logic/limits.h"
#include "protocol/compare.h"

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

// Each of these takes a fact's value into the step's FIELD: 0, or -1 if it is
// no such value.

static int set_number(void *field, char *value)
{
    return parse_u32(value, strlen(value), field) ? 0 : -1;
}

static int set_text(void *field, char *value)
{
    char **text = field;

    if (*text)
        return -1; // an option that is wrong has set it
    *text = strdup(value);
    return *text ? 0 : -1;
}

static int set_path(void *field, char *value)
{
    return value[0] == '/' ? set_text(field, value) : -1;
}

// Slurm calls it so, by numbers: no other directory passes for one.
static int set_pmix(void *field, char *value)
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
static int set_xauth(void *field, char *value)
{
    static const char prefix[] = "/.Xauthority-";
    const char *name = strrchr(value, '/');

    if (!name || strncmp(name, prefix, strlen(prefix)) != 0)
        return -1;
    return set_path(field, value);
}

// A node's name becomes the name of a directory.
static int set_node(void *field, char *value)
{
    static const char ok[] = "abcdefghijklmnopqrstuvwxyz"
                             "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

    size_t len = strlen(value);
    if (len == 0 || len > 64 || value[0] == '.' || strspn(value, ok) != len)
        return -1;
    return set_text(field, value);
}

// A port, and a secret in hex digits (protocol/compare.h).
static int set_compare(void *field, char *value)
{
    size_t len = strcspn(value, " ");
    uint32_t port;

    if (!parse_u32(value, len, &port) || port == 0 || port > UINT16_MAX ||
        strlen(value) != len + 1 + COMPARE_SECRET ||
        strspn(value + len + 1, "0123456789abcdef") != COMPARE_SECRET)
        return -1;
    return set_text(field, value);
}

// "1000,27,44": may come in several packets.
static int add_gids(void *field, char *value)
{
    struct step *step = field;

    while (*value) {
        size_t len = strcspn(value, ",");
        uint32_t gid;
        if (!parse_u32(value, len, &gid) || step->ngids >= BERTH_GROUPS_MAX)
            return -1;
        gid_t *gids = reallocarray(step->gids, step->ngids + 1, sizeof(*gids));
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
static int add_option(void *field, char *value)
{
    struct step *step = field;
    struct berth_err why = {0};
    char *eq = strchr(value, '=');

    if (eq)
        *eq++ = 0;
    if (options_set(&step->options, value, eq, &why) == 0 || step->wrong)
        return 0;
    step->wrong = strdup(why.text);
    return step->wrong && why.code == BERTH_EINVAL ? 0 : -1;
}

static int add_word(void *field, char *value)
{
    struct strv *words = field;

    return words->n < BERTH_ALLOW_MAX ? strv_add(words, value) : -1;
}

// Of the two that there are.
static int add_pmix_dir(void *field, char *value)
{
    struct strv *dirs = field;

    return value[0] == '/' && dirs->n < 2 ? strv_add(dirs, value) : -1;
}

// Of a fact: it may be told more than once; there is no step without it.
enum { MANY = 1, NEEDED = 2 };

#define STEP(field) offsetof(struct step, field)

static const struct fact {
    const char *key;
    int (*set)(void *field, char *value);
    size_t field;
    unsigned flags;
} facts[] = {
    {"job", set_number, STEP(job), NEEDED},
    {"step", set_number, STEP(step), NEEDED},
    {"uid", set_number, STEP(uid), NEEDED},
    {"gid", set_number, STEP(gid), NEEDED},
    {"gids", add_gids, 0, MANY},
    {"ntasks", set_number, STEP(ntasks), NEEDED},
    {"nnodes", set_number, STEP(nnodes), 0},
    {"nodeid", set_number, STEP(nodeid), 0},
    {"node", set_node, STEP(node), NEEDED},
    {"option", add_option, 0, MANY},
    {"wrong", set_text, STEP(wrong), 0},
    {"cwd", set_path, STEP(cwd), NEEDED},
    {"pwd", set_path, STEP(pwd), 0},
    {"argv0", set_text, STEP(argv0), NEEDED},
    {"own", set_number, STEP(own), 0},
    {"script", set_path, STEP(script), 0},
    {"gpus", set_text, STEP(gpus), 0},
    {"shared", set_text, STEP(shared), 0},
    {"pmixdir", add_pmix_dir, STEP(pmix_dirs), MANY},
    {"pmix", set_pmix, STEP(pmix), 0},
    {"pmixtmp", set_path, STEP(pmixtmp), 0},
    {"xauth", set_xauth, STEP(xauth), 0},
    {"slurmconf", set_path, STEP(slurm.conf), 0},
    {"slurmplugins", set_path, STEP(slurm.plugins), 0},
    {"slurmberth", set_path, STEP(slurm.berth), 0},
    {"slurmcommands", set_path, STEP(slurm.commands), 0},
    {"slurmmunge", set_path, STEP(slurm.munge), 0},
    {"slurmuser", set_text, STEP(slurm.user), 0},
    {"word", add_word, STEP(words), MANY},
    {"conf", set_path, STEP(conf), 0},
    {"line", set_number, STEP(conf_line), 0},
    {"others", set_text, STEP(others), 0},
    {"compare", set_compare, STEP(compare), 0},
    {"apart", set_number, STEP(apart), 0},
    {"cut", set_number, STEP(conf_cut), 0},
};

enum { FACTS = sizeof(facts) / sizeof(*facts) };

static int set_fact(struct step *step, const char *key, char *value)
{
    for (size_t i = 0; i < FACTS; i++) {
        const struct fact *fact = &facts[i];
        uint64_t told = UINT64_C(1) << i;
        if (strcmp(key, fact->key) != 0)
            continue;
        if ((step->told & told) && !(fact->flags & MANY))
            return -1;
        step->told |= told;
        return fact->set((char *)step + fact->field, value);
    }
    return -1;
}

int step_add_fact(struct step *step, const char *packet, size_t len,
                  struct berth_err *err)
{
    char key[16] = "";

    const char *eq = len <= BERTH_FACT_MAX ? memchr(packet, '=', len) : NULL;
    if (!eq || eq == packet || (size_t)(eq - packet) >= sizeof(key) ||
        memchr(packet, 0, len))
        return err_set(err, BERTH_EINVAL, "the plugin sent a malformed fact");
    memcpy(key, packet, (size_t)(eq - packet));
    char *value = strndup(eq + 1, len - (size_t)(eq + 1 - packet));
    if (!value)
        return err_set(err, BERTH_ENOMEM, "memory is out");
    int rc = set_fact(step, key, value);
    free(value);
    if (rc < 0)
        return err_set(err, BERTH_EINVAL,
                       "the plugin sent a fact that berth-stepd cannot use "
                       "(%s)",
                       key);
    return 0;
}

int step_check(const struct step *step, struct berth_err *err)
{
    bool all = step->job != 0 && step->ntasks != 0 &&
               step->ntasks <= BERTH_TASKS_MAX &&
               (options_want(&step->options) || step->wrong);

    for (size_t i = 0; i < FACTS; i++)
        all = all && (!(facts[i].flags & NEEDED) || (step->told >> i & 1));
    return all ? 0
               : err_set(err, BERTH_EINVAL,
                         "the plugin did not tell berth-stepd all that it "
                         "needs: is the plugin of the same version?");
}

void step_clear(struct step *step)
{
    free(step->gids);
    free(step->node);
    options_clear(&step->options);
    free(step->wrong);
    free(step->cwd);
    free(step->pwd);
    free(step->argv0);
    free(step->script);
    free(step->gpus);
    free(step->shared);
    strv_clear(&step->pmix_dirs);
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
    free(step->others);
    free(step->compare);
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
