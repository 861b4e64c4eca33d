// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: a request that berth has built. The words are those of Podman's
// SpecGenerator, 4.0 and later.

#include "logic/libpod.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "logic/request.h"
#include "protocol/wire.h"

// One translation. Each key is taken out of a copy of the request: what is
// left in the end has not been understood.
struct translation {
    json_t *body; // what is left of it
    json_t *host; // and of its HostConfig
    json_t *out;
    const char *failed; // the first key that has no translation, or NULL
};

static void fail(struct translation *t, const char *key)
{
    if (!t->failed)
        t->failed = key;
}

// Takes KEY out of FROM. Returns a new reference, or NULL.
static json_t *take(json_t *from, const char *key)
{
    json_t *value = json_incref(json_object_get(from, key));

    json_object_del(from, key);
    return value;
}

// The value of KEY goes under NAME as it is.
static void move(struct translation *t, json_t *from, const char *key,
                 const char *name)
{
    json_t *value = take(from, key);

    if (value && json_object_set_new(t->out, name, value) < 0)
        fail(t, key);
}

// KEY must have the very value of VALUE (stolen), and then needs no word.
static void expect(struct translation *t, json_t *from, const char *key,
                   json_t *value)
{
    json_t *have = take(from, key);

    if (have && !json_equal(have, value))
        fail(t, key);
    json_decref(have);
    json_decref(value);
}

static void put(struct translation *t, const char *name, json_t *value)
{
    if (json_object_set_new(t->out, name, value) < 0)
        fail(t, name);
}

// A namespace: the container's own, or one by name.
static void move_namespace(struct translation *t, const char *key,
                           const char *name)
{
    static const char *const known[] = {"host", "private"};
    json_t *value = take(t->host, key);
    const char *mode = json_string_value(value);
    bool ok = false;

    for (size_t i = 0; mode && i < sizeof(known) / sizeof(*known); i++)
        ok |= strcmp(mode, known[i]) == 0;
    if (ok)
        put(t, name, json_pack("{s:s}", "nsmode", mode));
    else if (value && (!mode || mode[0]))
        fail(t, key);
    json_decref(value);
}

// The network as well, but for one of Podman's own by its name.
static void move_network(struct translation *t)
{
    static const char *const known[] = {"host", "none", "bridge"};
    json_t *value = take(t->host, "NetworkMode");
    const char *mode = json_string_value(value);

    for (size_t i = 0; mode && i < sizeof(known) / sizeof(*known); i++)
        if (strcmp(mode, known[i]) == 0) {
            put(t, "netns", json_pack("{s:s}", "nsmode", mode));
            mode = NULL;
        }
    if (mode && strchr(mode, ':'))
        fail(t, "NetworkMode");
    if (mode) {
        put(t, "netns", json_pack("{s:s}", "nsmode", "bridge"));
        put(t, "networks", json_pack("{s:{}}", mode));
    }
    json_decref(value);
}

// {"80/tcp": [{"HostIp": "", "HostPort": "80"}]}; what ExposedPorts says of
// them needs no word.
static void move_ports(struct translation *t)
{
    json_t *bindings = take(t->host, "PortBindings");
    json_t *mappings = json_array(), *list, *item;
    const char *key, *address, *text;
    unsigned inside, outside;
    size_t i;
    char end;

    json_decref(take(t->body, "ExposedPorts"));
    json_object_foreach (bindings, key, list) {
        json_array_foreach (list, i, item) {
            // clang-format off
            if (json_unpack(item, "{s:s, s:s !}", "HostIp", &address,
                            "HostPort", &text) < 0 ||
                sscanf(key, "%5u/tc%c", &inside, &end) != 2 || end != 'p' ||
                sscanf(text, "%5u%c", &outside, &end) != 1)
                fail(t, "PortBindings");
            else
                json_array_append_new(
                    mappings, json_pack("{s:s, s:i, s:i, s:s}",
                                        "host_ip", address,
                                        "host_port", (int)outside,
                                        "container_port", (int)inside,
                                        "protocol", "tcp"));
            // clang-format on
        }
    }
    put(t, "portmappings", mappings);
    json_decref(bindings);
}

// ["NAME=VALUE"] becomes {"NAME": "VALUE"}.
static void move_env(struct translation *t)
{
    json_t *list = take(t->body, "Env"), *env = json_object(), *item;
    size_t i;

    json_array_foreach (list, i, item) {
        const char *text = json_string_value(item);
        const char *eq = text ? strchr(text, '=') : NULL;
        char *name = eq ? strndup(text, (size_t)(eq - text)) : NULL;
        if (!name || !*name ||
            json_object_set_new(env, name, json_string(eq + 1)) < 0)
            fail(t, "Env");
        free(name);
    }
    put(t, "env", env);
    json_decref(list);
}

