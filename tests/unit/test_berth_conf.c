// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// berth.conf: what is refused, what each key does, and how sections are laid
// over each other.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "logic/gpu.h"
#include "logic/imgref.h"
#include "logic/limits.h"
#include "logic/mount_syntax.h"
#include "logic/policy.h"
#include "logic/rlimits.h"

#define COUNT(table) (sizeof(table) / sizeof(*(table)))
#define A50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A300 A50 A50 A50 A50 A50 A50

static const struct {
    const char *text, *sentence; // behind "b.conf"
} refused[] = {
    // What is not plain.
    {"deny = {evil*}", " line 1: \"*\" stands outside of quotes: write the "
                       "whole value in double quotes"},
    {"allow = {/a}", " line 1: \"/\" stands outside of quotes: write the "
                     "whole value in double quotes"},
    {"allow = {'a'}", " line 1: \"'\" stands outside of quotes: write the "
                      "whole value in double quotes"},
    {"allow = $x", " line 1: \"$\" stands outside of quotes: write the whole "
                   "value in double quotes"},
    {"\nallow = {\xc3\xa4}", " line 2: \"\xc3\xa4\" stands outside of quotes: "
                             "write the whole value in double quotes"},
    {"allow = debian;", " line 1: \";\" stands outside of quotes: write the "
                        "whole value in double quotes"},
    {"include(\"/x\")", " line 1: \"(\" stands outside of quotes: write the "
                        "whole value in double quotes"},
    {"allow + = {}", " line 1: \"+\" stands outside of quotes: write += "
                     "without a space in it"},
    {"allow = {\"${HOME}\"}", " line 1: \"${\" is refused, since berth "
                              "expands no environment variables: write the "
                              "value itself"},
    {"allow = {\"a", " line 1: a string has no closing quote on its line"},
    {"allow = {\"a\n\"}", " line 1: a string has no closing quote on its "
                          "line"},
    {"allow = {\"a\\\n\"}", " line 1: a \\ in a string stands before \", n or "
                            "another \\ only"},
    {"allow = {\"\\x41\"}", " line 1: a \\ in a string stands before \", n or "
                            "another \\ only"},
    {"allow = {\"\\", " line 1: a \\ in a string stands before \", n or "
                      "another \\ only"},
    {"\n/* x\n\n", " line 2: the comment has no end: write */ there"},
    {"/*/", " line 1: the comment has no end: write */ there"},
    {"\n\xff", " line 2: the text is not valid UTF-8"},
    {"\n\n\1", " line 3: there is a control character (byte 0x01): leave it "
               "out"},
    {"allow = \"a\rb\"", " line 1: allow = \"a?b\": one line without tabs "
                         "was expected"},
    {"\x7f", " line 1: there is a control character (byte 0x7f): leave it "
             "out"},
    {"a\rb", " line 1: \"?\" stands outside of quotes: write the whole value "
             "in double quotes"},
    // Braces.
    {"\nuser \"a\" {\n allow = {}\n", " line 2: \"{\" stands without its "
                                      "\"}\""},
    {"\nallow = {", " line 2: \"{\" stands without its \"}\""},
    {"user \"a\" {\n}\n}", " line 3: \"}\" stands without its \"{\""},
    {"allow = {{\"a\"}}",
     " line 1: \"{\" stands where a value of allow was expected"},
    // Grammar.
    {"allow", " line 1: the file ends where the \"=\" of allow was expected"},
    {"allow =", " line 1: the file ends where a value of allow was expected"},
    {"allow \"a\"",
     " line 1: \"a\" stands where the \"=\" of allow was expected"},
    {"allow{\"a\"}",
     " line 1: \"{\" stands where the \"=\" of allow was expected"},
    {"allow,", " line 1: \",\" stands where the \"=\" of allow was expected"},
    {"allow = {a=}",
     " line 1: \"=\" stands where a \",\" or the \"}\" of allow was expected"},
    {"allow = {a+=}",
     " line 1: \"+=\" stands where a \",\" or the \"}\" of allow was expected"},
    {"# a\n# b\n\nallow = ,",
     " line 4: \",\" stands where a value of allow was expected"},
    {"allow = {\"a\" \"b\"}",
     " line 1: \"b\" stands where a \",\" or the \"}\" of allow was expected"},
    {"user {}",
     " line 1: \"{\" stands where the title of user, in double quotes, was "
     "expected"},
    {"user \"a\"",
     " line 1: the file ends where the \"{\" of user \"a\" was expected"},
    {"user \"a\" \"b\" {}",
     " line 1: \"b\" stands where the \"{\" of user \"a\" was expected"},
    {"user \"a\tb\" c",
     " line 1: \"c\" stands where the \"{\" of user \"a?b\" was expected"},
    {"user \"a\" = {}",
     " line 1: \"=\" stands where the \"{\" of user \"a\" was expected"},
    {"user \"a\" { group \"b\" { } }", " line 1: \"group\": there is no such "
                                       "key here: berth.conf(5) has those "
                                       "that there are"},
    {"\"allow\" = {}", " line 1: \"allow\": a key stands without quotes"},
    {"user \"u\" {\n\"{\" = {} }",
     " line 2: \"{\": there is no such key here: berth.conf(5) has those that "
     "there are"},
    {"allow = = a",
     " line 1: \"=\" stands where a value of allow was expected"},
    {"allow = a\n\"\"",
     " line 2: \"\": there is no such key here: berth.conf(5) has those that "
     "there are"},
    // Unknown, twice, wrong kind.
    {"\nalow = {\"a\"}", " line 2: \"alow\": there is no such key here: "
                         "berth.conf(5) has those that there are"},
    {"Allow = {\"a\"}", " line 1: \"Allow\": there is no such key here: "
                        "berth.conf(5) has those that there are"},
    {"engine = \"unix:///x\"", " line 1: \"engine\": there is no such key "
                               "here: berth.conf(5) has those that there are"},
    {"roots \"x\" {}", " line 1: \"roots\": there is no such key here: "
                       "berth.conf(5) has those that there are"},
    {"user \"u\" {\n# c\naudit_log = none }", " line 3: \"audit_log\": there "
                                              "is no such key here: "
                                              "berth.conf(5) has those that "
                                              "there are"},
    {"user \"u\" { device_set \"x\" {} }", " line 1: \"device_set\": there is "
                                           "no such key here: berth.conf(5) "
                                           "has those that there are"},
    {"files = {\"/dev/x\"}", " line 1: \"files\": there is no such key here: "
                             "berth.conf(5) has those that there are"},
    {"device_set \"x\" { allow = \"a\" }", " line 1: \"allow\": there is no "
                                           "such key here: berth.conf(5) has "
                                           "those that there are"},
    {"allow = {}\n\nallow = {\"a\"}", " line 3: \"allow\" is there a second "
                                      "time, after line 1: leave one of them "
                                      "out"},
    {"allow = {}\nallow += {\"a\"}", " line 2: \"allow\" is there a second "
                                     "time, after line 1: leave one of them "
                                     "out"},
    {"home = never\nuser \"u\" {}\nhome = always", " line 3: \"home\" is there "
                                                   "a second time, after line "
                                                   "1: leave one of them out"},
    {"user \"u\" {\nhome = never\nhome = never }", " line 3: \"home\" is "
                                                   "there a second time, "
                                                   "after line 2: leave one "
                                                   "of them out"},
    {"user \"u\" {}\n\nuser \"u\" {}",
     " line 3: user \"u\" is there a second time, after line 1: put the two "
     "together"},
    {"min_uid = {1}",
     " line 1: min_uid takes one value: write it without braces"},
    {"min_uid += 1", " line 1: min_uid takes one value: write = and not +="},
    // Titles.
    {"\n\nuser \"\" {}", " line 3: user \"\": a name was expected"},
    {"user \"a b\" {}", " line 1: user \"a b\": a name was expected"},
    {"user \"u*\" {}", " line 1: user \"u*\": a name was expected"},
    {"partition \"a,b\" {}", " line 1: partition \"a,b\": a name was "
                             "expected"},
    {"group \"\\n\" {}", " line 1: group \"?\": a name was expected"},
    {"# x\nuid \"alice\" {}", " line 2: uid \"alice\": a number from 0 to "
                              "4294967294 was expected"},
    {"uid \"-1\" {}", " line 1: uid \"-1\": a number from 0 to 4294967294 "
                      "was expected"},
    {"gid \"007\" {}", " line 1: gid \"007\": a number from 0 to 4294967294 "
                       "was expected"},
    {"gid \"4294967295\" {}", " line 1: gid \"4294967295\": a number from 0 "
                              "to 4294967294 was expected"},
    {"device_set \"a/b\" {}", " line 1: device_set \"a/b\": a name of "
                              "letters, digits and \"_.-\" was expected"},
    {"device_set \"\" {}", " line 1: device_set \"\": a name of letters, "
                           "digits and \"_.-\" was expected"},
    // Values, key by key.
    {"allow = {\"debian\",\n\"Debian\"}",
     " line 2: allow = \"Debian\": the image pattern \"Debian\" has uppercase "
     "letters: write \"debian\""},
    {"allow = \"\"", " line 1: allow = \"\": the image pattern is empty: name "
                     "an image, such as debian or "
                     "registry.example.org/team/app:1.2"},
    {"deny = \"/x\"", " line 1: deny = \"/x\": the image pattern \"/x\" looks "
                      "like the path of an OCI bundle, which is for Slurm's "
                      "own --container: berth takes the name of an image, "
                      "such as debian or registry.example.org/team/app:1.2"},
    {"allow = \"debian\\n\"", " line 1: allow = \"debian?\": one line "
                              "without tabs was expected"},
    {"apparmor = unconfined", " line 1: apparmor = \"unconfined\": berth takes "
                              "no protection away: name a profile"},
    {"apparmor = \"a b\"", " line 1: apparmor = \"a b\": the name of a "
                           "profile that is loaded on the node was expected"},
    {"audit_log = file", " line 1: audit_log = \"file\": syslog, none, or the "
                         "absolute path of a file was expected"},
    {"images_max = 0", " line 1: images_max = \"0\": a size, such as 200G or "
                       "10%, or none was expected"},
    {"images_free = 101%", " line 1: images_free = \"101%\": a size, such as "
                           "200G or 10%, or none was expected"},
    {"user \"u\" { images_max = none }",
     " line 1: \"images_max\": there is no such key here: berth.conf(5) has "
     "those that there are"},
    {"deny_groups = \"\"", " line 1: deny_groups = \"\": the name of a group, "
                           "or a gid was expected"},
    {"deny_users = \"a:b\"", " line 1: deny_users = \"a:b\": the name of a "
                             "user, or a uid was expected"},
    {"\ndevices = {ib}", " line 2: devices = \"ib\": there is no device_set "
                         "\"ib\" in the file"},
    {"user \"u\" {\ndevices += {ib} }", " line 2: devices = \"ib\": there is "
                                        "no device_set \"ib\" in the file"},
    {"devices = \"/dev/x\"", " line 1: devices = \"/dev/x\": the name of a "
                             "device_set was expected"},
    {"device_set \"x\" { files = \"/etc/x\" }",
     " line 1: files = \"/etc/x\": a path below /dev, in which * stands for "
     "anything within a component, was expected"},
    {"device_set \"x\" { files = \"/dev/../etc\" }",
     " line 1: files = \"/dev/../etc\": a path below /dev, in which * stands "
     "for anything within a component, was expected"},
    {"device_set \"x\" { files = \"/dev/**\" }",
     " line 1: files = \"/dev/**\": a path below /dev, in which * stands for "
     "anything within a component, was expected"},
    {"device_set \"x\" { files = \"/dev/\" }",
     " line 1: files = \"/dev/\": a path below /dev, in which * stands for "
     "anything within a component, was expected"},
    {"env_deny = \"A=b\"", " line 1: env_deny = \"A=b\": the name of a "
                           "variable, in which * stands for any characters, "
                           "was expected"},
    {"env_pass = \"A?\"", " line 1: env_pass = \"A?\": the name of a "
                          "variable, in which * stands for any characters, "
                          "was expected"},
    {"env_pass = \"\"", " line 1: env_pass = \"\": the name of a variable, in "
                        "which * stands for any characters, was expected"},
    {"env_set = PATH", " line 1: env_set = \"PATH\": NAME=VALUE was "
                       "expected"},
    {"env_set = \"1A=b\"", " line 1: env_set = \"1A=b\": NAME=VALUE was "
                           "expected"},
    {"env_set = \"=b\"", " line 1: env_set = \"=b\": NAME=VALUE was "
                         "expected"},
    {"env_set = \"A=%x\"", " line 1: env_set = \"A=%x\": %x is no variable "
                           "that berth knows: %u is the user, %U his number, "
                           "%g his group, %h his home, %j the job, and %% the "
                           "sign itself"},
    {"env_set = \"NVIDIA_VISIBLE_DEVICES=all\"",
     " line 1: env_set = \"NVIDIA_VISIBLE_DEVICES=all\": "
     "NVIDIA_VISIBLE_DEVICES says which GPUs a container has, and is berth's "
     "own to set"},
    {"gpu_capabilities = all", " line 1: gpu_capabilities = \"all\": "
                               "compat32, compute, display, graphics, ngx, "
                               "utility or video was expected"},
    {"gpu_indices = \"3-1\"", " line 1: gpu_indices = \"3-1\": an index, or a "
                              "range such as 0-3, was expected"},
    {"gpu_indices = \"\"", " line 1: gpu_indices = \"\": an index, or a range "
                           "such as 0-3, was expected"},
    {"gpu_max = many", " line 1: gpu_max = \"many\": a number of GPUs, or 0 "
                       "for no bound, was expected"},
    {"gpu_types = \"a,b\"", " line 1: gpu_types = \"a,b\": a type as "
                            "gres.conf has it was expected"},
    {"gpus = true", " line 1: gpus = \"true\": yes or no was expected"},
    {"help_text = \"\"", " line 1: help_text = \"\": a text was expected"},
    {"home = yes", " line 1: home = \"yes\": never, allowed, default or "
                   "always was expected"},
    {"min_uid = -1", " line 1: min_uid = \"-1\": a number from 0 to "
                     "4294967294 was expected"},
    {"min_gid = 0x10", " line 1: min_gid = \"0x10\": a number from 0 to "
                       "4294967294 was expected"},
    {"min_uid = 99999999999999999999", " line 1: min_uid = "
                                       "\"99999999999999999999\": a number "
                                       "from 0 to 4294967294 was expected"},
    {"mode = off", " line 1: mode = \"off\": enforce, warn or audit was "
                   "expected"},
    {"mounts_allowed = {\n\"/a\",\n\"b\"}",
     " line 3: mounts_allowed = \"b\": b is no absolute path without empty "
     "components, \".\" and \"..\", and below /: write "
     "SOURCE[:TARGET][:ro|rw]"},
    {"mounts_allowed = \"/a:/proc/x\"",
     " line 1: mounts_allowed = \"/a:/proc/x\": nothing can be mounted at "
     "/proc/x in a container: name another target"},
    {"mounts_always = \"/dev/shm\"",
     " line 1: mounts_always = \"/dev/shm\": nothing can be mounted at "
     "/dev/shm in a container: name another target"},
    {"mounts_always = \"/a/*\"",
     " line 1: mounts_always = \"/a/*\": a '*' stands only in sources of "
     "mounts_allowed: name one path"},
    {"mounts_default = \"/a:/b:wr\"",
     " line 1: mounts_default = \"/a:/b:wr\": \"wr\" is no flag that berth "
     "knows: write ro or rw"},
    {"networks = \"container:x\"",
     " line 1: networks = \"container:x\": host, none, or the name of a "
     "network of the engine's was expected"},
    {"networks = \"\"", " line 1: networks = \"\": host, none, or the name of "
                        "a network of the engine's was expected"},
    {"options = container-mounts",
     " line 1: options = \"container-mounts\": image, mounts, workdir, env, "
     "mount-home, writable, root, entrypoint, network, slurm, reuse, name, "
     "join, save or do was expected"},
    {"root_engine = \"tcp://10.0.0.1:2375\"",
     " line 1: root_engine = \"tcp://10.0.0.1:2375\": berth reaches the "
     "engine by a Unix socket of this node only: write "
     "unix:///ABSOLUTE/PATH, such as unix:///run/docker.sock"},
    {"root_ids = \"1000:65536\"",
     " line 1: root_ids = \"1000:65536\": BASE:COUNT or BASE:COUNT:FIRST, such "
     "as 2000000:65536, was expected"},
    {"user \"x\" { root_ids = \"2000000:65536\" }",
     " line 1: \"root_ids\": there is no such key here: berth.conf(5) has "
     "those "
     "that there are"},
    {"pids_limit = -1", " line 1: pids_limit = \"-1\": a number up to "
                        "4194304, or 0 for no limit, was expected"},
    {"probe_seconds = 0", " line 1: probe_seconds = \"0\": a number of "
                          "seconds from 1 to 600 was expected"},
    {"reuse = always",
     " line 1: reuse = \"always\": never, allowed or default was expected"},
    {"save = allowed", " line 1: save = \"allowed\": yes or no was expected"},
    {"save_max = 50%",
     " line 1: save_max = \"50%\": a size, such as 20G, was expected"},
    {"save_total = none",
     " line 1: save_total = \"none\": a size, such as 20G, was expected"},
    {"reuse_idle = 0",
     " line 1: reuse_idle = \"0\": a number of seconds from 1 to 86400 was "
     "expected"},
    {"probe_seconds = 601", " line 1: probe_seconds = \"601\": a number of "
                            "seconds from 1 to 600 was expected"},
    {"publish = http", " line 1: publish = \"http\": PORT, PORT-PORT or "
                       "ADDRESS:PORT[-PORT] was expected"},
    {"publish = 0", " line 1: publish = \"0\": PORT, PORT-PORT or "
                    "ADDRESS:PORT[-PORT] was expected"},
    {"publish = 65536", " line 1: publish = \"65536\": PORT, PORT-PORT or "
                        "ADDRESS:PORT[-PORT] was expected"},
    {"publish = \"localhost:80\"", " line 1: publish = \"localhost:80\": "
                                   "PORT, PORT-PORT or ADDRESS:PORT[-PORT] "
                                   "was expected"},
    {"publish = 80-79", " line 1: publish = \"80-79\": an ascending range of "
                        "at most 16 ports was expected"},
    {"publish = 80-96", " line 1: publish = \"80-96\": an ascending range of "
                        "at most 16 ports was expected"},
    {"runtime = \"/usr/bin/runc\"", " line 1: runtime = \"/usr/bin/runc\": "
                                    "the name of a runtime that the engine "
                                    "has, such as crun, was expected"},
    {"seccomp = unconfined",
     " line 1: seccomp = \"unconfined\": berth or the absolute "
     "path of a profile was expected"},
    {"selinux = disable", " line 1: selinux = \"disable\": one part of a "
                          "label, such as type:container_t, was expected"},
    {"shm_size = 0", " line 1: shm_size = \"0\": a size, such as 512M, 4G or "
                     "50% was expected"},
    {"shm_size = 64", " line 1: shm_size = \"64\": a size, such as 512M, 4G "
                      "or 50% was expected"},
    {"tmp_size = 101%", " line 1: tmp_size = \"101%\": a size, such as 512M, "
                        "4G or 50% was expected"},
    {"tmp_size = 0G", " line 1: tmp_size = \"0G\": a size, such as 512M, 4G or "
                      "50% was expected"},
    {"tmp_size = 18446744073709551615T",
     " line 1: tmp_size = \"18446744073709551615T\": a size, such as 512M, 4G "
     "or 50% was expected"},
    {"tmp_size = 4m", " line 1: tmp_size = \"4m\": a size, such as 512M, 4G "
                      "or 50% was expected"},
    {"ulimits = nofile", " line 1: ulimits = \"nofile\": NAME=SOFT[:HARD] was "
                         "expected"},
    {"ulimits = \"nofile=a\"", " line 1: ulimits = \"nofile=a\": "
                               "NAME=SOFT[:HARD] was expected"},
    {"ulimits = \"nofile=2:1\"", " line 1: ulimits = \"nofile=2:1\": a hard "
                                 "limit that is no lower than the soft one "
                                 "was expected"},
    {"ulimits = \"files=1\"", " line 1: ulimits = \"files=1\": there is no "
                              "limit of this name: setrlimit(2) has them, "
                              "without RLIMIT_ and in lower case"},
    {"workdir = no", " line 1: workdir = \"no\": never, allowed, default or "
                     "always was expected"},
    {"writable = always", " line 1: writable = \"always\": never, allowed or "
                          "default was expected"},
};

