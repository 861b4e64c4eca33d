// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include "logic/request.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "logic/gpu.h"
#include "logic/limits.h"
#include "logic/mount_syntax.h"
#include "logic/selinux.h"
#include "logic/utf8.h"
#include "protocol/inside_paths.h"
#include "protocol/wire.h"

bool request_target_ok(const char *target)
{
    return mount_target_ok(target);
}

// Adds M to the array MOUNTS. Objects, never the "source:target" strings of
// Binds, in which a ':' of a path would be parsed.
static int add_mount(json_t *mounts, const struct request_mount *m)
{
    // clang-format off
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
    // clang-format on
}

static bool is_own_target(const char *target)
{
    static const char *const own[] = {WIRE_INIT_PATH, WIRE_CONTROL_PATH,
                                      INSIDE_SLURM_BIN, INSIDE_SLURM_COMMANDS,
                                      INSIDE_SLURM_LIBRARIES};

    for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
        if (strcmp(target, own[i]) == 0)
            return true;
    return false;
}

// The target of mount I, those of tmpfs behind the others'.
static const char *target_of(const struct request *r, size_t i)
{
    return i < r->nmounts ? r->mounts[i].target
                          : r->tmpfs[i - r->nmounts].target;
}

static int check_targets(const struct request *r, struct berth_err *err)
{
    for (size_t i = 0; i < r->nmounts + r->ntmpfs; i++) {
        const char *target = target_of(r, i);
        bool twice = false;
        for (size_t k = 0; k < i; k++)
            twice |= strcmp(target, target_of(r, k)) == 0;
        if (twice || !(request_target_ok(target) ||
                       (i < r->nmounts && (is_own_target(target) ||
                                           mount_target_is_in_shm(target)))))
            return err_set(err, BERTH_EINVAL,
                           "nothing can be mounted at %s in a container%s: "
                           "choose another place, or another image",
                           target, twice ? " twice" : "");
    }
    return 0;
}

