// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "logic/changes.h"
#include "protocol/inside_paths.h"

// What comes in front of an image's values, and behind them.
#define FRONT ">/work", "-BERTH_*"
#define PLACES "=HOME=/home/x", "=PWD=/work"
#define LAUNCHERS                                                              \
    "^HYDRA_BOOTSTRAP=slurm",                                                  \
        "^HYDRA_LAUNCHER_EXTRA_ARGS=--external-launcher",                      \
        "^I_MPI_HYDRA_BOOTSTRAP=slurm",                                        \
        "^I_MPI_HYDRA_BOOTSTRAP_EXEC_EXTRA_ARGS=--external-launcher",          \
        "?HYDRA_BOOTSTRAP=fork", "?I_MPI_HYDRA_BOOTSTRAP=fork",                \
        "?HYDRA_RMK=user", "?OMPI_MCA_plm=isolated", "?OMPI_MCA_ras=^slurm",   \
        "?PRTE_MCA_plm=^slurm", "?PRTE_MCA_ras=^slurm"
#define BACK PLACES, LAUNCHERS

static void check(struct changes o, const char *const *want)
{
    struct strv out = {0};
    size_t i = 0;

    o.argv0 = o.argv0 ? o.argv0 : "";
    o.cwd = "/work";
    o.home = "/home/x";
    assert_int_equal(changes_build(&o, &out, NULL), 0);
    for (; want[i]; i++) {
        assert_true(i < out.n);
        assert_string_equal(out.v[i], want[i]);
    }
    assert_int_equal(out.n, i);
    strv_clear(&out);
}

static void check_image(char *const *image, size_t n, const char *const *want)
{
    check((struct changes){.image_env = image, .nimage_env = n}, want);
}

static void an_image_can_not_say_who_and_where_a_task_is(void **state)
{
    char *image[] = {
        (char *)"SLURM_JOB_ID=999",
        (char *)"SLURMD_NODENAME=x",
        (char *)"PMI_RANK=9",
        (char *)"PMIX_RANK=9",
        (char *)"OMPI_COMM_WORLD_RANK=9",
        (char *)"NVIDIA_VISIBLE_DEVICES=all",
        (char *)"CUDA_VISIBLE_DEVICES=0,1",
        (char *)"ROCR_VISIBLE_DEVICES=0",
        (char *)"ZE_AFFINITY_MASK=0",
        (char *)"GPU_DEVICE_ORDINAL=0",
        (char *)"BERTH_STEP=/x",
        (char *)"HOME=/root",
        (char *)"HOSTNAME=x",
        (char *)"USER=root",
        (char *)"TMPDIR=/x",
        (char *)"PWD=/x",
    };
    const char *const want[] = {FRONT, "=PATH=" CHANGES_PATH, BACK, NULL};

    (void)state;
    check_image(image, sizeof(image) / sizeof(*image), want);
}

static void entries_that_are_no_assignment_are_left_out(void **state)
{
    char *image[] = {(char *)"", (char *)"A", (char *)"=x"};
    const char *const want[] = {FRONT, "=PATH=" CHANGES_PATH, BACK, NULL};

    (void)state;
    check_image(image, 3, want);
}

static void the_images_own_values_win(void **state)
{
    char *image[] = {(char *)"PATH=/opt/bin", (char *)"LANG=C.UTF-8",
                     (char *)"EMPTY=", (char *)"HOMELY=1",
                     (char *)"MPATH=/man"};
    const char *const want[] = {
        FRONT,         "=LANG=C.UTF-8",  "=EMPTY=", "=HOMELY=1",
        "=MPATH=/man", "=PATH=/opt/bin", BACK,      NULL};

    (void)state;
    check_image(image, 5, want);
}

static void the_jobs_values_win_where_the_user_says_so(void **state)
{
    char *image[] = {(char *)"LANG=C", (char *)"LANGUAGE=de"};
    const char *const env[] = {"LANG", "PATH", "HOME", "NONE"};
    const char *const want[] = {
        FRONT,           "?LANG=C",    "=LANGUAGE=de", "?PATH=" CHANGES_PATH,
        "?HOME=/home/x", "=PWD=/work", LAUNCHERS,      NULL};

    (void)state;
    check(
        (struct changes){
            .image_env = image, .nimage_env = 2, .env = env, .nenv = 4},
        want);
}

