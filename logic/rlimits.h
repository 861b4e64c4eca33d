// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The resource limits that an engine knows, by setrlimit(2)'s numbers.
#ifndef BERTH_RLIMITS_H
#define BERTH_RLIMITS_H

enum { RLIMITS = 15 };

struct rlimit_name {
    int resource;
    const char *name; // as engines and berth.conf(5) write it: "nofile"
};

extern const struct rlimit_name rlimit_names[RLIMITS];

// The entry of NAME, or NULL.
const struct rlimit_name *rlimit_find(const char *name);

#endif
