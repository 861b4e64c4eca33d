// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Input: the user's command line and environment, and the policy as he can
// read it. All of it is his: what he bends here bends his own early answer
// and no more. Where something cannot be known here, the node's answer counts.

#include "spank/client.h"

#include <slurm/slurm_version.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "logic/decide.h"
#include "logic/help.h"
#include "logic/imgref.h"
#include "logic/limits.h"
#include "logic/policy.h"
#include "logic/rules.h"
#include "node/plugstack_find.h"
#include "protocol/wire.h"
#include "spank/option_env.h"
#include "spank/resolve.h"

enum {
    PARTITIONS_MAX = 1024,
    COMMAND_MAX = 4096, // of a command line that only asks for help
};

// Slurm's own variable for --container.
static const char slurm_container[] = "SLURM_CONTAINER";

// --- what Slurm knows --------------------------------------------------------

// The value of Slurm's own option NAME, or NULL. SPANK does not tell: it is
// in a structure that libslurmfull can read. Slurm's allocator makes the
// value: the few bytes are left to the end of the process.
static const char *slurm_option(const char *name)
{
    void *opt = dlsym(RTLD_DEFAULT, "opt");
    char *(*get)(void *, const char *) = (char *(*)(void *, const char *))dlsym(
        RTLD_DEFAULT, "slurm_option_get");

    return opt && get ? get(opt, name) : NULL;
}

// From 23.02 on, Slurm's PMIx plugin takes a step with Slurm's own --container
// for one of its own containers, and it does not start.
static bool is_for_pmix(void)
{
    const char *mpi = SLURM_VERSION_NUMBER >= SLURM_VERSION_NUM(23, 2, 0)
                          ? slurm_option("mpi")
                          : NULL;

    return mpi && strncmp(mpi, "pmix", strlen("pmix")) == 0;
}

// 0, or -1: that cannot be.
static int set_slurm_option(const char *name, const char *value)
{
    void *opt = dlsym(RTLD_DEFAULT, "opt");
    int (*set)(void *, const char *, const char *, bool) =
        (int (*)(void *, const char *, const char *, bool))dlsym(
            RTLD_DEFAULT, "slurm_option_set");

    return opt && set && set(opt, name, value, false) == 0 ? 0 : -1;
}

// Makes IMAGE the value of Slurm's own --container, which squeue and sacct
// show, or (NULL) removes that. Where that cannot be, they show none.
static void show_image(const char *image)
{
    void *opt = dlsym(RTLD_DEFAULT, "opt");
    bool (*reset)(void *, const char *) = (bool (*)(void *, const char *))dlsym(
        RTLD_DEFAULT, "slurm_option_reset");

    // A later part of a heterogeneous job has the first one's, in the same
    // memory.
    const char *shown = slurm_option("container");
    if (opt && reset && is_for_pmix())
        reset(opt, "container");
    else if (opt && reset && !image && shown)
        reset(opt, "container");
    else if (image && (!shown || strcmp(shown, image) != 0))
        set_slurm_option("container", image);
    // sbatch has set it when it had read the script's lines.
    if (image && getenv(slurm_container))
        setenv(slurm_container, image, 1);
    else
        unsetenv(slurm_container);
}

// The step in which salloc runs the user's shell: what salloc was given is
// meant for that one.
static bool is_interactive(void)
{
    const char *value = slurm_option("interactive");

    return value && strcmp(value, "set") == 0;
}

#if SLURM_VERSION_NUMBER >= SLURM_VERSION_NUM(23, 2, 0)
// The head of Slurm's own structure of options, the same from 23.02 to 26.11.
struct opt_head {
    void *of_programs[4], *state;
    void (*functions[3])(void);
    int argc;
    char **argv;
};
#endif

// Where salloc has the command that it runs on this host, or NULL.
static char ***find_command(void)
{
#if SLURM_VERSION_NUMBER >= SLURM_VERSION_NUM(23, 2, 0)
    struct opt_head *opt = dlsym(RTLD_DEFAULT, "opt");
    return opt ? &opt->argv : NULL;
#else
    return dlsym(RTLD_DEFAULT, "command_argv");
#endif
}

