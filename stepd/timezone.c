// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: a file of the node's, root's own (RFC 8536). Its last line is all
// that is read of it.

#include "stepd/timezone.h"

#include <ctype.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool timezone_read(const char *path, char out[TIMEZONE_MAX])
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    char magic[5] = "", end[TIMEZONE_MAX + 1];
    struct stat st;
    ssize_t n = -1;

    if (fd < 0)
        return false;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
        pread(fd, magic, sizeof(magic), 0) == sizeof(magic)) {
        off_t from = st.st_size > TIMEZONE_MAX ? st.st_size - TIMEZONE_MAX : 0;
        n = pread(fd, end, TIMEZONE_MAX, from);
    }
    close(fd);
    // Version 1 has no such line.
    if (n < 3 || memcmp(magic, "TZif", 4) != 0 || !magic[4] ||
        end[n - 1] != '\n')
        return false;
    end[n - 1] = '\0';
    const char *line = memrchr(end, '\n', (size_t)n - 1);
    if (!line || !*++line || !strcmp(line, "UTC0"))
        return false;
    for (const char *p = line; *p; p++)
        if (!isgraph((unsigned char)*p))
            return false;
    strcpy(out, line);
    return true;
}
