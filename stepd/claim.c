// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: the node's files of accounts, its user database, and names of files
// that only root can make.

#include "stepd/claim.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NSS_BUFFER = 4 * 1024 * 1024 };

enum { SYSTEM_UIDS = 1000 }; // as all distributions have it

static int taken(const struct root_range *range, const char *what,
                 const char *name, struct berth_err *err)
{
    char quoted[ERR_QUOTE_MAX];

    err_quote(name, quoted, sizeof(quoted));
    return err_set(
        err, BERTH_EDENIED,
        "the IDs from %u to %u, which root_ids of berth.conf has for "
        "you to be root in a container with, have %s %s among them: "
        "ask your administrator for another root_ids",
        range->start, range->start + range->count - 1, what, quoted);
}

// OUT is NULL where there is no such file. 0, or -1 with ERR set.
static int open_in(const char *etc, const char *name, FILE **out,
                   struct berth_err *err)
{
    char path[4096];

    snprintf(path, sizeof(path), "%s/%s", etc, name);
    *out = fopen(path, "re");
    return *out || errno == ENOENT
               ? 0
               : err_set(err, BERTH_ESYS,
                         "%s, which says whose IDs a container's root may not "
                         "have, cannot be read: %m",
                         path);
}

static int check_users(const char *etc, const struct root_range *range,
                       struct berth_err *err)
{
    const struct passwd *pw;
    FILE *f;
    int rc = open_in(etc, "passwd", &f, err);

    while (f && rc == 0 && (pw = fgetpwent(f)))
        if (root_range_meets(range, pw->pw_uid, 1))
            rc = taken(range, "the user", pw->pw_name, err);
    if (f)
        fclose(f);
    return rc;
}

static int check_groups(const char *etc, const struct root_range *range,
                        struct berth_err *err)
{
    const struct group *gr;
    FILE *f;
    int rc = open_in(etc, "group", &f, err);

    while (f && rc == 0 && (gr = fgetgrent(f)))
        if (root_range_meets(range, gr->gr_gid, 1))
            rc = taken(range, "the group", gr->gr_name, err);
    if (f)
        fclose(f);
    return rc;
}

// Who is ACCOUNT could be anybody in the range (newuidmap(1)): so nobody is.
static int check_account(const char *etc, const char *account,
                         struct berth_err *err)
{
    const struct passwd *pw;
    bool ours = false;
    FILE *f;

    if (!account)
        return 0;
    if (open_in(etc, "passwd", &f, err) < 0)
        return -1;
    while (f && (pw = fgetpwent(f)))
        if (strcmp(pw->pw_name, account) == 0) {
            ours = pw->pw_uid < SYSTEM_UIDS;
            break;
        }
    if (f)
        fclose(f);
    return ours ? 0
                : err_set(err, BERTH_EDENIED,
                          "%s, whose IDs you would be root in a container "
                          "with, is no system account of this node's (an ID "
                          "below %d in passwd): ask your administrator for "
                          "another userns-remap, and the same in root_ids of "
                          "berth.conf",
                          account, SYSTEM_UIDS);
}

// "NAME:START:COUNT"
static int check_subordinate(const char *etc, const char *name,
                             const struct root_range *range,
                             const char *account, struct berth_err *err)
{
    unsigned long start, count;
    char *line = NULL;
    size_t cap = 0;
    FILE *f;
    int rc = open_in(etc, name, &f, err);

    while (f && rc == 0 && getline(&line, &cap, f) > 0) {
        const char *colon = strchr(line, ':');
        if (!colon || sscanf(colon, ":%lu:%lu", &start, &count) != 2 ||
            !root_range_meets(range, start, count))
            continue;
        line[colon - line] = 0;
        if (account && strcmp(line, account) == 0 && start == range->start &&
            count == range->count)
            continue;
        rc = taken(range,
                   strcmp(name, "subuid") == 0 ? "those of subuid(5) for"
                                               : "those of subgid(5) for",
                   line, err);
    }
    free(line);
    if (f)
        fclose(f);
    return rc;
}

