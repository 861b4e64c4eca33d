// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: the node's configuration, which is the administrator's, and what the
// engine, the kernel and programs of the system say of themselves.

#include "tools/check.h"

#include <ctype.h>
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/engine.h"
#include "logic/err.h"
#include "logic/policy.h"
#include "logic/strv.h"
#include "node/plugstack_find.h"
#include "node/store.h"
#include "tools/installed.h"
#include "tools/read_policy.h"
#include "tools/slurm_conf.h"

static void add(struct check *c, const char *name, enum check_state state,
                const char *fmt, ...) __attribute__((format(printf, 4, 5)));

static void add(struct check *c, const char *name, enum check_state state,
                const char *fmt, ...)
{
    va_list ap;

    if (c->n == CHECK_LINES_MAX)
        return;
    struct check_line *line = &c->lines[c->n++];
    line->name = name;
    line->state = state;
    va_start(ap, fmt);
    vsnprintf(line->text, sizeof(line->text), fmt, ap);
    va_end(ap);
    err_scrub(line->text);
}

// --- versions ----------------------------------------------------------------

static int compare(const char *a, const char *b)
{
    while (isdigit((unsigned char)*a) || isdigit((unsigned char)*b)) {
        char *enda, *endb;
        unsigned long x = strtoul(a, &enda, 10), y = strtoul(b, &endb, 10);
        if (x != y)
            return x < y ? -1 : 1;
        a = enda + (*enda == '.');
        b = endb + (*endb == '.');
    }
    return 0;
}

bool check_version_within(const char *text, const char *from, const char *below)
{
    return compare(text, from) >= 0 && compare(text, below) < 0;
}

// The first number in the first line that ARGV writes, as text. False: there
// is no such program, or it says none.
static bool ask_version(const char *const *argv, char *out, size_t size)
{
    char line[256] = "";
    int pair[2];

    if (pipe2(pair, O_CLOEXEC) < 0)
        return false;
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);
        dup2(null, 0);
        dup2(pair[1], 1);
        dup2(null, 2);
        execvp(argv[0], (char *const *)argv);
        _exit(127);
    }
    close(pair[1]);
    FILE *f = fdopen(pair[0], "r");
    if (!f || !fgets(line, sizeof(line), f))
        line[0] = 0;
    if (f)
        fclose(f);
    if (pid > 0)
        waitpid(pid, NULL, 0);
    const char *number = strpbrk(line, "0123456789");
    if (!number)
        return false;
    snprintf(out, size, "%.*s", (int)strcspn(number, " ,\n"), number);
    return true;
}

// What is known to let a container's program out of it, or more than its own
// into it. Distributions mend under the same number: so it is no more than a
// hint.
static const struct bad {
    const char *what, *from, *below, *cve;
} bad_versions[] = {
    {"runc", "0", "1.1.12", "CVE-2024-21626"},
    {"runc", "0", "1.2.8", "CVE-2025-31133, CVE-2025-52565, CVE-2025-52881"},
    {"runc", "1.3.0", "1.3.3",
     "CVE-2025-31133, CVE-2025-52565, CVE-2025-52881"},
    {"crun", "0", "1.4.4", "CVE-2022-27650"},
    {"Docker", "0", "20.10.18", "CVE-2022-36109"},
    {"Docker", "28.2.0", "28.3.3", "CVE-2025-54388"},
    {"nvidia-ctk", "0", "1.16.2", "CVE-2024-0132, CVE-2024-0133"},
    {"nvidia-ctk", "0", "1.17.8", "CVE-2025-23266"},
};

static void look_up_version(struct check *c, const char *what,
                            const char *version)
{
    add(c, "version", CHECK_OK, "%s %s", what, version);
    for (size_t i = 0; i < sizeof(bad_versions) / sizeof(*bad_versions); i++) {
        const struct bad *bad = &bad_versions[i];
        if (strcmp(bad->what, what) == 0 &&
            check_version_within(version, bad->from, bad->below))
            add(c, "version", CHECK_WARN,
                "%s before %s has %s: bring it up to date, unless your "
                "distribution has mended that in %s",
                what, bad->below, bad->cve, version);
    }
}

static void look_at_programs(struct check *c)
{
    static const char *const programs[][3] = {
        {"runc", "--version", NULL},
        {"crun", "--version", NULL},
        {"nvidia-ctk", "--version", NULL},
        {"skopeo", "--version", NULL},
    };
    char version[128];

    add(c, "version", CHECK_OK, "berth %s", PACKAGE_VERSION);
    for (size_t i = 0; i < sizeof(programs) / sizeof(*programs); i++)
        if (ask_version(programs[i], version, sizeof(version)))
            look_up_version(c, programs[i][0], version);
}

