// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Files that root trusts, in a directory of this user's that stands for "/"
// (threat 66).

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "logic/limits.h"
#include "node/trusted.h"

static char top_path[] = "/tmp/berth-trusted-XXXXXX";
static int top;

static int make_top(void **state)
{
    (void)state;
    umask(022);
    if (!mkdtemp(top_path))
        return -1;
    top = open(top_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return top < 0 ? -1 : 0;
}

static int remove_top(void **state)
{
    char command[PATH_MAX];

    (void)state;
    snprintf(command, sizeof(command), "rm -rf '%s'", top_path);
    close(top);
    return system(command);
}

static void put(const char *path, const char *text)
{
    int fd = openat(top, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void reads(const char *path, const char *want)
{
    struct berth_err err = {0};
    char *text = NULL;
    size_t len = 0;

    if (trusted_read_below(top, geteuid(), path, &text, &len, &err) < 0)
        fail_msg("%s: %s", path, err.text);
    assert_string_equal(text, want);
    assert_int_equal(len, strlen(want));
    free(text);
}

static void refuses(const char *path, enum berth_errc code, const char *why)
{
    struct berth_err err = {0};
    char *text = NULL;
    size_t len = 0;

    if (trusted_read_below(top, geteuid(), path, &text, &len, &err) == 0)
        fail_msg("%s was read", path);
    if (err.code != code || !strstr(err.text, why))
        fail_msg("%s: code %d: %s", path, err.code, err.text);
    assert_null(text);
}

static void what_is_not_there_is_told_apart(void **state)
{
    (void)state;
    refuses("/none", BERTH_ENOTFOUND, "/none cannot be opened");
    refuses("/none/berth.conf", BERTH_ENOTFOUND, "cannot be opened");
    put("file", "x");
    refuses("/file/berth.conf", BERTH_ENOTFOUND, "cannot be opened");
    refuses("relative", BERTH_EINVAL, "not a path");
    refuses("/", BERTH_ESYS, "cannot be opened");
}

static void a_file_and_each_directory_must_be_closed_to_others(void **state)
{
    static const mode_t open_to_others[] = {0722, 0770, 0707, 01777, 0775};

    (void)state;
    assert_int_equal(mkdirat(top, "etc", 0755), 0);
    assert_int_equal(mkdirat(top, "etc/slurm", 0755), 0);
    put("etc/slurm/berth.conf", "allow = {}\n");
    reads("/etc/slurm/berth.conf", "allow = {}\n");
    reads("//etc//slurm/berth.conf", "allow = {}\n");
    for (size_t i = 0; i < sizeof(open_to_others) / sizeof(mode_t); i++) {
        mode_t mode = open_to_others[i];
        const char *const paths[] = {"etc", "etc/slurm",
                                     "etc/slurm/berth.conf"};
        for (size_t k = 0; k < 3; k++) {
            assert_int_equal(fchmodat(top, paths[k], mode, 0), 0);
            refuses("/etc/slurm/berth.conf", BERTH_EDENIED, "chmod go-w");
            assert_int_equal(fchmodat(top, paths[k], 0755, 0), 0);
        }
        assert_int_equal(chmod(top_path, mode), 0);
        refuses("/etc/slurm/berth.conf", BERTH_EDENIED, "chmod go-w");
        assert_int_equal(chmod(top_path, 0755), 0);
    }
    reads("/etc/slurm/berth.conf", "allow = {}\n");
}

static void a_file_of_another_owner_is_refused(void **state)
{
    struct berth_err err = {0};
    char *text = NULL;
    size_t len = 0;

    (void)state;
    put("file", "x");
    assert_int_equal(
        trusted_read_below(top, geteuid() + 1, "/file", &text, &len, &err), -1);
    assert_int_equal(err.code, BERTH_EDENIED);
    assert_non_null(strstr(err.text, "it must be root's"));
    // The true "/": a directory that everyone may write to is on the way.
    snprintf(err.text, sizeof(err.text), "%s/file", top_path);
    char *path = strdup(err.text);
    assert_int_equal(trusted_read(path, &text, &len, &err), -1);
    assert_int_equal(err.code, BERTH_EDENIED);
    free(path);
    assert_int_equal(trusted_read("/etc/passwd", &text, &len, &err), 0);
    free(text);
}

static void links_lead_only_through_what_is_trusted(void **state)
{
    (void)state;
    assert_int_equal(mkdirat(top, "opt", 0755), 0);
    assert_int_equal(mkdirat(top, "opt/conf", 0755), 0);
    assert_int_equal(mkdirat(top, "open", 0755), 0);
    put("opt/conf/berth.conf", "ok");
    assert_int_equal(symlinkat("opt/conf", top, "relative"), 0);
    assert_int_equal(symlinkat("/opt/conf", top, "absolute"), 0);
    assert_int_equal(symlinkat("../opt/./conf/", top, "open/dots"), 0);
    assert_int_equal(symlinkat("/open/dots", top, "through"), 0);
    assert_int_equal(symlinkat("loop", top, "loop"), 0);
    assert_int_equal(symlinkat("berth.conf", top, "opt/conf/link"), 0);
    reads("/relative/berth.conf", "ok");
    reads("/absolute/berth.conf", "ok");
    reads("/open/dots/berth.conf", "ok");
    reads("/through/berth.conf", "ok");
    // Neither where it starts nor where it ends is open to others, but a
    // directory on the way is.
    assert_int_equal(fchmodat(top, "open", 01777, 0), 0);
    refuses("/through/berth.conf", BERTH_EDENIED, "open");
    assert_int_equal(fchmodat(top, "open", 0755, 0), 0);
    refuses("/loop/berth.conf", BERTH_ESYS, "cannot be opened");
    refuses("/opt/conf/link", BERTH_EDENIED, "symbolic link");
}

static void only_a_file_of_bounded_size_is_read(void **state)
{
    static char big[BERTH_CONF_MAX + 2];

    (void)state;
    memset(big, '#', BERTH_CONF_MAX);
    put("big", big);
    reads("/big", big);
    big[BERTH_CONF_MAX] = '#';
    put("big", big);
    refuses("/big", BERTH_EINVAL, "larger than 1024 KiB");
    put("empty", "");
    reads("/empty", "");
    assert_int_equal(mkdirat(top, "dir", 0755), 0);
    refuses("/dir", BERTH_EINVAL, "not a file");
    assert_int_equal(mkfifoat(top, "fifo", 0644), 0);
    refuses("/fifo", BERTH_EINVAL, "not a file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_there_is_told_apart),
        cmocka_unit_test(a_file_and_each_directory_must_be_closed_to_others),
        cmocka_unit_test(a_file_of_another_owner_is_refused),
        cmocka_unit_test(links_lead_only_through_what_is_trusted),
        cmocka_unit_test(only_a_file_of_bounded_size_is_read),
    };

    return cmocka_run_group_tests_name("trusted", tests, make_top, remove_top);
}
