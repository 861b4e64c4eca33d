// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The administrator's words are trusted to mean well, and not to be free of
// mistakes: whatever is not understood is an error, and an error allows
// nothing.

#include "logic/policy.h"

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "logic/conffile.h"
#include "logic/keys.h"
#include "logic/limits.h"
#include "logic/utf8.h"

#define DEFAULT_CONF BERTH_SYSCONFDIR "/slurm/berth.conf"
#define DEFAULT_ENGINE KEY_DEFAULT_ENGINE
#define DEFAULT_FILE "plugstack.conf"

static const char conf_word[] = "conf=";

enum {
    CDI_MAX = 128,
    FILE_MAX = 216,   // a file's name, as sentences show it
    WHERE_MAX = 240,  // "FILE line N"
    VALUE_MAX = 4096, // bytes of a value, with the NUL
};

// One key in one place.
struct setting {
    const struct key *key;
    bool add; // += and not =
    size_t n;
    struct value *values;
};

// The top of the file, or one section of it.
struct layer {
    const struct conffile_place *place;
    const char *title;
    int line;
    size_t n;
    struct setting *settings;
};

struct policy {
    char fingerprint[POLICY_FINGERPRINT];
    char words_file[FILE_MAX];
    int words_line;
    char conf_file[FILE_MAX]; // empty: there is none
    bool has_conf;            // conf= is there
    char *engine;
    char *cdi;
    const char *audit_log;
    const char *root_engine; // or NULL
    struct root_ids root_ids;
    struct rule_size images_free, images_max;
    struct setting words; // allow=
    struct setting *open; // what values are added to, while it is read
    char *text;           // of berth.conf, which the layers point into
    size_t nlayers;
    struct layer *layers; // the top, and sections in the file's order
};

// What can be in berth.conf, in the order in which it is laid over each other.
static const struct conffile_place places[] = {
    {NULL, keys},
    {"partition", keys + KEYS_APART},
    {"group", keys + KEYS_APART},
    {"gid", keys + KEYS_APART},
    {"user", keys + KEYS_APART},
    {"uid", keys + KEYS_APART},
    {"device_set", set_keys},
    {NULL, NULL},
};

static void describe(const char *file, int line, char *buf, size_t size)
{
    if (line > 0)
        snprintf(buf, size, "%s line %d", file, line);
    else
        snprintf(buf, size, "%s", file);
}

static int no_memory(struct berth_err *err)
{
    return err_set(err, BERTH_ENOMEM, "memory is out");
}

// NAME is that of one.
static const struct key *find_key(const char *name)
{
    const struct key *key = keys;

    while (strcmp(key->name, name) != 0)
        key++;
    return key;
}

// V, an array of N elements of SIZE bytes, with room for one more; or NULL,
// with ERR set. It grows to the next power of two.
static void *grow(void *v, size_t n, size_t size, struct berth_err *err)
{
    if ((n & (n - 1)) == 0)
        v = reallocarray(v, n ? 2 * n : 1, size);
    if (!v)
        no_memory(err);
    return v;
}

// --- the words of plugstack.conf ---------------------------------------------

static int add_allow(struct policy *policy, const char *text,
                     struct berth_err *err)
{
    struct setting *words = &policy->words;

    if (!*text)
        return err_set(err, BERTH_EINVAL,
                       "it names no image: write allow=IMAGE, such as "
                       "allow=debian");
    if (words->n >= BERTH_ALLOW_MAX)
        return err_set(err, BERTH_EINVAL,
                       "more than %d images: use patterns, such as "
                       "allow=registry.example.org/team/**",
                       BERTH_ALLOW_MAX);
    struct value *value = &words->values[words->n];
    value->rule = (struct rule){.text = strdup(text),
                                .file = policy->words_file,
                                .line = policy->words_line};
    if (!value->rule.text)
        return no_memory(err);
    words->n++;
    return words->key->parse(value, err);
}

static bool is_clean(const char *s)
{
    if (!utf8_valid(s))
        return false;
    for (; *s; s++)
        if ((unsigned char)*s <= ' ' || *s == 0x7f)
            return false;
    return true;
}

static int set_engine(struct policy *policy, const char *value,
                      struct berth_err *err)
{
    if (policy->engine)
        return err_set(err, BERTH_EINVAL,
                       "a second engine: a node has one, leave one engine= "
                       "out");
    const char *path = key_engine_path(value, err);
    if (!path)
        return -1;
    policy->engine = strdup(path);
    return policy->engine ? 0 : no_memory(err);
}

