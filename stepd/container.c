// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: the facts of a step, of which options and cwd are the user's.

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
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/imgref.h"
#include "core/libpod.h"
#include "core/limits.h"
#include "core/overlay.h"
#include "core/plan.h"
#include "core/request.h"
#include "engine/engine.h"
#include "handover/wire.h"
#include "stepd/attach.h"
#include "stepd/audit.h"
#include "stepd/devices.h"
#include "stepd/gpus.h"
#include "stepd/inside.h"
#include "stepd/listen.h"
#include "stepd/ruling.h"
#include "stepd/stage.h"
#include "stepd/trusted.h"
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

// What is needed to make one container, and gone when it is made.
struct making {
    const struct step *step;
    const struct store_step *store;
    struct journal *journal;
    struct ruling ruling;
    struct engine *engine;
    struct engine_image image;
    struct engine_container seen;
    struct store_record record;
    struct plan plan;
    struct request *request; // the plan's, to be filled in
    struct request_mount mounts[BERTH_MOUNTS_MAX];
    char *paths[BERTH_MOUNTS_MAX]; // sources, owned
    struct attach attach;
    struct request_tmpfs *tmpfs;
    struct request_ulimit ulimits[ULIMITS_MAX];
    struct request_label labels[8];
    struct strv devices;
    char *seccomp;
    struct gpus gpus;
    const char *capabilities[16]; // of NVIDIA's driver
    char job[16], uid[16], name[STEP_NAME_MAX];
    char id[65];
    const struct place *place;
    int listener; // where berth-init connects
    pid_t prime;  // a child (stepd/place.h), or -1
};

static int find_image(struct making *m, struct berth_err *err)
{
    char name[IMGREF_TEXT_MAX];

    imgref_format(&m->ruling.decision.image, name);
    m->engine = engine_open(policy_engine(m->ruling.policy), err);
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
                     struct berth_err *err)
{
    struct request *r = m->request;
    char *path = NULL;

    if (r->nmounts == BERTH_MOUNTS_MAX ||
        asprintf(&path, "%s/%s", m->store->path, name) < 0)
        return err_set(err, BERTH_EINVAL,
                       "a container can have %d mounts: ask for fewer",
                       BERTH_MOUNTS_MAX);
    m->paths[r->nmounts] = path;
    m->mounts[r->nmounts++] =
        (struct request_mount){path, target, true};
    return 0;
}

static int stage(struct making *m, int fd, const char *name,
                 const char *target, struct berth_err *err)
{
    return stage_bind(fd, m->store->dir, name, true, err) < 0
               ? -1
               : add_mount(m, name, target, err);
}

// The mounts that the decision has.
static int stage_decided(struct making *m, struct berth_err *err)
{
    const struct strv *words = &m->step->words;
    bool given;
    // Where the engine's socket and the administrator's files are no
    // container looks, either.
    const char *files[] = {
        policy_engine(m->ruling.policy),
        m->step->conf,
        policy_conf_path(words->n, (const char *const *)words->v, &given),
    };
    enum { FILES = sizeof(files) / sizeof(*files) };
    const char *all[sizeof(never) / sizeof(*never) + FILES];
    char *dirs[FILES] = {0};
    size_t n = 0;
    int rc = -1;

    for (; never[n]; n++)
        all[n] = never[n];
    for (size_t i = 0; i < FILES; i++) {
        const char *slash = files[i] ? strrchr(files[i], '/') : NULL;
        if (!slash || slash == files[i])
            continue;
        if (!(dirs[i] = strndup(files[i], (size_t)(slash - files[i])))) {
            err_set(err, BERTH_ENOMEM, "memory is out");
            goto out;
        }
        all[n++] = dirs[i];
    }
    all[n] = NULL;
    if (attach_stage(&m->ruling.decision, &m->ruling.subject, m->step, all,
                     m->store->dir, &m->attach, err) < 0)
        goto out;
    rc = 0;
    for (size_t i = 0; rc == 0 && i < m->attach.n; i++)
        if (!m->attach.v[i].nested)
            rc = add_mount(m, m->attach.v[i].name, m->attach.v[i].target,
                           err);
out:
    for (size_t i = 0; i < FILES; i++)
        free(dirs[i]);
    return rc;
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
        rc = stage(m, fd, "init", WIRE_INIT_PATH, err);
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
        rc = stage(m, fd, mount, target, err);
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
                    : stage(m, fd, "control.mount", WIRE_CONTROL_PATH, err);
    if (fd >= 0)
        close(fd);
    return rc;
}

