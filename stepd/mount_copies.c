// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: a decision, in which sources are paths of a user's choice.

#include "stepd/mount_copies.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/mount.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "logic/decide.h"
#include "logic/deny.h"
#include "logic/mount_syntax.h"
#include "logic/path.h"
#include "stepd/idmap.h"
#include "stepd/mount_nested.h"
#include "stepd/mount_slurm.h"
#include "stepd/mount_source.h"
#include "stepd/mountapi.h"
#include "stepd/view.h"

// A file system of its own in every container.
#define SHM "/dev/shm"

// What is being staged: the sources are those of the decision's mounts, in
// their order, and then Slurm's own.
struct staging {
    const struct decision *decision;
    const struct subject *subject;
    const struct step *step;
    struct child_user user;
    struct view view; // in which the sources are opened and copied
    struct mount_source sources[BERTH_MOUNTS_MAX];
    const struct decision_mount *mounts[BERTH_MOUNTS_MAX];
    size_t n;
    struct decision_mount slurm[4 + MOUNT_SLURM_MAX];
    size_t nslurm;
    struct mount_slurm within;
    struct decision_mount dirs[2]; // only to be compared with: no target
    size_t ndirs;
    struct decision_mount nested[BERTH_MOUNTS_MAX]; // owned: within others
    size_t nnested;
};

static bool is_workdir(const struct staging *s, const struct decision_mount *m)
{
    return m->npatterns == 0 && !m->within &&
           strcmp(m->source, s->subject->cwd) == 0;
}

static bool is_home(const struct staging *s, const struct decision_mount *m)
{
    return m->npatterns == 0 && !m->within && s->subject->home &&
           strcmp(m->source, s->subject->home) == 0;
}

// Of a source: root named it; it can be written to; it need not be there; it
// is Slurm's, and no symbolic link.
enum { TRUSTED = 1, WRITABLE = 2, OPTIONAL = 4, ITSELF = 8 };

static int no_room(struct berth_err *err)
{
    return err_set(err, BERTH_EINVAL,
                   "a container can have %d mounts: ask for fewer",
                   BERTH_MOUNTS_MAX);
}

static int add(struct staging *s, const struct decision_mount *mount,
               unsigned flags, struct berth_err *err)
{
    if (s->n == BERTH_MOUNTS_MAX)
        return no_room(err);
    s->mounts[s->n] = mount;
    s->sources[s->n++] = (struct mount_source){
        .path = mount->source,
        .trusted = flags & TRUSTED,
        .itself = flags & ITSELF,
        .spare = flags & ITSELF && mount_target_is_in_shm(mount->source)
                     ? "/dev"
                     : NULL,
        .fd = -1};
    return 0;
}

// Slurm's own.
static int add_slurms(struct staging *s, const char *path, const char *target,
                      unsigned flags, struct berth_err *err)
{
    struct decision_mount *mount = &s->slurm[s->nslurm++];

    *mount = (struct decision_mount){.source = (char *)path,
                                     .target = (char *)target,
                                     .readonly = !(flags & WRITABLE),
                                     .optional = flags & OPTIONAL};
    return add(s, mount, flags, err);
}

static bool is_null(const struct decision_mount *mount)
{
    return mount->source && strcmp(mount->source, MOUNT_NULL) == 0;
}

// The entry of the user's directory DIR that is only compared with, or -1.
static int find_own(const struct staging *s, const char *dir)
{
    for (size_t i = 0; i < s->n; i++)
        if (!s->mounts[i]->target && strcmp(s->mounts[i]->source, dir) == 0)
            return (int)i;
    return -1;
}

// Says whether it comes and goes with this step: others in the container have
// one of their own, or none.
static bool is_steps(const struct staging *s, const struct decision_mount *m)
{
    return m->source == s->step->pmix || m->source == s->step->pmixtmp;
}

