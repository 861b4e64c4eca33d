// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// From recorded machines to the request for a step: topologies of hwloc's
// own test suite, with /proc and /sys trees made for them in a temporary
// directory, minors in another order than bus ids.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gpu/discover.h"
#include "gpu/slurmd.h"
#include "node/gpu_table.h"
#include "stepd/devices.h"
#include "stepd/gpus.h"
#include "stepd/gpus_env.h"
#include "stepd/verify_dev.h"

#define COUNT(table) (sizeof(table) / sizeof(*(table)))
#define TOPOLOGY(name) TOPOLOGIES "/" name ".xml"

// In the order of their bus ids; GPU i of the test has minor MINOR(i).
static const char *const dgx2[] = {
    "0000:34:00.0", "0000:36:00.0", "0000:39:00.0", "0000:3b:00.0",
    "0000:57:00.0", "0000:59:00.0", "0000:5c:00.0", "0000:5e:00.0",
    "0000:b7:00.0", "0000:b9:00.0", "0000:bc:00.0", "0000:be:00.0",
    "0000:e0:00.0", "0000:e2:00.0", "0000:e5:00.0", "0000:e7:00.0",
};
static const char *const power8[] = {"0002:01:00.0", "0003:01:00.0",
                                     "000a:01:00.0", "000b:01:00.0"};
static const char *const older[] = {"0000:03:00.0", "0000:83:00.0",
                                    "0000:84:00.0"};

static unsigned minor_of(size_t i, size_t n)
{
    return (unsigned)(n - 1 - i);
}

static char dir[] = "/tmp/berth-test-XXXXXX";
static struct gpu_table *table;

static void make_dirs(const char *path)
{
    char part[512];

    for (const char *p = strchr(path, '/'); p; p = strchr(p + 1, '/')) {
        snprintf(part, sizeof(part), "%.*s", (int)(p - path), path);
        if (part[0])
            mkdir(part, 0755);
    }
    mkdir(path, 0755);
}

