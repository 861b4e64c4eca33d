// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The keys of berth.conf(5): what each takes, and where it goes in the
// rules. For logic/policy.c alone.
#ifndef BERTH_KEYS_H
#define BERTH_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "logic/err.h"
#include "logic/rules.h"

// One value as it was read.
struct value {
    struct rule rule; // its text is the file's; what was parsed is owned, in
                      // one block
    uint64_t number;  // of what is no list, nor a text
    unsigned percent; // of a size
};

// How the value is kept in the rules.
enum key_kind {
    KEY_LIST = 0, // struct rule_list
    KEY_U32 = 1,  // uint32_t, unsigned or an enum
    KEY_U64 = 2,
    KEY_BOOL = 3,
    KEY_SIZE = 4,  // struct rule_size
    KEY_TEXT = 5,  // const char *
    KEY_APART = 6, // in no rules: logic/policy.c takes care of it
};

// Where Docker is.
#define KEY_DEFAULT_ENGINE "/run/docker.sock"

enum {
    KEY_NO_RULE = 0,
    KEYS_MAX = 72, // of one place
};

struct key {
    const char *name;
    enum key_kind kind;
    // Checks the value's text, and fills in the rest. 0, or -1 with ERR set:
    // what was expected.
    int (*parse)(struct value *value, struct berth_err *err);
    size_t at;                   // its place in struct rules
    size_t rule_at;              // that of where it stands, or KEY_NO_RULE
    const struct rule *defaults; // of a list, or NULL; the last has no text
};

// What can stand at the top. The last has no name. The first ones, of
// KEY_APART, can stand nowhere else, and in sections that override the top
// those behind them.
enum { KEYS_APART = 5 };
extern const struct key keys[];

// What can stand in a device_set: its files.
extern const struct key set_keys[];

// Says whether TITLE can be that of a section of KIND ("partition", "group",
// "gid", "user", "uid", "device_set"). 0, or -1 with ERR set.
int key_check_title(const char *kind, const char *title, struct berth_err *err);

// The path of the engine's socket that VALUE ("unix:///PATH") names: within
// VALUE; or NULL with ERR set.
const char *key_engine_path(const char *value, struct berth_err *err);

// Fills in what holds without any key, but for the lists' defaults.
void keys_default(struct rules *rules);

#endif
