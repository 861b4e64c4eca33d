// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: the facts of a step, of which options and cwd are the user's; the
// prolog's record, the node's user database and berth.conf, which are root's.

#include "stepd/admission.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "node/trusted.h"
#include "stepd/claim.h"
#include "stepd/mount_source.h"
#include "stepd/trace.h"

// Without the prolog's record nothing is known of the job: no GPUs, no
// cluster, no partition.
static int find_allocation(const struct step *step, struct audit_log *log,
                           struct admission *r, struct berth_err *err)
{
    r->allocated = store_job_read(BERTH_STATEDIR, step->node, step->job,
                                  &r->allocation, err) == 0;
    audit_log_note(log, "cluster", r->allocation.cluster);
    audit_log_note(log, "partition", r->allocation.partition);
    return r->allocated || err->code == BERTH_ENOTFOUND ? 0 : -1;
}

static void know_subject(const struct step *step, struct admission *r)
{
    r->subject = (struct subject){
        .uid = step->uid,
        .gid = step->gid,
        .gids = step->gids,
        .ngids = step->ngids,
        .user = r->identity.user,
        .group = r->identity.primary,
        .groups = (const char *const *)r->identity.groups,
        .home = r->identity.home,
        .partition =
            r->allocation.partition[0] ? r->allocation.partition : NULL,
        .job = step->job,
        .cwd = step->cwd,
        .pwd = step->pwd,
        .start = step->start,
    };
}

// No berth.conf is fine where nobody has named one: then the words behind
// the plugin count alone.
static int read_policy(const struct step *step, struct admission *r,
                       struct berth_err *err)
{
    struct policy_source source = {step->conf, (int)step->conf_line,
                                   step->conf_cut != 0};
    const char *const *words = (const char *const *)step->words.v;
    char *text = NULL;
    size_t len = 0;
    bool given;

    const char *path = policy_conf_path(step->words.n, words, &given);
    if (trusted_read(path, &text, &len, err) < 0) {
        if (given || err->code != BERTH_ENOTFOUND)
            return err_prefix(err, "containers are refused");
        path = NULL;
    }
    r->policy =
        policy_parse(step->words.n, words, &source, path, text, len, err);
    free(text);
    return r->policy ? 0 : -1;
}

static void note(const struct decision *decision, struct audit_log *log)
{
    char name[IMGREF_TEXT_MAX];

    if (decision->archive || decision->image.path[0]) {
        decision_image_name(decision, name);
        audit_log_note(log, "name", name);
    }
    audit_log_rule(log, decision->rule);
    if (decision->root) {
        snprintf(name, sizeof(name), "%u-%u", decision->range.start,
                 decision->range.start + decision->range.count - 1);
        audit_log_note(log, "root", name);
    }
}

// The strictest mode that a job can have, whatever its partition.
static int strictest_mode(const struct admission *r, enum rule_mode *out,
                          struct berth_err *err)
{
    struct subject subject = r->subject;
    struct rules rules;

    *out = r->rules.mode;
    for (size_t i = 0; (subject.partition = policy_partition(r->policy, i));
         i++) {
        if (policy_rules(r->policy, &subject, &rules, err) < 0)
            return -1;
        if (rules.mode < *out)
            *out = rules.mode;
        rules_clear(&rules);
    }
    return 0;
}

// Rules for partitions hold for a job whose partition is known. That it is
// not must not make them weaker: a user may have seen to it that the prolog
// could not write.
static int check_partition(const struct step *step, struct admission *r,
                           struct berth_err *err)
{
    struct berth_err why = {0};
    enum rule_mode mode;

