// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include "tools/read_policy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "logic/limits.h"
#include "logic/strv.h"
#include "node/plugstack_find.h"
#include "node/trusted.h"

// With the caller's rights.
static int read_file(const char *path, char **text, size_t *len,
                     struct berth_err *err)
{
    FILE *f = fopen(path, "re");
    char *buf = f ? malloc(BERTH_CONF_MAX + 2) : NULL;

    if (!buf) {
        err_set(err, errno == ENOENT ? BERTH_ENOTFOUND : BERTH_ESYS, "%s: %m",
                path);
        if (f)
            fclose(f);
        return -1;
    }
    // One byte more than there may be, for the parser to refuse.
    *len = fread(buf, 1, BERTH_CONF_MAX + 1, f);
    bool bad = ferror(f);
    fclose(f);
    if (bad) {
        free(buf);
        return err_set(err, BERTH_ESYS, "%s: %m", path);
    }
    *text = buf;
    return 0;
}

// Reads the text of berth.conf as the node does, or with the caller's rights
// if he named it. No file: TEXT is NULL.
static int read_conf(const char *conf, const struct strv *plugin,
                     const char **path, char **text, size_t *len,
                     struct berth_err *err)
{
    bool given;

    *path = conf;
    if (*path)
        return read_file(*path, text, len, err);
    *path = policy_conf_path(plugin->n, (const char *const *)plugin->v, &given);
    if (trusted_read(*path, text, len, err) == 0)
        return 0;
    return err->code == BERTH_ENOTFOUND && !given
               ? 0
               : err_prefix(err, "containers are refused");
}

int read_policy(const char *plugstack, const char *conf, struct policy **out,
                bool *unread, struct berth_err *err)
{
    struct plugstack_origin origin;
    struct strv plugin = {0};
    const char *path = NULL;
    char *text = NULL;
    size_t len = 0;
    int rc = -1;

    *unread = false;
    plugstack_load(plugstack, &origin, &plugin);
    struct policy_source source = {origin.file[0] ? origin.file : NULL,
                                   origin.line, origin.cut};
    if (read_conf(conf, &plugin, &path, &text, &len, err) < 0) {
        // What the caller cannot read, the node may.
        *unread = err->code == BERTH_ESYS || conf;
        goto out;
    }
    *out = policy_parse(plugin.n, (const char *const *)plugin.v, &source, path,
                        text, len, err);
    rc = *out ? 0 : -1;
out:
    free(text);
    strv_clear(&plugin);
    return rc;
}
