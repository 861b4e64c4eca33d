// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: what slurmd and the NVIDIA driver print, and lists of indices, some
// of them from a user.

#include "logic/gpu.h"

#include <stdio.h>
#include <string.h>

#include "logic/rules.h"

// Reads the digits at *P as a number below LIMIT, and moves *P behind them.
static bool read_number(const char **p, unsigned limit, unsigned *out)
{
    size_t digits = strspn(*p, "0123456789");
    unsigned n = 0;

    if (digits == 0 || digits > 7)
        return false;
    for (size_t i = 0; i < digits; i++)
        n = n * 10 + (unsigned)((*p)[i] - '0');
    if (n >= limit)
        return false;
    *p += digits;
    *out = n;
    return true;
}

int gpu_list_parse(const char *list, struct gpu_set *out, struct berth_err *err)
{
    struct gpu_set set = {0};
    unsigned first, last;

    for (const char *p = list; *list;) {
        if (!read_number(&p, GPU_MAX, &first))
            goto malformed;
        last = first;
        if (*p == '-') {
            p++;
            if (!read_number(&p, GPU_MAX, &last) || last < first)
                goto malformed;
        }
        for (unsigned i = first; i <= last; i++) {
            if (set.has[i])
                goto malformed;
            set.has[i] = true;
            set.n++;
        }
        if (*p == 0)
            break;
        if (*p++ != ',')
            goto malformed;
    }
    *out = set;
    return 0;
malformed:;
    char quote[ERR_QUOTE_MAX];
    err_quote(list, quote, sizeof(quote));
    return err_set(err, BERTH_EINVAL, "\"%s\" is no list of indices below %d",
                   quote, GPU_MAX);
}

void gpu_set_intersect(const struct gpu_set *a, const struct gpu_set *b,
                       struct gpu_set *out)
{
    struct gpu_set set = {0};

    for (unsigned i = 0; i < GPU_MAX; i++) {
        set.has[i] = a->has[i] && b->has[i];
        set.n += set.has[i];
    }
    *out = set;
}

// Reads the next range of a list of CPUs. False at its end, or where it is
// no such list.
static bool next_range(const char **p, unsigned *first, unsigned *last)
{
    static const unsigned limit = 1 << 20;

    if (!read_number(p, limit, first))
        return false;
    *last = *first;
    if (**p == '-') {
        (*p)++;
        if (!read_number(p, limit, last))
            return false;
    }
    if (**p == ',')
        (*p)++;
    return true;
}

static bool overlap(const char *a, const char *b)
{
    unsigned first, last, from, to;

    while (next_range(&a, &first, &last))
        for (const char *p = b; next_range(&p, &from, &to);)
            if (first <= to && from <= last)
                return true;
    return false;
}

bool gpu_set_is_far(const struct gpu_set *set, const struct gpu_table *table,
                    const char *node, const char *cpus, char *buf, size_t size)
{
    for (size_t i = 0; i < table->n; i++) {
        const struct gpu *gpu = &table->gpus[i];
        if (!set->has[i] || !gpu->cores[0] || gpu->numa < 0 || !cpus[0] ||
            overlap(gpu->cores, cpus))
            continue;
        snprintf(buf, size,
                 "GPU %zu of node %s is near the CPUs %s (NUMA node %d), and "
                 "this step has the CPUs %s, which are slower with it: ask "
                 "Slurm for CPUs near the GPUs, with "
                 "--gres-flags=enforce-binding",
                 i, node, gpu->cores, gpu->numa, cpus);
        return true;
    }
    return false;
}

// Writes where RULE stands, for a sentence.
static const char *origin(const struct rule *rule, char *buf, size_t size)
{
    if (rule->file)
        snprintf(buf, size, "%s line %d", rule->file, rule->line);
    else
        snprintf(buf, size, "berth's own default");
    return buf;
}

// Writes LIST as "a, b"; what does not fit is left out.
static const char *enumerate(const struct rule_list *list, char *buf,
                             size_t size)
{
    size_t used = 0;

    buf[0] = 0;
    for (size_t i = 0; i < list->n && used < size; i++)
        used += (size_t)snprintf(buf + used, size - used, "%s%s", i ? ", " : "",
                                 list->v[i]->text);
    return buf;
}

static bool has_type(const struct rule_list *types, const char *type)
{
    for (size_t i = 0; i < types->n; i++)
        if (strcmp(types->v[i]->text, type) == 0)
            return true;
    return types->n == 0;
}

static int check_types(const struct gpu_set *set, const struct gpu_table *table,
                       const char *node, const struct rules *rules,
                       struct berth_err *err)
{
    char where[512], types[512];

