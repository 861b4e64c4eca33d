// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include "engine/clock.h"

#include <time.h>

long long clock_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void clock_sleep(int ms)
{
    struct timespec t = {ms / 1000, (ms % 1000) * 1000000L};

    nanosleep(&t, NULL);
}
