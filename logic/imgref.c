// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Parses image references and the patterns of an allowlist with one and the
// same code, so that the two can't come apart: a pattern only differs in
// that '*' counts as one more letter. The grammar is that of
// github.com/distribution/reference (regexp.go), the defaults are those of
// its normalize.go. Input is hostile; each refusal says in one sentence what
// was refused, by which rule, and what to write instead.

#include "logic/imgref.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "logic/glob.h"
#include "logic/limits.h"
#include "logic/utf8.h"

#define DEFAULT_DOMAIN "docker.io"
#define LEGACY_DOMAIN "index.docker.io"
#define OFFICIAL "library/"
#define DEFAULT_TAG "latest"
#define SCHEME "docker://"

enum {
    NAME_MAX_BYTES = 255, // domain/path, by the distribution grammar
    TAG_MAX_BYTES = 128,
    PORT_MAX = 65535,
};

// What is being parsed, for the sentences.
struct source {
    const char *what; // "image reference" or "image pattern"
    bool glob;
    const char *text;
    struct berth_err *err;
};

static int refuse(const struct source *src, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static int refuse(const struct source *src, const char *fmt, ...)
{
    char rule[640], quoted[ERR_QUOTE_MAX];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(rule, sizeof(rule), fmt, ap);
    va_end(ap);
    err_quote(src->text, quoted, sizeof(quoted));
    return err_set(src->err, BERTH_EINVAL, "the %s \"%s\" %s", src->what,
                   quoted, rule);
}

// <ctype.h> would ask the locale.
static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f');
}

// A star stands for letters and digits, where there may be stars.
static bool is_star(const struct source *src, char c)
{
    return src->glob && c == '*';
}

