// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "gpu/information.h"
#include "gpu/slurmd.h"
#include "logic/gpu.h"
#include "logic/gpu_rules.h"
#include "logic/rules.h"

#define COUNT(table) (sizeof(table) / sizeof(*(table)))

// Big: not on the stack of each test.
static struct gpu_table table;
static struct gpu_table empty;

static void refuses_what_is_no_list_of_indices(void **state)
{
    static const char *const lists[] = {
        ",",
        "0,",
        ",0",
        "0,,1",
        "a",
        "0a",
        "0 ",
        " 0",
        "0-",
        "-0",
        "1-0",
        "0-1-2",
        "0,0",
        "0-2,1",
        "128",
        "0-128",
        "-1",
        "+1",
        "0x1",
        "1.",
        "0;1",
        "all",
        "void",
        "NoDevFiles",
        "GPU-34fbe3a4",
        "99999999999999999999",
        "0\n",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(lists); i++) {
        struct gpu_set set = {.n = 7};
        struct berth_err err = {0};
        if (gpu_list_parse(lists[i], &set, &err) == 0)
            fail_msg("\"%s\" was taken", lists[i]);
        assert_int_equal(err.code, BERTH_EINVAL);
        assert_int_equal(set.n, 7);
    }
}

static void reads_lists_of_indices(void **state)
{
    static const struct {
        const char *list;
        size_t n;
        unsigned first, last;
    } lists[] = {
        {"0", 1, 0, 0},         {"127", 1, 127, 127},   {"0,2-3", 3, 0, 3},
        {"3,0", 2, 0, 3},       {"0-127", 128, 0, 127}, {"5-5", 1, 5, 5},
        {"10,2-4,7", 5, 2, 10},
    };
    struct gpu_set set;

    (void)state;
    assert_int_equal(gpu_list_parse("", &set, NULL), 0);
    assert_int_equal(set.n, 0);
    for (size_t i = 0; i < COUNT(lists); i++) {
        assert_int_equal(gpu_list_parse(lists[i].list, &set, NULL), 0);
        assert_int_equal(set.n, lists[i].n);
        assert_true(set.has[lists[i].first]);
        assert_true(set.has[lists[i].last]);
    }
    assert_int_equal(gpu_list_parse("0,2-3", &set, NULL), 0);
    assert_false(set.has[1]);
}

static void a_longer_list_than_the_allocation_gives_the_allocation(void **state)
{
    struct gpu_set job, asked, both;

    (void)state;
    assert_int_equal(gpu_list_parse("2-3", &job, NULL), 0);
    assert_int_equal(gpu_list_parse("0-127", &asked, NULL), 0);
    gpu_set_intersect(&job, &asked, &both);
    assert_int_equal(both.n, 2);
    assert_true(both.has[2] && both.has[3]);
    assert_int_equal(gpu_list_parse("0-1,3", &asked, NULL), 0);
    gpu_set_intersect(&job, &asked, &both);
    assert_int_equal(both.n, 1);
    assert_true(both.has[3]);
    assert_int_equal(gpu_list_parse("", &asked, NULL), 0);
    gpu_set_intersect(&job, &asked, &both);
    assert_int_equal(both.n, 0);
}

static void refuses_device_files_outside_dev(void **state)
{
    static const char *const paths[] = {
        "",
        "/dev",
        "/dev/",
        "dev/x",
        "/devx/y",
        "/etc/shadow",
        "/dev/../etc/x",
        "/dev/./x",
        "/dev//x",
        "/dev/x/",
        "/dev/a b",
        "/dev/a\nb",
        "/dev/\xc3\xa9",
        "/proc/self/fd/3",
        "/dev/.x",
    };
    char path[GPU_PATH_MAX + 1] = "/dev/";

    (void)state;
    for (size_t i = 0; i < COUNT(paths); i++)
        if (gpu_path_ok(paths[i]))
            fail_msg("\"%s\" was taken", paths[i]);
    memset(path + 5, 'x', GPU_PATH_MAX - 5);
    assert_false(gpu_path_ok(path));
    path[GPU_PATH_MAX - 1] = 0;
    assert_true(gpu_path_ok(path));
    assert_true(gpu_path_ok("/dev/nvidia0"));
    assert_true(gpu_path_ok("/dev/dri/renderD128"));
}

