/* Points of the client, and the address space that each belongs to: the one chosen (monitor as) when the client first set it.
 *
 * gdb takes all of its points out when the guest stops and puts them back when it goes on, so what it puts back has to be known
 * for that. What it takes out between two commands of its user is deleted, and so is what it has not put back when the guest
 * goes on. */
#include "stub_glue.h"

#include <errno.h>
#include <stdlib.h>

struct glue_point {
	int type;
	uint64_t addr, kind;
	bool out;
	struct gyve_space in;
};

static bool is_watch(int type)
{
	return type >= GYVE_POINT_WRITE;
}

static struct glue_point *known(struct gyve_glue *g, int type, uint64_t addr, uint64_t kind)
{
	for (size_t i = 0; i < g->points.n; i++) {
		struct glue_point *p = &g->points.list[i];
		if (p->type == type && p->addr == addr && (!is_watch(type) || p->kind == kind))
			return p;
	}
	return NULL;
}

static void forget(struct gyve_glue *g, struct glue_point *p)
{
	*p = g->points.list[--g->points.n];
}

/* NULL: no memory for one more. */
static struct glue_point *note(struct gyve_glue *g, int type, uint64_t addr, uint64_t kind)
{
	if (g->points.n == g->points.cap) {
		size_t cap = g->points.cap ? 2 * g->points.cap : 16;
		struct glue_point *list = reallocarray(g->points.list, cap, sizeof(*list));
		if (!list)
			return NULL;
		g->points.list = list;
		g->points.cap = cap;
	}
	struct glue_point *p = &g->points.list[g->points.n++];
	*p = (struct glue_point){.type = type, .addr = addr, .kind = kind, .in = g->target->as};
	return p;
}

static void name_space(struct gyve_glue *g, const struct glue_point *p)
{
	if (g->target->ops->point_space)
		g->target->ops->point_space(g->target->ctx, p ? &p->in : &g->target->as);
}

/* Z0..Z4 in the order of enum gyve_point_kind */
int gyve_glue_insert_point(void *ctx, int type, uint64_t addr, uint64_t kind, struct gdbstub_err *out)
{
	struct gyve_glue *g = ctx;
	struct gyve_err err = {0};

	if (type < 0 || type > GYVE_POINT_ACCESS)
		return -EOPNOTSUPP;
	struct glue_point *p = known(g, type, addr, kind);
	if (!p && !(p = note(g, type, addr, kind)))
		return gyve_glue_err(out, &err, gyve_err_set(&err, -ENOMEM, "out of memory"));
	name_space(g, p);
	p->out = false;
	int r = gyve_target_point_insert(g->target, (enum gyve_point_kind)type, addr, kind, &err);
	if (r < 0)
		forget(g, p);
	return gyve_glue_err(out, &err, r);
}

int gyve_glue_remove_point(void *ctx, int type, uint64_t addr, uint64_t kind, struct gdbstub_err *out)
{
	struct gyve_glue *g = ctx;
	struct gyve_err err = {0};

	if (type < 0 || type > GYVE_POINT_ACCESS)
		return -EOPNOTSUPP;
	struct glue_point *p = known(g, type, addr, kind);
	name_space(g, p);
	int r = gyve_target_point_remove(g->target, (enum gyve_point_kind)type, addr, kind);
	if (p && g->points.asked)
		forget(g, p);
	else if (p)
		p->out = true;
	return gyve_glue_err(out, &err, r);
}

int gyve_glue_set_conditions(void *ctx, int type, uint64_t addr, const struct gdbstub_expr *e, size_t n,
			     struct gdbstub_err *out)
{
	struct gyve_agent_expr exprs[GDBSTUB_CONDITIONS];
	struct gyve_glue *g = ctx;
	struct gyve_err err = {0};

	for (size_t i = 0; i < n; i++)
		exprs[i] = (struct gyve_agent_expr){e[i].code, e[i].len};
	name_space(g, known(g, type, addr, 0));
	return gyve_glue_err(out, &err,
			     gyve_target_point_conditions(g->target, (enum gyve_point_kind)type, addr, exprs, n, &err));
}

int gyve_glue_set_commands(void *ctx, int type, uint64_t addr, const struct gdbstub_expr *e, size_t n, bool persist,
			   struct gdbstub_err *out)
{
	struct gyve_agent_expr exprs[GDBSTUB_CONDITIONS];
	struct gyve_glue *g = ctx;
	struct gyve_err err = {0};

	for (size_t i = 0; i < n; i++)
		exprs[i] = (struct gyve_agent_expr){e[i].code, e[i].len};
	name_space(g, known(g, type, addr, 0));
	return gyve_glue_err(out, &err,
			     gyve_target_point_commands(g->target, (enum gyve_point_kind)type, addr, exprs, n, persist, &err));
}

/* Single steps only: gdb gets over a breakpoint that it has taken out for just that. */
void gyve_glue_points_resumed(struct gyve_glue *g, const struct gdbstub_resume *r, size_t n)
{
	bool goes_on = false;

	for (size_t i = 0; i < n; i++)
		goes_on |= r[i].act == GDBSTUB_CONT;
	g->points.asked = false;
	for (size_t i = g->points.n; goes_on && i-- > 0;)
		if (g->points.list[i].out)
			forget(g, &g->points.list[i]);
}
