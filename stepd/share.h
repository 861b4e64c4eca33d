// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// A container that outlives the step it was made for. The berth-stepd that
// made it is its keeper: its record, mounts and removal stay its own. That of a
// later step is a guest: it is sent descriptors of what there is (the link to
// berth-init among them) and asks no engine. Keeper and guest know of each
// other by their connection: its end is the other's.
#ifndef BERTH_SHARE_H
#define BERTH_SHARE_H

#include "engine/engine.h"
#include "engine/watch.h"
#include "logic/err.h"
#include "logic/step.h"
#include "logic/strv.h"
#include "node/keep.h"
#include "node/store.h"
#include "stepd/container.h"

// Notes in STORE that CONTAINER is MADE_FROM that (request_node_made_from), and
// from IMAGE: from then on it can be found. 0, or -1 with ERR set.
int share_note(const struct store_step *store, const struct strv *made_from,
               const struct container *container,
               const struct engine_image *image, struct berth_err *err);

// Looks for a container of STEP's job that was MADE_FROM the same, and in
// which no step is. 1: it is in OUT (but for what is each step's own), and
// what its image says in IMAGE; 0: there is none; -1: WATCH says so.
int share_take(const struct step *step, const struct strv *made_from,
               const struct watch *watch, struct container *out,
               struct engine_image *image);

// Has the container that the berth-stepd of the step HOST keeps for STEP, with
// VERB (node/keep.h). As share_take. Who wants to be in it with others waits for
// as long as that lives, and STEP: an image may have to be fetched first.
int share_join(const struct step *step, const char *host, enum keep_verb verb,
               const struct watch *watch, struct container *out,
               struct engine_image *image);

// Says whether there is any that share_take might take: only then it is worth
// to find out what STEP's would be made from.
bool share_any(const struct step *step);

// Sends CONTAINER to the guest at CONN; NULL: it cannot be had. 0, or -1.
int share_send(int conn, const struct container *container);

#endif
