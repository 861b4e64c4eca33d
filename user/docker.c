// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The words are the user's, and so is the process: what is wrong here can harm
// nobody else, and the node decides again.

#include "user/docker.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "logic/path.h"

// What is known when all options have been read.
struct taking {
    const struct docker_who *who;
    struct docker_run *run;
    struct berth_err *err;
    bool detach, tty;
    bool images;            // nothing is named to run: the image's own is
    const char *entrypoint; // NULL: the image's
    struct strv slurm;      // options of Slurm's
    struct strv container;  // options of berth's
    struct strv names;      // variables that the container gets
};

struct word {
    const char *name;
    char letter;
    bool arg;
    // Without one, the option is as every container of berth's is, or WHY says
    // what stands in its way.
    int (*take)(struct taking *t, const char *value);
    const char *why;
};

static int memory(struct taking *t)
{
    return err_set(t->err, BERTH_ENOMEM, "out of memory");
}

static int add(struct taking *t, struct strv *list, const char *option,
               const char *value)
{
    return strv_addf(list, "%s%s", option, value) < 0 ? memory(t) : 0;
}

static int take_detach(struct taking *t, const char *value)
{
    (void)value;
    t->detach = true;
    return 0;
}

static int take_tty(struct taking *t, const char *value)
{
    (void)value;
    t->tty = true;
    return 0;
}

static int take_show(struct taking *t, const char *value)
{
    (void)value;
    t->run->show = true;
    return 0;
}

static int take_slurm(struct taking *t, const char *value)
{
    return add(t, &t->slurm, value, "");
}

static int take_cpus(struct taking *t, const char *value)
{
    char *end, text[32];
    double cpus = strtod(value, &end);

    if (end == value || *end || !(cpus > 0 && cpus < 1e6))
        return err_set(t->err, BERTH_EINVAL,
                       "--cpus=%s is no number of CPUs: write one such as 2",
                       value);
    snprintf(text, sizeof(text), "%.0f", ceil(cpus));
    return add(t, &t->slurm, "--cpus-per-task=", text);
}

static int take_memory(struct taking *t, const char *value)
{
    char *end, text[32];
    unsigned long long n = strtoull(value, &end, 10);
    int unit = tolower((unsigned char)(*end ? *end : 'b'));

    if (!isdigit((unsigned char)*value) || (*end && end[1]) ||
        !strchr("bkmg", unit))
        return err_set(t->err, BERTH_EINVAL,
                       "--memory=%s is no size: write one such as 512m or 2g",
                       value);
    if (unit == 'b') {
        n = (n + 1023) / 1024;
        unit = 'k';
    }
    snprintf(text, sizeof(text), "%llu%c", n, toupper(unit));
    return add(t, &t->slurm, "--mem=", text);
}

static int take_gpus(struct taking *t, const char *value)
{
    if (value[0] && strspn(value, "0123456789") == strlen(value))
        return add(t, &t->slurm, "--gpus=", value);
    // A step of a job has the job's.
    if (strcmp(value, "all") == 0 && getenv("SLURM_JOB_ID"))
        return 0;
    return err_set(t->err, BERTH_EINVAL,
                   "--gpus=%s does not say how many: write a number (which "
                   "they are is Slurm's choice), or leave it out in a job "
                   "that has GPUs",
                   value);
}

static int take_name(struct taking *t, const char *value)
{
    return add(t, &t->slurm, "--job-name=", value) < 0
               ? -1
               : add(t, &t->container, "--container-name=", value);
}

static int take_network(struct taking *t, const char *value)
{
    return add(t, &t->container, "--container-network=", value);
}

static int take_readonly(struct taking *t, const char *value)
{
    return add(t, &t->container, "--container-readonly", value);
}

static int take_workdir(struct taking *t, const char *value)
{
    return add(t, &t->container, "--container-workdir=", value);
}

static int take_entrypoint(struct taking *t, const char *value)
{
    t->entrypoint = value;
    return 0;
}

