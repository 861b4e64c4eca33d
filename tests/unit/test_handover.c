// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Plays berth-stepd to the real berth-init and the real berth-task, in a
// user, mount and pid namespace of its own, without an engine. Most tests
// run the same probe (this program again) once bare and once through the
// handover, and compare what it saw.
#include "handover/signals.h"
#include "protocol/wire.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof(*(table)))
#define STEP_PATH "/run/berth/step"

// What comes within milliseconds, on a machine with nothing else to do.
enum { PATIENCE_MS = 60000 };

static char self[4096];      // this program
static char init_path[4096]; // berth-init
static char task_path[4096]; // berth-task

// ---- the probe: what a program sees -----------------------------------

static void show_hash(const char *what, char **list)
{
    unsigned long sum = 5381;
    size_t n = 0;

    for (; list[n]; n++)
        for (const char *p = list[n];; p++) {
            sum = sum * 33 + (unsigned char)*p;
            if (!*p)
                break;
        }
    printf("%s: %zu, %lx\n", what, n, sum);
}

// Everything that a process inherits, as text.
static int probe_all(char **argv)
{
    uint64_t blocked = signals_block(SIGNALS_ALL);
    char cwd[4096];
    mode_t mask = umask(0);

    for (int fd = 0; fd < 1024; fd++) {
        struct stat st;
        int flags = fcntl(fd, F_GETFD);

        if (flags < 0 || fstat(fd, &st) < 0)
            continue;
        printf("fd %d: %lx:%lu %o cloexec %d status %o\n", fd,
               (unsigned long)st.st_dev, (unsigned long)st.st_ino, st.st_mode,
               flags, fcntl(fd, F_GETFL));
    }
    printf("blocked %lx ignored %lx\n", (unsigned long)blocked,
           (unsigned long)signals_ignored());
    printf("umask %o\n", mask);
    printf("cwd %s\n", getcwd(cwd, sizeof(cwd)) ? cwd : "?");
    show_hash("argv", argv);
    show_hash("env", environ);
    printf("uid %d gid %d\n", getuid(), getgid());
    printf("dumpable %d nnp %d\n", prctl(PR_GET_DUMPABLE),
           prctl(PR_GET_PDEATHSIG, &mask));
    fflush(stdout);
    return 0;
}

// Prints each signal that comes, until 64 does.
static int probe_signals(void)
{
    struct timespec limit = {20, 0};
    uint64_t all = SIGNALS_ALL;

    signals_block(all);
    for (int n = 1; n <= SIGNALS_MAX; n++)
        signals_set(n, false);
    puts("ready");
    fflush(stdout);
    for (;;) {
        int n = (int)syscall(SYS_rt_sigtimedwait, &all, NULL, &limit, 8);

        printf("%d\n", n);
        fflush(stdout);
        if (n == 64 || n < 0)
            return 0;
    }
}

// A small family: a child, its child, one in a session of its own.
static void probe_tree(void) __attribute__((noreturn));

static void probe_tree(void)
{
    if (fork() == 0) {
        if (fork() == 0)
            setsid();
        if (fork() == 0)
            setpgid(0, 0);
        for (;;)
            pause();
    }
    puts("ready");
    fflush(stdout);
    for (;;)
        pause();
}

// Leaves COUNT orphans behind that end soon.
static int probe_storm(int count)
{
    for (int i = 0; i < count; i++) {
        pid_t pid = fork();

        if (pid == 0) {
            if (fork() == 0)
                usleep(20000);
            _exit(0);
        }
        waitpid(pid, NULL, 0);
    }
    return 0;
}

static void probe_tty(void) __attribute__((noreturn));

static void probe_tty(void)
{
    int fd = open("/dev/tty", O_RDWR);
    struct winsize size = {0};

    ioctl(0, TIOCGWINSZ, &size);
    printf("leader %d foreground %d tty %d rows %d\n", tcgetsid(0) == getpid(),
           tcgetpgrp(0) == getpgrp(), fd >= 0, size.ws_row);
    fflush(stdout);
    for (;;)
        pause();
}

static int probe_die(int sig)
{
    struct rlimit none = {0, 0};

    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0);
    signals_set(sig, false); // a sanitizer may have taken it
    kill(getpid(), sig);
    pause();
    return 1;
}

// Of two processes in one group, each says "p" or "c" and the number of a
// signal that it gets.
static char pair_name = 'p';

static void pair_signal(int n)
{
    char text[2] = {pair_name, n == SIGUSR1 ? '1' : '2'};

    if (write(1, text, 2) != 2)
        _exit(1);
}

static void probe_pair(void) __attribute__((noreturn));

static void probe_pair(void)
{
    signal(SIGUSR1, pair_signal);
    signal(SIGUSR2, pair_signal);
    if (fork() == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pair_name = 'c';
        // Only now would it be told from its parent.
        if (write(1, "ready\n", 6) != 6)
            _exit(1);
    }
    for (;;)
        pause();
}

// Of each way to a user namespace: its errno, or 0 where it is open.
static int probe_users(void)
{
    static struct {
        uint64_t flags, rest[7];
    } args = {.flags = CLONE_NEWUSER};

    for (int i = 0; i < 5; i++) {
        long rc = -1;

        errno = 0;
        switch (i) {
        case 0:
            rc = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
            break;
        case 1:
            rc = syscall(SYS_clone3, &args, sizeof(args));
            break;
        case 2:
            rc = setns(open("/proc/self/ns/user", O_RDONLY), 0);
            break;
        case 3:
            rc = unshare(CLONE_FILES); // which is none
            break;
        case 4:
            rc = unshare(CLONE_NEWUSER);
            break;
        }
        if (rc == 0 && i < 2)
            _exit(0); // the process that it has made
        printf("%d ", rc < 0 ? errno : 0);
        fflush(stdout);
    }
    return 0;
}

#ifdef __x86_64__
// The same for the numbers of i386 and x32. Where the kernel lacks these,
// the process dies of the first.
static int probe_users_elsewhere(void)
{
    static const int numbers[] = {435, 346, 310}; // clone3, setns, unshare
    long rc;

    for (int i = 0; i < 3; i++) {
        long argument = i == 2 ? CLONE_NEWUSER : 0;
        __asm__ volatile("int $0x80"
                         : "=a"(rc)
                         : "0"((long)numbers[i]), "b"(argument), "c"(0L)
                         : "memory");
        printf("%ld ", -rc);
        fflush(stdout);
    }
    rc = syscall(0x40000000 | SYS_unshare, CLONE_NEWUSER);
    printf("%d", rc < 0 ? errno : 0);
    return 0;
}
#endif

static int probe(int argc, char **argv)
{
    const char *what = argv[2];
    int value = argc > 3 ? atoi(argv[3]) : 0;

    if (strcmp(what, "all") == 0)
        return probe_all(argv);
    if (strcmp(what, "exit") == 0)
        return value;
    if (strcmp(what, "users") == 0)
        return probe_users();
#ifdef __x86_64__
    if (strcmp(what, "elsewhere") == 0)
        return probe_users_elsewhere();
#endif
    if (strcmp(what, "die") == 0)
        return probe_die(value);
    if (strcmp(what, "signals") == 0)
        return probe_signals();
    if (strcmp(what, "pair") == 0)
        probe_pair();
    if (strcmp(what, "tree") == 0)
        probe_tree();
    if (strcmp(what, "storm") == 0)
        return probe_storm(value);
    if (strcmp(what, "tty") == 0)
        probe_tty();
    if (strcmp(what, "group") == 0) {
        printf("%d %d\n", getpid(), getpgrp());
        fflush(stdout);
    }
    if (strcmp(what, "group") == 0 || strcmp(what, "wait") == 0) {
        char c;

        while (read(0, &c, 1) > 0)
            ;
        return value;
    }
    if (strcmp(what, "close") == 0) {
        for (int fd = 0; fd < 3; fd++)
            close(fd);
        for (;;)
            pause();
    }
    return 99;
}

// ---- a berth-stepd ----------------------------------------------------

struct box {
    pid_t init;  // berth-init, as seen from here
    int control; // its link
    int hello;   // what it said of the engine's filter
};

// What the next boxes have of an engine's: a filter, and berth-init's argument.
static void (*engines_filter)(void);
static const char *init_argument;

static int step_listen = -1;

static int listen_at(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    strcpy(addr.sun_path, path);
    unlink(path);
    assert_true(fd >= 0);
    assert_return_code(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), errno);
    assert_return_code(listen(fd, 1024), errno);
    return fd;
}

