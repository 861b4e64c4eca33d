// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// berth-stepd: one per job step and node, root, beside slurmstepd. Its
// input: facts from the plugin (protocol/plugin.h), connections from the step's
// tasks and from berth-init (protocol/wire.h). What fails is told to the
// tasks, which end with the reason; nothing that happens here makes Slurm's
// own hooks fail. When the link to slurmstepd closes, for whatever reason,
// the step is over and its container with it, unless that is kept for a later
// step of the job: then this process stays as its keeper (stepd/share.h) and
// has nothing of the step any more.

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
#include "engine/libcurl.h"
#include "engine/watch.h"
#include "logic/err.h"
#include "logic/gpu.h"
#include "logic/limits.h"
#include "logic/step.h"
#include "node/audit_log.h"
#include "node/child.h"
#include "node/keep.h"
#include "node/removal.h"
#include "node/store.h"
#include "node/tell.h"
#include "protocol/passing.h"
#include "protocol/plugin.h"
#include "protocol/wire.h"
#include "stepd/cgroup.h"
#include "stepd/cgroup_view.h"
#include "stepd/container.h"
#include "stepd/join.h"
#include "stepd/keeper.h"
#include "stepd/listen.h"
#include "stepd/mountns.h"
#include "stepd/peer.h"
#include "stepd/process.h"
#include "stepd/save.h"
#include "stepd/share.h"
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
    // How often a keeper looks whether its job still goes on: berth-epilog
    // tells it, if there is one.
    LOOK_MS = 10000,
    // How long a step may take until it has a task.
    TASK_MS = 30000,
    // Descriptors beside those of the tasks: some dozens, and the mounts.
    FILES = 256,
    // Connections of others that are looked at before something else is.
    STRANGERS_MAX = 64,
    // What serve waits for besides the tasks that stand and the keeper's peers.
    FIXED = 5,
};

// A task, forked by slurmstepd and not yet served.
struct waiting {
    pid_t pid;
    int pidfd;
};

// A task whose program is to be saved behind: its link stays.
struct standing {
    int conn;
    bool done;  // the program has ended
    int status; // how
};

