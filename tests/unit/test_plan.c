// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "core/plan.h"

#define COUNT(table) (sizeof(table) / sizeof(*(table)))

enum { MEMORY = 1000000 };

static const struct subject alice = {.uid = 1001, .gid = 1002};
static struct rules rules;
static struct decision decision;

static int set_up(void **state)
{
    (void)state;
    rules = (struct rules){
        .tmp_size = {0, 50},
        .shm_size = {4096, 0},
    };
    decision = (struct decision){
        .verdict = VERDICT_ALLOW,
        .rules = &rules,
        .network = "host",
    };
    return 0;
}

static void ports_that_are_none_are_refused(void **state)
{
    static const char *const bad[] = {
        "",        ":",      "x",           "0",        "65536",
        "80x",     "80-",    "-80",         "90-80",    "1-17",
        "80-81-82", "80-99999", "127.0.0.1:", "a:b:c",
    };
    struct berth_err err;
    struct plan plan;
    (void)state;

    for (size_t i = 0; i < COUNT(bad); i++) {
        char *publish[] = {(char *)bad[i]};
        decision.publish = publish;
        decision.npublish = 1;
        assert_int_equal(plan_make(&decision, &alice, MEMORY, &plan, &err),
                         -1);
        assert_int_equal(err.code, BERTH_EINVAL);
    }
    char *many[] = {(char *)"1-8", (char *)"11-19"};
    decision.publish = many;
    decision.npublish = 2;
    assert_int_equal(plan_make(&decision, &alice, MEMORY, &plan, &err), -1);
}

static void limits_that_are_none_are_refused(void **state)
{
    static const char *const bad[] = {
        "nofile",      "nofile=",      "nofile=x",   "nofile=1:",
        "nofile=1:2:3", "nofile=-2",   "nofile=1 ",  "nofile=unlimitedx",
        "nofile=99999999999999999999",
    };
    struct berth_err err;
    struct plan plan;
    (void)state;

    for (size_t i = 0; i < COUNT(bad); i++) {
        const struct rule rule = {.text = bad[i]};
        const struct rule *const v[] = {&rule};
        rules.ulimits = (struct rule_list){1, v};
        assert_int_equal(plan_make(&decision, &alice, MEMORY, &plan, &err),
                         -1);
        assert_int_equal(err.code, BERTH_EINVAL);
    }
}

static void what_the_decision_says_is_in_the_request(void **state)
{
    const struct rule limits[] = {{.text = "nofile=10:20"},
                                  {.text = "core=-1"},
                                  {.text = "stack=5:unlimited"}};
    const struct rule *const v[] = {&limits[0], &limits[1], &limits[2]};
    char *publish[] = {(char *)"127.0.0.1:80-81", (char *)"90",
                       (char *)"[::1]:91"};
    gid_t gids[] = {7, 8};
    struct decision_mount mounts[] = {
        {.source = (char *)"/a", .target = (char *)"/tmp"},
        {.target = (char *)"/fast"},
    };
    struct berth_err err;
    struct plan plan;
    (void)state;

    rules.ulimits = (struct rule_list){3, v};
    rules.pids_limit = 99;
    rules.apparmor = "berth";
    decision.publish = publish;
    decision.npublish = 3;
    decision.mounts = mounts;
    decision.nmounts = 2;
    decision.gids = gids;
    decision.ngids = 2;
    decision.network = "lan";
    decision.writable = true;
    assert_int_equal(plan_make(&decision, &alice, MEMORY, &plan, &err), 0);
    const struct request *r = &plan.request;
    assert_int_equal(r->uid, 1001);
    assert_int_equal(r->gid, 1002);
    assert_int_equal(r->ngids, 2);
    assert_int_equal(r->gids[1], 8);
    assert_true(r->writable);
    assert_int_equal(r->pids_limit, 99);
    assert_string_equal(r->network, "lan");
    assert_string_equal(r->apparmor, "berth");
    assert_int_equal(r->shm_bytes, 4096);
    // What is mounted at /tmp is in its place.
    assert_int_equal(r->ntmpfs, 3);
    assert_string_equal(r->tmpfs[0].target, "/run");
    assert_string_equal(r->tmpfs[1].target, "/var/tmp");
    assert_string_equal(r->tmpfs[2].target, "/fast");
    assert_int_equal(r->tmpfs[2].bytes, MEMORY / 2);
    assert_int_equal(r->nports, 4);
    assert_string_equal(r->ports[1].address, "127.0.0.1");
    assert_int_equal(r->ports[1].port, 81);
    assert_null(r->ports[2].address);
    assert_int_equal(r->ports[2].port, 90);
    assert_string_equal(r->ports[3].address, "::1");
    assert_int_equal(r->nulimits, 3);
    assert_string_equal(r->ulimits[0].name, "nofile");
    assert_int_equal(r->ulimits[0].soft, 10);
    assert_int_equal(r->ulimits[0].hard, 20);
    assert_int_equal(r->ulimits[1].hard, -1);
    assert_int_equal(r->ulimits[2].hard, -1);
    plan_clear(&plan);
}

static void the_nodes_network_is_no_network_of_the_engines(void **state)
{
    struct berth_err err;
    struct plan plan;
    (void)state;

    assert_int_equal(plan_make(&decision, &alice, MEMORY, &plan, &err), 0);
    assert_null(plan.request.network);
    assert_int_equal(plan.request.ntmpfs, 3);
    plan_clear(&plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(ports_that_are_none_are_refused, set_up),
        cmocka_unit_test_setup(limits_that_are_none_are_refused, set_up),
        cmocka_unit_test_setup(what_the_decision_says_is_in_the_request,
                               set_up),
        cmocka_unit_test_setup(the_nodes_network_is_no_network_of_the_engines,
                               set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
