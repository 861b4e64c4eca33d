// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The user's text is hostile: it is only split and normalised here, and what
// is not plain is refused.

#include "logic/mount_syntax.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "logic/decision.h"
#include "logic/glob.h"
#include "logic/limits.h"
#include "logic/path.h"
#include "logic/utf8.h"
#include "logic/variables.h"

#define HOW "write SRC[:DST][:ro|rw]"

static int no_memory(struct berth_err *err)
{
    return err_set(err, BERTH_ENOMEM, "memory is out");
}

// --- places ------------------------------------------------------------------

bool mount_target_ok(const char *target)
{
    static const char *const never[] = {"/proc", "/sys", "/dev", "/run/berth"};

    if (!path_is_normal(target) || !target[1] ||
        strlen(target) >= BERTH_PATH_MAX || !path_is_text(target))
        return false;
    for (size_t i = 0; i < sizeof(never) / sizeof(*never); i++)
        if (path_is_within(target, never[i]))
            return false;
    return true;
}

static bool is_opened(const struct rule_list *targets, const char *target)
{
    for (size_t i = 0; targets && i < targets->n; i++)
        if (mount_source_matches(targets->v[i]->text, target))
            return true;
    return false;
}

bool mount_target_is_berths(const char *target)
{
    static const char *const own[] = {"/run", "/var", "/var/spool",
                                      "/etc/passwd", "/etc/group"};

    for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
        if (!strcmp(target, own[i]))
            return true;
    return false;
}

bool mount_target_is_free(const struct rule_list *targets, const char *target)
{
    static const char *const taken[] = {"/bin",    "/boot",  "/etc",
                                        "/lib",    "/lib32", "/lib64",
                                        "/libx32", "/sbin",  "/usr"};

    for (size_t i = 0; i < sizeof(taken) / sizeof(*taken); i++)
        if (path_is_within(target, taken[i]) &&
            (!strcmp(target, taken[i]) || !is_opened(targets, target)))
            return false;
    return !mount_target_is_berths(target) && mount_target_ok(target);
}

bool mount_target_is_in_shm(const char *target)
{
    static const char shm[] = "/dev/shm/";
    const char *name = target + sizeof(shm) - 1;

    return !strncmp(target, shm, sizeof(shm) - 1) && !strchr(name, '/') &&
           path_is_normal(target) && name[0] &&
           strlen(target) < BERTH_PATH_MAX && path_is_text(target);
}

bool mount_source_matches(const char *pattern, const char *path)
{
    size_t n = strlen(pattern), len = strlen(path);
    char below[BERTH_PATH_MAX + 2];

    if (len >= BERTH_PATH_MAX)
        return false;
    if (glob_match(pattern, path, "/"))
        return true;
    // "/a/**" matches "/a" as it does "/a/b".
    if (n < 3 || strcmp(pattern + n - 3, "/**") != 0)
        return false;
    snprintf(below, sizeof(below), "%s/-", len > 1 ? path : "");
    return glob_match(pattern, below, "/");
}

// --- what users write --------------------------------------------------------

static void clear(struct mount *mount)
{
    free(mount->source);
    free(mount->target);
    *mount = (struct mount){0};
}

void mounts_clear(struct mounts *mounts)
{
    int saved = errno;

    for (size_t i = 0; i < mounts->n; i++)
        clear(&mounts->v[i]);
    for (size_t i = 0; i < mounts->ndeclined; i++)
        free(mounts->declined[i]);
    free(mounts->declined);
    free(mounts->v);
    *mounts = (struct mounts){0};
    errno = saved;
}

// The parts of TEXT, which is cut at its colons.
struct parts {
    char *source;
    char *target; // or NULL
    enum mount_flag flag;
    bool recursive;
};

// Says whether a flag that other tools know asks for what is so anyway.
static bool is_idle(const char *flag)
{
    static const char *const idle[] = {"",        "nosuid",   "nodev", "bind",
                                       "private", "rprivate", NULL};

    for (size_t i = 0; idle[i]; i++)
        if (!strcmp(flag, idle[i]))
            return true;
    return !strncmp(flag, "x-create=", 9);
}

static bool is_recursive(const char *flag)
{
    return !strcmp(flag, "recursive") || !strcmp(flag, "rbind");
}

