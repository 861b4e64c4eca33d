// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include "engine/http.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "engine/clock.h"
#include "engine/libcurl.h"
#include "logic/limits.h"

// All headers of one answer: an engine sends some 300 bytes of them.
enum { HEADERS_MAX = 64 * 1024 };

struct http {
    CURL *curl;
    CURLM *multi;
    struct curl_slist *headers_plain;
    struct curl_slist *headers_json;
    struct curl_slist *headers_tar;
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    struct watch watch;
    // The call in progress:
    struct http_reply *reply;
    const struct http_upload *upload;
    const struct http_download *download;
    bool paused, uploading; // it waits for more; some of it was read
    char *body;
    size_t length, size, max;
    size_t header_bytes;
    int socket_errno;
    bool too_much, no_memory, ended;
};

static const struct libcurl *lib; // once there is a struct http
static void (*on_call)(const struct http_call_seen *call);

// As curl's own, but close-on-exec from the start.
static curl_socket_t open_socket(void *arg, curlsocktype purpose,
                                 struct curl_sockaddr *address)
{
    struct http *http = arg;
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC,
                    address->protocol);

    (void)purpose;
    if (fd < 0)
        http->socket_errno = errno;
    return fd < 0 ? CURL_SOCKET_BAD : fd;
}

// Copies the value of the header NAME to OUT if LINE is that header.
static void take_header(const char *line, size_t n, const char *name, char *out,
                        size_t size)
{
    size_t len = strlen(name);

    if (n <= len || line[len] != ':' || strncasecmp(line, name, len) != 0)
        return;
    line += len + 1;
    n -= len + 1;
    while (n > 0 && isspace((unsigned char)*line))
        line++, n--;
    while (n > 0 && isspace((unsigned char)line[n - 1]))
        n--;
    if (n >= size || memchr(line, 0, n))
        n = 0;
    memcpy(out, line, n);
    out[n] = 0;
}

static size_t on_header(char *line, size_t size, size_t n, void *arg)
{
    struct http *http = arg;
    struct http_reply *reply = http->reply;

    n *= size;
    http->header_bytes += n;
    if (http->header_bytes > HEADERS_MAX) {
        http->too_much = true;
        return 0;
    }
    if (n >= 5 && memcmp(line, "HTTP/", 5) == 0)
        memset(reply, 0, sizeof(*reply)); // the one before was a 1xx
    take_header(line, n, "Content-Type", reply->content_type,
                sizeof(reply->content_type));
    take_header(line, n, "Api-Version", reply->api_version,
                sizeof(reply->api_version));
    take_header(line, n, "Libpod-Api-Version", reply->libpod_version,
                sizeof(reply->libpod_version));
    take_header(line, n, "Server", reply->server, sizeof(reply->server));
    return n;
}

static size_t on_body(char *data, size_t one, size_t n, void *arg)
{
    struct http *http = arg;

    n *= one;
    if (http->download) {
        long status = 0;
        lib->easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, &status);
        if (status == 200) {
            http->ended =
                http->download->take(http->download->arg, data, n) < 0;
            return http->ended ? 0 : n;
        }
    }
    if (n > http->max - http->length) {
        http->too_much = true;
        return 0;
    }
    if (http->length + n + 1 > http->size) {
        size_t size = http->size;
        while (size < http->length + n + 1)
            size *= 2;
        char *body = realloc(http->body, size);
        if (!body) {
            http->no_memory = true;
            return 0;
        }
        http->body = body;
        http->size = size;
    }
    memcpy(http->body + http->length, data, n);
    http->length += n;
    return n;
}

static size_t on_upload(char *buf, size_t one, size_t n, void *arg)
{
    struct http *http = arg;
    ssize_t length = http->upload->read(http->upload->arg, buf, one * n);

    http->uploading = true;
    http->paused = length == HTTP_LATER;
    if (http->paused)
        return CURL_READFUNC_PAUSE;
    if (length >= 0)
        return (size_t)length;
    http->ended = true;
    return CURL_READFUNC_ABORT;
}