static int set_cdi(struct policy *policy, const char *value,
                   struct berth_err *err)
{
    static const char ok[] = "abcdefghijklmnopqrstuvwxyz"
                             "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

    if (policy->cdi)
        return err_set(err, BERTH_EINVAL, "a second cdi=: leave one out");
    size_t vendor = strspn(value, ok);
    size_t class = value[vendor] ? strspn(value + vendor + 1, ok) : 0;
    if (vendor == 0 || value[vendor] != '/' || class == 0 ||
        value[vendor + 1 + class] || strlen(value) > CDI_MAX)
        return err_set(err, BERTH_EINVAL,
                       "a kind of CDI devices is VENDOR/CLASS: write "
                       "cdi=nvidia.com/gpu, or what the CDI specification of "
                       "this node has as its kind");
    policy->cdi = strdup(value);
    return policy->cdi ? 0 : no_memory(err);
}

static int set_conf(struct policy *policy, const char *value,
                    struct berth_err *err)
{
    if (policy->has_conf)
        return err_set(err, BERTH_EINVAL, "a second conf=: leave one out");
    if (*value != '/' || !is_clean(value))
        return err_set(err, BERTH_EINVAL,
                       "it names no file: write conf=/ABSOLUTE/PATH, such as "
                       "conf=" DEFAULT_CONF);
    policy->has_conf = true;
    return 0;
}

static const struct {
    const char *key; // with its '='
    int (*set)(struct policy *policy, const char *value, struct berth_err *err);
} known_words[] = {
    {"allow=", add_allow},
    {"cdi=", set_cdi},
    {conf_word, set_conf},
    {"engine=", set_engine},
};

static int add_word(struct policy *policy, const char *word,
                    struct berth_err *err)
{
    char quoted[ERR_QUOTE_MAX], where[WHERE_MAX];

    describe(policy->words_file, policy->words_line, where, sizeof(where));
    err_quote(word, quoted, sizeof(quoted));
    for (size_t i = 0; i < sizeof(known_words) / sizeof(*known_words); i++) {
        size_t len = strlen(known_words[i].key);
        if (!word || strncmp(word, known_words[i].key, len) != 0)
            continue;
        if (known_words[i].set(policy, word + len, err) == 0)
            return 0;
        return err_prefix(err, "%s: \"%s\"", where, quoted);
    }
    return err_set(err, BERTH_EINVAL,
                   "%s: \"%s\" is no word that berth knows: write "
                   "allow=IMAGE, conf=/PATH, engine=unix:///PATH or "
                   "cdi=VENDOR/CLASS",
                   where, quoted);
}

static int add_words(struct policy *policy, size_t argc,
                     const char *const *argv,
                     const struct policy_source *source, struct berth_err *err)
{
    char where[WHERE_MAX];

    err_quote(source && source->words_file ? source->words_file : DEFAULT_FILE,
              policy->words_file, sizeof(policy->words_file));
    policy->words_line =
        source && source->words_line > 0 ? source->words_line : 0;
    describe(policy->words_file, policy->words_line, where, sizeof(where));
    if (source && source->cut)
        return err_set(err, BERTH_EINVAL,
                       "%s: the line is longer than the 4095 bytes that Slurm "
                       "reads of it: make it shorter, or no container can be "
                       "had here",
                       where);
    policy->words.key = find_key("allow");
    policy->words.add = true;
    policy->words.values = calloc(argc + 1, sizeof(struct value));
    if (!policy->words.values)
        return no_memory(err);
    for (size_t i = 0; i < argc; i++)
        if (add_word(policy, argv[i], err) < 0)
            return -1;
    return 0;
}

const char *policy_conf_path(size_t argc, const char *const *argv, bool *given)
{
    const char *path = NULL;

    for (size_t i = 0; i < argc && !path; i++)
        if (argv[i] && !strncmp(argv[i], conf_word, strlen(conf_word)))
            path = argv[i] + strlen(conf_word);
    if (given)
        *given = path;
    return path ? path : DEFAULT_CONF;
}

// --- berth.conf --------------------------------------------------------------

