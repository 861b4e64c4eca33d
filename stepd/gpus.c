// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: the prolog's record and table, which only root can write; the list
// of GPUs in the step's environment, which is the user's; and /dev of the
// container.

#include "stepd/gpus.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "logic/changes.h"
#include "logic/limits.h"
#include "node/gpu_table.h"

enum {
    DEVPTS_MAGIC = 0x1cd1,
    DEV_DEPTH = 8,
};

// AMD's compute interface, which all its GPUs share.
static const char kfd[] = "/dev/kfd";

static bool has_number(const struct step *step)
{
    return step->step != STEP_BATCH && step->step != STEP_INTERACTIVE;
}

// Slurm says in the environment which of the job's GPUs a numbered step has;
// a batch script and salloc's shell have all.
static int choose_set(const struct step *step,
                      const struct store_job *allocation, struct gpu_set *out,
                      struct berth_err *err)
{
    struct gpu_set job, asked;

    *out = (struct gpu_set){0};
    if (!allocation && step->gpus && step->gpus[0])
        return err_set(err, BERTH_EDENIED,
                       "the prolog of node %s has no record of this job's "
                       "GPUs: ask your administrator to set berth-prolog up "
                       "as slurm.conf's Prolog",
                       step->node);
    if (!allocation)
        return 0;
    if (gpu_list_parse(allocation->gpus, &job, err) < 0)
        return err_prefix(err, "the prolog's record of this job's GPUs");
    // A container would get the whole GPU, and nothing of what shares it.
    if (job.n > 0 && step->shared)
        return err_set(err, BERTH_EINVAL,
                       "GPUs that are shared (%s) cannot be had in a "
                       "container: ask Slurm for whole ones, with --gres=gpu",
                       step->shared);
    if (!has_number(step)) {
        *out = job;
        return 0;
    }
    if (gpu_list_parse(step->gpus ? step->gpus : "", &asked, err) < 0)
        return err_prefix(err, "SLURM_STEP_GPUS");
    gpu_set_intersect(&job, &asked, out);
    return 0;
}

static const struct gpu *next_gpu(const struct gpus *gpus, unsigned *i)
{
    for (; *i < GPU_MAX; (*i)++)
        if (gpus->set.has[*i])
            return &gpus->table->gpus[(*i)++];
    return NULL;
}

static int check_gpu(const struct gpu *gpu, const char *node,
                     struct berth_err *err)
{
    struct stat st;

    if (gpu->problem[0])
        return err_set(err, BERTH_ENOTFOUND,
                       "GPU %u of node %s cannot be had in a container: %s",
                       gpu->index, node, gpu->problem);
    for (size_t i = 0; i < gpu->nfiles; i++)
        if (stat(gpu->files[i], &st) < 0 || !S_ISCHR(st.st_mode))
            return err_set(err, BERTH_ENOTFOUND,
                           "GPU %u of node %s is gone: %s is no device: tell "
                           "your administrator",
                           gpu->index, node, gpu->files[i]);
    return 0;
}

int gpus_choose(const struct step *step, const struct store_job *allocation,
                struct gpus *out, struct berth_err *err)
{
    char path[4096], boot[64];

    *out = (struct gpus){0};
    if (choose_set(step, allocation, &out->set, err) < 0)
        return -1;
    if (out->set.n == 0)
        return 0;
    snprintf(path, sizeof(path), "%s/%s/gpus.json", BERTH_STATEDIR, step->node);
    out->table = gpu_table_read(path, err);
    if (!out->table)
        return err_set(err, BERTH_ENOTFOUND,
                       "berth does not know the GPUs of node %s: ask your "
                       "administrator what berth-prolog says in its log",
                       step->node);
    store_boot_id(boot, sizeof(boot));
    if (strcmp(out->table->boot, boot) != 0)
        return err_set(err, BERTH_ENOTFOUND,
                       "what berth knows of the GPUs of node %s is of the "
                       "time before its last start: ask your administrator "
                       "what berth-prolog says in its log",
                       step->node);
    for (unsigned i = 0; i < GPU_MAX; i++) {
        if (!out->set.has[i])
            continue;
        if (i >= out->table->n)
            return err_set(err, BERTH_ENOTFOUND,
                           "Slurm has no device file for GPU %u of node %s", i,
                           step->node);
        if (check_gpu(&out->table->gpus[i], step->node, err) < 0)
            return -1;
    }
    return 0;
}

static int name_by_cdi(struct gpus *gpus, const char *kind,
                       struct berth_err *err)
{
    const struct gpu *gpu;

