// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The check after the start: compares the container that exists, before any
// task runs in it, with what was asked for. Pure: what the engine and the
// kernel show (stepd/observe.h) comes in, the first difference goes out.
#ifndef BERTH_VERIFY_H
#define BERTH_VERIFY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "engine/engine.h"
#include "logic/err.h"
#include "logic/request.h"

// A file, and the file system that it is on. Zeroed: there is none.
struct seen_file {
    bool there;
    dev_t dev;
    ino_t ino;
    unsigned long flags; // of its mount: ST_RDONLY, ST_NOSUID, ST_NODEV
    uint64_t bytes;      // the size of its file system
};

struct seen_mount {
    bool covered; // by a copy of berth's own: no engine brought what is there
    struct seen_file source; // on the node
    struct seen_file target; // in the container
};

// Of a namespace: device and inode. Zeroed: unknown.
struct seen_ns {
    dev_t dev;
    ino_t ino;
};

enum { SEEN_MNT, SEEN_PID, SEEN_IPC, SEEN_NET, SEEN_USER, SEEN_NS };

// A container as the kernel shows it.
struct seen {
    char *status;               // the text of /proc/PID/status
    struct seen_ns ns[SEEN_NS]; // of the container
    struct seen_ns node[SEEN_NS];
    char uid_map[256]; // of its user namespace, as the node sees it
    char gid_map[256];
    bool node_stream;    // a standard stream of its is a device
    char apparmor[1024]; // what the security modules call the process, or ""
    char selinux[1024];
    struct seen_file root;
    struct seen_mount *mounts; // as many as the request's, in its order
    struct seen_file *tmpfs;   // likewise
    struct seen_file shm;      // /dev/shm
};

// Compares the engine's word on CONTAINER with REQUEST: image, root file
// system, runtime, limit on processes, devices, network, namespaces, mounts;
// and nothing that a request has no word for. 0, or -1 with ERR set to the
// first difference (BERTH_EENGINE): the container must be removed.
int verify_engine(const struct request *request,
                  const struct engine_container *container,
                  struct berth_err *err);

// Compares the kernel's with REQUEST: identity, groups, capabilities,
// no-new-privileges, seccomp, namespaces and their IDs, standard streams,
// security labels; the root; each of
// the engine's mounts by device and inode, and its flags; the sizes of file
// systems in memory. 0, or -1 as above.
int verify_kernel(const struct request *request, const struct seen *seen,
                  struct berth_err *err);

#endif
