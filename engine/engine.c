// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include "engine/engine.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/clock.h"
#include "engine/http.h"
#include "engine/parse.h"
#include "logic/limits.h"

// The API's minor versions that we know. 1.40 (Docker 19.03) is the first
// with DeviceRequests. An engine that has given up all of these is spoken to in
// the oldest that it has: what berth asks for has been there since 1.40, and
// what comes of it is compared after each start.
enum { API_MIN = 40, API_MAX = 47 };

// Podman's own interface, as its version 4 has it, and later ones still do.
#define LIBPOD "v4.0.0/libpod"

// Those with which GET /info says where CDI specifications are, and which
// devices there are.
enum { API_CDI = 44, API_DEVICES = 50 };

struct engine {
    struct http *http;
    int minor;  // that we speak
    int newest; // that it speaks
    bool podman;
    char path[128];
    char name[128];
};

// What the engine said is shown on terminals, so all of the text is scrubbed.
static int fail(struct berth_err *err, enum berth_errc code, const char *fmt,
                ...) __attribute__((format(printf, 3, 4)));

static int fail(struct berth_err *err, enum berth_errc code, const char *fmt,
                ...)
{
    char text[sizeof(err->text)];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    err_scrub(text);
    return err_set(err, code, "%s", text);
}

// WHY is what a parser made of the engine's answer.
static int fail_answer(const struct engine *e, const struct berth_err *why,
                       struct berth_err *err)
{
    if (why->code == BERTH_ENOMEM)
        return err_set(err, BERTH_ENOMEM, "out of memory");
    return fail(err, BERTH_EENGINE,
                "the container engine at %s answered with something that is "
                "not the Docker Engine API (%s)",
                e->path, why->text);
}

static bool is_json(const struct http_reply *reply)
{
    static const char json[] = "application/json";
    const char *type = reply->content_type;

    if (strncasecmp(type, json, sizeof(json) - 1) != 0)
        return false;
    return strchr("; \t", type[sizeof(json) - 1]) != NULL; // or the NUL
}

static int fail_type(const struct engine *e, const struct http_reply *reply,
                     struct berth_err *err)
{
    return fail(err, BERTH_EENGINE,
                "the container engine at %s answered with something that is "
                "not the Docker Engine API (status %d, %s)",
                e->path, reply->status,
                reply->content_type[0] ? reply->content_type : "no type");
}

// The engine refused to DO it ("create the container"): says so in its own
// words. Only an answer in JSON counts as the engine's "not found".
static int fail_status(const struct engine *e, const struct http_reply *reply,
                       const char *what, struct berth_err *err)
{
    struct berth_err why = {0};
    char message[sizeof(err->text)];

    if (!is_json(reply))
        return fail_type(e, reply, err);
    if (parse_message(reply->body, reply->length, message, sizeof(message),
                      &why) < 0)
        return fail_answer(e, &why, err);
    return fail(err, reply->status == 404 ? BERTH_ENOTFOUND : BERTH_EENGINE,
                "%s cannot %s: %s (status %d)", e->name, what, message,
                reply->status);
}

// Sends one request to "/v1.MINOR" TARGET.
static int call(struct engine *e, enum http_method method, const char *target,
                const char *json, long limit_ms, struct http_reply *reply,
                struct berth_err *err)
{
    char versioned[4096];
    struct http_request request = {
        .method = method,
        .target = versioned,
        .json = json,
        .limit_ms = limit_ms,
    };
    int n =
        snprintf(versioned, sizeof(versioned), "/v1.%d%s", e->minor, target);

    if (n < 0 || (size_t)n >= sizeof(versioned))
        return err_set(err, BERTH_EINVAL, "a name is too long");
    return http_call(e->http, &request, reply, err);
}

