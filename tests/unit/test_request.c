// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The create request, as a whole, against the reviewed text in
// tests/golden: whoever changes a key sees it there.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "logic/libpod.h"
#include "logic/limits.h"
#include "logic/request.h"

static const gid_t gids[] = {100, 27};
static const struct request_mount mounts[] = {
    {"/var/lib/berth/n1/12.0/workdir", "/home/alice/a:b \"c\"", false},
    {"/var/lib/berth/n1/12.0/init", "/run/berth/init", true},
};
static const struct request_tmpfs tmpfs[] = {{"/tmp", 1048576, false}};
static const struct request_ulimit ulimits[] = {{"nofile", 1024, -1}};
static const struct request_label labels[] = {{"berth.job", "12"}};

static struct request typical(void)
{
    return (struct request){
        .image_id = "sha256:0123",
        .uid = 1000,
        .gid = 100,
        .gids = gids,
        .ngids = 2,
        .mounts = mounts,
        .nmounts = 2,
        .tmpfs = tmpfs,
        .ntmpfs = 1,
        .shm_bytes = 2097152,
        .ulimits = ulimits,
        .nulimits = 1,
        .labels = labels,
        .nlabels = 1,
    };
}

// All that only an administrator can ask for.
static struct request elaborate(void)
{
    static const struct request_tmpfs sized[] = {{"/tmp", 1048576, false},
                                                 {"/scratch", 4096, false}};
    static const struct request_port ports[] = {
        {"127.0.0.1", 8888}, {"::1", 8888}, {NULL, 9999}};
    static const char *const devices[] = {"/dev/infiniband/uverbs0"};
    struct request r = typical();

    r.tmpfs = sized;
    r.ntmpfs = 2;
    r.writable = true;
    r.pids_limit = 100;
    r.network = "jobs";
    r.ports = ports;
    r.nports = 3;
    r.seccomp = "{\"defaultAction\":\"SCMP_ACT_ERRNO\"}";
    r.apparmor = "berth";
    r.selinux = "type:container_t";
    r.runtime = "crun";
    r.devices = devices;
    r.ndevices = 1;
    return r;
}

