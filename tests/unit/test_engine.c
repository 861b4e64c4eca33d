// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The engine's verbs against an engine that misbehaves, and the parsers of
// its answers. What a real engine does is tested on real ones.

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/engine.h"
#include "engine/http.h"
#include "engine/parse.h"
#include "logic/limits.h"
#include "tests/unit/fake_engine.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

#define PING                                                                   \
    {                                                                          \
        .status = 200, .type = "text/plain", .body = "OK",                     \
        .headers = "Api-Version: 1.41\r\n"                                     \
                   "Server: Docker/20.10.24 (linux)\r\n"                       \
    }
#define GONE                                                                   \
    {                                                                          \
        .status = 404, .body = "{\"message\":\"No such container: x1\"}"       \
    }

static long elapsed_ms(const struct timespec *since)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (now.tv_sec - since->tv_sec) * 1000 +
           (now.tv_nsec - since->tv_nsec) / 1000000;
}

static struct engine *open_fake(struct fake_engine *fake)
{
    struct berth_err err = {0};
    struct engine *engine = engine_open(fake_path(fake), NULL, &err);

    if (!engine)
        fail_msg("engine_open: %s", err.text);
    return engine;
}

// Refusals: how engine_open fails.

static const struct {
    struct fake_answer answer;
    enum berth_errc code;
    const char *text; // part of the sentence
} refusals[] = {
    {{.status = 500, .body = "{\"message\":\"disk full\\nat last\\n\"}"},
     BERTH_EENGINE,
     "cannot be used: disk full at last (status 500)"},
    {{.status = 500, .body = "{\"message\":\"\\u001b[31mred\\u0085\"}"},
     BERTH_EENGINE,
     "?[31mred?? (status 500)"},
    {{.status = 404, .body = "{\"message\":\"page not found\"}"},
     BERTH_ENOTFOUND,
     "page not found"},
    {{.status = 404, .type = "text/html", .body = "<html>not here</html>"},
     BERTH_EENGINE,
     "not the Docker Engine API (status 404, text/html)"},
    {{.status = 502, .type = "text/html", .body = "<html>bad gateway</html>"},
     BERTH_EENGINE,
     "not the Docker Engine API (status 502, text/html)"},
    {{.status = 301, .headers = "Location: http://example.org/\r\n"},
     BERTH_EENGINE,
     "not the Docker Engine API"},
    {{.status = 500, .body = "{\"message\":1}"},
     BERTH_EENGINE,
     "not the Docker Engine API"},
    {{.status = 500, .body = "{\"message\":\"a\",\"message\":\"b\"}"},
     BERTH_EENGINE,
     "duplicate"},
    {{.status = 500, .body = "{\"message\":\"\xff\xfe\"}"},
     BERTH_EENGINE,
     "not the Docker Engine API"},
    {{.status = 200, .type = "text/plain", .body = "OK"},
     BERTH_EENGINE,
     "Api-Version is none that berth knows"},
    {{.status = 200, .headers = "Api-Version: 2.0\r\n"},
     BERTH_EENGINE,
     "Api-Version is none that berth knows"},
    {{.status = 200, .headers = "Api-Version: 1.41.3\r\n"},
     BERTH_EENGINE,
     "Api-Version is none that berth knows"},
    {{.status = 200,
      .headers = "Api-Version: 1.39\r\n"
                 "Server: Docker/18.09.1 (linux)\r\n"},
     BERTH_EENGINE,
     "speaks version 1.39 of the Docker Engine API: berth needs 1.40"},
    {{.status = 200,
      .headers = "Api-Version: 1.24\r\nLibpod-Api-Version: 1.0.0\r\n"},
     BERTH_EENGINE,
     "Podman 1.0.0 at /"},
    {{.how = FAKE_RAW, .body = "SSH-2.0-OpenSSH_9.2\r\n"},
     BERTH_EENGINE,
     "not the Docker Engine API"},
    {{.how = FAKE_RAW, .body = "\0\1\2\3", .length = 4},
     BERTH_EENGINE,
     "not the Docker Engine API"},
    {{.how = FAKE_RAW, .body = "HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n"},
     BERTH_EENGINE,
     "not the Docker Engine API"},
    {{.how = FAKE_RAW,
      .body = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"},
     BERTH_EENGINE,
     ""},
    {{.how = FAKE_RAW, .body = "HTTP/1.1 200 OK\r\nApi-Ver"},
     BERTH_EENGINE,
     ""},
    {{.how = FAKE_CUT, .status = 200, .body = "OK"},
     BERTH_EENGINE,
     "broke off in the middle of its answer"},
    {{.how = FAKE_CLOSE},
     BERTH_EENGINE,
     "closed the connection without an answer"},
    {{.how = FAKE_RESET},
     BERTH_EENGINE,
     "closed the connection without an answer"},
    {{.how = FAKE_ENDLESS_HEADERS}, BERTH_ETOOBIG, "more than"},
    {{.how = FAKE_ENDLESS_BODY,
      .status = 200,
      .body = "0123456789012345678901234567890123456789"},
     BERTH_ETOOBIG,
     "more than 4194304 bytes"},
};

static void an_engine_that_misbehaves_is_refused_with_a_sentence(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(refusals); i++) {
        struct berth_err err = {0};
        struct fake_engine *fake = fake_start(&refusals[i].answer, 1);
        struct engine *engine = engine_open(fake_path(fake), NULL, &err);
        assert_null(engine);
        if (err.code != refusals[i].code || !strstr(err.text, refusals[i].text))
            fail_msg("case %zu: code %d, \"%s\"", i, (int)err.code, err.text);
        fake_stop(fake);
    }
}

static void an_answer_beyond_the_cap_is_refused(void **state)
{
    struct berth_err err = {0};
    struct engine_image image;
    struct engine_container c;
    size_t n = BERTH_RESPONSE_MAX + 1;
    char *body = malloc(n);

    (void)state;
    assert_non_null(body);
    memset(body, ' ', n);
    const struct fake_answer answers[] = {
        PING,
        {.status = 200, .body = body, .length = n},
        PING,
        {.status = 200, .body = body, .length = BERTH_IMAGE_RESPONSE_MAX + 1},
        PING,
        {.status = 200, .body = body, .length = BERTH_IMAGE_RESPONSE_MAX},
    };
    struct fake_engine *fake = fake_start(answers, COUNT(answers));
    struct engine *engine = open_fake(fake);
    assert_int_equal(engine_container_inspect(engine, HEX64, &c, &err), -1);
    assert_int_equal(err.code, BERTH_ETOOBIG);
    assert_non_null(strstr(err.text, "more than 4194304 bytes"));
    engine_close(engine);
    // An image's is lower, and has a sentence of its own.
    engine = open_fake(fake);
    assert_int_equal(
        engine_image_inspect(engine, "docker.io/a/b:c", &image, &err), -1);
    assert_int_equal(err.code, BERTH_ETOOBIG);
    assert_non_null(strstr(err.text, "the image docker.io/a/b:c than the "
                                     "1024 KiB"));
    engine_close(engine);
    engine = open_fake(fake);
    assert_int_equal(
        engine_image_inspect(engine, "docker.io/a/b:c", &image, &err), -1);
    assert_non_null(strstr(err.text, "not the Docker Engine API"));
    engine_close(engine);
    fake_stop(fake);
    free(body);
}

