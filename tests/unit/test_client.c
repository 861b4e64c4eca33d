// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Options on their way from srun, sbatch and salloc to slurmstepd, and the
// early answer there. This test is Slurm: the functions of SPANK, and what
// the plugin finds of Slurm's own options by their names.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <slurm/spank.h>

#include "spank/client.h"
#include "spank/option_env.h"
#include "spank/resolve.h"

#define OPTION(name) "SLURM_SPANK__SLURM_SPANK_OPTION_berth_container" name
#define PUBLIC __attribute__((visibility("default")))

// --- Slurm -------------------------------------------------------------------

static spank_context_t context = S_CTX_LOCAL;
static char *control; // the last that spank_job_control_setenv was given
static char *own_container, *own_partition, *own_interactive;
static const char *own_nodes;
static char said[1024];            // by slurm_info
static const char *node_env[4][2]; // the step's environment in slurmstepd

PUBLIC int opt;
PUBLIC char *slurm_option_get(void *options, const char *name);
PUBLIC bool slurm_option_set(void *options, const char *name, const char *value,
                             bool early);
PUBLIC spank_context_t spank_context(void);
PUBLIC spank_err_t spank_job_control_setenv(spank_t sp, const char *name,
                                            const char *value, int over);
PUBLIC spank_err_t spank_getenv(spank_t sp, const char *name, char *buf,
                                int size);
PUBLIC spank_err_t spank_unsetenv(spank_t sp, const char *name);
PUBLIC void slurm_error(const char *format, ...);
PUBLIC void slurm_info(const char *format, ...);

char *slurm_option_get(void *options, const char *name)
{
    assert_ptr_equal(options, &opt);
    return strcmp(name, "container") == 0     ? own_container
           : strcmp(name, "partition") == 0   ? own_partition
           : strcmp(name, "interactive") == 0 ? own_interactive
           : strcmp(name, "nodes") == 0       ? (char *)own_nodes
                                              : NULL;
}

bool slurm_option_set(void *options, const char *name, const char *value,
                      bool early)
{
    assert_ptr_equal(options, &opt);
    assert_false(early);
    assert_string_equal(name, "container");
    free(own_container);
    own_container = strdup(value);
    return true;
}

spank_context_t spank_context(void)
{
    return context;
}

spank_err_t spank_job_control_setenv(spank_t sp, const char *name,
                                     const char *value, int over)
{
    (void)sp;
    assert_true(over);
    free(control);
    return asprintf(&control, "%s=%s", name, value) < 0 ? ESPANK_ERROR
                                                        : ESPANK_SUCCESS;
}

spank_err_t spank_getenv(spank_t sp, const char *name, char *buf, int size)
{
    (void)sp;
    for (size_t i = 0; i < sizeof(node_env) / sizeof(*node_env); i++)
        if (node_env[i][0] && strcmp(node_env[i][0], name) == 0) {
            if (strlen(node_env[i][1]) >= (size_t)size)
                return ESPANK_NOSPACE;
            strcpy(buf, node_env[i][1]);
            return ESPANK_SUCCESS;
        }
    return ESPANK_ENV_NOEXIST;
}

spank_err_t spank_unsetenv(spank_t sp, const char *name)
{
    (void)sp;
    for (size_t i = 0; i < sizeof(node_env) / sizeof(*node_env); i++)
        if (node_env[i][0] && strcmp(node_env[i][0], name) == 0)
            node_env[i][0] = NULL;
    return ESPANK_SUCCESS;
}

void slurm_error(const char *format, ...)
{
    fail_msg("%s", format);
}

void slurm_info(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(said, sizeof(said), format, args);
    va_end(args);
}

// --- the registry ------------------------------------------------------------

#define DIGEST                                                                 \
    "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static unsigned resolved; // how often it was asked
static const char *fault; // why it has no answer, or NULL
static char resolved_name[256];

int resolve_digest(const char *name, char out[RESOLVE_DIGEST],
                   struct berth_err *err)
{
    resolved++;
    snprintf(resolved_name, sizeof(resolved_name), "%s", name);
    if (fault)
        return err_set(err, BERTH_ENOTFOUND, "%s", fault);
    strcpy(out, DIGEST);
    return 0;
}

// --- the user ----------------------------------------------------------------

uid_t getuid(void)
{
    return 1001;
}

gid_t getgid(void)
{
    return 100;
}

struct passwd *getpwuid(uid_t uid)
{
    static struct passwd alice = {.pw_name = (char *)"alice",
                                  .pw_dir = (char *)"/home/alice"};