static int add_decided(struct staging *s, const struct decision_mount *mount,
                       struct berth_err *err)
{
    if (!mount->source || is_null(mount))
        return 0;
    if (mount->within && find_own(s, mount->within) < 0) {
        struct decision_mount *own = &s->dirs[s->ndirs++];
        *own = (struct decision_mount){.source = (char *)mount->within};
        if (add(s, own, 0, err) < 0)
            return -1;
    }
    return add(s, mount, 0, err);
}

static int gather(struct staging *s, struct berth_err *err)
{
    const struct decision *d = s->decision;
    const struct step *step = s->step;
    bool host = strcmp(d->network, "host") == 0;
    // Where PMIx's clients have their own files Slurm may have said in a way
    // that berth does not see: they make a directory then. The port of X11 is
    // on the node's own network, and with --x11=first on one node alone.
    const struct {
        const char *path;
        unsigned flags;
    } slurm[] = {
        {step->script, TRUSTED | ITSELF},
        {step->pmix, TRUSTED | WRITABLE | ITSELF},
        {step->pmixtmp, WRITABLE | OPTIONAL | ITSELF},
        {host ? step->xauth : NULL, OPTIONAL | ITSELF},
    };

    for (size_t i = 0; i < d->nmounts; i++)
        if (add_decided(s, &d->mounts[i], err) < 0)
            return -1;
    for (size_t i = 0; i < sizeof(slurm) / sizeof(*slurm); i++)
        if (slurm[i].path && add_slurms(s, slurm[i].path, slurm[i].path,
                                        slurm[i].flags, err) < 0)
            return -1;
    if (d->slurm && mount_slurm_find(step, &s->within, err) < 0)
        return -1;
    for (size_t i = 0; i < s->within.n; i++)
        if (add_slurms(s, s->within.v[i].source, s->within.v[i].target,
                       TRUSTED | (s->within.v[i].optional ? OPTIONAL : 0),
                       err) < 0)
            return -1;
    return 0;
}

static bool is_decided(const struct staging *s, const struct decision_mount *m)
{
    const struct decision *d = s->decision;

    return m >= d->mounts && m < d->mounts + d->nmounts;
}

// Says whether the administrator has chosen the source.
static bool is_the_rules(const struct staging *s,
                         const struct decision_mount *m)
{
    return m->rule && m->npatterns == 0 && !m->within && !is_home(s, m);
}

// Says in whose place ERR stands.
static int explain(const struct staging *s, const struct decision_mount *m,
                   struct berth_err *err)
{
    char why[sizeof(err->text)], at[DENY_WHERE_MAX];

    memcpy(why, err->text, sizeof(why));
    if (m && m->source == s->step->pmixtmp)
        return err_set(err, err->code,
                       "PMIx's directory cannot be had in a container: %s; "
                       "have SLURM_PMIX_TMPDIR name another place",
                       why);
    if (m && m->source == s->step->xauth)
        return err_set(err, err->code,
                       "the X11 display cannot be had in a container: %s; "
                       "unset XAUTHORITY",
                       why);
    if (m && is_workdir(s, m))
        return err_set(err, err->code,
                       "the working directory cannot be had in a container: "
                       "%s; start from another directory, or name one with "
                       "--chdir",
                       why);
    if (!m || strstr(why, ": name ") || strstr(why, ": try "))
        return -1;
    // Of what nobody asked for, there is nothing for the user to do.
    if (is_decided(s, m) && !is_the_rules(s, m))
        return err_set(err, err->code, "%s: name another, or leave it out",
                       why);
    return err_set(err, err->code, "%s%s%s: tell your administrator", why,
                   m->rule ? ", which every container is to have by " : "",
                   m->rule ? deny_where(m->rule, at) : "");
}

