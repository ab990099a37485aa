/* m M x X: target memory. */
#include "internal.h"

#include <errno.h>
#include <string.h>

static bool addr_len(struct cursor *a, uint64_t *addr, uint64_t *len)
{
	return cursor_hex(a, addr) && cursor_take(a, ',') && cursor_hex(a, len);
}

/* Memory is read into the end of the reply buffer's room; returns where, NULL when an error was answered. */
static char *read_some(struct gdbstub *s, struct cursor *a, size_t per_byte, size_t *len)
{
	struct gdbstub_err err = {0};
	uint64_t addr, want;
	ssize_t n;

	if (!addr_len(a, &addr, &want) || cursor_left(a)) {
		reply_malformed(s);
		return NULL;
	}
	size_t max = (GDBSTUB_PACKET_SIZE - 16) / per_byte;
	if (want > max)
		want = max;
	*len = 0;
	char *to = gdbstub_buf_room(&s->reply, (size_t)(want + 1) * (per_byte + 1));
	if (!to || !want)
		return to;
	if (!s->ops->read_mem) {
		reply_error(s, EOPNOTSUPP, NULL);
		return NULL;
	}
	char *raw = to + (per_byte == 2 ? 2 * want : 1);
	n = s->ops->read_mem(s->ctx, current_tid(s), addr, raw, (size_t)want, &err);
	if (n <= 0) {
		reply_error(s, n < 0 ? (int)n : EFAULT, &err);
		return NULL;
	}
	*len = (size_t)n;
	return raw;
}

void cmd_read_mem(struct gdbstub *s, struct cursor *a)
{
	size_t n;
	char *raw = read_some(s, a, 2, &n);

	if (!raw)
		return;
	/* the raw bytes lie behind the digits in the same room */
	gdbstub_hex_encode(s->reply.data, raw, n);
	s->reply.len = 2 * n;
}

void cmd_read_binary(struct gdbstub *s, struct cursor *a)
{
	size_t n;
	char *raw = read_some(s, a, 1, &n);

	if (!raw)
		return;
	s->reply.data[0] = 'b';
	s->reply.len = 1 + n;
	s->binary = true;
}

static void write_some(struct gdbstub *s, uint64_t addr, const void *buf, size_t len)
{
	struct gdbstub_err err = {0};

	if (!s->ops->write_mem)
		reply_error(s, EOPNOTSUPP, NULL);
	else
		reply_result(s, len ? s->ops->write_mem(s->ctx, current_tid(s), addr, buf, len, &err) : 0, &err);
}

void cmd_write_mem(struct gdbstub *s, struct cursor *a)
{
	uint64_t addr, len;

	if (!addr_len(a, &addr, &len) || !cursor_take(a, ':') || cursor_left(a) % 2 || cursor_left(a) / 2 != len) {
		reply_malformed(s);
		return;
	}
	char *raw = gdbstub_buf_room(&s->reply, (size_t)len + 1);
	if (!raw)
		return;
	if (gdbstub_hex_decode(raw, a->p, cursor_left(a)) < 0)
		reply_malformed(s);
	else
		write_some(s, addr, raw, (size_t)len);
}

void cmd_write_binary(struct gdbstub *s, struct cursor *a)
{
	uint64_t addr, len;

	if (!addr_len(a, &addr, &len) || !cursor_take(a, ':') || cursor_left(a) != len)
		reply_malformed(s);
	else
		write_some(s, addr, a->p, (size_t)len);
}
