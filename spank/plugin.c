// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// What Slurm calls. A hook never fails for a user's mistake in slurmstepd:
// there, failing can drain the node or requeue the job, so the task ends
// with the reason instead. The exception is task_init, which runs in the
// task's own process.

#include <slurm/slurm_version.h>
#include <slurm/spank.h>

#include <dlfcn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/decide.h"
#include "core/limits.h"
#include "core/policy.h"
#include "core/step.h"
#include "spank/conf.h"
#include "spank/remote.h"

#pragma GCC visibility push(default)
SPANK_PLUGIN(berth, 1)
#pragma GCC visibility pop

#define EXPORT __attribute__((visibility("default")))

// The project's only mutable global: SPANK has no user pointer.
static struct plugin {
    char *option;  // what the user wrote behind --container-image
    bool invalid;  // it could not be kept: never run on the host
    struct remote *remote;
    // srun: where a multi-prog configuration stands, and what stood there.
    char **multiprog;
    char *saved;
} plugin;

// Slurm's own name for `--container`, since 21.08.
static const char slurm_container[] = "SLURM_CONTAINER";

// srun, sbatch, salloc: the user. slurmstepd: root. What it returns is only
// logged in slurmstepd, where the option would then look unset.
static int take_image(int val, const char *optarg, int remote)
{
    (void)val;
    (void)remote;
    char *image =
        optarg && strlen(optarg) < BERTH_IMAGE_MAX ? strdup(optarg) : NULL;
    if (!image || (plugin.option && strcmp(plugin.option, image) != 0))
        plugin.invalid = true;
    free(plugin.option);
    plugin.option = image;
    return 0;
}

static struct spank_option options[] = {
#if SLURM_VERSION_NUMBER < SLURM_VERSION_NUM(21, 8, 0)
    {(char *)"container", (char *)"IMAGE",
     (char *)"run in a container of IMAGE", 1, 0, take_image},
#endif
    {(char *)"container-image", (char *)"IMAGE",
     (char *)"run in a container of IMAGE (same as --container=IMAGE)", 1,
     0, take_image},
};

static bool is_client(void)
{
    spank_context_t context = spank_context();

    return context == S_CTX_LOCAL || context == S_CTX_ALLOCATOR;
}

// All contexts: the user in srun, sbatch and salloc, root elsewhere.
EXPORT int slurm_spank_init(spank_t sp, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    if (!is_client() && spank_context() != S_CTX_REMOTE)
        return ESPANK_SUCCESS;
    // What a surrounding job was given is not what this command asks for:
    // srun would keep SLURM_CONTAINER before its own option.
    if (is_client()) {
        unsetenv(slurm_container);
        unsetenv("_SLURM_SPANK_OPTION_berth_container_image");
        unsetenv("SLURM_SPANK__SLURM_SPANK_OPTION_berth_container_image");
    }
    for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++)
        if (spank_option_register(sp, &options[i]) != ESPANK_SUCCESS)
            slurm_error("berth: the option --%s cannot be registered",
                        options[i].name);
    return ESPANK_SUCCESS;
}

// What the client's own `--container` holds. SPANK does not tell: srun has
// it in its environment; sbatch and salloc in a structure that libslurmfull
// can read. Where that is different, the node alone decides.
static char *client_container(void)
{
    void *opt = dlsym(RTLD_DEFAULT, "opt");
    char *(*get)(void *, const char *) =
        (char *(*)(void *, const char *))dlsym(RTLD_DEFAULT,
                                               "slurm_option_get");
    const char *env = getenv(slurm_container);

    if (env)
        return strdup(env);
    // Slurm's allocator made it: the few bytes are left to the end of the
    // process.
    return spank_context() == S_CTX_ALLOCATOR && opt && get
               ? get(opt, "container")
               : NULL;
}

// Refuses what the policy of this host refuses. Convenience: the node
// decides again.
static int check_request(char *image, int argc, char **argv)
{
    struct options wish = {.image = image};
    struct subject subject = {.uid = getuid(), .gid = getgid()};
    struct conf_origin where;
    struct decision decision;
    struct rules rules;
    struct berth_err err;
    int rc = -1;

    conf_find(argc, argv, &where);
    struct policy_source source = {where.file[0] ? where.file : NULL,
                                   where.line, where.cut};
    struct policy *policy = policy_parse((size_t)argc,
                                         (const char *const *)argv, &source,
                                         NULL, NULL, 0, &err);
    if (policy && policy_rules(policy, &subject, &rules, &err) == 0) {
        decide(&rules, &wish, &subject, &decision);
        rc = decision.verdict == VERDICT_ALLOW
                 ? 0
                 : err_set(&err, decision.code, "%s", decision.reason);
        decision_clear(&decision);
        rules_clear(&rules);
    }
    policy_free(policy);
    if (rc < 0)
        slurm_error("berth: %s", err.text);
    return rc;
}

