// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: the facts of a step, of which options and cwd are the user's, an
// image, and the word of an engine on what it has made of them.

#include "stepd/container.h"

#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/clock.h"
#include "engine/engine.h"
#include "images/archive.h"
#include "images/get.h"
#include "images/saved.h"
#include "logic/image.h"
#include "logic/imgref.h"
#include "logic/libpod.h"
#include "logic/limits.h"
#include "logic/request.h"
#include "protocol/wire.h"
#include "stepd/admission.h"
#include "node/child.h"
#include "stepd/errand.h"
#include "stepd/gpus_env.h"
#include "stepd/join.h"
#include "stepd/listen.h"
#include "stepd/mount_source.h"
#include "stepd/mountns.h"
#include "stepd/mounts.h"
#include "stepd/observe.h"
#include "stepd/peer.h"
#include "stepd/process.h"
#include "stepd/request_node.h"
#include "stepd/share.h"
#include "stepd/trace.h"
#include "stepd/verify.h"
#include "stepd/verify_dev.h"
#include "stepd/verify_mapped.h"
#include "stepd/view.h"

// How long the user hears nothing of a fetch; in a step over several nodes.
enum { ROUND_MS = 5000, ROUND_NODES_MS = 30000 };

// A container with a name waits for a step as long as its job lasts, or a day:
// what was changed in it is lost with it.
enum { NAMED_IDLE_S = 24 * 60 * 60 };

// What is needed to make one container, and gone when it is made.
struct making {
    const struct step *step;
    int theirs; // the mount namespace of the tasks, or -1
    const struct store_step *store;
    struct audit_log *log;
    const struct cgroups *cgroups;
    const struct watch *watch;
    const struct container_listener *listener;
    struct admission admission;
    struct engine *engine;
    struct images_got got;
    struct images_held held; // the image, until the engine knows for what
    struct step_mounts mounts;
    struct request_node node;
    const struct request *request; // the node's
    struct strv made_from;
    char stands_for[128]; // an image's name that is the user's, for now
    struct join join;
    struct store_record record;
    char id[65];
    struct engine_container seen;
    struct process init; // by the engine's word, until check_init has said so
};

// Podman before 4.6 makes the image's annotations the container's, and its
// runtime and its hooks obey some of them.
static int check_annotations(const struct making *m, const char *name,
                             struct berth_err *err)
{
    char quoted[ERR_QUOTE_MAX];

