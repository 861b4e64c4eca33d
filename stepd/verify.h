// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Looks at the container that exists, before any task runs in it, and
// compares it with what was asked for.
#ifndef BERTH_VERIFY_H
#define BERTH_VERIFY_H

#include "core/err.h"
#include "core/request.h"
#include "engine/engine.h"
#include "stepd/attach.h"
#include "stepd/gpus.h"

// CONTAINER as the engine shows it and its first process as the kernel
// shows it: image, identity, groups, capabilities, no-new-privileges,
// seccomp, security labels, namespaces, network, runtime, limit on processes,
// each of the engine's mounts by device and inode and its flags, the sizes of
// file systems in memory, and its device nodes (stepd/gpus.h). What ATTACH has
// laid over mounts came from no engine.
// 0, or -1 with ERR set to the first difference (BERTH_EENGINE): the
// container must be removed. As root, in the init pid namespace.
int verify_container(const struct request *request,
                     const struct attach *attach,
                     const struct gpus *gpus,
                     const struct engine_container *container,
                     struct berth_err *err);

#endif
