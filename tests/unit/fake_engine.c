// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include "tests/unit/fake_engine.h"

#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

struct fake_engine {
    pid_t pid;
    int log_fd;
    char dir[64];
    char path[96];
    char log[65536];
};

static bool send_all(int fd, const char *data, size_t n)
{
    while (n > 0) {
        ssize_t k = send(fd, data, n, MSG_NOSIGNAL);
        if (k <= 0)
            return false;
        data += k;
        n -= (size_t)k;
    }
    return true;
}

static bool send_text(int fd, const char *text)
{
    return send_all(fd, text, strlen(text));
}

// Reads a body in chunks, of which the first N bytes are at DATA, to the end,
// and writes what is in them to the file PATH.
static bool read_chunks(int fd, const char *data, size_t n, const char *path)
{
    static char buf[1 << 16];
    FILE *body = fopen(path, "we");
    size_t left = 0; // of the chunk and its line's end
    char line[32] = "";
    bool last = false, done = false;

    while (body && !done) {
        for (size_t i = 0; i < n && !done; i++) {
            if (left > 2)
                fputc(data[i], body);
            if (left > 0) {
                done = --left == 0 && last;
                continue;
            }
            size_t used = strlen(line);
            if (used + 1 >= sizeof(line))
                errx(99, "no chunk");
            line[used] = data[i];
            line[used + 1] = 0;
            if (data[i] != '\n' || used < 2)
                continue;
            left = strtoul(line, NULL, 16) + 2;
            last = left == 2;
            line[0] = 0;
        }
        ssize_t k = done ? 0 : recv(fd, buf, sizeof(buf), 0);
        if (k <= 0)
            break;
        data = buf;
        n = (size_t)k;
    }
    if (body)
        fclose(body);
    return done;
}

// Reads one request, body and all, and logs its first line. A body in chunks
// goes to DIR.
static bool read_request(int fd, int log_fd, bool fresh, const char *dir)
{
    static char buf[1 << 20];
    size_t n = 0, want = 0;

    for (;;) {
        ssize_t k = recv(fd, buf + n, sizeof(buf) - 1 - n, 0);
        if (k <= 0)
            return false;
        n += (size_t)k;
        buf[n] = 0;
        char *end = strstr(buf, "\r\n\r\n");
        if (!end)
            continue;
        if (strcasestr(buf, "\r\nTransfer-Encoding: chunked")) {
            char path[128];
            snprintf(path, sizeof(path), "%s/body", dir);
            if (!read_chunks(fd, end + 4, n - (size_t)(end + 4 - buf), path))
                return false;
            break;
        }
        char *length = strcasestr(buf, "\r\nContent-Length:");
        want = (size_t)(end + 4 - buf);
        if (length && length < end)
            want += strtoul(length + 17, NULL, 10);
        if (n >= want)
            break;
    }
    char *http = strstr(buf, " HTTP/1.1\r\n");
    if (!http)
        return false;
    dprintf(log_fd, "%s%.*s\n", fresh ? "+" : "", (int)(http - buf), buf);
    return true;
}

static bool send_head(int fd, const struct fake_answer *a, const char *framing)
{
    char head[1024];

    snprintf(head, sizeof(head),
             "HTTP/1.1 %d Status\r\nContent-Type: %s\r\n%s%s\r\n", a->status,
             a->type ? a->type : "application/json",
             a->headers ? a->headers : "", framing);
    return send_text(fd, head);
}

