// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: the prolog's record and table, which only root can write; and the list
// of GPUs in the step's environment, which is the user's.

#include "stepd/gpus.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "logic/limits.h"
#include "node/gpu_table.h"

static bool has_number(const struct step *step)
{
    return step->step != STEP_BATCH && step->step != STEP_INTERACTIVE;
}

// Slurm says in the environment which of the job's GPUs a numbered step has;
// a batch script and salloc's shell have all.
static int choose_set(const struct step *step,
                      const struct store_job *allocation, struct gpu_set *out,
                      struct berth_err *err)
{
    struct gpu_set job, asked;

    *out = (struct gpu_set){0};
    if (!allocation && step->gpus && step->gpus[0])
        return err_set(err, BERTH_EDENIED,
                       "the prolog of node %s has no record of this job's "
                       "GPUs: ask your administrator to set berth-prolog up "
                       "as slurm.conf's Prolog",
                       step->node);
    if (!allocation)
        return 0;
    if (gpu_list_parse(allocation->gpus, &job, err) < 0)
        return err_prefix(err, "the prolog's record of this job's GPUs");
    // A container would get the whole GPU, and nothing of what shares it.
    if (job.n > 0 && step->shared)
        return err_set(err, BERTH_EINVAL,
                       "GPUs that are shared (%s) cannot be had in a "
                       "container: ask Slurm for whole ones, with --gres=gpu",
                       step->shared);
    if (!has_number(step)) {
        *out = job;
        return 0;
    }
    if (gpu_list_parse(step->gpus ? step->gpus : "", &asked, err) < 0)
        return err_prefix(err, "SLURM_STEP_GPUS");
    gpu_set_intersect(&job, &asked, out);
    return 0;
}

const struct gpu *gpus_next(const struct gpus *gpus, unsigned *i)
{
    for (; *i < GPU_MAX; (*i)++)
        if (gpus->set.has[*i])
            return &gpus->table->gpus[(*i)++];
    return NULL;
}

static int check_gpu(const struct gpu *gpu, const char *node,
                     struct berth_err *err)
{
    struct stat st;

    if (gpu->problem[0])
        return err_set(err, BERTH_ENOTFOUND,
                       "GPU %u of node %s cannot be had in a container: %s: "
                       "tell your administrator",
                       gpu->index, node, gpu->problem);
    for (size_t i = 0; i < gpu->nfiles; i++)
        if (stat(gpu->files[i], &st) < 0 || !S_ISCHR(st.st_mode))
            return err_set(err, BERTH_ENOTFOUND,
                           "GPU %u of node %s is gone: %s is no device: tell "
                           "your administrator",
                           gpu->index, node, gpu->files[i]);
    return 0;
}

int gpus_choose(const struct step *step, const struct store_job *allocation,
                struct gpus *out, struct berth_err *err)
{
    char path[4096], boot[64];

    *out = (struct gpus){0};
    if (choose_set(step, allocation, &out->set, err) < 0)
        return -1;
    if (out->set.n == 0)
        return 0;
    snprintf(path, sizeof(path), "%s/%s/gpus.json", BERTH_STATEDIR, step->node);
    out->table = gpu_table_read(path, err);
    if (!out->table)
        return err_set(err, BERTH_ENOTFOUND,
                       "berth does not know the GPUs of node %s: ask your "
                       "administrator what berth-prolog says in its log",
                       step->node);
    store_boot_id(boot, sizeof(boot));
    if (strcmp(out->table->boot, boot) != 0)
        return err_set(err, BERTH_ENOTFOUND,
                       "what berth knows of the GPUs of node %s is of the "
                       "time before its last start: ask your administrator "
                       "what berth-prolog says in its log",
                       step->node);
    for (unsigned i = 0; i < GPU_MAX; i++) {
        if (!out->set.has[i])
            continue;
        if (i >= out->table->n)
            return err_set(err, BERTH_ENOTFOUND,
                           "Slurm has no device file for GPU %u of node %s: "
                           "ask your administrator for File= or AutoDetect= "
                           "in gres.conf",
                           i, step->node);
        if (check_gpu(&out->table->gpus[i], step->node, err) < 0)
            return -1;
    }
    return 0;
}

