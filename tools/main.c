// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// berth-policy: says what the policy would do, and why, by the code that runs
// on a node, and what the audit log has of a job. Of an engine nothing is
// asked but by lint whether it is there, and nothing is done. Runs with the
// rights of whoever runs it.

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "logic/decide.h"
#include "logic/limits.h"
#include "logic/options.h"
#include "logic/policy.h"
#include "logic/strv.h"
#include "node/plugstack_find.h"
#include "tools/explain.h"
#include "tools/installed.h"
#include "tools/read_policy.h"
#include "tools/report.h"
#include "tools/who.h"

enum {
    EXIT_ALLOWED = 0,
    EXIT_REFUSED = 1,
    EXIT_FOUND = 0,
    EXIT_NOT_FOUND = 1,
    EXIT_TROUBLE = 2,
};

// The command line.
struct words {
    const char *command;
    const char *conf;      // --conf
    const char *plugstack; // --plugstack
    const char *log;       // --log
    const char *partition, *chdir, *job;
    struct who_words who;
    struct options options;
    bool json;
};

static const char usage[] =
    "usage: berth-policy check [--user=NAME] [--partition=NAME] IMAGE\n"
    "                    [--container-mounts=... and the like, as srun's]\n"
    "       berth-policy list [--user=NAME] [--partition=NAME]\n"
    "       berth-policy lint [FILE]\n"
    "       berth-policy explain [--log=FILE] JOB[.STEP]\n"
    "       berth-policy gpus [--node=NAME]\n"
    "See berth-policy(1).\n";

static int trouble(const char *text)
{
    fprintf(stderr, "berth-policy: %s\n", text);
    return EXIT_TROUBLE;
}

// --- the command line --------------------------------------------------------

enum { TEXT_OPTIONS = 12, OPTION_BASE = 256 };

struct text_option {
    const char *name;
    const char **to;
};

// Of getopt_long: the options with a text, --json, --help and those of
// logic/options.h, which start at OPTION_BASE, "container" first.
static struct option *make_long(const struct text_option *texts)
{
    size_t n = 0, known = 0;

    while (option_table[known].name)
        known++;
    struct option *all = calloc(TEXT_OPTIONS + known + 4, sizeof(*all));
    if (!all)
        return NULL;
    for (; texts[n].name; n++)
        all[n] =
            (struct option){texts[n].name, required_argument, NULL, (int)n + 1};
    all[n++] = (struct option){"json", no_argument, NULL, 'j'};
    all[n++] = (struct option){"help", no_argument, NULL, 'h'};
    all[n++] =
        (struct option){"container", required_argument, NULL, OPTION_BASE};
    for (size_t i = 0; i < known; i++)
        all[n++] = (struct option){option_table[i].name,
                                   option_table[i].arg ? required_argument
                                                       : no_argument,
                                   NULL, OPTION_BASE + 1 + (int)i};
    return all;
}

// What a user's own words are refused for is a denial, as it is by srun.
// Returns RC; or EXIT_REFUSED, with the first reason in ERR.
static int take_option(struct words *words, int c, int rc,
                       struct berth_err *err)
{
    const char *name =
        c == OPTION_BASE ? "container" : option_table[c - OPTION_BASE - 1].name;

    return rc == 0 && options_set(&words->options, name, optarg, err) < 0
               ? EXIT_REFUSED
               : rc;
}

// 0; EXIT_REFUSED with ERR set; or EXIT_TROUBLE, and that is said.
static int read_words(int argc, char **argv, struct words *words,
                      struct berth_err *err)
{
    const struct text_option texts[] = {
        {"chdir", &words->chdir},
        {"conf", &words->conf},
        {"gid", &words->who.gid},
        {"groups", &words->who.groups},
        {"home", &words->who.home},
        {"job", &words->job},
        {"log", &words->log},
        {"partition", &words->partition},
        {"plugstack", &words->plugstack},
        {"uid", &words->who.uid},
        {"user", &words->who.user},
        {NULL, NULL},
    };
    struct option *all = make_long(texts);
    int c, rc = all ? 0 : trouble("memory is out");

    while (rc != EXIT_TROUBLE &&
           (c = getopt_long(argc, argv, "", all, NULL)) != -1) {
        if (c == 'h') {
            fputs(usage, stdout);
            free(all);
            exit(0);
        }
        if (c == '?') {
            fputs(usage, stderr);
            rc = EXIT_TROUBLE;
        } else if (c == 'j') {
            words->json = true;
        } else if (c < TEXT_OPTIONS) {
            *texts[c - 1].to = optarg;
        } else {
            rc = take_option(words, c, rc, err);
        }
    }
    free(all);
    return rc;
}

