// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// What berth-policy(1) says: a JSON object, or the same as text.
#ifndef BERTH_REPORT_H
#define BERTH_REPORT_H

#include <jansson.h>
#include <stdio.h>

#include "logic/decision.h"
#include "logic/err.h"

// The verdict on one request. Each part of what the container would be
// stands with the rule behind it, and the create request, in which what only
// a node or an engine knows is a word in angle brackets. NULL: memory is
// out, or ERR (the request cannot be made).
json_t *report_decision(const struct decision *decision,
                        const struct subject *subject, struct berth_err *err);

// A refusal before there was a decision: a policy in error.
json_t *report_error(const struct berth_err *err);

// What RULES say.
json_t *report_rules(const struct rules *rules);

// Writes REPORT for a reader.
void report_print(const json_t *report, FILE *to);

#endif
