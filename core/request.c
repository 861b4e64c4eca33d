// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include "core/request.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/limits.h"
#include "core/utf8.h"
#include "handover/wire.h"

static bool at_or_under(const char *path, const char *dir)
{
    size_t n = strlen(dir);

    return strncmp(path, dir, n) == 0 && (path[n] == 0 || path[n] == '/');
}

bool request_target_ok(const char *target)
{
    if (target[0] != '/' || target[1] == 0 || strlen(target) >= 4096 ||
        !utf8_valid(target))
        return false;
    for (const char *p = target; *p; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return false;
        if (*p != '/')
            continue;
        size_t n = strcspn(p + 1, "/");
        if (n == 0 || (n == 1 && p[1] == '.') ||
            (n == 2 && p[1] == '.' && p[2] == '.'))
            return false;
    }
    return !at_or_under(target, "/proc") && !at_or_under(target, "/sys") &&
           !at_or_under(target, "/dev") && !at_or_under(target, "/run/berth");
}

// Adds M to the array MOUNTS. Objects, never the "source:target" strings of
// Binds, in which a ':' of a path would be parsed.
static int add_mount(json_t *mounts, const struct request_mount *m)
{
    return json_array_append_new(
        mounts,
        json_pack("{s:s, s:s, s:s, s:b, s:{s:s, s:b}}",
                  "Type", "bind",
                  "Source", m->source,
                  "Target", m->target,
                  "ReadOnly", m->readonly,
                  "BindOptions",
                  "Propagation", "rprivate",
                  "NonRecursive", 1));
}

static bool is_own_target(const char *target)
{
    return strcmp(target, WIRE_INIT_PATH) == 0 ||
           strcmp(target, WIRE_CONTROL_PATH) == 0;
}

static json_t *build_mounts(const struct request *r, struct berth_err *err)
{
    json_t *mounts = json_array();

    for (size_t i = 0; i < r->nmounts; i++) {
        const struct request_mount *m = &r->mounts[i];
        bool twice = false;
        for (size_t k = 0; k < i; k++)
            twice |= strcmp(m->target, r->mounts[k].target) == 0;
        if (twice ||
            !(is_own_target(m->target) || request_target_ok(m->target))) {
            err_set(err,
                    BERTH_EINVAL,
                    "nothing can be mounted at %s in a container%s",
                    m->target,
                    twice ? " twice" : "");
            json_decref(mounts);
            return NULL;
        }
        if (add_mount(mounts, m) < 0) {
            err_set(err,
                    BERTH_EINVAL,
                    "the path %s is not valid UTF-8, which the container "
                    "engine's interface demands",
                    m->target);
            json_decref(mounts);
            return NULL;
        }
    }
    return mounts;
}

static json_t *build_tmpfs(const struct request *r)
{
    json_t *tmpfs = json_object();

    for (size_t i = 0; i < r->ntmpfs; i++)
        json_object_set_new(tmpfs,
                            r->tmpfs[i],
                            json_sprintf("rw,nosuid,nodev,exec,mode=1777,"
                                         "size=%" PRIu64,
                                         r->tmpfs_bytes));
    return tmpfs;
}

static json_t *build_ulimits(const struct request *r)
{
    json_t *ulimits = json_array();

    for (size_t i = 0; i < r->nulimits; i++)
        json_array_append_new(
            ulimits,
            json_pack("{s:s, s:I, s:I}",
                      "Name", r->ulimits[i].name,
                      "Soft", (json_int_t)r->ulimits[i].soft,
                      "Hard", (json_int_t)r->ulimits[i].hard));
    return ulimits;
}

static json_t *build_devices(const struct request *r)
{
    json_t *devices = json_array();

    for (size_t i = 0; r->gpus_by == REQUEST_GPUS_FILES && i < r->ngpus; i++)
        json_array_append_new(devices,
                              json_pack("{s:s, s:s, s:s}",
                                        "PathOnHost", r->gpus[i],
                                        "PathInContainer", r->gpus[i],
                                        "CgroupPermissions", "rw"));
    return devices;
}

// DeviceRequests: never a count, which would be any.
static json_t *build_device_requests(const struct request *r)
{
    json_t *ids = json_array();

    for (size_t i = 0; i < r->ngpus; i++)
        json_array_append_new(ids, json_string(r->gpus[i]));
    if (r->gpus_by == REQUEST_GPUS_NVIDIA)
        return json_pack("[{s:s, s:o, s:[[sss]]}]",
                         "Driver", "nvidia",
                         "DeviceIDs", ids,
                         "Capabilities", "gpu", "compute", "utility");
    if (r->gpus_by == REQUEST_GPUS_CDI)
        return json_pack("[{s:s, s:o}]", "Driver", "cdi", "DeviceIDs", ids);
    json_decref(ids);
    return json_array();
}

