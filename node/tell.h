// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Lines for syslog that a step does not wait for.
#ifndef BERTH_TELL_H
#define BERTH_TELL_H

// Sends LINE with PRIORITY (facility and level), as berth-stepd's. As
// syslog(3), but that it doesn't wait where the daemon doesn't read: what
// isn't taken at once is lost.
void tell_syslog(int priority, const char *line);

#endif
