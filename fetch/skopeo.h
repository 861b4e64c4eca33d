// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// skopeo(1), as a process of its own: what it is asked, and what it says.
// Input: words and bytes of a registry, by way of skopeo.
#ifndef BERTH_SKOPEO_H
#define BERTH_SKOPEO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "fetch/guard.h"
#include "protocol/fetch.h"

// Where berth-fetch, and skopeo, have the credentials.
enum { SKOPEO_AUTH = 3 };

// One is enough for a fetch. Zeroed but for its first part, nothing runs.
struct skopeo {
    bool auth;          // there are credentials
    bool linked;        // standard input is root's: its end is ours
    unsigned tries;     // of what may be otherwise in a moment
    struct guard guard; // where it may connect to

    struct fetch_failed why; // after a call that returned -1
    pid_t pid;               // of the process that runs, or 0
    int errors;              // its standard error
    int link;                // of the proxy
    long long image;         // the proxy's number for the image
    unsigned limited;        // requests that were too many for the registry
    size_t used;
    char line[4096]; // of its standard error, so far
};

// Fetches the manifest of NAME (without a transport) as it is. 0 and TEXT,
// which the caller frees; or -1.
int skopeo_raw(struct skopeo *s, const char *name, char **text, size_t *len);

// Starts the proxy, which asks nobody yet. 0, or -1.
int skopeo_start(struct skopeo *s);

// Opens NAME with the proxy, for the calls behind. 0, or -1.
int skopeo_open(struct skopeo *s, const char *name);

// The manifest of what is open, which may be rewritten. As skopeo_raw.
int skopeo_manifest(struct skopeo *s, char **text, size_t *len);

// Begins to fetch a blob. Returns a descriptor, or -1.
int skopeo_blob(struct skopeo *s, const char *digest, uint64_t size);
// Reads of it, as read does: 0 at its end, which may be too early.
ssize_t skopeo_read(struct skopeo *s, int fd, char *buf, size_t size);
// Closes it. 0: it came whole; or -1.
int skopeo_blob_end(struct skopeo *s, int fd);

// Ends what runs.
void skopeo_close(struct skopeo *s);

// Whether another of the tries is to be made after TRIES failed with S->why;
// waits for its time.
bool skopeo_again(struct skopeo *s, unsigned tries);

#endif
