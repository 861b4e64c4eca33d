// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The whole way from a policy's text to the decision.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "logic/decide.h"
#include "logic/limits.h"
#include "logic/policy.h"

#define COUNT(table) (sizeof(table) / sizeof(*(table)))
#define X64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define MAX_OPTIONS 4

static const gid_t gids[] = {100, 2001, 998, 0};
static const char *const groups[] = {"users", "chem", "docker", NULL};
static const struct subject alice = {.uid = 1001,
                                     .gid = 100,
                                     .gids = gids,
                                     .ngids = 4,
                                     .user = "alice",
                                     .group = "users",
                                     .groups = groups,
                                     .home = "/home/alice",
                                     .partition = "main",
                                     .job = 12,
                                     .cwd = "/home/alice/work"};

static struct judged {
    struct policy *policy;
    struct rules rules;
    struct options options;
    struct decision decision;
} now;

// WORDS are options, "container-mounts=/a" or "container-writable".
static void judge(const char *conf, const struct subject *subject,
                  const char *const *words)
{
    struct berth_err err = {0};

    now = (struct judged){0};
    now.policy =
        policy_parse(0, NULL, NULL, "b.conf", conf, strlen(conf), &err);
    if (!now.policy || policy_rules(now.policy, subject, &now.rules, &err) < 0)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < MAX_OPTIONS && words[i]; i++) {
        char name[64] = "";
        const char *eq = strchr(words[i], '=');
        memcpy(name, words[i], eq ? (size_t)(eq - words[i]) : strlen(words[i]));
        if (options_set(&now.options, name, eq ? eq + 1 : NULL, &err) < 0)
            fail_msg("%s", err.text);
    }
    memset(&now.decision, 0x5a, sizeof(now.decision));
    decide(&now.rules, &now.options, subject, &now.decision);
}

static void done(void)
{
    errno = ENOTTY;
    decision_clear(&now.decision);
    rules_clear(&now.rules);
    options_clear(&now.options);
    policy_free(now.policy);
    assert_int_equal(errno, ENOTTY);
}

// What is decided, as text.
static const char *told(void)
{
    static char buf[8192];
    const struct decision *d = &now.decision;
    FILE *out = fmemopen(buf, sizeof(buf), "w");

    if (d->verdict != VERDICT_ALLOW)
        fail_msg("%s", d->reason);
    assert_string_equal(d->reason, "");
    assert_int_equal(d->code, BERTH_OK);
    for (size_t i = 0; i < d->nmounts; i++) {
        const struct decision_mount *m = &d->mounts[i];
        fprintf(out, "%s:%s:%s%s%s", m->source ? m->source : "tmpfs", m->target,
                m->readonly ? "ro" : "rw", m->optional ? "?" : "",
                m->alias    ? "="
                : m->nested ? "+"
                            : "");
        for (size_t j = 0; j < m->npatterns; j++)
            fprintf(out, "%s%s", j ? "|" : " ~ ", m->patterns[j]);
        if (m->within)
            fprintf(out, " in %s", m->within);
        if (m->rule)
            fprintf(out, " @%d", m->rule->line);
        fputs("\n", out);
    }
    fprintf(out, "in %s, HOME %s\n", d->workdir, d->home);
    fclose(out);
    return buf;
}