// PMIx's clients map files that its server, in slurmstepd, has made for them
// below SlurmdSpoolDir; nothing else of that is the tasks'. Where they have
// their own files, and what opens a display, are names of the user's.
static int check_slurms(const struct staging *s, struct berth_err *err)
{
    for (size_t i = 0; i < s->n; i++) {
        const struct mount_source *source = &s->sources[i];
        const struct decision_mount *m = s->mounts[i];
        if (!source->itself || source->fd < 0)
            continue;
        if (source->path == s->step->pmix &&
            mount_source_judge_made(source->fd, source->path, s->user.uid,
                                    err) < 0)
            return -1;
        bool wrong =
            (source->path == s->step->pmixtmp &&
             (source->type != S_IFDIR || source->owner != s->user.uid)) ||
            (source->path == s->step->xauth && source->type != S_IFREG);
        if (wrong) {
            err_set(err, BERTH_EDENIED, "%s is not what Slurm has made",
                    source->path);
            return explain(s, m, err);
        }
    }
    return 0;
}

// What is no other name of the working directory, if the environment says so
// or not, is passed over (threat 6).
static void drop_strangers(struct staging *s)
{
    const struct mount_source *cwd = NULL;

    for (size_t i = 0; i < s->n; i++)
        if (is_workdir(s, s->mounts[i]) && !s->mounts[i]->alias)
            cwd = &s->sources[i];
    for (size_t i = 0; i < s->n; i++) {
        struct mount_source *source = &s->sources[i];
        if (s->mounts[i]->alias && source->fd >= 0 &&
            !(cwd && cwd->fd >= 0 && source->dev == cwd->dev &&
              source->ino == cwd->ino))
            mount_source_close(source, 1);
    }
}

// Those that could not be opened.
static int check_opened(struct staging *s, struct mount_copies *out,
                        struct berth_err *err)
{
    for (size_t i = 0; i < s->n; i++) {
        const struct mount_source *source = &s->sources[i];
        const struct decision_mount *m = s->mounts[i];
        bool absent = source->error == ENOENT || source->error == ENOTDIR;
        if (!source->error || m->alias)
            continue;
        if (!absent || !m->optional) {
            mount_source_explain(&s->user, s->subject->user, source, err);
            return explain(s, m, err);
        }
        out->no_home |= is_home(s, m);
    }
    return 0;
}

// What a source led to must be what the rule allows, as well as its name. Of
// Slurm's own there are no rules: they lead nowhere.
static int check_real(const struct staging *s, struct berth_err *err)
{
    for (size_t i = 0; i < s->n; i++) {
        const struct decision_mount *m = s->mounts[i];
        const char *real = s->sources[i].real;
        char quote[2][ERR_QUOTE_MAX];
        bool slurms = s->sources[i].itself;
        int own = m->within ? find_own(s, m->within) : -1;
        if (!real ||
            (slurms ? strcmp(real, m->source) == 0
                    : decide_source_ok(m, real,
                                       own < 0 ? NULL : s->sources[own].real)))
            continue;
        err_quote(m->source, quote[0], sizeof(quote[0]));
        err_quote(real, quote[1], sizeof(quote[1]));
        if (slurms) {
            err_set(err, BERTH_EDENIED,
                    "%s leads to %s, and no symbolic link can be on the way "
                    "there: name the place itself",
                    quote[0], quote[1]);
            return explain(s, m, err);
        }
        return err_set(err, BERTH_EDENIED,
                       "%s leads to %s, which mounts_allowed of %s does not "
                       "let you mount: name a directory that it does, or ask "
                       "your administrator",
                       quote[0], quote[1], s->decision->rules->file);
    }
    return 0;
}

// Says whether PATH is in the directory DIR, and is not that itself.
static bool is_in(const char *path, const char *dir)
{
    size_t n = strlen(dir);

    return strncmp(path, dir, n) == 0 && path[n] == '/';
}

// What is mounted on the node within a source is no part of its copy: where a
// rule says so, it is a source of its own, and else the user is told.

