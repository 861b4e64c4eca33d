// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// A process that is held: by descriptors, which go on meaning it. Its number
// may be another process's as soon as it has ended; so whoever reads of it or
// writes to it by number asks, before and after, whether it lives.
#ifndef BERTH_PROCESS_H
#define BERTH_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

struct process {
    pid_t pid; // its own for as long as it lives
    int pidfd; // -1: it is not held
    int proc;  // its directory in /proc: empty when it has ended
};

#define PROCESS_NONE                                                           \
    {                                                                          \
        .pidfd = -1, .proc = -1                                                \
    }

// The number that the process has here of which PIDFD is a pidfd: in a pid
// namespace of its own it calls itself otherwise. -1: it has ended, or has
// none.
pid_t process_number(int pidfd);

// Holds the process PID, of which PIDFD is a pidfd, or -1: then it is the one
// that has that number now. Takes PIDFD over, whatever comes of it. 0 and OUT,
// for process_close; or -1 with errno set: it has ended. Linux 5.3.
int process_hold(pid_t pid, int pidfd, struct process *out);

bool process_lives(const struct process *process);

// Opens WHAT ("ns/mnt") in PROCESS's directory in /proc, as openat(2) does.
int process_open(const struct process *process, const char *what, int flags);

// Kills it, if it lives.
void process_kill(const struct process *process);

// Says whether PROCESS is the first of its pid namespace, and that another
// than this process's.
bool process_is_first(const struct process *process);

// Says whether PROCESS is in the pid namespace of which FIRST is the first.
bool process_is_within(const struct process *process,
                       const struct process *first);

void process_close(struct process *process); // keeps errno

#endif