static void reads_what_slurmd_says(void **state)
{
    static const char *const lines[] = {
        "slurmd-n1: Gres Name=gpu Type=tesla Count=1 Index=5 ID=7696487 "
        "File=/dev/nvidia5 Cores=0-7 CoreCnt=16 (null)\n",
        "slurmd: Gres Name=gpu Type=(null) Count=2 Index=0 ID=7696487 "
        "File=/dev/nvidia[0-1] Links=(null) Flags=HAS_FILE,ENV_NVML\n",
        "slurmd: Gres Name=gpu Type=a Count=3 Index=0 ID=7696487 "
        "File=/dev/dri/renderD[128,130-131] (null)\n",
        "slurmd: Gres Name=gpu Type=m Count=1 Index=0 ID=7696487 "
        "File=/dev/nvidia7,/dev/nvidia-caps/nvidia-cap[21-22] (null)\n",
        "slurmd: Gres Name=gpu Type=z Count=2 Index=0 ID=7696487 "
        "File=/dev/gpu08,/dev/gpu09\n",
        "slurmd: Gres Name=gpu Type=z Count=2 Index=0 ID=7696487 "
        "File=/dev/gpu[08-09]\n",
        "slurmd: Gres Name=mps Type=(null) Count=200 Index=0 ID=1\n",
        "slurmd: Gres Name=gpuish Type=(null) Count=1 Index=0 File=/dev/x\n",
        "slurmd: warning: something else\n",
        "",
    };
    static const struct {
        const char *type;
        const char *files[4];
    } want[] = {
        {"tesla", {"/dev/nvidia5"}},
        {"", {"/dev/nvidia0"}},
        {"", {"/dev/nvidia1"}},
        {"a", {"/dev/dri/renderD128"}},
        {"a", {"/dev/dri/renderD130"}},
        {"a", {"/dev/dri/renderD131"}},
        {"m",
         {"/dev/nvidia7", "/dev/nvidia-caps/nvidia-cap21",
          "/dev/nvidia-caps/nvidia-cap22"}},
        {"z", {"/dev/gpu08"}},
        {"z", {"/dev/gpu09"}},
        {"z", {"/dev/gpu08"}},
        {"z", {"/dev/gpu09"}},
    };

    (void)state;
    table = empty;
    for (size_t i = 0; i < COUNT(lines); i++) {
        struct berth_err err = {0};
        if (slurmd_add_line(&table, lines[i], &err) < 0)
            fail_msg("%s: %s", lines[i], err.text);
    }
    assert_int_equal(table.n, COUNT(want));
    for (size_t i = 0; i < COUNT(want); i++) {
        size_t n = 0;
        assert_int_equal(table.gpus[i].index, i);
        assert_string_equal(table.gpus[i].type, want[i].type);
        for (; want[i].files[n]; n++)
            assert_string_equal(table.gpus[i].files[n], want[i].files[n]);
        assert_int_equal(table.gpus[i].nfiles, n);
    }
}

