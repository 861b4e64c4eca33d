// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include "fetch/unpack.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "logic/packing.h"
#include "logic/sparse.h"
#include "node/digest.h"
#include "protocol/fetch.h"

struct unpack {
    enum packing kind;
    uint64_t size;
    bool whole; // it may end here
    z_stream z;
    ZSTD_DStream *zstd;
    struct digest *sum;
    struct packing_head head; // of it, unpacked
    struct sparse sparse;
    unsigned char room[256 * 1024];
};

struct unpack *unpack_begin(const void *head, size_t len)
{
    struct unpack *u = calloc(1, sizeof(*u));

    if (!u)
        return NULL;
    u->sum = digest_begin();
    if (!u->sum) {
        free(u);
        return NULL;
    }
    u->kind = packing_add(&(struct packing_head){0}, head, len);
    u->whole = u->kind == PACKING_NONE;
    if (u->kind == PACKING_GZIP &&
        inflateInit2(&u->z, 16 + MAX_WBITS) != Z_OK) {
        digest_drop(u->sum);
        free(u);
        return NULL;
    }
    if (u->kind == PACKING_ZSTD) {
        u->zstd = ZSTD_createDStream();
        // No window above 128 MiB, as other tools have it.
        if (!u->zstd || ZSTD_isError(ZSTD_DCtx_setParameter(
                            u->zstd, ZSTD_d_windowLogMax, 27))) {
            unpack_end(u);
            return NULL;
        }
    }
    return u;
}

void unpack_end(struct unpack *unpack)
{
    if (!unpack)
        return;
    if (unpack->kind == PACKING_GZIP)
        inflateEnd(&unpack->z);
    ZSTD_freeDStream(unpack->zstd);
    digest_drop(unpack->sum);
    free(unpack);
}

bool unpack_is_zstd(const struct unpack *unpack)
{
    return unpack->kind == PACKING_ZSTD;
}

bool unpack_is_plain(const struct unpack *unpack)
{
    return unpack->kind == PACKING_NONE;
}

uint64_t unpack_size(const struct unpack *unpack)
{
    return unpack->size;
}

uint64_t unpack_takes(const struct unpack *unpack)
{
    return unpack->size + unpack->sparse.bytes;
}

void unpack_digest(struct unpack *unpack, char digest[MANIFEST_DIGEST])
{
    digest_end(unpack->sum, digest);
    unpack->sum = NULL;
}

bool unpack_is_whole(const struct unpack *unpack)
{
    return unpack->whole;
}

// DATA is more of what it is unpacked, which an engine would unpack further if
// that is packed as well.
static int take(struct unpack *u, const void *data, size_t n, uint64_t max,
                const char **why)
{
    u->size += n;
    sparse_add(&u->sparse, data, n);
    digest_add(u->sum, data, n);
    if (packing_add(&u->head, data, n) != PACKING_NONE) {
        *why = PACKING_WRONG;
        return UNPACK_MALFORMED;
    }
    return unpack_takes(u) > max ? UNPACK_TOO_MUCH : 0;
}

// N bytes more have come out.
static int put(struct unpack *u, size_t n, int out, uint64_t max,
               const char **why)
{
    size_t done = 0;

    int rc = take(u, u->room, n, max, why);
    if (rc < 0)
        return rc;
    while (out >= 0 && done < n) {
        ssize_t w = write(out, u->room + done, n - done);
        if (w < 0 && errno == EINTR)
            continue;
        if (w <= 0) {
            *why = FETCH_NO_ROOM;
            return UNPACK_NO_ROOM;
        }
        done += (size_t)w;
    }
    return 0;
}

static int malformed(const char **why)
{
    *why = "a layer of it is malformed: ask its author to push it anew";
    return UNPACK_MALFORMED;
}

static int add_gzip(struct unpack *u, const void *data, size_t len, int out,
                    uint64_t max, const char **why)
{
    u->z.next_in = (unsigned char *)data;
    u->z.avail_in = (unsigned)len;
    while (u->z.avail_in > 0) {
        if (u->whole && inflateReset(&u->z) != Z_OK) // the next member
            return malformed(why);
        u->z.next_out = u->room;
        u->z.avail_out = sizeof(u->room);
        int rc = inflate(&u->z, Z_NO_FLUSH);
        if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
            return malformed(why);
        u->whole = rc == Z_STREAM_END;
        int put_rc = put(u, sizeof(u->room) - u->z.avail_out, out, max, why);
        if (put_rc < 0)
            return put_rc;
    }
    // What is left inside.
    while (!u->whole) {
        u->z.next_out = u->room;
        u->z.avail_out = sizeof(u->room);
        int rc = inflate(&u->z, Z_NO_FLUSH);
        size_t n = sizeof(u->room) - u->z.avail_out;
        u->whole = rc == Z_STREAM_END;
        if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
            return malformed(why);
        int put_rc = put(u, n, out, max, why);
        if (put_rc < 0)
            return put_rc;
        if (n < sizeof(u->room))
            break;
    }
    return 0;
}

static int add_zstd(struct unpack *u, const void *data, size_t len, int out,
                    uint64_t max, const char **why)
{
    ZSTD_inBuffer in = {data, len, 0};

    for (;;) {
        ZSTD_outBuffer o = {u->room, sizeof(u->room), 0};
        size_t rc = ZSTD_decompressStream(u->zstd, &o, &in);
        if (ZSTD_isError(rc))
            return malformed(why);
        u->whole = rc == 0;
        int put_rc = put(u, o.pos, out, max, why);
        if (put_rc < 0)
            return put_rc;
        if (in.pos == in.size && o.pos < o.size)
            return 0;
    }
}

int unpack_add(struct unpack *unpack, const void *data, size_t len, int out,
               uint64_t max, const char **why)
{
    switch (unpack->kind) {
    case PACKING_GZIP:
        return add_gzip(unpack, data, len, out, max, why);
    case PACKING_ZSTD:
        return add_zstd(unpack, data, len, out, max, why);
    case PACKING_NONE:
        return take(unpack, data, len, max, why);
    default:
        *why = PACKING_WRONG;
        return UNPACK_MALFORMED;
    }
}
