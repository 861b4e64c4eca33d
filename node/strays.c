// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: /proc, where users' processes come and go as it is read.

#include "node/strays.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "logic/procfs.h"

// So many directories are looked at: where a user has some of his own, he can
// have very many.
enum { CGROUPS_MAX = 100000 };

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

// Lists what is below the directory PATH, of which the first LEN bytes are
// used and the rest is room. INSIDE: it is one of the container's itself.
static void list_below(char path[PATH_MAX], size_t len, const char *id,
                       bool inside, int *left, FILE *out)
{
    DIR *d = opendir(path);

    for (struct dirent *e; d && (e = readdir(d));) {
        if (e->d_type != DT_DIR || e->d_name[0] == '.' || (*left)-- <= 0)
            continue;
        int n = snprintf(path + len, PATH_MAX - len, "/%s", e->d_name);
        if ((size_t)n >= PATH_MAX - len)
            continue;
        bool its = inside || strstr(e->d_name, id);
        list_below(path, len + (size_t)n, id, its, left, out);
        if (its)
            fprintf(out, "%s\n", path);
    }
    path[len] = 0;
    if (d)
        closedir(d);
}

void strays_list_cgroups(const char *id, FILE *out)
{
    FILE *f = fopen("/proc/self/mountinfo", "re");
    char path[PATH_MAX], *line = NULL;
    int left = CGROUPS_MAX;
    size_t cap = 0;

    while (f && getline(&line, &cap, f) > 0) {
        struct mountinfo m;
        if (!mountinfo_parse(line, &m) || strcmp(m.root, "/") != 0 ||
            (strcmp(m.fstype, "cgroup") != 0 &&
             strcmp(m.fstype, "cgroup2") != 0) ||
            strlen(m.target) >= sizeof(path))
            continue;
        strcpy(path, m.target);
        list_below(path, strlen(path), id, false, &left, out);
    }
    free(line);
    if (f)
        fclose(f);
}