// Reads TEXT, flags with a '+' between two, which it cuts.
static int parse_flags(char *text, struct parts *out, struct berth_err *err)
{
    char *rest = text, *flag;

    while ((flag = strsep(&rest, "+"))) {
        enum mount_flag one = !strcmp(flag, "ro")   ? MOUNT_RO
                              : !strcmp(flag, "rw") ? MOUNT_RW
                                                    : MOUNT_UNSAID;
        out->recursive |= is_recursive(flag);
        if (one == MOUNT_UNSAID && !is_idle(flag) && !is_recursive(flag))
            return err_set(err, BERTH_EINVAL,
                           "\"%s\" is no flag that berth knows: write ro or "
                           "rw",
                           flag);
        if (one != MOUNT_UNSAID && out->flag != MOUNT_UNSAID &&
            one != out->flag)
            return err_set(err, BERTH_EINVAL,
                           "ro and rw exclude each other: write one of them");
        out->flag = one != MOUNT_UNSAID ? one : out->flag;
    }
    return 0;
}

// Says whether TEXT, which has no slash, starts with a flag.
static bool are_flags(const char *text)
{
    char first[16];

    snprintf(first, sizeof(first), "%.*s", (int)strcspn(text, "+"), text);
    return !strcmp(first, "ro") || !strcmp(first, "rw") ||
           is_recursive(first) || (*first && is_idle(first));
}

// A target has a slash, so that no flag can be taken for one.
static int cut(char *text, struct parts *out, struct berth_err *err)
{
    char *flag = NULL;

    *out = (struct parts){.source = text};
    out->target = strchr(text, ':');
    if (out->target) {
        *out->target++ = 0;
        flag = strchr(out->target, ':');
    }
    if (flag) {
        *flag++ = 0;
    } else if (out->target && are_flags(out->target)) {
        flag = out->target;
        out->target = NULL;
    }
    if (flag && strchr(flag, ':'))
        return err_set(err, BERTH_EINVAL,
                       "it has more than two ':', and a "
                       "path with one cannot be written: " HOW);
    if (!*out->source || (out->target && !*out->target))
        return err_set(err, BERTH_EINVAL, "a path in it is empty: " HOW);
    return flag ? parse_flags(flag, out, err) : 0;
}

// What a shell would have made of a path, nobody does here. A directory of
// such a name can be written with "./".
static int check_expanded(const char *path, struct berth_err *err)
{
    if (*path == '~')
        return err_set(err, BERTH_EINVAL,
                       "~ is not expanded here: write the path, or $HOME where "
                       "a shell reads it");
    if (*path == '$')
        return err_set(err, BERTH_EINVAL,
                       "variables are not expanded here, nor in #SBATCH lines: "
                       "write the path, or \".\" for the working directory");
    return 0;
}

static int parse_users(char *text, const char *cwd, struct mount *out,
                       struct berth_err *err)
{
    struct parts parts;

    if (cut(text, &parts, err) < 0 || check_expanded(parts.source, err) < 0 ||
        (parts.target && check_expanded(parts.target, err) < 0))
        return -1;
    if (parts.target && *parts.target != '/')
        return err_set(err, BERTH_EINVAL,
                       "the place in the container, "
                       "\"%s\", is not absolute: " HOW,
                       parts.target);
    bool tmpfs = !strcmp(parts.source, "tmpfs");
    if (tmpfs && (!parts.target || parts.flag == MOUNT_RO))
        return err_set(err, BERTH_EINVAL,
                       "a tmpfs is written tmpfs:DST, and "
                       "a directory of that name "
                       "./tmpfs:DST");
    if (!tmpfs && !(out->source = path_normalise(cwd, parts.source, true, err)))
        return -1;
    out->target = parts.target ? path_normalise("", parts.target, false, err)
                               : strdup(out->source);
    out->flag = parts.flag;
    if (out->target)
        return 0;
    if (!parts.target)
        no_memory(err);
    clear(out);
    return -1;
}

static int decline(const char *target, struct mounts *out,
                   struct berth_err *err)
{
    if (*target != '/')
        return err_set(err, BERTH_EINVAL,
                       "what is declined is written umount:DST, and DST is "
                       "absolute");
    char *path = path_normalise("", target, false, err);
    if (!path)
        return -1;
    out->declined[out->ndeclined++] = path;
    return 0;
}

// ENTRY is cut.
static int parse_entry(char *entry, const char *cwd, struct mounts *out,
                       struct berth_err *err)
{
    char shown[ERR_QUOTE_MAX];

