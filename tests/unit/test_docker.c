// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "user/docker.h"

static const struct docker_who who = {1000, 100, "ann", "/home/ann/work"};

// LINE's words, parted at single spaces; a '~' in them is a space of a word.
static int parse(const char *line, struct docker_run *run,
                 struct berth_err *err)
{
    static char copy[1024];
    static char *argv[64];
    char *save = NULL;
    int argc = 0;

    snprintf(copy, sizeof(copy), "%s", line);
    for (char *w = strtok_r(copy, " ", &save); w;
         w = strtok_r(NULL, " ", &save)) {
        for (char *p = w; *p; p++)
            if (*p == '~')
                *p = ' ';
        argv[argc++] = w;
    }
    return docker_run_parse(argc, argv, &who, run, err);
}

static void words_become_slurms(void **state)
{
    static const struct {
        const char *words, *becomes;
    } rows[] = {
        {"debian id", "srun --container=debian --container-entrypoint id"},
        {"-it --rm debian bash",
         "srun --pty --container=debian --container-entrypoint bash"},
        {"-it debian", "srun --pty --container=debian ''"},
        {"debian", "srun --container=debian ''"},
        {"--entrypoint sh debian",
         "srun --container=debian --no-container-entrypoint sh"},
        {"-- debian id -u", "srun --container=debian --container-entrypoint "
                            "id -u"},
        {"-v /a:/b:ro -v ./c:/d,e --rm x y", NULL},
        {"-v /a:/b:ro -v ./c:/d --rm x y",
         "srun --container=x --container-mounts=/a:/b:ro "
         "--container-mounts=/home/ann/work/c:/d --container-entrypoint y"},
        {"-v=/a:/b:z,ro x y", "srun --container=x --container-mounts=/a:/b:ro "
                              "--container-entrypoint y"},
        {"--mount type=bind,src=/a,dst=/b,readonly x y",
         "srun --container=x --container-mounts=/a:/b:ro "
         "--container-entrypoint y"},
        {"-w /work --network=none --read-only x y",
         "srun --container=x --container-workdir=/work "
         "--container-network=none --container-readonly "
         "--container-entrypoint y"},
        {"-m 2g --cpus=1.5 --gpus 2 x y",
         "srun --mem=2G --cpus-per-task=2 --gpus=2 --container=x "
         "--container-entrypoint y"},
        {"-m 1500000 x y", "srun --mem=1465K --container=x "
                           "--container-entrypoint y"},
        {"--name job1 x y", "srun --job-name=job1 --container=x "
                            "--container-name=job1 --container-entrypoint y"},
        {"-e A=1 -eB=2 --env C=a~b x y",
         "srun --container=x --container-env=A --container-env=B "
         "--container-env=C --container-entrypoint y"},
        {"--entrypoint /bin/e x y", "srun --container=x "
                                    "--no-container-entrypoint /bin/e y"},
        {"--entrypoint= x y", "srun --container=x --no-container-entrypoint "
                              "y"},
        {"-u 1000:100 x y", "srun --container=x --container-entrypoint y"},
        {"--user=ann x y", "srun --container=x --container-entrypoint y"},
        {"-d x sh -c echo~it's", "sbatch --parsable --container=x "
                                 "--container-entrypoint '--wrap=exec sh -c "
                                 "'\\''echo it'\\''\\'\\'''\\''s'\\'''"},
        {"--slurm=--partition=gpu --slurm -N2 x y",
         "srun --partition=gpu -N2 --container=x --container-entrypoint y"},
        {"-a stdout --sig-proxy --expose 80 --no-healthcheck x y",
         "srun --container=x --container-entrypoint y"},
        {"--runtime=nvidia --shm-size 1g --init --cap-drop ALL x y",
         "srun --container=x --container-entrypoint y"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct docker_run run;
        struct berth_err err = {0};

        int rc = parse(rows[i].words, &run, &err);
        if (!rows[i].becomes) {
            assert_int_equal(rc, -1);
        } else {
            if (rc < 0)
                fail_msg("%s: %s", rows[i].words, err.text);
            char *text = docker_quote(&run.argv);
            assert_string_equal(text, rows[i].becomes);
            free(text);
        }
        docker_run_clear(&run);
    }
}

static void variables_go_by_the_environment(void **state)
{
    struct docker_run run;
    struct berth_err err;

    (void)state;
    unsetenv("BERTH_TEST_NONE");
    assert_int_equal(parse("-e SECRET=a,b -e BERTH_TEST_NONE x y", &run, &err),
                     0);
    assert_int_equal(run.env.n, 1);
    assert_string_equal(run.env.v[0], "SECRET=a,b");
    char *text = docker_quote(&run.argv);
    assert_string_equal(text, "srun --container=x --container-env=SECRET "
                              "--container-entrypoint y");
    free(text);
    docker_run_clear(&run);
}

static void all_gpus_are_those_of_the_job(void **state)
{
    struct docker_run run;
    struct berth_err err;

    (void)state;
    setenv("SLURM_JOB_ID", "12", 1);
    assert_int_equal(parse("--gpus all x y", &run, &err), 0);
    char *text = docker_quote(&run.argv);
    assert_string_equal(text, "srun --container=x --container-entrypoint y");
    free(text);
    docker_run_clear(&run);
    unsetenv("SLURM_JOB_ID");
}

static void what_has_no_meaning_says_why(void **state)
{
    static const struct {
        const char *words, *why;
    } rows[] = {
        {"", "no image is named"},
        {"-d x", "no command is named"},
        {"--privileged x y", "--privileged: no container is privileged"},
        {"-p 80:80 x y", "--publish: a container has its node's network"},
        {"-itp 80 x y", "--publish: "},
        {"--cap-add=SYS_ADMIN x y", "--cap-add: a container has no"},
        {"-u root x y", "--user=root: you are in a container who you are"},
        {"-u 0 x y", "--user=0: "},
        {"-v data:/d x y", "there is no volume data"},
        {"-v /data x y", "--volume=/data names one place"},
        {"--mount type=volume,src=a,dst=/b x y", "there are bind mounts only"},
        {"--gpus all x y", "--gpus=all does not say how many"},
        {"--cpuset-cpus 0-3 x y", "--cpuset-cpus: which CPUs"},
        {"--memory-swap -1 x y", "--memory-swap: memory is the job's"},
        {"--log-driver=json-file x y", "--log-driver: output goes to"},
        {"-m lots x y", "--memory=lots is no size"},
        {"-m 2gb x y", "--memory=2gb is no size"},
        {"--cpus=0 x y", "--cpus=0 is no number"},
        {"--cpus=nan x y", "--cpus=nan is no number"},
        {"--tmpfs /data x y", "--tmpfs=/data: /tmp, /var/tmp and /run"},
        {"-e =1 x y", "--env==1 names no variable"},
        {"--env-file /nonexistent x y", "--env-file=/nonexistent: No such"},
        {"--runtime=kata x y", "--runtime=kata: "},
        {"--no-such x y", "--no-such is no option of berth run"},
        {"-Z x y", "-Z is no option of berth run"},
        {"--rm=maybe x y", "--rm=maybe is no option"},
        {"--name", "--name needs a value"},
        {"-v", "-v needs a value"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct docker_run run;
        struct berth_err err = {0};

        if (parse(rows[i].words, &run, &err) == 0)
            fail_msg("taken: %s", rows[i].words);
        if (!strstr(err.text, rows[i].why))
            fail_msg("%s: %s", rows[i].words, err.text);
        docker_run_clear(&run);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_become_slurms),
        cmocka_unit_test(variables_go_by_the_environment),
        cmocka_unit_test(all_gpus_are_those_of_the_job),
        cmocka_unit_test(what_has_no_meaning_says_why),
    };

    return cmocka_run_group_tests_name("docker", tests, NULL, NULL);
}