static bool starts_with(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

static bool ends_with(const char *s, const char *suffix)
{
    size_t n = strlen(s), m = strlen(suffix);

    return n >= m && strcmp(s + n - m, suffix) == 0;
}

// As snprintf does with a single %s, which takes a fourth of all the time that
// a pattern takes.
static void copy(char *to, size_t size, const char *from)
{
    size_t len = strlen(from), n = len < size ? len : size - 1;

    memcpy(to, from, n);
    to[n] = 0;
}

static bool has_upper(const char *s)
{
    for (; *s; s++)
        if (is_upper(*s))
            return true;
    return false;
}

static void lower(char *s)
{
    for (; *s; s++)
        if (is_upper(*s))
            *s += 'a' - 'A';
}

// The first character of S, whole and fit to be shown.
static const char *first_char(const char *s, char buf[8])
{
    size_t n = utf8_char(s);

    memcpy(buf, s, n ? n : 1);
    buf[n ? n : 1] = 0;
    err_scrub(buf);
    return buf;
}

// What may not stand anywhere in a reference.
static int check_text(const struct source *src, const char *s)
{
    if (!*s)
        return err_set(src->err, BERTH_EINVAL,
                       "the %s is empty: name an image, such as debian or "
                       "registry.example.org/team/app:1.2",
                       src->what);
    if (strnlen(s, BERTH_IMAGE_MAX + 1) > BERTH_IMAGE_MAX)
        return refuse(src,
                      "is longer than %d bytes, which no image name is: "
                      "shorten it",
                      BERTH_IMAGE_MAX);
    if (!utf8_valid(s))
        return refuse(src, "is not valid UTF-8: image names are plain ASCII, "
                           "type it anew");
    for (const char *p = s; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            return refuse(src,
                          "has a control character (byte 0x%02x): "
                          "type it anew without",
                          (unsigned)*p);
    if (strchr(s, ' '))
        return refuse(src, "has a space, which no image name has: "
                           "leave the space out");
    return 0;
}

// What people write who think of another plugin or tool.
static int check_kind(const struct source *src, const char *s)
{
    static const char *const files[] = {".sqsh", ".squashfs", ".sif", ".tar",
                                        ".tar.gz"};
    // Names of images as well, unless a path follows: oci:latest.
    static const char *const places[] = {
        "docker-archive:", "oci-archive:",        "oci:/", "oci:.",
        "docker-daemon:",  "containers-storage:", "dir:/", "dir:."};
    enum { ARCHIVES = 4 };
    bool is_path = strchr("/~", *s) || starts_with(s, "./") ||
                   starts_with(s, "../") || !strcmp(s, ".") || !strcmp(s, "..");

    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
        if (ends_with(s, files[i]) && (i < 3 || (is_path && *s != '~')))
            return refuse(src,
                          "looks like an image file (%s), which is for other "
                          "container tools: berth takes the name of an image "
                          "in a registry, such as debian",
                          files[i]);
    if (*s == '~')
        return refuse(src, "starts with ~, which is not expanded here: write "
                           "$HOME, where a shell reads it, or the path");
    if (is_path)
        return refuse(src, "looks like the path of an OCI bundle, which is "
                           "for Slurm's own --container: berth takes the name "
                           "of an image, such as debian or "
                           "registry.example.org/team/app:1.2");
    const char *scheme = strstr(s, "://");
    if (scheme) {
        char shown[17] = "";
        memcpy(shown, s, scheme - s < 16 ? (size_t)(scheme - s) : 16);
        err_scrub(shown); // half a character, where it is cut
        return refuse(src,
                      "starts with \"%s://\", which berth does not know: "
                      "leave it out, or write docker://",
                      shown);
    }
    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++)
        if (starts_with(s, places[i]))
            return refuse(src,
                          "starts with \"%.*s\", which says where other tools "
                          "find an image: %s",
                          (int)strcspn(places[i], ":") + 1, places[i],
                          i < ARCHIVES
                              ? "an archive is named as the file that it is, "
                                "such as ./image.tar"
                              : "what the nodes' engine has goes by its name, "
                                "such as debian");
    if (strchr(s, ',') || strchr(s, ';'))
        return refuse(src, "has a '%c': %s", strchr(s, ',') ? ',' : ';',
                      src->glob ? "give each image a word of its own"
                                : "name one image");
    if (!src->glob && strchr(s, '*'))
        return refuse(src, "has a '*': patterns are for the administrator's "
                           "allowlist, name one image");
    return 0;
}

static bool all_hex(const char *s)
{
    while (is_hex(*s))
        s++;
    return !*s;
}

// Image IDs say nothing about where an image comes from, so no policy could
// speak of them.
static int check_id(const struct source *src, const char *s)
{
    const char *hex = starts_with(s, "sha256:") ? s + strlen("sha256:") : s;

    if (strlen(hex) == 64 && all_hex(hex))
        return refuse(src, "is an image ID: write the image's name, or "
                           "NAME@sha256:DIGEST");
    return 0;
}

static int check_digest(const struct source *src, const char *s)
{
    static const struct {
        const char *prefix;
        size_t digits;
    } known[] = {{"sha256:", 64}, {"sha384:", 96}, {"sha512:", 128}};

    if (strchr(s, '@'))
        return refuse(src, "has more than one '@': write NAME@sha256:DIGEST");
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
        char buf[8];
        if (!starts_with(s, known[i].prefix))
            continue;
        const char *hex = s + strlen(known[i].prefix);
        if (has_upper(hex))
            return refuse(src, "has uppercase letters in its digest: digests "
                               "are written with 0-9 and a-f");
        for (const char *p = hex; *p; p++)
            if (!is_hex(*p))
                return refuse(src,
                              "has '%s' in its digest: digests are written "
                              "with 0-9 and a-f, and whole",
                              first_char(p, buf));
        if (strlen(hex) != known[i].digits)
            return refuse(src,
                          "has a digest of %zu digits, and %.6s takes %zu: "
                          "copy it whole",
                          strlen(hex), known[i].prefix, known[i].digits);
        return 0;
    }
    if (strchr(s, '#') || strchr(s, '/'))
        return refuse(src, "names a user in front of its '@': leave him out, "
                           "as the credentials are those that docker login "
                           "has written");
    return refuse(src, "has no digest that berth knows after its '@': write "
                       "NAME@sha256: and 64 digits (sha384 and sha512 are "
                       "known as well)");
}

// Takes "@digest" off the end of NAME.
static int cut_digest(const struct source *src, char *name, struct imgref *ref)
{
    char *at = strchr(name, '@');

    if (!at)
        return 0;
    if (check_digest(src, at + 1) < 0)
        return -1;
    // Checked: the longest digest is 7 + 128 bytes.
    copy(ref->digest, sizeof(ref->digest), at + 1);
    *at = 0;
    return 0;
}