static int take_runtime(struct taking *t, const char *value)
{
    return strcmp(value, "nvidia") == 0
               ? 0
               : err_set(t->err, BERTH_EINVAL,
                         "--runtime=%s: the runtime is the administrator's "
                         "choice: leave it out",
                         value);
}

static int take_user(struct taking *t, const char *value)
{
    char uid[16], both[32];

    snprintf(uid, sizeof(uid), "%u", t->who->uid);
    snprintf(both, sizeof(both), "%u:%u", t->who->uid, t->who->gid);
    if (strcmp(value, uid) == 0 || strcmp(value, both) == 0 ||
        (t->who->name && strcmp(value, t->who->name) == 0))
        return 0;
    return err_set(t->err, BERTH_EINVAL,
                   "--user=%s: you are in a container who you are outside: "
                   "leave it out",
                   value);
}

static int take_tmpfs(struct taking *t, const char *value)
{
    size_t len = strcspn(value, ":");

    if ((len == 4 && !strncmp(value, "/tmp", len)) ||
        (len == 4 && !strncmp(value, "/run", len)) ||
        (len == 8 && !strncmp(value, "/var/tmp", len)))
        return 0;
    return err_set(t->err, BERTH_EINVAL,
                   "--tmpfs=%s: /tmp, /var/tmp and /run are in memory, and no "
                   "others: leave it out",
                   value);
}

// One mount: FROM may be relative, as docker has it.
static int mount(struct taking *t, const char *from, const char *to,
                 bool readonly)
{
    if (strpbrk(from, ",:") || strpbrk(to, ",:"))
        return err_set(t->err, BERTH_EINVAL,
                       "%s cannot be mounted: its name has a comma or a "
                       "colon: give it another by a symbolic link",
                       from);
    if (from[0] != '/' && from[0] != '.')
        return err_set(t->err, BERTH_EINVAL,
                       "there is no volume %s, nor any other: name a "
                       "directory of your own, such as ./%s",
                       from, from);
    char *source = path_normalise(t->who->cwd, from, true, t->err);
    if (!source)
        return -1;
    int rc = strv_addf(&t->container, "--container-mounts=%s:%s%s", source, to,
                       readonly ? ":ro" : "");
    free(source);
    return rc < 0 ? memory(t) : 0;
}

static int take_volume(struct taking *t, const char *value)
{
    char *copy = strdup(value), *save = NULL;
    bool readonly = false;
    int rc = -1;

    if (!copy)
        return memory(t);
    char *from = strtok_r(copy, ":", &save);
    char *to = strtok_r(NULL, ":", &save);
    char *flags = strtok_r(NULL, ":", &save);
    for (char *flag = flags ? strtok_r(flags, ",", &save) : NULL; flag;
         flag = strtok_r(NULL, ",", &save))
        readonly |= strcmp(flag, "ro") == 0;
    if (!from || !to)
        err_set(t->err, BERTH_EINVAL,
                "--volume=%s names one place: write the node's and the "
                "container's, such as /data:/data:ro",
                value);
    else
        rc = mount(t, from, to, readonly);
    free(copy);
    return rc;
}

// The value of NAME where ITEM is NAME=VALUE, or NULL.
static const char *is_key(const char *item, const char *name)
{
    size_t len = strlen(name);

    return strncmp(item, name, len) == 0 && item[len] == '=' ? item + len + 1
                                                             : NULL;
}

static int take_mount(struct taking *t, const char *value)
{
    char *copy = strdup(value), *save = NULL;
    const char *type = "volume", *from = NULL, *to = NULL, *v;
    bool readonly = false;
    int rc = -1;

    if (!copy)
        return memory(t);
    for (char *item = strtok_r(copy, ",", &save); item;
         item = strtok_r(NULL, ",", &save)) {
        if ((v = is_key(item, "type")))
            type = v;
        else if ((v = is_key(item, "source")) || (v = is_key(item, "src")))
            from = v;
        else if ((v = is_key(item, "target")) || (v = is_key(item, "dst")) ||
                 (v = is_key(item, "destination")))
            to = v;
        else if (strcmp(item, "readonly") == 0 || strcmp(item, "ro") == 0 ||
                 ((v = is_key(item, "readonly")) && strcmp(v, "true") == 0))
            readonly = true;
    }
    if (strcmp(type, "bind") != 0 || !from || !to)
        err_set(t->err, BERTH_EINVAL,
                "--mount=%s: there are bind mounts only: write "
                "type=bind,source=PATH,target=PATH",
                value);
    else
        rc = mount(t, from, to, readonly);
    free(copy);
    return rc;
}