static void write_file(const char *path, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void write_file(const char *path, const char *fmt, ...)
{
    FILE *f = fopen(path, "w");
    va_list ap;

    if (!f)
        return;
    va_start(ap, fmt);
    vfprintf(f, fmt, ap);
    va_end(ap);
    fclose(f);
}

// Starts berth-init as process 1 of a pid namespace. With EMPTY, its root
// is a directory with nothing in it but what berth puts there.
static struct box box_start(bool empty)
{
    struct box box;
    struct wire_in in;
    int fd = listen_at(WIRE_CONTROL_PATH);
    int flags = CLONE_NEWPID | CLONE_NEWNS | SIGCHLD;
    struct pollfd up = {fd, POLLIN, 0};

    box.init = (pid_t)syscall(SYS_clone, flags, 0, 0, 0, 0);
    if (box.init == 0) {
        mount("proc", "/proc", "proc", 0, NULL);
        mount("hide", "/run/hidden", "tmpfs", 0, NULL);
        if (empty) {
            mkdir("/run/empty", 0755);
            mount("empty", "/run/empty", "tmpfs", 0, NULL);
            mkdir("/run/empty/run", 0755);
            mkdir("/run/empty/run/berth", 0755);
            if (chdir("/run/empty") < 0 ||
                mount("/run/berth", "run/berth", NULL, MS_BIND | MS_REC, NULL))
                _exit(98);
            if (chroot(".") < 0)
                _exit(98);
            execl(WIRE_INIT_PATH, "berth-init", (char *)NULL);
        }
        // As in a container: uid 0, if that is who we are, has no
        // capabilities after an exec.
        prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED);
        if (engines_filter)
            engines_filter();
        execl(init_path, "berth-init", init_argument, (char *)NULL);
        _exit(99);
    }
    assert_true(box.init > 0);
    assert_int_equal(poll(&up, 1, PATIENCE_MS), 1);
    box.control = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
    assert_true(box.control >= 0);
    close(fd);
    assert_int_equal(wire_recv(box.control, &in, 0), 1);
    assert_int_equal(in.msg.type, WIRE_HELLO);
    box.hello = in.msg.value;
    return box;
}

static void box_stop(struct box *box)
{
    int status;

    if (box->control >= 0)
        close(box->control);
    assert_int_equal(waitpid(box->init, &status, 0), box->init);
    assert_int_equal(status, 0);
}

// One run of berth-task.
struct job {
    char **argv;
    char **env;          // NULL: as it is here
    void (*setup)(void); // in the task, before the exec
    int fds[3];          // 0, 1, 2; -1: /dev/null
    const char *arg0;    // by its change; NULL: berth-task is in front
    const char *changes; // changes, '\n' between them
    const char *cwd;     // by its change; NULL: where this process is
    pid_t task;          // set: berth-task
    pid_t program;       // set: the process in the container
    bool batch;          // a batch script
    int step;            // whose tasks share a process group
};

#define JOB(...)                                                               \
    {                                                                          \
        .argv = (char **)(uintptr_t)(const char *[]){__VA_ARGS__, NULL},       \
        .fds = {-1, -1, -1},                                                   \
    }

// In the child: becomes what JOB says, bare or by berth-task.
static void job_exec(const struct job *job, bool bare)
{
    int fds[3];
    char *argv[4096];
    int n = 0;

    for (int i = 0; i < 3; i++)
        fds[i] = job->fds[i] >= 0 ? fcntl(job->fds[i], F_DUPFD_CLOEXEC, 500)
                                  : open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int i = 0; i < 3; i++)
        dup2(fds[i], i);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    if (job->env)
        environ = job->env;
    if (job->setup)
        job->setup();
    if (bare)
        execvp(job->argv[0], job->argv);
    setenv(WIRE_STEP_ENV, STEP_PATH, 1);
    argv[n++] = task_path;
    for (char **p = job->argv + (job->arg0 ? 1 : 0); *p; p++)
        argv[n++] = *p;
    argv[n] = NULL;
    execv(task_path, argv);
    _exit(99);
}

static int overlay_fd(const struct job *job)
{
    int fd = memfd_create("changes", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    const char *p = job->changes;
    char cwd[4096];

    assert_non_null(getcwd(cwd, sizeof(cwd)));
    dprintf(fd, "%c%s%c", WIRE_CWD, job->cwd ? job->cwd : cwd, 0);
    if (job->arg0)
        dprintf(fd, "%c%s%c", WIRE_ARGV0, job->arg0, 0);
    while (p && *p) {
        size_t len = strcspn(p, "\n");

        assert_int_equal(write(fd, p, len), len);
        assert_int_equal(write(fd, "", 1), 1);
        p += len + (p[len] == '\n');
    }
    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK);
    return fd;
}

// Does berth-stepd's part for the berth-task at STEP.
static void job_place(struct job *job, struct box *box, int step)
{
    const int on = 1;
    struct wire_in in;
    int pair[2];
    int fds[2];

    assert_return_code(
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), errno);
    setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
    assert_return_code(
        wire_send(box->control, WIRE_FORK, job->step, NULL, 0, pair, 1, 0),
        errno);
    close(pair[0]);
    assert_int_equal(wire_recv(pair[1], &in, 0), 1);
    assert_int_equal(in.msg.type, WIRE_BORN);
    assert_true(in.pid > 0);
    assert_int_equal(in.uid, getuid());
    job->program = in.pid;
    fds[0] = pair[1];
    fds[1] = overlay_fd(job);
    assert_return_code(
        wire_send(step, WIRE_ACCEPT, job->batch, NULL, 0, fds, 2, 0), errno);
    close(fds[0]);
    close(fds[1]);
    close(step);
}

static int job_fork(struct job *job)
{
    job->task = fork();
    if (job->task == 0)
        job_exec(job, false);
    assert_true(job->task > 0);
    return accept4(step_listen, NULL, NULL, SOCK_CLOEXEC);
}

static void job_start(struct job *job, struct box *box)
{
    int step = job_fork(job);
    struct ucred peer;
    socklen_t len = sizeof(peer);

    assert_true(step >= 0);
    getsockopt(step, SOL_SOCKET, SO_PEERCRED, &peer, &len);
    assert_int_equal(peer.pid, job->task);
    job_place(job, box, step);
}

static int job_wait(struct job *job)
{
    int status;

    assert_int_equal(waitpid(job->task, &status, 0), job->task);
    return status;
}

static int job_run(struct job *job, struct box *box)
{
    job_start(job, box);
    return job_wait(job);
}

// Reads FD to its end into BUF, as a string.
static void slurp(int fd, char *buf, size_t size)
{
    size_t got = 0;
    ssize_t n;

    while (got < size - 1 && (n = read(fd, buf + got, size - 1 - got)) > 0)
        got += (size_t)n;
    buf[got] = '\0';
}

// Runs JOB with its descriptor FD captured in BUF. BOX NULL: bare.
static int job_capture(struct job *job, struct box *box, int fd, char *buf)
{
    int ends[2];

    assert_return_code(pipe2(ends, O_CLOEXEC), errno);
    job->fds[fd] = ends[1];
    if (box) {
        job_start(job, box);
    } else {
        job->task = fork();
        if (job->task == 0)
            job_exec(job, true);
    }
    close(ends[1]);
    job->fds[fd] = -1;
    slurp(ends[0], buf, 65536);
    close(ends[0]);
    return job_wait(job);
}

// Runs JOB bare and in a container, and compares what it printed, with
// standard input and error given (the output is compared by its kind only,
// since each run has its own).
static void assert_same(struct job *job)
{
    static char bare[65536], boxed[65536];
    struct box box = box_start(false);
    int file = memfd_create("out", MFD_CLOEXEC);
    int ends[2];

    assert_return_code(pipe2(ends, O_CLOEXEC), errno);
    job->fds[0] = ends[0];
    job->fds[1] = file;
    job->fds[2] = ends[1];
    job->task = fork();
    if (job->task == 0)
        job_exec(job, true);
    assert_int_equal(job_wait(job), 0);
    lseek(file, 0, SEEK_SET);
    slurp(file, bare, sizeof(bare));
    assert_return_code(ftruncate(file, 0), errno);
    lseek(file, 0, SEEK_SET);
    assert_int_equal(job_run(job, &box), 0);
    lseek(file, 0, SEEK_SET);
    slurp(file, boxed, sizeof(boxed));
    assert_string_equal(bare, boxed);
    assert_true(strlen(bare) > 100);
    close(file);
    close(ends[0]);
    close(ends[1]);
    box_stop(&box);
}

// ---- what a task is made of -------------------------------------------

static void a_program_finds_all_as_bare(void **state)
{
    struct job job = JOB(self, "--probe", "all");

    (void)state;
    assert_same(&job);
}

