/* The byte machine: $payload#checksum, acks, escapes, run lengths, ^C. Knows no packet. GDB manual, "Overview" of the protocol.
 */
#include "internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- buffers */

char *gdbstub_buf_room(struct gdbstub_buf *b, size_t n)
{
	if (b->cap - b->len < n) {
		size_t cap = b->cap ? b->cap : 256;
		while (cap - b->len < n)
			cap *= 2;
		char *data = realloc(b->data, cap);
		if (!data) {
			b->failed = true;
			return NULL;
		}
		b->data = data;
		b->cap = cap;
	}
	return b->data + b->len;
}

void gdbstub_buf_add(struct gdbstub_buf *b, const void *p, size_t n)
{
	char *to = n ? gdbstub_buf_room(b, n) : NULL;
	if (!to)
		return;
	memcpy(to, p, n);
	b->len += n;
}

void gdbstub_buf_printf(struct gdbstub_buf *b, const char *fmt, ...)
{
	va_list ap, again;

	va_start(ap, fmt);
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	char *to = n >= 0 ? gdbstub_buf_room(b, (size_t)n + 1) : NULL;
	if (to) {
		vsnprintf(to, (size_t)n + 1, fmt, again);
		b->len += (size_t)n;
	}
	va_end(again);
	va_end(ap);
}

/* --- to the client */

static bool is_special(uint8_t c)
{
	return c == '#' || c == '$' || c == '}' || c == '*';
}

/* Copies of blocks without special characters run at memory speed: `x` is made for bulk. */
enum { BLOCK = 64 };

__attribute__((optimize("O3"))) static bool plain_block(const uint8_t *p, uint8_t *sum)
{
	uint8_t total = 0, special = 0;

	for (int i = 0; i < BLOCK; i++) {
		uint8_t c = p[i];
		total += c;
		special |= (uint8_t)((c == '#') | (c == '$') | (c == '}') | (c == '*'));
	}
	*sum += total;
	return !special;
}

static char *put_binary(char *to, const uint8_t *p, size_t len, uint8_t *sum)
{
	while (len) {
		uint8_t before = *sum;
		if (len >= BLOCK && plain_block(p, sum)) {
			memcpy(to, p, BLOCK);
			to += BLOCK;
			p += BLOCK;
			len -= BLOCK;
			continue;
		}
		*sum = before;
		for (size_t n = len < BLOCK ? len : BLOCK; n; n--, len--) {
			uint8_t c = *p++;
			if (is_special(c)) {
				*to++ = '}';
				*sum += '}';
				c ^= 0x20;
			}
			*to++ = (char)c;
			*sum += c;
		}
	}
	return to;
}

/* c*N: N - 29 more of c. Counts that would make N one of "#$+-" are shortened. */
static char *put_text(char *to, const char *p, size_t len, uint8_t *sum)
{
	while (len) {
		size_t run = 1;
		while (run < len && run < 98 && p[run] == p[0])
			run++;
		size_t more = run - 1;
		while (more >= 3 && strchr("#$+-", (int)(more + 29)))
			more--;
		*to++ = *p;
		*sum += (uint8_t)*p;
		if (more >= 3) {
			*to++ = '*';
			*to++ = (char)(more + 29);
			*sum += (uint8_t)('*' + more + 29);
		} else {
			more = 0;
		}
		p += 1 + more;
		len -= 1 + more;
	}
	return to;
}

static bool has_special(const char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (is_special((uint8_t)p[i]))
			return true;
	return false;
}

void gdbstub_send(struct gdbstub *s, const char *payload, size_t len, bool binary)
{
	static const char digits[] = "0123456789abcdef";
	struct gdbstub_buf *b = &s->out;
	uint8_t sum = 0;

	if (s->out_sent == b->len)
		s->out_sent = b->len = 0;
	char *start = gdbstub_buf_room(b, 2 * len + 4), *to = start;
	if (!to)
		return;
	*to++ = '$';
	to = binary || has_special(payload, len) ? put_binary(to, (const uint8_t *)payload, len, &sum)
						 : put_text(to, payload, len, &sum);
	*to++ = '#';
	*to++ = digits[sum >> 4];
	*to++ = digits[sum & 15];
	b->len += (size_t)(to - start);
	if (!s->no_ack) {
		s->last.len = 0;
		gdbstub_buf_add(&s->last, start, (size_t)(to - start));
	}
	if (s->trace)
		s->trace(s->trace_ctx, '>', payload, len);
}

/* --- from the client */

static void put(struct gdbstub *s, char c)
{
	if (s->packet_len < GDBSTUB_PACKET_SIZE)
		s->packet[s->packet_len++] = c;
	else
		s->too_long = true;
}

static void begin(struct gdbstub *s)
{
	s->rx = RX_DATA;
	s->packet_len = 0;
	s->sum = 0;
	s->too_long = false;
}

static void idle_byte(struct gdbstub *s, uint8_t c)
{
	switch (c) {
	case '$':
		begin(s);
		break;
	case '-':
		if (!s->no_ack)
			gdbstub_buf_add(&s->out, s->last.data, s->last.len);
		break;
	case 0x03:
		if (s->running)
			s->ops->interrupt(s->ctx);
		break;
	default: /* '+', or noise between packets */
		break;
	}
}

static void data_byte(struct gdbstub *s, uint8_t c)
{
	switch (c) {
	case '#':
		s->rx = RX_SUM_HIGH;
		return;
	case '$': /* the client gave up the packet before */
		begin(s);
		return;
	case '}':
		s->rx = RX_ESCAPE;
		break;
	case '*':
		s->rx = RX_REPEAT;
		break;
	default:
		put(s, (char)c);
	}
	s->sum += c;
}

static void repeat_byte(struct gdbstub *s, uint8_t c)
{
	char last = s->packet_len ? s->packet[s->packet_len - 1] : 0;

	for (int n = c - 29; s->packet_len && n > 0; n--)
		put(s, last);
	s->sum += c;
	s->rx = RX_DATA;
}

/* The low digit of the checksum: is the packet good? */
static bool finish(struct gdbstub *s, uint8_t c)
{
	int low = gdbstub_hex_digit((char)c);
	bool right = s->sum_high >= 0 && low >= 0 && (s->sum_high << 4 | low) == s->sum;

	s->rx = RX_IDLE;
	if (!s->no_ack)
		gdbstub_buf_add(&s->out, right ? "+" : "-", 1);
	if (!right && !s->no_ack)
		return false;
	s->packet[s->packet_len] = '\0';
	return true;
}

bool gdbstub_rx_byte(struct gdbstub *s, uint8_t c)
{
	switch (s->rx) {
	case RX_IDLE:
		idle_byte(s, c);
		return false;
	case RX_DATA:
		data_byte(s, c);
		return false;
	case RX_ESCAPE:
		put(s, (char)(c ^ 0x20));
		s->sum += c;
		s->rx = RX_DATA;
		return false;
	case RX_REPEAT:
		repeat_byte(s, c);
		return false;
	case RX_SUM_HIGH:
		s->sum_high = gdbstub_hex_digit((char)c);
		s->rx = RX_SUM_LOW;
		return false;
	case RX_SUM_LOW:
		return finish(s, c);
	}
	return false;
}