static void move_mounts(struct translation *t)
{
    json_t *list = take(t->host, "Mounts"), *tmpfs = take(t->host, "Tmpfs");
    json_t *mounts = json_array(), *item;
    const char *type, *source, *target, *propagation;
    int readonly, nonrecursive;
    size_t i;

    json_array_foreach (list, i, item) {
        // clang-format off
        if (json_unpack(item, "{s:s, s:s, s:s, s:b, s:{s:s, s:b !} !}",
                        "Type", &type,
                        "Source", &source,
                        "Target", &target,
                        "ReadOnly", &readonly,
                        "BindOptions",
                        "Propagation", &propagation,
                        "NonRecursive", &nonrecursive) < 0 ||
            strcmp(type, "bind") != 0)
            fail(t, "Mounts");
        // clang-format on
        // clang-format off
        else
            json_array_append_new(
                mounts, json_pack("{s:s, s:s, s:s, s:[sss]}",
                                  "type", "bind",
                                  "source", source,
                                  "destination", target,
                                  "options", nonrecursive ? "bind" : "rbind",
                                  propagation, readonly ? "ro" : "rw"));
        // clang-format on
    }
    json_object_foreach (tmpfs, target, item) {
        json_t *options = json_array();
        for (const char *p = json_string_value(item); p && *p;) {
            size_t n = strcspn(p, ",");
            json_array_append_new(options, json_stringn(p, n));
            p += n + (p[n] == ',');
        }
        // clang-format off
        json_array_append_new(mounts, json_pack("{s:s, s:s, s:s, s:o}",
                                                "type", "tmpfs",
                                                "source", "tmpfs",
                                                "destination", target,
                                                "options", options));
        // clang-format on
    }
    put(t, "mounts", mounts);
    json_decref(list);
    json_decref(tmpfs);
}

// Files are "SOURCE:TARGET:PERMISSIONS" here as well; a CDI device is named.
static void move_devices(struct translation *t)
{
    json_t *list = take(t->host, "Devices");
    json_t *requests = take(t->host, "DeviceRequests");
    json_t *devices = json_array(), *item, *names, *name;
    const char *source, *target, *permissions, *driver;
    size_t i, k;

    json_array_foreach (list, i, item) {
        // clang-format off
        if (json_unpack(item, "{s:s, s:s, s:s !}",
                        "PathOnHost", &source,
                        "PathInContainer", &target,
                        "CgroupPermissions", &permissions) < 0 ||
            strchr(source, ':') || strchr(target, ':'))
            fail(t, "Devices");
        // clang-format on
        else
            json_array_append_new(devices,
                                  json_pack("{s:o}", "path",
                                            json_sprintf("%s:%s:%s", source,
                                                         target, permissions)));
    }
    json_array_foreach (requests, i, item) {
        if (json_unpack(item, "{s:s, s:o !}", "Driver", &driver, "DeviceIDs",
                        &names) < 0 ||
            strcmp(driver, "cdi") != 0)
            fail(t, "DeviceRequests");
        else
            json_array_foreach (names, k, name)
                json_array_append_new(devices,
                                      json_pack("{s:O}", "path", name));
    }
    put(t, "devices", devices);
    json_decref(list);
    json_decref(requests);
}

static void move_security(struct translation *t)
{
    static const struct {
        const char *option;
        const char *name;
    } known[] = {
        {"apparmor=", "apparmor_profile"},
        {"seccomp=/", "seccomp_profile_path"},
    };
    json_t *list = take(t->host, "SecurityOpt"), *labels = json_array();
    json_t *item;
    size_t i, k;

    json_array_foreach (list, i, item) {
        const char *text = json_string_value(item);
        for (k = 0; text && k < sizeof(known) / sizeof(*known); k++)
            if (strncmp(text, known[k].option, strlen(known[k].option)) == 0)
                break;
        if (!text)
            fail(t, "SecurityOpt");
        else if (k < sizeof(known) / sizeof(*known))
            put(t, known[k].name, json_string(strchr(text, '=') + 1));
        else if (strcmp(text, "no-new-privileges") == 0)
            put(t, "no_new_privileges", json_true());
        else if (strncmp(text, "label=", 6) == 0)
            json_array_append_new(labels, json_string(text + 6));
        else
            fail(t, "SecurityOpt");
    }
    put(t, "selinux_opts", labels);
    json_decref(list);
}

// Nothing needs no word, as the entry point is not the image's.
static void move_command(struct translation *t)
{
    json_t *have = take(t->body, "Cmd");
    json_t *profile = json_pack("[s]", WIRE_INIT_PROFILE);

    if (json_equal(have, profile))
        put(t, "command", json_incref(profile));
    else if (!json_is_array(have) || json_array_size(have) > 0)
        fail(t, "Cmd");
    json_decref(profile);
    json_decref(have);
}

