// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: directories and files that only root can write. They are checked
// all the same, since a name from here goes to the engine as root.

#include "node/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "node/state_dir.h"

// How long a record may take to be written.
enum { TMP_SECONDS = 600 };

// How long an engine may take for an answer, whatever its disk does. It is asked
// again by each sweep, which is no work, so this has time.
enum { ANSWER_SECONDS = 24 * 60 * 60 };

#define UNANSWERED "unanswered"

static const char hex[] = "0123456789abcdef";

// Says whether PID is a process of root's, as this one is. A user can have the
// paths that root has, in a mount namespace of his own, but not root's number.
// What root's process may do as the user does not show in its real one.
static bool is_roots(pid_t pid)
{
    char path[64], line[128];
    unsigned uid = (unsigned)-1;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof(line), f) &&
           sscanf(line, "Uid: %u", &uid) != 1)
        ;
    if (f)
        fclose(f);
    return uid == getuid();
}

// Says whether descriptor FD of process PID has a lock (flock) that PID itself
// took.
static bool took_lock(pid_t pid, const char *fd)
{
    char path[320], *line = NULL;
    bool found = false;
    size_t cap = 0;
    int taker;

    snprintf(path, sizeof(path), "/proc/%d/fdinfo/%s", (int)pid, fd);
    FILE *f = fopen(path, "re");
    while (f && !found && getline(&line, &cap, f) > 0)
        found = sscanf(line, "lock: %*d: FLOCK %*s %*s %d", &taker) == 1 &&
                taker == pid;
    free(line);
    if (f)
        fclose(f);
    return found;
}

// Says whether process PID has the directory open that /proc calls PATH, and
// has locked it. Nothing of what else it has open is looked at: that may be
// where no file server answers.
static bool has_locked(pid_t pid, const char *path)
{
    char name[64], link[4096];
    bool found = false;

    snprintf(name, sizeof(name), "/proc/%d/fd", (int)pid);
    DIR *d = opendir(name);
    for (struct dirent *e; d && !found && (e = readdir(d));) {
        ssize_t n = readlinkat(dirfd(d), e->d_name, link, sizeof(link) - 1);
        link[n > 0 ? n : 0] = 0;
        found = strcmp(link, path) == 0 && took_lock(pid, e->d_name);
    }
    if (d)
        closedir(d);
    return found;
}

// Who has locked the directory PATH by the kernel's list of locks, or 0: INODE is
// the directory's, of which some file systems tell stat another number, so that
// what it is not said of is looked at last. The list comes in pieces: where others
// drop locks meanwhile, it lacks some that were there all the time.
static pid_t find_listed(const char *path, unsigned long inode)
{
    char *line = NULL;
    unsigned long its;
    size_t cap = 0;
    pid_t holder = 0;
    int pid;

    FILE *f = fopen("/proc/locks", "re");
    for (int others = 0; f && !holder && others < 2; others++) {
        rewind(f);
        while (!holder && getline(&line, &cap, f) > 0)
            if (sscanf(line, "%*d: FLOCK %*s %*s %d %*x:%*x:%lu", &pid, &its) ==
                    2 &&
                (its != inode) == others && is_roots(pid) &&
                has_locked(pid, path))
                holder = pid;
    }
    free(line);
    if (f)
        fclose(f);
    return holder;
}

// The same by all processes, of which the kernel leaves none out.
static pid_t find_running(const char *path)
{
    pid_t holder = 0;
    DIR *d = opendir("/proc");

    for (struct dirent *e; d && !holder && (e = readdir(d));) {
        pid_t pid = atoi(e->d_name);
        if (pid > 0 && is_roots(pid) && has_locked(pid, path))
            holder = pid;
    }
    if (d)
        closedir(d);
    return holder;
}

// The process of root's that took the lock of the directory DIR, if it has it
// still; or 0: a process that has inherited it does not count.
static pid_t find_holder(int dir)
{
    char self[64], path[4096];
    struct stat st;

    snprintf(self, sizeof(self), "/proc/self/fd/%d", dir);
    ssize_t n = readlink(self, path, sizeof(path) - 1);
    if (n < 0 || fstat(dir, &st) < 0)
        return 0;
    path[n] = 0;
    pid_t holder = find_listed(path, st.st_ino);
    return holder ? holder : find_running(path);
}

