// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// storm user UID SEED MS: becomes user UID, and for MS milliseconds sends
// random signals to random processes of those that he may signal.
//
// storm root WORD SEED MS: the same as root, to what only root may signal of
// a step's: berth-stepd, slurmstepd, and the engine's processes of one
// container. WORD is in the environment, the arguments or the program's path
// of each that is ours.
//
// Both print a line for each signal. The same SEED makes the same choices;
// what there is to choose from depends on the machine.
//
// storm watch UID STATE: prints a line for each process of user UID that is
// neither in the cgroups of a job of his, nor in those of a container of
// which the ID is on record in STATE, nor a client of Slurm's, nor a child of
// berth-stepd's. Looks until it is killed.

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    PROCS_MAX = 4096,
    PIDS = 1 << 22, // the kernel's bound
    SCAN_US = 300,  // how often a process of the chosen kind is looked for
    HITS_MAX = 4,   // so many of that kind are hit
    WATCH_US = 100000,
    // A process that is being moved is in two places. One that is stopped
    // then, or waits for the processor, is so for longer.
    ASTRAY_MS = 3000,
};

struct proc {
    pid_t pid;
    char name[16];
};

static struct proc procs[PROCS_MAX];
static int nprocs;
static const char *word; // root's
static uint64_t state;

// What the names begin with of the processes that are worth waiting for.
static const char *const by_user[] = {
    "runc:[", "crun", "berth-stepd", "init", "sh", "berth-task", "slurmstepd"};
static const char *const by_root[] = {
    "berth-stepd", "slurmstepd", "containerd-shim", "runc", "crun", "conmon"};
static const struct {
    int number;
    const char *name;
} signals[] = {{SIGSTOP, "STOP"}, {SIGSTOP, "STOP"}, {SIGSTOP, "STOP"},
               {SIGCONT, "CONT"}, {SIGCONT, "CONT"}, {SIGKILL, "KILL"},
               {SIGKILL, "KILL"}, {SIGTERM, "TERM"}};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static uint32_t draw(void)
{
    uint64_t z = state += 0x9e3779b97f4a7c15;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return (uint32_t)(z >> 32);
}

static long long now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

// Reads the file NAME of process PID into BUF, as text. Returns its length.
static size_t slurp(pid_t pid, const char *name, char *buf, size_t size)
{
    char path[64];
    size_t got = 0;

    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    for (ssize_t n; fd >= 0 && got < size - 1 &&
                    (n = read(fd, buf + got, size - 1 - got)) > 0;)
        got += (size_t)n;
    if (fd >= 0)
        close(fd);
    buf[got] = 0;
    return got;
}

