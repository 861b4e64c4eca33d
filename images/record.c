// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: files that only root can write. They are read with bounds all the
// same, and what is not understood is as if it were not there.

#include "images/record.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "engine/clock.h"
#include "node/digest.h"
#include "node/tell.h"

enum {
    TEXT_MAX = 8192, // of a record
    PLAIN_MAX = 180,
    FILE_NAME = 256,
    STEP_MS = 100, // between two looks at a lock
};

int record_open(const char *state, const char *node, struct berth_err *err)
{
    char path[2048];
    struct stat st;

    if ((size_t)snprintf(path, sizeof(path), "%s/%s/images", state, node) >=
        sizeof(path))
        return err_set(err, BERTH_EINVAL, "a name is too long");
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return err_set(err, BERTH_ESYS, "%s cannot be made: %m", path);
    int dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir < 0 || fstat(dir, &st) < 0)
        return err_set(err, BERTH_ESYS, "%s: %m", path);
    if (st.st_uid == geteuid() && !(st.st_mode & (S_IWGRP | S_IWOTH)))
        return dir;
    close(dir);
    return err_set(err, BERTH_ESYS,
                   "%s is not a directory that only root can write: remove it",
                   path);
}

// The file for the image NAME, with SUFFIX: its own name, in which a '%' is a
// slash. One that is too long for that has its digest: that is not done for
// all, since libcrypto takes its time to begin.
static void file_name(const char *name, const char *suffix, char out[FILE_NAME])
{
    char digest[MANIFEST_DIGEST] = "";
    size_t len = strlen(name);

    if (len > PLAIN_MAX && digest_of(name, len, digest) == 0)
        name = digest;
    snprintf(out, FILE_NAME, "%.*s%s", PLAIN_MAX, name, suffix);
    for (char *p = out; *p; p++)
        if (*p == '/')
            *p = '%';
}

// Of the record of NAME in the engine at the socket ENGINE: a node can have
// two. Which it is, the record says; the number keeps them apart.
static void record_name(const char *name, const char *engine,
                        char out[FILE_NAME])
{
    uint32_t sum = 2166136261; // FNV-1a
    char suffix[32];

    for (const char *p = engine; *p; p++)
        sum = (sum ^ (unsigned char)*p) * 16777619;
    snprintf(suffix, sizeof(suffix), ".%08x.json", (unsigned)sum);
    file_name(name, suffix, out);
}

static int write_file(int dir, const char *name, const char *text, size_t len,
                      struct berth_err *err)
{
    char tmp[FILE_NAME + 8];
    int fd;

    snprintf(tmp, sizeof(tmp), "%s.new", name);
    unlinkat(dir, tmp, 0);
    fd = openat(dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                0600);
    bool ok = fd >= 0 && write(fd, text, len) == (ssize_t)len &&
              fdatasync(fd) == 0 && renameat(dir, tmp, dir, name) == 0;
    if (!ok) {
        err_set(err, BERTH_ESYS,
                "the record of an image cannot be written: %m");
        unlinkat(dir, tmp, 0);
    }
    if (fd >= 0)
        close(fd);
    return ok ? 0 : -1;
}

// Returns the text of RECORD, with a character behind it for each of its uses,
// to be freed; NULL: memory is out.
static char *make_text(const struct record *record, size_t *len)
{
    // clang-format off
    json_t *json = json_pack("{s:s, s:s, s:s, s:s, s:b, s:b, s:I, s:I, s:I}",
                             "engine", record->engine,
                             "name", record->name,
                             "digest", record->digest,
                             "id", record->id,
                             "private", record->private,
                             "pinned", record->pinned,
                             "uid", (json_int_t)record->uid,
                             "size", (json_int_t)record->size,
                             "when", (json_int_t)record->when);
    // clang-format on
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    size_t n = text ? strlen(text) : 0;
    char *more = text ? realloc(text, n + record->uses + 1) : NULL;

    json_decref(json);
    if (!more) {
        free(text);
        return NULL;
    }
    memset(more + n, '\n', record->uses);
    *len = n + record->uses;
    return more;
}

