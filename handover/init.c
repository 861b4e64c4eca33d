// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// berth-init: process 1 of a step's container. It holds the container open,
// forks the step's tasks when berth-stepd says so, hands each one's signals
// and wait status through, and buries orphans. It runs with the job's uid
// and no privilege, linked statically, in an image that may be empty.
//
// It trusts berth-stepd (the control link). A task link's other end is a
// process of the user, as the task is, so what comes there can only harm
// that task; one thing is refused all the same: a directory among the
// descriptors, through which a program could walk out of the container.
//
// When it fails: before it is up, with a sentence on stderr and exit status
// 1. After that a failure concerns one task, which ends with exit status
// 125 or, before it is born, by the end of its link. The end of the control
// link, or of berth-init, is the end of the container: the kernel kills
// whatever is in its pid namespace.
#include "handover/filter.h"
#include "handover/fit.h"
#include "handover/program.h"
#include "handover/say.h"
#include "handover/signals.h"
#include "handover/tree.h"
#include "protocol/wire.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONSOLE "/dev/console"

enum {
    TASKS_MAX = 4096, // BERTH_TASKS_MAX
};

// One live task. Nothing is kept of a task that has ended.
struct task {
    pid_t pid;
    pid_t group;  // its process group, as far as berth-init has chosen it
    int32_t step; // whose tasks share one (protocol/wire.h)
    int link;     // the task link
    int exec;     // ends when the process has become the program, or has died;
                  // then -1. Until then the process itself reads the link.
};

static struct task tasks[TASKS_MAX];
static int ntasks;
static int clearing = -1; // whoever waits until nothing is left, or -1

// ---- before it is up --------------------------------------------------

static void fail(const char *what) __attribute__((noreturn));

static void fail(const char *what)
{
    say(2, "%s: %s", what, strerror(errno));
    _exit(1);
}

static int connect_control(void)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX,
                               .sun_path = WIRE_CONTROL_PATH};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
        fail("berth-init: " WIRE_CONTROL_PATH);
    return fd;
}

// Each task costs a descriptor here; berth-stepd gives the tasks their own
// limits.
static void raise_nofile(void)
{
    struct rlimit lim;

    if (getrlimit(RLIMIT_NOFILE, &lim) == 0) {
        lim.rlim_cur = lim.rlim_max;
        setrlimit(RLIMIT_NOFILE, &lim);
    }
}

// ---- the task's process, until it is the program ----------------------

// Leaves with one sentence on the task's stderr. Signals are blocked, so
// that a reader who has gone does not change the exit status.
#define give_up(status, ...)                                                   \
    do {                                                                       \
        signals_block(SIGNALS_ALL);                                            \
        say(2, __VA_ARGS__);                                                   \
        _exit(status);                                                         \
    } while (0)

static void join_group(pid_t leader)
{
    if (leader == 0 || setpgid(0, leader) < 0)
        setpgid(0, 0);
}

// Reads the start data, SIZE bytes from the pipe FD, and closes that.
static char *read_start(int fd, size_t size)
{
    char *data = malloc(size);
    size_t got = 0;

    while (data && got < size) {
        ssize_t n = read(fd, data + got, size - got);

        if (n == 0 || (n < 0 && errno != EINTR))
            return NULL;
        got += n > 0 ? (size_t)n : 0;
    }
    close(fd);
    return data;
}

// The number that the I-th of the program's descriptors has in the program.
static int target_of(const struct wire_run *run, int i)
{
    return i < 3 ? i : run->keep[i - 3];
}

// Moves FD to a number that no descriptor of the program is to have.
static int out_of_way(int fd, const struct wire_run *run)
{
    for (int i = 0; i < (int)run->nkeep + 3; i++) {
        if (fd == target_of(run, i)) {
            int moved = fcntl(fd, F_DUPFD_CLOEXEC, fd + 1);

            if (moved < 0)
                give_up(WIRE_EXIT_BERTH, "a descriptor of the task: %s",
                        strerror(errno));
            close(fd);
            fd = moved;
            i = -1;
        }
    }
    return fd;
}

// Puts the program's descriptors FDS at their numbers. All others of this
// process are close-on-exec. The error text goes to stderr, so that is
// first.
static void place_fds(const struct wire_run *run, int *fds)
{
    static const int order[3] = {2, 0, 1};
    int n = (int)run->nkeep + 3;

    for (int i = 0; i < n; i++)
        fds[i] = out_of_way(fds[i], run);
    for (int k = 0; k < n; k++) {
        int i = k < 3 ? order[k] : k;
        struct stat st;

        if (fstat(fds[i], &st) < 0 ||
            (i < 3 ? S_ISDIR(st.st_mode)
                   : !S_ISFIFO(st.st_mode) && !S_ISSOCK(st.st_mode)))
            give_up(WIRE_EXIT_BERTH,
                    "descriptor %d of the task is a directory or of another "
                    "kind that can't go into a container",
                    target_of(run, i));
        if (dup2(fds[i], target_of(run, i)) < 0)
            give_up(WIRE_EXIT_BERTH, "descriptor %d of the task: %s",
                    target_of(run, i), strerror(errno));
        close(fds[i]);
    }
}