// The options that hold for every call.
static CURLcode set_options(struct http *http)
{
    CURLcode rc = CURLE_OK;

#define SET(option, value)                                                     \
    do {                                                                       \
        if (rc == CURLE_OK)                                                    \
            rc = lib->easy_setopt(http->curl, option, value);                  \
    } while (0)
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_UNIX_SOCKET_PATH, http->path);
    SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
    SET(CURLOPT_OPENSOCKETDATA, http);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)BERTH_CONNECT_MS);
#if LIBCURL_VERSION_NUM >= 0x075500
    SET(CURLOPT_PROTOCOLS_STR, "http");
#else
    SET(CURLOPT_PROTOCOLS, (long)CURLPROTO_HTTP);
#endif
#if LIBCURL_VERSION_NUM >= 0x074000
    SET(CURLOPT_HTTP09_ALLOWED, 0L);
#endif
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PATH_AS_IS, 1L);
    SET(CURLOPT_PROXY, ""); // not from http_proxy in the environment
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_USERAGENT, "berth");
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, http);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, http);
    SET(CURLOPT_READFUNCTION, on_upload);
    SET(CURLOPT_READDATA, http);
#if LIBCURL_VERSION_NUM >= 0x073e00
    SET(CURLOPT_UPLOAD_BUFFERSIZE, 512L * 1024);
#endif
#undef SET
    return rc;
}

static struct curl_slist *header_list(const char *a, const char *b)
{
    struct curl_slist *list = lib->slist_append(NULL, a);
    struct curl_slist *longer = list ? lib->slist_append(list, b) : NULL;

    if (!longer)
        lib->slist_free_all(list);
    return longer;
}

struct http *http_create(const char *path, const struct watch *watch,
                         struct berth_err *err)
{
    struct http *http = NULL;

    if (!path || path[0] != '/' || strlen(path) >= sizeof(http->path)) {
        err_set(err, BERTH_EINVAL,
                "\"%s\" cannot be a container engine's socket: it takes an "
                "absolute path of at most %zu bytes",
                path ? path : "", sizeof(http->path) - 1);
        return NULL;
    }
    lib = libcurl_load(err);
    if (!lib)
        return NULL;
    if (lib->global_init(CURL_GLOBAL_NOTHING) != CURLE_OK)
        goto fail;
    http = calloc(1, sizeof(*http));
    if (!http) {
        lib->global_cleanup();
        goto fail;
    }
    strcpy(http->path, path);
    http->watch = watch ? *watch : (struct watch){.fd = -1};
    http->size = 16 * 1024; // most answers fit at once
    http->body = malloc(http->size);
    // Without Expect, curl does not wait for a "100 Continue".
    http->headers_plain = header_list("Expect:", "Content-Type:");
    http->headers_json =
        header_list("Expect:", "Content-Type: application/json");
    http->headers_tar =
        header_list("Expect:", "Content-Type: application/x-tar");
    http->curl = lib->easy_init();
    http->multi = lib->multi_init();
    if (!http->body || !http->headers_plain || !http->headers_json ||
        !http->headers_tar || !http->curl || !http->multi ||
        set_options(http) != CURLE_OK)
        goto fail;
    return http;
fail:
    http_destroy(http);
    err_set(err, BERTH_ENOMEM, "cannot set up a connection: out of memory");
    return NULL;
}

void http_destroy(struct http *http)
{
    int saved = errno;

    if (!http)
        return;
    lib->easy_cleanup(http->curl);
    lib->multi_cleanup(http->multi);
    lib->slist_free_all(http->headers_plain);
    lib->slist_free_all(http->headers_json);
    lib->slist_free_all(http->headers_tar);
    free(http->body);
    free(http);
    lib->global_cleanup();
    errno = saved;
}

static int fail_late(const struct http *http, struct berth_err *err)
{
    return err_set(err, BERTH_ETIMEOUT,
                   "the container engine at %s did not answer in time: ask "
                   "your administrator to look at it",
                   http->path);
}

