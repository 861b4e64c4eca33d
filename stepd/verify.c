// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: the engine's word, the kernel's on a process of the user's that has
// run nothing but berth-init yet, and the request, which is berth's own. All
// but the request may be anything. What is missing or unknown differs.

#include "stepd/verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "logic/selinux.h"

static int differs(struct berth_err *err, const char *what)
{
    return err_set(err, BERTH_EENGINE,
                   "the container that the engine started is not the one "
                   "that was asked for (%s)",
                   what);
}

// Docker and Podman have several words for a namespace of the container's
// own; whether it is, the kernel says (verify_process).
static bool is_own(const char *mode)
{
    return mode[0] == 0 || strcmp(mode, "private") == 0 ||
           strcmp(mode, "shareable") == 0;
}

// The engine's word on the network: one of its own has a name, by which it
// lists it; what the kernel knows, verify_process looks at.
static bool network_is(const struct engine_container *c, const char *network)
{
    if (!network || strcmp(network, "none") == 0)
        return strcmp(c->network_mode, network ? network : "host") == 0;
    return c->nnetworks == 1 && strcmp(c->networks[0], network) == 0;
}

int verify_engine(const struct request *r, const struct engine_container *c,
                  struct berth_err *err)
{
    size_t binds = 0;

    for (size_t i = 0; i < c->nmounts; i++) {
        if (strcmp(c->mounts[i].type, "bind") == 0)
            binds++;
        else if (strcmp(c->mounts[i].type, "tmpfs") != 0)
            return differs(err, "it has a volume");
    }
    if (strcmp(c->image, r->image_id) != 0)
        return differs(err, "its image");
    if (!c->running || c->pid <= 1)
        return differs(err, "it does not run");
    // Podman counts those that it gives everybody as none.
    if (c->privileged || (c->ncap_add > 0 && !r->root.count))
        return differs(err, "it is privileged");
    if (c->readonly_rootfs == r->writable)
        return differs(err, "its root file system");
    if (r->runtime && strcmp(c->runtime, r->runtime) != 0)
        return differs(err, "its runtime");
    if (r->pids_limit && c->pids_limit != r->pids_limit)
        return differs(err, "its limit on processes");
    // DeviceRequests are one with all names in it, Devices are as many. Podman
    // shows neither, and ignores the former where it does not know CDI: what
    // there is then in /dev counts.
    if (r->gpus_by != REQUEST_GPUS_CDI &&
        c->ndevices !=
            (r->gpus_by == REQUEST_GPUS_NVIDIA ? 1 : r->ngpus) + r->ndevices)
        return differs(err, "its devices");
    if (!network_is(c, r->network))
        return differs(err, "its network");
    if (!is_own(c->pid_mode) || !is_own(c->ipc_mode))
        return differs(err, "its namespaces");
    if (binds != r->nmounts)
        return differs(err, "its mounts");
    return 0;
}

// What stands behind KEY ("CapEff:") in a process's status, or NULL.
static const char *find(const char *status, const char *key)
{
    char line[32];

    snprintf(line, sizeof(line), "\n%s", key);
    const char *p = strstr(status, line);
    return p ? p + strlen(line) + strspn(p + strlen(line), "\t ") : NULL;
}

static bool status_is(const char *status, const char *key, const char *want)
{
    const char *value = find(status, key);
    size_t n = strlen(want);

    return value && strncmp(value, want, n) == 0 && value[n] == '\n';
}

static bool ids_are(const char *status, const char *key, unsigned id)
{
    char want[64];

    snprintf(want, sizeof(want), "%u\t%u\t%u\t%u", id, id, id, id);
    return status_is(status, key, want);
}

// Takes the next group of TEXT ("\t4 24 27\n"): 1, 0 at the end of its line,
// -1 if there is no such thing.
static int next_group(const char **text, gid_t *gid)
{
    char *end;

    *text += strspn(*text, "\t ");
    if (**text == '\n')
        return 0;
    *gid = (gid_t)strtoul(*text, &end, 10);
    if (end == *text)
        return -1;
    *text = end;
    return 1;
}

static bool has_group(const char *text, gid_t want)
{
    gid_t gid;

    while (next_group(&text, &gid) > 0)
        if (gid == want)
            return true;
    return false;
}

static bool is_asked_for(const struct request *r, gid_t gid)
{
    for (size_t i = 0; i < r->ngids; i++)
        if (gid == r->gids[i])
            return true;
    return gid == r->root.start + r->gid;
}

// The supplementary groups are those asked for; the primary one may be
// among them.
static bool groups_are(const char *status, const struct request *r)
{
    const char *groups = find(status, "Groups:");
    gid_t gid;
    int more;

    if (!groups)
        return false;
    for (size_t i = 0; i < r->ngids; i++)
        if (!has_group(groups, r->gids[i]))
            return false;
    while ((more = next_group(&groups, &gid)) > 0)
        if (!is_asked_for(r, gid))
            return false;
    return more == 0;
}

static bool capabilities_are(const char *status, const struct request *r)
{
    const struct {
        const char *key;
        unsigned bits; // of who is root inside; nobody else has any
    } sets[] = {
        {"CapPrm:", REQUEST_ROOT_CAPABILITY_BITS},
        {"CapEff:", REQUEST_ROOT_CAPABILITY_BITS},
        {"CapBnd:", REQUEST_ROOT_BOUNDING_BITS},
        {"CapInh:", 0},
        {"CapAmb:", 0},
    };
    char want[32];

    for (size_t i = 0; i < sizeof(sets) / sizeof(*sets); i++) {
        snprintf(want, sizeof(want), "%016x", r->root.count ? sets[i].bits : 0);
        if (!status_is(status, sets[i].key, want))
            return false;
    }
    return true;
}