static int add_layer(void *arg, const struct conffile_place *place,
                     const char *title, int line, struct berth_err *err)
{
    struct policy *policy = arg;
    char quoted[ERR_QUOTE_MAX];

    if (place->kind && key_check_title(place->kind, title, err) < 0) {
        err_quote(title, quoted, sizeof(quoted));
        return err_prefix(err, "%s line %d: %s \"%s\"", policy->conf_file, line,
                          place->kind, quoted);
    }
    struct layer *layers =
        grow(policy->layers, policy->nlayers, sizeof(*layers), err);
    if (!layers)
        return -1;
    policy->layers = layers;
    layers[policy->nlayers++] = (struct layer){place, title, line, 0, NULL};
    return 0;
}

static int add_setting(void *arg, const struct conffile_place *place,
                       const struct key *key, bool add, struct berth_err *err)
{
    struct policy *policy = arg;
    struct layer *layer =
        &policy->layers[place->kind ? policy->nlayers - 1 : 0];
    struct setting *settings =
        grow(layer->settings, layer->n, sizeof(*settings), err);

    if (!settings)
        return -1;
    layer->settings = settings;
    policy->open = &settings[layer->n++];
    *policy->open = (struct setting){key, add, 0, NULL};
    return 0;
}

static int check_value(const struct key *key, struct value *value,
                       struct berth_err *err)
{
    if (strlen(value->rule.text) >= VALUE_MAX)
        return err_set(err, BERTH_EINVAL, "at most %d bytes were expected",
                       VALUE_MAX - 1);
    if (strpbrk(value->rule.text, "\t\r\n") &&
        strcmp(key->name, "help_text") != 0)
        return err_set(err, BERTH_EINVAL,
                       "one line without tabs was "
                       "expected");
    return key->parse(value, err);
}

static int add_value(void *arg, const char *text, int line,
                     struct berth_err *err)
{
    struct policy *policy = arg;
    struct setting *setting = policy->open;
    struct value *values =
        grow(setting->values, setting->n, sizeof(*values), err);
    char quoted[ERR_QUOTE_MAX];

    if (!values)
        return -1;
    setting->values = values;
    values += setting->n++;
    *values = (struct value){
        .rule = {.text = text, .file = policy->conf_file, .line = line}};
    if (check_value(setting->key, values, err) == 0)
        return 0;
    err_quote(text, quoted, sizeof(quoted));
    return err_prefix(err, "%s line %d: %s = \"%s\"", policy->conf_file, line,
                      setting->key->name, quoted);
}

// The layer of the device set NAME, or NULL.
static const struct layer *find_set(const struct policy *policy,
                                    const char *name)
{
    for (size_t i = 0; i < policy->nlayers; i++)
        if (policy->layers[i].place->keys == set_keys &&
            !strcmp(policy->layers[i].title, name))
            return &policy->layers[i];
    return NULL;
}

// The names that "devices" has must be those of sets.
static int check_devices(const struct policy *policy,
                         const struct setting *setting, struct berth_err *err)
{
    for (size_t i = 0; i < setting->n; i++) {
        const struct rule *rule = &setting->values[i].rule;
        if (!find_set(policy, rule->text))
            return err_set(err, BERTH_EINVAL,
                           "%s line %d: devices = \"%s\": there is no "
                           "device_set \"%s\" in the file",
                           rule->file, rule->line, rule->text, rule->text);
    }
    return 0;
}

static int by_title(const void *a, const void *b)
{
    const struct layer *left = *(const struct layer *const *)a;
    const struct layer *right = *(const struct layer *const *)b;
    int order = strcmp(left->title, right->title);

    if (left->place != right->place)
        return left->place < right->place ? -1 : 1;
    return order ? order : left->line - right->line;
}

// A section can be there once.
static int check_sections(const struct policy *policy, struct berth_err *err)
{
    const struct layer **v = reallocarray(NULL, policy->nlayers, sizeof(*v));
    int rc = 0;

    if (!v)
        return no_memory(err);
    for (size_t i = 0; i < policy->nlayers; i++)
        v[i] = &policy->layers[i];
    qsort(v, policy->nlayers, sizeof(*v), by_title);
    for (size_t i = 1; i < policy->nlayers && rc == 0; i++)
        if (v[i]->place == v[i - 1]->place &&
            !strcmp(v[i]->title, v[i - 1]->title))
            rc = err_set(err, BERTH_EINVAL,
                         "%s line %d: %s \"%s\" is there a second time, after "
                         "line %d: put the two together",
                         policy->conf_file, v[i]->line, v[i]->place->kind,
                         v[i]->title, v[i - 1]->line);
    free(v);
    return rc;
}