static const struct {
    const char *conf;
    const char *options[MAX_OPTIONS];
    enum berth_errc code;
    const char *reason;
} refused[] = {
    // Images.
    {"",
     {"container=debian"},
     BERTH_EDENIED,
     "image docker.io/library/debian:latest is not allowed: b.conf allows no "
     "image on this node, ask your administrator for an allow= there"},
    {"allow=debian",
     {NULL},
     BERTH_EINVAL,
     "the image reference is empty: name an image, such as debian or "
     "registry.example.org/team/app:1.2"},
    {"allow=debian",
     {"container=Debian"},
     BERTH_EINVAL,
     "the image reference \"Debian\" has uppercase letters: write \"debian\""},
    {"\nallow={\"debian\", \"alpine:3.*\", \"debian\"}",
     {"container=fedora"},
     BERTH_EDENIED,
     "image docker.io/library/fedora:latest is not allowed by b.conf line 2, "
     "which allows debian, alpine:3.*: choose one of these or ask your "
     "administrator"},
    {"allow=\"**\"\ndeny={\"evil.io/**\"}",
     {"container=evil.io/x"},
     BERTH_EDENIED,
     "image evil.io/x:latest is denied by b.conf line 2 (evil.io/**): choose "
     "another or ask your administrator"},
    // One registry, however its name is written.
    {"allow=\"**\"\ndeny={\"evil.io/**\"}",
     {"container=EVIL.io:443/x"},
     BERTH_EDENIED,
     "image EVIL.io:443/x:latest is denied by b.conf line 2 (evil.io/**): "
     "choose another or ask your administrator"},
    {"allow=\"**\"\ndeny={\"Evil.io:443/x:1\"}",
     {"container=evil.io/x@sha256:" X64},
     BERTH_EDENIED,
     "image evil.io/x@sha256:" X64 " is denied by b.conf line 2 "
     "(Evil.io:443/x:1): choose another or ask your administrator"},
    {"allow={debian, fedora}",
     {"container=debain"},
     BERTH_EDENIED,
     "image docker.io/library/debain:latest is not allowed by b.conf line 1, "
     "which allows debian, fedora: did you mean debian?"},
    {"allow={\"debian:12\"}",
     {"container=debian:13"},
     BERTH_EDENIED,
     "image docker.io/library/debian:13 is not allowed by b.conf line 1, "
     "which allows debian:12: did you mean debian:12?"},
    {"allow={\"debian*\", abc}",
     {"container=dbian"},
     BERTH_EDENIED,
     "image docker.io/library/dbian:latest is not allowed by b.conf line 1, "
     "which allows debian*, abc: choose one of these or ask your "
     "administrator"},
    {"allow={abc, xy}",
     {"container=xz"},
     BERTH_EDENIED,
     "image docker.io/library/xz:latest is not allowed by b.conf line 1, "
     "which allows abc, xy: choose one of these or ask your administrator"},
    {"allow={\"debian@sha256:" X64 "\"}",
     {"container=debian"},
     BERTH_EDENIED,
     "image docker.io/library/debian:latest is not allowed by b.conf line 1, "
     "which allows debian@sha256:" X64 ": choose one of these or ask your "
     "administrator"},
    // Who asks. What of him is denied is so in every mode.
    {"allow=debian\nmode=warn\nmin_uid=2000",
     {"container=debian"},
     BERTH_EDENIED,
     "a job of uid 1001 can have no container: b.conf line 3 wants 2000 at "
     "least (min_uid): submit it as another user"},
    {"allow=debian\nmin_gid=101",
     {"container=debian"},
     BERTH_EDENIED,
     "a job of gid 100 can have no container: b.conf line 2 wants 101 at "
     "least (min_gid): submit it with another group (--gid, newgrp)"},
    {"allow=debian\nmode=audit\ndeny_users={bob,\n alice}",
     {"container=debian"},
     BERTH_EDENIED,
     "user alice can have no container, by b.conf line 4 (deny_users): ask "
     "your administrator"},
    {"allow=debian\ndeny_users={1001}",
     {"container=debian"},
     BERTH_EDENIED,
     "user 1001 can have no container, by b.conf line 2 (deny_users): ask "
     "your administrator"},
    // Options.
    {"allow=debian\noptions={image,\nworkdir}",
     {"container=debian", "container-mounts=/a"},
     BERTH_EDENIED,
     "--container-mounts cannot be used here: b.conf line 2 allows only "
     "image, workdir (options): leave it out or ask your administrator"},
    {"allow=debian\noptions={mounts}",
     {"container=debian"},
     BERTH_EDENIED,
     "--container-image cannot be used here: b.conf line 2 allows only mounts "
     "(options): leave it out or ask your administrator"},
    {"allow=debian\noptions={}",
     {"container=debian"},
     BERTH_EDENIED,
     "--container-image cannot be used here: b.conf allows no option "
     "(options): leave it out or ask your administrator"},
    {"allow=debian\noptions={image}",
     {"container=debian", "no-container-mount-home"},
     BERTH_EDENIED,
     "--no-container-mount-home cannot be used here: b.conf line 2 allows "
     "only image (options): leave it out or ask your administrator"},
    {"allow=debian\noptions={image}",
     {"container=debian", "container-readonly"},
     BERTH_EDENIED,
     "--container-readonly cannot be used here: b.conf line 2 allows only "
     "image (options): leave it out or ask your administrator"},
    // Mounts.
    {"allow=debian",
     {"container=debian", "container-mounts=/a::"},
     BERTH_EINVAL,
     "--container-mounts=/a::: a path in it is empty: write "
     "SRC[:DST][:ro|rw]"},
    {"allow=debian",
     {"container=debian", "container-mounts=/data"},
     BERTH_EDENIED,
     "/data cannot be mounted: b.conf allows no mounts (mounts_allowed of "
     "berth.conf): "
     "leave it out or ask your administrator"},
    {"allow=debian\nmounts_allowed={\"/data/*\", \"/x/%u:rw\"}",
     {"container=debian", "container-mounts=/data"},
     BERTH_EDENIED,
     "/data cannot be mounted: b.conf line 2 allows only /data/*, /x/alice:rw "
     "(mounts_allowed): choose one of these or ask your administrator"},
    {"allow=debian\nmounts_allowed={\"/data/*\"}",
     {"container=debian", "container-mounts=/data/x:rw"},
     BERTH_EDENIED,
     "/data/x can only be had read-only, by b.conf line 2 (/data/*): ask for "
     "it with :ro"},
    {"allow=debian\nmounts_allowed={\"/data/*:/data\"}",
     {"container=debian", "container-mounts=/data/x"},
     BERTH_EDENIED,
     "/data/x can only be mounted where b.conf line 2 says (/data/*:/data): "
     "name that place"},
    {"allow=debian\nmounts_allowed={\"/x/%u\"}",
     {"container=debian", "container-mounts=/x/bob"},
     BERTH_EDENIED,
     "/x/bob cannot be mounted: b.conf line 2 allows only /x/alice "
     "(mounts_allowed): choose one of these or ask your administrator"},
    {"allow=debian\nmounts_allowed={\"/**\"}\nmode=warn",
     {"container=debian", "container-mounts=/a:/etc/ld.so.preload"},
     BERTH_EINVAL,
     "--container-mounts can put nothing at /etc/ld.so.preload in a "
     "container: of the image's own directories, berth's default leaves only "
     "/usr/local/**, /usr/share/**, /usr/src/** (targets): choose another "
     "place"},
    {"allow=debian\nmounts_allowed={\"/**\"}",
     {"container=debian", "container-mounts=/a:/proc/self"},
     BERTH_EINVAL,
     "--container-mounts can put nothing at /proc/self in a container: "
     "choose another place"},
    {"allow=debian\nmounts_allowed={\"/**\"}",
     {"container=debian", "container-mounts=/a:/"},
     BERTH_EINVAL,
     "--container-mounts can put nothing at / in a container: choose another "
     "place"},
    {"allow=debian",
     {"container=debian", "container-mounts=tmpfs:/usr"},
     BERTH_EINVAL,
     "--container-mounts can put nothing at /usr in a container: "
     "of the image's own directories, berth's default leaves only "
     "/usr/local/**, /usr/share/**, /usr/src/** (targets): choose another "
     "place"},
    {"allow=debian\nmounts_allowed={\"/**\"}",
     {"container=debian", "container-mounts=/a:/x,/b:/x/"},
     BERTH_EINVAL,
     "--container-mounts has two mounts at /x: leave one out"},
    {"allow=debian\nmounts_always=\"/s:/x\"",
     {"container=debian", "container-mounts=umount:/x"},
     BERTH_EINVAL,
     "--container-mounts=umount:/x cannot be had, as it is mounted in every "
     "container, by b.conf line 2: leave it out"},
    {"allow=debian\nmounts_default=\"/s:/y\"",
     {"container=debian", "container-mounts=umount:/x"},
     BERTH_EINVAL,
     "--container-mounts=umount:/x: nothing is mounted there by default: leave "
     "it out"},
    {"allow=debian",
     {"container=debian", "container-mounts=/dev/null:/x:rw"},
     BERTH_EINVAL,
     "--container-mounts has /dev/null, which is an empty file there, with "
     "rw: leave that out"},
    {"allow=debian\nmounts_allowed={\"/**\"}\nmounts_always=\"/s:/x\"",
     {"container=debian", "container-mounts=/a:/x"},
     BERTH_EINVAL,
     "--container-mounts can put nothing at /x, where /s is mounted in every "
     "container, by b.conf line 3: choose another place"},
    {"allow=debian\nmounts_allowed={\"/**:rw\"}\nmounts_always=\"/s:/x\"",
     {"container=debian", "container-mounts=/s:/x:rw"},
     BERTH_EINVAL,
     "--container-mounts can put nothing at /x, where /s is mounted in every "
     "container, by b.conf line 3: choose another place"},
    {"allow=debian\nmounts_allowed={\"/**\"}",
     {"container=debian", "container-mounts=/a:/home/alice/work"},
     BERTH_EINVAL,
     "--container-mounts can put nothing at /home/alice/work, since the "
     "working directory is mounted there: choose another place"},
    {"allow=debian\nmounts_allowed={\"/**\"}\nmounts_always=\"/s:/x/y\"",
     {"container=debian", "container-mounts=/a:/x"},
     BERTH_EINVAL,
     "there can be no mount at /x, as /x/y lies there, which every container "
     "has by b.conf line 3, and whoever owns the directory around a mount "
     "could take that away: choose another place"},
    // Home and working directory.
    {"allow=debian\nhome=never",
     {"container=debian", "container-mount-home"},
     BERTH_EDENIED,
     "--container-mount-home cannot be had, by b.conf line 2 (home): leave it "
     "out or ask your administrator"},
    {"allow=debian",
     {"container=debian", "container-workdir=work"},
     BERTH_EINVAL,
     "--container-workdir=work: tasks can start in an absolute path without "
     "\"..\", and not in /proc, /sys, /dev or /run/berth"},
    {"allow=debian",
     {"container=debian", "container-workdir=/proc/self/fd/9"},
     BERTH_EINVAL,
     "--container-workdir=/proc/self/fd/9: tasks can start in an absolute path "
     "without \"..\", and not in /proc, /sys, /dev or /run/berth"},
    {"allow=debian",
     {"container=debian", "container-workdir=/a/../proc"},
     BERTH_EINVAL,
     "--container-workdir=/a/../proc: tasks can start in an absolute path "
     "without \"..\", and not in /proc, /sys, /dev or /run/berth"},
    {"allow=debian\nworkdir=never\nhome=never\nmounts_allowed={}",
     {"container=debian", "container-mounts=."},
     BERTH_EDENIED,
     "/home/alice/work cannot be mounted: b.conf allows no mounts "
     "(mounts_allowed of berth.conf): leave it out or ask your administrator"},
    // Environment.
    {"allow=debian",
     {"container=debian", "container-env=A,,B"},
     BERTH_EINVAL,
     "--container-env takes names of variables, in which * stands for any "
     "characters, with a comma between two, and \"\" is none: write NAME and "
     "give it its value with export"},
    {"allow=debian",
     {"container=debian", "container-env=A=b"},
     BERTH_EINVAL,
     "--container-env takes names of variables, in which * stands for any "
     "characters, with a comma between two, and \"A=b\" is none: write NAME "
     "and give it its value with export"},
    {"allow=debian",
     {"container=debian", "container-env=FOO BAR"},
     BERTH_EINVAL,
     "--container-env takes names of variables, in which * stands for any "
     "characters, with a comma between two, and \"FOO BAR\" is none: write "
     "NAME and give it its value with export"},
    {"allow=debian",
     {"container=debian", "container-env=A,DBUS_X"},
     BERTH_EDENIED,
     "--container-env cannot name DBUS_X, which berth's default keeps out of "
     "containers (env_deny): leave it out"},
    {"allow=debian\nenv_deny+={\"*TOKEN*\"}",
     {"container=debian", "container-env=MY_TOKEN_2"},
     BERTH_EDENIED,
     "--container-env cannot name MY_TOKEN_2, which b.conf line 2 keeps out "
     "of containers (env_deny): leave it out"},
    // The rest.
    {"allow=debian",
     {"container=debian", "container-writable"},
     BERTH_EDENIED,
     "--container-writable cannot be had, by berth's default (writable): "
     "leave it out, and write to /tmp or to a mount"},
    {"allow=debian\nwritable=never",
     {"container=debian", "container-writable"},
     BERTH_EDENIED,
     "--container-writable cannot be had, by b.conf line 2 (writable): leave "
     "it out, and write to /tmp or to a mount"},
    {"allow=debian",
     {"container=debian", "container-network=none"},
     BERTH_EDENIED,
     "--container-network=none cannot be had: berth's default allows only "
     "host (networks): choose one of these or ask your administrator"},
    {"allow=debian",
     {"container=debian", "container-slurm"},
     BERTH_EDENIED,
     "--container-slurm cannot be had, by berth's default (slurm): leave it "
     "out or ask your administrator"},
    {"allow=debian\nslurm=never\nmode=audit",
     {"container=debian", "container-slurm"},
     BERTH_EDENIED,
     "--container-slurm cannot be had, by b.conf line 2 (slurm): leave it out "
     "or ask your administrator"},
    {"allow=debian\nslurm=default\nnetworks={none,host}",
     {"container=debian", "container-slurm"},
     BERTH_EINVAL,
     "--container-slurm needs the node's network, and this container's is "
     "none: add --container-network=host, or leave it out"},
    // Root.
    {"allow=debian\nmode=audit",
     {"container=debian", "container-root"},
     BERTH_EDENIED,
     "--container-root cannot be had, by berth's default (root): leave it out, "
     "and take an image that has what you need, or install below your home"},
    {"allow=debian\nroot_ids=\"2000000:65536\"\nroot=never",
     {"container=debian", "container-remap-root"},
     BERTH_EDENIED,
     "--container-root cannot be had, by b.conf line 3 (root): leave it out, "
     "and take an image that has what you need, or install below your home"},
    {"allow=debian\nroot=default",
     {"container=debian"},
     BERTH_EDENIED,
     "--container-root cannot be had: b.conf has no root_ids: ask your "
     "administrator"},
    {"allow=debian\nroot=allowed\nroot_ids=\"65536:65536:1002\"",
     {"container=debian", "container-root"},
     BERTH_EDENIED,
     "there are no IDs for user 1001 to be root in a container with: ask your "
     "administrator for another root_ids"},
    {"allow=debian\nroot=allowed\nroot_ids=\"100000:65536:dockremap\"",
     {"container=debian", "container-root"},
     BERTH_EDENIED,
     "--container-root cannot be had with the node's network, since Docker "
     "maps its IDs (root_ids of b.conf): leave it out, or ask your "
     "administrator for another network, such as none (networks)"},
    {"allow=debian\nroot=default\nroot_ids=\"100000:65536:dockremap\"\n"
     "networks={host,lab,none}\nmode=audit",
     {"container=debian"},
     BERTH_EDENIED,
     "--container-root cannot be had with the node's network, since Docker "
     "maps its IDs (root_ids of b.conf): say --no-container-remap-root, or "
     "add --container-network=lab"},
    {"allow=debian\nroot=allowed\nroot_ids=\"2000000:65536\"",
     {"container=debian", "container-root", "container-readonly"},
     BERTH_EINVAL,
     "--container-root is for changing the image's files, and "
     "--container-readonly keeps them as they are: leave one of them out"},
    {"allow=debian\nslurm=allowed\nroot=default\nroot_ids=\"2000000:65536\"",
     {"container=debian", "container-root", "container-slurm"},
     BERTH_EINVAL,
     "--container-root and --container-slurm cannot be had together, since "
     "Slurm would not know who asks: leave one of them out"},
    {"allow=debian\nreuse=never",
     {"container=debian", "container-reuse"},
     BERTH_EDENIED,
     "--container-reuse cannot be had, by b.conf line 2 (reuse): leave it out, "
     "and each step has a new container"},
    {"allow=debian\nreuse=never",
     {"container=debian", "container-name=x"},
     BERTH_EDENIED,
     "--container-name cannot be had, by b.conf line 2 (reuse): leave it out, "
     "and give each step its --container=IMAGE"},
    {"allow=debian",
     {"container=debian", "container-name=x:again"},
     BERTH_EINVAL,
     "--container-name=x:again: a name has up to 63 letters, digits and "
     "\"_.-\", and :create, :exec or :no_exec behind it, if anything"},
    {"allow=debian",
     {"container=debian", "container-name=x", "container-join=12"},
     BERTH_EINVAL,
     "--container-name and --container-join each name a container: give one "
     "of them"},
    {"allow=debian",
     {"container-name=x"},
     BERTH_EINVAL,
     "there is no container x of this job here to join: give --container=IMAGE "
     "as well, which makes it"},
    {"allow=debian",
     {"container=debian", "container-join=x"},
     BERTH_EINVAL,
     "--container-join=x: write the number of a job, or JOB.STEP"},
    {"allow=debian",
     {"container-do=build"},
     BERTH_EINVAL,
     "--container-do=build is none of what a step can do: write list, layers, "
     "pull, remove, end or containers"},
    {"allow=debian\noptions={mounts,image}",
     {"container-do=list"},
     BERTH_EDENIED,
     "--container-do cannot be used here: b.conf line 2 allows only mounts, "
     "image (options): leave it out or ask your administrator"},
    {"allow=debian",
     {"container-do=pull"},
     BERTH_EINVAL,
     "--container-do=pull names no image: give --container=IMAGE as well"},
    {"allow=debian",
     {"container=fedora", "container-do=pull"},
     BERTH_EDENIED,
     "image docker.io/library/fedora:latest is not allowed by b.conf line 1, "
     "which allows debian: choose one of these or ask your administrator"},
    {"allow=debian",
     {"container-do=remove"},
     BERTH_EINVAL,
     "--container-do=remove names no image: give --container=IMAGE as well"},
    {"allow=debian",
     {"container=a b;c", "container-do=remove"},
     BERTH_EINVAL,
     "a b;c is no image of your own: write its ID or its name, as berth images "
     "has them"},
    {"allow=debian",
     {"container=debian", "container-do=end"},
     BERTH_EINVAL,
     "--container-do=end names no container: give --container-name or "
     "--container-join as well"},
    {"allow=debian",
     {"container-do=end", "container-join=99"},
     BERTH_EINVAL,
     "--container-join=99: a step joins steps of its own job, and this one is "
     "of job 12: start it with --jobid=99 --overlap"},
    {"allow=debian\nmode=audit",
     {"container=debian", "container-save=a.tar"},
     BERTH_EDENIED,
     "--container-save cannot be had: berth's default lets nobody save a "
     "container (save): leave it out or ask your administrator"},
    {"allow=debian\nsave=no\nmode=warn",
     {"container=my/own"},
     BERTH_EDENIED,
     "my/own:latest cannot be run: b.conf line 2 lets nobody save an image of "
     "his own (save): take one from a registry, which is "
     "docker.io/my/own:latest if you meant Docker's, or ask your "
     "administrator"},
    {"allow=debian\nsave=yes",
     {"container=my/own@sha256:0123456789012345678901234567890123456789"
      "012345678901234567890123"},
     BERTH_EINVAL,
     "my/own@sha256:0123456789012345678901234567890123456789012345678901234567"
     "890123: an image of your own has no digest to be named by: leave it out"},
    {"allow=debian\nsave=yes\nwritable=allowed",
     {"container=debian", "container-readonly", "container-save=a.tar"},
     BERTH_EINVAL,
     "--container-save and --container-readonly exclude each other: leave one "
     "of them out"},
    {"allow=debian\nsave=yes",
     {"container=debian", "container-save=./a.sqsh:replace"},
     BERTH_EINVAL,
     "--container-save=./a.sqsh:replace: what is saved is an archive of "
     "Docker's, and that is the name of an image of enroot's or Apptainer's: "
     "call it .tar"},
    {"allow=debian\nsave=yes",
     {"container=debian", "container-save=/a/"},
     BERTH_EINVAL,
     "--container-save=/a/: write the name of a file, or image:NAME[:TAG]"},
    {"allow=debian\nsave=yes",
     {"container=debian", "container-save=:replace"},
     BERTH_EINVAL,
     "--container-save=:replace: write the name of a file, or "
     "image:NAME[:TAG]"},
    {"allow=debian\nsave=yes",
     {"container=debian", "container-save=image::always"},
     BERTH_EINVAL,
     "--container-save=image::always: write the name of a file, or "
     "image:NAME[:TAG]"},
    {"allow=debian\nsave=yes",
     {"container=debian", "container-save=image:Own"},
     BERTH_EINVAL,
     "--container-save=image:Own: an image's name has small letters, digits "
     "and \"_.-\", and perhaps a tag behind a colon"},
    {"allow=debian\noptions={image}\nsave=yes",
     {"container=debian", "container-save=a.tar"},
     BERTH_EDENIED,
     "--container-save cannot be used here: b.conf line 2 allows only image "
     "(options): leave it out or ask your administrator"},
    {"allow=debian\nnetworks={none,mpi}",
     {"container=debian", "container-network=host"},
     BERTH_EDENIED,
     "--container-network=host cannot be had: b.conf line 2 allows only none, "
     "mpi (networks): choose one of these or ask your administrator"},
    {"allow=debian\nnetworks={}",
     {"container=debian", "container-network=host"},
     BERTH_EDENIED,
     "--container-network=host cannot be had: b.conf allows no network "
     "(networks): leave it out"},
    {"allow=debian\nmode=warn",
     {"container=debian", "container-network=container:abc"},
     BERTH_EINVAL,
     "--container-network=container:abc is no name of a network: write host, "
     "none, or one of the engine's"},
    {"allow=debian",
     {"container=debian", "container-network=-x"},
     BERTH_EINVAL,
     "--container-network=-x is no name of a network: write host, none, or "
     "one of the engine's"},
};

