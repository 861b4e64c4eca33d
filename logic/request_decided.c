// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: a decision, whose rules and options have been parsed.

#include "logic/request_decided.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "logic/rlimits.h"

// Always there, of bounded size.
static const char *const tmpfs_always[] = {"/run", "/tmp", "/var/tmp"};

enum { TMPFS_ALWAYS = sizeof(tmpfs_always) / sizeof(*tmpfs_always) };

uint64_t request_decided_size(const struct rule_size *size, uint64_t memory)
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
                      struct request_decided *out, struct berth_err *err)
{
    struct request *r = &out->request;
    uint64_t bytes = request_decided_size(&decision->rules->tmp_size, memory);

    out->tmpfs = calloc(TMPFS_ALWAYS + decision->nmounts, sizeof(*out->tmpfs));
    if (!out->tmpfs)
        return err_set(err, BERTH_ENOMEM, "memory is out");
    for (size_t i = 0; i < TMPFS_ALWAYS; i++)
        if (!has_target(decision, tmpfs_always[i]))
            out->tmpfs[r->ntmpfs++] =
                (struct request_tmpfs){tmpfs_always[i], bytes, false};
    for (size_t i = 0; i < decision->nmounts; i++)
        if (!decision->mounts[i].source && !decision->mounts[i].nested)
            out->tmpfs[r->ntmpfs++] =
                (struct request_tmpfs){decision->mounts[i].target, bytes, true};
    r->tmpfs = out->tmpfs;
    return 0;
}

// Says whether PORT is published at ADDRESS already: an engine refuses to do so
// twice.
static bool is_published(const struct request_decided *out, const char *address,
                         unsigned port)
{
    for (size_t i = 0; i < out->request.nports; i++) {
        const char *other = out->ports[i].address;
        if (out->ports[i].port == port &&
            strcmp(other ? other : "", address ? address : "") == 0)
            return true;
    }
    return false;
}

static int plan_ports(const struct rule *rule, struct request_decided *out,
                      struct berth_err *err)
{
    struct request *r = &out->request;
    const struct rule_ports *ports = rule->ports;
    const char *address = ports->address[0] ? ports->address : NULL;

    if (ports->last - ports->first >= (int)(RULE_PORTS_MAX - r->nports))
        return err_set(err, BERTH_EINVAL,
                       "publish = \"%s\": with it there are more than %d "
                       "ports: tell your administrator",
                       rule->text, RULE_PORTS_MAX);
    for (unsigned port = ports->first; port <= ports->last; port++)
        if (!is_published(out, address, port))
            out->ports[r->nports++] =
                (struct request_port){address, (uint16_t)port};
    r->ports = out->ports;
    return 0;
}

static int plan_ulimits(const struct rule_list *rules,
                        struct request_decided *out, struct berth_err *err)
{
    out->ulimits = calloc(rules->n + 1, sizeof(*out->ulimits));
    if (!out->ulimits)
        return err_set(err, BERTH_ENOMEM, "memory is out");
    for (size_t i = 0; i < rules->n; i++) {
        const struct rule_ulimit *limit = rules->v[i]->ulimit;
        out->ulimits[i] = (struct request_ulimit){limit->which->name,
                                                  limit->soft, limit->hard};
    }
    out->request.ulimits = out->ulimits;
    out->request.nulimits = rules->n;
    return 0;
}

int request_decided_make(const struct decision *decision,
                         const struct subject *subject, uint64_t memory,
                         struct request_decided *out, struct berth_err *err)
{
    const struct rules *rules = decision->rules;
    struct request *r = &out->request;

    *out = (struct request_decided){0};
    r->uid = subject->uid;
    r->gid = subject->gid;
    r->gids = decision->gids;
    r->ngids = decision->ngids;
    r->shm_bytes = request_decided_size(&rules->shm_size, memory);
    r->writable = decision->writable;
    if (decision->root) {
        r->root = decision->range;
        r->uid = r->gid = 0;
        r->ngids = 0;
    }
    r->pids_limit = rules->pids_limit;
    if (decision->network && strcmp(decision->network, "host") != 0)
        r->network = decision->network;
    r->apparmor = rules->apparmor;
    r->selinux = rules->selinux;
    r->runtime = rules->runtime;
    if (plan_tmpfs(decision, memory, out, err) < 0 ||
        plan_ulimits(&rules->ulimits, out, err) < 0)
        goto fail;
    for (size_t i = 0; i < decision->publish.n; i++)
        if (plan_ports(decision->publish.v[i], out, err) < 0)
            goto fail;
    return 0;
fail:
    request_decided_clear(out);
    return -1;
}

void request_decided_clear(struct request_decided *plan)
{
    int saved = errno;

    free(plan->tmpfs);
    free(plan->ulimits);
    *plan = (struct request_decided){0};
    errno = saved;
}
