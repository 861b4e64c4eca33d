// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include "user/table.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

static size_t columns(const struct table *t)
{
    size_t n = 0;

    while (t->columns[n])
        n++;
    return n;
}

void table_clear(struct table *table)
{
    strv_clear(&table->cells);
    strv_clear(&table->drawn);
}

// As many characters as a terminal shows for UTF-8 of single width.
static int width(const char *s)
{
    int n = 0;

    for (; *s; s++)
        n += (*s & 0xc0) != 0x80;
    return n;
}

static bool is_number(const char *s)
{
    return *s && s[strspn(s, "0123456789")] == 0;
}

static bool is_title(const char *title, const char *const *titles)
{
    while (*titles && strcmp(title, *titles) != 0)
        titles++;
    return *titles;
}

// What people see of CELL. To be freed, or NULL.
static char *shown(const char *title, const char *cell)
{
    static const char *const bytes[] = {"MEMORY", "SIZE", NULL};
    static const char sha[] = "sha256:";
    char *text = NULL;
    int n;

    if (strncmp(cell, sha, strlen(sha)) == 0)
        n = asprintf(&text, "%.12s", cell + strlen(sha));
    else if (is_title(title, bytes) && is_number(cell))
        n = asprintf(&text, "%.1f MB", strtod(cell, NULL) / 1e6);
    else
        n = asprintf(&text, "%s", cell);
    return n < 0 ? NULL : text;
}

// How wide the terminal is; 0: as wide as need be.
static int room(void)
{
    const char *columns = getenv("COLUMNS");
    struct winsize size;

    if (columns && is_number(columns))
        return atoi(columns);
    return isatty(1) && ioctl(1, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

enum { GAP = 2, NARROW = 8 };

// Takes from the widest columns what is too much.
static void fit(int *widths, size_t n, int most)
{
    int sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += widths[i] + (i ? GAP : 0);
    while (most > 0 && sum > most) {
        size_t widest = 0;
        for (size_t i = 1; i < n; i++)
            if (widths[i] > widths[widest])
                widest = i;
        if (widths[widest] <= NARROW)
            return;
        widths[widest]--;
        sum--;
    }
}

static void print_cell(const char *s, int wide, bool last)
{
    bool cut = width(s) > wide;
    int left = cut ? wide - 1 : wide;

    for (; *s && (left > 0 || (*s & 0xc0) == 0x80); s++) {
        left -= (s[1] & 0xc0) != 0x80;
        putchar(*s);
    }
    if (cut)
        fputs("…", stdout);
    if (!last)
        printf("%*s", left + GAP, "");
}

// The cells as people see them, row by row behind the titles. 0, or -1: memory
// is out.
static int for_people(const struct table *t, size_t n, struct strv *out)
{
    size_t ncolumns = columns(t);
    int rc = 0;

    for (size_t i = 0; i < n; i++)
        rc |= strv_add(out, t->columns[i]);
    for (size_t i = 0; rc == 0 && i < t->cells.n; i++) {
        size_t column = i % ncolumns, row = i / ncolumns;
        char *text = shown(t->columns[column], t->cells.v[i]);
        if (column < n)
            rc = text ? strv_addf(out, "%s%s",
                                  column == 0 && row < t->drawn.n
                                      ? t->drawn.v[row]
                                      : "",
                                  text)
                      : -1;
        free(text);
    }
    return rc;
}

static int print_text(const struct table *t, struct berth_err *err)
{
    size_t n = t->for_people ? t->for_people : columns(t);
    int *widths = calloc(n + 1, sizeof(*widths));
    struct strv cells = {0};
    int rc = widths ? for_people(t, n, &cells) : -1;

    for (size_t i = 0; rc == 0 && i < cells.n; i++)
        if (width(cells.v[i]) > widths[i % n])
            widths[i % n] = width(cells.v[i]);
    if (rc == 0)
        fit(widths, n, room());
    for (size_t i = 0; rc == 0 && i < cells.n; i++) {
        bool last = i % n + 1 == n;
        print_cell(cells.v[i], widths[i % n], last);
        if (last)
            putchar('\n');
    }
    free(widths);
    strv_clear(&cells);
    return rc == 0 ? 0 : err_set(err, BERTH_ENOMEM, "out of memory");
}

// Numbers are numbers, and none is null.
static json_t *value(const char *title, const char *cell)
{
    static const char *const numbers[] = {"FREE", "GPUS",  "LAYERS", "MEMORY",
                                          "SIZE", "TASKS", "USED",   NULL};

    if (!is_title(title, numbers))
        return json_string(cell);
    return is_number(cell) ? json_integer(strtoll(cell, NULL, 10))
                           : json_null();
}

static int print_json(const struct table *t, struct berth_err *err)
{
    size_t n = columns(t);
    json_t *list = json_array();

    for (size_t i = 0; i + n <= t->cells.n; i += n) {
        json_t *row = json_object();
        for (size_t k = 0; k < n; k++) {
            char key[64];
            size_t j = 0;
            for (; t->columns[k][j] && j + 1 < sizeof(key); j++)
                key[j] = (char)tolower((unsigned char)t->columns[k][j]);
            key[j] = 0;
            json_object_set_new(row, key,
                                value(t->columns[k], t->cells.v[i + k]));
        }
        json_array_append_new(list, row);
    }
    char *text = json_dumps(list, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    json_decref(list);
    if (!text)
        return err_set(err, BERTH_ENOMEM, "out of memory");
    puts(text);
    free(text);
    return 0;
}

static int find_column(const struct table *t, const char *name, size_t len)
{
    for (int i = 0; t->columns[i]; i++)
        if (strncasecmp(t->columns[i], name, len) == 0 && !t->columns[i][len])
            return i;
    return -1;
}

static int check_format(const struct table *t, const char *format,
                        struct berth_err *err)
{
    for (const char *p = format;; p++) {
        size_t len = strcspn(p, ",");
        if (find_column(t, p, len) < 0)
            return err_set(err, BERTH_EINVAL,
                           "--format: there is no column %.*s: write some of "
                           "those that the title has, with commas between",
                           (int)len, p);
        p += len;
        if (!*p)
            return 0;
    }
}

static int print_format(const struct table *t, const char *format,
                        struct berth_err *err)
{
    size_t n = columns(t);

    if (check_format(t, format, err) < 0)
        return -1;
    for (size_t i = 0; i + n <= t->cells.n; i += n)
        for (const char *p = format;; p++) {
            size_t len = strcspn(p, ",");
            int k = find_column(t, p, len);
            p += len;
            printf("%s%c", t->cells.v[i + (size_t)k], *p ? '\t' : '\n');
            if (!*p)
                break;
        }
    return 0;
}

int table_print(const struct table *table, const struct table_style *style,
                struct berth_err *err)
{
    for (size_t i = 0; i < table->cells.n; i++)
        err_scrub(table->cells.v[i]);
    int rc = style->json     ? print_json(table, err)
             : style->format ? print_format(table, style->format, err)
                             : print_text(table, err);

    if (rc == 0 && fflush(stdout) != 0)
        return err_set(err, BERTH_ESYS, "writing: %s", strerror(errno));
    return rc;
}
