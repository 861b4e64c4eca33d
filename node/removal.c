// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: the records of a step, which only root can write, and the engine's
// word on containers, of which others may look like berth's.

#include "node/removal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/clock.h"
#include "engine/engine.h"
#include "engine/watch.h"
#include "logic/procfs.h"
#include "node/audit_log.h"
#include "node/strays.h"

// How long a container of which nothing is known may take to appear after
// its berth-stepd was killed in the middle of the create request, to be gone
// with its step and not with a later sweep.
enum { APPEAR_MS = 3000, APPEAR_STEP_MS = 100 };

// How long the last process of a container that is gone may take to leave
// its cgroups.
enum { EMPTY_MS = 2000, EMPTY_STEP_MS = 10 };

// How long what was killed may take to end before the engine is asked.
enum { KILL_MS = 1000, KILL_STEP_MS = 5 };

struct removing {
    char id[65];   // of the container, or empty as long as it is not known
    long long end; // when to give up, by clock_ms
};

// The runtime may just be making what we have looked for in vain, and the
// engine waits for that.
static bool go_on(void *arg)
{
    struct removing *r = arg;

    if (r->id[0]) {
        strays_kill(r->id);
        strays_kill_start(r->id);
    }
    return clock_ms() < r->end;
}

static void kill_all(const struct removing *r)
{
    for (int ms = 0; ms < KILL_MS && clock_ms() < r->end; ms += KILL_STEP_MS) {
        if (strays_kill(r->id) == 0)
            return;
        clock_sleep(KILL_STEP_MS);
    }
}

// Finds the container of RECORD by its name. One whose label does not hold the
// record's nonce is somebody else's and counts as not found.
static int find_container(struct engine *engine,
                          const struct store_record *record, int wait_ms,
                          struct removing *r, struct berth_err *err)
{
    struct engine_container container;

    while (engine_container_inspect(engine, record->container, &container,
                                    err) < 0) {
        if (err->code != BERTH_ENOTFOUND || wait_ms <= 0)
            return -1;
        clock_sleep(APPEAR_STEP_MS);
        wait_ms -= APPEAR_STEP_MS;
    }
    const char *nonce =
        json_string_value(json_object_get(container.labels, STORE_NONCE_LABEL));
    bool ours = nonce && strcmp(nonce, record->nonce) == 0;
    if (ours)
        memcpy(r->id, container.id, sizeof(r->id));
    engine_container_clear(&container);
    return ours ? 0
                : err_set(err, BERTH_ENOTFOUND,
                          "the container %s is not berth's", record->container);
}

// By its ID, if that is on record: whatever the engine would have to say of
// the container is not asked for.
int removal_container(const struct store_record *record, int wait_ms, long ms,
                      struct berth_err *err)
{
    struct removing r = {.end = clock_ms() + ms};
    const struct watch watch = {.fd = -1, .go_on = go_on, .arg = &r};
    struct berth_err why = {0};
    int rc = -1;

    memcpy(r.id, record->id, sizeof(r.id));
    if (r.id[0])
        kill_all(&r);
    struct engine *engine = engine_open(record->engine, &watch, &why);
    if (engine && !r.id[0] &&
        find_container(engine, record, wait_ms, &r, &why) == 0)
        kill_all(&r);
    if (engine && r.id[0])
        rc = engine_container_remove(engine, r.id, &why) == 0 ? 1 : -1;
    else if (engine && why.code == BERTH_ENOTFOUND)
        rc = 0;
    engine_close(engine);
    if (rc < 0)
        err_set(err, why.code, "the container %s cannot be removed: %s",
                record->container,
                why.code == BERTH_EENDED ? "its engine does not answer in time"
                                         : why.text);
    return rc;
}

// What the engine may yet make stays on record.
static int remove_container(const struct store_step *step, long ms,
                            struct berth_err *err)
{
    struct store_record record;