// Says in which version to speak to an engine that knows newer ones than we do.
static int find_version(struct engine *e, struct berth_err *err)
{
    const struct http_request request = {
        .method = HTTP_GET,
        .target = "/version",
        .limit_ms = BERTH_INSPECT_MS,
    };
    struct berth_err why = {0};
    struct http_reply reply;
    int floor = 0;

    if (http_call(e->http, &request, &reply, err) < 0)
        return -1;
    if (reply.status != 200)
        return fail_status(e, &reply, "say its version", err);
    if (!is_json(&reply))
        return fail_type(e, &reply, err);
    if (parse_floor(reply.body, reply.length, &floor, &why) < 0)
        return fail_answer(e, &why, err);
    e->minor = floor > API_MAX ? floor : API_MAX;
    return 0;
}

// The first call of engine_open: who is there, and what does it speak?
static int greet(struct engine *e, struct berth_err *err)
{
    const struct http_request request = {
        .method = HTTP_GET,
        .target = "/_ping",
        .limit_ms = BERTH_INSPECT_MS,
    };
    struct berth_err why = {0};
    struct http_reply reply;

    if (http_call(e->http, &request, &reply, err) < 0)
        return -1;
    if (reply.status != 200)
        return fail_status(e, &reply, "be used", err);
    if (parse_version(reply.api_version, &e->minor, &why) < 0)
        return fail_answer(e, &why, err);

    e->newest = e->minor;

    // "Docker/20.10.24 (linux)", "Libpod/4.3.1 (linux)"
    e->podman = reply.libpod_version[0] != 0;
    const char *slash = strchr(reply.server, '/');
    const char *version =
        e->podman ? reply.libpod_version : (slash ? slash + 1 : "");
    if (e->minor < API_MIN)
        return fail(err, BERTH_EENGINE,
                    "%s %s at %s speaks version 1.%d of the Docker Engine "
                    "API: berth needs 1.%d or newer",
                    e->podman ? "Podman" : "Docker", version, e->path, e->minor,
                    API_MIN);
    if (e->minor > API_MAX && find_version(e, err) < 0)
        return -1;
    snprintf(e->name, sizeof(e->name), "%s %.*s (API 1.%d)",
             e->podman ? "Podman" : "Docker", (int)strcspn(version, " "),
             version, e->minor);
    err_scrub(e->name);
    return 0;
}

struct engine *engine_open(const char *path, const struct watch *watch,
                           struct berth_err *err)
{
    struct engine *e = calloc(1, sizeof(*e));

    if (!e) {
        err_set(err, BERTH_ENOMEM, "out of memory");
        return NULL;
    }
    e->http = http_create(path, watch, err);
    if (!e->http)
        goto fail;
    snprintf(e->path, sizeof(e->path), "%s", path);
    snprintf(e->name, sizeof(e->name), "the container engine at %s", path);
    if (greet(e, err) < 0)
        goto fail;
    return e;
fail:
    engine_close(e);
    return NULL;
}

void engine_close(struct engine *engine)
{
    int saved = errno;

    if (!engine)
        return;
    http_destroy(engine->http);
    free(engine);
    errno = saved;
}

const char *engine_name(const struct engine *engine)
{
    return engine->name;
}

bool engine_is_podman(const struct engine *engine)
{
    return engine->podman;
}

int engine_has_cdi(struct engine *engine, const char *const *names, size_t n,
                   bool *out, struct berth_err *err)
{
    // Without a version it is the newest, which knows of devices.
    const struct http_request request = {
        .method = HTTP_GET,
        .target = "/info",
        .limit_ms = BERTH_INSPECT_MS,
    };
    bool on = false, all = false;
    struct berth_err why = {0};
    struct http_reply reply;

    if (!engine->podman && engine->newest >= API_CDI) {
        if (http_call(engine->http, &request, &reply, err) < 0)
            return -1;
        if (reply.status != 200)
            return fail_status(engine, &reply, "say what it can do", err);
        if (!is_json(&reply))
            return fail_type(engine, &reply, err);
        if (parse_cdi(reply.body, reply.length, names, n, &on, &all, &why) < 0)
            return fail_answer(engine, &why, err);
    }
    *out = on && (all || engine->newest < API_DEVICES);
    return 0;
}