// Says whether this is salloc with a command that runs on this host: one that
// the user named, or none at all (--no-shell), or the shell of a cluster
// without use_interactive_step. The first parts of a heterogeneous job have
// none yet.
static bool is_host_command(void)
{
    char ***argv = find_command();

    if (!dlsym(RTLD_DEFAULT, "saopt"))
        return false;
    if (!argv)
        return true;
    // What else salloc runs there: its own words for a step with a shell.
    return *argv &&
           !(*argv[0] && (*argv)[1] && (*argv)[2] &&
             strcmp((*argv)[1], "-c") == 0 && strstr((*argv)[2], "srun ") &&
             strstr((*argv)[2], "--interactive"));
}

// --- what is asked for -------------------------------------------------------

// An option without a value: of two options that exclude each other, the
// other one.
static const struct option_info *opposite(const struct option_info *info)
{
    const struct option_info *o = option_table;

    while (o->name &&
           (o->choice == info->choice || strcmp(o->key, info->key) != 0))
        o++;
    return o->name ? o : NULL;
}

// The options' variables, as the table has them, and pyxis's, which mean the
// same to it.
static const char *const families[] = {"BERTH_", "PYXIS_"};
enum { FAMILIES = sizeof(families) / sizeof(*families) };

// The name of INFO's variable behind that of its family.
static const char *stem(const struct option_info *info)
{
    return info->env ? info->env + strlen(families[0]) : "";
}

static enum choice parse_choice(const char *value)
{
    static const char *const words[][2] = {
        {"no", "yes"}, {"n", "y"}, {"false", "true"}, {"0", "1"}};

    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        for (int yes = 0; yes < 2; yes++)
            if (strcasecmp(words[i][yes], value) == 0)
                return yes ? CHOICE_YES : CHOICE_NO;
    return CHOICE_UNSAID;
}

static int same_name(void *arg, const char *name, const char *value)
{
    (void)value;
    return strcmp(arg, name) == 0;
}

// Notes what the variable NAME of INFO says. Variables have no order: two that
// exclude each other are a mistake.
static int add_variable(struct options *options, const struct option_info *info,
                        const char *name, const char *value,
                        struct berth_err *err)
{
    const struct option_info *no = info->arg ? NULL : opposite(info);
    enum choice choice = info->arg ? CHOICE_YES : parse_choice(value);
    const struct option_info *said = choice == CHOICE_YES ? info : no;
    const struct option_info *other = choice == CHOICE_YES ? no : info;
    char quoted[ERR_QUOTE_MAX];

    if (choice == CHOICE_UNSAID) {
        err_quote(value, quoted, sizeof(quoted));
        return err_set(err, BERTH_EINVAL, "%s=%s: write yes or no", name,
                       quoted);
    }
    // It is off already, and nothing turns it on.
    if (!said)
        return 0;
    if (other && options_each(options, same_name, (void *)other->name))
        return err_set(err, BERTH_EINVAL,
                       "%s=%s: another variable asks for --%s: unset one of "
                       "them",
                       name, value, other->name);
    return options_set(options, said->name, value, err) < 0
               ? err_prefix(err, "%s", name)
               : 0;
}

// NAME is what is behind that of the family.
static bool is_known(const char *name, bool pyxis)
{
    for (const struct option_info *o = option_table; o->name; o++)
        if (strcmp(name, stem(o)) == 0)
            return true;
    // It asks for what there is without.
    return pyxis && strcmp(name, "CONTAINER_ENTRYPOINT_LOG") == 0;
}

static int refuse_variable(const char *name, struct berth_err *err)
{
    char list[512] = "";
    size_t n = 0;

    for (const struct option_info *o = option_table; o->name; o++)
        if (o->env)
            n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s",
                                  n ? ", " : "", o->env);
    return err_set(err, BERTH_EINVAL,
                   "%s is no variable of berth's, which knows %s: correct or "
                   "unset it",
                   name, list);
}

// Who sets a variable that berth does not know means a container by it, or
// something in one: it would run on the host, or without.
static int check_variable(const char *variable, struct berth_err *err)
{
    static const char common[] = "CONTAINER";
    const char *value = strchr(variable, '=');
    char name[ERR_QUOTE_MAX];

    if (!value || !value[1])
        return 0;
    err_quote(variable, name, sizeof(name));
    name[strcspn(name, "=")] = 0;
    for (size_t i = 0; i < FAMILIES; i++) {
        const char *rest = name + strlen(families[i]);
        if (strncmp(name, families[i], strlen(families[i])) == 0 &&
            strncmp(rest, common, strlen(common)) == 0 &&
            !is_known(rest, i > 0))
            return refuse_variable(name, err);
    }
    return 0;
}

