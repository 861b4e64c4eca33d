// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include "engine/parse.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "logic/limits.h"

static int fail_memory(struct berth_err *err)
{
    return err_set(err, BERTH_ENOMEM, "out of memory");
}

static int fail_field(struct berth_err *err, const char *field,
                      const char *what)
{
    return err_set(err, BERTH_EENGINE, "%s %s", field, what);
}

// jansson quotes what it found, so its words are scrubbed.
static int fail_json(struct berth_err *err, const json_error_t *e)
{
    if (json_error_code(e) == json_error_out_of_memory)
        return fail_memory(err);
    err_set(err, BERTH_EENGINE, "%s", e->text);
    if (err)
        err_scrub(err->text);
    return -1;
}

// Returns a new reference to the object in BODY, or NULL.
static json_t *load(const char *body, size_t length, struct berth_err *err)
{
    json_error_t e;
    json_t *root = json_loadb(body, length, JSON_REJECT_DUPLICATES, &e);

    if (!root) {
        fail_json(err, &e);
        return NULL;
    }
    if (!json_is_object(root)) {
        err_set(err, BERTH_EENGINE, "it is not an object");
        json_decref(root);
        return NULL;
    }
    return root;
}

// Copies TEXT, or nothing if it does not fit.
static int copy(char *out, size_t size, const char *text, const char *field,
                struct berth_err *err)
{
    size_t n = strlen(text);

    if (n >= size)
        return fail_field(err, field, "is too long");
    memcpy(out, text, n + 1);
    return 0;
}

static bool is_id(const char *s)
{
    return strlen(s) == 64 && strspn(s, "0123456789abcdef") == 64;
}

// "sha256:" and 64 hex digits; Podman omits the prefix here and there.
static int copy_image_id(char out[72], const char *text, const char *field,
                         struct berth_err *err)
{
    if (strncmp(text, "sha256:", 7) == 0)
        text += 7;
    if (!is_id(text))
        return fail_field(err, field, "is not an image ID");
    memcpy(out, "sha256:", 7);
    memcpy(out + 7, text, 65);
    return 0;
}

// The length of the array ARRAY; 0 when it is null or not there at all.
static int count(const json_t *array, const char *field, size_t *out,
                 struct berth_err *err)
{
    if (array && !json_is_null(array) && !json_is_array(array))
        return fail_field(err, field, "is not a list");
    if (json_array_size(array) > BERTH_LIST_MAX)
        return fail_field(err, field, "is too long");
    *out = json_array_size(array);
    return 0;
}

static void free_strings(char **list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(list[i]);
    free(list);
}

// A list of strings, each copied.
static int copy_strings(const json_t *array, const char *field, char ***out,
                        size_t *nout, struct berth_err *err)
{
    size_t n;

    if (count(array, field, &n, err) < 0)
        return -1;
    char **list = calloc(n + 1, sizeof(*list));
    if (!list)
        return fail_memory(err);
    for (size_t i = 0; i < n; i++) {
        const char *s = json_string_value(json_array_get(array, i));
        if (!s) {
            fail_field(err, field, "is not a list of strings");
            goto fail;
        }
        list[i] = strdup(s);
        if (!list[i]) {
            fail_memory(err);
            goto fail;
        }
    }
    *out = list;
    *nout = n;
    return 0;
fail:
    free_strings(list, n);
    return -1;
}

// A string, copied; NULL or an empty one: none.
static int copy_text(const json_t *item, const char *field, char **out,
                     struct berth_err *err)
{
    const char *s = json_string_value(item);

    if (item && !json_is_null(item) && !s)
        return fail_field(err, field, "is no string");
    if (!s || !*s)
        return 0;
    *out = strdup(s);
    return *out ? 0 : fail_memory(err);
}

// The keys of an object, each copied.
static int copy_keys(json_t *object, const char *field, char ***out,
                     size_t *nout, struct berth_err *err)
{
    size_t n = json_object_size(object), i = 0;
    const char *key;
    json_t *value;

    if (object && !json_is_null(object) && !json_is_object(object))
        return fail_field(err, field, "is not an object");
    if (n > BERTH_LIST_MAX)
        return fail_field(err, field, "is too long");
    char **list = calloc(n + 1, sizeof(*list));
    if (!list)
        return fail_memory(err);
    json_object_foreach (object, key, value) {
        list[i] = strdup(key);
        if (!list[i++]) {
            free_strings(list, n);
            return fail_memory(err);
        }
    }
    *out = list;
    *nout = n;
    return 0;
}