// What the system said about the socket, or 0.
static int socket_errno(const struct http *http)
{
    long number = 0;

    if (http->socket_errno)
        return http->socket_errno;
    lib->easy_getinfo(http->curl, CURLINFO_OS_ERRNO, &number);
    return (int)number;
}

// Says in a sentence what went wrong, by curl's code and our own notes.
static int fail_call(struct http *http, CURLcode code, struct berth_err *err)
{
    char why[128];

    if (http->no_memory || code == CURLE_OUT_OF_MEMORY)
        return err_set(err, BERTH_ENOMEM, "out of memory");
    if (http->ended)
        return err_set(err, BERTH_EENDED,
                       "the container engine at %s was not waited for: what "
                       "it was asked for is over",
                       http->path);
    if (http->too_much)
        return err_set(err, BERTH_ETOOBIG,
                       "the container engine at %s answered with more than "
                       "%zu bytes",
                       http->path, http->max);
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        return fail_late(http, err);
    case CURLE_COULDNT_CONNECT:
        snprintf(why, sizeof(why), "%s", strerror(socket_errno(http)));
        why[0] = (char)tolower((unsigned char)why[0]);
        return err_set(err, BERTH_EENGINE,
                       "the container engine at %s does not answer (%s): ask "
                       "your administrator to start it",
                       http->path, why);
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
        return err_set(err, BERTH_EENGINE,
                       "the container engine at %s closed the connection "
                       "without an answer: it may just have been stopped, or "
                       "engine= in plugstack.conf names another's socket",
                       http->path);
    case CURLE_PARTIAL_FILE:
        return err_set(err, BERTH_EENGINE,
                       "the container engine at %s broke off in the middle "
                       "of its answer",
                       http->path);
    default:
        return err_set(err, BERTH_EENGINE,
                       "the container engine at %s answered with something "
                       "that is not the Docker Engine API (%s)",
                       http->path, lib->easy_strerror(code));
    }
}

// A Unix socket whose backlog is full answers EAGAIN, which curl takes for a
// connection in progress: it then fails without an error number, or when it
// sends. Nothing has been sent in either case.
static bool backlog_is_full(const struct http *http, CURLcode code)
{
    int number = socket_errno(http);

    return (code == CURLE_COULDNT_CONNECT &&
            (number == 0 || number == EAGAIN)) ||
           (code == CURLE_SEND_ERROR && number == ENOTCONN);
}

// As curl_easy_perform, but heeds the watch.
static CURLcode transfer(struct http *http, bool whole)
{
    struct curl_waitfd extra[] = {
        {.fd = http->watch.fd, .events = CURL_WAIT_POLLIN},
        {.events = CURL_WAIT_POLLIN},
    };
    CURLcode code = CURLE_FAILED_INIT;
    int running = 1, n;
    CURLMsg *msg;

    if (lib->multi_add_handle(http->multi, http->curl) != CURLM_OK)
        return CURLE_OUT_OF_MEMORY;
    while (lib->multi_perform(http->multi, &running) == CURLM_OK && running) {
        // With a descriptor, if only -1, older curls sleep where they have
        // none of their own.
        extra[1].fd = http->paused ? http->upload->fd : -1;
        extra[1].revents = 0;
        if (lib->multi_wait(http->multi, extra, 2, WATCH_MS, &n) != CURLM_OK)
            break;
        if (http->paused && (n == 0 || extra[1].revents)) {
            http->paused = false;
            lib->easy_pause(http->curl, CURLPAUSE_CONT);
        }
        if ((n == 0 || extra[0].revents) && http->watch.go_on &&
            !http->watch.go_on(http->watch.arg)) {
            if (!whole) {
                http->ended = true;
                break;
            }
            extra[0].fd = -1; // it would be ready for ever
        }
    }
    while ((msg = lib->multi_info_read(http->multi, &n)))
        if (msg->msg == CURLMSG_DONE)
            code = msg->data.result;
    // A call in progress loses its connection by that.
    lib->multi_remove_handle(http->multi, http->curl);
    return code;
}