// Locks the directory FD. Returns 0, or -1 with ERR set. What has the lock may
// let go of it as it is looked for: only who finds it locked, and by nobody,
// time and again has found one that was inherited. Then that is 1.
static int lock(int fd, const char *path, struct berth_err *err)
{
    for (int tries = 0; tries < 3; tries++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return 0;
        if (errno != EWOULDBLOCK)
            return err_set(err, BERTH_ESYS, "%s cannot be locked: %m", path);
        if (find_holder(fd))
            return err_set(err, BERTH_ETIMEOUT,
                           "%s is in use by its berth-stepd", path);
    }
    return 1;
}

// Opens and locks PATH. The directory may have been removed by the holder
// of the lock before we got it: then BERTH_ENOTFOUND. A new one (FRESH) that
// another program looks into as it is made counts as in use.
static int open_locked(const char *path, bool fresh, struct store_step *out,
                       struct berth_err *err)
{
    struct stat st;
    struct store_step step = {
        .dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC),
    };

    if (step.dir < 0)
        return err_set(err, errno == ENOENT ? BERTH_ENOTFOUND : BERTH_ESYS,
                       "%s: %m", path);
    int locked = lock(step.dir, path, err);
    if (locked > 0 && fresh)
        locked = err_set(err, BERTH_ETIMEOUT, "%s is in use", path);
    if (locked < 0) {
        close(step.dir);
        return -1;
    }
    if (fstat(step.dir, &st) < 0 || st.st_nlink == 0) {
        close(step.dir);
        return err_set(err, BERTH_ENOTFOUND, "%s is gone", path);
    }
    snprintf(step.path, sizeof(step.path), "%s", path);
    *out = step;
    return 0;
}

static int make_node_dir(const char *state, const char *node, char *path,
                         size_t size, struct berth_err *err)
{
    if ((size_t)snprintf(path, size, "%s/%s", state, node) >= size)
        return err_set(err, BERTH_EINVAL, "a name is too long");
    return state_dir_make(state, err) < 0 ? -1 : state_dir_make(path, err);
}

void store_boot_id(char *buf, size_t size)
{
    FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

    buf[0] = 0;
    if (f && fgets(buf, (int)size, f))
        buf[strcspn(buf, "\n")] = 0;
    if (f)
        fclose(f);
}

