// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The two ends of a pipe. `stream write MB` writes so many MB (10^6 bytes)
// to its standard output; `stream read` reads its standard input to the end
// and prints how many MB came per second, between the first byte and the
// last: the start and the end of what writes do not count. Static, so that
// the very same program runs in and outside of an image.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static char buf[1 << 16];

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int write_mb(long mb)
{
    long long left = mb * 1000000LL;

    while (left > 0) {
        size_t want =
            left < (long long)sizeof(buf) ? (size_t)left : sizeof(buf);
        ssize_t n = write(1, buf, want);
        if (n < 0)
            return 1;
        left -= n;
    }
    return 0;
}

static int read_all(void)
{
    double first = 0, last = 0, bytes = 0;
    ssize_t n;

    while ((n = read(0, buf, sizeof(buf))) > 0) {
        last = now();
        if (first == 0)
            first = last;
        else
            bytes += (double)n;
    }
    if (n < 0 || last <= first)
        return 1;
    printf("%.1f\n", bytes / 1e6 / (last - first));
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "write") == 0)
        return write_mb(atol(argv[2]));
    if (argc == 2 && strcmp(argv[1], "read") == 0)
        return read_all();
    fprintf(stderr, "usage: stream write MB | stream read\n");
    return 2;
}
