// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include "tools/images_pull.h"

#include <dirent.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/engine.h"
#include "images/get.h"
#include "images/record.h"
#include "logic/imgref.h"

enum { ROUND_MS = 5000 };

static bool always(void *arg)
{
    (void)arg;
    return true;
}

static void say(void *arg, const char *line)
{
    (void)arg;
    fprintf(stderr, "berth-images: %s\n", line);
}

// Slurm's name of this machine: what slurmd says, else the one that has a
// directory here, else its own up to the first dot.
static int find_node(char *buf, size_t size, struct berth_err *err)
{
    const char *said = getenv("SLURMD_NODENAME");
    DIR *d = said ? NULL : opendir(BERTH_STATEDIR);
    unsigned found = 0;

    for (struct dirent *e; d && (e = readdir(d));)
        if (e->d_name[0] != '.' && strlen(e->d_name) < size) {
            strcpy(buf, e->d_name);
            found++;
        }
    if (d)
        closedir(d);
    if (found > 1)
        return err_set(err, BERTH_EINVAL,
                       "this machine has several nodes: name one by --node");
    if (said)
        snprintf(buf, size, "%s", said);
    else if (!found && gethostname(buf, size) == 0)
        buf[strcspn(buf, ".")] = 0;
    return *buf && !strchr(buf, '/') && *buf != '.'
               ? 0
               : err_set(err, BERTH_EINVAL,
                         "what is this node called? Say so "
                         "by --node");
}

static void tell(const char *name, const struct images_got *got,
                 enum images_form form)
{
    if (form == IMAGES_JSON) {
        json_t *line = json_pack("{s:s, s:s, s:s, s:s, s:b, s:I, s:I}", "event",
                                 "pulled", "name", name, "digest", got->digest,
                                 "id", got->image.id, "fetched", got->fetched,
                                 "transferred", (json_int_t)got->bytes,
                                 "seconds", (json_int_t)got->seconds);
        json_dumpf(line, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
        putchar('\n');
        json_decref(line);
    } else if (got->fetched) {
        printf("%s: %llu MB in %u s, %s\n", name,
               (unsigned long long)(got->bytes / 1000000), got->seconds,
               got->digest);
    } else {
        printf("%s: is there, %s\n", name, got->digest);
    }
}

static int get(const struct images_order *order, enum images_form form,
               struct berth_err *err)
{
    struct engine *engine = engine_open(order->engine, NULL, err);
    char name[IMGREF_TEXT_MAX];
    struct images_got got;

    if (!engine)
        return -1;
    imgref_format(order->ref, name);
    int rc = images_get(order, engine, &got, err);
    if (rc == 0) {
        tell(name, &got, form);
        engine_image_clear(&got.image);
    }
    engine_close(engine);
    return rc;
}

int images_pull(const struct policy *policy, bool root_engine, const char *node,
                const char *name, enum images_form form, struct berth_err *err)
{
    static const struct watch watch = {.fd = -1, .go_on = always};
    const struct child_user root = {.uid = 0, .gid = 0};
    const struct subject subject = {.uid = 0, .gid = 0};
    struct rules rules = {0};
    char here[65], path[PATH_MAX];
    struct imgref ref;
    int rc = -1;

    if (imgref_parse(name, &ref, err) < 0 ||
        (!node && find_node(here, sizeof(here), err) < 0) ||
        policy_rules(policy, &subject, &rules, err) < 0)
        return -1;
    // What the tag leads to now, whatever users are to have.
    rules.pull = RULE_PULL_ALWAYS;
    const struct images_order order = {
        .state = BERTH_STATEDIR,
        .node = node ? node : here,
        .job = RECORD_NO_JOB,
        .ref = &ref,
        .rules = &rules,
        .user = &root,
        .home = "/root",
        .engine =
            root_engine ? policy_root_engine(policy) : policy_engine(policy),
        .watch = &watch,
        .say = form == IMAGES_JSON ? NULL : say,
        .round_ms = ROUND_MS,
    };
    snprintf(path, sizeof(path), "%s/%s", BERTH_STATEDIR, order.node);
    // A node that has had no job yet.
    if (mkdir(path, 0711) == 0 || access(path, F_OK) == 0)
        rc = get(&order, form, err);
    else
        err_set(err, BERTH_ESYS, "%s: %m", path);
    rules_clear(&rules);
    return rc;
}
