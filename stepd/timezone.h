// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The node's time zone, for images that have no zones.
#ifndef BERTH_TIMEZONE_H
#define BERTH_TIMEZONE_H

#include <stdbool.h>

enum { TIMEZONE_MAX = 128 };

// Reads what the file PATH, such as /etc/localtime, says of times to come, as
// the variable TZ has it: "CET-1CEST,M3.5.0,M10.5.0/3". Each C library knows
// that without any file. False: there is no such file or rule, or it is UTC,
// as without TZ.
bool timezone_read(const char *path, char out[TIMEZONE_MAX]);

#endif
