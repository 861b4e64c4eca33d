// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// berth: the users' command. It has no rights and no daemon: each verb becomes
// a command of Slurm's, so who may do what is decided where it always is.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/docker.h"
#include "user/slurm.h"
#include "user/verbs.h"

static int verb_version(int argc, char **argv, struct berth_err *err)
{
    static const char *const srun[] = {"srun", "--version", NULL};

    (void)argc;
    (void)argv;
    (void)err;
    puts("berth " PACKAGE_VERSION);
    fflush(stdout);
    return slurm_become(srun);
}

static int verb_help(int argc, char **argv, struct berth_err *err);

static const struct verb {
    const char *name;
    const char *words;
    const char *does;
    int (*run)(int argc, char **argv, struct berth_err *err);
} verbs[] = {
    {"run", "[OPTIONS] IMAGE [COMMAND]", "run COMMAND, with docker's options",
     verb_run},
    {"exec", "[-it] JOB[.STEP] COMMAND", "run COMMAND in a running container",
     verb_exec},
    {"save", "JOB NAME FILE|image:NAME", "save the container NAME of a job",
     verb_save},
    {"attach", "JOB.STEP", "see what a step writes, and write to it",
     verb_attach},
    {"ps", "[-aclq] [--gpu-used]", "list your containers", verb_ps},
    {"stats", "JOB[.STEP]", "show what steps use", verb_stats},
    {"logs", "[-f] JOB", "show what a batch job has written", verb_logs},
    {"stop", "JOB[.STEP]...", "end jobs or steps", verb_stop},
    {"kill", "[-s SIGNAL] JOB[.STEP]...", "send them a signal", verb_kill},
    {"pause", "JOB[.STEP]...", "stop their processes", verb_pause},
    {"unpause", "JOB[.STEP]...", "let them go on", verb_unpause},
    {"images", "[-w NODES] [NAME]", "list the images that you may run",
     verb_images},
    {"pull", "[-w NODES | -o FILE] NAME...", "bring images to nodes",
     verb_pull},
    {"load", "[-w NODES] FILE", "bring an archive to nodes", verb_load},
    {"tree", "[-w NODES] [NAME]", "show what images are made of", verb_tree},
    {"rmi", "[-w NODES] NAME|ID...", "remove images of your own", verb_rmi},
    {"rm", "[--job=JOB] NAME|JOB.STEP...", "end containers that wait", verb_rm},
    {"gpus", "[--free|--used]", "list the GPUs of the nodes", verb_gpus},
    {"version", "", "show the versions", verb_version},
    {"help", "", "show this", verb_help},
};

// Verbs of docker's that mean nothing here, or something else.
static const struct {
    const char *name, *advice;
} others[] = {
    {"build", "images are built elsewhere, by docker, podman or buildah: push "
              "yours to a registry, or take it along as a file (docker save)"},
    {"commit", "what a container's files have become is an image by berth "
               "save"},
    {"compose", "several containers are several steps of a job: srun ... & "
                "each, and wait"},
    {"cp", "mount a directory of your own (berth run -v), and copy there"},
    {"create", "a container is made when something runs in it: berth run"},
    {"diff", "nobody looks: mount what is to stay (berth run -v)"},
    {"export", "what a container's files have become is an image by berth "
               "save"},
    {"history", "berth tree shows what images are made of"},
    {"import", "berth load takes archives of docker save"},
    {"info",
     "berth version and berth gpus have some of it, and sinfo the rest"},
    {"inspect", "berth ps --json, berth images --json and scontrol show step "
                "have what there is"},
    {"login", "credentials are read from ~/.docker/config.json and "
              "~/.config/containers/auth.json: write them there by docker "
              "login, podman login or skopeo login"},
    {"logout", "credentials are in ~/.docker/config.json or "
               "~/.config/containers/auth.json: take them out there"},
    {"network", "networks are the administrator's: srun --container=help has "
                "those that you may use"},
    {"port", "a container has its node's network: what listens in it is "
             "reached at the node's name"},
    {"push", "a registry is not written to from here: use docker, podman or "
             "skopeo"},
    {"rename", "a container keeps the name that it was made with"},
    {"restart", "a job is started again by scontrol requeue"},
    {"search", "berth images has what you may run"},
    {"start", "a container ends with what runs in it: berth run starts "
              "another"},
    {"system", "the nodes' images are the administrator's to look after"},
    {"tag", "an image has the name that its registry gives it"},
    {"top", "berth stats shows what steps use, and berth exec JOB.STEP ps what "
            "runs"},
    {"update", "a job's limits are Slurm's: scontrol update job"},
    {"volume", "there are no volumes: mount directories of your own (berth run "
               "-v)"},
    {"wait", "srun waits by itself; for a batch job there is sbatch --wait"},
};