    for (size_t i = 0; i < m->got.image.nannotations; i++) {
        if (image_annotation_ok(m->got.image.annotations[i]))
            continue;
        err_quote(m->got.image.annotations[i], quoted, sizeof(quoted));
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
// whether it has the image so; then ERR says that. By a digest it finds any.
static bool find_local(struct making *m, struct berth_err *err)
{
    static const char hub[] = "docker.io/", library[] = "library/";
    struct engine_image local = {0};
    struct berth_err ignored;
    char name[IMGREF_TEXT_MAX], other[IMGREF_TEXT_MAX + sizeof("localhost/")];

    imgref_format(&m->admission.decision.image, name);
    if (!engine_is_podman(m->engine) || m->admission.decision.image.digest[0] ||
        strncmp(name, hub, strlen(hub)) != 0)
        return false;
    const char *rest = name + strlen(hub);
    if (strncmp(rest, library, strlen(library)) == 0)
        rest += strlen(library);
    snprintf(other, sizeof(other), "localhost/%s", rest);
    if (engine_image_inspect(m->engine, other, &local, &ignored) < 0)
        return false;
    engine_image_clear(&local);
    err_set(err, BERTH_ENOTFOUND,
            "the image %s may be run, and the container engine of node %s has "
            "it as %s: write that",
            name, m->step->node, other);
    return true;
}

static void say_nothing(void *arg, const char *line)
{
    (void)arg;
    (void)line;
}

// The digest as engines write it, by the registry's word or else the engine's.
// OUT stays where there is none.
static void find_digest(const struct making *m, char out[IMGREF_TEXT_MAX])
{
    const struct imgref *ref = &m->admission.decision.image;

    if (m->got.digest[0])
        snprintf(out, IMGREF_TEXT_MAX, "%s/%s@%s", ref->domain, ref->path,
                 m->got.digest);
    else if (m->got.image.digest[0])
        snprintf(out, IMGREF_TEXT_MAX, "%s", m->got.image.digest);
}

static void note_digest(const struct making *m)
{
    char text[IMGREF_TEXT_MAX] = "";

    find_digest(m, text);
    audit_log_note(m->log, "digest", text);
}

// The engine for the container: one without user namespaces may have another
// beside it.
static const char *engine_path(const struct admission *admission)
{
    return admission->decision.root ? policy_root_engine(admission->policy)
                                    : policy_engine(admission->policy);
}

// Before an image is looked for; what comes of it the check after the start
// sees.
static int check_root_engine(const struct making *m, struct berth_err *err)
{
    bool podman = engine_is_podman(m->engine);
    char dir[PATH_MAX] = "", why[ROOT_IDS_WHY_MAX];

    if (!m->admission.decision.root)
        return 0;
    if (!podman && engine_root(m->engine, dir, sizeof(dir), err) < 0)
        return -1;
    if (root_ids_suit(m->admission.rules.root_ids, podman, dir, why))
        return 0;
    return err_set(err, BERTH_EENGINE,
                   "node %s cannot have you be root in a container by %s, %s: "
                   "ask your administrator, or leave --container-root out",
                   m->step->node, engine_name(m->engine), why);
}

// Has the image, which may have to be fetched first. Of a step over several
// nodes the first one speaks for all.
static int find_image(struct making *m, struct berth_err *err)
{
    const struct admission *a = &m->admission;
    const struct step *step = m->step;
    const struct child_user user = {step->uid, step->gid, step->gids,
                                    step->ngids};
    const struct images_order order = {
        .state = BERTH_STATEDIR,
        .node = step->node,
        .job = step->job,
        .ref = &a->decision.image,
        .rules = &a->rules,
        .unfetched = a->decision.unfetched,
        .user = &user,
        .theirs = m->theirs,
        .home = a->identity.home,
        .engine = engine_path(a),
        .watch = m->watch,
        .held = &m->held,
        .say = step->nodeid == 0 ? m->listener->say : say_nothing,
        .confine = m->listener->confine,
        .arg = m->listener->arg,
        .round_ms = step->nnodes > 1 ? ROUND_NODES_MS : ROUND_MS,
    };
    char name[IMGREF_TEXT_MAX];

    decision_image_name(&a->decision, name);
    m->engine = engine_open(order.engine, m->watch, err);
    if (!m->engine)
        return -1;
    m->node.engine = m->engine;
    if (check_root_engine(m, err) < 0)
        return -1;
    if (a->decision.mine) {
        if (images_get_saved(&order, name, m->engine, &m->got, err) < 0)
            return -1;
    } else if (a->decision.archive) {
        if (images_get_archive(&order, a->decision.archive, m->engine, &m->got,
                               err) < 0)
            return -1;
    } else if (images_get(&order, m->engine, &m->got, err) < 0) {
        // It may be there by a name that is no registry's.
        if (err->code == BERTH_ENOTFOUND)
            find_local(m, err);
        return -1;
    }
    audit_log_note(m->log, "id", m->got.image.id);
    note_digest(m);
    return check_annotations(m, name, err);
}

// "fetched NAME: 117 MB in 12 s"
static void tell_fetched(const struct making *m, char *out, size_t size)
{
    char name[IMGREF_TEXT_MAX];

    *out = 0;
    if (!m->got.fetched || m->step->nodeid > 0)
        return;
    decision_image_name(&m->admission.decision, name);
    snprintf(out, size, "%s %s: %.1f MB in %u s",
             m->admission.decision.archive ? "loaded" : "fetched", name,
             (double)m->got.bytes / 1e6, m->got.seconds);
}

// What srun is to compare, of an image whose name can lead to another one on
// another node: what was asked for by its digest is what it says, and a file of
// the user's he has on each node himself.
static void tell_image(const struct making *m, char *out, size_t size)
{
    const struct decision *d = &m->admission.decision;
    char name[IMGREF_TEXT_MAX], digest[IMGREF_TEXT_MAX] = "-";

    *out = 0;
    if (!m->step->compare || d->archive || !d->image.path[0] ||
        d->image.digest[0] || !m->got.image.id[0])
        return;
    decision_image_name(d, name);
    find_digest(m, digest);
    snprintf(out, size, "%s %s %s", name, m->got.image.id, digest);
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
                return err_set(
                    err, BERTH_EENGINE,
                    "the container ended before its tasks began, which %s "
                    "may say in its log",
                    engine_name(m->engine));
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
                   "the container did not come up within %d seconds: its "
                   "engine may be busy; try again, or tell your administrator",
                   BERTH_READY_MS / 1000);
}

// What an engine knows only when it starts a container (whether it has the
// means to give it GPUs, what the image has at a mount's target) it says in
// words for nobody. As seen with Docker 20.10 and 26.1 and Podman 4.3 and 5.4:
// where another says it otherwise, its own words stay. In these can be a path
// of the user's.
static void explain(const struct making *m, struct berth_err *err)
{
    const char *engine = engine_name(m->engine), *node = m->step->node;
    bool gpus = m->request->ngpus > 0;

    if (gpus && m->request->gpus_by == REQUEST_GPUS_CDI &&
        strstr(err->text, "unresolvable CDI devices"))
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
    else if (!gpus || !strstr(err->text, "could not select device driver"))
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

// Podman takes the names of CDI devices, and IDs, in its own words only; and,
// where version 2 is alone, that the cgroup namespace is the node's.
static int ask_for(struct making *m, const json_t *body, struct berth_err *err)
{
    if (!engine_is_podman(m->engine) ||
        (m->request->gpus_by != REQUEST_GPUS_CDI && !m->request->root.count &&
         !cgroup_is_one(m->cgroups)))
        return engine_container_create(m->engine, m->record.container, body,
                                       m->id, err);
    char *text =
        libpod_request(body, m->record.container, &m->request->root, err);
    int rc =
        text ? engine_container_create_libpod(m->engine, text, m->id, err) : -1;
    free(text);
    return rc;
}

static int create(struct making *m, const json_t *body, struct berth_err *err)
{
    int rc = ask_for(m, body, err);

    if (rc == 0)
        return store_record_answered(m->store, m->id, err);
    // Then nobody has to look for it any more.
    if (err->code == BERTH_EREFUSED)
        store_record_answered(m->store, "", NULL);
    return -1;
}

// From here on what the engine calls the container's first process is that
// process, and no other that gets its number.
static int hold(struct making *m, struct berth_err *err)
{
    return m->seen.pid > 1 && process_hold(m->seen.pid, -1, &m->init) == 0
               ? 0
               : err_set(err, BERTH_EENGINE,
                         "the container ended before its tasks began, which %s "
                         "may say in its log",
                         engine_name(m->engine));
}

static int start(struct making *m, struct berth_err *err)
{
    int rc = -1;

    if (store_record_write(m->store, engine_path(&m->admission), &m->record,
                           err) < 0)
        return -1;
    if (request_node_complete(&m->node, err) < 0)
        return -1;
    audit_log_note(m->log, "warning", m->admission.decision.warning);
    audit_log_allow(m->log);
    json_t *body = request_build(m->request, err);
    trace_phase("request built", body ? 0 : -1);
    if (body && trace_phase("created", create(m, body, err)) == 0 &&
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
        rc =
            verify_dev(&m->node.gpus, m->request->devices, m->request->ndevices,
                       m->request->root.count > 0, root, err);
    observe_clear(&kernel);
    close(root);
    return rc;
}

// Once more, when the user's mounts are there.
static int verify_laid(const struct making *m, struct berth_err *err)
{
    const struct mount_copies *copies = &m->mounts.copies;
    struct seen_copy seen[BERTH_MOUNTS_MAX];
    char *mountinfo = NULL;
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < copies->n; i++) {
        seen[i] = (struct seen_copy){.target = copies->v[i].target,
                                     .mapped = !copies->v[i].own};
        rc = observe_mount_id(copies->v[i].tree, &seen[i].id, err);
    }
    if (rc == 0)
        rc = observe_mounts(&m->init, &mountinfo, err);
    if (rc == 0)
        rc = verify_mapped(m->request, seen, copies->n, mountinfo, err);
    free(mountinfo);
    return rc;
}

// What the user is to know of a container that he gets.
static int warn(const struct making *m, struct strv *out)
{
    const char *warning = m->admission.decision.warning;
    const char *left_out = m->mounts.copies.left_out;
    int rc = 0;

    if (m->admission.rules.mode == RULE_MODE_WARN && warning[0])
        rc = strv_add(out, warning);
    if (rc == 0 && m->admission.advice[0])
        rc = strv_add(out, m->admission.advice);
    if (rc == 0 && m->admission.rules.root != RULE_LEAVE_NEVER &&
        m->step->options.writable == CHOICE_YES && !m->admission.decision.root)
        rc = strv_add(out,
                      "with --container-writable you write as yourself, and "
                      "most of an image is root's: --container-root has you be "
                      "root over it");
    if (rc == 0 && left_out[0])
        rc = strv_addf(out,
                       "this container lacks the file systems that node %s "
                       "has mounted at %s: name these in --container-mounts "
                       "as well, or ask your administrator for recursive in "
                       "mounts_allowed",
                       m->step->node, left_out);
    return rc;
}

// An archive is one image as long as nothing changes of its file; or, where it
// is an OCI layout in a directory, of the file there that has the digest of
// what has all others'.
static void identify_archive(struct making *m, const char *path)
{
    const struct step *step = m->step;
    const struct child_user user = {step->uid, step->gid, step->gids,
                                    step->ngids};
    char index[PATH_MAX];
    struct mount_source files[] = {{.path = path, .fd = -1},
                                   {.path = index, .fd = -1}};
    struct view view = VIEW_NONE;

    if (snprintf(index, sizeof(index), "%s/index.json", path) >= PATH_MAX)
        return;
    int rc = view_enter(m->theirs, &view, NULL);
    if (rc == 0)
        rc = mount_source_open(&user, m->admission.rules.probe_seconds, files,
                               2, NULL);
    view_leave(&view);
    const struct mount_source *file = &files[files[0].type == S_IFDIR];
    if (rc == 0 && file->fd >= 0 && file->type == S_IFREG)
        snprintf(m->stands_for, sizeof(m->stands_for), "%jx:%jx %jd %jd.%09ld",
                 (uintmax_t)file->dev, (uintmax_t)file->ino,
                 (intmax_t)file->size, (intmax_t)file->changed.tv_sec,
                 file->changed.tv_nsec);
    mount_source_close(files, 2);
}

// What the user's own name for an image stands for, before it is looked up.
static void identify(struct making *m)
{
    const struct decision *decision = &m->admission.decision;
    const struct step *step = m->step;
    char name[IMGREF_TEXT_MAX], id[MANIFEST_DIGEST];

    if (decision->mine) {
        decision_image_name(decision, name);
        if (images_saved_id(BERTH_STATEDIR, step->node,
                            engine_path(&m->admission), step->uid, name, id))
            snprintf(m->stands_for, sizeof(m->stands_for), "%s", id);
    }
    if (decision->archive)
        identify_archive(m, decision->archive);
}

// Says whether the container may outlive its step. What is the batch script's
// alone is of no use to another; what the prolog has no record of would not end
// with its job; what is written to a root file system a step that doesn't know
// of it is not to find; and what an image of the user's own is must be known.
static bool keeps(const struct making *m)
{
    const struct decision *decision = &m->admission.decision;
    bool known = (!decision->archive && !decision->mine) || m->stands_for[0];

    return (decision->named ||
            (decision->reuse && !decision->writable && known)) &&
           !m->step->script && m->admission.allocated &&
           m->admission.allocation.run[0];
}

// A job can have only so many that wait. Until this one is noted, no other of
// the job's is counted.
static int bound_kept(struct making *m, struct container *out,
                      struct berth_err *err)
{
    struct join *j = &m->join;

    if (!out->keeps)
        return 0;
    if (!j->by_name)
        j->lock = join_lock(m->step, m->watch);
    out->keeps = join_count(m->step, j->by_name) < BERTH_KEPT_MAX;
    return out->keeps || !j->by_name
               ? 0
               : err_set(err, BERTH_EINVAL,
                         "this job has %d containers with names on node %s, "
                         "and can have no more: use one of them, or end one "
                         "(berth rm)",
                         BERTH_KEPT_MAX, m->step->node);
}

// As far as no option says it: what has a name is nobody's without it.
static int note_made_from(struct making *m, struct berth_err *err)
{
    if (request_node_made_from(&m->node, &m->made_from, err) < 0)
        return -1;
    return (m->join.by_name &&
            strv_addf(&m->made_from, "name=%s", m->join.name) < 0) ||
                   (m->stands_for[0] &&
                    strv_addf(&m->made_from, "own=%s", m->stands_for) < 0)
               ? err_set(err, BERTH_ENOMEM, "memory is out")
               : 0;
}

// Joins the container that another step of the job has, or has had.
static int join(struct making *m, struct container *out, struct berth_err *err)
{
    const struct join *j = &m->join;
    enum keep_verb verb = !j->by_name    ? KEEP_JOIN
                          : j->exclusive ? KEEP_TAKE
                                         : KEEP_NAME;

    if (trace_phase("mounts looked at",
                    step_mounts_look(m->step, &m->admission, m->theirs,
                                     &m->mounts, err)) < 0 ||
        note_made_from(m, err) < 0)
        return -1;
    int rc = share_join(m->step, j->host, verb, m->watch, out, &m->got.image);
    trace_phase("joined", rc);
    if (rc < 0)
        return err_set(err, BERTH_EENDED, "nobody waits for it");
    if (rc == 0 && j->exclusive)
        return err_set(err, BERTH_EINVAL,
                       "a step is in the container %s on node %s: wait for its "
                       "end, or leave :no_exec out",
                       j->name, m->step->node);
    if (rc == 0)
        return err_set(err, BERTH_EINVAL,
                       "the container of step %s is not to be had on node %s: "
                       "no step is in it any more, or it did not come up",
                       j->host, m->step->node);
    return join_compare(j, &m->made_from, m->admission.allocation.gpus, err);
}

// Looks for a container that an earlier step of the job has left. 1: OUT has
// it; 0: there is none.
static int take_over(struct making *m, struct container *out,
                     struct berth_err *err)
{
    int rc = 0;

    if (!out->keeps || m->join.by_name || !share_any(m->step))
        return 0;
    if (trace_phase("mounts looked at",
                    step_mounts_look(m->step, &m->admission, m->theirs,
                                     &m->mounts, err)) < 0 ||
        note_made_from(m, err) < 0)
        return -1;
    rc = share_take(m->step, &m->made_from, m->watch, out, &m->got.image);
    trace_phase("others asked", rc);
    if (rc > 0)
        return 1;
    step_mounts_clear(&m->mounts);
    strv_clear(&m->made_from);
    return rc < 0 ? err_set(err, BERTH_EENDED, "nobody waits for it") : 0;
}

// Tells the audit log, and whoever looks for the step, whose container it is.
static void note_taken(const struct making *m, const struct container *out)
{
    struct strv in = {0};

    if (strv_add(&in, out->host) == 0)
        store_strings_write(m->store->dir, KEEP_IN, &in, NULL);
    strv_clear(&in);
    audit_log_note(m->log, "id", m->got.image.id);
    audit_log_note(m->log, "digest", m->got.image.digest);
    audit_log_note(m->log, "container", m->join.host[0] ? "joined" : "reused");
    audit_log_note(m->log, "of", out->host);
    audit_log_note(m->log, "warning", m->admission.decision.warning);
    audit_log_allow(m->log);
}

// Lays the mounts over their places in the container, which somebody looks up
// there who has the rights of its processes.
static int lay(const struct making *m, struct container *out,
               struct berth_err *err)
{
    const struct step *step = m->step;
    const struct decision *decision = &m->admission.decision;
    struct child_user user = {step->uid, step->gid, step->gids, step->ngids};

    if (decision->root)
        user = (struct child_user){decision->range.start, decision->range.start,
                                   NULL, 0};
    return trace_phase("mounts laid",
                       mountns_lay(&out->mountns, &m->mounts.copies, &user,
                                   m->admission.rules.probe_seconds, err));
}

static int make(struct making *m, struct container *out, struct berth_err *err)
{
    const struct step *step = m->step;
    const struct decision *decision = &m->admission.decision;

    if (join_note(&m->join, m->store, step, err) < 0 ||
        trace_phase("image found", find_image(m, err)) < 0 ||
        trace_phase("mounts opened",
                    step_mounts_make(step, &m->admission, m->theirs, m->store,
                                     &m->mounts, err)) < 0 ||
        note_made_from(m, err) < 0 || start(m, err) < 0 ||
        (out->control = trace_phase("berth-init's hello", await_init(m, err))) <
            0 ||
        check_init(m, err) < 0 || note_cgroups(m, err) < 0 ||
        identity_add_user(&m->admission.identity, step,
                          request_node_home(&m->node), err) < 0 ||
        trace_phase("prepared from within",
                    mountns_prepare(&m->init, m->request, &m->mounts.copies,
                                    &m->admission.identity, m->store->dir,
                                    &out->mountns, err)) < 0 ||
        trace_phase("verified", verify(m, err)) < 0 || lay(m, out, err) < 0)
        return -1;
    if (decision->root &&
        trace_phase("mounts verified", verify_laid(m, err)) < 0)
        return -1;
    out->cdi = m->request->gpus_by == REQUEST_GPUS_CDI;
    out->init = m->init;
    m->init = (struct process)PROCESS_NONE;
    return share_note(m->store, &m->made_from, out, &m->got.image, err);
}

// What the step wants in place of a container. What changes nothing is not in
// the audit log.
static int do_errand(struct making *m, struct container *out,
                     struct berth_err *err)
{
    enum errand errand = m->admission.decision.errand;
    bool images = errand == ERRAND_LIST || errand == ERRAND_LAYERS;
    bool looks = images || errand == ERRAND_CONTAINERS;
    struct errand_order order = {
        .step = m->step,
        .admission = &m->admission,
        .join = &m->join,
        .got = &m->got,
        .watch = m->watch,
        .log = m->log,
    };
    struct berth_err missing = {0};

    audit_log_note(m->log, "warning", m->admission.decision.warning);
    if (!looks)
        audit_log_allow(m->log);
    if (errand == ERRAND_PULL && find_image(m, err) < 0)
        return -1;
    tell_fetched(m, out->fetched, sizeof(out->fetched));
    out->answer = errand_run(&order, &missing, err);
    if (out->answer < 0)
        return -1;
    int rc = warn(m, &out->warnings);
    out->lacks = missing.text[0];
    err_advise(&missing);
    if (rc == 0 && out->lacks)
        rc = strv_addf(&out->warnings,
                       "not all images of node %s are here, since one of its "
                       "two engines does not say what it has: %s",
                       m->step->node, missing.text);
    return rc < 0 ? err_set(err, BERTH_ENOMEM, "memory is out") : 0;
}

int container_create(const struct step *step, int theirs,
                     const struct cgroups *cgroups,
                     const struct store_step *store, struct audit_log *log,
                     const struct watch *watch,
                     const struct container_listener *listener,
                     struct container *out, struct berth_err *err)
{
    struct making m = {.step = step,
                       .theirs = theirs,
                       .store = store,
                       .log = log,
                       .cgroups = cgroups,
                       .watch = watch,
                       .listener = listener,
                       .held = IMAGES_NOT_HELD,
                       .mounts = STEP_MOUNTS_NONE,
                       .init = PROCESS_NONE,
                       .join = JOIN_NONE};
    const struct rules *rules = &m.admission.rules;
    int taken = 0, rc = -1;

    *out = (struct container)CONTAINER_NONE;
    if (join_find(step, watch, &m.join, err) < 0)
        goto out;
    if (m.join.host[0])
        m.step = &m.join.step;
    m.node = (struct request_node){.step = m.step,
                                   .admission = &m.admission,
                                   .mounts = &m.mounts,
                                   .image = &m.got.image,
                                   .nonce = m.record.nonce};
    m.request = &m.node.plan.request;
    if (trace_phase("decided", admission_make(m.step, log, &m.admission, err)) <
        0)
        goto out;
    if (m.admission.decision.errand != ERRAND_NONE) {
        rc = do_errand(&m, out, err);
        goto out;
    }
    if (request_node_choose(&m.node, &out->changes, err) < 0 ||
        save_prepare(step, &m.admission.decision, engine_path(&m.admission),
                     theirs, &out->save, err) < 0)
        goto out;
    if (m.admission.decision.reuse && !m.join.by_name && !m.join.host[0])
        identify(&m);
    out->keeps = keeps(&m);
    out->idle_s = m.join.by_name ? NAMED_IDLE_S : rules->reuse_idle;
    if (m.join.by_name)
        audit_log_note(log, "container_name", m.join.name);
    taken = !m.join.host[0]           ? take_over(&m, out, err)
            : join(&m, out, err) == 0 ? 1
                                      : -1;
    if (taken > 0)
        note_taken(&m, out);
    else if (taken < 0 || bound_kept(&m, out, err) < 0 ||
             make(&m, out, err) < 0)
        goto out;
    if (request_node_changes(&m.node, &out->changes, err) < 0 ||
        (out->cdi && gpus_inherit(out->init.proc, m.got.image.env,
                                  m.got.image.nenv, &out->changes, err) < 0))
        goto out;
    out->uid = decision_uid(&m.admission.decision, &m.admission.subject);
    out->pids_limit = rules->pids_limit;
    tell_fetched(&m, out->fetched, sizeof(out->fetched));
    tell_image(&m, out->tells, sizeof(out->tells));
    if (warn(&m, &out->warnings) < 0) {
        err_set(err, BERTH_ENOMEM, "memory is out");
        goto out;
    }
    // Once nothing else can fail: whoever comes next is not to find it.
    if (taken > 0)
        taken = lay(&m, out, err);
    mount_copies_part(&m.mounts.copies, &out->steps);
    if (taken < 0) {
        container_take_own(out, step);
        goto out;
    }
    out->gpus = m.node.gpus;
    m.node.gpus = (struct gpus){0};
    rc = 0;
out:
    if (rc < 0)
        container_close(out);
    if (rc < 0 && err->code == BERTH_EENDED)
        err_set(err, BERTH_EENDED,
                "the step ended while its container was being made");
    process_close(&m.init);
    engine_container_clear(&m.seen);
    request_node_clear(&m.node);
    strv_clear(&m.made_from);
    step_mounts_clear(&m.mounts);
    join_clear(&m.join);
    images_let_go(&m.held);
    engine_image_clear(&m.got.image);
    engine_close(m.engine);
    admission_clear(&m.admission);
    return rc;
}

void container_take_own(struct container *c, const struct step *step)
{
    bool root = c->uid != step->uid;
    const struct child_user user = {c->uid, root ? c->uid : step->gid, NULL, 0};

    mountns_take_away(&c->mountns, &c->steps, &user);
    mount_steps_clear(&c->steps);
    if (c->terminal.ino)
        mountns_forget_task(&c->mountns, &c->terminal);
    c->terminal = (struct mountns_terminal){0};
}

void container_close(struct container *container)
{
    if (container->control >= 0)
        close(container->control);
    if (container->keeper >= 0)
        close(container->keeper);
    if (container->answer >= 0)
        close(container->answer);
    container->control = container->keeper = container->answer = -1;
    mountns_clear(&container->mountns);
    mount_steps_clear(&container->steps);
    process_close(&container->init);
    strv_clear(&container->changes);
    strv_clear(&container->warnings);
    gpus_clear(&container->gpus);
    save_wish_clear(&container->save);
}
