// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Time that passes, in milliseconds: for limits, whatever the date is set to.
#ifndef BERTH_CLOCK_H
#define BERTH_CLOCK_H

long long clock_ms(void); // since some moment in the past
void clock_sleep(int ms);

#endif