static json_t *build_mounts(const struct request *r, struct berth_err *err)
{
    json_t *mounts = json_array();

    for (size_t i = 0; i < r->nmounts; i++) {
        const struct request_mount *m = &r->mounts[i];
        if (add_mount(mounts, m) < 0) {
            err_set(err, BERTH_EINVAL,
                    "the path %s is not valid UTF-8, which the container "
                    "engine's interface demands: rename it, or start from "
                    "another directory",
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
        json_object_set_new(tmpfs, r->tmpfs[i].target,
                            json_sprintf("rw,nosuid,nodev,exec,mode=1777,"
                                         "size=%" PRIu64 "%s",
                                         r->tmpfs[i].bytes,
                                         r->no_copyup ? ",notmpcopyup" : ""));
    return tmpfs;
}

// A mode in which a container would share another one's network, or which
// has a meaning of its own for the engine.
static bool network_ok(const char *network)
{
    return network[0] && !strpbrk(network, ":/, ");
}

static int check_words(const struct request *r, struct berth_err *err)
{
    unsigned part;

    if (r->network && !network_ok(r->network))
        return err_set(err, BERTH_EINVAL, "\"%s\" is not the name of a network",
                       r->network);
    for (size_t i = 0; i < r->ngpu_capabilities; i++)
        if (!gpu_capability_ok(r->gpu_capabilities[i]))
            return err_set(err, BERTH_EINVAL,
                           "\"%s\" is no capability of NVIDIA's driver that a "
                           "container can be given",
                           r->gpu_capabilities[i]);
    if (r->apparmor &&
        (!r->apparmor[0] || strcmp(r->apparmor, "unconfined") == 0))
        return err_set(err, BERTH_EINVAL,
                       "apparmor: \"%s\" is not a profile that confines "
                       "anything",
                       r->apparmor);
    if (r->seccomp && r->seccomp[0] != '{' && r->seccomp[0] != '/')
        return err_set(err, BERTH_EINVAL,
                       "seccomp: the profile is not a JSON object");
    if (r->selinux && !selinux_value(r->selinux, &part))
        return err_set(err, BERTH_EINVAL,
                       "selinux: \"%s\" is no part of a label: user:, role:, "
                       "type: or level: and a value",
                       r->selinux);
    return 0;
}

// NULL if a word is not UTF-8: left out, it would confine nothing.
static json_t *build_security(const struct request *r)
{
    const struct {
        const char *key, *value;
    } words[] = {
        {"seccomp", r->seccomp},
        {"apparmor", r->apparmor},
        {"label", r->selinux},
    };
    json_t *options = json_pack("[s]", "no-new-privileges");

    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (words[i].value &&
            json_array_append_new(options, json_sprintf("%s=%s", words[i].key,
                                                        words[i].value)) < 0) {
            json_decref(options);
            return NULL;
        }
    return options;
}

static json_t *build_port_bindings(const struct request *r)
{
    json_t *ports = json_object();
    char name[16];

    for (size_t i = 0; i < r->nports; i++) {
        snprintf(name, sizeof(name), "%u/tcp", r->ports[i].port);
        // One port can be published at several addresses.
        if (!json_object_get(ports, name))
            json_object_set_new(ports, name, json_array());
        // clang-format off
        json_array_append_new(
            json_object_get(ports, name),
            json_pack("{s:s, s:o}",
                      "HostIp", r->ports[i].address ? r->ports[i].address : "",
                      "HostPort", json_sprintf("%u", r->ports[i].port)));
        // clang-format on
    }
    return ports;
}

static json_t *build_exposed_ports(const struct request *r)
{
    json_t *ports = json_object();
    char name[16];

    for (size_t i = 0; i < r->nports; i++) {
        snprintf(name, sizeof(name), "%u/tcp", r->ports[i].port);
        json_object_set_new(ports, name, json_object());
    }
    return ports;
}

static json_t *build_ulimits(const struct request *r)
{
    json_t *ulimits = json_array();

    // clang-format off
    for (size_t i = 0; i < r->nulimits; i++)
        json_array_append_new(
            ulimits,
            json_pack("{s:s, s:I, s:I}",
                      "Name", r->ulimits[i].name,
                      "Soft", (json_int_t)r->ulimits[i].soft,
                      "Hard", (json_int_t)r->ulimits[i].hard));
    // clang-format on
    return ulimits;
}

static void add_device(json_t *devices, const char *path)
{
    // clang-format off
    json_array_append_new(devices,
                          json_pack("{s:s, s:s, s:s}",
                                    "PathOnHost", path,
                                    "PathInContainer", path,
                                    "CgroupPermissions", "rw"));
    // clang-format on
}

static json_t *build_devices(const struct request *r)
{
    json_t *devices = json_array();

    for (size_t i = 0; r->gpus_by == REQUEST_GPUS_FILES && i < r->ngpus; i++)
        add_device(devices, r->gpus[i]);
    for (size_t i = 0; i < r->ndevices; i++)
        add_device(devices, r->devices[i]);
    return devices;
}

// The capabilities of NVIDIA's driver that are asked for.
static size_t capabilities(const struct request *r, const char *const **out)
{
    static const char *const usual[] = {"compute", "utility"};

    *out = r->ngpu_capabilities ? r->gpu_capabilities : usual;
    return r->ngpu_capabilities ? r->ngpu_capabilities : 2;
}

// DeviceRequests: never a count, which would be any.
static json_t *build_device_requests(const struct request *r)
{
    json_t *ids = json_array(), *words = json_pack("[s]", "gpu");
    json_t *requests = json_array();
    const char *const *word;
    size_t n = capabilities(r, &word);

    for (size_t i = 0; i < r->ngpus; i++)
        json_array_append_new(ids, json_string(r->gpus[i]));
    for (size_t i = 0; i < n; i++)
        json_array_append_new(words, json_string(word[i]));
    // clang-format off
    if (r->gpus_by == REQUEST_GPUS_NVIDIA)
        json_array_append_new(requests, json_pack("{s:s, s:O, s:[O]}",
                                                  "Driver", "nvidia",
                                                  "DeviceIDs", ids,
                                                  "Capabilities", words));
    // clang-format on
    // clang-format off
    if (r->gpus_by == REQUEST_GPUS_CDI)
        json_array_append_new(requests, json_pack("{s:s, s:O}",
                                                  "Driver", "cdi",
                                                  "DeviceIDs", ids));
    // clang-format on
    json_decref(ids);
    json_decref(words);
    return requests;
}

json_t *request_root_capabilities(const char *prefix)
{
    static const char *const names[] = {
        "CHOWN",  "DAC_OVERRIDE", "FOWNER", "FSETID",  "SETGID",
        "SETUID", "SETFCAP",      "KILL",   "NET_RAW",
    };
    json_t *list = json_array();

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        json_array_append_new(list, json_sprintf("%s%s", prefix, names[i]));
    return list;
}

static json_t *build_host_config(const struct request *r, json_t *mounts)
{
    json_t *groups = json_array();

    for (size_t i = 0; i < r->ngids; i++)
        json_array_append_new(groups, json_sprintf("%u", r->gids[i]));
    // clang-format off
    json_t *host = json_pack(
        "{s:b, s:s, s:o, s:[s], s:o, s:b, s:o, s:s, s:s, s:s, s:s, s:s, s:I,"
        " s:o, s:{s:s}, s:{s:s}, s:o, s:o, s:o}",
        "AutoRemove", 0,
        "CgroupnsMode", "host",
        "GroupAdd", groups,
        "CapDrop", "ALL",
        "SecurityOpt", build_security(r),
        "ReadonlyRootfs", !r->writable,
        "Tmpfs", build_tmpfs(r),
        "NetworkMode", r->network ? r->network : "host",
        "IpcMode", "private",
        "UTSMode", "host",
        "UsernsMode", r->root.count ? "" : "host",
        "PidMode", "",
        "ShmSize", (json_int_t)r->shm_bytes,
        "Ulimits", build_ulimits(r),
        "LogConfig", "Type", "none",
        "RestartPolicy", "Name", "no",
        "Mounts", mounts,
        "Devices", build_devices(r),
        "DeviceRequests", build_device_requests(r));
    // clang-format on

    // Only where asked for: an engine has a default of its own for each.
    int rc = host ? 0 : -1;
    if (rc == 0 && r->root.count)
        rc = json_object_set_new(host, "CapAdd", request_root_capabilities(""));
    if (rc == 0 && r->pids_limit)
        rc = json_object_set_new(host, "PidsLimit",
                                 json_integer((json_int_t)r->pids_limit));
    if (rc == 0 && r->runtime)
        rc = json_object_set_new(host, "Runtime", json_string(r->runtime));
    if (rc == 0 && r->nports)
        rc = json_object_set_new(host, "PortBindings", build_port_bindings(r));
    if (rc < 0) {
        json_decref(host);
        return NULL;
    }
    return host;
}

static json_t *build_labels(const struct request *r)
{
    json_t *labels = json_object();

    for (size_t i = 0; i < r->nlabels; i++)
        json_object_set_new(labels, r->labels[i].name,
                            json_string(r->labels[i].value));
    return labels;
}

// PREFIX and the words, with commas between them.
static json_t *join(const char *prefix, const char *const *words, size_t n)
{
    json_t *text = json_string(prefix);

    for (size_t i = 0; i < n; i++) {
        json_t *longer = json_sprintf("%s%s%s", json_string_value(text),
                                      i ? "," : "", words[i]);
        json_decref(text);
        text = longer;
    }
    return text;
}

// The environment of berth-init, and of the hooks of GPU vendors, which act
// on these variables wherever an image sets them. Tasks bring their own.
static json_t *build_env(const struct request *r)
{
    bool nvidia = r->gpus_by == REQUEST_GPUS_NVIDIA;
    const char *const *word;
    size_t n = capabilities(r, &word);

    json_t *env =
        json_pack("[o, o, s, s, s, s, s, s, s, s]",
                  nvidia ? join("NVIDIA_VISIBLE_DEVICES=", r->gpus, r->ngpus)
                         : json_string("NVIDIA_VISIBLE_DEVICES="
                                       "void"),
                  join("NVIDIA_DRIVER_CAPABILITIES=", word, nvidia ? n : 0),
                  "NVIDIA_MIG_CONFIG_DEVICES=", "NVIDIA_MIG_MONITOR_DEVICES=",
                  "NVIDIA_IMEX_CHANNELS=", "NVIDIA_GDRCOPY=", "NVIDIA_GDS=",
                  "NVIDIA_MOFED=", "NVIDIA_NVSWITCH=", "CUDA_VISIBLE_DEVICES=");
    for (size_t i = 0; i < r->nimage_env; i++)
        if (strncmp(r->image_env[i], "LD_", 3) == 0)
            json_array_append_new(
                env, json_sprintf("%.*s=", (int)strcspn(r->image_env[i], "="),
                                  r->image_env[i]));
    return env;
}

json_t *request_build(const struct request *r, struct berth_err *err)
{
    json_t *mounts = check_words(r, err) < 0 || check_targets(r, err) < 0
                         ? NULL
                         : build_mounts(r, err);

    if (!mounts)
        return NULL;
    // clang-format off
    // The image's own entry point, command, health check and working
    // directory never run or count: berth-init does, and the tasks.
    json_t *body = json_pack(
        "{s:s, s:o, s:[s], s:o, s:s, s:b, s:{s:[s]}, s:s, s:o, s:o,"
        " s:o}",
        "Image", r->image_id,
        "User", json_sprintf("%u:%u", r->uid, r->gid),
        "Entrypoint", WIRE_INIT_PATH,
        "Cmd", r->seccomp ? json_pack("[s]", WIRE_INIT_PROFILE) : json_array(),
        "WorkingDir", "/",
        "NetworkDisabled", 0,
        "Healthcheck", "Test", "NONE",
        "StopSignal", "SIGKILL",
        "Env", build_env(r),
        "Labels", build_labels(r),
        "HostConfig", build_host_config(r, mounts));
    // clang-format on
    if (body && r->nports)
        json_object_set_new(body, "ExposedPorts", build_exposed_ports(r));
    // Without, its standard input would be the node's /dev/null, which runtimes
    // give to the root of a user namespace.
    if (body && r->root.count)
        json_object_set_new(body, "OpenStdin", json_true());
    if (!body) {
        err_set(err, BERTH_ENOMEM,
                "the request for this container cannot be written: memory is "
                "out, or a name in it is not valid UTF-8");
        return NULL;
    }
    if (json_dumpb(body, NULL, 0, JSON_COMPACT) > BERTH_REQUEST_MAX) {
        err_set(err, BERTH_EINVAL,
                "the request for this container would be larger than %d KiB",
                BERTH_REQUEST_MAX / 1024);
        json_decref(body);
        return NULL;
    }
    return body;
}
