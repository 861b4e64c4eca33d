// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// berth-archive: hands an image that is a file or a directory of the job's
// user's to root's side, as protocol/fetch.h has it: what docker save and
// podman save write, OCI archives, and OCI layouts that are directories; gzip,
// xz and zstd around them. It runs as that user, who may have written anything
// into it, but cannot trace it, since he cannot read it: of the names in it none
// counts, and root compares each part with its digest.
//
//   berth-archive --max=BYTES:BYTES PATH

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "fetch/unpack.h"
#include "logic/err.h"
#include "logic/manifest.h"
#include "node/digest.h"
#include "protocol/fetch.h"

enum {
    LINK = 0, // to root
    MEMBERS_MAX = 65536,
    KEPT_MAX = 64 * 1024 * 1024,  // of documents, in all
    NAMES_MAX = 16 * 1024 * 1024, // of names and links, likewise
    LINKS_MAX = 8,
};

// A file in it.
struct member {
    char *name;
    char *link; // it is a link to that, or NULL
    char *text; // of one that may be a document, else NULL
    size_t len;
};

struct source {
    int fd;
    bool is_dir;
    size_t n, kept, names;
    struct member *members;
};

// What is known of the image.
struct image {
    char *manifest, *config; // their texts
    size_t manifest_len, config_len;
    struct manifest parsed;
    struct manifest_config layers;
    const char **names; // of the layers' files, behind links
};

static uint64_t packed_max, unpacked_max, unpacked;

static void die(enum fetch_code code, const char *text)
    __attribute__((noreturn));

static void die(enum fetch_code code, const char *text)
{
    static struct fetch_failed why;

    why.code = code;
    snprintf(why.text, sizeof(why.text), "%s", text);
    fetch_send(LINK, FETCH_FAILED, &why, sizeof(why));
    exit(1);
}

static void own(const char *text) __attribute__((noreturn));

static void own(const char *text)
{
    die(FETCH_CODE_OWN, text);
}

static void *must(void *memory)
{
    if (!memory)
        own(FETCH_NO_MEMORY);
    return memory;
}

// Where nobody listens any more there is nothing more to do.
static void tell(enum fetch_type type, const void *data, size_t len)
{
    if (fetch_send(LINK, type, data, len) < 0)
        exit(1);
}

static void tell_document(enum fetch_type type, const char *text, size_t len)
{
    if (fetch_send_document(LINK, type, text, len) < 0)
        exit(1);
}

// --- what is in it -----------------------------------------------------------

static struct archive *open_archive(int fd)
{
    struct archive *a = must(archive_read_new());

    archive_read_support_filter_gzip(a);
    archive_read_support_filter_xz(a);
    archive_read_support_filter_zstd(a);
    archive_read_support_format_tar(a);
    if (lseek(fd, 0, SEEK_SET) < 0 ||
        archive_read_open_fd(a, fd, FETCH_DATA_MAX) != ARCHIVE_OK)
        own("it is no archive of an image: make one with docker save, podman "
            "save or skopeo copy");
    return a;
}

// The next entry and its NAME, without "./" in front. False: that was the last.
static bool next_entry(struct archive *a, struct archive_entry **entry,
                       const char **name)
{
    int rc = archive_read_next_header(a, entry);

    if (rc == ARCHIVE_EOF)
        return false;
    if (rc != ARCHIVE_OK && rc != ARCHIVE_WARN)
        own("it is malformed or cut short: make it anew");
    *name = archive_entry_pathname(*entry);
    while (*name && strncmp(*name, "./", 2) == 0)
        *name += 2;
    return true;
}

// What a member LINK'S text leads to, from where NAME is: "../ID/layer.tar".
static char *follow(const char *name, const char *link)
{
    const char *slash = strrchr(name, '/');
    size_t len = slash ? (size_t)(slash - name) : 0;
    char *out = must(malloc(strlen(name) + strlen(link) + 2));

    while (strncmp(link, "../", 3) == 0 && len > 0) {
        link += 3;
        while (len > 0 && name[--len] != '/')
            ;
    }
    memcpy(out, name, len);
    sprintf(out + len, "%s%s", len ? "/" : "", link);
    return out;
}

