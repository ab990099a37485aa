/* Tracing as libgdbstub demands it. */
#include "stub_glue.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct gyve_trace *trace(void *ctx)
{
	return gyve_target_trace(((struct gyve_glue *)ctx)->target);
}

static int give_err(struct gdbstub_err *out, const struct gyve_err *err, int ret)
{
	if (ret < 0) {
		out->code = -ret;
		snprintf(out->text, sizeof(out->text), "%.*s", (int)sizeof(out->text) - 1, err->text);
	}
	return ret;
}

static struct gyve_agent_expr expr(const struct gdbstub_expr *e)
{
	return (struct gyve_agent_expr){e->code, e->len};
}

static int status(void *ctx, struct gdbstub_trace_status *ret)
{
	static const char *const ends[] = {[GYVE_TRACE_NOT_RUN] = "tnotrun",
					   [GYVE_TRACE_STOPPED] = "tstop",
					   [GYVE_TRACE_FULL] = "tfull",
					   [GYVE_TRACE_PASSCOUNT] = "tpasscount",
					   [GYVE_TRACE_DISCONNECTED] = "tdisconnected",
					   [GYVE_TRACE_ERROR] = "terror"};
	static _Thread_local struct gyve_trace_status st;

	if (!trace(ctx))
		return -EOPNOTSUPP;
	gyve_trace_status(trace(ctx), &st);
	*ret = (struct gdbstub_trace_status){.running = st.running,
					     .circular = st.circular,
					     .disconnected = st.disconnected,
					     .end = ends[st.end],
					     .text = st.text,
					     .user = st.user,
					     .notes = st.notes,
					     .point = st.point,
					     .frames = st.frames,
					     .created = st.created,
					     .size = st.size,
					     .free = st.free,
					     .start = st.start,
					     .stop = st.stop};
	return 0;
}

static int init(void *ctx, unsigned ng)
{
	((struct gyve_glue *)ctx)->traceframe = -1;
	return gyve_trace_init(trace(ctx), ng);
}

static int define(void *ctx, const struct gdbstub_tracepoint *p, struct gdbstub_err *out)
{
	struct gyve_tracepoint t = {.number = p->number,
				    .addr = p->addr,
				    .enabled = p->enabled,
				    .steps = p->steps,
				    .pass = p->pass,
				    .cond = expr(&p->cond)};
	struct gyve_err err = {0};

	return give_err(out, &err, gyve_trace_define(trace(ctx), &t, &err));
}

static int action(void *ctx, unsigned number, uint64_t addr, const struct gdbstub_trace_action *a, struct gdbstub_err *out)
{
	struct gyve_trace_action t = {.what = (enum gyve_trace_collect)a->what,
				      .stepping = a->stepping,
				      .e = expr(&a->e),
				      .base = a->base,
				      .offset = a->offset,
				      .len = a->len};
	struct gyve_err err = {0};

	return give_err(out, &err, gyve_trace_action(trace(ctx), number, addr, &t, &err));
}

static int text(void *ctx, unsigned number, uint64_t addr, const char *p, size_t len, struct gdbstub_err *out)
{
	struct gyve_err err = {0};

	return give_err(out, &err, gyve_trace_text(trace(ctx), number, addr, p, len, &err));
}

static int variable(void *ctx, unsigned number, uint64_t initial, const char *name, struct gdbstub_err *out)
{
	struct gyve_err err = {0};

	return give_err(out, &err, gyve_trace_variable(trace(ctx), number, initial, name, &err));
}

static int readonly(void *ctx, uint64_t start, uint64_t end, struct gdbstub_err *out)
{
	struct gyve_err err = {0};

	return give_err(out, &err, gyve_trace_readonly(trace(ctx), start, end, &err));
}

static int enable(void *ctx, unsigned number, uint64_t addr, bool on)
{
	return gyve_trace_enable(trace(ctx), number, addr, on);
}

static int option(void *ctx, enum gdbstub_trace_option option, uint64_t value)
{
	if (option == GDBSTUB_TRACE_SIZE)
		return gyve_trace_buffer(trace(ctx), value);
	if (option == GDBSTUB_TRACE_CIRCULAR)
		gyve_trace_circular(trace(ctx), value);
	else
		gyve_trace_disconnected(trace(ctx), value);
	return 0;
}

static int note(void *ctx, const char *which, const char *p)
{
	gyve_trace_note(trace(ctx),
			*which == 'u'   ? GYVE_TRACE_USER
			: *which == 'n' ? GYVE_TRACE_NOTES
					: GYVE_TRACE_STOP_NOTE,
			p);
	return 0;
}

