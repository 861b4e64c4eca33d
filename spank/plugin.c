// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// What Slurm calls. A hook never fails in slurmstepd: there, failing can drain
// the node or requeue the job, before 25.05 Slurm takes only negative numbers
// for a failure, and what a plugin returns that plugstack.conf has as
// `optional` it passes over. So a task ends with the reason instead, if it was
// to be in a container and cannot be: if need be by task_init, which runs in
// the task's own process, and ends it.

#include <slurm/slurm_version.h>
#include <slurm/spank.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "logic/limits.h"
#include "logic/options.h"
#include "logic/step.h"
#include "protocol/wire.h"
#include "spank/client.h"
#include "spank/compare.h"
#include "spank/option_env.h"
#include "spank/remote.h"
#include "spank/start.h"

#pragma GCC visibility push(default)
SPANK_PLUGIN(berth, 1)
#pragma GCC visibility pop

#define EXPORT __attribute__((visibility("default")))

// Slurm's own name for `--container`, since 21.08.
static const char slurm_container[] = "SLURM_CONTAINER";

// The project's only mutable global: SPANK has no user pointer.
static struct plugin {
    struct options options; // that Slurm has handed over
    struct berth_err err;   // what is wrong with them: never run on the host
    struct client client;
    // slurmstepd: whether the step asked for a container.
    enum { STEP_UNKNOWN = 0, STEP_BARE = 1, STEP_CONTAINED = 2 } step;
    struct remote *remote;
    struct compare *compare; // srun
    bool task_starts;        // in a task's own process: it will be berth-task
} plugin;

static bool is_client(void)
{
    spank_context_t context = spank_context();

    return context == S_CTX_LOCAL || context == S_CTX_ALLOCATOR;
}

// srun, sbatch, salloc: the user. slurmstepd: root. What it returns is only
// logged in slurmstepd, where the option would then look unset.
static int take_option(int val, const char *value, int remote)
{
    (void)remote;
    if (is_client())
        client_took(&plugin.client, option_table[val].name);
    if (plugin.err.code == BERTH_OK)
        options_set(&plugin.options, option_table[val].name, value,
                    &plugin.err);
    return 0;
}

// srun, sbatch, salloc: the user. For options of pyxis's.
static int take_other(int val, const char *value, int remote)
{
    const struct option_other *o = &option_others[val];

    (void)value;
    (void)remote;
    if (o->advice && plugin.err.code == BERTH_OK)
        err_set(&plugin.err, BERTH_EINVAL,
                "--%s is pyxis's, and not berth's: %s", o->name, o->advice);
    return 0;
}

static void register_others(spank_t sp)
{
    for (int i = 0; option_others[i].name; i++) {
        const struct option_other *o = &option_others[i];
        struct spank_option option = {
            (char *)o->name,
            (char *)o->arg,
            (char *)(o->advice ? "not berth's: says what to do instead"
                               : "as it is anyway"),
            o->arg != NULL,
            i,
            take_other};
        if (spank_option_register(sp, &option) != ESPANK_SUCCESS)
            slurm_error("berth: the option --%s cannot be registered", o->name);
    }
}

static void register_options(spank_t sp)
{
    for (int i = 0; option_table[i].name; i++) {
        const struct option_info *o = &option_table[i];
        struct spank_option option = {
            (char *)o->name, (char *)o->arg, (char *)o->help, o->arg != NULL, i,
            take_option};
        if (spank_option_register(sp, &option) != ESPANK_SUCCESS)
            slurm_error("berth: the option --%s cannot be registered", o->name);
    }
}

// All contexts: the user in srun, sbatch and salloc, root elsewhere.
EXPORT int slurm_spank_init(spank_t sp, int argc, char **argv)
{
    if (is_client()) {
        // srun would keep it before its own option.
        unsetenv(slurm_container);
        client_begin(&plugin.client, argc, argv);
    }
    if (is_client() || spank_context() == S_CTX_REMOTE)
        register_options(sp);
    if (is_client())
        register_others(sp);
    if (spank_context() == S_CTX_SLURMD)
        start_starter();
    return ESPANK_SUCCESS;
}

// srun: the user. Has the nodes of a step over several compared.
static void compare_nodes(spank_t sp)
{
    uint32_t nnodes;

    if (spank_get_item(sp, S_JOB_NNODES, &nnodes) != ESPANK_SUCCESS ||
        nnodes < 2)
        return;
    if (plugin.compare)
        compare_add(plugin.compare, nnodes);
    else
        plugin.compare = compare_begin(nnodes);
}

// srun: the user. Before the step's launch; for each component of a
// heterogeneous one.
EXPORT int slurm_spank_local_user_init(spank_t sp, int argc, char **argv)
{
    char **step_argv = NULL, *text = NULL;
    int step_argc = 0;

    (void)argc;
    (void)argv;
    if (!plugin.client.wanted)
        return ESPANK_SUCCESS;
    compare_nodes(sp);
    if (spank_get_item(sp, S_JOB_ARGV, &step_argc, &step_argv) !=
        ESPANK_SUCCESS)
        return ESPANK_SUCCESS;
    char **place = remote_wrap(step_argc, step_argv, &text);
    if (!place)
        return ESPANK_SUCCESS;
    // What stood there is left to the end of the process.
    char *word = text ? client_word(text) : NULL;
    free(text);
    if (!word || client_wrap_copy() < 0)
        return -ESPANK_ERROR; // before 25.05 a positive one is none
    *place = word;
    return ESPANK_SUCCESS;
}

