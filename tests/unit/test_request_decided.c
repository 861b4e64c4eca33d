// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "logic/request_decided.h"
#include "logic/rlimits.h"

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

static void more_ports_than_a_container_has_are_refused(void **state)
{
    static const struct rule_ports ports[] = {
        {"", 1, 8}, {"", 11, 18}, {"", 11, 19}};
    static const struct rule rules_of[] = {
        {.text = "1-8", .ports = &ports[0]},
        {.text = "11-18", .ports = &ports[1]},
        {.text = "11-19", .ports = &ports[2]}};
    static const struct rule *const few[] = {&rules_of[0], &rules_of[1]};
    static const struct rule *const many[] = {&rules_of[0], &rules_of[2]};
    struct berth_err err;
    struct request_decided plan;
    (void)state;

    decision.publish = (struct rule_list){2, few};
    assert_int_equal(
        request_decided_make(&decision, &alice, MEMORY, &plan, &err), 0);
    assert_int_equal(plan.request.nports, 16);
    request_decided_clear(&plan);
    decision.publish = (struct rule_list){2, many};
    assert_int_equal(
        request_decided_make(&decision, &alice, MEMORY, &plan, &err), -1);
    assert_int_equal(err.code, BERTH_EINVAL);
    assert_string_equal(err.text, "publish = \"11-19\": with it there are more "
                                  "than 16 ports: tell your administrator");
}

static void what_the_decision_says_is_in_the_request(void **state)
{
    const struct rule_ulimit limits[] = {{rlimit_find("nofile"), 10, 20},
                                         {rlimit_find("core"), -1, -1},
                                         {rlimit_find("stack"), 5, -1}};
    const struct rule_ports ports[] = {
        {"127.0.0.1", 80, 81}, {"", 90, 90}, {"::1", 81, 81}};
    const struct rule parsed[] = {
        {.ulimit = &limits[0]}, {.ulimit = &limits[1]}, {.ulimit = &limits[2]},
        {.ports = &ports[0]},   {.ports = &ports[1]},   {.ports = &ports[2]}};
    const struct rule *const v[] = {&parsed[0], &parsed[1], &parsed[2],
                                    &parsed[3], &parsed[4], &parsed[5],
                                    &parsed[3]};
    gid_t gids[] = {7, 8};
    struct decision_mount mounts[] = {
        {.source = (char *)"/a", .target = (char *)"/tmp"},
        {.target = (char *)"/fast"},
        {.target = (char *)"/a/fast", .nested = true},
    };
    struct berth_err err;
    struct request_decided plan;
    (void)state;

    rules.ulimits = (struct rule_list){3, v};
    rules.pids_limit = 99;
    rules.apparmor = "berth";
    decision.publish = (struct rule_list){4, v + 3}; // one of them twice
    decision.mounts = mounts;
    decision.nmounts = 3;
    decision.gids = gids;
    decision.ngids = 2;
    decision.network = "lan";
    decision.writable = true;
    assert_int_equal(
        request_decided_make(&decision, &alice, MEMORY, &plan, &err), 0);
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
    // What is mounted at /tmp is in its place, and what no engine can make is
    // none of its.
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
    request_decided_clear(&plan);
}

static void the_nodes_network_is_no_network_of_the_engines(void **state)
{
    struct berth_err err;
    struct request_decided plan;
    (void)state;

    assert_int_equal(
        request_decided_make(&decision, &alice, MEMORY, &plan, &err), 0);
    assert_null(plan.request.network);
    assert_int_equal(plan.request.ntmpfs, 3);
    request_decided_clear(&plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(more_ports_than_a_container_has_are_refused,
                               set_up),
        cmocka_unit_test_setup(what_the_decision_says_is_in_the_request,
                               set_up),
        cmocka_unit_test_setup(the_nodes_network_is_no_network_of_the_engines,
                               set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
