/* Packets to the client: the payload grows in the output queue; the checksum and the copy for '-' come at the end. */
#include "internal.h"

#include "hex.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Bulk reads go through here: sixteen bytes at a time, on every architecture. */
typedef uint8_t lanes __attribute__((vector_size(16)));

void gdbstub_out_char(struct gdbstub *s, char c)
{
	gdbstub_buf_add(&s->out, &c, 1);
}

void gdbstub_reply_begin(struct gdbstub *s)
{
	gdbstub_out_char(s, '$');
	s->reply_start = s->out.len;
}

void gdbstub_reply_raw(struct gdbstub *s, const void *p, size_t n)
{
	gdbstub_buf_add(&s->out, p, n);
}

void gdbstub_reply_hex(struct gdbstub *s, const void *p, size_t n)
{
	char *to = gdbstub_buf_room(&s->out, 2 * n);

	if (!to)
		return;
	gdbstub_hex_encode(to, p, n);
	s->out.len += 2 * n;
}

void gdbstub_reply_fmt(struct gdbstub *s, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n > 0)
		gdbstub_buf_add(&s->out, text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
}

static bool needs_escape(char c)
{
	return c == '#' || c == '$' || c == '*' || c == '}';
}

static bool any_needs_escape(lanes v)
{
	lanes hit = (lanes)((v == '#') | (v == '$') | (v == '*') | (v == '}'));
	uint64_t half[2];

	memcpy(half, &hit, sizeof(half));
	return half[0] | half[1];
}

size_t gdbstub_reply_binary(struct gdbstub *s, const void *p, size_t n)
{
	size_t used = s->out.len - s->reply_start, room = used < GDBSTUB_PACKET_SIZE ? GDBSTUB_PACKET_SIZE - used : 0;
	char *start = gdbstub_buf_room(&s->out, room), *to = start, *end = start + room;
	const char *from = p;
	size_t i = 0;
	lanes w;

	if (!start)
		return 0;
	while (i < n) {
		if (n - i >= sizeof(w) && (size_t)(end - to) >= sizeof(w)) {
			memcpy(&w, from + i, sizeof(w));
			if (!any_needs_escape(w)) {
				memcpy(to, &w, sizeof(w));
				to += sizeof(w);
				i += sizeof(w);
				continue;
			}
		}
		/* byte by byte over these */
		for (size_t stop = n - i < sizeof(w) ? n : i + sizeof(w); i < stop; i++) {
			bool escape = needs_escape(from[i]);
			if ((size_t)(end - to) < 1u + escape)
				goto full;
			if (escape)
				*to++ = '}';
			*to++ = escape ? (char)(from[i] ^ 0x20) : from[i];
		}
	}
full:
	s->out.len += (size_t)(to - start);
	return i;
}

/* Modulo 256, as the lanes are. */
static uint8_t checksum(const char *p, size_t n)
{
	lanes v, sums = {0};
	uint8_t sum = 0;

	for (; n >= sizeof(v); p += sizeof(v), n -= sizeof(v)) {
		memcpy(&v, p, sizeof(v));
		sums += v;
	}
	for (size_t i = 0; i < sizeof(sums); i++)
		sum = (uint8_t)(sum + sums[i]);
	for (; n > 0; p++, n--)
		sum = (uint8_t)(sum + (uint8_t)*p);
	return sum;
}

void gdbstub_notify_begin(struct gdbstub *s)
{
	gdbstub_out_char(s, '%');
	s->reply_start = s->out.len;
	gdbstub_buf_str(&s->out, "Stop:");
}

/* Returns the length of the body; 0: out of memory. */
static size_t close_body(struct gdbstub *s)
{
	size_t len = s->out.len - s->reply_start;
	char tail[4];

	if (s->out.failed)
		return 0;
	if (len > GDBSTUB_PACKET_SIZE) {
		s->out.len = s->reply_start;
		gdbstub_reply_raw(s, "E4b", 3); /* EOVERFLOW */
		len = 3;
	}
	if (s->trace)
		s->trace(s->trace_ctx, '>', s->out.data + s->reply_start, len);
	snprintf(tail, sizeof(tail), "#%02x", checksum(s->out.data + s->reply_start, len));
	gdbstub_reply_raw(s, tail, 3);
	return len;
}

