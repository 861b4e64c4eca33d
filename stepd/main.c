// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// berth-stepd: one per job step and node, root, beside slurmstepd. Its
// input: facts from the plugin (protocol/plugin.h), connections from the step's
// tasks and from berth-init (protocol/wire.h). What fails is told to the
// tasks, which end with the reason; nothing that happens here makes Slurm's
// own hooks fail. When the link to slurmstepd closes, for whatever reason,
// the step is over and its container with it.

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "engine/clock.h"
#include "engine/watch.h"
#include "logic/err.h"
#include "logic/gpu.h"
#include "logic/limits.h"
#include "logic/step.h"
#include "node/audit_log.h"
#include "node/removal.h"
#include "node/store.h"
#include "node/tell.h"
#include "protocol/plugin.h"
#include "protocol/wire.h"
#include "stepd/cgroup.h"
#include "stepd/cgroup_view.h"
#include "stepd/container.h"
#include "stepd/listen.h"
#include "stepd/mountns.h"
#include "stepd/peer.h"
#include "stepd/process.h"
#include "stepd/trace.h"
#include "stepd/ulimits.h"

enum {
    PLUGIN = 0, // the link to the plugin is standard input
    // How long the end of a step goes before the removal of its container,
    // which takes the engine so much work that srun would end later for it.
    YIELD_MS = 20,
    // How long to try to clean up: less than the epilog waits for it.
    CLEAN_MS = 15000,
    CLEAN_STEP_MS = 250,
    // Descriptors beside those of the tasks: some dozens, and the mounts.
    FILES = 256,
};

// A task, forked by slurmstepd and not yet served.
struct waiting {
    pid_t pid;
    int pidfd;
};

struct stepd {
    struct watch watch; // whether the step goes on
    bool over;          // it does not: the plugin has gone
    struct step step;
    struct store_step store;
    struct cgroups cgroups;
    int listener; // where the tasks connect
    struct container container;
    struct audit_log log;
    bool up;                 // the container is there
    bool advised;            // the first task has heard where its GPUs are
    bool attached;           // with what the job has of its own
    bool viewed;             // the job's cgroups are to be seen
    struct berth_err reason; // why it is not: for the first task
    int changes;             // descriptor of it (protocol/wire.h)
    int theirs; // the mount namespace of the tasks, once one has told of it
    size_t ntasks;
    struct waiting tasks[BERTH_TASKS_MAX];
    char packet[BERTH_FACT_MAX + 2]; // from the plugin
};

// Trusts nothing that it was started with: the plugin gives it an empty
// environment, these arguments and descriptors 0 to 2.
static void harden(void)
{
    umask(022);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    setsid();
    // Descriptors of the engine and of the step live here.
    prctl(PR_SET_DUMPABLE, 0);
    if (chdir("/") < 0)
        exit(1);
    clearenv();
}

// Tells the plugin KEY and TEXT, in one packet.
static void tell_plugin(const char *key, const char *text)
{
    char packet[4096];
    int n = snprintf(packet, sizeof(packet), "%s%s", key, text);

    if (n >= (int)sizeof(packet))
        n = (int)sizeof(packet) - 1;
    send(PLUGIN, packet, (size_t)n, MSG_NOSIGNAL);
}

