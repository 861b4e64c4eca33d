// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include "logic/changes.h"

#include <stdbool.h>
#include <string.h>

#include "logic/glob.h"
#include "protocol/inside_paths.h"

// Names; a '*' at the end stands for any rest.
#define GPU_NAMES                                                              \
    "CUDA_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL", "HIP_VISIBLE_DEVICES",       \
        "NVIDIA_*", "ROCR_VISIBLE_DEVICES", "ZE_AFFINITY_MASK"
#define STEP_NAMES "OMPI_*", "PMI*", "SLURM*"

static const char *const of_gpus[] = {GPU_NAMES, NULL};

// What a task always gets of its job's.
static const char *const always_passed[] = {GPU_NAMES, STEP_NAMES, NULL};

// What an image cannot set for a task.
static const char *const not_the_images[] = {
    GPU_NAMES, STEP_NAMES, "BERTH_*", "HOME", "HOSTNAME",
    "PWD",     "TMPDIR",   "USER",    NULL,
};

// Says whether the name in front of the '=' of ASSIGNMENT is one of NAMES.
static bool is_one_of(const char *const *names, const char *assignment)
{
    size_t len = strcspn(assignment, "=");

    for (; *names; names++) {
        size_t n = strlen(*names);
        bool rest = (*names)[n - 1] == '*';
        if (rest ? len >= n - 1 && memcmp(assignment, *names, n - 1) == 0
                 : len == n && memcmp(assignment, *names, n) == 0)
            return true;
    }
    return false;
}

bool changes_is_of_gpus(const char *assignment)
{
    return is_one_of(of_gpus, assignment);
}

int changes_change(struct strv *out, enum wire_change change, const char *text)
{
    return strv_addf(out, "%c%s", change, text);
}

static bool is_the_images(const char *value)
{
    return value[0] != '=' && strchr(value, '=') &&
           !is_one_of(not_the_images, value);
}

int changes_add(char *const *env, size_t n, struct strv *out,
                struct berth_err *err)
{
    for (size_t i = 0; i < n; i++)
        if (is_the_images(env[i]) && changes_change(out, WIRE_SET, env[i]) < 0)
            return err_set(err, BERTH_ENOMEM, "memory is out");
    return 0;
}

// One text more, behind the last of GLOBS and WITH.
static int join(struct strv *globs, const char *with, const char *text)
{
    return strv_addf(globs, "%s%s%s", globs->v[globs->n - 1], with, text);
}

static int add_pass(const struct rule_list *pass, struct strv *out)
{
    struct strv globs = {0};
    int rc = changes_change(&globs, WIRE_KEEP, always_passed[0]);

    for (size_t i = 1; rc == 0 && always_passed[i]; i++)
        rc = join(&globs, "=", always_passed[i]);
    for (size_t i = 0; rc == 0 && i < pass->n; i++)
        rc = join(&globs, "=", pass->v[i]->text);
    if (rc == 0)
        rc = strv_add(out, globs.v[globs.n - 1]);
    strv_clear(&globs);
    return rc;
}

// What stays outside unless the user has asked for it.
static int add_ask(const struct changes *o, struct strv *out)
{
    struct strv globs = {0};
    int rc = changes_change(&globs, WIRE_DROP, o->env_ask->v[0]->text);

    for (size_t i = 1; rc == 0 && i < o->env_ask->n; i++)
        rc = join(&globs, "=", o->env_ask->v[i]->text);
    for (size_t i = 0; rc == 0 && i < o->nenv; i++)
        rc = join(&globs, i == 0 ? "==" : "=", o->env[i]);
    if (rc == 0)
        rc = strv_add(out, globs.v[globs.n - 1]);
    strv_clear(&globs);
    return rc;
}

static int add_globs(const struct changes *o, struct strv *out)
{
    int rc = changes_change(out, WIRE_DROP, "BERTH_*");

    for (size_t i = 0; rc == 0 && o->env_deny && i < o->env_deny->n; i++)
        rc = changes_change(out, WIRE_DROP, o->env_deny->v[i]->text);
    if (rc == 0 && o->env_ask && o->env_ask->n > 0)
        rc = add_ask(o, out);
    if (rc == 0 && o->env_pass && o->env_pass->n > 0)
        rc = add_pass(o->env_pass, out);
    return rc;
}

