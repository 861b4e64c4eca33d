// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The grammar is that of src/common/plugstack.c in Slurm 22.05:
// lines come through fgets with a buffer of 4096 bytes, '#' starts a comment
// even within a word, words are separated by spaces and tabs, the first says
// what kind of line it is. The administrator's files are trusted.

#include "logic/plugstack.h"

#include <string.h>
#include <strings.h>

#define SEPARATORS " \t\n"

// Copies to BUF what Slurm's fgets would read next.
static bool read_chunk(struct plugstack *stack, struct plugstack_line *out)
{
    const char *from = stack->text + stack->pos;
    size_t left = stack->len - stack->pos;
    size_t room = left < sizeof(out->text) - 1 ? left : sizeof(out->text) - 1;

    if (left == 0)
        return false;
    const char *newline = memchr(from, '\n', room);
    size_t n = newline ? (size_t)(newline - from) + 1 : room;
    memcpy(out->text, from, n);
    out->text[n] = 0;
    if (!stack->inside)
        stack->number++;
    // A line whose newline alone did not fit has lost nothing.
    stack->inside = !newline && n < left;
    out->cut = stack->inside && from[n] != '\n' && !memchr(from, '#', n);
    out->number = stack->number;
    stack->pos += n;
    return true;
}

// Takes TEXT apart in place. Returns whether it is a line to look at.
static bool split(struct plugstack_line *line)
{
    char *save = NULL;

    line->text[strcspn(line->text, "#")] = 0;
    const char *kind = strtok_r(line->text, SEPARATORS, &save);
    if (!kind)
        return false;
    if (!strcmp(kind, "include"))
        line->kind = PLUGSTACK_INCLUDE;
    else if (!strcmp(kind, "required") || !strcmp(kind, "optional"))
        line->kind = PLUGSTACK_PLUGIN;
    else
        return false;
    line->path = strtok_r(NULL, SEPARATORS, &save);
    if (!line->path)
        return false;
    // 4095 bytes hold no more words than argv.
    const char *word;
    line->argc = 0;
    while ((word = strtok_r(NULL, SEPARATORS, &save)))
        line->argv[line->argc++] = word;
    return true;
}

bool plugstack_next(struct plugstack *stack, const char *plugin,
                    struct plugstack_line *out)
{
    while (read_chunk(stack, out)) {
        if (!split(out))
            continue;
        if (out->kind == PLUGSTACK_INCLUDE)
            return true;
        const char *slash = strrchr(out->path, '/');
        if (!strcmp(slash ? slash + 1 : out->path, plugin))
            return true;
    }
    return false;
}

bool plugstack_same_words(const struct plugstack_line *line, size_t argc,
                          const char *const *argv)
{
    if (line->argc != argc)
        return false;
    for (size_t i = 0; i < argc; i++)
        if (strcmp(line->argv[i], argv[i]) != 0)
            return false;
    return true;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static const char *skip_blanks(const char *p, const char *end)
{
    while (p < end && is_blank(*p))
        p++;
    return p;
}

// The value that starts at P, quoted or up to the next blank.
static const char *value_end(const char **p, const char *end)
{
    const char *stop;

    if (*p < end && **p == '"') {
        (*p)++;
        stop = memchr(*p, '"', end - *p);
        return stop ? stop : end;
    }
    for (stop = *p; stop < end && !is_blank(*stop); stop++)
        ;
    return stop;
}

// Looks for the key in one line, without its comment.
static bool find_in_line(const char *p, const char *end, char *buf, size_t size)
{
    static const char key[] = "PlugStackConfig";
    size_t len = strlen(key);
    bool found = false;

    while ((p = skip_blanks(p, end)) < end) {
        const char *word = p;
        while (p < end && *p != '=' && !is_blank(*p))
            p++;
        bool ours = (size_t)(p - word) == len && !strncasecmp(word, key, len);
        p = skip_blanks(p, end);
        if (p == end || *p != '=')
            continue;
        const char *value = skip_blanks(p + 1, end);
        const char *stop = value_end(&value, end);
        if (ours && (size_t)(stop - value) < size && stop > value) {
            memcpy(buf, value, stop - value);
            buf[stop - value] = 0;
            found = true;
        }
        p = stop < end ? stop + 1 : end;
    }
    return found;
}

bool plugstack_from_slurm_conf(const char *text, size_t len, char *buf,
                               size_t size)
{
    const char *end = text + len;
    bool found = false;

    while (text < end) {
        const char *newline = memchr(text, '\n', end - text);
        const char *stop = newline ? newline : end;
        const char *comment = memchr(text, '#', stop - text);
        if (find_in_line(text, comment ? comment : stop, buf, size))
            found = true;
        text = newline ? newline + 1 : end;
    }
    return found;
}
