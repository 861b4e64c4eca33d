// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: an environment of the user's and the image's. This runs as the user,
// in the container, just before his program does.
#include "handover/fit.h"

#include <ctype.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCALES "/usr/lib/locale" // where glibc has them

static bool starts(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static bool can_write(const char *dir)
{
    struct stat st;

    return stat(dir, &st) == 0 && S_ISDIR(st.st_mode) &&
           access(dir, W_OK | X_OK) == 0;
}

// Says whether there is the locale NAME. glibc calls the directory of
// en_US.UTF-8 en_US.utf8.
static bool is_locale(const char *name)
{
    char path[sizeof(LOCALES) + 128];
    size_t n = (size_t)snprintf(path, sizeof(path), "%s/", LOCALES);
    bool in_codeset = false;

    if (!*name || !strcmp(name, "C") || starts(name, "C.") ||
        !strcmp(name, "POSIX"))
        return true;
    if (access(LOCALES "/locale-archive", F_OK) == 0)
        return true;
    if (strchr(name, '/'))
        return access(name, F_OK) == 0;
    for (; *name && n < sizeof(path) - 1; name++) {
        if (*name == '.' || *name == '@')
            in_codeset = *name == '.';
        else if (in_codeset && !isalnum((unsigned char)*name))
            continue;
        path[n++] = in_codeset ? (char)tolower((unsigned char)*name) : *name;
    }
    path[n] = '\0';
    return access(path, F_OK) == 0;
}

// Takes out of LIST, in its place, the files that are not there. What has no
// slash is searched for by the loader, and what has a '$' only it understands.
// Returns whether anything is left.
static bool keep_files(char *list)
{
    static char path[PATH_MAX]; // the task's stack may be smaller
    char *to = list, *next;

    for (char *word = list; *word; word = next) {
        size_t len = strcspn(word, ": ");
        next = word + len + (word[len] != '\0');
        if (len == 0 || len >= sizeof(path))
            continue;
        memcpy(path, word, len);
        path[len] = '\0';
        if (strchr(path, '/') && !strchr(path, '$') && access(path, R_OK) < 0)
            continue;
        if (to != list)
            *to++ = ':';
        memmove(to, path, len);
        to += len;
    }
    *to = '\0';
    return to != list;
}

// Says whether ASSIGNMENT is to stay.
static bool fits(char *assignment, bool other_locales)
{
    char *value = strchr(assignment, '=');

    if (!value)
        return true;
    value++;
    if (starts(assignment, "TMPDIR="))
        return can_write(value);
    if (starts(assignment, "LD_PRELOAD="))
        return keep_files(value);
    if (starts(assignment, "LANG=") || starts(assignment, "LC_"))
        return other_locales || is_locale(value);
    return true;
}

void fit_environment(char **env)
{
    static char shell[] = "SHELL=/bin/sh";
    bool other_locales = false;
    char **to = env;

    for (char **p = env; *p; p++)
        other_locales |= starts(*p, "LOCPATH=") || starts(*p, "LOCALE_ARCHIVE");
    for (; *env; env++) {
        char *one = *env;
        if (starts(one, "SHELL=") && access(one + 6, X_OK) < 0)
            one = access(shell + 6, X_OK) == 0 ? shell : NULL;
        if (one && fits(one, other_locales))
            *to++ = one;
    }
    *to = NULL;
}
