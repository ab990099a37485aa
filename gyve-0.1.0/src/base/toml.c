/* The structure of a TOML document: keys, tables, arrays, and the rules about who may add to which table. */
#include "toml_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* How a table or array came to be (struct toml.how). */
enum {
	IMPLIED,   /* on the way to a [header] */
	HEADER,    /* by its own [header] or [[header]] */
	DOTTED,    /* by a.dotted.key */
	CLOSED,    /* { } or [ ]: nothing is added later */
	OF_TABLES, /* an array made by [[header]] */
};

int toml_bad(struct toml_reader *r, const char *why)
{
	return gyve_err_set(r->err, -EINVAL, "line %u: %s", r->line, why);
}

const char *toml_type_name(enum toml_type type)
{
	static const char *const names[] = {"a table",   "an array",    "a string",          "an integer", "a float",
					    "a boolean", "a date-time", "a local date-time", "a date",     "a time"};

	return names[type];
}

/* Without recursion: nesting costs the attacker's bytes, not our stack. */
void toml_free(struct toml *t)
{
	while (t) {
		struct toml *next = t->next;
		if (t->child) { /* children go first, then what follows */
			t->last->next = next;
			next = t->child;
		}
		free(t->key);
		free(t->text);
		free(t);
		t = next;
	}
}

static struct toml *find(const struct toml *t, const char *key, size_t len)
{
	for (struct toml *c = t->child; c; c = c->next)
		if (c->key_len == len && memcmp(c->key, key, len) == 0)
			return c;
	return NULL;
}

struct toml *toml_get(const struct toml *t, const char *key)
{
	return t && t->type == TOML_TABLE ? find(t, key, strlen(key)) : NULL;
}

/* A new last value of parent. Takes key (malloced, NULL in arrays) even on failure. NULL: too many, or no memory (err says). */
static struct toml *append(struct toml_reader *r, struct toml *parent, char *key, size_t key_len)
{
	struct toml *t = r->values < TOML_MAX_VALUES ? calloc(1, sizeof(*t)) : NULL;

	if (!t) {
		free(key);
		if (r->values < TOML_MAX_VALUES)
			gyve_err_set(r->err, -ENOMEM, "no memory");
		else
			toml_bad(r, "too many values");
		return NULL;
	}
	r->values++;
	t->key = key;
	t->key_len = key_len;
	t->line = r->line;
	if (parent->last)
		parent->last->next = t;
	else
		parent->child = t;
	parent->last = t;
	return t;
}

/* --- space */

static void skip_space(struct toml_reader *r)
{
	while (toml_peek(r, 0) == ' ' || toml_peek(r, 0) == '\t')
		r->p++;
}

static int skip_comment(struct toml_reader *r)
{
	if (toml_peek(r, 0) != '#')
		return 0;
	for (; r->p < r->end && *r->p != '\n'; r->p++) {
		if (*r->p == '\r' && toml_peek(r, 1) == '\n')
			return 0;
		if (((unsigned char)*r->p < 0x20 && *r->p != '\t') || *r->p == 0x7f)
			return toml_bad(r, "a comment holds a control character");
	}
	return 0;
}

/* True if there was one. */
static bool skip_newline(struct toml_reader *r)
{
	size_t n = toml_starts(r, "\r\n") ? 2 : toml_peek(r, 0) == '\n';

	r->p += n;
	r->line += n > 0;
	return n > 0;
}

/* Space, comments and line ends, as between the elements of an array. */
static int skip_lines(struct toml_reader *r)
{
	int ret;

	do {
		skip_space(r);
		ret = skip_comment(r);
	} while (ret == 0 && skip_newline(r));
	return ret;
}

static int end_line(struct toml_reader *r)
{
	skip_space(r);
	int ret = skip_comment(r);
	if (ret < 0)
		return ret;
	return skip_newline(r) || r->p == r->end ? 0 : toml_bad(r, "something follows at the end of the line");
}

/* --- keys */