int parse_image(const char *body, size_t length, struct engine_image *out,
                struct berth_err *err)
{
    struct engine_image image = {0};
    const char *id;
    json_t *digests = NULL, *config = NULL;
    json_error_t e;
    int rc = -1;

    json_t *root = load(body, length, err);
    if (!root)
        return -1;
    // clang-format off
    if (json_unpack_ex(root, &e, 0,
                       "{s:s, s?o, s?o}",
                       "Id", &id,
                       "RepoDigests", &digests,
                       "Config", &config) < 0) {
        // clang-format on
        fail_json(err, &e);
        goto out;
    }
    if (copy_image_id(image.id, id, "Id", err) < 0)
        goto out;
    if (copy_strings(digests, "RepoDigests", &image.digests, &image.ndigests,
                     err) < 0)
        goto out;
    if (image.ndigests > 0 && copy(image.digest, sizeof(image.digest),
                                   image.digests[0], "RepoDigests", err) < 0)
        goto out;
    if (config && !json_is_null(config) && !json_is_object(config)) {
        fail_field(err, "Config", "is not an object");
        goto out;
    }
    // json_object_get(NULL or null) is NULL: no Config, no lists.
    if (copy_strings(json_object_get(config, "Env"), "Config.Env", &image.env,
                     &image.nenv, err) < 0)
        goto out;
    if (copy_keys(json_object_get(config, "Volumes"), "Config.Volumes",
                  &image.volumes, &image.nvolumes, err) < 0)
        goto out;
    if (copy_strings(json_object_get(config, "Entrypoint"), "Config.Entrypoint",
                     &image.entry, &image.nentry, err) < 0)
        goto out;
    if (copy_strings(json_object_get(config, "Cmd"), "Config.Cmd", &image.cmd,
                     &image.ncmd, err) < 0)
        goto out;
    if (copy_text(json_object_get(config, "WorkingDir"), "Config.WorkingDir",
                  &image.workdir, err) < 0)
        goto out;
    if (copy_keys(json_object_get(root, "Annotations"), "Annotations",
                  &image.annotations, &image.nannotations, err) < 0)
        goto out;
    if (copy_strings(json_object_get(json_object_get(root, "RootFS"), "Layers"),
                     "RootFS.Layers", &image.layers, &image.nlayers, err) < 0)
        goto out;
    *out = image;
    memset(&image, 0, sizeof(image));
    rc = 0;
out:
    engine_image_clear(&image);
    json_decref(root);
    return rc;
}

// Copies KEY of FROM to TO, where it says anything.
static int take_over(json_t *to, const json_t *from, const char *key)
{
    json_t *value = json_object_get(from, key);

    return !value || json_is_null(value) ? 0 : json_object_set(to, key, value);
}

// What an image's author can say of how it is run, in OCI's words and in those
// that Docker has besides. All else that engines show is their own.
static json_t *make_config(const json_t *from)
{
    static const char *const keys[] = {
        "User",       "ExposedPorts", "Env",        "Entrypoint",
        "Cmd",        "Volumes",      "WorkingDir", "Labels",
        "StopSignal", "Shell",        "Healthcheck"};
    json_t *config = json_object();
    int rc = config ? 0 : -1;

    for (size_t i = 0; rc == 0 && i < sizeof(keys) / sizeof(*keys); i++)
        rc = take_over(config, from, keys[i]);
    if (rc == 0)
        return config;
    json_decref(config);
    return NULL;
}

int parse_config(const char *body, size_t length, json_t **out,
                 struct berth_err *err)
{
    json_t *layers, *config = NULL, *made = NULL;
    const char *arch, *os;
    json_error_t e;
    int rc = -1;

    json_t *root = load(body, length, err);
    if (!root)
        return -1;
    // clang-format off
    if (json_unpack_ex(root, &e, 0, "{s:s, s:s, s:{s:o}, s?o}",
                       "Architecture", &arch,
                       "Os", &os,
                       "RootFS", "Layers", &layers,
                       "Config", &config) < 0) {
        // clang-format on
        fail_json(err, &e);
        goto out;
    }
    if (!json_is_array(layers)) {
        fail_field(err, "RootFS.Layers", "is not a list");
        goto out;
    }
    // clang-format off
    made = json_pack("{s:s, s:s, s:o, s:{s:s, s:O}}",
                     "architecture", arch,
                     "os", os,
                     "config", make_config(config),
                     "rootfs", "type", "layers", "diff_ids", layers);
    // clang-format on
    if (!made) {
        err_set(err, BERTH_ENOMEM, "out of memory");
        goto out;
    }
    *out = made;
    rc = 0;
out:
    json_decref(root);
    return rc;
}