static struct rule_size size_of(const struct value *value)
{
    return (struct rule_size){value->percent ? 0 : value->number,
                              value->percent};
}

static void set_apart(struct policy *policy, const struct setting *setting)
{
    const struct value *value = setting->values;

    if (!strcmp(setting->key->name, "images_free"))
        policy->images_free = size_of(value);
    else if (!strcmp(setting->key->name, "images_max"))
        policy->images_max = size_of(value);
    else if (!strcmp(setting->key->name, "root_engine"))
        policy->root_engine = key_engine_path(value->rule.text, NULL);
    else if (!strcmp(setting->key->name, "root_ids"))
        root_ids_parse(value->rule.text, &policy->root_ids);
    else
        policy->audit_log = value->rule.text;
}

// What can only be said of the file as a whole.
static int check_conf(struct policy *policy, struct berth_err *err)
{
    const struct key *devices = find_key("devices");

    for (size_t i = 0; i < policy->nlayers; i++)
        for (size_t j = 0; j < policy->layers[i].n; j++) {
            const struct setting *setting = &policy->layers[i].settings[j];
            if (setting->key == devices &&
                check_devices(policy, setting, err) < 0)
                return -1;
            if (setting->key->kind == KEY_APART)
                set_apart(policy, setting);
        }
    return check_sections(policy, err);
}

static int add_conf(struct policy *policy, const char *file, const char *text,
                    size_t len, struct berth_err *err)
{
    static const struct conffile_reader reader = {add_layer, add_setting,
                                                  add_value};

    err_quote(file, policy->conf_file, sizeof(policy->conf_file));
    policy->text = malloc(len + 1);
    if (!policy->text)
        return no_memory(err);
    memcpy(policy->text, text, len);
    policy->text[len] = 0;
    return add_layer(policy, places, "", 0, err) < 0 ||
                   conffile_parse(policy->conf_file, policy->text, len, places,
                                  &reader, policy, err) < 0
               ? -1
               : check_conf(policy, err);
}

static int no_conf(const struct policy *policy, struct berth_err *err)
{
    char where[WHERE_MAX];

    describe(policy->words_file, policy->words_line, where, sizeof(where));
    return err_set(err, BERTH_EINVAL,
                   "%s: the file that conf= names is not there, and no "
                   "container can be had without it",
                   where);
}

// FNV-1a, of the bytes and a NUL behind them.
static uint64_t hash(uint64_t h, const char *bytes, size_t len)
{
    for (size_t i = 0; i <= len; i++)
        h = (h ^ (unsigned char)(i < len ? bytes[i] : 0)) * 0x100000001b3;
    return h;
}

// Which engine it is, and where berth.conf lies, may differ between nodes.
static void make_fingerprint(struct policy *policy, size_t argc,
                             const char *const *argv, const char *conf_text,
                             size_t conf_len)
{
    uint64_t h = 0xcbf29ce484222325;

    for (size_t i = 0; i < argc; i++)
        if (strncmp(argv[i], "engine=", 7) != 0 &&
            strncmp(argv[i], "conf=", 5) != 0)
            h = hash(h, argv[i], strlen(argv[i]));
    if (conf_text)
        h = hash(h, conf_text, conf_len);
    snprintf(policy->fingerprint, sizeof(policy->fingerprint), "%016" PRIx64,
             h);
}

struct policy *policy_parse(size_t argc, const char *const *argv,
                            const struct policy_source *source,
                            const char *conf_file, const char *conf_text,
                            size_t conf_len, struct berth_err *err)
{
    struct policy *policy = calloc(1, sizeof(*policy));

    if (!policy) {
        no_memory(err);
        return NULL;
    }
    policy->images_free.percent = 10;
    int rc = add_words(policy, argc, argv, source, err);
    if (rc == 0 && conf_text)
        rc = add_conf(policy, conf_file, conf_text, conf_len, err);
    else if (rc == 0 && policy->has_conf)
        rc = no_conf(policy, err);
    if (rc < 0) {
        policy_free(policy);
        return NULL;
    }
    make_fingerprint(policy, argc, argv, conf_text, conf_len);
    return policy;
}

const char *policy_fingerprint(const struct policy *policy)
{
    return policy->fingerprint;
}

