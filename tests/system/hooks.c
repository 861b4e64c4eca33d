// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// hooks PLUGIN N: plays slurmstepd to the plugin for a step that wants no
// container, N times, each in a process of its own. Prints how many
// microseconds loading it and calling its hooks took, the median.

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// What slurmstepd exports. S_CTX_REMOTE is 2, ESPANK_ENV_NOEXIST 3004.
int spank_context(void)
{
    return 2;
}
int spank_remote(void *sp)
{
    (void)sp;
    return 1;
}
int spank_option_register(void *sp, void *o)
{
    (void)sp;
    (void)o;
    return 0;
}
int spank_getenv(void *sp, const char *name, char *buf, int len)
{
    (void)sp;
    (void)name;
    (void)buf;
    (void)len;
    return 3004;
}
int spank_setenv(void)
{
    abort();
}
int spank_unsetenv(void)
{
    return 3004;
}
int spank_job_control_setenv(void)
{
    abort();
}
int spank_prepend_task_argv(void)
{
    abort();
}
int spank_get_item(void *sp, int item, ...)
{
    (void)sp;
    (void)item;
    return 1;
}
void slurm_error(const char *fmt, ...)
{
    (void)fmt;
    abort();
}
void slurm_info(const char *fmt, ...)
{
    (void)fmt;
}
void slurm_debug(const char *fmt, ...)
{
    (void)fmt;
}

static const char *const hooks[] = {
    "slurm_spank_init",      "slurm_spank_init_post_opt",
    "slurm_spank_user_init", "slurm_spank_task_init_privileged",
    "slurm_spank_task_init", "slurm_spank_task_post_fork",
    "slurm_spank_task_exit", "slurm_spank_exit",
};

static double now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
    double d = *(const double *)a - *(const double *)b;

    return (d > 0) - (d < 0);
}

static double once(const char *plugin)
{
    double start = now_us();
    void *lib = dlopen(plugin, RTLD_LAZY);

    if (!lib) {
        fprintf(stderr, "%s\n", dlerror());
        exit(1);
    }
    for (size_t i = 0; i < sizeof(hooks) / sizeof(*hooks); i++) {
        int (*hook)(void *, int, char **) =
            (int (*)(void *, int, char **))dlsym(lib, hooks[i]);
        if (hook && hook(NULL, 0, NULL) != 0)
            exit(1);
    }
    return now_us() - start;
}

int main(int argc, char **argv)
{
    int n = argc > 2 ? atoi(argv[2]) : 0;
    double *took = calloc((size_t)n + 1, sizeof(*took));
    int pair[2];

    if (n < 1 || !took || pipe(pair) < 0)
        return 2;
    for (int i = 0; i < n; i++) {
        if (fork() == 0) {
            double t = once(argv[1]);
            _exit(write(pair[1], &t, sizeof(t)) != (ssize_t)sizeof(t));
        }
        int status;
        if (wait(&status) < 0 || status != 0 ||
            read(pair[0], &took[i], sizeof(*took)) != (ssize_t)sizeof(*took))
            return 1;
    }
    qsort(took, (size_t)n, sizeof(*took), compare);
    printf("%.0f\n", took[n / 2]);
    return 0;
}