// Returns whether the connection stays open.
static bool answer(int fd, const struct fake_answer *a)
{
    size_t n = a->length ? a->length : a->body ? strlen(a->body) : 0;
    char framing[64] = "";

    if (a->status != 204 && a->status != 304)
        snprintf(framing, sizeof(framing), "Content-Length: %zu\r\n",
                 a->how == FAKE_CUT ? n + 100 : n);
    switch (a->how) {
    case FAKE_WHOLE:
        return send_head(fd, a, framing) && send_all(fd, a->body, n);
    case FAKE_LAST:
    case FAKE_CUT:
        if (send_head(fd, a, framing))
            send_all(fd, a->body, n);
        return false;
    case FAKE_RAW:
        send_all(fd, a->body, n);
        return false;
    case FAKE_ENDLESS_BODY:
        send_head(fd, a, "Transfer-Encoding: chunked\r\n");
        snprintf(framing, sizeof(framing), "%zx\r\n", n);
        while (send_text(fd, framing) && send_all(fd, a->body, n) &&
               send_text(fd, "\r\n"))
            continue;
        return false;
    case FAKE_ENDLESS_HEADERS:
        send_text(fd, "HTTP/1.1 200 OK\r\n");
        while (send_text(fd, "X-More: more and more and more\r\n"))
            continue;
        return false;
    case FAKE_TRICKLE:
        send_head(fd, a, framing);
        for (size_t i = 0; i < n && send_all(fd, a->body + i, 1); i++)
            usleep(50000);
        return true;
    case FAKE_HANG:
        for (;;)
            pause();
    case FAKE_CLOSE:
    case FAKE_RESET:
        break;
    }
    return false;
}

static void serve(int listener, int log_fd, const struct fake_answer *answers,
                  size_t n, const char *dir)
{
    static const struct fake_answer none = {
        .status = 500,
        .body = "{\"message\":\"the test has no more answers\"}",
    };
    size_t next = 0;

    for (;;) {
        bool fresh = true;
        int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            _exit(1);
        for (;;) {
            const struct fake_answer *a = next < n ? &answers[next] : &none;
            if (a->how == FAKE_RESET) {
                char c;
                if (recv(fd, &c, 1, 0) <= 0)
                    break;
                next++;
                break;
            }
            if (!read_request(fd, log_fd, fresh, dir))
                break;
            fresh = false;
            next++;
            if (!answer(fd, a))
                break;
        }
        close(fd);
    }
}

struct fake_engine *fake_start(const struct fake_answer *answers, size_t n)
{
    struct fake_engine *fake = calloc(1, sizeof(*fake));
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    int pipe_fd[2];

    if (!fake)
        errx(99, "out of memory");
    strcpy(fake->dir, "/tmp/fake-engine-XXXXXX");
    if (!mkdtemp(fake->dir))
        err(99, "%s", fake->dir);
    snprintf(fake->path, sizeof(fake->path), "%s/engine.sock", fake->dir);
    strcpy(sun.sun_path, fake->path);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 ||
        bind(listener, (struct sockaddr *)&sun, sizeof(sun)) < 0 ||
        listen(listener, 8) < 0 || pipe2(pipe_fd, O_CLOEXEC) < 0 ||
        fcntl(pipe_fd[0], F_SETFL, O_NONBLOCK) < 0)
        err(99, "%s", fake->path);
    fake->pid = fork();
    if (fake->pid < 0)
        err(99, "fork");
    if (fake->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        serve(listener, pipe_fd[1], answers, n, fake->dir);
    }
    close(listener);
    close(pipe_fd[1]);
    fake->log_fd = pipe_fd[0];
    return fake;
}

const char *fake_path(const struct fake_engine *fake)
{
    return fake->path;
}

const char *fake_log(struct fake_engine *fake)
{
    size_t n = 0;
    ssize_t k;

    while ((k = read(fake->log_fd, fake->log + n, sizeof(fake->log) - 1 - n)) >
           0)
        n += (size_t)k;
    fake->log[n] = 0;
    return fake->log;
}

char *fake_body(const struct fake_engine *fake, size_t *length)
{
    static char buf[1 << 20];
    char path[128];

    snprintf(path, sizeof(path), "%s/body", fake->dir);
    FILE *file = fopen(path, "re");
    *length = file ? fread(buf, 1, sizeof(buf), file) : 0;
    if (file)
        fclose(file);
    return buf;
}

void fake_stop(struct fake_engine *fake)
{
    char path[128];

    if (!fake)
        return;
    kill(fake->pid, SIGKILL);
    waitpid(fake->pid, NULL, 0);
    close(fake->log_fd);
    unlink(fake->path);
    snprintf(path, sizeof(path), "%s/body", fake->dir);
    unlink(path);
    rmdir(fake->dir);
    free(fake);
}
