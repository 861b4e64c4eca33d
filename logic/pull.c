// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The words are those of skopeo 1.9 to 1.20 with docker-registry, Docker Hub
// and GitLab. Those that aren't known are shown as they are.

#include "logic/pull.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *words;
    enum pull_cause cause;
} known[] = {
    // The first that is there counts.
    {"proxyconnect", PULL_PROXY},
    {"toomanyrequests", PULL_LIMITED},
    {"too many requests", PULL_LIMITED},
    {"Too Many Requests", PULL_LIMITED},
    {"manifest unknown", PULL_NO_TAG},
    {"name unknown", PULL_NO_REPOSITORY},
    {"repository name not known", PULL_NO_REPOSITORY},
    {"was deleted or has expired", PULL_NO_TAG},
    {"unauthorized", PULL_UNAUTHORIZED},
    {"Unauthorized", PULL_UNAUTHORIZED},
    {"authentication required", PULL_UNAUTHORIZED},
    {"requested access to the resource is denied", PULL_DENIED},
    {"denied", PULL_DENIED},
    {"Forbidden", PULL_DENIED},
    {"x509:", PULL_CERTIFICATE},
    {"certificate", PULL_CERTIFICATE},
    {"server gave HTTP response to HTTPS client", PULL_PLAIN},
    {"connection refused", PULL_REFUSED},
    {"no such host", PULL_NO_HOST},
    {"no route to host", PULL_NO_HOST},
    {"network is unreachable", PULL_NO_HOST},
    {"server misbehaving", PULL_NO_HOST},
    {"Temporary failure in name resolution", PULL_NO_HOST},
    {"looking for beginning of value", PULL_PORTAL},
    {"fetching blob: invalid status code from registry 404", PULL_NO_BLOB},
    {"blob unknown", PULL_NO_BLOB},
    {"exceeded maximum allowed size", PULL_LONG},
    {"Digest did not match", PULL_DIGEST},
    {"digest mismatch", PULL_DIGEST},
    {"does not match provided manifest digest", PULL_DIGEST},
    {"corrupted blob", PULL_DIGEST},
    {"unexpected end of JSON", PULL_CUT},
    {"unexpected EOF", PULL_CUT},
    {"connection reset", PULL_CUT},
    {"broken pipe", PULL_CUT},
    {": EOF", PULL_CUT},
    {"expected 0 bytes in blob", PULL_CUT},
    {"i/o timeout", PULL_CUT},
    {"TLS handshake timeout", PULL_CUT},
    {"Bad Gateway", PULL_SERVER},
    {"Service Unavailable", PULL_SERVER},
    {"Internal Server Error", PULL_SERVER},
    {"Gateway Time", PULL_SERVER},
    {"status code 5", PULL_SERVER},
    {"StatusCode: 5", PULL_SERVER},
    {"received unexpected HTTP status: 5", PULL_SERVER},
    {"StatusCode: 401", PULL_UNAUTHORIZED},
    {"StatusCode: 403", PULL_DENIED},
    {"StatusCode: 404", PULL_NO_TAG},
    {"not found", PULL_NO_TAG},
    {"Source image rejected", PULL_POLICY},
    {"rejected by policy", PULL_POLICY},
};

// Copies what is left of SAID without what others have named: what is quoted,
// has a slash in it, or is a tag. An image may be called "denied".
static void take_words(const char *said, char *out, size_t size)
{
    static const char reading[] = "reading manifest ", is_in[] = " in ";
    size_t used = 0, n;

    for (const char *p = said; *p && used + 1 < size; p += n) {
        const char *quote = *p == '"' ? strchr(p + 1, '"') : NULL;
        const char *at =
            strncmp(p, reading, strlen(reading)) == 0 ? strstr(p, is_in) : NULL;
        n = strcspn(p, " \"");
        if (quote || at) {
            n = (size_t)((quote ? quote + 1 : at) - p);
            continue;
        }
        if (n == 0)
            n = 1;
        else if (memchr(p, '/', n) && strncmp(p, "i/o", 3) != 0)
            continue;
        size_t room = size - 1 - used;
        size_t len = n < room ? n : room;
        memcpy(out + used, p, len);
        used += len;
    }
    out[used] = 0;
}

static enum pull_cause cause_of(const char *said)
{
    enum pull_cause cause = PULL_UNKNOWN;
    char words[FETCH_TEXT_MAX];