// Writes REFERENCE as a path: slashes stay, what the grammar of references
// does not know is percent-encoded. Components that a server may take for
// a way up are refused.
static int encode_reference(const char *reference, char *out, size_t size,
                            struct berth_err *err)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789._-/:@";
    static const char hex[] = "0123456789ABCDEF";
    size_t n = 0;

    for (const char *p = reference;; p++) {
        size_t len = strcspn(p, "/");
        if (len == 0 || (len == 1 && p[0] == '.') ||
            (len == 2 && p[0] == '.' && p[1] == '.'))
            return fail(err, BERTH_EINVAL, "\"%s\" is not an image name",
                        reference);
        p += len;
        if (!*p)
            break;
    }
    for (const char *p = reference; *p; p++) {
        unsigned char c = (unsigned char)*p;
        if (n + 4 > size)
            return err_set(err, BERTH_EINVAL, "the image name is too long");
        if (strchr(plain, c)) {
            out[n++] = *p;
            continue;
        }
        out[n++] = '%';
        out[n++] = hex[c >> 4];
        out[n++] = hex[c & 15];
    }
    out[n] = 0;
    return 0;
}

int engine_image_inspect(struct engine *engine, const char *reference,
                         struct engine_image *out, struct berth_err *err)
{
    struct http_reply reply;
    struct berth_err why = {0};
    char name[3 * BERTH_IMAGE_MAX + 1];
    char target[sizeof(name) + 32], version[16];
    const struct http_request request = {
        .method = HTTP_GET,
        .target = target,
        .limit_ms = BERTH_INSPECT_MS,
        .max = BERTH_IMAGE_RESPONSE_MAX,
    };

    if (encode_reference(reference, name, sizeof(name), err) < 0)
        return -1;
    // Podman's interface for Docker's clients does not show annotations.
    snprintf(version, sizeof(version), "v1.%d", engine->minor);
    snprintf(target, sizeof(target), "/%s/images/%s/json",
             engine->podman ? LIBPOD : version, name);
    if (http_call(engine->http, &request, &reply, &why) < 0)
        return why.code == BERTH_ETOOBIG
                   ? fail(err, why.code,
                          "%s says more of the image %s than the %d KiB that "
                          "berth reads (labels, environment, history): ask "
                          "the image's author to say less in it",
                          engine->name, reference,
                          BERTH_IMAGE_RESPONSE_MAX / 1024)
                   : err_set(err, why.code, "%s", why.text);
    if (reply.status != 200)
        return fail_status(engine, &reply, "look up the image", err);
    if (!is_json(&reply))
        return fail_type(engine, &reply, err);
    if (parse_image(reply.body, reply.length, out, &why) < 0)
        return fail_answer(engine, &why, err);
    return 0;
}

int engine_image_remove(struct engine *engine, const char *reference,
                        struct berth_err *err)
{
    struct http_reply reply;
    char name[3 * BERTH_IMAGE_MAX + 1];
    char target[sizeof(name) + 64];

    if (encode_reference(reference, name, sizeof(name), err) < 0)
        return -1;
    snprintf(target, sizeof(target), "/images/%s?force=false&noprune=false",
             name);
    if (call(engine, HTTP_DELETE, target, NULL, BERTH_CREATE_MS, &reply, err) <
        0)
        return -1;
    if (reply.status == 200)
        return 0;
    struct berth_err why = {0};
    fail_status(engine, &reply, "remove the image", &why);
    return err_set(err, reply.status == 409 ? BERTH_EBUSY : why.code, "%s",
                   why.text);
}

static int take_flat(void *arg, const char *data, size_t len)
{
    return parse_flat_add(arg, data, len) ? 0 : HTTP_GIVEN_UP;
}

// A list that TARGET leads to, in FLAT, whose text is the caller's to free;
// WHAT the engine cannot do, if it cannot.
static int get_list(struct engine *engine, const char *target, const char *what,
                    struct parse_flat *flat, struct berth_err *err)
{
    struct http_reply reply;
    char versioned[4096];
    const struct http_download download = {.take = take_flat, .arg = flat};
    const struct http_request request = {
        .method = HTTP_GET,
        .target = versioned,
        .download = &download,
        .limit_ms = BERTH_INSPECT_MS,
    };

