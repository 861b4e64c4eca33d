// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "logic/glob.h"
#include "logic/imgref.h"
#include "logic/limits.h"
#include "logic/utf8.h"

#define COUNT(table) (sizeof(table) / sizeof(*(table)))

#define X16 "0123456789abcdef"
#define X64 X16 X16 X16 X16
#define A50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A100 A50 A50
#define A128 A100 "aaaaaaaaaaaaaaaaaaaaaaaaaaaa"

struct refusal {
    const char *text;
    const char *reason; // a part of the sentence
};

static const struct refusal refused[] = {
    // Nothing there.
    {NULL, "is empty"},
    {"", "is empty"},
    {"docker://", "names no image after docker://"},
    {":", "no tag after its ':'"},
    {":latest", "has no name"},
    {"@sha256:" X64, "has no name"},
    {":latest@sha256:" X64, "has no name"},
    // Paths, which other plugins take.
    {"/", "looks like the path of an OCI bundle"},
    {"/srv/bundles/debian", "looks like the path of an OCI bundle"},
    {"./debian", "looks like the path of an OCI bundle"},
    {"../debian", "looks like the path of an OCI bundle"},
    {".", "looks like the path of an OCI bundle"},
    {"..", "looks like the path of an OCI bundle"},
    {"~/debian", "starts with ~, which is not expanded here: write $HOME, "
                 "where a shell reads it, or the path"},
    {"~berth/debian.tar", "starts with ~"},
    {"~/debian.sqsh", "looks like an image file (.sqsh)"},
    {"docker:///debian", "looks like the path of an OCI bundle"},
    {"debian.sqsh", "looks like an image file (.sqsh)"},
    {"images/debian.sqsh", "looks like an image file (.sqsh)"},
    {"debian.squashfs", "looks like an image file (.squashfs)"},
    {"debian.sif", "looks like an image file (.sif)"},
    {"/srv/debian.sqsh", "looks like an image file (.sqsh)"},
    {"./img.sif", "looks like an image file (.sif)"},
    {"./img.tar", "looks like an image file (.tar)"},
    {"docker-archive:img.tar",
     "starts with \"docker-archive:\", which says where other tools find an "
     "image: an archive is named as the file that it is, such as ./image.tar"},
    {"oci:/srv/img", "starts with \"oci:\", which says where other tools find "
                     "an image: an archive is named as the file that it is"},
    {"docker-daemon:debian:12",
     "starts with \"docker-daemon:\", which says where other tools find an "
     "image: what the nodes' engine has goes by its name, such as debian"},
    // Other tools' ways of writing.
    {"https://docker.io/debian", "starts with \"https://\""},
    // Cut within a character.
    {"aaaaaaaaaaaaaaa\xc3\xa4://debian", "starts with \"aaaaaaaaaaaaaaa?://\""},
    {"oci://debian", "starts with \"oci://\""},
    {"docker://docker://debian", "starts with \"docker://\""},
    {"Docker://debian", "starts with \"Docker://\""},
    {"://debian", "starts with \"://\""},
    {"#debian", "has a '#' that does not stand behind a registry: write "
                "REGISTRY/IMAGE, or REGISTRY#IMAGE"},
    {"team#app", "has a '#' that does not stand behind a registry"},
    {"nvcr.io/nvidia#pytorch", "has a '#' that does not stand behind"},
    {"nvcr.io#nvidia#pytorch", "has a '#' that does not stand behind"},
    {"me@nvcr.io#nvidia/pytorch",
     "names a user in front of its '@': leave him out, as the credentials are "
     "those that docker login has written"},
    {"nvcr.io#/pytorch", "has two slashes in a row"},
    {"nvcr.io#", "has no name after its last '/'"},
    {"debian,alpine", "has a ','"},
    {"debian;alpine", "has a ';'"},
    {"debian*", "has a '*'"},
    {"**", "has a '*'"},
    {"debian:*", "has a '*'"},
    // Identifiers.
    {X64, "is an image ID"},
    {"sha256:" X64, "is an image ID"},
    {"docker://" X64, "is an image ID"},
    // Bytes that no reference has.
    {"debian alpine", "has a space"},
    {" debian", "has a space"},
    {"debian\n", "has a control character (byte 0x0a)"},
    {"deb\tian", "has a control character (byte 0x09)"},
    {"deb\033[2Jian", "has a control character (byte 0x1b)"},
    {"debian\177", "has a control character (byte 0x7f)"},
    {"deb\xff", "is not valid UTF-8"},
    {"deb\xc0\xaf", "is not valid UTF-8"},
    {"d\xc3\xa9"
     "bian",
     "has '\xc3\xa9' in its name"},
    {"debian:\xe2\x82\xac", "in its tag"},
    {"r\xc3\xa9g.io/debian", "in its registry's name"},
    {"debi\\an", "has '\\' in its name"},
    {"debian?x=1", "has '?' in its name"},
    {"debian%2f", "has '%' in its name"},
    {"debian$HOME", "has uppercase letters"},
    {"debian$(id)", "has '$' in its name"},
    {"\"debian\"", "has '\"' in its name"},
    {"debian+x", "has '+' in its name"},
    // Uppercase letters, with what to write.
    {"Debian", "has uppercase letters: write \"debian\""},
    {"docker://Team/Conda", "has uppercase letters: write \"team/conda\""},
    {"Reg.io/Conda", "has uppercase letters: write \"Reg.io/conda\""},
    {"Debian:Stable", "write \"debian:Stable\""},
    {"docker.io/Library/debian", "write \"docker.io/library/debian\""},
    {"REG.io/App:V1@sha256:" X64, "write \"REG.io/app:V1@sha256:0123"},
    // Names.
    {"debian/", "no name after its last '/'"},
    {"localhost/", "no name after its last '/'"},
    {"team//app", "two slashes in a row"},
    {"docker.io//debian", "two slashes in a row"},
    {"-debian", "has a '-' out of place"},
    {"debian-", "has a '-' out of place"},
    {".debian", "has a '.' out of place"},
    {"_debian", "has a '_' out of place"},
    {"debian_", "has a '_' out of place"},
    {"deb..ian", "has a '.' out of place"},
    {"deb.-ian", "has a '.' out of place"},
    {"deb-_ian", "has a '-' out of place"},
    {"deb___ian", "has a '_' out of place"},
    {"team/.hidden", "has a '.' out of place"},
    {"team/../app", "has a '.' out of place"},
    {"team/app/..", "has a '.' out of place"},
    {"-v/app", "has a '-' out of place"},
    {"--privileged", "has a '-' out of place"},
    {"deb:ian:12", "has a ':' in the middle"},
    {"team/deb:ian/app", "has a ':' in the middle"},
    // Registries.
    {"[::1]", "names a registry and no image"},
    {"[::1]:5000", "names a registry and no image"},
    {"[]/app", "no IPv6 address between its brackets"},
    {"[::1/app", "no IPv6 address between its brackets"},
    {"[::g]/app", "no IPv6 address between its brackets"},
    {"[fe80::1%eth0]/app", "no IPv6 address between its brackets"},
    {"[::1]x/app", "no valid port"},
    {"[::1]:/app", "no valid port"},
    {"reg:/app", "no valid port"},
    {"reg:port/app", "no valid port"},
    {"reg:5000:5000/app", "no valid port"},
    {"reg:0/app", "no valid port"},
    {"reg:0443/app", "no valid port"},
    {"reg:65536/app", "no valid port"},
    {"reg:99999999999999999999/app", "no valid port"},
    {"reg:-1/app", "no valid port"},
    {":5000/app", "has an empty part in its registry's name"},
    {"reg..io/app", "has an empty part in its registry's name"},
    {".io/app", "has an empty part in its registry's name"},
    {"reg.io./app", "has an empty part in its registry's name"},
    {"-reg.io/app", "has a '-' at an end of a part"},
    {"reg-.io/app", "has a '-' at an end of a part"},
    {"reg.io-/app", "has a '-' at an end of a part"},
    {"my_reg.io/app", "has '_' in its registry's name"},
    {"user:pw@reg.io/app", "names a user in front of its '@'"},
    // Tags.
    {"debian:", "no tag after its ':'"},
    {"reg.io:5000/app:", "no tag after its ':'"},
    {"debian:.12", "has a tag that starts with '.'"},
    {"debian:-12", "has a tag that starts with '-'"},
    {"debian:1+2", "has '+' in its tag"},
    {"debian:a" A128, "has a tag of 129 bytes"},
    // Digests.
    {"debian@", "has no digest that berth knows"},
    {"debian@latest", "has no digest that berth knows"},
    {"debian@md5:" X16 X16, "has no digest that berth knows"},
    {"debian@SHA256:" X64, "has no digest that berth knows"},
    {"debian@sha256", "has no digest that berth knows"},
    {"debian@sha256:", "has a digest of 0 digits, and sha256 takes 64"},
    {"debian@sha256:" X16, "has a digest of 16 digits, and sha256 takes 64"},
    {"debian@sha256:" X64 "0", "has a digest of 65 digits"},
    {"debian@sha384:" X64, "has a digest of 64 digits, and sha384 takes 96"},
    {"debian@sha512:" X64, "has a digest of 64 digits, and sha512 takes 128"},
    {"debian@sha256:" X16 X16 X16 "0123456789ABCDEF", "uppercase letters in"},
    {"debian@sha256:" X16 X16 X16 "0123456789abcdeg", "has 'g' in its digest"},
    {"debian@sha256:" X64 ":latest", "has ':' in its digest"},
    {"debian@sha256:" X64 "@sha256:" X64, "has more than one '@'"},
    // Lengths.
    {A100 A100 A50 "aaaaaa", "has a name of more than 255 bytes"},
    {"reg.io/" A100 A100 A50, "has a name of more than 255 bytes, registry"},
    // docker.io/library/ counts: 18 + 238.
    {A100 A100 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "registry and all"},
    {A100 "." A100 "." A100 "/app", "has a name of more than 255 bytes"},
};

