// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: the node's user database, trusted; files of an image, hostile:
// they are copied, never parsed.

#include "stepd/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/limits.h"

// The buffer that NSS fills: a group can have thousands of members.
enum { NSS_BUFFER = 4 * 1024 * 1024 };

// What stands between the ':' of these files.
static const char *field(const char *s, const char *otherwise)
{
    return s && *s && !strpbrk(s, ":\n") ? s : otherwise;
}

static void add_group(FILE *out, gid_t gid, const char *user, char *buf)
{
    struct group gr, *found = NULL;
    char number[32];

    snprintf(number, sizeof(number), "group%u", gid);
    if (getgrgid_r(gid, &gr, buf, NSS_BUFFER, &found) != 0)
        found = NULL;
    fprintf(out, "%s:x:%u:%s\n", field(found ? gr.gr_name : NULL, number),
            gid, user);
}

int identity_lookup(const struct step *step, struct identity *out,
                    struct berth_err *err)
{
    struct passwd pw, *found = NULL;
    char number[32], *group = NULL, *passwd = NULL, *home = NULL;
    size_t size;
    char *buf = malloc(NSS_BUFFER), *user = NULL;

    snprintf(number, sizeof(number), "user%u", step->uid);
    if (buf && getpwuid_r(step->uid, &pw, buf, NSS_BUFFER, &found) != 0)
        found = NULL;
    home = strdup(field(found ? pw.pw_dir : NULL, "/"));
    user = strdup(field(found ? pw.pw_name : NULL, number));
    // The image need not have the user's shell; every image that has a
    // shell has this one.
    if (home && user &&
        asprintf(&passwd, "%s:x:%u:%u::%s:/bin/sh\n", user, step->uid,
                 step->gid, home) < 0)
        passwd = NULL;
    FILE *f = open_memstream(&group, &size);
    if (f && buf && user) {
        add_group(f, step->gid, "", buf);
        for (size_t i = 0; i < step->ngids; i++)
            if (step->gids[i] != step->gid)
                add_group(f, step->gids[i], user, buf);
    }
    if (f && fclose(f) != 0) {
        free(group);
        group = NULL;
    }
    free(user);
    free(buf);
    *out = (struct identity){home, passwd, group};
    if (!home || !passwd || !group) {
        identity_clear(out);
        return err_set(err, BERTH_ENOMEM, "memory is out");
    }
    return 0;
}

void identity_clear(struct identity *identity)
{
    free(identity->home);
    free(identity->passwd);
    free(identity->group);
    *identity = (struct identity){0};
}

static int write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0)
            return -1;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

// Appends the image's file PATH, as it is below TREE, to FD. An image may
// have none; one that is too large, or no file, is left out.
static int append_file(int tree, const char *path, int fd)
{
    struct open_how how = {
        .flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
        .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
    };
    struct stat st;
    char buf[4096];
    ssize_t n;

    int from = (int)syscall(SYS_openat2, tree, path, &how, sizeof(how));
    if (from < 0)
        return 0;
    if (fstat(from, &st) < 0 || !S_ISREG(st.st_mode) ||
        st.st_size > BERTH_PASSWD_MAX)
        return 0;
    off_t left = st.st_size;
    while (left > 0 && (n = read(from, buf, sizeof(buf))) > 0) {
        if (write_all(fd, buf, (size_t)n) < 0)
            return -1;
        left -= n;
    }
    return 0;
}

// The child. Nothing of libc that could load or look up anything is called
// from here on: "/" is the image's.
static _Noreturn void append_in(int ns, int passwd, int group)
{
    if (setns(ns, CLONE_NEWNS) < 0)
        _exit(1);
    int tree = (int)syscall(SYS_open_tree, AT_FDCWD, "/",
                            OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (tree < 0 || append_file(tree, "etc/passwd", passwd) < 0 ||
        append_file(tree, "etc/group", group) < 0)
        _exit(1);
    _exit(0);
}

int identity_write(const struct identity *identity, pid_t pid, int dir,
                   struct berth_err *err)
{
    int flags = O_WRONLY | O_NOFOLLOW | O_CLOEXEC, status = -1, rc = -1;
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)pid);
    int ns = open(path, O_RDONLY | O_CLOEXEC);
    int passwd = openat(dir, "passwd", flags);
    int group = openat(dir, "group", flags);
    if (ns < 0 || passwd < 0 || group < 0 ||
        write_all(passwd, identity->passwd, strlen(identity->passwd)) < 0 ||
        write_all(group, identity->group, strlen(identity->group)) < 0) {
        err_set(err, BERTH_ESYS, "writing passwd and group: %m");
        goto out;
    }
    pid_t child = fork();
    if (child == 0)
        append_in(ns, passwd, group);
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
        err_set(err, BERTH_ESYS,
                "the image's passwd and group can not be read");
        goto out;
    }
    rc = 0;
out:
    if (ns >= 0)
        close(ns);
    if (passwd >= 0)
        close(passwd);
    if (group >= 0)
        close(group);
    return rc;
}