static int make_nonce(char out[STORE_NONCE_MAX], struct berth_err *err)
{
    unsigned char bytes[(STORE_NONCE_MAX - 1) / 2];

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        return err_set(err, BERTH_ESYS, "getrandom: %m");
    for (size_t i = 0; i < sizeof(bytes); i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    return 0;
}

int store_job_write(const char *state, const char *node,
                    const struct store_job *job, struct berth_err *err)
{
    char dir[2048], path[2048 + 32], tmp[2048 + 32];
    char boot[64], run[STORE_NONCE_MAX];
    int fd = -1, rc = -1;

    store_boot_id(boot, sizeof(boot));
    if (make_node_dir(state, node, dir, sizeof(dir), err) < 0 ||
        make_nonce(run, err) < 0)
        return -1;
    snprintf(path, sizeof(path), "%s/%u.job", dir, job->job);
    snprintf(tmp, sizeof(tmp), "%s/%u.tmp", dir, job->job);
    // clang-format off
    json_t *json = json_pack("{s:I, s:s, s:s, s:s, s:s, s:s}",
                             "job", (json_int_t)job->job,
                             "boot", boot,
                             "run", run,
                             "cluster", job->cluster,
                             "partition", job->partition,
                             "gpus", job->gpus);
    // clang-format on
    if (unlink(tmp) < 0 && errno != ENOENT)
        err_set(err, BERTH_ESYS, "%s: %m", tmp);
    else if (!json)
        err_set(err, BERTH_EINVAL, "a name is not valid UTF-8");
    else if ((fd = open(tmp,
                        O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                        0600)) < 0 ||
             json_dumpfd(json, fd, JSON_COMPACT) < 0 || rename(tmp, path) < 0)
        err_set(err, BERTH_ESYS, "%s cannot be written: %m", path);
    else
        rc = 0;
    if (fd >= 0)
        close(fd);
    // What an earlier run of the job has left says nothing of this one.
    if (rc < 0) {
        unlink(tmp);
        unlink(path);
    }
    json_decref(json);
    return rc;
}

// Reads the JSON in the file PATH, below DIR unless it is absolute. NULL:
// there is none, or no JSON.
static json_t *load(int dir, const char *path)
{
    int fd = openat(dir, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    json_t *json =
        fd < 0 ? NULL : json_loadfd(fd, JSON_REJECT_DUPLICATES, NULL);

    if (fd >= 0)
        close(fd);
    return json;
}

int store_job_read(const char *state, const char *node, uint32_t job,
                   struct store_job *out, struct berth_err *err)
{
    const char *boot, *cluster, *partition, *gpus, *run = "";
    char path[4096];
    json_int_t number;
    int rc = -1;

    snprintf(path, sizeof(path), "%s/%s/%u.job", state, node, job);
    json_t *json = load(AT_FDCWD, path);
    // clang-format off
    if (json_unpack(json,
                    "{s:I, s:s, s?:s, s:s, s:s, s:s !}",
                    "job", &number,
                    "boot", &boot,
                    "run", &run,
                    "cluster", &cluster,
                    "partition", &partition,
                    "gpus", &gpus) < 0 ||
        number != job || strlen(boot) >= sizeof(out->boot) ||
        strlen(run) >= sizeof(out->run) ||
        strlen(cluster) >= sizeof(out->cluster) ||
        strlen(partition) >= sizeof(out->partition) ||
        strlen(gpus) >= sizeof(out->gpus)) {
        // clang-format on
        err_set(err, BERTH_ENOTFOUND, "the prolog has no record of job %u",
                job);
        goto out;
    }
    out->job = job;
    snprintf(out->boot, sizeof(out->boot), "%s", boot);
    snprintf(out->run, sizeof(out->run), "%s", run);
    snprintf(out->cluster, sizeof(out->cluster), "%s", cluster);
    snprintf(out->partition, sizeof(out->partition), "%s", partition);
    snprintf(out->gpus, sizeof(out->gpus), "%s", gpus);
    rc = 0;
out:
    json_decref(json);
    return rc;
}

// Says whether the file NAME is older than so many SECONDS.
static bool is_old(int dir, const char *name, time_t seconds)
{
    struct stat st;

    return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           st.st_mtim.tv_sec < time(NULL) - seconds;
}

void store_jobs_expire(const char *state, const char *node)
{
    char path[4096], boot[64];
    struct store_job job;
    uint32_t number, step;

    snprintf(path, sizeof(path), "%s/%s", state, node);
    store_boot_id(boot, sizeof(boot));
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        char name[32];
        // "12.job" is no step's name, but "12.0" would be.
        size_t digits = strspn(e->d_name, "0123456789");
        const char *rest = e->d_name + digits;
        bool record = strcmp(rest, ".job") == 0;
        if ((!record && strcmp(rest, ".tmp") != 0) || digits > 10)
            continue;
        snprintf(name, sizeof(name), "%.*s.0", (int)digits, e->d_name);
        if (!step_name_parse(name, &number, &step))
            continue;
        // That of a prolog which is writing is younger.
        if (!record && is_old(dirfd(d), e->d_name, TMP_SECONDS))
            unlinkat(dirfd(d), e->d_name, 0);
        if (record && store_job_read(state, node, number, &job, NULL) == 0 &&
            strcmp(job.boot, boot) != 0)
            store_job_remove(state, node, number);
    }
    if (d)
        closedir(d);
}

// Takes away the lock NAME in DIR if nobody has it: who had it was killed.
static void remove_lock(int dir, const char *name)
{
    int fd = openat(dir, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    struct stat mine, there;

    // Who waits for it finds another file of that name then (images/record.c):
    // as this one may have done meanwhile.
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &mine) == 0 &&
        fstatat(dir, name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
        mine.st_dev == there.st_dev && mine.st_ino == there.st_ino)
        unlinkat(dir, name, 0);
    if (fd >= 0)
        close(fd);
}

static bool ends_in(const char *name, const char *end)
{
    size_t len = strlen(name), n = strlen(end);

    return len > n && strcmp(name + len - n, end) == 0;
}

// Removes what images/record.c has noted for JOB ("JOB.*.asked"), and what it
// leaves where it is killed.
static void tidy_images(const char *state, const char *node, uint32_t job)
{
    char path[4096], number[16];

    snprintf(path, sizeof(path), "%s/%s/images", state, node);
    size_t len = (size_t)snprintf(number, sizeof(number), "%u.", job);
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        const char *name = e->d_name;
        if (ends_in(name, ".lock"))
            remove_lock(dirfd(d), name);
        else if ((ends_in(name, ".asked") && !strncmp(name, number, len)) ||
                 (ends_in(name, ".new") && is_old(dirfd(d), name, TMP_SECONDS)))
            unlinkat(dirfd(d), name, 0);
    }
    if (d)
        closedir(d);
}