static void refuses_what_the_grammar_does_not_allow(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(refused); i++) {
        struct imgref ref, before;
        struct berth_err err = {0};
        memset(&ref, 0x5a, sizeof(ref));
        before = ref;
        const char *text = refused[i].text;
        if (imgref_parse(text, &ref, &err) != -1)
            fail_msg("\"%s\" was not refused", text);
        if (err.code != BERTH_EINVAL || !strstr(err.text, refused[i].reason))
            fail_msg("\"%s\": %s", text, err.text);
        assert_true(utf8_valid(err.text));
        for (const char *p = err.text; *p; p++)
            assert_true((unsigned char)*p >= ' ' && *p != 0x7f);
        if (memcmp(&ref, &before, sizeof(ref)))
            fail_msg("\"%s\" left traces", text);
    }
}

static void refuses_without_being_asked_why(void **state)
{
    struct imgref ref;

    (void)state;
    for (size_t i = 0; i < COUNT(refused); i++)
        assert_int_equal(imgref_parse(refused[i].text, &ref, NULL), -1);
    assert_null(imgpat_parse("Debian", NULL));
}

static void cuts_what_it_quotes(void **state)
{
    char text[BERTH_IMAGE_MAX + 2];
    struct imgref ref;
    struct berth_err err;

    (void)state;
    memset(text, 'a', sizeof(text));
    text[BERTH_IMAGE_MAX + 1] = 0;
    assert_int_equal(imgref_parse(text, &ref, &err), -1);
    assert_non_null(strstr(err.text, "is longer than 1024 bytes"));
    assert_non_null(strstr(err.text, "aaa...\" "));
    assert_true(strlen(err.text) < 200);
    text[BERTH_IMAGE_MAX] = 0;
    assert_int_equal(imgref_parse(text, &ref, &err), -1);
    assert_non_null(strstr(err.text, "more than 255 bytes"));
}

