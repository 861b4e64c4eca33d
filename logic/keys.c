// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The administrator's values are trusted to mean well, and not to be free of
// mistakes. The engine and the kernel see some of them: these are bounded to
// the characters that such a name has.

#include "logic/keys.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "logic/changes.h"
#include "logic/glob.h"
#include "logic/gpu.h"
#include "logic/imgref.h"
#include "logic/mount_syntax.h"
#include "logic/options.h"
#include "logic/rlimits.h"
#include "logic/root_ids.h"
#include "logic/selinux.h"
#include "logic/utf8.h"
#include "logic/variables.h"

#define DIGITS "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

enum { ENGINE_MAX = 107 }; // sun_path of sockaddr_un(7), without its NUL

static int expected(struct berth_err *err, const char *what)
{
    return err_set(err, BERTH_EINVAL, "%s was expected", what);
}

// Reads TEXT, digits and nothing else, as a number up to MAX.
static bool read_number(const char *text, uint64_t max, uint64_t *out)
{
    uint64_t n = 0;

    if (!*text || (*text == '0' && text[1]))
        return false;
    for (; *text; text++) {
        unsigned digit = (unsigned)(*text - '0');
        if (digit > 9 || n > (max - digit) / 10)
            return false;
        n = n * 10 + digit;
    }
    *out = n;
    return n <= max;
}

// A copy of the SIZE bytes at PARSED, for the rule of VALUE. 0, or -1 with ERR
// set.
static int keep(struct value *value, const void *parsed, size_t size,
                struct berth_err *err)
{
    void *copy = malloc(size);

    if (!copy)
        return err_set(err, BERTH_ENOMEM, "memory is out");
    value->rule.parsed = memcpy(copy, parsed, size);
    return 0;
}

static int parse_image(struct value *value, struct berth_err *err)
{
    value->rule.image = imgpat_parse(value->rule.text, err);
    return value->rule.image ? 0 : -1;
}

static int parse_id(struct value *value, struct berth_err *err)
{
    // The highest number stands for "none" with the kernel.
    return read_number(value->rule.text, UINT32_MAX - 1, &value->number)
               ? 0
               : expected(err, "a number from 0 to 4294967294");
}

// The name of a user, a group or a partition, or a number.
static bool is_name(const char *text)
{
    return *text && text[0] != '-' && !strpbrk(text, ":,/ \t\n*");
}

static int parse_user(struct value *value, struct berth_err *err)
{
    return is_name(value->rule.text)
               ? 0
               : expected(err, "the name of a user, or a uid");
}

static int parse_group(struct value *value, struct berth_err *err)
{
    return is_name(value->rule.text)
               ? 0
               : expected(err, "the name of a group, or a gid");
}

static int parse_mount_of(struct value *value, bool globs,
                          struct berth_err *err)
{
    const struct mount *mount = mount_rule_parse(value->rule.text, globs, err);

    value->rule.mount = mount;
    if (!mount)
        return -1;
    // Where it has a variable, this is judged for each job.
    const char *target = mount->target ? mount->target
                         : globs       ? NULL
                                       : mount->source;
    return !target || strchr(target, '%') || mount_target_ok(target)
               ? 0
               : err_set(err, BERTH_EINVAL,
                         "nothing can be mounted at %s in a container: name "
                         "another target",
                         target);
}

static int parse_mount(struct value *value, struct berth_err *err)
{
    return parse_mount_of(value, false, err);
}

static int parse_mount_glob(struct value *value, struct berth_err *err)
{
    return parse_mount_of(value, true, err);
}

static int parse_target(struct value *value, struct berth_err *err)
{
    const struct mount *mount = mount_rule_parse(value->rule.text, true, err);

    value->rule.mount = mount;
    if (!mount)
        return -1;
    return mount->target || mount->flag != MOUNT_UNSAID ||
                   strchr(value->rule.text, '%')
               ? expected(err, "a place alone, such as /usr/local/**")
               : 0;
}

