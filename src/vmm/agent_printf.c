/* The agent's printf: a format as the user wrote it, escapes and all, and integers. The format comes from outside: nothing of
 * it reaches the C library but what is put together here. */
#include "agent.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { MAX_STRING = 1024, MAX_WIDTH = 256 };

/* One conversion. */
struct conv {
	char flags[8];
	unsigned width, precision;
	bool has_precision;
	unsigned bits; /**< of an integer */
	char what;
};

static unsigned number(const char **p)
{
	unsigned n = 0;

	for (; **p >= '0' && **p <= '9'; ++*p)
		if (n <= MAX_WIDTH)
			n = 10 * n + (unsigned)(**p - '0');
	return n;
}

static unsigned size_bits(const char **p)
{
	unsigned bits = 32;

	for (; **p && strchr("hlLqjzt", **p); ++*p) {
		if (**p == 'h')
			bits = bits == 16 ? 8 : 16;
		else
			bits = 64;
	}
	return bits;
}

/* What follows a '%'. false: not something that can be printed. */
static bool parse(const char **p, struct conv *c)
{
	memset(c, 0, sizeof(*c));
	for (size_t n = 0; **p && strchr("-+ #0'", **p); ++*p)
		if (**p != '\'' && !strchr(c->flags, **p) && n < sizeof(c->flags) - 1)
			c->flags[n++] = **p;
	c->width = number(p);
	if (**p == '.') {
		++*p;
		c->has_precision = true;
		c->precision = number(p);
	}
	c->bits = size_bits(p);
	c->what = **p;
	if (!c->what || c->width > MAX_WIDTH || (c->has_precision && c->precision > MAX_STRING))
		return false;
	++*p;
	return strchr("diouxXcps", c->what) != NULL && (c->bits == 32 || !strchr("cs", c->what));
}

int agent_format_check(const char *format, size_t size, unsigned nargs, struct gyve_err *err)
{
	unsigned n = 0;
	struct conv c;

	if (!size || strnlen(format, size) != size - 1)
		return gyve_err_set(err, -EINVAL, "a format is not a string");
	if (nargs > AGENT_MAX_ARGS)
		return gyve_err_set(err, -EINVAL, "a format takes up to %d values", AGENT_MAX_ARGS);
	while ((format = strchr(format, '%')) != NULL) {
		if (*++format == '%') {
			format++;
			continue;
		}
		const char *from = format;
		if (!parse(&format, &c))
			return gyve_err_set(err, -EINVAL, "%%%.10s cannot be printed: integers, pointers, characters, strings",
					    from);
		n++;
	}
	if (n != nargs)
		return gyve_err_set(err, -EINVAL, "the format takes %u values and gets %u", n, nargs);
	return 0;
}

/* --- output */

struct out {
	char *text;
	size_t len;
};

static void add(struct out *o, const char *p, size_t n)
{
	if (n > AGENT_MAX_TEXT - o->len)
		n = AGENT_MAX_TEXT - o->len;
	memcpy(o->text + o->len, p, n);
	o->len += n;
}

/* Behind a backslash. */
static void add_escape(struct out *o, const char **p)
{
	static const char from[] = "abefnrtv", to[] = "\a\b\033\f\n\r\t\v";
	const char *at = **p ? strchr(from, **p) : NULL;
	char c = at ? to[at - from] : **p;

	if (**p >= '0' && **p <= '7') {
		unsigned value = 0;
		for (int i = 0; i < 3 && **p >= '0' && **p <= '7'; i++, ++*p)
			value = 8 * value + (unsigned)(**p - '0');
		c = (char)value;
	} else if (**p) {
		++*p;
	} else {
		c = '\\';
	}
	add(o, &c, 1);
}

/* Up to its NUL or the first byte that cannot be read. */
static void add_string(struct out *o, const struct agent_env *env, const struct conv *c, uint64_t addr)
{
	size_t max = c->has_precision ? c->precision : MAX_STRING, n = 0;
	char text[MAX_STRING + 1];

	if (!addr) {
		n = (size_t)snprintf(text, sizeof(text), "(null)");
	} else {
		while (n < max && env->read(env->ctx, addr + n, text + n, 1) == 0 && text[n])
			n++;
	}
	bool left = strchr(c->flags, '-') != NULL;
	if (left)
		add(o, text, n);
	for (size_t i = n; i < c->width; i++)
		add(o, " ", 1);
	if (!left)
		add(o, text, n);
}

static void add_integer(struct out *o, const struct conv *c, uint64_t v)
{
	char format[24], text[MAX_STRING + MAX_WIDTH];
	char precision[8] = "";
	int n;

	if (c->has_precision)
		snprintf(precision, sizeof(precision), ".%u", c->precision);
	if (c->what == 'c') {
		char one = (char)v;
		add(o, &one, 1);
		return;
	}
	snprintf(format, sizeof(format), "%%%s%u%sll%c", c->flags, c->width, precision, c->what == 'p' ? 'x' : c->what);
	if (!c->width) /* a 0 would be a flag */
		snprintf(format, sizeof(format), "%%%s%sll%c", c->flags, precision, c->what == 'p' ? 'x' : c->what);
	if (c->what == 'p')
		add(o, "0x", 2);
	else if (c->bits < 64)
		v = c->what == 'd' || c->what == 'i' ? (uint64_t)((int64_t)(v << (64 - c->bits)) >> (64 - c->bits))
						     : v & ((UINT64_C(1) << c->bits) - 1);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	n = snprintf(text, sizeof(text), format, (unsigned long long)v);
#pragma GCC diagnostic pop
	add(o, text, n < 0 ? 0 : (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
}

size_t agent_format(const struct agent_env *env, const char *format, const uint64_t *args, char text[AGENT_MAX_TEXT])
{
	struct out o = {text, 0};
	struct conv c;

	while (*format) {
		size_t plain = strcspn(format, "%\\");
		add(&o, format, plain);
		format += plain;
		if (*format == '\\') {
			format++;
			add_escape(&o, &format);
		} else if (*format && *++format == '%') {
			add(&o, format++, 1);
		} else if (*format && parse(&format, &c)) {
			if (c.what == 's')
				add_string(&o, env, &c, *args++);
			else
				add_integer(&o, &c, *args++);
		}
	}
	return o.len;
}
