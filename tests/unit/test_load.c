// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// What comes from a program that is not root, and what goes to the engine.
// (threat 82)

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/clock.h"
#include "engine/engine.h"
#include "images/load.h"
#include "tests/unit/fake_engine.h"

#define COUNT(table) (sizeof(table) / sizeof(*(table)))

static const struct manifest_platform here = {"linux", "amd64"};

static bool waits(void *arg)
{
    return !*(bool *)arg;
}

static bool over;
static const struct watch watch = {.fd = -1, .go_on = waits, .arg = &over};

// An image of two layers, and an index that leads to it.
static const char layer0[] = "the lower layer, as it is packed";
static const char layer1[] = "the upper one";
static char config[1024], manifest[2048], list[1024];
static char config_digest[MANIFEST_DIGEST], manifest_digest[MANIFEST_DIGEST];
static char list_digest[MANIFEST_DIGEST], digest0[MANIFEST_DIGEST];
static char digest1[MANIFEST_DIGEST];
static bool one_blob; // which the manifest has for both layers
static bool podman;

static void make_image(const char *arch, const char *diff1)
{
    assert_int_equal(digest_of(layer0, sizeof(layer0), digest0), 0);
    assert_int_equal(digest_of(layer1, sizeof(layer1), digest1), 0);
    snprintf(config, sizeof(config),
             "{\"os\":\"linux\",\"architecture\":\"%s\",\"rootfs\":{"
             "\"diff_ids\":[\"%s\",\"%s\"]}}",
             arch, digest0, diff1 ? diff1 : digest1);
    digest_of(config, strlen(config), config_digest);
    snprintf(manifest, sizeof(manifest),
             "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"application/"
             "vnd.oci.image.config.v1+json\",\"digest\":\"%s\",\"size\":%zu},"
             "\"layers\":[{\"mediaType\":\"application/vnd.oci.image.layer.v1."
             "tar\",\"digest\":\"%s\",\"size\":%zu},{\"mediaType\":"
             "\"application/vnd.oci.image.layer.v1.tar\",\"digest\":\"%s\","
             "\"size\":%zu}]}",
             config_digest, strlen(config), digest0, sizeof(layer0),
             one_blob ? digest0 : digest1,
             one_blob ? sizeof(layer0) : sizeof(layer1));
    digest_of(manifest, strlen(manifest), manifest_digest);
    snprintf(list, sizeof(list),
             "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"application/"
             "vnd.oci.image.manifest.v1+json\",\"digest\":\"%s\",\"size\":%zu,"
             "\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"}}]}",
             manifest_digest, strlen(manifest));
    digest_of(list, strlen(list), list_digest);
}

// --- the program's part ------------------------------------------------------

static int pair[2];
static struct load *load;

static int begin(void **state)
{
    (void)state;
    over = false;
    one_blob = podman = false;
    make_image("amd64", NULL);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) < 0)
        return -1;
    load = load_begin(pair[0], &watch, clock_ms() + 20000);
    return load ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    load_end(load);
    close(pair[0]);
    if (pair[1] >= 0)
        close(pair[1]);
    return 0;
}

static void document(enum fetch_type type, const char *text)
{
    size_t half = strlen(text) / 2;

    // In parts.
    fetch_send(pair[1], type, text, half);
    fetch_send(pair[1], type, text + half, strlen(text) - half);
    fetch_send(pair[1], type, NULL, 0);
}

static void documents(void)
{
    document(FETCH_INDEX, list);
    document(FETCH_MANIFEST, manifest);
    document(FETCH_CONFIG, config);
}

static void layer(uint32_t n, const void *data, size_t len, uint32_t unpacked)
{
    const struct fetch_layer told = {.size = len, .n = n, .unpacked = unpacked};

    fetch_send(pair[1], FETCH_LAYER, &told, sizeof(told));
    fetch_send(pair[1], FETCH_DATA, data, len);
}

// --- what comes before the layers --------------------------------------------

static void an_index_leads_to_the_image(void **state)
{
    (void)state;
    documents();
    assert_int_equal(load_read(load, true, list_digest, &here), 0);
    assert_string_equal(load->digest, list_digest);
    assert_string_equal(load->manifest.config.digest, config_digest);
    assert_string_equal(load->config.layers[1], digest1);
}

