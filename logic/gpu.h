// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// GPUs as Slurm counts them: lists of GRES indices, and the node's table of
// what each index stands for. An index is the place of a GPU in Slurm's own
// list of the node's, as `slurmd -G` prints it: no minor number, and no
// number of NVML's. Pure: text and structs in, structs out.
#ifndef BERTH_GPU_H
#define BERTH_GPU_H

#include <stdbool.h>
#include <stddef.h>

#include "logic/err.h"

enum {
    GPU_MAX = 128,     // of a node: 16 with 7 MIG instances each are 112
    GPU_FILES_MAX = 8, // of one GPU
    GPU_PATH_MAX = 256,
};

enum gpu_vendor {
    GPU_GENERIC = 0, // its device files are all that is known of it
    GPU_NVIDIA = 1,
    GPU_AMD = 2,
    GPU_INTEL = 3,
};

struct gpu {
    unsigned index;
    enum gpu_vendor vendor;
    char type[64]; // in gres.conf, or empty
    size_t nfiles;
    char files[GPU_FILES_MAX][GPU_PATH_MAX];
    char busid[32]; // "0000:34:00.0"; empty if generic, as what follows
    char model[128];
    char uuid[64];     // NVIDIA
    int numa;          // or -1
    char cores[256];   // the nearest, "0-7,16-23"
    char problem[256]; // why nobody can have it: a part of a sentence
};

struct gpu_table {
    char boot[64];  // the kernel's boot id when it was made
    char conf[128]; // which gres.conf it was made of
    size_t n;
    struct gpu gpus[GPU_MAX]; // by index, without a gap
};

struct gpu_set {
    size_t n;
    bool has[GPU_MAX];
};

// Reads a list of GRES indices, "0,2-3"; the empty list is the empty set.
// 0; or -1 with ERR set (BERTH_EINVAL) for anything else, such as an index
// out of range, a descending range, an index given twice or a space.
int gpu_list_parse(const char *list, struct gpu_set *out,
                   struct berth_err *err);

// What is in both.
void gpu_set_intersect(const struct gpu_set *a, const struct gpu_set *b,
                       struct gpu_set *out);

// Says which GPU of SET in TABLE has none of the step's CPUS ("0-3,8", as the
// kernel lists them) near it: true, and in BUF a sentence for the user that
// says what to ask Slurm for. False: there is none, or nothing is known of
// where they are.
bool gpu_set_is_far(const struct gpu_set *set, const struct gpu_table *table,
                    const char *node, const char *cpus, char *buf, size_t size);

// Says whether WORD is one of the capabilities of NVIDIA's driver that a
// container can be given: "compute", "utility" and so on; not "all", which
// would be whatever the driver's next version has.
bool gpu_capability_ok(const char *word);

// Reads the digits at *P as a number below LIMIT, and moves *P behind them.
bool gpu_read_number(const char **p, unsigned limit, unsigned *out);

// The number at the end of PATH if that is PREFIX and a number, or -1.
int gpu_path_number(const char *path, const char *prefix);

// Says whether PATH can be a device file in a container: below /dev,
// normalised, without control characters.
bool gpu_path_ok(const char *path);

#endif