static void odd_words_arrive_as_they_are(void **state)
{
    struct job job = JOB(self, "--probe", "all", "", "a b", "line\nbreak",
                         "\xc3\xa4\xff", "--", "-x", "'\"$HOME\\", "\t", "");

    (void)state;
    assert_same(&job);
}

static void set_odd_state(void)
{
    int pipes[2];

    signals_set(SIGPIPE, true);
    signals_set(SIGINT, true);
    signals_set(SIGTTOU, true);
    signals_set(33, true);
    signals_set(64, true);
    signals_block(signals_bit(SIGUSR1) | signals_bit(SIGHUP) | signals_bit(32) |
                  signals_bit(40));
    umask(0137);
    if (chdir("/usr") < 0 || pipe(pipes) < 0 || dup2(pipes[0], 3) < 0 ||
        dup2(pipes[1], 4) < 0 || dup2(pipes[0], 5) < 0 ||
        dup2(pipes[1], 77) < 0 || dup2(pipes[1], 6) < 0 ||
        dup2(pipes[0], 7) < 0 || dup2(pipes[0], 8) < 0)
        _exit(97);
}

static void signals_umask_cwd_and_pipes_are_as_bare(void **state)
{
    static char bare[65536], boxed[65536];
    struct job job = JOB(self, "--probe", "all");
    struct box box = box_start(false);
    char *p;

    (void)state;
    // The pipes are made anew by each run, so their inodes differ.
    job.setup = set_odd_state;
    job.cwd = "/usr";
    assert_int_equal(job_capture(&job, NULL, 1, bare), 0);
    assert_int_equal(job_capture(&job, &box, 1, boxed), 0);
    box_stop(&box);
    for (char *text = bare; text; text = text == bare ? boxed : NULL)
        for (p = text; (p = strchr(p, ':')) && p[1] == ' '; p++)
            for (char *q = p + 2; *q && *q != ' '; q++)
                *q = 'x';
    assert_string_equal(bare, boxed);
    assert_non_null(strstr(bare, "fd 77:"));
}

static void block_everything(void)
{
    signals_block(SIGNALS_ALL);
    for (int n = 1; n <= SIGNALS_MAX; n++)
        signals_set(n, true);
}

static void all_signals_blocked_and_ignored_are_so_inside(void **state)
{
    struct job job = JOB(self, "--probe", "all");

    (void)state;
    job.setup = block_everything;
    assert_same(&job);
}

static void a_megabyte_of_environment_arrives(void **state)
{
    struct job job = JOB(self, "--probe", "all");
    static char *env[17];

    (void)state;
    for (int i = 0; i < 16; i++) {
        env[i] = malloc(65536);
        memset(env[i], 'a' + i, 65535);
        env[i][10] = '=';
        env[i][65535] = '\0';
    }
    job.env = env;
    assert_same(&job);
}

static void two_megabytes_of_arguments_arrive(void **state)
{
    static char *argv[64];
    struct job job = {.argv = argv};
    int n = 3;

    (void)state;
    argv[0] = self;
    argv[1] = (char *)(uintptr_t) "--probe";
    argv[2] = (char *)(uintptr_t) "all";
    for (; n < 3 + 17; n++) {
        argv[n] = malloc(125000);
        memset(argv[n], 'a' + n, 124999);
        argv[n][124999] = '\0';
    }
    assert_same(&job);
}

#ifndef BERTH_COVERAGE // where each program writes a file at its end

static void no_file_size(void)
{
    struct rlimit none = {0, 0};

    setrlimit(RLIMIT_FSIZE, &none);
}

static void a_file_size_limit_of_0_does_not_matter(void **state)
{
    struct job job = JOB(self, "--probe", "exit", "7");
    struct box box = box_start(false);

    (void)state;
    job.setup = no_file_size;
    assert_int_equal(job_run(&job, &box), 7 << 8);
    box_stop(&box);
}

#endif

static void close_standard(void)
{
    for (int fd = 0; fd < 3; fd++)
        close(fd);
}

static void closed_standard_descriptors_do_not_matter(void **state)
{
    struct job job = JOB(self, "--probe", "exit", "7");
    struct box box = box_start(false);

    (void)state;
    job.setup = close_standard;
    assert_int_equal(job_run(&job, &box), 7 << 8);
    box_stop(&box);
}

static void open_others(void)
{
    if (dup2(open("/", O_RDONLY | O_DIRECTORY), 9) < 0 ||
        dup2(open("/etc/passwd", O_RDONLY), 10) < 0)
        _exit(97);
}

static void directories_and_files_are_not_inherited(void **state)
{
    static char out[65536];
    struct job job = JOB(self, "--probe", "all");
    struct box box = box_start(false);

    (void)state;
    job.setup = open_others;
    assert_int_equal(job_capture(&job, &box, 1, out), 0);
    assert_null(strstr(out, "fd 9:"));
    assert_null(strstr(out, "fd 10:"));
    box_stop(&box);
}

static void a_directory_as_stdin_is_refused(void **state)
{
    static char err[65536];
    struct job job = JOB(self, "--probe", "exit");
    struct box box = box_start(false);

    (void)state;
    job.fds[0] = open("/", O_RDONLY | O_CLOEXEC);
    assert_int_equal(job_capture(&job, &box, 2, err), 125 << 8);
    assert_non_null(strstr(err, "berth: descriptor 0 of the task is a dir"));
    close(job.fds[0]);
    box_stop(&box);
}

static void the_overlay_changes_the_environment(void **state)
{
    static char out[65536];
    struct job job = JOB("/bin/sh", "-c", "echo $A:${B-none}:$C:$0; env");
    static char a[] = "A=1", b[] = "B=2", a2[] = "A=3", bb[] = "BB=4";
    char *env[] = {a, b, a2, bb, NULL};
    struct box box = box_start(false);

    (void)state;
    job.env = env;
    job.arg0 = "/bin/sh";
    job.changes = "=A=5\n-B\n=C=6\n-D\n=C=7";
    assert_int_equal(job_capture(&job, &box, 1, out), 0);
    assert_int_equal(strncmp(out, "5:none:7:/bin/sh\n", 17), 0);
    assert_non_null(strstr(out, "BB=4\n"));
    assert_null(strstr(out, WIRE_STEP_ENV));
    assert_null(strstr(out, "A=3"));
    box_stop(&box);
}

static void what_is_not_inside_is_not_in_the_environment(void **state)
{
    static char out[65536];
    struct job job =
        JOB("/bin/sh", "-c",
            "echo \"${TMPDIR-none}|$SHELL|${LD_PRELOAD-none}|${LANG-none}|"
            "${LC_ALL-none}|${LC_TIME-none}|$LC_CTYPE\"");
    struct box box = box_start(false);
    static char gone[] =
        "TMPDIR=/run/hidden/t\nSHELL=/run/hidden/sh\n"
        "LD_PRELOAD=/run/hidden/a.so:/run/hidden/b.so /run/hidden/c.so\n"
        "LANG=xx_YY.UTF-8\nLC_ALL=xx_YY\nLC_TIME=C.UTF-8\nLC_CTYPE=POSIX";
    static char there[] = "TMPDIR=/tmp\nSHELL=/bin/sh\n"
                          "LD_PRELOAD=/run/hidden/a.so::$LIB/b.so\n"
                          "LANG=xx_YY.UTF-8\nLC_ALL=C\nLOCPATH=/x";
    char *env[16], *text[] = {gone, there};
    const char *const want[] = {"none|/bin/sh|none|none|none|C.UTF-8|POSIX\n",
                                "/tmp|/bin/sh|$LIB/b.so|xx_YY.UTF-8|C|none|\n"};

    (void)state;
    mkdir("/run/hidden/t", 01777);
    write_file("/run/hidden/sh", "exit 0\n");
    chmod("/run/hidden/sh", 0755);
    for (size_t i = 0; i < COUNT(want); i++) {
        int n = 0;
        for (char *p = strtok(text[i], "\n"); p; p = strtok(NULL, "\n"))
            env[n++] = p;
        env[n] = NULL;
        job.env = env;
        assert_int_equal(job_capture(&job, &box, 1, out), 0);
        assert_string_equal(out, want[i]);
    }
    box_stop(&box);
}

static void the_overlay_says_how_and_where_a_program_starts(void **state)
{
    static char out[65536];
    struct job job = JOB("echo", "$0", "end");
    struct box box = box_start(false);

    (void)state;
    job.changes = "@/bin/sh\n@-c\n@pwd; ulimit -n; ulimit -Hn; echo \"$0 $@\"\n"
                  "@entry\n>/proc\n#7=64:65";
    assert_int_equal(job_capture(&job, &box, 1, out), 0);
    assert_string_equal(out, "/proc\n64\n65\nentry echo $0 end\n");
    job.arg0 = "true";
    assert_int_equal(job_capture(&job, &box, 1, out), 0);
    assert_string_equal(out, "/proc\n64\n65\nentry true $0 end\n");
    box_stop(&box);
}