// Who would be root of all such containers, wherever the node knows him from.
static int check_first(const struct root_range *range, struct berth_err *err)
{
    struct passwd pw, *user = NULL;
    struct group gr, *group = NULL;
    char *buf = malloc(NSS_BUFFER);
    int rc = 0;

    if (!buf)
        return err_set(err, BERTH_ENOMEM, "memory is out");
    if (getpwuid_r(range->start, &pw, buf, NSS_BUFFER, &user) == 0 && user)
        rc = taken(range, "the user", user->pw_name, err);
    else if (getgrgid_r(range->start, &gr, buf, NSS_BUFFER, &group) == 0 &&
             group)
        rc = taken(range, "the group", group->gr_name, err);
    free(buf);
    return rc;
}

int claim_check(const char *etc, const struct root_range *range,
                const char *account, struct berth_err *err)
{
    return check_account(etc, account, err) < 0 ||
                   check_users(etc, range, err) < 0 ||
                   check_groups(etc, range, err) < 0 ||
                   check_subordinate(etc, "subuid", range, account, err) < 0 ||
                   check_subordinate(etc, "subgid", range, account, err) < 0 ||
                   check_first(range, err) < 0
               ? -1
               : 0;
}

// A file's name says it all: "UID.START.COUNT", or "all.START.COUNT".
static bool parse_name(const char *name, uid_t *uid, struct root_range *range)
{
    int end = 0;

    *uid = CLAIM_ALL;
    if (strncmp(name, "all", 3) == 0)
        name += 3;
    else if (sscanf(name, "%u%n", uid, &end) == 1)
        name += end;
    return sscanf(name, ".%u.%u%n", &range->start, &range->count, &end) == 2 &&
           !name[end];
}

// Looks for one of another user's.
static int compare(int dir, const char *path, uid_t uid,
                   const struct root_range *range, struct berth_err *err)
{
    const struct dirent *entry;
    struct root_range other;
    char whose[32] = "all users'";
    uid_t owner;
    int rc = 0;

    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d)
        return err_set(err, BERTH_ESYS, "reading %s: %m", path);
    while (rc == 0 && (entry = readdir(d))) {
        if (entry->d_name[0] == '.')
            continue;
        if (!parse_name(entry->d_name, &owner, &other))
            rc = err_set(err, BERTH_ESYS, "%s has a strange file: %s", path,
                         entry->d_name);
        else if (owner != uid &&
                 root_range_meets(range, other.start, other.count)) {
            if (owner != CLAIM_ALL)
                snprintf(whose, sizeof(whose), "user %u's", owner);
            rc = err_set(err, BERTH_EDENIED,
                         "the IDs from %u to %u, which root_ids of berth.conf "
                         "has for you to be root in a container with, were "
                         "%s before: ask your administrator for another "
                         "root_ids, or to remove %s/%s when nothing of theirs "
                         "is on this node",
                         range->start, range->start + range->count - 1, whose,
                         path, entry->d_name);
        }
    }
    closedir(d);
    return rc;
}

int claim_note(const char *dir, uid_t uid, const struct root_range *range,
               struct berth_err *err)
{
    char path[4096], name[64], who[16] = "all";
    int rc = -1, made = -1;

    snprintf(path, sizeof(path), "%s/ids", dir);
    if (uid != CLAIM_ALL)
        snprintf(who, sizeof(who), "%u", uid);
    snprintf(name, sizeof(name), "%s.%u.%u", who, range->start, range->count);
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return err_set(err, BERTH_ESYS, "making %s: %m", path);
    int at = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (at < 0 || flock(at, LOCK_EX) < 0)
        err_set(err, BERTH_ESYS, "opening %s: %m", path);
    else if (compare(at, path, uid, range, err) == 0) {
        made =
            openat(at, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        rc = made < 0 ? err_set(err, BERTH_ESYS, "making %s/%s: %m", path, name)
                      : 0;
    }
    if (made >= 0)
        close(made);
    if (at >= 0)
        close(at);
    return rc;
}
