// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: berth's own words, and targets of HTTP requests, which
// engine/engine.c makes of names that it has checked or encoded.

#include "stepd/trace.h"

#include <stdio.h>
#include <syslog.h>

#include "engine/clock.h"
#include "engine/http.h"
#include "logic/err.h"
#include "node/tell.h"

// So many phases come before the policy is known.
enum { KEPT_MAX = 4 };

struct phase {
    const char *what;
    bool failed;
    long long ms, since_start;
};

static struct {
    const struct step *step;
    long long start, last; // by clock_ms
    bool known, wanted;
    size_t nkept;
    struct phase kept[KEPT_MAX];
} trace;

static void write_line(const char *text)
{
    char name[STEP_NAME_MAX], line[1200];

    step_name(trace.step->job, trace.step->step, name);
    snprintf(line, sizeof(line), "debug: step %s: %s", name, text);
    err_scrub(line);
    tell_syslog(LOG_DAEMON | LOG_DEBUG, line);
}

static void write_phase(const struct phase *phase)
{
    char text[256];

    snprintf(text, sizeof(text), "%s%s: %lld ms, %lld ms since the start",
             phase->what, phase->failed ? " (failed)" : "", phase->ms,
             phase->since_start);
    write_line(text);
}

static void write_call(const struct http_call_seen *call)
{
    char text[1024], status[16] = "no answer";

    if (call->status)
        snprintf(status, sizeof(status), "%d", call->status);
    snprintf(text, sizeof(text), "engine: %s %.900s: %s, %lld ms", call->method,
             call->target, status, call->ms);
    write_line(text);
}

void trace_start(const struct step *step)
{
    trace.step = step;
    trace.start = trace.last = clock_ms();
}

void trace_want(bool wanted)
{
    trace.known = true;
    trace.wanted = wanted;
    if (!wanted)
        return;
    for (size_t i = 0; i < trace.nkept; i++)
        write_phase(&trace.kept[i]);
    http_on_call(write_call);
}

void trace_begin(void)
{
    if (trace.wanted)
        trace.last = clock_ms();
}

int trace_phase(const char *what, int rc)
{
    if (trace.known && !trace.wanted)
        return rc;
    long long now = clock_ms();
    const struct phase phase = {what, rc < 0, now - trace.last,
                                now - trace.start};
    trace.last = now;
    if (trace.wanted)
        write_phase(&phase);
    else if (trace.nkept < KEPT_MAX)
        trace.kept[trace.nkept++] = phase;
    return rc;
}
