// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Whether IDs of this node may stand for those of a container: they are
// nobody's here, and have been no other user's. As root.
#ifndef BERTH_CLAIM_H
#define BERTH_CLAIM_H

#include <sys/types.h>

#include "logic/err.h"
#include "logic/root_ids.h"

// Where the node's accounts are, and what they may use: in the place of
// "/etc" another directory, for tests.
#define CLAIM_ETC "/etc"

// Looks whether RANGE has an ID of an account, a group, or a range of
// subuid(5) or subgid(5), of the files in ETC; or its first one of any that the
// node knows. ACCOUNT, if that is not NULL, may have RANGE itself there, and
// must be a system account. 0, or -1 with ERR set (BERTH_EDENIED).
int claim_check(const char *etc, const struct root_range *range,
                const char *account, struct berth_err *err);

// In the place of a user's ID: a range is all users'.
#define CLAIM_ALL ((uid_t)-1)

// Writes down in the directory "ids" of DIR, which is made if need be, that
// RANGE is the user UID's from now on. 0, or -1 with ERR set: another user has
// had one of its IDs (BERTH_EDENIED).
int claim_note(const char *dir, uid_t uid, const struct root_range *range,
               struct berth_err *err);

#endif
