// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// How the plugin has a program of berth's started where slurmd is, from a
// slurmstepd that Slurm has put into namespaces of a job's. The plugin in
// slurmd starts berth-starter (stepd/starter.c), and says in slurmd's own
// environment, which slurmstepd inherits and no task does, where that listens:
// a SOCK_SEQPACKET socket, for root alone. A connection is one packet: the
// program's words, each with a NUL behind it, and beside it one descriptor,
// which will be its standard input. There is no answer: the program's end, and
// that it was not started, is the end of that descriptor's other side.
#ifndef BERTH_STARTER_H
#define BERTH_STARTER_H

// slurmd's variable, and what its value is but for slurmd's process number.
#define STARTER_ENV "BERTH_STARTER"
#define STARTER_PATH BERTH_STATEDIR "/.starter."

// What the first word can be.
#define STARTER_STEPD "berth-stepd"
#define STARTER_EPILOG "berth-epilog"

enum {
    STARTER_WORDS_MAX = 8,
    STARTER_PACKET_MAX = 1024, // the longest are the names of a node and a step
};

#endif