static void refuses_what_it_does_not_understand(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(refused); i++) {
        const char *text = refused[i].text;
        struct berth_err err = {0};
        char wanted[1024];
        snprintf(wanted, sizeof(wanted), "b.conf%s", refused[i].sentence);
        if (policy_parse(0, NULL, NULL, "b.conf", text, strlen(text), &err))
            fail_msg("%s was not refused", text);
        assert_string_equal(err.text, wanted);
        assert_int_equal(err.code, BERTH_EINVAL);
        assert_null(
            policy_parse(0, NULL, NULL, "b.conf", text, strlen(text), NULL));
        // The next file is not affected by what was wrong with this one.
        struct policy *policy = policy_parse(0, NULL, NULL, "b.conf",
                                             "allow = {\"a\"}\n", 14, &err);
        if (!policy)
            fail_msg("behind %s: %s", text, err.text);
        policy_free(policy);
    }
}

static void takes_nothing_for_a_port_or_limit_that_is_none(void **state)
{
    static const struct {
        const char *key, *value;
    } bad[] = {
        {"publish", ""},
        {"publish", ":"},
        {"publish", "x"},
        {"publish", "0"},
        {"publish", "65536"},
        {"publish", "80x"},
        {"publish", "80-"},
        {"publish", "-80"},
        {"publish", "90-80"},
        {"publish", "80-0"},
        {"publish", "1-17"},
        {"publish", "80-81-82"},
        {"publish", "80-99999"},
        {"publish", "127.0.0.1:"},
        {"publish", "a:b:c"},
        {"publish", "[:80"},
        {"publish", "[]:80"},
        {"publish", "[127.0.0.1]:80"},
        {"publish", "::1:80"},
        {"ulimits", ""},
        {"ulimits", "=1"},
        {"ulimits", "nofile"},
        {"ulimits", "nofile="},
        {"ulimits", "nofile=x"},
        {"ulimits", "nofile=1:"},
        {"ulimits", "nofile=1:2:3"},
        {"ulimits", "nofile=-1"},
        {"ulimits", "nofile=-2"},
        {"ulimits", "nofile=1 "},
        {"ulimits", "nofile=unlimitedx"},
        {"ulimits", "nofile=9223372036854775807"},
        {"ulimits", "nofile=99999999999999999999"},
        {"ulimits", "nofile=unlimited:1"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        char text[128];
        snprintf(text, sizeof(text), "%s = \"%s\"", bad[i].key, bad[i].value);
        if (policy_parse(0, NULL, NULL, "b.conf", text, strlen(text), NULL))
            fail_msg("%s was not refused", text);
    }
}

static void refuses_nul_bytes_and_too_much(void **state)
{
    struct berth_err err;
    char *text = malloc(BERTH_CONF_MAX + 1);

    (void)state;
    assert_null(
        policy_parse(0, NULL, NULL, "b.conf", "allow\0 = {}", 11, &err));
    assert_string_equal(err.text, "b.conf line 1: there is a control "
                                  "character (byte 0x00): leave it out");
    memset(text, '\n', BERTH_CONF_MAX + 1);
    assert_null(
        policy_parse(0, NULL, NULL, "b.conf", text, BERTH_CONF_MAX + 1, &err));
    assert_string_equal(err.text, "b.conf: the file has more than 1048576 "
                                  "bytes: make it smaller");
    struct policy *policy =
        policy_parse(0, NULL, NULL, "b.conf", text, BERTH_CONF_MAX, &err);
    assert_non_null(policy);
    policy_free(policy);
    memset(text, 'a', 8000);
    memcpy(text, "help_text = \"", 13);
    text[13 + 4096] = '"';
    assert_null(policy_parse(0, NULL, NULL, "b.conf", text, 14 + 4096, &err));
    assert_non_null(strstr(err.text, "...\": at most 4095 bytes were"));
    text[13 + 4096] = 'a';
    text[13 + 4095] = '"';
    policy = policy_parse(0, NULL, NULL, "b.conf", text, 14 + 4095, &err);
    assert_non_null(policy);
    policy_free(policy);
    free(text);
}

static void refuses_more_keys_than_there_are(void **state)
{
    static char text[4096];
    struct berth_err err;

    (void)state;
    for (int i = 0; i < 200; i++)
        sprintf(text + strlen(text), "key%d = 1\n", i);
    assert_null(
        policy_parse(0, NULL, NULL, "b.conf", text, strlen(text), &err));
    assert_string_equal(err.text, "b.conf line 1: \"key0\": there is no such "
                                  "key here: berth.conf(5) has those that "
                                  "there are");
}

static void refuses_more_sections_than_can_be_searched(void **state)
{
    char *text = NULL;
    size_t size;
    struct berth_err err;
    FILE *out = open_memstream(&text, &size);

    (void)state;
    for (int i = 0; i <= BERTH_SECTIONS_MAX; i++)
        fprintf(out, "user \"u%d\" {}\n", i);
    fclose(out);
    assert_null(policy_parse(0, NULL, NULL, "b.conf", text, size, &err));
    assert_string_equal(err.text, "b.conf line 4097: there are more than 4096 "
                                  "sections: write some for groups");
    *strrchr(text, 'u') = 0; // the title, and with it the line
    *strrchr(text, 'u') = 0;
    struct policy *policy =
        policy_parse(0, NULL, NULL, "b.conf", text, strlen(text), &err);
    if (!policy)
        fail_msg("%s", err.text);
    policy_free(policy);
    free(text);
}

static void a_file_that_conf_names_must_be_there(void **state)
{
    static const char *const argv[] = {"allow=debian", "conf=/x/b.conf"};
    static const char *const twice[] = {"conf=/x/b.conf", "conf=/x/b.conf"};
    static const char *const bad[] = {"conf=", "conf=x", "conf=/a b"};
    struct policy_source source = {"/p.conf", 3, false};
    struct berth_err err;
    bool given;

    (void)state;
    assert_string_equal(policy_conf_path(2, argv, &given), "/x/b.conf");
    assert_true(given);
    assert_non_null(
        strstr(policy_conf_path(1, argv, &given), "/slurm/berth.conf"));
    assert_false(given);
    assert_string_equal(policy_conf_path(2, argv, NULL), "/x/b.conf");
    assert_null(policy_parse(2, argv, &source, NULL, NULL, 0, &err));
    assert_int_equal(err.code, BERTH_EINVAL);
    assert_string_equal(err.text, "/p.conf line 3: the file that conf= names "
                                  "is not there, and no container can be had "
                                  "without it");
    struct policy *policy =
        policy_parse(2, argv, &source, "/x/b.conf", "", 0, &err);
    assert_non_null(policy);
    policy_free(policy);
    assert_null(policy_parse(2, twice, &source, "/x/b.conf", "", 0, &err));
    assert_string_equal(err.text, "/p.conf line 3: \"conf=/x/b.conf\": a "
                                  "second conf=: leave one out");
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_null(policy_parse(1, &bad[i], &source, "/x", "", 0, &err));
        assert_non_null(strstr(err.text, ": it names no file: write "
                                         "conf=/ABSOLUTE/PATH, such as"));
    }
}

