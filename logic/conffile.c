// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The administrator's text is trusted to mean well, and not to be free of
// mistakes: what is not plain is refused, by a sentence that says what was
// found and what was expected. A recursive-descent parser, a function for each
// rule of the grammar, that looks one token ahead. It copies nothing: values
// are ended with a NUL where they stand.

#include "logic/conffile.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "logic/limits.h"
#include "logic/utf8.h"

// What a token is, if not the character that it starts with.
enum { END = 0, TEXT = '"', WORD = 'w', ADD = '+' };

struct token {
    char type;
    char *text, *end; // as it stands, of a text without its quotes
    int line;
};

struct parser {
    const char *file; // to be shown
    char *at;         // what has not been read
    int line;
    int open; // the line of the innermost { that is open, or 0
    unsigned nsections;
    struct token next;
    const struct conffile_place *places;
    const struct conffile_reader *reader;
    void *arg;
    struct berth_err *err;
};

static int bad(const struct parser *p, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static int bad(const struct parser *p, int line, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return err_set(p->err, BERTH_EINVAL, "%s line %d: %s", p->file, line, text);
}

// --- tokens ------------------------------------------------------------------

// A comment ends where what it starts with says: before a new line, or behind
// "*/".
static int skip_comment(struct parser *p)
{
    int line = p->line;

    if (p->at[0] == '#' || p->at[1] == '/') {
        p->at += strcspn(p->at, "\n");
        return 0;
    }
    if (p->at[1] != '*')
        return bad(p, line,
                   "\"/\" stands outside of quotes: write the whole "
                   "value in double quotes");
    for (p->at += 2; p->at[0] != '*' || p->at[1] != '/'; p->at++) {
        if (!*p->at)
            return bad(p, line, "the comment has no end: write */ there");
        p->line += *p->at == '\n';
    }
    p->at += 2;
    return 0;
}

// Skips what stands between tokens.
static int skip_blank(struct parser *p)
{
    for (;;) {
        if (*p->at == '#' || *p->at == '/') {
            if (skip_comment(p) < 0)
                return -1;
        } else if (*p->at == ' ' || *p->at == '\t' || *p->at == '\n' ||
                   !strncmp(p->at, "\r\n", 2)) {
            p->line += *p->at++ == '\n';
        } else {
            return 0;
        }
    }
}

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '-' && c <= '9' && c != '/') || c == '_' || c == '%';
}

// At the quote that opens it.
static int read_text(struct parser *p)
{
    char *from = p->at + 1, *to = from;

    for (; *from != '"'; from++) {
        if (!*from || *from == '\n')
            return bad(p, p->line,
                       "a string has no closing quote on its "
                       "line");
        if (from[0] == '$' && from[1] == '{')
            return bad(p, p->line,
                       "\"${\" is refused, since berth expands no "
                       "environment variables: write the value "
                       "itself");
        bool escape = *from == '\\';
        from += escape;
        if (escape && (!*from || !strchr("\"\\n", *from)))
            return bad(p, p->line,
                       "a \\ in a string stands before \", n or "
                       "another \\ only");
        *to++ = escape && *from == 'n' ? '\n' : *from;
    }
    p->next.text = p->at + 1;
    p->next.end = to;
    p->at = from + 1;
    return 0;
}

// Reads the next token.
static int advance(struct parser *p)
{
    char shown[8] = "";

    if (skip_blank(p) < 0)
        return -1;
    p->next = (struct token){*p->at, p->at, p->at, p->line};
    switch (*p->at) {
    case END:
        return 0;
    case TEXT:
        return read_text(p);
    case ADD:
        if (*++p->at != '=')
            return bad(p, p->line,
                       "\"+\" stands outside of quotes: write += "
                       "without a space in it");
        // fall through
    case '=':
    case ',':
    case '{':
    case '}':
        p->next.end = ++p->at;
        return 0;
    default:
        break;
    }
    while (is_plain(*p->at))
        p->at++;
    p->next.type = WORD;
    p->next.end = p->at;
    if (p->next.end > p->next.text)
        return 0;
    memcpy(shown, p->at, utf8_char(p->at));
    err_scrub(shown);
    return bad(p, p->line,
               "\"%s\" stands outside of quotes: write the whole "
               "value in double quotes",
               shown);
}

// Takes the next token, a word or a text, and ends it with a NUL: the one
// behind it has been read by then.
static int take(struct parser *p, struct token *out)
{
    *out = p->next;
    if (advance(p) < 0)
        return -1;
    *out->end = 0;
    return 0;
}

static bool is_value(const struct token *token)
{
    return token->type == WORD || token->type == TEXT;
}

