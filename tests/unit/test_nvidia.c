// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Where an NVIDIA GPU is at hand, three that know of it must agree: berth, by
// way of /proc and hwloc; nvidia-smi; and the kernel on where it is. Needs no
// Slurm and no engine. Elsewhere it skips, and says so.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gpu/discover.h"
#include "gpu/nvml.h"
#include "gpu/slurmd.h"

static struct gpu_table table;

static void the_machine_s_own_nvidia_gpus_are_as_nvidia_smi_says(void **state)
{
    static const struct discover_roots here = {"", "", NULL, NULL};
    char line[1024], path[128], uuid[128], model[128];
    unsigned domain, bus, device, d, b, v;
    int node = -1, seen = 0;

    (void)state;
    discover_gpus(&table, &here);
    FILE *f = popen("nvidia-smi --format=csv,noheader "
                    "--query-gpu=uuid,pci.bus_id,name",
                    "r");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f)) {
        const struct gpu *gpu = NULL;
        if (sscanf(line, "%127[^,], %x:%x:%x.0, %127[^\n]", uuid, &domain, &bus,
                   &device, model) != 5)
            fail_msg("nvidia-smi: %s", line);
        for (size_t i = 0; i < table.n; i++)
            if (strcmp(table.gpus[i].uuid, uuid) == 0)
                gpu = &table.gpus[i];
        if (!gpu)
            fail_msg("%s was not found", uuid);
        print_message("%s is %s at %s, NUMA node %d, near %s\n", gpu->files[0],
                      gpu->uuid, gpu->busid, gpu->numa, gpu->cores);
        assert_string_equal(gpu->problem, "");
        assert_string_equal(gpu->model, model);
        assert_int_equal(sscanf(gpu->busid, "%x:%x:%x.0", &d, &b, &v), 3);
        assert_true(d == domain && b == bus && v == device);
        snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/numa_node",
                 gpu->busid);
        FILE *numa = fopen(path, "r");
        if (numa && fscanf(numa, "%d", &node) == 1 && node >= 0 &&
            gpu->numa >= 0)
            assert_int_equal(gpu->numa, node);
        if (numa)
            fclose(numa);
        seen++;
    }
    assert_int_equal(pclose(f), 0);
    assert_true(seen > 0);
}

// It has all that berth asks for: of an instance that there can't be it says
// so.
static void nvidia_s_library_is_what_berth_takes_it_for(void **state)
{
    struct berth_err err = {0};
    char uuid[64];

    (void)state;
    struct nvml *nvml = nvml_open(NULL, &err);
    if (!nvml)
        fail_msg("%s", err.text);
    assert_int_equal(nvml_mig_uuid(nvml, table.gpus[0].uuid, 9999, 0, uuid,
                                   sizeof(uuid), &err),
                     -1);
    assert_int_equal(err.code, BERTH_ENOTFOUND);
    nvml_close(nvml);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_machine_s_own_nvidia_gpus_are_as_nvidia_smi_says),
        cmocka_unit_test(nvidia_s_library_is_what_berth_takes_it_for),
    };
    char path[64], line[128];

    for (unsigned minor = 0; minor < GPU_MAX; minor++) {
        snprintf(path, sizeof(path), "/dev/nvidia%u", minor);
        snprintf(line, sizeof(line), "Gres Name=gpu Type=t Count=1 File=%s",
                 path);
        if (access(path, F_OK) == 0 && slurmd_add_line(&table, line, NULL) < 0)
            return 1;
    }
    if (table.n == 0) {
        puts("1..0 # SKIP this machine lacks an NVIDIA GPU");
        return 0;
    }
    return cmocka_run_group_tests_name("nvidia", tests, NULL, NULL);
}
