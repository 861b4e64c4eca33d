// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include "tools/report.h"

#include <stdbool.h>
#include <string.h>

#include "logic/decide.h"
#include "logic/limits.h"
#include "logic/mount_syntax.h"
#include "logic/path.h"
#include "logic/request_decided.h"
#include "protocol/wire.h"

// --- parts, each with its rule -----------------------------------------------

// Adds to the list PARTS. VALUE is stolen. RULE may be NULL: there is none.
static void add_part(json_t *parts, const char *name, json_t *value,
                     const struct rule *rule)
{
    json_t *part = json_pack("{s:s, s:o}", "part", name, "value", value);

    if (rule && rule->text)
        json_object_set_new(part, "rule", json_string(rule->text));
    if (rule && rule->file)
        json_object_set_new(part, "file", json_string(rule->file));
    if (rule && rule->file && rule->line > 0)
        json_object_set_new(part, "line", json_integer(rule->line));
    json_array_append_new(parts, part);
}

static void add_text(json_t *parts, const char *name, const char *text,
                     const struct rule *rule)
{
    if (text)
        add_part(parts, name, json_string(text), rule);
}

static void add_list(json_t *parts, const char *name,
                     const struct rule_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        add_text(parts, name, list->v[i]->text, list->v[i]);
}

static json_t *size_text(const struct rule_size *size)
{
    if (!size->bytes && !size->percent)
        return json_string("as the node's");
    return size->bytes
               ? json_sprintf("%llu bytes", (unsigned long long)size->bytes)
               : json_sprintf("%u%% of the node's memory", size->percent);
}

// What holds for any container of this user.
static void add_common(json_t *parts, const struct rules *rules)
{
    add_part(parts, "tmp size", size_text(&rules->tmp_size), NULL);
    add_part(parts, "shm size", size_text(&rules->shm_size), NULL);
    if (rules->pids_limit)
        add_part(parts, "pids limit",
                 json_sprintf("%llu", (unsigned long long)rules->pids_limit),
                 NULL);
    if (rules->shm == RULE_SHM_NODE)
        add_text(parts, "shm", "node", &rules->shm_rule);
    add_text(parts, "seccomp", rules->seccomp, NULL);
    add_text(parts, "apparmor", rules->apparmor, NULL);
    add_text(parts, "selinux", rules->selinux, NULL);
    add_text(parts, "runtime", rules->runtime, NULL);
    add_list(parts, "device", &rules->devices);
    add_list(parts, "ulimit", &rules->ulimits);
}

static const struct rule *find_text(const struct rule_list *list,
                                    const char *text)
{
    for (size_t i = 0; text && i < list->n; i++)
        if (strcmp(list->v[i]->text, text) == 0)
            return list->v[i];
    return NULL;
}

static const char *pull_word(const struct rules *rules)
{
    static const char *const words[] = {"never", "missing", "always"};

    return words[rules->pull];
}

static const char *resolve_word(const struct rules *rules)
{
    return rules->resolve == RULE_RESOLVE_SUBMIT ? "submit" : "never";
}

static void add_mounts(json_t *parts, const struct decision *decision)
{
    for (size_t i = 0; i < decision->nmounts; i++) {
        const struct decision_mount *m = &decision->mounts[i];
        add_part(
            parts, "mount",
            json_sprintf("%s %s %s%s", m->source ? m->source : "tmpfs",
                         m->target, m->readonly ? "ro" : "rw",
                         m->source && decide_recurses(decision, m, m->source)
                             ? " recursive"
                             : ""),
            m->rule);
    }
}