static void so_does_a_manifest(void **state)
{
    (void)state;
    document(FETCH_INDEX, manifest);
    document(FETCH_CONFIG, config);
    assert_int_equal(load_read(load, true, "", &here), 0);
    assert_string_equal(load->digest, manifest_digest);
}

static void a_check_ends_with_the_index(void **state)
{
    (void)state;
    document(FETCH_INDEX, list);
    fetch_send(pair[1], FETCH_DONE, NULL, 0);
    assert_int_equal(load_read(load, false, "", &here), 0);
    assert_string_equal(load->digest, list_digest);
}

static void fails(bool all, const char *digest, const char *why)
{
    // No more comes.
    close(pair[1]);
    pair[1] = -1;
    assert_int_equal(load_read(load, all, digest, &here), -1);
    assert_int_equal(load->why.code, FETCH_CODE_OWN);
    // Whatever it is, somebody can do something.
    if (!strstr(load->why.text, why) || !strchr(load->why.text, ':'))
        fail_msg("%s", load->why.text);
}

static void another_index_than_was_asked_for_is_refused(void **state)
{
    (void)state;
    documents();
    fails(true, manifest_digest, "another manifest");
}

static void another_manifest_than_the_index_has_is_refused(void **state)
{
    (void)state;
    document(FETCH_INDEX, list);
    make_image("amd64", digest0);
    document(FETCH_MANIFEST, manifest);
    document(FETCH_CONFIG, config);
    fails(true, "", "another manifest");
}

static void another_configuration_than_the_manifest_has_is_refused(void **state)
{
    (void)state;
    document(FETCH_INDEX, manifest);
    config[10]++;
    document(FETCH_CONFIG, config);
    fails(true, "", "another configuration");
}

static void an_image_for_another_machine_is_refused(void **state)
{
    (void)state;
    make_image("arm64", NULL);
    document(FETCH_INDEX, manifest);
    document(FETCH_CONFIG, config);
    fails(true, "", "it is for linux/arm64, and the node is linux/amd64");
}

static void what_is_too_long_is_refused(void **state)
{
    static char much[FETCH_DATA_MAX];
    pid_t pid = fork();

    (void)state;
    if (pid == 0) {
        for (int i = 0; i < MANIFEST_MAX / FETCH_DATA_MAX + 1; i++)
            fetch_send(pair[1], FETCH_INDEX, much, sizeof(much));
        _exit(0);
    }
    fails(true, "", "says what it should not");
}

static void what_is_out_of_turn_is_refused(void **state)
{
    (void)state;
    document(FETCH_CONFIG, config);
    fails(true, "", "says what it should not");
}

static void an_end_too_early_is_a_failure(void **state)
{
    (void)state;
    document(FETCH_INDEX, list);
    fails(true, "", "has ended");
}

static void what_is_no_frame_is_refused(void **state)
{
    (void)state;
    send(pair[1], "\1\0\0\0\377\0\0\0x", 9, 0);
    fails(true, "", "says what it should not");
}

static void its_own_failure_is_passed_on(void **state)
{
    const struct fetch_failed why = {
        .code = FETCH_CODE_SILENT, .number = 30, .text = "x"};

    (void)state;
    fetch_send(pair[1], FETCH_FAILED, &why, sizeof(why));
    assert_int_equal(load_read(load, true, "", &here), -1);
    assert_int_equal(load->why.code, FETCH_CODE_SILENT);
    assert_int_equal(load->why.number, 30);
}

static void nobody_is_waited_for_longer_than_somebody_waits(void **state)
{
    (void)state;
    over = true;
    assert_int_equal(load_read(load, true, "", &here), -1);
    assert_int_equal(load->why.code, FETCH_CODE_ENDED);
}

static void nor_longer_than_it_may_take(void **state)
{
    (void)state;
    load->end_ms = clock_ms() + 10;
    assert_int_equal(load_read(load, true, "", &here), -1);
    assert_int_equal(load->why.code, FETCH_CODE_LATE);
}

// --- the archive -------------------------------------------------------------