// One JSON object behind the other, each about something that was done.
int parse_progress(const char *body, size_t length, char *out, size_t size,
                   struct berth_err *err)
{
    json_error_t e;
    size_t done = 0;

    *out = 0;
    while (done < length && isspace((unsigned char)body[done]))
        done++;
    while (done < length) {
        json_t *line =
            json_loadb(body + done, length - done, JSON_DISABLE_EOF_CHECK, &e);
        if (!line)
            return fail_json(err, &e);
        const char *error = json_string_value(json_object_get(line, "error"));
        if (error && !*out) {
            snprintf(out, size, "%s", *error ? error : "without a reason");
            err_scrub(out);
        }
        json_decref(line);
        done += (size_t)e.position;
        while (done < length && isspace((unsigned char)body[done]))
            done++;
    }
    return 0;
}

static bool has_device(const json_t *devices, const char *name)
{
    json_t *item;
    size_t i;

    json_array_foreach (devices, i, item) {
        const char *source = json_string_value(json_object_get(item, "Source"));
        const char *id = json_string_value(json_object_get(item, "ID"));
        if (source && strcmp(source, "cdi") == 0 && id && strcmp(id, name) == 0)
            return true;
    }
    return false;
}

int parse_cdi(const char *body, size_t length, const char *const *names,
              size_t n, bool *on, bool *all, struct berth_err *err)
{
    size_t ndirs, ndevices;
    bool found = true;

    json_t *root = load(body, length, err);
    if (!root)
        return -1;
    const json_t *dirs = json_object_get(root, "CDISpecDirs");
    const json_t *devices = json_object_get(root, "DiscoveredDevices");
    int rc = count(dirs, "CDISpecDirs", &ndirs, err) < 0
                 ? -1
                 : count(devices, "DiscoveredDevices", &ndevices, err);
    if (rc == 0) {
        for (size_t i = 0; i < n; i++)
            found &= has_device(devices, names[i]);
        *on = ndirs > 0;
        *all = found;
    }
    json_decref(root);
    return rc;
}

// Whether C, the next character, is left.
static bool is_left(struct parse_flat *f, char c)
{
    bool left = f->dropped == 0;

    if (f->string) {
        f->string = f->escaped || c != '"';
        f->escaped = !f->escaped && c == '\\';
    } else if (c == '"') {
        f->string = true;
    } else if (c == '[' || c == '{') {
        f->depth++;
        if (left && c == '{' && f->depth > 2)
            f->dropped = f->depth;
    } else if (c == ']' || c == '}') {
        if (f->depth == f->dropped) {
            f->dropped = 0;
            left = true;
        }
        f->depth -= f->depth > 0;
    }
    return left;
}

bool parse_flat_add(struct parse_flat *flat, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (is_left(flat, data[i])) {
            if (flat->len == flat->max)
                return false;
            flat->text[flat->len++] = data[i];
        }
    return true;
}

static int parse_one_found(const json_t *item, struct engine_found *out,
                           struct berth_err *err)
{
    const char *id = json_string_value(json_object_get(item, "Id"));
    json_int_t size = json_integer_value(json_object_get(item, "Size"));

    if (!id || size < 0)
        return fail_field(err, "an image", "has no Id, or no Size");
    out->size = (uint64_t)size;
    return copy_image_id(out->id, id, "Id", err);
}

// A list, a new reference with its length in N, or NULL.
static json_t *load_list(const char *body, size_t length, size_t *n,
                         struct berth_err *err)
{
    json_error_t e;
    json_t *root = json_loadb(body, length, JSON_REJECT_DUPLICATES, &e);

    if (!root) {
        fail_json(err, &e);
        return NULL;
    }
    *n = json_array_size(root);
    if (json_is_array(root) && *n <= BERTH_LIST_MAX)
        return root;
    fail_field(err, "the answer", "is no list, or too long");
    json_decref(root);
    return NULL;
}

int parse_found(const char *body, size_t length, struct engine_found **found,
                size_t *n, struct berth_err *err)
{
    size_t len;
    json_t *root = load_list(body, length, &len, err);

    if (!root)
        return -1;
    struct engine_found *list = calloc(len + 1, sizeof(*list));
    int rc = list ? 0 : fail_memory(err);
    for (size_t i = 0; rc == 0 && i < len; i++)
        rc = parse_one_found(json_array_get(root, i), &list[i], err);
    json_decref(root);
    if (rc < 0) {
        free(list);
        return -1;
    }
    *found = list;
    *n = len;
    return 0;
}