// Says whether the user, or the administrator for him, prefers the job's value
// of the variable in ASSIGNMENT.
static bool is_the_jobs(const struct changes *o, const char *assignment)
{
    char name[GLOB_MAX];
    size_t len = strcspn(assignment, "=");

    for (size_t i = 0; i < o->nenv; i++)
        if (strlen(o->env[i]) == len && memcmp(o->env[i], assignment, len) == 0)
            return true;
    if (len >= sizeof(name))
        return false;
    memcpy(name, assignment, len);
    name[len] = '\0';
    for (size_t i = 0; i < o->nenv; i++)
        if (glob_match(o->env[i], name, ""))
            return true;
    for (size_t i = 0; o->env_job && i < o->env_job->n; i++)
        if (glob_match(o->env_job->v[i]->text, name, ""))
            return true;
    return false;
}

// A value of the image's or of berth's, where the job's is not preferred.
static int add_value(const struct changes *o, const char *assignment,
                     struct strv *out)
{
    return changes_change(
        out, is_the_jobs(o, assignment) ? WIRE_DEFAULT : WIRE_SET, assignment);
}

// Slurm's commands come first: the image's own, if it has any, may be of
// another Slurm.
static int add_path(const struct changes *o, const char *path, struct strv *out)
{
    struct strv value = {0};
    int rc = strv_addf(&value, "PATH=%s%s",
                       o->slurm_conf ? INSIDE_SLURM_BIN ":" : "", path);

    if (rc == 0)
        rc = add_value(o, value.v[0], out);
    strv_clear(&value);
    return rc;
}

static int add_image(const struct changes *o, struct strv *out)
{
    const char *path = CHANGES_PATH;
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < o->nimage_env; i++) {
        const char *value = o->image_env[i];
        if (!is_the_images(value))
            continue;
        if (strncmp(value, "PATH=", 5) == 0)
            path = value + 5;
        else
            rc = add_value(o, value, out);
    }
    return rc < 0 ? rc : add_path(o, path, out);
}

static int add_places(const struct changes *o, struct strv *out)
{
    struct strv values = {0};
    int rc = strv_addf(&values, "HOME=%s", o->home);

    if (rc == 0)
        rc = strv_addf(&values, "PWD=%s", o->in_workdir ? o->workdir : o->cwd);
    for (size_t i = 0; rc == 0 && i < values.n; i++)
        rc = add_value(o, values.v[i], out);
    strv_clear(&values);
    return rc;
}

static int add_default(void *out, const char *variable, const char *value)
{
    return strv_addf(out, "%c%s=%s", WIRE_SET, variable, value);
}

// What a task starts by Slurm runs in a container like its own. Without
// Slurm's commands, the launchers of MPI start ranks on this node alone, and
// are told so: else they wait for an srun that is not there, and for the
// job's other nodes. From 23.11 on Slurm itself tells Hydra's to use it, which
// is no word of the user's.
static int add_nested(const struct changes *o, struct strv *out)
{
    static const char *const launchers[] = {
        "HYDRA_BOOTSTRAP=fork", "I_MPI_HYDRA_BOOTSTRAP=fork",
        "HYDRA_RMK=user",       "OMPI_MCA_plm=isolated",
        "OMPI_MCA_ras=^slurm",  "PRTE_MCA_plm=^slurm",
        "PRTE_MCA_ras=^slurm",
    };
    static const char *const slurms[] = {
        "HYDRA_BOOTSTRAP=slurm",
        "HYDRA_LAUNCHER_EXTRA_ARGS=--external-launcher",
        "I_MPI_HYDRA_BOOTSTRAP=slurm",
        "I_MPI_HYDRA_BOOTSTRAP_EXEC_EXTRA_ARGS=--external-launcher",
    };
    int rc = 0;

    if (o->slurm_conf) {
        rc = strv_addf(out, "%cSLURM_CONF=%s", WIRE_SET, o->slurm_conf);
        // Where a task starts by --container-workdir need not be on the node.
        if (rc == 0 && o->options->workdir)
            rc =
                strv_addf(out, "%cSLURM_WORKING_DIR=%s", WIRE_SET, o->node_cwd);
        return rc == 0 ? options_each_variable(o->options, add_default, out)
                       : rc;
    }
    for (size_t i = 0; rc == 0 && i < sizeof(slurms) / sizeof(*slurms); i++)
        rc = changes_change(out, WIRE_UNLESS, slurms[i]);
    for (size_t i = 0; rc == 0 && i < sizeof(launchers) / sizeof(*launchers);
         i++)
        rc = changes_change(out, WIRE_DEFAULT, launchers[i]);
    return rc;
}