static const struct fake_answer answers[] = {
    {.status = 200,
     .body = "OK",
     .type = "text/plain",
     .headers = "Api-Version: 1.41\r\nServer: Docker/20.10.24 (linux)\r\n"},
    {.status = 200, .body = "{\"stream\":\"Loaded image: x\"}\n"},
};
static const struct fake_answer podmans[] = {
    {.status = 200,
     .body = "OK",
     .type = "text/plain",
     .headers = "Api-Version: 1.41\r\nLibpod-Api-Version: 4.3.1\r\n"
                "Server: Libpod/4.3.1 (linux)\r\n"},
    {.status = 200, .body = "{\"stream\":\"Loaded image: x\"}\n"},
};

// Sends what load_read has read, less the NHAVE lowest layers. Returns
// load_send's word, and in NAMES what is in the archive.
static int send_image(size_t nhave, char *names, size_t size)
{
    struct fake_engine *fake =
        fake_start(podman ? podmans : answers, COUNT(answers));
    struct engine *engine = engine_open(fake_path(fake), &watch, NULL);
    size_t len, used = 0;

    assert_non_null(engine);
    int rc = load_send(load, engine, "berth.local/image", "1", nhave);
    engine_close(engine);
    char *tar = fake_body(fake, &len);
    *names = 0;
    for (size_t at = 0; at + 512 <= len && tar[at];) {
        size_t n = strtoul(tar + at + 124, NULL, 8);
        used += (size_t)snprintf(names + used, size - used, "%s %.*s\n",
                                 tar + at, (int)n, tar + at + 512);
        at += 512 + (n + 511) / 512 * 512;
    }
    fake_stop(fake);
    return rc;
}

static void read_image(void)
{
    document(FETCH_INDEX, manifest);
    document(FETCH_CONFIG, config);
    assert_int_equal(load_read(load, true, "", &here), 0);
}

static void the_archive_has_what_was_checked_and_its_list_last(void **state)
{
    char names[8192], want[8192];

    (void)state;
    read_image();
    layer(0, layer0, sizeof(layer0), 0);
    layer(1, layer1, sizeof(layer1), 0);
    fetch_send(pair[1], FETCH_DONE, NULL, 0);
    assert_int_equal(send_image(0, names, sizeof(names)), 0);
    snprintf(want, sizeof(want),
             "blobs/sha256/%s %s\nblobs/sha256/%s %s\nblobs/sha256/%s %s\n"
             "manifest.json [{\"Config\":\"blobs/sha256/%s\",\"RepoTags\":["
             "\"berth.local/image:1\"],\"Layers\":[\"blobs/sha256/%s\","
             "\"blobs/sha256/%s\"]}]\n",
             config_digest + 7, config, digest0 + 7, layer0, digest1 + 7,
             layer1, config_digest + 7, digest0 + 7, digest1 + 7);
    assert_string_equal(names, want);
    assert_int_equal(load->came, sizeof(layer0) + sizeof(layer1));
    assert_int_equal(load->came, load->total);
}

static void a_layer_that_is_there_is_not_asked_for(void **state)
{
    struct fetch_frame frame;
    char names[8192];

    (void)state;
    read_image();
    layer(1, layer1, sizeof(layer1), 0);
    fetch_send(pair[1], FETCH_DONE, NULL, 0);
    assert_int_equal(send_image(1, names, sizeof(names)), 0);
    assert_null(strstr(names, layer0));
    assert_non_null(strstr(names, layer1));
    assert_int_equal(fetch_recv(pair[1], &frame, 0), 1);
    assert_int_equal(frame.type, FETCH_WANTED);
    assert_int_equal(frame.bytes, 2);
    assert_memory_equal(frame.u.data, "\0\1", 2);
}

// It wants a file for each, and does not look into it.
static void on_podman_its_file_is_empty(void **state)
{
    char names[8192], want[256];

    (void)state;
    podman = true;
    read_image();
    layer(1, layer1, sizeof(layer1), 0);
    fetch_send(pair[1], FETCH_DONE, NULL, 0);
    assert_int_equal(send_image(1, names, sizeof(names)), 0);
    snprintf(want, sizeof(want), "\nblobs/sha256/%s \nblobs/sha256/%s %s\n",
             digest0 + 7, digest1 + 7, layer1);
    assert_non_null(strstr(names, want));
    // Not of what is left out because it comes already.
    assert_int_equal(load->came, sizeof(layer1));
}

static uint64_t progress[8];
static size_t nprogress;

static void note_progress(void *arg, uint64_t came, uint64_t total)
{
    (void)arg;
    (void)total;
    if (nprogress == 0 || progress[nprogress - 1] != came)
        progress[nprogress++ % COUNT(progress)] = came;
}