static int name_by_cdi(struct gpus *gpus, const char *kind,
                       struct berth_err *err)
{
    const struct gpu *gpu;

    for (unsigned i = 0; (gpu = gpus_next(gpus, &i));)
        if ((gpu->uuid[0]
                 ? strv_addf(&gpus->names, "%s=%s", kind, gpu->uuid)
                 : strv_addf(&gpus->names, "%s=%u", kind, gpu->index)) < 0)
            return err_set(err, BERTH_ENOMEM, "memory is out");
    return 0;
}

bool gpus_have_vendor(const struct gpus *gpus, enum gpu_vendor vendor)
{
    const struct gpu *gpu;

    for (unsigned i = 0; (gpu = gpus_next(gpus, &i));)
        if (gpu->vendor == vendor)
            return true;
    return false;
}

bool gpus_file_is_first(const struct gpus *gpus, const struct gpu *gpu,
                        size_t k)
{
    const struct gpu *other;

    for (unsigned i = 0; (other = gpus_next(gpus, &i)) && other != gpu;)
        for (size_t j = 0; j < other->nfiles; j++)
            if (strcmp(other->files[j], gpu->files[k]) == 0)
                return false;
    return true;
}

bool gpus_have_file(const struct gpus *gpus, const char *path)
{
    const struct gpu *gpu;

    for (unsigned i = 0; (gpu = gpus_next(gpus, &i));)
        for (size_t k = 0; k < gpu->nfiles; k++)
            if (strcmp(gpu->files[k], path) == 0)
                return true;
    return gpus_have_vendor(gpus, GPU_AMD) && strcmp(path, GPUS_KFD) == 0;
}

static int name_by_file(struct gpus *gpus, struct berth_err *err)
{
    const struct gpu *gpu;
    int rc =
        gpus_have_vendor(gpus, GPU_AMD) ? strv_add(&gpus->names, GPUS_KFD) : 0;

    for (unsigned i = 0; rc == 0 && (gpu = gpus_next(gpus, &i));)
        for (size_t k = 0; rc == 0 && k < gpu->nfiles; k++)
            if (gpus_file_is_first(gpus, gpu, k))
                rc = strv_add(&gpus->names, gpu->files[k]);
    return rc < 0 ? err_set(err, BERTH_ENOMEM, "memory is out") : 0;
}

static int name_by_uuid(struct gpus *gpus, struct berth_err *err)
{
    const struct gpu *gpu;

    for (unsigned i = 0; (gpu = gpus_next(gpus, &i));)
        if (strv_add(&gpus->names, gpu->uuid) < 0)
            return err_set(err, BERTH_ENOMEM, "memory is out");
    return 0;
}

static bool are_of_one_vendor(const struct gpus *gpus)
{
    const struct gpu *gpu;
    size_t nvidias = 0;

    for (unsigned i = 0; (gpu = gpus_next(gpus, &i));)
        nvidias += gpu->vendor == GPU_NVIDIA;
    return nvidias == 0 || nvidias == gpus->set.n;
}

int gpus_request(struct gpus *gpus, const char *cdi, struct request *request,
                 struct berth_err *err)
{
    int rc;

    strv_clear(&gpus->names);
    if (gpus->set.n == 0)
        return 0;
    if ((!cdi || strcmp(cdi, GPUS_NVIDIA_CDI) == 0) && !are_of_one_vendor(gpus))
        return err_set(err, BERTH_EINVAL,
                       "GPUs of NVIDIA and of others cannot be had in one "
                       "container: ask Slurm for one type");
    if (cdi) {
        request->gpus_by = REQUEST_GPUS_CDI;
        rc = name_by_cdi(gpus, cdi, err);
    } else if (!gpus_have_vendor(gpus, GPU_NVIDIA)) {
        request->gpus_by = REQUEST_GPUS_FILES;
        rc = name_by_file(gpus, err);
    } else {
        request->gpus_by = REQUEST_GPUS_NVIDIA;
        rc = name_by_uuid(gpus, err);
    }
    request->gpus = (const char *const *)gpus->names.v;
    request->ngpus = gpus->names.n;
    return rc;
}

void gpus_clear(struct gpus *gpus)
{
    free(gpus->table);
    strv_clear(&gpus->names);
    *gpus = (struct gpus){0};
}
