/* Breakpoints and watchpoints: Z and z, types 0 to 4. */
#include "internal.h"

#include <errno.h>

enum { WATCH = 2, LAST = 4, MAX_INSTRUCTION = 16 };

struct point {
	int type;
	uint64_t addr, kind;
};

/* TYPE,ADDR,KIND. false: answered. Conditions and commands come after ';': they were never announced, so they are unknown. */
static bool parse(struct gdbstub *s, struct gdbstub_cur *c, struct point *p)
{
	uint64_t type = gdbstub_cur_hex(c);

	gdbstub_cur_expect(c, ',');
	p->addr = gdbstub_cur_hex(c);
	gdbstub_cur_expect(c, ',');
	p->kind = gdbstub_cur_hex(c);
	if (!c->bad && (type > LAST || gdbstub_cur_accept(c, ';'))) {
		gdbstub_reply(s, "");
		return false;
	}
	p->type = (int)type;
	if (!gdbstub_cur_done(c)) {
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

GDBSTUB_HANDLER(insert_point)
{
	struct gdbstub_err err = {0};
	struct point p;

	if (parse(s, c, &p))
		answer(s, s->ops->insert_point(s->ctx, p.type, p.addr, p.kind, &err), &err);
}

GDBSTUB_HANDLER(remove_point)
{
	struct gdbstub_err err = {0};
	struct point p;

	if (parse(s, c, &p))
		answer(s, s->ops->remove_point(s->ctx, p.type, p.addr, p.kind, &err), &err);
}