static void what_has_come_of_a_layer_that_is_unpacked_is_told(void **state)
{
    static const uint64_t ten = 10, much = 1 << 30;
    char names[8192];

    (void)state;
    read_image();
    load->progress = note_progress;
    nprogress = 0;
    layer(0, layer0, sizeof(layer0), 1);
    fetch_send(pair[1], FETCH_PROGRESS, &ten, sizeof(ten));
    layer(1, layer1, sizeof(layer1), 1);
    // Which is too late, and too much.
    fetch_send(pair[1], FETCH_PROGRESS, &much, sizeof(much));
    fetch_send(pair[1], FETCH_DONE, NULL, 0);
    assert_int_equal(send_image(0, names, sizeof(names)), 0);
    assert_int_equal(load->came, sizeof(layer0) + sizeof(layer1));
    for (size_t i = 1; i < nprogress; i++)
        assert_true(progress[i] > progress[i - 1]);
}

static unsigned ncalls;

static void count_call(void *arg, uint64_t came, uint64_t total)
{
    (void)arg;
    (void)came;
    (void)total;
    ncalls++;
}

// Who says nothing else, for ever, is not listened to for ever: the time, and
// whoever waits, are looked at where the engine is given what there is.
// (threat 131)
static void each_word_of_how_far_it_is_is_heard_by_itself(void **state)
{
    static const uint64_t one = 1;
    char names[8192];

    (void)state;
    read_image();
    load->progress = count_call;
    ncalls = 0;
    for (int i = 0; i < 50; i++)
        fetch_send(pair[1], FETCH_PROGRESS, &one, sizeof(one));
    layer(0, layer0, sizeof(layer0), 0);
    layer(1, layer1, sizeof(layer1), 0);
    for (int i = 0; i < 50; i++)
        fetch_send(pair[1], FETCH_PROGRESS, &one, sizeof(one));
    fetch_send(pair[1], FETCH_DONE, NULL, 0);
    assert_int_equal(send_image(0, names, sizeof(names)), 0);
    assert_in_range(ncalls, 100, 200);
}

static void a_layer_that_was_unpacked_is_what_the_configuration_says(void **s)
{
    static const char other[] = "it, unpacked";
    char names[8192], digest[MANIFEST_DIGEST];

    (void)s;
    digest_of(other, sizeof(other), digest);
    make_image("amd64", digest);
    read_image();
    layer(0, layer0, sizeof(layer0), 0);
    layer(1, other, sizeof(other), 1);
    fetch_send(pair[1], FETCH_DONE, NULL, 0);
    assert_int_equal(send_image(0, names, sizeof(names)), 0);
    assert_non_null(strstr(names, other));
}

// The engine gets no list, and so nothing to load.
static void is_cut_off(enum fetch_code code)
{
    char names[8192];

    assert_int_equal(send_image(0, names, sizeof(names)), -1);
    assert_int_equal(load->why.code, code);
    assert_null(strstr(names, "manifest.json"));
}

// An engine that has the upper layer of the configuration never looks at the
// blob. (threat 83)
static void one_blob_for_two_layers_comes_twice(void **state)
{
    struct fetch_frame frame;

    (void)state;
    one_blob = true;
    make_image("amd64", NULL);
    read_image();
    layer(0, layer0, sizeof(layer0), 0);
    fetch_send(pair[1], FETCH_DONE, NULL, 0);
    is_cut_off(FETCH_CODE_OWN);
    assert_int_equal(fetch_recv(pair[1], &frame, 0), 1);
    assert_int_equal(frame.type, FETCH_WANTED);
    assert_memory_equal(frame.u.data, "\1\1", 2);
}

// From a program that is in the hands of whoever made the image. (threat 89)
static void what_is_compared_by_nobody_else_comes_unpacked(void **state)
{
    (void)state;
    load->unpacked_max = 4096;
    load->all_unpacked = true;
    read_image();
    layer(0, layer0, sizeof(layer0), 0);
    is_cut_off(FETCH_CODE_OWN);
}

