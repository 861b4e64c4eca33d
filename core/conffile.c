// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// libconfuse parses, and is only given what it can be trusted with. Seen in
// its version 3.3: it drops what it does not know (a `*` outside of quotes,
// which would leave `deny = {evil*}` denying "evil"), takes a file that ends
// within a section, counts two lines too many for each comment, puts the
// environment in place of ${NAME}, and takes the second of two keys. Hence
// the text is scanned first: comments are blanked, and what is not plain is
// refused. What libconfuse then sees are words, simple strings, braces,
// commas, = and +=; its lexer is in its first state at the end of all that.
//
// Where memory is out, flex's code ends the process: in berth-stepd before
// there is a container, and in clients. Nothing of this runs in slurmstepd.

#include "core/conffile.h"

#include <confuse.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "core/utf8.h"

enum { KEYS_MAX = CONFFILE_KEYS_MAX, FILE_QUOTE_MAX = 200 };

static int no_memory(struct berth_err *err)
{
    return err_set(err, BERTH_ENOMEM, "out of memory");
}

// --- the scan ----------------------------------------------------------------

struct scan {
    const char *file; // to be shown
    char *at;         // what is left of the text, which is changed in place
    int line;
    int depth;        // braces that are open
    int opened;       // the line of the outermost
    unsigned nsections;
    bool after_op;    // the last token was = or +=
    char *word;       // the last token, if it was a word, and its length
    size_t word_len;
    struct {
        size_t n;
        struct {
            const char *key;
            size_t len;
            int line;
        } keys[KEYS_MAX];
    } seen[2]; // at the top, and in the present section
};

