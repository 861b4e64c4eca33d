// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// HTTP/1.1 over a Unix socket: deadlines, byte caps, status codes. Knows
// nothing of containers. What the other end sends is not trusted: it is
// bounded in time and size, and none of it is followed (no redirects).
#ifndef BERTH_HTTP_H
#define BERTH_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "engine/watch.h"
#include "logic/err.h"

struct http;

// Makes a client for the Unix socket PATH (absolute; copied). Connects at
// the first call, keeps the connection for the next ones, and makes a new
// one when the other end has closed it. Takes nothing from the environment.
// All calls heed WATCH (NULL: there is none; copied). Returns NULL with ERR set
// (BERTH_EINVAL, BERTH_ENOMEM; BERTH_ESYS: libcurl is missing).
struct http *http_create(const char *path, const struct watch *watch,
                         struct berth_err *err);
void http_destroy(struct http *http); // NULL is fine; keeps errno

enum http_method {
    HTTP_GET = 0,
    HTTP_POST = 1,
    HTTP_DELETE = 2,
};

// A body that is made while it is sent: a tar archive.
struct http_upload {
    // When there may be more of it, where READ had nothing; -1: it always has.
    int fd;
    // Writes the next part, of SIZE bytes at most, to BUF. Returns its length;
    // 0: that was all; HTTP_LATER; or HTTP_GIVEN_UP: the call fails
    // (BERTH_EENDED), with its connection, so that the other end sees that it
    // does not have it all.
    ssize_t (*read)(void *arg, char *buf, size_t size);
    void *arg;
};

enum { HTTP_GIVEN_UP = -1, HTTP_LATER = -2 };

// The body of an answer that is too large to be kept: a tar archive, or a list
// of which little is. TAKE alone bounds it.
struct http_download {
    // Takes what has come. 0; or HTTP_GIVEN_UP: the call fails (BERTH_EENDED).
    int (*take)(void *arg, const char *data, size_t len);
    void *arg;
};

struct http_request {
    enum http_method method;
    const char *target;                   // "/_ping", already percent-encoded
    const char *json;                     // the body of a POST, or NULL
    const struct http_upload *upload;     // likewise
    const struct http_download *download; // gets the body of status 200; NULL:
                                          // it is in the reply
    long limit_ms;                        // for the whole call
    size_t max; // of the answer's body; 0: BERTH_RESPONSE_MAX
    bool whole; // not given up for the watch, though that is asked
};

// Strings are never NULL; a header that is missing or too long is empty.
// All is borrowed until the next call.
struct http_reply {
    int status;       // 200 to 599
    const char *body; // LENGTH bytes and a NUL
    size_t length;    // at most the request's max
    char content_type[64];
    char api_version[32];
    char libpod_version[32];
    char server[128];
};

// Sends REQUEST and waits for the whole answer. Returns 0 whatever its
// status, or -1 with ERR set, ERR's sentence naming the socket: nobody
// answers, or not HTTP or cut short (BERTH_EENGINE), too much (BERTH_ETOOBIG),
// too late (BERTH_ETIMEOUT), given up (BERTH_EENDED), BERTH_ENOMEM.
int http_call(struct http *http, const struct http_request *request,
              struct http_reply *reply, struct berth_err *err);

// A call that is over.
struct http_call_seen {
    const char *method; // "GET"
    const char *target; // the request's
    int status;         // 0: there was no whole answer
    long long ms;
};

// From now on SEEN is called for each call of this process that ends, before
// http_call returns. NULL, as at first: nothing is.
void http_on_call(void (*seen)(const struct http_call_seen *call));

#endif
