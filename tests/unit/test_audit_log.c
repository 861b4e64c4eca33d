// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The audit log's lines, as they arrive in a file.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "node/audit_log.h"

static char dir[] = "/tmp/test_audit_log.XXXXXX";
static char path[64];

static int make_dir(void **state)
{
    (void)state;
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof(path), "%s/audit", dir);
    return 0;
}

static int remove_dir(void **state)
{
    (void)state;
    return rmdir(dir);
}

static int remove_log(void **state)
{
    (void)state;
    unlink(path);
    return 0;
}

static struct step step = {
    .job = 12,
    .step = 3,
    .uid = 1001,
    .gid = 1001,
    .node = (char *)"n1",
    .options = {.image = (char *)"debian"},
};

static void begin(struct audit_log *log)
{
    audit_log_open(log, &step, "alice");
    audit_log_send_to(log, path);
}

// Reads the log. Returns how many lines it has, the first of which are
// parsed into LINES.
static size_t read_log(json_t *lines[], size_t max)
{
    char text[8192];
    size_t n = 0;
    FILE *f = fopen(path, "r");

    for (; f && fgets(text, sizeof(text), f); n++) {
        size_t len = strlen(text);
        assert_int_equal(text[len - 1], '\n');
        for (size_t i = 0; i < len - 1; i++)
            assert_in_range(text[i], ' ', '~');
        if (n >= max)
            continue;
        lines[n] = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(lines[n]);
    }
    if (f)
        fclose(f);
    return n;
}

static const char *text_of(const json_t *line, const char *key)
{
    return json_string_value(json_object_get(line, key));
}

static void it_makes_one_line_of_hostile_names(void **state)
{
    // Threat 67: a second line, a terminal's commands, a quote, DEL, C1,
    // what turns the reading direction, what is no UTF-8.
    static const struct {
        const char *image, *read;
    } names[] = {
        {"a\n{\"event\":\"allow\"}", "a\n{\"event\":\"allow\"}"},
        {"a\r\x1b[2Jb", "a\r\x1b[2Jb"},
        {"a\",\"verdict\":\"allow", "a\",\"verdict\":\"allow"},
        {"a\x7f"
         "b",
         "a?b"},
        {"a\xc2\x9b"
         "31m\u202eb\u2028c",
         "a\xc2\x9b"
         "31m\u202eb\u2028c"},
        {"a\xff\xfe"
         "b",
         "a??b"},
    };
    struct berth_err why = {BERTH_EINVAL, "no \x1b[31m such\nname"};
    json_t *line;
    (void)state;

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        struct audit_log log;
        step.options.image = (char *)names[i].image;
        begin(&log);
        audit_log_fail(&log, &why);
        audit_log_close(&log);
        assert_int_equal(read_log(&line, 1), 1);
        assert_string_equal(text_of(line, "event"), "deny");
        assert_string_equal(text_of(line, "verdict"), "deny");
        assert_string_equal(text_of(line, "image"), names[i].read);
        assert_string_equal(text_of(line, "reason"), why.text);
        json_decref(line);
        unlink(path);
    }
    step.options.image = (char *)"debian";
}

static void it_tells_a_refused_step_from_a_failed_one(void **state)
{
    static const struct {
        enum berth_errc code;
        const char *event, *verdict, *exit;
    } cases[] = {
        {BERTH_EDENIED, "deny", "deny", NULL},
        {BERTH_EINVAL, "deny", "deny", NULL},
        {BERTH_EENGINE, "end", NULL, "failed"},
        {BERTH_ENOTFOUND, "end", NULL, "failed"},
        {BERTH_ETIMEOUT, "end", NULL, "failed"},
        {BERTH_ENOMEM, "end", NULL, "failed"},
    };
    json_t *line;
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct audit_log log;
        struct berth_err why = {cases[i].code, "why not"};
        begin(&log);
        audit_log_fail(&log, &why);
        audit_log_end(&log, "step");
        audit_log_close(&log);
        assert_int_equal(read_log(&line, 1), 1);
        assert_string_equal(text_of(line, "event"), cases[i].event);
        assert_string_equal(text_of(line, "reason"), "why not");
        if (cases[i].verdict)
            assert_string_equal(text_of(line, "verdict"), cases[i].verdict);
        else
            assert_null(json_object_get(line, "verdict"));
        if (cases[i].exit)
            assert_string_equal(text_of(line, "exit"), cases[i].exit);
        else
            assert_null(json_object_get(line, "exit"));
        assert_null(json_object_get(line, "seconds"));
        json_decref(line);
        unlink(path);
    }
}

