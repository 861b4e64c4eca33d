// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: whoever can reach the port. What does not begin with the secret, or is
// no line of berth's, is dropped; a line is believed, since who has the secret
// is root, or a process of this user's, who can but deceive himself. It leads
// to one sentence at most, and to nothing else.

#include "spank/compare.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <slurm/slurm.h>
#include <slurm/spank.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "protocol/compare.h"
#include "spank/option_env.h"

enum {
    LINE_MS = 1000, // for a line to come, once somebody has connected
    // Of those who connect and tell nothing, so many are put up with.
    STRANGERS_MAX = 1000,
};

struct word {
    char text[COMPARE_WORD_MAX];
};

struct told {
    struct word node, name, id, digest;
};

struct compare {
    int listener;
    int stop[2]; // closed at one end: the step is over
    pthread_t thread;
    atomic_uint nnodes; // that are to tell
    char secret[COMPARE_SECRET + 1];
    struct told first;
};

// --- what comes --------------------------------------------------------------

// Takes the next word of *LINE. False: there is none, or nothing to show.
static bool next_word(char **line, struct word *out)
{
    const char *word = strsep(line, " ");

    if (!word || !*word || strlen(word) >= sizeof(out->text))
        return false;
    for (const char *p = word; *p; p++)
        if (*p <= ' ' || *p > '~')
            return false;
    strcpy(out->text, word);
    return true;
}

static bool parse(const struct compare *c, char *line, struct told *out)
{
    struct word secret;

    return next_word(&line, &secret) && strcmp(secret.text, c->secret) == 0 &&
           next_word(&line, &out->node) && next_word(&line, &out->name) &&
           next_word(&line, &out->id) && next_word(&line, &out->digest) &&
           !line;
}

static long long now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

// Waits MS at most (-1: for ever) until there is something to read from FD.
// False: there is not, or the step is over and nothing is.
static bool wait_for(const struct compare *c, int fd, int ms)
{
    struct pollfd p[2] = {{fd, POLLIN, 0}, {c->stop[0], POLLIN, 0}};
    int n;

    do
        n = poll(p, 2, ms);
    while (n < 0 && errno == EINTR);
    return n > 0 && p[0].revents;
}

// Reads the line of whoever has connected. False: it is none.
static bool read_line(const struct compare *c, int conn,
                      char line[COMPARE_LINE_MAX])
{
    long long end = now_ms() + LINE_MS;
    size_t len = 0;

    while (len < COMPARE_LINE_MAX - 1 && now_ms() < end &&
           wait_for(c, conn, LINE_MS)) {
        ssize_t n =
            recv(conn, line + len, COMPARE_LINE_MAX - 1 - len, MSG_DONTWAIT);
        if (n <= 0)
            return false;
        len += (size_t)n;
        line[len] = 0;
        char *newline = strchr(line, '\n');
        if (newline) {
            *newline = 0;
            return true;
        }
    }
    return false;
}

// "sha256:0123456789ab", which is how engines show an ID.
static int shown(const struct told *told)
{
    return (int)(strcspn(told->id.text, ":") + 13);
}

static bool is_known(const struct told *told)
{
    return strcmp(told->digest.text, "-") != 0;
}

// For machines of two kinds one digest is two images, and meant to be.
static bool is_same(const struct told *a, const struct told *b)
{
    return strcmp(a->id.text, b->id.text) == 0 ||
           (is_known(a) && strcmp(a->digest.text, b->digest.text) == 0);
}

static void tell_apart(const struct told *a, const struct told *b)
{
    const struct told *known = is_known(a) ? a : is_known(b) ? b : NULL;
    char advice[COMPARE_WORD_MAX + 128] = "";

    if (known)
        snprintf(advice, sizeof(advice), " (%s is that of node %s)",
                 known->digest.text, known->node.text);
    slurm_error("berth: %s is not the same on all nodes of this step: "
                "it is the image %.*s on node %s, and %.*s on node %s: name it "
                "by its digest%s, or ask your administrator, who compares the "
                "nodes by berth-images check",
                a->name.text, shown(a), a->id.text, a->node.text, shown(b),
                b->id.text, b->node.text, advice);
}

// Takes in what comes on CONN. True: there is nothing more to find out.
static bool hear(struct compare *c, int conn, unsigned *heard)
{
    char line[COMPARE_LINE_MAX];
    struct told *told = malloc(sizeof(*told));
    bool done = false;

    if (told && read_line(c, conn, line) && parse(c, line, told)) {
        if ((*heard)++ == 0)
            c->first = *told;
        done = !is_same(&c->first, told);
        if (done)
            tell_apart(&c->first, told);
    }
    free(told);
    return done || *heard >= atomic_load(&c->nnodes);
}