// --- what the keys do --------------------------------------------------------

static const gid_t gids[] = {100, 2001, 2002};
static const char *const groups[] = {"users", NULL, "chem"};
static const struct subject alice = {.uid = 1001,
                                     .gid = 100,
                                     .gids = gids,
                                     .ngids = 3,
                                     .user = "alice",
                                     .group = "users",
                                     .groups = groups,
                                     .partition = "gpu"};
static struct policy *policy;
static struct rules rules;

static void lay(const char *text, const struct subject *subject)
{
    static const char *const argv[] = {"allow=word"};
    struct berth_err err;

    policy = policy_parse(1, argv, NULL, "b.conf", text, strlen(text), &err);
    if (!policy || policy_rules(policy, subject, &rules, &err) < 0)
        fail_msg("%s", err.text);
}

static void done(void)
{
    errno = ENOTTY;
    rules_clear(&rules);
    policy_free(policy);
    assert_int_equal(errno, ENOTTY);
    assert_null(rules.allow.v);
}

// "a:1 b:2": the values and their lines.
static const char *listed(const struct rule_list *list)
{
    static char buf[2048];

    buf[0] = 0;
    for (size_t i = 0; i < list->n; i++) {
        const struct rule *rule = list->v[i];
        if (rule->file)
            assert_string_equal(rule->file,
                                rule->line ? "b.conf" : "plugstack.conf");
        sprintf(buf + strlen(buf), "%s%s:%d", i ? " " : "", rule->text,
                rule->line);
    }
    return buf;
}

