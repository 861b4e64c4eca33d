// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include "node/digest.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The context is libcrypto's own.
struct digest {
    EVP_MD_CTX *context;
    int failed;
};

struct digest *digest_begin(void)
{
    struct digest *digest = calloc(1, sizeof(*digest));

    if (!digest)
        return NULL;
    digest->context = EVP_MD_CTX_new();
    if (digest->context &&
        EVP_DigestInit_ex(digest->context, EVP_sha256(), NULL) == 1)
        return digest;
    digest_drop(digest);
    return NULL;
}

void digest_add(struct digest *digest, const void *data, size_t len)
{
    if (EVP_DigestUpdate(digest->context, data, len) != 1)
        digest->failed = 1;
}

void digest_end(struct digest *digest, char out[MANIFEST_DIGEST])
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned n = 0;

    // What could not be computed is like no digest.
    *out = 0;
    if (EVP_DigestFinal_ex(digest->context, bytes, &n) == 1 && n == 32 &&
        !digest->failed) {
        strcpy(out, "sha256:");
        for (unsigned i = 0; i < n; i++)
            snprintf(out + 7 + 2 * i, 3, "%02x", bytes[i]);
    }
    digest_drop(digest);
}

void digest_drop(struct digest *digest)
{
    int saved = errno;

    if (digest) {
        EVP_MD_CTX_free(digest->context);
        free(digest);
    }
    errno = saved;
}

int digest_of(const void *data, size_t len, char out[MANIFEST_DIGEST])
{
    struct digest *digest = digest_begin();

    if (!digest)
        return -1;
    digest_add(digest, data, len);
    digest_end(digest, out);
    return *out ? 0 : -1;
}