static void what_was_allowed_and_then_fails_was_allowed(void **state)
{
    struct berth_err why = {BERTH_EINVAL, "the image is at fault"};
    struct audit_log log;
    json_t *lines[2];
    (void)state;

    begin(&log);
    audit_log_allow(&log);
    audit_log_fail(&log, &why);
    audit_log_close(&log);
    assert_int_equal(read_log(lines, 2), 2);
    assert_string_equal(text_of(lines[0], "event"), "allow");
    assert_string_equal(text_of(lines[1], "event"), "end");
    assert_string_equal(text_of(lines[1], "verdict"), "allow");
    assert_string_equal(text_of(lines[1], "exit"), "failed");
    json_decref(lines[0]);
    json_decref(lines[1]);
}

static void an_allowed_step_has_three_lines_with_all_that_is_known(void **state)
{
    static const char *const events[] = {"allow", "start", "end"};
    static const char *const known[][2] = {
        {"verdict", "allow"},
        {"node", "n1"},
        {"step", "3"},
        {"user", "alice"},
        {"image", "debian"},
        {"name", "docker.io/library/debian:latest"},
        {"id", "sha256:00"},
        {"rule", "debian"},
        {"file", "/etc/slurm/berth.conf"},
        {"cluster", "c"},
        {"partition", "main"},
    };
    struct rule rule = {
        .text = "debian", .file = "/etc/slurm/berth.conf", .line = 7};
    struct audit_log log;
    json_t *lines[3];
    (void)state;

    begin(&log);
    audit_log_note(&log, "name", "docker.io/library/debian:latest");
    audit_log_rule(&log, &rule);
    audit_log_note(&log, "id", "sha256:00");
    audit_log_note(&log, "digest", "");
    audit_log_note(&log, "cluster", "c");
    audit_log_note(&log, "partition", "main");
    audit_log_allow(&log);
    audit_log_start(&log, -1);
    usleep(20000);
    audit_log_end(&log, "step");
    audit_log_end(&log, "step");
    audit_log_close(&log);
    assert_int_equal(read_log(lines, 3), 3);
    for (size_t i = 0; i < 3; i++) {
        int y, mo, d, h, mi, s, ms, end = 0;
        const char *time = text_of(lines[i], "time");
        assert_string_equal(text_of(lines[i], "event"), events[i]);
        sscanf(time, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ%n", &y, &mo, &d, &h, &mi, &s,
               &ms, &end);
        assert_int_equal(end, 24);
        assert_int_equal(strlen(time), 24);
        for (size_t k = 0; k < sizeof(known) / sizeof(*known); k++)
            assert_string_equal(text_of(lines[i], known[k][0]), known[k][1]);
        assert_int_equal(json_integer_value(json_object_get(lines[i], "line")),
                         7);
        assert_int_equal(json_integer_value(json_object_get(lines[i], "uid")),
                         1001);
        assert_int_equal(json_integer_value(json_object_get(lines[i], "job")),
                         12);
        assert_null(json_object_get(lines[i], "digest"));
    }
    assert_null(json_object_get(lines[0], "seconds"));
    assert_string_equal(text_of(lines[2], "exit"), "step");
    double seconds = json_real_value(json_object_get(lines[2], "seconds"));
    assert_true(seconds >= 0.02 && seconds < 20);
    for (size_t i = 0; i < 3; i++)
        json_decref(lines[i]);
}

