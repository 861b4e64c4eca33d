// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: lines whose writers have seen to it that they are one each.

#include "node/tell.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

void tell_syslog(int priority, const char *line)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
    char head[64], when[32] = "";
    time_t now = time(NULL);
    struct tm tm;

    if (localtime_r(&now, &tm))
        strftime(when, sizeof(when), "%b %e %T", &tm);
    int n = snprintf(head, sizeof(head), "<%d>%s berth-stepd[%d]: ", priority,
                     when, (int)getpid());
    struct iovec iov[] = {{head, (size_t)n}, {(char *)line, strlen(line)}};
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
        (void)!sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
    close(fd);
}
