// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// What a program that brings an image (berth-fetch) and root's side of it
// (images/load.h) say to each other, on a SOCK_SEQPACKET pair, which the
// program has as its standard input: frames, one packet each. The program is
// not root, and nothing that it says is taken for true: root compares each part
// with its digest.
//
//   fetch -> root: INDEX     what the name leads to, as the registry has it: an
//                            index, or a manifest
//                  MANIFEST  if that is an index: the one for this machine
//                  CONFIG    the configuration
//   root -> fetch: WANTED    a byte for each layer, 0 or 1
//   fetch -> root: LAYER     for each that is wanted, in their order: a struct
//                            fetch_layer, then DATA
//                  PROGRESS  at any time: how much has come of the registry
//                            that is not seen in DATA yet
//                  DONE      that was all, and each layer is, unpacked, what
//                            the configuration says; or
//                  FAILED    why it was not: a struct fetch_failed
//
// INDEX, MANIFEST and CONFIG come in as many frames as it takes, and an empty
// one ends each. Both are of one build.
//
// With the same frames root (stepd/save.c) tells berth-save, which is the user,
// what archive to write:
//
//   root -> save:  CONFIG    of the image that is to be
//                  DATA      the engine's archive of the image below, or none
//                  DONE      behind that
//                  LAYER     what was written in the container, then DATA
//                  DONE      that was all
//   save -> root:  DONE      the file is there, or (--check) could be; or
//                  FAILED    why it is not, at any time. With --load it becomes
//                            berth-archive, which says what berth-fetch does
#ifndef BERTH_FETCH_H
#define BERTH_FETCH_H

#include <stddef.h>
#include <stdint.h>

enum fetch_type {
    FETCH_INDEX = 1,
    FETCH_MANIFEST = 2,
    FETCH_CONFIG = 3,
    FETCH_WANTED = 4,
    FETCH_LAYER = 5,
    FETCH_DATA = 6,
    FETCH_PROGRESS = 7, // uint64_t
    FETCH_DONE = 8,
    FETCH_FAILED = 9,
};

struct fetch_layer {
    uint64_t size;     // of what follows
    uint32_t n;        // which: from 0
    uint32_t unpacked; // 1: its digest is that of the configuration
};

// Why it failed.
enum fetch_code {
    FETCH_CODE_SAID = 0,    // by skopeo, whose words these are
    FETCH_CODE_OWN = 1,     // a clause of berth's own about the image
    FETCH_CODE_SILENT = 2,  // the registry, for so many seconds
    FETCH_CODE_SLOW = 3,    // likewise
    FETCH_CODE_LIMITED = 4, // by the registry: so many requests were refused
    FETCH_CODE_PACKED = 5,  // larger than allowed, as it is transferred
    FETCH_CODE_LARGE = 6,   // larger than allowed, unpacked
    FETCH_CODE_NO_SKOPEO = 7,
    FETCH_CODE_UNSIGNED = 8, // policy.json wants what this skopeo can't check
    FETCH_CODE_ADDRESS = 9,  // it led to this, where no fetch goes
    // What only root's side says:
    FETCH_CODE_NONE = 16,   // nothing failed
    FETCH_CODE_ENDED = 17,  // nobody waits for it any more
    FETCH_CODE_LATE = 18,   // it took longer than it may
    FETCH_CODE_ENGINE = 19, // the engine failed, and this is its sentence
};

enum { FETCH_TEXT_MAX = 1024, FETCH_DATA_MAX = 64 * 1024 };

#define FETCH_NO_MEMORY "memory is out: try again, or tell your administrator"

#define FETCH_NO_ROOM                                                          \
    "there is no room on the node to unpack a layer (/var/tmp): tell your "    \
    "administrator"

struct fetch_failed {
    uint32_t code;
    uint32_t number;           // of seconds or of requests
    char text[FETCH_TEXT_MAX]; // NUL-terminated
};

struct fetch_frame {
    uint32_t type;
    uint32_t bytes;
    union {
        struct fetch_layer layer;
        struct fetch_failed failed;
        uint64_t progress;
        char data[FETCH_DATA_MAX];
    } u;
};

// Sends one frame, and waits until there is room. 0, or -1.
int fetch_send(int fd, enum fetch_type type, const void *data, size_t len);

// Sends TEXT in as many frames as it takes, and the empty one behind. 0, or -1.
int fetch_send_document(int fd, enum fetch_type type, const char *text,
                        size_t len);

// Receives one frame. FLAGS are recv's. 1; 0 at the end; or -1 and errno:
// EPROTO if it is none, EAGAIN with MSG_DONTWAIT.
int fetch_recv(int fd, struct fetch_frame *out, int flags);

#endif
