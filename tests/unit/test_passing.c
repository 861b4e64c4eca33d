// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Packets with descriptors: whatever comes, none is left open that the caller
// does not know of.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "protocol/passing.h"

static int pair[2];

static int set_up(void **state)
{
    (void)state;
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);
}

static int tear_down(void **state)
{
    (void)state;
    close(pair[0]);
    close(pair[1]);
    return 0;
}

static int count_open(void)
{
    DIR *d = opendir("/proc/self/fd");
    int n = 0;

    assert_non_null(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static void send_some(size_t n)
{
    static const int fds[PASSING_MAX]; // the standard input, so many times

    assert_int_equal(passing_send(pair[0], "abc", 3, fds, n, 0), 0);
}

static void those_that_came_are_close_on_exec_and_the_others_are_none(void **s)
{
    int fds[4];
    char text[8];

    (void)s;
    for (size_t n = 0; n <= 4; n++) {
        send_some(n);
        assert_int_equal(
            passing_receive(pair[1], text, sizeof(text), fds, 4, 0), 3);
        assert_memory_equal(text, "abc", 3);
        for (size_t i = 0; i < 4; i++) {
            if (i >= n) {
                assert_int_equal(fds[i], -1);
                continue;
            }
            assert_int_equal(fcntl(fds[i], F_GETFD), FD_CLOEXEC);
            close(fds[i]);
        }
    }
}

static void of_more_than_are_wanted_none_is_left(void **state)
{
    int fds[2], before = count_open();
    char text[8];

    (void)state;
    for (size_t n = 3; n <= PASSING_MAX; n++) {
        send_some(n);
        assert_int_equal(
            passing_receive(pair[1], text, sizeof(text), fds, 2, 0), -1);
        assert_int_equal(errno, EPROTO);
        assert_int_equal(fds[0], -1);
        assert_int_equal(fds[1], -1);
        assert_int_equal(count_open(), before);
    }
}

static void nor_of_more_than_there_is_room_for(void **state)
{
    enum { MANY = 200 };
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(MANY * sizeof(int))];
    } control = {0};
    struct iovec iov = {(char[]){"abc"}, 3};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = &control,
                         .msg_controllen = sizeof(control)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    int fds[PASSING_MAX], before = count_open();
    char text[8];

    (void)state;
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(MANY * sizeof(int)); // all of them: 0
    assert_int_equal(sendmsg(pair[0], &msg, 0), 3);
    assert_int_equal(
        passing_receive(pair[1], text, sizeof(text), fds, PASSING_MAX, 0), -1);
    assert_int_equal(errno, EPROTO);
    assert_int_equal(count_open(), before);
}

static void nobody_sends_more_than_can_be_received(void **state)
{
    int fds[PASSING_MAX + 1] = {0};

    (void)state;
    assert_int_equal(
        passing_send(pair[0], "abc", 3, fds, PASSING_MAX + 1, MSG_DONTWAIT),
        -1);
    assert_int_equal(errno, EINVAL);
}

static void a_packet_that_is_too_long_is_as_long_as_it_was(void **state)
{
    int fds[1];
    char text[2];

    (void)state;
    send_some(0);
    assert_int_equal(
        passing_receive(pair[1], text, sizeof(text), fds, 1, MSG_TRUNC), 3);
    assert_memory_equal(text, "ab", 2);
}

static void the_end_is_0_and_an_error_has_its_number(void **state)
{
    int fds[1];
    char text[2];

    (void)state;
    assert_int_equal(
        passing_receive(pair[1], text, sizeof(text), fds, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
    shutdown(pair[0], SHUT_WR);
    assert_int_equal(passing_receive(pair[1], text, sizeof(text), fds, 1, 0),
                     0);
    // Without a signal that would end this test.
    assert_int_equal(passing_send(pair[0], "abc", 3, NULL, 0, 0), -1);
    assert_int_equal(errno, EPIPE);
    fds[0] = -1;
    assert_int_equal(passing_send(pair[1], "abc", 3, fds, 1, 0), -1);
    assert_int_equal(errno, EBADF);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(those_that_came_are_close_on_exec_and_the_others_are_none),
        TEST(of_more_than_are_wanted_none_is_left),
        TEST(nor_of_more_than_there_is_room_for),
        TEST(nobody_sends_more_than_can_be_received),
        TEST(a_packet_that_is_too_long_is_as_long_as_it_was),
        TEST(the_end_is_0_and_an_error_has_its_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
