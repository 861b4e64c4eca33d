// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: the user's environment. options_set judges each value again on
// each side.

#include "spank/option_env.h"

#include <stdio.h>
#include <stdlib.h>

#include "logic/limits.h"

enum { VARIABLE_MAX = 128 };

// What Slurm puts in front of a variable of the job's SPANK environment, and
// of a SPANK option's variable within that.
#define JOB_PREFIX "SLURM_SPANK_"
#define OPTION_PREFIX "_SLURM_SPANK_OPTION_berth_"

// Writes the variable of the option NAME to BUF: what stands behind
// JOB_PREFIX is Slurm's own name of the option's variable.
static void variable(const char *name, char buf[VARIABLE_MAX])
{
    int n = snprintf(buf, VARIABLE_MAX, JOB_PREFIX OPTION_PREFIX);

    for (; *name && n < VARIABLE_MAX - 1; name++)
        buf[n++] = *name == '-' ? '_' : *name;
    buf[n] = 0;
}

// No options, but they go the same way.
static const char policy[] = "policy", compare[] = "compare";

static const char *inner(const char *variable)
{
    return variable + sizeof(JOB_PREFIX) - 1;
}

void option_env_forget(struct options *out)
{
    char name[VARIABLE_MAX];

    for (const struct option_info *o = option_table; o->name; o++) {
        variable(o->name, name);
        const char *value = getenv(name);
        if (value)
            options_set(out, o->name, o->arg ? value : NULL, NULL);
        unsetenv(name);
        unsetenv(inner(name));
    }
    variable(policy, name);
    unsetenv(name);
    variable(compare, name);
    unsetenv(name);
}

static int send_one(void *sp, const char *option, const char *value)
{
    char name[VARIABLE_MAX];

    // srun's steps have its environment; sbatch and salloc put the job's
    // SPANK environment into the job's own, after the rest of it is made.
    variable(option, name);
    if (spank_context() == S_CTX_LOCAL)
        return setenv(name, value ? value : "", 1);
    return spank_job_control_setenv(sp, inner(name), value ? value : "", 1) ==
                   ESPANK_SUCCESS
               ? 0
               : -1;
}

int option_env_send(spank_t sp, const struct options *options)
{
    return options_each(options, send_one, sp);
}

// What sbatch and salloc start first is on one node.
int option_env_send_policy(const char *fingerprint)
{
    char name[VARIABLE_MAX];

    variable(policy, name);
    return spank_context() == S_CTX_LOCAL ? setenv(name, fingerprint, 1) : 0;
}

int option_env_send_compare(const char *where)
{
    char name[VARIABLE_MAX];

    variable(compare, name);
    return setenv(name, where, 1);
}

static bool receive(spank_t sp, const char *word, char *out, int size)
{
    char name[VARIABLE_MAX];

    variable(word, name);
    spank_err_t got = spank_getenv(sp, name, out, size);
    spank_unsetenv(sp, name);
    return got == ESPANK_SUCCESS;
}

bool option_env_receive_policy(spank_t sp, char out[POLICY_FINGERPRINT])
{
    return receive(sp, policy, out, POLICY_FINGERPRINT);
}

bool option_env_receive_compare(spank_t sp, char out[COMPARE_WHERE_MAX])
{
    return receive(sp, compare, out, COMPARE_WHERE_MAX);
}

int option_env_receive(spank_t sp, struct options *options,
                       struct berth_err *err)
{
    size_t size = BERTH_FACT_MAX;
    char *value = malloc(size);
    char name[VARIABLE_MAX];
    int rc = value ? 0 : err_set(err, BERTH_ENOMEM, "memory is out");

    for (const struct option_info *o = option_table; rc == 0 && o->name; o++) {
        variable(o->name, name);
        spank_err_t got = spank_getenv(sp, name, value, (int)size);
        if (got == ESPANK_NOSPACE)
            rc = err_set(err, BERTH_EINVAL, "--%s is too long: shorten it",
                         o->name);
        else if (got == ESPANK_SUCCESS)
            rc = options_set(options, o->name, o->arg ? value : NULL, err);
        spank_unsetenv(sp, name);
    }
    free(value);
    return rc;
}