struct stepd {
    struct watch watch; // whether the step goes on
    bool over;          // it does not: the plugin has gone
    size_t ngone;       // tasks that have ended
    bool left;          // the plugin has heard that the container has none
    struct step step;
    struct store_step store;
    struct cgroups cgroups;
    pid_t prime;       // a child (stepd/cgroup.h), until a task has started
    int listener;      // where the tasks connect
    struct peer first; // one that has, before there was a container; or none
    struct container container;
    struct audit_log log;
    struct keeper keeper;      // others that want the container, or have it
    char run[STORE_NONCE_MAX]; // of the job (node/store.h)
    bool up;                   // the container is there
    bool inside;               // and the step is in it
    bool used;                 // something may run in it
    long long idle;            // since when nothing does, by clock_ms
    bool advised;              // the first task has heard where its GPUs are
    bool attached;             // with what the job has of its own
    bool answered;             // the first task has what there is for it
    bool viewed;               // the job's cgroups are to be seen
    struct berth_err reason;   // why it is not: for the first task
    int changes;               // descriptor of it (protocol/wire.h)
    int theirs; // the mount namespace of the tasks, once one has told of it
    size_t ntasks;
    struct waiting tasks[BERTH_TASKS_MAX];
    size_t nstanding;
    struct standing standing[BERTH_TASKS_MAX];
    struct save save;                // that goes on
    struct container shared;         // of which others are kept out meanwhile
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
    ssize_t n = passing_receive(PLUGIN, d->packet, BERTH_FACT_MAX + 1, fds,
                                LINK_TASK_FDS, flags | MSG_TRUNC);

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

static bool hear_plugin(struct stepd *d);
static bool is_task(const struct stepd *d, const struct peer *peer);

// Takes the connection of the first task that is there, if none is held.
static bool hold_first(struct stepd *d)
{
    struct pollfd p = {.fd = d->listener, .events = POLLIN};

    // Any process of the user's can connect, as often as it likes.
    for (int n = 0; d->first.conn < 0 && !d->over && n < STRANGERS_MAX &&
                    poll(&p, 1, 0) > 0;
         n++) {
        if (peer_accept(d->listener, &d->first) < 0) {
            d->first.conn = -1;
            return false;
        }
        if (hear_plugin(d) && is_task(d, &d->first))
            break;
        close(d->first.conn);
        d->first.conn = -1;
    }
    return d->first.conn >= 0;
}

// Tells the first task, while its container is being made, how far that is.
static void say_line(void *arg, const char *line)
{
    struct stepd *d = arg;
    char note[1100];

    if (!hold_first(d))
        return;
    int n = snprintf(note, sizeof(note), "berth: %s", line);
    err_scrub(note);
    wire_send(d->first.conn, WIRE_NOTE, WIRE_NOTE_PROGRESS, note,
              n < (int)sizeof(note) ? (size_t)n : sizeof(note) - 1, NULL, 0,
              MSG_DONTWAIT);
}

// Puts the process PID, before it becomes the user's, where the step's first
// task is. That has connected, so Slurm has put it into all of its cgroups:
// what was not in that by which Slurm kills would be left when it takes the
// others away.
static int confine(void *arg, pid_t pid, struct berth_err *err)
{
    struct process process = PROCESS_NONE, task = PROCESS_NONE;
    long long end = clock_ms() + TASK_MS;
    struct stepd *d = arg;
    int pidfd = -1;

    while (!hold_first(d)) {
        if (watch_wait(&d->watch, d->listener, WATCH_MS) < 0)
            return err_set(err, BERTH_EENDED, "nobody waits for it");
        if (clock_ms() >= end)
            return err_set(err, BERTH_ESYS, "the step has no task yet");
    }
    for (size_t i = 0; i < d->ntasks; i++)
        if (d->tasks[i].pid == d->first.pid)
            pidfd = fcntl(d->tasks[i].pidfd, F_DUPFD_CLOEXEC, 0);
    int rc = pidfd < 0 || process_hold(d->first.pid, pidfd, &task) < 0 ||
                     process_hold(pid, -1, &process) < 0
                 ? err_set(err, BERTH_ESYS, "a task has ended already")
                 : cgroup_join_like(&d->cgroups, &process, &task, 0, err);
    process_close(&process);
    process_close(&task);
    return rc;
}

// Where a job may have a mount namespace of its own, the first task tells of
// it: what is to be mounted is what it is there.
static int await_theirs(struct stepd *d, struct berth_err *err)
{
    struct pollfd p = {.fd = PLUGIN, .events = POLLIN};

    while (d->theirs < 0) {
        poll(&p, 1, -1);
        if (!hear_plugin(d))
            return err_set(err, BERTH_EENDED,
                           "the step ended while its container was being made");
    }
    return 0;
}

static int bring_up(struct stepd *d, struct berth_err *err)
{
    const struct container_listener listener = {
        .say = say_line, .confine = confine, .arg = d};

    if ((d->step.apart && await_theirs(d, err) < 0) ||
        container_create(&d->step, d->theirs, &d->cgroups, &d->store, &d->log,
                         &d->watch, &listener, &d->container, err) < 0)
        return -1;
    if (d->container.answer >= 0)
        return 0;
    d->changes = seal_overlay(&d->container.changes, err);
    if (d->changes < 0)
        return -1;
    d->up = d->inside = d->used = true;
    // One that was taken over has what its job brings.
    d->attached = d->container.keeper >= 0;
    trace_phase("up", 0);
    audit_log_start(&d->log, d->store.dir);
    return 0;
}

// Takes in that there is a task, if the packet says so that came with FDS.
static void add_task(struct stepd *d, int fds[LINK_TASK_FDS])
{
    bool told = strcmp(d->packet, LINK_TASK) == 0 && fds[0] >= 0 && fds[1] >= 0;
    pid_t pid = told ? process_number(fds[0]) : -1;

    if (pid > 1 && d->ntasks < BERTH_TASKS_MAX) {
        d->tasks[d->ntasks++] = (struct waiting){pid, fds[0]};
        fds[0] = -1;
        // Slurm puts all tasks of a step into one.
        if (d->theirs < 0) {
            d->theirs = fds[1];
            fds[1] = -1;
        }
    }
    close_all(fds);
}

static bool all_gone(const struct stepd *d)
{
    return d->ngone >= d->step.ntasks;
}

// The plugin waits for it when the last task has ended.
static void say_left(struct stepd *d)
{
    if (!d->left && all_gone(d))
        tell_plugin(LINK_LEFT, "");
    d->left |= all_gone(d);
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
        if (n > 0 && strcmp(d->packet, LINK_GONE) == 0)
            d->ngone++;
        add_task(d, fds);
    }
    if (!d->inside)
        say_left(d);
    return !d->over;
}

