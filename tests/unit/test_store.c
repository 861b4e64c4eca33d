// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// What berth keeps on a node, and its removal: in a directory of this test's
// own, with an engine that answers as it is told. Any user can run it.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "node/keep.h"
#include "node/removal.h"
#include "node/store.h"
#include "tests/unit/fake_engine.h"

#define ID "00000000000000000123456789abcdef0123456789abcdef0123456789abcdef"

static char state[] = "/tmp/berth-store-XXXXXX";
static char node_name[] = "n1";
static const struct step step_12_0 = {.job = 12, .node = node_name};
static struct berth_err err;

static int make(void **unused)
{
    (void)unused;
    umask(022);
    memcpy(state + sizeof(state) - 7, "XXXXXX", 6);
    err = (struct berth_err){0};
    return mkdtemp(state) ? 0 : -1;
}

static int take_down(void **unused)
{
    char command[PATH_MAX];

    (void)unused;
    snprintf(command, sizeof(command), "rm -rf '%s'", state);
    return system(command);
}

static const char *path_of(const char *name)
{
    static char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/%s", state, name);
    return path;
}

static bool is_there(const char *name)
{
    struct stat st;

    return lstat(path_of(name), &st) == 0;
}

static void put(const char *name, const char *text)
{
    FILE *f = fopen(path_of(name), "we");

    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static int remove_never(struct store_step *step, struct berth_err *why)
{
    (void)step;
    return err_set(why, BERTH_EENGINE, "it is not to be removed");
}

static int remove_entry(struct store_step *step, struct berth_err *why)
{
    return removal_run(step, 5000, why);
}

static void create(struct store_step *out)
{
    if (store_step_create(state, &step_12_0, remove_never, out, &err) < 0)
        fail_msg("%s", err.text);
}

// --- steps -------------------------------------------------------------------

static void a_steps_directory_is_its_own(void **unused)
{
    struct store_step step;
    struct stat st;

    (void)unused;
    create(&step);
    assert_string_equal(step.path, path_of("n1/12.0"));
    assert_int_equal(fstat(step.dir, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0711);
    store_step_close(&step);
    assert_true(is_there("n1/12.0"));
}

// (threat 66)
static void a_directory_that_others_can_write_to_is_refused(void **unused)
{
    struct store_step step;

    (void)unused;
    assert_int_equal(mkdir(path_of("n1"), 0700), 0);
    assert_int_equal(chmod(path_of("n1"), 0777), 0);
    assert_int_equal(
        store_step_create(state, &step_12_0, remove_never, &step, &err), -1);
    assert_non_null(strstr(err.text, "only root can write"));
    assert_false(is_there("n1/12.0"));
}

static void a_link_in_the_place_of_a_directory_is_refused(void **unused)
{
    struct store_step step;

    (void)unused;
    assert_int_equal(mkdir(path_of("elsewhere"), 0700), 0);
    assert_int_equal(symlink("elsewhere", path_of("n1")), 0);
    assert_int_equal(
        store_step_create(state, &step_12_0, remove_never, &step, &err), -1);
    assert_false(is_there("elsewhere/12.0"));
}

static void who_holds_a_step_is_known(void **unused)
{
    struct store_step step, again;
    char byte;
    int up[2], status;

    (void)unused;
    assert_int_equal(pipe(up), 0);
    pid_t holder = fork();
    if (holder == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        create(&step);
        if (write(up[1], "x", 1) == 1)
            pause();
        _exit(1);
    }
    assert_int_equal(read(up[0], &byte, 1), 1);
    assert_int_equal(store_step_open(state, "n1", "12.0", &again, &err), -1);
    assert_int_equal(err.code, BERTH_ETIMEOUT);
    assert_int_equal(store_step_holder(state, "n1", "12.0"), holder);
    store_step_kill(state, "n1", "13.0"); // nobody
    store_step_kill(state, "n1", "12.0");
    assert_int_equal(waitpid(holder, &status, 0), holder);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_int_equal(store_step_holder(state, "n1", "12.0"), 0);
    store_step_kill(state, "n1", "12.0");
    assert_int_equal(store_step_open(state, "n1", "12.0", &again, &err), 0);
    store_step_close(&again);
    assert_int_equal(store_step_open(state, "n1", "13.0", &again, &err), -1);
    assert_int_equal(err.code, BERTH_ENOTFOUND);
    close(up[0]);
    close(up[1]);
}

enum { MANY = 500 };

// As a user, takes and drops many locks, as fast as it can.
static void churn(const char *name)
{
    int fds[MANY];

    for (size_t i = 0; i < MANY; i++)
        if ((fds[i] = open(path_of(name), O_CREAT | O_RDWR, 0600)) < 0)
            _exit(1);
    if (setresuid(65534, 65534, 65534) < 0)
        _exit(1);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int how = LOCK_SH;; how = how == LOCK_SH ? LOCK_UN : LOCK_SH)
        for (size_t i = 0; i < MANY; i++)
            flock(fds[i], how);
}

// (threat 135)
static void who_holds_a_step_is_known_whatever_locks_come_and_go(void **unused)
{
    enum { CHURNS = 4, LOOKS = 200 };
    pid_t churns[CHURNS];
    struct store_step step;
    char name[16];
    int missed = 0;

    (void)unused;
    create(&step);
    for (int i = 0; i < CHURNS; i++) {
        snprintf(name, sizeof(name), "churn%d", i);
        if ((churns[i] = fork()) == 0)
            churn(name);
    }
    for (int i = 0; i < LOOKS; i++)
        missed += store_step_holder(state, "n1", "12.0") != getpid();
    for (int i = 0; i < CHURNS; i++) {
        kill(churns[i], SIGKILL);
        assert_int_equal(waitpid(churns[i], NULL, 0), churns[i]);
    }
    assert_int_equal(missed, 0);
    store_step_close(&step);
}

static void what_a_dead_one_has_left_is_removed_first(void **unused)
{
    struct store_step step;

    (void)unused;
    create(&step);
    put("n1/12.0/file", "");
    store_step_close(&step);
    assert_int_equal(
        store_step_create(state, &step_12_0, remove_never, &step, &err), -1);
    assert_string_equal(err.text, "it is not to be removed");
    assert_true(is_there("n1/12.0/file"));
    assert_int_equal(
        store_step_create(state, &step_12_0, remove_entry, &step, &err), 0);
    assert_false(is_there("n1/12.0/file"));
    store_step_close(&step);
}

static int note(void *arg, const char *name, uint32_t job, uint32_t step)
{
    char *seen = arg;

    snprintf(seen + strlen(seen), 256 - strlen(seen), "%s=%u.%u ", name, job,
             step);
    return job == 13 ? 7 : 0;
}

// (threat 11)
static void only_steps_names_are_steps(void **unused)
{
    static const char *const none[] = {
        "n1/012.0", "n1/12.",        "n1/.0",           "n1/12.0x",
        "n1/-1.0",  "n1/+1.0",       "n1/12.00",        "n1/x",
        "n1/12 .0", "n1/12.extern2", "n1/4294967296.0",
    };
    char seen[256] = "";

    (void)unused;
    assert_int_equal(store_each_step(state, "n1", note, seen, &err), 0);
    assert_int_equal(mkdir(path_of("n1"), 0700), 0);
    for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++)
        assert_int_equal(mkdir(path_of(none[i]), 0700), 0);
    put("n1/12.job", "{}");
    assert_int_equal(store_each_step(state, "n1", note, seen, &err), 0);
    assert_string_equal(seen, "");
    assert_int_equal(mkdir(path_of("n1/120.batch"), 0700), 0);
    assert_int_equal(store_each_step(state, "n1", note, seen, &err), 0);
    assert_string_equal(seen, "120.batch=120.4294967291 ");
    assert_int_equal(mkdir(path_of("n1/13.1"), 0700), 0);
    assert_int_equal(store_each_step(state, "n1", note, seen, &err), 7);
}