// What torch.distributed reads (its "env://"). A task's place is Slurm's to
// say; where the tasks meet, the user may have said. Two steps of a node should
// not meet at one port: those below 32768 are nobody's by chance.
static int add_torch(const struct changes *o, struct strv *out)
{
    static const char *const places[] = {"RANK=SLURM_PROCID",
                                         "LOCAL_RANK=SLURM_LOCALID",
                                         "WORLD_SIZE=SLURM_STEP_NUM_TASKS"};
    unsigned port = 20000 + (o->job * 67 + o->step) % 10000;
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < sizeof(places) / sizeof(*places); i++)
        rc = changes_change(out, WIRE_COPY, places[i]);
    if (rc == 0)
        rc = changes_change(out, WIRE_FIRST, "MASTER_ADDR=SLURM_STEP_NODELIST");
    return rc < 0 ? rc : strv_addf(out, "%cMASTER_PORT=%u", WIRE_DEFAULT, port);
}

static int add_sets(const struct changes *o, struct strv *out)
{
    int rc = 0;

    for (size_t i = 0;
         rc == 0 && o->has_ranks && o->env_sets && i < o->env_sets->n; i++)
        if (strcmp(o->env_sets->v[i]->text, "torch") == 0)
            rc = add_torch(o, out);
    return rc;
}

// The image's own program, which its author has tried in the image's WORKDIR.
static int add_program(const struct changes *o, enum wire_change change,
                       const char *program, struct strv *out)
{
    if (program[0] == '/' || !strchr(program, '/') || !o->workdir)
        return changes_change(out, change, program);
    return strv_addf(out, "%c%s/%s", change, o->workdir, program);
}

// What of the image's own is run: its entry point, and its CMD.
static int add_own(const struct changes *o, struct strv *out)
{
    bool entry = o->run_entry && o->nentry > 0;
    int rc = 0;

    for (size_t i = 0; rc == 0 && entry && i < o->nentry; i++)
        rc = i == 0 ? add_program(o, WIRE_ENTRY, o->entry[i], out)
                    : changes_change(out, WIRE_ENTRY, o->entry[i]);
    if (rc == 0 && o->own)
        rc = changes_change(out, WIRE_OWN, "");
    for (size_t i = 0; rc == 0 && o->own && i < o->ncmd; i++)
        rc = i == 0 && !entry ? add_program(o, WIRE_CMD, o->cmd[i], out)
                              : changes_change(out, WIRE_CMD, o->cmd[i]);
    return rc;
}

int changes_build(const struct changes *o, struct strv *out,
                  struct berth_err *err)
{
    int rc = o->argv0[0] ? changes_change(out, WIRE_ARGV0, o->argv0) : 0;

    if (rc == 0)
        rc = add_own(o, out);
    if (rc == 0 && o->nentry > 0 && !o->own)
        rc = changes_change(out, WIRE_HINT,
                            o->run_entry
                                ? "it is the image's ENTRYPOINT: "
                                  "--no-container-entrypoint runs the command "
                                  "without"
                                : "the image has an ENTRYPOINT, which may "
                                  "bring it: --container-entrypoint runs that");
    if (rc == 0)
        rc = o->in_workdir ? changes_change(out, WIRE_WORKDIR, o->workdir)
                           : changes_change(out, WIRE_CWD, o->cwd);
    if (rc == 0)
        rc = add_globs(o, out);
    if (rc == 0)
        rc = add_image(o, out);
    if (rc == 0)
        rc = add_places(o, out);
    if (rc == 0)
        rc = add_nested(o, out);
    if (rc == 0)
        rc = add_sets(o, out);
    for (size_t i = 0; rc == 0 && i < o->nenv_set; i++)
        if (!is_one_of(of_gpus, o->env_set[i]))
            rc = changes_change(out, WIRE_SET, o->env_set[i]);
    return rc < 0 ? err_set(err, BERTH_ENOMEM, "memory is out") : 0;
}