void gdbstub_notify_end(struct gdbstub *s)
{
	close_body(s);
}

void gdbstub_reply_end(struct gdbstub *s)
{
	size_t len = close_body(s);

	if (s->out.failed)
		return;
	s->replied = true;
	if (s->no_ack)
		return;
	s->last.len = 0;
	gdbstub_buf_add(&s->last, s->out.data + s->reply_start - 1, len + 4);
}

/* Characters that do not serve as a count: the protocol's own, outside packets and in them. */
static bool no_count(size_t repeats)
{
	return memchr("#$%*+-", (int)repeats + 29, 6) != NULL;
}

/* c*k stands for c and k - 29 more of it, where k must be printable; it pays from three on. In place: it never grows. */
void gdbstub_reply_end_rle(struct gdbstub *s)
{
	enum { LONGEST = '~' - 29 };
	const char *from, *end;
	char *to;

	if (s->out.failed)
		return;
	from = to = s->out.data + s->reply_start;
	end = s->out.data + s->out.len;
	while (from < end) {
		size_t repeats = 0;
		char c = *from++;
		while (from + repeats < end && from[repeats] == c && repeats < LONGEST)
			repeats++;
		while (repeats >= 3 && no_count(repeats))
			repeats--;
		*to++ = c;
		if (repeats < 3)
			continue;
		*to++ = '*';
		*to++ = (char)(repeats + 29);
		from += repeats;
	}
	s->out.len = (size_t)(to - s->out.data);
	gdbstub_reply_end(s);
}

void gdbstub_reply(struct gdbstub *s, const char *text)
{
	gdbstub_reply_begin(s);
	gdbstub_reply_raw(s, text, strlen(text));
	gdbstub_reply_end(s);
}

/* Clients read this text as it comes, without resolving escapes: what would need one is replaced. */
static void make_plain(char *text)
{
	for (; *text; text++) {
		if (*text == '}')
			*text = ')';
		else if (*text < ' ' || *text > '~' || needs_escape(*text))
			*text = ' ';
	}
}

void gdbstub_reply_error(struct gdbstub *s, int code, const char *fmt, ...)
{
	char text[500];
	va_list ap;
	bool in_hex = s->features & GDBSTUB_CLIENT_ERROR_STRINGS;

	if (code < 0)
		code = -code;
	if (!in_hex && !(s->features & GDBSTUB_CLIENT_ERROR_MESSAGE)) {
		gdbstub_reply_begin(s);
		gdbstub_reply_fmt(s, "E%02x", code > 0 && code < 256 ? (unsigned)code : 1u);
		gdbstub_reply_end(s);
		return;
	}
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	make_plain(text);
	gdbstub_reply_begin(s);
	if (in_hex) {
		gdbstub_reply_fmt(s, "E%02x;", code > 0 && code < 256 ? (unsigned)code : 1u);
		gdbstub_reply_hex(s, text, strlen(text));
	} else {
		gdbstub_reply_fmt(s, "E.%s", text);
	}
	gdbstub_reply_end(s);
}

void gdbstub_reply_op_error(struct gdbstub *s, int code, const struct gdbstub_err *err)
{
	char text[sizeof(err->text)];

	snprintf(text, sizeof(text), "%.*s", (int)sizeof(text) - 1, err->text);
	gdbstub_reply_error(s, code, "%s", text[0] ? text : strerror(code < 0 ? -code : code));
}

void gdbstub_reply_malformed(struct gdbstub *s)
{
	gdbstub_reply_error(s, EINVAL, "the packet's arguments are malformed");
}

void gdbstub_reply_xfer(struct gdbstub *s, const void *data, size_t len, uint64_t off, uint64_t want)
{
	size_t n, taken;

	if (off > len) {
		gdbstub_reply_error(s, EINVAL, "offset 0x%llx is behind the end", (unsigned long long)off);
		return;
	}
	n = len - (size_t)off;
	gdbstub_reply_begin(s);
	gdbstub_reply_raw(s, "m", 1);
	taken = gdbstub_reply_binary(s, (const char *)data + off, want < n ? (size_t)want : n);
	if (taken == n && !s->out.failed)
		s->out.data[s->reply_start] = 'l';
	gdbstub_reply_end(s);
}
