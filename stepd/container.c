// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: the facts of a step, of which options and cwd are the user's, an
// image, and the word of an engine on what it has made of them.

#include "stepd/container.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/clock.h"
#include "engine/engine.h"
#include "logic/image.h"
#include "logic/imgref.h"
#include "logic/libpod.h"
#include "logic/limits.h"
#include "logic/request.h"
#include "protocol/wire.h"
#include "stepd/admission.h"
#include "stepd/child.h"
#include "stepd/gpus_env.h"
#include "stepd/listen.h"
#include "stepd/mountns.h"
#include "stepd/mounts.h"
#include "stepd/observe.h"
#include "stepd/peer.h"
#include "stepd/process.h"
#include "stepd/request_node.h"
#include "stepd/trace.h"
#include "stepd/verify.h"
#include "stepd/verify_dev.h"

// What is needed to make one container, and gone when it is made.
struct making {
    const struct step *step;
    const struct store_step *store;
    struct audit_log *log;
    const struct cgroups *cgroups;
    const struct watch *watch;
    struct admission admission;
    struct engine *engine;
    struct engine_image image;
    struct step_mounts mounts;
    struct request_node node;
    const struct request *request; // the node's
    struct store_record record;
    char id[65];
    struct engine_container seen;
    struct process init; // by the engine's word, until check_init has said so
    pid_t prime;         // a child (stepd/cgroup.h), or -1
};

// Podman before 4.6 makes the image's annotations the container's, and its
// runtime and its hooks obey some of them.
static int check_annotations(const struct making *m, const char *name,
                             struct berth_err *err)
{
    char quoted[ERR_QUOTE_MAX];

    for (size_t i = 0; i < m->image.nannotations; i++) {
        if (image_annotation_ok(m->image.annotations[i]))
            continue;
        err_quote(m->image.annotations[i], quoted, sizeof(quoted));
        return err_set(err, BERTH_EINVAL,
                       "the image %s has the annotation %s, and what an image "
                       "has of these can reach Podman's runtime, which obeys "
                       "some: ask the image's author to leave it out, or to "
                       "build it in Docker's format, which has none",
                       name, quoted);
    }
    return 0;
}

// Podman calls what was loaded or built without a registry localhost/NAME. Says
// whether it has the image so; then ERR says that.
static bool find_local(struct making *m, struct berth_err *err)
{
    static const char hub[] = "docker.io/", library[] = "library/";
    struct engine_image local = {0};
    struct berth_err ignored;
    char name[IMGREF_TEXT_MAX], other[IMGREF_TEXT_MAX + sizeof("localhost/")];

    imgref_format(&m->admission.decision.image, name);
    if (!engine_is_podman(m->engine) || strncmp(name, hub, strlen(hub)) != 0)
        return false;
    const char *rest = name + strlen(hub);
    if (strncmp(rest, library, strlen(library)) == 0)
        rest += strlen(library);
    snprintf(other, sizeof(other), "localhost/%s", rest);
    if (engine_image_inspect(m->engine, other, &local, &ignored) < 0)
        return false;
    engine_image_clear(&local);
    err_set(err, BERTH_ENOTFOUND,
            "the image %s is allowed, and the container engine of node %s has "
            "it as %s: write that",
            name, m->step->node, other);
    return true;
}

static int find_image(struct making *m, struct berth_err *err)
{
    char name[IMGREF_TEXT_MAX];

    imgref_format(&m->admission.decision.image, name);
    m->engine = engine_open(policy_engine(m->admission.policy), m->watch, err);
    if (!m->engine)
        return -1;
    if (engine_image_inspect(m->engine, name, &m->image, err) == 0) {
        audit_log_note(m->log, "id", m->image.id);
        audit_log_note(m->log, "digest", m->image.digest);
        return check_annotations(m, name, err);
    }
    if (err->code == BERTH_ENOTFOUND && find_local(m, err))
        return -1;
    if (err->code == BERTH_ENOTFOUND)
        err_set(err, BERTH_ENOTFOUND,
                "the image %s is allowed, but the container engine of node "
                "%s does not have it: ask your administrator to pull it there",
                name, m->step->node);
    return -1;
}