static const struct {
    const char *text, *whole;
} accepted[] = {
    {"debian", "docker.io/library/debian:latest"},
    {"docker://debian", "docker.io/library/debian:latest"},
    {"nvcr.io#nvidia/pytorch:24.01", "nvcr.io/nvidia/pytorch:24.01"},
    {"docker://localhost:5000#app", "localhost:5000/app:latest"},
    {"[::1]:5000#app", "[::1]:5000/app:latest"},
    {"docker.io#debian", "docker.io/library/debian:latest"},
    {"debian:12", "docker.io/library/debian:12"},
    {"docker.io/debian", "docker.io/library/debian:latest"},
    {"index.docker.io/debian", "docker.io/library/debian:latest"},
    {"index.docker.io/nvidia/cuda", "docker.io/nvidia/cuda:latest"},
    {"docker.io/library/debian", "docker.io/library/debian:latest"},
    {"library/debian", "docker.io/library/debian:latest"},
    {"nvidia/cuda:12.4", "docker.io/nvidia/cuda:12.4"},
    {"nvcr.io/nvidia/pytorch:24.01-py3", "nvcr.io/nvidia/pytorch:24.01-py3"},
    {"nvcr.io/debian", "nvcr.io/debian:latest"},
    {"localhost", "docker.io/library/localhost:latest"},
    {"localhost/app", "localhost/app:latest"},
    {"localhost:5000", "docker.io/library/localhost:5000"},
    {"localhost:5000/app", "localhost:5000/app:latest"},
    {"reg:5000/a/b/c:t", "reg:5000/a/b/c:t"},
    {"reg:65535/app", "reg:65535/app:latest"},
    {"127.0.0.1:5000/app", "127.0.0.1:5000/app:latest"},
    {"[::1]:5000/app", "[::1]:5000/app:latest"},
    {"[2001:db8::1]/app:1", "[2001:db8::1]/app:1"},
    {"Reg/app", "Reg/app:latest"},
    {"docker.io", "docker.io/library/docker.io:latest"},
    {"a", "docker.io/library/a:latest"},
    {"a.b_c__d-e---f", "docker.io/library/a.b_c__d-e---f:latest"},
    {"app:_X.y-Z", "docker.io/library/app:_X.y-Z"},
    {"app:" A128, "docker.io/library/app:" A128},
    {"debian@sha256:" X64, "docker.io/library/debian@sha256:" X64},
    {"debian:12@sha256:" X64, "docker.io/library/debian:12@sha256:" X64},
    {"a@sha384:" X64 X16 X16, "docker.io/library/a@sha384:" X64 X16 X16},
    {"a@sha512:" X64 X64, "docker.io/library/a@sha512:" X64 X64},
    // 63 hex digits are a name, if a strange one.
    {"abcdef", "docker.io/library/abcdef:latest"},
    {"team/" X64, "docker.io/team/" X64 ":latest"},
    // 255 bytes of name: 7 + 248 and 18 + 237.
    {"reg.io/" A100 A128 "aaaaaaaaaaaaaaaaaaaa",
     "reg.io/" A100 A128 "aaaaaaaaaaaaaaaaaaaa:latest"},
    {A100 A128 "aaaaaaaaa", "docker.io/library/" A100 A128 "aaaaaaaaa:latest"},
};

