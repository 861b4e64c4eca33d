// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/clock.h"
#include "images/record.h"
#include "node/store.h"

#define A                                                                      \
    "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B                                                                      \
    "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

enum { RACE_MS = 2000 };

static char state_dir[] = "/tmp/test-record-XXXXXX";
static int dir;

static bool go_on(void *arg)
{
    return !arg;
}

static const struct watch forever = {.fd = -1, .go_on = go_on};
static const struct watch over = {.fd = -1, .go_on = go_on, .arg = &dir};

static const struct record one = {.engine = "/run/docker.sock",
                                  .name = "h.io/a:1",
                                  .digest = A,
                                  .id = B,
                                  .private = true,
                                  .uid = 1001,
                                  .size = 123456789012,
                                  .when = 1790000000};

static int begin(void **state)
{
    char path[64];

    (void)state;
    strcpy(state_dir, "/tmp/test-record-XXXXXX");
    if (!mkdtemp(state_dir))
        return -1;
    snprintf(path, sizeof(path), "%s/n1", state_dir);
    mkdir(path, 0711);
    dir = record_open(state_dir, "n1", NULL);
    return dir < 0 ? -1 : 0;
}

static int end(void **state)
{
    char command[128];

    (void)state;
    close(dir);
    snprintf(command, sizeof(command), "rm -r %s", state_dir);
    return system(command);
}

static int files(void)
{
    char command[128];
    int n = -1;

    snprintf(command, sizeof(command), "ls -A %s/n1/images | wc -l", state_dir);
    FILE *f = popen(command, "re");
    assert_int_equal(fscanf(f, "%d", &n), 1);
    pclose(f);
    return n;
}

static void a_record_is_read_as_it_was_written(void **state)
{
    struct record r;

    (void)state;
    assert_false(record_read(dir, one.engine, one.name, &r));
    assert_int_equal(record_write(dir, &one, NULL), 0);
    assert_true(record_read(dir, one.engine, one.name, &r));
    assert_string_equal(r.digest, A);
    assert_string_equal(r.id, B);
    assert_true(r.private);
    assert_false(r.pinned);
    assert_int_equal(r.uid, 1001);
    assert_int_equal(r.size, 123456789012);
    assert_int_equal(r.when, 1790000000);
    assert_int_equal(r.uses, 0);
    assert_false(record_read(dir, "/run/other.sock", one.name, &r));
    assert_false(record_read(dir, one.engine, "h.io/a:2", &r));
    assert_int_equal(files(), 1);
    // A node can have two engines, and an image in both.
    struct record other = one;
    strcpy(other.engine, "/run/other.sock");
    assert_int_equal(record_write(dir, &other, NULL), 0);
    assert_int_equal(record_pin(dir, &other, true, NULL), 0);
    record_remove(dir, &one);
    assert_false(record_read(dir, one.engine, one.name, &r));
    assert_true(record_read(dir, other.engine, one.name, &r));
    assert_true(r.pinned);
    record_remove(dir, &other);
    assert_int_equal(files(), 0);
}

static void uses_are_counted(void **state)
{
    struct record r;

    (void)state;
    record_write(dir, &one, NULL);
    for (int i = 0; i < 20000; i++)
        record_use(dir, &one);
    assert_true(record_read(dir, one.engine, one.name, &r));
    assert_int_equal(r.uses, 20000);
    assert_string_equal(r.id, B);
}

static bool count(void *arg, const struct record *record)
{
    (void)record;
    return ++*(int *)arg < 2;
}

static void each_is_visited_until_that_is_enough(void **state)
{
    struct record other = one;
    int n = 0;

    (void)state;
    for (int i = 0; i < 4; i++) {
        snprintf(other.name, sizeof(other.name), "h.io/a:%d", i);
        record_write(dir, &other, NULL);
    }
    record_each(dir, count, &n);
    assert_int_equal(n, 2);
}

// Writes TEXT into the file of ONE's record.
static void spoil(const char *text)
{
    char command[512];

    record_write(dir, &one, NULL);
    snprintf(command, sizeof(command),
             "for f in %s/n1/images/*.json; do printf %%s '%s' >$f; done",
             state_dir, text);
    assert_int_equal(system(command), 0);
}

static void what_cannot_be_understood_is_none(void **state)
{
    static const char *const texts[] = {
        "", "[]", "{}",
        "{\"engine\":\"/run/docker.sock\",\"name\":\"h.io/a:1\"",
        "{\"engine\":\"/run/docker.sock\",\"name\":\"h.io/a:1\",\"digest\":"
        "\"x\",\"id\":\"y\",\"private\":false,\"pinned\":false,\"uid\":1,"
        "\"size\":1,\"when\":1}"};
    struct record r;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        spoil(texts[i]);
        assert_false(record_read(dir, one.engine, one.name, &r));
    }
    // What it is written over again is fine.
    assert_int_equal(record_write(dir, &one, NULL), 0);
    assert_true(record_read(dir, one.engine, one.name, &r));
}

