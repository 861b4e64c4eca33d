// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: the kernel's and the drivers' /proc and /sys. What is missing or
// strange there costs the one GPU.

#include "gpu/discover.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
    struct gpu_information info;

    snprintf(dir, sizeof(dir), "%s/proc/driver/nvidia/gpus", roots->proc);
    DIR *d = opendir(dir);
    if (!d) {
        snprintf(gpu->problem, sizeof(gpu->problem),
                 "NVIDIA's driver is not loaded (/proc/driver/nvidia/gpus: "
                 "%s)", strerror(errno));
        return;
    }
    for (struct dirent *e; !gpu->busid[0] && (e = readdir(d));) {
        snprintf(path, sizeof(path), "%s/%s/information", dir, e->d_name);
        if (e->d_name[0] == '.' || !read_text(path, text, sizeof(text)) ||
            !gpu_information_parse(text, &info) || info.minor != minor)
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

static void find_device(struct gpu *gpu, const struct discover_roots *roots)
{
    for (size_t i = 0; i < gpu->nfiles; i++) {
        int minor = gpu_path_number(gpu->files[i], "/dev/nvidia");
        if (strncmp(gpu->files[i], "/dev/nvidia-caps/", 17) == 0) {
            snprintf(gpu->problem, sizeof(gpu->problem),
                     "it is a MIG instance, which berth cannot give to a "
                     "container yet");
            gpu->vendor = GPU_NVIDIA;
            return;
        }
        if (minor >= 0) {
            gpu->vendor = GPU_NVIDIA;
            find_nvidia(gpu, (unsigned)minor, roots);
        } else if (gpu_path_number(gpu->files[i], "/dev/dri/renderD") >= 0) {
            find_drm(gpu, gpu->files[i] + strlen("/dev/dri/"), roots);
        }
        if (gpu->problem[0])
            return;
    }
}

void discover_gpus(struct gpu_table *table,
                   const struct discover_roots *roots)
{
    struct topology *topology = NULL;
    struct berth_err err = {0};

    for (size_t i = 0; i < table->n; i++) {
        struct gpu *gpu = &table->gpus[i];
        find_device(gpu, roots);
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
}
