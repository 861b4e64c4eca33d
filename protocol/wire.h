// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// What berth-task, berth-init and berth-stepd say to each other. Three
// SOCK_SEQPACKET links; each message is one packet: a fixed header, perhaps
// a struct or text behind it, perhaps descriptors beside it (SCM_RIGHTS).
// Both ends of each link come from the same build: a wrong magic is an
// error, there is no negotiation.
//
//   step link:    berth-task -> berth-stepd, at $BERTH_STEP (a socket's path)
//   control link: berth-init -> berth-stepd, at WIRE_CONTROL_PATH, inside
//   task link:    berth-task <-> the container; a socketpair made by
//                 berth-stepd. berth-init keeps its end as long as the task
//                 lives, berth-task the other.
//
// A task's start:
//   1. berth-task connects to the step link. berth-stepd knows who that is
//      by SO_PEERCRED, and may send any number of NOTE, and TELL.
//   2. When the container is up, berth-stepd makes the task link and sends
//      one end to berth-init with FORK.
//   3. berth-init forks the task's process, which sends BORN on the task
//      link, with its credentials (the kernel adds them, since berth-stepd
//      has set SO_PASSCRED on its end), to berth-stepd.
//   4. berth-stepd checks it, moves it into the Slurm task's cgroups, gives
//      it the Slurm task's limits, priority and affinity, and sends the other
//      end of the task link to berth-task with ACCEPT. From here on the two
//      are alone.
//   5. berth-task sends RUN, and the process becomes the program. If it
//      can't, it says why on the descriptor 2 that it was given, and exits:
//      127 if there is no such program, 126 if it can't be executed, 125 if
//      something before that failed (the working directory, a descriptor).
//   6. berth-init sends DONE, in either case.
// Where ACCEPT says that berth-stepd waits for the program's end, the step link
// stays: berth-task passes DONE on to it, and stands there until LEAVE. What
// was to be saved is saved by then, or REFUSE has said why not.
//
// Several berth-stepds may hold the control link at once: what they send is
// one packet each, answers come on links of their own, and the end of the last
// one's is the end of the link.
//
// The end of any link is a message as well: see each program. A message
// that berth-init or berth-task doesn't expect ends the link it came on.
#ifndef BERTH_WIRE_H
#define BERTH_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// Where berth-init and its control socket are inside every container.
#define WIRE_INIT_PATH "/run/berth/init"
#define WIRE_CONTROL_PATH "/run/berth/control"

// berth-init's only argument, where the administrator's seccomp profile alone
// decides on system calls.
#define WIRE_INIT_PROFILE "profile"

// The variable by which the plugin tells berth-task the path of the step
// link; empty where there is none and the plugin has said why. berth-task
// takes it out of the task's environment.
#define WIRE_STEP_ENV "BERTH_STEP"

// What srun puts before a program's name, and the node takes off again: one
// that does not load the plugin finds no such program, where it would have run
// it on the host. Slurm shows the path to the user.
#define WIRE_ONLY_HERE "/run/berth/is-not-loaded-on-this-node/"

enum { WIRE_MAGIC = 0x62657201 }; // "ber", version 1