static void and_no_more_of_it_than_may_be(void **state)
{
    (void)state;
    load->unpacked_max = sizeof(layer0) + sizeof(layer1) - 1;
    load->all_unpacked = true;
    read_image();
    layer(0, layer0, sizeof(layer0), 1);
    layer(1, layer1, sizeof(layer1), 1);
    fetch_send(pair[1], FETCH_DONE, NULL, 0);
    is_cut_off(FETCH_CODE_LARGE);
}

// What an engine writes out of it counts. (threat 97)
static void nor_in_holes(void **state)
{
    static const char holes[] = "GNU.sparse.size=5000\n";

    (void)state;
    load->unpacked_max = 4096;
    load->all_unpacked = true;
    read_image();
    layer(0, layer0, sizeof(layer0), 1);
    layer(1, holes, sizeof(holes), 1);
    is_cut_off(FETCH_CODE_LARGE);
}

static void a_layer_that_is_another_is_cut_off(void **state)
{
    char wrong[sizeof(layer1)];

    (void)state;
    read_image();
    memcpy(wrong, layer1, sizeof(wrong));
    wrong[0]++;
    layer(0, layer0, sizeof(layer0), 0);
    layer(1, wrong, sizeof(wrong), 0);
    is_cut_off(FETCH_CODE_OWN);
    assert_non_null(strstr(load->why.text, "another layer"));
}

// It may be another, unpacked, than the configuration says.
static void an_image_that_is_not_said_to_be_whole_is_cut_off(void **state)
{
    const struct fetch_failed why = {.code = FETCH_CODE_OWN, .text = "no"};

    (void)state;
    read_image();
    layer(0, layer0, sizeof(layer0), 0);
    layer(1, layer1, sizeof(layer1), 0);
    fetch_send(pair[1], FETCH_FAILED, &why, sizeof(why));
    is_cut_off(FETCH_CODE_OWN);
    assert_string_equal(load->why.text, "no");
}

static void one_that_is_packed_otherwise_is_cut_off(void **state)
{
    static const char bzip2[sizeof(layer0)] = "BZh91AY";

    (void)state;
    read_image();
    layer(0, bzip2, sizeof(bzip2), 0);
    is_cut_off(FETCH_CODE_OWN);
    assert_non_null(strstr(load->why.text, "packed as no image's"));
}

// What an engine would unpack further than whoever counts it, however it comes
// in parts. (threat 128)
static void comes_in_bytes(const char *head, size_t len, uint32_t unpacked)
{
    char data[sizeof(layer0)] = "";
    const struct fetch_layer told = {.size = sizeof(data),
                                     .unpacked = unpacked};

    memcpy(data, head, len);
    read_image();
    fetch_send(pair[1], FETCH_LAYER, &told, sizeof(told));
    for (size_t i = 0; i < sizeof(data); i++)
        fetch_send(pair[1], FETCH_DATA, data + i, 1);
    is_cut_off(FETCH_CODE_OWN);
    assert_non_null(strstr(load->why.text, "packed as no image's"));
}

static void so_is_one_that_is_packed_twice(void **state)
{
    (void)state;
    comes_in_bytes("\x1f\x8b\x08", 3, 1);
}

static void so_is_one_of_zstd(void **state)
{
    (void)state;
    comes_in_bytes("\x28\xb5\x2f\xfd", 4, 0);
}

static void also_behind_a_frame_that_is_passed_over(void **state)
{
    (void)state;
    comes_in_bytes("\x5f\x2a\x4d\x18\0\0\0", 8, 1);
}

static void so_is_one_of_xz(void **state)
{
    (void)state;
    comes_in_bytes("\xfd\x37\x7a\x58\x5a", 6, 0);
}

static void layers_in_another_order_are_cut_off(void **state)
{
    (void)state;
    read_image();
    layer(1, layer1, sizeof(layer1), 0);
    is_cut_off(FETCH_CODE_OWN);
}

static void a_layer_of_another_size_is_cut_off(void **state)
{
    (void)state;
    read_image();
    layer(0, layer0, sizeof(layer0) - 1, 0);
    is_cut_off(FETCH_CODE_OWN);
}

static void more_than_the_layer_has_is_cut_off(void **state)
{
    (void)state;
    read_image();
    layer(0, layer0, sizeof(layer0), 0);
    fetch_send(pair[1], FETCH_DATA, "x", 1);
    is_cut_off(FETCH_CODE_OWN);
}