    for (size_t i = 0; i < table->n; i++) {
        const char *type = table->gpus[i].type;
        if (set->has[i] && !has_type(&rules->gpu_types, type))
            return err_set(err, BERTH_EDENIED,
                           "GPU %zu of node %s (%s%s) cannot be had in a "
                           "container: %s allows %s: ask Slurm for these",
                           i, node, type[0] ? "type " : "without a type", type,
                           origin(rules->gpu_types.v[0], where, sizeof(where)),
                           enumerate(&rules->gpu_types, types, sizeof(types)));
    }
    return 0;
}

static int check_indices(const struct gpu_set *set, const char *node,
                         const struct rules *rules, struct berth_err *err)
{
    const struct rule_list *list = &rules->gpu_indices;
    char where[512], indices[512];
    bool allowed[GPU_MAX] = {false};

    for (size_t k = 0; k < list->n; k++)
        for (size_t i = 0; i < GPU_MAX; i++)
            allowed[i] |= list->v[k]->gpus->has[i];
    for (size_t i = 0; list->n > 0 && i < GPU_MAX; i++)
        if (set->has[i] && !allowed[i])
            return err_set(err, BERTH_EDENIED,
                           "GPU %zu of node %s cannot be had in a container: "
                           "%s allows those with the indices %s: try another "
                           "node, or ask your administrator",
                           i, node, origin(list->v[0], where, sizeof(where)),
                           enumerate(list, indices, sizeof(indices)));
    return 0;
}

int gpu_set_check(const struct gpu_set *set, const struct gpu_table *table,
                  const char *node, const struct rules *rules,
                  struct berth_err *err)
{
    char where[512];

    if (set->n == 0)
        return 0;
    if (!rules->gpus)
        return err_set(err, BERTH_EDENIED,
                       "GPUs cannot be had in a container, by %s: leave them "
                       "out, with --gres=none, or ask your administrator",
                       origin(&rules->gpus_rule, where, sizeof(where)));
    if (rules->gpu_max > 0 && set->n > rules->gpu_max)
        return err_set(err, BERTH_EDENIED,
                       "a container can have no more than %u of node %s's "
                       "GPUs, and this step has %zu: ask Slurm for fewer",
                       rules->gpu_max, node, set->n);
    return check_types(set, table, node, rules, err) < 0
               ? -1
               : check_indices(set, node, rules, err);
}

bool gpu_capability_ok(const char *word)
{
    static const char *const known[] = {"compat32", "compute", "display",
                                        "graphics", "ngx",     "utility",
                                        "video"};

    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        if (strcmp(word, known[i]) == 0)
            return true;
    return false;
}

bool gpu_path_ok(const char *path)
{
    if (strncmp(path, "/dev/", 5) != 0 || strlen(path) >= GPU_PATH_MAX)
        return false;
    for (const char *p = path; *p; p++) {
        if ((unsigned char)*p <= 0x20 || (unsigned char)*p >= 0x7f)
            return false;
        if (*p == '/' && (p[1] == 0 || p[1] == '/' || p[1] == '.'))
            return false;
    }
    return true;
}

int gpu_path_number(const char *path, const char *prefix)
{
    size_t n = strlen(prefix);
    unsigned number;

    if (strncmp(path, prefix, n) != 0)
        return -1;
    const char *p = path + n;
    return read_number(&p, 1 << 20, &number) && *p == 0 ? (int)number : -1;
}

static int add_file(struct gpu *gpu, const char *path, struct berth_err *err)
{
    if (gpu->nfiles == GPU_FILES_MAX)
        return err_set(err, BERTH_EINVAL,
                       "GPU %u has more than %d device files", gpu->index,
                       GPU_FILES_MAX);
    if (!gpu_path_ok(path))
        return err_set(err, BERTH_EINVAL,
                       "the device file of GPU %u does not lie below /dev",
                       gpu->index);
    strcpy(gpu->files[gpu->nfiles++], path); // gpu_path_ok has bounded it
    return 0;
}

static struct gpu *add_gpu(struct gpu_table *table, const char *type,
                           struct berth_err *err)
{
    if (table->n == GPU_MAX) {
        err_set(err, BERTH_EINVAL, "the node has more than %d GPUs", GPU_MAX);
        return NULL;
    }
    struct gpu *gpu = &table->gpus[table->n];
    *gpu = (struct gpu){.index = (unsigned)table->n++, .numa = -1};
    snprintf(gpu->type, sizeof(gpu->type), "%s", type);
    return gpu;
}

// Where the files of a record go: one GPU has them all, or each is one.
struct record {
    struct gpu_table *table;
    struct gpu *all; // or NULL
    const char *type;
};

static int take_file(struct record *record, const char *path,
                     struct berth_err *err)
{
    struct gpu *gpu =
        record->all ? record->all : add_gpu(record->table, record->type, err);

    return gpu ? add_file(gpu, path, err) : -1;
}

