// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// A SPANK plugin that stands before berth's in slurmstepd, and spoils what
// that is to find there, or fails in srun. Its word: "nameless" takes away the
// node's name, without which berth cannot tell what a step is; "failing" fails
// as plugins did before Slurm 25.05, which the step then survives, while the
// plugins behind it are not called; "refusing" fails in srun as berth's does.

#include <stdlib.h>
#include <string.h>

#include <slurm/spank.h>

SPANK_PLUGIN(before, 1)

static int does(const char *what, int argc, char **argv)
{
    return spank_context() == S_CTX_REMOTE && argc == 1 &&
           strcmp(argv[0], what) == 0;
}

int slurm_spank_init(spank_t sp, int argc, char **argv)
{
    (void)sp;
    if (does("nameless", argc, argv))
        unsetenv("SLURMD_NODENAME");
    return 0;
}

int slurm_spank_init_post_opt(spank_t sp, int argc, char **argv)
{
    (void)sp;
    return does("failing", argc, argv) ? ESPANK_ERROR : 0;
}

// srun's alone.
int slurm_spank_local_user_init(spank_t sp, int argc, char **argv)
{
    (void)sp;
    return argc == 1 && strcmp(argv[0], "refusing") == 0 ? -ESPANK_ERROR : 0;
}