    for (unsigned i = 0; (gpu = next_gpu(gpus, &i));)
        if ((gpu->uuid[0]
                 ? strv_addf(&gpus->names, "%s=%s", kind, gpu->uuid)
                 : strv_addf(&gpus->names, "%s=%u", kind, gpu->index)) < 0)
            return err_set(err, BERTH_ENOMEM, "memory is out");
    return 0;
}

static bool has_vendor(const struct gpus *gpus, enum gpu_vendor vendor)
{
    const struct gpu *gpu;

    for (unsigned i = 0; (gpu = next_gpu(gpus, &i));)
        if (gpu->vendor == vendor)
            return true;
    return false;
}

// Says whether file K of GPU is not a file of an earlier one as well: MIG
// instances share their GPU's.
static bool is_first(const struct gpus *gpus, const struct gpu *gpu, size_t k)
{
    const struct gpu *other;

    for (unsigned i = 0; (other = next_gpu(gpus, &i)) && other != gpu;)
        for (size_t j = 0; j < other->nfiles; j++)
            if (strcmp(other->files[j], gpu->files[k]) == 0)
                return false;
    return true;
}

static int name_by_file(struct gpus *gpus, struct berth_err *err)
{
    const struct gpu *gpu;
    int rc = has_vendor(gpus, GPU_AMD) ? strv_add(&gpus->names, kfd) : 0;

    for (unsigned i = 0; rc == 0 && (gpu = next_gpu(gpus, &i));)
        for (size_t k = 0; rc == 0 && k < gpu->nfiles; k++)
            if (is_first(gpus, gpu, k))
                rc = strv_add(&gpus->names, gpu->files[k]);
    return rc < 0 ? err_set(err, BERTH_ENOMEM, "memory is out") : 0;
}

static int name_by_uuid(struct gpus *gpus, struct berth_err *err)
{
    const struct gpu *gpu;

    for (unsigned i = 0; (gpu = next_gpu(gpus, &i));)
        if (strv_add(&gpus->names, gpu->uuid) < 0)
            return err_set(err, BERTH_ENOMEM, "memory is out");
    return 0;
}

bool gpus_are_nvidias(const struct gpus *gpus)
{
    return has_vendor(gpus, GPU_NVIDIA);
}

static bool are_of_one_vendor(const struct gpus *gpus)
{
    const struct gpu *gpu;
    size_t nvidias = 0;

    for (unsigned i = 0; (gpu = next_gpu(gpus, &i));)
        nvidias += gpu->vendor == GPU_NVIDIA;
    return nvidias == 0 || nvidias == gpus->set.n;
}

int gpus_request(struct gpus *gpus, const char *cdi, struct request *request,
                 struct berth_err *err)
{
    int rc;

    strv_clear(&gpus->names);
    if (gpus->set.n == 0)
        return 0;
    if ((!cdi || strcmp(cdi, GPUS_NVIDIA_CDI) == 0) && !are_of_one_vendor(gpus))
        return err_set(err, BERTH_EINVAL,
                       "GPUs of NVIDIA and of others cannot be had in one "
                       "container: ask Slurm for one type");
    if (cdi) {
        request->gpus_by = REQUEST_GPUS_CDI;
        rc = name_by_cdi(gpus, cdi, err);
    } else if (!has_vendor(gpus, GPU_NVIDIA)) {
        request->gpus_by = REQUEST_GPUS_FILES;
        rc = name_by_file(gpus, err);
    } else {
        request->gpus_by = REQUEST_GPUS_NVIDIA;
        rc = name_by_uuid(gpus, err);
    }
    request->gpus = (const char *const *)gpus->names.v;
    request->ngpus = gpus->names.n;
    return rc;
}

static bool is_among(const char *text, char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(text, list[i]) == 0)
            return true;
    return false;
}

// Docker and Podman set these by themselves.
static bool is_engines(const char *variable)
{
    static const char *const known[] = {
        "HOME=", "HOSTNAME=", "PATH=", "TERM=", "container="};

    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        if (strncmp(variable, known[i], strlen(known[i])) == 0)
            return true;
    return false;
}

// logic/request.c empties what an image has of these.
static bool is_emptied(const char *variable)
{
    return strncmp(variable, "LD_", 3) == 0 &&
           variable[strlen(variable) - 1] == '=';
}

int gpus_inherit(int proc, char *const *image_env, size_t nimage_env,
                 struct strv *changes, struct berth_err *err)
{
    static const size_t size = BERTH_REQUEST_MAX;
    struct strv env = {0};
    int rc = -1;

