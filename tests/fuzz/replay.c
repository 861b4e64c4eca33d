// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Runs a fuzz target over the files of its corpus, so that `make check`
// keeps what fuzzing has found. CORPUS is the directory, set by the makefile.
// To fuzz, build the target with clang -fsanitize=fuzzer,address instead.

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *name)
{
    static uint8_t data[1024 * 1024];
    char path[4096];

    snprintf(path, sizeof(path), "%s/%s", CORPUS, name);
    FILE *file = fopen(path, "rb");
    if (!file)
        return -1;
    size_t size = fread(data, 1, sizeof(data), file);
    fclose(file);
    // A copy of just this size, for the sanitizers to see its end.
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        return -1;
    for (size_t i = 0; i < size; i++)
        copy[i] = data[i];
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
    return 0;
}

static int visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

int main(void)
{
    struct dirent **names;
    int n = scandir(CORPUS, &names, visible, alphasort);

    if (n <= 0) {
        printf("Bail out! no corpus in %s\n", CORPUS);
        return 1;
    }
    printf("1..%d\n", n);
    for (int i = 0; i < n; i++) {
        int rc = replay(names[i]->d_name);
        printf("%s %d - %s\n", rc ? "not ok" : "ok", i + 1, names[i]->d_name);
        fflush(stdout);
        free(names[i]);
    }
    free(names);
    return 0;
}
