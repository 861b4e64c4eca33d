// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// berth-starter: root, one for each slurmd whose jobs have namespaces of their
// own, in slurmd's. It starts berth-stepd for a slurmstepd that Slurm has put
// into a job's: that one could not get out by itself, least of all from a user
// namespace, and what it mounts the engine does not see. Its input: connections
// of root's (protocol/starter.h), which it reads no word of itself but the
// program's name; each is a child's. It ends when slurmd does, whose pidfd is
// its standard input.
//
// Who is root on the node, by the kernel's word in slurmd's own user namespace,
// may have one of two programs run with words of his, and so could do that
// himself. Nobody else can: not who is root in a user namespace of his own.

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "node/state_dir.h"
#include "protocol/passing.h"
#include "protocol/starter.h"

enum {
    SLURMD = 0,   // its pidfd is standard input
    PACKET_S = 5, // how long a connection may say nothing
    BACKLOG = 128,
};

static int make_address(const char *path, struct sockaddr_un *out)
{
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(out->sun_path))
        return -1;
    strcpy(out->sun_path, path);
    return 0;
}

// Says whether somebody listens at PATH.
static bool answers(const char *path)
{
    struct sockaddr_un addr;
    int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    bool ok = sock >= 0 && make_address(path, &addr) == 0 &&
              (connect(sock, (struct sockaddr *)&addr, sizeof(addr)) == 0 ||
               errno != ECONNREFUSED);

    if (sock >= 0)
        close(sock);
    return ok;
}

// One that was killed, or that a node's crash has ended, has left its socket.
static void remove_old(void)
{
    static const char prefix[] = STARTER_PATH;
    const char *name = strrchr(prefix, '/') + 1;
    char path[sizeof(prefix) + NAME_MAX];

    DIR *d = opendir(BERTH_STATEDIR);
    for (struct dirent *e; d && (e = readdir(d));)
        if (strncmp(e->d_name, name, strlen(name)) == 0) {
            snprintf(path, sizeof(path), "%s/%s", BERTH_STATEDIR, e->d_name);
            if (!answers(path))
                unlink(path);
        }
    if (d)
        closedir(d);
}

// Its mode is for root alone.
static int listen_at(const char *path)
{
    struct sockaddr_un addr;
    int sock =
        socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (sock < 0 || make_address(path, &addr) < 0)
        return -1;
    umask(0177);
    unlink(path);
    bool ok = bind(sock, (struct sockaddr *)&addr, sizeof(addr)) == 0 &&
              listen(sock, BACKLOG) == 0;
    umask(022);
    return ok ? sock : -1;
}

// Receives the packet and the descriptor of a connection. Its length, or -1.
static ssize_t receive(int conn, char packet[STARTER_PACKET_MAX], int *fd)
{
    struct timeval t = {.tv_sec = PACKET_S};

    if (setsockopt(conn, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)) < 0)
        return -1;
    ssize_t n =
        passing_receive(conn, packet, STARTER_PACKET_MAX, fd, 1, MSG_TRUNC);
    return n <= STARTER_PACKET_MAX && *fd >= 0 ? n : -1;
}

// Takes PACKET, of N bytes, apart. False: it is none.
static bool take_apart(char *packet, size_t n,
                       char *words[STARTER_WORDS_MAX + 1])
{
    size_t count = 0;

    if (packet[n - 1] != 0)
        return false;
    for (char *p = packet; p < packet + n; p += strlen(p) + 1) {
        if (count == STARTER_WORDS_MAX)
            return false;
        words[count++] = p;
    }
    words[count] = NULL;
    return true;
}

// The child, for good.
static _Noreturn void become_asked(int conn)
{
    char packet[STARTER_PACKET_MAX], *words[STARTER_WORDS_MAX + 1];
    char *const env[] = {NULL};
    const char *program = NULL;
    int fd = -1;

    ssize_t n = receive(conn, packet, &fd);
    if (n <= 0 || !take_apart(packet, (size_t)n, words))
        _exit(1);
    if (strcmp(words[0], STARTER_STEPD) == 0)
        program = BERTH_LIBEXECDIR "/" STARTER_STEPD;
    else if (strcmp(words[0], STARTER_EPILOG) == 0)
        program = BERTH_SBINDIR "/" STARTER_EPILOG;
    signal(SIGCHLD, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
    if (!program || dup2(fd, 0) < 0 || syscall(SYS_close_range, 3, ~0U, 0) < 0)
        _exit(1);
    setsid();
    execve(program, words, env);
    _exit(1);
}

// Nobody but root gets a process for his connection.
static void answer(int listener)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);

    int conn = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (conn < 0)
        return;
    if (getsockopt(conn, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
        peer.uid == 0 && fork() == 0)
        become_asked(conn);
    close(conn);
}

static void serve(int listener)
{
    struct pollfd p[] = {{SLURMD, POLLIN, 0}, {listener, POLLIN, 0}};

    for (;;) {
        if (poll(p, 2, -1) < 0 && errno != EINTR)
            return;
        if (p[0].revents)
            return;
        if (p[1].revents)
            answer(listener);
        p[0].revents = p[1].revents = 0;
    }
}

// The first process ends as soon as the socket is there: slurmd waits for it.
int main(int argc, char **argv)
{
    const size_t len = strlen(STARTER_PATH);

    if (argc != 2 || strncmp(argv[1], STARTER_PATH, len) != 0 ||
        strchr(argv[1] + len, '/') || chdir("/") < 0)
        return 1;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_IGN); // the kernel buries its children
    prctl(PR_SET_DUMPABLE, 0);
    umask(022);
    // Where it is in memory, slurmd's first prolog is yet to make it.
    if (state_dir_make(BERTH_STATEDIR, NULL) < 0)
        return 1;
    remove_old();
    int listener = listen_at(argv[1]);
    if (listener < 0)
        return 1;
    pid_t pid = fork();
    if (pid != 0)
        return pid < 0;
    setsid();
    serve(listener);
    unlink(argv[1]);
    return 0;
}
