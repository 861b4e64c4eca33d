// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: strings from berth-stepd, which wrote them for this program. What
// they name is the administrator's, an image's and the user's, but they act
// on the user's own process only.

#include "handover/change.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

size_t change_count(const char *text, size_t size)
{
    size_t n = 0;

    for (size_t i = 0; i < size; i++)
        n += text[i] == '\0';
    return n;
}

// Says whether the LEN bytes of NAME are as GLOB says, which ends at a NUL
// or a '='. A star is tried with as few bytes as will do, and only the last
// one is tried again: that is enough, and takes no more than LEN times the
// glob's length.
static bool matches(const char *glob, const char *name, size_t len)
{
    size_t end = strcspn(glob, "=");
    size_t g = 0, n = 0, star = SIZE_MAX, from = 0;

    while (n < len) {
        if (g < end && glob[g] == '*') {
            star = ++g;
            from = n;
        } else if (g < end && glob[g] == name[n]) {
            g++;
            n++;
        } else if (star != SIZE_MAX) {
            g = star;
            n = ++from;
        } else {
            return false;
        }
    }
    while (g < end && glob[g] == '*')
        g++;
    return g == end;
}

// Says whether one of GLOBS, with '=' between them and up to "==", matches.
static bool matches_any(const char *globs, const char *name, size_t len)
{
    for (;; globs++) {
        if (matches(globs, name, len))
            return true;
        globs += strcspn(globs, "=");
        if (!*globs || globs[1] == '=')
            return false;
    }
}

// Removes the variables of which one of GLOBS matches the name, or (KEEP) of
// which none does; but none that a glob behind "==" matches.
static void filter(struct start *start, const char *globs, bool keep)
{
    const char *spared = strstr(globs, "==");
    size_t to = 0;

    for (size_t i = 0; i < start->envc; i++) {
        const char *name = start->env[i];
        size_t len = strcspn(name, "=");
        if (matches_any(globs, name, len) == keep ||
            (spared && matches_any(spared + 2, name, len)))
            start->env[to++] = start->env[i];
    }
    start->envc = to;
}

// Removes "NAME=VALUE", however often it is there.
static void drop(struct start *start, const char *assignment)
{
    size_t to = 0;

    for (size_t i = 0; i < start->envc; i++)
        if (strcmp(start->env[i], assignment) != 0)
            start->env[to++] = start->env[i];
    start->envc = to;
}

// Puts "NAME=VALUE" in the place of the first NAME, and of all others; of a
// default, only where there is none. False if it is no assignment.
static bool set(struct start *start, char *assignment, bool is_default)
{
    size_t len = strcspn(assignment, "=") + 1;
    size_t to = 0;
    bool done = false;

    if (len < 2 || assignment[len - 1] != '=')
        return false;
    for (size_t i = 0; i < start->envc; i++) {
        if (strncmp(start->env[i], assignment, len) == 0) {
            if (is_default)
                return true;
            if (done)
                continue;
            start->env[i] = assignment;
            done = true;
        }
        start->env[to++] = start->env[i];
    }
    if (!done)
        start->env[to++] = assignment;
    start->envc = to;
    return true;
}

// The value of the variable whose name are the LEN bytes of NAME, or NULL.
static const char *find(const struct start *start, const char *name, size_t len)
{
    for (size_t i = 0; i < start->envc; i++)
        if (strncmp(start->env[i], name, len) == 0 && start->env[i][len] == '=')
            return start->env[i] + len + 1;
    return NULL;
}

// Cuts HOSTS, such as "r1n[03-05,9],x", to the first of them: "r1n03".
static void cut_first(char *hosts)
{
    char *to = hosts;

    for (; *hosts && *hosts != ','; hosts++) {
        if (*hosts != '[') {
            *to++ = *hosts;
            continue;
        }
        size_t n = strcspn(++hosts, ",-]");
        memmove(to, hosts, n);
        to += n;
        hosts += strcspn(hosts, "]");
        if (!*hosts)
            break;
    }
    *to = '\0';
}