static int start(void *ctx, struct gdbstub_err *out)
{
	struct gyve_err err = {0};

	return give_err(out, &err, gyve_trace_start(trace(ctx), &err));
}

static int stop(void *ctx)
{
	return gyve_trace_stop(trace(ctx));
}

static bool point(void *ctx, size_t i, struct gdbstub_tracepoint *ret)
{
	struct gyve_tracepoint p;

	if (!gyve_trace_point(trace(ctx), i, &p))
		return false;
	*ret = (struct gdbstub_tracepoint){p.number, p.addr, p.enabled, p.steps, p.pass, {p.cond.code, p.cond.len},
					   p.hits,   p.usage};
	return true;
}

static const char *point_text(void *ctx, size_t i, size_t k)
{
	return gyve_trace_point_text(trace(ctx), i, k);
}

static const char *var(void *ctx, size_t i, unsigned *number, uint64_t *initial)
{
	return gyve_trace_var(trace(ctx), i, number, initial);
}

static int value(void *ctx, unsigned number, uint64_t *ret)
{
	struct gyve_glue *g = ctx;

	if (g->traceframe >= 0)
		return gyve_trace_frame_value(trace(ctx), g->traceframe, number, ret);
	return gyve_trace_value(trace(ctx), number, ret);
}

static int64_t find(void *ctx, const struct gdbstub_trace_find *f, unsigned *number)
{
	static const int by[] = {[GDBSTUB_FIND_NUMBER] = GYVE_TRACE_BY_NUMBER,
				 [GDBSTUB_FIND_PC] = GYVE_TRACE_BY_PC,
				 [GDBSTUB_FIND_POINT] = GYVE_TRACE_BY_POINT,
				 [GDBSTUB_FIND_INSIDE] = GYVE_TRACE_INSIDE,
				 [GDBSTUB_FIND_OUTSIDE] = GYVE_TRACE_OUTSIDE};
	struct gyve_glue *g = ctx;
	struct gyve_trace_find what = {.a = f->a, .b = f->b, .after = g->traceframe};

	if (f->by == GDBSTUB_FIND_LIVE) {
		g->traceframe = -1;
		return 0;
	}
	what.by = by[f->by];
	int64_t n = gyve_trace_find(trace(ctx), &what, number);
	g->traceframe = n < 0 ? -1 : n;
	return n;
}

static size_t raw(void *ctx, uint64_t off, void *buf, size_t len)
{
	return gyve_trace_raw(trace(ctx), off, buf, len);
}

const struct gdbstub_trace_ops gyve_glue_tracing = {
	.status = status,
	.init = init,
	.define = define,
	.action = action,
	.text = text,
	.variable = variable,
	.readonly = readonly,
	.enable = enable,
	.option = option,
	.note = note,
	.start = start,
	.stop = stop,
	.point = point,
	.point_text = point_text,
	.var = var,
	.value = value,
	.find = find,
	.raw = raw,
};

/* --- what a frame shows */

int gyve_glue_trace_reg(struct gyve_glue *g, unsigned reg, void *buf)
{
	int r = gyve_trace_reg(trace(g), g->traceframe, reg, buf);

	return r == -ENOENT ? -ENODATA : r;
}

ssize_t gyve_glue_trace_mem(struct gyve_glue *g, uint64_t addr, void *buf, size_t len)
{
	return gyve_trace_mem(trace(g), g->traceframe, addr, buf, len);
}

static void print_mem(void *ctx, gyve_gva_t addr, uint64_t len)
{
	fprintf(ctx, "<memory start=\"0x%" PRIx64 "\" length=\"0x%" PRIx64 "\"/>\n", addr, len);
}

static void print_var(void *ctx, unsigned number)
{
	fprintf(ctx, "<tvar id=\"%u\"/>\n", number);
}

int gyve_glue_traceframe_info(struct gyve_glue *g, const void **ret, size_t *len)
{
	FILE *f;

	if (!trace(g))
		return -EOPNOTSUPP;
	free(g->text);
	g->text = NULL;
	f = open_memstream(&g->text, len);
	if (!f)
		return -ENOMEM;
	fprintf(f, "<?xml version=\"1.0\"?>\n<!DOCTYPE traceframe-info SYSTEM \"traceframe-info.dtd\">\n<traceframe-info>\n");
	if (g->traceframe >= 0)
		gyve_trace_frame_parts(trace(g), g->traceframe, print_mem, print_var, f);
	fprintf(f, "</traceframe-info>\n");
	if (fclose(f) != 0)
		return -ENOMEM;
	*ret = g->text;
	return 0;
}