// --- Slurm -------------------------------------------------------------------

// The number by which the plugin at PATH says for which Slurm it was built:
// the symbol plugin_version, as SPANK has it. 0: it could not be read.
static uint32_t built_for(const char *path)
{
    struct stat st;
    uint32_t found = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &st) < 0 || st.st_size < (off_t)sizeof(Elf64_Ehdr))
        goto out;
    size_t size = (size_t)st.st_size;
    const char *map = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED)
        goto out;
    const Elf64_Ehdr *e = (const Elf64_Ehdr *)map;
    const Elf64_Shdr *s = (const Elf64_Shdr *)(map + e->e_shoff);
    if (memcmp(e->e_ident, ELFMAG, SELFMAG) != 0 ||
        e->e_ident[EI_CLASS] != ELFCLASS64 || e->e_shoff > size ||
        e->e_shnum > (size - e->e_shoff) / sizeof(*s))
        goto unmap;
    for (size_t i = 0; i < e->e_shnum && !found; i++) {
        if (s[i].sh_type != SHT_DYNSYM || s[i].sh_link >= e->e_shnum ||
            s[i].sh_offset > size || s[i].sh_size > size - s[i].sh_offset)
            continue;
        const Elf64_Shdr *names = &s[s[i].sh_link];
        const Elf64_Sym *syms = (const Elf64_Sym *)(map + s[i].sh_offset);
        static const char want[] = "plugin_version";
        for (size_t k = 0; k < s[i].sh_size / sizeof(*syms); k++) {
            uint64_t at = names->sh_offset + syms[k].st_name;
            if (at > size || size - at < sizeof(want) ||
                memcmp(map + at, want, sizeof(want)) != 0 ||
                syms[k].st_shndx >= e->e_shnum)
                continue;
            const Elf64_Shdr *in = &s[syms[k].st_shndx];
            uint64_t value = syms[k].st_value - in->sh_addr + in->sh_offset;
            if (value <= size - sizeof(found))
                memcpy(&found, map + value, sizeof(found));
        }
    }
unmap:
    munmap((void *)map, size);
out:
    if (fd >= 0)
        close(fd);
    return found;
}

static void look_at_slurm(struct check *c)
{
    static const char *const slurmd[] = {"slurmd", "-V", NULL};
    static const char *const srun[] = {"srun", "-V", NULL};
    static const char path[] = BERTH_PLUGINDIR "/spank_berth.so";
    char version[128], ours[32];

    uint32_t number = built_for(path);
    snprintf(ours, sizeof(ours), "%u.%02u.%u", number >> 16,
             (number >> 8) & 0xff, number & 0xff);
    if (!number)
        add(c, "slurm", CHECK_BAD,
            "%s is not there or cannot be read: install berth's plugin", path);
    else if (!ask_version(slurmd, version, sizeof(version)) &&
             !ask_version(srun, version, sizeof(version)))
        add(c, "slurm", CHECK_UNSEEN,
            "neither slurmd nor srun says its version: have them in PATH");
    else if (strncmp(version, ours, strcspn(ours, ".") + 3) != 0)
        add(c, "slurm", CHECK_BAD,
            "the plugin was built for Slurm %s and this is %s, which will not "
            "load it: build berth with this one's headers before slurmd "
            "starts again",
            ours, version);
    else
        add(c, "slurm", CHECK_OK, "Slurm %s, and the plugin was built for %s",
            version, ours);
}

static void look_at_hook(struct check *c, struct conf_files *files,
                         const char *key, const char *program)
{
    struct conf_line line;
    struct berth_err err;
    const char *name = strrchr(program, '/') + 1;
    int called =
        conf_find_hook(files, key, program, CONF_TAKES_LINES, &line, &err);

    if (called < 0)
        add(c, "hooks", CHECK_UNSEEN, "%s", err.text);
    else if (called)
        add(c, "hooks", CHECK_OK, "%s runs %s", key, name);
    else if (!line.number)
        add(c, "hooks", CHECK_BAD, "slurm.conf has no %s: write %s=%s there",
            key, key, program);
    else
        add(c, "hooks", CHECK_BAD, "%s=%s does not name %s: have it call %s",
            key, line.value, name, program);
}

