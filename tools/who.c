// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: the command line, and this machine's user database. No privilege
// hangs on it: the node asks Slurm who somebody is.

#include "tools/who.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "logic/limits.h"

// Keeps a copy of TEXT. NULL: TEXT is, or memory is out.
static const char *keep(struct who *who, const char *text)
{
    return text && strv_add(&who->texts, text) == 0
               ? who->texts.v[who->texts.n - 1]
               : NULL;
}

// Reads "NUMBER[=NAME]" up to a comma, and moves TEXT behind that.
static bool read_id(struct who *who, const char **text, unsigned *id,
                    const char **name)
{
    char *end;

    errno = 0;
    unsigned long number = strtoul(*text, &end, 10);
    if (**text < '0' || **text > '9' || errno || number >= UINT32_MAX)
        return false;
    *id = (unsigned)number;
    *name = NULL;
    if (*end == '=') {
        size_t len = strcspn(end + 1, ",");
        char *copy = len ? strndup(end + 1, len) : NULL;
        *name = keep(who, copy);
        free(copy);
        if (!*name)
            return false;
        end += 1 + len;
    }
    if (*end && (*end != ',' || !end[1]))
        return false;
    *text = *end ? end + 1 : end;
    return true;
}

static bool add_group(struct who *who, gid_t gid, const char *name)
{
    size_t n = who->subject.ngids;
    gid_t *gids = reallocarray(who->gids, n + 1, sizeof(*gids));

    if (gids)
        who->gids = gids;
    const char **names = reallocarray(who->groups, n + 1, sizeof(*names));
    if (names)
        who->groups = names;
    if (!gids || !names)
        return false;
    gids[n] = gid;
    names[n] = name;
    who->subject.ngids++;
    return true;
}

static int describe(const struct who_words *words, struct who *out,
                    struct berth_err *err)
{
    struct subject *s = &out->subject;
    const char *uid = words->uid, *gid = words->gid, *groups = words->groups;
    const char *name;

    if (!read_id(out, &uid, &s->uid, &name) || name || *uid)
        return err_set(err, BERTH_EINVAL, "--uid=%s is no user's number",
                       words->uid);
    if (!gid || !read_id(out, &gid, &s->gid, &s->group) || *gid)
        return err_set(err, BERTH_EINVAL,
                       "--uid wants the number of the user's group with it, "
                       "and its name if rules go by that: --gid=100=users");
    while (groups && *groups) {
        unsigned id;
        if (!read_id(out, &groups, &id, &name) || !add_group(out, id, name))
            return err_set(err, BERTH_EINVAL,
                           "--groups=%s: write --groups=100=users,200=chem, "
                           "or the numbers alone",
                           words->groups);
    }
    s->user = keep(out, words->user);
    s->home = keep(out, words->home);
    return 0;
}

static int look_up(const struct who_words *words, struct who *out,
                   struct berth_err *err)
{
    struct subject *s = &out->subject;
    const struct passwd *pw =
        words->user ? getpwnam(words->user) : getpwuid(getuid());
    gid_t *gids = calloc(BERTH_GROUPS_MAX, sizeof(*gids));
    int n = BERTH_GROUPS_MAX, rc = -1;

    if (!gids) {
        err_set(err, BERTH_ENOMEM, "memory is out");
        goto out;
    }
    if (!pw) {
        err_set(err, BERTH_ENOTFOUND,
                "this machine knows no user %s: describe him with --uid, "
                "--gid and --groups",
                words->user ? words->user : "with your number");
        goto out;
    }
    s->uid = pw->pw_uid;
    s->gid = pw->pw_gid;
    s->user = keep(out, pw->pw_name);
    s->home = keep(out, words->home ? words->home : pw->pw_dir);
    if (getgrouplist(pw->pw_name, pw->pw_gid, gids, &n) < 0) {
        err_set(err, BERTH_ESYS, "the groups of %s cannot be had", s->user);
        goto out;
    }
    for (int i = 0; i < n; i++) {
        const struct group *gr = getgrgid(gids[i]);
        const char *name = keep(out, gr ? gr->gr_name : NULL);
        if (gids[i] == s->gid)
            s->group = name;
        // Slurm counts a job's own group among the others as well.
        if (!add_group(out, gids[i], name)) {
            err_set(err, BERTH_ENOMEM, "memory is out");
            goto out;
        }
    }
    rc = 0;
out:
    free(gids);
    return rc;
}

int who_find(const struct who_words *words, struct who *out,
             struct berth_err *err)
{
    *out = (struct who){0};
    if (!words->uid && (words->gid || words->groups))
        return err_set(err, BERTH_EINVAL,
                       "--gid and --groups describe a user with --uid");
    int rc = words->uid ? describe(words, out, err) : look_up(words, out, err);
    out->subject.gids = out->gids;
    out->subject.groups = out->groups;
    if (rc < 0)
        who_clear(out);
    return rc;
}

void who_clear(struct who *who)
{
    strv_clear(&who->texts);
    free(who->gids);
    free(who->groups);
    *who = (struct who){0};
}
