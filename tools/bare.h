// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The environment for a step on the host.
#ifndef BERTH_BARE_H
#define BERTH_BARE_H

// Takes out of this process's environment all by which its user's steps are in
// containers: Slurm's own variable, the plugin's, and pyxis's, which that knows.
void bare_environment(void);

#endif