// NAME=VALUE, or NAME, which is as it is outside or, where it is not, is not
// inside either.
static int take_env(struct taking *t, const char *value)
{
    size_t len = strcspn(value, "=");

    if (len == 0 || memchr(value, ',', len))
        return err_set(t->err, BERTH_EINVAL,
                       "--env=%s names no variable: write NAME or NAME=VALUE",
                       value);
    if (value[len] && strv_add(&t->run->env, value) < 0)
        return memory(t);
    if (!value[len] && !getenv(value))
        return 0;
    return strv_addf(&t->names, "%.*s", (int)len, value) < 0 ? memory(t) : 0;
}

static int take_env_file(struct taking *t, const char *path)
{
    FILE *f = fopen(path, "re");
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    int rc = 0;

    if (!f)
        return err_set(t->err, BERTH_ENOTFOUND, "--env-file=%s: %s", path,
                       strerror(errno));
    while (rc == 0 && (n = getline(&line, &cap, f)) >= 0) {
        line[strcspn(line, "\r\n")] = 0;
        if (line[0] && line[0] != '#')
            rc = take_env(t, line);
    }
    free(line);
    fclose(f);
    return rc;
}

// By name, and those without a meaning with what to do instead.
#define CPUS_ARE                                                               \
    "which CPUs, and their weight, are Slurm's choice: leave it out"
#define MEMORY_IS "memory is the job's: give --memory, and leave this out"
#define OUTPUT_IS                                                              \
    "output goes to your terminal or, with -d, to a file (berth logs): leave " \
    "it out"
#define HEALTH_IS "nobody looks after the health of a container: leave it out"
#define DISK_IS "the speed of disks is not berth's to bound: leave it out"

