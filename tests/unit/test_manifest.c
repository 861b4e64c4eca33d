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

#include "logic/manifest.h"

#define COUNT(table) (sizeof(table) / sizeof(*(table)))

#define A                                                                      \
    "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B                                                                      \
    "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C                                                                      \
    "sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

#define OCI "application/vnd.oci.image."
#define CONFIG(type)                                                           \
    "{\"mediaType\":\"" type "\",\"digest\":\"" A "\",\"size\":9}"
#define LAYER(type, size)                                                      \
    "{\"mediaType\":\"" type "\",\"digest\":\"" B "\",\"size\":" size "}"
#define MANIFEST(config, layers)                                               \
    "{\"schemaVersion\":2,\"config\":" config ",\"layers\":[" layers "]}"
#define ENTRY(digest, os, arch, variant)                                       \
    "{\"mediaType\":\"" OCI "manifest.v1+json\",\"digest\":\"" digest          \
    "\",\"size\":1,\"platform\":{\"os\":\"" os "\",\"architecture\":\"" arch   \
    "\",\"variant\":\"" variant "\"}}"
#define INDEX(entries) "{\"schemaVersion\":2,\"manifests\":[" entries "]}"

static const struct manifest_platform amd64 = {"linux", "amd64"};
static const struct manifest_platform arm64 = {"linux", "arm64"};

static void what_no_image_can_be_run_from_is_refused(void **state)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"", "no JSON object"},
        {"[]", "no JSON object"},
        {"{\"a\":1,\"a\":2}", "no JSON object"},
        {"{}", "no media type"},
        {"{\"mediaType\":\"text/html\"}", "text/html"},
        {"{\"mediaType\":\"\\u001b[31m\"}", "?[31m"},
        {"{\"schemaVersion\":1,\"fsLayers\":[]}", "schema 1"},
        {MANIFEST(
             CONFIG("application/vnd.cncf.helm.config.v1+json"),
             LAYER("application/vnd.cncf.helm.chart.content.v1.tar+gzip", "1")),
         "vnd.cncf.helm.config"},
        {MANIFEST(CONFIG(OCI "config.v1+json"),
                  LAYER("application/vnd.in-toto+json", "1")),
         "vnd.in-toto+json"},
        {MANIFEST(CONFIG(OCI "config.v1+json"), ""), "no layers"},
        {MANIFEST(CONFIG(OCI "config.v1+json"),
                  LAYER(OCI "layer.v1.tar", "-1")),
         "a size that is none"},
        {MANIFEST(CONFIG(OCI "config.v1+json"),
                  LAYER(OCI "layer.v1.tar", "17592186044417")),
         "a size that is none"},
        {MANIFEST(CONFIG(OCI "config.v1+json"),
                  LAYER(OCI "layer.v1.tar", "1.5")),
         "a size that is none"},
        {MANIFEST("{\"mediaType\":\"" OCI "config.v1+json\",\"digest\":"
                  "\"sha512:00\",\"size\":1}",
                  LAYER(OCI "layer.v1.tar", "1")),
         "a digest that is not SHA-256"},
        {MANIFEST("{\"mediaType\":\"" OCI "config.v1+json\",\"digest\":\"" A
                  "\",\"size\":8388609}",
                  LAYER(OCI "layer.v1.tar", "1")),
         "too large"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *text = cases[i].text;
        struct manifest m = {0};
        struct berth_err err = {0};
        bool index = false;
        int rc = manifest_is_index(text, strlen(text), &index, &err);
        if (rc == 0)
            rc = manifest_parse(text, strlen(text), &m, &err);
        assert_int_equal(rc, -1);
        assert_null(m.layers);
        if (!strstr(err.text, cases[i].why))
            fail_msg("%s: %s", text, err.text);
    }
}

static void a_manifest_is_read_in_both_formats(void **state)
{
    static const char *const texts[] = {
        MANIFEST(CONFIG(OCI "config.v1+json"),
                 LAYER(OCI "layer.v1.tar+gzip",
                       "7") "," LAYER(OCI "layer.v1.tar+zstd", "5")),
        MANIFEST(
            CONFIG("application/vnd.docker.container.image.v1+json"),
            LAYER("application/vnd.docker.image.rootfs.diff.tar.gzip",
                  "7") "," LAYER("application/vnd.docker.image.rootfs.diff.tar",
                                 "5")),
    };

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct manifest m = {0};
        struct berth_err err;
        bool index = true;
        assert_int_equal(
            manifest_is_index(texts[i], strlen(texts[i]), &index, &err), 0);
        assert_false(index);
        assert_int_equal(manifest_parse(texts[i], strlen(texts[i]), &m, &err),
                         0);
        assert_string_equal(m.config.digest, A);
        assert_int_equal(m.nlayers, 2);
        assert_string_equal(m.layers[1].digest, B);
        assert_int_equal(m.layers[0].size, 7);
        assert_int_equal(m.size, 12);
        manifest_clear(&m);
    }
}

static void more_layers_than_are_taken_are_refused(void **state)
{
    static char text[MANIFEST_LAYERS_MAX * 256 + 1024];
    struct manifest m = {0};
    struct berth_err err;
    size_t n;

    (void)state;
    for (size_t more = 0; more < 2; more++) {
        n = (size_t)snprintf(text, sizeof(text), "{\"config\":%s,\"layers\":[",
                             CONFIG(OCI "config.v1+json"));
        for (size_t i = 0; i < MANIFEST_LAYERS_MAX + more; i++)
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s",
                                  i ? "," : "", LAYER(OCI "layer.v1.tar", "1"));
        n += (size_t)snprintf(text + n, sizeof(text) - n, "]}");
        assert_int_equal(manifest_parse(text, n, &m, &err), more ? -1 : 0);
        manifest_clear(&m);
    }
    assert_non_null(strstr(err.text, "513 layers"));
}

