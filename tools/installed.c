// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: Slurm's configuration, which is the administrator's, and what answers
// at the engine's socket.

#include "tools/installed.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "logic/err.h"

#define PLUGIN "spank_berth.so"

// The engine's answer is waited for so many seconds.
enum { PING_SECONDS = 5 };

// The text of PATH, a new string, or NULL.
static char *read_text(const char *path)
{
    size_t len;
    char *bytes = plugstack_read(path, &len);
    char *text = bytes ? strndup(bytes, len) : NULL;

    free(bytes);
    return text;
}

// --- the plugin --------------------------------------------------------------

// What is wrong with LINE of a plugstack.conf, which looks as if it were to
// load the plugin and does not. NULL: it looks like nothing of the kind.
static const char *near_miss(const char *line)
{
    static const char *const words[] = {"required", "optional", "include"};
    const char *first = line + strspn(line, " \t");
    size_t len = strcspn(first, " \t");
    bool known = false;

    if (*first == '#')
        return strstr(first, PLUGIN) &&
                       (strstr(first, "required") || strstr(first, "optional"))
                   ? "is a comment"
                   : NULL;
    if (!strcasestr(first, "bert"))
        return NULL;
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        known = known ||
                (strlen(words[i]) == len && !strncmp(first, words[i], len));
    if (!known)
        return "does not start with \"required\", and Slurm ignores it";
    return *first != 'i' ? "loads another file than " PLUGIN : NULL;
}

// Adds to HINT the first line of FILE that looks as if it were the plugin's.
static bool find_near_miss(const char *file, char *hint, size_t size)
{
    int number = 0;
    char *text = read_text(file), *rest = text, *line;
    const char *what = NULL;

    while (!what && (line = strsep(&rest, "\n"))) {
        number++;
        what = near_miss(line);
    }
    if (what)
        snprintf(hint, size, " (%s line %d %s)", file, number, what);
    free(text);
    return what != NULL;
}

static int check_plugin(const struct plugstack_origin *origin,
                        const char *slurm, struct installed *out)
{
    const struct strv *files = &out->files;
    char hint[4096 + 128] = "";

    if (origin->file[0])
        return strv_addf(&out->notes, "%s line %d loads " PLUGIN, origin->file,
                         origin->line);
    if (files->n == 0)
        return strv_addf(&out->problems,
                         "no slurm.conf is here whose plugstack.conf can be "
                         "read: set SLURM_CONF, or name it by --plugstack");
    for (size_t i = slurm ? 1 : 0; i < files->n; i++)
        if (find_near_miss(files->v[i], hint, sizeof(hint)))
            break;
    return strv_addf(&out->problems,
                     "no line of %s loads " PLUGIN "%s, so that all steps run "
                     "on the host: write \"required " PLUGIN "\" there, as "
                     "berth(8) says",
                     files->n > 1 ? "the files below" : files->v[0], hint);
}

// --- the policy's file -------------------------------------------------------

// A berth.conf beside Slurm's configuration is meant to be read.
static int check_conf(const char *conf, const char *slurm,
                      struct installed *out)
{
    const char *slash = slurm ? strrchr(slurm, '/') : NULL;
    char beside[4096];
    struct stat a, b;

    if (access(conf, F_OK) == 0)
        return strv_add(&out->files, conf);
    if (strv_addf(&out->notes, "%s is not there", conf) < 0)
        return -1;
    if (!slash)
        return 0;
    snprintf(beside, sizeof(beside), "%.*s/berth.conf", (int)(slash - slurm),
             slurm);
    if (stat(beside, &a) < 0 ||
        (stat(conf, &b) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev))
        return 0;
    return strv_addf(&out->problems,
                     "%s is not read, but %s, which is not there: move it, or "
                     "name it by conf= behind the plugin",
                     beside, conf);
}

// --- the engine --------------------------------------------------------------

