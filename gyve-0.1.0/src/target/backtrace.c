/* A call stack line by line, functions inlined there as lines of their own; and as text in gdb's form, for `monitor bt`, the
 * crash report and `gyve bt`. */
#include "gyve/unwind.h"

#include "monitor.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum { MAX_INLINED = 16 };

static const char *const hows[] = {
	[GYVE_FRAME_FIRST] = "",
	[GYVE_FRAME_CFI] = "",
	[GYVE_FRAME_POINTER] = "by frame pointer",
	[GYVE_FRAME_RETURN] = "by return address",
	[GYVE_FRAME_EXCEPTION] = "interrupted here",
};

struct lines {
	struct gyve_target *t;
	unsigned number;
	void (*cb)(void *ctx, const struct gyve_bt_line *line);
	void *ctx;
};

/* The instruction that is meant: a return address is behind its call. */
static uint64_t look(const struct gyve_frame *f)
{
	return f->exact ? f->pc : f->pc - 1;
}

static bool take_frame(void *ctx, unsigned number, const struct gyve_frame *f)
{
	struct lines *l = ctx;
	struct gyve_source s[MAX_INLINED];
	char symbol[256];
	int n = gyve_symtab_sources(l->t->syms, look(f), s, MAX_INLINED);

	(void)number;
	if (f->exact)
		gyve_symtab_format(l->t->syms, f->pc, symbol, sizeof(symbol));
	else
		gyve_symtab_format_return(l->t->syms, f->pc, symbol, sizeof(symbol));
	for (int i = 0; i < (n > 0 ? n : 1); i++) {
		struct gyve_bt_line line = {.number = l->number++,
					    .frame = f,
					    .source = n > 0 ? &s[i] : NULL,
					    .level = (unsigned)i,
					    .symbol = symbol,
					    .how = hows[f->how]};
		l->cb(l->ctx, &line);
	}
	return true;
}

int gyve_backtrace(struct gyve_target *t, unsigned cpu, unsigned max, void (*cb)(void *ctx, const struct gyve_bt_line *line),
		   void *ctx, struct gyve_err *err)
{
	struct lines l = {t, 0, cb, ctx};

	return gyve_unwind(t, cpu, max, take_frame, &l, err);
}

struct reader {
	struct gyve_target *t;
	unsigned cpu;
};

static int read_value(void *ctx, uint64_t addr, unsigned size, uint64_t *ret)
{
	const struct reader *r = ctx;

	*ret = 0;
	return gyve_target_read(r->t, r->cpu, addr, ret, size, NULL) == (ssize_t)size ? 0 : -EFAULT;
}

void gyve_backtrace_locals(struct gyve_target *t, unsigned cpu, const struct gyve_bt_line *line, gyve_local_fn *fn, void *ctx)
{
	const struct gyve_frame *f = line->frame;
	struct reader r = {t, cpu};
	struct gyve_expr_env env = {.reg = f->reg,
				    .known = f->known,
				    .has_cfa = f->has_cfa,
				    .cfa = f->cfa,
				    .bias = gyve_symtab_bias(t->syms),
				    .read = read_value,
				    .ctx = &r};

	gyve_symtab_locals(t->syms, look(f), line->level, &env, fn, ctx);
}

/* --- as text */

struct printer {
	struct gyve_target *t;
	unsigned cpu, flags;
	const struct gyve_sink *out;
	const char *indent;
	unsigned args;
	bool parameters; /* which of the two kinds is printed now */
};

static void print_variable(void *ctx, const char *name, const char *value, bool parameter)
{
	struct printer *p = ctx;

	if (parameter != p->parameters)
		return;
	if (parameter)
		gyve_sink_say(p->out, "%s%s=%s", p->args++ ? ", " : "", name, value);
	else
		gyve_sink_say(p->out, "%s        %s = %s\n", p->indent, name, value);
}

static void print_variables(struct printer *p, const struct gyve_bt_line *line, bool parameters)
{
	p->args = 0;
	p->parameters = parameters;
	gyve_backtrace_locals(p->t, p->cpu, line, print_variable, p);
}

/* The frame's own address stands before its innermost function only: the others have none. */
static void print_line(void *ctx, const struct gyve_bt_line *line)
{
	const struct gyve_source *s = line->source;
	struct printer *p = ctx;

	gyve_sink_say(p->out, "%s#%-2u ", p->indent, line->number);
	if (line->level == 0)
		gyve_sink_say(p->out, "0x%016" PRIx64 "%s", line->frame->pc,
			      s || strncmp(line->symbol, "0x", 2) != 0 ? " in " : "");
	if (s) {
		gyve_sink_say(p->out, "%s (", s->function ? s->function : "??");
		print_variables(p, line, true);
		gyve_sink_say(p->out, ")%s%s", *s->place ? " at " : "", s->place);
	} else if (strncmp(line->symbol, "0x", 2) != 0) {
		gyve_sink_say(p->out, "%s", line->symbol);
	}
	if (s && s->inlined)
		gyve_sink_say(p->out, " [inlined]");
	else if (*line->how)
		gyve_sink_say(p->out, " [%s]", line->how);
	gyve_sink_say(p->out, "\n");
	if (s && p->flags & GYVE_BACKTRACE_LOCALS)
		print_variables(p, line, false);
}

int gyve_backtrace_print(struct gyve_target *t, unsigned cpu, unsigned max, unsigned flags, const char *indent,
			 const struct gyve_sink *out, struct gyve_err *err)
{
	struct printer p = {.t = t, .cpu = cpu, .flags = flags, .out = out, .indent = indent};

	return gyve_backtrace(t, cpu, max, print_line, &p, err);
}
