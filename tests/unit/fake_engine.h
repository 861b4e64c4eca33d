// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// An engine for tests that misbehaves on command: a child process that
// serves HTTP on a Unix socket in a directory of its own and gives one
// prepared answer per request, in order. Does what a real engine cannot be
// made to do.
#ifndef BERTH_FAKE_ENGINE_H
#define BERTH_FAKE_ENGINE_H

#include <stddef.h>

enum fake_how {
    FAKE_WHOLE = 0,    // status, type and body, as an engine would
    FAKE_RAW,          // the body's bytes and nothing else, then closes
    FAKE_CUT,          // promises 100 bytes more than the body, then closes
    FAKE_LAST,         // a whole answer, then closes
    FAKE_ENDLESS_BODY, // the body in chunks, again and again
    FAKE_ENDLESS_HEADERS,
    FAKE_TRICKLE, // the body a byte at a time, 50 ms apart
    FAKE_HANG,    // never answers
    FAKE_CLOSE,   // closes after the request
    FAKE_RESET,   // closes with the request unread
};

struct fake_answer {
    enum fake_how how;
    int status;
    const char *type;    // NULL: application/json
    const char *body;    // NULL: none
    size_t length;       // 0: strlen(body)
    const char *headers; // more of them, each with its CRLF; NULL: none
};

struct fake_engine;

// Starts an engine with N answers (used until fake_stop). When they are used
// up, it answers 500. Exits the test program when that fails.
struct fake_engine *fake_start(const struct fake_answer *answers, size_t n);

// The socket's path; borrowed.
const char *fake_path(const struct fake_engine *fake);

// What was asked since the last call: "GET /_ping\n" for each request, "+"
// in front where a connection began. Borrowed until the next call.
const char *fake_log(struct fake_engine *fake);

// What the last request had in chunks, as far as it came: at most a MiB,
// static.
char *fake_body(const struct fake_engine *fake, size_t *length);

// Ends the child and removes the directory. NULL is fine.
void fake_stop(struct fake_engine *fake);

#endif
