// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Where a process is put: hierarchies that are directories of this test's
// own, with the cgroups in them that this process is in by the kernel's word,
// and a child that is put there. Any user can run it.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "logic/procfs.h"
#include "stepd/cgroup.h"

static char top[] = "/tmp/berth-cgroups-XXXXXX";
static struct cgroups cgroups; // with its directories below TOP
static pid_t child;
static struct berth_err err;

static void put(const char *path, const char *text)
{
    FILE *f = fopen(path, "we");

    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static void reads(const char *path, const char *want)
{
    char text[256] = "";
    FILE *f = fopen(path, "re");

    if (!f)
        fail_msg("%s is missing", path);
    size_t n = fread(text, 1, sizeof(text) - 1, f);
    text[n] = 0;
    fclose(f);
    assert_string_equal(text, want);
}

static void make_dirs(const char *path)
{
    char part[PATH_MAX];

    for (const char *p = path + 1; *p; p += strspn(p, "/")) {
        p += strcspn(p, "/");
        snprintf(part, sizeof(part), "%.*s", (int)(p - path), path);
        mkdir(part, 0700);
    }
}

// The file NAME of the cgroup of hierarchy I in which this process is.
static const char *file_of(size_t i, const char *name)
{
    static char path[PATH_MAX];
    char line[PATH_MAX];
    struct cgroup_line c;
    FILE *f = fopen("/proc/self/cgroup", "re");

    path[0] = 0;
    while (f && fgets(line, sizeof(line), f))
        if (cgroup_line_parse(line, &c) &&
            strcmp(c.controllers, cgroups.hierarchy[i].controllers) == 0)
            snprintf(path, sizeof(path), "%s%s/%s", cgroups.hierarchy[i].dir,
                     c.path, name);
    fclose(f);
    assert_true(path[0]);
    return path;
}

// A process that does nothing, and for no longer than the tests take: where one
// fails, it keeps nobody from their end.
static pid_t start_idle(void)
{
    pid_t pid = fork();

    if (pid == 0) {
        alarm(60);
        pause();
        _exit(1);
    }
    return pid;
}

// Hierarchies as this process has them: each is there, and empty.
static int make(void **state)
{
    char line[PATH_MAX], dir[PATH_MAX * 2];
    struct cgroup_line c;

    (void)state;
    memcpy(top + sizeof(top) - 7, "XXXXXX", 6);
    assert_non_null(mkdtemp(top));
    FILE *f = fopen("/proc/self/cgroup", "re");
    assert_non_null(f);
    cgroups = (struct cgroups){0};
    err = (struct berth_err){0};
    while (fgets(line, sizeof(line), f)) {
        assert_true(cgroup_line_parse(line, &c));
        snprintf(dir, sizeof(dir), "%s/%zu", top, cgroups.n);
        cgroups.hierarchy[cgroups.n].controllers = strdup(c.controllers);
        cgroups.hierarchy[cgroups.n++].dir = strdup(dir);
        strncat(dir, c.path, sizeof(dir) - strlen(dir) - 1);
        make_dirs(dir);
        put(file_of(cgroups.n - 1, "cgroup.procs"), "");
    }
    fclose(f);
    assert_true(cgroups.n > 0);
    child = start_idle();
    return child > 0 ? 0 : -1;
}

static int take_down(void **state)
{
    char command[PATH_MAX];

    (void)state;
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    cgroup_clear(&cgroups);
    snprintf(command, sizeof(command), "rm -rf '%s'", top);
    return system(command);
}

static int place_as(pid_t pid, pid_t like, uint64_t limit)
{
    struct process a = PROCESS_NONE, b = PROCESS_NONE;

    assert_int_equal(process_hold(pid, -1, &a), 0);
    assert_int_equal(process_hold(like, -1, &b), 0);
    int rc = cgroup_join_like(&cgroups, &a, &b, limit, &err);
    process_close(&a);
    process_close(&b);
    return rc;
}

static void a_process_joins_every_cgroup_of_the_task(void **state)
{
    char pid[16];

    (void)state;
    snprintf(pid, sizeof(pid), "%d", (int)child);
    if (place_as(child, getpid(), 0) < 0)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < cgroups.n; i++)
        reads(file_of(i, "cgroup.procs"), pid);
}

static void a_cgroup_that_is_gone_is_an_error(void **state)
{
    (void)state;
    unlink(file_of(cgroups.n - 1, "cgroup.procs"));
    assert_int_equal(place_as(child, getpid(), 0), -1);
    assert_int_equal(err.code, BERTH_ESYS);
    assert_non_null(strstr(err.text, "cannot be moved into the cgroup"));
}

static void a_link_in_the_place_of_a_cgroups_file_is_none(void **state)
{
    char other[PATH_MAX];

    (void)state;
    snprintf(other, sizeof(other), "%s/other", top);
    put(other, "");
    const char *file = file_of(0, "cgroup.procs");
    unlink(file);
    assert_int_equal(symlink(other, file), 0);
    assert_int_equal(place_as(child, getpid(), 0), -1);
    reads(other, "");
}

// Where a hierarchy is not mounted, nobody can be moved, nor has been.
static void what_is_mounted_nowhere_must_be_right_already(void **state)
{
    (void)state;
    cgroups.n--;
    int rc = place_as(child, getpid(), 0);
    cgroups.n++;
    assert_int_equal(rc, 0);
    reads(file_of(cgroups.n - 1, "cgroup.procs"), "");
}

