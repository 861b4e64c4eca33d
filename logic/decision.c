// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
#include "logic/decision.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

void decision_mount_clear(struct decision_mount *mount)
{
    free(mount->source);
    free(mount->target);
    for (size_t i = 0; i < mount->npatterns; i++)
        free(mount->patterns[i]);
    free(mount->patterns);
    *mount = (struct decision_mount){0};
}

void decision_clear(struct decision *decision)
{
    int saved = errno;

    for (size_t i = 0; i < decision->nmounts; i++)
        decision_mount_clear(&decision->mounts[i]);
    free(decision->mounts);
    for (size_t i = 0; i < decision->nrecursive; i++)
        free(decision->recursive[i]);
    free(decision->recursive);
    free(decision->archive);
    free(decision->save);
    free(decision->unnamed);
    free(decision->workdir);
    free(decision->home);
    free((void *)decision->env);
    for (size_t i = 0; i < decision->nenv_set; i++)
        free(decision->env_set[i]);
    free(decision->env_set);
    free(decision->gids);
    *decision = (struct decision){0};
    errno = saved;
}

uid_t decision_uid(const struct decision *decision,
                   const struct subject *subject)
{
    return decision->root ? decision->range.start : subject->uid;
}

gid_t decision_gid(const struct decision *decision,
                   const struct subject *subject)
{
    return decision->root ? decision->range.start : subject->gid;
}

void decision_image_name(const struct decision *decision,
                         char name[IMGREF_TEXT_MAX])
{
    if (decision->archive)
        snprintf(name, IMGREF_TEXT_MAX, "%s", decision->archive);
    else if (decision->mine)
        snprintf(name, IMGREF_TEXT_MAX, "%s:%s", decision->image.path,
                 decision->image.tag);
    else
        imgref_format(&decision->image, name);
}
