// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: what `slurmd -G` prints of the node's own gres.conf.

#include "gpu/slurmd.h"

#include <stdio.h>
#include <string.h>

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
        if (!gpu_read_number(&p, 1 << 20, &first))
            goto malformed;
        last = first;
        if (*p == '-') {
            p++;
            if (!gpu_read_number(&p, 1 << 20, &last) || last < first ||
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

int slurmd_add_line(struct gpu_table *table, const char *line,
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
        !gpu_read_number(&p, GPU_MAX + 1, &number) || *p)
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