// Waits until berth-init has connected. Others of the user's processes on
// the node can connect as well: only the container's first process counts.
// Twice a second it asks the engine whether the container still runs.
static int await_init(struct making *m, struct berth_err *err)
{
    long long end = clock_ms() + BERTH_READY_MS;
    struct wire_in in;

    while (clock_ms() < end) {
        int n = watch_wait(m->watch, m->mounts.listener, 500);
        if (n < 0)
            return err_set(err, BERTH_EENDED, "nobody waits for it");
        if (n == 0) {
            engine_container_clear(&m->seen);
            if (engine_container_inspect(m->engine, m->id, &m->seen, err) < 0)
                return -1;
            if (!m->seen.running)
                return err_set(err, BERTH_EENGINE,
                               "the container ended before its tasks began");
            continue;
        }
        struct peer peer;
        if (peer_accept(m->mounts.listener, &peer) < 0)
            continue;
        if (peer.pid == m->init.pid && process_lives(&m->init) &&
            listen_timeout(peer.conn) == 0 &&
            watch_wait(m->watch, peer.conn, LISTEN_MS) > 0 &&
            wire_recv(peer.conn, &in, 0) == 1) {
            wire_close(&in);
            if (in.msg.type == WIRE_HELLO) {
                if (in.msg.value == 1 || m->request->seccomp)
                    return peer.conn;
                close(peer.conn);
                return err_set(err, BERTH_EENGINE,
                               "the container's seccomp filter on node %s "
                               "lets through what engines refuse (the "
                               "kernel's keyrings): if that is meant, ask your "
                               "administrator to name the profile by seccomp "
                               "in berth.conf",
                               m->step->node);
            }
        }
        close(peer.conn);
    }
    return err_set(err, BERTH_ETIMEOUT,
                   "the container did not come up within %d seconds",
                   BERTH_READY_MS / 1000);
}

// What an engine knows only when it starts a container (whether it has the
// means to give it GPUs, what the image has at a mount's target) it says in
// words for nobody. As seen with Docker 20.10 and 26.1 and Podman 4.3 and 5.4:
// where another says it otherwise, its own words stay.
static void explain(const struct making *m, struct berth_err *err)
{
    const char *engine = engine_name(m->engine), *node = m->step->node;

    if (strstr(err->text, "unresolvable CDI devices"))
        err_set(err, BERTH_EENGINE,
                "%s on node %s has no CDI device %s: ask your administrator "
                "to write a CDI specification for the node's GPUs (for "
                "NVIDIA's, nvidia-ctk cdi generate does)",
                engine, node, m->request->gpus[0]);
    else if (strstr(err->text, "ot a directory"))
        err_set(err, BERTH_EINVAL,
                "a file cannot be mounted onto a directory of the image, nor "
                "a directory onto a file: choose another target in "
                "--container-mounts");
    else if (!strstr(err->text, "could not select device driver"))
        return;
    else if (m->request->gpus_by == REQUEST_GPUS_NVIDIA)
        err_set(err, BERTH_EENGINE,
                "%s on node %s has no driver for NVIDIA's GPUs: ask your "
                "administrator to install the NVIDIA Container Toolkit there",
                engine, node);
    else
        err_set(err, BERTH_EENGINE,
                "%s on node %s cannot give GPUs by CDI: ask your "
                "administrator to enable that, or to leave cdi= out",
                engine, node);
}