// --- records -----------------------------------------------------------------

// (threat 60)
static void a_record_is_read_as_it_was_written(void **unused)
{
    struct store_record first, second, read;
    struct store_step step;

    (void)unused;
    create(&step);
    assert_int_equal(store_record_read(&step, &read, &err), -1);
    assert_int_equal(err.code, BERTH_ENOTFOUND);
    assert_int_equal(store_record_write(&step, "/e.sock", &first, &err), 0);
    assert_int_equal(store_record_read(&step, &read, &err), 0);
    assert_string_equal(read.engine, "/e.sock");
    assert_string_equal(read.container, first.container);
    assert_string_equal(read.nonce, first.nonce);
    assert_string_equal(read.id, "");
    assert_false(read.answered);
    assert_int_equal(strlen(first.nonce), STORE_NONCE_MAX - 1);
    assert_non_null(strstr(first.container, first.nonce));
    assert_int_equal(store_record_answered(&step, ID, &err), 0);
    assert_int_equal(store_record_read(&step, &read, &err), 0);
    assert_string_equal(read.id, ID);
    assert_true(read.answered);
    // There is one, and no two are alike.
    assert_int_equal(store_record_write(&step, "/e.sock", &second, &err), -1);
    unlink(path_of("n1/12.0/record"));
    assert_int_equal(store_record_write(&step, "/e.sock", &second, &err), 0);
    assert_string_not_equal(first.nonce, second.nonce);
    store_step_close(&step);
}

