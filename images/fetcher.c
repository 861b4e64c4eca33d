// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include "images/fetcher.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <linux/sched.h>
#include <poll.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    LINK = 0, // in all of them
    AUTH = 3, // in berth-fetch (fetch/skopeo.h)
    // skopeo has some tens of threads, and there may be several of it.
    PROCESSES = 4096,
    FILES = 1024,
    BUFFER = 1024 * 1024,
    GONE_MS = 2000,
};

// Of a program that reads or writes a user's archive, whatever is in that. It
// is outside of his job's cgroups; zstd's largest window is an eighth of it.
#define MEMORY ((rlim_t)1 << 30)

int fetcher_account(const char *name, uid_t user, uid_t *uid, gid_t *gid,
                    struct berth_err *err)
{
    const struct passwd *pw = getpwnam(name);

    if (!pw)
        return err_set(err, BERTH_ESYS,
                       "images are fetched by the account %s (fetch_user), and "
                       "there is none: ask your administrator to make it "
                       "(useradd --system --no-create-home --home-dir "
                       "/nonexistent --shell /usr/sbin/nologin %s)",
                       name, name);
    if (pw->pw_uid == 0 || pw->pw_gid == 0 || pw->pw_uid == user)
        return err_set(err, BERTH_ESYS,
                       "images are fetched by the account %s (fetch_user), "
                       "which is %s: ask your administrator to name one that "
                       "is for nothing else",
                       name, pw->pw_uid == user ? "the job's user" : "root's");
    *uid = pw->pw_uid;
    *gid = pw->pw_gid;
    return 0;
}

static int limit(int what, rlim_t value)
{
    const struct rlimit r = {value, value};

    return setrlimit(what, &r);
}

// In the child: takes what it is to have to its places, and closes the rest.
static int keep(int link, int auth)
{
    int null = fcntl(open("/dev/null", O_RDWR), F_DUPFD, 16);

    link = fcntl(link, F_DUPFD, 16);
    if (auth >= 0)
        auth = fcntl(auth, F_DUPFD, 16);
    if (null < 0 || link < 0 || dup2(link, LINK) < 0 || dup2(null, 1) < 0 ||
        dup2(null, 2) < 0 || (auth >= 0 && dup2(auth, AUTH) < 0))
        return -1;
    return (int)syscall(SYS_close_range, auth >= 0 ? AUTH + 1 : AUTH, ~0U, 0);
}

