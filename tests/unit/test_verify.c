// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The check after the start: a good container passes, and of each that
// differs from it in one thing the first difference is told. The second line
// of defence against threats 27, 28, 29, 30, 31, 33, 35, 39, 49, 53 and 54.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include <cmocka.h>

#include "stepd/verify.h"
#include "stepd/verify_mapped.h"

#define IMAGE "sha256:0123456789abcdef"
#define N(a) (sizeof(a) / sizeof(*(a)))

// What was asked for, and what there is. Parts that a test changes are here,
// since a request borrows.
struct sample {
    gid_t gids[3];
    struct request_mount mounts[3];
    struct request_tmpfs tmpfs[2];
    struct request request;
    char site[8], other[8];
    char *networks[2];
    struct engine_mount engine_mounts[6];
    struct engine_container container;
    char status[1024];
    struct seen_mount seen_mounts[3];
    struct seen_file seen_tmpfs[2];
    struct seen seen;
};

// The fields of a status that count, among some that don't.
struct status {
    const char *uid, *gid, *groups, *inh, *prm, *eff, *bnd, *amb, *nnp,
        *seccomp, *filters;
};

static const struct status good_status = {
    .uid = "1000\t1000\t1000\t1000",
    .gid = "100\t100\t100\t100",
    .groups = "100 4 24 ",
    .inh = "0000000000000000",
    .prm = "0000000000000000",
    .eff = "0000000000000000",
    .bnd = "0000000000000000",
    .amb = "0000000000000000",
    .nnp = "1",
    .seccomp = "2",
    .filters = "2",
};

static void put_status(struct sample *s, struct status t)
{
    int n = snprintf(s->status, sizeof(s->status),
                     "Name:\tberth-init\nUmask:\t0022\nUid:\t%s\nGid:\t%s\n"
                     "FDSize:\t64\nGroups:\t%s\nNStgid:\t7\t1\n"
                     "CapInh:\t%s\nCapPrm:\t%s\nCapEff:\t%s\nCapBnd:\t%s\n"
                     "CapAmb:\t%s\nNoNewPrivs:\t%s\nSeccomp:\t%s\n"
                     "Seccomp_filters:\t%s\n",
                     t.uid, t.gid, t.groups, t.inh, t.prm, t.eff, t.bnd, t.amb,
                     t.nnp, t.seccomp, t.filters);

    assert_in_range(n, 1, sizeof(s->status) - 1);
}

static const struct seen_file staged = {
    .there = true,
    .dev = 8,
    .ino = 42,
    .flags = ST_NOSUID | ST_NODEV | ST_RDONLY | ST_RELATIME,
    .bytes = 1 << 30,
};

static void make_good(struct sample *s)
{
    *s = (struct sample){
        .gids = {4, 24},
        .mounts =
            {
                {"/run/berth/init", "/.berth/init", true},
                {"/run/berth/data", "/data", false},
                {"/run/berth/empty", "/home/u", false},
            },
        .tmpfs = {{.target = "/tmp", .bytes = 1 << 20},
                  {.target = "/run", .bytes = 65536}},
        .site = "site",
        .other = "other",
        .networks = {s->site, s->other},
        .engine_mounts = {{.type = "bind"},
                          {.type = "bind"},
                          {.type = "tmpfs"},
                          {.type = "bind"}},
        .seen_mounts = {{.source = staged, .target = staged},
                        {.source = staged, .target = staged},
                        {.covered = true}},
        .seen_tmpfs = {{.there = true, .bytes = 1 << 20},
                       {.there = true, .bytes = 65536}},
    };
    s->seen_mounts[1].target.flags &= ~(unsigned long)ST_RDONLY;
    s->request = (struct request){
        .image_id = IMAGE,
        .uid = 1000,
        .gid = 100,
        .gids = s->gids,
        .ngids = 2,
        .mounts = s->mounts,
        .nmounts = 3,
        .tmpfs = s->tmpfs,
        .ntmpfs = 2,
        .shm_bytes = 1 << 16,
        .pids_limit = 512,
        .runtime = "runc",
    };
    s->container = (struct engine_container){
        .image = IMAGE,
        .pid = 4711,
        .running = true,
        .readonly_rootfs = true,
        .network_mode = "host",
        .ipc_mode = "private",
        .runtime = "runc",
        .pids_limit = 512,
        .nmounts = 4,
        .mounts = s->engine_mounts,
    };
    s->seen = (struct seen){
        .status = s->status,
        .ns = {[SEEN_MNT] = {4, 11},
               [SEEN_PID] = {4, 12},
               [SEEN_IPC] = {4, 13},
               [SEEN_NET] = {4, 4},
               [SEEN_USER] = {4, 5}},
        .node = {[SEEN_MNT] = {4, 1},
                 [SEEN_PID] = {4, 2},
                 [SEEN_IPC] = {4, 3},
                 [SEEN_NET] = {4, 4},
                 [SEEN_USER] = {4, 5}},
        .root = {.there = true, .flags = ST_NODEV | ST_RDONLY},
        .mounts = s->seen_mounts,
        .tmpfs = s->seen_tmpfs,
        .shm = {.there = true, .bytes = 1 << 16},
    };
    put_status(s, good_status);
}

