// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include "logic/auth.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

// Writes the key KEY of such a file as REGISTRY[/PATH]: Docker's own are URLs,
// and Docker Hub's has a version in it.
static bool normalise(const char *key, char *out, size_t size)
{
    static const char *const ends[] = {"/v1", "/v2"};

    if (!strncmp(key, "https://", 8))
        key += 8;
    else if (!strncmp(key, "http://", 7))
        key += 7;
    size_t len = strlen(key);
    if (len >= size)
        return false;
    memcpy(out, key, len + 1);
    while (len > 0 && out[len - 1] == '/')
        out[--len] = 0;
    for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
        if (len > 3 && !strcmp(out + len - 3, ends[i]))
            out[len -= 3] = 0;
    static const char hub[] = "index.docker.io", name[] = "docker.io";
    size_t n = strcspn(out, "/");
    if (n == sizeof(hub) - 1 && !strncmp(out, hub, n))
        memmove(out, out + sizeof(hub) - sizeof(name),
                strlen(out + sizeof(hub) - sizeof(name)) + 1);
    return len > 0;
}

// The length of KEY if it is about REF, or 0.
static size_t fits(const char *key, const struct imgref *ref)
{
    char mine[600], whole[600];

    if (!normalise(key, mine, sizeof(mine)))
        return 0;
    snprintf(whole, sizeof(whole), "%s/%s", ref->domain, ref->path);
    size_t len = strlen(mine);
    return !strncmp(whole, mine, len) && (!whole[len] || whole[len] == '/')
               ? len
               : 0;
}

static bool take(const json_t *entry, const char *key, char *out)
{
    const char *text = json_string_value(json_object_get(entry, key));

    if (!text || !*text || strlen(text) >= AUTH_TEXT_MAX)
        return false;
    strcpy(out, text);
    return true;
}

// Whether NAME can be a part of a program's name.
static bool is_name(const char *name)
{
    for (const char *p = name; *p; p++)
        if (!(*p >= 'a' && *p <= 'z') && !(*p >= 'A' && *p <= 'Z') &&
            !(*p >= '0' && *p <= '9') && !strchr("_.-", *p))
            return false;
    return *name != 0;
}

static bool take_helper(const char *name, const char *server,
                        struct auth_helper *out)
{
    if (!name || !is_name(name) || strlen(name) >= sizeof(out->name) ||
        strlen(server) >= sizeof(out->server) || strchr(server, '\n'))
        return false;
    strcpy(out->name, name);
    strcpy(out->server, server);
    return true;
}

enum auth_found auth_find(const char *text, size_t len,
                          const struct imgref *ref, struct auth *out,
                          struct auth_helper *helper)
{
    json_t *root = json_loadb(text, len, 0, NULL), *entry, *found = NULL;
    enum auth_found rc = AUTH_NONE;
    size_t longest = 0;
    const char *key, *server = NULL;

    *out = (struct auth){.basic = ""};
    *helper = (struct auth_helper){.name = ""};
    json_object_foreach (json_object_get(root, "auths"), key, entry) {
        size_t n = fits(key, ref);
        if (n > longest) {
            longest = n;
            found = entry;
            server = key;
        }
    }
    bool basic = take(found, "auth", out->basic);
    bool token = take(found, "identitytoken", out->token);
    if (basic || token)
        rc = AUTH_FOUND;
    longest = 0;
    json_object_foreach (json_object_get(root, "credHelpers"), key, entry) {
        size_t n = rc != AUTH_FOUND ? fits(key, ref) : 0;
        if (n > longest && take_helper(json_string_value(entry), key, helper)) {
            longest = n;
            rc = AUTH_HELPER;
        }
    }
    // "docker login" with a store leaves an empty entry.
    if (rc == AUTH_NONE && found &&
        take_helper(json_string_value(json_object_get(root, "credsStore")),
                    server, helper))
        rc = AUTH_HELPER;
    json_decref(root);
    return rc;
}

// "USER:SECRET" as base64. False: it is too long.
static bool encode(const char *user, const char *secret, char *out, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t nuser = strlen(user), len = nuser + 1 + strlen(secret), at = 0;

    if ((len + 2) / 3 * 4 >= size)
        return false;
    for (size_t i = 0; i < len; i += 3) {
        unsigned group = 0;
        for (size_t k = i; k < i + 3; k++) {
            char c = k < nuser    ? user[k]
                     : k == nuser ? ':'
                     : k < len    ? secret[k - nuser - 1]
                                  : 0;
            group = group << 8 | (unsigned char)c;
        }
        for (int k = 0; k < 4; k++)
            out[at++] = digits[group >> (18 - 6 * k) & 63];
    }
    for (size_t i = 0; i < (3 - len % 3) % 3; i++)
        out[at - 1 - i] = '=';
    out[at] = 0;
    return true;
}

bool auth_read_answer(const char *text, size_t len, struct auth *out)
{
    json_t *root = json_loadb(text, len, 0, NULL);
    const char *user = json_string_value(json_object_get(root, "Username"));
    const char *secret = json_string_value(json_object_get(root, "Secret"));
    bool ok = user && secret && *secret;

    *out = (struct auth){.basic = ""};
    // It isn't a name, but says that the other is a token.
    if (ok && strcmp(user, "<token>") == 0)
        ok = take(root, "Secret", out->token);
    else if (ok)
        ok = encode(user, secret, out->basic, sizeof(out->basic));
    json_decref(root);
    return ok && auth_is_sane(out);
}

bool auth_is_sane(const struct auth *auth)
{
    static const char base64[] = "abcdefghijklmnopqrstuvwxyz"
                                 "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "0123456789+/=";

    if (!memchr(auth->basic, 0, sizeof(auth->basic)) ||
        !memchr(auth->token, 0, sizeof(auth->token)) ||
        auth->basic[strspn(auth->basic, base64)])
        return false;
    for (const char *p = auth->token; *p; p++)
        if (*p <= ' ' || *p >= 127)
            return false;
    return auth->basic[0] || auth->token[0];
}

char *auth_format(const struct auth *auth, const struct imgref *ref)
{
    json_t *entry = json_object();

    if (auth->basic[0])
        json_object_set_new(entry, "auth", json_string(auth->basic));
    if (auth->token[0])
        json_object_set_new(entry, "identitytoken", json_string(auth->token));
    json_t *root = json_pack("{s:{s:o}}", "auths", ref->domain, entry);
    char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;
    json_decref(root);
    return text;
}
