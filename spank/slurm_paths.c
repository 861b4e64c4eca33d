// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: slurm.conf as slurmstepd has read it, and where its own program
// lies: root's.

#include "spank/slurm_paths.h"

#include <dlfcn.h>
#include <slurm/slurm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Where libmunge looks if nobody says otherwise.
#define MUNGE_SOCKET "/run/munge/munge.socket.2"

// Slurm's plugin for it, as of its default release.
#define PMIX "/mpi_pmix.so"

static void note(char *to, size_t size, const char *text)
{
    if (!text || strlen(text) >= size)
        text = "";
    snprintf(to, size, "%s", text);
}

// A path that is not absolute, as of `slurmd -f`, means nothing elsewhere.
static void note_path(char to[PATH_MAX], const char *path)
{
    note(to, PATH_MAX, path && path[0] == '/' ? path : NULL);
}

// Cuts the last component off.
static void to_directory(char *path)
{
    char *slash = strrchr(path, '/');

    if (slash)
        *slash = 0;
}

// PluginDir can be a list: the first that has Slurm's is taken, and that is
// the first one.
static void find_plugins(const char *list, char to[PATH_MAX])
{
    note_path(to, list);
    to[strcspn(to, ":")] = 0;
}

static void find_munge(const slurm_conf_t *conf, char to[PATH_MAX])
{
    const char *socket =
        conf->authinfo ? strstr(conf->authinfo, "socket=") : NULL;

    if (!conf->authtype || strcmp(conf->authtype, "auth/munge") != 0)
        return;
    note_path(to, socket ? socket + strlen("socket=") : MUNGE_SOCKET);
    to[strcspn(to, ",")] = 0;
}

// Slurm installs its commands beside its daemons: PREFIX/bin and PREFIX/sbin.
static void find_commands(char to[PATH_MAX])
{
    ssize_t n = readlink("/proc/self/exe", to, PATH_MAX - sizeof("/bin"));

    to[n > 0 ? n : 0] = 0;
    to_directory(to);
    to_directory(to);
    strcat(to, "/bin");
}

void slurm_paths_pmix(const char *node, char out[PATH_MAX])
{
    const slurm_conf_t *conf = dlsym(RTLD_DEFAULT, "slurm_conf");
    char *(*expand)(const char *, const char *, const char *) =
        (char *(*)(const char *, const char *, const char *))dlsym(
            RTLD_DEFAULT, "slurm_conf_expand_slurmd_path");
    char plugin[PATH_MAX] = "";

    *out = 0;
    if (!conf || !expand || !conf->slurmd_spooldir)
        return;
    find_plugins(conf->plugindir, plugin);
    if (strlen(plugin) >= sizeof(plugin) - sizeof(PMIX))
        return;
    strcat(plugin, PMIX);
    // Slurm's allocator makes it: left to the end of the process.
    if (access(plugin, F_OK) == 0)
        note_path(out, expand(conf->slurmd_spooldir, node, NULL));
}

void slurm_paths_find(struct slurm_paths *out)
{
    const slurm_conf_t *conf = dlsym(RTLD_DEFAULT, "slurm_conf");
    Dl_info self;

    *out = (struct slurm_paths){0};
    find_commands(out->commands);
    if (dladdr((void *)(size_t)slurm_paths_find, &self)) {
        note_path(out->berth, self.dli_fname);
        to_directory(out->berth);
    }
    if (!conf)
        return;
    // From 23.02 on, slurmd tells slurmstepd what is in it, and not where it
    // is; but its environment, which is slurmd's and root's, does.
    note_path(out->conf,
              conf->slurm_conf ? conf->slurm_conf : getenv("SLURM_CONF"));
    note(out->user, sizeof(out->user), conf->slurm_user_name);
    find_plugins(conf->plugindir, out->plugins);
    find_munge(conf, out->munge);
}
