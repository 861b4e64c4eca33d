// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The engine's floor: how long the engine takes to create and start berth's
// own container, until berth-init in it has said HELLO, with no Slurm around
// it. Run by tests/bench/bench, as root; its arguments are trusted.
//
//   floor SOCKET IMAGE UID GID DIRECTORY
//
// Prints the microseconds of create, of start, and from there to HELLO.
// Staging before and removal behind are not counted. What is asked for must
// stay what stepd/container.c asks for.

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "engine/engine.h"
#include "logic/err.h"
#include "logic/limits.h"
#include "logic/request.h"
#include "node/store.h"
#include "protocol/wire.h"
#include "stepd/listen.h"
#include "stepd/mount_source.h"
#include "stepd/ulimits.h"

enum { NMOUNTS = 5 };

// The step's directory, as store_step_create would make it.
struct floor {
    struct store_step store;
    int listener;
    struct request_mount mounts[NMOUNTS];
    char *sources[NMOUNTS]; // left to the end of the process
    size_t nmounts;
    struct request_ulimit ulimits[RLIMITS];
    size_t nulimits;
};

static long long now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (long long)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int stage(struct floor *f, int fd, const char *name, const char *target,
                 bool readonly, struct berth_err *err)
{
    char *source;

    if (fd < 0)
        return err_set(err, BERTH_ESYS, "%s: %m", name);
    int rc = mount_bind(fd, f->store.dir, name, readonly, err);
    close(fd);
    if (asprintf(&source, "%s/%s", f->store.path, name) < 0)
        return err_set(err, BERTH_ENOMEM, "memory is out");
    f->sources[f->nmounts] = source;
    f->mounts[f->nmounts++] = (struct request_mount){source, target, readonly};
    return rc;
}

