// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: the engine's word, and the kernel's on a process of the user's
// that has run nothing but berth-init yet.

#include "stepd/verify.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "stepd/inside.h"

static int differs(struct berth_err *err, const char *what)
{
    return err_set(err,
                   BERTH_EENGINE,
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

static int verify_engine(const struct request *r,
                         const struct engine_container *c,
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
    if (c->privileged || c->ncap_add > 0)
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

// Reads the value of KEY ("CapEff:") in a process's status.
static bool status_value(const char *status, const char *key, char *out,
                         size_t size)
{
    const char *p = strstr(status, key);

    if (!p || (p != status && p[-1] != '\n'))
        return false;
    p += strlen(key);
    p += strspn(p, "\t ");
    size_t n = strcspn(p, "\n");
    if (n >= size)
        return false;
    memcpy(out, p, n);
    out[n] = 0;
    return true;
}

static bool status_is(const char *status, const char *key, const char *want)
{
    char value[128];

    return status_value(status, key, value, sizeof(value)) &&
           strcmp(value, want) == 0;
}

static bool ids_are(const char *status, const char *key, unsigned id)
{
    char want[64];

    snprintf(want, sizeof(want), "%u\t%u\t%u\t%u", id, id, id, id);
    return status_is(status, key, want);
}

// The supplementary groups are those asked for; the primary one may be
// among them.
static bool groups_are(const char *status, const struct request *r)
{
    const char *p = strstr(status, "\nGroups:");
    size_t found = 0;
    char *end;

    if (!p)
        return false;
    p += strlen("\nGroups:");
    for (;; p = end) {
        p += strspn(p, "\t ");
        if (*p == '\n')
            break;
        unsigned long gid = strtoul(p, &end, 10);
        if (end == p)
            return false;
        bool known = gid == r->gid;
        for (size_t i = 0; i < r->ngids; i++) {
            known |= gid == r->gids[i];
            found += gid == r->gids[i];
        }
        if (!known)
            return false;
    }
    return found >= r->ngids;
}

static bool same_namespace(pid_t pid, const char *name)
{
    char path[64];
    struct stat own, other;

    snprintf(path, sizeof(path), "/proc/self/ns/%s", name);
    if (stat(path, &own) < 0)
        return true;
    snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, name);
    return stat(path, &other) < 0 ||
           (own.st_dev == other.st_dev && own.st_ino == other.st_ino);
}

static int verify_process(const struct request *r, pid_t pid,
                          struct berth_err *err)
{
    static const char zero[] = "0000000000000000";
    // All is there: a status has some 60 lines, of which only "Groups:" is
    // long.
    static const size_t size = 1 << 20;
    char path[64];
    int rc = -1;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *status = calloc(1, size);
    if (fd < 0 || !status || read(fd, status, size - 1) <= 0)
        err_set(err, BERTH_ESYS, "%s: %m", path);
    else if (!ids_are(status, "Uid:", r->uid) ||
             !ids_are(status, "Gid:", r->gid))
        differs(err, "its user");
    else if (!groups_are(status, r))
        differs(err, "its groups");
    else if (!status_is(status, "CapInh:", zero) ||
             !status_is(status, "CapPrm:", zero) ||
             !status_is(status, "CapEff:", zero) ||
             !status_is(status, "CapBnd:", zero) ||
             !status_is(status, "CapAmb:", zero))
        differs(err, "its capabilities");
    else if (!status_is(status, "NoNewPrivs:", "1"))
        differs(err, "it may gain privileges");
    else if (!status_is(status, "Seccomp:", "2"))
        differs(err, "it has no seccomp filter");
    else if (same_namespace(pid, "pid") || same_namespace(pid, "mnt") ||
             same_namespace(pid, "ipc"))
        differs(err, "its namespaces");
    else if (same_namespace(pid, "net") != !r->network)
        differs(err, "its network");
    else
        rc = 0;
    free(status);
    if (fd >= 0)
        close(fd);
    return rc;
}

// What the kernel's security module calls the process PID, or "".
static void read_label(pid_t pid, const char *file, char *out, size_t size)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/attr/%s", (int)pid, file);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, out, size - 1);
    out[n > 0 ? n : 0] = 0;
    out[strcspn(out, "\n")] = 0;
    if (fd >= 0)
        close(fd);
}

// "profile (enforce)"
static bool apparmor_is(const char *label, const char *profile)
{
    size_t n = strlen(profile);

    return strncmp(label, profile, n) == 0 &&
           strcmp(label + n, " (enforce)") == 0;
}

// "user:role:type:level", of which PART is one with its name in front; a
// level has colons of its own.
static bool selinux_is(const char *label, const char *part)
{
    static const char *const names[] = {"user:", "role:", "type:", "level:"};

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        size_t n = strlen(names[i]);
        const char *value = part + n;
        if (strncmp(part, names[i], n) == 0)
            return strncmp(label, value, strlen(value)) == 0 &&
                   strchr(i < 3 ? ":" : "", label[strlen(value)]);
        label += strcspn(label, ":");
        label += *label == ':';
    }
    return false;
}

