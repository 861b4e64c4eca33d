// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// automount DIR [indirect]: makes DIR an automount, as automount(8) makes one
// of a direct map: whoever goes into it finds a tmpfs with the file "came".
// Serves one such visit, and ends. As root; DIR is to be unmounted twice
// afterwards. "indirect": a place for automounts, with one there, "sub". Ends
// when it is killed.

#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/auto_fs.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct autofs_v5_packet packet;
    char options[128], file[4096];
    bool indirect = argc > 2 && strcmp(argv[2], "indirect") == 0;
    int link[2];

    if (argc < 2 || setpgid(0, 0) < 0 || pipe2(link, O_CLOEXEC) < 0)
        return 2;
    snprintf(options, sizeof(options), "fd=%d,pgrp=%d,minproto=5,maxproto=5,%s",
             link[1], (int)getpgrp(), indirect ? "indirect" : "direct");
    if (mount("automount", argv[1], "autofs", 0, options) < 0) {
        perror("automount: mount");
        return 2;
    }
    close(link[1]);
    if (indirect) {
        snprintf(file, sizeof(file), "%s/sub", argv[1]);
        return mkdir(file, 0755) < 0 ||
               mount("sub", file, "tmpfs", 0, "mode=755") < 0 || pause();
    }
    // For this process it is a directory like any other.
    int dir = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0 || read(link[0], &packet, sizeof(packet)) <= 0 ||
        packet.hdr.type != autofs_ptype_missing_direct ||
        mount("came", argv[1], "tmpfs", 0, "mode=755") < 0)
        return 1;
    snprintf(file, sizeof(file), "%s/came", argv[1]);
    close(open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    return ioctl(dir, AUTOFS_IOC_READY, packet.wait_queue_token) < 0;
}