static const char *advice_of(const char *name)
{
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
        if (strcmp(others[i].name, name) == 0)
            return others[i].advice;
    return NULL;
}

// The newer words for the same: "container ls", "image pull".
static const struct {
    const char *group, *word, *verb;
} groups[] = {
    {"container", "list", "ps"}, {"container", "ls", "ps"},
    {"container", NULL, NULL},   {"image", "list", "images"},
    {"image", "ls", "images"},   {"image", "remove", "rmi"},
    {"image", "rm", "rmi"},      {"image", NULL, NULL},
};

// Takes the group of a verb off, and gives the verb the name that it has here.
static void take_group(int *argc, char ***argv)
{
    for (size_t i = 0; *argc > 2 && i < sizeof(groups) / sizeof(*groups); i++) {
        if (strcmp((*argv)[1], groups[i].group) != 0 ||
            (groups[i].word && strcmp((*argv)[2], groups[i].word) != 0))
            continue;
        ++*argv;
        --*argc;
        if (groups[i].verb)
            (*argv)[1] = (char *)groups[i].verb;
        return;
    }
}

static int verb_help(int argc, char **argv, struct berth_err *err)
{
    (void)argc;
    (void)argv;
    (void)err;
    puts("usage: berth VERB ...\n");
    for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++) {
        char what[64];
        snprintf(what, sizeof(what), "%s %s", verbs[i].name, verbs[i].words);
        printf("  %-36s  %s\n", what, verbs[i].does);
    }
    puts("\nLists take --json and --format=COLUMN,...; berth run -n shows the "
         "command that\nit would become. berth(1) has the rest.");
    return 0;
}

static int say_usage(const struct verb *verb)
{
    printf("usage: berth %s %s\n%s; berth(1) has the rest.\n", verb->name,
           verb->words, verb->does);
    if (verb->run == verb_run)
        docker_run_help();
    return 0;
}

// What its user has set for squeue is not for what berth asks that.
static void forget_squeue(void)
{
    for (char **e = environ; e && *e;) {
        size_t len = strcspn(*e, "=");
        char name[64];

        if (strncmp(*e, "SQUEUE_", 7) == 0 && len < sizeof(name)) {
            snprintf(name, sizeof(name), "%.*s", (int)len, *e);
            unsetenv(name);
            e = environ;
        } else {
            e++;
        }
    }
}

int main(int argc, char **argv)
{
    forget_squeue();
    take_group(&argc, &argv);
    const char *name = argc < 2 || !strcmp(argv[1], "--help") ? "help"
                       : !strcmp(argv[1], "--version")        ? "version"
                                                              : argv[1];
    struct berth_err err = {0};

    for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++) {
        if (strcmp(verbs[i].name, name) != 0)
            continue;
        if (argc == 3 && strcmp(argv[2], "--help") == 0)
            return say_usage(&verbs[i]);
        int status = verbs[i].run(argc - 1, argv + 1, &err);
        if (status >= 0)
            return status;
        err_scrub(err.text);
        fprintf(stderr, "berth: %s\n", err.text);
        return err.code == BERTH_EINVAL ? VERB_USAGE : VERB_FAILED;
    }
    char quoted[ERR_QUOTE_MAX];
    const char *advice = advice_of(name);
    err_quote(name, quoted, sizeof(quoted));
    fprintf(stderr, "berth: %s is no verb%s: %s\n", quoted,
            advice ? " of berth's" : "",
            advice ? advice : "berth help lists them");
    return VERB_USAGE;
}