static bool starts(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static bool is_ours(pid_t pid)
{
    static char buf[1 << 17];
    char path[64];
    size_t n;

    snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
    ssize_t len = readlink(path, buf, sizeof(buf) - 1);
    return (len > 0 && memmem(buf, (size_t)len, word, strlen(word))) ||
           ((n = slurp(pid, "cmdline", buf, sizeof(buf))) > 0 &&
            memmem(buf, n, word, strlen(word))) ||
           ((n = slurp(pid, "environ", buf, sizeof(buf))) > 0 &&
            memmem(buf, n, word, strlen(word)));
}

// Whether the process may be hit. Sets its name.
static bool eligible(struct proc *p)
{
    if (p->pid == getpid() || kill(p->pid, 0) < 0 ||
        slurp(p->pid, "comm", p->name, sizeof(p->name)) == 0)
        return false;
    p->name[strcspn(p->name, "\n")] = 0;
    if (!word)
        return true;
    for (size_t i = 0; i < COUNT(by_root); i++)
        if (starts(p->name, by_root[i]))
            return is_ours(p->pid);
    return false;
}

static int by_name(const void *a, const void *b)
{
    const struct proc *p = a, *q = b;
    int names = strcmp(p->name, q->name);

    return names ? names : p->pid - q->pid;
}

// Lists the processes that may be hit, of a kind if that is given.
static void scan(const char *kind)
{
    static DIR *d;

    if (!d && !(d = opendir("/proc")))
        exit(1);
    rewinddir(d);
    nprocs = 0;
    for (struct dirent *e; (e = readdir(d)) && nprocs < PROCS_MAX;) {
        struct proc *p = &procs[nprocs];
        p->pid = atoi(e->d_name);
        if (p->pid > 1 && eligible(p) && (!kind || starts(p->name, kind)))
            nprocs++;
    }
    qsort(procs, (size_t)nprocs, sizeof(procs[0]), by_name);
}

static void hit(const struct proc *p, size_t sig, long long start)
{
    char stat[512], *end;

    slurp(p->pid, "stat", stat, sizeof(stat));
    end = strrchr(stat, ')');
    int rc = kill(p->pid, signals[sig].number);
    printf("%5lld ms: %s to %d %s (%c)%s\n", now_ms() - start,
           signals[sig].name, (int)p->pid, p->name, end ? end[2] : '?',
           rc < 0 ? ", which is gone" : "");
    fflush(stdout);
}

// Whether it is the first of its name.
static bool is_first(int i)
{
    return i == 0 || strcmp(procs[i].name, procs[i - 1].name) != 0;
}

// Hits any process, each name as likely as another.
static void hit_any(long long start)
{
    uint32_t which_name = draw(), which = draw(), sig = draw();
    int first = 0, last = 0, names = 0;

    scan(NULL);
    for (int i = 0; i < nprocs; i++)
        names += is_first(i);
    if (names == 0)
        return;
    int left = (int)(which_name % (uint32_t)names) + 1;
    for (int i = 0; i < nprocs; i++) {
        left -= is_first(i);
        if (left == 0 && is_first(i))
            first = i;
        if (left == 0)
            last = i;
    }
    hit(&procs[first + (int)(which % (uint32_t)(last - first + 1))],
        sig % COUNT(signals), start);
}

// Mostly, one kind of process gets one signal, as soon as it is there or
// shortly after; others get one now and then.
static void storm(int ms)
{
    static bool seen[PIDS];
    const char *const *kinds = word ? by_root : by_user;
    size_t nkinds = word ? COUNT(by_root) : COUNT(by_user);
    size_t choice = draw() % (nkinds + 2);
    const char *kind = choice < nkinds ? kinds[choice] : NULL;
    size_t sig;
    do
        sig = draw() % COUNT(signals);
    while (signals[sig].number == SIGCONT); // it is not stopped
    uint32_t late_us = draw() % 3 == 0 ? draw() % 100000 : 0;
    uint32_t pace_ms = 30u << (draw() % 5);
    long long start = now_ms(), next = start + draw() % (2 * pace_ms);
    int hits = 0;

    printf("%5d ms: for %d ms, one in %u ms; %s to %s after %u us\n", 0, ms,
           pace_ms, kind ? signals[sig].name : "nothing",
           kind ? kind : "any kind", late_us);
    fflush(stdout);
    for (long long now; (now = now_ms()) < start + ms;) {
        if (now >= next) {
            hit_any(start);
            next = now + draw() % (2 * pace_ms);
        }
        if (!kind || hits >= HITS_MAX) {
            usleep(1000);
            continue;
        }
        scan(kind);
        for (int i = 0; i < nprocs; i++) {
            if (procs[i].pid >= PIDS || seen[procs[i].pid])
                continue;
            seen[procs[i].pid] = true;
            if (hits++ >= HITS_MAX)
                break;
            usleep(late_us);
            hit(&procs[i], sig, start);
        }
        usleep(SCAN_US);
    }
}

// --- watching ----------------------------------------------------------------

static bool file_has(const char *path, const char *text)
{
    char buf[16384];
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);

    if (fd >= 0)
        close(fd);
    return n > 0 && memmem(buf, (size_t)n, text, strlen(text));
}