    char *text = calloc(1, size);
    int fd = openat(proc, "environ", O_RDONLY | O_CLOEXEC);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
    size_t n = text && f ? fread(text, 1, size - 1, f) : 0;
    if (n == 0) {
        err_set(err, BERTH_ESYS, "reading the container's environment: %m");
        goto out;
    }
    for (size_t i = 0; i < n; i += strlen(text + i) + 1)
        if (text[i] && !is_among(text + i, image_env, nimage_env) &&
            !is_engines(text + i) && !is_emptied(text + i) &&
            strv_add(&env, text + i) < 0) {
            err_set(err, BERTH_ENOMEM, "memory is out");
            goto out;
        }
    rc = changes_add(env.v, env.n, changes, err);
out:
    if (f)
        fclose(f);
    else if (fd >= 0)
        close(fd);
    free(text);
    strv_clear(&env);
    return rc;
}

int gpus_overlay(const struct gpus *gpus, struct strv *changes,
                 struct berth_err *err)
{
    static const char *const slurms[] = {
        "CUDA_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL", "HIP_VISIBLE_DEVICES",
        "ROCR_VISIBLE_DEVICES", "SLURM_STEP_GPUS",    "ZE_AFFINITY_MASK",
    };
    char uuids[GPU_MAX * sizeof(((struct gpu *)NULL)->uuid)] = "";
    const struct gpu *gpu;
    size_t used = 0;
    int rc = 0;

    for (size_t i = 0;
         gpus->set.n == 0 && rc == 0 && i < sizeof(slurms) / sizeof(*slurms);
         i++)
        rc = changes_change(changes, WIRE_DROP, slurms[i]);
    for (unsigned i = 0; (gpu = next_gpu(gpus, &i));)
        if (gpu->uuid[0])
            used += (size_t)snprintf(uuids + used, sizeof(uuids) - used,
                                     used ? ",%s" : "%s", gpu->uuid);
    if (rc == 0)
        rc = strv_addf(changes, "%cNVIDIA_VISIBLE_DEVICES=%s", WIRE_SET,
                       used ? uuids : "void");
    return rc < 0 ? err_set(err, BERTH_ENOMEM, "memory is out") : 0;
}

// The nodes of one container's /dev, as they are compared.
struct check {
    const struct gpus *gpus;
    const char *const *devices; // the administrator's
    size_t ndevices;
    size_t found; // files of the GPUs, and devices
    struct berth_err *err;
};

static int differs(struct berth_err *err, const char *what, const char *path)
{
    char quote[ERR_QUOTE_MAX];

    err_quote(path, quote, sizeof(quote));
    return err_set(err, BERTH_EENGINE,
                   "the container that the engine started is not the one "
                   "that was asked for (%s %s)",
                   what, quote);
}

// What Docker and Podman put into every container.
static bool is_standard(const char *path, dev_t rdev)
{
    static const struct {
        const char *path;
        unsigned major_number, minor_number;
    } known[] = {
        {"/dev/full", 1, 7},   {"/dev/null", 1, 3}, {"/dev/ptmx", 5, 2},
        {"/dev/random", 1, 8}, {"/dev/tty", 5, 0},  {"/dev/urandom", 1, 9},
        {"/dev/zero", 1, 5},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        if (strcmp(path, known[i].path) == 0)
            return rdev ==
                   makedev(known[i].major_number, known[i].minor_number);
    return false;
}

// Says whether PATH is, on the node, the device RDEV as well.
static bool is_nodes(const char *path, dev_t rdev)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == rdev;
}

