// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: the facts of a step, of which image and cwd are the user's.

#include "stepd/container.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/imgref.h"
#include "core/libpod.h"
#include "core/limits.h"
#include "core/overlay.h"
#include "core/policy.h"
#include "core/request.h"
#include "engine/engine.h"
#include "handover/wire.h"
#include "stepd/audit.h"
#include "stepd/gpus.h"
#include "stepd/identity.h"
#include "stepd/inside.h"
#include "stepd/listen.h"
#include "stepd/stage.h"
#include "stepd/ulimits.h"

// What no container gets, whatever a user or an administrator asks for:
// the node's own, and where an image has its programs. Those that this node
// does not have are passed over.
static const char *const never[] = {
    "/",
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/proc",
    "/root",
    "/run",
    "/sbin",
    "/sys",
    "/usr",
    "/var/lib/containerd",
    "/var/lib/containers",
    "/var/lib/docker",
    "/var/lib/munge",
    "/var/log",
    "/var/run",
    "/var/spool/slurm",
    "/var/spool/slurmctld",
    "/var/spool/slurmd",
    BERTH_LIBEXECDIR,
    BERTH_STATEDIR,
    NULL,
};

// Always there, of bounded size.
static const char *const tmpfs_always[] = {"/run", "/tmp", "/var/tmp"};

enum { TMPFS_ALWAYS = sizeof(tmpfs_always) / sizeof(*tmpfs_always) };

// What is needed to make one container, and gone when it is made.
struct making {
    const struct step *step;
    const struct store_step *store;
    struct journal *journal;
    struct policy *policy;
    struct engine *engine;
    struct engine_image image;
    struct engine_container seen;
    struct identity identity;
    struct store_record record;
    struct request request;
    struct request_mount mounts[BERTH_MOUNTS_MAX];
    char *paths[BERTH_MOUNTS_MAX]; // sources, owned
    struct request_tmpfs *tmpfs;
    struct request_ulimit ulimits[ULIMITS_MAX];
    struct request_label labels[8];
    struct store_job allocation;
    bool allocated; // the prolog told of it
    struct gpus gpus;
    char job[16], uid[16], name[STEP_NAME_MAX];
    char id[65];
    const struct place *place;
    int listener; // where berth-init connects
    pid_t prime;  // a child (stepd/place.h), or -1
};

// Without a prolog nothing is known of the job: no GPUs, no cluster.
static int find_allocation(struct making *m, struct berth_err *err)
{
    m->allocated = store_job_read(BERTH_STATEDIR, m->step->node, m->step->job,
                                  &m->allocation, err) == 0;
    journal_note(m->journal, "cluster", m->allocation.cluster);
    journal_note(m->journal, "partition", m->allocation.partition);
    return m->allocated || err->code == BERTH_ENOTFOUND ? 0 : -1;
}

static int decide_step(struct making *m, struct imgref *ref,
                       struct berth_err *err)
{
    char name[IMGREF_TEXT_MAX];
    const struct step *step = m->step;
    struct policy_source source = {step->conf, (int)step->conf_line,
                                   step->conf_cut != 0};
    struct subject subject = {.uid = step->uid, .gid = step->gid};
    struct decision decision;
    struct rules rules;

    if (step->wrong)
        return err_set(err, BERTH_EINVAL, "%s", step->wrong);
    m->policy = policy_parse(step->words.n,
                             (const char *const *)step->words.v,
                             &source, NULL, NULL, 0, err);
    if (!m->policy || policy_rules(m->policy, &subject, &rules, err) < 0)
        return -1;
    decide(&rules, &step->options, &subject, &decision);
    if (decision.image.path[0]) {
        imgref_format(&decision.image, name);
        journal_note(m->journal, "name", name);
        journal_note(m->journal, "rule",
                     decision.rule ? decision.rule->text : "");
    }
    if (decision.verdict != VERDICT_ALLOW)
        err_set(err, decision.code, "%s", decision.reason);
    *ref = decision.image;
    int rc = decision.verdict == VERDICT_ALLOW ? 0 : -1;
    decision_clear(&decision);
    rules_clear(&rules);
    return rc;
}