static int parse_seconds(struct value *value, struct berth_err *err)
{
    return read_number(value->rule.text, 600, &value->number) && value->number
               ? 0
               : expected(err, "a number of seconds from 1 to 600");
}

static int parse_idle(struct value *value, struct berth_err *err)
{
    return read_number(value->rule.text, 86400, &value->number) && value->number
               ? 0
               : expected(err, "a number of seconds from 1 to 86400");
}

// A word of those in WORDS, which stand for 0, 1 and so on.
static int parse_word(struct value *value, const char *const *words,
                      const char *what, struct berth_err *err)
{
    for (size_t i = 0; words[i]; i++)
        if (!strcmp(words[i], value->rule.text)) {
            value->number = i;
            return 0;
        }
    return expected(err, what);
}

static int parse_when(struct value *value, struct berth_err *err)
{
    static const char *const words[] = {"never", "allowed", "default", "always",
                                        NULL};

    return parse_word(value, words, "never, allowed, default or always", err);
}

static int parse_leave(struct value *value, struct berth_err *err)
{
    static const char *const words[] = {"never", "allowed", "default", NULL};

    return parse_word(value, words, "never, allowed or default", err);
}

static int parse_shm(struct value *value, struct berth_err *err)
{
    static const char *const words[] = {"container", "node", NULL};

    return parse_word(value, words, "container or node", err);
}

static int parse_bool(struct value *value, struct berth_err *err)
{
    static const char *const words[] = {"no", "yes", NULL};

    return parse_word(value, words, "yes or no", err);
}

static int parse_mode(struct value *value, struct berth_err *err)
{
    static const char *const words[] = {"enforce", "warn", "audit", NULL};

    return parse_word(value, words, "enforce, warn or audit", err);
}

static int parse_log_level(struct value *value, struct berth_err *err)
{
    static const char *const words[] = {"info", "debug", NULL};

    return parse_word(value, words, "info or debug", err);
}

static bool is_variable(const char *name, size_t len)
{
    return len > 0 && !strchr(DIGITS, name[0]) &&
           strspn(name, LETTERS DIGITS "_") >= len;
}

static int parse_env_set(struct value *value, struct berth_err *err)
{
    const char *text = value->rule.text, *eq = strchr(text, '=');

    if (!eq || !is_variable(text, (size_t)(eq - text)))
        return expected(err, "NAME=VALUE");
    if (changes_is_of_gpus(text))
        return err_set(err, BERTH_EINVAL,
                       "%.*s says which GPUs a container has, and is berth's "
                       "own to set",
                       (int)(eq - text), text);
    return variables_check(eq + 1, err);
}

static int parse_env_sets(struct value *value, struct berth_err *err)
{
    static const char *const words[] = {"torch", NULL};

    return parse_word(value, words, "torch", err);
}

static int parse_env_glob(struct value *value, struct berth_err *err)
{
    const char *text = value->rule.text;

    return *text && strlen(text) < GLOB_MAX && !strpbrk(text, "=?[ \t\n")
               ? 0
               : expected(err, "the name of a variable, in which * stands for "
                               "any characters,");
}

static int parse_option(struct value *value, struct berth_err *err)
{
    for (const struct option_info *o = option_table; o->name; o++)
        if (!strcmp(o->key, value->rule.text))
            return 0;
    return expected(err, "image, mounts, workdir, env, mount-home, writable, "
                         "root, entrypoint, network, slurm, reuse, name, join, "
                         "save or do");
}

