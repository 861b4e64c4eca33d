// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// stopper SECONDS: sends SIGSTOP to each process called berth-stepd that it
// may, as fast as it can, for so long. Prints how many it has stopped. As a
// user.

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

// The pid that was given out last.
static int last_pid(void)
{
    int pid = 0;
    FILE *f = fopen("/proc/loadavg", "re");

    if (f) {
        if (fscanf(f, "%*s %*s %*s %*s %d", &pid) != 1)
            pid = 0;
        fclose(f);
    }
    return pid;
}

static int is_stepd(int pid)
{
    char path[64], name[32] = "";
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/comm", pid);
    f = fopen(path, "re");
    if (f) {
        if (!fgets(name, sizeof(name), f))
            name[0] = 0;
        fclose(f);
    }
    return strcmp(name, "berth-stepd\n") == 0;
}

int main(int argc, char **argv)
{
    time_t end = time(NULL) + (argc > 1 ? atoi(argv[1]) : 1);
    int stopped = 0, before = 0;

    while (time(NULL) < end) {
        int last = last_pid();
        for (int pid = last; pid > last - 16; pid--)
            if (pid != before && is_stepd(pid) && kill(pid, SIGSTOP) == 0) {
                stopped++;
                before = pid;
            }
    }
    printf("%d\n", stopped);
    return 0;
}