    *flat = (struct parse_flat){.text = malloc(BERTH_RESPONSE_MAX),
                                .max = BERTH_RESPONSE_MAX};
    if (!flat->text)
        return err_set(err, BERTH_ENOMEM, "out of memory");
    snprintf(versioned, sizeof(versioned), "/v1.%d%s", engine->minor, target);
    if (http_call(engine->http, &request, &reply, err) < 0)
        return flat->len < flat->max
                   ? -1
                   : err_set(err, BERTH_ETOOBIG,
                             "the container engine at %s has a longer list "
                             "than the %d KiB that berth reads of one",
                             engine->path, BERTH_RESPONSE_MAX / 1024);
    if (reply.status != 200)
        return fail_status(engine, &reply, what, err);
    return is_json(&reply) ? 0 : fail_type(engine, &reply, err);
}

int engine_image_find(struct engine *engine, const char *repository,
                      struct engine_found **found, size_t *n,
                      struct berth_err *err)
{
    struct parse_flat flat;
    struct berth_err why = {0};
    char target[512];

    // {"reference":["REPOSITORY"]}
    snprintf(target, sizeof(target),
             "/images/json?filters=%%7B%%22reference%%22%%3A%%5B%%22%s%%22%%5D"
             "%%7D",
             repository);
    int rc = get_list(engine, target, "list its images", &flat, err);
    if (rc == 0 && parse_found(flat.text, flat.len, found, n, &why) < 0)
        rc = fail_answer(engine, &why, err);
    free(flat.text);
    return rc;
}

int engine_root(struct engine *engine, char *out, size_t size,
                struct berth_err *err)
{
    struct http_reply reply;
    struct berth_err why = {0};

    if (call(engine, HTTP_GET, "/info", NULL, BERTH_INSPECT_MS, &reply, err) <
        0)
        return -1;
    if (reply.status != 200)
        return fail_status(engine, &reply, "say where its images are", err);
    if (!is_json(&reply))
        return fail_type(engine, &reply, err);
    if (parse_root(reply.body, reply.length, out, size, &why) < 0)
        return fail_answer(engine, &why, err);
    return 0;
}

int engine_image_names(struct engine *engine, struct engine_named **list,
                       size_t *n, struct berth_err *err)
{
    struct parse_flat flat;
    struct berth_err why = {0};

    int rc = get_list(engine, "/images/json", "list its images", &flat, err);
    if (rc == 0 && parse_named(flat.text, flat.len, list, n, &why) < 0)
        rc = fail_answer(engine, &why, err);
    free(flat.text);
    return rc;
}

int engine_image_sizes(struct engine *engine, const char *reference,
                       uint64_t **sizes, size_t *n, struct berth_err *err)
{
    struct parse_flat flat;
    struct berth_err why = {0};
    char name[3 * BERTH_IMAGE_MAX + 1], target[sizeof(name) + 32];

    if (encode_reference(reference, name, sizeof(name), err) < 0)
        return -1;
    snprintf(target, sizeof(target), "/images/%s/history", name);
    int rc =
        get_list(engine, target, "say what the image is made of", &flat, err);
    if (rc == 0 && parse_sizes(flat.text, flat.len, sizes, n, &why) < 0)
        rc = fail_answer(engine, &why, err);
    free(flat.text);
    return rc;
}

int engine_image_load(struct engine *engine, const struct http_upload *upload,
                      long limit_ms, struct berth_err *err)
{
    struct http_reply reply;
    struct berth_err why = {0};
    char target[64], message[sizeof(err->text)];
    const struct http_request request = {
        .method = HTTP_POST,
        .target = target,
        .upload = upload,
        .limit_ms = limit_ms,
    };

    snprintf(target, sizeof(target), "/v1.%d/images/load?quiet=1",
             engine->minor);
    if (http_call(engine->http, &request, &reply, err) < 0)
        return -1;
    if (reply.status != 200)
        return fail_status(engine, &reply, "load the image", err);
    if (!is_json(&reply))
        return fail_type(engine, &reply, err);
    // What fails later than the answer's beginning is said in its middle.
    if (parse_progress(reply.body, reply.length, message, sizeof(message),
                       &why) < 0)
        return fail_answer(engine, &why, err);
    return *message ? fail(err, BERTH_EENGINE, "%s cannot load the image: %s",
                           engine->name, message)
                    : 0;
}