// The terminal comes from another file system of ptys than the container's,
// where no path leads to it. berth-stepd has put it at CONSOLE: opened there,
// ttyname(3) has an answer.
static void open_console(void)
{
    int fd = open(CONSOLE, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    struct stat console, st;

    if (fd < 0)
        return;
    for (int i = 0; i < 3; i++)
        if (fstat(fd, &console) == 0 && fstat(i, &st) == 0 &&
            st.st_dev == console.st_dev && st.st_ino == console.st_ino)
            dup2(fd, i);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    close(fd);
}

// A session of its own, with descriptor 0 as its terminal. A leader of a
// process group can't have one, so it first goes into berth-init's.
static void take_terminal(void)
{
    open_console();
    setpgid(0, getpgid(getppid()));
    if (setsid() < 0 || ioctl(0, TIOCSCTTY, 0) < 0)
        give_up(WIRE_EXIT_BERTH, "the task's terminal: %s", strerror(errno));
}

// Where even root may not raise a hard limit, the engine could not give the
// container more than it had itself.
static void set_limits(const struct wire_run *run)
{
    struct rlimit have, want;

    for (int i = 0; i < WIRE_LIMITS; i++) {
        want.rlim_cur = run->limits[i].soft;
        want.rlim_max = run->limits[i].hard;
        if (setrlimit(i, &want) == 0 || getrlimit(i, &have) < 0)
            continue;
        if (want.rlim_max > have.rlim_max)
            want.rlim_max = have.rlim_max;
        if (want.rlim_cur > want.rlim_max)
            want.rlim_cur = want.rlim_max;
        if (setrlimit(i, &want) < 0)
            give_up(WIRE_EXIT_BERTH, "the task's limits: %s", strerror(errno));
    }
}

// --mem-bind. To take memory from near by is what the kernel does anyway.
static void bind_memory(const struct wire_run *run)
{
    bool anywhere = true;

    for (int i = 0; i < WIRE_NODES; i++)
        anywhere = anywhere && run->nodes[i] == 0;
    if (run->mempolicy == 0 ||
        syscall(SYS_set_mempolicy, run->mempolicy, run->nodes,
                WIRE_NODES * 64) == 0 ||
        anywhere)
        return;
    give_up(WIRE_EXIT_BERTH,
            "the task's memory cannot be bound in this container, because its "
            "engine forbids the system call set_mempolicy: leave --mem-bind "
            "out, or ask your administrator to allow it");
}

// No-new-privileges keeps what is given up from coming back by execve.
static int give_up_capability(int capability)
{
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
    const uint32_t bit = 1U << capability;

    if (syscall(SYS_capget, &head, data) < 0)
        return -1;
    data[0].effective &= ~bit;
    data[0].permitted &= ~bit;
    data[0].inheritable &= ~bit;
    return syscall(SYS_capset, &head, data) == 0 ? 0 : -1;
}

static void become(const struct wire_run *run, char **vec, const char *cwd,
                   const char *hint) __attribute__((noreturn));

static void become(const struct wire_run *run, char **vec, const char *cwd,
                   const char *hint)
{
    static char why[WIRE_TEXT_MAX];

    umask((mode_t)run->mask);
    if (chdir(cwd) < 0 &&
        (!(run->flags & WIRE_RUN_ROOT) || chdir(cwd = "/") < 0))
        give_up(WIRE_EXIT_BERTH,
                "the working directory %s is not in the container: %s", cwd,
                strerror(errno));
    set_limits(run);
    bind_memory(run);
    // Process 1 of a container whose user is root in it may kill whoever has
    // become another user there. The tasks may not.
    if (give_up_capability(CAP_KILL) < 0)
        give_up(WIRE_EXIT_BERTH, "the task's capabilities: %s",
                strerror(errno));
    for (int n = 1; n <= SIGNALS_MAX; n++)
        signals_set(n, run->ignored & signals_bit(n));
    environ = vec + run->argc + 1;
    fit_environment(environ);
    signals_block(run->blocked);
    int status = program_become(vec, hint, why, sizeof(why));
    give_up(status, "%s", why);
}

// What the new process does. DONE closes when it has become the program.
// Until RUN is here there is no stderr to talk to.
static void task_process(int link, int done, pid_t group)
    __attribute__((noreturn));

static void task_process(int link, int done, pid_t group)
{
    static struct wire_in in;
    struct wire_run *run = &in.u.run;
    const char *cwd, *hint;
    char **vec;
    char *data;

    // 0, 1 and 2 are berth-init's own; the other tasks' links must not
    // live on here. Two steps: each may stand where the other goes.
    link = fcntl(link, F_DUPFD_CLOEXEC, 5);
    done = fcntl(done, F_DUPFD_CLOEXEC, 5);
    if (link < 0 || done < 0 || dup3(link, 3, O_CLOEXEC) < 0 ||
        dup3(done, 4, O_CLOEXEC) < 0)
        _exit(WIRE_EXIT_BERTH);
    link = 3;
    wire_close_from(5);

    join_group(group);
    if (wire_send(link, WIRE_BORN, 0, NULL, 0, NULL, 0, 0) < 0 ||
        wire_recv(link, &in, 0) != 1 || in.msg.type != WIRE_RUN)
        _exit(WIRE_EXIT_BERTH);
    close(link);
    if (!wire_run_valid(run, in.nfds))
        _exit(WIRE_EXIT_BERTH);
    in.fds[0] = out_of_way(in.fds[0], run);
    out_of_way(4, run);
    place_fds(run, in.fds + 1);

    data = read_start(in.fds[0], run->size);
    vec = calloc((size_t)run->argc + run->envc + 3, sizeof(*vec));
    // The place in front is for the interpreter of a script that names none.
    if (!data || !vec || wire_run_parse(run, data, ++vec, &cwd, &hint) < 0)
        give_up(WIRE_EXIT_BERTH, "the task's arguments and environment did "
                                 "not arrive in the container");
    if (run->flags & WIRE_RUN_TTY)
        take_terminal();
    become(run, vec, cwd, hint);
}

// ---- the tasks, as berth-init sees them -------------------------------

static void drop_task(int i)
{
    close(tasks[i].link);
    if (tasks[i].exec >= 0)
        close(tasks[i].exec);
    tasks[i] = tasks[--ntasks];
}

// The process group of the tasks of STEP, or 0.
static pid_t group_of(int32_t step)
{
    for (int i = 0; i < ntasks; i++)
        if (tasks[i].step == step)
            return tasks[i].group;
    return 0;
}

// Forks the process of a new task of STEP, whose link is LINK. If it can't,
// berth-stepd sees the link end.
static void add_task(int link, int32_t step)
{
    pid_t group = group_of(step);
    int done[2] = {-1, -1};
    pid_t pid = -1;

    if (ntasks < TASKS_MAX && pipe2(done, O_CLOEXEC) == 0)
        pid = fork();
    if (pid == 0)
        task_process(link, done[1], group);
    if (done[1] >= 0)
        close(done[1]);
    if (pid < 0) {
        if (done[0] >= 0)
            close(done[0]);
        close(link);
        return;
    }
    // The process does the same, since it is not known who is first. The
    // group's last member may have gone meanwhile, so ask what came of it.
    if (group == 0 || setpgid(pid, group) < 0)
        setpgid(pid, pid);
    tasks[ntasks++] = (struct task){pid, getpgid(pid), step, link, done[0]};
}

// ---- events -----------------------------------------------------------

static void answer_cleared(void)
{
    wire_send(clearing, WIRE_CLEARED, 0, NULL, 0, NULL, 0, MSG_DONTWAIT);
    close(clearing);
    clearing = -1;
}

// Buries whoever is dead: tasks with a DONE, orphans without a word. All that
// is in the container is below this process: where it has no child, nothing
// else is there.
static void reap(void)
{
    pid_t pid;
    int status;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (int i = 0; i < ntasks; i++) {
            if (tasks[i].pid != pid)
                continue;
            wire_send(tasks[i].link, WIRE_DONE, status, NULL, 0, NULL, 0,
                      MSG_DONTWAIT);
            drop_task(i);
            break;
        }
    }
    if (pid < 0 && errno == ECHILD && clearing >= 0)
        answer_cleared();
}

