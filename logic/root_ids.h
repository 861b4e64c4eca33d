// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Which IDs of the node stand for a container's own where its user is root in
// it (--container-root): one range for each user, which is nobody else's; or
// one for all of them, where that is what an engine has.
#ifndef BERTH_ROOT_IDS_H
#define BERTH_ROOT_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "logic/err.h"

// What root_ids of berth.conf(5) says: the user whose ID is FIRST has the COUNT
// IDs from BASE on, and each user behind him the next ones. With an ACCOUNT all
// users have the same ones, those of a Docker with userns-remap, which
// subuid(5) and subgid(5) have for that account.
struct root_ids {
    uint32_t base;
    uint32_t count; // 0: there are none
    uint32_t first;
    const char *account; // NULL: each user has his own
};

// The IDs 0 to COUNT - 1 of a container are START and those behind it on the
// node, of users and of groups alike. COUNT 0: its IDs are the node's.
struct root_range {
    uint32_t start;
    uint32_t count;
};

// Reads "BASE:COUNT", "BASE:COUNT:FIRST" or "BASE:COUNT:ACCOUNT"; the account
// is TEXT's own. A range is no smaller than 65536, since nobody is 65534 in
// images, and does not begin below that. False: TEXT is no such thing.
bool root_ids_parse(const char *text, struct root_ids *out);

// The range of the user UID. 0, or -1 with ERR set (BERTH_EDENIED): he has
// none, or is himself in what ranges are for.
int root_ids_place(const struct root_ids *ids, uid_t uid,
                   struct root_range *out, struct berth_err *err);

enum { ROOT_IDS_WHY_MAX = 256 };

// Says whether containers can have the IDs of IDS by an engine: PODMAN, which
// maps as it is told, or else a Docker whose data is in DIR, whose last part is
// "UID.GID" where it maps root to these. If not, WHY goes on with "Docker, ".
bool root_ids_suit(const struct root_ids *ids, bool podman, const char *dir,
                   char why[ROOT_IDS_WHY_MAX]);

// An ID of the node's file systems, and what it is to be within a mount.
struct root_pair {
    uint32_t disk;
    uint32_t shown; // an ID of the range
};

enum { ROOT_MAP_MAX = 4096 }; // less than a page, as the kernel takes it

// Writes the map of a mount for a container that has RANGE, in the kernel's
// words (user_namespaces(7)): each of the N PAIRS, as far as there is room, of
// which the first has; and every other ID itself, for whom its owner's rights
// stay what they are, and who is nobody inside; but those of RANGE, which are
// none at all.
void root_map_text(const struct root_range *range,
                   const struct root_pair *pairs, size_t n,
                   char out[ROOT_MAP_MAX]);

// Says whether RANGE has one of the COUNT IDs from START on.
bool root_range_meets(const struct root_range *range, uint64_t start,
                      uint64_t count);

// Says whether MAP, a uid_map or gid_map as the kernel shows it, is RANGE's,
// and has nothing else.
bool root_range_is(const struct root_range *range, const char *map);

// What a container that has RANGE calls the node's ID. False: it has no such.
bool root_range_inside(const struct root_range *range, uint32_t id,
                       uint32_t *out);

enum { ROOT_CAPABILITY_MAX = 64 };

// Takes the node out of the capabilities of a file, the LEN bytes of CAP, as
// the kernel keeps them (capabilities(7)): where they are those of the root
// of a container that has RANGE, they become those of any root. False: they are
// another's, or nothing that the kernel has.
bool root_range_capability(const struct root_range *range,
                           unsigned char cap[ROOT_CAPABILITY_MAX], size_t *len);

#endif