static void leave_out(struct mount_copies *out, const char *place)
{
    static const char more[] = " and others";
    char shown[ERR_QUOTE_MAX], *text = out->left_out;
    size_t size = sizeof(out->left_out), len = strlen(text);

    err_quote(place, shown, sizeof(shown));
    if (len >= sizeof(more) && strcmp(text + len + 1 - sizeof(more), more) == 0)
        return;
    if (!deny_append(text, size - sizeof(more), "%s%s", *text ? ", " : "",
                     shown))
        deny_append(text, size, "%s", more);
}

// Says whether another mount has PLACE of the container, which is within M.
static bool is_covered(const struct decision *d, const struct decision_mount *m,
                       const char *place)
{
    for (size_t i = 0; i < d->nmounts; i++)
        if (&d->mounts[i] != m &&
            path_is_within(d->mounts[i].target, m->target) &&
            path_is_within(place, d->mounts[i].target))
            return true;
    return false;
}

// How many there are to be that have no source.
static size_t count_others(const struct decision *d)
{
    size_t n = d->rules->shm == RULE_SHM_NODE;

    for (size_t i = 0; i < d->nmounts; i++)
        n += is_null(&d->mounts[i]) || d->mounts[i].nested;
    return n;
}

// Adds PLACE of the node, which is mounted within M, at TARGET. False: there is
// no room.
static bool add_nested(struct staging *s, const struct decision_mount *m,
                       const char *place, const char *target)
{
    struct decision_mount *mount = &s->nested[s->nnested];
    struct berth_err err;

    if (s->n + count_others(s->decision) >= BERTH_MOUNTS_MAX ||
        strlen(target) >= BERTH_PATH_MAX)
        return false;
    *mount = (struct decision_mount){.source = strdup(place),
                                     .target = strdup(target),
                                     .readonly = m->readonly};
    s->nnested++;
    return mount->source && mount->target && add(s, mount, 0, &err) == 0;
}

static int find_nested_in(struct staging *s, size_t i, struct mount_copies *out,
                          struct berth_err *err)
{
    const struct decision_mount *m = s->mounts[i];
    const char *real = s->sources[i].real;
    bool recurses = decide_recurses(s->decision, m, real);
    struct strv places = {0};

    int rc = mount_nested_find(s->view.self, real, &places, err);
    for (size_t k = 0; rc == 0 && k < places.n; k++) {
        char *target = NULL;
        if (asprintf(&target, "%s%s", m->target, places.v[k] + strlen(real)) <
            0) {
            rc = err_set(err, BERTH_ENOMEM, "memory is out");
            break;
        }
        if (!is_covered(s->decision, m, target) &&
            !(recurses && add_nested(s, m, places.v[k], target)) && !m->alias)
            leave_out(out, places.v[k]);
        free(target);
    }
    strv_clear(&places);
    return rc;
}

// Says whether one of those from FIRST on, before I, is left out, and with it
// the place of I. What holds another is in the kernel's table before it.
static bool is_lost(const struct staging *s, size_t first, size_t i)
{
    for (size_t k = first; k < i; k++)
        if (s->sources[k].fd < 0 &&
            path_is_within(s->sources[i].path, s->sources[k].path))
            return true;
    return false;
}

// Opens those from FIRST on, and judges each. One that fails is left out: that
// must not keep the step from running. Of what the user may not see there is
// nothing to say.
static void open_nested(struct staging *s, size_t first,
                        const char *const *never, struct mount_copies *out)
{
    struct berth_err err;
    size_t which;

    mount_source_open(&s->user, s->decision->rules->probe_seconds,
                      s->sources + first, s->n - first, &err);
    for (size_t i = first; i < s->n; i++) {
        struct mount_source *source = &s->sources[i];
        // A link in its way would be a user's.
        if (source->fd >= 0 && !is_lost(s, first, i) &&
            mount_source_judge(s->view.self, source, 1, never, &which, &err) ==
                0 &&
            strcmp(source->real, source->path) == 0)
            continue;
        if (source->error != EACCES && source->error != EPERM &&
            !is_lost(s, first, i))
            leave_out(out, source->path);
        mount_source_close(source, 1);
    }
}

