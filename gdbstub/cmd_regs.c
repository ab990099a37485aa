/* g G p P: registers. */
#include "internal.h"

#include <errno.h>
#include <string.h>

enum { MAX_BYTES = 4096 / 8 };

int add_reg(struct gdbstub *s, int tid, unsigned n, struct gdbstub_err *err)
{
	const struct gdbstub_reg *reg = &s->arch->regs[n];
	uint8_t value[MAX_BYTES] = {0};
	size_t len = reg->bits / 8u;
	int r = s->ops->read_reg ? s->ops->read_reg(s->ctx, tid, n, value, err) : -ENODATA;

	if (r < 0 && r != -ENODATA)
		return r;
	if (r == 0) {
		reply_hex(s, value, len);
		return 0;
	}
	char *to = gdbstub_buf_room(&s->reply, 2 * len);
	if (!to)
		return -ENOMEM;
	memset(to, 'x', 2 * len);
	s->reply.len += 2 * len;
	return 0;
}

void cmd_read_regs(struct gdbstub *s, struct cursor *a)
{
	struct gdbstub_err err = {0};

	(void)a;
	for (unsigned n = 0; n < s->arch->ng; n++) {
		int r = add_reg(s, current_tid(s), n, &err);
		if (r < 0) {
			reply_error(s, r, &err);
			return;
		}
	}
}

/* One register from hex digits. What cannot be changed stays: G carries all of them. */
static int write_one(struct gdbstub *s, unsigned n, const char *hex, struct gdbstub_err *err)
{
	uint8_t value[MAX_BYTES];

	if (gdbstub_hex_decode(value, hex, 2 * (s->arch->regs[n].bits / 8u)) < 0)
		return -EINVAL;
	return s->ops->write_reg ? s->ops->write_reg(s->ctx, current_tid(s), n, value, err) : -EOPNOTSUPP;
}

void cmd_write_regs(struct gdbstub *s, struct cursor *a)
{
	struct gdbstub_err err = {0};

	for (unsigned n = 0; n < s->arch->ng && cursor_left(a); n++) {
		size_t digits = 2 * (s->arch->regs[n].bits / 8u);
		if (cursor_left(a) < digits) {
			reply_malformed(s);
			return;
		}
		int r = *a->p == 'x' ? 0 : write_one(s, n, a->p, &err);
		if (r < 0 && r != -EROFS && r != -ENODATA) {
			reply_error(s, r, &err);
			return;
		}
		a->p += digits;
	}
	reply_text(s, "OK");
}

void cmd_read_reg(struct gdbstub *s, struct cursor *a)
{
	struct gdbstub_err err = {0};
	uint64_t n;

	if (!cursor_hex(a, &n) || cursor_left(a) || n >= s->arch->nregs) {
		reply_malformed(s);
		return;
	}
	int r = add_reg(s, current_tid(s), (unsigned)n, &err);
	if (r < 0)
		reply_error(s, r, &err);
}

void cmd_write_reg(struct gdbstub *s, struct cursor *a)
{
	struct gdbstub_err err = {0};
	uint64_t n;

	if (!cursor_hex(a, &n) || !cursor_take(a, '=') || n >= s->arch->nregs ||
	    cursor_left(a) != 2 * (s->arch->regs[n].bits / 8u)) {
		reply_malformed(s);
		return;
	}
	reply_result(s, write_one(s, (unsigned)n, a->p, &err), &err);
}