static void a_step_of_which_little_is_known_has_its_line(void **state)
{
    struct berth_err why = {BERTH_EINVAL, "the fact \"image\" is missing"};
    struct step bare = {.job = 12};
    struct audit_log log;
    json_t *line;
    (void)state;

    audit_log_open(&log, &bare, NULL);
    audit_log_send_to(&log, path);
    audit_log_rule(&log, NULL);
    audit_log_fail(&log, &why);
    audit_log_close(&log);
    assert_int_equal(read_log(&line, 1), 1);
    assert_string_equal(text_of(line, "event"), "deny");
    assert_null(json_object_get(line, "image"));
    assert_null(json_object_get(line, "user"));
    json_decref(line);
}

static void the_file_is_its_owners_alone(void **state)
{
    struct audit_log log;
    struct stat st;
    (void)state;

    mode_t old = umask(0);
    begin(&log);
    audit_log_allow(&log);
    audit_log_close(&log);
    umask(old);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
}

static void a_link_in_the_files_place_is_not_followed(void **state)
{
    char other[80];
    struct audit_log log;
    struct stat st;
    (void)state;

    snprintf(other, sizeof(other), "%s/other", dir);
    close(open(other, O_CREAT | O_WRONLY, 0600));
    assert_int_equal(symlink(other, path), 0);
    begin(&log);
    audit_log_allow(&log);
    audit_log_close(&log);
    assert_int_equal(stat(other, &st), 0);
    assert_int_equal(st.st_size, 0);
    unlink(other);
}

static void what_is_no_file_does_not_hold_it_up(void **state)
{
    struct audit_log log;
    (void)state;

    assert_int_equal(mkfifo(path, 0600), 0);
    alarm(120);
    begin(&log);
    audit_log_allow(&log);
    // With a reader it could be written.
    int fd = open(path, O_RDONLY | O_NONBLOCK);
    audit_log_start(&log, -1);
    char byte;
    assert_int_equal(read(fd, &byte, 1), 0);
    close(fd);
    audit_log_close(&log);
    alarm(0);
}

static void a_file_that_cannot_be_written_fails_nothing(void **state)
{
    struct audit_log log;
    (void)state;

    audit_log_open(&log, &step, "alice");
    audit_log_send_to(&log, "/nonexistent/audit");
    audit_log_allow(&log);
    audit_log_send_to(&log, "/dev/full");
    audit_log_start(&log, -1);
    audit_log_end(&log, "step");
    audit_log_close(&log);
}

static void what_a_full_disk_has_cut_spoils_no_line_but_its_own(void **state)
{
    struct audit_log log;
    char text[8192];
    (void)state;

    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs("{\"time\"", f) >= 0);
    assert_int_equal(fclose(f), 0);
    begin(&log);
    audit_log_allow(&log);
    audit_log_did(&log, "pulled");
    audit_log_close(&log);
    f = fopen(path, "r");
    assert_non_null(f);
    assert_non_null(fgets(text, sizeof(text), f));
    assert_int_equal(strncmp(text, "{\"time\"{", 8), 0);
    for (int i = 0; i < 2; i++) {
        assert_non_null(fgets(text, sizeof(text), f));
        json_t *line = json_loads(text, 0, NULL);
        assert_non_null(line);
        json_decref(line);
    }
    assert_null(fgets(text, sizeof(text), f));
    fclose(f);
}

static void none_is_none(void **state)
{
    struct audit_log log;
    (void)state;

    begin(&log);
    audit_log_send_to(&log, "none");
    audit_log_allow(&log);
    audit_log_close(&log);
    assert_int_equal(access(path, F_OK), -1);
}