// Whether TEXT is in a file two directories below DIR.
static bool recorded(const char *dir, const char *text, int depth)
{
    char path[PATH_MAX];
    bool found = false;
    DIR *d = opendir(dir);

    for (struct dirent *e; d && !found && (e = readdir(d));) {
        if (e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
        found =
            depth > 0 ? recorded(path, text, depth - 1) : file_has(path, text);
    }
    if (d)
        closedir(d);
    return found;
}

// Copies the container's ID in PATH to ID.
static bool find_id(const char *path, char id[65])
{
    for (size_t n; *path; path += n + !n) {
        n = strspn(path, "0123456789abcdef");
        if (n == 64) {
            memcpy(id, path, n);
            id[n] = 0;
            return true;
        }
    }
    return false;
}

// What is wrong with the place of process PID, or NULL.
static const char *astray(pid_t pid, uid_t uid, const char *store)
{
    static char text[8192];
    char mine[32], id[65];
    bool v1 = false;
    int job = 0, container = 0;

    snprintf(mine, sizeof(mine), "/uid_%d/", (int)uid);
    slurp(pid, "cgroup", text, sizeof(text));
    v1 = strstr(text, "freezer:") != NULL;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        char *path = strchr(line, ':');
        path = path ? strchr(path + 1, ':') : NULL;
        if (!path)
            continue;
        if (v1 ? !strstr(line, ":freezer:") && !strstr(line, ":memory:") &&
                     !strstr(line, ":devices:") && !strstr(line, "cpuset")
               : !starts(line, "0::"))
            continue;
        if (strstr(path, "/job_")) {
            if (strstr(path, "/uid_") && !strstr(path, mine))
                return "another user's job";
            job++;
        } else if (find_id(path, id)) {
            if (!recorded(store, id, 2))
                return "a container that is on no record";
            container++;
        } else {
            return "neither a job nor a container";
        }
    }
    return job && container ? "a job and a container" : NULL;
}

static bool is_known(pid_t pid)
{
    static const char *const known[] = {"srun",   "sbatch", "scancel",
                                        "script", "storm",  "berth-stepd",
                                        "setpriv"};
    char link[64], path[PATH_MAX];

    snprintf(link, sizeof(link), "/proc/%d/exe", (int)pid);
    ssize_t n = readlink(link, path, sizeof(path) - 1);
    if (n <= 0)
        return true; // it is gone
    path[n] = 0;
    const char *name = strrchr(path, '/');
    for (size_t i = 0; name && i < COUNT(known); i++)
        if (strcmp(name + 1, known[i]) == 0)
            return true;
    return false;
}

static void watch(uid_t uid, const char *store)
{
    static char text[8192];
    // Since when each is astray, and whether that has been said.
    static long long since[PIDS];

    for (;; usleep(WATCH_US)) {
        DIR *d = opendir("/proc");
        for (struct dirent *e; d && (e = readdir(d));) {
            pid_t pid = atoi(e->d_name);
            unsigned real = 0, effective = 0, saved = 0;
            char name[16];
            if (pid <= 1 || pid >= PIDS)
                continue;
            slurp(pid, "status", text, sizeof(text));
            const char *line = strstr(text, "\nUid:");
            if (!line || strstr(text, "\nState:\tZ") ||
                sscanf(line, " Uid: %u %u %u", &real, &effective, &saved) < 3 ||
                (real != uid && saved != uid) || is_known(pid)) {
                since[pid] = 0;
                continue;
            }
            const char *why = astray(pid, uid, store);
            if (!why) {
                since[pid] = 0;
                continue;
            }
            if (since[pid] == 0)
                since[pid] = now_ms();
            if (since[pid] < 0 || now_ms() - since[pid] < ASTRAY_MS)
                continue;
            since[pid] = -1;
            slurp(pid, "comm", name, sizeof(name));
            name[strcspn(name, "\n")] = 0;
            slurp(pid, "cgroup", text, sizeof(text));
            printf("process %d %s is in %s:\n%s", (int)pid, name, why, text);
            fflush(stdout);
        }
        if (d)
            closedir(d);
    }
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "watch") == 0)
        watch((uid_t)atoi(argv[2]), argv[3]);
    if (argc != 5)
        return 2;
    if (strcmp(argv[1], "root") == 0) {
        word = argv[2];
    } else {
        uid_t uid = (uid_t)atoi(argv[2]);
        if (uid == 0 || setgroups(0, NULL) < 0 ||
            setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0)
            return 1;
    }
    state = strtoull(argv[3], NULL, 10);
    storm(atoi(argv[4]));
    return 0;
}