// Whatever is waited for, the tasks that are told of meanwhile are noted, and
// the end of the step ends it.
static bool step_goes_on(void *arg)
{
    struct stepd *d = arg;

    return hear_plugin(d);
}

static bool is_task(const struct stepd *d, const struct peer *peer)
{
    for (size_t i = 0; i < d->ntasks; i++)
        if (d->tasks[i].pid == peer->pid && peer->uid == d->step.uid)
            return true;
    return false;
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
    keeper_close(&d->keeper);
    d->up = d->inside = false;
    audit_log_end(&d->log, "container");
    err_set(&d->reason, BERTH_EENGINE, "%s", why);
    if (!d->over)
        tell_plugin(LINK_ENDED, why);
}

// The job's cgroups, as the container shows them. Those that an earlier step
// has seen may be gone with it, and several guests be the first that see new
// ones.
struct showing {
    int lock;
    pid_t child; // that sees to it, or 0
};

// Begins that for the first task of a guest, like the Slurm task TASK.
static struct showing begin_showing(struct stepd *d, const struct process *task)
{
    bool now = d->container.keeper >= 0 && !d->viewed;
    struct showing showing = {now ? join_lock(&d->step, &d->watch) : -1, 0};

    if (now)
        showing.child =
            cgroup_view_renew(&d->cgroups, &d->container.mountns, task);
    return showing;
}

// Ends it for that task's process in the container, or (NULL) there is none.
static int end_showing(struct stepd *d, struct showing *showing,
                       const struct process *born, struct berth_err *err)
{
    int rc = 0;

    cgroup_view_await(showing->child);
    if (born && !d->viewed &&
        (d->container.keeper < 0 ||
         !cgroup_view_holds(&d->cgroups, &d->container.mountns, born)))
        rc = cgroup_view_lay(&d->cgroups, &d->container.mountns,
                             &d->container.init, born, err);
    d->viewed |= born && rc == 0;
    if (showing->lock >= 0)
        close(showing->lock);
    return rc;
}

// Has berth-init fork a process, sees to it that it is one of the container
// and the user's, and puts it where the Slurm task TASK is. Returns the
// task link's other end.
static int fork_inside(struct stepd *d, const struct process *task,
                       struct berth_err *err)
{
    struct process born = PROCESS_NONE;
    int pair[2], one = 1, rc = -1;
    struct showing showing;
    struct wire_in in = {0};

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return err_set(err, BERTH_ESYS, "socketpair: %m");
    showing = begin_showing(d, task);
    if (setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)) < 0 ||
        wire_send(d->container.control, WIRE_FORK, (int32_t)getpid(), NULL, 0,
                  &pair[1], 1, MSG_DONTWAIT) < 0) {
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
                   "been stopped by a signal: start the step again");
    }
    if (came <= 0)
        goto out;
    if (wire_recv(pair[0], &in, MSG_DONTWAIT) != 1 ||
        in.msg.type != WIRE_BORN || in.uid != d->container.uid || in.pid <= 1 ||
        process_hold(in.pid, -1, &born) < 0 ||
        !process_is_within(&born, &d->container.init)) {
        err_set(err, BERTH_EENGINE,
                "the container could not start the task: it may have ended, "
                "or have no room for another process (ulimit -u, pids_limit of "
                "berth.conf)");
        goto out;
    }
    rc = cgroup_join_like(&d->cgroups, &born, task, d->container.pids_limit,
                          err);
out:
    rc = end_showing(d, &showing, rc == 0 ? &born : NULL, err) < 0 ? -1 : rc;
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
    err_advise(why);
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

static void note(int conn, const char *text)
{
    char line[1100];
    int n = snprintf(line, sizeof(line), "berth: %s", text);

    err_scrub(line);
    wire_send(conn, WIRE_NOTE, 0, line, (size_t)n, NULL, 0, MSG_DONTWAIT);
}