    return uid == 1001 ? &alice : NULL;
}

int getgrouplist(const char *user, gid_t group, gid_t *groups, int *n)
{
    int room = *n;

    assert_string_equal(user, "alice");
    *n = 1;
    if (room < 1)
        return -1;
    groups[0] = group;
    return 1;
}

// --- helpers -----------------------------------------------------------------

static char conf[] = "/tmp/berth-client-XXXXXX";
static char word[64];
static char *words[] = {word, NULL};

static int make(void **state)
{
    static const char text[] = "allow = { debian, fedora }\n"
                               "partition \"big\" { deny = fedora }\n"
                               "writable = allowed\n";
    struct options options = {0};

    (void)state;
    for (const struct option_info *o = option_table; o->name; o++)
        if (o->env)
            unsetenv(o->env);
    unsetenv("SLURM_JOB_ID");
    option_env_forget(&options);
    options_clear(&options);
    context = S_CTX_LOCAL;
    memcpy(conf + sizeof(conf) - 7, "XXXXXX", 6);
    int fd = mkstemp(conf);
    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        return -1;
    close(fd);
    snprintf(word, sizeof(word), "conf=%s", conf);
    return 0;
}

static int take_down(void **state)
{
    (void)state;
    unlink(conf);
    free(control);
    free(own_container);
    control = own_container = own_partition = own_interactive = NULL;
    own_nodes = fault = NULL;
    said[0] = 0;
    resolved = 0;
    memset(node_env, 0, sizeof(node_env));
    return 0;
}

// What is asked for on the command line: NAME and VALUE, by turns.
static struct options given(const char *name, ...)
{
    struct options options = {0};
    va_list ap;

    va_start(ap, name);
    for (; name; name = va_arg(ap, const char *))
        assert_int_equal(
            options_set(&options, name, va_arg(ap, const char *), NULL), 0);
    va_end(ap);
    return options;
}

static int check(struct client *client, struct options options,
                 struct berth_err *err)
{
    *err = (struct berth_err){0};
    int rc = client_check(client, NULL, &options, 1, words, err);
    options_clear(&options);
    return rc;
}

static void sends(struct options options)
{
    struct client client = {0};
    struct berth_err err;

    if (check(&client, options, &err) < 0)
        fail_msg("%s", err.text);
    client_clear(&client);
}

static void refuses(struct options options, const char *sentence)
{
    struct client client = {0};
    struct berth_err err;

    assert_int_equal(check(&client, options, &err), -1);
    if (sentence)
        assert_string_equal(err.text, sentence);
    client_clear(&client);
    assert_null(getenv(OPTION("_image")));
}

// --- tests -------------------------------------------------------------------

static void sruns_steps_have_its_environment(void **state)
{
    (void)state;
    sends(given("container", "debian", "container-mount-home", NULL,
                "container-mounts", "tmpfs:/x", NULL));
    assert_string_equal(getenv(OPTION("_image")), "debian");
    assert_string_equal(getenv(OPTION("_mount_home")), "");
    assert_string_equal(getenv(OPTION("_mounts")), "tmpfs:/x");
    assert_null(getenv(OPTION("_env")));
    assert_null(control);
    assert_string_equal(own_container, "debian");
}

