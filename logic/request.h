// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The create request: the security boundary. It is built from scratch out
// of a decision; what a key may hold is on the page below, and nothing of a
// user's JSON or of an image's configuration is passed through. Privileged
// mode, unconfined profiles, host pid or IPC namespaces don't exist here.
// There are no capabilities, but for the few of a root who is nobody outside of
// his container. The user namespace is the host's, also where the daemon remaps
// users: otherwise the job's files would not be the user's. What only the
// administrator can ask for (a writable root, networks, devices, profiles)
// has its field below.
// Docker Engine API 1.40 and later, POST /containers/create.
#ifndef BERTH_REQUEST_H
#define BERTH_REQUEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "logic/err.h"
#include "logic/root_ids.h"

struct request_mount {
    const char *source; // absolute, a path that only root can change
    const char *target; // absolute, normalised: see request_target_ok
    bool readonly;
};

struct request_tmpfs {
    const char *target; // as a mount's
    uint64_t bytes;
    bool empty; // what the image has there is not shown (stepd/underlay.h)
};

struct request_port {
    const char *address; // of the node; NULL: all that it has
    uint16_t port;       // on the node and in the container, of TCP
};

struct request_ulimit {
    const char *name; // as the engine calls it: "nofile"
    int64_t soft;     // -1: unlimited
    int64_t hard;
};

// The capabilities of who is root in a container of his own IDs: over its files
// and its processes, and nothing else. Process 1 alone has KILL, with which it
// ends what has become another user. NET_RAW nobody has: berth-init gives it up
// first of all, and it stays in the bounding set, without which the kernel does
// not run a file that has it, as ping is in many images.
// A new array of their names, each with PREFIX before it.
json_t *request_root_capabilities(const char *prefix);

// The same, as the kernel shows them (capability.h): those that process 1 has,
// and its bounding set.
enum {
    REQUEST_ROOT_CAPABILITY_BITS = 0x800000fb,
    REQUEST_ROOT_BOUNDING_BITS = 0x800020fb,
};

struct request_label {
    const char *name;
    const char *value;
};

// How GPUs are asked for, and what their names are then.
enum request_gpus {
    REQUEST_GPUS_NONE = 0,
    REQUEST_GPUS_FILES = 1,  // device files, at the same place
    REQUEST_GPUS_NVIDIA = 2, // UUIDs, for Docker's NVIDIA driver
    REQUEST_GPUS_CDI = 3,    // CDI devices
};

// All borrowed.
struct request {
    const char *image_id; // "sha256:...": never a name
    uid_t uid;
    gid_t gid;
    const gid_t *gids; // supplementary
    size_t ngids;
    const struct request_mount *mounts;
    size_t nmounts;
    const struct request_tmpfs *tmpfs;
    size_t ntmpfs;
    uint64_t shm_bytes;
    bool no_copyup;         // to tell Podman, which fills each tmpfs otherwise
    bool writable;          // the root file system
    struct root_range root; // its count not 0: uid and gid are 0, in a user
                            // namespace that has these IDs of the node
    uint64_t pids_limit;    // 0: none
    const char *network;    // NULL: the host's; "none"; or one of the engine's
    const struct request_port *ports;
    size_t nports;
    // NULL: the engine's own default. Words that would switch a protection
    // off are refused.
    const char *seccomp;  // a profile, as the engine takes it
    const char *apparmor; // a profile's name
    const char *selinux;  // "type:container_t": one part of a label
    const char *runtime;
    const char *const *devices; // the administrator's, each at its own path
    size_t ndevices;
    const struct request_ulimit *ulimits;
    size_t nulimits;
    const struct request_label *labels;
    size_t nlabels;
    enum request_gpus gpus_by;
    const char *const *gpus;
    size_t ngpus;
    // Of NVIDIA's driver, where that is what is asked; none: "compute" and
    // "utility".
    const char *const *gpu_capabilities;
    size_t ngpu_capabilities;
    // Of the image's ENV: what its LD_* variables say is for the tasks, not
    // for a vendor's hook that runs as root.
    char *const *image_env;
    size_t nimage_env;
};

// Says whether a mount can be asked for at TARGET: mount_target_ok of
// logic/mount_syntax.h.
bool request_target_ok(const char *target);

// Builds the body. Returns a new object, or NULL with ERR set: BERTH_EINVAL
// for text that is not UTF-8, a target that is not ok or is there twice, a
// network that is another container's, a profile that confines nothing, or a
// body over BERTH_REQUEST_MAX.
json_t *request_build(const struct request *request, struct berth_err *err);

#endif