static int any(void *arg, const char *name, const char *value)
{
    (void)arg;
    (void)name;
    (void)value;
    return 1;
}

// slurmstepd: root. What srun's own plugin has taken together and sent counts
// alone: of options that were given again, Slurm itself sends the last.
static void receive_options(spank_t sp)
{
    struct options sent = {0};

    option_env_receive(sp, &sent, &plugin.err);
    if (options_each(&sent, any, NULL) != 0) {
        options_clear(&plugin.options);
        plugin.options = sent;
    }
}

// Adds the image IMAGE, by Slurm's own name of the option.
static void add_slurms_image(const char *image)
{
    const char *other = plugin.options.image;
    char first[ERR_QUOTE_MAX], second[ERR_QUOTE_MAX];

    if (!other || strcmp(other, image) == 0) {
        options_set(&plugin.options, "container", image, &plugin.err);
        return;
    }
    err_quote(other, first, sizeof(first));
    err_quote(image, second, sizeof(second));
    err_set(&plugin.err, BERTH_EINVAL,
            "--container-image and --container name more than one image, "
            "\"%s\" and \"%s\": give one image",
            first, second);
}

// slurmstepd: root. Says whether the step wants a container, or something of
// one: that is refused later, with everything else.
static bool wants_container(spank_t sp)
{
    char image[BERTH_IMAGE_MAX];
    uint32_t step;

    if (spank_get_item(sp, S_JOB_STEPID, &step) == ESPANK_SUCCESS &&
        step == STEP_EXTERN)
        return false;
    if (plugin.err.code == BERTH_OK)
        receive_options(sp);
    spank_err_t rc = spank_getenv(sp, slurm_container, image, sizeof(image));
    if (rc == ESPANK_NOSPACE)
        err_set(&plugin.err, BERTH_EINVAL,
                "the image's name is longer than %d bytes, which no image's "
                "is: correct it",
                BERTH_IMAGE_MAX - 1);
    else if (rc == ESPANK_SUCCESS && plugin.err.code == BERTH_OK)
        add_slurms_image(image);
    if (plugin.err.code == BERTH_OK)
        options_check(&plugin.options, &plugin.err);
    return plugin.err.code != BERTH_OK ||
           (options_each(&plugin.options, any, NULL) != 0 &&
            !options_none(&plugin.options));
}

static bool is_contained(spank_t sp)
{
    if (plugin.step == STEP_UNKNOWN)
        plugin.step = wants_container(sp) ? STEP_CONTAINED : STEP_BARE;
    return plugin.step == STEP_CONTAINED;
}

// srun, sbatch, salloc: the user. slurmstepd: root.
EXPORT int slurm_spank_init_post_opt(spank_t sp, int argc, char **argv)
{
    if (spank_context() == S_CTX_REMOTE && is_contained(sp))
        plugin.remote = remote_begin(sp, plugin.options.root == CHOICE_YES);
    if (!is_client() || (plugin.err.code == BERTH_OK &&
                         client_check(&plugin.client, sp, &plugin.options, argc,
                                      argv, &plugin.err) == 0))
        return ESPANK_SUCCESS;
    // Slurm would end the client as well, but with two sentences more that
    // say nothing.
    err_advise(&plugin.err);
    slurm_error("berth: %s", plugin.err.text);
    exit(1);
}

// slurmstepd: real uid 0, effective uid the user's.
EXPORT int slurm_spank_user_init(spank_t sp, int argc, char **argv)
{
    if (plugin.remote)
        remote_ask(plugin.remote, sp, &plugin.options, &plugin.err, argc, argv);
    return ESPANK_SUCCESS;
}

// slurmstepd: root.
EXPORT int slurm_spank_task_exit(spank_t sp, int argc, char **argv)
{
    (void)sp;
    (void)argc;
    (void)argv;
    if (plugin.remote)
        remote_task_end(plugin.remote);
    return ESPANK_SUCCESS;
}

// The task's own process. Sees to it, once, that it becomes berth-task, or
// ends. A plugin that fails before this one has its turn can have kept it from
// being called until here, in either hook.
static int start_task(spank_t sp)
{
    if (!is_contained(sp) || plugin.task_starts)
        return ESPANK_SUCCESS;
    plugin.task_starts =
        plugin.remote && remote_start_task(plugin.remote, sp) == 0;
    if (plugin.task_starts)
        return ESPANK_SUCCESS;
    if (!plugin.remote)
        slurm_error("berth: this task cannot start in its container, which "
                    "its node could not prepare: tell your administrator");
    _exit(WIRE_EXIT_BERTH);
}

// The task's own process: root, in the job's mount namespace if it has one.
EXPORT int slurm_spank_task_init_privileged(spank_t sp, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    if (plugin.remote)
        remote_task(plugin.remote);
    return start_task(sp);
}

// The task's own process: the user.
EXPORT int slurm_spank_task_init(spank_t sp, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return start_task(sp);
}

// All contexts; in slurmstepd as root.
EXPORT int slurm_spank_exit(spank_t sp, int argc, char **argv)
{
    (void)sp;
    (void)argc;
    (void)argv;
    if (plugin.remote)
        remote_end(plugin.remote);
    compare_end(plugin.compare);
    options_clear(&plugin.options);
    client_clear(&plugin.client);
    plugin = (struct plugin){0};
    return ESPANK_SUCCESS;
}
