// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: the admission; the image, of which the environment and the volumes are
// its author's; the GPUs and device files of this node.

#include "stepd/request_node.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "logic/changes.h"
#include "logic/gpu_rules.h"
#include "logic/image.h"
#include "logic/mount_syntax.h"
#include "node/trusted.h"
#include "stepd/devices.h"
#include "stepd/gpus_env.h"
#include "stepd/timezone.h"

// Of a directory in which PMIx's are.
enum { PMIX_DIR_BYTES = 64 * 1024 };

static bool is_taken(const struct request_node *o, const char *target)
{
    for (size_t i = 0; i < o->plan.request.ntmpfs; i++)
        if (strcmp(o->tmpfs[i].target, target) == 0)
            return true;
    return step_mounts_holds(o->mounts, target);
}

// The directories in which each step of the job with PMIx has its own laid over
// a place that is made for it there (stepd/mount_copies.h): what an image
// cannot have, and what is in no mount. Little room: nothing else is to be
// there. Only the first, which is root's to choose, can be in a place that is
// the image's. The next from I on, or NULL.
static const char *next_pmix_dir(const struct request_node *o, size_t *i)
{
    const struct strv *dirs = &o->step->pmix_dirs;

    while (*i < dirs->n) {
        bool first = *i == 0;
        const char *dir = dirs->v[(*i)++];
        if (first ? mount_target_ok(dir)
                  : mount_target_is_free(&o->admission->rules.targets, dir))
            return dir;
    }
    return NULL;
}

// The plan's; one for each VOLUME that the image declares: the engine would
// make an anonymous volume of each, on its disk and without a bound; and
// PMIx's.
static int choose_tmpfs(struct request_node *o, uint64_t bytes,
                        struct berth_err *err)
{
    struct request *r = &o->plan.request;
    size_t planned = r->ntmpfs;

    o->tmpfs = calloc(planned + o->image->nvolumes + o->step->pmix_dirs.n + 1,
                      sizeof(*o->tmpfs));
    if (!o->tmpfs)
        return err_set(err, BERTH_ENOMEM, "memory is out");
    r->ntmpfs = 0;
    // Who is root changes the image's files, and these are among them; but
    // Docker would make a volume of each, and copy what is there.
    bool left = r->root.count && engine_is_podman(o->engine);
    size_t nvolumes = left ? 0 : o->image->nvolumes;
    for (size_t i = 0; i < nvolumes; i++)
        image_volume_clean(o->image->volumes[i]);
    for (size_t i = 0; i < planned + nvolumes; i++) {
        struct request_tmpfs one =
            i < planned ? o->plan.tmpfs[i]
                        : (struct request_tmpfs){o->image->volumes[i - planned],
                                                 bytes, false};
        if (!request_target_ok(one.target))
            return err_set(err, BERTH_EINVAL,
                           "the image declares a volume at a place where none "
                           "can be: ask its author to move it");
        if (!is_taken(o, one.target))
            o->tmpfs[r->ntmpfs++] = one;
    }
    const char *dir;
    for (size_t i = 0; (dir = next_pmix_dir(o, &i));)
        if (!is_taken(o, dir))
            o->tmpfs[r->ntmpfs++] =
                (struct request_tmpfs){dir, PMIX_DIR_BYTES, false};
    r->tmpfs = o->tmpfs;
    r->no_copyup = engine_is_podman(o->engine);
    return 0;
}

// Podman's API makes of each mount the text of an option, and quotes nothing:
// behind a comma a directory's name would go on as options of its own, such
// as another source. (A tmpfs' options stand behind a colon there.)
static int check_names(const struct request_node *o, struct berth_err *err)
{
    const struct request *r = &o->plan.request;
    const char *bad = NULL;

    for (size_t i = 0; i < r->nmounts; i++)
        if (strpbrk(r->mounts[i].target, ",\""))
            bad = r->mounts[i].target;
    for (size_t i = 0; i < r->ntmpfs; i++)
        if (strpbrk(o->tmpfs[i].target, ",:\""))
            bad = o->tmpfs[i].target;
    if (!bad || !engine_is_podman(o->engine))
        return 0;
    return err_set(err, BERTH_EINVAL,
                   "%s cannot be mounted by Podman, because of the comma, "
                   "colon or double quote in its name: use another one",
                   bad);
}