// A path with one range in brackets, as Slurm folds them: "gpu[0-3,6]".
static int take_range(struct record *record, const char *word,
                      const char *bracket, struct berth_err *err)
{
    char path[2 * GPU_PATH_MAX];
    const char *close = strchr(bracket, ']'), *p = bracket + 1;
    unsigned first, last;

    if (!close || strlen(word) >= GPU_PATH_MAX)
        goto malformed;
    while (p < close) {
        size_t width = strspn(p, "0123456789");
        if (!read_number(&p, 1 << 20, &first))
            goto malformed;
        last = first;
        if (*p == '-') {
            p++;
            if (!read_number(&p, 1 << 20, &last) || last < first ||
                last - first >= GPU_MAX)
                goto malformed;
        }
        for (unsigned i = first; i <= last; i++) {
            snprintf(path, sizeof(path), "%.*s%0*u%s", (int)(bracket - word),
                     word, (int)width, i, close + 1);
            if (take_file(record, path, err) < 0)
                return -1;
        }
        if (*p == ',')
            p++;
        else if (p != close)
            goto malformed;
    }
    return 0;
malformed:
    return err_set(err, BERTH_EINVAL,
                   "the list of device files has a range "
                   "that berth does not understand");
}

// The value of File=: paths and commas; commas within brackets part ranges.
static int take_files(struct record *record, char *files, struct berth_err *err)
{
    for (char *p = files; *p;) {
        bool inside = false;
        char *end = p;
        while (*end && (inside || *end != ',')) {
            inside = *end == '[' || (inside && *end != ']');
            end++;
        }
        bool more = *end != 0;
        *end = 0;
        const char *bracket = strchr(p, '[');
        if ((bracket ? take_range(record, p, bracket, err)
                     : take_file(record, p, err)) < 0)
            return -1;
        p = end + more;
    }
    return 0;
}

// Copies the word behind " KEY" in LINE.
static bool line_value(const char *line, const char *key, char *out,
                       size_t size)
{
    const char *p = strstr(line, key);

    if (!p)
        return false;
    p += strlen(key);
    size_t n = strcspn(p, " \n");
    if (n >= size)
        return false;
    memcpy(out, p, n);
    out[n] = 0;
    return true;
}

int gpu_table_add_line(struct gpu_table *table, const char *line,
                       struct berth_err *err)
{
    char name[64], type[64], count[16], files[8192];
    const char *p = count;
    unsigned number;

    if (!line_value(line, "Gres Name=", name, sizeof(name)) ||
        strcmp(name, "gpu") != 0)
        return 0;
    if (!line_value(line, " Type=", type, sizeof(type)) ||
        !line_value(line, " Count=", count, sizeof(count)) ||
        !read_number(&p, GPU_MAX + 1, &number) || *p)
        return err_set(err, BERTH_EINVAL,
                       "slurmd says something of a GPU that berth does not "
                       "understand");
    if (!line_value(line, " File=", files, sizeof(files)) ||
        strcmp(files, "(null)") == 0)
        return err_set(err, BERTH_EINVAL,
                       "gres.conf has a GPU without a device file (File=)");
    struct record record = {
        .table = table,
        .type = strcmp(type, "(null)") == 0 ? "" : type,
    };
    size_t before = table->n;
    // MultipleFiles= counts as one, however many there are.
    if (number == 1 && !(record.all = add_gpu(table, record.type, err)))
        return -1;
    if (take_files(&record, files, err) < 0)
        return -1;
    if (table->n - before != number)
        return err_set(err, BERTH_EINVAL,
                       "gres.conf has another number of GPUs than of device "
                       "files");
    return 0;
}

// Copies what stands behind KEY on its line, without the blanks around it.
static bool information_value(const char *text, const char *key, char *out,
                              size_t size)
{
    const char *p = text;
    size_t len = strlen(key);

    while (strncmp(p, key, len) != 0) {
        p += strcspn(p, "\n");
        if (*p++ == 0)
            return false;
    }
    p += len;
    p += strspn(p, " \t");
    size_t n = strcspn(p, "\n");
    while (n > 0 && (p[n - 1] == ' ' || p[n - 1] == '\t'))
        n--;
    if (n == 0 || n >= size)
        return false;
    memcpy(out, p, n);
    out[n] = 0;
    return true;
}

bool gpu_information_parse(const char *text, struct gpu_information *out)
{
    struct gpu_information info;
    char number[16];
    const char *p = number;

    if (!information_value(text, "Device Minor:", number, sizeof(number)) ||
        !read_number(&p, 1 << 20, &info.minor) || *p ||
        !information_value(text, "Bus Location:", info.busid,
                           sizeof(info.busid)) ||
        !information_value(text, "GPU UUID:", info.uuid, sizeof(info.uuid)) ||
        !information_value(text, "Model:", info.model, sizeof(info.model)) ||
        strncmp(info.uuid, "GPU-", 4) != 0 || strchr(info.uuid, '?'))
        return false;
    *out = info;
    return true;
}