static void lines_of_several_steps_do_not_mix(void **state)
{
    enum { STEPS = 8, LINES = 200 };
    (void)state;

    for (int i = 0; i < STEPS; i++)
        if (fork() == 0) {
            struct audit_log log;
            begin(&log);
            for (int k = 0; k < LINES; k++)
                audit_log_allow(&log);
            _exit(0);
        }
    for (int i = 0; i < STEPS; i++)
        wait(NULL);
    json_t *lines[STEPS * LINES];
    assert_int_equal(read_log(lines, STEPS * LINES), STEPS * LINES);
    for (int i = 0; i < STEPS * LINES; i++)
        json_decref(lines[i]);
}

static void
the_end_of_one_that_was_killed_is_written_once_by_another(void **state)
{
    struct audit_log log;
    json_t *lines[5];

    (void)state;
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    begin(&log);
    audit_log_note(&log, "name", "docker.io/library/debian:latest");
    audit_log_allow(&log);
    audit_log_end_for(fd); // there is no start
    audit_log_start(&log, fd);
    audit_log_close(&log);
    audit_log_end_for(fd);
    audit_log_end_for(fd);
    assert_int_equal(read_log(lines, 5), 3);
    assert_string_equal(text_of(lines[2], "event"), "end");
    assert_string_equal(text_of(lines[2], "exit"), "killed");
    assert_string_equal(text_of(lines[2], "verdict"), "allow");
    assert_string_equal(text_of(lines[2], "user"), "alice");
    assert_string_equal(text_of(lines[2], "step"), "3");
    assert_string_equal(text_of(lines[2], "name"),
                        "docker.io/library/debian:latest");
    assert_null(json_object_get(lines[2], "seconds"));
    for (size_t i = 0; i < 3; i++)
        json_decref(lines[i]);
    close(fd);
}

static void the_end_of_one_that_said_so_is_written_by_no_other(void **state)
{
    struct audit_log log;
    json_t *lines[5];

    (void)state;
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    begin(&log);
    audit_log_allow(&log);
    audit_log_start(&log, fd);
    audit_log_end(&log, "step");
    audit_log_close(&log);
    audit_log_end_for(fd);
    assert_int_equal(read_log(lines, 5), 3);
    assert_string_equal(text_of(lines[2], "exit"), "step");
    for (size_t i = 0; i < 3; i++)
        json_decref(lines[i]);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(it_makes_one_line_of_hostile_names,
                                  remove_log),
        cmocka_unit_test_teardown(it_tells_a_refused_step_from_a_failed_one,
                                  remove_log),
        cmocka_unit_test_teardown(what_was_allowed_and_then_fails_was_allowed,
                                  remove_log),
        cmocka_unit_test_teardown(
            an_allowed_step_has_three_lines_with_all_that_is_known, remove_log),
        cmocka_unit_test_teardown(
            the_end_of_one_that_was_killed_is_written_once_by_another,
            remove_log),
        cmocka_unit_test_teardown(
            the_end_of_one_that_said_so_is_written_by_no_other, remove_log),
        cmocka_unit_test_teardown(a_step_of_which_little_is_known_has_its_line,
                                  remove_log),
        cmocka_unit_test_teardown(the_file_is_its_owners_alone, remove_log),
        cmocka_unit_test_teardown(a_link_in_the_files_place_is_not_followed,
                                  remove_log),
        cmocka_unit_test_teardown(what_is_no_file_does_not_hold_it_up,
                                  remove_log),
        cmocka_unit_test_teardown(a_file_that_cannot_be_written_fails_nothing,
                                  remove_log),
        cmocka_unit_test_teardown(
            what_a_full_disk_has_cut_spoils_no_line_but_its_own, remove_log),
        cmocka_unit_test_teardown(none_is_none, remove_log),
        cmocka_unit_test_teardown(lines_of_several_steps_do_not_mix,
                                  remove_log),
    };

    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
