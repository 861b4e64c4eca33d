// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include "user/slurm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int slurm_step_parse(const char *text, struct slurm_step *out,
                     struct berth_err *err)
{
    char quoted[ERR_QUOTE_MAX], *end;
    unsigned long job = strtoul(text, &end, 10);
    size_t len = strlen(text);

    if (text[0] < '0' || text[0] > '9' || job == 0 || job >= UINT32_MAX ||
        len >= sizeof(out->text) || (*end && *end != '.') ||
        (*end == '.' &&
         (!end[1] || strspn(end + 1, "0123456789abcdefghijklmnopqrstuvwxyz+") !=
                         strlen(end + 1)))) {
        err_quote(text, quoted, sizeof(quoted));
        return err_set(err, BERTH_EINVAL,
                       "%s is no job and no step: write JOB or JOB.STEP, as "
                       "berth ps shows them",
                       quoted);
    }
    memcpy(out->text, text, len + 1);
    out->job = (uint32_t)job;
    out->step = *end ? out->text + (end - text) + 1 : NULL;
    return 0;
}

int slurm_become(const char *const *argv)
{
    execvp(argv[0], (char *const *)argv);
    int status = errno == ENOENT ? 127 : 126;
    fprintf(stderr, "berth: %s: %s\n", argv[0], strerror(errno));
    return status;
}

static pid_t start(const char *const *argv, int *out)
{
    int pair[2];

    if (pipe(pair) < 0)
        return -1;
    pid_t pid = fork();
    if (pid == 0) {
        dup2(pair[1], 1);
        close(pair[0]);
        close(pair[1]);
        _exit(slurm_become(argv));
    }
    close(pair[1]);
    if (pid < 0)
        close(pair[0]);
    else
        *out = pair[0];
    return pid;
}

int slurm_lines(const char *const *argv,
                int (*line)(void *arg, char *text, struct berth_err *err),
                void *arg, struct berth_err *err)
{
    char *text = NULL;
    int out = -1, rc = 0, status;
    size_t cap = 0;
    ssize_t n;

    pid_t pid = start(argv, &out);
    FILE *f = pid < 0 ? NULL : fdopen(out, "r");
    while (f && rc == 0 && (n = getline(&text, &cap, f)) >= 0) {
        text[strcspn(text, "\n")] = 0;
        rc = line(arg, text, err);
    }
    free(text);
    if (f)
        fclose(f);
    else if (out >= 0)
        close(out);
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !f)
        return err_set(err, BERTH_ESYS, "%s: %s", argv[0], strerror(errno));
    if (rc == 0 && status != 0)
        return err_set(err, BERTH_ESYS, "%s failed", argv[0]);
    return rc;
}

char *slurm_field(char **text, char **key)
{
    char *word = strtok_r(*text, " ", text);
    char *equals = word ? strchr(word, '=') : NULL;

    // What has no '=' belongs to a value with spaces, of which the rest goes.
    while (word && !equals) {
        word = strtok_r(*text, " ", text);
        equals = word ? strchr(word, '=') : NULL;
    }
    if (!word)
        return NULL;
    *equals = 0;
    *key = word;
    return equals + 1;
}