static const struct word words[] = {
    {"add-host", 0, true, NULL,
     "a container knows the names that its node "
     "knows: leave it out"},
    {"attach", 'a', true, NULL, NULL},
    {"blkio-weight", 0, true, NULL, DISK_IS},
    {"cap-add", 0, true, NULL, "a container has no capabilities: leave it out"},
    {"cap-drop", 0, true, NULL, NULL},
    {"cgroup-parent", 0, true, NULL, "cgroups are Slurm's: leave it out"},
    {"cgroupns", 0, true, NULL, "cgroups are Slurm's: leave it out"},
    {"cidfile", 0, true, NULL,
     "a container has no number here that would be of use: berth ps "
     "lists steps"},
    {"cpu-period", 0, true, NULL, CPUS_ARE},
    {"cpu-quota", 0, true, NULL, CPUS_ARE},
    {"cpu-shares", 'c', true, NULL, CPUS_ARE},
    {"cpus", 0, true, take_cpus, NULL},
    {"cpuset-cpus", 0, true, NULL, CPUS_ARE},
    {"cpuset-mems", 0, true, NULL, CPUS_ARE},
    {"detach", 'd', false, take_detach, NULL},
    {"device", 0, true, NULL,
     "a container has its job's GPUs and the devices that the administrator "
     "names: leave it out, or ask for --gpus"},
    {"device-read-bps", 0, true, NULL, DISK_IS},
    {"device-write-bps", 0, true, NULL, DISK_IS},
    {"disable-content-trust", 0, false, NULL, NULL},
    {"dns", 0, true, NULL,
     "a container asks the name servers of its node: "
     "leave it out"},
    {"dns-option", 0, true, NULL,
     "a container asks the name servers of its node: leave it out"},
    {"dns-search", 0, true, NULL,
     "a container asks the name servers of its node: leave it out"},
    {"domainname", 0, true, NULL,
     "a container has the name of its node: leave it out"},
    {"dry-run", 'n', false, take_show, NULL},
    {"entrypoint", 0, true, take_entrypoint, NULL},
    {"env", 'e', true, take_env, NULL},
    {"env-file", 0, true, take_env_file, NULL},
    {"expose", 0, true, NULL, NULL},
    {"gpus", 0, true, take_gpus, NULL},
    {"group-add", 0, true, NULL, "you have your own groups: leave it out"},
    {"health-cmd", 0, true, NULL, HEALTH_IS},
    {"health-interval", 0, true, NULL, HEALTH_IS},
    {"hostname", 'h', true, NULL,
     "a container has the name of its node: leave it out"},
    {"init", 0, false, NULL, NULL},
    {"interactive", 'i', false, NULL, NULL},
    {"ip", 0, true, NULL,
     "a container has its node's network, and that one's address: leave "
     "it out"},
    {"ipc", 0, true, NULL,
     "IPC is each container's own, and /dev/shm as large as the node's: "
     "leave it out"},
    {"kernel-memory", 0, true, NULL, MEMORY_IS},
    {"label", 'l', true, NULL, NULL},
    {"label-file", 0, true, NULL, NULL},
    {"link", 0, true, NULL,
     "containers reach each other at their nodes' names: leave it out"},
    {"log-driver", 0, true, NULL, OUTPUT_IS},
    {"log-opt", 0, true, NULL, OUTPUT_IS},
    {"memory", 'm', true, take_memory, NULL},
    {"memory-reservation", 0, true, NULL, MEMORY_IS},
    {"memory-swap", 0, true, NULL, MEMORY_IS},
    {"memory-swappiness", 0, true, NULL, MEMORY_IS},
    {"mount", 0, true, take_mount, NULL},
    {"name", 0, true, take_name, NULL},
    {"net", 0, true, take_network, NULL},
    {"network", 0, true, take_network, NULL},
    {"no-healthcheck", 0, false, NULL, NULL},
    {"oom-kill-disable", 0, false, NULL, MEMORY_IS},
    {"oom-score-adj", 0, true, NULL, MEMORY_IS},
    {"pid", 0, true, NULL, "processes are each container's own: leave it out"},
    {"pids-limit", 0, true, NULL,
     "the number of processes is the administrator's to bound: leave it out"},
    {"platform", 0, true, NULL,
     "an image is taken for its node's own architecture: leave it out, and "
     "ask for a node of the other (--slurm=--constraint=...)"},
    {"privileged", 0, false, NULL,
     "no container is privileged: leave it out, and ask your administrator "
     "for what it was to bring"},
    {"publish", 'p', true, NULL,
     "a container has its node's network, so what listens in it is reached at "
     "the node's name and that port: leave it out"},
    {"publish-all", 'P', false, NULL,
     "a container has its node's network, so what listens in it is reached at "
     "the node's name and that port: leave it out"},
    {"pull", 0, true, NULL,
     "the policy says when an image is fetched: leave it out"},
    {"quiet", 'q', false, NULL, NULL},
    {"read-only", 0, false, take_readonly, NULL},
    {"restart", 0, true, NULL,
     "Slurm starts jobs again (sbatch --requeue): leave it out"},
    {"rm", 0, false, NULL, NULL},
    {"runtime", 0, true, take_runtime, NULL},
    {"security-opt", 0, true, NULL,
     "security profiles are the administrator's: leave it out"},
    {"shm-size", 0, true, NULL, NULL},
    {"sig-proxy", 0, false, NULL, NULL},
    {"slurm", 0, true, take_slurm, NULL},
    {"stop-signal", 0, true, NULL,
     "berth kill -s SIGNAL sends another: leave it out"},
    {"stop-timeout", 0, true, NULL,
     "how long a step may take to end is Slurm's (KillWait): leave it out"},
    {"storage-opt", 0, true, NULL,
     "what a container may write is the administrator's to bound: leave "
     "it out"},
    {"sysctl", 0, true, NULL,
     "a container has the kernel's settings of its node: leave it out"},
    {"tmpfs", 0, true, take_tmpfs, NULL},
    {"tty", 't', false, take_tty, NULL},
    {"ulimit", 0, true, NULL,
     "a container has the limits of your shell: set them there (ulimit)"},
    {"user", 'u', true, take_user, NULL},
    {"userns", 0, true, NULL,
     "you are in a container who you are outside: leave it out"},
    {"uts", 0, true, NULL,
     "a container has the name of its node: leave it out"},
    {"volume", 'v', true, take_volume, NULL},
    {"volume-driver", 0, true, NULL,
     "there are no volumes: mount directories of your own (--volume)"},
    {"volumes-from", 0, true, NULL,
     "there are no volumes: name directories of your own (--volume)"},
    {"workdir", 'w', true, take_workdir, NULL},
};