static int check_tag(const struct source *src, const char *tag)
{
    char buf[8];

    if (!*tag)
        return refuse(src, "has no tag after its ':': write one, such as "
                           "\":latest\", or leave the ':' out");
    if (strlen(tag) > TAG_MAX_BYTES)
        return refuse(src, "has a tag of %zu bytes: %d are allowed",
                      strlen(tag), TAG_MAX_BYTES);
    if (*tag == '.' || *tag == '-')
        return refuse(src,
                      "has a tag that starts with '%c': tags start with a "
                      "letter, a digit or '_'",
                      *tag);
    if (strstr(tag, "**"))
        return refuse(src, "has \"**\" in its tag: write a single '*' there");
    for (const char *p = tag; *p; p++)
        if (!is_lower(*p) && !is_upper(*p) && !is_digit(*p) &&
            !strchr("_.-", *p) && !is_star(src, *p))
            return refuse(src,
                          "has '%s' in its tag: tags hold letters, digits, "
                          "'_', '.' and '-'",
                          first_char(p, buf));
    return 0;
}

// Takes ":tag" off the end of NAME.
static int cut_tag(const struct source *src, char *name, struct imgref *ref)
{
    char *slash = strrchr(name, '/');
    char *colon = strrchr(slash ? slash : name, ':');

    if (!colon)
        return 0;
    if (check_tag(src, colon + 1) < 0)
        return -1;
    copy(ref->tag, sizeof(ref->tag), colon + 1);
    *colon = 0;
    return 0;
}

// PORT is what stands behind the host: nothing, or ':' and digits.
static int check_port(const struct source *src, const char *port)
{
    long n = 0;

    if (!*port || (src->glob && !strcmp(port, ":*")))
        return 0;
    for (const char *p = port + 1; is_digit(*p) && n <= PORT_MAX; p++)
        n = n * 10 + (*p - '0');
    // One with zeros in front would be another name of the same registry.
    if (*port != ':' || port[1] == '0' ||
        port[1 + strspn(port + 1, "0123456789")] || n < 1 || n > PORT_MAX)
        return refuse(src,
                      "has no valid port behind its registry's name: write "
                      "HOST:PORT/IMAGE with a port from 1 to %d",
                      PORT_MAX);
    return 0;
}

static int check_host(const struct source *src, const char *host, size_t len)
{
    char buf[8];

    for (size_t i = 0; i <= len; i++) {
        char before = i > 0 ? host[i - 1] : '.';
        char c = i < len ? host[i] : '.';
        if (c == '.' && before == '.')
            return refuse(src, "has an empty part in its registry's name: "
                               "write it as in registry.example.org");
        if ((c == '-' && before == '.') || (c == '.' && before == '-'))
            return refuse(src, "has a '-' at an end of a part of its "
                               "registry's name: those start and end with a "
                               "letter or digit");
        if (is_star(src, c) && is_star(src, before))
            return refuse(src, "has \"**\" in its registry's name: write a "
                               "single '*' for each part of the name");
        if (!is_lower(c) && !is_upper(c) && !is_digit(c) && !strchr(".-", c) &&
            !is_star(src, c))
            return refuse(src,
                          "has '%s' in its registry's name: those hold "
                          "letters, digits, '-' and '.'",
                          first_char(host + i, buf));
    }
    return 0;
}

static int check_domain(const struct source *src, const char *domain)
{
    if (*domain == '[') {
        size_t n = strspn(domain + 1, "0123456789abcdefABCDEF:");
        if (n < 2 || domain[n + 1] != ']')
            return refuse(src, "has no IPv6 address between its brackets: "
                               "write it as in [2001:db8::1]:5000/image");
        return check_port(src, domain + n + 2);
    }
    size_t len = strcspn(domain, ":");
    if (check_host(src, domain, len) < 0)
        return -1;
    return check_port(src, domain + len);
}

