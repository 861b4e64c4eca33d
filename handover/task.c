// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// berth-task: what slurmstepd execs as the Slurm task, as the user. It hands
// all that makes up the task (descriptors, arguments, environment, working
// directory, umask, signal dispositions and mask, terminal) to a process in
// the step's container, and then stands in for that: passes signals on, and
// ends the way it ended.
//
// It has no privilege and decides nothing; it trusts berth-stepd, to which
// $BERTH_STEP leads. When it fails before the program runs, it says so in
// one sentence on stderr and exits with 125. When the container goes away
// under the program, it dies by SIGKILL, as the program did.
#include "handover/change.h"
#include "handover/say.h"
#include "handover/signals.h"
#include "protocol/wire.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
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
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

// How long berth-stepd may take to say that the container is gone.
enum { AFTERWORD_MS = 100 };

// How the program starts, in the making: strings, gathered for few writes.
struct start_data {
    int fd;
    size_t used;
    char room[16384];
};

static void no_container(const char *why) __attribute__((noreturn));

static void no_container(const char *why)
{
    say(2,
        "the container of this task could not be started: %s; tell your "
        "administrator",
        why);
    _exit(WIRE_EXIT_BERTH);
}

// ---- what this process was started with -------------------------------

// A descriptor 0, 1 or 2 that is closed would be given to the next open.
static void open_standard(void)
{
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
            _exit(WIRE_EXIT_BERTH);
}