    if (!*entry)
        return err_set(err, BERTH_EINVAL,
                       "--container-mounts has an empty mount: " HOW
                       ", with a comma between two");
    if (!strcmp(entry, "none")) {
        out->none = true;
        return 0;
    }
    if (out->n + out->ndeclined == BERTH_MOUNTS_MAX)
        return err_set(err, BERTH_EINVAL,
                       "--container-mounts has more than %d mounts: leave some "
                       "out",
                       BERTH_MOUNTS_MAX);
    err_quote(entry, shown, sizeof(shown));
    bool declines = !strncmp(entry, "umount:", 7);
    int rc = declines ? decline(entry + 7, out, err)
                      : parse_users(entry, cwd, &out->v[out->n], err);
    if (rc < 0)
        return err_prefix(err, "--container-mounts=%s", shown);
    out->n += !declines;
    return 0;
}

int mounts_parse(const char *text, const char *cwd, struct mounts *out,
                 struct berth_err *err)
{
    char *copy = strdup(text), *rest = copy, *entry;
    int rc = 0;

    *out = (struct mounts){0};
    out->v = calloc(BERTH_MOUNTS_MAX, sizeof(*out->v));
    out->declined = calloc(BERTH_MOUNTS_MAX, sizeof(*out->declined));
    if (!copy || !out->v || !out->declined)
        rc = no_memory(err);
    while (rc == 0 && (entry = strsep(&rest, ",")))
        rc = parse_entry(entry, cwd, out, err);
    if (rc < 0)
        mounts_clear(out);
    free(copy);
    return rc;
}

// --- what the administrator writes -------------------------------------------

// A path may start with a home, and have it nowhere else.
static int check_path(const char *path, bool globs, struct berth_err *err)
{
    const char *p = !strncmp(path, "%h", 2) ? path + 2 : path;

    if (strlen(path) >= GLOB_MAX)
        return err_set(err, BERTH_EINVAL,
                       "a path in it has more than %d "
                       "bytes",
                       GLOB_MAX - 1);
    if (!(p != path && !*p) && (!path_is_normal(p) || !p[1]))
        return err_set(err, BERTH_EINVAL,
                       "%s is no absolute path without empty components, "
                       "\".\" and \"..\", and below /: write "
                       "SOURCE[:TARGET][:ro|rw]",
                       path);
    for (const char *sign = strchr(p, '%'); sign; sign = strchr(sign + 2, '%'))
        if (sign[1] == 'h')
            return err_set(err, BERTH_EINVAL,
                           "%%h is a whole path: write it "
                           "at the start");
    if (!globs && strchr(path, '*'))
        return err_set(err, BERTH_EINVAL,
                       "a '*' stands only in sources of "
                       "mounts_allowed: name one path");
    if (globs && strpbrk(path, "?["))
        return err_set(err, BERTH_EINVAL,
                       "patterns know * and ** only, and "
                       "neither ? nor [");
    for (const char *star = strstr(path, "**"); star;
         star = strstr(star + 2, "**"))
        if (star == path || star[-1] != '/' || (star[2] && star[2] != '/'))
            return err_set(err, BERTH_EINVAL,
                           "** stands for whole "
                           "components: write it between "
                           "slashes");
    return 0;
}

// COPY, of TEXT, is what OUT points into.
static int parse_rule(const char *text, char *copy, bool globs,
                      struct mount *out, struct berth_err *err)
{
    struct parts parts;

    if (cut(copy, &parts, err) < 0 || variables_check(text, err) < 0)
        return -1;
    bool tmpfs = !strcmp(parts.source, "tmpfs");
    if (tmpfs && globs)
        return err_set(err, BERTH_EINVAL, "a tmpfs needs no rule");
    if (tmpfs &&
        (!parts.target || parts.flag != MOUNT_UNSAID || parts.recursive))
        return err_set(err, BERTH_EINVAL, "a tmpfs is written tmpfs:TARGET");
    if ((!tmpfs && check_path(parts.source, globs, err) < 0) ||
        (parts.target && check_path(parts.target, false, err) < 0))
        return -1;
    *out = (struct mount){tmpfs ? NULL : parts.source, parts.target, parts.flag,
                          parts.recursive};
    return 0;
}

struct mount *mount_rule_parse(const char *text, bool globs,
                               struct berth_err *err)
{
    size_t size = strlen(text) + 1;
    struct mount *mount = malloc(sizeof(*mount) + size);

    if (!mount) {
        no_memory(err);
        return NULL;
    }
    if (parse_rule(text, memcpy(mount + 1, text, size), globs, mount, err) == 0)
        return mount;
    free(mount);
    return NULL;
}
