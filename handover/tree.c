// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: /proc of the container, if the image has one. A process's name in
// there is the user's.
#include "handover/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    PROCS_MAX = 65536, // processes of one container that are looked at
};

struct proc {
    pid_t pid;
    pid_t parent;
    pid_t group;
    pid_t session;
    bool doomed;
};

// Reads /proc into PROCS; returns how many there are: 0 without a /proc.
static int list_procs(struct proc *procs)
{
    DIR *dir = opendir("/proc");
    struct dirent *d;
    int n = 0;

    while (dir && n < PROCS_MAX && (d = readdir(dir))) {
        char path[32], text[512];
        char *p;
        ssize_t len;
        int fd;
        int pid = atoi(d->d_name);

        if (pid <= 1)
            continue;
        snprintf(path, sizeof(path), "/proc/%d/stat", pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
        if (fd >= 0)
            close(fd);
        text[len > 0 ? len : 0] = '\0';
        // pid (any name) state parent group session
        p = strrchr(text, ')');
        procs[n] = (struct proc){.pid = pid};
        if (p && sscanf(p, ") %*c %d %d %d", &procs[n].parent, &procs[n].group,
                        &procs[n].session) == 3)
            n++;
    }
    if (dir)
        closedir(dir);
    return n;
}

// PROCS is in ascending order, as /proc lists it.
static bool is_doomed(const struct proc *procs, int n, pid_t pid)
{
    int low = 0;

    while (low < n) {
        int mid = low + (n - low) / 2;

        if (procs[mid].pid == pid)
            return procs[mid].doomed;
        if (procs[mid].pid < pid)
            low = mid + 1;
        else
            n = mid;
    }
    return false;
}

// Marks ROOT, its descendants and what is in a session that one of them
// leads. Returns how many that are.
static int doom_tree(struct proc *procs, int n, pid_t root)
{
    int total = 0;
    int before;

    do {
        before = total;
        for (int i = 0; i < n; i++) {
            struct proc *p = &procs[i];

            if (p->doomed ||
                (p->pid != root && !is_doomed(procs, n, p->parent) &&
                 !is_doomed(procs, n, p->session)))
                continue;
            p->doomed = true;
            total++;
        }
    } while (total > before);
    return total;
}

static struct proc *room_for_procs(void)
{
    return mmap(NULL, sizeof(struct proc) * PROCS_MAX, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void give_back(struct proc *procs)
{
    munmap(procs, sizeof(struct proc) * PROCS_MAX);
}

void tree_kill(pid_t root)
{
    struct proc *procs = room_for_procs();
    int n = 0;

    kill(root, SIGSTOP);
    if (procs != MAP_FAILED) {
        int total = 0;
        int before;

        for (int round = 0; round < 100; round++) {
            before = total;
            n = list_procs(procs);
            total = doom_tree(procs, n, root);
            if (total == before)
                break;
            for (int i = 0; i < n; i++)
                if (procs[i].doomed)
                    kill(procs[i].pid, SIGSTOP);
        }
    }
    for (int i = 0; i < n; i++)
        if (procs[i].doomed)
            kill(procs[i].pid, SIGKILL);
    kill(root, SIGKILL);
    if (procs != MAP_FAILED)
        give_back(procs);
}

void tree_signal_group(pid_t pid, int sig)
{
    struct proc *procs = room_for_procs();
    pid_t group = getpgid(pid);
    int n = procs != MAP_FAILED && group > 1 ? list_procs(procs) : 0;

    for (int i = 0; i < n; i++)
        if (procs[i].group == group && procs[i].pid != pid)
            kill(procs[i].pid, sig);
    if (procs != MAP_FAILED)
        give_back(procs);
}
