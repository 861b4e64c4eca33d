// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The verbs of the Docker Engine API that berth uses, one function each,
// over a Unix socket. The same calls work with Podman's compatible API.
// All need the credentials that the socket asks for (root). All block, with
// a limit from logic/limits.h. Those that return int return 0, or -1 with ERR
// set as follows and their out-parameters untouched: BERTH_EENGINE (the
// engine cannot be reached, does not speak the protocol, or answered with
// an error: its own message is in the text, scrubbed), BERTH_ETIMEOUT,
// BERTH_EENDED (engine_open's WATCH), BERTH_ENOTFOUND (404), BERTH_ETOOBIG,
// BERTH_ENOMEM, BERTH_EINVAL.
#ifndef BERTH_ENGINE_H
#define BERTH_ENGINE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "engine/http.h"
#include "engine/watch.h"
#include "logic/err.h"

struct engine;

// Connects to the engine at the Unix socket PATH, learns whether it is
// Docker or Podman, and settles on the newest API version that both sides
// know (1.40 to 1.47, or the oldest that an engine has which is newer than all of
// these; older engines are refused by name). Returns a handle for engine_close,
// or NULL. Not to be used after fork().
//
// This call and all others are given up when WATCH (NULL: there is none;
// copied) says so, but for those that create a container, which only ask it:
// nobody would know what came of them.
struct engine *engine_open(const char *path, const struct watch *watch,
                           struct berth_err *err);
void engine_close(struct engine *engine); // NULL is fine; keeps errno

// "Docker 20.10.24 (API 1.41)", for messages; borrowed.
const char *engine_name(const struct engine *engine);
bool engine_is_podman(const struct engine *engine);

// Asks Docker whether it can give a container the N CDI devices NAMES: CDI is
// on and, where it says which devices it has (28.2), these are among them.
// Docker before 25 has no CDI, and is not asked. Podman has no answer to
// this. 0 and OUT, or -1 with ERR set.
int engine_has_cdi(struct engine *engine, const char *const *names, size_t n,
                   bool *out, struct berth_err *err);

struct engine_image {
    char id[72];      // "sha256:" and 64 hex digits
    char digest[512]; // first RepoDigests entry, or empty
    size_t ndigests;  // all of them
    char **digests;
    size_t nenv;      // Config.Env
    char **env;
    size_t nvolumes; // the keys of Config.Volumes
    char **volumes;
    size_t nentry; // Config.Entrypoint
    char **entry;
    size_t ncmd; // Config.Cmd
    char **cmd;
    char *workdir;       // Config.WorkingDir, as its author wrote it, or NULL
    size_t nannotations; // Podman's alone: the names of the annotations
    char **annotations;
    size_t nlayers; // RootFS.Layers: digests, the lowest first
    char **layers;
};

// Looks REFERENCE (a whole name as imgref_format writes it) up on the node.
// BERTH_ENOTFOUND: it is not there; BERTH_ETOOBIG: the engine says more of it
// than BERTH_IMAGE_RESPONSE_MAX. On success the caller owns what OUT
// points to: engine_image_clear.
int engine_image_inspect(struct engine *engine, const char *reference,
                         struct engine_image *out, struct berth_err *err);
void engine_image_clear(struct engine_image *image);

// Takes the name REFERENCE from its image, which goes with the last name that
// it has. Nothing is forced: BERTH_EBUSY, a container has it; BERTH_ENOTFOUND,
// there is no such name.
int engine_image_remove(struct engine *engine, const char *reference,
                        struct berth_err *err);

struct engine_found {
    char id[72];
    uint64_t size; // unpacked, of all its layers
};

// The images that have a name in REPOSITORY, a word of berth's own, whatever
// their labels are. The caller frees the array.
int engine_image_find(struct engine *engine, const char *repository,
                      struct engine_found **found, size_t *n,
                      struct berth_err *err);

// Writes the directory to OUT below which the engine keeps its images, as the
// engine sees it.
int engine_root(struct engine *engine, char *out, size_t size,
                struct berth_err *err);

struct engine_named {
    char id[72];
    uint64_t size; // unpacked, of all its layers
    size_t nnames; // RepoTags
    char **names;
    size_t ndigests; // RepoDigests
    char **digests;
};