void store_job_remove(const char *state, const char *node, uint32_t job)
{
    char path[4096];

    tidy_images(state, node, job);
    snprintf(path, sizeof(path), "%s/%s/%u.job", state, node, job);
    unlink(path);
    snprintf(path, sizeof(path), "%s/%s/%u.tmp", state, node, job);
    unlink(path);
}

int store_gpus_path(const char *state, const char *node, char *path,
                    size_t size, struct berth_err *err)
{
    char dir[2048];

    if (make_node_dir(state, node, dir, sizeof(dir), err) < 0)
        return -1;
    return (size_t)snprintf(path, size, "%s/gpus.json", dir) < size
               ? 0
               : err_set(err, BERTH_EINVAL, "a name is too long");
}

int store_gpus_stamp(const char *slurm_conf, struct gpu_table *table,
                     struct berth_err *err)
{
    struct stat slurm, gres = {0};
    char path[4096];

    const char *slash = strrchr(slurm_conf, '/');
    if (!slash || stat(slurm_conf, &slurm) < 0)
        return err_set(err, BERTH_ENOTFOUND, "there is no %s", slurm_conf);
    // A node can do without a gres.conf.
    snprintf(path, sizeof(path), "%.*s/gres.conf", (int)(slash - slurm_conf),
             slurm_conf);
    if (stat(path, &gres) < 0)
        gres = (struct stat){0};
    store_boot_id(table->boot, sizeof(table->boot));
    snprintf(table->conf, sizeof(table->conf), "%lld.%09ld %lu %lld.%09ld %lu",
             (long long)slurm.st_mtim.tv_sec, slurm.st_mtim.tv_nsec,
             (unsigned long)slurm.st_ino, (long long)gres.st_mtim.tv_sec,
             gres.st_mtim.tv_nsec, (unsigned long)gres.st_ino);
    return 0;
}

int store_step_create(const char *state, const struct step *step,
                      int (*remove)(struct store_step *step,
                                    struct berth_err *err),
                      struct store_step *out, struct berth_err *err)
{
    char node[2048], path[2048 + 64], name[STEP_NAME_MAX];
    struct store_step old;

    step_name(step->job, step->step, name);
    if (make_node_dir(state, step->node, node, sizeof(node), err) < 0)
        return -1;
    snprintf(path, sizeof(path), "%s/%s", node, name);
    // A few times: a sweep may take the directory away before its lock is
    // ours.
    for (int tries = 0; tries < 10; tries++) {
        if (mkdir(path, 0711) == 0) {
            if (open_locked(path, true, out, err) == 0)
                return 0;
            continue;
        }
        if (errno != EEXIST)
            return err_set(err, BERTH_ESYS, "%s cannot be made: %m", path);
        if (open_locked(path, false, &old, err) < 0) {
            if (err && err->code == BERTH_ENOTFOUND)
                continue;
            return -1;
        }
        if (remove(&old, err) < 0) {
            store_step_close(&old);
            return -1;
        }
    }
    return err_set(err, BERTH_ESYS, "%s cannot be locked", path);
}

int store_step_open(const char *state, const char *node, const char *name,
                    struct store_step *out, struct berth_err *err)
{
    char path[4096];

