// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// An MPI program, for any MPI:
//
// `mpi check`: an all-reduce, and then each pair of ranks sends MESSAGE bytes
// to and fro while the others wait. Each rank prints its line:
//   rank R of N on NODE: sum S, shared X,Y, tcp Z, reads X,Y, segments M
// S is the all-reduce's sum of the ranks' numbers; X, Y and Z are the ranks
// with whom no byte, or all, went through this process's TCP connections;
// then those of its node whose memory it can read by process_vm_readv (CMA),
// and how many files of /dev/shm it maps and shares.
//
// `mpi measure`: two ranks; the first prints the latency of 8 bytes in
// microseconds and the bandwidth of 1 MiB in MB (10^6 bytes) per second. Both
// are those of the best of many short spells, so that what else the machine
// does matters little.
//
// `mpi filtered`: the same behind a seccomp filter that lets all pass: what the
// kernel takes for looking at each system call, as it does in any container.

#define _GNU_SOURCE
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/tcp.h>
#include <mpi.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    RANKS = 64,
    MESSAGE = 1 << 20,
    SMALL = 8,
    LARGE = 1 << 20,
    TRIPS = 100, // of a spell of small messages
    WINDOW = 8,  // large messages of a spell
};

// How long each of the two is measured.
static const double SECONDS = 0.4;

static char *out, *in; // MESSAGE bytes each
static int rank, size;

// What went through this process's TCP connections, both ways.
static unsigned long long tcp_bytes(void)
{
    unsigned long long sum = 0;

    for (int fd = 0; fd < 1024; fd++) {
        struct tcp_info info = {0};
        socklen_t len = sizeof(info);
        if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0)
            sum += info.tcpi_bytes_acked + info.tcpi_bytes_received;
    }
    return sum;
}

// Waits without keeping the CPU from the ranks that have more to do.
static void await(MPI_Request *requests, int n)
{
    MPI_Status statuses[2];
    int done = 0;

    while (MPI_Testall(n, requests, &done, statuses) == MPI_SUCCESS && !done)
        usleep(100);
}

static void barrier(void)
{
    MPI_Request request;

    MPI_Ibarrier(MPI_COMM_WORLD, &request);
    await(&request, 1);
}

// Sends MESSAGE bytes to PEER and receives as many. Returns how many went
// through TCP meanwhile.
static unsigned long long exchange(int peer)
{
    MPI_Request requests[2];
    unsigned long long before = tcp_bytes();

    memset(out, 'a' + rank, MESSAGE);
    MPI_Isend(out, MESSAGE, MPI_CHAR, peer, 1, MPI_COMM_WORLD, &requests[0]);
    MPI_Irecv(in, MESSAGE, MPI_CHAR, peer, 1, MPI_COMM_WORLD, &requests[1]);
    await(requests, 2);
    if (in[0] != 'a' + peer || in[MESSAGE - 1] != 'a' + peer) {
        printf("rank %d did not receive what rank %d sent\n", rank, peer);
        MPI_Abort(MPI_COMM_WORLD, 1);
    }
    return tcp_bytes() - before;
}

static bool can_read(pid_t pid, char *address)
{
    char c;
    struct iovec here = {&c, 1}, there = {address, 1};

    return process_vm_readv(pid, &here, 1, &there, 1, 0) == 1;
}

// Counts the files of /dev/shm that this process maps and shares.
static int count_segments(void)
{
    FILE *f = fopen("/proc/self/maps", "r");
    char line[4096], perms[8];
    unsigned long inode, seen[64];
    int n = 0;

    while (f && fgets(line, sizeof(line), f)) {
        if (!strstr(line, " /dev/shm/") ||
            sscanf(line, "%*s %7s %*s %*s %lu", perms, &inode) != 2 ||
            perms[3] != 's')
            continue;
        int i = 0;
        while (i < n && seen[i] != inode)
            i++;
        if (i == n && n < 64)
            seen[n++] = inode;
    }
    if (f)
        fclose(f);
    return n;
}

static void add(char *list, int peer)
{
    sprintf(list + strlen(list), list[0] ? ",%d" : " %d", peer);
}