// "NAME=OTHER". What this allocates goes with the process.
static bool copy(struct start *start, const char *text, bool first)
{
    const char *eq = strchr(text, '=');
    const char *value = eq ? find(start, eq + 1, strlen(eq + 1)) : NULL;

    if (!eq)
        return false;
    size_t name = (size_t)(eq - text);
    if (!value || (first && find(start, text, name)))
        return true;
    char *assignment = malloc(name + 1 + strlen(value) + 1);
    if (!assignment)
        return false;
    memcpy(assignment, text, name + 1);
    strcpy(assignment + name + 1, value);
    if (first)
        cut_first(assignment + name + 1);
    return set(start, assignment, false);
}

// "RESOURCE=SOFT:HARD"
static bool limit(struct start *start, const char *text)
{
    char *end;
    unsigned long resource = strtoul(text, &end, 10);

    if (end == text || *end != '=' || resource >= WIRE_LIMITS)
        return false;
    uint64_t soft = strtoull(end + 1, &end, 10);
    if (*end != ':')
        return false;
    start->run->limits[resource].soft = soft;
    start->run->limits[resource].hard = strtoull(end + 1, &end, 10);
    return *end == '\0';
}

static void remove_word(struct start *start, size_t at)
{
    start->argc--;
    memmove(start->argv + at, start->argv + at + 1,
            (start->argc - at) * sizeof(char *));
}

bool change_apply(struct start *start, char *text, size_t count)
{
    size_t words = 0; // of the entry point
    bool named = false, own = false;
    char *cmd = NULL;
    size_t ncmd = 0;

    for (size_t i = 0; i < count; i++, text += strlen(text) + 1) {
        bool ok = true;
        switch (text[0]) {
        case WIRE_SET:
        case WIRE_DEFAULT:
            ok = set(start, text + 1, text[0] == WIRE_DEFAULT);
            break;
        case WIRE_DROP:
        case WIRE_KEEP:
            filter(start, text + 1, text[0] == WIRE_KEEP);
            break;
        case WIRE_UNLESS:
            drop(start, text + 1);
            break;
        case WIRE_COPY:
        case WIRE_FIRST:
            ok = copy(start, text + 1, text[0] == WIRE_FIRST);
            break;
        case WIRE_ARGV0:
            start->argv[words] = text + 1;
            named = true;
            break;
        case WIRE_ENTRY:
            memmove(start->argv + words + 1, start->argv + words,
                    (start->argc - words) * sizeof(char *));
            start->argv[words++] = text + 1;
            start->argc++;
            break;
        case WIRE_OWN:
            own = true;
            break;
        case WIRE_CMD:
            cmd = ncmd++ == 0 ? text : cmd;
            break;
        case WIRE_WORKDIR:
            start->run->flags |= WIRE_RUN_ROOT;
            start->cwd = text + 1;
            break;
        case WIRE_CWD:
            start->cwd = text + 1;
            break;
        case WIRE_HINT:
            start->hint = text + 1;
            break;
        case WIRE_LIMIT:
            ok = limit(start, text + 1);
            break;
        default:
            ok = false;
        }
        if (!ok)
            return false;
    }
    if (!named)
        remove_word(start, words);
    // Of --multi-prog, each of whose programs only its own task knows.
    if (!named && words < start->argc &&
        strncmp(start->argv[words], WIRE_ONLY_HERE, strlen(WIRE_ONLY_HERE)) ==
            0)
        start->argv[words] += strlen(WIRE_ONLY_HERE);
    // Where berth-task was put in front of it, the empty word is there.
    if (own && words < start->argc && !*start->argv[words])
        remove_word(start, words);
    for (; own && words == start->argc && ncmd > 0; ncmd--) {
        start->argv[start->argc++] = cmd + 1;
        words++;
        cmd += strlen(cmd) + 1;
    }
    start->argv[start->argc] = NULL;
    start->env[start->envc] = NULL;
    return true;
}
