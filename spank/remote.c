// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: SPANK's items, of which the program and the working directory are
// the user's, as are his options. Of the step's environment, no more is read
// than these, Slurm's GPUs, and where PMIx's clients and X11's have files.

#include <slurm/slurm_version.h>

#include "spank/remote.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "logic/limits.h"
#include "logic/multiprog.h"
#include "logic/step.h"
#include "node/plugstack_find.h"
#include "spank/option_env.h"
#include "protocol/passing.h"
#include "protocol/plugin.h"
#include "protocol/wire.h"
#include "spank/slurm_paths.h"
#include "spank/start.h"

static const char task_program[] = BERTH_LIBEXECDIR "/berth-task";
static const char stepd_program[] = BERTH_LIBEXECDIR "/berth-stepd";

static const char pmix_env[] = "PMIX_SERVER_TMPDIR";

// By what PMIx's server and its clients know each other.
static const char pmix_security[] = "PMIX_MCA_psec";
static const char pmix_nobody[] = "none";

#ifndef SYS_pidfd_open // Linux 5.3, the same number everywhere
#define SYS_pidfd_open 434
#endif

enum {
    // How long berth-stepd may take to say that it is there, and that the step
    // is out of its container, which are matters of milliseconds.
    READY_MS = 20000,
    LEFT_MS = 2000,
    GROUPS_PER_FACT = 1000,
};

// What the kernel reckons for a small packet, 768 bytes, rounded up.
enum { PACKET_ROOM = 1024 };

// Slurm can put a program in front of a task's since 23.11.
#define PREPEND (SLURM_VERSION_NUMBER >= SLURM_VERSION_NUM(23, 11, 0))

struct remote {
    int link;      // to berth-stepd; -1 if there is none
    char **argv;   // the step's, in slurmstepd
    char *argv0;   // what stood in its first place, and will again
    char *program; // that, with the name that --bcast gives it
    bool prepared; // each task's argv[1] is its program
    bool stray;    // tasks have arrays of their own (logic/multiprog.h),
                   // and the client has not prepared them
    uint32_t ntasks, ngone; // here, and those of them that have ended
    char node[65];
    char name[STEP_NAME_MAX];
};

// Starts berth-stepd. Returns the link to it, or -1.
static int link_stepd(const struct remote *remote)
{
    struct timeval t = {.tv_sec = READY_MS / 1000};
    const int room = BERTH_TASKS_MAX * PACKET_ROOM;
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return -1;
    // For those of all tasks at once: the usual room is that of some 270. A
    // root without CAP_NET_ADMIN has to do with that.
    setsockopt(pair[0], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
    int rc = start_stepd(remote->name, pair[1]);
    close(pair[1]);
    if (rc < 0 ||
        setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)) < 0 ||
        setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t)) < 0) {
        close(pair[0]);
        return -1;
    }
    return pair[0];
}

// Sends one packet, "KEY=VALUE". Returns whether that was possible.
static bool tell(int link, const char *key, const char *value)
{
    char *packet = NULL;
    int n = asprintf(&packet, "%s=%s", key, value);
    bool ok = n >= 0 && n <= BERTH_FACT_MAX &&
              send(link, packet, (size_t)n, MSG_NOSIGNAL) == n;

    free(packet);
    return ok;
}

static bool tell_number(int link, const char *key, unsigned long number)
{
    char text[32];

    snprintf(text, sizeof(text), "%lu", number);
    return tell(link, key, text);
}

static int tell_option(void *link, const char *name, const char *value)
{
    char *text = NULL;
    int n = value ? asprintf(&text, "%s=%s", name, value)
                  : asprintf(&text, "%s", name);
    bool ok = n >= 0 && tell(*(int *)link, "option", text);

    if (n >= 0)
        free(text);
    return ok ? 0 : -1;
}

static bool tell_groups(int link, const gid_t *gids, int n)
{
    char text[GROUPS_PER_FACT * 11 + 1];
    bool ok = true;

    for (int i = 0; ok && i < n;) {
        size_t used = 0;
        for (int k = 0; i < n && k < GROUPS_PER_FACT; i++, k++)
            used += (size_t)snprintf(text + used, sizeof(text) - used,
                                     k ? ",%u" : "%u", gids[i]);
        ok = tell(link, "gids", text);
    }
    return ok;
}

static bool tell_policy(int link, int argc, char **argv)
{
    struct plugstack_origin origin;
    bool ok = true;

    for (int i = 0; ok && i < argc; i++)
        ok = tell(link, "word", argv[i]);
    plugstack_find(argc, argv, &origin);
    if (ok && origin.file[0])
        ok = tell(link, "conf", origin.file) &&
             tell_number(link, "line", (unsigned long)origin.line) &&
             tell_number(link, "cut", origin.cut);
    return ok;
}