static int find_image(struct making *m, const struct imgref *ref,
                      struct berth_err *err)
{
    char name[IMGREF_TEXT_MAX];

    imgref_format(ref, name);
    m->engine = engine_open(policy_engine(m->policy), err);
    if (!m->engine)
        return -1;
    if (engine_image_inspect(m->engine, name, &m->image, err) == 0) {
        journal_note(m->journal, "id", m->image.id);
        journal_note(m->journal, "digest", m->image.digest);
        return 0;
    }
    if (err->code == BERTH_ENOTFOUND)
        err_set(err,
                BERTH_ENOTFOUND,
                "the image %s is allowed, but the container engine of node "
                "%s does not have it: ask your administrator to pull it there",
                name,
                m->step->node);
    return -1;
}

// Adds a mount whose source is NAME in the store's directory.
static int add_mount(struct making *m, const char *name, const char *target,
                     bool readonly, struct berth_err *err)
{
    char *path = NULL;

    if (m->request.nmounts == BERTH_MOUNTS_MAX ||
        asprintf(&path, "%s/%s", m->store->path, name) < 0)
        return err_set(err, BERTH_ENOMEM, "too many mounts");
    m->paths[m->request.nmounts] = path;
    m->mounts[m->request.nmounts++] =
        (struct request_mount){path, target, readonly};
    return 0;
}

static int stage(struct making *m, int fd, const char *name,
                 const char *target, bool readonly, struct berth_err *err)
{
    return stage_bind(fd, m->store->dir, name, readonly, err) < 0
               ? -1
               : add_mount(m, name, target, readonly, err);
}

// Opens PATH with the user's rights and stages it at the same path.
static int stage_users(struct making *m, const char *path, const char *name,
                       bool readonly, bool judge, struct berth_err *err)
{
    struct stage_user user = {m->step->uid, m->step->gid, m->step->gids,
                              m->step->ngids};
    int rc = -1;

    int fd = stage_open(&user, path, err);
    if (fd >= 0 && (!judge || stage_judge(fd, path, never, err) == 0))
        rc = stage(m, fd, name, path, readonly, err);
    if (fd >= 0)
        close(fd);
    return rc;
}

// The working directory is mounted where it is. "/" is there anyway.
static int stage_workdir(struct making *m, struct berth_err *err)
{
    if (strcmp(m->step->cwd, "/") == 0)
        return 0;
    if (stage_users(m, m->step->cwd, "workdir", false, true, err) == 0)
        return 0;
    char why[sizeof(err->text)];
    memcpy(why, err->text, sizeof(why));
    return err_set(err,
                   err->code,
                   "the working directory cannot be had in a container: %s; "
                   "start from another directory, or name one with --chdir",
                   why);
}

// berth-init comes from where berth is installed, which root chose.
static int stage_init(struct making *m, struct berth_err *err)
{
    static const char path[] = BERTH_LIBEXECDIR "/berth-init";
    struct stat st;
    int rc = -1;

    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
        !(st.st_mode & S_IXOTH))
        err_set(err,
                BERTH_ESYS,
                "%s is missing or cannot be run on node %s: ask your "
                "administrator to install berth there",
                path,
                m->step->node);
    else
        rc = stage(m, fd, "init", WIRE_INIT_PATH, true, err);
    if (fd >= 0)
        close(fd);
    return rc;
}

// Makes an empty file for what is written after the start, and stages it:
// the mount carries nosuid and nodev, as every mount does.
static int stage_empty(struct making *m, const char *name, const char *target,
                       struct berth_err *err)
{
    char mount[32];
    int rc = -1;

    snprintf(mount, sizeof(mount), "%s.mount", name);
    int fd = openat(m->store->dir,
                    name,
                    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                    0600);
    if (fd < 0 || fchmod(fd, 0644) < 0)
        err_set(err, BERTH_ESYS, "making %s: %m", name);
    else
        rc = stage(m, fd, mount, target, true, err);
    if (fd >= 0)
        close(fd);
    return rc;
}