    if ((size_t)snprintf(path, sizeof(path), "%s/%s/%s", state, node, name) >=
        sizeof(path))
        return err_set(err, BERTH_EINVAL, "a name is too long");
    return open_locked(path, false, out, err);
}

int store_step_dir(const char *state, const char *node, const char *name)
{
    char path[sizeof(((struct store_step *)0)->path)];

    return (size_t)snprintf(path, sizeof(path), "%s/%s/%s", state, node,
                            name) >= sizeof(path)
               ? -1
               : open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

pid_t store_step_holder(const char *state, const char *node, const char *name)
{
    char path[4096];
    pid_t holder = 0;

    snprintf(path, sizeof(path), "%s/%s/%s", state, node, name);
    int dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir >= 0) {
        holder = find_holder(dir);
        close(dir);
    }
    return holder;
}

void store_step_kill(const char *state, const char *node, const char *name)
{
    pid_t pid = store_step_holder(state, node, name);
    int fd = pid > 1 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;

    // That is the process which the number stands for now: or it has ended.
    if (fd >= 0 && store_step_holder(state, node, name) == pid)
        syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
    if (fd >= 0)
        close(fd);
}

void store_step_close(struct store_step *step)
{
    int saved = errno;

    if (step->dir >= 0)
        close(step->dir);
    step->dir = -1;
    errno = saved;
}

int store_record_write(const struct store_step *step, const char *engine,
                       struct store_record *out, struct berth_err *err)
{
    struct store_record record = {0};
    int rc = -1;

    if (make_nonce(record.nonce, err) < 0)
        return -1;
    snprintf(record.engine, sizeof(record.engine), "%s", engine);
    snprintf(record.container, sizeof(record.container), "berth-%s-%s",
             strrchr(step->path, '/') + 1, record.nonce);
    // clang-format off
    json_t *json = json_pack("{s:s, s:s, s:s}",
                             "engine", record.engine,
                             "container", record.container,
                             "nonce", record.nonce);
    // clang-format on
    int fd = openat(step->dir, "record",
                    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (!json || fd < 0 || json_dumpfd(json, fd, JSON_COMPACT) < 0) {
        err_set(err, BERTH_ESYS, "%s/record cannot be written: %m", step->path);
        goto out;
    }
    *out = record;
    rc = 0;
out:
    if (fd >= 0)
        close(fd);
    json_decref(json);
    return rc;
}

int store_record_answered(const struct store_step *step, const char *id,
                          struct berth_err *err)
{
    size_t len = strlen(id);
    int fd = openat(step->dir, "created",
                    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    bool ok = fd >= 0 && write(fd, id, len) == (ssize_t)len;
    if (!ok)
        err_set(err, BERTH_ESYS, "%s/created cannot be written: %m",
                step->path);
    if (fd >= 0)
        close(fd);
    return ok ? 0 : -1;
}

// Reads what store_record_answered has noted.
static void read_answer(const struct store_step *step, struct store_record *out)
{
    int fd = openat(step->dir, "created", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, out->id, 64);

    out->answered = fd >= 0;
    out->id[n == 64 ? n : 0] = 0;
    if (strspn(out->id, hex) != 64)
        out->id[0] = 0;
    if (fd >= 0)
        close(fd);
}

// Reads the record in the file NAME of the directory DIR, without an answer.
static bool read_record(int dir, const char *name, struct store_record *out)
{
    const char *engine, *container, *nonce;
    json_t *json = load(dir, name);

    // clang-format off
    // Half a record: the machine went down before the container was made.
    bool ok = json_unpack(json,
                          "{s:s, s:s, s:s !}",
                          "engine", &engine,
                          "container", &container,
                          "nonce", &nonce) == 0 &&
              strlen(engine) < sizeof(out->engine) &&
              strlen(container) < sizeof(out->container) &&
              strlen(nonce) == sizeof(out->nonce) - 1 &&
              strspn(nonce, hex) == sizeof(out->nonce) - 1;
    // clang-format on
    if (ok) {
        *out = (struct store_record){0};
        snprintf(out->engine, sizeof(out->engine), "%s", engine);
        snprintf(out->container, sizeof(out->container), "%s", container);
        snprintf(out->nonce, sizeof(out->nonce), "%s", nonce);
    }
    json_decref(json);
    return ok;
}

int store_record_read(const struct store_step *step, struct store_record *out,
                      struct berth_err *err)
{
    if (!read_record(step->dir, "record", out))
        return err_set(err, BERTH_ENOTFOUND, "%s has no record", step->path);
    read_answer(step, out);
    return 0;
}

int store_record_keep(const struct store_step *step,
                      const struct store_record *record, struct berth_err *err)
{
    char dir[4096 + 16], path[sizeof(dir) + STORE_NONCE_MAX];
    int len = (int)(strrchr(step->path, '/') - step->path);

    snprintf(dir, sizeof(dir), "%.*s/" UNANSWERED, len, step->path);
    snprintf(path, sizeof(path), "%s/%s", dir, record->nonce);
    if (state_dir_make(dir, err) < 0)
        return -1;
    // Where the lock is nobody's, another may have done it.
    return renameat(step->dir, "record", AT_FDCWD, path) == 0 || errno == ENOENT
               ? 0
               : err_set(err, BERTH_ESYS, "%s cannot be written: %m", path);
}

int store_each_unanswered(const char *state, const char *node,
                          int (*visit)(void *arg,
                                       const struct store_record *record,
                                       bool old),
                          void *arg)
{
    struct store_record record;
    char path[4096];
    int rc = 0;

    snprintf(path, sizeof(path), "%s/%s/" UNANSWERED, state, node);
    DIR *d = opendir(path);
    for (struct dirent *e; d && rc == 0 && (e = readdir(d));)
        if (read_record(dirfd(d), e->d_name, &record))
            rc = visit(arg, &record,
                       is_old(dirfd(d), e->d_name, ANSWER_SECONDS));
    if (d)
        closedir(d);
    return rc;
}

void store_unanswered_remove(const char *state, const char *node,
                             const struct store_record *record)
{
    char path[4096];

    snprintf(path, sizeof(path), "%s/%s/" UNANSWERED "/%s", state, node,
             record->nonce);
    unlink(path);
}

static int write_string(int fd, const char *s)
{
    size_t len = strlen(s) + 1;

    while (len > 0) {
        ssize_t n = write(fd, s, len);
        if (n < 0)
            return -1;
        s += n;
        len -= (size_t)n;
    }
    return 0;
}

int store_strings_write(int dir, const char *name, const struct strv *strings,
                        struct berth_err *err)
{
    char tmp[64];
    int rc = 0;