// (threat 61)
static void half_a_record_is_none(void **unused)
{
    static const char *const texts[] = {
        "",
        "{",
        "[]",
        "{\"engine\":\"/e.sock\"}",
        "{\"engine\":1,\"container\":\"c\",\"nonce\":\"n\"}",
        // As long as a nonce is.
        ("{\"engine\":\"/e.sock\",\"container\":\"c\","
         "\"nonce\":\"../../../0123456789abcdef0123456\"}"),
    };
    struct store_record read;
    struct store_step step;

    (void)unused;
    create(&step);
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        put("n1/12.0/record", texts[i]);
        if (store_record_read(&step, &read, &err) == 0)
            fail_msg("taken: %s", texts[i]);
    }
    store_step_close(&step);
}

static void a_jobs_record_is_read_as_it_was_written(void **unused)
{
    struct store_job job = {.job = 12,
                            .cluster = "c",
                            .partition = "big",
                            .gpus = "0,2-3"},
                     read;

    (void)unused;
    assert_int_equal(store_job_read(state, "n1", 12, &read, &err), -1);
    assert_int_equal(err.code, BERTH_ENOTFOUND);
    store_boot_id(job.boot, sizeof(job.boot));
    assert_int_equal(store_job_write(state, "n1", &job, &err), 0);
    assert_int_equal(store_job_read(state, "n1", 12, &read, &err), 0);
    assert_string_equal(read.partition, "big");
    assert_string_equal(read.gpus, "0,2-3");
    // Another job's, though it is in this one's place.
    char from[PATH_MAX];
    snprintf(from, sizeof(from), "%s", path_of("n1/12.job"));
    assert_int_equal(rename(from, path_of("n1/13.job")), 0);
    assert_int_equal(store_job_read(state, "n1", 13, &read, &err), -1);
    assert_int_equal(store_job_read(state, "n1", 12, &read, &err), -1);
    store_job_remove(state, "n1", 13);
    assert_false(is_there("n1/13.job"));
    store_job_remove(state, "n1", 13);
}

static void each_run_of_a_job_has_another_number(void **unused)
{
    // What is kept for a run's steps is none of another's (threat 90).
    struct store_job job = {.job = 12}, first, second;

    (void)unused;
    assert_int_equal(store_job_write(state, "n1", &job, &err), 0);
    assert_int_equal(store_job_read(state, "n1", 12, &first, &err), 0);
    assert_int_equal(store_job_write(state, "n1", &job, &err), 0);
    assert_int_equal(store_job_read(state, "n1", 12, &second, &err), 0);
    assert_int_equal(strlen(first.run), 32);
    assert_string_not_equal(first.run, second.run);
    // One whose record cannot be written has not that of the one before.
    assert_int_equal(mkdir(path_of("n1/12.tmp"), 0700), 0);
    assert_int_equal(store_job_write(state, "n1", &job, &err), -1);
    assert_int_equal(store_job_read(state, "n1", 12, &second, &err), -1);
    assert_int_equal(rmdir(path_of("n1/12.tmp")), 0);
    // A record of an older berth has none.
    put("n1/12.job", "{\"job\":12,\"boot\":\"b\",\"cluster\":\"c\","
                     "\"partition\":\"p\",\"gpus\":\"\"}");
    assert_int_equal(store_job_read(state, "n1", 12, &first, &err), 0);
    assert_string_equal(first.run, "");
    store_job_remove(state, "n1", 12);
}

