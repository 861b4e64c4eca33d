// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// What the administrator allows: parsed from the words that stand behind
// spank_berth.so in plugstack.conf, and the decision on a request. Pure:
// words and facts in, verdict and reason out.
#ifndef BERTH_POLICY_H
#define BERTH_POLICY_H

#include <stdbool.h>
#include <stddef.h>

#include "core/err.h"
#include "core/imgref.h"

// Where a word was read. FILE may be NULL and LINE 0 where that is unknown:
// sentences then say "plugstack.conf".
struct policy_origin {
    const char *file; // borrowed while parsing, copied by the policy
    int line;
    bool cut; // the line is longer than Slurm reads: words have lost their
              // end, and would allow more than the administrator wrote
};

struct policy;

// Parses the plugin's words ("allow=PATTERN", "engine=unix:///PATH",
// "cdi=VENDOR/CLASS"). No allow= word: nothing is allowed. An unknown key, a
// malformed or empty value, a second engine= or cdi=, a socket path of more
// than 107 bytes, a cut line: ERR (BERTH_EINVAL) is one sentence that names
// file, line and word and says what was expected. Returns a new policy, to
// be given to policy_free, or NULL with ERR set.
struct policy *policy_parse(size_t argc, const char *const *argv,
                            const struct policy_origin *origin,
                            struct berth_err *err);

void policy_free(struct policy *policy); // NULL is fine; keeps errno

// The path of the engine's Unix socket, borrowed; "/run/docker.sock" unless
// engine= says otherwise.
const char *policy_engine(const struct policy *policy);

// The kind of the CDI devices by which GPUs are asked for ("nvidia.com/gpu"),
// borrowed; NULL unless cdi= names one.
const char *policy_cdi(const struct policy *policy);

enum policy_verdict { POLICY_DENY = 0, POLICY_ALLOW = 1 };

struct policy_decision {
    enum policy_verdict verdict;
    char rule[1024];   // the pattern that allowed it, else empty
    char reason[1024]; // of a denial: one whole sentence for the user, with
                       // the image, the file and line, the allowed patterns
                       // (the first few, and how many more)
};

// Decides whether REF may run. Never fails: anything but ALLOW is a denial.
// POLICY may be NULL, which is a denial without a reason.
void policy_check_image(const struct policy *policy,
                        const struct imgref *ref,
                        struct policy_decision *out);

#endif