static const struct word *find(const char *name, size_t len, char letter)
{
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (letter ? words[i].letter == letter
                   : !strncmp(words[i].name, name, len) && !words[i].name[len])
            return &words[i];
    return NULL;
}

static int take(struct taking *t, const struct word *word, const char *value)
{
    if (word->take)
        return word->take(t, value);
    return word->why ? err_set(t->err, BERTH_EINVAL, "--%s: %s", word->name,
                               word->why)
                     : 0;
}

static int unknown(struct taking *t, const char *what)
{
    return err_set(t->err, BERTH_EINVAL,
                   "%s is no option of berth run: berth(1) has them, and "
                   "Slurm's go in by --slurm=OPTION",
                   what);
}

static int missing(struct taking *t, const char *what)
{
    return err_set(t->err, BERTH_EINVAL, "%s needs a value", what);
}

// --NAME, --NAME=VALUE, or --NAME VALUE. Says in USED how many words it was.
static int take_long(struct taking *t, int argc, char **argv, int *used)
{
    const char *name = argv[0] + 2;
    size_t len = strcspn(name, "=");
    const struct word *word = find(name, len, 0);

    *used = 1;
    if (!word)
        return unknown(t, argv[0]);
    if (!word->arg)
        return !name[len] || !strcmp(name + len, "=true") ? take(t, word, "")
                                                          : unknown(t, argv[0]);
    if (name[len])
        return take(t, word, name + len + 1);
    if (argc < 2)
        return missing(t, argv[0]);
    *used = 2;
    return take(t, word, argv[1]);
}

// Letters behind one hyphen, the last with a value behind it or in the word.
static int take_letters(struct taking *t, int argc, char **argv, int *used)
{
    *used = 1;
    for (const char *p = argv[0] + 1; *p; p++) {
        const struct word *word = find(NULL, 0, *p);
        if (!word)
            return unknown(t, argv[0]);
        if (!word->arg) {
            if (take(t, word, "") < 0)
                return -1;
            continue;
        }
        if (p[1])
            return take(t, word, p + 1 + (p[1] == '='));
        if (argc < 2)
            return missing(t, argv[0]);
        *used = 2;
        return take(t, word, argv[1]);
    }
    return 0;
}

static bool is_plain(const char *s)
{
    return *s && !s[strspn(s, "abcdefghijklmnopqrstuvwxyz"
                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                              "0123456789%+,-./:=@_")];
}

char *docker_quote(const struct strv *argv)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);

    if (!f)
        return NULL;
    for (size_t i = 0; i < argv->n; i++) {
        const char *s = argv->v[i];
        fprintf(f, "%s", i ? " " : "");
        if (is_plain(s)) {
            fprintf(f, "%s", s);
            continue;
        }
        fputc('\'', f);
        for (; *s; s++)
            if (*s == '\'')
                fprintf(f, "'\\''");
            else
                fputc(*s, f);
        fputc('\'', f);
    }
    if (fclose(f) == 0)
        return text;
    free(text);
    return NULL;
}