static void globs_say_whose_value_it_is(void **state)
{
    static const struct rule a = {.text = "OMP_*"}, b = {.text = "BASH_FUNC_*"},
                             c = {.text = "X"};
    static const struct rule *const one[] = {&a}, *const two[] = {&b, &c};
    static const struct rule_list job = {1, one}, ask = {2, two};
    char *image[] = {(char *)"OMP_X=1", (char *)"AOMP_X=1", (char *)"NCCL_Y=2",
                     (char *)"HF=3"};
    const char *env[] = {"NCCL_*", "HF", "X"};
    const char *const plain[] = {
        FRONT,   "-BASH_FUNC_*=X",      "?OMP_X=1", "=AOMP_X=1", "=NCCL_Y=2",
        "=HF=3", "=PATH=" CHANGES_PATH, BACK,       NULL};
    const char *const asked[] = {FRONT,
                                 "-BASH_FUNC_*=X==NCCL_*=HF=X",
                                 "?OMP_X=1",
                                 "=AOMP_X=1",
                                 "?NCCL_Y=2",
                                 "?HF=3",
                                 "=PATH=" CHANGES_PATH,
                                 BACK,
                                 NULL};
    struct changes changes = {
        .image_env = image, .nimage_env = 4, .env_ask = &ask, .env_job = &job};

    (void)state;
    check(changes, plain);
    changes.env = env;
    changes.nenv = 3;
    check(changes, asked);
}

static void sets_are_there_where_tasks_have_ranks(void **state)
{
    static const struct rule torch = {.text = "torch"};
    static const struct rule *const one[] = {&torch};
    static const struct rule_list sets = {1, one};
    char *set[] = {(char *)"RANK=mine"};
    const char *const want[] = {FRONT,
                                "=PATH=" CHANGES_PATH,
                                BACK,
                                "+RANK=SLURM_PROCID",
                                "+LOCAL_RANK=SLURM_LOCALID",
                                "+WORLD_SIZE=SLURM_STEP_NUM_TASKS",
                                "1MASTER_ADDR=SLURM_STEP_NODELIST",
                                "?MASTER_PORT=20136",
                                "=RANK=mine",
                                NULL};
    const char *const none[] = {FRONT, "=PATH=" CHANGES_PATH, BACK, NULL};
    struct changes changes = {.env_sets = &sets,
                              .has_ranks = true,
                              .job = 2,
                              .step = 2,
                              .env_set = set,
                              .nenv_set = 1};

    (void)state;
    check(changes, want);
    changes.has_ranks = false;
    changes.nenv_set = 0;
    check(changes, none);
}

static void slurms_commands_come_first_and_start_what_is_alike(void **state)
{
    char *image[] = {(char *)"PATH=/opt/bin"};
    char *set[] = {(char *)"SLURM_CONF=/site"};
    const char *const want[] = {FRONT,
                                "=PATH=" INSIDE_SLURM_BIN ":/opt/bin",
                                PLACES,
                                "=SLURM_CONF=/etc/slurm/slurm.conf",
                                "=SLURM_WORKING_DIR=/home/x/work",
                                "=BERTH_CONTAINER_IMAGE=debian",
                                "=BERTH_CONTAINER_MOUNTS=/a,/b",
                                "=BERTH_CONTAINER_WORKDIR=/work",
                                "=BERTH_CONTAINER_MOUNT_HOME=no",
                                "=BERTH_CONTAINER_READONLY=yes",
                                "=BERTH_CONTAINER_SLURM=yes",
                                "=SLURM_CONF=/site",
                                NULL};
    const struct options options = {.image = (char *)"debian",
                                    .mounts = (char *)"/a,/b",
                                    .workdir = (char *)"/work",
                                    .mount_home = CHOICE_NO,
                                    .writable = CHOICE_NO,
                                    .slurm = CHOICE_YES};

    (void)state;
    check((struct changes){.image_env = image,
                           .nimage_env = 1,
                           .slurm_conf = "/etc/slurm/slurm.conf",
                           .options = &options,
                           .node_cwd = "/home/x/work",
                           .env_set = set,
                           .nenv_set = 1},
          want);
}

