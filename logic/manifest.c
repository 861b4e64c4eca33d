// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: JSON that anybody may have made. Each list and each number is bounded
// before it is used.

#include "logic/manifest.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Of a layer: 16 TiB, so that the sum of all fits.
#define SIZE_LIMIT ((json_int_t)1 << 44)

#define OCI "application/vnd.oci.image."
#define DOCKER "application/vnd.docker."

static int fail_memory(struct berth_err *err)
{
    return err_set(err, BERTH_ENOMEM, "out of memory");
}

static int malformed(struct berth_err *err, const char *what)
{
    return err_set(
        err, BERTH_EINVAL,
        "what the registry has of it is malformed (%s): ask its author "
        "to push it anew",
        what);
}

// The object in TEXT. NULL with ERR set: there is none.
static json_t *load(const char *text, size_t len, struct berth_err *err)
{
    json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);

    if (json_is_object(root))
        return root;
    json_decref(root);
    malformed(err, "no JSON object");
    return NULL;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

static bool is_one_of(const char *text, const char *const *list)
{
    for (; *list; list++)
        if (strcmp(text, *list) == 0)
            return true;
    return false;
}

static bool is_manifest_type(const char *type)
{
    static const char *const types[] = {
        OCI "manifest.v1+json",
        DOCKER "distribution.manifest.v2+json",
        NULL,
    };

    return is_one_of(type, types);
}

static bool is_index_type(const char *type)
{
    static const char *const types[] = {
        OCI "index.v1+json",
        DOCKER "distribution.manifest.list.v2+json",
        NULL,
    };

    return is_one_of(type, types);
}

static bool is_layer_type(const char *type)
{
    static const char *const types[] = {
        OCI "layer.v1.tar",
        OCI "layer.v1.tar+gzip",
        OCI "layer.v1.tar+zstd",
        DOCKER "image.rootfs.diff.tar",
        DOCKER "image.rootfs.diff.tar.gzip",
        DOCKER "image.rootfs.diff.tar.zstd",
        NULL,
    };

    return is_one_of(type, types);
}

static bool is_config_type(const char *type)
{
    static const char *const types[] = {
        OCI "config.v1+json",
        DOCKER "container.image.v1+json",
        NULL,
    };

    return is_one_of(type, types);
}

bool manifest_is_digest(const char *text)
{
    return strncmp(text, "sha256:", 7) == 0 && strlen(text) == 71 &&
           strspn(text + 7, "0123456789abcdef") == 64;
}

struct manifest_platform manifest_platform(const char *machine)
{
    static const char *const names[][2] = {
        {"x86_64", "amd64"}, {"aarch64", "arm64"},
        {"i386", "386"},     {"i486", "386"},
        {"i586", "386"},     {"i686", "386"},
        {"armv6l", "arm"},   {"armv7l", "arm"},
        {"armv8l", "arm"},   {"loongarch64", "loong64"},
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (strcmp(machine, names[i][0]) == 0)
            return (struct manifest_platform){"linux", names[i][1]};
    return (struct manifest_platform){"linux", machine};
}

int manifest_is_index(const char *text, size_t len, bool *out,
                      struct berth_err *err)
{
    json_t *root = load(text, len, err);
    char shown[ERR_QUOTE_MAX];
    int rc = 0;

