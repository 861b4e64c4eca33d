// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: a file that only root can write, in a directory that only root can
// write. It is checked all the same, since what it says becomes devices.

#include "node/gpu_table.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static json_t *gpu_to_json(const struct gpu *gpu)
{
    json_t *files = json_array();

    for (size_t i = 0; i < gpu->nfiles; i++)
        json_array_append_new(files, json_string(gpu->files[i]));
    // clang-format off
    return json_pack("{s:i, s:i, s:s, s:o, s:s, s:s, s:s, s:i, s:s, s:s}",
                     "index", (int)gpu->index,
                     "vendor", (int)gpu->vendor,
                     "type", gpu->type,
                     "files", files,
                     "busid", gpu->busid,
                     "model", gpu->model,
                     "uuid", gpu->uuid,
                     "numa", gpu->numa,
                     "cores", gpu->cores,
                     "problem", gpu->problem);
    // clang-format on
}

int gpu_table_write(const char *path, const struct gpu_table *table,
                    struct berth_err *err)
{
    char tmp[4096];
    json_t *gpus = json_array();
    int fd = -1, rc = -1;

    snprintf(tmp, sizeof(tmp), "%s.%d", path, (int)getpid());
    for (size_t i = 0; i < table->n; i++)
        json_array_append_new(gpus, gpu_to_json(&table->gpus[i]));
    // clang-format off
    json_t *json = json_pack("{s:s, s:s, s:o}",
                             "boot", table->boot,
                             "conf", table->conf,
                             "gpus", gpus);
    // clang-format on
    if (!json || json_array_size(gpus) != table->n)
        err_set(err, BERTH_EINVAL, "a name is not valid UTF-8");
    // Of one that was killed, and had this number.
    else if (unlink(tmp) < 0 && errno != ENOENT)
        err_set(err, BERTH_ESYS, "%s: %m", tmp);
    else if ((fd = open(tmp,
                        O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                        0600)) < 0 ||
             json_dumpfd(json, fd, JSON_COMPACT) < 0 || rename(tmp, path) < 0)
        err_set(err, BERTH_ESYS, "%s cannot be written: %m", path);
    else
        rc = 0;
    if (fd >= 0)
        close(fd);
    if (fd >= 0 && rc < 0)
        unlink(tmp);
    json_decref(json);
    return rc;
}

static bool copy(char *out, size_t size, const char *text)
{
    return (size_t)snprintf(out, size, "%s", text) < size;
}

static bool gpu_from_json(json_t *json, struct gpu *gpu)
{
    const char *type, *busid, *model, *uuid, *cores, *problem;
    int index, vendor;
    json_t *files;

    // clang-format off
    if (json_unpack(json,
                    "{s:i, s:i, s:s, s:o, s:s, s:s, s:s, s:i, s:s, s:s !}",
                    "index", &index,
                    "vendor", &vendor,
                    "type", &type,
                    "files", &files,
                    "busid", &busid,
                    "model", &model,
                    "uuid", &uuid,
                    "numa", &gpu->numa,
                    "cores", &cores,
                    "problem", &problem) < 0 ||
        index < 0 || vendor < GPU_GENERIC || vendor > GPU_INTEL ||
        !copy(gpu->type, sizeof(gpu->type), type) ||
        !copy(gpu->busid, sizeof(gpu->busid), busid) ||
        !copy(gpu->model, sizeof(gpu->model), model) ||
        !copy(gpu->uuid, sizeof(gpu->uuid), uuid) ||
        !copy(gpu->cores, sizeof(gpu->cores), cores) ||
        !copy(gpu->problem, sizeof(gpu->problem), problem) ||
        json_array_size(files) > GPU_FILES_MAX)
        return false;
    // clang-format on
    gpu->index = (unsigned)index;
    gpu->vendor = (enum gpu_vendor)vendor;
    gpu->nfiles = json_array_size(files);
    for (size_t i = 0; i < gpu->nfiles; i++) {
        const char *path = json_string_value(json_array_get(files, i));
        if (!path || !gpu_path_ok(path))
            return false;
        strcpy(gpu->files[i], path);
    }
    return true;
}

struct gpu_table *gpu_table_read(const char *path, struct berth_err *err)
{
    const char *boot, *conf;
    json_t *gpus;

    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        err_set(err, errno == ENOENT ? BERTH_ENOTFOUND : BERTH_ESYS, "%s: %m",
                path);
        return NULL;
    }
    json_t *json = json_loadfd(fd, JSON_REJECT_DUPLICATES, NULL);
    struct gpu_table *table = calloc(1, sizeof(*table));
    // clang-format off
    bool ok = table &&
              json_unpack(json, "{s:s, s:s, s:o !}",
                          "boot", &boot,
                          "conf", &conf,
                          "gpus", &gpus) == 0 &&
              copy(table->boot, sizeof(table->boot), boot) &&
              copy(table->conf, sizeof(table->conf), conf) &&
              json_array_size(gpus) <= GPU_MAX;
    // clang-format on
    for (size_t i = 0; ok && i < json_array_size(gpus); i++, table->n++)
        ok = gpu_from_json(json_array_get(gpus, i), &table->gpus[i]) &&
             table->gpus[i].index == i;
    close(fd);
    json_decref(json);
    if (!ok) {
        err_set(err, BERTH_EINVAL, "%s is not a table of GPUs", path);
        free(table);
        return NULL;
    }
    return table;
}