static void strings_are_read_as_they_were_written(void **unused)
{
    struct strv in = {0}, out = {0};
    struct store_step step;

    (void)unused;
    assert_int_equal(store_step_create(state, &step_12_0, NULL, &step, &err),
                     0);
    assert_int_equal(store_strings_read(step.dir, "made", &out), -1);
    strv_add(&in, "run=12");
    strv_add(&in, "");
    strv_add(&in, "two\nlines\xff=");
    assert_int_equal(store_strings_write(step.dir, "made", &in, &err), 0);
    assert_int_equal(store_strings_read(step.dir, "made", &out), 0);
    assert_int_equal(out.n, 3);
    for (size_t i = 0; i < in.n; i++)
        assert_string_equal(out.v[i], in.v[i]);
    strv_clear(&in);
    strv_clear(&out);
    // Nobody keeps anything there.
    assert_int_equal(keep_ask(state, "n1", "12.0", KEEP_TAKE), -1);
    assert_int_equal(keep_ask(state, "n1", "13.0", KEEP_TAKE), -1);
    assert_int_equal(removal_run(&step, 1000, &err), 0);
}

static void jobs_of_another_boot_expire(void **unused)
{
    struct store_job job = {.job = 12}, read;
    char text[4096] = "";

    (void)unused;
    assert_int_equal(store_job_write(state, "n1", &job, &err), 0);
    store_jobs_expire(state, "n1");
    assert_int_equal(store_job_read(state, "n1", 12, &read, &err), 0);
    FILE *f = fopen(path_of("n1/12.job"), "re");
    assert_non_null(f);
    assert_true(fread(text, 1, sizeof(text) - 1, f) > 0);
    fclose(f);
    char *boot = strstr(text, read.boot);
    assert_true(boot && *boot);
    *boot = *boot == '0' ? '1' : '0';
    put("n1/12.job", text);
    store_jobs_expire(state, "n1");
    assert_false(is_there("n1/12.job"));
}

// --- removal -----------------------------------------------------------------

#define PING                                                                   \
    {                                                                          \
        .status = 200, .type = "text/plain", .body = "OK",                     \
        .headers = "Api-Version: 1.41\r\nServer: Docker/20.10.24 (linux)\r\n"  \
    }
#define GONE                                                                   \
    {                                                                          \
        .status = 404, .body = "{\"message\":\"No such container\"}"           \
    }
#define CONTAINER(nonce)                                                       \
    "{\"Id\":\"" ID "\",\"Name\":\"/x\",\"Image\":\"" ID "\","                 \
    "\"State\":{\"Pid\":0,\"Running\":false},"                                 \
    "\"HostConfig\":{\"Privileged\":false,\"ReadonlyRootfs\":true,"            \
    "\"AutoRemove\":false,\"NetworkMode\":\"host\",\"PidMode\":\"\","          \
    "\"IpcMode\":\"private\",\"UsernsMode\":\"\",\"CapAdd\":null,"             \
    "\"Devices\":[],\"DeviceRequests\":[]},\"Mounts\":[],"                     \
    "\"Config\":{\"Labels\":{\"" STORE_NONCE_LABEL "\":\"" nonce "\"}}}"

// A step with a record of a container, made (ID) or on its way (NULL), at an
// engine with these answers.
static struct fake_engine *stage(struct store_step *step, const char *id,
                                 const struct fake_answer *answers, size_t n)
{
    struct store_record record;
    struct fake_engine *fake = fake_start(answers, n);

    create(step);
    assert_int_equal(store_record_write(step, fake_path(fake), &record, &err),
                     0);
    if (id)
        assert_int_equal(store_record_answered(step, id, &err), 0);
    put("n1/12.0/passwd", "");
    assert_int_equal(mkdir(path_of("n1/12.0/mounts"), 0700), 0);
    return fake;
}

static void a_container_goes_by_its_id(void **unused)
{
    static const struct fake_answer answers[] = {
        PING, {.status = 204}, GONE, GONE, GONE};
    struct store_step step;

    (void)unused;
    struct fake_engine *fake = stage(&step, ID, answers, 5);
    int rc = removal_run(&step, 5000, &err);
    const char *log = fake_log(fake);
    if (rc < 0)
        fail_msg("%s: %s", err.text, log);
    assert_non_null(strstr(log, "DELETE /v1.41/containers/" ID "?"));
    assert_false(is_there("n1/12.0"));
    fake_stop(fake);
}

