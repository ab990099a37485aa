/* Registers: g G p P. Values are little endian hex; "xx" stands for a byte that is unavailable. */
#include "internal.h"

#include "hex.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_REG = 512 }; /* bytes; struct gdbstub_reg promises it */

static size_t reg_size(const struct gdbstub *s, unsigned reg)
{
	size_t n = s->arch->regs[reg].bits / 8;

	return n < MAX_REG ? n : MAX_REG;
}

/* FNV-1a, never 0 */
static uint64_t hash_of(const char *value, size_t n)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < n; i++)
		h = (h ^ (uint8_t)value[i]) * UINT64_C(0x100000001b3);
	return h ? h : 1;
}

/* Without memory nothing is remembered. */
static void remember(struct gdbstub *s, unsigned reg, const char *value, size_t n)
{
	if (s->told_n != s->arch->nregs) { /* described anew */
		free(s->told);
		s->told = calloc(s->arch->nregs, sizeof(*s->told));
		s->told_n = s->told ? s->arch->nregs : 0;
	}
	if (reg < s->told_n)
		s->told[reg] = hash_of(value, n);
}

/* gdb saves all registers before it calls a function of the guest's, and puts all of them back. */
static bool is_put_back(const struct gdbstub *s, unsigned reg, const char *value, size_t n)
{
	return s->told_n == s->arch->nregs && s->told[reg] == hash_of(value, n);
}

/* Append one register to the open reply. 0, or what the op said; refuse: also of one that is unavailable. */
static int put_reg(struct gdbstub *s, int tid, unsigned reg, bool refuse, struct gdbstub_err *err)
{
	char value[MAX_REG] = {0};
	size_t n = reg_size(s, reg);
	int ret = s->ops->read_reg(s->ctx, tid, reg, value, err);

	if (ret == -ENODATA && !refuse) {
		for (size_t i = 0; i < n; i++)
			gdbstub_reply_raw(s, "xx", 2);
		return 0;
	}
	if (ret == 0 && s->arch->regs[reg].readonly)
		remember(s, reg, value, n);
	if (ret == 0)
		gdbstub_reply_hex(s, value, n);
	return ret;
}

/* [first, end) of the general thread */
static void send_regs(struct gdbstub *s, unsigned first, unsigned end)
{
	struct gdbstub_err err = {0};
	int tid = gdbstub_general_thread(s), ret = tid ? 0 : -ESRCH;
	size_t start = s->out.len;
	bool refuse = s->features & GDBSTUB_CLIENT_LLDB && end - first == 1; /* it takes "xx" for a value */

	gdbstub_reply_begin(s);
	for (unsigned i = first; i < end && ret == 0; i++)
		ret = put_reg(s, tid, i, refuse, &err);
	if (ret == 0) {
		gdbstub_reply_end_rle(s);
		return;
	}
	s->out.len = s->out.failed ? s->out.len : start; /* take back what was begun */
	gdbstub_reply_op_error(s, ret, &err);
}

GDBSTUB_HANDLER(read_regs)
{
	if (!gdbstub_cur_done(c))
		gdbstub_reply_malformed(s);
	else
		send_regs(s, 0, s->arch->ng);
}

GDBSTUB_HANDLER(read_reg)
{
	uint64_t reg = gdbstub_cur_hex(c);

	if (!gdbstub_cur_done(c))
		gdbstub_reply_malformed(s);
	else if (reg >= s->arch->nregs)
		gdbstub_reply_error(s, EINVAL, "there is no register %llu", (unsigned long long)reg);
	else
		send_regs(s, (unsigned)reg, (unsigned)reg + 1);
}

static bool unavailable(const char *digits, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (digits[i] != 'x')
			return false;
	return true;
}

/* Every register of the packet parses, and none is missing. */
static bool check_regs(const struct gdbstub *s, struct gdbstub_cur c)
{
	char value[MAX_REG];

	for (unsigned i = 0; i < s->arch->ng; i++) {
		size_t n = 2 * reg_size(s, i);
		if (gdbstub_cur_left(&c) < n || (!unavailable(c.p, n) && gdbstub_hex_decode(value, c.p, n) < 0))
			return false;
		c.p += n;
	}
	return gdbstub_cur_done(&c);
}

/* A client that changes one register may send them all: what cannot be written is skipped. */
GDBSTUB_HANDLER(write_regs)
{
	struct gdbstub_err err = {0};
	int tid = gdbstub_general_thread(s);
	char value[MAX_REG];

	if (tid == 0 || !check_regs(s, *c)) {
		gdbstub_reply_malformed(s);
		return;
	}
	for (unsigned i = 0; i < s->arch->ng; i++) {
		size_t n = 2 * reg_size(s, i);
		int ret = 0;
		if (!s->arch->regs[i].readonly && !unavailable(c->p, n)) {
			gdbstub_hex_decode(value, c->p, n);
			ret = s->ops->write_reg(s->ctx, tid, i, value, &err);
		}
		if (ret < 0 && ret != -ENODATA) {
			gdbstub_reply_op_error(s, ret, &err);
			return;
		}
		c->p += n;
	}
	gdbstub_reply(s, "OK");
}

GDBSTUB_HANDLER(write_reg)
{
	struct gdbstub_err err = {0};
	char value[MAX_REG];
	uint64_t reg = gdbstub_cur_hex(c);
	int tid = gdbstub_general_thread(s), ret;

	gdbstub_cur_expect(c, '=');
	if (c->bad) {
		gdbstub_reply_malformed(s);
	} else if (reg >= s->arch->nregs || tid == 0) {
		gdbstub_reply_error(s, EINVAL, "there is no register %llu", (unsigned long long)reg);
	} else if (gdbstub_cur_left(c) != 2 * reg_size(s, (unsigned)reg) ||
		   gdbstub_hex_decode(value, c->p, gdbstub_cur_left(c)) < 0) {
		gdbstub_reply_error(s, EINVAL, "%s has %u bits", s->arch->regs[reg].name, s->arch->regs[reg].bits);
	} else if (s->arch->regs[reg].readonly && is_put_back(s, (unsigned)reg, value, reg_size(s, (unsigned)reg))) {
		gdbstub_reply(s, "OK");
	} else if (s->arch->regs[reg].readonly) {
		gdbstub_reply_error(s, EROFS, "%s cannot be written", s->arch->regs[reg].name);
	} else {
		ret = s->ops->write_reg(s->ctx, tid, (unsigned)reg, value, &err);
		if (ret < 0)
			gdbstub_reply_op_error(s, ret, &err);
		else
			gdbstub_reply(s, "OK");
	}
}