static bool is_nodes(const struct seen *seen, int ns)
{
    return seen->ns[ns].dev == seen->node[ns].dev &&
           seen->ns[ns].ino == seen->node[ns].ino;
}

static int verify_ids(const struct request *r, const struct seen *seen,
                      struct berth_err *err)
{
    if (is_nodes(seen, SEEN_USER) != !r->root.count)
        return differs(err, "its user namespace");
    if (!r->root.count)
        return 0;
    if (!root_range_is(&r->root, seen->uid_map) ||
        !root_range_is(&r->root, seen->gid_map))
        return differs(err, "its IDs");
    if (seen->node_stream)
        return differs(err, "it holds a device of the node");
    return 0;
}

// Linux 5.9 and later counts them.
static long filters(const char *status)
{
    const char *count = find(status, "Seccomp_filters:");

    return count ? strtol(count, NULL, 10) : 0;
}

static int verify_process(const struct request *r, const struct seen *seen,
                          struct berth_err *err)
{
    const char *status = seen->status;

    if (!ids_are(status, "Uid:", r->root.start + r->uid) ||
        !ids_are(status, "Gid:", r->root.start + r->gid))
        return differs(err, "its user");
    if (!groups_are(status, r))
        return differs(err, "its groups");
    if (!capabilities_are(status, r))
        return differs(err, "its capabilities");
    if (!status_is(status, "NoNewPrivs:", "1"))
        return differs(err, "it may gain privileges");
    if (!status_is(status, "Seccomp:", "2"))
        return differs(err, "it has no seccomp filter");
    // The engine's, and berth-init's on top of it (handover/filter.h).
    if (filters(status) < (r->seccomp ? 1 : 2))
        return differs(err, "it lacks a seccomp filter");
    if (is_nodes(seen, SEEN_PID) || is_nodes(seen, SEEN_MNT) ||
        is_nodes(seen, SEEN_IPC))
        return differs(err, "its namespaces");
    if (is_nodes(seen, SEEN_NET) != !r->network)
        return differs(err, "its network");
    return verify_ids(r, seen, err);
}

// "profile (enforce)"
static bool apparmor_is(const char *label, const char *profile)
{
    size_t n = strlen(profile);

    return strncmp(label, profile, n) == 0 &&
           strcmp(label + n, " (enforce)") == 0;
}

// "user:role:type:level", of which TEXT is one part; a level has colons of its
// own.
static bool selinux_is(const char *label, const char *text)
{
    unsigned part;
    const char *value = selinux_value(text, &part);

    if (!value)
        return false;
    for (unsigned i = 0; i < part; i++) {
        label += strcspn(label, ":");
        label += *label == ':';
    }
    return strncmp(label, value, strlen(value)) == 0 &&
           strchr(part < 3 ? ":" : "", label[strlen(value)]);
}

static int verify_labels(const struct request *r, const struct seen *seen,
                         struct berth_err *err)
{
    if (r->apparmor && !apparmor_is(seen->apparmor, r->apparmor))
        return err_set(err, BERTH_EENGINE,
                       "the container is not confined by the AppArmor profile "
                       "%s, as the policy wants it: ask your administrator to "
                       "load it on this node",
                       r->apparmor);
    if (r->selinux && !selinux_is(seen->selinux, r->selinux))
        return err_set(err, BERTH_EENGINE,
                       "the container does not have the SELinux label %s that "
                       "the policy wants: ask your administrator whether the "
                       "engine and this node have SELinux on",
                       r->selinux);
    return 0;
}

static bool has_flags(const struct seen_file *file, unsigned long flags)
{
    return file->there && (file->flags & flags) == flags;
}

// Device nodes of the image's own must not work.
static int verify_root(const struct seen_file *root, bool writable,
                       struct berth_err *err)
{
    if (!has_flags(root, ST_NODEV))
        return differs(err, "device nodes of its image would work");
    if (has_flags(root, ST_RDONLY) == writable)
        return differs(err, "its root file system");
    return 0;
}

static bool mount_is(const struct seen_mount *seen,
                     const struct request_mount *m)
{
    const struct seen_file *have = &seen->target, *want = &seen->source;
    unsigned long flags = ST_NOSUID | ST_NODEV;

    if (m->readonly)
        flags |= ST_RDONLY;
    return want->there && has_flags(have, flags) && have->dev == want->dev &&
           have->ino == want->ino;
}

// The size that it should have, in whole pages.
static bool size_is(const struct seen_file *fs, uint64_t bytes)
{
    return fs->there && fs->bytes >= bytes && fs->bytes - bytes < 65536;
}

static int verify_mounts(const struct request *r, const struct seen *seen,
                         struct berth_err *err)
{
    for (size_t i = 0; i < r->nmounts; i++)
        if (!seen->mounts[i].covered &&
            !mount_is(&seen->mounts[i], &r->mounts[i]))
            return differs(err, r->mounts[i].target);
    for (size_t i = 0; i < r->ntmpfs; i++)
        if (!size_is(&seen->tmpfs[i], r->tmpfs[i].bytes))
            return differs(err, r->tmpfs[i].target);
    if (!size_is(&seen->shm, r->shm_bytes))
        return differs(err, "/dev/shm");
    return 0;
}

int verify_kernel(const struct request *r, const struct seen *seen,
                  struct berth_err *err)
{
    if (verify_process(r, seen, err) < 0 || verify_labels(r, seen, err) < 0 ||
        verify_root(&seen->root, r->writable, err) < 0)
        return -1;
    return verify_mounts(r, seen, err);
}
