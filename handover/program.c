// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: a name of the user's or of an image's, and the files that an image
// and the user's mounts have. This runs as the user, in the container: what it
// reads there, he can read.
#include "handover/program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "protocol/wire.h"

enum {
    LINKS_MAX = 40, // as the kernel
    HEAD_MAX = 256, // as much of a script's first line as the kernel reads
    PHDRS_MAX = 64,
};

// The task's stack may be bounded to less than a path or two: what is long is
// not on it.

// Where a sentence goes.
struct why {
    char *text;
    size_t size;
};

#define because(why, ...) snprintf((why)->text, (why)->size, __VA_ARGS__)

// ---- what a file is ---------------------------------------------------

// Reads the start of PATH into HEAD, with a NUL behind it. Returns its length;
// 0 also if it cannot be read.
static size_t read_head(const char *path, char head[HEAD_MAX + 1])
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, head, HEAD_MAX) : 0;

    if (fd >= 0)
        close(fd);
    head[n > 0 ? n : 0] = '\0';
    return n > 0 ? (size_t)n : 0;
}

static bool is_elf(const char *head, size_t len)
{
    return len >= sizeof(Elf32_Ehdr) && memcmp(head, ELFMAG, SELFMAG) == 0;
}

// Reads the path of the loader that the ELF file PATH names. False: none.
static bool read_loader(const char *path, char loader[PATH_MAX])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ElfW(Ehdr) e = {0};
    ElfW(Phdr) p;
    ssize_t n = 0;

    if (fd < 0)
        return false;
    if (pread(fd, &e, sizeof(e), 0) != (ssize_t)sizeof(e) ||
        e.e_phentsize != sizeof(p) || e.e_phnum > PHDRS_MAX)
        e.e_phnum = 0;
    for (int i = 0; i < e.e_phnum && n == 0; i++) {
        off_t at = (off_t)(e.e_phoff + (size_t)i * sizeof(p));
        if (pread(fd, &p, sizeof(p), at) == (ssize_t)sizeof(p) &&
            p.p_type == PT_INTERP && p.p_filesz < PATH_MAX)
            n = pread(fd, loader, p.p_filesz, (off_t)p.p_offset);
    }
    close(fd);
    loader[n > 0 ? n : 0] = '\0';
    return n > 0;
}

// What `uname -m` says on a machine for which ELF files have the number.
static const struct {
    int number;
    const char *name;
} machines[] = {
    {EM_386, "i386"},        {EM_X86_64, "x86_64"}, {EM_ARM, "arm"},
    {EM_AARCH64, "aarch64"}, {EM_PPC64, "ppc64"},   {EM_S390, "s390x"},
    {EM_RISCV, "riscv64"},
};

static void explain_elf(const char *name, const char *head, struct why *why)
{
    struct utsname node = {0};
    Elf32_Ehdr e;

    memcpy(&e, head, sizeof(e)); // e_machine is where Elf64_Ehdr has it
    uname(&node);
    for (size_t i = 0; i < sizeof(machines) / sizeof(*machines); i++)
        if (machines[i].number == e.e_machine &&
            strcmp(machines[i].name, node.machine) != 0) {
            because(why,
                    "%s is a program for %s, and this node is %s: take an "
                    "image or a build for that",
                    name, machines[i].name, node.machine);
            return;
        }
    because(why,
            "%s can't be executed: it is a damaged program, or one for "
            "another kind of processor than this node's %s",
            name, node.machine);
}

// ---- what is missing ---------------------------------------------------

// What the user calls PATH. Slurm's copy of a batch script is at a place that
// he has not chosen.
static const char *called(const char *path)
{
    static const char spooled[] = "/slurm_script";
    size_t len = strlen(path);

    return len >= sizeof(spooled) - 1 &&
                   !strcmp(path + len - (sizeof(spooled) - 1), spooled)
               ? "the batch script"
               : path;
}

// Cuts the path of the interpreter out of a script's first line, which begins
// at LINE. Returns where it begins.
static char *find_interpreter(char *line)
{
    line += 2 + strspn(line + 2, " \t");
    line[strcspn(line, " \t\n")] = '\0';
    return line;
}

// The file PATH is there, and what the kernel needs to run it is not.
static void explain_needs(const char *path, struct why *why)
{
    static char loader[PATH_MAX];
    char head[HEAD_MAX + 1];
    size_t len = read_head(path, head);

    if (len > 2 && memcmp(head, "#!", 2) == 0) {
        char *interpreter = find_interpreter(head);
        size_t n = strlen(interpreter);
        if (n > 0 && interpreter[n - 1] == '\r')
            because(why,
                    "the first line of %s ends with a carriage return, as "
                    "in files from Windows: take these out (dos2unix)",
                    called(path));
        else if (access(interpreter, F_OK) < 0)
            because(why,
                    "%s, which the first line of %s names, is not in the "
                    "container: name one that is there, or take another image",
                    interpreter, called(path));
        else
            because(why,
                    "%s, which the first line of %s names, can't be run in "
                    "the container: what it needs itself is not there",
                    interpreter, called(path));
    } else if (is_elf(head, len) && read_loader(path, loader)) {
        because(why,
                "%s needs %s, which is not in the container: build it in "
                "this image, or take the image that it was built for",
                path, loader);
    } else {
        because(why,
                "%s can't be run in the container, as the interpreter or "
                "loader that it needs is not there",
                path);
    }
}

// Cuts the last component off PATH. False: there is none but the root.
static bool cut(char *path)
{
    char *slash = strrchr(path, '/');

    if (!slash || !path[1])
        return false;
    slash[slash == path] = '\0';
    return true;
}