static bool may_be_document(const char *name, int64_t size)
{
    size_t len = strlen(name);

    return size <= MANIFEST_CONFIG_MAX &&
           (strncmp(name, "blobs/", 6) == 0 ||
            (len > 5 && strcmp(name + len - 5, ".json") == 0));
}

static void keep_text(struct source *s, struct archive *a, struct member *m,
                      size_t size)
{
    if (s->kept + size > KEPT_MAX)
        return;
    m->text = must(malloc(size + 1));
    la_ssize_t n = archive_read_data(a, m->text, size);
    if (n < 0 || (size_t)n != size)
        own("it is malformed or cut short: make it anew");
    m->text[size] = 0;
    m->len = size;
    s->kept += size;
}

// Notes each file and link, with the texts of what may be documents.
static void list_members(struct source *s)
{
    struct archive *a = open_archive(s->fd);
    struct archive_entry *entry;
    const char *name;

    s->members = must(calloc(MEMBERS_MAX, sizeof(*s->members)));
    while (next_entry(a, &entry, &name)) {
        const char *link = archive_entry_symlink(entry);
        bool file = archive_entry_filetype(entry) == AE_IFREG;
        if (!link)
            link = archive_entry_hardlink(entry);
        if (!name || (!file && !link))
            continue;
        // Of a link it is both that lead to a name.
        s->names += strlen(name) + (link ? strlen(name) + strlen(link) : 0);
        if (s->n == MEMBERS_MAX || s->names > NAMES_MAX)
            own("it has more files in it, or longer names, than an image has: "
                "make one with docker save, podman save or skopeo copy");
        struct member *m = &s->members[s->n++];
        m->name = must(strdup(name));
        if (archive_entry_hardlink(entry))
            m->link = must(strdup(link));
        else if (link)
            m->link = follow(name, link);
        else if (may_be_document(name, archive_entry_size(entry)))
            keep_text(s, a, m, (size_t)archive_entry_size(entry));
    }
    archive_read_free(a);
}

static const struct member *find(const struct source *s, const char *name)
{
    // Of two with one name the last counts, as it does when they are unpacked.
    for (size_t i = s->n; i > 0; i--)
        if (strcmp(s->members[i - 1].name, name) == 0)
            return &s->members[i - 1];
    return NULL;
}

// The name of the file that NAME is or leads to.
static const char *real_name(const struct source *s, const char *name)
{
    const struct member *m = find(s, name);

    for (int i = 0; m && m->link && i < LINKS_MAX; i++)
        m = find(s, m->link);
    return m && !m->link ? m->name : NULL;
}

// The name of the layer's file that is, or is behind, NAME. It is looked for
// once: an archive may have many names. One that is not there is missed when
// it is wanted, if ever.
static const char *layer_name(const struct source *s, const char *name)
{
    const char *real = s->is_dir ? NULL : real_name(s, name);

    return real ? real : must(strdup(name));
}

static int open_in_dir(const struct source *s, const char *name)
{
    struct stat st;
    int fd = openat(s->fd, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))) {
        close(fd);
        return -1;
    }
    return fd;
}

// The text of the document NAME and its length, or NULL.
static char *document(struct source *s, const char *name, size_t *len)
{
    if (!s->is_dir) {
        const char *real = real_name(s, name);
        const struct member *m = real ? find(s, real) : NULL;
        if (!m || !m->text)
            return NULL;
        *len = m->len;
        return m->text;
    }
    int fd = open_in_dir(s, name);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
    if (!f)
        return NULL;
    char *text = must(malloc(MANIFEST_CONFIG_MAX + 1));
    *len = fread(text, 1, MANIFEST_CONFIG_MAX, f);
    fclose(f);
    text[*len] = 0;
    return text;
}

