// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The administrator's rules as they hold for one job: what is left when the
// sections of berth.conf(5) have been laid over each other (logic/policy.h).
// Plain data, but for the arrays of the lists, which rules_clear frees; what
// these point to is the policy's. Zeroed rules allow nothing.
#ifndef BERTH_RULES_H
#define BERTH_RULES_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gpu_set;     // logic/gpu.h
struct imgpat;      // logic/imgref.h
struct mount;       // logic/mount_syntax.h
struct rlimit_name; // logic/rlimits.h
struct root_ids;    // logic/root_ids.h

enum { RULE_PORTS_MAX = 16 }; // in a range, and of one container

// The seccomp profile that berth brings (etc/seccomp.json).
#define RULE_SECCOMP_BERTH "berth"

// TCP ports of the node.
struct rule_ports {
    char address[INET6_ADDRSTRLEN]; // empty: all that it has
    uint16_t first, last;
};

struct rule_ulimit {
    const struct rlimit_name *which;
    int64_t soft, hard; // -1: unlimited
};

// One value, and where it stands.
struct rule {
    const char *text; // as the administrator wrote it
    const char *file; // NULL: a default of berth's own
    int line;
    union { // what the text says, where it is more than a word
        const void *parsed;
        const struct imgpat *image;       // allow, deny
        const struct mount *mount;        // mounts_*
        const struct rule_ports *ports;   // publish
        const struct rule_ulimit *ulimit; // ulimits
        const struct gpu_set *gpus;       // gpu_indices
    };
};

struct rule_list {
    size_t n;
    const struct rule *const *v;
};

// When something of the user's is mounted.
enum rule_mount {
    RULE_MOUNT_NEVER = 0,   // nor if he asks
    RULE_MOUNT_ALLOWED = 1, // if he asks
    RULE_MOUNT_DEFAULT = 2, // unless he declines
    RULE_MOUNT_ALWAYS = 3,  // also if he declines
};

// What a user may ask for.
enum rule_leave {
    RULE_LEAVE_NEVER = 0,
    RULE_LEAVE_ALLOWED = 1, // if he asks
    RULE_LEAVE_DEFAULT = 2, // unless he declines
};

// When an image is fetched.
enum rule_pull {
    RULE_PULL_NEVER = 0,
    RULE_PULL_MISSING = 1, // the node lacks it
    RULE_PULL_ALWAYS = 2,  // or what it has is not what the tag leads to now
};

// Whether srun, sbatch and salloc ask a registry what a tag leads to, for a job
// of more than one node.
enum rule_resolve {
    RULE_RESOLVE_NEVER = 0,
    RULE_RESOLVE_SUBMIT = 1, // once, before the job is there
};

// Whose /dev/shm a container has.
enum rule_shm {
    RULE_SHM_CONTAINER = 0, // one of its own, of shm_size
    RULE_SHM_NODE = 1,
};

enum rule_mode {
    RULE_MODE_ENFORCE = 0,
    RULE_MODE_WARN = 1,  // what a rule refuses runs, and the user hears why
    RULE_MODE_AUDIT = 2, // it runs, and only the audit log says why not
};

// What berth-stepd says of a step besides the audit log.
enum rule_log {
    RULE_LOG_INFO = 0,
    RULE_LOG_DEBUG = 1, // each phase, and each call of the engine
};

// Sizes: bytes, or a share of the node's memory or of a disk. Neither, of
// shm_size: as large as the node's own.
struct rule_size {
    uint64_t bytes;   // 0: PERCENT counts
    unsigned percent; // of the whole
};

struct rules {
    const char *file; // where the rules stand, for what is in none of them
    // images
    struct rule_list allow, deny;
    char allow_where[512]; // where allow stands, for sentences
    // how they come to the node
    enum rule_pull pull;
    struct rule pull_rule;
    enum rule_resolve resolve;
    struct rule resolve_rule;
    bool archives; // a user may bring an image as a file
    struct rule archives_rule;
    unsigned pull_seconds, pull_tries, pull_parallel;
    uint64_t pull_max, pull_max_unpacked; // bytes of all layers
    const char *registry_auth; // the site's credentials; NULL: it has none
    struct rule_list credential_helpers; // programs that have a user's own
    const char *fetch_user;          // the account by which they are fetched
    const char *fetch_proxy;         // by way of which; NULL: of none
    struct rule_list fetch_no_proxy; // hosts, domains and networks
    // identity
    uint32_t min_uid, min_gid;
    struct rule min_uid_rule, min_gid_rule;
    struct rule_list deny_users;  // names or numbers
    struct rule_list deny_groups; // supplementary groups left behind
    // mounts: "SOURCE[:TARGET][:ro|rw]" with %u %U %g %h %j
    struct rule_list mounts_always, mounts_default, mounts_allowed;
    struct rule_list targets; // globs: where a user may mount, below /usr
                              // and the like
    unsigned probe_seconds;
    enum rule_mount home, workdir;
    struct rule home_rule, workdir_rule; // where these stand
    // environment
    struct rule_list env_set;  // "NAME=VALUE", with the same variables
    struct rule_list env_deny; // globs
    struct rule_list env_pass; // globs; empty: all
    struct rule_list env_ask;  // globs: inside if the user asks for them
    struct rule_list env_job;  // globs: the job's value wins over the image's
    struct rule_list env_sets; // words: variables of a kind of programs
    // which --container-* a user may write (keys of logic/options.h)
    struct rule_list options;
    // root file system
    enum rule_leave writable;
    struct rule writable_rule;
    enum rule_leave root; // its user is root in it, and nobody outside
    struct rule root_rule;
    const struct root_ids *root_ids; // NULL: there are none to be had
    struct rule_size tmp_size, shm_size;
    enum rule_shm shm;
    struct rule shm_rule;
    uint64_t pids_limit; // 0: as Slurm has it
    // Slurm's commands in the container
    enum rule_leave slurm;
    struct rule slurm_rule;
    // an earlier step's container for a later one of its job
    enum rule_leave reuse;
    struct rule reuse_rule;
    unsigned reuse_idle; // seconds that it waits for one
    // what was written in a container, kept
    bool save;
    struct rule save_rule;
    uint64_t save_max;   // bytes of one
    uint64_t save_total; // of a user's own images on a node
    // network: the first is the default; "host", "none" or an engine's
    struct rule_list networks;
    struct rule_list publish; // "[ADDRESS:]PORT[-PORT]"
    // confinement; NULL: the engine's own default
    const char *seccomp; // path of a profile, or RULE_SECCOMP_BERTH
    const char *apparmor;
    const char *selinux;
    const char *runtime;
    struct rule_list devices; // paths and globs, of the sets that hold
    struct rule_list ulimits; // "NAME=SOFT[:HARD]"
    // GPUs
    bool gpus;
    struct rule gpus_rule;
    struct rule_list gpu_types;        // empty: any
    struct rule_list gpu_indices;      // empty: any
    unsigned gpu_max;                  // of one step on one node; 0: no bound
    struct rule_list gpu_capabilities; // NVIDIA's driver capabilities
    enum rule_mode mode;
    enum rule_log log_level;
    const char *help_text; // NULL: none
};

#endif
