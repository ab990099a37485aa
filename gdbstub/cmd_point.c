/* Breakpoints and watchpoints: Z and z, types 0 to 4. */
#include "internal.h"

#include "hex.h"

#include <errno.h>
#include <string.h>

enum { WATCH = 2, LAST = 4, MAX_INSTRUCTION = 16 };

struct exprs {
	struct gdbstub_expr e[GDBSTUB_CONDITIONS];
	size_t n;
};

struct point {
	int type;
	uint64_t addr, kind;
	struct exprs conds, cmds;
	bool persist;
};

/* X LEN,HEX... [X LEN,HEX...]: into scratch behind *used. */
static bool parse_exprs(struct gdbstub *s, struct gdbstub_cur *c, struct exprs *x, size_t *used)
{
	while (gdbstub_cur_accept(c, 'X')) {
		uint64_t len = gdbstub_cur_hex(c);
		gdbstub_cur_expect(c, ',');
		if (c->bad || x->n == GDBSTUB_CONDITIONS || !len || len > gdbstub_cur_left(c) / 2 ||
		    gdbstub_hex_decode(s->scratch + *used, c->p, (size_t)len * 2) < 0)
			return false;
		x->e[x->n++] = (struct gdbstub_expr){(const uint8_t *)s->scratch + *used, (size_t)len};
		*used += (size_t)len;
		c->p += len * 2;
	}
	return x->n > 0;
}

/* CONDITIONS, cmds:PERSIST,COMMANDS, each behind a ';'. -EOPNOTSUPP: there is another thing. */
static int parse_more(struct gdbstub *s, struct gdbstub_cur *c, struct point *p)
{
	static const char cmds[] = "cmds:";
	size_t used = 0, n = sizeof(cmds) - 1;

	while (gdbstub_cur_accept(c, ';')) {
		if (gdbstub_cur_left(c) && *c->p == 'X' && s->ops->set_conditions && !p->conds.n) {
			if (!parse_exprs(s, c, &p->conds, &used))
				return -EINVAL;
		} else if (gdbstub_cur_left(c) >= n && memcmp(c->p, cmds, n) == 0 && s->ops->set_commands && !p->cmds.n) {
			c->p += n;
			p->persist = gdbstub_cur_hex_max(c, 1);
			gdbstub_cur_expect(c, ',');
			if (c->bad || !parse_exprs(s, c, &p->cmds, &used))
				return -EINVAL;
		} else {
			return -EOPNOTSUPP;
		}
	}
	return 0;
}

/* TYPE,ADDR,KIND[;CONDITIONS][;cmds:PERSIST,COMMANDS]. false: answered. */
static bool parse(struct gdbstub *s, struct gdbstub_cur *c, struct point *p)
{
	uint64_t type = gdbstub_cur_hex(c);
	int more = 0;

	memset(p, 0, sizeof(*p));
	gdbstub_cur_expect(c, ',');
	p->addr = gdbstub_cur_hex(c);
	gdbstub_cur_expect(c, ',');
	p->kind = gdbstub_cur_hex(c);
	if (!c->bad && type <= LAST)
		more = type < WATCH ? parse_more(s, c, p) : gdbstub_cur_left(c) ? -EOPNOTSUPP : 0;
	if (!c->bad && (type > LAST || more == -EOPNOTSUPP)) {
		gdbstub_reply(s, "");
		return false;
	}
	p->type = (int)type;
	if (more < 0 || !gdbstub_cur_done(c)) {
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

/* A breakpoint sent again has the conditions and commands sent with it, and no others. */
static int insert(struct gdbstub *s, const struct point *p, struct gdbstub_err *err)
{
	int ret = s->ops->insert_point(s->ctx, p->type, p->addr, p->kind, err), more = 0;

	if (ret < 0 || p->type >= WATCH)
		return ret;
	if (s->ops->set_conditions)
		more = s->ops->set_conditions(s->ctx, p->type, p->addr, p->conds.e, p->conds.n, err);
	if ((more >= 0 || !p->conds.n) && s->ops->set_commands)
		more = s->ops->set_commands(s->ctx, p->type, p->addr, p->cmds.e, p->cmds.n, p->persist, err);
	if (more >= 0 || (!p->conds.n && !p->cmds.n))
		return ret;
	if (s->ops->remove_point) {
		struct gdbstub_err ignored = {0};
		s->ops->remove_point(s->ctx, p->type, p->addr, p->kind, &ignored);
	}
	return more;
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
