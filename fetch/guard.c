// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include "fetch/guard.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "protocol/passing.h"

#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE AUDIT_ARCH_AARCH64
#elif defined(__powerpc64__) && __BYTE_ORDER == __LITTLE_ENDIAN
#define NATIVE AUDIT_ARCH_PPC64LE
#elif defined(__s390x__)
#define NATIVE AUDIT_ARCH_S390X
#elif defined(__riscv) && __riscv_xlen == 64
#define NATIVE AUDIT_ARCH_RISCV64
#else
#error "add this machine's AUDIT_ARCH"
#endif

// Name servers may be anywhere.
enum { DNS = 53 };

// --- addresses ---------------------------------------------------------------

static bool v4_allowed(uint32_t a, bool loopback)
{
    if (a >> 24 == 127 || a >> 24 == 0)
        return loopback;
    return a >> 16 != 0xa9fe; // 169.254
}

static bool v6_allowed(const struct in6_addr *a, bool loopback)
{
    uint32_t low;

    memcpy(&low, a->s6_addr + 12, sizeof(low));
    if (IN6_IS_ADDR_V4MAPPED(a) || IN6_IS_ADDR_V4COMPAT(a))
        return v4_allowed(ntohl(low), loopback);
    if (IN6_IS_ADDR_LOOPBACK(a) || IN6_IS_ADDR_UNSPECIFIED(a))
        return loopback;
    // fd00:ec2::/32 is one cloud's link-local, in effect.
    return !IN6_IS_ADDR_LINKLOCAL(a) &&
           memcmp(a->s6_addr, "\xfd\x00\x0e\xc2", 4) != 0;
}

bool guard_allows(const struct sockaddr_storage *address, size_t len,
                  bool loopback, char text[GUARD_TEXT_MAX])
{
    const struct sockaddr_in *v4 = (const void *)address;
    const struct sockaddr_in6 *v6 = (const void *)address;

    strcpy(text, "an address of an unknown kind");
    if (len < sizeof(sa_family_t))
        return false;
    switch (address->ss_family) {
    case AF_UNSPEC: // takes a socket's address away
    case AF_UNIX:
        return true;
    case AF_INET:
        if (len < sizeof(*v4))
            return false;
        inet_ntop(AF_INET, &v4->sin_addr, text, GUARD_TEXT_MAX);
        return ntohs(v4->sin_port) == DNS ||
               v4_allowed(ntohl(v4->sin_addr.s_addr), loopback);
    case AF_INET6:
        if (len < offsetof(struct sockaddr_in6, sin6_scope_id))
            return false;
        inet_ntop(AF_INET6, &v6->sin6_addr, text, GUARD_TEXT_MAX);
        return ntohs(v6->sin6_port) == DNS ||
               v6_allowed(&v6->sin6_addr, loopback);
    default:
        return false;
    }
}

bool guard_is_loopback(const char *domain)
{
    size_t host = strcspn(domain, ":");
    char text[INET_ADDRSTRLEN] = "";
    struct in_addr a;

    // A name may begin so as well.
    if (host < sizeof(text))
        memcpy(text, domain, host);
    return (inet_pton(AF_INET, text, &a) == 1 &&
            ntohl(a.s_addr) >> 24 == 127) ||
           !strncmp(domain, "[::1]", 5) ||
           (host == 9 && !strncmp(domain, "localhost", host)) ||
           (host > 10 && !strncmp(domain + host - 10, ".localhost", 10));
}

// --- the kernel's questions --------------------------------------------------

int guard_set(int out)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_connect, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        // Which would connect without a call.
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {sizeof(code) / sizeof(*code), code};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -1;
    int fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                          SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
    int rc = fd < 0 ? -1 : passing_send(out, "", 1, &fd, 1, 0);
    if (fd >= 0)
        close(fd);
    return rc;
}

int guard_take(struct guard *guard, int in)
{
    char byte;

    guard->refused[0] = 0;
    return passing_receive(in, &byte, 1, &guard->fd, 1, 0) == 1 &&
                   guard->fd >= 0
               ? 0
               : -1;
}

// The port of an address of the internet's, or 0.
static unsigned port_of(const struct sockaddr_storage *address)
{
    const struct sockaddr_in *v4 = (const void *)address;
    const struct sockaddr_in6 *v6 = (const void *)address;

    return address->ss_family == AF_INET    ? ntohs(v4->sin_port)
           : address->ss_family == AF_INET6 ? ntohs(v6->sin6_port)
                                            : 0;
}

void guard_answer(struct guard *guard)
{
    union {
        struct seccomp_notif question;
        char room[512]; // a newer kernel may say more
    } in = {.room = {0}};
    union {
        struct seccomp_notif_resp answer;
        char room[512];
    } out = {.room = {0}};
    struct sockaddr_storage address = {0};
    char text[GUARD_TEXT_MAX];

    if (ioctl(guard->fd, SECCOMP_IOCTL_NOTIF_RECV, &in) < 0)
        return; // who asked has gone
    const struct seccomp_data *call = &in.question.data;
    size_t len = call->args[2] < sizeof(address) ? (size_t)call->args[2]
                                                 : sizeof(address);
    struct iovec here = {&address, len};
    struct iovec there = {(void *)(uintptr_t)call->args[1], len};
    ssize_t n =
        process_vm_readv((pid_t)in.question.pid, &here, 1, &there, 1, 0);

    out.answer.id = in.question.id;
    if (n == (ssize_t)len &&
        ioctl(guard->fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &in.question.id) == 0 &&
        guard_allows(&address, len,
                     guard->loopback ||
                         (guard->proxy && port_of(&address) == guard->proxy),
                     text)) {
        out.answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    } else {
        out.answer.error = -EACCES;
        snprintf(guard->refused, sizeof(guard->refused), "%s",
                 n == (ssize_t)len ? text : "an address that cannot be read");
    }
    ioctl(guard->fd, SECCOMP_IOCTL_NOTIF_SEND, &out);
}

void guard_close(struct guard *guard)
{
    if (guard->fd > 0)
        close(guard->fd);
    guard->fd = -1;
}