// What is changed in a good sample, and whether the check takes it.
struct row {
    const char *name;
    void (*change)(struct sample *s);
    const char *sentence; // NULL: it is taken; "=": all of it, else what it
                          // has in parentheses
};

#define CHANGE(name, ...)                                                      \
    static void name(struct sample *s)                                         \
    {                                                                          \
        __VA_ARGS__;                                                           \
    }
#define ROW(name, sentence)                                                    \
    {                                                                          \
#name, name, sentence                                                  \
    }
#define STATUS(name, ...)                                                      \
    CHANGE(name, struct status t = good_status; __VA_ARGS__; put_status(s, t))

static void check_row(const struct row *row,
                      int (*check)(const struct sample *s,
                                   struct berth_err *err))
{
    struct berth_err err = {0};
    char want[1200], got[1200];
    struct sample s;

    make_good(&s);
    row->change(&s);
    int rc = check(&s, &err);
    snprintf(got, sizeof(got), "%s: %s", row->name,
             rc < 0 ? err.text : "taken");
    if (!row->sentence)
        snprintf(want, sizeof(want), "%s: taken", row->name);
    else if (row->sentence[0] == '=')
        snprintf(want, sizeof(want), "%s: %s", row->name, row->sentence + 1);
    else
        snprintf(want, sizeof(want),
                 "%s: the container that the engine "
                 "started is not the one that was asked for (%s)",
                 row->name, row->sentence);
    assert_string_equal(got, want);
    assert_int_equal(rc, row->sentence ? -1 : 0);
    assert_int_equal(err.code, row->sentence ? BERTH_EENGINE : 0);
}

static int by_engine(const struct sample *s, struct berth_err *err)
{
    return verify_engine(&s->request, &s->container, err);
}

static int by_kernel(const struct sample *s, struct berth_err *err)
{
    return verify_kernel(&s->request, &s->seen, err);
}

// The engine's word.

CHANGE(as_asked, (void)s)
CHANGE(another_image, strcpy(s->container.image, "sha256:0123456789abcdee"))
CHANGE(not_running, s->container.running = false)
CHANGE(no_process, s->container.pid = 0)
CHANGE(process_1_of_the_node, s->container.pid = 1)
CHANGE(process_2, s->container.pid = 2)
CHANGE(privileged, s->container.privileged = true)
CHANGE(a_capability, s->container.ncap_add = 1)
CHANGE(writable_root, s->container.readonly_rootfs = false)
CHANGE(readonly_root, s->request.writable = true)
CHANGE(writable_as_asked, s->request.writable = true;
       s->container.readonly_rootfs = false)
CHANGE(another_runtime, strcpy(s->container.runtime, "runsc"))
CHANGE(any_runtime, s->request.runtime = NULL)
CHANGE(no_pids_limit, s->container.pids_limit = 0)
CHANGE(larger_pids_limit, s->container.pids_limit = 513)
CHANGE(unasked_pids_limit, s->request.pids_limit = 0)
CHANGE(a_volume, strcpy(s->engine_mounts[2].type, "volume"))
CHANGE(a_mount_of_no_type, s->engine_mounts[2].type[0] = 0)
CHANGE(another_bind, strcpy(s->engine_mounts[2].type, "bind"))
CHANGE(another_tmpfs, strcpy(s->engine_mounts[4].type, "tmpfs");
       s->container.nmounts = 5)
CHANGE(a_bind_too_few, s->container.nmounts = 3)
CHANGE(pids_of_the_node, strcpy(s->container.pid_mode, "host"))
CHANGE(pids_of_another, strcpy(s->container.pid_mode, "container:0123"))
CHANGE(private_pids, strcpy(s->container.pid_mode, "private"))
CHANGE(ipc_of_the_node, strcpy(s->container.ipc_mode, "host"))
CHANGE(ipc_of_another, strcpy(s->container.ipc_mode, "container:0123"))
CHANGE(podmans_own_ipc, strcpy(s->container.ipc_mode, "shareable"))
CHANGE(no_ipc_word, s->container.ipc_mode[0] = 0)

CHANGE(a_network_instead_of_the_nodes,
       strcpy(s->container.network_mode, "bridge"))
CHANGE(no_network_instead_of_the_nodes,
       strcpy(s->container.network_mode, "none"))
CHANGE(the_nodes_network_instead_of_none, s->request.network = "none")
CHANGE(no_network, s->request.network = "none";
       strcpy(s->container.network_mode, "none"))
CHANGE(one_network, s->request.network = "site";
       s->container.networks = s->networks; s->container.nnetworks = 1)
CHANGE(another_network, one_network(s); s->request.network = "other")
CHANGE(two_networks, one_network(s); s->container.nnetworks = 2)
CHANGE(network_that_is_not_there, one_network(s); s->container.nnetworks = 0)