static void targets_that_no_mount_gets_are_known(void **state)
{
    static const char *const bad[] = {
        "",
        "a",
        "/",
        "//",
        "/a/",
        "/a//b",
        "/a/./b",
        "/a/../b",
        "/..",
        "/proc",
        "/proc/1",
        "/sys",
        "/sys/fs",
        "/dev",
        "/dev/shm",
        "/run/berth",
        "/run/berth/init",
        "/a\nb",
        "/a\x7f",
        "/a\xff",
        "/a\xc0\xaf",
    };
    static const char *const good[] = {
        "/a",    "/a b/c:d",      "/process",  "/devices",   "/a/...",
        "/a/.b", "/run/berthing", "/\xc3\xa4", "/srv/x,y=z",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        if (request_target_ok(bad[i]))
            fail_msg("allowed: \"%s\"", bad[i]);
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
        if (!request_target_ok(good[i]))
            fail_msg("not allowed: \"%s\"", good[i]);
}

static void two_mounts_at_one_place_are_refused(void **state)
{
    struct request_mount twice[] = {{"/a", "/x", false}, {"/b", "/x", false}};
    struct request r = typical();
    struct berth_err err;

    (void)state;
    r.mounts = twice;
    assert_null(request_build(&r, &err));
    assert_int_equal(err.code, BERTH_EINVAL);
}

static void a_tmpfs_has_a_place_of_its_own_too(void **state)
{
    struct request_tmpfs bad[] = {{"/proc/x", 1, false},
                                  {"/home/alice/a:b \"c\"", 1, false}};
    struct request r = typical();
    struct berth_err err;

    (void)state;
    r.ntmpfs = 1;
    for (size_t i = 0; i < 2; i++) {
        r.tmpfs = &bad[i];
        assert_null(request_build(&r, &err));
        assert_int_equal(err.code, BERTH_EINVAL);
    }
}

static void nothing_that_confines_can_be_switched_off(void **state)
{
    static const struct {
        const char *network, *seccomp, *apparmor, *selinux, *runtime;
    } bad[] = {
        {.network = "container:0123"},
        {.network = "ns:/proc/1/ns/net"},
        {.network = ""},
        {.network = "a,b"},
        {.seccomp = "unconfined"},
        {.seccomp = ""},
        {.seccomp = "{\"\xff\"}"},
        {.apparmor = "unconfined"},
        {.apparmor = ""},
        {.apparmor = "\xff"},
        {.selinux = "disable"},
        {.selinux = "type:"},
        {.selinux = "nested"},
        {.selinux = "type:\xff"},
        {.runtime = "\xff"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct request r = typical();
        struct berth_err err;

        r.network = bad[i].network;
        r.seccomp = bad[i].seccomp;
        r.apparmor = bad[i].apparmor;
        r.selinux = bad[i].selinux;
        r.runtime = bad[i].runtime;
        if (request_build(&r, &err))
            fail_msg("request %zu was built", i);
    }
}

// Threats 18, 25, 31, 36: not even empty. Threat 35: a daemon that remaps
// users would make the job's files another's.
static void no_way_around_the_mounts_or_the_users_is_ever_in_it(void **state)
{
    static const char *const never[] = {
        "Binds",           "CapAdd",          "Cgroup",
        "CgroupParent",    "ContainerIDFile", "DeviceCgroupRules",
        "Links",           "OomScoreAdj",     "Privileged",
        "PublishAllPorts", "StorageOpt",      "Sysctls",
        "VolumeDriver",    "VolumesFrom",
    };
    struct request requests[] = {typical(), elaborate()};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        json_t *body = request_build(&requests[i], NULL);
        json_t *host = json_object_get(body, "HostConfig");

        assert_non_null(host);
        for (size_t k = 0; k < sizeof(never) / sizeof(*never); k++)
            if (json_object_get(host, never[k]) ||
                json_object_get(body, never[k]))
                fail_msg("%s", never[k]);
        assert_null(json_object_get(body, "Volumes"));
        assert_string_equal(
            json_string_value(json_object_get(host, "UsernsMode")), "host");
        json_decref(body);
    }
}

static void a_source_that_is_not_utf8_is_refused(void **state)
{
    struct request_mount bad[] = {{"/a\xff", "/x", false}};
    struct request r = typical();
    struct berth_err err;

    (void)state;
    r.mounts = bad;
    r.nmounts = 1;
    assert_null(request_build(&r, &err));
    assert_int_equal(err.code, BERTH_EINVAL);
}

static void a_body_that_is_too_large_is_refused(void **state)
{
    static gid_t many[BERTH_GROUPS_MAX];
    struct request r = typical();
    struct berth_err err;

    (void)state;
    for (size_t i = 0; i < BERTH_GROUPS_MAX; i++)
        many[i] = 4000000000U;
    r.gids = many;
    r.ngids = BERTH_GROUPS_MAX;
    assert_null(request_build(&r, &err));
    assert_int_equal(err.code, BERTH_EINVAL);
}

static void is_golden(const struct request *r, const char *path)
{
    json_error_t why;
    json_t *want = json_load_file(path, 0, &why);
    json_t *have = request_build(r, NULL);

    assert_non_null(have);
    if (!want || !json_equal(want, have)) {
        char *text = json_dumps(have, JSON_INDENT(4));
        fprintf(stderr, "%s\n", text); // print_error has 1 KiB
        free(text);
        fail_msg("the request differs from %s", path);
    }
    json_decref(want);
    json_decref(have);
}

static void the_typical_request_is_the_reviewed_one(void **state)
{
    struct request r = typical();

    (void)state;
    is_golden(&r, GOLDEN "/request.json");
}

static void what_an_administrator_can_ask_for_is_as_reviewed(void **state)
{
    struct request r = elaborate();

    (void)state;
    is_golden(&r, GOLDEN "/request-elaborate.json");
}

// As text: the infinite limit is no number of jansson's.
static void compare_libpod(const struct request *r, const char *golden)
{
    struct berth_err err = {0};
    char want[8192];

    FILE *f = fopen(golden, "r");
    assert_non_null(f);
    want[fread(want, 1, sizeof(want) - 1, f)] = 0;
    fclose(f);
    json_t *body = request_build(r, NULL);
    char *have = libpod_request(body, "berth-12.0-0", &r->root, &err);
    if (!have)
        fail_msg("%s", err.text);
    char *p = want;
    for (const char *q = want; *q; q++)
        if (*q != '\n' &&
            !(*q == ' ' && (q == want || q[-1] == '\n' || q[-1] == ' ' ||
                            q[-1] == ',' || q[-1] == ':')))
            *p++ = *q;
    *p = 0;
    if (strcmp(want, have) != 0) {
        fprintf(stderr, "%s\n%s\n", want, have);
        fail_msg("the request differs from %s", golden);
    }
    free(have);
    json_decref(body);
}

static void podmans_words_for_it_are_the_reviewed_ones(void **state)
{
    static const char *const names[] = {"nvidia.com/gpu=GPU-0",
                                        "nvidia.com/gpu=GPU-1"};
    struct request r = elaborate();

    (void)state;
    r.seccomp = "/etc/berth/seccomp.json"; // Podman takes a path
    r.no_copyup = true;
    r.gpus_by = REQUEST_GPUS_CDI;
    r.gpus = names;
    r.ngpus = 2;
    compare_libpod(&r, GOLDEN "/libpod.json");
}

static void who_is_root_has_ids_and_capabilities_as_reviewed(void **state)
{
    struct request r = typical();

    (void)state;
    r.uid = r.gid = 0;
    r.ngids = 0;
    r.no_copyup = r.writable = true;
    r.root = (struct root_range){2000000, 65536};
    compare_libpod(&r, GOLDEN "/libpod-root.json");
}

// What is not said is the daemon's own map, of a Docker with userns-remap; any
// word but "host" would be refused.
static void who_is_root_has_the_map_that_docker_has(void **state)
{
    struct request r = typical();

    (void)state;
    r.root = (struct root_range){100000, 65536};
    json_t *body = request_build(&r, NULL);
    json_t *host = json_object_get(body, "HostConfig");
    assert_string_equal(json_string_value(json_object_get(host, "UsernsMode")),
                        "");
    assert_int_equal(json_array_size(json_object_get(host, "CapAdd")), 9);
    assert_true(json_is_true(json_object_get(body, "OpenStdin")));
    json_decref(body);
}

// Whatever there is besides those of logic/request.h (threat 106).
// (threat 106)
static void who_is_root_has_no_other_capability(void **state)
{
    struct request r = typical();
    struct berth_err err = {0};

    (void)state;
    r.root = (struct root_range){2000000, 65536};
    json_t *body = request_build(&r, NULL);
    json_t *host = json_object_get(body, "HostConfig");
    json_array_append_new(json_object_get(host, "CapAdd"),
                          json_string("SYS_ADMIN"));
    assert_null(libpod_request(body, "n1", &r.root, &err));
    assert_non_null(strstr(err.text, "CapAdd"));
    json_decref(body);
}

static void what_has_no_word_of_podmans_is_refused(void **state)
{
    static const struct {
        const char *key; // of HostConfig
        const char *value;
    } strange[] = {
        {"New", "1"},
        {"Privileged", "true"},
        {"CapAdd", "[\"SYS_ADMIN\"]"},
        {"LogConfig", "{\"Type\":\"journald\"}"},
        {"RestartPolicy", "{\"Name\":\"always\"}"},
        {"NetworkMode", "\"container:x\""},
        {"PidMode", "1"},
        {"IpcMode", "\"none\""},
        {"PortBindings", "{\"80/udp\":[{\"HostIp\":\"\",\"HostPort\":"
                         "\"80\"}]}"},
        {"PortBindings", "{\"80/tcp\":[{\"HostIp\":\"\",\"HostPort\":"
                         "\"80-90\"}]}"},
        {"SecurityOpt", "[\"seccomp={}\"]"},
        {"CgroupnsMode", "\"container:x\""},
        {"SecurityOpt", "[\"systempaths=unconfined\"]"},
        {"SecurityOpt", "[1]"},
        {"Mounts", "[{\"Type\":\"volume\"}]"},
        {"Devices", "[{\"PathOnHost\":\"/dev/x\"}]"},
        {"Devices", "[{\"PathOnHost\":\"/dev/x:/dev/mem\","
                    "\"PathInContainer\":\"/a\","
                    "\"CgroupPermissions\":\"rw\"}]"},
        {"DeviceRequests", "[{\"Driver\":\"nvidia\",\"DeviceIDs\":[]}]"},
        {"Ulimits", "[{\"Name\":\"a\\\"\",\"Soft\":1,\"Hard\":1}]"},
    };
    struct request r = typical();

    (void)state;
    for (size_t i = 0; i < sizeof(strange) / sizeof(*strange); i++) {
        json_t *body = request_build(&r, NULL);
        struct berth_err err = {0};
        json_object_set_new(
            json_object_get(body, "HostConfig"), strange[i].key,
            json_loads(strange[i].value, JSON_DECODE_ANY, NULL));
        char *text = libpod_request(body, "n1", &r.root, &err);
        if (text)
            fail_msg("%s: %s", strange[i].key, text);
        assert_int_equal(err.code, BERTH_EINVAL);
        assert_non_null(strstr(err.text, strange[i].key));
        json_decref(body);
    }
    json_t *body = request_build(&r, NULL);
    json_object_set_new(body, "Cmd", json_pack("[s]", "x"));
    assert_null(libpod_request(body, "n1", &r.root, NULL));
    json_decref(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(targets_that_no_mount_gets_are_known),
        cmocka_unit_test(two_mounts_at_one_place_are_refused),
        cmocka_unit_test(a_tmpfs_has_a_place_of_its_own_too),
        cmocka_unit_test(nothing_that_confines_can_be_switched_off),
        cmocka_unit_test(no_way_around_the_mounts_or_the_users_is_ever_in_it),
        cmocka_unit_test(a_source_that_is_not_utf8_is_refused),
        cmocka_unit_test(a_body_that_is_too_large_is_refused),
        cmocka_unit_test(the_typical_request_is_the_reviewed_one),
        cmocka_unit_test(what_an_administrator_can_ask_for_is_as_reviewed),
        cmocka_unit_test(podmans_words_for_it_are_the_reviewed_ones),
        cmocka_unit_test(who_is_root_has_ids_and_capabilities_as_reviewed),
        cmocka_unit_test(who_is_root_has_the_map_that_docker_has),
        cmocka_unit_test(who_is_root_has_no_other_capability),
        cmocka_unit_test(what_has_no_word_of_podmans_is_refused),
    };

    return cmocka_run_group_tests_name("request", tests, NULL, NULL);
}