static bool bare(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

/* One part of a key; *ret is malloced. */
static int read_key(struct toml_reader *r, char **ret, size_t *len)
{
	const char *from = r->p;

	if (toml_peek(r, 0) == '"' || toml_peek(r, 0) == '\'')
		return toml_read_string(r, true, ret, len);
	while (r->p < r->end && bare(*r->p))
		r->p++;
	*len = (size_t)(r->p - from);
	if (!*len)
		return toml_bad(r, "a key is missing");
	*ret = strndup(from, *len);
	return *ret ? 0 : gyve_err_set(r->err, -ENOMEM, "no memory");
}

static int no_step(struct toml_reader *r, const struct toml *t, bool header)
{
	if (t->type == TOML_ARRAY && (t->how != OF_TABLES || !header))
		return toml_bad(r, "this key is an array already");
	if (t->type != TOML_TABLE && t->type != TOML_ARRAY)
		return toml_bad(r, "this key has a value already");
	if (t->how == CLOSED)
		return toml_bad(r, "nothing can be added to an inline table");
	if (!header && t->how == HEADER)
		return toml_bad(r, "this table is defined by a header already");
	return 0;
}

/* From *t to the table key in it, which is made if there is none. Takes key. */
static int step(struct toml_reader *r, struct toml **t, char *key, size_t len, bool header)
{
	struct toml *c = find(*t, key, len);
	int ret;

	if (!c) {
		c = append(r, *t, key, len);
		if (!c)
			return -EINVAL;
		c->type = TOML_TABLE;
		c->how = header ? IMPLIED : DOTTED;
		*t = c;
		return 0;
	}
	free(key);
	ret = no_step(r, c, header);
	if (ret < 0)
		return ret;
	if (c->type == TOML_ARRAY)
		c = c->last;
	else if (!header)
		c->how = DOTTED;
	*t = c;
	return 0;
}

/* a.b.c: go to a.b from *t, and return the last part. */
static int read_path(struct toml_reader *r, struct toml **t, bool header, char **key, size_t *len)
{
	for (int parts = 0;; parts++) {
		skip_space(r);
		int ret = parts < TOML_MAX_DEPTH ? read_key(r, key, len) : toml_bad(r, "a key has too many parts");
		if (ret < 0)
			return ret;
		skip_space(r);
		if (toml_peek(r, 0) != '.')
			return 0;
		r->p++;
		ret = step(r, t, *key, *len, header);
		if (ret < 0)
			return ret;
	}
}

/* --- values */

static int read_value(struct toml_reader *r, struct toml *v);

static int read_pair(struct toml_reader *r, struct toml *table)
{
	struct toml *v;
	char *key;
	size_t len;
	int ret = read_path(r, &table, false, &key, &len);

	if (ret < 0)
		return ret;
	if (find(table, key, len)) {
		free(key);
		return toml_bad(r, "this key has a value already");
	}
	v = append(r, table, key, len);
	if (!v)
		return -EINVAL;
	if (toml_peek(r, 0) != '=')
		return toml_bad(r, "'=' is missing behind a key");
	r->p++;
	skip_space(r);
	return read_value(r, v);
}

static int read_array(struct toml_reader *r, struct toml *v)
{
	r->p++;
	v->type = TOML_ARRAY;
	for (;;) {
		int ret = skip_lines(r);
		if (ret < 0)
			return ret;
		if (toml_peek(r, 0) == ']')
			return r->p++, 0;
		struct toml *e = append(r, v, NULL, 0);
		if (!e)
			return -EINVAL;
		if ((ret = read_value(r, e)) < 0 || (ret = skip_lines(r)) < 0)
			return ret;
		if (toml_peek(r, 0) == ',')
			r->p++;
		else if (toml_peek(r, 0) != ']')
			return toml_bad(r, "',' or ']' is missing in an array");
	}
}

static int read_inline_table(struct toml_reader *r, struct toml *v)
{
	r->p++;
	v->type = TOML_TABLE;
	skip_space(r);
	if (toml_peek(r, 0) == '}')
		return r->p++, 0;
	for (;;) {
		int ret = read_pair(r, v);
		if (ret < 0)
			return ret;
		skip_space(r);
		char c = toml_peek(r, 0);
		if (c == '}')
			return r->p++, 0;
		if (c != ',')
			return toml_bad(r, "',' or '}' is missing in an inline table");
		r->p++;
	}
}

static int read_value(struct toml_reader *r, struct toml *v)
{
	char c = toml_peek(r, 0);
	int ret;

	v->line = r->line;
	if (c == '"' || c == '\'') {
		v->type = TOML_STRING;
		return toml_read_string(r, false, &v->text, &v->len);
	}
	if (c != '[' && c != '{')
		return toml_read_plain(r, v);
	if (r->depth == TOML_MAX_DEPTH)
		return toml_bad(r, "nested too deeply");
	r->depth++;
	ret = c == '[' ? read_array(r, v) : read_inline_table(r, v);
	v->how = CLOSED;
	r->depth--;
	return ret;
}

/* --- headers */

/* [path]: the table that pairs go to from here on. */
static int enter_table(struct toml_reader *r, struct toml **at, char *key, size_t len)
{
	struct toml *t = find(*at, key, len);

	if (t)
		free(key);
	else if (!(t = append(r, *at, key, len)))
		return -EINVAL;
	if (t->type != TOML_TABLE || t->how != IMPLIED)
		return toml_bad(r, "this table is defined already");
	t->how = HEADER;
	*at = t;
	return 0;
}

static int enter_element(struct toml_reader *r, struct toml **at, char *key, size_t len)
{
	struct toml *a = find(*at, key, len), *t;

	if (a) {
		free(key);
		if (a->type != TOML_ARRAY || a->how != OF_TABLES)
			return toml_bad(r, "this key is something else already");
	} else {
		if (!(a = append(r, *at, key, len)))
			return -EINVAL;
		a->type = TOML_ARRAY;
		a->how = OF_TABLES;
	}
	t = append(r, a, NULL, 0);
	if (!t)
		return -EINVAL;
	t->how = HEADER;
	*at = t;
	return 0;
}

static int read_header(struct toml_reader *r, struct toml *root, struct toml **current)
{
	bool element = toml_peek(r, 1) == '[';
	struct toml *at = root;
	char *key;
	size_t len;

	r->p += element ? 2 : 1;
	int ret = read_path(r, &at, true, &key, &len);
	if (ret < 0)
		return ret;
	if (!toml_starts(r, element ? "]]" : "]")) {
		free(key);
		return toml_bad(r, element ? "']]' is missing" : "']' is missing");
	}
	r->p += element ? 2 : 1;
	ret = element ? enter_element(r, &at, key, len) : enter_table(r, &at, key, len);
	*current = at;
	return ret;
}

/* --- the document */

/* Length of the UTF-8 character at p, 0: there is none. */
static size_t utf8(const unsigned char *p, size_t left)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n = *p < 0x80 ? 1 : *p >> 5 == 6 ? 2 : *p >> 4 == 14 ? 3 : *p >> 3 == 30 ? 4 : 0;
	uint32_t c = n == 1 ? *p : *p & (0x7fu >> n);

	if (!n || n > left)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if (p[i] >> 6 != 2)
			return 0;
		c = c << 6 | (p[i] & 63);
	}
	return c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0 : n;
}