static void put(const char *path, const char *text)
{
    char parent[512];

    snprintf(parent, sizeof(parent), "%.*s", (int)(strrchr(path, '/') - path),
             path);
    make_dirs(parent);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

// One that names its bus id.
static void uuid_of(const char *busid, char uuid[64])
{
    unsigned domain, bus;

    assert_int_equal(sscanf(busid, "%x:%x", &domain, &bus), 2);
    snprintf(uuid, 64, "GPU-%08x-0000-4000-8000-%012x", domain, bus);
}

static void put_nvidia(const char *const *busids, size_t n)
{
    char path[512], text[1024], uuid[64];

    for (size_t i = 0; i < n; i++) {
        uuid_of(busids[i], uuid);
        snprintf(path, sizeof(path), "proc/driver/nvidia/gpus/%s/information",
                 busids[i]);
        snprintf(text, sizeof(text),
                 "Model: \t\t Test\nIRQ:   \t\t 1\nGPU UUID: \t %s\n"
                 "Bus Location: \t %s\nDevice Minor: \t %u\n",
                 uuid, busids[i], minor_of(i, n));
        put(path, text);
    }
}

static void add_line(const char *line)
{
    struct berth_err err = {0};

    if (slurmd_add_line(table, line, &err) < 0)
        fail_msg("%s: %s", line, err.text);
}

static int nvml_users;

static void discover(const char *topology)
{
    // NVML is this program's own, below.
    const struct discover_roots roots = {dir, dir, topology, ""};

    discover_gpus(table, &roots);
    assert_int_equal(nvml_users, 0);
}

// What NVML would say of the machine of fill_mig: its library can't be had
// without the driver. The handle of a GPU is one for all, and that of a MIG
// instance points to its numbers; there is none with the index 1.
static const unsigned migs[][2] = {{1, 0}, {0, 0}, {1, 1}, {5, 0}};
static char nvml_parent[80];

#define NVML __attribute__((visibility("default"))) int
NVML nvmlInit_v2(void);
NVML nvmlInit_v2(void)
{
    nvml_users++;
    return 0;
}
NVML nvmlShutdown(void);
NVML nvmlShutdown(void)
{
    nvml_users--;
    return 0;
}
NVML nvmlDeviceGetHandleByUUID(const char *uuid, void **device);
NVML nvmlDeviceGetHandleByUUID(const char *uuid, void **device)
{
    snprintf(nvml_parent, sizeof(nvml_parent), "%.12s", uuid);
    *device = nvml_parent;
    return strncmp(uuid, "GPU-", 4) == 0 ? 0 : 6;
}
NVML nvmlDeviceGetMaxMigDeviceCount(void *device, unsigned *count);
NVML nvmlDeviceGetMaxMigDeviceCount(void *device, unsigned *count)
{
    *count = COUNT(migs);
    return device == nvml_parent ? 0 : 2;
}
NVML nvmlDeviceGetMigDeviceHandleByIndex(void *device, unsigned i, void **mig);
NVML nvmlDeviceGetMigDeviceHandleByIndex(void *device, unsigned i, void **mig)
{
    *mig = (void *)migs[i];
    return device == nvml_parent && i != 1 ? 0 : 6;
}
NVML nvmlDeviceGetGpuInstanceId(void *mig, unsigned *id);
NVML nvmlDeviceGetGpuInstanceId(void *mig, unsigned *id)
{
    *id = ((const unsigned *)mig)[0];
    return 0;
}
NVML nvmlDeviceGetComputeInstanceId(void *mig, unsigned *id);
NVML nvmlDeviceGetComputeInstanceId(void *mig, unsigned *id)
{
    *id = ((const unsigned *)mig)[1];
    return 0;
}
NVML nvmlDeviceGetUUID(void *mig, char *uuid, unsigned size);
NVML nvmlDeviceGetUUID(void *mig, char *uuid, unsigned size)
{
    const unsigned *numbers = mig;

    snprintf(uuid, size, "MIG-of-%s-%u-%u", nvml_parent, numbers[0],
             numbers[1]);
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int flag,
                      struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static int set_up(void **state)
{
    (void)state;
    strcpy(strrchr(dir, '-'), "-XXXXXX");
    table = calloc(1, sizeof(*table));
    return table && mkdtemp(dir) && chdir(dir) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    free(table);
    return chdir("/") == 0 ? nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS)
                           : -1;
}

// GPU indices 0 to N-1 are minors 0 to N-1, and so the bus ids backwards.
static void check_nvidia(const char *topology, const char *const *busids,
                         size_t n, const int *numa, const char *const *cores)
{
    char line[128], uuid[64];

    put_nvidia(busids, n);
    snprintf(line, sizeof(line),
             "Gres Name=gpu Type=t Count=%zu File=/dev/nvidia[0-%zu]", n,
             n - 1);
    add_line(line);
    discover(topology);
    assert_int_equal(table->n, n);
    for (size_t i = 0; i < n; i++) {
        const struct gpu *gpu = &table->gpus[minor_of(i, n)];
        uuid_of(busids[i], uuid);
        assert_string_equal(gpu->problem, "");
        assert_int_equal(gpu->vendor, GPU_NVIDIA);
        assert_string_equal(gpu->busid, busids[i]);
        assert_string_equal(gpu->uuid, uuid);
        assert_int_equal(gpu->numa, numa[i * 2 / n]);
        assert_string_equal(gpu->cores, cores[i * 2 / n]);
    }
}

static void a_dgx2_s_gpus_are_found_by_minor(void **state)
{
    (void)state;
    check_nvidia(TOPOLOGY("nvidiaDGX2"), dgx2, COUNT(dgx2), (int[]){0, 1},
                 (const char *const[]){"0-1", "24-25"});
}

static void a_power8_s_gpus_are_found_by_minor(void **state)
{
    (void)state;
    check_nvidia(TOPOLOGY("power8gpudistances"), power8, COUNT(power8),
                 (int[]){0, 1},
                 (const char *const[]){"0-1,8-9,16-17,24-25",
                                       "80-81,88-89,96-97,104-105"});
}

// Three of NVIDIA's, the second and third on the other socket, and one of
// AMD's.
static void an_older_node_with_two_kinds_of_gpu(void **state)
{
    (void)state;
    put_nvidia(older, COUNT(older));
    put("sys/devices/pci0000:80/0000:84:00.1/vendor", "0x1002\n");
    make_dirs("sys/class/drm/renderD128");
    assert_int_equal(symlink("../../../devices/pci0000:80/0000:84:00.1",
                             "sys/class/drm/renderD128/device"),
                     0);
    add_line("Gres Name=gpu Type=m2075 Count=3 File=/dev/nvidia[0-2]");
    add_line("Gres Name=gpu Type=hd Count=1 File=/dev/dri/renderD128");
    discover(TOPOLOGY("32em64t-2n8c2t-pci-normalio"));
    assert_string_equal(table->gpus[0].busid, "0000:84:00.0");
    assert_int_equal(table->gpus[0].numa, 1);
    assert_string_equal(table->gpus[2].busid, "0000:03:00.0");
    assert_int_equal(table->gpus[2].numa, 0);
    assert_string_equal(table->gpus[3].problem, "");
    assert_int_equal(table->gpus[3].vendor, GPU_AMD);
    assert_string_equal(table->gpus[3].busid, "0000:84:00.1");
    assert_string_equal(table->gpus[3].cores, "8-15,24-31");
}

static void has_problem(size_t i, const char *says)
{
    assert_true(i < table->n);
    if (!strstr(table->gpus[i].problem, says))
        fail_msg("GPU %zu: \"%s\"", i, table->gpus[i].problem);
}

static void a_gpu_that_can_not_be_found_has_a_problem(void **state)
{
    (void)state;
    add_line("Gres Name=gpu Type=t Count=1 File=/dev/nvidia0");
    add_line("Gres Name=gpu Type=t Count=1 File=/dev/dri/renderD128");
    add_line("Gres Name=gpu Type=t Count=1 "
             "File=/dev/nvidia0,/dev/nvidia-caps/nvidia-cap[21-22]");
    discover(TOPOLOGY("nvidiaDGX2"));
    has_problem(0, "driver is not loaded");
    has_problem(1, "no PCI device for /dev/dri/renderD128");
    has_problem(2, "driver is not loaded");
    assert_string_equal(table->gpus[2].uuid, "");
}

static void a_gpu_that_was_removed_has_a_problem(void **state)
{
    (void)state;
    put_nvidia(dgx2, 2);
    add_line("Gres Name=gpu Type=t Count=3 File=/dev/nvidia[0-2]");
    discover(TOPOLOGY("nvidiaDGX2"));
    assert_string_equal(table->gpus[0].problem, "");
    assert_string_equal(table->gpus[1].problem, "");
    has_problem(2, "no GPU with the minor number 2");
}

// GPU minor 0 of two has the GPU instances 1, with the compute instances 0
// and 1, and 5, with 0; their devices' minors are 10 * GI and what follows.
static void fill_mig(void)
{
    static const struct {
        const char *instance;
        int minor;
    } access[] = {{"gi1", 10}, {"gi1/ci0", 11}, {"gi1/ci1", 12},
                  {"gi5", 50}, {"gi5/ci0", 51}, {"config", 1}};
    char path[256], text[128];

    put_nvidia(dgx2, 2);
    for (size_t i = 0; i < COUNT(access); i++) {
        snprintf(path, sizeof(path),
                 "proc/driver/nvidia/capabilities/gpu0/mig/%s/access",
                 access[i].instance);
        snprintf(text, sizeof(text),
                 "DeviceFileMinor: %d\nDeviceFileMode: 292\n"
                 "DeviceFileModify: 1\n",
                 access[i].minor);
        put(path, text);
    }
    add_line("Gres Name=gpu Type=1g Count=1 "
             "File=/dev/nvidia0,/dev/nvidia-caps/nvidia-cap[10-11]");
    add_line("Gres Name=gpu Type=1g Count=1 "
             "File=/dev/nvidia0,/dev/nvidia-caps/nvidia-cap[10,12]");
    add_line("Gres Name=gpu Type=2g Count=1 "
             "File=/dev/nvidia0,/dev/nvidia-caps/nvidia-cap[50-51]");
    add_line("Gres Name=gpu Type=t Count=1 File=/dev/nvidia1");
}

static void mig_instances_are_found_by_their_devices(void **state)
{
    (void)state;
    fill_mig();
    discover(TOPOLOGY("nvidiaDGX2"));
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(table->gpus[i].problem, "");
        assert_int_equal(table->gpus[i].vendor, GPU_NVIDIA);
        assert_string_equal(table->gpus[i].busid, dgx2[i < 3 ? 1 : 0]);
        assert_int_equal(table->gpus[i].numa, 0);
    }
    assert_string_equal(table->gpus[0].uuid, "MIG-of-GPU-00000000-1-0");
    assert_string_equal(table->gpus[1].uuid, "MIG-of-GPU-00000000-1-1");
    assert_string_equal(table->gpus[2].uuid, "MIG-of-GPU-00000000-5-0");
    assert_string_equal(table->gpus[3].uuid,
                        "GPU-00000000-0000-4000-8000-000000000034");
}

