/* Single values of TOML: strings, numbers, dates. */
#include "toml_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- strings */

struct text {
	char *s;
	size_t len, size;
};

static int put(struct text *t, const char *s, size_t n)
{
	if (n >= t->size - t->len) {
		size_t size = (t->size + n) * 2 + 16;
		char *p = realloc(t->s, size);
		if (!p)
			return -ENOMEM;
		t->s = p;
		t->size = size;
	}
	memcpy(t->s + t->len, s, n);
	t->len += n;
	t->s[t->len] = '\0';
	return 0;
}

static int put_char(struct text *t, uint32_t c)
{
	char s[4];

	if (c < 0x80)
		return s[0] = (char)c, put(t, s, 1);
	if (c < 0x800) {
		s[0] = (char)(0xc0 | c >> 6), s[1] = (char)(0x80 | (c & 63));
		return put(t, s, 2);
	}
	if (c < 0x10000) {
		s[0] = (char)(0xe0 | c >> 12), s[1] = (char)(0x80 | (c >> 6 & 63)), s[2] = (char)(0x80 | (c & 63));
		return put(t, s, 3);
	}
	s[0] = (char)(0xf0 | c >> 18), s[1] = (char)(0x80 | (c >> 12 & 63)), s[2] = (char)(0x80 | (c >> 6 & 63));
	s[3] = (char)(0x80 | (c & 63));
	return put(t, s, 4);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* \uXXXX or \UXXXXXXXX, behind the letter. */
static int read_scalar(struct toml_reader *r, struct text *t, unsigned digits)
{
	uint32_t c = 0;

	for (unsigned i = 0; i < digits; i++) {
		int d = hex_digit(toml_peek(r, i));
		if (d < 0)
			return toml_bad(r, "\\u takes 4 hexadecimal digits and \\U takes 8");
		c = c << 4 | (uint32_t)d;
	}
	if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return toml_bad(r, "this number is no Unicode character");
	r->p += digits;
	return put_char(t, c);
}

static bool newline_at(const struct toml_reader *r, size_t n)
{
	return toml_peek(r, n) == '\n' || (toml_peek(r, n) == '\r' && toml_peek(r, n + 1) == '\n');
}

/* A backslash that ends a line joins it with the next that is not empty. */
static bool join_lines(struct toml_reader *r)
{
	size_t n = 0;

	while (toml_peek(r, n) == ' ' || toml_peek(r, n) == '\t')
		n++;
	if (!newline_at(r, n))
		return false;
	for (r->p += n; toml_peek(r, 0) == ' ' || toml_peek(r, 0) == '\t' || newline_at(r, 0); r->p++)
		r->line += *r->p == '\n';
	return true;
}

/* Behind the backslash. */
static int read_escape(struct toml_reader *r, struct text *t, bool lines)
{
	static const char from[] = "btnfr\"\\", to[] = "\b\t\n\f\r\"\\";
	char c = toml_peek(r, 0);
	const char *at = c ? strchr(from, c) : NULL;

	if (lines && join_lines(r))
		return 0;
	if (at) {
		r->p++;
		return put(t, to + (at - from), 1);
	}
	if (c != 'u' && c != 'U')
		return toml_bad(r, "there is no such escape sequence");
	r->p++;
	return read_scalar(r, t, c == 'u' ? 4 : 8);
}

static bool control(char c)
{
	return ((unsigned char)c < 0x20 && c != '\t') || c == 0x7f;
}

/* The closing quotes of a string of lines: up to two more belong to it. */
static int close_lines(struct toml_reader *r, struct text *t, char quote)
{
	r->p += 3;
	for (int i = 0; i < 2 && toml_peek(r, 0) == quote; i++) {
		int ret = put(t, &quote, 1);
		if (ret < 0)
			return ret;
		r->p++;
	}
	return 1;
}

/* 1: it has ended. */
static int read_piece(struct toml_reader *r, struct text *t, char quote, bool lines)
{
	char c = toml_peek(r, 0);

	if (r->p == r->end)
		return toml_bad(r, "a string does not end");
	if (c == quote && !lines)
		return r->p++, 1;
	if (c == quote && toml_peek(r, 1) == quote && toml_peek(r, 2) == quote)
		return close_lines(r, t, quote);
	if (c == '\\' && quote == '"') {
		r->p++;
		return read_escape(r, t, lines);
	}
	if (newline_at(r, 0)) {
		if (!lines)
			return toml_bad(r, "a string does not end on its line");
		size_t n = c == '\r' ? 2 : 1;
		int ret = put(t, r->p, n);
		r->p += n;
		r->line++;
		return ret;
	}
	if (control(c))
		return toml_bad(r, "a string holds a control character");
	r->p++;
	return put(t, &c, 1);
}

int toml_read_string(struct toml_reader *r, bool one_line, char **ret, size_t *len)
{
	char quote = *r->p;
	bool lines = toml_peek(r, 1) == quote && toml_peek(r, 2) == quote;
	struct text t = {0};
	int res = put(&t, "", 0);

	if (lines && one_line)
		return free(t.s), toml_bad(r, "a key is on one line");
	r->p += lines ? 3 : 1;
	if (lines && newline_at(r, 0)) {
		r->p += *r->p == '\r' ? 2 : 1;
		r->line++;
	}
	while (res == 0)
		res = read_piece(r, &t, quote, lines);
	if (res < 0) {
		free(t.s);
		return res;
	}
	*ret = t.s;
	*len = t.len;
	return 0;
}

/* --- numbers */

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Digits with single underscores between them, copied without; false: it is not that, or too long. */
static bool digits(const char **p, const char *end, unsigned base, char *to, size_t *n, size_t size)
{
	const char *from = *p;

	for (;; ++*p) {
		if (*p < end && hex_digit(**p) >= 0 && (unsigned)hex_digit(**p) < base) {
			if (*n + 1 >= size)
				return false;
			to[(*n)++] = **p;
		} else if (*p == end || **p != '_' || *p == from || (*p)[-1] == '_') {
			break;
		}
	}
	to[*n] = '\0';
	return *p > from && (*p)[-1] != '_';
}

static int read_int(struct toml_reader *r, struct toml *v, const char *text, int base)
{
	errno = 0;
	v->i = strtoll(text, NULL, base);
	v->type = TOML_INT;
	return errno ? toml_bad(r, "an integer is out of range (64 bits)") : 0;
}

static int read_based(struct toml_reader *r, struct toml *v, const char *p, const char *end)
{
	int base = p[1] == 'x' ? 16 : p[1] == 'o' ? 8 : 2;
	char text[80];
	size_t n = 0;

	p += 2;
	if (!digits(&p, end, (unsigned)base, text, &n, sizeof(text)) || p != end)
		return toml_bad(r, "this is no integer");
	return read_int(r, v, text, base);
}

static bool is_word(const char *p, const char *end, const char *word)
{
	return (size_t)(end - p) == strlen(word) && memcmp(p, word, (size_t)(end - p)) == 0;
}

static bool fraction_and_exponent(const char **p, const char *end, char *text, size_t *n, size_t size)
{
	if (*p < end && **p == '.') {
		text[(*n)++] = *(*p)++;
		if (!digits(p, end, 10, text, n, size - 4))
			return false;
	}
	if (*p < end && (**p | 0x20) == 'e') {
		text[(*n)++] = *(*p)++;
		if (*p < end && (**p == '+' || **p == '-'))
			text[(*n)++] = *(*p)++;
		return digits(p, end, 10, text, n, size);
	}
	return true;
}

static int read_number(struct toml_reader *r, struct toml *v, const char *p, const char *end)
{
	char text[512];
	size_t n = 0;

	if (end - p > 2 && p[0] == '0' && (p[1] == 'x' || p[1] == 'o' || p[1] == 'b'))
		return read_based(r, v, p, end);
	if (p < end && (*p == '+' || *p == '-'))
		text[n++] = *p++;
	if (is_word(p, end, "inf") || is_word(p, end, "nan")) {
		v->type = TOML_FLOAT;
		v->f = *p == 'i' ? __builtin_inf() : __builtin_nan("");
		v->f = n && text[0] == '-' ? -v->f : v->f;
		return 0;
	}
	const char *from = p;
	if (!digits(&p, end, 10, text, &n, sizeof(text) - 8) || (*from == '0' && p - from > 1))
		return toml_bad(r, "this is no value (a string needs quotes, a number no leading zero)");
	if (p == end)
		return read_int(r, v, text, 10);
	if (!fraction_and_exponent(&p, end, text, &n, sizeof(text)) || p != end)
		return toml_bad(r, "this is no number");
	v->type = TOML_FLOAT;
	v->f = strtod(text, NULL);
	return 0;
}

/* --- dates */

/* n digits; -1: they are not. */
static int number(const char **p, const char *end, int n)
{
	int v = 0;

	for (int i = 0; i < n; i++, ++*p) {
		if (*p == end || !digit(**p))
			return -1;
		v = v * 10 + (**p - '0');
	}
	return v;
}

static bool take(const char **p, const char *end, char c)
{
	if (*p == end || **p != c)
		return false;
	++*p;
	return true;
}

static bool date(const char **p, const char *end)
{
	static const char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int y = number(p, end, 4), m, d;

	if (y < 0 || !take(p, end, '-') || (m = number(p, end, 2)) < 1 || m > 12 || !take(p, end, '-'))
		return false;
	d = number(p, end, 2);
	bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
	return d >= 1 && d <= days[m - 1] + (m == 2 && leap);
}

static bool clock_time(const char **p, const char *end)
{
	int h = number(p, end, 2), m = take(p, end, ':') ? number(p, end, 2) : -1;
	int s = m >= 0 && take(p, end, ':') ? number(p, end, 2) : -1;

	if (h < 0 || h > 23 || m < 0 || m > 59 || s < 0 || s > 60)
		return false;
	if (!take(p, end, '.'))
		return true;
	const char *from = *p;
	while (*p < end && digit(**p))
		++*p;
	return *p > from;
}

static bool offset(const char **p, const char *end)
{
	if (take(p, end, 'Z') || take(p, end, 'z'))
		return true;
	if (!take(p, end, '+') && !take(p, end, '-'))
		return false;
	int h = number(p, end, 2), m = take(p, end, ':') ? number(p, end, 2) : -1;
	return h >= 0 && h <= 23 && m >= 0 && m <= 59;
}

static int read_date(struct toml_reader *r, struct toml *v, const char *p, const char *end)
{
	bool ok = true;

	v->text = strndup(p, (size_t)(end - p));
	v->len = (size_t)(end - p);
	if (!v->text)
		return -ENOMEM;
	if (p[2] == ':') {
		v->type = TOML_TIME;
		ok = clock_time(&p, end);
	} else {
		v->type = TOML_DATE;
		ok = date(&p, end);
		if (ok && p < end) {
			v->type = TOML_DATETIME_LOCAL;
			ok = (take(&p, end, 'T') || take(&p, end, 't') || take(&p, end, ' ')) && clock_time(&p, end);
		}
		if (ok && p < end) {
			v->type = TOML_DATETIME;
			ok = offset(&p, end);
		}
	}
	return ok && p == end ? 0 : toml_bad(r, "this is no date or time");
}

static bool plain(char c)
{
	return c && !strchr(" \t\r\n,]}#=\"'[{", c);
}

int toml_read_plain(struct toml_reader *r, struct toml *v)
{
	const char *from = r->p, *p = from;
	size_t n;
	int ret;

	while (p < r->end && plain(*p))
		p++;
	n = (size_t)(p - from);
	bool is_date = n >= 5 && digit(from[0]) && ((digit(from[1]) && from[2] == ':') || from[4] == '-') && digit(from[1]);
	/* the space between date and time */
	if (is_date && n == 10 && r->end - p > 2 && p[0] == ' ' && digit(p[1]))
		for (p++; p < r->end && plain(*p);)
			p++;
	if (is_date) {
		ret = read_date(r, v, from, p);
	} else if (is_word(from, p, "true") || is_word(from, p, "false")) {
		v->type = TOML_BOOL;
		v->b = *from == 't';
		ret = 0;
	} else {
		ret = n ? read_number(r, v, from, p) : toml_bad(r, "a value is missing");
	}
	if (ret == 0)
		r->p = p;
	return ret;
}