    if (!root)
        return -1;
    const char *type = text_of(root, "mediaType");
    // OCI lets it be left out.
    if (!*type && json_object_get(root, "manifests"))
        type = OCI "index.v1+json";
    else if (!*type && json_object_get(root, "layers"))
        type = OCI "manifest.v1+json";
    if (json_integer_value(json_object_get(root, "schemaVersion")) == 1)
        rc = err_set(err, BERTH_EINVAL,
                     "it is in Docker's format of before 2016 (schema 1): ask "
                     "its author to push it anew");
    else if (is_index_type(type))
        *out = true;
    else if (is_manifest_type(type))
        *out = false;
    else {
        err_quote(*type ? type : "no media type", shown, sizeof(shown));
        rc = err_set(err, BERTH_EINVAL,
                     "it is no container image (%s): name one that can be run",
                     shown);
    }
    json_decref(root);
    return rc;
}

// --- an index ----------------------------------------------------------------

// Whether what is for VARIANT of ARCH runs on all machines of ARCH that berth
// may be on.
static bool variant_fits(const char *arch, const char *variant)
{
    return !*variant || (!strcmp(arch, "arm64") && !strcmp(variant, "v8")) ||
           (!strcmp(arch, "arm") &&
            (!strcmp(variant, "v6") || !strcmp(variant, "v7")));
}

static bool entry_fits(const json_t *entry,
                       const struct manifest_platform *want)
{
    const json_t *p = json_object_get(entry, "platform");

    return is_manifest_type(text_of(entry, "mediaType")) &&
           !strcmp(text_of(p, "os"), want->os) &&
           !strcmp(text_of(p, "architecture"), want->arch) &&
           variant_fits(want->arch, text_of(p, "variant"));
}

// Writes for what there is something in LIST, with commas, as far as it fits.
static void list_platforms(const json_t *list, char *buf, size_t size)
{
    char one[ERR_QUOTE_MAX], text[2 * ERR_QUOTE_MAX];
    const json_t *entry;
    size_t i, used = 0;

    *buf = 0;
    json_array_foreach (list, i, entry) {
        const json_t *p = json_object_get(entry, "platform");
        const char *os = text_of(p, "os"), *variant = text_of(p, "variant");
        // That is how an attestation, which is no image, is marked.
        if (!*os || strcmp(os, "unknown") == 0)
            continue;
        snprintf(text, sizeof(text), "%.30s/%.30s%s%.20s", os,
                 text_of(p, "architecture"), *variant ? "/" : "", variant);
        err_quote(text, one, sizeof(one));
        if (strstr(buf, one) || used + strlen(one) + 3 > size)
            continue;
        used += (size_t)snprintf(buf + used, size - used, "%s%s",
                                 used ? ", " : "", one);
    }
}

int manifest_choose(const char *text, size_t len,
                    const struct manifest_platform *platform,
                    char digest[MANIFEST_DIGEST], struct berth_err *err)
{
    json_t *root = load(text, len, err);
    const json_t *entry, *found = NULL;
    char there[256];
    int rc = -1;
    size_t i;

    if (!root)
        return -1;
    const json_t *list = json_object_get(root, "manifests");
    json_array_foreach (list, i, entry)
        if (!found && entry_fits(entry, platform))
            found = entry;
    // Of the only one the configuration will tell.
    if (!found && json_array_size(list) == 1 &&
        !json_object_get(json_array_get(list, 0), "platform"))
        found = json_array_get(list, 0);
    if (!found) {
        list_platforms(list, there, sizeof(there));
        err_set(err, BERTH_ENOTFOUND,
                "there is none for %s/%s%s%s: ask its author for one",
                platform->os, platform->arch, *there ? ", but for " : "",
                there);
    } else if (!manifest_is_digest(text_of(found, "digest"))) {
        malformed(err, "a digest that is not SHA-256");
    } else {
        memcpy(digest, text_of(found, "digest"), MANIFEST_DIGEST);
        rc = 0;
    }
    json_decref(root);
    return rc;
}

// --- a manifest --------------------------------------------------------------

static int parse_blob(const json_t *item, struct manifest_blob *out,
                      struct berth_err *err)
{
    const json_t *size = json_object_get(item, "size");

    if (!manifest_is_digest(text_of(item, "digest")))
        return malformed(err, "a digest that is not SHA-256");
    if (!json_is_integer(size) || json_integer_value(size) < 0 ||
        json_integer_value(size) > SIZE_LIMIT)
        return malformed(err, "a size that is none");
    memcpy(out->digest, text_of(item, "digest"), MANIFEST_DIGEST);
    out->size = (uint64_t)json_integer_value(size);
    return 0;
}

static int fail_type(const char *what, const char *type, struct berth_err *err)
{
    char shown[ERR_QUOTE_MAX];

    err_quote(*type ? type : "none", shown, sizeof(shown));
    return err_set(err, BERTH_EINVAL,
                   "it is no container image (its %s has the type %s): name "
                   "one that can be run",
                   what, shown);
}

static int parse_layers(const json_t *list, struct manifest *out,
                        struct berth_err *err)
{
    size_t n = json_array_size(list);