// --- the commands ------------------------------------------------------------

// Prints and frees REPORT.
static int say(const struct words *words, json_t *report, int rc)
{
    if (!report)
        return trouble("memory is out");
    if (words->json) {
        json_dumpf(report, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
        putchar('\n');
    } else if (strcmp(words->command, "explain") == 0) {
        explain_print(report, stdout);
    } else {
        report_print(report, stdout);
    }
    json_decref(report);
    return fflush(stdout) == 0 ? rc : trouble("cannot write");
}

static int find_subject(const struct words *words, struct who *who,
                        char cwd[4096], struct berth_err *err)
{
    char *end = NULL;

    if (who_find(&words->who, who, err) < 0)
        return -1;
    who->subject.partition = words->partition;
    who->subject.cwd = words->chdir;
    if (words->job) {
        unsigned long job = strtoul(words->job, &end, 10);
        if (words->job[0] < '0' || words->job[0] > '9' || *end ||
            job >= UINT32_MAX)
            return err_set(err, BERTH_EINVAL, "--job=%s is no job's number",
                           words->job);
        who->subject.job = (uint32_t)job;
    }
    if (!words->chdir) {
        if (!getcwd(cwd, 4096))
            return err_set(err, BERTH_ESYS, "the working directory: %m");
        who->subject.cwd = cwd;
    } else if (words->chdir[0] != '/') {
        return err_set(err, BERTH_EINVAL, "--chdir=%s is no absolute path",
                       words->chdir);
    }
    return 0;
}

static json_t *decide_report(const struct words *words,
                             const struct subject *subject,
                             const struct rules *rules, int *rc,
                             struct berth_err *err)
{
    struct decision decision;

    decide(rules, &words->options, subject, &decision);
    json_t *report = report_decision(&decision, subject, err);
    if (report && decision.verdict == VERDICT_ALLOW)
        *rc = EXIT_ALLOWED;
    else if (!report &&
             (err->code == BERTH_EDENIED || err->code == BERTH_EINVAL))
        report = report_error(err);
    decision_clear(&decision);
    return report;
}

// check and list.
static int with_rules(const struct words *words, struct policy *policy)
{
    struct berth_err err = {0};
    struct rules rules = {0};
    struct who who = {0};
    int rc = EXIT_REFUSED;
    char cwd[4096];

    if (find_subject(words, &who, cwd, &err) < 0 ||
        policy_rules(policy, &who.subject, &rules, &err) < 0)
        rc = trouble(err.text);
    else if (strcmp(words->command, "list") == 0)
        rc = say(words, report_rules(&rules), EXIT_ALLOWED);
    else {
        json_t *report = decide_report(words, &who.subject, &rules, &rc, &err);
        rc = say(words, report, rc);
    }
    rules_clear(&rules);
    who_clear(&who);
    return rc;
}

static json_t *make_array(const struct strv *list)
{
    json_t *array = json_array();

    for (size_t i = 0; i < list->n; i++)
        json_array_append_new(array, json_string(list->v[i]));
    return array;
}

// WHY is NULL: the policy is valid.
static int say_lint(const struct words *words, const char *why,
                    const struct installed *here)
{
    bool valid = !why && here->problems.n == 0;
    int rc = valid ? EXIT_ALLOWED : EXIT_REFUSED;

    if (words->json) {
        json_t *report = json_pack("{s:b, s:o, s:o, s:o}", "valid", valid,
                                   "files", make_array(&here->files),
                                   "problems", make_array(&here->problems),
                                   "notes", make_array(&here->notes));
        if (why)
            json_object_set_new(report, "reason", json_string(why));
        return say(words, report, rc);
    }
    if (valid || why)
        puts(why ? why : "valid");
    for (size_t i = 0; i < here->problems.n; i++)
        puts(here->problems.v[i]);
    for (size_t i = 0; i < here->files.n; i++)
        printf("read            %s\n", here->files.v[i]);
    for (size_t i = 0; i < here->notes.n; i++)
        printf("note            %s\n", here->notes.v[i]);
    return fflush(stdout) == 0 ? rc : trouble("cannot write");
}

// A file on its own is not looked for on this host.
static int lint(const struct words *words, const struct policy *policy,
                const char *why)
{
    struct plugstack_origin origin;
    struct installed here = {0};
    struct strv plugin = {0};
    bool given;
    int rc = 0;

    if (!words->conf) {
        plugstack_load(words->plugstack, &origin, &plugin);
        const char *conf =
            policy_conf_path(plugin.n, (const char *const *)plugin.v, &given);
        rc = installed_look(words->plugstack, &origin, conf, policy, &here);
    }
    rc = rc < 0 ? trouble("memory is out") : say_lint(words, why, &here);
    installed_clear(&here);
    strv_clear(&plugin);
    return rc;
}

static int run(struct words *words)
{
    struct policy *policy = NULL;
    struct berth_err err = {0};
    bool unread;
    int rc = read_policy(words->plugstack, words->conf, &policy, &unread, &err);

    if (rc < 0 && unread)
        return trouble(err.text);
    if (strcmp(words->command, "lint") == 0)
        rc = lint(words, policy, rc < 0 ? err.text : NULL);
    else if (rc < 0)
        rc = say(words, report_error(&err), EXIT_REFUSED);
    else
        rc = with_rules(words, policy);
    policy_free(policy);
    return rc;
}

// Where the audit log is, as berth.conf has it. NULL, and that is said: there
// is none here.
static const char *find_log(const struct policy *policy)
{
    // Where daemons put authpriv: Debian's, Red Hat's, and others.
    static const char *const files[] = {"/var/log/auth.log", "/var/log/secure",
                                        "/var/log/messages", "/var/log/syslog"};
    const char *to = policy_audit_log(policy);

    if (to[0] == '/')
        return to;
    if (strcmp(to, "none") == 0) {
        trouble("berth.conf has \"audit_log = none\": there is no log");
        return NULL;
    }
    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
        if (access(files[i], F_OK) == 0)
            return files[i];
    trouble("syslog has no file here: name one by --log, or \"-\" for standard "
            "input, to which `journalctl -t berth-stepd` can be piped");
    return NULL;
}

static int explain_from(const struct words *words, const char *path,
                        const char *what)
{
    bool input = strcmp(path, "-") == 0;
    FILE *log = input ? stdin : fopen(path, "re");
    struct berth_err err = {0};

    if (!log) {
        fprintf(stderr, "berth-policy: %s: %m\n", path);
        return EXIT_TROUBLE;
    }
    json_t *report = explain_read(log, what, &err);
    if (!input)
        fclose(log);
    if (!report)
        return trouble(err.text);
    bool found = json_array_size(json_object_get(report, "lines")) > 0;
    if (!found)
        fprintf(stderr, "berth-policy: there is nothing about %s in %s\n", what,
                input ? "standard input" : path);
    return say(words, report, found ? EXIT_FOUND : EXIT_NOT_FOUND);
}

static int explain(const struct words *words, const char *what)
{
    struct policy *policy = NULL;
    struct berth_err err = {0};
    bool unread;

    if (words->log)
        return explain_from(words, words->log, what);
    if (read_policy(words->plugstack, words->conf, &policy, &unread, &err) < 0)
        return trouble(err.text);
    const char *path = find_log(policy);
    int rc = path ? explain_from(words, path, what) : EXIT_TROUBLE;
    policy_free(policy);
    return rc;
}

// The node's table of GPUs is root's, and another program's.
static int show_gpus(char **argv)
{
    static const char program[] = BERTH_SBINDIR "/berth-gpus";

    argv[0] = (char *)"berth-gpus";
    execv(program, argv);
    fprintf(stderr, "berth-policy: %s: %m\n", program);
    return EXIT_TROUBLE;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "gpus") == 0)
        return show_gpus(argv + 1);

    static struct words words;
    struct berth_err err = {0};
    int rc = read_words(argc, argv, &words, &err);
    char **rest = argv + optind;
    int n = argc - optind;

    if (rc == EXIT_TROUBLE)
        return rc;
    words.command = n > 0 ? rest[0] : "";
    bool check = strcmp(words.command, "check") == 0;
    bool is_lint = strcmp(words.command, "lint") == 0;
    if (rc == 0 && n == 2 && strcmp(words.command, "explain") == 0)
        return explain(&words, rest[1]);
    if (!check && !is_lint && strcmp(words.command, "list") != 0) {
        fputs(usage, stderr);
        return EXIT_TROUBLE;
    }
    if (rc == 0 && check && n == 2 &&
        options_set(&words.options, "container", rest[1], &err) < 0)
        rc = EXIT_REFUSED;
    if (is_lint && n == 2) {
        // A file on its own.
        words.conf = rest[1];
        words.plugstack = "/dev/null";
    }
    if (n > 2 || (n == 2 && !check && !is_lint) ||
        (rc == 0 && check && !words.options.image && !words.options.errand)) {
        fputs(usage, stderr);
        rc = EXIT_TROUBLE;
    } else if (rc == EXIT_REFUSED) {
        rc = say(&words, report_error(&err), rc);
    } else {
        rc = run(&words);
    }
    options_clear(&words.options);
    return rc;
}