static void choose_labels(struct request_node *o)
{
    const struct step *step = o->step;
    size_t n = 0;

    snprintf(o->job, sizeof(o->job), "%u", step->job);
    snprintf(o->uid, sizeof(o->uid), "%u", step->uid);
    step_name(step->job, step->step, o->name);
    o->labels[n++] = (struct request_label){"berth.cluster",
                                            o->admission->allocation.cluster};
    o->labels[n++] = (struct request_label){"berth.node", step->node};
    o->labels[n++] = (struct request_label){"berth.job", o->job};
    o->labels[n++] = (struct request_label){"berth.step", o->name};
    o->labels[n++] = (struct request_label){"berth.uid", o->uid};
    o->labels[n++] = (struct request_label){STORE_NONCE_LABEL, o->nonce};
    o->plan.request.nlabels = n;
}

// By CDI, if the administrator says so; NVIDIA's GPUs also if the engine has
// them so, and Podman has no other means. Only for these it is asked.
static int request_gpus(struct request_node *o, struct berth_err *err)
{
    const char *cdi = policy_cdi(o->admission->policy);
    struct request *r = &o->plan.request;
    bool has = false;

    if (cdi || !gpus_have_vendor(&o->gpus, GPU_NVIDIA))
        return gpus_request(&o->gpus, cdi, r, err);
    if (gpus_request(&o->gpus, GPUS_NVIDIA_CDI, r, err) < 0)
        return -1;
    if (engine_is_podman(o->engine))
        return 0;
    if (engine_has_cdi(o->engine, r->gpus, r->ngpus, &has, err) < 0)
        return -1;
    return has ? 0 : gpus_request(&o->gpus, NULL, r, err);
}

// Whether request_gpus is to ask for the GPUs by their device files. It comes
// later, since others are worth a question to the engine.
static bool by_files(const struct request_node *o)
{
    return !policy_cdi(o->admission->policy) &&
           !gpus_have_vendor(&o->gpus, GPU_NVIDIA);
}

// The GPUs that Slurm gave the step, if the policy lets it have them: a rule
// that is being rolled out only warns.
static int choose_gpus(struct request_node *o, struct berth_err *err)
{
    const struct rules *rules = &o->admission->rules;
    struct decision *decision = &o->admission->decision;
    struct request *r = &o->plan.request;
    const size_t most = sizeof(o->capabilities) / sizeof(*o->capabilities);

    if (gpus_choose(o->step,
                    o->admission->allocated ? &o->admission->allocation : NULL,
                    &o->gpus, err) < 0)
        return -1;
    if (gpu_rules_check(&o->gpus.set, o->gpus.table, o->step->node, rules,
                        err) < 0) {
        if (rules->mode == RULE_MODE_ENFORCE)
            return -1;
        if (!decision->warning[0])
            snprintf(decision->warning, sizeof(decision->warning), "%s",
                     err->text);
    }
    for (size_t i = 0; i < rules->gpu_capabilities.n && i < most; i++)
        o->capabilities[r->ngpu_capabilities++] =
            rules->gpu_capabilities.v[i]->text;
    r->gpu_capabilities = o->capabilities;
    return 0;
}

