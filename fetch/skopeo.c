// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Two ways of skopeo's are used: "inspect --raw", since the digest of an index
// is that of its bytes, and the image proxy, which gives single blobs: layers
// that the engine has are not asked for, and the others pass through.

#include "fetch/skopeo.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "logic/manifest.h"
#include "logic/pull.h"
#include "protocol/passing.h"

enum {
    // A registry that says nothing for so long is silent.
    SILENT_MS = 30000,
    SOCKET = 4, // of the proxy, in skopeo
    REPLY_MAX = 32 * 1024,
};

static int fail(struct skopeo *s, enum fetch_code code, unsigned number,
                const char *text)
{
    s->why = (struct fetch_failed){.code = code, .number = number};
    snprintf(s->why.text, sizeof(s->why.text), "%s", text);
    return -1;
}

// For what its user can do nothing about.
static int fail_own(struct skopeo *s, const char *what)
{
    char text[256];

    snprintf(text, sizeof(text), "%s: tell your administrator", what);
    return fail(s, FETCH_CODE_OWN, 0, text);
}

// --- its standard error ------------------------------------------------------

// A line as logrus writes it: time="..." level=fatal msg="...".
static void take_line(struct skopeo *s, char *line)
{
    char *msg = strstr(line, " msg=\"");

    if (strstr(line, "Too many requests to"))
        s->limited++;
    if (!msg || (!strstr(line, "level=fatal") && !strstr(line, "level=error")))
        return;
    msg += strlen(" msg=\"");
    char *to = msg;
    for (const char *from = msg; *from && *from != '"'; from++) {
        if (*from == '\\' && from[1])
            from++;
        *to++ = *from;
    }
    *to = 0;
    snprintf(s->why.text, sizeof(s->why.text), "%.*s", FETCH_TEXT_MAX - 1, msg);
}

// Takes in what is there of it. False: it is at its end.
static bool hear_errors(struct skopeo *s)
{
    char *end;
    ssize_t n =
        read(s->errors, s->line + s->used, sizeof(s->line) - 1 - s->used);

    if (n <= 0)
        return n < 0 && (errno == EAGAIN || errno == EINTR);
    s->used += (size_t)n;
    s->line[s->used] = 0;
    while ((end = strchr(s->line, '\n'))) {
        *end = 0;
        take_line(s, s->line);
        s->used -= (size_t)(end + 1 - s->line);
        memmove(s->line, end + 1, s->used + 1);
    }
    // A line that is longer loses its middle.
    if (s->used == sizeof(s->line) - 1)
        s->used = sizeof(s->line) / 2;
    return true;
}

// Waits until FD can be read. 0, or -1: it took too long.
static int wait_for(struct skopeo *s, int fd)
{
    struct pollfd p[] = {
        {.fd = fd, .events = POLLIN},
        {.fd = s->errors, .events = POLLIN},
        {.fd = s->linked ? 0 : -1, .events = POLLRDHUP},
        {.fd = s->guard.fd, .events = POLLIN},
    };

    for (;;) {
        int n = poll(p, 4, SILENT_MS);
        if (n < 0 && errno == EINTR)
            continue;
        // Nobody is there any more for whom this is.
        if (n < 0 || p[2].revents)
            exit(1);
        if (n == 0)
            return fail(s, FETCH_CODE_SILENT, SILENT_MS / 1000, "");
        if (p[1].revents && !hear_errors(s))
            p[1].fd = -1;
        if (p[3].revents & POLLIN)
            guard_answer(&s->guard);
        else if (p[3].revents)
            p[3].fd = -1;
        // skopeo itself tries on and on, without a word.
        if (s->limited >= s->tries)
            return fail(s, FETCH_CODE_LIMITED, s->limited, "");
        if (p[0].revents)
            return 0;
    }
}

// --- the process -------------------------------------------------------------

static int high(int fd)
{
    return fd < 0 ? fd : fcntl(fd, F_DUPFD, 16);
}