static int check_variables(struct berth_err *err)
{
    int rc = 0;

    for (char **variable = environ; rc == 0 && *variable; variable++)
        rc = check_variable(*variable, err);
    return rc;
}

struct fill {
    struct options *options;
    const char *name;
    struct berth_err *err;
};

static const char *key_of(const char *name)
{
    const struct option_info *o = option_table;

    while (o->name && strcmp(o->name, name) != 0)
        o++;
    return o->name ? o->key : "";
}

static int same_key(void *arg, const char *name, const char *value)
{
    const struct fill *fill = arg;

    (void)value;
    return strcmp(key_of(name), key_of(fill->name)) == 0;
}

static int fill_one(void *arg, const char *name, const char *value)
{
    struct fill *fill = arg;

    fill->name = name;
    return options_each(fill->options, same_key, fill)
               ? 0
               : options_set(fill->options, name, value, fill->err);
}

// Lays DEFAULTS under OPTIONS: what these say already, stays.
static int fill(struct options *options, const struct options *defaults,
                struct berth_err *err)
{
    struct fill fill = {.options = options, .err = err};

    return options_each(defaults, fill_one, &fill);
}

// Notes what the user's environment says, berth's own variables before
// pyxis's. Empty is unset.
static int read_environment(struct options *out, struct berth_err *err)
{
    char name[ERR_QUOTE_MAX];
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < FAMILIES; i++) {
        struct options family = {0};
        for (const struct option_info *o = option_table; rc == 0 && o->name;
             o++) {
            snprintf(name, sizeof(name), "%s%s", families[i], stem(o));
            const char *value = o->env ? getenv(name) : NULL;
            if (value && *value)
                rc = add_variable(&family, o, name, value, err);
        }
        if (rc == 0)
            rc = fill(out, &family, err);
        options_clear(&family);
    }
    return rc;
}

// Adds Slurm's own --container, which SPANK does not see: what it says is the
// later word than --container-image only if it has changed since.
static int add_slurms_own(const struct client *client, struct options *out,
                          struct berth_err *err)
{
    const char *now = slurm_option("container"), *before = client->container;

    return !now || (out->image && before && strcmp(now, before) == 0)
               ? 0
               : options_set(out, "container", now, err);
}

static bool environment_wants(void)
{
    char name[ERR_QUOTE_MAX];
    bool wants = false;

    for (const struct option_info *o = option_table; o->name; o++) {
        if (strcmp(o->key, "image") != 0 && strcmp(o->key, "name") != 0 &&
            strcmp(o->key, "join") != 0)
            continue;
        for (size_t i = 0; i < FAMILIES; i++) {
            snprintf(name, sizeof(name), "%s%s", families[i], stem(o));
            const char *value = getenv(name);
            wants = wants || (value && *value);
        }
    }
    return wants;
}

// Takes together in ASKED what is asked for here, and in OUT also what the
// environment says. OUT has no image if that is no container: the
// environment's defaults alone ask for none, but for the image's.
static int gather(const struct client *client, const struct options *given,
                  struct options *asked, struct options *out,
                  struct berth_err *err)
{
    struct options defaults = {0};
    int rc = -1;

    if (fill(asked, given, err) == 0 && add_slurms_own(client, asked, err) == 0)
        rc = check_variables(err);
    if (rc == 0)
        rc = fill(out, asked, err);
    if (rc == 0 && is_interactive() && !options_none(out))
        rc = fill(out, &client->surrounding, err);
    if (rc == 0 && !options_none(out) &&
        (options_want(out) || environment_wants()) && !out->join &&
        !out->errand)
        rc = read_environment(&defaults, err);
    if (rc == 0 && (options_want(out) || !options_none(&defaults)))
        rc = fill(out, &defaults, err);
    if (rc == 0)
        rc = options_check(out, err);
    options_clear(&defaults);
    return rc;
}

static int any_name(void *arg, const char *name, const char *value)
{
    (void)value;
    *(const char **)arg = name;
    return 1;
}

// What salloc is given would be lost on a command that it runs here itself.
static int check_command(const struct options *asked, struct berth_err *err)
{
    const char *name;

    if (options_none(asked) || options_each(asked, any_name, &name) == 0 ||
        !is_host_command())
        return 0;
    return err_set(err, BERTH_EINVAL,
                   "--%s of salloc is for its own shell, where slurm.conf has "
                   "LaunchParameters=use_interactive_step, and not for a "
                   "command that it runs on this host: give it to each srun "
                   "in there instead",
                   strcmp(name, option_table[0].name) == 0 &&
                           slurm_option("container")
                       ? "container" // as he wrote it
                       : name);
}

