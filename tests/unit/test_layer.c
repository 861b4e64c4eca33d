// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// What is written of a tree of files whose IDs are a container's own. Overlays
// need root, and are the system tests' (threats 114 and 116).

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stepd/layer.h"

static char dir[] = "/tmp/berth-layer-XXXXXX";
static char *archive;
static size_t length;

static int make(void **state)
{
    char command[512];

    (void)state;
    if (!mkdtemp(dir))
        return -1;
    snprintf(command, sizeof(command),
             "cd %s && mkdir -p d/in mnt/on && echo x >d/file && "
             "chmod 4755 d/file && ln d/file d/hard && ln -s file d/link && "
             "mkfifo d/fifo && chmod 1777 d/in",
             dir);
    return system(command);
}

static int remove_all(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    return system(command);
}

static int gather(void *arg, const void *data, size_t len,
                  struct berth_err *err)
{
    (void)arg;
    (void)err;
    char *more = realloc(archive, length + len);
    assert_non_null(more);
    memcpy(more + length, data, len);
    archive = more;
    length += len;
    return 0;
}

// All of it was written, for a container that has the COUNT IDs from START on.
static int write_layer(uint32_t start, uint32_t count, struct berth_err *err)
{
    struct layer layer = {
        .upper = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
        .root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
        .range = {start, count},
        .uid = 7,
        .max = UINT64_MAX,
    };

    *err = (struct berth_err){0};
    free(archive);
    archive = NULL;
    length = 0;
    assert_int_equal(strv_add(&layer.mounts, "mnt/on"), 0);
    int rc = layer_write(&layer, gather, NULL, err);
    layer_close(&layer);
    return rc;
}

// The members, as "NAME TYPE MODE UID;", of which GID is the same.
static void check_members(const char *want)
{
    struct archive *a = archive_read_new();
    struct archive_entry *e;
    char text[1024] = "";
    size_t n = 0;

    archive_read_support_format_tar(a);
    assert_int_equal(archive_read_open_memory(a, archive, length), ARCHIVE_OK);
    while (archive_read_next_header(a, &e) == ARCHIVE_OK) {
        const char *link = archive_entry_hardlink(e);
        assert_int_equal(archive_entry_uid(e) + getgid(),
                         archive_entry_gid(e) + getuid());
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s%s %o %lld;",
                              archive_entry_pathname(e), link ? "=" : "",
                              link ? link : "", archive_entry_perm(e),
                              (long long)archive_entry_uid(e));
    }
    archive_read_free(a);
    assert_string_equal(text, want);
}

static char *members(uint32_t id)
{
    static char text[1024];

    snprintf(text, sizeof(text),
             "d/ 755 %u;d/fifo 644 %u;d/file 4755 %u;d/hard=d/file 4755 %u;"
             "d/in/ 1777 %u;d/link 777 %u;",
             id, id, id, id, id, id);
    return text;
}

static void the_nodes_ids_are_as_they_are(void **state)
{
    struct berth_err err;

    (void)state;
    assert_int_equal(write_layer(0, 0, &err), 0);
    check_members(members(getuid()));
}

static void a_containers_ids_are_its_own(void **state)
{
    uint32_t low = getuid() < getgid() ? getuid() : getgid();
    struct berth_err err;

    (void)state;
    if (write_layer(low, 65536, &err) < 0)
        fail_msg("%s", err.text);
    check_members(members(getuid() - low));
}

static void what_is_nobodys_inside_is_refused(void **state)
{
    uint32_t high = (getuid() > getgid() ? getuid() : getgid()) + 1;
    struct berth_err err;
    char want[128];

    (void)state;
    snprintf(want, sizeof(want),
             "/d/ of the container belongs to %u:%u of the node", getuid(),
             getgid());
    assert_int_equal(write_layer(high, 65536, &err), -1);
    if (!strstr(err.text, want))
        fail_msg("%s", err.text);
    // One of the two is enough.
    if (getuid() != getgid())
        assert_int_equal(write_layer(high - 1, 65536, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_nodes_ids_are_as_they_are),
        cmocka_unit_test(a_containers_ids_are_its_own),
        cmocka_unit_test(what_is_nobodys_inside_is_refused),
    };

    return cmocka_run_group_tests_name("layer", tests, make, remove_all);
}
