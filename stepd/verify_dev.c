// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: /dev of a container, as an engine, its runtime and hooks have made it,
// and links in /sys.

#include "stepd/verify_dev.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "stepd/mountapi.h"
#include "stepd/own_dev.h"

enum {
    DEVPTS_MAGIC = 0x1cd1,
    DEV_DEPTH = 8,
};

// The nodes of one container's /dev, as they are compared.
struct check {
    const struct gpus *gpus;
    const char *const *devices; // the administrator's
    size_t ndevices;
    bool own;     // none of the standard ones is the node's
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
        {GPU_AMD, GPUS_KFD},
        {GPU_NVIDIA, "/dev/nvidia-modeset"},
        {GPU_NVIDIA, "/dev/nvidia-uvm"},
        {GPU_NVIDIA, "/dev/nvidia-uvm-tools"},
        {GPU_NVIDIA, "/dev/nvidiactl"},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        if (strcmp(path, known[i].path) == 0)
            return gpus_have_vendor(gpus, known[i].vendor) &&
                   is_nodes(path, rdev);
    return false;
}

bool verify_dev_is_drm(const struct gpus *gpus, const char *sys,
                       const char *path)
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
    for (unsigned i = 0; busid && (gpu = gpus_next(gpus, &i));)
        if (gpu->busid[0] && strcasecmp(busid + 1, gpu->busid) == 0)
            return true;
    return false;
}

// Says whether PATH is RDEV and one of the GPUs' own.
static bool is_gpus(const struct gpus *gpus, const char *path, dev_t rdev)
{
    const struct gpu *gpu;

    for (unsigned i = 0; (gpu = gpus_next(gpus, &i));)
        for (size_t k = 0; k < gpu->nfiles; k++)
            if (strcmp(path, gpu->files[k]) == 0)
                return is_nodes(path, rdev);
    return false;
}

static bool is_listed(const struct check *check, const char *path)
{
    for (size_t i = 0; i < check->ndevices; i++)
        if (strcmp(path, check->devices[i]) == 0)
            return true;
    return false;
}

// Says whether PATH is one of the administrator's devices, and the node's.
static bool is_administrators(const struct check *check, const char *path,
                              const struct stat *st)
{
    struct stat want;

    return is_listed(check, path) && stat(path, &want) == 0 &&
           want.st_rdev == st->st_rdev &&
           (want.st_mode & S_IFMT) == (st->st_mode & S_IFMT);
}

// Says whether PATH is the node's file itself, and not one like it.
static bool is_the_nodes(const char *path, const struct stat *st)
{
    struct stat nodes;

    return stat(path, &nodes) == 0 && nodes.st_dev == st->st_dev &&
           nodes.st_ino == st->st_ino;
}

static int verify_node(struct check *check, const char *path,
                       const struct stat *st)
{
    if (check->own && own_dev_is(path) && is_the_nodes(path, st))
        return differs(check->err, "it has the node's own", path);
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
    if (S_ISCHR(st->st_mode) && verify_dev_is_drm(check->gpus, "/sys", path) &&
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

int verify_dev(const struct gpus *gpus, const char *const *devices,
               size_t ndevices, bool own, int root, struct berth_err *err)
{
    struct check check = {.gpus = gpus,
                          .devices = devices,
                          .ndevices = ndevices,
                          .own = own,
                          .err = err};
    const struct gpu *gpu;
    size_t wanted = ndevices;

    int dev = mountapi_open(root, "/dev", O_RDONLY | O_DIRECTORY,
                            RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS |
                                RESOLVE_NO_SYMLINKS);
    if (verify_dir(&check, dev, "/dev", 0) < 0)
        return -1;
    for (unsigned i = 0; (gpu = gpus_next(gpus, &i));)
        for (size_t k = 0; k < gpu->nfiles; k++)
            wanted += gpus_file_is_first(gpus, gpu, k) &&
                      !is_listed(&check, gpu->files[k]);
    return check.found == wanted
               ? 0
               : differs(err, "it lacks a device, of those such as",
                         gpus->names.n ? gpus->names.v[0] : devices[0]);
}