static int unexpected(struct parser *p, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

// Says that FMT was expected where the next token was found.
static int unexpected(struct parser *p, const char *fmt, ...)
{
    char expected[256], shown[ERR_QUOTE_MAX];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(expected, sizeof(expected), fmt, ap);
    va_end(ap);
    if (p->next.type == END && p->open)
        return bad(p, p->open, "\"{\" stands without its \"}\"");
    if (p->next.type == END)
        return bad(p, p->line, "the file ends where %s was expected", expected);
    *p->next.end = 0;
    // The end of the word in front of it may have been written over it.
    char sign[] = {p->next.type, 0};
    err_quote(is_value(&p->next)    ? p->next.text
              : p->next.type == ADD ? "+="
                                    : sign,
              shown, sizeof(shown));
    return bad(p, p->next.line, "\"%s\" stands where %s was expected", shown,
               expected);
}

// --- the grammar -------------------------------------------------------------

static int parse_value(struct parser *p, const struct key *key)
{
    struct token token;

    if (!is_value(&p->next))
        return unexpected(p, "a value of %s", key->name);
    return take(p, &token) < 0
               ? -1
               : p->reader->value(p->arg, token.text, token.line, p->err);
}

static int parse_list(struct parser *p, const struct key *key)
{
    int outer = p->open;

    p->open = p->next.line;
    if (advance(p) < 0)
        return -1;
    while (p->next.type != '}') {
        if (parse_value(p, key) < 0)
            return -1;
        if (p->next.type == '}')
            break;
        if (p->next.type != ',')
            return unexpected(p, "a \",\" or the \"}\" of %s", key->name);
        if (advance(p) < 0)
            return -1;
    }
    p->open = outer;
    return advance(p);
}

static int parse_setting(struct parser *p, const struct conffile_place *place,
                         const struct key *key)
{
    bool add = p->next.type == ADD, list = key->kind == KEY_LIST;

    if (!add && p->next.type != '=')
        return unexpected(p, "the \"=\" of %s", key->name);
    if (add && !list)
        return bad(p, p->next.line,
                   "%s takes one value: write = and not +=", key->name);
    if (advance(p) < 0 ||
        p->reader->setting(p->arg, place, key, add, p->err) < 0)
        return -1;
    if (p->next.type == '{' && !list)
        return bad(p, p->next.line,
                   "%s takes one value: write it without "
                   "braces",
                   key->name);
    return p->next.type == '{' ? parse_list(p, key) : parse_value(p, key);
}

static int parse_place(struct parser *p, const struct conffile_place *place);

static int parse_section(struct parser *p, const struct conffile_place *place)
{
    char shown[ERR_QUOTE_MAX];
    struct token title;

    if (!is_value(&p->next))
        return unexpected(p, "the title of %s, in double quotes,", place->kind);
    if (take(p, &title) < 0)
        return -1;
    err_quote(title.text, shown, sizeof(shown));
    if (p->next.type != '{')
        return unexpected(p, "the \"{\" of %s \"%s\"", place->kind, shown);
    if (++p->nsections > BERTH_SECTIONS_MAX)
        return bad(p, p->next.line,
                   "there are more than %d sections: write "
                   "some for groups",
                   BERTH_SECTIONS_MAX);
    p->open = p->next.line;
    if (p->reader->section(p->arg, place, title.text, title.line, p->err) < 0 ||
        advance(p) < 0 || parse_place(p, place) < 0)
        return -1;
    p->open = 0;
    return advance(p);
}

static const struct conffile_place *find_place(const struct parser *p,
                                               const char *kind)
{
    const struct conffile_place *place = p->places + 1;

    while (place->keys && strcmp(place->kind, kind) != 0)
        place++;
    return place->keys ? place : NULL;
}

// A setting, or a section: the name says which. LINES has where the keys of
// this place were seen.
static int parse_entry(struct parser *p, const struct conffile_place *place,
                       int lines[KEYS_MAX])
{
    const struct conffile_place *section = NULL;
    const struct key *key = place->keys;
    char shown[ERR_QUOTE_MAX];
    struct token name;

    if (p->next.type == '}')
        return bad(p, p->next.line, "\"}\" stands without its \"{\"");
    if (!is_value(&p->next))
        return unexpected(p, place->kind ? "a key" : "a key or a section");
    if (take(p, &name) < 0)
        return -1;
    if (!place->kind && (section = find_place(p, name.text)))
        return parse_section(p, section);
    while (key->name && strcmp(key->name, name.text) != 0)
        key++;
    err_quote(name.text, shown, sizeof(shown));
    if (!key->name || name.type != WORD)
        return bad(p, name.line, "\"%s\": %s", shown,
                   key->name ? "a key stands without quotes"
                             : "there is no such key here: berth.conf(5) has "
                               "those that there are");
    if (lines[key - place->keys])
        return bad(p, name.line,
                   "\"%s\" is there a second time, after line "
                   "%d: leave one of them out",
                   shown, lines[key - place->keys]);
    lines[key - place->keys] = name.line;
    return parse_setting(p, place, key);
}

static int parse_place(struct parser *p, const struct conffile_place *place)
{
    int lines[KEYS_MAX] = {0};

    while (p->next.type != (place->kind ? '}' : END))
        if (parse_entry(p, place, lines) < 0)
            return -1;
    return 0;
}

// What may stand nowhere, comments included.
static int check_text(struct parser *p, size_t len)
{
    int line = 1;

    for (const char *at = p->at, *end = at + len; at < end;) {
        unsigned char c = (unsigned char)*at;
        size_t n = c < 0x80 ? 1 : utf8_char(at);
        if ((c < ' ' && c != '\t' && c != '\n' && c != '\r') || c == 0x7f)
            return bad(p, line,
                       "there is a control character (byte 0x%02x): "
                       "leave it out",
                       c);
        if (n == 0)
            return bad(p, line, "the text is not valid UTF-8");
        line += c == '\n';
        at += n;
    }
    return 0;
}

int conffile_parse(const char *file, char *text, size_t len,
                   const struct conffile_place *places,
                   const struct conffile_reader *reader, void *arg,
                   struct berth_err *err)
{
    struct parser p = {.file = file,
                       .at = text,
                       .line = 1,
                       .places = places,
                       .reader = reader,
                       .arg = arg,
                       .err = err};

    if (len > BERTH_CONF_MAX)
        return err_set(err, BERTH_EINVAL,
                       "%s: the file has more than %d "
                       "bytes: make it smaller",
                       file, BERTH_CONF_MAX);
    if (check_text(&p, len) < 0 || advance(&p) < 0)
        return -1;
    return parse_place(&p, places);
}