static bool has_env(spank_t sp, const char *name)
{
    char value[8];
    spank_err_t rc = spank_getenv(sp, name, value, sizeof(value));

    return rc == ESPANK_SUCCESS || rc == ESPANK_NOSPACE;
}

// The GPUs that the step has by its environment, and whether it has but
// shares of them. berth-stepd takes of them those that are the job's.
static bool tell_gpus(int link, spank_t sp, uint32_t step)
{
    bool numbered = step != STEP_BATCH && step != STEP_INTERACTIVE;
    const char *shared = has_env(sp, "SLURM_SHARDS_ON_NODE") ? "shard"
                         : has_env(sp, "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE")
                             ? "mps"
                             : NULL;
    char list[4096];

    if (shared && !tell(link, "shared", shared))
        return false;
    return spank_getenv(sp, numbered ? "SLURM_STEP_GPUS" : "SLURM_JOB_GPUS",
                        list, sizeof(list)) != ESPANK_SUCCESS ||
           tell(link, "gpus", list);
}

// Leaves of each run of slashes in PATH one, and none at the end.
static void squeeze(char *path)
{
    char *to = path;

    for (const char *p = path; *p; p++)
        if (*p != '/' || (p[1] != '/' && p[1] != 0))
            *to++ = *p;
    *to = 0;
}

// This node's TmpFS, or NULL. Slurm's allocator makes it: left to the end of
// the process.
static const char *tmp_fs(const struct remote *remote)
{
    char *(*get)(char *) =
        (char *(*)(char *))dlsym(RTLD_DEFAULT, "slurm_get_tmp_fs");

    return get ? get((char *)remote->node) : NULL;
}

// With --x11 slurmd tells each task of the job's display, which is a port of
// the node, and of the file that opens it. Slurm made that file for the job,
// in TmpFS; one of the user's own, as X11Parameters=home_xauthority has it, is
// where his home is.
static bool tell_xauth(const struct remote *remote, spank_t sp)
{
    static const char name[] = "/.Xauthority-";
    char path[PATH_MAX];
    const char *dir = tmp_fs(remote);
    size_t len = dir ? strlen(dir) : 0;

    return !dir ||
           spank_getenv(sp, "XAUTHORITY", path, sizeof(path)) !=
               ESPANK_SUCCESS ||
           strncmp(path, dir, len) != 0 ||
           strncmp(path + len, name, sizeof(name) - 1) != 0 ||
           strchr(path + len + 1, '/') || tell(remote->link, "xauth", path);
}

// What PMIx's server of this step, if it has one, calls itself: "JOB.STEP".
// Tells where its files are, and receives in which directory.
static bool tell_pmix_server(const struct remote *remote, char dir[PATH_MAX],
                             char name[STEP_NAME_MAX])
{
    const char *own = getenv(pmix_env);

    *name = 0;
    snprintf(dir, PATH_MAX, "%s", own && strlen(own) < PATH_MAX ? own : "");
    squeeze(dir);
    char *last = strrchr(dir, '/');
    if (!last || strncmp(last, "/pmix.", 6) != 0) {
        slurm_paths_pmix(remote->node, dir);
        squeeze(dir);
        return true;
    }
    snprintf(name, STEP_NAME_MAX, "%s", last + 6);
    bool told = tell(remote->link, "pmix", dir);
    *last = 0;
    return told;
}

// With --mpi=pmix slurmstepd is PMIx's server, and Slurm's plugin says in
// slurmstepd's own environment, which is root's, where the files are that it
// shares with its clients. The directory for the clients' own files has a
// name that follows from that; Slurm tells only the clients. In which
// directories these are is told of each step: a later one of the job, with
// PMIx, may be in its container.
static bool tell_pmix(const struct remote *remote, spank_t sp, uid_t uid)
{
    char dir[PATH_MAX], name[STEP_NAME_MAX], tmp[PATH_MAX];
    char base[PATH_MAX - 128];
    const char *fs = NULL;

    if (!tell_pmix_server(remote, dir, name) ||
        (dir[0] && !tell(remote->link, "pmixdir", dir)))
        return false;
    if (!dir[0])
        return true;
    if (spank_getenv(sp, "SLURM_PMIX_TMPDIR", base, sizeof(base)) !=
            ESPANK_SUCCESS &&
        (!(fs = tmp_fs(remote)) ||
         snprintf(base, sizeof(base), "%s", fs) >= (int)sizeof(base)))
        return true;
    if (base[0] != '/')
        return true;
    squeeze(base);
    snprintf(tmp, sizeof(tmp), "%s/spmix_appdir_%u_%s", base, uid, name);
    return (!base[0] || tell(remote->link, "pmixdir", base)) &&
           (!name[0] || tell(remote->link, "pmixtmp", tmp));
}