static void blob_name(const char *digest, char out[128])
{
    snprintf(out, 128, "blobs/sha256/%s", digest + strlen("sha256:"));
}

static char *blob(struct source *s, const char *digest, size_t *len)
{
    char name[128];

    if (!manifest_is_digest(digest))
        own("it is malformed: make it anew");
    blob_name(digest, name);
    char *text = document(s, name, len);
    if (!text)
        own("it lacks a part of its image: make it anew");
    return text;
}

// --- which image -------------------------------------------------------------

static const struct manifest_platform *platform(void)
{
    static struct manifest_platform here;
    static struct utsname name;

    uname(&name);
    here = manifest_platform(name.machine);
    return &here;
}

// docker save's list: there must be one image.
static void take_list(struct source *s, const char *text, size_t len,
                      struct image *image)
{
    json_t *list = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    json_t *config, *layers, *layer;
    size_t i;

    if (json_array_size(list) > 1)
        own("it has several images, and which is meant nobody can say: save "
            "the one alone");
    if (json_unpack(json_array_get(list, 0), "{s:o, s:o}", "Config", &config,
                    "Layers", &layers) < 0 ||
        !json_is_string(config) || !json_is_array(layers) ||
        json_array_size(layers) > MANIFEST_LAYERS_MAX)
        own("its manifest.json is malformed: make it anew");
    image->config = document(s, json_string_value(config), &image->config_len);
    if (!image->config)
        own("it lacks the configuration of its image: make it anew");
    image->names =
        must(calloc(json_array_size(layers) + 1, sizeof(*image->names)));
    json_array_foreach (layers, i, layer) {
        if (!json_is_string(layer))
            own("its manifest.json is malformed: make it anew");
        image->names[i] = layer_name(s, json_string_value(layer));
    }
    json_decref(list);
}

// The manifest that an OCI layout leads to: the only one of its index, or the
// one for this machine, perhaps by a further index.
static void take_index(struct source *s, const char *text, size_t len,
                       struct image *image)
{
    char digest[MANIFEST_DIGEST];
    struct berth_err err;
    bool is_index = true;

    for (int depth = 0; is_index && depth < LINKS_MAX; depth++) {
        json_t *index = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
        json_t *list = json_object_get(index, "manifests");
        const char *only = json_string_value(
            json_object_get(json_array_get(list, 0), "digest"));
        if (json_array_size(list) == 1 && only && manifest_is_digest(only))
            snprintf(digest, sizeof(digest), "%s", only);
        else if (manifest_choose(text, len, platform(), digest, &err) < 0)
            own(err.text);
        json_decref(index);
        text = blob(s, digest, &len);
        if (manifest_is_index(text, len, &is_index, &err) < 0)
            own(err.text);
    }
    image->manifest = must(strndup(text, len));
    image->manifest_len = len;
}

// manifest.json has no digests: makes a manifest of what the layers are
// unpacked, which the configuration says.
static void make_manifest(struct image *image, const uint64_t *sizes)
{
    char digest[MANIFEST_DIGEST];
    json_t *layers = json_array();

    if (digest_of(image->config, image->config_len, digest) < 0)
        own(FETCH_NO_MEMORY);
    for (size_t i = 0; i < image->layers.nlayers; i++)
        json_array_append_new(
            layers,
            json_pack("{s:s, s:s, s:I}", "mediaType",
                      "application/vnd.oci.image.layer.v1.tar", "digest",
                      image->layers.layers[i], "size", (json_int_t)sizes[i]));
    json_t *manifest = must(json_pack(
        "{s:i, s:s, s:{s:s, s:s, s:I}, s:o}", "schemaVersion", 2, "mediaType",
        "application/vnd.oci.image.manifest.v1+json", "config", "mediaType",
        "application/vnd.oci.image.config.v1+json", "digest", digest, "size",
        (json_int_t)image->config_len, "layers", layers));
    image->manifest = must(json_dumps(manifest, JSON_COMPACT));
    image->manifest_len = strlen(image->manifest);
    json_decref(manifest);
}