static int verify_labels(const struct request *r, pid_t pid,
                         struct berth_err *err)
{
    char label[1024];

    if (r->apparmor) {
        read_label(pid, "apparmor/current", label, sizeof(label));
        if (!label[0])
            read_label(pid, "current", label, sizeof(label));
        if (!apparmor_is(label, r->apparmor))
            return err_set(err, BERTH_EENGINE,
                           "the container is not confined by the AppArmor "
                           "profile %s, as the policy wants it: ask your "
                           "administrator to load it on this node",
                           r->apparmor);
    }
    if (r->selinux) {
        read_label(pid, "current", label, sizeof(label));
        if (!selinux_is(label, r->selinux))
            return err_set(err, BERTH_EENGINE,
                           "the container does not have the SELinux label %s "
                           "that the policy wants: ask your administrator "
                           "whether the engine and this node have SELinux on",
                           r->selinux);
    }
    return 0;
}

// A tmpfs of the size that it should have, in whole pages.
static int verify_size(int root, const char *target, uint64_t bytes,
                       struct berth_err *err)
{
    struct statvfs vfs;

    int fd = inside_open(root, target, O_PATH);
    bool ok = fd >= 0 && fstatvfs(fd, &vfs) == 0 &&
              vfs.f_blocks * vfs.f_frsize >= bytes &&
              vfs.f_blocks * vfs.f_frsize - bytes < 65536;
    if (fd >= 0)
        close(fd);
    return ok ? 0 : differs(err, target);
}

static int verify_mount(int root, const struct request_mount *m,
                        struct berth_err *err)
{
    struct stat want, have;
    struct statvfs vfs;
    int rc = -1;

    int fd = inside_open(root, m->target, O_PATH);
    if (fd < 0 || fstat(fd, &have) < 0 || stat(m->source, &want) < 0 ||
        have.st_dev != want.st_dev || have.st_ino != want.st_ino)
        differs(err, m->target);
    else if (fstatvfs(fd, &vfs) < 0 ||
             (m->readonly && !(vfs.f_flag & ST_RDONLY)) ||
             !(vfs.f_flag & ST_NOSUID) || !(vfs.f_flag & ST_NODEV))
        differs(err, m->target);
    else
        rc = 0;
    if (fd >= 0)
        close(fd);
    return rc;
}

// Device nodes of the image's own must not work.
static int verify_root(int root, bool writable, struct berth_err *err)
{
    struct statvfs vfs;

    if (fstatvfs(root, &vfs) < 0 || !(vfs.f_flag & ST_NODEV))
        return differs(err, "device nodes of its image would work");
    return !(vfs.f_flag & ST_RDONLY) == writable
               ? 0
               : differs(err, "its root file system");
}

int verify_container(const struct request *request,
                     const struct attach *attach,
                     const struct gpus *gpus,
                     const struct engine_container *container,
                     struct berth_err *err)
{
    char path[64];

    if (verify_engine(request, container, err) < 0 ||
        verify_process(request, container->pid, err) < 0 ||
        verify_labels(request, container->pid, err) < 0)
        return -1;
    snprintf(path, sizeof(path), "/proc/%d/root", (int)container->pid);
    int root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return err_set(err, BERTH_ESYS, "%s: %m", path);
    int rc = verify_root(root, request->writable, err);
    for (size_t i = 0; rc == 0 && i < request->nmounts; i++)
        if (!attach_covers(attach, request->mounts[i].target))
            rc = verify_mount(root, &request->mounts[i], err);
    for (size_t i = 0; rc == 0 && i < request->ntmpfs; i++)
        rc = verify_size(root, request->tmpfs[i].target,
                        request->tmpfs[i].bytes, err);
    if (rc == 0)
        rc = verify_size(root, "/dev/shm", request->shm_bytes, err);
    if (rc == 0)
        rc = gpus_audit(gpus, request->devices, request->ndevices, root, err);
    close(root);
    return rc;
}
