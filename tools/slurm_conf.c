// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: files of the administrator's, as src/common/parse_config.c of Slurm
// reads them: "KEY=VALUE" once or several times on a line, '#' to its end is
// a comment, a backslash there joins it to the next. What is not the plain
// case of that is an error here, and nothing is changed.

#include "tools/slurm_conf.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "logic/limits.h"
#include "node/plugstack_find.h"

#define MADE "# berth-setup made this file\n"
#define ADDED "# berth-setup added the next line"
#define INSTEAD "# berth-setup put the next line in the place of: "

static int no_memory(struct berth_err *err)
{
    return err_set(err, BERTH_ENOMEM, "memory is out");
}

// --- files -------------------------------------------------------------------

// PATH without symbolic links, also where the last part does not exist.
static int resolve(const char *path, char out[4096], struct berth_err *err)
{
    const char *slash = strrchr(path, '/');
    char dir[4096], *real = realpath(path, NULL);

    if (real) {
        int n = snprintf(out, 4096, "%s", real);
        free(real);
        return n < 4096 ? 0 : err_set(err, BERTH_EINVAL, "%s: too long", path);
    }
    if (errno == ENOENT && slash &&
        snprintf(dir, sizeof(dir), "%.*s/", (int)(slash - path), path) <
            (int)sizeof(dir) &&
        (real = realpath(dir, NULL))) {
        int n = snprintf(out, 4096, "%s%s", real, slash);
        free(real);
        return n < 4096 ? 0 : err_set(err, BERTH_EINVAL, "%s: too long", path);
    }
    return err_set(err, BERTH_ESYS, "%s: %m", path);
}

static int read_file(struct conf_file *file, struct berth_err *err)
{
    size_t len = 0;

    file->exists = stat(file->path, &file->stat) == 0;
    if (!file->exists) {
        file->text = strdup("");
        return file->text ? 0 : no_memory(err);
    }
    char *bytes = plugstack_read(file->path, &len);
    if (!bytes)
        return err_set(err, BERTH_ESYS, "%s: %m", file->path);
    file->text = strndup(bytes, len);
    free(bytes);
    if (!file->text)
        return no_memory(err);
    if (!S_ISREG(file->stat.st_mode) || len > BERTH_CONF_MAX ||
        strlen(file->text) != len)
        return err_set(err, BERTH_EINVAL,
                       "%s is no text file of a megabyte at most", file->path);
    return 0;
}

struct conf_file *conf_open(struct conf_files *files, const char *path,
                            struct berth_err *err)
{
    struct conf_file *file = calloc(1, sizeof(*file));

    if (!file) {
        no_memory(err);
        return NULL;
    }
    snprintf(file->name, sizeof(file->name), "%s", path);
    if (resolve(path, file->path, err) < 0)
        goto fail;
    for (size_t i = 0; i < files->n; i++)
        if (!strcmp(files->v[i]->path, file->path)) {
            free(file);
            return files->v[i];
        }
    if (files->n == CONF_FILES) {
        err_set(err, BERTH_EINVAL, "these are more than %d files", CONF_FILES);
        goto fail;
    }
    if (read_file(file, err) < 0)
        goto fail;
    files->v[files->n++] = file;
    return file;
fail:
    free(file->text);
    free(file);
    return NULL;
}

void conf_clear(struct conf_files *files)
{
    for (size_t i = 0; i < files->n; i++) {
        free(files->v[i]->text);
        free(files->v[i]);
    }
    files->n = 0;
}

// --- lines -------------------------------------------------------------------

static char *line_end(char *line)
{
    return line + strcspn(line, "\n");
}

// The start of the line with this number.
static char *line_start(const struct conf_file *file, int number)
{
    char *line = file->text;

    for (; number > 1; number--)
        line = line_end(line) + 1;
    return line;
}

// Copies what counts of LINE, up to a comment. Returns whether the next line
// belongs to it.
static bool copy_line(const char *line, char *out, size_t size)
{
    size_t n = 0, len = strcspn(line, "\n"), slashes = 0;

    while (n < len && !(line[n] == '#' && slashes % 2 == 0)) {
        slashes = line[n] == '\\' ? slashes + 1 : 0;
        n++;
    }
    snprintf(out, size, "%.*s", (int)n, line);
    return n == len && slashes % 2 == 1;
}

// Where TEXT sets KEY, at a word's start: its '=', or NULL.
static const char *find_key(const char *text, const char *key)
{
    size_t len = strlen(key);

    for (const char *at = text; (at = strcasestr(at, key)); at++) {
        const char *after = at + len + strspn(at + len, " \t");
        if ((at == text || strchr(" \t\"", at[-1])) && *after == '=')
            return after;
    }
    return NULL;
}