static void an_empty_file_has_safe_defaults(void **state)
{
    (void)state;
    lay("", &alice);
    assert_string_equal(listed(&rules.allow), "word:0");
    assert_string_equal(rules.file, "b.conf");
    assert_int_equal(rules.deny.n, 0);
    assert_int_equal(rules.min_uid, 1);
    assert_int_equal(rules.min_gid, 1);
    assert_int_equal(rules.deny_users.n, 0);
    assert_string_equal(listed(&rules.deny_groups),
                        "docker:0 disk:0 kmem:0 kvm:0 lxd:0 libvirt:0 root:0 "
                        "shadow:0 sudo:0 wheel:0");
    assert_int_equal(rules.mounts_always.n, 0);
    assert_int_equal(rules.mounts_default.n, 0);
    assert_int_equal(rules.mounts_allowed.n, 0);
    assert_int_equal(rules.probe_seconds, 30);
    assert_string_equal(listed(&rules.targets),
                        "/usr/local/**:0 /usr/share/**:0 /usr/src/**:0");
    assert_int_equal(rules.home, RULE_MOUNT_ALLOWED);
    assert_int_equal(rules.workdir, RULE_MOUNT_ALWAYS);
    assert_int_equal(rules.env_set.n, 0);
    assert_string_equal(listed(&rules.env_deny),
                        "DBUS_*:0 SLURM_CONF:0 SLURM_JWT:0 SSH_AGENT_PID:0 "
                        "SSH_AUTH_SOCK:0 XDG_RUNTIME_DIR:0");
    assert_int_equal(rules.env_pass.n, 0);
    assert_string_equal(listed(&rules.env_ask), "BASH_FUNC_*:0");
    assert_string_equal(listed(&rules.env_job), "*_NUM_THREADS:0 OMP_*:0");
    assert_string_equal(listed(&rules.options),
                        "image:0 mounts:0 workdir:0 env:0 mount-home:0 "
                        "writable:0 root:0 entrypoint:0 network:0 slurm:0 "
                        "reuse:0 name:0 join:0 do:0 save:0");
    assert_int_equal(rules.writable, RULE_LEAVE_NEVER);
    assert_int_equal(rules.tmp_size.percent, 50);
    assert_int_equal(rules.shm_size.percent, 0);
    assert_int_equal(rules.pids_limit, 0);
    assert_int_equal(rules.pull, RULE_PULL_MISSING);
    assert_int_equal(rules.pull_seconds, 600);
    assert_int_equal(rules.pull_tries, 3);
    assert_int_equal(rules.pull_parallel, 3);
    assert_int_equal(rules.pull_max, UINT64_C(20) << 30);
    assert_int_equal(rules.pull_max_unpacked, UINT64_C(100) << 30);
    assert_null(rules.registry_auth);
    assert_string_equal(rules.fetch_user, "_berth");
    assert_int_equal(rules.reuse, RULE_LEAVE_DEFAULT);
    assert_int_equal(rules.reuse_idle, 300);
    assert_false(rules.save);
    assert_int_equal(rules.save_max, UINT64_C(10) << 30);
    assert_int_equal(rules.save_total, UINT64_C(50) << 30);
    assert_string_equal(listed(&rules.networks), "host:0");
    assert_int_equal(rules.publish.n, 0);
    assert_null(rules.seccomp);
    assert_null(rules.apparmor);
    assert_null(rules.selinux);
    assert_null(rules.runtime);
    assert_int_equal(rules.devices.n, 0);
    assert_int_equal(rules.ulimits.n, 0);
    assert_true(rules.gpus);
    assert_int_equal(rules.gpu_types.n, 0);
    assert_int_equal(rules.gpu_indices.n, 0);
    assert_int_equal(rules.gpu_max, 0);
    assert_string_equal(listed(&rules.gpu_capabilities), "compute:0 utility:0");
    assert_int_equal(rules.mode, RULE_MODE_ENFORCE);
    assert_int_equal(rules.log_level, RULE_LOG_INFO);
    assert_null(rules.help_text);
    assert_string_equal(policy_audit_log(policy), "syslog");
    struct rule_size max, room;
    policy_images(policy, &max, &room);
    assert_true(max.bytes == 0 && max.percent == 0);
    assert_true(room.bytes == 0 && room.percent == 10);
    assert_string_equal(policy_engine(policy), "/run/docker.sock");
    assert_string_equal(policy_root_engine(policy), "/run/docker.sock");
    assert_int_equal(rules.root, RULE_LEAVE_NEVER);
    assert_null(rules.root_ids);
    done();
}

