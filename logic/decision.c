// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
#include "logic/decision.h"

#include <errno.h>
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