static int bad(const struct scan *scan, struct berth_err *err,
               const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static int bad(const struct scan *scan, struct berth_err *err,
               const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return err_set(err, BERTH_EINVAL, "%s line %d: %s", scan->file,
                   scan->line, text);
}

static void blank(struct scan *scan)
{
    if (*scan->at == '\n')
        scan->line++;
    else
        *scan->at = ' ';
    scan->at++;
}

// At "#" or "/".
static int scan_comment(struct scan *scan, struct berth_err *err)
{
    int line = scan->line;

    if (scan->at[0] == '#' || scan->at[1] == '/') {
        while (*scan->at && *scan->at != '\n')
            blank(scan);
        return 0;
    }
    if (scan->at[1] != '*')
        return bad(scan, err, "\"/\" stands outside of quotes: write the "
                              "whole value in double quotes");
    blank(scan);
    blank(scan);
    while (*scan->at && (scan->at[0] != '*' || scan->at[1] != '/'))
        blank(scan);
    if (!*scan->at) {
        scan->line = line;
        return bad(scan, err, "the comment has no end: write */ there");
    }
    blank(scan);
    blank(scan);
    return 0;
}

// At the quote that opens it.
static int scan_string(struct scan *scan, struct berth_err *err)
{
    for (scan->at++; *scan->at != '"'; scan->at++) {
        if (!*scan->at || *scan->at == '\n')
            return bad(scan, err, "a string has no closing quote on its "
                                  "line");
        if (!strncmp(scan->at, "${", 2))
            return bad(scan, err, "\"${\" is refused, since berth expands no "
                                  "environment variables: write the value "
                                  "itself");
        if (*scan->at == '\\' &&
            (!scan->at[1] || !strchr("\"\\n", *++scan->at)))
            return bad(scan, err, "a \\ in a string stands before \", n or "
                                  "another \\ only");
    }
    scan->at++;
    return 0;
}

// Behind = or +=.
static int scan_key(struct scan *scan, struct berth_err *err)
{
    int level = scan->depth > 0;
    size_t n = scan->seen[level].n;

    scan->after_op = true;
    if (!scan->word)
        return bad(scan, err, "\"=\" stands without a key in front of it");
    if (n == KEYS_MAX)
        return 0; // some of them are unknown, which is said later
    for (size_t i = 0; i < n; i++)
        if (scan->seen[level].keys[i].len == scan->word_len &&
            !memcmp(scan->seen[level].keys[i].key, scan->word,
                    scan->word_len))
            return bad(scan, err, "\"%.*s\" is there a second time, after "
                                  "line %d: leave one of them out",
                       (int)scan->word_len, scan->word,
                       scan->seen[level].keys[i].line);
    scan->seen[level].keys[n].key = scan->word;
    scan->seen[level].keys[n].len = scan->word_len;
    scan->seen[level].keys[n].line = scan->line;
    scan->seen[level].n++;
    return 0;
}

static int scan_brace(struct scan *scan, struct berth_err *err)
{
    if (*scan->at == '{') {
        if (scan->depth++ == 0)
            scan->opened = scan->line;
        if (!scan->after_op) {
            scan->seen[1].n = 0;
            if (++scan->nsections > BERTH_SECTIONS_MAX)
                return bad(scan, err, "there are more than %d sections: "
                                      "write some for groups",
                           BERTH_SECTIONS_MAX);
        }
    } else if (scan->depth-- == 0) {
        return bad(scan, err, "\"}\" stands without its \"{\"");
    }
    scan->after_op = false;
    scan->at++;
    return 0;
}

static int scan_token(struct scan *scan, struct berth_err *err)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._%-";
    size_t len = strspn(scan->at, plain);

    if (len > 0) {
        scan->word = scan->at;
        scan->word_len = len;
        scan->at += len;
        scan->after_op = false;
        return 0;
    }
    switch (*scan->at) {
    case '{':
    case '}':
        scan->word = NULL;
        return scan_brace(scan, err);
    case '"':
        scan->word = NULL;
        scan->after_op = false;
        return scan_string(scan, err);
    case '#':
    case '/':
        return scan_comment(scan, err);
    case '+':
        if (*++scan->at != '=')
            return bad(scan, err, "\"+\" stands outside of quotes: write += "
                                  "without a space in it");
        // fall through
    case '=':
        scan->at++;
        if (scan_key(scan, err) < 0)
            return -1;
        scan->word = NULL;
        return 0;
    case ',':
        scan->word = NULL;
        scan->at++;
        return 0;
    case '\n':
        scan->line++;
        // fall through
    case ' ':
    case '\t':
        scan->at++;
        return 0;
    case '\r':
        if (scan->at[1] == '\n') {
            blank(scan);
            return 0;
        }
        // fall through
    default:
        break;
    }
    char character[8] = "";
    memcpy(character, scan->at, utf8_char(scan->at));
    err_scrub(character);
    return bad(scan, err, "\"%s\" stands outside of quotes: write the whole "
                          "value in double quotes", character);
}

static int scan_text(const char *file, char *text, size_t len,
                     struct berth_err *err)
{
    struct scan *scan = calloc(1, sizeof(*scan));
    int rc = -1;

    if (!scan)
        return no_memory(err);
    scan->file = file;
    scan->line = 1;
    scan->at = text;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if ((c < ' ' && !strchr("\t\n\r", c)) || c == 0x7f || c == 0) {
            rc = bad(scan, err, "there is a control character (byte 0x%02x): "
                                "leave it out", c);
            goto out;
        }
        scan->line += c == '\n';
    }
    if (!utf8_valid(text)) {
        rc = err_set(err, BERTH_EINVAL, "%s: the file is not valid UTF-8",
                     file);
        goto out;
    }
    scan->line = 1;
    while (*scan->at)
        if (scan_token(scan, err) < 0)
            goto out;
    if (scan->depth > 0) {
        scan->line = scan->opened;
        rc = bad(scan, err, "\"{\" stands without its \"}\"");
        goto out;
    }
    rc = 0;
out:
    free(scan);
    return rc;
}

// --- the parse ---------------------------------------------------------------

// libconfuse hands no pointer to its error function: this holds the one of
// the parse that goes on, and nothing between parses.
static _Thread_local struct parse {
    const char *file;
    struct berth_err *err;
    bool told;
} *parsing;