// Receives one packet into D->packet, with a NUL behind it, and into FDS the
// descriptors with it, or -1. Returns its length, 0 at the end of the link, or
// -1.
static ssize_t receive(struct stepd *d, int fds[LINK_TASK_FDS], int flags)
{
    struct iovec iov = {d->packet, BERTH_FACT_MAX + 1};
    union {
        struct cmsghdr h;
        char buf[CMSG_SPACE(LINK_TASK_FDS * sizeof(int))];
    } control;
    struct msghdr msg;
    ssize_t n;

    do {
        msg = (struct msghdr){.msg_iov = &iov,
                              .msg_iovlen = 1,
                              .msg_control = &control,
                              .msg_controllen = sizeof(control)};
        n = recvmsg(PLUGIN, &msg, flags | MSG_TRUNC | MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    for (int i = 0; i < LINK_TASK_FDS; i++)
        fds[i] = -1;
    struct cmsghdr *c = n >= 0 ? CMSG_FIRSTHDR(&msg) : NULL;
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
        c->cmsg_len <= CMSG_LEN(LINK_TASK_FDS * sizeof(int)))
        memcpy(fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
    if (n > BERTH_FACT_MAX) {
        errno = EMSGSIZE;
        n = -1;
    }
    if (n >= 0)
        d->packet[n] = 0;
    return n;
}

static void close_all(int fds[LINK_TASK_FDS])
{
    for (int i = 0; i < LINK_TASK_FDS; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

static int receive_facts(struct stepd *d, struct berth_err *err)
{
    for (;;) {
        int fds[LINK_TASK_FDS];
        ssize_t n = receive(d, fds, 0);
        close_all(fds);
        if (n <= 0)
            return err_set(err, BERTH_EINVAL, "the plugin went away");
        if (strcmp(d->packet, LINK_BEGIN) == 0)
            return step_check(&d->step, err);
        if (step_add_fact(&d->step, d->packet, (size_t)n, err) < 0)
            return -1;
    }
}

// Puts the strings of the changes into a sealed memfd.
static int seal_overlay(const struct strv *changes, struct berth_err *err)
{
    int fd = memfd_create("berth-changes", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    for (size_t i = 0; fd >= 0 && i < changes->n; i++) {
        size_t len = strlen(changes->v[i]) + 1;
        if (write(fd, changes->v[i], len) != (ssize_t)len) {
            close(fd);
            fd = -1;
        }
    }
    if (fd < 0 ||
        fcntl(fd, F_ADD_SEALS,
              F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0) {
        err_set(err, BERTH_ESYS, "preparing the environment: %m");
        if (fd >= 0)
            close(fd);
        return -1;
    }
    return fd;
}

static int bring_up(struct stepd *d, struct berth_err *err)
{
    if (container_create(&d->step, &d->cgroups, &d->store, &d->log, &d->watch,
                         &d->container, err) < 0)
        return -1;
    d->changes = seal_overlay(&d->container.changes, err);
    if (d->changes < 0)
        return -1;
    d->up = true;
    trace_phase("up", 0);
    audit_log_start(&d->log, d->store.dir);
    return 0;
}

// Takes in that there is a task, of which the packet that came with FDS says
// the number.
static void add_task(struct stepd *d, int fds[LINK_TASK_FDS])
{
    size_t key = strlen(LINK_TASK);
    char *end = d->packet;
    long pid = strncmp(d->packet, LINK_TASK, key) == 0
                   ? strtol(d->packet + key, &end, 10)
                   : 0;

    if (pid > 1 && pid <= INT32_MAX && *end == 0 && fds[0] >= 0 &&
        fds[1] >= 0 && d->ntasks < BERTH_TASKS_MAX) {
        d->tasks[d->ntasks++] = (struct waiting){(pid_t)pid, fds[0]};
        fds[0] = -1;
        // Slurm puts all tasks of a step into one.
        if (d->theirs < 0) {
            d->theirs = fds[1];
            fds[1] = -1;
        }
    }
    close_all(fds);
}

// Takes in what the plugin has sent. False: the step is over.
static bool hear_plugin(struct stepd *d)
{
    int fds[LINK_TASK_FDS];

    while (!d->over) {
        ssize_t n = receive(d, fds, MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
            break;
        d->over = n <= 0;
        add_task(d, fds);
    }
    return !d->over;
}

// Whatever is waited for, the tasks that are told of meanwhile are noted, and
// the end of the step ends it.
static bool step_goes_on(void *arg)
{
    struct stepd *d = arg;

    return hear_plugin(d);
}

// Takes the task that PEER is, and holds it: one that has not been here yet,
// and that lives, since its number may be another process's later. False: PEER
// is none.
static bool take_task(struct stepd *d, const struct peer *peer,
                      struct process *task)
{
    for (size_t i = 0; i < d->ntasks; i++)
        if (d->tasks[i].pid == peer->pid && peer->uid == d->step.uid) {
            int pidfd = d->tasks[i].pidfd;
            d->tasks[i] = d->tasks[--d->ntasks];
            return process_hold(peer->pid, pidfd, task) == 0;
        }
    return false;
}

// The container is none any more, for the reason WHY.
static void give_up(struct stepd *d, const char *why)
{
    container_close(&d->container);
    d->up = false;
    audit_log_end(&d->log, "container");
    err_set(&d->reason, BERTH_EENGINE, "%s", why);
    tell_plugin(LINK_ENDED, why);
}

// Has berth-init fork a process, sees to it that it is one of the container
// and the user's, and puts it where the Slurm task TASK is. Returns the
// task link's other end.
static int fork_inside(struct stepd *d, const struct process *task,
                       struct berth_err *err)
{
    struct process born = PROCESS_NONE;
    int pair[2], one = 1, rc = -1;
    struct wire_in in = {0};

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return err_set(err, BERTH_ESYS, "socketpair: %m");
    if (setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)) < 0 ||
        wire_send(d->container.control, WIRE_FORK, 0, NULL, 0, &pair[1], 1,
                  MSG_DONTWAIT) < 0) {
        err_set(err, BERTH_EENGINE, "the container has ended");
        goto out;
    }
    close(pair[1]);
    pair[1] = -1;
    int came = watch_wait(&d->watch, pair[0], LISTEN_MS);
    if (came == 0) {
        // Its user can have stopped it by a signal. The tasks that are in it
        // would never be told of their ends.
        process_kill(&d->container.init);
        give_up(d, "the container does not answer: its first process may have "
                   "been stopped by a signal");
    }
    if (came <= 0)
        goto out;
    if (wire_recv(pair[0], &in, MSG_DONTWAIT) != 1 ||
        in.msg.type != WIRE_BORN || in.uid != d->step.uid || in.pid <= 1 ||
        process_hold(in.pid, -1, &born) < 0 ||
        !process_is_within(&born, &d->container.init)) {
        err_set(err, BERTH_EENGINE,
                "the container could not start the task: it may have ended, "
                "or have no room for another process");
        goto out;
    }
    rc = cgroup_join_like(&d->cgroups, &born, task, d->container.pids_limit,
                          err);
    if (rc == 0 && !d->viewed)
        rc = cgroup_view_lay(&d->cgroups, &d->container.mountns,
                             &d->container.init, &born, err);
    d->viewed |= rc == 0;
out:
    wire_close(&in);
    process_close(&born);
    if (pair[1] >= 0)
        close(pair[1]);
    if (rc < 0) {
        close(pair[0]);
        return -1;
    }
    return pair[0];
}

static void refuse(struct stepd *d, int conn, struct berth_err *why)
{
    char line[sizeof(why->text) + 64], here[128];

    // Which node says so is half of what is to be done about it.
    snprintf(here, sizeof(here), "node %s", d->step.node);
    if (why->text[0] && !strstr(why->text, here))
        err_prefix(why, "%s", here);
    err_scrub(why->text);
    wire_send(conn, WIRE_REFUSE, WIRE_EXIT_BERTH, why->text, strlen(why->text),
              NULL, 0, MSG_DONTWAIT);
    if (why->text[0]) {
        snprintf(line, sizeof(line), "job %u, user %u: %s", d->step.job,
                 d->step.uid, why->text);
        tell_syslog(LOG_DAEMON | LOG_INFO, line);
    }
    // One sentence for the step on this node is enough.
    why->text[0] = 0;
}

static void warn(int conn, const char *text)
{
    char note[1100];
    int n = snprintf(note, sizeof(note), "berth: warning: %s", text);

    err_scrub(note);
    wire_send(conn, WIRE_NOTE, 0, note, (size_t)n, NULL, 0, MSG_DONTWAIT);
}

// Tells the first task here if the step's GPUs are far from its CPUs. TASK is
// in its cgroups by now.
static void advise(struct stepd *d, int conn, const struct process *task)
{
    char cpus[1024], text[1024];

    if (d->container.gpus.set.n == 0 || d->advised)
        return;
    d->advised = true;
    if (!cgroup_step_cpus(&d->cgroups, task, cpus, sizeof(cpus)) ||
        !gpu_set_is_far(&d->container.gpus.set, d->container.gpus.table,
                        d->step.node, cpus, text, sizeof(text)))
        return;
    warn(conn, text);
}

static void hand_over(struct stepd *d, int conn, const struct process *task)
{
    struct berth_err err = {0};
    int zero = 0;

    if (!d->up) {
        refuse(d, conn, &d->reason);
        return;
    }
    int link = mountns_add_task(&d->container.mountns, task, d->step.uid,
                                d->theirs, &d->attached, &err) < 0
                   ? -1
                   : fork_inside(d, task, &err);
    if (link < 0) {
        refuse(d, conn, d->up ? &err : &d->reason);
        return;
    }
    advise(d, conn, task);
    // What a rule would have refused, once for the step on this node.
    if (d->container.warning[0])
        warn(conn, d->container.warning);
    d->container.warning[0] = 0;
    if (d->container.advice[0])
        warn(conn, d->container.advice);
    d->container.advice[0] = 0;
    setsockopt(link, SOL_SOCKET, SO_PASSCRED, &zero, sizeof(zero));
    int fds[] = {link, d->changes};
    wire_send(conn, WIRE_ACCEPT, d->step.step == STEP_BATCH, NULL, 0, fds, 2,
              MSG_DONTWAIT);
    trace_phase("a task started", 0);
    close(link);
}

static void hear_task(struct stepd *d)
{
    struct process task = PROCESS_NONE;
    struct peer peer;

    trace_begin();
    if (peer_accept(d->listener, &peer) < 0)
        return;
    // The task has told of itself before it was berth-task.
    if (hear_plugin(d) && take_task(d, &peer, &task))
        hand_over(d, peer.conn, &task);
    process_close(&task);
    close(peer.conn);
}

// Until the step is over.
static void serve(struct stepd *d)
{
    while (!d->over) {
        struct pollfd p[] = {
            {.fd = PLUGIN, .events = POLLIN},
            {.fd = d->listener, .events = POLLIN},
            {.fd = d->up ? d->container.control : -1, .events = POLLIN},
        };
        if (poll(p, 3, -1) < 0 && errno != EINTR)
            return;
        if (p[0].revents && !hear_plugin(d))
            return;
        // berth-init says nothing on this link but by its end.
        if (p[2].revents)
            give_up(d, "the container has ended, stopped by its engine or for "
                       "want of memory");
        if (p[1].revents)
            hear_task(d);
    }
}

// Tries for a while, as the engine may be about to be restarted. What cannot
// be removed by then stays on record for the epilog.
static void clean_up(struct store_step *store)
{
    long long end = clock_ms() + CLEAN_MS;
    struct berth_err err = {0};

    while (removal_run(store, (long)(end - clock_ms()), &err) < 0) {
        if (clock_ms() >= end) {
            err_scrub(err.text);
            tell_syslog(LOG_DAEMON | LOG_ERR, err.text);
            trace_phase("removed", -1);
            return;
        }
        clock_sleep(CLEAN_STEP_MS);
    }
    trace_phase("removed", 0);
}

// For what an earlier step of the same name has left.
static int remove_old(struct store_step *store, struct berth_err *err)
{
    return removal_run(store, CLEAN_MS, err);
}

static void open_journal(struct stepd *d)
{
    const struct passwd *pw = getpwuid(d->step.uid);

    audit_log_open(&d->log, &d->step, pw ? pw->pw_name : NULL);
}

int main(void)
{
    static struct stepd d = {
        .watch = {.fd = PLUGIN, .go_on = step_goes_on, .arg = &d},
        .listener = -1,
        .container = {.init = PROCESS_NONE,
                      .control = -1,
                      .mountns = MOUNTNS_NONE},
        .changes = -1,
        .theirs = -1,
    };
    struct berth_err err = {0};

    harden();
    trace_start(&d.step);
    ulimits_raise_files(BERTH_TASKS_MAX + FILES);
    if (cgroup_init(&d.cgroups, &err) < 0 ||
        cgroup_leave_step(&d.cgroups, &err) < 0 ||
        trace_phase("facts received", receive_facts(&d, &err)) < 0 ||
        trace_phase("on record",
                    store_step_create(BERTH_STATEDIR, &d.step, remove_old,
                                      &d.store, &err)) < 0) {
        err_scrub(err.text);
        tell_plugin(LINK_FAILED, err.text);
        tell_syslog(LOG_DAEMON | LOG_ERR, err.text);
        open_journal(&d);
        audit_log_fail(&d.log, &err);
        return 1;
    }
    open_journal(&d);
    d.listener = listen_at(&d.store, "task", d.step.uid, &err);
    if (d.listener < 0) {
        tell_plugin(LINK_FAILED, err.text);
        audit_log_fail(&d.log, &err);
    } else {
        char path[sizeof(d.store.path) + 8];
        snprintf(path, sizeof(path), "%s/task", d.store.path);
        tell_plugin(LINK_READY, path);
        if (bring_up(&d, &d.reason) < 0) {
            container_close(&d.container);
            audit_log_fail(&d.log, &d.reason);
        }
        serve(&d);
        trace_phase("the step is over", 0);
        clock_sleep(YIELD_MS);
    }
    container_close(&d.container);
    audit_log_end(&d.log, "step");
    clean_up(&d.store);
    audit_log_close(&d.log);
    cgroup_clear(&d.cgroups);
    step_clear(&d.step);
    return 0;
}