static int stage_nested(struct staging *s, const char *const *never,
                        struct mount_copies *out, struct berth_err *err)
{
    size_t first = s->n;

    for (size_t i = 0; i < first; i++)
        if (s->sources[i].real && s->sources[i].type == S_IFDIR &&
            is_decided(s, s->mounts[i]))
            if (find_nested_in(s, i, out, err) < 0)
                return -1;
    if (s->n > first)
        open_nested(s, first, never, out);
    return 0;
}

// The size of each, for the kernel.
static void tmpfs_size(const struct decision *d, char text[32])
{
    const struct rule_size *size = &d->rules->tmp_size;

    if (size->bytes)
        snprintf(text, 32, "%" PRIu64, size->bytes);
    else
        snprintf(text, 32, "%u%%", size->percent);
}

// What the source of a mount is, and will be as long as the text is the same.
// An empty file has none, and neither has a tmpfs. What is this step's alone
// (the batch script as well, which stays) no other has to have.
static int note_sources(const struct staging *s, struct mount_copies *out,
                        struct berth_err *err)
{
    char size[32];
    int rc = 0;

    tmpfs_size(s->decision, size);
    for (size_t i = 0; rc == 0 && i < s->n; i++) {
        const struct mount_source *source = &s->sources[i];
        const struct decision_mount *m = s->mounts[i];
        if (source->fd >= 0 && m->target && !is_steps(s, m) &&
            m->source != s->step->script)
            rc = strv_addf(&out->made_from, "%s %s %jx:%jx %s", m->target,
                           m->readonly ? "ro" : "rw", (uintmax_t)source->dev,
                           (uintmax_t)source->ino,
                           source->mount ? source->mount : "");
    }
    for (size_t i = 0; rc == 0 && i < s->decision->nmounts; i++)
        if (is_null(&s->decision->mounts[i]))
            rc = strv_addf(&out->made_from, "%s " MOUNT_NULL,
                           s->decision->mounts[i].target);
        else if (s->decision->mounts[i].nested)
            rc = strv_addf(&out->made_from, "%s tmpfs %s",
                           s->decision->mounts[i].target, size);
    if (rc == 0 && s->decision->rules->shm == RULE_SHM_NODE)
        rc = strv_add(&out->made_from, SHM " of the node");
    return rc < 0 ? err_set(err, BERTH_ENOMEM, "memory is out") : 0;
}

// Puts the next entry to its place: no target holds a shorter one. NULL: ERR is
// set.
static struct mount_copy *insert(struct mount_copies *out, const char *target,
                                 struct berth_err *err)
{
    size_t at = out->n;
    char *copy;

    if (out->n == BERTH_MOUNTS_MAX) {
        no_room(err);
        return NULL;
    }
    if (!(copy = strdup(target))) {
        err_set(err, BERTH_ENOMEM, "memory is out");
        return NULL;
    }
    out->n++;
    for (; at > 0 && strlen(out->v[at - 1].target) > strlen(target); at--)
        out->v[at] = out->v[at - 1];
    out->v[at] = (struct mount_copy){.target = copy, .tree = -1};
    return &out->v[at];
}

static int copy(const struct staging *s, bool all, struct mount_copies *out,
                struct berth_err *err)
{
    for (size_t i = 0; i < s->n; i++) {
        const struct mount_source *source = &s->sources[i];
        const struct decision_mount *m = s->mounts[i];
        bool steps = is_steps(s, m);
        if (source->fd < 0 || !m->target || !(all || steps))
            continue;
        struct mount_copy *entry = insert(out, m->target, err);
        if (!entry)
            return -1;
        entry->is_dir = source->type == S_IFDIR;
        entry->steps = entry->nested = steps;
        entry->tree = mount_clone(source->fd, m->readonly, err);
        if (entry->tree < 0)
            return -1;
        if (idmap_mount(out->map, entry->tree, source->path, err) < 0)
            return explain(s, m, err);
    }
    return 0;
}