// The kernel kills all of them at once: what forks meanwhile fails to. Nobody
// is told of the tasks' ends.
static void clear_all(int link)
{
    if (clearing >= 0)
        close(clearing);
    clearing = link;
    while (ntasks > 0)
        drop_task(ntasks - 1);
    kill(-1, SIGKILL);
    reap();
}

// Whoever looked after the tasks of STEP has gone.
static void clear_step(int link, int32_t step)
{
    for (int i = ntasks - 1; i >= 0; i--)
        if (tasks[i].step == step) {
            tree_kill(tasks[i].pid);
            drop_task(i);
        }
    wire_send(link, WIRE_CLEARED, 0, NULL, 0, NULL, 0, MSG_DONTWAIT);
    close(link);
}

// Reads one message of task I: a signal for it, or its stand-in's end.
static void on_link(int i)
{
    struct wire_in in;
    int got = wire_recv(tasks[i].link, &in, MSG_DONTWAIT);

    if (got < 0 && errno == EAGAIN)
        return;
    if (got == 1 && in.msg.type == WIRE_SIGNAL) {
        if (in.msg.value >= 1 && in.msg.value <= SIGNALS_MAX)
            kill(tasks[i].pid, in.msg.value);
        else if (in.msg.value <= -1 && in.msg.value >= -SIGNALS_MAX)
            tree_signal_group(tasks[i].pid, -in.msg.value);
        return;
    }
    if (got == 1)
        wire_close(&in);
    tree_kill(tasks[i].pid);
    drop_task(i);
}