static void normalises_as_docker_does(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(accepted); i++) {
        struct imgref ref, again;
        struct berth_err err = {0};
        char whole[IMGREF_TEXT_MAX];
        if (imgref_parse(accepted[i].text, &ref, &err) < 0)
            fail_msg("%s", err.text);
        imgref_format(&ref, whole);
        assert_string_equal(whole, accepted[i].whole);
        // What is normal stays as it is.
        assert_int_equal(imgref_parse(whole, &again, &err), 0);
        assert_memory_equal(&ref, &again, sizeof(ref));
    }
}

static void takes_a_reference_apart(void **state)
{
    struct imgref ref;

    (void)state;
    assert_int_equal(imgref_parse("reg:5000/a/b:t@sha256:" X64, &ref, NULL), 0);
    assert_string_equal(ref.domain, "reg:5000");
    assert_string_equal(ref.path, "a/b");
    assert_string_equal(ref.tag, "t");
    assert_string_equal(ref.digest, "sha256:" X64);
}

static const struct refusal refused_patterns[] = {
    {"", "the image pattern is empty"},
    {"/etc", "looks like the path"},
    {"Debian", "has uppercase letters: write \"debian\""},
    {"debian,alpine", "give each image a word of its own"},
    {"***", "has \"**\" beside other characters"},
    {"nvidia**", "has \"**\" beside other characters"},
    {"nvcr.io/nvidia/**x", "has \"**\" beside other characters"},
    {"nvcr.io/x**/y", "has \"**\" beside other characters"},
    {"nvcr.io/**:**", "has \"**\" in its tag"},
    {"debian:3.**", "has \"**\" in its tag"},
    {"**.io/nvidia", "has \"**\" in its registry's name"},
    {"**:5000/nvidia", "has \"**\" in its registry's name"},
    {"reg.io:50*/app", "no valid port"},
    {"[::*]/app", "no IPv6 address"},
    {"debian@sha256:*", "has '*' in its digest"},
    {"debian@*", "has no digest that berth knows"},
    {"debian:[0-9]", "has '[' in its tag"},
    {"debian?", "has '?' in its name"},
    {"{debian,alpine}", "has a ','"},
    {"!debian", "has '!' in its name"},
    {"nvcr.io/nvidia/", "no name after its last '/'"},
    {"nvcr.io//**", "two slashes in a row"},
};

