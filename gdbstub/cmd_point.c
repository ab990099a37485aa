/* Z z: breakpoints and watchpoints. */
#include "internal.h"

#include <errno.h>

typedef int point_fn(void *ctx, int type, uint64_t addr, uint64_t kind, struct gdbstub_err *err);

static void point(struct gdbstub *s, struct cursor *a, point_fn *fn)
{
	struct gdbstub_err err = {0};
	uint64_t type, addr, kind;

	if (!cursor_hex(a, &type) || !cursor_take(a, ',') || !cursor_hex(a, &addr) || !cursor_take(a, ',') ||
	    !cursor_hex(a, &kind))
		reply_malformed(s);
	else if (type > 4 || cursor_left(a) || !fn) /* conditions and commands were not announced */
		reply_error(s, EOPNOTSUPP, NULL);
	else
		reply_result(s, fn(s->ctx, (int)type, addr, kind, &err), &err);
}

void cmd_insert(struct gdbstub *s, struct cursor *a)
{
	point(s, a, s->ops->insert_point);
}

void cmd_remove(struct gdbstub *s, struct cursor *a)
{
	point(s, a, s->ops->remove_point);
}
