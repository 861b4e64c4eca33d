// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: files of an image, hostile: they are copied, never parsed. And a
// task's descriptor 0, which may be any that its user can have.

#include "stepd/mountns.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/securebits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "logic/limits.h"
#include "logic/mount_syntax.h"
#include "stepd/idmap.h"
#include "stepd/mount_source.h"
#include "stepd/mountapi.h"
#include "stepd/own_dev.h"
#include "stepd/underlay.h"
#include "stepd/view.h"

// How long a child may take that waits for no file server of a user's.
enum { CHILD_MS = 10000 };

// What Slurm's plugins, and others, give a job of its own.
static const char *const private_dirs[MOUNTNS_DIRS] = {"/dev/shm", "/tmp",
                                                       "/var/tmp"};

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

int mountns_open(int root, const char *path, int flags)
{
    return mountapi_open(root, path, flags,
                         RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

// From within, where the root is this process's own.
static int open_inside(const char *path)
{
    return mountns_open(AT_FDCWD, path, O_PATH);
}

// Appends the image's file PATH, as it is below TREE, to FD. An image may
// have none; one that is too large, or no file, is left out.
static int append_file(int tree, const char *path, int fd)
{
    struct stat st;
    char buf[4096];
    ssize_t n;

    int from = mountns_open(tree, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
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

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static int seal_mount(const struct request_mount *m)
{
    int fd = open_inside(m->target);

    return fd < 0 ? -1
                  : mountapi_set(fd,
                                 MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
                                     (m->readonly ? MOUNT_ATTR_RDONLY : 0),
                                 0);
}

// A device node that an image brings is worth nothing: the tasks are in
// Slurm's cgroups, where the engine's list of devices does not hold. /dev is
// a mount of its own.
static int seal_root(void)
{
    int fd = open_inside("/");

    return fd < 0 ? -1 : mountapi_set(fd, MOUNT_ATTR_NODEV, 0);
}

// A symbolic link of the image's, or in a directory that is mounted, can lead
// a mount elsewhere than it was asked for: that must be allowed as well. PLACE
// is what TARGET led to, and SELF the directory of this process's descriptors.
static int judge_place(int self, int place, const struct rule_list *targets,
                       const char *target, struct berth_err *err)
{
    char name[16], real[PATH_MAX], quote[2][ERR_QUOTE_MAX];

    snprintf(name, sizeof(name), "%d", place);
    ssize_t n = readlinkat(self, name, real, sizeof(real));
    if (n < 0 || n == sizeof(real))
        return err_set(err, BERTH_ESYS, "finding a mount's place: %m");
    real[n] = 0;
    if (strcmp(real, target) == 0 || (mount_target_is_free(targets, target)
                                          ? mount_target_is_free(targets, real)
                                          : mount_target_ok(real)))
        return 0;
    err_quote(target, quote[0], sizeof(quote[0]));
    err_quote(real, quote[1], sizeof(quote[1]));
    return err_set(err, BERTH_EINVAL,
                   "%s leads to %s in this container, where nothing can be "
                   "mounted: choose another place, or another image",
                   quote[0], quote[1]);
}

static int judge_target(int self, const struct rule_list *targets,
                        const char *target, struct berth_err *err)
{
    int place = open_inside(target);

    if (place < 0)
        return err_set(err, BERTH_ESYS,
                       "there is no %s in the container: tell your "
                       "administrator",
                       target);
    int rc = judge_place(self, place, targets, target, err);
    close(place);
    return rc;
}

// What an engine has mounted elsewhere may be over what is to be sealed.
static int judge_targets(int self, const struct request *request,
                         const struct mount_copies *mounts,
                         struct berth_err *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < request->ntmpfs; i++)
        rc = judge_target(self, mounts->targets, request->tmpfs[i].target, err);
    for (size_t i = 0; rc == 0 && i < mounts->n; i++)
        if (!mounts->v[i].nested)
            rc = judge_target(self, mounts->targets, mounts->v[i].target, err);
    return rc;
}

// What this process makes in the file systems of a container's own IDs is that
// container's root's: they take nobody else's. It stays root otherwise.
static int be_root_there(const struct root_range *root)
{
    if (prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP) < 0)
        return -1;
    setfsgid(root->start);
    setfsuid(root->start);
    return setfsuid((uid_t)-1) == (int)root->start ? 0 : -1;
}

// In the child. Nothing of libc that could load or look up anything is called
// from here on: "/" is the image's.
static int prepare(int ns, const struct request *request,
                   const struct mount_copies *mounts,
                   const int devices[OWN_DEVS], int passwd, int group,
                   struct berth_err *err)
{
    int self = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (self < 0 || setns(ns, CLONE_NEWNS) < 0 || seal_root() < 0)
        return err_set(err, BERTH_ESYS, "entering the container: %m");
    if (judge_targets(self, request, mounts, err) < 0)
        return -1;
    for (size_t i = 0; i < request->nmounts; i++)
        if (!mount_copies_covers(mounts, request->mounts[i].target) &&
            seal_mount(&request->mounts[i]) < 0)
            return err_set(err, BERTH_ESYS,
                           "%s cannot be made nosuid and nodev in the "
                           "container: %m",
                           request->mounts[i].target);
    if (request->root.count &&
        (own_dev_lay(devices) < 0 || be_root_there(&request->root) < 0))
        return err_set(err, BERTH_ESYS,
                       "giving the container devices of its own: %m");
    if (underlay(self, request, err) < 0)
        return -1;
    if (passwd < 0)
        return 0;
    int tree = mountapi_clone(AT_FDCWD, "/", 0);
    return tree < 0 || append_file(tree, "etc/passwd", passwd) < 0 ||
                   append_file(tree, "etc/group", group) < 0
               ? err_set(err, BERTH_ESYS,
                         "reading the image's passwd and group: %m")
               : 0;
}

// What is shared with a child, which fills it.
static struct berth_err *share_err(struct berth_err *err)
{
    struct berth_err *why = mmap(NULL, sizeof(*why), PROT_READ | PROT_WRITE,
                                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (why == MAP_FAILED) {
        err_set(err, BERTH_ENOMEM, "memory is out");
        return NULL;
    }
    err_set(why, BERTH_ETIMEOUT,
            "the container cannot be prepared from within: that takes too "
            "long");
    return why;
}

// Waits for CHILD. 0, or -1 with ERR set to WHY.
static int finish(pid_t child, int ms, const struct berth_err *why,
                  struct berth_err *err)
{
    return child >= 0 && child_wait(child, ms)
               ? 0
               : err_set(err, why->code, "%s", why->text);
}

// When the engine's mounts are as they are to be.
static int hold_dirs(const struct process *init, struct mountns *out,
                     struct berth_err *err)
{
    int flags = O_PATH | O_DIRECTORY;
    struct statfs fs;

    int root = process_open(init, "root", flags);
    if (root >= 0) {
        out->dev = mountns_open(root, "/dev", flags);
        out->sysfs = mountns_open(root, "/sys/fs", flags);
        for (int i = 0; i < MOUNTNS_DIRS; i++)
            out->dirs[i] = mountns_open(root, private_dirs[i], flags);
        close(root);
    }
    if (out->sysfs >= 0 &&
        (fstatfs(out->sysfs, &fs) < 0 || fs.f_type != SYSFS_MAGIC)) {
        close(out->sysfs);
        out->sysfs = -1;
    }
    return out->dev >= 0 && fstatfs(out->dev, &fs) == 0 &&
                   fs.f_type == TMPFS_MAGIC
               ? 0
               : err_set(err, BERTH_ESYS, "the container has no /dev");
}

int mountns_prepare(const struct process *init, const struct request *request,
                    const struct mount_copies *mounts,
                    const struct identity *identity, int dir,
                    struct mountns *out, struct berth_err *err)
{
    int flags = O_WRONLY | O_NOFOLLOW | O_CLOEXEC, rc = -1;
    int devices[OWN_DEVS] = {-1, -1, -1, -1, -1, -1};
    int passwd = -1, group = -1;
    bool root = request->root.count;
    pid_t parent = getpid();

    *out = MOUNTNS_NONE;
    struct berth_err *why = share_err(err);
    if (!why)
        return -1;
    out->ns = process_open(init, "ns/mnt", O_RDONLY);
    if (root && ((out->map = fcntl(mounts->map, F_DUPFD_CLOEXEC, 0)) < 0 ||
                 own_dev_make(dir, devices, err) < 0))
        goto out;
    if (!root) {
        passwd = openat(dir, "passwd", flags);
        group = openat(dir, "group", flags);
    }
    int keep[3 + OWN_DEVS] = {out->ns, passwd, group};
    memcpy(keep + 3, devices, sizeof(devices));
    if (!root &&
        (passwd < 0 || group < 0 ||
         write_all(passwd, identity->passwd, strlen(identity->passwd)) < 0 ||
         write_all(group, identity->group, strlen(identity->group)) < 0)) {
        err_set(err, BERTH_ESYS, "writing passwd and group: %m");
        goto out;
    }
    pid_t child = fork();
    if (child == 0)
        _exit(child_begin(parent, keep, 3 + OWN_DEVS) < 0 ||
              prepare(out->ns, request, mounts, devices, passwd, group, why) <
                  0);
    rc = finish(child, CHILD_MS, why, err) < 0 ? -1 : hold_dirs(init, out, err);
out:
    munmap(why, sizeof(*why));
    own_dev_close(devices);
    if (passwd >= 0)
        close(passwd);
    if (group >= 0)
        close(group);
    return rc;
}

// ---- the mounts of the user's --------------------------------------------

// Makes the last component of PATH, a directory or an empty file.
static void make_inside(const char *path, mode_t type)
{
    const char *slash = strrchr(path, '/');
    char dir[PATH_MAX];

    snprintf(dir, sizeof(dir), "%.*s/", (int)(slash - path), path);
    int parent = open_inside(dir);
    if (parent < 0)
        return;
    if (type == S_IFDIR)
        mkdirat(parent, slash + 1, 0755);
    else
        mknodat(parent, slash + 1, S_IFREG | 0644, 0);
    close(parent);
}

// As the user: he has nothing more to write to than the task will have.
static int open_as_user(const struct mount_source *place)
{
    char path[PATH_MAX];

    int fd = open_inside(place->path);
    if (fd >= 0 || errno != ENOENT || !place->make)
        return fd;
    for (size_t n = 1; place->path[n]; n++)
        if (place->path[n] == '/') {
            snprintf(path, sizeof(path), "%.*s", (int)n, place->path);
            make_inside(path, S_IFDIR);
        }
    make_inside(place->path, place->make);
    return open_inside(place->path);
}

// A place in a directory of the user's is looked up as he. A directory of the
// image may be closed to him: in that case EARLY counts, where root found it
// while only the engine's mounts were there.
static int lay_over(const struct mount_copy *entry, int self,
                    const struct rule_list *targets,
                    const struct mount_opener *opener, unsigned seconds,
                    int early, struct berth_err *err)
{
    mode_t type = entry->is_dir ? S_IFDIR : S_IFREG;
    struct mount_source source = {.path = entry->target,
                                  .make = entry->nested ? type : 0};

    if (mount_opener_ask(opener, seconds, &source, err) < 0)
        return -1;
    int place = source.error == EACCES ? early : source.fd;
    if (place >= 0 && judge_place(self, place, targets, entry->target, err) < 0)
        return -1;
    if (place >= 0 && mountapi_move(entry->tree, place, "") == 0)
        return 0;
    if (entry->steps)
        return err_set(err, BERTH_EINVAL,
                       "this container has no %s for PMIx, and none can be "
                       "made in it: have SLURM_PMIX_TMPDIR name another place, "
                       "or have another container",
                       entry->target);
    return err_set(err, BERTH_EINVAL,
                   "nothing can be mounted at %s in the container, because %s "
                   "no such %s: %s",
                   entry->target,
                   entry->nested ? "the directory that is mounted above it has"
                                 : "there is",
                   entry->is_dir ? "directory" : "file",
                   entry->nested ? "make it there first"
                                 : "tell your administrator");
}

// Takes away the mount that PLACE is open on, by no name that could lead
// elsewhere. SELF as for judge_place; the working directory is "/" afterwards.
static bool unmount(int self, int place)
{
    char name[16];

    snprintf(name, sizeof(name), "%d", place);
    bool gone = fchdir(self) == 0 && umount2(name, MNT_DETACH) == 0;
    return chdir("/") == 0 && gone;
}

// Takes away what the engine has mounted at ENTRY's place, berth's own empty
// directory or file, so that there is one mount at the place in the end. While
// only the engine's are there, root looks at nobody else's file system. What
// is something else, or held for what a task brings, or cannot be taken away,
// is laid over. Returns the place, open, or -1.
static int clear_place(const struct mount_copy *entry, int self,
                       const struct stat held[MOUNTNS_DIRS])
{
    struct stat st;

    int place = open_inside(entry->target);
    if (place < 0 || fstat(place, &st) < 0 || st.st_dev != entry->dev ||
        st.st_ino != entry->ino)
        return place;
    for (int i = 0; i < MOUNTNS_DIRS; i++)
        if (same_file(&st, &held[i]))
            return place;
    if (!unmount(self, place))
        return place;
    close(place);
    return open_inside(entry->target);
}

// The child, of which the same holds as of prepare.
static int lay(int ns, const struct mount_copies *mounts,
               const struct stat held[MOUNTNS_DIRS],
               const struct child_user *user, unsigned seconds,
               struct berth_err *err)
{
    int self = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int early[BERTH_MOUNTS_MAX];
    struct mount_opener opener;

    if (self < 0 || setns(ns, CLONE_NEWNS) < 0)
        return err_set(err, BERTH_ESYS, "entering the container: %m");
    for (size_t i = 0; i < mounts->n; i++)
        early[i] =
            mounts->v[i].nested ? -1 : clear_place(&mounts->v[i], self, held);
    int rc = mount_opener_start(user, open_as_user, &opener, err);
    for (size_t i = 0; rc == 0 && i < mounts->n; i++)
        rc = lay_over(&mounts->v[i], self, mounts->targets, &opener, seconds,
                      early[i], err);
    mount_opener_end(&opener);
    return rc;
}

int mountns_lay(const struct mountns *ns, const struct mount_copies *mounts,
                const struct child_user *user, unsigned seconds,
                struct berth_err *err)
{
    struct stat held[MOUNTNS_DIRS] = {0};
    int keep[BERTH_MOUNTS_MAX + 1], rc = -1;
    pid_t parent = getpid();

    if (mounts->n == 0)
        return 0;
    struct berth_err *why = share_err(err);
    if (!why)
        return -1;
    for (int i = 0; i < MOUNTNS_DIRS; i++)
        if (ns->dirs[i] >= 0 && fstat(ns->dirs[i], &held[i]) < 0)
            held[i] = (struct stat){0};
    keep[mounts->n] = ns->ns;
    for (size_t i = 0; i < mounts->n; i++)
        keep[i] = mounts->v[i].tree;
    pid_t child = fork();
    if (child == 0)
        _exit(child_begin(parent, keep, mounts->n + 1) < 0 ||
              lay(ns->ns, mounts, held, user, seconds, why) < 0);
    rc = finish(child, CHILD_MS + (int)(seconds * mounts->n) * 1000, why, err);
    munmap(why, sizeof(*why));
    return rc;
}

// The child, of which the same holds as of prepare. What is below a mount that
// was laid over itself is not berth's to remove.
static _Noreturn void take_away(pid_t parent, int ns,
                                const struct mount_steps *mounts,
                                const struct child_user *user)
{
    int self = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct stat tree, place;
    bool gone = true;

    if (self < 0 || setns(ns, CLONE_NEWNS) < 0)
        _exit(1);
    for (size_t i = mounts->n; i-- > 0;)
        gone &= unmount(self, mounts->v[i].tree);
    if (child_become(parent, user) < 0)
        _exit(1);
    for (size_t i = mounts->n; i-- > 0;)
        if (fstat(mounts->v[i].tree, &tree) == 0 &&
            lstat(mounts->v[i].target, &place) == 0 &&
            !same_file(&tree, &place))
            rmdir(mounts->v[i].target);
    _exit(!gone);
}

int mountns_take_away(const struct mountns *ns,
                      const struct mount_steps *mounts,
                      const struct child_user *user)
{
    int keep[sizeof(mounts->v) / sizeof(*mounts->v) + 1] = {ns->ns};
    pid_t parent = getpid();

    if (mounts->n == 0)
        return 0;
    for (size_t i = 0; i < mounts->n; i++)
        keep[i + 1] = mounts->v[i].tree;
    pid_t child = fork();
    if (child == 0) {
        if (child_begin(parent, keep, mounts->n + 1) < 0)
            _exit(1);
        take_away(parent, ns->ns, mounts, user);
    }
    return child >= 0 && child_wait(child, CHILD_MS) ? 0 : -1;
}

// ---- what a task has of its own -----------------------------------------

// Says whether TASK's descriptor 0 may be the terminal of a pty, by what the
// kernel calls it: no file system is asked.
static bool may_have_terminal(const struct process *task)
{
    char name[64];

    ssize_t n = readlinkat(task->proc, "fd/0", name, sizeof(name) - 1);
    name[n > 0 ? n : 0] = 0;
    return strstr(name, "/pts/");
}

// A terminal's file system has no map, so who is root inside could not open it
// there anyway: he has it by his descriptors.
static bool brings_terminal(const struct mountns *ns,
                            const struct process *task)
{
    return ns->map < 0 && may_have_terminal(task);
}

// The terminal of a pty that is UID's: a descriptor of it that can't be read
// or written, or -1.
static int open_terminal(const struct process *task, uid_t uid)
{
    int fd = process_open(task, "fd/0", O_PATH);
    struct statfs fs;
    struct stat st;

    if (fd < 0 ||
        (fstat(fd, &st) == 0 && fstatfs(fd, &fs) == 0 && S_ISCHR(st.st_mode) &&
         fs.f_type == DEVPTS_SUPER_MAGIC && st.st_uid == uid &&
         major(st.st_rdev) >= 136 && major(st.st_rdev) <= 143))
        return fd;
    close(fd);
    return -1;
}

// A copy of the mount at PATH, or at the descriptor FROM itself where that is
// empty, which belongs nowhere yet. With the MAP of stepd/idmap.h, or -1.
static int clone_mount(int from, const char *path, uint64_t flags, int map)
{
    int tree = mountapi_clone(from, path, AT_SYMLINK_NOFOLLOW);

    if (tree >= 0 && (mountapi_set(tree, MOUNT_ATTR_NOSUID | flags, 0) < 0 ||
                      idmap_mount(map, tree, path, NULL) < 0)) {
        close(tree);
        tree = -1;
    }
    return tree;
}

// The uppermost mount at the working directory's "console".
static int remove_console(void)
{
    return umount2("console", MNT_DETACH | UMOUNT_NOFOLLOW);
}

// Over another step's, if there is one. A terminal that is gone, since its step
// is over, takes no mount: it gives way.
static int attach_console(int tree, int dev)
{
    if (fchdir(dev) < 0 ||
        (mknodat(dev, "console", S_IFREG | 0600, 0) < 0 && errno != EEXIST))
        return -1;
    while (mountapi_move(tree, dev, "console") < 0)
        if (errno != ENOENT || remove_console() < 0)
            return -1;
    return 0;
}

// The child, of which the same holds as of prepare. THEIRS is the job's
// own mount namespace, or -1; DIRS: what is the job's own there is to come.
// ATTACHED is shared with the parent.
static _Noreturn void attach(const struct process *task, uid_t uid, int theirs,
                             bool dirs, const struct mountns *ns,
                             struct mountns_terminal *attached)
{
    int terminal = brings_terminal(ns, task) ? open_terminal(task, uid) : -1;
    int console = -1, trees[MOUNTNS_DIRS];
    struct stat own[MOUNTNS_DIRS], st;
    bool have[MOUNTNS_DIRS];

    // slurmstepd has made it in this namespace, or where it has been put
    // itself: a mount is copied where it is.
    if (terminal >= 0)
        console = clone_mount(terminal, "", MOUNT_ATTR_NOEXEC, -1);
    for (int i = 0; i < MOUNTNS_DIRS; i++)
        have[i] = lstat(private_dirs[i], &own[i]) == 0;
    if (theirs >= 0 && setns(theirs, CLONE_NEWNS) < 0)
        _exit(1);
    if (terminal >= 0 && console < 0 &&
        (console = clone_mount(terminal, "", MOUNT_ATTR_NOEXEC, -1)) < 0)
        _exit(1);
    for (int i = 0; i < MOUNTNS_DIRS; i++) {
        trees[i] = -1;
        if (dirs && lstat(private_dirs[i], &st) == 0 && S_ISDIR(st.st_mode) &&
            !(have[i] && same_file(&st, &own[i])) &&
            (trees[i] = clone_mount(AT_FDCWD, private_dirs[i], MOUNT_ATTR_NODEV,
                                    ns->map)) < 0)
            _exit(1);
    }
    if (setns(ns->ns, CLONE_NEWNS) < 0)
        _exit(1);
    if (console >= 0) {
        if (fstat(console, &st) < 0 || attach_console(console, ns->dev) < 0)
            _exit(1);
        *attached = (struct mountns_terminal){st.st_dev, st.st_ino};
    }
    for (int i = 0; i < MOUNTNS_DIRS; i++)
        if (trees[i] >= 0 && mountapi_move(trees[i], ns->dirs[i], "") < 0)
            _exit(1);
    _exit(0);
}

int mountns_add_task(const struct mountns *ns, const struct process *task,
                     uid_t uid, int theirs, bool *done,
                     struct mountns_terminal *terminal, struct berth_err *err)
{
    bool brings = brings_terminal(ns, task), dirs = !*done;
    struct mountns_terminal *attached;
    pid_t parent = getpid();
    int rc = 0;

    if (!view_differs(theirs))
        theirs = -1;
    if (!process_lives(task)) {
        rc = err_set(err, BERTH_ESYS, "the task has ended");
    } else if (brings || (theirs >= 0 && dirs)) {
        attached = mmap(NULL, sizeof(*attached), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (attached == MAP_FAILED)
            return err_set(err, BERTH_ENOMEM, "memory is out");
        int keep[] = {task->proc,  theirs,      ns->ns,      ns->dev,
                      ns->dirs[0], ns->dirs[1], ns->dirs[2], ns->map};
        pid_t child = fork();
        if (child == 0) {
            if (child_begin(parent, keep, sizeof(keep) / sizeof(*keep)) < 0)
                _exit(1);
            attach(task, uid, theirs, dirs, ns, attached);
        }
        if (child < 0 || !child_wait(child, CHILD_MS))
            rc = err_set(err, BERTH_ESYS,
                         "the container cannot be given the task's terminal "
                         "or the job's own /tmp");
        if (attached->ino)
            *terminal = *attached;
        munmap(attached, sizeof(*attached));
    }
    *done |= rc == 0;
    return rc;
}

// Says whether something is mounted at /dev/console, and what is uppermost is
// OWN, if that is not NULL. No link is followed: this is done outside as well.
static bool has_console(int dev, const struct mountns_terminal *own)
{
    const int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;
    struct stat dir, console;

    return fstat(dev, &dir) == 0 &&
           fstatat(dev, "console", &console, flags) == 0 &&
           (own ? console.st_dev == own->dev && console.st_ino == own->ino
                : console.st_dev != dir.st_dev);
}

static _Noreturn void remove_consoles(const struct mountns *ns,
                                      const struct mountns_terminal *own)
{
    if (setns(ns->ns, CLONE_NEWNS) < 0 || fchdir(ns->dev) < 0)
        _exit(1);
    while (has_console(ns->dev, own) && remove_console() == 0)
        ;
    _exit(has_console(ns->dev, own));
}

int mountns_forget_task(const struct mountns *ns,
                        const struct mountns_terminal *own)
{
    int keep[] = {ns->ns, ns->dev};
    pid_t parent = getpid();

    // With IDs of its own it has had none, and /dev is its root's.
    if (ns->map >= 0 || !has_console(ns->dev, own))
        return 0;
    pid_t child = fork();
    if (child == 0) {
        if (child_begin(parent, keep, 2) < 0)
            _exit(1);
        remove_consoles(ns, own);
    }
    return child >= 0 && child_wait(child, CHILD_MS) ? 0 : -1;
}

void mountns_clear(struct mountns *ns)
{
    if (ns->ns >= 0)
        close(ns->ns);
    if (ns->sysfs >= 0)
        close(ns->sysfs);
    if (ns->dev >= 0)
        close(ns->dev);
    if (ns->map >= 0)
        close(ns->map);
    for (int i = 0; i < MOUNTNS_DIRS; i++)
        if (ns->dirs[i] >= 0)
            close(ns->dirs[i]);
    *ns = MOUNTNS_NONE;
}