// "50%", "512M"
static int parse_size(struct value *value, struct berth_err *err)
{
    static const char units[] = "KMGT";
    const char *text = value->rule.text;
    size_t len = strlen(text);
    char digits[24] = "";
    const char *unit = len ? strchr(units, text[len - 1]) : NULL;
    unsigned shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;

    if (len < 2 || len > sizeof(digits) || !(unit || text[len - 1] == '%'))
        return expected(err, "a size, such as 512M, 4G or 50%");
    memcpy(digits, text, len - 1);
    if (!read_number(digits, unit ? UINT64_MAX >> (shift + 1) : 100,
                     &value->number) ||
        value->number == 0)
        return expected(err, "a size, such as 512M, 4G or 50%");
    if (unit)
        value->number <<= shift;
    else
        value->percent = (unsigned)value->number;
    return 0;
}

static int parse_room(struct value *value, struct berth_err *err)
{
    if (!strcmp(value->rule.text, "none") || parse_size(value, NULL) == 0)
        return 0;
    return expected(err, "a size, such as 200G or 10%, or none");
}

// "20G"
static int parse_bytes(struct value *value, struct berth_err *err)
{
    return parse_size(value, NULL) == 0 && !value->percent
               ? 0
               : expected(err, "a size, such as 20G,");
}

static int parse_pull(struct value *value, struct berth_err *err)
{
    static const char *const words[] = {"never", "missing", "always", NULL};

    return parse_word(value, words, "never, missing or always", err);
}

static int parse_resolve(struct value *value, struct berth_err *err)
{
    static const char *const words[] = {"never", "submit", NULL};

    return parse_word(value, words, "never or submit", err);
}

static int parse_pull_seconds(struct value *value, struct berth_err *err)
{
    return read_number(value->rule.text, 86400, &value->number) && value->number
               ? 0
               : expected(err, "a number of seconds from 1 to 86400");
}

static int parse_few(struct value *value, struct berth_err *err)
{
    return read_number(value->rule.text, 100, &value->number) && value->number
               ? 0
               : expected(err, "a number from 1 to 100");
}

static int parse_pids(struct value *value, struct berth_err *err)
{
    // The kernel's own PID_MAX_LIMIT.
    return read_number(value->rule.text, 4194304, &value->number)
               ? 0
               : expected(err, "a number up to 4194304, or 0 for no limit,");
}

// A name as engines have them.
static bool is_word(const char *text)
{
    return text[0] && strchr(LETTERS DIGITS, text[0]) && strlen(text) <= 128 &&
           !text[strspn(text, LETTERS DIGITS "_.-")];
}

static int parse_network(struct value *value, struct berth_err *err)
{
    return is_word(value->rule.text)
               ? 0
               : expected(err, "host, none, or the name of a network of the "
                               "engine's");
}

// Copies the address TEXT to OUT as engines take it: an IPv6 address without
// the brackets that it stands in, as its colons are not the port's. False: it
// is none.
static bool read_address(char *text, char out[INET6_ADDRSTRLEN])
{
    unsigned char buf[sizeof(struct in6_addr)];
    size_t len = strlen(text);
    int family = AF_INET;

    if (*text == '[' && text[len - 1] == ']') {
        text[len - 1] = 0;
        text++;
        family = AF_INET6;
    }
    if (strlen(text) >= INET6_ADDRSTRLEN || inet_pton(family, text, buf) != 1)
        return false;
    strcpy(out, text);
    return true;
}

static int parse_publish(struct value *value, struct berth_err *err)
{
    static const char what[] = "PORT, PORT-PORT or ADDRESS:PORT[-PORT]";
    struct rule_ports out = {.address = ""};
    char text[96] = "";
    uint64_t low, high;

    if (strlen(value->rule.text) >= sizeof(text))
        return expected(err, what);
    strcpy(text, value->rule.text);
    char *colon = strrchr(text, ':'), *ports = text;
    if (colon) {
        *colon = 0;
        ports = colon + 1;
    }
    char *dash = strchr(ports, '-');
    if (dash)
        *dash = 0;
    if ((colon && !read_address(text, out.address)) ||
        !read_number(ports, UINT16_MAX, &low) || !low ||
        (dash && !read_number(dash + 1, UINT16_MAX, &high)))
        return expected(err, what);
    if (!dash)
        high = low;
    if (high < low || high - low >= RULE_PORTS_MAX)
        return expected(err, "an ascending range of at most 16 ports");
    out.first = (uint16_t)low;
    out.last = (uint16_t)high;
    return keep(value, &out, sizeof(out), err);
}