static void refuses_with_a_reason_and_what_to_do(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(refused); i++) {
        judge(refused[i].conf, &alice, refused[i].options);
        if (now.decision.verdict == VERDICT_ALLOW)
            fail_msg("allowed, and not: %s", refused[i].reason);
        assert_string_equal(now.decision.reason, refused[i].reason);
        assert_int_equal(now.decision.code, refused[i].code);
        done();
    }
}

static void root_has_no_container_unless_the_policy_says_so(void **state)
{
    struct subject root = {.user = "root", .cwd = "/w"};
    static const char *const words[MAX_OPTIONS] = {"container=debian"};

    (void)state;
    judge("allow=debian", &root, words);
    assert_string_equal(now.decision.reason,
                        "a job of uid 0 can have no container: berth's "
                        "default wants 1 at least (min_uid): submit it as "
                        "another user");
    done();
    judge("allow=debian\nmin_uid=0", &root, words);
    assert_string_equal(now.decision.reason,
                        "a job of gid 0 can have no container: berth's "
                        "default wants 1 at least (min_gid): submit it with "
                        "another group (--gid, newgrp)");
    done();
    judge("allow=debian\nmin_uid=0\nmin_gid=0", &root, words);
    assert_int_equal(now.decision.verdict, VERDICT_ALLOW);
    done();
}