static void refuses_malformed_patterns(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(refused_patterns); i++) {
        struct berth_err err = {0};
        const char *text = refused_patterns[i].text;
        if (imgpat_parse(text, &err))
            fail_msg("\"%s\" was not refused", text);
        if (!strstr(err.text, refused_patterns[i].reason))
            fail_msg("\"%s\": %s", text, err.text);
    }
}

struct match {
    const char *pattern, *text;
};

static const struct match denied[] = {
    // Another registry, whatever it calls its images.
    {"nvidia/**", "evil.io/nvidia/x"},
    {"nvidia/**", "localhost/nvidia/x"},
    {"nvidia/**", "localhost:5000/nvidia/x"},
    {"debian", "evil.io/debian"},
    {"debian", "evil.io/library/debian"},
    {"debian", "evil.io/docker.io/library/debian"},
    {"docker.io/**", "evil.io/docker.io/library/debian"},
    {"*", "evil.io/debian"},
    {"*/*", "evil.io/debian"},
    {"**/debian", "evil.io/debian"},
    {"nvcr.io/**", "nvcr.io:5000/nvidia/x"},
    {"nvcr.io/**", "nvcr.io.evil.io/nvidia/x"},
    {"nvcr.io/**", "xnvcr.io/nvidia/x"},
    {"nvcr.io/**", "evil.io/nvcr.io/x"},
    {"nvcr.io/**", "NVCR.io/nvidia/x"},
    {"reg.io:5000/**", "reg.io/app"},
    {"reg.io:5000/**", "reg.io:50001/app"},
    {"reg.io:*/**", "reg.io/app"},
    {"*.example.org/**", "evil.io/a.example.org/x"},
    {"*.example.org/**", "a.example.org.evil.io/x"},
    {"*.example.org/**", "a.b.example.org/x"},
    {"*.example.org/**", "example.org/x"},
    {"reg.*/app", "reg.evil.io/app"},
    {"reg.*/app", "reg.io:5000/app"},
    {"reg*.io/app", "reg.evil.io/app"},
    // The whole name, and only whole components.
    {"debian", "debian-evil"},
    {"debian", "evil-debian"},
    {"debian", "debian/evil"},
    {"debian", "evil/debian"},
    {"*", "team/app"},
    {"team/*", "team/a/b"},
    {"team/*", "teams/a"},
    {"team/**", "team"},
    {"team/**", "library/team"},
    {"team/**", "teams/x"},
    {"team/**/app", "team/app"},
    {"team/**/app", "team/x/app2"},
    {"team/a*", "team/b/a"},
    {"**/app", "team/app/x"},
    {"debian*", "debian12/x"},
    // Tags.
    {"debian:12", "debian"},
    {"debian:12", "debian:latest"},
    {"debian:12", "debian:120"},
    {"debian:12", "debian:x12"},
    {"alpine:3.*", "alpine:3"},
    {"alpine:3.*", "alpine:31"},
    {"alpine:3.*", "alpine:edge"},
    {"debian:latest", "debian:LATEST"},
    // The digest decides what runs, so a tag beside it says nothing.
    {"debian:12", "debian@sha256:" X64},
    {"debian:12", "debian:12@sha256:" X64},
    {"debian:*", "debian@sha256:" X64},
    {"debian:*", "debian:12@sha256:" X64},
    {"debian@sha256:" X64, "debian"},
    {"debian@sha256:" X64, "debian:latest"},
    {"debian@sha256:" X64, "debian@sha384:" X64 X16 X16},
    {"debian@sha256:" X64, "debian@sha256:1123456789abcdef" X16 X16 X16},
    {"debian@sha256:" X64, "alpine@sha256:" X64},
    {"debian:12@sha256:" X64, "debian:11@sha256:" X64},
    {"debian:12@sha256:" X64, "debian@sha256:" X64},
    {"debian:12@sha256:" X64, "debian:12"},
    {"**:v1", "reg.io/app"},
    {"**@sha256:" X64, "reg.io/app"},
};