// Asks what listens at PATH whether it is there. 0; or -1 with errno set, 0 if
// it answers with something else than HTTP.
static int ping(const char *path)
{
    static const char ask[] = "GET /_ping HTTP/1.0\r\nHost: engine\r\n\r\n";
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    struct timeval limit = {.tv_sec = PING_SECONDS};
    char answer[sizeof("HTTP/1.") - 1];
    int rc = -1;

    errno = ENAMETOOLONG;
    if (strlen(path) >= sizeof(to.sun_path))
        return -1;
    strcpy(to.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 &&
        send(fd, ask, sizeof(ask) - 1, MSG_NOSIGNAL) ==
            (ssize_t)sizeof(ask) - 1) {
        ssize_t n = recv(fd, answer, sizeof(answer), MSG_WAITALL);
        rc = n == sizeof(answer) && !memcmp(answer, "HTTP/1.", sizeof(answer))
                 ? 0
                 : -1;
        errno = n < 0 ? errno : 0;
    }
    int saved = errno;
    close(fd);
    errno = saved;
    return rc;
}

int installed_engine(const char *path, struct installed *out)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return errno == EACCES
                   ? strv_addf(&out->notes,
                               "%s was not looked at: that takes "
                               "root",
                               path)
                   : strv_addf(&out->problems,
                               "the engine's socket %s: %s: start the engine, "
                               "or name another by engine= behind the plugin",
                               path, strerror(errno));
    bool open = st.st_uid != 0 || (st.st_mode & S_IWOTH) ||
                (st.st_gid != 0 && (st.st_mode & S_IWGRP));
    if (open && strv_addf(&out->problems,
                          "the engine's socket %s is not root's alone (user "
                          "%u, group %u, mode %o), and who can write to it is "
                          "root on this node: make it root:root and 0600",
                          path, st.st_uid, st.st_gid, st.st_mode & 07777) < 0)
        return -1;
    if (ping(path) == 0)
        return strv_addf(&out->notes, "the engine at %s answers", path);
    if (errno == EACCES && geteuid() != 0)
        return strv_addf(&out->notes,
                         "the engine at %s was not asked: that takes root",
                         path);
    return strv_addf(&out->problems,
                     "the engine at %s does not answer%s%s: "
                     "start it",
                     path, errno ? ": " : " as one does",
                     errno ? strerror(errno) : "");
}

// --- whom the policy names ---------------------------------------------------

// Says whether a PartitionName of the slurm.conf TEXT is NAME, or may be: what
// that includes is not read.
static bool has_partition(const char *text, const char *name)
{
    static const char key[] = "PartitionName";
    size_t len = strlen(name);

    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += strspn(line, "\n \t");
        if (!strncasecmp(line, "include", strlen("include")))
            return true;
        if (strncasecmp(line, key, sizeof(key) - 1) != 0)
            continue;
        const char *at = line + sizeof(key) - 1;
        at += strspn(at, " \t");
        if (*at != '=')
            continue;
        at += 1 + strspn(at + 1, " \t\"");
        if (!strncmp(at, name, len) && strchr(" \t\r\n\"#", at[len]))
            return true;
    }
    return false;
}

static bool is_number(const char *text)
{
    return *text && text[strspn(text, "0123456789")] == 0;
}

static int check_names(const struct policy *policy, const char *slurm,
                       struct installed *out)
{
    static const char *const kinds[] = {"user", "group", "partition"};
    char *text = slurm ? read_text(slurm) : NULL;
    const char *name;
    int rc = 0;

    for (size_t kind = 0; kind < 3; kind++)
        for (size_t i = 0;
             rc == 0 && (name = policy_section(policy, kinds[kind], i)); i++) {
            bool known = kind == 0   ? is_number(name) || getpwnam(name)
                         : kind == 1 ? is_number(name) || getgrnam(name)
                                     : !text || has_partition(text, name);
            if (!known)
                rc = strv_addf(&out->problems,
                               "there is a section for the %s %s, and no such "
                               "%s on this %s: correct or remove it",
                               kinds[kind], name, kinds[kind],
                               kind == 2 ? "cluster" : "host");
        }
    free(text);
    return rc;
}

int installed_look(const char *plugstack, const struct plugstack_origin *origin,
                   const char *conf, const struct policy *policy,
                   struct installed *out)
{
    *out = (struct installed){0};
    plugstack_files(plugstack, &out->files);
    const char *slurm = plugstack || out->files.n == 0 ? NULL : out->files.v[0];
    if (check_plugin(origin, slurm, out) < 0 ||
        (policy && (check_names(policy, slurm, out) < 0 ||
                    installed_engine(policy_engine(policy), out) < 0)))
        return -1;
    return check_conf(conf, slurm, out);
}

void installed_clear(struct installed *installed)
{
    strv_clear(&installed->files);
    strv_clear(&installed->problems);
    strv_clear(&installed->notes);
}