static void a_job_and_user_are_asked_for_once(void **state)
{
    char digest[MANIFEST_DIGEST];

    (void)state;
    assert_false(record_asked(dir, 7, 1001, "h.io/a:1", digest));
    record_ask(dir, 7, 1001, "h.io/a:1", A);
    assert_true(record_asked(dir, 7, 1001, "h.io/a:1", digest));
    assert_string_equal(digest, A);
    assert_false(record_asked(dir, 7, 1002, "h.io/a:1", digest));
    assert_false(record_asked(dir, 77, 1001, "h.io/a:1", digest));
    assert_false(record_asked(dir, 7, 1001, "h.io/a:2", digest));
}

static uint64_t waited_came, waited_total;

static void waiting(void *arg, uint64_t came, uint64_t total)
{
    (void)arg;
    waited_came = came;
    waited_total = total;
}

static void who_waits_for_a_lock_sees_how_far_it_is(void **state)
{
    struct record_lock lock = RECORD_NO_LOCK, other = RECORD_NO_LOCK;
    struct berth_err err;

    (void)state;
    assert_int_equal(record_lock(dir, "a", "b", &forever, clock_ms() + 1000,
                                 NULL, NULL, &lock, &err),
                     0);
    record_lock_note(&lock, 41, 117);
    assert_int_equal(record_lock(dir, "a", "b", &forever, clock_ms() + 150,
                                 waiting, NULL, &other, &err),
                     -1);
    assert_int_equal(err.code, BERTH_ETIMEOUT);
    assert_int_equal(waited_came, 41);
    assert_int_equal(waited_total, 117);
    assert_int_equal(record_lock(dir, "a", "b", &over, clock_ms() + 10000, NULL,
                                 NULL, &other, &err),
                     -1);
    assert_int_equal(err.code, BERTH_EENDED);
    // Another one is free.
    assert_int_equal(record_lock(dir, "a", "c", &forever, clock_ms() + 150,
                                 NULL, NULL, &other, &err),
                     0);
    record_unlock(dir, &other);
    record_unlock(dir, &lock);
    assert_int_equal(files(), 0);
}

static bool sees_that_it_waits(void *arg)
{
    assert_true(record_lock_is_awaited(arg));
    return false;
}

static void who_has_a_lock_sees_whether_anybody_waits(void **state)
{
    struct record_lock lock = RECORD_NO_LOCK, other = RECORD_NO_LOCK;
    const struct watch ended = {
        .fd = -1, .go_on = sees_that_it_waits, .arg = &lock};
    struct berth_err err;

    (void)state;
    assert_false(record_lock_is_awaited(&lock));
    assert_int_equal(record_lock(dir, "a", "b", &forever, clock_ms() + 1000,
                                 NULL, NULL, &lock, &err),
                     0);
    assert_false(record_lock_is_awaited(&lock));
    assert_int_equal(record_lock(dir, "a", "b", &ended, clock_ms() + 60000,
                                 NULL, NULL, &other, &err),
                     -1);
    assert_int_equal(err.code, BERTH_EENDED);
    assert_false(record_lock_is_awaited(&lock));
    // A process that was forked has it.
    pid_t pid = fork();
    if (pid == 0)
        _exit(pause());
    record_lock_pass(&lock);
    assert_int_equal(record_lock(dir, "a", "b", &forever, clock_ms() + 150,
                                 NULL, NULL, &other, &err),
                     -1);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_int_equal(record_lock(dir, "a", "b", &forever, clock_ms() + 60000,
                                 NULL, NULL, &other, &err),
                     0);
    record_unlock(dir, &other);
    assert_int_equal(files(), 0);
}

// Who has LOCK finds it in its place.
static bool is_in_place(const struct record_lock *lock)
{
    struct stat mine, there;

    return fstat(lock->fd, &mine) == 0 &&
           fstatat(dir, lock->name, &there, 0) == 0 &&
           mine.st_ino == there.st_ino;
}