    take_words(said, words, sizeof(words));
    for (size_t i = 0;
         cause == PULL_UNKNOWN && i < sizeof(known) / sizeof(*known); i++)
        if (strstr(words, known[i].words))
            cause = known[i].cause;
    // Its manifest was there.
    return (cause == PULL_NO_TAG || cause == PULL_NO_REPOSITORY) &&
                   strstr(words, "fetching blob: ")
               ? PULL_NO_BLOB
               : cause;
}

enum pull_cause pull_cause(const char *said)
{
    const char *mirrors = strstr(said, "Mirrors also failed: [");
    const char *last = mirrors ? strstr(mirrors, "]): ") : NULL;

    if (!last)
        return cause_of(said);
    // The registry's own word, which comes last; unless it has none, as where
    // nodes have a way to the mirrors only.
    enum pull_cause own = cause_of(last);
    return own == PULL_NO_HOST || own == PULL_REFUSED || own == PULL_UNKNOWN
               ? cause_of(said)
               : own;
}

bool pull_is_passing(enum pull_cause cause)
{
    return cause == PULL_LIMITED || cause == PULL_SERVER || cause == PULL_CUT ||
           cause == PULL_REFUSED;
}

// --- the sentence ------------------------------------------------------------

// "the image X cannot be fetched to node N: " and the rest.
static int say(const struct pull_facts *f, struct berth_err *err,
               const char *rest)
{
    return err_set(err, BERTH_ENOTFOUND,
                   "the image %s cannot be fetched to node %s: %s", f->image,
                   f->node, rest);
}

