// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: /proc, whose paths Slurm and the site choose; nothing of a user's.

#include "stepd/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "logic/procfs.h"

// Moving a process takes cgroup_threadgroup_rwsem, a lock of which the first
// taker after a pause waits for a grace period of RCU, some 10 ms (cgroup2's
// mount option favordynmods is for the same). It stays ready until one has
// passed without a move: that takes three milliseconds at the least. A start
// that takes longer than a few seconds has other troubles.
enum { PRIME_STEP_MS = 2, PRIME_MS = 5000 };

// Finds where the hierarchy of CONTROLLERS is mounted whole. Returns a new
// string, or NULL: it is not mounted, and so nobody can be moved in it.
static char *find_hierarchy(const char *controllers)
{
    FILE *f = fopen("/proc/self/mountinfo", "re");
    char *line = NULL, *dir = NULL;
    size_t cap = 0;

    while (f && !dir && getline(&line, &cap, f) > 0) {
        struct mountinfo m;
        if (!mountinfo_parse(line, &m) || strcmp(m.root, "/") != 0)
            continue;
        if (controllers[0] ? strcmp(m.fstype, "cgroup") == 0 &&
                                 mountinfo_has_controllers(&m, controllers)
                           : strcmp(m.fstype, "cgroup2") == 0)
            dir = strdup(m.target);
    }
    free(line);
    if (f)
        fclose(f);
    return dir;
}

int cgroup_init(struct cgroups *cgroups, struct berth_err *err)
{
    char *line = NULL;
    size_t cap = 0;
    int rc = -1;

    *cgroups = (struct cgroups){0};
    FILE *f = fopen("/proc/self/cgroup", "re");
    if (!f)
        return err_set(err, BERTH_ESYS, "/proc/self/cgroup: %m");
    while (getline(&line, &cap, f) > 0) {
        struct cgroup_line c;
        if (!cgroup_line_parse(line, &c)) {
            err_set(err, BERTH_ESYS, "/proc/self/cgroup has a strange line");
            goto out;
        }
        char *dir = find_hierarchy(c.controllers);
        if (!dir)
            continue;
        char *controllers = strdup(c.controllers);
        if (!controllers || cgroups->n == sizeof(cgroups->hierarchy) /
                                              sizeof(*cgroups->hierarchy)) {
            free(dir);
            free(controllers);
            err_set(err, BERTH_ENOMEM, "too many cgroup hierarchies");
            goto out;
        }
        cgroups->hierarchy[cgroups->n].controllers = controllers;
        cgroups->hierarchy[cgroups->n++].dir = dir;
    }
    rc = 0;
out:
    free(line);
    fclose(f);
    return rc;
}

void cgroup_clear(struct cgroups *cgroups)
{
    for (size_t i = 0; i < cgroups->n; i++) {
        free(cgroups->hierarchy[i].controllers);
        free(cgroups->hierarchy[i].dir);
    }
    *cgroups = (struct cgroups){0};
}

static const char *hierarchy_dir(const struct cgroups *cgroups,
                                 const char *controllers)
{
    for (size_t i = 0; i < cgroups->n; i++)
        if (strcmp(cgroups->hierarchy[i].controllers, controllers) == 0)
            return cgroups->hierarchy[i].dir;
    return NULL;
}