// As Slurm reads the words: its own --container, then --container-image, each
// with WORDS' value, or NULL; by turns.
static void last_of(const char *own, const char *image, const char *own_again,
                    const char *holds)
{
    struct client client = {0};
    struct berth_err err;

    free(own_container);
    own_container = own ? strdup(own) : NULL;
    client_took(&client, "container-env"); // means nothing here
    client_took(&client, "container-image");
    if (own_again) {
        free(own_container);
        own_container = strdup(own_again);
    }
    if (check(&client, given("container-image", image, NULL), &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(getenv(OPTION("_image")), holds);
    assert_string_equal(own_container, holds);
    client_clear(&client);
}

static void of_the_images_two_names_the_last_holds(void **state)
{
    (void)state;
    last_of("debian", "fedora", NULL, "fedora");
    last_of("debian", "fedora", "debian:12", "debian:12");
    last_of(NULL, "fedora", "debian", "debian");
}

static void a_batch_job_has_its_spank_environment(void **state)
{
    (void)state;
    context = S_CTX_ALLOCATOR;
    sends(given("container", "debian", NULL));
    assert_string_equal(control,
                        "_SLURM_SPANK_OPTION_berth_container_image=debian");
    assert_null(getenv(OPTION("_image")));
}

static void what_comes_is_received_and_taken_away(void **state)
{
    struct options options = {0};
    struct berth_err err = {0};

    (void)state;
    node_env[0][0] = OPTION("_image");
    node_env[0][1] = "debian:12";
    node_env[1][0] = OPTION("_writable");
    node_env[1][1] = "whatever";
    node_env[2][0] = "PATH";
    node_env[2][1] = "/bin";
    assert_int_equal(option_env_receive(NULL, &options, &err), 0);
    assert_string_equal(options.image, "debian:12");
    assert_int_equal(options.writable, CHOICE_YES);
    assert_null(node_env[0][0]);
    assert_null(node_env[1][0]);
    assert_non_null(node_env[2][0]);
    options_clear(&options);
}

// (threat 2)
static void what_cannot_be_meant_is_refused_on_the_node(void **state)
{
    static char large[70000];
    static const struct {
        const char *name, *value, *sentence;
    } rows[] = {
        {OPTION("_image"), "a\nb", "control"},
        {OPTION("_image"), "", "image"},
        {OPTION("_mounts"), "\xff", "UTF-8"},
        {OPTION("_env"), large, "make it shorter"},
    };

    (void)state;
    memset(large, 'x', sizeof(large) - 1);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct options options = {0};
        struct berth_err err = {0};
        node_env[0][0] = rows[i].name;
        node_env[0][1] = rows[i].value;
        assert_int_equal(option_env_receive(NULL, &options, &err), -1);
        if (!strstr(err.text, rows[i].sentence))
            fail_msg("%zu: %s", i, err.text);
        assert_null(node_env[0][0]);
        options_clear(&options);
    }
}

static void what_a_surrounding_job_was_given_is_forgotten(void **state)
{
    struct client client = {0};
    struct berth_err err;

    (void)state;
    setenv(OPTION("_image"), "fedora", 1);
    setenv("_SLURM_SPANK_OPTION_berth_container_mounts", "/a", 1);
    setenv(OPTION("_workdir"), "a\nb", 1); // is malformed, and dropped
    client_begin(&client, 1, words);
    assert_null(getenv(OPTION("_image")));
    assert_null(getenv("_SLURM_SPANK_OPTION_berth_container_mounts"));
    assert_string_equal(client.surrounding.image, "fedora");
    assert_null(client.surrounding.workdir);
    assert_int_equal(check(&client, (struct options){0}, &err), 0);
    assert_false(client.wanted);
    assert_null(getenv(OPTION("_image")));
    // salloc's own step is meant by it.
    client.later = false;
    own_interactive = (char *)"set";
    if (check(&client, (struct options){0}, &err) < 0)
        fail_msg("%s", err.text);
    assert_true(client.wanted);
    assert_string_equal(getenv(OPTION("_image")), "fedora");
    client_clear(&client);
}

static void the_environment_lies_under_the_command_line(void **state)
{
    (void)state;
    setenv("BERTH_CONTAINER_IMAGE", "fedora", 1);
    setenv("BERTH_CONTAINER_MOUNTS", "tmpfs:/x", 1);
    setenv("BERTH_CONTAINER_ENTRYPOINT", "no", 1);
    sends(given("container", "debian", NULL));
    assert_string_equal(getenv(OPTION("_image")), "debian");
    assert_string_equal(getenv(OPTION("_mounts")), "tmpfs:/x");
    assert_null(getenv(OPTION("_entrypoint")));
    sends((struct options){0});
    assert_string_equal(getenv(OPTION("_image")), "debian"); // own_container
    take_down(NULL);
    unsetenv(OPTION("_image"));
    sends((struct options){0});
    assert_string_equal(getenv(OPTION("_image")), "fedora");
}

static void defaults_alone_ask_for_no_container(void **state)
{
    struct client client = {0};
    struct berth_err err;

    (void)state;
    setenv("BERTH_CONTAINER_MOUNTS", "tmpfs:/x", 1);
    assert_int_equal(check(&client, (struct options){0}, &err), 0);
    assert_false(client.wanted);
    assert_null(getenv(OPTION("_mounts")));
    client_clear(&client);
}

static void a_variable_that_cannot_be_meant_is_refused(void **state)
{
    (void)state;
    setenv("BERTH_CONTAINER_ENTRYPOINT", "maybe", 1);
    refuses(given("container", "debian", NULL),
            "BERTH_CONTAINER_ENTRYPOINT=maybe: write yes or no");
}

static void a_variable_says_yes_or_no_in_many_words(void **state)
{
    static const char *const yes[] = {"yes", "Y", "true", "1"};
    static const char *const no[] = {"no", "n", "False", "0"};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        make(NULL);
        setenv("BERTH_CONTAINER_READONLY", yes[i], 1);
        sends(given("container", "debian", NULL));
        assert_non_null(getenv(OPTION("_readonly")));
        assert_null(getenv(OPTION("_writable")));
        take_down(NULL);
        make(NULL);
        setenv("BERTH_CONTAINER_READONLY", no[i], 1);
        sends(given("container", "debian", NULL));
        assert_non_null(getenv(OPTION("_writable")));
        assert_null(getenv(OPTION("_readonly")));
        take_down(NULL);
    }
    make(NULL);
    setenv("BERTH_CONTAINER_WRITABLE", "1", 1);
    setenv("BERTH_CONTAINER_READONLY", "1", 1);
    refuses(given("container", "debian", NULL),
            "BERTH_CONTAINER_READONLY=1: another variable asks for "
            "--container-writable: unset one of them");
    setenv("BERTH_CONTAINER_READONLY", "0", 1);
    sends(given("container", "debian", NULL));
    assert_non_null(getenv(OPTION("_writable")));
}