static void look_at_hooks(struct check *c)
{
    struct conf_files files = {0};
    struct strv paths = {0};
    struct berth_err err;

    plugstack_files(NULL, &paths);
    if (paths.n == 0) {
        add(c, "hooks", CHECK_UNSEEN, "slurm.conf is not here: set SLURM_CONF");
    } else if (conf_open_slurm(&files, paths.v[0], &err) < 0) {
        add(c, "hooks", CHECK_UNSEEN, "%s", err.text);
    } else {
        look_at_hook(c, &files, "Prolog", BERTH_SBINDIR "/berth-prolog");
        look_at_hook(c, &files, "Epilog", BERTH_SBINDIR "/berth-epilog");
    }
    conf_clear(&files);
    strv_clear(&paths);
}

// --- the node ----------------------------------------------------------------

static void look_at_init(struct check *c)
{
    static const char path[] = BERTH_LIBEXECDIR "/berth-init";
    struct stat st;

    if (stat(path, &st) < 0)
        add(c, "init", CHECK_BAD, "%s: %s: install berth again", path,
            strerror(errno));
    else if (st.st_uid != 0 || (st.st_mode & 07777) != 0711)
        add(c, "init", CHECK_BAD,
            "%s is user %u's with mode %04o, and a task that can read it can "
            "trace it: make it root's and 0711",
            path, st.st_uid, st.st_mode & 07777);
    else
        add(c, "init", CHECK_OK, "%s is root's, 0711", path);
}

static int count(void *arg, const struct store_record *record, bool old)
{
    unsigned *n = arg;

    (void)record;
    (void)old;
    ++*n;
    return 0;
}

// A container that an engine was asked for by a step that is over, and for which
// it has not answered.
static void look_at_unanswered(struct check *c)
{
    const struct dirent *entry;
    unsigned n = 0;

    DIR *d = opendir(BERTH_STATEDIR);
    while (d && (entry = readdir(d)))
        if (entry->d_name[0] != '.')
            store_each_unanswered(BERTH_STATEDIR, entry->d_name, count, &n);
    if (d)
        closedir(d);
    if (n > 0)
        add(c, "state", CHECK_WARN,
            "an engine has not said whether it has made %u container%s of "
            "steps that are over: berth-epilog --sweep asks it again, as the "
            "next job does",
            n, n == 1 ? "" : "s");
}

static void look_at_state(struct check *c)
{
    static const char path[] = BERTH_STATEDIR;
    struct statvfs fs;
    struct stat st;

    if (stat(path, &st) < 0) {
        add(c, "state", CHECK_BAD, "%s: %s: make it, root's and 0711", path,
            strerror(errno));
        return;
    }
    if (st.st_uid != 0 || (st.st_mode & 022))
        add(c, "state", CHECK_BAD,
            "%s is user %u's with mode %04o: make it root's and 0711", path,
            st.st_uid, st.st_mode & 07777);
    else if (statvfs(path, &fs) == 0 && fs.f_bavail < fs.f_blocks / 100)
        add(c, "state", CHECK_BAD,
            "%s has less than 1 %% of its file system free: make room", path);
    else
        add(c, "state", CHECK_OK, "%s is root's", path);
    look_at_unanswered(c);
}

// Calls that fail for their arguments are there.
static void look_at_kernel(struct check *c)
{
    static const struct {
        const char *name, *since;
        long number;
        bool needed;
    } calls_needed[] = {
        {"pidfd_open", "5.3", SYS_pidfd_open, true},
        {"open_tree", "5.2", SYS_open_tree, true},
        {"openat2", "5.6", SYS_openat2, true},
        {"mount_setattr", "5.12", SYS_mount_setattr, true},
    };
    struct utsname name = {0};

    uname(&name);
    add(c, "kernel", CHECK_OK, "%s %s", name.sysname, name.release);
    for (size_t i = 0; i < sizeof(calls_needed) / sizeof(*calls_needed); i++)
        if (syscall(calls_needed[i].number, -1, NULL, -1, NULL, 0) < 0 &&
            errno == ENOSYS)
            add(c, "kernel", CHECK_BAD,
                "the kernel has no %s: berth wants Linux 5.12 at least, and "
                "this is %s",
                calls_needed[i].name, name.release);
    if (access("/proc/sys/kernel/seccomp/actions_avail", F_OK) < 0)
        add(c, "kernel", CHECK_BAD,
            "the kernel has no seccomp filters: take one that has "
            "CONFIG_SECCOMP_FILTER");
}