static void warn(int conn, const char *text)
{
    char line[1060];

    snprintf(line, sizeof(line), "warning: %s", text);
    note(conn, line);
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

// Has srun told, by the first task here, which image this node has.
static void tell_srun(struct stepd *d, int conn)
{
    char text[WIRE_TEXT_MAX];

    if (!d->container.tells[0])
        return;
    int n = snprintf(text, sizeof(text), "%s %s %s\n", d->step.compare,
                     d->step.node, d->container.tells);
    if (n < (int)sizeof(text))
        wire_send(conn, WIRE_TELL, 0, text, (size_t)n, NULL, 0, MSG_DONTWAIT);
    d->container.tells[0] = 0;
}

// Once for the step on this node.
static void say_all(struct stepd *d, int conn)
{
    if (d->container.fetched[0])
        note(conn, d->container.fetched);
    d->container.fetched[0] = 0;
    for (size_t i = 0; i < d->container.warnings.n; i++)
        warn(conn, d->container.warnings.v[i]);
    strv_clear(&d->container.warnings);
}

// The step has no container. Its first task has something to write, and the
// others nothing to do.
static void answer(struct stepd *d, int conn)
{
    say_all(d, conn);
    wire_send(conn, WIRE_ANSWER, d->container.lacks ? WIRE_EXIT_BERTH : 0, NULL,
              0, &d->container.answer, d->answered ? 0 : 1, MSG_DONTWAIT);
    d->answered = true;
}

// Returns whether CONN stays open.
static bool hand_over(struct stepd *d, int conn, const struct process *task)
{
    bool saves = d->container.save.target && d->nstanding < BERTH_TASKS_MAX;
    int accept = (d->step.step == STEP_BATCH ? WIRE_ACCEPT_BATCH : 0) |
                 (saves ? WIRE_ACCEPT_SAVE : 0);
    struct berth_err err = {0};
    int zero = 0;

    if (d->container.answer >= 0) {
        answer(d, conn);
        return false;
    }
    if (!d->up) {
        refuse(d, conn, &d->reason);
        return false;
    }
    int link =
        mountns_add_task(&d->container.mountns, task, d->step.uid, d->theirs,
                         &d->attached, &d->container.terminal, &err) < 0
            ? -1
            : fork_inside(d, task, &err);
    if (link < 0) {
        refuse(d, conn, d->up ? &err : &d->reason);
        return false;
    }
    advise(d, conn, task);
    tell_srun(d, conn);
    say_all(d, conn);
    setsockopt(link, SOL_SOCKET, SO_PASSCRED, &zero, sizeof(zero));
    int fds[] = {link, d->changes};
    wire_send(conn, WIRE_ACCEPT, accept, NULL, 0, fds, 2, MSG_DONTWAIT);
    trace_phase("a task started", 0);
    close(link);
    if (saves)
        d->standing[d->nstanding++] = (struct standing){.conn = conn};
    return saves;
}

static void hear_task(struct stepd *d)
{
    struct process task = PROCESS_NONE;
    struct peer peer = d->first;

    trace_begin();
    if (peer.conn < 0 && peer_accept(d->listener, &peer) < 0)
        return;
    d->first.conn = -1;
    // The task has told of itself before it was berth-task.
    bool stays = hear_plugin(d) && take_task(d, &peer, &task) &&
                 hand_over(d, peer.conn, &task);
    process_close(&task);
    if (!stays)
        close(peer.conn);
}

// ---- a container that outlives its step ----------------------------------

// Has berth-init kill whatever is left running, or (STEP not 0) the tasks of
// one step. 0, or -1.
static int clear(struct stepd *d, pid_t step)
{
    struct pollfd p = {.events = POLLIN};
    struct wire_in in = {0};
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return -1;
    p.fd = pair[0];
    int rc = wire_send(d->container.control, WIRE_CLEAR, (int32_t)step, NULL, 0,
                       &pair[1], 1, MSG_DONTWAIT);
    close(pair[1]);
    if (rc == 0)
        rc = poll(&p, 1, LISTEN_MS) == 1 &&
                     wire_recv(pair[0], &in, MSG_DONTWAIT) == 1 &&
                     in.msg.type == WIRE_CLEARED
                 ? 0
                 : -1;
    wire_close(&in);
    close(pair[0]);
    return rc;
}

static void give_up_unclear(struct stepd *d)
{
    process_kill(&d->container.init);
    give_up(d, "the container could not be cleared of a step that is over: "
               "try again");
}

// Of a guest that was killed the tasks are left, while others are in the
// container.
static void clear_guests(struct stepd *d)
{
    bool others = d->inside || d->keeper.inside > 0;

    while (d->keeper.nleft > 0) {
        pid_t guest = d->keeper.left[--d->keeper.nleft];
        if (d->up && others && clear(d, guest) < 0)
            give_up_unclear(d);
    }
}

// No step is in the container: makes it what the next one is to find.
static void tidy(struct stepd *d)
{
    if (clear(d, 0) < 0 ||
        mountns_forget_task(&d->container.mountns, NULL) < 0) {
        give_up_unclear(d);
        return;
    }
    d->used = false;
    d->idle = clock_ms();
    trace_phase("cleared", 0);
}

// ---- what is saved of it -------------------------------------------------

static void drop_standing(struct stepd *d, size_t i)
{
    close(d->standing[i].conn);
    d->standing[i] = d->standing[--d->nstanding];
}

// The tasks may end, as their programs did.
static void let_go(struct stepd *d)
{
    while (d->nstanding > 0) {
        wire_send(d->standing[d->nstanding - 1].conn, WIRE_LEAVE, 0, NULL, 0,
                  NULL, 0, MSG_DONTWAIT);
        drop_standing(d, d->nstanding - 1);
    }
}

// Nothing was saved, for the reason WHY: the tasks have failed.
static void fail_save(struct stepd *d, struct berth_err *why)
{
    audit_log_note(&d->log, "not_saved", why->text);
    while (d->nstanding > 0) {
        refuse(d, d->standing[d->nstanding - 1].conn, why);
        drop_standing(d, d->nstanding - 1);
    }
}

static void stop_save(struct stepd *d)
{
    save_end(&d->save);
    container_close(&d->shared);
}

// Sees to it that no other step is in the container until stop_save. 0, or -1
// with ERR set.
static int be_alone(struct stepd *d, struct berth_err *err)
{
    struct engine_image image = {0};
    const char *host = d->container.host;
    bool alone = d->keeper.inside == 0;

    if (d->container.keeper >= 0)
        alone = share_join(&d->step, host, KEEP_SAVE, &d->watch, &d->shared,
                           &image) > 0;
    engine_image_clear(&image);
    return alone ? 0
                 : err_set(err, BERTH_EBUSY,
                           "nothing was saved: another step is in the "
                           "container: let the last one save it");
}

// What the engine calls the container, by the record of the step that made it.
static int read_record(struct stepd *d, struct store_record *out,
                       struct berth_err *err)
{
    struct store_step host = {.dir = -1};
    int rc;

    if (d->container.keeper < 0)
        return store_record_read(&d->store, out, err);
    host.dir = store_step_dir(BERTH_STATEDIR, d->step.node, d->container.host);
    rc = host.dir < 0 ? err_set(err, BERTH_ENOTFOUND,
                                "nothing was saved: the container has ended")
                      : store_record_read(&host, out, err);
    if (host.dir >= 0)
        close(host.dir);
    return rc;
}

// All programs have ended: begins to save, if that is wanted.
static void start_save(struct stepd *d)
{
    const struct container *c = &d->container;
    struct berth_err err = {0};
    static struct store_record record;
    bool failed = d->ngone > 0;

    for (size_t i = 0; i < d->nstanding; i++)
        failed |= d->standing[i].status != 0;
    if (failed && !c->save.always) {
        note(d->standing[0].conn,
             "nothing is saved, as a task has failed: with :always it is");
        audit_log_note(&d->log, "not_saved", "a task has failed");
        let_go(d);
        return;
    }
    if (!d->up)
        err_set(&err, BERTH_EENGINE,
                "nothing was saved: the container has "
                "ended");
    else if (be_alone(d, &err) == 0 && clear(d, 0) < 0)
        err_set(&err, BERTH_EENGINE,
                "nothing was saved: the container does not answer");
    if (!err.text[0] && read_record(d, &record, &err) == 0)
        save_begin(&d->step, &c->save, &record, &c->init, c->mountns.ns,
                   d->theirs, &d->save, &err);
    if (!err.text[0])
        return;
    stop_save(d);
    fail_save(d, &err);
}

// A task that stands says that its program has ended. One that goes while
// something is saved was told to by somebody: then nobody wants that.
static void hear_standing(struct stepd *d, size_t i)
{
    struct berth_err err = {0};
    struct wire_in in;
    int got = wire_recv(d->standing[i].conn, &in, MSG_DONTWAIT);

    if (got < 0 && errno == EAGAIN)
        return;
    if (got == 1 && in.msg.type == WIRE_DONE && !d->standing[i].done) {
        d->standing[i].done = true;
        d->standing[i].status = in.msg.value;
        return;
    }
    if (got == 1)
        wire_close(&in);
    drop_standing(d, i);
    if (d->save.pid <= 0)
        return;
    stop_save(d);
    err_set(&err, BERTH_EENDED,
            "nothing was saved: a task was ended meanwhile");
    fail_save(d, &err);
}

static void hear_save(struct stepd *d)
{
    struct berth_err err = {0};
    char line[SAVE_TEXT_MAX];
    char text[SAVE_TEXT_MAX + 16];
    int n;

    switch (save_hear(&d->save, line, &err)) {
    case SAVE_NOTHING:
        return;
    case SAVE_PROGRESS:
        n = snprintf(text, sizeof(text), "berth: %s", line);
        err_scrub(text);
        wire_send(d->standing[0].conn, WIRE_NOTE, WIRE_NOTE_PROGRESS, text,
                  (size_t)n, NULL, 0, MSG_DONTWAIT);
        return;
    case SAVE_DONE:
        trace_phase("saved", 0);
        audit_log_note(&d->log, "saved", d->container.save.target);
        note(d->standing[0].conn, line);
        stop_save(d);
        let_go(d);
        return;
    default:
        trace_phase("saved", -1);
        stop_save(d);
        fail_save(d, &err);
    }
}

// Looks whether it is time to save.
static void attend_save(struct stepd *d)
{
    size_t done = 0;

    if (d->save.pid > 0) {
        hear_save(d);
        return;
    }
    for (size_t i = 0; i < d->nstanding; i++)
        done += d->standing[i].done;
    if (done > 0 && done == d->nstanding && done + d->ngone >= d->step.ntasks)
        start_save(d);
}

// Says whether the container may serve a later step: it has served this one,
// so that all is there that a job brings to its first task.
static bool is_kept(const struct stepd *d)
{
    return d->up && d->container.keeper < 0 && d->container.keeps &&
           d->attached && d->viewed && !d->keeper.end;
}

// The step is over, as far as its container goes, when its tasks on this node
// are: nothing of theirs is to be found by the next step, which can begin as
// soon as srun hears of their ends.
static void leave(struct stepd *d)
{
    bool guest = d->container.keeper >= 0;
    bool gone = all_gone(d);

    // Where slurmstepd was killed, nothing is kept.
    if (!d->inside || !(gone ? guest || is_kept(d) : guest && d->over))
        return;
    d->inside = false;
    container_take_own(&d->container, &d->step);
    if (guest) {
        container_close(&d->container);
        d->up = false;
    } else {
        audit_log_note(&d->log, "container", "kept");
    }
    say_left(d);
    audit_log_end(&d->log, "step");
}

// Nothing of the step is held any more.
static void forget_step(struct stepd *d)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null < 0 || dup2(null, PLUGIN) < 0)
        close(PLUGIN);
    if (null > PLUGIN)
        close(null);
    while (d->ntasks > 0)
        close(d->tasks[--d->ntasks].pidfd);
    int *held[] = {&d->listener, &d->changes, &d->theirs};
    for (size_t i = 0; i < sizeof(held) / sizeof(*held); i++) {
        if (*held[i] >= 0)
            close(*held[i]);
        *held[i] = -1;
    }
}

