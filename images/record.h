// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// What berth has brought to a node: STATE/NODE/images, a file for each name,
// and beside them what is only there while something happens: locks, and what a
// job has been told. All of it is root's. In the engine such an image has a
// name of berth's own, which nobody can ask for: whatever has another name
// there is the administrator's.
#ifndef BERTH_RECORD_H
#define BERTH_RECORD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "engine/watch.h"
#include "logic/err.h"
#include "logic/imgref.h"
#include "logic/manifest.h"

// An image's name in the engine: this repository, and as the tag the hex digits
// of its ID.
#define RECORD_REPOSITORY IMGREF_OWN_DOMAIN "/image"

struct record {
    char engine[108]; // the path of its socket
    char name[IMGREF_TEXT_MAX];
    char digest[MANIFEST_DIGEST]; // of what the name leads to
    char id[MANIFEST_DIGEST];
    bool private;  // credentials were needed, as far as anybody knows
    bool pinned;   // garbage collection leaves it
    uid_t uid;     // of the user for whom it was fetched
    uint64_t size; // of its layers, as transferred
    int64_t when;  // it was fetched: seconds since 1970
    int64_t used;  // likewise, last
    uint64_t uses;
};

// Opens the directory of NODE; it is made if need be. A descriptor, or -1 with
// ERR set.
int record_open(const char *state, const char *node, struct berth_err *err);

// Reads that of NAME. Says whether there is one: what cannot be understood is
// told to syslog, and is none.
bool record_read(int dir, const char *engine, const char *name,
                 struct record *out);

// Notes RECORD's use, now.
void record_use(int dir, const struct record *record);

// Writes RECORD, in the place of one for the same name. It is used now. 0, or
// -1 with ERR set.
int record_write(int dir, const struct record *record, struct berth_err *err);

// Pins that of the same name, or no longer. 0, or -1 with ERR set.
int record_pin(int dir, const struct record *record, bool pinned,
               struct berth_err *err);

void record_remove(int dir, const struct record *record);

// Calls VISIT for each record. Stops where it returns false.
void record_each(int dir, bool (*visit)(void *arg, const struct record *record),
                 void *arg);

// What was found out for a job and user about a name, for its later steps:
// DIGEST is what the name leads to, and he may have it. For RECORD_NO_JOB
// nothing is kept.
enum { RECORD_NO_JOB = 0 };
bool record_asked(int dir, uint32_t job, uid_t uid, const char *name,
                  char digest[MANIFEST_DIGEST]);
void record_ask(int dir, uint32_t job, uid_t uid, const char *name,
                const char *digest);

// --- locks -------------------------------------------------------------------

struct record_lock {
    int fd; // -1: none
    char name[256];
};

#define RECORD_NO_LOCK                                                         \
    {                                                                          \
        .fd = -1                                                               \
    }

// Takes the lock of TEXT, which WORD ("name", "id") says the kind of, and waits
// for it until END_MS (by clock_ms). While it waits WAITING (may be NULL) is
// called with what the holder has last noted of its progress. 0; or -1 with ERR
// set: BERTH_ETIMEOUT, BERTH_EENDED (WATCH says so), BERTH_ESYS.
int record_lock(int dir, const char *word, const char *text,
                const struct watch *watch, long long end_ms,
                void (*waiting)(void *arg, uint64_t came, uint64_t total),
                void *arg, struct record_lock *out, struct berth_err *err);

// What one user can hold up for himself only: his own lock, and a part of
// everybody's.
struct record_locks {
    struct record_lock mine, all;
};

#define RECORD_NO_LOCKS                                                        \
    {                                                                          \
        RECORD_NO_LOCK, RECORD_NO_LOCK                                         \
    }

// The same, of which others can have a part as well. Who brings an image, or
// starts from it, has that of "id", without the whole of which none is removed.
int record_lock_shared(int dir, const char *word, const char *text,
                       const struct watch *watch, long long end_ms,
                       struct record_lock *out, struct berth_err *err);

// The same, for who brings the image ID from UID's own files: nobody else brings
// it for that user from there.
int record_lock_image(int dir, const char *id, uid_t uid,
                      const struct watch *watch, long long end_ms,
                      struct record_locks *out, struct berth_err *err);

// The same for one of N of WHOSE (a word), whichever is free first.
int record_lock_one(int dir, const char *whose, unsigned n,
                    const struct watch *watch, long long end_ms,
                    struct record_lock *out, struct berth_err *err);

void record_unlock_both(int dir, struct record_locks *locks);

// Notes how far it is, for those who wait.
void record_lock_note(const struct record_lock *lock, uint64_t came,
                      uint64_t total);

// Whether anybody waits for it.
bool record_lock_is_awaited(const struct record_lock *lock);

// Has it no longer, as a process that was forked has it now.
void record_lock_pass(struct record_lock *lock);

// Lets go, and takes its file away if nobody else has it.
void record_unlock(int dir, struct record_lock *lock);

#endif