static void check(void)
{
    char shared[512] = "", tcp[512] = "", reads[512] = "";
    struct cgroups {
        char node[64];
        pid_t pid;
        char *address;
    } own = {.pid = getpid(), .address = out}, all[RANKS];
    long number = rank + 1, sum = 0;

    snprintf(own.node, sizeof(own.node), "%s", getenv("SLURMD_NODENAME"));
    MPI_Allreduce(&number, &sum, 1, MPI_LONG, MPI_SUM, MPI_COMM_WORLD);
    // Each pair meets in a round of its own. What was set up in the first
    // exchange is no part of the second.
    for (int a = 0; a < size; a++)
        for (int b = a + 1; b < size; b++) {
            if (rank == a || rank == b) {
                int peer = rank == a ? b : a;
                exchange(peer);
                add(exchange(peer) < MESSAGE / 8 ? shared : tcp, peer);
            }
            barrier();
        }
    MPI_Allgather(&own, sizeof(own), MPI_CHAR, all, sizeof(own), MPI_CHAR,
                  MPI_COMM_WORLD);
    for (int i = 0; i < size; i++)
        if (i != rank && strcmp(all[i].node, own.node) == 0 &&
            can_read(all[i].pid, all[i].address))
            add(reads, i);
    printf("rank %d of %d on %s: sum %ld, shared%s, tcp%s, reads%s, "
           "segments %d\n",
           rank, size, own.node, sum, shared, tcp, reads, count_segments());
    MPI_Barrier(MPI_COMM_WORLD);
}

static double latency(void)
{
    double start = MPI_Wtime();

    for (int i = 0; i < TRIPS; i++) {
        if (rank == 0)
            MPI_Send(out, SMALL, MPI_CHAR, 1, 1, MPI_COMM_WORLD);
        MPI_Recv(in, SMALL, MPI_CHAR, !rank, 1, MPI_COMM_WORLD,
                 MPI_STATUS_IGNORE);
        if (rank == 1)
            MPI_Send(out, SMALL, MPI_CHAR, 0, 1, MPI_COMM_WORLD);
    }
    return (MPI_Wtime() - start) / TRIPS / 2;
}

static double bandwidth(void)
{
    MPI_Request requests[WINDOW];
    MPI_Status statuses[WINDOW];
    double start = MPI_Wtime();

    for (int i = 0; i < WINDOW; i++) {
        if (rank == 0)
            MPI_Isend(out, LARGE, MPI_CHAR, 1, 2, MPI_COMM_WORLD, &requests[i]);
        else
            MPI_Irecv(in, LARGE, MPI_CHAR, 0, 2, MPI_COMM_WORLD, &requests[i]);
    }
    MPI_Waitall(WINDOW, requests, statuses);
    // The last byte has come.
    if (rank == 0)
        MPI_Recv(in, 1, MPI_CHAR, 1, 3, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    else
        MPI_Send(out, 1, MPI_CHAR, 0, 3, MPI_COMM_WORLD);
    return (double)WINDOW * LARGE / (MPI_Wtime() - start);
}

// The best of what F measures, of as many spells as SECONDS have room for; the
// first rank's clock says when that is.
static double best(double (*f)(void), bool is_time)
{
    double start = MPI_Wtime(), best = f();
    int go_on = 1;

    while (go_on) {
        double value = f();
        if ((value < best) == is_time)
            best = value;
        go_on = MPI_Wtime() - start < SECONDS;
        MPI_Bcast(&go_on, 1, MPI_INT, 0, MPI_COMM_WORLD);
    }
    return best;
}

// Two nodes of a sandbox are one machine: each rank takes another CPU.
static void take_cpu(void)
{
    cpu_set_t all, one;
    int nth = 0;

    CPU_ZERO(&one);
    if (sched_getaffinity(0, sizeof(all), &all) < 0 || CPU_COUNT(&all) < 2)
        return;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &all) && nth++ == rank)
            CPU_SET(cpu, &one);
    sched_setaffinity(0, sizeof(one), &one);
}

static void measure(void)
{
    take_cpu();
    double time = best(latency, true), rate = best(bandwidth, false);

    if (rank == 0)
        printf("%.4f %.0f\n", time * 1e6, rate / 1e6);
}

// Before MPI has made any threads: they would be without it.
static void filter(void)
{
    struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {1, &allow};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0) {
        perror("mpi: seccomp");
        exit(1);
    }
}

int main(int argc, char **argv)
{
    bool filtered = argc == 2 && strcmp(argv[1], "filtered") == 0;

    if (filtered)
        filter();
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    out = calloc(1, MESSAGE);
    in = calloc(1, MESSAGE);
    if (!out || !in || argc != 2) {
        fprintf(stderr, "usage: mpi check | measure | filtered\n");
        MPI_Abort(MPI_COMM_WORLD, 2);
    } else if (strcmp(argv[1], "check") == 0 && size <= RANKS) {
        check();
    } else if ((filtered || strcmp(argv[1], "measure") == 0) && size == 2) {
        measure();
    } else {
        fprintf(stderr, "mpi: not with %d ranks\n", size);
        MPI_Abort(MPI_COMM_WORLD, 2);
    }
#ifdef MPICH_VERSION
    // Debian's MPICH 4.0 over UCX's TCP, bare as well, often does not come
    // back from MPI_Finalize when another rank is further in it.
    fflush(stdout);
    _exit(0);
#else
    MPI_Finalize();
    return 0;
#endif
}
