// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include "logic/root_ids.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { COUNT_MIN = 65536 };

// The highest ID stands for "none" with the kernel.
#define ID_MAX (UINT32_MAX - 1)

// Takes a decimal number off TEXT.
static bool take_number(const char **text, uint32_t *out)
{
    size_t len = strspn(*text, "0123456789");
    uint64_t n = 0;

    if (len == 0 || len > 10 || (**text == '0' && len > 1))
        return false;
    for (size_t i = 0; i < len; i++)
        n = n * 10 + (uint64_t)((*text)[i] - '0');
    *text += len;
    *out = (uint32_t)n;
    return n <= ID_MAX;
}

// The name of an account is no number, which another key of subuid(5) can be.
static bool is_account(const char *text)
{
    return *text && !strchr("0123456789-.", *text) &&
           !text[strspn(text, "abcdefghijklmnopqrstuvwxyz"
                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")];
}

bool root_ids_parse(const char *text, struct root_ids *out)
{
    struct root_ids ids = {0};

    if (!take_number(&text, &ids.base) || *text++ != ':' ||
        !take_number(&text, &ids.count))
        return false;
    if (*text == ':' && is_account(text + 1))
        ids.account = text + 1;
    else if (*text &&
             (*text++ != ':' || !take_number(&text, &ids.first) || *text))
        return false;
    if (ids.base < COUNT_MIN || ids.count < COUNT_MIN ||
        (uint64_t)ids.base + ids.count - 1 > ID_MAX)
        return false;
    *out = ids;
    return true;
}

int root_ids_place(const struct root_ids *ids, uid_t uid,
                   struct root_range *out, struct berth_err *err)
{
    uint64_t place = ids->account ? 0 : (uint64_t)uid - ids->first;
    uint64_t start = ids->base + place * ids->count;

    if (uid >= ids->base && (!ids->account || uid - ids->base < ids->count))
        return err_set(err, BERTH_EDENIED,
                       "user %u is among the IDs that containers have: ask "
                       "your administrator for a root_ids that begins above "
                       "all users",
                       uid);
    if (uid < ids->first || start + ids->count - 1 > ID_MAX)
        return err_set(err, BERTH_EDENIED,
                       "there are no IDs for user %u to be root in a container "
                       "with: ask your administrator for another root_ids",
                       uid);
    *out = (struct root_range){(uint32_t)start, ids->count};
    return 0;
}

bool root_ids_suit(const struct root_ids *ids, bool podman, const char *dir,
                   char why[ROOT_IDS_WHY_MAX])
{
    const char *last = strrchr(dir, '/');
    unsigned uid, gid;
    int end = 0;
    bool maps =
        last && sscanf(last, "/%u.%u%n", &uid, &gid, &end) == 2 && !last[end];

    if (podman && ids->account)
        snprintf(why, ROOT_IDS_WHY_MAX,
                 "which has a map of IDs for each user, while root_ids of "
                 "berth.conf has one for all, as it is for a Docker with "
                 "userns-remap");
    else if (!podman && !maps)
        snprintf(why, ROOT_IDS_WHY_MAX,
                 "which has no map of IDs: it needs userns-remap, or "
                 "root_engine in berth.conf the socket of another engine");
    else if (!podman && !ids->account)
        snprintf(why, ROOT_IDS_WHY_MAX,
                 "which has one map of IDs for all users: root_ids of "
                 "berth.conf needs its account, or root_engine Podman's "
                 "socket");
    else if (!podman && (uid != ids->base || gid != ids->base))
        snprintf(why, ROOT_IDS_WHY_MAX,
                 "whose map of IDs begins at %u for users and at %u for "
                 "groups, while root_ids of berth.conf begins at %u",
                 uid, gid, ids->base);
    else
        return true;
    return false;
}

// The lines that a map can have by the kernel, and what one takes.
enum { LINES_MAX = 340, LINE_MAX_LENGTH = 34 };

static const struct root_pair *find(const struct root_pair *pairs, size_t n,
                                    uint64_t from)
{
    const struct root_pair *next = NULL;

    for (size_t i = 0; i < n; i++)
        if (pairs[i].disk >= from && (!next || pairs[i].disk < next->disk))
            next = &pairs[i];
    return next;
}

static size_t add_line(char *out, size_t len, uint32_t disk, uint32_t shown,
                       uint64_t count)
{
    return len + (size_t)snprintf(out + len, ROOT_MAP_MAX - len,
                                  "%u %u %" PRIu64 "\n", disk, shown, count);
}

void root_map_text(const struct root_range *range,
                   const struct root_pair *pairs, size_t n,
                   char out[ROOT_MAP_MAX])
{
    const uint64_t end = (uint64_t)ID_MAX + 1;
    uint64_t at = 0, stop;
    size_t len = 0, room = ROOT_MAP_MAX / LINE_MAX_LENGTH;

    // Each pair takes its own line and one more; two are the range's.
    if (room > LINES_MAX)
        room = LINES_MAX;
    if (n > (room - 3) / 2)
        n = (room - 3) / 2;
    out[0] = 0;
    while (at < end) {
        const struct root_pair *next = find(pairs, n, at);
        bool in =
            at >= range->start && at < (uint64_t)range->start + range->count;
        if (next && next->disk == at) {
            len = add_line(out, len, next->disk, next->shown, 1);
            at++;
            continue;
        }
        stop = next ? next->disk : end;
        if (in && stop > (uint64_t)range->start + range->count)
            stop = (uint64_t)range->start + range->count;
        if (!in && at < range->start && stop > range->start)
            stop = range->start;
        if (!in)
            len = add_line(out, len, (uint32_t)at, (uint32_t)at, stop - at);
        at = stop;
    }
}

bool root_range_meets(const struct root_range *range, uint64_t start,
                      uint64_t count)
{
    return count > 0 && start < (uint64_t)range->start + range->count &&
           range->start < start + count;
}

bool root_range_is(const struct root_range *range, const char *map)
{
    unsigned inside, start, count;
    int end = 0;

    return sscanf(map, " %u %u %u %n", &inside, &start, &count, &end) == 3 &&
           !map[end] && inside == 0 && start == range->start &&
           count == range->count;
}

bool root_range_inside(const struct root_range *range, uint32_t id,
                       uint32_t *out)
{
    if (range->count == 0)
        *out = id;
    else if (id >= range->start && id - range->start < range->count)
        *out = id - range->start;
    else
        return false;
    return true;
}

// The kernel's numbers have their lowest byte in front.
static uint32_t number_at(const unsigned char *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
           (uint32_t)at[3] << 24;
}

bool root_range_capability(const struct root_range *range,
                           unsigned char cap[ROOT_CAPABILITY_MAX], size_t *len)
{
    // The length follows from the version, which is in the highest byte: what
    // begins with a 3 ends with the ID of the root whose they are.
    enum { REVISION = 3, PLAIN = 2, PLAIN_LENGTH = 20, OWNED_LENGTH = 24 };

    if (range->count == 0)
        return true;
    if (*len == PLAIN_LENGTH && cap[REVISION] == PLAIN)
        return true;
    if (*len != OWNED_LENGTH || cap[REVISION] != PLAIN + 1 ||
        number_at(cap + PLAIN_LENGTH) != range->start)
        return false;
    cap[REVISION] = PLAIN;
    *len = PLAIN_LENGTH;
    return true;
}