static void an_overlay_of_another_version_ends_the_task(void **state)
{
    static const char *const bad[] = {"%x",   "=A",      "==A",   "?",
                                      "#7=1", "#16=1:1", "#=1:1", "#7=1:1x"};
    static char err[65536];
    struct box box = box_start(false);

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct job job = JOB("/bin/true");

        job.changes = bad[i];
        if (job_capture(&job, &box, 2, err) != 125 << 8)
            fail_msg("\"%s\" was taken", bad[i]);
        assert_non_null(strstr(err, "its environment is not as it should be"));
    }
    box_stop(&box);
}

// ---- how it ends ------------------------------------------------------

static void each_exit_status_comes_back(void **state)
{
    struct box box = box_start(false);

    (void)state;
    for (int i = 0; i < 256; i++) {
        char number[8];
        struct job job = JOB(self, "--probe", "exit", number);

        snprintf(number, sizeof(number), "%d", i);
        assert_int_equal(job_run(&job, &box), i << 8);
    }
    box_stop(&box);
}

static void each_deadly_signal_comes_back(void **state)
{
    struct box box = box_start(false);

    (void)state;
    for (int i = 1; i <= SIGNALS_MAX; i++) {
        char number[8];
        struct job job = JOB(self, "--probe", "die", number);

        if (i == SIGCHLD || i == SIGURG || i == SIGWINCH || i == SIGCONT ||
            (i >= SIGSTOP && i <= SIGTTOU))
            continue;
        snprintf(number, sizeof(number), "%d", i);
        assert_int_equal(job_run(&job, &box), i);
    }
    box_stop(&box);
}

static void signals_at_the_end_do_not_change_how_it_ends(void **state)
{
    struct box box = box_start(false);

    (void)state;
    for (int i = 0; i < 200; i++) {
        struct job job = JOB(self, "--probe", "exit", "3");
        int status;

        job_start(&job, &box);
        while (waitpid(job.task, &status, WNOHANG) == 0)
            kill(job.task, i % 2 ? SIGURG : SIGWINCH);
        assert_int_equal(status, 3 << 8);
    }
    box_stop(&box);
}

static void no_such_program_is_127(void **state)
{
    static char err[65536];
    static char path[] = "PATH=/usr/bin:/bin:/nowhere";
    char *env[] = {path, NULL};
    struct box box = box_start(false);

    (void)state;
    for (int i = 0; i < 5; i++) {
        static const char *const names[] = {"no-such-program", "/no/such",
                                            "/etc/passwd/foo", "", "./none"};
        struct job job = JOB(names[i]);

        job.env = env; // a directory of PATH that is closed would be EACCES
        assert_int_equal(job_capture(&job, &box, 2, err), 127 << 8);
        assert_int_equal(strncmp(err, "berth: ", 7), 0);
        assert_non_null(strstr(err, names[i]));
        assert_ptr_equal(strchr(err, '\n'), err + strlen(err) - 1);
    }
    box_stop(&box);
}

static void what_can_not_be_executed_is_126(void **state)
{
    static char err[65536];
    struct box box = box_start(false);

    (void)state;
    write_file("/run/plain", "text\n");
    for (int i = 0; i < 3; i++) {
        static const char *const names[] = {"/usr", "/run/plain",
                                            "/etc/passwd"};
        struct job job = JOB(names[i]);

        assert_int_equal(job_capture(&job, &box, 2, err), 126 << 8);
        assert_non_null(strstr(err, "Permission denied"));
    }
    box_stop(&box);
}

// Runs PATH, which has TEXT, LEN bytes, in BOX: it says SAYS in one sentence
// and ends with STATUS.
static void runs_not(struct box *box, const char *path, const void *text,
                     size_t len, int status, const char *says)
{
    static char err[65536];
    struct job job = JOB(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);

    assert_int_equal(write(fd, text, len), len);
    close(fd);
    assert_int_equal(job_capture(&job, box, 2, err), status << 8);
    if (!strstr(err, says))
        fail_msg("\"%s\" is not in: %s", says, err);
    assert_ptr_equal(strchr(err, '\n'), err + strlen(err) - 1);
}

#define SCRIPT(path, text, says)                                               \
    runs_not(&box, path, text, strlen(text), 127, says)

static void a_missing_interpreter_is_named(void **state)
{
    struct box box = box_start(false);

    (void)state;
    SCRIPT("/run/s", "#!/no/bash -e\n",
           "berth: /no/bash, which the first line of /run/s names, is not in");
    SCRIPT("/run/s", "#! /no/bash",
           "/no/bash, which the first line of /run/s names, is not in");
    SCRIPT("/run/slurm_script", "#!/no/bash\n",
           "/no/bash, which the first line of the batch script names, is not");
    SCRIPT("/run/s", "#!/bin/sh\r\nexit 0\n",
           "first line of /run/s ends with a carriage return");
    write_file("/run/i", "#!/no/inner\n");
    chmod("/run/i", 0755);
    SCRIPT("/run/s", "#!/run/i\n",
           "/run/i, which the first line of /run/s "
           "names, can't be run in the container");
    box_stop(&box);
}

static void a_program_of_another_kind_is_told(void **state)
{
    struct box box = box_start(false);
    struct {
        Elf64_Ehdr e;
        Elf64_Phdr p;
        char loader[16];
    } file = {
        .e = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, 1},
              .e_type = ET_EXEC,
              .e_version = 1,
              .e_phoff = offsetof(typeof(file), p),
              .e_ehsize = sizeof(Elf64_Ehdr),
              .e_phentsize = sizeof(Elf64_Phdr),
              .e_phnum = 1},
        .p = {.p_type = PT_INTERP,
              .p_offset = offsetof(typeof(file), loader),
              .p_filesz = sizeof("/no/ld.so")},
        .loader = "/no/ld.so",
    };
    struct utsname node;
    char says[256];

    (void)state;
    uname(&node);
    file.e.e_machine = EM_S390;
    snprintf(says, sizeof(says),
             "berth: /run/e is a program for s390x, and this node is %s:",
             node.machine);
    runs_not(&box, "/run/e", &file, sizeof(file), 126, says);
    memcpy(&file, "\177ELF????????????????????????????", 32);
    runs_not(&box, "/run/e", &file, sizeof(file), 126,
             "/run/e can't be executed: it is a damaged program");
    box_stop(&box);
}

#ifdef __x86_64__
static void a_missing_loader_is_named(void **state)
{
    struct box box = box_start(false);
    char program[4096], *at;
    int fd = open("/bin/true", O_RDONLY | O_CLOEXEC);

    (void)state;
    assert_int_equal(read(fd, program, sizeof(program)), sizeof(program));
    close(fd);
    at = memmem(program, sizeof(program), "/lib64/ld-", 10);
    assert_non_null(at);
    memcpy(at, "/no", 3);
    runs_not(&box, "/run/e", program, sizeof(program), 127,
             "berth: /run/e needs /nob64/ld-");
    box_stop(&box);
}
#endif

static void a_link_to_nowhere_says_where_it_leads(void **state)
{
    static char err[65536];
    static char path[] = "PATH=/nowhere:/run/links";
    char *env[] = {path, NULL};
    struct box box = box_start(false);
    struct job by_path = JOB("tool"), by_name = JOB("/run/links/tool");

    (void)state;
    mkdir("/run/links", 0755);
    assert_return_code(symlink("../hidden/t", "/run/links/mid"), errno);
    assert_return_code(symlink("mid", "/run/links/tool"), errno);
    by_path.env = env;
    assert_int_equal(job_capture(&by_path, &box, 2, err), 127 << 8);
    assert_non_null(strstr(err, "berth: /run/links/tool leads to "
                                "/run/links/../hidden/t, which is not"));
    assert_int_equal(job_capture(&by_name, &box, 2, err), 127 << 8);
    assert_non_null(strstr(err, "leads to /run/links/../hidden/t"));
    assert_non_null(strstr(err, ", whose /run/links/../hidden is its own"));
    box_stop(&box);
}