static int parse_seccomp(struct value *value, struct berth_err *err)
{
    const char *text = value->rule.text;

    return (*text == '/' && text[1] && !strstr(text, "/../")) ||
                   strcmp(text, RULE_SECCOMP_BERTH) == 0
               ? 0
               : expected(err, "berth or the absolute path of a profile");
}

static int parse_auth_path(struct value *value, struct berth_err *err)
{
    const char *text = value->rule.text;

    return *text == '/' && text[1] && !strstr(text, "/../")
               ? 0
               : expected(err, "the absolute path of a file");
}

// A name and password in it would be seen.
static int parse_proxy(struct value *value, struct berth_err *err)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]";
    const char *text = value->rule.text;

    text += !strncmp(text, "http://", 7)    ? 7
            : !strncmp(text, "https://", 8) ? 8
                                            : strlen(text);
    return *text && !text[strspn(text, letters)]
               ? 0
               : expected(err, "a URL such as http://proxy:3128");
}

static int parse_no_proxy(struct value *value, struct berth_err *err)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]/*";
    const char *text = value->rule.text;

    return *text && !text[strspn(text, letters)]
               ? 0
               : expected(err, "a host, a domain or a network");
}

static int parse_helper(struct value *value, struct berth_err *err)
{
    static const char begin[] = "/docker-credential-";
    const char *last = strrchr(value->rule.text, '/');

    return last && !strncmp(last, begin, sizeof(begin) - 1) &&
                   last[sizeof(begin) - 1] && parse_auth_path(value, NULL) == 0
               ? 0
               : expected(err, "the absolute path of a program called "
                               "docker-credential-NAME");
}

static int parse_apparmor(struct value *value, struct berth_err *err)
{
    const char *text = value->rule.text;

    if (!strcmp(text, "unconfined"))
        return err_set(err, BERTH_EINVAL,
                       "berth takes no protection away: name a profile");
    return *text && !strpbrk(text, " \t\n,=")
               ? 0
               : expected(err, "the name of a profile that is loaded on the "
                               "node");
}

static int parse_selinux(struct value *value, struct berth_err *err)
{
    unsigned part;
    const char *text = selinux_value(value->rule.text, &part);

    return text && !text[strspn(text, LETTERS DIGITS "_.:,-")]
               ? 0
               : expected(err, "one part of a label, such as "
                               "type:container_t,");
}

static int parse_runtime(struct value *value, struct berth_err *err)
{
    return is_word(value->rule.text)
               ? 0
               : expected(err, "the name of a runtime that the engine has, "
                               "such as crun,");
}

static int parse_set(struct value *value, struct berth_err *err)
{
    return is_word(value->rule.text)
               ? 0
               : expected(err, "the name of a device_set");
}

static int parse_device(struct value *value, struct berth_err *err)
{
    const char *text = value->rule.text;

    return !strncmp(text, "/dev/", 5) && text[5] && strlen(text) < GLOB_MAX &&
                   !strstr(text, "//") && !strstr(text, "/.") &&
                   !strstr(text, "**") && !strpbrk(text, "?[:, \t\n") &&
                   text[strlen(text) - 1] != '/'
               ? 0
               : expected(err, "a path below /dev, in which * stands for "
                               "anything within a component,");
}

static bool read_limit(const char *text, uint64_t *out)
{
    *out = INT64_MAX;
    return !strcmp(text, "unlimited") || read_number(text, INT64_MAX - 1, out);
}

static int parse_ulimit(struct value *value, struct berth_err *err)
{
    char text[96] = "";
    uint64_t soft, hard;

    if (strlen(value->rule.text) >= sizeof(text))
        return expected(err, "NAME=SOFT[:HARD]");
    strcpy(text, value->rule.text);
    char *eq = strchr(text, '='), *colon = eq ? strchr(eq, ':') : NULL;
    if (eq)
        *eq = 0;
    if (colon)
        *colon = 0;
    if (!eq || !read_limit(eq + 1, &soft) ||
        (colon && !read_limit(colon + 1, &hard)))
        return expected(err, "NAME=SOFT[:HARD]");
    if (!colon)
        hard = soft;
    if (hard < soft)
        return expected(err, "a hard limit that is no lower than the soft "
                             "one");
    struct rule_ulimit out = {
        .which = rlimit_find(text),
        .soft = soft == INT64_MAX ? -1 : (int64_t)soft,
        .hard = hard == INT64_MAX ? -1 : (int64_t)hard,
    };
    if (!out.which)
        return err_set(err, BERTH_EINVAL,
                       "there is no limit of this name: "
                       "setrlimit(2) has them, without "
                       "RLIMIT_ and in lower case");
    return keep(value, &out, sizeof(out), err);
}

static int parse_gpu_type(struct value *value, struct berth_err *err)
{
    return is_name(value->rule.text)
               ? 0
               : expected(err, "a type as gres.conf has it");
}

static int parse_gpu_indices(struct value *value, struct berth_err *err)
{
    struct gpu_set set;

    if (!*value->rule.text || gpu_list_parse(value->rule.text, &set, NULL) < 0)
        return expected(err, "an index, or a range such as 0-3,");
    return keep(value, &set, sizeof(set), err);
}

static int parse_gpu_max(struct value *value, struct berth_err *err)
{
    return read_number(value->rule.text, GPU_MAX, &value->number)
               ? 0
               : expected(err, "a number of GPUs, or 0 for no bound,");
}

static int parse_capability(struct value *value, struct berth_err *err)
{
    return gpu_capability_ok(value->rule.text)
               ? 0
               : expected(err, "compat32, compute, display, graphics, ngx, "
                               "utility or video");
}

static int parse_text(struct value *value, struct berth_err *err)
{
    return *value->rule.text ? 0 : expected(err, "a text");
}

static int parse_audit_log(struct value *value, struct berth_err *err)
{
    const char *text = value->rule.text;

    return !strcmp(text, "syslog") || !strcmp(text, "none") ||
                   (*text == '/' && text[1])
               ? 0
               : expected(err, "syslog, none, or the absolute path of a file");
}

// No blank in it, either.
static bool is_plain(const char *s)
{
    if (!utf8_valid(s))
        return false;
    for (; *s; s++)
        if ((unsigned char)*s <= ' ' || *s == 0x7f)
            return false;
    return true;
}

const char *key_engine_path(const char *value, struct berth_err *err)
{
    static const char scheme[] = "unix://";
    const char *path = "";

    if (!strncmp(value, scheme, strlen(scheme)))
        path = value + strlen(scheme);
    if (*path != '/')
        err_set(err, BERTH_EINVAL,
                "berth reaches the engine by a Unix socket of this "
                "node only: write unix:///ABSOLUTE/PATH, such as "
                "unix://" KEY_DEFAULT_ENGINE);
    else if (strlen(path) > ENGINE_MAX)
        err_set(err, BERTH_EINVAL,
                "the path has %zu bytes, and a Unix socket's can have "
                "%d: use a shorter one",
                strlen(path), ENGINE_MAX);
    else if (!is_plain(path))
        err_set(err, BERTH_EINVAL,
                "the path has a space, a control character or is not "
                "valid UTF-8: write it plainly");
    else if (path[strlen(path) - 1] == '/')
        err_set(err, BERTH_EINVAL,
                "the path ends with '/': name the socket, not its "
                "directory");
    else
        return path;
    return NULL;
}

static int parse_root_engine(struct value *value, struct berth_err *err)
{
    return key_engine_path(value->rule.text, err) ? 0 : -1;
}

static int parse_root_ids(struct value *value, struct berth_err *err)
{
    struct root_ids ids;

    return root_ids_parse(value->rule.text, &ids)
               ? 0
               : expected(err, "BASE:COUNT or BASE:COUNT:FIRST, such as "
                               "2000000:65536,");
}

#define DEFAULT(word)                                                          \
    {                                                                          \
        .text = word                                                           \
    }

static const struct rule default_deny_groups[] = {
    DEFAULT("docker"), DEFAULT("disk"),    DEFAULT("kmem"), DEFAULT("kvm"),
    DEFAULT("lxd"),    DEFAULT("libvirt"), DEFAULT("root"), DEFAULT("shadow"),
    DEFAULT("sudo"),   DEFAULT("wheel"),   DEFAULT(NULL),
};
static const struct rule default_env_deny[] = {
    DEFAULT("DBUS_*"),
    DEFAULT("SLURM_CONF"),
    DEFAULT("SLURM_JWT"),
    DEFAULT("SSH_AGENT_PID"),
    DEFAULT("SSH_AUTH_SOCK"),
    DEFAULT("XDG_RUNTIME_DIR"),
    DEFAULT(NULL),
};
// The node's functions, which call the node's programs.
static const struct rule default_env_ask[] = {
    DEFAULT("BASH_FUNC_*"),
    DEFAULT(NULL),
};
// How many threads: an image's 1 would win over the job's 8 and nobody notice.
static const struct rule default_env_job[] = {
    DEFAULT("*_NUM_THREADS"),
    DEFAULT("OMP_*"),
    DEFAULT(NULL),
};
static const struct rule default_options[] = {
    DEFAULT("image"), DEFAULT("mounts"),     DEFAULT("workdir"),
    DEFAULT("env"),   DEFAULT("mount-home"), DEFAULT("writable"),
    DEFAULT("root"),  DEFAULT("entrypoint"), DEFAULT("network"),
    DEFAULT("slurm"), DEFAULT("reuse"),      DEFAULT("name"),
    DEFAULT("join"),  DEFAULT("do"),         DEFAULT("save"),
    DEFAULT(NULL),
};
static const struct rule default_networks[] = {
    DEFAULT("host"),
    DEFAULT(NULL),
};
static const struct rule default_targets[] = {
    DEFAULT("/usr/local/**"),
    DEFAULT("/usr/share/**"),
    DEFAULT("/usr/src/**"),
    DEFAULT(NULL),
};
static const struct rule default_capabilities[] = {
    DEFAULT("compute"),
    DEFAULT("utility"),
    DEFAULT(NULL),
};

#define AT(field) offsetof(struct rules, field)

const struct key keys[] = {
    {"audit_log", KEY_APART, parse_audit_log, 0, 0, NULL},
    {"images_free", KEY_APART, parse_room, 0, 0, NULL},
    {"images_max", KEY_APART, parse_room, 0, 0, NULL},
    {"root_engine", KEY_APART, parse_root_engine, 0, 0, NULL},
    {"root_ids", KEY_APART, parse_root_ids, 0, 0, NULL},
    {"allow", KEY_LIST, parse_image, AT(allow), 0, NULL},
    {"apparmor", KEY_TEXT, parse_apparmor, AT(apparmor), 0, NULL},
    {"archives", KEY_BOOL, parse_bool, AT(archives), AT(archives_rule), NULL},
    {"credential_helpers", KEY_LIST, parse_helper, AT(credential_helpers), 0,
     NULL},
    {"deny", KEY_LIST, parse_image, AT(deny), 0, NULL},
    {"deny_groups", KEY_LIST, parse_group, AT(deny_groups), 0,
     default_deny_groups},
    {"deny_users", KEY_LIST, parse_user, AT(deny_users), 0, NULL},
    {"devices", KEY_LIST, parse_set, AT(devices), 0, NULL},
    {"env_ask", KEY_LIST, parse_env_glob, AT(env_ask), 0, default_env_ask},
    {"env_deny", KEY_LIST, parse_env_glob, AT(env_deny), 0, default_env_deny},
    {"env_job", KEY_LIST, parse_env_glob, AT(env_job), 0, default_env_job},
    {"env_pass", KEY_LIST, parse_env_glob, AT(env_pass), 0, NULL},
    {"env_set", KEY_LIST, parse_env_set, AT(env_set), 0, NULL},
    {"env_sets", KEY_LIST, parse_env_sets, AT(env_sets), 0, NULL},
    {"fetch_no_proxy", KEY_LIST, parse_no_proxy, AT(fetch_no_proxy), 0, NULL},
    {"fetch_proxy", KEY_TEXT, parse_proxy, AT(fetch_proxy), 0, NULL},
    {"fetch_user", KEY_TEXT, parse_user, AT(fetch_user), 0, NULL},
    {"gpu_capabilities", KEY_LIST, parse_capability, AT(gpu_capabilities), 0,
     default_capabilities},
    {"gpu_indices", KEY_LIST, parse_gpu_indices, AT(gpu_indices), 0, NULL},
    {"gpu_max", KEY_U32, parse_gpu_max, AT(gpu_max), 0, NULL},
    {"gpu_types", KEY_LIST, parse_gpu_type, AT(gpu_types), 0, NULL},
    {"gpus", KEY_BOOL, parse_bool, AT(gpus), AT(gpus_rule), NULL},
    {"help_text", KEY_TEXT, parse_text, AT(help_text), 0, NULL},
    {"home", KEY_U32, parse_when, AT(home), AT(home_rule), NULL},
    {"log_level", KEY_U32, parse_log_level, AT(log_level), 0, NULL},
    {"min_gid", KEY_U32, parse_id, AT(min_gid), AT(min_gid_rule), NULL},
    {"min_uid", KEY_U32, parse_id, AT(min_uid), AT(min_uid_rule), NULL},
    {"mode", KEY_U32, parse_mode, AT(mode), 0, NULL},
    {"mounts_allowed", KEY_LIST, parse_mount_glob, AT(mounts_allowed), 0, NULL},
    {"mounts_always", KEY_LIST, parse_mount, AT(mounts_always), 0, NULL},
    {"mounts_default", KEY_LIST, parse_mount, AT(mounts_default), 0, NULL},
    {"networks", KEY_LIST, parse_network, AT(networks), 0, default_networks},
    {"options", KEY_LIST, parse_option, AT(options), 0, default_options},
    {"pids_limit", KEY_U64, parse_pids, AT(pids_limit), 0, NULL},
    {"probe_seconds", KEY_U32, parse_seconds, AT(probe_seconds), 0, NULL},
    {"publish", KEY_LIST, parse_publish, AT(publish), 0, NULL},
    {"pull", KEY_U32, parse_pull, AT(pull), AT(pull_rule), NULL},
    {"pull_max", KEY_U64, parse_bytes, AT(pull_max), 0, NULL},
    {"pull_max_unpacked", KEY_U64, parse_bytes, AT(pull_max_unpacked), 0, NULL},
    {"pull_parallel", KEY_U32, parse_few, AT(pull_parallel), 0, NULL},
    {"pull_seconds", KEY_U32, parse_pull_seconds, AT(pull_seconds), 0, NULL},
    {"pull_tries", KEY_U32, parse_few, AT(pull_tries), 0, NULL},
    {"registry_auth", KEY_TEXT, parse_auth_path, AT(registry_auth), 0, NULL},
    {"resolve", KEY_U32, parse_resolve, AT(resolve), AT(resolve_rule), NULL},
    {"reuse", KEY_U32, parse_leave, AT(reuse), AT(reuse_rule), NULL},
    {"reuse_idle", KEY_U32, parse_idle, AT(reuse_idle), 0, NULL},
    {"root", KEY_U32, parse_leave, AT(root), AT(root_rule), NULL},
    {"runtime", KEY_TEXT, parse_runtime, AT(runtime), 0, NULL},
    {"save", KEY_BOOL, parse_bool, AT(save), AT(save_rule), NULL},
    {"save_max", KEY_U64, parse_bytes, AT(save_max), 0, NULL},
    {"save_total", KEY_U64, parse_bytes, AT(save_total), 0, NULL},
    {"seccomp", KEY_TEXT, parse_seccomp, AT(seccomp), 0, NULL},
    {"selinux", KEY_TEXT, parse_selinux, AT(selinux), 0, NULL},
    {"shm", KEY_U32, parse_shm, AT(shm), AT(shm_rule), NULL},
    {"shm_size", KEY_SIZE, parse_size, AT(shm_size), 0, NULL},
    {"slurm", KEY_U32, parse_leave, AT(slurm), AT(slurm_rule), NULL},
    {"targets", KEY_LIST, parse_target, AT(targets), 0, default_targets},
    {"tmp_size", KEY_SIZE, parse_size, AT(tmp_size), 0, NULL},
    {"ulimits", KEY_LIST, parse_ulimit, AT(ulimits), 0, NULL},
    {"workdir", KEY_U32, parse_when, AT(workdir), AT(workdir_rule), NULL},
    {"writable", KEY_U32, parse_leave, AT(writable), AT(writable_rule), NULL},
    {NULL, KEY_LIST, NULL, 0, 0, NULL},
};

_Static_assert(sizeof(enum rule_mount) == sizeof(uint32_t) &&
                   sizeof(enum rule_mode) == sizeof(uint32_t) &&
                   sizeof(enum rule_log) == sizeof(uint32_t) &&
                   sizeof(enum rule_leave) == sizeof(uint32_t) &&
                   sizeof(enum rule_pull) == sizeof(uint32_t) &&
                   sizeof(enum rule_resolve) == sizeof(uint32_t) &&
                   sizeof(enum rule_shm) == sizeof(uint32_t) &&
                   sizeof(unsigned) == sizeof(uint32_t),
               "KEY_U32 is for these as well");

_Static_assert(sizeof(keys) / sizeof(*keys) <= KEYS_MAX, "all of them fit");

const struct key set_keys[] = {
    {"files", KEY_LIST, parse_device, 0, 0, NULL},
    {NULL, KEY_LIST, NULL, 0, 0, NULL},
};

int key_check_title(const char *kind, const char *title, struct berth_err *err)
{
    uint64_t number;

    if (!strcmp(kind, "gid") || !strcmp(kind, "uid"))
        return read_number(title, UINT32_MAX - 1, &number)
                   ? 0
                   : expected(err, "a number from 0 to 4294967294");
    if (!strcmp(kind, "device_set"))
        return is_word(title) ? 0
                              : expected(err, "a name of letters, digits and "
                                              "\"_.-\"");
    return is_name(title) ? 0 : expected(err, "a name");
}

void keys_default(struct rules *rules)
{
    *rules = (struct rules){
        .min_uid = 1,
        .min_gid = 1,
        .pull = RULE_PULL_MISSING,
        .pull_seconds = 600,
        .pull_tries = 3,
        .pull_parallel = 3,
        .pull_max = UINT64_C(20) << 30,
        .pull_max_unpacked = UINT64_C(100) << 30,
        .fetch_user = "_berth",
        .probe_seconds = 30,
        .home = RULE_MOUNT_ALLOWED,
        .workdir = RULE_MOUNT_ALWAYS,
        .tmp_size = {0, 50},
        .shm_size = {0, 0},
        .reuse = RULE_LEAVE_DEFAULT,
        .reuse_idle = 300,
        .save_max = UINT64_C(10) << 30,
        .save_total = UINT64_C(50) << 30,
        .gpus = true,
    };
}