static void *listen_on(void *arg)
{
    struct compare *c = arg;
    unsigned heard = 0;
    bool done = false;

    for (unsigned n = 0; !done && n < atomic_load(&c->nnodes) + STRANGERS_MAX &&
                         wait_for(c, c->listener, -1);
         n++) {
        int conn = accept4(c->listener, NULL, NULL, SOCK_CLOEXEC);
        if (conn < 0)
            continue;
        done = hear(c, conn, &heard);
        close(conn);
    }
    return NULL;
}

// --- beginning and end -------------------------------------------------------

static int bind_to(int fd, int family, uint16_t port)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6,
                               .sin6_port = htons(port),
                               .sin6_addr = IN6ADDR_ANY_INIT};
    struct sockaddr_in four = {.sin_family = AF_INET,
                               .sin_port = htons(port),
                               .sin_addr = {htonl(INADDR_ANY)}};

    return family == AF_INET6
               ? bind(fd, (struct sockaddr *)&six, sizeof(six))
               : bind(fd, (struct sockaddr *)&four, sizeof(four));
}

// Where a firewall is, SrunPortRange says which ports it lets through.
static int bind_in_range(int fd, int family)
{
    const slurm_conf_t *conf = dlsym(RTLD_DEFAULT, "slurm_conf");
    const uint16_t *range = conf ? conf->srun_port_range : NULL;
    unsigned start;

    if (!range || !range[0] || range[1] < range[0])
        return bind_to(fd, family, 0);
    unsigned n = range[1] - range[0] + 1U;
    if (getrandom(&start, sizeof(start), 0) < 0)
        start = 0;
    for (unsigned i = 0; i < n; i++)
        if (bind_to(fd, family, (uint16_t)(range[0] + (start + i) % n)) == 0)
            return 0;
    return -1;
}

// A socket that listens, for IPv6 and IPv4 where there is both. Returns it, or
// -1.
static int open_listener(uint16_t *port)
{
    static const int families[] = {AF_INET6, AF_INET};
    struct sockaddr_in6 at; // the port is at one place in both
    socklen_t len = sizeof(at);
    int zero = 0;

    for (size_t i = 0; i < sizeof(families) / sizeof(*families); i++) {
        int fd =
            socket(families[i], SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
            continue;
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
        if (bind_in_range(fd, families[i]) == 0 && listen(fd, SOMAXCONN) == 0 &&
            getsockname(fd, (struct sockaddr *)&at, &len) == 0) {
            *port = ntohs(at.sin6_port);
            return fd;
        }
        close(fd);
    }
    return -1;
}

static bool make_secret(char out[COMPARE_SECRET + 1])
{
    unsigned char bytes[COMPARE_SECRET / 2];

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        return false;
    for (size_t i = 0; i < sizeof(bytes); i++)
        sprintf(out + 2 * i, "%02x", bytes[i]);
    return true;
}

// srun's signals are for its own threads.
static int start_thread(struct compare *c)
{
    sigset_t all, old;

    sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &old) != 0)
        return -1;
    int rc = pthread_create(&c->thread, NULL, listen_on, c);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return rc == 0 ? 0 : -1;
}

static void close_all(struct compare *c)
{
    int fds[] = {c->listener, c->stop[0], c->stop[1]};

    for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++)
        if (fds[i] >= 0)
            close(fds[i]);
    free(c);
}

struct compare *compare_begin(uint32_t nnodes)
{
    struct compare *c = calloc(1, sizeof(*c));
    char where[COMPARE_WHERE_MAX];
    uint16_t port = 0;

    if (!c)
        return NULL;
    c->listener = c->stop[0] = c->stop[1] = -1;
    atomic_init(&c->nnodes, nnodes);
    if (make_secret(c->secret) && pipe2(c->stop, O_CLOEXEC) == 0 &&
        (c->listener = open_listener(&port)) >= 0 && start_thread(c) == 0) {
        snprintf(where, sizeof(where), "%u %s", port, c->secret);
        option_env_send_compare(where);
        return c;
    }
    close_all(c);
    return NULL;
}

void compare_add(struct compare *compare, uint32_t nnodes)
{
    atomic_fetch_add(&compare->nnodes, nnodes);
}

void compare_end(struct compare *compare)
{
    if (!compare)
        return;
    close(compare->stop[1]);
    compare->stop[1] = -1;
    pthread_join(compare->thread, NULL);
    close_all(compare);
}
