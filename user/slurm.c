// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include "user/slurm.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int take_number(void *arg, char *text, struct berth_err *err)
{
    (void)err;
    *(unsigned long *)arg = strtoul(text, NULL, 10);
    return 0;
}

// The number of the job that the task TEXT of an array is ("12_3"), LEN bytes.
static int find_task(const char *text, size_t len, unsigned long *job,
                     struct berth_err *err)
{
    char name[64];

    snprintf(name, sizeof(name), "%.*s", (int)len, text);
    *job = 0;
    return slurm_lines((const char *const[]){"squeue", "-h", "-j", name, "-o",
                                             "%A", NULL},
                       take_number, job, err) < 0
               ? -1
           : *job > 0 ? 0
                      : err_set(err, BERTH_ENOTFOUND,
                                "%s is no task of an array that Slurm has: "
                                "squeue shows them",
                                name);
}

int slurm_step_parse(const char *text, struct slurm_step *out,
                     struct berth_err *err)
{
    char quoted[ERR_QUOTE_MAX], *end;
    unsigned long job = strtoul(text, &end, 10);
    size_t len = strlen(text);
    bool task = end[0] == '_' && end[1] >= '0' && end[1] <= '9';

    if (task)
        end += 1 + strspn(end + 1, "0123456789");
    if (text[0] < '0' || text[0] > '9' || job == 0 || job >= UINT32_MAX ||
        len >= sizeof(out->text) - 16 || (*end && *end != '.') ||
        (*end == '.' &&
         (!end[1] || strspn(end + 1, "0123456789abcdefghijklmnopqrstuvwxyz+") !=
                         strlen(end + 1)))) {
        err_quote(text, quoted, sizeof(quoted));
        return err_set(err, BERTH_EINVAL,
                       "%s is no job and no step: write JOB or JOB.STEP, as "
                       "berth ps shows them",
                       quoted);
    }
    if (task && find_task(text, (size_t)(end - text), &job, err) < 0)
        return -1;
    snprintf(out->text, sizeof(out->text), "%lu%s", job, end);
    out->job = (uint32_t)job;
    out->step = *end ? strchr(out->text, '.') + 1 : NULL;
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

static int take_name(void *arg, char *text, struct berth_err *err)
{
    return strv_add(arg, text) < 0 ? err_set(err, BERTH_ENOMEM, "out of memory")
                                   : 0;
}

int slurm_node_names(const char *nodes, struct strv *out, struct berth_err *err)
{
    return slurm_lines(
        (const char *const[]){"scontrol", "show", "hostnames", nodes, NULL},
        take_name, out, err);
}
