// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Only what needs no mount: the rest is for the system tests.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stepd/mount_source.h"

// What becomes of the directory DIR, given for one that was made for UID.
static enum berth_errc judge(const char *dir, uid_t uid)
{
    struct berth_err err = {0};

    int fd = open(dir, O_PATH | O_CLOEXEC);
    assert_true(fd >= 0);
    int rc = mount_source_judge_made(fd, dir, uid, &err);
    assert_int_equal(rc, err.code ? -1 : 0);
    close(fd);
    return err.code;
}

static void
a_directory_made_for_a_user_is_his_where_he_cannot_rename_it(void **state)
{
    char top[] = "/tmp/berth-stage-XXXXXX", dir[64], file[64];
    uid_t me = geteuid(), other = me + 1;

    (void)state;
    assert_non_null(mkdtemp(top));
    snprintf(dir, sizeof(dir), "%s/pmix.1.0", top);
    snprintf(file, sizeof(file), "%s/file", top);
    assert_int_equal(mkdir(dir, 0700), 0);
    assert_int_equal(close(open(file, O_CREAT | O_WRONLY, 0600)), 0);

    // Another's, and his own in a directory of his own.
    assert_int_equal(judge(dir, other), BERTH_EDENIED);
    assert_int_equal(judge(dir, me), BERTH_EDENIED);
    assert_int_equal(judge("/", me), BERTH_EDENIED);
    if (me == 0) {
        assert_int_equal(chown(dir, other, 0), 0);
        assert_int_equal(judge(dir, other), 0);
        assert_int_equal(judge(dir, me), BERTH_EDENIED);
        assert_int_equal(chown(file, other, 0), 0);
        assert_int_equal(judge(file, other), BERTH_EDENIED);
        // Where all may write, he could have made it.
        assert_int_equal(chmod(top, 01777), 0);
        assert_int_equal(judge(dir, other), BERTH_EDENIED);
        assert_int_equal(chmod(top, 0770), 0);
        assert_int_equal(judge(dir, other), BERTH_EDENIED);
    } else {
        assert_int_equal(judge("/proc/self/", me), 0);
        assert_int_equal(judge("/proc/self/", other), BERTH_EDENIED);
    }
    rmdir(dir);
    unlink(file);
    rmdir(top);
}

// Here a child of mount_source_open's is stopped, as its user can do it: when
// it has answered all and is about to end.
static bool stop_at_exit;

void _exit(int status)
{
    if (stop_at_exit)
        raise(SIGSTOP);
    _Exit(status);
}

// Root becomes somebody else, and others stay who they are: who has any
// supplementary group cannot leave it.
static bool find_user(struct child_user *out)
{
    *out = (struct child_user){.uid = geteuid(), .gid = getegid()};
    if (geteuid() == 0)
        out->uid = out->gid = 65534;
    return geteuid() == 0;
}

static void a_child_that_its_user_stops_is_not_waited_for(void **state)
{
    struct mount_source sources[] = {{.path = "/"}, {.path = "/absent"}};
    struct child_user user;
    struct berth_err err = {0};

    (void)state;
    if (!find_user(&user))
        skip();
    stop_at_exit = true;
    alarm(120); // a failure does not last for ever
    int rc = mount_source_open(&user, 5, sources, 2, &err);
    alarm(0);
    stop_at_exit = false;
    assert_int_equal(rc, 0);
    assert_int_equal(sources[0].type, S_IFDIR);
    assert_int_equal(sources[0].owner, 0);
    assert_int_equal(sources[1].fd, -1);
    mount_source_close(sources, 2);
    // Not even a zombie is left.
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void a_stopped_child_of_the_users_ends_with_its_parent(void **state)
{
    struct child_user user;
    int status, keep[] = {-1, -1};

    (void)state;
    if (!find_user(&user))
        skip();
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    pid_t stepd = fork();
    if (stepd == 0) {
        pid_t parent = getpid(), child = fork();
        if (child == 0) {
            if (child_begin(parent, keep, 2) == 0 &&
                child_become(parent, &user) == 0 && geteuid() == user.uid &&
                prctl(PR_GET_DUMPABLE) == 0)
                kill(getpid(), SIGSTOP);
            _Exit(1);
        }
        // Root kills it, as the kernel does when memory is out.
        if (waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status))
            kill(getpid(), SIGKILL);
        _Exit(1);
    }
    assert_int_equal(waitpid(stepd, &status, 0), stepd);
    assert_true(WIFSIGNALED(status));
    alarm(120);
    assert_true(waitpid(-1, &status, 0) > 0);
    alarm(0);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    prctl(PR_SET_CHILD_SUBREAPER, 0);
}

static void a_child_keeps_what_it_is_told_to_and_nothing_else(void **state)
{
    int status, fds[8], keep[4] = {-1};
    pid_t parent = getpid();

    (void)state;
    for (int i = 0; i < 8; i++)
        assert_true((fds[i] = open("/dev/null", O_RDONLY)) >= 0);
    keep[1] = fds[5];
    keep[2] = keep[3] = fds[2];
    pid_t pid = fork();
    if (pid == 0) {
        bool good = child_begin(parent, keep, 4) == 0;
        for (int i = 0; i < 8; i++)
            good &= (fcntl(fds[i], F_GETFD) >= 0) == (i == 2 || i == 5);
        good &= fcntl(0, F_GETFD) < 0 && fcntl(2, F_GETFD) < 0;
        _Exit(!good);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    for (int i = 0; i < 8; i++)
        close(fds[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            a_directory_made_for_a_user_is_his_where_he_cannot_rename_it),
        cmocka_unit_test(a_child_that_its_user_stops_is_not_waited_for),
        cmocka_unit_test(a_stopped_child_of_the_users_ends_with_its_parent),
        cmocka_unit_test(a_child_keeps_what_it_is_told_to_and_nothing_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
