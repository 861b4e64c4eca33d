// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// What the seccomp filters of this process refuse: a line for each system call,
// with some arguments where filters look at them, and what becomes of it. None
// is made: a filter on top of those there are hands each to a tracer, which
// skips it, and one that refuses comes first. For x86-64.
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    CALLS = 1024,    // more than there are
    URETPROBE = 335, // and 336: the kernel's own, which no filter sees
    UPROBE = 336,
    X32 = 0x40000000,
    MAGIC = 0x62657274,  // the sixth argument of calls that are asked about
    LET_THROUGH = EXDEV, // which no filter answers
    KILLED = 10000,
    ABSENT // by a kernel without such calls
};

struct call {
    long number, first;
    int i386, answer;
};

static struct call *calls; // shared with the children
static int *next, count;

static void ask(long number, long first, int i386)
{
    calls[count++] = (struct call){number, first, i386, -1};
}

static void ask_all(void)
{
    static const long personalities[] = {0,       8,       0x20000,
                                         0x20008, 0x40000, 0xffffffff};

    for (long i = 0; i < CALLS; i++)
        if (i < URETPROBE || i > UPROBE)
            ask(i, 0, 0);
    for (long i = 1; i < 64; i++)
        ask(SYS_socket, i, 0);
    for (long i = 0; i < 32; i++)
        ask(SYS_clone, 1L << i, 0);
    for (size_t i = 0; i < sizeof(personalities) / sizeof(long); i++)
        ask(SYS_personality, personalities[i], 0);
    for (long i = 0; i < CALLS; i++)
        ask(X32 + i, 0, 0);
    for (long i = 0; i < CALLS; i++)
        ask(i, 0, 1);
}

// A system call that the tracer sees, or its answer by another filter.
static int made(const struct call *c)
{
    long answer = c->number;

    if (c->i386)
        __asm__ volatile("int $0x80"
                         : "+a"(answer)
                         : "b"(c->first), "c"(0), "d"(0), "S"(0), "D"(0)
                         : "r8", "r9", "r10", "r11", "memory");
    else {
        register long fourth __asm__("r10") = 0;
        register long fifth __asm__("r8") = 0;
        register long sixth __asm__("r9") = MAGIC;
        __asm__ volatile("syscall"
                         : "+a"(answer)
                         : "D"(c->first), "S"(0), "d"(0), "r"(fourth),
                           "r"(fifth), "r"(sixth)
                         : "rcx", "r11", "memory");
    }
    return (int)-answer;
}

static void child(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_I386, 2, 0),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                 offsetof(struct seccomp_data, args[5])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MAGIC, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof(code) / sizeof(*code), code};

    ptrace(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
        _exit(1);
    for (; *next < count; ++*next)
        calls[*next].answer = made(&calls[*next]);
    _exit(0);
}

// Skips what the filter above hands over. Returns how the child ended.
static int trace(pid_t pid)
{
    struct user_regs_struct regs;
    int status, sig = 0;

    for (;; ptrace(PTRACE_CONT, pid, 0, (long)sig)) {
        if (waitpid(pid, &status, 0) < 0 || !WIFSTOPPED(status))
            return status;
        sig = 0;
        if (status >> 8 == (SIGTRAP | PTRACE_EVENT_SECCOMP << 8)) {
            ptrace(PTRACE_GETREGS, pid, 0, &regs);
            regs.orig_rax = -1UL;
            regs.rax = -(long)LET_THROUGH;
            ptrace(PTRACE_SETREGS, pid, 0, &regs);
        } else if (WSTOPSIG(status) == SIGSTOP)
            ptrace(PTRACE_SETOPTIONS, pid, 0,
                   PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL);
        else
            sig = WSTOPSIG(status);
    }
}

int main(void)
{
    size_t size = sizeof(*calls) * CALLS * 4;

    calls = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                 -1, 0);
    next = mmap(NULL, sizeof(*next), PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (calls == MAP_FAILED || next == MAP_FAILED)
        return 1;
    ask_all();
    while (*next < count) {
        pid_t pid = fork();
        if (pid == 0)
            child();
        int status = trace(pid);
        if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
            calls[(*next)++].answer = KILLED;
        else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV)
            calls[(*next)++].answer = ABSENT;
        else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
            fprintf(stderr, "a child ended with status %d\n", status);
            return 1;
        }
    }
    for (int i = 0; i < count; i++) {
        const struct call *c = &calls[i];
        printf("%s-%ld-%lx ", c->i386 ? "i386" : "x86_64", c->number,
               (unsigned long)c->first);
        if (c->answer == LET_THROUGH)
            puts("through");
        else if (c->answer == KILLED)
            puts("killed");
        else if (c->answer == ABSENT)
            puts("absent");
        else
            printf("refused-%d\n", c->answer);
    }
    return 0;
}
