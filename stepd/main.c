// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// berth-stepd: one per job step and node, root, beside slurmstepd. Its
// input: facts from the plugin (stepd/link.h), connections from the step's
// tasks and from berth-init (handover/wire.h). What fails is told to the
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

#include "core/err.h"
#include "core/gpu.h"
#include "core/limits.h"
#include "core/step.h"
#include "engine/clock.h"
#include "engine/watch.h"
#include "handover/wire.h"
#include "stepd/container.h"
#include "stepd/inside.h"
#include "stepd/journal.h"
#include "stepd/link.h"
#include "stepd/listen.h"
#include "stepd/peer.h"
#include "stepd/place.h"
#include "stepd/removal.h"
#include "stepd/store.h"

enum {
    PLUGIN = 0, // the link to the plugin is standard input
    // How long the end of a step goes before the removal of its container,
    // which takes the engine so much work that srun would end later for it.
    YIELD_MS = 20,
    // How long to try to clean up: less than the epilog waits for it.
    CLEAN_MS = 15000,
    CLEAN_STEP_MS = 250,
};

struct stepd {
    char *buf;          // for the plugin's packets: of BERTH_FACT_MAX + 2 bytes
    struct watch watch; // whether the step goes on
    struct step step;
    struct store_step store;
    struct place place;
    int listener; // where the tasks connect
    struct container container;
    struct journal journal;
    bool up;                 // the container is there
    bool advised;            // the first task has heard where its GPUs are
    bool attached;           // with what the job has of its own
    struct berth_err reason; // why it is not: for the first task
    int overlay;             // descriptor of it (handover/wire.h)
    ino_t pidns;             // the container's pid namespace
    size_t ntasks;
    pid_t tasks[BERTH_TASKS_MAX]; // forked by slurmstepd, not yet served
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
    openlog("berth-stepd", LOG_PID, LOG_DAEMON);
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

// Receives one packet into BUF, which has room for BERTH_FACT_MAX bytes and
// a NUL. Returns its length, 0 at the end of the link, or -1.
static ssize_t receive(char *buf, int flags)
{
    ssize_t n;

    do
        n = recv(PLUGIN, buf, BERTH_FACT_MAX + 1, flags | MSG_TRUNC);
    while (n < 0 && errno == EINTR);
    if (n > BERTH_FACT_MAX) {
        errno = EMSGSIZE;
        return -1;
    }
    if (n >= 0)
        buf[n] = 0;
    return n;
}

static int receive_facts(struct step *step, char *buf, struct berth_err *err)
{
    for (;;) {
        ssize_t n = receive(buf, 0);
        if (n <= 0)
            return err_set(err, BERTH_EINVAL, "the plugin went away");
        if (strcmp(buf, LINK_BEGIN) == 0)
            return step_check(step, err);
        if (step_add_fact(step, buf, (size_t)n, err) < 0)
            return -1;
    }
}

// Puts the strings of the overlay into a sealed memfd.
static int seal_overlay(const struct strv *overlay, struct berth_err *err)
{
    int fd = memfd_create("berth-overlay", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    for (size_t i = 0; fd >= 0 && i < overlay->n; i++) {
        size_t len = strlen(overlay->v[i]) + 1;
        if (write(fd, overlay->v[i], len) != (ssize_t)len) {
            close(fd);
            fd = -1;
        }
    }
    if (fd < 0 || fcntl(fd, F_ADD_SEALS,
                        F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW |
                            F_SEAL_WRITE) < 0) {
        err_set(err, BERTH_ESYS, "preparing the environment: %m");
        if (fd >= 0)
            close(fd);
        return -1;
    }
    return fd;
}

static bool pid_namespace(pid_t pid, ino_t *out)
{
    char path[64];
    struct stat st;

    snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int)pid);
    if (stat(path, &st) < 0)
        return false;
    *out = st.st_ino;
    return true;
}

static int bring_up(struct stepd *d, struct berth_err *err)
{
    if (container_create(&d->step, &d->place, &d->store, &d->journal,
                         &d->watch, &d->container, err) < 0)
        return -1;
    d->overlay = seal_overlay(&d->container.overlay, err);
    if (d->overlay < 0 || !pid_namespace(d->container.pid, &d->pidns)) {
        container_close(&d->container);
        return err->code ? -1 : err_set(err, BERTH_ESYS, "the container died");
    }
    d->up = true;
    journal_start(&d->journal, d->store.dir);
    return 0;
}

