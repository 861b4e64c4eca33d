// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The text of a `srun --multi-prog` configuration (srun(1), "MULTIPLE
// PROGRAM CONFIGURATION"): lines of ranks, a program and its arguments,
// which srun sends to the nodes as the first argument of the step. There
// slurmstepd makes an argv of its own for each task, out of a plugin's
// reach, so what has to be in front of each program is put there before.
#ifndef BERTH_MULTIPROG_H
#define BERTH_MULTIPROG_H

#include <stdbool.h>

// Says whether TEXT is such a configuration. Some command's argument that
// looks like one cannot be told from it.
bool multiprog_is(const char *text);

// Says whether every line of the configuration TEXT runs PROGRAM.
bool multiprog_runs(const char *text, const char *program);

// Returns a new string, TEXT with PATH in front of each line's program, as a
// word of its own (APART) or as a part of it; or NULL when memory is out. PATH
// has no blanks, quotes, backslashes and percent signs.
char *multiprog_wrap(const char *text, const char *path, bool apart);

#endif