// Says what is mounted where the absolute PATH would be; empty for nothing but
// the image.
static void explain_mount(const char *path, char *text, size_t size)
{
    static char dir[PATH_MAX], up[PATH_MAX];
    struct stat here, above;
    struct statfs fs;

    text[0] = '\0';
    snprintf(dir, sizeof(dir), "%s", path);
    do {
        if (!cut(dir))
            return;
    } while (stat(dir, &here) < 0);
    for (;;) {
        memcpy(up, dir, sizeof(up));
        if (!cut(up) || stat(up, &above) < 0)
            return;
        if (above.st_dev != here.st_dev)
            break;
        memcpy(dir, up, sizeof(dir));
    }
    snprintf(text, size,
             statfs(dir, &fs) == 0 && fs.f_type == TMPFS_MAGIC
                 ? ", whose %s is its own and not the image's"
                 : ", where %s is a mount and not the image's",
             dir);
}

// Follows the symbolic link at PATH, and those to which it leads, to a name
// that nothing has. False: it is no link.
static bool follow(const char *path, char to[PATH_MAX])
{
    static char link[PATH_MAX];
    bool led = false;

    snprintf(to, PATH_MAX, "%s", path);
    for (int i = 0; i < LINKS_MAX; i++) {
        ssize_t n = readlink(to, link, sizeof(link) - 1);
        if (n < 0)
            break;
        link[n] = '\0';
        char *base = strrchr(to, '/');
        size_t dir = link[0] != '/' && base ? (size_t)(base + 1 - to) : 0;
        if (dir + (size_t)n >= PATH_MAX)
            break;
        memcpy(to + dir, link, (size_t)n + 1);
        led = true;
    }
    return led;
}

// NAME is at no place, or at LINK only, which leads nowhere.
static void explain_none(const char *name, const char *link, const char *hint,
                         struct why *why)
{
    static char to[PATH_MAX], mount[PATH_MAX + 64];

    if (link && follow(link, to)) {
        explain_mount(to, mount, sizeof(mount));
        because(why, "%s leads to %s, which is not in the container%s", link,
                to, mount);
        return;
    }
    mount[0] = '\0';
    if (name[0] == '/')
        explain_mount(name, mount, sizeof(mount));
    because(why, "%s: there is no such program in the container%s%s%s", name,
            mount, *hint ? ": " : "", hint);
}

// ---- the program --------------------------------------------------------

// What came of a search.
struct search {
    char **argv;
    bool closed;         // a file that may not be executed was passed by
    char at[PATH_MAX];   // the first that is there and has what it needs not
    char none[PATH_MAX]; // the first that is a link to nowhere
};

// Runs PATH by /bin/sh.
static void run_script(const char *path, char **argv)
{
    argv[-1] = (char *)"/bin/sh";
    argv[0] = (char *)path;
    execve(argv[-1], argv - 1, environ);
}

// Tries PATH. Returns an exit status with WHY, or 0: it is not there, or is
// to be passed by.
static int try(struct search *s, const char *path, struct why *why)
{
    char head[HEAD_MAX + 1];
    struct stat st;

    execve(path, s->argv, environ);
    switch (errno) {
    case ENOEXEC: {
        size_t len = read_head(path, head);
        if (is_elf(head, len)) {
            explain_elf(path, head, why);
            return WIRE_EXIT_NOEXEC;
        }
        run_script(path, s->argv);
        because(why,
                "%s is a script without an interpreter in its first line "
                "(#!), and /bin/sh can't run it: %s",
                called(path),
                errno == ENOENT ? "it is not in the container"
                                : strerror(errno));
        return errno == ENOENT ? WIRE_EXIT_NOENT : WIRE_EXIT_NOEXEC;
    }
    case ENOENT:
        if (stat(path, &st) == 0 && !s->at[0])
            snprintf(s->at, sizeof(s->at), "%s", path);
        else if (lstat(path, &st) == 0 && !s->none[0])
            snprintf(s->none, sizeof(s->none), "%s", path);
        return 0;
    case ENOTDIR:
    case ESTALE:
    case ENODEV:
    case ETIMEDOUT:
        return 0;
    case EACCES:
        s->closed = true;
        return 0;
    default:
        because(why, "%s: can't be executed in the container: %s", path,
                strerror(errno));
        return WIRE_EXIT_NOEXEC;
    }
}

// Tries NAME in each directory of PATH.
static int try_path(struct search *s, const char *name, struct why *why)
{
    const char *dir = getenv("PATH");
    static char path[PATH_MAX];
    int status = 0;

    for (dir = dir ? dir : "/bin:/usr/bin"; status == 0;
         dir += strcspn(dir, ":") + 1) {
        int len = (int)strcspn(dir, ":");
        int n = snprintf(path, sizeof(path), "%.*s%s%s", len, dir,
                         len ? "/" : "", name);
        if (n < PATH_MAX)
            status = try(s, path, why);
        if (!dir[len])
            break;
    }
    return status;
}

int program_become(char **argv, const char *hint, char *text, size_t size)
{
    static struct search s;
    struct why why = {text, size};
    const char *name = argv[0];
    int status = 0;

    s.argv = argv;
    if (strchr(name, '/'))
        status = try(&s, name, &why);
    else if (*name)
        status = try_path(&s, name, &why);
    if (status != 0)
        return status;
    if (s.closed) {
        because(&why, "%s: can't be executed in the container: %s", name,
                strerror(EACCES));
        return WIRE_EXIT_NOEXEC;
    }
    if (s.at[0])
        explain_needs(s.at, &why);
    else
        explain_none(name, s.none[0] ? s.none : NULL, hint, &why);
    return WIRE_EXIT_NOENT;
}