// --- what this host knows ----------------------------------------------------

// The policy as it is on this host, and who asks. Zeroed, it is empty.
struct host {
    struct policy *policy; // NULL: this host does not know
    struct subject subject;
    gid_t *gids;
    char **groups;
    char cwd[PATH_MAX];
    char *partitions; // what names points into
    size_t npartitions;
    const char *names[PARTITIONS_MAX]; // all that may be the job's; one may
                                       // be NULL
};

static void host_clear(struct host *host)
{
    for (size_t i = 0; i < host->subject.ngids; i++)
        free(host->groups[i]);
    free(host->groups);
    free(host->gids);
    free((char *)host->subject.user);
    free((char *)host->subject.group);
    free((char *)host->subject.home);
    free(host->partitions);
    policy_free(host->policy);
    *host = (struct host){0};
}

static char *group_name(gid_t gid)
{
    const struct group *group = getgrgid(gid);

    return group ? strdup(group->gr_name) : NULL;
}

// Where the job will run, as its getcwd() will say there.
static void find_cwd(char cwd[PATH_MAX])
{
    const char *chdir = slurm_option("chdir");

    if (chdir && !realpath(chdir, cwd))
        snprintf(cwd, PATH_MAX, "%s", chdir);
    if (!chdir && !getcwd(cwd, PATH_MAX))
        strcpy(cwd, "/");
}

// By what other name the user came there, or NULL.
static const char *find_pwd(const char *cwd)
{
    const char *pwd = getenv("PWD");
    struct stat named, here;

    return pwd && pwd[0] == '/' && strcmp(pwd, cwd) != 0 &&
                   stat(pwd, &named) == 0 && stat(cwd, &here) == 0 &&
                   named.st_dev == here.st_dev && named.st_ino == here.st_ino
               ? pwd
               : NULL;
}

// Which partitions the job may be in. Within an allocation, and without a
// word about it, that may be any: of those, only the ones that have rules of
// their own make a difference.
static void find_partitions(struct host *host)
{
    const char *given = slurm_option("partition"), *name = NULL;
    bool step = spank_context() == S_CTX_LOCAL && getenv("SLURM_JOB_ID");
    char *rest;

    if (given && !step) {
        host->partitions = rest = strdup(given);
        while (rest && host->npartitions < PARTITIONS_MAX &&
               (name = strsep(&rest, ",")))
            host->names[host->npartitions++] = name;
        return;
    }
    host->npartitions = 1;
    while (host->npartitions < PARTITIONS_MAX &&
           (name = policy_partition(host->policy, host->npartitions - 1)))
        host->names[host->npartitions++] = name;
}

// The groups are those that Slurm's controller will look up for the job, and
// not those of this process.
static int find_subject(struct host *host, struct berth_err *err)
{
    struct subject *subject = &host->subject;
    const struct passwd *passwd = getpwuid(getuid());
    const char *job = getenv("SLURM_JOB_ID");
    int n = 0;

    subject->uid = getuid();
    subject->gid = getgid();
    subject->user = passwd ? strdup(passwd->pw_name) : NULL;
    subject->home = passwd ? strdup(passwd->pw_dir) : NULL;
    subject->group = group_name(subject->gid);
    // Only a job's own number is of interest, and it has none yet.
    subject->job = job ? (uint32_t)strtoul(job, NULL, 10) : UINT32_MAX;
    find_cwd(host->cwd);
    subject->cwd = host->cwd;
    subject->pwd = find_pwd(host->cwd);
    if (subject->user)
        getgrouplist(subject->user, subject->gid, NULL, &n);
    host->gids = calloc((size_t)n + 1, sizeof(*host->gids));
    host->groups = calloc((size_t)n + 1, sizeof(*host->groups));
    if (!host->gids || !host->groups)
        return err_set(err, BERTH_ENOMEM, "memory is out");
    if (n > 0 && getgrouplist(subject->user, subject->gid, host->gids, &n) > 0)
        subject->ngids = (size_t)n;
    for (size_t i = 0; i < subject->ngids; i++)
        host->groups[i] = group_name(host->gids[i]);
    subject->gids = host->gids;
    subject->groups = (const char *const *)host->groups;
    return 0;
}

