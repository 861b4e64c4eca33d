// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: the node's user database.

#include "stepd/identity.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The buffer that NSS fills: a group can have thousands of members.
enum { NSS_BUFFER = 4 * 1024 * 1024 };

// What stands between the ':' of these files.
static const char *field(const char *s, const char *otherwise)
{
    return s && *s && !strpbrk(s, ":\n") ? s : otherwise;
}

// Appends the line of group GID, and returns its name, if it has one.
static char *add_group(FILE *out, gid_t gid, const char *user, char *buf)
{
    struct group gr, *found = NULL;
    char number[32];

    snprintf(number, sizeof(number), "group%u", gid);
    if (getgrgid_r(gid, &gr, buf, NSS_BUFFER, &found) != 0)
        found = NULL;
    const char *name = field(found ? gr.gr_name : NULL, NULL);
    fprintf(out, "%s:x:%u:%s\n", name ? name : number, gid, user);
    return name ? strdup(name) : NULL;
}

static char *make_groups(const struct step *step, const char *user,
                         struct identity *out, char *buf)
{
    char *text = NULL;
    size_t size;

    out->groups = calloc(step->ngids + 1, sizeof(*out->groups));
    FILE *f = out->groups ? open_memstream(&text, &size) : NULL;
    if (!f)
        return NULL;
    out->ngroups = step->ngids;
    out->primary = add_group(f, step->gid, "", buf);
    for (size_t i = 0; i < step->ngids; i++)
        if (step->gids[i] != step->gid)
            out->groups[i] = add_group(f, step->gids[i], user, buf);
        else if (out->primary)
            out->groups[i] = strdup(out->primary);
    if (fclose(f) == 0)
        return text;
    free(text);
    return NULL;
}

int identity_lookup(const struct step *step, struct identity *out,
                    struct berth_err *err)
{
    struct passwd pw, *found = NULL;
    char number[32];
    char *buf = malloc(NSS_BUFFER);

    *out = (struct identity){0};
    snprintf(number, sizeof(number), "user%u", step->uid);
    if (buf && getpwuid_r(step->uid, &pw, buf, NSS_BUFFER, &found) != 0)
        found = NULL;
    const char *home = field(found ? pw.pw_dir : NULL, NULL);
    const char *user = field(found ? pw.pw_name : NULL, NULL);
    out->home = home ? strdup(home) : NULL;
    out->user = user ? strdup(user) : NULL;
    out->passwd = strdup("");
    if (buf)
        out->group =
            make_groups(step, out->user ? out->user : number, out, buf);
    free(buf);
    if (!out->passwd || !out->group) {
        identity_clear(out);
        return err_set(err, BERTH_ENOMEM, "memory is out");
    }
    return 0;
}

int identity_add_user(struct identity *identity, const struct step *step,
                      const char *home, struct berth_err *err)
{
    char number[32], *text;

    snprintf(number, sizeof(number), "user%u", step->uid);
    if (asprintf(&text, "%s:x:%u:%u::%s:/bin/sh\n%s",
                 identity->user ? identity->user : number, step->uid, step->gid,
                 field(home, "/"), identity->passwd) < 0)
        return err_set(err, BERTH_ENOMEM, "memory is out");
    free(identity->passwd);
    identity->passwd = text;
    return 0;
}

int identity_add_slurm(struct identity *identity, const char *slurm_user,
                       struct berth_err *err)
{
    const char *const names[] = {"root", slurm_user};
    char *buf = malloc(NSS_BUFFER);
    int rc = buf ? 0 : -1;

    for (size_t i = 0; rc == 0 && i < sizeof(names) / sizeof(*names); i++) {
        struct passwd pw, *found = NULL;
        char *text;
        if (!names[i] ||
            getpwnam_r(names[i], &pw, buf, NSS_BUFFER, &found) != 0 || !found)
            continue;
        if (asprintf(&text, "%s%s:x:%u:%u::%s:/bin/sh\n", identity->passwd,
                     names[i], pw.pw_uid, pw.pw_gid,
                     field(pw.pw_dir, "/")) < 0) {
            rc = -1;
            break;
        }
        free(identity->passwd);
        identity->passwd = text;
    }
    free(buf);
    return rc == 0 ? 0 : err_set(err, BERTH_ENOMEM, "memory is out");
}

void identity_clear(struct identity *identity)
{
    free(identity->user);
    free(identity->home);
    free(identity->primary);
    for (size_t i = 0; i < identity->ngroups; i++)
        free(identity->groups[i]);
    free(identity->groups);
    free(identity->passwd);
    free(identity->group);
    *identity = (struct identity){0};
}