static void a_mig_instance_that_can_not_be_found_has_a_problem(void **state)
{
    const struct discover_roots none = {dir, dir, TOPOLOGY("nvidiaDGX2"),
                                        "/nonexistent/libnvidia-ml.so.1"};

    (void)state;
    fill_mig();
    // Of two GPU instances, of no compute instance, of another GPU, without
    // its GPU, and one that NVML does not know.
    add_line("Gres Name=gpu Type=t Count=1 "
             "File=/dev/nvidia0,/dev/nvidia-caps/nvidia-cap[10,51]");
    add_line("Gres Name=gpu Type=t Count=1 "
             "File=/dev/nvidia0,/dev/nvidia-caps/nvidia-cap10");
    add_line("Gres Name=gpu Type=t Count=1 "
             "File=/dev/nvidia1,/dev/nvidia-caps/nvidia-cap[10-11]");
    add_line("Gres Name=gpu Type=t Count=1 "
             "File=/dev/nvidia-caps/nvidia-cap10,"
             "/dev/nvidia-caps/nvidia-cap11");
    put("./proc/driver/nvidia/capabilities/gpu0/mig/gi7/access",
        "DeviceFileMinor: 70\n");
    put("./proc/driver/nvidia/capabilities/gpu0/mig/gi7/ci0/access",
        "DeviceFileMinor: 71\n");
    add_line("Gres Name=gpu Type=t Count=1 "
             "File=/dev/nvidia0,/dev/nvidia-caps/nvidia-cap[70-71]");
    discover(TOPOLOGY("nvidiaDGX2"));
    for (size_t i = 4; i < 7; i++)
        has_problem(i, "no MIG instance with its devices");
    has_problem(7, "lacks the device of its GPU");
    has_problem(8, "NVML knows of no MIG instance 7/0");
    for (size_t i = 4; i < 9; i++)
        assert_string_equal(table->gpus[i].uuid, "");
    discover_gpus(table, &none);
    has_problem(0, "NVML is not there");
    assert_string_equal(table->gpus[3].problem, "");
}

static void a_topology_that_lacks_the_gpu_or_fails_is_a_problem(void **state)
{
    (void)state;
    put_nvidia(power8, 1);
    add_line("Gres Name=gpu Type=t Count=1 File=/dev/nvidia0");
    discover(TOPOLOGY("nvidiaDGX2"));
    has_problem(0, "hwloc sees no PCI device 0002:01:00.0");
    table->gpus[0] = (struct gpu){.nfiles = 1, .files = {"/dev/nvidia0"}};
    discover("/dev/null");
    has_problem(0, "hwloc cannot read");
}

// A machine that has a GPU, and no PCI bus that hwloc could see.
static void a_topology_without_pci_is_a_problem(void **state)
{
    (void)state;
    put("./nopci.xml",
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<!DOCTYPE topology SYSTEM \"hwloc2.dtd\">\n"
        "<topology version=\"2.0\">\n"
        "<object type=\"Machine\" os_index=\"0\" cpuset=\"0x1\" "
        "complete_cpuset=\"0x1\" allowed_cpuset=\"0x1\" nodeset=\"0x1\" "
        "complete_nodeset=\"0x1\" allowed_nodeset=\"0x1\">\n"
        "<object type=\"NUMANode\" os_index=\"0\" cpuset=\"0x1\" "
        "complete_cpuset=\"0x1\" nodeset=\"0x1\" complete_nodeset=\"0x1\" "
        "local_memory=\"1024\"/>\n"
        "<object type=\"PU\" os_index=\"0\" cpuset=\"0x1\" "
        "complete_cpuset=\"0x1\" nodeset=\"0x1\" "
        "complete_nodeset=\"0x1\"/>\n"
        "</object>\n</topology>\n");
    put_nvidia(dgx2, 1);
    add_line("Gres Name=gpu Type=t Count=1 File=/dev/nvidia0");
    discover("nopci.xml");
    has_problem(0, "hwloc sees no PCI device 0000:34:00.0");
}

static void what_nvidia_s_driver_says_badly_is_a_problem(void **state)
{
    (void)state;
    // Cut short, of another GPU, a directory, and a link to nothing.
    put("./proc/driver/nvidia/gpus/0000:01:00.0/information",
        "Model: \t\t Test\nGPU UUID: \t GPU-0\nDevice Minor: \t 0");
    put("./proc/driver/nvidia/gpus/0000:02:00.0/information",
        "Model: \t\t Test\nGPU UUID: \t GPU-?\nBus Location: \t "
        "0000:02:00.0\nDevice Minor: \t 0\n");
    make_dirs("./proc/driver/nvidia/gpus/0000:03:00.0/information");
    make_dirs("./proc/driver/nvidia/gpus/0000:04:00.0");
    assert_int_equal(symlink("nothing", "proc/driver/nvidia/gpus/0000:04:00.0/"
                                        "information"),
                     0);
    put("./proc/driver/nvidia/gpus/file", "");
    add_line("Gres Name=gpu Type=t Count=1 File=/dev/nvidia0");
    discover(TOPOLOGY("nvidiaDGX2"));
    has_problem(0, "no GPU with the minor number 0");
    assert_string_equal(table->gpus[0].uuid, "");
}