// Makes an empty file, to be mounted over one of the image's.
static int make_file(struct floor *f, const char *name)
{
    return openat(f->store.dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
}

static int prepare(struct floor *f, uid_t uid, const char *workdir,
                   struct berth_err *err)
{
    const char *init = BERTH_LIBEXECDIR "/berth-init";
    int flags = O_PATH | O_CLOEXEC;

    snprintf(f->store.path, sizeof(f->store.path), "%s/floor-XXXXXX",
             BERTH_STATEDIR);
    if (!mkdtemp(f->store.path) || chmod(f->store.path, 0711) < 0 ||
        (f->store.dir = open(f->store.path, O_DIRECTORY | O_CLOEXEC)) < 0)
        return err_set(err, BERTH_ESYS, "%s: %m", f->store.path);
    f->listener = listen_at(&f->store, "control", uid, err);
    if (f->listener < 0 ||
        stage(f, open(workdir, flags), "workdir", workdir, false, err) < 0 ||
        stage(f, open(init, flags), "init", WIRE_INIT_PATH, true, err) < 0 ||
        stage(f, openat(f->store.dir, "control", flags), "control.mount",
              WIRE_CONTROL_PATH, true, err) < 0 ||
        stage(f, make_file(f, "passwd"), "passwd.mount", "/etc/passwd", true,
              err) < 0 ||
        stage(f, make_file(f, "group"), "group.mount", "/etc/group", true,
              err) < 0)
        return -1;
    f->nulimits = ulimits_choose(f->ulimits);
    return 0;
}

// Returns the link to berth-init, when it has said HELLO.
static int await_init(const struct floor *f, struct berth_err *err)
{
    struct pollfd p = {.fd = f->listener, .events = POLLIN};
    struct wire_in in;

    if (poll(&p, 1, BERTH_READY_MS) <= 0)
        return err_set(err, BERTH_ETIMEOUT, "berth-init did not connect");
    int fd = accept4(f->listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0 && listen_timeout(fd) == 0 && wire_recv(fd, &in, 0) == 1 &&
        in.msg.type == WIRE_HELLO)
        return fd;
    if (fd >= 0)
        close(fd);
    return err_set(err, BERTH_EENGINE, "berth-init did not say HELLO");
}

static int measure(const struct floor *f, struct engine *engine,
                   const json_t *body, const char *name, struct berth_err *err)
{
    struct berth_err why = {0};
    char id[65] = "";
    long long t[4];
    int link = -1;

    t[0] = now_us();
    if (engine_container_create(engine, name, body, id, err) < 0)
        return -1;
    t[1] = now_us();
    if (engine_container_start(engine, id, err) == 0) {
        t[2] = now_us();
        link = await_init(f, err);
        t[3] = now_us();
    }
    if (link >= 0) {
        close(link);
        printf("%lld %lld %lld\n", t[1] - t[0], t[2] - t[1], t[3] - t[2]);
    }
    if (engine_container_remove(engine, id, &why) < 0)
        fprintf(stderr, "floor: %s\n", why.text);
    return link >= 0 ? 0 : -1;
}

static int run(struct floor *f, struct engine *engine, const char *image,
               uid_t uid, gid_t gid, struct berth_err *err)
{
    uint64_t half =
        (uint64_t)sysconf(_SC_PHYS_PAGES) / 2 * (uint64_t)sysconf(_SC_PAGESIZE);
    const char *name = strrchr(f->store.path, '/') + 1;
    struct request_tmpfs tmpfs[] = {{.target = "/run", .bytes = half},
                                    {.target = "/tmp", .bytes = half},
                                    {.target = "/var/tmp", .bytes = half}};
    struct request_label labels[] = {
        {"berth.cluster", "bench"}, {"berth.node", "bench"},
        {"berth.job", "0"},         {"berth.step", "0.0"},
        {"berth.uid", "0"},         {STORE_NONCE_LABEL, name},
    };
    struct request request = {
        .image_id = image,
        .uid = uid,
        .gid = gid,
        .mounts = f->mounts,
        .nmounts = f->nmounts,
        .tmpfs = tmpfs,
        .ntmpfs = sizeof(tmpfs) / sizeof(*tmpfs),
        .shm_bytes = half,
        .ulimits = f->ulimits,
        .nulimits = f->nulimits,
        .labels = labels,
        .nlabels = sizeof(labels) / sizeof(*labels),
    };
    json_t *body = request_build(&request, err);
    int rc = body ? measure(f, engine, body, name, err) : -1;

    json_decref(body);
    return rc;
}

static void clean_up(struct floor *f)
{
    static const char *const files[] = {"control", "passwd", "group"};

    for (size_t i = 0; i < f->nmounts; i++) {
        umount2(f->sources[i], MNT_DETACH | UMOUNT_NOFOLLOW);
        if (unlink(f->sources[i]) < 0)
            rmdir(f->sources[i]);
    }
    for (size_t i = 0; f->store.dir >= 0 && i < 3; i++)
        unlinkat(f->store.dir, files[i], 0);
    rmdir(f->store.path);
}

int main(int argc, char **argv)
{
    static struct floor f = {.store = {.dir = -1}, .listener = -1};
    struct engine_image image = {0};
    struct berth_err err = {0};
    int rc = -1;

    if (argc != 6) {
        fprintf(stderr, "usage: floor SOCKET IMAGE UID GID DIRECTORY\n");
        return 2;
    }
    uid_t uid = (uid_t)strtoul(argv[3], NULL, 10);
    gid_t gid = (gid_t)strtoul(argv[4], NULL, 10);
    struct engine *engine = engine_open(argv[1], NULL, &err);
    if (engine && engine_image_inspect(engine, argv[2], &image, &err) == 0 &&
        prepare(&f, uid, argv[5], &err) == 0)
        rc = run(&f, engine, image.id, uid, gid, &err);
    if (rc < 0)
        fprintf(stderr, "floor: %s\n", err.text);
    clean_up(&f);
    engine_image_clear(&image);
    engine_close(engine);
    return rc < 0;
}