static void a_program_that_is_not_there_has_a_hint(void **state)
{
    static char err[65536];
    static char path[] = "PATH=/nowhere:/run/here";
    static char node[] = "SLURMD_NODENAME=n7";
    char *env[] = {path, node, NULL};
    struct box box = box_start(false);
    struct job mine = JOB("/run/hidden/prog"), theirs = JOB("prog"),
               none = JOB("none"), slurm = JOB("squeue");

    (void)state;
    mine.env = theirs.env = none.env = slurm.env = env;
    mkdir("/run/here", 0755);
    write_file("/run/hidden/prog", "exit 0\n");
    chmod("/run/hidden/prog", 0755);
    assert_int_equal(job_capture(&mine, &box, 2, err), 127 << 8);
    assert_non_null(strstr(err, "whose /run/hidden is its own"));
    assert_non_null(strstr(err, ": it is on node n7, of which"));
    none.changes = "!the hint";
    assert_int_equal(job_capture(&none, &box, 2, err), 127 << 8);
    assert_non_null(strstr(err, "no such program in the container: the hint"));
    assert_int_equal(job_capture(&slurm, &box, 2, err), 127 << 8);
    assert_non_null(strstr(err, "--container-slurm"));
    // berth-task searches its own PATH, the program's process another one.
    theirs.changes = "=PATH=/nowhere";
    write_file("/run/here/prog", "exit 0\n");
    chmod("/run/here/prog", 0755);
    assert_int_equal(job_capture(&theirs, &box, 2, err), 127 << 8);
    assert_non_null(strstr(err, ": /run/here/prog is on node n7, and"));
    box_stop(&box);
}

static void path_is_searched_as_execvp_does(void **state)
{
    static char out[65536];
    struct box box = box_start(false);
    struct job plain = JOB("plain");
    struct job script = JOB("script", "x");
    static char path[] = "PATH=/nowhere:/run/bin1:/run/bin2";
    char *env[] = {path, NULL};

    (void)state;
    mkdir("/run/bin1", 0755);
    mkdir("/run/bin2", 0755);
    write_file("/run/bin1/plain", "no\n");
    write_file("/run/bin1/script", "no\n");
    write_file("/run/bin2/script", "echo by sh: $1\n");
    chmod("/run/bin2/script", 0755);
    plain.env = env;
    script.env = env;
    assert_int_equal(job_run(&plain, &box), 126 << 8);
    assert_int_equal(job_capture(&script, &box, 1, out), 0);
    assert_string_equal(out, "by sh: x\n");
    box_stop(&box);
}

static void a_missing_working_directory_is_125(void **state)
{
    static char err[65536];
    struct box box = box_start(false);
    struct job job = JOB(self, "--probe", "exit");

    (void)state;
    job.cwd = "/run/hidden/dir";
    assert_int_equal(job_capture(&job, &box, 2, err), 125 << 8);
    assert_non_null(strstr(err, "/run/hidden/dir"));
    box_stop(&box);
}

static void an_images_working_directory_need_not_be_there(void **state)
{
    static char out[65536];
    struct box box = box_start(false);
    struct job job = JOB("/bin/pwd");

    (void)state;
    job.changes = ")/tmp";
    assert_int_equal(job_capture(&job, &box, 1, out), 0);
    assert_string_equal(out, "/tmp\n");
    job.changes = ")/run/hidden/dir";
    assert_int_equal(job_capture(&job, &box, 1, out), 0);
    assert_string_equal(out, "/\n");
    box_stop(&box);
}

static void an_empty_image_is_enough(void **state)
{
    struct box box = box_start(true);
    struct job job = JOB("/no");

    (void)state;
    job.cwd = "/";
    assert_int_equal(job_run(&job, &box), 127 << 8);
    box_stop(&box);
}

// ---- what srun is to hear ----------------------------------------------

// A listener with room for BACKLOG. PORT receives where.
static int srun_start(int backlog, uint16_t *port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_return_code(bind(fd, (struct sockaddr *)&addr, len), errno);
    assert_return_code(listen(fd, backlog), errno);
    assert_return_code(getsockname(fd, (struct sockaddr *)&addr, &len), errno);
    *port = ntohs(addr.sin_port);
    return fd;
}

// Runs a program whose berth-task is to send "a line" to PORT of HOST.
static void run_and_tell(const char *host, uint16_t port, struct box *box)
{
    struct job job = JOB("sh", "-c", "exit 3");
    char text[64];

    if (host)
        setenv("SLURM_LAUNCH_NODE_IPADDR", host, 1);
    int step = job_fork(&job);
    int n = snprintf(text, sizeof(text), "%u a line\n", port);
    wire_send(step, WIRE_TELL, 0, text, (size_t)n, NULL, 0, 0);
    job_place(&job, box, step);
    assert_int_equal(job_wait(&job), 3 << 8);
    unsetenv("SLURM_LAUNCH_NODE_IPADDR");
}

static void what_srun_is_to_hear_is_sent_there(void **state)
{
    struct box box = box_start(false);
    char heard[64];
    uint16_t port;

    (void)state;
    int srun = srun_start(1, &port);
    run_and_tell("127.0.0.1", port, &box);
    int conn = accept4(srun, NULL, NULL, SOCK_CLOEXEC);
    slurp(conn, heard, sizeof(heard));
    assert_string_equal(heard, "a line\n");
    close(conn);
    close(srun);
    box_stop(&box);
}

static void an_srun_that_is_not_reached_is_in_nobodys_way(void **state)
{
    static const char *const hosts[] = {NULL, "", "localhost", "192.0.2.1",
                                        "2001:db8::1"};
    struct box box = box_start(false);
    uint16_t port;
    int pending[3];

    (void)state;
    for (size_t i = 0; i < COUNT(hosts); i++)
        run_and_tell(hosts[i], 6817, &box);
    // Nobody listens; or nobody answers, since too many wait.
    close(srun_start(1, &port));
    run_and_tell("127.0.0.1", port, &box);
    int srun = srun_start(0, &port);
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons(port),
                               .sin_addr = {htonl(INADDR_LOOPBACK)}};
    for (size_t i = 0; i < COUNT(pending); i++) {
        pending[i] =
            socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        connect(pending[i], (struct sockaddr *)&addr, sizeof(addr));
    }
    run_and_tell("127.0.0.1", port, &box);
    for (size_t i = 0; i < COUNT(pending); i++)
        close(pending[i]);
    close(srun);
    box_stop(&box);
}

// ---- refusals ---------------------------------------------------------

static void a_refusal_is_its_sentence_and_status(void **state)
{
    static char err[65536];
    static const char note[] = "pulling", text[] = "no, since so";
    struct job job = JOB("x");
    int ends[2];
    int step;

    (void)state;
    assert_return_code(pipe2(ends, O_CLOEXEC), errno);
    job.fds[2] = ends[1];
    step = job_fork(&job);
    close(ends[1]);
    wire_send(step, WIRE_NOTE, 0, note, strlen(note), NULL, 0, 0);
    wire_send(step, WIRE_REFUSE, 42, text, strlen(text), NULL, 0, 0);
    slurp(ends[0], err, sizeof(err));
    assert_int_equal(job_wait(&job), 42 << 8);
    assert_string_equal(err, "pulling\nberth: no, since so\n");
    close(ends[0]);
    close(step);
}

static void a_silent_refusal_says_nothing(void **state)
{
    static char err[65536];
    struct job job = JOB("x");
    int ends[2];
    int step;

    (void)state;
    assert_return_code(pipe2(ends, O_CLOEXEC), errno);
    job.fds[2] = ends[1];
    step = job_fork(&job);
    close(ends[1]);
    wire_send(step, WIRE_REFUSE, 1, NULL, 0, NULL, 0, 0);
    slurp(ends[0], err, sizeof(err));
    assert_int_equal(job_wait(&job), 1 << 8);
    assert_string_equal(err, "");
    close(ends[0]);
    close(step);
}

static void without_a_berth_stepd_it_is_125_and_a_sentence(void **state)
{
    static char err[65536];
    struct job job = JOB("x");
    int ends[2];

    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_return_code(pipe2(ends, O_CLOEXEC), errno);
        job.fds[2] = ends[1];
        if (i == 0) { // its socket is not there
            rename(STEP_PATH, STEP_PATH ".away");
            job.task = fork();
            if (job.task == 0)
                job_exec(&job, false);
        } else { // it goes away before the container is up
            close(job_fork(&job));
        }
        close(ends[1]);
        slurp(ends[0], err, sizeof(err));
        close(ends[0]);
        assert_int_equal(job_wait(&job), 125 << 8);
        if (i == 0)
            rename(STEP_PATH ".away", STEP_PATH);
        assert_int_equal(strncmp(err, "berth: the container of ", 24), 0);
        assert_non_null(strstr(err, "tell your administrator\n"));
    }
}

static void garbage_from_berth_stepd_is_125(void **state)
{
    struct job job = JOB("x");
    int step = job_fork(&job);

    (void)state;
    assert_int_equal(send(step, "garbage", 7, 0), 7);
    assert_int_equal(job_wait(&job), 125 << 8);
    close(step);
}