static int stage_control(struct making *m, struct berth_err *err)
{
    m->listener = listen_at(m->store, "control", m->step->uid, err);
    if (m->listener < 0)
        return -1;
    int fd = openat(m->store->dir, "control", O_PATH | O_NOFOLLOW | O_CLOEXEC);
    int rc = fd < 0 ? err_set(err, BERTH_ESYS, "control: %m")
                    : stage(m, fd, "control.mount", WIRE_CONTROL_PATH, true,
                            err);
    if (fd >= 0)
        close(fd);
    return rc;
}

static int stage_all(struct making *m, struct berth_err *err)
{
    if (stage_workdir(m, err) < 0 || stage_init(m, err) < 0 ||
        stage_control(m, err) < 0 ||
        stage_empty(m, "passwd", "/etc/passwd", err) < 0 ||
        stage_empty(m, "group", "/etc/group", err) < 0)
        return -1;
    // Slurm's own copy of the batch script, which the user can read.
    if (m->step->script &&
        stage_users(m, m->step->script, "script", true, false, err) < 0)
        return -1;
    return 0;
}

static bool has_mount(const struct making *m, const char *target)
{
    for (size_t i = 0; i < m->request.nmounts; i++)
        if (strcmp(m->mounts[i].target, target) == 0)
            return true;
    return false;
}

// A tmpfs also for each VOLUME that the image declares: the engine would
// make an anonymous volume of each, on its disk and without a bound.
static int choose_tmpfs(struct making *m, uint64_t bytes,
                        struct berth_err *err)
{
    m->tmpfs = calloc(TMPFS_ALWAYS + m->image.nvolumes, sizeof(*m->tmpfs));
    if (!m->tmpfs)
        return err_set(err, BERTH_ENOMEM, "memory is out");
    for (size_t i = 0; i < TMPFS_ALWAYS + m->image.nvolumes; i++) {
        const char *target = i < TMPFS_ALWAYS
                                 ? tmpfs_always[i]
                                 : m->image.volumes[i - TMPFS_ALWAYS];
        if (!request_target_ok(target))
            return err_set(err,
                           BERTH_EINVAL,
                           "the image declares a volume at a place where none "
                           "can be: ask its author to move it");
        if (!has_mount(m, target))
            m->tmpfs[m->request.ntmpfs++] =
                (struct request_tmpfs){target, bytes};
    }
    return 0;
}

// Podman's API makes of each mount the text of an option, and quotes nothing:
// behind a comma a directory's name would go on as options of its own, such
// as another source. (A tmpfs' options stand behind a colon there.)
static int check_names(const struct making *m, struct berth_err *err)
{
    const struct request *r = &m->request;
    const char *bad = NULL;

    for (size_t i = 0; i < r->nmounts; i++)
        if (strpbrk(m->mounts[i].target, ",\""))
            bad = m->mounts[i].target;
    for (size_t i = 0; i < r->ntmpfs; i++)
        if (strpbrk(m->tmpfs[i].target, ",:\""))
            bad = m->tmpfs[i].target;
    if (!bad || !engine_is_podman(m->engine))
        return 0;
    return err_set(err,
                   BERTH_EINVAL,
                   "%s cannot be mounted by Podman, because of the comma, "
                   "colon or double quote in its name: use another one",
                   bad);
}

static void choose_labels(struct making *m)
{
    const struct step *step = m->step;
    size_t n = 0;

    snprintf(m->job, sizeof(m->job), "%u", step->job);
    snprintf(m->uid, sizeof(m->uid), "%u", step->uid);
    step_name(step->job, step->step, m->name);
    m->labels[n++] = (struct request_label){"berth.cluster",
                                              m->allocation.cluster};
    m->labels[n++] = (struct request_label){"berth.node", step->node};
    m->labels[n++] = (struct request_label){"berth.job", m->job};
    m->labels[n++] = (struct request_label){"berth.step", m->name};
    m->labels[n++] = (struct request_label){"berth.uid", m->uid};
    m->labels[n++] =
        (struct request_label){STORE_NONCE_LABEL, m->record.nonce};
    m->request.nlabels = n;
}

