/* Breakpoints and watchpoints: Z and z, types 0 to 4. */
#include "internal.h"

#include "hex.h"

#include <errno.h>

enum { WATCH = 2, LAST = 4, MAX_INSTRUCTION = 16 };

struct point {
	int type;
	uint64_t addr, kind;
	struct gdbstub_expr expr[GDBSTUB_CONDITIONS];
	size_t nexpr;
};

/* X LEN,HEX... [X LEN,HEX...]: into scratch. */
static bool parse_conditions(struct gdbstub *s, struct gdbstub_cur *c, struct point *p)
{
	size_t used = 0;

	while (gdbstub_cur_accept(c, 'X')) {
		uint64_t len = gdbstub_cur_hex(c);
		gdbstub_cur_expect(c, ',');
		if (c->bad || p->nexpr == GDBSTUB_CONDITIONS || !len || len > gdbstub_cur_left(c) / 2 ||
		    gdbstub_hex_decode(s->scratch + used, c->p, (size_t)len * 2) < 0)
			return false;
		p->expr[p->nexpr++] = (struct gdbstub_expr){(const uint8_t *)s->scratch + used, (size_t)len};
		used += (size_t)len;
		c->p += len * 2;
	}
	return p->nexpr > 0;
}

/* TYPE,ADDR,KIND[;CONDITIONS]. false: answered. Commands come after another ';': they were never announced, so they are
 * unknown. */
static bool parse(struct gdbstub *s, struct gdbstub_cur *c, struct point *p)
{
	uint64_t type = gdbstub_cur_hex(c);
	bool more;

	p->nexpr = 0;
	gdbstub_cur_expect(c, ',');
	p->addr = gdbstub_cur_hex(c);
	gdbstub_cur_expect(c, ',');
	p->kind = gdbstub_cur_hex(c);
	more = !c->bad && gdbstub_cur_accept(c, ';');
	if (!c->bad &&
	    (type > LAST || (more && (type >= WATCH || !s->ops->set_conditions || gdbstub_cur_left(c) == 0 || *c->p != 'X')))) {
		gdbstub_reply(s, "");
		return false;
	}
	p->type = (int)type;
	if ((more && !parse_conditions(s, c, p)) || !gdbstub_cur_done(c)) {
		gdbstub_reply_malformed(s);
		return false;
	}
	if (type < WATCH ? p->kind > MAX_INSTRUCTION : p->kind == 0 || (p->addr && p->kind > -p->addr)) {
		gdbstub_reply_error(s, EINVAL, "0x%llx is no length for it", (unsigned long long)p->kind);
		return false;
	}
	return true;
}

static void answer(struct gdbstub *s, int ret, const struct gdbstub_err *err)
{
	if (ret == -EOPNOTSUPP)
		gdbstub_reply(s, "");
	else if (ret < 0)
		gdbstub_reply_op_error(s, ret, err);
	else
		gdbstub_reply(s, "OK");
}

/* A breakpoint sent again has the conditions sent with it, and no others. */
static int insert(struct gdbstub *s, const struct point *p, struct gdbstub_err *err)
{
	int ret = s->ops->insert_point(s->ctx, p->type, p->addr, p->kind, err), cond;

	if (ret < 0 || p->type >= WATCH || !s->ops->set_conditions)
		return ret;
	cond = s->ops->set_conditions(s->ctx, p->type, p->addr, p->expr, p->nexpr, err);
	if (cond >= 0 || p->nexpr == 0)
		return ret;
	if (s->ops->remove_point) {
		struct gdbstub_err ignored = {0};
		s->ops->remove_point(s->ctx, p->type, p->addr, p->kind, &ignored);
	}
	return cond;
}

GDBSTUB_HANDLER(insert_point)
{
	struct gdbstub_err err = {0};
	struct point p;

	if (parse(s, c, &p))
		answer(s, insert(s, &p, &err), &err);
}

GDBSTUB_HANDLER(remove_point)
{
	struct gdbstub_err err = {0};
	struct point p;

	if (parse(s, c, &p))
		answer(s, s->ops->remove_point(s->ctx, p.type, p.addr, p.kind, &err), &err);
}

/* :0, or :1 and numbers of calls to the host; without any, all of them */
GDBSTUB_HANDLER(catch_calls)
{
	struct gdbstub_err err = {0};
	uint32_t numbers[64];
	bool on;
	size_t n = 0;
	int ret;

	gdbstub_cur_expect(c, ':');
	on = gdbstub_cur_hex_max(c, 1);
	while (on && n < sizeof(numbers) / sizeof(numbers[0]) && gdbstub_cur_accept(c, ';'))
		numbers[n++] = (uint32_t)gdbstub_cur_hex_max(c, UINT32_MAX);
	if (!gdbstub_cur_done(c)) {
		gdbstub_reply_malformed(s);
		return;
	}
	ret = s->ops->catch_calls(s->ctx, on, numbers, n, &err);
	if (ret < 0)
		gdbstub_reply_op_error(s, ret, &err);
	else
		gdbstub_reply(s, "OK");
}