static const char every_key[] =
    "allow = {\"debian\", \"nvcr.io/nvidia/**:24.*\"}\n"
    "apparmor = berth\n"
    "deny = \"evil.io/**\"\n"
    "deny_groups = {chem, 27}\n"
    "deny_users = {bob, 65534}\n"
    "devices = {ib, fuse}\n"
    "env_deny = {\"*_TOKEN\", \"A\"}\n"
    "env_pass = {\"LANG\", \"LC_*\"}\n"
    "env_set = {\"A=%u\", \"B=a\\\"b\\\\n\"}\n"
    "gpu_capabilities = {video}\n"
    "gpu_indices = {0, 2-3}\n"
    "gpu_max = 4\n"
    "gpu_types = {a100}\n"
    "gpus = no\n"
    "help_text = \"one\\ntwo\"\n"
    "home = default\n"
    "min_gid = 100\n"
    "min_uid = 1000\n"
    "mode = warn\n"
    "mounts_allowed = {\"/scratch/%u/**:rw\"}\n"
    "mounts_always = {\"/opt/site\", \"tmpfs:/t\"}\n"
    "mounts_default = {\"%h/x:/etc/x:ro\"}\n"
    "networks = {mpi, none}\n"
    "options = {image, mount-home}\n"
    "pids_limit = 4096\n"
    "probe_seconds = 5\n"
    "publish = {80, \"127.0.0.1:8000-8015\", \"[::1]:99\"}\n"
    "runtime = crun\n"
    "seccomp = \"/etc/berth/seccomp.json\"\n"
    "selinux = \"type:container_t\"\n"
    "shm_size = 512M\n"
    "slurm = allowed\n"
    "tmp_size = 25%\n"
    "ulimits = {\"nofile=1024:4096\", \"memlock=unlimited\"}\n"
    "workdir = allowed\n"
    "writable = default\n"
    "log_level = debug\n"
    "audit_log = \"/var/log/berth.log\"\n"
    "device_set \"fuse\" { files = \"/dev/fuse\" }\n"
    "device_set \"ib\" {\n"
    "    files = {\"/dev/infiniband/*\",\n"
    "             \"/dev/x\"}\n"
    "}\n"
    "targets = {\"/usr/local/**\", \"/etc/a\"}\n"
    "images_free = none\n"
    "images_max = 200G\n"
    "pull = always\n"
    "pull_max = 2G\n"
    "pull_max_unpacked = 9G\n"
    "pull_parallel = 2\n"
    "pull_seconds = 86400\n"
    "pull_tries = 7\n"
    "registry_auth = \"/etc/berth/auth.json\"\n"
    "fetch_user = fetcher\n"
    "reuse = allowed\n"
    "reuse_idle = 5\n"
    "credential_helpers = {\"/usr/bin/docker-credential-pass\"}\n"
    "fetch_proxy = \"http://proxy:3128\"\n"
    "fetch_no_proxy = {\".cluster\", \"10.0.0.0/8\"}\n"
    "save = yes\n"
    "save_max = 2G\n"
    "save_total = 3T\n"
    "root = allowed\n"
    "root_engine = \"unix:///run/podman/podman.sock\"\n"
    "root_ids = \"2000000:65536:1000\"\n";

