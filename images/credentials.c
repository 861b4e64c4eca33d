// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: files of the user's. The child that reads them is his by then: what it
// says is compared with what such an entry can be, and goes into a file of
// root's making, so that no word of the user's is an order to skopeo.

#include "images/credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "images/helper.h"
#include "node/trusted.h"

// What the child has found.
struct found {
    enum auth_found what;
    unsigned file; // its number
    struct auth auth;
    struct auth_helper helper;
};

enum { USER_FILES = 3 };

static void user_file(unsigned i, const char *home, uid_t uid, char *out,
                      size_t size)
{
    static const char *const in_home[] = {
        ".docker/config.json",
        NULL,
        ".config/containers/auth.json",
    };

    if (in_home[i])
        snprintf(out, size, "%s/%s", home ? home : "", in_home[i]);
    else
        snprintf(out, size, "/run/user/%u/containers/auth.json", (unsigned)uid);
}

// In the child. Returns what is in the file PATH, which may be anything.
static enum auth_found look(const char *path, const struct imgref *ref,
                            struct found *out)
{
    struct stat st;
    char *text = NULL;
    enum auth_found rc = AUTH_NONE;
    size_t used = 0;
    ssize_t n = 1;

    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return AUTH_NONE;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
        st.st_size <= AUTH_FILE_MAX)
        text = malloc(AUTH_FILE_MAX);
    while (text && n > 0 && used < AUTH_FILE_MAX) {
        n = read(fd, text + used, AUTH_FILE_MAX - used);
        used += n > 0 ? (size_t)n : 0;
    }
    if (text && n == 0)
        rc = auth_find(text, used, ref, &out->auth, &out->helper);
    free(text);
    close(fd);
    return rc;
}

static void run(const struct child_user *user, const char *home,
                const struct imgref *ref, pid_t parent, int out)
    __attribute__((noreturn));

static void run(const struct child_user *user, const char *home,
                const struct imgref *ref, pid_t parent, int out)
{
    static struct found best, one;
    int keep[] = {out};
    char path[4200];

    if (child_begin(parent, keep, 1) < 0 || child_become(parent, user) < 0)
        _exit(1);
    for (unsigned i = 0; i < USER_FILES && best.what != AUTH_FOUND; i++) {
        user_file(i, home, user->uid, path, sizeof(path));
        one.what = path[0] == '/' ? look(path, ref, &one) : AUTH_NONE;
        one.file = i;
        if (one.what == AUTH_FOUND ||
            (one.what == AUTH_HELPER && best.what == AUTH_NONE))
            best = one;
    }
    for (size_t done = 0; done < sizeof(best);) {
        ssize_t n = write(out, (const char *)&best + done, sizeof(best) - done);
        if (n <= 0)
            _exit(1);
        done += (size_t)n;
    }
    _exit(0);
}

// Has the child look. 0 and OUT; or -1: it could not.
static int ask_child(const struct child_user *user, const char *home,
                     const struct imgref *ref, unsigned seconds,
                     struct found *out)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    // So that all of it fits, and nobody has to read while it writes.
    fcntl(ends[1], F_SETPIPE_SZ, (int)sizeof(*out) + 4096);
    pid_t parent = getpid(), pid = fork();
    if (pid == 0)
        run(user, home, ref, parent, ends[1]);
    close(ends[1]);
    bool ok = pid > 0 && child_wait(pid, (int)seconds * 1000);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    ok = ok && read(ends[0], out, sizeof(*out)) == (ssize_t)sizeof(*out) &&
         out->file < USER_FILES &&
         (out->what != AUTH_FOUND || auth_is_sane(&out->auth)) &&
         memchr(out->helper.name, 0, sizeof(out->helper.name)) &&
         memchr(out->helper.server, 0, sizeof(out->helper.server));
    close(ends[0]);
    return ok ? 0 : -1;
}

