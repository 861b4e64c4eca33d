// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "logic/procfs.h"

static void lines_of_other_forms_are_refused(void **state)
{
    static const char *const bad[] = {
        "", "\n", "1", "1:", "1:memory", "1:memory:", "1:memory:relative",
    };
    struct cgroup_line c;
    struct mountinfo m;
    char line[256];

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        snprintf(line, sizeof(line), "%s", bad[i]);
        if (cgroup_line_parse(line, &c))
            fail_msg("taken for a cgroup: \"%s\"", bad[i]);
        snprintf(line, sizeof(line), "%s", bad[i]);
        if (mountinfo_parse(line, &m))
            fail_msg("taken for a mount: \"%s\"", bad[i]);
    }
    snprintf(line, sizeof(line), "1 2 0:3 / /x rw - tmpfs t");
    assert_false(mountinfo_parse(line, &m));
}

static void cgroups_of_both_versions_are_read(void **state)
{
    static const struct {
        const char *line, *controllers, *path;
    } rows[] = {
        {"4:memory:/slurm_n1/uid_1/job_2/step_0/task_0\n", "memory",
         "/slurm_n1/uid_1/job_2/step_0/task_0"},
        {"3:cpu,cpuacct:/\n", "cpu,cpuacct", "/"},
        {"9:name=systemd:/a:b\n", "name=systemd", "/a:b"},
        {"0::/system.slice/slurmstepd.scope/job_2/step_0/user/task_0\n", "",
         "/system.slice/slurmstepd.scope/job_2/step_0/user/task_0"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct cgroup_line c;
        char line[256];
        snprintf(line, sizeof(line), "%s", rows[i].line);
        assert_true(cgroup_line_parse(line, &c));
        assert_string_equal(c.controllers, rows[i].controllers);
        assert_string_equal(c.path, rows[i].path);
    }
}

// Where each kind of /proc/PID/cgroup says that a task of Slurm's is: for the
// controllers named, or with "" in version 2; NULL: there is no such line.
static void recorded_files_are_read_whole(void **state)
{
#define SCOPE "/system.slice/slurmstepd.scope/job_7/"
    static const struct {
        const char *file;
        int lines;
        const char *freezer, *memory, *v2;
    } rows[] = {
        {"v1", 9, "/slurm_n1/uid_1001/job_16/step_0",
         "/slurm_n1/uid_1001/job_16/step_0/task_0", NULL},
        {"hybrid", 10, "/slurm_n1/uid_1001/job_16/step_0",
         "/slurm_n1/uid_1001/job_16/step_0/task_0",
         "/system.slice/slurmd.service"},
        {"v2-task", 1, NULL, NULL, SCOPE "step_0/user/task_3"},
        {"v2-batch", 1, NULL, NULL, SCOPE "step_batch/user/task_0"},
        {"v2-extern", 1, NULL, NULL, SCOPE "step_extern/user/task_special"},
        {"v2-interactive", 1, NULL, NULL, SCOPE "step_interactive/user/task_0"},
        {"v2-multiple", 1, NULL, NULL,
         "/system.slice/n1_slurmstepd.scope/job_3/step_0/user/task_0"},
        {"v2-slurmstepd", 1, NULL, NULL,
         "/system.slice/n1_slurmstepd.scope/job_3/step_0/slurm"},
        {"v2-slurmd", 1, NULL, NULL, "/system.slice/slurmd.service"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        const char *const names[] = {"freezer", "memory", ""};
        const char *const want[] = {rows[i].freezer, rows[i].memory,
                                    rows[i].v2};
        int lines = 0, found = 0, wanted = 0;
        char line[512];

        snprintf(line, sizeof(line), CGROUPS "/%s", rows[i].file);
        FILE *f = fopen(line, "re");
        assert_non_null(f);
        for (; fgets(line, sizeof(line), f); lines++) {
            struct cgroup_line c;
            assert_true(cgroup_line_parse(line, &c));
            for (int k = 0; k < 3; k++) {
                if (strcmp(c.controllers, names[k]) != 0)
                    continue;
                assert_non_null(want[k]);
                assert_string_equal(c.path, want[k]);
                found++;
            }
        }
        fclose(f);
        for (int k = 0; k < 3; k++)
            wanted += want[k] != NULL;
        assert_int_equal(lines, rows[i].lines);
        assert_int_equal(found, wanted);
    }
}

// NULL: no line of the file is of a step's task.
static void the_cgroup_of_all_tasks_of_a_step_is_found(void **state)
{
    static const struct {
        const char *file, *controllers, *step;
    } rows[] = {
        {"v1", "memory", "/slurm_n1/uid_1001/job_16/step_0"},
        {"v1", "cpuset", "/slurm_n1/uid_1001/job_16/step_0"},
        {"v1", "pids", NULL},
        {"hybrid", "devices", "/slurm_n1/uid_1001/job_16/step_0"},
        {"hybrid", "", NULL},
        {"v2-task", "", SCOPE "step_0/user"},
        {"v2-batch", "", SCOPE "step_batch/user"},
        {"v2-extern", "", SCOPE "step_extern/user"},
        {"v2-interactive", "", SCOPE "step_interactive/user"},
        {"v2-multiple", "",
         "/system.slice/n1_slurmstepd.scope/job_3/step_0/user"},
        {"v2-slurmstepd", "", NULL},
        {"v2-slurmd", "", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct cgroup_line c;
        bool seen = false;
        char line[512];

        snprintf(line, sizeof(line), CGROUPS "/%s", rows[i].file);
        FILE *f = fopen(line, "re");
        assert_non_null(f);
        while (!seen && fgets(line, sizeof(line), f))
            seen = cgroup_line_parse(line, &c) &&
                   strcmp(c.controllers, rows[i].controllers) == 0;
        fclose(f);
        assert_true(seen);
        size_t n = cgroup_step_length(&c);
        const char *want = rows[i].step ? rows[i].step : "";
        if (n != strlen(want) || strncmp(c.path, want, n) != 0)
            fail_msg("%s: found %.*s", rows[i].file, (int)n, c.path);
    }
}

static void a_site_s_own_names_do_not_mislead(void **state)
{
    static const struct {
        const char *line, *step;
    } rows[] = {
        {"0::/step_x.slice/s.scope/job_1/step_2/user/task_0",
         "/step_x.slice/s.scope/job_1/step_2/user"},
        {"0::/job_1/step_2/user", "/job_1/step_2/user"},
        {"0::/job_1/step_2/users/task_0", ""},
        {"0::/job_1/step_2", ""},
        {"0::/job_1/mystep_2/user/task_0", ""},
        {"0::/", ""},
        {"4:memory:/slurm/uid_1/job_1/step_batch",
         "/slurm/uid_1/job_1/step_batch"},
        {"4:memory:/slurm/uid_1/job_1", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct cgroup_line c;
        char line[256];
        snprintf(line, sizeof(line), "%s", rows[i].line);
        assert_true(cgroup_line_parse(line, &c));
        size_t n = cgroup_step_length(&c);
        if (n != strlen(rows[i].step) || strncmp(c.path, rows[i].step, n) != 0)
            fail_msg("%s: found %.*s", rows[i].line, (int)n, c.path);
        const char *job = strstr(rows[i].step, "/step_2");
        if (!job)
            job = strstr(rows[i].step, "/step_batch");
        assert_int_equal(cgroup_job_length(&c), job ? job - rows[i].step : 0);
    }
}

static void a_container_s_cgroups_are_known_by_its_id(void **state)
{
#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    static const char *const its[] = {
        "/docker/" ID,
        "/system.slice/docker-" ID ".scope",
        "/system.slice/docker-" ID ".scope/init.scope",
        "/libpod_parent/libpod-" ID,
        "/machine.slice/libpod-" ID ".scope/container",
        "/../../berth-quickstart/" ID,
        "/machine.slice/libpod-conmon-" ID ".scope/libpod-" ID,
    };
    static const char *const others[] = {
        "/",
        "/docker",
        "/docker/1"
        "123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "/machine.slice/libpod-conmon-" ID ".scope",
        "/libpod_parent/libpod-conmon-" ID,
        "/slurm/uid_1/job_2/step_0/task_0",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(its) / sizeof(*its); i++)
        if (!cgroup_is_of(its[i], ID))
            fail_msg("not the container's: %s", its[i]);
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
        if (cgroup_is_of(others[i], ID))
            fail_msg("taken for the container's: %s", others[i]);
#undef ID
}

static void mounts_are_read_with_and_without_tags(void **state)
{
    struct mountinfo m;
    char plain[] = "33 24 0:29 / /sys/fs/cgroup/memory rw,nosuid - cgroup "
                   "cgroup rw,memory\n";
    char tagged[] = "36 35 98:0 /mnt1 /a\\040b\\134c rw shared:1 master:2 - "
                    "ext4 /dev/root rw,errors=continue\n";

    (void)state;
    assert_true(mountinfo_parse(plain, &m));
    assert_string_equal(m.root, "/");
    assert_string_equal(m.target, "/sys/fs/cgroup/memory");
    assert_string_equal(m.fstype, "cgroup");
    assert_true(mountinfo_has_controllers(&m, "memory"));
    assert_false(mountinfo_has_controllers(&m, "mem"));
    assert_false(mountinfo_has_controllers(&m, "memory,cpu"));
    assert_true(mountinfo_parse(tagged, &m));
    assert_string_equal(m.root, "/mnt1");
    assert_string_equal(m.target, "/a b\\c");
    assert_string_equal(m.fstype, "ext4");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_of_other_forms_are_refused),
        cmocka_unit_test(cgroups_of_both_versions_are_read),
        cmocka_unit_test(recorded_files_are_read_whole),
        cmocka_unit_test(the_cgroup_of_all_tasks_of_a_step_is_found),
        cmocka_unit_test(a_site_s_own_names_do_not_mislead),
        cmocka_unit_test(a_container_s_cgroups_are_known_by_its_id),
        cmocka_unit_test(mounts_are_read_with_and_without_tags),
    };

    return cmocka_run_group_tests_name("procfs", tests, NULL, NULL);
}