static void the_end_of_a_job_takes_away_the_locks_that_nobody_has(void **state)
{
    struct record_lock lock = RECORD_NO_LOCK;
    struct berth_err err;

    (void)state;
    assert_int_equal(record_lock(dir, "a", "b", &forever, clock_ms() + 1000,
                                 NULL, NULL, &lock, &err),
                     0);
    // Of one who was killed.
    int fd = openat(dir, "c.a.lock", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(files(), 2);
    store_job_remove(state_dir, "n1", 12);
    assert_int_equal(files(), 1);
    assert_true(is_in_place(&lock));
    record_unlock(dir, &lock);
    assert_int_equal(files(), 0);
}

// Until END, some of several: 0, or 1: one was taken away.
static int take_locks(long long end)
{
    bool in_place = true;

    while (in_place && clock_ms() < end) {
        struct record_lock lock = RECORD_NO_LOCK;
        if (record_lock_one(dir, "x", 8, &forever, end, &lock, NULL) < 0)
            continue;
        in_place = is_in_place(&lock);
        record_unlock(dir, &lock);
    }
    return !in_place;
}

// What has a lock's name may be another's lock by the time that the first one is
// had: so jobs end while locks are taken and let go of.
static void the_end_of_a_job_takes_no_lock_away_that_somebody_has(void **state)
{
    long long end = clock_ms() + RACE_MS;
    int status, bad = 0;
    pid_t jobs[4];

    (void)state;
    for (int i = 0; i < 4; i++)
        if ((jobs[i] = fork()) == 0)
            for (;;)
                store_job_remove(state_dir, "n1", 12);
    for (int i = 0; i < 4; i++)
        if (fork() == 0)
            _exit(take_locks(end));
    for (int i = 0; i < 4; i++) {
        wait(&status);
        bad |= status;
    }
    for (int i = 0; i < 4; i++) {
        kill(jobs[i], SIGKILL);
        waitpid(jobs[i], NULL, 0);
    }
    assert_int_equal(bad, 0);
}

// Many take one lock in turn, and each takes its file away: two must never have
// it at once.
static void nobody_has_a_lock_beside_another(void **state)
{
    char path[128];
    int status, bad = 0;

    (void)state;
    snprintf(path, sizeof(path), "%s/inside", state_dir);
    for (int i = 0; i < 8; i++)
        if (fork() == 0) {
            for (int k = 0; k < 12; k++) {
                struct record_lock lock = RECORD_NO_LOCK;
                if (record_lock(dir, "a", "b", &forever, clock_ms() + 60000,
                                NULL, NULL, &lock, NULL) < 0)
                    _exit(1);
                int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
                if (fd < 0)
                    _exit(2);
                close(fd);
                usleep(500);
                unlink(path);
                record_unlock(dir, &lock);
            }
            _exit(0);
        }
    for (int i = 0; i < 8; i++) {
        wait(&status);
        bad |= status;
    }
    assert_int_equal(bad, 0);
    assert_int_equal(files(), 0);
}

static int take_one(const char *whose, struct record_lock *out)
{
    return record_lock_one(dir, whose, 2, &forever, clock_ms() + 100, out,
                           NULL);
}

static void there_are_as_many_slots_as_are_said(void **state)
{
    struct record_lock a = RECORD_NO_LOCK, b = a, c = a, other = a;

    (void)state;
    assert_int_equal(take_one("all", &a), 0);
    assert_int_equal(take_one("all", &b), 0);
    assert_int_equal(take_one("all", &c), -1);
    assert_int_equal(take_one("u1", &other), 0);
    record_unlock(dir, &a);
    assert_int_equal(take_one("all", &c), 0);
    record_unlock(dir, &b);
    record_unlock(dir, &c);
    record_unlock(dir, &other);
    assert_int_equal(files(), 0);
}

static int lock_image(uid_t uid, struct record_locks *out)
{
    return record_lock_image(dir, "x", uid, &forever, clock_ms() + 100, out,
                             NULL);
}

static int lock_id(struct record_lock *out)
{
    return record_lock(dir, "id", "x", &forever, clock_ms() + 100, NULL, NULL,
                       out, NULL);
}

// (threat 132)
static void who_brings_an_image_keeps_himself_and_its_removal_waiting(void **s)
{
    struct record_locks a = RECORD_NO_LOCKS, b = a, c = a;
    struct record_lock removal = RECORD_NO_LOCK;

    (void)s;
    assert_int_equal(lock_image(1, &a), 0);
    assert_int_equal(lock_image(1, &b), -1);
    assert_int_equal(lock_image(2, &b), 0);
    assert_int_equal(lock_id(&removal), -1);
    record_unlock_both(dir, &a);
    assert_int_equal(lock_id(&removal), -1);
    record_unlock_both(dir, &b);
    assert_int_equal(lock_id(&removal), 0);
    assert_int_equal(lock_image(1, &c), -1);
    record_unlock(dir, &removal);
    assert_int_equal(lock_image(1, &c), 0);
    record_unlock_both(dir, &c);
    assert_int_equal(files(), 0);
}

static void a_directory_that_others_can_write_is_refused(void **state)
{
    struct berth_err err;
    char path[128];

    (void)state;
    snprintf(path, sizeof(path), "%s/n1/images", state_dir);
    chmod(path, 0777);
    assert_int_equal(record_open(state_dir, "n1", &err), -1);
    assert_non_null(strstr(err.text, "only root can write"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_record_is_read_as_it_was_written),
        TEST(uses_are_counted),
        TEST(each_is_visited_until_that_is_enough),
        TEST(what_cannot_be_understood_is_none),
        TEST(a_job_and_user_are_asked_for_once),
        TEST(who_waits_for_a_lock_sees_how_far_it_is),
        TEST(who_has_a_lock_sees_whether_anybody_waits),
        TEST(the_end_of_a_job_takes_away_the_locks_that_nobody_has),
        TEST(the_end_of_a_job_takes_no_lock_away_that_somebody_has),
        TEST(nobody_has_a_lock_beside_another),
        TEST(there_are_as_many_slots_as_are_said),
        TEST(who_brings_an_image_keeps_himself_and_its_removal_waiting),
        TEST(a_directory_that_others_can_write_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