static void a_socket_that_nobody_serves_is_an_engine_that_is_down(void **state)
{
    struct berth_err err = {0};
    struct fake_engine *fake = fake_start(NULL, 0);
    char path[128];
    struct sockaddr_un sun = {.sun_family = AF_UNIX};

    (void)state;
    snprintf(path, sizeof(path), "%s.none", fake_path(fake));
    assert_null(engine_open(path, NULL, &err));
    assert_int_equal(err.code, BERTH_EENGINE);
    assert_non_null(strstr(err.text, "does not answer (no such file"));

    // A socket file that a dead engine left behind.
    strcpy(sun.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
    close(fd);
    assert_null(engine_open(path, NULL, &err));
    assert_int_equal(err.code, BERTH_EENGINE);
    assert_non_null(strstr(err.text, "does not answer (connection refused): "
                                     "ask your administrator to start it"));
    unlink(path);
    fake_stop(fake);
}

static void a_path_that_can_be_no_socket_is_malformed(void **state)
{
    struct berth_err err = {0};
    char path[256];

    (void)state;
    memset(path, 'a', sizeof(path));
    path[0] = '/';
    path[108] = 0;
    assert_null(engine_open(path, NULL, &err));
    assert_int_equal(err.code, BERTH_EINVAL);
    assert_null(engine_open("docker.sock", NULL, &err));
    assert_int_equal(err.code, BERTH_EINVAL);
    assert_null(engine_open("", NULL, &err));
    assert_null(engine_open(NULL, NULL, &err));
    assert_int_equal(err.code, BERTH_EINVAL);
    assert_null(engine_open("/nowhere", NULL, NULL));
}

static void call_late(const char *path, long limit_ms)
{
    struct berth_err err = {0};
    struct http_reply reply;
    struct timespec start;
    const struct http_request request = {
        .method = HTTP_GET, .target = "/_ping", .limit_ms = limit_ms};
    struct http *http = http_create(path, NULL, &err);

    assert_non_null(http);
    clock_gettime(CLOCK_MONOTONIC, &start);
    assert_int_equal(http_call(http, &request, &reply, &err), -1);
    if (err.code != BERTH_ETIMEOUT)
        fail_msg("code %d, \"%s\"", (int)err.code, err.text);
    assert_non_null(strstr(err.text, "did not answer in time"));
    assert_true(elapsed_ms(&start) >= limit_ms - 10);
    http_destroy(http);
}

static void an_engine_that_hangs_is_given_up(void **state)
{
    const struct fake_answer hang = {.how = FAKE_HANG};
    struct fake_engine *fake = fake_start(&hang, 1);

    (void)state;
    call_late(fake_path(fake), 150);
    fake_stop(fake);
}

static void an_engine_that_trickles_is_given_up(void **state)
{
    const struct fake_answer trickle = {
        .how = FAKE_TRICKLE,
        .status = 200,
        .body = "many bytes, each of them sent later than the one before it",
    };
    struct fake_engine *fake = fake_start(&trickle, 1);

    (void)state;
    call_late(fake_path(fake), 300);
    fake_stop(fake);
}

static void an_engine_that_accepts_nobody_is_given_up(void **state)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    char dir[] = "/tmp/fake-engine-XXXXXX";
    int client[4];

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/s", dir);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
    assert_int_equal(listen(fd, 0), 0);
    // First with a place in the queue, then without.
    call_late(sun.sun_path, 150);
    for (size_t i = 0; i < COUNT(client); i++) {
        client[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)!connect(client[i], (struct sockaddr *)&sun, sizeof(sun));
    }
    call_late(sun.sun_path, 150);
    for (size_t i = 0; i < COUNT(client); i++)
        close(client[i]);
    close(fd);
    unlink(sun.sun_path);
    rmdir(dir);
}

// A watch that says no from the COUNT-th time on that it is asked.
struct patience {
    int count, asked;
};

static bool has_patience(void *arg)
{
    struct patience *p = arg;

    return ++p->asked < p->count;
}

static void a_call_is_given_up_when_its_watch_says_so(void **state)
{
    const struct fake_answer answers[] = {PING, {.how = FAKE_HANG}};
    struct fake_engine *fake = fake_start(answers, COUNT(answers));
    struct patience patience = {.count = 3};
    struct watch watch = {-1, has_patience, &patience};
    struct berth_err err = {0};
    struct timespec start;

    (void)state;
    struct engine *engine = engine_open(fake_path(fake), &watch, &err);
    assert_non_null(engine);
    clock_gettime(CLOCK_MONOTONIC, &start);
    assert_int_equal(engine_container_start(engine, HEX64, &err), -1);
    assert_int_equal(err.code, BERTH_EENDED);
    // It was asked as time went by.
    assert_int_equal(patience.asked, 3);
    assert_true(elapsed_ms(&start) >= 2 * WATCH_MS);
    engine_close(engine);
    fake_stop(fake);
}

// How long it takes until a call is given up for what can be read.
static long ms_until_heard(void)
{
    const struct fake_answer answers[] = {PING, {.how = FAKE_HANG}};
    struct fake_engine *fake = fake_start(answers, COUNT(answers));
    struct patience patience = {.count = 1};
    struct berth_err err = {0};
    struct timespec start;
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    struct watch watch = {ends[0], has_patience, &patience};
    struct engine *engine = engine_open(fake_path(fake), &watch, &err);
    assert_non_null(engine);
    close(ends[1]);
    clock_gettime(CLOCK_MONOTONIC, &start);
    assert_int_equal(engine_container_start(engine, HEX64, &err), -1);
    assert_int_equal(err.code, BERTH_EENDED);
    assert_int_equal(watch_wait(&watch, ends[0], 60000), -1);
    long ms = elapsed_ms(&start);
    close(ends[0]);
    engine_close(engine);
    fake_stop(fake);
    return ms;
}

// Where it is not, no try is shorter than WATCH_MS.
static void
what_can_be_read_at_a_watch_s_descriptor_is_heard_at_once(void **state)
{
    long quickest = LONG_MAX;

    (void)state;
    for (int i = 0; i < 50 && quickest >= WATCH_MS; i++) {
        long ms = ms_until_heard();

        quickest = ms < quickest ? ms : quickest;
    }
    assert_true(quickest < WATCH_MS);
}

static void what_makes_a_container_is_not_given_up(void **state)
{
    const struct fake_answer answers[] = {
        PING,
        {.how = FAKE_TRICKLE, .status = 201, .body = "{\"Id\":\"" HEX64 "\"}"},
    };
    struct fake_engine *fake = fake_start(answers, COUNT(answers));
    struct patience patience = {.count = 1};
    struct berth_err err = {0};
    json_t *request = json_object();
    char id[65];
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    struct watch watch = {ends[0], has_patience, &patience};
    struct engine *engine = engine_open(fake_path(fake), &watch, &err);
    assert_non_null(engine);
    close(ends[1]);
    assert_int_equal(engine_container_create(engine, "ab", request, id, &err),
                     0);
    assert_string_equal(id, HEX64);
    assert_true(patience.asked > 0);
    json_decref(request);
    engine_close(engine);
    close(ends[0]);
    fake_stop(fake);
}

static struct http_call_seen calls[8];
static char targets[8][128];
static size_t ncalls;

static void note_call(const struct http_call_seen *call)
{
    assert_true(ncalls < COUNT(calls));
    snprintf(targets[ncalls], sizeof(*targets), "%s", call->target);
    calls[ncalls++] = *call;
}

static void who_asks_hears_of_each_call_and_its_time(void **state)
{
    const struct fake_answer answers[] = {
        PING,
        {.status = 204},
        {.status = 404, .body = "{\"message\":\"gone\"}"},
        {.how = FAKE_HANG},
    };
    struct fake_engine *fake = fake_start(answers, COUNT(answers));
    struct patience patience = {.count = 3};
    struct watch watch = {-1, has_patience, &patience};
    struct berth_err err = {0};

    (void)state;
    http_on_call(note_call);
    struct engine *engine = engine_open(fake_path(fake), &watch, &err);
    assert_non_null(engine);
    assert_int_equal(engine_container_start(engine, HEX64, &err), 0);
    assert_int_equal(engine_container_remove(engine, "ab", &err), 0);
    assert_int_equal(engine_container_start(engine, "ab", &err), -1);
    http_on_call(NULL);
    assert_int_equal(ncalls, 4);
    assert_string_equal(calls[0].method, "GET");
    assert_string_equal(targets[0], "/_ping");
    assert_int_equal(calls[0].status, 200);
    assert_string_equal(calls[1].method, "POST");
    assert_string_equal(targets[1], "/v1.41/containers/" HEX64 "/start");
    assert_int_equal(calls[1].status, 204);
    assert_string_equal(calls[2].method, "DELETE");
    assert_int_equal(calls[2].status, 404);
    // Nobody answered.
    assert_int_equal(calls[3].status, 0);
    assert_in_range(calls[3].ms, 2 * WATCH_MS, 20 * WATCH_MS);
    engine_close(engine);
    fake_stop(fake);
}

// What goes over the wire.