static int stage_all(struct making *m, struct berth_err *err)
{
    return stage_decided(m, err) < 0 || stage_init(m, err) < 0 ||
                   stage_control(m, err) < 0 ||
                   stage_empty(m, "passwd", "/etc/passwd", err) < 0 ||
                   stage_empty(m, "group", "/etc/group", err) < 0
               ? -1
               : 0;
}

static bool is_taken(const struct making *m, const char *target)
{
    const struct request *r = m->request;

    for (size_t i = 0; i < r->nmounts; i++)
        if (strcmp(m->mounts[i].target, target) == 0)
            return true;
    for (size_t i = 0; i < r->ntmpfs; i++)
        if (strcmp(m->tmpfs[i].target, target) == 0)
            return true;
    return attach_holds(&m->attach, target);
}

// The plan's, and one for each VOLUME that the image declares: the engine
// would make an anonymous volume of each, on its disk and without a bound.
static int choose_tmpfs(struct making *m, uint64_t bytes,
                        struct berth_err *err)
{
    struct request *r = m->request;
    size_t planned = r->ntmpfs;

    m->tmpfs = calloc(planned + m->image.nvolumes + 1, sizeof(*m->tmpfs));
    if (!m->tmpfs)
        return err_set(err, BERTH_ENOMEM, "memory is out");
    r->ntmpfs = 0;
    for (size_t i = 0; i < planned + m->image.nvolumes; i++) {
        struct request_tmpfs one =
            i < planned ? m->plan.tmpfs[i]
                        : (struct request_tmpfs){
                              m->image.volumes[i - planned], bytes};
        if (!request_target_ok(one.target))
            return err_set(err,
                           BERTH_EINVAL,
                           "the image declares a volume at a place where none "
                           "can be: ask its author to move it");
        if (!is_taken(m, one.target))
            m->tmpfs[r->ntmpfs++] = one;
    }
    r->tmpfs = m->tmpfs;
    return 0;
}

// Podman's API makes of each mount the text of an option, and quotes nothing:
// behind a comma a directory's name would go on as options of its own, such
// as another source. (A tmpfs' options stand behind a colon there.)
static int check_names(const struct making *m, struct berth_err *err)
{
    const struct request *r = m->request;
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
                                              m->ruling.allocation.cluster};
    m->labels[n++] = (struct request_label){"berth.node", step->node};
    m->labels[n++] = (struct request_label){"berth.job", m->job};
    m->labels[n++] = (struct request_label){"berth.step", m->name};
    m->labels[n++] = (struct request_label){"berth.uid", m->uid};
    m->labels[n++] =
        (struct request_label){STORE_NONCE_LABEL, m->record.nonce};
    m->request->nlabels = n;
}

