// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The messages of the handover: what is not exactly right is refused, and
// no descriptor that came with it stays open.
#include "protocol/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static int link_ends[2];

static int open_link(void **state)
{
    (void)state;
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, link_ends);
}

static int close_link(void **state)
{
    (void)state;
    close(link_ends[0]);
    if (link_ends[1] >= 0)
        close(link_ends[1]);
    return 0;
}

static int count_fds(void)
{
    int n = 0;

    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

// Sends HEAD and then N bytes of BODY, as they are, with NFDS descriptors.
static void send_raw(const struct wire_msg *head, const void *body, size_t n,
                     int nfds)
{
    struct iovec iov[2] = {
        {(void *)(uintptr_t)head, sizeof(*head)},
        {(void *)(uintptr_t)body, n},
    };
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int) * 250)];
    } control = {{0}};
    struct msghdr hdr = {.msg_iov = iov, .msg_iovlen = 2};
    struct cmsghdr *c = &control.align;

    if (nfds > 0) {
        hdr.msg_control = &control;
        hdr.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)nfds);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)nfds);
        for (int i = 0; i < nfds; i++) {
            const int zero = 0;

            memcpy(CMSG_DATA(c) + sizeof(int) * (size_t)i, &zero, sizeof(zero));
        }
    }
    assert_int_equal(sendmsg(link_ends[1], &hdr, 0),
                     (ssize_t)(sizeof(*head) + n));
}

static void assert_refused(int error)
{
    struct wire_in in;
    int before = count_fds();

    assert_int_equal(wire_recv(link_ends[0], &in, MSG_DONTWAIT), -1);
    assert_int_equal(errno, error);
    assert_int_equal(in.nfds, 0);
    assert_int_equal(count_fds(), before);
}

