/* Memory: m M x X, and whether addresses are virtual or physical. */
#include "internal.h"

#include "hex.h"

#include <errno.h>
#include <inttypes.h>

/* Bytes from addr to the end of the address space, if fewer than len. */
static uint64_t clamp(uint64_t addr, uint64_t len)
{
	return addr && len > -addr ? -addr : len;
}

/* ADDR,LEN, then the op into scratch, at most max bytes. -1: an error was sent. */
static ssize_t read_args(struct gdbstub *s, struct gdbstub_cur *c, size_t max)
{
	struct gdbstub_err err = {0};
	uint64_t addr, len;
	int tid;
	ssize_t n;

	addr = gdbstub_cur_hex(c);
	gdbstub_cur_expect(c, ',');
	len = clamp(addr, gdbstub_cur_hex(c));
	if (!gdbstub_cur_done(c)) {
		gdbstub_reply_malformed(s);
		return -1;
	}
	if (len == 0)
		return 0;
	if (len > max)
		len = max;
	tid = gdbstub_general_thread(s);
	if (tid == 0) {
		gdbstub_reply_error(s, ESRCH, "there is no thread");
		return -1;
	}
	n = s->ops->read_mem(s->ctx, tid, addr, s->scratch, (size_t)len, &err);
	if (n <= 0 || (size_t)n > len) {
		gdbstub_reply_op_error(s, n < 0 ? (int)n : -EFAULT, &err);
		return -1;
	}
	return n;
}

GDBSTUB_HANDLER(read_mem)
{
	ssize_t n = read_args(s, c, GDBSTUB_PACKET_SIZE / 2);

	if (n < 0)
		return;
	if (n == 0) { /* an empty reply would say that there is no such packet */
		gdbstub_reply_error(s, EINVAL, "zero bytes are nothing to read");
		return;
	}
	gdbstub_reply_begin(s);
	gdbstub_reply_hex(s, s->scratch, (size_t)n);
	gdbstub_reply_end(s);
}

GDBSTUB_HANDLER(read_binary)
{
	ssize_t n = read_args(s, c, GDBSTUB_PACKET_SIZE - 1);

	if (n < 0)
		return;
	gdbstub_reply_begin(s);
	gdbstub_reply_raw(s, "b", 1);
	gdbstub_reply_binary(s, s->scratch, (size_t)n); /* what escapes push out is a short read */
	gdbstub_reply_end(s);
}

static bool write_args(struct gdbstub_cur *c, uint64_t *addr, uint64_t *len)
{
	*addr = gdbstub_cur_hex(c);
	gdbstub_cur_expect(c, ',');
	*len = gdbstub_cur_hex(c);
	gdbstub_cur_expect(c, ':');
	return !c->bad && clamp(*addr, *len) == *len;
}

static void write_bytes(struct gdbstub *s, uint64_t addr, const void *data, size_t len)
{
	struct gdbstub_err err = {0};
	int tid = gdbstub_general_thread(s), ret;

	if (tid == 0) {
		gdbstub_reply_error(s, ESRCH, "there is no thread");
		return;
	}
	ret = len ? s->ops->write_mem(s->ctx, tid, addr, data, len, &err) : 0;
	if (ret < 0)
		gdbstub_reply_op_error(s, ret, &err);
	else
		gdbstub_reply(s, "OK");
}

GDBSTUB_HANDLER(write_mem)
{
	uint64_t addr, len;
	ssize_t n;

	if (!write_args(c, &addr, &len) || (n = gdbstub_hex_decode(s->scratch, c->p, gdbstub_cur_left(c))) < 0 ||
	    (uint64_t)n != len) {
		gdbstub_reply_malformed(s);
		return;
	}
	write_bytes(s, addr, s->scratch, (size_t)n);
}

/* Zero bytes are how a client asks whether X is known. */
GDBSTUB_HANDLER(write_binary)
{
	uint64_t addr, len;

	if (!write_args(c, &addr, &len) || gdbstub_cur_left(c) != len) {
		gdbstub_reply_malformed(s);
		return;
	}
	write_bytes(s, addr, c->p, (size_t)len);
}

GDBSTUB_HANDLER(phys_mode_set)
{
	int ret;
	uint64_t on;

	gdbstub_cur_expect(c, ':');
	on = gdbstub_cur_hex_max(c, 1);
	if (!gdbstub_cur_done(c)) {
		gdbstub_reply_malformed(s);
		return;
	}
	ret = s->ops->set_phys_mode(s->ctx, on == 1);
	if (ret < 0)
		gdbstub_reply_error(s, ret, "the target cannot switch its view of memory");
	else
		gdbstub_reply(s, "OK");
}

GDBSTUB_HANDLER(phys_mode_get)
{
	if (!gdbstub_cur_done(c))
		gdbstub_reply_malformed(s);
	else
		gdbstub_reply(s, s->ops->get_phys_mode(s->ctx) ? "1" : "0");
}