static void refuses_gpus_that_slurmd_can_not_place(void **state)
{
    static const struct {
        const char *line;
        const char *says;
    } lines[] = {
        {"Gres Name=gpu Type=a Count=1 Index=0 ID=1 (null)",
         "without a device file"},
        {"Gres Name=gpu Type=a Count=1 Index=0 File=(null)",
         "without a device file"},
        {"Gres Name=gpu Type=a Count=1 Index=0 File=/etc/shadow", "below /dev"},
        {"Gres Name=gpu Type=a Count=1 File=/dev/../etc/x", "below /dev"},
        {"Gres Name=gpu Type=a Count=2 File=/dev/x[0-3]", "another number"},
        {"Gres Name=gpu Type=a Count=2 File=/dev/x0", "another number"},
        {"Gres Name=gpu Type=a Count=2 File=/dev/x[0-", "a range"},
        {"Gres Name=gpu Type=a Count=2 File=/dev/x[1-0]", "a range"},
        {"Gres Name=gpu Type=a Count=2 File=/dev/x[a]", "a range"},
        {"Gres Name=gpu Type=a Count=2 File=/dev/x[0-99999]", "a range"},
        {"Gres Name=gpu Type=a Count=-1 File=/dev/x", "not understand"},
        {"Gres Name=gpu Type=a Count=9999 File=/dev/x", "not understand"},
        {"Gres Name=gpu File=/dev/x", "not understand"},
        {"Gres Name=gpu Type=a Count=1 File=/dev/a,/dev/b,/dev/c,/dev/d,"
         "/dev/e,/dev/f,/dev/g,/dev/h,/dev/i",
         "more than"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(lines); i++) {
        struct berth_err err = {0};
        table = empty;
        if (slurmd_add_line(&table, lines[i].line, &err) == 0)
            fail_msg("\"%s\" was taken", lines[i].line);
        if (!strstr(err.text, lines[i].says))
            fail_msg("\"%s\": %s", lines[i].line, err.text);
    }
}

static void refuses_more_gpus_than_there_is_room_for(void **state)
{
    struct berth_err err = {0};

    (void)state;
    table = empty;
    assert_int_equal(slurmd_add_line(&table,
                                     "Gres Name=gpu Type=a Count=128 "
                                     "File=/dev/x[0-127]",
                                     &err),
                     0);
    assert_int_equal(slurmd_add_line(&table,
                                     "Gres Name=gpu Type=a Count=1 "
                                     "File=/dev/y",
                                     &err),
                     -1);
    assert_non_null(strstr(err.text, "more than 128"));
}

// As driver 535 writes it.
static const char information[] =
    "Model: \t\t NVIDIA H100 80GB HBM3\n"
    "IRQ:   \t\t 187\n"
    "GPU UUID: \t GPU-34fbe3a4-5b0e-8f1c-2c17-9b0f6d1c7a11\n"
    "Video BIOS: \t 96.00.74.00.01\n"
    "Bus Type: \t PCIe\n"
    "DMA Size: \t 52 bits\n"
    "DMA Mask: \t 0xfffffffffffff\n"
    "Bus Location: \t 0000:19:00.0\n"
    "Device Minor: \t 5\n"
    "GPU Excluded:\t No\n";

static void reads_what_nvidias_driver_says(void **state)
{
    struct information info;

    (void)state;
    assert_true(information_parse(information, &info));
    assert_int_equal(info.minor, 5);
    assert_string_equal(info.busid, "0000:19:00.0");
    assert_string_equal(info.model, "NVIDIA H100 80GB HBM3");
    assert_string_equal(info.uuid, "GPU-34fbe3a4-5b0e-8f1c-2c17-9b0f6d1c7a11");
}

static void refuses_half_of_what_nvidias_driver_says(void **state)
{
    static const char *const keys[] = {
        "Model:", "GPU UUID:", "Bus Location:", "Device Minor:"};
    struct information info;
    char text[sizeof(information)];

    (void)state;
    assert_false(information_parse("", &info));
    for (size_t i = 0; i < COUNT(keys); i++) {
        strcpy(text, information);
        memset(strstr(text, keys[i]), 'x', 3);
        if (information_parse(text, &info))
            fail_msg("%s is not missed", keys[i]);
    }
    // A driver that has not started yet does not know the UUID.
    strcpy(text, information);
    memset(strstr(text, "34fbe3a4"), '?', 8);
    assert_false(information_parse(text, &info));
    strcpy(text, information);
    memcpy(strstr(text, "Minor: \t 5"), "Minor: \t x", 10);
    assert_false(information_parse(text, &info));
}

static void check_rules(const char *list, const struct rules *rules,
                        enum berth_errc code, const char *says)
{
    struct berth_err err = {0};
    struct gpu_set set;

    assert_int_equal(gpu_list_parse(list, &set, NULL), 0);
    int rc = gpu_rules_check(&set, &table, "n1", rules, &err);
    assert_int_equal(rc, says ? -1 : 0);
    if (says && (err.code != code || !strstr(err.text, says)))
        fail_msg("%s: code %d, %s", list, (int)err.code, err.text);
}

static void the_administrator_s_rules_bound_what_a_step_may_have(void **state)
{
    const struct rule type = {
        .text = "a100", .file = "/etc/berth.conf", .line = 7};
    const struct rule *const types_v[] = {&type};
    struct gpu_set first_two;
    const struct rule indices = {.text = "0-1",
                                 .file = "/etc/berth.conf",
                                 .line = 8,
                                 .gpus = &first_two};
    const struct rule *const indices_v[] = {&indices};
    struct rules none = {0}, any = {.gpus = true};
    struct rules few = {.gpus = true, .gpu_max = 2};
    struct rules typed = {.gpus = true, .gpu_types = {1, types_v}};
    struct rules listed = {.gpus = true, .gpu_indices = {1, indices_v}};

    (void)state;
    table = empty;
    assert_int_equal(gpu_list_parse("0-1", &first_two, NULL), 0);
    assert_int_equal(slurmd_add_line(&table,
                                     "Gres Name=gpu Type=a100 "
                                     "Count=3 File=/dev/x[0-2]",
                                     NULL),
                     0);
    assert_int_equal(slurmd_add_line(&table,
                                     "Gres Name=gpu Type=l4 "
                                     "Count=1 File=/dev/x3",
                                     NULL),
                     0);
    assert_int_equal(slurmd_add_line(&table,
                                     "Gres Name=gpu Type=(null) "
                                     "Count=1 File=/dev/x4",
                                     NULL),
                     0);
    // Zeroed rules allow nothing, but there is nothing to refuse either.
    check_rules("", &none, BERTH_OK, NULL);
    check_rules("0", &none, BERTH_EDENIED, "berth's default");
    none.gpus_rule =
        (struct rule){.text = "no", .file = "/etc/berth.conf", .line = 3};
    check_rules("0", &none, BERTH_EDENIED, "by /etc/berth.conf line 3: leave");
    check_rules("0-4", &any, BERTH_OK, NULL);
    check_rules("0-1", &few, BERTH_OK, NULL);
    check_rules("0-2", &few, BERTH_EDENIED, "no more than 2 of node n1's");
    check_rules("0,2", &typed, BERTH_OK, NULL);
    check_rules("0,3", &typed, BERTH_EDENIED,
                "GPU 3 of node n1 (type l4) cannot be had in a container: "
                "/etc/berth.conf line 7 allows a100");
    check_rules("4", &typed, BERTH_EDENIED, "(without a type)");
    check_rules("0-1", &listed, BERTH_OK, NULL);
    check_rules("1-2", &listed, BERTH_EDENIED,
                "/etc/berth.conf line 8 allows those with the indices 0-1");
}

static void capabilities_are_named_one_by_one(void **state)
{
    (void)state;
    assert_true(gpu_capability_ok("compute"));
    assert_true(gpu_capability_ok("video"));
    assert_false(gpu_capability_ok("all"));
    assert_false(gpu_capability_ok(""));
    assert_false(gpu_capability_ok("compute,utility"));
    assert_false(gpu_capability_ok("Compute"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_is_no_list_of_indices),
        cmocka_unit_test(reads_lists_of_indices),
        cmocka_unit_test(
            a_longer_list_than_the_allocation_gives_the_allocation),
        cmocka_unit_test(refuses_device_files_outside_dev),
        cmocka_unit_test(reads_what_slurmd_says),
        cmocka_unit_test(refuses_gpus_that_slurmd_can_not_place),
        cmocka_unit_test(refuses_more_gpus_than_there_is_room_for),
        cmocka_unit_test(reads_what_nvidias_driver_says),
        cmocka_unit_test(refuses_half_of_what_nvidias_driver_says),
        cmocka_unit_test(the_administrator_s_rules_bound_what_a_step_may_have),
        cmocka_unit_test(capabilities_are_named_one_by_one),
    };

    return cmocka_run_group_tests_name("gpu", tests, NULL, NULL);
}
