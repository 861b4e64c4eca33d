// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: one packet of a task link, and behind it the image. What berth-init's
// child would take for its program must lie within the image, whole.

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "protocol/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition) ((condition) ? (void)0 : abort())

static void check_run(struct wire_run *run, const uint8_t *data, size_t size)
{
    char *image, **vec;
    const char *cwd, *hint;

    if (run->size > size || !wire_run_valid(run, (int)run->nkeep + 4))
        return;
    image = malloc(run->size);
    vec = calloc((size_t)run->argc + run->envc + 2, sizeof(*vec));
    MUST(image && vec);
    memcpy(image, data, run->size);
    if (wire_run_parse(run, image, vec, &cwd, &hint) == 0) {
        const char *end = image + run->size;

        for (uint32_t i = 0; i < run->argc; i++)
            MUST(vec[i] >= image && vec[i] + strlen(vec[i]) < end);
        MUST(!vec[run->argc]);
        for (uint32_t i = 0; i < run->envc; i++)
            MUST(vec[run->argc + 1 + i] > vec[run->argc - 1]);
        MUST(!vec[run->argc + 1 + run->envc]);
        MUST(*cwd == '/' && cwd + strlen(cwd) + 1 == hint);
        MUST(hint + strlen(hint) + 1 == end);
    }
    free(vec);
    free(image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t packet = sizeof(struct wire_msg) + sizeof(struct wire_run);
    struct wire_run run;
    struct wire_in in;
    int pair[2];

    MUST(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
    MUST(send(pair[0], data, size < 4096 ? size : 4096, 0) >= 0);
    if (wire_recv(pair[1], &in, MSG_DONTWAIT) == 1)
        MUST(in.msg.type != WIRE_RUN && in.nfds == 0);
    close(pair[0]);
    close(pair[1]);
    if (size > packet) {
        memcpy(&run, data + sizeof(struct wire_msg), sizeof(run));
        check_run(&run, data + packet, size - packet);
    }
    return 0;
}