static void a_plain_device_needs_no_topology(void **state)
{
    (void)state;
    add_line("Gres Name=gpu Type=t Count=1 File=/dev/fake0");
    discover("/dev/null");
    assert_string_equal(table->gpus[0].problem, "");
    assert_int_equal(table->gpus[0].vendor, GPU_GENERIC);
}

static void a_table_is_read_as_it_was_written(void **state)
{
    struct berth_err err = {0};
    char left[64];

    (void)state;
    // One that was killed as it wrote has left this.
    snprintf(left, sizeof(left), "gpus.json.%d", (int)getpid());
    FILE *f = fopen(left, "w");
    assert_non_null(f);
    fclose(f);
    put_nvidia(dgx2, COUNT(dgx2));
    add_line("Gres Name=gpu Type=t Count=16 File=/dev/nvidia[0-15]");
    add_line("Gres Name=gpu Type=t Count=1 File=/dev/a,/dev/b");
    discover(TOPOLOGY("nvidiaDGX2"));
    strcpy(table->boot, "boot");
    strcpy(table->conf, "conf");
    assert_int_equal(gpu_table_write("gpus.json", table, &err), 0);
    struct gpu_table *again = gpu_table_read("gpus.json", &err);
    assert_non_null(again);
    assert_int_equal(again->n, 17);
    assert_string_equal(again->boot, "boot");
    assert_string_equal(again->conf, "conf");
    for (size_t i = 0; i < again->n; i++) {
        const struct gpu *a = &again->gpus[i], *b = &table->gpus[i];
        assert_int_equal(a->index, b->index);
        assert_int_equal(a->vendor, b->vendor);
        assert_string_equal(a->type, b->type);
        assert_int_equal(a->nfiles, b->nfiles);
        for (size_t k = 0; k < a->nfiles; k++)
            assert_string_equal(a->files[k], b->files[k]);
        assert_string_equal(a->busid, b->busid);
        assert_string_equal(a->model, b->model);
        assert_string_equal(a->uuid, b->uuid);
        assert_int_equal(a->numa, b->numa);
        assert_string_equal(a->cores, b->cores);
        assert_string_equal(a->problem, b->problem);
    }
    free(again);
}

static void refuses_what_is_no_table(void **state)
{
    static const char *const texts[] = {
        "",
        "{}",
        "[]",
        "{\"boot\":\"b\",\"conf\":\"c\"}",
        "{\"boot\":\"b\",\"conf\":\"c\",\"gpus\":[{}]}",
        "{\"boot\":\"b\",\"conf\":\"c\",\"gpus\":[],\"more\":1}",
        "{\"boot\":\"b\",\"conf\":\"c\",\"gpus\":[{\"index\":0,\"vendor\":0,"
        "\"type\":\"\",\"files\":[\"/etc/shadow\"],\"busid\":\"\",\"model\":"
        "\"\",\"uuid\":\"\",\"numa\":-1,\"cores\":\"\",\"problem\":\"\"}]}",
        "{\"boot\":\"b\",\"conf\":\"c\",\"gpus\":[{\"index\":1,\"vendor\":0,"
        "\"type\":\"\",\"files\":[\"/dev/x\"],\"busid\":\"\",\"model\":"
        "\"\",\"uuid\":\"\",\"numa\":-1,\"cores\":\"\",\"problem\":\"\"}]}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct berth_err err = {0};
        put("./gpus.json", texts[i]);
        struct gpu_table *read = gpu_table_read("gpus.json", &err);
        if (read)
            fail_msg("taken: %s", texts[i]);
        assert_int_equal(err.code, BERTH_EINVAL);
    }
    struct berth_err err = {0};
    assert_null(gpu_table_read("nothing", &err));
    assert_int_equal(err.code, BERTH_ENOTFOUND);
}

// The part PATH ("HostConfig.Devices") of the request for the GPUs LIST.
static void check_request(const char *list, const char *cdi,
                          const char *devices, const char *requests,
                          const char *visible)
{
    struct gpus gpus = {.table = table};
    struct request request = {.image_id = "sha256:0"};
    struct berth_err err = {0};

    assert_int_equal(gpu_list_parse(list, &gpus.set, NULL), 0);
    if (gpus_request(&gpus, cdi, &request, &err) < 0)
        fail_msg("%s", err.text);
    json_t *body = request_build(&request, &err);
    assert_non_null(body);
    json_t *host = json_object_get(body, "HostConfig");
    char *text = json_dumps(json_object_get(host, "Devices"), JSON_COMPACT);
    assert_string_equal(text, devices);
    free(text);
    text = json_dumps(json_object_get(host, "DeviceRequests"), JSON_COMPACT);
    assert_string_equal(text, requests);
    free(text);
    assert_string_equal(
        json_string_value(json_array_get(json_object_get(body, "Env"), 0)),
        visible);
    json_decref(body);
    gpus.table = NULL;
    gpus_clear(&gpus);
}

static void fill_dgx2(void)
{
    put_nvidia(dgx2, COUNT(dgx2));
    add_line("Gres Name=gpu Type=t Count=16 File=/dev/nvidia[0-15]");
    discover(TOPOLOGY("nvidiaDGX2"));
}

static void without_gpus_nothing_is_asked_for(void **state)
{
    (void)state;
    fill_dgx2();
    check_request("", NULL, "[]", "[]", "NVIDIA_VISIBLE_DEVICES=void");
    check_request("", "nvidia.com/gpu", "[]", "[]",
                  "NVIDIA_VISIBLE_DEVICES=void");
}

