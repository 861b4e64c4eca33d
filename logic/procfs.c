// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include "logic/procfs.h"

#include <string.h>

bool cgroup_line_parse(char *line, struct cgroup_line *out)
{
    line[strcspn(line, "\n")] = 0;
    char *controllers = strchr(line, ':');
    if (!controllers)
        return false;
    *controllers++ = 0;
    // The controllers have no ':' in them, but paths and names may.
    char *path = strstr(controllers, ":/");
    if (!path)
        return false;
    *path++ = 0;
    *out = (struct cgroup_line){controllers, path};
    return true;
}

// Where the name of the step begins in the path of TASK, or NULL.
static const char *find_step(const struct cgroup_line *task)
{
    const char *step = NULL;

    // The site chooses what is above it.
    for (const char *p = task->path; (p = strstr(p, "/step_")); p++)
        step = p;
    return step;
}

size_t cgroup_step_length(const struct cgroup_line *task)
{
    static const char user[] = "/user";
    const char *step = find_step(task);

    if (!step)
        return 0;
    const char *end = step + 1 + strcspn(step + 1, "/");
    if (!task->controllers[0]) {
        size_t n = sizeof(user) - 1;
        if (strncmp(end, user, n) != 0 || (end[n] && end[n] != '/'))
            return 0;
        end += n;
    }
    return (size_t)(end - task->path);
}

size_t cgroup_job_length(const struct cgroup_line *task)
{
    return cgroup_step_length(task) > 0 ? (size_t)(find_step(task) - task->path)
                                        : 0;
}

bool cgroup_is_of(const char *path, const char *id)
{
    static const char conmon[] = "conmon-";
    size_t n = sizeof(conmon) - 1;

    for (const char *p = path; (p = strstr(p, id)); p++)
        if ((size_t)(p - path) < n || strncmp(p - n, conmon, n) != 0)
            return true;
    return false;
}

static void unescape(char *s)
{
    char *to = s;

    while (*s) {
        if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' &&
            s[2] <= '7' && s[3] >= '0' && s[3] <= '7') {
            *to++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
            s += 4;
        } else {
            *to++ = *s++;
        }
    }
    *to = 0;
}

bool mountinfo_parse(char *line, struct mountinfo *out)
{
    char *field[32];
    int n = 0, dash = 0;

    line[strcspn(line, "\n")] = 0;
    for (char *save, *p = strtok_r(line, " ", &save); p && n < 32;
         p = strtok_r(NULL, " ", &save)) {
        if (!dash && n >= 6 && strcmp(p, "-") == 0)
            dash = n;
        field[n++] = p;
    }
    // id parent major:minor root target options [tags...] - type source opts
    if (!dash || n < dash + 4)
        return false;
    unescape(field[3]);
    unescape(field[4]);
    *out = (struct mountinfo){
        .id = field[0],
        .parent = field[1],
        .device = field[2],
        .root = field[3],
        .target = field[4],
        .flags = field[5],
        .fstype = field[dash + 1],
        .options = field[dash + 3],
    };
    return true;
}

static bool has_word(const char *list, const char *word, size_t len)
{
    while (*list) {
        size_t n = strcspn(list, ",");
        if (n == len && memcmp(list, word, n) == 0)
            return true;
        list += n;
        if (*list)
            list++;
    }
    return false;
}

bool mountinfo_has_controllers(const struct mountinfo *mount,
                               const char *controllers)
{
    while (*controllers) {
        size_t n = strcspn(controllers, ",");
        if (!has_word(mount->options, controllers, n))
            return false;
        controllers += n;
        if (*controllers)
            controllers++;
    }
    return true;
}