// What the GPUs of one vendor have in common, and a vendor's own driver adds.
static bool is_shared(const struct gpus *gpus, const char *path, dev_t rdev)
{
    static const struct {
        enum gpu_vendor vendor;
        const char *path;
    } known[] = {
        {GPU_AMD, kfd},
        {GPU_NVIDIA, "/dev/nvidia-modeset"},
        {GPU_NVIDIA, "/dev/nvidia-uvm"},
        {GPU_NVIDIA, "/dev/nvidia-uvm-tools"},
        {GPU_NVIDIA, "/dev/nvidiactl"},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        if (strcmp(path, known[i].path) == 0)
            return has_vendor(gpus, known[i].vendor) && is_nodes(path, rdev);
    return false;
}

bool gpus_have_drm(const struct gpus *gpus, const char *sys, const char *path)
{
    static const char dri[] = "/dev/dri/";
    char link[4096], target[4096];
    const struct gpu *gpu;

    if (strncmp(path, dri, strlen(dri)) != 0 ||
        (size_t)snprintf(link, sizeof(link), "%s/class/drm/%s/device", sys,
                         path + strlen(dri)) >= sizeof(link))
        return false;
    ssize_t n = readlink(link, target, sizeof(target) - 1);
    target[n > 0 ? n : 0] = 0;
    const char *busid = strrchr(target, '/');
    for (unsigned i = 0; busid && (gpu = next_gpu(gpus, &i));)
        if (gpu->busid[0] && strcasecmp(busid + 1, gpu->busid) == 0)
            return true;
    return false;
}

// Says whether PATH is RDEV and one of the GPUs' own.
static bool is_gpus(const struct gpus *gpus, const char *path, dev_t rdev)
{
    const struct gpu *gpu;

    for (unsigned i = 0; (gpu = next_gpu(gpus, &i));)
        for (size_t k = 0; k < gpu->nfiles; k++)
            if (strcmp(path, gpu->files[k]) == 0)
                return is_nodes(path, rdev);
    return false;
}

// Says whether PATH is one of the administrator's devices, and the node's.
static bool is_administrators(const struct check *check, const char *path,
                              const struct stat *st)
{
    struct stat want;

    for (size_t i = 0; i < check->ndevices; i++)
        if (strcmp(path, check->devices[i]) == 0)
            return stat(path, &want) == 0 && want.st_rdev == st->st_rdev &&
                   (want.st_mode & S_IFMT) == (st->st_mode & S_IFMT);
    return false;
}

static int verify_node(struct check *check, const char *path,
                       const struct stat *st)
{
    if (is_administrators(check, path, st)) {
        check->found++;
        return 0;
    }
    if (S_ISCHR(st->st_mode) && is_gpus(check->gpus, path, st->st_rdev)) {
        check->found++;
        return 0;
    }
    if (S_ISCHR(st->st_mode) && (is_standard(path, st->st_rdev) ||
                                 is_shared(check->gpus, path, st->st_rdev)))
        return 0;
    // CDI specifications have these as well.
    if (S_ISCHR(st->st_mode) && gpus_have_drm(check->gpus, "/sys", path) &&
        is_nodes(path, st->st_rdev))
        return 0;
    return differs(check->err, "it has a device", path);
}

// Compares what is in the directory FD, which it closes.
static int verify_dir(struct check *check, int fd, const char *path, int depth)
{
    char name[4096];
    struct statfs fs;
    struct stat st;
    int rc = 0;

    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        rc = err_set(check->err, BERTH_ESYS, "%s of the container: %m", path);
        if (fd >= 0)
            close(fd);
        return rc;
    }
    // Terminals come and go there, and are the container's own.
    bool terminals = fstatfs(fd, &fs) == 0 && fs.f_type == DEVPTS_MAGIC;
    for (struct dirent *e; !terminals && rc == 0 && (e = readdir(d));) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if (snprintf(name, sizeof(name), "%s/%s", path, e->d_name) >=
                (int)sizeof(name) ||
            fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            rc = differs(check->err, "it has a strange", path);
        else if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
            rc = verify_node(check, name, &st);
        else if (S_ISDIR(st.st_mode) && depth == DEV_DEPTH)
            rc = differs(check->err, "it has a strange", name);
        else if (S_ISDIR(st.st_mode))
            rc = verify_dir(
                check,
                openat(fd, e->d_name,
                       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC),
                name, depth + 1);
    }
    closedir(d);
    return rc;
}

int gpus_verify(const struct gpus *gpus, const char *const *devices,
                size_t ndevices, int root, struct berth_err *err)
{
    struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS |
                                      RESOLVE_NO_SYMLINKS};
    struct check check = {
        .gpus = gpus, .devices = devices, .ndevices = ndevices, .err = err};
    const struct gpu *gpu;
    size_t wanted = ndevices;

    int dev = (int)syscall(SYS_openat2, root, "/dev", &how, sizeof(how));
    if (verify_dir(&check, dev, "/dev", 0) < 0)
        return -1;
    for (unsigned i = 0; (gpu = next_gpu(gpus, &i));)
        for (size_t k = 0; k < gpu->nfiles; k++)
            wanted += is_first(gpus, gpu, k);
    return check.found == wanted
               ? 0
               : differs(err, "it lacks a device, of those such as",
                         gpus->names.n ? gpus->names.v[0] : devices[0]);
}

void gpus_clear(struct gpus *gpus)
{
    free(gpus->table);
    strv_clear(&gpus->names);
    *gpus = (struct gpus){0};
}