static void each_gpu_of_a_dgx2_is_asked_for_by_its_uuid(void **state)
{
    char list[8], requests[512], visible[128], uuid[64];

    (void)state;
    fill_dgx2();
    for (size_t i = 0; i < COUNT(dgx2); i++) {
        uuid_of(dgx2[i], uuid);
        snprintf(list, sizeof(list), "%u", minor_of(i, COUNT(dgx2)));
        snprintf(visible, sizeof(visible), "NVIDIA_VISIBLE_DEVICES=%s", uuid);
        snprintf(requests, sizeof(requests),
                 "[{\"Driver\":\"nvidia\",\"DeviceIDs\":[\"%s\"],"
                 "\"Capabilities\":[[\"gpu\",\"compute\",\"utility\"]]}]",
                 uuid);
        check_request(list, NULL, "[]", requests, visible);
        snprintf(requests, sizeof(requests),
                 "[{\"Driver\":\"cdi\",\"DeviceIDs\":[\"nvidia.com/gpu=%s\"]}]",
                 uuid);
        check_request(list, "nvidia.com/gpu", "[]", requests,
                      "NVIDIA_VISIBLE_DEVICES=void");
    }
}

static void a_pair_across_the_sockets(void **state)
{
    (void)state;
    fill_dgx2();
    check_request("7-8", NULL, "[]",
                  "[{\"Driver\":\"nvidia\",\"DeviceIDs\":["
                  "\"GPU-00000000-0000-4000-8000-0000000000b7\","
                  "\"GPU-00000000-0000-4000-8000-00000000005e\"],"
                  "\"Capabilities\":[[\"gpu\",\"compute\",\"utility\"]]}]",
                  "NVIDIA_VISIBLE_DEVICES="
                  "GPU-00000000-0000-4000-8000-0000000000b7,"
                  "GPU-00000000-0000-4000-8000-00000000005e");
}

static void mig_instances_are_asked_for_by_their_uuids(void **state)
{
    (void)state;
    fill_mig();
    discover(TOPOLOGY("nvidiaDGX2"));
    check_request("0,2", NULL, "[]",
                  "[{\"Driver\":\"nvidia\",\"DeviceIDs\":["
                  "\"MIG-of-GPU-00000000-1-0\",\"MIG-of-GPU-00000000-5-0\"],"
                  "\"Capabilities\":[[\"gpu\",\"compute\",\"utility\"]]}]",
                  "NVIDIA_VISIBLE_DEVICES=MIG-of-GPU-00000000-1-0,"
                  "MIG-of-GPU-00000000-5-0");
    check_request("1", "nvidia.com/gpu", "[]",
                  "[{\"Driver\":\"cdi\",\"DeviceIDs\":"
                  "[\"nvidia.com/gpu=MIG-of-GPU-00000000-1-1\"]}]",
                  "NVIDIA_VISIBLE_DEVICES=void");
    // Their GPU's device is there once.
    for (size_t i = 0; i < table->n; i++)
        table->gpus[i].vendor = GPU_GENERIC;
    check_request("0-1", NULL,
                  "[{\"PathOnHost\":\"/dev/nvidia0\",\"PathInContainer\":"
                  "\"/dev/nvidia0\",\"CgroupPermissions\":\"rw\"},"
                  "{\"PathOnHost\":\"/dev/nvidia-caps/nvidia-cap10\","
                  "\"PathInContainer\":\"/dev/nvidia-caps/nvidia-cap10\","
                  "\"CgroupPermissions\":\"rw\"},"
                  "{\"PathOnHost\":\"/dev/nvidia-caps/nvidia-cap11\","
                  "\"PathInContainer\":\"/dev/nvidia-caps/nvidia-cap11\","
                  "\"CgroupPermissions\":\"rw\"},"
                  "{\"PathOnHost\":\"/dev/nvidia-caps/nvidia-cap12\","
                  "\"PathInContainer\":\"/dev/nvidia-caps/nvidia-cap12\","
                  "\"CgroupPermissions\":\"rw\"}]",
                  "[]", "NVIDIA_VISIBLE_DEVICES=void");
}

static void the_capabilities_are_those_that_the_policy_allows(void **state)
{
    static const char *const words[] = {"compute", "video", "all"};
    static const char *const uuids[] = {"GPU-0"};
    struct request request = {.image_id = "sha256:0",
                              .gpus_by = REQUEST_GPUS_NVIDIA,
                              .gpus = uuids,
                              .ngpus = 1,
                              .gpu_capabilities = words,
                              .ngpu_capabilities = 2};

    (void)state;
    json_t *body = request_build(&request, NULL);
    char *text = json_dumps(body, JSON_COMPACT);
    assert_non_null(strstr(text, "\"Capabilities\":[[\"gpu\",\"compute\","
                                 "\"video\"]]"));
    assert_non_null(
        strstr(text, "\"NVIDIA_DRIVER_CAPABILITIES=compute,video\""));
    free(text);
    json_decref(body);
    request.ngpu_capabilities = 3;
    assert_null(request_build(&request, NULL));
}

static void check_far(const char *list, const char *cpus, const char *says)
{
    struct gpu_set set;
    char text[1024];

    assert_int_equal(gpu_list_parse(list, &set, NULL), 0);
    bool far = gpu_set_is_far(&set, table, "n1", cpus, text, sizeof(text));
    if (far != (says != NULL) || (says && !strstr(text, says)))
        fail_msg("%s, %s: %s", list, cpus, far ? text : "near");
}