// Of a step over several nodes, the policy of srun's host: each node has that
// to compare its own with, and nothing of the others. And where srun compares
// what they have.
static bool tell_others(int link, spank_t sp)
{
    char fingerprint[POLICY_FINGERPRINT], where[COMPARE_WHERE_MAX];
    bool policy = option_env_receive_policy(sp, fingerprint);
    bool compare = option_env_receive_compare(sp, where);
    uint32_t nnodes;

    if (spank_get_item(sp, S_JOB_NNODES, &nnodes) != ESPANK_SUCCESS ||
        nnodes < 2)
        return true;
    return (!policy || tell(link, "others", fingerprint)) &&
           (!compare || tell(link, "compare", where));
}

// One node of a step speaks for all, where they would say the same.
static bool tell_nodes(int link, spank_t sp)
{
    uint32_t nnodes, nodeid;

    return spank_get_item(sp, S_JOB_NNODES, &nnodes) != ESPANK_SUCCESS ||
           spank_get_item(sp, S_JOB_NODEID, &nodeid) != ESPANK_SUCCESS ||
           (tell_number(link, "nnodes", nnodes) &&
            tell_number(link, "nodeid", nodeid));
}

static bool tell_where(int link)
{
    struct slurm_paths where;

    slurm_paths_find(&where);
    const struct {
        const char *key, *path;
    } facts[] = {
        {"slurmconf", where.conf},         {"slurmplugins", where.plugins},
        {"slurmberth", where.berth},       {"slurmmunge", where.munge},
        {"slurmcommands", where.commands}, {"slurmuser", where.user},
    };
    bool ok = true;

    for (size_t i = 0; ok && i < sizeof(facts) / sizeof(*facts); i++)
        ok = !facts[i].path[0] || tell(link, facts[i].key, facts[i].path);
    return ok;
}

// By what name the user came to the working directory: whether that leads there
// is for the user's rights to find out.
static bool tell_pwd(int link, spank_t sp, const char *cwd)
{
    char pwd[PATH_MAX];

    return spank_getenv(sp, "PWD", pwd, sizeof(pwd)) != ESPANK_SUCCESS ||
           pwd[0] != '/' || strcmp(pwd, cwd) == 0 || tell(link, "pwd", pwd);
}

// Gathers and sends what berth-stepd needs to know.
static bool tell_facts(struct remote *remote, spank_t sp,
                       const struct options *options,
                       const struct berth_err *bad, int argc, char **argv)
{
    char cwd[PATH_MAX];
    uint32_t job, step;
    gid_t gid, *gids = NULL;
    int ngids = 0, link = remote->link;
    uid_t uid;

    if (spank_get_item(sp, S_JOB_ID, &job) != ESPANK_SUCCESS ||
        spank_get_item(sp, S_JOB_STEPID, &step) != ESPANK_SUCCESS ||
        spank_get_item(sp, S_JOB_UID, &uid) != ESPANK_SUCCESS ||
        spank_get_item(sp, S_JOB_GID, &gid) != ESPANK_SUCCESS ||
        spank_get_item(sp, S_JOB_SUPPLEMENTARY_GIDS, &gids, &ngids) !=
            ESPANK_SUCCESS ||
        spank_get_item(sp, S_JOB_LOCAL_TASK_COUNT, &remote->ntasks) !=
            ESPANK_SUCCESS ||
        !getcwd(cwd, sizeof(cwd)))
        return false;
    return tell_number(link, "job", job) && tell_number(link, "step", step) &&
           tell_number(link, "uid", uid) && tell_number(link, "gid", gid) &&
           tell_groups(link, gids, ngids) &&
           tell_number(link, "ntasks", remote->ntasks) &&
           tell(link, "node", remote->node) &&
           (bad->code ? tell(link, "wrong", bad->text)
                      : options_each(options, tell_option, &link) == 0) &&
           tell(link, "cwd", cwd) && tell_pwd(link, sp, cwd) &&
           tell(link, "argv0",
                PREPEND || remote->prepared ? "" : remote->program) &&
           (remote->program[0] || tell_number(link, "own", 1)) &&
           (!start_is_apart() || tell_number(link, "apart", 1)) &&
           (step != STEP_BATCH || tell(link, "script", remote->argv0)) &&
           tell_gpus(link, sp, step) && tell_pmix(remote, sp, uid) &&
           tell_xauth(remote, sp) && tell_where(link) && tell_nodes(link, sp) &&
           tell_others(link, sp) && tell_policy(link, argc, argv) &&
           send(link, LINK_BEGIN, strlen(LINK_BEGIN), MSG_NOSIGNAL) > 0;
}