// Gives Podman M->seccomp as a file of this step's.
static int write_seccomp(struct request_node *o, struct berth_err *err)
{
    size_t len = strlen(o->seccomp);
    char *path = NULL;
    int fd = openat(o->mounts->store->dir, "seccomp",
                    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    int rc = fd >= 0 && write(fd, o->seccomp, len) == (ssize_t)len &&
                     asprintf(&path, "%s/seccomp", o->mounts->store->path) >= 0
                 ? 0
                 : err_set(err, BERTH_ESYS, "writing the seccomp profile: %m");

    if (fd >= 0)
        close(fd);
    if (rc == 0) {
        free(o->seccomp);
        o->plan.request.seccomp = o->seccomp = path;
    }
    return rc;
}

// The administrator's profile: Docker takes its text, Podman the path of a
// file, which is here a copy of what was trusted.
static int choose_seccomp(struct request_node *o, struct berth_err *err)
{
    const char *path = o->admission->rules.seccomp;
    char *text = NULL;
    json_error_t why;
    size_t len;

    if (!path)
        return 0;
    if (strcmp(path, RULE_SECCOMP_BERTH) == 0)
        path = BERTH_LIBEXECDIR "/seccomp.json";
    if (trusted_read(path, &text, &len, err) < 0)
        return err_prefix(err, "seccomp");
    json_t *profile = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
    free(text);
    o->seccomp =
        json_is_object(profile) ? json_dumps(profile, JSON_COMPACT) : NULL;
    json_decref(profile);
    if (!o->seccomp)
        return err_set(err, BERTH_EINVAL,
                       "seccomp: %s is not a JSON object: tell your "
                       "administrator",
                       path);
    o->plan.request.seccomp = o->seccomp;
    return 0;
}

// What Podman's interface for Docker's clients would ignore.
static int check_podman(const struct request_node *o, struct berth_err *err)
{
    if (!engine_is_podman(o->engine) || !o->plan.request.runtime)
        return 0;
    return err_set(err, BERTH_EINVAL,
                   "runtime = \"%s\" cannot be had with Podman, which takes "
                   "it from containers.conf only: tell your administrator",
                   o->plan.request.runtime);
}

// The engine starts berth-init with all of it.
static int check_environment(const struct request_node *o,
                             struct berth_err *err)
{
    // The kernel's MAX_ARG_STRLEN.
    const size_t one_max = 32 * (size_t)sysconf(_SC_PAGESIZE);
    const struct request *r = &o->plan.request;
    long long stack = -1;

    for (size_t i = 0; i < r->nulimits; i++)
        if (strcmp(r->ulimits[i].name, "stack") == 0)
            stack = r->ulimits[i].soft;
    return image_env_check(o->image->env, o->image->nenv, one_max, stack, err);
}

int request_node_choose(struct request_node *o, struct strv *changes,
                        struct berth_err *err)
{
    struct request *r = &o->plan.request;
    const struct rules *rules = &o->admission->rules;
    long long memory =
        (long long)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
    struct statvfs shm;

    if (memory <= 0)
        return err_set(err, BERTH_ESYS, "the size of memory is unknown");
    if (request_decided_make(&o->admission->decision, &o->admission->subject,
                             (uint64_t)memory, &o->plan, err) < 0)
        return -1;
    if (!r->shm_bytes) // where the node has none, half of its memory
        r->shm_bytes = statvfs("/dev/shm", &shm) == 0 && shm.f_blocks > 0
                           ? (uint64_t)shm.f_blocks * shm.f_frsize
                           : (uint64_t)memory / 2;
    r->ulimits = o->ulimits;
    size_t nulimits = ulimits_choose(o->ulimits);
    if (ulimits_override(&rules->ulimits, o->ulimits, nulimits, changes, err) <
        0)
        return -1;
    r->nulimits = nulimits;
    o->tmpfs_bytes = request_decided_size(&rules->tmp_size, (uint64_t)memory);
    return choose_gpus(o, err) < 0 ||
                   devices_find(&rules->devices, by_files(o) ? &o->gpus : NULL,
                                r, &o->devices, err) < 0 ||
                   choose_seccomp(o, err) < 0
               ? -1
               : 0;
}

// The GPUs by number: what stands for each of them the table says.
static int add_gpus(const struct request_node *o, struct strv *out)
{
    const struct gpu *gpu;
    int rc = 0;

    for (unsigned i = 0; rc == 0 && (gpu = gpus_next(&o->gpus, &i));)
        rc = strv_addf(out, "gpu=%u %s %s", gpu->index, o->gpus.table->boot,
                       o->gpus.table->conf);
    return rc;
}

int request_node_made_from(const struct request_node *o, struct strv *out,
                           struct berth_err *err)
{
    const struct admission *admission = o->admission;
    const struct mount_copies *copies = &o->mounts->copies;
    struct request request = o->plan.request;
    char name[IMGREF_TEXT_MAX];

    decision_image_name(&admission->decision, name);
    request.image_id = name;
    json_t *body = request_build(&request, err);
    char *text = body ? json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    json_decref(body);
    if (!body)
        return -1;
    const char *dir;
    int rc = text ? 0 : -1;
    for (size_t i = 0; rc == 0 && (dir = next_pmix_dir(o, &i));)
        rc = strv_addf(out, "pmix=%s", dir);
    if (rc == 0)
        rc = strv_addf(out, "run=%u %s", o->step->job,
                       admission->allocation.run);
    if (rc == 0)
        rc = strv_addf(out, "image=%s", name);
    for (size_t i = 0; rc == 0 && i < copies->made_from.n; i++)
        rc = strv_addf(out, "mount=%s", copies->made_from.v[i]);
    if (rc == 0)
        rc = add_gpus(o, out);
    if (rc == 0)
        rc = strv_addf(out, "policy=%s", policy_fingerprint(admission->policy));
    if (rc == 0)
        rc = strv_addf(out, "request=%s", text);
    if (rc == 0)
        rc = strv_addf(out, "passwd=%s", admission->identity.passwd);
    if (rc == 0)
        rc = strv_addf(out, "group=%s", admission->identity.group);
    free(text);
    return rc < 0 ? err_set(err, BERTH_ENOMEM, "memory is out") : 0;
}

int request_node_complete(struct request_node *o, struct berth_err *err)
{
    struct request *r = &o->plan.request;

    r->image_id = o->image->id;
    r->mounts = o->mounts->binds;
    r->nmounts = o->mounts->n;
    r->labels = o->labels;
    r->image_env = o->image->env;
    r->nimage_env = o->image->nenv;
    choose_labels(o);
    return check_environment(o, err) < 0 || request_gpus(o, err) < 0 ||
                   (o->seccomp && engine_is_podman(o->engine) &&
                    write_seccomp(o, err) < 0) ||
                   choose_tmpfs(o, o->tmpfs_bytes, err) < 0 ||
                   check_names(o, err) < 0 || check_podman(o, err) < 0
               ? -1
               : 0;
}

const char *request_node_home(const struct request_node *o)
{
    return o->mounts->copies.no_home ? DECIDE_NO_HOME
                                     : o->admission->decision.home;
}

int request_node_changes(const struct request_node *o, struct strv *out,
                         struct berth_err *err)
{
    const struct decision *d = &o->admission->decision;
    const char *workdir = o->image->workdir;
    char zone[TIMEZONE_MAX];
    bool has = workdir && mount_target_ok(workdir);
    struct changes changes = {
        .argv0 = o->step->argv0,
        .entry = o->image->entry,
        .nentry = o->image->nentry,
        .run_entry =
            d->entrypoint ||
            (o->step->own && o->step->options.entrypoint == CHOICE_UNSAID),
        .cmd = o->image->cmd,
        .ncmd = o->image->ncmd,
        .own = o->step->own,
        .cwd = d->workdir,
        .workdir = has ? workdir : NULL,
        .in_workdir = has && d->anywhere,
        .home = request_node_home(o),
        .slurm_conf = d->slurm ? o->step->slurm.conf : NULL,
        .options = &o->step->options,
        .node_cwd = o->step->cwd,
        .env_deny = &o->admission->rules.env_deny,
        .env_pass = &o->admission->rules.env_pass,
        .env_ask = &o->admission->rules.env_ask,
        .env_job = &o->admission->rules.env_job,
        .env_sets = &o->admission->rules.env_sets,
        .has_ranks =
            o->step->step != STEP_BATCH && o->step->step != STEP_INTERACTIVE,
        .job = o->step->job,
        .step = o->step->step,
        .image_env = o->image->env,
        .nimage_env = o->image->nenv,
        .env = d->env,
        .nenv = d->nenv,
        .env_set = d->env_set,
        .nenv_set = d->nenv_set,
    };

    if (changes_build(&changes, out, err) < 0)
        return -1;
    if (timezone_read("/etc/localtime", zone) &&
        strv_addf(out, "%cTZ=%s", WIRE_DEFAULT, zone) < 0)
        return err_set(err, BERTH_ENOMEM, "memory is out");
    return gpus_changes(&o->gpus, out, err);
}

void request_node_clear(struct request_node *o)
{
    gpus_clear(&o->gpus);
    free(o->tmpfs);
    free(o->seccomp);
    strv_clear(&o->devices);
    request_decided_clear(&o->plan);
}