// GPUs 0 to 7 of the DGX-2 as recorded are near the CPUs 24-25, the others
// near 0-1.
static void a_gpu_far_from_the_step_s_cpus_is_named(void **state)
{
    (void)state;
    fill_dgx2();
    check_far("0", "24", NULL);
    check_far("0-7", "24-25", NULL);
    check_far("0-7", "20-30", NULL);
    check_far("0-15", "1,24", NULL);
    check_far("8", "0-3,8", NULL);
    check_far("0", "0-23,26-47",
              "GPU 0 of node n1 is near the CPUs 24-25 "
              "(NUMA node 1), and this step has the CPUs "
              "0-23,26-47");
    check_far("8-15", "2-47",
              "GPU 8 of node n1 is near the CPUs 0-1 (NUMA "
              "node 0)");
    check_far("0-15", "24-25", "GPU 8 ");
    check_far("8", "24", "--gres-flags=enforce-binding");
    // Nothing is known.
    check_far("", "24", NULL);
    check_far("8", "", NULL);
    table->gpus[8].numa = -1;
    check_far("8", "24", NULL);
    table->gpus[9].cores[0] = 0;
    check_far("9", "24", NULL);
}

static void plain_devices_are_asked_for_by_their_files(void **state)
{
    (void)state;
    add_line("Gres Name=gpu Type=t Count=2 File=/dev/fake[0-1]");
    check_request("1", NULL,
                  "[{\"PathOnHost\":\"/dev/fake1\",\"PathInContainer\":"
                  "\"/dev/fake1\",\"CgroupPermissions\":\"rw\"}]",
                  "[]", "NVIDIA_VISIBLE_DEVICES=void");
    check_request("0", "berth.example/gpu", "[]",
                  "[{\"Driver\":\"cdi\",\"DeviceIDs\":"
                  "[\"berth.example/gpu=0\"]}]",
                  "NVIDIA_VISIBLE_DEVICES=void");
    table->gpus[1].vendor = GPU_AMD;
    check_request("1", NULL,
                  "[{\"PathOnHost\":\"/dev/kfd\",\"PathInContainer\":"
                  "\"/dev/kfd\",\"CgroupPermissions\":\"rw\"},"
                  "{\"PathOnHost\":\"/dev/fake1\",\"PathInContainer\":"
                  "\"/dev/fake1\",\"CgroupPermissions\":\"rw\"}]",
                  "[]", "NVIDIA_VISIBLE_DEVICES=void");
}

static void refuses_what_an_engine_can_not_do(void **state)
{
    struct gpus gpus = {.table = table};
    struct request request = {0};
    struct berth_err err = {0};

    (void)state;
    fill_dgx2();
    add_line("Gres Name=gpu Type=t Count=1 File=/dev/fake0");
    assert_int_equal(gpu_list_parse("3,16", &gpus.set, NULL), 0);
    assert_int_equal(gpus_request(&gpus, NULL, &request, &err), -1);
    assert_non_null(strstr(err.text, "one container"));
    assert_int_equal(gpus_request(&gpus, "nvidia.com/gpu", &request, &err), -1);
    // The administrator's own specification may well have both.
    assert_int_equal(gpus_request(&gpus, "example.org/gpu", &request, &err), 0);
    assert_string_equal(request.gpus[1], "example.org/gpu=16");
    gpus.table = NULL;
    gpus_clear(&gpus);
}

static void an_image_s_ld_variables_are_kept_from_hooks(void **state)
{
    char *env[] = {(char *)"PATH=/bin", (char *)"LD_PRELOAD=/evil.so",
                   (char *)"LD_LIBRARY_PATH=/a", (char *)"NVIDIA_X=1"};
    struct request request = {
        .image_id = "sha256:0", .image_env = env, .nimage_env = COUNT(env)};

    (void)state;
    json_t *body = request_build(&request, NULL);
    char *text = json_dumps(json_object_get(body, "Env"), JSON_COMPACT);
    assert_string_equal(text, "[\"NVIDIA_VISIBLE_DEVICES=void\","
                              "\"NVIDIA_DRIVER_CAPABILITIES=\","
                              "\"NVIDIA_MIG_CONFIG_DEVICES=\","
                              "\"NVIDIA_MIG_MONITOR_DEVICES=\","
                              "\"NVIDIA_IMEX_CHANNELS=\","
                              "\"NVIDIA_GDRCOPY=\",\"NVIDIA_GDS=\","
                              "\"NVIDIA_MOFED=\",\"NVIDIA_NVSWITCH=\","
                              "\"CUDA_VISIBLE_DEVICES=\","
                              "\"LD_PRELOAD=\",\"LD_LIBRARY_PATH=\"]");
    free(text);
    json_decref(body);
}

static void what_a_cdi_specification_sets_reaches_the_tasks(void **state)
{
    char *image[] = {(char *)"IMAGES=1", (char *)"LD_LIBRARY_PATH=/image"};
    char *env[] = {(char *)"PATH=/bin",
                   (char *)"HOME=/x",
                   (char *)"HOSTNAME=h",
                   (char *)"TERM=xterm",
                   (char *)"container=podman",
                   (char *)"IMAGES=1",
                   (char *)"LD_LIBRARY_PATH=",
                   (char *)"CDI=2",
                   (char *)"NVIDIA_VISIBLE_DEVICES=void",
                   (char *)"SLURM_JOB_ID=7",
                   (char *)"LD_OTHER=/cdi",
                   NULL};
    struct strv changes = {0};
    char path[32];
    int pair[2];
    char byte;

    (void)state;
    assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        execle("/bin/sleep", "sleep", "60", (char *)NULL, env);
        _exit(127);
    }
    assert_true(pid > 0);
    close(pair[1]);
    assert_int_equal(read(pair[0], &byte, 1), 0); // it has begun
    close(pair[0]);
    snprintf(path, sizeof(path), "/proc/%d", (int)pid);
    int proc = open(path, O_PATH | O_CLOEXEC);
    assert_int_equal(gpus_inherit(proc, image, 2, &changes, NULL), 0);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    // Of one that has ended nothing is to be had.
    assert_int_equal(gpus_inherit(proc, image, 2, &changes, NULL), -1);
    close(proc);
    assert_int_equal(changes.n, 2);
    assert_string_equal(changes.v[0], "=CDI=2");
    assert_string_equal(changes.v[1], "=LD_OTHER=/cdi");
    strv_clear(&changes);
}