// The whole reference in lowercase, but for what may have uppercase letters.
static int refuse_upper(const struct source *src, const char *domain,
                        const char *path, const struct imgref *ref)
{
    char host[NAME_MAX_BYTES + 1], small[NAME_MAX_BYTES + 1];
    char advice[sizeof(struct imgref) + sizeof(small)];
    char quoted[200];

    snprintf(small, sizeof(small), "%s", path);
    lower(small);
    // Without a dot it is a name like the others, that is taken for a host for
    // its uppercase letters only.
    snprintf(host, sizeof(host), "%s", domain);
    if (!strpbrk(host, ".:["))
        lower(host);
    snprintf(advice, sizeof(advice), "%s%s%s%s%s%s%s", host, *host ? "/" : "",
             small, *ref->tag ? ":" : "", ref->tag, *ref->digest ? "@" : "",
             ref->digest);
    err_quote(advice, quoted, sizeof(quoted));
    return refuse(src, "has uppercase letters: write \"%s\"", quoted);
}

// One byte of a path, by its neighbours: '.', '_', "__" and any number of
// '-' stand between letters or digits only.
static int check_path_char(const struct source *src, const char *path,
                           const char *p)
{
    char c = *p ? *p : '/';
    char buf[8];

    if (is_lower(c) || is_digit(c) || is_star(src, c))
        return 0;
    char before = p > path ? p[-1] : '/';
    bool before_word =
        is_lower(before) || is_digit(before) || is_star(src, before);
    if (c == ':')
        return refuse(src, "has a ':' in the middle of its name: write "
                           "[HOST:PORT/]NAME[:TAG]");
    if (!strchr("/._-", c))
        return refuse(src,
                      "has '%s' in its name: names hold lowercase letters, "
                      "digits, '.', '_', '-' and '/'",
                      first_char(p, buf));
    if (c == '/' && before == '/')
        return refuse(src, *p ? "has two slashes in a row: write one"
                              : "has no name after its last '/': write the "
                                "image's name there");
    if (before_word || (c == '-' && before == '-') ||
        (c == '_' && before == '_' && p - path >= 2 && p[-2] != '_'))
        return 0;
    return refuse(src,
                  "has a '%c' out of place in its name: '.', '_', \"__\" and "
                  "'-' stand between letters or digits only",
                  strchr("._-", before) ? before : c);
}

static int check_path(const struct source *src, const char *path)
{
    for (const char *p = path;; p++) {
        if (check_path_char(src, path, p) < 0)
            return -1;
        if (!*p)
            return 0;
    }
}

// "**" is a whole component, or it would be unclear what it means.
static int check_stars(const struct source *src, const char *path)
{
    const char *p = path;

    while ((p = strstr(p, "**"))) {
        if ((p > path && p[-1] != '/') || (p[2] && p[2] != '/'))
            return refuse(src, "has \"**\" beside other characters: \"**\" "
                               "stands alone between slashes, '*' within a "
                               "part of the name");
        p += 2;
    }
    return 0;
}

static bool looks_like_domain(const char *first)
{
    return strpbrk(first, ".:[") || has_upper(first) ||
           !strcmp(first, "localhost");
}

// Takes NAME apart into domain and path, with Docker's defaults.
static int split_name(const struct source *src, char *name, struct imgref *ref)
{
    char *slash = strchr(name, '/');
    const char *domain = "";
    const char *path = name;

    if (slash) {
        *slash = 0;
        if (looks_like_domain(name)) {
            domain = name;
            path = slash + 1;
            if (check_domain(src, domain) < 0)
                return -1;
        } else {
            *slash = '/';
        }
    }
    if (strlen(name) > NAME_MAX_BYTES || strlen(path) > NAME_MAX_BYTES)
        return refuse(src, "has a name of more than %d bytes: shorten it",
                      NAME_MAX_BYTES);
    if (has_upper(path))
        return refuse_upper(src, domain, path, ref);
    if (check_path(src, path) < 0 || check_stars(src, path) < 0)
        return -1;

    const char *official = "";
    if (!*domain && !strcmp(path, "**")) {
        domain = "**";
    } else {
        if (!*domain || !strcmp(domain, LEGACY_DOMAIN))
            domain = DEFAULT_DOMAIN;
        if (!strcmp(domain, DEFAULT_DOMAIN) && !strchr(path, '/') &&
            strcmp(path, "**") != 0)
            official = OFFICIAL;
    }
    if (strlen(domain) + 1 + strlen(official) + strlen(path) > NAME_MAX_BYTES)
        return refuse(src,
                      "has a name of more than %d bytes, registry and all: "
                      "shorten it",
                      NAME_MAX_BYTES);
    size_t n = strlen(official);
    copy(ref->domain, sizeof(ref->domain), domain);
    copy(ref->path, sizeof(ref->path), official);
    copy(ref->path + n, sizeof(ref->path) - n, path);
    return 0;
}

