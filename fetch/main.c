// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// berth-fetch: brings one image from its registry, by skopeo(1), and hands it
// to root's side as protocol/fetch.h has it. It runs as an account of its own,
// which is neither root nor the job's user, with nothing in its environment;
// credentials, if there are any, are a file at descriptor 3. It decides
// nothing: root compares what it gets with its digests.
//
//   berth-fetch [--auth] [--tries=N] [--max=BYTES:BYTES]
//       [--proxy=URL --no-proxy=HOSTS] NAME
//   berth-fetch --check ... NAME     as far as INDEX, then DONE
//   berth-fetch --resolve NAME       as whoever calls it: prints the digest
//
// NAME is a whole one, as imgref_format writes it.

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/magic.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "fetch/skopeo.h"
#include "fetch/unpack.h"
#include "logic/imgref.h"
#include "logic/manifest.h"
#include "node/digest.h"
#include "protocol/fetch.h"

enum {
    LINK = 0, // to root
    // A registry that sends less than SLOW_BYTES in SLOW_MS is slow.
    SLOW_MS = 30000,
    SLOW_BYTES = 30000,
    PROGRESS_BYTES = 1024 * 1024,
    // A layer's size unpacked, to its size packed, is hardly more than this.
    USUAL_RATIO = 8,
};

struct fetch {
    struct skopeo skopeo;
    struct imgref ref;
    struct manifest_platform platform;
    uint64_t packed_max, unpacked_max;
    uint64_t unpacked; // so far
    struct manifest manifest;
    struct manifest_config config;
};

static long long now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

// --- to root -----------------------------------------------------------------

