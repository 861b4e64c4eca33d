// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// What berth-stepd does for a step and how long each part takes, a line each,
// and each call of the engine: in syslog, where berth.conf(5) has "log_level
// = debug". Says nothing else of the step, and no value of the environment.
//
// There is one step in a process, and one trace.
#ifndef BERTH_TRACE_H
#define BERTH_TRACE_H

#include <stdbool.h>

#include "logic/step.h"

// The first phase begins. STEP (borrowed for good) may be known later: its
// name is read for each line.
void trace_start(const struct step *step);

// Whether there are lines. Until this is known they are kept; WANTED, they are
// written, and the engine's calls from now on as well.
void trace_want(bool wanted);

// A phase begins here, not where the last one ended.
void trace_begin(void);

// The phase WHAT (a literal) is done or, where RC is negative, has failed, and
// the next one begins. Returns RC.
int trace_phase(const char *what, int rc);

#endif