// Reads the one "KEY=VALUE" that TEXT consists of. False: it is not.
static bool read_pair(const char *text, const char *key, const char *equals,
                      char value[4096])
{
    size_t len = strlen(key);
    const char *from = equals + 1 + strspn(equals + 1, " \t");
    const char *ends = *from == '"' ? "\"" : " \t\r";

    text += strspn(text, " \t");
    if (strncasecmp(text, key, len) != 0 || strchr(text, '=') != equals)
        return false;
    from += *ends == '"';
    size_t n = strcspn(from, ends);
    const char *rest = from + n + (*ends == '"' && from[n] == '"');
    snprintf(value, 4096, "%.*s", (int)n, from);
    return n > 0 && n < 4096 && rest[strspn(rest, " \t\r")] == 0;
}

// Finds the first line that sets KEY behind the line AFTER. 1; 0 if there is
// none; or -1 with ERR set.
static int find_in_file(struct conf_file *file, const char *key, int after,
                        struct conf_line *out, struct berth_err *err)
{
    char text[BERTH_OPTION_MAX];
    bool joined = false;
    int number = 1;

    for (char *line = file->text; *line; number++) {
        bool was_joined = joined;
        joined = copy_line(line, text, sizeof(text));
        const char *equals = number > after ? find_key(text, key) : NULL;
        if (equals) {
            if (joined || was_joined ||
                !read_pair(text, key, equals, out->value))
                return err_set(err, BERTH_EINVAL,
                               "%s line %d says more than %s=VALUE: write that "
                               "on a line of its own",
                               file->path, number, key);
            out->file = file;
            out->number = number;
            return 1;
        }
        line = line_end(line);
        line += *line == '\n';
    }
    return 0;
}

int conf_next(struct conf_files *files, const char *key, struct conf_line *line,
              struct berth_err *err)
{
    int after = line->number, rc = 0;
    size_t i = 0;

    while (line->file && files->v[i] != line->file)
        i++;
    for (; rc == 0 && i < files->n; i++, after = 0)
        rc = find_in_file(files->v[i], key, after, line, err);
    return rc;
}

int conf_find(struct conf_files *files, const char *key, struct conf_line *out,
              struct berth_err *err)
{
    struct conf_line line = {0};
    int rc;

    *out = line;
    while ((rc = conf_next(files, key, &line, err)) > 0)
        *out = line;
    return rc;
}

// --- hooks -------------------------------------------------------------------

// Says whether the script at PATH names the program.
static bool names(const char *path, const char *program)
{
    size_t len;
    char *text = plugstack_read(path, &len);
    bool found = text && len > 2 && text[0] == '#' && text[1] == '!' &&
                 memmem(text, len, program, strlen(program));

    free(text);
    return found;
}

bool conf_calls(const char *value, const char *program)
{
    char *real = realpath(program, NULL);
    bool found = strcmp(value, program) == 0;
    glob_t g;

    if (glob(value, 0, NULL, &g) == 0) {
        for (size_t i = 0; i < g.gl_pathc; i++) {
            char *path = realpath(g.gl_pathv[i], NULL);
            found = found || (path && real && !strcmp(path, real)) ||
                    names(g.gl_pathv[i], strrchr(program, '/') + 1);
            free(path);
        }
        globfree(&g);
    }
    free(real);
    return found;
}

int conf_find_hook(struct conf_files *files, const char *key,
                   const char *program, bool takes_lines, struct conf_line *out,
                   struct berth_err *err)
{
    struct conf_line line = {0};
    bool called = false;
    int rc = 0;

    *out = line;
    while (!called && (rc = conf_next(files, key, &line, err)) > 0) {
        *out = line;
        called = takes_lines && conf_calls(line.value, program);
    }
    if (rc < 0)
        return -1;
    return called || (out->number && conf_calls(out->value, program));
}

// --- what slurm.conf includes ------------------------------------------------

// Opens what the line includes, beside the first of FILES.
static int open_include(struct conf_files *files, const struct conf_file *by,
                        int number, const char *name, struct berth_err *err)
{
    const char *top = files->v[0]->name;
    char path[4096 * 2];

    if (*name == '/')
        snprintf(path, sizeof(path), "%s", name);
    else
        snprintf(path, sizeof(path), "%.*s/%s", (int)(strrchr(top, '/') - top),
                 top, name);
    struct conf_file *file = conf_open(files, path, err);
    if (file && !file->exists) {
        errno = ENOENT;
        err_set(err, BERTH_ENOTFOUND, "%s: %m", path);
        file = NULL;
    }
    return file ? 0
                : err_prefix(err, "%s line %d includes what cannot be read",
                             by->path, number);
}

static int open_includes(struct conf_files *files, const struct conf_file *by,
                         struct berth_err *err)
{
    static const char key[] = "include";
    char text[BERTH_OPTION_MAX];
    int number = 1;

