// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// From the decision to the create request: what of it needs no node and no
// engine. berth-stepd adds what only they know (the image's ID and volumes,
// staged sources, device files, its own limits, labels), and berth-policy(1)
// shows the rest as it is. Pure.
#ifndef BERTH_REQUEST_DECIDED_H
#define BERTH_REQUEST_DECIDED_H

#include <stdint.h>

#include "logic/decision.h"
#include "logic/err.h"
#include "logic/request.h"

// Borrows from the decision and its rules; request_decided_clear frees its
// arrays.
struct request_decided {
    struct request request;      // points to these
    struct request_tmpfs *tmpfs; // those that are always there, then the
                                 // user's; not yet the image's volumes
    struct request_port ports[RULE_PORTS_MAX];
    struct request_ulimit *ulimits; // the administrator's
};

// SIZE in bytes on a node with MEMORY bytes.
uint64_t request_decided_size(const struct rule_size *size, uint64_t memory);

// Fills OUT from a DECISION that allows; shm_bytes is 0 if that is to be as
// the node's. 0; or -1 with ERR set: BERTH_ENOMEM,
// or BERTH_EINVAL for more ports than RULE_PORTS_MAX.
int request_decided_make(const struct decision *decision,
                         const struct subject *subject, uint64_t memory,
                         struct request_decided *out, struct berth_err *err);

void request_decided_clear(struct request_decided *plan); // keeps errno

#endif