void engine_named_free(struct engine_named *list, size_t n)
{
    for (size_t i = 0; list && i < n; i++) {
        free_strings(list[i].names, list[i].nnames);
        free_strings(list[i].digests, list[i].ndigests);
    }
    free(list);
}

static int parse_one_named(const json_t *item, struct engine_named *out,
                           struct berth_err *err)
{
    struct engine_found found;

    if (parse_one_found(item, &found, err) < 0 ||
        copy_strings(json_object_get(item, "RepoTags"), "RepoTags", &out->names,
                     &out->nnames, err) < 0 ||
        copy_strings(json_object_get(item, "RepoDigests"), "RepoDigests",
                     &out->digests, &out->ndigests, err) < 0)
        return -1;
    memcpy(out->id, found.id, sizeof(out->id));
    out->size = found.size;
    return 0;
}

int parse_named(const char *body, size_t length, struct engine_named **list,
                size_t *n, struct berth_err *err)
{
    size_t len, done = 0;
    json_t *root = load_list(body, length, &len, err);

    if (!root)
        return -1;
    struct engine_named *all = calloc(len + 1, sizeof(*all));
    int rc = all ? 0 : fail_memory(err);
    for (; rc == 0 && done < len; done++)
        rc = parse_one_named(json_array_get(root, done), &all[done], err);
    json_decref(root);
    if (rc < 0) {
        engine_named_free(all, done);
        return -1;
    }
    *list = all;
    *n = len;
    return 0;
}

int parse_sizes(const char *body, size_t length, uint64_t **sizes, size_t *n,
                struct berth_err *err)
{
    size_t len, found = 0;
    json_t *root = load_list(body, length, &len, err);

    if (!root)
        return -1;
    uint64_t *all = calloc(len + 1, sizeof(*all));
    int rc = all ? 0 : fail_memory(err);
    // The newest comes first.
    for (size_t i = len; rc == 0 && i-- > 0;) {
        json_int_t size = json_integer_value(
            json_object_get(json_array_get(root, i), "Size"));
        if (size < 0)
            rc = fail_field(err, "Size", "is below 0");
        else if (size > 0)
            all[found++] = (uint64_t)size;
    }
    json_decref(root);
    if (rc < 0) {
        free(all);
        return -1;
    }
    *sizes = all;
    *n = found;
    return 0;
}

int parse_root(const char *body, size_t length, char *out, size_t size,
               struct berth_err *err)
{
    json_t *root = load(body, length, err);

    if (!root)
        return -1;
    const char *s = json_string_value(json_object_get(root, "DockerRootDir"));
    int rc = s && s[0] == '/'
                 ? copy(out, size, s, "DockerRootDir", err)
                 : fail_field(err, "DockerRootDir", "is no absolute path");
    json_decref(root);
    return rc;
}

int parse_created(const char *body, size_t length, char id[65],
                  struct berth_err *err)
{
    const char *s;
    json_error_t e;
    int rc = -1;

    json_t *root = load(body, length, err);
    if (!root)
        return -1;
    if (json_unpack_ex(root, &e, 0, "{s:s}", "Id", &s) < 0) {
        fail_json(err, &e);
        goto out;
    }
    if (!is_id(s)) {
        fail_field(err, "Id", "is not a container's ID");
        goto out;
    }
    memcpy(id, s, 65);
    rc = 0;
out:
    json_decref(root);
    return rc;
}

static int parse_state(json_t *state, struct engine_container *c,
                       struct berth_err *err)
{
    json_error_t e;
    json_int_t pid;
    int running;

    if (json_unpack_ex(state, &e, 0, "{s:I, s:b}", "Pid", &pid, "Running",
                       &running) < 0)
        return fail_json(err, &e);
    if (pid < 0 || pid > INT_MAX)
        return fail_field(err, "State.Pid", "is out of range");
    c->pid = (pid_t)pid;
    c->running = running != 0;
    return 0;
}

static int parse_host_config(json_t *host, struct engine_container *c,
                             struct berth_err *err)
{
    json_error_t e;
    json_t *devices = NULL, *requests = NULL, *cap_add = NULL;
    json_t *pids = NULL;
    const char *runtime = "";
    const char *network, *pid, *ipc, *userns;
    int privileged, readonly_rootfs, auto_remove;
    size_t a, b;