static void one_that_is_gone_already_is_a_success(void **unused)
{
    static const struct fake_answer answers[] = {PING, GONE, GONE};
    struct store_step step;

    (void)unused;
    struct fake_engine *fake = stage(&step, ID, answers, 3);
    if (removal_run(&step, 5000, &err) < 0)
        fail_msg("%s", err.text);
    assert_false(is_there("n1/12.0"));
    fake_stop(fake);
}

// (threat 59)
static void another_container_of_that_name_is_left(void **unused)
{
    static const struct fake_answer answers[] = {
        PING,
        {.status = 200, .body = CONTAINER("0123456789abcdef0123456789abcdef")}};
    struct store_step step;

    (void)unused;
    struct fake_engine *fake = stage(&step, NULL, answers, 2);
    int rc = removal_run(&step, 5000, &err);
    assert_null(strstr(fake_log(fake), "DELETE"));
    if (rc < 0)
        fail_msg("%s", err.text);
    assert_false(is_there("n1/12.0"));
    fake_stop(fake);
}

struct kept {
    size_t n;
    struct store_record record;
    bool old;
};

static int take_kept(void *arg, const struct store_record *record, bool old)
{
    struct kept *kept = arg;

    kept->n++;
    kept->record = *record;
    kept->old = old;
    return 0;
}

static struct kept kept_records(void)
{
    struct kept kept = {0};

    assert_int_equal(store_each_unanswered(state, "n1", take_kept, &kept), 0);
    return kept;
}

// (threat 61)
static void what_the_engine_may_yet_make_stays_on_record(void **unused)
{
    static const struct timespec yesterday[] = {{.tv_nsec = UTIME_OMIT},
                                                {.tv_sec = 1}};
    static struct fake_answer answers[64] = {PING};
    struct store_record record;
    struct store_step step;
    char path[64];

    (void)unused;
    for (size_t i = 1; i < 64; i++)
        answers[i] = (struct fake_answer)GONE;
    struct fake_engine *fake = stage(&step, NULL, answers, 64);
    assert_int_equal(store_record_read(&step, &record, &err), 0);
    assert_int_equal(kept_records().n, 0);
    if (removal_run(&step, 5000, &err) < 0)
        fail_msg("%s", err.text);
    assert_false(is_there("n1/12.0"));
    // Nobody has to wait for it: a requeued job's step has its place.
    create(&step);
    store_step_close(&step);
    struct kept kept = kept_records();
    assert_int_equal(kept.n, 1);
    assert_string_equal(kept.record.engine, fake_path(fake));
    assert_string_equal(kept.record.container, record.container);
    assert_string_equal(kept.record.nonce, record.nonce);
    assert_string_equal(kept.record.id, "");
    assert_false(kept.old);
    snprintf(path, sizeof(path), "n1/unanswered/%s", record.nonce);
    assert_int_equal(utimensat(AT_FDCWD, path_of(path), yesterday, 0), 0);
    assert_true(kept_records().old);
    store_unanswered_remove(state, "n1", &kept.record);
    assert_int_equal(kept_records().n, 0);
    fake_stop(fake);
}

// (threat 61)
static void what_the_engine_makes_late_goes_by_its_record(void **unused)
{
    static const struct fake_answer answers[] = {
        PING,
        GONE,
        {.how = FAKE_LAST, .status = 200, .body = "{}"},
        PING,
        {.status = 200, .body = CONTAINER("0123456789abcdef0123456789abcdef")},
        {.status = 204},
    };
    struct fake_engine *fake = fake_start(answers, 6);
    struct store_record record = {.container = "berth-12.0-x",
                                  .nonce = "0123456789abcdef0123456789abcdef"};

    (void)unused;
    snprintf(record.engine, sizeof(record.engine), "%s", fake_path(fake));
    assert_int_equal(removal_container(&record, 0, 5000, &err), 0);
    assert_int_equal(removal_container(&record, 0, 5000, &err), -1);
    assert_int_equal(removal_container(&record, 0, 5000, &err), 1);
    assert_non_null(
        strstr(fake_log(fake), "DELETE /v1.41/containers/" ID "?"));
    fake_stop(fake);
}

