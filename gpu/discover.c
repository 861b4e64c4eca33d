// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: the kernel's and the drivers' /proc and /sys. What is missing or
// strange there costs the one GPU.

#include "gpu/discover.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gpu/information.h"
#include "gpu/nvml.h"
#include "gpu/topology.h"

// Reads the first line or so of a small file.
static bool read_text(const char *path, char *buf, size_t size)
{
    FILE *f = fopen(path, "re");

    if (!f)
        return false;
    size_t n = fread(buf, 1, size - 1, f);
    buf[n] = 0;
    fclose(f);
    return n > 0;
}

// NVIDIA's driver has a directory for each GPU, named by its bus id; the
// minor number is that of /dev/nvidiaN.
static void find_nvidia(struct gpu *gpu, unsigned minor,
                        const struct discover_roots *roots)
{
    char dir[PATH_MAX], path[PATH_MAX + NAME_MAX + 16], text[4096];
    struct information info;

    snprintf(dir, sizeof(dir), "%s/proc/driver/nvidia/gpus", roots->proc);
    DIR *d = opendir(dir);
    if (!d) {
        snprintf(gpu->problem, sizeof(gpu->problem),
                 "NVIDIA's driver is not loaded (/proc/driver/nvidia/gpus: "
                 "%s)",
                 strerror(errno));
        return;
    }
    for (struct dirent *e; !gpu->busid[0] && (e = readdir(d));) {
        snprintf(path, sizeof(path), "%s/%s/information", dir, e->d_name);
        if (e->d_name[0] == '.' || !read_text(path, text, sizeof(text)) ||
            !information_parse(text, &info) || info.minor != minor)
            continue;
        memcpy(gpu->busid, info.busid, sizeof(gpu->busid));
        memcpy(gpu->model, info.model, sizeof(gpu->model));
        memcpy(gpu->uuid, info.uuid, sizeof(gpu->uuid));
    }
    closedir(d);
    if (!gpu->busid[0])
        snprintf(gpu->problem, sizeof(gpu->problem),
                 "NVIDIA's driver knows of no GPU with the minor number %u",
                 minor);
}

// The kernel's graphics devices are links to their PCI devices.
static void find_drm(struct gpu *gpu, const char *name,
                     const struct discover_roots *roots)
{
    static const struct {
        const char *id;
        enum gpu_vendor vendor;
    } vendors[] = {{"0x1002", GPU_AMD}, {"0x8086", GPU_INTEL}};
    char path[PATH_MAX], target[PATH_MAX], text[64];

    snprintf(path, sizeof(path), "%s/sys/class/drm/%s/device", roots->sys,
             name);
    ssize_t n = readlink(path, target, sizeof(target) - 1);
    target[n > 0 ? n : 0] = 0;
    const char *busid = strrchr(target, '/');
    if (n <= 0 || !busid || strlen(busid + 1) >= sizeof(gpu->busid)) {
        snprintf(gpu->problem, sizeof(gpu->problem),
                 "the kernel has no PCI device for /dev/dri/%s", name);
        return;
    }
    strcpy(gpu->busid, busid + 1);
    snprintf(path, sizeof(path), "%s/sys/class/drm/%s/device/vendor",
             roots->sys, name);
    if (read_text(path, text, sizeof(text)))
        for (size_t i = 0; i < sizeof(vendors) / sizeof(*vendors); i++)
            if (strncmp(text, vendors[i].id, strlen(vendors[i].id)) == 0)
                gpu->vendor = vendors[i].vendor;
}

static int caps_minor(const char *file)
{
    return gpu_path_number(file, "/dev/nvidia-caps/nvidia-cap");
}

// The minor number of the device by which the instance in DIR, below the
// driver's capabilities, is used; or -1.
static int access_minor(const char *dir)
{
    static const char key[] = "DeviceFileMinor: ";
    char path[PATH_MAX], text[256];
    int minor;

    if ((size_t)snprintf(path, sizeof(path), "%s/access", dir) >=
            sizeof(path) ||
        !read_text(path, text, sizeof(text)))
        return -1;
    const char *p = strstr(text, key);
    return p && sscanf(p + strlen(key), "%d", &minor) == 1 ? minor : -1;
}

static bool has_minor(const struct gpu *gpu, int minor)
{
    for (size_t i = 0; minor >= 0 && i < gpu->nfiles; i++)
        if (caps_minor(gpu->files[i]) == minor)
            return true;
    return false;
}

