// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// What NVIDIA's driver says of a GPU in /proc. Pure.
#ifndef BERTH_INFORMATION_H
#define BERTH_INFORMATION_H

#include <stdbool.h>

// What /proc/driver/nvidia/gpus/BUSID/information says.
struct information {
    unsigned minor;
    char busid[32];
    char uuid[64];
    char model[128];
};

// False: it lacks one of them.
bool information_parse(const char *text, struct information *out);

#endif
