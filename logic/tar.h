// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// What stands before each member of a tar archive: POSIX's ustar, numbers that
// are too large for it in GNU's way, and texts that are too long for it in
// POSIX's "pax". Pure.
#ifndef BERTH_TAR_H
#define BERTH_TAR_H

#include <stddef.h>
#include <stdint.h>

enum {
    TAR_BLOCK = 512,
    TAR_TEXT_MAX = 4096, // of a name or a link, with its NUL
    TAR_HEAD_MAX = 10240,
};

struct tar_entry {
    const char *name;
    const char *link; // what a symbolic or a hard link leads to, or NULL
    char type;        // as in the format: '0' is a file
    unsigned mode;    // the permissions
    uint64_t uid, gid, size;
    int64_t mtime;          // seconds since 1970
    const void *capability; // the file capabilities, as the kernel keeps them
    size_t ncapability;     // 64 bytes at most
};

// Writes it to BUF. Returns its length, a multiple of TAR_BLOCK.
size_t tar_head(const struct tar_entry *entry, char buf[TAR_HEAD_MAX]);

// The number of bytes behind SIZE bytes until the next block.
size_t tar_padding(uint64_t size);

#endif
