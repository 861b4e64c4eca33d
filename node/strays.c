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

// Opens the file NAME of the process PID, or returns NULL.
static FILE *open_file(int proc, const char *pid, const char *name)
{
    char path[32];

    snprintf(path, sizeof(path), "%s/%s", pid, name);
    int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
    if (!f && fd >= 0)
        close(fd);
    return f;
}

static void close_file(FILE *f)
{
    if (f)
        fclose(f);
}

typedef bool is_which(int proc, const char *pid, const char *id);

static bool is_in(int proc, const char *pid, const char *id)
{
    FILE *f = open_file(proc, pid, "cgroup");
    struct cgroup_line c;
    char *line = NULL;
    bool found = false;
    size_t cap = 0;

    while (f && !found && getline(&line, &cap, f) > 0)
        found = cgroup_line_parse(line, &c) && cgroup_is_of(c.path, id);
    free(line);
    close_file(f);
    return found;
}

// In all respects: what a process that is not has for its arguments can be
// read for ever, from a file system of the user's.
static bool is_roots(int proc, const char *pid)
{
    FILE *f = open_file(proc, pid, "status");
    unsigned u[4] = {1, 1, 1, 1};
    char line[128];

    while (f && fgets(line, sizeof(line), f) &&
           sscanf(line, "Uid: %u %u %u %u", &u[0], &u[1], &u[2], &u[3]) != 4)
        ;
    close_file(f);
    return (u[0] | u[1] | u[2] | u[3]) == 0;
}

// Says whether PID is "crun [OPTION ...] start ID", or another runtime's.
static bool starts(int proc, const char *pid, const char *id)
{
    char want[96], have[4096];

    if (!is_roots(proc, pid))
        return false;
    FILE *f = open_file(proc, pid, "cmdline");
    size_t n = f ? fread(have, 1, sizeof(have), f) : 0;
    close_file(f);
    int len = snprintf(want, sizeof(want), "%cstart%c%s", 0, 0, id) + 1;
    return n > (size_t)len && len < (int)sizeof(want) &&
           memcmp(have + n - len, want, (size_t)len) == 0;
}

// What PID stands for can change until there is a descriptor of it: what is
// true of PID after that is true of that process, or it has ended.
static bool kill_one(int proc, const char *pid, const char *id, is_which *is)
{
    if (!is(proc, pid, id))
        return false;
    struct pollfd p = {.fd = (int)syscall(SYS_pidfd_open, atoi(pid), 0),
                       .events = POLLIN};
    bool lives = p.fd >= 0 && is(proc, pid, id) && poll(&p, 1, 0) == 0;
    if (lives)
        syscall(SYS_pidfd_send_signal, p.fd, SIGKILL, NULL, 0);
    if (p.fd >= 0)
        close(p.fd);
    return lives;
}

static size_t kill_each(const char *id, is_which *is)
{
    DIR *d = opendir("/proc");
    size_t n = 0;

    for (struct dirent *e; d && (e = readdir(d));)
        if (isdigit((unsigned char)e->d_name[0]))
            n += kill_one(dirfd(d), e->d_name, id, is);
    if (d)
        closedir(d);
    return n;
}

size_t strays_kill(const char *id)
{
    return kill_each(id, is_in);
}

void strays_kill_start(const char *id)
{
    kill_each(id, starts);
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