// Takes in what the plugin has sent. False: the step is over.
static bool hear_plugin(struct stepd *d, char *buf)
{
    for (;;) {
        ssize_t n = receive(buf, MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
            return true;
        if (n <= 0)
            return false;
        char *end;
        size_t key = strlen(LINK_TASK);
        long pid = strncmp(buf, LINK_TASK, key) == 0
                       ? strtol(buf + key, &end, 10)
                       : 0;
        if (pid > 1 && pid <= INT32_MAX && *end == 0 &&
            d->ntasks < BERTH_TASKS_MAX)
            d->tasks[d->ntasks++] = (pid_t)pid;
    }
}

// Whatever is waited for, the tasks that are told of meanwhile are noted, and
// the end of the step ends it.
static bool step_goes_on(void *arg)
{
    struct stepd *d = arg;

    return hear_plugin(d, d->buf);
}

// Says whether PEER is a task of the step that has not been here yet: its
// pid may be another process's later.
static bool is_task(struct stepd *d, const struct peer *peer)
{
    for (size_t i = 0; i < d->ntasks; i++)
        if (d->tasks[i] == peer->pid && peer->uid == d->step.uid) {
            d->tasks[i] = d->tasks[--d->ntasks];
            return true;
        }
    return false;
}

// Has berth-init fork a process, sees to it that it is one of the container
// and the user's, and puts it where the Slurm task TASK is. Returns the
// task link's other end.
static int fork_inside(struct stepd *d, pid_t task, struct berth_err *err)
{
    int pair[2], one = 1, rc = -1;
    struct wire_in in = {0};
    ino_t pidns;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return err_set(err, BERTH_ESYS, "socketpair: %m");
    if (setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)) < 0 ||
        listen_timeout(pair[0]) < 0 ||
        wire_send(d->container.control, WIRE_FORK, 0, NULL, 0, &pair[1], 1,
                  0) < 0) {
        err_set(err, BERTH_EENGINE, "the container has ended");
        goto out;
    }
    close(pair[1]);
    pair[1] = -1;
    if (watch_wait(&d->watch, pair[0], LISTEN_MS) <= 0 ||
        wire_recv(pair[0], &in, 0) != 1 || in.msg.type != WIRE_BORN ||
        in.uid != d->step.uid || in.pid <= 1 ||
        !pid_namespace(in.pid, &pidns) || pidns != d->pidns) {
        err_set(err, BERTH_EENGINE,
                "the container could not start the task: it may have ended, "
                "or have no room for another process");
        goto out;
    }
    rc = place_like(&d->place, in.pid, task, d->container.pids_limit, err);
out:
    wire_close(&in);
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
    err_scrub(why->text);
    wire_send(conn, WIRE_REFUSE, WIRE_EXIT_BERTH, why->text,
              strlen(why->text), NULL, 0, MSG_DONTWAIT);
    if (why->text[0])
        syslog(LOG_INFO, "job %u, user %u: %s", d->step.job, d->step.uid,
               why->text);
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
static void advise(struct stepd *d, int conn, pid_t task)
{
    char cpus[1024], text[1024];

    if (d->container.gpus.set.n == 0 || d->advised)
        return;
    d->advised = true;
    if (!place_step_cpus(&d->place, task, cpus, sizeof(cpus)) ||
        !gpu_set_is_far(&d->container.gpus.set, d->container.gpus.table,
                        d->step.node, cpus, text, sizeof(text)))
        return;
    warn(conn, text);
}

static void hand_over(struct stepd *d, const struct peer *task)
{
    int conn = task->conn;
    struct berth_err err = {0};
    int zero = 0;

    if (!d->up) {
        refuse(d, conn, &d->reason);
        return;
    }
    int link = inside_attach(d->container.pid, &d->container.inside, task,
                             &d->attached, &err) < 0
                   ? -1
                   : fork_inside(d, task->pid, &err);
    // If the task has died, its pid may be another process's by now, and
    // what was placed like it must not run.
    if (link >= 0 && !peer_lives(task)) {
        close(link);
        return;
    }
    if (link < 0) {
        refuse(d, conn, &err);
        return;
    }
    advise(d, conn, task->pid);
    // What a rule would have refused, once for the step on this node.
    if (d->container.warning[0])
        warn(conn, d->container.warning);
    d->container.warning[0] = 0;
    setsockopt(link, SOL_SOCKET, SO_PASSCRED, &zero, sizeof(zero));
    int fds[] = {link, d->overlay};
    wire_send(conn, WIRE_ACCEPT, d->step.step == STEP_BATCH, NULL, 0, fds, 2,
              MSG_DONTWAIT);
    close(link);
}

