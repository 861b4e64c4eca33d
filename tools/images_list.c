// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include "tools/images_list.h"

#include <inttypes.h>
#include <jansson.h>
#include <pwd.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

enum {
    // Digits of a digest that tell images apart, for people.
    SHORT = 12,
    MB = 1000000,
};

static const char *user_name(uid_t uid, char *buf, size_t size)
{
    const struct passwd *pw = getpwuid(uid);

    if (pw)
        snprintf(buf, size, "%s", pw->pw_name);
    else
        snprintf(buf, size, "%u", (unsigned)uid);
    return buf;
}

static const char *hex_of(const char *digest)
{
    return digest + strlen("sha256:");
}

// In UTC: as JSON has it, or for people.
static const char *date(int64_t seconds, bool json, char *buf, size_t size)
{
    time_t t = (time_t)seconds;
    struct tm tm = {0};

    gmtime_r(&t, &tm);
    if (json)
        strftime(buf, size, "%Y-%m-%dT%H:%M:%SZ", &tm);
    else
        strftime(buf, size, "%Y-%m-%d %H:%M", &tm);
    return buf;
}

// --- JSON --------------------------------------------------------------------

static json_t *entry_json(const struct stock_image *image,
                          const struct stock_entry *entry)
{
    const struct record *r = &entry->record;
    char when[32], used[32], user[64];

    return json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:I, s:o, s:s, s:I, s:s, s:s, s:I, s:b, "
        "s:b}",
        "name", r->name, "digest", r->digest, "id", r->id, "node", entry->node,
        "engine", r->engine, "transferred", (json_int_t)r->size, "size",
        image->garbage.size ? json_integer((json_int_t)image->garbage.size)
                            : json_null(),
        "user", user_name(r->uid, user, sizeof(user)), "uid",
        (json_int_t)r->uid, "fetched", date(r->when, true, when, sizeof(when)),
        "used", date(r->used, true, used, sizeof(used)), "uses",
        (json_int_t)r->uses, "private", r->private, "pinned", r->pinned);
}

static void print_json(const struct stock *stock, FILE *out)
{
    json_t *list = json_array();

    for (size_t i = 0; i < stock->nimages; i++)
        for (size_t j = 0; j < stock->images[i].n; j++)
            json_array_append_new(
                list,
                entry_json(&stock->images[i], &stock->images[i].entries[j]));
    json_dumpf(list, out, JSON_INDENT(2) | JSON_ENSURE_ASCII);
    fputc('\n', out);
    json_decref(list);
}

// --- for people --------------------------------------------------------------

static void print_size(const struct stock_image *image, FILE *out)
{
    if (image->garbage.size)
        fprintf(out, "%8" PRIu64, (image->garbage.size + MB / 2) / MB);
    else
        fprintf(out, "%8s", "-");
}

static void print_entry(const struct stock_image *image,
                        const struct stock_entry *entry, int width, FILE *out)
{
    const struct record *r = &entry->record;
    char user[64], used[32];

    fprintf(out, "%-*s  %.*s  %.*s", width, r->name, SHORT, hex_of(r->digest),
            SHORT, hex_of(r->id));
    print_size(image, out);
    fprintf(out, "  %-8s  %s  %6" PRIu64 "  %s%s%s\n",
            user_name(r->uid, user, sizeof(user)),
            date(r->used, false, used, sizeof(used)), r->uses, entry->node,
            r->private ? " private" : "", r->pinned ? " pinned" : "");
}

static void print_table(const struct stock *stock, FILE *out)
{
    int width = (int)strlen("NAME");

    for (size_t i = 0; i < stock->nentries; i++) {
        int len = (int)strlen(stock->entries[i].record.name);
        width = len > width ? len : width;
    }
    fprintf(out, "%-*s  %-*s  %-*s%8s  %-8s  %-16s  %6s  %s\n", width, "NAME",
            SHORT, "DIGEST", SHORT, "ID", "MB", "USER", "LAST USE, UTC", "USES",
            "NODE");
    for (size_t i = 0; i < stock->nimages; i++)
        for (size_t j = 0; j < stock->images[i].n; j++)
            print_entry(&stock->images[i], &stock->images[i].entries[j], width,
                        out);
}

static void print_lines(const struct stock *stock, FILE *out)
{
    for (size_t i = 0; i < stock->nentries; i++) {
        const struct stock_entry *e = &stock->entries[i];
        fprintf(out, "%s %s %s %s\n", e->node, e->record.digest, e->record.id,
                e->record.name);
    }
}

void images_list(const struct stock *stock, enum images_form form, FILE *out)
{
    switch (form) {
    case IMAGES_TABLE:
        print_table(stock, out);
        break;
    case IMAGES_JSON:
        print_json(stock, out);
        break;
    case IMAGES_LINES:
        print_lines(stock, out);
        break;
    }
}

void images_tell(const struct stock_image *image, const char *word,
                 const char *why, enum images_form form, FILE *out)
{
    for (size_t i = 0; i < image->n; i++) {
        const struct stock_entry *e = &image->entries[i];
        if (form == IMAGES_JSON) {
            json_t *line =
                json_pack("{s:s, s:s, s:s, s:s, s:I}", "event", word, "name",
                          e->record.name, "id", image->id, "node", e->node,
                          "size", (json_int_t)image->garbage.size);
            if (why)
                json_object_set_new(line, "reason", json_string(why));
            json_dumpf(line, out, JSON_COMPACT | JSON_ENSURE_ASCII);
            fputc('\n', out);
            json_decref(line);
        } else {
            fprintf(out, "%s %s%s%s\n", word, e->record.name, why ? ": " : "",
                    why ? why : "");
        }
    }
}