    // clang-format off
    if (json_unpack_ex(host, &e, 0,
                       "{s:b, s:b, s:b, s:s, s:s, s:s, s:s, s?s, s?o, s?o, s?o,"
                       " s?o}",
                       "Privileged", &privileged,
                       "ReadonlyRootfs", &readonly_rootfs,
                       "AutoRemove", &auto_remove,
                       "NetworkMode", &network,
                       "PidMode", &pid,
                       "IpcMode", &ipc,
                       "UsernsMode", &userns,
                       "Runtime", &runtime,
                       "PidsLimit", &pids,
                       "CapAdd", &cap_add,
                       "Devices", &devices,
                       "DeviceRequests", &requests) < 0)
        return fail_json(err, &e);
    // clang-format on
    c->privileged = privileged != 0;
    c->readonly_rootfs = readonly_rootfs != 0;
    c->auto_remove = auto_remove != 0;
    if (copy(c->network_mode, sizeof(c->network_mode), network, "NetworkMode",
             err) < 0 ||
        copy(c->pid_mode, sizeof(c->pid_mode), pid, "PidMode", err) < 0 ||
        copy(c->ipc_mode, sizeof(c->ipc_mode), ipc, "IpcMode", err) < 0 ||
        copy(c->userns_mode, sizeof(c->userns_mode), userns, "UsernsMode",
             err) < 0)
        return -1;
    // Docker says null or -1 where there is none.
    if (pids && !json_is_null(pids) && !json_is_integer(pids))
        return fail_field(err, "PidsLimit", "is not a number");
    if (json_integer_value(pids) > 0)
        c->pids_limit = (uint64_t)json_integer_value(pids);
    if (copy(c->runtime, sizeof(c->runtime), runtime, "Runtime", err) < 0)
        return -1;
    if (count(cap_add, "CapAdd", &c->ncap_add, err) < 0 ||
        count(devices, "Devices", &a, err) < 0 ||
        count(requests, "DeviceRequests", &b, err) < 0)
        return -1;
    c->ndevices = a + b;
    return 0;
}

static int parse_mounts(json_t *list, struct engine_container *c,
                        struct berth_err *err)
{
    size_t n;

    if (count(list, "Mounts", &n, err) < 0)
        return -1;
    c->mounts = calloc(n + 1, sizeof(*c->mounts));
    if (!c->mounts)
        return fail_memory(err);
    c->nmounts = n;
    for (size_t i = 0; i < n; i++) {
        struct engine_mount *m = &c->mounts[i];
        const char *type, *destination, *source = "";
        json_error_t e;
        int rw;

        // clang-format off
        // A tmpfs has no source.
        if (json_unpack_ex(json_array_get(list, i), &e, 0,
                           "{s:s, s?s, s:s, s:b}",
                           "Type", &type,
                           "Source", &source,
                           "Destination", &destination,
                           "RW", &rw) < 0)
            return fail_json(err, &e);
        // clang-format on
        if (copy(m->type, sizeof(m->type), type, "Mounts.Type", err) < 0)
            return -1;
        m->source = strdup(source);
        m->destination = strdup(destination);
        m->rw = rw != 0;
        if (!m->source || !m->destination)
            return fail_memory(err);
    }
    return 0;
}

static int parse_labels(json_t *labels, struct engine_container *c,
                        struct berth_err *err)
{
    const char *key;
    json_t *value;

    if (!labels || json_is_null(labels)) {
        c->labels = json_object();
        return c->labels ? 0 : fail_memory(err);
    }
    if (!json_is_object(labels))
        return fail_field(err, "Config.Labels", "is not an object");
    json_object_foreach (labels, key, value)
        if (!json_is_string(value))
            return fail_field(err, "Config.Labels", "holds more than strings");
    c->labels = json_incref(labels);
    return 0;
}

// Which of these there are is each storage driver's own.
static void parse_driver(const json_t *driver, struct engine_container *c)
{
    const json_t *data = json_object_get(driver, "Data");
    const char *upper = json_string_value(json_object_get(data, "UpperDir"));

    if (upper && strlen(upper) < sizeof(c->upper))
        strcpy(c->upper, upper);
}

int parse_container(const char *body, size_t length,
                    struct engine_container *out, struct berth_err *err)
{
    struct engine_container c = {0};
    const char *id, *name, *image;
    json_t *state, *host, *config, *mounts = NULL, *labels = NULL;
    json_t *network = NULL, *driver = NULL;
    json_error_t e;
    int rc = -1;