enum wire_type {
    WIRE_NOTE = 1,     // stepd -> task: text for the task's stderr; value
                       // WIRE_NOTE_PROGRESS: the next one may replace it
    WIRE_REFUSE = 2,   // stepd -> task: value is the exit status, text says
                       // why (empty: another task of this node has said it)
    WIRE_ACCEPT = 3,   // stepd -> task: fds = task link, changes; value: any
                       // of WIRE_ACCEPT_*
    WIRE_HELLO = 4,    // init -> stepd: I am up; value 1: the engine's seccomp
                       // filter refuses what one should (handover/filter.h)
    WIRE_FORK = 5,     // stepd -> init: fds = task link; value: tasks with the
                       // same share a process group
    WIRE_BORN = 6,     // the task's process -> stepd, with SCM_CREDENTIALS
    WIRE_RUN = 7,      // task -> the process: a struct wire_run, and fds =
                       // start data, then the program's descriptors
    WIRE_SIGNAL = 8,   // task -> init: value is the signal's number; below 0,
                       // for the others of the program's process group
    WIRE_DONE = 9,     // init -> task, task -> stepd: value is the wait
                       // status, whole
    WIRE_CLEAR = 10,   // stepd -> init: fds = a link for the answer. All that
                       // runs in the container is to be killed; with a value,
                       // the tasks that came with the same by FORK
    WIRE_CLEARED = 11, // init -> stepd, on that link: nothing is left
    WIRE_TELL = 12,    // stepd -> task, before ACCEPT: the text is a port of
                       // srun's host, a space, and what to send there, if that
                       // can be (protocol/compare.h)
    WIRE_ANSWER = 13,  // stepd -> task, in place of ACCEPT: the step runs no
                       // program; fds = what the first task is to write;
                       // value is the exit status
    WIRE_LEAVE = 14,   // stepd -> task: it may end as its program did
};

// Every packet starts so.
struct wire_msg {
    uint32_t magic;
    uint32_t type;  // enum wire_type
    int32_t value;  // as the type says, else 0
    uint32_t bytes; // of text (without a NUL) or of the struct that follows
};

enum {
    WIRE_NOTE_PROGRESS = 1,
    WIRE_TEXT_MAX = 2048, // a sentence or two
    WIRE_KEEP_MAX = 64,   // descriptors of a task beyond 0, 1 and 2 (PMI)
    WIRE_FDS_MAX = 1 + 3 + WIRE_KEEP_MAX,
    WIRE_LIMITS = 16, // RLIM_NLIMITS
    WIRE_NODES = 16,  // words of 64 NUMA nodes: the kernel has 1024 at most
    // execve's own limit for arguments and environment is 6 MiB.
    WIRE_START_MAX = 8 * 1024 * 1024,
    // berth-stepd's changes: tens of variables.
    WIRE_CHANGES_MAX = 1024 * 1024,
    // What berth-task and the process exit with when they fail themselves.
    WIRE_EXIT_BERTH = 125,
    WIRE_EXIT_NOEXEC = 126,
    WIRE_EXIT_NOENT = 127,
};

enum {
    WIRE_ACCEPT_BATCH = 1, // it is a batch script, whose process group Slurm
                           // signals
    WIRE_ACCEPT_SAVE = 2,  // berth-stepd waits for the program's end
};

enum {
    WIRE_RUN_TTY = 1,  // descriptor 0 is to be the controlling terminal
    WIRE_RUN_ROOT = 2, // what cannot start in its directory starts in /
};

// Behind RUN's header. The start data is the reading end of a pipe from which
// exactly `size` bytes come: argc + envc + 2 NUL-terminated strings, one
// behind the other: the arguments (argv[0] is looked up in the
// environment's PATH unless it has a '/'), the environment, the working
// directory, and what may be said if there is no such program, or nothing.
// (A pipe, since RLIMIT_FSIZE bounds a memfd.)
struct wire_run {
    uint64_t size;    // at most WIRE_START_MAX
    uint64_t ignored; // signals to ignore, bit N-1 for signal N, as execve
                      // hands them down; all others start at their default
    uint64_t blocked; // the signal mask, likewise
    uint32_t argc;    // at least 1
    uint32_t envc;
    uint32_t mask;      // umask
    uint32_t flags;     // WIRE_RUN_*
    uint32_t nkeep;     // descriptors beyond 0, 1, 2 that follow them in fds
    uint32_t mempolicy; // of set_mempolicy(2); 0: none
    // By RLIMIT_*: what Slurm gave the task. The kernel lets the process
    // lower its own, and the engine gave it those of slurmd, which bound
    // every task.
    struct {
        uint64_t soft;
        uint64_t hard;
    } limits[WIRE_LIMITS];
    uint64_t nodes[WIRE_NODES];  // that it is about
    int32_t keep[WIRE_KEEP_MAX]; // the number each of them has in the task,
                                 // ascending from 3
};