// In the child: becomes skopeo.
static void become(const struct skopeo *s, const char *const *argv, int out,
                   int err, int socket, int guard)
{
    int null = high(open("/dev/null", O_RDWR));
    out = high(out);
    err = high(err);
    socket = high(socket);
    guard = high(guard);
    if (dup2(null, 0) < 0 || dup2(out < 0 ? null : out, 1) < 0 ||
        dup2(err, 2) < 0)
        _exit(126);
    if (!s->auth)
        close(SKOPEO_AUTH);
    if (socket >= 0 && dup2(socket, SOCKET) < 0)
        _exit(126);
    // The last of what it does as berth-fetch.
    if (guard_set(guard) < 0)
        _exit(126);
    syscall(SYS_close_range, socket >= 0 ? SOCKET + 1 : SOCKET, ~0U, 0);
    execvp(argv[0], (char *const *)argv);
    _exit(127);
}

void skopeo_close(struct skopeo *s)
{
    if (s->pid <= 0)
        return;
    kill(s->pid, SIGKILL);
    waitpid(s->pid, NULL, 0);
    s->pid = 0;
    close(s->errors);
    guard_close(&s->guard);
    if (s->link > 0)
        close(s->link);
    s->link = 0;
}

// Starts skopeo with ARGV. Its standard output goes to OUT; SOCKET, unless it
// is -1, is its descriptor of that name.
static int start(struct skopeo *s, const char *const *argv, int out, int socket)
{
    int err[2], guard[2];

    s->limited = 0;
    s->used = 0;
    s->why = (struct fetch_failed){.code = FETCH_CODE_SAID};
    if (pipe2(err, O_CLOEXEC) < 0 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, guard) < 0)
        return fail_own(s, "out of descriptors");
    fcntl(err[0], F_SETFL, O_NONBLOCK);
    s->pid = fork();
    if (s->pid == 0)
        become(s, argv, out, err[1], socket, guard[1]);
    close(err[1]);
    close(guard[1]);
    s->errors = err[0];
    int rc = s->pid < 0 ? fail_own(s, "no process could be had")
             : guard_take(&s->guard, guard[0]) < 0
                 ? fail_own(s, "skopeo cannot be kept from addresses that are "
                               "no registry's (seccomp)")
                 : 0;
    close(guard[0]);
    if (s->pid < 0) {
        s->pid = 0;
        close(s->errors);
    } else if (rc < 0) {
        skopeo_close(s);
    }
    return rc;
}

// Waits for its end, and takes in what it said last. Returns its exit status.
static int finish(struct skopeo *s)
{
    int status = 0;

    // Nothing is left for it to connect to.
    guard_close(&s->guard);
    while (waitpid(s->pid, &status, 0) < 0 && errno == EINTR)
        ;
    s->pid = 0;
    for (int i = 0; i < 64 && s->errors >= 0 && hear_errors(s); i++)
        if (poll(&(struct pollfd){.fd = s->errors, .events = POLLIN}, 1, 0) < 1)
            break;
    close(s->errors);
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    snprintf(s->why.text, sizeof(s->why.text), "skopeo ended by signal %d",
             WTERMSIG(status));
    return 128;
}

// What skopeo said of a connection that it was denied is less than we know.
static void tell_refused(struct skopeo *s)
{
    if (s->guard.refused[0] && s->why.code == FETCH_CODE_SAID)
        fail(s, FETCH_CODE_ADDRESS, 0, s->guard.refused);
}

bool skopeo_again(struct skopeo *s, unsigned tries)
{
    tell_refused(s);
    if (tries >= s->tries || s->why.code != FETCH_CODE_SAID ||
        !pull_is_passing(pull_cause(s->why.text)))
        return false;
    // Whoever waits for the link hears of its end.
    struct pollfd p = {.fd = s->linked ? 0 : -1, .events = POLLRDHUP};
    if (poll(&p, 1, 1000 << (tries - 1)) > 0)
        exit(1);
    return true;
}

// --- inspect -----------------------------------------------------------------

// Reads what comes on FD, up to MAX bytes, to the end.
static int read_all(struct skopeo *s, int fd, size_t max, char **text,
                    size_t *len)
{
    char *buf = malloc(max + 1);
    size_t used = 0;
    ssize_t n;

    if (!buf)
        return fail_own(s, "out of memory");
    do {
        if (wait_for(s, fd) < 0)
            goto fail;
        n = read(fd, buf + used, max + 1 - used);
        used += n > 0 ? (size_t)n : 0;
    } while ((n > 0 && used <= max) || (n < 0 && errno == EINTR));
    if (used > max) {
        fail_own(s, "the registry says more of it than any image needs");
        goto fail;
    }
    *text = buf;
    *len = used;
    return 0;
fail:
    free(buf);
    return -1;
}