CHANGE(a_device, s->container.ndevices = 1)
CHANGE(device_as_asked, s->request.ndevices = 1; s->container.ndevices = 1)
CHANGE(device_too_few, s->request.ndevices = 1)
CHANGE(gpu_files, s->request.gpus_by = REQUEST_GPUS_FILES; s->request.ngpus = 3;
       s->request.ndevices = 2; s->container.ndevices = 5)
CHANGE(gpu_file_too_many, gpu_files(s); s->container.ndevices = 6)
CHANGE(gpus_of_docker, gpu_files(s); s->request.gpus_by = REQUEST_GPUS_NVIDIA;
       s->container.ndevices = 3)
CHANGE(gpus_of_docker_too_few, gpus_of_docker(s); s->container.ndevices = 2)
CHANGE(gpus_by_cdi, gpu_files(s); s->request.gpus_by = REQUEST_GPUS_CDI;
       s->container.ndevices = 17)

static void the_engines_word_is_compared(void **state)
{
    static const struct row rows[] = {
        ROW(as_asked, NULL),
        ROW(another_image, "its image"),
        ROW(not_running, "it does not run"),
        ROW(no_process, "it does not run"),
        ROW(process_1_of_the_node, "it does not run"),
        ROW(process_2, NULL),
        ROW(privileged, "it is privileged"),
        ROW(a_capability, "it is privileged"),
        ROW(writable_root, "its root file system"),
        ROW(readonly_root, "its root file system"),
        ROW(writable_as_asked, NULL),
        ROW(another_runtime, "its runtime"),
        ROW(any_runtime, NULL),
        ROW(no_pids_limit, "its limit on processes"),
        ROW(larger_pids_limit, "its limit on processes"),
        ROW(unasked_pids_limit, NULL),
        ROW(a_volume, "it has a volume"),
        ROW(a_mount_of_no_type, "it has a volume"),
        ROW(another_bind, "its mounts"),
        ROW(another_tmpfs, NULL),
        ROW(a_bind_too_few, "its mounts"),
        ROW(pids_of_the_node, "its namespaces"),
        ROW(pids_of_another, "its namespaces"),
        ROW(private_pids, NULL),
        ROW(ipc_of_the_node, "its namespaces"),
        ROW(ipc_of_another, "its namespaces"),
        ROW(podmans_own_ipc, NULL),
        ROW(no_ipc_word, NULL),
        ROW(a_network_instead_of_the_nodes, "its network"),
        ROW(no_network_instead_of_the_nodes, "its network"),
        ROW(the_nodes_network_instead_of_none, "its network"),
        ROW(no_network, NULL),
        ROW(one_network, NULL),
        ROW(another_network, "its network"),
        ROW(two_networks, "its network"),
        ROW(network_that_is_not_there, "its network"),
        ROW(a_device, "its devices"),
        ROW(device_as_asked, NULL),
        ROW(device_too_few, "its devices"),
        ROW(gpu_files, NULL),
        ROW(gpu_file_too_many, "its devices"),
        ROW(gpus_of_docker, NULL),
        ROW(gpus_of_docker_too_few, "its devices"),
        ROW(gpus_by_cdi, NULL),
    };

    (void)state;
    for (size_t i = 0; i < N(rows); i++)
        check_row(&rows[i], by_engine);
}

// The process.

STATUS(root_on_the_node, t.uid = "0\t0\t0\t0")
STATUS(effective_root, t.uid = "1000\t0\t1000\t1000")
STATUS(saved_root, t.uid = "1000\t1000\t0\t1000")
STATUS(file_system_root, t.uid = "1000\t1000\t1000\t0")
STATUS(longer_uid, t.uid = "1000\t1000\t1000\t10001")
STATUS(no_uid, t.uid = "")
STATUS(another_group, t.gid = "0\t0\t0\t0")
STATUS(saved_group_of_roots, t.gid = "100\t100\t0\t100")

STATUS(groups_without_the_primary, t.groups = "4 24")
STATUS(a_group_missing, t.groups = "100 4 ")
STATUS(a_group_missing_and_one_twice, t.groups = "100 4 4 ")
STATUS(a_group_besides, t.groups = "100 4 24 27 ")
STATUS(group_of_roots, t.groups = "0 4 24 ")
STATUS(groups_that_are_none, t.groups = "100 4 24 x")
CHANGE(groups_that_are_none_where_0_is_asked_for, s->gids[0] = 0;
       struct status t = good_status; t.groups = "x"; put_status(s, t))
STATUS(no_groups, t.groups = "")
CHANGE(no_groups_asked_for, s->request.ngids = 0; struct status t = good_status;
       t.groups = ""; put_status(s, t))
CHANGE(no_line_of_groups, *strstr(s->status, "Groups:") = 'g')

