// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// How a decision says no: each of these writes one sentence for the user to
// the decision, and how it is to be taken. Pure.
#ifndef BERTH_DENY_H
#define BERTH_DENY_H

#include "logic/decision.h"

enum {
    DENY_WHERE_MAX = 256, // "FILE line N"
    DENY_SHOWN_MAX = 8,   // values that a denial lists
    DENY_LIST_MAX = 512,  // "a, b and 3 more"
    DENY_RULE_MAX = 256,  // one value
    DENY_PATH_MAX = 200,  // of a path that is shown, for err_quote
};

// What nobody can allow, or what is not understood. Returns -1.
int deny_malformed(struct decision *out, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

// What the administrator does not allow, whatever the mode. Returns -1.
int deny_always(struct decision *out, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

// What is in none of the administrator's lists. Returns -1; or 0 where the
// mode lets it pass, and the first reason is noted as a warning.
int deny_unless_permissive(struct decision *out, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

// Memory is out. Returns -1.
int deny_memory(struct decision *out);

// Writes where RULE stands; RULE may be NULL. Returns BUF.
const char *deny_where(const struct rule *rule, char buf[DENY_WHERE_MAX]);

// Writes what RULE says, for SUBJECT (or NULL): his name and not a variable.
// Returns BUF.
const char *deny_rule(const struct rule *rule, const struct subject *subject,
                      char buf[DENY_RULE_MAX]);

// Writes the first few of LIST so, and how many more there are. Returns BUF.
const char *deny_list(const struct rule_list *list,
                      const struct subject *subject, char buf[DENY_LIST_MAX]);

// Appends to BUF of SIZE bytes what fits whole; says whether it did.
bool deny_append(char *buf, size_t size, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
