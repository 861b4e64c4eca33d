// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Values that are shown are the caller's to quote; the administrator's are
// shown as he wrote them.

#include "logic/deny.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "logic/variables.h"

static int refuse(struct decision *out, enum berth_errc code, const char *fmt,
                  va_list ap) __attribute__((format(printf, 3, 0)));

static int refuse(struct decision *out, enum berth_errc code, const char *fmt,
                  va_list ap)
{
    out->code = code;
    vsnprintf(out->reason, sizeof(out->reason), fmt, ap);
    return -1;
}

int deny_malformed(struct decision *out, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    refuse(out, BERTH_EINVAL, fmt, ap);
    va_end(ap);
    return -1;
}

int deny_always(struct decision *out, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    refuse(out, BERTH_EDENIED, fmt, ap);
    va_end(ap);
    return -1;
}

int deny_unless_permissive(struct decision *out, const char *fmt, ...)
{
    va_list ap;
    int rc = 0;

    va_start(ap, fmt);
    if (out->rules->mode == RULE_MODE_ENFORCE)
        rc = refuse(out, BERTH_EDENIED, fmt, ap);
    else if (!out->warning[0])
        vsnprintf(out->warning, sizeof(out->warning), fmt, ap);
    va_end(ap);
    return rc;
}

int deny_memory(struct decision *out)
{
    deny_malformed(out, "memory is out");
    out->code = BERTH_ENOMEM;
    return -1;
}

const char *deny_where(const struct rule *rule, char buf[DENY_WHERE_MAX])
{
    if (!rule || !rule->file)
        snprintf(buf, DENY_WHERE_MAX, "berth's default");
    else if (rule->line > 0)
        snprintf(buf, DENY_WHERE_MAX, "%s line %d", rule->file, rule->line);
    else
        snprintf(buf, DENY_WHERE_MAX, "%s", rule->file);
    return buf;
}

bool deny_append(char *buf, size_t size, const char *fmt, ...)
{
    size_t len = strlen(buf);
    va_list ap;

    if (len >= size)
        return false;
    va_start(ap, fmt);
    int n = vsnprintf(buf + len, size - len, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= size - len) {
        buf[len] = 0;
        return false;
    }
    return true;
}

const char *deny_rule(const struct rule *rule, const struct subject *subject,
                      char buf[DENY_RULE_MAX])
{
    // srun's host knows no number yet of a job that it is about to submit.
    bool known =
        subject && (subject->job != UINT32_MAX || !strstr(rule->text, "%j"));
    char *text = known ? variables_to_text(rule->text, subject, NULL) : NULL;

    err_quote(text ? text : rule->text, buf, DENY_RULE_MAX);
    free(text);
    return buf;
}

static bool is_among(const char *text, const char *const *said, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(said[i], text) == 0)
            return true;
    return false;
}

const char *deny_list(const struct rule_list *list,
                      const struct subject *subject, char buf[DENY_LIST_MAX])
{
    const char *said[DENY_SHOWN_MAX];
    char one[DENY_RULE_MAX];
    size_t shown = 0, same = 0, i = 0;

    *buf = 0;
    for (; i < list->n && shown < DENY_SHOWN_MAX; i++) {
        const char *text = list->v[i]->text;
        // Two files, or two sections, may say the same.
        if (is_among(text, said, shown)) {
            same++;
            continue;
        }
        if (!deny_append(buf, DENY_LIST_MAX - 32, "%s%s", shown ? ", " : "",
                         deny_rule(list->v[i], subject, one)))
            break;
        said[shown++] = text;
    }
    if (i < list->n)
        deny_append(buf, DENY_LIST_MAX, shown ? " and %zu more" : "%zu values",
                    list->n - shown - same);
    return buf;
}