static void free_setting(struct setting *setting)
{
    for (size_t i = 0; i < setting->n; i++)
        free((void *)setting->values[i].rule.parsed);
    free(setting->values);
}

void policy_free(struct policy *policy)
{
    int saved = errno;

    if (policy) {
        for (size_t i = 0; i < policy->nlayers; i++) {
            for (size_t j = 0; j < policy->layers[i].n; j++)
                free_setting(&policy->layers[i].settings[j]);
            free(policy->layers[i].settings);
        }
        free(policy->layers);
        free(policy->text);
        for (size_t i = 0; i < policy->words.n; i++)
            free((char *)policy->words.values[i].rule.text);
        free_setting(&policy->words);
        free(policy->engine);
        free(policy->cdi);
        free(policy);
    }
    errno = saved;
}

const char *policy_engine(const struct policy *policy)
{
    return policy->engine ? policy->engine : DEFAULT_ENGINE;
}

const char *policy_cdi(const struct policy *policy)
{
    return policy->cdi;
}

const char *policy_root_engine(const struct policy *policy)
{
    return policy->root_engine ? policy->root_engine : policy_engine(policy);
}

const struct root_ids *policy_root_ids(const struct policy *policy)
{
    return policy->root_ids.count ? &policy->root_ids : NULL;
}

void policy_images(const struct policy *policy, struct rule_size *max,
                   struct rule_size *free)
{
    *max = policy->images_max;
    *free = policy->images_free;
}

const char *policy_audit_log(const struct policy *policy)
{
    return policy->audit_log ? policy->audit_log : "syslog";
}

// --- the rules for one subject -----------------------------------------------

const char *policy_section(const struct policy *policy, const char *kind,
                           size_t i)
{
    for (size_t k = 0; k < policy->nlayers; k++) {
        const struct layer *layer = &policy->layers[k];
        if (layer->place->kind && !strcmp(layer->place->kind, kind) && i-- == 0)
            return layer->title;
    }
    return NULL;
}

const char *policy_partition(const struct policy *policy, size_t i)
{
    return policy_section(policy, "partition", i);
}

static bool same_number(const char *text, uint32_t number)
{
    char buf[16];

    snprintf(buf, sizeof(buf), "%u", number);
    return !strcmp(text, buf);
}

static bool in_group(const struct subject *subject, const char *name)
{
    if (subject->group && !strcmp(subject->group, name))
        return true;
    for (size_t i = 0; subject->groups && i < subject->ngids; i++)
        if (subject->groups[i] && !strcmp(subject->groups[i], name))
            return true;
    return false;
}

static bool in_gid(const struct subject *subject, const char *number)
{
    if (same_number(number, subject->gid))
        return true;
    for (size_t i = 0; i < subject->ngids; i++)
        if (same_number(number, subject->gids[i]))
            return true;
    return false;
}

// Says whether LAYER, the top or a section, is about SUBJECT.
static bool applies(const struct layer *layer, const struct subject *subject)
{
    const char *kind = layer->place->kind;

    if (!kind)
        return true;
    if (!strcmp(kind, "partition"))
        return subject->partition && !strcmp(subject->partition, layer->title);
    if (!strcmp(kind, "group"))
        return in_group(subject, layer->title);
    if (!strcmp(kind, "gid"))
        return in_gid(subject, layer->title);
    if (!strcmp(kind, "user"))
        return subject->user && !strcmp(subject->user, layer->title);
    return !strcmp(kind, "uid") && same_number(layer->title, subject->uid);
}

static void *field(struct rules *rules, size_t at)
{
    return (char *)rules + at;
}

// Makes LIST its first N rules and COUNT more. Returns where these go, or
// NULL with ERR set.
static const struct rule **resize(struct rule_list *list, size_t n,
                                  size_t count, struct berth_err *err)
{
    const struct rule **v =
        reallocarray((void *)list->v, n + count + 1, sizeof(*v));

    if (!v) {
        no_memory(err);
        return NULL;
    }
    *list = (struct rule_list){n + count, v};
    return v + n;
}

static int apply_list(struct rule_list *list, const struct setting *setting,
                      bool add, struct berth_err *err)
{
    const struct rule **v = resize(list, add ? list->n : 0, setting->n, err);

    for (size_t i = 0; v && i < setting->n; i++)
        v[i] = &setting->values[i].rule;
    return v ? 0 : -1;
}