static void what_the_policy_cannot_name_is_refused(void **state)
{
    static const char *const words[MAX_OPTIONS] = {"container=debian"};
    struct subject nobody = {.uid = 7, .gid = 7, .cwd = "/w"};

    (void)state;
    judge("allow=debian\nmounts_always=\"/s/%u\"", &nobody, words);
    assert_string_equal(now.decision.reason,
                        "the mount /s/%u of b.conf line 2 cannot be had: the "
                        "user's name (%u) is unknown here, or cannot be part "
                        "of it: ask your administrator");
    done();
    judge("allow=debian\nmounts_default=\"/s/%u\"", &nobody, words);
    assert_string_equal(told(), "/w:/w:rw\nin /w, HOME /tmp\n");
    done();
    judge("allow=debian\nhome=always", &nobody, words);
    assert_string_equal(now.decision.reason,
                        "your home directory cannot be had in a container: "
                        "the node knows none that can be mounted, ask your "
                        "administrator");
    done();
    judge("allow=debian\nhome=default", &nobody, words);
    assert_int_equal(now.decision.nmounts, 1);
    done();
    judge("allow=debian\nenv_set=\"A=%g\"", &nobody, words);
    assert_string_equal(now.decision.reason,
                        "the variable A=%g of b.conf line 2 cannot be set "
                        "(env_set): the group's name (%g) is unknown here, "
                        "or cannot be part of it: ask your administrator");
    done();
    // A variable that leads to a place that no mount can have.
    struct subject odd = {.uid = 7, .gid = 7, .cwd = "/w", .home = "/proc"};
    judge("allow=debian\nmounts_always=\"/s:%h\"", &odd, words);
    assert_string_equal(now.decision.reason,
                        "the mount /s:%h of b.conf line 2 cannot be had: "
                        "nothing can be mounted at /proc: ask your "
                        "administrator");
    done();
    nobody.cwd = "/proc/1";
    judge("allow=debian", &nobody, words);
    assert_string_equal(now.decision.reason,
                        "the working directory cannot be had in a container: "
                        "/proc/1 is a place which no container gets; start "
                        "from another directory, or name one with --chdir");
    done();
}

static const struct {
    const char *conf;
    const char *options[MAX_OPTIONS]; // beside the image
    const char *told;
} allowed[] = {
    {"",
     {NULL},
     "/home/alice/work:/home/alice/work:rw\n"
     "in /home/alice/work, HOME /tmp\n"},
    // The user's mounts.
    {"mounts_allowed={\"/data/*\"}",
     {"container-mounts=/data/x"},
     "/data/x:/data/x:ro ~ /data/* @2\n"
     "/home/alice/work:/home/alice/work:rw\n"
     "in /home/alice/work, HOME /tmp\n"},
    {"mounts_allowed={\"/data/*\", \"/data/**:rw\",\n\"/x:rw\", \"/y/%g:/z\"}",
     {"container-mounts=/data/x:/a"},
     "/data/x:/a:rw ~ /data/**|/x @2\n"
     "/home/alice/work:/home/alice/work:rw\n"
     "in /home/alice/work, HOME /tmp\n"},
    {"mounts_allowed={\"/data/*\", \"/data/**:rw\",\n\"/x:rw\", \"/y/%g:/z\"}",
     {"container-mounts=/data/x:/z:ro,/x:/y:rw"},
     "/home/alice/work:/home/alice/work:rw\n"
     "/x:/y:rw ~ /data/**|/x @3\n"
     "/data/x:/z:ro ~ /data/*|/data/**|/x|/y/users @2\n"
     "in /home/alice/work, HOME /tmp\n"},
    {"mounts_allowed={\"/home/%u/**:rw\"}",
     {"container-mounts=data:/d"},
     "/home/alice/work/data:/d:rw ~ /home/alice/** in /home/alice/work @2\n"
     "/home/alice/work:/home/alice/work:rw\n"
     "in /home/alice/work, HOME /tmp\n"},
    // One's own directories, and what is in them, at another place.
    {"",
     {"container-mounts=.:/workspace,sub:/x:ro,/home/alice:/h,/home/alice/d"},
     "/home/alice:/h:rw\n"
     "/home/alice/d:/home/alice/d:rw in /home/alice\n"
     "/home/alice/work:/home/alice/work:rw\n"
     "/home/alice/work:/workspace:rw\n"
     "/home/alice/work/sub:/x:ro in /home/alice/work\n"
     "in /home/alice/work, HOME /tmp\n"},
    {"home=never",
     {"container-mounts=/home/alice/work/x:/x"},
     "/home/alice/work:/home/alice/work:rw\n"
     "/home/alice/work/x:/x:rw in /home/alice/work\n"
     "in /home/alice/work, HOME /tmp\n"},
    {"workdir=never",
     {"container-mounts=.:/x"},
     "/home/alice/work:/x:rw in /home/alice\n"
     "in /, HOME /tmp\n"},
    // A rule whose variable has no value matches nothing.
    {"workdir=never\nmounts_allowed={\"%h/**\", \"/a\"}",
     {"container-mounts=/a"},
     "/a:/a:ro ~ /home/alice/**|/a @3\nin /, HOME /tmp\n"},
    {"",
     {"container-mounts=tmpfs:/fast"},
     "tmpfs:/fast:rw\n"
     "/home/alice/work:/home/alice/work:rw\n"
     "in /home/alice/work, HOME /tmp\n"},
    // One within another, where it is anyway.
    {"mounts_allowed={\"/d/**:rw\"}",
     {"container-mounts=/d/a/b:/x/b:ro,/d/a:/x"},
     "/home/alice/work:/home/alice/work:rw\n"
     "/d/a:/x:rw ~ /d/** @2\n"
     "/d/a/b:/x/b:ro ~ /d/** @2\n"
     "in /home/alice/work, HOME /tmp\n"},
    {"mounts_allowed={\"/d/**:rw\"}",
     {"container-mounts=/d/a:/x/y,tmpfs:/x"},
     "/home/alice/work:/home/alice/work:rw\n"
     "tmpfs:/x:rw\n"
     "/d/a:/x/y:rw ~ /d/** @2\n"
     "in /home/alice/work, HOME /tmp\n"},
    // At another place in it, in any order.
    {"mounts_allowed={\"/**\"}",
     {"container-mounts=/b:/x/y/z,/a:/x,/c:/home/alice"},
     "/c:/home/alice:ro ~ /** @2\n"
     "/home/alice/work:/home/alice/work:rw\n"
     "/a:/x:ro ~ /** @2\n"
     "/b:/x/y/z:ro ~ /** @2\n"
     "in /home/alice/work, HOME /home/alice\n"},
    {"mounts_allowed={\"/b\"}\nmounts_always={\"/s:/x\"}\n"
     "mounts_default={\"/d:/y\"}",
     {"container-mounts=/b:/x/y,/b:/y/y"},
     "/home/alice/work:/home/alice/work:rw\n"
     "/s:/x:ro @3\n"
     "/b:/x/y:ro ~ /b @2\n"
     "/d:/y:ro? @4\n"
     "/b:/y/y:ro ~ /b @2\n"
     "in /home/alice/work, HOME /tmp\n"},
    // The administrator's mounts.
    {"mounts_always={\"/s\", \"/l/%u:/l:rw\", \"tmpfs:/t\"}\n"
     "mounts_default={\"/s2:/s\", \"/d:/data\"}",
     {NULL},
     "/d:/data:ro? @3\n"
     "/home/alice/work:/home/alice/work:rw\n"
     "/l/alice:/l:rw @2\n"
     "/s:/s:ro @2\n"
     "tmpfs:/t:rw @2\n"
     "in /home/alice/work, HOME /tmp\n"},
    // The later of two at the same place.
    {"mounts_always={\"/s:/x\",\n\"/s2:/x:rw\"}",
     {NULL},
     "/home/alice/work:/home/alice/work:rw\n"
     "/s2:/x:rw @3\n"
     "in /home/alice/work, HOME /tmp\n"},
    // What is there can be asked for as well.
    {"mounts_always={\"/s:/x\"}",
     {"container-mounts=/s:/x,/s:/x:ro"},
     "/home/alice/work:/home/alice/work:rw\n"
     "/s:/x:ro @2\n"
     "in /home/alice/work, HOME /tmp\n"},
    // Declined by a mount of the user's at the same place, or above.
    {"mounts_default=\"/d:/data\"\nmounts_allowed={\"/e\"}",
     {"container-mounts=/e:/data"},
     "/e:/data:ro ~ /e @3\n"
     "/home/alice/work:/home/alice/work:rw\n"
     "in /home/alice/work, HOME /tmp\n"},
    {"mounts_default=\"/d:/data/d\"\nmounts_allowed={\"/e\"}",
     {"container-mounts=/e:/data"},
     "/e:/data:ro ~ /e @3\n"
     "/home/alice/work:/home/alice/work:rw\n"
     "in /home/alice/work, HOME /tmp\n"},
    {"mounts_default={\"/d:/data\", \"/e\"}\nhome=default",
     {"container-mounts=umount:/data,umount:/home/alice"},
     "/e:/e:ro? @2\n"
     "/home/alice/work:/home/alice/work:rw\n"
     "in /home/alice/work, HOME /tmp\n"},
    // An empty file, and one mount twice.
    {"mounts_allowed=\"/a\"",
     {"container-mounts=/dev/null:/x,/a,/a,/a:/a:ro"},
     "/a:/a:ro ~ /a @2\n"
     "/home/alice/work:/home/alice/work:rw\n"
     "/dev/null:/x:ro\n"
     "in /home/alice/work, HOME /tmp\n"},
    // A default that hides the working directory is passed over.
    {"mounts_default=\"/scratch/%u:/home:rw\"",
     {NULL},
     "/home/alice/work:/home/alice/work:rw\n"
     "in /home/alice/work, HOME /tmp\n"},
    // Both are the administrator's.
    {"mounts_always={\"/s:/x\", \"/s2:/x/y\"}",
     {NULL},
     "/home/alice/work:/home/alice/work:rw\n"
     "/s:/x:ro @2\n"
     "/s2:/x/y:ro @2\n"
     "in /home/alice/work, HOME /tmp\n"},
    // Home.
    {"",
     {"container-mount-home"},
     "/home/alice:/home/alice:rw\n"
     "/home/alice/work:/home/alice/work:rw\n"
     "in /home/alice/work, HOME /home/alice\n"},
    {"home=default",
     {NULL},
     "/home/alice:/home/alice:rw? @2\n"
     "/home/alice/work:/home/alice/work:rw\n"
     "in /home/alice/work, HOME /home/alice\n"},
    {"home=default",
     {"no-container-mount-home"},
     "/home/alice/work:/home/alice/work:rw\n"
     "in /home/alice/work, HOME /tmp\n"},
    {"home=always",
     {"no-container-mount-home"},
     "/home/alice:/home/alice:rw @2\n"
     "/home/alice/work:/home/alice/work:rw\n"
     "in /home/alice/work, HOME /home/alice\n"},
    {"home=always\nworkdir=never",
     {NULL},
     "/home/alice:/home/alice:rw @2\n"
     "in /home/alice/work, HOME /home/alice\n"},
    {"home=never",
     {"no-container-mount-home"},
     "/home/alice/work:/home/alice/work:rw\n"
     "in /home/alice/work, HOME /tmp\n"},
    {"home=default\nmounts_allowed=\"/h\"\nworkdir=never",
     {"container-mounts=/h:/home/alice"},
     "/h:/home/alice:ro ~ /h @3\n"
     "in /, HOME /home/alice\n"},
    // The working directory.
    {"workdir=never", {NULL}, "in /, HOME /tmp\n"},
    {"workdir=allowed", {NULL}, "in /, HOME /tmp\n"},
    {"workdir=allowed",
     {"container-mounts=."},
     "/home/alice/work:/home/alice/work:rw\n"
     "in /home/alice/work, HOME /tmp\n"},
    {"",
     {"container-mounts=/home/alice/work:ro"},
     "/home/alice/work:/home/alice/work:ro\n"
     "in /home/alice/work, HOME /tmp\n"},
    {"workdir=default", {"container-workdir=/opt"}, "in /opt, HOME /tmp\n"},
    {"workdir=default",
     {"container-workdir=/home/alice/work/x"},
     "/home/alice/work:/home/alice/work:rw @2\n"
     "in /home/alice/work/x, HOME /tmp\n"},
    {"workdir=always",
     {"container-workdir=/"},
     "/home/alice/work:/home/alice/work:rw @2\nin /, HOME /tmp\n"},
    {"workdir=never",
     {"container-workdir=/tmp//./x/"},
     "in /tmp/x, HOME /tmp\n"},
    {"workdir=default\nmounts_allowed=\"/a\"",
     {"container-mounts=/a:/home/alice/work"},
     "/a:/home/alice/work:ro ~ /a @3\nin /, HOME /tmp\n"},
    // It is there in a mount of what is above it.
    {"workdir=never\nmounts_allowed=\"/home/*\"",
     {"container-mounts=/home/alice"},
     "/home/alice:/home/alice:rw\n"
     "in /home/alice/work, HOME /home/alice\n"},
    {"workdir=never\nmounts_allowed=\"/home/*\"",
     {"container-mounts=/home/alice:/home"},
     "/home/alice:/home:rw\nin /, HOME /tmp\n"},
};