// What libconfuse says, by how it starts, and how to go on behind the word
// that it names.
static const struct {
    const char *theirs, *ours;
} sentences[] = {
    {"attempt to append to", "it takes one value: write = and not +="},
    {"found duplicate title", "there is such a section with this title "
                              "already: put the two together"},
    {"missing equal sign", "\"=\" was expected behind it"},
    {"missing opening brace", "\"{\" was expected behind the title"},
    {"missing title", "a title in double quotes was expected behind it"},
    {"no such option", "there is no such key here: berth.conf(5) has those "
                       "that there are"},
    {"premature end of file", NULL},
    {"unexpected token", "it stands where it was not expected: write "
                         "KEY = VALUE or KEY = {\"VALUE\", \"VALUE\"}"},
};

static void on_error(cfg_t *cfg, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));

static void on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
    char text[512], word[ERR_QUOTE_MAX];

    if (parsing->told)
        return; // the first one counts
    parsing->told = true;
    for (size_t i = 0; i < sizeof(sentences) / sizeof(*sentences); i++) {
        if (strncmp(fmt, sentences[i].theirs, strlen(sentences[i].theirs)))
            continue;
        if (!sentences[i].ours) {
            err_set(parsing->err, BERTH_EINVAL, "%s line %d: the file ends "
                                                "where something was expected",
                    parsing->file, cfg->line);
            return;
        }
        err_quote(va_arg(ap, const char *), word, sizeof(word));
        err_set(parsing->err, BERTH_EINVAL, "%s line %d: \"%s\": %s",
                parsing->file, cfg->line, word, sentences[i].ours);
        return;
    }
    vsnprintf(text, sizeof(text), fmt, ap);
    err_scrub(text);
    err_set(parsing->err, BERTH_EINVAL, "%s line %d: %s", parsing->file,
            cfg->line, text);
}

// The default of each list. What `=` replaces, and `+=` leaves in front. The
// scan lets no control character through.
static const char marker[] = "\1";

static int on_value(cfg_t *cfg, cfg_opt_t *opt, const char *text, void *result)
{
    size_t size = strlen(text) + 1;
    struct conffile_value *value = malloc(sizeof(*value) + size);

    (void)opt;
    if (!value) {
        cfg_error(cfg, "out of memory");
        return -1;
    }
    value->text = memcpy(value + 1, text, size);
    value->line = cfg->line;
    *(void **)result = value;
    return 0;
}

// An option that no file can have, since it is no word, and the scan lets
// nothing else be a key. With its marker, libconfuse keeps for each section
// the line where it starts.
static const char start[] = "{";

static size_t add_keys(cfg_opt_t *opts, const struct conffile_key *keys)
{
    static const cfg_opt_t end = CFG_END();
    static char marked[] = "{\"\1\"}"; // is copied
    cfg_opt_t hidden = CFG_PTR_LIST_CB(start, marked, CFGF_NONE, on_value,
                                       free);
    size_t n = 0;

    for (; keys[n].name && n < KEYS_MAX; n++) {
        cfg_opt_t one = CFG_PTR_CB(keys[n].name, NULL, CFGF_NODEFAULT,
                                   on_value, free);
        cfg_opt_t list = CFG_PTR_LIST_CB(keys[n].name, marked, CFGF_NONE,
                                         on_value, free);
        opts[n] = keys[n].list ? list : one;
    }
    opts[n++] = hidden;
    opts[n] = end;
    return n;
}

static size_t add_sections(cfg_opt_t *opts, size_t n, const char *const *names,
                           cfg_opt_t *keys)
{
    static const cfg_opt_t end = CFG_END();

    for (; *names; names++) {
        cfg_opt_t section = CFG_SEC(*names, keys, CFGF_MULTI | CFGF_TITLE |
                                                      CFGF_NO_TITLE_DUPES);
        opts[n++] = section;
    }
    opts[n] = end;
    return n;
}

typedef int tell_fn(void *arg, const struct conffile_setting *setting,
                    struct berth_err *err);