static json_t *decision_parts(const struct decision *d,
                              const struct subject *subject)
{
    const struct rules *rules = d->rules;
    json_t *parts = json_array();
    char image[IMGREF_TEXT_MAX];

    decision_image_name(d, image);
    add_text(parts, "image", image, d->rule);
    add_text(parts, "pull", pull_word(rules), &rules->pull_rule);
    add_part(parts, "user", json_sprintf("%u:%u", subject->uid, subject->gid),
             NULL);
    for (size_t i = 0; i < d->ngids; i++)
        add_part(parts, "group", json_sprintf("%u", d->gids[i]), NULL);
    add_mounts(parts, d);
    add_text(parts, "starts in",
             d->anywhere ? "the image's WORKDIR, or /" : d->workdir, NULL);
    add_text(parts, "HOME", d->home, NULL);
    for (size_t i = 0; i < d->nenv; i++)
        add_text(parts, "the job's", d->env[i], NULL);
    for (size_t i = 0; i < d->nenv_set; i++)
        add_text(parts, "env", d->env_set[i],
                 i < rules->env_set.n ? rules->env_set.v[i] : NULL);
    add_list(parts, "env_deny", &rules->env_deny);
    add_list(parts, "env_pass", &rules->env_pass);
    add_list(parts, "env_ask", &rules->env_ask);
    add_list(parts, "env_job", &rules->env_job);
    add_list(parts, "env_sets", &rules->env_sets);
    add_text(parts, "root", d->writable ? "writable" : "read-only",
             &rules->writable_rule);
    if (d->root)
        add_part(parts, "is root as",
                 json_sprintf("%u to %u of the node", d->range.start,
                              d->range.start + d->range.count - 1),
                 &rules->root_rule);
    if (d->entrypoint)
        add_text(parts, "runs", "the image's entry point", NULL);
    add_text(parts, "network", d->network ? d->network : "host",
             find_text(&rules->networks, d->network));
    add_list(parts, "port", &d->publish);
    if (d->slurm)
        add_text(parts, "mounts", "Slurm's commands", &rules->slurm_rule);
    add_text(parts, "reuse", d->reuse ? "yes" : "no", &rules->reuse_rule);
    if (d->save)
        add_text(parts, d->save_image ? "saved as image" : "saved as", d->save,
                 &rules->save_rule);
    add_common(parts, rules);
    return parts;
}

// Of what runs no container.
static json_t *errand_parts(const struct decision *d)
{
    json_t *parts = json_array();
    char image[IMGREF_TEXT_MAX];

    add_text(parts, "does", options_errand_word(d->errand), NULL);
    if (d->errand != ERRAND_PULL)
        return parts;
    decision_image_name(d, image);
    add_text(parts, "image", image, d->rule);
    add_text(parts, "pull", pull_word(d->rules), &d->rules->pull_rule);
    return parts;
}

// --- the create request ------------------------------------------------------

// What berth-stepd mounts besides: its own files, and who the user is.
static const struct request_mount own_mounts[] = {
    {"<berth-init>", WIRE_INIT_PATH, true},
    {"<berth-stepd's socket>", WIRE_CONTROL_PATH, true},
    {"<the image's, with the user in front>", "/etc/passwd", true},
    {"<the image's, with the groups in front>", "/etc/group", true},
};

enum { OWN_MOUNTS = sizeof(own_mounts) / sizeof(*own_mounts) };

static const struct request_label labels[] = {
    {"berth.cluster", "<cluster>"}, {"berth.node", "<node>"},
    {"berth.job", "<job>"},         {"berth.step", "<step>"},
    {"berth.uid", "<uid>"},         {"berth.nonce", "<random>"},
};

// A mebibyte a percent: the request's numbers, where a share of the node's
// memory was meant, are replaced by words afterwards.
#define SOME_MEMORY (UINT64_C(100) << 20)

static void name_sizes(json_t *host, const struct rules *rules)
{
    json_t *tmpfs = json_object_get(host, "Tmpfs"), *value;
    const char *target;
    void *next;

    if (!rules->shm_size.bytes && !rules->shm_size.percent)
        json_object_set_new(host, "ShmSize",
                            json_string("<that of the node's /dev/shm>"));
    else if (!rules->shm_size.bytes)
        json_object_set_new(host, "ShmSize",
                            json_sprintf("<%u%% of the node's memory>",
                                         rules->shm_size.percent));
    json_object_foreach_safe (tmpfs, next, target, value) {
        const char *text = json_string_value(value);
        const char *size = strstr(text, "size=");
        if (size && !rules->tmp_size.bytes)
            json_object_set_new(
                tmpfs, target,
                json_sprintf("%.*ssize=<%u%% of the node's memory>",
                             (int)(size - text), text,
                             rules->tmp_size.percent));
    }
}

// What else the node will add.
static void name_rest(json_t *body, const struct rules *rules)
{
    json_t *host = json_object_get(body, "HostConfig");
    json_t *devices = json_object_get(host, "Devices");

    for (size_t i = 0; i < rules->devices.n; i++)
        json_array_append_new(devices, json_sprintf("<the device files %s>",
                                                    rules->devices.v[i]->text));
    json_array_append_new(devices, json_string("<the GPUs of the step>"));
    json_array_insert_new(json_object_get(host, "Ulimits"), 0,
                          json_string("<the limits of slurmd>"));
    if (!rules->seccomp)
        return;
    json_array_append_new(
        json_object_get(host, "SecurityOpt"),
        json_sprintf("seccomp=<the text of %s>", rules->seccomp));
    json_array_append_new(json_object_get(body, "Cmd"),
                          json_string(WIRE_INIT_PROFILE));
}

