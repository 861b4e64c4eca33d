// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stepd/peer.h"
#include "stepd/process.h"

enum { CANNOT = 77 };

// A child that waits to be killed.
static pid_t start(void)
{
    pid_t pid = fork();

    if (pid == 0) {
        alarm(60);
        pause();
        _exit(0);
    }
    return pid;
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static bool reads(const struct process *p)
{
    char byte;
    int fd = process_open(p, "status", O_RDONLY);
    bool ok = fd >= 0 && read(fd, &byte, 1) == 1;

    if (fd >= 0)
        close(fd);
    return ok;
}

static void a_process_that_ends_lives_no_more(void **state)
{
    struct process p = PROCESS_NONE, again = PROCESS_NONE;
    int fd;

    (void)state;
    assert_false(process_lives(&p));
    pid_t pid = start();
    assert_int_equal(process_hold(pid, -1, &p), 0);
    assert_int_equal(p.pid, pid);
    assert_true(process_lives(&p) && reads(&p));
    process_kill(&p);
    // It need not be buried for that.
    for (int i = 0; i < 1000 && process_lives(&p); i++)
        usleep(10000);
    assert_false(process_lives(&p));
    fd = dup(p.pidfd);
    assert_int_equal(process_hold(pid, fd, &again), -1);
    assert_int_equal(errno, ESRCH);
    assert_int_equal(fcntl(fd, F_GETFD), -1); // it was taken over
    end(pid);
    assert_false(reads(&p));
    assert_int_equal(process_hold(pid, -1, &again), -1);
    process_close(&p);
    process_close(&p);
    process_close(&again);
}

// In a pid namespace of its own, of which this is process 1: a process ends,
// and another gets its number. 0, or the number of what went wrong.
static int see_a_number_again(void)
{
    struct process first = PROCESS_NONE, next = PROCESS_NONE;
    char text[16];

    if (mount("proc", "/proc", "proc", 0, NULL) < 0)
        return CANNOT;
    pid_t pid = start();
    if (process_hold(pid, -1, &first) < 0 || !process_lives(&first))
        return 1;
    int stale = dup(first.pidfd);
    end(pid);
    int fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY);
    int n = snprintf(text, sizeof(text), "%d", (int)pid - 1);
    if (fd < 0 || write(fd, text, (size_t)n) != n)
        return CANNOT;
    if (start() != pid)
        return CANNOT;
    if (process_lives(&first) || reads(&first))
        return 2;
    if (process_hold(pid, stale, &next) == 0)
        return 3;
    // The number itself means the other one by now.
    if (process_hold(pid, -1, &next) < 0 || !reads(&next))
        return 4;
    return process_is_within(&next, &next) ? 0 : 5;
}

static int in_a_namespace(int (*run)(void))
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        if (unshare(CLONE_NEWPID | CLONE_NEWNS) < 0 ||
            mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
            _exit(CANNOT);
        pid = fork();
        if (pid == 0)
            _exit(run());
        if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
            _exit(99);
        _exit(WEXITSTATUS(status));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

// (threat 71)
static void another_that_gets_its_number_is_not_taken_for_it(void **state)
{
    (void)state;
    int rc = in_a_namespace(see_a_number_again);
    if (rc == CANNOT)
        skip(); // it takes root
    assert_int_equal(rc, 0);
}

static void the_first_process_of_a_namespace_is_known(void **state)
{
    struct process self = PROCESS_NONE, outer = PROCESS_NONE,
                   inner = PROCESS_NONE;
    int pair[2], status;
    pid_t pids[2];

    (void)state;
    assert_int_equal(process_hold(getpid(), -1, &self), 0);
    assert_false(process_is_first(&self));
    assert_int_equal(pipe(pair), 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (unshare(CLONE_NEWPID) < 0)
            _exit(CANNOT);
        pids[0] = start();
        pids[1] = start();
        if (write(pair[1], pids, sizeof(pids)) != sizeof(pids))
            _exit(1);
        pause();
    }
    close(pair[1]);
    ssize_t n = read(pair[0], pids, sizeof(pids));
    close(pair[0]);
    if (n <= 0) {
        waitpid(pid, &status, 0);
        skip(); // it takes root
    }
    assert_int_equal(process_hold(pids[0], -1, &outer), 0);
    assert_int_equal(process_hold(pids[1], -1, &inner), 0);
    assert_true(process_is_first(&outer));
    assert_false(process_is_first(&inner));
    assert_true(process_is_within(&inner, &outer));
    assert_false(process_is_within(&self, &outer));
    kill(pids[0], SIGKILL);
    end(pid);
    process_close(&inner);
    process_close(&outer);
    process_close(&self);
}

static void who_connects_is_known(void **state)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    socklen_t size = sizeof(addr.sun_family); // the kernel chooses a name
    int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    int conn = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    struct peer peer;

    (void)state;
    assert_int_equal(bind(listener, (struct sockaddr *)&addr, size), 0);
    assert_int_equal(listen(listener, 1), 0);
    size = sizeof(addr);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&addr, &size), 0);
    assert_int_equal(connect(conn, (struct sockaddr *)&addr, size), 0);
    assert_int_equal(peer_accept(listener, &peer), 0);
    assert_int_equal(peer.pid, getpid());
    assert_int_equal(peer.uid, getuid());
    close(peer.conn);
    close(conn);
    close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_that_ends_lives_no_more),
        cmocka_unit_test(another_that_gets_its_number_is_not_taken_for_it),
        cmocka_unit_test(the_first_process_of_a_namespace_is_known),
        cmocka_unit_test(who_connects_is_known),
    };

    return cmocka_run_group_tests_name("process", tests, NULL, NULL);
}
