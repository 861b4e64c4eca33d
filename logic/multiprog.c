// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include "logic/multiprog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Finds the next line at or behind *P that has ranks and a program: not a
// blank one, a comment, or the continuation of another. Returns where its
// program begins, and moves *P behind the line; or NULL at the end. OK
// becomes false at a line of another kind.
static const char *next_program(const char **p, bool *continued, bool *ok)
{
    while (**p) {
        const char *line = *p;
        size_t len = strcspn(line, "\n");
        bool skip = *continued;
        *p = line + len + (line[len] == '\n');
        *continued = len > 0 && line[len - 1] == '\\';

        const char *ranks = line + strspn(line, " \t");
        if (skip || ranks == line + len || *ranks == '#')
            continue;
        size_t n = strspn(ranks, "0123456789,-*");
        const char *program = ranks + n + strspn(ranks + n, " \t");
        if (n == 0 || program == ranks + n || program >= line + len) {
            *ok = false;
            continue;
        }
        return program;
    }
    return NULL;
}

bool multiprog_is(const char *text)
{
    bool continued = false, ok = true, any = false;

    if (!strchr(text, '\n'))
        return false;
    while (next_program(&text, &continued, &ok))
        any = true;
    return any && ok;
}

bool multiprog_runs(const char *text, const char *program)
{
    bool continued = false, ok = true;
    size_t len = strlen(program);
    const char *p;

    while ((p = next_program(&text, &continued, &ok)))
        if (strncmp(p, program, len) != 0 || !strchr(" \t", p[len]) ||
            p[len] == 0)
            ok = false;
    return ok;
}

char *multiprog_wrap(const char *text, const char *path, bool apart)
{
    bool continued = false, ok = true;
    const char *from = text, *p;
    char *out = NULL;
    size_t size;

    FILE *f = open_memstream(&out, &size);
    if (!f)
        return NULL;
    while ((p = next_program(&text, &continued, &ok))) {
        fwrite(from, 1, (size_t)(p - from), f);
        fprintf(f, "%s%s", path, apart ? " " : "");
        from = p;
    }
    fputs(from, f);
    if (fclose(f) != 0) {
        free(out);
        return NULL;
    }
    return out;
}