// Waits for the answer to the facts, and tells the tasks where to go.
static void hear_ready(struct remote *remote, spank_t sp, bool told)
{
    size_t ready = strlen(LINK_READY), failed = strlen(LINK_FAILED);
    char packet[4097];

    ssize_t n = recv(remote->link, packet, sizeof(packet) - 1, 0);
    packet[n > 0 ? n : 0] = 0;
    if (told && strncmp(packet, LINK_READY, ready) == 0) {
        spank_setenv(sp, WIRE_STEP_ENV, packet + ready, 1);
        return;
    }
    if (strncmp(packet, LINK_FAILED, failed) == 0)
        slurm_error("berth: %s", packet + failed);
    else if (access(stepd_program, X_OK) < 0)
        slurm_error("berth: %s is missing on node %s: ask your administrator "
                    "to install berth there",
                    stepd_program, remote->node);
    else
        slurm_error("berth: %s did not answer on node %s: tell your "
                    "administrator",
                    stepd_program, remote->node);
    close(remote->link);
    remote->link = -1;
}

// As the user wrote it. With `srun --bcast=DIRECTORY/`, slurmstepd completes it
// when it starts it.
static char *program_name(const char *argv0, uint32_t job, uint32_t step,
                          const char *node)
{
    char *name = NULL;

    if (strncmp(argv0, WIRE_ONLY_HERE, strlen(WIRE_ONLY_HERE)) == 0)
        argv0 += strlen(WIRE_ONLY_HERE);
    size_t len = strlen(argv0);
    if (len == 0 || argv0[len - 1] != '/')
        return strdup(argv0);
    return asprintf(&name, "%sslurm_bcast_%u.%u_%s", argv0, job, step, node) < 0
               ? NULL
               : name;
}

// Where a step with the option of being root has PMIx, its clients are not the
// user by their ID, and the server, in slurmstepd, would have nothing to do
// with them. Nobody is kept out by that, as it takes each client's word for who
// it is. What slurmd's environment has is the administrator's will.
static void allow_pmix(void)
{
    setenv(pmix_security, pmix_nobody, 0);
}

// Has the clients of such a server go to it in the same way.
static void point_pmix(spank_t sp)
{
    const char *security = getenv(pmix_security);

    if (getenv(pmix_env) && security && strcmp(security, pmix_nobody) == 0)
        spank_setenv(sp, pmix_security, pmix_nobody, 1);
}

struct remote *remote_begin(spank_t sp, bool root)
{
    const char *node = getenv("SLURMD_NODENAME"); // slurmstepd's own
    uint32_t job = 0, step = 0;
    int argc = 0;
    char **argv = NULL;

    struct remote *remote = calloc(1, sizeof(*remote));
    if (!remote || !node || strlen(node) >= sizeof(remote->node) ||
        spank_get_item(sp, S_JOB_ID, &job) != ESPANK_SUCCESS ||
        spank_get_item(sp, S_JOB_STEPID, &step) != ESPANK_SUCCESS ||
        spank_get_item(sp, S_JOB_ARGV, &argc, &argv) != ESPANK_SUCCESS ||
        argc < 1 ||
        !(remote->program = program_name(argv[0], job, step, node))) {
        slurm_error("berth: Slurm does not say what this step is: tell your "
                    "administrator");
        free(remote);
        return NULL;
    }
    // Slurm sets it after this, if the step has a server: one of slurmd's own
    // environment is another's.
    unsetenv(pmix_env);
    if (root)
        allow_pmix();
    snprintf(remote->node, sizeof(remote->node), "%s", node);
    step_name(job, step, remote->name);
    remote->argv = argv;
    remote->argv0 = argv[0];
    bool multiprog = argc > 1 && multiprog_is(argv[1]);
    remote->prepared = multiprog && multiprog_runs(argv[1], task_program);
    remote->stray = multiprog && !remote->prepared;
    argv[0] = PREPEND ? remote->program : (char *)task_program;
    // slurmstepd will free what stood there: remote_end puts it back.
    remote->link = link_stepd(remote);
    return remote;
}

