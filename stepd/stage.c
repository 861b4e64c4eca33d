// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: paths that a user chose. They are resolved with that user's rights
// only; root sees descriptors.

#include "stepd/stage.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/mount.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/limits.h"

// An answer of the child: an errno (0: the descriptor is with it).
struct answer {
    int error;
};

static void send_answer(int sock, int error, int fd)
{
    struct answer answer = {error};
    struct iovec iov = {&answer, sizeof(answer)};
    union {
        struct cmsghdr h;
        char buf[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

    if (fd >= 0) {
        msg.msg_control = &control;
        msg.msg_controllen = sizeof(control);
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &fd, sizeof(fd));
    }
    sendmsg(sock, &msg, MSG_NOSIGNAL);
}

// Returns the descriptor, or -1 with errno set.
static int receive_answer(int sock)
{
    struct answer answer = {EPROTO};
    struct iovec iov = {&answer, sizeof(answer)};
    union {
        struct cmsghdr h;
        char buf[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = &control,
                         .msg_controllen = sizeof(control)};
    int fd = -1;

    if (recvmsg(sock, &msg, MSG_CMSG_CLOEXEC) != (ssize_t)sizeof(answer)) {
        errno = EPROTO;
        return -1;
    }
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    if (answer.error == 0 && c && c->cmsg_type == SCM_RIGHTS &&
        c->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(&fd, CMSG_DATA(c), sizeof(fd));
    if (fd < 0)
        errno = answer.error ? answer.error : EPROTO;
    return fd;
}

// The child: becomes the user for good, with nothing of root's open.
static _Noreturn void open_as(const struct stage_user *user, const char *path,
                              int sock)
{
    if (dup2(sock, 0) < 0 || syscall(SYS_close_range, 1, ~0U, 0) < 0 ||
        setgroups(user->ngids, user->gids) < 0 ||
        setresgid(user->gid, user->gid, user->gid) < 0 ||
        setresuid(user->uid, user->uid, user->uid) < 0)
        _exit(1);
    int fd = open(path, O_PATH | O_CLOEXEC);
    send_answer(0, fd < 0 ? errno : 0, fd);
    _exit(0);
}

int stage_open(const struct stage_user *user, const char *path,
               struct berth_err *err)
{
    int pair[2], fd = -1, flags = 0;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return err_set(err, BERTH_ESYS, "socketpair: %m");
    pid_t pid = fork();
    if (pid == 0)
        open_as(user, path, pair[1]);
    close(pair[1]);
    struct pollfd p = {.fd = pair[0], .events = POLLIN};
    if (pid < 0) {
        err_set(err, BERTH_ESYS, "fork: %m");
    } else if (poll(&p, 1, BERTH_PROBE_MS) <= 0) {
        kill(pid, SIGKILL);
        flags = WNOHANG;
        err_set(err,
                BERTH_ETIMEOUT,
                "%s did not open within %d seconds: does its file server "
                "answer?",
                path,
                BERTH_PROBE_MS / 1000);
    } else if ((fd = receive_answer(pair[0])) < 0) {
        err_set(err,
                errno == EACCES || errno == EPERM ? BERTH_EDENIED
                                                  : BERTH_ENOTFOUND,
                "%s cannot be opened as user %u: %s",
                path,
                user->uid,
                strerror(errno));
    }
    close(pair[0]);
    // One that hangs in a file system is left to the end of this process.
    if (pid > 0)
        waitpid(pid, NULL, flags);
    return fd;
}

static bool same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

// Says whether WHAT is FD, or a directory above it. Errors count as yes.
static bool at_or_above(const struct stat *what, int fd)
{
    struct stat st, up;
    bool found = true;
    int dir = fcntl(fd, F_DUPFD_CLOEXEC, 3);

    // A file has no "..": only itself is compared.
    for (int depth = 0; dir >= 0 && depth < 4096; depth++) {
        if (fstat(dir, &st) < 0 || same(&st, what))
            break;
        int parent = S_ISDIR(st.st_mode)
                         ? openat(dir, "..", O_PATH | O_CLOEXEC)
                         : -1;
        if (parent < 0 || fstat(parent, &up) < 0 || same(&up, &st)) {
            found = S_ISDIR(st.st_mode) && parent < 0;
            if (parent >= 0)
                close(parent);
            break;
        }
        close(dir);
        dir = parent;
    }
    if (dir >= 0)
        close(dir);
    return found;
}

int stage_judge(int fd, const char *path, const char *const *never,
                struct berth_err *err)
{
    struct stat st, no;

    if (fstat(fd, &st) < 0)
        return err_set(err, BERTH_ESYS, "%s: %m", path);
    if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
        return err_set(err,
                       BERTH_EDENIED,
                       "%s is neither a directory nor a file, and cannot be "
                       "mounted into a container",
                       path);
    for (; *never; never++) {
        int dir = open(*never, O_PATH | O_CLOEXEC);
        bool is = dir >= 0 && fstat(dir, &no) == 0 &&
                  (at_or_above(&no, fd) || at_or_above(&st, dir));
        if (dir >= 0)
            close(dir);
        // Every path is below "/": only "/" itself is meant there.
        if (is && (strcmp(*never, "/") != 0 || same(&st, &no)))
            return err_set(err,
                           BERTH_EDENIED,
                           "%s cannot be mounted into a container, because "
                           "it is, holds or lies in %s, which no container "
                           "gets",
                           path,
                           *never);
    }
    return 0;
}

int stage_bind(int fd, int dir, const char *name, bool readonly,
               struct berth_err *err)
{
    struct stat st;
    struct mount_attr attr = {
        .attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
                    (readonly ? MOUNT_ATTR_RDONLY : 0),
        .propagation = 1 << 18, // MS_PRIVATE of mount(2)
    };
    int rc = -1, tree = -1;

    if (fstat(fd, &st) < 0)
        return err_set(err, BERTH_ESYS, "staging %s: %m", name);
    if (S_ISDIR(st.st_mode) ? mkdirat(dir, name, 0700) < 0
                            : mknodat(dir, name, S_IFREG | 0600, 0) < 0)
        return err_set(err, BERTH_ESYS, "staging %s: %m", name);
    tree = (int)syscall(SYS_open_tree, fd, "",
                        OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
    if (tree < 0 ||
        syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attr,
                sizeof(attr)) < 0 ||
        syscall(SYS_move_mount, tree, "", dir, name,
                MOVE_MOUNT_F_EMPTY_PATH) < 0)
        err_set(err, BERTH_ESYS, "staging %s: %m", name);
    else
        rc = 0;
    if (tree >= 0)
        close(tree);
    return rc;
}