// --- layers ------------------------------------------------------------------

// Reads on in a layer, as read does.
struct reader {
    struct archive *archive; // or
    int fd;
};

static size_t read_some(struct reader *r, char *buf, size_t size)
{
    size_t used = 0;

    while (used < size) {
        ssize_t n = r->archive
                        ? archive_read_data(r->archive, buf + used, size - used)
                        : read(r->fd, buf + used, size - used);
        if (n < 0)
            own("it is malformed or cut short: make it anew");
        if (n == 0)
            break;
        used += (size_t)n;
    }
    return used;
}

static void pass_file(uint32_t n, int file, uint64_t size)
{
    static char buf[FETCH_DATA_MAX];
    const struct fetch_layer told = {.n = n, .size = size, .unpacked = 1};
    ssize_t got;

    tell(FETCH_LAYER, &told, sizeof(told));
    if (lseek(file, 0, SEEK_SET) < 0)
        own("a file in /var/tmp cannot be read: tell your administrator");
    while ((got = read(file, buf, sizeof(buf))) > 0)
        tell(FETCH_DATA, buf, (size_t)got);
}

// Passes on layer N of SIZE bytes, unpacked: what is packed by way of a file
// without a name.
static void pass_layer(struct reader *r, uint32_t n, uint64_t size)
{
    static char buf[FETCH_DATA_MAX];
    const struct fetch_layer told = {.n = n, .size = size, .unpacked = 1};
    const char *why = "";
    int file = -1;

    size_t got = read_some(r, buf, sizeof(buf));
    struct unpack *u = must(unpack_begin(buf, got));
    if (!unpack_is_plain(u)) {
        file = open("/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (file < 0)
            own(FETCH_NO_ROOM);
    } else {
        tell(FETCH_LAYER, &told, sizeof(told));
    }
    for (uint64_t left = size; got > 0; got = read_some(r, buf, sizeof(buf))) {
        if (got > left)
            own("a layer of it is longer than it says: make it anew");
        left -= got;
        int rc = unpack_add(u, buf, got, file, unpacked_max - unpacked, &why);
        if (rc < 0)
            die(rc == UNPACK_TOO_MUCH ? FETCH_CODE_LARGE : FETCH_CODE_OWN, why);
        if (file < 0)
            tell(FETCH_DATA, buf, got);
    }
    if (!unpack_is_whole(u))
        own("a layer of it is cut short: make it anew");
    unpacked += unpack_takes(u);
    if (file >= 0) {
        pass_file(n, file, unpack_size(u));
        close(file);
    }
    unpack_end(u);
}

// Whether the entry NAME is the file of the layer N.
static bool is_layer(const struct image *image, size_t n, const char *name,
                     struct archive_entry *entry)
{
    return name && strcmp(name, image->names[n]) == 0 &&
           archive_entry_filetype(entry) == AE_IFREG;
}

// Passes on the layers that are WANTED, in their order. The archive may have
// them in another: then it is gone through again.
static void pass_layers(struct source *s, const struct image *image,
                        const char *wanted)
{
    const struct manifest *m = &image->parsed;
    size_t next = 0;

    while (s->is_dir && next < m->nlayers) {
        if (wanted[next]) {
            struct reader r = {.fd = open_in_dir(s, image->names[next])};
            if (r.fd < 0)
                own("it lacks a part of its image: make it anew");
            pass_layer(&r, (uint32_t)next, m->layers[next].size);
            close(r.fd);
        }
        next++;
    }
    while (next < m->nlayers) {
        struct archive *a = open_archive(s->fd);
        struct archive_entry *entry;
        size_t before = next;
        const char *name;
        for (;;) {
            while (next < m->nlayers && !wanted[next])
                next++;
            if (next == m->nlayers || !next_entry(a, &entry, &name))
                break;
            if (!is_layer(image, next, name, entry))
                continue;
            struct reader r = {.archive = a};
            pass_layer(&r, (uint32_t)next, (uint64_t)archive_entry_size(entry));
            next++;
        }
        archive_read_free(a);
        if (next == before)
            own("it lacks a part of its image: make it anew");
    }
}

// The sizes of the layers' files of docker save's.
static void find_sizes(struct source *s, const struct image *image,
                       uint64_t *sizes)
{
    struct archive *a = open_archive(s->fd);
    struct archive_entry *entry;
    const char *name;

    while (next_entry(a, &entry, &name))
        for (size_t i = 0; i < image->layers.nlayers; i++)
            if (is_layer(image, i, name, entry))
                sizes[i] = (uint64_t)archive_entry_size(entry);
    archive_read_free(a);
}

// --- all of it ---------------------------------------------------------------

static void open_source(const char *path, struct source *s)
{
    char why[128];
    struct stat st;

    s->fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (s->fd < 0 || fstat(s->fd, &st) < 0) {
        snprintf(why, sizeof(why), "it cannot be opened: %s", strerror(errno));
        own(why);
    }
    s->is_dir = S_ISDIR(st.st_mode);
    if (!s->is_dir && !S_ISREG(st.st_mode))
        own("it is neither a file nor a directory: name an image that is one");
    if (!s->is_dir && (uint64_t)st.st_size > packed_max)
        die(FETCH_CODE_PACKED, "");
}

// The layers' digests, which only a configuration has, for a manifest that
// there is not.
static void read_layers(struct image *image)
{
    struct manifest none = {.nlayers = 0};
    struct berth_err err;

    while (image->names[none.nlayers])
        none.nlayers++;
    if (manifest_config_parse(image->config, image->config_len, &none,
                              platform(), &image->layers, &err) < 0)
        own(err.text);
}

static void find_image(struct source *s, struct image *image)
{
    struct berth_err err;
    size_t len;

    char *list = document(s, "manifest.json", &len);
    if (list) {
        take_list(s, list, len, image);
        read_layers(image);
        uint64_t *sizes =
            must(calloc(image->layers.nlayers + 1, sizeof(*sizes)));
        find_sizes(s, image, sizes);
        make_manifest(image, sizes);
    } else {
        char *index = document(s, "index.json", &len);
        if (!index)
            own("it is no image: make one with docker save, podman save or "
                "skopeo copy");
        take_index(s, index, len, image);
    }
    if (manifest_parse(image->manifest, image->manifest_len, &image->parsed,
                       &err) < 0)
        own(err.text);
    if (image->parsed.size > packed_max)
        die(FETCH_CODE_PACKED, "");
    if (list)
        return;
    image->config = blob(s, image->parsed.config.digest, &image->config_len);
    image->names =
        must(calloc(image->parsed.nlayers + 1, sizeof(*image->names)));
    for (size_t i = 0; i < image->parsed.nlayers; i++) {
        char name[128];
        blob_name(image->parsed.layers[i].digest, name);
        image->names[i] = layer_name(s, name);
    }
}

int main(int argc, char **argv)
{
    static const struct option known[] = {{"max", required_argument, NULL, 'm'},
                                          {0}};
    static struct fetch_frame frame;
    struct source source = {.fd = -1};
    struct image image = {0};
    int c;

    while ((c = getopt_long(argc, argv, "", known, NULL)) != -1)
        if (c != 'm' || sscanf(optarg, "%" SCNu64 ":%" SCNu64, &packed_max,
                               &unpacked_max) != 2)
            return 2;
    if (optind != argc - 1)
        return 2;
    open_source(argv[optind], &source);
    if (!source.is_dir)
        list_members(&source);
    find_image(&source, &image);
    tell_document(FETCH_INDEX, image.manifest, image.manifest_len);
    tell_document(FETCH_CONFIG, image.config, image.config_len);
    if (fetch_recv(LINK, &frame, 0) != 1 || frame.type != FETCH_WANTED ||
        frame.bytes != image.parsed.nlayers)
        return 1;
    pass_layers(&source, &image, frame.u.data);
    tell(FETCH_DONE, NULL, 0);
    return 0;
}