// A file in memory with TEXT, which OWNER alone can read.
static int seal(const char *text, uid_t owner)
{
    size_t len = strlen(text);
    int fd = memfd_create("berth-auth", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd >= 0 && write(fd, text, len) == (ssize_t)len &&
        fchmod(fd, 0400) == 0 && fchown(fd, owner, (gid_t)-1) == 0 &&
        fcntl(fd, F_ADD_SEALS,
              F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

// What is in the site's FILE.
static int ask_site(const char *file, const struct imgref *ref,
                    struct found *out, struct berth_err *err)
{
    struct stat st;
    char *text;
    size_t len;

    if (trusted_read(file, &text, &len, err) < 0)
        return err_prefix(err, "registry_auth");
    // Whoever can read it needs no berth to have it.
    if (stat(file, &st) < 0 || (st.st_mode & 077)) {
        explicit_bzero(text, len);
        free(text);
        return err_set(err, BERTH_EINVAL,
                       "registry_auth: others than root can read %s: ask your "
                       "administrator to give it the mode 0600",
                       file);
    }
    out->what = auth_find(text, len, ref, &out->auth, &out->helper);
    explicit_bzero(text, len);
    free(text);
    return out->what != AUTH_FOUND || auth_is_sane(&out->auth)
               ? 0
               : err_set(err, BERTH_EINVAL,
                         "registry_auth: what %s has for %s are no "
                         "credentials: tell your administrator",
                         file, ref->domain);
}

// The program of the policy's that is called so, or NULL.
static const char *find_helper(const struct rules *rules, const char *name)
{
    const struct rule_list *list = &rules->credential_helpers;

    for (size_t i = 0; i < list->n; i++) {
        const char *path = list->v[i]->text;
        const char *last = strrchr(path, '/');
        if (last && !strncmp(last, "/docker-credential-", 19) &&
            strcmp(last + 19, name) == 0)
            return path;
    }
    return NULL;
}

// Asks the program that the user's file names, if the policy does as well.
static int ask_helper(const struct credentials_order *o, struct found *found,
                      struct credentials *out, struct berth_err *err)
{
    const struct helper_order helper = {
        .path = find_helper(o->rules, found->helper.name),
        .server = found->helper.server,
        .home = o->home,
        .user = o->user,
        .seconds = o->rules->probe_seconds,
        .watch = o->watch,
        .confine = o->confine,
        .arg = o->arg,
    };

    out->helper = found->helper;
    if (!helper.path)
        return 0;
    int rc = helper_ask(&helper, &found->auth, err);
    out->asked = rc == 0;
    if (rc > 0)
        found->what = AUTH_FOUND;
    return rc < 0 ? -1 : 0;
}

int credentials_find(const struct credentials_order *order,
                     struct credentials *out, struct berth_err *err)
{
    const struct credentials_order *o = order;
    const char *site = o->rules->registry_auth;
    static struct found found;
    char path[4200];
    int rc = 0;

    *out = (struct credentials)CREDENTIALS_NONE;
    found = (struct found){.what = AUTH_NONE};
    if (o->home && ask_child(o->user, o->home, o->ref, o->rules->probe_seconds,
                             &found) < 0)
        found = (struct found){.what = AUTH_NONE};
    user_file(found.file, o->home, o->user->uid, path, sizeof(path));
    snprintf(out->from, sizeof(out->from), "%.500s", path);
    if (found.what == AUTH_HELPER)
        rc = ask_helper(o, &found, out, err);
    if (rc == 0 && found.what != AUTH_FOUND && site) {
        rc = ask_site(site, o->ref, &found, err);
        if (found.what == AUTH_FOUND)
            snprintf(out->from, sizeof(out->from), "%.500s", site);
    }
    if (rc == 0 && found.what == AUTH_FOUND) {
        char *text = auth_format(&found.auth, o->ref);
        out->fd = text ? seal(text, o->owner) : -1;
        rc = out->fd >= 0
                 ? 0
                 : err_set(err, BERTH_ESYS, "handing over credentials: %m");
        if (text)
            explicit_bzero(text, strlen(text));
        free(text);
    }
    explicit_bzero(&found, sizeof(found));
    return rc;
}

void credentials_clear(struct credentials *credentials)
{
    if (credentials->fd >= 0)
        close(credentials->fd);
    credentials->fd = -1;
}