// ---- deaths -----------------------------------------------------------

// Starts the probe WHAT, its output on the returned descriptor, and waits
// until it has said "ready".
static int start_ready(struct job *job, struct box *box)
{
    int ends[2];
    char line[6];

    assert_return_code(pipe2(ends, O_CLOEXEC), errno);
    job->fds[1] = ends[1];
    job_start(job, box);
    close(ends[1]);
    assert_int_equal(read(ends[0], line, 6), 6);
    assert_memory_equal(line, "ready\n", 6);
    return ends[0];
}

// Says whether whoever had the other end of FD is gone within 5 s.
static bool all_gone(int fd)
{
    struct pollfd p = {fd, POLLIN, 0};
    char c;

    return poll(&p, 1, PATIENCE_MS) == 1 && read(fd, &c, 1) == 0;
}

static void the_death_of_berth_task_kills_all_that_came_of_it(void **state)
{
    struct box box = box_start(false);
    struct job other = JOB(self, "--probe", "tree");
    struct job job = JOB(self, "--probe", "tree");
    int other_fd = start_ready(&other, &box);
    int fd = start_ready(&job, &box);
    struct pollfd p = {other_fd, POLLIN, 0};

    (void)state;
    usleep(50000); // until the tree has grown
    kill(job.task, SIGKILL);
    assert_int_equal(job_wait(&job), SIGKILL);
    assert_true(all_gone(fd));
    assert_int_equal(poll(&p, 1, 100), 0); // and of no other task
    kill(other.task, SIGKILL);
    assert_int_equal(job_wait(&other), SIGKILL);
    assert_true(all_gone(other_fd));
    close(fd);
    close(other_fd);
    box_stop(&box);
}

static void the_end_of_the_control_link_ends_everything(void **state)
{
    struct box box = box_start(false);
    struct job job = JOB(self, "--probe", "tree");
    int fd = start_ready(&job, &box);

    (void)state;
    close(box.control);
    box.control = -1;
    assert_true(all_gone(fd));
    assert_int_equal(job_wait(&job), SIGKILL);
    close(fd);
    box_stop(&box);
}

// How many processes have PARENT, among them zombies.
static int count_children(pid_t parent)
{
    DIR *dir = opendir("/proc");
    struct dirent *d;
    int n = 0;

    while ((d = readdir(dir))) {
        char path[300], text[512] = "";
        FILE *f;
        char *p;
        int ppid;

        snprintf(path, sizeof(path), "/proc/%s/stat", d->d_name);
        f = fopen(path, "r");
        if (!f)
            continue;
        if (fgets(text, sizeof(text), f) && (p = strrchr(text, ')')) &&
            sscanf(p, ") %*c %d", &ppid) == 1 && ppid == parent)
            n++;
        fclose(f);
    }
    closedir(dir);
    return n;
}

// Has berth-init clear the container, and waits for its word.
static void clear(const struct box *box)
{
    struct wire_in in;
    int pair[2];

    assert_return_code(
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), errno);
    assert_return_code(
        wire_send(box->control, WIRE_CLEAR, 0, NULL, 0, &pair[1], 1, 0), errno);
    close(pair[1]);
    struct pollfd p = {pair[0], POLLIN, 0};
    assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
    assert_int_equal(wire_recv(pair[0], &in, 0), 1);
    assert_int_equal(in.msg.type, WIRE_CLEARED);
    close(pair[0]);
}

static void what_is_cleared_is_empty_and_goes_on(void **state)
{
    struct box box = box_start(false);
    struct job job = JOB(self, "--probe", "tree");
    struct job stopped = JOB("sh", "-c", "echo ready; kill -STOP $$");
    struct job next = JOB("sh", "-c", "exit 7");
    int fd = start_ready(&job, &box), stopped_fd = start_ready(&stopped, &box);

    (void)state;
    usleep(50000); // until the tree has grown
    clear(&box);
    assert_int_equal(count_children(box.init), 0);
    assert_true(all_gone(fd));
    assert_int_equal(job_wait(&job), SIGKILL);
    assert_int_equal(job_wait(&stopped), SIGKILL);
    clear(&box); // where there is nothing
    assert_int_equal(job_run(&next, &box), 7 << 8);
    close(stopped_fd);
    close(fd);
    box_stop(&box);
}

// (threat 91)
static void what_forks_without_end_is_cleared(void **state)
{
    struct box box = box_start(false);
    struct job job = JOB("sh", "-c",
                         "for i in 1 2 3 4 5 6 7 8; do (while :; do "
                         "(sleep 0.01 &) ; done) & done; echo ready; wait");
    int fd = start_ready(&job, &box);

    (void)state;
    usleep(50000);
    clear(&box);
    assert_int_equal(count_children(box.init), 0);
    assert_true(all_gone(fd));
    job_wait(&job);
    close(fd);
    box_stop(&box);
}

static void the_last_holder_of_the_control_link_ends_it(void **state)
{
    struct box box = box_start(false);
    struct job job = JOB(self, "--probe", "tree");
    struct job next = JOB("sh", "-c", "exit 7");
    int other = fcntl(box.control, F_DUPFD_CLOEXEC, 0);
    int fd = start_ready(&job, &box);

    (void)state;
    close(box.control);
    box.control = other;
    assert_int_equal(job_run(&next, &box), 7 << 8);
    close(box.control);
    box.control = -1;
    assert_true(all_gone(fd));
    assert_int_equal(job_wait(&job), SIGKILL);
    close(fd);
    box_stop(&box);
}

static void the_engines_sigterm_ends_everything(void **state)
{
    struct box box = box_start(false);
    struct job job = JOB(self, "--probe", "tree");
    int fd = start_ready(&job, &box);

    (void)state;
    kill(box.init, SIGTERM);
    assert_true(all_gone(fd));
    assert_int_equal(job_wait(&job), SIGKILL);
    close(fd);
    box_stop(&box);
}

static void the_death_of_berth_init_is_the_tasks(void **state)
{
    struct box box = box_start(false);
    struct job job = JOB(self, "--probe", "tree");
    int fd = start_ready(&job, &box);
    int status;

    (void)state;
    kill(box.init, SIGKILL);
    assert_true(all_gone(fd));
    assert_int_equal(job_wait(&job), SIGKILL);
    close(fd);
    close(box.control);
    assert_int_equal(waitpid(box.init, &status, 0), box.init);
}

static void a_task_can_not_hurt_berth_init(void **state)
{
    static char out[65536];
    struct box box = box_start(false);
    struct job job = JOB("/bin/sh", "-c",
                         "for s in TERM INT HUP QUIT KILL STOP USR1 CHLD; do "
                         "kill -$s 1; done; kill -TERM -1; sleep 0.1;"
                         "cat /proc/1/environ /proc/1/mem;"
                         "readlink /proc/1/fd/3 /proc/1/exe;"
                         "echo alive");

    (void)state;
    assert_int_equal(job_capture(&job, &box, 1, out), 0);
    assert_string_equal(out, "alive\n");
    box_stop(&box);
}

static void berth_task_that_dies_before_run_leaves_nothing(void **state)
{
    struct box box = box_start(false);
    struct wire_in in;
    int pair[2];

    (void)state;
    for (int i = 0; i < 3; i++) {
        static const char garbage[] = "garbage";

        assert_return_code(
            socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), errno);
        wire_send(box.control, WIRE_FORK, 0, NULL, 0, pair, 1, 0);
        close(pair[0]);
        assert_int_equal(wire_recv(pair[1], &in, 0), 1);
        assert_int_equal(in.msg.type, WIRE_BORN);
        if (i == 1)
            assert_int_equal(send(pair[1], garbage, 7, 0), 7);
        if (i == 2)
            wire_send(pair[1], WIRE_SIGNAL, 9, NULL, 0, NULL, 0, 0);
        if (i > 0) {
            assert_int_equal(wire_recv(pair[1], &in, 0), 1);
            assert_int_equal(in.msg.type, WIRE_DONE);
            assert_int_equal(in.msg.value, 125 << 8);
            assert_int_equal(wire_recv(pair[1], &in, 0), 0);
        }
        close(pair[1]);
    }
    box_stop(&box);
}

// ---- while it runs ----------------------------------------------------

static void each_signal_is_passed_on_once(void **state)
{
    struct box box = box_start(false);
    struct job job = JOB(self, "--probe", "signals");
    int fd = start_ready(&job, &box);
    FILE *out = fdopen(fd, "r");
    char line[32];

    (void)state;
    for (int n = 1; n <= SIGNALS_MAX; n++) {
        if (n == SIGKILL || n == SIGSTOP)
            continue;
        syscall(SYS_kill, job.task, n);
        assert_non_null(fgets(line, sizeof(line), out));
        assert_int_equal(atoi(line), n);
    }
    assert_null(fgets(line, sizeof(line), out));
    assert_int_equal(job_wait(&job), 0);
    fclose(out);
    box_stop(&box);
}