static void each_key_is_in_the_rules(void **state)
{
    (void)state;
    lay(every_key, &alice);
    assert_string_equal(listed(&rules.allow),
                        "debian:1 nvcr.io/nvidia/**:24.*:1 word:0");
    assert_string_equal(rules.allow.v[1]->image->tag, "24.*");
    assert_string_equal(rules.allow_where, "b.conf line 1 and plugstack.conf");
    assert_string_equal(rules.apparmor, "berth");
    assert_string_equal(listed(&rules.deny), "evil.io/**:3");
    assert_string_equal(listed(&rules.deny_groups), "chem:4 27:4");
    assert_string_equal(listed(&rules.deny_users), "bob:5 65534:5");
    assert_string_equal(listed(&rules.devices),
                        "/dev/infiniband/*:41 /dev/x:42 /dev/fuse:39");
    assert_string_equal(listed(&rules.targets), "/usr/local/**:44 /etc/a:44");
    assert_string_equal(listed(&rules.env_deny), "*_TOKEN:7 A:7");
    assert_string_equal(listed(&rules.env_pass), "LANG:8 LC_*:8");
    assert_string_equal(listed(&rules.env_set), "A=%u:9 B=a\"b\\n:9");
    assert_string_equal(listed(&rules.gpu_capabilities), "video:10");
    assert_string_equal(listed(&rules.gpu_indices), "0:11 2-3:11");
    assert_int_equal(rules.gpu_max, 4);
    assert_string_equal(listed(&rules.gpu_types), "a100:13");
    assert_false(rules.gpus);
    assert_int_equal(rules.gpus_rule.line, 14);
    assert_string_equal(rules.help_text, "one\ntwo");
    assert_int_equal(rules.home, RULE_MOUNT_DEFAULT);
    assert_int_equal(rules.home_rule.line, 16);
    assert_int_equal(rules.min_gid, 100);
    assert_int_equal(rules.min_gid_rule.line, 17);
    assert_int_equal(rules.min_uid, 1000);
    assert_int_equal(rules.min_uid_rule.line, 18);
    assert_int_equal(rules.mode, RULE_MODE_WARN);
    assert_string_equal(listed(&rules.mounts_allowed), "/scratch/%u/**:rw:20");
    assert_string_equal(listed(&rules.mounts_always),
                        "/opt/site:21 tmpfs:/t:21");
    assert_string_equal(listed(&rules.mounts_default), "%h/x:/etc/x:ro:22");
    assert_string_equal(listed(&rules.networks), "mpi:23 none:23");
    assert_string_equal(listed(&rules.options), "image:24 mount-home:24");
    assert_int_equal(rules.pids_limit, 4096);
    assert_int_equal(rules.probe_seconds, 5);
    assert_int_equal(rules.pull, RULE_PULL_ALWAYS);
    assert_int_equal(rules.pull_rule.line, 47);
    assert_int_equal(rules.pull_max, UINT64_C(2) << 30);
    assert_int_equal(rules.pull_max_unpacked, UINT64_C(9) << 30);
    assert_int_equal(rules.pull_parallel, 2);
    assert_int_equal(rules.pull_seconds, 86400);
    assert_int_equal(rules.pull_tries, 7);
    assert_string_equal(rules.registry_auth, "/etc/berth/auth.json");
    assert_string_equal(listed(&rules.credential_helpers),
                        "/usr/bin/docker-credential-pass:57");
    assert_string_equal(rules.fetch_user, "fetcher");
    assert_string_equal(rules.fetch_proxy, "http://proxy:3128");
    assert_string_equal(listed(&rules.fetch_no_proxy),
                        ".cluster:59 10.0.0.0/8:59");
    assert_string_equal(listed(&rules.publish),
                        "80:27 127.0.0.1:8000-8015:27 [::1]:99:27");
    assert_string_equal(rules.runtime, "crun");
    assert_string_equal(rules.seccomp, "/etc/berth/seccomp.json");
    assert_string_equal(rules.selinux, "type:container_t");
    assert_int_equal(rules.shm_size.bytes, 512 << 20);
    assert_int_equal(rules.shm_size.percent, 0);
    assert_int_equal(rules.slurm, RULE_LEAVE_ALLOWED);
    assert_int_equal(rules.slurm_rule.line, 32);
    assert_int_equal(rules.tmp_size.bytes, 0);
    assert_int_equal(rules.tmp_size.percent, 25);
    assert_string_equal(listed(&rules.ulimits),
                        "nofile=1024:4096:34 memlock=unlimited:34");
    assert_int_equal(rules.workdir, RULE_MOUNT_ALLOWED);
    assert_int_equal(rules.workdir_rule.line, 35);
    assert_int_equal(rules.writable, RULE_LEAVE_DEFAULT);
    assert_int_equal(rules.writable_rule.line, 36);
    assert_int_equal(rules.log_level, RULE_LOG_DEBUG);
    assert_int_equal(rules.reuse, RULE_LEAVE_ALLOWED);
    assert_int_equal(rules.reuse_rule.line, 55);
    assert_int_equal(rules.reuse_idle, 5);
    assert_true(rules.save);
    assert_int_equal(rules.save_rule.line, 60);
    assert_int_equal(rules.save_max, UINT64_C(2) << 30);
    assert_int_equal(rules.save_total, UINT64_C(3) << 40);
    assert_int_equal(rules.root, RULE_LEAVE_ALLOWED);
    assert_int_equal(rules.root_rule.line, 63);
    assert_int_equal(rules.root_ids->base, 2000000);
    assert_int_equal(rules.root_ids->count, 65536);
    assert_int_equal(rules.root_ids->first, 1000);
    assert_string_equal(policy_root_engine(policy), "/run/podman/podman.sock");
    assert_string_equal(policy_engine(policy), "/run/docker.sock");
    assert_string_equal(policy_audit_log(policy), "/var/log/berth.log");
    struct rule_size max, room;
    policy_images(policy, &max, &room);
    assert_true(max.bytes == 200ULL << 30 && max.percent == 0);
    assert_true(room.bytes == 0 && room.percent == 0);
    done();
}

