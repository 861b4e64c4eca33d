// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: /proc, where users' processes come and go as it is read.

#include "node/strays.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "logic/procfs.h"

static bool is_in(int proc, const char *pid, const char *id)
{
    char path[32], *line = NULL;
    struct cgroup_line c;
    bool found = false;
    size_t cap = 0;

    snprintf(path, sizeof(path), "%s/cgroup", pid);
    int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
    while (f && !found && getline(&line, &cap, f) > 0)
        found = cgroup_line_parse(line, &c) && cgroup_is_of(c.path, id);
    free(line);
    if (f)
        fclose(f);
    else if (fd >= 0)
        close(fd);
    return found;
}

// What PID stands for can change until there is a descriptor of it: what is
// true of PID after that is true of that process, or it has ended.
static bool kill_one(int proc, const char *pid, const char *id)
{
    if (!is_in(proc, pid, id))
        return false;
    struct pollfd p = {.fd = (int)syscall(SYS_pidfd_open, atoi(pid), 0),
                       .events = POLLIN};
    bool lives = p.fd >= 0 && is_in(proc, pid, id) && poll(&p, 1, 0) == 0;
    if (lives)
        syscall(SYS_pidfd_send_signal, p.fd, SIGKILL, NULL, 0);
    if (p.fd >= 0)
        close(p.fd);
    return lives;
}

size_t strays_kill(const char *id)
{
    DIR *d = opendir("/proc");
    size_t n = 0;

    for (struct dirent *e; d && (e = readdir(d));)
        if (isdigit((unsigned char)e->d_name[0]))
            n += kill_one(dirfd(d), e->d_name, id);
    if (d)
        closedir(d);
    return n;
}