    json_t *root = load(body, length, err);
    if (!root)
        return -1;
    // clang-format off
    if (json_unpack_ex(root, &e, 0,
                       "{s:s, s:s, s:s, s:o, s:o, s:o, s?o, s?o, s?o}",
                       "Id", &id,
                       "Name", &name,
                       "Image", &image,
                       "State", &state,
                       "HostConfig", &host,
                       "Config", &config,
                       "Mounts", &mounts,
                       "NetworkSettings", &network,
                       "GraphDriver", &driver) < 0 ||
        json_unpack_ex(config, &e, 0, "{s?o}", "Labels", &labels) < 0) {
        // clang-format on
        fail_json(err, &e);
        goto out;
    }
    if (!is_id(id)) {
        fail_field(err, "Id", "is not a container's ID");
        goto out;
    }
    memcpy(c.id, id, 65);
    if (copy(c.name, sizeof(c.name), name + (name[0] == '/'), "Name", err) <
            0 ||
        copy_image_id(c.image, image, "Image", err) < 0 ||
        parse_state(state, &c, err) < 0 ||
        parse_host_config(host, &c, err) < 0 ||
        copy_keys(json_object_get(network, "Networks"),
                  "NetworkSettings.Networks", &c.networks, &c.nnetworks,
                  err) < 0 ||
        parse_mounts(mounts, &c, err) < 0 || parse_labels(labels, &c, err) < 0)
        goto out;
    parse_driver(driver, &c);
    *out = c;
    memset(&c, 0, sizeof(c));
    rc = 0;
out:
    engine_container_clear(&c);
    json_decref(root);
    return rc;
}

int parse_message(const char *body, size_t length, char *out, size_t size,
                  struct berth_err *err)
{
    const char *s;
    json_error_t e;
    int rc = -1;

    json_t *root = load(body, length, err);
    if (!root)
        return -1;
    if (json_unpack_ex(root, &e, 0, "{s:s}", "message", &s) < 0) {
        fail_json(err, &e);
        goto out;
    }
    snprintf(out, size, "%s", s);
    // The runtime's own errors have several lines, and end in one.
    for (size_t n = strlen(out); n > 0 && isspace((unsigned char)out[n - 1]);)
        out[--n] = 0;
    for (char *p = out; *p; p++)
        if (isspace((unsigned char)*p))
            *p = ' ';
    err_scrub(out);
    rc = 0;
out:
    json_decref(root);
    return rc;
}

int parse_version(const char *text, int *out, struct berth_err *err)
{
    size_t digits = 0;
    int minor = 0;

    if (strncmp(text, "1.", 2) == 0)
        digits = strspn(text + 2, "0123456789");
    if (digits == 0 || digits > 3 || text[2 + digits] != 0)
        return fail_field(err, "Api-Version", "is none that berth knows");
    for (const char *p = text + 2; *p; p++)
        minor = minor * 10 + (*p - '0');
    *out = minor;
    return 0;
}

int parse_floor(const char *body, size_t length, int *out,
                struct berth_err *err)
{
    json_t *root = json_loadb(body, length, JSON_REJECT_DUPLICATES, NULL);
    const json_t *floor = json_object_get(root, "MinAPIVersion");
    int minor = 0, rc = 0;

    if (!json_is_object(root))
        rc = fail_field(err, "the engine's version", "is none");
    else if (floor && (!json_is_string(floor) ||
                       parse_version(json_string_value(floor), &minor, NULL)))
        rc = fail_field(err, "MinAPIVersion", "is none that berth knows");
    else
        *out = minor;
    json_decref(root);
    return rc;
}

void engine_image_clear(struct engine_image *image)
{
    if (!image)
        return;
    free_strings(image->digests, image->ndigests);
    free_strings(image->env, image->nenv);
    free_strings(image->volumes, image->nvolumes);
    free_strings(image->entry, image->nentry);
    free_strings(image->cmd, image->ncmd);
    free(image->workdir);
    free_strings(image->annotations, image->nannotations);
    free_strings(image->layers, image->nlayers);
    memset(image, 0, sizeof(*image));
}

void engine_container_clear(struct engine_container *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->nmounts; i++) {
        free(c->mounts[i].source);
        free(c->mounts[i].destination);
    }
    free(c->mounts);
    free_strings(c->networks, c->nnetworks);
    json_decref(c->labels);
    memset(c, 0, sizeof(*c));
}
