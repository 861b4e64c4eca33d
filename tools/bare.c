// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include "tools/bare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "logic/options.h"

void bare_environment(void)
{
    char pyxis[128];

    unsetenv("SLURM_CONTAINER");
    for (const struct option_info *o = option_table; o->name; o++) {
        if (!o->env)
            continue;
        snprintf(pyxis, sizeof(pyxis), "PYXIS_%s", o->env + strlen("BERTH_"));
        unsetenv(o->env);
        unsetenv(pyxis);
    }
}