// (threat 81)
static void a_variable_that_berth_does_not_know_is_refused(void **state)
{
    static const char *const rows[] = {
        "BERTH_CONTAINER_IMGAE=debian", "BERTH_CONTAINER=debian",
        "BERTH_CONTAINER_=1",           "BERTH_CONTAINER_NAM=x",
        "PYXIS_CONTAINER_SAV=/x",       "PYXIS_CONTAINER_UNSHARE=net",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct client client = {0};
        struct berth_err err;
        char *name = strdup(rows[i]), *eq = strchr(name, '=');
        *eq = 0;
        setenv(name, eq + 1, 1);
        // Whether a container is asked for or not.
        assert_int_equal(check(&client, (struct options){0}, &err), -1);
        assert_non_null(strstr(err.text, name));
        assert_non_null(strstr(err.text, "BERTH_CONTAINER_IMAGE, "));
        assert_non_null(strstr(err.text, "BERTH_CONTAINER_SAVE: "));
        setenv(name, "", 1);
        sends((struct options){0});
        unsetenv(name);
        client_clear(&client);
        free(name);
    }
    setenv("PYXIS_CONTAINER_REMAP_ROOT", "false", 1);
    setenv("PYXIS_CONTAINER_ENTRYPOINT_LOG", "1", 1);
    setenv("BERTHED_CONTAINER_X", "1", 1);
    sends((struct options){0});
    unsetenv("PYXIS_CONTAINER_REMAP_ROOT");
    unsetenv("PYXIS_CONTAINER_ENTRYPOINT_LOG");
    unsetenv("BERTHED_CONTAINER_X");
}

static void pyxis_variables_lie_under_berths(void **state)
{
    (void)state;
    setenv("PYXIS_CONTAINER_IMAGE", "fedora", 1);
    setenv("PYXIS_CONTAINER_MOUNTS", "tmpfs:/x", 1);
    setenv("PYXIS_CONTAINER_READONLY", "1", 1);
    setenv("BERTH_CONTAINER_MOUNTS", "tmpfs:/y", 1);
    sends((struct options){0});
    assert_string_equal(getenv(OPTION("_image")), "fedora");
    assert_string_equal(getenv(OPTION("_mounts")), "tmpfs:/y");
    assert_non_null(getenv(OPTION("_readonly")));
    setenv("PYXIS_CONTAINER_WRITABLE", "perhaps", 1);
    unsetenv("PYXIS_CONTAINER_READONLY");
    unsetenv(OPTION("_image"));
    refuses((struct options){0}, "PYXIS_CONTAINER_WRITABLE=perhaps: write yes "
                                 "or no");
    unsetenv("PYXIS_CONTAINER_IMAGE");
    unsetenv("PYXIS_CONTAINER_MOUNTS");
    unsetenv("PYXIS_CONTAINER_WRITABLE");
}

static void an_option_without_an_image_is_a_mistake(void **state)
{
    struct client client = {0};
    struct berth_err err;

    (void)state;
    assert_int_equal(
        check(&client, given("container-mounts", "/a", NULL), &err), -1);
    assert_int_equal(err.code, BERTH_EINVAL);
    client_clear(&client);
}