static void translate(struct translation *t)
{
    move(t, t->body, "Image", "image");
    move(t, t->body, "User", "user");
    move(t, t->body, "Entrypoint", "entrypoint");
    move(t, t->body, "WorkingDir", "work_dir");
    move(t, t->body, "Healthcheck", "healthconfig");
    move(t, t->body, "Labels", "labels");
    move_env(t);
    move_command(t);
    expect(t, t->body, "NetworkDisabled", json_false());
    expect(t, t->body, "StopSignal", json_string("SIGKILL"));
    put(t, "stop_signal", json_integer(9));

    move(t, t->host, "AutoRemove", "remove");
    move(t, t->host, "GroupAdd", "groups");
    move(t, t->host, "CapDrop", "cap_drop");
    move(t, t->host, "ReadonlyRootfs", "read_only_filesystem");
    move(t, t->host, "ShmSize", "shm_size");
    move(t, t->host, "Runtime", "oci_runtime");
    move_security(t);
    move_mounts(t);
    move_devices(t);
    move_network(t);
    move_ports(t);
    move_namespace(t, "IpcMode", "ipcns");
    move_namespace(t, "UTSMode", "utsns");
    move_namespace(t, "UsernsMode", "userns");
    move_namespace(t, "PidMode", "pidns");
    move_namespace(t, "CgroupnsMode", "cgroupns");
    expect(t, t->host, "LogConfig", json_pack("{s:s}", "Type", "none"));
    put(t, "log_configuration", json_pack("{s:s}", "driver", "none"));
    expect(t, t->host, "RestartPolicy", json_pack("{s:s}", "Name", "no"));
    put(t, "restart_policy", json_string("no"));
    json_t *pids = take(t->host, "PidsLimit");
    if (pids)
        put(t, "resource_limits",
            json_pack("{s:{s:o}}", "pids", "limit", pids));

    // What Podman does not do for Docker's clients either, or does by itself.
    put(t, "oom_score_adj", json_integer(0));
    put(t, "image_volume_mode", json_string("ignore"));
    put(t, "systemd", json_string("false"));
    // For Docker's clients; else, from Podman 5 on, /dev and /dev/shm are
    // read-only as the root is.
    put(t, "read_write_tmpfs", json_true());
}

static json_t *mapping(const struct root_range *root)
{
    // clang-format off
    return json_pack("[{s:i, s:I, s:I}]",
                     "container_id", 0,
                     "host_id", (json_int_t)root->start,
                     "size", (json_int_t)root->count);
    // clang-format on
}

// Of who is root inside. The capabilities must be those of the request.
static void translate_root(struct translation *t, const struct root_range *root)
{
    put(t, "cap_add", request_root_capabilities("CAP_"));
    expect(t, t->host, "CapAdd", request_root_capabilities(""));
    move(t, t->body, "OpenStdin", "stdin");
    put(t, "userns", json_pack("{s:s}", "nsmode", "private"));
    // It would add the user to the image's, or make them, as the node's root.
    put(t, "manage_password", json_false());
    put(t, "idmappings",
        json_pack("{s:o, s:o}", "UIDMap", mapping(root), "GIDMap",
                  mapping(root)));
}

// jansson's integers are signed, and Podman's infinity is the largest one
// without a sign: so these are written by hand.
static char *limits(json_t *ulimits)
{
    char *text = NULL, *name;
    size_t size = 0, i;
    json_int_t soft, hard;
    json_t *item;

    FILE *f = open_memstream(&text, &size);
    if (!f)
        return NULL;
    bool ok = true;
    json_array_foreach (ulimits, i, item) {
        if (json_unpack(item, "{s:s, s:I, s:I !}", "Name", &name, "Soft", &soft,
                        "Hard", &hard) < 0 ||
            name[strspn(name, "abcdefghijklmnopqrstuvwxyz")]) {
            ok = false;
            break;
        }
        fprintf(f,
                "%s{\"type\":\"%s\",\"soft\":%" PRIu64 ",\"hard\":%" PRIu64 "}",
                i ? "," : "", name, (uint64_t)soft, (uint64_t)hard);
    }
    if (fclose(f) != 0 || !ok) {
        free(text);
        return NULL;
    }
    return text;
}

char *libpod_request(const json_t *body, const char *name,
                     const struct root_range *root, struct berth_err *err)
{
    struct translation t = {.body = json_deep_copy(body), .out = json_object()};
    char *text = NULL, *rlimits = NULL;
    const char *key;
    json_t *value;

    t.host = take(t.body, "HostConfig");
    json_t *ulimits = take(t.host, "Ulimits");
    translate(&t);
    put(&t, "name", json_string(name));
    if (root->count)
        translate_root(&t, root);
    json_object_foreach (t.host, key, value)
        fail(&t, key);
    json_object_foreach (t.body, key, value)
        fail(&t, key);
    if (!(rlimits = limits(ulimits)))
        fail(&t, "Ulimits");
    char *rest = json_dumps(t.out, JSON_COMPACT);
    if (t.failed)
        err_set(err, BERTH_EINVAL,
                "Podman cannot be asked for this container: berth has no "
                "word of Podman's for %s: tell its developers",
                t.failed);
    // The object's last brace comes behind the limits.
    else if (!rest || asprintf(&text, "%.*s,\"r_limits\":[%s]}",
                               (int)strlen(rest) - 1, rest, rlimits) < 0) {
        text = NULL;
        err_set(err, BERTH_ENOMEM, "memory is out");
    }
    free(rest);
    free(rlimits);
    json_decref(ulimits);
    json_decref(t.host);
    json_decref(t.body);
    json_decref(t.out);
    return text;
}