// The node's /dev/shm in the place of the engine's, where the administrator
// says so. It is there for every user of the node.
static int add_shm(const struct staging *s, struct mount_copies *out,
                   struct berth_err *err)
{
    const struct rules *rules = s->decision->rules;
    char at[DENY_WHERE_MAX];
    struct stat st;

    if (rules->shm != RULE_SHM_NODE)
        return 0;
    int fd = open(SHM, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct mount_copy *entry;
    int rc = -1;
    if (fd < 0 || fstat(fd, &st) < 0 || st.st_uid != 0) {
        err_set(err, BERTH_ESYS,
                "node %s has no " SHM " of root's, which every container is "
                "to have by %s (shm): tell your administrator",
                s->step->node, deny_where(&rules->shm_rule, at));
    } else if ((entry = insert(out, SHM, err))) {
        entry->is_dir = true;
        entry->tree = mount_clone(fd, false, err);
        rc =
            entry->tree < 0 ? -1 : idmap_mount(out->map, entry->tree, SHM, err);
    }
    if (fd >= 0)
        close(fd);
    return rc;
}

// Empty files, which are one of root's own in the directory DIR.
static int add_nulls(const struct decision *d, int dir,
                     struct mount_copies *out, struct berth_err *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < d->nmounts; i++) {
        if (!is_null(&d->mounts[i]))
            continue;
        struct mount_copy *entry = insert(out, d->mounts[i].target, err);
        int fd = openat(dir, "null",
                        O_RDONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0444);
        if (!entry)
            rc = -1;
        else if (fd < 0 || fchmod(fd, 0444) < 0)
            rc = err_set(err, BERTH_ESYS, "making an empty file: %m");
        else {
            entry->own = true;
            entry->tree = mount_clone(fd, true, err);
            rc = entry->tree < 0 ? -1 : 0;
        }
        if (fd >= 0)
            close(fd);
    }
    return rc;
}

// Those in what another mount brings, which hides what the engine makes there.
static int add_tmpfs(const struct decision *d, struct mount_copies *out,
                     struct berth_err *err)
{
    char size[32];
    const char *const options[][2] = {
        {"source", "tmpfs"}, {"mode", "1777"}, {"size", size}};
    int rc = 0;