// BERTH_STATEDIR is "state" here, in the temporary directory.
static void keep_table(const char *boot)
{
    snprintf(table->boot, sizeof(table->boot), "%s", boot);
    make_dirs("./state/n1");
    assert_int_equal(gpu_table_write("state/n1/gpus.json", table, NULL), 0);
}

static void check_choice(uint32_t number, const char *step_gpus,
                         const char *job_gpus, int n, const char *says)
{
    struct step step = {.job = 1,
                        .step = number,
                        .node = (char *)"n1",
                        .gpus = (char *)step_gpus};
    struct store_job job = {.job = 1};
    struct berth_err err = {0};
    struct gpus gpus;

    if (job_gpus)
        snprintf(job.gpus, sizeof(job.gpus), "%s", job_gpus);
    int rc = gpus_choose(&step, job_gpus ? &job : NULL, &gpus, &err);
    if (n < 0) {
        assert_int_equal(rc, -1);
        if (!strstr(err.text, says))
            fail_msg("%s", err.text);
    } else {
        if (rc < 0)
            fail_msg("%s", err.text);
        assert_int_equal(gpus.set.n, n);
    }
    gpus_clear(&gpus);
}

static void the_record_bounds_what_a_step_gets(void **state)
{
    char boot[64];

    (void)state;
    // /dev/null and its like are character devices everywhere.
    add_line("Gres Name=gpu Type=t Count=1 File=/dev/null");
    add_line("Gres Name=gpu Type=t Count=1 File=/dev/zero");
    add_line("Gres Name=gpu Type=t Count=1 File=/dev/no-such-file");
    store_boot_id(boot, sizeof(boot));
    keep_table(boot);
    check_choice(0, NULL, "", 0, NULL);
    check_choice(0, NULL, "0-1", 0, NULL);
    check_choice(0, "", "0-1", 0, NULL);
    check_choice(0, "0", "", 0, NULL);
    check_choice(0, "0-1", "0", 1, NULL);
    check_choice(0, "0-1", "0-1", 2, NULL);
    check_choice(0, "1", "0-1", 1, NULL);
    check_choice(STEP_BATCH, "0", "0-1", 2, NULL);
    check_choice(STEP_INTERACTIVE, NULL, "0-1", 2, NULL);
    check_choice(STEP_BATCH, "0-1", "", 0, NULL);
    check_choice(0, NULL, NULL, 0, NULL);
    check_choice(0, "", NULL, 0, NULL);
    check_choice(0, "0", NULL, -1, "has no record");
    check_choice(STEP_BATCH, "0", NULL, -1, "has no record");
    check_choice(0, "all", "0", -1, "SLURM_STEP_GPUS");
    check_choice(0, "0", "x", -1, "the prolog's record");
    check_choice(0, "2", "2", -1, "GPU 2 of node n1 is gone");
    check_choice(0, "3", "3", -1, "no device file for GPU 3");
}

static void shares_of_gpus_are_refused_by_name(void **state)
{
    struct step step = {
        .job = 1, .node = (char *)"n1", .shared = (char *)"shard"};
    struct store_job job = {.job = 1, .gpus = "0"};
    struct berth_err err = {0};
    struct gpus gpus;

    (void)state;
    assert_int_equal(gpus_choose(&step, &job, &gpus, &err), -1);
    assert_non_null(strstr(err.text, "(shard)"));
    gpus_clear(&gpus);
    // Without GPUs, the variables are only what the user wrote.
    job.gpus[0] = 0;
    assert_int_equal(gpus_choose(&step, &job, &gpus, &err), 0);
    gpus_clear(&gpus);
}

static void without_a_good_table_no_gpu(void **state)
{
    char boot[64];

    (void)state;
    check_choice(0, "0", "0", -1, "does not know the GPUs");
    add_line("Gres Name=gpu Type=t Count=1 File=/dev/null");
    keep_table("another");
    check_choice(0, "0", "0", -1, "before its last start");
    store_boot_id(boot, sizeof(boot));
    strcpy(table->gpus[0].problem, "it is broken");
    keep_table(boot);
    check_choice(0, "0", "0", -1, "it is broken");
    check_choice(0, NULL, "0", 0, NULL);
    put("./state/n1/gpus.json", "{");
    check_choice(0, "0", "0", -1, "does not know the GPUs");
}

static void a_gpu_s_graphics_devices_are_its_own(void **state)
{
    static const char *const not_its[] = {
        "/dev/dri/card2",    "/dev/dri/renderD129",
        "/dev/dri/none",     "/dev/dri/",
        "/dev/dri",          "/dev/card1",
        "/dev/dri/../card1", "",
    };
    struct gpus gpus = {.table = table};

    (void)state;
    fill_dgx2();
    make_dirs("./sys/class/drm/card1");
    make_dirs("./sys/class/drm/renderD128");
    make_dirs("./sys/class/drm/card2");
    make_dirs("./sys/class/drm/renderD129");
    assert_int_equal(
        symlink("../../../0000:E7:00.0", "sys/class/drm/card1/device"), 0);
    assert_int_equal(
        symlink("../../../0000:e7:00.0", "sys/class/drm/renderD128/device"), 0);
    assert_int_equal(
        symlink("../../../0000:34:00.0", "sys/class/drm/card2/device"), 0);
    assert_int_equal(symlink("0000:e7:00.0", // no path
                             "sys/class/drm/renderD129/device"),
                     0);
    assert_int_equal(gpu_list_parse("0", &gpus.set, NULL), 0); // e7:00.0
    assert_true(verify_dev_is_drm(&gpus, "sys", "/dev/dri/card1"));
    assert_true(verify_dev_is_drm(&gpus, "sys", "/dev/dri/renderD128"));
    for (size_t i = 0; i < COUNT(not_its); i++)
        if (verify_dev_is_drm(&gpus, "sys", not_its[i]))
            fail_msg("%s", not_its[i]);
    gpus.set.has[0] = false;
    gpus.set.n = 0;
    assert_false(verify_dev_is_drm(&gpus, "sys", "/dev/dri/card1"));
}

