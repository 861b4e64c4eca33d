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
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stepd/peer.h"

// A child that connects and then waits to be killed. CONN is its end of the
// connection, which this process has as well.
static pid_t start(struct peer *peer, int *conn)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    socklen_t size = sizeof(addr.sun_family); // the kernel chooses a name
    int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    *conn = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    assert_true(listener >= 0 && *conn >= 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&addr, size), 0);
    assert_int_equal(listen(listener, 1), 0);
    size = sizeof(addr);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&addr, &size),
                     0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        alarm(60);
        if (connect(*conn, (struct sockaddr *)&addr, size) < 0)
            _exit(1);
        pause();
        _exit(0);
    }
    assert_int_equal(peer_accept(listener, peer), 0);
    close(listener);
    return pid;
}

static void end(pid_t pid)
{
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void a_process_that_connects_is_known_and_lives(void **state)
{
    struct peer peer;
    int conn;

    (void)state;
    pid_t pid = start(&peer, &conn);
    close(conn);
    assert_int_equal(peer.pid, pid);
    assert_int_equal(peer.uid, getuid());
    assert_true(peer_lives(&peer));
    end(pid);
    assert_false(peer_lives(&peer));
    peer_close(&peer);
}

static void a_process_that_ends_leaves_its_connection_to_no_other(void **state)
{
    struct peer peer;
    int conn;

    (void)state;
    pid_t pid = start(&peer, &conn);
    bool known = peer.process >= 0;
    assert_true(peer_lives(&peer));
    end(pid);
    bool lives = peer_lives(&peer);
    // The connection itself is there still.
    assert_int_equal(send(conn, "", 1, MSG_NOSIGNAL), 1);
    close(conn);
    peer_close(&peer);
    // Before Linux 6.5 the connection is all that there is.
    assert_int_equal(lives, !known);
}

static void a_connection_can_outlive_what_is_known_of_its_peer(void **state)
{
    struct peer peer;
    int conn;
    char byte;

    (void)state;
    pid_t pid = start(&peer, &conn);
    int taken = peer_take(&peer);
    assert_int_equal(peer.conn, -1);
    assert_int_equal(peer.process, -1);
    assert_int_equal(send(conn, "x", 1, MSG_NOSIGNAL), 1);
    assert_int_equal(recv(taken, &byte, 1, 0), 1);
    close(taken);
    close(conn);
    end(pid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_that_connects_is_known_and_lives),
        cmocka_unit_test(a_process_that_ends_leaves_its_connection_to_no_other),
        cmocka_unit_test(a_connection_can_outlive_what_is_known_of_its_peer),
    };

    return cmocka_run_group_tests_name("peer", tests, NULL, NULL);
}
