// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: a sentence of ours, in which words of an image's or a user's may be.
#include "handover/say.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "logic/utf8.h"
#include "protocol/wire.h"

void say(int fd, const char *fmt, ...)
{
    char text[WIRE_TEXT_MAX + 64] = "berth: ";
    int saved = errno;
    size_t len = strlen(text);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text + len, sizeof(text) - len - 1, fmt, ap);
    va_end(ap);
    for (char *line = text, *end;; line = end) {
        end = line + strcspn(line, "\n");
        char last = *end;
        *end = 0;
        utf8_scrub(line);
        *end = last;
        if (!last)
            break;
        end++;
    }
    len = strlen(text);
    text[len++] = '\n';
    while (write(fd, text, len) < 0 && errno == EINTR)
        ;
    errno = saved;
}