// Podman takes the names of CDI devices in its own words only.
static int create(struct making *m, const json_t *body, struct berth_err *err)
{
    if (!engine_is_podman(m->engine) || m->request->gpus_by != REQUEST_GPUS_CDI)
        return engine_container_create(m->engine, m->record.container, body,
                                       m->id, err);
    char *text = libpod_request(body, m->record.container, err);
    int rc =
        text ? engine_container_create_libpod(m->engine, text, m->id, err) : -1;
    free(text);
    return rc;
}

// From here on what the engine calls the container's first process is that
// process, and no other that gets its number.
static int hold(struct making *m, struct berth_err *err)
{
    return m->seen.pid > 1 && process_hold(m->seen.pid, -1, &m->init) == 0
               ? 0
               : err_set(err, BERTH_EENGINE,
                         "the container ended before its tasks began");
}

static int start(struct making *m, struct strv *changes, struct berth_err *err)
{
    int rc = -1;

    if (store_record_write(m->store, policy_engine(m->admission.policy),
                           &m->record, err) < 0)
        return -1;
    m->node = (struct request_node){.step = m->step,
                                    .admission = &m->admission,
                                    .engine = m->engine,
                                    .image = &m->image,
                                    .mounts = &m->mounts,
                                    .nonce = m->record.nonce};
    if (request_node_choose(&m->node, changes, err) < 0)
        return -1;
    audit_log_note(m->log, "warning", m->admission.decision.warning);
    audit_log_allow(m->log);
    json_t *body = request_build(m->request, err);
    trace_phase("request built", body ? 0 : -1);
    if (body && trace_phase("created", create(m, body, err)) == 0 &&
        store_record_created(m->store, m->id, err) == 0 &&
        (m->prime = cgroup_keep_warm(m->cgroups)) != 0 &&
        trace_phase("started", engine_container_start(m->engine, m->id, err)) ==
            0 &&
        engine_container_inspect(m->engine, m->id, &m->seen, err) == 0)
        rc = hold(m, err);
    else
        explain(m, err);
    json_decref(body);
    return rc;
}

// Says whether the process that is held is the container's first, by the
// kernel's word: process 1 of another pid namespace, which runs the berth-init
// that was staged. In which cgroup it is, note_cgroups looks.
static bool is_init(const struct making *m)
{
    struct stat want, have;

    return process_is_first(&m->init) &&
           fstatat(m->store->dir, SUPPLY_INIT, &want, 0) == 0 &&
           fstatat(m->init.proc, "exe", &have, 0) == 0 &&
           have.st_dev == want.st_dev && have.st_ino == want.st_ino;
}

static int check_init(const struct making *m, struct berth_err *err)
{
    return is_init(m) ? 0
                      : err_set(err, BERTH_EENGINE,
                                "process %d, by which %s runs the container, "
                                "is not berth-init: tell your administrator",
                                (int)m->init.pid, engine_name(m->engine));
}

// Notes the container's own cgroups, whose names have its ID: an engine may
// leave one behind. All of them or, where we are killed meanwhile, none
// (node/removal.c).
static int note_cgroups(struct making *m, struct berth_err *err)
{
    int fd = openat(m->store->dir, STORE_CGROUPS ".new",
                    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0)
        return err_set(err, BERTH_ESYS, "noting the container's cgroups: %m");
    int n = cgroup_list(m->cgroups, &m->init, m->id, fd, err);
    close(fd);
    if (n == 0)
        return err_set(err, BERTH_EENGINE,
                       "the container has no cgroup of its own: tell your "
                       "administrator");
    if (n > 0 && renameat(m->store->dir, STORE_CGROUPS ".new", m->store->dir,
                          STORE_CGROUPS) < 0)
        return err_set(err, BERTH_ESYS, "noting the container's cgroups: %m");
    return n;
}

