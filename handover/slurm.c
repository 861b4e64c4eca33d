// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// berth-slurm: what Slurm's commands are in a container. By the name under
// which it is called it runs the node's own, by the node's own loader and
// with the node's libraries, so that the image need have none, or others.
//
// It runs as the user, in the container, and is no boundary of any kind.
// When it cannot run the command it says why in one sentence, and exits with
// 127.
#include "handover/say.h"
#include "protocol/inside_paths.h"
#include "protocol/wire.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Noreturn void fail(const char *name, const char *why)
{
    say(2, "%s cannot be run in this container: %s", name, why);
    _exit(WIRE_EXIT_NOENT);
}

// Reads from the program PATH which loader it wants, as a full path.
static int read_interpreter(const char *path, char out[PATH_MAX])
{
    ElfW(Ehdr) elf;
    ElfW(Phdr) part;
    int fd = open(path, O_RDONLY | O_CLOEXEC), rc = -1;

    if (fd < 0)
        return -1;
    errno = ENOEXEC;
    if (read(fd, &elf, sizeof(elf)) == sizeof(elf) &&
        memcmp(elf.e_ident, ELFMAG, SELFMAG) == 0 &&
        elf.e_phentsize == sizeof(part))
        for (unsigned i = 0; rc < 0 && i < elf.e_phnum; i++) {
            off_t at = (off_t)(elf.e_phoff + i * sizeof(part));
            if (pread(fd, &part, sizeof(part), at) != sizeof(part))
                break;
            if (part.p_type == PT_INTERP && part.p_filesz < PATH_MAX &&
                pread(fd, out, part.p_filesz, (off_t)part.p_offset) ==
                    (ssize_t)part.p_filesz) {
                out[part.p_filesz] = 0;
                rc = 0;
            }
        }
    close(fd);
    return rc;
}

int main(int argc, char **argv)
{
    char program[PATH_MAX], wanted[PATH_MAX], loader[2 * PATH_MAX];
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    const char *name = slash ? slash + 1 : argc > 0 ? argv[0] : "";
    size_t n = 0;

    if (!*name || snprintf(program, sizeof(program), "%s/%s",
                           INSIDE_SLURM_COMMANDS, name) >= (int)sizeof(program))
        fail("berth-slurm", "it is called by the name of a command of Slurm's");
    if (read_interpreter(program, wanted) < 0)
        fail(name,
             errno == ENOENT ? "the node does not have it" : strerror(errno));
    slash = strrchr(wanted, '/');
    snprintf(loader, sizeof(loader), "%s/%s", INSIDE_SLURM_LIBRARIES,
             slash ? slash + 1 : wanted);

    const char **args = calloc((size_t)argc + 5, sizeof(*args));
    if (!args)
        fail(name, strerror(errno));
    args[n++] = loader;
    args[n++] = "--inhibit-cache"; // it lists the image's libraries
    args[n++] = "--library-path";
    args[n++] = INSIDE_SLURM_LIBRARIES;
    args[n++] = program;
    for (int i = 1; i < argc; i++)
        args[n++] = argv[i];
    execv(loader, (char *const *)args);
    fail(name, strerror(errno));
}