// In the child: has a /proc of its own namespace, so that it sees no other
// fetch, which is the same account's and may have a user's credentials. It is
// not to be the node's as well.
static int hide_others(void)
{
    return mount(NULL, "/proc", NULL, MS_PRIVATE, NULL) < 0
               ? -1
               : mount("proc", "/proc", "proc",
                       MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
}

static int confine(const struct child_user *who, rlim_t memory,
                   uint64_t unpacked_max)
{
    sigset_t none;

    sigemptyset(&none);
    signal(SIGPIPE, SIG_DFL);
    umask(077);
    if (sigprocmask(SIG_SETMASK, &none, NULL) < 0 || setsid() < 0 ||
        chdir("/") < 0 || limit(RLIMIT_CORE, 0) < 0 ||
        limit(RLIMIT_AS, memory) < 0 || limit(RLIMIT_NPROC, PROCESSES) < 0 ||
        limit(RLIMIT_NOFILE, FILES) < 0 ||
        limit(RLIMIT_FSIZE, (rlim_t)unpacked_max) < 0 ||
        setgroups(who->ngids, who->gids) < 0 ||
        setresgid(who->gid, who->gid, who->gid) < 0 ||
        setresuid(who->uid, who->uid, who->uid) < 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -1;
    // After the change of the user, which takes it back.
    return prctl(PR_SET_PDEATHSIG, SIGKILL);
}

// In the child, as root: forks, and returns in that child. berth-save hears the
// link's end, and takes away what it has begun; but its user can stop it, and
// then it hears nothing. So the first of the namespace, which he cannot, hears it
// as well, and with that all others there end.
static void stand_by(void)
{
    pid_t pid = fork();
    struct pollfd p[] = {{.fd = LINK}, {.events = POLLIN}};

    if (pid == 0)
        return;
    p[1].fd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
    if (p[1].fd < 0)
        _exit(127);
    while (poll(p, 2, -1) < 0 && errno == EINTR)
        ;
    if (!p[1].revents)
        poll(&p[1], 1, GONE_MS);
    _exit(0);
}

static void run(const struct fetcher_order *order, const struct child_user *who,
                int link) __attribute__((noreturn));

static void run(const struct fetcher_order *order, const struct child_user *who,
                int link)
{
    const char *program = order->save    ? BERTH_LIBEXECDIR "/berth-save"
                          : order->owner ? BERTH_LIBEXECDIR "/berth-archive"
                                         : BERTH_LIBEXECDIR "/berth-fetch";
    static char *const env[] = {NULL};
    char tries[32], max[64], proxy[600], no_proxy[1200];
    const char *argv[10];
    int n = 0;

    snprintf(tries, sizeof(tries), "--tries=%u", order->tries);
    snprintf(max, sizeof(max), "--max=%" PRIu64 ":%" PRIu64, order->packed_max,
             order->unpacked_max);
    argv[n++] = strrchr(program, '/') + 1;
    if (!order->owner)
        argv[n++] = tries;
    argv[n++] = max;
    if (order->auth >= 0)
        argv[n++] = "--auth";
    if (order->proxy) {
        snprintf(proxy, sizeof(proxy), "--proxy=%s", order->proxy);
        snprintf(no_proxy, sizeof(no_proxy), "--no-proxy=%s", order->no_proxy);
        argv[n++] = proxy;
        argv[n++] = no_proxy;
    }
    if (order->check || order->save == FETCHER_CHECK)
        argv[n++] = "--check";
    if (order->replace)
        argv[n++] = "--replace";
    argv[n++] = order->save == FETCHER_LOAD ? "--load" : order->name;
    argv[n] = NULL;
    if (order->owner && order->theirs > 0 &&
        setns(order->theirs, CLONE_NEWNS) < 0)
        _exit(127);
    if (!order->owner && hide_others() < 0)
        _exit(127);
    if (keep(link, order->auth) < 0)
        _exit(127);
    if (order->save)
        stand_by();
    if (confine(who, order->owner ? MEMORY : RLIM_INFINITY,
                order->unpacked_max) == 0)
        execve(program, (char *const *)argv, env);
    _exit(127);
}

int fetcher_start(const struct fetcher_order *order, uid_t uid, gid_t gid,
                  struct fetcher *out, struct berth_err *err)
{
    const struct child_user account = {.uid = uid, .gid = gid};
    int pair[2], pidfd = -1, size = BUFFER;
    struct clone_args args = {
        .flags = CLONE_NEWPID | CLONE_PIDFD | (order->owner ? 0 : CLONE_NEWNS),
        .pidfd = (uintptr_t)&pidfd,
        .exit_signal = SIGCHLD,
    };

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return err_set(err, BERTH_ESYS, "fetching an image: %m");
    setsockopt(pair[1], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
    pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
    if (pid == 0)
        run(order, order->owner ? order->owner : &account, pair[1]);
    close(pair[1]);
    if (pid < 0) {
        err_set(err, BERTH_ESYS, "fetching an image: clone3: %m");
        close(pair[0]);
        return -1;
    }
    *out = (struct fetcher){
        .pid = pid, .pidfd = pidfd, .link = pair[0], .saves = order->save};
    return 0;
}

// SAVES as in struct fetcher.
static void end(int pidfd, bool saves)
{
    struct pollfd p = {.fd = pidfd, .events = POLLIN};

    if (saves)
        poll(&p, 1, GONE_MS);
    // The first of its namespace: the kernel ends the others with it.
    syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
    poll(&p, 1, GONE_MS);
}

void fetcher_end_save(int pidfd)
{
    end(pidfd, true);
    close(pidfd);
}

void fetcher_end(struct fetcher *fetcher)
{
    if (fetcher->pid <= 0)
        return;
    close(fetcher->link);
    end(fetcher->pidfd, fetcher->saves);
    waitpid(fetcher->pid, NULL, WNOHANG);
    close(fetcher->pidfd);
    *fetcher = (struct fetcher){.pidfd = -1, .link = -1};
}