// srun: the user. Before the step's launch.
EXPORT int slurm_spank_local_user_init(spank_t sp, int argc, char **argv)
{
    char **step_argv = NULL;
    int step_argc = 0;

    (void)argc;
    (void)argv;
    if ((!plugin.option && !getenv(slurm_container)) ||
        spank_get_item(sp, S_JOB_ARGV, &step_argc, &step_argv) !=
            ESPANK_SUCCESS)
        return ESPANK_SUCCESS;
    if (remote_wrap(step_argc, step_argv, &plugin.saved) < 0)
        return ESPANK_ERROR;
    if (plugin.saved)
        plugin.multiprog = &step_argv[1];
    return ESPANK_SUCCESS;
}

// srun, sbatch, salloc: the user.
static void check_client(int argc, char **argv)
{
    char *container = client_container();
    int rc = 0;

    if (plugin.invalid ||
        (plugin.option && container && strcmp(plugin.option, container) != 0)) {
        slurm_error("berth: --container and --container-image name more than "
                    "one image, or one with too long a name: give one image");
        rc = -1;
    } else if (plugin.option || container) {
        rc = check_request(plugin.option ? plugin.option : container, argc,
                           argv);
    }
    free(container);
    // Slurm would end the client as well, but with two sentences more that
    // say nothing.
    if (rc < 0)
        exit(1);
}

// slurmstepd: says whether the step wants a container. IMAGE receives its
// name, or the empty string where that could not be kept: that is refused
// as one, with everything else.
static bool wants_container(spank_t sp, char image[BERTH_IMAGE_MAX])
{
    uint32_t step;
    spank_err_t rc = spank_getenv(sp, slurm_container, image, BERTH_IMAGE_MAX);

    if (spank_get_item(sp, S_JOB_STEPID, &step) == ESPANK_SUCCESS &&
        step == STEP_EXTERN)
        return false;
    if (rc == ESPANK_NOSPACE)
        plugin.invalid = true;
    if (!plugin.option && !plugin.invalid && rc != ESPANK_SUCCESS)
        return false;
    if (plugin.invalid)
        image[0] = 0;
    else if (plugin.option)
        strcpy(image, plugin.option); // take_image has bounded it
    return true;
}

// srun, sbatch, salloc: the user. slurmstepd: root.
EXPORT int slurm_spank_init_post_opt(spank_t sp, int argc, char **argv)
{
    char image[BERTH_IMAGE_MAX];

    if (is_client())
        check_client(argc, argv);
    else if (spank_context() == S_CTX_REMOTE && wants_container(sp, image) &&
             !(plugin.remote = remote_begin(sp)))
        return ESPANK_ERROR;
    return ESPANK_SUCCESS;
}

// slurmstepd: real uid 0, effective uid the user's.
EXPORT int slurm_spank_user_init(spank_t sp, int argc, char **argv)
{
    char image[BERTH_IMAGE_MAX];

    if (plugin.remote && wants_container(sp, image))
        remote_ask(plugin.remote, sp, image, argc, argv);
    return ESPANK_SUCCESS;
}

// slurmstepd: root.
EXPORT int slurm_spank_task_post_fork(spank_t sp, int argc, char **argv)
{
    pid_t pid;

    (void)argc;
    (void)argv;
    if (plugin.remote && spank_get_item(sp, S_TASK_PID, &pid) == ESPANK_SUCCESS)
        remote_task(plugin.remote, pid);
    return ESPANK_SUCCESS;
}

// The task's own process: the user.
EXPORT int slurm_spank_task_init(spank_t sp, int argc, char **argv)
{
    (void)sp;
    (void)argc;
    (void)argv;
    return plugin.remote ? remote_check_task(plugin.remote) : ESPANK_SUCCESS;
}

// All contexts; in slurmstepd as root.
EXPORT int slurm_spank_exit(spank_t sp, int argc, char **argv)
{
    (void)sp;
    (void)argc;
    (void)argv;
    if (plugin.remote)
        remote_end(plugin.remote);
    if (plugin.multiprog) {
        free(*plugin.multiprog);
        *plugin.multiprog = plugin.saved;
    }
    free(plugin.option);
    plugin = (struct plugin){0};
    return ESPANK_SUCCESS;
}
