// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The one way in which berth's functions report failure: the caller owns a
// struct berth_err, the callee fills it and returns -1 (or NULL). Nothing
// here allocates, so errors can be reported when memory is out.
#ifndef BERTH_ERR_H
#define BERTH_ERR_H

#include <stddef.h>

// What a caller may want to decide on. The text is for people.
enum berth_errc {
    BERTH_OK = 0,        // no error
    BERTH_EDENIED = 1,   // the policy says no
    BERTH_EINVAL = 2,    // somebody wrote something malformed
    BERTH_ENOTFOUND = 3, // the thing named does not exist
    BERTH_ETIMEOUT = 4,  // it took too long
    BERTH_EENGINE = 5,   // the engine is down, or answered with an error
    BERTH_ENOMEM = 6,    // memory is out
    BERTH_ESYS = 7,      // a system call failed
    BERTH_ETOOBIG = 8,   // an answer is longer than anybody reads
    BERTH_EENDED = 9,    // what it was for is over
    BERTH_EBUSY = 10,    // somebody has it in use
    BERTH_EREFUSED = 11, // the engine has answered that it does not do it
};

struct berth_err {
    enum berth_errc code;
    char text[1024]; // one sentence, NUL-terminated, may be cut at the end
};

// Sets ERR (may be NULL) and returns -1, so that a failure is one line:
// return err_set(err, BERTH_EINVAL, "..."). Keeps errno.
int err_set(struct berth_err *err, enum berth_errc code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

// Puts context in front of ERR's text ("CONTEXT: text") and returns -1.
// ERR may be NULL. Keeps errno.
int err_prefix(struct berth_err *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

// Says behind ERR's text what to do next, where that follows from its code
// alone, and the text does not say it: a failed call is for the administrator.
void err_advise(struct berth_err *err);

// Makes TEXT fit to be shown on a terminal or in a log: utf8_scrub.
void err_scrub(char *text);

// Copies TEXT (NULL reads as empty) to BUF of SIZE bytes (4 at least) to be
// quoted in a sentence: scrubbed, and cut between characters, with "..." at
// the end, where it does not fit.
void err_quote(const char *text, char *buf, size_t size);

// Bytes that fit for what a user typed, in most sentences.
enum { ERR_QUOTE_MAX = 80 };

#endif
