// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// berth-save: makes of what a container is a file of the job's user's: an
// archive of an image, as docker load, podman load and skopeo read it. It runs
// as that user, so that it can write what he can, and nothing else. The layers
// come from root, on the link that is its standard input (protocol/fetch.h);
// the engine's own archive, which has those of the image, is read here, since
// the names in it don't count: a layer is what the configuration has the digest
// of.
//
//   berth-save --max=BYTES:BYTES [--replace] FILE
//   berth-save --max=... --check [--replace] FILE    whether that could be
//   berth-save --max=... --load     no file that stays: it is handed to root
//                                   again, by berth-archive
//
// FILE is there complete, or not at all.

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "fetch/unpack.h"
#include "logic/manifest.h"
#include "logic/tar.h"
#include "node/digest.h"
#include "protocol/fetch.h"

enum {
    LINK = 0, // to root
    NOREPLACE = 1,
};

struct layer {
    char plain[MANIFEST_DIGEST];  // unpacked: what the configuration says
    char packed[MANIFEST_DIGEST]; // as it is here; empty: it is not
    uint64_t size;
    const char *type; // OCI's
};

// The file in the making.
static struct target {
    int dir;          // where it is to be
    const char *name; // there
    char made[64];    // what it is called until then, or empty: nothing
    int fd;
    uint64_t at; // what has been written
    bool replace;
} target = {.dir = -1, .fd = -1};

static char *config;
static size_t config_len;
static struct layer *layers;
static size_t nlayers;
static const char *max;
static uint64_t packed_max, unpacked_max;

// --- to root -----------------------------------------------------------------

static void leave(int status) __attribute__((noreturn));

static void leave(int status)
{
    if (target.made[0])
        unlinkat(target.dir, target.made, 0);
    exit(status);
}

static void fail(const char *text) __attribute__((noreturn));

static void fail(const char *text)
{
    static struct fetch_failed why;

    why.code = FETCH_CODE_OWN;
    snprintf(why.text, sizeof(why.text), "%s", text);
    fetch_send(LINK, FETCH_FAILED, &why, sizeof(why));
    leave(1);
}

static void fail_errno(const char *what) __attribute__((noreturn));

static void fail_errno(const char *what)
{
    char text[256];

    // By the limit that it was started with.
    if (errno == EFBIG)
        fail("its image has grown too large: ask your administrator "
             "(pull_max_unpacked)");
    snprintf(text, sizeof(text), "%s: %s", what, strerror(errno));
    fail(text);
}

static void *must(void *memory)
{
    if (!memory)
        fail(FETCH_NO_MEMORY);
    return memory;
}

// The next frame. Where root has gone, nothing is to stay.
static struct fetch_frame *hear(void)
{
    static struct fetch_frame in;

    if (fetch_recv(LINK, &in, 0) != 1)
        leave(1);
    return &in;
}

static void unexpected(void) __attribute__((noreturn));

static void unexpected(void)
{
    fail("berth's own programs do not understand each other: tell your "
         "administrator");
}

// --- the file ----------------------------------------------------------------