    if (store_record_read(step, &record, NULL) < 0)
        return 0;
    int rc =
        removal_container(&record, record.answered ? 0 : APPEAR_MS, ms, err);
    if (rc == 0 && !record.answered)
        return store_record_keep(step, &record, err);
    return rc < 0 ? -1 : 0;
}

// Opens the list of the container's cgroups. berth-stepd writes it when the
// container has started: where it was killed before, they are looked for.
static FILE *open_cgroups(const struct store_step *step)
{
    int fd =
        openat(step->dir, STORE_CGROUPS, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    struct store_record record;

    if (fd >= 0)
        return fdopen(fd, "r");
    // Without an ID it has never been started.
    if (store_record_read(step, &record, NULL) < 0 || !record.id[0])
        return NULL;
    fd = memfd_create("berth-cgroups", MFD_CLOEXEC);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "w+");
    if (f) {
        strays_list_cgroups(record.id, f);
        rewind(f);
    }
    return f;
}

// Removes what is left of the container's cgroups. The engine says that a
// container is gone while its last process is on its way out, and may have
// given up on them by then.
static void remove_cgroups(const struct store_step *step)
{
    FILE *f = open_cgroups(step);
    char *line = NULL;
    size_t cap = 0;
    int wait_ms = EMPTY_MS;

    while (f && getline(&line, &cap, f) > 0) {
        line[strcspn(line, "\n")] = 0;
        for (; rmdir(line) < 0 && errno == EBUSY && wait_ms > 0;
             wait_ms -= EMPTY_STEP_MS)
            clock_sleep(EMPTY_STEP_MS);
    }
    free(line);
    if (f)
        fclose(f);
}

// Unmounts all that is mounted under PATH. Lazily: a task of a bare step
// can have nothing open there, but a file server that does not answer must
// not hold the node.
static int unmount_all(const char *path, struct berth_err *err)
{
    char *line = NULL;
    size_t cap = 0, len = strlen(path);
    int rc = 0;

    FILE *f = fopen("/proc/self/mountinfo", "re");
    if (!f)
        return err_set(err, BERTH_ESYS, "/proc/self/mountinfo: %m");
    while (getline(&line, &cap, f) > 0) {
        struct mountinfo m;
        if (!mountinfo_parse(line, &m) || strncmp(m.target, path, len) != 0 ||
            m.target[len] != '/')
            continue;
        if (umount2(m.target, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 &&
            errno != EINVAL && errno != ENOENT)
            rc = err_set(err, BERTH_ESYS, "unmounting %s: %m", m.target);
    }
    free(line);
    fclose(f);
    return rc;
}

// Removes what is in the directory: files and empty directories, the
// record last. Never descends: what is not empty is left, and an error.
static int remove_entries(const struct store_step *step, struct berth_err *err)
{
    int fd = openat(step->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);

    if (!d) {
        if (fd >= 0)
            close(fd);
        return err_set(err, BERTH_ESYS, "%s: %m", step->path);
    }
    for (struct dirent *e; (e = readdir(d));) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
            strcmp(e->d_name, "record") == 0)
            continue;
        if (unlinkat(step->dir, e->d_name, 0) < 0 && errno == EISDIR)
            unlinkat(step->dir, e->d_name, AT_REMOVEDIR);
    }
    closedir(d);
    unlinkat(step->dir, "record", 0);
    if (rmdir(step->path) < 0 && errno != ENOENT)
        return err_set(err, BERTH_ESYS, "%s cannot be removed: %m", step->path);
    return 0;
}

int removal_run(struct store_step *step, long ms, struct berth_err *err)
{
    struct stat st;

    audit_log_end_for(step->dir);
    if (remove_container(step, ms, err) < 0)
        return -1;
    remove_cgroups(step);
    // Where the lock is nobody's, another may have been at it, and what is at
    // the path by now may be another step's.
    if (fstat(step->dir, &st) == 0 && st.st_nlink > 0 &&
        (unmount_all(step->path, err) < 0 || remove_entries(step, err) < 0))
        return -1;
    store_step_close(step);
    return 0;
}