// Says whether the job still goes on, as far as the prolog's record says, and
// whether there is an epilog to tell of its end: berth may have been removed.
static bool job_goes_on(const struct stepd *d)
{
    struct store_job job;

    return access(BERTH_SBINDIR "/berth-epilog", X_OK) == 0 &&
           store_job_read(BERTH_STATEDIR, d->step.node, d->step.job, &job,
                          NULL) == 0 &&
           strcmp(job.run, d->run) == 0;
}

// What a keeper ends for, or NULL: it goes on.
static const char *why_over(const struct stepd *d)
{
    if (!d->over)
        return NULL;
    if (!d->up || d->inside)
        return "step";
    if (d->keeper.end)
        return "job";
    if (d->keeper.inside > 0)
        return NULL;
    if (clock_ms() - d->idle >= d->container.idle_s * 1000LL)
        return "idle";
    return job_goes_on(d) ? NULL : "job";
}

// How long nothing has to happen until why_over or attend_save may say
// something else.
static int patience(const struct stepd *d)
{
    if (d->save.pid > 0)
        return WATCH_MS;
    if (!d->over || !d->up || d->inside || d->keeper.inside > 0)
        return -1;
    long long left = d->idle + d->container.idle_s * 1000LL - clock_ms();
    return left < 0 ? 0 : left > LOOK_MS ? LOOK_MS : (int)left;
}

