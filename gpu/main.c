// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// berth-gpus: shows the node's table of GPUs and which job has each, and
// makes the table (--write), which berth-prolog has it do once per boot.
// As root. Its input: what Slurm's own slurmd prints, /proc and /sys.

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gpu/discover.h"
#include "gpu/slurmd.h"
#include "logic/gpu.h"
#include "node/gpu_table.h"
#include "node/store.h"

static const char usage[] =
    "Usage: berth-gpus [--node=NAME]\n"
    "           show what each GPU index of this node is, and which job has\n"
    "           it\n"
    "       berth-gpus --write --node=NAME --slurm-conf=FILE --slurmd=FILE\n"
    "           ask slurmd and the machine, and write that down\n"
    "  -h, --help     show this and exit\n"
    "  -V, --version  show the version and exit\n";

enum { OPT_WRITE = 256, OPT_NODE, OPT_SLURM_CONF, OPT_SLURMD };

// slurmd is asked what it makes of gres.conf; it has no business that takes
// longer.
enum { SLURMD_SECONDS = 20 };

static const struct option options[] = {
    {"write", no_argument, NULL, OPT_WRITE},
    {"node", required_argument, NULL, OPT_NODE},
    {"slurm-conf", required_argument, NULL, OPT_SLURM_CONF},
    {"slurmd", required_argument, NULL, OPT_SLURMD},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {0},
};

struct arguments {
    bool write;
    const char *node;
    const char *slurm_conf;
    const char *slurmd;
};