static void hear_task(struct stepd *d, char *buf)
{
    struct peer peer;

    if (peer_accept(d->listener, &peer) < 0)
        return;
    // The plugin told of this task before it let it run.
    if (hear_plugin(d, buf) && is_task(d, &peer))
        hand_over(d, &peer);
    peer_close(&peer);
}

// Until the step is over.
static void serve(struct stepd *d, char *buf)
{
    for (;;) {
        struct pollfd p[] = {
            {.fd = PLUGIN, .events = POLLIN},
            {.fd = d->listener, .events = POLLIN},
            {.fd = d->up ? d->container.control : -1, .events = POLLIN},
        };
        if (poll(p, 3, -1) < 0 && errno != EINTR)
            return;
        if (p[0].revents && !hear_plugin(d, buf))
            return;
        if (p[2].revents) {
            // berth-init says nothing on this link but by its end.
            container_close(&d->container);
            d->up = false;
            journal_end(&d->journal, "container");
            err_set(&d->reason, BERTH_EENGINE,
                    "the container has ended, stopped by its engine or for "
                    "want of memory");
            tell_plugin(LINK_ENDED, d->reason.text);
        }
        if (p[1].revents)
            hear_task(d, buf);
    }
}

// Tries for a while, as the engine may be about to be restarted. What cannot
// be removed by then stays on record for the epilog.
static void clean_up(struct store_step *store)
{
    struct berth_err err = {0};

    long long end = clock_ms() + CLEAN_MS;

    while (removal_run(store, (long)(end - clock_ms()), &err) < 0) {
        if (clock_ms() >= end) {
            err_scrub(err.text);
            syslog(LOG_ERR, "%s", err.text);
            return;
        }
        clock_sleep(CLEAN_STEP_MS);
    }
}

// For what an earlier step of the same name has left.
static int remove_old(struct store_step *store, struct berth_err *err)
{
    return removal_run(store, CLEAN_MS, err);
}

static void open_journal(struct stepd *d)
{
    const struct passwd *pw = getpwuid(d->step.uid);

    journal_open(&d->journal, &d->step, pw ? pw->pw_name : NULL);
}

int main(void)
{
    static char buf[BERTH_FACT_MAX + 2];
    static struct stepd d = {
        .buf = buf,
        .watch = {.fd = PLUGIN, .go_on = step_goes_on, .arg = &d},
        .listener = -1,
        .container = {.control = -1, .inside = INSIDE_NONE},
        .overlay = -1,
    };
    struct berth_err err = {0};

    harden();
    if (place_init(&d.place, &err) < 0 ||
        place_leave_step(&d.place, &err) < 0 ||
        receive_facts(&d.step, buf, &err) < 0 ||
        store_step_create(BERTH_STATEDIR, &d.step, remove_old, &d.store,
                          &err) < 0) {
        err_scrub(err.text);
        tell_plugin(LINK_FAILED, err.text);
        syslog(LOG_ERR, "%s", err.text);
        open_journal(&d);
        journal_fail(&d.journal, &err);
        return 1;
    }
    open_journal(&d);
    d.listener = listen_at(&d.store, "task", d.step.uid, &err);
    if (d.listener < 0) {
        tell_plugin(LINK_FAILED, err.text);
        journal_fail(&d.journal, &err);
    } else {
        char path[sizeof(d.store.path) + 8];
        snprintf(path, sizeof(path), "%s/task", d.store.path);
        tell_plugin(LINK_READY, path);
        if (bring_up(&d, &d.reason) < 0) {
            container_close(&d.container);
            journal_fail(&d.journal, &d.reason);
        }
        serve(&d, buf);
        clock_sleep(YIELD_MS);
    }
    container_close(&d.container);
    journal_end(&d.journal, "step");
    clean_up(&d.store);
    journal_close(&d.journal);
    place_clear(&d.place);
    step_clear(&d.step);
    return 0;
}