static void rules_carry_what_was_parsed(void **state)
{
    (void)state;
    lay(every_key, &alice);
    assert_string_equal(rules.deny.v[0]->image->domain, "evil.io");
    assert_string_equal(rules.mounts_allowed.v[0]->mount->source,
                        "/scratch/%u/**");
    assert_int_equal(rules.mounts_allowed.v[0]->mount->flag, MOUNT_RW);
    assert_null(rules.mounts_always.v[1]->mount->source);
    assert_string_equal(rules.mounts_default.v[0]->mount->target, "/etc/x");
    const struct rule_ports *ports = rules.publish.v[0]->ports;
    assert_string_equal(ports->address, "");
    assert_int_equal(ports->first, 80);
    assert_int_equal(ports->last, 80);
    ports = rules.publish.v[1]->ports;
    assert_string_equal(ports->address, "127.0.0.1");
    assert_int_equal(ports->first, 8000);
    assert_int_equal(ports->last, 8015);
    assert_string_equal(rules.publish.v[2]->ports->address, "::1");
    const struct rule_ulimit *limit = rules.ulimits.v[0]->ulimit;
    assert_string_equal(limit->which->name, "nofile");
    assert_int_equal(limit->which->resource, RLIMIT_NOFILE);
    assert_int_equal(limit->soft, 1024);
    assert_int_equal(limit->hard, 4096);
    assert_int_equal(rules.ulimits.v[1]->ulimit->soft, -1);
    assert_int_equal(rules.ulimits.v[1]->ulimit->hard, -1);
    assert_int_equal(rules.gpu_indices.v[1]->gpus->n, 2);
    assert_true(rules.gpu_indices.v[1]->gpus->has[3]);
    done();
}