// Reads the policy. 0, also if this host does not know it; -1, ERR set, if
// it is in error.
static int host_read(struct host *host, int argc, char **argv,
                     struct berth_err *err)
{
    const char *const *words = (const char *const *)argv;
    bool named, allow = false;
    const char *path = policy_conf_path((size_t)argc, words, &named);
    struct plugstack_origin where;
    size_t len = 0;

    for (int i = 0; i < argc; i++)
        allow = allow || strncmp(argv[i], "allow=", 6) == 0;
    char *text = plugstack_read(path, &len);
    if (!text && (named || !allow || errno != ENOENT))
        return 0;
    plugstack_find(argc, argv, &where);
    struct policy_source source = {where.file[0] ? where.file : NULL,
                                   where.line, where.cut};
    host->policy =
        policy_parse((size_t)argc, words, &source, path, text, len, err);
    free(text);
    if (!host->policy || find_subject(host, err) < 0)
        return -1;
    find_partitions(host);
    return 0;
}

// The display's port is on the node's own network.
static int check_x11(const struct decision *decision, struct berth_err *err)
{
    const char *x11 = slurm_option("x11");

    return !x11 || strcmp(x11, "unset") == 0 || !decision->network ||
                   strcmp(decision->network, "host") == 0
               ? 0
               : err_set(err, BERTH_EDENIED,
                         "X11 forwarding needs the network host, and this "
                         "container has the network %s: leave --x11 out, or "
                         "give --container-network=host",
                         decision->network);
}

static int deny(struct decision *decision, const struct subject *subject,
                struct berth_err *err)
{
    char real[PATH_MAX];

    if (decision->unnamed && realpath(decision->unnamed, real))
        decide_tell_link(decision, subject, real);
    return err_set(err, decision->code, "%s", decision->reason);
}

// Says whether the registry is to be asked what the image's tag leads to: where
// the policy wants that, and allows the image by a digest as well. What it is,
// is not known yet.
static bool may_resolve(const struct rules *rules,
                        const struct options *options,
                        const struct subject *subject,
                        const struct decision *decision)
{
    struct imgref ref = decision->image;
    struct options other = *options; // all of it is borrowed
    struct decision by_digest;
    char name[IMGREF_TEXT_MAX];

    if (rules->resolve != RULE_RESOLVE_SUBMIT ||
        rules->pull == RULE_PULL_NEVER || decision->archive || !ref.path[0] ||
        ref.digest[0])
        return false;
    snprintf(ref.digest, sizeof(ref.digest), "sha256:%064d", 0);
    imgref_format(&ref, name);
    other.image = name;
    decide(rules, &other, subject, &by_digest);
    bool may = by_digest.verdict == VERDICT_ALLOW && !by_digest.warning[0];
    decision_clear(&by_digest);
    return may;
}

// Refuses what the policy of this host refuses wherever the job may run, and
// has the nodes compare it with theirs. TAG becomes the image, if the registry
// is to be asked what that leads to.
static int decide_here(const struct options *options, int argc, char **argv,
                       struct imgref *tag, struct berth_err *err)
{
    struct host *host = calloc(1, sizeof(*host));
    struct decision decision;
    struct rules rules;
    int rc = -1;

    if (!host)
        return err_set(err, BERTH_ENOMEM, "memory is out");
    // root may submit for anybody, and another cluster has another policy.
    if (getuid() == 0 || slurm_option("clusters") ||
        host_read(host, argc, argv, err) == 0)
        rc = 0;
    for (size_t i = 0; host->policy && i < host->npartitions; i++) {
        host->subject.partition = host->names[i];
        rc = policy_rules(host->policy, &host->subject, &rules, err);
        if (rc < 0)
            break;
        decide(&rules, options, &host->subject, &decision);
        if (decision.verdict == VERDICT_ALLOW)
            rc = check_x11(&decision, err);
        else
            rc = deny(&decision, &host->subject, err);
        if (rc == 0 && may_resolve(&rules, options, &host->subject, &decision))
            *tag = decision.image;
        decision_clear(&decision);
        rules_clear(&rules);
        if (rc == 0)
            break;
    }
    if (rc == 0 && host->policy &&
        option_env_send_policy(policy_fingerprint(host->policy)) < 0)
        rc = err_set(err, BERTH_ENOMEM, "memory is out");
    host_clear(host);
    free(host);
    return rc;
}

