// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// "disable" is no part of a label: it would switch the labels off.

#include "logic/selinux.h"

#include <stddef.h>
#include <string.h>

const char *selinux_value(const char *text, unsigned *part)
{
    static const char *const parts[] = {"user:", "role:", "type:", "level:"};

    for (unsigned i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
        size_t n = strlen(parts[i]);
        if (strncmp(text, parts[i], n) != 0)
            continue;
        *part = i;
        return text[n] ? text + n : NULL;
    }
    return NULL;
}