static void each_key_but_the_log_can_be_in_a_section(void **state)
{
    static const char *const kinds[] = {"partition \"gpu\"", "group \"chem\"",
                                        "gid \"2001\"", "user \"alice\"",
                                        "uid \"1001\""};
    char text[4096];
    const char *log = strstr(every_key, "audit_log");
    const char *sets = strstr(every_key, "device_set");

    (void)state;
    for (size_t i = 0; i < COUNT(kinds); i++) {
        snprintf(text, sizeof(text), "%s {\n%.*s}\n%s", kinds[i],
                 (int)(log - every_key), every_key, sets);
        lay(text, &alice);
        // A section's = leaves nothing of the words either.
        assert_string_equal(listed(&rules.allow),
                            "debian:2 nvcr.io/nvidia/**:24.*:2");
        assert_string_equal(rules.allow_where, "b.conf line 2");
        assert_string_equal(listed(&rules.devices),
                            "/dev/infiniband/*:42 /dev/x:43 /dev/fuse:40");
        assert_int_equal(rules.mode, RULE_MODE_WARN);
        assert_int_equal(rules.log_level, RULE_LOG_DEBUG);
        assert_int_equal(rules.writable, RULE_LEAVE_DEFAULT);
        assert_int_equal(rules.writable_rule.line, 37);
        assert_string_equal(rules.help_text, "one\ntwo");
        done();
        // And they hold for those that they are about.
        lay(text, &(struct subject){.uid = 7, .gid = 7});
        assert_string_equal(listed(&rules.allow), "word:0");
        assert_int_equal(rules.mode, RULE_MODE_ENFORCE);
        assert_int_equal(rules.log_level, RULE_LOG_INFO);
        done();
    }
}

// From the last to be applied to the first, so that the file's order is not
// what counts.
static const char layers[] = "uid \"1001\" { allow += {f} }\n"
                             "user \"alice\" { allow += {e} }\n"
                             "gid \"2002\" { allow += {d2} }\n"
                             "gid \"2001\" { allow += {d1} }\n"
                             "group \"users\" { allow += {c} }\n"
                             "group \"chem\" { allow += {c2} }\n"
                             "partition \"gpu\" { allow += {b} }\n"
                             "allow = {a}\n"
                             "user \"bob\" { allow = {x} }\n"
                             "uid \"100\" { allow = {x} }\n"
                             "gid \"1001\" { allow = {x} }\n"
                             "user \"1001\" { allow = {x} }\n"
                             "group \"alice\" { allow = {x} }\n"
                             "partition \"cpu\" { allow = {x} }\n"
                             "group \"gpu\" { allow = {x} }\n";

static void sections_come_in_their_order(void **state)
{
    struct subject subject = alice;

    (void)state;
    lay(layers, &alice);
    assert_string_equal(listed(&rules.allow),
                        "a:8 word:0 b:7 c:5 c2:6 d2:3 d1:4 e:2 f:1");
    done();
    subject.partition = NULL;
    subject.user = NULL;
    subject.groups = NULL;
    lay(layers, &subject);
    assert_string_equal(listed(&rules.allow), "a:8 word:0 c:5 d2:3 d1:4 f:1");
    done();
    subject.group = NULL;
    subject.ngids = 0;
    lay(layers, &subject);
    assert_string_equal(listed(&rules.allow), "a:8 word:0 f:1");
    done();
}

static void equals_replaces_and_plus_equals_adds(void **state)
{
    (void)state;
    lay("allow = {a}\nenv_deny += {X}\n"
        "group \"users\" { allow = {b} env_deny = {} }\n"
        "user \"alice\" { allow += {c, d} env_deny += {Y} networks = {} }\n"
        "uid \"1001\" { allow += {} }\n",
        &alice);
    assert_string_equal(listed(&rules.allow), "b:3 c:4 d:4");
    assert_string_equal(listed(&rules.env_deny), "Y:4");
    assert_int_equal(rules.networks.n, 0);
    done();
    // At the top it adds to berth's own.
    lay("deny_groups += {chem}\nallow += {a}\noptions = {}\n", &alice);
    assert_string_equal(listed(&rules.deny_groups),
                        "docker:0 disk:0 kmem:0 kvm:0 lxd:0 libvirt:0 root:0 "
                        "shadow:0 sudo:0 wheel:0 chem:1");
    assert_string_equal(listed(&rules.allow), "a:2 word:0");
    assert_int_equal(rules.options.n, 0);
    done();
    lay("user \"alice\" { allow = {} min_uid = 5 }\nmin_uid = 9", &alice);
    assert_int_equal(rules.allow.n, 0);
    assert_string_equal(rules.allow_where, "b.conf");
    assert_int_equal(rules.min_uid, 5);
    assert_int_equal(rules.min_uid_rule.line, 1);
    done();
    // A set that a section adds to another's.
    lay("devices = {a}\nuser \"alice\" { devices += {b} }\n"
        "device_set \"a\" { files = \"/dev/a\" }\n"
        "device_set \"b\" { files = \"/dev/b\" }\n"
        "device_set \"c\" { }\n",
        &alice);
    assert_string_equal(listed(&rules.devices), "/dev/a:3 /dev/b:4");
    done();
}

static void lines_are_counted_as_people_do(void **state)
{
    (void)state;
    lay("# one\n"
        "// two\n"
        "/* three\n"
        "   four */ allow = { # five comes\n"
        "    \"a\", // and \"this\" is none\n"
        "    /* */ b\n"
        ",\r\n"
        "    c, }\n"
        "help_text = \"# no // comment /* here\"\n"
        "user \"alice\" { /*\n"
        "*/ allow += d }\n",
        &alice);
    assert_string_equal(listed(&rules.allow), "a:5 b:6 c:8 word:0 d:11");
    assert_string_equal(rules.help_text, "# no // comment /* here");
    done();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_it_does_not_understand),
        cmocka_unit_test(takes_nothing_for_a_port_or_limit_that_is_none),
        cmocka_unit_test(refuses_nul_bytes_and_too_much),
        cmocka_unit_test(refuses_more_keys_than_there_are),
        cmocka_unit_test(refuses_more_sections_than_can_be_searched),
        cmocka_unit_test(a_file_that_conf_names_must_be_there),
        cmocka_unit_test(an_empty_file_has_safe_defaults),
        cmocka_unit_test(each_key_is_in_the_rules),
        cmocka_unit_test(rules_carry_what_was_parsed),
        cmocka_unit_test(each_key_but_the_log_can_be_in_a_section),
        cmocka_unit_test(sections_come_in_their_order),
        cmocka_unit_test(equals_replaces_and_plus_equals_adds),
        cmocka_unit_test(lines_are_counted_as_people_do),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
