#include "buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *gdbstub_buf_room(struct gdbstub_buf *b, size_t n)
{
	size_t need, cap;
	char *p;

	if (b->failed)
		return NULL;
	if (b->cap - b->len >= n && b->data)
		return b->data + b->len;
	if (__builtin_add_overflow(b->len, n, &need) || __builtin_add_overflow(need, need / 2 + 256, &cap) ||
	    !(p = realloc(b->data, cap))) {
		b->failed = true;
		return NULL;
	}
	b->data = p;
	b->cap = cap;
	return p + b->len;
}

void gdbstub_buf_add(struct gdbstub_buf *b, const void *p, size_t n)
{
	char *to = gdbstub_buf_room(b, n);

	if (!to || n == 0)
		return;
	memcpy(to, p, n);
	b->len += n;
}

void gdbstub_buf_str(struct gdbstub_buf *b, const char *text)
{
	gdbstub_buf_add(b, text, strlen(text));
}

void gdbstub_buf_fmt(struct gdbstub_buf *b, const char *fmt, ...)
{
	va_list ap, again;
	char *to;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	to = n < 0 ? NULL : gdbstub_buf_room(b, (size_t)n + 1);
	if (to) {
		vsnprintf(to, (size_t)n + 1, fmt, again);
		b->len += (size_t)n;
	}
	va_end(again);
}

void gdbstub_buf_xml(struct gdbstub_buf *b, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		switch (c) {
		case '&':
			gdbstub_buf_str(b, "&amp;");
			break;
		case '<':
			gdbstub_buf_str(b, "&lt;");
			break;
		case '>':
			gdbstub_buf_str(b, "&gt;");
			break;
		case '"':
			gdbstub_buf_str(b, "&quot;");
			break;
		default:
			/* control characters are no XML; bytes above 126 would have to be proven UTF-8 */
			gdbstub_buf_add(b, c < ' ' || c > 126 ? "?" : text, 1);
		}
	}
}

void gdbstub_buf_free(struct gdbstub_buf *b)
{
	free(b->data);
	memset(b, 0, sizeof(*b));
}