    tmpfs_size(d, size);
    for (size_t i = 0; rc == 0 && i < d->nmounts; i++) {
        if (!d->mounts[i].nested)
            continue;
        struct mount_copy *entry = insert(out, d->mounts[i].target, err);
        if (!entry)
            return -1;
        entry->is_dir = entry->own = true;
        entry->tree = mountapi_new("tmpfs", options, 3,
                                   MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
        if (entry->tree < 0)
            rc = err_set(err, BERTH_ESYS, "making a tmpfs: %m");
    }
    return rc;
}

static int make_places(struct mount_copies *out, int dir, struct berth_err *err)
{
    struct stat st;

    for (size_t i = 0; i < out->n; i++) {
        struct mount_copy *entry = &out->v[i];
        entry->nested = entry->steps ||
                        mount_copies_holds(out, entry->target) ||
                        strcmp(entry->target, SHM) == 0;
        snprintf(entry->name, sizeof(entry->name), "mount%zu", i);
        if (entry->nested)
            continue;
        if (mount_point_make(dir, entry->name, entry->is_dir, err) < 0)
            return -1;
        if (fstatat(dir, entry->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            return err_set(err, BERTH_ESYS, "%s: %m", entry->name);
        entry->dev = st.st_dev;
        entry->ino = st.st_ino;
    }
    return 0;
}

static int check_tmpfs(const struct decision *d,
                       const struct mount_copies *mounts, struct berth_err *err)
{
    for (size_t i = 0; i < d->nmounts; i++)
        if (!d->mounts[i].source && !d->mounts[i].nested &&
            mount_copies_holds(mounts, d->mounts[i].target))
            return err_set(err, BERTH_EINVAL,
                           "tmpfs:%s lies in a directory that is mounted "
                           "itself, which cannot be: choose another place",
                           d->mounts[i].target);
    return 0;
}

static int stage(const struct staging *s, int dir, struct mount_copies *out,
                 struct berth_err *err)
{
    return add_shm(s, out, err) < 0 ||
                   add_nulls(s->decision, dir, out, err) < 0 ||
                   add_tmpfs(s->decision, out, err) < 0 ||
                   make_places(out, dir, err) < 0
               ? -1
               : check_tmpfs(s->decision, out, err);
}

int mount_copies_make(const struct decision *decision,
                      const struct subject *subject, const struct step *step,
                      const char *const *never, int theirs, int dir,
                      struct mount_copies *out, struct berth_err *err)
{
    struct staging *s = calloc(1, sizeof(*s));
    int rc = -1;

    *out =
        (struct mount_copies){.targets = &decision->rules->targets, .map = -1};
    if (!s)
        return err_set(err, BERTH_ENOMEM, "memory is out");
    s->decision = decision;
    s->subject = subject;
    s->step = step;
    s->user = (struct child_user){subject->uid, subject->gid, subject->gids,
                                  subject->ngids};
    s->view = VIEW_NONE;
    if ((decision->root && (dir >= 0 || step->pmix) &&
         (out->map = idmap_open(decision, subject, err)) < 0) ||
        view_enter(theirs, &s->view, err) < 0 || gather(s, err) < 0 ||
        mount_source_open(&s->user, decision->rules->probe_seconds, s->sources,
                          s->n, err) < 0)
        goto out;
    drop_strangers(s);
    if (check_opened(s, out, err) == 0 && check_slurms(s, err) == 0) {
        size_t i = s->n;
        if (mount_source_judge(s->view.self, s->sources, s->n, never, &i, err) <
            0)
            explain(s, i < s->n ? s->mounts[i] : NULL, err);
        else if (check_real(s, err) == 0 &&
                 stage_nested(s, never, out, err) == 0 &&
                 note_sources(s, out, err) == 0)
            rc = copy(s, dir >= 0, out, err);
    }
    view_leave(&s->view);
    if (rc == 0 && dir >= 0)
        rc = stage(s, dir, out, err);
    mount_source_close(s->sources, s->n);
out:
    view_leave(&s->view);
    for (size_t i = 0; i < s->nnested; i++)
        decision_mount_clear(&s->nested[i]);
    free(s);
    return rc;
}

bool mount_copies_covers(const struct mount_copies *mounts, const char *target)
{
    for (size_t i = 0; i < mounts->n; i++)
        if (strcmp(target, mounts->v[i].target) == 0)
            return true;
    return false;
}

bool mount_copies_holds(const struct mount_copies *mounts, const char *target)
{
    for (size_t i = 0; i < mounts->n; i++)
        if (is_in(target, mounts->v[i].target))
            return true;
    return false;
}

static void clear(struct mount_copy *entry)
{
    if (entry->tree >= 0)
        close(entry->tree);
    free(entry->target);
}

void mount_copies_part(struct mount_copies *mounts, struct mount_steps *out)
{
    size_t n = 0;

    for (size_t i = 0; i < mounts->n; i++)
        if (mounts->v[i].steps && out->n < sizeof(out->v) / sizeof(*out->v))
            out->v[out->n++] = mounts->v[i];
        else
            mounts->v[n++] = mounts->v[i];
    mounts->n = n;
}

void mount_steps_clear(struct mount_steps *mounts)
{
    int saved = errno;

    while (mounts->n > 0)
        clear(&mounts->v[--mounts->n]);
    errno = saved;
}

void mount_copies_clear(struct mount_copies *mounts)
{
    int saved = errno;

    for (size_t i = 0; i < mounts->n; i++)
        clear(&mounts->v[i]);
    if (mounts->map >= 0)
        close(mounts->map);
    strv_clear(&mounts->made_from);
    *mounts = (struct mount_copies)MOUNT_COPIES_NONE;
    errno = saved;
}
