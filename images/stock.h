// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// All that berth has brought to this machine, by image: the records of its
// nodes (a machine has one, but where somebody tries Slurm out). Two names, and
// two nodes, may have one image.
#ifndef BERTH_STOCK_H
#define BERTH_STOCK_H

#include <stddef.h>
#include <stdint.h>

#include "images/record.h"
#include "logic/err.h"
#include "logic/garbage.h"

struct stock_entry {
    char node[65];
    struct record record;
};

struct stock_image {
    char engine[108]; // the path of its socket
    char id[MANIFEST_DIGEST];
    struct garbage_image garbage; // its size is 0: nobody has asked
    uint64_t uses;
    size_t n; // its entries
    const struct stock_entry *entries;
};

struct stock {
    size_t nentries;
    struct stock_entry *entries; // by engine, ID, name and node
    size_t nimages;
    struct stock_image *images;
};

// Reads what STATE has of NODE, or of all (NULL). 0 and OUT, for stock_clear;
// or -1 with ERR set.
int stock_read(const char *state, const char *node, struct stock *out,
               struct berth_err *err);
void stock_clear(struct stock *stock); // keeps errno

// The name that berth has given the image ID in the engine.
void stock_name(const char *id, char *buf, size_t size);

#endif