static void the_version_is_the_newest_that_both_know(void **state)
{
    static const struct {
        const char *headers, *name;
        bool podman;
        const char *version; // what it says to GET /version, where it is asked
    } cases[] = {
        {"Api-Version: 1.40\r\nServer: Docker/19.03.1 (linux)\r\n",
         "Docker 19.03.1 (API 1.40)", false, NULL},
        {"api-version:1.41\r\nserver:Docker/20.10.24+dfsg1 (linux)\r\n",
         "Docker 20.10.24+dfsg1 (API 1.41)", false, NULL},
        {"Api-Version: 1.52\r\nServer: Docker/29.0.0 (linux)\r\n",
         "Docker 29.0.0 (API 1.47)", false, "{\"MinAPIVersion\":\"1.44\"}"},
        {"Api-Version: 1.52\r\nServer: Docker/29.0.0 (linux)\r\n",
         "Docker 29.0.0 (API 1.47)", false, "{\"ApiVersion\":\"1.52\"}"},
        {"Api-Version: 1.60\r\nServer: Docker/34.0.0 (linux)\r\n",
         "Docker 34.0.0 (API 1.50)", false, "{\"MinAPIVersion\":\"1.50\"}"},
        {"Api-Version: 1.41\r\nLibpod-Api-Version: 4.3.1\r\n"
         "Server: Libpod/4.3.1 (linux)\r\n",
         "Podman 4.3.1 (API 1.41)", true, NULL},
        {"Api-Version: 1.41\r\nServer: Docker/\x1b[2J (linux)\r\n",
         "Docker ?[2J (API 1.41)", false, NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct fake_answer answers[] = {
            {.status = 200,
             .type = "text/plain",
             .body = "OK",
             .headers = cases[i].headers},
            {.status = 200, .body = cases[i].version},
        };
        const char *log =
            cases[i].version ? "+GET /_ping\nGET /version\n" : "+GET /_ping\n";
        struct fake_engine *fake =
            fake_start(answers, cases[i].version ? 2 : 1);
        struct engine *engine = open_fake(fake);
        assert_string_equal(engine_name(engine), cases[i].name);
        assert_int_equal(engine_is_podman(engine), cases[i].podman);
        assert_string_equal(fake_log(fake), log);
        engine_close(engine);
        fake_stop(fake);
    }
}

static void a_floor_that_is_none_is_an_error(void **state)
{
    static const char *const refused[] = {
        "",
        "[]",
        "{\"MinAPIVersion\":1.44}",
        "{\"MinAPIVersion\":\"2.0\"}",
        "{\"MinAPIVersion\":\"1.44\",\"MinAPIVersion\":\"1.48\"}",
    };
    static const char given[] = "{\"MinAPIVersion\":\"1.44\"}";
    int minor = -7;

    (void)state;
    for (size_t i = 0; i < COUNT(refused); i++) {
        assert_int_equal(
            parse_floor(refused[i], strlen(refused[i]), &minor, NULL), -1);
        assert_int_equal(minor, -7);
    }
    assert_int_equal(parse_floor("{}", 2, &minor, NULL), 0);
    assert_int_equal(minor, 0);
    assert_int_equal(parse_floor(given, sizeof(given) - 1, &minor, NULL), 0);
    assert_int_equal(minor, 44);
}

static void all_calls_share_one_connection(void **state)
{
    const struct fake_answer answers[] = {
        PING,
        {.status = 200, .body = "{\"Id\":\"sha256:" HEX64 "\"}"},
        {.status = 201, .body = "{\"Id\":\"" HEX64 "\",\"Warnings\":[]}"},
        {.status = 204},
        {.status = 204},
        // Behind this, libcurl (8.14) may close the connection.
        {.status = 304},
    };
    struct berth_err err = {0};
    struct engine_image image;
    char id[65];
    struct fake_engine *fake = fake_start(answers, COUNT(answers));
    struct engine *engine = open_fake(fake);
    json_t *request = json_pack("{s:s}", "Image", "sha256:" HEX64);

    (void)state;
    assert_int_equal(engine_image_inspect(engine, "[::1]:5000/a+b/c:t@sha256:0",
                                          &image, &err),
                     0);
    assert_string_equal(image.id, "sha256:" HEX64);
    assert_string_equal(image.digest, "");
    assert_int_equal(image.nenv + image.nvolumes, 0);
    engine_image_clear(&image);
    assert_int_equal(
        engine_container_create(engine, "berth-1", request, id, &err), 0);
    assert_string_equal(id, HEX64);
    assert_int_equal(engine_container_start(engine, id, &err), 0);
    assert_int_equal(engine_container_remove(engine, "berth-1", &err), 0);
    assert_int_equal(engine_container_start(engine, id, &err), 0);
    assert_string_equal(
        fake_log(fake),
        "+GET /_ping\n"
        "GET /v1.41/images/%5B::1%5D:5000/a%2Bb/c:t@sha256:0/json\n"
        "POST /v1.41/containers/create?name=berth-1\n"
        "POST /v1.41/containers/" HEX64 "/start\n"
        "DELETE /v1.41/containers/berth-1?force=true&v=true\n"
        "POST /v1.41/containers/" HEX64 "/start\n");
    json_decref(request);
    engine_close(engine);
    fake_stop(fake);
}

static void an_engine_that_restarts_is_connected_to_again(void **state)
{
    const struct fake_answer answers[] = {
        {.how = FAKE_LAST,
         .status = 200,
         .body = "OK",
         .headers = "Api-Version: 1.41\r\nServer: Docker/20.10.24\r\n"},
        {.status = 204},
    };
    struct berth_err err = {0};
    struct fake_engine *fake = fake_start(answers, COUNT(answers));
    struct engine *engine = open_fake(fake);

    (void)state;
    assert_int_equal(engine_container_start(engine, "x1", &err), 0);
    assert_string_equal(fake_log(fake), "+GET /_ping\n"
                                        "+POST /v1.41/containers/x1/start\n");
    engine_close(engine);
    fake_stop(fake);
}

static void the_environment_sends_nothing_elsewhere(void **state)
{
    const struct fake_answer ping = PING;
    struct fake_engine *fake = fake_start(&ping, 1);

    (void)state;
    setenv("http_proxy", "http://127.0.0.1:9/", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:9/", 1);
    struct engine *engine = open_fake(fake);
    unsetenv("http_proxy");
    unsetenv("ALL_PROXY");
    engine_close(engine);
    fake_stop(fake);
}

// Descriptors that are open, and whether one that FROM lacks is inherited.
static size_t count_fds(bool *all_cloexec)
{
    size_t n = 0;
    DIR *dir = opendir("/proc/self/fd");

    assert_non_null(dir);
    *all_cloexec = true;
    for (struct dirent *d; (d = readdir(dir));) {
        int fd = atoi(d->d_name);
        if (d->d_name[0] == '.' || fd == dirfd(dir))
            continue;
        n++;
        if (fd > 2 && !(fcntl(fd, F_GETFD) & FD_CLOEXEC))
            *all_cloexec = false;
    }
    closedir(dir);
    return n;
}

static void descriptors_are_close_on_exec_and_closed(void **state)
{
    const struct fake_answer ping = PING;
    bool before, during, after;
    struct fake_engine *fake = fake_start(&ping, 1);
    size_t n = count_fds(&before);
    struct engine *engine = open_fake(fake);

    (void)state;
    assert_true(count_fds(&during) > n);
    if (before) // the harness may leave us others
        assert_true(during);
    engine_close(engine);
    assert_int_equal(count_fds(&after), n);
    fake_stop(fake);
}

// Containers.

static void names_that_could_leave_their_path_are_malformed(void **state)
{
    static const char *const containers[] = {
        "",    "a",    ".a",  "-a",  "_a",        "a/b",
        "a?b", "a%2f", "a b", "a\n", "\xc3\xa4o",
    };
    static const char *const images[] = {
        "", "/a", "a/", "a//b", "../a", "a/../b", "a/.", "..",
    };
    const struct fake_answer ping = PING;
    struct fake_engine *fake = fake_start(&ping, 1);
    struct engine *engine = open_fake(fake);
    struct berth_err err = {0};
    struct engine_container c;
    struct engine_image image;
    char id[65] = "untouched", longer[BERTH_NAME_MAX + 2];
    json_t *request = json_object();

    (void)state;
    for (size_t i = 0; i < COUNT(containers); i++) {
        const char *s = containers[i];
        err.code = BERTH_OK;
        assert_int_equal(engine_container_inspect(engine, s, &c, &err), -1);
        assert_int_equal(err.code, BERTH_EINVAL);
        assert_int_equal(engine_container_start(engine, s, &err), -1);
        assert_int_equal(engine_container_remove(engine, s, &err), -1);
        assert_int_equal(engine_container_create(engine, s, request, id, &err),
                         -1);
        assert_int_equal(err.code, BERTH_EINVAL);
    }
    memset(longer, 'a', sizeof(longer));
    longer[sizeof(longer) - 1] = 0;
    assert_int_equal(engine_container_remove(engine, longer, &err), -1);
    assert_int_equal(err.code, BERTH_EINVAL);
    for (size_t i = 0; i < COUNT(images); i++) {
        err.code = BERTH_OK;
        assert_int_equal(engine_image_inspect(engine, images[i], &image, &err),
                         -1);
        assert_int_equal(err.code, BERTH_EINVAL);
    }
    assert_string_equal(id, "untouched");
    assert_string_equal(fake_log(fake), "+GET /_ping\n");
    json_decref(request);
    engine_close(engine);
    fake_stop(fake);
}

static void what_is_not_there_is_told_from_what_failed(void **state)
{
    const struct fake_answer answers[] = {
        PING,
        {.status = 404, .body = "{\"message\":\"no such image\"}"},
        {.status = 500, .body = "{\"message\":\"oops\"}"},
        GONE,
        {.status = 404, .type = "text/html", .body = "<p>not here</p>"},
        {.status = 200, .type = "text/plain", .body = "{}"},
        {.status = 204},
        {.status = 409, .body = "{\"message\":\"name in use\"}"},
        {.status = 200, .body = "{\"Id\":\"" HEX64 "\"}"},
    };
    struct berth_err err = {0};
    struct engine_image image;
    struct engine_container c;
    char id[65];
    struct fake_engine *fake = fake_start(answers, COUNT(answers));
    struct engine *engine = open_fake(fake);
    json_t *request = json_object();

    (void)state;
    assert_int_equal(engine_image_inspect(engine, "a/b:c", &image, &err), -1);
    assert_int_equal(err.code, BERTH_ENOTFOUND);
    assert_int_equal(engine_image_inspect(engine, "a/b:c", &image, &err), -1);
    assert_int_equal(err.code, BERTH_EENGINE);
    assert_string_equal(err.text,
                        "Docker 20.10.24 (API 1.41) cannot look up the "
                        "image: oops (status 500)");
    assert_int_equal(engine_container_inspect(engine, "x1", &c, &err), -1);
    assert_int_equal(err.code, BERTH_ENOTFOUND);
    for (int i = 0; i < 3; i++) { // HTML, JSON as text, nothing
        err.code = BERTH_OK;
        assert_int_equal(engine_container_inspect(engine, "x1", &c, &err), -1);
        assert_int_equal(err.code, BERTH_EENGINE);
    }
    assert_int_equal(engine_container_create(engine, "x1", request, id, &err),
                     -1);
    assert_int_equal(err.code, BERTH_EREFUSED);
    assert_non_null(strstr(err.text, "name in use"));
    // 200 is no answer to a create.
    assert_int_equal(engine_container_create(engine, "x1", request, id, &err),
                     -1);
    assert_int_equal(err.code, BERTH_EENGINE);
    json_decref(request);
    engine_close(engine);
    fake_stop(fake);
}

// Podman shows annotations in its own interface only.
static void podman_is_asked_for_an_images_annotations(void **state)
{
    const struct fake_answer answers[] = {
        {.status = 200,
         .type = "text/plain",
         .body = "OK",
         .headers = "Api-Version: 1.41\r\nLibpod-Api-Version: 4.3.1\r\n"
                    "Server: Libpod/4.3.1 (linux)\r\n"},
        {.status = 200,
         .body = "{\"Id\":\"" HEX64 "\",\"Annotations\":"
                 "{\"run.oci.handler\":\"wasm\",\"b\":\"\"}}"},
    };
    struct berth_err err = {0};
    struct engine_image image;
    struct fake_engine *fake = fake_start(answers, COUNT(answers));
    struct engine *engine = open_fake(fake);

    (void)state;
    assert_int_equal(engine_image_inspect(engine, "a/b:c", &image, &err), 0);
    assert_string_equal(fake_log(fake),
                        "+GET /_ping\n"
                        "GET /v4.0.0/libpod/images/a/b:c/json\n");
    assert_int_equal(image.nannotations, 2);
    assert_string_equal(image.annotations[0], "run.oci.handler");
    engine_image_clear(&image);
    engine_close(engine);
    fake_stop(fake);
}

static void a_request_beyond_the_cap_is_not_sent(void **state)
{
    const struct fake_answer ping = PING;
    struct berth_err err = {0};
    char id[65];
    struct fake_engine *fake = fake_start(&ping, 1);
    struct engine *engine = open_fake(fake);
    char *big = malloc(BERTH_REQUEST_MAX);

    (void)state;
    assert_non_null(big);
    memset(big, 'x', BERTH_REQUEST_MAX - 1);
    big[BERTH_REQUEST_MAX - 1] = 0;
    json_t *request = json_pack("{s:s}", "Image", big);
    assert_int_equal(engine_container_create(engine, "x1", request, id, &err),
                     -1);
    assert_int_equal(err.code, BERTH_EINVAL);
    assert_string_equal(fake_log(fake), "+GET /_ping\n");
    json_decref(request);
    free(big);
    engine_close(engine);
    fake_stop(fake);
}

static void a_removal_waits_until_the_container_is_gone(void **state)
{
    const struct fake_answer busy = {
        .status = 409,
        .body = "{\"message\":\"removal of container x1 is already in "
                "progress\"}",
    };
    const struct fake_answer answers[] = {
        PING,
        GONE, // was not there
        busy,
        {.status = 500, .body = "{\"message\":\"driver busy\"}"},
        busy,
        GONE, // the engine was at it
        {.status = 200, .body = "[]"},
    };
    struct berth_err err = {0};
    struct fake_engine *fake = fake_start(answers, COUNT(answers));
    struct engine *engine = open_fake(fake);

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(engine_container_remove(engine, "x1", &err), 0);
    assert_int_equal(err.code, BERTH_OK); // a success leaves ERR alone
    engine_close(engine);
    fake_stop(fake);
}

static void a_removal_that_can_not_work_fails_at_once(void **state)
{
    const struct fake_answer answers[] = {
        PING,
        {.status = 403, .body = "{\"message\":\"the plugin says no\"}"},
        {.status = 404, .type = "text/html", .body = "<p>nginx</p>"},
        {.status = 301, .headers = "Location: /elsewhere\r\n"},
    };
    struct berth_err err = {0};
    struct fake_engine *fake = fake_start(answers, COUNT(answers));
    struct engine *engine = open_fake(fake);

    (void)state;
    assert_int_equal(engine_container_remove(engine, "x1", &err), -1);
    assert_non_null(strstr(err.text, "the plugin says no"));
    assert_int_equal(engine_container_remove(engine, "x1", &err), -1);
    assert_int_equal(err.code, BERTH_EENGINE);
    assert_int_equal(engine_container_remove(engine, "x1", &err), -1);
    assert_int_equal(err.code, BERTH_EENGINE);
    engine_close(engine);
    fake_stop(fake);
}

// The parsers.

static void image_answers_that_are_refused(void **state)
{
    static const char *const cases[] = {
        "",
        "[]",
        "null",
        "{}",
        "{\"Id\":1}",
        "{\"Id\":\"sha256:abc\"}",
        "{\"Id\":\"sha512:" HEX64 "\"}",
        "{\"Id\":\"sha256:" HEX64 "0\"}",
        "{\"Id\":\"" HEX64 "\",\"Id\":\"" HEX64 "\"}",
        "{\"Id\":\"" HEX64 "\"} trailing",
        "{\"Id\":\"" HEX64 "\"",
        "{\"Id\":\"" HEX64 "\",\"RepoDigests\":\"a\"}",
        "{\"Id\":\"" HEX64 "\",\"RepoDigests\":[1]}",
        "{\"Id\":\"" HEX64 "\",\"Config\":[]}",
        "{\"Id\":\"" HEX64 "\",\"Config\":{\"Env\":{}}}",
        "{\"Id\":\"" HEX64 "\",\"Config\":{\"Env\":[\"A=b\",null]}}",
        "{\"Id\":\"" HEX64 "\",\"Config\":{\"Env\":[\"A=\\u0000b\"]}}",
        "{\"Id\":\"" HEX64 "\",\"Config\":{\"Env\":[\"A=\xc0\x80\"]}}",
        "{\"Id\":\"" HEX64 "\",\"Config\":{\"Env\":[\"A=\\ud800\"]}}",
        "{\"Id\":\"" HEX64 "\",\"Config\":{\"Volumes\":[\"/v\"]}}",
        "{\"Id\":\"" HEX64 "\",\"Config\":{\"Volumes\":{\"/v\":1,\"/v\":2}}}",
        "{\"Id\":\"" HEX64 "\",\"Annotations\":[\"run.oci.handler\"]}",
        "{\"Id\":\"" HEX64 "\",\"Annotations\":{\"a\":\"1\",\"a\":\"2\"}}",
        "{\"Id\":\"" HEX64 "\",\"Annotations\":{\"a\\u0000b\":\"1\"}}",
        "{\"Id\":\"" HEX64 "\",\"Config\":{\"WorkingDir\":[]}}",
        "{\"Id\":\"" HEX64 "\",\"Config\":{\"Entrypoint\":\"/bin/sh\"}}",
        "{\"Id\":\"" HEX64 "\",\"Config\":{\"Entrypoint\":{}}}",
        "{\"Id\":\"" HEX64 "\",\"Config\":{\"Entrypoint\":[\"/a\",1]}}",
        "{\"Id\":\"" HEX64 "\",\"Config\":{\"Entrypoint\":[[]]}}",
        "{\"Id\":\"" HEX64 "\",\"Config\":{\"Entrypoint\":[\"\\u0000\"]}}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct engine_image image = {.id = "untouched"};
        struct berth_err err = {0};
        if (parse_image(cases[i], strlen(cases[i]), &image, &err) == 0)
            fail_msg("taken: %s", cases[i]);
        assert_int_equal(err.code, BERTH_EENGINE);
        assert_int_not_equal(err.text[0], 0);
        assert_string_equal(image.id, "untouched");
    }
}

static void lists_and_strings_that_are_too_long_are_refused(void **state)
{
    enum { ROOM = 1024 * 1024 };
    char *body = malloc(ROOM);
    struct engine_image image;
    struct berth_err err = {0};
    int n;

    (void)state;
    assert_non_null(body);
    n = snprintf(body, ROOM, "{\"Id\":\"" HEX64 "\",\"Config\":{\"Env\":[");
    for (int i = 0; i <= BERTH_LIST_MAX; i++)
        n += snprintf(body + n, ROOM - (size_t)n, "%s\"A=b\"", i ? "," : "");
    n += snprintf(body + n, ROOM - (size_t)n, "]}}");
    assert_int_equal(parse_image(body, (size_t)n, &image, &err), -1);
    assert_string_equal(err.text, "Config.Env is too long");

    n = snprintf(body, ROOM,
                 "{\"Id\":\"" HEX64 "\",\"RepoDigests\":[\"%0600d\"]}", 0);
    assert_int_equal(parse_image(body, (size_t)n, &image, &err), -1);
    assert_string_equal(err.text, "RepoDigests is too long");

    // Nesting that would exhaust the stack.
    memset(body, '[', ROOM);
    assert_int_equal(parse_image(body, ROOM, &image, &err), -1);
    free(body);
}

static void an_image_is_read(void **state)
{
    static const char body[] =
        "{\"Id\":\"sha256:" HEX64 "\",\"RepoDigests\":[\"a@sha256:1\",\"b\"],"
        "\"Config\":{\"Env\":[\"A=b\",\"C=\"],\"Volumes\":{\"/v\":{}}},"
        "\"Size\":9223372036854775807}";
    struct engine_image image;
    struct berth_err err = {0};

    (void)state;
    assert_int_equal(parse_image(body, sizeof(body) - 1, &image, &err), 0);
    assert_string_equal(image.id, "sha256:" HEX64);
    assert_string_equal(image.digest, "a@sha256:1");
    assert_int_equal(image.nenv, 2);
    assert_string_equal(image.env[1], "C=");
    assert_int_equal(image.nvolumes, 1);
    assert_string_equal(image.volumes[0], "/v");
    engine_image_clear(&image);
    engine_image_clear(&image);
    engine_image_clear(NULL);
}

// What an image runs, word by word: words are neither joined nor split.
static void an_entry_point_is_read_word_by_word(void **state)
{
    static const char body[] =
        "{\"Id\":\"" HEX64 "\",\"Config\":{\"Entrypoint\":[\"/bin/sh\","
        "\"-c\",\"a b\",\"\"],\"Cmd\":[\"x y\"]}}";
    static const char *const none[] = {
        "{\"Id\":\"" HEX64 "\",\"Config\":{\"Entrypoint\":null}}",
        "{\"Id\":\"" HEX64 "\",\"Config\":{\"Entrypoint\":[]}}",
        "{\"Id\":\"" HEX64 "\",\"Config\":{}}",
        "{\"Id\":\"" HEX64 "\",\"Config\":null}",
        "{\"Id\":\"" HEX64 "\"}",
    };
    struct engine_image image;
    struct berth_err err = {0};

    (void)state;
    assert_int_equal(parse_image(body, sizeof(body) - 1, &image, &err), 0);
    assert_int_equal(image.nentry, 4);
    assert_string_equal(image.entry[0], "/bin/sh");
    assert_string_equal(image.entry[1], "-c");
    assert_string_equal(image.entry[2], "a b");
    assert_string_equal(image.entry[3], "");
    assert_int_equal(image.ncmd, 1);
    assert_string_equal(image.cmd[0], "x y");
    engine_image_clear(&image);
    for (size_t i = 0; i < COUNT(none); i++) {
        assert_int_equal(parse_image(none[i], strlen(none[i]), &image, &err),
                         0);
        assert_int_equal(image.nentry, 0);
        engine_image_clear(&image);
    }
}

// A container as an engine would describe it, with one field replaced.
static const char container_format[] =
    "{\"Id\":\"" HEX64 "\",\"Name\":\"/x1\",\"Image\":\"" HEX64 "\","
    "\"State\":{\"Pid\":%s,\"Running\":%s},"
    "\"HostConfig\":{\"Privileged\":%s,\"ReadonlyRootfs\":true,"
    "\"AutoRemove\":true,\"NetworkMode\":\"host\",\"PidMode\":\"\","
    "\"IpcMode\":\"private\",\"UsernsMode\":\"\",\"CapAdd\":%s,"
    "\"Devices\":[{}],\"DeviceRequests\":[{},{}]},"
    "\"Mounts\":%s,\"Config\":{\"Labels\":%s}}";

static void container_answers_that_are_refused(void **state)
{
    static const char *const cases[][6] = {
        {"-1", "true", "false", "null", "[]", "{}"},
        {"2147483648", "true", "false", "null", "[]", "{}"},
        {"99999999999999999999", "true", "false", "null", "[]", "{}"},
        {"1.0", "true", "false", "null", "[]", "{}"},
        {"\"1\"", "true", "false", "null", "[]", "{}"},
        {"1", "1", "false", "null", "[]", "{}"},
        {"1", "true", "null", "null", "[]", "{}"},
        {"1", "true", "\"false\"", "null", "[]", "{}"},
        {"1", "true", "false", "\"ALL\"", "[]", "{}"},
        {"1", "true", "false", "{\"0\":\"ALL\"}", "[]", "{}"},
        {"1", "true", "false", "null", "{}", "{}"},
        {"1", "true", "false", "null", "[{}]", "{}"},
        {"1", "true", "false", "null", "[null]", "{}"},
        {"1", "true", "false", "null",
         "[{\"Type\":\"bind\",\"Source\":\"/a\",\"Destination\":\"/b\"}]",
         "{}"},
        {"1", "true", "false", "null",
         "[{\"Type\":\"a type that is too long\",\"Source\":\"/a\","
         "\"Destination\":\"/b\",\"RW\":true}]",
         "{}"},
        {"1", "true", "false", "null", "[]", "[]"},
        {"1", "true", "false", "null", "[]", "{\"a\":1}"},
        {"1", "true", "false", "null", "[]", "{\"a\":\"b\",\"a\":\"c\"}"},
    };
    char body[4096];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *const *f = cases[i];
        struct engine_container c = {.id = "untouched"};
        struct berth_err err = {0};
        snprintf(body, sizeof(body), container_format, f[0], f[1], f[2], f[3],
                 f[4], f[5]);
        if (parse_container(body, strlen(body), &c, &err) == 0)
            fail_msg("taken: %s", body);
        assert_int_equal(err.code, BERTH_EENGINE);
        assert_string_equal(c.id, "untouched");
    }
}

static void a_container_is_read(void **state)
{
    struct engine_container c;
    struct berth_err err = {0};
    char body[4096];

    (void)state;
    snprintf(body, sizeof(body), container_format, "42", "true", "false",
             "[\"CAP_X\"]",
             "[{\"Type\":\"bind\",\"Source\":\"/a\",\"Destination\":\"/b\","
             "\"RW\":false},"
             "{\"Type\":\"tmpfs\",\"Destination\":\"/t\",\"RW\":true}]",
             "{\"org.example\":\"1\"}");
    assert_int_equal(parse_container(body, strlen(body), &c, &err), 0);
    assert_string_equal(c.id, HEX64);
    assert_string_equal(c.name, "x1");
    assert_string_equal(c.image, "sha256:" HEX64);
    assert_int_equal(c.pid, 42);
    assert_true(c.running && c.readonly_rootfs && c.auto_remove);
    assert_false(c.privileged);
    assert_int_equal(c.ncap_add, 1);
    assert_int_equal(c.ndevices, 3);
    assert_string_equal(c.network_mode, "host");
    assert_string_equal(c.ipc_mode, "private");
    assert_int_equal(c.nmounts, 2);
    assert_string_equal(c.mounts[0].source, "/a");
    assert_false(c.mounts[0].rw);
    assert_string_equal(c.mounts[1].source, "");
    assert_string_equal(c.mounts[1].type, "tmpfs");
    assert_string_equal(
        json_string_value(json_object_get(c.labels, "org.example")), "1");
    engine_container_clear(&c);
    engine_container_clear(&c);
    engine_container_clear(NULL);

    snprintf(body, sizeof(body), container_format, "0", "false", "false",
             "null", "null", "null");
    assert_int_equal(parse_container(body, strlen(body), &c, &err), 0);
    assert_int_equal(c.pid, 0);
    assert_int_equal(c.nmounts, 0);
    assert_true(json_is_object(c.labels));
    engine_container_clear(&c);
}

// A container of which HOST is in HostConfig, and SETTINGS is the whole of
// NetworkSettings.
static int parse_with(const char *host, const char *settings,
                      struct engine_container *out, struct berth_err *err)
{
    char body[2048];

    snprintf(body, sizeof(body),
             "{\"Id\":\"" HEX64 "\",\"Name\":\"/x1\",\"Image\":\"" HEX64
             "\",\"State\":{\"Pid\":1,\"Running\":true},\"Config\":{},"
             "\"HostConfig\":{\"Privileged\":false,"
             "\"ReadonlyRootfs\":true,\"AutoRemove\":true,"
             "\"NetworkMode\":\"host\",\"PidMode\":\"\",\"IpcMode\":\"\","
             "\"UsernsMode\":\"\"%s},\"NetworkSettings\":%s}",
             host, settings);
    return parse_container(body, strlen(body), out, err);
}

static void where_it_is_kept_is_known_if_the_engine_says_so(void **state)
{
    static const char *const cases[][2] = {
        {"{}", ""},
        {"{},\"GraphDriver\":null", ""},
        {"{},\"GraphDriver\":{\"Name\":\"btrfs\",\"Data\":null}", ""},
        {"{},\"GraphDriver\":{\"Data\":{\"UpperDir\":7}}", ""},
        {"{},\"GraphDriver\":{\"Name\":\"overlay2\",\"Data\":{"
         "\"UpperDir\":\"/var/x/diff\"}}",
         "/var/x/diff"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct engine_container c;
        struct berth_err err = {0};
        assert_int_equal(parse_with("", cases[i][0], &c, &err), 0);
        assert_string_equal(c.upper, cases[i][1]);
        engine_container_clear(&c);
    }
}

static void
a_runtime_a_limit_and_networks_that_make_no_sense_are_refused(void **state)
{
    static const char *const hosts[] = {
        ",\"Runtime\":1",
        ",\"Runtime\":null",
        ",\"Runtime\":[\"runc\"]",
        ",\"Runtime\":\"" HEX64 HEX64 HEX64 HEX64 "\"",
        ",\"Runtime\":\"runc\",\"Runtime\":\"crun\"",
        ",\"PidsLimit\":\"64\"",
        ",\"PidsLimit\":64.0",
        ",\"PidsLimit\":true",
        ",\"PidsLimit\":[64]",
        ",\"PidsLimit\":9223372036854775808",
    };
    static const char *const settings[] = {
        "{\"Networks\":[\"bridge\"]}",
        "{\"Networks\":\"bridge\"}",
        "{\"Networks\":{\"a\":{},\"a\":{}}}",
    };
    struct engine_container c;

    (void)state;
    for (size_t i = 0; i < COUNT(hosts); i++) {
        struct berth_err err = {0};
        if (parse_with(hosts[i], "null", &c, &err) == 0)
            fail_msg("taken: %s", hosts[i]);
        assert_int_equal(err.code, BERTH_EENGINE);
        assert_int_not_equal(err.text[0], 0);
    }
    for (size_t i = 0; i < COUNT(settings); i++) {
        struct berth_err err = {0};
        if (parse_with("", settings[i], &c, &err) == 0)
            fail_msg("taken: %s", settings[i]);
        assert_int_equal(err.code, BERTH_EENGINE);
        assert_int_not_equal(err.text[0], 0);
    }
}

// Podman names no runtime, and engines have several words for no limit.
static void a_runtime_a_limit_and_networks_are_read(void **state)
{
    static const struct {
        const char *host, *runtime;
        uint64_t limit;
    } cases[] = {
        {"", "", 0},
        {",\"Runtime\":\"\",\"PidsLimit\":null", "", 0},
        {",\"Runtime\":\"runc\",\"PidsLimit\":-1", "runc", 0},
        {",\"Runtime\":\"crun\",\"PidsLimit\":0", "crun", 0},
        {",\"PidsLimit\":64", "", 64},
        {",\"PidsLimit\":9223372036854775807", "", INT64_MAX},
    };
    struct engine_container c;
    struct berth_err err = {0};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(parse_with(cases[i].host, "null", &c, &err), 0);
        assert_string_equal(c.runtime, cases[i].runtime);
        assert_int_equal(c.pids_limit, cases[i].limit);
        assert_int_equal(c.nnetworks, 0);
        engine_container_clear(&c);
    }
    assert_int_equal(parse_with("", "{\"Networks\":null}", &c, &err), 0);
    assert_int_equal(c.nnetworks, 0);
    engine_container_clear(&c);
    assert_int_equal(parse_with("",
                                "{\"Networks\":{\"one\":{\"IPAddress\":\"\"},"
                                "\"two\":null}}",
                                &c, &err),
                     0);
    assert_int_equal(c.nnetworks, 2);
    assert_string_equal(c.networks[0], "one");
    assert_string_equal(c.networks[1], "two");
    engine_container_clear(&c);
}

static void version_numbers_are_read_strictly(void **state)
{
    static const char *const refused[] = {
        "",     "1",     "1.",     ".41", "1.4x", "1.41 ",  " 1.41",
        "1.-1", "01.41", "1.1234", "2.0", "0.41", "1.41.0", "v1.41",
    };
    int minor = -7;

    (void)state;
    for (size_t i = 0; i < COUNT(refused); i++) {
        assert_int_equal(parse_version(refused[i], &minor, NULL), -1);
        assert_int_equal(minor, -7);
    }
    assert_int_equal(parse_version("1.41", &minor, NULL), 0);
    assert_int_equal(minor, 41);
}

// What the engine is asked depends on what it can know; NAMES are two.
static void cdi_is_what_the_engine_says(void **state)
{
    static const char *const names[] = {"nvidia.com/gpu=a", "nvidia.com/gpu=b"};
#define DIRS "\"CDISpecDirs\":[\"/etc/cdi\",\"/var/run/cdi\"]"
#define DEVICE(s, d) "{\"Source\":\"" s "\",\"ID\":\"nvidia.com/gpu=" d "\"}"
    static const struct {
        const char *version; // of the API
        const char *info;    // NULL: it must not be asked
        int has;             // -1: an error
    } cases[] = {
        {"1.41", NULL, 0},
        {"1.43", NULL, 0},
        {"1.44", "{}", 0},
        {"1.44", "{\"CDISpecDirs\":null}", 0},
        {"1.44", "{\"CDISpecDirs\":[]}", 0},
        {"1.44", "{" DIRS "}", 1},
        {"1.49", "{" DIRS "}", 1},
        {"1.50", "{" DIRS "}", 0},
        {"1.50", "{" DIRS ",\"DiscoveredDevices\":[" DEVICE("cdi", "a") "]}",
         0},
        {"1.50",
         "{" DIRS ",\"DiscoveredDevices\":[" DEVICE("cdi", "a") "," DEVICE(
             "cdi", "all") "," DEVICE("cdi", "b") "]}",
         1},
        {"1.50",
         "{" DIRS ",\"DiscoveredDevices\":[" DEVICE("cdi", "a") "," DEVICE(
             "other", "b") ",1,{}]}",
         0},
        {"1.50",
         "{\"DiscoveredDevices\":[" DEVICE("cdi", "a") "," DEVICE("cdi",
                                                                  "b") "]}",
         0},
        {"1.44", "[]", -1},
        {"1.44", "{\"CDISpecDirs\":\"/etc/cdi\"}", -1},
        {"1.50", "{" DIRS ",\"DiscoveredDevices\":{}}", -1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct berth_err err = {0};
        char headers[64];
        bool has = cases[i].has != 1;
        bool newer = strcmp(cases[i].version, "1.47") > 0; // than berth knows
        snprintf(headers, sizeof(headers), "Api-Version: %s\r\n",
                 cases[i].version);
        const struct fake_answer answers[] = {
            {.status = 200,
             .type = "text/plain",
             .body = "OK",
             .headers = headers},
            {.status = 200, .body = newer ? "{}" : cases[i].info},
            {.status = 200, .body = cases[i].info},
        };
        struct fake_engine *fake = fake_start(answers, newer           ? 3
                                                       : cases[i].info ? 2
                                                                       : 1);
        struct engine *engine = open_fake(fake);
        int rc = engine_has_cdi(engine, names, 2, &has, &err);
        if (rc != (cases[i].has < 0 ? -1 : 0) ||
            (rc == 0 && has != (cases[i].has == 1)))
            fail_msg("case %zu: %d, %d, \"%s\"", i, rc, has, err.text);
        assert_string_equal(fake_log(fake),
                            newer ? "+GET /_ping\nGET /version\nGET /info\n"
                            : cases[i].info ? "+GET /_ping\nGET /info\n"
                                            : "+GET /_ping\n");
        engine_close(engine);
        fake_stop(fake);
    }
}

static void an_image_goes_by_its_name_and_never_by_force(void **state)
{
    const struct fake_answer answers[] = {
        PING,
        {.status = 200, .body = "[{\"Untagged\":\"a.b/c:1\"}]"},
        {.status = 404, .body = "{\"message\":\"No such image\"}"},
        {.status = 409, .body = "{\"message\":\"x is using it\"}"},
        {.status = 500, .body = "{\"message\":\"no\"}"},
        {.status = 409, .type = "text/html", .body = "<html>"},
    };
    static const struct {
        int rc;
        enum berth_errc code;
    } wanted[] = {
        {0, BERTH_OK},       {-1, BERTH_ENOTFOUND}, {-1, BERTH_EBUSY},
        {-1, BERTH_EENGINE}, {-1, BERTH_EBUSY},
    };
    struct fake_engine *fake = fake_start(answers, COUNT(answers));
    struct engine *engine = open_fake(fake);

    (void)state;
    assert_string_equal(fake_log(fake), "+GET /_ping\n");
    for (size_t i = 0; i < COUNT(wanted); i++) {
        struct berth_err err = {0};
        assert_int_equal(engine_image_remove(engine, "a.b/c:1", &err),
                         wanted[i].rc);
        assert_int_equal(err.code, wanted[i].code);
        assert_string_equal(
            fake_log(fake),
            "DELETE /v1.41/images/a.b/c:1?force=false&noprune=false\n");
    }
    struct berth_err err = {0};
    assert_int_equal(engine_image_remove(engine, "a/../b", &err), -1);
    assert_int_equal(err.code, BERTH_EINVAL);
    assert_string_equal(fake_log(fake), "");
    engine_close(engine);
    fake_stop(fake);
}

#define FOUND(id, size) "{\"Id\":\"" id "\",\"Size\":" size "}"

static void images_of_a_repository_are_found(void **state)
{
    static const struct {
        const char *body;
        int n; // -1: refused
    } cases[] = {
        {"[]", 0},
        {"[" FOUND("sha256:" HEX64, "7") "," FOUND(HEX64, "0") "]", 2},
        {"[" FOUND("sha256:" HEX64, "-1") "]", -1},
        {"[" FOUND("sha256:1", "7") "]", -1},
        {"[{\"Size\":1}]", -1},
        {"[1]", -1},
        {"{}", -1},
        {"null", -1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct fake_answer answers[] = {
            PING, {.status = 200, .body = cases[i].body}};
        struct engine_found *found = NULL;
        struct berth_err err = {0};
        size_t n = 99;
        struct fake_engine *fake = fake_start(answers, COUNT(answers));
        struct engine *engine = open_fake(fake);
        int rc = engine_image_find(engine, "b.c/d", &found, &n, &err);
        if (rc != (cases[i].n < 0 ? -1 : 0) ||
            (rc == 0 && n != (size_t)cases[i].n))
            fail_msg("case %zu: %d, %zu, \"%s\"", i, rc, n, err.text);
        if (n == 2) {
            assert_string_equal(found[0].id, "sha256:" HEX64);
            assert_string_equal(found[1].id, "sha256:" HEX64);
            assert_int_equal(found[0].size, 7);
        }
        assert_string_equal(fake_log(fake),
                            "+GET /_ping\nGET /v1.41/images/json?filters="
                            "%7B%22reference%22%3A%5B%22b.c/d%22%5D%7D\n");
        free(found);
        engine_close(engine);
        fake_stop(fake);
    }
}

#define NAMED(names, digests)                                                  \
    "[{\"Id\":\"" HEX64 "\",\"Size\":7,\"RepoTags\":" names                    \
    ",\"RepoDigests\":" digests "}]"

static void images_are_listed_with_their_names(void **state)
{
    static const struct {
        const char *body;
        int names, digests; // -1: refused
    } cases[] = {
        {NAMED("[\"a:1\",\"b:2\"]", "[\"a@sha256:x\"]"), 2, 1},
        {NAMED("null", "null"), 0, 0},
        {NAMED("[]", "[]"), 0, 0},
        {NAMED("[1]", "[]"), -1, 0},
        {NAMED("\"a\"", "[]"), -1, 0},
        {NAMED("[\"a\"]", "{}"), -1, 0},
        {"[" FOUND("sha256:1", "7") "]", -1, 0},
        {"{}", -1, 0},
        {"", -1, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct fake_answer answers[] = {
            PING, {.status = 200, .body = cases[i].body}};
        struct engine_named *list = NULL;
        struct berth_err err = {0};
        size_t n = 0;
        struct fake_engine *fake = fake_start(answers, COUNT(answers));
        struct engine *engine = open_fake(fake);
        int rc = engine_image_names(engine, &list, &n, &err);
        if (rc != (cases[i].names < 0 ? -1 : 0) ||
            (rc == 0 && (n != 1 || list[0].nnames != (size_t)cases[i].names ||
                         list[0].ndigests != (size_t)cases[i].digests)))
            fail_msg("case %zu: %d, %zu, \"%s\"", i, rc, n, err.text);
        if (i == 0) {
            assert_string_equal(list[0].id, "sha256:" HEX64);
            assert_int_equal(list[0].size, 7);
            assert_string_equal(list[0].names[1], "b:2");
            assert_string_equal(list[0].digests[0], "a@sha256:x");
        }
        assert_string_equal(fake_log(fake),
                            "+GET /_ping\nGET /v1.41/images/json\n");
        engine_named_free(list, n);
        engine_close(engine);
        fake_stop(fake);
    }
}

// Whatever their labels are: one user's image would else keep the others' from
// being listed, and from going. (threat 129)
static void labels_count_for_nothing_in_a_list(void **state)
{
    static const char head[] = "[{\"Id\":\"" HEX64 "\",\"Labels\":{\"a\":\"",
                      tail[] =
                          "\\\"]}\",\"b\":{\"[\":\"}\"}},\"Names\":[{\"c\":1}],"
                          "\"Size\":7,\"RepoTags\":[\"a:1\"]}]";
    static char body[5 << 20];
    const struct fake_answer answers[] = {
        PING, {.status = 200, .body = body}, {.status = 200, .body = body}};
    struct engine_found *found = NULL;
    struct engine_named *list = NULL;
    struct berth_err err = {0};
    size_t n = 0;

    (void)state;
    memset(body, '<', sizeof(body) - 1);
    memcpy(body, head, sizeof(head) - 1);
    memcpy(body + sizeof(body) - sizeof(tail), tail, sizeof(tail));
    struct fake_engine *fake = fake_start(answers, COUNT(answers));
    struct engine *engine = open_fake(fake);
    if (engine_image_find(engine, "b.c/d", &found, &n, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(n, 1);
    assert_int_equal(found[0].size, 7);
    if (engine_image_names(engine, &list, &n, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(n, 1);
    assert_string_equal(list[0].names[0], "a:1");
    free(found);
    engine_named_free(list, n);
    engine_close(engine);
    fake_stop(fake);
}

static void a_list_that_is_too_long_all_the_same_is_refused(void **state)
{
    static char body[5 << 20];
    const struct fake_answer answers[] = {PING, {.status = 200, .body = body}};
    struct engine_named *list = NULL;
    struct berth_err err = {0};
    size_t n = 0;

    (void)state;
    memset(body, ' ', sizeof(body) - 1);
    struct fake_engine *fake = fake_start(answers, COUNT(answers));
    struct engine *engine = open_fake(fake);
    assert_int_equal(engine_image_names(engine, &list, &n, &err), -1);
    assert_int_equal(err.code, BERTH_ETOOBIG);
    engine_close(engine);
    fake_stop(fake);
}

static void what_added_nothing_to_an_image_has_no_size(void **state)
{
    static const struct {
        const char *body;
        int n; // -1: refused
    } cases[] = {
        {"[{\"Size\":30},{\"Size\":0},{\"Size\":12}]", 2},
        {"[{}]", 0},
        {"[]", 0},
        {"[{\"Size\":-1}]", -1},
        {"{}", -1},
        {"x", -1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct fake_answer answers[] = {
            PING, {.status = 200, .body = cases[i].body}};
        struct berth_err err = {0};
        uint64_t *sizes = NULL;
        size_t n = 0;
        struct fake_engine *fake = fake_start(answers, COUNT(answers));
        struct engine *engine = open_fake(fake);
        int rc = engine_image_sizes(engine, "a.b/c:1", &sizes, &n, &err);
        if (rc != (cases[i].n < 0 ? -1 : 0) ||
            (rc == 0 && n != (size_t)cases[i].n))
            fail_msg("case %zu: %d, %zu, \"%s\"", i, rc, n, err.text);
        if (i == 0) {
            assert_int_equal(sizes[0], 12);
            assert_int_equal(sizes[1], 30);
        }
        assert_string_equal(fake_log(fake),
                            "+GET /_ping\nGET /v1.41/images/a.b/c:1/history\n");
        free(sizes);
        engine_close(engine);
        fake_stop(fake);
    }
}

static void the_engine_says_where_its_images_are(void **state)
{
    static const struct {
        const char *body;
        const char *root; // NULL: refused
    } cases[] = {
        {"{\"DockerRootDir\":\"/srv/docker\"}", "/srv/docker"},
        {"{\"DockerRootDir\":\"\"}", NULL},
        {"{\"DockerRootDir\":\"relative\"}", NULL},
        {"{\"DockerRootDir\":1}", NULL},
        {"{\"DockerRootDir\":\"/0123456789abcdef0123456789abcdef\"}", NULL},
        {"{}", NULL},
        {"[]", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct fake_answer answers[] = {
            PING, {.status = 200, .body = cases[i].body}};
        struct berth_err err = {0};
        char root[32] = "untouched";
        struct fake_engine *fake = fake_start(answers, COUNT(answers));
        struct engine *engine = open_fake(fake);
        int rc = engine_root(engine, root, sizeof(root), &err);
        assert_int_equal(rc, cases[i].root ? 0 : -1);
        assert_string_equal(root, cases[i].root ? cases[i].root : "untouched");
        assert_int_equal(err.code, cases[i].root ? BERTH_OK : BERTH_EENGINE);
        assert_string_equal(fake_log(fake), "+GET /_ping\nGET /v1.41/info\n");
        engine_close(engine);
        fake_stop(fake);
    }
}

static void podmans_own_words_go_to_its_own_interface(void **state)
{
    const struct fake_answer answers[] = {
        PING,
        {.status = 201, .body = "{\"Id\":\"" HEX64 "\",\"Warnings\":[]}"},
        {.status = 500,
         .body = "{\"cause\":\"a\",\"message\":\"a: b\",\"response\":500}"},
    };
    struct berth_err err = {0};
    char id[65];
    struct fake_engine *fake = fake_start(answers, COUNT(answers));
    struct engine *engine = open_fake(fake);

    (void)state;
    assert_int_equal(engine_container_create_libpod(engine, "{}", id, &err), 0);
    assert_string_equal(id, HEX64);
    assert_int_equal(engine_container_create_libpod(engine, "{}", id, &err),
                     -1);
    assert_non_null(strstr(err.text, "cannot create the container: a: b"));
    assert_string_equal(fake_log(fake),
                        "+GET /_ping\n"
                        "POST /v4.0.0/libpod/containers/create\n"
                        "POST /v4.0.0/libpod/containers/create\n");
    engine_close(engine);
    fake_stop(fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_engine_that_misbehaves_is_refused_with_a_sentence),
        cmocka_unit_test(an_answer_beyond_the_cap_is_refused),
        cmocka_unit_test(a_socket_that_nobody_serves_is_an_engine_that_is_down),
        cmocka_unit_test(a_path_that_can_be_no_socket_is_malformed),
        cmocka_unit_test(an_engine_that_hangs_is_given_up),
        cmocka_unit_test(an_engine_that_trickles_is_given_up),
        cmocka_unit_test(an_engine_that_accepts_nobody_is_given_up),
        cmocka_unit_test(a_call_is_given_up_when_its_watch_says_so),
        cmocka_unit_test(
            what_can_be_read_at_a_watch_s_descriptor_is_heard_at_once),
        cmocka_unit_test(what_makes_a_container_is_not_given_up),
        cmocka_unit_test(who_asks_hears_of_each_call_and_its_time),
        cmocka_unit_test(the_version_is_the_newest_that_both_know),
        cmocka_unit_test(a_floor_that_is_none_is_an_error),
        cmocka_unit_test(all_calls_share_one_connection),
        cmocka_unit_test(an_engine_that_restarts_is_connected_to_again),
        cmocka_unit_test(the_environment_sends_nothing_elsewhere),
        cmocka_unit_test(descriptors_are_close_on_exec_and_closed),
        cmocka_unit_test(names_that_could_leave_their_path_are_malformed),
        cmocka_unit_test(what_is_not_there_is_told_from_what_failed),
        cmocka_unit_test(podman_is_asked_for_an_images_annotations),
        cmocka_unit_test(a_request_beyond_the_cap_is_not_sent),
        cmocka_unit_test(cdi_is_what_the_engine_says),
        cmocka_unit_test(podmans_own_words_go_to_its_own_interface),
        cmocka_unit_test(an_image_goes_by_its_name_and_never_by_force),
        cmocka_unit_test(images_of_a_repository_are_found),
        cmocka_unit_test(images_are_listed_with_their_names),
        cmocka_unit_test(labels_count_for_nothing_in_a_list),
        cmocka_unit_test(a_list_that_is_too_long_all_the_same_is_refused),
        cmocka_unit_test(what_added_nothing_to_an_image_has_no_size),
        cmocka_unit_test(the_engine_says_where_its_images_are),
        cmocka_unit_test(a_removal_waits_until_the_container_is_gone),
        cmocka_unit_test(a_removal_that_can_not_work_fails_at_once),
        cmocka_unit_test(image_answers_that_are_refused),
        cmocka_unit_test(lists_and_strings_that_are_too_long_are_refused),
        cmocka_unit_test(an_image_is_read),
        cmocka_unit_test(an_entry_point_is_read_word_by_word),
        cmocka_unit_test(container_answers_that_are_refused),
        cmocka_unit_test(a_container_is_read),
        cmocka_unit_test(where_it_is_kept_is_known_if_the_engine_says_so),
        cmocka_unit_test(
            a_runtime_a_limit_and_networks_that_make_no_sense_are_refused),
        cmocka_unit_test(a_runtime_a_limit_and_networks_are_read),
        cmocka_unit_test(version_numbers_are_read_strictly),
    };

    return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