static void what_is_not_right_is_refused(void **state)
{
    static const char body[4096] = "text";
    static const struct {
        uint32_t magic, type, bytes;
        size_t n;
        int nfds;
    } bad[] = {
        {0, WIRE_HELLO, 0, 0, 0},
        {WIRE_MAGIC + 1, WIRE_HELLO, 0, 0, 0},
        {WIRE_MAGIC, 0, 0, 0, 0},
        {WIRE_MAGIC, WIRE_LEAVE + 1, 0, 0, 0},
        {WIRE_MAGIC, WIRE_TELL, 4, 4, 1},
        {WIRE_MAGIC, 0xffffffff, 0, 0, 0},
        {WIRE_MAGIC, WIRE_HELLO, 0, 1, 0},
        {WIRE_MAGIC, WIRE_HELLO, 1, 1, 0},
        {WIRE_MAGIC, WIRE_HELLO, 1, 0, 0},
        {WIRE_MAGIC, WIRE_HELLO, 0, 0, 1},
        {WIRE_MAGIC, WIRE_NOTE, 5, 4, 0},
        {WIRE_MAGIC, WIRE_NOTE, 3, 4, 0},
        {WIRE_MAGIC, WIRE_NOTE, 5, 5, 0}, // a NUL in it
        {WIRE_MAGIC, WIRE_NOTE, 4, 4, 1},
        {WIRE_MAGIC, WIRE_NOTE, 4096, 4096, 0},
        {WIRE_MAGIC, WIRE_NOTE, 0xffffffff, 4, 0},
        {WIRE_MAGIC, WIRE_ACCEPT, 0, 0, 0},
        {WIRE_MAGIC, WIRE_ACCEPT, 0, 0, 1},
        {WIRE_MAGIC, WIRE_ACCEPT, 0, 0, 3},
        {WIRE_MAGIC, WIRE_FORK, 0, 0, 0},
        {WIRE_MAGIC, WIRE_FORK, 0, 0, 2},
        {WIRE_MAGIC, WIRE_RUN, 0, 0, 4},
        {WIRE_MAGIC, WIRE_RUN, sizeof(struct wire_run), sizeof(struct wire_run),
         3},
        {WIRE_MAGIC, WIRE_RUN, sizeof(struct wire_run) - 1,
         sizeof(struct wire_run) - 1, 4},
        {WIRE_MAGIC, WIRE_SIGNAL, 0, 0, 1},
        {WIRE_MAGIC, WIRE_DONE, 4, 4, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct wire_msg head = {bad[i].magic, bad[i].type, 0, bad[i].bytes};

        send_raw(&head, body, bad[i].n, bad[i].nfds);
        assert_refused(EPROTO);
    }
    assert_int_equal(send(link_ends[1], "short", 5, 0), 5);
    assert_refused(EPROTO);
}

static void too_many_descriptors_are_refused(void **state)
{
    const size_t size = sizeof(struct wire_run);
    struct wire_msg head = {WIRE_MAGIC, WIRE_RUN, 0, (uint32_t)size};
    static const struct wire_run run;

    (void)state;
    send_raw(&head, &run, size, WIRE_FDS_MAX + 1);
    assert_refused(EPROTO);
    send_raw(&head, &run, size, 250);
    assert_refused(EMFILE);
    assert_refused(EAGAIN);
}

static void no_room_for_a_descriptor_is_its_own_error(void **state)
{
    struct wire_msg head = {WIRE_MAGIC, WIRE_FORK, 0, 0};
    struct rlimit lim, few = {0, 0};

    (void)state;
    getrlimit(RLIMIT_NOFILE, &lim);
    few.rlim_max = lim.rlim_max;
    send_raw(&head, NULL, 0, 1);
    setrlimit(RLIMIT_NOFILE, &few);
    assert_refused(EMFILE);
    setrlimit(RLIMIT_NOFILE, &lim);
}

static void each_message_arrives(void **state)
{
    static const char text[] = "a sentence";
    struct wire_run run = {.size = 7, .argc = 1, .nkeep = 1, .keep = {5}};
    const int fds[5] = {0, 1, 2, 0, 1};
    const int on = 1;
    struct wire_in in;

    (void)state;
    setsockopt(link_ends[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
    assert_int_equal(wire_send(link_ends[1], WIRE_NOTE, 3, text,
                               sizeof(text) - 1, NULL, 0, 0),
                     0);
    assert_int_equal(
        wire_send(link_ends[1], WIRE_RUN, 0, &run, sizeof(run), fds, 5, 0), 0);
    assert_int_equal(wire_send(link_ends[1], WIRE_DONE, 1, NULL, 0, NULL, 0, 0),
                     0);
    assert_int_equal(wire_recv(link_ends[0], &in, 0), 1);
    assert_int_equal(in.msg.type, WIRE_NOTE);
    assert_int_equal(in.msg.value, 3);
    assert_string_equal(in.u.text, text);
    assert_int_equal(in.pid, getpid());
    assert_int_equal(in.uid, getuid());
    assert_int_equal(in.gid, getgid());
    assert_int_equal(wire_recv(link_ends[0], &in, 0), 1);
    assert_int_equal(in.msg.type, WIRE_RUN);
    assert_int_equal(in.nfds, 5);
    assert_memory_equal(&in.u.run, &run, sizeof(run));
    for (int i = 0; i < 5; i++)
        assert_true(fcntl(in.fds[i], F_GETFD) & FD_CLOEXEC);
    wire_close(&in);
    assert_int_equal(in.nfds, 0);
    assert_int_equal(wire_recv(link_ends[0], &in, 0), 1);
    assert_int_equal(in.msg.type, WIRE_DONE);
}

static void the_end_of_a_link_is_0(void **state)
{
    struct wire_in in;

    (void)state;
    close(link_ends[1]);
    link_ends[1] = -1;
    assert_int_equal(wire_recv(link_ends[0], &in, 0), 0);
    assert_int_equal(
        wire_send(link_ends[0], WIRE_HELLO, 0, NULL, 0, NULL, 0, 0), -1);
    assert_int_equal(errno, EPIPE);
}

static void what_came_before_a_reset_is_read(void **state)
{
    struct wire_in in;

    (void)state;
    wire_send(link_ends[0], WIRE_SIGNAL, 1, NULL, 0, NULL, 0, 0);
    wire_send(link_ends[1], WIRE_DONE, 9, NULL, 0, NULL, 0, 0);
    close(link_ends[1]);
    link_ends[1] = -1;
    assert_int_equal(wire_recv(link_ends[0], &in, 0), 1);
    assert_int_equal(in.msg.type, WIRE_DONE);
    assert_int_equal(wire_recv(link_ends[0], &in, 0), 0);
}

static void text_is_cut_at_its_limit(void **state)
{
    static char text[WIRE_TEXT_MAX + 10];
    struct wire_in in;

    (void)state;
    memset(text, 'x', sizeof(text));
    assert_int_equal(
        wire_send(link_ends[1], WIRE_REFUSE, 1, text, sizeof(text), NULL, 0, 0),
        0);
    assert_int_equal(wire_recv(link_ends[0], &in, 0), 1);
    assert_int_equal(in.msg.bytes, WIRE_TEXT_MAX);
    assert_int_equal(strlen(in.u.text), WIRE_TEXT_MAX);
}

static void a_run_that_makes_no_sense_is_invalid(void **state)
{
    const struct wire_run good = {.size = 10, .argc = 2, .envc = 1};
    struct wire_run run = good;

    (void)state;
    assert_true(wire_run_valid(&run, 4));
    assert_false(wire_run_valid(&run, 5));
    run.argc = 0;
    assert_false(wire_run_valid(&run, 4));
    run.argc = 0xffffffff;
    run.envc = 0xffffffff;
    assert_false(wire_run_valid(&run, 4));
    run = good;
    run.size = 3; // fewer bytes than strings
    assert_false(wire_run_valid(&run, 4));
    run.size = WIRE_START_MAX + 1;
    assert_false(wire_run_valid(&run, 4));
    run.size = ~(uint64_t)0;
    assert_false(wire_run_valid(&run, 4));
    run = good;
    run.flags = 4;
    assert_false(wire_run_valid(&run, 4));
    run = good;
    run.mask = 010000;
    assert_false(wire_run_valid(&run, 4));
    run = good;
    run.nkeep = 2;
    run.keep[0] = 3;
    run.keep[1] = 4;
    assert_true(wire_run_valid(&run, 6));
    run.keep[1] = 3;
    assert_false(wire_run_valid(&run, 6));
    run.keep[0] = 2;
    assert_false(wire_run_valid(&run, 6));
    run.keep[0] = -1;
    assert_false(wire_run_valid(&run, 6));
    run = good;
    run.nkeep = WIRE_KEEP_MAX + 1;
    assert_false(wire_run_valid(&run, WIRE_KEEP_MAX + 5));
    run.nkeep = 0xfffffffc;
    assert_false(wire_run_valid(&run, 0));
}

// Parses the image of SIZE bytes; 0 or -1.
static int parse(uint32_t argc, uint32_t envc, const char *image, size_t size)
{
    struct wire_run run = {.size = size, .argc = argc, .envc = envc};
    char copy[64], *vec[16];
    const char *cwd, *hint;

    memcpy(copy, image, size);
    return wire_run_parse(&run, copy, vec, &cwd, &hint);
}

static void an_image_is_taken_apart(void **state)
{
    struct wire_run run = {.argc = 2, .envc = 2};
    char image[] = "a\0\0E=1\0F\0/d\0why";
    char *vec[6];
    const char *cwd, *hint;

    (void)state;
    run.size = sizeof(image);
    assert_int_equal(wire_run_parse(&run, image, vec, &cwd, &hint), 0);
    assert_string_equal(vec[0], "a");
    assert_string_equal(vec[1], "");
    assert_null(vec[2]);
    assert_string_equal(vec[3], "E=1");
    assert_string_equal(vec[4], "F");
    assert_null(vec[5]);
    assert_string_equal(cwd, "/d");
    assert_string_equal(hint, "why");
}

static void an_image_that_does_not_fit_is_refused(void **state)
{
    (void)state;
    assert_int_equal(parse(1, 0, "a\0/\0h", 6), 0);
    assert_int_equal(parse(1, 0, "a\0/\0", 5), 0);
    assert_int_equal(parse(1, 0, "a\0/\0h", 5), -1);    // no NUL at the end
    assert_int_equal(parse(1, 0, "a\0/\0h\0x", 8), -1); // one too many
    assert_int_equal(parse(1, 1, "a\0/\0h", 6), -1);    // one too few
    assert_int_equal(parse(1, 0, "a\0/", 4), -1);       // likewise
    assert_int_equal(parse(1, 0, "a\0d\0h", 6), -1);    // not absolute
    assert_int_equal(parse(1, 0, "a\0\0", 4), -1);      // empty
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define LINK_TEST(f) cmocka_unit_test_setup_teardown(f, open_link, close_link)
        LINK_TEST(what_is_not_right_is_refused),
        LINK_TEST(too_many_descriptors_are_refused),
        LINK_TEST(no_room_for_a_descriptor_is_its_own_error),
        LINK_TEST(each_message_arrives),
        LINK_TEST(the_end_of_a_link_is_0),
        LINK_TEST(what_came_before_a_reset_is_read),
        LINK_TEST(text_is_cut_at_its_limit),
        cmocka_unit_test(a_run_that_makes_no_sense_is_invalid),
        cmocka_unit_test(an_image_is_taken_apart),
        cmocka_unit_test(an_image_that_does_not_fit_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