static int compare_ints(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

// Finds the descriptors from 3 on that a program would inherit: pipes and
// sockets (PMI). Nothing else goes into the container; a directory would be
// a way out of it. Fills KEEP, ascending, and returns how many there are.
static uint32_t find_kept(int32_t *keep)
{
    DIR *dir = opendir("/proc/self/fd");
    struct dirent *d;
    uint32_t n = 0;

    while (dir && (d = readdir(dir))) {
        int fd = atoi(d->d_name);
        int flags = fcntl(fd, F_GETFD);
        struct stat st;

        if (fd < 3 || flags < 0 || (flags & FD_CLOEXEC) || fstat(fd, &st) < 0 ||
            (!S_ISFIFO(st.st_mode) && !S_ISSOCK(st.st_mode)))
            continue;
        if (n == WIRE_KEEP_MAX)
            no_container("it has too many open descriptors");
        keep[n++] = fd;
    }
    if (dir)
        closedir(dir);
    qsort(keep, n, sizeof(*keep), compare_ints);
    return n;
}

// ---- berth-stepd ------------------------------------------------------

static int connect_step(void)
{
    const char *path = getenv(WIRE_STEP_ENV);
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd;

    if (path && !path[0])
        _exit(WIRE_EXIT_BERTH);
    if (!path || strlen(path) >= sizeof(addr.sun_path))
        no_container(WIRE_STEP_ENV " is not set as it should be");
    strcpy(addr.sun_path, path);
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
        no_container("berth-stepd is not there");
    return fd;
}

// Writes a note. Of those that say how far something is (PROGRESS) one takes
// the place of the other on a terminal.
static void write_note(struct wire_in *in, bool *open_line)
{
    static const char back[] = "\r\033[K";
    struct iovec iov[3] = {{(void *)back, *open_line ? sizeof(back) - 1 : 0},
                           {in->u.text, in->msg.bytes},
                           {(void *)"\n", 1}};

    *open_line = in->msg.value == WIRE_NOTE_PROGRESS && isatty(2);
    if (writev(2, iov, *open_line ? 2 : 3) < 0)
        return; // nobody reads it: the task goes on
}

// ---- srun -------------------------------------------------------------

// What is to be sent to srun, as far as it is not. It never waits.
struct telling {
    int fd; // -1: there is nothing
    size_t bytes;
    char text[WIRE_TEXT_MAX];
};

static void tell_stop(struct telling *t)
{
    if (t->fd >= 0)
        close(t->fd);
    t->fd = -1;
}

static void tell_go_on(struct telling *t)
{
    ssize_t n = send(t->fd, t->text, t->bytes, MSG_DONTWAIT | MSG_NOSIGNAL);

    // All of it goes at once, when it goes.
    if (n >= 0 || (errno != EAGAIN && errno != EINTR))
        tell_stop(t);
}

// Begins to send TEXT, which has the port in front, to the host from which this
// step was started.
static void tell_begin(struct telling *t, const char *text)
{
    const char *host = getenv("SLURM_LAUNCH_NODE_IPADDR");
    struct sockaddr_in four = {.sin_family = AF_INET};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    const struct sockaddr *addr = (const struct sockaddr *)&four;
    socklen_t len = sizeof(four);
    const char *space = strchr(text, ' ');
    uint16_t port = htons((uint16_t)atoi(text));

    if (!host || !space || t->fd >= 0)
        return;
    four.sin_port = six.sin6_port = port;
    if (inet_pton(AF_INET, host, &four.sin_addr) != 1) {
        if (inet_pton(AF_INET6, host, &six.sin6_addr) != 1)
            return;
        addr = (const struct sockaddr *)&six;
        len = sizeof(six);
    }
    t->bytes = strlen(space + 1);
    memcpy(t->text, space + 1, t->bytes);
    t->fd =
        socket(addr->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (t->fd < 0)
        return;
    if (connect(t->fd, addr, len) < 0 && errno != EINPROGRESS)
        tell_stop(t);
    else
        tell_go_on(t);
}

// ---- the container ----------------------------------------------------

// The step was to run nothing, but to be told something. Ends as berth-stepd
// says, if all of that could be written.
static void write_answer(const struct wire_in *in) __attribute__((noreturn));

static void write_answer(const struct wire_in *in)
{
    char block[16384];
    off_t at = 0;
    ssize_t n = 0;

    while (in->nfds > 0 &&
           (n = pread(in->fds[0], block, sizeof(block), at)) > 0)
        for (ssize_t done = 0, some; done < n; done += some, at += some)
            if ((some = write(1, block + done, (size_t)(n - done))) < 0)
                _exit(WIRE_EXIT_BERTH);
    _exit(n < 0 || in->msg.value < 0 || in->msg.value > 255 ? WIRE_EXIT_BERTH
                                                            : in->msg.value);
}

// Waits until the container is up. Signals do to berth-task meanwhile what
// they would do to the program. Returns the task link, the changes, and what
// ACCEPT says.
static int await_container(int step, int *changes, int *accept,
                           struct telling *telling)
{
    bool open_line = false;

    for (;;) {
        struct wire_in in;

        if (wire_recv(step, &in, 0) != 1)
            no_container("berth-stepd has gone away");
        switch (in.msg.type) {
        case WIRE_NOTE:
            write_note(&in, &open_line);
            break;
        case WIRE_TELL:
            tell_begin(telling, in.u.text);
            break;
        case WIRE_REFUSE:
            if (open_line && write(2, "\n", 1) < 0)
                _exit(WIRE_EXIT_BERTH);
            if (in.u.text[0])
                say(2, "%s", in.u.text);
            _exit(in.msg.value > 0 && in.msg.value < 256 ? in.msg.value
                                                         : WIRE_EXIT_BERTH);
        case WIRE_ANSWER:
            if (open_line && write(2, "\n", 1) < 0)
                open_line = false;
            write_answer(&in);
        case WIRE_ACCEPT:
            if (open_line && write(2, "\n", 1) < 0)
                open_line = false; // nobody reads it: the task goes on
            *changes = in.fds[1];
            *accept = in.msg.value;
            return in.fds[0];
        default:
            no_container("berth-stepd is of another version");
        }
    }
}

// ---- the changes -------------------------------------------------------

static void no_overlay(void) __attribute__((noreturn));

static void no_overlay(void)
{
    no_container("its environment is not as it should be");
}

// Reads the descriptor of the changes: strings, one behind the other. Returns
// them (for ever) and their number.
static char *read_overlay(int fd, size_t *count)
{
    struct stat st;
    char *text;
    size_t size;

    if (fstat(fd, &st) < 0 || st.st_size < 1 || st.st_size > WIRE_CHANGES_MAX)
        no_overlay();
    size = (size_t)st.st_size;
    text = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    if (text == MAP_FAILED || text[size - 1] != '\0')
        no_overlay();
    close(fd);
    *count = change_count(text, size);
    return text;
}

// A copy of VEC, N strings, with room for MORE and a NULL.
static char **copy_vec(char **vec, size_t n, size_t more)
{
    char **copy = malloc((n + more + 1) * sizeof(*copy));

    if (!copy)
        no_container("out of memory");
    memcpy(copy, vec, n * sizeof(*copy));
    return copy;
}

// What RUN's program is started with: this process's ARGV and environment,
// with the changes of the descriptor FD, and without the variable that is
// berth's own.
static struct start make_start(struct wire_run *run, int argc, char **argv,
                               int fd)
{
    struct start start = {.argc = (size_t)argc, .run = run};
    size_t count;
    char *text = read_overlay(fd, &count);

    for (int i = 0; i < WIRE_LIMITS; i++) {
        struct rlimit r = {RLIM_INFINITY, RLIM_INFINITY};

        getrlimit(i, &r);
        run->limits[i].soft = r.rlim_cur;
        run->limits[i].hard = r.rlim_max;
    }
    unsetenv(WIRE_STEP_ENV);
    while (environ[start.envc])
        start.envc++;
    start.argv = copy_vec(argv, start.argc, count);
    start.env = copy_vec(environ, start.envc, count);
    if (argc < 1 || !change_apply(&start, text, count) || !start.cwd)
        no_overlay();
    if (start.argc < 1) {
        say(2, "the command is empty, and the image has no ENTRYPOINT and no "
               "CMD that it could stand for: name a command");
        _exit(WIRE_EXIT_BERTH);
    }
    run->argc = (uint32_t)start.argc;
    run->envc = (uint32_t)start.envc;
    return start;
}

// ---- what to say if the program is not in the container ----------------

static bool is_slurms(const char *name)
{
    static const char *const names[] = {
        "sacct",    "salloc", "sbatch", "sbcast", "scancel",
        "scontrol", "sinfo",  "squeue", "srun",   "sstat"};

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

// Finds NAME in PATH, which is this node's. False: it is not there.
static bool find_here(const char *name, char found[PATH_MAX])
{
    const char *dir = getenv("PATH");

    for (; dir; dir = strchr(dir, ':') ? strchr(dir, ':') + 1 : NULL) {
        int n = snprintf(found, PATH_MAX, "%.*s/%s", (int)strcspn(dir, ":"),
                         dir, name);
        if (n < PATH_MAX && found[0] == '/' && access(found, X_OK) == 0)
            return true;
    }
    return false;
}

// Says what is known here of the program NAME of the task, which may not be
// in the container. GIVEN is what berth-stepd says, or NULL.
static const char *make_hint(const char *name, const char *given)
{
    static char hint[PATH_MAX + 256];
    char found[PATH_MAX];
    const char *node = getenv("SLURMD_NODENAME");

    if (!node)
        node = "the node";
    if (is_slurms(name))
        return "Slurm's commands are there with --container-slurm";
    if (strcmp(name, "module") == 0 || strcmp(name, "ml") == 0)
        return "it is a function of the node's shells, and what it loads is "
               "the node's: take an image that has the program";
    if (name[0] == '/' && access(name, X_OK) == 0)
        snprintf(hint, sizeof(hint),
                 "it is on node %s, of which a container has only what is "
                 "mounted: put it into your working directory, or mount it",
                 node);
    else if (given)
        return given;
    else if (*name && !strchr(name, '/') && find_here(name, found))
        snprintf(hint, sizeof(hint),
                 "%s is on node %s, and a container has the programs of its "
                 "image",
                 found, node);
    return hint;
}

// ---- the handover -----------------------------------------------------

// Lets go of the terminal if this is the leader of its session, which
// slurmstepd has made it, so that the program can take it. Returns whether
// it was. What the kernel sends a leader for that is dropped, since all
// signals are blocked and ignoring one discards it.
static bool release_terminal(void)
{
    if (tcgetsid(0) != getpid() || ioctl(0, TIOCNOTTY) < 0)
        return false;
    signals_set(SIGHUP, true);
    signals_set(SIGHUP, false);
    signals_set(SIGCONT, true);
    signals_set(SIGCONT, false);
    return true;
}

// Writes out what has been gathered. If the reader has gone, so has the
// task's process, and the link will tell.
static void start_flush(struct start_data *data)
{
    size_t done = 0;

    while (done < data->used) {
        ssize_t n = write(data->fd, data->room + done, data->used - done);

        if (n < 0 && errno != EINTR)
            break;
        done += n > 0 ? (size_t)n : 0;
    }
    data->used = 0;
}

static void start_add(struct start_data *data, const char *string)
{
    size_t left = strlen(string) + 1;

    while (left > 0) {
        size_t part = sizeof(data->room) - data->used;

        if (part > left)
            part = left;
        memcpy(data->room + data->used, string, part);
        data->used += part;
        string += part;
        left -= part;
        if (data->used == sizeof(data->room))
            start_flush(data);
    }
}

// How Slurm has bound this process's memory. A kernel without NUMA knows of
// nothing.
static void get_mempolicy(struct wire_run *run)
{
    int mode = 0;

    if (syscall(SYS_get_mempolicy, &mode, run->nodes, WIRE_NODES * 64, NULL,
                0) == 0)
        run->mempolicy = (uint32_t)mode;
}

// Sends RUN and the data of START. RUN has what main found out about this
// process when it was started.
static void hand_over(int link, struct wire_run *run, const struct start *start)
{
    static struct start_data data;
    int fds[WIRE_FDS_MAX] = {-1, 0, 1, 2};
    int ends[2];

    run->size = strlen(start->cwd) + 1 + strlen(start->hint) + 1;
    for (uint32_t i = 0; i < run->argc; i++)
        run->size += strlen(start->argv[i]) + 1;
    for (uint32_t i = 0; i < run->envc; i++)
        run->size += strlen(start->env[i]) + 1;
    run->mask = umask(0);
    get_mempolicy(run);
    for (uint32_t i = 0; i < run->nkeep; i++)
        fds[4 + i] = run->keep[i];

    if (pipe2(ends, O_CLOEXEC) < 0)
        no_container(strerror(errno));
    fds[0] = ends[0];
    if (wire_send(link, WIRE_RUN, 0, run, sizeof(*run), fds,
                  4 + (int)run->nkeep, 0) < 0)
        no_container("its container has gone away");
    close(ends[0]);
    data.fd = ends[1];
    for (uint32_t i = 0; i < run->argc; i++)
        start_add(&data, start->argv[i]);
    for (uint32_t i = 0; i < run->envc; i++)
        start_add(&data, start->env[i]);
    start_add(&data, start->cwd);
    start_add(&data, start->hint);
    start_flush(&data);
    close(ends[1]);
}

// ---- standing in ------------------------------------------------------

enum { LINK = 0, SIGNALS = 1, STEP = 3, TELLING = 4, FREE = 5 };

// A copy of FD that stands where no other goes; -1: there is none.
static int out_of_way(int fd)
{
    if (fd >= 0 && (fd = fcntl(fd, F_DUPFD_CLOEXEC, FREE)) < 0)
        _exit(WIRE_EXIT_BERTH);
    return fd;
}

// Keeps these descriptors only, at their places. Whoever reads the program's
// output must see its end when the program has closed it, whoever writes its
// input must see that nobody reads. Where something is to be said behind the
// program's end (SAVE), 2 stays as well, and the link to berth-stepd.
static void keep_only(int link, int signals, int step, struct telling *telling,
                      bool save)
{
    link = out_of_way(link);
    signals = out_of_way(signals);
    step = out_of_way(step);
    telling->fd = out_of_way(telling->fd);
    if (dup2(link, LINK) < 0 || dup2(signals, SIGNALS) < 0 ||
        dup2(step, STEP) < 0)
        _exit(WIRE_EXIT_BERTH);
    if (telling->fd >= 0)
        telling->fd = dup2(telling->fd, TELLING);
    wire_close_from(telling->fd >= 0 ? FREE : TELLING);
    if (!save) {
        close(2);
        close(STEP);
    }
}

static void die_by(int sig) __attribute__((noreturn));

// Dies by signal SIG, and leaves no core file: the program has.
static void die_by(int sig)
{
    prctl(PR_SET_DUMPABLE, 0);
    signals_set(sig, false);
    signals_block(SIGNALS_ALL & ~signals_bit(sig));
    syscall(SYS_kill, getpid(), sig);
    _exit(128 + sig);
}

static void end_as(int status) __attribute__((noreturn));

static void end_as(int status)
{
    if (WIFSIGNALED(status))
        die_by(WTERMSIG(status));
    _exit(WEXITSTATUS(status));
}

// A signal that came while this process waits for berth-stepd: those by which
// users and Slurm end a step end it.
static void heed(void)
{
    struct signalfd_siginfo info;

    if (read(SIGNALS, &info, sizeof(info)) == (ssize_t)sizeof(info) &&
        (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT ||
         info.ssi_signo == SIGQUIT || info.ssi_signo == SIGHUP))
        die_by((int)info.ssi_signo);
}

// The program has ended, with STATUS: berth-stepd hears it, and this process
// waits until it may end. What was to be saved and was not is a failure.
static void report(int status) __attribute__((noreturn));

static void report(int status)
{
    struct pollfd fds[2] = {{STEP, POLLIN, 0}, {SIGNALS, POLLIN, 0}};
    bool open_line = false;
    struct wire_in in;

    if (wire_send(STEP, WIRE_DONE, status, NULL, 0, NULL, 0, 0) < 0)
        end_as(status);
    for (;;) {
        poll(fds, 2, -1);
        if (fds[1].revents)
            heed();
        if (!fds[0].revents)
            continue;
        int got = wire_recv(STEP, &in, 0);
        if (got == 1 && in.msg.type == WIRE_NOTE) {
            write_note(&in, &open_line);
            continue;
        }
        if (open_line && write(2, "\n", 1) < 0)
            open_line = false; // nobody reads it
        if (got == 1 && in.msg.type == WIRE_LEAVE)
            end_as(status);
        if (got == 1 && in.msg.type == WIRE_REFUSE) {
            if (in.u.text[0])
                say(2, "%s", in.u.text);
        } else {
            say(2, "nothing was saved: berth-stepd has gone away; tell your "
                   "administrator");
        }
        end_as(status ? status : WIRE_EXIT_BERTH << 8);
    }
}

// Slurm signals the process group of a batch script (scancel --full). A child,
// in that group, sees what comes to it and passes it on to the others of the
// program's group: the program itself has it from its stand-in.
static void stand_in_for_group(int link, int signals)
{
    struct pollfd fds = {signals, POLLIN, 0};
    struct signalfd_siginfo info;
    pid_t parent = getpid();

    if (fork() != 0)
        return;
    wire_close_from(2);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(0);
    for (;;) {
        poll(&fds, 1, -1);
        if (read(signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
            wire_send(link, WIRE_SIGNAL, -(int32_t)info.ssi_signo, NULL, 0,
                      NULL, 0, 0);
    }
}

// Passes signals on until the program has ended. A stopped program is
// stopped, and SIGCONT is passed on like any other signal; berth-task itself
// goes on, since nobody could wake it when another process of the container
// continues the program.
static void stand_in(int link, int signals, struct telling *telling, bool save)
    __attribute__((noreturn));

static void stand_in(int link, int signals, struct telling *telling, bool save)
{
    struct pollfd fds[3] = {{link, POLLIN, 0}, {signals, POLLIN, 0}};

    for (;;) {
        struct signalfd_siginfo info;
        struct wire_in in;

        fds[2] = (struct pollfd){telling->fd, POLLOUT, 0};
        poll(fds, 3, -1);
        if (telling->fd >= 0 && fds[2].revents)
            tell_go_on(telling);
        if (fds[1].revents &&
            read(signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
            wire_send(link, WIRE_SIGNAL, (int32_t)info.ssi_signo, NULL, 0, NULL,
                      0, 0);
        if (!fds[0].revents)
            continue;
        bool done = wire_recv(link, &in, 0) == 1 && in.msg.type == WIRE_DONE;
        if (done && save)
            report(in.msg.value);
        if (done)
            end_as(in.msg.value);
        // The container is gone, and the program with it. berth-stepd sees
        // that as well, and what it says must reach Slurm before this ends.
        usleep(AFTERWORD_MS * 1000);
        die_by(SIGKILL);
    }
}

int main(int argc, char **argv)
{
    static struct telling telling = {.fd = -1};
    struct wire_run run = {.ignored = signals_ignored()};
    struct start start;
    int step, link, fd, signals, accept;

    open_standard();
    run.nkeep = find_kept(run.keep);
    step = connect_step();
    link = await_container(step, &fd, &accept, &telling);

    run.blocked = signals_block(SIGNALS_ALL);
    signals = signals_fd(SIGNALS_ALL);
    if (signals < 0)
        no_container(strerror(errno));

    start = make_start(&run, argc, argv, fd);
    start.hint = make_hint(start.argv[0], start.hint);
    if (release_terminal())
        run.flags |= WIRE_RUN_TTY;
    hand_over(link, &run, &start);
    bool save = accept & WIRE_ACCEPT_SAVE;
    keep_only(link, signals, step, &telling, save);
    if (accept & WIRE_ACCEPT_BATCH)
        stand_in_for_group(LINK, SIGNALS);
    stand_in(LINK, SIGNALS, &telling, save);
}