static void the_policy_of_this_host_is_asked(void **state)
{
    char sentence[256];

    (void)state;
    snprintf(sentence, sizeof(sentence),
             "image docker.io/library/alpine:latest is not allowed by %s line "
             "1, which allows debian, fedora: choose one of these or ask your "
             "administrator",
             conf);
    refuses(given("container", "alpine", NULL), sentence);
    // In a partition that denies it; it is enough that one of several does
    // not.
    sends(given("container", "fedora", NULL));
    take_down(NULL);
    make(NULL);
    own_partition = (char *)"big";
    snprintf(sentence, sizeof(sentence),
             "image docker.io/library/fedora:latest is denied by %s line 2 "
             "(fedora): choose another or ask your administrator",
             conf);
    refuses(given("container", "fedora", NULL), sentence);
    own_partition = (char *)"big,small";
    sends(given("container", "fedora", NULL));
}

static void a_host_that_does_not_know_the_policy_lets_pass(void **state)
{
    (void)state;
    unlink(conf);
    sends(given("container", "anything", NULL));
    assert_string_equal(getenv(OPTION("_image")), "anything");
}

static void a_policy_in_error_is_told(void **state)
{
    struct client client = {0};
    struct berth_err err;

    (void)state;
    FILE *f = fopen(conf, "we");
    assert_non_null(f);
    fputs("allow = debian\nalow = fedora\n", f);
    fclose(f);
    assert_int_equal(check(&client, given("container", "debian", NULL), &err),
                     -1);
    assert_non_null(strstr(err.text, "line 2"));
    client_clear(&client);
}

static void parts_of_a_heterogeneous_job_have_one_image(void **state)
{
    struct client client = {0};
    struct berth_err err;

    (void)state;
    assert_int_equal(check(&client, given("container", "debian", NULL), &err),
                     0);
    assert_int_equal(check(&client, given("container", "debian", NULL), &err),
                     0);
    free(own_container);
    own_container = NULL;
    assert_int_equal(check(&client, given("container", "fedora", NULL), &err),
                     -1);
    assert_non_null(strstr(err.text, "share one image"));
    client_clear(&client);
    assert_int_equal(check(&client, (struct options){0}, &err), 0);
    assert_int_equal(check(&client, given("container", "debian", NULL), &err),
                     -1);
    client_clear(&client);
}

// --- one image for all nodes -------------------------------------------------