int record_write(int dir, const struct record *record, struct berth_err *err)
{
    char name[FILE_NAME];
    size_t len;

    record_name(record->name, record->engine, name);
    char *text = make_text(record, &len);
    if (!text)
        return err_set(err, BERTH_ENOMEM, "out of memory");
    int rc = write_file(dir, name, text, len, err);
    free(text);
    return rc;
}

int record_pin(int dir, const struct record *record, bool pinned,
               struct berth_err *err)
{
    struct record now;
    char name[FILE_NAME];

    if (!record_read(dir, record->engine, record->name, &now))
        return err_set(err, BERTH_ENOTFOUND, "it is not there any more");
    now.pinned = pinned;
    if (record_write(dir, &now, err) < 0)
        return -1;
    // This was no use.
    const struct timespec times[] = {{.tv_nsec = UTIME_OMIT},
                                     {.tv_sec = now.used}};
    record_name(now.name, now.engine, name);
    utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW);
    return 0;
}

static bool copy(char *out, size_t size, const char *text)
{
    if (strlen(text) >= size)
        return false;
    strcpy(out, text);
    return true;
}

// Reads the file NAME. False: there is none, or it is not understood.
static bool read_file(int dir, const char *name, struct record *out)
{
    const char *engine, *image, *digest, *id;
    json_int_t uid, size, when;
    char text[TEXT_MAX];
    struct record r = {0};
    int private, pinned;
    json_error_t e;
    struct stat st;

    int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = fstat(fd, &st) < 0 ? -1 : read(fd, text, sizeof(text));
    close(fd);
    json_t *json =
        n <= 0
            ? NULL
            : json_loadb(text, (size_t)n,
                         JSON_REJECT_DUPLICATES | JSON_DISABLE_EOF_CHECK, &e);
    // clang-format off
    bool ok = json &&
        json_unpack(json, "{s:s, s:s, s:s, s:s, s:b, s:b, s:I, s:I, s:I !}",
                    "engine", &engine,
                    "name", &image,
                    "digest", &digest,
                    "id", &id,
                    "private", &private,
                    "pinned", &pinned,
                    "uid", &uid,
                    "size", &size,
                    "when", &when) == 0 &&
        manifest_is_digest(digest) && manifest_is_digest(id) &&
        copy(r.engine, sizeof(r.engine), engine) &&
        copy(r.name, sizeof(r.name), image) &&
        copy(r.digest, sizeof(r.digest), digest) &&
        copy(r.id, sizeof(r.id), id) && uid >= 0 && size >= 0;
    // clang-format on
    if (ok) {
        r.private = private != 0;
        r.pinned = pinned != 0;
        r.uid = (uid_t)uid;
        r.size = (uint64_t)size;
        r.when = when;
        r.used = st.st_mtim.tv_sec;
        r.uses = (uint64_t)(st.st_size - e.position);
        *out = r;
    } else {
        snprintf(text, sizeof(text),
                 "the record images/%.240s cannot be understood, and counts "
                 "for nothing: remove it",
                 name);
        tell_syslog(LOG_DAEMON | LOG_WARNING, text);
    }
    json_decref(json);
    return ok;
}

bool record_read(int dir, const char *engine, const char *name,
                 struct record *out)
{
    char file[FILE_NAME];
    struct record r;

    record_name(name, engine, file);
    if (!read_file(dir, file, &r) || strcmp(r.engine, engine) != 0 ||
        strcmp(r.name, name) != 0)
        return false;
    *out = r;
    return true;
}

void record_use(int dir, const struct record *record)
{
    char name[FILE_NAME];

    record_name(record->name, record->engine, name);
    int fd = openat(dir, name, O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && write(fd, "\n", 1) < 0) {
        // Its last use is then an earlier one.
    }
    if (fd >= 0)
        close(fd);
}

void record_remove(int dir, const struct record *record)
{
    char name[FILE_NAME];

    record_name(record->name, record->engine, name);
    unlinkat(dir, name, 0);
}

