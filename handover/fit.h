// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// A task's environment, where it names what the container has not.
#ifndef BERTH_FIT_H
#define BERTH_FIT_H

// Changes the environment ENV, in its place, by what the file system of this
// process has: TMPDIR goes where it is no directory to write to, SHELL becomes
// /bin/sh or goes, of LD_PRELOAD what is no file goes, and LANG and LC_* go
// where there is no such locale: the C library would warn, and do without.
// The strings may be written to.
void fit_environment(char **env);

#endif
