// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Who has asked a berth-stepd for its container (node/keep.h), and who is in
// it. Only root's processes can be: berth-stepd of later steps of the job, and
// berth-epilog.
#ifndef BERTH_KEEPER_H
#define BERTH_KEEPER_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "logic/err.h"
#include "node/store.h"
#include "stepd/container.h"

enum { KEEPER_PEERS_MAX = 256 }; // at once: others wait for their turn

struct keeper {
    int listener;
    bool end; // somebody has said KEEP_END
    size_t n;
    size_t inside; // of these, those that have the container
    size_t saving; // of those, whose step is saving it
    unsigned long given;
    size_t nleft; // who has gone that was inside, for the caller to empty
    pid_t left[KEEPER_PEERS_MAX];
    struct keeper_peer {
        int conn;
        pid_t pid; // of who it is
        char verb; // that it has sent, or 0
        bool inside;
    } peers[KEEPER_PEERS_MAX];
};

// 0, or -1 with ERR set. keeper_close in either case.
int keeper_open(const struct store_step *store, struct keeper *out,
                struct berth_err *err);

// Fills in what to wait for: at most KEEPER_PEERS_MAX + 1. Returns how many.
size_t keeper_poll(const struct keeper *keeper, struct pollfd *out);

// Hears what has come of these.
void keeper_hear(struct keeper *keeper, const struct pollfd *polled);

// What there is for them.
struct keeper_offer {
    const struct container *container;
    bool never; // it will not be there any more
    bool ready; // it can be joined: else they wait
    bool free;  // it can be taken: no step is in it, nor anything of one
    bool own;   // the step that made it is in it
    bool mine;  // it is there, and this process keeps it
};

// Answers those who have asked and can be told.
void keeper_answer(struct keeper *keeper, const struct keeper_offer *offer);

void keeper_close(struct keeper *keeper);

#endif
