// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// fuse DIR UID [MODE]: mounts at DIR a file system of user UID's, with a file,
// "hello", and a directory, "sub", that nobody else may look into, root
// included. MODE "hang": it answers no question about a file, as a file server
// that is gone. "user": others may look into it, but get no answer, and each
// of their questions, but for those of a close, is a line of output. "once":
// others may look into it, and it answers the first question for "sub", and no
// other one for that. Ends when it is unmounted. As root.

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { TOP = 1, HELLO = 2, SUB = 3 };

static const char text[] = "hello from FUSE\n";
static int dev;
static uint32_t uid;
static const char *mode = "";

static void reply(uint64_t unique, int error, const void *data, size_t len)
{
    struct fuse_out_header head = {.len = (uint32_t)(sizeof(head) + len),
                                   .error = -error,
                                   .unique = unique};
    struct iovec iov[] = {{&head, sizeof(head)}, {(void *)data, len}};

    if (writev(dev, iov, 2) < 0 && errno != ENOENT)
        perror("fuse: writev");
}

static struct fuse_attr attr_of(uint64_t node)
{
    return (struct fuse_attr){
        .ino = node,
        .size = node == HELLO ? sizeof(text) - 1 : 0,
        .mode = node == HELLO ? S_IFREG | 0400 : S_IFDIR | 0700,
        .nlink = 1,
        .uid = uid,
        .gid = uid,
    };
}

static void list(uint64_t unique, const struct fuse_read_in *in)
{
    char buf[128] = "";
    struct fuse_dirent *d = (struct fuse_dirent *)buf;

    d->ino = HELLO;
    d->off = 1;
    d->namelen = 5;
    d->type = S_IFREG >> 12;
    memcpy(d->name, "hello", 5);
    reply(unique, 0, buf, in->offset ? 0 : FUSE_DIRENT_SIZE(d));
}

static void answer(const struct fuse_in_header *in, const void *arg)
{
    struct fuse_init_out init = {
        .major = FUSE_KERNEL_VERSION, .minor = 31, .max_write = 4096};
    struct fuse_attr_out attr = {.attr = attr_of(in->nodeid)};
    struct fuse_entry_out entry = {.nodeid = HELLO, .attr = attr_of(HELLO)};
    struct fuse_entry_out sub = {.nodeid = SUB, .attr = attr_of(SUB)};
    struct fuse_open_out opened = {0};
    struct fuse_statfs_out statfs = {0};
    const struct fuse_read_in *range = arg;

    switch (in->opcode) {
    case FUSE_INIT:
        reply(in->unique, 0, &init, sizeof(init));
        break;
    case FUSE_GETATTR:
        reply(in->unique, 0, &attr, sizeof(attr));
        break;
    case FUSE_LOOKUP:
        if (strcmp(arg, "hello") == 0)
            reply(in->unique, 0, &entry, sizeof(entry));
        else if (strcmp(arg, "sub") == 0)
            reply(in->unique, 0, &sub, sizeof(sub));
        else
            reply(in->unique, ENOENT, NULL, 0);
        break;
    case FUSE_OPEN:
    case FUSE_OPENDIR:
        reply(in->unique, 0, &opened, sizeof(opened));
        break;
    case FUSE_READDIR:
        list(in->unique, range);
        break;
    case FUSE_READ:
        if (range->offset >= sizeof(text) - 1)
            reply(in->unique, 0, NULL, 0);
        else
            reply(in->unique, 0, text + range->offset,
                  sizeof(text) - 1 - range->offset);
        break;
    case FUSE_STATFS:
        reply(in->unique, 0, &statfs, sizeof(statfs));
        break;
    case FUSE_RELEASE:
    case FUSE_RELEASEDIR:
    case FUSE_FLUSH:
    case FUSE_ACCESS:
        reply(in->unique, 0, NULL, 0);
        break;
    case FUSE_FORGET:
    case FUSE_BATCH_FORGET:
    case FUSE_INTERRUPT:
        break;
    default:
        reply(in->unique, ENOSYS, NULL, 0);
    }
}

// Says whether the question IN is to be answered in this mode.
static bool answers(const struct fuse_in_header *in, const char *arg)
{
    static bool asked;

    if (in->opcode == FUSE_INIT)
        return true;
    if (strcmp(mode, "user") == 0 && in->uid != uid &&
        in->opcode != FUSE_FORGET && in->opcode != FUSE_BATCH_FORGET &&
        in->opcode != FUSE_INTERRUPT &&
        // Slurm opens a task's files as the user, and closes them as root.
        in->opcode != FUSE_FLUSH && in->opcode != FUSE_RELEASE) {
        printf("user %u, process %u: question %u\n", in->uid, in->pid,
               in->opcode);
        fflush(stdout);
        return false;
    }
    if (strcmp(mode, "once") == 0 && in->opcode == FUSE_LOOKUP &&
        strcmp(arg, "sub") == 0) {
        bool first = !asked;
        asked = true;
        return first;
    }
    return strcmp(mode, "hang") != 0;
}

int main(int argc, char **argv)
{
    static char buf[1 << 20];
    char options[128];

    dev = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    if (argc < 3 || dev < 0) {
        perror("fuse: /dev/fuse");
        return 1;
    }
    mode = argc > 3 ? argv[3] : "";
    uid = (uint32_t)strtoul(argv[2], NULL, 10);
    snprintf(options, sizeof(options),
             "fd=%d,rootmode=40700,user_id=%u,group_id=%u%s", dev, uid, uid,
             mode[0] && strcmp(mode, "hang") != 0 ? ",allow_other" : "");
    if (mount("berth-test", argv[1], "fuse", MS_NOSUID | MS_NODEV, options)) {
        perror("fuse: mount");
        return 1;
    }
    for (;;) {
        ssize_t n = read(dev, buf, sizeof(buf));
        const struct fuse_in_header *in = (const void *)buf;
        if (n < 0 && (errno == EINTR || errno == ENOENT))
            continue;
        if (n < (ssize_t)sizeof(*in))
            return 0; // unmounted
        if (answers(in, (const char *)(in + 1)))
            answer(in, in + 1);
    }
}
