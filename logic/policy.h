// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// What the administrator wrote: the words behind spank_berth.so in
// plugstack.conf, and the text of berth.conf(5). Pure: both come as
// arguments, and nothing here opens a file. logic/decide.h decides by it.
#ifndef BERTH_POLICY_H
#define BERTH_POLICY_H

#include <stdbool.h>
#include <stddef.h>

#include "logic/decision.h"
#include "logic/err.h"
#include "logic/root_ids.h"
#include "logic/rules.h"

// Where the words of plugstack.conf were read. FILE may be NULL and LINE 0
// where that is unknown: sentences then say "plugstack.conf".
struct policy_source {
    const char *words_file; // borrowed while parsing, copied by the policy
    int words_line;
    bool cut; // the line is longer than Slurm reads: words have lost their
              // end, and would allow more than the administrator wrote
};

struct policy;

// The path of berth.conf: what "conf=" says among the plugin's words, else
// SYSCONFDIR/slurm/berth.conf. Borrowed from ARGV or static. GIVEN (may be
// NULL) says whether it was named: only then is it an error that the file
// is not there.
const char *policy_conf_path(size_t argc, const char *const *argv, bool *given);

// Parses the plugin's words ("allow=PATTERN", "engine=unix:///PATH",
// "cdi=VENDOR/CLASS", "conf=/PATH"; SOURCE may be NULL) and the CONF_LEN
// bytes of CONF_TEXT, which stand in CONF_FILE. CONF_TEXT is NULL where
// there is no berth.conf: then the words alone count, and may not have a
// conf=. No allow at all: nothing is allowed.
//
// Whatever is not understood is an error (BERTH_EINVAL): an unknown key or
// word, a malformed or empty value, the same key twice in one place, a
// second engine= or cdi=, a cut line. ERR is then one sentence that names
// file, line and word and says what was expected. Returns a new policy, to
// be given to policy_free, or NULL with ERR set.
struct policy *policy_parse(size_t argc, const char *const *argv,
                            const struct policy_source *source,
                            const char *conf_file, const char *conf_text,
                            size_t conf_len, struct berth_err *err);

void policy_free(struct policy *policy); // NULL is fine; keeps errno

enum { POLICY_FINGERPRINT = 17 }; // hexadecimal digits, and a NUL

// What tells policies apart that differ in a word of the plugin's (but
// engine=, conf=) or in the text of berth.conf, borrowed. Not against anybody
// who wants two to look the same.
const char *policy_fingerprint(const struct policy *policy);

// The path of the engine's Unix socket, borrowed; "/run/docker.sock" unless
// engine= says otherwise.
const char *policy_engine(const struct policy *policy);

// The same of the one that runs containers in which a user is root: that of
// root_engine, or else the only one.
const char *policy_root_engine(const struct policy *policy);

// The user IDs that such containers have on the node, borrowed; NULL unless
// root_ids says which.
const struct root_ids *policy_root_ids(const struct policy *policy);

// The kind of the CDI devices by which GPUs are asked for ("nvidia.com/gpu"),
// borrowed; NULL unless cdi= names one.
const char *policy_cdi(const struct policy *policy);

// Where audit lines go, borrowed: "syslog" (unless audit_log says otherwise),
// "none", or the absolute path of a file.
const char *policy_audit_log(const struct policy *policy);

// How much room the images have that berth has fetched: MAX is what they all
// may have together, and FREE what is kept free of the engine's disk by letting
// them go. Percents are the disk's; without any, there is no such bound.
void policy_images(const struct policy *policy, struct rule_size *max,
                   struct rule_size *free);

// The title of the I-th section of KIND ("partition"), borrowed; NULL if there
// are no more than I.
const char *policy_section(const struct policy *policy, const char *kind,
                           size_t i);

// The same of those for a partition.
const char *policy_partition(const struct policy *policy, size_t i);

// Makes the rules that hold for SUBJECT: the sections that are about him
// laid over the rest, in the order system, partition, group, gid, user, uid.
// Of several groups each counts, in the file's order. OUT borrows from
// POLICY and is to be given to rules_clear. Returns 0, or -1 with ERR set
// (memory is out) and OUT zeroed.
int policy_rules(const struct policy *policy, const struct subject *subject,
                 struct rules *out, struct berth_err *err);

void rules_clear(struct rules *rules); // of policy_rules; keeps errno

#endif
