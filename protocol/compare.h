// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// How the nodes of a step tell srun which image they have. srun listens where
// Slurm has its own tasks reach it, and sends along
//
//   PORT SECRET
//
// in the step's environment. Where an image was asked for by a name that can
// lead to another one tomorrow, the first task of each node connects to that
// port of the host from which the step was started ($SLURM_LAUNCH_NODE_IPADDR),
// and sends one line:
//
//   SECRET NODE NAME ID DIGEST
//
// NAME is the image's whole name, DIGEST what the same image is called for
// good, or "-": nobody knows. Nothing is answered, and nobody waits for it: who
// does not get through has told nothing.
#ifndef BERTH_COMPARE_LINE_H
#define BERTH_COMPARE_LINE_H

enum {
    COMPARE_SECRET = 32,    // hex digits
    COMPARE_WHERE_MAX = 48, // PORT SECRET
    COMPARE_LINE_MAX = 2000,
    COMPARE_WORD_MAX = 900,
};

#endif