static int check_text(struct toml_reader *r)
{
	const char *p = r->p;

	for (size_t n; p < r->end; p += n) {
		n = utf8((const unsigned char *)p, (size_t)(r->end - p));
		if (!n || !*p)
			return toml_bad(r, n ? "the text holds a zero" : "the text is not UTF-8");
		r->line += *p == '\n';
	}
	r->line = 1;
	return 0;
}

static int read_document(struct toml_reader *r, struct toml *root)
{
	struct toml *current = root;
	int ret = check_text(r);

	if (toml_starts(r, "\xef\xbb\xbf"))
		r->p += 3;
	while (ret == 0) {
		ret = skip_lines(r);
		if (ret < 0 || r->p == r->end)
			break;
		ret = toml_peek(r, 0) == '[' ? read_header(r, root, &current) : read_pair(r, current);
		if (ret == 0)
			ret = end_line(r);
	}
	return ret;
}

int toml_parse(struct toml **ret, const char *text, size_t len, struct gyve_err *err)
{
	struct gyve_err none;
	struct toml_reader r = {.p = text, .end = text + len, .line = 1, .err = err ? err : &none};
	struct toml *root;
	int res;

	if (len > TOML_MAX_SIZE)
		return gyve_err_set(err, -EINVAL, "the file is larger than %d KiB", TOML_MAX_SIZE >> 10);
	root = calloc(1, sizeof(*root));
	if (!root)
		return gyve_err_set(err, -ENOMEM, "no memory");
	root->how = HEADER;
	r.err->code = 0;
	res = read_document(&r, root);
	if (res < 0) {
		toml_free(root);
		return r.err->code ? r.err->code : gyve_err_set(err, -ENOMEM, "no memory");
	}
	*ret = root;
	return 0;
}
