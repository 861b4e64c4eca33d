// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The keys of berth.conf(5): what each takes, and where it goes in the
// rules. For core/policy.c alone.
#ifndef BERTH_KEYS_H
#define BERTH_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "core/rules.h"

// One value as it was read.
struct value {
    struct rule rule;       // its text is owned
    struct imgpat *pattern; // owned, or NULL
    uint64_t number;        // of what is no list, nor a text
    unsigned percent;       // of a size
};

// How the value is kept in the rules.
enum key_kind {
    KEY_LIST = 0, // struct rule_list
    KEY_U32 = 1,  // uint32_t, unsigned or an enum
    KEY_U64 = 2,
    KEY_BOOL = 3,
    KEY_SIZE = 4, // struct rule_size
    KEY_TEXT = 5, // const char *
};

enum { KEY_NO_RULE = 0 };

struct key {
    const char *name;
    enum key_kind kind;
    // Checks the value's text, and fills in the rest. 0, or -1 with ERR set:
    // what was expected.
    int (*parse)(struct value *value, struct berth_err *err);
    size_t at;      // its place in struct rules
    size_t rule_at; // that of where it stands, or KEY_NO_RULE
    const struct rule *defaults; // of a list, or NULL; the last has no text
};

// What can stand at the top and in sections that override it. The last has
// no name.
extern const struct key keys[];

// What can stand at the top only, and is in no rules.
extern const struct key key_audit_log;

// What stands in a device_set.
extern const struct key key_files;

// Says whether TITLE can be that of a section of KIND ("partition", "group",
// "gid", "user", "uid", "device_set"). 0, or -1 with ERR set.
int key_check_title(const char *kind, const char *title,
                    struct berth_err *err);

// Fills in what holds without any key, but for the lists' defaults.
void keys_default(struct rules *rules);

#endif
