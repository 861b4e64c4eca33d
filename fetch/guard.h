// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Where skopeo may connect to. It goes wherever a registry sends it: to another
// host for a layer, to another one still for a token. Some addresses are no
// registry's, but lead to what trusts whoever can reach it: the node's own
// loopback, and link-local addresses, at which clouds hand out their secrets.
//
// A seccomp filter has the kernel ask us before each connect of skopeo's. That
// skopeo could change the address between our look and the kernel's is no
// matter: the registry is not trusted, skopeo is.
#ifndef BERTH_GUARD_H
#define BERTH_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

enum { GUARD_TEXT_MAX = 64 };

struct guard {
    bool loopback;                // the registry that was named is there itself
    unsigned proxy;               // the port of a proxy that is, or 0
    int fd;                       // where the kernel asks, or -1
    char refused[GUARD_TEXT_MAX]; // the last address that was, or empty
};

// In the child that becomes skopeo: sets the filter, and sends where the kernel
// asks to the socket OUT. 0, or -1.
int guard_set(int out);
// In its parent: takes that from the socket IN. 0, or -1.
int guard_take(struct guard *guard, int in);

// Answers a question that is there.
void guard_answer(struct guard *guard);

void guard_close(struct guard *guard);

// Whether skopeo may connect to the LEN bytes at ADDRESS; else TEXT is that.
bool guard_allows(const struct sockaddr_storage *address, size_t len,
                  bool loopback, char text[GUARD_TEXT_MAX]);

// Whether the registry DOMAIN is this machine's own, by its name.
bool guard_is_loopback(const char *domain);

#endif