static int apply(struct rules *rules, const struct setting *setting,
                 struct berth_err *err)
{
    const struct key *key = setting->key;
    const struct value *value = setting->values;
    void *at = field(rules, key->at);

    if (key->rule_at != KEY_NO_RULE)
        *(struct rule *)field(rules, key->rule_at) = value->rule;
    switch (key->kind) {
    case KEY_LIST:
        return apply_list(at, setting, setting->add, err);
    case KEY_U32:
        *(uint32_t *)at = (uint32_t)value->number;
        break;
    case KEY_U64:
        *(uint64_t *)at = value->number;
        break;
    case KEY_BOOL:
        *(bool *)at = value->number;
        break;
    case KEY_SIZE:
        *(struct rule_size *)at = size_of(value);
        break;
    case KEY_TEXT:
        *(const char **)at = value->rule.text;
        break;
    case KEY_APART:
        break;
    }
    return 0;
}

// The files of the device sets, in place of the sets' names.
static int expand_devices(const struct policy *policy, struct rules *rules,
                          struct berth_err *err)
{
    struct rule_list files = {0};
    int rc = 0;

    for (size_t i = 0; i < rules->devices.n && rc == 0; i++) {
        const struct layer *set = find_set(policy, rules->devices.v[i]->text);
        for (size_t j = 0; set && j < set->n && rc == 0; j++)
            rc = apply_list(&files, &set->settings[j], true, err);
    }
    free((void *)rules->devices.v);
    rules->devices = files;
    return rc;
}

// Where the allow list stands: the file and line of its first rule, and of
// the first in another file.
static void find_allow(const struct policy *policy, struct rules *rules)
{
    const struct rule *first = NULL, *second = NULL;
    char where[WHERE_MAX], other[WHERE_MAX];

    for (size_t i = 0; i < rules->allow.n && !second; i++) {
        if (!first)
            first = rules->allow.v[i];
        else if (rules->allow.v[i]->file != first->file)
            second = rules->allow.v[i];
    }
    if (first)
        describe(first->file, first->line, where, sizeof(where));
    else if (policy->conf_file[0])
        describe(policy->conf_file, 0, where, sizeof(where));
    else
        describe(policy->words_file, policy->words_line, where, sizeof(where));
    snprintf(rules->allow_where, sizeof(rules->allow_where), "%s", where);
    if (second) {
        describe(second->file, second->line, other, sizeof(other));
        snprintf(rules->allow_where, sizeof(rules->allow_where), "%s and %s",
                 where, other);
    }
}

static int add_defaults(struct rules *rules, struct berth_err *err)
{
    for (const struct key *key = keys; key->name; key++) {
        size_t n = 0;
        while (key->defaults && key->defaults[n].text)
            n++;
        const struct rule **v =
            n ? resize(field(rules, key->at), 0, n, err) : NULL;
        for (size_t i = 0; v && i < n; i++)
            v[i] = &key->defaults[i];
        if (n && !v)
            return -1;
    }
    return 0;
}

static int lay(const struct policy *policy, const struct subject *subject,
               struct rules *rules, struct berth_err *err)
{
    for (const struct conffile_place *place = places; place->keys; place++) {
        for (size_t i = 0; i < policy->nlayers; i++) {
            const struct layer *layer = &policy->layers[i];
            if (layer->place != place || !applies(layer, subject))
                continue;
            for (size_t j = 0; j < layer->n; j++)
                if (apply(rules, &layer->settings[j], err) < 0)
                    return -1;
        }
        // The words stand between the top of the file and its sections.
        if (place == places && apply(rules, &policy->words, err) < 0)
            return -1;
    }
    return expand_devices(policy, rules, err);
}

int policy_rules(const struct policy *policy, const struct subject *subject,
                 struct rules *out, struct berth_err *err)
{
    keys_default(out);
    out->file = policy->conf_file[0] ? policy->conf_file : policy->words_file;
    if (add_defaults(out, err) < 0 || lay(policy, subject, out, err) < 0) {
        rules_clear(out);
        return -1;
    }
    find_allow(policy, out);
    out->root_ids = policy_root_ids(policy);
    return 0;
}

void rules_clear(struct rules *rules)
{
    int saved = errno;

    for (const struct key *key = keys; key->name; key++)
        if (key->kind == KEY_LIST)
            free((void *)((struct rule_list *)field(rules, key->at))->v);
    *rules = (struct rules){0};
    errno = saved;
}
