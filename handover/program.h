// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The last step of a task's start: the program itself, and why it is none.
#ifndef BERTH_PROGRAM_H
#define BERTH_PROGRAM_H

#include <stddef.h>

// Becomes the program ARGV[0], found as execvp(3) finds it, with the
// environment that this process has. A file that the kernel does not know as a
// program is a script for /bin/sh, unless it is an ELF file; for that ARGV has
// a place of its caller's in front of it.
// Returns if it can't: the exit status, and WHY (SIZE bytes) has the sentence.
// HINT ends the sentence where nothing of that name is there; it may be empty.
int program_become(char **argv, const char *hint, char *why, size_t size);

#endif