// Finds the instance in DIR, named PREFIX and a number, whose device GPU has.
static int find_instance(const struct gpu *gpu, char *dir, size_t size,
                         const char *prefix)
{
    char path[PATH_MAX];
    int found = -1;

    DIR *d = opendir(dir);
    for (struct dirent *e; d && found < 0 && (e = readdir(d));) {
        int number = gpu_path_number(e->d_name, prefix);
        if (number < 0 ||
            (size_t)snprintf(path, sizeof(path), "%s/%s", dir, e->d_name) >=
                size ||
            !has_minor(gpu, access_minor(path)))
            continue;
        found = number;
    }
    if (d)
        closedir(d);
    if (found >= 0)
        strcpy(dir, path);
    return found;
}

// A MIG instance is a GPU instance and a compute instance in it, each with a
// device of its own beside the GPU's; its name is another than the GPU's.
static void find_mig(struct gpu *gpu, unsigned minor,
                     const struct discover_roots *roots, struct nvml **nvml)
{
    char dir[PATH_MAX], parent[sizeof(gpu->uuid)];
    struct berth_err err = {0};

    snprintf(dir, sizeof(dir), "%s/proc/driver/nvidia/capabilities/gpu%u/mig",
             roots->proc, minor);
    int gi = find_instance(gpu, dir, sizeof(dir), "gi");
    int ci = gi < 0 ? -1 : find_instance(gpu, dir, sizeof(dir), "ci");
    memcpy(parent, gpu->uuid, sizeof(parent));
    gpu->uuid[0] = 0;
    if (ci < 0)
        err_set(&err, BERTH_ENOTFOUND,
                "NVIDIA's driver knows of no MIG instance with its devices");
    else if (*nvml || (*nvml = nvml_open(roots->nvml, &err)))
        nvml_mig_uuid(*nvml, parent, (unsigned)gi, (unsigned)ci, gpu->uuid,
                      sizeof(gpu->uuid), &err);
    if (err.code != BERTH_OK)
        snprintf(gpu->problem, sizeof(gpu->problem), "%.*s",
                 (int)sizeof(gpu->problem) - 1, err.text);
}

static void find_device(struct gpu *gpu, const struct discover_roots *roots,
                        struct nvml **nvml)
{
    int minor = -1;
    bool mig = false;

    for (size_t i = 0; i < gpu->nfiles && !gpu->problem[0]; i++) {
        const char *file = gpu->files[i];
        int number = gpu_path_number(file, "/dev/nvidia");
        mig |= caps_minor(file) >= 0;
        if (number >= 0) {
            gpu->vendor = GPU_NVIDIA;
            minor = number;
            find_nvidia(gpu, (unsigned)number, roots);
        } else if (gpu_path_number(file, "/dev/dri/renderD") >= 0) {
            find_drm(gpu, file + strlen("/dev/dri/"), roots);
        }
    }
    if (!mig || gpu->problem[0])
        return;
    gpu->vendor = GPU_NVIDIA;
    if (minor < 0)
        snprintf(gpu->problem, sizeof(gpu->problem),
                 "it is a MIG instance, and gres.conf lacks the device of its "
                 "GPU (MultipleFiles=)");
    else
        find_mig(gpu, (unsigned)minor, roots, nvml);
}

void discover_gpus(struct gpu_table *table, const struct discover_roots *roots)
{
    struct topology *topology = NULL;
    struct nvml *nvml = NULL;
    struct berth_err err = {0};

    for (size_t i = 0; i < table->n; i++) {
        struct gpu *gpu = &table->gpus[i];
        find_device(gpu, roots, &nvml);
        if (gpu->problem[0] || !gpu->busid[0])
            continue;
        if (!topology && err.code == BERTH_OK)
            topology = topology_open(roots->topology, &err);
        if (topology)
            topology_locate(topology, gpu->busid, &gpu->numa, gpu->cores,
                            sizeof(gpu->cores), &err);
        if (err.code != BERTH_OK)
            snprintf(gpu->problem, sizeof(gpu->problem), "%.*s",
                     (int)sizeof(gpu->problem) - 1, err.text);
        if (topology)
            err.code = BERTH_OK;
    }
    topology_close(topology);
    nvml_close(nvml);
}