// --- one image for all nodes -------------------------------------------------

// Of how many nodes the job will be at least, as far as that was said.
static long nodes_asked(void)
{
    const char *nodes = slurm_option("nodes");

    return nodes ? strtol(nodes, NULL, 10) : 0;
}

// Says whether NAME, which has a digest, is TAG with that. REF receives it.
static bool is_tag_with_digest(const char *name, const struct imgref *tag,
                               struct imgref *ref)
{
    return name && imgref_parse(name, ref, NULL) == 0 && ref->digest[0] &&
           strcmp(ref->domain, tag->domain) == 0 &&
           strcmp(ref->path, tag->path) == 0 && strcmp(ref->tag, tag->tag) == 0;
}

// What TAG leads to, by the word of its registry. False: that is not known.
static bool ask_registry(const struct imgref *tag, struct imgref *out)
{
    char name[IMGREF_TEXT_MAX], digest[RESOLVE_DIGEST];
    struct berth_err why = {0};

    imgref_format(tag, name);
    if (resolve_digest(name, digest, &why) < 0) {
        slurm_info("berth: what %s is could not be asked here, so each node "
                   "goes by what it has of that name, or finds: %s",
                   name, why.text);
        return false;
    }
    *out = *tag;
    snprintf(out->digest, sizeof(out->digest), "%s", digest);
    return true;
}

// Has all nodes of the job run the very image that TAG leads to now. A job asks
// once, before it is there: for its first component, and for its steps.
static int resolve(struct client *client, const struct imgref *tag,
                   struct options *options, struct berth_err *err)
{
    struct imgref ref;
    char name[IMGREF_TEXT_MAX];

    if (!is_tag_with_digest(client->resolved, tag, &ref) &&
        !is_tag_with_digest(client->surrounding.image, tag, &ref) &&
        (client->asked || getenv("SLURM_JOB_ID") || nodes_asked() < 2 ||
         !ask_registry(tag, &ref))) {
        client->asked = true;
        return 0;
    }
    client->asked = true;
    imgref_format(&ref, name);
    char *image = strdup(name), *kept = strdup(name);
    if (!image || !kept) {
        free(image);
        free(kept);
        return err_set(err, BERTH_ENOMEM, "memory is out");
    }
    free(client->resolved);
    client->resolved = kept;
    free(options->image);
    options->image = image;
    return 0;
}

// --- help --------------------------------------------------------------------

// Says whether the words of this program's command line are options and
// nothing else, and one of them is --container=help. PARTITION receives a new
// string or NULL: Slurm has not read that one yet either. BARE: an image is
// named, and nothing to run.
static bool only_help(char **partition, bool *bare)
{
    static const char prefix[] = "--partition=";
    // With these srun needs no command.
    static const char *const alone[] = {"--help",    "-h", "--usage",
                                        "--version", "-V", "--test-only"};
    char words[COMMAND_MAX];
    size_t len = 0;
    bool help = false, image = false, other = false;

    *partition = NULL;
    *bare = false;
    int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, words, sizeof(words) - 1);
    if (fd >= 0)
        close(fd);
    if (n < 0)
        return false;
    words[n] = 0;
    for (char *word = words + strlen(words) + 1; word < words + n;
         word += len + 1) {
        len = strlen(word);
        if (word[0] != '-' || strcmp(word, "--") == 0)
            return false;
        help = help || strcmp(word, "--container=help") == 0 ||
               strcmp(word, "--container-image=help") == 0;
        image = image || strncmp(word, "--container=", 12) == 0 ||
                strncmp(word, "--container-image=", 18) == 0;
        for (size_t i = 0; i < sizeof(alone) / sizeof(*alone); i++)
            other = other || strcmp(word, alone[i]) == 0;
        if (strncmp(word, prefix, sizeof(prefix) - 1) == 0 && !*partition)
            *partition = strdup(word + sizeof(prefix) - 1);
    }
    *bare = image && !other && !help && n < (ssize_t)sizeof(words) - 1;
    return help;
}