static int sayf(const struct pull_facts *f, struct berth_err *err,
                const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static int sayf(const struct pull_facts *f, struct berth_err *err,
                const char *fmt, ...)
{
    char rest[900];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(rest, sizeof(rest), fmt, ap);
    va_end(ap);
    return say(f, err, rest);
}

static int explain_credentials(const struct pull_facts *f, const char *denied,
                               struct berth_err *err)
{
    if (f->had_credentials)
        return sayf(f, err,
                    "%s %s the credentials of %s: log in there anew (docker "
                    "login, podman login), or ask for access",
                    f->registry, denied, f->credentials);
    if (f->helper && f->asked)
        return sayf(f, err,
                    "%s wants credentials, and docker-credential-%s, which %s "
                    "names, had none or took too long: see what it says on the "
                    "node, or log in with podman login, which writes them to a "
                    "file",
                    f->registry, f->helper, f->credentials);
    if (f->helper)
        return sayf(f, err,
                    "%s wants credentials, and %s names docker-credential-%s "
                    "for these, which the policy does not name "
                    "(credential_helpers): log in with podman login, which "
                    "writes them to a file, or ask your administrator",
                    f->registry, f->credentials, f->helper);
    return sayf(f, err,
                "%s wants credentials for it, and %s has none: log in (docker "
                "login %s, podman login %s) with your home as it is on the "
                "nodes, or check the name",
                f->registry, f->credentials, f->registry, f->registry);
}

static int explain_said(const struct fetch_failed *why,
                        const struct pull_facts *f, struct berth_err *err)
{
    char quoted[400];

    switch (pull_cause(why->text)) {
    case PULL_NO_TAG:
        return sayf(f, err, "%s has no such tag or digest: check the name",
                    f->registry);
    case PULL_NO_REPOSITORY:
        return sayf(f, err, "%s has no such repository: check the name",
                    f->registry);
    case PULL_UNAUTHORIZED:
        return explain_credentials(f, "refuses", err);
    case PULL_DENIED:
        return explain_credentials(f, "gives nothing for", err);
    case PULL_LIMITED:
        return sayf(f, err,
                    "%s limits how much is fetched from it, and said so for "
                    "%u s: try later, or ask your administrator for a mirror",
                    f->registry, f->seconds);
    case PULL_SERVER:
        return sayf(f, err,
                    "%s has a fault of its own (an HTTP status of 5xx), also "
                    "after %u s: try later",
                    f->registry, f->seconds);
    case PULL_REFUSED:
        return sayf(f, err,
                    "nobody answers at %s (connection refused): check the "
                    "name, or try later",
                    f->registry);
    case PULL_NO_HOST:
        return sayf(f, err,
                    "the node finds no way to %s: check the name, or ask your "
                    "administrator whether nodes have a way there",
                    f->registry);
    case PULL_CUT:
        return sayf(f, err, "%s broke off, also after %u s: try later",
                    f->registry, f->seconds);
    case PULL_CERTIFICATE:
        return sayf(f, err,
                    "%s has a certificate that the node does not trust: ask "
                    "your administrator to put its issuer into "
                    "/etc/containers/certs.d/%s",
                    f->registry, f->registry);
    case PULL_PLAIN:
        return sayf(f, err,
                    "%s speaks HTTP without TLS: ask your administrator to "
                    "allow that in /etc/containers/registries.conf (insecure)",
                    f->registry);
    case PULL_PORTAL:
        return sayf(f, err,
                    "what answers for %s is no registry, but perhaps a page to "
                    "log in to the network: tell your administrator",
                    f->registry);
    case PULL_DIGEST:
        return sayf(f, err,
                    "%s sends other bytes than it has said (their digest "
                    "differs): tell whoever runs it",
                    f->registry);
    case PULL_NO_BLOB:
        return sayf(f, err,
                    "%s has the image and lacks a part of it: ask whoever "
                    "pushed it to do so again",
                    f->registry);
    case PULL_PROXY:
        return say(f, err,
                   "the proxy by way of which images are fetched (fetch_proxy) "
                   "does not answer: tell your administrator");
    case PULL_LONG:
        return say(f, err,
                   "its manifest is larger than the 4 MB that are taken for "
                   "one: ask its author for a shorter one");
    case PULL_POLICY:
        return say(f, err,
                   "the node's /etc/containers/policy.json refuses it, for "
                   "want of a signature: ask your administrator");
    default:
        err_quote(why->text, quoted, sizeof(quoted));
        // It quotes names itself.
        for (char *p = quoted; (p = strchr(p, '"'));)
            *p = '\'';
        return sayf(f, err,
                    "skopeo says \"%s\": tell your administrator if that does "
                    "not say enough",
                    quoted);
    }
}

static int explain_cap(const struct pull_facts *f, const char *how,
                       const char *key, uint64_t bytes, struct berth_err *err)
{
    return sayf(f, err,
                "it is larger than the %" PRIu64 " MB that an image may have "
                "here %s (%s): use a smaller one, or ask your administrator",
                bytes / 1000000, how, key);
}

int pull_explain(const struct fetch_failed *why, const struct pull_facts *facts,
                 struct berth_err *err)
{
    const struct pull_facts *f = facts;
    char quoted[600];

    switch (why->code) {
    case FETCH_CODE_SAID:
        return explain_said(why, f, err);
    case FETCH_CODE_SILENT:
        return sayf(f, err, "%s has not said a word for %u s: try later",
                    f->registry, why->number);
    case FETCH_CODE_SLOW:
        return sayf(f, err,
                    "%s sends less than a kilobyte a second, and did so for %u "
                    "s: try later",
                    f->registry, why->number);
    case FETCH_CODE_LIMITED:
        return sayf(f, err,
                    "%s limits how much is fetched from it (tried %u times in "
                    "%u s): try later, or ask your administrator for a mirror",
                    f->registry, why->number, f->seconds);
    case FETCH_CODE_PACKED:
        return explain_cap(f, "as it is transferred", "pull_max", f->packed_max,
                           err);
    case FETCH_CODE_LARGE:
        return explain_cap(f, "unpacked", "pull_max_unpacked", f->unpacked_max,
                           err);
    case FETCH_CODE_ADDRESS:
        err_quote(why->text, quoted, sizeof(quoted));
        return sayf(f, err,
                    "%s leads to %s, and no fetch goes to the node itself or "
                    "to link-local addresses: tell your administrator",
                    f->registry, quoted);
    case FETCH_CODE_NO_SKOPEO:
        return say(f, err,
                   "skopeo, which fetches images, is missing there: ask your "
                   "administrator to install it");
    case FETCH_CODE_UNSIGNED:
        return say(f, err,
                   "the node's /etc/containers/policy.json demands something "
                   "of images, and the skopeo there is too old to look at it: "
                   "ask your administrator for a newer one");
    case FETCH_CODE_ENDED:
        return err_set(err, BERTH_EENDED, "nobody waits for it");
    case FETCH_CODE_LATE:
        return sayf(f, err,
                    "it took longer than the %u s that a fetch may take "
                    "(pull_seconds): try later, or ask your administrator",
                    f->seconds);
    case FETCH_CODE_ENGINE:
        if (strstr(why->text, "no space left on device"))
            return say(f, err,
                       "the disk of its container engine is full: tell your "
                       "administrator");
        // fallthrough
    default:
        err_quote(why->text, quoted, sizeof(quoted));
        return say(f, err, quoted);
    }
}
