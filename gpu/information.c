// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: what NVIDIA's driver prints.

#include "gpu/information.h"

#include <string.h>

#include "logic/gpu.h"

// Copies what stands behind KEY on its line, without the blanks around it.
static bool information_value(const char *text, const char *key, char *out,
                              size_t size)
{
    const char *p = text;
    size_t len = strlen(key);

    while (strncmp(p, key, len) != 0) {
        p += strcspn(p, "\n");
        if (*p++ == 0)
            return false;
    }
    p += len;
    p += strspn(p, " \t");
    size_t n = strcspn(p, "\n");
    while (n > 0 && (p[n - 1] == ' ' || p[n - 1] == '\t'))
        n--;
    if (n == 0 || n >= size)
        return false;
    memcpy(out, p, n);
    out[n] = 0;
    return true;
}

bool information_parse(const char *text, struct information *out)
{
    struct information info;
    char number[16];
    const char *p = number;

    if (!information_value(text, "Device Minor:", number, sizeof(number)) ||
        !gpu_read_number(&p, 1 << 20, &info.minor) || *p ||
        !information_value(text, "Bus Location:", info.busid,
                           sizeof(info.busid)) ||
        !information_value(text, "GPU UUID:", info.uuid, sizeof(info.uuid)) ||
        !information_value(text, "Model:", info.model, sizeof(info.model)) ||
        strncmp(info.uuid, "GPU-", 4) != 0 || strchr(info.uuid, '?'))
        return false;
    *out = info;
    return true;
}