static void the_administrator_is_first_and_last(void **state)
{
    static const struct rule a = {.text = "SSH_*"}, b = {.text = "MY_*"},
                             c = {.text = "LANG"};
    static const struct rule *const one[] = {&a}, *const two[] = {&b, &c};
    static const struct rule_list deny = {1, one}, pass = {2, two};
    char *set[] = {(char *)"PATH=/site/bin", (char *)"HOME=/site",
                   (char *)"NVIDIA_VISIBLE_DEVICES=all",
                   (char *)"CUDA_VISIBLE_DEVICES=0"};
    char *image[] = {(char *)"A=1"};
    const char *const want[] = {
        FRONT,
        "-SSH_*",
        "~CUDA_VISIBLE_DEVICES=GPU_DEVICE_ORDINAL=HIP_VISIBLE_DEVICES="
        "NVIDIA_*=ROCR_VISIBLE_DEVICES=ZE_AFFINITY_MASK=OMPI_*=PMI*=SLURM*="
        "MY_*=LANG",
        "=A=1",
        "=PATH=" CHANGES_PATH,
        BACK,
        "=PATH=/site/bin",
        "=HOME=/site",
        NULL};

    (void)state;
    check((struct changes){.image_env = image,
                           .nimage_env = 1,
                           .env_deny = &deny,
                           .env_pass = &pass,
                           .env_set = set,
                           .nenv_set = 4},
          want);
}

static void the_program_comes_behind_the_entry_point(void **state)
{
    char *entry[] = {(char *)"/entry", (char *)"--", (char *)""};
    struct changes changes = {.argv0 = "prog", .entry = entry, .nentry = 3};
    const char *const without[] = {
        "0prog",
        "!the image has an ENTRYPOINT, which may bring it: "
        "--container-entrypoint runs that",
        FRONT,
        "=PATH=" CHANGES_PATH,
        BACK,
        NULL};
    const char *const with[] = {
        "0prog",
        "@/entry",
        "@--",
        "@",
        "!it is the image's ENTRYPOINT: --no-container-entrypoint runs the "
        "command without",
        FRONT,
        "=PATH=" CHANGES_PATH,
        BACK,
        NULL};

    (void)state;
    check(changes, without);
    changes.run_entry = true;
    check(changes, with);
}

static void the_images_own_command_is_there_word_by_word(void **state)
{
    char *entry[] = {(char *)"./entry"}, *cmd[] = {(char *)"./cmd", (char *)""};
    struct changes changes = {.entry = entry,
                              .nentry = 1,
                              .run_entry = true,
                              .cmd = cmd,
                              .ncmd = 2,
                              .own = true,
                              .workdir = "/app"};
    const char *const both[] = {
        "@/app/./entry",       "*",  ",./cmd", ",", FRONT,
        "=PATH=" CHANGES_PATH, BACK, NULL};
    const char *const alone[] = {
        "*", ",/app/./cmd", ",", FRONT, "=PATH=" CHANGES_PATH, BACK, NULL};

    (void)state;
    check(changes, both);
    changes.run_entry = false;
    check(changes, alone);
}

static void a_relative_entry_point_is_the_workdirs(void **state)
{
    char *entry[] = {(char *)"./start.sh", (char *)"./x"};
    struct changes changes = {
        .entry = entry, .nentry = 2, .run_entry = true, .workdir = "/app"};
    const char *hint = "!it is the image's ENTRYPOINT: "
                       "--no-container-entrypoint runs the command without";
    const char *const want[] = {"@/app/./start.sh", "@./x", hint, FRONT, NULL};
    const char *const there[] = {"@/app/./start.sh",
                                 "@./x",
                                 hint,
                                 ")/app",
                                 "-BERTH_*",
                                 "=PATH=" CHANGES_PATH,
                                 "=HOME=/home/x",
                                 "=PWD=/app",
                                 LAUNCHERS,
                                 NULL};
    struct strv out = {0};

    (void)state;
    changes.argv0 = "";
    changes.cwd = "/work";
    changes.home = "/home/x";
    assert_int_equal(changes_build(&changes, &out, NULL), 0);
    for (size_t i = 0; want[i]; i++)
        assert_string_equal(out.v[i], want[i]);
    strv_clear(&out);
    changes.in_workdir = true;
    check(changes, there);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_image_can_not_say_who_and_where_a_task_is),
        cmocka_unit_test(entries_that_are_no_assignment_are_left_out),
        cmocka_unit_test(the_images_own_values_win),
        cmocka_unit_test(the_jobs_values_win_where_the_user_says_so),
        cmocka_unit_test(sets_are_there_where_tasks_have_ranks),
        cmocka_unit_test(globs_say_whose_value_it_is),
        cmocka_unit_test(slurms_commands_come_first_and_start_what_is_alike),
        cmocka_unit_test(the_administrator_is_first_and_last),
        cmocka_unit_test(the_program_comes_behind_the_entry_point),
        cmocka_unit_test(the_images_own_command_is_there_word_by_word),
        cmocka_unit_test(a_relative_entry_point_is_the_workdirs),
    };

    return cmocka_run_group_tests_name("changes", tests, NULL, NULL);
}