STATUS(inheritable, t.inh = "0000000000000001")
STATUS(permitted, t.prm = "0000000000000001")
STATUS(effective, t.eff = "0000000000200000")
STATUS(bounding, t.bnd = "00000000a80425fb")
STATUS(ambient, t.amb = "0000000000000400")
STATUS(no_word_on_capabilities, t.bnd = "")
CHANGE(no_line_of_capabilities, *strstr(s->status, "CapEff:") = 'c')
STATUS(may_gain, t.nnp = "0")
STATUS(no_filter, t.seccomp = "0")
STATUS(strict_mode, t.seccomp = "1")
CHANGE(no_line_of_seccomp, strstr(s->status, "\nSeccomp:")[1] = 's')
CHANGE(seccomp_at_the_end, strstr(s->status, "Seccomp_")[0] = 0)
CHANGE(seccomp_cut_off, *strstr(s->status, "\nSeccomp_") = 0)
STATUS(the_engines_filter_alone, t.filters = "1")
STATUS(the_services_filters_as_well, t.filters = "12")
CHANGE(a_profile_alone, s->request.seccomp = "{}";
       struct status t = good_status; t.filters = "1"; put_status(s, t))
CHANGE(a_profile_that_is_not_there, s->request.seccomp = "{}";
       struct status t = good_status; t.filters = "0"; put_status(s, t))
CHANGE(filters_not_counted_with_a_profile, s->request.seccomp = "{}";
       strstr(s->status, "Seccomp_")[0] = 0)
CHANGE(status_of_nothing, s->status[0] = 0)

CHANGE(mounts_of_the_node, s->seen.ns[SEEN_MNT] = s->seen.node[SEEN_MNT])
CHANGE(processes_of_the_node, s->seen.ns[SEEN_PID] = s->seen.node[SEEN_PID])
CHANGE(memory_of_the_node, s->seen.ns[SEEN_IPC] = s->seen.node[SEEN_IPC])
CHANGE(other_device_of_a_namespace,
       s->seen.ns[SEEN_PID] = s->seen.node[SEEN_PID];
       s->seen.ns[SEEN_PID].dev++)
CHANGE(network_of_its_own, s->seen.ns[SEEN_NET].ino++)
CHANGE(network_of_its_own_as_asked, s->seen.ns[SEEN_NET].ino++;
       s->request.network = "none")
CHANGE(network_of_the_nodes, s->request.network = "none")
CHANGE(a_user_namespace, s->seen.ns[SEEN_USER].ino++)

static void the_process_is_compared(void **state)
{
    static const struct row rows[] = {
        ROW(as_asked, NULL),
        ROW(root_on_the_node, "its user"),
        ROW(effective_root, "its user"),
        ROW(saved_root, "its user"),
        ROW(file_system_root, "its user"),
        ROW(longer_uid, "its user"),
        ROW(no_uid, "its user"),
        ROW(another_group, "its user"),
        ROW(saved_group_of_roots, "its user"),
        ROW(groups_without_the_primary, NULL),
        ROW(a_group_missing, "its groups"),
        ROW(a_group_missing_and_one_twice, "its groups"),
        ROW(a_group_besides, "its groups"),
        ROW(group_of_roots, "its groups"),
        ROW(groups_that_are_none, "its groups"),
        ROW(groups_that_are_none_where_0_is_asked_for, "its groups"),
        ROW(no_groups, "its groups"),
        ROW(no_groups_asked_for, NULL),
        ROW(no_line_of_groups, "its groups"),
        ROW(inheritable, "its capabilities"),
        ROW(permitted, "its capabilities"),
        ROW(effective, "its capabilities"),
        ROW(bounding, "its capabilities"),
        ROW(ambient, "its capabilities"),
        ROW(no_word_on_capabilities, "its capabilities"),
        ROW(no_line_of_capabilities, "its capabilities"),
        ROW(may_gain, "it may gain privileges"),
        ROW(no_filter, "it has no seccomp filter"),
        ROW(strict_mode, "it has no seccomp filter"),
        ROW(no_line_of_seccomp, "it has no seccomp filter"),
        ROW(seccomp_at_the_end, "it lacks a seccomp filter"),
        ROW(seccomp_cut_off, "it has no seccomp filter"),
        ROW(the_engines_filter_alone, "it lacks a seccomp filter"),
        ROW(the_services_filters_as_well, NULL),
        ROW(a_profile_alone, NULL),
        ROW(a_profile_that_is_not_there, "it lacks a seccomp filter"),
        ROW(filters_not_counted_with_a_profile, "it lacks a seccomp filter"),
        ROW(status_of_nothing, "its user"),
        ROW(mounts_of_the_node, "its namespaces"),
        ROW(processes_of_the_node, "its namespaces"),
        ROW(memory_of_the_node, "its namespaces"),
        ROW(other_device_of_a_namespace, NULL),
        ROW(network_of_its_own, "its network"),
        ROW(network_of_its_own_as_asked, NULL),
        ROW(network_of_the_nodes, "its network"),
        ROW(a_user_namespace, "its user namespace"),
    };

    (void)state;
    for (size_t i = 0; i < N(rows); i++)
        check_row(&rows[i], by_kernel);
}

// Who is root inside: nobody on the node, with exactly what he is to have
// (threats 106, 109, 120, 121).