static const struct match allowed[] = {
    {"debian", "debian"},
    {"debian", "debian:12"},
    {"debian", "debian@sha256:" X64},
    {"debian", "debian:12@sha256:" X64},
    {"debian", "docker.io/debian"},
    {"debian", "index.docker.io/library/debian:x"},
    {"docker://debian", "debian"},
    {"docker.io/library/debian", "debian"},
    {"index.docker.io/debian", "debian"},
    {"docker.io/library/alpine:3.*", "alpine:3.20"},
    {"docker.io/library/alpine:3.*", "alpine:3."},
    {"nvcr.io/nvidia/**", "nvcr.io/nvidia/pytorch:24.01-py3"},
    {"nvcr.io/nvidia/**", "nvcr.io/nvidia/k8s/dcgm"},
    {"nvidia/**", "nvidia/cuda"},
    {"nvidia/**", "docker.io/nvidia/cuda/x"},
    {"*", "debian"},
    {"library/*", "debian"},
    {"deb*", "deb"},
    {"deb*", "debian"},
    {"*an", "debian"},
    {"d*b*n", "debian"},
    {"debian*", "debian-x"},
    {"docker.io/*", "debian"},
    {"docker.io/**", "debian"},
    {"docker.io/**", "nvidia/cuda"},
    {"**/cuda", "nvidia/cuda"},
    {"**/cuda", "nvidia/x/y/cuda"},
    {"team/**/app", "team/x/app"},
    {"team/**/app", "team/x/app/app"},
    {"team/**/*-x/**", "team/a/b-x/c-x/d"},
    {"team/*/app", "team/x/app"},
    {"registry.example.org:5000/**:v*", "registry.example.org:5000/a/b:v1"},
    {"reg.io:*/app", "reg.io:5000/app"},
    {"*.example.org/**", "a.example.org/x"},
    {"[::1]:5000/*", "[::1]:5000/app"},
    {"localhost/*", "localhost/app"},
    {"debian:*", "debian"},
    {"debian:1*", "debian:1"},
    {"debian@sha256:" X64, "debian@sha256:" X64},
    {"debian@sha256:" X64, "debian:any@sha256:" X64},
    {"debian:12@sha256:" X64, "debian:12@sha256:" X64},
    {"**", "debian"},
    {"**", "evil.io:5000/a/b/c:t@sha256:" X64},
    {"**", "[::1]:5000/app"},
    {"**:v1", "reg.io/app:v1"},
    {"**@sha256:" X64, "reg.io/app@sha256:" X64},
};

