// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The audit log: who asked for what, what was decided by which rule, and
// from when to when it ran. One line each, a JSON object, as berth.conf(5)
// has it ("AUDIT LOG"). What a step is called and asks for are the user's
// words: they are escaped, and cannot make a line of their own. No values
// of the environment.
//
// Writing never fails a step, nor does it wait: what syslog does not take at
// once is lost, and what a file does not take goes to syslog.
#ifndef BERTH_AUDIT_LOG_H
#define BERTH_AUDIT_LOG_H

#include <jansson.h>
#include <stdbool.h>
#include <time.h>

#include "logic/err.h"
#include "logic/rules.h"
#include "logic/step.h"

// Zeroed, it knows nothing, and goes to syslog.
struct audit_log {
    char *to;      // "syslog", "none" or the path of a file; NULL: "syslog"
    json_t *facts; // what each line says
    const char *verdict; // NULL until there is one
    bool started;
    bool kept; // the step is over: its container serves others
    struct timespec start;
    int dir; // of the step, once it is started
};

// Notes the facts of STEP, and its user's name (NULL: unknown). Some of STEP
// may be missing.
void audit_log_open(struct audit_log *log, const struct step *step,
                    const char *user);

// From now on lines go there: the key "audit_log" of berth.conf(5).
void audit_log_send_to(struct audit_log *log, const char *to);

// Notes a fact, such as "name" or "partition"; NULL and "" are none. TEXT is
// copied.
void audit_log_note(struct audit_log *log, const char *key, const char *text);

// Notes the rule that decided; NULL: none did.
void audit_log_rule(struct audit_log *log, const struct rule *rule);

// All that was asked for is allowed.
void audit_log_allow(struct audit_log *log);
// The container is there, and tasks can begin. In DIR, the step's directory
// (node/store.h), goes what audit_log_end_for needs, until the end.
void audit_log_start(struct audit_log *log, int dir);
// What was to be done in place of a container is: EVENT says what.
void audit_log_did(struct audit_log *log, const char *event);
// There will be no container. If no verdict was given yet, and WHY says that
// somebody's words are at fault, it is a denial; else it failed.
void audit_log_fail(struct audit_log *log, const struct berth_err *why);
// The container goes. EXIT is "step", as the step is over, or "container",
// as it ended by itself. Without a start nothing is written.
void audit_log_end(struct audit_log *log, const char *exit);
// The step is over, and its container serves a later one. Its own end will be
// an event "gone", by audit_log_end, with EXIT "idle", "job" or "container".
void audit_log_keep(struct audit_log *log, int dir);
// The same, with "killed", for a berth-stepd that was killed before it could:
// nothing is written if none was that left the step's directory DIR.
void audit_log_end_for(int dir);

void audit_log_close(struct audit_log *log);

#endif
