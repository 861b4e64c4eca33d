// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
#include "handover/filter.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

// The architecture of this program. On some, a process can also make the
// calls of another one, which have other numbers.
#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE AUDIT_ARCH_AARCH64
#elif defined(__powerpc64__) && defined(__LITTLE_ENDIAN__)
#define NATIVE AUDIT_ARCH_PPC64LE
#elif defined(__s390x__)
#define NATIVE AUDIT_ARCH_S390X
#elif defined(__riscv) && __riscv_xlen == 64
#define NATIVE AUDIT_ARCH_RISCV64
#else
#error "the numbers of this architecture's system calls are not known here"
#endif

#ifdef __s390x__
enum { CLONE_FLAGS = 1 }; // the argument of clone that they are
#else
enum { CLONE_FLAGS = 0 };
#endif

// The lower half of argument I.
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define ARGUMENT(i) (offsetof(struct seccomp_data, args[i]) + 4)
#else
#define ARGUMENT(i) offsetof(struct seccomp_data, args[i])
#endif

#define LOAD(offset) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (offset))
#define REFUSE(number) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (number))
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define EQUAL(value, yes, no)                                                  \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)(value), (yes), (no))

// What a call of MACHINE meets. clone3 has its flags in memory,
// which a filter can't read: C libraries do without where there is none. No
// setns is of use without capabilities, but for a user namespace that a
// process outside hands in. MASK takes the bit of x32's numbers away.
#define CALLS(machine, mask, clone, unshare, setns)                            \
    LOAD(offsetof(struct seccomp_data, arch)), EQUAL(machine, 0, 14),          \
        LOAD(offsetof(struct seccomp_data, nr)),                               \
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, (mask)),                           \
        EQUAL(__NR_clone3, 10, 0), EQUAL(setns, 7, 0), EQUAL(unshare, 4, 0),   \
        EQUAL(clone, 1, 0), ALLOW, LOAD(ARGUMENT(CLONE_FLAGS)),                \
        BPF_STMT(BPF_JMP | BPF_JA, 1), LOAD(ARGUMENT(0)),                      \
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_NEWUSER, 0, 1),             \
        REFUSE(EPERM), ALLOW, REFUSE(ENOSYS)

bool filter_is_the_engines(void)
{
    // Without a filter the kernel looks at the arguments. (One without
    // keyrings has no such call, and refuses as well.)
    return syscall(__NR_add_key, NULL, NULL, NULL, 0, 0) < 0 &&
           (errno == EPERM || errno == ENOSYS);
}

int filter_users(void)
{
    static const struct sock_filter code[] = {
        CALLS(NATIVE, 0xbfffffff, __NR_clone, __NR_unshare, __NR_setns),
#if defined(__x86_64__)
        CALLS(AUDIT_ARCH_I386, 0xffffffff, 120, 310, 346),
#elif defined(__aarch64__)
        CALLS(AUDIT_ARCH_ARM, 0xffffffff, 120, 337, 375),
#endif
        REFUSE(ENOSYS), // of an architecture that is not known
    };
    const struct sock_fprog program = {
        .len = sizeof(code) / sizeof(*code),
        .filter = (struct sock_filter *)(unsigned long)code,
    };

    // Without the flag, Linux before 5.16 slows the tasks down.
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER,
                SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program) < 0)
        return -1;
    return 0;
}