static void answer_guests(struct stepd *d)
{
    bool mine = d->up && d->container.keeper < 0;
    const struct keeper_offer offer = {
        .container = &d->container,
        .never = !mine || d->keeper.end,
        .ready = d->attached && d->viewed && d->save.pid <= 0,
        .free = mine && is_kept(d) && !d->inside && !d->used,
        .own = d->inside,
        .mine = mine,
    };

    keeper_answer(&d->keeper, &offer);
    d->used |= d->keeper.inside > 0;
    if (d->up && d->keeper.given > 0 && !d->inside && !d->log.started)
        audit_log_keep(&d->log, d->store.dir);
}

// Nothing but time is lost without it.
static int begin_prime(struct stepd *d)
{
    d->prime = cgroup_keep_warm(&d->cgroups);
    return 0;
}

static void end_prime(struct stepd *d)
{
    if (d->prime > 0)
        child_end(d->prime);
    d->prime = -1;
}

// Until the step is over, and its container is not kept any longer. Says why.
static const char *serve(struct stepd *d)
{
    static struct pollfd p[FIXED + BERTH_TASKS_MAX + KEEPER_PEERS_MAX + 1];
    const char *why;
    bool forgotten = false;

    if (d->first.conn >= 0)
        hear_task(d);
    for (;;) {
        if (d->viewed || d->over)
            end_prime(d);
        attend_save(d);
        leave(d);
        say_left(d); // where there is nothing to be left as well
        clear_guests(d);
        if (d->over && !forgotten) {
            stop_save(d);
            let_go(d);
            forget_step(d);
            forgotten = true;
        }
        if (d->up && !d->inside && d->used && d->keeper.inside == 0)
            tidy(d);
        if ((why = why_over(d)))
            return why;
        answer_guests(d);
        p[0] = (struct pollfd){d->over ? -1 : PLUGIN, POLLIN, 0};
        p[1] = (struct pollfd){d->listener, POLLIN, 0};
        p[2] = (struct pollfd){d->up ? d->container.control : -1, POLLIN, 0};
        p[3] = (struct pollfd){d->up ? d->container.keeper : -1, POLLIN, 0};
        p[4] = (struct pollfd){d->save.link, POLLIN, 0};
        size_t standing = d->nstanding;
        for (size_t i = 0; i < standing; i++)
            p[FIXED + i] = (struct pollfd){d->standing[i].conn, POLLIN, 0};
        struct pollfd *peers = p + FIXED + standing;
        nfds_t n = FIXED + standing + keeper_poll(&d->keeper, peers);
        if (poll(p, n, patience(d)) < 0) {
            if (errno != EINTR)
                return "step";
            continue;
        }
        if (p[0].revents) {
            // The end of the step comes before those who wait for it.
            hear_plugin(d);
            continue;
        }
        // From the last to the first, as the last takes a place that is free.
        for (size_t i = standing; i-- > 0 && i < d->nstanding;)
            if (p[FIXED + i].revents)
                hear_standing(d, i);
        // berth-init says nothing on this link but by its end.
        if (p[2].revents)
            give_up(d, "the container has ended, stopped by its engine or for "
                       "want of memory: ask Slurm for more (--mem), or tell "
                       "your administrator");
        else if (p[3].revents)
            give_up(d,
                    "the container has ended: the step that made it is over, "
                    "or what kept it for the steps of this job was killed: try "
                    "again");
        else
            keeper_hear(&d->keeper, peers);
        if (p[1].revents && !d->over)
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

// A requeued job's step has the name of an earlier run's. Where no epilog has
// ended what that run has kept, this does.
static int create_store(struct stepd *d, struct berth_err *err)
{
    long long end = clock_ms() + CLEAN_MS;
    struct store_job job;
    char name[STEP_NAME_MAX];
    int rc;

    if (store_job_read(BERTH_STATEDIR, d->step.node, d->step.job, &job, NULL) ==
        0)
        memcpy(d->run, job.run, sizeof(d->run));
    step_name(d->step.job, d->step.step, name);
    while ((rc = store_step_create(BERTH_STATEDIR, &d->step, remove_old,
                                   &d->store, err)) < 0 &&
           err->code == BERTH_ETIMEOUT && clock_ms() < end) {
        keep_end(BERTH_STATEDIR, d->step.node, name);
        clock_sleep(CLEAN_STEP_MS);
    }
    return rc;
}

static void open_journal(struct stepd *d)
{
    const struct passwd *pw = getpwuid(d->step.uid);

    audit_log_open(&d->log, &d->step, pw ? pw->pw_name : NULL);
}

// A job's first steps have no container to take over. For them what the engine
// is asked with is loaded while slurmstepd still gets ready.
static void load_early(const char *name)
{
    const char *step = name ? strrchr(name, '.') : NULL;

    if (step && !(step[1] >= '1' && step[1] <= '9'))
        libcurl_load(NULL);
}

int main(int argc, char **argv)
{
    static struct stepd d = {
        .watch = {.fd = PLUGIN, .go_on = step_goes_on, .arg = &d},
        .listener = -1,
        .first = {.conn = -1},
        .container = CONTAINER_NONE,
        .keeper = {.listener = -1},
        .changes = -1,
        .theirs = -1,
        .save = SAVE_NONE,
        .shared = CONTAINER_NONE,
    };
    struct berth_err err = {0};
    const char *why = "step";

    harden();
    load_early(argc > 1 ? argv[1] : NULL);
    trace_start(&d.step);
    ulimits_raise_files(BERTH_TASKS_MAX + FILES);
    if (cgroup_init(&d.cgroups, &err) < 0 ||
        cgroup_leave_step(&d.cgroups, &err) < 0 || begin_prime(&d) < 0 ||
        trace_phase("facts received", receive_facts(&d, &err)) < 0 ||
        trace_phase("on record", create_store(&d, &err)) < 0) {
        err_advise(&err);
        err_scrub(err.text);
        tell_plugin(LINK_FAILED, err.text);
        tell_syslog(LOG_DAEMON | LOG_ERR, err.text);
        open_journal(&d);
        audit_log_fail(&d.log, &err);
        return 1;
    }
    open_journal(&d);
    d.listener = listen_at(&d.store, "task", d.step.uid, &err);
    if (d.listener < 0 || keeper_open(&d.store, &d.keeper, &err) < 0) {
        err_advise(&err);
        tell_plugin(LINK_FAILED, err.text);
        audit_log_fail(&d.log, &err);
    } else {
        char path[sizeof(d.store.path) + 8];
        snprintf(path, sizeof(path), "%s/task", d.store.path);
        tell_plugin(LINK_READY, path);
        if (bring_up(&d, &d.reason) < 0) {
            join_forget(&d.store);
            container_close(&d.container);
            audit_log_fail(&d.log, &d.reason);
        }
        why = serve(&d);
        trace_phase("the step is over", 0);
        clock_sleep(YIELD_MS);
    }
    end_prime(&d);
    stop_save(&d);
    keeper_close(&d.keeper);
    container_close(&d.container);
    audit_log_end(&d.log, why);
    clean_up(&d.store);
    audit_log_close(&d.log);
    cgroup_clear(&d.cgroups);
    step_clear(&d.step);
    return 0;
}
