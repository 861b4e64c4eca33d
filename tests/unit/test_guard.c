// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Where skopeo may connect to (threat 86).

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fetch/guard.h"

#define COUNT(table) (sizeof(table) / sizeof(*(table)))

static size_t make(const char *text, int port, struct sockaddr_storage *out)
{
    struct sockaddr_in *v4 = (void *)out;
    struct sockaddr_in6 *v6 = (void *)out;

    memset(out, 0, sizeof(*out));
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)port);
        return sizeof(*v4);
    }
    assert_int_equal(inet_pton(AF_INET6, text, &v6->sin6_addr), 1);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons((uint16_t)port);
    return sizeof(*v6);
}

static void no_fetch_goes_to_what_is_no_registry(void **state)
{
    static const struct {
        const char *address;
        int port;
        bool named, allowed;
    } cases[] = {
        {"10.1.2.3", 443, false, true},
        {"169.253.255.255", 443, false, true},
        {"169.254.169.254", 80, false, false},
        {"169.254.169.254", 80, true, false},
        {"169.254.0.1", 443, false, false},
        {"169.254.169.253", 53, false, true},
        {"127.0.0.1", 443, false, false},
        {"127.0.0.53", 53, false, true},
        {"127.9.9.9", 5000, true, true},
        {"0.0.0.0", 80, false, false},
        {"::1", 443, false, false},
        {"::1", 443, true, true},
        {"::", 443, false, false},
        {"::ffff:127.0.0.1", 443, false, false},
        {"::ffff:169.254.169.254", 80, true, false},
        {"::169.254.169.254", 80, false, false},
        {"::ffff:10.0.0.1", 443, false, true},
        {"fe80::1", 443, false, false},
        {"febf::1", 443, false, false},
        {"fec0::1", 443, false, true},
        {"fd00:ec2::254", 80, false, false},
        {"2001:db8::1", 443, false, true},
    };
    struct sockaddr_storage a;
    char text[GUARD_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t len = make(cases[i].address, cases[i].port, &a);
        if (guard_allows(&a, len, cases[i].named, text) != cases[i].allowed)
            fail_msg("%s:%d", cases[i].address, cases[i].port);
        assert_false(guard_allows(&a, 7, true, text) && len > 7);
    }
}

static void nor_to_what_is_no_address(void **state)
{
    struct sockaddr_storage a = {.ss_family = AF_NETLINK};
    char text[GUARD_TEXT_MAX];

    (void)state;
    assert_false(guard_allows(&a, sizeof(a), true, text));
    assert_false(guard_allows(&a, 0, true, text));
    assert_false(guard_allows(&a, 1, true, text));
    a.ss_family = AF_UNIX;
    assert_true(guard_allows(&a, sizeof(a), false, text));
    a.ss_family = AF_UNSPEC;
    assert_true(guard_allows(&a, sizeof(a), false, text));
}

static void a_registry_of_the_node_is_known_by_its_name(void **state)
{
    (void)state;
    assert_true(guard_is_loopback("localhost"));
    assert_true(guard_is_loopback("localhost:5000"));
    assert_true(guard_is_loopback("a.localhost:5000"));
    assert_true(guard_is_loopback("127.0.0.1:5000"));
    assert_true(guard_is_loopback("127.255.255.254"));
    assert_true(guard_is_loopback("[::1]:5000"));
    assert_false(guard_is_loopback("localhost.evil.io"));
    assert_false(guard_is_loopback("127.evil.io"));
    assert_false(guard_is_loopback("127.0.0.1.evil.io:5000"));
    assert_false(guard_is_loopback("128.0.0.1"));
    assert_false(guard_is_loopback("notlocalhost:5000"));
    assert_false(guard_is_loopback("h.io"));
}

// Connects to ADDRESS with the filter set. Returns errno.
static int connects_to(const char *address, struct guard *guard)
{
    struct sockaddr_storage a;
    int pair[2], status = 0;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    pid_t pid = fork();
    if (pid == 0) {
        size_t len = make(address, 1, &a);
        int fd = socket(a.ss_family, SOCK_STREAM, 0);
        if (fd < 0 || guard_set(pair[1]) < 0)
            _exit(255);
        _exit(connect(fd, (struct sockaddr *)&a, (socklen_t)len) < 0 ? errno
                                                                     : 0);
    }
    close(pair[1]);
    assert_int_equal(guard_take(guard, pair[0]), 0);
    close(pair[0]);
    struct pollfd p = {.fd = guard->fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 10000), 1);
    guard_answer(guard);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    guard_close(guard);
    return WEXITSTATUS(status);
}

static void the_kernel_asks_before_each_connection(void **state)
{
    struct guard guard = {.fd = -1};

    (void)state;
    assert_int_equal(connects_to("169.254.1.1", &guard), EACCES);
    assert_string_equal(guard.refused, "169.254.1.1");
    assert_int_equal(connects_to("127.0.0.1", &guard), EACCES);
    guard.loopback = true;
    // Nobody listens at port 1.
    assert_int_equal(connects_to("127.0.0.1", &guard), ECONNREFUSED);
    assert_string_equal(guard.refused, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_fetch_goes_to_what_is_no_registry),
        cmocka_unit_test(nor_to_what_is_no_address),
        cmocka_unit_test(a_registry_of_the_node_is_known_by_its_name),
        cmocka_unit_test(the_kernel_asks_before_each_connection),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