    snprintf(tmp, sizeof(tmp), "%s.new", name);
    int fd = openat(dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    for (size_t i = 0; fd >= 0 && rc == 0 && i < strings->n; i++)
        rc = write_string(fd, strings->v[i]);
    if (fd < 0 || rc < 0 || renameat(dir, tmp, dir, name) < 0)
        rc = err_set(err, BERTH_ESYS, "writing %s: %m", name);
    if (fd >= 0)
        close(fd);
    if (rc < 0)
        unlinkat(dir, tmp, 0);
    return rc;
}

int store_strings_read(int dir, const char *name, struct strv *out)
{
    int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC), rc = 0;
    FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
    char *string = NULL;
    size_t cap = 0;

    while (f && rc == 0 && getdelim(&string, &cap, 0, f) > 0)
        rc = strv_add(out, string);
    free(string);
    if (f)
        fclose(f);
    else if (fd >= 0)
        close(fd);
    return f ? rc : -1;
}

int store_each_step(const char *state, const char *node,
                    int (*visit)(void *arg, const char *name, uint32_t job,
                                 uint32_t step),
                    void *arg, struct berth_err *err)
{
    char path[4096];
    int rc = 0;

    snprintf(path, sizeof(path), "%s/%s", state, node);
    DIR *d = opendir(path);
    if (!d)
        return errno == ENOENT ? 0 : err_set(err, BERTH_ESYS, "%s: %m", path);
    for (struct dirent *e; rc == 0 && (e = readdir(d));) {
        uint32_t job, step;
        if (step_name_parse(e->d_name, &job, &step))
            rc = visit(arg, e->d_name, job, step);
    }
    closedir(d);
    return rc;
}
