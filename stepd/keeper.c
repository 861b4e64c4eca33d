// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: one byte of each process of root's that connects.

#include "stepd/keeper.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "node/keep.h"
#include "stepd/listen.h"
#include "stepd/peer.h"
#include "stepd/share.h"

int keeper_open(const struct store_step *store, struct keeper *out,
                struct berth_err *err)
{
    *out = (struct keeper){.listener = listen_at(store, KEEP_SOCKET, 0, err)};
    return out->listener < 0 || fcntl(out->listener, F_SETFL, O_NONBLOCK) < 0
               ? -1
               : 0;
}

size_t keeper_poll(const struct keeper *k, struct pollfd *out)
{
    int listener = k->n < KEEPER_PEERS_MAX ? k->listener : -1;

    for (size_t i = 0; i < k->n; i++)
        out[i] = (struct pollfd){.fd = k->peers[i].conn, .events = POLLIN};
    out[k->n] = (struct pollfd){.fd = listener, .events = POLLIN};
    return k->n + 1;
}

static void drop(struct keeper *k, size_t i)
{
    close(k->peers[i].conn);
    if (k->peers[i].inside)
        k->left[k->nleft++] = k->peers[i].pid;
    k->inside -= k->peers[i].inside;
    k->saving -= k->peers[i].inside && k->peers[i].verb == KEEP_SAVE;
    k->peers[i] = k->peers[--k->n];
}

static void hear_peer(struct keeper *k, size_t i)
{
    struct keeper_peer *peer = &k->peers[i];

    // Who has the container, or waits for it, says nothing but by its end.
    if (peer->verb || recv(peer->conn, &peer->verb, 1, MSG_DONTWAIT) != 1)
        drop(k, i);
    else if (peer->verb == KEEP_END)
        k->end = true;
}

static void admit(struct keeper *k)
{
    struct peer peer;

    if (peer_accept(k->listener, &peer) < 0)
        return;
    if (peer.uid == 0)
        k->peers[k->n++] =
            (struct keeper_peer){.conn = peer.conn, .pid = peer.pid};
    else
        close(peer.conn);
}

// From the last to the first, as the last takes a place that is free.
void keeper_hear(struct keeper *k, const struct pollfd *polled)
{
    size_t n = k->n;

    for (size_t i = n; i-- > 0;)
        if (polled[i].revents)
            hear_peer(k, i);
    if (polled[n].revents)
        admit(k);
}

enum word { WAIT = 0, NO = 1, YES = 2 };

// Whether the process PID has the container, and no other.
static bool is_alone(const struct keeper *k, pid_t pid,
                     const struct keeper_offer *offer)
{
    for (size_t i = 0; i < k->n; i++)
        if (k->peers[i].inside && k->peers[i].pid != pid)
            return false;
    return k->inside == 1 && !offer->own;
}

static enum word judge(const struct keeper *k, const struct keeper_peer *peer,
                       const struct keeper_offer *offer)
{
    char verb = peer->verb;
    bool running = offer->own || k->inside > 0;

    if (offer->never)
        return NO;
    switch (verb) {
    case KEEP_TAKE:
        return offer->free && k->inside == 0 ? YES : NO;
    case KEEP_SAVE:
        return is_alone(k, peer->pid, offer) ? YES : NO;
    case KEEP_JOIN:
        return k->saving > 0 || !offer->ready ? WAIT : running ? YES : NO;
    case KEEP_NAME:
        return offer->ready && k->saving == 0 ? YES : WAIT;
    default:
        return NO;
    }
}

static void say_state(const struct keeper *k, int conn,
                      const struct keeper_offer *offer)
{
    bool runs = offer->own || k->inside > 0;
    char said = (char)(!offer->mine ? KEEP_GONE
                       : runs       ? KEEP_RUNS
                                    : KEEP_WAITS);

    send(conn, &said, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void keeper_answer(struct keeper *k, const struct keeper_offer *offer)
{
    for (size_t i = k->n; i-- > 0;) {
        struct keeper_peer *peer = &k->peers[i];
        if (!peer->verb || peer->inside)
            continue;
        if (peer->verb == KEEP_LOOK) {
            say_state(k, peer->conn, offer);
            drop(k, i);
            continue;
        }
        enum word verdict = judge(k, peer, offer);
        bool yes = verdict == YES;
        if (verdict == WAIT)
            continue;
        if (share_send(peer->conn, yes ? offer->container : NULL) < 0 || !yes) {
            drop(k, i);
            continue;
        }
        peer->inside = true;
        k->inside++;
        k->saving += peer->verb == KEEP_SAVE;
        k->given++;
    }
}

void keeper_close(struct keeper *k)
{
    while (k->n > 0)
        drop(k, k->n - 1);
    if (k->listener >= 0)
        close(k->listener);
    k->listener = -1;
}