// Prints what the user may run and mount, in PARTITION if that is not NULL,
// and ends the program.
static _Noreturn void help(const char *partition, int argc, char **argv)
{
    struct host *host = calloc(1, sizeof(*host));
    struct berth_err err = {0};
    struct rules rules;
    char *text = NULL;

    if (!host || host_read(host, argc, argv, &err) < 0)
        goto out;
    if (!host->policy) {
        printf("This host does not know what may run in containers on the "
               "cluster's nodes:\nask your administrator.\n");
        exit(0);
    }
    host->subject.partition = partition ? partition : host->names[0];
    host->subject.job = 0; // which it will be is of no use to the user
    if (policy_rules(host->policy, &host->subject, &rules, &err) < 0)
        goto out;
    text = help_make(&rules, &host->subject, host->names + 1,
                     host->subject.partition ? 0 : host->npartitions - 1);
out:
    if (!text) {
        slurm_error("berth: %s",
                    err.code ? err.text : "out of memory: try again");
        exit(1);
    }
    fputs(text, stdout);
    exit(0);
}

// --- the plugin's side -------------------------------------------------------

void client_begin(struct client *client, int argc, char **argv)
{
    char *partition;
    bool bare;

    option_env_forget(&client->surrounding);
    if (only_help(&partition, &bare))
        help(partition, argc, argv);
    // srun will say that there is no command.
    if (bare && spank_context() == S_CTX_LOCAL)
        slurm_error("berth: name the command that is to run in the container, "
                    "or write \"\" for the image's own, its ENTRYPOINT and "
                    "CMD");
    free(partition);
}

void client_took(struct client *client, const char *name)
{
    const char *container = slurm_option("container");

    if (strcmp(name, "container-image") != 0)
        return;
    free(client->container);
    client->container = container ? strdup(container) : NULL;
}

// Slurm has room for one image in a heterogeneous job. The first part's is
// that of those that follow; one that a later part is the first to name would
// be all parts' or none's.
static int same_image(struct client *client, const char *image,
                      struct berth_err *err)
{
    bool same = !image == !client->first &&
                (!image || strcmp(image, client->first) == 0);

    if (!client->later && image && !(client->first = strdup(image)))
        return err_set(err, BERTH_ENOMEM, "memory is out");
    if (client->later && !same)
        return err_set(err, BERTH_EINVAL,
                       "all components of a heterogeneous job or step share "
                       "one image, and here they differ: give the first the "
                       "image, or start a step for each with --het-group");
    client->later = true;
    return 0;
}

int client_check(struct client *client, spank_t sp, const struct options *given,
                 int argc, char **argv, struct berth_err *err)
{
    struct options asked = {0}, options = {0};
    struct imgref tag = {.path = ""};
    int rc = gather(client, given, &asked, &options, err);

    client->wanted = options_want(&options);
    if (rc == 0 && client->wanted && options.image &&
        strcmp(options.image, "help") == 0)
        help(NULL, argc, argv);
    // What squeue shows of it is no container.
    bool shown = client->wanted && !options.errand;
    if (rc == 0)
        rc = same_image(client, client->wanted ? options.image : NULL, err);
    // Which image it is of that is there, the node knows.
    if (rc == 0 && client->wanted && (options.image || options.errand))
        rc = decide_here(&options, argc, argv, &tag, err);
    if (rc == 0)
        rc = check_command(&asked, err);
    if (rc == 0 && tag.path[0])
        rc = resolve(client, &tag, &options, err);
    if (rc == 0 && (options.image || client->wanted)) {
        show_image(shown ? options.image : NULL);
        if (option_env_send(sp, &options) != 0)
            rc = err_set(err, BERTH_ENOMEM, "memory is out");
    }
    options_clear(&asked);
    options_clear(&options);
    return rc;
}

char *client_word(const char *text)
{
    char *(*copy)(const char *) =
        (char *(*)(const char *))dlsym(RTLD_DEFAULT, "slurm_xstrdup");

    return copy ? copy(text) : NULL;
}

int client_wrap_copy(void)
{
    const char *copy = slurm_option("bcast");
    char *name;

    // The parts of a heterogeneous step come here one after the other.
    if (!copy || strncmp(copy, WIRE_ONLY_HERE, strlen(WIRE_ONLY_HERE)) == 0)
        return 0;
    if (asprintf(&name, WIRE_ONLY_HERE "%s", copy) < 0)
        return -1;
    int rc = set_slurm_option("bcast", name);
    free(name);
    return rc;
}

void client_clear(struct client *client)
{
    options_clear(&client->surrounding);
    free(client->container);
    free(client->first);
    free(client->resolved);
    *client = (struct client){0};
}