// By CDI, if the administrator says so; NVIDIA's GPUs also if the engine has
// them so, and Podman has no other means. Only for these it is asked.
static int request_gpus(struct making *m, struct berth_err *err)
{
    const char *cdi = policy_cdi(m->policy);
    struct request *r = &m->request;
    bool has = false;

    if (cdi || !gpus_are_nvidias(&m->gpus))
        return gpus_request(&m->gpus, cdi, r, err);
    if (gpus_request(&m->gpus, GPUS_NVIDIA_CDI, r, err) < 0)
        return -1;
    if (engine_is_podman(m->engine))
        return 0;
    if (engine_has_cdi(m->engine, r->gpus, r->ngpus, &has, err) < 0)
        return -1;
    return has ? 0 : gpus_request(&m->gpus, NULL, r, err);
}

static int choose(struct making *m, struct berth_err *err)
{
    struct request *r = &m->request;
    long long half = (long long)sysconf(_SC_PHYS_PAGES) / 2 *
                     sysconf(_SC_PAGESIZE);

    if (half <= 0)
        return err_set(err, BERTH_ESYS, "the size of memory is unknown");
    if (gpus_choose(m->step, m->allocated ? &m->allocation : NULL, &m->gpus,
                    err) < 0 ||
        request_gpus(m, err) < 0)
        return -1;
    r->image_id = m->image.id;
    r->uid = m->step->uid;
    r->gid = m->step->gid;
    r->gids = m->step->gids;
    r->ngids = m->step->ngids;
    r->mounts = m->mounts;
    r->ulimits = m->ulimits;
    r->labels = m->labels;
    r->image_env = m->image.env;
    r->nimage_env = m->image.nenv;
    r->shm_bytes = (uint64_t)half;
    r->nulimits = ulimits_choose(m->ulimits);
    choose_labels(m);
    if (choose_tmpfs(m, (uint64_t)half, err) < 0 || check_names(m, err) < 0)
        return -1;
    r->tmpfs = m->tmpfs;
    return 0;
}

// HOME is the user's home where it is mounted, else the working directory.
static int make_overlay(struct making *m, struct strv *out,
                        struct berth_err *err)
{
    const char *home = m->identity.home;
    struct overlay overlay = {
        .argv0 = m->step->argv0,
        .cwd = m->step->cwd,
        .home = has_mount(m, home) ? home : m->step->cwd,
        .image_env = m->image.env,
        .nimage_env = m->image.nenv,
    };

    return overlay_build(&overlay, out, err) < 0
               ? -1
               : gpus_overlay(&m->gpus, out, err);
}

static long long now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

// Waits until berth-init has connected. Others of the user's processes on
// the node can connect as well: only the container's first process counts.
// Twice a second it asks the engine whether the container still runs.
static int await_init(struct making *m, struct berth_err *err)
{
    long long end = now_ms() + BERTH_READY_MS;
    struct wire_in in;

    while (now_ms() < end) {
        struct pollfd p = {.fd = m->listener, .events = POLLIN};
        if (poll(&p, 1, 500) == 0) {
            engine_container_clear(&m->seen);
            if (engine_container_inspect(m->engine, m->id, &m->seen, err) < 0)
                return -1;
            if (!m->seen.running)
                return err_set(err, BERTH_EENGINE,
                               "the container ended before its tasks began");
            continue;
        }
        struct ucred peer = {0};
        socklen_t len = sizeof(peer);
        int fd = accept4(m->listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            continue;
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
            peer.pid == m->seen.pid && listen_timeout(fd) == 0 &&
            wire_recv(fd, &in, 0) == 1) {
            wire_close(&in);
            if (in.msg.type == WIRE_HELLO)
                return fd;
        }
        close(fd);
    }
    return err_set(err, BERTH_ETIMEOUT,
                   "the container did not come up within %d seconds",
                   BERTH_READY_MS / 1000);
}

