// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The limits that a container is given, from this process's own.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "logic/changes.h"
#include "stepd/ulimits.h"

static const struct request_ulimit *find(const struct request_ulimit *limits,
                                         size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(limits[i].name, name) == 0)
            return &limits[i];
    return NULL;
}

static void each_limit_of_this_process_is_there_once(void **state)
{
    struct request_ulimit limits[RLIMITS];
    struct rlimit core;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_CORE, &core), 0);
    core.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_CORE, &core), 0);
    size_t n = ulimits_choose(limits);
    assert_int_equal(n, RLIMITS);
    for (size_t i = 0; i < n; i++)
        assert_ptr_equal(find(limits, n, limits[i].name), &limits[i]);
    assert_int_equal(find(limits, n, "core")->soft, 0);
    assert_int_equal(find(limits, n, "core")->hard,
                     core.rlim_max == RLIM_INFINITY ? -1
                                                    : (int64_t)core.rlim_max);
}

static void no_more_processes_than_the_kernel_has_pids(void **state)
{
    struct request_ulimit limits[RLIMITS];
    long long pids = 0;

    (void)state;
    FILE *f = fopen("/proc/sys/kernel/pid_max", "re");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%lld", &pids), 1);
    fclose(f);
    const struct request_ulimit *nproc =
        find(limits, ulimits_choose(limits), "nproc");
    assert_in_range(nproc->soft, 0, pids);
    assert_in_range(nproc->hard, 0, pids);
}

static void the_administrators_replace_those_of_the_same_name(void **state)
{
    const struct rule_ulimit mine[] = {{rlimit_find("nofile"), 1024, 4096},
                                       {rlimit_find("stack"), -1, -1}};
    const struct rule rules[] = {{.ulimit = &mine[0]}, {.ulimit = &mine[1]}};
    const struct rule *const v[] = {&rules[0], &rules[1]};
    const struct rule_list list = {2, v};
    struct request_ulimit limits[RLIMITS];
    struct strv changes = {0};
    struct berth_err err = {0};
    char want[2][64];

    (void)state;
    size_t n = ulimits_choose(limits);
    struct request_ulimit cpu = *find(limits, n, "cpu");
    assert_int_equal(ulimits_override(&list, limits, n, &changes, &err), 0);
    assert_int_equal(find(limits, n, "nofile")->soft, 1024);
    assert_int_equal(find(limits, n, "nofile")->hard, 4096);
    assert_int_equal(find(limits, n, "stack")->hard, -1);
    assert_memory_equal(find(limits, n, "cpu"), &cpu, sizeof(cpu));
    // Each task gets them as well.
    snprintf(want[0], sizeof(want[0]), "%c%d=1024:4096", WIRE_LIMIT,
             RLIMIT_NOFILE);
    snprintf(want[1], sizeof(want[1]), "%c%d=%llu:%llu", WIRE_LIMIT,
             RLIMIT_STACK, (unsigned long long)RLIM_INFINITY,
             (unsigned long long)RLIM_INFINITY);
    assert_int_equal(changes.n, 2);
    assert_string_equal(changes.v[0], want[0]);
    assert_string_equal(changes.v[1], want[1]);
    strv_clear(&changes);
}

static void a_limit_that_no_engine_knows_is_none(void **state)
{
    (void)state;
    assert_null(rlimit_find("files"));
    assert_null(rlimit_find("NOFILE"));
    assert_null(rlimit_find(""));
    assert_int_equal(rlimit_find("nofile")->resource, RLIMIT_NOFILE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_limit_of_this_process_is_there_once),
        cmocka_unit_test(no_more_processes_than_the_kernel_has_pids),
        cmocka_unit_test(the_administrators_replace_those_of_the_same_name),
        cmocka_unit_test(a_limit_that_no_engine_knows_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