static void what_is_mounted_and_where_tasks_start(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(allowed); i++) {
        const char *words[MAX_OPTIONS] = {
            "container=debian", allowed[i].options[0], allowed[i].options[1],
            allowed[i].options[2]};
        char conf[1024];
        snprintf(conf, sizeof(conf), "allow=debian\n%s", allowed[i].conf);
        judge(conf, &alice, words);
        if (strcmp(told(), allowed[i].told) != 0)
            fail_msg("%s\n%s\nand not\n%s", allowed[i].conf, told(),
                     allowed[i].told);
        done();
    }
}

static void the_root_directory_needs_no_mount(void **state)
{
    static const char *const words[MAX_OPTIONS] = {"container=debian"};
    struct subject subject = alice;

    (void)state;
    subject.cwd = "/";
    judge("allow=debian", &subject, words);
    assert_string_equal(told(), "in /, HOME /tmp\n");
    done();
    subject.cwd = NULL;
    judge("allow=debian", &subject, words);
    assert_string_equal(told(), "in /, HOME /tmp\n");
    done();
}

// Another step's container has what that one's directory needed.
static void who_joins_starts_in_his_own_directory_if_that_is_there(void **state)
{
    static const struct {
        const char *conf, *start, *option, *told;
        bool anywhere;
    } cases[] = {
        {"workdir=default", "/home/alice/work/below", NULL,
         "in /home/alice/work/below", false},
        {"workdir=default", "/elsewhere", NULL, "in /home/alice/work", false},
        {"workdir=default", NULL, NULL, "in /home/alice/work", false},
        {"workdir=default", "/home/alice/work/below", "container-workdir=/opt",
         "in /opt", false},
        {"workdir=never", "/elsewhere", NULL, "in /", true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct subject guest = alice;
        char conf[64], line[128];
        guest.start = cases[i].start;
        snprintf(conf, sizeof(conf), "allow=debian\n%s", cases[i].conf);
        judge(conf, &guest,
              (const char *[MAX_OPTIONS]){"container=debian", cases[i].option});
        snprintf(line, sizeof(line), "%s, HOME /tmp\n", cases[i].told);
        if (!strstr(told(), line) || now.decision.anywhere != cases[i].anywhere)
            fail_msg("%zu: %s", i, told());
        done();
    }
}

static void the_users_name_of_the_working_directory_is_there_too(void **state)
{
    static const struct {
        const char *conf, *pwd, *options[2], *told;
    } cases[] = {
        {"",
         "/u/work",
         {NULL},
         "/home/alice/work:/home/alice/work:rw\n"
         "/u/work:/u/work:rw=\n"
         "in /home/alice/work, HOME /tmp\n"},
        {"workdir=default",
         "/u/work",
         {"container-workdir=/u/work/x"},
         "/home/alice/work:/home/alice/work:rw @2\n"
         "/u/work:/u/work:rw= @2\n"
         "in /u/work/x, HOME /tmp\n"},
        {"",
         "/u/work",
         {"container-mounts=/u/work/sub:/x,.:ro,/u/work:/y"},
         "/home/alice/work:/home/alice/work:ro\n"
         "/u/work:/u/work:ro=\n"
         "/u/work/sub:/x:rw in /home/alice/work\n"
         "/u/work:/y:rw in /home/alice/work\n"
         "in /home/alice/work, HOME /tmp\n"},
        {"mounts_allowed=\"/d\"",
         "/u/work",
         {"container-mounts=/d:/u/work/ref"},
         "/home/alice/work:/home/alice/work:rw\n"
         "/u/work:/u/work:rw=\n"
         "/d:/u/work/ref:ro ~ /d @2\n"
         "in /home/alice/work, HOME /tmp\n"},
        {"",
         "/u/work",
         {"container-mounts=tmpfs:/u/work/a,tmpfs:/t,tmpfs:/home/alice/work/b"},
         "/home/alice/work:/home/alice/work:rw\n"
         "tmpfs:/home/alice/work/b:rw+\n"
         "tmpfs:/t:rw\n"
         "/u/work:/u/work:rw=\n"
         "tmpfs:/u/work/a:rw+\n"
         "in /home/alice/work, HOME /tmp\n"},
        // It may not be true: a rule counts as ever, and so does the home.
        {"mounts_allowed=\"/data/*\"",
         "/data",
         {"container-mounts=/data/x"},
         "/data:/data:rw=\n"
         "/data/x:/data/x:ro ~ /data/* in /home/alice/work @2\n"
         "/home/alice/work:/home/alice/work:rw\n"
         "in /home/alice/work, HOME /tmp\n"},
        {"",
         "/home/alice",
         {"container-mounts=/home/alice:/h,/home/alice/x:/x"},
         "/home/alice:/h:rw\n"
         "/home/alice/work:/home/alice/work:rw\n"
         "/home/alice/x:/x:rw in /home/alice\n"
         "in /home/alice/work, HOME /tmp\n"},
        // Not where something else is, or none may be, nor without the other.
        {"mounts_default=\"/d:/u\"",
         "/u/work",
         {NULL},
         "/home/alice/work:/home/alice/work:rw\n"
         "/d:/u:ro? @2\n"
         "in /home/alice/work, HOME /tmp\n"},
        {"",
         "/etc",
         {NULL},
         "/home/alice/work:/home/alice/work:rw\n"
         "in /home/alice/work, HOME /tmp\n"},
        {"",
         "/home",
         {NULL},
         "/home/alice/work:/home/alice/work:rw\n"
         "in /home/alice/work, HOME /tmp\n"},
        {"",
         "/u/../etc",
         {NULL},
         "/home/alice/work:/home/alice/work:rw\n"
         "in /home/alice/work, HOME /tmp\n"},
        {"workdir=never", "/u/work", {NULL}, "in /, HOME /tmp\n"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *words[MAX_OPTIONS] = {"container=debian",
                                          cases[i].options[0]};
        struct subject subject = alice;
        char conf[256];
        subject.pwd = cases[i].pwd;
        snprintf(conf, sizeof(conf), "allow=debian\n%s", cases[i].conf);
        judge(conf, &subject, words);
        assert_string_equal(told(), cases[i].told);
        done();
    }
}

static void what_a_source_leads_to_must_match_as_well(void **state)
{
    static const char *const words[MAX_OPTIONS] = {
        "container=debian", "container-mounts=/scratch/alice/link:/a"};

    (void)state;
    judge("allow=debian\nmounts_allowed={\"/scratch/%u/**:rw\", "
          "\"/mnt/s/%u/**:rw\", \"/data/*\", \"/opt:/b:rw\"}\n"
          "mounts_always=\"/etc/site:/etc/site\"",
          &alice, words);
    told();
    const struct decision_mount *m = now.decision.mounts;
    assert_string_equal(m->target, "/a");
    assert_true(decide_source_ok(m, "/scratch/alice/link", NULL));
    assert_true(decide_source_ok(m, "/mnt/s/alice/x/y", NULL));
    assert_true(decide_source_ok(m, "/mnt/s/alice", NULL));
    // Its rule says ro, and this mount is rw; the other's target is not this.
    assert_false(decide_source_ok(m, "/data/x", NULL));
    assert_false(decide_source_ok(m, "/opt", NULL));
    assert_false(decide_source_ok(m, "/scratch/bob/x", NULL));
    assert_false(decide_source_ok(m, "/etc", NULL));
    assert_false(decide_source_ok(m, "/", NULL));
    m++;
    assert_string_equal(m->target, "/etc/site");
    assert_true(decide_source_ok(m, "/anything", NULL));
    done();
}

static void what_a_source_in_ones_own_directory_leads_to(void **state)
{
    static const char *const words[MAX_OPTIONS] = {
        "container=debian", "container-mounts=link:/a,/home/alice/x:/b"};

    (void)state;
    judge("allow=debian\nmounts_allowed={\"/data/*:rw\"}", &alice, words);
    told();
    const struct decision_mount *m = now.decision.mounts;
    assert_string_equal(m->target, "/a");
    assert_string_equal(m->within, "/home/alice/work");
    assert_true(decide_source_ok(m, "/lustre/alice/x", "/lustre/alice"));
    assert_true(decide_source_ok(m, "/data/x", "/lustre/alice"));
    assert_false(decide_source_ok(m, "/lustre/alice2", "/lustre/alice"));
    assert_false(decide_source_ok(m, "/home/alice/work/link", NULL));
    m++;
    assert_string_equal(m->target, "/b");
    assert_string_equal(m->within, "/home/alice");
    done();
}

static void a_mode_that_warns_lets_pass_and_says_why(void **state)
{
    static const struct {
        const char *conf;
        const char *options[MAX_OPTIONS];
        const char *warning;
    } cases[] = {
        {"allow=debian", {"container=debian"}, ""},
        {"allow=debian",
         {"container=fedora"},
         "image docker.io/library/fedora:latest is not allowed by b.conf line "
         "1, which allows debian: choose one of these or ask your "
         "administrator"},
        {"",
         {"container=fedora"},
         "image docker.io/library/fedora:latest is not allowed: b.conf allows "
         "no image on this node, ask your administrator for an allow= there"},
        {"allow=debian\ndeny=debian",
         {"container=debian"},
         "image docker.io/library/debian:latest is denied by b.conf line 2 "
         "(debian): choose another or ask your administrator"},
        {"allow=debian",
         {"container=debian", "container-mounts=/a:rw"},
         "/a cannot be mounted: b.conf allows no mounts (mounts_allowed of "
         "berth.conf): "
         "leave it out or ask your administrator"},
        {"allow=debian\noptions={image}",
         {"container=debian", "container-workdir=/x"},
         "--container-workdir cannot be used here: b.conf line 2 allows only "
         "image (options): leave it out or ask your administrator"},
        {"allow=debian\nhome=never",
         {"container=debian", "container-mount-home"},
         "--container-mount-home cannot be had, by b.conf line 2 (home): leave "
         "it out or ask your administrator"},
        {"allow=debian\nnetworks={}",
         {"container=debian", "container-network=none"},
         "--container-network=none cannot be had: b.conf allows no network "
         "(networks): leave it out"},
        {"allow=debian\nnetworks={host}",
         {"container=debian", "container-network=none"},
         "--container-network=none cannot be had: b.conf line 2 allows only "
         "host (networks): choose one of these or ask your administrator"},
        // The first of several.
        {"allow=debian",
         {"container=debian", "container-writable", "container-network=none"},
         "--container-writable cannot be had, by berth's default (writable): "
         "leave it out, and write to /tmp or to a mount"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        for (int audit = 0; audit < 2; audit++) {
            char conf[256];
            snprintf(conf, sizeof(conf), "%s\nmode=%s", cases[i].conf,
                     audit ? "audit" : "warn");
            judge(conf, &alice, cases[i].options);
            told();
            assert_string_equal(now.decision.warning, cases[i].warning);
            done();
        }
    judge("mode=warn", &alice,
          (const char *[MAX_OPTIONS]){
              "container=debian", "container-mounts=/a,/b:rw",
              "container-mount-home", "container-writable"});
    assert_string_equal(told(), "/a:/a:ro\n/b:/b:rw\n"
                                "/home/alice:/home/alice:rw\n"
                                "/home/alice/work:/home/alice/work:rw\n"
                                "in /home/alice/work, HOME /home/alice\n");
    assert_true(now.decision.writable);
    assert_null(now.decision.rule);
    done();
}

// It is asked nobody for, whatever pull says.
static void what_the_mode_alone_lets_run_is_not_fetched(void **state)
{
    static const struct {
        const char *conf, *image;
        bool unfetched;
    } cases[] = {
        {"allow=debian", "container=debian", false},
        {"allow=debian", "container=fedora", true},
        {"", "container=fedora", true},
        {"allow=debian\ndeny=debian", "container=debian", true},
        {"archives=yes", "container=/a.tar", false},
        {"save=yes", "container=my/own", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char conf[256];
        snprintf(conf, sizeof(conf), "%s\nmode=audit", cases[i].conf);
        judge(conf, &alice, (const char *[MAX_OPTIONS]){cases[i].image});
        told();
        if (now.decision.unfetched != cases[i].unfetched)
            fail_msg("%zu", i);
        done();
    }
}

// The longest name, and rules from files whose names are as long as they can
// be: what does not fit is left out whole, but for the image's end.
static void a_denial_has_an_end_however_long_its_parts_are(void **state)
{
    char file[400], name[600] = "container=", conf[512] = "allow={";
    struct berth_err err = {0};

    (void)state;
    memset(file, 'f', sizeof(file));
    file[0] = '/';
    memset(name + 10, 'n', 255 - 18); // "docker.io/library/" counts
    strcpy(name + 247, ":");
    memset(name + 248, 't', 128);
    strcpy(name + 376, "@sha512:" X64 X64);
    for (size_t i = 0; i < 4; i++)
        snprintf(conf + strlen(conf), sizeof(conf) - strlen(conf), "%s%0100zu",
                 i ? "," : "", i);
    strcat(conf, "}");
    for (size_t len = 1; len < sizeof(file); len++) {
        file[len] = 0;
        now = (struct judged){0};
        now.policy =
            policy_parse(0, NULL, NULL, file, conf, strlen(conf), &err);
        file[len] = 'f';
        assert_non_null(now.policy);
        assert_int_equal(policy_rules(now.policy, &alice, &now.rules, &err), 0);
        memset(now.rules.allow_where, 'w', sizeof(now.rules.allow_where) - 1);
        now.rules.allow_where[len] = 0;
        assert_int_equal(
            options_set(&now.options, "container", name + 10, &err), 0);
        decide(&now.rules, &now.options, &alice, &now.decision);
        assert_int_equal(now.decision.verdict, VERDICT_DENY);
        if (strncmp(now.decision.reason, "image docker.io/library/nnn", 27) ||
            !strstr(now.decision.reason, ", which allows ") ||
            !strstr(now.decision.reason, ": choose one of these or ask your "
                                         "administrator"))
            fail_msg("%s", now.decision.reason);
        done();
    }
}

static void the_rest_is_as_the_rules_and_the_user_say(void **state)
{
    (void)state;
    judge("allow=debian", &alice,
          (const char *[MAX_OPTIONS]){"container=debian"});
    const struct decision *d = &now.decision;
    assert_string_equal(d->rule->text, "debian");
    assert_int_equal(d->rule->line, 1);
    assert_string_equal(d->image.path, "library/debian");
    assert_false(d->writable);
    assert_false(d->entrypoint);
    assert_string_equal(d->network, "host");
    assert_int_equal(d->publish.n, 0);
    assert_int_equal(d->nenv, 0);
    assert_int_equal(d->nenv_set, 0);
    // "docker" is left behind, and a group without a name is not.
    assert_int_equal(d->ngids, 3);
    assert_int_equal(d->gids[0], 100);
    assert_int_equal(d->gids[1], 2001);
    assert_int_equal(d->gids[2], 0);
    done();

    judge("allow=debian\nwritable=default\nnetworks={mpi, none, host}\n"
          "publish={\"80\", \"127.0.0.1:8000-8001\"}\n"
          "env_set={\"A=%u 100%%\", \"B=\"}\ndeny_groups={chem, 0}",
          &alice,
          (const char *[MAX_OPTIONS]){"container=debian", "container-env=X,Y_1",
                                      "container-entrypoint"});
    told();
    assert_true(d->writable);
    assert_true(d->entrypoint);
    assert_string_equal(d->network, "mpi");
    assert_int_equal(d->publish.n, 2);
    assert_string_equal(d->publish.v[1]->text, "127.0.0.1:8000-8001");
    assert_int_equal(d->nenv, 2);
    assert_string_equal(d->env[0], "X");
    assert_string_equal(d->env[1], "Y_1");
    assert_int_equal(d->nenv_set, 2);
    assert_string_equal(d->env_set[0], "A=alice 100%");
    assert_string_equal(d->env_set[1], "B=");
    assert_int_equal(d->ngids, 2);
    assert_int_equal(d->gids[1], 998);
    done();

    judge("allow=debian\nwritable=default\nnetworks={mpi, none, host}\n"
          "publish={\"80\"}",
          &alice,
          (const char *[MAX_OPTIONS]){
              "container=debian", "container-network=none",
              "container-readonly", "no-container-entrypoint"});
    told();
    assert_false(d->writable);
    assert_false(d->entrypoint);
    assert_string_equal(d->network, "none");
    assert_int_equal(d->publish.n, 0);
    done();

    judge(
        "allow=debian\nwritable=allowed\nnetworks={}", &alice,
        (const char *[MAX_OPTIONS]){"container=debian", "container-writable"});
    assert_true(d->writable);
    assert_string_equal(d->network, "none");
    done();
}

static void slurms_commands_are_there_as_rules_and_user_say(void **state)
{
    static const struct {
        const char *conf;
        const char *option;
        bool there;
    } cases[] = {
        {"slurm=never", NULL, false},
        {"slurm=never", "no-container-slurm", false},
        {"slurm=allowed", NULL, false},
        {"slurm=allowed", "container-slurm", true},
        {"slurm=allowed", "no-container-slurm", false},
        {"slurm=default", NULL, true},
        {"slurm=default", "container-slurm", true},
        {"slurm=default", "no-container-slurm", false},
        {"slurm=default\nnetworks={none}", NULL, false},
        {"slurm=default\nnetworks={none}", "no-container-slurm", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char conf[256];
        snprintf(conf, sizeof(conf), "allow=debian\n%s", cases[i].conf);
        judge(conf, &alice,
              (const char *[MAX_OPTIONS]){"container=debian", cases[i].option});
        told();
        if (now.decision.slurm != cases[i].there)
            fail_msg("%s, %s", cases[i].conf, cases[i].option);
        done();
    }
}

static void users_are_root_as_rules_and_they_say(void **state)
{
    static const struct {
        const char *conf;
        const char *option;
        bool root, slurm;
    } cases[] = {
        {"root=never", NULL, false, false},
        {"root=never", "no-container-remap-root", false, false},
        {"root=allowed", NULL, false, false},
        {"root=allowed", "container-writable", false, false},
        {"root=allowed", "container-root", true, false},
        {"root=allowed\nslurm=default", "container-root", true, false},
        {"root=allowed\nslurm=default", NULL, false, true},
        {"root=default", NULL, true, false},
        {"root=default", "container-remap-root", true, false},
        {"root=default", "no-container-remap-root", false, false},
        // A default gives way.
        {"root=default", "container-readonly", false, false},
        {"root=default\nslurm=allowed", "container-slurm", false, true},
        {"root=default\nsave=yes", "container-save=a.tar", true, false},
        {"root=allowed\nsave=yes", "container-save=a.tar", false, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct decision *d = &now.decision;
        char conf[256];
        snprintf(
            conf, sizeof(conf),
            "allow=debian\nwritable=allowed\nroot_ids=\"2000000:65536\"\n%s",
            cases[i].conf);
        judge(conf, &alice,
              (const char *[MAX_OPTIONS]){"container=debian", cases[i].option});
        told();
        if (d->root != cases[i].root || d->slurm != cases[i].slurm)
            fail_msg("%s, %s", cases[i].conf, cases[i].option);
        if (d->root) {
            assert_true(d->writable);
            assert_int_equal(d->range.start, 2000000 + 1001 * 65536);
            assert_int_equal(d->range.count, 65536);
        }
        assert_int_equal(decision_uid(d, &alice),
                         d->root ? d->range.start : 1001);
        assert_int_equal(decision_gid(d, &alice),
                         d->root ? d->range.start : 100);
        done();
    }
    // With all others.
    judge("allow=debian\nroot=allowed\nnetworks={none}\n"
          "root_ids=\"100000:65536:dockremap\"",
          &alice,
          (const char *[MAX_OPTIONS]){"container=debian", "container-root"});
    told();
    assert_int_equal(now.decision.range.start, 100000);
    assert_int_equal(now.decision.range.count, 65536);
    done();
    // Where nothing else can be written to.
    judge("allow=debian\nroot=allowed\nroot_ids=\"2000000:65536\"", &alice,
          (const char *[MAX_OPTIONS]){"container=debian", "container-root"});
    told();
    assert_true(now.decision.writable);
    done();
    judge("allow=debian\nroot=allowed\nsave=yes\nroot_ids=\"2000000:65536\"",
          &alice,
          (const char *[MAX_OPTIONS]){"container=debian", "container-root",
                                      "container-save=/home/a.tar"});
    told();
    assert_true(now.decision.root);
    assert_string_equal(now.decision.save, "/home/a.tar");
    done();
}

static void containers_are_kept_as_rules_and_user_say(void **state)
{
    static const struct {
        const char *conf;
        const char *option;
        bool kept, named;
    } cases[] = {
        {"", NULL, true, false},
        {"", "container-name=x", false, true},
        {"reuse=never", NULL, false, false},
        {"reuse=never", "no-container-reuse", false, false},
        {"reuse=allowed", NULL, false, false},
        {"reuse=allowed", "container-reuse", true, false},
        {"reuse=default", NULL, true, false},
        {"reuse=default", "no-container-reuse", false, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char conf[256];
        snprintf(conf, sizeof(conf), "allow=debian\n%s", cases[i].conf);
        judge(conf, &alice,
              (const char *[MAX_OPTIONS]){"container=debian", cases[i].option});
        told();
        if (now.decision.reuse != cases[i].kept ||
            now.decision.named != cases[i].named)
            fail_msg("%s, %s", cases[i].conf, cases[i].option);
        done();
    }
    judge("allow=debian\nreuse=never", &alice,
          (const char *[MAX_OPTIONS]){"container=debian", "container-name=x"});
    assert_int_equal(now.decision.verdict, VERDICT_DENY);
    assert_false(now.decision.named);
    done();
}

static void what_is_done_in_place_of_a_container_needs_no_more(void **state)
{
    static const struct {
        enum errand errand;
        const char *words[MAX_OPTIONS];
    } cases[] = {
        {ERRAND_LIST, {"container-do=list"}},
        {ERRAND_LIST, {"container-do=list", "container=fedora"}},
        {ERRAND_LAYERS, {"container-do=layers"}},
        {ERRAND_PULL, {"container-do=pull", "container=debian"}},
        {ERRAND_REMOVE, {"container-do=remove", "container=my/x:1"}},
        {ERRAND_REMOVE, {"container-do=remove", "container=0123456789ab"}},
        {ERRAND_REMOVE, {"container-do=remove", "container=abcd"}},
        {ERRAND_END, {"container-do=end", "container-name=x"}},
        {ERRAND_END, {"container-do=end", "container-join=12.0"}},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        judge("allow=debian", &alice, cases[i].words);
        told();
        assert_int_equal(now.decision.errand, cases[i].errand);
        assert_int_equal(now.decision.nmounts, 0);
        assert_null(now.decision.workdir);
        done();
    }
    // Who would be root in a container has it where that is made.
    judge("allow=debian\nroot=allowed\nroot_ids=\"2000000:65536\"", &alice,
          (const char *[MAX_OPTIONS]){"container-do=pull", "container=debian",
                                      "container-root"});
    told();
    assert_true(now.decision.root);
    done();
    judge("allow=debian\nroot=default\nroot_ids=\"2000000:65536\"", &alice,
          (const char *[MAX_OPTIONS]){"container-do=pull", "container=debian"});
    told();
    assert_true(now.decision.root);
    done();
    judge("allow=debian", &alice,
          (const char *[MAX_OPTIONS]){"container-do=pull", "container=debian",
                                      "container-root"});
    assert_int_equal(now.decision.verdict, VERDICT_DENY);
    done();
    // Who may have no container, may do nothing of this either.
    judge("allow=debian\ndeny_users={alice}", &alice,
          (const char *[MAX_OPTIONS]){"container-do=list"});
    assert_int_equal(now.decision.verdict, VERDICT_DENY);
    done();
    judge("allow=debian\nmode=warn", &alice,
          (const char *[MAX_OPTIONS]){"container-do=pull", "container=fedora"});
    told();
    assert_non_null(strstr(now.decision.warning, "fedora"));
    done();
}

static void what_is_saved_is_as_the_user_says(void **state)
{
    static const struct {
        const char *option;
        const char *save;
        bool image, replace, always;
    } cases[] = {
        {"container-save=/x/a.tar", "/x/a.tar", false, false, false},
        {"container-save=a.tar", "/home/alice/work/a.tar", false, false, false},
        {"container-save=./a.tar:replace", "/home/alice/work/./a.tar", false,
         true, false},
        {"container-save=/x/a:always:replace", "/x/a", false, true, true},
        {"container-save=/x/a:replaced", "/x/a:replaced", false, false, false},
        {"container-save=image:own", "my/own:latest", true, false, false},
        {"container-save=image:a/own:2:always", "my/a/own:2", true, false,
         true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        judge("allow=debian\nsave=yes\nwritable=never", &alice,
              (const char *[MAX_OPTIONS]){"container=debian", cases[i].option});
        told();
        assert_string_equal(now.decision.save, cases[i].save);
        assert_int_equal(now.decision.save_image, cases[i].image);
        assert_int_equal(now.decision.save_replace, cases[i].replace);
        assert_int_equal(now.decision.save_always, cases[i].always);
        // What is saved has to be written.
        assert_true(now.decision.writable);
        done();
    }
}

static void what_is_saved_needs_a_place(void **state)
{
    struct subject nowhere = alice;

    (void)state;
    nowhere.cwd = NULL;
    judge("allow=debian\nsave=yes", &nowhere,
          (const char *[MAX_OPTIONS]){"container=debian",
                                      "container-save=a.tar"});
    assert_int_equal(now.decision.verdict, VERDICT_DENY);
    assert_non_null(strstr(now.decision.reason, "is no whole path"));
    done();
    judge("allow=debian\nsave=yes", &nowhere,
          (const char *[MAX_OPTIONS]){"container=debian",
                                      "container-save=/a.tar"});
    told();
    assert_string_equal(now.decision.save, "/a.tar");
    done();
    // An ending alone is one, too.
    judge(
        "allow=debian\nsave=yes", &alice,
        (const char *[MAX_OPTIONS]){"container=debian", "container-save=.sif"});
    assert_int_equal(now.decision.verdict, VERDICT_DENY);
    assert_non_null(strstr(now.decision.reason, "Apptainer's"));
    done();
}

static void what_is_joined_is_saved_if_it_was_made_to_be_written(void **state)
{
    struct subject guest = alice;

    (void)state;
    guest.start = "/home/alice/work/below";
    judge("allow=debian\nsave=yes\nwritable=allowed", &guest,
          (const char *[MAX_OPTIONS]){"container=debian",
                                      "container-save=a.tar"});
    assert_int_equal(now.decision.verdict, VERDICT_DENY);
    assert_non_null(strstr(now.decision.reason, "is read-only"));
    done();
    judge("allow=debian\nsave=yes\nwritable=allowed", &guest,
          (const char *[MAX_OPTIONS]){"container=debian", "container-writable",
                                      "container-save=a.tar"});
    told();
    assert_string_equal(now.decision.save, "/home/alice/work/below/a.tar");
    done();
}

static void an_image_of_ones_own_needs_no_pattern(void **state)
{
    (void)state;
    judge("allow=debian\nsave=yes", &alice,
          (const char *[MAX_OPTIONS]){"container=my/own:2"});
    told();
    char name[IMGREF_TEXT_MAX];
    assert_true(now.decision.mine);
    decision_image_name(&now.decision, name);
    assert_string_equal(name, "my/own:2");
    done();
}

static void who_can_have_no_container_is_told_alone(void **state)
{
    struct policy *policy;
    struct rules rules = {0};
    struct berth_err err = {0};
    static const char conf[] = "deny_users={bob}\nmin_uid=1001";
    struct subject subject = alice;

    (void)state;
    policy = policy_parse(0, NULL, NULL, "b.conf", conf, strlen(conf), &err);
    assert_non_null(policy);
    assert_int_equal(policy_rules(policy, &alice, &rules, &err), 0);
    assert_int_equal(decide_who(&rules, &alice, &err), 0);
    subject.user = "bob";
    assert_int_equal(decide_who(&rules, &subject, &err), -1);
    assert_int_equal(err.code, BERTH_EDENIED);
    assert_string_equal(err.text,
                        "user bob can have no container, by b.conf line 1 "
                        "(deny_users): ask your administrator");
    subject.uid = 1000;
    assert_int_equal(decide_who(&rules, &subject, &err), -1);
    assert_string_equal(err.text,
                        "a job of uid 1000 can have no container: b.conf line "
                        "2 wants 1001 at least (min_uid): submit it as another "
                        "user");
    rules_clear(&rules);
    policy_free(policy);
}

static void as_many_mounts_as_there_can_be(void **state)
{
    char mounts[BERTH_MOUNTS_MAX * 16] = "container-mounts=";
    size_t used = strlen(mounts);

    (void)state;
    for (int i = 0; i < BERTH_MOUNTS_MAX; i++)
        used += (size_t)snprintf(mounts + used, sizeof(mounts) - used,
                                 "%stmpfs:/t/%d", i ? "," : "", i);
    judge("allow=debian\nworkdir=never", &alice,
          (const char *[MAX_OPTIONS]){"container=debian", mounts});
    told();
    assert_int_equal(now.decision.nmounts, BERTH_MOUNTS_MAX);
    done();
}

static void a_name_that_no_rule_has_is_told_where_it_leads(void **state)
{
    static const char *const words[MAX_OPTIONS] = {
        "container=debian", "container-mounts=/data/link:/a"};
    static const char conf[] =
        "allow=debian\nmounts_allowed={\"/lustre/%u/**\"}";
    static const char why[] =
        "/data/link cannot be mounted: b.conf line 2 allows only "
        "/lustre/alice/** (mounts_allowed): choose one of these or ask your "
        "administrator";
    static const struct {
        const char *real, *more;
    } cases[] = {{"/data/link", ""},
                 {"/lustre/bob", "; /data/link leads to /lustre/bob"}};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char want[512];
        judge(conf, &alice, words);
        assert_string_equal(now.decision.unnamed, "/data/link");
        decide_tell_link(&now.decision, &alice, cases[i].real);
        snprintf(want, sizeof(want), "%s%s", why, cases[i].more);
        assert_string_equal(now.decision.reason, want);
        done();
    }
    judge(conf, &alice, words);
    decide_tell_link(&now.decision, &alice, "/lustre/alice/x");
    assert_string_equal(now.decision.reason,
                        "/data/link cannot be mounted by that name, which no "
                        "rule has (mounts_allowed): it leads to "
                        "/lustre/alice/x, write that");
    assert_int_equal(now.decision.verdict, VERDICT_DENY);
    done();
}

static void
what_is_mounted_within_comes_along_where_a_rule_says_so(void **state)
{
    static const char *const words[MAX_OPTIONS] = {
        "container=debian", "container-mounts=/data/link:/a"};
    const struct decision *d = &now.decision;

    (void)state;
    judge("allow=debian\n"
          "mounts_allowed={\"/data/*\", \"/lustre/%u/**:rw+recursive\", "
          "\"/tank/x:/x:recursive\", \"/nobody/%g:recursive\"}\n"
          "mounts_always={\"/opt/one\", \"/opt/two:recursive\"}",
          &alice, words);
    told();
    // The place counts, and no name.
    assert_false(decide_recurses(d, &d->mounts[0], "/data/link"));
    assert_true(decide_recurses(d, &d->mounts[0], "/lustre/alice/x"));
    assert_true(decide_recurses(d, &d->mounts[0], "/tank/x"));
    assert_false(decide_recurses(d, &d->mounts[1], "/home/alice/work"));
    assert_true(decide_recurses(d, &d->mounts[1], "/lustre/alice"));
    assert_false(decide_recurses(d, &d->mounts[1], "/lustre/bob"));
    assert_false(decide_recurses(d, &d->mounts[2], "/opt/one"));
    assert_true(decide_recurses(d, &d->mounts[3], "/srv/two"));
    done();
}

static void without_rules_there_is_a_denial(void **state)
{
    struct options options = {.image = (char *)"debian"};
    struct decision decision = {.verdict = VERDICT_ALLOW};

    (void)state;
    decide(NULL, &options, &alice, &decision);
    assert_int_equal(decision.verdict, VERDICT_DENY);
    assert_int_equal(decision.code, BERTH_EDENIED);
    assert_string_equal(decision.reason, "");
    decision_clear(&decision);
    struct rules zeroed = {0};
    decide(&zeroed, &options, &alice, &decision);
    assert_int_equal(decision.verdict, VERDICT_DENY);
    decision_clear(&decision);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_with_a_reason_and_what_to_do),
        cmocka_unit_test(root_has_no_container_unless_the_policy_says_so),
        cmocka_unit_test(what_the_policy_cannot_name_is_refused),
        cmocka_unit_test(what_is_mounted_and_where_tasks_start),
        cmocka_unit_test(the_root_directory_needs_no_mount),
        cmocka_unit_test(
            who_joins_starts_in_his_own_directory_if_that_is_there),
        cmocka_unit_test(the_users_name_of_the_working_directory_is_there_too),
        cmocka_unit_test(what_a_source_leads_to_must_match_as_well),
        cmocka_unit_test(what_a_source_in_ones_own_directory_leads_to),
        cmocka_unit_test(a_name_that_no_rule_has_is_told_where_it_leads),
        cmocka_unit_test(
            what_is_mounted_within_comes_along_where_a_rule_says_so),
        cmocka_unit_test(a_mode_that_warns_lets_pass_and_says_why),
        cmocka_unit_test(what_the_mode_alone_lets_run_is_not_fetched),
        cmocka_unit_test(a_denial_has_an_end_however_long_its_parts_are),
        cmocka_unit_test(the_rest_is_as_the_rules_and_the_user_say),
        cmocka_unit_test(slurms_commands_are_there_as_rules_and_user_say),
        cmocka_unit_test(users_are_root_as_rules_and_they_say),
        cmocka_unit_test(containers_are_kept_as_rules_and_user_say),
        cmocka_unit_test(what_is_saved_is_as_the_user_says),
        cmocka_unit_test(what_is_saved_needs_a_place),
        cmocka_unit_test(what_is_joined_is_saved_if_it_was_made_to_be_written),
        cmocka_unit_test(an_image_of_ones_own_needs_no_pattern),
        cmocka_unit_test(what_is_done_in_place_of_a_container_needs_no_more),
        cmocka_unit_test(who_can_have_no_container_is_told_alone),
        cmocka_unit_test(as_many_mounts_as_there_can_be),
        cmocka_unit_test(without_rules_there_is_a_denial),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
