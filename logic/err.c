// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include "logic/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "logic/utf8.h"

int err_set(struct berth_err *err, enum berth_errc code, const char *fmt, ...)
{
    int saved = errno;

    if (err) {
        va_list ap;
        va_start(ap, fmt);
        err->code = code;
        vsnprintf(err->text, sizeof(err->text), fmt, ap);
        va_end(ap);
    }
    errno = saved;
    return -1;
}

int err_prefix(struct berth_err *err, const char *fmt, ...)
{
    int saved = errno;

    if (err) {
        char old[sizeof(err->text)];
        va_list ap;
        memcpy(old, err->text, sizeof(old));
        va_start(ap, fmt);
        int n = vsnprintf(err->text, sizeof(err->text), fmt, ap);
        va_end(ap);
        size_t used = n < 0 ? 0 : (size_t)n;
        for (const char *p = ": "; *p && used < sizeof(err->text) - 1; p++)
            err->text[used++] = *p;
        for (const char *p = old; *p && used < sizeof(err->text) - 1; p++)
            err->text[used++] = *p;
        if (used < sizeof(err->text))
            err->text[used] = 0;
    }
    errno = saved;
    return -1;
}

void err_advise(struct berth_err *err)
{
    static const char tell[] = ": tell your administrator";
    static const char again[] = "; try again, or tell your administrator";
    const char *advice = err->code == BERTH_EENGINE    ? tell
                         : err->code == BERTH_EREFUSED ? tell
                         : err->code == BERTH_ESYS     ? tell
                         : err->code == BERTH_ETOOBIG  ? tell
                         : err->code == BERTH_ENOMEM   ? again
                         : err->code == BERTH_ETIMEOUT ? again
                                                       : "";
    size_t len = strlen(err->text);

    if (len == 0 || strstr(err->text, "administrator"))
        return;
    // What is long is cut, and not what to do.
    if (len > sizeof(err->text) - 1 - strlen(advice))
        len = sizeof(err->text) - 1 - strlen(advice);
    strcpy(err->text + len, advice);
}

void err_scrub(char *text)
{
    utf8_scrub(text);
}

void err_quote(const char *text, char *buf, size_t size)
{
    if (!text)
        text = "";
    size_t len = strnlen(text, size);
    bool cut = len == size;

    if (cut) {
        len = size - sizeof("...");
        // Not in the middle of a character.
        while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
            len--;
    }
    memcpy(buf, text, len);
    buf[len] = 0;
    if (cut)
        memcpy(buf + len, "...", sizeof("..."));
    err_scrub(buf);
}