    if (r->subject.partition || !policy_partition(r->policy, 0))
        return 0;
    if (strictest_mode(r, &mode, err) < 0)
        return -1;
    err_set(&why, BERTH_EDENIED,
            "%s has rules for partitions, and node %s does not know in which "
            "one job %u is: tell your administrator, who finds out by "
            "berth-prolog(8) why there is no record of it",
            r->rules.file, step->node, step->job);
    if (mode == RULE_MODE_ENFORCE)
        return err_set(err, why.code, "%s", why.text);
    if (!r->decision.warning[0])
        snprintf(r->decision.warning, sizeof(r->decision.warning), "%s",
                 why.text);
    return 0;
}

// A step over several nodes is the same on all of them, or says so. The nodes
// know nothing of each other, but each knows the policy of srun's host.
static void compare_policy(const struct step *step, struct admission *r)
{
    if (step->others &&
        strcmp(step->others, policy_fingerprint(r->policy)) != 0)
        snprintf(r->advice, sizeof(r->advice),
                 "the policy of node %s is not that of the host from which "
                 "this step was started, so what it may do and what is "
                 "mounted may differ from the other nodes: tell your "
                 "administrator, who makes the spank_berth.so lines and "
                 "berth.conf the same",
                 step->node);
}

// Where a source leads that no rule names, for the sentence: as the user.
static void find_link(const struct step *step, struct admission *r)
{
    const struct child_user user = {step->uid, step->gid, step->gids,
                                    step->ngids};
    struct mount_source source = {.path = r->decision.unnamed};
    struct berth_err ignored;
    char name[64], real[PATH_MAX];

    if (mount_source_open(&user, r->rules.probe_seconds, &source, 1, &ignored) <
            0 ||
        source.fd < 0)
        return;
    snprintf(name, sizeof(name), "/proc/self/fd/%d", source.fd);
    ssize_t n = readlink(name, real, sizeof(real));
    if (n > 0 && n < (ssize_t)sizeof(real)) {
        real[n] = 0;
        decide_tell_link(&r->decision, &r->subject, real);
    }
    mount_source_close(&source, 1);
}

static int claim(const struct step *step, const struct decision *decision,
                 struct berth_err *err)
{
    const char *account = decision->rules->root_ids->account;
    char dir[PATH_MAX];

    snprintf(dir, sizeof(dir), "%s/%s", BERTH_STATEDIR, step->node);
    return claim_check(CLAIM_ETC, &decision->range, account, err) < 0
               ? -1
               : claim_note(dir, account ? CLAIM_ALL : step->uid,
                            &decision->range, err);
}

int admission_make(const struct step *step, struct audit_log *log,
                   struct admission *out, struct berth_err *err)
{
    *out = (struct admission){0};
    if (find_allocation(step, log, out, err) < 0 ||
        identity_lookup(step, &out->identity, err) < 0)
        return -1;
    know_subject(step, out);
    if (step->wrong)
        return err_set(err, BERTH_EINVAL, "%s", step->wrong);
    if (read_policy(step, out, err) < 0)
        return -1;
    audit_log_send_to(log, policy_audit_log(out->policy));
    if (policy_rules(out->policy, &out->subject, &out->rules, err) < 0)
        return -1;
    trace_want(out->rules.log_level == RULE_LOG_DEBUG);
    decide(&out->rules, &step->options, &out->subject, &out->decision);
    note(&out->decision, log);
    if (check_partition(step, out, err) < 0)
        return -1;
    compare_policy(step, out);
    if (out->decision.unnamed)
        find_link(step, out);
    if (out->decision.verdict != VERDICT_ALLOW)
        return err_set(err, out->decision.code, "%s", out->decision.reason);
    if (out->decision.root && claim(step, &out->decision, err) < 0)
        return -1;
    return out->decision.slurm
               ? identity_add_slurm(&out->identity, step->slurm.user, err)
               : 0;
}

void admission_clear(struct admission *admission)
{
    int saved = errno;

    decision_clear(&admission->decision);
    rules_clear(&admission->rules);
    policy_free(admission->policy);
    identity_clear(&admission->identity);
    *admission = (struct admission){0};
    errno = saved;
}