void record_each(int dir, bool (*visit)(void *arg, const struct record *record),
                 void *arg)
{
    int again = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = again < 0 ? NULL : fdopendir(again);
    struct record record;
    bool more = true;

    if (!d && again >= 0)
        close(again);
    for (struct dirent *e; d && more && (e = readdir(d));) {
        size_t len = strlen(e->d_name);
        if (len > 5 && !strcmp(e->d_name + len - 5, ".json") &&
            read_file(dir, e->d_name, &record))
            more = visit(arg, &record);
    }
    if (d)
        closedir(d);
}

// --- what a job was told -----------------------------------------------------

// node/store.c removes them by the job's number.
static void asked_name(uint32_t job, uid_t uid, const char *name,
                       char out[FILE_NAME])
{
    char image[FILE_NAME];

    file_name(name, ".asked", image);
    snprintf(out, FILE_NAME, "%u.%u.%.220s", job, (unsigned)uid, image);
}

bool record_asked(int dir, uint32_t job, uid_t uid, const char *name,
                  char digest[MANIFEST_DIGEST])
{
    char file[FILE_NAME], text[MANIFEST_DIGEST] = "";

    if (job == RECORD_NO_JOB)
        return false;
    asked_name(job, uid, name, file);
    int fd = openat(dir, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (n != sizeof(text) - 1 || !manifest_is_digest(text))
        return false;
    memcpy(digest, text, sizeof(text));
    return true;
}

void record_ask(int dir, uint32_t job, uid_t uid, const char *name,
                const char *digest)
{
    char file[FILE_NAME];

    if (job == RECORD_NO_JOB)
        return;
    asked_name(job, uid, name, file);
    // A later step asks again, if this fails.
    write_file(dir, file, digest, strlen(digest), NULL);
}

// --- locks -------------------------------------------------------------------

// Whoever waits has a lock of the other kind on the file, shared, so that who
// has it can see that there is somebody, and nothing is left of one who ends.
static void show_waiting(int fd, int *shown)
{
    struct flock mine = {.l_type = F_RDLCK, .l_whence = SEEK_SET};

    if (fcntl(fd, F_OFD_SETLK, &mine) < 0) {
        // Then a fetch may end that could have gone on for this one.
    }
    if (*shown >= 0)
        close(*shown);
    *shown = fd;
}

// Opens and locks the file NAME, as flock does with HOW. 1; 0: another has it,
// and if SHOWN is not NULL that sees that it is waited for as long as *SHOWN is
// open; or -1 and errno.
static int try_lock(int dir, const char *name, int how, struct record_lock *out,
                    int *shown)
{
    struct stat mine, there;
    int fd = openat(dir, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0)
        return -1;
    if (flock(fd, how | LOCK_NB) < 0) {
        int rc = errno == EWOULDBLOCK ? 0 : -1;
        if (rc == 0 && shown)
            show_waiting(fd, shown);
        else
            close(fd);
        return rc;
    }
    // Its holder may have taken it away before it was ours.
    if (fstat(fd, &mine) < 0 || fstatat(dir, name, &there, 0) < 0 ||
        mine.st_ino != there.st_ino) {
        close(fd);
        return 0;
    }
    if (ftruncate(fd, 0) < 0) {
        // Then those who wait see an old number.
    }
    out->fd = fd;
    snprintf(out->name, sizeof(out->name), "%s", name);
    return 1;
}

// Waits a moment. 0, or -1 with ERR set.
static int wait_a_moment(const struct watch *watch, long long end_ms,
                         struct berth_err *err)
{
    if (clock_ms() >= end_ms)
        return err_set(err, BERTH_ETIMEOUT, "it took too long");
    return watch_wait(watch, -1, STEP_MS) < 0
               ? err_set(err, BERTH_EENDED, "nobody waits for it")
               : 0;
}

static void tell_progress(int dir, const char *name,
                          void (*waiting)(void *arg, uint64_t came,
                                          uint64_t total),
                          void *arg)
{
    char text[64] = "";
    uint64_t came = 0, total = 0;
    int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

    if (fd >= 0) {
        if (pread(fd, text, sizeof(text) - 1, 0) <= 0 ||
            sscanf(text, "%" SCNu64 " %" SCNu64, &came, &total) != 2)
            came = total = 0;
        close(fd);
    }
    waiting(arg, came, total);
}

static int lock_as(int how, int dir, const char *word, const char *text,
                   const struct watch *watch, long long end_ms,
                   void (*waiting)(void *arg, uint64_t came, uint64_t total),
                   void *arg, struct record_lock *out, struct berth_err *err)
{
    char suffix[32], name[FILE_NAME];
    int rc, shown = -1;

    snprintf(suffix, sizeof(suffix), ".%.8s.lock", word);
    file_name(text, suffix, name);
    while ((rc = try_lock(dir, name, how, out, &shown)) == 0) {
        if (waiting)
            tell_progress(dir, name, waiting, arg);
        if (wait_a_moment(watch, end_ms, err) < 0)
            goto out;
    }
    if (rc < 0)
        err_set(err, BERTH_ESYS, "the lock of an image cannot be had: %m");
out:
    if (shown >= 0)
        close(shown);
    return rc > 0 ? 0 : -1;
}

int record_lock(int dir, const char *word, const char *text,
                const struct watch *watch, long long end_ms,
                void (*waiting)(void *arg, uint64_t came, uint64_t total),
                void *arg, struct record_lock *out, struct berth_err *err)
{
    return lock_as(LOCK_EX, dir, word, text, watch, end_ms, waiting, arg, out,
                   err);
}

int record_lock_shared(int dir, const char *word, const char *text,
                       const struct watch *watch, long long end_ms,
                       struct record_lock *out, struct berth_err *err)
{
    return lock_as(LOCK_SH, dir, word, text, watch, end_ms, NULL, NULL, out,
                   err);
}

int record_lock_image(int dir, const char *id, uid_t uid,
                      const struct watch *watch, long long end_ms,
                      struct record_locks *out, struct berth_err *err)
{
    char mine[MANIFEST_DIGEST + 16];

    snprintf(mine, sizeof(mine), "%s.u%u", id, (unsigned)uid);
    if (record_lock(dir, "id", mine, watch, end_ms, NULL, NULL, &out->mine,
                    err) < 0)
        return -1;
    if (record_lock_shared(dir, "id", id, watch, end_ms, &out->all, err) == 0)
        return 0;
    record_unlock(dir, &out->mine);
    return -1;
}

bool record_lock_is_awaited(const struct record_lock *lock)
{
    struct flock other = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    return lock->fd >= 0 && fcntl(lock->fd, F_OFD_GETLK, &other) == 0 &&
           other.l_type != F_UNLCK;
}

void record_lock_pass(struct record_lock *lock)
{
    if (lock->fd >= 0)
        close(lock->fd);
    lock->fd = -1;
}

int record_lock_one(int dir, const char *whose, unsigned n,
                    const struct watch *watch, long long end_ms,
                    struct record_lock *out, struct berth_err *err)
{
    char name[96];

    for (;;) {
        for (unsigned i = 0; i < n; i++) {
            snprintf(name, sizeof(name), "%s.%u.slot.lock", whose, i);
            int rc = try_lock(dir, name, LOCK_EX, out, NULL);
            if (rc > 0)
                return 0;
            if (rc < 0)
                return err_set(err, BERTH_ESYS,
                               "the lock of an image cannot be had: %m");
        }
        if (wait_a_moment(watch, end_ms, err) < 0)
            return -1;
    }
}

void record_lock_note(const struct record_lock *lock, uint64_t came,
                      uint64_t total)
{
    char text[64];
    int n = snprintf(text, sizeof(text), "%-20" PRIu64 " %-20" PRIu64 "\n",
                     came, total);

    if (pwrite(lock->fd, text, (size_t)n, 0) < 0) {
        // Those who wait don't see it.
    }
}

void record_unlock(int dir, struct record_lock *lock)
{
    int saved = errno;

    if (lock->fd < 0)
        return;
    if (flock(lock->fd, LOCK_EX | LOCK_NB) == 0)
        unlinkat(dir, lock->name, 0);
    close(lock->fd);
    lock->fd = -1;
    errno = saved;
}

void record_unlock_both(int dir, struct record_locks *locks)
{
    record_unlock(dir, &locks->all);
    record_unlock(dir, &locks->mine);
}