// Says whether mount I lies within another one, which has its place.
static bool is_nested(const struct decision *decision, size_t i)
{
    const struct decision_mount *m = decision->mounts;

    for (size_t k = 0; k < decision->nmounts; k++)
        if (k != i && m[k].source && path_is_within(m[i].target, m[k].target))
            return true;
    return false;
}

static json_t *build_request(const struct decision *decision,
                             const struct subject *subject,
                             struct berth_err *err)
{
    struct request_mount mounts[BERTH_MOUNTS_MAX + OWN_MOUNTS];
    json_t *names = json_array(), *body = NULL;
    char image[IMGREF_TEXT_MAX], id[IMGREF_TEXT_MAX + 32];
    struct request_decided plan;

    if (request_decided_make(decision, subject, SOME_MEMORY, &plan, err) < 0)
        goto out;
    struct request *r = &plan.request;
    decision_image_name(decision, image);
    snprintf(id, sizeof(id), "<the ID of %s>", image);
    r->image_id = id;
    for (size_t i = 0; i < decision->nmounts && i < BERTH_MOUNTS_MAX; i++) {
        const struct decision_mount *m = &decision->mounts[i];
        // berth-stepd lays the source over it (stepd/mount_copies.h).
        json_t *name = m->source && !is_nested(decision, i)
                           ? json_sprintf("<empty, to be %s>", m->source)
                           : NULL;
        if (name && json_array_append_new(names, name) == 0)
            mounts[r->nmounts++] = (struct request_mount){
                json_string_value(name), m->target, true};
    }
    for (size_t i = 0; i < OWN_MOUNTS; i++)
        mounts[r->nmounts++] = own_mounts[i];
    r->mounts = mounts;
    r->labels = labels;
    r->nlabels = sizeof(labels) / sizeof(*labels);
    body = request_build(r, err);
    if (body) {
        name_sizes(json_object_get(body, "HostConfig"), decision->rules);
        name_rest(body, decision->rules);
    }
    request_decided_clear(&plan);
out:
    json_decref(names);
    return body;
}

// --- the reports -------------------------------------------------------------

static json_t *denial(const char *reason)
{
    json_t *text = json_string(reason);

    return json_pack("{s:s, s:o}", "verdict", "deny", "reason",
                     text ? text : json_string("?"));
}

json_t *report_error(const struct berth_err *err)
{
    return denial(err->text);
}

json_t *report_decision(const struct decision *decision,
                        const struct subject *subject, struct berth_err *err)
{
    char image[IMGREF_TEXT_MAX];
    json_t *report, *parts;

    if (decision->verdict != VERDICT_ALLOW) {
        report = denial(decision->reason);
        parts = json_array();
        if (decision->rule) {
            decision_image_name(decision, image);
            add_text(parts, "image", image, decision->rule);
        }
        json_object_set_new(report, "parts", parts);
        return report;
    }
    bool errand = decision->errand != ERRAND_NONE;
    json_t *request = errand ? NULL : build_request(decision, subject, err);
    if (!errand && !request)
        return NULL;
    report = json_pack("{s:s}", "verdict", "allow");
    if (decision->warning[0])
        json_object_set_new(report, "warning", json_string(decision->warning));
    json_object_set_new(report, "parts",
                        errand ? errand_parts(decision)
                               : decision_parts(decision, subject));
    if (request)
        json_object_set_new(report, "request", request);
    return report;
}

static const char *mount_word(enum rule_mount mount)
{
    static const char *const words[] = {"never", "allowed", "default",
                                        "always"};

    return words[mount];
}

