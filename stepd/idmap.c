// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: a decision, and the numbers of a user and of groups.

#include "stepd/idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "node/child.h"
#include "stepd/mountapi.h"

// The child: makes the namespace, says so, and waits to be killed.
static _Noreturn void make(pid_t parent, int sock)
{
    int keep[] = {0};
    char byte = 0;

    if (dup2(sock, 0) < 0 || child_begin(parent, keep, 1) < 0 ||
        unshare(CLONE_NEWUSER) < 0 || write(0, &byte, 1) != 1)
        _exit(1);
    if (read(0, &byte, 1) < 0)
        _exit(1);
    _exit(0);
}

static int write_map(pid_t pid, const char *name, const char *text)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    int rc = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text)
                 ? 0
                 : -1;
    if (fd >= 0)
        close(fd);
    return rc;
}

// Those of GID and of the groups that are carried and have a number inside.
static size_t pair_groups(const struct decision *d,
                          const struct subject *subject, struct root_pair *out)
{
    size_t n = 0;

    out[n++] = (struct root_pair){subject->gid, d->range.start};
    for (size_t i = 0; i < d->ngids; i++) {
        gid_t gid = d->gids[i];
        bool twice = false;
        for (size_t k = 0; k < n; k++)
            twice |= out[k].disk == gid;
        if (!twice && gid != 0 && gid < d->range.count)
            out[n++] = (struct root_pair){gid, d->range.start + gid};
    }
    return n;
}

int idmap_open(const struct decision *d, const struct subject *subject,
               struct berth_err *err)
{
    const struct root_pair user = {subject->uid, d->range.start};
    char users[ROOT_MAP_MAX], groups[ROOT_MAP_MAX], path[64], byte;
    pid_t parent = getpid();
    int pair[2], ns = -1;

    if (!d->root)
        return -1;
    struct root_pair *pairs = calloc(d->ngids + 1, sizeof(*pairs));
    if (!pairs) {
        err_set(err, BERTH_ENOMEM, "memory is out");
        return -1;
    }
    root_map_text(&d->range, &user, 1, users);
    root_map_text(&d->range, pairs, pair_groups(d, subject, pairs), groups);
    free(pairs);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
        err_set(err, BERTH_ESYS, "socketpair: %m");
        return -1;
    }
    // It is not waited for before it is killed: the number stays its own.
    pid_t child = fork();
    if (child == 0)
        make(parent, pair[1]);
    close(pair[1]);
    snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)child);
    if (child > 0 && read(pair[0], &byte, 1) == 1 &&
        write_map(child, "uid_map", users) == 0 &&
        write_map(child, "gid_map", groups) == 0)
        ns = open(path, O_RDONLY | O_CLOEXEC);
    if (ns < 0)
        err_set(err, BERTH_ESYS,
                "this node cannot map a user's files to root's in a container "
                "(user namespaces): %m: tell your administrator");
    close(pair[0]);
    if (child > 0)
        child_end(child);
    return ns;
}

int idmap_mount(int map, int tree, const char *name, struct berth_err *err)
{
    char quoted[ERR_QUOTE_MAX];

    if (map < 0 || mountapi_idmap(tree, map) == 0)
        return 0;
    err_quote(name, quoted, sizeof(quoted));
    return err_set(err, BERTH_EINVAL,
                   "%s cannot be had by who is root in a container, because "
                   "the kernel cannot map the IDs of its file system there "
                   "(idmapped mounts: %s)",
                   quoted, strerror(errno));
}