static void cpus_priority_and_score_are_the_tasks(void **state)
{
    cpu_set_t all, one, now;
    int first = 0;

    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
    while (!CPU_ISSET(first, &all))
        first++;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    pid_t like = start_idle();
    assert_int_equal(sched_setaffinity(like, sizeof(one), &one), 0);
    assert_int_equal(setpriority(PRIO_PROCESS, (id_t)like, 7), 0);
    char file[64];
    snprintf(file, sizeof(file), "/proc/%d/oom_score_adj", (int)like);
    put(file, "321");
    int rc = place_as(child, like, 0);
    kill(like, SIGKILL);
    waitpid(like, NULL, 0);
    if (rc < 0)
        fail_msg("%s", err.text);
    assert_int_equal(sched_getaffinity(child, sizeof(now), &now), 0);
    assert_true(CPU_EQUAL(&now, &one));
    assert_int_equal(getpriority(PRIO_PROCESS, (id_t)child), 7);
    snprintf(file, sizeof(file), "/proc/%d/oom_score_adj", (int)child);
    reads(file, "321\n");
}

// (threat 71)
static void a_process_that_is_gone_is_placed_nowhere(void **state)
{
    struct process there = PROCESS_NONE, gone = PROCESS_NONE;

    (void)state;
    pid_t pid = start_idle();
    assert_int_equal(process_hold(pid, -1, &gone), 0);
    assert_int_equal(process_hold(child, -1, &there), 0);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_int_equal(cgroup_join_like(&cgroups, &there, &gone, 0, &err), -1);
    assert_int_equal(err.code, BERTH_ESYS);
    assert_int_equal(cgroup_join_like(&cgroups, &gone, &there, 0, &err), -1);
    process_close(&gone);
    process_close(&there);
    for (size_t i = 0; i < cgroups.n; i++)
        reads(file_of(i, "cgroup.procs"), "");
}

// With cgroup v1 PID's own has the limit, and it stays there.
static void a_limit_on_processes_is_looked_for(void **state)
{
    size_t pids = 0;

    (void)state;
    while (pids < cgroups.n &&
           strcmp(cgroups.hierarchy[pids].controllers, "pids") != 0)
        pids++;
    if (pids == cgroups.n) {
        // With v2 it is the step's, and this is none.
        assert_int_equal(place_as(child, getpid(), 100), -1);
        assert_non_null(strstr(err.text, "cannot be kept to 100 processes"));
        return;
    }
    put(file_of(pids, "pids.max"), "max\n");
    assert_int_equal(place_as(child, getpid(), 100), -1);
    assert_non_null(strstr(err.text, "cannot be kept to 100 processes"));
    put(file_of(pids, "pids.max"), "100\n");
    assert_int_equal(place_as(child, getpid(), 100), 0);
    reads(file_of(pids, "cgroup.procs"), "");
}

static void the_cgroups_that_have_a_word_are_listed(void **state)
{
    struct process self = PROCESS_NONE;
    char file[PATH_MAX], want[PATH_MAX];

    (void)state;
    assert_int_equal(process_hold(getpid(), -1, &self), 0);
    snprintf(file, sizeof(file), "%s/list", top);
    int fd = open(file, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(cgroup_list(&cgroups, &self, "no such word", fd, &err), 0);
    reads(file, "");
    while (cgroups.n > 1) { // one is enough, and has a known length
        free(cgroups.hierarchy[cgroups.n - 1].controllers);
        free(cgroups.hierarchy[--cgroups.n].dir);
    }
    assert_int_equal(cgroup_list(&cgroups, &self, "/", fd, &err), 1);
    close(fd);
    process_close(&self);
    snprintf(want, sizeof(want), "%s", file_of(0, ""));
    want[strlen(want) - 1] = '\n';
    reads(file, want);
}

static void a_task_that_is_none_of_slurms_has_no_cpus_of_a_step(void **state)
{
    struct process self = PROCESS_NONE;
    char cpus[64] = "as before";

    (void)state;
    assert_int_equal(process_hold(getpid(), -1, &self), 0);
    for (size_t i = 0; i < cgroups.n; i++)
        put(file_of(i, "cpuset.cpus"), "0-63\n");
    assert_false(cgroup_step_cpus(&cgroups, &self, cpus, sizeof(cpus)));
    process_close(&self);
}

static void this_machines_hierarchies_are_found(void **state)
{
    struct cgroups real;
    char file[PATH_MAX];

    (void)state;
    if (cgroup_init(&real, &err) < 0)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < real.n; i++) {
        snprintf(file, sizeof(file), "%s/cgroup.procs", real.hierarchy[i].dir);
        assert_int_equal(access(file, F_OK), 0);
    }
    cgroup_clear(&real);
    assert_int_equal(real.n, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make, take_down)
    const struct CMUnitTest tests[] = {
        TEST(a_process_joins_every_cgroup_of_the_task),
        TEST(a_cgroup_that_is_gone_is_an_error),
        TEST(a_link_in_the_place_of_a_cgroups_file_is_none),
        TEST(what_is_mounted_nowhere_must_be_right_already),
        TEST(cpus_priority_and_score_are_the_tasks),
        TEST(a_process_that_is_gone_is_placed_nowhere),
        TEST(a_limit_on_processes_is_looked_for),
        TEST(the_cgroups_that_have_a_word_are_listed),
        TEST(a_task_that_is_none_of_slurms_has_no_cpus_of_a_step),
        TEST(this_machines_hierarchies_are_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