// Makes "REGISTRY#IMAGE", as pyxis and enroot write it, "REGISTRY/IMAGE".
// With the slash, what does not look like a registry would be a part of the
// name on Docker Hub.
static int join_registry(const struct source *src, char *name)
{
    char *hash = strchr(name, '#');

    if (!hash)
        return 0;
    *hash = 0;
    if (strchr(name, '/') || !looks_like_domain(name) || strchr(hash + 1, '#'))
        return refuse(src, "has a '#' that does not stand behind a registry: "
                           "write REGISTRY/IMAGE, or REGISTRY#IMAGE");
    *hash = '/';
    return 0;
}

static int parse(struct source *src, const char *s, struct imgref *out)
{
    struct imgref ref = {0};
    char name[BERTH_IMAGE_MAX + 1];

    s = s ? s : "";
    src->text = s;
    if (check_text(src, s) < 0)
        return -1;
    if (starts_with(s, SCHEME))
        s += strlen(SCHEME);
    if (!*s)
        return refuse(src, "names no image after docker://: write one, such "
                           "as docker://debian");
    if (check_kind(src, s) < 0 || check_id(src, s) < 0)
        return -1;
    copy(name, sizeof(name), s);
    if (join_registry(src, name) < 0)
        return -1;
    // Here, since its colons would be taken for a tag's.
    if (*name == '[' && !strchr(name, '/'))
        return refuse(src,
                      "names a registry and no image: write REGISTRY/IMAGE");
    if (cut_digest(src, name, &ref) < 0 || cut_tag(src, name, &ref) < 0)
        return -1;
    if (!*name)
        return refuse(src, "has no name: write NAME[:TAG][@DIGEST]");
    if (split_name(src, name, &ref) < 0)
        return -1;
    if (!src->glob && !*ref.tag && !*ref.digest)
        memcpy(ref.tag, DEFAULT_TAG, sizeof(DEFAULT_TAG));
    *out = ref;
    return 0;
}

int imgref_parse(const char *s, struct imgref *out, struct berth_err *err)
{
    struct source src = {.what = "image reference", .err = err};

    return parse(&src, s, out);
}

struct imgpat *imgpat_parse(const char *s, struct berth_err *err)
{
    struct source src = {.what = "image pattern", .glob = true, .err = err};
    struct imgref parts;

    if (parse(&src, s, &parts) < 0)
        return NULL;
    const char *const from[] = {parts.domain, parts.path, parts.tag,
                                parts.digest};
    size_t size = 0;
    for (size_t i = 0; i < 4; i++)
        size += strlen(from[i]) + 1;
    struct imgpat *pat = malloc(sizeof(*pat) + size);
    if (!pat) {
        err_set(err, BERTH_ENOMEM, "memory is out");
        return NULL;
    }
    const char **const to[] = {&pat->domain, &pat->path, &pat->tag,
                               &pat->digest};
    char *at = pat->text;
    for (size_t i = 0; i < 4; i++) {
        *to[i] = at;
        at = stpcpy(at, from[i]) + 1;
    }
    return pat;
}

void imgref_format(const struct imgref *ref, char buf[IMGREF_TEXT_MAX])
{
    snprintf(buf, IMGREF_TEXT_MAX, "%s/%s%s%s%s%s", ref->domain, ref->path,
             *ref->tag ? ":" : "", ref->tag, *ref->digest ? "@" : "",
             ref->digest);
}

bool imgpat_match(const struct imgpat *want, const struct imgref *ref)
{
    if (*want->digest) {
        if (strcmp(want->digest, ref->digest) != 0)
            return false;
    } else if (*want->tag && *ref->digest) {
        // The engine would go by the digest and not look at the tag.
        return false;
    }
    if (*want->tag && !glob_match(want->tag, ref->tag, ""))
        return false;
    // The path first, since many patterns have one domain.
    return glob_match(want->path, ref->path, "/") &&
           glob_match(want->domain, ref->domain, ".:[]");
}
