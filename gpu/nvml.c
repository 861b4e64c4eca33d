// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: NVIDIA's library, which runs as root in berth-gpus and nowhere else
// of berth's.

#include "gpu/nvml.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

// Of NVML's interface, as its manual has it: 0 is a success everywhere, and
// a device is a pointer to what nobody looks at.
typedef int nvml_plain(void);
typedef int nvml_by_uuid(const char *uuid, void **device);
typedef int nvml_number(void *device, unsigned *out);
typedef int nvml_by_index(void *device, unsigned index, void **mig);
typedef int nvml_text(void *device, char *out, unsigned size);

struct nvml {
    void *library;
    nvml_plain *init, *shutdown;
    nvml_by_uuid *by_uuid;
    nvml_number *max_migs, *gi, *ci;
    nvml_by_index *mig;
    nvml_text *uuid;
};

// POSIX lets an object pointer from dlsym be a function's; C has no cast.
static bool find(void *library, const char *name, void *out)
{
    void *symbol = dlsym(library, name);

    memcpy(out, &symbol, sizeof(symbol));
    return symbol != NULL;
}

struct nvml *nvml_open(const char *path, struct berth_err *err)
{
    struct nvml *nvml = calloc(1, sizeof(*nvml));

    if (!nvml) {
        err_set(err, BERTH_ENOMEM, "memory is out");
        return NULL;
    }
    if (!path)
        path = "libnvidia-ml.so.1";
    nvml->library = dlopen(path[0] ? path : NULL, RTLD_NOW | RTLD_LOCAL);
    void *l = nvml->library;
    if (!l) {
        err_set(err, BERTH_ESYS, "NVIDIA's library NVML is not there (%s)",
                path);
    } else if (!find(l, "nvmlInit_v2", &nvml->init) ||
               !find(l, "nvmlShutdown", &nvml->shutdown) ||
               !find(l, "nvmlDeviceGetHandleByUUID", &nvml->by_uuid) ||
               !find(l, "nvmlDeviceGetMaxMigDeviceCount", &nvml->max_migs) ||
               !find(l, "nvmlDeviceGetMigDeviceHandleByIndex", &nvml->mig) ||
               !find(l, "nvmlDeviceGetGpuInstanceId", &nvml->gi) ||
               !find(l, "nvmlDeviceGetComputeInstanceId", &nvml->ci) ||
               !find(l, "nvmlDeviceGetUUID", &nvml->uuid)) {
        err_set(err, BERTH_ESYS, "NVIDIA's library NVML does not know MIG");
    } else {
        int rc = nvml->init();
        if (rc == 0)
            return nvml;
        err_set(err, BERTH_ESYS,
                "NVIDIA's library NVML cannot be used (error %d)", rc);
    }
    if (l)
        dlclose(l);
    free(nvml);
    return NULL;
}

void nvml_close(struct nvml *nvml)
{
    if (!nvml)
        return;
    nvml->shutdown();
    dlclose(nvml->library);
    free(nvml);
}

int nvml_mig_uuid(const struct nvml *nvml, const char *parent, unsigned gi,
                  unsigned ci, char *out, size_t size, struct berth_err *err)
{
    unsigned n = 0, its_gi, its_ci;
    void *device, *mig;

    if (nvml->by_uuid(parent, &device) == 0 && nvml->max_migs(device, &n) == 0)
        // There are gaps between the indices.
        for (unsigned i = 0; i < n; i++)
            if (nvml->mig(device, i, &mig) == 0 &&
                nvml->gi(mig, &its_gi) == 0 && its_gi == gi &&
                nvml->ci(mig, &its_ci) == 0 && its_ci == ci &&
                nvml->uuid(mig, out, (unsigned)size) == 0 &&
                strncmp(out, "MIG-", 4) == 0)
                return 0;
    out[0] = 0;
    return err_set(err, BERTH_ENOTFOUND,
                   "NVML knows of no MIG instance %u/%u of its GPU", gi, ci);
}