    for (char *line = by->text; *line; number++) {
        copy_line(line, text, sizeof(text));
        char *word = text + strspn(text, " \t");
        char *name = word + sizeof(key) - 1;
        if (!strncasecmp(word, key, sizeof(key) - 1) && isblank(*name)) {
            name += strspn(name, " \t");
            name[strcspn(name, " \t\r")] = 0;
            if (open_include(files, by, number, name, err) < 0)
                return -1;
        }
        line = line_end(line);
        line += *line == '\n';
    }
    return 0;
}

int conf_open_slurm(struct conf_files *files, const char *path,
                    struct berth_err *err)
{
    if (!conf_open(files, path, err))
        return -1;
    // It grows meanwhile; each file is there once, so it ends.
    for (size_t i = 0; i < files->n; i++)
        if (open_includes(files, files->v[i], err) < 0)
            return -1;
    return 0;
}

// --- changes -----------------------------------------------------------------

static int set_text(struct conf_file *file, char *text)
{
    if (!text)
        return -1;
    free(file->text);
    file->text = text;
    file->changed = true;
    return 0;
}

int conf_add(struct conf_file *file, const char *line)
{
    size_t len = strlen(file->text);
    bool joined = len > 0 && file->text[len - 1] != '\n';
    char *text;

    if (asprintf(&text, "%s%s%s" ADDED "\n%s\n",
                 file->exists || file->changed ? "" : MADE, file->text,
                 joined ? "\n" : "", line) < 0)
        text = NULL;
    return set_text(file, text);
}

int conf_replace(struct conf_file *file, int number, const char *line)
{
    char *old = line_start(file, number), *end = line_end(old), *text;

    if (asprintf(&text, "%.*s" INSTEAD "%.*s\n%s%s", (int)(old - file->text),
                 file->text, (int)(end - old), old, line, end) < 0)
        text = NULL;
    return set_text(file, text);
}

// The first mark in TEXT, at the start of a line. *OLD is what stands behind
// it, or NULL.
static char *find_mark(char *text, char **old)
{
    for (char *line = text; *line;) {
        *old = NULL;
        if (!strncmp(line, INSTEAD, sizeof(INSTEAD) - 1))
            *old = line + sizeof(INSTEAD) - 1;
        if (*old || !strncmp(line, ADDED "\n", sizeof(ADDED)))
            return line;
        line = line_end(line);
        line += *line == '\n';
    }
    return NULL;
}

int conf_undo(struct conf_file *file, conf_known *known, char line[4096],
              struct berth_err *err)
{
    char *old, *mark = find_mark(file->text, &old), was[4096] = "", *text;

    if (!mark)
        return 0;
    char *next = line_end(mark);
    next += *next == '\n';
    char *end = line_end(next);
    snprintf(line, 4096, "%.*s", (int)(end - next), next);
    if (old)
        snprintf(was, sizeof(was), "%.*s", (int)strcspn(old, "\n"), old);
    if (!known(line, old ? was : NULL)) {
        int number = 2 + file->taken;
        for (const char *at = file->text; at < mark; at++)
            number += *at == '\n';
        return err_set(
            err, BERTH_EINVAL,
            "%s line %d is not what berth-setup wrote there, \"%s\": "
            "take it back by hand, and the comment before it",
            file->path, number, line);
    }
    // Of a line that is added, the newline goes with it.
    end += !old && *end == '\n';
    if (asprintf(&text, "%.*s%s%s", (int)(mark - file->text), file->text, was,
                 end) < 0)
        text = NULL;
    file->taken += old ? 1 : 2;
    file->made = text && !strcmp(text, MADE);
    return set_text(file, text) < 0 ? no_memory(err) : 1;
}

// --- writing -----------------------------------------------------------------

static int write_all(int fd, const char *text)
{
    size_t left = strlen(text);

    while (left > 0) {
        ssize_t n = write(fd, text, left);
        if (n < 0 && errno != EINTR)
            return -1;
        if (n > 0) {
            text += n;
            left -= (size_t)n;
        }
    }
    return 0;
}

int conf_write(const struct conf_file *file, struct berth_err *err)
{
    char path[4096 + 16];

    if (!file->changed)
        return 0;
    if (file->made)
        return unlink(file->path) == 0
                   ? 0
                   : err_set(err, BERTH_ESYS, "%s cannot be removed: %m",
                             file->path);
    snprintf(path, sizeof(path), "%s.XXXXXX", file->path);
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        return err_set(err, BERTH_ESYS, "%s cannot be written: %m", path);
    if ((file->exists &&
         fchown(fd, file->stat.st_uid, file->stat.st_gid) < 0) ||
        fchmod(fd, file->exists ? file->stat.st_mode & 07777 : 0644) < 0 ||
        write_all(fd, file->text) < 0 || fsync(fd) < 0 ||
        rename(path, file->path) < 0) {
        err_set(err, BERTH_ESYS, "%s cannot be written: %m", file->path);
        unlink(path);
        close(fd);
        return -1;
    }
    close(fd);
    return 0;
}