#define ROOTS "00000000800000fb"

static const struct status root_status = {
    .uid = "2000000\t2000000\t2000000\t2000000",
    .gid = "2000000\t2000000\t2000000\t2000000",
    .groups = "2000000 ",
    .inh = "0000000000000000",
    .prm = ROOTS,
    .eff = ROOTS,
    .bnd = "00000000800020fb",
    .amb = "0000000000000000",
    .nnp = "1",
    .seccomp = "2",
    .filters = "2",
};

static void root_inside(struct sample *s)
{
    s->request.uid = s->request.gid = 0;
    s->request.ngids = 0;
    s->request.writable = true;
    s->request.root = (struct root_range){2000000, 65536};
    s->container.readonly_rootfs = false;
    s->seen.root.flags = ST_NODEV;
    s->seen.ns[SEEN_USER].ino++;
    strcpy(s->seen.uid_map, "         0    2000000      65536\n");
    strcpy(s->seen.gid_map, s->seen.uid_map);
    put_status(s, root_status);
}

// (threats 106, 108, 109)
#define ROOT(name, ...) CHANGE(name, root_inside(s); __VA_ARGS__)
#define ROOT_STATUS(name, ...)                                                 \
    CHANGE(name, root_inside(s); struct status t = root_status; __VA_ARGS__;   \
           put_status(s, t))

ROOT_STATUS(root_of_the_node, t.uid = "0\t0\t0\t0")
ROOT_STATUS(the_user_himself, t.uid = "1000\t1000\t1000\t1000")
ROOT_STATUS(the_users_group, t.gid = "100\t100\t100\t100")
ROOT_STATUS(a_group_of_the_users, t.groups = "2000000 4 ")
ROOT_STATUS(group_0_of_the_node, t.groups = "0 ")
ROOT_STATUS(no_group_besides, t.groups = "")
ROOT_STATUS(a_capability_more, t.eff = "00000000802000fb")
ROOT_STATUS(a_capability_more_to_be_had, t.prm = "00000000802000fb")
ROOT_STATUS(a_capability_more_to_be_gained, t.bnd = "00000000a80425fb")
ROOT_STATUS(a_capability_less, t.eff = "00000000800000db")
ROOT_STATUS(pings_capability, t.prm = t.eff = t.bnd)
ROOT_STATUS(pings_capability_to_be_had, t.prm = t.bnd)
ROOT_STATUS(pings_capability_handed_on, t.inh = "0000000000002000")
ROOT_STATUS(no_ping, t.bnd = ROOTS)
ROOT_STATUS(capabilities_that_are_handed_on, t.inh = ROOTS)
ROOT_STATUS(ambient_capabilities, t.amb = ROOTS)
ROOT_STATUS(root_that_may_gain, t.nnp = "0")
ROOT_STATUS(root_without_a_filter, t.seccomp = "0")
ROOT_STATUS(root_with_the_engines_filter_alone, t.filters = "1")
ROOT(the_nodes_users, s->seen.ns[SEEN_USER] = s->seen.node[SEEN_USER])
ROOT(a_map_from_0, strcpy(s->seen.uid_map, " 0 0 65536\n"))
ROOT(a_map_to_another, strcpy(s->seen.uid_map, " 0 2065536 65536\n"))
ROOT(a_map_that_is_longer, strcpy(s->seen.uid_map, " 0 2000000 65537\n"))
ROOT(a_map_with_the_user_in_it,
     strcpy(s->seen.uid_map, " 0 1000 1\n 1 2000000 65535\n"))
ROOT(a_map_of_two_lines, strcat(s->seen.uid_map, " 65536 0 1\n"))
ROOT(another_map_of_groups, strcpy(s->seen.gid_map, " 0 0 65536\n"))
ROOT(no_map, s->seen.uid_map[0] = 0)
ROOT(a_stream_of_the_nodes, s->seen.node_stream = true)
ROOT(root_and_a_node_with_no_ids, s->request.root.count = 0)
ROOT(root_with_a_readonly_root, s->seen.root.flags |= ST_RDONLY)