static int add_all(struct strv *to, const struct strv *from)
{
    for (size_t i = 0; i < from->n; i++)
        if (strv_add(to, from->v[i]) < 0)
            return -1;
    return 0;
}

static int add_names(struct taking *t, struct strv *argv)
{
    for (size_t i = 0; i < t->names.n; i++)
        if (strv_addf(argv, "--container-env=%s", t->names.v[i]) < 0)
            return -1;
    return 0;
}

// The words that run in the container. An entry point that was named is the
// program itself, as docker has it.
static int command(struct taking *t, int argc, char **argv, struct strv *out)
{
    if (t->entrypoint && t->entrypoint[0] && strv_add(out, t->entrypoint) < 0)
        return -1;
    for (int i = 0; i < argc; i++)
        if (strv_add(out, argv[i]) < 0)
            return -1;
    // Of the plugin's: the image's own entry point and command.
    if (out->n == 0 && !t->detach) {
        t->images = true;
        return strv_add(out, "");
    }
    return 0;
}

static int build(struct taking *t, const char *image, const struct strv *cmd)
{
    struct strv *argv = &t->run->argv;

    if (strv_add(argv, t->detach ? "sbatch" : "srun") < 0 ||
        (t->detach && strv_add(argv, "--parsable") < 0) ||
        (!t->detach && t->tty && strv_add(argv, "--pty") < 0) ||
        add_all(argv, &t->slurm) < 0 ||
        strv_addf(argv, "--container=%s", image) < 0 ||
        add_all(argv, &t->container) < 0 || add_names(t, argv) < 0 ||
        (!t->images &&
         strv_add(argv, t->entrypoint ? "--no-container-entrypoint"
                                      : "--container-entrypoint") < 0))
        return memory(t);
    if (!t->detach)
        return add_all(argv, cmd) < 0 ? memory(t) : 0;
    char *text = docker_quote(cmd);
    int rc = text ? strv_addf(argv, "--wrap=exec %s", text) : -1;
    free(text);
    return rc < 0 ? memory(t) : 0;
}

void docker_run_help(void)
{
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
        const struct word *w = &words[i];
        if (w->why)
            continue;
        printf("  --%s%s", w->name, w->arg ? "=..." : "");
        if (w->letter)
            printf(", -%c", w->letter);
        printf("%s\n", w->take ? "" : " (as it is anyway)");
    }
}

int docker_run_parse(int argc, char **argv, const struct docker_who *who,
                     struct docker_run *out, struct berth_err *err)
{
    struct taking t = {.who = who, .run = out, .err = err};
    struct strv cmd = {0};
    int rc = -1, i = 0, used;

    *out = (struct docker_run){0};
    while (i < argc && argv[i][0] == '-' && argv[i][1]) {
        if (strcmp(argv[i], "--") == 0) {
            i++;
            break;
        }
        if ((argv[i][1] == '-' ? take_long : take_letters)(&t, argc - i,
                                                           argv + i, &used) < 0)
            goto out;
        i += used;
    }
    if (i == argc) {
        err_set(err, BERTH_EINVAL,
                "no image is named: write berth run [OPTIONS] IMAGE COMMAND");
        goto out;
    }
    if (command(&t, argc - i - 1, argv + i + 1, &cmd) < 0)
        memory(&t);
    else if (cmd.n == 0)
        err_set(err, BERTH_EINVAL,
                "no command is named, and a batch job runs no image's own: "
                "write berth run -d [OPTIONS] %s COMMAND",
                argv[i]);
    else
        rc = build(&t, argv[i], &cmd);
out:
    strv_clear(&cmd);
    strv_clear(&t.slurm);
    strv_clear(&t.container);
    strv_clear(&t.names);
    return rc;
}

void docker_run_clear(struct docker_run *run)
{
    strv_clear(&run->argv);
    strv_clear(&run->env);
}
