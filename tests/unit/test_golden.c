// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The tables of tests/golden/policy (README there): verdict and sentence of
// each request, from the decision itself. What berth-policy says besides is
// tested by the script tables.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "logic/decide.h"
#include "logic/limits.h"
#include "logic/policy.h"
#include "tools/who.h"

enum { TEXT_MAX = 256 * 1024, WORDS_MAX = 16 };

static char *read_text(const char *path)
{
    char *text = calloc(1, TEXT_MAX);
    FILE *f = fopen(path, "r");

    assert_non_null(f);
    assert_non_null(text);
    assert_in_range(fread(text, 1, TEXT_MAX, f), 1, TEXT_MAX - 1);
    fclose(f);
    return text;
}

// Puts the bytes for \n and \xHH into WORD.
static void unescape(char *word)
{
    char *out = word;

    for (char *p = word; *p; p++) {
        unsigned byte;
        if (p[0] == '\\' && p[1] == 'n') {
            *out++ = '\n';
            p++;
        } else if (sscanf(p, "\\x%2x", &byte) == 1) {
            *out++ = (char)byte;
            p += 3;
        } else {
            *out++ = *p;
        }
    }
    *out = 0;
}

// The words of NAME's line in the file "users".
static void read_user(const char *users, const char *name,
                      struct who_words *out, char buf[512])
{
    const struct {
        const char *option;
        const char **to;
    } known[] = {
        {"--user=", &out->user}, {"--uid=", &out->uid},
        {"--gid=", &out->gid},   {"--groups=", &out->groups},
        {"--home=", &out->home},
    };
    char line[64];

    snprintf(line, sizeof(line), "\n%s ", name);
    const char *found = strstr(users, line);
    assert_non_null(found);
    found += strlen(line);
    snprintf(buf, 512, "%.*s", (int)strcspn(found, "\n"), found);
    *out = (struct who_words){0};
    for (char *word = strtok(buf, " "); word; word = strtok(NULL, " "))
        for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
            if (strncmp(word, known[i].option, strlen(known[i].option)) == 0)
                *known[i].to = word + strlen(known[i].option);
}

static int set_option(struct options *options, char *word,
                      struct berth_err *err)
{
    if (strncmp(word, "--", 2) != 0)
        return options_set(options, "container", word, err);
    char *value = strchr(word, '=');
    if (value)
        *value++ = 0;
    return options_set(options, word + 2, value, err);
}

// Writes the first line of the answer to the request in LINE.
static void answer(const struct policy *policy, const char *users, char *line,
                   char out[2048])
{
    char *words[WORDS_MAX] = {NULL}, buf[512], cwd[512];
    struct options options = {0};
    struct decision decision;
    struct who_words user;
    struct berth_err err;
    struct rules rules;
    struct who who;
    size_t n = 0;
    int rc = 0;

    for (char *p = line; n < WORDS_MAX && (words[n] = strsep(&p, " ")); n++)
        ;
    assert_in_range(n, 2, WORDS_MAX - 1);
    char *partition = strchr(words[0], '@');
    if (partition)
        *partition++ = 0;
    read_user(users, words[0], &user, buf);
    assert_int_equal(who_find(&user, &who, &err), 0);
    snprintf(cwd, sizeof(cwd), "/home/%s/work", words[0]);
    who.subject.cwd = cwd;
    who.subject.job = 12;
    who.subject.partition = partition;
    // As on a command line, where the image comes last.
    for (size_t i = 2; i < n && rc == 0; i++) {
        unescape(words[i]);
        rc = set_option(&options, words[i], &err);
    }
    unescape(words[1]);
    if (rc == 0)
        rc = set_option(&options, words[1], &err);
    if (rc < 0) {
        snprintf(out, 2048, "refused: %s", err.text);
    } else {
        assert_int_equal(policy_rules(policy, &who.subject, &rules, &err), 0);
        decide(&rules, &options, &who.subject, &decision);
        if (decision.verdict == VERDICT_ALLOW)
            snprintf(out, 2048, "allowed%s%s",
                     decision.warning[0] ? ", but: " : "", decision.warning);
        else
            snprintf(out, 2048, "refused: %s", decision.reason);
        decision_clear(&decision);
        rules_clear(&rules);
    }
    options_clear(&options);
    who_clear(&who);
}

// Returns how many of the table's requests were refused; ALL counts all.
static size_t run_table(const char *path, const char *users, size_t *all)
{
    char conf[4096], name[256], line[4096], got[2048];
    const char *slash = strrchr(path, '/');
    size_t refused = 0;
    struct berth_err err;

    // As berth-policy is told in the directory where it is.
    snprintf(name, sizeof(name), "%.*s.conf",
             (int)(strlen(slash) - strlen("/.table")), slash + 1);
    snprintf(conf, sizeof(conf), GOLDEN "/policy/%s", name);
    if (access(conf, F_OK) < 0)
        snprintf(conf, sizeof(conf), GOLDEN "/../../etc/examples/%s", name);
    char *text = read_text(conf), *table = read_text(path);
    struct policy *policy =
        policy_parse(0, NULL, NULL, name, text, strlen(text), &err);
    assert_non_null(policy);
    char *rest = table, *row;
    while ((row = strsep(&rest, "\n"))) {
        if (!*row || *row == '#')
            continue;
        snprintf(line, sizeof(line), "%s", row);
        answer(policy, users, line, got);
        const char *wanted = strsep(&rest, "\n");
        if (!wanted || strcmp(got, wanted) != 0)
            fail_msg("%s: %s\n wanted %s\n got    %s", slash + 1, row, wanted,
                     got);
        refused += strncmp(got, "refused", 7) == 0;
        (*all)++;
        // What else berth-policy says.
        while (rest && *rest && *rest != '\n')
            strsep(&rest, "\n");
    }
    policy_free(policy);
    free(text);
    free(table);
    return refused;
}

static void each_request_gets_its_verdict_and_sentence(void **state)
{
    char *users = read_text(GOLDEN "/policy/users");
    size_t tables = 0, all = 0, refused = 0;
    glob_t g;
    (void)state;

    assert_int_equal(glob(GOLDEN "/policy/*.table", 0, NULL, &g), 0);
    for (size_t i = 0; i < g.gl_pathc; i++) {
        if (strstr(g.gl_pathv[i], "/lint.table"))
            continue;
        refused += run_table(g.gl_pathv[i], users, &all);
        tables++;
    }
    print_message("# %zu policies, %zu requests, %zu refused\n", tables, all,
                  refused);
    assert_in_range(tables, 10, SIZE_MAX);
    assert_in_range(all, 200, SIZE_MAX);
    globfree(&g);
    free(users);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_request_gets_its_verdict_and_sentence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