int engine_image_save(struct engine *engine, const char *id,
                      const struct http_download *download, long limit_ms,
                      struct berth_err *err)
{
    struct http_reply reply;
    char target[128];
    const struct http_request request = {
        .method = HTTP_GET,
        .target = target,
        .download = download,
        .limit_ms = limit_ms,
    };

    snprintf(target, sizeof(target), "/v1.%d/images/%.71s/get", engine->minor,
             id);
    if (http_call(engine->http, &request, &reply, err) < 0)
        return -1;
    return reply.status == 200
               ? 0
               : fail_status(engine, &reply, "write the image's layers", err);
}

int engine_image_config(struct engine *engine, const char *id, json_t **out,
                        struct berth_err *err)
{
    struct http_reply reply;
    struct berth_err why = {0};
    char target[128], version[16];
    const struct http_request request = {
        .method = HTTP_GET,
        .target = target,
        .limit_ms = BERTH_INSPECT_MS,
        .max = BERTH_IMAGE_RESPONSE_MAX,
    };

    snprintf(version, sizeof(version), "v1.%d", engine->minor);
    snprintf(target, sizeof(target), "/%s/images/%.71s/json",
             engine->podman ? LIBPOD : version, id);
    if (http_call(engine->http, &request, &reply, err) < 0)
        return -1;
    if (reply.status != 200)
        return fail_status(engine, &reply, "look up the image", err);
    if (!is_json(&reply))
        return fail_type(engine, &reply, err);
    if (parse_config(reply.body, reply.length, out, &why) < 0)
        return fail_answer(engine, &why, err);
    return 0;
}

int engine_image_tag(struct engine *engine, const char *id,
                     const char *repository, const char *tag,
                     struct berth_err *err)
{
    struct http_reply reply;
    char target[512];

    if ((size_t)snprintf(target, sizeof(target),
                         "/images/%s/tag?repo=%s&tag=%s", id, repository,
                         tag) >= sizeof(target))
        return err_set(err, BERTH_EINVAL, "a name is too long");
    if (call(engine, HTTP_POST, target, NULL, BERTH_CREATE_MS, &reply, err) < 0)
        return -1;
    return reply.status == 201
               ? 0
               : fail_status(engine, &reply, "name the image", err);
}

