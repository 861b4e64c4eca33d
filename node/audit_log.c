// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: facts of a step, some of them a user's words.

#include "node/audit_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "logic/utf8.h"
#include "node/tell.h"

// A file in the step's directory.
#define WILL "log"

// A string of TEXT that is safe to show: jansson escapes what is below a
// space and, as it is asked to, what is beyond ASCII. DEL is left.
static json_t *safe_string(const char *text)
{
    if (utf8_valid(text) && !strchr(text, 0x7f))
        return json_string(text);
    char *copy = strdup(text);
    if (!copy)
        return NULL;
    err_scrub(copy);
    json_t *string = json_string(copy);
    free(copy);
    return string;
}

void audit_log_note(struct audit_log *log, const char *key, const char *text)
{
    if (text && *text)
        json_object_set_new(log->facts, key, safe_string(text));
}

static void note_number(struct audit_log *log, const char *key, json_int_t n)
{
    json_object_set_new(log->facts, key, json_integer(n));
}

void audit_log_open(struct audit_log *log, const struct step *step,
                    const char *user)
{
    char name[STEP_NAME_MAX];
    enum errand errand;

    step_name(step->job, step->step, name);
    *log = (struct audit_log){.facts = json_object()};
    audit_log_note(log, "node", step->node);
    note_number(log, "job", step->job);
    audit_log_note(log, "step", strchr(name, '.') + 1);
    audit_log_note(log, "user", user);
    note_number(log, "uid", step->uid);
    if (step->options.image)
        audit_log_note(log, "image", step->options.image);
    if (options_errand(&step->options, &errand))
        audit_log_note(log, "do", options_errand_word(errand));
}

void audit_log_send_to(struct audit_log *log, const char *to)
{
    char *copy = strdup(to);

    if (!copy)
        return;
    free(log->to);
    log->to = copy;
}

void audit_log_rule(struct audit_log *log, const struct rule *rule)
{
    if (!rule)
        return;
    audit_log_note(log, "rule", rule->text);
    audit_log_note(log, "file", rule->file);
    if (rule->line > 0)
        note_number(log, "line", rule->line);
}

// Writes LINE, of LEN bytes, at the file's end: 0, or -1 with errno set.
static int append(int fd, const char *line, size_t len)
{
    ssize_t n = write(fd, line, len);

    if (n >= 0 && (size_t)n < len)
        errno = ENOSPC;
    return n >= 0 && (size_t)n == len ? 0 : -1;
}

// Says whether the LEN bytes that were written last stand behind what is no
// whole line: the disk was full.
static bool is_behind_cut(int fd, size_t len)
{
    off_t start = lseek(fd, 0, SEEK_CUR) - (off_t)len;
    char before;

    return start > 0 && pread(fd, &before, 1, start - 1) == 1 && before != '\n';
}

// One write, so that lines of several steps do not mix; a second where the
// first has but ended a line that was cut. Returns 0, or -1 with errno set.
static int append_file(const char *path, const char *line)
{
    // Not blocking, lest a FIFO in its place hold the step up.
    int fd = open(path,
                  O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK |
                      O_CLOEXEC | O_NOCTTY,
                  0600);
    struct stat st;
    int rc = -1;

    if (fd < 0)
        return -1;
    if (fstat(fd, &st) < 0)
        goto out;
    if (!S_ISREG(st.st_mode)) {
        errno = EINVAL;
        goto out;
    }
    rc = append(fd, line, strlen(line));
    if (rc == 0 && is_behind_cut(fd, strlen(line)))
        rc = append(fd, line, strlen(line));
out:
    close(fd);
    return rc;
}

static void send_line(const struct audit_log *log, char *line)
{
    const char *to = log->to ? log->to : "syslog";
    size_t len = strlen(line);

    if (strcmp(to, "none") == 0)
        return;
    if (to[0] == '/') {
        line[len] = '\n';
        int rc = append_file(to, line);
        line[len] = 0;
        if (rc == 0)
            return;
        char why[512];
        snprintf(why, sizeof(why),
                 "the audit log %.300s cannot be written, and its lines come "
                 "to authpriv instead: %m",
                 to);
        tell_syslog(LOG_DAEMON | LOG_ERR, why);
    }
    tell_syslog(LOG_AUTHPRIV | LOG_INFO, line);
}