// An engine knows only when it starts a container whether it has the means to
// give it GPUs, and says that in words for nobody.
static void explain(const struct making *m, struct berth_err *err)
{
    const char *engine = engine_name(m->engine), *node = m->step->node;

    if (strstr(err->text, "unresolvable CDI devices"))
        err_set(err, BERTH_EENGINE,
                "%s on node %s has no CDI device %s: ask your administrator "
                "to write a CDI specification for the node's GPUs (for "
                "NVIDIA's, nvidia-ctk cdi generate does)",
                engine, node, m->request.gpus[0]);
    else if (!strstr(err->text, "could not select device driver"))
        return;
    else if (m->request.gpus_by == REQUEST_GPUS_NVIDIA)
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
    if (!engine_is_podman(m->engine) ||
        m->request.gpus_by != REQUEST_GPUS_CDI)
        return engine_container_create(m->engine, m->record.container, body,
                                       m->id, err);
    char *text = libpod_request(body, m->record.container, err);
    int rc = text ? engine_container_create_libpod(m->engine, text, m->id, err)
                  : -1;
    free(text);
    return rc;
}

static int start(struct making *m, struct berth_err *err)
{
    int rc = -1;

    if (store_record_write(m->store, policy_engine(m->policy), &m->record,
                           err) < 0 ||
        choose(m, err) < 0)
        return -1;
    journal_allow(m->journal);
    json_t *body = request_build(&m->request, err);
    if (body && create(m, body, err) == 0 &&
        store_record_created(m->store, err) == 0 &&
        (m->prime = place_prime(m->place)) != 0 &&
        engine_container_start(m->engine, m->id, err) == 0 &&
        engine_container_inspect(m->engine, m->id, &m->seen, err) == 0)
        rc = 0;
    else
        explain(m, err);
    json_decref(body);
    return rc;
}

// Notes the container's own cgroups: an engine may leave one behind.
static int note_cgroups(struct making *m, struct berth_err *err)
{
    int fd = openat(m->store->dir,
                    STORE_CGROUPS,
                    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                    0600);

    if (fd < 0)
        return err_set(err, BERTH_ESYS, "noting the container's cgroups: %m");
    int rc = place_list(m->place, m->seen.pid, m->id, fd, err);
    close(fd);
    return rc;
}

int container_create(const struct step *step, const struct place *place,
                     const struct store_step *store, struct journal *journal,
                     struct container *out, struct berth_err *err)
{
    struct making m = {.step = step,
                       .store = store,
                       .journal = journal,
                       .place = place,
                       .listener = -1,
                       .prime = -1};
    struct imgref ref;
    int control = -1, rc = -1;

    *out = (struct container){.control = -1};
    if (find_allocation(&m, err) < 0 || decide_step(&m, &ref, err) < 0 ||
        find_image(&m, &ref, err) < 0 ||
        stage_all(&m, err) < 0 || start(&m, err) < 0 ||
        identity_lookup(step, &m.identity, err) < 0 ||
        make_overlay(&m, &out->overlay, err) < 0 ||
        (control = await_init(&m, err)) < 0 ||
        (m.request.gpus_by == REQUEST_GPUS_CDI &&
         gpus_inherit(m.seen.pid, m.image.env, m.image.nenv, &out->overlay,
                      err) < 0) ||
        inside_prepare(m.seen.pid, &m.request, &m.identity, store->dir, err) <
            0 ||
        audit_container(&m.request, &m.gpus, &m.seen, err) < 0 ||
        note_cgroups(&m, err) < 0)
        goto out;
    out->pid = m.seen.pid;
    out->control = control;
    out->gpus = m.gpus;
    m.gpus = (struct gpus){0};
    control = -1;
    rc = 0;
out:
    if (rc < 0)
        container_close(out);
    if (control >= 0)
        close(control);
    if (m.listener >= 0)
        close(m.listener);
    if (m.prime > 0) {
        kill(m.prime, SIGKILL);
        waitpid(m.prime, NULL, 0);
    }
    engine_container_clear(&m.seen);
    engine_image_clear(&m.image);
    engine_close(m.engine);
    policy_free(m.policy);
    identity_clear(&m.identity);
    gpus_clear(&m.gpus);
    for (size_t i = 0; i < m.request.nmounts; i++)
        free(m.paths[i]);
    free(m.tmpfs);
    return rc;
}

void container_close(struct container *container)
{
    if (container->control >= 0)
        close(container->control);
    container->control = -1;
    strv_clear(&container->overlay);
    gpus_clear(&container->gpus);
}
