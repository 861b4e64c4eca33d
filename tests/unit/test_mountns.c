// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stepd/mountns.h"

// One that has ended, held since before.
static struct process ended(void)
{
    struct process task = PROCESS_NONE;
    pid_t pid = fork();

    if (pid == 0) {
        alarm(60);
        pause();
        _exit(0);
    }
    assert_int_equal(process_hold(pid, -1, &task), 0);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return task;
}

static void what_a_task_has_brought_stays_when_another_fails(void **state)
{
    const struct mountns ns = MOUNTNS_NONE;
    struct mountns_terminal terminal = {0};
    struct process task = ended();
    struct berth_err err = {0};
    bool done = false;

    (void)state;
    assert_int_equal(
        mountns_add_task(&ns, &task, getuid(), -1, &done, &terminal, &err), -1);
    assert_false(done);
    done = true;
    assert_int_equal(
        mountns_add_task(&ns, &task, getuid(), -1, &done, &terminal, &err), -1);
    assert_true(done);
    process_close(&task);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_task_has_brought_stays_when_another_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
