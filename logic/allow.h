// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Which images the rules allow. Pure.
#ifndef BERTH_ALLOW_H
#define BERTH_ALLOW_H

#include "logic/decision.h"

// Decides on IMAGE, as the user wrote it: fills the image of OUT and the rule
// that decided. Returns 0, or -1 with the denial in OUT; one that the user
// may have meant is named there.
int allow_image(struct decision *out, const char *image);

#endif
