// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Only what needs no other user and no mount: the rest is for the system
// tests.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stepd/stage.h"

// What becomes of the directory DIR, given for one that was made for UID.
static enum berth_errc judge(const char *dir, uid_t uid)
{
    struct berth_err err = {0};

    int fd = open(dir, O_PATH | O_CLOEXEC);
    assert_true(fd >= 0);
    int rc = stage_judge_made(fd, dir, uid, &err);
    assert_int_equal(rc, err.code ? -1 : 0);
    close(fd);
    return err.code;
}

static void a_directory_made_for_a_user_is_his_where_he_cannot_rename_it(
    void **state)
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            a_directory_made_for_a_user_is_his_where_he_cannot_rename_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