// As slurmstepd does.
static void lead_group(void)
{
    setpgid(0, 0);
}

static void a_batch_scripts_process_group_is_stood_in_for(void **state)
{
    struct box box = box_start(false);
    struct job job = JOB(self, "--probe", "pair");
    char got[4];
    int fd;

    (void)state;
    job.batch = true;
    job.setup = lead_group;
    fd = start_ready(&job, &box);
    kill(job.task, SIGUSR1);
    assert_int_equal(read(fd, got, 2), 2);
    assert_memory_equal(got, "p1", 2);
    kill(-job.task, SIGUSR2);
    assert_int_equal(read(fd, got, 2), 2);
    assert_int_equal(read(fd, got + 2, 2), 2);
    if (memcmp(got, "p2c2", 4) != 0 && memcmp(got, "c2p2", 4) != 0)
        fail_msg("%.4s", got);
    kill(-job.task, SIGTERM);
    assert_int_equal(job_wait(&job), SIGTERM);
    assert_true(all_gone(fd));
    close(fd);
    box_stop(&box);
}

static void await_state(pid_t pid, char wanted)
{
    for (int i = 0; i < 500; i++) {
        char path[64], text[512] = "";
        char *p;
        FILE *f;

        snprintf(path, sizeof(path), "/proc/%d/stat", pid);
        f = fopen(path, "r");
        if (f && fgets(text, sizeof(text), f) && (p = strrchr(text, ')')) &&
            p[2] == wanted) {
            fclose(f);
            return;
        }
        if (f)
            fclose(f);
        usleep(10000);
    }
    fail_msg("process %d is never %c", pid, wanted);
}

static void a_task_stops_and_goes_on(void **state)
{
    struct box box = box_start(false);
    struct job job = JOB(self, "--probe", "tree");
    int fd = start_ready(&job, &box);

    (void)state;
    for (int i = 0; i < 3; i++) {
        kill(job.task, SIGTSTP);
        await_state(job.program, 'T');
        kill(job.task, SIGCONT);
        await_state(job.program, 'S');
    }
    kill(job.program, SIGSTOP); // and by somebody else
    await_state(job.program, 'T');
    kill(job.program, SIGCONT);
    await_state(job.program, 'S');
    kill(job.task, SIGTERM);
    assert_int_equal(job_wait(&job), SIGTERM);
    close(fd);
    box_stop(&box);
}

static void what_the_program_closes_is_closed(void **state)
{
    struct box box = box_start(false);
    struct job job = JOB(self, "--probe", "close");
    int out[2], in[2];

    (void)state;
    assert_return_code(pipe2(out, O_CLOEXEC), errno);
    assert_return_code(pipe2(in, O_CLOEXEC), errno);
    signal(SIGPIPE, SIG_IGN);
    job.fds[0] = in[0];
    job.fds[1] = out[1];
    job_start(&job, &box);
    close(in[0]);
    close(out[1]);
    assert_true(all_gone(out[0]));
    assert_int_equal(write(in[1], "x", 1), -1);
    assert_int_equal(errno, EPIPE);
    kill(job.task, SIGTERM);
    assert_int_equal(job_wait(&job), SIGTERM);
    signal(SIGPIPE, SIG_DFL);
    close(in[1]);
    close(out[0]);
    box_stop(&box);
}

static void tasks_share_a_process_group(void **state)
{
    struct box box = box_start(false);
    struct job jobs[5] = {
        JOB(self, "--probe", "group"), JOB(self, "--probe", "group"),
        JOB(self, "--probe", "group"), JOB(self, "--probe", "group"),
        JOB(self, "--probe", "group"),
    };
    int in[2], out[2];
    int pid, group, first = 0;
    char line[64];

    (void)state;
    assert_return_code(pipe2(in, O_CLOEXEC), errno);
    assert_return_code(pipe2(out, O_CLOEXEC), errno);
    for (int i = 0; i < 5; i++) {
        ssize_t n;

        jobs[i].step = i < 3 ? 1 : 2; // those of another step have their own
        jobs[i].fds[0] = in[0];
        jobs[i].fds[1] = out[1];
        job_start(&jobs[i], &box);
        n = read(out[0], line, sizeof(line) - 1);
        assert_true(n > 0);
        line[n] = '\0';
        assert_int_equal(sscanf(line, "%d %d", &pid, &group), 2);
        if (i == 0 || i == 3)
            first = pid;
        assert_int_equal(group, first);
    }
    close(in[0]);
    close(in[1]);
    for (int i = 0; i < 5; i++)
        assert_int_equal(job_wait(&jobs[i]), 0);
    close(out[0]);
    close(out[1]);
    box_stop(&box);
}

enum { MANY = 200 };

static void two_hundred_tasks_at_once(void **state)
{
    static struct job jobs[MANY];
    static char numbers[MANY][8];
    static char *argv[MANY][5];
    struct box box = box_start(false);
    int in[2];

    (void)state;
    assert_return_code(pipe2(in, O_CLOEXEC), errno);
    for (int i = 0; i < MANY; i++) {
        snprintf(numbers[i], sizeof(numbers[i]), "%d", i);
        argv[i][0] = self;
        argv[i][1] = (char *)(uintptr_t) "--probe";
        argv[i][2] = (char *)(uintptr_t) "wait";
        argv[i][3] = numbers[i];
        jobs[i] = (struct job){.argv = argv[i], .fds = {in[0], -1, -1}};
        job_start(&jobs[i], &box);
    }
    close(in[0]);
    close(in[1]);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(job_wait(&jobs[i]), i << 8);
    box_stop(&box);
}

static void orphans_are_buried(void **state)
{
    struct box box = box_start(false);
    struct job job = JOB(self, "--probe", "storm", "500");
    int n = -1;

    (void)state;
    assert_int_equal(job_run(&job, &box), 0);
    for (int i = 0; i < 500 && n != 0; i++) {
        n = count_children(box.init);
        usleep(10000);
    }
    assert_int_equal(n, 0);
    box_stop(&box);
}

static int pty_slave = -1;

static void take_pty(void)
{
    setsid();
    ioctl(pty_slave, TIOCSCTTY, 0);
    for (int fd = 0; fd < 3; fd++)
        dup2(pty_slave, fd);
    close(pty_slave);
}

static void a_terminal_is_handed_over(void **state)
{
    struct box box = box_start(false);
    struct job job = JOB(self, "--probe", "tty");
    struct winsize size = {.ws_row = 33, .ws_col = 99};
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    char line[256];
    size_t len = 0;

    (void)state;
    assert_true(master >= 0);
    assert_return_code(grantpt(master), errno);
    assert_return_code(unlockpt(master), errno);
    pty_slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    assert_true(pty_slave >= 0);
    ioctl(master, TIOCSWINSZ, &size);
    job.setup = take_pty;
    job_start(&job, &box);
    do { // it comes in pieces
        ssize_t n = read(master, line + len, sizeof(line) - 1 - len);
        assert_true(n > 0);
        len += (size_t)n;
    } while (line[len - 1] != '\n');
    line[len] = '\0';
    assert_string_equal(line, "leader 1 foreground 1 tty 1 rows 33\r\n");
    assert_int_equal(write(master, "\003", 1), 1); // Ctrl-C
    assert_int_equal(job_wait(&job), SIGINT);
    close(pty_slave);
    close(master);
    box_stop(&box);
}

// Private memory of PID in KiB.
static long private_kb(pid_t pid)
{
    char path[64], line[256];
    long total = 0, kb;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
    f = fopen(path, "r");
    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, "Private_Clean: %ld", &kb) == 1 ||
            sscanf(line, "Private_Dirty: %ld", &kb) == 1)
            total += kb;
    if (f)
        fclose(f);
    return total;
}

static void both_take_less_than_a_megabyte(void **state)
{
    struct box box = box_start(false);
    struct job job = JOB(self, "--probe", "tree");
    int fd = start_ready(&job, &box);

    (void)state;
    printf("# private: berth-task %ld KiB, berth-init %ld KiB\n",
           private_kb(job.task), private_kb(box.init));
    assert_true(private_kb(job.task) < 1024);
    assert_true(private_kb(box.init) < 1024);
    kill(job.task, SIGKILL);
    job_wait(&job);
    close(fd);
    box_stop(&box);
}