// By CDI, if the administrator says so; NVIDIA's GPUs also if the engine has
// them so, and Podman has no other means. Only for these it is asked.
static int request_gpus(struct making *m, struct berth_err *err)
{
    const char *cdi = policy_cdi(m->ruling.policy);
    struct request *r = m->request;
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

// The GPUs that Slurm gave the step, if the policy lets it have them: a rule
// that is being rolled out only warns.
static int choose_gpus(struct making *m, struct berth_err *err)
{
    const struct rules *rules = &m->ruling.rules;
    struct decision *decision = &m->ruling.decision;
    struct request *r = m->request;
    const size_t most = sizeof(m->capabilities) / sizeof(*m->capabilities);

    if (gpus_choose(m->step,
                    m->ruling.allocated ? &m->ruling.allocation : NULL,
                    &m->gpus, err) < 0)
        return -1;
    if (gpu_set_check(&m->gpus.set, m->gpus.table, m->step->node, rules,
                      err) < 0) {
        if (rules->mode == RULE_MODE_ENFORCE || err->code != BERTH_EDENIED)
            return -1;
        if (!decision->warning[0])
            snprintf(decision->warning, sizeof(decision->warning), "%s",
                     err->text);
    }
    for (size_t i = 0; i < rules->gpu_capabilities.n && i < most; i++)
        m->capabilities[r->ngpu_capabilities++] =
            rules->gpu_capabilities.v[i]->text;
    r->gpu_capabilities = m->capabilities;
    return request_gpus(m, err);
}

// Gives Podman M->seccomp as a file of this step's.
static int write_seccomp(struct making *m, struct berth_err *err)
{
    size_t len = strlen(m->seccomp);
    char *path = NULL;
    int fd = openat(m->store->dir, "seccomp",
                    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                    0600);
    int rc = fd >= 0 && write(fd, m->seccomp, len) == (ssize_t)len &&
                     asprintf(&path, "%s/seccomp", m->store->path) >= 0
                 ? 0
                 : err_set(err, BERTH_ESYS, "writing the seccomp profile: %m");

    if (fd >= 0)
        close(fd);
    if (rc == 0) {
        free(m->seccomp);
        m->request->seccomp = m->seccomp = path;
    }
    return rc;
}

// The administrator's profile: Docker takes its text, Podman the path of a
// file, which is here a copy of what was trusted.
static int choose_seccomp(struct making *m, struct berth_err *err)
{
    const char *path = m->ruling.rules.seccomp;
    char *text = NULL;
    json_error_t why;
    size_t len;

    if (!path)
        return 0;
    if (trusted_read(path, &text, &len, err) < 0)
        return err_prefix(err, "seccomp");
    json_t *profile = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
    free(text);
    m->seccomp = json_is_object(profile) ? json_dumps(profile, JSON_COMPACT)
                                         : NULL;
    json_decref(profile);
    if (!m->seccomp)
        return err_set(err, BERTH_EINVAL,
                       "seccomp: %s is not a JSON object: tell your "
                       "administrator",
                       path);
    m->request->seccomp = m->seccomp;
    return engine_is_podman(m->engine) ? write_seccomp(m, err) : 0;
}

// What Podman's interface for Docker's clients would ignore.
static int check_podman(const struct making *m, struct berth_err *err)
{
    if (!engine_is_podman(m->engine) || !m->request->runtime)
        return 0;
    return err_set(err, BERTH_EINVAL,
                   "runtime = \"%s\" cannot be had with Podman, which takes "
                   "it from containers.conf only: tell your administrator",
                   m->request->runtime);
}

static int choose(struct making *m, struct strv *overlay,
                  struct berth_err *err)
{
    struct request *r = m->request;
    const struct rules *rules = &m->ruling.rules;
    long long memory = (long long)sysconf(_SC_PHYS_PAGES) *
                       sysconf(_SC_PAGESIZE);
    struct statvfs shm;

    if (memory <= 0)
        return err_set(err, BERTH_ESYS, "the size of memory is unknown");
    struct request_mount *mounts = m->mounts;
    size_t nmounts = r->nmounts;
    if (plan_make(&m->ruling.decision, &m->ruling.subject, (uint64_t)memory,
                  &m->plan, err) < 0)
        return -1;
    if (!r->shm_bytes) // where the node has none, half of its memory
        r->shm_bytes = statvfs("/dev/shm", &shm) == 0 && shm.f_blocks > 0
                           ? (uint64_t)shm.f_blocks * shm.f_frsize
                           : (uint64_t)memory / 2;
    r->image_id = m->image.id;
    r->mounts = mounts;
    r->nmounts = nmounts;
    r->labels = m->labels;
    r->image_env = m->image.env;
    r->nimage_env = m->image.nenv;
    r->ulimits = m->ulimits;
    size_t nulimits = ulimits_choose(m->ulimits);
    if (ulimits_override(m->plan.ulimits, r->nulimits, m->ulimits, nulimits,
                         overlay, err) < 0)
        return -1;
    r->nulimits = nulimits;
    choose_labels(m);
    if (choose_gpus(m, err) < 0 ||
        devices_find(&rules->devices, r, &m->devices, err) < 0 ||
        choose_seccomp(m, err) < 0 ||
        choose_tmpfs(m, plan_size(&rules->tmp_size, (uint64_t)memory), err) <
            0 ||
        check_names(m, err) < 0 || check_podman(m, err) < 0)
        return -1;
    return 0;
}

static int make_overlay(struct making *m, struct strv *out,
                        struct berth_err *err)
{
    const struct decision *d = &m->ruling.decision;
    struct overlay overlay = {
        .argv0 = m->step->argv0,
        .entry = m->image.entry,
        .nentry = d->entrypoint ? m->image.nentry : 0,
        .cwd = d->workdir,
        .home = m->attach.no_home ? d->workdir : d->home,
        .slurm_conf = d->slurm ? m->step->slurm.conf : NULL,
        .env_deny = &m->ruling.rules.env_deny,
        .env_pass = &m->ruling.rules.env_pass,
        .image_env = m->image.env,
        .nimage_env = m->image.nenv,
        .env = d->env,
        .nenv = d->nenv,
        .env_set = d->env_set,
        .nenv_set = d->nenv_set,
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

// What an engine knows only when it starts a container (whether it has the
// means to give it GPUs, what the image has at a mount's target) it says in
// words for nobody.
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
    if (!engine_is_podman(m->engine) ||
        m->request->gpus_by != REQUEST_GPUS_CDI)
        return engine_container_create(m->engine, m->record.container, body,
                                       m->id, err);
    char *text = libpod_request(body, m->record.container, err);
    int rc = text ? engine_container_create_libpod(m->engine, text, m->id, err)
                  : -1;
    free(text);
    return rc;
}

static int start(struct making *m, struct strv *overlay,
                 struct berth_err *err)
{
    int rc = -1;

    if (store_record_write(m->store, policy_engine(m->ruling.policy),
                           &m->record, err) < 0 ||
        choose(m, overlay, err) < 0)
        return -1;
    journal_note(m->journal, "warning", m->ruling.decision.warning);
    journal_allow(m->journal);
    json_t *body = request_build(m->request, err);
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
    const struct rules *rules = &m.ruling.rules;
    int control = -1, rc = -1;

    *out = (struct container){.control = -1};
    m.request = &m.plan.request;
    if (ruling_make(step, journal, &m.ruling, err) < 0 ||
        find_image(&m, err) < 0 || stage_all(&m, err) < 0 ||
        start(&m, &out->overlay, err) < 0 ||
        make_overlay(&m, &out->overlay, err) < 0 ||
        (control = await_init(&m, err)) < 0 ||
        (m.request->gpus_by == REQUEST_GPUS_CDI &&
         gpus_inherit(m.seen.pid, m.image.env, m.image.nenv, &out->overlay,
                      err) < 0) ||
        inside_prepare(m.seen.pid, m.request, &m.attach, &m.ruling.identity,
                       store->dir, err) < 0 ||
        audit_container(m.request, &m.attach, &m.gpus, &m.seen, err) < 0 ||
        note_cgroups(&m, err) < 0)
        goto out;
    out->pids_limit = rules->pids_limit;
    if (rules->mode == RULE_MODE_WARN)
        memcpy(out->warning, m.ruling.decision.warning, sizeof(out->warning));
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
    attach_clear(&m.attach);
    gpus_clear(&m.gpus);
    for (size_t i = 0; i < BERTH_MOUNTS_MAX; i++)
        free(m.paths[i]);
    free(m.tmpfs);
    free(m.seccomp);
    strv_clear(&m.devices);
    plan_clear(&m.plan);
    ruling_clear(&m.ruling);
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