// The check after the start: nothing of the user's has run yet.
static int verify(const struct making *m, struct berth_err *err)
{
    const struct mount_copies *copies = &m->mounts.copies;
    struct seen kernel = {0};
    int rc = -1;

    if (verify_engine(m->request, &m->seen, err) < 0)
        return -1;
    int root = process_open(&m->init, "root", O_PATH | O_DIRECTORY);
    if (root < 0)
        return err_set(err, BERTH_ESYS, "opening the container's root: %m");
    if (observe(m->request, copies, &m->init, root, &kernel, err) == 0 &&
        verify_kernel(m->request, &kernel, err) == 0)
        rc = verify_dev(&m->node.gpus, m->request->devices,
                        m->request->ndevices, root, err);
    observe_clear(&kernel);
    close(root);
    return rc;
}

int container_create(const struct step *step, const struct cgroups *cgroups,
                     const struct store_step *store, struct audit_log *log,
                     const struct watch *watch, struct container *out,
                     struct berth_err *err)
{
    struct making m = {.step = step,
                       .store = store,
                       .log = log,
                       .cgroups = cgroups,
                       .watch = watch,
                       .mounts = {.listener = -1},
                       .init = PROCESS_NONE,
                       .prime = -1};
    const struct rules *rules = &m.admission.rules;
    const struct child_user user = {step->uid, step->gid, step->gids,
                                    step->ngids};
    int control = -1, rc = -1;

    *out = (struct container){
        .init = PROCESS_NONE, .control = -1, .mountns = MOUNTNS_NONE};
    m.request = &m.node.plan.request;
    if (trace_phase("decided", admission_make(step, log, &m.admission, err)) <
            0 ||
        trace_phase("image found", find_image(&m, err)) < 0 ||
        trace_phase("mounts opened", step_mounts_make(step, &m.admission, store,
                                                      &m.mounts, err)) < 0 ||
        start(&m, &out->changes, err) < 0 ||
        request_node_changes(&m.node, &out->changes, err) < 0 ||
        (control = trace_phase("berth-init's hello", await_init(&m, err))) <
            0 ||
        check_init(&m, err) < 0 || note_cgroups(&m, err) < 0 ||
        (m.request->gpus_by == REQUEST_GPUS_CDI &&
         gpus_inherit(m.init.proc, m.image.env, m.image.nenv, &out->changes,
                      err) < 0) ||
        trace_phase("prepared from within",
                    mountns_prepare(&m.init, m.request, &m.mounts.copies,
                                    &m.admission.identity, store->dir,
                                    &out->mountns, err)) < 0 ||
        trace_phase("verified", verify(&m, err)) < 0 ||
        trace_phase("mounts laid",
                    mountns_lay(&out->mountns, &m.mounts.copies, &user,
                                rules->probe_seconds, err)) < 0)
        goto out;
    out->pids_limit = rules->pids_limit;
    if (rules->mode == RULE_MODE_WARN)
        memcpy(out->warning, m.admission.decision.warning,
               sizeof(out->warning));
    memcpy(out->advice, m.admission.advice, sizeof(out->advice));
    out->init = m.init;
    m.init = (struct process)PROCESS_NONE;
    out->control = control;
    out->gpus = m.node.gpus;
    m.node.gpus = (struct gpus){0};
    control = -1;
    rc = 0;
out:
    if (rc < 0)
        container_close(out);
    if (rc < 0 && err->code == BERTH_EENDED)
        err_set(err, BERTH_EENDED,
                "the step ended while its container was being made");
    if (control >= 0)
        close(control);
    if (m.prime > 0)
        child_end(m.prime);
    process_close(&m.init);
    engine_container_clear(&m.seen);
    request_node_clear(&m.node);
    step_mounts_clear(&m.mounts);
    engine_image_clear(&m.image);
    engine_close(m.engine);
    admission_clear(&m.admission);
    return rc;
}

void container_close(struct container *container)
{
    if (container->control >= 0)
        close(container->control);
    container->control = -1;
    mountns_clear(&container->mountns);
    process_close(&container->init);
    strv_clear(&container->changes);
    gpus_clear(&container->gpus);
}
