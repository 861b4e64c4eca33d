// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// What berth-init, berth-task and berth-slurm say to a person.
#ifndef BERTH_SAY_H
#define BERTH_SAY_H

// Writes "berth: " and the formatted sentence and a newline to descriptor
// FD in one write; but for newlines it is scrubbed (logic/utf8.h).
// Keeps errno.
void say(int fd, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