static int tell_keys(cfg_t *cfg, const char *section, int line,
                     const struct conffile_key *keys, tell_fn *tell, void *arg,
                     struct berth_err *err)
{
    for (; keys->name; keys++) {
        cfg_opt_t *opt = cfg_getopt(cfg, keys->name);
        struct conffile_setting setting = {section, cfg_title(cfg), line,
                                           keys->name, false,
                                           cfg_opt_size(opt), NULL};
        const struct conffile_value **values = NULL;
        if (!(opt->flags & CFGF_MODIFIED))
            continue;
        if (setting.n > 0 &&
            !(values = calloc(setting.n, sizeof(*values))))
            return no_memory(err);
        for (size_t i = 0; i < setting.n; i++)
            values[i] = cfg_opt_getnptr(opt, (unsigned)i);
        setting.values = values;
        if (keys->list && setting.n > 0 && !strcmp(values[0]->text, marker)) {
            setting.add = true;
            setting.values++;
            setting.n--;
        }
        int rc = tell(arg, &setting, err);
        free(values);
        if (rc < 0)
            return -1;
    }
    return 0;
}

static int tell_sections(cfg_t *cfg, const char *const *names,
                         const struct conffile_key *keys, tell_fn *tell,
                         void *arg, struct berth_err *err)
{
    for (; *names; names++) {
        cfg_opt_t *opt = cfg_getopt(cfg, *names);
        for (unsigned i = 0; i < cfg_opt_size(opt); i++) {
            cfg_t *section = cfg_opt_getnsec(opt, i);
            const struct conffile_value *at = cfg_getptr(section, start);
            struct conffile_setting setting = {*names, cfg_title(section),
                                               at->line, NULL, false, 0,
                                               NULL};
            if (tell(arg, &setting, err) < 0 ||
                tell_keys(section, *names, at->line, keys, tell, arg, err) < 0)
                return -1;
        }
    }
    return 0;
}

int conffile_parse(const char *file, const char *text, size_t len,
                   const struct conffile_grammar *grammar, tell_fn *tell,
                   void *arg, struct berth_err *err)
{
    cfg_opt_t top[2 * KEYS_MAX], override[KEYS_MAX + 2], set[KEYS_MAX + 2];
    char shown[FILE_QUOTE_MAX];
    struct parse parse = {shown, err, false};
    char *copy = NULL;
    cfg_t *cfg = NULL;
    int rc = -1;

    err_quote(file, shown, sizeof(shown));
    if (len > BERTH_CONF_MAX)
        return err_set(err, BERTH_EINVAL, "%s: the file has more than %d "
                                          "bytes: make it smaller",
                       shown, BERTH_CONF_MAX);
    add_keys(override, grammar->override);
    add_keys(set, grammar->set);
    size_t n = add_keys(top, grammar->top);
    n = add_sections(top, n, grammar->overrides, override);
    add_sections(top, n, grammar->sets, set);
    if (!(copy = malloc(len + 1)) || !(cfg = cfg_init(top, CFGF_NONE))) {
        no_memory(err);
        goto out;
    }
    memcpy(copy, text, len);
    copy[len] = 0;
    if (scan_text(shown, copy, len, err) < 0)
        goto out;
    cfg_set_error_function(cfg, on_error);
    parsing = &parse;
    rc = cfg_parse_buf(cfg, copy) == CFG_SUCCESS ? 0 : -1;
    parsing = NULL;
    if (rc < 0) {
        if (!parse.told) // as with "", which libconfuse finds no words for
            err_set(err, BERTH_EINVAL, "%s line %d: what stands here is not "
                                       "understood: write KEY = VALUE",
                    shown, cfg->line);
        goto out;
    }
    rc = tell_keys(cfg, NULL, 0, grammar->top, tell, arg, err);
    if (rc == 0)
        rc = tell_sections(cfg, grammar->overrides, grammar->override, tell,
                           arg, err);
    if (rc == 0)
        rc = tell_sections(cfg, grammar->sets, grammar->set, tell, arg, err);
out:
    if (cfg)
        cfg_free(cfg);
    free(copy);
    return rc;
}