static int write_pid(const char *dir, const char *path, pid_t pid)
{
    char file[8192], text[16];
    int rc = -1;

    if ((size_t)snprintf(file, sizeof(file), "%s%s/cgroup.procs", dir, path) >=
        sizeof(file)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    int fd = open(file, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -1;
    int n = snprintf(text, sizeof(text), "%d", (int)pid);
    if (write(fd, text, (size_t)n) == n)
        rc = 0;
    int saved = errno;
    close(fd);
    errno = saved;
    return rc;
}

// The file that says in which cgroups PROCESS is, or (NULL) this one.
static FILE *open_cgroups(const struct process *process)
{
    int fd = process ? process_open(process, "cgroup", O_RDONLY)
                     : open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "r");

    if (fd >= 0 && !f)
        close(fd);
    return f;
}

static int no_cgroups(struct berth_err *err)
{
    return err_set(err, BERTH_ESYS, "reading the cgroups of a process: %m");
}

char *cgroup_read_line(const struct process *process, const char *controllers,
                       struct cgroup_line *out)
{
    char *line = NULL;
    bool found = false;
    size_t cap = 0;

    FILE *f = open_cgroups(process);
    while (f && !found && getline(&line, &cap, f) > 0)
        found = cgroup_line_parse(line, out) &&
                strcmp(out->controllers, controllers) == 0;
    if (f)
        fclose(f);
    if (found)
        return line;
    free(line);
    return NULL;
}

// Where a hierarchy is not mounted, no process can be moved: PROCESS must be
// in WANTED already.
static bool is_there(const struct process *process,
                     const struct cgroup_line *wanted)
{
    struct cgroup_line c;
    char *line = cgroup_read_line(process, wanted->controllers, &c);
    bool there = line && strcmp(c.path, wanted->path) == 0;

    free(line);
    return there;
}

// Moves PROCESS in every hierarchy that LIKE is in to where LIKE is; but not
// (STAY) in that of the number of processes, where it has one of its own. Or
// both are NULL: moves this process to the top.
static int join_cgroups(const struct cgroups *cgroups,
                        const struct process *process,
                        const struct process *like, bool stay,
                        struct berth_err *err)
{
    pid_t pid = process ? process->pid : getpid();
    char *line = NULL;
    size_t cap = 0;
    int rc = -1;

    FILE *f = open_cgroups(like);
    if (!f)
        return no_cgroups(err);
    while (getline(&line, &cap, f) > 0) {
        struct cgroup_line c;
        if (!cgroup_line_parse(line, &c)) {
            err_set(err, BERTH_ESYS,
                    "/proc/%d/cgroup has a line of no known form", (int)pid);
            goto out;
        }
        const char *dir = hierarchy_dir(cgroups, c.controllers);
        if ((!like && (!dir || strcmp(c.path, "/") == 0)) ||
            (stay && strcmp(c.controllers, "pids") == 0) ||
            (!dir && is_there(process, &c)))
            continue;
        if (!dir) {
            err_set(err, BERTH_ESYS,
                    "process %d cannot be moved into the cgroup %s: the "
                    "hierarchy %s is not mounted",
                    (int)pid, c.path, c.controllers);
            goto out;
        }
        if (write_pid(dir, like ? c.path : "", pid) < 0) {
            err_set(err, BERTH_ESYS,
                    "process %d cannot be moved into the cgroup %s%s: %m",
                    (int)pid, dir, like ? c.path : "");
            goto out;
        }
    }
    rc = 0;
out:
    free(line);
    fclose(f);
    return rc;
}

bool cgroup_is_one(const struct cgroups *cgroups)
{
    return cgroups->n == 1 && !cgroups->hierarchy[0].controllers[0];
}

int cgroup_leave_step(const struct cgroups *cgroups, struct berth_err *err)
{
    return join_cgroups(cgroups, NULL, NULL, false, err);
}

// Reads the CPUs of the step of which TASK, in the hierarchy at DIR, is a
// task's cgroup.
static bool read_cpus(const char *dir, const struct cgroup_line *task,
                      char *cpus, size_t size)
{
    size_t n = cgroup_step_length(task);
    char file[8192];

    if (n == 0 ||
        (size_t)snprintf(
            file, sizeof(file), "%s%.*s/%s", dir, (int)n, task->path,
            task->controllers[0] ? "cpuset.cpus" : "cpuset.cpus.effective") >=
            sizeof(file))
        return false;
    FILE *f = fopen(file, "re");
    bool ok = f && fgets(cpus, (int)size, f);
    if (f)
        fclose(f);
    if (ok)
        cpus[strcspn(cpus, "\n")] = 0;
    return ok;
}

bool cgroup_step_cpus(const struct cgroups *cgroups, const struct process *task,
                      char *cpus, size_t size)
{
    char *line = NULL;
    bool found = false;
    size_t cap = 0;

    FILE *f = open_cgroups(task);
    while (f && !found && getline(&line, &cap, f) > 0) {
        struct cgroup_line c;
        if (!cgroup_line_parse(line, &c) ||
            (c.controllers[0] && !strstr(c.controllers, "cpuset")))
            continue;
        const char *dir = hierarchy_dir(cgroups, c.controllers);
        found = dir && read_cpus(dir, &c, cpus, size);
    }
    free(line);
    if (f)
        fclose(f);
    return found;
}

int cgroup_list(const struct cgroups *cgroups, const struct process *process,
                const char *word, int fd, struct berth_err *err)
{
    char *line = NULL;
    size_t cap = 0;
    int n = 0;

    FILE *f = open_cgroups(process);
    if (!f)
        return no_cgroups(err);
    while (n >= 0 && getline(&line, &cap, f) > 0) {
        struct cgroup_line c;
        const char *dir = cgroup_line_parse(line, &c)
                              ? hierarchy_dir(cgroups, c.controllers)
                              : NULL;
        if (!dir || !strstr(c.path, word))
            continue;
        n++;
        if (dprintf(fd, "%s%s\n", dir, c.path) < 0)
            n = err_set(err, BERTH_ESYS, "noting a container's cgroups: %m");
    }
    free(line);
    fclose(f);
    return n;
}

pid_t cgroup_keep_warm(const struct cgroups *cgroups)
{
    struct timespec t = {.tv_nsec = PRIME_STEP_MS * 1000000L};
    pid_t pid = cgroups->n > 0 ? fork() : -1;

    if (pid != 0)
        return pid;
    // Without what keeps the step alive, and no longer than it is needed.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (syscall(SYS_close_range, 0, ~0U, 0) < 0)
        _exit(1);
    for (int ms = 0; ms < PRIME_MS; ms += PRIME_STEP_MS) {
        write_pid(cgroups->hierarchy[0].dir, "", getpid());
        nanosleep(&t, NULL);
    }
    _exit(0);
}

static int copy_oom_score(const struct process *process,
                          const struct process *like)
{
    static const char file[] = "oom_score_adj";
    char text[32];
    int rc = -1;

    int from = process_open(like, file, O_RDONLY);
    int to = process_open(process, file, O_WRONLY);
    ssize_t n = from < 0 ? -1 : read(from, text, sizeof(text));
    if (to >= 0 && n > 0 && write(to, text, (size_t)n) == n)
        rc = 0;
    // Lowering it takes CAP_SYS_RESOURCE; where even root lacks that, the
    // kernel's default is as good as Slurm could do.
    else if (errno == EACCES || errno == EPERM)
        rc = 0;
    if (from >= 0)
        close(from);
    if (to >= 0)
        close(to);
    return rc;
}

// The directory of PROCESS's cgroup in the hierarchy of CONTROLLERS, or (STEP)
// that of the step of which it is a task; false: it has none.
static bool find_cgroup(const struct cgroups *cgroups,
                        const struct process *process, const char *controllers,
                        bool step, char *out, size_t size)
{
    const char *dir = hierarchy_dir(cgroups, controllers);
    struct cgroup_line c;
    char *line = dir ? cgroup_read_line(process, controllers, &c) : NULL;
    size_t n = !line ? 0 : step ? cgroup_step_length(&c) : strlen(c.path);
    bool found = n > 0 && (size_t)snprintf(out, size, "%s%.*s", dir, (int)n,
                                           c.path) < size;

    free(line);
    return found;
}

static bool write_file(const char *dir, size_t len, const char *name,
                       const char *text)
{
    char file[8192];

    snprintf(file, sizeof(file), "%.*s/%s", (int)len, dir, name);
    int fd = open(file, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    bool ok = fd >= 0 && write(fd, text, strlen(text)) > 0;
    if (fd >= 0)
        close(fd);
    return ok;
}

// cgroup v2: in what all tasks of LIKE's step are in, which Slurm calls
// "user". Slurm itself does not use this controller, and has not enabled it.
static bool bound_step(const struct cgroups *cgroups,
                       const struct process *like, const char *limit)
{
    const char *top = hierarchy_dir(cgroups, "");
    char dir[8000];

    if (!top || !find_cgroup(cgroups, like, "", true, dir, sizeof(dir)))
        return false;
    for (size_t n = strlen(top); dir[n]; n += 1 + strcspn(dir + n + 1, "/"))
        write_file(dir, n, "cgroup.subtree_control", "+pids");
    return write_file(dir, strlen(dir), "pids.max", limit);
}

// cgroup v1: PROCESS's own has the limit.
static bool is_bounded(const struct cgroups *cgroups,
                       const struct process *process, const char *limit)
{
    char dir[8000], file[8192], text[32] = "";

    if (!find_cgroup(cgroups, process, "pids", false, dir, sizeof(dir)))
        return false;
    snprintf(file, sizeof(file), "%s/pids.max", dir);
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
        text[0] = 0;
    if (fd >= 0)
        close(fd);
    text[strcspn(text, "\n")] = 0;
    return strcmp(text, limit) == 0;
}

static int bound_processes(const struct cgroups *cgroups,
                           const struct process *process,
                           const struct process *like, uint64_t limit,
                           struct berth_err *err)
{
    char text[32];

    snprintf(text, sizeof(text), "%llu", (unsigned long long)limit);
    return (hierarchy_dir(cgroups, "pids") ? is_bounded(cgroups, process, text)
                                           : bound_step(cgroups, like, text))
               ? 0
               : err_set(err, BERTH_ESYS,
                         "the container cannot be kept to %s processes, as "
                         "pids_limit says: tell your administrator",
                         text);
}

int cgroup_join_like(const struct cgroups *cgroups,
                     const struct process *process, const struct process *like,
                     uint64_t pids_limit, struct berth_err *err)
{
    struct sched_param param;
    cpu_set_t *cpus = NULL;
    int rc = -1, n = 1024;

    if (pids_limit &&
        bound_processes(cgroups, process, like, pids_limit, err) < 0)
        return -1;
    if (!process_lives(process))
        return err_set(err, BERTH_ESYS, "a task's process has ended");
    if (join_cgroups(cgroups, process, like, pids_limit != 0, err) < 0)
        return -1;
    // After the cgroups: a move into another cpuset resets the affinity.
    do {
        CPU_FREE(cpus);
        cpus = CPU_ALLOC((size_t)n);
        if (cpus && sched_getaffinity(like->pid, CPU_ALLOC_SIZE(n), cpus) == 0)
            break;
        n *= 2;
    } while (cpus && errno == EINVAL && n <= 1 << 20);
    if (!cpus || sched_setaffinity(process->pid, CPU_ALLOC_SIZE(n), cpus) < 0) {
        err_set(err, BERTH_ESYS, "setting a task's CPU affinity: %m");
        goto out;
    }
    int policy = sched_getscheduler(like->pid);
    if (policy < 0 || sched_getparam(like->pid, &param) < 0 ||
        sched_setscheduler(process->pid, policy, &param) < 0) {
        err_set(err, BERTH_ESYS, "setting a task's scheduling policy: %m");
        goto out;
    }
    errno = 0;
    int nice = getpriority(PRIO_PROCESS, (id_t)like->pid);
    if (errno != 0 || setpriority(PRIO_PROCESS, (id_t)process->pid, nice) < 0) {
        err_set(err, BERTH_ESYS, "setting a task's nice value: %m");
        goto out;
    }
    if (copy_oom_score(process, like) < 0) {
        err_set(err, BERTH_ESYS, "setting a task's OOM score: %m");
        goto out;
    }
    // What was read by the number of a process that has ended was another's.
    if (!process_lives(like) || !process_lives(process)) {
        err_set(err, BERTH_ESYS, "a task has ended while it was started");
        goto out;
    }
    rc = 0;
out:
    CPU_FREE(cpus);
    return rc;
}