// The child: prints to FD all that `slurmd -G` says.
static _Noreturn void run_slurmd(const struct arguments *args, int fd)
{
    char conf[PATH_MAX + 16];
    // By any other name (Debian's is slurmd-wlm) it takes itself for a
    // client, and finds fault with gres.conf.
    char *const argv[] = {(char *)"slurmd",
                          (char *)"-G",
                          (char *)"-N",
                          (char *)args->node,
                          (char *)"-f",
                          (char *)args->slurm_conf,
                          NULL};
    char *const env[] = {conf, (char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                         NULL};

    snprintf(conf, sizeof(conf), "SLURM_CONF=%s", args->slurm_conf);
    alarm(SLURMD_SECONDS);
    if (dup2(fd, 1) < 0 || dup2(fd, 2) < 0)
        _exit(1);
    execve(args->slurmd, argv, env);
    _exit(127);
}

static int ask_slurmd(const struct arguments *args, struct gpu_table *table,
                      struct berth_err *err)
{
    int pair[2], status = -1, rc = 0;
    char *line = NULL;
    size_t cap = 0;

    if (pipe2(pair, O_CLOEXEC) < 0)
        return err_set(err, BERTH_ESYS, "pipe: %m");
    pid_t pid = fork();
    if (pid == 0)
        run_slurmd(args, pair[1]);
    close(pair[1]);
    FILE *f = fdopen(pair[0], "r");
    while (f && rc == 0 && getline(&line, &cap, f) > 0)
        rc = slurmd_add_line(table, line, err);
    free(line);
    if (f)
        fclose(f);
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return err_set(err, BERTH_ESYS, "fork: %m");
    if (rc == 0 && status != 0)
        rc = err_set(err, BERTH_ESYS,
                     "`%s -G` does not say which GPUs this node has",
                     args->slurmd);
    return rc;
}

static int write_table(const struct arguments *args)
{
    static const struct discover_roots roots = {"", "", NULL, NULL};
    struct gpu_table *table = calloc(1, sizeof(*table));
    char path[PATH_MAX];
    struct berth_err err = {0};
    int rc = 1;

    if (!table)
        err_set(&err, BERTH_ENOMEM, "memory is out");
    // Which files those were is noted before they are read.
    else if (store_gpus_path(BERTH_STATEDIR, args->node, path, sizeof(path),
                             &err) == 0 &&
             store_gpus_stamp(args->slurm_conf, table, &err) == 0 &&
             ask_slurmd(args, table, &err) == 0) {
        discover_gpus(table, &roots);
        if (gpu_table_write(path, table, &err) == 0)
            rc = 0;
    }
    if (rc != 0) {
        err_scrub(err.text);
        fprintf(stderr, "berth-gpus: %s\n", err.text);
    }
    free(table);
    return rc;
}

// The job of NODE that has GPU INDEX by the prolog's records, or 0.
static uint32_t holder(const char *node, unsigned index)
{
    char path[PATH_MAX];
    struct store_job job;
    struct gpu_set set;
    uint32_t found = 0;

    snprintf(path, sizeof(path), "%s/%s", BERTH_STATEDIR, node);
    DIR *d = opendir(path);
    for (struct dirent *e; d && !found && (e = readdir(d));) {
        char *end;
        unsigned long number = strtoul(e->d_name, &end, 10);
        if (strcmp(end, ".job") == 0 && number > 0 && number <= UINT32_MAX &&
            store_job_read(BERTH_STATEDIR, node, (uint32_t)number, &job,
                           NULL) == 0 &&
            gpu_list_parse(job.gpus, &set, NULL) == 0 && index < GPU_MAX &&
            set.has[index])
            found = (uint32_t)number;
    }
    if (d)
        closedir(d);
    return found;
}

static const char *or_dash(const char *text)
{
    return text[0] ? text : "-";
}

static void show_gpu(const char *node, const struct gpu *gpu)
{
    char numa[16] = "-", job[16] = "-";
    uint32_t number = holder(node, gpu->index);

    if (gpu->numa >= 0)
        snprintf(numa, sizeof(numa), "%d", gpu->numa);
    if (number)
        snprintf(job, sizeof(job), "%u", number);
    printf("%-10s %5u %-8s %-24s %-13s %-41s %4s %-12s %s\n", node, gpu->index,
           job, gpu->files[0], or_dash(gpu->busid), or_dash(gpu->uuid), numa,
           or_dash(gpu->cores), gpu->problem);
}

// False: there is a table, and it can't be read.
static bool show_node(const char *node)
{
    char path[PATH_MAX];
    struct berth_err err = {0};

    snprintf(path, sizeof(path), "%s/%s/gpus.json", BERTH_STATEDIR, node);
    struct gpu_table *table = gpu_table_read(path, &err);
    if (!table && err.code == BERTH_ENOTFOUND)
        return true;
    if (!table) {
        fprintf(stderr, "berth-gpus: %s\n", err.text);
        return false;
    }
    for (size_t i = 0; i < table->n; i++)
        show_gpu(node, &table->gpus[i]);
    free(table);
    return true;
}

static int show(const char *node)
{
    bool ok = true;

    printf("%-10s %5s %-8s %-24s %-13s %-41s %4s %-12s %s\n", "NODE", "INDEX",
           "JOB", "DEVICE", "BUSID", "UUID", "NUMA", "CORES", "PROBLEM");
    if (node)
        return show_node(node) ? 0 : 1;
    DIR *d = opendir(BERTH_STATEDIR);
    for (struct dirent *e; d && (e = readdir(d));)
        if (e->d_name[0] != '.')
            ok &= show_node(e->d_name);
    if (d)
        closedir(d);
    return ok ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct arguments args = {0};
    int fd;

    // What is opened later is none of the standard ones.
    while ((fd = open("/dev/null", O_RDWR)) >= 0 && fd <= 2)
        continue;
    close(fd);

    for (int c; (c = getopt_long(argc, argv, "hV", options, NULL)) != -1;) {
        switch (c) {
        case OPT_WRITE:
            args.write = true;
            break;
        case OPT_NODE:
            args.node = optarg;
            break;
        case OPT_SLURM_CONF:
            args.slurm_conf = optarg;
            break;
        case OPT_SLURMD:
            args.slurmd = optarg;
            break;
        case 'h':
            fputs(usage, stdout);
            return 0;
        case 'V':
            puts("berth-gpus " PACKAGE_VERSION);
            return 0;
        default:
            fputs(usage, stderr);
            return 2;
        }
    }
    if (optind != argc || (args.node && strchr(args.node, '/')) ||
        (args.write && (!args.node || !args.slurm_conf || !args.slurmd)) ||
        (!args.write && (args.slurm_conf || args.slurmd))) {
        fputs(usage, stderr);
        return 2;
    }
    return args.write ? write_table(&args) : show(args.node);
}