static void write_conf(const char *text)
{
    FILE *f = fopen(conf, "w");

    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static const char plain[] = "resolve = submit\nallow = { debian, fedora }\n";

static void a_job_of_several_nodes_has_the_digest(void **state)
{
    static const char *const nodes[] = {"2", "2-4"};

    (void)state;
    write_conf(plain);
    for (size_t i = 0; i < sizeof(nodes) / sizeof(*nodes); i++) {
        own_nodes = nodes[i];
        sends(given("container", "debian:12", NULL));
        assert_string_equal(getenv(OPTION("_image")),
                            "docker.io/library/debian:12@" DIGEST);
        // What squeue and sacct show.
        assert_string_equal(own_container,
                            "docker.io/library/debian:12@" DIGEST);
        assert_string_equal(resolved_name, "docker.io/library/debian:12");
        assert_int_equal(resolved, i + 1);
        free(own_container);
        own_container = NULL;
    }
    context = S_CTX_ALLOCATOR;
    sends(given("container", "debian", NULL));
    assert_string_equal(control, "_SLURM_SPANK_OPTION_berth_container_image="
                                 "docker.io/library/debian:latest@" DIGEST);
    assert_string_equal(said, "");
}

static void no_registry_is_asked_in_vain(void **state)
{
    static const struct {
        const char *conf, *nodes, *job, *image;
    } rows[] = {
        {"allow = debian\n", "2", NULL, "debian"},
        {"resolve = never\nallow = debian\n", "2", NULL, "debian"},
        {plain, "1", NULL, "debian"},
        {plain, "1-1", NULL, "debian"},
        {plain, NULL, NULL, "debian"},
        {plain, "2", "17", "debian"}, // the job is there
        {plain, "2", NULL, "debian@" DIGEST},
        {plain, "2", NULL, "debian:12@" DIGEST},
        {"resolve = submit\npull = never\nallow = debian\n", "2", NULL,
         "debian"},
        // It would not be allowed by its digest.
        {"resolve = submit\nallow = \"debian:12\"\n", "2", NULL, "debian:12"},
        {"resolve = submit\nallow = debian\ndeny = \"debian:11\"\n", "2", NULL,
         "debian:12"},
        {"resolve = submit\nmode = warn\nallow = \"debian:12\"\n", "2", NULL,
         "debian:12"},
        {"resolve = submit\nallow = debian\narchives = yes\n", "2", NULL,
         "./image.tar"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        write_conf(rows[i].conf);
        own_nodes = rows[i].nodes;
        if (rows[i].job)
            setenv("SLURM_JOB_ID", rows[i].job, 1);
        free(own_container);
        own_container = NULL;
        sends(given("container", rows[i].image, NULL));
        unsetenv("SLURM_JOB_ID");
        assert_string_equal(getenv(OPTION("_image")), rows[i].image);
        if (resolved)
            fail_msg("row %zu", i);
    }
    // What is refused is not asked for either.
    free(own_container);
    own_container = NULL;
    unsetenv(OPTION("_image"));
    write_conf(plain);
    own_nodes = "2";
    refuses(given("container", "alpine", NULL), NULL);
    assert_int_equal(resolved, 0);
}

static void a_registry_without_an_answer_leaves_the_tag(void **state)
{
    (void)state;
    write_conf(plain);
    own_nodes = "2";
    fault = "it is closed";
    sends(given("container", "debian", NULL));
    assert_string_equal(getenv(OPTION("_image")), "debian");
    assert_int_equal(resolved, 1);
    assert_string_equal(said, "berth: what docker.io/library/debian:latest is "
                              "could not be asked here, so each node goes by "
                              "what it has of that name, or finds: it is "
                              "closed");
}

static void a_step_has_what_its_job_has_found_out(void **state)
{
    struct client client = {0};
    struct berth_err err;

    (void)state;
    write_conf(plain);
    setenv(OPTION("_image"), "docker.io/library/debian:12@" DIGEST, 1);
    setenv("SLURM_JOB_ID", "17", 1);
    own_nodes = "2";
    client_begin(&client, 1, words);
    assert_int_equal(
        check(&client, given("container", "debian:12", NULL), &err), 0);
    assert_string_equal(getenv(OPTION("_image")),
                        "docker.io/library/debian:12@" DIGEST);
    client_clear(&client);
    // Another one has not.
    free(own_container);
    own_container = NULL;
    client_begin(&client, 1, words);
    assert_int_equal(
        check(&client, given("container", "debian:11", NULL), &err), 0);
    assert_string_equal(getenv(OPTION("_image")), "debian:11");
    client_clear(&client);
    assert_int_equal(resolved, 0);
}

static void all_components_ask_once(void **state)
{
    static const char *const faults[] = {NULL, "it is closed"};
    struct berth_err err;

    (void)state;
    write_conf(plain);
    own_nodes = "2";
    for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
        struct client client = {0};
        fault = faults[i];
        resolved = 0;
        for (int part = 0; part < 3; part++) {
            free(own_container);
            own_container = NULL;
            if (check(&client, given("container", "debian", NULL), &err) < 0)
                fail_msg("%s", err.text);
        }
        assert_int_equal(resolved, 1);
        client_clear(&client);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make, take_down)
    const struct CMUnitTest tests[] = {
        TEST(sruns_steps_have_its_environment),
        TEST(of_the_images_two_names_the_last_holds),
        TEST(a_batch_job_has_its_spank_environment),
        TEST(what_comes_is_received_and_taken_away),
        TEST(what_cannot_be_meant_is_refused_on_the_node),
        TEST(what_a_surrounding_job_was_given_is_forgotten),
        TEST(the_environment_lies_under_the_command_line),
        TEST(defaults_alone_ask_for_no_container),
        TEST(a_variable_that_cannot_be_meant_is_refused),
        TEST(a_variable_says_yes_or_no_in_many_words),
        TEST(a_variable_that_berth_does_not_know_is_refused),
        TEST(pyxis_variables_lie_under_berths),
        TEST(an_option_without_an_image_is_a_mistake),
        TEST(the_policy_of_this_host_is_asked),
        TEST(a_host_that_does_not_know_the_policy_lets_pass),
        TEST(a_policy_in_error_is_told),
        TEST(parts_of_a_heterogeneous_job_have_one_image),
        TEST(a_job_of_several_nodes_has_the_digest),
        TEST(no_registry_is_asked_in_vain),
        TEST(a_registry_without_an_answer_leaves_the_tag),
        TEST(a_step_has_what_its_job_has_found_out),
        TEST(all_components_ask_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
