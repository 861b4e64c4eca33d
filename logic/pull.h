// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Why an image could not be fetched: what skopeo's words mean, and the sentence
// for the user. Pure. Input: words of skopeo's, in which there are words of a
// registry's, which may be anything.
#ifndef BERTH_PULL_H
#define BERTH_PULL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "logic/err.h"
#include "protocol/fetch.h"

enum pull_cause {
    PULL_UNKNOWN = 0,
    PULL_NO_TAG = 1,
    PULL_UNAUTHORIZED = 2, // credentials are wanted, or were refused
    PULL_DENIED = 3,       // who it is is known, and he may not
    PULL_LIMITED = 4,      // too many requests
    PULL_SERVER = 5,       // 5xx
    PULL_REFUSED = 6,      // nobody listens
    PULL_NO_HOST = 7,      // no such name, or no way there
    PULL_CUT = 8,          // the connection broke
    PULL_CERTIFICATE = 9,
    PULL_PORTAL = 10, // what answers is no registry
    PULL_PLAIN = 11,  // HTTP where HTTPS is wanted
    PULL_DIGEST = 12, // bytes that are not what their digest says
    PULL_POLICY = 13, // policy.json
    PULL_NO_REPOSITORY = 14,
    PULL_NO_BLOB = 15, // a part of the image is missing
    PULL_LONG = 16,    // a manifest that nobody takes
    PULL_PROXY = 17,   // it does not let us through
};

// What the sentence names. Borrowed.
struct pull_facts {
    const char *image, *node;
    const char *registry;    // its host
    const char *credentials; // the file that they are from, or would be
    bool had_credentials;
    // The program that has them (docker-credential-NAME's NAME), or NULL; and
    // whether it was asked.
    const char *helper;
    bool asked;
    unsigned seconds;
    uint64_t packed_max, unpacked_max;
};

// Sets ERR to the sentence for the user, and returns -1: BERTH_EENDED if nobody
// waits for it, else BERTH_ENOTFOUND.
int pull_explain(const struct fetch_failed *why, const struct pull_facts *facts,
                 struct berth_err *err);

enum pull_cause pull_cause(const char *said);

// Whether the same may do in a moment.
bool pull_is_passing(enum pull_cause cause);

#endif