static void one_that_was_refused_is_not_waited_for(void **unused)
{
    static const struct fake_answer answers[] = {PING, GONE};
    struct store_step step;

    (void)unused;
    struct fake_engine *fake = stage(&step, "", answers, 2);
    // Asked once more the engine would fail.
    if (removal_run(&step, 5000, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(kept_records().n, 0);
    assert_false(is_there("n1/12.0"));
    fake_stop(fake);
}

static void an_engine_that_fails_leaves_all_on_record(void **unused)
{
    static const struct fake_answer answers[] = {
        PING, {.status = 500, .body = "{\"message\":\"disk full\"}"}};
    struct store_record record;
    struct store_step step;

    (void)unused;
    struct fake_engine *fake = stage(&step, ID, answers, 2);
    assert_int_equal(removal_run(&step, 1000, &err), -1);
    assert_non_null(strstr(err.text, "cannot be removed"));
    assert_int_equal(store_record_read(&step, &record, &err), 0);
    assert_true(is_there("n1/12.0/passwd"));
    fake_stop(fake);
    store_step_close(&step);
}

// (threat 57)
static void an_engine_that_hangs_costs_its_time_and_no_more(void **unused)
{
    static const struct fake_answer answers[] = {PING, {.how = FAKE_HANG}};
    struct store_step step;

    (void)unused;
    struct fake_engine *fake = stage(&step, ID, answers, 2);
    assert_int_equal(removal_run(&step, 1000, &err), -1);
    assert_non_null(strstr(err.text, "does not answer in time"));
    assert_true(is_there("n1/12.0/record"));
    fake_stop(fake);
    store_step_close(&step);
}

static void what_is_not_empty_is_not_gone_into(void **unused)
{
    struct store_step step;

    (void)unused;
    create(&step);
    assert_int_equal(mkdir(path_of("n1/12.0/mounts"), 0700), 0);
    put("n1/12.0/mounts/the-users", "");
    assert_int_equal(removal_run(&step, 1000, &err), -1);
    assert_non_null(strstr(err.text, "cannot be removed"));
    assert_true(is_there("n1/12.0/mounts/the-users"));
    store_step_close(&step);
}

static void the_cgroups_on_record_are_removed(void **unused)
{
    struct store_step step;
    char list[PATH_MAX * 2];

    (void)unused;
    create(&step);
    assert_int_equal(mkdir(path_of("cgroup"), 0700), 0);
    assert_int_equal(mkdir(path_of("stays"), 0700), 0);
    snprintf(list, sizeof(list), "%s\n/nonexistent\n", path_of("cgroup"));
    put("n1/12.0/" STORE_CGROUPS, list);
    assert_int_equal(removal_run(&step, 1000, &err), 0);
    assert_false(is_there("cgroup"));
    assert_true(is_there("stays"));
    assert_false(is_there("n1/12.0"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make, take_down)
    const struct CMUnitTest tests[] = {
        TEST(a_steps_directory_is_its_own),
        TEST(a_directory_that_others_can_write_to_is_refused),
        TEST(a_link_in_the_place_of_a_directory_is_refused),
        TEST(who_holds_a_step_is_known),
        TEST(who_holds_a_step_is_known_whatever_locks_come_and_go),
        TEST(what_a_dead_one_has_left_is_removed_first),
        TEST(only_steps_names_are_steps),
        TEST(a_record_is_read_as_it_was_written),
        TEST(half_a_record_is_none),
        TEST(a_jobs_record_is_read_as_it_was_written),
        TEST(each_run_of_a_job_has_another_number),
        TEST(strings_are_read_as_they_were_written),
        TEST(jobs_of_another_boot_expire),
        TEST(a_container_goes_by_its_id),
        TEST(one_that_is_gone_already_is_a_success),
        TEST(another_container_of_that_name_is_left),
        TEST(what_the_engine_may_yet_make_stays_on_record),
        TEST(what_the_engine_makes_late_goes_by_its_record),
        TEST(one_that_was_refused_is_not_waited_for),
        TEST(an_engine_that_fails_leaves_all_on_record),
        TEST(an_engine_that_hangs_costs_its_time_and_no_more),
        TEST(what_is_not_empty_is_not_gone_into),
        TEST(the_cgroups_on_record_are_removed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