// DEVICE is the administrator's, or NULL.
static void check_both(const struct gpus *gpus, const char *device,
                       const char *root, const char *says)
{
    struct berth_err err = {0};

    int fd = open(root, O_PATH | O_DIRECTORY);
    assert_true(fd >= 0);
    int rc = verify_dev(gpus, &device, device != NULL, false, fd, &err);
    close(fd);
    if (!says && rc < 0)
        fail_msg("%s", err.text);
    if (says && (rc == 0 || !strstr(err.text, says)))
        fail_msg("%s", err.text);
}

static void check_devices(const struct gpus *gpus, const char *root,
                          const char *says)
{
    check_both(gpus, NULL, root, says);
}

// Counted once, however it came there.
static void a_gpu_s_file_that_is_a_device_as_well_is_there_once(void **state)
{
    struct gpus one = {.table = table};

    (void)state;
    add_line("Gres Name=gpu Type=t Count=1 File=/dev/full");
    assert_int_equal(gpu_list_parse("0", &one.set, NULL), 0);
    assert_int_equal(strv_add(&one.names, "nvidia.com/gpu=0"), 0);
    make_dirs("./both/dev");
    if (mknod("both/dev/full", S_IFCHR | 0666, makedev(1, 7)) < 0)
        skip(); // it takes root
    check_devices(&one, "both", NULL);
    check_both(&one, "/dev/full", "both", NULL);
    check_both(&one, "/dev/zero", "both", "it lacks a device");
    one.table = NULL;
    gpus_clear(&one);
}

static void the_check_sees_devices_too_many_and_too_few(void **state)
{
    struct gpus none = {0}, one = {.table = table};

    (void)state;
    add_line("Gres Name=gpu Type=t Count=1 File=/dev/fake0");
    assert_int_equal(gpu_list_parse("0", &one.set, NULL), 0);
    assert_int_equal(strv_add(&one.names, "/dev/fake0"), 0);
    make_dirs("./empty/dev/below");
    check_devices(&none, "empty", NULL);
    check_devices(&one, "empty", "it lacks a device");
    // A file of that name is no device.
    put("./empty/dev/fake0", "");
    check_devices(&one, "empty", "it lacks a device");
    make_dirs("./linked");
    assert_int_equal(symlink("../empty/dev", "linked/dev"), 0);
    check_devices(&none, "linked", "/dev of the container");
    make_dirs("./deep/dev/1/2/3/4/5/6/7/8/9");
    check_devices(&none, "deep", "strange");
    one.table = NULL;
    gpus_clear(&one);
}

static void a_device_that_is_a_gpu_s_file_is_asked_for_once(void **state)
{
    const struct rule rules[] = {
        {.text = "/dev/zer*"}, {.text = "/dev/nul*"}, {.text = "/dev/null"}};
    const struct rule *const v[] = {&rules[0], &rules[1], &rules[2]};
    const struct rule_list patterns = {3, v};
    struct gpus one = {.table = table, .set = {.n = 1, .has = {true}}};
    struct request request = {0};
    struct strv found = {0};

    (void)state;
    add_line("Gres Name=gpu Type=t Count=1 File=/dev/zero");
    assert_string_equal(table->gpus[0].files[0], "/dev/zero");
    assert_int_equal(devices_find(&patterns, NULL, &request, &found, NULL), 0);
    assert_int_equal(request.ndevices, 2);
    strv_clear(&found);
    assert_int_equal(devices_find(&patterns, &one, &request, &found, NULL), 0);
    assert_int_equal(request.ndevices, 1);
    assert_string_equal(request.devices[0], "/dev/null");
    strv_clear(&found);
    // AMD's have one more, of them all.
    assert_false(gpus_have_file(&one, GPUS_KFD));
    table->gpus[0].vendor = GPU_AMD;
    assert_true(gpus_have_file(&one, GPUS_KFD));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_dgx2_s_gpus_are_found_by_minor),
        TEST(a_power8_s_gpus_are_found_by_minor),
        TEST(an_older_node_with_two_kinds_of_gpu),
        TEST(a_gpu_that_can_not_be_found_has_a_problem),
        TEST(a_gpu_that_was_removed_has_a_problem),
        TEST(mig_instances_are_found_by_their_devices),
        TEST(a_mig_instance_that_can_not_be_found_has_a_problem),
        TEST(mig_instances_are_asked_for_by_their_uuids),
        TEST(a_topology_that_lacks_the_gpu_or_fails_is_a_problem),
        TEST(a_topology_without_pci_is_a_problem),
        TEST(what_nvidia_s_driver_says_badly_is_a_problem),
        TEST(a_plain_device_needs_no_topology),
        TEST(a_table_is_read_as_it_was_written),
        TEST(refuses_what_is_no_table),
        TEST(without_gpus_nothing_is_asked_for),
        TEST(each_gpu_of_a_dgx2_is_asked_for_by_its_uuid),
        TEST(a_pair_across_the_sockets),
        TEST(the_capabilities_are_those_that_the_policy_allows),
        TEST(a_gpu_far_from_the_step_s_cpus_is_named),
        TEST(plain_devices_are_asked_for_by_their_files),
        TEST(a_device_that_is_a_gpu_s_file_is_asked_for_once),
        TEST(refuses_what_an_engine_can_not_do),
        TEST(an_image_s_ld_variables_are_kept_from_hooks),
        TEST(what_a_cdi_specification_sets_reaches_the_tasks),
        TEST(the_record_bounds_what_a_step_gets),
        TEST(shares_of_gpus_are_refused_by_name),
        TEST(without_a_good_table_no_gpu),
        TEST(a_gpu_s_graphics_devices_are_its_own),
        TEST(the_check_sees_devices_too_many_and_too_few),
        TEST(a_gpu_s_file_that_is_a_device_as_well_is_there_once),
    };

    return cmocka_run_group_tests_name("gpus", tests, NULL, NULL);
}
