// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Every bound that berth keeps, with the reason for its value.
#ifndef BERTH_LIMITS_H
#define BERTH_LIMITS_H

enum {
    // The longest image reference that a user can write: Docker allows 255
    // bytes of name, 128 of tag and a digest of at most 135.
    BERTH_IMAGE_MAX = 1024,
    // Allowed patterns per line of plugstack.conf; a site has tens.
    BERTH_ALLOW_MAX = 1024,
    // The value of another option, such as a list of mounts: a path can have
    // 4095 bytes, and all the mounts of one container some more of them.
    BERTH_OPTION_MAX = 16 * 1024,
    // berth.conf, or another text of the administrator's that root reads:
    // 10,000 patterns fit.
    BERTH_CONF_MAX = 1024 * 1024,
    // Sections of berth.conf: all are looked at for each job, and each can be
    // about somebody.
    BERTH_SECTIONS_MAX = 4096,
    // A fact from the plugin: the longest is argv[0], which the kernel
    // bounds by MAX_ARG_STRLEN (128 KiB), plus its name.
    BERTH_FACT_MAX = 128 * 1024 + 64,
    // Supplementary groups: Linux's NGROUPS_MAX.
    BERTH_GROUPS_MAX = 65536,
    // Tasks of one step on one node: Slurm's own bound is 64K; a node with
    // more than this many tasks in one container is a mistake.
    BERTH_TASKS_MAX = 4096,
    // A response of the engine: an inspect of an image with many layers is
    // some 20 KiB, a list of a busy node some hundreds.
    BERTH_RESPONSE_MAX = 4 * 1024 * 1024,
    // The engine's word on an image. What that has (labels above all) comes
    // back in the word on a container of it, beside berth's own, which is at
    // most BERTH_REQUEST_MAX: so that one stays below BERTH_RESPONSE_MAX.
    BERTH_IMAGE_RESPONSE_MAX = 1024 * 1024,
    // Our create request: authorisation plugins of some engines look at no
    // more than the first MiB of a body (CVE-2026-34040).
    BERTH_REQUEST_MAX = 512 * 1024,
    // An image's /etc/passwd or /etc/group.
    BERTH_PASSWD_MAX = 1024 * 1024,
    // Records of images that are looked at for layers that the engine has: what
    // is beyond is fetched again.
    BERTH_IMAGES_MAX = 256,
    // Mounts of one container.
    BERTH_MOUNTS_MAX = 64,
    // Containers that a job can have wait on one node, and as many with names:
    // each is a process of root's and one of the engine's, which all end with
    // the job within BERTH_SWEEP_MS.
    BERTH_KEPT_MAX = 16,
    // A path: the kernel's PATH_MAX.
    BERTH_PATH_MAX = 4096,
    // Devices of the administrator's in one container: a node with eight
    // InfiniBand adapters has some forty files for them.
    BERTH_DEVICES_MAX = 256,
    // A list in an answer of the engine, such as an image's environment;
    // real ones have tens of entries.
    BERTH_LIST_MAX = 16384,
    // A container's name: Docker sets no bound, a file name has this one.
    BERTH_NAME_MAX = 255,
};

// Times in milliseconds.
enum {
    // The engine's socket is local: a connection takes microseconds.
    BERTH_CONNECT_MS = 5000,
    // Calls that only read the engine's state.
    BERTH_INSPECT_MS = 20000,
    // Calls that make, start or remove a container: seconds on a node whose
    // disk is busy.
    BERTH_CREATE_MS = 120000,
    // Until a container is gone, attempts that failed included: fits into
    // BERTH_EXIT_MS and BERTH_SWEEP_MS.
    BERTH_REMOVE_MS = 20000,
    // From the container's start until berth-init has connected.
    BERTH_READY_MS = 60000,
    // One attempt to open a mount source as the user: longer means that its
    // file server does not answer.
    BERTH_PROBE_MS = 30000,
    // What the prolog and the epilog may take in all; slurmd's own limits
    // start at minutes.
    BERTH_SWEEP_MS = 45000,
};

#endif
