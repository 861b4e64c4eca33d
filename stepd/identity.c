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

static void add_group(FILE *out, gid_t gid, const char *user, char *buf)
{
    struct group gr, *found = NULL;
    char number[32];

    snprintf(number, sizeof(number), "group%u", gid);
    if (getgrgid_r(gid, &gr, buf, NSS_BUFFER, &found) != 0)
        found = NULL;
    fprintf(out, "%s:x:%u:%s\n", field(found ? gr.gr_name : NULL, number),
            gid, user);
}

int identity_lookup(const struct step *step, struct identity *out,
                    struct berth_err *err)
{
    struct passwd pw, *found = NULL;
    char number[32], *group = NULL, *passwd = NULL, *home = NULL;
    size_t size;
    char *buf = malloc(NSS_BUFFER), *user = NULL;

    snprintf(number, sizeof(number), "user%u", step->uid);
    if (buf && getpwuid_r(step->uid, &pw, buf, NSS_BUFFER, &found) != 0)
        found = NULL;
    home = strdup(field(found ? pw.pw_dir : NULL, "/"));
    user = strdup(field(found ? pw.pw_name : NULL, number));
    // The image need not have the user's shell; every image that has a
    // shell has this one.
    if (home && user &&
        asprintf(&passwd, "%s:x:%u:%u::%s:/bin/sh\n", user, step->uid,
                 step->gid, home) < 0)
        passwd = NULL;
    FILE *f = open_memstream(&group, &size);
    if (f && buf && user) {
        add_group(f, step->gid, "", buf);
        for (size_t i = 0; i < step->ngids; i++)
            if (step->gids[i] != step->gid)
                add_group(f, step->gids[i], user, buf);
    }
    if (f && fclose(f) != 0) {
        free(group);
        group = NULL;
    }
    free(user);
    free(buf);
    *out = (struct identity){home, passwd, group};
    if (!home || !passwd || !group) {
        identity_clear(out);
        return err_set(err, BERTH_ENOMEM, "memory is out");
    }
    return 0;
}

void identity_clear(struct identity *identity)
{
    free(identity->home);
    free(identity->passwd);
    free(identity->group);
    *identity = (struct identity){0};
}