static void an_end_in_the_middle_is_cut_off(void **state)
{
    (void)state;
    read_image();
    layer(0, layer0, sizeof(layer0), 0);
    shutdown(pair[1], SHUT_WR);
    is_cut_off(FETCH_CODE_OWN);
}

static void a_failure_in_the_middle_is_cut_off(void **state)
{
    const struct fetch_failed why = {.code = FETCH_CODE_SAID, .text = "EOF"};

    (void)state;
    read_image();
    layer(0, layer0, sizeof(layer0), 0);
    fetch_send(pair[1], FETCH_FAILED, &why, sizeof(why));
    is_cut_off(FETCH_CODE_SAID);
    assert_string_equal(load->why.text, "EOF");
}

static void a_fetch_that_hangs_ends_with_its_time(void **state)
{
    (void)state;
    read_image();
    layer(0, layer0, sizeof(layer0), 0);
    load->end_ms = clock_ms() + 300;
    is_cut_off(FETCH_CODE_LATE);
}

static void what_the_engine_says_in_the_middle_is_a_failure(void **state)
{
    static const struct fake_answer full[] = {
        {.status = 200,
         .body = "OK",
         .type = "text/plain",
         .headers = "Api-Version: 1.41\r\nServer: Docker/20.10.24\r\n"},
        {.status = 200,
         .body = "{\"stream\":\"x\"}\n{\"errorDetail\":{\"message\":\"no space "
                 "left on device\"},\"error\":\"no space left on device\"}\n"},
    };
    struct fake_engine *fake = fake_start(full, COUNT(full));
    struct engine *engine = engine_open(fake_path(fake), &watch, NULL);

    (void)state;
    read_image();
    layer(0, layer0, sizeof(layer0), 0);
    layer(1, layer1, sizeof(layer1), 0);
    fetch_send(pair[1], FETCH_DONE, NULL, 0);
    assert_int_equal(load_send(load, engine, "a/b", "1", 0), -1);
    assert_int_equal(load->why.code, FETCH_CODE_ENGINE);
    assert_non_null(strstr(load->why.text, "no space left on device"));
    engine_close(engine);
    fake_stop(fake);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_index_leads_to_the_image),
        TEST(so_does_a_manifest),
        TEST(a_check_ends_with_the_index),
        TEST(another_index_than_was_asked_for_is_refused),
        TEST(another_manifest_than_the_index_has_is_refused),
        TEST(another_configuration_than_the_manifest_has_is_refused),
        TEST(an_image_for_another_machine_is_refused),
        TEST(what_is_too_long_is_refused),
        TEST(what_is_out_of_turn_is_refused),
        TEST(an_end_too_early_is_a_failure),
        TEST(what_is_no_frame_is_refused),
        TEST(its_own_failure_is_passed_on),
        TEST(nobody_is_waited_for_longer_than_somebody_waits),
        TEST(nor_longer_than_it_may_take),
        TEST(the_archive_has_what_was_checked_and_its_list_last),
        TEST(a_layer_that_is_there_is_not_asked_for),
        TEST(on_podman_its_file_is_empty),
        TEST(what_has_come_of_a_layer_that_is_unpacked_is_told),
        TEST(each_word_of_how_far_it_is_is_heard_by_itself),
        TEST(a_layer_that_was_unpacked_is_what_the_configuration_says),
        TEST(one_blob_for_two_layers_comes_twice),
        TEST(what_is_compared_by_nobody_else_comes_unpacked),
        TEST(and_no_more_of_it_than_may_be),
        TEST(nor_in_holes),
        TEST(a_layer_that_is_another_is_cut_off),
        TEST(an_image_that_is_not_said_to_be_whole_is_cut_off),
        TEST(one_that_is_packed_otherwise_is_cut_off),
        TEST(so_is_one_that_is_packed_twice),
        TEST(so_is_one_of_zstd),
        TEST(also_behind_a_frame_that_is_passed_over),
        TEST(so_is_one_of_xz),
        TEST(layers_in_another_order_are_cut_off),
        TEST(a_layer_of_another_size_is_cut_off),
        TEST(more_than_the_layer_has_is_cut_off),
        TEST(an_end_in_the_middle_is_cut_off),
        TEST(a_failure_in_the_middle_is_cut_off),
        TEST(a_fetch_that_hangs_ends_with_its_time),
        TEST(what_the_engine_says_in_the_middle_is_a_failure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
