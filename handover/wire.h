// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// What berth-task, berth-init and berth-stepd say to each other. Three
// SOCK_SEQPACKET links; each message is one packet: a fixed struct, perhaps
// text behind it, perhaps descriptors beside it (SCM_RIGHTS). Both ends of
// each link come from the same build: a wrong magic is an error, there is
// no negotiation.
//
//   step link:    berth-task -> berth-stepd, at $BERTH_STEP (a socket's path)
//   control link: berth-init -> berth-stepd, at WIRE_CONTROL_PATH, inside
//   task link:    berth-task <-> the container; a socketpair made by
//                 berth-stepd. berth-init keeps its end as long as the task
//                 lives, berth-task the other.
//
// A task's start:
//   1. berth-task connects to the step link. berth-stepd knows who that is
//      by SO_PEERCRED, and may send any number of NOTE.
//   2. When the container is up, berth-stepd makes the task link and sends
//      one end to berth-init with FORK.
//   3. berth-init forks the task's process, which sends BORN on the task
//      link, with its credentials (SCM_CREDENTIALS), to berth-stepd.
//   4. berth-stepd checks it, moves it into the Slurm task's cgroups, gives
//      it the Slurm task's limits, priority and affinity, and sends the
//      other end of the task link to berth-task with ACCEPT. From here on
//      the two are alone.
//   5. berth-task sends RUN, and the process becomes the program.
//   6. berth-init sends DONE, or FAILED if there was no program to become.
//
// The end of any link is a message as well: see each program.
#ifndef BERTH_WIRE_H
#define BERTH_WIRE_H

#include <stddef.h>
#include <stdint.h>

// Where berth-init and its control socket are inside every container.
#define WIRE_INIT_PATH "/run/berth/init"
#define WIRE_CONTROL_PATH "/run/berth/control"

// The variable by which the plugin tells berth-task the path of the step
// link. berth-task takes it out of the task's environment.
#define WIRE_STEP_ENV "BERTH_STEP"

enum { WIRE_MAGIC = 0x62657201 }; // "ber", version 1

enum wire_type {
    WIRE_NOTE = 1,    // stepd -> task: text for the task's stderr
    WIRE_REFUSE = 2,  // stepd -> task: value is the exit status, text says
                      // why (empty: another task of this node has said it)
    WIRE_ACCEPT = 3,  // stepd -> task: fds = task link, overlay
    WIRE_HELLO = 4,   // init -> stepd: I am up
    WIRE_FORK = 5,    // stepd -> init: fds = task link
    WIRE_BORN = 6,    // the task's process -> stepd, with SCM_CREDENTIALS
    WIRE_RUN = 7,     // task -> the process: a struct wire_run, and fds =
                      // image, then the program's descriptors
    WIRE_SIGNAL = 8,  // task -> init: value is the signal's number
    WIRE_STOPPED = 9, // init -> task: the program stopped; value: by which
                      // signal
    WIRE_FAILED = 10, // init -> task: value is errno, text what could not
                      // be done ("chdir /data", "exec foo"); DONE follows not
    WIRE_DONE = 11,   // init -> task: value is the wait status, whole
};

// Every packet starts so.
struct wire_msg {
    uint32_t magic;
    uint32_t type;  // enum wire_type
    int32_t value;  // as the type says, else 0
    uint32_t bytes; // of text (without a NUL) or of the struct that follows
};

enum {
    WIRE_TEXT_MAX = 2048, // a sentence
    WIRE_KEEP_MAX = 16,   // descriptors of a task beyond 0, 1 and 2 (PMI)
    WIRE_FDS_MAX = 1 + 3 + WIRE_KEEP_MAX,
};

// Behind RUN's header. The image is a memfd of exactly `size` bytes,
// sealed against change: argc + envc + 1 NUL-terminated strings, one behind
// the other: the arguments (argv[0] is looked up in the environment's PATH
// unless it has a '/'), the environment, the working directory.
struct wire_run {
    uint64_t size;
    uint32_t argc; // at least 1
    uint32_t envc;
    uint32_t mask; // umask
    uint32_t tty;  // 1: descriptor 0 is to be the controlling terminal
    uint64_t ignored; // signals to ignore, bit N-1 for signal N, as execve
                      // hands them down; all others start at their default
    uint64_t blocked; // the signal mask, likewise
    uint32_t nkeep;   // descriptors beyond 0, 1, 2 that follow them in fds
    int32_t keep[WIRE_KEEP_MAX]; // the number each of them has in the task
};

// The overlay of ACCEPT: a sealed memfd of NUL-terminated strings that
// berth-task applies to the task's environment in order: "NAME=VALUE" sets,
// "NAME" alone removes. The first string is special: it is the program's
// argv[0], or empty where berth-task's own argv[1] is it (design: Slurm's
// spank_prepend_task_argv, or argv[0] replaced by the plugin).

#endif