// RFC 3339, in UTC.
static json_t *now_string(void)
{
    struct timespec now;
    struct tm tm;
    char date[32];

    clock_gettime(CLOCK_REALTIME, &now);
    if (!gmtime_r(&now.tv_sec, &tm))
        return NULL;
    strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
    return json_sprintf("%s.%03ldZ", date, now.tv_nsec / 1000000);
}

static void write_line(const struct audit_log *log, const char *event,
                       const char *exit, const char *reason, long long ms)
{
    json_t *line =
        json_pack("{s:o, s:s}", "time", now_string(), "event", event);

    if (line && log->verdict)
        json_object_set_new(line, "verdict", json_string(log->verdict));
    if (line && reason && *reason)
        json_object_set_new(line, "reason", safe_string(reason));
    if (line && exit)
        json_object_set_new(line, "exit", json_string(exit));
    if (line && ms >= 0)
        json_object_set_new(line, "seconds", json_real((double)ms / 1000));
    json_object_update(line, log->facts);
    size_t size =
        json_dumpb(line, NULL, 0,
                   JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(12));
    // Room for a newline as well.
    char *text = size > 0 ? calloc(1, size + 2) : NULL;
    if (text) {
        json_dumpb(line, text, size,
                   JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(12));
        send_line(log, text);
    } else {
        tell_syslog(LOG_DAEMON | LOG_ERR,
                    "a line of the audit log is lost: memory is out");
    }
    free(text);
    json_decref(line);
}

static const char *last_event(const struct audit_log *log)
{
    return log->kept ? "gone" : "end";
}

// What there is to say at the end, if this process can't.
static void leave_will(const struct audit_log *log)
{
    int fd = openat(log->dir, WILL,
                    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    // clang-format off
    json_t *will = json_pack("{s:s, s:s, s:s, s:O}",
                             "to", log->to ? log->to : "syslog",
                             "event", last_event(log),
                             "verdict", log->verdict,
                             "facts", log->facts);
    // clang-format on

    if (fd >= 0 && will)
        json_dumpfd(will, fd, JSON_COMPACT);
    if (fd >= 0)
        close(fd);
    json_decref(will);
}

void audit_log_allow(struct audit_log *log)
{
    log->verdict = "allow";
    write_line(log, "allow", NULL, NULL, -1);
}

void audit_log_start(struct audit_log *log, int dir)
{
    log->started = true;
    log->dir = dir;
    leave_will(log);
    clock_gettime(CLOCK_MONOTONIC, &log->start);
    write_line(log, "start", NULL, NULL, -1);
}

void audit_log_did(struct audit_log *log, const char *event)
{
    write_line(log, event, NULL, NULL, -1);
}

void audit_log_fail(struct audit_log *log, const struct berth_err *why)
{
    if (log->started)
        return;
    if (!log->verdict &&
        (why->code == BERTH_EDENIED || why->code == BERTH_EINVAL)) {
        log->verdict = "deny";
        write_line(log, "deny", NULL, why->text, -1);
        return;
    }
    write_line(log, "end", "failed", why->text, -1);
}

void audit_log_end(struct audit_log *log, const char *exit)
{
    struct timespec now;

    if (!log->started)
        return;
    log->started = false;
    unlinkat(log->dir, WILL, 0);
    clock_gettime(CLOCK_MONOTONIC, &now);
    write_line(log, last_event(log), exit, NULL,
               (now.tv_sec - log->start.tv_sec) * 1000LL +
                   (now.tv_nsec - log->start.tv_nsec) / 1000000);
}

void audit_log_keep(struct audit_log *log, int dir)
{
    log->started = log->kept = true;
    log->dir = dir;
    leave_will(log);
}

void audit_log_end_for(int dir)
{
    int fd = openat(dir, WILL, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    json_t *will =
        fd < 0 ? NULL : json_loadfd(fd, JSON_REJECT_DUPLICATES, NULL);
    const char *to, *verdict, *event;
    json_t *facts;

    // clang-format off
    if (json_unpack(will, "{s:s, s:s, s:s, s:o !}", "to", &to,
                    "event", &event, "verdict", &verdict,
                    "facts", &facts) == 0 &&
        json_is_object(facts)) {
        // clang-format on
        const struct audit_log log = {
            .to = (char *)to, .facts = facts, .verdict = verdict};
        write_line(&log, event, "killed", NULL, -1);
    }
    if (fd >= 0) {
        unlinkat(dir, WILL, 0);
        close(fd);
    }
    json_decref(will);
}

void audit_log_close(struct audit_log *log)
{
    json_decref(log->facts);
    free(log->to);
    *log = (struct audit_log){0};
}