json_t *report_rules(const struct rules *rules)
{
    static const char *const leave[] = {"never", "allowed", "default"};
    static const char *const mode[] = {"enforce", "warn", "audit"};
    json_t *parts = json_array();

    add_list(parts, "allow", &rules->allow);
    add_list(parts, "deny", &rules->deny);
    add_text(parts, "pull", pull_word(rules), &rules->pull_rule);
    add_part(parts, "pull_seconds", json_sprintf("%u", rules->pull_seconds),
             NULL);
    add_part(parts, "pull_max",
             json_sprintf("%llu bytes", (unsigned long long)rules->pull_max),
             NULL);
    add_part(parts, "pull_max_unpacked",
             json_sprintf("%llu bytes",
                          (unsigned long long)rules->pull_max_unpacked),
             NULL);
    add_part(parts, "pull_tries", json_sprintf("%u", rules->pull_tries), NULL);
    add_part(parts, "pull_parallel", json_sprintf("%u", rules->pull_parallel),
             NULL);
    add_text(parts, "resolve", resolve_word(rules), &rules->resolve_rule);
    add_text(parts, "registry_auth", rules->registry_auth, NULL);
    add_list(parts, "credential_helpers", &rules->credential_helpers);
    add_text(parts, "fetch_user", rules->fetch_user, NULL);
    add_text(parts, "fetch_proxy", rules->fetch_proxy, NULL);
    add_list(parts, "fetch_no_proxy", &rules->fetch_no_proxy);
    add_list(parts, "mounts_always", &rules->mounts_always);
    add_list(parts, "mounts_default", &rules->mounts_default);
    add_list(parts, "mounts_allowed", &rules->mounts_allowed);
    add_text(parts, "home", mount_word(rules->home), &rules->home_rule);
    add_text(parts, "workdir", mount_word(rules->workdir),
             &rules->workdir_rule);
    add_list(parts, "env_set", &rules->env_set);
    add_list(parts, "env_deny", &rules->env_deny);
    add_list(parts, "env_pass", &rules->env_pass);
    add_list(parts, "env_ask", &rules->env_ask);
    add_list(parts, "env_job", &rules->env_job);
    add_list(parts, "env_sets", &rules->env_sets);
    add_list(parts, "options", &rules->options);
    add_text(parts, "archives", rules->archives ? "yes" : "no",
             &rules->archives_rule);
    add_text(parts, "writable", leave[rules->writable], &rules->writable_rule);
    add_text(parts, "save", rules->save ? "yes" : "no", &rules->save_rule);
    add_part(parts, "save_max",
             json_sprintf("%llu bytes", (unsigned long long)rules->save_max),
             NULL);
    add_part(parts, "save_total",
             json_sprintf("%llu bytes", (unsigned long long)rules->save_total),
             NULL);
    add_text(parts, "root", leave[rules->root], &rules->root_rule);
    add_text(parts, "slurm", leave[rules->slurm], &rules->slurm_rule);
    add_text(parts, "reuse", leave[rules->reuse], &rules->reuse_rule);
    add_list(parts, "networks", &rules->networks);
    add_list(parts, "publish", &rules->publish);
    add_common(parts, rules);
    add_list(parts, "deny_groups", &rules->deny_groups);
    add_text(parts, "gpus", rules->gpus ? "yes" : "no", &rules->gpus_rule);
    add_list(parts, "gpu_types", &rules->gpu_types);
    add_list(parts, "gpu_indices", &rules->gpu_indices);
    if (rules->gpu_max)
        add_part(parts, "gpu_max", json_sprintf("%u", rules->gpu_max), NULL);
    add_list(parts, "gpu_capabilities", &rules->gpu_capabilities);
    add_text(parts, "mode", mode[rules->mode], NULL);
    if (rules->log_level == RULE_LOG_DEBUG)
        add_text(parts, "log_level", "debug", NULL);
    add_text(parts, "help_text", rules->help_text, NULL);
    return json_pack("{s:o}", "parts", parts);
}

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

// "  file line N", and the rule if its text is not the value's.
static void print_rule(const json_t *part, FILE *to)
{
    const char *file = text_of(part, "file"), *rule = text_of(part, "rule");
    const json_t *line = json_object_get(part, "line");

    if (!file)
        return;
    fprintf(to, "  (%s", file);
    if (line)
        fprintf(to, " line %lld", (long long)json_integer_value(line));
    if (rule && strcmp(rule, text_of(part, "value")) != 0)
        fprintf(to, ": %s", rule);
    fprintf(to, ")");
}

void report_print(const json_t *report, FILE *to)
{
    const char *verdict = text_of(report, "verdict");
    const char *reason = text_of(report, "reason");
    const char *warning = text_of(report, "warning");
    const json_t *part, *request = json_object_get(report, "request");
    size_t i;

    if (reason)
        fprintf(to, "refused: %s\n", reason);
    else if (verdict)
        fprintf(to, "allowed%s%s\n", warning ? ", but: " : "",
                warning ? warning : "");
    json_array_foreach (json_object_get(report, "parts"), i, part) {
        fprintf(to, "%-15s %s", text_of(part, "part"), text_of(part, "value"));
        print_rule(part, to);
        fprintf(to, "\n");
    }
    if (request) {
        fprintf(to, "request:\n");
        json_dumpf(request, to, JSON_INDENT(2) | JSON_ENSURE_ASCII);
        fprintf(to, "\n");
    }
}