    if (!json_is_array(list) || n == 0)
        return malformed(err, "no layers");
    if (n > MANIFEST_LAYERS_MAX)
        return err_set(err, BERTH_EINVAL,
                       "it has %zu layers, and berth takes %d: ask its author "
                       "for fewer",
                       n, MANIFEST_LAYERS_MAX);
    out->layers = calloc(n, sizeof(*out->layers));
    if (!out->layers)
        return fail_memory(err);
    for (size_t i = 0; i < n; i++) {
        const json_t *item = json_array_get(list, i);
        if (!is_layer_type(text_of(item, "mediaType")))
            return fail_type("layer", text_of(item, "mediaType"), err);
        if (parse_blob(item, &out->layers[i], err) < 0)
            return -1;
        out->size += out->layers[i].size;
    }
    out->nlayers = n;
    return 0;
}

int manifest_parse(const char *text, size_t len, struct manifest *out,
                   struct berth_err *err)
{
    struct manifest m = {0};
    int rc = -1;

    json_t *root = load(text, len, err);
    if (!root)
        return -1;
    const json_t *config = json_object_get(root, "config");
    const char *type = text_of(config, "mediaType");
    if (!is_config_type(type))
        fail_type("configuration", type, err);
    else if (parse_blob(config, &m.config, err) == 0 &&
             parse_layers(json_object_get(root, "layers"), &m, err) == 0)
        rc = m.config.size <= MANIFEST_CONFIG_MAX
                 ? 0
                 : malformed(err, "a configuration that is too large");
    json_decref(root);
    if (rc < 0)
        manifest_clear(&m);
    else
        *out = m;
    return rc;
}

void manifest_clear(struct manifest *manifest)
{
    int saved = errno;

    free(manifest->layers);
    *manifest = (struct manifest){0};
    errno = saved;
}

// --- a configuration ---------------------------------------------------------

static int check_platform(const json_t *root,
                          const struct manifest_platform *platform,
                          struct berth_err *err)
{
    const char *os = text_of(root, "os"), *arch = text_of(root, "architecture");
    char shown[ERR_QUOTE_MAX], text[2 * ERR_QUOTE_MAX];

    if (!strcmp(os, platform->os) && !strcmp(arch, platform->arch))
        return 0;
    snprintf(text, sizeof(text), "%.60s/%.60s", os, arch);
    err_quote(text, shown, sizeof(shown));
    return err_set(err, BERTH_ENOTFOUND,
                   "it is for %s, and the node is %s/%s: ask its author for "
                   "one that is for both",
                   shown, platform->os, platform->arch);
}

static int parse_diff_ids(const json_t *list, size_t n,
                          struct manifest_config *out, struct berth_err *err)
{
    if (!json_is_array(list) || json_array_size(list) != n)
        return malformed(err, "other layers in its configuration");
    out->layers = calloc(n, sizeof(*out->layers));
    if (!out->layers)
        return fail_memory(err);
    for (size_t i = 0; i < n; i++) {
        const char *text = json_string_value(json_array_get(list, i));
        if (!text || !manifest_is_digest(text))
            return malformed(err, "a digest that is not SHA-256");
        memcpy(out->layers[i], text, MANIFEST_DIGEST);
    }
    out->nlayers = n;
    return 0;
}

int manifest_config_parse(const char *text, size_t len,
                          const struct manifest *manifest,
                          const struct manifest_platform *platform,
                          struct manifest_config *out, struct berth_err *err)
{
    struct manifest_config c = {0};
    json_t *root = load(text, len, err);
    int rc = -1;

    if (!root)
        return -1;
    const json_t *rootfs = json_object_get(root, "rootfs");
    if (check_platform(root, platform, err) == 0 &&
        parse_diff_ids(json_object_get(rootfs, "diff_ids"), manifest->nlayers,
                       &c, err) == 0)
        rc = 0;
    json_decref(root);
    if (rc < 0)
        manifest_config_clear(&c);
    else
        *out = c;
    return rc;
}

void manifest_config_clear(struct manifest_config *config)
{
    int saved = errno;

    free(config->layers);
    *config = (struct manifest_config){0};
    errno = saved;
}