// Performs the call that is set up, within LIMIT_MS.
static CURLcode perform(struct http *http, long limit_ms, bool whole)
{
    long long start = clock_ms(), used;
    CURLcode code;

    for (;;) {
        used = clock_ms() - start;
        if (used >= limit_ms || used >= BERTH_CONNECT_MS)
            return CURLE_OPERATION_TIMEDOUT;
        lib->easy_setopt(http->curl, CURLOPT_TIMEOUT_MS, limit_ms - (long)used);
        http->socket_errno = 0;
        code = transfer(http, whole);
        if (http->uploading || !backlog_is_full(http, code))
            return code;
        clock_sleep(10);
    }
}

static int exchange(struct http *http, const struct http_request *request,
                    struct http_reply *reply, struct berth_err *err)
{
    char url[4096];
    long status = 0;
    CURL *curl = http->curl;
    CURLcode code;

    int n = snprintf(url, sizeof(url), "http://localhost%s", request->target);
    if (n < 0 || (size_t)n >= sizeof(url))
        return err_set(err, BERTH_EINVAL, "a name is too long");

    memset(reply, 0, sizeof(*reply));
    http->reply = reply;
    http->max = request->max ? request->max : (size_t)BERTH_RESPONSE_MAX;
    http->length = http->header_bytes = 0;
    http->too_much = http->no_memory = http->ended = false;
    http->upload = request->upload;
    http->download = request->download;
    http->paused = http->uploading = false;

    lib->easy_setopt(curl, CURLOPT_HTTPHEADER,
                     request->upload ? http->headers_tar
                     : request->json ? http->headers_json
                                     : http->headers_plain);
    if (request->upload) {
        // Without a size it goes in chunks.
        lib->easy_setopt(curl, CURLOPT_POST, 1L);
        lib->easy_setopt(curl, CURLOPT_POSTFIELDS, (const char *)NULL);
        lib->easy_setopt(curl, CURLOPT_POSTFIELDSIZE, -1L);
    } else if (request->method == HTTP_POST) {
        const char *body = request->json ? request->json : "";
        lib->easy_setopt(curl, CURLOPT_POST, 1L);
        lib->easy_setopt(curl, CURLOPT_POSTFIELDS, body);
        lib->easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)strlen(body));
    } else {
        lib->easy_setopt(curl, CURLOPT_HTTPGET, 1L);
    }
    // Of the options set here, only these copy, and so can run out of memory.
    code = lib->easy_setopt(
        curl, CURLOPT_CUSTOMREQUEST,
        request->method == HTTP_DELETE ? "DELETE" : (const char *)NULL);
    if (code == CURLE_OK)
        code = lib->easy_setopt(curl, CURLOPT_URL, url);
    if (code == CURLE_OK)
        code = perform(http, request->limit_ms, request->whole);
    // The body is the caller's: leave no pointer to it behind.
    lib->easy_setopt(curl, CURLOPT_POSTFIELDS, (const char *)NULL);
    http->reply = NULL;
    http->upload = NULL;
    http->download = NULL;
    if (code != CURLE_OK)
        return fail_call(http, code, err);

    lib->easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (status < 200 || status > 599)
        return fail_call(http, CURLE_WEIRD_SERVER_REPLY, err);
    reply->status = (int)status;
    http->body[http->length] = 0;
    reply->body = http->body;
    reply->length = http->length;
    return 0;
}

int http_call(struct http *http, const struct http_request *request,
              struct http_reply *reply, struct berth_err *err)
{
    static const char *const methods[] = {"GET", "POST", "DELETE"};
    long long start = clock_ms();
    int rc = exchange(http, request, reply, err);

    if (on_call)
        on_call(&(struct http_call_seen){
            .method = methods[request->method],
            .target = request->target,
            .status = rc == 0 ? reply->status : 0,
            .ms = clock_ms() - start,
        });
    return rc;
}

void http_on_call(void (*seen)(const struct http_call_seen *call))
{
    on_call = seen;
}
