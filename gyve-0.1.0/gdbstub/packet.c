#include "packet.h"

#include "hex.h"

#include <limits.h>
#include <string.h>

uint64_t gdbstub_cur_hex(struct gdbstub_cur *c)
{
	const char *start = c->p;
	uint64_t v = 0;
	int digit;

	while (c->p < c->end && (digit = gdbstub_hex_digit(*c->p)) >= 0) {
		if (v >> 60)
			c->bad = true;
		v = v << 4 | (uint64_t)digit;
		c->p++;
	}
	if (c->p == start)
		c->bad = true;
	return c->bad ? 0 : v;
}

uint64_t gdbstub_cur_hex_max(struct gdbstub_cur *c, uint64_t max)
{
	uint64_t v = gdbstub_cur_hex(c);

	if (v > max) {
		c->bad = true;
		return 0;
	}
	return v;
}

int gdbstub_cur_thread(struct gdbstub_cur *c)
{
	if (gdbstub_cur_accept(c, '-')) {
		if (gdbstub_cur_hex(c) != 1)
			c->bad = true;
		return -1;
	}
	return (int)gdbstub_cur_hex_max(c, INT_MAX);
}

void gdbstub_cur_expect(struct gdbstub_cur *c, char ch)
{
	if (!gdbstub_cur_accept(c, ch))
		c->bad = true;
}

bool gdbstub_cur_accept(struct gdbstub_cur *c, char ch)
{
	if (c->p == c->end || *c->p != ch)
		return false;
	c->p++;
	return true;
}

struct gdbstub_cur gdbstub_cur_until(struct gdbstub_cur *c, char sep)
{
	size_t left = gdbstub_cur_left(c);
	const char *at = left ? memchr(c->p, sep, left) : NULL;
	struct gdbstub_cur part = {c->p, at ? at : c->end, c->bad};

	c->p = at ? at + 1 : c->end;
	return part;
}

bool gdbstub_cur_done(const struct gdbstub_cur *c)
{
	return !c->bad && c->p == c->end;
}

size_t gdbstub_cur_left(const struct gdbstub_cur *c)
{
	return (size_t)(c->end - c->p);
}

bool gdbstub_cur_is(const struct gdbstub_cur *c, const char *text)
{
	size_t n = strlen(text);

	return gdbstub_cur_left(c) == n && memcmp(c->p, text, n) == 0;
}

void gdbstub_cur_hex_text(struct gdbstub_cur *c, char *out, size_t size)
{
	size_t left = gdbstub_cur_left(c);
	ssize_t n = left / 2 < size ? gdbstub_hex_decode(out, c->p, left) : -1;

	c->p = c->end;
	if (n < 0 || memchr(out, '\0', (size_t)n)) {
		c->bad = true;
		n = 0;
	}
	out[n] = '\0';
}
