// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
#include "logic/gpu_rules.h"

#include <string.h>

#include "logic/deny.h"

static bool has_type(const struct rule_list *types, const char *type)
{
    for (size_t i = 0; i < types->n; i++)
        if (strcmp(types->v[i]->text, type) == 0)
            return true;
    return types->n == 0;
}

static int check_types(const struct gpu_set *set, const struct gpu_table *table,
                       const char *node, const struct rules *rules,
                       struct berth_err *err)
{
    char where[DENY_WHERE_MAX], types[DENY_LIST_MAX];

    for (size_t i = 0; i < table->n; i++) {
        const char *type = table->gpus[i].type;
        if (set->has[i] && !has_type(&rules->gpu_types, type))
            return err_set(err, BERTH_EDENIED,
                           "GPU %zu of node %s (%s%s) cannot be had in a "
                           "container: %s allows %s: ask Slurm for these",
                           i, node, type[0] ? "type " : "without a type", type,
                           deny_where(rules->gpu_types.v[0], where),
                           deny_list(&rules->gpu_types, NULL, types));
    }
    return 0;
}

static int check_indices(const struct gpu_set *set, const char *node,
                         const struct rules *rules, struct berth_err *err)
{
    const struct rule_list *list = &rules->gpu_indices;
    char where[DENY_WHERE_MAX], indices[DENY_LIST_MAX];
    bool allowed[GPU_MAX] = {false};

    for (size_t k = 0; k < list->n; k++)
        for (size_t i = 0; i < GPU_MAX; i++)
            allowed[i] |= list->v[k]->gpus->has[i];
    for (size_t i = 0; list->n > 0 && i < GPU_MAX; i++)
        if (set->has[i] && !allowed[i])
            return err_set(err, BERTH_EDENIED,
                           "GPU %zu of node %s cannot be had in a container: "
                           "%s allows those with the indices %s: try another "
                           "node, or ask your administrator",
                           i, node, deny_where(list->v[0], where),
                           deny_list(list, NULL, indices));
    return 0;
}

int gpu_rules_check(const struct gpu_set *set, const struct gpu_table *table,
                    const char *node, const struct rules *rules,
                    struct berth_err *err)
{
    char where[DENY_WHERE_MAX];

    if (set->n == 0)
        return 0;
    if (!rules->gpus)
        return err_set(err, BERTH_EDENIED,
                       "GPUs cannot be had in a container, by %s: leave them "
                       "out, with --gres=none, or ask your administrator",
                       deny_where(&rules->gpus_rule, where));
    if (rules->gpu_max > 0 && set->n > rules->gpu_max)
        return err_set(err, BERTH_EDENIED,
                       "a container can have no more than %u of node %s's "
                       "GPUs, and this step has %zu: ask Slurm for fewer",
                       rules->gpu_max, node, set->n);
    return check_types(set, table, node, rules, err) < 0
               ? -1
               : check_indices(set, node, rules, err);
}
