// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// An image that is a file or a directory of the user's: read by a process that
// is the user, and loaded as what is fetched is (images/load.h), under a name
// of berth's own. The record of it is this user's: it says that all of it came
// from him once, so that the next step needs no more than its configuration.
// Another's image with the same ID, of which he has not the layers, is none of
// his.
#ifndef BERTH_IMAGES_ARCHIVE_H
#define BERTH_IMAGES_ARCHIVE_H

#include "images/get.h"

// As images_get, for the archive PATH; ORDER's ref does not count.
int images_get_archive(const struct images_order *order, const char *path,
                       struct engine *engine, struct images_got *out,
                       struct berth_err *err);

#endif