static void the_index_has_one_for_each_platform(void **state)
{
    static const char text[] = INDEX(ENTRY(A, "linux", "arm64", "v8") "," ENTRY(
        B, "linux", "amd64", "v3") "," ENTRY(B, "windows", "amd64",
                                             "") "," ENTRY(C, "linux", "amd64",
                                                           ""));
    const struct manifest_platform others[] = {{"linux", "s390x"},
                                               {"freebsd", "amd64"}};
    char digest[MANIFEST_DIGEST];
    struct berth_err err;
    bool index = false;

    (void)state;
    assert_int_equal(manifest_is_index(text, strlen(text), &index, &err), 0);
    assert_true(index);
    assert_int_equal(manifest_choose(text, strlen(text), &amd64, digest, &err),
                     0);
    assert_string_equal(digest, C);
    assert_int_equal(manifest_choose(text, strlen(text), &arm64, digest, &err),
                     0);
    assert_string_equal(digest, A);
    for (size_t i = 0; i < COUNT(others); i++) {
        assert_int_equal(
            manifest_choose(text, strlen(text), &others[i], digest, &err), -1);
        assert_int_equal(err.code, BERTH_ENOTFOUND);
        assert_non_null(strstr(err.text, "but for linux/arm64/v8, "
                                         "linux/amd64/v3, windows/amd64"));
    }
}

static void an_attestation_is_no_platform(void **state)
{
    static const char text[] = INDEX(
        ENTRY(A, "unknown", "unknown", "") "," ENTRY(B, "linux", "arm64", ""));
    char digest[MANIFEST_DIGEST];
    struct berth_err err;

    (void)state;
    assert_int_equal(manifest_choose(text, strlen(text), &amd64, digest, &err),
                     -1);
    assert_null(strstr(err.text, "unknown"));
    assert_non_null(strstr(err.text, "linux/arm64"));
}

static void an_index_in_an_index_is_no_image(void **state)
{
    static const char text[] =
        "{\"manifests\":[{\"mediaType\":\"" OCI "index.v1+json\",\"digest\":"
        "\"" A "\",\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"}},"
        "{\"mediaType\":\"" OCI "manifest.v1+json\",\"digest\":\"nonsense\","
        "\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"}}]}";
    char digest[MANIFEST_DIGEST] = "";
    struct berth_err err;

    (void)state;
    assert_int_equal(manifest_choose(text, strlen(text), &amd64, digest, &err),
                     -1);
    assert_string_equal(digest, "");
}

#define TWO_LAYERS                                                             \
    {                                                                          \
        .nlayers = 2                                                           \
    }
#define CONFIGURATION(os, arch, ids)                                           \
    "{\"os\":\"" os "\",\"architecture\":\"" arch                              \
    "\",\"rootfs\":{\"diff_ids\":[" ids "]}}"

static void a_configuration_is_of_its_manifest_and_for_this_node(void **state)
{
    static const struct {
        const char *text, *why; // NULL: it is taken
    } cases[] = {
        {CONFIGURATION("linux", "amd64", "\"" A "\",\"" B "\""), NULL},
        {CONFIGURATION("linux", "arm64", "\"" A "\",\"" B "\""),
         "it is for linux/arm64, and the node is linux/amd64"},
        {CONFIGURATION("windows", "amd64", "\"" A "\",\"" B "\""),
         "it is for windows/amd64"},
        {CONFIGURATION("linux", "amd64", "\"" A "\""), "other layers"},
        {CONFIGURATION("linux", "amd64", "\"" A "\",\"" B "\",\"" C "\""),
         "other layers"},
        {CONFIGURATION("linux", "amd64", "\"" A "\",7"), "not SHA-256"},
        {"{\"os\":\"linux\",\"architecture\":\"amd64\"}", "other layers"},
        {"{}", "it is for /"},
    };
    const struct manifest manifest = TWO_LAYERS;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct manifest_config config = {0};
        struct berth_err err = {0};
        int rc = manifest_config_parse(cases[i].text, strlen(cases[i].text),
                                       &manifest, &amd64, &config, &err);
        assert_int_equal(rc, cases[i].why ? -1 : 0);
        if (cases[i].why) {
            assert_non_null(strstr(err.text, cases[i].why));
            assert_null(config.layers);
        } else {
            assert_string_equal(config.layers[1], B);
        }
        manifest_config_clear(&config);
    }
}

static void machines_have_the_names_that_images_use(void **state)
{
    (void)state;
    assert_string_equal(manifest_platform("x86_64").arch, "amd64");
    assert_string_equal(manifest_platform("aarch64").arch, "arm64");
    assert_string_equal(manifest_platform("ppc64le").arch, "ppc64le");
}

static void a_digest_is_one_of_sha_256(void **state)
{
    (void)state;
    assert_true(manifest_is_digest(A));
    assert_false(manifest_is_digest(""));
    assert_false(manifest_is_digest(A "a"));
    assert_false(manifest_is_digest("sha256:"));
    assert_false(manifest_is_digest(
        "sha256:"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_no_image_can_be_run_from_is_refused),
        cmocka_unit_test(a_manifest_is_read_in_both_formats),
        cmocka_unit_test(more_layers_than_are_taken_are_refused),
        cmocka_unit_test(the_index_has_one_for_each_platform),
        cmocka_unit_test(an_attestation_is_no_platform),
        cmocka_unit_test(an_index_in_an_index_is_no_image),
        cmocka_unit_test(a_configuration_is_of_its_manifest_and_for_this_node),
        cmocka_unit_test(machines_have_the_names_that_images_use),
        cmocka_unit_test(a_digest_is_one_of_sha_256),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