// The images that it has, with their names. For engine_named_free.
int engine_image_names(struct engine *engine, struct engine_named **list,
                       size_t *n, struct berth_err *err);
void engine_named_free(struct engine_named *list, size_t n); // NULL is fine

// The sizes of what the steps have added that REFERENCE was built by, the first
// step's first: those that added nothing are left out. The caller frees them.
int engine_image_sizes(struct engine *engine, const char *reference,
                       uint64_t **sizes, size_t *n, struct berth_err *err);

// Hands the engine the archive that UPLOAD makes, as "docker save" writes them,
// and waits until it has unpacked it, LIMIT_MS at most. BERTH_EENDED: UPLOAD
// was given up, or WATCH says so. An engine that is cut off keeps nothing.
int engine_image_load(struct engine *engine, const struct http_upload *upload,
                      long limit_ms, struct berth_err *err);

// Has the engine write the image ID as an archive, as "docker save" does, which
// DOWNLOAD takes, LIMIT_MS at most. Docker makes a copy of it first.
int engine_image_save(struct engine *engine, const char *id,
                      const struct http_download *download, long limit_ms,
                      struct berth_err *err);

// Writes the configuration of the image ID to OUT, a new object, in the words
// of OCI's image specification: what its author has said, and its layers.
int engine_image_config(struct engine *engine, const char *id, json_t **out,
                        struct berth_err *err);

// Gives the image ID the name REPOSITORY:TAG as well; both are berth's own
// words.
int engine_image_tag(struct engine *engine, const char *id,
                     const char *repository, const char *tag,
                     struct berth_err *err);

// Creates the container NAME (a letter or digit, then one or more of
// [a-zA-Z0-9_.-]; checked) from REQUEST (borrowed). ID receives its 64 hex
// digits. A name that is taken is an error, never a reuse. BERTH_EREFUSED: the
// engine has made none. After any other error, but for BERTH_EINVAL, it may yet.
int engine_container_create(struct engine *engine, const char *name,
                            const json_t *request, char id[65],
                            struct berth_err *err);

// The same, from TEXT: a request in Podman's own words (logic/libpod.h), which
// has the container's name in it. For Podman only.
int engine_container_create_libpod(struct engine *engine, const char *text,
                                   char id[65], struct berth_err *err);

// Returns 0 also when it runs already.
int engine_container_start(struct engine *engine, const char *id,
                           struct berth_err *err);

struct engine_mount {
    char type[16]; // "bind", "tmpfs", "volume"
    char *source;
    char *destination;
    bool rw;
};

// What the engine says that a container is: the part that berth verifies.
struct engine_container {
    char id[65];
    char name[256]; // without the leading '/'
    char image[72]; // "sha256:..." (Podman omits the prefix: added here)
    pid_t pid;      // 0 when it does not run
    bool running;
    bool privileged;
    bool readonly_rootfs;
    bool auto_remove;
    size_t ncap_add;
    size_t ndevices; // Devices and DeviceRequests
    char network_mode[256];
    char pid_mode[256]; // its own: Docker says "", Podman "private"
    char ipc_mode[256]; // its own: Docker "private", Podman "shareable"
    char userns_mode[256];
    char runtime[256];   // Podman calls its own "oci"
    uint64_t pids_limit; // 0: none
    size_t nnetworks;    // the keys of NetworkSettings.Networks
    char **networks;
    size_t nmounts; // Mounts, as the engine lists them
    struct engine_mount *mounts;
    json_t *labels; // an object of strings, owned here
    char upper[4096]; // where what is written in it is kept apart; empty: the
                      // engine does not say
};

// Looks up one container by ID or by name. BERTH_ENOTFOUND: there is none.
int engine_container_inspect(struct engine *engine, const char *id,
                             struct engine_container *out,
                             struct berth_err *err);
void engine_container_clear(struct engine_container *container);

// Sees to it that the container is gone, running or not, with its anonymous
// volumes, and waits until it is (also when the engine is already at it).
// One that does not exist is a success.
int engine_container_remove(struct engine *engine, const char *id,
                            struct berth_err *err);

#endif