// A container's name or ID, which goes into a path as it is.
static int check_name(const char *name, struct berth_err *err)
{
    size_t n = strlen(name);

    if (n < 2 || n > BERTH_NAME_MAX || !isalnum((unsigned char)name[0]) ||
        strspn(name, "abcdefghijklmnopqrstuvwxyz"
                     "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                     "0123456789_.-") != n)
        return fail(err, BERTH_EINVAL, "\"%s\" is not a container's name",
                    name);
    return 0;
}

// Sends BODY and reads the new container's id.
static int create(struct engine *engine, const struct http_request *request,
                  char id[65], struct berth_err *err)
{
    struct http_reply reply;
    struct berth_err why = {0};

    if (strlen(request->json) > BERTH_REQUEST_MAX)
        return err_set(err, BERTH_EINVAL,
                       "the request for the container has %zu bytes; the "
                       "limit is %d",
                       strlen(request->json), (int)BERTH_REQUEST_MAX);
    if (http_call(engine->http, request, &reply, err) < 0)
        return -1;
    if (reply.status != 201) {
        fail_status(engine, &reply, "create the container", &why);
        bool refused = is_json(&reply) && reply.status >= 400;
        return err_set(err, refused ? BERTH_EREFUSED : why.code, "%s",
                       why.text);
    }
    if (!is_json(&reply))
        return fail_type(engine, &reply, err);
    if (parse_created(reply.body, reply.length, id, &why) < 0)
        return fail_answer(engine, &why, err);
    return 0;
}

int engine_container_create(struct engine *engine, const char *name,
                            const json_t *request, char id[65],
                            struct berth_err *err)
{
    char target[BERTH_NAME_MAX + 64];

    if (check_name(name, err) < 0)
        return -1;
    snprintf(target, sizeof(target), "/v1.%d/containers/create?name=%s",
             engine->minor, name);
    char *body = json_dumps(request, JSON_COMPACT);
    if (!body)
        return err_set(err, BERTH_ENOMEM, "out of memory");
    const struct http_request post = {
        .method = HTTP_POST,
        .target = target,
        .json = body,
        .limit_ms = BERTH_CREATE_MS,
        .whole = true,
    };
    int rc = create(engine, &post, id, err);
    free(body);
    return rc;
}

int engine_container_create_libpod(struct engine *engine, const char *text,
                                   char id[65], struct berth_err *err)
{
    const struct http_request post = {
        .method = HTTP_POST,
        .target = "/" LIBPOD "/containers/create",
        .json = text,
        .limit_ms = BERTH_CREATE_MS,
        .whole = true,
    };

    return create(engine, &post, id, err);
}

int engine_container_start(struct engine *engine, const char *id,
                           struct berth_err *err)
{
    struct http_reply reply;
    char target[BERTH_NAME_MAX + 64];

    if (check_name(id, err) < 0)
        return -1;
    snprintf(target, sizeof(target), "/containers/%s/start", id);
    if (call(engine, HTTP_POST, target, NULL, BERTH_CREATE_MS, &reply, err) < 0)
        return -1;
    // 304: it runs already.
    if (reply.status != 204 && reply.status != 304)
        return fail_status(engine, &reply, "start the container", err);
    return 0;
}

int engine_container_inspect(struct engine *engine, const char *id,
                             struct engine_container *out,
                             struct berth_err *err)
{
    struct http_reply reply;
    struct berth_err why = {0};
    char target[BERTH_NAME_MAX + 64];

    if (check_name(id, err) < 0)
        return -1;
    snprintf(target, sizeof(target), "/containers/%s/json", id);
    if (call(engine, HTTP_GET, target, NULL, BERTH_INSPECT_MS, &reply, err) < 0)
        return -1;
    if (reply.status != 200)
        return fail_status(engine, &reply, "look up the container", err);
    if (!is_json(&reply))
        return fail_type(engine, &reply, err);
    if (parse_container(reply.body, reply.length, out, &why) < 0)
        return fail_answer(engine, &why, err);
    return 0;
}

// One attempt. Returns 1 when the container is gone, 0 when the engine is
// not done with it or failed (ERR says how), -1 when asking again is no use.
static int try_remove(struct engine *e, const char *id, long limit_ms,
                      struct berth_err *err)
{
    struct http_reply reply;
    char target[BERTH_NAME_MAX + 64];

    snprintf(target, sizeof(target), "/containers/%s?force=true&v=true", id);
    if (call(e, HTTP_DELETE, target, NULL, limit_ms, &reply, err) < 0)
        return -1;
    // Docker and Podman answer when the container is no more.
    if (reply.status == 204 || reply.status == 200)
        return 1;
    struct berth_err why = {0};
    fail_status(e, &reply, "remove the container", &why);
    if (why.code == BERTH_ENOTFOUND)
        return 1;
    err_set(err, why.code, "%s", why.text);
    // 409: a removal is in progress. 500: it failed, or met the engine's own
    // removal in the middle; the next attempt tells.
    return reply.status == 409 || reply.status == 500 ? 0 : -1;
}

int engine_container_remove(struct engine *engine, const char *id,
                            struct berth_err *err)
{
    long long end = clock_ms() + BERTH_REMOVE_MS;
    struct berth_err last = {0};
    int pause_ms = 5;
    int rc;

    if (check_name(id, err) < 0)
        return -1;
    while ((rc = try_remove(engine, id, (long)(end - clock_ms()), &last)) ==
           0) {
        if (clock_ms() + pause_ms >= end)
            break;
        clock_sleep(pause_ms);
        if (pause_ms < 200)
            pause_ms *= 2;
    }
    return rc > 0 ? 0 : err_set(err, last.code, "%s", last.text);
}