static void open_dir(const char *path)
{
    char *copy = must(strdup(path)), *slash = strrchr(copy, '/');
    struct stat st;

    if (!slash || !slash[1])
        fail("it is no path of a file");
    *slash = 0;
    target.name = slash + 1;
    if (strcmp(target.name, ".") == 0 || strcmp(target.name, "..") == 0)
        fail("it is no path of a file");
    target.dir = open(*copy ? copy : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (target.dir < 0)
        fail_errno("its directory cannot be opened");
    if (fstatat(target.dir, target.name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return;
    if (S_ISDIR(st.st_mode))
        fail("there is a directory of that name: choose another");
    if (!target.replace)
        fail("there is a file of that name: choose another, or add :replace");
}

// In that directory, without a name where its file system can.
static void open_file(void)
{
    unsigned char noise[8] = {0};
    // By which it gets its name: a job's /proc can be of its own processes.
    bool proc = access("/proc/self/fd", F_OK) == 0;

    if (proc)
        target.fd =
            openat(target.dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (target.fd >= 0)
        return;
    if (proc && errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL &&
        errno != ENOENT)
        fail_errno("it cannot be written");
    if (getrandom(noise, sizeof(noise), 0) < 0)
        fail_errno("it cannot be written");
    size_t n = (size_t)sprintf(target.made, ".berth-save.");
    for (size_t i = 0; i < sizeof(noise); i++)
        n += (size_t)sprintf(target.made + n, "%02x", noise[i]);
    target.fd =
        openat(target.dir, target.made,
               O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (target.fd < 0) {
        target.made[0] = 0;
        fail_errno("it cannot be written");
    }
}

// Gives the file, which has none, the name NAME in its directory.
static void name_file(const char *name)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", target.fd);
    if (linkat(AT_FDCWD, path, target.dir, name, AT_SYMLINK_FOLLOW) == 0)
        return;
    if (errno == EEXIST && !target.replace)
        fail("meanwhile there is a file of that name: nothing was replaced");
    fail_errno("it cannot be written");
}

// Gives the file its name, by which it is there as a whole at once.
static void finish(void)
{
    if (fsync(target.fd) < 0)
        fail_errno("it cannot be written");
    if (!target.made[0] && !target.replace) {
        name_file(target.name);
        return;
    }
    if (!target.made[0]) {
        char name[sizeof(target.made)];
        snprintf(name, sizeof(name), ".berth-save.%lld.%d",
                 (long long)time(NULL), (int)getpid());
        name_file(name);
        memcpy(target.made, name, sizeof(name));
    }
    int rc = target.replace
                 ? renameat(target.dir, target.made, target.dir, target.name)
                 : (int)syscall(SYS_renameat2, target.dir, target.made,
                                target.dir, target.name, NOREPLACE);
    // NFS cannot, but has links.
    if (rc < 0 && !target.replace && errno == EINVAL)
        rc = linkat(target.dir, target.made, target.dir, target.name, 0);
    else if (rc == 0)
        target.made[0] = 0;
    if (rc < 0 && errno == EEXIST)
        fail("meanwhile there is a file of that name: nothing was replaced");
    if (rc < 0)
        fail_errno("it cannot be written");
}

static void put_at(uint64_t at, const void *data, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = pwrite(target.fd, (const char *)data + done, len - done,
                           (off_t)(at + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            fail_errno("it cannot be written");
        done += (size_t)n;
    }
}

static void put(const void *data, size_t len)
{
    put_at(target.at, data, len);
    target.at += len;
}

static size_t make_head(const char *name, uint64_t size,
                        char head[TAR_HEAD_MAX])
{
    const struct tar_entry entry = {
        .name = name, .type = '0', .mode = 0444, .size = size};

    return tar_head(&entry, head);
}

static void put_padding(uint64_t size)
{
    static const char zeroes[TAR_BLOCK];

    put(zeroes, tar_padding(size));
}

static void put_document(const char *name, const char *text, size_t len)
{
    char head[TAR_HEAD_MAX];

    put(head, make_head(name, len, head));
    put(text, len);
    put_padding(len);
}

static void blob_name(const char *digest, char out[96])
{
    snprintf(out, 96, "blobs/sha256/%s", digest + strlen("sha256:"));
}

// --- what comes --------------------------------------------------------------

static void hear_config(void)
{
    size_t room = 0;

    for (;;) {
        const struct fetch_frame *in = hear();
        if (in->type != FETCH_CONFIG ||
            in->bytes > MANIFEST_CONFIG_MAX - config_len)
            unexpected();
        if (in->bytes == 0)
            break;
        if (config_len + in->bytes > room) {
            room = 2 * (config_len + in->bytes);
            config = must(realloc(config, room));
        }
        memcpy(config + config_len, in->u.data, in->bytes);
        config_len += in->bytes;
    }
    json_t *root = json_loadb(config ? config : "", config_len,
                              JSON_REJECT_DUPLICATES, NULL);
    const json_t *list =
        json_object_get(json_object_get(root, "rootfs"), "diff_ids");
    nlayers = json_array_size(list);
    if (nlayers == 0 || nlayers > MANIFEST_LAYERS_MAX)
        unexpected();
    layers = must(calloc(nlayers, sizeof(*layers)));
    for (size_t i = 0; i < nlayers; i++) {
        const char *digest = json_string_value(json_array_get(list, i));
        if (!digest || !manifest_is_digest(digest))
            unexpected();
        snprintf(layers[i].plain, MANIFEST_DIGEST, "%s", digest);
    }
    json_decref(root);
}

// Notes that the layer PLAIN is there now, in each of its places but for the
// last, which is the container's own. False: it is none of them, or was there.
static bool take_layer(const char *plain, const char *packed, uint64_t size,
                       const char *type, bool last)
{
    bool taken = false;

    for (size_t i = last ? nlayers - 1 : 0; i < nlayers - !last; i++)
        if (!layers[i].packed[0] && strcmp(layers[i].plain, plain) == 0) {
            memcpy(layers[i].packed, packed, MANIFEST_DIGEST);
            layers[i].size = size;
            layers[i].type = type;
            taken = true;
        }
    return taken;
}

static const char *type_of(const struct unpack *u)
{
    return unpack_is_plain(u)  ? "application/vnd.oci.image.layer.v1.tar"
           : unpack_is_zstd(u) ? "application/vnd.oci.image.layer.v1.tar+zstd"
                               : "application/vnd.oci.image.layer.v1.tar+gzip";
}

// A member that may be a layer: it is, if the configuration has its digest.
// Else what was written of it is written over.
struct member {
    struct unpack *unpack;
    struct digest *sum;
    uint64_t from, size;
    bool odd; // no layer is like that
};

static void begin_member(struct member *m)
{
    static const char zeroes[TAR_BLOCK];

    *m = (struct member){.from = target.at, .sum = must(digest_begin())};
    put(zeroes, sizeof(zeroes));
}

static void add_member(struct member *m, const void *data, size_t len)
{
    const char *why = "";

    if (m->odd)
        return;
    if (!m->unpack)
        m->unpack = must(unpack_begin(data, len));
    m->odd = unpack_add(m->unpack, data, len, -1, unpacked_max, &why) < 0;
    digest_add(m->sum, data, len);
    put(data, len);
    m->size += len;
}

// Returns whether it is a layer.
static bool end_member(struct member *m, bool last)
{
    char plain[MANIFEST_DIGEST], packed[MANIFEST_DIGEST], name[96];
    char head[TAR_HEAD_MAX];
    bool taken = false;

    digest_end(m->sum, packed);
    if (m->unpack && !m->odd && unpack_is_whole(m->unpack)) {
        unpack_digest(m->unpack, plain);
        taken = take_layer(plain, packed, m->size, type_of(m->unpack), last);
    }
    unpack_end(m->unpack);
    if (taken) {
        blob_name(packed, name);
        // One block: the name is short, and a size of any length fits.
        put_at(m->from, head, make_head(name, m->size, head));
        put_padding(m->size);
    } else {
        target.at = m->from;
    }
    return taken;
}

static la_ssize_t read_base(struct archive *a, void *arg, const void **out)
{
    bool *done = arg;
    const struct fetch_frame *in = *done ? NULL : hear();

    (void)a;
    if (!in)
        return 0;
    *done = in->type == FETCH_DONE;
    if (!*done && in->type != FETCH_DATA)
        unexpected();
    *out = in->u.data;
    return *done ? 0 : (la_ssize_t)in->bytes;
}

// The engine's archive of the image, which may be empty.
static void hear_base(void)
{
    static char buf[256 * 1024];
    struct archive *a = must(archive_read_new());
    struct archive_entry *entry;
    bool done = false;
    int rc = ARCHIVE_EOF;

    archive_read_support_format_tar(a);
    archive_read_support_format_empty(a);
    if (archive_read_open(a, &done, NULL, read_base, NULL) == ARCHIVE_OK)
        while ((rc = archive_read_next_header(a, &entry)) == ARCHIVE_OK ||
               rc == ARCHIVE_WARN) {
            struct member m;
            la_ssize_t n;
            if (archive_entry_filetype(entry) != AE_IFREG ||
                archive_entry_hardlink(entry))
                continue;
            begin_member(&m);
            while ((n = archive_read_data(a, buf, sizeof(buf))) > 0)
                add_member(&m, buf, (size_t)n);
            if (n < 0)
                fail("the engine's archive of the image is malformed: tell "
                     "your administrator");
            end_member(&m, false);
        }
    if (rc != ARCHIVE_EOF)
        fail("the engine's archive of the image is malformed: tell your "
             "administrator");
    archive_read_free(a);
    const void *rest;
    while (!done)
        read_base(NULL, &done, &rest);
}

static void hear_layer(void)
{
    const struct fetch_frame *in = hear();
    struct member m;

    if (in->type != FETCH_LAYER)
        unexpected();
    uint64_t left = in->u.layer.size;
    begin_member(&m);
    while (left > 0) {
        in = hear();
        if (in->type == FETCH_FAILED)
            leave(1);
        if (in->type != FETCH_DATA || in->bytes > left)
            unexpected();
        add_member(&m, in->u.data, in->bytes);
        left -= in->bytes;
    }
    if (m.odd)
        fail("with what tars in it say of sparse files, it has more than an "
             "image may be when it is unpacked: remove such tars first");
    if (!end_member(&m, true))
        fail("the container's files changed while they were saved: a process "
             "outside of it may have had some of them open");
    if (hear()->type != FETCH_DONE)
        unexpected();
}

// --- what is in it -----------------------------------------------------------

static char *make_manifest(const char *digest, size_t *len)
{
    json_t *list = json_array();

    for (size_t i = 0; i < nlayers; i++)
        json_array_append_new(list, json_pack("{s:s, s:s, s:I}", "mediaType",
                                              layers[i].type, "digest",
                                              layers[i].packed, "size",
                                              (json_int_t)layers[i].size));
    json_t *manifest = must(json_pack(
        "{s:i, s:s, s:{s:s, s:s, s:I}, s:o}", "schemaVersion", 2, "mediaType",
        "application/vnd.oci.image.manifest.v1+json", "config", "mediaType",
        "application/vnd.oci.image.config.v1+json", "digest", digest, "size",
        (json_int_t)config_len, "layers", list));
    char *text = must(json_dumps(manifest, JSON_COMPACT));
    json_decref(manifest);
    *len = strlen(text);
    return text;
}

static void put_json(const char *name, json_t *json)
{
    char *text = must(json_dumps(must(json), JSON_COMPACT));

    put_document(name, text, strlen(text));
    free(text);
    json_decref(json);
}

// OCI's list of what is in it.
static void put_index(const char *digest)
{
    char name[96], own[MANIFEST_DIGEST];
    size_t len;
    char *manifest = make_manifest(digest, &len);

    if (digest_of(manifest, len, own) < 0)
        fail(FETCH_NO_MEMORY);
    blob_name(own, name);
    put_document(name, manifest, len);
    free(manifest);
    put_json("oci-layout", json_pack("{s:s}", "imageLayoutVersion", "1.0.0"));
    put_json("index.json",
             json_pack("{s:i, s:[{s:s, s:s, s:I}]}", "schemaVersion", 2,
                       "manifests", "mediaType",
                       "application/vnd.oci.image.manifest.v1+json", "digest",
                       own, "size", (json_int_t)len));
}

// Docker's.
static void put_list(const char *digest)
{
    json_t *list = json_array();
    char name[96];

    for (size_t i = 0; i < nlayers; i++) {
        blob_name(layers[i].packed[0] ? layers[i].packed : layers[i].plain,
                  name);
        json_array_append_new(list, json_string(name));
    }
    blob_name(digest, name);
    put_json("manifest.json", json_pack("[{s:s, s:[], s:o}]", "Config", name,
                                        "RepoTags", "Layers", list));
}

static void put_lists(bool whole)
{
    static const char end[2 * TAR_BLOCK];
    char digest[MANIFEST_DIGEST], name[96];

    for (size_t i = 0; whole && i < nlayers; i++)
        if (!layers[i].packed[0])
            fail("the engine has left a layer of the image out: tell your "
                 "administrator");
    if (digest_of(config, config_len, digest) < 0)
        fail(FETCH_NO_MEMORY);
    blob_name(digest, name);
    put_document(name, config, config_len);
    if (whole)
        put_index(digest);
    put_list(digest);
    put(end, sizeof(end));
    if (ftruncate(target.fd, (off_t)target.at) < 0)
        fail_errno("it cannot be written");
}

// --- all of it ---------------------------------------------------------------

// As if the file had been named: berth-archive hands it to root.
static void become_archive(void) __attribute__((noreturn));

static void become_archive(void)
{
    char words[256], path[64];

    snprintf(words, sizeof(words), "--max=%s", max);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", target.fd);
    char *const argv[] = {(char *)"berth-archive", words, path, NULL};
    char *const env[] = {NULL};

    if (fcntl(target.fd, F_SETFD, 0) == 0)
        execve(BERTH_LIBEXECDIR "/berth-archive", argv, env);
    fail_errno("berth-archive cannot be started");
}

int main(int argc, char **argv)
{
    static const struct option known[] = {{"check", no_argument, NULL, 'c'},
                                          {"load", no_argument, NULL, 'l'},
                                          {"max", required_argument, NULL, 'm'},
                                          {"replace", no_argument, NULL, 'r'},
                                          {0}};
    bool check = false, load = false;
    int c;

    while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (c == 'c')
            check = true;
        else if (c == 'l')
            load = true;
        else if (c == 'r')
            target.replace = true;
        else if (c == 'm' && sscanf(optarg, "%" SCNu64 ":%" SCNu64, &packed_max,
                                    &unpacked_max) == 2)
            max = optarg;
        else
            return 2;
    }
    if (optind != argc - !load || !max)
        return 2;
    signal(SIGXFSZ, SIG_IGN);
    if (load) {
        target.dir = open("/var/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
        target.fd =
            openat(target.dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (target.fd < 0)
            fail_errno("it cannot be written to /var/tmp");
    } else {
        open_dir(argv[optind]);
        open_file();
    }
    if (!check) {
        hear_config();
        hear_base();
        hear_layer();
        put_lists(!load);
        if (load)
            become_archive();
        finish();
    }
    fetch_send(LINK, FETCH_DONE, NULL, 0);
    leave(0);
}
