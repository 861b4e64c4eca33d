// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The way to a berth-stepd whose container may outlive its step: the socket
// "keep" in the step's directory (node/store.h), SOCK_SEQPACKET, root's alone.
// Whoever connects sends one byte, a KEEP_*. To each but KEEP_END comes an
// answer (stepd/keeper.h), and the connection lasts as long as whoever has
// sent it is in the container.
#ifndef BERTH_KEEP_H
#define BERTH_KEEP_H

#define KEEP_SOCKET "keep"

// A file beside it: what the container was made from (store_strings_write).
#define KEEP_MADE "made"

// A file in the directory of a step that is in another's container: which step
// made that.
#define KEEP_IN "in"

enum keep_verb {
    KEEP_END = 'e',  // its job is over: once no step is in the container,
                     // none is to be
    KEEP_TAKE = 't', // for a step: it, if no step is in it
    KEEP_JOIN = 'j', // for a step: it, if another step is in it
    KEEP_NAME = 'n', // for a step: it, whoever is in it
    KEEP_SAVE = 's', // for a step that is in it: to be alone there, as long as
                     // it saves what is in it
    KEEP_LOOK = 'l', // whether a step is in it (keep_look)
};

// Connects to the berth-stepd of the step NAME ("JOB.STEP"), and sends VERB.
// The connection; or -1: it is not there, or not any more. As root.
int keep_ask(const char *state, const char *node, const char *name,
             enum keep_verb verb);

// What comes of KEEP_LOOK: one byte of these.
enum keep_state {
    KEEP_WAITS = 'w', // no step is in it
    KEEP_RUNS = 'r',
    KEEP_GONE = 'g', // it is another step's, or there is none (any more)
};

// Sends KEEP_LOOK, and waits MS milliseconds for the answer. KEEP_GONE where
// there is none.
enum keep_state keep_look(const char *state, const char *node, const char *name,
                          int ms);

// Sends KEEP_END.
void keep_end(const char *state, const char *node, const char *name);

#endif
