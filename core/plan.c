// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: a decision, whose texts the policy and the options have checked.

#include "core/plan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Always there, of bounded size.
static const char *const tmpfs_always[] = {"/run", "/tmp", "/var/tmp"};

enum { TMPFS_ALWAYS = sizeof(tmpfs_always) / sizeof(*tmpfs_always) };

uint64_t plan_size(const struct rule_size *size, uint64_t memory)
{
    return size->bytes ? size->bytes : memory * size->percent / 100;
}

static bool has_target(const struct decision *decision, const char *target)
{
    for (size_t i = 0; i < decision->nmounts; i++)
        if (strcmp(decision->mounts[i].target, target) == 0)
            return true;
    return false;
}

static int plan_tmpfs(const struct decision *decision, uint64_t memory,
                      struct plan *out, struct berth_err *err)
{
    struct request *r = &out->request;
    uint64_t bytes = plan_size(&decision->rules->tmp_size, memory);

    out->tmpfs = calloc(TMPFS_ALWAYS + decision->nmounts, sizeof(*out->tmpfs));
    if (!out->tmpfs)
        return err_set(err, BERTH_ENOMEM, "memory is out");
    for (size_t i = 0; i < TMPFS_ALWAYS; i++)
        if (!has_target(decision, tmpfs_always[i]))
            out->tmpfs[r->ntmpfs++] =
                (struct request_tmpfs){tmpfs_always[i], bytes};
    for (size_t i = 0; i < decision->nmounts; i++)
        if (!decision->mounts[i].source)
            out->tmpfs[r->ntmpfs++] =
                (struct request_tmpfs){decision->mounts[i].target, bytes};
    r->tmpfs = out->tmpfs;
    return 0;
}

// "[ADDRESS:]PORT[-PORT]".
static int plan_ports(const char *text, struct plan *out,
                      struct berth_err *err)
{
    struct request *r = &out->request;
    const char *colon = strrchr(text, ':');
    unsigned first, last;
    int end = 0;

    const char *range = colon ? colon + 1 : text;
    if (sscanf(range, "%5u-%5u%n", &first, &last, &end) != 2 || range[end]) {
        if (sscanf(range, "%5u%n", &first, &end) != 1 || range[end])
            first = 0;
        last = first;
    }
    if (first < 1 || last < first || last > UINT16_MAX ||
        last - first >= PLAN_PORTS_MAX - r->nports)
        return err_set(err, BERTH_EINVAL,
                       "publish = \"%s\" is not ADDRESS:PORT-PORT, or there "
                       "are more than %d ports: tell your administrator",
                       text, PLAN_PORTS_MAX);
    // The engine takes IPv6 addresses without their brackets.
    const char *from = text + (*text == '[');
    char *address =
        colon ? strndup(from, (size_t)(colon - from) - (from > text)) : NULL;
    if (colon && !address)
        return err_set(err, BERTH_ENOMEM, "memory is out");
    out->addresses[r->nports] = address;
    for (unsigned port = first; port <= last; port++)
        out->ports[r->nports++] =
            (struct request_port){address, (uint16_t)port};
    r->ports = out->ports;
    return 0;
}

static bool parse_limit(const char **text, int64_t *out)
{
    static const char *const words[] = {"unlimited", "-1"};

    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (strncmp(*text, words[i], strlen(words[i])) == 0) {
            *text += strlen(words[i]);
            *out = -1;
            return true;
        }
    char *end;
    errno = 0;
    *out = strtoll(*text, &end, 10);
    if (end == *text || **text == '-' || **text == '+' || errno)
        return false;
    *text = end;
    return true;
}

// "NAME=SOFT[:HARD]".
static int plan_ulimit(const char *text, size_t i, struct plan *out,
                       struct berth_err *err)
{
    struct request_ulimit *limit = &out->ulimits[i];
    size_t len = strcspn(text, "=");
    const char *p = text[len] ? text + len + 1 : text + len;

    out->names[i] = strndup(text, len);
    if (!out->names[i])
        return err_set(err, BERTH_ENOMEM, "memory is out");
    limit->name = out->names[i];
    bool ok = parse_limit(&p, &limit->soft);
    limit->hard = limit->soft;
    if (ok && *p == ':') {
        p++;
        ok = parse_limit(&p, &limit->hard);
    }
    return ok && !*p ? 0
                     : err_set(err, BERTH_EINVAL,
                               "ulimits = \"%s\" is not NAME=SOFT:HARD: tell "
                               "your administrator",
                               text);
}

static int plan_ulimits(const struct rule_list *rules, struct plan *out,
                        struct berth_err *err)
{
    out->ulimits = calloc(rules->n + 1, sizeof(*out->ulimits));
    out->names = calloc(rules->n + 1, sizeof(*out->names));
    if (!out->ulimits || !out->names)
        return err_set(err, BERTH_ENOMEM, "memory is out");
    for (size_t i = 0; i < rules->n; i++)
        if (plan_ulimit(rules->v[i]->text, i, out, err) < 0)
            return -1;
    out->request.ulimits = out->ulimits;
    out->request.nulimits = rules->n;
    return 0;
}

int plan_make(const struct decision *decision, const struct subject *subject,
              uint64_t memory, struct plan *out, struct berth_err *err)
{
    const struct rules *rules = decision->rules;
    struct request *r = &out->request;

    *out = (struct plan){0};
    r->uid = subject->uid;
    r->gid = subject->gid;
    r->gids = decision->gids;
    r->ngids = decision->ngids;
    r->shm_bytes = plan_size(&rules->shm_size, memory);
    r->writable = decision->writable;
    r->pids_limit = rules->pids_limit;
    if (decision->network && strcmp(decision->network, "host") != 0)
        r->network = decision->network;
    r->apparmor = rules->apparmor;
    r->selinux = rules->selinux;
    r->runtime = rules->runtime;
    if (plan_tmpfs(decision, memory, out, err) < 0 ||
        plan_ulimits(&rules->ulimits, out, err) < 0)
        goto fail;
    for (size_t i = 0; i < decision->npublish; i++)
        if (plan_ports(decision->publish[i], out, err) < 0)
            goto fail;
    return 0;
fail:
    plan_clear(out);
    return -1;
}

void plan_clear(struct plan *plan)
{
    int saved = errno;

    free(plan->tmpfs);
    for (size_t i = 0; i < PLAN_PORTS_MAX; i++)
        free(plan->addresses[i]);
    for (size_t i = 0; plan->names && plan->names[i]; i++)
        free(plan->names[i]);
    free(plan->ulimits);
    free(plan->names);
    *plan = (struct plan){0};
    errno = saved;
}
