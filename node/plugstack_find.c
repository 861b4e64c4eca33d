// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: Slurm's configuration files. In slurmstepd, $SLURM_CONF is set by
// slurmd; elsewhere it is the user's, who only misleads himself.

#include "node/plugstack_find.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "logic/limits.h"
#include "logic/plugstack.h"

enum {
    FILE_MAX_BYTES = BERTH_CONF_MAX + 1,
    INCLUDE_DEPTH = 8,
};

char *plugstack_read(const char *path, size_t *len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    char *buf = fd < 0 ? NULL : malloc(FILE_MAX_BYTES);
    size_t used = 0;
    ssize_t n = 0;

    while (buf && used < FILE_MAX_BYTES &&
           (n = read(fd, buf + used, FILE_MAX_BYTES - used)) > 0)
        used += (size_t)n;
    int saved = errno;
    if (fd >= 0)
        close(fd);
    if (!buf || n < 0) {
        free(buf);
        errno = saved;
        return NULL;
    }
    *len = used;
    return buf;
}

// Writes "DIR of FILE/NAME" to BUF, or NAME itself if it is absolute.
static void beside(const char *file, const char *name, char *buf, size_t size)
{
    const char *slash = strrchr(file, '/');

    if (name[0] == '/' || !slash)
        snprintf(buf, size, "%s", name);
    else
        snprintf(buf, size, "%.*s/%s", (int)(slash - file), file, name);
}

// Says whether LINE is the plugin's: with the words of ARGV or, if that is
// NULL, with any.
static bool is_wanted(const struct plugstack_line *line, int argc, char **argv)
{
    return !argv ||
           plugstack_same_words(line, (size_t)argc, (const char *const *)argv);
}

// FILES, if it is not NULL, gets the name of each file that is read.
static bool search(const char *file, int argc, char **argv, int depth,
                   struct plugstack_origin *out, struct strv *words,
                   struct strv *files)
{
    size_t len;
    char *text = depth < INCLUDE_DEPTH ? plugstack_read(file, &len) : NULL;
    struct plugstack_line *line = text ? malloc(sizeof(*line)) : NULL;
    struct plugstack stack = {.text = text, .len = text ? len : 0};
    char pattern[4096];
    bool found = false;

    if (text && files)
        strv_add(files, file);
    while (line && !found && plugstack_next(&stack, "spank_berth.so", line)) {
        if (line->kind == PLUGSTACK_PLUGIN) {
            found = is_wanted(line, argc, argv);
            if (found) {
                snprintf(out->file, sizeof(out->file), "%s", file);
                out->line = line->number;
                out->cut = line->cut;
            }
            for (size_t i = 0; found && words && i < line->argc; i++)
                strv_add(words, line->argv[i]);
            continue;
        }
        glob_t g;
        beside(file, line->path, pattern, sizeof(pattern));
        if (glob(pattern, 0, NULL, &g) != 0)
            continue;
        for (size_t i = 0; i < g.gl_pathc && !found; i++)
            found =
                search(g.gl_pathv[i], argc, argv, depth + 1, out, words, files);
        globfree(&g);
    }
    free(line);
    free(text);
    return found;
}

// Of the usual places the first that has the plugin's line.
static void search_usual(int argc, char **argv, struct plugstack_origin *out,
                         struct strv *words, struct strv *files)
{
    const char *usual[] = {getenv("SLURM_CONF"), "/etc/slurm/slurm.conf",
                           "/run/slurm/conf/slurm.conf"};
    char name[4096], path[4096 * 2];

    for (size_t i = 0; i < sizeof(usual) / sizeof(*usual); i++) {
        size_t len;
        char *text = usual[i] ? plugstack_read(usual[i], &len) : NULL;
        if (!text)
            continue;
        if (!plugstack_from_slurm_conf(text, len, name, sizeof(name)))
            snprintf(name, sizeof(name), "plugstack.conf");
        free(text);
        if (files)
            strv_add(files, usual[i]);
        beside(usual[i], name, path, sizeof(path));
        if (search(path, argc, argv, 0, out, words, files))
            break;
    }
}

void plugstack_find(int argc, char **argv, struct plugstack_origin *out)
{
    int saved = errno;

    *out = (struct plugstack_origin){0};
    search_usual(argc, argv, out, NULL, NULL);
    errno = saved;
}

bool plugstack_load(const char *plugstack, struct plugstack_origin *out,
                    struct strv *words)
{
    *out = (struct plugstack_origin){0};
    if (plugstack)
        search(plugstack, 0, NULL, 0, out, words, NULL);
    else
        search_usual(0, NULL, out, words, NULL);
    return out->file[0] != 0;
}

void plugstack_files(const char *plugstack, struct strv *files)
{
    struct plugstack_origin origin;

    if (plugstack)
        search(plugstack, 0, NULL, 0, &origin, NULL, files);
    else
        search_usual(0, NULL, &origin, NULL, files);
}