static int fail(struct fetch *f, enum fetch_code code, unsigned number,
                const char *text)
{
    f->skopeo.why = (struct fetch_failed){.code = code, .number = number};
    snprintf(f->skopeo.why.text, sizeof(f->skopeo.why.text), "%s", text);
    return -1;
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

// --- index, manifest, configuration ------------------------------------------

// The repository, at DIGEST.
static void name_at(const struct fetch *f, const char *digest,
                    char out[IMGREF_TEXT_MAX])
{
    struct imgref ref = f->ref;

    ref.tag[0] = 0;
    snprintf(ref.digest, sizeof(ref.digest), "%s", digest);
    imgref_format(&ref, out);
}

// The manifest of NAME as the registry has it, by another skopeo than the
// proxy.
static int get_raw(struct fetch *f, const char *name, char **text, size_t *len)
{
    struct skopeo other = {
        .auth = f->skopeo.auth,
        .linked = f->skopeo.linked,
        .tries = f->skopeo.tries,
        .guard = {.fd = -1,
                  .loopback = f->skopeo.guard.loopback,
                  .proxy = f->skopeo.guard.proxy},
    };

    int rc = skopeo_raw(&other, name, text, len);
    f->skopeo.why = other.why;
    return rc;
}

// What the name leads to. skopeo takes no tag beside a digest.
static int get_index(struct fetch *f, char **text, size_t *len)
{
    char name[IMGREF_TEXT_MAX];

    if (f->ref.digest[0])
        name_at(f, f->ref.digest, name);
    else
        imgref_format(&f->ref, name);
    return get_raw(f, name, text, len);
}

// The bytes of the manifest DIGEST, which is open. The proxy has them, unless
// they are in Docker's format: it rewrites these.
static int get_manifest(struct fetch *f, const char *digest, char **text,
                        size_t *len)
{
    char name[IMGREF_TEXT_MAX], have[MANIFEST_DIGEST];

    if (skopeo_manifest(&f->skopeo, text, len) < 0)
        return -1;
    if (digest_of(*text, *len, have) == 0 && strcmp(have, digest) == 0)
        return 0;
    free(*text);
    *text = NULL;
    name_at(f, digest, name);
    return get_raw(f, name, text, len);
}

static int own(struct fetch *f, const struct berth_err *err)
{
    return fail(f, FETCH_CODE_OWN, 0, err->text);
}

// Reads what comes of a blob until BUF has SIZE bytes, or to its end. Adds the
// time that this took to WAITED.
static ssize_t fill(struct fetch *f, int fd, char *buf, size_t size,
                    long long *waited)
{
    long long start = now_ms();
    size_t used = 0;

    while (used < size) {
        ssize_t n = skopeo_read(&f->skopeo, fd, buf + used, size - used);
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        used += (size_t)n;
        if (now_ms() - start > SLOW_MS)
            break;
    }
    *waited += now_ms() - start;
    return (ssize_t)used;
}

static int get_config(struct fetch *f, char **text, size_t *len)
{
    size_t size = (size_t)f->manifest.config.size;
    unsigned tries = 0;
    long long waited = 0;

    *text = malloc(size + 1);
    if (!*text)
        return fail(f, FETCH_CODE_OWN, 0, FETCH_NO_MEMORY);
    do {
        int fd = skopeo_blob(&f->skopeo, f->manifest.config.digest, size);
        ssize_t n = fd < 0 ? -1 : fill(f, fd, *text, size + 1, &waited);
        if (n < 0 && fd >= 0)
            close(fd);
        else if (n >= 0 && skopeo_blob_end(&f->skopeo, fd) == 0) {
            *len = (size_t)n;
            if (*len == size)
                return 0;
            fail(f, FETCH_CODE_SAID, 0, "unexpected EOF");
        }
    } while (skopeo_again(&f->skopeo, ++tries));
    return -1;
}

// --- layers ------------------------------------------------------------------

struct layer {
    uint32_t n;
    const struct manifest_blob *blob;
    struct unpack *unpack;
    uint64_t done;             // bytes of it that have come
    uint64_t told;             // of a layer that is unpacked here
    int file;                  // where that goes, or -1
    bool full;                 // no more of it can be written there
    bool packed;               // it is to go as it is
    long long waited, since;   // for the registry; when the slow time began
    uint64_t seen, since_seen; // with what is passed over
};

// A file without a name, of which nothing is left however this ends.
static int make_file(void)
{
    return open("/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
}

// Whether FILE, which is on a disk and not in memory, has room for what a layer
// of SIZE bytes may be, unpacked.
static bool has_room(int file, uint64_t size)
{
    struct statfs fs;

    return fstatfs(file, &fs) == 0 && fs.f_type != TMPFS_MAGIC &&
           fs.f_type != RAMFS_MAGIC &&
           size / (uint64_t)fs.f_bsize < fs.f_bavail / USUAL_RATIO;
}

// Its first bytes have come: how is it packed? It has to be unpacked to be
// compared, and engines are slow at that (Podman does it twice): so it is
// passed on unpacked. The head of a file in an archive has its size, which is
// known at the end only: where that leaves no room, it goes as it is, but for
// zstd, which not all engines know.
static int begin_layer(struct fetch *f, struct layer *l, const char *head,
                       size_t len)
{
    const struct fetch_layer told = {.n = l->n, .size = l->blob->size};

    l->unpack = unpack_begin(head, len);
    if (!l->unpack)
        return fail(f, FETCH_CODE_OWN, 0, FETCH_NO_MEMORY);
    bool zstd = unpack_is_zstd(l->unpack);
    if (zstd || (!l->packed && !unpack_is_plain(l->unpack))) {
        l->file = make_file();
        if (zstd && l->file < 0)
            return fail(f, FETCH_CODE_OWN, 0, FETCH_NO_ROOM);
        if (zstd || (l->file >= 0 && has_room(l->file, l->blob->size)))
            return 0;
        if (l->file >= 0)
            close(l->file);
        l->file = -1;
    }
    tell(FETCH_LAYER, &told, sizeof(told));
    return 0;
}

static int take_bytes(struct fetch *f, struct layer *l, const char *buf,
                      size_t n)
{
    const char *why = "";
    uint64_t before = l->unpack ? unpack_takes(l->unpack) : 0;

    if (!l->unpack && begin_layer(f, l, buf, n) < 0)
        return -1;
    int rc = unpack_add(l->unpack, buf, n, l->file,
                        f->unpacked_max - f->unpacked + before, &why);
    f->unpacked += unpack_takes(l->unpack) - before;
    l->full = rc == UNPACK_NO_ROOM;
    if (rc < 0)
        return fail(f,
                    rc == UNPACK_TOO_MUCH ? FETCH_CODE_LARGE : FETCH_CODE_OWN,
                    0, why);
    if (l->file < 0) {
        for (size_t sent = 0, part; sent < n; sent += part) {
            part = n - sent < FETCH_DATA_MAX ? n - sent : FETCH_DATA_MAX;
            tell(FETCH_DATA, buf + sent, part);
        }
    }
    l->done += n;
    if (l->file >= 0 && l->done - l->told >= PROGRESS_BYTES) {
        l->told = l->done;
        tell(FETCH_PROGRESS, &l->told, sizeof(l->told));
    }
    return 0;
}

// Whether it comes fast enough. Time in which the engine had no room does not
// count.
static bool is_slow(struct layer *l)
{
    if (l->waited - l->since < SLOW_MS)
        return false;
    bool slow = l->seen - l->since_seen < SLOW_BYTES;
    l->since = l->waited;
    l->since_seen = l->seen;
    return slow;
}

// There is no room for it: what skopeo says of the pipe that is closed is no
// answer to what it is asked next. Without an answer nothing is asked.
static void drop(struct fetch *f, struct layer *l, int fd)
{
    const struct fetch_failed why = f->skopeo.why;

    if (skopeo_blob_end(&f->skopeo, fd) == 0 ||
        f->skopeo.why.code == FETCH_CODE_SAID)
        f->skopeo.why = why;
    else
        l->full = false;
}

// Has the blob come from where it broke off: what came before is passed over.
static int pull(struct fetch *f, struct layer *l)
{
    static char buf[FETCH_DATA_MAX];
    uint64_t skip = l->done;
    ssize_t n;

    int fd = skopeo_blob(&f->skopeo, l->blob->digest, l->blob->size);
    if (fd < 0)
        return -1;
    while ((n = fill(f, fd, buf, sizeof(buf), &l->waited)) > 0) {
        size_t over = skip < (uint64_t)n ? (size_t)skip : (size_t)n;
        skip -= over;
        l->seen += (uint64_t)n;
        if ((uint64_t)n - over > l->blob->size - l->done) {
            n = fail(f, FETCH_CODE_OWN, 0,
                     "the registry sends more of it than it has said: tell "
                     "whoever runs that");
            break;
        }
        if ((size_t)n > over &&
            take_bytes(f, l, buf + over, (size_t)n - over) < 0) {
            n = -1;
            break;
        }
        if (is_slow(l)) {
            n = fail(f, FETCH_CODE_SLOW, SLOW_MS / 1000, "");
            break;
        }
    }
    if (n < 0) {
        if (l->full)
            drop(f, l, fd);
        else
            close(fd);
        return -1;
    }
    if (skopeo_blob_end(&f->skopeo, fd) < 0)
        return -1;
    return l->done == l->blob->size
               ? 0
               : fail(f, FETCH_CODE_SAID, 0, "unexpected EOF");
}

// Passes on what was unpacked to a file.
static int pass_file(struct fetch *f, struct layer *l)
{
    static char buf[FETCH_DATA_MAX];
    const struct fetch_layer told = {
        .n = l->n, .size = unpack_size(l->unpack), .unpacked = 1};
    ssize_t n;

    tell(FETCH_LAYER, &told, sizeof(told));
    n = lseek(l->file, 0, SEEK_SET) < 0 ? -1 : 1;
    while (n > 0 && (n = read(l->file, buf, sizeof(buf))) > 0)
        tell(FETCH_DATA, buf, (size_t)n);
    return n == 0 ? 0
                  : fail(f, FETCH_CODE_OWN, 0,
                         "a file in /var/tmp cannot be read: tell your "
                         "administrator");
}

// Whether it is, unpacked, the layer that the configuration means. An engine
// that has that one never looks at the bytes that come: who has only heard of
// another's layers would get them by any bytes at all.
static bool is_told(struct fetch *f, struct layer *l)
{
    char digest[MANIFEST_DIGEST];

    unpack_digest(l->unpack, digest);
    return strcmp(digest, f->config.layers[l->n]) == 0;
}

// There is no room for it unpacked: it is fetched again, for an engine that can
// read it as it is. Whether there is one.
static bool begin_again(struct fetch *f, struct layer *l)
{
    if (!l->full || unpack_is_zstd(l->unpack))
        return false;
    f->unpacked -= unpack_takes(l->unpack);
    unpack_end(l->unpack);
    close(l->file);
    *l = (struct layer){.n = l->n, .blob = l->blob, .file = -1, .packed = true};
    return true;
}

static int get_layer(struct fetch *f, uint32_t n)
{
    struct layer l = {.n = n, .blob = &f->manifest.layers[n], .file = -1};
    unsigned tries = 0;
    int rc;

    do {
        rc = pull(f, &l);
    } while (rc < 0 &&
             (begin_again(f, &l) || skopeo_again(&f->skopeo, ++tries)));
    if (rc == 0 && l.blob->size == 0)
        rc = begin_layer(f, &l, "", 0);
    if (rc == 0 && !unpack_is_whole(l.unpack))
        rc = fail(f, FETCH_CODE_OWN, 0,
                  "a layer of it is malformed: ask its author to push it anew");
    if (rc == 0 && !is_told(f, &l))
        rc = fail(f, FETCH_CODE_OWN, 0,
                  "a layer of it is not what its configuration says: ask its "
                  "author to push it anew");
    if (rc == 0 && l.file >= 0)
        rc = pass_file(f, &l);
    unpack_end(l.unpack);
    if (l.file >= 0)
        close(l.file);
    return rc;
}

// --- the whole ---------------------------------------------------------------

// Root says which layers it wants.
static const char *hear_wanted(const struct fetch *f)
{
    static struct fetch_frame in;

    if (fetch_recv(LINK, &in, 0) != 1 || in.type != FETCH_WANTED ||
        in.bytes != f->manifest.nlayers)
        exit(1);
    return in.u.data;
}

// Opens what INDEX leads to, and has its manifest in F.
static int open_image(struct fetch *f, const char *index, size_t len)
{
    char digest[MANIFEST_DIGEST], name[IMGREF_TEXT_MAX];
    const char *text = index;
    char *other = NULL;
    size_t size = len;
    struct berth_err err;
    bool several;
    int rc = -1;

    if (manifest_is_index(index, len, &several, &err) < 0 ||
        (several ? manifest_choose(index, len, &f->platform, digest, &err)
                 : digest_of(index, len, digest)) < 0)
        return own(f, &err);
    // What no image can be made of is not asked for.
    if (!several && manifest_parse(index, len, &f->manifest, &err) < 0)
        return own(f, &err);
    manifest_clear(&f->manifest);
    name_at(f, digest, name);
    if (skopeo_open(&f->skopeo, name) < 0)
        return -1;
    if (several) {
        if (get_manifest(f, digest, &other, &size) < 0)
            return -1;
        text = other;
        tell_document(FETCH_MANIFEST, text, size);
    }
    if (manifest_parse(text, size, &f->manifest, &err) < 0)
        own(f, &err);
    else if (f->manifest.size > f->packed_max)
        fail(f, FETCH_CODE_PACKED, 0, "");
    else
        rc = 0;
    free(other);
    return rc;
}

// Whether TEXT is a page for people, as something on the way to the registry
// may answer to whatever it is asked.
static bool is_page(const char *text, size_t len)
{
    size_t i = 0;

    while (i < len && strchr(" \t\r\n", text[i]))
        i++;
    return i < len && text[i] == '<';
}

static int fetch(struct fetch *f, bool check)
{
    char *index = NULL, *config = NULL;
    size_t len = 0;
    int rc = -1;

    // The proxy takes as long to start as the question takes.
    if ((!check && skopeo_start(&f->skopeo) < 0) ||
        get_index(f, &index, &len) < 0)
        return -1;
    if (is_page(index, len)) {
        free(index);
        return fail(f, FETCH_CODE_SAID, 0,
                    "invalid character '<' looking for beginning of value");
    }
    tell_document(FETCH_INDEX, index, len);
    if (check)
        rc = 0;
    else if (open_image(f, index, len) == 0 &&
             get_config(f, &config, &len) == 0) {
        tell_document(FETCH_CONFIG, config, len);
        const char *wanted = hear_wanted(f);
        struct berth_err err;
        rc = manifest_config_parse(config, len, &f->manifest, &f->platform,
                                   &f->config, &err) == 0
                 ? 0
                 : own(f, &err);
        for (uint32_t i = 0; rc == 0 && i < f->manifest.nlayers; i++)
            if (wanted[i])
                rc = get_layer(f, i);
    }
    free(config);
    free(index);
    manifest_config_clear(&f->config);
    manifest_clear(&f->manifest);
    return rc;
}

static int resolve(struct fetch *f)
{
    char digest[MANIFEST_DIGEST];
    char *text = NULL;
    size_t len = 0;

    if (get_index(f, &text, &len) < 0) {
        fprintf(stderr, "berth-fetch: %s\n",
                f->skopeo.why.code == FETCH_CODE_NO_SKOPEO
                    ? "skopeo is not installed"
                : f->skopeo.why.text[0] ? f->skopeo.why.text
                                        : "the registry does not answer");
        return 1;
    }
    int rc = digest_of(text, len, digest);
    free(text);
    return rc == 0 && puts(digest) >= 0 ? 0 : 1;
}

// "BYTES:BYTES"
static bool read_max(const char *text, uint64_t *packed, uint64_t *unpacked)
{
    return sscanf(text, "%" SCNu64 ":%" SCNu64, packed, unpacked) == 2;
}

// Whatever is fetched comes by way of URL. Where it leads is then the proxy's
// to look after, but for the node's own addresses, at which it may itself be.
static void use_proxy(struct guard *guard, const char *url)
{
    const char *host = strstr(url, "://");

    setenv("HTTPS_PROXY", url, 1);
    setenv("HTTP_PROXY", url, 1);
    host = host ? host + 3 : url;
    const char *port = strrchr(host, ':');
    if (guard_is_loopback(host))
        guard->proxy = port ? (unsigned)strtoul(port + 1, NULL, 10)
                       : strncmp(url, "https", 5) == 0 ? 443
                                                       : 80;
}

static void usage(void)
{
    fputs("usage: berth-fetch --resolve NAME\n"
          "Else it is called by berth's other programs.\n",
          stderr);
    exit(2);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"auth", no_argument, NULL, 'a'},
        {"check", no_argument, NULL, 'c'},
        {"max", required_argument, NULL, 'm'},
        {"no-proxy", required_argument, NULL, 'n'},
        {"proxy", required_argument, NULL, 'p'},
        {"resolve", no_argument, NULL, 'r'},
        {"tries", required_argument, NULL, 't'},
        {0},
    };
    static struct fetch f = {
        .skopeo = {.tries = 3},
        .packed_max = INT64_MAX,
        .unpacked_max = INT64_MAX,
    };
    const char *proxy = NULL;
    bool check = false, only = false;
    struct utsname machine;
    struct berth_err err;
    int c;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == 'a')
            f.skopeo.auth = true;
        else if (c == 'c')
            check = true;
        else if (c == 'n')
            setenv("NO_PROXY", optarg, 1);
        else if (c == 'p')
            proxy = optarg;
        else if (c == 'r')
            only = true;
        else if (c == 't' && atoi(optarg) > 0)
            f.skopeo.tries = (unsigned)atoi(optarg);
        else if (c != 'm' || !read_max(optarg, &f.packed_max, &f.unpacked_max))
            usage();
    }
    if (optind != argc - 1 || uname(&machine) < 0)
        usage();
    if (imgref_parse(argv[optind], &f.ref, &err) < 0) {
        fprintf(stderr, "berth-fetch: %s\n", err.text);
        return 2;
    }
    f.platform = manifest_platform(machine.machine);
    f.skopeo.guard =
        (struct guard){.fd = -1, .loopback = guard_is_loopback(f.ref.domain)};
    if (proxy)
        use_proxy(&f.skopeo.guard, proxy);
    if (only)
        return resolve(&f);
    f.skopeo.linked = true;
    setenv("PATH", "/usr/local/bin:/usr/bin:/bin", 1);
    int rc = fetch(&f, check);
    skopeo_close(&f.skopeo);
    if (rc < 0)
        tell(FETCH_FAILED, &f.skopeo.why, sizeof(f.skopeo.why));
    else
        tell(FETCH_DONE, NULL, 0);
    return 0;
}