static json_t *build_host_config(const struct request *r, json_t *mounts)
{
    json_t *groups = json_array();

    for (size_t i = 0; i < r->ngids; i++)
        json_array_append_new(groups, json_sprintf("%u", r->gids[i]));
    return json_pack(
        "{s:b, s:s, s:o, s:[s], s:[s], s:b, s:o, s:s, s:s, s:s, s:s, s:s, s:I,"
        " s:o, s:{s:s}, s:{s:s}, s:o, s:o, s:o}",
        "AutoRemove", 1,
        "CgroupnsMode", "private",
        "GroupAdd", groups,
        "CapDrop", "ALL",
        "SecurityOpt", "no-new-privileges",
        "ReadonlyRootfs", 1,
        "Tmpfs", build_tmpfs(r),
        "NetworkMode", "host",
        "IpcMode", "private",
        "UTSMode", "host",
        "UsernsMode", "host",
        "PidMode", "",
        "ShmSize", (json_int_t)r->shm_bytes,
        "Ulimits", build_ulimits(r),
        "LogConfig", "Type", "none",
        "RestartPolicy", "Name", "no",
        "Mounts", mounts,
        "Devices", build_devices(r),
        "DeviceRequests", build_device_requests(r));
}

static json_t *build_labels(const struct request *r)
{
    json_t *labels = json_object();

    for (size_t i = 0; i < r->nlabels; i++)
        json_object_set_new(labels,
                            r->labels[i].name,
                            json_string(r->labels[i].value));
    return labels;
}

// The environment of berth-init, and of the hooks of GPU vendors, which act
// on these variables wherever an image sets them. Tasks bring their own.
static json_t *build_env(const struct request *r)
{
    bool nvidia = r->gpus_by == REQUEST_GPUS_NVIDIA;
    json_t *visible =
        nvidia ? json_string("NVIDIA_VISIBLE_DEVICES=")
               : json_string("NVIDIA_VISIBLE_DEVICES=void");

    for (size_t i = 0; nvidia && i < r->ngpus; i++) {
        json_t *longer = json_sprintf("%s%s%s", json_string_value(visible),
                                      i ? "," : "", r->gpus[i]);
        json_decref(visible);
        visible = longer;
    }
    json_t *env = json_pack("[o, s, s, s, s, s]",
                            visible,
                            nvidia
                                ? "NVIDIA_DRIVER_CAPABILITIES=compute,utility"
                                : "NVIDIA_DRIVER_CAPABILITIES=",
                            "NVIDIA_MIG_CONFIG_DEVICES=",
                            "NVIDIA_MIG_MONITOR_DEVICES=",
                            "NVIDIA_IMEX_CHANNELS=",
                            "CUDA_VISIBLE_DEVICES=");
    for (size_t i = 0; i < r->nimage_env; i++)
        if (strncmp(r->image_env[i], "LD_", 3) == 0)
            json_array_append_new(env,
                                  json_sprintf("%.*s=",
                                               (int)strcspn(r->image_env[i],
                                                            "="),
                                               r->image_env[i]));
    return env;
}

json_t *request_build(const struct request *r, struct berth_err *err)
{
    json_t *mounts = build_mounts(r, err);

    if (!mounts)
        return NULL;
    // The image's own entry point, command, health check and working
    // directory never run or count: berth-init does, and the tasks.
    json_t *body = json_pack(
        "{s:s, s:o, s:[s], s:[], s:s, s:b, s:{s:[s]}, s:s, s:o, s:o,"
        " s:o}",
        "Image", r->image_id,
        "User", json_sprintf("%u:%u", r->uid, r->gid),
        "Entrypoint", WIRE_INIT_PATH,
        "Cmd",
        "WorkingDir", "/",
        "NetworkDisabled", 0,
        "Healthcheck", "Test", "NONE",
        "StopSignal", "SIGKILL",
        "Env", build_env(r),
        "Labels", build_labels(r),
        "HostConfig", build_host_config(r, mounts));
    if (!body) {
        err_set(err, BERTH_ENOMEM, "memory is out");
        return NULL;
    }
    if (json_dumpb(body, NULL, 0, JSON_COMPACT) > BERTH_REQUEST_MAX) {
        err_set(err,
                BERTH_EINVAL,
                "the request for this container would be larger than %d KiB",
                BERTH_REQUEST_MAX / 1024);
        json_decref(body);
        return NULL;
    }
    return body;
}