static void no_way_leads_to_a_user_namespace(void **state)
{
    static char out[65536], want[64];
    struct job job = JOB(self, "--probe", "users");
    struct box box = box_start(false);

    (void)state;
    assert_int_equal(job_capture(&job, &box, 1, out), 0);
    snprintf(want, sizeof(want), "%d %d %d 0 %d ", EPERM, ENOSYS, EPERM, EPERM);
    assert_string_equal(out, want);
#ifdef __x86_64__
    struct job other = JOB(self, "--probe", "elsewhere");
    if (job_capture(&other, &box, 1, out) == 0) {
        snprintf(want, sizeof(want), "%d %d %d %d", ENOSYS, EPERM, EPERM,
                 EPERM);
        assert_string_equal(out, want);
    } else {
        puts("# this kernel has no calls of i386");
    }
#endif
    box_stop(&box);
}

static void an_administrators_profile_decides_alone(void **state)
{
    static char out[65536];
    struct job job = JOB(self, "--probe", "users");

    (void)state;
    init_argument = WIRE_INIT_PROFILE;
    struct box box = box_start(false);
    init_argument = NULL;
    assert_int_equal(job_capture(&job, &box, 1, out), 0);
    assert_int_equal(strncmp(out, "0 0 ", 4), 0);
    box_stop(&box);
}

// One that allows all, and one as engines have them.
static void set_filter(bool keyrings)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_add_key, 0, 1),
        BPF_STMT(BPF_RET | BPF_K,
                 keyrings ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {COUNT(code), code};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
        _exit(97);
}
static void set_void_filter(void)
{
    set_filter(true);
}
static void set_engines_filter(void)
{
    set_filter(false);
}

static void a_filter_that_allows_all_is_told_from_an_engines(void **state)
{
    static const struct {
        void (*filter)(void);
        int hello;
    } cases[] = {{NULL, 0}, {set_void_filter, 0}, {set_engines_filter, 1}};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        engines_filter = cases[i].filter;
        struct box box = box_start(false);
        engines_filter = NULL;
        assert_int_equal(box.hello, cases[i].hello);
        box_stop(&box);
    }
}

static void berth_init_runs_as_process_1_only(void **state)
{
    struct job job = JOB(init_path);
    static char err[65536];

    (void)state;
    assert_int_equal(job_capture(&job, NULL, 2, err), 1 << 8);
    assert_int_equal(strncmp(err, "berth: berth-init is process 1", 30), 0);
}

// ---- main -------------------------------------------------------------

// A world of its own, in which /run is ours. Returns whether there is one.
static bool enter_world(void)
{
    unsigned uid = getuid(), gid = getgid();
    int fd;

    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
        return false;
    write_file("/proc/self/setgroups", "deny");
    write_file("/proc/self/uid_map", "%u %u 1", uid, uid);
    write_file("/proc/self/gid_map", "%u %u 1", gid, gid);
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("run", "/run", "tmpfs", 0, NULL) < 0 ||
        mkdir("/run/berth", 0755) < 0 || mkdir("/run/hidden", 0755) < 0 ||
        mkdir("/run/hidden/dir", 0755) < 0)
        return false;
    fd = open(WIRE_INIT_PATH, O_CREAT | O_CLOEXEC | O_WRONLY, 0755);
    close(fd);
    return mount(init_path, WIRE_INIT_PATH, NULL, MS_BIND, NULL) == 0;
}

static void raise_stack(void)
{
    struct rlimit lim;

    getrlimit(RLIMIT_STACK, &lim);
    if (lim.rlim_cur < 16 * 1024 * 1024)
        lim.rlim_cur =
            lim.rlim_max < 16 * 1024 * 1024 ? lim.rlim_max : 16 * 1024 * 1024;
    setrlimit(RLIMIT_STACK, &lim);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refusal_is_its_sentence_and_status),
        cmocka_unit_test(a_silent_refusal_says_nothing),
        cmocka_unit_test(without_a_berth_stepd_it_is_125_and_a_sentence),
        cmocka_unit_test(garbage_from_berth_stepd_is_125),
        cmocka_unit_test(berth_init_runs_as_process_1_only),
        cmocka_unit_test(no_way_leads_to_a_user_namespace),
        cmocka_unit_test(an_administrators_profile_decides_alone),
        cmocka_unit_test(a_filter_that_allows_all_is_told_from_an_engines),
        cmocka_unit_test(a_program_finds_all_as_bare),
        cmocka_unit_test(odd_words_arrive_as_they_are),
        cmocka_unit_test(signals_umask_cwd_and_pipes_are_as_bare),
        cmocka_unit_test(all_signals_blocked_and_ignored_are_so_inside),
        cmocka_unit_test(a_megabyte_of_environment_arrives),
        cmocka_unit_test(two_megabytes_of_arguments_arrive),
#ifndef BERTH_COVERAGE
        cmocka_unit_test(a_file_size_limit_of_0_does_not_matter),
#endif
        cmocka_unit_test(closed_standard_descriptors_do_not_matter),
        cmocka_unit_test(directories_and_files_are_not_inherited),
        cmocka_unit_test(a_directory_as_stdin_is_refused),
        cmocka_unit_test(the_overlay_changes_the_environment),
        cmocka_unit_test(what_is_not_inside_is_not_in_the_environment),
        cmocka_unit_test(the_overlay_says_how_and_where_a_program_starts),
        cmocka_unit_test(an_overlay_of_another_version_ends_the_task),
        cmocka_unit_test(each_exit_status_comes_back),
        cmocka_unit_test(each_deadly_signal_comes_back),
        cmocka_unit_test(signals_at_the_end_do_not_change_how_it_ends),
        cmocka_unit_test(no_such_program_is_127),
        cmocka_unit_test(what_can_not_be_executed_is_126),
        cmocka_unit_test(a_missing_interpreter_is_named),
        cmocka_unit_test(a_program_of_another_kind_is_told),
#ifdef __x86_64__
        cmocka_unit_test(a_missing_loader_is_named),
#endif
        cmocka_unit_test(a_link_to_nowhere_says_where_it_leads),
        cmocka_unit_test(a_program_that_is_not_there_has_a_hint),
        cmocka_unit_test(path_is_searched_as_execvp_does),
        cmocka_unit_test(a_missing_working_directory_is_125),
        cmocka_unit_test(an_images_working_directory_need_not_be_there),
        cmocka_unit_test(an_empty_image_is_enough),
        cmocka_unit_test(what_srun_is_to_hear_is_sent_there),
        cmocka_unit_test(an_srun_that_is_not_reached_is_in_nobodys_way),
        cmocka_unit_test(the_death_of_berth_task_kills_all_that_came_of_it),
        cmocka_unit_test(the_end_of_the_control_link_ends_everything),
        cmocka_unit_test(what_is_cleared_is_empty_and_goes_on),
        cmocka_unit_test(what_forks_without_end_is_cleared),
        cmocka_unit_test(the_last_holder_of_the_control_link_ends_it),
        cmocka_unit_test(the_engines_sigterm_ends_everything),
        cmocka_unit_test(the_death_of_berth_init_is_the_tasks),
        cmocka_unit_test(a_task_can_not_hurt_berth_init),
        cmocka_unit_test(berth_task_that_dies_before_run_leaves_nothing),
        cmocka_unit_test(each_signal_is_passed_on_once),
        cmocka_unit_test(a_batch_scripts_process_group_is_stood_in_for),
        cmocka_unit_test(a_task_stops_and_goes_on),
        cmocka_unit_test(what_the_program_closes_is_closed),
        cmocka_unit_test(tasks_share_a_process_group),
        cmocka_unit_test(two_hundred_tasks_at_once),
        cmocka_unit_test(orphans_are_buried),
        cmocka_unit_test(a_terminal_is_handed_over),
        cmocka_unit_test(both_take_less_than_a_megabyte),
    };

    if (argc > 2 && strcmp(argv[1], "--probe") == 0)
        return probe(argc, argv);
    if (!realpath("/proc/self/exe", self) ||
        !realpath("berth-init", init_path) ||
        !realpath("berth-task", task_path)) {
        fprintf(stderr, "berth-init and berth-task must be built, and be in "
                        "the working directory\n");
        return 99;
    }
    if (!enter_world()) {
        puts("1..0 # SKIP this machine lacks unprivileged user namespaces");
        return 0;
    }
    wire_close_from(3); // what the caller left open is not ours to compare
    raise_stack();
    // A shell that starts this behind its back has them ignored, and what is
    // ignored here is so in each task.
    signal(SIGINT, SIG_DFL);
    signal(SIGQUIT, SIG_DFL);
    alarm(600);
    umask(022);
    step_listen = listen_at(STEP_PATH);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