// One try of skopeo_raw's.
static int raw_once(struct skopeo *s, const char *name, char **text,
                    size_t *len)
{
    const char *argv[8];
    char ref[1200], auth[64];
    int out[2], n = 0;

    snprintf(ref, sizeof(ref), "docker://%s", name);
    snprintf(auth, sizeof(auth), "--authfile=/proc/self/fd/%d", SKOPEO_AUTH);
    argv[n++] = "skopeo";
    argv[n++] = "--debug";
    argv[n++] = "inspect";
    argv[n++] = "--raw";
    if (s->auth)
        argv[n++] = auth;
    argv[n++] = ref;
    argv[n] = NULL;
    if (pipe2(out, O_CLOEXEC) < 0)
        return fail_own(s, "out of descriptors");
    int rc = start(s, argv, out[1], -1);
    close(out[1]);
    if (rc == 0)
        rc = read_all(s, out[0], MANIFEST_MAX, text, len);
    close(out[0]);
    if (rc < 0) {
        skopeo_close(s);
        return -1;
    }
    int status = finish(s);
    if (status == 0 && *len > 0)
        return 0;
    free(*text);
    if (status == 127)
        return fail(s, FETCH_CODE_NO_SKOPEO, 0, "");
    if (!s->why.text[0])
        return fail_own(s, "skopeo failed without a word");
    s->why.code = FETCH_CODE_SAID;
    return -1;
}

int skopeo_raw(struct skopeo *s, const char *name, char **text, size_t *len)
{
    unsigned tries = 0;

    do {
        if (raw_once(s, name, text, len) == 0)
            return 0;
    } while (skopeo_again(s, ++tries));
    return -1;
}

// --- the proxy ---------------------------------------------------------------

// Receives a reply: a JSON object, and into FD a descriptor or -1.
static json_t *receive(struct skopeo *s, int *fd)
{
    static char text[REPLY_MAX + 1];

    *fd = -1;
    s->why.text[0] = 0;
    if (wait_for(s, s->link) < 0)
        return NULL;
    ssize_t n = passing_receive(s->link, text, REPLY_MAX, fd, 1, 0);
    json_t *reply = n > 0 ? json_loadb(text, (size_t)n, 0, NULL) : NULL;
    if (json_is_object(reply))
        return reply;
    json_decref(reply);
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
    // It may have said why, as it ended.
    if (n <= 0)
        finish(s);
    if (n > 0 || !s->why.text[0] || s->why.code != FETCH_CODE_SAID)
        fail_own(s, "skopeo's proxy ended, or is of a kind that berth doesn't "
                    "know");
    return NULL;
}

// The reply, if it is of a success. NULL: S->why is its error.
static json_t *answer(struct skopeo *s, int *fd)
{
    json_t *reply = receive(s, fd);

    if (!reply || json_is_true(json_object_get(reply, "success")))
        return reply;
    const char *error = json_string_value(json_object_get(reply, "error"));
    fail(s, FETCH_CODE_SAID, 0, error && *error ? error : "it gave no reason");
    json_decref(reply);
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
    return NULL;
}

// Sends a request; ARGS is stolen.
static int ask(struct skopeo *s, const char *method, json_t *args)
{
    json_t *request = json_pack("{s:s, s:o}", "method", method, "args", args);
    char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;
    int rc = -1;

    if (!text)
        fail_own(s, "out of memory");
    else if (send(s->link, text, strlen(text), MSG_NOSIGNAL) < 0)
        fail_own(s, "skopeo's proxy ended");
    else
        rc = 0;
    free(text);
    json_decref(request);
    return rc;
}

// Asks, and reads the whole of the reply. NULL: it failed.
static json_t *call(struct skopeo *s, const char *method, json_t *args, int *fd)
{
    return ask(s, method, args) < 0 ? NULL : answer(s, fd);
}

// --- signatures --------------------------------------------------------------

#define POLICY "/etc/containers/policy.json"

// Whether one of the requirements in ITEM, which are in objects of objects, is
// more than none.
static bool demands(json_t *item)
{
    const char *key, *type = json_string_value(json_object_get(item, "type"));
    json_t *value;
    size_t i;

    if (type && strcmp(type, "insecureAcceptAnything") != 0)
        return true;
    json_array_foreach (item, i, value)
        if (demands(value))
            return true;
    json_object_foreach (item, key, value)
        if (!json_is_string(value) && demands(value))
            return true;
    return false;
}