static void look_at_cgroups(struct check *c)
{
    FILE *f = fopen("/proc/self/mounts", "re");
    char *line = NULL;
    size_t cap = 0;
    bool v1 = false, v2 = false;

    while (f && getline(&line, &cap, f) >= 0) {
        char type[64] = "";
        if (sscanf(line, "%*s %*s %63s", type) == 1) {
            v1 |= strcmp(type, "cgroup") == 0;
            v2 |= strcmp(type, "cgroup2") == 0;
        }
    }
    free(line);
    if (f)
        fclose(f);
    if (!v1 && !v2)
        add(c, "cgroups", CHECK_BAD,
            "no cgroups are mounted: mount those of version 2");
    else
        add(c, "cgroups", CHECK_OK, "version %s",
            v1 ? v2 ? "1 and 2" : "1" : "2");
}

// --- the engine and the policy -----------------------------------------------

// ROOTS, unless it is NULL: those that are root in containers that it runs have
// these IDs.
static void look_at_engine(struct check *c, const char *path,
                           const struct root_ids *roots)
{
    char root[4096] = "", why[ROOT_IDS_WHY_MAX];
    struct berth_err err = {0};
    struct engine *engine;
    struct statvfs fs;

    if (access(path, R_OK | W_OK) < 0 && errno == EACCES) {
        add(c, "engine", CHECK_UNSEEN, "%s is root's: run this as root", path);
        return;
    }
    engine = engine_open(path, NULL, &err);
    if (!engine) {
        add(c, "engine", CHECK_BAD, "%s", err.text);
        return;
    }
    const char *name = engine_name(engine), *version = strchr(name, ' ');
    add(c, "engine", CHECK_OK, "%s", name);
    int rooted = engine_root(engine, root, sizeof(root), &err);
    if (roots && !root_ids_suit(roots, engine_is_podman(engine), root, why))
        add(c, "engine", CHECK_BAD,
            "nobody can be root in a container by %s, %s", name, why);
    if (version && !engine_is_podman(engine)) {
        char text[64];
        snprintf(text, sizeof(text), "%.*s", (int)strcspn(version + 1, " "),
                 version + 1);
        look_up_version(c, "Docker", text);
    }
    if (rooted == 0 && statvfs(root, &fs) == 0 && fs.f_blocks > 0) {
        unsigned free_percent = (unsigned)(100 * fs.f_bavail / fs.f_blocks);
        add(c, "disk", free_percent < 5 ? CHECK_BAD : CHECK_OK,
            free_percent < 5 ? "%s, where images are, has %u %% free: make room"
                             : "%s, where images are, has %u %% free",
            root, free_percent);
    }
    engine_close(engine);
}

// Returns whether something was said of the engine at SOCKET.
static bool take_installed(struct check *c, struct installed *here,
                           const char *socket)
{
    bool engine = false;

    for (size_t i = 0; i < here->problems.n; i++) {
        add(c, "setup", CHECK_BAD, "%s", here->problems.v[i]);
        engine |= strstr(here->problems.v[i], socket) != NULL;
    }
    for (size_t i = 0; i < here->notes.n; i++)
        add(c, "setup", CHECK_OK, "%s", here->notes.v[i]);
    installed_clear(here);
    return engine;
}

static void look_at_policy(struct check *c)
{
    struct plugstack_origin origin;
    struct policy *policy = NULL;
    struct berth_err err = {0};
    struct strv words = {0};
    struct installed here;
    bool unread = false, given;

    plugstack_load(NULL, &origin, &words);
    if (read_policy(NULL, NULL, &policy, &unread, &err) < 0)
        add(c, "policy", unread ? CHECK_UNSEEN : CHECK_BAD, "%s", err.text);
    else
        add(c, "policy", CHECK_OK, "%s", policy_fingerprint(policy));
    const char *conf =
        policy_conf_path(words.n, (const char *const *)words.v, &given);
    const char *socket = policy ? policy_engine(policy) : "none";
    const struct root_ids *roots = policy ? policy_root_ids(policy) : NULL;
    bool apart = roots && strcmp(policy_root_engine(policy), socket) != 0;
    if (installed_look(NULL, &origin, conf, policy, &here) == 0 &&
        !take_installed(c, &here, socket) && policy)
        look_at_engine(c, socket, apart ? NULL : roots);
    if (apart)
        look_at_engine(c, policy_root_engine(policy), roots);
    policy_free(policy);
    strv_clear(&words);
}

void check_node(struct check *out)
{
    out->n = 0;
    look_at_programs(out);
    look_at_slurm(out);
    look_at_policy(out);
    look_at_hooks(out);
    look_at_init(out);
    look_at_state(out);
    look_at_kernel(out);
    look_at_cgroups(out);
}