static void who_is_root_inside_is_compared(void **state)
{
    static const struct row rows[] = {
        ROW(root_inside, NULL),
        ROW(root_of_the_node, "its user"),
        ROW(the_user_himself, "its user"),
        ROW(the_users_group, "its user"),
        ROW(a_group_of_the_users, "its groups"),
        ROW(group_0_of_the_node, "its groups"),
        ROW(no_group_besides, NULL),
        ROW(a_capability_more, "its capabilities"),
        ROW(a_capability_more_to_be_had, "its capabilities"),
        ROW(a_capability_more_to_be_gained, "its capabilities"),
        ROW(a_capability_less, "its capabilities"),
        ROW(pings_capability, "its capabilities"),
        ROW(pings_capability_to_be_had, "its capabilities"),
        ROW(pings_capability_handed_on, "its capabilities"),
        ROW(no_ping, "its capabilities"),
        ROW(capabilities_that_are_handed_on, "its capabilities"),
        ROW(ambient_capabilities, "its capabilities"),
        ROW(root_that_may_gain, "it may gain privileges"),
        ROW(root_without_a_filter, "it has no seccomp filter"),
        ROW(root_with_the_engines_filter_alone, "it lacks a seccomp filter"),
        ROW(the_nodes_users, "its user namespace"),
        ROW(a_map_from_0, "its IDs"),
        ROW(a_map_to_another, "its IDs"),
        ROW(a_map_that_is_longer, "its IDs"),
        ROW(a_map_with_the_user_in_it, "its IDs"),
        ROW(a_map_of_two_lines, "its IDs"),
        ROW(another_map_of_groups, "its IDs"),
        ROW(no_map, "its IDs"),
        ROW(a_stream_of_the_nodes, "it holds a device of the node"),
        ROW(root_and_a_node_with_no_ids, "its capabilities"),
        ROW(root_with_a_readonly_root, "its root file system"),
    };

    (void)state;
    for (size_t i = 0; i < N(rows); i++)
        check_row(&rows[i], by_kernel);
}

// Security labels.

#define NO_PROFILE                                                             \
    "=the container is not confined by the AppArmor profile berth, as the "    \
    "policy wants it: ask your administrator to load it on this node"
#define NO_LABEL(part)                                                         \
    "=the container does not have the SELinux label " part " that the policy " \
    "wants: ask your administrator whether the engine and this node have "     \
    "SELinux on"
#define APPARMOR(name, label)                                                  \
    CHANGE(name, s->request.apparmor = "berth"; strcpy(s->seen.apparmor, label))
#define SELINUX(name, part, label)                                             \
    CHANGE(name, s->request.selinux = part; strcpy(s->seen.selinux, label))

CHANGE(unasked_labels, strcpy(s->seen.apparmor, "unconfined");
       strcpy(s->seen.selinux, "system_u:system_r:spc_t:s0"))
APPARMOR(profile, "berth (enforce)")
APPARMOR(profile_that_complains, "berth (complain)")
APPARMOR(another_profile, "birth (enforce)")
APPARMOR(longer_profile, "berth-open (enforce)")
APPARMOR(unconfined, "unconfined")
APPARMOR(no_apparmor, "")
CHANGE(the_other_modules_label, s->request.apparmor = "berth";
       strcpy(s->seen.selinux, "berth (enforce)"))
SELINUX(user, "user:system_u", "system_u:system_r:job_t:s0:c1,c2")
SELINUX(role, "role:system_r", "system_u:system_r:job_t:s0:c1,c2")
SELINUX(type, "type:job_t", "system_u:system_r:job_t:s0:c1,c2")
SELINUX(level, "level:s0:c1,c2", "system_u:system_r:job_t:s0:c1,c2")
SELINUX(longer_user, "user:system_u", "system_u2:system_r:job_t:s0")
SELINUX(another_role, "role:system_r", "system_u:object_r:job_t:s0")
SELINUX(longer_type, "type:job_t", "system_u:system_r:job_t2:s0")
SELINUX(type_elsewhere, "type:job_t", "job_t:job_t:spc_t:job_t")
SELINUX(shorter_level, "level:s0", "system_u:system_r:job_t:s0:c1")
SELINUX(type_without_a_level, "type:job_t", "system_u:system_r:job_t")
SELINUX(no_selinux, "type:job_t", "")
SELINUX(no_such_part, "range:s0", "system_u:system_r:job_t:s0")

static void the_security_labels_are_compared(void **state)
{
    static const struct row rows[] = {
        ROW(unasked_labels, NULL),
        ROW(profile, NULL),
        ROW(profile_that_complains, NO_PROFILE),
        ROW(another_profile, NO_PROFILE),
        ROW(longer_profile, NO_PROFILE),
        ROW(unconfined, NO_PROFILE),
        ROW(no_apparmor, NO_PROFILE),
        ROW(the_other_modules_label, NO_PROFILE),
        ROW(user, NULL),
        ROW(role, NULL),
        ROW(type, NULL),
        ROW(level, NULL),
        ROW(longer_user, NO_LABEL("user:system_u")),
        ROW(another_role, NO_LABEL("role:system_r")),
        ROW(longer_type, NO_LABEL("type:job_t")),
        ROW(type_elsewhere, NO_LABEL("type:job_t")),
        ROW(shorter_level, NO_LABEL("level:s0")),
        ROW(type_without_a_level, NULL),
        ROW(no_selinux, NO_LABEL("type:job_t")),
        ROW(no_such_part, NO_LABEL("range:s0")),
    };

    (void)state;
    for (size_t i = 0; i < N(rows); i++)
        check_row(&rows[i], by_kernel);
}

// File systems.

#define CLEAR(file, flag) (file).flags &= ~(unsigned long)(flag)

CHANGE(no_root, s->seen.root.there = false)
CHANGE(devices_of_the_image, CLEAR(s->seen.root, ST_NODEV))
CHANGE(root_to_write_to, CLEAR(s->seen.root, ST_RDONLY))
CHANGE(root_to_write_to_as_asked, s->request.writable = true;
       CLEAR(s->seen.root, ST_RDONLY))