// The changes of ACCEPT: a sealed memfd of NUL-terminated strings by which
// berth-task changes, in their order, what it was started with. The first
// character of each says what the others are.
enum wire_change {
    WIRE_ARGV0 = '0',   // the program's argv[0], in whose place the plugin
                        // had put berth-task. Without it berth-task was put
                        // in front, and argv[1] is the program
                        // (Slurm's spank_prepend_task_argv)
    WIRE_ENTRY = '@',   // a word in front of the program, behind those that
                        // came before: the image's entry point
    WIRE_OWN = '*',     // the program is empty, and none: the entry point is,
                        // and behind it the arguments, or if there are none
    WIRE_CMD = ',',     // these words: the image's CMD
    WIRE_CWD = '>',     // where the program starts: this is always there,
    WIRE_WORKDIR = ')', // or this, which may not be in the container: then in /
    WIRE_DROP = '-',    // globs ('*' is any run) with '=' between them:
                        // removes the variables whose names one of them
                        // matches, but none that one behind "==" matches
    WIRE_UNLESS = '^',  // NAME=VALUE: removes the variable if it is that
    WIRE_KEEP = '~',    // globs with '=' between them: removes the variables
                        // whose names none of them matches
    WIRE_SET = '=',     // NAME=VALUE: sets the variable
    WIRE_DEFAULT = '?', // NAME=VALUE: likewise, if there is none
    WIRE_COPY = '+',    // NAME=OTHER: sets the variable to what OTHER is, if
                        // there is that
    WIRE_FIRST = '1',   // NAME=OTHER: sets it, if there is none, to the first
                        // host of Slurm's list OTHER, if there is that
    WIRE_LIMIT = '#',   // RESOURCE=SOFT:HARD, decimal, of setrlimit
    WIRE_HINT = '!',    // what may be said if there is no such program
};

// A message as it was received.
struct wire_in {
    struct wire_msg msg;
    int fds[WIRE_FDS_MAX]; // all close-on-exec, and the caller's to close
    int nfds;
    pid_t pid; // of the sender, or 0; uid and gid likewise. Only where
    uid_t uid; // SO_PASSCRED is set on the receiving end.
    gid_t gid;
    union {
        char text[WIRE_TEXT_MAX + 1]; // NUL-terminated
        struct wire_run run;
    } u;
};

// Sends one message. DATA (LEN bytes, may be NULL if that is 0) and the
// descriptors in FDS are only read. FLAGS are send's; MSG_NOSIGNAL is
// always added. Text longer than WIRE_TEXT_MAX is cut. Returns 0, or -1
// and errno.
int wire_send(int fd, enum wire_type type, int32_t value, const void *data,
              size_t len, const int *fds, int nfds, int flags);

// Receives one message. FLAGS are recvmsg's. Returns 1 and IN; 0 at the end
// of the link; or -1 and errno, with every descriptor that came closed:
// EPROTO if it is not one of the messages above, whole and with as many
// bytes and descriptors as its type has; EMFILE if this process has no room
// for its descriptors; otherwise recvmsg's (EAGAIN with MSG_DONTWAIT).
int wire_recv(int fd, struct wire_in *in, int flags);

// Closes what IN still has: each descriptor that is not -1.
void wire_close(struct wire_in *in);

// Closes every descriptor of this process from FIRST on.
void wire_close_from(int first);

// Says whether RUN makes sense and fits the NFDS descriptors beside it.
bool wire_run_valid(const struct wire_run *run, int nfds);

// Takes DATA (RUN->size bytes) of a valid RUN apart. VEC has room for argc
// + envc + 2 pointers: the arguments, NULL, the environment, NULL; they, CWD
// and HINT point into DATA. Returns 0, or -1 if RUN and DATA don't fit
// together.
int wire_run_parse(const struct wire_run *run, char *data, char **vec,
                   const char **cwd, const char **hint);

#endif
