// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// What the audit log has of a job, and the same in sentences.
#ifndef BERTH_EXPLAIN_H
#define BERTH_EXPLAIN_H

#include <jansson.h>
#include <stdio.h>

#include "logic/err.h"

// Reads LOG, a file of berth's own or syslog's, for lines of the audit log
// that are about WHAT, "JOB" or "JOB.STEP". All else in it is passed over.
// Returns {"lines": [...]}, owned by the caller; or NULL with ERR set:
// BERTH_EINVAL (WHAT), BERTH_ESYS (LOG cannot be read) or BERTH_ENOMEM.
json_t *explain_read(FILE *log, const char *what, struct berth_err *err);

// Writes to TO what explain_read's REPORT says, step by step. What users
// wrote is made fit for a terminal.
void explain_print(const json_t *report, FILE *to);

#endif