CHANGE(root_to_read, s->request.writable = true)

CHANGE(mount_of_another_file, s->seen_mounts[0].target.ino++)
CHANGE(mount_of_another_device, s->seen_mounts[1].target.dev++)
CHANGE(mount_that_is_not_there, s->seen_mounts[0].target.there = false)
CHANGE(source_that_is_gone, s->seen_mounts[0].source.there = false)
CHANGE(neither_of_them, s->seen_mounts[1] = (struct seen_mount){0})
CHANGE(setuid_on_a_mount, CLEAR(s->seen_mounts[0].target, ST_NOSUID))
CHANGE(devices_on_a_mount, CLEAR(s->seen_mounts[1].target, ST_NODEV))
CHANGE(mount_to_write_to, CLEAR(s->seen_mounts[0].target, ST_RDONLY))
CHANGE(mount_that_is_safer, s->seen_mounts[1].target.flags |= ST_RDONLY)
CHANGE(mount_that_is_not_covered, s->seen_mounts[2].covered = false)
CHANGE(no_mounts, s->request.nmounts = 0; s->seen.mounts = NULL)

CHANGE(tmpfs_too_small, s->seen_tmpfs[0].bytes -= 1)
CHANGE(tmpfs_of_64_kib_pages, s->seen_tmpfs[0].bytes += 65535)
CHANGE(tmpfs_too_large, s->seen_tmpfs[1].bytes += 65536)
CHANGE(tmpfs_that_is_not_there, s->seen_tmpfs[1].there = false)
CHANGE(shm_too_small, s->seen.shm.bytes -= 1)
CHANGE(shm_too_large, s->seen.shm.bytes = 1 << 30)
CHANGE(no_shm, s->seen.shm.there = false)

static void the_file_systems_are_compared(void **state)
{
    static const char devices[] = "device nodes of its image would work";
    static const struct row rows[] = {
        ROW(no_root, devices),
        ROW(devices_of_the_image, devices),
        ROW(root_to_write_to, "its root file system"),
        ROW(root_to_write_to_as_asked, NULL),
        ROW(root_to_read, "its root file system"),
        ROW(mount_of_another_file, "/.berth/init"),
        ROW(mount_of_another_device, "/data"),
        ROW(mount_that_is_not_there, "/.berth/init"),
        ROW(source_that_is_gone, "/.berth/init"),
        ROW(neither_of_them, "/data"),
        ROW(setuid_on_a_mount, "/.berth/init"),
        ROW(devices_on_a_mount, "/data"),
        ROW(mount_to_write_to, "/.berth/init"),
        ROW(mount_that_is_safer, NULL),
        ROW(mount_that_is_not_covered, "/home/u"),
        ROW(no_mounts, NULL),
        ROW(tmpfs_too_small, "/tmp"),
        ROW(tmpfs_of_64_kib_pages, NULL),
        ROW(tmpfs_too_large, "/run"),
        ROW(tmpfs_that_is_not_there, "/run"),
        ROW(shm_too_small, "/dev/shm"),
        ROW(shm_too_large, "/dev/shm"),
        ROW(no_shm, "/dev/shm"),
    };

    (void)state;
    for (size_t i = 0; i < N(rows); i++)
        check_row(&rows[i], by_kernel);
}

// The mounts of who is root inside, as the kernel lists them (threat 108).

static const char table[] =
    "480 433 0:104 / / rw,nodev - overlay overlay rw\n"
    "379 480 254:0 /h /home/u rw,nosuid,nodev,idmapped - ext4 /dev/vda rw\n"
    "472 480 0:22 / /sys ro,nosuid - sysfs sysfs rw\n"
    "473 472 0:99 / /sys/kernel/security ro - securityfs securityfs rw\n"
    "474 480 0:44 /c/hosts /etc/hosts rw,relatime - ext4 /dev/vda rw\n"
    "481 480 0:107 / /proc rw,nosuid - proc proc rw\n"
    "483 480 0:109 / /tmp rw,nosuid,nodev - tmpfs tmpfs rw,uid=2000000\n"
    "484 480 0:110 / /dev rw,nosuid - tmpfs tmpfs rw\n"
    "486 484 8:1 /null /dev/null rw,nosuid - ext4 /dev/vda rw\n"
    "442 480 8:1 /init /run/berth/init ro - ext4 /dev/vda rw\n"
    "500 480 8:1 /null /etc/none ro - ext4 /dev/vda rw\n";

