// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// What somebody who is root in a container tries: one line for each thing, and
// what the kernel says to it, or "yes". Its argument is a file of his.

#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/xattr.h>
#include <unistd.h>

static const char *file;

static long write_to(const char *path)
{
    int fd = open(path, O_WRONLY);

    return fd < 0 ? -1 : write(fd, "1", 1);
}

static long set_capability(void)
{
    static const unsigned char all[20] = {1, 0, 0, 2, 0xff, 0xff, 0xff, 0xff};

    return setxattr(file, "security.capability", all, sizeof(all), 0);
}

static long raise_limit(void)
{
    struct rlimit lim;

    getrlimit(RLIMIT_NOFILE, &lim);
    lim.rlim_max += 1;
    return setrlimit(RLIMIT_NOFILE, &lim);
}

static long real_time(void)
{
    struct sched_param param = {.sched_priority = 1};

    return sched_setscheduler(0, SCHED_FIFO, &param);
}

static long enter(const char *ns)
{
    int fd = open(ns, O_RDONLY);

    return fd < 0 ? -1 : setns(fd, 0);
}

static long by_handle(void)
{
    struct {
        struct file_handle h;
        unsigned char bytes[128];
    } handle = {.h.handle_bytes = 128};
    int id, dir = open("/", O_RDONLY);

    if (name_to_handle_at(AT_FDCWD, file, &handle.h, &id, 0) < 0)
        return -1;
    return open_by_handle_at(dir, &handle.h, O_RDONLY);
}

#define TRY(name, ...)                                                         \
    do {                                                                       \
        errno = 0;                                                             \
        long rc = (long)(__VA_ARGS__);                                         \
        printf("%s: %s\n", name, rc < 0 ? strerror(errno) : "yes");            \
    } while (0)

// Lets another user of the container's read and write FILE.
static long add_acl(void)
{
    static const struct {
        unsigned version;
        struct {
            unsigned short tag, perm;
            unsigned id;
        } v[5];
    } acl = {
        2,
        {{1, 6, ~0U}, {2, 7, 7}, {4, 4, ~0U}, {0x10, 7, ~0U}, {0x20, 0, ~0U}}};

    return setxattr(file, "system.posix_acl_access", &acl, sizeof(acl), 0);
}

int main(int argc, char **argv)
{
    static char none[256];

    if (argc < 2)
        return 9;
    file = argv[1];
    if (argc > 2)
        return (strcmp(argv[2], "acl") == 0 ? add_acl() : set_capability()) < 0;
    TRY("character device", mknod("/tmp/c", S_IFCHR | 0666, makedev(1, 1)));
    TRY("block device", mknod("/root/b", S_IFBLK | 0666, makedev(8, 0)));
    TRY("mount", mount("tmpfs", "/mnt", "tmpfs", 0, NULL));
    TRY("bind", mount("/proc", "/mnt", NULL, MS_BIND, NULL));
    TRY("remount", mount(NULL, "/sys", NULL, MS_REMOUNT | MS_BIND, NULL));
    TRY("umount", umount2("/proc/sys", MNT_DETACH));
    TRY("fsopen", syscall(SYS_fsopen, "tmpfs", 0));
    TRY("open_tree", syscall(SYS_open_tree, AT_FDCWD, "/", 1));
    TRY("pivot_root", syscall(SYS_pivot_root, "/", "/"));
    TRY("chroot", chroot("/tmp"));
    TRY("users", unshare(CLONE_NEWUSER));
    TRY("mounts", unshare(CLONE_NEWNS));
    TRY("network", unshare(CLONE_NEWNET));
    TRY("pids", unshare(CLONE_NEWPID));
    TRY("cgroups", unshare(CLONE_NEWCGROUP));
    TRY("enter users", enter("/proc/self/ns/user"));
    TRY("enter mounts", enter("/proc/self/ns/mnt"));
    TRY("enter process 1", enter("/proc/1/ns/mnt"));
    TRY("root of process 1", open("/proc/1/root/etc/passwd", O_RDONLY));
    TRY("memory of process 1", open("/proc/1/mem", O_RDONLY));
    TRY("streams of process 1", open("/proc/1/fd/0", O_RDONLY));
    TRY("trace process 1", ptrace(PTRACE_SEIZE, 1, NULL, NULL));
    TRY("add_key", syscall(SYS_add_key, "user", "x", "x", 1, -3));
    TRY("keyctl", syscall(SYS_keyctl, 0, -3, 1));
    TRY("bpf", syscall(SYS_bpf, 0, none, sizeof(none)));
    TRY("perf", syscall(SYS_perf_event_open, none, 0, -1, -1, 0));
    TRY("raw socket", socket(AF_INET, SOCK_RAW, 1));
    TRY("packet socket", socket(AF_PACKET, SOCK_RAW, 0));
    TRY("module", syscall(SYS_init_module, none, sizeof(none), ""));
    TRY("module by file", syscall(SYS_finit_module, 0, "", 0));
    TRY("kexec", syscall(SYS_kexec_load, 0, 0, NULL, 0));
    TRY("swap", swapon(file, 0));
    TRY("reboot", reboot(RB_DISABLE_CAD));
    TRY("clock", settimeofday(&(struct timeval){1, 0}, NULL));
    TRY("host's name", sethostname("x", 1));
    TRY("accounting", acct(file));
    TRY("kernel's log", klogctl(3, none, sizeof(none)));
    TRY("quota", syscall(SYS_quotactl, 0x80000700, "/dev/vda", 0, none));
    TRY("nice", setpriority(PRIO_PROCESS, 0, -20));
    TRY("real time", real_time());
    TRY("limit", raise_limit());
    TRY("by handle", by_handle());
    TRY("file capability", set_capability());
    TRY("trusted attribute", setxattr(file, "trusted.x", "1", 1, 0));
    TRY("overlay attribute",
        setxattr(file, "trusted.overlay.opaque", "y", 1, 0));
    TRY("core pattern", write_to("/proc/sys/kernel/core_pattern"));
    TRY("sysrq", write_to("/proc/sysrq-trigger"));
    TRY("oom of process 1", write_to("/proc/1/oom_score_adj"));
    TRY("sysfs", write_to("/sys/kernel/profiling"));
    TRY("uevent", write_to("/sys/class/mem/null/uevent"));
    TRY("cgroup", write_to("/sys/fs/cgroup/cgroup.procs"));
    TRY("cgroup v1", write_to("/sys/fs/cgroup/devices/devices.allow"));
    TRY("map", write_to("/proc/self/uid_map"));
    TRY("kernel's memory", open("/proc/kcore", O_RDONLY));
    TRY("device's mode", chmod("/dev/null", 0600));
    TRY("device's owner", chown("/dev/zero", 0, 0));
    TRY("berth-init", open("/run/berth/init", O_RDONLY));
    TRY("berth-init's mode", chmod("/run/berth/init", 0777));
    return 0;
}
