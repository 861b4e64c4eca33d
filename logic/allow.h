// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Which images the rules allow. Pure.
#ifndef BERTH_ALLOW_H
#define BERTH_ALLOW_H

#include "logic/decision.h"

// What the names of a user's own images begin with, which he has saved.
#define ALLOW_MINE "my/"

// Decides on IMAGE, as the user wrote it: fills the image of OUT and the rule
// that decided. A path ("/...", "./...", "../...") is an archive of SUBJECT's,
// of which the patterns say nothing: there is a key for these, and for "my/..."
// as well. Returns 0, or -1 with the denial in OUT; one that the user may have
// meant is named there.
int allow_image(struct decision *out, const struct subject *subject,
                const char *image);

#endif
