// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include "stepd/listen.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

int listen_at(const struct store_step *store, const char *name, uid_t owner,
              struct berth_err *err)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};

    if ((size_t)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/%s",
                         store->path, name) >= sizeof(addr.sun_path))
        return err_set(err, BERTH_ESYS,
                       "the path of berth's state directory is too long for "
                       "a socket: ask your administrator for a shorter one");
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    // The mode that bind gives is the umask's; nobody else can enter before
    // the two calls behind it, and later root needs no mode.
    if (fd >= 0 && bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0 &&
        fchmodat(store->dir, name, 0600, 0) == 0 &&
        fchownat(store->dir, name, owner, (gid_t)-1, AT_SYMLINK_NOFOLLOW) ==
            0 &&
        listen(fd, SOMAXCONN) == 0)
        return fd;
    err_set(err, BERTH_ESYS, "listening at %s: %m", addr.sun_path);
    if (fd >= 0)
        close(fd);
    return -1;
}

int listen_timeout(int fd)
{
    struct timeval t = {.tv_sec = LISTEN_MS / 1000};

    return setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)) < 0 ||
                   setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t)) < 0
               ? -1
               : 0;
}