static const struct {
    const char *name;
    const char *from, *to; // what is changed in the table
    const char *sentence;  // NULL: it is taken; else what it has in parentheses
    enum request_gpus gpus;
} tables[] = {
    {"as it is", "", "", NULL, REQUEST_GPUS_NONE},
    {"a mount of the user's without a map", ",idmapped", "",
     "the IDs are the node's of its /home/u", REQUEST_GPUS_NONE},
    {"words like it", ",idmapped", ",notidmapped,idmappedx",
     "the IDs are the node's of its /home/u", REQUEST_GPUS_NONE},
    {"another in its place", "379 480", "380 480", "it lacks /home/u",
     REQUEST_GPUS_NONE},
    {"one more", "500 480", "501 480 8:1 / /x rw - ext4 /dev/vda rw\n500 480",
     "the IDs are the node's of its /x", REQUEST_GPUS_NONE},
    {"one more over it", "500 480",
     "501 379 8:1 / /home/u rw - xfs /dev/sdb rw\n500 480",
     "the IDs are the node's of its /home/u", REQUEST_GPUS_NONE},
    {"one more with a map", "500 480",
     "501 480 8:1 / /x rw,idmapped - ext4 /dev/vda rw\n500 480", NULL,
     REQUEST_GPUS_NONE},
    {"what is like an engine's", "/etc/hosts", "/etc/hostss",
     "the IDs are the node's of its /etc/hostss", REQUEST_GPUS_NONE},
    {"what is like berth's", "/run/berth/init", "/run/berth/in",
     "the IDs are the node's of its /run/berth/in", REQUEST_GPUS_NONE},
    {"none of an empty file", "500 480", "499 480",
     "the IDs are the node's of its /etc/none", REQUEST_GPUS_NONE},
    {"what an engine masks a file with", "500 480",
     "501 481 0:6 /null /proc/keys rw,nosuid - devtmpfs devtmpfs rw\n500 480",
     NULL, REQUEST_GPUS_NONE},
    {"another of the node's devices", "500 480",
     "501 481 0:6 /sda /proc/keys rw,nosuid - devtmpfs devtmpfs rw\n500 480",
     "the IDs are the node's of its /proc/keys", REQUEST_GPUS_NONE},
    {"what is called so", "500 480",
     "501 481 8:1 /null /proc/keys rw,nosuid - ext4 /dev/vda rw\n500 480",
     "the IDs are the node's of its /proc/keys", REQUEST_GPUS_NONE},
    {"a file server", "rw,nosuid,nodev - tmpfs tmpfs", "rw - nfs4 server:/x",
     "the IDs are the node's of its /tmp", REQUEST_GPUS_NONE},
    {"a driver's library", "500 480",
     "501 480 8:1 /l /usr/lib/l ro,nosuid,nodev,relatime - ext4 /dev/vda "
     "rw\n500 480",
     NULL, REQUEST_GPUS_CDI},
    {"a driver's library without a GPU", "500 480",
     "501 480 8:1 /l /usr/lib/l ro,nosuid,nodev,relatime - ext4 /dev/vda "
     "rw\n500 480",
     "the IDs are the node's of its /usr/lib/l", REQUEST_GPUS_FILES},
    {"a driver's library that can be written", "500 480",
     "501 480 8:1 /l /usr/lib/l rw,nosuid,nodev - ext4 /dev/vda rw\n500 480",
     "the IDs are the node's of its /usr/lib/l", REQUEST_GPUS_CDI},
    {"a driver's library that is a program of root's", "500 480",
     "501 480 8:1 /l /usr/lib/l ro,nodev - ext4 /dev/vda rw\n500 480",
     "the IDs are the node's of its /usr/lib/l", REQUEST_GPUS_CDI},
    {"a line cut off", " - overlay overlay rw", "",
     "it has a strange mount 480", REQUEST_GPUS_NONE},
};

static void each_mount_of_the_nodes_has_a_map(void **state)
{
    static const struct request_mount mounts[] = {
        {"/s/init", "/run/berth/init", true}, {"/s/mount0", "/home/u", false}};
    static const struct seen_copy copies[] = {{379, "/home/u", true},
                                              {500, "/etc/none", false}};
    struct request r = {.mounts = mounts, .nmounts = 2};

    (void)state;
    for (size_t i = 0; i < N(tables); i++) {
        r.gpus_by = tables[i].gpus;
        char text[2048], want[1200], got[1200];
        struct berth_err err = {0};
        const char *at = strstr(table, tables[i].from);
        assert_non_null(at);
        snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - table), table,
                 tables[i].to, at + strlen(tables[i].from));
        int rc = verify_mapped(&r, copies, N(copies), text, &err);
        snprintf(got, sizeof(got), "%s: %s", tables[i].name,
                 rc < 0 ? err.text : "taken");
        snprintf(want, sizeof(want),
                 tables[i].sentence
                     ? "%s: the container that the engine started is not the "
                       "one that was asked for (%s)"
                     : "%s: taken",
                 tables[i].name, tables[i].sentence);
        assert_string_equal(got, want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_engines_word_is_compared),
        cmocka_unit_test(the_process_is_compared),
        cmocka_unit_test(who_is_root_inside_is_compared),
        cmocka_unit_test(the_security_labels_are_compared),
        cmocka_unit_test(the_file_systems_are_compared),
        cmocka_unit_test(each_mount_of_the_nodes_has_a_map),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