static bool matches(const struct match *m)
{
    struct imgref ref;
    struct berth_err err = {0};
    struct imgpat *pat = imgpat_parse(m->pattern, &err);

    if (!pat || imgref_parse(m->text, &ref, &err) < 0)
        fail_msg("%s", err.text);
    bool matched = imgpat_match(pat, &ref);
    free(pat);
    return matched;
}

static void patterns_do_not_match_what_they_do_not_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(denied); i++)
        if (matches(&denied[i]))
            fail_msg("%s matches %s", denied[i].pattern, denied[i].text);
}

static void patterns_match_the_whole_reference(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(allowed); i++)
        if (!matches(&allowed[i]))
            fail_msg("%s misses %s", allowed[i].pattern, allowed[i].text);
}

static void every_plain_reference_is_a_pattern_of_itself(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(accepted); i++) {
        struct match itself = {accepted[i].text, accepted[i].whole};
        assert_true(matches(&itself));
    }
}

static void empty_patterns_match_nothing(void **state)
{
    struct imgpat pat = {.domain = "", .path = "", .tag = "", .digest = ""};
    struct imgref ref;

    (void)state;
    assert_int_equal(imgref_parse("debian", &ref, NULL), 0);
    assert_false(imgpat_match(&pat, &ref));
}

static void many_stars_take_no_time(void **state)
{
    char pattern[GLOB_MAX], text[GLOB_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(pattern) - 1; i++)
        pattern[i] = i % 2 ? '*' : 'a';
    pattern[sizeof(pattern) - 2] = 'b';
    pattern[sizeof(pattern) - 1] = 0;
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    // With backtracking, this would outlive the test's author.
    for (int i = 0; i < 100; i++)
        assert_false(glob_match(pattern, text, "/"));
    pattern[sizeof(pattern) - 2] = '*';
    assert_true(glob_match(pattern, text, "/"));
}

static void globs_know_their_limits(void **state)
{
    char longest[GLOB_MAX + 1];

    (void)state;
    memset(longest, 'a', GLOB_MAX);
    longest[GLOB_MAX] = 0;
    assert_false(glob_match(longest, longest, ""));
    assert_true(glob_match(longest + 1, longest + 1, ""));
    assert_true(glob_match("", "", ""));
    assert_false(glob_match("", "a", ""));
    assert_false(glob_match("a", "", ""));
    assert_true(glob_match("*", "", ""));
    assert_false(glob_match("**", "", ""));
    assert_true(glob_match("**", "a/b", "/"));
    assert_false(glob_match("*", "a/b", "/"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_the_grammar_does_not_allow),
        cmocka_unit_test(refuses_without_being_asked_why),
        cmocka_unit_test(cuts_what_it_quotes),
        cmocka_unit_test(normalises_as_docker_does),
        cmocka_unit_test(takes_a_reference_apart),
        cmocka_unit_test(refuses_malformed_patterns),
        cmocka_unit_test(patterns_do_not_match_what_they_do_not_name),
        cmocka_unit_test(patterns_match_the_whole_reference),
        cmocka_unit_test(every_plain_reference_is_a_pattern_of_itself),
        cmocka_unit_test(empty_patterns_match_nothing),
        cmocka_unit_test(many_stars_take_no_time),
        cmocka_unit_test(globs_know_their_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