// A proxy whose protocol is older than 0.2.6 doesn't look at what the
// site demands of images. REPLY is its version.
static int check_policy(struct skopeo *s, const json_t *reply)
{
    const char *text = json_string_value(json_object_get(reply, "value"));
    int major = 0, minor = 0, patch = 0;

    if (text)
        sscanf(text, "%d.%d.%d", &major, &minor, &patch);
    if (major > 0 || minor > 2 || (minor == 2 && patch >= 6))
        return 0;
    json_t *policy = json_load_file(POLICY, 0, NULL);
    json_t *all = json_object_get(policy, "default");
    json_t *docker =
        json_object_get(json_object_get(policy, "transports"), "docker");
    bool bad = policy && (demands(all) || demands(docker));
    json_decref(policy);
    return bad ? fail(s, FETCH_CODE_UNSIGNED, 0, "") : 0;
}

int skopeo_start(struct skopeo *s)
{
    const char *argv[8];
    char number[32], auth[64];
    int pair[2], n = 0;

    snprintf(number, sizeof(number), "--sockfd=%d", SOCKET);
    snprintf(auth, sizeof(auth), "--authfile=/proc/self/fd/%d", SKOPEO_AUTH);
    argv[n++] = "skopeo";
    argv[n++] = "--debug";
    argv[n++] = "experimental-image-proxy";
    argv[n++] = number;
    if (s->auth)
        argv[n++] = auth;
    argv[n] = NULL;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return fail_own(s, "out of descriptors");
    int rc = start(s, argv, -1, pair[1]);
    close(pair[1]);
    s->link = pair[0];
    if (rc < 0) {
        close(pair[0]);
        s->link = 0;
    }
    return rc;
}

int skopeo_open(struct skopeo *s, const char *name)
{
    char ref[1200];
    unsigned tries = 0;
    int fd;

    json_t *reply = call(s, "Initialize", json_array(), &fd);
    int rc = reply ? check_policy(s, reply) : -1;
    json_decref(reply);
    if (rc < 0)
        return -1;
    snprintf(ref, sizeof(ref), "docker://%s", name);
    do {
        reply = call(s, "OpenImage", json_pack("[s]", ref), &fd);
        s->image = json_integer_value(json_object_get(reply, "value"));
        json_decref(reply);
        if (reply)
            return 0;
    } while (skopeo_again(s, ++tries));
    return -1;
}

// Has the proxy finish the pipe of REPLY, which is freed: it does so as soon as
// all is in there, or can't be. Its word on that comes later.
static int finish_pipe(struct skopeo *s, json_t *reply)
{
    json_int_t pipe = json_integer_value(json_object_get(reply, "pipeid"));

    json_decref(reply);
    return ask(s, "FinishPipe", json_pack("[I]", pipe));
}

int skopeo_manifest(struct skopeo *s, char **text, size_t *len)
{
    int fd;
    json_t *reply =
        call(s, "GetManifest", json_pack("[I]", (json_int_t)s->image), &fd);

    if (!reply || finish_pipe(s, reply) < 0)
        return -1;
    if (read_all(s, fd, MANIFEST_MAX, text, len) < 0) {
        close(fd);
        return -1;
    }
    if (skopeo_blob_end(s, fd) == 0)
        return 0;
    free(*text);
    return -1;
}

int skopeo_blob(struct skopeo *s, const char *digest, uint64_t size)
{
    int fd;
    json_t *reply = call(
        s, "GetBlob",
        json_pack("[I, s, I]", (json_int_t)s->image, digest, (json_int_t)size),
        &fd);

    if (!reply)
        return -1;
    if (finish_pipe(s, reply) < 0 || fd < 0) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    fcntl(fd, F_SETPIPE_SZ, 1024 * 1024);
    return fd;
}

ssize_t skopeo_read(struct skopeo *s, int fd, char *buf, size_t size)
{
    ssize_t n;

    if (wait_for(s, fd) < 0)
        return -1;
    do {
        n = read(fd, buf, size);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? fail_own(s, "a pipe of skopeo's cannot be read") : n;
}

int skopeo_blob_end(struct skopeo *s, int fd)
{
    int none;
    json_t *reply;

    close(fd);
    reply = answer(s, &none);
    json_decref(reply);
    return reply ? 0 : -1;
}