static void on_control(int control)
{
    struct wire_in in;
    int got = wire_recv(control, &in, 0);

    if (got < 0 && errno == EMFILE)
        return; // no room for one more task: its link has ended with that
    if (got == 1 && in.msg.type == WIRE_FORK)
        add_task(in.fds[0], in.msg.value);
    else if (got == 1 && in.msg.type == WIRE_CLEAR)
        in.msg.value ? clear_step(in.fds[0], in.msg.value)
                     : clear_all(in.fds[0]);
    else
        _exit(0);
}

// The engine's way of stopping a container is SIGTERM to process 1. Inside,
// any process of the user can send it as well: those have a pid here.
static void on_signal(int fd)
{
    struct signalfd_siginfo info;

    while (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
        if (info.ssi_signo == SIGTERM && info.ssi_pid == 0)
            _exit(0);
    reap();
}

// One round: waits, and handles what has come. Two descriptors come first,
// then two per task. Handling a task may drop it, which moves the last one
// into its place, so they are gone through from the end.
static void serve(int control, int signals)
{
    static struct pollfd fds[2 + 2 * TASKS_MAX];
    int n = ntasks;

    fds[0] = (struct pollfd){control, POLLIN, 0};
    fds[1] = (struct pollfd){signals, POLLIN, 0};
    for (int i = 0; i < n; i++) {
        // Until it is the program, the link is the process's to read; its
        // end shows all the same.
        short events = tasks[i].exec < 0 ? POLLIN : 0;

        fds[2 + 2 * i] = (struct pollfd){tasks[i].link, events, 0};
        fds[3 + 2 * i] = (struct pollfd){tasks[i].exec, POLLIN, 0};
    }
    if (poll(fds, (nfds_t)(2 + 2 * n), -1) < 0)
        return;
    for (int i = n - 1; i >= 0; i--) {
        if (fds[3 + 2 * i].revents) {
            close(tasks[i].exec);
            tasks[i].exec = -1;
        }
        if (fds[2 + 2 * i].revents & POLLIN)
            on_link(i);
        else if (fds[2 + 2 * i].revents) {
            tree_kill(tasks[i].pid);
            drop_task(i);
        }
    }
    if (fds[1].revents)
        on_signal(signals);
    if (fds[0].revents)
        on_control(control);
}

int main(int argc, char **argv)
{
    const uint64_t wanted = signals_bit(SIGCHLD) | signals_bit(SIGTERM);
    const struct sigaction child = {.sa_handler = SIG_DFL,
                                    .sa_flags = SA_NOCLDSTOP};
    int control;
    int signals;

    // Tasks have the same uid, and must not trace this or open what it has. By
    // then the kernel has seen to it, as its user cannot read this program.
    prctl(PR_SET_DUMPABLE, 0);
    signals_block(SIGNALS_ALL);
    if (getpid() != 1) {
        say(2, "berth-init is process 1 of a step's container, and "
               "nothing to start by hand");
        return 1;
    }
    // It is there for the bounding set alone (logic/request.h).
    if (give_up_capability(CAP_NET_RAW) < 0)
        fail("berth-init: capabilities");
    setsid(); // fails if the engine has done it
    raise_nofile();
    // Ignored, SIGCHLD would take the wait status away.
    sigaction(SIGCHLD, &child, NULL);
    signals = signals_fd(wanted);
    if (signals < 0)
        fail("berth-init: signalfd");
    bool filtered = filter_is_the_engines();
    if ((argc < 2 || strcmp(argv[1], WIRE_INIT_PROFILE) != 0) &&
        filter_users() < 0)
        fail("berth-init: seccomp");
    control = connect_control();
    if (wire_send(control, WIRE_HELLO, filtered, NULL, 0, NULL, 0, 0) < 0)
        fail("berth-init: " WIRE_CONTROL_PATH);
    for (;;)
        serve(control, signals);
}