void remote_ask(struct remote *remote, spank_t sp,
                const struct options *options, const struct berth_err *bad,
                int argc, char **argv)
{
    spank_setenv(sp, WIRE_STEP_ENV, "", 1);
    if (options->root == CHOICE_YES)
        point_pmix(sp);
    if (access(task_program, X_OK) < 0)
        slurm_error("berth: %s is missing on node %s: ask your administrator "
                    "to install berth there",
                    task_program, remote->node);
    if (remote->link < 0)
        slurm_error("berth: %s cannot be started on node %s: tell your "
                    "administrator%s",
                    stepd_program, remote->node,
                    start_is_apart() ? ", who may have to restart slurmd there"
                                     : "");
    else
        hear_ready(remote, sp,
                   tell_facts(remote, sp, options, bad, argc, argv));
}

// srun has put the file's text in place of its own second word: that is how
// it can be told from a program and its argument.
static bool is_multiprog(int argc, char **argv)
{
    size_t len = argc > 1 ? strlen(argv[1]) : 0;
    char *text = NULL;
    bool same = false;

    FILE *f = argc > 1 && multiprog_is(argv[1]) ? fopen(argv[0], "re") : NULL;
    if (f && (text = malloc(len + 2)))
        same = fread(text, 1, len + 1, f) == len &&
               memcmp(text, argv[1], len) == 0;
    free(text);
    if (f)
        fclose(f);
    return same;
}

char **remote_wrap(int argc, char **argv, char **text)
{
    if (is_multiprog(argc, argv)) {
        // Where Slurm puts berth-task in front, that takes it off again.
        *text = multiprog_wrap(argv[1], PREPEND ? WIRE_ONLY_HERE : task_program,
                               !PREPEND);
        return argv + 1;
    }
    // The components of a heterogeneous step can share their words.
    if (argc < 1 ||
        strncmp(argv[0], WIRE_ONLY_HERE, strlen(WIRE_ONLY_HERE)) == 0)
        return NULL;
    if (asprintf(text, WIRE_ONLY_HERE "%s", argv[0]) < 0)
        *text = NULL;
    return argv;
}

// This process cannot have another's number before it has ended, and it is in
// the namespace that Slurm has chosen: nothing of the user's has run in it.
void remote_task(struct remote *remote)
{
    int fds[LINK_TASK_FDS] = {
        (int)syscall(SYS_pidfd_open, getpid(), 0),
        open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC),
    };

    // Should this fail, berth-stepd will not know the task and refuse it.
    if (remote->link >= 0)
        passing_send(remote->link, LINK_TASK, strlen(LINK_TASK), fds,
                     LINK_TASK_FDS, 0);
    for (int i = 0; i < LINK_TASK_FDS; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

void remote_task_end(struct remote *remote)
{
    struct pollfd p = {.fd = remote->link, .events = POLLIN};
    size_t ended = strlen(LINK_ENDED);
    char packet[4097];
    ssize_t n;

    if (remote->link < 0)
        return;
    // Where there is no room for it, the container serves no other step.
    send(remote->link, LINK_GONE, strlen(LINK_GONE),
         MSG_NOSIGNAL | MSG_DONTWAIT);
    int ms = ++remote->ngone < remote->ntasks ? 0 : LEFT_MS;
    while (poll(&p, 1, ms) == 1 &&
           (n = recv(remote->link, packet, sizeof(packet) - 1, MSG_DONTWAIT)) >
               0) {
        packet[n] = 0;
        if (strcmp(packet, LINK_LEFT) == 0)
            return;
        if (strncmp(packet, LINK_ENDED, ended) == 0)
            slurm_error("berth: %s", packet + ended);
    }
}

int remote_start_task(const struct remote *remote, spank_t sp)
{
#if PREPEND
    const char *argv[] = {task_program, NULL};

    // A client of an older Slurm has prepared the tasks of --multi-prog.
    if (remote->prepared ||
        spank_prepend_task_argv(sp, 1, argv) == ESPANK_SUCCESS)
        return 0;
    slurm_error("berth: Slurm does not let this task start in a container: "
                "tell your administrator");
    return -1;
#else
    (void)sp;
    if (!remote->stray)
        return 0;
    slurm_error("berth: --multi-prog takes a container only from a host that "
                "has the same berth as node %s: start each program as a step "
                "of its own, or tell your administrator",
                remote->node);
    return -1;
#endif
}

// What a berth-stepd that was killed has left, berth-epilog removes.
void remote_end(struct remote *remote)
{
    char packet[1];

    remote->argv[0] = remote->argv0;
    if (remote->link >= 0) {
        ssize_t n;
        do
            n = recv(remote->link, packet, sizeof(packet), MSG_DONTWAIT);
        while (n > 0);
        close(remote->link);
        if (n == 0)
            start_sweep(remote->node, remote->name);
    }
    free(remote->program);
    free(remote);
}
